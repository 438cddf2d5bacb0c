//! What is particular to images: they may be registered, and then compared pixel by pixel.

use std::path::Path;

use super::copies::{Copies, Fingerprint};
use super::measure::limit_of;
use super::survey::Survey;
use super::{GoodSamples, Numbered, TeachConfig, TeachReport, TeachSense};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Eye;
use crate::memory::golden::Golden;
use crate::memory::learned::{Good, Kept, shown_level, wandering};
use crate::memory::part::{Card, HeldOut, Kind, Part, SenseMemory};
use crate::prepare::fixture::{Fixture, Reference, View};
use crate::prepare::pixels::Developer;
use crate::prepare::quality::Span;
use crate::sample::{Frame, Moment, Sense};

/// Most images, besides the first, that are tried for a common layout.
const LAYOUT_IMAGES: usize = 6;
/// Below this [`wandering`], a patch's position predicts its appearance.
const FRAMED_WANDERING: f32 = 0.4;
/// Share by which a mask's aspect ratio may differ from that of the images, to allow for rounding in a scaled mask.
const MASK_DIFFERS: f64 = 0.02;

/// Teaches from images.
#[derive(Default)]
pub(super) struct TeachImage {
    /// The alignment mode, once known.
    kind: Option<Kind>,
    why: String,
    registered: Option<Registered>,
    /// Of the used images.
    survey: Survey,
}

/// The registration reference.
pub(super) struct Registered {
    reference: Reference,
    pub(super) fixture: Fixture,
    /// Allowed band of the pixels, per fold, if pixels are compared.
    bands: Vec<Golden>,
}

impl Registered {
    /// Makes room for the pixel bands of this many folds.
    pub(super) fn compare(&mut self, folds: usize) {
        self.bands.resize(folds, Golden::new(self.fixture.size()));
    }

    /// Widens the pixel band of a fold by a good image.
    pub(super) fn add(&mut self, fold: usize, frame: &Frame) -> Result<()> {
        let view = self.fixture.view(frame)?;
        self.bands[fold].add(&view)
    }

    /// Widens the pixel band by a good view, if pixels are compared.
    pub(super) fn widen(&mut self, view: &View) -> Result<()> {
        self.bands.first_mut().map_or(Ok(()), |band| band.add(view))
    }

    /// The pixel band of all folds but one; `None` if pixels are not compared, or there is no other fold.
    pub(super) fn golden(&self, without: Option<usize>) -> Option<Golden> {
        let mut others = self.bands.iter().enumerate().filter(|(fold, _)| Some(*fold) != without).map(|(_, band)| band);
        let first = others.next().cloned();
        first.map(|first| others.fold(first, Golden::joined))
    }
}

impl TeachSense for TeachImage {
    fn sense(&self) -> Sense {
        Sense::Image
    }

    fn cannot_be_taught(&self, moment: &Moment) -> Option<String> {
        let Some(frame) = &moment.frame else { return Some("no picture".into()) };
        // Otherwise, a camera behind its cap would always pass.
        blank(frame).unwrap_or_else(|error| Some(error.chain()))
    }

    fn picture(&mut self, moment: &Moment) -> Result<Frame> {
        moment.frame.clone().ok_or_else(|| super::missing("picture"))
    }

    fn begin(&mut self, _: &mut Eye, config: &TeachConfig, samples: &GoodSamples) -> Result<()> {
        *self = Self { kind: config.kind, survey: Survey::anew(), ..Self::default() };
        self.check_mask(config.mask.as_ref(), samples)?;
        self.find_layout(samples)
    }

    fn resume(&mut self, part: &Part, _: &GoodSamples) -> Result<()> {
        *self = Self { kind: Some(part.card.kind), ..Self::default() };
        if let Some(reference) = part.reference().cloned() {
            let (fixture, bands) = (Fixture::new(&reference)?, part.golden().cloned().into_iter().collect());
            self.registered = Some(Registered { reference, fixture, bands });
        }
        Ok(())
    }

    fn kind(&self, good: &[Good], grids: &[[usize; 2]], report: &mut TeachReport) -> Kind {
        report.why.clone_from(&self.why);
        self.kind.unwrap_or_else(|| loose_or_framed(good, grids, &mut report.why))
    }

    fn registered(&mut self) -> Option<&mut Registered> {
        self.registered.as_mut()
    }

    fn notice(&mut self, name: &Path, picture: &Frame) -> Result<()> {
        self.survey.add(name, picture)
    }

    fn notes(&self) -> Vec<String> {
        self.survey.notes()
    }

