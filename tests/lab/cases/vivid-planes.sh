# A camera that delivers brightness and colour in memory of their own, as those of many small boards do.
. "$LAB/guest.sh"

need_vivid
v4l2-ctl -d $PLANES --set-fmt-video=width=640,height=480,pixelformat=NM12 \
    --stream-mmap --stream-count=3 --stream-to="$work/seen.raw"
expect_equal "the bytes of three frames" "$(stat -c %s "$work/seen.raw")" $((3 * 460800))
