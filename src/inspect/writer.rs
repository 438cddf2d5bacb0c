//! A judged sample → words, after the verdict and never instead of it: evidence and a prompt are fused, and the decoder
//! writes within the grammar of what was measured. Where it cannot, the same is told by fixed sentences, and said so.

use std::time::Instant;

use super::evidence::{Evidence, FINDINGS};
use crate::backend::{Backend, Options};
use crate::decode::{Decoder, Sampling, Tokenizer, Told, Words, grammar};
use crate::encode::TextEncoder;
use crate::error::{Error, ErrorKind, Result};
use crate::fuse::latents::{Fused, Fusion, INPUTS};
use crate::manifest::{Manifest, Precision};
use crate::report::{Clause, Named, Provenance, Report, Verdict, Written};
use crate::tensor;

/// Tokens of a text, at most.
const BUDGET: usize = 200;
/// Bytes of a question that are read; what comes behind them is not.
const QUESTION: usize = 1000;

/// Writes reports and answers by a model package. One writer serves one thread.
pub struct Writer {
    text: TextEncoder,
    fusion: Fusion,
    decoder: Decoder,
    tokenizer: Tokenizer,
    words: Words,
    /// Name and version of the package whose picture encoder it was taught with.
    image: String,
    model: String,
    digest: String,
}

/// What is to be written of a sample.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Code of the language, such as `en`.
    pub language: &'a str,
    /// A question; `None` asks for the report.
    pub question: Option<&'a str>,
    /// How words are chosen.
    pub sampling: Sampling,
}

impl Writer {
    /// Opens the text encoder, the fusion and the decoder of a package.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the package has none; [`ErrorKind::Config`] when they do not go together;
    /// [`ErrorKind::Integrity`] on a wrong digest.
    pub fn open(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: Options) -> Result<Self> {
        let spec = manifest.language()?;
        let text = TextEncoder::load(manifest, precision, backend, options)?;
        let fusion = Fusion::load(manifest, precision, backend, options)?;
        let decoder = Decoder::load(manifest, precision, backend, options)?;
        let tokenizer = Tokenizer::parse(&manifest.load(&spec.tokenizer.file)?, &spec.tokenizer.file)?;
        let words = Words::parse(&manifest.load(&spec.tokenizer.words)?, &spec.tokenizer.words)?;
        let disagree =
            |what: String| Error::new(ErrorKind::Config, format!("model package `{}`: {what}", manifest.name));
        if decoder.vocabulary() != tokenizer.len() {
            let (decoder, tokenizer) = (decoder.vocabulary(), tokenizer.len());
            return Err(disagree(format!("the decoder writes {decoder} tokens, the tokenizer has {tokenizer}")));
        }
        for code in words.codes() {
            if tokenizer.special(&format!("<{code}>")).is_none() {
                return Err(disagree(format!("the tokenizer has no token `<{code}>`")));
            }
            let language = words.language(code)?;
            if let Some(kind) = fusion.kinds().iter().find(|kind| !language.kind.contains_key(*kind)) {
                return Err(disagree(format!("`{code}.kind.{kind}` is missing in the words")));
            }
        }
        let (model, digest) = (format!("{} {}", manifest.name, manifest.version), manifest.digest().to_string());
        Ok(Self { text, fusion, decoder, tokenizer, words, image: spec.fusion.image.clone(), model, digest })
    }

    /// Whether words can be found for what this model judges.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the part was taught with another encoder than this writer.
    pub fn check(&self, judged_by: &Provenance) -> Result<()> {
        if judged_by.model == self.image {
            return Ok(());
        }
        let what =
            format!("{} writes of what {} sees, the part was taught with {}", self.model, self.image, judged_by.model);
        Err(Error::new(ErrorKind::Config, what))
    }

