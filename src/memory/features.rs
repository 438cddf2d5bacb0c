//! Encoder maps → patches on one grid, and one summary of the whole image. Knows no model and no part.

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
    /// Rows and columns at each side that a summary leaves out. There, features depend more on the encoder's padding
    /// than on the image.
    pub rim: usize,
}

impl<'a> Map<'a> {
    /// A view of `values` as `f32[channels, height, width]`, without a rim.
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
        Ok(Self { values, channels, height, width, rim: 0 })
    }

    /// `f32[height * width, channels]`: the features of each position.
    fn by_place(&self) -> Result<ArrayView2<'a, f32>> {
        let by_channel = ArrayView2::from_shape((self.channels, self.height * self.width), self.values);
        by_channel.map(ArrayView2::reversed_axes).map_err(misfit)
    }

    /// The same map with a rim of `cells`, reduced where no cell would remain inside.
    pub fn with_rim(self, cells: usize) -> Self {
        Self { rim: cells.min((self.height.min(self.width) - 1) / 2), ..self }
    }

    /// The index ranges of the rows inside the rim, within a plane of the map.
    fn rows_within(&self) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let Self { height, width, rim, .. } = *self;
        (rim..height - rim).map(move |y| y * width + rim..(y + 1) * width - rim)
    }

    /// Number of cells inside the rim.
    fn size_within(&self) -> usize {
        (self.height - 2 * self.rim) * (self.width - 2 * self.rim)
    }

    fn plane(&self, channel: usize) -> &'a [f32] {
        let size = self.height * self.width;
        &self.values[channel * size..(channel + 1) * size]
    }
}

/// Statistics per channel in [`summarize`].
pub const SUMMARY_STATISTICS: usize = 4;

/// Mean, standard deviation, maximum and minimum of each channel inside the rim, in this order, map after map.
///
/// The extremes respond to small defects, mean and deviation to large ones. `into` has [`SUMMARY_STATISTICS`] numbers
/// per channel.
pub fn summarize(maps: &[Map], into: &mut [f32]) {
    let channels = maps.iter().flat_map(|map| (0..map.channels).map(move |channel| (map, channel)));
    for ((map, channel), out) in channels.zip(into.chunks_exact_mut(SUMMARY_STATISTICS)) {
        out.copy_from_slice(&statistics(map, channel));
    }
}

/// Eight lanes at a time, so that the compiler can use vector instructions.
fn statistics(map: &Map, channel: usize) -> [f32; SUMMARY_STATISTICS] {
    const LANES: usize = 8;
    let plane = map.plane(channel);
    let (mut sum, mut square) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (mut top, mut low) = ([f32::MIN; LANES], [f32::MAX; LANES]);
    for row in map.rows_within() {
        let (chunks, rest) = plane[row].as_chunks::<LANES>();
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
    }
    let n = map.size_within() as f32;
    let mean = sum.iter().sum::<f32>() / n;
    let variance = (square.iter().sum::<f32>() / n - mean * mean).max(0.0);
    let top = top.iter().fold(f32::MIN, |a, &b| a.max(b));
    let low = low.iter().fold(f32::MAX, |a, &b| a.min(b));
    [mean, variance.sqrt(), top, low]
}

/// Patches of an image at one stride: each channel averaged over its 3 x 3 neighbourhood (PatchCore's local
/// aggregation, Roth et al. 2022).
///
/// Positions outside the image count as zero, as in PatchCore. A patch at the edge, which depends on the encoder's
/// padding, thus weighs two thirds of an inner one, and a corner patch four ninths. When the edge was repeated outwards
/// instead, edges of good parts often scored higher than a defect.
///
/// All `maps` have one size; `into` is `f32[height * width, channels of all maps]`.
///
/// # Errors
/// [`ErrorKind::Config`] when the maps do not fit `into`.
pub fn cells(maps: &[Map], mut into: ArrayViewMut2<f32>, buffers: &mut Buffers) -> Result<()> {
    into.fill(0.0);
    let mut column = 0;
    for map in maps {
        let (block, size) = (into.slice_mut(ndarray::s![.., column..column + map.channels]), [map.height, map.width]);
        buffers.regrid.add(&map.by_place()?, size, size, block)?;
        column += map.channels;
    }
    Ok(())
}

