//! p-values of the senses → one score, and which sense it was that decided. Encoder tokens are joined elsewhere: this is
//! the side that the verdict comes from.
//!
//! Fisher's sum `-Σ ln p` (1932) is what a good part's senses say together: a sense that is far out counts for itself,
//! and two that are a little out count together. It is *not* taken for the chi-square that it would be were the senses
//! independent: a part that rattles often looks worn as well. The score is held against the same score of the good
//! parts that were taught, whose senses depend on each other as they do, so the promise on false rejects holds for
//! dependent senses too.

use crate::report::{Decided, Verdict};

/// The score of the p-values of one part's senses, each in (0, 1]; at least one.
///
/// The cube root of Fisher's sum, standardised (Wilson and Hilferty 1931): close to a standard normal deviate where the
/// senses are independent, so that few good parts are enough to tell its limit; it grows with strangeness whatever they
/// are.
pub fn score(p_values: impl Iterator<Item = f64>) -> f32 {
    let (sum, count) =
        p_values.fold((0.0, 0.0), |(sum, count), p: f64| (sum - p.max(f64::MIN_POSITIVE).ln(), count + 1.0));
    let variance = 1.0 / (9.0 * f64::max(count, 1.0));
    (((sum / f64::max(count, 1.0)).cbrt() - (1.0 - variance)) / variance.sqrt()) as f32
}

/// What a verdict of two senses rests on, by what each says when the other is left out; `None` of a part that passes.
pub fn decided(joint: Verdict, sight: Verdict, hearing: Verdict) -> Option<Decided> {
    let objects = |verdict: Verdict| verdict == joint || verdict == Verdict::Fail;
    if !matches!(joint, Verdict::Fail | Verdict::Unsure) {
        return None;
    }
    Some(match (objects(sight), objects(hearing)) {
        (true, false) => Decided::Sight,
        (false, true) => Decided::Hearing,
        (true, true) => Decided::Either,
        (false, false) => Decided::Together,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform draws in (0, 1).
    fn draws(seed: u32) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state >> 8) + 0.5) / f64::from(1 << 24)
        }
    }

    #[test]
    fn of_independent_senses_the_score_is_a_standard_normal_deviate() {
        let mut draw = draws(3);
        for count in [1, 2, 3] {
            let scores: Vec<f64> = (0..20_000).map(|_| f64::from(score((0..count).map(|_| draw())))).collect();
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / scores.len() as f64).sqrt();
            assert!(mean.abs() < 0.03 && (deviation - 1.0).abs() < 0.04, "{count}: {mean} {deviation}");
            let beyond = scores.iter().filter(|s| **s > 2.326).count() as f64 / scores.len() as f64;
            assert!((0.007..0.013).contains(&beyond), "{count}: {beyond}");
        }
    }

    #[test]
    fn one_sense_far_out_is_enough_and_two_a_little_out_count_together() {
        assert!(score([1e-9, 0.7].into_iter()) > 4.0);
        assert!(score([0.03, 0.03].into_iter()) > score([0.01, 0.5].into_iter()));
        assert!(score([0.0, 1.0].into_iter()).is_finite() && score([1.0, 1.0].into_iter()) < -3.0);
    }

    #[test]
    fn who_decided_is_told_by_leaving_out() {
        use Verdict::{Fail, Pass, Unsure};
        let by = |joint, sight, hearing| decided(joint, sight, hearing).map(Decided::as_str);
        assert_eq!(by(Fail, Fail, Pass), Some("sight"));
        assert_eq!(by(Fail, Unsure, Fail), Some("hearing"));
        assert_eq!(by(Fail, Fail, Fail), Some("either"));
        assert_eq!(by(Fail, Pass, Unsure), Some("together"));
        assert_eq!(by(Unsure, Unsure, Pass), Some("sight"));
        assert_eq!(by(Pass, Fail, Pass), None);
    }
}
