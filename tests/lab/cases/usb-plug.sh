# A USB camera is plugged in, streams, is pulled out and comes back: usbcore and uvcvideo see what hardware shows them.
. "$LAB/guest.sh"

plug_usb --serial LAB0001 /lab/good/*.jpg
expect_equal "its serial number" "$(cat /sys/class/video4linux/video"${USB#/dev/video}"/device/../serial)" LAB0001
v4l2-ctl -d "$USB" --list-formats
v4l2-ctl -d "$USB" --set-fmt-video=pixelformat=MJPG --stream-mmap --stream-count=4 --stream-to="$work/seen.mjpg"
cat /lab/good/t003.jpg /lab/good/t007.jpg /lab/good/t003.jpg /lab/good/t007.jpg >"$work/wanted.mjpg"
cmp "$work/seen.mjpg" "$work/wanted.mjpg" || fail "the JPEGs are not those that the camera shows"
pull_usb
plug_usb --serial LAB0001 /lab/good/*.jpg
pull_usb
