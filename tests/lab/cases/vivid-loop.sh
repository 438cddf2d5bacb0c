# Frames go through the kernel as they are: those sent out of an HDMI port come in at another, bit by bit.
. "$LAB/guest.sh"

loop_frames /lab/noise/frames.raw 100000
# Whether a recorded picture is one of those that were sent.
was_sent() {
    for picture in /lab/noise/*.png; do
        cmp -s "$1" "$picture" && return 0
    done
    return 1
}
# Before the first frame is out, vivid shows noise of its own.
shows_sent() {
    rm -rf "$work/seen"
    eyear record "$work/station.toml" --frames 1 --out "$work/seen" && was_sent "$work/seen/000000.png"
}
camera_file "device = \"$HDMI\"
format = \"YUYV\""
wait_for 20 "a frame that was sent" shows_sent
eyear record "$work/station.toml" --frames 6 --out "$work/six"
for picture in "$work"/six/*.png; do
    was_sent "$picture" || fail "$picture is none of those that were sent"
done
expect_least "different pictures" "$(md5sum "$work"/six/*.png | cut -d ' ' -f 1 | sort -u | wc -l)" 2
