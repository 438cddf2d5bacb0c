//! Samples → what an encoder takes. Pure functions: no file, no clock, no device.

pub mod image;
pub mod quality;
