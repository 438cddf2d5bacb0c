//! The library's front door: a frame, a sound or a clip and a taught part → a [`Report`]. Starts no thread of its own beyond the
//! pool that the search shares; a robot can call it from its own loop. [`MomentInspector`] judges by whatever a part was
//! taught: by sight, by hearing, by both, or by motion.

mod ear;
pub mod evidence;
mod eye;
mod moment;
mod motion;
mod places;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use crate::backend::{self, Backend, Options, Placement};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Manifest, Sense, SpectrogramSpec};
use crate::memory::calibrate::Calibration;
use crate::memory::learned::{Standard, shown_level};
use crate::memory::part::{Loudness, Part};
use crate::prepare::clip::{Filmed, Kymograph, STILLS};
use crate::prepare::fixture::Fixture;
use crate::prepare::spectrogram::Spectrograph;
use crate::prepare::steady::{GROUPS, Steady};
use crate::report::{self, Expected, Heatmap, Provenance, RanOn, Report, Steps, Times, Verdict};
use crate::sample::{Clip, Frame, Sound};

pub use ear::{Ear, spectrograph};
use ear::{describe, name_rhythm, steady_findings, striking};
use evidence::{Evidence, Measured, Watched};
pub use eye::{Eye, Look};
pub use moment::MomentInspector;
pub use motion::kymograph;
use places::{
    LEAST_OVERLAP, Tiled, cannot_be_judged, cool_ignored, cool_still, entries_taken_back, find_motions, find_regions,
    heat_taken_back, pose_of,
};
pub use writer::{Asked, Writer};

/// Judges frames, sounds or clips by a taught part. One inspector serves one thread; [`Inspector::fork`] makes one for another.
pub struct Inspector {
    eye: Eye,
    part: Arc<Part>,
    judged_by: Provenance,
    ran_on: Vec<RanOn>,
    limit: f32,
    fixture: Option<Fixture>,
    /// Of a part that is heard: what makes pictures of sounds, and tells what they are like as a whole.
    spectrograph: Option<Spectrograph>,
    steady: Option<Steady>,
    /// Of the sound that was judged last.
    loudness: Option<Loudness>,
    /// Of a part that is filmed: what makes pictures of clips, and tells how much moves.
    kymograph: Option<Kymograph>,
    look: Look,
}

impl Inspector {
    /// An inspector of `part` with the model package it was taught with.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the part was taught with another model; else as [`Eye::open`].
    pub fn new(manifest: &Manifest, part: Part, backend: &dyn Backend, options: &Options) -> Result<Self> {
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
        Self::with(eye, Arc::new(part), manifest)
    }

    /// Another inspector of the same part for another thread, which shares what was taught and the encoder's weights;
    /// `manifest` is that of the package.
    ///
    /// # Errors
    /// As [`Eye::fork`].
    pub fn fork(&self, manifest: &Manifest) -> Result<Self> {
        let other = Self::with(self.eye.fork()?, Arc::clone(&self.part), manifest)?;
        Ok(Self { judged_by: self.judged_by.clone(), ..other })
    }

