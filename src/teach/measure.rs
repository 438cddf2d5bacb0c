//! Distances of good samples from a memory that has not seen them: these calibrate a part.

use half::f16;

use super::course::Course;
use crate::error::Result;
use crate::inspect::Look;
use crate::memory::calibrate::Calibration;
use crate::memory::golden::Golden;
use crate::memory::learned::{Blame, Distances, Learned, Scratch};
use crate::memory::part::{HeldOut, Kind};
use crate::memory::search::Nearest;
use crate::sample::Frame;

/// Heat 1 is the patch distance below which the most anomalous patch stays in this share of good samples.
const HEAT_QUANTILE: f64 = 0.95;

/// A good sample, measured by a memory that has not seen it.
#[derive(Clone, Default)]
pub(super) struct Unseen {
    pub(super) distances: Distances,
    /// Distance of each patch of each level.
    pub(super) patches: Vec<Vec<f16>>,
    /// Joint distance and attribution of each patch of the finest grid.
    joint: Vec<f16>,
    blame: Vec<f16>,
    hidden: Vec<bool>,
    /// Greatest deviation of a patch's pixels.
    deviation: f32,
}

impl Unseen {
    /// Joins the levels in the units of `learned`.
    pub(super) fn join(&mut self, learned: &Learned, scratch: &mut Scratch) {
        scratch.hidden.clone_from(&self.hidden);
        self.distances.local = learned.join(|l| self.patches[l].iter().map(|distance| distance.to_f32()), scratch);
        self.joint = scratch.joint.iter().map(|&distance| half(distance)).collect();
    }

    /// The joint distance and the attribution of each patch.
    pub(super) fn blamed(&self) -> impl Iterator<Item = [f32; 2]> + Clone {
        self.joint.iter().zip(&self.blame).map(|(distance, blame)| [distance.to_f32(), blame.to_f32()])
    }

    /// What is kept of it.
    pub(super) fn held_out(&self, blame: Blame) -> HeldOut {
        HeldOut {
            distances: self.distances,
            heat: self.blamed().map(|[distance, of_it]| blame.heat(distance, of_it)).fold(0.0, f32::max),
            deviation: self.deviation,
        }
    }
}

impl Course<'_> {
    /// Encodes the last image and measures it.
    pub(super) fn measure(&mut self, learned: &Learned, golden: Option<&Golden>, at: &mut Look) -> Result<Unseen> {
        self.eye.encode()?;
        let distances = self.eye.compare(learned, golden, at)?;
        let of_level = |nearest: &Vec<Nearest>| nearest.iter().map(|nearest| half(nearest.distance)).collect();
        Ok(Unseen {
            distances,
            patches: at.scratch.nearest.iter().map(of_level).collect(),
            joint: Vec::new(),
            blame: at.blame.iter().map(|&blame| half(blame)).collect(),
            hidden: at.scratch.hidden.clone(),
            deviation: at.deviations.iter().copied().fold(0.0, f32::max),
        })
    }
}

/// In half precision. With one or two images the Gaussian model is so narrow that the attribution may overflow.
fn half(value: f32) -> f16 {
    f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// The mean of values in half precision.
pub(super) fn mean<'a>(values: impl Iterator<Item = &'a f16>) -> f32 {
    let (sum, count) = values.fold((0.0f64, 0usize), |(sum, count), value| (sum + value.to_f64(), count + 1));
    (sum / count.max(1) as f64) as f32
}

/// The value that maps to 1 in heatmaps, from the greatest value in each held-out good sample.
pub(super) fn limit_of(greatest: impl Iterator<Item = f32>) -> f32 {
    let limit = Calibration::new(greatest.collect()).limit(1.0 - HEAT_QUANTILE);
    if limit.is_finite() && limit > 0.0 { limit } else { 1.0 }
}

/// With a single good image there is no other to compare it with. Variants of it are used instead: for a texture its
/// three mirror images; for a sound, copies with a later start; for a part with positions, copies shifted by 1 % and a
/// little darker or brighter. Real good parts vary more, so a part taught from one image is strict until more are
/// added.
pub(super) fn stand_ins(frame: &Frame, kind: Kind) -> Result<Vec<Frame>> {
    let (width, height, bytes) = (frame.width(), frame.height(), frame.channels()?);
    let [right, down] = [width, height].map(|side| side.div_ceil(100));
    let from = |copy: usize, x: usize, y: usize| match (kind, copy) {
        (Kind::Texture, 0) => [width - 1 - x, y],
        (Kind::Texture, 1) => [x, height - 1 - y],
        (Kind::Texture, _) => [width - 1 - x, height - 1 - y],
        (Kind::Sound, _) => [(x + width * (copy + 1) / 4) % width, y],
        (_, 0) => [x.saturating_sub(right), y],
        (_, 1) => [(x + right).min(width - 1), y.saturating_sub(down)],
        _ => [x, (y + down).min(height - 1)],
    };
    let has_light = kind.places() == 2 && kind != Kind::Clip;
    let gain = |copy: usize| if !has_light { 1.0 } else { [0.95, 1.0, 1.05][copy] };
    let copy = |copy: usize| {
        let mut pixels = Vec::with_capacity(frame.pixels().len());
        for y in 0..height {
            for x in 0..width {
                let [x, y] = from(copy, x, y);
                let at = (y * width + x) * bytes;
                pixels.extend(frame.pixels()[at..at + bytes].iter().map(|&v| (f32::from(v) * gain(copy)) as u8));
            }
        }
        Frame::new(pixels, frame.format(), width, height)
    };
    (0..3).map(copy).collect()
}
