//! A station at work: its threads, the queues between them, and how it ends. What is judged, and when, is `schedule`'s.
//!
//! ```text
//! camera ── feed ──> mailbox (newest wins) ─┐
//! microphone ── feed ──> queue ─────────────┼─> judge ──> a queue for each sink ──> sink
//! requests ─────────────────────────────────┘     │                 ▲
//!                                                 └─> newest ──> words ──> newest ──> speech
//! part's folder ── part ──> told when it was taught anew
//! ```
//!
//! Every thread is started and named here, and joined but for the one that warms a provider. The caller's own thread judges: an
//! inspector needs no other.

mod cycle;
mod failover;
mod feed;
mod heat;
mod mailbox;
mod part;
mod schedule;
mod stats;
pub mod streams;
mod trigger;
mod words;

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam::channel::{self, Receiver, Sender};

use crate::error::{Error, ErrorKind, Result};
use crate::inspect::evidence::Evidence;
use crate::inspect::{Inspector, Shown, Writer};
use crate::package::manifest::Sense;
use crate::report::{Filmed, Heard, Judged, Provenance, Reason, ReasonCode, Report, Verdict, Written};
use crate::sample::{Moment, Sound};
use crate::sink::Sink;
use crate::sink::speech::Voice;
use crate::source::{FaultKind, open_camera, open_microphone};
use crate::station::{Alarm, Camera, Microphone, Of, Station};
use crate::time::Stamp;

use failover::Warmup;
pub use failover::{Failover, Opens};
pub use feed::Event;
pub use heat::Throttle;
use mailbox::{Keep, Mailbox, QueuedFrame};
use schedule::{Due, Now, Rules, SampleSound, Schedule};
pub use stats::{Stats, Status};
use words::{LatestQueue, WriterThread};

/// Reports that wait for a sink, at most; then the station waits for it.
const QUEUE: usize = 64;
/// The same of moments that hold the frames of a whole cycle.
const QUEUE_OF_FILMS: usize = 4;
/// How long a thread sleeps before it looks whether to end.
const LOOK: Duration = Duration::from_millis(100);
/// How long a request waits for a frame.
const BLIND: Duration = Duration::from_secs(1);
/// How long a frame waits for sound that is overdue: a sound card hands over a tenth of a second at a time.
const DEAF: Duration = Duration::from_millis(500);
/// Chunks of sound that wait for the judge, at most: more than comes during the longest inspection.
const CHUNKS: usize = 64;
/// How old a frame may be when its sound or its film is cut.
const LATE: Duration = Duration::from_secs(3);
/// Frames that wait for their sound and films that wait for their end, at most. Beyond, the oldest is dropped.
const WAITING: usize = 32;

/// What reaches a running station from outside.
pub struct Outside<'a> {
    /// Set by whoever wants the station to end.
    pub stop: &'a AtomicBool,
    /// Each asks for one moment to be judged.
    pub requests: Requests,
    /// The station ends after so many moments.
    pub moments: Option<u64>,
    /// Thermal throttling.
    pub throttle: Option<Throttle>,
    /// Inspectors that may take over from the one that the station begins with.
    pub failover: Failover,
}

/// Requests for verdicts, as they wait for the judge.
pub struct Requests(Receiver<()>);

/// Asks for verdicts.
#[derive(Clone)]
pub struct Ask(Sender<()>);

impl Requests {
    /// Both ends.
    pub fn new() -> (Ask, Self) {
        let (ask, asked) = channel::bounded(QUEUE);
        (Ask(ask), Self(asked))
    }
}

impl Ask {
    /// Asks for one verdict; whether somebody will hear it.
    pub fn ask(&self) -> bool {
        self.0.send(()).is_ok()
    }
}

/// Where what a station says goes.
pub struct Outlets {
    /// Each takes every verdict.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Writes of what [`Station::words`] means.
    pub writer: Option<Writer>,
    /// Speaks what was written of moments that fail.
    pub voice: Option<Voice>,
}

