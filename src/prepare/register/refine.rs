//! The nearest best fit of a pose: inverse compositional Gauss–Newton on the reference's steepest pixels, and how well it fits.

use nalgebra::{Matrix4, Vector4};

use super::LOG_SCALE;
use super::pyramid::Grid;
use crate::geometry::Affine;

/// A pose that moves less than this in a round, in pixels, has settled; and the most rounds.
const SETTLED: f64 = 0.03;
const ROUNDS: usize = 10;

/// A copy of the reference, and its pixels that say most about the pose.
pub(super) struct Reference {
    pub(super) grid: Grid,
    points: Vec<Point>,
    /// Half the longer side: points are given about the centre in this unit, so that all four parameters of a
    /// pose weigh alike.
    reach: f64,
}

/// A reference pixel: place about the centre in units of `reach`, and value.
struct Point {
    x: f32,
    y: f32,
    value: f32,
    /// What the value changes by, per unit of a pose's parameters: growth, turn, shift in x and y.
    slopes: [f32; 4],
}

impl Reference {
    /// Takes from each `cell`×`cell` pixels the one with the steepest gradient, unless all are flat.
    pub(super) fn new(grid: Grid, cell: usize) -> Self {
        let (width, height) = (grid.width, grid.height);
        let reach = width.max(height) as f64 / 2.0;
        let slope = |x: usize, y: usize| {
            let at = y * width + x;
            let v = &grid.values;
            [0.5 * (v[at + 1] - v[at - 1]), 0.5 * (v[at + width] - v[at - width])]
        };
        let steep = |[a, b]: [f32; 2]| a * a + b * b;
        let mut points = Vec::new();
        let mut steepness = Vec::new();
        for top in (1..height - cell).step_by(cell) {
            for left in (1..width - cell).step_by(cell) {
                let pixels = (top..top + cell).flat_map(|y| (left..left + cell).map(move |x| (x, y)));
                let best = pixels.map(|(x, y)| (x, y, slope(x, y))).max_by(|a, b| steep(a.2).total_cmp(&steep(b.2)));
                let Some((x, y, gradient)) = best else { continue };
                steepness.push(steep(gradient));
                let value = grid.values[y * width + x];
                let [gx, gy] = gradient.map(|g| g * reach as f32);
                let (x, y) = (x as f64 + 0.5 - width as f64 / 2.0, y as f64 + 0.5 - height as f64 / 2.0);
                let (x, y) = ((x / reach) as f32, (y / reach) as f32);
                points.push(Point { x, y, value, slopes: [gx * x + gy * y, gy * x - gx * y, gx, gy] });
            }
        }
        let flat = 0.25 * steepness.iter().sum::<f32>() / steepness.len().max(1) as f32;
        let mut steepness = steepness.into_iter();
        points.retain(|_| steepness.next().is_some_and(|s| s > flat));
        Self { grid, points, reach }
    }

    /// Moves a pose to the nearest best fit by Gauss–Newton steps.
    pub(super) fn refine(&self, picture: &Grid, start: &Affine) -> Affine {
        let reference_from_unit =
            Affine::scale_shift([self.reach; 2], [self.grid.width as f64 / 2.0, self.grid.height as f64 / 2.0]);
        let Some(unit_from_reference) = reference_from_unit.inverse() else { return *start };
        let mut picture_from_unit = start.after(&reference_from_unit);
        let mut seen = vec![f32::NAN; self.points.len()];
        let mut spread = f32::INFINITY;
        for _ in 0..ROUNDS {
            let Some((gain, offset)) = self.look(picture, &picture_from_unit, &mut seen) else { break };
            let mut normal = [[0f32; 4]; 4];
            let mut pull = [0f32; 4];
            let (mut sum, mut count) = (0.0, 0.0);
            let soft = 1.0 / (2.0 * spread).powi(2);
            for (point, seen) in self.points.iter().zip(&seen) {
                if seen.is_nan() {
                    continue;
                }
                let error = gain * seen + offset - point.value;
                sum += error.abs();
                count += 1.0;
                // Cauchy's weight: what is far off, such as a defect, hardly pulls.
                let weight = 1.0 / (1.0 + error * error * soft);
                for ((normal, pull), slope) in normal.iter_mut().zip(&mut pull).zip(point.slopes) {
                    let weighted = weight * slope;
                    for (sum, other) in normal.iter_mut().zip(point.slopes) {
                        *sum += weighted * other;
                    }
                    *pull += weighted * error;
                }
            }
            spread = (sum / count).max(1e-3);
            let normal = Matrix4::from(normal).cast::<f64>();
            let Some(step) = normal.cholesky().map(|c| c.solve(&Vector4::from(pull).cast())) else { break };
            let [a, b, x, y] = step.into();
            let step = Affine { m: [1.0 + a, -b, x, b, 1.0 + a, y] };
            let Some(back) = step.inverse() else { break };
            picture_from_unit = picture_from_unit.after(&back);
            if self.reach * (a.hypot(b) + x.hypot(y)) < SETTLED {
                break;
            }
        }
        picture_from_unit.after(&unit_from_reference)
    }

