//! A taught part, and how it is written down: `part.toml` for people, one safetensors file for the numbers.
//! How its folder changes is left to `folder`; a part of two senses is a `pair` of these.

use std::fs;
use std::path::Path;

use half::f16;
use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::folder::{self, CURRENT, Lock};
use super::golden::Golden;
use super::learned::{Blame, Distances, Judgement, Learned, Level, shown_level};
use super::motion::UsualMotion;
use super::shape::Shape;
use super::usual::Usual;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Precision, Sense, hex, wrong_at};
use crate::prepare::bearing::Bearing;
use crate::prepare::clip::{FASTER, Filmed};
use crate::prepare::fixture::Reference;
use crate::prepare::listen;
use crate::prepare::steady::GROUPS;
use crate::report::{Reason, ReasonCode};
use crate::sample::Sound;

/// Version of the format that this build reads and writes.
pub const FORMAT: u32 = 5;
/// Longest side of the encoder's input.
pub(crate) const LONGEST_INPUT: usize = 8192;
/// Side of the picture kept of each bank entry, in pixels.
pub const TILE: usize = 24;
/// Cells that it shows in each direction: a little more than its own.
pub const TILE_CELLS: f64 = 1.5;

/// What a station was taught of one part.
#[derive(Debug, Clone)]
pub struct Part {
    /// What is written in `part.toml`.
    pub card: Card,
    /// Banks and shape.
    pub learned: Learned,
    /// How distances become a p-value.
    pub judgement: Judgement,
    /// Held-out good samples.
    pub held_out: Vec<HeldOut>,
    /// The picture whose pose the part is brought into, where it is.
    pub reference: Option<Reference>,
    /// What its pixels may be, where they are compared.
    pub golden: Option<Golden>,
    /// What good sounds are like as a whole, where the part is heard.
    pub usual: Option<Usual>,
    /// How much moves where and when in good clips, where the part is filmed.
    pub motion: Option<UsualMotion>,
    /// Summaries of the good samples, `f32[n, d]`: the shape is learned anew from them when some are added.
    pub summaries: Array2<f32>,
    /// Summaries of how some of them may look another day, `f32[m, d]`, which the shape is learned from too; m may be 0.
    pub varied: Array2<f32>,
    /// What each bank entry of the level that is shown looked like, `u8[entries, TILE, TILE, 3]`.
    pub tiles: Vec<u8>,
    /// Model pixels that are not looked at, `u8[height, width]`, 0 or 1; empty when all are.
    pub ignored: Vec<u8>,
    /// sha256 of `part.toml`; empty while the part was never saved.
    pub digest: String,
}

/// A good sample that the memory had not seen when it was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HeldOut {
    /// Its distances.
    pub distances: Distances,
    /// The greatest [`Blame::heat`] of a cell.
    pub heat: f32,
    /// The greatest deviation of a cell's pixels; nought where they are not compared.
    pub deviation: f32,
}

/// The readable side of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Version of this format.
    pub format: u32,
    /// The part's name.
    pub name: String,
    /// How the part is looked at.
    pub kind: Kind,
    /// Good pictures it was taught from.
    pub good: usize,
    /// Share of good parts that may be rejected: the promise.
    pub overkill: f64,
    /// Heat 1 stands for this [`Blame::heat`].
    pub heat_limit: f32,
    /// What counts beside a cell's own distance.
    pub blame: Blame,
    /// Heat 1 stands for this deviation of a cell's pixels, where they are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation_limit: Option<f32>,
    /// Correlation with the reference under which a picture does not show this part, where it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_correlation: Option<f32>,
    /// Strides of the encoder's maps that memory keeps, finest first: a bank each.
    pub strides: Vec<usize>,
    /// The encoder that made the numbers; another one's features mean something else.
    pub model: ModelRef,
    /// What a picture must be like to be judged.
    pub picture: Envelope,
    /// What a sound must be like to be judged, where the part is heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Audible>,
    /// What a clip must be like to be judged, where the part is filmed; `picture` is then of its frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Moving>,
    /// The bearing that is heard, where it is known: what beats at one of its rates is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearing: Option<Bearing>,
    /// The file with the numbers.
    pub memory: MemoryRef,
}

