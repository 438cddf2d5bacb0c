//! The film of one cycle: cut out of the frames that are kept, judged, and reported.

use super::{Belongs, Judge};
use crate::align::film::Film;
use crate::error::Result;
use crate::report::{Filmed, Reason, ReasonCode, Report};
use crate::sample::Moment;
use crate::time::Stamp;

impl Judge<'_> {
    /// Judges the cycle that begins at `from`. `ended` tells whether the recording is over.
    ///
    /// # Errors
    /// As the inspector. A film that cannot be judged is no error: its verdict is invalid.
    pub(super) fn watch(&mut self, from: Stamp, ended: bool) -> Result<()> {
        let span = self.schedule.span();
        let film = Film::cut(&self.mailbox.kept(), from, span);
        if self.schedule.is_left_out(&film, ended) {
            return Ok(());
        }
        if film.frames == 0 {
            return self.blind();
        }
        let triggered = from.after(self.station.cycle.map(|cycle| cycle.before()).unwrap_or_default());
        let (clip, why) = match film.clip {
            Ok(clip) => (Some(clip), None),
            Err(why) => (None, Some(why)),
        };
        let shown = clip.iter().flat_map(|clip| clip.frames());
        let frame = shown.min_by_key(|frame| frame.stamp.ns.abs_diff(triggered.ns)).cloned();
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
