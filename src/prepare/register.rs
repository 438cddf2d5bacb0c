//! Where a part lies: registration of a picture to a taught reference picture of the same part, and the
//! resampling of a picture into the reference's pixels. Leaves to others what a deviation means.
//!
//! The pose is a similarity: shift, turn (any angle) and scale (0.8–1.25). It is found coarse to fine:
//!
//! 1. Both pictures are reduced to 320, 160 and 80 px (longer side) and locally normalised, so that exposure,
//!    gain and slow changes of light do not count.
//! 2. The taught pose is tried first: a fixtured part is found here and the search ends.
//! 3. Otherwise turn and scale come from the log-polar magnitude spectrum (Fourier–Mellin; Reddy and
//!    Chatterji, "An FFT-based technique for translation, rotation, and scale-invariant image registration",
//!    IEEE TIP 1996). Boards look alike at 90° and spectra at 180°, so the four strongest peaks and their
//!    opposites are tried; a phase-weighted correlation gives the shift of each.
//! 4. The best are refined by inverse compositional Gauss–Newton (Baker and Matthews, "Lucas–Kanade 20 years
//!    on", IJCV 2004) on the pixels with the strongest gradient, reweighted so that a defect does not pull.
//!
//! The answer's normalised cross-correlation says how far it can be trusted.

use std::f64::consts::PI;
use std::sync::Arc;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use nalgebra::{Matrix4, Vector4};
use rayon::prelude::*;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;

/// Longer side of the finest working copy, in pixels; the others have a half and a quarter of it.
const FINE: usize = 320;
/// Side of the square whose spectrum gives turn and scale: the middle copy fits in.
const SPECTRUM: usize = FINE / 2;
/// Side of the square in which shifts are found: the coarsest copy and a rim.
const SHIFTS: usize = 96;
/// Steps over half a turn, and over the logarithm of the spatial frequency.
const POLAR: [usize; 2] = [192, 64];
/// Cycles per [`SPECTRUM`] pixels at the first step, and where the last step would be followed by the next.
const RADII: [f64; 2] = [5.0, 72.0];
/// Scales searched, as the logarithm; a little more than the 0.8–1.25 promised.
const LOG_SCALE: f64 = 0.26;
/// Correlation above which what is found from the taught pose is believed, and no other is looked for.
const AT_ONCE: f32 = 0.75;
/// Peaks of turn and scale that are tried, each with its opposite.
const PEAKS: usize = 4;
/// How many of these are refined on the coarsest copy, and how many of those on the middle one.
const STARTS: usize = 4;
const CLOSER: usize = 2;

/// The working copies' places in a pyramid.
const COARSE: usize = 0;
const MIDDLE: usize = 1;
const FINEST: usize = 2;
/// A pose that moves less than this in a round, in pixels, has settled; and the most rounds.
const SETTLED: f64 = 0.03;
const ROUNDS: usize = 10;

/// A pose, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Registration {
    /// Picture pixels from reference pixels: a similarity when both pictures have the same aspect and size.
    pub picture_from_reference: Affine,
    /// Normalised cross-correlation in [-1, 1] of the locally normalised pictures at 160 px, where they overlap.
    /// A sharp picture of the same part gives 0.7–1; another part or no part 0–0.3.
    pub ncc: f32,
    /// Share of the reference that lies within the picture, in [0, 1].
    pub overlap: f32,
}

/// Whether a part can be registered, as measured by [`Registrar::structure`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Structure {
    /// Median disagreement of the pose of a picture and of its known warps, as a share of the picture's diagonal.
    pub error: f64,
    /// Median correlation of the other good pictures with the reference; `None` when there was none.
    pub ncc: Option<f32>,
}

impl Structure {
    /// Whether the part may be taught as aligned or golden: the pose is stable to 1 % of the diagonal, and other
    /// good pictures do look like the reference.
    pub fn holds(&self) -> bool {
        self.error < 0.01 && self.ncc.is_none_or(|ncc| ncc > 0.5)
    }
}

/// A reference picture made ready: registers any number of pictures to it. Holds about 2 MiB.
pub struct Registrar {
    levels: [Reference; 3],
    /// Picture pixels per pixel of the finest copy.
    step: f64,
    polar: Polar,
    /// Conjugate spectra, phase-weighted: of the log-polar spectrum, and of the coarsest copy.
    turn_filter: Vec<Complex<f32>>,
    shift_filter: Vec<Complex<f32>>,
    spectrum_fft: Fft2,
    polar_fft: Fft2,
    shift_fft: Fft2,
}

impl Registrar {
    /// Prepares a reference.
    ///
    /// `grey`: u8[height, width] of `size` = [width, height]. Errors ([`ErrorKind::Input`]) when the length does
    /// not fit the size, or a side is under 32 px or under a tenth of the other.
    pub fn new(grey: &[u8], size: [usize; 2]) -> Result<Self> {
        let (step, [coarse, middle, fine]) = pyramid(grey, size)?;
        let mut planner = FftPlanner::new();
        let spectrum_fft = Fft2::new(&mut planner, [SPECTRUM; 2]);
        let polar_fft = Fft2::new(&mut planner, POLAR);
        let shift_fft = Fft2::new(&mut planner, [SHIFTS; 2]);
        let polar = Polar::new();

        let mut turn_filter = polar.of(&middle, &spectrum_fft);
        polar_fft.forward(&mut turn_filter);
        whiten(&mut turn_filter);

        let mut shift_filter = vec![Complex::default(); SHIFTS * SHIFTS];
        let rim = rims(&coarse);
        for y in 0..coarse.height {
            for x in 0..coarse.width {
                shift_filter[(y + rim[1]) * SHIFTS + x + rim[0]].re = coarse.values[y * coarse.width + x];
            }
        }
        shift_fft.forward(&mut shift_filter);
        whiten(&mut shift_filter);

        let levels = [Reference::new(coarse, 1), Reference::new(middle, 2), Reference::new(fine, 2)];
        Ok(Self { levels, step, polar, turn_filter, shift_filter, spectrum_fft, polar_fft, shift_fft })
    }