/// How a part is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A surface or loose parts: any place may look like any place of a good part.
    Texture,
    /// A part that lies about where it was taught: memory knows the place of what it saw in the picture.
    Framed,
    /// A part with a fixed layout: found in the picture by shift, turn and scale, and memory knows the place.
    Aligned,
    /// An aligned part whose every pixel is known: compared with the good pictures pixel by pixel as well.
    Golden,
    /// A sound, by the picture of its spectrogram: any time may sound like any time of a good part, each band like
    /// itself.
    Sound,
    /// A clip of a motion, by the picture of its steps: each place looks at each time as it does in good parts.
    Clip,
}

impl Kind {
    /// The word in `part.toml` and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Texture => "texture",
            Self::Framed => "framed",
            Self::Aligned => "aligned",
            Self::Golden => "golden",
            Self::Sound => "sound",
            Self::Clip => "clip",
        }
    }

    /// Numbers by which memory knows the place of a cell: none, its row, or its row and column.
    pub const fn places(self) -> usize {
        match self {
            Self::Texture => 0,
            Self::Sound => 1,
            Self::Framed | Self::Aligned | Self::Golden | Self::Clip => 2,
        }
    }

    /// The sense that it is judged by.
    pub const fn sense(self) -> Sense {
        match self {
            Self::Sound => Sense::Sound,
            Self::Clip => Sense::Clip,
            Self::Texture | Self::Framed | Self::Aligned | Self::Golden => Sense::Image,
        }
    }

    /// Whether the part is found in the picture first.
    pub const fn is_registered(self) -> bool {
        matches!(self, Self::Aligned | Self::Golden)
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let kinds = [Self::Texture, Self::Framed, Self::Aligned, Self::Golden];
        let known = kinds.into_iter().find(|kind| kind.as_str() == word);
        known.ok_or_else(|| format!("wants texture, framed, aligned or golden, got `{word}`"))
    }
}

/// An encoder by name and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRef {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// sha256 of the package's manifest.
    pub digest: String,
    /// Precision of the encoder.
    pub precision: Precision,
    /// Height and width of the encoder's input.
    pub input: [usize; 2],
}

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
    /// Whether all of them were JPEGs, or none; not known where some were, nor of parts that were taught before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jpeg: Option<bool>,
}

impl Envelope {
    /// Why a picture may be strange for how it was coded, if so: it was a JPEG and no good one was, or the other way round.
    pub fn other_coding(&self, was_jpeg: bool) -> Option<&'static str> {
        match (self.jpeg?, was_jpeg) {
            (true, false) => Some("no JPEG, taught from JPEGs: what these leave out may be what is strange"),
            (false, true) => Some("a JPEG, taught from others: what a JPEG leaves out may be what is strange"),
            _ => None,
        }
    }

    /// What is wrong with a range, as a sentence.
    fn check(&self) -> Result<(), String> {
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
    /// Level of what is judged, the mean of all channels, in dBFS.
    pub rms_dbfs: f64,
    /// Decibels by which its loudest channel is above that: many, where channels cancel each other.
    pub lost_db: f64,
    /// Share of samples that are clipped, 0 to 1, of the worst channel, as the next two.
    pub clipped: f64,
    /// Share of the time in which there is no sound at all, 0 to 1; channels without any are not looked at, unless all are so.
    pub silent: f64,
    /// Share of samples within dropouts, 0 to 1.
    pub dropped: f64,
    /// Channels.
    pub channels: usize,
    /// Channels without any sound.
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
        // What is judged is their mean: a channel that is wired the wrong way round takes the other away.
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

    /// Why nothing can be learned from such a sound, if so: there is none, its channels cancel each other, or it is spoilt.
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
    /// The most channels without any sound; not known of parts that were taught before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_channels: Option<usize>,
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
            silent_channels: Some(heard.silent_channels),
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
            silent_channels: self.silent_channels.max(other.silent_channels),
            steady_samples: self.steady_samples,
        }
    }

    /// Why a sound cannot be judged, if so: it has another length, is not there, far too quiet, or spoilt.
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
        // What is far too loud is heard, and told.
        (level < least - LEVEL_MARGIN).then(|| {
            Reason::new(ReasonCode::TooQuiet, format!("too quiet: {level:.0} dBFS, taught {least:.0} to {most:.0}"))
        })
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

    /// Whether they were filmed at rates of which one is not to be compared with another frame by frame.
    pub fn is_of_several_rates(&self) -> bool {
        self.rate[1] >= FASTER * self.rate[0]
    }

    /// Why a clip of another length cannot be judged, if so.
    pub fn wrong_length(&self, seconds: f64) -> Option<Reason> {
        wrong_length(seconds, self.seconds)
    }

    /// Why a clip cannot be judged, if so: it has another length or far fewer frames, or nothing moves at all.
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
        // A machine that stopped half-way moved; where nothing does it was not switched on, or is not what is filmed.
        (filmed.motion < STILL * least).then(|| {
            let motion = filmed.motion;
            let text = format!("nothing moves: {motion:.2} grey levels a second, taught at least {least:.2}");
            Reason::new(ReasonCode::NoMotion, text)
        })
    }
}

