//! Duplicate samples: nothing is learned from them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ndarray::Array2;

use crate::sample::{Frame, Sound};

/// Relative difference that the summary of one image may have from run to run, as sums are taken in another order.
const SAME: f32 = 1e-5;

/// Samples that were seen already.
#[derive(Debug, Clone, Default)]
pub(super) struct Copies {
    /// Whether duplicates are taught like any other sample.
    pub(super) kept: bool,
    met: BTreeMap<u64, usize>,
}

impl Copies {
    /// For samples whose duplicates are not searched here.
    pub(super) fn kept() -> Self {
        Self { kept: true, ..Self::default() }
    }

    /// The index of the sample that sample `i`, with contents `what`, repeats.
    pub(super) fn original(&mut self, what: Fingerprint, i: usize) -> Option<usize> {
        let first = *self.met.entry(what.0.finish()).or_insert(i);
        (first != i && !self.kept).then_some(first)
    }
}

/// Hash of everything in a sample.
#[derive(Clone, Default)]
pub(super) struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Hash of an image alone.
    pub(super) fn of(picture: &Frame) -> Self {
        Self::default().seen(picture)
    }

    /// Adds all pixels of an image.
    pub(super) fn seen(mut self, picture: &Frame) -> Self {
        (picture.width(), picture.height(), picture.format(), picture.pixels()).hash(&mut self.0);
        self
    }

    /// Adds all samples of a sound.
    pub(super) fn heard(mut self, sound: &Sound) -> Self {
        sound.samples().iter().for_each(|sample| sample.to_bits().hash(&mut self.0));
        self
    }
}

/// Whether a sample with this summary was taught already. Summaries of different images are never this close.
pub(super) fn is_known(summaries: &Array2<f32>, summary: &[f32]) -> bool {
    let length = |of: &mut dyn Iterator<Item = f32>| of.map(|value| value * value).sum::<f32>().sqrt();
    let most = SAME * length(&mut summary.iter().copied());
    summaries.rows().into_iter().any(|row| length(&mut row.iter().zip(summary).map(|(a, b)| a - b)) <= most)
}
