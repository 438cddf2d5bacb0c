//! Sounds: a spectrogram image is encoded, and the stationary features of the whole sound are measured.

use std::borrow::Cow;

use super::evidence::{self, Described};
use super::modality::Modality;
use super::places::find_regions;
use super::{Eye, Look};
use crate::backend::{Backend, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::part::{Loudness, Part};
use crate::memory::usual::{Off, Usual};
use crate::package::manifest::{Manifest, Precision, Sense, SpectrogramSpec};
use crate::prepare::bearing::{Bearing, Named};
use crate::prepare::rhythm;
use crate::prepare::spectrogram::Spectrograph;
use crate::prepare::steady::{GROUPS, Steady};
use crate::report::{
    Finding, Heatmap, Reason, Region, SenseReport, SoundCharacter, SoundEvent, Stationary, Verdict, What,
};
use crate::sample::{Frame, Moment};

/// Sounds → features: an encoder and the images for it.
pub struct Ear {
    eye: Eye,
    spectrograph: Spectrograph,
}

impl Ear {
    /// Opens the sound encoder of a model package.
    ///
    /// # Errors
    /// As [`Eye::open`].
    pub fn open(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: &Options) -> Result<Self> {
        let spectrograph = spectrograph(manifest)?;
        Ok(Self { eye: Eye::open(manifest, Sense::Sound, precision, backend, options)?, spectrograph })
    }

    /// Sets the encoder's width for an image of `frames` columns.
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

    /// What was requested of the encoder's runtime but is not available, a sentence each.
    pub fn notices(&self) -> &[String] {
        self.eye.notices()
    }

    /// The feature extractor, and what makes images for it.
    pub fn parts(&mut self) -> (&mut Eye, &mut Spectrograph) {
        (&mut self.eye, &mut self.spectrograph)
    }
}

/// Makes images of sounds for the sound encoder of a package.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when the package has none.
pub fn spectrograph(manifest: &Manifest) -> Result<Spectrograph> {
    let spec = manifest.encoder(Sense::Sound)?.spectrogram;
    // `Manifest::read` rejects a sound encoder without it.
    let missing =
        || Error::new(ErrorKind::Config, format!("{}: `audio_encoder.spectrogram` is missing", manifest.name));
    Spectrograph::new(spec.ok_or_else(missing)?)
}

/// What is particular to sounds, with its buffers.
pub(super) struct Heard {
    spectrograph: Spectrograph,
    /// Measures the stationary features, if there is a baseline.
    steady: Option<Steady>,
    values: Vec<f32>,
    /// Of the last sound.
    loudness: Option<Loudness>,
    off: Option<[Off; GROUPS.len()]>,
    /// What the bearing's fault frequencies show in it.
    strikes: Option<Named>,
}

impl Heard {
    pub(super) fn open(spectrograph: Spectrograph, part: &Part) -> Result<Self> {
        let steady = match (&part.card.sound, part.usual()) {
            (Some(sound), Some(usual)) => {
                let SpectrogramSpec { rate, bands, .. } = spectrograph.spec();
                let steady = Steady::new(rate, sound.steady_samples, bands)?;
                check(part, usual, &steady, bands)?;
                Some(steady)
            }
            _ => None,
        };
        let values = vec![0.0; steady.as_ref().map_or(0, Steady::values)];
        Ok(Self { spectrograph, steady, values, loudness: None, off: None, strikes: None })
    }

    /// Measures the stationary features of the last sound.
    fn measure(&mut self, part: &Part) {
        (self.off, self.strikes) = (None, None);
        let (Some(steady), Some(usual)) = (&mut self.steady, part.usual()) else { return };
        // A sound that is too short for this has the wrong length anyway.
        if steady.run(self.spectrograph.mono(), self.spectrograph.level(), &mut self.values).is_ok() {
            self.off = Some(steady.groups().map(|group| usual.off(&self.values, &group)));
            self.strikes = part.card.bearing.and_then(|bearing| striking(bearing, usual, &self.values, steady));
        }
    }
}

/// Checks that a part's baseline statistics fit the features that are measured.
fn check(part: &Part, usual: &Usual, steady: &Steady, bands: usize) -> Result<()> {
    let name = &part.card.name;
    let wrong = |what: String| Err(Error::new(ErrorKind::Config, format!("part `{name}`: {what}")));
    let (wants, has) = (steady.values(), usual.mean.len());
    if wants != has {
        return wrong(format!("`usual.mean` wants {wants} values, found {has}"));
    }
    let has = usual.together.len() / usual.count.max(1);
    if usual.together.len() != usual.count * bands {
        return wrong(format!("`usual.together` wants {bands} values of a sound, found {has}"));
    }
    Ok(())
}

impl Modality for Heard {
    fn fork(&self, part: &Part) -> Result<Box<dyn Modality>> {
        Ok(Box::new(Self::open(Spectrograph::new(self.spectrograph.spec())?, part)?))
    }

    fn picture<'a>(&mut self, moment: &'a Moment, part: &Part) -> Result<Option<Cow<'a, Frame>>> {
        let Some(sound) = &moment.sound else { return Ok(None) };
        let picture = self.spectrograph.picture(sound)?;
        self.loudness = Some(Loudness::of(sound)?);
        self.measure(part);
        Ok(Some(Cow::Owned(picture)))
    }

    /// Wrong length, silent, far too quiet, or damaged.
    fn cannot_be_judged(&self, part: &Part, _: &Look, _: &Frame) -> Option<Reason> {
        part.card.sound?.deaf(self.loudness?)
    }

    fn stationary(&self) -> Option<[f32; GROUPS.len()]> {
        self.off.map(|off| off.map(|off| off.distance))
    }

    fn findings(&self, part: &Part, report: &mut SenseReport, picture: &Frame) -> Vec<Finding> {
        let mut findings = find_regions(&report.heatmap, picture.width(), picture.height());
        findings.iter_mut().for_each(|finding| describe(finding, &self.spectrograph, &report.heatmap, picture));
        if let (Some(off), Some(steady)) = (self.off, &self.steady) {
            let whole = Whole { off, strikes: self.strikes.is_some(), steady, spectrograph: &self.spectrograph };
            let mut found = whole.findings(report, &findings, picture);
            if let Some(bearing) = part.card.bearing {
                let hums = !steady.envelopes().contains(&off[2].value);
                found.iter_mut().for_each(|finding| name_rhythm(finding, bearing, self.strikes, hums));
            }
            findings.extend(found);
            findings.sort_by(|a, b| b.severity.total_cmp(&a.severity));
        }
        findings
    }

    /// Level, in units of 6 dB; clipped, silent and dropped shares; ln(1 + x) of each stationary score.
    fn quality(&self, part: &Part, _: &Look, report: &SenseReport) -> Vec<f32> {
        let Some(heard) = self.loudness else { return Vec::new() };
        let level = part.card.sound.map_or(0.0, |taught| {
            let [least, most] = taught.rms_dbfs;
            (heard.rms_dbfs - 0.5 * (least + most)) / DECIBELS
        });
        let whole = report.stationary.map_or([0.0; 5], |whole| {
            let Stationary { tones, level, rhythm, peaks, swells } = whole;
            [tones, level, rhythm, peaks, swells].map(|off| off.max(0.0).ln_1p())
        });
        let shares = [level, heard.clipped, heard.silent, heard.dropped].map(|of| of as f32);
        shares.into_iter().chain(whole).collect()
    }

    /// One-hot character; decibels, in units of 10; ln of its seconds; ln of the lower and of the upper end of its band
    /// in kHz; 1 if it is continuous.
    fn describe(&self, _: &Part, finding: &Finding) -> Described {
        let mut described = Described::default();
        let Some(event) = finding.heard() else { return described };
        let (one_hot, rest) = described.measures.split_at_mut(SoundCharacter::ALL.len());
        evidence::mark(one_hot, SoundCharacter::ALL.iter().position(|character| *character == event.character));
        let ln = |value: f64| value.max(1e-3).ln() as f32;
        rest.copy_from_slice(&[
            event.db / 10.0,
            ln(event.seconds[1] - event.seconds[0]),
            ln(event.hz[0] / 1e3),
            ln(event.hz[1] / 1e3),
            f32::from(u8::from(event.all_the_time)),
        ]);
        described
    }
}

