//! What is learned from good samples, and the two distances of a new one from it.

use half::f16;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::bank::coreset;
use super::calibrate::{Calibration, centre_and_spread};
use super::search::{Index, Nearest};
use super::shape::{self, Shape};

/// Entries of a bank, at most.
pub const BANK_ENTRIES: usize = 2000;
/// Good cells that a bank is chosen from, at most: pictures are thinned evenly when there are more.
const CANDIDATES: usize = 24_000;
/// Distance that the breadth of the picture counts as, where memory knows places. A good cell is about one from
/// the mean of all.
const PLACE_WEIGHT: f32 = 2.0;
/// Share of a picture's cells whose mean distance is its local distance. One cell alone is noise.
const TOP_SHARE: f32 = 0.01;

/// What is remembered of one good sample while a part is taught: some of its cells and its summary.
#[derive(Debug, Clone)]
pub struct Good {
    /// Chosen cells, projected, `f16[places, k]`: half the memory, and far finer than distances between cells.
    pub cells: Vec<f16>,
    /// Which cells of the sample these are.
    pub places: Vec<u32>,
    /// Summary of the whole picture, `f32[d]`.
    pub summary: Vec<f32>,
}

impl Good {
    /// Remembers sample number `i` of `samples` with `cells`, `f32[n, k]`: so many of its cells that all samples
    /// together give the candidates of one bank. What is kept does not grow with the number of samples.
    pub fn remember(i: usize, samples: usize, cells: ArrayView2<f32>, summary: Vec<f32>) -> Self {
        let every = (samples * cells.nrows()).div_ceil(CANDIDATES).max(1);
        // Samples start at different cells, so that thinning does not favour places of the picture.
        let places: Vec<u32> = (i % every..cells.nrows()).step_by(every).map(|place| place as u32).collect();
        let kept = places.iter().flat_map(|&place| cells.row(place as usize).to_vec());
        Self { cells: kept.map(f16::from_f32).collect(), places, summary }
    }

    /// Puts the place of each cell before its `k` numbers, which makes them `k + 2`: see [`place_of`].
    pub fn know_places(&mut self, k: usize, grid: [usize; 2]) {
        let cells = self.cells.chunks_exact(k.max(1)).zip(&self.places);
        let with = |(cell, place): (&[f16], &u32)| {
            let place = place_of(*place as usize, grid).map(f16::from_f32);
            place.into_iter().chain(cell.iter().copied()).collect::<Vec<_>>()
        };
        self.cells = cells.flat_map(with).collect();
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

/// How near to their own place good cells find their likes in other good pictures: the mean distance between the
/// places, as a share of what it were if place said nothing. 1 for a texture, 0 for a layout that never moves.
pub fn wandering(good: &[Good], k: usize, grid: [usize; 2]) -> f32 {
    if good.len() < 2 {
        return 1.0;
    }
    let others = without_fold(good, k, 0);
    let place = |i: u32| place_of(i as usize, grid).map(|at| at / PLACE_WEIGHT);
    let apart = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let (mut found, mut any, mut count) = (0.0f64, 0.0f64, 0.0f64);
    for sample in good.iter().step_by(folds(good.len())).take(8) {
        let cells: Vec<f32> = sample.cells.iter().map(|value| value.to_f32()).collect();
        let mut nearest = vec![Nearest::default(); sample.places.len()];
        others.index.search(&cells, &mut nearest);
        for (i, (nearest, &here)) in nearest.iter().zip(&sample.places).enumerate() {
            // An encoder's padding marks the rim of any picture.
            if place(here).iter().any(|at| !(RIM..1.0 - RIM).contains(at)) {
                continue;
            }
            let there = others.seen_at[nearest.entry as usize][1];
            let random = others.seen_at[(i * 7919) % others.seen_at.len()][1];
            found += f64::from(apart(place(here), place(there)));
            any += f64::from(apart(place(here), place(random)));
            count += 1.0;
        }
    }
    if count > 0.0 && any > 0.0 { (found / any) as f32 } else { 1.0 }
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
    /// `f32[d]`: [`Shape::centre`].
    pub centre: Vec<f32>,
    index: Index,
}

/// How far a sample is from the good ones. Both are logarithms: a unit is a factor e.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Distances {
    /// Of its strangest cells from the nearest good ones.
    pub local: f32,
    /// Of its summary from the shape of good summaries.
    pub global: f32,
    /// Of its pixels from the golden ones; `None` where pixels are not compared.
    pub pixels: Option<f32>,
}

/// Memory for [`Learned::distances`], reused from sample to sample.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The nearest entry of each cell, `[cells]`, after a call.
    pub nearest: Vec<Nearest>,
    /// For [`Shape`].
    pub shape: shape::Scratch,
    /// Cells that were not seen, `[cells]`: their distance is nought. Empty when all were.
    pub hidden: Vec<bool>,
    sorted: Vec<f32>,
}

