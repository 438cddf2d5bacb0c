# A camera, whichever it is, delivers frames in the way it stands.
# here: camera
. "$LAB/guest.sh"

need_camera
camera_file "device = \"$CAMERA\""
eyear record "$work/station.toml" --frames 10 --out "$work/seen"
expect_equal "the number of frames" "$(ls "$work/seen" | wc -l)" 10
