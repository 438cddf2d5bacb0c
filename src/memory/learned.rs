//! What is learned from good samples, and the distances of a new sample from it.

use half::f16;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::bank::coreset;
use super::calibrate::{Calibration, centre_and_spread, with_known};
use super::features::interpolate;
use super::search::{Index, Nearest};
use super::shape::{self, Shape};
use crate::prepare::steady::GROUPS;

/// Most entries of a bank.
pub const BANK_ENTRIES: usize = 2000;
/// Most good patches that a bank is chosen from. If there are more, each image is thinned evenly.
const CANDIDATES: usize = 24_000;
/// Distance that the full width or height of the image counts as, where memory knows positions. A good patch is about
/// one from the mean of all.
const PLACE_WEIGHT: f32 = 2.0;
/// An image's local distance is the mean over this share of its patches, the highest ones. A single patch is noise.
const TOP_SHARE: f32 = 0.005;
/// From this stride on, a level is weighted by [`BROAD_SHARE`]: its patches cover a large part of the image and blur
/// small defects.
const BROAD_STRIDE: usize = 32;
/// Weight of a broad level's distance; other levels weigh 1.
const BROAD_SHARE: f32 = 0.25;

/// What is kept of one good sample during teaching: some of its patches and its summary.
#[derive(Debug, Clone)]
pub struct Good {
    /// Its patches, level by level.
    pub levels: Vec<Kept>,
    /// Summary of the whole image, `f32[d]`.
    pub summary: Vec<f32>,
}

/// Patches of one sample at one level.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Chosen patches, projected, `f16[places, k]`. Half precision halves the memory and is far finer than distances
    /// between patches.
    pub cells: Vec<f16>,
    /// Indices of these patches in the sample.
    pub places: Vec<u32>,
}

impl Kept {
    /// Keeps a share of sample `i` of `samples` with `cells`, `f32[n, k]`, so that all samples together give one bank's
    /// candidates. The memory needed does not grow with the number of samples.
    pub fn of(i: usize, samples: usize, cells: ArrayView2<f32>) -> Self {
        let every = (samples * cells.nrows()).div_ceil(CANDIDATES).max(1);
        // Each sample starts at another patch, so that thinning does not favour some positions.
        let places: Vec<u32> = (i % every..cells.nrows()).step_by(every).map(|place| place as u32).collect();
        let kept = places.iter().flat_map(|&place| cells.row(place as usize).to_vec());
        Self { cells: kept.map(f16::from_f32).collect(), places }
    }

    /// Prepends the first `count` coordinates, row and column, to each patch: see [`place_of`].
    pub fn know_places(&mut self, grid: [usize; 2], count: usize) {
        let cells = self.cells.chunks_exact(self.k()).zip(&self.places);
        let with = |(cell, place): (&[f16], &u32)| {
            let place = place_of(*place as usize, grid).map(f16::from_f32);
            place.into_iter().take(count).chain(cell.iter().copied()).collect::<Vec<_>>()
        };
        self.cells = cells.flat_map(with).collect();
    }

    fn k(&self) -> usize {
        (self.cells.len() / self.places.len().max(1)).max(1)
    }
}

/// Row and column of patch `i` of `grid` = [rows, columns], as distances: the full side of the image is 2.
pub fn place_of(i: usize, [rows, columns]: [usize; 2]) -> [f32; 2] {
    let share = |at: usize, n: usize| PLACE_WEIGHT * (at as f32 + 0.5) / n as f32;
    [share(i / columns, rows), share(i % columns, columns)]
}

/// Share of a side that [`wandering`] ignores at each end.
const RIM: f32 = 0.15;

