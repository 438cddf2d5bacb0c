# A camera that delivers brightness and colour in memory of their own, as those of many small boards do.
. /lab/guest.sh

need_vivid
v4l2-ctl -d $PLANES --set-fmt-video=width=640,height=480,pixelformat=NM12 \
    --stream-mmap --stream-count=3 --stream-to=/tmp/seen.raw
expect_equal "the bytes of three frames" "$(stat -c %s /tmp/seen.raw)" $((3 * 460800))
