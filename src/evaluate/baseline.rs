//! What is asked of a method that hears: to be better than what needs no encoder. Two baselines on the log-mel alone, told
//! the same good sounds and judging the same samples; reading these and printing are left to the caller.
//!
//! Both see the sound as the baseline of DCASE 2020 Task 2 does (Koizumi et al. 2020): one channel at 16 kHz, 128 mel
//! bands up to 8 kHz, frames of 64 ms each 32 ms, in dB, with their levels.
//!
//! - **Mahalanobis**: each sound is the mean of its frames, `f64[128]`; its score is the Mahalanobis distance from the good
//!   ones, whose covariance is shrunk towards a multiple of the identity as Ledoit and Wolf (2004) derive.
//! - **Nearest neighbours**: each five frames in a row are a vector, `f32[640]`, as that baseline's autoencoder takes; its
//!   score is the mean Euclidean distance to the five nearest of the good ones, of which 8192 are kept, drawn evenly. That
//!   of a sound is the mean over all its vectors, as in DCASE (`knn`); because a short knock drowns in a mean, the greatest
//!   is told beside it (`knn_max`).
//!
//! Of a method that watches the same is asked by one on how much moves alone: each clip is the mean motion of each of its
//! steps, `f64[steps]`, and its score the Mahalanobis distance from the good ones, shrunk alike.

use std::collections::BTreeMap;

use nalgebra::DVector;
use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use serde::Serialize;

use super::dataset::{Dataset, Sample};
use super::metrics::{MOST_FALSE_POSITIVES, auroc, partial_auroc};
use super::windows;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::mahalanobis::Mahalanobis;
use crate::prepare::mel::{Mel, MelSpec};
use crate::prepare::resample::Resampler;
use crate::random::Random;
use crate::sample::Sound;

const SPEC: MelSpec = MelSpec { rate: 16_000, window: 1024, hop: 512, bands: 128, low_hz: 0.0, high_hz: 8000.0 };
/// Frames of a vector.
const FRAMES: usize = 5;
/// Good vectors that are kept, at most.
const MOST_VECTORS: usize = 8192;
/// Neighbours whose distances are averaged.
const NEIGHBOURS: usize = 5;

/// The names of the scores.
pub const NAMES: [&str; 3] = ["mahalanobis", "knn", "knn_max"];

/// The figures of one baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineFigures {
    /// Area under the ROC curve, of sounds.
    pub audio_auroc: Option<f64>,
    /// The same up to a false positive rate of 0.1.
    pub audio_pauc: Option<f64>,
    /// Area under the ROC curve, of clips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_auroc: Option<f64>,
    /// Each kind of bad samples against all good ones.
    pub per_kind: BTreeMap<String, BaselineKind>,
}

/// The figures of one baseline for one kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BaselineKind {
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
    /// The same up to a false positive rate of 0.1.
    pub pauc: Option<f64>,
}

/// Both baselines, taught.
pub struct Baselines {
    usual: Mahalanobis,
    /// What is taken from every vector, so that single precision is enough: `f32[640]`.
    centre: Array1<f32>,
    /// `f32[vectors, 640]`, with their squares.
    vectors: Array2<f32>,
    squares: Vec<f32>,
}

impl Baselines {
    /// Teaches both from good sounds.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when there is no sound, or one is shorter than five frames (0.2 s) or holds what is no number.
    pub fn learn(sounds: impl Iterator<Item = Result<Sound>>) -> Result<Self> {
        let mut means: Vec<DVector<f64>> = Vec::new();
        let mut kept: Vec<Vec<f32>> = Vec::new();
        // Reservoir sampling (Vitter 1985): each vector of all is as likely to be kept.
        let (mut random, mut seen) = (Random::new(0), 0usize);
        for sound in sounds {
            let heard = LogMel::of(&sound?)?;
            means.push(heard.mean());
            for vector in heard.vectors().rows() {
                seen += 1;
                if kept.len() < MOST_VECTORS {
                    kept.push(vector.to_vec());
                } else if let Some(place) = kept.get_mut(random.below(seen)) {
                    *place = vector.to_vec();
                }
            }
        }
        let none = || Error::new(ErrorKind::Input, "no good sound that can be read: the baselines were taught nothing");
        let wide = SPEC.bands * FRAMES;
        let mut vectors = Array2::from_shape_fn((kept.len(), wide), |(i, j)| kept[i][j]);
        let centre = vectors.mean_axis(Axis(0)).ok_or_else(none)?;
        vectors -= &centre;
        let squares = vectors.rows().into_iter().map(|row| row.dot(&row)).collect();
        let usual = Mahalanobis::learn(&means, 0.0).ok_or_else(none)?;
        Ok(Self { usual, centre, vectors, squares })
    }

