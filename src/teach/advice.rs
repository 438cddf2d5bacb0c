//! Advice after teaching: samples to check, and how many more would help.

use std::path::PathBuf;

use super::course::Remembered;
use crate::memory::learned::{Distances, Judgement};
use crate::prepare::quality::Quality;

/// Whether the good samples cover the variation of good parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sufficiency {
    /// Number of further samples that would help; 0 if there are enough.
    pub more: usize,
    /// Their sort, such as `mostly darker ones`; empty if no sort stands out.
    pub sort: &'static str,
}

/// Good samples that are far more anomalous than the others, named in the order of `distances`. A bad one among them
/// would hide defects like its own.
pub(super) fn suspects(names: &[PathBuf], distances: &[Distances], judgement: &Judgement) -> Vec<(PathBuf, f64)> {
    // Three upper spreads above the median: for a normal distribution, one good part in a thousand.
    let scores = distances.iter().map(|distances| judgement.score(*distances));
    let mut found: Vec<(&PathBuf, f32)> = names.iter().zip(scores).filter(|(_, score)| *score > 3.0).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.into_iter().map(|(name, score)| (name.clone(), judgement.calibration.p_value(score))).collect()
}

impl Sufficiency {
    /// Leave-one-out novelty: how much farther held-out good samples are than good samples are from their own memory.
    /// While that gap is wide, each new good part still adds something.
    pub(super) fn of(remembered: &Remembered, distances: &[Distances], judgement: &Judgement) -> Self {
        let n = remembered.good.len();
        if n < 2 {
            return Self { more: 5, sort: "" };
        }
        // The most anomalous fifth: what these have in common is what is missing.
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| judgement.score(distances[b]).total_cmp(&judgement.score(distances[a])));
        let farthest = &order[..n.div_ceil(5)];
        // Spread of held-out local distances in natural logarithms. Below a tenth, new parts resemble old ones.
        let spread = judgement.local[1].max(judgement.global[1]);
        let wanted = (n as f32 * (spread / 0.1 - 1.0)).ceil().max(0.0) as usize;
        let for_promise = 19usize.saturating_sub(n);
        let more = wanted.clamp(for_promise, for_promise.max(3 * n + 5));
        let lean = |of: &dyn Fn(&Quality) -> f32| {
            let values: Vec<f32> = remembered.taken.iter().map(|taken| of(&taken.quality)).collect();
            lean(&values, &order, farthest)
        };
        let sort = match (lean(&|q| q.brightness), lean(&|q| q.sharpness)) {
            (light, _) if light < -0.7 => "mostly darker ones",
            (light, _) if light > 0.7 => "mostly brighter ones",
            (_, focus) if focus < -0.7 => "mostly smoother ones",
            (_, focus) if focus > 0.7 => "mostly rougher ones",
            _ => "",
        };
        Self { more, sort: if more == 0 { "" } else { sort } }
    }
}

/// Difference between the mean of `values` at `some` and at `all`, in standard deviations of `values`.
fn lean(values: &[f32], all: &[usize], some: &[usize]) -> f32 {
    let mean = |which: &[usize]| which.iter().map(|&i| values[i]).sum::<f32>() / which.len().max(1) as f32;
    let of_all = mean(all);
    let squares = all.iter().map(|&i| (values[i] - of_all).powi(2)).sum::<f32>();
    let deviation = (squares / all.len() as f32).sqrt().max(1e-3);
    (mean(some) - of_all) / deviation
}
