//! Offline inspection on the edge.
#![warn(missing_docs)]

// The words.
pub mod error;
pub mod geometry;
pub mod sample;
pub mod time;

// The path, in travelling order.
pub mod evaluate;

pub use error::{Error, ErrorKind, Result};