    /// Samples the picture at the points (NaN outside). Returns the gain and offset that give the samples the
    /// mean and spread of the reference; `None` when fewer than a third of the points are within the picture.
    fn look(&self, picture: &Grid, picture_from_unit: &Affine, seen: &mut [f32]) -> Option<(f32, f32)> {
        let [a, b, c, d, e, f] = picture_from_unit.m.map(|m| m as f32);
        let (mut count, mut p, mut pp, mut r, mut rr) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for (seen, point) in seen.iter_mut().zip(&self.points) {
            let (x, y) = (a * point.x + b * point.y + c, d * point.x + e * point.y + f);
            *seen = picture.at(x, y).unwrap_or(f32::NAN);
            if !seen.is_nan() {
                count += 1.0;
                p += *seen;
                pp += *seen * *seen;
                r += point.value;
                rr += point.value * point.value;
            }
        }
        if count < 16.0 || 3.0 * count < self.points.len() as f32 {
            return None;
        }
        let (p, r) = (p / count, r / count);
        let (picture_spread, spread) = ((pp / count - p * p).max(1e-6).sqrt(), (rr / count - r * r).max(0.0).sqrt());
        let gain = spread / picture_spread;
        Some((gain, r - gain * p))
    }

    /// How well a pose fits, over all pixels: correlation and overlap.
    pub(super) fn measure(&self, picture: &Grid, pose: &Affine) -> (f32, f32) {
        let (mut count, mut p, mut pp, mut r, mut rr, mut pr) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
        let along = [pose.m[0] as f32, pose.m[3] as f32];
        for (y, row) in self.grid.values.chunks_exact(self.grid.width).enumerate() {
            let [start_x, start_y] = pose.apply([0.5, y as f64 + 0.5]).map(|v| v as f32);
            let mut line = [0f32; 6];
            for (x, &value) in row.iter().enumerate() {
                let x = x as f32;
                if let Some(seen) = picture.at(start_x + along[0] * x, start_y + along[1] * x) {
                    let terms = [1.0, seen, seen * seen, value, value * value, seen * value];
                    for (sum, term) in line.iter_mut().zip(terms) {
                        *sum += term;
                    }
                }
            }
            for (sum, line) in [&mut count, &mut p, &mut pp, &mut r, &mut rr, &mut pr].into_iter().zip(line) {
                *sum += f64::from(line);
            }
        }
        let overlap = (count / self.grid.values.len() as f64) as f32;
        let spreads = (count * pp - p * p).max(0.0) * (count * rr - r * r).max(0.0);
        let scale = (pose.m[0] * pose.m[4] - pose.m[1] * pose.m[3]).abs().sqrt();
        // A pose that ran away, or nothing to compare: no fit.
        if overlap < 0.25 || spreads <= 1e-9 || (scale.ln()).abs() > 1.5 * LOG_SCALE {
            return (-1.0, overlap);
        }
        (((count * pr - p * r) / spreads.sqrt()) as f32, overlap)
    }
}
