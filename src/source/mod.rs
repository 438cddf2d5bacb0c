//! Where samples come from. One file a source.

pub mod recording;
