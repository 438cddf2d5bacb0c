# The same test picture in each format that the binary reads is judged alike.
. "$LAB/guest.sh"

need_vivid
# No counters written over the picture.
control osd_text_mode=2
score() {
    sed -n 's/.*"score":\([0-9.]*\),.*/\1/p' "$work/reports" | tail -n 1
}

for format in YUYV NV12 RGB3 BGR3 UYVY GREY "Y16 "; do
    station "device = \"$WEBCAM\"
format = \"$format\"
size = [640, 480]"
    more_reports 2
    stop_station
    echo "$format: $(score)"
done
