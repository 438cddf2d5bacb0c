//! Encoders: a prepared sample → features.

pub mod foreign;
pub mod maps;
pub mod text;

pub use maps::MapEncoder;
pub use text::{Encoded, TextEncoder};
