# The binary finds its runtime and its models, and the runtime computes the right thing on this processor.
. "$LAB/guest.sh"

eyear doctor
