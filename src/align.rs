//! Frames + sound → the sound window of a frame, cut by timestamps to the sample; and the clip of a cycle. `source`
//! sets the timestamps; `engine` decides when to ask and how long to wait.

pub mod film;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::sample::Sound;
use crate::station::SoundWindow;
use crate::time::Stamp;

/// Largest difference in nanoseconds between a chunk's timestamp and the one expected from the chunk before. Above it
/// one of them is wrong, and the earlier sound cannot be joined to the chunk.
const BREAK: i64 = 20_000_000;

/// Keeps the sound of the last seconds and cuts windows out of it.
///
/// Its memory is allocated once, at the first chunk, and reused. Samples that the source lost are kept as silence, so
/// that later ones stay in place; a window says how many it contains.
#[derive(Debug)]
pub struct Aligner {
    window: SoundWindow,
    keep: Duration,
    line: Option<Line>,
    /// Whether an earlier line ended at a break in timestamps or positions. Windows cannot reach across it.
    broken: bool,
    /// Buffer of the last window, reused when nobody holds it any more.
    last: Arc<[f32]>,
}

/// Chunks with consistent positions and timestamps.
#[derive(Debug)]
struct Line {
    rate: u32,
    channels: usize,
    /// Interleaved samples; a sample's index is its position modulo the capacity.
    ring: Vec<f32>,
    /// Capacity of the ring in samples per channel.
    capacity: u64,
    /// Position of the first sample ever received, and of the next one.
    first: u64,
    end: u64,
    pieces: VecDeque<Piece>,
}

/// A chunk, with the lost samples before it.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Positions of the first lost sample, the first received one, and the end.
    lost: u64,
    start: u64,
    end: u64,
    /// Time of the sample at `start`.
    stamp: Stamp,
}

/// The window of a frame, or its state.
#[derive(Debug)]
pub enum Cut {
    /// The window.
    Ready(Window),
    /// Not complete yet: ask again when more sound has arrived.
    Wait,
    /// There is none, and there will be none.
    Missing(Missing),
}

/// The sound around a frame.
#[derive(Debug)]
pub struct Window {
    /// From `before_ms` before the frame to `after_ms` after it; lost samples are silence.
    pub sound: Sound,
    /// Milliseconds from the frame's sample to the frame's timestamp: half a sample of rounding, plus the disagreement
    /// of the timestamps of the window's chunks. The value farthest from 0.
    pub skew_ms: f64,
    /// Lost samples per channel in it.
    pub lost: u64,
}

/// Why there is no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No sound had arrived by then.
    NotYet,
    /// The frame is older than the stored sound.
    TooOld,
    /// All of it was lost, or the source was interrupted within it.
    Gap,
}

impl Missing {
    /// The reason as in a report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotYet => "no sound had come yet",
            Self::TooOld => "the picture is older than the sound that is kept",
            Self::Gap => "the sound has a gap there",
        }
    }
}

impl Aligner {
    /// For windows of this kind, requested for frames up to `late` old.
    pub fn new(window: SoundWindow, late: Duration) -> Self {
        let keep = window.before() + window.after() + late;
        Self { window, keep, line: None, broken: false, last: Arc::new([]) }
    }

    /// Adds the source's next chunk.
    pub fn hear(&mut self, sound: &Sound) {
        if sound.is_empty() {
            return;
        }
        if !self.line.as_ref().is_some_and(|line| line.goes_on_with(sound)) {
            self.broken = self.line.is_some();
            self.line = Some(Line::new(sound, self.keep, self.line.take()));
        }
        if let Some(line) = &mut self.line {
            line.push(sound);
        }
    }

    /// The window of a frame that was taken at `frame`.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn cut(&mut self, frame: Stamp) -> Result<Cut> {
        let Some(line) = &self.line else { return Ok(Cut::Missing(Missing::NotYet)) };
        let samples = |span: Duration| (span.as_nanos() * u128::from(line.rate) + 500_000_000) / 1_000_000_000;
        let (before, after) = (samples(self.window.before()) as i64, samples(self.window.after()) as i64);
        let anchor = line.nearest(frame);
        let (start, end) = (anchor - before, anchor + after);
        let never_heard = if self.broken { Missing::Gap } else { Missing::NotYet };
        if start < line.first as i64 {
            return Ok(Cut::Missing(never_heard));
        }
        if end > line.end as i64 {
            return Ok(Cut::Wait);
        }
        let (start, end) = (start as u64, end as u64);
        if start < line.oldest() {
            return Ok(Cut::Missing(Missing::TooOld));
        }
        let lost = line.lost(start, end);
        if lost == end - start && lost > 0 {
            return Ok(Cut::Missing(Missing::Gap));
        }
        let skew_ms = line.skew_ms(frame, anchor as u64, start, end);
        line.copy(start, end, &mut self.last);
        let mut sound = Sound::new(self.last.clone(), line.rate, line.channels)?;
        sound.position = start;
        sound.stamp = line.stamp(start);
        Ok(Cut::Ready(Window { sound, skew_ms, lost }))
    }
}

