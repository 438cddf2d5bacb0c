# The driver gives up in the middle of a stream, or refuses once to start one: opening anew mends it.
. "$LAB/guest.sh"

need_vivid
station "device = \"$WEBCAM\""
# The second: a buffer that cannot be given back ends a stream as well.
for fault in inject_fatal_streaming_error inject_vidioc_qbuf_error; do
    more_reports 3
    : >"$work/station.log"
    control $fault=1
    told "was lost"
done
more_reports 3
stop_station
for request in reqbufs streamon; do
    control inject_vidioc_${request}_error=1
    station "device = \"$WEBCAM\""
    told "cannot start"
    more_reports 3
    stop_station
done
