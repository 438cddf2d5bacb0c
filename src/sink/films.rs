//! The film of each moment as a file of its own, to teach from or to look at. Which moments there are is left to the station.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Sink;
use super::avi::Film;
use crate::error::{Error, ErrorKind, Result};
use crate::report::Judged;
use crate::sample::{Clip, Moment};

/// A folder that takes films, numbered from 0.
pub struct Films {
    dir: PathBuf,
    saved: usize,
    wanted: usize,
    /// Set when as many are there as are wanted.
    enough: Arc<AtomicBool>,
    tell: Box<dyn FnMut(&str) + Send>,
}

impl Films {
    /// Into `dir`, made where it is missing, until there are as many as `wanted`: then `enough` is set. `tell` hears of each film,
    /// and of one that is left out since frames of it are missing.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the folder cannot be made.
    pub fn create(
        dir: &Path,
        wanted: usize,
        enough: Arc<AtomicBool>,
        tell: Box<dyn FnMut(&str) + Send>,
    ) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, error))?;
        enough.fetch_or(wanted == 0, Ordering::Relaxed);
        Ok(Self { dir: dir.into(), saved: 0, wanted, enough, tell })
    }
}

impl Sink for Films {
    fn name(&self) -> &'static str {
        "films"
    }

    fn take(&mut self, judged: &Judged, moment: &Moment) -> Result<()> {
        if self.saved == self.wanted {
            return Ok(());
        }
        let frames = moment.clip.as_ref().map_or(&[][..], Clip::frames);
        let (Some(filmed), Some(film)) = (&judged.film, Film::of(frames, judged.film.as_ref())?) else {
            (self.tell)(&format!("a film is left out: {}", judged.report.reason.text));
            return Ok(());
        };
        let path = self.dir.join(format!("{:06}.avi", self.saved));
        if path.exists() {
            let what = format!("{} is there already: give another folder", path.display());
            return Err(Error::new(ErrorKind::Io, what));
        }
        fs::write(&path, film.avi(None)).map_err(|error| Error::io("write", &path, error))?;
        let lost = if filmed.lost > 0 { format!(", {} of them lost", filmed.lost) } else { String::new() };
        (self.tell)(&format!("{}: {:.2} s, {} frames{lost}", path.display(), filmed.ms / 1e3, filmed.frames));
        self.saved += 1;
        self.enough.fetch_or(self.saved == self.wanted, Ordering::Relaxed);
        Ok(())
    }
}
