# The driver marks a frame as damaged: it is counted and not judged, those after it are.
. "$LAB/guest.sh"

need_vivid
station "device = \"$WEBCAM\""
more_reports 3
control inject_v4l2_buf_flag_error=1
told '"kind":"damaged","count":1}'
more_reports 3
stop_station
