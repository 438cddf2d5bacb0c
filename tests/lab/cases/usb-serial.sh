# A station knows its camera by the serial number, at whatever port; another one there is refused.
. "$LAB/guest.sh"

plug_usb --serial LAB0001 /lab/good/*.jpg
station 'device = "LAB0001"
format = "MJPG"'
more_reports 3
pull_usb
told "was lost"
plug_usb --serial LAB0002 --port 1 /lab/good/*.jpg
status_tells 'no camera `LAB0001`'
pull_usb
plug_usb --serial LAB0001 --port 2 /lab/good/*.jpg
more_reports 3
stop_station
pull_usb

# Named by its device, and of the serial number of another.
plug_usb --serial LAB0002 /lab/good/*.jpg
station "device = \"$USB\"
serial = \"LAB0001\""
told 'should be `LAB0001`, it has `LAB0002`'
pull_usb
# One without a serial number has not that of the port that it is plugged into.
plug_usb --serial "" /lab/good/*.jpg
status_tells "it has none"
stop_station
