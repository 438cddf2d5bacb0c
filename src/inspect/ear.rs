//! Sounds → pictures of them → features, and what is heard where a finding lies. What distances mean is left to the
//! inspector.

use super::Eye;
use crate::backend::{Backend, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Manifest, Precision, Sense};
use crate::memory::usual::Off;
use crate::prepare::bearing::Bearing;
use crate::prepare::rhythm;
use crate::prepare::spectrogram::Spectrograph;
use crate::prepare::steady::Steady;
use crate::report::{self, Event, Finding, Heatmap, Region, Report};
use crate::sample::Frame;

/// Sounds → features: an eye for the pictures that are made of them.
pub struct Ear {
    eye: Eye,
    spectrograph: Spectrograph,
}

impl Ear {
    /// Opens the sound encoder of a model package.
    ///
    /// # Errors
    /// As [`Eye::open`].
    pub fn open(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: Options) -> Result<Self> {
        let spectrograph = spectrograph(manifest)?;
        Ok(Self { eye: Eye::open(manifest, Sense::Audio, precision, backend, options)?, spectrograph })
    }

    /// Makes the encoder as long as a picture of `frames` columns needs.
    ///
    /// # Errors
    /// As the encoder's own resizing.
    pub fn fit(&mut self, frames: usize) -> Result<()> {
        let encoder = self.eye.encoder();
        let [height, width] = self.spectrograph.input(frames, encoder.spec().multiple_of);
        match encoder.size() == [height, width] {
            true => Ok(()),
            false => encoder.resize(height, width),
        }
    }

    /// The eye, and what makes pictures for it.
    pub fn parts(&mut self) -> (&mut Eye, &mut Spectrograph) {
        (&mut self.eye, &mut self.spectrograph)
    }
}

pub(super) fn spectrograph(manifest: &Manifest) -> Result<Spectrograph> {
    let spec = manifest.encoder(Sense::Audio)?.spectrogram;
    // `Manifest::read` let none through without it.
    let missing =
        || Error::new(ErrorKind::Config, format!("{}: `audio_encoder.spectrogram` is missing", manifest.name));
    Spectrograph::new(spec.ok_or_else(missing)?)
}

/// What is strange all the time, if it is beyond the limit.
pub(super) fn steady_findings(
    off: [Off; 3],
    report: &Report,
    steady: &Steady,
    spectrograph: &Spectrograph,
    frame: &Frame,
) -> Vec<Finding> {
    let Some(report::Steady { tones, level, rhythm }) = report.steady else { return Vec::new() };
    let (rows, columns) = (frame.height(), frame.width());
    let seconds = [0, columns].map(|x| spectrograph.seconds(x as f64));
    let [tone, loudest, beat] = off;
    let (at, row) = (steady.hz(tone.value), rows as f64 - steady.hz(loudest.value));
    let band = [row, row - 1.0].map(|row| spectrograph.hz(row));
    // A band that is louder for the sake of one tone is told by the tone.
    let is_tone = level >= report.limit && tone.db >= TONE_DB && (0.98 * band[0]..=1.02 * band[1]).contains(&at);
    let mut findings = Vec::new();
    let mut found = |score: f32, place: String, hz: [f64; 2], db: f32, character: &'static str| {
        findings.push(Finding {
            region: Region { x: 0, y: 0, width: columns, height: rows },
            area_px: (rows * columns) as f64,
            area_share: 1.0,
            peak: [columns / 2, rows / 2],
            severity: score / report.limit,
            place: place.into(),
            heard: Some(Event { seconds, hz, db, character }),
        });
    };
    if tones >= report.limit || is_tone {
        let score = if is_tone { tones.max(level) } else { tones };
        found(score, format!("{at:.0} Hz, all the time"), [0.99 * at, 1.01 * at], tone.db, "tone");
    }
    if level >= report.limit && !is_tone {
        let place = format!("{:.2} to {:.2} kHz, all the time", band[0] / 1e3, band[1] / 1e3);
        found(level, place, band, loudest.db, if loudest.db < 0.0 { "quieter" } else { "louder" });
    }
    if rhythm >= report.limit {
        let at = steady.hz(beat.value);
        found(rhythm, format!("{at:.1} times a second"), [at, at], beat.db, "rhythm");
    }
    findings
}

/// Says what of a bearing beats at the rate of a rhythm, where something does.
pub(super) fn name_rhythm(finding: &mut Finding, bearing: Bearing) {
    let Some(Event { hz: [hz, _], character: "rhythm", .. }) = finding.heard else { return };
    if let Some(named) = bearing.name(hz, rhythm::REACH) {
        finding.place = format!("{}: {named}", finding.place).into();
    }
}

/// Decibels by which a tone must stand out more than usual to be what makes its band louder.
const TONE_DB: f32 = 10.0;

/// Says what is heard where a finding lies in the picture of a sound.
pub(super) fn describe(finding: &mut Finding, spectrograph: &Spectrograph, heatmap: &Heatmap, frame: &Frame) {
    let Region { x, y, width, height } = finding.region;
    let seconds = [x, x + width].map(|x| spectrograph.seconds(x as f64));
    let hz = [y + height, y].map(|y| spectrograph.hz(y as f64));
    let [columns, rows] = [frame.width(), frame.height()];
    // Only where it is hot: the box around it holds more.
    let hot = |x: usize, y: usize| {
        heatmap.values[(y * heatmap.rows / rows) * heatmap.columns + x * heatmap.columns / columns] >= 1.0
    };
    let range = spectrograph.spec().range_db;
    let decibels = |x: usize, y: usize| (f32::from(frame.pixels()[y * columns + x]) - 127.5) / 127.5 * range;
    let inside = (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y))).filter(|&(x, y)| hot(x, y));
    let (mut most, mut least) = (0.0f32, 0.0f32);
    for db in inside.map(|(x, y)| decibels(x, y)) {
        (most, least) = (most.max(db), least.min(db));
    }
    // Noise alone leaves its median by some decibels to both sides.
    let db = if most >= 0.5 * -least { most } else { least };
    let character = match (seconds[1] - seconds[0], hz[1] - hz[0]) {
        _ if db < 0.0 => "gap",
        (short, _) if short < KNOCK_SECONDS => "knock",
        (_, narrow) if narrow < TONE_SHARE * hz[1] => "tone",
        _ => "noise",
    };
    let [low, high] = hz.map(|hz| hz / 1e3);
    finding.place = format!("{low:.2} to {high:.2} kHz, {:.2} to {:.2} s", seconds[0], seconds[1]).into();
    finding.heard = Some(Event { seconds, hz, db, character });
}

/// A sound that is over sooner is a knock.
const KNOCK_SECONDS: f64 = 0.3;
/// A sound whose band is narrower, as a share of its upper end, is a tone.
const TONE_SHARE: f64 = 0.2;
