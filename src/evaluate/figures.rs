//! What an evaluation finds: the figures of a data set, of each sense alone, of each kind of defect, and of worsened samples.
//! They are numbers alone; how they come about is left to `run`, `baseline`, `words` and `robust`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::baseline::BaselineFigures;
use super::interval::{Interval, Rate};
use super::latency::Latency;
use super::words::WordFigures;
use crate::report::ReasonCode;

/// The figures of one data set.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Name of the data set.
    pub dataset: String,
    /// Good pictures that were taught.
    pub taught: usize,
    /// Good and bad pictures that were judged.
    pub judged: [usize; 2],
    /// Samples that could not be read, which no figure counts.
    pub unreadable: usize,
    /// Area under the ROC curve of the joint score, of parts that are seen and heard. What no sense is named for, as
    /// overkill and escape, is then that of the joint verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint_auroc: Option<f64>,
    /// Its partial area up to a false positive rate of 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint_pauc: Option<f64>,
    /// Area under the ROC curve of the score, of pictures.
    pub image_auroc: Option<f64>,
    /// The same of sounds.
    pub audio_auroc: Option<f64>,
    /// Partial area up to a false positive rate of 0.1, of sounds, brought to 0.5 by chance and 1 at best.
    pub audio_pauc: Option<f64>,
    /// Area under the ROC curve of the score, of clips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_auroc: Option<f64>,
    /// The 95 % interval of the area under the whole curve.
    pub auroc_interval: Option<Interval>,
    /// The same per pixel.
    pub pixel_auroc: Option<f64>,
    /// Per-region overlap up to a false positive rate of 30 %.
    pub aupro: Option<f64>,
    /// Best F1 over all thresholds: needs bad samples to be known, so it is no promise.
    pub f1_max: Option<f64>,
    /// Good pictures that failed, at the calibrated threshold.
    pub overkill: Option<Rate>,
    /// Bad pictures that passed or are unsure, at the calibrated threshold.
    pub escape: Option<Rate>,
    /// Good and bad pictures that a person was asked about; they count as not rejected.
    pub unsure: [usize; 2],
    /// Pictures that were called invalid; they count as rejected.
    pub invalid: usize,
    /// AUROC, escape and number of each kind of defect.
    pub per_kind: BTreeMap<String, KindFigures>,
    /// Whole inspection, file to verdict and heatmap.
    pub latency_ms: Latency,
    /// One over the mean latency.
    pub images_per_s: f64,
    /// Most memory that the process ever held.
    pub peak_memory_mb: Option<f64>,
    /// How well reports in words match the samples, if measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<WordFigures>,
    /// What each sense says alone, of parts that are seen and heard.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub alone: BTreeMap<&'static str, AloneFigures>,
    /// What baselines make of the same sounds, by name, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baselines: Option<BTreeMap<&'static str, BaselineFigures>>,
    /// The figures when the samples get worse, the clean ones first, where these are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robust: Option<Vec<CorruptedFigures>>,
}

/// The figures of one sense, when the other is left out.
#[derive(Debug, Clone, Serialize)]
pub struct AloneFigures {
    /// Area under the ROC curve of its score.
    pub auroc: Option<f64>,
    /// The same up to a false positive rate of 0.1.
    pub pauc: Option<f64>,
    /// Best F1 over all thresholds.
    pub f1_max: Option<f64>,
    /// Good samples that it would fail.
    pub overkill: Option<Rate>,
    /// Bad samples that it would pass or be unsure of.
    pub escape: Option<Rate>,
}

/// The figures of one kind of defect.
#[derive(Debug, Clone, Serialize)]
pub struct KindFigures {
    /// Pictures.
    pub count: usize,
    /// Against all good samples, whichever the sense.
    pub auroc: Option<f64>,
    /// The same up to a false positive rate of 0.1, of sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pauc: Option<f64>,
    /// The first by sight and by hearing alone, of parts that are seen and heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<[Option<f64>; 2]>,
    /// Share that passed or is unsure.
    pub escape: Option<Rate>,
}

/// The figures of one worsening. All but `rest` count refused samples as rejected and rank them by the score they would have,
/// as [`Figures`] does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CorruptedFigures {
    /// Its name; [`CLEAN`](super::robust::CLEAN) for uncorrupted samples.
    pub worsening: &'static str,
    /// How far, in `unit`: see [`augment`](crate::augment). `None` where there is no more or less.
    pub level: Option<f64>,
    /// `/ 255` (steps of a byte), `/ 100` (quality), `%`, `EV`, `dB`, `ms` or `Hz`; empty where there is no level.
    pub unit: &'static str,
    /// Area under the ROC curve of the joint score, of parts that are seen and heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint_auroc: Option<f64>,
    /// The same of pictures; of parts that are seen and heard by what is seen alone, where it is.
    pub image_auroc: Option<f64>,
    /// The same of sounds.
    pub audio_auroc: Option<f64>,
    /// Per-region overlap up to a false positive rate of 30 %; not of patches. Of parts that are seen and heard, over those
    /// that were seen.
    pub aupro: Option<f64>,
    /// Good samples that failed or were refused.
    pub overkill: Option<Rate>,
    /// Bad samples that passed or are unsure.
    pub escape: Option<Rate>,
    /// Good and bad samples that a person was asked about.
    pub unsure: [usize; 2],
    /// Good and bad samples that were refused.
    pub invalid: [usize; 2],
    /// Good and bad samples with one modality missing or invalid, so that the other decided.
    pub degraded: [usize; 2],
    /// Why samples or senses of them were refused, and how often.
    pub reasons: BTreeMap<ReasonCode, usize>,
    /// How those that were not refused were judged.
    pub rest: Rest,
    /// How all were worded, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<WordFigures>,
}

/// The figures of what was not refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rest {
    /// Good and bad samples.
    pub judged: [usize; 2],
    /// Area under the ROC curve of the score; of parts that are seen and heard the joint one.
    pub auroc: Option<f64>,
    /// Good samples that failed.
    pub overkill: Option<Rate>,
    /// Bad samples that passed or are unsure.
    pub escape: Option<Rate>,
}
