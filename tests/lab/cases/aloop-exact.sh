# Sound goes through ALSA sample by sample.
. "$LAB/guest.sh"

hear_noise arecord -q -D "$LOOPED" -f S16_LE -r 48000 -c 1 -t raw -d 3 "$work/heard.raw"
