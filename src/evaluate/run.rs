//! Judges a data set with a taught part and adds up how well that went.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::baseline::BaselineFigures;
use super::dataset::{Dataset, Sample};
use super::interval::{Interval, Rate, auroc_interval};
use super::metrics::{self, PixelMetrics, Threshold, auroc, escape, f1_max, overkill, partial_auroc};
use super::robust::Worsened;
use super::words::WordFigures;
use crate::error::{Error, ErrorKind, Result};
use crate::fuse;
use crate::inspect::evidence::Evidence;
use crate::manifest::Sense;
use crate::report::{Report, Verdict};
use crate::sample::Frame;

/// The false positive rate up to which the partial AUROC of sounds goes, as in DCASE.
pub(super) const MOST_FALSE_POSITIVES: f64 = 0.1;
/// Confidence of every interval.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Side at which pixel figures are computed, at most: finer only repeats what the heatmap knows.
const PIXEL_SIDE: usize = 512;

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
    /// How well the samples are told in words, where that is asked for.
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
    pub robust: Option<Vec<Worsened>>,
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

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// One judged sample, for the page of the worst misses.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it was.
    pub sample: Sample,
    /// What was said of it.
    pub report: Report,
}

/// One judged sample in numbers, as a line of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Scored {
    /// Where it lies.
    pub file: String,
    /// [`GOOD`](super::dataset::GOOD), the kind of its defect, or the fault that was mixed in.
    pub kind: String,
    /// Whether it should be rejected.
    pub bad: bool,
    /// What was said of it.
    pub verdict: Verdict,
    /// What it is ranked by, and compared with a [`Threshold`].
    pub score: f64,
    /// The score at which the part fails it.
    pub limit: f32,
    /// Share of good parts at least as anomalous, (0, 1].
    pub p_value: f64,
}

/// What came of a data set.
#[derive(Debug)]
pub struct Evaluation {
    /// The figures of the samples that could be read.
    pub figures: Figures,
    /// These samples.
    pub judged: Vec<Judged>,
    /// The same in numbers, in the same order.
    pub scored: Vec<Scored>,
    /// What each threshold on the score would do to them, the highest first.
    pub thresholds: Vec<Threshold>,
    /// Those that could not be, or whose masks could not be, with the reason.
    pub unreadable: Vec<(Sample, Error)>,
}

/// A sample that was judged.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its image, where there is one.
    pub frame: Option<Frame>,
    /// What was said of it.
    pub report: Report,
    /// What the model that words reports is shown of it; empty where no words are asked for.
    pub evidence: Vec<(Sense, Evidence)>,
}