/// Positional consistency of one level: the mean distance between good patches and the positions of their nearest
/// neighbours in other good images, relative to random. 1 for a texture, 0 for a layout that never moves.
pub fn wandering(good: &[&Kept], grid: [usize; 2]) -> f32 {
    if good.len() < 2 {
        return 1.0;
    }
    let folds = folds(good.len());
    let others: Vec<&Kept> = good.iter().enumerate().filter(|(i, _)| i % folds != 0).map(|(_, kept)| *kept).collect();
    let (bank, seen_at) = bank_of(&others);
    let index = Index::new(bank.view());
    let place = |i: u32| place_of(i as usize, grid).map(|at| at / PLACE_WEIGHT);
    let apart = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let (mut found, mut any, mut count) = (0.0f64, 0.0f64, 0.0f64);
    for sample in good.iter().step_by(folds).take(8) {
        let cells: Vec<f32> = sample.cells.iter().map(|value| value.to_f32()).collect();
        let mut nearest = vec![Nearest::default(); sample.places.len()];
        index.search(&cells, &mut nearest);
        for (i, (nearest, &here)) in nearest.iter().zip(&sample.places).enumerate() {
            // The encoder's padding marks the rim of every image.
            if place(here).iter().any(|at| !(RIM..1.0 - RIM).contains(at)) {
                continue;
            }
            let there = seen_at[nearest.entry as usize][1];
            let random = seen_at[(i * 7919) % seen_at.len()][1];
            found += f64::from(apart(place(here), place(there)));
            any += f64::from(apart(place(here), place(random)));
            count += 1.0;
        }
    }
    if count > 0.0 && any > 0.0 { (found / any) as f32 } else { 1.0 }
}

/// A bank chosen from the patches of several samples, `f32[entries, k]`, and the origin of each entry: sample and
/// patch.
fn bank_of(good: &[&Kept]) -> (Array2<f32>, Vec<[u32; 2]>) {
    let k = good.first().map_or(1, |kept| kept.k());
    let places: Vec<[u32; 2]> = good
        .iter()
        .enumerate()
        .flat_map(|(i, kept)| (0..kept.places.len()).map(move |place| [i as u32, place as u32]))
        .collect();
    let mut candidates = Array2::zeros((places.len(), k));
    for (mut row, [sample, place]) in candidates.rows_mut().into_iter().zip(&places) {
        let from = *place as usize * k;
        let values = &good[*sample as usize].cells[from..from + k];
        row.iter_mut().zip(values).for_each(|(out, value)| *out = value.to_f32());
    }
    let mut chosen = coreset(candidates.view(), BANK_ENTRIES);
    // Similar entries are placed side by side, so that the search can skip whole panels of them.
    side_by_side(candidates.view(), &mut chosen);
    let bank = candidates.select(ndarray::Axis(0), &chosen);
    let seen = |[sample, place]: [u32; 2]| [sample, good[sample as usize].places[place as usize]];
    (bank, chosen.iter().map(|&i| seen(places[i])).collect())
}

/// The memory of one stride of the encoder. Each stride has its own bank: in one concatenated vector, the map with the
/// largest values would dominate.
#[derive(Debug, Clone)]
pub struct Level {
    /// Pixels of the encoder's input from patch to patch.
    pub stride: usize,
    /// Projection of its patches, `f32[channels, k]`.
    pub weights: Array2<f32>,
    /// Chosen good patches, `f32[entries, k]`; where memory knows positions, with one or two coordinates first.
    pub bank: Array2<f32>,
    /// Origin of each entry: sample and patch, in the order they were given.
    pub seen_at: Vec<[u32; 2]>,
    /// Unit of distance: the mean distance of good patches that were not in memory.
    pub unit: f32,
    index: Index,
}

impl Level {
    /// From stored numbers.
    pub fn new(stride: usize, weights: Array2<f32>, (bank, seen_at): (Array2<f32>, Vec<[u32; 2]>), unit: f32) -> Self {
        let index = Index::new(bank.view());
        Self { stride, weights, bank, seen_at, unit, index }
    }

    /// Factor applied to a distance before the levels are added.
    fn factor(&self) -> f32 {
        let share = if self.stride >= BROAD_STRIDE { BROAD_SHARE } else { 1.0 };
        share / self.unit.max(1e-6)
    }
}

