//! The Gaussian model of good summaries (whole-image statistics), and the distance of a new one.
//!
//! Summaries have more numbers than there are good images. Their covariance is therefore shrunk towards a multiple of
//! the identity, by the share of Ledoit and Wolf (2004). The result is the sum of a few principal axes and a multiple
//! of the identity, the ball. The Mahalanobis distance needs only these axes, not a square matrix.
//!
//! Features scale with light and have heavy tails, which a Gaussian takes for a wide spread. Each number is therefore
//! log-compressed first: `sign(x) ln(1 + 3 |x| / r)`, where r is its root mean square among the good ones.

use nalgebra::DMatrix;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// Most axes that are kept. More good images refine the distance without making the part larger.
pub const AXES: usize = 384;

/// Where the compression begins to bend, in root mean squares: at a third of one it is still nearly linear.
const KNEE: f32 = 3.0;

/// Mean, scale and principal axes of good summaries.
#[derive(Debug, Clone)]
pub struct Shape {
    /// `f32[d]`: factor applied to a number before its logarithm is taken.
    pub tameness: Array1<f32>,
    /// `f32[d]`: mean of the compressed good summaries.
    pub mean: Array1<f32>,
    /// `f32[d]`: one over the standard deviation of each number.
    pub inverse_deviation: Array1<f32>,
    /// `f32[q, d]`: orthonormal axes in standardised coordinates, `q <= AXES`.
    pub axes: Array2<f32>,
    /// `f32[q]`: weight of an axis relative to the ball: `1 / variance - 1 / ball`; negative.
    pub excess: Array1<f32>,
    /// `1 / ball`: weight of everything outside the axes.
    pub ball: f32,
}

impl Shape {
    /// Learns from good summaries, `f32[n, d]`, n ≥ 1.
    pub fn learn(summaries: ArrayView2<f32>) -> Self {
        let (n, d) = summaries.dim();
        let square = |column: ArrayView1<f32>| column.dot(&column) / n.max(1) as f32;
        let tameness: Array1<f32> =
            summaries.columns().into_iter().map(|column| KNEE / square(column).sqrt().max(1e-6)).collect();
        let mut tamed = summaries.to_owned();
        tamed.rows_mut().into_iter().for_each(|mut row| row.zip_mut_with(&tameness, |x, &by| *x = tame(*x, by)));
        let summaries = tamed;
        let mean = summaries.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(d));
        let deviation = summaries.std_axis(Axis(0), 0.0);
        // A number that was constant among few images may still vary. It gets a tenth of the typical spread.
        let mut sorted = deviation.to_vec();
        sorted.sort_by(f32::total_cmp);
        let floor = (0.1 * sorted[d / 2]).max(1e-6);
        let inverse_deviation = deviation.mapv(|s| 1.0 / s.max(floor));
        let standard = (&summaries - &mean.view().insert_axis(Axis(0))) * inverse_deviation.view().insert_axis(Axis(0));

        // The eigenvalues of Z Zᵀ / n are those of the covariance Zᵀ Z / n; its eigenvectors follow from Z.
        let gram = standard.dot(&standard.t()).mapv(f64::from) / n as f64;
        let (shrinkage, scale) = ledoit_wolf(&standard, &gram);
        let eigen = DMatrix::from_fn(n, n, |i, j| gram[[i, j]]).symmetric_eigen();
        let mut order: Vec<usize> = (0..n).filter(|&i| eigen.eigenvalues[i] > 1e-6 * scale).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        order.truncate(AXES);

