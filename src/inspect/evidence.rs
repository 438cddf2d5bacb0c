//! A judged sample → the input of the decoder: each finding as a shape and its hottest patches, and the whole image as
//! a 3 × 3 grid. `fuse` and `decode` turn it into words.
//!
//! A patch is given as the encoder's features and as their difference from the nearest good patch of the part. Both are
//! in the encoder's own channels, so what is learned from one part holds for another. The banks hold projected patches.
//! The projection's transpose brings a difference back to channels, because its axes are orthogonal and of one length.

use ndarray::{Array1, Array2, ArrayViewMut1, s};

use safetensors::tensor::{Dtype, TensorView};

use super::places::pose_from_picture;
use super::{Eye, Look};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;
use crate::memory::learned::{Learned, Level};
use crate::memory::part::{Part, TILE, TILE_CELLS};
use crate::report::{Finding, Heatmap, SenseReport};
use crate::sample::Frame;

/// Most findings, most severe first.
pub const FINDINGS: usize = 4;
/// Most patches per finding.
pub const CELLS: usize = 8;
/// Rows and columns of the grid over the whole image.
pub const NINTHS: usize = 3;
/// Rows and columns of a finding's heat.
pub const HEAT: usize = 12;
/// Rows and columns of a finding's brightness.
pub const LUMA: usize = 24;
/// Rows and columns of a finding's expected appearance.
pub const EXPECTED: usize = 12;
/// Measurements of a finding.
pub const MEASURES: usize = 16;
/// Measurements of a finding in a sound or a clip.
pub const HEARD: usize = 12;
/// Measurements of the whole sample.
pub const QUALITY: usize = 10;
/// Numbers of a finding's shape.
pub const SHAPE: usize = HEAT * HEAT + LUMA * LUMA + EXPECTED * EXPECTED + MEASURES + HEARD;
/// Numbers of a patch besides its channels.
pub const OF_CELL: usize = 4;

/// Width of a window relative to its finding.
const WIDER: f64 = 1.3;
/// Smallest window, in patches of the heatmap.
const LEAST_WINDOW: f64 = 6.0;
/// Distance between the patches of a finding, as long as enough remain.
const APART: usize = 2;

/// The evidence of one image, or of the image of a sound or a clip. Rows of missing findings are zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// `f32[FINDINGS, SHAPE]`, one row per finding. All are taken in a square window a little wider than the finding.
    /// In order:
    ///
    /// - Heat, `[HEAT, HEAT]`, as ln(1 + heat).
    /// - Brightness, `[LUMA, LUMA]`, relative to the window's median, in units of 64 levels. For a clip: its
    ///   differences from good ones within that box, key frame by key frame, as
    ///   [`UsualMotion::differences`](crate::memory::motion::UsualMotion::differences), as ln(1 + difference).
    /// - Brightness of the nearest good patches' images, `[EXPECTED, EXPECTED]`. For a clip: the differences of whole
    ///   frames, averaged over two key frames by two, as ln(1 + difference).
    /// - Measurements: ln of the area's, the width's and the height's share of the image; ln of the ratio of its axes,
    ///   cosine and sine of twice their angle; share of its box that is hot; column and row of its centre and the
    ///   distance of its box from the image's nearest edge, as shares; ln of its severity; how much brighter it is than
    ///   its surroundings, in units of 64 levels; ln of the ratio of the deviations of brightness inside and around it;
    ///   how much redder and bluer than green it is, relative to its surroundings, in units of 64 levels; ln of the
    ///   number of findings.
    /// - Sounds: one-hot character, of [`SoundCharacter::ALL`](crate::report::SoundCharacter::ALL); decibels, in units
    ///   of 10; ln of its seconds; ln of the lower and of the upper end of its band in kHz; 1 if it is continuous.
    /// - Clips, in place of the sound's: one-hot character, of
    ///   [`MotionCharacter::ALL`](crate::report::MotionCharacter::ALL); ln of its seconds, and of its share of the
    ///   clip; start and end, as shares; width and height of its box, as shares of the frame; ln(1 + x) of the grey
    ///   levels that change per second, here and in good clips.
    /// - For images these last numbers are zero.
    pub shapes: Array2<f32>,
    /// `f32[FINDINGS * CELLS + NINTHS * NINTHS, 2 * channels + OF_CELL]`: the hottest patches of each finding, then the
    /// grid positions of the image row by row. Each row: the channels of all levels, finest first; their difference
    /// from the nearest good patch; ln(1 + heat), of a grid position the greatest; column and row, from the window's
    /// centre in units of its side (of a grid position: in the image, as shares); 1.
    pub cells: Array2<f32>,
    /// `f32[1, QUALITY]`, padded with zeros.
    ///
    /// - Images: light and focus relative to the taught range, 0 in its middle: brightness, in units of 25 levels; ln
    ///   of contrast; sharpness; black and white shares.
    /// - Sounds: level, in units of 6 dB; clipped, silent and dropped shares; ln(1 + x) of each of
    ///   [`Stationary`](crate::report::Stationary), zero without a baseline.
    /// - Clips: that of their frames, as of images; ln of the ratios of duration, frame rate and motion.
    pub quality: Array2<f32>,
}

