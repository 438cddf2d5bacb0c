# What cases share: sourced by each, and by hand after `run --keep`. A case runs from top to bottom and fails at the
# first command that does; what it plugged in is pulled out, and what it started ended, when it ends.
set -eu

work=$(mktemp -d)

# Ends the case.
fail() {
    { set +x; } 2>/dev/null
    # What the station said last is mostly the reason.
    for file in "$work/reports" "$work/station.log"; do
        [ ! -s "$file" ] || tail -n 15 "$file"
    done
    echo "FAILED: $*"
    exit 1
}

# expect_equal WHAT GOT WANTED
expect_equal() {
    [ "$2" = "$3" ] || fail "$1 is \`$2\`, not \`$3\`"
}

# expect_least WHAT GOT LEAST, whole numbers
expect_least() {
    [ "$2" -ge "$3" ] || fail "$1 is $2, less than $3"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
    { set +x; } 2>/dev/null
    seconds=$1 what=$2
    shift 2
    tries=$((seconds * 20))
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "waited $seconds s for $what"
        sleep 0.05
    done
    set -x
}

# Processes that the case started and that are to end with it.
started=
start() {
    "$@" &
    started="$started $!"
}

end_all() {
    # shellcheck disable=SC2086
    [ -z "$started" ] || kill $started 2>/dev/null || true
    rm -rf "$work"
}
trap end_all EXIT

# ---- vivid: cameras of the kernel's, each made for one kind of case ----

# A webcam; an HDMI capture card whose input is fed by the output beside it; a camera of several planes.
WEBCAM=/dev/video10 HDMI=/dev/video11 HDMI_OUT=/dev/video21 PLANES=/dev/video12

# Fresh ones: what a case before this one made go wrong is forgotten.
need_vivid() {
    [ ! -e /sys/module/vivid ] || wait_for 10 "vivid's programs to end" rmmod vivid
    modprobe vivid n_devs=3 vid_cap_nr=10,11,12 vid_out_nr=20,21,22 \
        node_types=0x1,0x101,0x1 num_inputs=1,1,1 input_types=0x0,0x3,0x0 num_outputs=0,1,0 output_types=0x0,0x1,0x0 \
        multiplanar=1,1,2
    wait_for 10 "vivid's cameras" test -c $PLANES
    # Without it a webcam of this size has five frames a second.
    v4l2-ctl -d $WEBCAM --set-fmt-video=width=640,height=480,pixelformat=YUYV --set-parm=25 >/dev/null
}

# control NAME=VALUE [DEVICE]
control() {
    v4l2-ctl -d "${2:-$WEBCAM}" -c "$1"
}

# ---- the USB camera ----

USB=
need_usb() {
    [ -e /sys/module/vhci_hcd ] || modprobe vhci-hcd
    [ -e /sys/module/uvcvideo ] || modprobe uvcvideo
}

# Prints the device that delivers pictures and is driven by uvcvideo; its second one carries only data about them.
usb_device() {
    for node in /sys/class/video4linux/*; do
        case $(readlink "$node/device/driver") in
            */uvcvideo) [ "$(cat "$node/index")" = 0 ] && echo "/dev/${node##*/}" && return 0 ;;
        esac
    done
    return 1
}

no_usb_device() {
    ! usb_device
}

# plug_usb OPTIONS... JPEG...: arguments of usb_camera. Its device is $USB.
plug_usb() {
    need_usb
    start usb_camera "$@"
    usb_camera=$!
    wait_for 10 "the USB camera's device" usb_device
    USB=$(usb_device)
}

pull_usb() {
    kill "$usb_camera"
    wait_for 10 "the USB camera's device to go" no_usb_device
}

# ---- the sound card: what is played on $SPEAKER is heard on $LOOPED ----

SPEAKER=hw:CARD=Loopback,DEV=0 LOOPED=hw:CARD=Loopback,DEV=1

need_aloop() {
    [ -e /sys/module/snd_aloop ] || modprobe snd-aloop pcm_substreams=2
    wait_for 10 "the sound card" grep -q Loopback /proc/asound/cards
}

