# Cycles before a USB camera: their films follow each other, with the camera's own JPEGs at even times.
. "$LAB/guest.sh"

plug_usb --fps 10 /lab/good/*.jpg
camera_file "device = \"$USB\"
format = \"MJPG\"
rate = 10
[cycle]
after_ms = 2000"
eyear record "$work/station.toml" --frames 3 --out "$work/films" 2>"$work/films.log"
cat "$work/films.log"
expect_equal "films of twenty frames, none of them lost" "$(grep -c '2.00 s, 20 frames$' "$work/films.log")" 3
# Ten times the one biscuit and ten times the other, and what an AVI has around them.
shown=$(cat /lab/good/t003.jpg /lab/good/t007.jpg | wc -c)
for film in "$work"/films/*.avi; do
    around=$(($(wc -c <"$film") - 10 * shown))
    expect_least "what is around the frames of $film" $around 0
    expect_least "a kilobyte beside what is around them" $((1024 - around)) 0
done
