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

mod pyramid;
mod refine;
mod spectrum;
mod warp;

use kernels::fourier::Complex;
use rayon::prelude::*;

use crate::error::Result;
use crate::geometry::Affine;
use pyramid::{Grid, pyramid};
use refine::Reference;
use spectrum::{Fft2, POLAR, Polar, SPECTRUM, multiply, whiten};

pub use warp::{Warped, warp};

/// Side of the square in which shifts are found: the coarsest copy and a rim.
const SHIFTS: usize = 96;
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
    /// `grey`: u8[height, width] of `size` = [width, height]. Errors ([`ErrorKind::Input`](crate::ErrorKind::Input)) when the length does
    /// not fit the size, or a side is under 32 px or under a tenth of the other.
    pub fn new(grey: &[u8], size: [usize; 2]) -> Result<Self> {
        let (step, [coarse, middle, fine]) = pyramid(grey, size)?;
        let spectrum_fft = Fft2::new([SPECTRUM; 2]);
        let polar_fft = Fft2::new(POLAR);
        let shift_fft = Fft2::new([SHIFTS; 2]);
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

/// The same pose in a copy `times` as large.
fn enlarged(pose: &Affine, times: f64) -> Affine {
    let [a, b, c, d, e, f] = pose.m;
    Affine { m: [a, b, times * c, d, e, times * f] }
}

/// Left and upper rim that centre a grid in the square of shifts.
fn rims(grid: &Grid) -> [usize; 2] {
    [(SHIFTS - grid.width) / 2, (SHIFTS - grid.height) / 2]
}

#[cfg(test)]
mod tests {
    use kernels::resize::Pixel;

    use super::pyramid::resized;
    use super::*;
    use crate::error::ErrorKind;
    use crate::testing::printed::{Board, Dice, FAULTS, SIZE, Shot};

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
        let half = resized(&reference, Pixel::Grey, SIZE, [320, 240], None).unwrap();
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
                resized(&noise, Pixel::Grey, [160, 120], SIZE, None).unwrap()
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