impl Line {
    /// A sound from `start`, in the buffer of the last one if the size is the same.
    fn new(sound: &Sound, keep: Duration, last: Option<Self>) -> Self {
        let (rate, channels) = (sound.rate(), sound.channels());
        // A window's ends are rounded: two samples more. The end of a window may come with a whole further chunk.
        let capacity = (keep.as_nanos() * u128::from(rate)).div_ceil(1_000_000_000) as u64 + 2;
        let capacity = capacity.max(2 * sound.len() as u64);
        let size = capacity as usize * channels;
        let (ring, mut pieces) = last.map_or_else(Default::default, |last| (last.ring, last.pieces));
        let ring = if ring.len() == size { ring } else { vec![0.0; size] };
        pieces.clear();
        Self { rate, channels, ring, capacity, first: sound.position, end: sound.position, pieces }
    }

    /// Whether the chunk continues the previous one, in position and in time.
    fn goes_on_with(&self, sound: &Sound) -> bool {
        let fits = (sound.rate(), sound.channels()) == (self.rate, self.channels) && sound.position >= self.end;
        let Some(last) = self.pieces.back().filter(|_| fits && sound.len() as u64 <= self.capacity) else {
            return false;
        };
        (sound.stamp.ns as i64 - self.ns_at(last, sound.position as i64)).abs() <= BREAK
    }

    fn push(&mut self, sound: &Sound) {
        // If more is lost than the ring holds, everything in it is silence.
        for position in self.end.max(sound.position.saturating_sub(self.capacity))..sound.position {
            let at = self.place(position);
            self.ring[at..at + self.channels].fill(0.0);
        }
        let mut position = sound.position;
        let mut samples = sound.samples();
        while !samples.is_empty() {
            let at = self.place(position);
            let (now, later) = samples.split_at(samples.len().min(self.ring.len() - at));
            self.ring[at..at + now.len()].copy_from_slice(now);
            position += (now.len() / self.channels) as u64;
            samples = later;
        }
        self.pieces.push_back(Piece { lost: self.end, start: sound.position, end: position, stamp: sound.stamp });
        self.end = position;
        while self.pieces.front().is_some_and(|piece| piece.end <= self.oldest()) {
            self.pieces.pop_front();
        }
    }

    /// The position of the oldest stored sample.
    fn oldest(&self) -> u64 {
        self.end.saturating_sub(self.capacity).max(self.first)
    }

    fn place(&self, position: u64) -> usize {
        (position % self.capacity) as usize * self.channels
    }

    /// When the sample at `position` was taken, as the piece has it.
    fn ns_at(&self, piece: &Piece, position: i64) -> i64 {
        let past = i128::from(position) - i128::from(piece.start);
        piece.stamp.ns as i64 + (past * 1_000_000_000).div_euclid(i128::from(self.rate)) as i64
    }

    /// The position of the sample whose timestamp is nearest to `frame`; the earliest if there are several. Before the
    /// first piece and after the last, the position is extrapolated.
    fn nearest(&self, frame: Stamp) -> i64 {
        let mut best: Option<(u64, i64)> = None;
        let ends = self.pieces.len().saturating_sub(1);
        for (number, piece) in self.pieces.iter().enumerate() {
            let past = i128::from(frame.ns) - i128::from(piece.stamp.ns);
            let samples = (past * i128::from(self.rate) + 500_000_000).div_euclid(1_000_000_000);
            let mut position = (i128::from(piece.start) + samples) as i64;
            if number > 0 {
                position = position.max(piece.lost as i64);
            }
            if number < ends {
                position = position.min(piece.end as i64 - 1);
            }
            let off = self.ns_at(piece, position).abs_diff(frame.ns as i64);
            if best.is_none_or(|(least, _)| off < least) {
                best = Some((off, position));
            }
        }
        best.map_or(0, |(_, position)| position)
    }