impl Evidence {
    /// All as a safetensors file, for training.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when they cannot be written as such.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let bytes = |values: &Array2<f32>| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let tensors = [("shapes", &self.shapes), ("cells", &self.cells), ("quality", &self.quality)];
        let kept = tensors.map(|(name, values)| (name, values.shape().to_vec(), bytes(values)));
        let failed = |error| Error::caused(ErrorKind::Runtime, "the evidence cannot be written down", error);
        let views = kept.iter().map(|(name, shape, bytes)| {
            Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?))
        });
        safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None).map_err(failed)
    }
}

/// Where the samples of a judged image are: `grid` over the taught pose, `picture` with as many patches over the image.
struct Ground<'a> {
    eye: &'a Eye,
    look: &'a Look,
    learned: &'a Learned,
    heatmap: &'a Heatmap,
    /// Maps positions of the image's grid to the grid of the encoder's patches; `None` if they are the same.
    there: Option<Affine>,
}

/// What a sense adds to a finding besides its shape.
#[derive(Default)]
pub(super) struct Described {
    /// The last numbers of [`Evidence::shapes`].
    pub measures: [f32; HEARD],
    /// Replaces its brightness and its expected appearance, `f32[LUMA * LUMA + EXPECTED * EXPECTED]`.
    pub planes: Option<Vec<f32>>,
}

/// Sets one number of a one-hot code.
pub(super) fn mark(one_hot: &mut [f32], at: Option<usize>) {
    if let Some(value) = at.and_then(|at| one_hot.get_mut(at)) {
        *value = 1.0;
    }
}

/// An image with its report.
#[derive(Clone, Copy)]
pub(super) struct JudgedPicture<'a> {
    pub report: &'a SenseReport,
    pub findings: &'a [&'a Finding],
    /// The frame, or the image of a sound or a clip.
    pub picture: &'a Frame,
}

