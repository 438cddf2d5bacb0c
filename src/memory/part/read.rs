//! A safetensors file → a part's numbers. Each error is a sentence that names the tensor.

use half::f16;
use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::card::{Card, Kind};
use super::{HeldOut, Part, Samples, SenseMemory, TILE, View};
use crate::error::Result;
use crate::memory::golden::Golden;
use crate::memory::learned::{Distances, Judgement, Learned, Level, shown_level};
use crate::memory::motion::UsualMotion;
use crate::memory::shape::Shape;
use crate::memory::usual::Usual;
use crate::package::manifest::Sense;
use crate::prepare::fixture::Reference;
use crate::prepare::steady::GROUPS;

/// The part, from its card and the bytes of its file of numbers.
pub(super) fn decode(card: Card, bytes: &[u8], digest: String) -> Result<Part, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not a safetensors file: {error}"))?;
    let numbers = Numbers(file);
    let places = card.kind.places();
    let levels = card.strides.iter().map(|&stride| numbers.level(stride, places)).collect::<Result<Vec<_>, _>>()?;
    let shape = numbers.shape()?;
    let d = shape.mean.len();
    let [tiles, ignored] = numbers.pictures(&card, &levels)?;
    let sense = numbers.of_sense(card.kind)?;
    let held_out = numbers.held_out(&sense)?;
    let samples = numbers.samples()?;
    let (summaries, varied) = (numbers.table("summaries", Some(d))?, numbers.table("varied", Some(d))?);
    // Without held-out samples no image would be anomalous.
    filled("held_out", held_out.len())?;
    filled("summaries", summaries.nrows())?;
    let distances: Vec<Distances> = held_out.iter().map(|held_out| held_out.distances).collect();
    let (learned, judgement) = (Learned::new(levels, shape), Judgement::learn(&distances));
    Ok(Part {
        card,
        learned,
        judgement,
        held_out,
        sense,
        summaries,
        varied,
        tiles,
        ignored: ignored.into(),
        samples,
        digest,
    })
}

fn filled(name: &str, len: usize) -> Result<(), String> {
    if len > 0 { Ok(()) } else { Err(format!("`{name}` is empty")) }
}

/// The tensors of the file.
struct Numbers<'a>(SafeTensors<'a>);

