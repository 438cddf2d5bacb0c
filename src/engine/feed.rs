//! Keeps a source open: what it delivers goes on, what breaks is opened again after a rest that grows with each failure
//! up to a limit, and each turn of events is told once.

use std::time::Duration;

use crossbeam::channel::Sender;

use super::rest;
use super::stats::SourceStats;
use crate::error::{ErrorKind, Result};
use crate::memory::folder::Standing;
use crate::sample::{Frame, Sound};
use crate::source::{FaultKind, Next, Source};

/// The first rest after a failure, and the longest.
const RESTS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// How long a source may wait before it is asked to look whether to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// A turn of events that a person should know of.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A source delivers, for the first time or again.
    Open {
        /// `camera` or `microphone`.
        source: &'static str,
        /// What it is.
        about: String,
    },
    /// A source does not deliver any more, or cannot be opened. Told once until it is back.
    Lost {
        /// `camera` or `microphone`.
        source: &'static str,
        /// Why.
        why: String,
    },
    /// The first fault of its kind; later ones are counted.
    Fault {
        /// `camera` or `microphone`.
        source: &'static str,
        /// The kind as one word.
        kind: &'static str,
        /// What was seen.
        detail: String,
    },
    /// The board has become warmer or cooler, and the station slower or faster by it.
    Heat {
        /// Degrees of the hottest zone.
        celsius: f32,
        /// Its name.
        zone: String,
        /// How many times as long as it took the station rests after an inspection.
        rest: u32,
    },
    /// The part's folder holds another part than the station judges by, or again the same.
    Part(Standing),
    /// The inspector on the provider that was wanted has taken over.
    Warm {
        /// How long it took to open.
        seconds: f64,
        /// What was asked of the runtime and did not come to be, a sentence each.
        notices: Vec<String>,
    },
    /// A provider that is wanted cannot be opened, or failed while it ran: the CPU serves.
    Cold {
        /// Why.
        why: String,
    },
    /// Words cannot be written. Told once until they can.
    Unwritten {
        /// Why.
        why: String,
    },
    /// What was written cannot be spoken. Told once until it can.
    Unspoken {
        /// Why.
        why: String,
    },
}

/// What a source delivered.
pub(super) enum Sample {
    Frame(Frame),
    Sound(Sound),
}

