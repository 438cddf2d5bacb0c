//! Samples of each modality: plain data whose bytes are shared, not copied, between threads. `source` reads samples,
//! `prepare` makes model inputs of them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::time::Stamp;

/// A modality that samples are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sense {
    /// Images.
    Image,
    /// Sounds.
    Sound,
    /// Short clips of a motion.
    Clip,
}

impl Sense {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Image, Self::Sound, Self::Clip];

    /// The table of `model.toml` that describes its encoder.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Image => "image_encoder",
            Self::Sound => "audio_encoder",
            Self::Clip => "clip_encoder",
        }
    }

    /// The word in reports, tables and file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Sound => "sound",
            Self::Clip => "clip",
        }
    }

    /// The key of its sentences and kinds in a model package's `words.toml`, and in the package's training data.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Sound => "audio",
            Self::Clip => "clip",
        }
    }

    /// What it takes, in words.
    pub const fn samples(self) -> &'static str {
        match self {
            Self::Image => "pictures",
            Self::Sound => "sounds",
            Self::Clip => "clips",
        }
    }
}

/// Layout of the bytes of a [`Frame`].
///
/// Cameras deliver more formats than the models use: [`crate::prepare::pixels`] turns each into [`Self::Grey8`] or
/// [`Self::Rgb8`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// One byte per pixel, 0 black to 255 white.
    Grey8,
    /// Two bytes per pixel, little-endian, of which the lowest `bits` count: 10, 12, 14 or 16.
    Grey16 {
        /// Bits that count.
        bits: u8,
    },
    /// Three bytes per pixel: red, green, blue; sRGB.
    Rgb8,
    /// Three bytes per pixel: blue, green, red; sRGB.
    Bgr8,
    /// Two pixels in four bytes: luma, blue difference, luma, red difference (4:2:2).
    Yuyv(Colour),
    /// A plane of luma, then one of pairs (blue, red difference) for each 2 x 2 pixels (4:2:0).
    Nv12(Colour),
    /// A JPEG file, as in a camera's MJPEG stream. Its length varies.
    Jpeg,
}

impl PixelFormat {
    /// Bytes of a `width` x `height` frame. `None` if the length varies, the format does not allow these sides, or the
    /// number overflows.
    pub fn bytes(self, width: usize, height: usize) -> Option<usize> {
        let pixels = width.checked_mul(height)?;
        match self {
            Self::Grey8 => Some(pixels),
            Self::Grey16 { .. } => pixels.checked_mul(2),
            Self::Rgb8 | Self::Bgr8 => pixels.checked_mul(3),
            Self::Yuyv(_) => width.is_multiple_of(2).then(|| pixels.checked_mul(2))?,
            Self::Nv12(_) => {
                (width.is_multiple_of(2) && height.is_multiple_of(2)).then(|| pixels.checked_mul(3))?.map(|n| n / 2)
            }
            Self::Jpeg => None,
        }
    }
}

/// Encoding of luma and colour differences (ITU-R BT.601 and BT.709).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour {
    /// BT.709 weights, as in high-definition video; else BT.601, as in webcams and JPEG.
    pub bt709: bool,
    /// Full range, 0 to 255 from black to white; else 16 to 235, as in video.
    pub full: bool,
}

/// One image: rows from top to bottom without padding.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The image's bytes, and perhaps more: a reused buffer has the size of the largest image.
    pixels: Arc<[u8]>,
    /// Number of bytes that belong to the image: as [`PixelFormat::bytes`] says, unless the length varies.
    len: usize,
    format: PixelFormat,
    width: usize,
    height: usize,
    /// Whether it was compressed as JPEG earlier.
    was_jpeg: bool,
    /// When it was taken, or read from a file.
    pub stamp: Stamp,
    /// Counted by the source from 0; a gap means frames were lost.
    pub sequence: u64,
}

