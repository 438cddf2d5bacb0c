# The driver gives up in the middle of a stream, and refuses once to start one: opening anew mends both.
. "$LAB/guest.sh"

need_vivid
station "device = \"$WEBCAM\""
more_reports 3
control inject_fatal_streaming_error=1
told "was lost"
more_reports 3
: >"$work/reports"
# A buffer that cannot be given back ends a stream as well.
control inject_vidioc_qbuf_error=1
told "was lost"
more_reports 3
for request in reqbufs streamon; do
    control inject_vidioc_${request}_error=1
    control inject_fatal_streaming_error=1
    told "cannot start"
    more_reports 3
    : >"$work/reports"
done
