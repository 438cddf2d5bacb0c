//! Measures that tell whether a picture can be judged at all: light and focus. Limits are learned with the
//! part, not set here.

use crate::prepare::pixels::Planes;

/// What was measured of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    /// Mean brightness, 0 to 255.
    pub brightness: f32,
    /// Standard deviation of brightness, 0 to 127.5.
    pub contrast: f32,
    /// Share of pixels at the black end (0 to 2), 0 to 1.
    pub black: f32,
    /// Share of pixels at the white end (253 to 255), 0 to 1.
    pub white: f32,
    /// Natural logarithm of the variance of the Laplacian over the variance of brightness (after Pech-Pacheco
    /// et al. 2000): falls when focus is lost, whatever the exposure.
    pub sharpness: f32,
}

/// Rows that are looked at, at most: focus needs native detail, but not everywhere.
const ROWS: usize = 96;

/// Measures a picture on up to 96 evenly spaced rows at full horizontal detail; `row` is memory that is used again.
pub fn measure(planes: &Planes, row: &mut Vec<u8>) -> Quality {
    let every = planes.height.div_ceil(ROWS).max(1);
    let (mut count, mut sum, mut square) = (0u64, 0u64, 0u64);
    let (mut black, mut white) = (0u64, 0u64);
    let (mut bends, mut bend_square) = (0u64, 0u64);
    for y in (every / 2..planes.height).step_by(every) {
        planes.brightness(y, row);
        count += row.len() as u64;
        sum += row.iter().map(|&v| u64::from(v)).sum::<u64>();
        square += row.iter().map(|&v| u64::from(u32::from(v) * u32::from(v))).sum::<u64>();
        black += row.iter().filter(|&&v| v <= 2).count() as u64;
        white += row.iter().filter(|&&v| v >= 253).count() as u64;
        bends += row.len().saturating_sub(2) as u64;
        let bend = |w: &[u8]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).unsigned_abs();
        bend_square += row.windows(3).map(|w| u64::from(bend(w) * bend(w))).sum::<u64>();
    }
    let n = count.max(1) as f32;
    let brightness = sum as f32 / n;
    let variance = (square as f32 / n - brightness * brightness).max(0.0);
    let roughness = bend_square as f32 / bends.max(1) as f32;
    Quality {
        brightness,
        contrast: variance.sqrt(),
        black: black as f32 / n,
        white: white as f32 / n,
        sharpness: ((roughness + 0.05) / (variance + 0.05)).ln(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Frame, PixelFormat};

    fn measured(frame: &Frame) -> Quality {
        measure(&Planes::of(frame).unwrap(), &mut Vec::new())
    }

    fn textured(width: usize, height: usize, blur: usize) -> Frame {
        let raw: Vec<u32> = (0..width * height).map(|i| ((i * 7919) % 1009) as u32 % 200 + 20).collect();
        let mean = |x: usize, y: usize| {
            let from = x.saturating_sub(blur);
            let line = &raw[y * width + from..y * width + (x + blur + 1).min(width)];
            (line.iter().sum::<u32>() / line.len() as u32) as u8
        };
        let pixels: Vec<u8> = (0..width * height).map(|i| mean(i % width, i / width)).collect();
        Frame::new(pixels, PixelFormat::Grey8, width, height).unwrap()
    }

    #[test]
    fn blur_lowers_sharpness_and_dimming_does_not() {
        let sharp = textured(200, 150, 0);
        let blurred = measured(&textured(200, 150, 4));
        let dim = Frame::new(sharp.pixels().iter().map(|v| v / 3).collect::<Vec<u8>>(), PixelFormat::Grey8, 200, 150);
        let (sharp, dim) = (measured(&sharp), measured(&dim.unwrap()));
        assert!(blurred.sharpness < sharp.sharpness - 1.0, "{blurred:?} {sharp:?}");
        assert!((dim.sharpness - sharp.sharpness).abs() < 0.1);
        assert!(dim.brightness < sharp.brightness / 2.0);
    }

    #[test]
    fn both_ends_of_the_scale_are_counted() {
        let frame = Frame::new(
            [[0u8, 0, 0].as_slice(), &[9, 255, 9], &[9, 128, 9], &[9, 1, 9]].concat(),
            PixelFormat::Rgb8,
            2,
            2,
        );
        let quality = measured(&frame.unwrap());
        assert_eq!((quality.black, quality.white), (0.5, 0.25));
        assert_eq!(quality.brightness, 96.0);
    }

    #[test]
    fn a_single_pixel_is_measured() {
        let quality = measured(&Frame::new(vec![50u8], PixelFormat::Grey8, 1, 1).unwrap());
        assert!(quality.sharpness.is_finite() && quality.brightness == 50.0);
    }
}
