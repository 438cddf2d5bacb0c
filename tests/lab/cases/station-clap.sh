# A clap that is seen and heard: the sound of the frame that shows it holds it at the frame's own time, sample by sample.
. "$LAB/guest.sh"

need_aloop
# Every two seconds 50 ms of noise, and a frame of half a second that shows a broken biscuit; whole ones are seen before it.
head -c 4800 /dev/urandom >"$work/clap"
# Its first sample is not nought: that is where it begins.
printf '\001\001' | dd of="$work/clap" conv=notrunc 2>/dev/null
head -c 144000 /dev/zero | cat - "$work/clap" >"$work/turn"
head -c 43200 /dev/zero >>"$work/turn"
turns=$(seq 20 | sed "s|.*|$work/turn|")
# shellcheck disable=SC2086
cat $turns >"$work/played.raw"
start aplay -q -D "$SPEAKER" -f S16_LE -r 48000 -c 1 -t raw "$work/played.raw"
status=/proc/asound/Loopback/pcm0p/sub0/status
wait_for 10 "the player" grep -q RUNNING $status
# When sample 0 was played, in microseconds: CLOCK_MONOTONIC, as ALSA's library asks for.
since=$(sed -n 's/^trigger_time: *\([0-9]*\)\.\([0-9]\{6\}\).*/\1\2/p' $status)
uptime=$(cut -d . -f 1 /proc/uptime)
[ $((since / 1000000 - uptime)) -le 1 ] || fail "ALSA's time $since is not that of the clock, $uptime s"

whole=/lab/good/t003.jpg
plug_usb --fps 2 --since "$since" $whole $whole $whole /lab/broken/a007.jpg 2>"$work/camera"
camera_file "device = \"$USB\"
format = \"MJPG\"
[microphone]
source = \"alsa\"
device = \"$LOOPED\"
[sound]
before_ms = 500
after_ms = 400"
# What does not pass is kept with its sound.
sed -i 's|^\[reports\]|&\nfolder = "kept"|' "$work/station.toml"
start_station
kept() {
    ls "$work"/kept/*.wav 2>/dev/null | wc -l
}
have_kept() {
    [ "$(kept)" -ge 5 ]
}
wait_for 40 "five claps" have_kept
stop_station

# An emulated camera begins its frames late: those of the clap, each fourth, by the middle of this list.
late=$(sed -n 's/^frame \([0-9]*\) begun \([0-9]*\) us late/\1 \2/p' "$work/camera" | awk '$1 % 4 == 3 { print $2 }' | sort -n)
late=$(echo "$late" | sed -n "$((($(echo "$late" | wc -l) + 1) / 2))p")
echo "the camera begins such frames $late us late"

od -An -v -t d2 -w2 "$work/clap" | awk '{ print $1 }' >"$work/wanted"
for sound in "$work"/kept/*.wav; do
    # Samples are floats of four bytes after the word `data` and their length.
    head=$(hexdump -n 100 -v -e '1/1 "%02x"' "$sound" | sed 's/64617461.*//' | wc -c)
    tail -c +$((head / 2 + 9)) "$sound" >"$work/samples"
    first=$(cmp "$work/samples" /dev/zero | sed -n 's/.*differ: [a-z]* \([0-9]*\),.*/\1/p')
    [ -n "$first" ] || fail "the frame that shows the clap has no clap in its sound"
    at=$(((first - 1) / 4))
    # The frame's own time is 500 ms after the sound begins: 24000 samples.
    skew_us=$(((at - 24000) * 1000 / 48 + late))
    echo "the clap is heard $skew_us us after the frame that shows it"
    echo ${skew_us#-} >>"$work/skews"
    tail -c +$((4 * at + 1)) "$work/samples" | head -c 9600 | od -An -v -t f4 -w4 |
        awk '{ printf "%d\n", $1 * 32768 + ($1 < 0 ? -0.5 : 0.5) }' | cmp - "$work/wanted" ||
        fail "the clap was not heard as it was played"
done
# The middle one: an emulated processor lets a frame wait now and then.
middle=$(sort -n "$work/skews" | sed -n 3p)
[ "$middle" -le 20000 ] || fail "picture and sound are $middle us apart"
[ "$(sort -n "$work/skews" | tail -n 1)" -le 100000 ] || fail "once, picture and sound were far apart"
pull_usb
