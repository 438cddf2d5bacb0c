//! What the good samples of each sense were like, and why a sample that is not like them cannot be judged.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::prepare::clip::Filmed;
use crate::prepare::listen;
use crate::prepare::quality::Quality;
use crate::sample::Sound;

/// Ranges seen among the good pictures, `[least, greatest]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Columns.
    pub width: [usize; 2],
    /// Rows.
    pub height: [usize; 2],
    /// Mean brightness, 0 to 255.
    pub brightness: [f32; 2],
    /// Standard deviation of brightness.
    pub contrast: [f32; 2],
    /// See `prepare::quality`.
    pub sharpness: [f32; 2],
    /// Share of pixels at the black end.
    pub black: [f32; 2],
    /// Share of pixels at the white end.
    pub white: [f32; 2],
}

impl Envelope {
    /// The ranges of some pictures, of each its light and focus and its `[width, height]`.
    pub fn of(pictures: impl Iterator<Item = (Quality, [usize; 2])> + Clone) -> Self {
        let span = |of: &dyn Fn(&Quality) -> f32| {
            let values = || pictures.clone().map(|(quality, _)| of(&quality));
            [values().fold(f32::MAX, f32::min), values().fold(f32::MIN, f32::max)]
        };
        let side = |i: usize| {
            let sides = || pictures.clone().map(|(_, size)| size[i]);
            [sides().min().unwrap_or(0), sides().max().unwrap_or(0)]
        };
        Self {
            width: side(0),
            height: side(1),
            brightness: span(&|q| q.brightness),
            contrast: span(&|q| q.contrast),
            sharpness: span(&|q| q.sharpness),
            black: span(&|q| q.black),
            white: span(&|q| q.white),
        }
    }

    /// The ranges of both.
    pub fn joined(self, other: Self) -> Self {
        let span = |a: [f32; 2], b: [f32; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        let side = |a: [usize; 2], b: [usize; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        Self {
            width: side(self.width, other.width),
            height: side(self.height, other.height),
            brightness: span(self.brightness, other.brightness),
            contrast: span(self.contrast, other.contrast),
            sharpness: span(self.sharpness, other.sharpness),
            black: span(self.black, other.black),
            white: span(self.white, other.white),
        }
    }

    /// What is wrong with a range, as a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        for (field, [least, most]) in [("width", self.width), ("height", self.height)] {
            if least == 0 || least > most || most > 1 << 24 {
                return Err(format!("`picture.{field}` must be [least, greatest] from 1 on, got [{least}, {most}]"));
            }
        }
        let measures = [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("sharpness", self.sharpness),
            ("black", self.black),
            ("white", self.white),
        ];
        for (field, [least, most]) in measures {
            if !(least.is_finite() && most.is_finite() && least <= most) {
                return Err(format!("`picture.{field}` must be [least, greatest], got [{least}, {most}]"));
            }
        }
        Ok(())
    }
}

/// How loud and how whole one sound is, whatever is heard in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loudness {
    /// How long it lasts.
    pub seconds: f64,
    /// Level of its loudest channel, in dBFS.
    pub rms_dbfs: f64,
    /// Share of samples that are clipped, 0 to 1, of the worst channel, as the next two.
    pub clipped: f64,
    /// Share of the time in which there is no sound at all, 0 to 1.
    pub silent: f64,
    /// Share of samples within dropouts, 0 to 1.
    pub dropped: f64,
}

impl Loudness {
    /// Measures a sound.
    ///
    /// # Errors
    /// As [`listen::measure`].
    pub fn of(sound: &Sound) -> Result<Self> {
        let mut found = Self {
            seconds: sound.duration().as_secs_f64(),
            rms_dbfs: f64::MIN,
            clipped: 0.0,
            silent: 0.0,
            dropped: 0.0,
        };
        for channel in 0..sound.channels() {
            let samples: Vec<f32> = sound.samples().iter().skip(channel).step_by(sound.channels()).copied().collect();
            let hearing = listen::measure(&samples, sound.rate())?;
            found.rms_dbfs = found.rms_dbfs.max(hearing.rms_dbfs);
            found.clipped = found.clipped.max(hearing.clipped);
            found.silent = found.silent.max(hearing.silent);
            found.dropped = found.dropped.max(hearing.dropped);
        }
        Ok(found)
    }
}

/// Ranges heard among the good sounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audible {
    /// How long they last, `[least, greatest]`.
    pub seconds: [f64; 2],
    /// Their level in dBFS, `[least, greatest]`.
    pub rms_dbfs: [f64; 2],
    /// The greatest shares: clipped, silent, dropped.
    pub spoilt: [f64; 3],
    /// Samples, at the encoder's rate, of which is told what a sound is like as a whole; 0 where it is not.
    pub steady_samples: usize,
}

impl Audible {
    /// The ranges of some sounds; `None` of none.
    pub fn of(heard: &[Loudness]) -> Option<Self> {
        let one = |heard: &Loudness| Self {
            seconds: [heard.seconds; 2],
            rms_dbfs: [heard.rms_dbfs; 2],
            spoilt: [heard.clipped, heard.silent, heard.dropped],
            steady_samples: 0,
        };
        heard.iter().map(one).reduce(Self::joined)
    }

