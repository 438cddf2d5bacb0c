//! What is learned from good samples, and the two distances of a new one from it.

use half::f16;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::bank::coreset;
use super::calibrate::{Calibration, centre_and_spread, with_known};
use super::features::interpolate;
use super::search::{Index, Nearest};
use super::shape::{self, Shape};
use crate::prepare::steady::GROUPS;

/// Entries of a bank, at most.
pub const BANK_ENTRIES: usize = 2000;
/// Good cells that a bank is chosen from, at most: pictures are thinned evenly when there are more.
const CANDIDATES: usize = 24_000;
/// Distance that the breadth of the picture counts as, where memory knows places. A good cell is about one from
/// the mean of all.
const PLACE_WEIGHT: f32 = 2.0;
/// Share of a picture's cells whose mean distance is its local distance. One cell alone is noise.
const TOP_SHARE: f32 = 0.005;
/// Stride from which a level counts by [`BROAD_SHARE`]: its cells see a large part of the picture and blur what is
/// small.
const BROAD_STRIDE: usize = 32;
/// What a broad level's distance counts beside another's.
const BROAD_SHARE: f32 = 0.25;

/// What is remembered of one good sample while a part is taught: some of its cells and its summary.
#[derive(Debug, Clone)]
pub struct Good {
    /// Its cells, level by level.
    pub levels: Vec<Kept>,
    /// Summary of the whole picture, `f32[d]`.
    pub summary: Vec<f32>,
}

/// Cells of one sample at one level.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Chosen cells, projected, `f16[places, k]`: half the memory, and far finer than distances between cells.
    pub cells: Vec<f16>,
    /// Which cells of the sample these are.
    pub places: Vec<u32>,
}

impl Kept {
    /// Of sample number `i` of `samples` with `cells`, `f32[n, k]`: so many of its cells that all samples together
    /// give the candidates of one bank. What is kept does not grow with the number of samples.
    pub fn of(i: usize, samples: usize, cells: ArrayView2<f32>) -> Self {
        let every = (samples * cells.nrows()).div_ceil(CANDIDATES).max(1);
        // Samples start at different cells, so that thinning does not favour places of the picture.
        let places: Vec<u32> = (i % every..cells.nrows()).step_by(every).map(|place| place as u32).collect();
        let kept = places.iter().flat_map(|&place| cells.row(place as usize).to_vec());
        Self { cells: kept.map(f16::from_f32).collect(), places }
    }

    /// Puts the first `count` numbers of each cell's place, row and column, before its own: see [`place_of`].
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

/// Row and column of cell `i` of `grid` = [rows, columns], as distances: from one side of the picture to the other
/// is 2.
pub fn place_of(i: usize, [rows, columns]: [usize; 2]) -> [f32; 2] {
    let share = |at: usize, n: usize| PLACE_WEIGHT * (at as f32 + 0.5) / n as f32;
    [share(i / columns, rows), share(i % columns, columns)]
}

/// Share of a side that [`wandering`] leaves out at each end.
const RIM: f32 = 0.15;

/// How near to their own place good cells of one level find their likes in other good pictures: the mean distance
/// between the places, as a share of what it were if place said nothing. 1 for a texture, 0 for a layout that never
/// moves.
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
            // An encoder's padding marks the rim of any picture.
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

/// A bank chosen from the cells of several samples, `f32[entries, k]`, and where each entry was seen: sample and
/// cell.
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
    // Entries alike lie side by side: the search gives up whole panels of them.
    side_by_side(candidates.view(), &mut chosen);
    let bank = candidates.select(ndarray::Axis(0), &chosen);
    let seen = |[sample, place]: [u32; 2]| [sample, good[sample as usize].places[place as usize]];
    (bank, chosen.iter().map(|&i| seen(places[i])).collect())
}

/// The memory of one stride of the encoder. Each has a bank of its own: side by side in one long vector, the
/// loudest map would speak for all.
#[derive(Debug, Clone)]
pub struct Level {
    /// Pixels of the encoder's input between its cells.
    pub stride: usize,
    /// Projection of its cells, `f32[channels, k]`.
    pub weights: Array2<f32>,
    /// Chosen good cells, `f32[entries, k]`, or with the one or two numbers of their places first.
    pub bank: Array2<f32>,
    /// Where each entry was seen: sample and cell, in the order they were given.
    pub seen_at: Vec<[u32; 2]>,
    /// What distances are counted in: the mean distance of good cells that the memory had not seen.
    pub unit: f32,
    index: Index,
}

