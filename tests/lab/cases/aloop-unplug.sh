# A sound card is pulled out while it records, and comes back.
. "$LAB/guest.sh"

need_aloop
start arecord -q -D "$LOOPED" -f S16_LE -r 48000 -c 1 -t raw "$work/heard.raw"
recorder=$!
wait_for 10 "the recording" test -s "$work/heard.raw"
# Ends only when the recorder has let go.
echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind &
wait_for 10 "the recorder to end" sh -c "! kill -0 $recorder"
wait_for 10 "the card to go" sh -c '! grep -q Loopback /proc/asound/cards'
echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/bind
need_aloop
hear_noise arecord -q -D "$LOOPED" -f S16_LE -r 48000 -c 1 -t raw -d 3 "$work/heard.raw"
