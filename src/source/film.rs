//! Recordings played as a camera: a folder, an image, or a film through `ffmpeg` if installed. Finding and decoding image
//! files is left to `recording`.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::beat::Beat;
use super::pool::Pool;
use super::{Fault, FaultKind, Next, Source, recording};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Clip, Colour, Frame, PixelFormat};
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

/// Reads a whole film of limited length and size.
///
/// # Errors
/// As [`open`] of a film; [`ErrorKind::Input`] when it is longer or larger, or as [`Clip::new`].
pub(super) fn whole(path: &Path, most_seconds: f64, most_bytes: usize) -> Result<Clip> {
    let mut film = Film::open(&station::Recording { path: path.to_path_buf(), rate: None, repeat: false })?;
    let wrong = |what: String| Error::new(ErrorKind::Input, format!("{}: {what}", path.display()));
    let mut frames = Vec::new();
    while let Some((bytes, length)) = film.read()? {
        let mut frame = film.frame(bytes, length)?;
        frame.sequence = frames.len() as u64;
        frames.push(frame);
        if frames.len() as f64 > (most_seconds + 1.0) * film.rate.max(0.1) {
            return Err(wrong(format!("lasts over {most_seconds} s, the longest that a clip may be")));
        }
        if frames.len() * length > most_bytes {
            return Err(wrong(format!("has over the {} MiB that are read at most", most_bytes >> 20)));
        }
    }
    if frames.is_empty() {
        return Err(wrong("the film has no picture".into()));
    }
    Clip::new(frames, film.rate).map_err(|error| wrong(error.message().to_string()))
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
    child: Child,
    frames: BufReader<ChildStdout>,
    size: [usize; 2],
    rate: f64,
    beat: Beat,
    pool: Pool,
    delivered: bool,
    planes: Vec<u8>,
}

impl Film {
    fn open(wanted: &station::Recording) -> Result<Self> {
        let (child, mut frames) = decoder(&wanted.path)?;
        let (size, rate) = header(&mut frames, &wanted.path)?;
        let beat = Beat::new(wanted.rate);
        let (pool, planes) = (Pool::default(), Vec::new());
        Ok(Self { wanted: wanted.clone(), child, frames, size, rate, beat, pool, delivered: false, planes })
    }

    /// The bytes of the next frame as NV12, if any.
    fn read(&mut self) -> Result<Option<(Arc<[u8]>, usize)>> {
        let path = &self.wanted.path;
        let failed = |error| Error::io("read", path, error);
        let mut line = Vec::new();
        self.frames.read_until(b'\n', &mut line).map_err(failed)?;
        if !line.starts_with(b"FRAME") {
            return Ok(None);
        }
        let [width, height] = self.size;
        let (luma, pairs) = (width * height, width * height / 2);
        self.planes.resize(luma + pairs, 0);
        if self.frames.read_exact(&mut self.planes).is_err() {
            return Ok(None);
        }
        let (luma, differences) = self.planes.split_at(luma);
        let (blue, red) = differences.split_at(pairs / 2);
        let length = luma.len() + pairs;
        let bytes = self.pool.fill(length, |bytes| {
            let (into, pairs) = bytes[..length].split_at_mut(luma.len());
            into.copy_from_slice(luma);
            let (pairs, _) = pairs.as_chunks_mut::<2>();
            pairs.iter_mut().zip(blue).zip(red).for_each(|((pair, &blue), &red)| *pair = [blue, red]);
        });
        Ok(Some((bytes, length)))
    }

    fn frame(&self, bytes: Arc<[u8]>, length: usize) -> Result<Frame> {
        let [width, height] = self.size;
        let colour = Colour { bt709: height >= 720, full: false };
        Frame::over(bytes, length, PixelFormat::Nv12(colour), width, height)
    }
}

impl Source for Film {
    fn describe(&self) -> String {
        let ([width, height], rate) = (self.size, self.rate);
        format!("{}: {width} x {height}, taken at {rate:.4}/s{}", self.wanted.path.display(), told(self.wanted.rate))
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        let Some((stamp, number)) = self.beat.wait(patience) else { return Ok(Next::Nothing) };
        let read = match self.read()? {
            None if !self.delivered => {
                return Err(Error::new(
                    ErrorKind::Input,
                    format!("{}: the film has no picture", self.wanted.path.display()),
                ));
            }
            None if self.wanted.repeat => {
                let _ended = self.child.wait();
                (self.child, self.frames) = decoder(&self.wanted.path)?;
                header(&mut self.frames, &self.wanted.path)?;
                self.read()?
            }
            read => read,
        };
        let Some((bytes, length)) = read else { return Ok(Next::End) };
        self.delivered = true;
        let mut frame = self.frame(bytes, length)?;
        (frame.stamp, frame.sequence) = (stamp, number);
        Ok(Next::Frame(frame))
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Accepted film containers, by `ffmpeg`'s names. Each contains its own frames.
const CONTAINERS: &str = "asf,avi,flv,gif,h264,hevc,matroska,webm,mjpeg,mov,mp4,m4a,3gp,3g2,mj2,m4v,mpeg,mpegts,\
                          mpegvideo,mxf,nut,ogg,yuv4mpegpipe";

/// Starts `ffmpeg`, which writes the frames as YUV4MPEG2 (size and rate in its header), with even sides.
///
/// The path gets the prefix `file:`, because `10:30.mp4` would be read as an address. Playlists and session descriptions named
/// `.mp4` are refused, because ffmpeg would open the files and hosts in them.
fn decoder(path: &Path) -> Result<(Child, BufReader<ChildStdout>)> {
    let mut file = OsString::from("file:");
    file.push(path);
    let child = Command::new("ffmpeg")
        .args(["-v", "quiet", "-nostdin", "-protocol_whitelist", "file", "-format_whitelist", CONTAINERS, "-i"])
        .arg(file)
        .args(["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| {
        let what = format!(
            "{} is no picture, and a film is read by `ffmpeg`, which is not there (apt install ffmpeg)",
            path.display()
        );
        Error::caused(ErrorKind::Config, what, error)
    })?;
    let out = child.stdout.take().ok_or_else(|| Error::new(ErrorKind::Runtime, "ffmpeg writes nowhere"))?;
    Ok((child, BufReader::with_capacity(1 << 20, out)))
}

/// Size and frame rate of a YUV4MPEG2 stream, as in `YUV4MPEG2 W1920 H1080 F30:1 …`.
fn header(stream: &mut BufReader<ChildStdout>, path: &Path) -> Result<([usize; 2], f64)> {
    let none =
        || Error::new(ErrorKind::Input, format!("{}: neither a picture nor a film that ffmpeg reads", path.display()));
    let mut line = Vec::new();
    stream.take(1000).read_until(b'\n', &mut line).map_err(|error| Error::io("read", path, error))?;
    let line = String::from_utf8_lossy(&line);
    let mut words = line.split_whitespace();
    if words.next() != Some("YUV4MPEG2") {
        return Err(none());
    }
    let (mut size, mut rate) = ([0; 2], 0.0);
    for word in words {
        match word.split_at(1) {
            ("W", width) => size[0] = width.parse().unwrap_or(0),
            ("H", height) => size[1] = height.parse().unwrap_or(0),
            ("F", fraction) => {
                let parts = fraction.split_once(':').map(|(a, b)| (a.parse::<f64>(), b.parse::<f64>()));
                if let Some((Ok(a), Ok(b))) = parts {
                    rate = a / b;
                }
            }
            _ => {}
        }
    }
    if size.iter().any(|&side| side == 0 || side > 1 << 14) { Err(none()) } else { Ok((size, rate)) }
}