impl Numbers<'_> {
    fn raw(&self, name: &str, dtype: Dtype) -> Result<TensorView<'_>, String> {
        let view = self.0.tensor(name).map_err(|_| format!("no tensor `{name}`"))?;
        match view.dtype() == dtype {
            true => Ok(view),
            false => Err(format!("`{name}` wants {dtype:?}, got {:?}", view.dtype())),
        }
    }

    fn floats(&self, name: &str) -> Result<(Vec<f32>, Vec<usize>), String> {
        let view = self.raw(name, Dtype::F32)?;
        let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        match values.iter().all(|v| v.is_finite()) {
            true => Ok((values, view.shape().to_vec())),
            false => Err(not_finite(name)),
        }
    }

    /// `f32[len]`; any length if none is given.
    fn line(&self, name: &str, len: Option<usize>) -> Result<Vec<f32>, String> {
        let (values, shape) = self.floats(name)?;
        match len.is_none_or(|len| shape == [len]) {
            true => Ok(values),
            false => Err(format!("`{name}` wants f32[{}], got {shape:?}", len.unwrap_or_default())),
        }
    }

    /// `f32[n, columns]`.
    fn table(&self, name: &str, columns: Option<usize>) -> Result<Array2<f32>, String> {
        let (values, shape) = self.floats(name)?;
        let [rows, found] = shape[..] else { return Err(format!("`{name}` wants f32[n, m], got {shape:?}")) };
        match columns.is_none_or(|columns| columns == found) {
            true => Array2::from_shape_vec((rows, found), values).map_err(|error| format!("`{name}`: {error}")),
            false => Err(format!("`{name}` wants f32[n, {}], got {shape:?}", columns.unwrap_or_default())),
        }
    }

    /// Bytes of `[height, width]`, with its columns and rows.
    fn plane(&self, name: &str, dtype: Dtype) -> Result<(Vec<u8>, [usize; 2]), String> {
        let view = self.raw(name, dtype)?;
        match view.shape()[..] {
            [height, width] if height > 0 && width > 0 => Ok((view.data().to_vec(), [width, height])),
            _ => Err(format!("`{name}` wants {dtype:?}[height, width], got {:?}", view.shape())),
        }
    }

    fn level(&self, stride: usize, places: usize) -> Result<Level, String> {
        let of = |what: &str| format!("stride{stride}.{what}");
        let weights = self.table(&of("weights"), None)?;
        let bank = self.table(&of("bank"), Some(places + weights.ncols()))?;
        filled(&of("weights"), weights.len())?;
        filled(&of("bank"), bank.len())?;
        let unit = self.line(&of("unit"), Some(1))?[0];
        if unit <= 0.0 {
            return Err(format!("`{}` must be positive, got {unit}", of("unit")));
        }
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        let seen_at = self.raw(&of("seen_at"), Dtype::U32)?;
        let pairs = seen_at.data().as_chunks::<8>().0.iter();
        let seen_at: Vec<[u32; 2]> = pairs.map(|pair| [word(&pair[..4]), word(&pair[4..])]).collect();
        if seen_at.len() != bank.nrows() {
            return Err(format!("`{}` must have one row for each of {} bank entries", of("seen_at"), bank.nrows()));
        }
        Ok(Level::new(stride, weights, (bank, seen_at), unit))
    }

    fn shape(&self) -> Result<Shape, String> {
        let line = |name: &str, len| self.line(name, len).map(Array1::from);
        let mean = line("shape.mean", None)?;
        let d = mean.len();
        filled("shape.mean", d)?;
        let axes = self.table("shape.axes", Some(d))?;
        Ok(Shape {
            tameness: line("shape.tameness", Some(d))?,
            inverse_deviation: line("shape.inverse_deviation", Some(d))?,
            excess: line("shape.excess", Some(axes.nrows()))?,
            ball: self.line("shape.ball", Some(1))?[0],
            mean,
            axes,
        })
    }

    /// Tiles and ignored pixels.
    fn pictures(&self, card: &Card, levels: &[Level]) -> Result<[Vec<u8>; 2], String> {
        let [tiles, ignored] =
            ["tiles", "ignored"].map(|name| self.raw(name, Dtype::U8).map(|view| view.data().to_vec()));
        let (tiles, ignored) = (tiles?, ignored?);
        let [height, width] = card.model.input;
        let shown = levels[shown_level(levels.len())].bank.nrows();
        if tiles.len() != shown * TILE * TILE * 3 {
            return Err(format!("`tiles` must have one row for each of {shown} bank entries"));
        }
        if !ignored.is_empty() && ignored.len() != height * width {
            return Err(format!("`ignored` wants u8[{}], got [{}]", height * width, ignored.len()));
        }
        Ok([tiles, ignored])
    }

    /// Missing in parts that were taught before they were kept.
    fn samples(&self) -> Result<Samples, String> {
        if self.0.tensor("samples.names").is_err() {
            return Ok(Samples::default());
        }
        let names = self.raw("samples.names", Dtype::U8)?;
        let names = serde_json::from_slice(names.data())
            .map_err(|error| format!("`samples.names` is no list of names: {error}"))?;
        let view = self.0.tensor("samples.view").is_ok().then(|| self.view()).transpose()?;
        Ok(Samples { names, view })
    }

    fn view(&self) -> Result<View, String> {
        let view = self.raw("samples.view", Dtype::U8)?;
        match view.shape()[..] {
            [height, width, 3] if height > 0 && width > 0 => Ok(View { pixels: view.data().to_vec(), width, height }),
            _ => Err(format!("`samples.view` wants u8[height, width, 3], got {:?}", view.shape())),
        }
    }

    fn of_sense(&self, kind: Kind) -> Result<SenseMemory, String> {
        Ok(match kind.sense() {
            Sense::Image => {
                let reference = kind.is_registered().then(|| self.reference()).transpose()?;
                let compared = reference.as_ref().filter(|_| kind == Kind::Golden);
                let golden = compared.map(|reference| self.golden(reference)).transpose()?;
                SenseMemory::Image { reference, golden }
            }
            Sense::Sound => {
                let is_known = self.0.tensor("usual.mean").is_ok();
                SenseMemory::Sound { baseline: is_known.then(|| self.usual()).transpose()? }
            }
            Sense::Clip => SenseMemory::Clip { motion: self.motion()? },
        })
    }

    fn reference(&self) -> Result<Reference, String> {
        let (pixels, [width, height]) = self.plane("reference", Dtype::U8)?;
        Ok(Reference { pixels, width, height })
    }

    fn golden(&self, reference: &Reference) -> Result<Golden, String> {
        let ((low, size), (high, other)) = (self.band("golden.low")?, self.band("golden.high")?);
        let Golden { width, height, .. } = Golden::new([reference.width, reference.height]);
        if size != other || size != [width, height] {
            return Err(format!("`golden.low` and `golden.high` want f16[{height}, {width}]"));
        }
        Ok(Golden { low, high, width, height })
    }

    fn band(&self, name: &str) -> Result<(Vec<f16>, [usize; 2]), String> {
        let (bytes, size) = self.plane(name, Dtype::F16)?;
        let values: Vec<f16> = bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok((values, size)),
            false => Err(not_finite(name)),
        }
    }

    fn usual(&self) -> Result<Usual, String> {
        let (count, mean) = (self.line("usual.count", Some(1))?[0] as usize, self.line("usual.mean", None)?);
        let squares = self.line("usual.squares", Some(mean.len()))?;
        if count == 0 || squares.iter().any(|square| *square < 0.0) {
            return Err("`usual.count` must be positive, and no `usual.squares` negative".into());
        }
        let together = self.table("usual.together", None)?;
        if together.nrows() != count {
            return Err(format!("`usual.together` wants f32[{count}, n], got {:?}", together.shape()));
        }
        Ok(Usual::new(count, mean, squares, together.into_raw_vec_and_offset().0))
    }

    fn motion(&self) -> Result<UsualMotion, String> {
        let (count, mean) = (self.line("motion.count", Some(1))?[0] as usize, self.line("motion.mean", None)?);
        let most = self.line("motion.most", Some(mean.len()))?;
        let stills = self.line("motion.stills", None)?;
        match count {
            0 => Err("`motion.count` must be positive".into()),
            _ => Ok(UsualMotion { count, mean, most, stills }),
        }
    }

    fn held_out(&self, sense: &SenseMemory) -> Result<Vec<HeldOut>, String> {
        let compared = matches!(sense, SenseMemory::Image { golden: Some(_), .. });
        let steady = matches!(sense, SenseMemory::Sound { baseline: Some(_) });
        let columns = 3 + if compared { 2 } else { 0 } + if steady { GROUPS.len() } else { 0 };
        let table = self.table("held_out", Some(columns))?;
        let rows = table.rows().into_iter().map(|row| {
            let distances = Distances {
                local: row[0],
                global: row[1],
                pixels: compared.then(|| row[3]),
                steady: steady.then(|| std::array::from_fn(|i| row[3 + i])),
            };
            HeldOut { distances, heat: row[2], deviation: if compared { row[4] } else { 0.0 } }
        });
        Ok(rows.collect())
    }
}

fn not_finite(name: &str) -> String {
    format!("`{name}` holds numbers that are not finite")
}
