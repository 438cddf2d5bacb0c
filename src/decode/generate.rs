//! Latents → text: the decoder, token by token, each chosen among those that the grammar allows. Keys and values of what was
//! written stay in the runtime's own memory, which each step reads and adds to: none is copied.

use ndarray::Array2;

use super::grammar::{KIND, kind_rule};
use super::guide::Guide;
use super::tokenizer::Tokenizer;
use crate::backend::{Backend, Options, Placement, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::{Manifest, Precision, Sense};
use crate::random::Random;
use crate::tensor;

/// How a token is chosen among those that the grammar allows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Sampling {
    /// The likeliest.
    #[default]
    Greedy,
    /// At random by their likelihood, among the likeliest that together have this share of it (Holtzman et al. 2020).
    TopP {
        /// The share, 0 to 1.
        p: f32,
        /// The same seed chooses the same.
        seed: u64,
    },
    /// The text that is likeliest as a whole, as far as it is found by going on with so many beginnings at once.
    Beam {
        /// How many, at least one.
        width: usize,
    },
}

/// How a text is written.
pub struct Manner<'a> {
    /// How its tokens are chosen.
    pub sampling: Sampling,
    /// Tokens that it may have, at most.
    pub budget: usize,
    /// The name by which a kind is told, of its rule in the grammar and the name that was written for it; `None` leaves that.
    pub told_as: &'a dyn Fn(&str, &str) -> Option<String>,
}