impl Frame {
    /// A frame over `pixels`, stamped now.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a side is zero or the bytes do not match the size.
    pub fn new(pixels: impl Into<Arc<[u8]>>, format: PixelFormat, width: usize, height: usize) -> Result<Self> {
        let pixels = pixels.into();
        let len = pixels.len();
        Self::over(pixels, len, format, width, height)
    }

    /// A frame over the first `len` bytes of a reused buffer, stamped now.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn over(pixels: Arc<[u8]>, len: usize, format: PixelFormat, width: usize, height: usize) -> Result<Self> {
        let fits = match format {
            PixelFormat::Jpeg => len > 0,
            _ => format.bytes(width, height) == Some(len),
        };
        if width == 0 || height == 0 || len > pixels.len() || !fits {
            let what = format!("a {width} x {height} {format:?} frame cannot have {len} bytes");
            return Err(Error::new(ErrorKind::Input, what));
        }
        let was_jpeg = format == PixelFormat::Jpeg;
        Ok(Self { pixels, len, format, width, height, was_jpeg, stamp: Stamp::now(), sequence: 0 })
    }

    /// A frame of rows that begin `stride` bytes apart, as cameras and decoders often deliver them; the padding is dropped.
    /// Both planes of [`PixelFormat::Nv12`] have the same stride. Stamped now.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the format has no rows, a row is longer than `stride`, or bytes are missing.
    pub fn padded(pixels: &[u8], stride: usize, format: PixelFormat, width: usize, height: usize) -> Result<Self> {
        let rows = if matches!(format, PixelFormat::Nv12(_)) { height.saturating_add(height / 2) } else { height };
        let row = format.bytes(width, height).map(|bytes| bytes / rows.max(1));
        let needed = rows.checked_sub(1).and_then(|whole| whole.checked_mul(stride)?.checked_add(row?));
        match (row, needed) {
            (Some(row), Some(needed)) if row > 0 && row <= stride && needed <= pixels.len() => {
                let packed: Vec<u8> = pixels.chunks(stride).take(rows).flat_map(|line| &line[..row]).copied().collect();
                Self::new(packed, format, width, height)
            }
            _ => {
                let found = pixels.len();
                let what = format!(
                    "a {width} x {height} {format:?} frame with rows of {stride} bytes cannot have {found} bytes"
                );
                Err(Error::new(ErrorKind::Input, what))
            }
        }
    }

    /// The same image, marked as former JPEG or not.
    pub fn with_jpeg(self, was_jpeg: bool) -> Self {
        Self { was_jpeg, ..self }
    }

    /// Whether the image is or was a JPEG, as far as known. JPEG removes fine noise, so such images differ from others.
    pub fn was_jpeg(&self) -> bool {
        self.was_jpeg
    }

    /// The bytes, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels[..self.len]
    }

    /// The pixel format.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Bytes per pixel of a plain frame, grey or RGB: 1 or 3.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the frame is in a camera format: [`crate::prepare::pixels::plain`] converts it.
    pub fn channels(&self) -> Result<usize> {
        match self.format {
            PixelFormat::Grey8 => Ok(1),
            PixelFormat::Rgb8 => Ok(3),
            other => Err(Error::new(ErrorKind::Input, format!("a plain frame is wanted here, found {other:?}"))),
        }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixel at column `x`, row `y` as red, green, blue; black if the frame is neither grey nor RGB bytes.
    pub fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let at = y * self.width + x;
        match self.format {
            PixelFormat::Grey8 => [self.pixels[at]; 3],
            PixelFormat::Rgb8 => [self.pixels[3 * at], self.pixels[3 * at + 1], self.pixels[3 * at + 2]],
            _ => [0; 3],
        }
    }
}

/// Recorded sound: interleaved samples of all channels.
#[derive(Debug, Clone)]
pub struct Sound {
    /// -1 to 1, `frames * channels` of them.
    samples: Arc<[f32]>,
    rate: u32,
    channels: usize,
    /// When the first sample was taken.
    pub stamp: Stamp,
    /// Samples per channel that the source took before these; a jump means that some were lost.
    pub position: u64,
}

