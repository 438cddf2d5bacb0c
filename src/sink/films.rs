//! The film of each moment as a file of its own, to teach from or to look at. Which moments there are is left to the station.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::report::Judged;
use crate::sample::{Clip, Moment};
use crate::show::avi::Film;

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
        sweep(dir);
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
        keep(&path, &film.avi(None))?;
        let lost = if filmed.lost > 0 { format!(", {} of them lost", filmed.lost) } else { String::new() };
        (self.tell)(&format!("{}: {:.2} s, {} frames{lost}", path.display(), filmed.ms / 1e3, filmed.frames));
        self.saved += 1;
        self.enough.fetch_or(self.saved == self.wanted, Ordering::Relaxed);
        Ok(())
    }
}

/// How the names of what is half written begin: lists of folders pass them over.
const WRITING: &str = ".writing-";

/// Writes a file that is there whole or not at all, whenever the writing is broken off.
///
/// # Errors
/// [`ErrorKind::Io`] when there is such a file already, or it cannot be written; nothing is then left of it.
pub fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() {
        let what = format!("{} is there already: give another folder", path.display());
        return Err(Error::new(ErrorKind::Io, what));
    }
    let mut name = OsString::from(WRITING);
    name.push(path.file_name().unwrap_or_default());
    let half = path.with_file_name(name);
    let written = fs::File::create(&half).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&half, path)).map_err(|error| {
        let _only_takes_space = fs::remove_file(&half);
        Error::io("write", path, error)
    })
}

/// Removes what an earlier run left half written. What cannot be removed only takes space.
pub fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(WRITING.as_bytes()) {
            let _only_takes_space = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_left_overs_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000000.avi");
        fs::write(dir.path().join(".writing-000007.avi"), b"half").unwrap();
        sweep(dir.path());
        keep(&path, b"whole").unwrap();
        assert!(keep(&path, b"other").unwrap_err().message().ends_with("is there already: give another folder"));
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A folder stands where the half one would.
        fs::create_dir(dir.path().join(".writing-1.avi")).unwrap();
        assert!(keep(&dir.path().join("1.avi"), b"whole").is_err());
        assert!(!dir.path().join("1.avi").exists());
    }
}
