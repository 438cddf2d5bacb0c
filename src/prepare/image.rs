//! Planes of bytes → `f32[3, height, width]` at the encoder's size.
//!
//! The whole picture is stretched to the encoder's size, its sides apart: padding is a texture of its own, and wasted
//! cells.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::error::{Error, ErrorKind, Result};
use crate::prepare::pixels::{Bytes, Chroma, Planes, ToRgb};

/// Turns planes into encoder inputs, reusing its memory: nothing is allocated for a picture of a known size.
pub struct Preparer {
    stretcher: Stretcher,
    /// Resized bytes: of a picture, or of luma and then of the colour differences.
    bytes: [Vec<u8>; 3],
    mean: [f32; 3],
    scale: [f32; 3],
    /// Model value of each byte, per channel.
    table: [[f32; 256]; 3],
}

impl Preparer {
    /// For a model that takes `(byte - mean) / scale` per channel.
    pub fn new(mean: [f32; 3], scale: [f32; 3]) -> Self {
        let table = std::array::from_fn(|c| std::array::from_fn(|byte| (byte as f32 - mean[c]) / scale[c]));
        Self { stretcher: Stretcher::new(), bytes: Default::default(), mean, scale, table }
    }

    /// Stretches `planes` to `height` x `width` and writes them to `into`, `f32[3, height, width]`, RGB.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when `into` has another size or a plane is not as large as it says.
    pub fn run(&mut self, planes: &Planes, [height, width]: [usize; 2], into: &mut [f32]) -> Result<()> {
        if into.len() != 3 * height * width {
            let what = format!("the input of {} values is not 3 x {height} x {width}", into.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        let (from, to) = ([planes.width, planes.height], [width, height]);
        let Self { stretcher, bytes: [first, second, third], .. } = self;
        match planes.bytes {
            Bytes::Grey(pixels) => {
                stretcher.run(pixels, from, PixelType::U8, first, to)?;
                self.spread_grey(into);
            }
            Bytes::Three { pixels, blue_first } => {
                stretcher.run(pixels, from, PixelType::U8x3, first, to)?;
                self.spread_three(blue_first, into);
            }
            Bytes::Video { luma, chroma, size, colour } => {
                stretcher.run(luma, from, PixelType::U8, first, to)?;
                match chroma {
                    Chroma::Pairs(pairs) => stretcher.run(pairs, size, PixelType::U8x2, second, to)?,
                    Chroma::Planes([blue, red]) => {
                        stretcher.run(blue, size, PixelType::U8, second, to)?;
                        stretcher.run(red, size, PixelType::U8, third, to)?;
                    }
                }
                let to_rgb = ToRgb::new(colour);
                match chroma {
                    Chroma::Pairs(_) => {
                        let pairs = self.bytes[1].as_chunks::<2>().0.iter().copied();
                        self.spread_video(to_rgb, pairs, into);
                    }
                    Chroma::Planes(_) => {
                        let pairs = self.bytes[1].iter().zip(&self.bytes[2]).map(|(&blue, &red)| [blue, red]);
                        self.spread_video(to_rgb, pairs, into);
                    }
                }
            }
        }
        Ok(())
    }

    fn spread_grey(&self, into: &mut [f32]) {
        for (plane, table) in into.chunks_exact_mut(self.bytes[0].len()).zip(&self.table) {
            plane.iter_mut().zip(&self.bytes[0]).for_each(|(value, &byte)| *value = table[usize::from(byte)]);
        }
    }

    fn spread_three(&self, blue_first: bool, into: &mut [f32]) {
        // In the order of the bytes.
        let (mut planes, mut tables) = (split(into), [&self.table[0], &self.table[1], &self.table[2]]);
        if blue_first {
            planes.reverse();
            tables.reverse();
        }
        let [a, b, c] = planes;
        let (pixels, _) = self.bytes[0].as_chunks::<3>();
        for (((&[x, y, z], a), b), c) in pixels.iter().zip(a).zip(b).zip(c) {
            *a = tables[0][usize::from(x)];
            *b = tables[1][usize::from(y)];
            *c = tables[2][usize::from(z)];
        }
    }

    fn spread_video(&self, to_rgb: ToRgb, pairs: impl Iterator<Item = [u8; 2]>, into: &mut [f32]) {
        let gain = self.scale.map(|scale| 1.0 / scale);
        let [red, green, blue] = split(into);
        let planes = red.iter_mut().zip(green).zip(blue);
        for ((&luma, [blue, red]), ((r, g), b)) in self.bytes[0].iter().zip(pairs).zip(planes) {
            let rgb = to_rgb.apply(luma, blue, red);
            *r = (rgb[0] - self.mean[0]) * gain[0];
            *g = (rgb[1] - self.mean[1]) * gain[1];
            *b = (rgb[2] - self.mean[2]) * gain[2];
        }
    }
}

/// Three planes of equal length.
fn split(into: &mut [f32]) -> [&mut [f32]; 3] {
    let plane = into.len() / 3;
    let (first, rest) = into.split_at_mut(plane);
    let (second, third) = rest.split_at_mut(plane);
    [first, second, third]
}

/// Resizes planes by a triangle filter that widens when shrinking: the antialiased bilinear of PIL and torchvision.
struct Stretcher {
    resizer: Resizer,
    options: ResizeOptions,
}

impl Stretcher {
    fn new() -> Self {
        let algorithm = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions { algorithm, mul_div_alpha: false, ..ResizeOptions::default() };
        Self { resizer: Resizer::new(), options }
    }

    /// Brings `pixels` of `from`, `[width, height]`, to `to` in `into`.
    fn run(
        &mut self,
        pixels: &[u8],
        from: [usize; 2],
        kind: PixelType,
        into: &mut Vec<u8>,
        to: [usize; 2],
    ) -> Result<()> {
        into.resize(to[0] * to[1] * kind.size(), 0);
        let failed = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Input, format!("cannot resize: {error}"));
        let [width, height] = from.map(|side| side as u32);
        let source = ImageRef::new(width, height, pixels, kind).map_err(|e| failed(&e))?;
        let mut target = Image::from_slice_u8(to[0] as u32, to[1] as u32, into, kind).map_err(|e| failed(&e))?;
        self.resizer.resize(&source, &mut target, &self.options).map_err(|e| failed(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::pixels::Developer;
    use crate::sample::{Colour, Frame, PixelFormat};

    fn run(preparer: &mut Preparer, frame: &Frame, size: [usize; 2]) -> Vec<f32> {
        let mut into = vec![9.0; 3 * size[0] * size[1]];
        let mut developer = Developer::default();
        preparer.run(&developer.develop(frame, size).unwrap(), size, &mut into).unwrap();
        into
    }

    fn bytes_as_they_are() -> Preparer {
        Preparer::new([0.0; 3], [1.0; 3])
    }

    #[test]
    fn black_and_white_become_minus_one_and_one() {
        let frame = Frame::new(vec![0, 255, 0, 0, 255, 0], PixelFormat::Rgb8, 2, 1).unwrap();
        let into = run(&mut Preparer::new([127.5; 3], [127.5; 3]), &frame, [1, 2]);
        assert_eq!(into, [-1.0, -1.0, 1.0, 1.0, -1.0, -1.0]);
    }

    #[test]
    fn grey_fills_three_equal_planes() {
        let frame = Frame::new((0..=199).collect::<Vec<u8>>(), PixelFormat::Grey8, 20, 10).unwrap();
        let into = run(&mut bytes_as_they_are(), &frame, [32, 64]);
        assert_eq!(into[..2048], into[4096..]);
        assert_eq!((into[0], into[2047]), (0.0, 199.0));
    }

    #[test]
    fn each_channel_has_its_own_mean_and_scale_whatever_comes_first() {
        let mut preparer = Preparer::new([10.0, 20.0, 30.0], [1.0, 2.0, 4.0]);
        let rgb = Frame::new(vec![110, 120, 130], PixelFormat::Rgb8, 1, 1).unwrap();
        let bgr = Frame::new(vec![130, 120, 110], PixelFormat::Bgr8, 1, 1).unwrap();
        for frame in [rgb, bgr] {
            assert_eq!(run(&mut preparer, &frame, [1, 1]), [100.0, 50.0, 25.0]);
        }
    }

    /// Resizing luma and colour differences apart gives what resizing RGB gives: both are linear, but for clipping.
    #[test]
    fn video_becomes_what_its_rgb_becomes() {
        let (width, height) = (96, 64);
        // Saturation within what RGB can show, so that nothing is clipped.
        let luma = |i: usize| 90 + ((i * 37) % 70) as u8;
        let difference = |i: usize| 108 + ((i * 13) % 40) as u8;
        for colour in [(false, false), (false, true), (true, false)] {
            let colour = Colour { bt709: colour.0, full: colour.1 };
            let yuyv = (0..width * height).flat_map(|i| [luma(i), difference(i / 17)]).collect::<Vec<u8>>();
            let nv12 = (0..width * height).map(luma).chain((0..width * height / 2).map(|i| difference(i / 31)));
            let frames = [(yuyv, PixelFormat::Yuyv(colour)), (nv12.collect(), PixelFormat::Nv12(colour))];
            for (bytes, format) in frames {
                let frame = Frame::new(bytes, format, width, height).unwrap();
                let plain = crate::prepare::pixels::plain(&frame).unwrap();
                for size in [[16, 24], [40, 40]] {
                    let (got, expected) =
                        (run(&mut bytes_as_they_are(), &frame, size), run(&mut bytes_as_they_are(), &plain, size));
                    let mean = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum::<f32>() / got.len() as f32;
                    assert!(mean < 1.0, "{format:?} to {size:?}: {mean}");
                }
            }
        }
    }

    /// Values by Pillow 13:
    /// `Image.fromarray((np.arange(48*40)*37%256).astype(np.uint8).reshape(40,48)).resize((6,5),Image.BILINEAR)`
    #[test]
    fn shrinking_agrees_with_pillow() {
        let pixels: Vec<u8> = (0..48 * 40).map(|i| (i * 37 % 256) as u8).collect();
        let frame = Frame::new(pixels, PixelFormat::Grey8, 48, 40).unwrap();
        let into = run(&mut bytes_as_they_are(), &frame, [5, 6]);
        let expected: [u8; 30] = [
            127, 127, 128, 128, 129, 122, 129, 128, 129, 127, 128, 130, 127, 127, 128, 128, 129, 124, 129, 128, 129,
            127, 128, 130, 126, 127, 128, 128, 129, 124,
        ];
        for (i, (&got, &want)) in into.iter().zip(&expected).enumerate() {
            assert!((got - f32::from(want)).abs() <= 1.0, "pixel {i}: expected {want}, got {got}");
        }
    }

    #[test]
    fn an_input_of_another_size_is_refused() {
        let frame = Frame::new(vec![0; 4], PixelFormat::Grey8, 2, 2).unwrap();
        let planes = Planes::of(&frame).unwrap();
        assert!(bytes_as_they_are().run(&planes, [1, 1], &mut [0.0; 4]).is_err());
    }
}
