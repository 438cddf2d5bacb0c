# The driver's 32-bit count of frames runs over: ours goes on, and no four thousand million frames are lost.
. "$LAB/guest.sh"

need_vivid
control wrap_sequence_number=1
station "device = \"$WEBCAM\""
more_reports 150
not_told '"\(sequence\|count\)":[0-9]\{4,\}'
