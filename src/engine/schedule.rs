//! What is judged, and when: trigger, cycle, sound and heat decide. Nothing here reads a clock, waits or judges: every method is
//! given the time, so that tests have a clock of their own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::heat::Throttle;
use super::mailbox::QueuedFrame;
use super::trigger::TriggerState;
use super::{BLIND, DEAF, LATE, LOOK, WAITING};
use crate::align::film::Film;
use crate::align::{Aligner, Cut};
use crate::error::Result;
use crate::report::Heard;
use crate::sample::{Frame, Sound};
use crate::station::{Cycle, SoundWindow, Station, Trigger};
use crate::time::Stamp;

/// The present, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For spans of waiting.
    pub(super) instant: Instant,
    /// As samples are stamped.
    pub(super) stamp: Stamp,
}

impl Now {
    /// Reads the clocks.
    pub(super) fn read() -> Self {
        Self { instant: Instant::now(), stamp: Stamp::now() }
    }
}

/// What a station's file says about when to judge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) trigger: Trigger,
    pub(super) cycle: Option<Cycle>,
    /// The sound that belongs to each sample.
    pub(super) sound: SoundWindow,
    pub(super) has_camera: bool,
    pub(super) has_microphone: bool,
}

impl From<&Station> for Rules {
    fn from(station: &Station) -> Self {
        Self {
            trigger: station.trigger,
            cycle: station.cycle,
            sound: station.sound,
            has_camera: station.camera.is_some(),
            has_microphone: station.microphone.is_some(),
        }
    }
}

/// The sound of a sample, and what the report says about it.
#[derive(Debug, Default)]
pub(super) struct SampleSound {
    pub(super) sound: Option<Sound>,
    pub(super) heard: Option<Heard>,
}

/// What is to be judged next. All that belongs to it is there.
#[derive(Debug)]
pub(super) enum Due {
    /// A frame with its sound.
    Frame(Frame, SampleSound),
    /// The sound around this time, at a station without a camera.
    Sound(Stamp, SampleSound),
    /// The film that begins at this time.
    Cycle(Stamp),
    /// No frame came.
    NoFrame,
}

/// A sample that waits for what belongs to it.
enum Pending {
    /// A frame that was triggered or requested.
    Frame(Frame),
    /// A request, made at this time, for the next frame.
    Request(Instant),
    /// An interval without a frame, or a camera that was lost.
    NoFrame,
    /// The sound around this time.
    Sound(Stamp),
    /// The film that begins at this time.
    Cycle(Stamp),
}

/// Decides what is judged next.
pub(super) struct Schedule {
    rules: Rules,
    trigger: TriggerState,
    aligner: Option<Aligner>,
    /// When sound came last.
    heard: Instant,
    /// The next time to listen to, at a station without a camera and with an interval.
    listen_at: Option<Stamp>,
    /// When the next cycle begins, where every frame triggers.
    cycle_at: Option<Stamp>,
    /// Frames that newer ones replaced since the last report.
    replaced: u64,
    /// Oldest first.
    pending: VecDeque<Pending>,
    /// Slows the station down on a hot board.
    pub(super) throttle: Option<Throttle>,
}

impl Schedule {
    pub(super) fn new(rules: Rules, throttle: Option<Throttle>, now: Instant) -> Self {
        Self {
            rules,
            trigger: TriggerState::new(rules.trigger, now),
            aligner: rules.has_microphone.then(|| Aligner::new(rules.sound, LATE)),
            heard: now,
            listen_at: None,
            cycle_at: None,
            replaced: 0,
            pending: VecDeque::new(),
            throttle,
        }
    }

