//! Failover: which inspector takes over from the one at work. One whose provider is still being warmed takes over when it is
//! ready. One on the CPU takes over where a provider fails while it runs. What each runs on is left to whoever opens it.

use std::collections::VecDeque;
use std::time::Instant;

use crossbeam::channel::{self, Receiver, TryRecvError};

use super::feed::Event;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Inspector;

/// Opens an inspector of the station's part.
pub type Opens<T = Inspector> = Box<dyn Fn() -> Result<T> + Send>;

/// Inspectors that may take over. Without any, the one at work stays, and the station ends when it fails.
pub struct Failover<T = Inspector> {
    /// On the providers that are wanted, the best first. Engines may take minutes to build: the station judges by the
    /// inspector that it has until the first is ready. The next one is warmed when one fails.
    pub wanted: VecDeque<Opens<T>>,
    /// On the CPU, for when a provider fails while it runs.
    pub on_cpu: Option<Opens<T>>,
}

// Derived, it would want an inspector to have a default.
impl<T> Default for Failover<T> {
    fn default() -> Self {
        Self { wanted: VecDeque::new(), on_cpu: None }
    }
}

/// Which inspector serves, and which is being warmed. It starts no thread and reads no clock.
struct FailoverState<T> {
    failover: Failover<T>,
    /// Since when one is being warmed.
    since: Option<Instant>,
    /// Whether the inspector at work runs on a provider that was warmed.
    is_warm: bool,
}

impl<T> FailoverState<T> {
    fn new(failover: Failover<T>) -> Self {
        Self { failover, since: None, is_warm: false }
    }

    /// The next one to warm, if any is left.
    fn next(&mut self, now: Instant) -> Option<Opens<T>> {
        let open = self.failover.wanted.pop_front()?;
        self.since = Some(now);
        Some(open)
    }

    /// Warming is over: the inspector that takes over and how many seconds it took to open; or why there is none.
    ///
    /// # Errors
    /// `outcome`'s own.
    fn warmed(&mut self, outcome: Result<T>, now: Instant) -> Result<(T, f64)> {
        let since = self.since.take().unwrap_or(now);
        let inspector = outcome?;
        self.is_warm = true;
        Ok((inspector, now.saturating_duration_since(since).as_secs_f64()))
    }

    /// Opens the inspector on the CPU after the one at work, on a provider that was warmed, has failed by `error`.
    ///
    /// # Errors
    /// `error` where nobody can take over; the CPU's own when it cannot be opened.
    fn fall_back(&mut self, error: Error) -> Result<(T, String)> {
        let Some(open) = self.failover.on_cpu.as_ref().filter(|_| self.is_warm && error.kind() == ErrorKind::Runtime)
        else {
            return Err(error);
        };
        let inspector = open()?;
        self.is_warm = false;
        Ok((inspector, error.chain()))
    }
}

/// Warms inspectors on a thread of their own.
pub(super) struct Warmup {
    state: FailoverState<Inspector>,
    ready: Option<Receiver<Result<Inspector>>>,
}

impl Warmup {
    /// Warms the first that is wanted.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when no thread can be started.
    pub(super) fn new(failover: Failover) -> Result<Self> {
        let mut warmup = Self { state: FailoverState::new(failover), ready: None };
        warmup.next()?;
        Ok(warmup)
    }

    /// Whether one is being warmed.
    pub(super) fn is_on(&self) -> bool {
        self.ready.is_some()
    }

    fn next(&mut self) -> Result<()> {
        let Some(open) = self.state.next(Instant::now()) else { return Ok(()) };
        let (into, ready) = channel::bounded(1);
        // Not joined: the building of an engine cannot be called off, and nobody waits for it when the station ends.
        let warm = move || {
            let _nobody_waits = into.send(open());
        };
        std::thread::Builder::new()
            .name("warming".into())
            .spawn(warm)
            .map_err(|error| Error::caused(ErrorKind::Runtime, "cannot start the thread `warming`", error))?;
        self.ready = Some(ready);
        Ok(())
    }