impl Default for Manner<'_> {
    /// Greedily, with each kind by the name that was written for it.
    fn default() -> Self {
        Self { sampling: Sampling::Greedy, budget: 256, told_as: &|_, _| None }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generated {
    /// The text.
    pub text: String,
    /// Rules of the grammar that stand for a sentence or a kind, with what is told by them, in the order of writing.
    pub captures: Vec<(String, String)>,
    /// Tokens that were written.
    pub tokens: usize,
}

/// The decoder of a model package.
pub struct Decoder {
    session: Box<dyn Session>,
    /// `f32[vocabulary, width]`.
    embedding: Array2<f32>,
    inputs: Inputs,
    /// Positions that its memory holds.
    longest: usize,
    /// Shapes of the memory, by input.
    memory: Vec<(usize, Vec<usize>)>,
    /// Tokens that were bound last.
    bound: usize,
    seen: usize,
}

/// Places of the graph's inputs, and of its answer among the outputs.
struct Inputs {
    x: usize,
    last: usize,
    total: usize,
    logits: usize,
}

impl Decoder {
    /// Loads the decoder of a package.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] on a wrong digest, [`ErrorKind::Config`] when graph and manifest disagree,
    /// [`ErrorKind::Unavailable`] when the package has none.
    pub fn load(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: &Options) -> Result<Self> {
        let spec = &manifest.language()?.decoder;
        let file = spec.file(precision, backend.format(), "decoder")?;
        let mut session = backend.open(file, &manifest.load(file)?, options)?;
        let disagree = |what: String| Error::new(ErrorKind::Config, format!("{file}: {what}"));
        let input = |name: &str| {
            let at = session.inputs().iter().position(|input| input.name == name);
            at.ok_or_else(|| disagree(format!("the decoder must have an input `{name}`")))
        };
        let output = |name: &str| {
            let at = session.outputs().iter().position(|output| output.name == name);
            at.ok_or_else(|| disagree(format!("the decoder must have an output `{name}`")))
        };
        let inputs = Inputs { x: input("x")?, last: input("last")?, total: input("total")?, logits: output("logits")? };
        let mut memory = Vec::new();
        let mut shared = Vec::new();
        for (i, spec) in session.inputs().iter().enumerate() {
            let Some((kind, layer)) = spec.name.split_once('_') else { continue };
            let shape = spec.shape.iter().copied().collect::<Option<Vec<_>>>().filter(|shape| shape.len() == 4);
            let shape = shape.ok_or_else(|| disagree(format!("`{}` must have four fixed sizes", spec.name)))?;
            shared.push([i, output(&format!("{kind}_out_{layer}"))?]);
            memory.push((i, shape));
        }
        let longest = memory.first().map(|(_, shape)| shape[2]);
        let longest = longest.ok_or_else(|| disagree("the decoder must have a memory, `keys_0` and on".into()))?;
        shared.into_iter().for_each(|[input, output]| session.share(input, output));
        let (values, shape) = tensor::read(&spec.embedding, &manifest.load(&spec.embedding)?, "embedding")?;
        let [vocabulary, width] = shape[..] else { return Err(disagree("`embedding` must be a matrix".into())) };
        let embedding = Array2::from_shape_vec((vocabulary, width), values)
            .map_err(|error| Error::caused(ErrorKind::Config, format!("{}: `embedding`", spec.embedding), error))?;
        let mut decoder = Self { session, embedding, inputs, longest, memory, bound: 0, seen: 0 };
        decoder.bind(1)?;
        Ok(decoder)
    }

    /// Numbers of a token.
    pub fn width(&self) -> usize {
        self.embedding.ncols()
    }

    /// Tokens of its vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.embedding.nrows()
    }

    /// Which provider took how many nodes of its graph ([`Session::placement`]).
    pub fn placement(&self) -> &[Placement] {
        self.session.placement()
    }

    /// Nodes that were left to the CPU ([`Session::left_to_cpu`]).
    pub fn left_to_cpu(&self) -> &[String] {
        self.session.left_to_cpu()
    }

    /// What was asked for and did not come to be, a sentence each ([`Session::notices`]).
    pub fn notices(&self) -> &[String] {
        self.session.notices()
    }

    fn bind(&mut self, tokens: usize) -> Result<()> {
        if self.bound == tokens {
            return Ok(());
        }
        let mut inputs: Vec<Vec<usize>> = vec![vec![1]; self.session.inputs().len()];
        inputs[self.inputs.x] = vec![1, tokens, self.width()];
        self.memory.iter().for_each(|(i, shape)| inputs[*i].clone_from(shape));
        let memory = &self.memory[0].1;
        let mut outputs = vec![memory.clone(); self.session.outputs().len()];
        outputs[self.inputs.logits] = vec![1, 1, self.vocabulary()];
        self.session.bind(&inputs, &outputs)?;
        self.bound = tokens;
        Ok(())
    }

    /// Forgets what it has seen.
    pub fn forget(&mut self) {
        self.seen = 0;
    }

    /// Reads `x`, `f32[tokens, width]`, behind what it has seen, and tells what may follow: `f32[vocabulary]`, before
    /// softmax.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when `x` holds no whole tokens; [`ErrorKind::Runtime`] when its memory is full, the runtime
    /// fails, or what comes out is no number.
    pub fn step(&mut self, x: &[f32]) -> Result<&[f32]> {
        if !x.len().is_multiple_of(self.width()) {
            let what = format!("the decoder takes tokens of {} numbers, got {} numbers", self.width(), x.len());
            return Err(Error::new(ErrorKind::Config, what));
        }
        let tokens = x.len() / self.width();
        let total = self.seen + tokens;
        if tokens == 0 || total > self.longest {
            let what = format!("the decoder's memory holds {} tokens, {total} are wanted", self.longest);
            return Err(Error::new(ErrorKind::Runtime, what));
        }
        self.bind(tokens)?;
        self.session.input_mut(self.inputs.x)?.copy_from_slice(x);
        self.session.input_i32_mut(self.inputs.last)?[0] = total as i32 - 1;
        self.session.input_i32_mut(self.inputs.total)?[0] = total as i32;
        self.session.run()?;
        self.seen = total;
        let logits = self.session.output(self.inputs.logits)?;
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Error::new(ErrorKind::Runtime, "the decoder computed what is no number"));
        }
        Ok(logits)
    }

    /// Writes a text from latents, `f32[latents, width]`, within `grammar`. `written` hears each sentence when it is whole; of
    /// [`Sampling::Beam`] all at the end.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the grammar is none, or the tokenizer another than the decoder was taught with;
    /// [`ErrorKind::Runtime`] when the text is not over within the budget or the decoder's memory; as [`Decoder::step`].
    pub fn write(
        &mut self,
        latents: &[f32],
        grammar: String,
        tokenizer: &Tokenizer,
        manner: &Manner<'_>,
        written: &mut dyn FnMut(&str),
    ) -> Result<Generated> {
        let &Manner { sampling, budget, told_as } = manner;
        if tokenizer.len() != self.vocabulary() {
            let (decoder, tokenizer) = (self.vocabulary(), tokenizer.len());
            let what = format!("the decoder writes {decoder} tokens, the tokenizer has {tokenizer}");
            return Err(Error::new(ErrorKind::Config, what));
        }
        let mut guide = tokenizer.guide(grammar);
        if let Sampling::Beam { width } = sampling {
            let best = self.search(latents, guide, tokenizer, width.max(1), budget)?;
            let mut text = Text::new(told_as, written);
            text.open = best.bytes;
            return Ok(text.over(&best.guide, best.tokens));
        }
        let mut random = Random::new(match sampling {
            Sampling::TopP { seed, .. } => seed,
            Sampling::Greedy | Sampling::Beam { .. } => 0,
        });
        self.forget();
        let (mut text, mut tokens) = (Text::new(told_as, written), 0);
        let mut x = latents.to_vec();
        loop {
            // What the grammar leaves no choice about is read at once with what comes before it.
            let forced = guide.forced();
            for &token in &forced {
                x.extend(self.embedding.row(token as usize));
                text.open.extend_from_slice(tokenizer.bytes(token));
            }
            tokens += forced.len();
            if tokens > budget {
                return Err(endless(budget));
            }
            text.grow(&guide);
            let allowed = guide.allowed()?;
            if allowed.only(tokenizer.end()) {
                break;
            }
            let logits = self.step(&x)?;
            let token = choose(logits, |token| allowed.has(token), sampling, &mut random);
            let token = token.ok_or_else(|| Error::new(ErrorKind::Runtime, "the grammar allows no token"))?;
            if token == tokenizer.end() {
                break;
            }
            guide.take(token)?;
            tokens += 1;
            text.open.extend_from_slice(tokenizer.bytes(token));
            x.clear();
            x.extend(self.embedding.row(token as usize));
        }
        Ok(text.over(&guide, tokens))
    }

    /// Goes on with the `width` likeliest beginnings, until the likeliest of all is a whole text (Lowerre 1976). Each
    /// beginning has a copy of the decoder's memory of its own.
    fn search(
        &mut self,
        latents: &[f32],
        guide: Guide,
        tokenizer: &Tokenizer,
        width: usize,
        budget: usize,
    ) -> Result<Beam> {
        self.forget();
        let mut beams = vec![Beam {
            guide,
            bytes: Vec::new(),
            tokens: 0,
            over: false,
            score: 0.0,
            x: latents.to_vec(),
            memory: self.kept()?,
        }];
        while let Some(going) = (0..beams.len()).find(|&i| !beams[i].over) {
            if beams[going].tokens >= budget {
                return Err(endless(budget));
            }
            // Which beam, by which token, how likely as a whole; one that is over stays.
            let mut next: Vec<(usize, Option<u32>, f32)> = Vec::new();
            for (i, beam) in beams.iter_mut().enumerate() {
                if beam.over {
                    next.push((i, None, beam.score));
                    continue;
                }
                let allowed = beam.guide.allowed()?;
                self.restore(&beam.memory)?;
                let logits = self.step(&beam.x)?;
                let of: Vec<(u32, f32)> =
                    (0u32..).zip(logits.iter().copied()).filter(|(t, _)| allowed.has(*t)).collect();
                let most = of.iter().map(|(_, logit)| *logit).fold(f32::MIN, f32::max);
                let all = most + of.iter().map(|(_, logit)| (logit - most).exp()).sum::<f32>().ln();
                next.extend(of.into_iter().map(|(token, logit)| (i, Some(token), beam.score + logit - all)));
                beam.memory = self.kept()?;
            }
            next.sort_by(|a, b| b.2.total_cmp(&a.2));
            next.truncate(width);
            let grown = next.into_iter().map(|(i, token, score)| {
                let mut beam = beams[i].copy();
                let Some(token) = token else { return Ok(beam) };
                (beam.score, beam.over) = (score, token == tokenizer.end());
                if !beam.over {
                    beam.guide.take(token)?;
                    beam.tokens += 1;
                    beam.bytes.extend_from_slice(tokenizer.bytes(token));
                    beam.x = self.embedding.row(token as usize).to_vec();
                }
                Ok(beam)
            });
            beams = grown.collect::<Result<Vec<_>>>()?;
            // Likelihood only falls: what is behind a whole text stays behind it.
            if beams.first().is_some_and(|beam| beam.over) {
                beams.truncate(1);
            }
        }
        beams.into_iter().next().ok_or_else(|| Error::new(ErrorKind::Runtime, "the grammar allows no token"))
    }

    /// A copy of what it has seen: keys and values, and of how many tokens.
    fn kept(&mut self) -> Result<(Vec<Vec<f32>>, usize)> {
        let Self { session, memory, seen, .. } = self;
        let copies = memory.iter().map(|(i, _)| session.input_mut(*i).map(|memory| memory.to_vec()));
        Ok((copies.collect::<Result<_>>()?, *seen))
    }

    fn restore(&mut self, (memory, seen): &(Vec<Vec<f32>>, usize)) -> Result<()> {
        for ((i, _), values) in self.memory.iter().zip(memory) {
            self.session.input_mut(*i)?.copy_from_slice(values);
        }
        self.seen = *seen;
        Ok(())
    }
}

