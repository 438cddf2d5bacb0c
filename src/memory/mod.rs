//! The memory of good parts: what a taught part looks like, and how anomalous a new sample is.
//!
//! ```text
//!                          ┌─ stride  8 ─ metric ─ bank ─ search ─┐
//! encoder maps ─ features ─┼─ stride 16 ─ metric ─ bank ─ search ─┼─ joined → a distance per cell ┐
//!                          ├─ stride 32 ─ metric ─ bank ─ search ─┘                               ├─ calibrate → p-value
//!                          └─ summary ─── shape ─────────────────────────→ one global distance    ┘
//! ```
//!
//! Two distances are kept because they miss different defects: the nearest good patch finds small, sharp ones, the
//! distance of the whole image's summary finds broad ones. For sounds, `usual` also measures the stationary features of the
//! whole sound, with the covariance of its bands (`mahalanobis`). `learned` joins the distances and learns everything from
//! good samples. `part` stores it. `pair` holds two parts when images and sounds are taught together; `bond` then checks
//! whether an image and a sound belong together. `encode` runs the encoder, `source` reads images, `inspect` decides the
//! verdict.

pub mod bank;
pub mod bond;
pub mod bundle;
pub mod calibrate;
pub mod features;
pub mod folder;
pub mod golden;
pub mod learned;
pub mod mahalanobis;
pub mod metric;
pub mod motion;
pub mod part;
pub mod pair;
pub mod search;
pub mod shape;
pub mod usual;
