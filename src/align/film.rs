//! Frames as received → the clip of one cycle, evenly spaced. `engine` decides which cycle; `prepare` measures the
//! motion.

use std::time::Duration;

use crate::sample::{Clip, Frame};
use crate::time::Stamp;

/// A frame may stand for a point in time at most this many intervals away.
const OFF: f64 = 0.75;
/// Longest gap, as a share of the clip. A longer one could hide a whole step of the clip.
const GAP: f64 = 1.0 / 16.0;

/// The clip of a cycle.
#[derive(Debug)]
pub struct Film {
    /// The clip that is judged; a lost frame is replaced by its neighbour. Or why there is none: too many lost in a
    /// row, or frames of different sizes.
    pub clip: Result<Clip, String>,
    /// Number of points in time, and how many have no frame.
    pub frames: usize,
    /// As `frames`.
    pub lost: usize,
    /// Length of the longest gap.
    pub gap: Duration,
}

impl Film {
    /// The clip from `from` on, of length `span`, out of `frames`, oldest first; other frames are ignored. Its rate is
    /// that of the camera, lost frames included.
    pub fn cut(frames: &[Frame], from: Stamp, span: Duration) -> Self {
        let whole = span.as_secs_f64();
        let second = |frame: &Frame| frame.stamp.ms_since(from) / 1e3;
        let within: Vec<&Frame> = frames.iter().filter(|frame| (0.0..whole).contains(&second(frame))).collect();
        let missing = |gap: f64| format!("{gap:.2} s of the film are missing, of {whole:.2}");
        let none = Self { clip: Err(missing(whole)), frames: within.len(), lost: 0, gap: span };
        let [first, .., last] = within[..] else { return none };
        // A reopened camera restarts its counter.
        let counted = last.sequence.checked_sub(first.sequence).filter(|counted| *counted > 0);
        let intervals = counted.map_or(within.len() - 1, |counted| counted as usize);
        let interval = (second(last) - second(first)) / intervals as f64;
        if interval <= 0.0 {
            return none;
        }
        let count = ((whole / interval).round() as usize).max(2);
        let even = whole / count as f64;
        let (mut chosen, mut lost, mut longest, mut row) = (Vec::with_capacity(count), 0, 0, 0);
        for moment in (0..count).map(|i| i as f64 * even) {
            let off = |frame: &&Frame| (second(frame) - moment).abs();
            // A frame just before or after the clip may be the nearest to its ends.
            let Some(nearest) = frames.iter().min_by(|a, b| off(a).total_cmp(&off(b))) else { break };
            row = if off(&nearest) > OFF * even { row + 1 } else { 0 };
            lost += usize::from(row > 0);
            longest = longest.max(row);
            chosen.push(nearest.clone());
        }
        let gap = span.mul_f64(longest as f64 / count as f64);
        let clip = if gap > span.mul_f64(GAP) {
            Err(missing(gap.as_secs_f64()))
        } else {
            Clip::new(chosen, 1.0 / even).map_err(|error| error.message().to_string())
        };
        Self { clip, frames: count, lost, gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;

    const START: Stamp = Stamp { ns: 5_000_000_000 };
    const TWO: Duration = Duration::from_secs(2);

    /// Frames at 25 a second from a second before the start, but for those left out and moved.
    fn frames(come: impl Fn(u64) -> Option<f64>) -> Vec<Frame> {
        let frame = |i: u64| {
            let at = come(i)?;
            let mut frame = Frame::new(vec![i as u8], PixelFormat::Grey8, 1, 1).unwrap();
            (frame.sequence, frame.stamp) = (i, Stamp { ns: (4e9 + 4e7 * (i as f64 + at)) as u64 });
            Some(frame)
        };
        (0..100).filter_map(frame).collect()
    }

    fn numbers(film: &Film) -> Vec<u64> {
        film.clip.as_ref().unwrap().frames().iter().map(|frame| frame.sequence).collect()
    }

    #[test]
    fn a_film_has_the_frames_of_its_time() {
        let film = Film::cut(&frames(|_| Some(0.0)), START, TWO);
        assert_eq!(numbers(&film), (25..75).collect::<Vec<_>>());
        assert_eq!((film.frames, film.lost, film.gap, film.clip.unwrap().rate()), (50, 0, Duration::ZERO, 25.0));
    }

    #[test]
    fn frames_that_waver_are_none_too_many_and_none_lost() {
        let wavers = |i: u64| Some([0.0, 0.3, -0.2, 0.1, -0.35][i as usize % 5]);
        let film = Film::cut(&frames(wavers), START, TWO);
        assert_eq!((numbers(&film), film.lost), ((25..75).collect(), 0));
    }

    #[test]
    fn a_lost_frame_is_counted_and_shown_by_its_neighbour() {
        let film = Film::cut(&frames(|i| (i != 40 && i != 60).then_some(0.0)), START, TWO);
        let shown = numbers(&film);
        assert_eq!((film.frames, film.lost, film.gap), (50, 2, Duration::from_millis(40)));
        assert!(shown[15] == 39 || shown[15] == 41, "{shown:?}");
    }

    #[test]
    fn a_camera_that_changed_its_size_has_no_film_there() {
        let mut frames = frames(|_| Some(0.0));
        for frame in &mut frames[50..] {
            let stamp = frame.stamp;
            *frame = Frame::new(vec![0; 2], PixelFormat::Grey8, 2, 1).unwrap();
            (frame.stamp, frame.sequence) = (stamp, 0);
        }
        let film = Film::cut(&frames, START, TWO);
        assert_eq!(film.clip.unwrap_err(), "frame 25 has 2 x 1 pixels, the first 1 x 1");
    }

    #[test]
    fn a_gap_of_a_step_is_no_film() {
        let gap = |of: u64| Film::cut(&frames(|i| (!(40..40 + of).contains(&i)).then_some(0.0)), START, TWO);
        assert!(gap(3).clip.is_ok_and(|clip| clip.seconds() == 2.0));
        let film = gap(4);
        assert_eq!(film.clip.as_ref().unwrap_err(), "0.16 s of the film are missing, of 2.00");
        assert_eq!((film.clip.is_err(), film.lost, film.gap), (true, 4, Duration::from_millis(160)));
        // What has not come, or is not kept any more, is a gap as well.
        let late = Film::cut(&frames(|i| (i >= 50).then_some(0.0)), START, TWO);
        assert_eq!((late.clip.is_err(), late.gap), (true, Duration::from_secs(1)));
        let none = Film::cut(&frames(|i| (i < 26).then_some(0.0)), START, TWO);
        assert_eq!((none.clip.is_err(), none.frames, none.gap), (true, 1, TWO));
    }
}
