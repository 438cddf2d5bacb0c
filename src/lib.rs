//! Offline inspection on the edge: taught from a few good parts, decided by calibrated numbers.
//!
//! [`teach()`] makes a part from good samples; [`open()`] finds it again with the model that it was taught with and gives an
//! [`Inspector`], which judges samples ([`Moment`]) of images, sounds and clips. A [`Report`] says the [`Verdict`], why, and what
//! was found where. A [`Writer`] puts it into words.
//!
//! ```no_run
//! let mut inspector = eyear::open("biscuit").inspector()?;
//! let frame = eyear::source::recording::read("biscuit.jpg".as_ref())?;
//! let report = inspector.judge(&frame.into())?;
//! println!("{} p = {:.4}", report.verdict.as_str(), report.p_value);
//! # Ok::<(), eyear::Error>(())
//! ```
//!
//! The modules are listed in the order a sample meets them. Imports go one way, from the end of the list to
//! its beginning; `tests/layers.rs` holds the house to that.

// The words.
pub mod error;
pub mod geometry;
pub mod sample;
pub mod tensor;
pub mod time;
pub mod installed;
mod random;

// What is written down.
pub mod package;
pub mod board;
pub mod station;
pub mod report;

// The path, in travelling order.
pub mod source;
pub mod align;
pub mod prepare;
pub mod backend;
pub mod encode;
pub mod memory;
pub mod fuse;
pub mod decode;
pub mod inspect;
pub mod augment;
pub mod teach;

// What comes out.
pub mod show;
pub mod sink;
#[cfg(feature = "station")]
pub mod dashboard;

// How well it judges, and the front door of it all.
pub mod evaluate;
pub mod open;

// The wiring of a station that runs.
#[cfg(feature = "station")]
pub mod engine;

#[cfg(test)]
mod testing;

pub use error::{Error, ErrorKind, Result};
pub use inspect::{Inspector, Writer};
pub use open::{open, teach};
pub use report::{Finding, Report, Verdict};
pub use sample::{Clip, Frame, Moment, Sound};

/// The program of the README, which is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// More programs, which are compiled with the tests.
#[cfg(all(doctest, feature = "station"))]
#[doc = include_str!("examples.md")]
struct Examples;
