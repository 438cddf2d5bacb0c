//! Turn and scale from spectra: Fourier transforms, the log-polar magnitude spectrum and its peaks.

use std::f64::consts::PI;
use std::sync::Arc;

use kernels::fourier::{Complex, Fft, forward_f32, inverse_f32};

use super::LOG_SCALE;
use super::pyramid::{FINE, Grid};

/// Side of the square whose spectrum gives turn and scale: the middle copy fits in.
pub(super) const SPECTRUM: usize = FINE / 2;

/// Steps over half a turn, and over the logarithm of the spatial frequency.
pub(super) const POLAR: [usize; 2] = [192, 64];

/// Cycles per [`SPECTRUM`] pixels at the first step, and where the last step would be followed by the next.
const RADII: [f64; 2] = [5.0, 72.0];

pub(super) fn multiply(spectrum: &mut [Complex<f32>], filter: &[Complex<f32>]) {
    for (value, filter) in spectrum.iter_mut().zip(filter) {
        *value *= filter;
    }
}

/// Makes a matched filter of a spectrum: its conjugate, weakened where it is strong, so that all frequencies have
/// a say and the peak is sharp.
pub(super) fn whiten(spectrum: &mut [Complex<f32>]) {
    let mean = spectrum.iter().map(|v| v.norm()).sum::<f32>() / spectrum.len() as f32;
    for value in spectrum.iter_mut() {
        *value = value.conj() / (value.norm() + mean).max(f32::MIN_POSITIVE);
    }
}

/// The magnitude spectrum of a copy over angle and logarithm of frequency.
pub(super) struct Polar {
    /// For each step of [`POLAR`]: index of the upper left spectrum value, and the bilinear weights.
    taps: Vec<(u32, [f32; 4])>,
    /// Fades the first and last frequencies out.
    fade: Vec<f32>,
}

/// Columns of the half spectrum, whose rows are the signed frequencies along x.
const HALF: usize = SPECTRUM / 2 + 2;

impl Polar {
    pub(super) fn new() -> Self {
        let [angles, radii] = POLAR;
        let growth = (RADII[1] / RADII[0]).ln() / radii as f64;
        let mut taps = Vec::with_capacity(angles * radii);
        for angle in 0..angles {
            let (sin, cos) = (PI * angle as f64 / angles as f64).sin_cos();
            for radius in 0..radii {
                let frequency = RADII[0] * (growth * radius as f64).exp();
                let (x, y) = (frequency * cos + SPECTRUM as f64 / 2.0, frequency * sin);
                let (u, v) = (x.fract() as f32, y.fract() as f32);
                let at = x as usize * HALF + y as usize;
                taps.push((at as u32, [(1.0 - u) * (1.0 - v), (1.0 - u) * v, u * (1.0 - v), u * v]));
            }
        }
        Self { taps, fade: (0..radii).map(|radius| hump(radius, radii)).collect() }
    }

    /// Complex f32[angles, radii]; the imaginary part is nought.
    pub(super) fn of(&self, grid: &Grid, fft: &Fft2) -> Vec<Complex<f32>> {
        let columns: Vec<f32> = (0..grid.width).map(|x| hump(x, grid.width)).collect();
        let mut frame = vec![Complex::default(); SPECTRUM * SPECTRUM];
        for (y, row) in grid.values.chunks_exact(grid.width).enumerate() {
            let fade = hump(y, grid.height);
            for ((target, value), column) in frame[y * SPECTRUM..].iter_mut().zip(row).zip(&columns) {
                target.re = value * fade * column;
            }
        }
        fft.forward(&mut frame);
        // Rows of the transposed spectrum are frequencies along x: from −half to half, beside y from 0 to half.
        let mut magnitudes = vec![0f32; (SPECTRUM + 1) * HALF];
        for (row, target) in magnitudes.chunks_exact_mut(HALF).enumerate() {
            let x = (row + SPECTRUM / 2) % SPECTRUM;
            for (target, value) in target.iter_mut().zip(&frame[x * SPECTRUM..]) {
                *target = value.norm();
            }
        }
        let mut polar = Vec::with_capacity(self.taps.len());
        for (at, &(first, [a, b, c, d])) in self.taps.iter().enumerate() {
            let (upper, lower) = (&magnitudes[first as usize..][..2], &magnitudes[first as usize + HALF..][..2]);
            let value = a * upper[0] + b * upper[1] + c * lower[0] + d * lower[1];
            polar.push(Complex::new(value.sqrt() * self.fade[at % POLAR[1]], 0.0));
        }
        // Without the mean, the fade does not correlate with itself.
        let mean = polar.iter().map(|v| v.re).sum::<f32>() / polar.len() as f32;
        for (at, value) in polar.iter_mut().enumerate() {
            value.re -= mean * self.fade[at % POLAR[1]];
        }
        polar
    }

