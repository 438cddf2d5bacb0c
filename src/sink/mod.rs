//! Where a station's reports go: one file a sink, each behind [`Sink`]. What people look at is made by `show`.

pub mod evidence;
pub mod films;
pub mod lines;
pub mod speech;

use std::io;

use crate::error::Result;
use crate::report::{Judged, Written};
use crate::sample::Moment;
use crate::station::Reports;

/// Hears of what a sink could not deliver, in a sentence.
pub type Complaints = Box<dyn FnMut(&str) + Send>;

/// The sinks that a station feeds, all of them: a new one is a line here.
///
/// # Errors
/// When one cannot be opened.
pub fn of_station(reports: &Reports, complain: fn(&str)) -> Result<Vec<Box<dyn Sink>>> {
    let folder = |dir| evidence::Evidence::create(dir, Box::new(complain)).map(|sink| Box::new(sink) as Box<dyn Sink>);
    let always: Box<dyn Sink> = Box::new(lines::Lines::new(io::stdout()));
    let wanted = [reports.folder.as_deref().map(folder)];
    std::iter::once(Ok(always)).chain(wanted.into_iter().flatten()).collect()
}

/// Takes what a running station says, on a thread of its own.
pub trait Sink: Send {
    /// Its name, for its thread and for messages.
    fn name(&self) -> &'static str;

    /// Takes a verdict and the moment that it is on.
    ///
    /// # Errors
    /// When it can take no more, which ends the station. What may pass by itself, as a full disk, it keeps to itself.
    fn take(&mut self, judged: &Judged, moment: &Moment) -> Result<()>;

    /// Takes what was written of a moment, whose verdict it has taken before; not every moment is written of.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn take_words(&mut self, _of: &Judged, _written: &Written) -> Result<()> {
        Ok(())
    }

    /// Finishes what it has begun; nothing comes any more.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
