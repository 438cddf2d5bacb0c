//! The front door: [`open`] a taught part to judge samples and describe them, or [`teach`] one from good samples.
//!
//! Model packages are found by the name and the digest in the part, the board by its name. The results of `eyear prepare`
//! and other cached files are in the user's cache. Explicit settings override all of this. The command line uses this
//! module too.
//!
//! ```
//! use std::path::Path;
//!
//! # fn main() -> eyear::Result<()> {
//! # let home = tempfile::tempdir().map_err(|error| eyear::Error::io("make", Path::new("/tmp"), error))?;
//! # let part = home.path().join("paper");
//! eyear::open::teach(&part).good(["tests/data/paper/train/good"]).run()?;
//!
//! let mut inspector = eyear::open::open(&part).threads(1).inspector()?;
//! let frame = eyear::source::recording::read(Path::new("tests/data/paper/test/good/PA_BDP01_TL_S_ND_01_2.png"))?;
//! let report = inspector.judge(&frame.into())?;
//! assert_eq!(report.verdict.as_str(), "pass");
//! # Ok(())
//! # }
//! ```

pub mod parts;
mod prepared;
mod setup;
mod teaching;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::setup::settings;
use crate::board::Provider;
use crate::error::Result;
use crate::inspect::{Inspector, Writer};
use crate::memory::pair::Taught;

pub use prepared::{Prepared, Tried, Way, library};
pub use setup::{Notes, Packages, Setup, of_sense, usual_name};
pub use teaching::{Reported, Teaching};

/// The package that writes where none is named.
pub const WRITER: &str = "eyear-small";

/// Opens the part in a folder. Nothing is read until [`Opening::inspector`].
pub fn open(part: impl AsRef<Path>) -> Opening {
    Opening { part: part.as_ref().to_path_buf(), setup: Setup::default() }
}

/// Teaches the part in a folder. Nothing is done until [`Teaching::run`].
pub fn teach<'a>(part: impl AsRef<Path>) -> Teaching<'a> {
    Teaching::new(part.as_ref())
}

/// Undoes the last teaching of the part in a folder, and returns the part that is then current. If another process is
/// teaching it, this calls `waits` and blocks until that ends.
///
/// # Errors
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when there is no previous part.
pub fn undo(part: &Path, waits: &dyn Fn()) -> Result<Taught> {
    Taught::undo(part, waits)?;
    Taught::load(part)
}

/// A part to be opened: see [`open`].
#[derive(Clone)]
#[must_use = "nothing is opened until an inspector is asked for"]
pub struct Opening {
    part: PathBuf,
    setup: Setup,
}

impl Opening {
    settings!();

    /// An inspector of the part, for one thread.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when the part, its model package or the runtime is
    /// missing; [`ErrorKind::Config`](crate::ErrorKind::Config) when another package is named, or a file is wrong;
    /// [`ErrorKind::Integrity`](crate::ErrorKind::Integrity) when a file was changed.
    pub fn inspector(&self) -> Result<Inspector> {
        self.setup.inspector(Taught::load(&self.part)?, &self.part)
    }

    /// Several inspectors, one per thread, which share the part and the weights, and divide the processors among them.
    ///
    /// # Errors
    /// As [`Opening::inspector`].
    pub fn inspectors(&self, streams: usize) -> Result<Vec<Inspector>> {
        self.setup.inspectors(Taught::load(&self.part)?, &self.part, streams)
    }

    /// A writer that describes what an inspector judges, by the package [`WRITER`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when this package has no words for the part's encoder; else as
    /// [`Opening::inspector`].
    pub fn writer(&self, inspector: &Inspector) -> Result<Writer> {
        self.setup.writer(WRITER, inspector)
    }
}
