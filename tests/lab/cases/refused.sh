# Devices that another program holds, or that this user may not open: one sentence that says so and what mends it, and a
# station waits until it can have them.
. "$LAB/guest.sh"

# refused WORDS PROGRAM...
refused() {
    words=$1
    shift
    code=0
    "$@" >"$work/refused" 2>&1 || code=$?
    [ $code = 2 ] && grep -q "^error: .*$words" "$work/refused"
}

need_vivid
camera_file "device = \"$WEBCAM\""
start v4l2-ctl -d $WEBCAM --stream-mmap --stream-count=100000 >/dev/null 2>&1
holder=$!
wait_for 10 "the camera to be in use" \
    refused "$WEBCAM is in use by another program" eyear record "$work/station.toml" --frames 1 --out "$work/seen"
start_station
told "is in use by another program"
kill $holder
more_reports 2
stop_station

# Without udev devices belong to root alone.
grep -q inspector /etc/passwd || echo "inspector:x:1000:1000::/:/bin/sh" >>/etc/passwd
chmod 755 "$work"
refused "no permission for $WEBCAM: add the user to the group \`video\`" \
    su inspector -c "eyear record $work/station.toml --frames 1 --out /tmp/seen" || fail "$(cat "$work/refused")"
need_aloop
refused 'no permission for /dev/snd/pcmC.*: join the group `audio`' \
    su inspector -c "eyear doctor microphone --device $LOOPED" || fail "$(cat "$work/refused")"
