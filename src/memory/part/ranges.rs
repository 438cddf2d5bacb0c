//! Ranges of the good samples of each sense, and the reason why a sample outside of them cannot be judged.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::prepare::clip::{FASTER, Filmed};
use crate::prepare::listen;
use crate::prepare::quality::Quality;
use crate::report::{Reason, ReasonCode};
use crate::sample::Sound;

/// Ranges among the good images, `[least, greatest]`.
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
    /// Whether all of them were JPEGs, or none. `None` for a mixture, and for parts taught before this was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jpeg: Option<bool>,
}

impl Envelope {
    /// The ranges of some images, given light, focus and `[width, height]` of each. `jpeg` stays unknown.
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
            jpeg: None,
        }
    }

    /// The union of both ranges.
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
            jpeg: self.jpeg.filter(|_| self.jpeg == other.jpeg),
        }
    }

    /// Warns when the image was a JPEG and no good one was, or the other way round: it may score high for that alone.
    pub fn other_coding(&self, was_jpeg: bool) -> Option<&'static str> {
        match (self.jpeg?, was_jpeg) {
            (true, false) => Some("no JPEG, taught from JPEGs: the missing compression may raise the score"),
            (false, true) => Some("a JPEG, taught from others: its compression may raise the score"),
            _ => None,
        }
    }

    /// The first fault of a range, as a sentence.
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

/// Level and integrity of one sound, whatever it contains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loudness {
    /// Duration.
    pub seconds: f64,
    /// Level of the judged signal, the mean of all channels, in dBFS.
    pub rms_dbfs: f64,
    /// Decibels by which the loudest channel exceeds that. Large if channels cancel each other.
    pub lost_db: f64,
    /// Share of clipped samples, 0 to 1. This and the next two are of the worst channel.
    pub clipped: f64,
    /// Share of digital silence, 0 to 1. Silent channels are left out unless all are silent.
    pub silent: f64,
    /// Share of samples within dropouts, 0 to 1.
    pub dropped: f64,
    /// Number of channels.
    pub channels: usize,
    /// Number of silent channels.
    pub silent_channels: usize,
}

impl Loudness {
    /// Measures a sound.
    ///
    /// # Errors
    /// As [`listen::measure`].
    pub fn of(sound: &Sound) -> Result<Self> {
        let channels = sound.channels();
        let (mut silent, mut loudest): (Vec<f64>, f64) = (Vec::new(), f64::MIN);
        let (mut clipped, mut dropped): (f64, f64) = (0.0, 0.0);
        for channel in 0..channels {
            let samples: Vec<f32> = sound.samples().iter().skip(channel).step_by(channels).copied().collect();
            let hearing = listen::measure(&samples, sound.rate())?;
            loudest = loudest.max(hearing.rms_dbfs);
            clipped = clipped.max(hearing.clipped);
            dropped = dropped.max(hearing.dropped);
            silent.push(hearing.silent);
        }
        let silent_channels = silent.iter().filter(|share| **share >= ALL_SILENT).count();
        let live = silent.iter().copied().filter(|share| silent_channels == channels || *share < ALL_SILENT);
        let frames = sound.samples().chunks_exact(channels);
        let mixed = frames.map(|frame| frame.iter().map(|&sample| f64::from(sample)).sum::<f64>() / channels as f64);
        // The mean of the channels is judged, so a channel with inverted polarity cancels the other.
        let rms_dbfs = if channels == 1 { loudest } else { listen::level_dbfs(mixed) };
        Ok(Self {
            seconds: sound.duration().as_secs_f64(),
            rms_dbfs,
            lost_db: loudest - rms_dbfs,
            clipped,
            silent: live.fold(0.0, f64::max),
            dropped,
            channels,
            silent_channels,
        })
    }

