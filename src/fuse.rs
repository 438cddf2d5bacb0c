//! Combines the senses' p-values into one, and says which sense decided. The verdict depends on this; `latents` fuses
//! the input of the decoder.
//!
//! The harmonic mean of p-values (Good 1958, Wilson 2019) is small if one of them is, and the others hardly dilute it.
//! Most defects show in one sense only, and the allowed false rejects are divided between the senses. Fisher's sum
//! responds to two senses that deviate a little together, but dilutes a deviation of one alone: of ten broken biscuits
//! beside a machine that runs normally, eight fail by their image alone, and none by that sum. The mean also holds for
//! senses that depend on each other: a part that rattles often looks worn too.

pub mod latents;

use statrs::function::erf::erfc_inv;

use crate::report::Verdict;
use crate::sample::Sense;

/// The joint p-value of one part's senses, in (0, 1]; 1 without senses. Each p-value is in (0, 1].
pub fn p_value(p_values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        p_values.fold((0.0, 0.0), |(sum, count), p: f64| (sum + 1.0 / p.max(f64::MIN_POSITIVE), count + 1.0));
    if count > 0.0 { (count / sum).clamp(f64::MIN_POSITIVE, 1.0) } else { 1.0 }
}

/// A p-value as a score that grows with the anomaly: the standard normal deviate with this upper tail.
pub fn score(p_value: f64) -> f32 {
    // Half of the smallest number would be zero; at 1 the deviate would be infinite.
    (std::f64::consts::SQRT_2 * erfc_inv(2.0 * p_value.clamp(1e-300, 1.0 - 1e-9))) as f32
}

/// The senses that alone give the joint verdict or a worse one; each is tested without the others. Empty if only all
/// together give it; `None` for a part that passes.
pub fn decided(joint: Verdict, senses: &[(Sense, Verdict)]) -> Option<Vec<Sense>> {
    let objects = |verdict: Verdict| verdict == joint || verdict == Verdict::Fail;
    let is_told = matches!(joint, Verdict::Fail | Verdict::Unsure);
    is_told.then(|| senses.iter().filter(|(_, verdict)| objects(*verdict)).map(|(sense, _)| *sense).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_sense_tells_is_hardly_diluted_by_the_other() {
        let both = |a: f64, b: f64| p_value([a, b].into_iter());
        assert!((both(0.001, 0.7) - 0.002).abs() < 1e-5, "{}", both(0.001, 0.7));
        assert!((both(0.03, 0.03) - 0.03).abs() < 1e-9 && (both(1.0, 1.0) - 1.0).abs() < 1e-9);
        assert!(both(1e-9, 0.7) < both(1e-8, 0.7) && both(0.0, 1.0) > 0.0);
        assert_eq!(p_value(std::iter::empty()), 1.0);
    }

    #[test]
    fn a_score_is_the_normal_deviate_of_its_p_value() {
        for (p, deviate) in [(0.5, 0.0), (0.05, 1.644_854), (0.01, 2.326_348), (1e-6, 4.753_424)] {
            assert!((score(p) - deviate).abs() < 1e-4, "{p}: {}", score(p));
        }
        assert!(score(1.0).is_finite() && score(0.0) > 30.0 && score(1e-200) < score(0.0));
    }

    #[test]
    fn who_decided_is_told_by_leaving_out() {
        use Verdict::{Fail, Pass, Unsure};
        let by = |joint, image, sound| decided(joint, &[(Sense::Image, image), (Sense::Sound, sound)]);
        assert_eq!(by(Fail, Fail, Pass), Some(vec![Sense::Image]));
        assert_eq!(by(Fail, Unsure, Fail), Some(vec![Sense::Sound]));
        assert_eq!(by(Fail, Fail, Fail), Some(vec![Sense::Image, Sense::Sound]));
        assert_eq!(by(Fail, Pass, Unsure), Some(vec![]));
        assert_eq!(by(Unsure, Unsure, Pass), Some(vec![Sense::Image]));
        assert_eq!(by(Pass, Fail, Pass), None);
    }
}
