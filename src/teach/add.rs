//! Adding good samples to a part of one sense.

use half::f16;
use ndarray::{Array2, Axis};

use super::advice::suspects;
use super::copies::{Copies, is_known};
use super::course::{Course, Progress, Remembered, Varying, Weights, look, summaries};
use super::measure::limit_of;
use super::{GoodSamples, TeachReport, Teacher};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Look;
use crate::memory::learned::{Distances, Good, Judgement, Kept, Learned, shown_level};
use crate::memory::part::{HeldOut, Part, TILE};
use crate::memory::shape::Shape;

impl Teacher {
    /// Adds good samples to a part.
    pub(super) fn add_to(
        &mut self,
        part: &mut Part,
        samples: GoodSamples,
        copies: &Copies,
        progress: &dyn Fn(usize, usize),
    ) -> Result<TeachReport> {
        let taught = &part.card.model;
        if taught.digest != self.model.digest {
            let (part, name, version) = (&part.card.name, &taught.name, &taught.version);
            let what = format!("part `{part}` was taught with {name} {version}: teach it anew");
            return Err(Error::new(ErrorKind::Config, what));
        }
        self.resize(taught.input)?;
        self.sense.resume(part, &samples)?;
        self.eye.check(part)?;
        let levels = part.learned.levels.iter();
        let weights: Weights = levels.map(|level| (level.stride, level.weights.clone())).collect();
        let (steps, ignored) = (Progress::of(samples.len(), progress), part.ignored.to_vec());
        let (eye, sense) = (&mut self.eye, &mut *self.sense);
        let mut course =
            Course { eye, sense, samples, ignored, copies: copies.clone(), report: TeachReport::default(), steps };
        let (remembered, mut fresh) = course.measure_new(part, &weights)?;
        let distances: Vec<Distances> = fresh.iter().map(|fresh| fresh.distances).collect();
        course.report.suspects = suspects(&course.names(&remembered.numbers()), &distances, &part.judgement);
        course.grow(part, &remembered, &mut fresh, &weights)?;
        course.recalibrate(part, &remembered, fresh)?;
        Ok(course.report)
    }
}

impl Course<'_> {
    /// Learns the samples, and measures each by the part, which has not seen it.
    fn measure_new(&mut self, part: &Part, weights: &Weights) -> Result<(Remembered, Vec<HeldOut>)> {
        let mut fresh = Vec::new();
        let mut at = look(self.eye, part.card.kind, weights);
        let varying = Varying::of(self.samples.len(), part.varied.nrows(), self.sense.varies());
        let mut take = |course: &mut Self, at: &mut Look| {
            let mut unseen = course.measure(&part.learned, part.golden(), at)?;
            if !course.copies.kept && is_known(&part.summaries, &at.summary) {
                return Ok(false);
            }
            unseen.join(&part.learned, &mut at.scratch);
            fresh.push(unseen.held_out(part.card.blame));
            let registered = course.sense.registered().zip(at.view.as_ref());
            registered.map_or(Ok(()), |(registered, view)| registered.widen(view))?;
            Ok(true)
        };
        let remembered = self.remember((weights, &varying, part.card.good), &mut at, &mut take)?;
        Ok((remembered, fresh))
    }

    /// Adds what was learned to the memory of a part: banks, Gaussian model, summaries and tiles. `fresh` was measured
    /// by the old memory.
    fn grow(
        &mut self,
        part: &mut Part,
        remembered: &Remembered,
        fresh: &mut [HeldOut],
        weights: &Weights,
    ) -> Result<()> {
        // The old banks are one more sample here, so that the new entries are chosen from both.
        let kept = part.learned.levels.iter().map(|level| Kept {
            cells: level.bank.iter().map(|&value| f16::from_f32(value)).collect(),
            places: (0..level.bank.nrows() as u32).collect(),
        });
        let old = Good { levels: kept.collect(), summary: part.summaries.row(0).to_vec() };
        let together: Vec<&Good> = std::iter::once(&old).chain(remembered.all()).collect();
        let mut learned = Learned::from_good(&together, weights);
        learned.measure_in(part.learned.levels.iter().map(|level| level.unit));
        let d = self.eye.summary_len();
        part.varied = below(&part.varied, &summaries(&remembered.varied, d))?;
        part.summaries = below(&part.summaries, &summaries(&remembered.good, d))?;
        learned.shape = Shape::learn(below(&part.summaries, &part.varied)?.view());
        part.tiles = self.grown_tiles(part, &learned, remembered)?;
        // With more samples, what lies outside the axes counts as farther. Distances from the old memory are adjusted
        // to match.
        let farther = (learned.shape.ball / part.learned.shape.ball).ln();
        let all = part.held_out.iter_mut().chain(fresh);
        all.for_each(|held_out| held_out.distances.global += farther);
        part.learned = learned;
        Ok(())
    }

    /// The tiles of `learned`: those of old entries are copied, those of new ones are cut.
    fn grown_tiles(&mut self, part: &Part, learned: &Learned, remembered: &Remembered) -> Result<Vec<u8>> {
        let shown = shown_level(learned.levels.len());
        let (old_entries, seen_at) = (part.learned.levels[shown].bank.nrows(), &learned.levels[shown].seen_at);
        let from_new = |[sample, patch]: &[u32; 2]| remembered.picture_of([sample.saturating_sub(1), *patch]);
        let from_new: Vec<[u32; 2]> = seen_at.iter().map(from_new).collect();
        let mut tiles = self.tiles(&from_new, &remembered.taken)?;
        let side = TILE * TILE * 3;
        for (tile, [sample, entry]) in tiles.chunks_exact_mut(side).zip(seen_at) {
            let entry = *entry as usize;
            if *sample == 0 && entry < old_entries {
                tile.copy_from_slice(&part.tiles[entry * side..(entry + 1) * side]);
            }
        }
        Ok(tiles)
    }

    /// Adds the distances of the `fresh` samples to the calibration.
    fn recalibrate(&mut self, part: &mut Part, remembered: &Remembered, fresh: Vec<HeldOut>) -> Result<()> {
        let before = part.held_out.len();
        part.held_out.extend(fresh);
        self.sense.extend((&self.samples, &remembered.numbers()), part, before)?;
        let distances: Vec<Distances> = part.held_out.iter().map(|held_out| held_out.distances).collect();
        part.judgement = Judgement::learn(&distances);
        let card = &mut part.card;
        card.heat_limit = limit_of(part.held_out.iter().map(|held_out| held_out.heat));
        let least = card.least_correlation.zip(remembered.least_correlation());
        card.least_correlation = least.map(|(old, new)| old.min(new));
        card.good += remembered.good.len();
        part.samples.names.extend(self.short_names(&remembered.numbers()));
        card.picture = card.picture.joined(self.sense.envelope().unwrap_or_else(|| remembered.envelope()));
        Ok(())
    }
}

/// The rows of both, new ones after old ones.
fn below(old: &Array2<f32>, new: &Array2<f32>) -> Result<Array2<f32>> {
    ndarray::concatenate(Axis(0), &[old.view(), new.view()])
        .map_err(|error| Error::caused(ErrorKind::Config, "the part's summaries do not fit the encoder", error))
}
