//! Recordings played as a camera: a folder, an image, or a film. Finding and decoding image files is left to `recording`,
//! films to `ffmpeg`.

use std::path::PathBuf;
use std::time::Duration;

use super::beat::Beat;
use super::ffmpeg::Decoder;
use super::{Fault, FaultKind, Next, Source, recording};
use crate::error::{Error, ErrorKind, Result};
use crate::station;

/// Opens a recording as a camera.
///
/// # Errors
/// [`ErrorKind::Io`] if it cannot be read, [`ErrorKind::Input`] if it holds no image, [`ErrorKind::Config`] if it is a film
/// and `ffmpeg` is missing.
pub fn open(wanted: &station::Recording) -> Result<Box<dyn Source>> {
    let path = &wanted.path;
    let kind = path.metadata().map_err(|error| Error::io("read", path, error))?;
    if kind.is_dir() || recording::is_picture(path) {
        Ok(Box::new(Pictures::open(wanted)?))
    } else if !kind.is_file() {
        let what = "a pipe, a socket or a device, expected a folder of pictures, a picture or a film";
        Err(Error::new(ErrorKind::Input, format!("{}: {what}", path.display())))
    } else {
        Ok(Box::new(Film::open(wanted)?))
    }
}

/// Images from files, in the order of their names.
struct Pictures {
    path: PathBuf,
    files: Vec<PathBuf>,
    /// Other files in the folder.
    others: recording::Others,
    at: usize,
    repeat: bool,
    rate: Option<f64>,
    beat: Beat,
    delivered: bool,
}

impl Pictures {
    fn open(wanted: &station::Recording) -> Result<Self> {
        let found = recording::listed(std::slice::from_ref(&wanted.path), recording::is_picture)?;
        let recording::Listed { files, others } = found;
        let station::Recording { path, rate, repeat } = wanted.clone();
        Ok(Self { path, files, others, at: 0, repeat, rate, beat: Beat::new(rate), delivered: false })
    }
}

impl Source for Pictures {
    fn describe(&self) -> String {
        let others = if self.others.is_empty() { String::new() } else { format!("; not used: {}", self.others) };
        format!("{} pictures in {}{}{others}", self.files.len(), self.path.display(), told(self.rate))
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        if self.at == self.files.len() {
            if !self.delivered {
                let (count, path) = (self.files.len(), self.path.display());
                let what = format!("{path}: of {count} pictures none can be read; `eyear inspect` tells why of each");
                return Err(Error::new(ErrorKind::Input, what));
            }
            if !self.repeat {
                return Ok(Next::End);
            }
            self.at = 0;
        }
        let Some((stamp, number)) = self.beat.wait(patience) else { return Ok(Next::Nothing) };
        let path = &self.files[self.at];
        self.at += 1;
        match recording::read(path) {
            Ok(mut frame) => {
                (frame.stamp, frame.sequence) = (stamp, number);
                self.delivered = true;
                Ok(Next::Frame(frame))
            }
            Err(error) => Ok(Next::Fault(Fault { kind: FaultKind::Damaged, count: 1, detail: error.chain() })),
        }
    }
}

fn told(rate: Option<f64>) -> String {
    rate.map(|rate| format!(", {rate}/s")).unwrap_or_default()
}

/// A film that `ffmpeg` decodes in its own process.
struct Film {
    wanted: station::Recording,
    film: Decoder,
    beat: Beat,
    delivered: bool,
}

impl Film {
    fn open(wanted: &station::Recording) -> Result<Self> {
        let film = Decoder::open(&wanted.path)?;
        Ok(Self { wanted: wanted.clone(), film, beat: Beat::new(wanted.rate), delivered: false })
    }
}

impl Source for Film {
    fn describe(&self) -> String {
        let ([width, height], rate) = (self.film.size, self.film.rate);
        format!("{}: {width} x {height}, taken at {rate:.4}/s{}", self.wanted.path.display(), told(self.wanted.rate))
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        let Some((stamp, number)) = self.beat.wait(patience) else { return Ok(Next::Nothing) };
        let read = match self.film.read()? {
            None if !self.delivered => {
                return Err(Error::new(
                    ErrorKind::Input,
                    format!("{}: the film has no picture", self.wanted.path.display()),
                ));
            }
            None if self.wanted.repeat => {
                self.film.restart()?;
                self.film.read()?
            }
            read => read,
        };
        let Some((bytes, length)) = read else { return Ok(Next::End) };
        self.delivered = true;
        let mut frame = self.film.frame(bytes, length)?;
        (frame.stamp, frame.sequence) = (stamp, number);
        Ok(Next::Frame(frame))
    }
}