/// Decibels by which a sound must exceed the taught level, per unit.
const DECIBELS: f64 = 6.0;

/// Stationary features of a sound.
struct Whole<'a> {
    off: [Off; GROUPS.len()],
    /// Whether the bearing shows a fault frequency.
    strikes: bool,
    steady: &'a Steady,
    spectrograph: &'a Spectrograph,
}

impl Whole<'_> {
    /// Findings of the stationary features beyond the limit, and the bearing's fault frequency in a sound that does not
    /// pass. `seen` are the findings in its `picture`.
    fn findings(&self, report: &SenseReport, seen: &[Finding], picture: &Frame) -> Vec<Finding> {
        let Some(Stationary { tones, level, rhythm, peaks, swells }) = report.stationary else { return Vec::new() };
        let Self { off, strikes, steady, spectrograph } = *self;
        let (rows, columns) = (picture.height(), picture.width());
        let [tone, loudest, beat, peak, swell] = off;
        let band_of = |off: Off| {
            let row = rows as f64 - steady.hz(off.value);
            [row, row - 1.0].map(|row| spectrograph.hz(row))
        };
        let (at, band) = (steady.hz(tone.value), band_of(loudest));
        // If one tone makes its band louder, only the tone is reported.
        let is_tone = level >= report.limit && tone.db >= TONE_DB && (0.98 * band[0]..=1.02 * band[1]).contains(&at);
        let mut findings = Vec::new();
        let mut found = |score: f32, place: String, [from, to]: [usize; 2], heard: SoundEvent| {
            findings.push(Finding {
                region: Region { x: from, y: 0, width: to - from, height: rows },
                area_px: (rows * (to - from)) as f64,
                area_share: (to - from) as f64 / columns as f64,
                peak: [(from + to) / 2, rows / 2],
                severity: score / report.limit,
                place,
                what: What::Heard(heard),
            });
        };
        let all = [0, columns];
        let event = |[from, to]: [usize; 2], hz: [f64; 2], db: f32, character: SoundCharacter| SoundEvent {
            seconds: [from, to].map(|x| spectrograph.seconds(x as f64)),
            hz,
            db,
            character,
            all_the_time: [from, to] == all,
            rate: None,
        };
        if tones >= report.limit || is_tone {
            let score = if is_tone { tones.max(level) } else { tones };
            let heard = event(all, [0.99 * at, 1.01 * at], tone.db, SoundCharacter::Tone);
            found(score, format!("{at:.0} Hz, all the time"), all, heard);
        }
        if level >= report.limit && !is_tone {
            let place = format!("{:.2} to {:.2} kHz, all the time", band[0] / 1e3, band[1] / 1e3);
            let character = if loudest.db < 0.0 { SoundCharacter::Quieter } else { SoundCharacter::Louder };
            found(level, place, all, event(all, band, loudest.db, character));
        }
        if rhythm >= report.limit || strikes && report.verdict != Verdict::Pass {
            let at = steady.hz(beat.value);
            found(
                rhythm,
                format!("{at:.1} times a second"),
                all,
                event(all, [at, at], beat.db, SoundCharacter::Rhythm),
            );
        }
        let meet = |[from, to]: [f64; 2], [other, end]: [f64; 2]| from < end && other < to;
        let shows = |heard: SoundEvent| {
            let mut in_picture = seen.iter().filter_map(Finding::heard);
            in_picture.any(|other| meet(other.seconds, heard.seconds) && meet(other.hz, heard.hz))
        };
        for (score, off, character) in [(peaks, peak, SoundCharacter::Knock), (swells, swell, SoundCharacter::Noise)] {
            if score < report.limit {
                continue;
            }
            let (band, number) = (band_of(off), steady.hz(off.value) as usize);
            let when =
                loud_frames(&spectrograph.level()[number * columns..][..columns], character == SoundCharacter::Knock);
            let heard = event(when, band, off.db, character);
            // What is hot in the sound's image is reported there, with its extent.
            if shows(heard) {
                continue;
            }
            let ([low, high], [from, to]) = (band.map(|hz| hz / 1e3), heard.seconds);
            found(score, format!("{low:.2} to {high:.2} kHz, {from:.2} to {to:.2} s"), when, heard);
        }
        findings
    }
}

