//! The result of an inspection, as plain data. Display is left to `sink` and the binary.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::geometry::Affine;
use crate::sample::{Frame, Sense};
use crate::tensor::Precision;

/// Version of a report's JSON. It increases when a field changes its meaning or is removed.
pub const SCHEMA: u32 = 1;

/// The decision on one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within the range of good parts.
    Pass,
    /// More anomalous than the promised share of good parts allows.
    Fail,
    /// Near the limit: a person must check.
    Unsure,
    /// The sample cannot be judged, for example because it is too dark or not this part.
    Invalid,
}

impl Verdict {
    /// The word in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unsure => "unsure",
            Self::Invalid => "invalid",
        }
    }
}

/// A rectangle in image pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Region {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// One place that is more anomalous than the good samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The anomaly, by the modality that found it.
    #[serde(flatten)]
    pub what: What,
    /// Heatmap value at the peak; 1 is the part's limit.
    pub severity: f32,
    /// The location as text: a grid position such as `top left`; for a sound times and frequencies; for a clip times and grid
    /// position.
    pub place: String,
    /// Bounding box in pixels of the judged image: the frame, the spectrogram, or the motion tile image.
    pub region: Region,
    /// Area in pixels of that image.
    pub area_px: f64,
    /// Area as a share of that image, 0 to 1.
    pub area_share: f64,
    /// Column and row of its most anomalous point.
    pub peak: [usize; 2],
}

impl Finding {
    /// The modality that found it.
    pub const fn sense(&self) -> Sense {
        match self.what {
            What::Seen { .. } => Sense::Image,
            What::Heard(_) => Sense::Sound,
            What::Moved(_) => Sense::Clip,
        }
    }

    /// The sound event; `None` for other modalities.
    pub const fn heard(&self) -> Option<&SoundEvent> {
        match &self.what {
            What::Heard(event) => Some(event),
            _ => None,
        }
    }

    /// The movement; `None` for other modalities.
    pub const fn moved(&self) -> Option<&Movement> {
        match &self.what {
            What::Moved(movement) => Some(movement),
            _ => None,
        }
    }
}

/// The content of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "what", content = "data", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// An anomaly in an image.
    Seen {
        /// Position of its centre.
        position: GridPosition,
    },
    /// An anomaly in a sound.
    Heard(SoundEvent),
    /// An anomaly in a clip.
    Moved(Movement),
}

/// A position in a 3 × 3 grid over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum GridPosition {
    TopLeft,
    Top,
    TopRight,
    Left,
    Centre,
    Right,
    BottomLeft,
    Bottom,
    BottomRight,
}

impl GridPosition {
    /// All of them, row by row.
    pub const ALL: [Self; 9] = [
        Self::TopLeft,
        Self::Top,
        Self::TopRight,
        Self::Left,
        Self::Centre,
        Self::Right,
        Self::BottomLeft,
        Self::Bottom,
        Self::BottomRight,
    ];

    /// The position of a point, given as shares of width and height, 0 to 1.
    pub fn at(x: f64, y: f64) -> Self {
        let third = |share: f64| ((share * 3.0) as usize).min(2);
        Self::ALL[3 * third(y) + third(x)]
    }

    /// As text, such as `top left`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopLeft => "top left",
            Self::Top => "top",
            Self::TopRight => "top right",
            Self::Left => "left",
            Self::Centre => "centre",
            Self::Right => "right",
            Self::BottomLeft => "bottom left",
            Self::Bottom => "bottom",
            Self::BottomRight => "bottom right",
        }
    }
}

/// A time span and a position in a clip that are more anomalous than in good clips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Movement {
    /// Seconds from the clip's beginning: begin and end.
    pub seconds: [f64; 2],
    /// Position in the frame where it is most anomalous.
    pub position: GridPosition,
    /// Bounding box over its whole duration, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: Region,
    /// How the motion there differs from that in good clips.
    pub character: MotionCharacter,
    /// Mean change of a pixel in the anomalous patches, in grey levels per second. Frames are first scaled to a mean of 110 of
    /// 255.
    pub motion: f32,
    /// The mean of the same over good clips.
    pub usual: f32,
}

