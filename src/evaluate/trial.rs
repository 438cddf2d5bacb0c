//! One way to run an encoder or a decoder, tried: provider, precision and threads → what it took, how long it takes, and whether it
//! still computes what the reference does. The parity gate of `eyear prepare`.
//!
//! Three things are held against the reference. The feature maps of the package's golden input, against those that
//! the training framework wrote down. And, because a map that is alike may still score otherwise, a score and a heatmap: the
//! golden input mirrored, by the distance of each of its cells from the nearest cell of the input as it was, once by
//! the way that is tried and once by ONNX Runtime's own CPU kernels in the same precision. Of a decoder, what it says first to the
//! package's golden latents.

use std::time::Instant;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::latency::{Latency, latency, peak_memory_mb};
use crate::backend::{BACKENDS, Backend, Options};
use crate::decode::Decoder;
use crate::encode::MapEncoder;
use crate::error::{Error, Result};
use crate::memory::search::{Index, Nearest};
use crate::package::manifest::{Manifest, Precision, Sense};
use crate::tensor;

/// Least cosine similarity with the golden maps, where the package names none.
const LEAST_SIMILARITY: f32 = 0.99;
/// Most that a score may be off, as a share of the CPU's. A part's limit is about twice the typical score of its good samples,
/// so that this moves none across it that was not at it.
const MOST_SCORE_OFF: f32 = 0.02;
/// Tokens of a text, about as many as a report has.
const TOKENS: usize = 100;
/// Most that a cell of the heatmap may be off, as a share of the CPU's score.
const MOST_MAP_OFF: f32 = 0.1;

/// What came of a way to run a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Milliseconds until the session stood and had run once: engines are built in it.
    pub load_ms: f64,
    /// Milliseconds of a run at the package's input size; of a decoder, of a token.
    pub run_ms: Latency,
    /// Provider and how many nodes it took.
    pub placement: Vec<(String, usize)>,
    /// Nodes that were left to the CPU beside another provider, by operator and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// What was asked for and did not come to be.
    pub notices: Vec<String>,
    /// Least cosine similarity with a golden map, or with golden logits.
    pub similarity: f32,
    /// Least that the package allows.
    pub least_similarity: f32,
    /// How much the score is off, as a share of that by the CPU; of an encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_off: Option<f32>,
    /// How much the heatmap is off at most, as a share of the score by the CPU; of an encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map_off: Option<f32>,
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
        let beyond = |off: Option<f32>, most: f32| {
            off.filter(|off| off.is_nan() || *off > most).map(|off| (percent(off), percent(most)))
        };
        if let Some((off, most)) = beyond(self.score_off, MOST_SCORE_OFF) {
            return Some(format!("its score is off by {off:.1} %, at most {most:.0} % is allowed"));
        }
        if let Some((off, most)) = beyond(self.map_off, MOST_MAP_OFF) {
            return Some(format!("its heatmap is off by {off:.1} % of the score, at most {most:.0} % is allowed"));
        }
        memory.map(|(took, most)| format!("it takes {took:.0} MB, the board allows {most}"))
    }
}

/// Opens a package's encoder, or of a writer its decoder, and runs it once.
///
/// # Errors
/// As [`run`].
pub fn once(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: &Options) -> Result<()> {
    match manifest.encoders().next() {
        Some((sense, _)) => MapEncoder::load(manifest, sense, precision, backend, options).map(|_| ()),
        None => first_word(manifest, precision, backend, options).map(|_| ()),
    }
}

/// Tries to run a package's encoder, or of a writer its decoder, so, `rounds` times.
///
/// # Errors
/// As [`MapEncoder::load`] and [`Decoder::load`]; [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where a provider is
/// required and cannot be used.
pub fn run(
    manifest: &Manifest,
    precision: Precision,
    backend: &dyn Backend,
    options: &Options,
    rounds: usize,
) -> Result<Trial> {
    match manifest.encoders().next() {
        Some((sense, _)) => encoder(manifest, sense, precision, backend, options, rounds),
        None => decoder(manifest, precision, backend, options, rounds),
    }
}

/// A package's decoder that has read the golden latents, with the cosine similarity of what it says first to the golden logits.
fn first_word(
    manifest: &Manifest,
    precision: Precision,
    backend: &dyn Backend,
    options: &Options,
) -> Result<(Decoder, f32)> {
    let output = &manifest.language()?.fusion.golden.output;
    let recorded = manifest.load(output)?;
    let golden = |name: &str| Ok::<_, Error>(tensor::read(output, &recorded, name)?.0);
    let mut decoder = Decoder::load(manifest, precision, backend, options)?;
    let similarity = tensor::cosine(&golden("logits")?, decoder.step(&golden("latents")?)?);
    Ok((decoder, similarity))
}