    /// Finds the reference's pose in a picture.
    ///
    /// `grey`: u8[height, width] of `size` = [width, height]; it is taken to show the scene in the reference's
    /// framing, so the pixel counts may differ. Errors as [`Registrar::new`]. A picture of something else is no
    /// error: its `ncc` is low.
    pub fn register(&self, grey: &[u8], size: [usize; 2]) -> Result<Registration> {
        let (step, copies) = pyramid(grey, size)?;

        let near = self.fit(COARSE, &copies, &Affine::IDENTITY);
        let mut best = near;
        if near.trust() > AT_ONCE {
            best = self.fit(MIDDLE, &copies, &near.pose);
        }
        if best.trust() <= AT_ONCE {
            let starts = self.hypotheses(&copies);
            let mut found: Vec<Fit> = starts.par_iter().map(|start| self.fit(COARSE, &copies, start)).collect();
            found.push(near);
            found.sort_by(|a, b| b.trust().total_cmp(&a.trust()));
            let closer = found.par_iter().take(CLOSER).map(|fit| self.fit(MIDDLE, &copies, &fit.pose));
            best = closer.max_by(|a, b| a.trust().total_cmp(&b.trust())).unwrap_or(near);
        }
        let fine_from_fine = self.levels[FINEST].refine(&copies[FINEST], &best.pose);
        let picture_from_fine = Affine::scale_shift([step; 2], [0.0; 2]);
        let fine_from_reference = Affine::scale_shift([1.0 / self.step; 2], [0.0; 2]);
        let picture_from_reference = picture_from_fine.after(&fine_from_fine.after(&fine_from_reference));
        Ok(Registration { picture_from_reference, ncc: best.ncc, overlap: best.overlap })
    }

    /// Tells whether pictures of this part can be registered at all: a texture or a part without a fixed layout
    /// cannot.
    ///
    /// `good` are further good pictures, grey, each with its [width, height]. Each is registered, then warped by known
    /// poses (fixed, two a picture: turned by up to half a turn, shifted by up to 5 %, scaled by 0.9 and 1.1) and
    /// registered again; the two answers must agree. A texture agrees with itself but not with the reference, so its
    /// `ncc` is low; without `good` pictures only the reference's own part of the answer can be known.
    pub fn structure(&self, reference: (&[u8], [usize; 2]), good: &[(&[u8], [usize; 2])]) -> Result<Structure> {
        let mut errors = Vec::new();
        let mut correlations = Vec::new();
        for (at, &(grey, size)) in [reference].iter().chain(good).enumerate() {
            let first = self.register(grey, size)?;
            if at > 0 {
                correlations.push(first.ncc);
            }
            let centre = size.map(|side| side as f64 / 2.0);
            for (turn, scale, shift) in [(0.5 + at as f64, 0.9, 0.05), (3.5 + at as f64, 1.1, -0.05)] {
                let there = [0, 1].map(|i| centre[i] + shift * size[i] as f64);
                let warped_from_picture =
                    Affine::similarity(scale, turn, there).after(&Affine::scale_shift([1.0; 2], centre.map(|c| -c)));
                let Some(picture_from_warped) = warped_from_picture.inverse() else { continue };
                let warped = warp(grey, size, 1, &picture_from_warped, size, size)?;
                let second = self.register(&warped.pixels, size)?;
                let wanted = warped_from_picture.after(&first.picture_from_reference);
                let corners = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]];
                let far = corners.map(|share| {
                    let corner = [0, 1].map(|i| share[i] * reference.1[i] as f64);
                    let ([x, y], [u, v]) = (wanted.apply(corner), second.picture_from_reference.apply(corner));
                    (x - u).hypot(y - v)
                });
                errors.push(far.into_iter().fold(0.0, f64::max) / (size[0] as f64).hypot(size[1] as f64));
            }
        }
        errors.sort_by(f64::total_cmp);
        correlations.sort_by(f32::total_cmp);
        let ncc = (!correlations.is_empty()).then(|| correlations[correlations.len() / 2]);
        let error = errors.get(errors.len() / 2).copied().unwrap_or(f64::INFINITY);
        Ok(Structure { error, ncc })
    }

    /// Refines a pose on one level and measures it there.
    fn fit(&self, level: usize, copies: &[Grid; 3], start: &Affine) -> Fit {
        let larger = (1 << (FINEST - level)) as f64;
        let (reference, copy) = (&self.levels[level], &copies[level]);
        let pose = reference.refine(copy, &enlarged(start, 1.0 / larger));
        let (ncc, overlap) = reference.measure(copy, &pose);
        Fit { pose: enlarged(&pose, larger), ncc, overlap }
    }

    /// Poses worth trying, in the finest copy's pixels.
    fn hypotheses(&self, copies: &[Grid; 3]) -> Vec<Affine> {
        let mut turns = self.polar.of(&copies[1], &self.spectrum_fft);
        self.polar_fft.forward(&mut turns);
        multiply(&mut turns, &self.turn_filter);
        self.polar_fft.inverse(&mut turns);

        let coarse = &copies[0];
        let rim = rims(&self.levels[0].grid).map(|rim| rim as f64);
        let (middle, half) = ([coarse.width as f64 / 2.0, coarse.height as f64 / 2.0], SHIFTS as f64 / 2.0);
        let tried = self.polar.peaks(&turns, PEAKS).into_par_iter().flat_map_iter(|[radians, scale]| {
            let turn = Affine::similarity(scale, radians, [0.0; 2]);
            // The picture turned back by this angle is the real part, by the opposite angle the imaginary part;
            // the filter is linear and the reference real, so the two answers stay apart.
            let mut frame = vec![Complex::default(); SHIFTS * SHIFTS];
            for (at, both) in frame.iter_mut().enumerate() {
                let centred = [(at % SHIFTS) as f64 + 0.5 - half, (at / SHIFTS) as f64 + 0.5 - half];
                let [x, y] = turn.apply(centred);
                let at = |x: f64, y: f64| coarse.at((middle[0] + x) as f32, (middle[1] + y) as f32).unwrap_or(0.0);
                (both.re, both.im) = (at(x, y), at(-x, -y));
            }
            self.shift_fft.forward(&mut frame);
            multiply(&mut frame, &self.shift_filter);
            self.shift_fft.inverse(&mut frame);
            let tops = frame.iter().enumerate().fold([(f32::MIN, 0); 2], |[mut re, mut im], (at, value)| {
                if value.re > re.0 {
                    re = (value.re, at);
                }
                if value.im > im.0 {
                    im = (value.im, at);
                }
                [re, im]
            });
            [(tops[0], 1.0), (tops[1], -1.0)].map(|((peak, at), sign)| {
                let signed = |v: usize| if v > SHIFTS / 2 { v as f64 - SHIFTS as f64 } else { v as f64 };
                let shift = [signed(at % SHIFTS) + rim[0] - half, signed(at / SHIFTS) + rim[1] - half];
                let turn = Affine::similarity(sign * scale, radians, middle);
                (peak, turn.after(&Affine::scale_shift([1.0; 2], shift)))
            })
        });
        let mut tried: Vec<(f32, Affine)> = tried.collect();
        tried.sort_by(|a, b| b.0.total_cmp(&a.0));
        tried.into_iter().take(STARTS).map(|(_, start)| enlarged(&start, (1 << FINEST) as f64)).collect()
    }
}