/// How a motion differs from that in good clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MotionCharacter {
    /// More motion.
    More,
    /// Less motion.
    Less,
    /// Motion where no good clip has any.
    Elsewhere,
    /// As much motion, but different.
    Otherwise,
}

impl MotionCharacter {
    /// All of them, in the order in which models were trained with them.
    pub const ALL: [Self; 4] = [Self::More, Self::Less, Self::Elsewhere, Self::Otherwise];

    /// The word in `words.toml` and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
            Self::Elsewhere => "elsewhere",
            Self::Otherwise => "otherwise",
        }
    }
}

/// A time span and a band of a sound that are more anomalous than in good sounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SoundEvent {
    /// Seconds from the sound's beginning: begin and end.
    pub seconds: [f64; 2],
    /// Lower and upper end of the band, in Hz. Of a rhythm both are its rate.
    pub hz: [f64; 2],
    /// Level of its loudest point relative to the usual level of its band in this sound, in decibels; negative if all of it is
    /// quieter. For stationary events: relative to good sounds.
    pub db: f32,
    /// Its character.
    pub character: SoundCharacter,
    /// Whether it lasts for the whole sound (stationary).
    pub all_the_time: bool,
    /// Fault frequency of the bearing, if the rhythm matches one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<BearingRate>,
}

/// Character of an anomalous sound, by its extent in time and frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SoundCharacter {
    /// Short.
    Knock,
    /// Narrow.
    Tone,
    /// Neither short nor narrow.
    Noise,
    /// Quieter than usual.
    Gap,
    /// A band is louder all the time.
    Louder,
    /// A band is quieter all the time.
    Quieter,
    /// A periodic sound.
    Rhythm,
}

impl SoundCharacter {
    /// All of them, in the order in which models were trained with them.
    pub const ALL: [Self; 7] =
        [Self::Knock, Self::Tone, Self::Noise, Self::Gap, Self::Louder, Self::Quieter, Self::Rhythm];

    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Knock => "knock",
            Self::Tone => "tone",
            Self::Noise => "noise",
            Self::Gap => "gap",
            Self::Louder => "louder",
            Self::Quieter => "quieter",
            Self::Rhythm => "rhythm",
        }
    }
}

/// A characteristic rate of a rolling bearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum BearingRate {
    /// A ball passes a point of the outer race.
    #[serde(rename = "BPFO")]
    OuterRace,
    /// A ball passes a point of the inner race.
    #[serde(rename = "BPFI")]
    InnerRace,
    /// A ball turns about itself.
    #[serde(rename = "BSF")]
    Ball,
    /// The cage turns (fundamental train frequency).
    #[serde(rename = "FTF")]
    Cage,
    /// The shaft turns.
    #[serde(rename = "1x")]
    Shaft,
}

impl BearingRate {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::OuterRace, Self::InnerRace, Self::Ball, Self::Cage, Self::Shaft];

    /// Its usual name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OuterRace => "BPFO",
            Self::InnerRace => "BPFI",
            Self::Ball => "BSF",
            Self::Cage => "FTF",
            Self::Shaft => "1x",
        }
    }

    /// The bearing part with this rate.
    pub const fn part(self) -> &'static str {
        match self {
            Self::OuterRace => "outer race",
            Self::InnerRace => "inner race",
            Self::Ball => "ball",
            Self::Cage => "cage",
            Self::Shaft => "shaft",
        }
    }
}

/// The reason of a verdict: a code for machines, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// Stable; PLCs and databases may rely on it.
    pub code: ReasonCode,
    /// Empty if the code says everything.
    pub text: String,
}

