//! Encoder maps → cells on one grid, and one summary of the whole picture. Knows no model and no part.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::error::{Error, ErrorKind, Result};

/// One output of an encoder: `f32[channels, height, width]`, row-major.
#[derive(Debug, Clone, Copy)]
pub struct Map<'a> {
    /// `channels * height * width` values.
    pub values: &'a [f32],
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl<'a> Map<'a> {
    /// A view of `values` as `f32[channels, height, width]`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the sizes do not multiply to the number of values.
    pub fn new(values: &'a [f32], [channels, height, width]: [usize; 3]) -> Result<Self> {
        if channels * height * width != values.len() || values.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("a feature map of [{channels}, {height}, {width}] cannot have {} values", values.len()),
            ));
        }
        Ok(Self { values, channels, height, width })
    }

    fn plane(&self, channel: usize) -> &'a [f32] {
        let size = self.height * self.width;
        &self.values[channel * size..(channel + 1) * size]
    }
}

/// Statistics kept of each channel by [`summarize`].
pub const SUMMARY_STATISTICS: usize = 4;

/// Length of the summary of `maps`: four numbers a channel.
pub fn summary_len(maps: &[Map]) -> usize {
    SUMMARY_STATISTICS * maps.iter().map(|map| map.channels).sum::<usize>()
}

/// Mean, standard deviation, greatest and least value of each channel, in this order, map after map.
///
/// The extremes tell of small defects, mean and deviation of broad ones. `into` is `f32[summary_len]`.
pub fn summarize(maps: &[Map], into: &mut [f32]) {
    let channels = maps.iter().flat_map(|map| (0..map.channels).map(|channel| map.plane(channel)));
    for (plane, out) in channels.zip(into.chunks_exact_mut(SUMMARY_STATISTICS)) {
        out.copy_from_slice(&statistics(plane));
    }
}

/// Eight lanes at a time, so that the compiler can use vector instructions.
fn statistics(plane: &[f32]) -> [f32; SUMMARY_STATISTICS] {
    const LANES: usize = 8;
    let (mut sum, mut square) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (mut top, mut low) = ([f32::MIN; LANES], [f32::MAX; LANES]);
    let (chunks, rest) = plane.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let x = chunk[lane];
            sum[lane] += x;
            square[lane] += x * x;
            top[lane] = if x > top[lane] { x } else { top[lane] };
            low[lane] = if x < low[lane] { x } else { low[lane] };
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        sum[lane] += x;
        square[lane] += x * x;
        top[lane] = top[lane].max(x);
        low[lane] = low[lane].min(x);
    }
    let n = plane.len() as f32;
    let mean = sum.iter().sum::<f32>() / n;
    let variance = (square.iter().sum::<f32>() / n - mean * mean).max(0.0);
    let top = top.iter().fold(f32::MIN, |a, &b| a.max(b));
    let low = low.iter().fold(f32::MAX, |a, &b| a.min(b));
    [mean, variance.sqrt(), top, low]
}

/// Cells of a picture: each channel averaged over its 3 x 3 neighbourhood on the grid (PatchCore's local
/// aggregation, Roth et al. 2022), coarser maps interpolated, finer ones averaged down.
///
/// `into` is `f32[grid height * grid width, channels of all maps]`.
pub fn cells(maps: &[Map], grid: [usize; 2], mut into: ArrayViewMut2<f32>, scratch: &mut Regrid) {
    let mut column = 0;
    for map in maps {
        for channel in 0..map.channels {
            let plane = scratch.run(map.plane(channel), [map.height, map.width], grid);
            into.column_mut(column).iter_mut().zip(plane).for_each(|(out, &value)| *out = value);
            column += 1;
        }
    }
}

/// Adds one map's share of the projected cells, `cells · weights`, without ever making the wide cells.
///
/// Regridding works on each channel alone and is linear, so it commutes with the projection: the map is
/// projected first and only `k` planes are regridded, not one for each channel.
/// `weights` is the map's block, `f32[channels, k]`; `into` is `f32[grid height * grid width, k]`.
///
/// # Errors
/// [`ErrorKind::Config`] when the weights are not those of this map.
pub fn add_projected(
    map: &Map,
    weights: ArrayView2<f32>,
    grid: [usize; 2],
    mut into: ArrayViewMut2<f32>,
    planes: &mut Vec<f32>,
    scratch: &mut Regrid,
) -> Result<()> {
    let (size, k) = (map.height * map.width, weights.ncols());
    planes.resize(planes.len().max(k * size), 0.0);
    let wrong = |error| Error::caused(ErrorKind::Config, "the part's metric does not fit the encoder's maps", error);
    let mut projected = ArrayViewMut2::from_shape((k, size), &mut planes[..k * size]).map_err(wrong)?;
    let values = ArrayView2::from_shape((map.channels, size), map.values).map_err(wrong)?;
    ndarray::linalg::general_mat_mul(1.0, &weights.t(), &values, 0.0, &mut projected);
    for (j, mut column) in into.columns_mut().into_iter().enumerate() {
        let plane = scratch.run(&planes[j * size..(j + 1) * size], [map.height, map.width], grid);
        column.iter_mut().zip(plane).for_each(|(out, &value)| *out += value);
    }
    Ok(())
}

