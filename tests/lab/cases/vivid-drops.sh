# A camera delivers nothing for a while, then goes on, then loses frames now and then: told, and lived through.
. "$LAB/guest.sh"

need_vivid
station "device = \"$WEBCAM\""
more_reports 3
control percentage_of_dropped_buffers=100
told "delivered nothing for 1000 ms"
control percentage_of_dropped_buffers=0
more_reports 3
: >"$work/reports"
control percentage_of_dropped_buffers=30
told '"kind":"lost"'
stop_station