    /// Takes in a frame. It may trigger, or answer a request.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) when the frame is damaged.
    pub(super) fn frame(&mut self, QueuedFrame { frame, replaced }: QueuedFrame, now: Instant) -> Result<()> {
        // A film holds every frame, also those that this frame replaced in the queue.
        self.replaced += if self.rules.cycle.is_some() { 0 } else { replaced };
        let request = self.pending.iter().position(|pending| matches!(pending, Pending::Request(_)));
        if let Some(at) = request {
            self.pending[at] = Pending::Frame(frame);
            return Ok(());
        }
        if self.pending.len() >= WAITING && matches!(self.pending.front(), Some(Pending::Frame(_) | Pending::Cycle(_)))
        {
            self.pending.pop_front();
            self.replaced += 1;
        }
        if self.trigger.see(&frame)? {
            match self.rules.cycle {
                Some(cycle) => self.begin(frame.stamp, cycle, now),
                None => self.pending.push_back(Pending::Frame(frame)),
            }
        }
        Ok(())
    }

    /// A frame triggers a cycle. Where every frame does, each cycle begins where the one before ended.
    fn begin(&mut self, stamp: Stamp, cycle: Cycle, now: Instant) {
        if self.rules.trigger != Trigger::EveryFrame {
            return self.want(Now { instant: now, stamp });
        }
        let span = cycle.span();
        // After a gap in the frames, cycles begin anew with this frame.
        let from = self.cycle_at.filter(|next| stamp < next.after(span)).unwrap_or(stamp);
        if stamp >= from {
            self.pending.push_back(Pending::Cycle(from));
            self.cycle_at = Some(from.after(span));
        }
    }

    /// Takes in sound. It may trigger, and it carries the intervals of a station without a camera.
    pub(super) fn sound(&mut self, sound: &Sound, now: Instant) {
        if let Some(aligner) = &mut self.aligner {
            aligner.hear(sound);
        }
        self.heard = now;
        let end = sound.stamp.after(sound.duration());
        if self.trigger.hear(sound) {
            self.want(Now { instant: now, stamp: end });
        }
        if let (false, Trigger::Interval { ms }) = (self.rules.has_camera, self.rules.trigger) {
            self.listen(sound.stamp, end, Duration::from_millis(ms));
        }
    }

    /// Adds the intervals that end within the sound from `start` to `end`.
    fn listen(&mut self, start: Stamp, end: Stamp, every: Duration) {
        let first = start.after(self.rules.sound.before());
        // Intervals without sound are left out; stamps of unbroken sound waver by less than `LOOK`.
        let mut next = self.listen_at.filter(|next| start <= next.after(LOOK)).unwrap_or(first);
        while next.ns <= end.ns {
            self.pending.push_back(Pending::Sound(next));
            next = next.after(every);
        }
        self.listen_at = Some(next);
    }

    /// Takes in a request from outside.
    pub(super) fn request(&mut self, now: Now) {
        self.want(now);
    }

    /// Wants a verdict on the cycle around now, on the next frame, or on the sound around now.
    fn want(&mut self, now: Now) {
        self.pending.push_back(match self.rules.cycle {
            Some(cycle) => Pending::Cycle(now.stamp.before(cycle.before())),
            None if self.rules.has_camera => Pending::Request(now.instant),
            None => Pending::Sound(now.stamp),
        });
    }

    /// The camera was lost. Where frames trigger, nothing else would be reported: one report says so.
    pub(super) fn camera_lost(&mut self) {
        if matches!(self.rules.trigger, Trigger::EveryFrame | Trigger::Motion { .. }) {
            self.pending.push_back(Pending::NoFrame);
        }
    }

    /// Lets the interval trigger, if it is over.
    pub(super) fn tick(&mut self, now: Now) {
        if !self.trigger.is_due(now.instant) {
            return;
        }
        if self.rules.cycle.is_some() {
            self.want(now);
        } else if self.rules.has_camera {
            self.pending.push_back(self.trigger.take_newest().map_or(Pending::NoFrame, Pending::Frame));
        } else if self.is_deaf(now.instant) {
            self.pending.push_back(Pending::Sound(now.stamp));
        }
    }