impl Reason {
    /// A code with its sentence.
    pub fn new(code: ReasonCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The reason of a verdict. See [`ReasonCode::as_str`] for the words in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// Pass: the score is under the limit.
    WithinLimit,
    /// Fail: the score is over the limit.
    OverLimit,
    /// Unsure: the p-value is at most twice the share of good parts that may fail.
    NearLimit,
    /// Unsure: more anomalous than all good samples, which are too few to support the limit.
    BeyondGood,
    /// Unsure: one modality alone fails, all together pass.
    OneSenseFails,
    /// Invalid: the station has no part.
    NotJudged,
    /// Invalid: no image came.
    NoImage,
    /// Invalid: no sound came.
    NoSound,
    /// Invalid: no clip came.
    NoClip,
    /// Invalid: the sample cannot be decoded, or has a form that the part does not take.
    Unreadable,
    /// Invalid: the image has another size than the good ones.
    WrongSize,
    /// Invalid: the image is too dark.
    TooDark,
    /// Invalid: the image is too bright.
    TooBright,
    /// Invalid: the image has no contrast.
    NoContrast,
    /// Invalid: the image is out of focus.
    OutOfFocus,
    /// Invalid: the part is not found in the image.
    NotFound,
    /// Invalid: too little of the part is in view.
    OutOfView,
    /// Invalid: the sound or the clip has another length than the good ones.
    WrongLength,
    /// Invalid: the sound is clipped.
    Clipped,
    /// Invalid: the sound, or a channel of it, is silent.
    Silent,
    /// Invalid: samples of the sound are lost.
    Dropout,
    /// Invalid: the sound is too quiet.
    TooQuiet,
    /// Invalid: the clip has too few frames per second.
    TooFewFrames,
    /// Invalid: nothing moves in the clip.
    NoMotion,
}

impl ReasonCode {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::WithinLimit,
        Self::OverLimit,
        Self::NearLimit,
        Self::BeyondGood,
        Self::OneSenseFails,
        Self::NotJudged,
        Self::NoImage,
        Self::NoSound,
        Self::NoClip,
        Self::Unreadable,
        Self::WrongSize,
        Self::TooDark,
        Self::TooBright,
        Self::NoContrast,
        Self::OutOfFocus,
        Self::NotFound,
        Self::OutOfView,
        Self::WrongLength,
        Self::Clipped,
        Self::Silent,
        Self::Dropout,
        Self::TooQuiet,
        Self::TooFewFrames,
        Self::NoMotion,
    ];

    /// The word in JSON, such as `too_dark`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WithinLimit => "within_limit",
            Self::OverLimit => "over_limit",
            Self::NearLimit => "near_limit",
            Self::BeyondGood => "beyond_good",
            Self::OneSenseFails => "one_sense_fails",
            Self::NotJudged => "not_judged",
            Self::NoImage => "no_image",
            Self::NoSound => "no_sound",
            Self::NoClip => "no_clip",
            Self::Unreadable => "unreadable",
            Self::WrongSize => "wrong_size",
            Self::TooDark => "too_dark",
            Self::TooBright => "too_bright",
            Self::NoContrast => "no_contrast",
            Self::OutOfFocus => "out_of_focus",
            Self::NotFound => "not_found",
            Self::OutOfView => "out_of_view",
            Self::WrongLength => "wrong_length",
            Self::Clipped => "clipped",
            Self::Silent => "silent",
            Self::Dropout => "dropout",
            Self::TooQuiet => "too_quiet",
            Self::TooFewFrames => "too_few_frames",
            Self::NoMotion => "no_motion",
        }
    }

    /// As text, such as `too dark`.
    pub fn words(self) -> String {
        self.as_str().replace('_', " ")
    }

    /// The code for a missing sample of a modality.
    pub const fn missing(sense: Sense) -> Self {
        match sense {
            Sense::Image => Self::NoImage,
            Sense::Sound => Self::NoSound,
            Sense::Clip => Self::NoClip,
        }
    }
}