    /// The reason why nothing can be learned from such a sound, if any: it is silent, its channels cancel each other,
    /// or it is damaged.
    pub fn unfit(&self) -> Option<String> {
        let Self { channels, lost_db, rms_dbfs, .. } = *self;
        if self.silent > MOST_SILENT {
            return Some(format!("silent: {:.0} % of the time there is no sound at all", 100.0 * self.silent));
        }
        if lost_db > CANCELLED_DB + 20.0 * (channels as f64).log10() {
            return Some(format!(
                "its {channels} channels cancel each other: their mean, which is what is judged, is at {rms_dbfs:.0} dBFS, the \
                 loudest of them {lost_db:.0} dB above: one is wired the wrong way round, or record one channel"
            ));
        }
        let spoilt = [(self.clipped, "clipped"), (self.dropped, "dropped out")];
        let (share, name) = spoilt.into_iter().find(|(share, _)| *share > MOST_SPOILT)?;
        Some(format!("{name}: {:.1} % of the sound, of a good one at most {:.0} %", 100.0 * share, 100.0 * MOST_SPOILT))
    }
}

/// Ranges among the good sounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audible {
    /// Duration, `[least, greatest]`.
    pub seconds: [f64; 2],
    /// Level in dBFS, `[least, greatest]`.
    pub rms_dbfs: [f64; 2],
    /// Greatest shares: clipped, silent, dropped.
    pub spoilt: [f64; 3],
    /// Most silent channels; `None` for parts taught before this was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_channels: Option<usize>,
    /// Length in samples, at the encoder's rate, over which the stationary features are measured; 0 if they are not.
    pub steady_samples: usize,
}

impl Audible {
    /// The ranges of some sounds; `None` if there are none.
    pub fn of(heard: &[Loudness]) -> Option<Self> {
        let one = |heard: &Loudness| Self {
            seconds: [heard.seconds; 2],
            rms_dbfs: [heard.rms_dbfs; 2],
            spoilt: [heard.clipped, heard.silent, heard.dropped],
            silent_channels: Some(heard.silent_channels),
            steady_samples: 0,
        };
        heard.iter().map(one).reduce(Self::joined)
    }

    /// The union of both ranges.
    pub fn joined(self, other: Self) -> Self {
        let span = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        let [mine, its] = [self.spoilt, other.spoilt];
        Self {
            seconds: span(self.seconds, other.seconds),
            rms_dbfs: span(self.rms_dbfs, other.rms_dbfs),
            spoilt: [mine[0].max(its[0]), mine[1].max(its[1]), mine[2].max(its[2])],
            silent_channels: self.silent_channels.max(other.silent_channels),
            steady_samples: self.steady_samples,
        }
    }

    pub(super) fn is_finite(&self) -> bool {
        [&self.seconds[..], &self.rms_dbfs, &self.spoilt].concat().iter().all(|number| number.is_finite())
    }

    /// The reason why a sound cannot be judged, if any: wrong length, silent, far too quiet, or damaged.
    pub fn deaf(&self, heard: Loudness) -> Option<Reason> {
        if let Some(reason) = wrong_length(heard.seconds, self.seconds) {
            return Some(reason);
        }
        let (silent, taught) = (heard.silent_channels, self.silent_channels.unwrap_or(0));
        let knows = self.silent_channels.is_some() || self.spoilt[1] < ALL_SILENT;
        if silent > taught && silent < heard.channels && knows {
            let of = heard.channels;
            let text = format!("silent: {silent} of {of} channels, taught with {taught}");
            return Some(Reason::new(ReasonCode::Silent, text));
        }
        let shares = [heard.clipped, heard.silent, heard.dropped];
        let kinds =
            [(ReasonCode::Clipped, "clipped"), (ReasonCode::Silent, "silent"), (ReasonCode::Dropout, "dropped out")];
        for ((share, taught), (code, name)) in shares.into_iter().zip(self.spoilt).zip(kinds) {
            if share > LEAST_SPOILT.max(2.0 * taught) {
                let (share, taught) = (100.0 * share, 100.0 * taught);
                return Some(Reason::new(
                    code,
                    format!("{name}: {share:.1} % of the sound, taught at most {taught:.1} %"),
                ));
            }
        }
        let [least, most] = self.rms_dbfs;
        let level = heard.rms_dbfs;
        // A sound that is far too loud is judged all the same, with a notice.
        (level < least - LEVEL_MARGIN).then(|| {
            Reason::new(ReasonCode::TooQuiet, format!("too quiet: {level:.0} dBFS, taught {least:.0} to {most:.0}"))
        })
    }
}