/// The evidence of the last sample of `eye` and `look`. `quality` and `describe` come from its sense.
///
/// # Errors
/// As [`MapEncoder::map`](crate::encode::MapEncoder::map).
pub(super) fn gather(
    eye: &Eye,
    look: &Look,
    part: &Part,
    judged: JudgedPicture<'_>,
    quality: &[f32],
    describe: &dyn Fn(&Finding) -> Described,
) -> Result<Evidence> {
    let JudgedPicture { report, findings, picture } = judged;
    let Heatmap { rows, columns, .. } = report.heatmap;
    let there = look.view.as_ref().map(|view| pose_from_picture([rows, columns], view, picture)).transpose()?;
    let ground = Ground { eye, look, learned: &part.learned, heatmap: &report.heatmap, there };
    let channels: usize = eye.channels().iter().sum();
    let mut shapes = Array2::zeros((FINDINGS, SHAPE));
    let mut cells = Array2::zeros((FINDINGS * CELLS + NINTHS * NINTHS, 2 * channels + OF_CELL));
    for (i, finding) in findings.iter().take(FINDINGS).enumerate() {
        let window = Window::around(finding, &report.heatmap, picture);
        let hot = ground.hot(finding, picture);
        shape(finding, &window, &hot, judged, &part.tiles, shapes.row_mut(i));
        let Described { measures, planes } = describe(finding);
        shapes.slice_mut(s![i, SHAPE - HEARD..]).assign(&Array1::from_iter(measures));
        if let Some(planes) = planes {
            let at = s![i, HEAT * HEAT..SHAPE - HEARD - MEASURES];
            shapes.slice_mut(at).assign(&Array1::from_vec(planes));
        }
        for (j, &at) in spread_out(&hot, columns).iter().enumerate() {
            let mut row = cells.row_mut(i * CELLS + j);
            ground.show(&[ground.cell(at)], row.slice_mut(s![..2 * channels]))?;
            let [x, y] = window.share_of(at, &report.heatmap, picture);
            let told = [report.heatmap.values[at].ln_1p(), x, y, 1.0];
            row.slice_mut(s![2 * channels..]).assign(&Array1::from_iter(told));
        }
    }
    let third = |at: usize, n: usize| (at * NINTHS / n).min(NINTHS - 1);
    for ninth in 0..NINTHS * NINTHS {
        let (row, column) = (ninth / NINTHS, ninth % NINTHS);
        let within = |&at: &usize| third(at / columns, rows) == row && third(at % columns, columns) == column;
        let members: Vec<usize> = (0..rows * columns).filter(within).collect();
        let mut out = cells.row_mut(FINDINGS * CELLS + ninth);
        ground.show(&members, out.slice_mut(s![..2 * channels]))?;
        let hottest = members.iter().map(|&at| report.heatmap.values[at]).fold(0.0, f32::max);
        let middle = |at: usize| (at as f32 + 0.5) / NINTHS as f32;
        let told = [hottest.ln_1p(), middle(column), middle(row), 1.0];
        out.slice_mut(s![2 * channels..]).assign(&Array1::from_iter(told));
    }
    let quality = Array2::from_shape_fn((1, QUALITY), |(_, i)| quality.get(i).copied().unwrap_or_default());
    Ok(Evidence { shapes, cells, quality })
}

impl Ground<'_> {
    /// A finding's patches in the image's grid, hottest first.
    fn hot(&self, finding: &Finding, frame: &Frame) -> Vec<usize> {
        let Heatmap { values, rows, columns } = self.heatmap;
        let centre = |at: usize, n: usize, side: usize| ((2 * at + 1) * side) / (2 * n);
        let (region, [width, height]) = (finding.region, [frame.width(), frame.height()]);
        let within = |&at: &usize| {
            let (x, y) = (centre(at % columns, *columns, width), centre(at / columns, *rows, height));
            (region.x..region.x + region.width).contains(&x) && (region.y..region.y + region.height).contains(&y)
        };
        let mut hot: Vec<usize> = (0..values.len()).filter(within).filter(|&at| values[at] >= 1.0).collect();
        hot.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        hot
    }

    /// The patch of the encoder's finest grid at a patch of the image's grid.
    fn cell(&self, at: usize) -> usize {
        let Some(there) = &self.there else { return at };
        let [rows, columns] = self.look.scratch.grids[0];
        let [x, y] = there.apply([(at % columns) as f64 + 0.5, (at / columns) as f64 + 0.5]);
        let side = |v: f64, n: usize| (v.max(0.0) as usize).min(n - 1);
        side(y, rows) * columns + side(x, columns)
    }

    /// The mean of some patches of the finest grid, all levels: channels, and their difference from the nearest good
    /// patches.
    fn show(&self, cells: &[usize], mut into: ArrayViewMut1<f32>) -> Result<()> {
        let (finest, mut from) = (self.look.scratch.grids[0], 0);
        let channels = into.len() / 2;
        for (l, level) in self.learned.levels.iter().enumerate() {
            let grid = self.look.scratch.grids[l];
            let coarser = |at: usize| {
                let (row, column) = (at / finest[1], at % finest[1]);
                (row * grid[0] / finest[0]) * grid[1] + column * grid[1] / finest[1]
            };
            let share = 1.0 / cells.len().max(1) as f32;
            let (weights, places) = (&level.weights, level.bank.ncols() - level.weights.ncols());
            let mut apart = Array1::<f32>::zeros(weights.ncols());
            for place in cells.iter().map(|&at| coarser(at)) {
                let good = level.bank.row(self.look.scratch.nearest[l][place].entry as usize);
                let cell = self.look.cells[l].row(place);
                apart.scaled_add(share, &(&cell.slice(s![places..]) - &good.slice(s![places..])));
            }
            let wide = weights.nrows();
            let difference = in_channels(level, &apart);
            into.slice_mut(s![channels + from..channels + from + wide]).assign(&difference);
            let mut channel = from;
            for map in self.eye.maps_of(l)? {
                let planes = map.values.chunks_exact(map.height * map.width);
                for plane in planes {
                    into[channel] = share * cells.iter().map(|&at| plane[coarser(at)]).sum::<f32>();
                    channel += 1;
                }
            }
            from += wide;
        }
        Ok(())
    }
}

