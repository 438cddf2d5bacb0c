# Frames go through the kernel as they are: those sent out of an HDMI port come in at another, bit by bit.
. "$LAB/guest.sh"

head -c $((4 * 614400)) /dev/urandom >"$work/sent.raw"
loop_frames "$work/sent.raw" 100000
for i in 0 1 2 3; do
    dd if="$work/sent.raw" bs=614400 skip=$i count=1 2>/dev/null | md5sum
done >"$work/sums"
# Before the first frame is out, vivid shows noise of its own.
shows_sent() {
    v4l2-ctl -d $HDMI --stream-mmap --stream-count=1 --stream-to="$work/seen.raw"
    grep -q "$(md5sum <"$work/seen.raw")" "$work/sums"
}
wait_for 10 "a frame that was sent" shows_sent
v4l2-ctl -d $HDMI --stream-mmap --stream-count=6 --stream-to="$work/seen.raw"
for i in 0 1 2 3 4 5; do
    sum=$(dd if="$work/seen.raw" bs=614400 skip=$i count=1 2>/dev/null | md5sum)
    grep -q "$sum" "$work/sums" || fail "frame $i is none of those that were sent"
done
