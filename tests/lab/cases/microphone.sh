# A microphone, whichever it is, delivers a second of sound in about a second.
# here: microphone
. "$LAB/guest.sh"

need_microphone
arecord -q -D "plug$MICROPHONE" -f S16_LE -r 48000 -c 1 -t raw -d 1 "$work/heard"
expect_equal "the bytes of a second" "$(stat -c %s "$work/heard")" 96000