/// Projected values brought back to channels, as far as the projection kept them.
fn in_channels(level: &Level, projected: &Array1<f32>) -> Array1<f32> {
    let axis = level.weights.column(0);
    let length = 1.0 / axis.dot(&axis).max(1e-12);
    level.weights.dot(projected) * length
}

/// Some of the patches, hottest first, spaced apart as long as enough remain.
fn spread_out(hot: &[usize], columns: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::with_capacity(CELLS);
    let near =
        |a: usize, b: usize| (a / columns).abs_diff(b / columns) < APART && (a % columns).abs_diff(b % columns) < APART;
    for &at in hot {
        if chosen.len() < CELLS && !chosen.iter().any(|&other| near(at, other)) {
            chosen.push(at);
        }
    }
    for &at in hot {
        if chosen.len() < CELLS && !chosen.contains(&at) {
            chosen.push(at);
        }
    }
    chosen
}

/// A square of the image, in pixels.
struct Window {
    left: f64,
    top: f64,
    side: f64,
}

impl Window {
    fn around(finding: &Finding, heatmap: &Heatmap, frame: &Frame) -> Self {
        let region = finding.region;
        let cell = (frame.width() as f64 / heatmap.columns as f64).max(frame.height() as f64 / heatmap.rows as f64);
        let side = (WIDER * region.width.max(region.height) as f64).max(LEAST_WINDOW * cell);
        let middle = |from: usize, wide: usize| from as f64 + 0.5 * wide as f64 - 0.5 * side;
        Self { left: middle(region.x, region.width), top: middle(region.y, region.height), side }
    }

    /// Position of a patch of the heatmap, from the centre, in units of the side.
    fn share_of(&self, at: usize, heatmap: &Heatmap, frame: &Frame) -> [f32; 2] {
        let middle = |at: usize, n: usize, side: usize| (at as f64 + 0.5) * side as f64 / n as f64;
        let x = middle(at % heatmap.columns, heatmap.columns, frame.width());
        let y = middle(at / heatmap.columns, heatmap.rows, frame.height());
        [((x - self.left) / self.side - 0.5) as f32, ((y - self.top) / self.side - 0.5) as f32]
    }

    /// The positions of `n` x `n` samples, row by row, in pixels of the image; they may lie outside it.
    fn samples(&self, n: usize) -> impl Iterator<Item = [f64; 2]> + use<> {
        let (left, top, step) = (self.left, self.top, self.side / n as f64);
        (0..n * n).map(move |i| [left + ((i % n) as f64 + 0.5) * step, top + ((i / n) as f64 + 0.5) * step])
    }
}

/// Colour samples per side that are averaged into one number of a window's brightness.
const FINER: usize = 3;

