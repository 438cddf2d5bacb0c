//! Sample positions → time stamps: a line fitted through the jittery time stamps of a sound card. Getting the stamps is left
//! to the source.

use std::collections::VecDeque;

use crate::time::Stamp;

/// Marks used for the fit: 25 s at ten per second.
const MARKS: usize = 256;

/// Shortest span of the marks for measuring the card's rate, in seconds. Over less, jitter exceeds the rate error of cards.
const SPAN: u64 = 5;

/// Deviation from the line that jitter cannot explain, in nanoseconds.
const STEP: i64 = 20_000_000;

/// Consecutive marks off the line, on the same side, that indicate a step. A delayed thread shifts one stamp, never five.
const STREAK: usize = 5;

/// The result of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It lies on the line.
    Steady,
    /// That many samples are missing by time: they are lost, and the line continues.
    Lost(u64),
    /// The stamps jumped back by that many nanoseconds: a new line begins.
    Back(u64),
}

/// The fit: Tukey's resistant line (the medians of the first and the last third), which is robust against single outliers.
#[derive(Debug)]
pub struct Pace {
    rate: u32,
    /// Position, and deviation of the stamp from the nominal rate in nanoseconds.
    marks: VecDeque<(u64, i64)>,
    /// The latest consecutive marks off the line on one side.
    streak: VecDeque<(u64, i64)>,
    /// Deviation at position `from` in nanoseconds, and its slope per sample.
    past: f64,
    from: u64,
    slope: f64,
    scratch: Vec<f64>,
}