        let ball = (shrinkage * scale).max(1e-6);
        let mut axes = Array2::zeros((order.len(), d));
        let mut excess = Array1::zeros(order.len());
        for (row, &i) in order.iter().enumerate() {
            let weights = Array1::from_iter((0..n).map(|s| eigen.eigenvectors[(s, i)] as f32));
            let axis = standard.t().dot(&weights);
            let length = axis.dot(&axis).sqrt();
            axes.row_mut(row).assign(&(axis / length));
            let variance = (1.0 - shrinkage) * eigen.eigenvalues[i] + ball;
            excess[row] = (1.0 / variance - 1.0 / ball) as f32;
        }
        Self { tameness, mean, inverse_deviation, axes, excess, ball: (1.0 / ball) as f32 }
    }

    /// Logarithm of the squared Mahalanobis distance per dimension. 0 is typical of a sample from the model; each unit
    /// is a factor of e. [`Shape::pull`] reads `scratch` afterwards.
    pub fn distance(&self, summary: &[f32], scratch: &mut Scratch) -> f32 {
        self.project(summary, self.axes.nrows(), scratch);
        let Scratch { standard, along } = scratch;
        let ball = self.ball * dot(standard, standard);
        let square = ball + along.iter().zip(&self.excess).map(|(along, excess)| excess * along * along).sum::<f32>();
        (square.max(1e-12) / standard.len() as f32).ln()
    }

    /// Coordinates of a summary along the first `axes` principal axes, in standard deviations.
    pub fn along(&self, summary: &[f32], axes: usize) -> Vec<f32> {
        let mut scratch = Scratch::default();
        self.project(summary, axes, &mut scratch);
        scratch.along
    }

    fn project(&self, summary: &[f32], axes: usize, Scratch { standard, along }: &mut Scratch) {
        standard.clear();
        let tamed = summary.iter().zip(&self.tameness).map(|(&x, &by)| tame(x, by));
        let moved = tamed.zip(&self.mean).zip(&self.inverse_deviation);
        standard.extend(moved.map(|((x, mean), scale)| (x - mean) * scale));
        along.clear();
        let rows = self.axes.rows().into_iter().take(axes);
        along.extend(rows.map(|axis| axis.as_slice().map_or(0.0, |axis| dot(axis, standard))));
    }

    /// The gradient of half the squared distance by each number of `summary`, `f32[d]`. Applies to the summary whose
    /// distance was last taken with this `scratch`.
    pub fn pull(&self, summary: &[f32], scratch: &Scratch, into: &mut Vec<f32>) {
        into.clear();
        into.extend(scratch.standard.iter().map(|z| self.ball * z));
        for ((axis, along), excess) in self.axes.rows().into_iter().zip(&scratch.along).zip(&self.excess) {
            let share = along * excess;
            let Some(axis) = axis.as_slice() else { continue };
            into.iter_mut().zip(axis).for_each(|(pull, axis)| *pull += share * axis);
        }
        let slopes = summary.iter().zip(&self.tameness).zip(&self.inverse_deviation);
        for (pull, ((x, by), scale)) in into.iter_mut().zip(slopes) {
            *pull *= scale * by / (1.0 + x.abs() * by);
        }
    }

    /// The mean of good summaries, `f32[d]`, not compressed.
    pub fn centre(&self) -> Vec<f32> {
        let untamed = |(mean, by): (&f32, &f32)| mean.abs().exp_m1().copysign(*mean) / by;
        self.mean.iter().zip(&self.tameness).map(untamed).collect()
    }
}

/// Buffers for [`Shape::distance`], reused from sample to sample.
#[derive(Debug, Default)]
pub struct Scratch {
    standard: Vec<f32>,
    along: Vec<f32>,
}

