# What cases share: sourced by each, and by hand after `run --keep`. A case runs from top to bottom and fails at the
# first command that does.
set -eu
export EYEAR_MODELS=/lab/models ORT_DYLIB_PATH=/lab/lib/libonnxruntime.so

# Ends the case.
fail() {
    echo "FAILED: $*"
    exit 1
}

# expect_equal WHAT GOT WANTED
expect_equal() {
    [ "$2" = "$3" ] || fail "$1 is \`$2\`, not \`$3\`"
}
