# The binary finds its runtime and its models, and the runtime computes the right thing on this processor.
. /lab/guest.sh

eyear doctor
