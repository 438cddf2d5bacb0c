//! `part.toml`: the readable side of a part, and the checks of a card that somebody edited.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ranges::{Audible, Envelope, Moving};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::folder;
use crate::memory::learned::Blame;
use crate::package::manifest::{Precision, Sense, wrong_at};
use crate::prepare::bearing::Bearing;

/// Version of the format that this build reads and writes.
pub const FORMAT: u32 = 5;
/// Longest side of the encoder's input.
pub(crate) const LONGEST_INPUT: usize = 8192;

/// The readable side of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Version of this format.
    pub format: u32,
    /// The part's name.
    pub name: String,
    /// The alignment mode.
    pub kind: Kind,
    /// Number of good samples it was taught from.
    pub good: usize,
    /// Share of good parts that may be rejected: the promise.
    pub overkill: f64,
    /// The [`Blame::heat`] that maps to heat 1.
    pub heat_limit: f32,
    /// Weights of what counts besides a patch's own distance.
    pub blame: Blame,
    /// The deviation of a patch's pixels that maps to heat 1, if pixels are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation_limit: Option<f32>,
    /// Correlation with the reference below which an image does not show this part, if it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_correlation: Option<f32>,
    /// Strides of the encoder's maps that memory keeps, finest first: one bank each.
    pub strides: Vec<usize>,
    /// The encoder that computed the features. Features of another encoder are not comparable.
    pub model: ModelRef,
    /// Ranges that an image must meet to be judged.
    pub picture: Envelope,
    /// Ranges that a sound must meet to be judged, if the part has sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Audible>,
    /// Ranges that a clip must meet to be judged, if the part has clips; `picture` then describes its frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Moving>,
    /// The bearing, if known: what repeats at one of its rates is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearing: Option<Bearing>,
    /// The file with the numbers.
    pub memory: MemoryRef,
}

/// The alignment mode of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A surface or loose parts: a patch may match a good patch from any position.
    Texture,
    /// A part that lies about where it was taught: memory knows the position of each patch in the image.
    Framed,
    /// A part with a fixed layout: registered by shift, rotation and scale; memory knows the position of each patch.
    Aligned,
    /// An aligned part that is also compared with the good images pixel by pixel.
    Golden,
    /// A sound, as a spectrogram image. A patch may match any time of a good part, but only its own band.
    Sound,
    /// A clip, as a tiled image of its motion. Each position at each time is compared with the same in good parts.
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

    /// Coordinates by which memory knows a patch's position: none, its row, or its row and column.
    pub const fn places(self) -> usize {
        match self {
            Self::Texture => 0,
            Self::Sound => 1,
            Self::Framed | Self::Aligned | Self::Golden | Self::Clip => 2,
        }
    }

    /// The sense that judges it.
    pub const fn sense(self) -> Sense {
        match self {
            Self::Sound => Sense::Sound,
            Self::Clip => Sense::Clip,
            Self::Texture | Self::Framed | Self::Aligned | Self::Golden => Sense::Image,
        }
    }

    /// Whether the part is registered first.
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

/// The file with the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRef {
    /// Its name, beside `part.toml`.
    pub file: String,
    /// Its sha256.
    pub sha256: String,
}

impl Card {
    /// Reads the text of `path`.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", path.display()));
        let card: Self = toml::from_str(text).map_err(|error| wrong(wrong_at(text, &error)))?;
        card.check().map_err(wrong)?;
        Ok(card)
    }

    /// The first fault of the card, as a sentence that names the field.
    fn check(&self) -> Result<(), String> {
        check_format(self.format)?;
        self.check_limits()?;
        self.check_model()?;
        self.picture.check()?;
        self.check_senses()?;
        must(folder::is_plain(&self.memory.file), || {
            format!("`memory.file` must be a plain file name, got `{}`", self.memory.file)
        })
    }

    fn check_limits(&self) -> Result<(), String> {
        let positive = |number: f32| number > 0.0 && number.is_finite();
        let Self { overkill, heat_limit, blame, deviation_limit, least_correlation, .. } = self;
        must(*overkill > 0.0 && *overkill < 1.0, || format!("`overkill` must be between 0 and 1, got {overkill}"))?;
        must(positive(*heat_limit), || format!("`heat_limit` must be positive, got {heat_limit}"))?;
        must(blame.weight == 0.0 || positive(blame.weight), || {
            format!("`blame.weight` must not be negative, got {}", blame.weight)
        })?;
        must(positive(blame.scale), || format!("`blame.scale` must be positive, got {}", blame.scale))?;
        must(deviation_limit.is_none_or(positive), || {
            format!("`deviation_limit` must be positive, got {deviation_limit:?}")
        })?;
        must(least_correlation.is_none_or(f32::is_finite), || {
            format!("`least_correlation` must be finite, got {least_correlation:?}")
        })
    }

    fn check_model(&self) -> Result<(), String> {
        let (input, strides) = (self.model.input, &self.strides);
        must(input.iter().all(|side| (1..=LONGEST_INPUT).contains(side)), || {
            format!("`model.input` must have sides of 1 to {LONGEST_INPUT} pixels, got {input:?}")
        })?;
        must(!strides.is_empty() && strides.is_sorted_by(|a, b| a < b), || {
            format!("`strides` must be one or more, growing, got {strides:?}")
        })
    }

    fn check_senses(&self) -> Result<(), String> {
        let Self { kind, sound, clip, bearing, .. } = self;
        let belongs = |field: &'static str, to: Kind| {
            let kind = to.as_str();
            move || format!("`{field}` belongs to a part of `kind` {kind}, and to no other")
        };
        must((*kind == Kind::Sound) == sound.is_some(), belongs("sound", Kind::Sound))?;
        must((*kind == Kind::Clip) == clip.is_some(), belongs("clip", Kind::Clip))?;
        must(bearing.is_none() || *kind == Kind::Sound, belongs("bearing", Kind::Sound))?;
        bearing.map_or(Ok(()), |bearing| bearing.check()).map_err(|told| format!("`bearing`: {told}"))?;
        must(sound.as_ref().is_none_or(Audible::is_finite), || {
            format!("`sound` must hold finite numbers, got {sound:?}")
        })?;
        must(clip.as_ref().is_none_or(Moving::is_finite), || format!("`clip` must hold finite numbers, got {clip:?}"))
    }
}

/// Refuses a card of another version.
pub(in crate::memory) fn check_format(format: u32) -> Result<(), String> {
    must(format == FORMAT, || format!("`format` is {format}, this build reads {FORMAT}: teach the part again"))
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
