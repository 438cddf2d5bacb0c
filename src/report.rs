//! What an inspection says: plain data. How it is shown is left to `sink` and the binary.

use std::borrow::Cow;

use serde::Serialize;

use crate::sample::{Frame, Sense};

/// The decision on one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As strange as good parts are.
    Pass,
    /// Stranger than the promised share of good parts.
    Fail,
    /// Near the limit: a person must look.
    Unsure,
    /// The sample cannot be judged: blind, or not this part.
    Invalid,
}

impl Verdict {
    /// The word that stands in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unsure => "unsure",
            Self::Invalid => "invalid",
        }
    }
}

/// A rectangle in picture pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// One place that is stranger than good parts are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its bounding box.
    pub region: Region,
    /// Area in picture pixels.
    pub area_px: f64,
    /// Area as a share of the picture, 0 to 1.
    pub area_share: f64,
    /// Column and row of its strangest point.
    pub peak: [usize; 2],
    /// Heat at the peak: 1 is the part's alarm limit.
    pub severity: f32,
    /// Place of its middle in words, such as `top left`; of a sound, its times and frequencies; of a clip, its times and its place.
    pub place: Cow<'static, str>,
    /// What is heard there, of a sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard: Option<Event>,
    /// What moves there, of a clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
}

/// A time and a place of a clip that are stranger than those of good parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Moved {
    /// Seconds from the clip's beginning: begin and end.
    pub seconds: [f64; 2],
    /// The place of its strangest moment on the frame, such as `top left`.
    pub place: &'static str,
    /// The box that it keeps within, in pixels of the frame.
    #[serde(rename = "box")]
    pub region: Region,
    /// By how much moves there and then, against good clips: `more`, `less`; `elsewhere` where in no good clip anything
    /// moves; `otherwise` where as much moves, and looks unlike it.
    pub character: &'static str,
    /// Grey levels that a pixel changes in a second, the mean over where and when it is strange; frames are brought to a mean
    /// level of 110 of 255 first.
    pub motion: f32,
    /// The mean of the same over good clips.
    pub usual: f32,
}

/// A time and a band of a sound that are stranger than those of good parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Event {
    /// Seconds from the sound's beginning: begin and end.
    pub seconds: [f64; 2],
    /// Lower and upper end of the band, in Hz.
    pub hz: [f64; 2],
    /// Decibels by which the loudest of it is above the usual level of its band in this sound; where all of it is
    /// quieter, the least, which is negative. Of what is told of a sound as a whole: above what it is in good ones.
    pub db: f32,
    /// By its extent alone: `knock` (short), `tone` (narrow), else `noise`; `gap` where it is quieter. Of a sound as a
    /// whole: `tone`, `louder`, `quieter`, `rhythm`, of which `hz` is the rate; `knock` and `noise` of one band that is
    /// louder for a moment, or for a good while.
    pub character: &'static str,
    /// Whether it is there all the time.
    pub all_the_time: bool,
    /// Of a rhythm that is known: the usual name of the bearing's rate, `BPFO`, `BPFI`, `BSF`, `FTF` or `1x`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<&'static str>,
}

/// For each place of a grid over the whole picture, the nearest entry of the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// `[rows, columns]`, row-major.
    pub entries: Vec<u32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// Heat over the picture: 1 is the limit that good parts set, whatever the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// `f32[rows, columns]`, row by row; cells share the picture evenly. Zero where masked.
    pub values: Vec<f32>,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// Milliseconds spent in each stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Times {
    /// Bytes of a file to pixels; zero when a frame was given.
    pub decode: f64,
    /// Measures of light and focus, pixels to the encoder's input.
    pub prepare: f64,
    /// The encoder.
    pub encode: f64,
    /// Search, distances, heat and verdict.
    pub judge: f64,
}

/// Which provider ran how many nodes of the encoder's graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RanOn {
    /// The execution provider.
    pub provider: String,
    /// Nodes it ran.
    pub nodes: usize,
    /// Of the CPU beside another provider, the operators and names of these nodes, `Resize /neck/up`: what was left to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

/// What the sample was judged by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Name of the part.
    pub part: String,
    /// sha256 of the part.
    pub part_digest: String,
    /// Name and version of the model package.
    pub model: String,
    /// sha256 of the model package's manifest.
    pub model_digest: String,
    /// Precision of the encoder.
    pub precision: &'static str,
}

