//! Offline inspection on the edge.
#![warn(missing_docs)]

// The words.
pub mod error;
pub mod geometry;
pub mod sample;
pub mod tensor;
pub mod time;

// What is written down.
pub mod manifest;
pub mod report;

// The path, in travelling order.
pub mod backend;
pub mod encode;
pub mod memory;
pub mod inspect;
pub mod teach;
pub mod prepare;
pub mod source;

pub use error::{Error, ErrorKind, Result};