/// Why a sound or a clip of another length than was taught cannot be judged, if so.
fn wrong_length(seconds: f64, [least, most]: [f64; 2]) -> Option<Reason> {
    let fits = 4.0 * seconds >= 3.0 * least && 3.0 * seconds <= 4.0 * most;
    (!fits).then(|| {
        let taught = if most - least < 0.005 { format!("{least:.2}") } else { format!("{least:.2} to {most:.2}") };
        Reason::new(ReasonCode::WrongLength, format!("wrong length: {seconds:.2} s, taught with {taught} s"))
    })
}

/// Share of the least motion of a good clip under which nothing moves.
const STILL: f32 = 0.05;
/// Share of silence from which on a channel has no sound.
const ALL_SILENT: f64 = 0.99;
/// Share of silence over which nothing is learned from a sound.
const MOST_SILENT: f64 = 0.5;
/// Share over which nothing is learned from a sound that is clipped, or drops out.
const MOST_SPOILT: f64 = 0.1;
/// Decibels that channels of which one alone has sound lose are twenty times the logarithm of their number; over so many more they
/// cancel each other.
const CANCELLED_DB: f64 = 12.0;
/// Share of a sound that may be spoilt in any case.
pub(crate) const LEAST_SPOILT: f64 = 0.01;
/// Decibels under the taught levels from which on it is not the part that is heard, but a microphone that fails.
const LEVEL_MARGIN: f64 = 20.0;

/// The file with the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRef {
    /// Its name, beside `part.toml`.
    pub file: String,
    /// Its sha256.
    pub sha256: String,
}

impl Part {
    /// Reads the part in folder `dir`.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is none, [`ErrorKind::Integrity`] when the numbers are not those
    /// that `part.toml` promises, [`ErrorKind::Config`] naming the field that is wrong.
    pub fn load(dir: &Path) -> Result<Self> {
        let (path, text) = folder::read(dir)?;
        let card = parse(&path, &text)?;
        let numbers = dir.join(&card.memory.file);
        let bytes = fs::read(&numbers).map_err(|error| Error::io("read", &numbers, error))?;
        let found = hex(&Sha256::digest(&bytes));
        if found != card.memory.sha256 {
            let expected = &card.memory.sha256;
            let what = format!("{}: sha256 is {found}, {CURRENT} promises {expected}", numbers.display());
            return Err(Error::new(ErrorKind::Integrity, what));
        }
        let digest = hex(&Sha256::digest(text.as_bytes()));
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", numbers.display()));
        decode(card, &bytes, digest).map_err(wrong)
    }

    /// Writes the part to the folder that is locked and makes it the current one; the one before stays as one step back.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be written; the old part is then untouched.
    pub fn save(&mut self, lock: &Lock) -> Result<()> {
        let bytes = self.encode()?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let file = format!("memory-{}.safetensors", &sha256[..12]);
        self.card.memory = MemoryRef { file: file.clone(), sha256 };
        let written = toml::to_string(&self.card)
            .map_err(|error| Error::caused(ErrorKind::Config, format!("cannot write {CURRENT}"), error))?;
        let text = format!("# A part taught to eyear. The numbers are in the file named under [memory].\n{written}");
        folder::replace(lock, Some((&file, &bytes)), &text)?;
        self.digest = hex(&Sha256::digest(text.as_bytes()));
        Ok(())
    }

