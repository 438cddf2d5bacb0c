//! What is learned from good samples, and the two distances of a new one from it.

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::bank::coreset;
use super::calibrate::Calibration;
use super::search::{Index, Nearest};
use super::shape::Shape;

/// Entries of a bank, at most.
pub const BANK_ENTRIES: usize = 2000;
/// Good cells that the bank is chosen from, at most: they are thinned evenly when there are more.
const CANDIDATES: usize = 24_000;
/// Share of a picture's cells whose mean distance is its local distance. One cell alone is noise.
const TOP_SHARE: f32 = 0.01;

/// One good sample as it is remembered while a part is taught.
#[derive(Debug, Clone)]
pub struct Good {
    /// Projected cells, `f16[cells, k]`: half the memory, and far finer than the distances between cells.
    pub cells: Vec<f16>,
    /// Summary of the whole picture, `f32[d]`.
    pub summary: Vec<f32>,
}

/// A bank and a shape: all that is needed to tell how far a sample is from the good ones.
#[derive(Debug, Clone)]
pub struct Learned {
    /// Chosen good cells, `f32[entries, k]`.
    pub bank: Array2<f32>,
    /// Where each entry was seen: sample and cell, in the order they were given.
    pub seen_at: Vec<[u32; 2]>,
    /// Gaussian over summaries.
    pub shape: Shape,
    index: Index,
}

/// How far a sample is from the good ones. Both are logarithms: a unit is a factor e.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distances {
    /// Of its strangest cells from the nearest good ones.
    pub local: f32,
    /// Of its summary from the shape of good summaries.
    pub global: f32,
}

/// Memory for [`Learned::distances`], reused from sample to sample.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The nearest entry of each cell, `[cells]`, after a call.
    pub nearest: Vec<Nearest>,
    sorted: Vec<f32>,
    standard: Vec<f32>,
}

impl Learned {
    /// Learns from good samples with cells of `k` numbers.
    pub fn from_good(good: &[&Good], k: usize) -> Self {
        let cells: usize = good.iter().map(|good| good.cells.len() / k).sum();
        let every = cells.div_ceil(CANDIDATES).max(1);
        let places = good.iter().enumerate().flat_map(|(i, good)| {
            // Samples start at different cells, so that thinning does not favour places of the picture.
            (i % every..good.cells.len() / k).step_by(every).map(move |cell| [i as u32, cell as u32])
        });
        let places: Vec<[u32; 2]> = places.collect();
        let mut candidates = Array2::zeros((places.len(), k));
        for (mut row, [sample, cell]) in candidates.rows_mut().into_iter().zip(&places) {
            let from = *cell as usize * k;
            let values = &good[*sample as usize].cells[from..from + k];
            row.iter_mut().zip(values).for_each(|(out, value)| *out = value.to_f32());
        }
        let chosen = coreset(candidates.view(), BANK_ENTRIES);
        let bank = candidates.select(ndarray::Axis(0), &chosen);
        let seen_at = chosen.iter().map(|&i| places[i]).collect();
        let d = good.first().map_or(0, |good| good.summary.len());
        let summaries = Array2::from_shape_fn((good.len(), d), |(i, j)| good[i].summary[j]);
        Self::new(bank, seen_at, Shape::learn(summaries.view()))
    }

    /// From its parts, as they were written down.
    pub fn new(bank: Array2<f32>, seen_at: Vec<[u32; 2]>, shape: Shape) -> Self {
        let index = Index::new(bank.view());
        Self { bank, seen_at, shape, index }
    }

    /// Distances of a sample with `cells`, `f32[n, k]`, and `summary`, `f32[d]`. The nearest entry of each
    /// cell is left in `scratch.nearest`.
    pub fn distances(&self, cells: ArrayView2<f32>, summary: &[f32], scratch: &mut Scratch) -> Distances {
        scratch.nearest.resize(cells.nrows(), Nearest::default());
        if let Some(cells) = cells.as_slice() {
            self.index.search(cells, &mut scratch.nearest);
        }
        scratch.sorted.clear();
        scratch.sorted.extend(scratch.nearest.iter().map(|nearest| nearest.distance));
        let top = ((cells.nrows() as f32 * TOP_SHARE).round() as usize).clamp(1, cells.nrows().max(1));
        let at = scratch.sorted.len().saturating_sub(top);
        if at > 0 {
            scratch.sorted.select_nth_unstable_by(at, f32::total_cmp);
        }
        let mean = scratch.sorted[at..].iter().sum::<f32>() / top as f32;
        Distances { local: mean.max(1e-6).ln(), global: self.shape.distance(summary, &mut scratch.standard) }
    }
}