/// The frames in which a band exceeds half-way, in dB, between its median and its loudest frame: only the run around
/// the loudest frame, or all of them.
fn loud_frames(band: &[f32], around_loudest: bool) -> [usize; 2] {
    let mut sorted = band.to_vec();
    sorted.sort_by(f32::total_cmp);
    let half = 0.5 * (sorted[band.len() / 2] + sorted[band.len() - 1]);
    let is_loud = |x: &usize| band[*x] >= half;
    let loudest = (0..band.len()).max_by(|&a, &b| band[a].total_cmp(&band[b])).unwrap_or(0);
    let (first, last) = match around_loudest {
        true => ((0..=loudest).rev().take_while(is_loud).last(), (loudest..band.len()).take_while(is_loud).last()),
        false => ((0..band.len()).find(is_loud), (0..band.len()).rev().find(is_loud)),
    };
    [first.unwrap_or(loudest), last.unwrap_or(loudest) + 1]
}

/// What the bearing's fault frequencies show in a sound with these values.
fn striking(bearing: Bearing, usual: &Usual, values: &[f32], steady: &Steady) -> Option<Named> {
    let envelopes = steady.envelopes();
    let strange: Vec<f32> = envelopes.clone().map(|i| usual.strange(values, i)).collect();
    let hz: Vec<f64> = envelopes.take(rhythm::LINES).map(|i| steady.hz(i)).collect();
    bearing.striking(&strange, &hz)
}

