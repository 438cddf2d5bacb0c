//! Saves each clip of a station as a file. The station decides when a clip is taken.

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

/// A folder of clips, numbered from 0.
pub struct Films {
    dir: PathBuf,
    saved: usize,
    wanted: usize,
    /// Set when the wanted number is reached.
    enough: Arc<AtomicBool>,
    tell: Box<dyn FnMut(&str) + Send>,
}

impl Films {
    /// Saves `wanted` clips to `dir`, which is created if missing, and then sets `enough`. `tell` gets a message for each clip
    /// that is saved, and for each that is skipped because frames are missing.
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
            (self.tell)(&format!("clip skipped: {}", judged.report.reason.text));
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

/// Name prefix of unfinished files; folder listings skip it.
const WRITING: &str = ".writing-";

/// Writes a file atomically: it exists complete or not at all.
///
/// # Errors
/// [`ErrorKind::Io`] if the file exists or cannot be written; no partial file is left.
pub fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() {
        let what = format!("{} exists already: choose another folder", path.display());
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

/// Removes unfinished files of an earlier run. Files that cannot be removed only take space.
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
    fn a_file_exists_complete_or_not_at_all_and_leftovers_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000000.avi");
        fs::write(dir.path().join(".writing-000007.avi"), b"half").unwrap();
        sweep(dir.path());
        keep(&path, b"whole").unwrap();
        assert!(keep(&path, b"other").unwrap_err().message().ends_with("exists already: choose another folder"));
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A folder stands where the half one would.
        fs::create_dir(dir.path().join(".writing-1.avi")).unwrap();
        assert!(keep(&dir.path().join("1.avi"), b"whole").is_err());
        assert!(!dir.path().join("1.avi").exists());
    }
}