/// The shape of a finding: see [`Evidence::shapes`].
fn shape(
    finding: &Finding,
    window: &Window,
    hot: &[usize],
    JudgedPicture { report, findings, picture: frame }: JudgedPicture<'_>,
    tiles: &[u8],
    into: ArrayViewMut1<f32>,
) {
    let heatmap = &report.heatmap;
    let [width, height] = [frame.width() as f64, frame.height() as f64];
    let heat_at = |[x, y]: [f64; 2]| {
        if x < 0.0 || y < 0.0 || x >= width || y >= height {
            return 0.0;
        }
        let (row, column) = (y / height * heatmap.rows as f64, x / width * heatmap.columns as f64);
        heatmap.values[row as usize * heatmap.columns + column as usize]
    };
    let mut shape: Vec<f32> = Vec::with_capacity(SHAPE);
    shape.extend(window.samples(HEAT).map(|at| heat_at(at).max(0.0).ln_1p()));

    // Finer samples than in the output, so that a thin scratch does not fall between them.
    let rgb_at = |[x, y]: [f64; 2]| {
        let side = |v: f64, n: usize| (v.max(0.0) as usize).min(n - 1);
        frame.rgb(side(x, frame.width()), side(y, frame.height())).map(f32::from)
    };
    let luma = |[r, g, b]: [f32; 3]| 0.299 * r + 0.587 * g + 0.114 * b;
    let fine: Vec<([f32; 3], bool)> = window.samples(LUMA * FINER).map(|at| (rgb_at(at), heat_at(at) >= 1.0)).collect();
    let mut sorted: Vec<f32> = fine.iter().map(|(rgb, _)| luma(*rgb)).collect();
    sorted.sort_by(f32::total_cmp);
    let median = sorted[sorted.len() / 2];
    for i in 0..LUMA * LUMA {
        let (row, column) = (i / LUMA * FINER, i % LUMA * FINER);
        let near = (0..FINER * FINER).map(|j| (row + j / FINER) * LUMA * FINER + column + j % FINER);
        let mean = near.map(|at| luma(fine[at].0)).sum::<f32>() / (FINER * FINER) as f32;
        shape.push((mean - median) / LEVELS);
    }

    let expected = &report.expected;
    shape.extend(window.samples(EXPECTED).map(|[x, y]| {
        let inside = |v: f64, side: f64, n: usize| (v / side * n as f64).clamp(0.0, n as f64 - 1e-6);
        let (column, row) = (inside(x, width, expected.columns), inside(y, height, expected.rows));
        let entry = expected.entries[row as usize * expected.columns + column as usize] as usize;
        // A tile covers its patch and a quarter more on each side.
        let at = |v: f64| (((v.fract() - 0.5) / TILE_CELLS + 0.5) * TILE as f64) as usize;
        let from = ((entry * TILE + at(row)) * TILE + at(column)) * 3;
        let rgb = tiles.get(from..from + 3).map_or([median; 3], |rgb| [rgb[0], rgb[1], rgb[2]].map(f32::from));
        (luma(rgb) - median) / LEVELS
    }));

    let statistics = |hot: bool| {
        let mut count = 0.0f32;
        let (mut sum, mut square, mut colour) = (0.0f32, 0.0f32, [0.0f32; 2]);
        for ([r, g, b], _) in fine.iter().filter(|(_, is_hot)| *is_hot == hot) {
            let light = luma([*r, *g, *b]) - median;
            (count, sum, square) = (count + 1.0, sum + light, square + light * light);
            colour = [colour[0] + r - g, colour[1] + b - g];
        }
        let n = count.max(1.0);
        (sum / n, (square / n - (sum / n).powi(2)).max(0.0).sqrt(), colour.map(|of| of / n))
    };
    let ((light, rough, colour), (light_around, rough_around, colour_around)) = (statistics(true), statistics(false));
    let region = finding.region;
    let [ratio, cosine, sine] = axes(hot, heatmap, frame);
    let margins = [
        region.x as f64 / width,
        region.y as f64 / height,
        1.0 - (region.x + region.width) as f64 / width,
        1.0 - (region.y + region.height) as f64 / height,
    ];
    let share = |value: f64| value.max(1e-6).ln() as f32;
    let measures: [f32; MEASURES] = [
        share(finding.area_share),
        share(region.width as f64 / width),
        share(region.height as f64 / height),
        ratio,
        cosine,
        sine,
        (finding.area_px / (region.width * region.height).max(1) as f64) as f32,
        ((region.x as f64 + 0.5 * region.width as f64) / width) as f32,
        ((region.y as f64 + 0.5 * region.height as f64) / height) as f32,
        margins.into_iter().fold(1.0, f64::min) as f32,
        finding.severity.max(1e-3).ln(),
        (light - light_around) / LEVELS,
        ((rough + 1.0) / (rough_around + 1.0)).ln(),
        (colour[0] - colour_around[0]) / LEVELS,
        (colour[1] - colour_around[1]) / LEVELS,
        (findings.len() as f32).max(1.0).ln(),
    ];
    shape.extend(measures);
    into.into_iter().zip(shape).for_each(|(out, value)| *out = value);
}

/// Grey levels, of 255, per unit of brightness.
const LEVELS: f32 = 64.0;

