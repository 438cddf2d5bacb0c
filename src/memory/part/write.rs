//! A part's numbers → a safetensors file.

use std::borrow::Cow;

use half::f16;
use ndarray::Array2;
use safetensors::tensor::{Dtype, TensorView};

use super::{HeldOut, Part, Samples, SenseMemory, TILE, View};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::learned::Level;
use crate::memory::motion::UsualMotion;
use crate::memory::shape::Shape;
use crate::memory::usual::Usual;

/// The numbers as a safetensors file.
///
/// # Errors
/// [`ErrorKind::Config`] when a tensor's shape and its bytes do not fit.
pub(super) fn encode(part: &Part) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    tensors.shape(&part.learned.shape);
    tensors.table("summaries", &part.summaries);
    tensors.table("varied", &part.varied);
    tensors.held_out(&part.held_out);
    part.learned.levels.iter().for_each(|level| tensors.level(level));
    tensors.bytes("tiles", vec![part.tiles.len() / (TILE * TILE * 3), TILE, TILE, 3], &part.tiles);
    tensors.bytes("ignored", vec![part.ignored.len()], &part.ignored);
    tensors.of_sense(&part.sense);
    tensors.samples(&part.samples)?;
    tensors.written()
}

/// The tensors to write. The safetensors library orders them itself.
#[derive(Default)]
struct Tensors<'a> {
    list: Vec<NamedTensor<'a>>,
}

struct NamedTensor<'a> {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Tensors<'a> {
    fn push(&mut self, name: &str, dtype: Dtype, shape: Vec<usize>, bytes: impl Into<Cow<'a, [u8]>>) {
        self.list.push(NamedTensor { name: name.into(), dtype, shape, bytes: bytes.into() });
    }

    fn floats<'v>(&mut self, name: &str, shape: Vec<usize>, values: impl IntoIterator<Item = &'v f32>) {
        let bytes: Vec<u8> = values.into_iter().flat_map(|value| value.to_le_bytes()).collect();
        self.push(name, Dtype::F32, shape, bytes);
    }

    fn line(&mut self, name: &str, values: &[f32]) {
        self.floats(name, vec![values.len()], values);
    }

    fn table(&mut self, name: &str, table: &Array2<f32>) {
        self.floats(name, vec![table.nrows(), table.ncols()], table);
    }

    fn bytes(&mut self, name: &str, shape: Vec<usize>, bytes: &'a [u8]) {
        self.push(name, Dtype::U8, shape, bytes);
    }

    fn halves(&mut self, name: &str, shape: Vec<usize>, values: &[f16]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.push(name, Dtype::F16, shape, bytes);
    }

    fn shape(&mut self, shape: &Shape) {
        self.floats("shape.tameness", vec![shape.mean.len()], &shape.tameness);
        self.floats("shape.mean", vec![shape.mean.len()], &shape.mean);
        self.floats("shape.inverse_deviation", vec![shape.mean.len()], &shape.inverse_deviation);
        self.table("shape.axes", &shape.axes);
        self.floats("shape.excess", vec![shape.excess.len()], &shape.excess);
        self.line("shape.ball", &[shape.ball]);
    }

    fn held_out(&mut self, held_out: &[HeldOut]) {
        let numbers = |h: &HeldOut| {
            let pixels = h.distances.pixels.map(|pixels| [pixels, h.deviation]);
            let always = [h.distances.local, h.distances.global, h.heat];
            let more = pixels.into_iter().flatten().chain(h.distances.steady.into_iter().flatten());
            always.into_iter().chain(more).collect::<Vec<f32>>()
        };
        let values: Vec<f32> = held_out.iter().flat_map(numbers).collect();
        self.floats("held_out", vec![held_out.len(), values.len() / held_out.len().max(1)], &values);
    }

    fn level(&mut self, level: &Level) {
        let Level { stride, weights, bank, seen_at, unit, .. } = level;
        let of = |what: &str| format!("stride{stride}.{what}");
        self.table(&of("weights"), weights);
        self.table(&of("bank"), bank);
        self.line(&of("unit"), &[*unit]);
        let bytes: Vec<u8> = seen_at.iter().flatten().flat_map(|at| at.to_le_bytes()).collect();
        self.push(&of("seen_at"), Dtype::U32, vec![seen_at.len(), 2], bytes);
    }

    fn of_sense(&mut self, sense: &'a SenseMemory) {
        match sense {
            SenseMemory::Image { reference, golden } => {
                if let Some(reference) = reference {
                    self.bytes("reference", vec![reference.height, reference.width], &reference.pixels);
                }
                if let Some(golden) = golden {
                    self.halves("golden.low", vec![golden.height, golden.width], &golden.low);
                    self.halves("golden.high", vec![golden.height, golden.width], &golden.high);
                }
            }
            SenseMemory::Sound { baseline: None } => {}
            SenseMemory::Sound { baseline: Some(Usual { count, mean, squares, together, .. }) } => {
                self.line("usual.count", &[*count as f32]);
                self.line("usual.mean", mean);
                self.line("usual.squares", squares);
                self.floats("usual.together", vec![*count, together.len() / (*count).max(1)], together);
            }
            SenseMemory::Clip { motion: UsualMotion { count, mean, most, stills } } => {
                self.line("motion.count", &[*count as f32]);
                self.line("motion.mean", mean);
                self.line("motion.most", most);
                self.line("motion.stills", stills);
            }
        }
    }

    fn samples(&mut self, samples: &'a Samples) -> Result<()> {
        let names = serde_json::to_vec(&samples.names)
            .map_err(|error| Error::caused(ErrorKind::Config, "cannot write the samples' names", error))?;
        self.push("samples.names", Dtype::U8, vec![names.len()], names);
        if let Some(View { pixels, width, height }) = &samples.view {
            self.bytes("samples.view", vec![*height, *width, 3], pixels);
        }
        Ok(())
    }

    fn written(self) -> Result<Vec<u8>> {
        let failed = |error: safetensors::SafeTensorError| {
            Error::caused(ErrorKind::Config, "cannot write the part's numbers", error)
        };
        let mut views = Vec::new();
        for NamedTensor { name, dtype, shape, bytes } in &self.list {
            views.push((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(failed)?));
        }
        safetensors::serialize(views, None).map_err(failed)
    }
}
