//! The memory of good parts: what a taught part looks like, and how strange a new sample is beside it.
//!
//! ```text
//!                          ┌─ stride  8 ─ metric ─ bank ─ search ─┐
//! encoder maps ─ features ─┼─ stride 16 ─ metric ─ bank ─ search ─┼─ joined → a distance per cell ┐
//!                          ├─ stride 32 ─ metric ─ bank ─ search ─┘                               ├─ calibrate → p-value
//!                          └─ summary ─── shape ─────────────────────────→ one global distance    ┘
//! ```
//!
//! Two distances are kept because they miss different defects: the nearest good cell finds what is small
//! and sharp, the distance of the whole picture's summary finds what is broad. Of a sound, `usual` tells besides how far it
//! is from good ones as a whole, its bands' levels by their covariance (`mahalanobis`). `learned` joins them all and
//! learns everything from good samples; `part` is how that is written down, and `pair` holds two where a part is seen and
//! heard: `bond` then tells whether a picture and a sound belong together. Running the encoder is left to
//! `encode`, reading pictures to `source`, the verdict to `inspect`.

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
