# A camera, whichever it is, delivers frames in the way it stands.
# here: camera
. "$LAB/guest.sh"

need_camera
v4l2-ctl -d "$CAMERA" --stream-mmap --stream-count=10 --stream-to="$work/seen"
[ -s "$work/seen" ] || fail "$CAMERA delivered nothing"