impl Level {
    /// From its parts, as they were written down.
    pub fn new(stride: usize, weights: Array2<f32>, (bank, seen_at): (Array2<f32>, Vec<[u32; 2]>), unit: f32) -> Self {
        let index = Index::new(bank.view());
        Self { stride, weights, bank, seen_at, unit, index }
    }

    /// What a distance is multiplied by before those of all levels are added up.
    fn factor(&self) -> f32 {
        let share = if self.stride >= BROAD_STRIDE { BROAD_SHARE } else { 1.0 };
        share / self.unit.max(1e-6)
    }
}

/// The level whose nearest entries are shown as what was expected: coarse enough to know what a place is part of,
/// fine enough to show it.
pub fn shown_level(levels: usize) -> usize {
    1.min(levels.saturating_sub(1))
}

/// Banks and a shape: all that is needed to tell how far a sample is from the good ones.
#[derive(Debug, Clone)]
pub struct Learned {
    /// A memory for each stride, finest first.
    pub levels: Vec<Level>,
    /// Gaussian over summaries.
    pub shape: Shape,
    /// `f32[d]`: [`Shape::centre`].
    pub centre: Vec<f32>,
}

/// How far a sample is from the good ones. All but the steady ones are logarithms: a unit is a factor e.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Distances {
    /// Of its strangest cells from the nearest good ones.
    pub local: f32,
    /// Of its summary from the shape of good summaries.
    pub global: f32,
    /// Of its pixels from the golden ones; `None` where pixels are not compared.
    pub pixels: Option<f32>,
    /// Of a sound: of what it is like as a whole, by `prepare::steady::GROUPS`, in deviations of good ones; `None` where that is not known.
    pub steady: Option<[f32; GROUPS.len()]>,
}

/// Memory for [`Learned::local`], reused from sample to sample.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Rows and columns of each level, `[levels]`; the first is the finest.
    pub grids: Vec<[usize; 2]>,
    /// The nearest entry of each cell of each level, after a call.
    pub nearest: Vec<Vec<Nearest>>,
    /// The joint distance of each cell of the finest grid, after a call.
    pub joint: Vec<f32>,
    /// Cells of the finest grid that were not seen: their distance is nought. Empty when all were.
    pub hidden: Vec<bool>,
    sorted: Vec<f32>,
    plane: Vec<f32>,
    finer: Vec<f32>,
}

impl Scratch {
    /// For samples with cells on these grids.
    pub fn on(grids: Vec<[usize; 2]>) -> Self {
        Self { grids, ..Self::default() }
    }
}

impl Learned {
    /// Learns from good samples whose cells were projected by `weights`, one a level, each with its stride.
    /// [`Level::unit`] is 1 until [`Learned::measure_in`] sets it.
    pub fn from_good(good: &[&Good], weights: &[(usize, Array2<f32>)]) -> Self {
        let level = |(l, (stride, weights)): (usize, &(usize, Array2<f32>))| {
            let kept: Vec<&Kept> = good.iter().map(|good| &good.levels[l]).collect();
            Level::new(*stride, weights.clone(), bank_of(&kept), 1.0)
        };
        let levels = weights.iter().enumerate().map(level).collect();
        Self::new(levels, shape_of(good))
    }

    /// From its parts, as they were written down.
    pub fn new(levels: Vec<Level>, shape: Shape) -> Self {
        let centre = shape.centre();
        Self { levels, shape, centre }
    }

    /// Counts the distances of each level in `units`, the mean ones of good cells that the memory had not seen.
    pub fn measure_in(&mut self, units: impl Iterator<Item = f32>) {
        self.levels.iter_mut().zip(units).for_each(|(level, unit)| level.unit = unit.max(1e-6));
    }

    /// The local distance of a sample with `cells`, `f32[n, k]` for each level. The nearest entries and the joint
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

