# Biscuits before a USB camera: the frames are the camera's JPEGs, good ones pass and broken ones do not.
. "$LAB/guest.sh"

plug_usb --fps 10 /lab/good/*.jpg
eyear devices
station "device = \"$USB\"
format = \"MJPG\""
more_reports 4
stop_station
not_told '"verdict":"\(fail\|unsure\|invalid\)"'
eyear record "$work/station.toml" --frames 4 --out "$work/frames"
for frame in "$work"/frames/*.jpg; do
    cmp "$frame" /lab/good/t003.jpg || cmp "$frame" /lab/good/t007.jpg || fail "$frame is not what the camera showed"
done
# The camera's other format.
camera_file "device = \"$USB\"
format = \"YUYV\""
eyear record "$work/station.toml" --frames 1 --out "$work/ramp"
pull_usb

plug_usb --fps 10 /lab/broken/*.jpg
station "device = \"$USB\"
format = \"MJPG\""
more_reports 4
stop_station
not_told '"verdict":"pass"'
