//! Anomaly score → p-value: the share of good samples that are at least as anomalous.
//!
//! With enough held-out good samples this is conformal prediction (Vovk et al. 2005): if a new good sample is drawn
//! like the held-out ones, then `P(p ≤ α) ≤ α`, whatever the score is. A threshold on p is therefore a promise on false
//! rejects. But n samples support no p below `1 / (n + 1)`, and one odd image among twenty shifts it strongly. With
//! fewer than a hundred samples, the p-value is therefore blended with the prediction interval of a normal distribution
//! (Student's t about the median). The fewer the samples, the larger its weight. Scores only need to grow with the
//! anomaly. They are logarithms of distances, so the normal distribution is a fair guess.

use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc;

/// From this many held-out samples on, ranks alone decide.
const ENOUGH: usize = 99;

/// Scores of held-out good samples, ascending, and a model of the tail beyond the highest of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    scores: Vec<f32>,
    centre: f32,
    spread: f32,
    /// Degrees of freedom of centre and spread; infinite if both are known exactly.
    freedom: f64,
}

impl Calibration {
    /// From scores of good samples that are not in memory. NaN scores are dropped.
    pub fn new(scores: Vec<f32>) -> Self {
        Self::with_known(scores, 0.0)
    }

    /// Like [`Calibration::new`], for scores in units of the good samples' spread. Their own spread should be about
    /// one. This prior counts as much as `known` samples, because three samples alone may show hardly any spread.
    pub fn with_known(mut scores: Vec<f32>, known: f32) -> Self {
        scores.retain(|score| score.is_finite());
        scores.sort_by(f32::total_cmp);
        Self::of_sorted(scores, known)
    }

    /// From scores that are known to be normal, with mean `centre` and standard deviation `spread`. Ranks decide as far
    /// as there are samples; the known distribution covers the rest.
    pub fn known(scores: Vec<f32>, [centre, spread]: [f32; 2]) -> Self {
        Self { centre, spread, freedom: f64::INFINITY, ..Self::new(scores) }
    }

    /// The spread rests on two quantiles, so it has a third of a standard deviation's degrees of freedom. In simulation
    /// the promise then holds from five samples on for normal scores, and nearly so for skewed ones.
    fn of_sorted(scores: Vec<f32>, known: f32) -> Self {
        let [centre, spread] = centre_and_spread(&scores);
        let spread = with_known(spread, scores.len(), known);
        let freedom = (0.3 * (scores.len() as f64 + f64::from(known) - 1.0)).max(1.0);
        Self { scores, centre, spread, freedom }
    }

    /// The p-value of each of `scores` against all others, as if it were a new good sample. `known` is as in
    /// [`Calibration::with_known`].
    pub fn left_out(scores: &[f32], known: f32) -> Vec<f64> {
        let all = Self::new(scores.to_vec());
        let of = |&score: &f32| {
            let mut others = all.scores.clone();
            if let Ok(at) = others.binary_search_by(|other| other.total_cmp(&score)) {
                others.remove(at);
            }
            Self::of_sorted(others, known).p_value(score)
        };
        scores.iter().map(of).collect()
    }

    /// The held-out scores, ascending.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// The p-value of a score, in (0, 1]; it falls as the score grows.
    ///
    /// The geometric mean of the rank's p-value and the normal distribution's. The rank's weight is the number of
    /// held-out samples divided by 99, at most 1.
    pub fn p_value(&self, score: f32) -> f64 {
        if self.scores.is_empty() {
            return 1.0;
        }
        if !score.is_finite() {
            return f64::MIN_POSITIVE;
        }
        let weight = (self.scores.len() as f64 / ENOUGH as f64).min(1.0);
        (weight * self.by_rank(score).ln() + (1.0 - weight) * self.by_spread(score).ln()).exp().max(f64::MIN_POSITIVE)
    }

    /// `(1 + #{held-out ≥ score}) / (1 + n)`. Beyond the highest good score it keeps falling with an exponential tail,
    /// so that "above all" and "far above all" differ.
    fn by_rank(&self, score: f32) -> f64 {
        let as_strange = self.scores.len() - self.scores.partition_point(|&held_out| held_out < score);
        let beyond = match self.scores.last() {
            Some(&strangest) if as_strange == 0 => f64::from((score - strangest) / self.spread),
            _ => 0.0,
        };
        (1 + as_strange) as f64 / (self.scores.len() + 1) as f64 * (-beyond).exp()
    }

    /// `P(good score ≥ score)` if good scores are normal: Student's t about the median, or the normal distribution
    /// itself if its centre and spread are known.
    fn by_spread(&self, score: f32) -> f64 {
        let deviate = f64::from((score - self.centre) / self.spread);
        if self.freedom.is_infinite() {
            return (0.5 * erfc(deviate / std::f64::consts::SQRT_2)).max(f64::MIN_POSITIVE);
        }
        let t = deviate / (1.0 + 1.0 / self.scores.len() as f64).sqrt();
        let tail = 0.5 * beta_reg(0.5 * self.freedom, 0.5, (self.freedom / (self.freedom + t * t)).clamp(0.0, 1.0));
        (if t > 0.0 { tail } else { 1.0 - tail }).max(f64::MIN_POSITIVE)
    }