    /// The scores of a sound, in the order of [`NAMES`]: higher is stranger.
    ///
    /// # Errors
    /// As [`Baselines::learn`].
    pub fn scores(&self, sound: &Sound) -> Result<[f64; 3]> {
        let heard = LogMel::of(sound)?;
        let mahalanobis = self.usual.distance(&heard.mean());
        let asked = heard.vectors() - &self.centre;
        let products = asked.dot(&self.vectors.t());
        let distances: Vec<f64> = (0..asked.nrows())
            .into_par_iter()
            .map(|i| {
                let own = asked.row(i).dot(&asked.row(i));
                let square = |(product, square): (&f32, &f32)| (own + square - 2.0 * product).max(0.0);
                let mut squares: Vec<f32> = products.row(i).iter().zip(&self.squares).map(square).collect();
                let near = NEIGHBOURS.min(squares.len());
                squares.select_nth_unstable_by(near - 1, f32::total_cmp);
                squares[..near].iter().map(|square| f64::from(square.sqrt())).sum::<f64>() / near as f64
            })
            .collect();
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        Ok([mahalanobis, mean, distances.iter().copied().fold(0.0, f64::max)])
    }
}

/// Teaches both from the sounds `taught` and judges `dataset.test` by them. `heard` brings the sound of a sample, in as
/// many windows as it is judged by: a sample is as strange as the strangest of them.
///
/// # Errors
/// As [`Baselines::learn`]; those of `heard`.
pub fn run(
    taught: impl Iterator<Item = Result<Sound>>,
    dataset: &Dataset,
    heard: &dyn Fn(&Sample) -> Result<Vec<Sound>>,
    progress: &dyn Fn(),
) -> Result<BTreeMap<&'static str, BaselineFigures>> {
    let baselines = Baselines::learn(taught)?;
    let mut scores: [Vec<f64>; NAMES.len()] = Default::default();
    for sample in &dataset.test {
        let windows = heard(sample)?.iter().map(|sound| baselines.scores(sound)).collect::<Result<Vec<_>>>()?;
        for (of_all, i) in scores.iter_mut().zip(0..) {
            of_all.push(windows::greatest(windows.iter().map(|scores| scores[i])).unwrap_or(0.0));
        }
        progress();
    }
    let figures = |scores: &[f64]| figures(&dataset.test, scores);
    NAMES.into_iter().zip(&scores).map(|(name, scores)| Ok((name, figures(scores)?))).collect()
}

/// Teaches the baseline of clips from those `taught`, and judges `dataset.test` by it. Each brings how much moves in each
/// step, of which all have as many.
///
/// # Errors
/// [`ErrorKind::Input`] when nothing is taught; those of `taught` and `motion`.
pub fn run_clips(
    taught: impl Iterator<Item = Result<Vec<f64>>>,
    dataset: &Dataset,
    motion: &dyn Fn(&Sample) -> Result<Vec<f64>>,
    progress: &dyn Fn(),
) -> Result<BTreeMap<&'static str, BaselineFigures>> {
    let taught = taught.map(|steps| Ok(DVector::from_vec(steps?))).collect::<Result<Vec<_>>>()?;
    let none = || Error::new(ErrorKind::Input, "no good clip that can be read: the baseline was taught nothing");
    let usual = Mahalanobis::learn(&taught, 0.0).ok_or_else(none)?;
    let mut scores = Vec::with_capacity(dataset.test.len());
    for sample in &dataset.test {
        scores.push(usual.distance(&DVector::from_vec(motion(sample)?)));
        progress();
    }
    let figures = figures(&dataset.test, &scores)?;
    let clip_auroc = figures.audio_auroc;
    let figures = BaselineFigures { audio_auroc: None, audio_pauc: None, clip_auroc, ..figures };
    Ok(BTreeMap::from([(NAMES[0], figures)]))
}

/// AUROC and pAUC of some scores, of all bad samples and of each kind.
fn figures(samples: &[Sample], scores: &[f64]) -> Result<BaselineFigures> {
    let of = |kind: Option<&str>| -> Result<BaselineKind> {
        let counts = |sample: &Sample| !sample.is_bad || kind.is_none_or(|kind| kind == sample.kind);
        let (scores, is_bad): (Vec<f64>, Vec<bool>) = scores
            .iter()
            .zip(samples)
            .filter(|(_, sample)| counts(sample))
            .map(|(s, sample)| (*s, sample.is_bad))
            .unzip();
        let pauc = partial_auroc(&scores, &is_bad, MOST_FALSE_POSITIVES)?;
        Ok(BaselineKind { auroc: auroc(&scores, &is_bad)?, pauc })
    };
    let mut per_kind = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.is_bad) {
        if !per_kind.contains_key(&sample.kind) {
            per_kind.insert(sample.kind.clone(), of(Some(&sample.kind))?);
        }
    }
    let BaselineKind { auroc, pauc } = of(None)?;
    Ok(BaselineFigures { audio_auroc: auroc, audio_pauc: pauc, clip_auroc: None, per_kind })
}

/// The log-mel of a sound, `f32[bands, frames]`.
struct LogMel {
    level: Vec<f32>,
    frames: usize,
}

