//! How much moves where and when in good clips, and what a finding's motion is beside it. What moves is measured in
//! `prepare::clip`.

/// The mean and the greatest motion of good clips, cell by cell.
#[derive(Debug, Clone, PartialEq)]
pub struct UsualMotion {
    /// Good clips.
    pub count: usize,
    /// `f32[steps, cells, cells]`: as `prepare::clip::Kymograph::motion`, the mean over good clips.
    pub mean: Vec<f32>,
    /// The greatest of a good clip, of the same shape.
    pub most: Vec<f32>,
}

/// How much moves in some cells of a clip, against good ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// Grey levels that a pixel changes in a second, the mean over the cells.
    pub motion: f32,
    /// The mean of the same over good clips.
    pub usual: f32,
    /// See [`Moved::character`](crate::report::Moved::character).
    pub character: &'static str,
}

/// Times by which motion must differ from the usual to be more, or less.
const DIFFERS: f32 = 1.5;
/// Grey levels a second that are nothing.
const NOTHING: f32 = 1.0;

impl UsualMotion {
    /// Of some clips' motion, at least one; all of one length.
    pub fn learn<'a>(clips: impl Iterator<Item = &'a [f32]>) -> Option<Self> {
        let one = |motion: &[f32]| Self { count: 1, mean: motion.to_vec(), most: motion.to_vec() };
        clips.map(one).reduce(|all, one| all.joined(&one))
    }

    /// Of the clips of both.
    pub fn joined(mut self, other: &Self) -> Self {
        let (mine, its) = (self.count as f32, other.count as f32);
        for (mean, its_mean) in self.mean.iter_mut().zip(&other.mean) {
            *mean += (its_mean - *mean) * its / (mine + its);
        }
        self.most.iter_mut().zip(&other.most).for_each(|(most, its_most)| *most = most.max(*its_most));
        self.count += other.count;
        self
    }

    /// How much moves in the `cells` of a clip with this `motion`; each step has `per_step` cells. At least one cell.
    pub fn compare(&self, motion: &[f32], cells: &[usize], per_step: usize) -> Compared {
        let mean = |of: &dyn Fn(usize) -> f32| cells.iter().map(|&at| of(at)).sum::<f32>() / cells.len().max(1) as f32;
        let (now, usual) = (mean(&|at| motion[at]), mean(&|at| self.mean[at]));
        // What moves there at any time of a good clip.
        let ever = |at: usize| self.most.iter().skip(at % per_step).step_by(per_step).copied().fold(0.0, f32::max);
        let character = match now - NOTHING {
            more if more > 0.0 && mean(&ever) < NOTHING => "elsewhere",
            more if more > DIFFERS * usual => "more",
            _ if DIFFERS * now < usual - NOTHING => "less",
            _ => "otherwise",
        };
        Compared { motion: now, usual, character }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn motion_is_more_less_elsewhere_or_otherwise() {
        // Two steps of three cells: the first moves at first, the second later, the third never.
        let usual = [10.0, 0.0, 0.0, 0.0, 20.0, 0.0];
        let usual = UsualMotion::learn([&usual[..], &usual[..]].into_iter()).unwrap();
        let told = |cell: usize, motion: f32| {
            let mut clip = [0.0; 6];
            clip[cell] = motion;
            usual.compare(&clip, &[cell], 3).character
        };
        assert_eq!([told(0, 30.0), told(0, 2.0), told(0, 11.0)], ["more", "less", "otherwise"]);
        // It moves there, but not now; and there never.
        assert_eq!([told(1, 15.0), told(2, 15.0), told(2, 0.5)], ["more", "elsewhere", "otherwise"]);
    }

    #[test]
    fn adding_clips_is_learning_from_all() {
        let clips: Vec<Vec<f32>> = (0..5).map(|i| (0..4).map(|j| ((7 * i + 3 * j) % 11) as f32).collect()).collect();
        let of = |from: usize, to: usize| UsualMotion::learn(clips[from..to].iter().map(Vec::as_slice)).unwrap();
        let (all, two) = (of(0, 5), of(0, 2).joined(&of(2, 5)));
        assert!(all.count == two.count && all.most == two.most);
        assert!(all.mean.iter().zip(&two.mean).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