/// The level whose nearest entries are shown as expected: coarse enough to know what a position belongs to, fine enough
/// to show it.
pub fn shown_level(levels: usize) -> usize {
    1.min(levels.saturating_sub(1))
}

/// Banks and a Gaussian model: all that is needed to measure how far a sample is from the good ones.
#[derive(Debug, Clone)]
pub struct Learned {
    /// One memory per stride, finest first.
    pub levels: Vec<Level>,
    /// Gaussian over summaries.
    pub shape: Shape,
    /// `f32[d]`: [`Shape::centre`].
    pub centre: Vec<f32>,
}

/// Distances of a sample from the good ones. All but the stationary ones are logarithms: a unit is a factor of e.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Distances {
    /// Of its most anomalous patches from their nearest neighbours.
    pub local: f32,
    /// Of its summary from the Gaussian model of good summaries.
    pub global: f32,
    /// Of its pixels from the golden ones; `None` if pixels are not compared.
    pub pixels: Option<f32>,
    /// Of a sound's stationary features, per group of `prepare::steady::GROUPS`, in standard deviations of good sounds;
    /// `None` if there is no baseline.
    pub steady: Option<[f32; GROUPS.len()]>,
}

/// Buffers for [`Learned::local`], reused from sample to sample.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Rows and columns of each level, `[levels]`; the first is the finest.
    pub grids: Vec<[usize; 2]>,
    /// The nearest neighbour of each patch of each level, after a call.
    pub nearest: Vec<Vec<Nearest>>,
    /// The joint distance of each patch of the finest grid, after a call.
    pub joint: Vec<f32>,
    /// Patches of the finest grid that are masked: their distance is zero. Empty if none is.
    pub hidden: Vec<bool>,
    sorted: Vec<f32>,
    plane: Vec<f32>,
    finer: Vec<f32>,
}

impl Scratch {
    /// For samples with patches on these grids.
    pub fn on(grids: Vec<[usize; 2]>) -> Self {
        Self { grids, ..Self::default() }
    }
}

impl Learned {
    /// Learns from good samples whose patches were projected by `weights`, one per level with its stride.
    /// [`Level::unit`] is 1 until [`Learned::measure_in`] sets it.
    pub fn from_good(good: &[&Good], weights: &[(usize, Array2<f32>)]) -> Self {
        let level = |(l, (stride, weights)): (usize, &(usize, Array2<f32>))| {
            let kept: Vec<&Kept> = good.iter().map(|good| &good.levels[l]).collect();
            Level::new(*stride, weights.clone(), bank_of(&kept), 1.0)
        };
        let levels = weights.iter().enumerate().map(level).collect();
        Self::new(levels, shape_of(good))
    }

    /// From stored numbers.
    pub fn new(levels: Vec<Level>, shape: Shape) -> Self {
        let centre = shape.centre();
        Self { levels, shape, centre }
    }

    /// Sets the unit of each level: the mean distance of good patches that were not in memory.
    pub fn measure_in(&mut self, units: impl Iterator<Item = f32>) {
        self.levels.iter_mut().zip(units).for_each(|(level, unit)| level.unit = unit.max(1e-6));
    }

    /// The local distance of a sample with `cells`, `f32[n, k]` for each level. The nearest neighbours and the joint
    /// distances are left in `scratch`.
    pub fn local(&self, cells: &[Array2<f32>], scratch: &mut Scratch) -> f32 {
        scratch.nearest.resize(self.levels.len(), Vec::new());
        for ((level, cells), nearest) in self.levels.iter().zip(cells).zip(&mut scratch.nearest) {
            nearest.resize(cells.nrows(), Nearest::default());
            if let Some(cells) = cells.as_slice() {
                level.index.search(cells, nearest);
            }
        }
        let nearest = std::mem::take(&mut scratch.nearest);
        let local = self.join(|l| nearest[l].iter().map(|nearest| nearest.distance), scratch);
        scratch.nearest = nearest;
        local
    }