    fn finish(&mut self, _: Numbered, card: &mut Card, held_out: &mut [HeldOut]) -> Result<SenseMemory> {
        let golden = self.registered.as_ref().and_then(|registered| registered.golden(None));
        card.deviation_limit = golden.as_ref().map(|_| limit_of(held_out.iter().map(|held_out| held_out.deviation)));
        Ok(SenseMemory::Image { reference: self.registered.take().map(|registered| registered.reference), golden })
    }

    fn extend(&mut self, taken: Numbered, part: &mut Part, _: usize) -> Result<()> {
        part.sense = self.finish(taken, &mut part.card, &mut part.held_out)?;
        Ok(())
    }
}

impl TeachImage {
    /// Rejects a mask that would have to be stretched to fit the good images.
    fn check_mask(&mut self, mask: Option<&Frame>, samples: &GoodSamples) -> Result<()> {
        let Some(mask) = mask else { return Ok(()) };
        let first = (0..samples.len()).find_map(|i| self.read_picture(samples, i).ok());
        first.map_or(Ok(()), |image| fits(mask, [image.width(), image.height()]))
    }

    /// Tries to register the good images by their layout, unless another mode is set. The reference is the first
    /// readable image.
    fn find_layout(&mut self, samples: &GoodSamples) -> Result<()> {
        if self.kind.is_some_and(|kind| !kind.is_registered()) {
            return Ok(());
        }
        let wanted = self.kind.is_some();
        let mut read = |i: usize| self.read_picture(samples, i).ok();
        let Some((at, first)) = (0..samples.len()).find_map(|i| Some((i, read(i)?))) else { return Ok(()) };
        let rest = at + 1..samples.len();
        let every = rest.len().div_ceil(LAYOUT_IMAGES).max(1);
        let others = if wanted { Vec::new() } else { rest.step_by(every).filter_map(read).collect() };
        let others = without_copies(&first, others);
        let prepared = Reference::of(&first).and_then(|reference| Ok((Fixture::new(&reference)?, reference)));
        let (fixture, reference) = match prepared {
            Ok(prepared) => prepared,
            Err(error) if wanted => return Err(error),
            Err(_) => return Ok(()),
        };
        if !wanted {
            let structure = fixture.structure(&reference, &others)?;
            let Some(correlation) = structure.ncc else { return Ok(()) };
            self.why = format!(
                "the layout correlates {correlation:.2} with other good pictures and its pose is found to {:.1} % of the \
                 diagonal",
                100.0 * structure.error
            );
            if !structure.holds() {
                return Ok(());
            }
            // With a fixed layout, pixels can be compared too. The good images calibrate how much that counts.
            self.kind = Some(Kind::Golden);
        }
        self.registered = Some(Registered { reference, fixture, bands: Vec::new() });
        Ok(())
    }
}

/// A part that cannot be registered may still lie about where it was taught. Its patches then have their nearest
/// neighbours at their own positions in other good images. Appends to `why`.
fn loose_or_framed(good: &[Good], grids: &[[usize; 2]], why: &mut String) -> Kind {
    let shown = shown_level(grids.len());
    let kept: Vec<&Kept> = good.iter().map(|good| &good.levels[shown]).collect();
    let wandering = wandering(&kept, grids[shown]);
    let and = if why.is_empty() { "" } else { "; " };
    *why += &format!("{and}matching patches lie at {wandering:.2} of the random distance from the same position");
    if wandering < FRAMED_WANDERING { Kind::Framed } else { Kind::Texture }
}

/// The `others` that differ from the first and from each other: a duplicate says nothing about alignment.
fn without_copies(first: &Frame, mut others: Vec<Frame>) -> Vec<Frame> {
    let (mut met, mut i) = (Copies::default(), 0);
    met.original(Fingerprint::of(first), 0);
    others.retain(|other| {
        i += 1;
        met.original(Fingerprint::of(other), i).is_none()
    });
    others
}

/// The reason why an image shows nothing, if any.
fn blank(image: &Frame) -> Result<Option<String>> {
    let mut developer = Developer::default();
    Ok(Span::of(&developer.develop(image, [image.height(), image.width()])?).blank())
}

/// Rejects a mask that would have to be stretched to fit images of `[width, height]`.
///
/// # Errors
/// [`ErrorKind::Input`] when its aspect ratio differs.
pub fn fits(mask: &Frame, [wide, tall]: [usize; 2]) -> Result<()> {
    let (width, height) = (mask.width(), mask.height());
    let [mask_shape, shape] = [(width, height), (wide, tall)].map(|(width, height)| width as f64 / height as f64);
    if (mask_shape / shape - 1.0).abs() <= MASK_DIFFERS {
        return Ok(());
    }
    let what =
        format!("the mask has {width} x {height} pixels, the good pictures {wide} x {tall}: draw it on one of them");
    Err(Error::new(ErrorKind::Input, what))
}
