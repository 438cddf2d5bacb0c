//! The projection in which patches are compared: the principal axes of the good patches, largest variance first.
//!
//! Sixty-four axes keep nearly all of the distance between patches of a few hundred channels at a sixth of the cost.
//! The axes are not whitened: of four ways to scale axes and maps, plain distances found most defects on all sets but
//! one. The first axes have the largest values, so the search can skip far entries early.

use nalgebra::DMatrix;
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Number of axes kept.
pub const AXES: usize = 64;

/// Running mean and covariance of patches, so that the patches need not be kept.
#[derive(Debug, Clone)]
pub struct Moments {
    count: f64,
    /// The mean of the first batch, subtracted before summing, so that single precision suffices.
    shift: Option<Array1<f32>>,
    sum: Array1<f64>,
    products: Array2<f64>,
}

impl Moments {
    /// Moments of patches of `channels` values.
    pub fn new(channels: usize) -> Self {
        Self { count: 0.0, shift: None, sum: Array1::zeros(channels), products: Array2::zeros((channels, channels)) }
    }

    /// Adds `cells`, `f32[n, channels]`.
    pub fn add(&mut self, cells: ArrayView2<f32>) {
        let Some(mean) = cells.mean_axis(Axis(0)) else { return };
        let shift = self.shift.get_or_insert(mean);
        let moved = &cells - &shift.view().insert_axis(Axis(0));
        self.count += cells.nrows() as f64;
        self.sum += &moved.sum_axis(Axis(0)).mapv(f64::from);
        self.products += &moved.t().dot(&moved).mapv(f64::from);
    }

    /// The weights `f32[channels, min(AXES, channels)]` that project a patch onto the principal axes, scaled so that a
    /// good patch is about one from the mean.
    pub fn weights(&self) -> Array2<f32> {
        let channels = self.sum.len();
        let mean = &self.sum / self.count.max(1.0);
        let covariance = DMatrix::from_fn(channels, channels, |i, j| {
            self.products[[i, j]] / self.count.max(1.0) - mean[i] * mean[j]
        });
        let eigen = covariance.symmetric_eigen();
        let mut order: Vec<usize> = (0..channels).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        order.truncate(AXES);
        let length = order.iter().map(|&axis| eigen.eigenvalues[axis].max(0.0)).sum::<f64>().sqrt().max(1e-6);
        Array2::from_shape_fn((channels, order.len()), |(i, j)| (eigen.eigenvectors[(i, order[j])] / length) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loud_axis_comes_first_and_distances_keep_their_ratio() {
        // Two independent axes with deviations 1 and 100, far from the origin.
        let cells = Array2::from_shape_fn((400, 2), |(i, j)| {
            let sign = if (i >> j) & 1 == 0 { 1.0 } else { -1.0 };
            1000.0 + sign * if j == 1 { 100.0 } else { 1.0 }
        });
        let mut moments = Moments::new(2);
        moments.add(cells.slice(ndarray::s![..200, ..]));
        moments.add(cells.slice(ndarray::s![200.., ..]));
        let projected = cells.dot(&moments.weights());
        let deviation = |axis: usize| projected.column(axis).std(0.0);
        assert!((deviation(0) / deviation(1) - 100.0).abs() < 0.5, "{} {}", deviation(0), deviation(1));
        let length = deviation(0).powi(2) + deviation(1).powi(2);
        assert!((length - 1.0).abs() < 1e-3, "{length}");
    }

    #[test]
    fn one_constant_cell_gives_finite_weights() {
        let mut moments = Moments::new(3);
        moments.add(Array2::from_elem((1, 3), 5.0).view());
        assert!(moments.weights().iter().all(|w| w.is_finite()));
    }
}