    /// Joins the distances of the levels' patches, `level(l)`, on the finest grid. Each is taken in its own unit,
    /// interpolated, and added. Only a position that is anomalous at several scales therefore scores very high. The
    /// sums are left in `scratch.joint`. Returns the local distance.
    pub fn join<I: Iterator<Item = f32>>(&self, level: impl Fn(usize) -> I, scratch: &mut Scratch) -> f32 {
        let Some(&finest) = scratch.grids.first() else { return 0.0 };
        let Scratch { grids, joint, plane, finer, hidden, sorted, .. } = scratch;
        joint.clear();
        joint.resize(finest[0] * finest[1], 0.0);
        for (l, (memory, grid)) in self.levels.iter().zip(grids).enumerate() {
            let factor = memory.factor();
            if *grid == finest {
                joint.iter_mut().zip(level(l)).for_each(|(joint, distance)| *joint += factor * distance);
            } else {
                plane.clear();
                plane.extend(level(l).map(|distance| factor * distance));
                interpolate(plane, *grid, finest, finer);
                joint.iter_mut().zip(finer.iter()).for_each(|(joint, distance)| *joint += distance);
            }
        }
        joint.iter_mut().zip(hidden).filter(|(_, hidden)| **hidden).for_each(|(joint, _)| *joint = 0.0);
        sorted.clone_from(joint);
        let top = ((sorted.len() as f32 * TOP_SHARE).round() as usize).clamp(1, sorted.len().max(1));
        let at = sorted.len().saturating_sub(top);
        if at > 0 {
            sorted.select_nth_unstable_by(at, f32::total_cmp);
        }
        (sorted[at..].iter().sum::<f32>() / top as f32).max(1e-6).ln()
    }
}

/// Orders rows of `cells` so that neighbours are similar: splits by the widest axis, recursively, down to the sixteen
/// entries that the search handles together.
fn side_by_side(cells: ArrayView2<f32>, rows: &mut [usize]) {
    if rows.len() <= 16 {
        return;
    }
    let spread = |axis: usize| {
        let values = || rows.iter().map(|&row| cells[[row, axis]]);
        values().fold(f32::MIN, f32::max) - values().fold(f32::MAX, f32::min)
    };
    let widest = (0..cells.ncols()).max_by(|&a, &b| spread(a).total_cmp(&spread(b))).unwrap_or(0);
    let middle = (rows.len() / 2).next_multiple_of(16).min(rows.len() - 1);
    rows.select_nth_unstable_by(middle, |&a, &b| cells[[a, widest]].total_cmp(&cells[[b, widest]]));
    let (low, high) = rows.split_at_mut(middle);
    side_by_side(cells, low);
    side_by_side(cells, high);
}

/// Number of folds for cross-validation: one per sample up to ten samples, else five.
pub fn folds(samples: usize) -> usize {
    match samples {
        0 | 1 => 0,
        2..=10 => samples,
        _ => 5,
    }
}

/// The fold of each good sample. `groups` holds a number per sample, equal for those from one source, such as windows
/// of one recording. A group stays in one fold, because its samples resemble each other. If all samples are of one
/// group, each counts as its own.
pub fn folds_of(groups: &[usize]) -> Vec<usize> {
    let mut known: Vec<usize> = Vec::new();
    let mut rank = |group: usize| {
        known.iter().position(|other| *other == group).unwrap_or_else(|| {
            known.push(group);
            known.len() - 1
        })
    };
    let ranks: Vec<usize> = groups.iter().map(|&group| rank(group)).collect();
    match known.len() {
        1 => (0..groups.len()).map(|i| i % folds(groups.len()).max(1)).collect(),
        count => ranks.into_iter().map(|rank| rank % folds(count).max(1)).collect(),
    }
}

/// The memory of all samples outside `fold`; `folds` holds the fold of each.
pub fn without_fold(good: &[&Good], weights: &[(usize, Array2<f32>)], folds: &[usize], fold: usize) -> Learned {
    Learned::from_good(&without(good, folds, &[fold]), weights)
}

