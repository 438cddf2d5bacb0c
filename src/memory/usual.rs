//! Baseline statistics of good sounds: mean and deviation of each stationary feature, how the bands rise and fall
//! together, and the distance of a new sound from them. `prepare::steady` defines the features.

use nalgebra::DVector;

use super::mahalanobis::Mahalanobis;
use crate::prepare::steady::Group;

/// Tolerance of a value in decibels, added to its deviation in quadrature. Few sounds show too little of it.
const GRANTED_DB: f32 = 1.0;
/// The same for values that are measured together as a group. Their common change is not part of it.
const GRANTED_TOGETHER_DB: f64 = 0.3;
/// A group's deviation is the mean of this many highest values; a single one is noise.
const TOP: usize = 3;

/// Mean and sum of squared deviations of each value (Welford 1962), so that sounds can be added. For values measured
/// together, also those of each sound.
#[derive(Debug, Clone)]
pub struct Usual {
    /// Number of good sounds.
    pub count: usize,
    /// `f32[values]`.
    pub mean: Vec<f32>,
    /// Sums of squared deviations from the mean, `f32[values]`.
    pub squares: Vec<f32>,
    /// The values measured together, `f32[count, n]`, one sound after the other.
    pub together: Vec<f32>,
    covariance: Option<Mahalanobis>,
}

/// Deviation of a group of values from the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Off {
    /// In standard deviations of good sounds.
    pub distance: f32,
    /// Index of the most anomalous value.
    pub value: usize,
    /// Decibels by which it exceeds its mean.
    pub db: f32,
}

impl Usual {
    /// From stored numbers.
    pub fn new(count: usize, mean: Vec<f32>, squares: Vec<f32>, together: Vec<f32>) -> Self {
        let rows: Vec<DVector<f64>> =
            together.chunks_exact((together.len() / count.max(1)).max(1)).map(vector).collect();
        let covariance = Mahalanobis::learn(&rows, GRANTED_TOGETHER_DB * GRANTED_TOGETHER_DB);
        Self { count, mean, squares, together, covariance }
    }

    /// From the values of at least one sound; `groups` says which values are measured together.
    pub fn learn<'a>(sounds: impl Iterator<Item = &'a [f32]>, groups: &[Group]) -> Option<Self> {
        let together: Vec<usize> = groups
            .iter()
            .filter(|group| group.together)
            .flat_map(|group| group.runs.iter().cloned().flatten())
            .collect();
        let (mut count, mut mean, mut squares, mut rows) = (0usize, Vec::new(), Vec::new(), Vec::new());
        for values in sounds {
            count += 1;
            mean.resize(values.len(), 0.0);
            squares.resize(values.len(), 0.0);
            for ((mean, squares), value) in mean.iter_mut().zip(&mut squares).zip(values) {
                let apart: f32 = value - *mean;
                *mean += apart / count as f32;
                *squares += apart * (value - *mean);
            }
            rows.extend(together.iter().map(|&i| values[i]));
        }
        (count > 0).then(|| Self::new(count, mean, squares, rows))
    }

    /// Combines the sounds of both (Chan, Golub and LeVeque 1979).
    pub fn joined(self, other: &Self) -> Self {
        let Self { count, mut mean, mut squares, mut together, .. } = self;
        let (mine, its) = (count as f32, other.count as f32);
        let all = mine + its;
        let values = mean.iter_mut().zip(&mut squares).zip(other.mean.iter().zip(&other.squares));
        for ((mean, squares), (its_mean, its_squares)) in values {
            let apart = its_mean - *mean;
            *squares += its_squares + apart * apart * mine * its / all;
            *mean += apart * its / all;
        }
        together.extend_from_slice(&other.together);
        Self::new(count + other.count, mean, squares, together)
    }

    /// Standard deviations by which value `i` of a sound exceeds its mean.
    pub fn strange(&self, values: &[f32], i: usize) -> f32 {
        let degrees = (self.count.max(2) - 1) as f32;
        (values[i] - self.mean[i]) / (self.squares[i] / degrees + GRANTED_DB * GRANTED_DB).sqrt()
    }

    /// Deviation of a sound in one group. For values measured together: the root mean square of the whitened values
    /// (Mahalanobis). Otherwise: each value in standard deviations from its mean, smoothed over three neighbours, then
    /// the mean of the three highest.
    pub fn off(&self, values: &[f32], group: &Group) -> Off {
        if let (true, Some(covariance), [run]) = (group.together, &self.covariance, &group.runs[..]) {
            let shares = covariance.shares(&vector(&values[run.clone()]));
            let square = (shares.sum() / shares.len() as f64).max(0.0);
            let value = run.start + shares.imax();
            return Off { distance: square.sqrt() as f32, value, db: values[value] - self.mean[value] };
        }
        let strange = |i: usize| self.strange(values, i);
        let mut top = [(f32::MIN, 0); TOP];
        for run in &group.runs {
            for i in run.clone() {
                let near = i.saturating_sub(1).max(run.start)..(i + 2).min(run.end);
                let smooth = near.clone().map(strange).sum::<f32>() / near.len() as f32;
                if smooth > top[TOP - 1].0 {
                    top[TOP - 1] = (smooth, i);
                    top.sort_by(|a, b| b.0.total_cmp(&a.0));
                }
            }
        }
        let mean = top.iter().map(|(strange, _)| strange).sum::<f32>() / TOP as f32;
        // The line itself, not the neighbour that was smoothed with it.
        let peak = top[0].1;
        let around = group.runs.iter().find(|run| run.contains(&peak)).cloned().unwrap_or(peak..peak + 1);
        let near = peak.saturating_sub(1).max(around.start)..(peak + 2).min(around.end);
        let value = near.max_by(|&a, &b| strange(a).abs().total_cmp(&strange(b).abs())).unwrap_or(peak);
        Off { distance: mean, value, db: values[value] - self.mean[value] }
    }
}

