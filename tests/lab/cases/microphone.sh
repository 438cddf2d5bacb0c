# A microphone, whichever it is, delivers two seconds of sound.
# here: microphone
. "$LAB/guest.sh"

need_microphone
# 1 says that there is something to mend, such as silence.
code=0
eyear doctor microphone --device "$MICROPHONE" --seconds 2 --json >"$work/heard" || code=$?
cat "$work/heard"
[ $code -le 1 ] || fail "eyear doctor microphone ended with $code"
expect_least "samples" "$(sed -n 's/.*"samples":\([0-9]*\),.*/\1/p' "$work/heard")" 96000