impl Pace {
    /// A line without marks, for a card with this sample rate in Hz.
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            marks: VecDeque::with_capacity(MARKS + STREAK),
            streak: VecDeque::with_capacity(STREAK),
            past: 0.0,
            from: 0,
            slope: 0.0,
            scratch: Vec::with_capacity(MARKS + STREAK),
        }
    }

    /// Time of the sample at `position`, by the line; `None` before the first mark.
    ///
    /// On an idle machine it is accurate to 0.1 ms, plus the driver's own delay, which is unknown.
    pub fn stamp(&self, position: u64) -> Option<Stamp> {
        (!self.marks.is_empty()).then(|| self.at(position))
    }

    fn at(&self, position: u64) -> Stamp {
        let ns = self.nominal(position) + self.line(position) as i128;
        Stamp { ns: u64::try_from(ns.max(0)).unwrap_or(u64::MAX) }
    }

    /// The card's sample rate by our clock, in Hz.
    pub fn rate(&self) -> f64 {
        1e9 / (1e9 / f64::from(self.rate) + self.slope)
    }

    /// Adds the time stamp of the sample at `position`.
    pub fn mark(&mut self, position: u64, stamp: Stamp) -> Step {
        let mark = (position, self.past_nominal(position, stamp));
        let off = mark.1.saturating_sub(self.line(position) as i64);
        if self.marks.is_empty() || off.unsigned_abs() <= STEP.unsigned_abs() {
            self.streak.clear();
            self.push(mark);
            return Step::Steady;
        }
        if self.streak.iter().any(|late| late.1.saturating_sub(self.line(late.0) as i64).signum() != off.signum()) {
            self.streak.clear();
        }
        self.streak.push_back(mark);
        if self.streak.len() < STREAK {
            return Step::Steady;
        }
        let least = self.streak.iter().map(|late| late.1.saturating_sub(self.line(late.0) as i64).unsigned_abs()).min();
        let least = least.unwrap_or(0);
        // What shakes is late, never early: the least of them is nearest to the truth.
        let (lost, step) = match off > 0 {
            true => {
                let lost = self.samples(least);
                (lost, Step::Lost(lost))
            }
            false => {
                self.marks.clear();
                (0, Step::Back(least))
            }
        };
        while let Some((position, past)) = self.streak.pop_front() {
            self.push((
                position.saturating_add(lost),
                past.saturating_sub(self.nominal(lost).min(i64::MAX.into()) as i64),
            ));
        }
        step
    }

    /// Records that the card stopped before `position` and restarted at `stamp`. Returns the number of lost samples and begins
    /// a new line there; the measured rate is kept.
    pub fn resume(&mut self, position: u64, stamp: Stamp) -> u64 {
        let late = self.past_nominal(position, stamp).saturating_sub(self.line(position) as i64);
        let lost = match self.marks.is_empty() || late <= 0 {
            true => 0,
            false => self.samples(late.unsigned_abs()),
        };
        self.marks.clear();
        self.streak.clear();
        let from = position.saturating_add(lost);
        self.push((from, self.past_nominal(from, stamp)));
        lost
    }

    fn samples(&self, ns: u64) -> u64 {
        (u128::from(ns) * u128::from(self.rate) / 1_000_000_000) as u64
    }

    fn nominal(&self, position: u64) -> i128 {
        i128::from(position) * 1_000_000_000 / i128::from(self.rate)
    }

    fn past_nominal(&self, position: u64, stamp: Stamp) -> i64 {
        (i128::from(stamp.ns) - self.nominal(position)).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    fn line(&self, position: u64) -> f64 {
        self.past + self.slope * (position as f64 - self.from as f64)
    }

    fn push(&mut self, mark: (u64, i64)) {
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
        self.lay();
    }

    /// Fits the line again.
    fn lay(&mut self) {
        let (Some(first), Some(last)) = (self.marks.front().copied(), self.marks.back().copied()) else { return };
        let third = self.marks.len() / 3;
        if third > 0 && last.0.saturating_sub(first.0) >= SPAN * u64::from(self.rate) {
            let (left, right) = (self.third(0, third), self.third(self.marks.len() - third, third));
            self.slope = (right.1 - left.1) / (right.0 - left.0);
        }
        self.from = last.0;
        self.scratch.clear();
        let Self { scratch, marks, slope, from, .. } = self;
        scratch.extend(marks.iter().map(|mark| mark.1 as f64 - *slope * (mark.0 as f64 - *from as f64)));
        self.past = median(&mut self.scratch);
    }

    /// The medians of position and deviation of `count` marks from `start` on.
    fn third(&mut self, start: usize, count: usize) -> (f64, f64) {
        let Self { scratch, marks, .. } = self;
        let mut of = |pick: fn(&(u64, i64)) -> f64| {
            scratch.clear();
            scratch.extend(marks.range(start..start + count).map(pick));
            median(scratch)
        };
        (of(|mark| mark.0 as f64), of(|mark| mark.1 as f64))
    }
}

