//! How much moves where and when in good clips, and how a finding's motion compares. Also compares the appearance of a
//! clip over time with good clips. `prepare::clip` measures the motion.

use std::ops::Range;

use crate::prepare::clip::STILLS;
use crate::report::MotionCharacter;

/// The mean and the greatest motion of good clips, patch by patch.
#[derive(Debug, Clone, PartialEq)]
pub struct UsualMotion {
    /// Number of good clips.
    pub count: usize,
    /// `f32[steps, cells, cells]`: as `prepare::clip::Kymograph::motion`, the mean over good clips.
    pub mean: Vec<f32>,
    /// The maximum over good clips, of the same shape.
    pub most: Vec<f32>,
    /// `f32[STILLS, side, side]`: as `prepare::clip::Kymograph::stills`, the mean over good clips.
    pub stills: Vec<f32>,
}

/// Motion in some patches of a clip, compared with good clips.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// Grey levels per second by which a pixel changes, averaged over the patches.
    pub motion: f32,
    /// The mean of the same over good clips.
    pub usual: f32,
    /// The kind of difference.
    pub character: MotionCharacter,
}

/// Factor by which motion must differ from good clips to count as more or less.
const DIFFERS: f32 = 1.5;
/// Grey levels per second that count as no motion.
const NOTHING: f32 = 1.0;
/// Smallest difference of good key frames that is used as the unit, in grey levels.
const ALIKE: f32 = 1.0;

impl UsualMotion {
    /// From one clip's motion and key frames.
    pub fn of(motion: &[f32], stills: Vec<f32>) -> Self {
        Self { count: 1, mean: motion.to_vec(), most: motion.to_vec(), stills }
    }

    /// Combines the clips of both.
    pub fn joined(mut self, other: &Self) -> Self {
        let (mine, its) = (self.count as f32, other.count as f32);
        let means = self.mean.iter_mut().zip(&other.mean).chain(self.stills.iter_mut().zip(&other.stills));
        for (mean, its_mean) in means {
            *mean += (its_mean - *mean) * its / (mine + its);
        }
        self.most.iter_mut().zip(&other.most).for_each(|(most, its_most)| *most = most.max(*its_most));
        self.count += other.count;
        self
    }

    /// The motion in the `cells` of a clip with this `motion`; each step has `per_step` patches. At least one patch.
    pub fn compare(&self, motion: &[f32], cells: &[usize], per_step: usize) -> Compared {
        let mean = |of: &dyn Fn(usize) -> f32| cells.iter().map(|&at| of(at)).sum::<f32>() / cells.len().max(1) as f32;
        let (now, usual) = (mean(&|at| motion[at]), mean(&|at| self.mean[at]));
        // The motion there at any time of a good clip.
        let ever = |at: usize| self.most.iter().skip(at % per_step).step_by(per_step).copied().fold(0.0, f32::max);
        let character = match now - NOTHING {
            more if more > 0.0 && mean(&ever) < NOTHING => MotionCharacter::Elsewhere,
            more if more > DIFFERS * usual => MotionCharacter::More,
            _ if DIFFERS * now < usual - NOTHING => MotionCharacter::Less,
            _ => MotionCharacter::Otherwise,
        };
        Compared { motion: now, usual, character }
    }

    /// Difference between each of a clip's key frames, `stills`, and each of those of good clips, within some rows and
    /// columns: `f32[STILLS, STILLS]`, a row per key frame of the clip, a column per key frame of the good ones. The
    /// unit is the difference between key frames of good clips there. For a normal clip the diagonal is lowest. A late
    /// clip shifts the minimum beside it, a stopped one stays in a column, a reversed one runs against it.
    pub fn differences(&self, stills: &[f32], rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
        let pixels = self.stills.len() / STILLS;
        let side = pixels.isqrt();
        let at: Vec<usize> = rows.flat_map(|y| columns.clone().map(move |x| y * side + x)).collect();
        let moment = |of: &[f32], i: usize| at.iter().map(|&at| of[i * pixels + at]).collect::<Vec<f32>>();
        let moments = |of: &[f32]| (0..STILLS).map(|i| moment(of, i)).collect::<Vec<_>>();
        let (clip, good) = (moments(stills), moments(&self.stills));
        let differ = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
        let apart = |from: &[Vec<f32>]| -> Vec<f32> {
            let of = |moment: &Vec<f32>| good.iter().map(|other| differ(moment, other)).collect::<Vec<_>>();
            from.iter().flat_map(of).map(|sum| sum / at.len().max(1) as f32).collect()
        };
        let unit = (apart(&good).iter().sum::<f32>() / (STILLS * STILLS) as f32).max(ALIKE);
        apart(&clip).into_iter().map(|difference| difference / unit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn motion_is_more_less_elsewhere_or_otherwise() {
        // Two steps of three cells: the first moves at first, the second later, the third never.
        let usual = [10.0, 0.0, 0.0, 0.0, 20.0, 0.0];
        let usual = UsualMotion::of(&usual, Vec::new());
        let told = |cell: usize, motion: f32| {
            let mut clip = [0.0; 6];
            clip[cell] = motion;
            usual.compare(&clip, &[cell], 3).character.as_str()
        };
        assert_eq!([told(0, 30.0), told(0, 2.0), told(0, 11.0)], ["more", "less", "otherwise"]);
        // It moves there, but not now; and there never.
        assert_eq!([told(1, 15.0), told(2, 15.0), told(2, 0.5)], ["more", "elsewhere", "otherwise"]);
    }

    #[test]
    fn adding_clips_is_learning_from_all() {
        let clips: Vec<Vec<f32>> = (0..5).map(|i| (0..4).map(|j| ((7 * i + 3 * j) % 11) as f32).collect()).collect();
        let of = |from: usize, to: usize| {
            let each = clips[from..to].iter().map(|clip| UsualMotion::of(clip, clip.clone()));
            each.reduce(|all, one| all.joined(&one)).unwrap()
        };
        let (all, two) = (of(0, 5), of(0, 2).joined(&of(2, 5)));
        assert!(all.count == two.count && all.most == two.most);
        assert!(all.mean.iter().zip(&two.mean).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!(all.stills.iter().zip(&two.mean).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    /// A bright pixel that is in column `at(moment)` of the second row of two, of 24 columns.
    fn stills(at: impl Fn(usize) -> usize) -> Vec<f32> {
        let mut stills = vec![50.0; STILLS * 24 * 24];
        (0..STILLS).for_each(|moment| stills[moment * 576 + 24 + at(moment)] = 200.0);
        stills
    }

    #[test]
    fn differences_are_least_where_good_clips_looked_so() {
        let usual = UsualMotion::of(&[], stills(|moment| moment));
        let least = |clip: Vec<f32>| -> Vec<usize> {
            let differences = usual.differences(&clip, 0..2, 0..24);
            let column = |row: &[f32]| (0..STILLS).min_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            differences.chunks_exact(STILLS).map(column).collect()
        };
        assert_eq!(least(stills(|moment| moment)), (0..STILLS).collect::<Vec<_>>());
        assert_eq!(least(stills(|moment| 23 - moment)), (0..STILLS).rev().collect::<Vec<_>>());
        assert_eq!(least(stills(|moment| moment.min(9))), (0..STILLS).map(|moment| moment.min(9)).collect::<Vec<_>>());
        // Of the row where nothing moves all moments are alike.
        let still = usual.differences(&stills(|moment| 23 - moment), 0..1, 0..24);
        assert!(still.iter().all(|difference| *difference == 0.0));
    }
}
