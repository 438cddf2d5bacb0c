//! What the senses bring: plain data whose bytes are shared, not copied, between threads.
//! Where a sample comes from is left to `source`, what a model makes of it to `prepare`.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::time::Stamp;

/// How the bytes of a [`Frame`] are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// One byte a pixel, 0 black to 255 white.
    Grey8,
    /// Three bytes a pixel: red, green, blue; sRGB.
    Rgb8,
}

impl PixelFormat {
    /// Bytes of one pixel.
    pub const fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Grey8 => 1,
            Self::Rgb8 => 3,
        }
    }
}

/// One picture: rows from top to bottom without padding.
#[derive(Debug, Clone)]
pub struct Frame {
    /// `height * width * format.bytes_per_pixel()` bytes, row by row.
    pixels: Arc<[u8]>,
    format: PixelFormat,
    width: usize,
    height: usize,
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
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(format.bytes_per_pixel()));
        if width == 0 || height == 0 || expected != Some(pixels.len()) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("a {width} x {height} {format:?} frame cannot have {} bytes", pixels.len()),
            ));
        }
        Ok(Self { pixels, format, width, height, stamp: Stamp::now(), sequence: 0 })
    }

    /// The bytes, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// How the bytes are to be read.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixel at column `x`, row `y` as red, green, blue.
    pub fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let at = y * self.width + x;
        match self.format {
            PixelFormat::Grey8 => [self.pixels[at]; 3],
            PixelFormat::Rgb8 => [self.pixels[3 * at], self.pixels[3 * at + 1], self.pixels[3 * at + 2]],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_refuses_bytes_that_do_not_fill_it() {
        let error = Frame::new(vec![0u8; 11], PixelFormat::Rgb8, 2, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(error.message(), "a 2 x 2 Rgb8 frame cannot have 11 bytes");
        assert!(Frame::new(vec![0u8; 0], PixelFormat::Grey8, 0, 7).is_err());
        assert!(Frame::new(vec![0u8; 8], PixelFormat::Rgb8, usize::MAX, 2).is_err());
    }

    #[test]
    fn grey_reads_as_three_equal_channels() {
        let frame = Frame::new(vec![7u8, 9], PixelFormat::Grey8, 2, 1).unwrap();
        assert_eq!(frame.rgb(1, 0), [9, 9, 9]);
    }
}
