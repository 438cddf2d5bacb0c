//! The text encoder of a model package: a language and a question → tokens that `fuse` looks at.

use crate::backend::{Backend, Options, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Manifest, Precision};

/// A text encoder that is ready to run.
pub struct TextEncoder {
    session: Box<dyn Session>,
    /// Tokens of a prompt, at most.
    length: usize,
}

impl TextEncoder {
    /// Loads the text encoder of a package: `ids`, `i32[1, length]`, nought pads → `tokens`, `f32[1, length, width]`, and
    /// `mask`, `f32[1, 1, 1, length]`.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] on a wrong digest, [`ErrorKind::Config`] when the graph has other tensors,
    /// [`ErrorKind::Unavailable`] when the package has none.
    pub fn load(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: Options) -> Result<Self> {
        let file = manifest.language()?.text_encoder.file(precision, "text_encoder")?;
        let mut session = backend.open(file, &manifest.load(file)?, options)?;
        let shapes = |specs: &[crate::tensor::TensorSpec]| {
            specs.iter().map(|spec| spec.shape.iter().copied().collect::<Option<Vec<_>>>()).collect::<Option<Vec<_>>>()
        };
        let (inputs, outputs) = (shapes(session.inputs()), shapes(session.outputs()));
        let (Some([ids]), Some([tokens, mask])) = (inputs.as_deref(), outputs.as_deref()) else {
            let what = format!("{file}: the text encoder must have one input and two outputs of fixed sizes");
            return Err(Error::new(ErrorKind::Config, what));
        };
        session.bind(std::slice::from_ref(ids), &[tokens.clone(), mask.clone()])?;
        Ok(Self { length: ids.iter().product(), session })
    }

    /// Tokens of a prompt, at most.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Encodes a prompt; what is longer is cut. Gives its tokens and the mask of those that are there.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime fails.
    pub fn encode(&mut self, ids: &[u32]) -> Result<[&[f32]; 2]> {
        let input = self.session.input_i32_mut(0)?;
        input.fill(0);
        input.iter_mut().zip(ids).for_each(|(out, &id)| *out = id as i32);
        self.session.run()?;
        Ok([self.session.output(0)?, self.session.output(1)?])
    }
}
