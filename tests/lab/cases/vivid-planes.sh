# A camera that delivers brightness and colour in memory of their own, as those of many small boards do.
. "$LAB/guest.sh"

need_vivid
station "device = \"$PLANES\"
format = \"NM12\"
size = [640, 480]"
more_reports 3
stop_station