/// The nearest memory entry for each patch of a grid over the whole image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// `[rows, columns]`, row-major.
    pub entries: Vec<u32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// Heatmap over the image; 1 is the limit on every image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heatmap {
    /// `f32[rows, columns]`, row by row; all cells have the same size. Zero if masked.
    pub values: Vec<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// Milliseconds spent in each stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Times {
    /// Bytes of a file to pixels; zero if a frame was given.
    pub decode: f64,
    /// Light and focus, and pixels to the encoder's input.
    pub prepare: f64,
    /// The encoder.
    pub encode: f64,
    /// Nearest neighbours, distances, heatmap and verdict.
    pub judge: f64,
}

/// Number of graph nodes of the encoder that a provider ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RanOn {
    /// The execution provider.
    pub provider: String,
    /// Number of nodes.
    pub nodes: usize,
    /// For the CPU next to another provider: operator and name of the nodes left to it, such as `Resize /neck/up`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

/// The part that judged a sample.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Provenance {
    /// Name of the part.
    pub part: String,
    /// sha256 of the part.
    pub part_digest: String,
}

/// The encoder of one modality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EncodedBy {
    /// Name and version of the model package.
    pub model: String,
    /// sha256 of the model package's manifest.
    pub model_digest: String,
    /// Precision of the encoder.
    pub precision: Precision,
    /// Providers and how many nodes of the graph each ran.
    pub ran_on: Vec<RanOn>,
}

/// Layout of the motion tile image of a clip: its tiles are time steps, row by row.
#[derive(Debug, Clone)]
pub struct Steps {
    /// Rows and columns of tiles.
    pub tiles: usize,
    /// Length of the clip.
    pub seconds: f64,
    /// Columns and rows of its frames.
    pub size: [usize; 2],
    /// The middle frame of each step, in tiles of the same size.
    pub frames: Frame,
}

/// Pose of a part relative to the taught image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pose {
    /// Column and row of the taught image's centre.
    pub centre: [f64; 2],
    /// Rotation in degrees, clockwise in the image.
    pub turn_deg: f64,
    /// Scale.
    pub scale: f64,
    /// Normalised cross-correlation with the taught image, -1 to 1.
    pub correlation: f32,
    /// Visible share of the taught image, 0 to 1.
    pub overlap: f32,
}

/// Deviation of a sound as a whole from good sounds, in units of the good sounds' upper spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stationary {
    /// Tones.
    pub tones: f32,
    /// Level of each band.
    pub level: f32,
    /// Rhythm of the bands, and hum.
    pub rhythm: f32,
    /// Peak level of each band relative to its usual level.
    pub peaks: f32,
    /// Level during the loudest seventh of the time.
    pub swells: f32,
}

/// Result of one modality, from its own good samples alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SenseReport {
    /// The modality.
    pub sense: Sense,
    /// Its verdict without the other modalities.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Anomaly score, in units of the good samples' upper spread; unbounded.
    pub score: f32,
    /// The score at which the promised share of good samples is rejected.
    pub limit: f32,
    /// Share of good samples at least as anomalous, (0, 1].
    pub p_value: f64,
    /// Score of the most anomalous patches alone, same units.
    pub local: f32,
    /// Score of the sample as a whole, same units.
    pub global: f32,
    /// Score of the pixels relative to the good images, same units; `None` if they are not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<f32>,
    /// Scores of the stationary features of a sound, same units; `None` for other modalities or if not taught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stationary: Option<Stationary>,
    /// Pose of the part; `None` if it is not searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pose: Option<Pose>,
    /// Time per stage in milliseconds.
    pub ms: Times,
    /// The encoder; `None` if nothing was encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoded_by: Option<EncodedBy>,
    /// The image made of a sound or a clip, on which heatmap and regions lie. `None` if they lie on the frame itself.
    #[serde(skip)]
    pub picture: Option<Frame>,
    /// Layout of the motion tile image; clips only.
    #[serde(skip)]
    pub steps: Option<Steps>,
    /// The part of the image that is not inspected; `None` if all of it is.
    #[serde(skip)]
    pub ignored: Option<Ignored>,
    /// The heatmap.
    #[serde(skip)]
    pub heatmap: Heatmap,
    /// The nearest memory entries.
    #[serde(skip)]
    pub expected: Expected,
}