/// Names the bearing's part in a rhythm: the fault frequency, or the hum of the shaft if that is anomalous.
fn name_rhythm(finding: &mut Finding, bearing: Bearing, striking: Option<Named>, hums: bool) {
    let What::Heard(heard) = &mut finding.what else { return };
    if heard.character != SoundCharacter::Rhythm {
        return;
    }
    if let Some(named) = striking {
        (heard.hz, heard.rate) = ([named.hz; 2], Some(named.rate));
        finding.place = format!("{:.1} times a second: {named}", named.hz);
    } else if let Some(named) = bearing.turning(heard.hz[0], rhythm::REACH).filter(|_| hums) {
        heard.rate = Some(named.rate);
        finding.place = format!("{}: {named}", finding.place);
    }
}

/// Decibels above the baseline from which a tone explains its louder band.
const TONE_DB: f32 = 10.0;

/// Describes the sound at a finding in its image.
fn describe(finding: &mut Finding, spectrograph: &Spectrograph, heatmap: &Heatmap, frame: &Frame) {
    let Region { x, y, width, height } = finding.region;
    let seconds = [x, x + width].map(|x| spectrograph.seconds(x as f64));
    let hz = [y + height, y].map(|y| spectrograph.hz(y as f64));
    let [columns, rows] = [frame.width(), frame.height()];
    // Only the hot patches: the box around them holds more.
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
    // Noise alone deviates from its median by some decibels in both directions.
    let db = if most >= 0.5 * -least { most } else { least };
    let character = match (seconds[1] - seconds[0], hz[1] - hz[0]) {
        _ if db < 0.0 => SoundCharacter::Gap,
        (short, _) if short < KNOCK_SECONDS => SoundCharacter::Knock,
        (_, narrow) if narrow < TONE_SHARE * hz[1] => SoundCharacter::Tone,
        _ => SoundCharacter::Noise,
    };
    let [low, high] = hz.map(|hz| hz / 1e3);
    finding.place = format!("{low:.2} to {high:.2} kHz, {:.2} to {:.2} s", seconds[0], seconds[1]);
    let all_the_time = x == 0 && width == columns;
    finding.what = What::Heard(SoundEvent { seconds, hz, db, character, all_the_time, rate: None });
}

/// A shorter sound is a knock.
const KNOCK_SECONDS: f64 = 0.3;
/// A sound with a narrower band, as a share of its upper end, is a tone.
const TONE_SHARE: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knock_is_where_its_band_is_loudest_and_what_swells_from_first_to_last() {
        let mut band = vec![0.0; 40];
        (3..5).for_each(|x| band[x] = 6.0);
        (20..24).for_each(|x| band[x] = 10.0);
        (30..32).for_each(|x| band[x] = 8.0);
        assert_eq!(loud_frames(&band, true), [20, 24]);
        assert_eq!(loud_frames(&band, false), [3, 32]);
        assert_eq!(loud_frames(&[0.0], true), [0, 1]);
    }
}