    /// The ranges of both.
    pub fn joined(self, other: Self) -> Self {
        let span = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        let [mine, its] = [self.spoilt, other.spoilt];
        Self {
            seconds: span(self.seconds, other.seconds),
            rms_dbfs: span(self.rms_dbfs, other.rms_dbfs),
            spoilt: [mine[0].max(its[0]), mine[1].max(its[1]), mine[2].max(its[2])],
            steady_samples: self.steady_samples,
        }
    }

    pub(super) fn is_finite(&self) -> bool {
        [&self.seconds[..], &self.rms_dbfs, &self.spoilt].concat().iter().all(|number| number.is_finite())
    }

    /// Why a sound cannot be judged, if so: it has another length, is not there, far too quiet, or spoilt.
    pub fn deaf(&self, heard: Loudness) -> Option<String> {
        if let Some(reason) = wrong_length(heard.seconds, self.seconds) {
            return Some(reason);
        }
        let shares = [heard.clipped, heard.silent, heard.dropped];
        let names = ["clipped", "silent", "dropped out"];
        for ((share, taught), name) in shares.into_iter().zip(self.spoilt).zip(names) {
            if share > LEAST_SPOILT.max(2.0 * taught) {
                return Some(format!(
                    "{name}: {:.1} % of the sound, taught at most {:.1} %",
                    100.0 * share,
                    100.0 * taught
                ));
            }
        }
        let [least, most] = self.rms_dbfs;
        let level = heard.rms_dbfs;
        // What is far too loud is heard, and told.
        (level < least - LEVEL_MARGIN).then(|| format!("too quiet: {level:.0} dBFS, taught {least:.0} to {most:.0}"))
    }
}

/// Ranges seen among the good clips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moving {
    /// How long they last, `[least, greatest]`.
    pub seconds: [f64; 2],
    /// Their frames in a second, `[least, greatest]`.
    pub rate: [f64; 2],
    /// Grey levels that a pixel changes in a second, the mean over the whole clip, `[least, greatest]`.
    pub motion: [f32; 2],
}

impl Moving {
    /// The ranges of some clips; `None` of none.
    pub fn of(filmed: &[Filmed]) -> Option<Self> {
        let one = |of: &Filmed| Self { seconds: [of.seconds; 2], rate: [of.rate; 2], motion: [of.motion; 2] };
        filmed.iter().map(one).reduce(Self::joined)
    }

    /// The ranges of both.
    pub fn joined(self, other: Self) -> Self {
        let span = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        let motion = [self.motion[0].min(other.motion[0]), self.motion[1].max(other.motion[1])];
        Self { seconds: span(self.seconds, other.seconds), rate: span(self.rate, other.rate), motion }
    }

    pub(super) fn is_finite(&self) -> bool {
        let times = self.seconds.iter().chain(&self.rate).all(|number| number.is_finite());
        times && self.motion.iter().all(|number| number.is_finite())
    }

    /// Why a clip of another length cannot be judged, if so.
    pub fn wrong_length(&self, seconds: f64) -> Option<String> {
        wrong_length(seconds, self.seconds)
    }

    /// Why a clip cannot be judged, if so: it has another length or far fewer frames, or nothing moves at all.
    pub fn still(&self, filmed: Filmed) -> Option<String> {
        if let Some(reason) = self.wrong_length(filmed.seconds) {
            return Some(reason);
        }
        let [least, most] = self.rate;
        if 2.0 * filmed.rate < least {
            let taught = if most - least < 0.05 { format!("{least:.1}") } else { format!("{least:.1} to {most:.1}") };
            return Some(format!("too few frames: {:.1} a second, taught with {taught}", filmed.rate));
        }
        let least = self.motion[0];
        // A machine that stopped half-way moved; where nothing does it was not switched on, or is not what is filmed.
        (filmed.motion < STILL * least)
            .then(|| format!("nothing moves: {:.2} grey levels a second, taught at least {least:.2}", filmed.motion))
    }
}

/// Why a sound or a clip of another length than was taught cannot be judged, if so.
fn wrong_length(seconds: f64, [least, most]: [f64; 2]) -> Option<String> {
    let fits = 4.0 * seconds >= 3.0 * least && 3.0 * seconds <= 4.0 * most;
    (!fits).then(|| {
        let taught = if most - least < 0.005 { format!("{least:.2}") } else { format!("{least:.2} to {most:.2}") };
        format!("wrong length: {seconds:.2} s, taught with {taught} s")
    })
}

/// Share of the least motion of a good clip under which nothing moves.
const STILL: f32 = 0.05;
/// Share of a sound that may be spoilt in any case.
const LEAST_SPOILT: f64 = 0.01;
/// Decibels under the taught levels from which on it is not the part that is heard, but a microphone that fails.
const LEVEL_MARGIN: f64 = 20.0;