    /// The strongest peaks of the correlation over angle and log frequency, as [radians in 0..π, scale].
    pub(super) fn peaks(&self, turns: &[Complex<f32>], count: usize) -> Vec<[f64; 2]> {
        let [angles, radii] = POLAR;
        let growth = (RADII[1] / RADII[0]).ln() / radii as f64;
        let reach = (LOG_SCALE / growth).ceil() as i64;
        let value = |angle: i64, radius: i64| {
            let (angle, radius) = (angle.rem_euclid(angles as i64), radius.rem_euclid(radii as i64));
            turns[angle as usize * radii + radius as usize].re
        };
        let mut found: Vec<(f32, i64, i64)> = Vec::new();
        for angle in 0..angles as i64 {
            // The best scale of each angle, where no neighbouring angle is better.
            let top = |angle| (-reach..=reach).map(|r| (value(angle, r), r)).max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((here, radius)) = top(angle) else { continue };
            let beaten = |other: i64| (-reach..=reach).any(|r| value(other, r) > here);
            if !beaten(angle - 1) && !beaten(angle + 1) {
                found.push((here, angle, radius));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(count);
        let pose = |&(_, angle, radius): &(f32, i64, i64)| {
            [PI * angle as f64 / angles as f64, (-growth * radius as f64).exp()]
        };
        found.iter().map(pose).collect()
    }
}

/// Half a wave over `n` steps, 0 at both ends: fades a window or a band out.
fn hump(at: usize, n: usize) -> f32 {
    (PI * (at as f64 + 0.5) / n as f64).sin() as f32
}

/// A Fourier transform in two dimensions. Forward gives the transpose, inverse takes it; neither divides.
pub(super) struct Fft2 {
    /// Rows, columns.
    size: [usize; 2],
    /// Of a row, of a column.
    forward: [Arc<dyn Fft<f32>>; 2],
    inverse: [Arc<dyn Fft<f32>>; 2],
}

impl Fft2 {
    pub(super) fn new([rows, columns]: [usize; 2]) -> Self {
        Self {
            size: [rows, columns],
            forward: [columns, rows].map(forward_f32),
            inverse: [columns, rows].map(inverse_f32),
        }
    }

    /// Complex[rows, columns] to its spectrum[columns, rows].
    pub(super) fn forward(&self, data: &mut Vec<Complex<f32>>) {
        let [rows, columns] = self.size;
        self.forward[0].process(data);
        *data = transposed(data, rows, columns);
        self.forward[1].process(data);
    }

    /// Spectrum[columns, rows] to complex[rows, columns].
    pub(super) fn inverse(&self, data: &mut Vec<Complex<f32>>) {
        let [rows, columns] = self.size;
        self.inverse[1].process(data);
        *data = transposed(data, columns, rows);
        self.inverse[0].process(data);
    }
}

fn transposed(data: &[Complex<f32>], rows: usize, columns: usize) -> Vec<Complex<f32>> {
    const TILE: usize = 16;
    let mut out = vec![Complex::default(); data.len()];
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for y in top..(top + TILE).min(rows) {
                for x in left..(left + TILE).min(columns) {
                    out[x * rows + y] = data[y * columns + x];
                }
            }
        }
    }
    out
}
