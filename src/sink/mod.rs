//! Where reports go: pictures, pages and lines made from a [`Report`](crate::report::Report). One file a thing.
//!
//! What a sink needs of a part (its tiles, its name) comes to it as plain data.

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