fn without<'a>(good: &[&'a Good], folds: &[usize], these: &[usize]) -> Vec<&'a Good> {
    good.iter().zip(folds).filter(|(_, fold)| !these.contains(fold)).map(|(good, _)| *good).collect()
}

fn shape_of(good: &[&Good]) -> Shape {
    let d = good.first().map_or(0, |good| good.summary.len());
    Shape::learn(Array2::from_shape_fn((good.len(), d), |(i, j)| good[i].summary[j]).view())
}

/// Fewest folds, and fewest held-out samples, for measuring how distances change with the number of samples.
const LEAST_FOLDS: usize = 5;
const LEAST_HELD_OUT: usize = 8;

/// How much farther new good samples lie from the model of all samples than held-out ones did from the models without
/// their fold; negative if nearer. A model of more samples has more axes and a smaller ball, and the net effect differs
/// from part to part. It is therefore measured: one more fold is left out, the change in the distances of `held_out`,
/// which come first in `good`, is taken, and it is extrapolated along the logarithm of the number of samples. `folds`
/// holds the fold of each. Zero if there are few of either, because a model of one or two samples says nothing about a
/// model of three.
pub fn drift(good: &[&Good], folds: &[usize], held_out: &[f32]) -> f32 {
    let count = folds.iter().max().map_or(0, |last| last + 1);
    if count < LEAST_FOLDS || held_out.len() < LEAST_HELD_OUT {
        return 0.0;
    }
    let (mut scratch, mut apart, mut pace) = (shape::Scratch::default(), Vec::new(), 0.0);
    for fold in 0..count {
        let (one, two) = (without(good, folds, &[fold]), without(good, folds, &[fold, (fold + 1) % count]));
        let step = |more: usize, fewer: usize| (more as f32 / fewer as f32).ln();
        pace += step(good.len(), one.len()) / step(one.len(), two.len()).max(1e-6) / count as f32;
        let shape = shape_of(&two);
        let own = held_out.iter().zip(good).zip(folds).filter(|(_, of)| **of == fold);
        apart.extend(own.map(|((distance, good), _)| distance - shape.distance(&good.summary, &mut scratch)));
    }
    apart.sort_by(f32::total_cmp);
    pace * apart.get(apart.len() / 2).copied().unwrap_or_default()
}

/// How the attribution of the whole image's distance to a patch is weighed against the patch's own distance, so that
/// the heatmap also shows a broad change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blame {
    /// Patch distance equivalent to one unit of the summary's log distance.
    pub weight: f32,
    /// Spread of the attribution among good patches.
    pub scale: f32,
}

impl Blame {
    /// From good patches that were not in memory: their distance and their attribution.
    pub fn learn(cells: impl Iterator<Item = [f32; 2]> + Clone) -> Self {
        let spread = |i: usize| {
            let values = || cells.clone().map(|cell| f64::from(cell[i]));
            let n = values().count().max(1) as f64;
            let mean = values().sum::<f64>() / n;
            ((values().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt() as f32).max(1e-9)
        };
        Self { weight: 0.7 * spread(0), scale: spread(1) }
    }

    /// A patch's distance and attribution combined. The logarithm keeps the worst position visible in an image that is
    /// anomalous everywhere.
    pub fn heat(self, distance: f32, blame: f32) -> f32 {
        distance + self.weight * (blame.max(0.0) / self.scale).ln_1p()
    }
}

/// Prior for the spread of a stationary distance, in good sounds. Such a distance is in standard deviations of good
/// sounds, so its spread should be one; three sounds alone may show hardly any spread or a very wide one. The same
/// applies to their joint scores.
const KNOWN_SOUNDS: f32 = 3.0;

/// Joins the distances into one score and maps it to a p-value. Learned from held-out good samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Median and upper spread of the local distance of held-out good samples.
    pub local: [f32; 2],
    /// The same of the global distance.
    pub global: [f32; 2],
    /// The same of the pixels' distance, if pixels are compared.
    pub pixels: Option<[f32; 2]>,
    /// The same of a sound's stationary features.
    pub steady: Option<[[f32; 2]; GROUPS.len()]>,
    /// Joint scores of held-out good samples.
    pub calibration: Calibration,
}

