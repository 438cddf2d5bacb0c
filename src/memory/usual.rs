//! What good sounds are like all the time: the mean and the deviation of each steady value, and how far a sound is from
//! them. What the values are is told in `prepare::steady`.

use crate::prepare::steady::Group;

/// Decibels by which a value may be off in any case, added to its deviation in squares: few sounds show too little of it.
const GRANTED_DB: f32 = 1.0;
/// Values whose mean strangeness is that of their group: one alone is noise.
const TOP: usize = 3;

/// Mean and sum of squared deviations of each value (Welford 1962), so that sounds can be added.
#[derive(Debug, Clone, PartialEq)]
pub struct Usual {
    /// Good sounds.
    pub count: usize,
    /// `f32[values]`.
    pub mean: Vec<f32>,
    /// Sums of squared deviations from the mean, `f32[values]`.
    pub squares: Vec<f32>,
}

/// How far a group of values is from what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Off {
    /// In deviations of good sounds.
    pub distance: f32,
    /// The strangest value.
    pub value: usize,
    /// Decibels by which it is above its mean.
    pub db: f32,
}

impl Usual {
    /// Of some sounds' values, at least one.
    pub fn learn<'a>(mut sounds: impl Iterator<Item = &'a [f32]>) -> Option<Self> {
        let first = sounds.next()?;
        let one = |values: &[f32]| Self { count: 1, mean: values.to_vec(), squares: vec![0.0; values.len()] };
        Some(sounds.fold(one(first), |all, values| all.joined(&one(values))))
    }

    /// Of the sounds of both (Chan, Golub and LeVeque 1979).
    pub fn joined(mut self, other: &Self) -> Self {
        let (mine, its) = (self.count as f32, other.count as f32);
        let all = mine + its;
        let values = self.mean.iter_mut().zip(&mut self.squares).zip(other.mean.iter().zip(&other.squares));
        for ((mean, squares), (its_mean, its_squares)) in values {
            let apart = its_mean - *mean;
            *squares += its_squares + apart * apart * mine * its / all;
            *mean += apart * its / all;
        }
        self.count += other.count;
        self
    }

    /// How far a sound with these values is off in a group: each value in deviations from its mean, smoothed over three
    /// neighbours, and the mean of the three strangest.
    pub fn off(&self, values: &[f32], group: &Group) -> Off {
        let degrees = (self.count.max(2) - 1) as f32;
        let strange = |i: usize| {
            let deviation = (self.squares[i] / degrees + GRANTED_DB * GRANTED_DB).sqrt();
            (values[i] - self.mean[i]) / deviation
        };
        let mut top = [(f32::MIN, 0); TOP];
        for run in &group.runs {
            for i in run.clone() {
                let near = i.saturating_sub(1).max(run.start)..(i + 2).min(run.end);
                let smooth = near.clone().map(strange).sum::<f32>() / near.len() as f32;
                let smooth = if group.both_ways { smooth.abs() } else { smooth };
                if smooth > top[TOP - 1].0 {
                    top[TOP - 1] = (smooth, i);
                    top.sort_by(|a, b| b.0.total_cmp(&a.0));
                }
            }
        }
        let mean = top.iter().map(|(strange, _)| strange).sum::<f32>() / TOP as f32;
        // The line itself rather than the neighbour that was smoothed with it.
        let peak = top[0].1;
        let around = group.runs.iter().find(|run| run.contains(&peak)).cloned().unwrap_or(peak..peak + 1);
        let near = peak.saturating_sub(1).max(around.start)..(peak + 2).min(around.end);
        let value = near.max_by(|&a, &b| strange(a).abs().total_cmp(&strange(b).abs())).unwrap_or(peak);
        Off { distance: mean, value, db: values[value] - self.mean[value] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_sounds_is_learning_from_all() {
        let sounds: Vec<Vec<f32>> = (0..7).map(|i| (0..5).map(|j| ((i * 7 + j * 3) % 11) as f32).collect()).collect();
        let of = |from: usize, to: usize| Usual::learn(sounds[from..to].iter().map(Vec::as_slice)).unwrap();
        let (all, two) = (of(0, 7), of(0, 3).joined(&of(3, 7)));
        assert_eq!(all.count, two.count);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(near(&all.mean, &two.mean) && near(&all.squares, &two.squares), "{all:?} {two:?}");
        let deviation = (all.squares[0] / 6.0).sqrt();
        let mean = sounds.iter().map(|sound| sound[0]).sum::<f32>() / 7.0;
        let expected = (sounds.iter().map(|sound| (sound[0] - mean).powi(2)).sum::<f32>() / 6.0).sqrt();
        assert!((deviation - expected).abs() < 1e-4);
    }

    #[test]
    fn the_strangest_value_is_named_with_what_it_is_off() {
        let usual = Usual { count: 10, mean: vec![0.0; 20], squares: vec![9.0; 20] };
        let group = Group { runs: vec![0..10, 10..20], both_ways: false };
        let mut values = vec![0.0; 20];
        values[9] = 24.0;
        let off = usual.off(&values, &group);
        assert_eq!((off.value, off.db), (9, 24.0));
        // Less is nothing new, where only more is.
        values[9] = -24.0;
        assert!(usual.off(&values, &group).distance < 1.0);
        assert!(usual.off(&values, &Group { both_ways: true, ..group }).distance > 3.0);
    }
}