# The camera and the microphone of cases that suit any: this machine's own with `run --here`, else virtual ones.
need_camera() {
    [ -n "${CAMERA:-}" ] || { need_vivid && CAMERA=$WEBCAM; }
}

need_microphone() {
    [ -n "${MICROPHONE:-}" ] || { need_aloop && MICROPHONE=$LOOPED; }
}

# hear_noise PROGRAM...: plays a second of noise while the program writes what it hears to "$work/heard.raw", 48 kHz, one
# channel of S16_LE, and compares.
hear_noise() {
    need_aloop
    # Its first sample is not nought: that is where it begins. The silence keeps aplay from cutting its end off.
    { printf '\001\001' && head -c 95998 /dev/urandom; } >"$work/noise.raw"
    head -c 48000 /dev/zero | cat "$work/noise.raw" - >"$work/played.raw"
    rm -f "$work/heard.raw"
    "$@" &
    listener=$!
    # Until somebody listens, what is played is lost.
    wait_for 10 "somebody who listens" grep -q RUNNING /proc/asound/card*/pcm1c/sub*/status
    aplay -q -D "$SPEAKER" -f S16_LE -r 48000 -c 1 -t raw "$work/played.raw"
    wait $listener
    begin=$(cmp "$work/heard.raw" /dev/zero | sed -n 's/.*differ: [a-z]* \([0-9]*\),.*/\1/p')
    [ -n "$begin" ] || fail "only silence was heard"
    tail -c +"$begin" "$work/heard.raw" | head -c 96000 | cmp - "$work/noise.raw" || fail "the noise was not heard as played"
}

# loop_frames FILE COUNT: lets the HDMI card see COUNT raw YUYV frames of 640x480 from a file, over and over.
loop_frames() {
    need_vivid
    for device in $HDMI $HDMI_OUT; do
        v4l2-ctl -d "$device" --set-dv-bt-timings index=0 >/dev/null
    done
    v4l2-ctl -d $HDMI --set-fmt-video=width=640,height=480,pixelformat=YUYV >/dev/null
    v4l2-ctl -d $HDMI_OUT --set-fmt-video-out=width=640,height=480,pixelformat=YUYV >/dev/null
    control loop_video=1 $HDMI
    # No counters written over the picture.
    control osd_text_mode=2 $HDMI
    start v4l2-ctl -d $HDMI_OUT --stream-out-mmap --stream-from="$1" --stream-loop \
        --stream-count="$2" >/dev/null 2>&1
}

# ---- the station: the binary at work ----

# camera_file LINES: writes a station's file; the lines stand under [camera], beside the source.
camera_file() {
    cat >"$work/station.toml" <<STATION
part = "/lab/biscuit"
[reports]
address = "127.0.0.1:7460"
[camera]
source = "v4l2"
stall_ms = 1000
$1
STATION
}

# station LINES: starts such a station.
station() {
    camera_file "$1"
    start_station
}

# start_station: one whose file is written.
start_station() {
    : >"$work/reports"
    : >"$work/station.log"
    start eyear run "$work/station.toml" >>"$work/reports" 2>>"$work/station.log"
    station=$!
}

# A station that is told to end does so, with 0 or, where something did not pass, 1.
stop_station() {
    kill "$station"
    code=0
    wait "$station" || code=$?
    [ $code -le 1 ] || fail "the station ended with $code"
    told "ended after"
}

# Moments with a picture until now.
reports() {
    grep -c '"frame":[0-9]' "$work/reports" || true
}

have_reports() {
    [ "$(reports)" -ge "$1" ]
}

# more_reports COUNT: waits for so many from now on.
more_reports() {
    wait_for 20 "$1 more reports" have_reports $(($(reports) + $1))
}

# told WORDS: waits until they stand in a report or in what the station told.
told() {
    wait_for 20 "the words \`$1\`" grep -q "$1" "$work/reports" "$work/station.log"
}

not_told() {
    ! grep "$1" "$work/reports" "$work/station.log" || fail "it speaks of \`$1\`"
}

# status_tells WORDS: waits until the station's status says so. A loss is told once, what follows it stands there.
status_tells() {
    wait_for 20 "the words \`$1\` in the status" status_has "$1"
}

status_has() {
    eyear status "$work/station.toml" | grep -q "$1"
}
