//! What a sense has to bring: the trait that each implements in a file of its own.

use std::borrow::Cow;

use super::Look;
use super::evidence::Described;
use crate::error::Result;
use crate::memory::part::Part;
use crate::prepare::fixture::Fixture;
use crate::prepare::steady::GROUPS;
use crate::report::{Finding, Reason, SenseReport};
use crate::sample::{Frame, Moment};

/// What is particular to one sense. An inspector calls the methods in this order, once for each sample.
pub(super) trait Modality: Send {
    /// A copy for another thread, with its own buffers.
    ///
    /// # Errors
    /// As when it was opened.
    fn fork(&self, part: &Part) -> Result<Box<dyn Modality>>;

    /// The image that is encoded: the frame itself, or one made of a sound or a clip. `None` if the sample has none.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) when the part does not accept the sample's form.
    fn picture<'a>(&mut self, moment: &'a Moment, part: &Part) -> Result<Option<Cow<'a, Frame>>>;

    /// The registration, if images are registered.
    fn fixture(&self) -> Option<&Fixture> {
        None
    }

    /// The reason why the sample cannot be judged, if any.
    fn cannot_be_judged(&self, part: &Part, look: &Look, picture: &Frame) -> Option<Reason>;

    /// Distances of the whole sample besides those of its features, if the sense has any.
    fn stationary(&self) -> Option<[f32; GROUPS.len()]> {
        None
    }

    /// Findings in a sample that can be judged, most severe first. May lower the heatmap where nothing can be
    /// anomalous.
    fn findings(&self, part: &Part, report: &mut SenseReport, picture: &Frame) -> Vec<Finding>;

    /// Adds to the report what people see besides the heatmap.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) when it cannot be drawn.
    fn show(&self, _report: &mut SenseReport) -> Result<()> {
        Ok(())
    }

    /// Light and focus, level or motion compared with the good samples: see [`Evidence::quality`](super::evidence::Evidence::quality).
    fn quality(&self, part: &Part, look: &Look, report: &SenseReport) -> Vec<f32>;

    /// What the decoder is given about a finding besides its shape: see [`Evidence::shapes`](super::evidence::Evidence::shapes).
    fn describe(&self, part: &Part, finding: &Finding) -> Described;
}