fn decoder(
    manifest: &Manifest,
    precision: Precision,
    backend: &dyn Backend,
    options: &Options,
    rounds: usize,
) -> Result<Trial> {
    let start = Instant::now();
    let (mut decoder, similarity) = first_word(manifest, precision, backend, options)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let token = vec![0.1; decoder.width()];
    let mut times = Vec::with_capacity(rounds * TOKENS);
    for _ in 0..rounds {
        decoder.forget();
        for _ in 0..TOKENS {
            let start = Instant::now();
            decoder.step(&token)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let tolerance = &manifest.language()?.fusion.golden.tolerance;
    Ok(Trial {
        load_ms,
        run_ms: latency(&mut times),
        placement: decoder.placement().iter().map(|p| (p.provider.clone(), p.nodes)).collect(),
        left: decoder.left_to_cpu().to_vec(),
        notices: decoder.notices().to_vec(),
        similarity,
        least_similarity: tolerance.get(&precision).copied().unwrap_or(LEAST_SIMILARITY),
        score_off: None,
        map_off: None,
        peak_memory_mb: peak_memory_mb(),
    })
}

fn encoder(
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
    let mut cpu = MapEncoder::load(manifest, sense, precision, BACKENDS[0], &options.on_cpu())?;
    let [ours, theirs] = [distances(&mut encoder, manifest)?, distances(&mut cpu, manifest)?];
    let [own, reference] = [&ours, &theirs].map(|map| map.iter().copied().fold(0.0, f32::max));
    let map_off = ours.iter().zip(&theirs).map(|(own, other)| (own - other).abs()).fold(0.0, f32::max) / reference;
    let golden = &encoder.spec().golden;
    Ok(Trial {
        load_ms,
        run_ms: latency(&mut times),
        placement: encoder.placement().iter().map(|p| (p.provider.clone(), p.nodes)).collect(),
        left: encoder.left_to_cpu().to_vec(),
        notices: encoder.notices().to_vec(),
        similarity,
        least_similarity: golden.tolerance.get(&precision).copied().unwrap_or(LEAST_SIMILARITY),
        score_off: Some((own - reference).abs() / reference),
        map_off: Some(map_off),
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

    fn trial() -> Trial {
        Trial {
            load_ms: 100.0,
            run_ms: Latency { p50: 5.0, p95: 6.0, p99: 7.0 },
            placement: vec![("CPUExecutionProvider".into(), 10)],
            left: Vec::new(),
            notices: Vec::new(),
            similarity: 0.999,
            least_similarity: 0.99,
            score_off: Some(0.001),
            map_off: Some(0.01),
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
        refused(|trial| trial.score_off = Some(0.03), "score is off by 3.0 %");
        refused(|trial| trial.score_off = Some(f32::NAN), "score");
        refused(|trial| trial.map_off = Some(0.2), "heatmap");
        refused(|trial| trial.peak_memory_mb = Some(201.0), "the board allows 200");
        refused(|trial| trial.notices.push("provider `x` took no node".into()), "took no node");
    }

    #[test]
    fn a_decoder_is_tried_by_its_first_word_and_its_tokens() {
        let manifest = Manifest::find("eyear-small").unwrap();
        let options = Options { threads: 1, ..Options::default() };
        once(&manifest, Precision::Int8, BACKENDS[0], &options).unwrap();
        let trial = run(&manifest, Precision::Int8, BACKENDS[0], &options, 2).unwrap();
        assert_eq!((trial.refused(None), trial.score_off, trial.map_off), (None, None, None));
        assert!(trial.similarity > 0.99 && trial.run_ms.p50 > 0.0 && trial.placement.len() == 1, "{trial:?}");
        let refused = run(&manifest, Precision::Fp32, BACKENDS[0], &options, 2).unwrap_err();
        assert!(refused.message().contains("no decoder in fp32"), "{refused}");
    }

    #[test]
    fn the_cpu_beside_itself_is_off_by_nothing() {
        let manifest = Manifest::find("vision-lite0").unwrap();
        let options = Options { threads: 1, ..Options::default() };
        let trial = run(&manifest, Precision::Int8, BACKENDS[0], &options, 3).unwrap();
        assert_eq!((trial.score_off, trial.map_off), (Some(0.0), Some(0.0)));
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
