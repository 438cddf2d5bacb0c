//! What delivers the results of a station. One file per sink, each behind [`Sink`]; what people look at is made by `show`.

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

/// Receives the verdicts of a running station, on its own thread.
pub trait Sink: Send {
    /// Its name, for its thread and for messages.
    fn name(&self) -> &'static str;

    /// Receives a verdict and its sample.
    ///
    /// # Errors
    /// If it can accept no more, which ends the station. Temporary problems, such as a full disk, are not errors.
    fn take(&mut self, judged: &Judged, moment: &Moment) -> Result<()>;

    /// Receives the words of a sample whose verdict came before. Not every sample has words.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn take_words(&mut self, _of: &Judged, _written: &Written) -> Result<()> {
        Ok(())
    }

    /// Finishes its work; nothing more follows.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