/// What of a picture is not inspected: what the mask or the region of interest that a part was taught with leaves out.
#[derive(Debug, Clone, PartialEq)]
pub struct Ignored {
    /// `u8[height, width]`, not 0 where the taught picture is ignored.
    mask: Arc<[u8]>,
    /// Height and width of the mask.
    size: [usize; 2],
    /// Places on the taught picture by places on the picture, both from 0 to 1.
    taught_from_picture: Affine,
}

impl Ignored {
    /// By the mask over the taught picture, `u8[height, width]` of `size`; `None` where it is empty.
    pub fn new(mask: &Arc<[u8]>, size: [usize; 2], taught_from_picture: Affine) -> Option<Self> {
        (!mask.is_empty() && mask.len() == size[0] * size[1]).then(|| Self {
            mask: Arc::clone(mask),
            size,
            taught_from_picture,
        })
    }

    /// Whether the place of a picture, `[x, y]` from 0 to 1, is ignored. What lies outside the taught picture is.
    pub fn at(&self, place: [f64; 2]) -> bool {
        is_masked(&self.mask, self.size, self.taught_from_picture.apply(place))
    }
}

/// Whether the place of a taught picture, `[x, y]` from 0 to 1, is ignored by its mask, `u8[height, width]`. What lies outside is.
pub(crate) fn is_masked(mask: &[u8], [height, width]: [usize; 2], [x, y]: [f64; 2]) -> bool {
    let inside = (0.0..1.0).contains(&x) && (0.0..1.0).contains(&y);
    !inside || mask[(y * height as f64) as usize * width + (x * width as f64) as usize] != 0
}

impl SenseReport {
    /// The result of a modality that cannot judge.
    pub fn invalid(sense: Sense, reason: Reason) -> Self {
        Self {
            sense,
            verdict: Verdict::Invalid,
            reason,
            score: 0.0,
            limit: 0.0,
            p_value: 1.0,
            local: 0.0,
            global: 0.0,
            pixels: None,
            stationary: None,
            pose: None,
            ms: Times::default(),
            encoded_by: None,
            picture: None,
            steps: None,
            ignored: None,
            heatmap: Heatmap { values: vec![0.0], rows: 1, columns: 1 },
            expected: Expected::default(),
        }
    }

    /// Whether it could judge.
    pub fn is_valid(&self) -> bool {
        self.verdict != Verdict::Invalid
    }
}

/// Number of faults of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// `camera` or `microphone`.
    pub source: &'static str,
    /// The kind, as one word.
    pub kind: &'static str,
    /// Lost frames or samples, at least.
    pub count: u64,
}

/// The sound of a station's sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heard {
    /// Length in milliseconds; 0 if there is none.
    pub ms: f64,
    /// Time error of its start, in milliseconds.
    pub skew_ms: f64,
    /// Problem of the sound; empty if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub missing: String,
}

/// The clip of a station's sample, for a part of clips.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filmed {
    /// Length in milliseconds.
    pub ms: f64,
    /// Number of frames, lost ones included.
    pub frames: usize,
    /// Number of lost frames; their neighbours replaced them.
    pub lost: usize,
}

