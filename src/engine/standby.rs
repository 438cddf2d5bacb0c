//! Who takes over from the inspector at work: one whose provider is still being warmed, and, where a provider fails while it
//! runs, one on the CPU. What each of them runs on is left to whoever opens them.

use std::collections::VecDeque;
use std::time::Instant;

use crossbeam::channel::{self, Receiver, TryRecvError};

use super::feed::Event;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Inspector;

/// Opens an inspector of the station's part.
pub type Opens = Box<dyn Fn() -> Result<Inspector> + Send>;

/// Inspectors that may take over. Of none, the one at work stays, and the station ends when it fails.
#[derive(Default)]
pub struct Standby {
    /// On the providers that are wanted, the best first. Engines may take minutes to build: the station judges by the
    /// inspector that it has until the first is ready; the next is warmed when one fails.
    pub wanted: VecDeque<Opens>,
    /// On the CPU, for when a provider fails while it runs.
    pub on_cpu: Option<Opens>,
}

/// The one that is being warmed, and those behind it.
pub(super) struct Warming {
    standby: Standby,
    ready: Option<(Receiver<Result<Inspector>>, Instant)>,
    /// Whether what is at work runs on a provider that was warmed.
    warm: bool,
}

impl Warming {
    /// Warms the first that is wanted.
    pub(super) fn new(standby: Standby) -> Result<Self> {
        let mut warming = Self { standby, ready: None, warm: false };
        warming.next()?;
        Ok(warming)
    }

    /// Whether one is being warmed.
    pub(super) fn is_on(&self) -> bool {
        self.ready.is_some()
    }

    fn next(&mut self) -> Result<()> {
        let Some(open) = self.standby.wanted.pop_front() else { return Ok(()) };
        let (into, ready) = channel::bounded(1);
        // Not joined: the building of an engine cannot be called off, and nobody waits for it when the station ends.
        let warm = move || {
            let _nobody_waits = into.send(open());
        };
        std::thread::Builder::new()
            .name("warming".into())
            .spawn(warm)
            .map_err(|error| Error::caused(ErrorKind::Runtime, "cannot start the thread `warming`", error))?;
        self.ready = Some((ready, Instant::now()));
        Ok(())
    }

    /// The inspector that is ready to take over, with what is to be told of it.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the next one cannot be begun with.
    pub(super) fn take(&mut self) -> Result<Option<(Option<Inspector>, Event)>> {
        let Some((ready, since)) = &self.ready else { return Ok(None) };
        let outcome = match ready.try_recv() {
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::new(ErrorKind::Runtime, "its thread has ended")),
            Ok(outcome) => outcome,
        };
        let seconds = since.elapsed().as_secs_f64();
        self.ready = None;
        match outcome {
            Ok(inspector) => {
                self.warm = true;
                let notices = inspector.notices().cloned().collect();
                Ok(Some((Some(inspector), Event::Warm { seconds, notices })))
            }
            Err(error) => {
                self.next()?;
                Ok(Some((None, Event::Cold { why: error.chain() })))
            }
        }
    }

    /// One on the CPU, where what has failed by `error` ran on a provider that was warmed; the next provider is warmed
    /// meanwhile.
    ///
    /// # Errors
    /// `error` where there is nobody to take over; what the CPU's fails by.
    pub(super) fn fall_back(&mut self, error: Error) -> Result<(Inspector, Event)> {
        let Some(open) = self.standby.on_cpu.as_ref().filter(|_| self.warm && error.kind() == ErrorKind::Runtime)
        else {
            return Err(error);
        };
        let inspector = open()?;
        self.warm = false;
        self.next()?;
        Ok((inspector, Event::Cold { why: error.chain() }))
    }
}
