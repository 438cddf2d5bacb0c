//! Teaching a part from scratch by one sense.

use super::advice::{Sufficiency, suspects};
use super::copies::{Copies, Fingerprint};
use super::course::{Course, Progress, Remembered, Varying, Weights, look, summaries};
use super::measure::{Unseen, limit_of, mean, stand_ins};
use super::{GoodSamples, TeachConfig, TeachReport, Teacher, named};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Eye, Look};
use crate::memory::learned::{
    Blame, Distances, Judgement, Learned, Scratch, drift, folds_of, shown_level, without_fold,
};
use crate::memory::metric::Moments;
use crate::memory::part::{Card, FORMAT, HeldOut, Kind, MemoryRef, ModelRef, Part, Samples};
use crate::prepare::image::Preparer;
use crate::prepare::pixels::Planes;
use crate::sample::{Frame, Sense};

/// Most samples that the projection is learned from: they have enough patches, and each is encoded twice.
const METRIC_SAMPLES: usize = 48;

/// Which memory judges which good sample: the one of all samples of other folds.
struct Folds {
    /// The fold of each good sample, then of each augmented one, which has its original's fold.
    of: Vec<usize>,
    count: usize,
}

impl Folds {
    fn of(remembered: &Remembered, samples: &GoodSamples) -> Self {
        let groups: Vec<usize> = remembered.taken.iter().map(|taken| samples.group(taken.number)).collect();
        let of = folds_of(&groups);
        let count = if groups.len() > 1 { of.iter().max().map_or(0, |last| last + 1) } else { 0 };
        let of = (0..groups.len()).chain(remembered.varied_of.iter().copied()).map(|i| of[i]).collect();
        Self { of, count }
    }
}

/// What was learned from good samples, before it becomes a part.
struct Lesson {
    kind: Kind,
    remembered: Remembered,
    learned: Learned,
    blame: Blame,
    held_out: Vec<HeldOut>,
}

impl Teacher {
    /// Teaches a part from scratch. Settings in `config` for other senses are ignored.
    pub(super) fn learn(
        &mut self,
        config: &TeachConfig,
        samples: GoodSamples,
        copies: &Copies,
        progress: &dyn Fn(usize, usize),
    ) -> Result<(Part, TeachReport)> {
        self.sense.begin(&mut self.eye, config, &samples)?;
        let mask = config.mask.as_ref().filter(|_| self.sense() == Sense::Image);
        let ignored = ignored_pixels(&mut self.eye, mask)?;
        self.model.input = self.eye.encoder().size();
        let every = samples.len().div_ceil(METRIC_SAMPLES).max(1);
        let steps = Progress::of(samples.len().div_ceil(every) + 2 * samples.len(), progress);
        let (eye, sense) = (&mut self.eye, &mut *self.sense);
        let mut course =
            Course { eye, sense, samples, ignored, copies: copies.clone(), report: TeachReport::default(), steps };
        let weights = course.learn_projection(every)?;
        let remembered = course.remember_all(&weights)?;
        let lesson = course.calibrate(remembered, &weights)?;
        course.into_part(lesson, config, &self.model)
    }
}