/// A station's output for one sample.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The station's name.
    pub station: String,
    /// Counted by the station from 0.
    pub moment: u64,
    /// Frame number of the source; `None` without a frame.
    pub frame: Option<u64>,
    /// Time of the verdict, in milliseconds since 1970 by the machine's clock.
    pub unix_ms: u64,
    /// Milliseconds from the frame's time stamp, or the end of the clip, to the verdict.
    pub age_ms: f64,
    /// Frames replaced by newer ones since the last sample.
    pub replaced: u64,
    /// The sound around the frame, if the station has a microphone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<Heard>,
    /// The judged clip, if the station has a cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub film: Option<Filmed>,
    /// Whether enough of the last verdicts failed for an alarm; `None` if the station has no such rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<bool>,
    /// Faults of the sources since the last sample.
    pub faults: Vec<Counted>,
    /// The inspection.
    #[serde(flatten)]
    pub report: Report,
}

/// The words on a sample. They explain the verdict and never change it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Code of its language.
    pub language: String,
    /// Whether a model wrote it; if not, these are fixed sentences.
    pub generated: bool,
    /// Why nothing was generated; empty if it was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The kind of each finding that was written.
    pub kinds: Vec<Named>,
    /// The sentences, each with its topic.
    pub clauses: Vec<Clause>,
    /// Weight and attention for each modality that was present.
    pub senses: Vec<Sensed>,
    /// Number of generated tokens.
    pub tokens: usize,
    /// Duration in milliseconds.
    pub ms: f64,
    /// Name and version of the model package.
    pub by: String,
    /// sha256 of the model package's manifest.
    pub digest: String,
}

impl Written {
    /// The author: the model, or why none was used.
    pub fn mark(&self) -> Cow<'_, str> {
        if self.generated { format!("generated by {}", self.by).into() } else { self.reason.as_str().into() }
    }
}

/// The kind of a finding, by the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// Modality of the finding.
    pub sense: Sense,
    /// Index of the finding in [`Report::findings_of`].
    pub finding: usize,
    /// The kind, such as `scratch`; `nothing` means unknown.
    pub kind: String,
    /// Likelihood by the model, 0 to 1.
    pub likelihood: f32,
}

/// The model's weight and attention for a modality.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sensed {
    /// The modality.
    pub sense: Sense,
    /// Weight in the model for this sample, 0 to 1.
    pub gate: f32,
    /// Share of the attention on each finding, most severe first.
    pub findings: Vec<f32>,
    /// Share of the attention on each position of the 3 × 3 grid, row by row; for a sound, on bands from high to low, each in
    /// three thirds of the time. With that of the findings it adds up to 1.
    pub ninths: Vec<f32>,
}

/// A sentence with its topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clause {
    /// The sentence.
    pub text: String,
    /// The topic.
    #[serde(flatten)]
    pub about: Topic,
}

/// The topic of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "about", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Topic {
    /// The verdict.
    Verdict,
    /// Which modality decided.
    Decided,
    /// The sample as a whole, without a single location.
    Whole,
    /// What to do.
    Action,
    /// A finding.
    Finding {
        /// Its modality.
        sense: Sense,
        /// Its index in [`Report::findings_of`].
        finding: usize,
    },
    /// The number of further findings.
    More {
        /// Of which sense.
        sense: Sense,
    },
    /// Light, focus or level are worse than in training.
    Quality {
        /// Of which sense.
        sense: Sense,
    },
    /// A modality is missing.
    Absent {
        /// The modality.
        sense: Sense,
    },
}

/// The result of one inspection.
///
/// ```
/// let report: eyear::report::Report = serde_json::from_str(include_str!("report.example.json"))?;
/// assert_eq!(report.verdict, eyear::report::Verdict::Fail);
/// for finding in &report.findings {
///     println!("{} {:?} {:.1} × the limit", finding.place, finding.what, finding.severity);
/// }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// Version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The decision.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// A modality was missing or invalid; the rest decided by its own calibration.
    pub degraded: bool,
    /// For a part with several modalities that does not pass: the modalities with the same verdict alone. Empty if only all
    /// together reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Vec<Sense>>,
    /// Joint anomaly score; for a single modality, its own.
    pub score: f32,
    /// The score at which the promised share of good parts is rejected.
    pub limit: f32,
    /// Share of good parts at least as anomalous, (0, 1].
    pub p_value: f64,
    /// Cross-modal consistency: share of good parts whose image and sound match at most as well, (0, 1]; `None` if good parts
    /// show no such relation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<f64>,
    /// Results of the part's modalities, in the order image, sound, clip.
    pub senses: Vec<SenseReport>,
    /// Areas above the limit, of all modalities, most severe first. Empty if the sample cannot be judged.
    pub findings: Vec<Finding>,
    /// Time per stage in milliseconds, all modalities together.
    pub ms: Times,
    /// The part.
    pub judged_by: Provenance,
}

