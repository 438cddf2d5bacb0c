# The driver's 32-bit count of frames runs over: ours goes on, and no four thousand million frames are lost.
. "$LAB/guest.sh"

need_vivid
control wrap_sequence_number=1
station "device = \"$WEBCAM\""
more_reports 3
# It began 128 before the end.
wait_for 20 "frame 150" grep -q '"frame":1[5-9][0-9],' "$work/reports"
not_told '"\(frame\|count\)":[0-9]\{4,\}'
stop_station
