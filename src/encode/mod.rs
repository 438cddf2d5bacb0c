//! Encoders: a prepared sample → features.

pub mod maps;

pub use maps::MapEncoder;