/// Distances of each good sample from a memory that had not seen it, and its greatest cell distance.
///
/// Leave-one-out up to ten samples, else five folds. A single sample has no other to be held against: none.
pub fn held_out(good: &[Good], k: usize) -> Vec<(Distances, f32)> {
    let folds = if good.len() <= 10 { good.len() } else { 5 };
    if good.len() < 2 {
        return Vec::new();
    }
    let mut results = vec![(Distances { local: 0.0, global: 0.0 }, 0.0); good.len()];
    for fold in 0..folds {
        let rest: Vec<&Good> = good.iter().enumerate().filter(|(i, _)| i % folds != fold).map(|(_, g)| g).collect();
        let learned = Learned::from_good(&rest, k);
        results
            .par_iter_mut()
            .zip(good)
            .enumerate()
            .filter(|(i, _)| i % folds == fold)
            .for_each_init(Scratch::default, |scratch, (_, (result, good))| {
                *result = learned.measure(good, k, scratch)
            });
    }
    results
}

impl Learned {
    /// Distances of a remembered sample, and its greatest cell distance.
    pub fn measure(&self, good: &Good, k: usize, scratch: &mut Scratch) -> (Distances, f32) {
        let mut cells = Array2::zeros((good.cells.len() / k, k));
        if let Some(values) = cells.as_slice_mut() {
            good.cells.convert_to_f32_slice(values);
        }
        let distances = self.distances(cells.view(), &good.summary, scratch);
        (distances, scratch.nearest.iter().map(|nearest| nearest.distance).fold(0.0, f32::max))
    }
}

/// How the two distances become one, and one becomes a p-value. Learned from held-out good samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Median and upper spread of the local distance of held-out good samples.
    pub local: [f32; 2],
    /// The same of the global distance.
    pub global: [f32; 2],
    /// Joint scores of held-out good samples.
    pub calibration: Calibration,
}

impl Judgement {
    /// Learns from the distances of held-out good samples.
    pub fn learn(held_out: &[Distances]) -> Self {
        let local = centre_and_spread(held_out.iter().map(|d| d.local));
        let global = centre_and_spread(held_out.iter().map(|d| d.global));
        let mut judgement = Self { local, global, calibration: Calibration::new(Vec::new()) };
        judgement.calibration = Calibration::new(held_out.iter().map(|d| judgement.score(*d)).collect());
        judgement
    }

    /// The joint score: each distance in units of its own upper spread among good samples, then a soft
    /// maximum, so that a sense that notices nothing does not outvote one that does.
    pub fn score(&self, distances: Distances) -> f32 {
        const SHARPNESS: f32 = 1.0;
        let [local, global] = self.standard(distances);
        let top = local.max(global);
        top + (((local - top) * SHARPNESS).exp() + ((global - top) * SHARPNESS).exp()).ln() / SHARPNESS
    }

    /// Local and global distance in units of their upper spread above the median among good samples.
    pub fn standard(&self, distances: Distances) -> [f32; 2] {
        [(distances.local - self.local[0]) / self.local[1], (distances.global - self.global[0]) / self.global[1]]
    }
}

/// Median, and the distance from it to the 84th percentile: one standard deviation of a normal distribution,
/// measured on the side that matters.
fn centre_and_spread(values: impl Iterator<Item = f32>) -> [f32; 2] {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    if values.is_empty() {
        return [0.0, 1.0];
    }
    let quantile = |q: f32| {
        let at = q * (values.len() - 1) as f32;
        let low = at as usize;
        let high = (low + 1).min(values.len() - 1);
        values[low] + (values[high] - values[low]) * (at - low as f32)
    };
    let centre = quantile(0.5);
    // Few samples show too little of the spread; a twentieth (5 % of the distance) is always granted.
    [centre, (quantile(0.84) - centre).max(0.02)]
}