    /// The numbers as a safetensors file.
    fn encode(&self) -> Result<Vec<u8>> {
        let shape = &self.learned.shape;
        let numbers = |h: &HeldOut| {
            let pixels = h.distances.pixels.map(|pixels| [pixels, h.deviation]);
            let always = [h.distances.local, h.distances.global, h.heat];
            let more = pixels.into_iter().flatten().chain(h.distances.steady.into_iter().flatten());
            always.into_iter().chain(more).collect::<Vec<f32>>()
        };
        let held_out: Vec<f32> = self.held_out.iter().flat_map(numbers).collect();
        let columns = held_out.len() / self.held_out.len().max(1);
        let table =
            |name: &str, of: &Array2<f32>| (name.to_string(), vec![of.nrows(), of.ncols()], bytes_of(of.iter()));
        let mut floats = vec![
            ("shape.tameness".to_string(), vec![shape.mean.len()], bytes_of(shape.tameness.iter())),
            ("shape.mean".to_string(), vec![shape.mean.len()], bytes_of(shape.mean.iter())),
            ("shape.inverse_deviation".to_string(), vec![shape.mean.len()], bytes_of(shape.inverse_deviation.iter())),
            table("shape.axes", &shape.axes),
            ("shape.excess".to_string(), vec![shape.excess.len()], bytes_of(shape.excess.iter())),
            ("shape.ball".to_string(), vec![1], bytes_of([shape.ball].iter())),
            table("summaries", &self.summaries),
            table("varied", &self.varied),
            ("held_out".to_string(), vec![self.held_out.len(), columns], bytes_of(held_out.iter())),
        ];
        if let Some(Usual { count, mean, squares, together, .. }) = &self.usual {
            floats.push(("usual.count".to_string(), vec![1], bytes_of([*count as f32].iter())));
            floats.push(("usual.mean".to_string(), vec![mean.len()], bytes_of(mean.iter())));
            floats.push(("usual.squares".to_string(), vec![squares.len()], bytes_of(squares.iter())));
            let shape = vec![*count, together.len() / (*count).max(1)];
            floats.push(("usual.together".to_string(), shape, bytes_of(together.iter())));
        }
        if let Some(UsualMotion { count, mean, most, stills }) = &self.motion {
            floats.push(("motion.count".to_string(), vec![1], bytes_of([*count as f32].iter())));
            floats.push(("motion.mean".to_string(), vec![mean.len()], bytes_of(mean.iter())));
            floats.push(("motion.most".to_string(), vec![most.len()], bytes_of(most.iter())));
            floats.push(("motion.stills".to_string(), vec![stills.len()], bytes_of(stills.iter())));
        }
        let mut seen_at = Vec::new();
        for Level { stride, weights, bank, seen_at: entries, unit, .. } in &self.learned.levels {
            let of = |what: &str| format!("stride{stride}.{what}");
            floats.push((of("weights"), weights.shape().to_vec(), bytes_of(weights.iter())));
            floats.push((of("bank"), bank.shape().to_vec(), bytes_of(bank.iter())));
            floats.push((of("unit"), vec![1], bytes_of([*unit].iter())));
            let bytes: Vec<u8> = entries.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
            seen_at.push((of("seen_at"), vec![entries.len(), 2], bytes));
        }
        let failed = |error: safetensors::SafeTensorError| {
            Error::caused(ErrorKind::Config, "cannot write the part's numbers", error)
        };
        let mut views = Vec::new();
        for (name, shape, bytes) in &floats {
            views.push((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?));
        }
        for (name, shape, bytes) in &seen_at {
            views.push((name, TensorView::new(Dtype::U32, shape.clone(), bytes).map_err(failed)?));
        }
        let tiles = TensorView::new(Dtype::U8, vec![self.tiles.len() / (TILE * TILE * 3), TILE, TILE, 3], &self.tiles);
        views.push(("tiles", tiles.map_err(failed)?));
        views.push(("ignored", TensorView::new(Dtype::U8, vec![self.ignored.len()], &self.ignored).map_err(failed)?));
        if let Some(Reference { pixels, width, height }) = &self.reference {
            views.push(("reference", TensorView::new(Dtype::U8, vec![*height, *width], pixels).map_err(failed)?));
        }
        let halves = |values: &[f16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let band = self.golden.as_ref().map(|golden| [halves(&golden.low), halves(&golden.high)]);
        if let (Some(golden), Some([low, high])) = (&self.golden, &band) {
            let shape = vec![golden.height, golden.width];
            views.push(("golden.low", TensorView::new(Dtype::F16, shape.clone(), low).map_err(failed)?));
            views.push(("golden.high", TensorView::new(Dtype::F16, shape, high).map_err(failed)?));
        }
        safetensors::serialize(views, None).map_err(failed)
    }
}

fn parse(path: &Path, text: &str) -> Result<Card> {
    let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", path.display()));
    let card: Card = toml::from_str(text).map_err(|error| wrong(wrong_at(text, &error)))?;
    if card.format != FORMAT {
        return Err(wrong(format!("`format` is {}, this build reads {FORMAT}: teach the part again", card.format)));
    }
    if !(card.overkill > 0.0 && card.overkill < 1.0) {
        return Err(wrong(format!("`overkill` must be between 0 and 1, got {}", card.overkill)));
    }
    if !(card.heat_limit > 0.0 && card.heat_limit.is_finite()) {
        return Err(wrong(format!("`heat_limit` must be positive, got {}", card.heat_limit)));
    }
    if !(card.blame.weight >= 0.0 && card.blame.weight.is_finite()) {
        return Err(wrong(format!("`blame.weight` must not be negative, got {}", card.blame.weight)));
    }
    if !(card.blame.scale > 0.0 && card.blame.scale.is_finite()) {
        return Err(wrong(format!("`blame.scale` must be positive, got {}", card.blame.scale)));
    }
    if card.deviation_limit.is_some_and(|limit| !(limit > 0.0 && limit.is_finite())) {
        return Err(wrong(format!("`deviation_limit` must be positive, got {:?}", card.deviation_limit)));
    }
    if card.least_correlation.is_some_and(|least| !least.is_finite()) {
        return Err(wrong(format!("`least_correlation` must be finite, got {:?}", card.least_correlation)));
    }
    if card.model.input.iter().any(|side| !(1..=LONGEST_INPUT).contains(side)) {
        let input = card.model.input;
        return Err(wrong(format!("`model.input` must have sides of 1 to {LONGEST_INPUT} pixels, got {input:?}")));
    }
    if card.strides.is_empty() || !card.strides.is_sorted_by(|a, b| a < b) {
        return Err(wrong(format!("`strides` must be one or more, growing, got {:?}", card.strides)));
    }
    card.picture.check().map_err(wrong)?;
    if (card.kind == Kind::Sound) != card.sound.is_some() {
        return Err(wrong("`sound` belongs to a part of `kind` sound, and to no other".into()));
    }
    if (card.kind == Kind::Clip) != card.clip.is_some() {
        return Err(wrong("`clip` belongs to a part of `kind` clip, and to no other".into()));
    }
    if card.bearing.is_some() && card.kind != Kind::Sound {
        return Err(wrong("`bearing` belongs to a part of `kind` sound, and to no other".into()));
    }
    if let Some(told) = card.bearing.and_then(|bearing| bearing.check().err()) {
        return Err(wrong(format!("`bearing`: {told}")));
    }
    let finite = |sound: &Audible| {
        let numbers = [&sound.seconds[..], &sound.rms_dbfs, &sound.spoilt];
        numbers.concat().iter().all(|number| number.is_finite())
    };
    if !card.sound.as_ref().is_none_or(finite) {
        return Err(wrong(format!("`sound` must hold finite numbers, got {:?}", card.sound)));
    }
    let finite = |clip: &Moving| {
        let times = clip.seconds.iter().chain(&clip.rate).all(|number| number.is_finite());
        times && clip.motion.iter().all(|number| number.is_finite())
    };
    if !card.clip.as_ref().is_none_or(finite) {
        return Err(wrong(format!("`clip` must hold finite numbers, got {:?}", card.clip)));
    }
    if !folder::is_plain(&card.memory.file) {
        return Err(wrong(format!("`memory.file` must be a plain file name, got `{}`", card.memory.file)));
    }
    Ok(card)
}

fn decode(card: Card, bytes: &[u8], digest: String) -> Result<Part, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not a safetensors file: {error}"))?;
    let raw = |name: &str, dtype: Dtype| {
        let view = file.tensor(name).map_err(|_| format!("no tensor `{name}`"))?;
        match view.dtype() == dtype {
            true => Ok(view),
            false => Err(format!("`{name}` wants {dtype:?}, got {:?}", view.dtype())),
        }
    };
    let floats = |name: &str| -> Result<(Vec<f32>, Vec<usize>), String> {
        let view = raw(name, Dtype::F32)?;
        let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        match values.iter().all(|v| v.is_finite()) {
            true => Ok((values, view.shape().to_vec())),
            false => Err(format!("`{name}` holds numbers that are not finite")),
        }
    };
    let line = |name: &str, len: Option<usize>| -> Result<Array1<f32>, String> {
        let (values, shape) = floats(name)?;
        match len.is_none_or(|len| shape == [len]) {
            true => Ok(Array1::from(values)),
            false => Err(format!("`{name}` wants f32[{}], got {shape:?}", len.unwrap_or_default())),
        }
    };
    let table = |name: &str, columns: Option<usize>| -> Result<Array2<f32>, String> {
        let (values, shape) = floats(name)?;
        let [rows, found] = shape[..] else { return Err(format!("`{name}` wants f32[n, m], got {shape:?}")) };
        match columns.is_none_or(|columns| columns == found) {
            true => Array2::from_shape_vec((rows, found), values).map_err(|error| format!("`{name}`: {error}")),
            false => Err(format!("`{name}` wants f32[n, {}], got {shape:?}", columns.unwrap_or_default())),
        }
    };
    let filled = |name: &str, len: usize| if len > 0 { Ok(()) } else { Err(format!("`{name}` is empty")) };
    let places = card.kind.places();
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
    let mut levels = Vec::new();
    for &stride in &card.strides {
        let of = |what: &str| format!("stride{stride}.{what}");
        let weights = table(&of("weights"), None)?;
        let bank = table(&of("bank"), Some(places + weights.ncols()))?;
        filled(&of("weights"), weights.len())?;
        filled(&of("bank"), bank.len())?;
        let unit = line(&of("unit"), Some(1))?[0];
        if unit <= 0.0 {
            return Err(format!("`{}` must be positive, got {unit}", of("unit")));
        }
        let seen_at = raw(&of("seen_at"), Dtype::U32)?;
        let pairs = seen_at.data().as_chunks::<8>().0.iter();
        let seen_at: Vec<[u32; 2]> = pairs.map(|pair| [word(&pair[..4]), word(&pair[4..])]).collect();
        if seen_at.len() != bank.nrows() {
            return Err(format!("`{}` must have one row for each of {} bank entries", of("seen_at"), bank.nrows()));
        }
        levels.push(Level::new(stride, weights, (bank, seen_at), unit));
    }
    let mean = line("shape.mean", None)?;
    let d = mean.len();
    filled("shape.mean", d)?;
    let axes = table("shape.axes", Some(d))?;
    let shape = Shape {
        tameness: line("shape.tameness", Some(d))?,
        inverse_deviation: line("shape.inverse_deviation", Some(d))?,
        excess: line("shape.excess", Some(axes.nrows()))?,
        ball: line("shape.ball", Some(1))?[0],
        mean,
        axes,
    };
    let tiles = raw("tiles", Dtype::U8)?.data().to_vec();
    let ignored = raw("ignored", Dtype::U8)?.data().to_vec();
    let [height, width] = card.model.input;
    let shown = levels[shown_level(levels.len())].bank.nrows();
    if tiles.len() != shown * TILE * TILE * 3 {
        return Err(format!("`tiles` must have one row for each of {shown} bank entries"));
    }
    if !ignored.is_empty() && ignored.len() != height * width {
        return Err(format!("`ignored` wants u8[{}], got [{}]", height * width, ignored.len()));
    }
    let golden = card.kind == Kind::Golden;
    let usual = match file.tensor("usual.mean").is_ok() && card.kind == Kind::Sound {
        true => {
            let (count, mean) = (line("usual.count", Some(1))?[0] as usize, line("usual.mean", None)?.to_vec());
            let squares = line("usual.squares", Some(mean.len()))?.to_vec();
            if count == 0 || squares.iter().any(|square| *square < 0.0) {
                return Err("`usual.count` must be positive, and no `usual.squares` negative".into());
            }
            let together = table("usual.together", None)?;
            if together.nrows() != count {
                return Err(format!("`usual.together` wants f32[{count}, n], got {:?}", together.shape()));
            }
            Some(Usual::new(count, mean, squares, together.into_raw_vec_and_offset().0))
        }
        false => None,
    };
    let motion = match card.kind {
        Kind::Clip => {
            let (count, mean) = (line("motion.count", Some(1))?[0] as usize, line("motion.mean", None)?.to_vec());
            let most = line("motion.most", Some(mean.len()))?.to_vec();
            let stills = line("motion.stills", None)?.to_vec();
            if count == 0 {
                return Err("`motion.count` must be positive".into());
            }
            Some(UsualMotion { count, mean, most, stills })
        }
        _ => None,
    };
    let steady = usual.is_some();
    let columns = if golden { 5 } else { 3 } + if steady { GROUPS.len() } else { 0 };
    let held_out: Vec<HeldOut> = table("held_out", Some(columns))?
        .rows()
        .into_iter()
        .map(|row| {
            let distances = Distances {
                local: row[0],
                global: row[1],
                pixels: golden.then(|| row[3]),
                steady: steady.then(|| std::array::from_fn(|i| row[3 + i])),
            };
            HeldOut { distances, heat: row[2], deviation: if golden { row[4] } else { 0.0 } }
        })
        .collect();
    let (summaries, varied) = (table("summaries", Some(d))?, table("varied", Some(d))?);
    // Without held-out samples no picture would be strange.
    for (name, len) in [("held_out", held_out.len()), ("summaries", summaries.nrows())] {
        if len == 0 {
            return Err(format!("`{name}` is empty"));
        }
    }
    let picture = |name: &str, dtype: Dtype| {
        let view = raw(name, dtype)?;
        match view.shape()[..] {
            [height, width] if height > 0 && width > 0 => Ok((view.data().to_vec(), width, height)),
            _ => Err(format!("`{name}` wants {dtype:?}[height, width], got {:?}", view.shape())),
        }
    };
    let reference = match card.kind.is_registered() {
        true => {
            let (pixels, width, height) = picture("reference", Dtype::U8)?;
            Some(Reference { pixels, width, height })
        }
        false => None,
    };
    let band = |name: &str| -> Result<(Vec<f16>, usize, usize), String> {
        let (bytes, width, height) = picture(name, Dtype::F16)?;
        let values: Vec<f16> = bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok((values, width, height)),
            false => Err(format!("`{name}` holds numbers that are not finite")),
        }
    };
    let golden = match (golden, &reference) {
        (true, Some(reference)) => {
            let ((low, width, height), (high, wide, tall)) = (band("golden.low")?, band("golden.high")?);
            let expected = Golden::new([reference.width, reference.height]);
            if [width, height] != [wide, tall] || [width, height] != [expected.width, expected.height] {
                let (width, height) = (expected.width, expected.height);
                return Err(format!("`golden.low` and `golden.high` want f16[{height}, {width}]"));
            }
            Some(Golden { low, high, width, height })
        }
        _ => None,
    };
    let judged: Vec<Distances> = held_out.iter().map(|held_out| held_out.distances).collect();
    Ok(Part {
        learned: Learned::new(levels, shape),
        judgement: Judgement::learn(&judged),
        held_out,
        reference,
        golden,
        usual,
        motion,
        summaries,
        varied,
        tiles,
        ignored,
        digest,
        card,
    })
}

fn bytes_of<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<u8> {
    values.flat_map(|value| value.to_le_bytes()).collect()
}
