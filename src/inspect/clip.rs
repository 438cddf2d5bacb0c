//! Clips: an image is made of the motion, step by step, and the motion is compared with good clips.

use std::borrow::Cow;

use super::Look;
use super::evidence::{self, Described};
use super::image::quality_beside;
use super::modality::Modality;
use super::places::{Tiled, cannot_be_judged, cool_still, find_motions};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::motion::UsualMotion;
use crate::memory::part::Part;
use crate::package::manifest::{ClipSpec, Manifest, Sense};
use crate::prepare::clip::{Filmed, Kymograph, STILLS};
use crate::report::{Finding, GridPosition, MotionCharacter, Movement, Reason, Region, SenseReport, Steps, What};
use crate::sample::{Frame, Moment};

/// Makes images of clips for the clip encoder of a package.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when the package has none.
pub fn kymograph(manifest: &Manifest) -> Result<Kymograph> {
    Ok(Kymograph::new(spec(manifest)?))
}

/// The settings of clip images in a package.
///
/// # Errors
/// As [`kymograph`].
pub(super) fn spec(manifest: &Manifest) -> Result<ClipSpec> {
    // `Manifest::read` rejects a clip encoder without it.
    let missing = || Error::new(ErrorKind::Config, format!("{}: `clip_encoder.clip` is missing", manifest.name));
    manifest.encoder(Sense::Clip)?.clip.ok_or_else(missing)
}

/// What is particular to clips, with its buffers.
pub(super) struct Watched {
    spec: ClipSpec,
    kymograph: Kymograph,
    /// Rows and columns of the encoder's finest grid.
    grid: [usize; 2],
}

impl Watched {
    pub(super) fn open(spec: ClipSpec, part: &Part, grid: [usize; 2]) -> Result<Self> {
        let mut kymograph = Kymograph::new(spec);
        kymograph.pace(part.card.clip.map(|clip| clip.rate[0]));
        if let Some(motion) = part.motion() {
            let (cells, side) = (kymograph.steps() * kymograph.cells().pow(2), kymograph.still_side());
            let fits = grid.iter().product::<usize>() == cells;
            let tensors = [
                ("mean", cells, motion.mean.len(), "one a cell"),
                ("stills", STILLS * side * side, motion.stills.len(), "one a pixel"),
            ];
            if let Some((tensor, wants, has, each)) = tensors.iter().find(|(_, wants, has, _)| wants != has || !fits) {
                let name = &part.card.name;
                let what = format!("part `{name}`: `motion.{tensor}` wants {wants} values, {each}, found {has}");
                return Err(Error::new(ErrorKind::Config, what));
            }
        }
        Ok(Self { spec, kymograph, grid })
    }
}

impl Modality for Watched {
    fn fork(&self, part: &Part) -> Result<Box<dyn Modality>> {
        Ok(Box::new(Self::open(self.spec, part, self.grid)?))
    }

    fn picture<'a>(&mut self, moment: &'a Moment, _: &Part) -> Result<Option<Cow<'a, Frame>>> {
        let picture = moment.clip.as_ref().map(|clip| self.kymograph.picture(clip)).transpose()?;
        Ok(picture.map(Cow::Owned))
    }

    /// Wrong length, frame size, light or focus, or no motion.
    fn cannot_be_judged(&self, part: &Part, _: &Look, _: &Frame) -> Option<Reason> {
        let filmed = self.kymograph.filmed();
        let Filmed { size, quality, .. } = filmed;
        let blind = cannot_be_judged(size, quality, &part.card.picture, part.card.good);
        blind.or_else(|| part.card.clip?.still(filmed))
    }

    fn findings(&self, part: &Part, report: &mut SenseReport, picture: &Frame) -> Vec<Finding> {
        let (kymograph, Some(usual)) = (&self.kymograph, part.motion()) else { return Vec::new() };
        let tiled = Tiled { tiles: kymograph.tiles(), cells: kymograph.cells() };
        let at = |[step, y, x]: [usize; 3]| (step * tiled.cells + y) * tiled.cells + x;
        let moves = |cell| kymograph.motion()[at(cell)].max(usual.most[at(cell)]);
        cool_still(&mut report.heatmap, tiled, moves);
        let found = find_motions(&report.heatmap, tiled, picture.width() / tiled.tiles);
        let described = found.into_iter().map(|(mut finding, position, cells)| {
            describe(&mut finding, position, &cells, kymograph, usual);
            finding
        });
        described.collect()
    }

    fn show(&self, report: &mut SenseReport) -> Result<()> {
        let Filmed { seconds, size, .. } = self.kymograph.filmed();
        let frames = self.kymograph.frames()?;
        report.steps = Some(Steps { tiles: self.kymograph.tiles(), seconds, size, frames });
        Ok(())
    }

    /// That of the frames, as of images; ln of the ratios of duration, frame rate and motion.
    fn quality(&self, part: &Part, _: &Look, _: &SenseReport) -> Vec<f32> {
        let filmed = self.kymograph.filmed();
        let ln = |value: f64, [least, most]: [f64; 2]| ((value + 1e-3) / (0.5 * (least + most) + 1e-3)).ln() as f32;
        let of_clip = part.card.clip.map_or([0.0; 3], |taught| {
            [
                ln(filmed.seconds, taught.seconds),
                ln(filmed.rate, taught.rate),
                ln(filmed.motion.into(), taught.motion.map(f64::from)),
            ]
        });
        quality_beside(part, filmed.quality).into_iter().chain(of_clip).collect()
    }

    /// One-hot character; ln of its seconds, and of its share of the clip; start and end, as shares; width and height
    /// of its box, as shares of the frame; ln(1 + x) of the grey levels that change per second, here and in good clips.
    /// Also the differences from good clips, key frame by key frame.
    fn describe(&self, part: &Part, finding: &Finding) -> Described {
        let mut described = Described::default();
        let (Some(movement), Some(usual)) = (finding.moved(), part.motion()) else { return described };
        let Filmed { seconds: whole, size: [width, height], .. } = self.kymograph.filmed();
        let (one_hot, rest) = described.measures.split_at_mut(MotionCharacter::ALL.len());
        evidence::mark(one_hot, MotionCharacter::ALL.iter().position(|character| *character == movement.character));
        let [begin, end] = movement.seconds;
        let share = |side: usize, whole: usize| side as f32 / whole.max(1) as f32;
        rest.copy_from_slice(&[
            (end - begin).max(1e-3).ln() as f32,
            ((end - begin) / whole).max(1e-3).ln() as f32,
            (begin / whole) as f32,
            (end / whole) as f32,
            share(movement.region.width, width),
            share(movement.region.height, height),
            movement.motion.max(0.0).ln_1p(),
            movement.usual.max(0.0).ln_1p(),
        ]);
        let stills = Stills { of: self.kymograph.stills(), side: self.kymograph.still_side(), usual };
        described.planes = Some(stills.differences(movement.region, [width, height]));
        described
    }
}

