# Biscuits before a USB camera: the frames are the camera's JPEGs, good ones pass and broken ones do not.
. "$LAB/guest.sh"

plug_usb --fps 10 --serial LAB0001 /lab/good/*.jpg
# What is printed of it is what a station needs; sizes and rates of its other format are listed too.
eyear devices >"$work/devices"
cat "$work/devices"
grep -q 'serial LAB0001' "$work/devices" || fail "its serial number is not told"
grep -q '^  YUYV *288 x *384' "$work/devices" || fail "its other format is not told"
echo 'part = "/lab/biscuit"' >"$work/pasted.toml"
awk -v device="device = \"$USB\"" 'BEGIN { RS = "" } index($0, device)' "$work/devices" >>"$work/pasted.toml"
cat "$work/pasted.toml"
eyear record "$work/pasted.toml" --frames 1 --out "$work/pasted"
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
