//! Plausibility of a driver's time stamps. Conversion to our clock is left to each source.

use std::time::Duration;

use super::{Fault, FaultKind};
use crate::time::Stamp;

/// Largest plausible difference between time stamp and arrival.
const BELIEVABLE: Duration = Duration::from_secs(2);

/// The time stamps of a source, in frame order.
#[derive(Default)]
pub(super) struct Stamps {
    last: Stamp,
}

impl Stamps {
    /// The driver's time stamp of a frame that arrived `now`; if implausible, the arrival time and a fault.
    pub(super) fn believe(&mut self, stamp: Stamp, now: Stamp) -> (Stamp, Option<Fault>) {
        let off = stamp.ms_since(now).abs();
        let cannot_be = off > BELIEVABLE.as_secs_f64() * 1e3 || stamp < self.last;
        let fault = cannot_be.then(|| {
            let detail = format!("a time stamp {off:.0} ms from the clock, or before the last one");
            Fault { kind: FaultKind::ClockStep, count: 1, detail }
        });
        self.last = if cannot_be { now } else { stamp };
        (self.last, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_that_goes_back_or_lies_far_off_is_replaced_by_the_arrival() {
        let at = |ms: u64| Stamp { ns: ms * 1_000_000 };
        let mut stamps = Stamps::default();
        for (stamp, now, believed) in [(10, 20, 10), (40, 50, 40), (30, 60, 60), (70, 2080, 2080), (2090, 2085, 2090)] {
            let (got, fault) = stamps.believe(at(stamp), at(now));
            assert_eq!((got, fault.is_some()), (at(believed), believed != stamp));
        }
    }
}
