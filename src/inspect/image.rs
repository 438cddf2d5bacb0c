//! Images: the frame is encoded as it is, or registered first.

use std::borrow::Cow;

use super::Look;
use super::evidence::Described;
use super::modality::Modality;
use super::places::{LEAST_OVERLAP, cannot_be_judged, find_regions};
use crate::error::Result;
use crate::memory::part::Part;
use crate::prepare::fixture::Fixture;
use crate::prepare::quality::Quality;
use crate::report::{Finding, Reason, ReasonCode, SenseReport};
use crate::sample::{Frame, Moment};

/// What is particular to images.
pub(super) struct Image {
    fixture: Option<Fixture>,
}

impl Image {
    pub(super) fn open(part: &Part) -> Result<Self> {
        Ok(Self { fixture: part.reference().map(Fixture::new).transpose()? })
    }
}

impl Modality for Image {
    fn fork(&self, part: &Part) -> Result<Box<dyn Modality>> {
        Ok(Box::new(Self::open(part)?))
    }

    fn picture<'a>(&mut self, moment: &'a Moment, _: &Part) -> Result<Option<Cow<'a, Frame>>> {
        Ok(moment.frame.as_ref().map(Cow::Borrowed))
    }

    fn fixture(&self) -> Option<&Fixture> {
        self.fixture.as_ref()
    }

    /// Another part, out of view, or an unusable image.
    fn cannot_be_judged(&self, part: &Part, look: &Look, picture: &Frame) -> Option<Reason> {
        let size = [picture.width(), picture.height()];
        cannot_be_judged(size, look.quality, &part.card.picture, part.card.good).or_else(|| {
            let (pose, least) = (look.view.as_ref()?.pose, part.card.least_correlation?);
            if pose.ncc < least {
                let text = format!("not found: correlation {:.2} with the taught image, least {least:.2}", pose.ncc);
                return Some(Reason::new(ReasonCode::NotFound, text));
            }
            let seen = 100.0 * pose.overlap;
            (pose.overlap < LEAST_OVERLAP).then(|| {
                Reason::new(ReasonCode::OutOfView, format!("out of view: {seen:.0} % of the taught view is visible"))
            })
        })
    }

    fn findings(&self, _: &Part, report: &mut SenseReport, picture: &Frame) -> Vec<Finding> {
        find_regions(&report.heatmap, picture.width(), picture.height())
    }

    fn quality(&self, part: &Part, look: &Look, _: &SenseReport) -> Vec<f32> {
        quality_beside(part, look.quality).to_vec()
    }

    fn describe(&self, _: &Part, _: &Finding) -> Described {
        Described::default()
    }
}

/// Light and focus relative to the taught range, 0 in its middle: brightness, in units of 25 levels; ln of contrast;
/// sharpness; black and white shares.
pub(super) fn quality_beside(part: &Part, seen: Quality) -> [f32; 5] {
    let taught = &part.card.picture;
    let middle = |[least, most]: [f32; 2]| 0.5 * (least + most);
    [
        (seen.brightness - middle(taught.brightness)) / 25.0,
        ((seen.contrast + 1.0) / (middle(taught.contrast) + 1.0)).ln(),
        seen.sharpness - middle(taught.sharpness),
        seen.black - middle(taught.black),
        seen.white - middle(taught.white),
    ]
}