    /// Whether no sound came for an interval. A station without a camera then reports that at each interval.
    fn is_deaf(&self, now: Instant) -> bool {
        let Trigger::Interval { ms } = self.rules.trigger else { return false };
        now.saturating_duration_since(self.heard) > Duration::from_millis(ms).max(BLIND)
    }

    /// How long to wait for something to come. While the camera is being opened (`early`), no interval is running.
    pub(super) fn patience(&self, now: Instant, early: bool) -> Duration {
        let rest = self.rest(now).filter(|_| self.is_waiting());
        let due = self.trigger.due_in(now).filter(|_| !early).map_or(LOOK, |due| due.min(LOOK));
        rest.map_or(due, |rest| due.min(rest))
    }

    /// How much longer a hot board rests.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.throttle.as_ref().and_then(|throttle| throttle.rest(now))
    }

    /// Takes out the oldest sample, if all that belongs to it has come. `newest` is when the newest frame was taken; once the
    /// recording has `ended`, no frame comes any more.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub(super) fn next(&mut self, now: Now, newest: Option<Stamp>, ended: bool) -> Result<Option<Due>> {
        let Some(pending) = self.pending.pop_front() else { return Ok(None) };
        let due = match &pending {
            Pending::Frame(frame) => self.sound_at(frame.stamp, now.stamp)?.map(|of| Due::Frame(frame.clone(), of)),
            Pending::Sound(at) => self.sound_at(*at, now.stamp)?.map(|of| Due::Sound(*at, of)),
            Pending::Cycle(from) => self.is_over(*from, now.stamp, newest, ended).then_some(Due::Cycle(*from)),
            Pending::Request(since) => {
                (ended || now.instant.saturating_duration_since(*since) >= BLIND).then_some(Due::NoFrame)
            }
            Pending::NoFrame => Some(Due::NoFrame),
        };
        if due.is_none() {
            self.pending.push_front(pending);
        }
        Ok(due)
    }

    /// Whether samples wait to be judged.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether all of a cycle's film has come, or the rest of it will not come.
    fn is_over(&self, from: Stamp, now: Stamp, newest: Option<Stamp>, ended: bool) -> bool {
        let end = from.after(self.span());
        ended || newest.is_some_and(|newest| newest >= end) || now > end.after(DEAF)
    }

    /// How long the film of a cycle is.
    pub(super) fn span(&self) -> Duration {
        self.rules.cycle.map_or(Duration::ZERO, |cycle| cycle.span())
    }

    /// Whether a cycle is left out without a report: the recording ended within it, and nobody requested it.
    pub(super) fn is_left_out(&self, film: &Film, ended: bool) -> bool {
        film.clip.is_err() && ended && self.rules.trigger != Trigger::Request
    }

    /// The sound of a sample that was taken `at` this time; `None` while it may still come.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub(super) fn sound_at(&mut self, at: Stamp, now: Stamp) -> Result<Option<SampleSound>> {
        let Some(aligner) = &mut self.aligner else { return Ok(Some(SampleSound::default())) };
        let missing = |why: &str| {
            let heard = Heard { ms: 0.0, skew_ms: 0.0, missing: why.into() };
            Some(SampleSound { sound: None, heard: Some(heard) })
        };
        Ok(match aligner.cut(at)? {
            Cut::Ready(window) => {
                let ms = window.sound.duration().as_secs_f64() * 1e3;
                let missing =
                    if window.lost > 0 { format!("{} samples were lost", window.lost) } else { String::new() };
                let heard = Heard { ms, skew_ms: window.skew_ms, missing };
                Some(SampleSound { sound: Some(window.sound), heard: Some(heard) })
            }
            Cut::Missing(why) => missing(why.as_str()),
            Cut::Wait => {
                let due = at.after(self.rules.sound.after()).after(DEAF);
                if now < due { None } else { missing("the sound did not come in time") }
            }
        })
    }

    /// Frames that newer ones replaced since this was asked last.
    pub(super) fn take_replaced(&mut self) -> u64 {
        std::mem::take(&mut self.replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Thermal, Thermometer};
    use crate::error::ErrorKind;
    use crate::sample::PixelFormat;

    /// When the clock of a test begins: late enough for a window before it.
    const START: u64 = 60_000;

    /// A clock that moves only when a test moves it.
    struct Clock(Instant);

    impl Clock {
        fn new() -> Self {
            Self(Instant::now())
        }

        fn at(&self, ms: u64) -> Now {
            Now { instant: self.0 + Duration::from_millis(ms), stamp: stamp(ms) }
        }
    }

    fn stamp(ms: u64) -> Stamp {
        Stamp { ns: (START + ms) * 1_000_000 }
    }

    fn ms(stamp: Stamp) -> i64 {
        (stamp.ns / 1_000_000) as i64 - START as i64
    }

    const CAMERA: Rules = Rules {
        trigger: Trigger::EveryFrame,
        cycle: None,
        sound: SoundWindow { before_ms: 200, after_ms: 100 },
        has_camera: true,
        has_microphone: false,
    };
    const BOTH: Rules = Rules { has_microphone: true, ..CAMERA };
    const MICROPHONE: Rules = Rules { has_camera: false, ..BOTH };
    const CYCLE: Cycle = Cycle { before_ms: 300, after_ms: 700 };

    fn grey(at: u64, value: u8) -> QueuedFrame {
        let mut frame = Frame::new(vec![value; 64 * 48], PixelFormat::Grey8, 64, 48).unwrap();
        (frame.stamp, frame.sequence) = (stamp(at), at);
        QueuedFrame { frame, replaced: 0 }
    }

    /// A frame that was taken at this time; the time is its sequence, too.
    fn frame(at: u64) -> QueuedFrame {
        grey(at, 9)
    }

    /// A tenth of a second of sound that ends at this time, as loud as this.
    fn sound(end: u64, level: f32) -> Sound {
        let mut sound = Sound::new(vec![level; 800], 8000, 1).unwrap();
        (sound.stamp, sound.position) = (stamp(end).before(Duration::from_millis(100)), 8 * end);
        sound
    }

    /// What is due, in one word and a time.
    fn due(schedule: &mut Schedule, now: Now, newest: Option<u64>) -> Option<(&'static str, i64)> {
        due_when(schedule, now, newest, false).map(|due| word(&due))
    }

    fn due_when(schedule: &mut Schedule, now: Now, newest: Option<u64>, ended: bool) -> Option<Due> {
        schedule.next(now, newest.map(stamp), ended).unwrap()
    }

    fn word(due: &Due) -> (&'static str, i64) {
        match due {
            Due::Frame(frame, _) => ("frame", ms(frame.stamp)),
            Due::Sound(at, _) => ("sound", ms(*at)),
            Due::Cycle(from) => ("cycle", ms(*from)),
            Due::NoFrame => ("no frame", 0),
        }
    }

    /// All that is due, at once.
    fn all_due(schedule: &mut Schedule, now: Now, newest: Option<u64>) -> Vec<(&'static str, i64)> {
        std::iter::from_fn(|| due(schedule, now, newest)).collect()
    }

    #[test]
    fn a_request_takes_the_next_frame_and_is_blind_after_a_second_without_one() {
        let clock = Clock::new();
        let mut schedule = Schedule::new(Rules { trigger: Trigger::Request, ..CAMERA }, None, clock.at(0).instant);
        schedule.frame(frame(10), clock.at(10).instant).unwrap();
        assert_eq!(due(&mut schedule, clock.at(10), None), None, "no frame triggers by itself");
        schedule.request(clock.at(20));
        assert_eq!(due(&mut schedule, clock.at(900), None), None);
        schedule.frame(frame(950), clock.at(950).instant).unwrap();
        assert_eq!(due(&mut schedule, clock.at(950), None), Some(("frame", 950)));
        schedule.request(clock.at(1000));
        assert_eq!(due(&mut schedule, clock.at(1999), None), None);
        assert_eq!(due(&mut schedule, clock.at(2000), None), Some(("no frame", 0)));
        // Once the recording has ended, no frame can come.
        schedule.request(clock.at(3000));
        assert_eq!(word(&due_when(&mut schedule, clock.at(3000), None, true).unwrap()), ("no frame", 0));
        // A camera that is lost is reported when somebody asks, and not before.
        schedule.camera_lost();
        assert!(!schedule.is_waiting());
    }

    #[test]
    fn a_lost_camera_is_reported_once_where_frames_trigger() {
        let clock = Clock::new();
        for (trigger, is_told) in [
            (Trigger::EveryFrame, true),
            (Trigger::Motion { threshold: 4.0 }, true),
            (Trigger::Interval { ms: 500 }, false),
            (Trigger::SoundLevel { dbfs: -20.0 }, false),
        ] {
            let mut schedule = Schedule::new(Rules { trigger, ..CAMERA }, None, clock.at(0).instant);
            schedule.camera_lost();
            assert_eq!(due(&mut schedule, clock.at(0), None), is_told.then_some(("no frame", 0)), "{trigger:?}");
            assert!(!schedule.is_waiting());
        }
    }

    #[test]
    fn an_interval_judges_the_newest_frame_or_reports_that_none_came() {
        let clock = Clock::new();
        let rules = Rules { trigger: Trigger::Interval { ms: 500 }, ..CAMERA };
        let mut schedule = Schedule::new(rules, None, clock.at(0).instant);
        // Seven frames at 5 per second, as the clock goes on in steps of 10 ms.
        let mut judged = Vec::new();
        for now in (0..1400).step_by(10) {
            if now % 200 == 0 {
                schedule.frame(frame(now), clock.at(now).instant).unwrap();
            }
            schedule.tick(clock.at(now));
            judged.extend(due(&mut schedule, clock.at(now), None));
        }
        assert_eq!(judged, [("frame", 0), ("frame", 400), ("frame", 1000)]);
        schedule.tick(clock.at(1500));
        schedule.tick(clock.at(2000));
        assert_eq!(all_due(&mut schedule, clock.at(2000), None), [("frame", 1200), ("no frame", 0)]);
    }

    #[test]
    fn nothing_triggers_below_a_threshold_that_is_set_too_high() {
        let clock = Clock::new();
        // A part lies still, another is brought and lies still; a knock in between.
        let judged = |trigger: Trigger| {
            let mut schedule = Schedule::new(Rules { trigger, ..BOTH }, None, clock.at(0).instant);
            let mut judged = Vec::new();
            for (i, value) in [0, 0, 255, 90, 90, 90, 90].into_iter().enumerate() {
                let now = 100 * (i as u64 + 1);
                schedule.sound(&sound(now, if i == 3 { 0.5 } else { 0.0001 }), clock.at(now).instant);
                schedule.frame(grey(now, value), clock.at(now).instant).unwrap();
                judged.extend(all_due(&mut schedule, clock.at(now + 1000), None));
            }
            judged
        };
        assert_eq!(judged(Trigger::Motion { threshold: 4.0 }), [("frame", 700)]);
        assert_eq!(judged(Trigger::Motion { threshold: 255.0 }), []);
        assert_eq!(judged(Trigger::SoundLevel { dbfs: -20.0 }), [("frame", 400)], "the next frame after the knock");
        assert_eq!(judged(Trigger::SoundLevel { dbfs: -2.0 }), []);
    }

    #[test]
    fn a_damaged_frame_is_an_error_and_the_next_one_triggers() {
        let clock = Clock::new();
        let rules = Rules { trigger: Trigger::Motion { threshold: 4.0 }, ..CAMERA };
        let mut schedule = Schedule::new(rules, None, clock.at(0).instant);
        let mut damaged = Frame::new(vec![1, 2, 3], PixelFormat::Jpeg, 64, 48).unwrap();
        damaged.stamp = stamp(0);
        let queued = QueuedFrame { frame: damaged, replaced: 2 };
        assert_eq!(schedule.frame(queued, clock.at(0).instant).unwrap_err().kind(), ErrorKind::Input);
        assert!(!schedule.is_waiting());
        assert_eq!((schedule.take_replaced(), schedule.take_replaced()), (2, 0), "frames it replaced count once");
        for (i, value) in [0, 200, 200, 200, 200].into_iter().enumerate() {
            schedule.frame(grey(i as u64, value), clock.at(i as u64).instant).unwrap();
        }
        assert_eq!(due(&mut schedule, clock.at(9), None), Some(("frame", 4)));
    }

    #[test]
    fn beyond_what_may_wait_the_oldest_is_dropped_and_counted() {
        let clock = Clock::new();
        let mut schedule = Schedule::new(BOTH, None, clock.at(0).instant);
        // The sound of these frames is still to come.
        (0..5).for_each(|i| schedule.sound(&sound(100 * i, 0.1), clock.at(0).instant));
        let count = WAITING as u64 + 3;
        for i in 0..count {
            schedule.frame(QueuedFrame { replaced: 1, ..frame(390 + i) }, clock.at(400).instant).unwrap();
        }
        assert_eq!(schedule.pending.len(), WAITING);
        assert_eq!(schedule.take_replaced(), count + 3);
        assert_eq!(due(&mut schedule, clock.at(400), None), None);
        // The sound comes: the oldest that is left is judged first.
        schedule.sound(&sound(500, 0.1), clock.at(500).instant);
        assert_eq!(due(&mut schedule, clock.at(500), None), Some(("frame", 393)));
        // A request is never dropped.
        let mut schedule = Schedule::new(Rules { trigger: Trigger::Request, ..CAMERA }, None, clock.at(0).instant);
        (0..count).for_each(|i| schedule.request(clock.at(i)));
        assert_eq!(schedule.pending.len() as u64, count);
        (0..count).for_each(|i| schedule.frame(frame(i), clock.at(i).instant).unwrap());
        assert_eq!((all_due(&mut schedule, clock.at(50), None).len() as u64, schedule.take_replaced()), (count, 0));
    }

    #[test]
    fn a_frame_waits_for_its_sound_half_a_second_after_that_was_due() {
        let clock = Clock::new();
        let mut schedule = Schedule::new(BOTH, None, clock.at(0).instant);
        (0..5).for_each(|i| schedule.sound(&sound(100 * i, 0.1), clock.at(100 * i).instant));
        let sound_of = |due: Option<Due>| match due {
            Some(Due::Frame(_, of)) => (of.sound.is_some(), of.heard.unwrap().missing),
            due => panic!("{due:?}"),
        };
        schedule.frame(frame(350), clock.at(350).instant).unwrap();
        assert_eq!(due(&mut schedule, clock.at(449), None), None, "sound up to 450 ms belongs to it");
        schedule.sound(&sound(500, 0.1), clock.at(500).instant);
        let due_now = due_when(&mut schedule, clock.at(500), None, false);
        assert_eq!(sound_of(due_now), (true, String::new()));
        schedule.frame(frame(450), clock.at(450).instant).unwrap();
        assert_eq!(due(&mut schedule, clock.at(1049), None), None);
        let due_now = due_when(&mut schedule, clock.at(1050), None, false);
        assert_eq!(sound_of(due_now), (false, "the sound did not come in time".into()));
    }

    #[test]
    fn a_station_without_a_camera_listens_at_each_interval_and_reports_silence() {
        let clock = Clock::new();
        let rules = Rules { trigger: Trigger::Interval { ms: 500 }, ..MICROPHONE };
        let mut schedule = Schedule::new(rules, None, clock.at(0).instant);
        (1..=12).for_each(|i| schedule.sound(&sound(100 * i, 0.1), clock.at(100 * i).instant));
        // The first window ends 200 ms after the first sample; sound of 100 ms after each time belongs to it.
        assert_eq!(all_due(&mut schedule, clock.at(1200), None), [("sound", 200), ("sound", 700)]);
        assert!(schedule.is_waiting(), "the window around 1200 ms is not complete");
        assert_eq!(all_due(&mut schedule, clock.at(1800), None), [("sound", 1200)]);
        // Silence is reported once a second has passed since sound came, at each interval.
        schedule.tick(clock.at(2200));
        assert!(!schedule.is_waiting());
        schedule.tick(clock.at(2700));
        assert_eq!(all_due(&mut schedule, clock.at(3300), None), [("sound", 2700)]);
        // What was not heard is not caught up with.
        let mut back = sound(9100, 0.1);
        back.position = 0;
        schedule.sound(&back, clock.at(9100).instant);
        let mut next = sound(9200, 0.1);
        next.position = 800;
        schedule.sound(&next, clock.at(9200).instant);
        assert_eq!(all_due(&mut schedule, clock.at(9900), None), [("sound", 9200)]);
    }

    #[test]
    fn a_cycle_is_cut_around_its_trigger_while_another_is_open() {
        let clock = Clock::new();
        let rules = Rules { trigger: Trigger::Request, cycle: Some(CYCLE), ..CAMERA };
        let mut schedule = Schedule::new(rules, None, clock.at(0).instant);
        schedule.request(clock.at(1000));
        schedule.request(clock.at(1400));
        // Frames come meanwhile: none answers a request for a cycle, and none of them is reported as replaced.
        for at in (1000..1700).step_by(100) {
            schedule.frame(QueuedFrame { replaced: 3, ..frame(at) }, clock.at(at).instant).unwrap();
            assert_eq!(due(&mut schedule, clock.at(at), Some(at)), None);
        }
        assert_eq!(schedule.take_replaced(), 0);
        assert_eq!(due(&mut schedule, clock.at(1700), Some(1700)), Some(("cycle", 700)));
        assert_eq!(due(&mut schedule, clock.at(1700), Some(1700)), None, "the second one is still open");
        assert_eq!(due(&mut schedule, clock.at(2100), Some(2100)), Some(("cycle", 1100)));
        // Without frames, a cycle is over half a second after its end, or when the recording has ended.
        schedule.request(clock.at(3000));
        assert_eq!(due(&mut schedule, clock.at(4200), Some(2100)), None);
        assert_eq!(due(&mut schedule, clock.at(4201), Some(2100)), Some(("cycle", 2700)));
        schedule.request(clock.at(5000));
        let due_now = due_when(&mut schedule, clock.at(5000), None, true);
        assert_eq!(due_now.map(|due| word(&due)), Some(("cycle", 4700)));
    }

    #[test]
    fn where_every_frame_triggers_cycles_follow_each_other_and_begin_anew_after_a_gap() {
        let clock = Clock::new();
        let mut schedule = Schedule::new(Rules { cycle: Some(CYCLE), ..CAMERA }, None, clock.at(0).instant);
        let mut judged = Vec::new();
        // Ten frames a second for 2.5 s, none for 4 s, and on.
        for at in (0..2500).step_by(100).chain((6550..8600).step_by(100)) {
            schedule.frame(frame(at), clock.at(at).instant).unwrap();
            judged.extend(all_due(&mut schedule, clock.at(at), Some(at)));
        }
        assert_eq!(judged, [0, 1000, 2000, 6550, 7550].map(|from| ("cycle", from)));
        // Frames that miss the end of a cycle by less than a cycle leave no hole: the next begins where it ended.
        schedule.frame(frame(9300), clock.at(9300).instant).unwrap();
        assert_eq!(due(&mut schedule, clock.at(9600), Some(9600)), Some(("cycle", 8550)));
        schedule.frame(frame(9600), clock.at(9600).instant).unwrap();
        assert_eq!(due(&mut schedule, clock.at(11_500), Some(10_600)), Some(("cycle", 9550)));
    }

    #[test]
    fn a_cycle_that_the_recording_ends_within_is_left_out_unless_it_was_requested() {
        let clock = Clock::new();
        let numbered = |i: u64| {
            let mut frame = frame(100 * i).frame;
            frame.sequence = i;
            frame
        };
        let frames: Vec<Frame> = (0..8).map(numbered).collect();
        let cut = |from: u64, ms: u64| Film::cut(&frames, stamp(from), Duration::from_millis(ms));
        let (whole, cut_off) = (cut(0, 700), cut(400, 1000));
        assert!(whole.clip.is_ok() && cut_off.clip.is_err());
        for (trigger, is_requested) in [
            (Trigger::EveryFrame, false),
            (Trigger::Interval { ms: 500 }, false),
            (Trigger::Motion { threshold: 4.0 }, false),
            (Trigger::Request, true),
        ] {
            let rules = Rules { trigger, cycle: Some(CYCLE), ..CAMERA };
            let schedule = Schedule::new(rules, None, clock.at(0).instant);
            assert_eq!(schedule.is_left_out(&cut_off, true), !is_requested, "{trigger:?}");
            assert!(!schedule.is_left_out(&cut_off, false), "a camera that loses frames is reported");
            assert!(!schedule.is_left_out(&whole, true));
        }
    }

    #[test]
    fn a_hot_board_rests_four_times_as_long_as_it_inspects_and_nothing_is_lost() {
        let root = tempfile::tempdir().unwrap();
        let zone = root.path().join("sys/class/thermal/thermal_zone0");
        std::fs::create_dir_all(&zone).unwrap();
        let judged = |celsius: u32| {
            std::fs::write(zone.join("temp"), format!("{celsius}000\n")).unwrap();
            let throttle = Throttle::new(Thermometer::new(root.path()), Thermal { warm: 80.0, hot: 90.0 });
            let clock = Clock::new();
            let mut schedule = Schedule::new(CAMERA, Some(throttle), clock.at(0).instant);
            (0..4).for_each(|at| schedule.frame(frame(at), clock.at(0).instant).unwrap());
            let (mut now, mut starts) = (0, Vec::new());
            while schedule.is_waiting() {
                match schedule.rest(clock.at(now).instant) {
                    // It sleeps through the rest, a look at a time.
                    Some(rest) => {
                        assert_eq!(schedule.patience(clock.at(now).instant, false), rest.min(LOOK));
                        now += rest.min(LOOK).as_millis() as u64;
                    }
                    None => {
                        let frame = due(&mut schedule, clock.at(now), None).unwrap().1;
                        assert_eq!(frame, starts.len() as i64, "none is lost, and none overtakes another");
                        starts.push(now);
                        now += 70;
                        schedule.throttle.as_mut().unwrap().after(Duration::from_millis(70), clock.at(now).instant);
                    }
                }
            }
            starts
        };
        assert_eq!(judged(60), [0, 70, 140, 210]);
        assert_eq!(judged(85), [0, 140, 280, 420]);
        assert_eq!(judged(95), [0, 350, 700, 1050]);
    }

    #[test]
    fn a_station_sleeps_until_its_interval_is_over_and_never_longer_than_a_look() {
        let clock = Clock::new();
        let rules = Rules { trigger: Trigger::Interval { ms: 500 }, ..CAMERA };
        let mut schedule = Schedule::new(rules, None, clock.at(0).instant);
        let patience = |schedule: &Schedule, at: u64, early| schedule.patience(clock.at(at).instant, early);
        assert_eq!(patience(&schedule, 0, false), Duration::ZERO);
        assert_eq!(patience(&schedule, 0, true), LOOK, "no interval runs while the camera is being opened");
        schedule.tick(clock.at(0));
        assert_eq!(patience(&schedule, 10, false), LOOK);
        assert_eq!(patience(&schedule, 450, false), Duration::from_millis(50));
        let schedule = Schedule::new(CAMERA, None, clock.at(0).instant);
        assert_eq!(patience(&schedule, 450, false), LOOK);
    }
}
