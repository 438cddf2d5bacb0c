//! Measures that show whether an image can be judged at all: light and focus. The limits are learned with the part, not
//! set here.

use crate::prepare::pixels::{Channels, Planes, from_studio};

/// Measurements of an image.
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
    /// Natural logarithm of the variance of the Laplacian over the variance of brightness (after Pech-Pacheco et al.
    /// 2000). It falls when focus is lost, whatever the exposure.
    pub sharpness: f32,
}

/// Contrast in grey levels below which an image shows nothing: less is a camera's own noise, behind its cap.
pub(super) const LEAST_CONTRAST: f32 = 1.0;

/// Rows and columns of a [`sketch`].
pub const SKETCH: usize = 16;

/// The part of the scale from 0 to 255 that an image uses, in its richest channel.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Span {
    /// Standard deviation of the values.
    pub contrast: f32,
    /// Mean of the values.
    pub mean: f32,
    /// Brightness that 99.9 % of the pixels do not exceed.
    pub top: u8,
}

impl Span {
    /// Measures a picture on up to 96 evenly spaced rows. Of video, luma alone is looked at; of RGB each channel, for under
    /// red light the others are black.
    pub fn of(planes: &Planes) -> Self {
        let (channels, is_studio) = match &planes.channels {
            Channels::Video(three, colour) => (&three[..1], !colour.full),
            channels => (channels.as_slice(), false),
        };
        let every = planes.height.div_ceil(ROWS).max(1);
        let mut richest = Self::default();
        for channel in channels {
            let mut counts = [0u64; 256];
            for y in (every / 2..channel.height).step_by(every) {
                let values = channel.row(y).map(|value| if is_studio { from_studio(value) } else { value });
                values.for_each(|value| counts[usize::from(value)] += 1);
            }
            let span = Self::of_counts(&counts);
            richest = Self {
                contrast: richest.contrast.max(span.contrast),
                mean: richest.mean.max(span.mean),
                top: richest.top.max(span.top),
            };
        }
        richest
    }

    fn of_counts(counts: &[u64; 256]) -> Self {
        let all = counts.iter().sum::<u64>().max(1);
        let sum = |of: fn(f64) -> f64| (0u32..).zip(counts).map(|(v, n)| of(f64::from(v)) * *n as f64).sum::<f64>();
        let mean = sum(|v| v) / all as f64;
        let variance = (sum(|v| v * v) / all as f64 - mean * mean).max(0.0);
        let mut above = 0;
        let top = (0..=255u8).rev().find(|&value| {
            above += counts[usize::from(value)];
            1000 * above > all
        });
        Self { contrast: variance.sqrt() as f32, mean: mean as f32, top: top.unwrap_or(0) }
    }

    /// The reason why no part can be seen in such an image, if any.
    pub fn blank(&self) -> Option<String> {
        let Self { contrast, mean, .. } = *self;
        let what = match mean {
            dark if dark < 16.0 => "black",
            bright if bright > 239.0 => "white",
            _ => "of one brightness",
        };
        (contrast < LEAST_CONTRAST).then(|| {
            format!("nothing is to be seen: it is {what} (mean {mean:.0}, contrast {contrast:.1} of 255, wanted at least {LEAST_CONTRAST:.0})")
        })
    }
}

/// An image in 16 x 16 fields of mean brightness, 0 to 255, which removes noise.
pub fn sketch(planes: &Planes, row: &mut Vec<u8>) -> [f32; SKETCH * SKETCH] {
    let (mut sums, mut counts) = ([0u64; SKETCH * SKETCH], [0u64; SKETCH * SKETCH]);
    for y in 0..planes.height {
        planes.brightness(y, row);
        let (fields, width) = (y * SKETCH / planes.height * SKETCH, row.len());
        for (x, value) in row.iter().enumerate() {
            let at = fields + x * SKETCH / width;
            sums[at] += u64::from(*value);
            counts[at] += 1;
        }
    }
    std::array::from_fn(|at| sums[at] as f32 / counts[at].max(1) as f32)
}

/// Most rows that are measured: focus needs full detail, but not everywhere.
const ROWS: usize = 96;
/// Columns of a row that are tried for an inspected place, at most.
const TRIED: usize = 256;

/// Measures a picture on up to 96 evenly spaced rows at full horizontal detail; `row` is memory that is used again.
pub fn measure(planes: &Planes, row: &mut Vec<u8>) -> Quality {
    let every = planes.height.div_ceil(ROWS).max(1);
    let mut sums = Sums::default();
    for y in (every / 2..planes.height).step_by(every) {
        planes.brightness(y, row);
        sums.add(row);
    }
    sums.quality()
}

/// As [`measure`], but of what is inspected alone, on up to 96 of the rows that show some of it: what lies beside it
/// may be of any light. `is_ignored` tells of a place `[x, y]`, from 0 to 1, whether it is not inspected; where nothing
/// is, all counts.
pub fn measure_inspected(planes: &Planes, is_ignored: &dyn Fn([f64; 2]) -> bool, row: &mut Vec<u8>) -> Quality {
    let place = |at: usize, side: usize| (at as f64 + 0.5) / side as f64;
    let tried = planes.width.min(TRIED);
    let shows_some = |y: &usize| (0..tried).any(|x| !is_ignored([place(x, tried), place(*y, planes.height)]));
    let rows: Vec<usize> = (0..planes.height).filter(shows_some).collect();
    if rows.is_empty() {
        return measure(planes, row);
    }
    let every = rows.len().div_ceil(ROWS);
    let (mut sums, mut ignored) = (Sums::default(), Vec::new());
    for y in rows.into_iter().skip(every / 2).step_by(every) {
        planes.brightness(y, row);
        ignored.clear();
        ignored.extend((0..row.len()).map(|x| is_ignored([place(x, row.len()), place(y, planes.height)])));
        let mut end = 0;
        for run in ignored.chunk_by(|a, b| a == b) {
            let from = end;
            end += run.len();
            if !run[0] {
                sums.add(&row[from..end]);
            }
        }
    }
    sums.quality()
}

