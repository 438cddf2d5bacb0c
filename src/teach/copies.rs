//! Samples that show the very same as another: nothing is learned from them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ndarray::Array2;

use crate::sample::{Frame, Sound};

/// Share of its length by which the summary of one picture may differ from one time to another: sums in another order.
const SAME: f32 = 1e-5;

/// Which samples were met already.
#[derive(Debug, Clone, Default)]
pub(super) struct Copies {
    /// Whether copies are taught like any other.
    pub(super) kept: bool,
    met: BTreeMap<u64, usize>,
}

impl Copies {
    /// For samples of which copies are not to be found here.
    pub(super) fn kept() -> Self {
        Self { kept: true, ..Self::default() }
    }

    /// The number of the sample that sample number `i`, which shows `what`, is a copy of.
    pub(super) fn original(&mut self, what: Fingerprint, i: usize) -> Option<usize> {
        let first = *self.met.entry(what.0.finish()).or_insert(i);
        (first != i && !self.kept).then_some(first)
    }
}

/// All that a sample shows, by its hash.
#[derive(Clone, Default)]
pub(super) struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Of a picture alone.
    pub(super) fn of(picture: &Frame) -> Self {
        Self::default().seen(picture)
    }

    /// With all pixels of a picture too.
    pub(super) fn seen(mut self, picture: &Frame) -> Self {
        (picture.width(), picture.height(), picture.format(), picture.pixels()).hash(&mut self.0);
        self
    }

    /// With all of a sound too.
    pub(super) fn heard(mut self, sound: &Sound) -> Self {
        sound.samples().iter().for_each(|sample| sample.to_bits().hash(&mut self.0));
        self
    }
}

/// Whether a sample with this summary was taught already: that of another picture is never so near.
pub(super) fn is_known(summaries: &Array2<f32>, summary: &[f32]) -> bool {
    let length = |of: &mut dyn Iterator<Item = f32>| of.map(|value| value * value).sum::<f32>().sqrt();
    let most = SAME * length(&mut summary.iter().copied());
    summaries.rows().into_iter().any(|row| length(&mut row.iter().zip(summary).map(|(a, b)| a - b)) <= most)
}
