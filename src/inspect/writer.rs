//! A judged sample → words, after the verdict and without effect on it. Evidence and a prompt are fused, and the
//! decoder writes within a grammar of what was measured. If that fails, fixed sentences say the same, and the text is
//! marked as such.

use std::time::Instant;

use super::evidence::{CELLS, Evidence, FINDINGS, NINTHS};
use crate::backend::{Backend, Options};
use crate::decode::grammar::{self, At, Found, KIND, Meant};
use crate::decode::{Decoder, Manner, Sampling, Tokenizer, Told, Words};
use crate::encode::{Encoded, TextEncoder};
use crate::error::{Error, ErrorKind, Result};
use crate::fuse::latents::{Fused, Fusion, INPUTS, SENSES};
use crate::package::manifest::{FusionSpec, Manifest, Precision, Sense};
use crate::report::{Clause, EncodedBy, Finding, Named, Region, Report, SenseReport, Sensed, Verdict, What, Written};
use crate::tensor;

/// Most tokens of a text.
const BUDGET: usize = 340;
/// Lowest likelihood of a kind that may name a finding, relative to the likeliest kind.
const LIKELY: f32 = 0.25;
/// Bytes of a question that are read; the rest is ignored.
const QUESTION: usize = 1000;

/// Writes reports and answers by a model package. One writer serves one thread.
pub struct Writer {
    text: TextEncoder,
    fusion: Fusion,
    decoder: Decoder,
    tokenizer: Tokenizer,
    words: Words,
    /// Name and version of the package whose encoder it was taught with, of each of [`SENSES`].
    encoders: [String; SENSES.len()],
    model: String,
    digest: String,
}

/// What to write about a sample.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Code of the language, such as `en`.
    pub language: &'a str,
    /// A question; `None` asks for the report.
    pub question: Option<&'a str>,
    /// How words are chosen. Except with [`Sampling::TopP`], the first wording of each statement is used.
    pub sampling: Sampling,
    /// The report on an earlier sample of the same part, for comparison.
    pub since: Option<&'a Report>,
}