    /// The inspector that is ready to take over, if it could be opened, and the event to tell.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when no thread can be started for the next one.
    pub(super) fn take(&mut self) -> Result<Option<(Option<Inspector>, Event)>> {
        let Some(ready) = &self.ready else { return Ok(None) };
        let outcome = match ready.try_recv() {
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::new(ErrorKind::Runtime, "its thread has ended")),
            Ok(outcome) => outcome,
        };
        self.ready = None;
        match self.state.warmed(outcome, Instant::now()) {
            Ok((inspector, seconds)) => {
                let notices = inspector.notices().cloned().collect();
                Ok(Some((Some(inspector), Event::Warm { seconds, notices })))
            }
            Err(error) => {
                self.next()?;
                Ok(Some((None, Event::Cold { why: error.chain() })))
            }
        }
    }

    /// The inspector on the CPU, and the event to tell, after a warmed one has failed by `error`. The next provider is warmed
    /// meanwhile.
    ///
    /// # Errors
    /// `error` where nobody can take over; the CPU's own when it cannot be opened.
    pub(super) fn fall_back(&mut self, error: Error) -> Result<(Inspector, Event)> {
        let (inspector, why) = self.state.fall_back(error)?;
        self.next()?;
        Ok((inspector, Event::Cold { why }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gone() -> Error {
        Error::new(ErrorKind::Runtime, "the device is gone")
    }

    fn opens(name: &'static str) -> Opens<&'static str> {
        Box::new(move || Ok(name))
    }

    fn cannot(why: &'static str) -> Opens<&'static str> {
        Box::new(move || Err(Error::new(ErrorKind::Unavailable, why)))
    }

    #[test]
    fn the_best_takes_over_when_it_is_warm_and_the_cpu_when_it_fails() {
        let wanted = [opens("gpu"), opens("npu")].into();
        let mut state = FailoverState::new(Failover { wanted, on_cpu: Some(opens("cpu")) });
        let start = Instant::now();
        let open = state.next(start).unwrap();
        assert!(!state.is_warm && state.since == Some(start), "the first serves until the provider is warm");
        let minute = Duration::from_secs(60);
        assert_eq!(state.warmed(open(), start + minute).unwrap(), ("gpu", 60.0));
        assert!(state.is_warm && state.since.is_none());
        // It fails: the CPU serves, and the next provider is warmed.
        assert_eq!(state.fall_back(gone()).unwrap(), ("cpu", "the device is gone".to_string()));
        let open = state.next(start + 2 * minute).unwrap();
        // The CPU's own failure while the next one is warmed is not a provider's.
        assert_eq!(state.fall_back(gone()).unwrap_err().message(), "the device is gone");
        assert_eq!(state.warmed(open(), start + 5 * minute).unwrap(), ("npu", 180.0));
        assert_eq!(state.fall_back(gone()).unwrap().0, "cpu");
        assert!(state.next(start).is_none(), "none is left");
    }

    #[test]
    fn one_that_cannot_be_opened_leaves_the_one_at_work_and_the_next_is_warmed() {
        let wanted = [cannot("no such device"), opens("npu")].into();
        let mut state = FailoverState::new(Failover { wanted, on_cpu: Some(opens("cpu")) });
        let now = Instant::now();
        let open = state.next(now).unwrap();
        assert_eq!(state.warmed(open(), now).unwrap_err().message(), "no such device");
        assert!(!state.is_warm && state.since.is_none());
        let open = state.next(now).unwrap();
        assert_eq!(state.warmed(open(), now).unwrap().0, "npu");
    }

    #[test]
    fn an_error_ends_the_station_where_nobody_can_take_over() {
        let now = Instant::now();
        let warm = |on_cpu| {
            let mut state = FailoverState::new(Failover { wanted: [opens("gpu")].into(), on_cpu });
            let open = state.next(now).unwrap();
            assert_eq!(state.warmed(open(), now).unwrap().0, "gpu");
            state
        };
        assert_eq!(warm(None).fall_back(gone()).unwrap_err().message(), "the device is gone");
        assert_eq!(warm(Some(cannot("no memory"))).fall_back(gone()).unwrap_err().message(), "no memory");
        // What is wrong with the sample is not the provider's fault.
        let input = || Error::new(ErrorKind::Input, "an empty frame");
        let mut state = warm(Some(opens("cpu")));
        assert_eq!(state.fall_back(input()).unwrap_err().kind(), ErrorKind::Input);
        assert!(state.is_warm, "it goes on");
        // Without anything to warm, the one at work is not a provider's.
        let mut state = FailoverState::new(Failover { wanted: VecDeque::new(), on_cpu: Some(opens("cpu")) });
        assert!(state.next(now).is_none());
        assert_eq!(state.fall_back(gone()).unwrap_err().message(), "the device is gone");
    }
}
