# A camera goes and comes back, in both ways that drivers have: its node stays and is dead, or is gone.
. "$LAB/guest.sh"

need_vivid
station "device = \"$WEBCAM\""
more_reports 3
control disconnect=1
told "was lost"
more_reports 3

: >"$work/station.log"
# Ends only when nobody holds a node any more.
echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind &
told "was lost"
wait_for 10 "the node to go" test ! -e $WEBCAM
status_tells "no camera $WEBCAM"
echo vivid.0 >/sys/bus/platform/drivers/vivid/bind
more_reports 3
stop_station
