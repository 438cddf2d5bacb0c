# One station lives through all that a driver may do to a stream, and goes on judging after each.
. "$LAB/guest.sh"

need_vivid
# The driver's 32-bit count of frames runs over after the first 128: ours goes on, and nothing is lost by that.
control wrap_sequence_number=1
station "device = \"$WEBCAM\""
wait_for 20 "frame 150" grep -q '"frame":1[5-9][0-9],' "$work/reports"
not_told '"\(frame\|count\)":[0-9]\{4,\}'
control wrap_sequence_number=0

# A frame that the driver marks as damaged is counted and not judged.
control inject_v4l2_buf_flag_error=1
told '"kind":"damaged","count":1}'
more_reports 2

# Nothing comes for a while; then only some frames.
control percentage_of_dropped_buffers=100
told "delivered nothing for 1000 ms"
control percentage_of_dropped_buffers=0
more_reports 2
: >"$work/reports"
control percentage_of_dropped_buffers=30
told '"kind":"lost"'
control percentage_of_dropped_buffers=0

# The driver gives up, or does not take a buffer back: the stream is over, a new one is not.
for fault in inject_fatal_streaming_error inject_vidioc_qbuf_error; do
    : >"$work/station.log"
    control $fault=1
    told "was lost"
    more_reports 2
done
# The first attempt to start anew fails too.
for request in reqbufs streamon; do
    : >"$work/station.log"
    control inject_vidioc_${request}_error=1
    control inject_fatal_streaming_error=1
    told "was lost"
    more_reports 2
done
stop_station
