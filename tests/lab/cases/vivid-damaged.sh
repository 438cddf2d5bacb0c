# The driver marks a frame as damaged: it is not judged, the next is.
. "$LAB/guest.sh"

need_vivid
station "device = \"$WEBCAM\""
more_reports 3
control inject_v4l2_buf_flag_error=1
told damaged
more_reports 3