/// Projected patches at one stride, `cells · weights`, without building the wide patches.
///
/// Smoothing is linear and works on each channel alone, so it commutes with the projection. The maps are projected
/// first, and only `k` numbers per position are smoothed. `weights` is `f32[channels of all maps, k]`; `into` is
/// `f32[height * width, k]`.
///
/// # Errors
/// [`ErrorKind::Config`] when the weights do not fit the maps, or the maps do not fit `into`.
pub fn project(
    maps: &[Map],
    weights: ArrayView2<f32>,
    mut into: ArrayViewMut2<f32>,
    Buffers { plane: projected, regrid }: &mut Buffers,
) -> Result<()> {
    let Some(Map { height, width, .. }) = maps.first().copied() else { return Ok(()) };
    let (size, k) = (height * width, weights.ncols());
    let channels = maps.iter().map(|map| map.channels).sum::<usize>();
    if weights.nrows() != channels {
        let what = format!("maps of {channels} channels cannot be projected by {} weights", weights.nrows());
        return Err(Error::new(ErrorKind::Config, what));
    }
    projected.resize(projected.len().max(size * k), 0.0);
    let mut view = ArrayViewMut2::from_shape((size, k), &mut projected[..size * k]).map_err(misfit)?;
    let (mut from, mut kept) = (0, 0.0);
    for map in maps {
        let block = weights.slice(ndarray::s![from..from + map.channels, ..]);
        let places = map.by_place()?;
        if places.nrows() != size {
            let what = format!("a map of {} positions, expected {size}", places.nrows());
            return Err(Error::new(ErrorKind::Config, what));
        }
        ndarray::linalg::general_mat_mul(1.0, &places, &block, kept, &mut view);
        (from, kept) = (from + map.channels, 1.0);
    }
    into.fill(0.0);
    regrid.add(&view.view(), [height, width], [height, width], into)
}

/// Adds to `heat`, `f32[grid height * grid width]`, the attribution of the summary's distance to each position of a
/// map: its share of the mean's shift and of the deviation, each times its gradient.
///
/// `pull`, `summary` and `centre` are the map's part of [`summarize`]'s layout: the gradient of the distance, the
/// measured values, and the centre of the good ones. The extremes are left out. Each comes from a single position, and
/// there the patch's own distance says more.
///
/// # Errors
/// [`ErrorKind::Config`] when the map is finer than the grid.
pub fn add_blame(
    map: &Map,
    [pull, summary, centre]: [&[f32]; 3],
    grid: [usize; 2],
    heat: &mut [f32],
    Buffers { plane, regrid }: &mut Buffers,
) -> Result<()> {
    let (size, within) = (map.height * map.width, map.size_within() as f32);
    plane.clear();
    plane.resize(size, 0.0);
    let numbers = [pull, summary, centre].map(|values| values.as_chunks::<SUMMARY_STATISTICS>().0);
    for (channel, ((pull, seen), good)) in numbers[0].iter().zip(numbers[1]).zip(numbers[2]).enumerate() {
        let of_mean = pull[0] / within;
        let of_deviation = pull[1] / (2.0 * seen[1].max(1e-6) * within);
        let values = map.plane(channel);
        for row in map.rows_within() {
            for (out, &value) in plane[row.clone()].iter_mut().zip(&values[row]) {
                let off = value - seen[0];
                *out += of_mean * (value - good[0]) + of_deviation * off * off;
            }
        }
    }
    let places = ArrayView2::from_shape((size, 1), plane.as_slice()).map_err(misfit)?;
    let heat = ArrayViewMut2::from_shape((heat.len(), 1), heat).map_err(misfit)?;
    regrid.add(&places, [map.height, map.width], grid, heat)
}

fn misfit(error: ndarray::ShapeError) -> Error {
    Error::caused(ErrorKind::Config, "the part's metric does not fit the encoder's maps", error)
}

/// Buffers for [`cells`], [`project`] and [`add_blame`], reused from image to image.
#[derive(Debug, Default)]
pub struct Buffers {
    plane: Vec<f32>,
    regrid: Regrid,
}

/// Brings maps to the grid: 3 x 3 smoothing, then upsampling. All numbers of a position are contiguous, so that each
/// step is a few long vector operations.
#[derive(Debug, Default)]
struct Regrid {
    across: Vec<f32>,
    smooth: Vec<f32>,
    line: Vec<f32>,
}

