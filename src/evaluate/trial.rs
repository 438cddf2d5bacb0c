//! One way to run an encoder, tried: provider, precision and threads → what it took, how long it takes, and whether it still
//! computes what the reference does. The parity gate of `eyear prepare`.
//!
//! Three things are held against the reference. The feature maps of the package's golden input, against those that
//! the training framework wrote down. And, because a map that is alike may still score otherwise, a score and a heatmap: the
//! golden input mirrored, by the distance of each of its cells from the nearest cell of the input as it was, once by
//! the way that is tried and once by ONNX Runtime's own CPU kernels in the same precision.

use std::time::Instant;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::run::{Latency, latency, peak_memory_mb};
use crate::backend::{Backend, Options};
use crate::encode::MapEncoder;
use crate::error::Result;
use crate::manifest::{Manifest, Precision, Sense};
use crate::memory::search::{Index, Nearest};

/// Least cosine similarity with the golden maps, where the package names none.
const LEAST_SIMILARITY: f32 = 0.99;
/// Most that a score may be off, as a share of the CPU's. A part's limit is about twice the typical score of its good samples,
/// so that this moves none across it that was not at it.
const MOST_SCORE_OFF: f32 = 0.02;
/// Most that a cell of the heatmap may be off, as a share of the CPU's score.
const MOST_MAP_OFF: f32 = 0.1;

/// What came of a way to run an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Milliseconds until the session stood and had run once: engines are built in it.
    pub load_ms: f64,
    /// Milliseconds of a run at the package's input size.
    pub run_ms: Latency,
    /// Provider and how many nodes it took.
    pub placement: Vec<(String, usize)>,
    /// What was asked for and did not come to be.
    pub notices: Vec<String>,
    /// Least cosine similarity with a golden map.
    pub similarity: f32,
    /// Least that the package allows.
    pub least_similarity: f32,
    /// How much the score is off, as a share of that by the CPU.
    pub score_off: f32,
    /// How much the heatmap is off at most, as a share of the score by the CPU.
    pub map_off: f32,
    /// Most memory that the process ever held, in megabytes.
    pub peak_memory_mb: Option<f64>,
}

impl Trial {
    /// Why it may not be used, if so.
    pub fn refused(&self, memory_mb: Option<u64>) -> Option<String> {
        let percent = |share: f32| 100.0 * share;
        let memory = self.peak_memory_mb.zip(memory_mb).filter(|(took, most)| *took > *most as f64);
        if let Some(notice) = self.notices.first() {
            return Some(notice.clone());
        }
        if self.similarity.is_nan() || self.similarity < self.least_similarity {
            let (similarity, least) = (self.similarity, self.least_similarity);
            return Some(format!("its maps are like the reference's by {similarity:.4}, at least {least} is wanted"));
        }
        if self.score_off.is_nan() || self.score_off > MOST_SCORE_OFF {
            let (off, most) = (percent(self.score_off), percent(MOST_SCORE_OFF));
            return Some(format!("its score is off by {off:.1} %, at most {most:.0} % is allowed"));
        }
        if self.map_off.is_nan() || self.map_off > MOST_MAP_OFF {
            let (off, most) = (percent(self.map_off), percent(MOST_MAP_OFF));
            return Some(format!("its heatmap is off by {off:.1} % of the score, at most {most:.0} % is allowed"));
        }
        memory.map(|(took, most)| format!("it takes {took:.0} MB, the board allows {most}"))
    }
}

/// Tries to run the encoder of `sense` so, `rounds` times.
///
/// # Errors
/// As [`MapEncoder::load`]; [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where a provider is required and
/// cannot be used.
pub fn run(
    manifest: &Manifest,
    sense: Sense,
    precision: Precision,
    backend: &dyn Backend,
    options: &Options,
    rounds: usize,
) -> Result<Trial> {
    let start = Instant::now();
    let mut encoder = MapEncoder::load(manifest, sense, precision, backend, options)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        encoder.encode()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let peak_memory_mb = peak_memory_mb();
    let similarity = encoder.golden_similarity(manifest)?.into_iter().fold(1.0, f32::min);
    let mut cpu = MapEncoder::load(manifest, sense, precision, backend, &options.on_cpu())?;
    let [ours, theirs] = [distances(&mut encoder, manifest)?, distances(&mut cpu, manifest)?];
    let [own, reference] = [&ours, &theirs].map(|map| map.iter().copied().fold(0.0, f32::max));
    let map_off = ours.iter().zip(&theirs).map(|(own, other)| (own - other).abs()).fold(0.0, f32::max) / reference;
    let golden = &encoder.spec().golden;
    Ok(Trial {
        load_ms,
        run_ms: latency(&mut times),
        placement: encoder.placement().iter().map(|p| (p.provider.clone(), p.nodes)).collect(),
        notices: encoder.notices().to_vec(),
        similarity,
        least_similarity: golden.tolerance.get(&precision).copied().unwrap_or(LEAST_SIMILARITY),
        score_off: (own - reference).abs() / reference,
        map_off,
        peak_memory_mb,
    })
}

