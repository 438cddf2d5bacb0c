//! How good a part judges: labelled pictures or sounds in, figures of the field out.
//!
//! - [`dataset`] reads a folder (MVTec layout, VisA table, plain `good/` + `bad/`) into one [`Dataset`] and
//!   chooses from it by seed;
//! - [`metrics`] turns scores, verdicts and heatmaps into AUROC, F1-max, AUPRO, overkill and escape;
//! - [`judged`] is a sample with what was said of it, [`figures`] what is found of all, [`latency`] how long it took;
//! - [`run`] judges a data set with a taught part and adds the figures up;
//! - [`faults`] mixes faults into good sounds, by seed;
//! - [`machines`] makes sounds of machines, good and broken, by seed;
//! - [`baseline`] is what eyear's ear is held against;
//! - [`words`] tells how well samples are told in words, [`statements`] whether each sentence is true;
//! - [`robust`] judges a data set once more under each way in which [`crate::augment`] makes its samples worse;
//! - [`trial`] runs an encoder by one provider, precision and number of threads, and holds it against the reference;
//! - [`windows`] cuts long sounds into windows of one length;
//! - [`interval`] says how sure a figure is that was counted on few pictures.
//!
//! Only [`dataset`] touches the disk, and it opens no picture. Teaching, reading pictures and masks and printing
//! are left to the caller.

pub mod baseline;
pub mod dataset;
pub mod faults;
pub mod figures;
pub mod interval;
pub mod judged;
pub mod latency;
pub mod machines;
pub mod metrics;
pub mod page;
pub mod robust;
pub mod run;
pub mod statements;
pub mod trial;
pub mod windows;
pub mod words;

pub use dataset::{Dataset, Sample};
pub use interval::{Interval, Rate};
pub use metrics::{F1Max, PixelFigures, PixelMetrics};
