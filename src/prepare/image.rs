//! Frames → `f32[3, height, width]` at the encoder's size, with the way back to the picture.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;
use crate::sample::Frame;

/// A window of a picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Window {
    /// The whole of a frame.
    pub fn whole(frame: &Frame) -> Self {
        Self { x: 0, y: 0, width: frame.width(), height: frame.height() }
    }
}

/// Turns frames into encoder inputs, reusing its memory: nothing is allocated for a frame of a known size.
pub struct Preparer {
    resizer: Resizer,
    options: ResizeOptions,
    /// Resized bytes, `height * width * channels`.
    bytes: Vec<u8>,
    /// Model value of each byte, per channel.
    table: [[f32; 256]; 3],
}

impl Preparer {
    /// For a model that takes `(byte - mean) / scale` per channel.
    pub fn new(mean: [f32; 3], scale: [f32; 3]) -> Self {
        let table = std::array::from_fn(|c| std::array::from_fn(|byte| (byte as f32 - mean[c]) / scale[c]));
        // A triangle filter that widens when shrinking: the antialiased bilinear of PIL and torchvision.
        let algorithm = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions { algorithm, mul_div_alpha: false, ..ResizeOptions::default() };
        Self { resizer: Resizer::new(), options, bytes: Vec::new(), table }
    }

    /// Stretches `window` of `frame` to `height` x `width` and writes it to `into`, `f32[3, height, width]`,
    /// RGB. Returns `image_from_model`, the map from model pixels to picture pixels.
    ///
    /// The sides are stretched apart rather than padded: padding is a texture of its own, and wasted cells.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the window leaves the frame.
    pub fn run(
        &mut self,
        frame: &Frame,
        window: Window,
        [height, width]: [usize; 2],
        into: &mut [f32],
    ) -> Result<Affine> {
        let inside = window.x + window.width <= frame.width() && window.y + window.height <= frame.height();
        if !inside || window.width == 0 || window.height == 0 || into.len() != 3 * height * width {
            let what = format!("the window {window:?} is not inside a {} x {} picture", frame.width(), frame.height());
            return Err(Error::new(ErrorKind::Input, what));
        }
        let channels = frame.channels()?;
        let pixel = if channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
        self.bytes.resize(height * width * channels, 0);
        let failed = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Input, format!("cannot resize: {error}"));
        let (from_width, from_height) = (frame.width() as u32, frame.height() as u32);
        let source = ImageRef::new(from_width, from_height, frame.pixels(), pixel).map_err(|e| failed(&e))?;
        let mut target =
            Image::from_slice_u8(width as u32, height as u32, &mut self.bytes, pixel).map_err(|e| failed(&e))?;
        let [x, y] = [window.x as f64, window.y as f64];
        let options = self.options.crop(x, y, window.width as f64, window.height as f64);
        self.resizer.resize(&source, &mut target, &options).map_err(|e| failed(&e))?;
        self.spread(channels, into);
        Ok(Affine::scale_shift([window.width as f64 / width as f64, window.height as f64 / height as f64], [x, y]))
    }

    /// Bytes side by side → planes of model values.
    fn spread(&self, channels: usize, into: &mut [f32]) {
        let plane = into.len() / 3;
        let (red, rest) = into.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        match channels {
            1 => {
                let values = self.bytes.iter().zip(red).zip(green).zip(blue);
                for (((&byte, r), g), b) in values {
                    let byte = usize::from(byte);
                    (*r, *g, *b) = (self.table[0][byte], self.table[1][byte], self.table[2][byte]);
                }
            }
            _ => {
                let (pixels, _) = self.bytes.as_chunks::<3>();
                for (((&[x, y, z], r), g), b) in pixels.iter().zip(red).zip(green).zip(blue) {
                    *r = self.table[0][usize::from(x)];
                    *g = self.table[1][usize::from(y)];
                    *b = self.table[2][usize::from(z)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;

    fn preparer() -> Preparer {
        Preparer::new([127.5; 3], [127.5; 3])
    }

    #[test]
    fn black_and_white_become_minus_one_and_one() {
        let frame = Frame::new(vec![0, 255, 0, 0, 255, 0], PixelFormat::Rgb8, 2, 1).unwrap();
        let mut into = vec![9.0; 6];
        preparer().run(&frame, Window::whole(&frame), [1, 2], &mut into).unwrap();
        assert_eq!(into, [-1.0, -1.0, 1.0, 1.0, -1.0, -1.0]);
    }

    #[test]
    fn grey_fills_three_equal_planes_and_the_way_back_keeps_corners() {
        let frame = Frame::new((0..=199).collect::<Vec<u8>>(), PixelFormat::Grey8, 20, 10).unwrap();
        let mut into = vec![0.0; 3 * 32 * 64];
        let window = Window { x: 4, y: 2, width: 16, height: 8 };
        let image_from_model = preparer().run(&frame, window, [32, 64], &mut into).unwrap();
        assert_eq!(into[..2048], into[4096..]);
        assert_eq!(image_from_model.apply([0.0, 0.0]), [4.0, 2.0]);
        assert_eq!(image_from_model.apply([64.0, 32.0]), [20.0, 10.0]);
    }

    /// Values by Pillow 13:
    /// `Image.fromarray((np.arange(48*40)*37%256).astype(np.uint8).reshape(40,48)).resize((6,5),Image.BILINEAR)`
    #[test]
    fn shrinking_agrees_with_pillow() {
        let pixels: Vec<u8> = (0..48 * 40).map(|i| (i * 37 % 256) as u8).collect();
        let frame = Frame::new(pixels, PixelFormat::Grey8, 48, 40).unwrap();
        let mut into = vec![0.0; 3 * 30];
        Preparer::new([0.0; 3], [1.0; 3]).run(&frame, Window::whole(&frame), [5, 6], &mut into).unwrap();
        let expected: [u8; 30] = [
            127, 127, 128, 128, 129, 122, 129, 128, 129, 127, 128, 130, 127, 127, 128, 128, 129, 124, 129, 128, 129,
            127, 128, 130, 126, 127, 128, 128, 129, 124,
        ];
        for (i, (&got, &want)) in into.iter().zip(&expected).enumerate() {
            assert!((got - f32::from(want)).abs() <= 1.0, "pixel {i}: expected {want}, got {got}");
        }
    }

    #[test]
    fn a_window_outside_the_picture_is_refused() {
        let frame = Frame::new(vec![0; 4], PixelFormat::Grey8, 2, 2).unwrap();
        let window = Window { x: 1, y: 0, width: 2, height: 2 };
        assert!(preparer().run(&frame, window, [1, 1], &mut [0.0; 3]).is_err());
    }
}
