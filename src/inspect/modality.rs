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
    /// The same for another thread, with memory of its own.
    ///
    /// # Errors
    /// As when it was opened.
    fn fork(&self, part: &Part) -> Result<Box<dyn Modality>>;

    /// The picture that is encoded: the frame itself, or what is made of a sound or a clip. `None` where the sample has none.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) when the sample has a form that the part does not take.
    fn picture<'a>(&mut self, moment: &'a Moment, part: &Part) -> Result<Option<Cow<'a, Frame>>>;

    /// The pose that pictures are brought into, where they are.
    fn fixture(&self) -> Option<&Fixture> {
        None
    }

    /// Why the sample cannot be judged, if so.
    fn cannot_be_judged(&self, part: &Part, look: &Look, picture: &Frame) -> Option<Reason>;

    /// Distances of the sample as a whole beside those of its features, where the sense has some.
    fn stationary(&self) -> Option<[f32; GROUPS.len()]> {
        None
    }

    /// What is anomalous where, most severe first, of a sample that can be judged. May cool the heatmap where nothing can be
    /// anomalous.
    fn findings(&self, part: &Part, report: &mut SenseReport, picture: &Frame) -> Vec<Finding>;

    /// Adds to the report what people are shown beside the heatmap.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) when it cannot be drawn.
    fn show(&self, _report: &mut SenseReport) -> Result<()> {
        Ok(())
    }

    /// Light and focus, level or motion beside what was taught: see [`Evidence::quality`](super::evidence::Evidence::quality).
    fn quality(&self, part: &Part, look: &Look, report: &SenseReport) -> Vec<f32>;

    /// What the model that words reports is told of a finding beside its shape: see [`Evidence::shapes`](super::evidence::Evidence::shapes).
    fn describe(&self, part: &Part, finding: &Finding) -> Described;
}