impl Judgement {
    /// Learns from the distances of held-out good samples.
    pub fn learn(held_out: &[Distances]) -> Self {
        let of = |distance: &dyn Fn(&Distances) -> f32| {
            let mut values: Vec<f32> = held_out.iter().map(distance).collect();
            values.sort_by(f32::total_cmp);
            centre_and_spread(&values)
        };
        let (local, global) = (of(&|d| d.local), of(&|d| d.global));
        let compared = held_out.iter().any(|d| d.pixels.is_some());
        let pixels = compared.then(|| of(&|d| d.pixels.unwrap_or(0.0)));
        let heard = held_out.iter().any(|d| d.steady.is_some());
        let steady = heard.then(|| {
            std::array::from_fn(|i| {
                steady_spread(held_out.iter().map(|d| d.steady.map_or(0.0, |steady| steady[i])).collect())
            })
        });
        let mut judgement = Self { local, global, pixels, steady, calibration: Calibration::new(Vec::new()) };
        let scores = held_out.iter().map(|d| judgement.score(*d)).collect();
        judgement.calibration = Calibration::with_known(scores, judgement.known());
        judgement
    }

    /// Weight of the prior for the spread of its scores, in samples: see [`Calibration::with_known`].
    pub fn known(&self) -> f32 {
        if self.steady.is_some() { KNOWN_SOUNDS } else { 0.0 }
    }

    /// The joint score: each distance in units of its own upper spread among good samples, and the highest of these. A
    /// distance that notices nothing does not outvote one that does.
    pub fn score(&self, distances: Distances) -> f32 {
        let Standard { local, global, pixels, steady } = self.standard(distances);
        [local, global].into_iter().chain(pixels).chain(steady.into_iter().flatten()).fold(f32::MIN, f32::max)
    }

    /// Each distance in units of its upper spread above the median among good samples.
    pub fn standard(&self, distances: Distances) -> Standard {
        let units = |distance: f32, [median, spread]: [f32; 2]| (distance - median) / spread;
        let steady = distances.steady.zip(self.steady);
        Standard {
            local: units(distances.local, self.local),
            global: units(distances.global, self.global),
            pixels: distances.pixels.zip(self.pixels).map(|(distance, by)| units(distance, by)),
            steady: steady.map(|(distances, by)| std::array::from_fn(|i| units(distances[i], by[i]))),
        }
    }
}

/// Median and upper spread of a stationary distance among good sounds. Some of these distances jump now and then. So
/// that one of many does not raise the limit of all, the spread is the root mean square above the median, if that is
/// larger.
fn steady_spread(mut values: Vec<f32>) -> [f32; 2] {
    values.sort_by(f32::total_cmp);
    let [median, spread] = centre_and_spread(&values);
    let above = values.iter().map(|value| value - median).filter(|above| *above >= 0.0);
    let (sum, count) = above.fold((0.0, 0.0), |(sum, count), above| (sum + above * above, count + 1.0f32));
    [median, with_known(spread.max((sum / count.max(1.0)).sqrt()), values.len(), KNOWN_SOUNDS)]
}