    fn with(mut eye: Eye, part: Arc<Part>, manifest: &Manifest) -> Result<Self> {
        let judged_by = Provenance {
            part: part.card.name.clone(),
            part_digest: part.digest.clone(),
            model: format!("{} {}", manifest.name, manifest.version),
            model_digest: manifest.digest().to_string(),
            precision: part.card.model.precision.as_str(),
        };
        let encoder = eye.encoder();
        let left = |provider: &str| if provider == backend::CPU { encoder.left_to_cpu().to_vec() } else { Vec::new() };
        let ran_on = encoder.placement().iter().map(|placement| {
            let Placement { provider, nodes } = placement;
            RanOn { provider: provider.clone(), nodes: *nodes, left: left(provider) }
        });
        let ran_on = ran_on.collect();
        let look = Look::new(&eye, part.card.kind, part.learned.levels.iter().map(|level| level.weights.ncols()));
        let limit = part.judgement.calibration.limit(part.card.overkill);
        let fixture = part.reference().map(Fixture::new).transpose()?;
        let sense = part.card.kind.sense();
        let kymograph = (sense == Sense::Clip).then(|| kymograph(manifest)).transpose()?;
        if let (Some(kymograph), Some(motion)) = (&kymograph, part.motion()) {
            let (cells, side) = (kymograph.steps() * kymograph.cells().pow(2), kymograph.still_side());
            let fits = eye.grid().iter().product::<usize>() == cells;
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
        let heard = sense == Sense::Audio;
        let spectrograph = heard.then(|| spectrograph(manifest)).transpose()?;
        let steady = match (&part.card.sound, part.usual(), &spectrograph) {
            (Some(sound), Some(usual), Some(spectrograph)) => {
                let SpectrogramSpec { rate, bands, .. } = spectrograph.spec();
                let steady = Steady::new(rate, sound.steady_samples, bands)?;
                if steady.values() != usual.mean.len() {
                    let (name, wants, has) = (&part.card.name, steady.values(), usual.mean.len());
                    let what = format!("part `{name}`: `usual.mean` wants {wants} values, found {has}");
                    return Err(Error::new(ErrorKind::Config, what));
                }
                if usual.together.len() != usual.count * bands {
                    let (name, has) = (&part.card.name, usual.together.len() / usual.count.max(1));
                    let what = format!("part `{name}`: `usual.together` wants {bands} values of a sound, found {has}");
                    return Err(Error::new(ErrorKind::Config, what));
                }
                Some(steady)
            }
            _ => None,
        };
        Ok(Self { eye, part, judged_by, ran_on, limit, fixture, spectrograph, steady, loudness: None, kymograph, look })
    }

    /// The part that is judged by.
    pub fn part(&self) -> &Arc<Part> {
        &self.part
    }

    /// What was asked of the encoder's runtime and did not come to be, a sentence each.
    pub fn notices(&self) -> &[String] {
        self.eye.notices()
    }

    /// What samples are judged by.
    pub fn judged_by(&self) -> &Provenance {
        &self.judged_by
    }

    /// The eye, for measuring its stages alone.
    pub fn eye(&mut self) -> &mut Eye {
        &mut self.eye
    }

    /// Judges one frame.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the part was not taught from pictures; [`ErrorKind::Runtime`] when the runtime fails. A
    /// picture that cannot be judged is no error but [`Verdict::Invalid`].
    pub fn inspect(&mut self, frame: &Frame) -> Result<Report> {
        if self.part.card.kind.sense() != Sense::Image {
            return Err(self.cannot_judge("a picture"));
        }
        self.judge(frame, None)
    }

    fn cannot_judge(&self, sample: &str) -> Error {
        let (name, taught) = (&self.part.card.name, self.part.card.kind.sense().samples());
        Error::new(ErrorKind::Input, format!("part `{name}` was taught from {taught}: it cannot judge {sample}"))
    }

    fn judge(&mut self, frame: &Frame, steady: Option<[f32; GROUPS.len()]>) -> Result<Report> {
        let start = Instant::now();
        self.eye.see(frame, self.fixture.as_ref(), &self.part.ignored, &mut self.look)?;
        let prepared = Instant::now();
        self.eye.encode()?;
        let encoded = Instant::now();

        let Part { learned, judgement, card, .. } = &*self.part;
        let mut distances = self.eye.compare(learned, self.part.golden(), &mut self.look)?;
        distances.steady = steady;
        let Standard { local, global, pixels, steady } = judgement.standard(distances);
        let steady =
            steady.map(|[tones, level, rhythm, peaks, swells]| report::Steady { tones, level, rhythm, peaks, swells });
        let score = judgement.score(distances);
        let p_value = judgement.calibration.p_value(score);

        let [rows, columns] = self.eye.grid();
        let mut heatmap = Heatmap { values: self.look.heat(card).collect(), rows, columns };
        cool_ignored(&mut heatmap, &self.part.ignored, card.model.input);
        let shown = shown_level(learned.levels.len());
        let entries = self.look.scratch.nearest[shown].iter().map(|nearest| nearest.entry).collect();
        let [rows, columns] = self.look.scratch.grids[shown];
        let mut expected = Expected { entries, rows, columns };
        if let Some(view) = &self.look.view {
            (heatmap, expected) =
                (heat_taken_back(&heatmap, view, frame)?, entries_taken_back(&expected, view, frame)?);
        }
        let findings = find_regions(&heatmap, frame.width(), frame.height());

        let (verdict, reason) = match self.cannot_be_judged(frame) {
            Some(reason) => (Verdict::Invalid, reason),
            None => decide(&judgement.calibration, card.overkill, score, card.kind.sense().samples()),
        };
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        Ok(Report {
            verdict,
            reason,
            degraded: false,
            decided_by: None,
            score,
            limit: self.limit,
            p_value,
            local,
            global,
            pixels,
            steady,
            belong: None,
            sight: None,
            hearing: None,
            pose: self.look.view.as_ref().map(pose_of),
            sense: card.kind.sense(),
            findings: if verdict == Verdict::Invalid { Vec::new() } else { findings },
            picture: None,
            steps: None,
            heatmap,
            expected,
            ms: Times {
                decode: 0.0,
                prepare: ms(start, prepared),
                encode: ms(prepared, encoded),
                judge: ms(encoded, Instant::now()),
            },
            ran_on: self.ran_on.clone(),
            judged_by: self.judged_by.clone(),
        })
    }

    /// What there is to say of the sample that was judged last, as `report` says: of `frame`, or of the picture that was
    /// made of a sound or a clip.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime lost what it had seen.
    pub fn evidence(&self, report: &Report, frame: &Frame) -> Result<Evidence> {
        let picture = report.picture.as_ref().unwrap_or(frame);
        let clip = self.kymograph.as_ref().zip(self.part.motion());
        let clip = clip.map(|(kymograph, usual)| Watched::new(kymograph, usual));
        let measured = Measured { loudness: self.loudness, clip };
        evidence::gather(&self.eye, &self.look, &self.part, report, picture, measured)
    }

    /// Judges one sound by a part that was taught from sounds, by the picture of it: [`Report::picture`].
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the part was not taught from sounds, the sound is too short to be looked at, or a sample
    /// is no number; [`ErrorKind::Runtime`] when the runtime fails. A sound that cannot be judged is no error but
    /// [`Verdict::Invalid`].
    pub fn hear(&mut self, sound: &Sound) -> Result<Report> {
        let start = Instant::now();
        let Some(spectrograph) = &mut self.spectrograph else {
            return Err(self.cannot_judge("a sound"));
        };
        let frame = spectrograph.picture(sound)?;
        let heard = Loudness::of(sound)?;
        self.loudness = Some(heard);
        let (mut off, mut strikes) = (None, None);
        if let (Some(steady), Some(usual)) = (&mut self.steady, self.part.usual()) {
            let mut values = vec![0.0; steady.values()];
            // Too short for it, a sound has the wrong length too.
            if steady.run(spectrograph.mono(), spectrograph.level(), &mut values).is_ok() {
                off = Some(steady.groups().map(|group| usual.off(&values, &group)));
                strikes = self.part.card.bearing.and_then(|bearing| striking(bearing, usual, &values, steady));
            }
        }
        let prepared = start.elapsed().as_secs_f64() * 1e3;
        let mut report = self.judge(&frame, off.map(|off| off.map(|off| off.distance)))?;
        report.ms.prepare += prepared;
        if let Some(reason) = self.part.card.sound.and_then(|taught| taught.deaf(heard)) {
            (report.verdict, report.reason) = (Verdict::Invalid, reason);
            report.findings.clear();
        }
        if let Some(spectrograph) = &self.spectrograph {
            report.findings.iter_mut().for_each(|finding| describe(finding, spectrograph, &report.heatmap, &frame));
            if let (Some(off), Some(steady), Verdict::Fail | Verdict::Unsure | Verdict::Pass) =
                (off, &self.steady, report.verdict)
            {
                let mut found = steady_findings(off, strikes.is_some(), &report, steady, spectrograph, &frame);
                if let Some(bearing) = self.part.card.bearing {
                    let hums = !steady.envelopes().contains(&off[2].value);
                    found.iter_mut().for_each(|finding| name_rhythm(finding, bearing, strikes, hums));
                }
                report.findings.extend(found);
                report.findings.sort_by(|a, b| b.severity.total_cmp(&a.severity));
            }
        }
        report.picture = Some(frame);
        Ok(report)
    }

    /// Judges one clip by a part that was taught from clips, by the picture of its motion: [`Report::picture`].
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the part was not taught from clips, or a frame cannot be decoded; [`ErrorKind::Runtime`]
    /// when the runtime fails. A clip that cannot be judged is no error but [`Verdict::Invalid`].
    pub fn watch(&mut self, clip: &Clip) -> Result<Report> {
        let start = Instant::now();
        let Some(kymograph) = &mut self.kymograph else { return Err(self.cannot_judge("a clip")) };
        let frame = kymograph.picture(clip)?;
        let prepared = start.elapsed().as_secs_f64() * 1e3;
        let mut report = self.judge(&frame, None)?;
        report.ms.prepare += prepared;
        let (Some(kymograph), Some(usual)) = (&self.kymograph, self.part.motion()) else { return Ok(report) };
        report.findings = match self.cannot_be_watched(kymograph.filmed()) {
            Some(reason) => {
                (report.verdict, report.reason) = (Verdict::Invalid, reason);
                Vec::new()
            }
            None => {
                let tiled = Tiled { tiles: kymograph.tiles(), cells: kymograph.cells() };
                let at = |[step, y, x]: [usize; 3]| (step * tiled.cells + y) * tiled.cells + x;
                let moves = |cell| kymograph.motion()[at(cell)].max(usual.most[at(cell)]);
                cool_still(&mut report.heatmap, tiled, moves);
                let found = find_motions(&report.heatmap, tiled, frame.width() / tiled.tiles);
                let described = found.into_iter().map(|(mut finding, place, cells)| {
                    motion::describe(&mut finding, place, &cells, kymograph, usual);
                    finding
                });
                described.collect()
            }
        };
        let Filmed { seconds, size, .. } = kymograph.filmed();
        report.steps = Some(Steps { tiles: kymograph.tiles(), seconds, size, frames: kymograph.frames()? });
        report.picture = Some(frame);
        Ok(report)
    }

    /// Why a clip cannot be judged, if so: its length, its frames' size, light or focus, or nothing moves.
    fn cannot_be_watched(&self, filmed: Filmed) -> Option<String> {
        let Filmed { size, quality, .. } = filmed;
        let blind = cannot_be_judged(size, quality, &self.part.card.picture, self.part.card.good);
        blind.or_else(|| self.part.card.clip?.still(filmed))
    }

    /// Why the frame cannot be judged, if so: not this part, not in view, or blind.
    fn cannot_be_judged(&self, frame: &Frame) -> Option<String> {
        // The picture of a sound or a clip has neither light nor focus.
        if self.part.card.kind.sense() != Sense::Image {
            return None;
        }
        let size = [frame.width(), frame.height()];
        let blind = cannot_be_judged(size, self.look.quality, &self.part.card.picture, self.part.card.good);
        blind.or_else(|| {
            let (pose, least) = (self.look.view.as_ref()?.pose, self.part.card.least_correlation?);
            if pose.ncc < least {
                return Some(format!(
                    "not found: correlation {:.2} with the taught picture, least {least:.2}",
                    pose.ncc
                ));
            }
            let seen = 100.0 * pose.overlap;
            (pose.overlap < LEAST_OVERLAP).then(|| format!("out of view: {seen:.0} % of the taught view is seen"))
        })
    }
}

/// The verdict is a rule over the p-value: at most the promised share of good parts fails. A person is asked
/// up to twice that share, and about what is stranger than every good sample while these are too few to prove
/// the promise. Also gives the reason of a verdict that is not plain; `samples` are what was taught, for people.
fn decide(calibration: &Calibration, overkill: f64, score: f32, samples: &str) -> (Verdict, String) {
    let p_value = calibration.p_value(score);
    if p_value <= overkill {
        (Verdict::Fail, String::new())
    } else if p_value <= 2.0 * overkill {
        (Verdict::Unsure, format!("near the limit: p = {p_value:.4}, fails at {overkill}"))
    } else if calibration.proven() > overkill && calibration.scores().last().is_some_and(|most| score > *most) {
        let n = calibration.scores().len();
        (Verdict::Unsure, format!("stranger than all {n} good {samples}, too few to tell: p = {p_value:.4}"))
    } else {
        (Verdict::Pass, String::new())
    }
}

fn short(digest: &str) -> &str {
    digest.get(..8).unwrap_or(digest)
}
