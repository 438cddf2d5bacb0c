//! Strangeness → p-value: the share of held-out good samples at least as strange.
//!
//! Conformal prediction (Vovk et al. 2005): if a new good sample is drawn like the held-out ones, then
//! `P(p ≤ α) ≤ α`, whatever the score is. A threshold on p is therefore a promise on false rejects. Scores
//! here only need to grow with strangeness.

/// Scores of held-out good samples, ascending, and the tail beyond the strangest of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    scores: Vec<f32>,
    /// Mean excess of the strangest good samples: the scale of an exponential tail.
    tail: f32,
}

impl Calibration {
    /// From scores of good samples that the memory had not seen. Not-a-number scores are dropped.
    pub fn new(mut scores: Vec<f32>) -> Self {
        scores.retain(|score| score.is_finite());
        scores.sort_by(f32::total_cmp);
        let tail = tail_scale(&scores);
        Self { scores, tail }
    }

    /// The held-out scores, ascending.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// `(1 + #{held-out ≥ score}) / (1 + n)`, in (0, 1].
    ///
    /// The smallest p that n samples can prove is `1 / (n + 1)`. Beyond the strangest good sample the value
    /// goes on falling by an exponential tail fitted to the upper samples, so that "stranger than all" and
    /// "far stranger than all" differ; this part is an extrapolation, not a proof (see [`Self::proven`]).
    pub fn p_value(&self, score: f32) -> f64 {
        if !score.is_finite() {
            return f64::MIN_POSITIVE;
        }
        let below = self.scores.partition_point(|&held_out| held_out < score);
        let as_strange = self.scores.len() - below;
        match self.scores.last() {
            Some(&strangest) if as_strange == 0 => {
                let beyond = f64::from(score - strangest) / f64::from(self.tail);
                (self.proven() * (-beyond).exp()).max(f64::MIN_POSITIVE)
            }
            _ => (1 + as_strange) as f64 / (self.scores.len() + 1) as f64,
        }
    }

    /// The smallest p-value that the number of held-out samples can prove: `1 / (n + 1)`.
    pub fn proven(&self) -> f64 {
        1.0 / (self.scores.len() + 1) as f64
    }

    /// The score at which the p-value falls to `alpha`: the alarm limit on the score's own scale.
    pub fn limit(&self, alpha: f64) -> f32 {
        let n = self.scores.len();
        let allowed = (alpha * (n + 1) as f64).floor() as usize;
        match self.scores.last() {
            None => f32::INFINITY,
            // p ≤ alpha needs at most `allowed - 1` good samples as strange.
            Some(_) if allowed >= 1 => self.scores[n - allowed.min(n)],
            Some(&strangest) => strangest + self.tail * (self.proven() / alpha).ln() as f32,
        }
    }
}

/// Scale of the exponential tail: the mean excess over the upper quartile, at least a share of the whole
/// spread, and wider for few samples (their extremes are short by about the tail over √n).
fn tail_scale(scores: &[f32]) -> f32 {
    let n = scores.len();
    if n < 2 {
        return 1.0;
    }
    let quantile = |q: f64| scores[((n - 1) as f64 * q).round() as usize];
    let corner = quantile(0.75);
    let upper = &scores[(3 * n / 4).min(n - 1)..];
    let excess = upper.iter().map(|s| s - corner).sum::<f32>() / upper.len() as f32;
    let spread = (quantile(0.9) - quantile(0.1)) / 2.56;
    let caution = 1.0 + 1.0 / (n as f32).sqrt();
    (excess.max(0.5 * spread) * caution).max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_counts_the_good_samples_that_are_as_strange() {
        let calibration = Calibration::new(vec![3.0, 1.0, 2.0, 4.0]);
        assert_eq!(calibration.p_value(0.0), 1.0);
        assert_eq!(calibration.p_value(4.0), 0.4);
        assert_eq!(calibration.p_value(2.5), 0.6);
        assert!(calibration.p_value(4.1) < 0.2 && calibration.p_value(9.0) < calibration.p_value(5.0));
        assert_eq!(calibration.proven(), 0.2);
    }

    #[test]
    fn the_limit_is_where_p_falls_to_alpha() {
        let calibration = Calibration::new((0..99).map(|i| i as f32).collect());
        for alpha in [0.3, 0.05, 0.02, 0.01, 0.003] {
            let limit = calibration.limit(alpha);
            assert!(calibration.p_value(limit + 1e-3) <= alpha + 1e-9, "{alpha}");
            assert!(calibration.p_value(limit - 1.5) > alpha, "{alpha}");
        }
    }

    #[test]
    fn false_rejects_stay_within_the_promise() {
        // Exchangeable draws from one skewed distribution: on average no more than alpha fall at or under alpha.
        let mut state = 7u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (-((state >> 8) as f32 / (1 << 24) as f32 + 1e-7).ln()).powf(1.5)
        };
        for (n, alpha) in [(20, 0.05), (100, 0.05), (100, 0.01), (399, 0.01)] {
            let (mut rejected, trials) = (0, 20_000);
            for _ in 0..trials / 50 {
                let calibration = Calibration::new((0..n).map(|_| draw()).collect());
                rejected += (0..50).filter(|_| calibration.p_value(draw()) <= alpha).count();
            }
            let rate = rejected as f64 / f64::from(trials);
            assert!(rate < alpha * 1.25, "n {n}: asked {alpha}, got {rate}");
        }
    }

    #[test]
    fn nothing_known_proves_nothing() {
        let calibration = Calibration::new(vec![f32::NAN]);
        assert_eq!(calibration.p_value(1e9), 1.0);
        assert_eq!(calibration.limit(0.01), f32::INFINITY);
    }
}