/// Greatest side of a view that a picture is resampled into.
const MOST_PIXELS_ASIDE: usize = 65535;

/// A picture resampled into the reference's view.
#[derive(Debug, Clone, PartialEq)]
pub struct Warped {
    /// u8[height, width, channels]; where the picture does not reach, its nearest edge pixel.
    pub pixels: Vec<u8>,
    /// u8[height, width]: 255 where the picture reaches, else 0.
    pub covered: Vec<u8>,
}

/// Resamples a picture into the reference's view at `target` = [width, height] pixels.
///
/// `pixels`: u8[height, width, channels] of `size` = [width, height], 1 or 3 channels. A picture much finer than the
/// target is first reduced, so that nothing aliases; then bilinear. Errors ([`ErrorKind::Input`]) when the length
/// does not fit, a side of the view is 0 or over 65535 px, or the pose is not finite or flattens the plane.
pub fn warp(
    pixels: &[u8],
    size: [usize; 2],
    channels: usize,
    picture_from_reference: &Affine,
    reference: [usize; 2],
    target: [usize; 2],
) -> Result<Warped> {
    let kind = match channels {
        1 => PixelType::U8,
        3 => PixelType::U8x3,
        _ => return Err(Error::new(ErrorKind::Input, format!("a picture has 1 or 3 channels, got {channels}"))),
    };
    let [width, height] = size;
    if size.contains(&0) || Some(pixels.len()) != width.checked_mul(height).and_then(|n| n.checked_mul(channels)) {
        let got = pixels.len();
        return Err(Error::new(
            ErrorKind::Input,
            format!("a picture of {width}x{height}x{channels} was wanted, got {got} bytes"),
        ));
    }
    if [reference, target].as_flattened().iter().any(|side| !(1..=MOST_PIXELS_ASIDE).contains(side)) {
        return Err(Error::new(
            ErrorKind::Input,
            format!("a view has sides of 1 to {MOST_PIXELS_ASIDE} px, got {reference:?} seen at {target:?}"),
        ));
    }
    let reference_from_target = Affine::scale_shift([0, 1].map(|i| reference[i] as f64 / target[i] as f64), [0.0; 2]);
    let picture_from_target = picture_from_reference.after(&reference_from_target);
    let [a, b, _, d, e, _] = picture_from_target.m;
    let step = (a * e - b * d).abs().sqrt();
    let finite = picture_from_target.m.iter().all(|v| v.is_finite());
    if !finite || step < 1e-6 {
        let m = picture_from_reference.m;
        return Err(Error::new(ErrorKind::Input, format!("a pose must be finite and keep the plane, got {m:?}")));
    }
    if step > 1.25 {
        let small = size.map(|side| ((side as f64 / step).round() as usize).max(1));
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let reduced = resized(pixels, size, small, kind, &options)?;
        let small_from_picture = Affine::scale_shift([0, 1].map(|i| small[i] as f64 / size[i] as f64), [0.0; 2]);
        return Ok(sampled(&reduced, small, channels, &small_from_picture.after(&picture_from_target), target));
    }
    Ok(sampled(pixels, size, channels, &picture_from_target, target))
}

