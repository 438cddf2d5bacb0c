//! The state of a trigger: it is given frames, sound and the time, and tells when to judge.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::prepare::pixels::Developer;
use crate::sample::{Frame, Sound};
use crate::station::Trigger;

/// Rows and columns at which frames are compared for motion.
const COARSE: [usize; 2] = [36, 64];
/// Decibels below the level to which sound must fall before it can rise again.
const HYSTERESIS: f32 = 6.0;
/// Frames without motion until a part counts as at rest.
const AT_REST: u32 = 3;

/// A trigger, and what it remembers.
pub(super) struct TriggerState {
    trigger: Trigger,
    /// When the interval is over.
    due: Option<Instant>,
    newest: Option<Frame>,
    motion: Motion,
    /// The sound rose to the level and has not fallen clearly below it since.
    loud: bool,
}

#[derive(Default)]
struct Motion {
    developer: Developer,
    row: Vec<u8>,
    /// Mean brightness of each coarse cell of the last frame, and of this one.
    last: Vec<f32>,
    now: Vec<f32>,
    moved: bool,
    still: u32,
}

impl TriggerState {
    /// The first interval is due `now`.
    pub(super) fn new(trigger: Trigger, now: Instant) -> Self {
        let due = matches!(trigger, Trigger::Interval { .. }).then_some(now);
        Self { trigger, due, newest: None, motion: Motion::default(), loud: false }
    }

    /// Whether this frame triggers.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) when the frame is damaged.
    pub(super) fn see(&mut self, frame: &Frame) -> Result<bool> {
        match self.trigger {
            Trigger::EveryFrame => Ok(true),
            Trigger::Motion { threshold } => {
                let change = self.motion.change(frame)?;
                Ok(self.motion.comes_to_rest(change > threshold))
            }
            Trigger::Interval { .. } => {
                self.newest = Some(frame.clone());
                Ok(false)
            }
            Trigger::SoundLevel { .. } | Trigger::Request => Ok(false),
        }
    }

    /// Whether the sound has just risen to the level.
    pub(super) fn hear(&mut self, sound: &Sound) -> bool {
        let Trigger::SoundLevel { dbfs } = self.trigger else { return false };
        // Short pieces, so that a knock is not averaged away.
        let piece = (sound.rate() as usize / 100).max(1) * sound.channels();
        let mut rose = false;
        for samples in sound.samples().chunks(piece) {
            let square = samples.iter().map(|v| v * v).sum::<f32>() / samples.len() as f32;
            let level = 10.0 * square.max(1e-20).log10();
            rose |= level >= dbfs && !self.loud;
            self.loud = level >= dbfs || (self.loud && level >= dbfs - HYSTERESIS);
        }
        rose
    }

    /// The newest frame, for the interval that is over; each frame once.
    pub(super) fn take_newest(&mut self) -> Option<Frame> {
        self.newest.take()
    }

    /// Whether the interval is over; if so, the next begins.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let (Trigger::Interval { ms }, Some(due)) = (self.trigger, self.due) else { return false };
        if now < due {
            return false;
        }
        let every = Duration::from_millis(ms);
        // Missed intervals are not caught up with.
        self.due = Some(if now - due > every { now + every } else { due + every });
        true
    }

    /// How long until the interval is over.
    pub(super) fn due_in(&self, now: Instant) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(now))
    }
}

impl Motion {
    /// Mean change of brightness since the last frame, 0 to 255.
    fn change(&mut self, frame: &Frame) -> Result<f32> {
        let planes = self.developer.develop(frame, COARSE)?;
        std::mem::swap(&mut self.last, &mut self.now);
        self.now.clear();
        for i in 0..COARSE[0] {
            planes.brightness(i * planes.height / COARSE[0], &mut self.row);
            for j in 0..COARSE[1] {
                let from = j * self.row.len() / COARSE[1];
                let cell = &self.row[from..((j + 1) * self.row.len() / COARSE[1]).max(from + 1).min(self.row.len())];
                let sum: u32 = cell.iter().map(|&value| u32::from(value)).sum();
                self.now.push(sum as f32 / cell.len().max(1) as f32);
            }
        }
        if self.last.len() != self.now.len() {
            return Ok(0.0);
        }
        let apart = self.last.iter().zip(&self.now).map(|(a, b)| (a - b).abs()).sum::<f32>();
        Ok(apart / self.now.len() as f32)
    }

    fn comes_to_rest(&mut self, moves: bool) -> bool {
        if moves {
            (self.moved, self.still) = (true, 0);
            return false;
        }
        self.still += 1;
        let rests = self.moved && self.still >= AT_REST;
        self.moved &= !rests;
        rests
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;

    fn frame(value: u8) -> Frame {
        Frame::new(vec![value; 64 * 48], PixelFormat::Grey8, 64, 48).unwrap()
    }

    #[test]
    fn a_part_that_comes_to_rest_is_judged_once() {
        let mut trigger = TriggerState::new(Trigger::Motion { threshold: 4.0 }, Instant::now());
        let seen = [10, 10, 10, 10, 90, 200, 120, 121, 120, 121, 120, 120, 10, 11, 10, 11];
        let judged: Vec<usize> =
            seen.iter().enumerate().filter(|(_, v)| trigger.see(&frame(**v)).unwrap()).map(|(i, _)| i).collect();
        assert_eq!(judged, [9, 15]);
    }

    #[test]
    fn a_knock_is_heard_once_and_again_after_silence() {
        let mut trigger = TriggerState::new(Trigger::SoundLevel { dbfs: -30.0 }, Instant::now());
        let mut heard = |level: f32| trigger.hear(&Sound::new(vec![level; 480], 48_000, 1).unwrap());
        let levels = [0.001, 0.2, 0.3, 0.02, 0.2, 0.001, 0.2];
        assert_eq!(levels.map(&mut heard), [false, true, false, false, false, false, true]);
    }

    #[test]
    fn an_interval_is_due_in_time_and_is_not_caught_up_with() {
        let start = Instant::now();
        let mut trigger = TriggerState::new(Trigger::Interval { ms: 100 }, start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert!(trigger.is_due(at(0)) && !trigger.is_due(at(50)) && trigger.is_due(at(110)) && trigger.is_due(at(205)));
        assert!(trigger.is_due(at(900)) && !trigger.is_due(at(950)) && trigger.is_due(at(1001)));
        assert!(!trigger.see(&frame(1)).unwrap());
        assert!(trigger.take_newest().is_some() && trigger.take_newest().is_none());
    }
}
