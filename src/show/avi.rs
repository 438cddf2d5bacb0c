//! Frames as a film: Motion JPEG in AVI 1.0, which every player supports. Files below 1 GB need no OpenDML.

use std::borrow::Cow;

use super::picture::Picture;
use crate::error::Result;
use crate::prepare::pixels;
use crate::report::Filmed;
use crate::sample::{Frame, PixelFormat};

/// A film built in memory.
pub struct Avi {
    size: [u32; 2],
    rate: f64,
    /// Chunks of the list `movi`.
    frames: Vec<u8>,
    /// Place in `movi` and length of each frame.
    index: Vec<[u32; 2]>,
    largest: u32,
}

impl Avi {
    /// A film of `[width, height]` at `rate` frames a second.
    pub fn new(size: [usize; 2], rate: f64) -> Self {
        Self { size: size.map(|side| side as u32), rate, frames: Vec::new(), index: Vec::new(), largest: 0 }
    }

    /// Adds a JPEG.
    pub fn add(&mut self, jpeg: &[u8]) {
        let length = jpeg.len() as u32;
        self.index.push([self.frames.len() as u32 + 4, length]);
        chunk(&mut self.frames, b"00dc", jpeg);
        self.largest = self.largest.max(length);
    }

    /// The file's bytes.
    pub fn finish(self) -> Vec<u8> {
        let ([width, height], count) = (self.size, self.index.len() as u32);
        // Frames a second as a fraction.
        let rate = (self.rate * 1000.0).round().clamp(1.0, 1e9) as u32;
        let words = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let per_frame = 1_000_000_000 / rate;
        // MainAVIHeader; flag 0x10: has an index.
        let main = words(&[per_frame, 0, 0, 0x10, count, 0, 1, self.largest, width, height, 0, 0, 0, 0]);
        // AVIStreamHeader.
        let mut stream = b"vidsMJPG".to_vec();
        stream.extend(words(&[0, 0, 0, 1000, rate, 0, count, self.largest, u32::MAX, 0]));
        stream.extend([[0, 0], [width as u16, height as u16]].as_flattened().iter().flat_map(|v| v.to_le_bytes()));
        // BITMAPINFOHEADER: one plane, 24 bits.
        let mut format = words(&[40, width, height, 24 << 16 | 1]);
        format.extend(b"MJPG");
        format.extend(words(&[3 * width * height, 0, 0, 0, 0]));
        let mut of_stream = b"strl".to_vec();
        chunk(&mut of_stream, b"strh", &stream);
        chunk(&mut of_stream, b"strf", &format);
        let mut header = b"hdrl".to_vec();
        chunk(&mut header, b"avih", &main);
        chunk(&mut header, b"LIST", &of_stream);
        let mut index = Vec::with_capacity(16 * self.index.len());
        for [at, length] in &self.index {
            // Flag 0x10: key frame.
            index.extend(b"00dc");
            index.extend(words(&[0x10, *at, *length]));
        }
        let mut movie = b"movi".to_vec();
        movie.extend(self.frames);
        let mut body = b"AVI ".to_vec();
        chunk(&mut body, b"LIST", &header);
        chunk(&mut body, b"LIST", &movie);
        chunk(&mut body, b"idx1", &index);
        let mut file = Vec::with_capacity(body.len() + 8);
        chunk(&mut file, b"RIFF", &body);
        file
    }
}

/// JPEG frames with size and rate, ready to be written as a film.
pub struct Film<'a> {
    /// Width and height in pixels.
    pub(crate) size: [usize; 2],
    /// Frames a second.
    rate: f64,
    /// The frames, each a JPEG.
    pub(crate) jpegs: Vec<Cow<'a, [u8]>>,
}

impl<'a> Film<'a> {
    /// From frames in order of time. The rate is that of `filmed`, else that of their time stamps. `None` for fewer than two
    /// frames.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) when a frame cannot be decoded.
    pub fn of(clip: &'a [Frame], filmed: Option<&Filmed>) -> Result<Option<Self>> {
        let [first, .., last] = clip else { return Ok(None) };
        let seconds = last.stamp.ms_since(first.stamp) / 1e3;
        let jpeg = |frame: &'a Frame| match frame.format() {
            PixelFormat::Jpeg => Ok(Cow::Borrowed(frame.pixels())),
            _ => Ok(Cow::Owned(Picture::of(&pixels::plain(frame)?)?.fine_jpeg()?)),
        };
        Ok(Some(Self {
            size: [first.width(), first.height()],
            rate: match filmed {
                Some(filmed) => filmed.frames as f64 / (filmed.ms / 1e3),
                None => (clip.len() - 1) as f64 / seconds.max(1e-3),
            },
            jpegs: clip.iter().map(jpeg).collect::<Result<_>>()?,
        }))
    }

    /// The bytes of the film. With `stands`, a still JPEG is shown for a second after that many frames.
    pub fn avi(&self, stands: Option<(usize, &[u8])>) -> Vec<u8> {
        let mut avi = Avi::new(self.size, self.rate);
        let after = stands.map_or(0, |(after, _)| after);
        self.jpegs[..after].iter().for_each(|jpeg| avi.add(jpeg));
        if let Some((_, still)) = stands {
            (0..(STANDS * self.rate).ceil() as usize).for_each(|_| avi.add(still));
        }
        self.jpegs[after..].iter().for_each(|jpeg| avi.add(jpeg));
        avi.finish()
    }
}

/// Seconds for which the still image is shown.
const STANDS: f64 = 1.0;

/// A RIFF chunk, padded to an even length.
fn chunk(into: &mut Vec<u8>, name: &[u8; 4], bytes: &[u8]) {
    into.extend(name);
    into.extend((bytes.len() as u32).to_le_bytes());
    into.extend(bytes);
    into.resize(into.len() + bytes.len() % 2, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_points_at_every_frame() {
        let mut avi = Avi::new([64, 48], 25.0);
        let frames: [&[u8]; 3] = [b"one", b"four", b"seven!!"];
        frames.iter().for_each(|frame| avi.add(frame));
        let file = avi.finish();
        let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((&file[..4], u32_at(4) + 8), (&b"RIFF"[..], file.len()));
        let find = |name: &[u8]| file.windows(4).position(|w| w == name).unwrap();
        let (movie, index) = (find(b"movi"), find(b"idx1"));
        for (i, frame) in frames.iter().enumerate() {
            let entry = index + 8 + 16 * i;
            let (at, length) = (movie + u32_at(entry + 8), u32_at(entry + 12));
            assert_eq!(&file[at..at + 4], b"00dc");
            assert_eq!(&file[at + 8..at + 8 + length], *frame);
        }
    }
}