/// What is summed up of the pixels that count.
#[derive(Default)]
struct Sums {
    count: u64,
    sum: u64,
    square: u64,
    black: u64,
    white: u64,
    bends: u64,
    bend_square: u64,
}

impl Sums {
    /// Adds the brightness of pixels that lie side by side.
    fn add(&mut self, values: &[u8]) {
        self.count += values.len() as u64;
        self.sum += values.iter().map(|&v| u64::from(v)).sum::<u64>();
        self.square += values.iter().map(|&v| u64::from(u32::from(v) * u32::from(v))).sum::<u64>();
        self.black += values.iter().filter(|&&v| v <= 2).count() as u64;
        self.white += values.iter().filter(|&&v| v >= 253).count() as u64;
        self.bends += values.len().saturating_sub(2) as u64;
        let bend = |w: &[u8]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).unsigned_abs();
        self.bend_square += values.windows(3).map(|w| u64::from(bend(w) * bend(w))).sum::<u64>();
    }

    fn quality(&self) -> Quality {
        let n = self.count.max(1) as f32;
        let brightness = self.sum as f32 / n;
        let variance = (self.square as f32 / n - brightness * brightness).max(0.0);
        let roughness = self.bend_square as f32 / self.bends.max(1) as f32;
        Quality {
            brightness,
            contrast: variance.sqrt(),
            black: self.black as f32 / n,
            white: self.white as f32 / n,
            sharpness: ((roughness + 0.05) / (variance + 0.05)).ln(),
        }
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
    fn what_shows_nothing_is_told_and_dim_or_coloured_light_shows_something() {
        let span = |format: PixelFormat, pixels: Vec<u8>| {
            let height = pixels.len() / 40 / if format == PixelFormat::Grey8 { 1 } else { 3 };
            Span::of(&Planes::of(&Frame::new(pixels, format, 40, height).unwrap()).unwrap())
        };
        let grey = |of: &dyn Fn(usize) -> u8| span(PixelFormat::Grey8, (0..40 * 30).map(of).collect());
        let told = |span: Span| span.blank().unwrap_or_default();
        assert!(told(grey(&|i| (i % 2) as u8)).starts_with("nothing is to be seen: it is black (mean 0"));
        assert!(told(grey(&|_| 255)).contains("it is white (mean 255, contrast 0.0"));
        assert!(told(grey(&|_| 128)).contains("it is of one brightness"));
        // Twelve bits in sixteen.
        let dim = grey(&|i| (i % 16) as u8);
        assert_eq!((told(dim).as_str(), dim.top), ("", 15));
        // Under red light.
        let red =
            span(PixelFormat::Rgb8, (0..3 * 40 * 30).map(|i| if i % 3 == 0 { (i % 200) as u8 } else { 0 }).collect());
        assert_eq!(told(red), "");
    }

    #[test]
    fn a_sketch_shows_where_it_is_bright_and_no_noise() {
        let pixels = |noise: usize| {
            let value = |i: usize| if i % 160 < 80 { 50 } else { 200 - ((i * 7919 + noise) % 3) as u8 };
            Frame::new((0..160 * 120).map(value).collect::<Vec<u8>>(), PixelFormat::Grey8, 160, 120).unwrap()
        };
        let of = |frame: &Frame| sketch(&Planes::of(frame).unwrap(), &mut Vec::new());
        let (one, other) = (of(&pixels(0)), of(&pixels(1)));
        assert_eq!((one[0], one[7]), (50.0, 50.0));
        assert!(one.iter().zip(other).all(|(a, b)| (a - b).abs() < 0.1) && (one[8] - 199.0).abs() < 0.1);
    }

    #[test]
    fn what_is_not_inspected_does_not_count() {
        // Texture at the left, whatever stands at the right; and in one row alone of many.
        let inspected = textured(100, 150, 0);
        let beside = |value: u8| {
            let rows = inspected.pixels().chunks(100).flat_map(|row| [row, &[value; 60]].concat());
            Frame::new(rows.collect::<Vec<u8>>(), PixelFormat::Grey8, 160, 150).unwrap()
        };
        let right = |[x, _]: [f64; 2]| x > 100.0 / 160.0;
        let of = |frame: &Frame, ignored: &dyn Fn([f64; 2]) -> bool| {
            measure_inspected(&Planes::of(frame).unwrap(), ignored, &mut Vec::new())
        };
        let (dark, bright) = (beside(0), beside(255));
        assert_ne!(measured(&dark), measured(&bright));
        assert_eq!(of(&dark, &right), of(&bright, &right));
        let all = of(&inspected, &|_| false);
        assert_eq!((of(&dark, &right), of(&inspected, &|_| true)), (all, measured(&inspected)));

        let line = Frame::new(
            (0..500 * 40).map(|i| if i / 40 == 333 { 90 } else { 255 }).collect::<Vec<u8>>(),
            PixelFormat::Grey8,
            40,
            500,
        );
        let quality = of(&line.unwrap(), &|[_, y]| (y * 500.0) as usize != 333);
        assert_eq!((quality.brightness, quality.white), (90.0, 0.0));
    }

    #[test]
    fn a_single_pixel_is_measured() {
        let quality = measured(&Frame::new(vec![50u8], PixelFormat::Grey8, 1, 1).unwrap());
        assert!(quality.sharpness.is_finite() && quality.brightness == 50.0);
    }
}