impl Regrid {
    /// Adds `places`, `f32[height * width, n]`, to `into`, `f32[grid height * grid width, n]`. The values are smoothed
    /// (zero outside) and interpolated (bilinear, half-pixel centres, borders repeated outwards).
    fn add(
        &mut self,
        places: &ArrayView2<f32>,
        [height, width]: [usize; 2],
        grid: [usize; 2],
        mut into: ArrayViewMut2<f32>,
    ) -> Result<()> {
        let n = places.ncols();
        if height > grid[0] || width > grid[1] || into.dim() != (grid[0] * grid[1], n) {
            let what = format!("a map of {height} x {width} places does not fit a grid of {} x {}", grid[0], grid[1]);
            return Err(Error::new(ErrorKind::Config, what));
        }
        self.across.resize(self.across.len().max(width * n), 0.0);
        self.smooth.resize(self.smooth.len().max(height * width * n), 0.0);
        self.line.resize(self.line.len().max(width * n), 0.0);
        let (across, line) = (&mut self.across[..width * n], &mut self.line[..width * n]);
        let smooth = &mut self.smooth[..height * width * n];

        for (y, out) in smooth.chunks_exact_mut(width * n).enumerate() {
            across.fill(0.0);
            for row in y.saturating_sub(1)..(y + 2).min(height) {
                for (x, sum) in across.chunks_exact_mut(n).enumerate() {
                    let place = places.row(row * width + x);
                    match place.to_slice() {
                        Some(place) => sum.iter_mut().zip(place).for_each(|(sum, value)| *sum += value),
                        None => sum.iter_mut().zip(place).for_each(|(sum, value)| *sum += value),
                    }
                }
            }
            for (x, out) in out.chunks_exact_mut(n).enumerate() {
                out.fill(0.0);
                for near in across[x.saturating_sub(1) * n..(x + 2).min(width) * n].chunks_exact(n) {
                    out.iter_mut().zip(near).for_each(|(out, value)| *out += value);
                }
                out.iter_mut().for_each(|out| *out *= 1.0 / 9.0);
            }
        }
        if grid == [height, width] {
            for (mut out, place) in into.rows_mut().into_iter().zip(smooth.chunks_exact(n)) {
                match out.as_slice_mut() {
                    Some(out) => out.iter_mut().zip(place).for_each(|(out, value)| *out += value),
                    None => out.iter_mut().zip(place).for_each(|(out, value)| *out += value),
                }
            }
            return Ok(());
        }
        for y in 0..grid[0] {
            let (above, below, share) = between(y, height, grid[0]);
            let row = |y: usize| &smooth[y * width * n..(y + 1) * width * n];
            for ((out, above), below) in line.iter_mut().zip(row(above)).zip(row(below)) {
                *out = above + (below - above) * share;
            }
            for x in 0..grid[1] {
                let (left, right, share) = between(x, width, grid[1]);
                let at = |x: usize| &line[x * n..(x + 1) * n];
                let mut out = into.row_mut(y * grid[1] + x);
                let Some(out) = out.as_slice_mut() else { continue };
                for ((out, left), right) in out.iter_mut().zip(at(left)).zip(at(right)) {
                    *out += left + (right - left) * share;
                }
            }
        }
        Ok(())
    }
}

/// A plane resized: bilinear, half-pixel centres, borders repeated outwards.
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

