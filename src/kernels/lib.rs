//! Fourier transforms, resampling and resizing, each for the number types that eyear uses. A crate of its own because the
//! crates behind it are generic: the compiler makes their code, tens of thousands of functions, where the types are
//! named. Named here, that is done once and optimised; named in `eyear`, again with each change, for the library, its
//! tests and the binary.

pub mod fourier;
pub mod resample;
pub mod resize;