/// Judges `dataset.test`. `judge` reads a sample and judges it; `mask` reads a mask; `progress` is called after each.
///
/// # Errors
/// A failing runtime; a sample that cannot be read is left out and told.
pub fn run(
    dataset: &Dataset,
    taught: usize,
    judge: &mut dyn FnMut(&Sample) -> Result<Seen>,
    mask: &dyn Fn(&Path) -> Result<Frame>,
    progress: &dyn Fn(),
) -> Result<Evaluation> {
    let mut pixels = PixelMetrics::new();
    let mut judged = Vec::new();
    let mut unreadable = Vec::new();
    let mut times = Vec::new();
    for sample in &dataset.test {
        let start = Instant::now();
        let seen = judge(sample);
        let time = start.elapsed().as_secs_f64() * 1e3;
        let seen = seen.and_then(|seen| {
            let mask = sample.mask.as_deref().map(mask).transpose()?;
            of_one_shape(sample, seen.frame.as_ref(), mask.as_ref())?;
            Ok((seen, mask))
        });
        let (Seen { frame, report, .. }, mask) = match seen {
            Err(error) if matches!(error.kind(), ErrorKind::Input | ErrorKind::Io) => {
                unreadable.push((sample.clone(), error));
                progress();
                continue;
            }
            // A runtime that fails does not know on what.
            seen => seen.map_err(|error| of_sample(sample, error))?,
        };
        times.push(time);
        let frame = frame.filter(|_| !sample.is_bad || sample.mask.is_some());
        if let (Some(frame), Some(own)) = (frame, report.sense(Sense::Image)) {
            let shrink = (PIXEL_SIDE as f64 / frame.width().max(frame.height()) as f64).min(1.0);
            let side = |pixels: usize| ((pixels as f64 * shrink) as usize).max(1);
            let (width, height) = (side(frame.width()), side(frame.height()));
            let mut heat = Vec::new();
            let from = [own.heatmap.rows, own.heatmap.columns];
            crate::memory::features::interpolate(&own.heatmap.values, from, [height, width], &mut heat);
            let mask = mask.map(|mask| {
                let at = |i: usize, to: usize, from: usize| (2 * i + 1) * from / (2 * to);
                let bad =
                    |x: usize, y: usize| mask.rgb(at(x, width, mask.width()), at(y, height, mask.height())) != [0; 3];
                (0..width * height).map(|i| bad(i % width, i / width)).collect::<Vec<bool>>()
            });
            pixels.add(&heat, mask.as_deref(), width, height)?;
        }
        judged.push(Judged { sample: sample.clone(), report });
        progress();
    }
    let pixel = pixels.finish();
    let has_masks = dataset.test.iter().any(|sample| sample.mask.is_some());
    let paired = dataset.is_paired();
    let scores: Vec<f64> = judged.iter().map(|j| strangeness(&j.report, paired)).collect();
    let is_bad: Vec<bool> = judged.iter().map(|j| j.sample.is_bad).collect();
    let rejected: Vec<bool> =
        judged.iter().map(|j| matches!(j.report.verdict, Verdict::Fail | Verdict::Invalid)).collect();
    let bad = is_bad.iter().filter(|bad| **bad).count();
    let area = auroc(&scores, &is_bad)?;
    let sense = dataset.sense();
    let heard = sense == Sense::Sound;
    let partial = |scores: &[f64], is_bad: &[bool]| match heard || paired {
        true => partial_auroc(scores, is_bad, MOST_FALSE_POSITIVES),
        false => Ok(None),
    };
    let interval = match area {
        Some(auroc) => auroc_interval(auroc, (judged.len() - bad) as u64, bad as u64, CONFIDENCE)?,
        None => None,
    };
    let senses =
        [Sense::Image, Sense::Sound].map(|of| judged.iter().map(|j| by_one(&j.report, of)).collect::<Vec<_>>());
    let mut alone = BTreeMap::new();
    for (name, sense) in ["sight", "hearing"].into_iter().zip(&senses).filter(|_| paired) {
        let (scores, rejected): (Vec<f64>, Vec<bool>) = sense.iter().copied().unzip();
        let figures = AloneFigures {
            auroc: auroc(&scores, &is_bad)?,
            pauc: partial(&scores, &is_bad)?,
            f1_max: f1_max(&scores, &is_bad)?.map(|best| best.f1),
            overkill: overkill(&rejected, &is_bad, CONFIDENCE)?,
            escape: escape(&rejected, &is_bad, CONFIDENCE)?,
        };
        alone.insert(name, figures);
    }
    let of_sense = |sense: &str| alone.get(sense).and_then(|figures: &AloneFigures| figures.auroc);
    let mut per_kind = BTreeMap::new();
    let kinds: std::collections::BTreeSet<&str> =
        judged.iter().filter(|j| j.sample.is_bad).map(|j| j.sample.kind.as_str()).collect();
    for kind in kinds {
        let keep: Vec<usize> = (0..judged.len()).filter(|&i| !is_bad[i] || judged[i].sample.kind == kind).collect();
        let pick = |values: &[bool]| keep.iter().map(|&i| values[i]).collect::<Vec<bool>>();
        let kind_scores: Vec<f64> = keep.iter().map(|&i| scores[i]).collect();
        let of_alone = |sense: &[(f64, bool)]| {
            let scores: Vec<f64> = keep.iter().map(|&i| sense[i].0).collect();
            auroc(&scores, &pick(&is_bad))
        };
        let [sight, hearing] = &senses;
        let figures = KindFigures {
            alone: if paired { Some([of_alone(sight)?, of_alone(hearing)?]) } else { None },
            count: keep.iter().filter(|&&i| is_bad[i]).count(),
            auroc: auroc(&kind_scores, &pick(&is_bad))?,
            pauc: partial(&kind_scores, &pick(&is_bad))?,
            escape: escape(&pick(&rejected), &pick(&is_bad), CONFIDENCE)?,
        };
        per_kind.insert(kind.to_string(), figures);
    }
    let figures = Figures {
        dataset: dataset.name.clone(),
        taught,
        judged: [judged.len() - bad, bad],
        unreadable: unreadable.len(),
        joint_auroc: area.filter(|_| paired),
        joint_pauc: partial(&scores, &is_bad)?.filter(|_| paired),
        image_auroc: if paired { of_sense("sight") } else { area.filter(|_| sense == Sense::Image) },
        audio_auroc: if paired { of_sense("hearing") } else { area.filter(|_| heard) },
        audio_pauc: match alone.get("hearing") {
            Some(hearing) => hearing.pauc,
            None => partial(&scores, &is_bad)?,
        },
        clip_auroc: area.filter(|_| sense == Sense::Clip),
        auroc_interval: interval,
        pixel_auroc: pixel.pixel_auroc.filter(|_| has_masks),
        aupro: pixel.aupro.filter(|_| has_masks),
        f1_max: f1_max(&scores, &is_bad)?.map(|best| best.f1),
        overkill: overkill(&rejected, &is_bad, CONFIDENCE)?,
        escape: escape(&rejected, &is_bad, CONFIDENCE)?,
        unsure: [false, true].map(|bad| {
            let unsure = |j: &&Judged| j.report.verdict == Verdict::Unsure && j.sample.is_bad == bad;
            judged.iter().filter(unsure).count()
        }),
        invalid: judged.iter().filter(|j| j.report.verdict == Verdict::Invalid).count(),
        per_kind,
        images_per_s: 1e3 * times.len() as f64 / times.iter().sum::<f64>().max(1e-9),
        latency_ms: latency(&mut times),
        peak_memory_mb: peak_memory_mb(),
        words: None,
        alone,
        baselines: None,
        robust: None,
    };
    let scored = judged.iter().map(|judged| Scored::of(judged, paired)).collect();
    let thresholds = metrics::thresholds(&scores, &is_bad)?;
    Ok(Evaluation { figures, judged, scored, thresholds, unreadable })
}

