//! Evidence of the senses and a prompt → latents for the decoder: cross-attention with a gate per sense, which weighs
//! the sense on this sample.

use crate::backend::{Backend, Options, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::{Manifest, Precision, Sense};

/// The fusion of a model package, ready to run.
pub struct Fusion {
    session: Box<dyn Session>,
    /// Kinds of defects that it distinguishes.
    kinds: Vec<String>,
}

/// The result of fusion.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused {
    /// `f32[latents, width]`, for the decoder.
    pub latents: Vec<f32>,
    /// Weight of each of [`SENSES`], 0 to 1; 0 for an absent one.
    pub gates: Vec<f32>,
    /// Attention of each latent, per sense of [`SENSES`]: `f32[latents, tokens]`; each latent's weights add up to 1.
    pub weights: [Vec<f32>; SENSES.len()],
    /// Likelihood of each kind for each finding, sense after sense, `f32[senses * findings, kinds]`.
    pub kinds: Vec<f32>,
}

/// The fused senses, in this order.
pub const SENSES: [Sense; 3] = [Sense::Image, Sense::Sound, Sense::Clip];
/// The graph's inputs, in this order.
pub const INPUTS: [&str; 11] = [
    "image_shapes",
    "image_cells",
    "image_quality",
    "audio_shapes",
    "audio_cells",
    "audio_quality",
    "clip_shapes",
    "clip_cells",
    "clip_quality",
    "text",
    "text_mask",
];
/// The graph's outputs, in this order.
const OUTPUTS: [&str; 6] = ["latents", "gates", "image_weights", "audio_weights", "clip_weights", "kinds"];

impl Fusion {
    /// Loads the fusion of a package.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] on a wrong digest, [`ErrorKind::Config`] when the graph has other tensors,
    /// [`ErrorKind::Unavailable`] when the package has none.
    pub fn load(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: &Options) -> Result<Self> {
        let spec = &manifest.language()?.fusion;
        let file = spec.file(precision, backend.format(), "fusion")?;
        let mut session = backend.open(file, &manifest.load(file)?, options)?;
        let names = |specs: &[crate::tensor::TensorSpec], wanted: &[&str]| {
            specs.iter().map(|spec| spec.name.as_str()).eq(wanted.iter().copied())
        };
        if !names(session.inputs(), &INPUTS) || !names(session.outputs(), &OUTPUTS) {
            let what = format!("{file}: the fusion must take {} and give {}", INPUTS.join(", "), OUTPUTS.join(", "));
            return Err(Error::new(ErrorKind::Config, what));
        }
        let sizes = |specs: &[crate::tensor::TensorSpec]| -> Result<Vec<Vec<usize>>> {
            let fixed = |spec: &crate::tensor::TensorSpec| {
                let what = || Error::new(ErrorKind::Config, format!("{file}: `{}` must have fixed sizes", spec.name));
                spec.shape.iter().copied().collect::<Option<Vec<_>>>().ok_or_else(what)
            };
            specs.iter().map(fixed).collect()
        };
        let (inputs, outputs) = (sizes(session.inputs())?, sizes(session.outputs())?);
        session.bind(&inputs, &outputs)?;
        Ok(Self { session, kinds: spec.kinds.clone() })
    }

    /// Kinds of defects that it distinguishes.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// Fuses evidence with a prompt: a slice for each of [`INPUTS`]; empty for an absent sense.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when one of them has another size than the graph; [`ErrorKind::Runtime`] when the runtime
    /// fails.
    pub fn run(&mut self, inputs: [&[f32]; INPUTS.len()]) -> Result<Fused> {
        for (i, (name, values)) in INPUTS.into_iter().zip(inputs).enumerate() {
            let memory = self.session.input_mut(i)?;
            if values.is_empty() {
                memory.fill(0.0);
                continue;
            }
            if memory.len() != values.len() {
                let what = format!("the fusion takes {} numbers of `{name}`, got {}", memory.len(), values.len());
                return Err(Error::new(ErrorKind::Config, what));
            }
            memory.copy_from_slice(values);
        }
        self.session.run()?;
        let output = |i: usize| self.session.output(i).map(<[f32]>::to_vec);
        let weights = [output(2)?, output(3)?, output(4)?];
        Ok(Fused { latents: output(0)?, gates: output(1)?, weights, kinds: output(5)? })
    }
}