/// A beginning of a text.
struct Beam {
    guide: Guide,
    bytes: Vec<u8>,
    tokens: usize,
    /// Whether it is a whole text.
    over: bool,
    /// Logarithm of its likelihood among what the grammar allows.
    score: f32,
    /// What the decoder reads next.
    x: Vec<f32>,
    memory: (Vec<Vec<f32>>, usize),
}

impl Beam {
    /// One that goes on by itself.
    fn copy(&self) -> Self {
        let Self { bytes, tokens, over, score, x, memory, guide } = self;
        let (bytes, x, memory) = (bytes.clone(), x.clone(), memory.clone());
        Self { guide: guide.copy(), bytes, tokens: *tokens, over: *over, score: *score, x, memory }
    }
}

fn endless(budget: usize) -> Error {
    Error::new(ErrorKind::Runtime, format!("the text was not over after {budget} tokens"))
}

/// A text that grows sentence by sentence.
struct Text<'a> {
    generated: Generated,
    /// What was written behind the last whole sentence.
    open: Vec<u8>,
    /// Captures of the grammar that were taken.
    taken: usize,
    /// A kind of the sentence that is not whole yet: its name as it was written, and as it is told.
    kind: Option<(String, String)>,
    told_as: &'a dyn Fn(&str, &str) -> Option<String>,
    written: &'a mut dyn FnMut(&str),
}