/// What is on its way to the sinks.
#[derive(Clone)]
enum Delivery {
    /// A moment with its verdict.
    Verdict { judged: Arc<Judged>, moment: Arc<Moment> },
    /// Words of a moment whose verdict has gone before.
    Words { judged: Arc<Judged>, written: Arc<Written> },
}

/// A moment that is to be written of.
struct Task {
    judged: Arc<Judged>,
    evidence: Result<Vec<(Sense, Evidence)>>,
}

/// Runs a station until it is told to stop, its recording is over, or a sink can take no more. Without an inspector moments are
/// taken and not judged: each is `invalid`. `told` hears of what a person should know, once for each turn of events.
///
/// # Errors
/// [`ErrorKind::Config`] when a source can never deliver what the station wants; [`ErrorKind::Runtime`] when the
/// inspector fails; what a sink says when it cannot go on.
pub fn run(
    station: &Station,
    inspector: Option<&mut Inspector>,
    outlets: Outlets,
    mut outside: Outside,
    stats: &Stats,
    told: &mut dyn FnMut(&Event),
) -> Result<()> {
    // Ends the feeds when judging is over, for whatever reason.
    let over = AtomicBool::new(false);
    let stopped = || over.load(Ordering::Relaxed) || outside.stop.load(Ordering::Relaxed);
    // Words of a recording that is over are still written; a station that is stopped, or has broken, waits for none.
    let broken = AtomicBool::new(false);
    let quit = || broken.load(Ordering::Relaxed) || outside.stop.load(Ordering::Relaxed);
    let Outlets { sinks, writer, voice } = outlets;
    let keep = station.cycle.map_or(Keep::Last(station.clip), |cycle| Keep::For(cycle.span() + LATE));
    let (mailbox, frames) = Mailbox::new(station.camera.as_ref().is_some_and(waits_for_all), keep);
    let (events, heard) = channel::unbounded();
    // Recordings are opened before either plays, so that picture and sound begin together.
    let film = match &station.camera {
        Some(wanted @ Camera::Recording(_)) => Some(open_camera(wanted)),
        _ => None,
    };
    let track = match &station.microphone {
        Some(wanted @ Microphone::Recording(_)) => Some(open_microphone(wanted)),
        _ => None,
    };
    let (film, track) = (Cell::new(film), Cell::new(track));
    thread::scope(|scope| {
        let camera = match &station.camera {
            Some(wanted) => {
                let (events, mailbox, stopped) = (events.clone(), &mailbox, &stopped);
                Some(named(scope, "camera", move || {
                    let open = || film.take().unwrap_or_else(|| open_camera(wanted));
                    let outcome = feed::feed(&stats.camera, &events, stopped, &open, &mut |sample| {
                        if let feed::Sample::Frame(frame) = sample {
                            mailbox.put(frame, stopped);
                        }
                    });
                    mailbox.close();
                    outcome
                })?)
            }
            None => None,
        };
        let (into, sounds) = channel::bounded(CHUNKS);
        let microphone = match &station.microphone {
            Some(wanted) => {
                let (events, stopped) = (events.clone(), &stopped);
                Some(named(scope, "microphone", move || {
                    let open = || track.take().unwrap_or_else(|| open_microphone(wanted));
                    feed::feed(&stats.microphone, &events, stopped, &open, &mut |sample| {
                        if let feed::Sample::Sound(sound) = sample {
                            hand_over(&into, sound, stopped);
                        }
                    })
                })?)
            }
            None => {
                drop(into);
                None
            }
        };
        let room = if station.cycle.is_some() { QUEUE_OF_FILMS } else { QUEUE };
        let (queues, takers): (Vec<Sender<Delivery>>, Vec<_>) = sinks
            .into_iter()
            .map(|sink| {
                let (queue, deliveries) = channel::bounded(room);
                let name = format!("sink {}", sink.name());
                Ok((queue, named(scope, &name, move || feed_sink(sink, &deliveries))?))
            })
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        let (said, speech) = match voice.filter(|_| writer.is_some()) {
            Some(voice) => {
                let (said, texts) = LatestQueue::new(words::TEXTS);
                let (events, quit) = (events.clone(), &quit);
                let work = move || words::speak(&voice, &texts, stats, &events, quit);
                (Some(said), Some(named(scope, "speech", work)?))
            }
            None => (None, None),
        };
        let (tasks, writer) = match (writer, &station.words) {
            (Some(writer), Some(wanted)) => {
                let (tasks, from) = LatestQueue::new(words::MOMENTS);
                let (language, queues, events) = (&*wanted.language, queues.clone(), events.clone());
                let writer = WriterThread { writer, language, queues, voice: said, stats, events };
                let quit = &quit;
                let work = move || {
                    writer.work(&from, quit);
                    Ok(())
                };
                (Some(tasks), Some(named(scope, "words", work)?))
            }
            _ => (None, None),
        };
        let digest = inspector.as_ref().map(|inspector| inspector.judged_by().part_digest.clone());
        let part = digest.map(|digest| {
            let (events, stopped) = (events.clone(), &stopped);
            named(scope, "part", move || {
                part::watch(&station.part, &digest, stats, &events, stopped);
                Ok(())
            })
        });
        let part = part.transpose()?;
        drop(events);
        let judged_by = inspector.as_ref().map(|inspector| inspector.judged_by().clone()).unwrap_or_default();
        let mut judge = Judge {
            station,
            inspector,
            stats,
            mailbox: &mailbox,
            queues,
            tasks,
            schedule: Schedule::new(Rules::from(station), outside.throttle.take(), Instant::now()),
            verdicts: VecDeque::new(),
            moments: 0,
            took: None,
            warmup: Warmup::new(std::mem::take(&mut outside.failover))?,
            news: Vec::new(),
            judged_by,
        };
        stats.warming(judge.warmup.is_on());
        let outcome = judge.work(&frames, &sounds, &outside, &heard, told);
        over.store(true, Ordering::Relaxed);
        broken.store(outcome.is_err(), Ordering::Relaxed);
        drop((frames, sounds));
        drop(judge);
        // Each in turn lets go of what the next one waits for.
        let feeds = [camera, microphone, writer, speech, part].map(|thread| thread.map_or(Ok(()), joined));
        heard.try_iter().for_each(|event| told(&event));
        // A sink that has ended tells why; the judge knows only that it has.
        let takers: Vec<Result<()>> = takers.into_iter().map(joined).collect();
        takers.into_iter().chain([outcome]).chain(feeds).collect()
    })
}