impl Scored {
    fn of(Judged { sample, report }: &Judged, paired: bool) -> Self {
        Self {
            file: sample.path.display().to_string(),
            kind: sample.kind.clone(),
            bad: sample.is_bad,
            verdict: report.verdict,
            score: strangeness(report, paired),
            limit: report.limit,
            p_value: report.p_value,
        }
    }
}

/// The error with the sample that it came of.
fn of_sample(sample: &Sample, error: Error) -> Error {
    Error::caused(error.kind(), sample.path.display().to_string(), error)
}

/// Refuses a mask that could only be stretched over its picture: it may be coarser or finer, not of another shape.
fn of_one_shape(sample: &Sample, frame: Option<&Frame>, mask: Option<&Frame>) -> Result<()> {
    let (Some(frame), Some(mask), Some(path)) = (frame, mask, &sample.mask) else { return Ok(()) };
    let [width, height] = [frame.width(), frame.height()];
    let [across, down] = [mask.width(), mask.height()];
    // Half a pixel of the coarser one is lost in rounding.
    if (across * height).abs_diff(width * down) <= width.max(height).max(across).max(down) {
        return Ok(());
    }
    let what = format!(
        "{}: expected the shape of its picture, {width} x {height} pixels, found {across} x {down}",
        path.display()
    );
    Err(Error::new(ErrorKind::Input, what))
}