impl Sound {
    /// Sound over `samples`, stamped now, at the start of its source.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the rate or the number of channels is zero, or the samples do not fill the channels.
    pub fn new(samples: impl Into<Arc<[f32]>>, rate: u32, channels: usize) -> Result<Self> {
        let samples = samples.into();
        if rate == 0 || channels == 0 || !samples.len().is_multiple_of(channels) {
            let what = format!("{} samples are no sound of {channels} channels at {rate} Hz", samples.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        Ok(Self { samples, rate, channels, stamp: Stamp::now(), position: 0 })
    }

    /// Interleaved samples of all channels, -1 to 1.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Samples per second and channel.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of samples per channel.
    pub fn len(&self) -> usize {
        self.samples.len() / self.channels
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Duration.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos((self.len() as u128 * 1_000_000_000 / u128::from(self.rate)) as u64)
    }
}

/// A short clip from a fixed camera: frames of one size at an even rate.
#[derive(Debug, Clone)]
pub struct Clip {
    frames: Arc<[Frame]>,
    rate: f64,
}

impl Clip {
    /// A clip of these frames, at `rate` frames per second.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when there are fewer than two frames, they are of different sizes, or the rate is not
    /// within
    /// 0.1 to 10 000.
    pub fn new(frames: impl Into<Arc<[Frame]>>, rate: f64) -> Result<Self> {
        let frames = frames.into();
        let wrong = |what: String| Err(Error::new(ErrorKind::Input, what));
        if frames.len() < 2 {
            return wrong(format!("{} frames show no motion: a clip wants at least 2", frames.len()));
        }
        if !(0.1..=10_000.0).contains(&rate) {
            return wrong(format!("a clip wants 0.1 to 10000 frames a second, found {rate}"));
        }
        let size = |frame: &Frame| [frame.width(), frame.height()];
        let first = size(&frames[0]);
        if let Some((i, other)) = frames.iter().enumerate().find(|(_, frame)| size(frame) != first) {
            let ([wide, tall], [width, height]) = (first, size(other));
            return wrong(format!("frame {i} has {width} x {height} pixels, the first {wide} x {tall}"));
        }
        Ok(Self { frames, rate })
    }

    /// The frames, at least two, oldest first.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Frames per second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Duration in seconds; each frame lasts until the next.
    pub fn seconds(&self) -> f64 {
        self.frames.len() as f64 / self.rate
    }
}

/// What is inspected at once: a sample. Any modality may be absent.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// The image; of a clip, the frame that triggered it.
    pub frame: Option<Frame>,
    /// The sound around it.
    pub sound: Option<Sound>,
    /// The clip that is judged.
    pub clip: Option<Clip>,
    /// The frames before and with the image, oldest first, that a station keeps as evidence. They are not judged.
    pub film: Vec<Frame>,
}

impl From<Frame> for Moment {
    fn from(frame: Frame) -> Self {
        Self { frame: Some(frame), ..Self::default() }
    }
}

impl From<Sound> for Moment {
    fn from(sound: Sound) -> Self {
        Self { sound: Some(sound), ..Self::default() }
    }
}

impl From<Clip> for Moment {
    fn from(clip: Clip) -> Self {
        Self { clip: Some(clip), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_of_each_plane() {
        let video = PixelFormat::Nv12(Colour { bt709: false, full: false });
        // Two rows of luma and one of pairs, two bytes each, then a byte of padding; that of the last row may be missing.
        let bytes = [1, 2, 0, 3, 4, 0, 5, 6];
        assert_eq!(Frame::padded(&bytes, 3, video, 2, 2).unwrap().pixels(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(Frame::padded(&bytes, 3, PixelFormat::Grey8, 2, 3).unwrap().pixels(), [1, 2, 3, 4, 5, 6]);
        let deep = PixelFormat::Grey16 { bits: 12 };
        assert_eq!(Frame::padded(&[1, 0, 9, 2, 0, 9], 3, deep, 1, 2).unwrap().pixels(), [1, 0, 2, 0]);
        for (stride, format, width, height) in [
            (3, video, 2, 4),
            (1, PixelFormat::Grey8, 2, 2),
            (3, PixelFormat::Jpeg, 2, 2),
            (3, PixelFormat::Grey8, 2, usize::MAX),
            (usize::MAX, PixelFormat::Grey8, 2, 3),
            (3, PixelFormat::Grey8, 0, 0),
        ] {
            assert!(Frame::padded(&bytes, stride, format, width, height).is_err(), "{stride} {format:?}");
        }
    }

    #[test]
    fn a_frame_refuses_bytes_that_do_not_fill_it() {
        let error = Frame::new(vec![0u8; 11], PixelFormat::Rgb8, 2, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(error.message(), "a 2 x 2 Rgb8 frame cannot have 11 bytes");
        assert!(Frame::new(vec![0u8; 0], PixelFormat::Grey8, 0, 7).is_err());
        assert!(Frame::new(vec![0u8; 8], PixelFormat::Rgb8, usize::MAX, 2).is_err());
        let video = Colour { bt709: false, full: false };
        assert!(Frame::new(vec![0u8; 12], PixelFormat::Yuyv(video), 3, 2).is_err());
        assert!(Frame::new(vec![0u8; 12], PixelFormat::Nv12(video), 4, 2).is_ok());
        assert!(Frame::new(vec![0u8; 0], PixelFormat::Jpeg, 4, 2).is_err());
        assert!(Frame::over(vec![0u8; 9].into(), 10, PixelFormat::Jpeg, 4, 2).is_err());
        assert_eq!(Frame::over(vec![0u8; 9].into(), 8, PixelFormat::Grey8, 4, 2).unwrap().pixels().len(), 8);
    }

    #[test]
    fn grey_reads_as_three_equal_channels() {
        let frame = Frame::new(vec![7u8, 9], PixelFormat::Grey8, 2, 1).unwrap();
        assert_eq!(frame.rgb(1, 0), [9, 9, 9]);
    }

    #[test]
    fn a_clip_is_of_two_frames_at_least_all_of_one_size() {
        let frame = |width: usize| Frame::new(vec![0u8; width], PixelFormat::Grey8, width, 1).unwrap();
        assert_eq!(Clip::new(vec![frame(2); 30], 20.0).unwrap().seconds(), 1.5);
        let cases = [
            (vec![], 20.0, "0 frames show no motion: a clip wants at least 2"),
            (vec![frame(2)], 20.0, "1 frames show no motion"),
            (vec![frame(2), frame(2), frame(3)], 20.0, "frame 2 has 3 x 1 pixels, the first 2 x 1"),
            (vec![frame(2); 2], 0.0, "a clip wants 0.1 to 10000 frames a second, found 0"),
            (vec![frame(2); 2], f64::NAN, "found NaN"),
        ];
        for (frames, rate, expected) in cases {
            let told = Clip::new(frames, rate).unwrap_err();
            assert!(told.kind() == ErrorKind::Input && told.message().contains(expected), "{expected}: {told}");
        }
    }

    #[test]
    fn sound_counts_samples_of_one_channel() {
        let sound = Sound::new(vec![0.0; 96_000], 48_000, 2).unwrap();
        assert_eq!((sound.len(), sound.duration()), (48_000, Duration::from_secs(1)));
        for (samples, rate, channels) in [(3, 48_000, 2), (2, 0, 1), (2, 8000, 0)] {
            assert_eq!(Sound::new(vec![0.0; samples], rate, channels).unwrap_err().kind(), ErrorKind::Input);
        }
    }
}
