//! Thermal throttling: a station on a hot board slows down before the board's firmware slows it down. After each inspection it
//! rests for as long as the inspection took, or four times as long. Meanwhile frames wait, and newer ones replace them, as always.

use std::time::{Duration, Instant};

use super::feed::Event;
use crate::board::{Condition, Thermal, Thermometer};

/// How often the sensors are read, at most.
const READ: Duration = Duration::from_secs(1);
/// Degrees below a limit to which the board must cool down before the station speeds up: it must not swing about the limit.
const BELOW: f32 = 3.0;
/// Length of a rest, in times of the inspection before it, on a board that is cool, warm and hot.
const RESTS: [u32; 3] = [0, 1, 4];

/// Slows the station down by the board's temperature.
#[derive(Debug)]
pub struct Throttle {
    thermometer: Thermometer,
    limits: [f32; 2],
    /// Index into [`RESTS`].
    level: usize,
    condition: Condition,
    /// When the sensors were read last.
    read: Option<Instant>,
    /// When the rest is over.
    until: Option<Instant>,
}

impl Throttle {
    /// Slows down from `limits` on.
    pub fn new(thermometer: Thermometer, limits: Thermal) -> Self {
        let limits = [limits.warm, limits.hot];
        Self { thermometer, limits, level: 0, condition: Condition::default(), read: None, until: None }
    }

    /// Sets the rest after an inspection that took so long and ended now. An event where the pace changes.
    pub(super) fn after(&mut self, took: Duration, now: Instant) -> Option<Event> {
        let before = self.level;
        if self.read.is_none_or(|read| now.saturating_duration_since(read) >= READ) {
            self.read = Some(now);
            self.condition = self.thermometer.read();
            self.level = self.condition.celsius.map_or(0, |celsius| {
                let over = |i: usize| celsius >= self.limits[i] - if self.level > i { BELOW } else { 0.0 };
                usize::from(over(0)) + usize::from(over(0) && over(1))
            });
        }
        self.until = now.checked_add(took * RESTS[self.level]).filter(|_| self.level > 0);
        (self.level != before).then(|| Event::Heat {
            celsius: self.condition.celsius.unwrap_or_default(),
            zone: self.condition.zone.clone().unwrap_or_default(),
            rest: RESTS[self.level],
        })
    }

    /// How much longer the station rests.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now)).filter(|rest| !rest.is_zero())
    }

    /// Degrees Celsius when the sensors were read last, and the length of a rest in times of the inspection before it.
    pub(super) fn reported(&self) -> (Option<f32>, u32) {
        (self.condition.celsius, RESTS[self.level])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_longer_the_hotter_it_is_and_tells_each_turn_once() {
        let root = tempfile::tempdir().unwrap();
        let zone = root.path().join("sys/class/thermal/thermal_zone0");
        std::fs::create_dir_all(&zone).unwrap();
        std::fs::write(zone.join("type"), "cpu-thermal\n").unwrap();
        let mut throttle = Throttle::new(Thermometer::new(root.path()), Thermal { warm: 80.0, hot: 90.0 });
        let (mut now, took) = (Instant::now(), Duration::from_millis(100));
        for (celsius, rest, is_told) in [
            (60, 0, false),
            (80, 1, true),
            (85, 1, false),
            (91, 4, true),
            // Not cool enough yet to be as fast again.
            (88, 4, false),
            (86, 1, true),
            (78, 1, false),
            (76, 0, true),
            (95, 4, true),
            (40, 0, true),
        ] {
            std::fs::write(zone.join("temp"), format!("{celsius}000\n")).unwrap();
            now += READ;
            let event = throttle.after(took, now);
            assert_eq!(event.is_some(), is_told, "{celsius} degrees: {event:?}");
            if let Some(Event::Heat { celsius: told, zone, rest: of }) = event {
                assert_eq!((told, &*zone, of), (celsius as f32, "cpu-thermal", rest));
            }
            assert_eq!(throttle.rest(now).unwrap_or_default(), took * rest, "{celsius} degrees");
            assert_eq!(throttle.rest(now + took * rest), None);
        }
        // Between two readings nothing changes; a board without sensors is never hot.
        std::fs::write(zone.join("temp"), "99000\n").unwrap();
        assert_eq!(throttle.after(took, now + READ / 2), None);
        std::fs::remove_file(zone.join("temp")).unwrap();
        assert_eq!(throttle.after(took, now + READ), None);
        assert_eq!(throttle.reported(), (None, 0));
    }
}