/// Bilinear samples of a picture at the target's pixel centres.
fn sampled(
    pixels: &[u8],
    [width, height]: [usize; 2],
    channels: usize,
    picture_from_target: &Affine,
    [wide, high]: [usize; 2],
) -> Warped {
    let mut out = vec![0u8; wide * high * channels];
    let mut covered = vec![0u8; wide * high];
    let [a, _, _, d, _, _] = picture_from_target.m.map(|m| m as f32);
    let rows = out.par_chunks_exact_mut(wide * channels).zip(covered.par_chunks_exact_mut(wide));
    rows.enumerate().for_each(|(row, (out, covered))| {
        let [x0, y0] = picture_from_target.apply([0.5, row as f64 + 0.5]).map(|v| v as f32 - 0.5);
        for (column, (out, covered)) in out.chunks_exact_mut(channels).zip(covered).enumerate() {
            let (x, y) = (x0 + a * column as f32, y0 + d * column as f32);
            let (most_x, most_y) = ((width - 1) as f32, (height - 1) as f32);
            // Half a pixel beyond the outermost centres still lies on the picture.
            if x >= -0.5 && y >= -0.5 && x <= most_x + 0.5 && y <= most_y + 0.5 {
                *covered = 255;
            }
            let (x, y) = (x.clamp(0.0, most_x), y.clamp(0.0, most_y));
            let (left, top) = (x as usize, y as usize);
            let (u, v) = (x - left as f32, y - top as f32);
            let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
            let [p, q, r, s] = [(top, left), (top, right), (bottom, left), (bottom, right)]
                .map(|(y, x)| &pixels[(y * width + x) * channels..][..channels]);
            for (channel, out) in out.iter_mut().enumerate() {
                let [p, q, r, s] = [p, q, r, s].map(|pixel| f32::from(pixel[channel]));
                let (upper, lower) = (p + u * (q - p), r + u * (s - r));
                *out = (upper + v * (lower - upper) + 0.5) as u8;
            }
        }
    });
    Warped { pixels: out, covered }
}

/// A pose in the finest copy's pixels (picture from reference) and how well it fits.
#[derive(Debug, Clone, Copy)]
struct Fit {
    pose: Affine,
    ncc: f32,
    overlap: f32,
}

impl Fit {
    /// A fit that has the reference leave the picture is worth less.
    fn trust(&self) -> f32 {
        self.ncc * self.overlap.sqrt()
    }
}

/// Values on a pixel grid.
struct Grid {
    /// f32[height, width].
    values: Vec<f32>,
    width: usize,
    height: usize,
}