/// The upper median; zero for an empty list.
fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: u32 = 48_000;
    const CHUNK: u64 = 4800;
    const START: f64 = 1e9;

    /// When a card that is `ppm` fast takes the sample at `position`, in nanoseconds.
    fn taken(position: u64, ppm: f64) -> f64 {
        START + position as f64 * 1e9 / (f64::from(RATE) * (1.0 + ppm * 1e-6))
    }

    fn stamp(ns: f64) -> Stamp {
        Stamp { ns: ns.round() as u64 }
    }

    /// Nanoseconds from the truth to the line.
    fn off(pace: &Pace, position: u64, ppm: f64) -> f64 {
        pace.stamp(position).unwrap().ns as f64 - taken(position, ppm)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Stamps up to 0.4 ms late, every seventh up to 15 ms, of a card up to 200 ppm off: within 0.6 ms after the
        /// first second, and its rate within 20 ppm after half a minute.
        #[test]
        fn the_line_holds_though_stamps_shake(
            ppm in -200.0..200.0f64,
            late in prop::collection::vec((0.0..4e5f64, 0.0..1.5e7f64), 400),
        ) {
            let mut pace = Pace::new(RATE);
            for (at, (little, much)) in late.iter().enumerate() {
                let position = at as u64 * CHUNK;
                let shaken = taken(position, ppm) + if at % 7 == 3 { *much } else { *little };
                prop_assert_eq!(pace.mark(position, stamp(shaken)), Step::Steady);
                // Before the rate is known, it is what the card is off in five seconds.
                let most = if at < 10 { 1.6e7 } else if at < 60 { 2e6 } else { 6e5 };
                prop_assert!(off(&pace, position, ppm).abs() < most, "{at}: {}", off(&pace, position, ppm));
            }
            let found = (pace.rate() / f64::from(RATE) - 1.0) * 1e6;
            prop_assert!((found - ppm).abs() < 20.0, "{found} for {ppm}");
        }

        /// Samples that are lost in silence are told once, to within a millisecond's, and stamps are right afterwards.
        #[test]
        fn what_is_lost_in_silence_is_told_once(lost in 1200..96_000u64, late in prop::collection::vec(0.0..4e5f64, 200)) {
            let mut pace = Pace::new(RATE);
            let (mut told, mut counted) = (0, 0);
            for (at, late) in late.iter().enumerate() {
                let true_position = at as u64 * CHUNK + if at >= 100 { lost } else { 0 };
                let position = at as u64 * CHUNK + counted;
                match pace.mark(position, stamp(taken(true_position, 50.0) + late)) {
                    Step::Steady => {}
                    Step::Lost(samples) => {
                        told += 1;
                        counted += samples;
                    }
                    Step::Back(ns) => prop_assert!(false, "back by {ns}"),
                }
            }
            prop_assert_eq!(told, 1);
            prop_assert!(counted.abs_diff(lost) <= u64::from(RATE / 1000), "{counted} of {lost}");
            prop_assert!(off(&pace, 199 * CHUNK + lost, 50.0).abs() < 1.2e6);
        }

        /// A stop that the driver tells of is counted from the first stamp after it.
        #[test]
        fn a_stop_is_counted(lost in 0..96_000u64, late in 0.0..4e5f64) {
            let mut pace = Pace::new(RATE);
            for at in 0..100 {
                pace.mark(at * CHUNK, stamp(taken(at * CHUNK, -80.0)));
            }
            let counted = pace.resume(100 * CHUNK, stamp(taken(100 * CHUNK + lost, -80.0) + late));
            prop_assert!(counted.abs_diff(lost) <= 30, "{counted} of {lost}");
            prop_assert!(off(&pace, 100 * CHUNK + counted, -80.0).abs() < 1e6);
        }
    }

    #[test]
    fn a_step_back_begins_a_new_line() {
        let mut pace = Pace::new(RATE);
        let back = 3e8;
        let mut steps = Vec::new();
        for at in 0..60u64 {
            let shift = if at < 30 { 0.0 } else { back };
            steps.push(pace.mark(at * CHUNK, stamp(taken(at * CHUNK, 0.0) - shift)));
        }
        let told: Vec<_> = steps.into_iter().enumerate().filter(|(_, step)| *step != Step::Steady).collect();
        assert_eq!(told, [(30 + STREAK - 1, Step::Back(300_000_000))]);
        assert!((off(&pace, 59 * CHUNK, 0.0) + back).abs() < 1000.0);
    }

    #[test]
    fn single_stamps_that_are_far_off_change_nothing() {
        let mut pace = Pace::new(RATE);
        assert_eq!(pace.stamp(0), None);
        for at in 0..100u64 {
            let late = if at % 3 == 2 { 1e8 } else { 0.0 };
            assert_eq!(pace.mark(at * CHUNK, stamp(taken(at * CHUNK, 0.0) + late)), Step::Steady);
        }
        assert!(off(&pace, 99 * CHUNK, 0.0).abs() < 1000.0);
    }

    #[test]
    fn positions_of_years_do_not_overflow() {
        let mut pace = Pace::new(768_000);
        let position = 768_000 * 86_400 * 365 * 10;
        let stamp = Stamp { ns: 86_400 * 365 * 10 * 1_000_000_000 };
        assert_eq!(pace.mark(position, stamp), Step::Steady);
        assert_eq!(pace.stamp(position), Some(stamp));
    }
}
