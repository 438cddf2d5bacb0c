//! A model from elsewhere run once: what it gives for inputs of chosen sizes, and which nodes each provider takes.
//! Models that are run again and again are for `OnnxSession`.

use std::borrow::Cow;
use std::time::Instant;

use half::f16;
use ort::session::SessionInputValue;
use ort::value::{PrimitiveTensorElementType, Tensor, TensorElementType, ValueType};

use super::{Made, Node, OnnxRuntime, Plan, assignment, failed};
use crate::backend::Options;
use crate::error::{Error, ErrorKind, Result};

/// Elements of an input, at most.
const LARGEST: usize = 1 << 28;

/// An input of a model, with the sizes that it is to have.
#[derive(Debug, Clone)]
pub struct Given {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// The sizes that the model leaves open, by their names.
    pub open: Vec<(String, usize)>,
    /// What it holds, row-major, where its elements are `f32`; a pattern between 0 and 1 where there is nothing.
    pub values: Vec<f32>,
}

/// What a model gave.
#[derive(Debug)]
pub struct Probe {
    /// Its outputs in the model's order.
    pub outputs: Vec<Output>,
    /// Its nodes, and who took them.
    pub nodes: Vec<Node>,
    /// Milliseconds until it was ready.
    pub open_ms: f64,
    /// Milliseconds of the run.
    pub run_ms: f64,
}

/// An output as it came.
#[derive(Debug)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Its values, row-major; none where its elements are not `f32`.
    pub values: Vec<f32>,
}

impl OnnxRuntime {
    /// Opens a model and runs it once; `name` is used in messages only.
    ///
    /// # Errors
    /// As [`open`](crate::backend::Backend::open); [`ErrorKind::Config`] when an input is none that can be made up, or has
    /// more than 2^28 elements.
    pub fn probe(&self, name: &str, model: &[u8], options: &Options, inputs: &[Given]) -> Result<Probe> {
        let mut sizes: Vec<(String, i64)> = Vec::new();
        for (symbol, size) in inputs.iter().flat_map(|input| &input.open) {
            if !symbol.is_empty() && sizes.iter().all(|(known, _)| known != symbol) {
                sizes.push((symbol.clone(), *size as i64));
            }
        }
        let start = Instant::now();
        let options = options.clone();
        let plan = Plan { name: name.to_string(), model: Cow::Borrowed(model), options, symbols: Vec::new() };
        let Made { mut session, .. } = plan.make(&sizes)?;
        let open_ms = start.elapsed().as_secs_f64() * 1e3;
        let refused = |error: ort::Error| failed(format!("{name} does not run"), error);
        let mut values = Vec::new();
        for outlet in session.inputs() {
            let given = inputs.iter().find(|input| input.name == outlet.name());
            match (outlet.dtype(), given) {
                (ValueType::Tensor { ty, .. }, Some(given)) => {
                    values.push((given.name.clone(), given.tensor(*ty)?));
                }
                _ => {
                    let what = format!("{name}: nothing can be made up for its input `{}`", outlet.name());
                    return Err(Error::new(ErrorKind::Config, what));
                }
            }
        }
        let start = Instant::now();
        let given = session.run(values).map_err(refused)?;
        let run_ms = start.elapsed().as_secs_f64() * 1e3;
        let mut outputs = Vec::new();
        for (name, value) in &given {
            let shape = match value.dtype() {
                ValueType::Tensor { shape, .. } => shape.iter().map(|&size| size.max(0) as usize).collect(),
                _ => Vec::new(),
            };
            let values = value.try_extract_tensor::<f32>().map(|(_, values)| values.to_vec()).unwrap_or_default();
            outputs.push(Output { name: name.to_string(), shape, values });
        }
        drop(given);
        let nodes = assignment(&session).map_err(refused)?;
        Ok(Probe { outputs, nodes, open_ms, run_ms })
    }
}

impl Given {
    fn tensor(&self, ty: TensorElementType) -> Result<SessionInputValue<'static>> {
        let Self { name, shape, values, .. } = self;
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size)).filter(|&n| n <= LARGEST);
        let Some(count) = count else {
            let what = format!("input `{name}` of {shape:?} is too large to be tried");
            return Err(Error::new(ErrorKind::Config, what));
        };
        // No constant: of one, an error in most nodes would not be seen.
        let pattern = || (0..count).map(|i| ((i * 7919) % 1013) as f32 / 1013.0);
        match ty {
            TensorElementType::Float32 if values.len() == count => self.of(values.clone()),
            TensorElementType::Float32 => self.of(pattern().collect()),
            TensorElementType::Float16 => self.of(pattern().map(f16::from_f32).collect()),
            TensorElementType::Float64 => self.of(pattern().map(f64::from).collect()),
            TensorElementType::Uint8 => self.of(pattern().map(|value| (255.0 * value) as u8).collect()),
            TensorElementType::Int8 => self.of(vec![1i8; count]),
            TensorElementType::Int32 => self.of(vec![1i32; count]),
            TensorElementType::Int64 => self.of(vec![1i64; count]),
            TensorElementType::Bool => self.of(vec![true; count]),
            other => {
                let what = format!("nothing can be made up for input `{name}`, whose elements are {other}");
                Err(Error::new(ErrorKind::Config, what))
            }
        }
    }

    fn of<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
        &self,
        values: Vec<T>,
    ) -> Result<SessionInputValue<'static>> {
        let tensor = Tensor::from_array((self.shape.clone(), values));
        tensor.map(Into::into).map_err(|error| failed(format!("no input `{}` of {:?}", self.name, self.shape), error))
    }
}
