//! Outputs of a [`Report`](crate::report::Report): images, pages and lines. One file per output.
//!
//! A sink gets what it needs of a part (tiles, name) as plain data.

use crate::error::Result;
use crate::report::{Judged, Written};
use crate::sample::Moment;

// What is drawn.
pub mod picture;
pub mod draw;

// What a running station feeds.
pub mod avi;
pub mod evidence;
pub mod films;
pub mod lines;
pub mod speech;

// What is written.
pub mod names;
mod words;
mod html;
mod page;
pub mod folder;
pub mod figures;

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
