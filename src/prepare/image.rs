//! Channels of bytes → `f32[3, height, width]` at the encoder's size.
//!
//! The image is stretched to the encoder's size without keeping its aspect ratio: padding would add a texture of its
//! own and waste patches.

use crate::error::{Error, ErrorKind, Result};
use crate::prepare::pixels::{Channels, Planes, ToRgb};
use crate::prepare::stretch::Stretcher;

/// Turns channels into encoder inputs, with reused buffers: nothing is allocated for an image of a known size.
pub struct Preparer {
    stretchers: [Stretcher; 3],
    /// Weighed rows of a picture, with all that stands in them.
    sums: Vec<u16>,
    /// A row of each channel at the encoder's width.
    rows: [Vec<f32>; 3],
    mean: [f32; 3],
    gain: [f32; 3],
}

impl Preparer {
    /// For a model that takes `(byte - mean) / scale` per channel.
    pub fn new(mean: [f32; 3], scale: [f32; 3]) -> Self {
        let gain = scale.map(|scale| 1.0 / scale);
        Self { stretchers: Default::default(), sums: Vec::new(), rows: Default::default(), mean, gain }
    }

    /// Stretches `planes` to `height` x `width` and writes them to `into`, `f32[3, height, width]`, RGB.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when `into` has another size or a channel is not as large as it says.
    pub fn run(&mut self, planes: &Planes, [height, width]: [usize; 2], into: &mut [f32]) -> Result<()> {
        if into.len() != 3 * height * width {
            let what = format!("the input of {} values is not 3 x {height} x {width}", into.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        for (channel, stretcher) in planes.channels.as_slice().iter().zip(&mut self.stretchers) {
            stretcher.fit(channel, [width, height])?;
        }
        self.rows.iter_mut().for_each(|row| row.resize(width, 0.0));
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, checked on the line above.
            unsafe { self.spread_avx2(&planes.channels, [height, width], into) };
            return Ok(());
        }
        self.spread(&planes.channels, [height, width], into);
        Ok(())
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn spread_avx2(&mut self, channels: &Channels, size: [usize; 2], into: &mut [f32]) {
        self.spread(channels, size, into);
    }

    #[inline(always)]
    fn spread(&mut self, channels: &Channels, [height, width]: [usize; 2], into: &mut [f32]) {
        let Self { stretchers, sums, rows, mean, gain } = self;
        let fit = |value: f32, c: usize| (value - mean[c]) * gain[c];
        let (red, rest) = into.split_at_mut(height * width);
        let (green, blue) = rest.split_at_mut(height * width);
        for y in 0..height {
            let mut summed: &[u8] = &[];
            for ((channel, stretcher), row) in channels.as_slice().iter().zip(&mut *stretchers).zip(&mut *rows) {
                // Channels that stand in the same rows are summed up together.
                if !std::ptr::eq(channel.bytes, summed) {
                    stretcher.down(channel.bytes, y, sums);
                    summed = channel.bytes;
                }
                stretcher.along(channel, sums, row);
            }
            let line = y * width..(y + 1) * width;
            let into = [&mut red[line.clone()], &mut green[line.clone()], &mut blue[line]];
            let [first, second, third] = &*rows;
            match channels {
                Channels::Grey(_) => {
                    for (c, plane) in into.into_iter().enumerate() {
                        plane.iter_mut().zip(first).for_each(|(value, &grey)| *value = fit(grey, c));
                    }
                }
                Channels::Rgb(_) => {
                    for (c, (plane, row)) in into.into_iter().zip(rows.iter()).enumerate() {
                        plane.iter_mut().zip(row).for_each(|(value, &byte)| *value = fit(byte, c));
                    }
                }
                Channels::Video(_, colour) => {
                    let to_rgb = ToRgb::new(*colour);
                    let [red, green, blue] = into;
                    let planes = red.iter_mut().zip(green).zip(blue);
                    for (((&y, &b), &r), ((red, green), blue)) in first.iter().zip(second).zip(third).zip(planes) {
                        let rgb = to_rgb.apply([y, b, r]);
                        (*red, *green, *blue) = (fit(rgb[0], 0), fit(rgb[1], 1), fit(rgb[2], 2));
                    }
                }
            }
        }
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