impl Report {
    /// The report of a part with one modality.
    pub fn of(sense: SenseReport, findings: Vec<Finding>, judged_by: Provenance) -> Self {
        let SenseReport { verdict, ref reason, score, limit, p_value, ms, .. } = sense;
        Self {
            schema: SCHEMA,
            verdict,
            reason: reason.clone(),
            degraded: false,
            decided_by: None,
            score,
            limit,
            p_value,
            consistency: None,
            senses: vec![sense],
            findings,
            ms,
            judged_by,
        }
    }

    /// The report on a sample that no modality could judge.
    pub fn invalid(reason: Reason, judged_by: Provenance) -> Self {
        Self {
            schema: SCHEMA,
            verdict: Verdict::Invalid,
            reason,
            degraded: false,
            decided_by: None,
            score: 0.0,
            limit: 0.0,
            p_value: 1.0,
            consistency: None,
            senses: Vec::new(),
            findings: Vec::new(),
            ms: Times::default(),
            judged_by,
        }
    }

    /// The result of a modality; `None` if the part does not have it.
    pub fn sense(&self, sense: Sense) -> Option<&SenseReport> {
        self.senses.iter().find(|own| own.sense == sense)
    }

    /// The findings of one modality, most severe first.
    pub fn findings_of(&self, sense: Sense) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.sense() == sense)
    }

    /// Replaces the text of the reason of an invalid modality, also in the joint reason.
    pub fn explain(&mut self, sense: Sense, text: &str) {
        let Some(own) = self.senses.iter_mut().find(|own| own.sense == sense && !own.is_valid()) else { return };
        own.reason.text = text.into();
        self.reason = Self::reason_of(&self.senses, self.reason.clone());
    }

    /// The joint reason if some modalities cannot judge; `joint` if all can.
    pub fn reason_of(senses: &[SenseReport], joint: Reason) -> Reason {
        let why = |own: &SenseReport| own.reason.text.clone();
        let missing: Vec<String> = senses.iter().filter(|own| !own.is_valid()).map(why).collect();
        let mut rest = senses.iter().filter(|own| own.is_valid());
        match (missing.is_empty(), rest.next()) {
            (true, _) => joint,
            (false, None) => Reason::new(senses[0].reason.code, missing.join("; ")),
            (false, Some(own)) => {
                let alone = format!("judged by {} alone: {}", own.sense.as_str(), missing.join("; "));
                let own_text = (!own.reason.text.is_empty()).then(|| own.reason.text.clone());
                let texts: Vec<String> = own_text.into_iter().chain([alone]).collect();
                Reason::new(own.reason.code, texts.join("; "))
            }
        }
    }
}

