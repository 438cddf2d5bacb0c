//! Opens files so that none blocks the program forever. Their content is left to others.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// Longest time without data from a pipe.
const SILENCE: Duration = Duration::from_secs(10);
/// Interval of checks on a pipe without data.
const LOOK: Duration = Duration::from_millis(5);

/// An opened file.
pub(super) enum Opened {
    /// A file and its length in bytes. Also a folder; reading it gives the system's error.
    File(File, u64),
    /// A pipe, without a length and readable only once.
    Pipe(Pipe),
}

/// Opens a file or a pipe.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be opened; [`ErrorKind::Input`] when it is a device or a socket.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let failed = |error| Error::io("read", path, error);
    let kind = fs::metadata(path).map_err(failed)?;
    if kind.is_file() || kind.is_dir() {
        return Ok(Opened::File(File::open(path).map_err(failed)?, kind.len()));
    }
    match Pipe::open(path, kind.file_type()).map_err(failed)? {
        Some(pipe) => Ok(Opened::Pipe(pipe)),
        None => {
            let what = "a device or a socket, expected a file (`-` stands for a picture on standard input)";
            Err(Error::new(ErrorKind::Input, format!("{}: {what}", path.display())))
        }
    }
}

/// A pipe that is read without waiting for ever: for whoever is to write into it, and for what is to be written.
pub(super) struct Pipe {
    file: File,
    /// Whether something came.
    began: bool,
}

impl Pipe {
    /// `None` of what is no pipe.
    #[cfg(target_os = "linux")]
    fn open(path: &Path, kind: fs::FileType) -> io::Result<Option<Self>> {
        use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
        if !kind.is_fifo() {
            return Ok(None);
        }
        let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Some(Self { file, began: false }))
    }

    #[cfg(not(target_os = "linux"))]
    fn open(_: &Path, _: fs::FileType) -> io::Result<Option<Self>> {
        Ok(None)
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let start = Instant::now();
        loop {
            match self.file.read(into) {
                // Nobody has opened it for writing yet.
                Ok(0) if !self.began && !into.is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.began |= result.as_ref().is_ok_and(|count| *count > 0);
                    return result;
                }
            }
            if start.elapsed() > SILENCE {
                let what = format!("nothing was written into the pipe for {} s", SILENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            std::thread::sleep(LOOK);
        }
    }
}
