//! Golden images: how dark and how bright each pixel of a registered part may be. A pixel outside that band is a
//! deviation. Registration itself is in `prepare`.
//!
//! Lighting is removed first: each pixel is measured against its wide neighbourhood. The band of a pixel also spans its
//! neighbours, so that an edge may shift by two pixels (after the grey-value tolerance of variation models, Steger,
//! Ulrich and Wiedemann, "Machine Vision Algorithms and Applications", 2018, chapter 3.4).

use half::f16;

use crate::error::Result;
use crate::geometry::Affine;
use crate::prepare::fixture::{View, grey};
use crate::prepare::register::warp;

/// Longer side of the compared images.
const SIDE: usize = 480;
/// Pixels by which an edge may shift.
const REACH: usize = 2;
/// Half-width of a neighbourhood, as a share of the longer side.
const NEIGHBOURHOOD: usize = 8;
/// Standard deviation in grey levels below which a neighbourhood counts as flat, so that noise is not amplified.
const FLAT: f32 = 12.0;
/// The image's deviation is the mean of this many highest patches.
const TOP: usize = 4;

/// The allowed band of each pixel, in standard deviations of its neighbourhood.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// Minimum, `f16[height, width]`.
    pub low: Vec<f16>,
    /// Maximum, `f16[height, width]`.
    pub high: Vec<f16>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Golden {
    /// An empty band, for views of `[width, height]`.
    pub fn new(view: [usize; 2]) -> Self {
        let [width, height] = side_of(view);
        Self { low: vec![f16::MAX; width * height], high: vec![f16::MIN; width * height], width, height }
    }

    /// Widens the band by a good view. Pixels outside the view leave it as it is.
    ///
    /// # Errors
    /// As [`warp`].
    pub fn add(&mut self, view: &View) -> Result<()> {
        let (levels, covered) = levels(view)?;
        let least = extreme(&levels, self.width, f32::min);
        let most = extreme(&levels, self.width, f32::max);
        for (i, covered) in covered.iter().enumerate() {
            if *covered != 0 {
                self.low[i] = f16::from_f32(self.low[i].to_f32().min(least[i]));
                self.high[i] = f16::from_f32(self.high[i].to_f32().max(most[i]));
            }
        }
        Ok(())
    }

    /// The union of both bands.
    pub fn joined(mut self, other: &Self) -> Self {
        self.low.iter_mut().zip(&other.low).for_each(|(low, other)| *low = low.min(*other));
        self.high.iter_mut().zip(&other.high).for_each(|(high, other)| *high = high.max(*other));
        self
    }

    /// Writes how far a view leaves the band in each patch of `grid` = [rows, columns] into `cells`, `f32[rows *
    /// columns]`, at least 0. Returns the logarithm of the mean over the four highest patches.
    ///
    /// # Errors
    /// As [`warp`].
    pub fn compare(&self, view: &View, grid: [usize; 2], cells: &mut Vec<f32>) -> Result<f32> {
        let (levels, covered) = levels(view)?;
        let outside = |i: usize| match covered[i] != 0 && self.low[i] <= self.high[i] {
            true => (self.low[i].to_f32() - levels[i]).max(levels[i] - self.high[i].to_f32()).max(0.0),
            false => 0.0,
        };
        let outside: Vec<f32> = (0..levels.len()).map(outside).collect();
        // A single pixel is noise: 3 x 3 means.
        let outside = mean(&outside, self.width, 1);
        cells.clear();
        cells.resize(grid[0] * grid[1], 0.0);
        for (i, &value) in outside.iter().enumerate() {
            let (row, column) = (i / self.width * grid[0] / self.height, i % self.width * grid[1] / self.width);
            let cell = &mut cells[row * grid[1] + column];
            *cell = cell.max(value);
        }
        let mut farthest = cells.clone();
        farthest.sort_by(|a, b| b.total_cmp(a));
        let top = &farthest[..TOP.min(farthest.len())];
        Ok((top.iter().sum::<f32>() / top.len().max(1) as f32 + 0.02).ln())
    }
}

/// `[width, height]` scaled to a longer side of at most [`SIDE`].
fn side_of(view: [usize; 2]) -> [usize; 2] {
    let shrink = (SIDE as f64 / view[0].max(view[1]).max(1) as f64).min(1.0);
    view.map(|side| ((side as f64 * shrink).round() as usize).max(1))
}

/// Each pixel in standard deviations of its neighbourhood, and which pixels the view covers.
fn levels(view: &View) -> Result<(Vec<f32>, Vec<u8>)> {
    let from = [view.frame.width(), view.frame.height()];
    let size = side_of(from);
    let small = warp(&grey(&view.frame)?, from, 1, &Affine::IDENTITY, from, size)?.pixels;
    let (columns, rows) = (size[0], size[1]);
    let covered = (0..columns * rows).map(|i| {
        let (x, y) =
            ((2 * (i % columns) + 1) * from[0] / (2 * columns), (2 * (i / columns) + 1) * from[1] / (2 * rows));
        view.covered[y * from[0] + x]
    });
    let covered = covered.collect();
    let values: Vec<f32> = small.iter().map(|&value| f32::from(value)).collect();
    let squares: Vec<f32> = values.iter().map(|value| value * value).collect();
    let reach = columns.max(rows) / NEIGHBOURHOOD;
    let (means, squares) = (mean(&values, columns, reach), mean(&squares, columns, reach));
    let level =
        |((value, mean), square): ((&f32, &f32), &f32)| (value - mean) / (square - mean * mean).max(FLAT * FLAT).sqrt();
    Ok((values.iter().zip(&means).zip(&squares).map(level).collect(), covered))
}

