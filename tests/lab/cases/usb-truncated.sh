# A bad cable cuts JPEGs off, and uvcvideo says nothing of it: they are found out, and those between are judged.
. "$LAB/guest.sh"

plug_usb --truncate 4 /lab/good/*.jpg
station "device = \"$USB\"
format = \"MJPG\""
told '"kind":"damaged"'
more_reports 3
stop_station