/// A clip's key frames compared with those of good clips.
struct Stills<'a> {
    of: Vec<f32>,
    /// Rows and columns of one.
    side: usize,
    usual: &'a UsualMotion,
}

impl Stills<'_> {
    /// The clip's differences from good ones, key frame by key frame: within a box of the frame, `[LUMA, LUMA]`, and in
    /// the whole frame, `[EXPECTED, EXPECTED]`; both as ln(1 + difference).
    fn differences(&self, region: Region, [width, height]: [usize; 2]) -> Vec<f32> {
        let span = |from: usize, wide: usize, whole: usize| {
            let of = |at: usize| at * self.side / whole.max(1);
            let (begin, end) = (of(from), (of(from + wide) + 1).min(self.side));
            let more = LEAST_BOX.saturating_sub(end - begin).div_ceil(2);
            begin.saturating_sub(more)..(end + more).min(self.side)
        };
        let rows = span(region.y, region.height, height);
        let near = self.usual.differences(&self.of, rows, span(region.x, region.width, width));
        let whole = self.usual.differences(&self.of, 0..self.side, 0..self.side);
        let pooled = (0..evidence::EXPECTED * evidence::EXPECTED).map(|i| {
            let at = 2 * (i / evidence::EXPECTED * evidence::LUMA + i % evidence::EXPECTED);
            [at, at + 1, at + evidence::LUMA, at + evidence::LUMA + 1].iter().map(|&at| whole[at]).sum::<f32>() / 4.0
        });
        near.iter().copied().chain(pooled).map(f32::ln_1p).collect()
    }
}

/// Smallest window of a finding in key frames, in rows and columns.
const LEAST_BOX: usize = 8;
// The differences replace brightness and expected appearance.
const _: () = assert!(evidence::LUMA == STILLS && 2 * evidence::EXPECTED == STILLS);

/// Describes the motion in a finding's `cells`, given as step, row and column, of the last clip; `position` is that of
/// the most anomalous one.
fn describe(
    finding: &mut Finding,
    position: GridPosition,
    cells: &[[usize; 3]],
    kymograph: &Kymograph,
    usual: &UsualMotion,
) {
    let (steps, side, Filmed { seconds, size, .. }) = (kymograph.steps(), kymograph.cells(), kymograph.filmed());
    let span = |of: usize| {
        let values = || cells.iter().map(|cell| cell[of]);
        [values().min().unwrap_or(0), values().max().unwrap_or(0) + 1]
    };
    let ([from, to], [top, bottom], [left, right]) = (span(0), span(1), span(2));
    let time = |step: usize| step as f64 * seconds / steps as f64;
    let pixel = |cell: usize, whole: usize| (cell * whole + side / 2) / side;
    let [width, height] = size;
    let (x, y) = (pixel(left, width), pixel(top, height));
    let region = Region { x, y, width: pixel(right, width) - x, height: pixel(bottom, height) - y };
    let at: Vec<usize> = cells.iter().map(|[step, y, x]| (step * side + y) * side + x).collect();
    let compared = usual.compare(kymograph.motion(), &at, side * side);
    let seconds = [from, to].map(time);
    finding.place = format!("{:.1} to {:.1} s, {}", seconds[0], seconds[1], position.as_str());
    let (character, motion, usual) = (compared.character, compared.motion, compared.usual);
    finding.what = What::Moved(Movement { seconds, position, region, character, motion, usual });
}
