//! Fourier transforms of any length. Neither direction divides by the length.

use std::sync::Arc;

use realfft::RealFftPlanner;
use rustfft::FftPlanner;

pub use realfft::{ComplexToReal, FftError, RealToComplex};
pub use rustfft::Fft;
pub use rustfft::num_complex::Complex;

/// Of `length` complex numbers.
pub fn forward(length: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_forward(length)
}

/// Back to `length` complex numbers.
pub fn inverse(length: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_inverse(length)
}

/// [`forward`] in single precision.
pub fn forward_f32(length: usize) -> Arc<dyn Fft<f32>> {
    FftPlanner::new().plan_fft_forward(length)
}

/// [`inverse`] in single precision.
pub fn inverse_f32(length: usize) -> Arc<dyn Fft<f32>> {
    FftPlanner::new().plan_fft_inverse(length)
}

/// Of `length` real numbers: `length / 2 + 1` complex ones.
pub fn real_forward(length: usize) -> Arc<dyn RealToComplex<f64>> {
    RealFftPlanner::new().plan_fft_forward(length)
}

/// Back to `length` real numbers.
pub fn real_inverse(length: usize) -> Arc<dyn ComplexToReal<f64>> {
    RealFftPlanner::new().plan_fft_inverse(length)
}
