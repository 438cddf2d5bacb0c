//! Working copies of a picture in three sizes, locally normalised.

use kernels::resize::Pixel;

use crate::error::{Error, ErrorKind, Result};

/// Longer side of the finest working copy, in pixels; the others have a half and a quarter of it.
pub(super) const FINE: usize = 320;

/// Values on a pixel grid.
pub(super) struct Grid {
    /// f32[height, width].
    pub(super) values: Vec<f32>,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Grid {
    /// The value at a point, bilinear; `None` outside the centres of the outermost pixels.
    #[inline]
    pub(super) fn at(&self, x: f32, y: f32) -> Option<f32> {
        let (x, y) = (x - 0.5, y - 0.5);
        let inside = x >= 0.0 && y >= 0.0 && x < (self.width - 1) as f32 && y < (self.height - 1) as f32;
        if !inside {
            return None;
        }
        let (left, top) = (x as usize, y as usize);
        let (u, v) = (x - left as f32, y - top as f32);
        let upper = &self.values[top * self.width + left..][..2];
        let lower = &self.values[(top + 1) * self.width + left..][..2];
        let (a, b) = (upper[0] + u * (upper[1] - upper[0]), lower[0] + u * (lower[1] - lower[0]));
        Some(a + v * (b - a))
    }

    /// Means of 2×2 pixels. Width and height are even.
    fn half(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut values = Vec::with_capacity(width * height);
        for rows in self.values.chunks_exact(2 * self.width) {
            let (upper, lower) = rows.split_at(self.width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            values.extend(pairs.map(|(a, b)| 0.25 * (a[0] + a[1] + b[0] + b[1])));
        }
        Self { values, width, height }
    }
}

/// The picture pixels per pixel of the finest working copy, and the three copies, coarsest first.
pub(super) fn pyramid(grey: &[u8], size: [usize; 2]) -> Result<(f64, [Grid; 3])> {
    let [width, height] = size;
    if Some(grey.len()) != width.checked_mul(height) {
        let got = grey.len();
        return Err(Error::new(
            ErrorKind::Input,
            format!("a grey picture of {width}x{height} was wanted, got {got} pixels"),
        ));
    }
    let (long, short) = (width.max(height), width.min(height));
    if short < 32 || short < long.div_ceil(10) {
        return Err(Error::new(
            ErrorKind::Input,
            format!("registration wants sides of at least 32 px and within 1:10 of each other, got {width}x{height}"),
        ));
    }
    let step = long as f64 / FINE as f64;
    // Whole fours, so that the coarser copies are exact; up to 3 px at the right and bottom are left out.
    let [fine_width, fine_height] = size.map(|side| (side as f64 / step + 1e-6) as usize / 4 * 4);
    let whole = [(fine_width as f64 * step).min(width as f64), (fine_height as f64 * step).min(height as f64)];
    let small = resized(grey, Pixel::Grey, size, [fine_width, fine_height], Some(whole))?;
    let fine = normalised(&small, fine_width, fine_height);
    let middle = fine.half();
    let coarse = middle.half();
    Ok((step, [coarse, middle, fine]))
}

pub(super) fn resized(
    pixels: &[u8],
    pixel: Pixel,
    from: [usize; 2],
    to: [usize; 2],
    part: Option<[f64; 2]>,
) -> Result<Vec<u8>> {
    kernels::resize::resized(pixels, pixel, from, to, part)
        .map_err(|error| Error::new(ErrorKind::Input, format!("cannot resize a picture: {error}")))
}

/// Local normalisation: (value − local mean) / (local spread + floor) over a window of a tenth of the longer side.
/// The floor, a share of the picture's own spread, keeps noise in flat places small.
fn normalised(grey: &[u8], width: usize, height: usize) -> Grid {
    let radius = FINE / 20;
    let count = grey.len() as f32;
    let mean = grey.iter().map(|&v| u64::from(v)).sum::<u64>() as f32 / count;
    let mut values: Vec<f32> = grey.iter().map(|&v| f32::from(v) - mean).collect();
    let spread = (values.iter().map(|v| v * v).sum::<f32>() / count).sqrt();
    let floor = 0.3 * spread + 1.0;

    // Sums over the window's rows for each column, moved down row by row; along the row the window slides.
    let (mut sums, mut squares) = (vec![0f32; width], vec![0f32; width]);
    let source = values.clone();
    let row = |y: usize| &source[y * width..][..width];
    let take = |sums: &mut [f32], squares: &mut [f32], y: usize, sign: f32| {
        for ((sum, square), v) in sums.iter_mut().zip(squares).zip(row(y)) {
            *sum += sign * v;
            *square += sign * v * v;
        }
    };
    for y in 0..radius.min(height) {
        take(&mut sums, &mut squares, y, 1.0);
    }
    for y in 0..height {
        if y + radius < height {
            take(&mut sums, &mut squares, y + radius, 1.0);
        }
        if y > radius {
            take(&mut sums, &mut squares, y - radius - 1, -1.0);
        }
        let rows = (y + radius + 1).min(height) - y.saturating_sub(radius);
        let (mut sum, mut square) = (0f32, 0f32);
        for x in 0..radius.min(width) {
            sum += sums[x];
            square += squares[x];
        }
        for x in 0..width {
            if x + radius < width {
                sum += sums[x + radius];
                square += squares[x + radius];
            }
            if x > radius {
                sum -= sums[x - radius - 1];
                square -= squares[x - radius - 1];
            }
            let columns = (x + radius + 1).min(width) - x.saturating_sub(radius);
            let share = 1.0 / (rows * columns) as f32;
            let mean = sum * share;
            let spread = (square * share - mean * mean).max(0.0).sqrt();
            let value = &mut values[y * width + x];
            *value = (*value - mean) / (spread + floor);
        }
    }
    Grid { values, width, height }
}
