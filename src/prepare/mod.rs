//! Samples → what an encoder takes. Pure functions: no file, no clock, no device.

pub mod bearing;
pub mod clip;
pub mod fixture;
pub mod pixels;
pub mod image;
pub mod listen;
pub mod resample;
pub mod mel;
pub mod rhythm;
pub mod spectrogram;
pub mod steady;
pub mod quality;
pub mod stretch;
pub mod watch;
pub mod register;
