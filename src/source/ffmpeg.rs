//! Films that `ffmpeg` decodes in a process of its own, where it is installed.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use super::pool::Pool;
use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Clip, Colour, Frame, PixelFormat};

/// A film whose pictures are read one after the other.
pub(super) struct Decoder {
    path: PathBuf,
    child: Child,
    frames: BufReader<ChildStdout>,
    /// Width and height in pixels, both even.
    pub(super) size: [usize; 2],
    /// Pictures a second, as the film says.
    pub(super) rate: f64,
    pool: Pool,
    planes: Vec<u8>,
}

impl Decoder {
    /// Starts to decode the film at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when there is no `ffmpeg`; [`ErrorKind::Input`] when it reads no film there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (child, mut frames) = decoder(path)?;
        let (size, rate) = header(&mut frames, path)?;
        Ok(Self { path: path.into(), child, frames, size, rate, pool: Pool::default(), planes: Vec::new() })
    }

    /// Starts again with the first picture.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub(super) fn restart(&mut self) -> Result<()> {
        let _ended = self.child.wait();
        (self.child, self.frames) = decoder(&self.path)?;
        (self.size, self.rate) = header(&mut self.frames, &self.path)?;
        Ok(())
    }

    /// The next picture's bytes as NV12, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the decoder cannot be read.
    pub(super) fn read(&mut self) -> Result<Option<(Arc<[u8]>, usize)>> {
        let path = &self.path;
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

    /// These bytes as a frame.
    ///
    /// # Errors
    /// As [`Frame::over`].
    pub(super) fn frame(&self, bytes: Arc<[u8]>, length: usize) -> Result<Frame> {
        let [width, height] = self.size;
        let colour = Colour { bt709: height >= 720, full: false };
        Frame::over(bytes, length, PixelFormat::Nv12(colour), width, height)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A film, whole, of at most so many seconds and bytes.
///
/// # Errors
/// As [`Decoder::open`]; [`ErrorKind::Input`] when it is longer or larger, or as [`Clip::new`].
pub(super) fn whole(path: &Path, most_seconds: f64, most_bytes: usize) -> Result<Clip> {
    let mut film = Decoder::open(path)?;
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

/// What films come in, by `ffmpeg`'s names: each holds its pictures itself.
const CONTAINERS: &str = "asf,avi,flv,gif,h264,hevc,matroska,webm,mjpeg,mov,mp4,m4a,3gp,3g2,mj2,m4v,mpeg,mpegts,\
                          mpegvideo,mxf,nut,ogg,yuv4mpegpipe";

/// Starts `ffmpeg`, which writes the film's pictures as YUV4MPEG2 (its header tells size and rate), with even sides.
///
/// The file is named as one (`file:`), for `10:30.mp4` is no address, and nothing else is read: a playlist or a description of
/// a session that is called `.mp4` names files and hosts, and ffmpeg would go there.
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

/// Size and pictures a second of a YUV4MPEG2 stream, as in `YUV4MPEG2 W1920 H1080 F30:1 …`.
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
