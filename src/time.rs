//! Stamps on one monotonic clock. Each source converts its driver's time to it at its own door.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Nanoseconds on this process's monotonic clock, from its first use.
///
/// Two stamps can be compared whatever sources they come from; a stamp means nothing to another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    /// Nanoseconds since the clock's start.
    pub ns: u64,
}

impl Stamp {
    /// The present moment.
    pub fn now() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        let elapsed = START.get_or_init(Instant::now).elapsed();
        Self { ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// The stamp `span` before this one; the clock's start, where there is none so early.
    pub fn before(self, span: Duration) -> Self {
        Self { ns: self.ns.saturating_sub(nanoseconds(span)) }
    }

    /// The stamp `span` after this one.
    pub fn after(self, span: Duration) -> Self {
        Self { ns: self.ns.saturating_add(nanoseconds(span)) }
    }

    /// Milliseconds from `earlier` to this stamp; negative when `earlier` is the later one.
    pub fn ms_since(self, earlier: Self) -> f64 {
        (self.ns as f64 - earlier.ns as f64) / 1e6
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_never_go_back() {
        let a = Stamp::now();
        let b = Stamp::now();
        assert!(b >= a);
        assert!(b.ms_since(a) >= 0.0 && a.ms_since(b) <= 0.0);
    }
}