/// Ranges among the good clips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moving {
    /// Duration, `[least, greatest]`.
    pub seconds: [f64; 2],
    /// Frames per second, `[least, greatest]`.
    pub rate: [f64; 2],
    /// Change of a pixel in grey levels per second, averaged over the whole clip, `[least, greatest]`.
    pub motion: [f32; 2],
}

impl Moving {
    /// The ranges of some clips; `None` if there are none.
    pub fn of(filmed: &[Filmed]) -> Option<Self> {
        let one = |of: &Filmed| Self { seconds: [of.seconds; 2], rate: [of.rate; 2], motion: [of.motion; 2] };
        filmed.iter().map(one).reduce(Self::joined)
    }

    /// The union of both ranges.
    pub fn joined(self, other: Self) -> Self {
        let span = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        let motion = [self.motion[0].min(other.motion[0]), self.motion[1].max(other.motion[1])];
        Self { seconds: span(self.seconds, other.seconds), rate: span(self.rate, other.rate), motion }
    }

    pub(super) fn is_finite(&self) -> bool {
        let times = self.seconds.iter().chain(&self.rate).all(|number| number.is_finite());
        times && self.motion.iter().all(|number| number.is_finite())
    }

    /// Whether their frame rates differ too much to compare them frame by frame.
    pub fn is_of_several_rates(&self) -> bool {
        self.rate[1] >= FASTER * self.rate[0]
    }

    /// The reason why a clip of another length cannot be judged, if any.
    pub fn wrong_length(&self, seconds: f64) -> Option<Reason> {
        wrong_length(seconds, self.seconds)
    }

    /// The reason why a clip cannot be judged, if any: wrong length, far too few frames, or no motion.
    pub fn still(&self, filmed: Filmed) -> Option<Reason> {
        if let Some(reason) = self.wrong_length(filmed.seconds) {
            return Some(reason);
        }
        let [least, most] = self.rate;
        if 2.0 * filmed.rate < least {
            let taught = if most - least < 0.05 { format!("{least:.1}") } else { format!("{least:.1} to {most:.1}") };
            let text = format!("too few frames: {:.1} a second, taught with {taught}", filmed.rate);
            return Some(Reason::new(ReasonCode::TooFewFrames, text));
        }
        let least = self.motion[0];
        // A machine that stopped half-way did move. If nothing moves, it was not switched on, or the camera shows
        // something else.
        (filmed.motion < STILL * least).then(|| {
            let motion = filmed.motion;
            let text = format!("nothing moves: {motion:.2} grey levels a second, taught at least {least:.2}");
            Reason::new(ReasonCode::NoMotion, text)
        })
    }
}

/// The reason why a sound or clip of another length than in training cannot be judged, if any.
fn wrong_length(seconds: f64, [least, most]: [f64; 2]) -> Option<Reason> {
    let fits = 4.0 * seconds >= 3.0 * least && 3.0 * seconds <= 4.0 * most;
    (!fits).then(|| {
        let taught = if most - least < 0.005 { format!("{least:.2}") } else { format!("{least:.2} to {most:.2}") };
        Reason::new(ReasonCode::WrongLength, format!("wrong length: {seconds:.2} s, taught with {taught} s"))
    })
}

/// Share of the least motion of a good clip below which nothing moves.
const STILL: f32 = 0.05;
/// Share of silence from which a channel counts as silent.
const ALL_SILENT: f64 = 0.99;
/// Share of silence above which nothing is learned from a sound.
const MOST_SILENT: f64 = 0.5;
/// Share of clipping or dropouts above which nothing is learned from a sound.
const MOST_SPOILT: f64 = 0.1;
/// If only one of n channels has sound, the mean loses 20 log10(n) dB. From this many decibels beyond that, the
/// channels cancel each other.
const CANCELLED_DB: f64 = 12.0;
/// Damaged share of a sound that is always allowed.
pub(crate) const LEAST_SPOILT: f64 = 0.01;
/// Decibels below the taught level from which the microphone is considered faulty.
const LEVEL_MARGIN: f64 = 20.0;
