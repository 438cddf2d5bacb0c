//! Encoders: a prepared sample → features. One file a sense.

pub mod vision;

pub use vision::VisionEncoder;
