//! Timing of the images of a recording: at a rate, or at once.

use std::thread;
use std::time::{Duration, Instant};

use crate::time::Stamp;

/// Releases images at a rate.
pub(super) struct Beat {
    rate: Option<f64>,
    start: Option<(Instant, Stamp)>,
    count: u64,
}

impl Beat {
    /// `rate` images per second; `None`: each is due at once.
    pub(super) fn new(rate: Option<f64>) -> Self {
        Self { rate, start: None, count: 0 }
    }

    /// Waits for the next image up to `patience`; returns its time stamp and number, or `None` if it is not due yet.
    pub(super) fn wait(&mut self, patience: Duration) -> Option<(Stamp, u64)> {
        let number = self.count;
        let Some(rate) = self.rate else {
            self.count += 1;
            return Some((Stamp::now(), number));
        };
        let (start, stamp) = *self.start.get_or_insert_with(|| (Instant::now(), Stamp::now()));
        let since = Duration::from_secs_f64(number as f64 / rate);
        let left = (start + since).saturating_duration_since(Instant::now());
        thread::sleep(left.min(patience));
        if left > patience {
            return None;
        }
        self.count += 1;
        Some((stamp.after(since), number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_lie_exactly_on_the_beat() {
        let mut beat = Beat::new(Some(100.0));
        let mut all = Vec::new();
        while all.len() < 5 {
            all.extend(beat.wait(Duration::from_millis(3)));
        }
        for (i, (stamp, number)) in all.iter().enumerate() {
            assert_eq!((*number, stamp.ns - all[0].0.ns), (i as u64, i as u64 * 10_000_000));
        }
        assert!(Beat::new(None).wait(Duration::ZERO).is_some());
    }
}