/// Distances in units of the good samples' upper spreads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standard {
    /// As in [`Distances`], like the fields below.
    pub local: f32,
    /// The summary's.
    pub global: f32,
    /// The pixels', if they are compared.
    pub pixels: Option<f32>,
    /// A sound's stationary features, if there is a baseline.
    pub steady: Option<[f32; GROUPS.len()]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_shares_a_fold() {
        assert_eq!(folds_of(&[0, 1, 2, 3]), [0, 1, 2, 3]);
        assert_eq!(folds_of(&(0..12).collect::<Vec<_>>()), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]);
        // Windows of three recordings, of which one is 9 by name.
        assert_eq!(folds_of(&[9, 9, 9, 4, 4, 7, 7]), [0, 0, 0, 1, 1, 2, 2]);
        // Of one alone nothing else is known.
        assert_eq!(folds_of(&[3, 3, 3]), [0, 1, 2]);
        assert_eq!(folds_of(&[]), [0; 0]);
    }

    #[test]
    fn held_out_distances_carried_on_are_those_of_new_samples() {
        // Few samples of many numbers, each beside one of another day, which moves along an axis of its own.
        let (d, n) = (300, 30);
        let mut state = 9u32;
        let mut normal = || {
            let mut uniform = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32
            };
            (0..12).map(|_| uniform()).sum::<f32>() - 6.0
        };
        let mut draw = || {
            let common = [normal(), normal(), normal()];
            (0..d).map(|i| 4.0 + common[i % 3] + normal()).collect::<Vec<f32>>()
        };
        let good = |summary| Good { levels: Vec::new(), summary };
        let clean: Vec<Good> = (0..n).map(|_| good(draw())).collect();
        let other_day = |(i, clean): (usize, &Good)| {
            let day = [3.0, -3.0][i / 2 % 2];
            good(clean.summary.iter().enumerate().map(|(j, x)| x + [day, -day][j % 2]).collect())
        };
        let varied: Vec<Good> = clean.iter().enumerate().map(other_day).collect();
        let all: Vec<&Good> = clean.iter().chain(&varied).collect();
        let folds: Vec<usize> = (0..2 * n).map(|i| i % n % 5).collect();
        let mut scratch = shape::Scratch::default();
        let median = |mut values: Vec<f32>| {
            values.sort_by(f32::total_cmp);
            values[values.len() / 2]
        };
        let held_out = (0..n).map(|i| {
            let shape = shape_of(&without(&all, &folds, &[folds[i]]));
            shape.distance(&clean[i].summary, &mut scratch)
        });
        let distances: Vec<f32> = held_out.collect();
        let held_out = median(distances.clone());
        let shape = shape_of(&all);
        let new = median((0..200).map(|_| shape.distance(&draw(), &mut scratch)).collect());
        let drift = drift(&all, &folds, &distances);
        assert!((held_out + drift - new).abs() < 0.04, "{held_out} + {drift}, {new}");
        assert!((held_out - new).abs() > 0.08, "{held_out}, {new}");
        // Too few samples, or recordings, of which one or two are left.
        assert_eq!(super::drift(&all[..3], &[0, 1, 2], &distances[..3]), 0.0);
        let of_three: Vec<usize> = folds.iter().map(|fold| fold % 3).collect();
        assert_eq!(super::drift(&all, &of_three, &distances), 0.0);
    }

    #[test]
    fn three_sounds_do_not_fix_the_spread_of_a_steady_distance_and_many_do() {
        let judgement = |n: usize, by: f32| {
            let steady = |i: usize| Some([2.0 + by * (i as f32 / (n - 1) as f32 - 0.5); GROUPS.len()]);
            let good = |i| Distances { steady: steady(i), ..Distances::default() };
            Judgement::learn(&(0..n).map(good).collect::<Vec<_>>()).steady.unwrap()[0]
        };
        let [centre, spread] = judgement(3, 0.01);
        assert!((centre - 2.0).abs() < 1e-5 && (0.6..0.8).contains(&spread), "{spread}");
        assert!(judgement(300, 0.01)[1] < 0.15);
        assert!((judgement(300, 10.0)[1] / 3.4 - 1.0).abs() < 0.02, "{}", judgement(300, 10.0)[1]);
    }

    #[test]
    fn a_distance_that_leaps_now_and_then_is_counted_in_its_leaps() {
        let mut values: Vec<f32> = (0..100).map(|i| i as f32 / 99.0).collect();
        let even = steady_spread(values.clone());
        (0..10).for_each(|i| values[i * 10] = 9.0);
        let leaping = steady_spread(values);
        assert!(even[1] < 0.5 && leaping[1] > 3.0, "{even:?} {leaping:?}");
    }
}
