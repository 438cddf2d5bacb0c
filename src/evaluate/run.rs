//! Judges a data set with a taught part and adds up how well that went.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::dataset::{Dataset, Sample};
use super::figures::{AloneFigures, Figures, KindFigures};
use super::interval::{CONFIDENCE, auroc_interval};
use super::judged::{Judged, Scored, Seen, strangeness};
use super::latency::{latency, peak_memory_mb};
use super::metrics::{
    self, MOST_FALSE_POSITIVES, PixelMetrics, Threshold, auroc, escape, f1_max, overkill, partial_auroc,
};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::Sense;
use crate::report::{Report, Verdict};
use crate::sample::Frame;

/// Side at which pixel figures are computed, at most: finer only repeats what the heatmap knows.
const PIXEL_SIDE: usize = 512;

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

/// Score and whether it rejects, by one sense alone; where the part does not know it, by all. A sense that cannot judge
/// rejects, and has the score 0.
fn by_one(report: &Report, sense: Sense) -> (f64, bool) {
    let rejects = |verdict: Verdict| matches!(verdict, Verdict::Fail | Verdict::Invalid);
    match report.sense(sense) {
        Some(own) => (f64::from(own.score), rejects(own.verdict)),
        None => (f64::from(report.score), rejects(report.verdict)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;

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
}
