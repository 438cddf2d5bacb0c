# What is plugged into an HDMI port goes, comes back, and comes back with another picture size.
. "$LAB/guest.sh"

need_vivid
station "device = \"$HDMI\""
more_reports 3
# 1 is no signal, 0 the one that is set, 4 the one chosen in the control `dv_timings`.
control dv_timings_signal_mode=1 $HDMI
told "the signal changed"
status_tells "no signal"
control dv_timings_signal_mode=0 $HDMI
more_reports 3
: >"$work/station.log"
control dv_timings=0 $HDMI
control dv_timings_signal_mode=4 $HDMI
told "the signal changed"
more_reports 3
stop_station
