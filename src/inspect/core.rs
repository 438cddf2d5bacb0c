//! What all senses share: a picture → features → distances from the good samples → verdict. What is particular to a sense is
//! left to its [`Modality`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::evidence::{self, Evidence};
use super::places::{cool_ignored, entries_taken_back, heat_taken_back, pose_from_picture, pose_of};
use super::{Eye, Look, clip, image, sound};
use crate::backend::{self, Backend, Options, Placement};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;
use crate::manifest::{Manifest, Sense};
use crate::memory::calibrate::Calibration;
use crate::memory::learned::{Standard, shown_level};
use crate::memory::part::Part;
use crate::prepare::fixture::Fixture;
use crate::prepare::steady::GROUPS;
use crate::report::{
    EncodedBy, Expected, Finding, Heatmap, Ignored, RanOn, Reason, ReasonCode, SenseReport, Stationary, Times, Verdict,
};
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
    /// [`ErrorKind::Input`] when the sample has a form that the part does not take.
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
    /// [`ErrorKind::Input`] when it cannot be drawn.
    fn show(&self, _report: &mut SenseReport) -> Result<()> {
        Ok(())
    }

    /// Light and focus, level or motion beside what was taught: see [`Evidence::quality`].
    fn quality(&self, part: &Part, look: &Look, report: &SenseReport) -> Vec<f32>;

    /// What the model that words reports is told of a finding beside its shape: see [`Evidence::shapes`].
    fn describe(&self, part: &Part, finding: &Finding) -> evidence::Described;
}

/// Opens what is particular to the sense of a part.
fn modality(manifest: &Manifest, part: &Part, eye: &Eye) -> Result<Box<dyn Modality>> {
    Ok(match part.card.kind.sense() {
        Sense::Image => Box::new(image::Image::open(part)?),
        Sense::Sound => Box::new(sound::Heard::open(sound::spectrograph(manifest)?, part)?),
        Sense::Clip => Box::new(clip::Watched::open(clip::spec(manifest)?, part, eye.grid())?),
    })
}

/// Judges the samples of one sense by what a part was taught of it.
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

    /// Another inspector of the same part for another thread, which shares what was taught and the encoder's weights.
    pub(super) fn fork(&self) -> Result<Self> {
        let mut eye = self.eye.fork()?;
        let encoded_by = EncodedBy { ran_on: ran_on(&mut eye), ..self.encoded_by.clone() };
        Ok(Self::with(eye, Arc::clone(&self.part), encoded_by, self.modality.fork(&self.part)?))
    }

    /// The sense.
    pub fn sense(&self) -> Sense {
        self.part.card.kind.sense()
    }

    /// The part that is judged by.
    pub fn part(&self) -> &Arc<Part> {
        &self.part
    }

    /// The encoder.
    pub fn encoded_by(&self) -> &EncodedBy {
        &self.encoded_by
    }

    /// What was asked of the encoder's runtime and was not possible, a sentence each.
    pub fn notices(&self) -> &[String] {
        self.eye.notices()
    }

    /// The feature extractor, for measuring its stages alone.
    pub fn eye(&mut self) -> &mut Eye {
        &mut self.eye
    }

    /// The features of the sample as a whole that was judged last.
    pub(super) fn summary(&self) -> &[f32] {
        &self.look.summary
    }

    /// Judges this sense of a sample. A sample without it is no error but [`Verdict::Invalid`].
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the sample has a form that the part does not take; [`ErrorKind::Runtime`] when the runtime
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

    /// Distances of what was encoded from the good samples, the verdict, and the heat on the picture. `invalid` tells why the
    /// sample cannot be judged.
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

    /// What there is to say of the sample that was judged last, as `report` and `findings` say; `frame` is what was seen.
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

/// The verdict is a rule over the p-value: at most the promised share of good parts fails. A person is asked up to twice that
/// share, and about what is more anomalous than every good sample while these are too few to support the promise. `samples`
/// are what was taught, for people.
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
