//! Distance of correlated values from good ones. A machine that runs louder lifts all its bands together. A band that
//! leaves the others is therefore anomalous long before it exceeds its own spread.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

/// Mean and covariance of good vectors, shrunk towards a multiple of the identity as Ledoit and Wolf derive ("A
/// well-conditioned estimator for large-dimensional covariance matrices", 2004).
#[derive(Debug, Clone)]
pub struct Mahalanobis {
    mean: DVector<f64>,
    covariance: Cholesky<f64, Dyn>,
}

impl Mahalanobis {
    /// Learns from vectors of one length; adds the variance `granted` to each value. `None` without vectors.
    pub fn learn(vectors: &[DVector<f64>], granted: f64) -> Option<Self> {
        let (n, first) = (vectors.len() as f64, vectors.first()?);
        let p = first.len();
        let mean = vectors.iter().fold(DVector::zeros(p), |sum, vector| sum + vector) / n;
        let centred = DMatrix::from_columns(&vectors.iter().map(|vector| vector - &mean).collect::<Vec<_>>());
        let covariance = &centred * centred.transpose() / n;
        let scale = covariance.trace() / p as f64;
        let apart = covariance.norm_squared() - p as f64 * scale * scale;
        let fourth: f64 = centred.column_iter().map(|column| column.norm_squared().powi(2)).sum();
        let noise = (fourth / n - covariance.norm_squared()) / n;
        let share = if apart > 0.0 { (noise / apart).clamp(0.0, 1.0) } else { 1.0 };
        // One vector, or several equal ones, say nothing about the spread.
        let ball = (share * scale).max(1e-6) + granted;
        let shrunk = covariance * (1.0 - share) + DMatrix::identity(p, p) * ball;
        Some(Self { mean, covariance: Cholesky::new(shrunk)? })
    }

    /// The Mahalanobis distance of a vector from the mean.
    pub fn distance(&self, vector: &DVector<f64>) -> f64 {
        self.shares(vector).sum().max(0.0).sqrt()
    }

    /// The contribution of each value to the squared distance; negative where the other values explain it.
    pub fn shares(&self, vector: &DVector<f64>) -> DVector<f64> {
        let off = vector - &self.mean;
        self.covariance.solve(&off).component_mul(&off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Normal-like numbers, seeded: sums of twelve uniform ones.
    fn draws(n: usize, scales: [f64; 3]) -> Vec<DVector<f64>> {
        let mut state = 3u64;
        let mut normal = move || {
            let mut uniform = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f64 / f64::from(1 << 24)
            };
            (0..12).map(|_| uniform()).sum::<f64>() - 6.0
        };
        (0..n).map(|_| DVector::from_iterator(3, scales.map(|scale| scale * normal()))).collect()
    }

    fn distance(of: &[DVector<f64>], at: [f64; 3]) -> f64 {
        Mahalanobis::learn(of, 0.0).unwrap().distance(&DVector::from_row_slice(&at))
    }

    #[test]
    fn many_vectors_leave_the_covariance_and_few_shrink_it() {
        let many = draws(4000, [3.0, 1.0, 1.0]);
        assert!((distance(&many, [3.0, 0.0, 0.0]) - 1.0).abs() < 0.05);
        assert!((distance(&many, [0.0, 2.0, 0.0]) - 2.0).abs() < 0.1);
        // Of one there is no spread; of two there is none but along their line.
        assert!(distance(&many[..1], [1e3, 0.0, 0.0]).is_finite());
        assert!(distance(&many[..2], [1e3, 1e3, 0.0]).is_finite());
        assert!(Mahalanobis::learn(&[], 0.0).is_none());
        let granted = Mahalanobis::learn(&many, 3.0).unwrap().distance(&DVector::from_row_slice(&[0.0, 2.0, 0.0]));
        assert!((granted - 1.0).abs() < 0.05, "{granted}");
    }

    #[test]
    fn the_number_that_leaves_the_others_behind_adds_the_most() {
        let mut together = draws(400, [3.0, 0.3, 0.3]);
        for vector in &mut together {
            let first = vector[0];
            vector[1] += first;
            vector[2] += first;
        }
        let usual = Mahalanobis::learn(&together, 0.0).unwrap();
        let at = |at: [f64; 3]| DVector::from_row_slice(&at);
        assert!(usual.distance(&at([6.0, 6.0, 6.0])) < usual.distance(&at([0.0, 2.0, 0.0])));
        assert_eq!(usual.shares(&at([0.0, 2.0, 0.0])).imax(), 1);
        assert_eq!(usual.shares(&at([6.0, 6.0, 9.0])).imax(), 2);
    }
}