impl Writer {
    /// Opens the text encoder, the fusion and the decoder of a package.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the package has none; [`ErrorKind::Config`] when they do not go together;
    /// [`ErrorKind::Integrity`] on a wrong digest.
    pub fn open(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: &Options) -> Result<Self> {
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
            if let Some(ask) = language.ask.iter().find(|ask| !spec.text_encoder.sorts.contains(&ask.about)) {
                return Err(disagree(format!(
                    "`{code}.ask` asks about `{}`, which the text encoder does not tell",
                    ask.about
                )));
            }
            let has = |kind: &String| language.kind.values().any(|kinds| kinds.contains_key(kind));
            if let Some(kind) = fusion.kinds().iter().find(|kind| !has(kind)) {
                return Err(disagree(format!("`{code}.kind` has no word for `{kind}`")));
            }
        }
        let (model, digest) = (format!("{} {}", manifest.name, manifest.version), manifest.digest().to_string());
        let FusionSpec { image, audio, clip, .. } = &spec.fusion;
        let encoders = [image, audio, clip].map(Clone::clone);
        Ok(Self { text, fusion, decoder, tokenizer, words, encoders, model, digest })
    }

    /// Name and version of the model package.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What it may say, by language.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// Checks that this model can describe the verdicts of a sense.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the part was taught with another encoder than this writer.
    pub fn check(&self, sense: Sense, encoded_by: &EncodedBy) -> Result<()> {
        let Some(own) = SENSES.iter().zip(&self.encoders).find(|(of, _)| **of == sense).map(|(_, own)| own) else {
            let what = format!("{} cannot describe findings of {}", self.model, sense.as_str());
            return Err(Error::new(ErrorKind::Config, what));
        };
        if encoded_by.model == *own {
            return Ok(());
        }
        let (model, other) = (&self.model, &encoded_by.model);
        let what = format!("{model} writes of what {own} tells it, the part was taught with {other}");
        Err(Error::new(ErrorKind::Config, what))
    }

    /// Writes about a sample judged as `report` says, from the evidence of each sense that could judge it. `written` is
    /// called with each complete sentence; if the decoder fails, with the fixed sentences after a line break.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the model does not write that language; [`ErrorKind::Runtime`] when the runtime fails
    /// before a word was written.
    pub fn write(
        &mut self,
        report: &Report,
        evidence: &[(Sense, Evidence)],
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
            senses: Vec::new(),
            tokens: 0,
            ms: 0.0,
            by: self.model.clone(),
            digest: self.digest.clone(),
        };
        if report.verdict == Verdict::Invalid || evidence.is_empty() {
            let text = report.reason.text.clone();
            written(&text);
            return Ok(Written { text, reason: "there was nothing to look at".into(), ..empty });
        }
        let mut told = told(report, evidence, asked.since);
        let (fused, about) = self.fuse(evidence, asked)?;
        for sensed in &mut told.senses {
            for (i, found) in sensed.findings.iter_mut().enumerate() {
                found.likely = self.likely(&fused, sensed.sense, i, &found.at);
            }
        }
        // Wording varies only by random choice. Between equal alternatives, likelihood would decide by rounding errors.
        let plainly = !matches!(asked.sampling, Sampling::TopP { .. });
        let said = if plainly { language.plain() } else { language.clone() };
        let told_as = |rule: &str, name: &str| {
            let (sense, _) = rule.split_once(KIND).filter(|_| plainly)?;
            language.kind.get(sense)?.values().find(|names| names.iter().any(|own| own == name))?.first().cloned()
        };
        let grammar = match asked.question {
            None => grammar::report(&said, &told)?,
            Some(question) => {
                let named = if about == grammar::PRESENT {
                    // A label has no name here; what is not there is called missing by the sense that sees.
                    let seen = told.senses.iter().find(|sensed| sensed.there && sensed.sense != Sense::Sound);
                    seen.map(|sensed| (sensed.sense.key(), grammar::MISSING))
                } else {
                    grammar::named_kind(&language, question)
                };
                let (kind, findings) = (named.map(|(_, kind)| kind), self.meant(&told, &fused, named));
                grammar::answer(&said, &told, &Meant { about: &about, kind, findings: &findings })?
            }
        };
        let Self { decoder, tokenizer, .. } = self;
        let manner = Manner { sampling: asked.sampling, budget: BUDGET, told_as: &told_as };
        let generated = decoder.write(&fused.latents, grammar, tokenizer, &manner, written);
        let senses = told.senses.iter().filter(|sensed| sensed.there);
        let senses = senses.filter_map(|sensed| looked_at(&fused, sensed.sense, sensed.findings.len())).collect();
        let ms = |start: Instant| start.elapsed().as_secs_f64() * 1e3;
        match generated {
            Ok(generated) => {
                let findings = told.senses.iter().flat_map(|sensed| {
                    let sense = sensed.sense;
                    (0..sensed.findings.len()).map(move |finding| (sense, finding))
                });
                let named = findings.filter_map(|(sense, finding)| {
                    let name = generated.kind(sense, finding)?;
                    let kinds = language.kind.get(sense.key())?;
                    let kind = kinds.iter().find(|(_, names)| names.iter().any(|own| own == name))?.0;
                    let likelihood = self.likelihood(&fused, sense, finding, kind);
                    Some(Named { sense, finding, kind: kind.clone(), likelihood })
                });
                let kinds = named.collect();
                let sentences = generated.captures.iter().filter(|(rule, _)| !rule.contains(KIND));
                let clauses = sentences
                    .filter_map(|(rule, text)| Some(Clause { text: text.clone(), about: grammar::topic(rule)? }));
                let clauses = clauses.collect();
                let tokens = generated.tokens;
                let text = generated.text;
                Ok(Written { text, generated: true, kinds, clauses, senses, tokens, ms: ms(start), ..empty })
            }
            Err(error) if asked.question.is_none() => {
                let text = grammar::template(&language, &told);
                written("\n");
                written(&text);
                let reason = format!("the decoder failed, fixed sentences stand here: {}", error.chain());
                Ok(Written { text, reason, senses, ms: ms(start), ..empty })
            }
            Err(error) => Err(error),
        }
    }

    /// Cosine similarity of the latents, and of the decoder's first logits, to those of the reference on recorded
    /// evidence.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the recordings do not match their digests; [`ErrorKind::Runtime`] when the runtime
    /// fails.
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

    /// Fuses evidence and prompt; also returns the question's topic.
    fn fuse(&mut self, evidence: &[(Sense, Evidence)], asked: &Asked) -> Result<(Fused, String)> {
        let language = self.tokenizer.special(&format!("<{}>", asked.language));
        let mut ids: Vec<u32> = language.into_iter().collect();
        if let Some(question) = asked.question {
            let end = (0..=question.len().min(QUESTION)).rev().find(|&at| question.is_char_boundary(at)).unwrap_or(0);
            ids.extend(self.tokenizer.encode(&question[..end]));
            ids.truncate(self.text.length());
        }
        let Encoded { tokens, mask, about } = self.text.encode(&ids)?;
        let of = |sense: Sense| evidence.iter().find(|(own, _)| *own == sense).map(|(_, evidence)| evidence);
        let flat = |values: &ndarray::Array2<f32>| values.iter().copied().collect::<Vec<f32>>();
        let inputs = SENSES.map(|sense| {
            let parts = of(sense).map(|evidence| [&evidence.shapes, &evidence.cells, &evidence.quality]);
            parts.map_or_else(Default::default, |parts| parts.map(flat))
        });
        let mut all = inputs.iter().flatten().map(Vec::as_slice).chain([tokens, mask]);
        let fused = self.fusion.run(INPUTS.map(|_| all.next().unwrap_or_default()))?;
        Ok((fused, about.to_string()))
    }

    /// The findings that a question refers to: those likelier of the kind it names than of any other; the most severe
    /// one if it names none.
    fn meant(&self, told: &Told, fused: &Fused, named: Option<(&str, &str)>) -> Vec<(Sense, usize)> {
        let shown = told.senses.iter().filter(|sensed| sensed.there);
        let all = shown.flat_map(|sensed| (0..sensed.findings.len()).map(move |i| (sensed, i)));
        let Some((sense, kind)) = named else { return all.take(1).map(|(sensed, i)| (sensed.sense, i)).collect() };
        let of_kind = all.filter(|(sensed, i)| {
            let may_be = |kind: &&String| grammar::may_be(kind, &sensed.findings[*i].at);
            let likelihood = |kind: &str| self.likelihood(fused, sensed.sense, *i, kind);
            let most = self.fusion.kinds().iter().filter(may_be).map(|kind| likelihood(kind)).fold(0.0, f32::max);
            sensed.sense.key() == sense && likelihood(kind) > 0.0 && likelihood(kind) >= most
        });
        of_kind.map(|(sensed, i)| (sensed.sense, i)).collect()
    }

    /// The kinds that may name a finding: those nearly as likely as the likeliest, by the fusion model.
    fn likely(&self, fused: &Fused, sense: Sense, finding: usize, at: &At) -> Vec<String> {
        let kinds = self.fusion.kinds().iter().filter(|kind| grammar::may_be(kind, at));
        let kinds: Vec<_> = kinds.map(|kind| (kind, self.likelihood(fused, sense, finding, kind))).collect();
        let most = kinds.iter().map(|(_, likelihood)| *likelihood).fold(0.0, f32::max);
        let likely = kinds.into_iter().filter(|(_, likelihood)| *likelihood > 0.0 && *likelihood >= LIKELY * most);
        likely.map(|(kind, _)| kind.clone()).collect()
    }

    /// Likelihood of this kind for a finding, by the fusion model.
    fn likelihood(&self, fused: &Fused, sense: Sense, finding: usize, kind: &str) -> f32 {
        let kinds = self.fusion.kinds();
        let row = SENSES.iter().position(|own| *own == sense).map(|at| at * FINDINGS + finding);
        let at = kinds.iter().position(|own| own == kind);
        row.zip(at).and_then(|(row, at)| fused.kinds.get(row * kinds.len() + at).copied()).unwrap_or_default()
    }
}