/// Distance of each cell of the mirrored golden input from the nearest one of the input itself, by the first map.
fn distances(encoder: &mut MapEncoder, manifest: &Manifest) -> Result<Vec<f32>> {
    let (pixels, [height, width]) = encoder.golden_input(manifest)?;
    let own = encoder.size();
    encoder.resize(height, width)?;
    let channels = encoder.spec().outputs[0].channels;
    let mut cells = |pixels: &[f32]| -> Result<Vec<f32>> {
        encoder.input_mut()?.copy_from_slice(pixels);
        encoder.encode()?;
        let map = encoder.map(0)?;
        let area = map.len() / channels;
        Ok((0..area).flat_map(|cell| (0..channels).map(move |channel| map[channel * area + cell])).collect())
    };
    let bank = cells(&pixels)?;
    let mut mirrored = pixels;
    mirrored.chunks_exact_mut(width).for_each(<[f32]>::reverse);
    let queries = cells(&mirrored)?;
    encoder.resize(own[0], own[1])?;
    let area = bank.len() / channels;
    // The shape is that of what was just gathered.
    let Ok(bank) = ArrayView2::from_shape((area, channels), &bank) else { return Ok(Vec::new()) };
    let mut nearest = vec![Nearest::default(); area];
    Index::new(bank).search(&queries, &mut nearest);
    Ok(nearest.iter().map(|nearest| nearest.distance).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BACKENDS;

    fn trial() -> Trial {
        Trial {
            load_ms: 100.0,
            run_ms: Latency { p50: 5.0, p95: 6.0, p99: 7.0 },
            placement: vec![("CPUExecutionProvider".into(), 10)],
            notices: Vec::new(),
            similarity: 0.999,
            least_similarity: 0.99,
            score_off: 0.001,
            map_off: 0.01,
            peak_memory_mb: Some(100.0),
        }
    }

    #[test]
    fn the_gate_tells_which_bound_was_broken() {
        assert_eq!(trial().refused(Some(200)), None);
        let refused = |change: fn(&mut Trial), words: &str| {
            let mut trial = trial();
            change(&mut trial);
            let why = trial.refused(Some(200)).unwrap();
            assert!(why.contains(words), "{why}");
        };
        refused(|trial| trial.similarity = 0.98, "maps");
        refused(|trial| trial.similarity = f32::NAN, "maps");
        refused(|trial| trial.score_off = 0.03, "score is off by 3.0 %");
        refused(|trial| trial.score_off = f32::NAN, "score");
        refused(|trial| trial.map_off = 0.2, "heatmap");
        refused(|trial| trial.peak_memory_mb = Some(201.0), "the board allows 200");
        refused(|trial| trial.notices.push("provider `x` took no node".into()), "took no node");
    }

    #[test]
    fn the_cpu_beside_itself_is_off_by_nothing() {
        let manifest = Manifest::find("vision-lite0").unwrap();
        let options = Options { threads: 1, ..Options::default() };
        let trial = run(&manifest, Sense::Image, Precision::Int8, BACKENDS[0], &options, 3).unwrap();
        assert_eq!((trial.score_off, trial.map_off), (0.0, 0.0));
        assert_eq!(trial.refused(None), None);
        assert!(trial.similarity < 1.0 && trial.run_ms.p50 > 0.0 && trial.load_ms > 0.0);
        assert_eq!(trial.placement.len(), 1);
        // What is compared is not nought beside nought.
        let mut encoder = MapEncoder::load(&manifest, Sense::Image, Precision::Int8, BACKENDS[0], &options).unwrap();
        let mut far = distances(&mut encoder, &manifest).unwrap();
        far.sort_by(f32::total_cmp);
        assert!(far[far.len() - 1] > 2.0 * far[far.len() / 2] && far[far.len() / 2] > 0.0);
    }
}