impl Course<'_> {
    /// Learns the projection of patches from one in `every` samples.
    fn learn_projection(&mut self, every: usize) -> Result<Weights> {
        let mut moments: Vec<Moments> = self.eye.channels().into_iter().map(Moments::new).collect();
        let mut at = Look::new(self.eye, Kind::Texture, self.eye.strides().map(|_| 0));
        let mut met = self.copies.clone();
        for i in (0..self.samples.len()).step_by(every) {
            // A sample that fails here fails again later and is reported there.
            let picture = self.sense.read_picture(&self.samples, i).ok();
            if let Some(frame) = picture.filter(|frame| met.original(Fingerprint::of(frame), i).is_none()) {
                self.see(&frame, &mut at)?;
                // The runtime's error, or a NaN in its output, does not name the sample.
                self.eye.encode().map_err(|error| named(&self.samples.names[i], error))?;
                for (l, moments) in moments.iter_mut().enumerate() {
                    moments.add(self.eye.cells(l)?.view());
                }
            }
            self.steps.step();
        }
        Ok(self.eye.strides().zip(moments.iter().map(Moments::weights)).collect())
    }

    fn remember_all(&mut self, weights: &Weights) -> Result<Remembered> {
        let mut at = look(self.eye, Kind::Texture, weights);
        let varying = Varying::of(self.samples.len(), 0, self.sense.varies());
        let mut take = |course: &mut Self, at: &mut Look| course.take_in(weights, at).map(|()| true);
        self.remember((weights, &varying, 0), &mut at, &mut take)
    }

    /// Finds the alignment mode, learns the memory, and measures the held-out samples.
    fn calibrate(&mut self, mut remembered: Remembered, weights: &Weights) -> Result<Lesson> {
        let grids = self.eye.grids();
        let kind = self.sense.kind(&remembered.good, &grids, &mut self.report);
        if kind.places() > 0 {
            remembered.know_places(&grids, kind.places());
        }
        let folds = Folds::of(&remembered, &self.samples);
        let mut learned = Learned::from_good(&remembered.all(), weights);
        self.compare_pixels(kind, &remembered, &folds)?;
        let mut unseen = match folds.count {
            0 => self.measure_stand_ins(kind, &remembered, weights, &learned)?,
            _ => self.measure_held_out(kind, &remembered, weights, &folds)?,
        };
        let units = (0..learned.levels.len()).map(|l| mean(unseen.iter().flat_map(|unseen| &unseen.patches[l])));
        learned.measure_in(units);
        let mut scratch = Scratch::on(grids);
        unseen.iter_mut().for_each(|unseen| unseen.join(&learned, &mut scratch));
        let global: Vec<f32> = unseen.iter().map(|unseen| unseen.distances.global).collect();
        let drift = drift(&remembered.all(), &folds.of, &global);
        unseen.iter_mut().for_each(|unseen| unseen.distances.global += drift);
        let blame = Blame::learn(unseen.iter().flat_map(Unseen::blamed));
        let held_out = unseen.iter().map(|unseen| unseen.held_out(blame)).collect();
        Ok(Lesson { kind, remembered, learned, blame, held_out })
    }

    /// Learns the pixel band of each fold, if pixels are compared. A fold is judged by the band of all others.
    fn compare_pixels(&mut self, kind: Kind, remembered: &Remembered, folds: &Folds) -> Result<()> {
        let Some(registered) = self.sense.registered().filter(|_| kind == Kind::Golden) else { return Ok(()) };
        registered.compare(folds.count.max(1));
        for (taken, fold) in remembered.taken.iter().zip(&folds.of) {
            let frame = self.sense.read_picture(&self.samples, taken.number)?;
            self.sense.registered().map_or(Ok(()), |registered| registered.add(*fold, &frame))?;
        }
        Ok(())
    }

    /// Measures each good sample by the memory without its fold. Samples are read a second time instead of being kept,
    /// so that the memory needed does not exceed the bank's.
    fn measure_held_out(
        &mut self,
        kind: Kind,
        remembered: &Remembered,
        weights: &Weights,
        folds: &Folds,
    ) -> Result<Vec<Unseen>> {
        let mut at = look(self.eye, kind, weights);
        let mut unseen = vec![Unseen::default(); remembered.good.len()];
        for fold in 0..folds.count {
            let others = without_fold(&remembered.all(), weights, &folds.of, fold);
            let golden = self.sense.registered().and_then(|registered| registered.golden(Some(fold)));
            for (i, taken) in remembered.taken.iter().enumerate().filter(|(i, _)| folds.of[*i] == fold) {
                let frame = self.sense.read_picture(&self.samples, taken.number)?;
                self.see(&frame, &mut at)?;
                let measured = self.measure(&others, golden.as_ref(), &mut at);
                unseen[i] = measured.map_err(|error| named(&self.samples.names[taken.number], error))?;
                self.steps.step();
            }
        }
        Ok(unseen)
    }

    /// Measures variants of the only good sample.
    fn measure_stand_ins(
        &mut self,
        kind: Kind,
        remembered: &Remembered,
        weights: &Weights,
        learned: &Learned,
    ) -> Result<Vec<Unseen>> {
        let mut at = look(self.eye, kind, weights);
        let golden = self.sense.registered().and_then(|registered| registered.golden(None));
        let only = self.sense.read_picture(&self.samples, remembered.taken[0].number)?;
        let measured = stand_ins(&only, kind)?.into_iter().map(|frame| {
            self.see(&frame, &mut at)?;
            self.measure(learned, golden.as_ref(), &mut at)
        });
        measured.collect()
    }

    /// Makes a part of what was learned.
    fn into_part(mut self, lesson: Lesson, config: &TeachConfig, model: &ModelRef) -> Result<(Part, TeachReport)> {
        let Lesson { kind, remembered, learned, blame, mut held_out } = lesson;
        let mut card = Card {
            format: FORMAT,
            name: config.name.clone(),
            kind,
            good: remembered.good.len(),
            overkill: config.overkill,
            heat_limit: limit_of(held_out.iter().map(|held_out| held_out.heat)),
            blame,
            deviation_limit: None,
            least_correlation: remembered.least_correlation(),
            strides: self.eye.strides().collect(),
            model: model.clone(),
            picture: self.sense.envelope().unwrap_or_else(|| remembered.envelope()),
            sound: None,
            clip: None,
            bearing: None,
            memory: MemoryRef { file: String::new(), sha256: String::new() },
        };
        let shown = &learned.levels[shown_level(learned.levels.len())];
        let seen_at: Vec<[u32; 2]> = shown.seen_at.iter().map(|&at| remembered.picture_of(at)).collect();
        let tiles = self.tiles(&seen_at, &remembered.taken)?;
        let taken = remembered.numbers();
        let sense = self.sense.finish((&self.samples, &taken), &mut card, &mut held_out)?;
        let distances: Vec<Distances> = held_out.iter().map(|held_out| held_out.distances).collect();
        let judgement = Judgement::learn(&distances);
        self.report.suspects = suspects(&self.names(&taken), &distances, &judgement);
        self.report.sufficiency = Sufficiency::of(&remembered, &distances, &judgement);
        if kind.sense() != Sense::Image {
            // Light and focus of an image made from a sound or a clip are meaningless.
            self.report.sufficiency.sort = "";
        }
        let d = self.eye.summary_len();
        let (summaries, varied) = (summaries(&remembered.good, d), summaries(&remembered.varied, d));
        let samples = Samples { names: self.short_names(&taken), view: self.first_view(&taken)? };
        let (ignored, digest) = (self.ignored.into(), String::new());
        let part =
            Part { card, learned, judgement, held_out, sense, summaries, varied, tiles, ignored, samples, digest };
        Ok((part, self.report))
    }
}

/// The pixels of the encoder's input that the mask's dark pixels cover.
fn ignored_pixels(eye: &mut Eye, mask: Option<&Frame>) -> Result<Vec<u8>> {
    let Some(mask) = mask else { return Ok(Vec::new()) };
    let [height, width] = eye.encoder().size();
    let mut planes = vec![0.0; 3 * height * width];
    Preparer::new([0.0; 3], [1.0; 3]).run(&Planes::of(mask)?, [height, width], &mut planes)?;
    let ignored: Vec<u8> = planes[..height * width].iter().map(|&value| u8::from(value < 128.0)).collect();
    if ignored.iter().all(|&ignored| ignored == 1) {
        return Err(Error::new(ErrorKind::Input, "the mask is dark everywhere: nothing would be looked at"));
    }
    Ok(ignored)
}
