# A station hears: each picture has the sound around it, the sound card is pulled out and comes back, and the pictures go
# on meanwhile.
. "$LAB/guest.sh"

need_vivid
need_aloop
head -c 9600000 /dev/urandom >"$work/noise.raw"
play() {
    start aplay -q -D "$SPEAKER" -f S16_LE -r 48000 -c 1 -t raw "$work/noise.raw"
}
with_sound() {
    grep -c '"sound":{"ms":500.0,.*"degraded":false' "$work/reports" || true
}
have_with_sound() {
    [ "$(with_sound)" -ge "$1" ]
}

station "device = \"$WEBCAM\"
[microphone]
source = \"alsa\"
device = \"$LOOPED\"
stall_ms = 1000"
wait_for 10 "somebody who listens" grep -q RUNNING /proc/asound/card*/pcm1c/sub*/status
play
wait_for 20 "pictures with sound" have_with_sound 5
# Milliseconds from where the sound should begin to where it begins, without their fractions.
sed -n 's/.*"ms":500.0,"skew_ms":-\{0,1\}\([0-9]*\).*"degraded":false.*/\1/p' "$work/reports" >"$work/skews"
expect_least "pictures with a skew" "$(wc -l <"$work/skews")" 5
while read -r skew; do
    [ "$skew" -le 20 ] || fail "a picture and its sound are $skew ms apart"
done <"$work/skews"

# Ends only when nobody holds the card any more, and the player holds it too.
echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind &
told "microphone lost"
more_reports 3
told '"degraded":true'
wait_for 10 "the card to go" sh -c '! grep -q Loopback /proc/asound/cards'
echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/bind
need_aloop
wait_for 10 "somebody who listens again" grep -q RUNNING /proc/asound/card*/pcm1c/sub*/status
play
wait_for 20 "pictures with sound again" have_with_sound $(($(with_sound) + 3))
stop_station
