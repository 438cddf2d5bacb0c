//! What all senses share: image → features → distances from the good samples → verdict. What is particular to a sense
//! is in its [`Modality`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::evidence::{self, Evidence};
use super::modality::Modality;
use super::places::{cool_ignored, entries_taken_back, heat_taken_back, pose_from_picture, pose_of};
use super::{Eye, Look, clip, image, sound};
use crate::backend::{self, Backend, Options, Placement};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;
use crate::memory::calibrate::Calibration;
use crate::memory::learned::{Standard, shown_level};
use crate::memory::part::Part;
use crate::package::manifest::{Manifest, Sense};
use crate::report::{
    EncodedBy, Expected, Finding, Heatmap, Ignored, RanOn, Reason, ReasonCode, SenseReport, Stationary, Times, Verdict,
};
use crate::sample::{Frame, Moment};

/// Opens the [`Modality`] of a part's sense.
fn modality(manifest: &Manifest, part: &Part, eye: &Eye) -> Result<Box<dyn Modality>> {
    Ok(match part.card.kind.sense() {
        Sense::Image => Box::new(image::Image::open(part)?),
        Sense::Sound => Box::new(sound::Heard::open(sound::spectrograph(manifest)?, part)?),
        Sense::Clip => Box::new(clip::Watched::open(clip::spec(manifest)?, part, eye.grid())?),
    })
}

/// Judges the samples of one sense by a part.
pub struct SenseInspector {
    eye: Eye,
    part: Arc<Part>,
    encoded_by: EncodedBy,
    limit: f32,
    look: Look,
    modality: Box<dyn Modality>,
}