/// Attention to a sense and to its tokens: the mean over the latents.
fn looked_at(fused: &Fused, sense: Sense, findings: usize) -> Option<Sensed> {
    let at = SENSES.iter().position(|own| *own == sense)?;
    let (gate, weights) = (fused.gates.get(at).copied()?, &fused.weights[at]);
    let tokens = FINDINGS + FINDINGS * CELLS + NINTHS * NINTHS;
    let latents = (weights.len() / tokens).max(1) as f32;
    let mut share = vec![0.0; tokens];
    for row in weights.chunks_exact(tokens) {
        share.iter_mut().zip(row).for_each(|(share, weight)| *share += weight / latents);
    }
    // A finding's tokens are its shape and its patches.
    let cells = |finding: usize| share[FINDINGS + finding * CELLS..][..CELLS].iter().sum::<f32>();
    let findings = (0..findings).map(|finding| share[finding] + cells(finding)).collect();
    Some(Sensed { sense, gate, findings, ninths: share.split_off(tokens - NINTHS * NINTHS) })
}

/// The facts that can be stated about a sample.
fn told(report: &Report, evidence: &[(Sense, Evidence)], since: Option<&Report>) -> Told {
    let sensed = |own: &SenseReport| {
        let sense = own.sense;
        let evidence = evidence.iter().find(|(own, _)| *own == sense).map(|(_, evidence)| evidence);
        let all: Vec<&Finding> = report.findings_of(sense).filter(|_| evidence.is_some()).collect();
        let is_new = |finding: &Finding| {
            let was_there = |since: &Report| since.findings_of(sense).any(|other| is_same(finding, other));
            since.is_some_and(|since| !was_there(since))
        };
        let found = |finding: &&Finding| {
            let at = match finding.what {
                What::Seen { position } => At::Seen { position, area: finding.area_share },
                What::Heard(event) => At::Heard(event),
                What::Moved(movement) => At::Moved(movement),
            };
            Found { at, new: is_new(finding), likely: Vec::new() }
        };
        let findings: Vec<Found> = all.iter().take(FINDINGS).map(found).collect();
        grammar::Sensed {
            sense,
            there: evidence.is_some(),
            more: all.len() - findings.len(),
            findings,
            poor: evidence.is_some_and(|evidence| is_poor(sense, evidence)),
        }
    };
    let senses = report.senses.iter().map(sensed).collect();
    Told { verdict: report.verdict, senses, decided: report.decided_by.clone(), since: since.is_some() }
}

