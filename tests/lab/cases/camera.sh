# A camera, whichever it is, delivers frames in the way it stands.
# here: camera
. "$LAB/guest.sh"

need_camera
camera_file "device = \"$CAMERA\""
eyear record "$work/station.toml" --frames 10 --out "$work/seen"
expect_equal "the number of frames" "$(ls "$work/seen" | wc -l)" 10
# 1 says that there is something to mend.
code=0
eyear doctor camera --device "$CAMERA" --frames 10 --json >"$work/found" || code=$?
cat "$work/found"
[ $code -le 1 ] || fail "eyear doctor camera ended with $code"
# As every driver does that uses the kernel's common code for buffers.
grep -q '"dmabuf":true' "$work/found" || fail "its memory cannot be shared"