impl<'a> Text<'a> {
    fn new(told_as: &'a dyn Fn(&str, &str) -> Option<String>, written: &'a mut dyn FnMut(&str)) -> Self {
        Self { generated: Generated::default(), open: Vec::new(), taken: 0, kind: None, told_as, written }
    }

    /// Takes over what has become whole.
    fn grow(&mut self, guide: &Guide) {
        let captures = guide.captures();
        for (rule, bytes) in &captures[self.taken..] {
            let mut sentence = String::from_utf8_lossy(bytes).into_owned();
            if rule.contains(KIND) {
                let name = (self.told_as)(rule, &sentence).unwrap_or_else(|| sentence.clone());
                self.generated.captures.push((rule.clone(), name.clone()));
                self.kind = Some((sentence, name));
                continue;
            }
            if let Some((as_written, name)) = self.kind.take() {
                sentence = sentence.replacen(&as_written, &name, 1);
            }
            // Sentences do not overlap, and nothing but what joins them is between. Where one was told that a longer one begins
            // with, that is not found, and its rest is told with what follows.
            if let Some(at) = self.open.windows(bytes.len().max(1)).position(|part| part == bytes) {
                let joined: Vec<u8> = self.open.drain(..at + bytes.len()).take(at).collect();
                self.tell(&(String::from_utf8_lossy(&joined) + &*sentence));
            }
            self.generated.captures.push((rule.clone(), sentence));
        }
        self.taken = captures.len();
    }

    fn tell(&mut self, text: &str) {
        self.generated.text.push_str(text);
        (self.written)(text);
    }

    /// The whole of so many tokens.
    fn over(mut self, guide: &Guide, tokens: usize) -> Generated {
        self.grow(guide);
        let open = std::mem::take(&mut self.open);
        if !open.is_empty() {
            self.tell(&String::from_utf8_lossy(&open));
        }
        Generated { tokens, ..self.generated }
    }
}

impl Generated {
    /// The name that was written for the kind of a finding of a sense.
    pub fn kind(&self, sense: Sense, finding: usize) -> Option<&str> {
        let rule = kind_rule(sense, finding);
        self.captures.iter().find(|(name, _)| *name == rule).map(|(_, text)| text.as_str())
    }
}

/// The token that is chosen among those allowed; `None` where none is.
fn choose(logits: &[f32], allowed: impl Fn(u32) -> bool, sampling: Sampling, random: &mut Random) -> Option<u32> {
    let mut candidates: Vec<(u32, f32)> =
        (0u32..).zip(logits).filter(|(token, _)| allowed(*token)).map(|(token, logit)| (token, *logit)).collect();
    let best = candidates.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let Sampling::TopP { p, .. } = sampling else { return Some(best.0) };
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1));
    candidates.iter_mut().for_each(|(_, logit)| *logit = (*logit - best.1).exp());
    let all: f32 = candidates.iter().map(|(_, weight)| weight).sum();
    let mut kept = 0.0;
    let within = candidates.iter().take_while(|(_, weight)| {
        let more = kept < p * all;
        kept += weight;
        more
    });
    let within: Vec<(u32, f32)> = within.copied().collect();
    let mut left = random.share() * within.iter().map(|(_, weight)| weight).sum::<f32>();
    for (token, weight) in &within {
        left -= weight;
        if left <= 0.0 {
            return Some(*token);
        }
    }
    Some(best.0)
}