fn named<'scope, 'env, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    let failed = |error| Error::caused(ErrorKind::Unavailable, format!("cannot start the thread `{name}`"), error);
    thread::Builder::new().name(name.into()).spawn_scoped(scope, work).map_err(failed)
}

fn joined(thread: ScopedJoinHandle<Result<()>>) -> Result<()> {
    let name = thread.thread().name().unwrap_or_default().to_string();
    let panicked = |_| Err(Error::new(ErrorKind::Runtime, format!("the thread `{name}` panicked")));
    thread.join().unwrap_or_else(panicked)
}

/// A recording that plays as fast as it is judged must lose nothing.
fn waits_for_all(camera: &Camera) -> bool {
    match camera {
        Camera::V4l2(_) | Camera::Gige(_) | Camera::Gstreamer(_) => false,
        Camera::Recording(recording) => recording.rate.is_none(),
        Camera::Synthetic(synthetic) => synthetic.rate.is_none(),
    }
}

/// Hands sound to the judge, who may be busy: it waits, for sound that is left out is a gap.
fn hand_over(into: &Sender<Sound>, sound: Sound, stopped: &dyn Fn() -> bool) {
    let mut sound = sound;
    while !stopped() {
        match into.send_timeout(sound, LOOK) {
            Err(channel::SendTimeoutError::Timeout(kept)) => sound = kept,
            _ => return,
        }
    }
}