/// Opens a source, delivers what comes, and opens it again when it breaks, until `stopped`, or until a recording is
/// over.
///
/// # Errors
/// [`ErrorKind::Config`] and others that no waiting mends.
pub(super) fn feed(
    stats: &SourceStats,
    events: &Sender<Event>,
    stopped: &dyn Fn() -> bool,
    open: &dyn Fn() -> Result<Box<dyn Source>>,
    deliver: &mut dyn FnMut(Sample),
) -> Result<()> {
    let source = stats.name;
    let tell = |event| {
        // Nobody listens any more when the station ends.
        let _ended = events.send(event);
    };
    let mut wait = RESTS[0];
    let (mut lost, mut delivered, mut was_open) = (false, false, false);
    while !stopped() {
        let error = match open() {
            Ok(mut opened) => {
                let about = opened.describe();
                stats.opened(&about);
                if std::mem::replace(&mut was_open, true) {
                    stats.count(FaultKind::Reopened, 1);
                }
                // One that was lost may open again and again and deliver nothing: it is told when it delivers.
                let mut news = Some(Event::Open { source, about });
                if !lost {
                    news.take().into_iter().for_each(tell);
                }
                loop {
                    if stopped() {
                        return Ok(());
                    }
                    match opened.next(PATIENCE) {
                        Ok(Next::Frame(frame)) => {
                            (wait, lost, delivered) = (RESTS[0], false, true);
                            stats.delivered();
                            news.take().into_iter().for_each(tell);
                            deliver(Sample::Frame(frame));
                        }
                        Ok(Next::Sound(sound)) => {
                            (wait, lost, delivered) = (RESTS[0], false, true);
                            stats.delivered();
                            news.take().into_iter().for_each(tell);
                            deliver(Sample::Sound(sound));
                        }
                        Ok(Next::Fault(fault)) => {
                            if stats.count(fault.kind, fault.count) {
                                tell(Event::Fault { source, kind: fault.kind.as_str(), detail: fault.detail });
                            }
                        }
                        Ok(Next::Nothing) => {}
                        Ok(Next::End) => {
                            stats.ended();
                            return Ok(());
                        }
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        // What has delivered once may do so again, such as a signal that came back at another size.
        if !delivered && !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Io) {
            return Err(error);
        }
        let why = error.chain();
        stats.lost(&why);
        if !lost {
            lost = true;
            tell(Event::Lost { source, why });
        }
        rest(wait, stopped);
        wait = (2 * wait).min(RESTS[1]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Mutex;

    use super::*;
    use crate::error::Error;
    use crate::sample::PixelFormat;
    use crate::source::Fault;

    /// Delivers what it was given, one by one.
    struct Played(Vec<Result<Next>>);

    impl Source for Played {
        fn describe(&self) -> String {
            "played".into()
        }

        fn next(&mut self, _: Duration) -> Result<Next> {
            if self.0.is_empty() { Ok(Next::End) } else { self.0.remove(0) }
        }
    }

    fn frame() -> Result<Next> {
        Ok(Next::Frame(Frame::new(vec![0; 4], PixelFormat::Grey8, 2, 2)?))
    }

    fn unplugged() -> Error {
        Error::new(ErrorKind::Unavailable, "unplugged")
    }

    #[test]
    fn a_source_that_breaks_is_opened_again_and_each_turn_is_told_once() {
        let fault = || Ok(Next::Fault(Fault { kind: FaultKind::Lost, count: 3, detail: "gap".into() }));
        let opens = Mutex::new(vec![
            Err(unplugged()),
            Err(unplugged()),
            Ok(vec![frame(), fault(), fault(), frame(), Err(unplugged())]),
            Err(unplugged()),
            Ok(vec![frame()]),
        ]);
        let open = || -> Result<Box<dyn Source>> { Ok(Box::new(Played(opens.lock().unwrap().remove(0)?))) };
        let (events, heard) = crossbeam::channel::unbounded();
        let stats = SourceStats::new("camera");
        let mut frames = 0;
        feed(&stats, &events, &|| false, &open, &mut |_| frames += 1).unwrap();
        assert_eq!(frames, 3);
        let told: Vec<Event> = heard.try_iter().collect();
        let is = |event: &Event| match event {
            Event::Open { .. } => "open",
            Event::Lost { .. } => "lost",
            Event::Fault { .. } => "fault",
            Event::Heat { .. } => "heat",
            Event::Part(_) => "part",
            Event::Warm { .. } | Event::Cold { .. } => "provider",
            Event::Unwritten { .. } | Event::Unspoken { .. } => "words",
        };
        assert_eq!(told.iter().map(is).collect::<Vec<_>>(), ["lost", "open", "fault", "lost", "open"]);
        let counted: Vec<_> = stats.unreported().into_iter().map(|c| (c.kind, c.count)).collect();
        assert_eq!(counted, [("lost", 6), ("reopened", 1)]);
        assert!(stats.unreported().is_empty());
    }

    #[test]
    fn what_opens_again_and_delivers_nothing_is_told_when_it_delivers() {
        let opens =
            Mutex::new(vec![vec![Err(unplugged())], vec![Err(unplugged())], vec![Err(unplugged())], vec![frame()]]);
        let open = || -> Result<Box<dyn Source>> { Ok(Box::new(Played(opens.lock().unwrap().remove(0)))) };
        let (events, heard) = crossbeam::channel::unbounded();
        feed(&SourceStats::new("camera"), &events, &|| false, &open, &mut |_| ()).unwrap();
        let told: Vec<bool> = heard.try_iter().map(|event| matches!(event, Event::Open { .. })).collect();
        assert_eq!(told, [true, false, true]);
    }

    #[test]
    fn what_no_waiting_mends_ends_the_station_and_stop_ends_the_waiting() {
        let (events, _heard) = crossbeam::channel::unbounded();
        let stats = SourceStats::new("camera");
        let empty = || -> Result<Box<dyn Source>> {
            Ok(Box::new(Played(vec![Err(Error::new(ErrorKind::Input, "no picture"))])))
        };
        assert_eq!(feed(&stats, &events, &|| false, &empty, &mut |_| ()).unwrap_err().kind(), ErrorKind::Input);
        let wrong = || -> Result<Box<dyn Source>> { Err(Error::new(ErrorKind::Config, "no such format")) };
        assert_eq!(feed(&stats, &events, &|| false, &wrong, &mut |_| ()).unwrap_err().kind(), ErrorKind::Config);
        let tries = Cell::new(0);
        let open = || -> Result<Box<dyn Source>> {
            tries.set(tries.get() + 1);
            Err(unplugged())
        };
        feed(&stats, &events, &|| tries.get() >= 2, &open, &mut |_| ()).unwrap();
        assert_eq!((tries.get(), stats.why_none()), (2, "unplugged".to_string()));
    }
}