/// The two neighbours in a line of `from` of position `i` of `to`, and the weight of the second.
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
    fn a_summary_and_its_blame_leave_the_rim_out() {
        // 5 x 6 places, a loud rim, 1 to 12 within.
        let within = |i: usize| (1..4).contains(&(i / 6)) && (1..5).contains(&(i % 6));
        let values: Vec<f32> =
            (0..30).map(|i| if within(i) { ((i / 6 - 1) * 4 + i % 6) as f32 } else { 1e3 }).collect();
        let map = Map::new(&values, [1, 5, 6]).unwrap().with_rim(1);
        let mut summary = [0.0; SUMMARY_STATISTICS];
        summarize(&[map], &mut summary);
        let expected = [6.5, (143f32 / 12.0).sqrt(), 12.0, 1.0];
        assert!(summary.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-5), "{summary:?}");
        let mut heat = [0.0; 30];
        let (pull, centre) = ([12.0, 0.0, 0.0, 0.0], [5.5, 0.0, 0.0, 0.0]);
        add_blame(&map, [&pull, &summary, &centre], [5, 6], &mut heat, &mut Buffers::default()).unwrap();
        // Mean over nine places of what lies within: in the corner only the first, 1 - 5.5.
        assert!((heat[0] + 0.5).abs() < 1e-5, "{heat:?}");
        // A rim never takes all.
        assert_eq!(Map::new(&values, [1, 5, 6]).unwrap().with_rim(9).rim, 2);
        assert_eq!(Map::new(&values[..2], [1, 1, 2]).unwrap().with_rim(1).rim, 0);
    }

    #[test]
    fn projecting_first_gives_what_projecting_the_cells_gives() {
        let (first, second) = (ramp(3, 8, 12), ramp(5, 8, 12));
        let maps = [Map::new(&first, [3, 8, 12]).unwrap(), Map::new(&second, [5, 8, 12]).unwrap()];
        let weights = Array2::from_shape_fn((8, 4), |(i, j)| ((i * 31 + j * 17) % 13) as f32 / 13.0 - 0.5);
        let mut wide = Array2::zeros((96, 8));
        let mut buffers = Buffers::default();
        cells(&maps, wide.view_mut(), &mut buffers).unwrap();
        let expected = wide.dot(&weights);
        let mut got = Array2::zeros((96, 4));
        project(&maps, weights.view(), got.view_mut(), &mut buffers).unwrap();
        let worst = (&got - &expected).iter().fold(0f32, |a, &b| a.max(b.abs()));
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn a_flat_map_stays_flat_within_and_a_bump_is_spread_over_nine_places() {
        let mut scratch = Regrid::default();
        for grid in [[5, 7], [10, 14], [6, 7]] {
            let mut out = Array2::zeros((grid[0] * grid[1], 1));
            let map = [2.5; 35];
            let places = Map::new(&map, [1, 5, 7]).unwrap().by_place().unwrap();
            scratch.add(&places, [5, 7], grid, out.view_mut()).unwrap();
            let at = |y: usize, x: usize| out[[y * grid[1] + x, 0]];
            let [middle, corner, edge] = [at(grid[0] / 2, grid[1] / 2), at(0, 0), at(grid[0] / 2, grid[1] - 1)];
            assert!((middle - 2.5).abs() < 1e-6, "{middle}");
            // Of nine neighbours a corner has four, an edge six.
            assert!(
                (corner - 2.5 * 4.0 / 9.0).abs() < 1e-6 && (edge - 2.5 * 6.0 / 9.0).abs() < 1e-6,
                "{corner} {edge}"
            );
        }
        let mut map = [0.0; 35];
        map[2 * 7 + 3] = 9.0;
        let mut out = Array2::zeros((35, 1));
        cells(&[Map::new(&map, [1, 5, 7]).unwrap()], out.view_mut(), &mut Buffers::default()).unwrap();
        let expected = |i: usize| f32::from(((1..4).contains(&(i / 7)) && (2..5).contains(&(i % 7))) as u8);
        assert!((0..35).all(|i| (out[[i, 0]] - expected(i)).abs() < 1e-6), "{out}");
    }

    #[test]
    fn maps_that_do_not_fit_are_refused() {
        let (values, mut buffers) = ([0.0; 16], Buffers::default());
        let (fine, coarse) = (Map::new(&values, [1, 4, 4]).unwrap(), Map::new(&values[..4], [1, 2, 2]).unwrap());
        let mut out = Array2::zeros((4, 1));
        assert!(cells(&[fine], out.view_mut(), &mut buffers).is_err());
        let places = fine.by_place().unwrap();
        assert!(buffers.regrid.add(&places, [4, 4], [2, 2], out.view_mut()).is_err());
        let weights = Array2::zeros((2, 1));
        let mut project = |maps: &[Map]| project(maps, weights.view(), out.view_mut(), &mut buffers);
        assert!(project(&[coarse]).is_err());
        assert!(project(&[coarse, fine]).is_err());
    }

    #[test]
    fn a_map_refuses_values_that_do_not_fill_it() {
        assert!(Map::new(&[0.0; 5], [1, 2, 3]).is_err());
        assert!(Map::new(&[], [0, 2, 3]).is_err());
    }
}