/// Feeds a sink until nothing comes any more. One that cannot go on ends the station; other failures are its own to
/// tell.
fn feed_sink(mut sink: Box<dyn Sink>, deliveries: &Receiver<Delivery>) -> Result<()> {
    for delivery in deliveries {
        match delivery {
            Delivery::Verdict { judged, moment } => sink.take(&judged, &moment)?,
            Delivery::Words { judged, written } => sink.take_words(&judged, &written)?,
        }
    }
    sink.finish()
}

/// What the report says about the sound and the film of a moment.
#[derive(Default)]
struct Belongs {
    sound: Option<Heard>,
    film: Option<Filmed>,
}

struct Judge<'a> {
    station: &'a Station,
    inspector: Option<&'a mut Inspector>,
    stats: &'a Stats,
    mailbox: &'a Mailbox,
    queues: Vec<Sender<Delivery>>,
    /// Moments that are to be written of, where words are wanted.
    tasks: Option<LatestQueue<Task>>,
    schedule: Schedule,
    /// Whether each of the last verdicts failed, where some of them are an alarm.
    verdicts: VecDeque<bool>,
    /// Moments so far.
    moments: u64,
    /// How long the last inspection took, until the throttle is given it.
    took: Option<Duration>,
    warmup: Warmup,
    /// What happened to the inspector and is not told yet.
    news: Vec<Event>,
    /// The part, for what cannot be judged.
    judged_by: Provenance,
}