/// Means over `2 reach + 1` pixels in each direction, fewer at the border. `f32[n / width, width]`.
fn mean(values: &[f32], width: usize, reach: usize) -> Vec<f32> {
    let height = values.len() / width;
    let mut across = vec![0.0; values.len()];
    for (line, out) in values.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
        let mut sum: f64 = line[..reach.min(width)].iter().map(|&value| f64::from(value)).sum();
        for x in 0..width {
            if x + reach < width {
                sum += f64::from(line[x + reach]);
            }
            if x > reach {
                sum -= f64::from(line[x - reach - 1]);
            }
            out[x] = (sum / ((x + reach).min(width - 1) + 1 - x.saturating_sub(reach)) as f64) as f32;
        }
    }
    let mut sums = vec![0.0f64; width];
    let row = |y: usize| &across[y * width..(y + 1) * width];
    for y in 0..reach.min(height) {
        sums.iter_mut().zip(row(y)).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let mut out = Vec::with_capacity(values.len());
    for y in 0..height {
        if y + reach < height {
            sums.iter_mut().zip(row(y + reach)).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        if y > reach {
            sums.iter_mut().zip(row(y - reach - 1)).for_each(|(sum, &value)| *sum -= f64::from(value));
        }
        let count = ((y + reach).min(height - 1) + 1 - y.saturating_sub(reach)) as f64;
        out.extend(sums.iter().map(|sum| (sum / count) as f32));
    }
    out
}

/// The extreme over [`REACH`] pixels in each direction.
fn extreme(values: &[f32], width: usize, pick: fn(f32, f32) -> f32) -> Vec<f32> {
    let height = values.len() / width;
    let over = |near: &dyn Fn(usize) -> f32, at: usize, n: usize| {
        (at.saturating_sub(REACH)..=(at + REACH).min(n - 1)).map(near).reduce(pick).unwrap_or(near(at))
    };
    let across: Vec<f32> =
        (0..values.len()).map(|i| over(&|x| values[i / width * width + x], i % width, width)).collect();
    (0..values.len()).map(|i| over(&|y| across[y * width + i % width], i / width, height)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::fixture::{Fixture, Reference};
    use crate::sample::{Frame, PixelFormat};
    use crate::testing::printed::{Board, Dice, FAULTS, Fault, SIZE, Shot};

    fn shot(seed: u64) -> Shot {
        let pose = Dice(seed).pose(3.0, [0.98, 1.02], 8.0);
        Shot { pose, seed, blur: 0.5, noise: 2.0, light: true }
    }

    fn frame(board: &Board, seed: u64, fault: Option<Fault>) -> Frame {
        Frame::new(board.picture(&shot(seed), fault), PixelFormat::Rgb8, SIZE[0], SIZE[1]).unwrap()
    }

    #[test]
    fn five_boards_tell_a_faulty_one_from_a_good_one() {
        let board = Board::new(7);
        let fixture = Fixture::new(&Reference::of(&frame(&board, 1, None)).unwrap()).unwrap();
        let mut golden = Golden::new(fixture.size());
        for seed in 1..=5 {
            golden.add(&fixture.view(&frame(&board, seed, None)).unwrap()).unwrap();
        }
        let deviation = |seed: u64, fault: Option<Fault>| {
            let view = fixture.view(&frame(&board, seed, fault)).unwrap();
            golden.compare(&view, [40, 40], &mut Vec::new()).unwrap()
        };
        let strangest_good = (10..20).map(|seed| deviation(seed, None)).fold(f32::MIN, f32::max);
        let found = |fault: Fault| (30..36).filter(|&seed| deviation(seed, Some(fault)) > strangest_good).count();
        let all: Vec<(Fault, usize)> = FAULTS.iter().map(|&fault| (fault, found(fault))).collect();
        let total: usize = all.iter().map(|(_, found)| found).sum();
        // A broken trace and a wrong letter are a pixel or two wide here: half of them drown in the noise.
        assert!(total >= 32, "of six each above {strangest_good}: {all:?}");
    }

    #[test]
    fn means_are_those_of_the_pixels_around() {
        let values: Vec<f32> = (0..30).map(|i| ((i * 7) % 11) as f32).collect();
        let got = mean(&values, 6, 2);
        for (i, got) in got.iter().enumerate() {
            let (x, y) = (i % 6, i / 6);
            let near = (0..30usize).filter(|j| (j % 6).abs_diff(x) <= 2 && (j / 6).abs_diff(y) <= 2);
            let near: Vec<f32> = near.map(|j| values[j]).collect();
            assert!((got - near.iter().sum::<f32>() / near.len() as f32).abs() < 1e-5);
        }
    }
}