    /// Lost samples from `start` to before `end`.
    fn lost(&self, start: u64, end: u64) -> u64 {
        self.pieces.iter().map(|piece| piece.start.min(end).saturating_sub(piece.lost.max(start))).sum()
    }

    /// The farthest from 0 of what the pieces of a window say from `anchor` to the frame, in milliseconds.
    fn skew_ms(&self, frame: Stamp, anchor: u64, start: u64, end: u64) -> f64 {
        let touched =
            |piece: &&Piece| (piece.lost < end && piece.end > start) || (piece.lost..piece.end).contains(&anchor);
        let skews = self.pieces.iter().filter(touched).map(|piece| frame.ns as i64 - self.ns_at(piece, anchor as i64));
        skews.max_by_key(|skew| skew.abs()).unwrap_or(0) as f64 / 1e6
    }

    /// When the sample at `position` was taken.
    fn stamp(&self, position: u64) -> Stamp {
        let piece = self.pieces.iter().find(|piece| position < piece.end).or(self.pieces.back());
        let ns = piece.map_or(0, |piece| self.ns_at(piece, position as i64));
        Stamp { ns: u64::try_from(ns).unwrap_or(0) }
    }

    /// The samples from `start` to before `end`, in `to`, or in a new buffer if `to` is shared or has another size.
    fn copy(&self, start: u64, end: u64, to: &mut Arc<[f32]>) {
        let size = (end - start) as usize * self.channels;
        if to.len() != size || Arc::get_mut(to).is_none() {
            *to = std::iter::repeat_n(0.0, size).collect();
        }
        let Some(mut rest) = Arc::get_mut(to) else { return };
        let mut position = start;
        while !rest.is_empty() {
            let at = self.place(position);
            let (now, later) = rest.split_at_mut(rest.len().min(self.ring.len() - at));
            now.copy_from_slice(&self.ring[at..at + now.len()]);
            position += (now.len() / self.channels) as u64;
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: u32 = 8000;

    /// Two channels, in which the sample at a position tells its number.
    fn value(position: u64, channel: u64) -> f32 {
        (position * 2 + channel) as f32
    }

    fn chunk(position: u64, length: u64, ns: i64) -> Sound {
        let samples: Vec<f32> = (position..position + length).flat_map(|p| [value(p, 0), value(p, 1)]).collect();
        let mut sound = Sound::new(samples, RATE, 2).unwrap();
        (sound.position, sound.stamp) = (position, Stamp { ns: ns as u64 });
        sound
    }

    fn window(before_ms: u64, after_ms: u64) -> SoundWindow {
        SoundWindow { before_ms, after_ms }
    }

    fn ready(cut: Cut) -> Window {
        match cut {
            Cut::Ready(window) => window,
            other => panic!("{other:?}"),
        }
    }

    const MS: i64 = 1_000_000;
    const SECOND: u64 = 1_000_000_000;

    /// Chunks of 100 ms from one second on.
    fn steady(aligner: &mut Aligner, chunks: std::ops::Range<u64>) {
        for number in chunks {
            aligner.hear(&chunk(number * 800, 800, (SECOND + number * 100 * MS as u64) as i64));
        }
    }

    #[test]
    fn a_window_is_cut_to_the_sample() {
        let mut aligner = Aligner::new(window(200, 50), Duration::from_secs(1));
        steady(&mut aligner, 0..10);
        // Sample 4000 was taken at 1.5 s; the frame 40 us later, a third of a sample.
        let cut = ready(aligner.cut(Stamp { ns: SECOND + 500_040_000 }).unwrap());
        assert_eq!((cut.sound.position, cut.sound.len(), cut.lost), (4000 - 1600, 2000, 0));
        assert_eq!(cut.sound.stamp.ns, SECOND + 300_000_000);
        assert_eq!(cut.sound.samples()[..4], [4800.0, 4801.0, 4802.0, 4803.0]);
        assert!((cut.skew_ms - 0.04).abs() < 1e-9, "{}", cut.skew_ms);
    }

    #[test]
    fn what_is_not_there_is_waited_for_or_missed() {
        let mut aligner = Aligner::new(window(200, 100), Duration::from_millis(500));
        let reason = |cut: Cut| match cut {
            Cut::Missing(reason) => Some(reason),
            Cut::Wait => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(aligner.cut(Stamp { ns: SECOND }).unwrap()), Some(Missing::NotYet));
        steady(&mut aligner, 0..5);
        assert_eq!(reason(aligner.cut(Stamp { ns: SECOND - 1 }).unwrap()), Some(Missing::NotYet));
        assert_eq!(reason(aligner.cut(Stamp { ns: SECOND + 199_000_000 }).unwrap()), Some(Missing::NotYet));
        assert_eq!(ready(aligner.cut(Stamp { ns: SECOND + 200_000_000 }).unwrap()).sound.position, 0);
        assert_eq!(reason(aligner.cut(Stamp { ns: SECOND + 401_000_000 }).unwrap()), None);
        assert_eq!(reason(aligner.cut(Stamp { ns: 100 * SECOND }).unwrap()), None);
        steady(&mut aligner, 5..20);
        assert_eq!(reason(aligner.cut(Stamp { ns: SECOND + 200_000_000 }).unwrap()), Some(Missing::TooOld));
        assert_eq!(ready(aligner.cut(Stamp { ns: 3 * SECOND - 100_000_000 }).unwrap()).sound.position, 19 * 800 - 1600);
        // A microphone that was opened anew: what came before cannot be joined.
        aligner.hear(&chunk(0, 800, 5 * SECOND as i64));
        assert_eq!(reason(aligner.cut(Stamp { ns: 2 * SECOND }).unwrap()), Some(Missing::Gap));
    }

    #[test]
    fn lost_samples_are_silence_in_their_place() {
        let mut aligner = Aligner::new(window(200, 0), Duration::from_secs(1));
        steady(&mut aligner, 0..4);
        // Half a second is lost.
        for number in 0..3u64 {
            aligner.hear(&chunk(7200 + number * 800, 800, (SECOND + (900 + number * 100) * MS as u64) as i64));
        }
        let cut = ready(aligner.cut(Stamp { ns: SECOND + 500_000_000 }).unwrap());
        assert_eq!((cut.sound.position, cut.lost), (2400, 800));
        assert_eq!(cut.sound.samples()[1598..1602], [value(3199, 0), value(3199, 1), 0.0, 0.0]);
        let cut = aligner.cut(Stamp { ns: SECOND + 700_000_000 }).unwrap();
        assert!(matches!(cut, Cut::Missing(Missing::Gap)), "{cut:?}");
        let cut = ready(aligner.cut(Stamp { ns: SECOND + 1_000_000_000 }).unwrap());
        assert_eq!((cut.sound.position, cut.lost), (6400, 800));
    }

    #[test]
    fn memory_is_used_again() {
        let mut aligner = Aligner::new(window(200, 0), Duration::from_secs(1));
        steady(&mut aligner, 0..20);
        let ring = aligner.line.as_ref().unwrap().ring.as_ptr();
        let place = ready(aligner.cut(Stamp { ns: 2 * SECOND }).unwrap()).sound.samples().as_ptr();
        steady(&mut aligner, 20..40);
        let held = ready(aligner.cut(Stamp { ns: 4 * SECOND }).unwrap());
        assert_eq!(held.sound.samples().as_ptr(), place);
        let before = held.sound.samples().to_vec();
        let other = ready(aligner.cut(Stamp { ns: 4 * SECOND + 100_000_000 }).unwrap());
        assert_ne!(other.sound.samples().as_ptr(), place, "somebody holds it");
        assert_eq!(held.sound.samples(), before);
        // Also after a break.
        aligner.hear(&chunk(0, 800, 9 * SECOND as i64));
        assert_eq!(aligner.line.as_ref().unwrap().ring.as_ptr(), ring);
    }

    /// A chunk as drawn: its length, samples lost before it, its stamp's shake, and a step of the clock before it.
    type Drawn = (u64, u64, i64, bool);

    fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
        let lost = prop_oneof![8 => Just(0u64), 1 => 1..2000u64];
        let step = prop_oneof![40 => Just(false), 1 => Just(true)];
        prop::collection::vec((1..1200u64, lost, -300_000..300_000i64, step), 5..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against a search through every sample with its stamp: a card that drifts, stamps that shake, samples that
        /// are lost, clocks that step.
        #[test]
        fn windows_are_those_of_a_search_through_all_samples(
            ppm in -200.0..200.0f64,
            chunks in drawn(),
            before_ms in 0..400u64,
            after_ms in 0..200u64,
            places in prop::collection::vec(0.0..1.2f64, 8),
        ) {
            let mut aligner = Aligner::new(window(before_ms, after_ms), Duration::from_millis(700));
            let mut shift = 10 * SECOND as i64;
            let mut position = 0u64;
            // Of the line that holds: each position with its stamp and whether it was lost.
            let mut all: Vec<(u64, i64, bool)> = Vec::new();
            let mut broken = false;
            let mut longest = 0;
            for (length, lost, shake, step) in chunks {
                if step {
                    shift += 3 * SECOND as i64;
                    all.clear();
                    broken = position > 0;
                    longest = 0;
                }
                let lost = if all.is_empty() { 0 } else { lost };
                let start = position + lost;
                let taken = start as f64 * 1e9 / (f64::from(RATE) * (1.0 + ppm * 1e-6));
                let stamp = shift + taken as i64 + shake;
                aligner.hear(&chunk(start, length, stamp));
                for p in position..start + length {
                    let past = (p as i128 - start as i128) * 1_000_000_000;
                    all.push((p, stamp + past.div_euclid(RATE.into()) as i64, p < start));
                }
                position = start + length;
                if longest == 0 {
                    longest = length;
                }
            }
            let (first, end) = (all[0].0 as i64, position as i64);
            let capacity = (((before_ms + after_ms + 700) * 8 + 2).max(2 * longest)) as i64;
            let (begin, over) = (all[0].1, all[all.len() - 1].1);
            for place in places {
                let frame = begin - 50 * MS + ((over - begin) as f64 * place) as i64;
                let kept = all.iter().filter(|sample| sample.0 as i64 >= end - capacity);
                // The nearest sample; beyond the last, one that is still to come.
                let nearest = kept.min_by_key(|sample| (sample.1 - frame).abs()).unwrap();
                let off = (nearest.1 - frame).abs();
                let of_all = all.iter().min_by_key(|sample| (sample.1 - frame).abs()).unwrap().0 as i64;
                let (before, after) = (before_ms as i64 * 8, after_ms as i64 * 8);
                match aligner.cut(Stamp { ns: frame as u64 }).unwrap() {
                    Cut::Ready(window) => {
                        let anchor = window.sound.position as i64 + before;
                        prop_assert_eq!(window.sound.len() as i64, before + after);
                        let of_anchor: Vec<i64> = all.iter().filter(|s| s.0 as i64 == anchor).map(|s| (s.1 - frame).abs()).collect();
                        // A window that ends with the last sample has its anchor just after it.
                        if let Some(least) = of_anchor.iter().min() {
                            prop_assert!((least - off).abs() <= 1, "{least} ns, nearest {off}");
                        }
                        let mut lost = 0;
                        for (at, pair) in window.sound.samples().chunks(2).enumerate() {
                            let p = window.sound.position + at as u64;
                            let was_lost = all[(p - all[0].0) as usize].2;
                            lost += u64::from(was_lost);
                            let expected = if was_lost { [0.0, 0.0] } else { [value(p, 0), value(p, 1)] };
                            prop_assert_eq!(pair, expected, "position {}", p);
                        }
                        prop_assert_eq!(window.lost, lost);
                        // The skew is what shaking, drift and rounding can be together, and no more.
                        let drift = (before + after + 4000) as f64 / 8.0 * ppm.abs() * 1e-6;
                        prop_assert!(window.skew_ms.abs() < 0.63 + drift, "{} ms", window.skew_ms);
                        prop_assert!(window.skew_ms.abs() * 1e6 + 1.0 >= off as f64 || of_anchor.is_empty());
                    }
                    Cut::Wait => prop_assert!(nearest.0 as i64 + after + 1 >= end, "{} of {end}", nearest.0),
                    // What is forgotten is judged by the stamps that are kept: shaking and drift come on top.
                    Cut::Missing(Missing::NotYet) => {
                        prop_assert!(!broken && of_all - before <= first + 20, "not yet, at {of_all}");
                    }
                    Cut::Missing(Missing::TooOld) => {
                        prop_assert!(of_all - before <= end - capacity + 20, "{of_all} too old");
                    }
                    Cut::Missing(Missing::Gap) => {
                        let span = of_all - before..of_all + after;
                        let lost = all.iter().filter(|s| span.contains(&(s.0 as i64))).all(|s| s.2);
                        prop_assert!(lost || broken && span.start <= first + 20);
                    }
                }
            }
        }
    }
}
