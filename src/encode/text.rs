//! The text encoder of a model package: a language and a question → tokens that `fuse` looks at, and what is asked.

use crate::backend::{Backend, Options, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::{Manifest, Precision};

/// A text encoder that is ready to run.
pub struct TextEncoder {
    session: Box<dyn Session>,
    /// Tokens of a prompt, at most.
    length: usize,
    sorts: Vec<String>,
}

/// A prompt as it was understood.
#[derive(Debug, Clone, Copy)]
pub struct Encoded<'a> {
    /// `f32[length, width]`.
    pub tokens: &'a [f32],
    /// `f32[length]`: what is added to the weight of a token; much under nought where there is none.
    pub mask: &'a [f32],
    /// What is likeliest asked about: one of the manifest's `sorts`.
    pub about: &'a str,
}

impl TextEncoder {
    /// Loads the text encoder of a package: `ids`, `i32[1, length]`, nought pads → `tokens`, `f32[1, length, width]`,
    /// `mask`, `f32[1, 1, 1, length]`, and the likelihood of each sort of question, `f32[1, sorts]`.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] on a wrong digest, [`ErrorKind::Config`] when the graph has other tensors,
    /// [`ErrorKind::Unavailable`] when the package has none.
    pub fn load(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: &Options) -> Result<Self> {
        let spec = &manifest.language()?.text_encoder;
        let file = spec.file(precision, backend.format(), "text_encoder")?;
        let mut session = backend.open(file, &manifest.load(file)?, options)?;
        let shapes = |specs: &[crate::tensor::TensorSpec]| {
            specs.iter().map(|spec| spec.shape.iter().copied().collect::<Option<Vec<_>>>()).collect::<Option<Vec<_>>>()
        };
        let (inputs, outputs) = (shapes(session.inputs()), shapes(session.outputs()));
        let (Some([ids]), Some([tokens, mask, sorts])) = (inputs.as_deref(), outputs.as_deref()) else {
            let what = format!("{file}: the text encoder must have one input and three outputs of fixed sizes");
            return Err(Error::new(ErrorKind::Config, what));
        };
        if sorts.iter().product::<usize>() != spec.sorts.len() || spec.sorts.is_empty() {
            let (told, named) = (sorts.iter().product::<usize>(), spec.sorts.len());
            let what = format!("{file}: the text encoder tells {told} sorts of questions, the manifest names {named}");
            return Err(Error::new(ErrorKind::Config, what));
        }
        session.bind(std::slice::from_ref(ids), &[tokens.clone(), mask.clone(), sorts.clone()])?;
        Ok(Self { length: ids.iter().product(), sorts: spec.sorts.clone(), session })
    }

    /// Tokens of a prompt, at most.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Encodes a prompt; what is longer is cut.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime fails.
    pub fn encode(&mut self, ids: &[u32]) -> Result<Encoded<'_>> {
        let input = self.session.input_i32_mut(0)?;
        input.fill(0);
        input.iter_mut().zip(ids).for_each(|(out, &id)| *out = id as i32);
        self.session.run()?;
        let (tokens, mask, likely) = (self.session.output(0)?, self.session.output(1)?, self.session.output(2)?);
        let likeliest = self.sorts.iter().zip(likely).max_by(|a, b| a.1.total_cmp(b.1));
        Ok(Encoded { tokens, mask, about: likeliest.map_or("", |(sort, _)| sort) })
    }
}
