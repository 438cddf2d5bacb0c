//! What a model takes and gives: element type, name and shape. The only shape check of the crate is here.
//! And numbers that were written down as safetensors.

use std::fmt;

use half::f16;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Element types that models exchange with eyear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// Signed byte.
    I8,
    /// Unsigned byte.
    U8,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::I32 => "i32",
            Self::I64 => "i64",
        })
    }
}

/// How the numbers of a model are stored: a variant of a part, never a second code path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: the reference.
    Fp32,
    /// 16-bit floats.
    Fp16,
    /// 8-bit integers with quantize/dequantize nodes (QDQ).
    Int8,
    /// 4-bit weights.
    Int4,
}

impl Precision {
    /// The word that stands in manifests and arguments.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Fp32, Self::Fp16, Self::Int8, Self::Int4].into_iter().find(|p| p.as_str() == text).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("precision is one of fp32, fp16, int8, int4; got `{text}`"))
        })
    }
}

/// An input or output of a model, as the model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// The name in the graph.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Sizes; `None` is decided when the model is run.
    pub shape: Vec<Option<usize>>,
}

impl TensorSpec {
    /// Takes or refuses a tensor of `dtype` and `shape`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: "`pixels` wants f32[1, 3, ?, ?], got f32[1, 224, 224, 3]".
    pub fn accept(&self, dtype: DType, shape: &[usize]) -> Result<()> {
        let fits = self.shape.len() == shape.len()
            && self.shape.iter().zip(shape).all(|(want, got)| want.is_none_or(|want| want == *got));
        if fits && self.dtype == dtype {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, format!("`{}` wants {self}, got {dtype}{shape:?}", self.name)))
    }
}

impl fmt::Display for TensorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.shape.iter().map(|s| s.map_or("?".into(), |s| s.to_string())).collect();
        write!(f, "{}[{}]", self.dtype, sizes.join(", "))
    }
}

/// The values and the shape of tensor `name` in a safetensors file; `file` stands in messages.
///
/// # Errors
/// [`ErrorKind::Integrity`] when it is no such file, or holds no such tensor of `f32` or `f16`.
pub fn read(file: &str, bytes: &[u8], name: &str) -> Result<(Vec<f32>, Vec<usize>)> {
    let wrong = |error: safetensors::SafeTensorError| {
        Error::caused(ErrorKind::Integrity, format!("{file}: no tensor `{name}`"), error)
    };
    let view = SafeTensors::deserialize(bytes).map_err(wrong)?;
    let view = view.tensor(name).map_err(wrong)?;
    let data = view.data();
    let values = match view.dtype() {
        safetensors::Dtype::F32 => data.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect(),
        safetensors::Dtype::F16 => {
            data.as_chunks::<2>().0.iter().map(|two| f16::from_le_bytes(*two).to_f32()).collect()
        }
        other => {
            let what = format!("{file}: `{name}` must be f32 or f16, got {other:?}");
            return Err(Error::new(ErrorKind::Integrity, what));
        }
    };
    Ok((values, view.shape().to_vec()))
}

/// Cosine of the angle between two vectors of one length, -1 to 1.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-30)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_name_expected_and_got() {
        let spec = TensorSpec { name: "pixels".into(), dtype: DType::F32, shape: vec![Some(1), Some(3), None, None] };
        assert!(spec.accept(DType::F32, &[1, 3, 224, 320]).is_ok());
        let error = spec.accept(DType::F32, &[1, 224, 224, 3]).unwrap_err();
        assert_eq!(error.message(), "`pixels` wants f32[1, 3, ?, ?], got f32[1, 224, 224, 3]");
        assert!(spec.accept(DType::U8, &[1, 3, 2, 2]).is_err());
        assert!(spec.accept(DType::F32, &[1, 3, 2]).is_err());
    }
}