/// The JSON Schema of a [`Report`], as in each line of `eyear inspect --json` after the file name.
pub const JSON_SCHEMA: &str = include_str!("report.schema.json");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_is_ignored_lies_where_the_part_does() {
        let mask: Arc<[u8]> = vec![1, 0, 0, 0].into();
        let still = Ignored::new(&mask, [2, 2], Affine::IDENTITY).unwrap();
        assert_eq!([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]].map(|at| still.at(at)), [true, false, false]);
        // The part lies half a picture to the right: its masked quarter is in the middle, and what is left of it was not taught.
        let moved = Ignored::new(&mask, [2, 2], Affine::scale_shift([1.0, 1.0], [-0.5, 0.0])).unwrap();
        assert_eq!([[0.1, 0.9], [0.6, 0.1], [0.6, 0.9]].map(|at| moved.at(at)), [true, true, false]);
        assert!(Ignored::new(&Arc::from([]), [2, 2], Affine::IDENTITY).is_none());
    }

    /// Writes the file anew where `EYEAR_UPDATE` is set.
    #[test]
    fn the_schema_is_that_of_the_types() {
        let schema = schemars::schema_for!(Report);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report.schema.json");
        if std::env::var_os("EYEAR_UPDATE").is_some() {
            std::fs::write(file, &text).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap();
        assert!(
            committed == text,
            "src/report.schema.json is not that of the types: run this test with EYEAR_UPDATE=1"
        );
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let event = SoundEvent {
            seconds: [0.5, 1.25],
            hz: [100.0, 250.5],
            db: 9.5,
            character: SoundCharacter::Rhythm,
            all_the_time: true,
            rate: Some(BearingRate::OuterRace),
        };
        let movement = Movement {
            seconds: [0.0, 0.5],
            position: GridPosition::BottomRight,
            region: Region { x: 1, y: 2, width: 3, height: 4 },
            character: MotionCharacter::Elsewhere,
            motion: 12.5,
            usual: 0.25,
        };
        let of = |what| Finding { what, ..testing::finding() };
        let findings = vec![testing::finding(), of(What::Heard(event)), of(What::Moved(movement))];
        let mut report = testing::of_findings(Verdict::Fail, findings);
        report.decided_by = Some(vec![Sense::Sound]);
        let stationary = Stationary { tones: 1.0, level: 2.5, rhythm: 0.5, peaks: 0.0, swells: -1.0 };
        report.senses.push(SenseReport { stationary: Some(stationary), ..testing::sense(Sense::Sound, Verdict::Fail) });
        let written = serde_json::to_string(&report).unwrap();
        let read: Report = serde_json::from_str(&written).unwrap();
        assert_eq!(read.findings, report.findings);
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
        let value: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!((&value["schema"], &value["findings"][1]["what"]), (&1.into(), &"heard".into()));
        assert_eq!(value["findings"][2]["data"]["position"], "bottom_right");
    }

    #[test]
    fn a_code_reads_in_json_as_it_is_called() {
        for code in ReasonCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        for sense in Sense::ALL {
            assert_eq!(serde_json::to_value(sense).unwrap(), sense.as_str());
        }
        for rate in BearingRate::ALL {
            assert_eq!(serde_json::to_value(rate).unwrap(), rate.as_str());
        }
        for character in SoundCharacter::ALL {
            assert_eq!(serde_json::to_value(character).unwrap(), character.as_str());
        }
        for character in MotionCharacter::ALL {
            assert_eq!(serde_json::to_value(character).unwrap(), character.as_str());
        }
        for position in GridPosition::ALL {
            assert_eq!(serde_json::to_value(position).unwrap(), position.as_str().replace(' ', "_"));
        }
    }

    #[test]
    fn a_missing_modality_is_explained_in_the_joint_reason() {
        let mut report = testing::report(Verdict::Fail);
        let missing = Reason::new(ReasonCode::NoSound, "no sound");
        report.senses.push(SenseReport::invalid(Sense::Sound, missing));
        report.explain(Sense::Sound, "no sound: the microphone is lost");
        assert_eq!(report.reason.text, "judged by image alone: no sound: the microphone is lost");
        assert_eq!((report.reason.code, report.senses[1].reason.code), (ReasonCode::OverLimit, ReasonCode::NoSound));
        report.senses[0] = SenseReport::invalid(Sense::Image, Reason::new(ReasonCode::TooDark, "too dark: mean 3"));
        report.explain(Sense::Sound, "no sound");
        assert_eq!((report.reason.code, &*report.reason.text), (ReasonCode::TooDark, "too dark: mean 3; no sound"));
    }
}