    /// Joins the distances of the levels' cells, `level(l)`, on the finest grid: each in its own unit, interpolated,
    /// and added up, so that a place must be strange at several scales to be very strange. They are left in
    /// `scratch.joint`. Returns the local distance.
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

/// Orders rows of `cells` so that neighbours in the order are alike: halves by the widest axis, and again, down
/// to the sixteen entries that the search looks at together.
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

/// How many memories judge the good samples that they have not seen: one each up to ten samples, else five.
pub fn folds(samples: usize) -> usize {
    match samples {
        0 | 1 => 0,
        2..=10 => samples,
        _ => 5,
    }
}

/// The fold of each good sample; `groups` holds a number of each, equal for those that belong together, as windows of one
/// recording do. These share a fold: a memory that has met one of them knows its like. Where all are of one group, each is
/// its own, for nothing else is known.
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

/// The memory of all samples but those of `fold`; `folds` tells that of each.
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

/// Folds, and held-out samples, from which on it is told how distances change with their number.
const LEAST_FOLDS: usize = 5;
const LEAST_HELD_OUT: usize = 8;

/// How much farther new good samples lie from the shape of all than held-out ones did from the shapes without their fold;
/// negative where nearer. A shape of more samples has more axes and a smaller ball, and which of the two moves more
/// differs from part to part. So it is measured: by how much the distances of the `held_out`, as they come first in `good`,
/// change where one more fold is left out, carried on along the logarithm of the number of samples. `folds` tells the
/// fold of each. Nought where there are few of either: what a shape of one or two samples is like tells nothing of one of
/// three.
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

/// How a cell's share in the strangeness of the whole picture counts beside its own distance, so that a broad
/// change shows in the heatmap too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blame {
    /// Distance that one unit of the logarithm is worth.
    pub weight: f32,
    /// The spread of blame among good cells.
    pub scale: f32,
}

impl Blame {
    /// From good cells that the memory had not seen: their distance and their blame.
    pub fn learn(cells: impl Iterator<Item = [f32; 2]> + Clone) -> Self {
        let spread = |i: usize| {
            let values = || cells.clone().map(|cell| f64::from(cell[i]));
            let n = values().count().max(1) as f64;
            let mean = values().sum::<f64>() / n;
            ((values().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt() as f32).max(1e-9)
        };
        Self { weight: 0.7 * spread(0), scale: spread(1) }
    }

    /// A cell's distance and blame as one. The logarithm keeps a picture that is strange all over from drowning
    /// the place where it is strangest.
    pub fn heat(self, distance: f32, blame: f32) -> f32 {
        distance + self.weight * (blame.max(0.0) / self.scale).ln_1p()
    }
}

/// Good sounds that it counts as to know, before any is heard, that the spread of a steady distance is one: it is counted in
/// deviations of good sounds. Three sounds alone may show hardly any spread, or a very wide one. So may their joint scores.
const KNOWN_SOUNDS: f32 = 3.0;

/// How the two distances become one, and one becomes a p-value. Learned from held-out good samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Median and upper spread of the local distance of held-out good samples.
    pub local: [f32; 2],
    /// The same of the global distance.
    pub global: [f32; 2],
    /// The same of the pixels' distance, where they are compared.
    pub pixels: Option<[f32; 2]>,
    /// The same of what a sound is like as a whole.
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

    /// How many samples' worth is known of the spread of its scores: see [`Calibration::with_known`].
    pub fn known(&self) -> f32 {
        if self.steady.is_some() { KNOWN_SOUNDS } else { 0.0 }
    }

    /// The joint score: each distance in units of its own upper spread among good samples, and the greatest one.
    /// A sense that notices nothing does not outvote one that does.
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

/// Median and upper spread of a steady distance among good sounds. Some of these wander now and then, as good clips do in
/// which something is knocked over: so that one of many distances does not raise the limit of all, it is counted in the root
/// mean square of what is above the median, where that is more.
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
    /// As in [`Distances`], and the rest too.
    pub local: f32,
    /// The summary's.
    pub global: f32,
    /// The pixels', where they are compared.
    pub pixels: Option<f32>,
    /// A sound's as a whole, where that is known.
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