    /// Writes of a picture that was judged as `report` says, from its evidence. `written` hears each piece as it comes; where
    /// the decoder fails, it hears the fixed sentences after a line break.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the model does not write that language; [`ErrorKind::Runtime`] when the runtime fails
    /// before a word was written.
    pub fn write(
        &mut self,
        report: &Report,
        evidence: Option<&Evidence>,
        asked: &Asked,
        written: &mut dyn FnMut(&str),
    ) -> Result<Written> {
        let start = Instant::now();
        let language = self.words.language(asked.language)?.clone();
        let empty = Written {
            text: String::new(),
            language: asked.language.into(),
            generated: false,
            reason: String::new(),
            kinds: Vec::new(),
            clauses: Vec::new(),
            gate: None,
            tokens: 0,
            ms: 0.0,
            by: self.model.clone(),
            digest: self.digest.clone(),
        };
        let Some(evidence) = evidence.filter(|_| report.verdict != Verdict::Invalid) else {
            written(&report.reason);
            return Ok(Written { text: report.reason.clone(), reason: "there was nothing to look at".into(), ..empty });
        };
        let told = told(report, evidence);
        let fused = self.fuse(evidence, asked)?;
        let grammar = match asked.question {
            None => grammar::report(&language, &told)?,
            Some(_) => grammar::answer(&language, &told)?,
        };
        let generated = self.decoder.write(&fused.latents, grammar, &self.tokenizer, asked.sampling, BUDGET, written);
        let gate = fused.gates.first().copied();
        let ms = |start: Instant| start.elapsed().as_secs_f64() * 1e3;
        match generated {
            Ok(generated) => {
                let named = (0..told.findings.len()).filter_map(|finding| {
                    let name = generated.kind(finding)?;
                    let kind = language.kind.iter().find(|(_, names)| names.iter().any(|own| own == name))?.0;
                    Some(Named { finding, kind: kind.clone(), likelihood: self.likelihood(&fused, finding, kind) })
                });
                let kinds = named.collect();
                let sentences = generated.captures.iter().filter(|(rule, _)| !rule.starts_with("kind_"));
                let clauses = sentences.map(|(rule, text)| Clause { text: text.clone(), of: rule.replace('_', " ") });
                let clauses = clauses.collect();
                let tokens = generated.tokens;
                Ok(Written {
                    text: generated.text,
                    generated: true,
                    kinds,
                    clauses,
                    gate,
                    tokens,
                    ms: ms(start),
                    ..empty
                })
            }
            Err(error) if asked.question.is_none() => {
                let text = grammar::template(&language, &told)?;
                written("\n");
                written(&text);
                let reason = format!("the decoder failed, fixed sentences stand here: {}", error.chain());
                Ok(Written { text, reason, gate, ms: ms(start), ..empty })
            }
            Err(error) => Err(error),
        }
    }

    /// Cosine similarity of the latents, and of what the decoder says first, to those that the reference made of recorded
    /// evidence.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the recordings are not those promised; [`ErrorKind::Runtime`] when the runtime fails.
    pub fn golden_similarity(&mut self, manifest: &Manifest) -> Result<[f32; 2]> {
        let golden = &manifest.language()?.fusion.golden;
        let (input, output) = (manifest.load(&golden.input)?, manifest.load(&golden.output)?);
        let recorded = |name: &str| Ok(tensor::read(&golden.input, &input, name)?.0);
        let expected = |name: &str| Ok::<_, Error>(tensor::read(&golden.output, &output, name)?.0);
        let inputs = INPUTS.map(recorded).into_iter().collect::<Result<Vec<_>>>()?;
        let fused = self.fusion.run(std::array::from_fn(|i| inputs[i].as_slice()))?;
        self.decoder.forget();
        let logits = self.decoder.step(&fused.latents)?;
        Ok([tensor::cosine(&expected("latents")?, &fused.latents), tensor::cosine(&expected("logits")?, logits)])
    }

    fn fuse(&mut self, evidence: &Evidence, asked: &Asked) -> Result<Fused> {
        let language = self.tokenizer.special(&format!("<{}>", asked.language));
        let mut ids: Vec<u32> = language.into_iter().collect();
        if let Some(question) = asked.question {
            let end = (0..=question.len().min(QUESTION)).rev().find(|&at| question.is_char_boundary(at)).unwrap_or(0);
            ids.extend(self.tokenizer.encode(&question[..end]));
            ids.truncate(self.text.length());
        }
        let [text, mask] = self.text.encode(&ids)?;
        let flat = |values: &ndarray::Array2<f32>| values.iter().copied().collect::<Vec<f32>>();
        let (shapes, cells, quality) = (flat(&evidence.shapes), flat(&evidence.cells), flat(&evidence.quality));
        self.fusion.run([&shapes, &cells, &quality, text, mask])
    }

    /// How likely a finding is of this kind, as the fusion sees it.
    fn likelihood(&self, fused: &Fused, finding: usize, kind: &str) -> f32 {
        let kinds = self.fusion.kinds();
        let at = kinds.iter().position(|own| own == kind);
        at.and_then(|at| fused.kinds.get(finding * kinds.len() + at).copied()).unwrap_or_default()
    }
}

/// What can be told of a sample.
fn told(report: &Report, evidence: &Evidence) -> Told {
    let findings: Vec<grammar::Place> = report
        .findings
        .iter()
        .take(FINDINGS)
        .map(|finding| grammar::Place { place: finding.place.to_string(), area: finding.area_share })
        .collect();
    let more = report.findings.len() - findings.len();
    Told { verdict: report.verdict, findings, more, poor: is_poor(evidence) }
}

/// Whether light or focus are clearly worse than in what was taught; `models/eyear-small/recipe/words.py` says the same.
fn is_poor(evidence: &Evidence) -> bool {
    let quality = evidence.quality.row(0);
    let (brightness, contrast, sharpness) = (quality[0], quality[1], quality[2]);
    brightness.abs() > 1.5 || contrast < -0.8 || !(-1.2..=1.5).contains(&sharpness)
}