/// How the picture that was made of a clip is to be read: its tiles are steps in time, in rows, early to late.
#[derive(Debug, Clone)]
pub struct Steps {
    /// Rows and columns of tiles.
    pub tiles: usize,
    /// How long the clip lasts.
    pub seconds: f64,
    /// Columns and rows of its frames.
    pub size: [usize; 2],
    /// The frame in the middle of each step, in tiles as large as those of the picture.
    pub frames: Frame,
}

/// Where a part lies, against the picture it was taught by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pose {
    /// Column and row at which the taught picture's centre is found.
    pub centre: [f64; 2],
    /// Turn in degrees, clockwise as seen.
    pub turn_deg: f64,
    /// Scale.
    pub scale: f64,
    /// Normalised cross-correlation with the taught picture, -1 to 1.
    pub correlation: f32,
    /// Share of the taught view that the picture shows, 0 to 1.
    pub overlap: f32,
}

/// Strangeness of what a sound is like as a whole, in units of the good parts' upper spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Steady {
    /// Of tones that stand out.
    pub tones: f32,
    /// Of how loud each band is.
    pub level: f32,
    /// Of how the bands beat, and of the hum.
    pub rhythm: f32,
    /// Of how loud the loudest moment of each band is beside its usual level.
    pub peaks: f32,
    /// The same of a seventh of the time.
    pub swells: f32,
}

/// What one sense says when the other is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alone {
    /// Its decision, by its own good samples alone.
    pub verdict: Verdict,
    /// As [`Report::reason`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// As [`Report::score`].
    pub score: f32,
    /// As [`Report::limit`].
    pub limit: f32,
    /// As [`Report::p_value`].
    pub p_value: f64,
}

/// What a verdict of two senses rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// What is seen alone says so, what is heard alone does not.
    Sight,
    /// What is heard alone says so, what is seen alone does not.
    Hearing,
    /// Each alone says so.
    Either,
    /// Neither alone says so.
    Together,
}

impl Decided {
    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sight => "sight",
            Self::Hearing => "hearing",
            Self::Either => "either",
            Self::Together => "together",
        }
    }
}

/// How much of one kind of fault there was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// `camera` or `microphone`.
    pub source: &'static str,
    /// The kind as one word.
    pub kind: &'static str,
    /// Frames or samples that it cost, at least.
    pub count: u64,
}

/// The sound that belongs to a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heard {
    /// How long it is, in milliseconds; 0 when there is none.
    pub ms: f64,
    /// Milliseconds from where it should begin to where it begins.
    pub skew_ms: f64,
    /// What is wrong with it, if anything.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub missing: String,
}

/// The film of a moment, of a part that is judged by clips.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filmed {
    /// How long it lasts, in milliseconds.
    pub ms: f64,
    /// Frames of it, those included that are lost.
    pub frames: usize,
    /// Frames that are lost: their neighbours were judged in their place.
    pub lost: usize,
}

/// What a station says of one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The station's name.
    pub station: String,
    /// Counted by the station from 0.
    pub moment: u64,
    /// The source's number of the frame; `None` where there was none.
    pub frame: Option<u64>,
    /// Milliseconds since 1970 by the machine's clock, when the verdict was reached.
    pub unix_ms: u64,
    /// Milliseconds from the frame's stamp, or the film's end, to the verdict.
    pub age_ms: f64,
    /// Frames that were replaced by newer ones since the last moment.
    pub replaced: u64,
    /// The sound around the frame, where the station listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<Heard>,
    /// The film that was judged, where the station watches cycles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub film: Option<Filmed>,
    /// Whether so many of the last verdicts failed as the station takes for an alarm; `None` where it has no such rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<bool>,
    /// Faults of the sources since the last moment.
    pub faults: Vec<Counted>,
    /// The inspection.
    #[serde(flatten)]
    pub report: Report,
}

/// What was written of a sample: words that explain, and never decide.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Code of its language.
    pub language: String,
    /// Whether a model wrote it. If not, fixed sentences stand here, for the reason told.
    pub generated: bool,
    /// Why nothing was generated; empty where it was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What each finding is, where it was written.
    pub kinds: Vec<Named>,
    /// The sentences, and what each is about.
    pub clauses: Vec<Clause>,
    /// What the model made of each sense that was there.
    pub senses: Vec<Sensed>,
    /// Tokens that were generated.
    pub tokens: usize,
    /// Milliseconds that it took.
    pub ms: f64,
    /// Name and version of the model package.
    pub by: String,
    /// sha256 of the model package's manifest.
    pub digest: String,
}

impl Written {
    /// Who wrote it: the model, or why it was none.
    pub fn mark(&self) -> Cow<'_, str> {
        if self.generated { format!("generated by {}", self.by).into() } else { self.reason.as_str().into() }
    }
}