impl SenseInspector {
    /// An inspector of `part` with the model package it was taught with.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the part was taught with another model; else as [`Eye::open`].
    pub(super) fn new(manifest: &Manifest, part: Part, backend: &dyn Backend, options: &Options) -> Result<Self> {
        let taught = &part.card.model;
        if taught.digest != manifest.digest() {
            let what = format!(
                "part `{}` was taught with {} {} ({}), this package is {} {} ({}): teach it again",
                part.card.name,
                taught.name,
                taught.version,
                short(&taught.digest),
                manifest.name,
                manifest.version,
                short(manifest.digest())
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        let mut eye = Eye::open(manifest, part.card.kind.sense(), taught.precision, backend, options)?;
        if eye.encoder().size() != taught.input {
            eye.encoder().resize(taught.input[0], taught.input[1])?;
        }
        eye.check(&part)?;
        let encoded_by = EncodedBy {
            model: format!("{} {}", manifest.name, manifest.version),
            model_digest: manifest.digest().to_string(),
            precision: taught.precision,
            ran_on: ran_on(&mut eye),
        };
        let modality = modality(manifest, &part, &eye)?;
        Ok(Self::with(eye, Arc::new(part), encoded_by, modality))
    }

    fn with(eye: Eye, part: Arc<Part>, encoded_by: EncodedBy, modality: Box<dyn Modality>) -> Self {
        let look = Look::new(&eye, part.card.kind, part.learned.levels.iter().map(|level| level.weights.ncols()));
        let limit = part.judgement.calibration.limit(part.card.overkill);
        Self { eye, part, encoded_by, limit, look, modality }
    }

    /// A copy for another thread, which shares the part and the encoder's weights.
    pub(super) fn fork(&self) -> Result<Self> {
        let mut eye = self.eye.fork()?;
        let encoded_by = EncodedBy { ran_on: ran_on(&mut eye), ..self.encoded_by.clone() };
        Ok(Self::with(eye, Arc::clone(&self.part), encoded_by, self.modality.fork(&self.part)?))
    }

    /// The sense.
    pub fn sense(&self) -> Sense {
        self.part.card.kind.sense()
    }

    /// The part.
    pub fn part(&self) -> &Arc<Part> {
        &self.part
    }

    /// The encoder.
    pub fn encoded_by(&self) -> &EncodedBy {
        &self.encoded_by
    }

    /// What was requested of the encoder's runtime but is not available, a sentence each.
    pub fn notices(&self) -> &[String] {
        self.eye.notices()
    }

    /// The feature extractor, for measuring its stages alone.
    pub fn eye(&mut self) -> &mut Eye {
        &mut self.eye
    }

    /// The whole-sample features of the last sample.
    pub(super) fn summary(&self) -> &[f32] {
        &self.look.summary
    }

    /// Judges this sense of a sample. If the sample lacks it, the verdict is [`Verdict::Invalid`], not an error.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the part does not accept the sample's form; [`ErrorKind::Runtime`] when the runtime
    /// fails.
    pub(super) fn judge(&mut self, moment: &Moment) -> Result<(SenseReport, Vec<Finding>)> {
        let start = Instant::now();
        let sense = self.sense();
        let Some(picture) = self.modality.picture(moment, &self.part)? else {
            let reason = Reason::new(ReasonCode::missing(sense), format!("no {}", sense.as_str()));
            return Ok((SenseReport::invalid(sense, reason), Vec::new()));
        };
        self.eye.see(&picture, self.modality.fixture(), &self.part.ignored, &mut self.look)?;
        let invalid = self.modality.cannot_be_judged(&self.part, &self.look, &picture);
        let prepared = Instant::now();
        self.eye.encode()?;
        let encoded = Instant::now();
        let mut report = self.compare(&picture, invalid)?;
        let findings = match report.is_valid() {
            true => self.modality.findings(&self.part, &mut report, &picture),
            false => Vec::new(),
        };
        self.modality.show(&mut report)?;
        report.picture = match picture {
            Cow::Owned(picture) => Some(picture),
            Cow::Borrowed(_) => None,
        };
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        let (prepare, encode) = (ms(start, prepared), ms(prepared, encoded));
        report.ms = Times { decode: 0.0, prepare, encode, judge: ms(encoded, Instant::now()) };
        Ok((report, findings))
    }

    /// Distances of the encoded sample from the good ones, the verdict, and the heatmap over the image. `invalid` is
    /// the reason why the sample cannot be judged.
    fn compare(&mut self, picture: &Frame, invalid: Option<Reason>) -> Result<SenseReport> {
        let Part { learned, judgement, card, ignored, .. } = &*self.part;
        let mut distances = self.eye.compare(learned, self.part.golden(), &mut self.look)?;
        distances.steady = self.modality.stationary();
        let Standard { local, global, pixels, steady } = judgement.standard(distances);
        let score = judgement.score(distances);
        let (verdict, reason) = match invalid {
            Some(reason) => (Verdict::Invalid, reason),
            None => decide(&judgement.calibration, card.overkill, score, card.kind.sense().samples()),
        };
        let [rows, columns] = self.eye.grid();
        let mut heatmap = Heatmap { values: self.look.heat(card).collect(), rows, columns };
        cool_ignored(&mut heatmap, ignored, card.model.input);
        let shown = shown_level(learned.levels.len());
        let entries = self.look.scratch.nearest[shown].iter().map(|nearest| nearest.entry).collect();
        let [rows, columns] = self.look.scratch.grids[shown];
        let mut expected = Expected { entries, rows, columns };
        let mut taught_from_picture = Affine::IDENTITY;
        if let Some(view) = &self.look.view {
            taught_from_picture = pose_from_picture([1, 1], view, picture)?;
            (heatmap, expected) =
                (heat_taken_back(&heatmap, view, picture)?, entries_taken_back(&expected, view, picture)?);
        }
        let stationary =
            steady.map(|[tones, level, rhythm, peaks, swells]| Stationary { tones, level, rhythm, peaks, swells });
        Ok(SenseReport {
            sense: card.kind.sense(),
            verdict,
            reason,
            score,
            limit: self.limit,
            p_value: judgement.calibration.p_value(score),
            local,
            global,
            pixels,
            stationary,
            pose: self.look.view.as_ref().map(pose_of),
            ms: Times::default(),
            encoded_by: Some(self.encoded_by.clone()),
            picture: None,
            steps: None,
            ignored: Ignored::new(ignored, card.model.input, taught_from_picture),
            heatmap,
            expected,
        })
    }

    /// Gathers the evidence of the last sample, for `report` and `findings`; `frame` is its image.
    pub(super) fn evidence(&self, report: &SenseReport, findings: &[&Finding], frame: &Frame) -> Result<Evidence> {
        let picture = report.picture.as_ref().unwrap_or(frame);
        let quality = self.modality.quality(&self.part, &self.look, report);
        let describe = |finding: &Finding| self.modality.describe(&self.part, finding);
        let judged = evidence::JudgedPicture { report, findings, picture };
        evidence::gather(&self.eye, &self.look, &self.part, judged, &quality, &describe)
    }
}

fn ran_on(eye: &mut Eye) -> Vec<RanOn> {
    let encoder = eye.encoder();
    let left = |provider: &str| if provider == backend::CPU { encoder.left_to_cpu().to_vec() } else { Vec::new() };
    let of = |placement: &Placement| {
        let Placement { provider, nodes } = placement;
        RanOn { provider: provider.clone(), nodes: *nodes, left: left(provider) }
    };
    encoder.placement().iter().map(of).collect()
}

/// The verdict is a rule on the p-value: at most the promised share of good parts fails. The verdict is `unsure` up to
/// twice that share. It is also `unsure` for a sample more anomalous than all good ones, while these are too few to
/// support the promise. `samples` names the good samples, in words.
pub(super) fn decide(calibration: &Calibration, overkill: f64, score: f32, samples: &str) -> (Verdict, Reason) {
    let p_value = calibration.p_value(score);
    if p_value <= overkill {
        return (Verdict::Fail, Reason::new(ReasonCode::OverLimit, ""));
    }
    if p_value <= 2.0 * overkill {
        let text = format!("near the limit: p = {}, fails at {overkill}", p_text(p_value, overkill));
        return (Verdict::Unsure, Reason::new(ReasonCode::NearLimit, text));
    }
    if calibration.proven() > overkill && calibration.scores().last().is_some_and(|most| score > *most) {
        let n = calibration.scores().len();
        let p_value = p_text(p_value, overkill);
        let text = format!("more anomalous than all {n} good {samples}, too few to decide: p = {p_value}");
        return (Verdict::Unsure, Reason::new(ReasonCode::BeyondGood, text));
    }
    (Verdict::Pass, Reason::new(ReasonCode::WithinLimit, ""))
}

/// A p-value that does not fail, with as many digits as show that it is over the share that does: four, where they do.
pub(super) fn p_text(p_value: f64, overkill: f64) -> String {
    let text = |digits: usize| format!("{p_value:.digits$}");
    let is_over = |text: &String| text.parse::<f64>().is_ok_and(|printed| printed > overkill);
    (4..18).map(text).find(is_over).unwrap_or_else(|| p_value.to_string())
}

fn short(digest: &str) -> &str {
    digest.get(..8).unwrap_or(digest)
}