impl LogMel {
    fn of(sound: &Sound) -> Result<Self> {
        let mut mono = Vec::new();
        Resampler::new(sound.rate(), sound.channels(), SPEC.rate)?.run(sound.samples(), &mut mono)?;
        let mut mel = Mel::new(SPEC)?;
        let frames = mel.frames(mono.len());
        if frames < FRAMES {
            let (has, wants) = (sound.duration().as_secs_f64(), SPEC.window + (FRAMES - 1) * SPEC.hop);
            let wants = wants as f64 / f64::from(SPEC.rate);
            let what = format!("a sound of {has:.3} s is too short for the baselines, which want {wants:.3} s");
            return Err(Error::new(ErrorKind::Input, what));
        }
        let mut level = vec![0.0; SPEC.bands * frames];
        mel.run(&mono, &mut level)?;
        Ok(Self { level, frames })
    }

    fn mean(&self) -> DVector<f64> {
        let bands = self.level.chunks_exact(self.frames);
        let mean = bands.map(|band| band.iter().map(|&db| f64::from(db)).sum::<f64>() / self.frames as f64);
        DVector::from_iterator(SPEC.bands, mean)
    }

    /// `f32[frames - 4, 640]`: frame by frame, the bands of each.
    fn vectors(&self) -> Array2<f32> {
        let at = |i: usize, j: usize| self.level[j % SPEC.bands * self.frames + i + j / SPEC.bands];
        Array2::from_shape_fn((self.frames + 1 - FRAMES, SPEC.bands * FRAMES), |(i, j)| at(i, j))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of a seed, `gain` as loud as usual, with a tone or a click if asked.
    fn sound(seed: u64, gain: f64, tone: f64, click: f64) -> Sound {
        let mut random = Random::new(seed);
        let samples: Vec<f32> = (0..32_000)
            .map(|i| {
                let tone = tone * (f64::from(i) * 0.9).sin();
                let click = if (16_000..16_200).contains(&i) { click * random.normal() } else { 0.0 };
                (gain * 0.05 * random.normal() + tone + click) as f32
            })
            .collect();
        Sound::new(samples, 16_000, 1).unwrap()
    }

    fn taught() -> Baselines {
        Baselines::learn((0..12).map(|seed| Ok(sound(seed, 1.0, 0.0, 0.0)))).unwrap()
    }

    #[test]
    fn what_is_strange_scores_above_what_is_not() {
        let baselines = taught();
        let good = baselines.scores(&sound(100, 1.0, 0.0, 0.0)).unwrap();
        let tone = baselines.scores(&sound(101, 1.0, 0.05, 0.0)).unwrap();
        let louder = baselines.scores(&sound(102, 2.0, 0.0, 0.0)).unwrap();
        for i in 0..3 {
            assert!(tone[i] > 1.1 * good[i] && louder[i] > 1.1 * good[i], "{good:?} {tone:?} {louder:?}");
        }
        // A click is lost in the mean over time, not in the greatest.
        let click = baselines.scores(&sound(103, 1.0, 0.0, 0.5)).unwrap();
        assert!(click[2] > 1.5 * good[2] && click[1] < 1.2 * good[1], "{good:?} {click:?}");
    }

    #[test]
    fn a_distance_is_that_to_the_five_nearest_vectors() {
        let baselines = taught();
        let asked = sound(7, 1.1, 0.0, 0.0);
        let vectors = LogMel::of(&asked).unwrap().vectors();
        let apart = |i: usize, j: usize| {
            let other = &baselines.vectors.row(j) + &baselines.centre;
            (&vectors.row(i) - &other).iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
        };
        let of = |i: usize| {
            let mut all: Vec<f64> = (0..baselines.vectors.nrows()).map(|j| apart(i, j)).collect();
            all.sort_by(f64::total_cmp);
            all[..5].iter().sum::<f64>() / 5.0
        };
        let expected: Vec<f64> = (0..vectors.nrows()).map(of).collect();
        let [_, mean, most] = baselines.scores(&asked).unwrap();
        assert!((mean - expected.iter().sum::<f64>() / expected.len() as f64).abs() < 1e-3);
        assert!((most - expected.iter().copied().fold(0.0, f64::max)).abs() < 1e-3);
    }

    #[test]
    fn figures_are_those_of_each_kind_against_all_good_ones() {
        let sample =
            |kind: &str, is_bad| Sample { path: "x.wav".into(), kind: kind.into(), is_bad, fault: None, mask: None };
        let samples = [sample("good", false), sample("good", false), sample("rub", true), sample("hum", true)];
        let figures = figures(&samples, &[1.0, 3.0, 4.0, 2.0]).unwrap();
        assert_eq!(figures.audio_auroc, Some(0.75));
        assert_eq!(figures.per_kind["rub"].auroc, Some(1.0));
        assert_eq!(figures.per_kind["hum"].auroc, Some(0.5));
    }

    #[test]
    fn what_is_too_short_or_nothing_is_refused() {
        let short = Sound::new(vec![0.1; 2400], 16_000, 1).unwrap();
        let error = taught().scores(&short).unwrap_err();
        assert_eq!(error.message(), "a sound of 0.150 s is too short for the baselines, which want 0.192 s");
        assert!(Baselines::learn(std::iter::empty()).err().unwrap().message().starts_with("no good sound"));
    }
}
