# Sound goes through ALSA sample by sample.
. /lab/guest.sh

hear_noise arecord -q -D "$MICROPHONE" -f S16_LE -r 48000 -c 1 -t raw -d 3 /tmp/heard.raw