/// Logarithm of the axis ratio of an ellipse with the patches' second moments, and the cosine and the sine of twice the
/// angle of the longer axis.
fn axes(hot: &[usize], heatmap: &Heatmap, frame: &Frame) -> [f32; 3] {
    let cell = [frame.width() as f64 / heatmap.columns as f64, frame.height() as f64 / heatmap.rows as f64];
    let at = |&i: &usize| [(i % heatmap.columns) as f64 * cell[0], (i / heatmap.columns) as f64 * cell[1]];
    let n = hot.len().max(1) as f64;
    let sum = hot.iter().map(at).fold([0.0; 2], |sum, at| [sum[0] + at[0], sum[1] + at[1]]);
    let mean = sum.map(|sum| sum / n);
    // A single patch has the moments of its square.
    let mut moments = [cell[0] * cell[0] / 12.0, cell[1] * cell[1] / 12.0, 0.0];
    for [x, y] in hot.iter().map(at).map(|[x, y]| [x - mean[0], y - mean[1]]) {
        moments = [moments[0] + x * x / n, moments[1] + y * y / n, moments[2] + x * y / n];
    }
    let [xx, yy, xy] = moments;
    let (half, apart) = (0.5 * (xx + yy), (0.25 * (xx - yy).powi(2) + xy * xy).sqrt());
    let ratio = 0.5 * ((half + apart) / (half - apart).max(1e-9)).ln();
    let angle = (2.0 * xy).atan2(xx - yy);
    [ratio as f32, angle.cos() as f32, angle.sin() as f32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{GridPosition, Region, What};
    use crate::sample::PixelFormat;

    #[test]
    fn a_difference_comes_back_in_channels_as_far_as_it_was_kept() {
        // Two orthogonal axes of one length in three channels.
        let weights = Array2::from_shape_vec((3, 2), vec![0.3, -0.4, 0.4, 0.3, 0.0, 0.0]).unwrap();
        let level = Level::new(8, weights.clone(), (Array2::zeros((1, 2)), vec![[0, 0]]), 1.0);
        let cell = Array1::from_vec(vec![2.0, -1.0, 5.0]);
        let back = in_channels(&level, &cell.dot(&weights));
        assert!(back.iter().zip([2.0, -1.0, 0.0]).all(|(a, b)| (a - b).abs() < 1e-5), "{back}");
    }

    #[test]
    fn cells_that_are_shown_lie_apart_while_there_are_such() {
        assert_eq!(spread_out(&[0, 1, 2, 3, 4], 100), [0, 2, 4, 1, 3]);
        assert_eq!(spread_out(&(0..1000).collect::<Vec<_>>(), 100).len(), CELLS);
        assert!(spread_out(&[], 100).is_empty());
    }

    #[test]
    fn the_axes_of_a_line_are_long_and_point_along_it() {
        let heatmap = Heatmap { values: vec![0.0; 400], rows: 20, columns: 20 };
        let frame = Frame::new(vec![0; 160 * 160], PixelFormat::Grey8, 160, 160).unwrap();
        let [ratio, cosine, sine] = axes(&(0..10).map(|i| i * 20 + i).collect::<Vec<_>>(), &heatmap, &frame);
        assert!(ratio > 1.5 && cosine.abs() < 1e-3 && (sine - 1.0).abs() < 1e-3, "{ratio} {cosine} {sine}");
        assert!(axes(&[5], &heatmap, &frame)[0].abs() < 1e-6);
    }

    #[test]
    fn a_window_is_square_wider_than_its_finding_and_holds_the_middle() {
        let heatmap = Heatmap { values: vec![0.0; 100], rows: 10, columns: 10 };
        let frame = Frame::new(vec![0; 200 * 100], PixelFormat::Grey8, 200, 100).unwrap();
        let region = Region { x: 100, y: 20, width: 80, height: 40 };
        let finding = Finding {
            what: What::Seen { position: GridPosition::Top },
            region,
            area_px: 0.0,
            area_share: 0.0,
            peak: [0, 0],
            severity: 1.0,
            place: "top".into(),
        };
        let window = Window::around(&finding, &heatmap, &frame);
        // Six cells of twenty pixels are wider than 1.3 times the finding.
        assert_eq!((window.left, window.top, window.side), (80.0, -20.0, 120.0));
        let [x, y] = window.share_of(47, &heatmap, &frame);
        assert!((x - 10.0 / 120.0).abs() < 1e-6 && (y - 5.0 / 120.0).abs() < 1e-6, "{x} {y}");
        assert_eq!(window.samples(2).collect::<Vec<_>>(), [[110.0, 10.0], [170.0, 10.0], [110.0, 70.0], [170.0, 70.0]]);
    }
}