impl Judge<'_> {
    fn work(
        &mut self,
        frames: &Receiver<QueuedFrame>,
        sounds: &Receiver<Sound>,
        outside: &Outside,
        heard: &Receiver<Event>,
        told: &mut dyn FnMut(&Event),
    ) -> Result<()> {
        let (mut requests, mut sounds) = (outside.requests.0.clone(), sounds.clone());
        let (mut ended, mut more) = (false, false);
        let mut frames = frames.clone();
        loop {
            for event in heard.try_iter() {
                told(&event);
                self.learn_of(&event);
            }
            if outside.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.relieve()?;
            self.news.drain(..).for_each(|event| told(&event));
            channel::select! {
                recv(frames) -> frame => match frame {
                    Ok(queued) => self.look(queued)?,
                    Err(_) => (ended, frames) = (true, channel::never()),
                },
                recv(sounds) -> sound => match sound {
                    Ok(sound) => self.schedule.sound(&sound, Instant::now()),
                    Err(_) => (ended, sounds) = (ended || self.station.camera.is_none(), channel::never()),
                },
                recv(requests) -> request => match request {
                    Ok(()) => self.schedule.request(Now::read()),
                    // Nobody can ask any more.
                    Err(_) => requests = channel::never(),
                },
                default(if more { Duration::ZERO } else { self.patience() }) => {}
            }
            if !self.is_early() && !ended {
                self.schedule.tick(Now::read());
            }
            // One moment a turn: in between, what has come is taken in, so that no frame is replaced for want of a look.
            more = self.schedule.rest(Instant::now()).is_none() && self.answer(ended)?;
            if let Some(event) = self.heat() {
                told(&event);
            }
            // What plays as fast as it is fetched must not overtake what is listened to.
            while more && self.station.camera.is_none() && outside.moments.is_none_or(|most| self.moments < most) {
                more = self.answer(ended)?;
            }
            if outside.moments.is_some_and(|most| self.moments >= most) {
                return Ok(());
            }
            if ended && !self.schedule.is_waiting() {
                return Ok(());
            }
        }
    }

    /// Judges the oldest moment that waits, if all that belongs to it is there; whether others may follow at once.
    fn answer(&mut self, ended: bool) -> Result<bool> {
        match self.schedule.next(Now::read(), self.mailbox.newest(), ended)? {
            None => return Ok(false),
            Some(Due::Frame(frame, of)) => {
                let (from, film) = (frame.stamp, self.mailbox.clip(&frame));
                self.judge(Moment { frame: Some(frame), film, ..Moment::default() }, of, from)?;
            }
            Some(Due::Sound(at, of)) => self.judge(Moment::default(), of, at)?,
            Some(Due::Cycle(from)) => self.watch(from, ended)?,
            Some(Due::NoFrame) => self.blind()?,
        }
        Ok(self.schedule.is_waiting())
    }

    /// Lets the inspector that has been warmed take over.
    fn relieve(&mut self) -> Result<()> {
        if let Some((inspector, event)) = self.warmup.take()? {
            self.inspector.iter_mut().zip(inspector).for_each(|(own, inspector)| **own = inspector);
            self.news.push(event);
            self.stats.warming(self.warmup.is_on());
        }
        Ok(())
    }

    /// Whether a camera is still being opened: the first interval begins with its first frame.
    fn is_early(&self) -> bool {
        self.station.camera.is_some() && self.stats.camera.is_awaited()
    }

    fn patience(&self) -> Duration {
        self.schedule.patience(Instant::now(), self.is_early())
    }

    /// Throttles after an inspection. An event where the pace changes.
    fn heat(&mut self) -> Option<Event> {
        let throttle = self.schedule.throttle.as_mut()?;
        let event = throttle.after(self.took.take()?, Instant::now());
        let (celsius, rest) = throttle.reported();
        self.stats.heat(celsius, rest);
        event
    }

    fn learn_of(&mut self, event: &Event) {
        if matches!(event, Event::Lost { source, .. } if *source == self.stats.camera.name) {
            self.schedule.camera_lost();
        }
    }

    /// Takes in a frame. A damaged one is counted.
    fn look(&mut self, queued: QueuedFrame) -> Result<()> {
        match self.schedule.frame(queued, Instant::now()) {
            Err(error) if error.kind() == ErrorKind::Input => {
                self.stats.camera.count(FaultKind::Damaged, 1);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Judges a moment that was taken at `from`, with the sound `of` it.
    fn judge(&mut self, mut moment: Moment, of: SampleSound, from: Stamp) -> Result<()> {
        moment.sound = of.sound;
        self.report_on(moment, Belongs { sound: of.heard, film: None }, Some(from), &|_| ())
    }

    /// Judges a moment and delivers the report on it, after `add` has put in what the station alone knows.
    fn report_on(&mut self, moment: Moment, of: Belongs, from: Option<Stamp>, add: &dyn Fn(&mut Report)) -> Result<()> {
        let Some(inspector) = self.inspector.take() else {
            let mut report = self.invalid(Reason::new(ReasonCode::NotJudged, "not judged"));
            add(&mut report);
            return self.deliver(moment, of, report, from, None);
        };
        let outcome = self.report_by(inspector, moment, of, from, add);
        self.inspector = Some(inspector);
        outcome
    }

    fn report_by(
        &mut self,
        inspector: &mut Inspector,
        moment: Moment,
        of: Belongs,
        from: Option<Stamp>,
        add: &dyn Fn(&mut Report),
    ) -> Result<()> {
        let start = Instant::now();
        let inspection = match inspector.judge(&moment) {
            Err(error) if error.kind() == ErrorKind::Runtime => {
                let (another, event) = self.warmup.fall_back(error)?;
                self.news.push(event);
                self.stats.warming(self.warmup.is_on());
                *inspector = another;
                inspector.judge(&moment)
            }
            inspection => inspection,
        };
        self.took = Some(start.elapsed());
        let (mut report, shown) = match inspection {
            Err(error) if error.kind() == ErrorKind::Input => {
                let source = if moment.frame.is_some() { &self.stats.camera } else { &self.stats.microphone };
                source.count(FaultKind::Damaged, 1);
                (self.invalid(Reason::new(ReasonCode::Unreadable, error.chain())), None)
            }
            inspection => {
                let (report, shown) = inspection?.split();
                (report, Some(shown))
            }
        };
        add(&mut report);
        self.deliver(moment, of, report, from, shown)
    }

    /// What cannot be judged.
    fn invalid(&self, reason: Reason) -> Report {
        Report::invalid(reason, self.judged_by.clone())
    }

    /// Reports that no frame came. A part that is heard too is judged by what was heard last.
    fn blind(&mut self) -> Result<()> {
        let why = format!("no image: {}", self.stats.camera.why_none());
        let (mut moment, mut heard) = (Moment::default(), None);
        if self.inspector.as_ref().is_some_and(|inspector| inspector.sense(Sense::Sound).is_some()) {
            let back = self.station.sound.after() + 2 * LOOK;
            let now = Stamp::now();
            let last = now.before(back);
            let of = self.schedule.sound_at(last, now)?.unwrap_or_default();
            (moment.sound, heard) = (of.sound, of.heard);
        }
        let belongs = Belongs { sound: heard, film: None };
        if moment.sound.is_some() {
            // Where the microphone has heard something, the camera's fault is still the reason.
            return self.report_on(moment, belongs, None, &|report| report.explain(Sense::Image, &why));
        }
        let code = if self.station.cycle.is_some() { ReasonCode::NoClip } else { ReasonCode::NoImage };
        let report = self.invalid(Reason::new(code, why));
        self.deliver(moment, belongs, report, None, None)
    }

    /// Sends a verdict to the sinks, and then what was `shown` to whoever writes of it: the verdict waits for no words.
    fn deliver(
        &mut self,
        moment: Moment,
        of: Belongs,
        mut report: Report,
        from: Option<Stamp>,
        shown: Option<Shown<'_>>,
    ) -> Result<()> {
        let Belongs { sound, film } = of;
        let now = Stamp::now();
        let faults = self.stats.unreported();
        let blind = moment.frame.is_none() && self.station.camera.is_some();
        report.degraded |= blind || sound.as_ref().is_some_and(|sound| !sound.missing.is_empty());
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let judged = Judged {
            station: self.station.name.clone(),
            moment: self.moments,
            frame: moment.frame.as_ref().map(|frame| frame.sequence),
            unix_ms: unix.as_millis() as u64,
            age_ms: from.map_or(0.0, |from| now.ms_since(from)),
            replaced: self.schedule.take_replaced(),
            sound,
            film,
            alarm: self.alarm(report.verdict),
            faults,
            report,
        };
        self.moments += 1;
        self.stats.judged(judged.report.verdict, judged.age_ms);
        self.stats.replaced(judged.replaced);
        let (judged, moment) = (Arc::new(judged), Arc::new(moment));
        let delivery = Delivery::Verdict { judged: Arc::clone(&judged), moment: Arc::clone(&moment) };
        for queue in &self.queues {
            // A sink that has ended tells why when it is joined.
            if queue.send(delivery.clone()).is_err() {
                return Err(Error::new(ErrorKind::Io, "a sink has ended"));
            }
        }
        let wanted = self.station.words.as_ref().is_some_and(|words| match words.of {
            Of::NotPassed => judged.report.verdict != Verdict::Pass,
            Of::All => true,
        });
        if let Some(tasks) = self.tasks.as_ref().filter(|_| wanted) {
            // A moment that was not judged has none, and its reason is all that can be told.
            let evidence = shown.map_or(Ok(Vec::new()), |shown| shown.evidence(&judged.report));
            let gone = tasks.put(Task { judged, evidence });
            self.stats.words(|words| words.dropped += gone);
        }
        Ok(())
    }
}

impl Judge<'_> {
    /// Whether this verdict and those before it are an alarm, where the station has a rule for it.
    fn alarm(&mut self, verdict: Verdict) -> Option<bool> {
        let Alarm { fails, of } = self.station.alarm?;
        self.verdicts.push_back(verdict == Verdict::Fail);
        if self.verdicts.len() > of {
            self.verdicts.pop_front();
        }
        Some(self.verdicts.iter().filter(|failed| **failed).count() >= fails)
    }
}

/// What a panicking thread left is still whole: each change is one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until something is told to stop, looking now and then.
fn rest(span: Duration, stopped: &dyn Fn() -> bool) {
    let until = Instant::now() + span;
    while !stopped() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(LOOK / 4));
    }
}