/// What a finding is, by the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// Whose finding it is: `image` or `audio`.
    pub sense: &'static str,
    /// Which of its [`Report::findings`].
    pub finding: usize,
    /// The kind, such as `scratch`; `nothing` is none that is known.
    pub kind: String,
    /// How likely the model takes it to be, 0 to 1.
    pub likelihood: f32,
}

/// What the model made of a sense.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sensed {
    /// `image` or `audio`.
    pub sense: &'static str,
    /// How much it was worth to the model on this sample, 0 to 1.
    pub gate: f32,
    /// Share of the attention that went to each finding, most severe first.
    pub findings: Vec<f32>,
    /// Share of the attention that went to each ninth of the whole picture, row by row; of a sound, to its bands from high
    /// to low, each in three thirds of the time. With that of the findings it adds up to 1.
    pub ninths: Vec<f32>,
}

/// A sentence and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clause {
    /// The sentence.
    pub text: String,
    /// `verdict`, `decided`, `whole`, `action`, or of a sense `image finding 0` and on, `image more`, `image quality`,
    /// `image absent`.
    pub of: String,
}

/// The result of one inspection.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The decision.
    pub verdict: Verdict,
    /// Why the sample cannot be judged, why it is unsure, or which sense was left out; empty for a plain verdict.
    pub reason: String,
    /// A sense was missing or damaged, and the rule of what was there decided.
    pub degraded: bool,
    /// Which sense decided, of a part that is seen and heard and does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decided>,
    /// Joint strangeness in units of the good parts' upper spread; grows without bound.
    pub score: f32,
    /// The score at which the promised share of good parts is rejected.
    pub limit: f32,
    /// Share of good parts at least as strange, (0, 1].
    pub p_value: f64,
    /// Strangeness of the strangest places alone, same units.
    pub local: f32,
    /// Strangeness of the picture as a whole, same units.
    pub global: f32,
    /// Strangeness of the pixels beside the golden pictures', same units; `None` where they are not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<f32>,
    /// What a sound is like as a whole; `None` of pictures, and where it was not taught.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady: Option<Steady>,
    /// Share of good parts whose picture and sound belong together as little as these, (0, 1], of a part that is seen and
    /// heard; `None` where the good parts do not show that they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub belong: Option<f64>,
    /// What is seen says this alone, of a part that is seen and heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sight: Option<Alone>,
    /// The whole report on what is heard alone, of a part that is seen and heard. What stands beside it, but for the
    /// verdict with its reason, its score, its limit and its p-value, is on what is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hearing: Option<Box<Report>>,
    /// Where the part lies; `None` where it is not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pose: Option<Pose>,
    /// Places above the limit, most severe first.
    pub findings: Vec<Finding>,
    /// What was judged; of a part that is seen and heard, what is seen, where it was judged.
    #[serde(skip)]
    pub sense: Sense,
    /// The picture that was made of a sound or a clip; heat and regions lie on it. `None` where they lie on the frame
    /// itself.
    #[serde(skip)]
    pub picture: Option<Frame>,
    /// Of a clip, what the tiles of its picture are.
    #[serde(skip)]
    pub steps: Option<Steps>,
    /// Heat over the picture.
    #[serde(skip)]
    pub heatmap: Heatmap,
    /// What was expected.
    #[serde(skip)]
    pub expected: Expected,
    /// Time per stage in milliseconds.
    pub ms: Times,
    /// Provider and nodes.
    pub ran_on: Vec<RanOn>,
    /// Part, model and their digests.
    pub judged_by: Provenance,
}

impl Report {
    /// What it says as one sense among others.
    pub fn alone(&self) -> Alone {
        let Self { verdict, ref reason, score, limit, p_value, .. } = *self;
        Alone { verdict, reason: reason.clone(), score, limit, p_value }
    }

    /// The report on a moment that cannot be judged.
    pub fn invalid(reason: String, judged_by: Provenance) -> Self {
        Self {
            verdict: Verdict::Invalid,
            reason,
            degraded: false,
            decided_by: None,
            score: 0.0,
            limit: 0.0,
            p_value: 1.0,
            local: 0.0,
            global: 0.0,
            pixels: None,
            steady: None,
            belong: None,
            sight: None,
            hearing: None,
            pose: None,
            findings: Vec::new(),
            sense: Sense::Image,
            picture: None,
            steps: None,
            heatmap: Heatmap { values: vec![0.0], rows: 1, columns: 1 },
            expected: Expected::default(),
            ms: Times::default(),
            ran_on: Vec::new(),
            judged_by,
        }
    }
}
