//! A station that watches: which cycles are asked for, when their films have come, and what is said of them.

use std::time::Duration;

use super::{Asked, Belongs, DEAF, Judge};
use crate::align::film::Film;
use crate::error::Result;
use crate::report::{Filmed, Reason, ReasonCode, Report};
use crate::sample::Moment;
use crate::station::{Cycle, Trigger};
use crate::time::Stamp;

impl Judge<'_> {
    /// A frame asks for a cycle: where every one does, the first after the last cycle's end.
    pub(super) fn begin(&mut self, now: Stamp, cycle: Cycle) {
        if self.station.trigger != Trigger::EveryFrame {
            return self.ask(now);
        }
        let span = cycle.span();
        // After a gap it begins anew.
        let from = self.begins.filter(|begins| now < begins.after(span)).unwrap_or(now);
        if now >= from {
            self.asked.push_back(Asked::Cycle(from));
            self.begins = Some(from.after(span));
        }
    }

    /// Whether all of a cycle's film has come, or what is missing will not.
    pub(super) fn is_over(&self, from: Stamp, ended: bool) -> bool {
        let end = from.after(self.span());
        ended || self.mailbox.newest().is_some_and(|newest| newest >= end) || Stamp::now() > end.after(DEAF)
    }

    /// How long a cycle's film is.
    fn span(&self) -> Duration {
        self.station.cycle.map_or(Duration::ZERO, |cycle| cycle.span())
    }

    /// Judges the cycle that begins at a time. One that a recording ends within, and that nobody has requested, is none.
    ///
    /// # Errors
    /// As the inspector, but for a film that it cannot take: that is invalid.
    pub(super) fn watch(&mut self, from: Stamp, ended: bool) -> Result<()> {
        let span = self.span();
        let film = Film::cut(&self.mailbox.kept(), from, span);
        if film.clip.is_err() && ended && self.station.trigger != Trigger::Request {
            return Ok(());
        }
        if film.frames == 0 {
            return self.blind();
        }
        let asked = from.after(self.station.cycle.map_or(Duration::ZERO, |cycle| cycle.before()));
        let (clip, why) = match film.clip {
            Ok(clip) => (Some(clip), None),
            Err(why) => (None, Some(why)),
        };
        let shown = clip.iter().flat_map(|clip| clip.frames());
        let frame = shown.min_by_key(|frame| frame.stamp.ns.abs_diff(asked.ns)).cloned();
        let moment = Moment { frame, clip, ..Moment::default() };
        let of = Filmed { ms: span.as_secs_f64() * 1e3, frames: film.frames, lost: film.lost };
        let of = Belongs { film: Some(of), ..Belongs::default() };
        let end = Some(from.after(span).min(Stamp::now()));
        let lossy = |report: &mut Report| report.degraded |= film.lost > 0;
        match why {
            None => self.report_on(moment, of, end, &lossy),
            Some(why) => {
                let mut report = self.invalid(Reason::new(ReasonCode::NoClip, why));
                lossy(&mut report);
                self.deliver(moment, of, report, end, None)
            }
        }
    }
}
