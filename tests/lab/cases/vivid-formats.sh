# Each format that the binary reads, from a driver of the kernel.
. "$LAB/guest.sh"

need_vivid
while read -r format bytes; do
    v4l2-ctl -d $WEBCAM --set-fmt-video=width=640,height=480,pixelformat="$format" \
        --stream-mmap --stream-count=3 --stream-to="$work/seen.raw"
    expect_equal "the bytes of three frames of $format" "$(stat -c %s "$work/seen.raw")" $((3 * bytes))
done <<'FORMATS'
YUYV 614400
NV12 460800
GREY 307200
RGB3 921600
FORMATS