/// Brings a plane to the grid: averages down by whole factors, smooths over 3 x 3, interpolates up.
#[derive(Debug, Default)]
pub struct Regrid {
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Regrid {
    /// `plane` of `size` `[height, width]` → `grid` `[height, width]`; borders are repeated outwards.
    fn run(&mut self, plane: &[f32], size: [usize; 2], grid: [usize; 2]) -> &[f32] {
        let factor = (size[0] / grid[0]).min(size[1] / grid[1]).max(1);
        let [height, width] = [size[0] / factor, size[1] / factor];
        average_down(plane, size[1], factor, [height, width], &mut self.a);
        smooth(&self.a, [height, width], &mut self.b);
        if [height, width] == grid {
            return &self.b;
        }
        interpolate(&self.b, [height, width], grid, &mut self.a);
        &self.a
    }
}

fn average_down(plane: &[f32], stride: usize, factor: usize, [height, width]: [usize; 2], out: &mut Vec<f32>) {
    out.clear();
    if factor == 1 {
        out.extend_from_slice(plane);
        return;
    }
    let share = 1.0 / (factor * factor) as f32;
    for y in 0..height {
        for x in 0..width {
            let rows = (0..factor).map(|dy| (y * factor + dy) * stride + x * factor);
            out.push(rows.map(|at| plane[at..at + factor].iter().sum::<f32>()).sum::<f32>() * share);
        }
    }
}

fn smooth(plane: &[f32], [height, width]: [usize; 2], out: &mut Vec<f32>) {
    out.clear();
    for y in 0..height {
        let row = |y: usize| &plane[y * width..(y + 1) * width];
        let (above, here, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(height - 1)));
        let column = |x: usize| above[x] + here[x] + below[x];
        let mut left = column(0);
        let mut middle = left;
        for x in 0..width {
            let right = column((x + 1).min(width - 1));
            out.push((left + middle + right) * (1.0 / 9.0));
            (left, middle) = (middle, right);
        }
    }
}

/// Bilinear, with aligned corners of the outer border (half-pixel centres).
pub fn interpolate(plane: &[f32], [height, width]: [usize; 2], [to_height, to_width]: [usize; 2], out: &mut Vec<f32>) {
    out.clear();
    for y in 0..to_height {
        let (y0, y1, fy) = between(y, height, to_height);
        for x in 0..to_width {
            let (x0, x1, fx) = between(x, width, to_width);
            let top = plane[y0 * width + x0] * (1.0 - fx) + plane[y0 * width + x1] * fx;
            let low = plane[y1 * width + x0] * (1.0 - fx) + plane[y1 * width + x1] * fx;
            out.push(top * (1.0 - fy) + low * fy);
        }
    }
}

/// The two neighbours of place `i` of `to` in a line of `from`, and the share of the second.
fn between(i: usize, from: usize, to: usize) -> (usize, usize, f32) {
    let at = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, (from - 1) as f32);
    let low = at as usize;
    (low, (low + 1).min(from - 1), at - low as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn ramp(channels: usize, height: usize, width: usize) -> Vec<f32> {
        (0..channels * height * width).map(|i| ((i * 7919) % 1013) as f32 / 100.0 - 4.0).collect()
    }

    #[test]
    fn a_summary_is_mean_deviation_greatest_least() {
        let values: Vec<f32> = (0..11).map(|i| i as f32).collect();
        let map = Map::new(&values, [1, 1, 11]).unwrap();
        let mut out = [0.0; 4];
        summarize(&[map], &mut out);
        assert_eq!(out[0], 5.0);
        assert!((out[1] - 10f32.sqrt()).abs() < 1e-5);
        assert_eq!(out[2..], [10.0, 0.0]);
    }

    #[test]
    fn projecting_first_gives_what_projecting_the_cells_gives() {
        let (fine, mid, coarse) = (ramp(3, 8, 12), ramp(5, 4, 6), ramp(2, 2, 3));
        let maps = [
            Map::new(&fine, [3, 8, 12]).unwrap(),
            Map::new(&mid, [5, 4, 6]).unwrap(),
            Map::new(&coarse, [2, 2, 3]).unwrap(),
        ];
        let weights = Array2::from_shape_fn((10, 4), |(i, j)| ((i * 31 + j * 17) % 13) as f32 / 13.0 - 0.5);
        let mut wide = Array2::zeros((24, 10));
        let mut scratch = Regrid::default();
        cells(&maps, [4, 6], wide.view_mut(), &mut scratch);
        let expected = wide.dot(&weights);
        let mut got = Array2::zeros((24, 4));
        let (mut from, mut planes) = (0, Vec::new());
        for map in &maps {
            let block = weights.slice(ndarray::s![from..from + map.channels, ..]);
            add_projected(map, block, [4, 6], got.view_mut(), &mut planes, &mut scratch).unwrap();
            from += map.channels;
        }
        let worst = (&got - &expected).iter().fold(0f32, |a, &b| a.max(b.abs()));
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn a_flat_map_stays_flat_on_any_grid() {
        let values = vec![2.5; 5 * 7];
        let mut scratch = Regrid::default();
        for grid in [[5, 7], [10, 14], [2, 3], [1, 1]] {
            let out = scratch.run(&values, [5, 7], grid);
            assert_eq!(out.len(), grid[0] * grid[1]);
            assert!(out.iter().all(|v| (v - 2.5).abs() < 1e-6));
        }
    }

    #[test]
    fn a_map_refuses_values_that_do_not_fill_it() {
        assert!(Map::new(&[0.0; 5], [1, 2, 3]).is_err());
        assert!(Map::new(&[], [0, 2, 3]).is_err());
    }
}