fn tame(x: f32, by: f32) -> f32 {
    (x.abs() * by).ln_1p().copysign(x)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Share of the identity and its scale for standardised samples `z`, `f32[n, d]`, by Ledoit and Wolf,
/// "A well-conditioned estimator for large-dimensional covariance matrices" (2004), from the Gram matrix
/// `z zᵀ / n`: `|S|² = Σ gram²`, and the fourth moments are its diagonal squared.
fn ledoit_wolf(z: &Array2<f32>, gram: &Array2<f64>) -> (f64, f64) {
    let (n, d) = (z.nrows() as f64, z.ncols() as f64);
    let scale = gram.diag().sum() / d;
    let norm = gram.iter().map(|g| g * g).sum::<f64>();
    let dispersion = norm - d * scale * scale;
    // (1/n²) Σ |z zᵀ - S|² = (1/n²) (Σ |z|⁴ - n |S|²); diag(gram) = |z|² / n.
    let noise = gram.diag().iter().map(|g| g * g).sum::<f64>() - norm / n;
    let shrinkage = if dispersion > 0.0 { (noise / dispersion).clamp(0.0, 1.0) } else { 1.0 };
    // One image says nothing about the spread. The axes of few images are never trusted fully.
    (shrinkage.max(0.02), scale.max(1e-6))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeded normal-like numbers: sums of twelve uniform ones.
    fn noise(n: usize, d: usize, seed: u32) -> Array2<f32> {
        let mut state = seed;
        let mut uniform = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        Array2::from_shape_simple_fn((n, d), || (0..12).map(|_| uniform()).sum::<f32>() - 6.0)
    }

    #[test]
    fn the_distance_is_the_mahalanobis_distance_of_the_shrunk_covariance() {
        let (n, d) = (30, 8);
        let mut data = noise(n, d, 1);
        data.column_mut(3).mapv_inplace(|x| 5.0 * x + 2.0);
        let first = data.column(0).to_owned();
        data.column_mut(1).zip_mut_with(&first, |b, &a| *b = a + 0.3 * *b);
        let shape = Shape::learn(data.view());
        // The same from the full matrix.
        let tamed = |x: &Array2<f32>| Array2::from_shape_fn(x.dim(), |(i, j)| tame(x[[i, j]], shape.tameness[j]));
        let data = tamed(&data);
        let z = (&data - &shape.mean.view().insert_axis(Axis(0))) * shape.inverse_deviation.view().insert_axis(Axis(0));
        let gram = z.dot(&z.t()).mapv(f64::from) / n as f64;
        let (r, scale) = ledoit_wolf(&z, &gram);
        let s = z.t().dot(&z).mapv(f64::from) / n as f64;
        let shrunk = DMatrix::from_fn(d, d, |i, j| (1.0 - r) * s[[i, j]] + if i == j { r * scale } else { 0.0 });
        let inverse = shrunk.try_inverse().unwrap();
        let query = noise(1, d, 9);
        let q = (&tamed(&query).row(0) - &shape.mean) * &shape.inverse_deviation;
        let q = nalgebra::DVector::from_iterator(d, q.iter().map(|&x| f64::from(x)));
        let expected = ((q.transpose() * inverse * &q)[(0, 0)] / d as f64).ln();
        let got = shape.distance(query.row(0).as_slice().unwrap(), &mut Scratch::default());
        assert!((f64::from(got) - expected).abs() < 1e-3, "{got} {expected}");
    }

    #[test]
    fn what_leaves_the_usual_axes_is_farther_than_what_moves_along_them() {
        let mut data = noise(40, 60, 3);
        let common = noise(40, 1, 4);
        for mut column in data.columns_mut() {
            column.zip_mut_with(&common.column(0), |x, &c| *x = 0.1 * *x + c);
        }
        let shape = Shape::learn(data.view());
        let along = vec![2.0; 60];
        let across: Vec<f32> = (0..60).map(|i| if i % 2 == 0 { 2.0 } else { -2.0 }).collect();
        let mut scratch = Scratch::default();
        assert!(shape.distance(&across, &mut scratch) > shape.distance(&along, &mut scratch) + 1.0);
    }

    #[test]
    fn one_picture_is_enough_for_a_finite_distance() {
        let data = noise(1, 20, 5);
        let shape = Shape::learn(data.view());
        assert!(shape.distance(noise(1, 20, 6).row(0).as_slice().unwrap(), &mut Scratch::default()).is_finite());
    }

    #[test]
    fn pull_is_the_slope_of_half_the_squared_distance() {
        let data = noise(30, 12, 8);
        let shape = Shape::learn(data.view());
        let summary = noise(1, 12, 9).row(0).to_vec();
        let mut scratch = Scratch::default();
        let mut half_square = |summary: &[f32]| 6.0 * shape.distance(summary, &mut scratch).exp();
        let slope = |i: usize, half_square: &mut dyn FnMut(&[f32]) -> f32| {
            let at =
                |by: f32| summary.iter().enumerate().map(|(j, x)| if i == j { x + by } else { *x }).collect::<Vec<_>>();
            (half_square(&at(1e-2)) - half_square(&at(-1e-2))) / 2e-2
        };
        let slopes: Vec<f32> = (0..12).map(|i| slope(i, &mut half_square)).collect();
        let (mut scratch, mut pull) = (Scratch::default(), Vec::new());
        shape.distance(&summary, &mut scratch);
        shape.pull(&summary, &scratch, &mut pull);
        let largest = slopes.iter().fold(0f32, |a, b| a.max(b.abs()));
        for (pull, slope) in pull.iter().zip(&slopes) {
            assert!((pull - slope).abs() < 0.03 * largest, "{pull} {slope}");
        }
    }

    #[test]
    fn the_centre_is_a_good_summary() {
        let shape = Shape::learn(noise(30, 12, 8).view());
        assert!(shape.distance(&shape.centre(), &mut Scratch::default()) < -5.0);
    }
}