fn vector(values: &[f32]) -> DVector<f64> {
    DVector::from_iterator(values.len(), values.iter().map(|&x| f64::from(x)))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    #[test]
    fn adding_sounds_is_learning_from_all() {
        let sounds: Vec<Vec<f32>> = (0..7).map(|i| (0..5).map(|j| ((i * 7 + j * 3) % 11) as f32).collect()).collect();
        let group = |run: Range<usize>, together| Group { runs: std::iter::once(run).collect(), together };
        let groups = [group(0..2, false), group(2..5, true)];
        let of = |from: usize, to: usize| Usual::learn(sounds[from..to].iter().map(Vec::as_slice), &groups).unwrap();
        let (all, two) = (of(0, 7), of(0, 3).joined(&of(3, 7)));
        assert_eq!(all.count, two.count);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(near(&all.mean, &two.mean) && near(&all.squares, &two.squares), "{all:?} {two:?}");
        let off = |usual: &Usual| groups.each_ref().map(|group| usual.off(&[9.0, 2.0, 4.0, 1.0, 30.0], group).distance);
        assert!(near(&off(&all), &off(&two)), "{:?} {:?}", off(&all), off(&two));
        let deviation = (all.squares[0] / 6.0).sqrt();
        let mean = sounds.iter().map(|sound| sound[0]).sum::<f32>() / 7.0;
        let expected = (sounds.iter().map(|sound| (sound[0] - mean).powi(2)).sum::<f32>() / 6.0).sqrt();
        assert!((deviation - expected).abs() < 1e-4);
    }

    #[test]
    fn the_strangest_value_is_named_with_what_it_is_off() {
        let usual = Usual::new(10, vec![0.0; 20], vec![9.0; 20], Vec::new());
        let group = Group { runs: vec![0..10, 10..20], together: false };
        let mut values = vec![0.0; 20];
        values[9] = 24.0;
        let off = usual.off(&values, &group);
        assert_eq!((off.value, off.db), (9, 24.0));
        // Less is nothing new, where only more is.
        values[9] = -24.0;
        assert!(usual.off(&values, &group).distance < 1.0);
    }

    #[test]
    fn a_band_that_leaves_the_others_behind_is_named() {
        let sounds: Vec<Vec<f32>> =
            (0..30).map(|i| (0..8).map(|j| (i % 7) as f32 + 0.1 * ((i * j) % 5) as f32).collect()).collect();
        let group = Group { runs: std::iter::once(0..8).collect(), together: true };
        let usual = Usual::learn(sounds.iter().map(Vec::as_slice), std::slice::from_ref(&group)).unwrap();
        let (louder, mut other) = (vec![7.0; 8], vec![3.0; 8]);
        other[5] = 0.0;
        let [louder, other] = [&louder, &other].map(|values| usual.off(values, &group));
        assert!(other.distance > 2.0 * louder.distance, "{other:?} {louder:?}");
        assert!(other.value == 5 && other.db < -2.0, "{other:?}");
    }
}
