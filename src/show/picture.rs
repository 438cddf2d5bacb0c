//! An RGB picture for display, and its bytes as PNG or JPEG. Drawing is left to `draw`.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{self, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use kernels::resize::{Pixel, resized};

use crate::error::{Error, ErrorKind, Result};
use crate::sample::Frame;

/// High enough that no block artefacts show beside a fine scratch.
const JPEG_QUALITY: u8 = 85;
/// High enough that a film gets the verdict of its frames: at 85 still areas flicker.
const FINE_QUALITY: u8 = 97;

/// A picture in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `u8[height, width, 3]`, RGB.
    pub pixels: Vec<u8>,
    /// Columns, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
}

impl Picture {
    /// A picture of one colour; a side of zero becomes one.
    pub fn filled([width, height]: [usize; 2], colour: [u8; 3]) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { pixels: colour.repeat(width * height), width, height }
    }

    /// A copy of a plain frame.
    ///
    /// # Errors
    /// As [`Frame::channels`].
    pub fn of(frame: &Frame) -> Result<Self> {
        let (width, height) = (frame.width(), frame.height());
        let pixels = match frame.channels()? {
            1 => frame.pixels().iter().flat_map(|&grey| [grey; 3]).collect(),
            _ => frame.pixels().to_vec(),
        };
        Ok(Self { pixels, width, height })
    }

    /// The same picture at `[width, height]`, antialiased.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the picture is too large to be resized.
    pub fn resized(&self, [width, height]: [usize; 2]) -> Result<Self> {
        if [width, height] == [self.width, self.height] {
            return Ok(self.clone());
        }
        let [width, height] = [width, height].map(|side| side.max(1));
        let pixels = resized(&self.pixels, Pixel::Rgb, [self.width, self.height], [width, height], None)
            .map_err(|error| Error::new(ErrorKind::Input, format!("cannot resize: {error}")))?;
        Ok(Self { pixels, width, height })
    }

    /// The bytes of a PNG file: exact.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the picture is larger than the format allows.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut bytes, png::CompressionType::Fast, png::FilterType::Adaptive);
        self.encode(encoder)?;
        Ok(bytes)
    }

    /// The bytes of a JPEG file: a tenth of the size, for pages.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the picture is larger than the format allows.
    pub fn jpeg(&self) -> Result<Vec<u8>> {
        self.jpeg_of(JPEG_QUALITY)
    }

    /// The bytes of a JPEG file that can be judged: its noise is below that of a camera.
    ///
    /// # Errors
    /// As [`Picture::jpeg`].
    pub fn fine_jpeg(&self) -> Result<Vec<u8>> {
        self.jpeg_of(FINE_QUALITY)
    }

    fn jpeg_of(&self, quality: u8) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode(JpegEncoder::new_with_quality(&mut bytes, quality))?;
        Ok(bytes)
    }

    fn encode(&self, encoder: impl ImageEncoder) -> Result<()> {
        encoder
            .write_image(&self.pixels, self.width as u32, self.height as u32, ExtendedColorType::Rgb8)
            .map_err(|error| Error::caused(ErrorKind::Input, "cannot encode a picture", error))
    }

    /// Sets a pixel; outside the picture it does nothing.
    pub(super) fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            let at = 3 * (y * self.width + x);
            self.pixels[at..at + 3].copy_from_slice(&colour);
        }
    }
}

/// `[width, height]` scaled to a longer side of `longest`, each side at least 1.
pub fn fit([width, height]: [usize; 2], longest: usize) -> [usize; 2] {
    let scale = longest as f64 / width.max(height).max(1) as f64;
    [width, height].map(|side| ((side as f64 * scale).round() as usize).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;
    use crate::source::recording;

    #[test]
    fn a_png_brings_every_pixel_back() {
        let frame = Frame::new((0..=255u8).collect::<Vec<_>>(), PixelFormat::Grey8, 32, 8).unwrap();
        let picture = Picture::of(&frame).unwrap();
        let back = recording::decode(&picture.png().unwrap(), "x.png").unwrap();
        assert_eq!((back.pixels(), back.width(), back.height()), (&picture.pixels[..], 32, 8));
    }

    #[test]
    fn resizing_keeps_the_shape() {
        assert_eq!(fit([4000, 3000], 480), [480, 360]);
        assert_eq!(fit([100, 50], 480), [480, 240]);
        assert_eq!(fit([9000, 2], 480), [480, 1]);
        let small = Picture::filled([96, 64], [10, 200, 30]).resized([48, 32]).unwrap();
        assert_eq!(small, Picture::filled([48, 32], [10, 200, 30]));
        let jpeg = recording::decode(&small.jpeg().unwrap(), "x.jpg").unwrap();
        assert_eq!((jpeg.width(), jpeg.height()), (48, 32));
    }
}