    /// The smallest p-value that the held-out samples support: `1 / (n + 1)`.
    pub fn proven(&self) -> f64 {
        1.0 / (self.scores.len() + 1) as f64
    }

    /// The lowest score with a p-value of at most `alpha`: the limit on the score's own scale. Infinite when nothing
    /// was held out.
    pub fn limit(&self, alpha: f64) -> f32 {
        let Some(&strangest) = self.scores.last() else { return f32::INFINITY };
        let (mut low, mut high) = (self.scores[0] - self.spread, strangest + self.spread);
        while self.p_value(high) > alpha {
            high += high - low;
            if !high.is_finite() {
                return f32::INFINITY;
            }
        }
        // Thirty bisections reach the precision of `f32` from any range.
        for _ in 0..30 {
            let middle = low + 0.5 * (high - low);
            if self.p_value(middle) <= alpha { high = middle } else { low = middle }
        }
        high
    }
}

/// Median, and the distance from it to the 84th percentile. That is one standard deviation of a normal distribution,
/// measured on the upper side, which matters here. `sorted` is ascending.
pub fn centre_and_spread(sorted: &[f32]) -> [f32; 2] {
    if sorted.is_empty() {
        return [0.0, 1.0];
    }
    let quantile = |q: f32| {
        let at = q * (sorted.len() - 1) as f32;
        let low = at as usize;
        let high = (low + 1).min(sorted.len() - 1);
        sorted[low] + (sorted[high] - sorted[low]) * (at - low as f32)
    };
    let centre = quantile(0.5);
    // Few samples show too little of the spread. A log distance always gets at least 0.02.
    [centre, (quantile(0.84) - centre).max(0.02)]
}

/// The spread of `n` samples, combined with `known` further samples whose spread is one.
pub fn with_known(spread: f32, n: usize, known: f32) -> f32 {
    match known > 0.0 {
        true => ((n as f32 * spread * spread + known) / (n as f32 + known)).sqrt(),
        false => spread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn among_many_p_counts_the_good_samples_that_are_as_strange() {
        let calibration = Calibration::new((0..199).map(|i| i as f32).collect());
        assert_eq!(calibration.p_value(-1.0), 1.0);
        assert!((calibration.p_value(198.0) - 0.01).abs() < 1e-9);
        assert!((calibration.p_value(99.5) - 0.5).abs() < 0.01);
        assert!(calibration.p_value(250.0) < 0.005 && calibration.p_value(900.0) < calibration.p_value(250.0));
    }

    #[test]
    fn among_few_one_odd_picture_does_not_blind() {
        let mut scores: Vec<f32> = (0..30).map(|i| i as f32 / 15.0 - 1.0).collect();
        let limit = Calibration::new(scores.clone()).limit(0.01);
        scores.push(12.0);
        let with_odd = Calibration::new(scores).limit(0.01);
        assert!(limit < 3.0 && with_odd < 6.0, "{limit} {with_odd}");
    }

    #[test]
    fn the_limit_is_where_p_falls_to_alpha() {
        for n in [5, 40, 99, 400] {
            let calibration = Calibration::new((0..n).map(|i| i as f32).collect());
            for alpha in [0.3, 0.05, 0.02, 0.01, 0.003] {
                let limit = calibration.limit(alpha);
                assert!(calibration.p_value(limit + 1e-3 * n as f32) <= alpha + 1e-9, "{n} {alpha}");
                assert!(calibration.p_value(limit - 1e-2 * n as f32) > alpha, "{n} {alpha}");
            }
        }
    }

    #[test]
    fn p_never_rises_with_the_score() {
        let calibration = Calibration::new(vec![0.1, 0.5, 0.55, 0.7, 1.4, 1.5, 3.0]);
        let p: Vec<f64> = (-200..800).map(|i| calibration.p_value(i as f32 / 100.0)).collect();
        assert!(p.windows(2).all(|pair| pair[1] <= pair[0]));
    }

    #[test]
    fn false_rejects_stay_within_the_promise() {
        // Normal draws: sums of twelve uniform ones. On average no more than alpha fall at or under alpha.
        let mut state = 7u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let mut draw = || (0..12).map(|_| uniform()).sum::<f32>();
        for (n, alpha) in [(5, 0.05), (20, 0.05), (20, 0.01), (100, 0.05), (100, 0.01), (399, 0.01)] {
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
    fn what_is_known_of_the_spread_counts_among_few() {
        let limit = |n: usize, known: f32| {
            let near = (0..n).map(|i| i as f32 / n as f32 * 0.01).collect();
            Calibration::with_known(near, known).limit(0.05)
        };
        assert!(limit(3, 0.0) < 0.3 && limit(3, 3.0) > 2.0, "{} {}", limit(3, 0.0), limit(3, 3.0));
        assert!(limit(400, 3.0) < 0.2, "{}", limit(400, 3.0));
    }

    #[test]
    fn nothing_known_proves_nothing() {
        let calibration = Calibration::new(vec![f32::NAN]);
        assert_eq!(calibration.p_value(1e9), 1.0);
        assert_eq!(calibration.limit(0.01), f32::INFINITY);
    }
}