impl Grid {
    /// The value at a point, bilinear; `None` outside the centres of the outermost pixels.
    #[inline]
    fn at(&self, x: f32, y: f32) -> Option<f32> {
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

/// A copy of the reference, and its pixels that say most about the pose.
struct Reference {
    grid: Grid,
    points: Vec<Point>,
    /// Half the longer side: points are given about the centre in this unit, so that all four parameters of a
    /// pose weigh alike.
    reach: f64,
}

/// A reference pixel: place about the centre in units of `reach`, and value.
struct Point {
    x: f32,
    y: f32,
    value: f32,
    /// What the value changes by, per unit of a pose's parameters: growth, turn, shift in x and y.
    slopes: [f32; 4],
}

impl Reference {
    /// Takes from each `cell`×`cell` pixels the one with the steepest gradient, unless all are flat.
    fn new(grid: Grid, cell: usize) -> Self {
        let (width, height) = (grid.width, grid.height);
        let reach = width.max(height) as f64 / 2.0;
        let slope = |x: usize, y: usize| {
            let at = y * width + x;
            let v = &grid.values;
            [0.5 * (v[at + 1] - v[at - 1]), 0.5 * (v[at + width] - v[at - width])]
        };
        let steep = |[a, b]: [f32; 2]| a * a + b * b;
        let mut points = Vec::new();
        let mut steepness = Vec::new();
        for top in (1..height - cell).step_by(cell) {
            for left in (1..width - cell).step_by(cell) {
                let pixels = (top..top + cell).flat_map(|y| (left..left + cell).map(move |x| (x, y)));
                let best = pixels.map(|(x, y)| (x, y, slope(x, y))).max_by(|a, b| steep(a.2).total_cmp(&steep(b.2)));
                let Some((x, y, gradient)) = best else { continue };
                steepness.push(steep(gradient));
                let value = grid.values[y * width + x];
                let [gx, gy] = gradient.map(|g| g * reach as f32);
                let (x, y) = (x as f64 + 0.5 - width as f64 / 2.0, y as f64 + 0.5 - height as f64 / 2.0);
                let (x, y) = ((x / reach) as f32, (y / reach) as f32);
                points.push(Point { x, y, value, slopes: [gx * x + gy * y, gy * x - gx * y, gx, gy] });
            }
        }
        let flat = 0.25 * steepness.iter().sum::<f32>() / steepness.len().max(1) as f32;
        let mut steepness = steepness.into_iter();
        points.retain(|_| steepness.next().is_some_and(|s| s > flat));
        Self { grid, points, reach }
    }

    /// Moves a pose to the nearest best fit by Gauss–Newton steps.
    fn refine(&self, picture: &Grid, start: &Affine) -> Affine {
        let reference_from_unit =
            Affine::scale_shift([self.reach; 2], [self.grid.width as f64 / 2.0, self.grid.height as f64 / 2.0]);
        let Some(unit_from_reference) = reference_from_unit.inverse() else { return *start };
        let mut picture_from_unit = start.after(&reference_from_unit);
        let mut seen = vec![f32::NAN; self.points.len()];
        let mut spread = f32::INFINITY;
        for _ in 0..ROUNDS {
            let Some((gain, offset)) = self.look(picture, &picture_from_unit, &mut seen) else { break };
            let mut normal = [[0f32; 4]; 4];
            let mut pull = [0f32; 4];
            let (mut sum, mut count) = (0.0, 0.0);
            let soft = 1.0 / (2.0 * spread).powi(2);
            for (point, seen) in self.points.iter().zip(&seen) {
                if seen.is_nan() {
                    continue;
                }
                let error = gain * seen + offset - point.value;
                sum += error.abs();
                count += 1.0;
                // Cauchy's weight: what is far off, such as a defect, hardly pulls.
                let weight = 1.0 / (1.0 + error * error * soft);
                for ((normal, pull), slope) in normal.iter_mut().zip(&mut pull).zip(point.slopes) {
                    let weighted = weight * slope;
                    for (sum, other) in normal.iter_mut().zip(point.slopes) {
                        *sum += weighted * other;
                    }
                    *pull += weighted * error;
                }
            }
            spread = (sum / count).max(1e-3);
            let normal = Matrix4::from(normal).cast::<f64>();
            let Some(step) = normal.cholesky().map(|c| c.solve(&Vector4::from(pull).cast())) else { break };
            let [a, b, x, y] = step.into();
            let step = Affine { m: [1.0 + a, -b, x, b, 1.0 + a, y] };
            let Some(back) = step.inverse() else { break };
            picture_from_unit = picture_from_unit.after(&back);
            if self.reach * (a.hypot(b) + x.hypot(y)) < SETTLED {
                break;
            }
        }
        picture_from_unit.after(&unit_from_reference)
    }

    /// Samples the picture at the points (NaN outside). Returns the gain and offset that give the samples the
    /// mean and spread of the reference; `None` when fewer than a third of the points are within the picture.
    fn look(&self, picture: &Grid, picture_from_unit: &Affine, seen: &mut [f32]) -> Option<(f32, f32)> {
        let [a, b, c, d, e, f] = picture_from_unit.m.map(|m| m as f32);
        let (mut count, mut p, mut pp, mut r, mut rr) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for (seen, point) in seen.iter_mut().zip(&self.points) {
            let (x, y) = (a * point.x + b * point.y + c, d * point.x + e * point.y + f);
            *seen = picture.at(x, y).unwrap_or(f32::NAN);
            if !seen.is_nan() {
                count += 1.0;
                p += *seen;
                pp += *seen * *seen;
                r += point.value;
                rr += point.value * point.value;
            }
        }
        if count < 16.0 || 3.0 * count < self.points.len() as f32 {
            return None;
        }
        let (p, r) = (p / count, r / count);
        let (picture_spread, spread) = ((pp / count - p * p).max(1e-6).sqrt(), (rr / count - r * r).max(0.0).sqrt());
        let gain = spread / picture_spread;
        Some((gain, r - gain * p))
    }

    /// How well a pose fits, over all pixels: correlation and overlap.
    fn measure(&self, picture: &Grid, pose: &Affine) -> (f32, f32) {
        let (mut count, mut p, mut pp, mut r, mut rr, mut pr) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
        let along = [pose.m[0] as f32, pose.m[3] as f32];
        for (y, row) in self.grid.values.chunks_exact(self.grid.width).enumerate() {
            let [start_x, start_y] = pose.apply([0.5, y as f64 + 0.5]).map(|v| v as f32);
            let mut line = [0f32; 6];
            for (x, &value) in row.iter().enumerate() {
                let x = x as f32;
                if let Some(seen) = picture.at(start_x + along[0] * x, start_y + along[1] * x) {
                    let terms = [1.0, seen, seen * seen, value, value * value, seen * value];
                    for (sum, term) in line.iter_mut().zip(terms) {
                        *sum += term;
                    }
                }
            }
            for (sum, line) in [&mut count, &mut p, &mut pp, &mut r, &mut rr, &mut pr].into_iter().zip(line) {
                *sum += f64::from(line);
            }
        }
        let overlap = (count / self.grid.values.len() as f64) as f32;
        let spreads = (count * pp - p * p).max(0.0) * (count * rr - r * r).max(0.0);
        let scale = (pose.m[0] * pose.m[4] - pose.m[1] * pose.m[3]).abs().sqrt();
        // A pose that ran away, or nothing to compare: no fit.
        if overlap < 0.25 || spreads <= 1e-9 || (scale.ln()).abs() > 1.5 * LOG_SCALE {
            return (-1.0, overlap);
        }
        (((count * pr - p * r) / spreads.sqrt()) as f32, overlap)
    }
}

/// The same pose in a copy `times` as large.
fn enlarged(pose: &Affine, times: f64) -> Affine {
    let [a, b, c, d, e, f] = pose.m;
    Affine { m: [a, b, times * c, d, e, times * f] }
}

/// The picture pixels per pixel of the finest working copy, and the three copies, coarsest first.
fn pyramid(grey: &[u8], size: [usize; 2]) -> Result<(f64, [Grid; 3])> {
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
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(
        0.0,
        0.0,
        (fine_width as f64 * step).min(width as f64),
        (fine_height as f64 * step).min(height as f64),
    );
    let small = resized(grey, size, [fine_width, fine_height], PixelType::U8, &options)?;
    let fine = normalised(&small, fine_width, fine_height);
    let middle = fine.half();
    let coarse = middle.half();
    Ok((step, [coarse, middle, fine]))
}

fn resized(
    pixels: &[u8],
    from: [usize; 2],
    to: [usize; 2],
    kind: PixelType,
    options: &ResizeOptions,
) -> Result<Vec<u8>> {
    let refused = |what: String| Error::new(ErrorKind::Input, format!("cannot resize a picture: {what}"));
    let [width, height] = from.map(|side| side as u32);
    let source = ImageRef::new(width, height, pixels, kind).map_err(|e| refused(e.to_string()))?;
    let mut target = Image::new(to[0] as u32, to[1] as u32, kind);
    Resizer::new().resize(&source, &mut target, options).map_err(|e| refused(e.to_string()))?;
    Ok(target.into_vec())
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

/// Left and upper rim that centre a grid in the square of shifts.
fn rims(grid: &Grid) -> [usize; 2] {
    [(SHIFTS - grid.width) / 2, (SHIFTS - grid.height) / 2]
}

fn multiply(spectrum: &mut [Complex<f32>], filter: &[Complex<f32>]) {
    for (value, filter) in spectrum.iter_mut().zip(filter) {
        *value *= filter;
    }
}

/// Makes a matched filter of a spectrum: its conjugate, weakened where it is strong, so that all frequencies have
/// a say and the peak is sharp.
fn whiten(spectrum: &mut [Complex<f32>]) {
    let mean = spectrum.iter().map(|v| v.norm()).sum::<f32>() / spectrum.len() as f32;
    for value in spectrum.iter_mut() {
        *value = value.conj() / (value.norm() + mean).max(f32::MIN_POSITIVE);
    }
}

/// The magnitude spectrum of a copy over angle and logarithm of frequency.
struct Polar {
    /// For each step of [`POLAR`]: index of the upper left spectrum value, and the bilinear weights.
    taps: Vec<(u32, [f32; 4])>,
    /// Fades the first and last frequencies out.
    fade: Vec<f32>,
}

/// Columns of the half spectrum, whose rows are the signed frequencies along x.
const HALF: usize = SPECTRUM / 2 + 2;

impl Polar {
    fn new() -> Self {
        let [angles, radii] = POLAR;
        let growth = (RADII[1] / RADII[0]).ln() / radii as f64;
        let mut taps = Vec::with_capacity(angles * radii);
        for angle in 0..angles {
            let (sin, cos) = (PI * angle as f64 / angles as f64).sin_cos();
            for radius in 0..radii {
                let frequency = RADII[0] * (growth * radius as f64).exp();
                let (x, y) = (frequency * cos + SPECTRUM as f64 / 2.0, frequency * sin);
                let (u, v) = (x.fract() as f32, y.fract() as f32);
                let at = x as usize * HALF + y as usize;
                taps.push((at as u32, [(1.0 - u) * (1.0 - v), (1.0 - u) * v, u * (1.0 - v), u * v]));
            }
        }
        Self { taps, fade: (0..radii).map(|radius| hump(radius, radii)).collect() }
    }

    /// Complex f32[angles, radii]; the imaginary part is nought.
    fn of(&self, grid: &Grid, fft: &Fft2) -> Vec<Complex<f32>> {
        let columns: Vec<f32> = (0..grid.width).map(|x| hump(x, grid.width)).collect();
        let mut frame = vec![Complex::default(); SPECTRUM * SPECTRUM];
        for (y, row) in grid.values.chunks_exact(grid.width).enumerate() {
            let fade = hump(y, grid.height);
            for ((target, value), column) in frame[y * SPECTRUM..].iter_mut().zip(row).zip(&columns) {
                target.re = value * fade * column;
            }
        }
        fft.forward(&mut frame);
        // Rows of the transposed spectrum are frequencies along x: from −half to half, beside y from 0 to half.
        let mut magnitudes = vec![0f32; (SPECTRUM + 1) * HALF];
        for (row, target) in magnitudes.chunks_exact_mut(HALF).enumerate() {
            let x = (row + SPECTRUM / 2) % SPECTRUM;
            for (target, value) in target.iter_mut().zip(&frame[x * SPECTRUM..]) {
                *target = value.norm();
            }
        }
        let mut polar = Vec::with_capacity(self.taps.len());
        for (at, &(first, [a, b, c, d])) in self.taps.iter().enumerate() {
            let (upper, lower) = (&magnitudes[first as usize..][..2], &magnitudes[first as usize + HALF..][..2]);
            let value = a * upper[0] + b * upper[1] + c * lower[0] + d * lower[1];
            polar.push(Complex::new(value.sqrt() * self.fade[at % POLAR[1]], 0.0));
        }
        // Without the mean, the fade does not correlate with itself.
        let mean = polar.iter().map(|v| v.re).sum::<f32>() / polar.len() as f32;
        for (at, value) in polar.iter_mut().enumerate() {
            value.re -= mean * self.fade[at % POLAR[1]];
        }
        polar
    }

    /// The strongest peaks of the correlation over angle and log frequency, as [radians in 0..π, scale].
    fn peaks(&self, turns: &[Complex<f32>], count: usize) -> Vec<[f64; 2]> {
        let [angles, radii] = POLAR;
        let growth = (RADII[1] / RADII[0]).ln() / radii as f64;
        let reach = (LOG_SCALE / growth).ceil() as i64;
        let value = |angle: i64, radius: i64| {
            let (angle, radius) = (angle.rem_euclid(angles as i64), radius.rem_euclid(radii as i64));
            turns[angle as usize * radii + radius as usize].re
        };
        let mut found: Vec<(f32, i64, i64)> = Vec::new();
        for angle in 0..angles as i64 {
            // The best scale of each angle, where no neighbouring angle is better.
            let top = |angle| (-reach..=reach).map(|r| (value(angle, r), r)).max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((here, radius)) = top(angle) else { continue };
            let beaten = |other: i64| (-reach..=reach).any(|r| value(other, r) > here);
            if !beaten(angle - 1) && !beaten(angle + 1) {
                found.push((here, angle, radius));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(count);
        let pose = |&(_, angle, radius): &(f32, i64, i64)| {
            [PI * angle as f64 / angles as f64, (-growth * radius as f64).exp()]
        };
        found.iter().map(pose).collect()
    }
}

/// Half a wave over `n` steps, 0 at both ends: fades a window or a band out.
fn hump(at: usize, n: usize) -> f32 {
    (PI * (at as f64 + 0.5) / n as f64).sin() as f32
}

/// A Fourier transform in two dimensions. Forward gives the transpose, inverse takes it; neither divides.
struct Fft2 {
    /// Rows, columns.
    size: [usize; 2],
    /// Of a row, of a column.
    forward: [Arc<dyn Fft<f32>>; 2],
    inverse: [Arc<dyn Fft<f32>>; 2],
}

impl Fft2 {
    fn new(planner: &mut FftPlanner<f32>, [rows, columns]: [usize; 2]) -> Self {
        Self {
            size: [rows, columns],
            forward: [columns, rows].map(|n| planner.plan_fft_forward(n)),
            inverse: [columns, rows].map(|n| planner.plan_fft_inverse(n)),
        }
    }

    /// Complex[rows, columns] to its spectrum[columns, rows].
    fn forward(&self, data: &mut Vec<Complex<f32>>) {
        let [rows, columns] = self.size;
        self.forward[0].process(data);
        *data = transposed(data, rows, columns);
        self.forward[1].process(data);
    }

    /// Spectrum[columns, rows] to complex[rows, columns].
    fn inverse(&self, data: &mut Vec<Complex<f32>>) {
        let [rows, columns] = self.size;
        self.inverse[1].process(data);
        *data = transposed(data, columns, rows);
        self.inverse[0].process(data);
    }
}

fn transposed(data: &[Complex<f32>], rows: usize, columns: usize) -> Vec<Complex<f32>> {
    const TILE: usize = 16;
    let mut out = vec![Complex::default(); data.len()];
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for y in top..(top + TILE).min(rows) {
                for x in left..(left + TILE).min(columns) {
                    out[x * rows + y] = data[y * columns + x];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::printed::{Board, Dice, FAULTS, SIZE, Shot};

    fn shot(pose: Affine, seed: u64) -> Shot {
        Shot { pose, seed, blur: 0.6, noise: 3.0, light: true }
    }

    /// Greatest distance in picture pixels over points of the board between the true and the found place.
    fn error(found: &Affine, truth: &Affine) -> f64 {
        let corners = [[110.0, 80.0], [530.0, 80.0], [110.0, 400.0], [530.0, 400.0]];
        corners
            .iter()
            .map(|&at| {
                let ([x, y], [u, v]) = (found.apply(at), truth.apply(at));
                (x - u).hypot(y - v)
            })
            .fold(0.0, f64::max)
    }

    /// Errors and correlations of pictures of boards at poses, sorted by error.
    fn trial(boards: u64, each: u64, degrees: f64, scale: [f64; 2], shift: f64, faults: bool) -> Vec<(f64, f32)> {
        let mut dice = Dice(degrees.to_bits());
        let mut found = Vec::new();
        for seed in 0..boards {
            let board = Board::new(seed);
            let registrar = Registrar::new(&board.grey(&shot(Affine::IDENTITY, 1000), None), SIZE).unwrap();
            for picture in 0..each {
                let pose = dice.pose(degrees, scale, shift);
                let fault = faults.then(|| FAULTS[(picture % 7) as usize]);
                let grey = board.grey(&shot(pose, picture), fault);
                let found_here = registrar.register(&grey, SIZE).unwrap();
                found.push((error(&found_here.picture_from_reference, &pose), found_here.ncc));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found
    }

    #[test]
    fn a_part_is_found_at_any_turn_and_scale_to_a_third_of_a_pixel() {
        let found = trial(2, 7, 180.0, [0.8, 1.25], 30.0, false);
        assert!(found.iter().all(|f| f.0 < 0.33 && f.1 > 0.7), "{found:?}");
    }

    #[test]
    fn a_fault_does_not_pull_the_pose() {
        let found = trial(2, 7, 5.0, [1.0, 1.0], 8.0, true);
        assert!(found.iter().all(|f| f.0 < 0.33 && f.1 > 0.7), "{found:?}");
    }

    #[test]
    fn a_covered_tenth_of_the_part_does_not_pull_the_pose() {
        let board = Board::new(4);
        let registrar = Registrar::new(&board.grey(&shot(Affine::IDENTITY, 1), None), SIZE).unwrap();
        let pose = Dice(5).pose(180.0, [0.9, 1.1], 10.0);
        let mut grey = board.grey(&shot(pose, 2), None);
        for row in grey.chunks_exact_mut(SIZE[0]).skip(200).take(100) {
            row[260..400].fill(250);
        }
        let found = registrar.register(&grey, SIZE).unwrap();
        assert!(error(&found.picture_from_reference, &pose) < 0.33 && found.ncc > 0.6, "{found:?}");
    }

    #[test]
    fn a_picture_of_another_size_is_found_in_its_own_pixels() {
        let board = Board::new(6);
        let reference = board.grey(&shot(Affine::IDENTITY, 1), None);
        let half = resized(&reference, SIZE, [320, 240], PixelType::U8, &ResizeOptions::new()).unwrap();
        let found = Registrar::new(&reference, SIZE).unwrap().register(&half, [320, 240]).unwrap();
        let truth = Affine::scale_shift([0.5, 0.5], [0.0, 0.0]);
        assert!(error(&found.picture_from_reference, &truth) < 0.2, "{found:?}");
    }

    #[test]
    fn another_part_is_told_by_its_correlation() {
        let registrar = Registrar::new(&Board::new(0).grey(&shot(Affine::IDENTITY, 1), None), SIZE).unwrap();
        for other in 1..4 {
            let found = registrar.register(&Board::new(other).grey(&shot(Affine::IDENTITY, 2), None), SIZE).unwrap();
            assert!(found.ncc < 0.5, "{found:?}");
        }
        let blank = vec![90; SIZE[0] * SIZE[1]];
        assert!(registrar.register(&blank, SIZE).unwrap().ncc < 0.1);
    }

    #[test]
    fn warping_undoes_the_pose_and_tells_what_is_covered() {
        let plain = |pose| Shot { pose, seed: 1, blur: 0.0, noise: 0.0, light: false };
        let board = Board::new(2);
        let pose = Dice(3).pose(20.0, [0.9, 0.9], 10.0);
        let straight = board.grey(&plain(Affine::IDENTITY), None);
        let back = warp(&board.grey(&plain(pose), None), SIZE, 1, &pose, SIZE, SIZE).unwrap();
        let differences = straight.iter().zip(&back.pixels).map(|(a, b)| f64::from(a.abs_diff(*b)));
        assert!(differences.sum::<f64>() / (straight.len() as f64) < 4.0);
        let shifted = Affine::scale_shift([1.0, 1.0], [-100.0, 0.0]);
        let part = warp(&straight, SIZE, 1, &shifted, SIZE, SIZE).unwrap();
        assert_eq!(part.covered.iter().filter(|&&c| c == 0).count(), 100 * SIZE[1]);
        let small = warp(&straight, SIZE, 1, &Affine::IDENTITY, SIZE, [160, 120]).unwrap();
        assert!(small.pixels.len() == 160 * 120 && small.covered.iter().all(|&c| c == 255));
    }

    #[test]
    fn a_board_has_structure_and_a_texture_has_none() {
        let board = Board::new(0);
        let pictures: Vec<Vec<u8>> = (0..3).map(|seed| board.grey(&shot(Affine::IDENTITY, seed), None)).collect();
        let judged = |pictures: &[Vec<u8>]| {
            let others: Vec<(&[u8], [usize; 2])> = pictures[1..].iter().map(|p| (p.as_slice(), SIZE)).collect();
            Registrar::new(&pictures[0], SIZE).unwrap().structure((&pictures[0], SIZE), &others).unwrap()
        };
        let structure = judged(&pictures);
        assert!(structure.holds(), "{structure:?}");
        let textures: Vec<Vec<u8>> = (0..3)
            .map(|seed| {
                let mut dice = Dice(seed);
                let noise: Vec<u8> = (0..160 * 120).map(|_| dice.range(60.0, 190.0) as u8).collect();
                resized(&noise, [160, 120], SIZE, PixelType::U8, &ResizeOptions::new()).unwrap()
            })
            .collect();
        let structure = judged(&textures);
        assert!(!structure.holds(), "{structure:?}");
    }

    #[test]
    fn a_picture_that_cannot_be_registered_is_refused_in_one_sentence() {
        for (pixels, size, says) in
            [(100, [20, 20], "100 pixels"), (400, [20, 20], "at least 32 px"), (40 * 4000, [4000, 40], "1:10")]
        {
            let error = Registrar::new(&vec![0; pixels], size).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Input);
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