/// What samples are ranked by. Of a part that is seen and heard, one of which a sense is missing has the score of the other,
/// on another scale: its p-value is brought to that of both.
pub(super) fn strangeness(report: &Report, paired: bool) -> f64 {
    f64::from(if paired && report.degraded { fuse::score(report.p_value) } else { report.score })
}

/// Score and whether it rejects, by one sense alone; where the part does not know it, by all. A sense that cannot judge
/// rejects, and has the score 0.
fn by_one(report: &Report, sense: Sense) -> (f64, bool) {
    let rejects = |verdict: Verdict| matches!(verdict, Verdict::Fail | Verdict::Invalid);
    match report.sense(sense) {
        Some(own) => (f64::from(own.score), rejects(own.verdict)),
        None => (f64::from(report.score), rejects(report.verdict)),
    }
}

/// Percentiles of `times`, which are sorted in place; all nought when there are none.
pub fn latency(times: &mut [f64]) -> Latency {
    times.sort_by(f64::total_cmp);
    let quantile = |q: f64| times.get(((times.len().max(1) - 1) as f64 * q).round() as usize).copied().unwrap_or(0.0);
    Latency { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
}

/// High-water mark of this process's memory, where the system tells it (Linux).
pub fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;
    use crate::testing;

    #[test]
    fn a_mask_has_the_shape_of_its_picture() {
        let frame = |width: usize, height: usize| {
            Frame::new(vec![0; width * height], PixelFormat::Grey8, width, height).unwrap()
        };
        let sample = Sample {
            path: "a.png".into(),
            kind: "crack".into(),
            is_bad: true,
            fault: None,
            mask: Some("a_mask.png".into()),
        };
        let told = |mask: Frame| of_one_shape(&sample, Some(&frame(240, 180)), Some(&mask)).map_err(|e| e.to_string());
        assert_eq!((told(frame(240, 180)), told(frame(120, 90)), told(frame(80, 60))), (Ok(()), Ok(()), Ok(())));
        let expected = "a_mask.png: expected the shape of its picture, 240 x 180 pixels, found 180 x 240";
        assert_eq!(told(frame(180, 240)), Err(expected.into()));
    }

    #[test]
    fn a_failing_runtime_names_the_sample() {
        let sample = Sample { path: "a.png".into(), kind: "good".into(), is_bad: false, fault: None, mask: None };
        let dataset = Dataset { name: "set".into(), train_good: Vec::new(), test: vec![sample] };
        let mut judge = |_: &Sample| Err(Error::new(ErrorKind::Runtime, "`feat` holds a value that is not a number"));
        let mask = |_: &Path| Err(Error::new(ErrorKind::Input, "none"));
        let error = run(&dataset, 1, &mut judge, &mask, &|| ()).unwrap_err();
        assert_eq!(error.chain(), "a.png: `feat` holds a value that is not a number");
        assert_eq!(error.kind(), ErrorKind::Runtime);
    }

    #[test]
    fn a_part_that_lacks_a_sense_is_ranked_by_its_p_value() {
        let of = |score: f32, p_value: f64, degraded: bool| Report {
            score,
            p_value,
            degraded,
            ..testing::report(Verdict::Fail)
        };
        // By sound alone 9 is far, by both 2.3 is: both are one in a hundred.
        let (alone, both) = (of(9.0, 0.01, true), of(2.33, 0.01, false));
        assert!((strangeness(&alone, true) - strangeness(&both, true)).abs() < 0.01);
        assert_eq!(strangeness(&alone, false), 9.0);
    }
}