impl Learned {
    /// Learns from good samples with cells of `k` numbers.
    pub fn from_good(good: &[&Good], k: usize) -> Self {
        let places: Vec<[u32; 2]> = good
            .iter()
            .enumerate()
            .flat_map(|(i, good)| (0..good.places.len()).map(move |place| [i as u32, place as u32]))
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
        let seen_at = chosen.iter().map(|&i| seen(places[i])).collect();
        let d = good.first().map_or(0, |good| good.summary.len());
        let summaries = Array2::from_shape_fn((good.len(), d), |(i, j)| good[i].summary[j]);
        Self::new(bank, seen_at, Shape::learn(summaries.view()))
    }

    /// From its parts, as they were written down.
    pub fn new(bank: Array2<f32>, seen_at: Vec<[u32; 2]>, shape: Shape) -> Self {
        let index = Index::new(bank.view());
        let centre = shape.centre();
        Self { bank, seen_at, shape, centre, index }
    }

    /// Distances of a sample with `cells`, `f32[n, k]`, and `summary`, `f32[d]`. The nearest entry of each
    /// cell is left in `scratch.nearest`.
    pub fn distances(&self, cells: ArrayView2<f32>, summary: &[f32], scratch: &mut Scratch) -> Distances {
        scratch.nearest.resize(cells.nrows(), Nearest::default());
        if let Some(cells) = cells.as_slice() {
            self.index.search(cells, &mut scratch.nearest);
        }
        for (nearest, hidden) in scratch.nearest.iter_mut().zip(&scratch.hidden) {
            nearest.distance = if *hidden { 0.0 } else { nearest.distance };
        }
        scratch.sorted.clear();
        scratch.sorted.extend(scratch.nearest.iter().map(|nearest| nearest.distance));
        let top = ((cells.nrows() as f32 * TOP_SHARE).round() as usize).clamp(1, cells.nrows().max(1));
        let at = scratch.sorted.len().saturating_sub(top);
        if at > 0 {
            scratch.sorted.select_nth_unstable_by(at, f32::total_cmp);
        }
        let mean = scratch.sorted[at..].iter().sum::<f32>() / top as f32;
        let global = self.shape.distance(summary, &mut scratch.shape);
        Distances { local: mean.max(1e-6).ln(), global, pixels: None }
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

/// The memory of all samples but those of `fold`: sample i belongs to fold i modulo [`folds`].
pub fn without_fold(good: &[Good], k: usize, fold: usize) -> Learned {
    let folds = folds(good.len()).max(1);
    let rest: Vec<&Good> = good.iter().enumerate().filter(|(i, _)| i % folds != fold).map(|(_, g)| g).collect();
    Learned::from_good(&rest, k)
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

/// How the two distances become one, and one becomes a p-value. Learned from held-out good samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Median and upper spread of the local distance of held-out good samples.
    pub local: [f32; 2],
    /// The same of the global distance.
    pub global: [f32; 2],
    /// The same of the pixels' distance, where they are compared.
    pub pixels: Option<[f32; 2]>,
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
        let mut judgement = Self { local, global, pixels, calibration: Calibration::new(Vec::new()) };
        judgement.calibration = Calibration::new(held_out.iter().map(|d| judgement.score(*d)).collect());
        judgement
    }

    /// The joint score: each distance in units of its own upper spread among good samples, and the greatest one.
    /// A sense that notices nothing does not outvote one that does.
    pub fn score(&self, distances: Distances) -> f32 {
        self.standard(distances).into_iter().flatten().fold(f32::MIN, f32::max)
    }

    /// Local, global and pixels' distance in units of their upper spread above the median among good samples.
    pub fn standard(&self, distances: Distances) -> [Option<f32>; 3] {
        let units = |distance: f32, [median, spread]: [f32; 2]| (distance - median) / spread;
        let pixels = distances.pixels.zip(self.pixels).map(|(distance, by)| units(distance, by));
        [Some(units(distances.local, self.local)), Some(units(distances.global, self.global)), pixels]
    }
}