/// Whether two findings of one sense match: their boxes overlap, or they sound alike.
fn is_same(finding: &Finding, other: &Finding) -> bool {
    let meet = |[from, to]: [f64; 2], [begin, end]: [f64; 2]| from <= end && begin <= to;
    let span = |Region { x, y, width, height }: Region| ([x, x + width], [y, y + height]);
    let overlap = |region: Region, other: Region| {
        let meet = |a: [usize; 2], b: [usize; 2]| a[0] < b[1] && b[0] < a[1];
        let ((x, y), (other_x, other_y)) = (span(region), span(other));
        meet(x, other_x) && meet(y, other_y)
    };
    match (finding.what, other.what) {
        // A sound may start at any time, so its position in time does not count.
        (What::Heard(heard), What::Heard(other)) => heard.character == other.character && meet(heard.hz, other.hz),
        (What::Moved(moved), What::Moved(other)) => {
            meet(moved.seconds, other.seconds) && overlap(moved.region, other.region)
        }
        (What::Seen { .. }, What::Seen { .. }) => overlap(finding.region, other.region),
        _ => false,
    }
}

/// Whether light or focus, or the level of a sound, are clearly worse than in training;
/// `models/eyear-small/recipe/words.py` has the same rule.
fn is_poor(sense: Sense, evidence: &Evidence) -> bool {
    let quality = evidence.quality.row(0);
    if sense == Sense::Sound {
        let (level, clipped, dropped) = (quality[0], quality[1], quality[3]);
        return level.abs() > 1.5 || clipped > 0.005 || dropped > 0.005;
    }
    let (brightness, contrast, sharpness) = (quality[0], quality[1], quality[2]);
    brightness.abs() > 1.5 || contrast < -0.8 || !(-1.2..=1.5).contains(&sharpness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{GridPosition, SoundCharacter, SoundEvent};

    fn finding(region: [usize; 4], what: What) -> Finding {
        let [x, y, width, height] = region;
        let region = Region { x, y, width, height };
        Finding { what, region, area_px: 1.0, area_share: 0.1, peak: [x, y], severity: 2.0, place: "top".into() }
    }

    #[test]
    fn a_finding_was_there_before_where_its_box_meets_one_or_its_band_does() {
        let seen = |region| finding(region, What::Seen { position: GridPosition::Top });
        assert!(is_same(&seen([10, 10, 20, 20]), &seen([25, 25, 20, 20])));
        assert!(!is_same(&seen([10, 10, 20, 20]), &seen([30, 10, 20, 20])));
        let heard = |seconds, hz, character| {
            let event = SoundEvent { seconds, hz, db: 9.0, character, all_the_time: false, rate: None };
            finding([0, 0, 1, 1], What::Heard(event))
        };
        let knock = heard([0.1, 0.2], [500.0, 900.0], SoundCharacter::Knock);
        assert!(is_same(&knock, &heard([1.4, 1.5], [800.0, 990.0], SoundCharacter::Knock)), "at another time");
        assert!(!is_same(&knock, &heard([0.1, 0.2], [950.0, 990.0], SoundCharacter::Knock)));
        assert!(!is_same(&knock, &heard([0.1, 0.2], [500.0, 900.0], SoundCharacter::Tone)));
        assert!(!is_same(&knock, &seen([0, 0, 1, 1])));
    }

    #[test]
    fn what_was_looked_at_adds_up_to_one() {
        let (tokens, latents) = (FINDINGS + FINDINGS * CELLS + NINTHS * NINTHS, 3);
        let row: Vec<f32> = (0..tokens).map(|i| (i + 1) as f32).collect();
        let all: f32 = row.iter().sum();
        let weights: Vec<f32> = (0..latents).flat_map(|_| row.iter().map(|w| w / all)).collect();
        let fused = Fused { latents: vec![], gates: vec![0.0, 0.7], weights: [vec![], weights, vec![]], kinds: vec![] };
        let sensed = looked_at(&fused, Sense::Sound, FINDINGS).unwrap();
        assert_eq!((sensed.sense, sensed.gate, sensed.ninths.len()), (Sense::Sound, 0.7, NINTHS * NINTHS));
        let sum: f32 = sensed.findings.iter().chain(&sensed.ninths).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
}
