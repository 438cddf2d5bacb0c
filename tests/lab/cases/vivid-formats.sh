# The same test picture in each format that the binary reads becomes the same pixels.
. "$LAB/guest.sh"

need_vivid
# No counters written over the picture.
control osd_text_mode=2 $WEBCAM
control osd_text_mode=2 $PLANES

# picture NAME FORMAT DEVICE: records one as NAME.
picture() {
    camera_file "device = \"$3\"
format = \"$2\"
size = [640, 480]"
    eyear record "$work/station.toml" --frames 1 --out "$work/$1"
    mv "$work/$1/000000.png" "$work/$1.png"
}

# same NAME NAME
same() {
    cmp "$work/$1.png" "$work/$2.png" || fail "the pictures in $1 and $2 differ"
}

picture YUYV YUYV $WEBCAM
picture UYVY UYVY $WEBCAM
same YUYV UYVY
picture NV12 NV12 $WEBCAM
# In memory of their own for brightness and colour, as cameras of many small boards deliver.
picture NM12 NM12 $PLANES
same NV12 NM12
picture RGB3 RGB3 $WEBCAM
picture BGR3 BGR3 $WEBCAM
same RGB3 BGR3
picture GREY GREY $WEBCAM
picture Y16 "Y16 " $WEBCAM
same GREY Y16
