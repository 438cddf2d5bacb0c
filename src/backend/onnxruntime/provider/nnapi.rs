//! NNAPI: accelerators of Android devices.

use ort::ep;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct Nnapi;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Whether floats may be computed in 16 bits.
    fp16: bool,
    /// Whether channels come first; Android 10 and later.
    nchw: bool,
    /// Whether NNAPI's own CPU kernels may be used, which are slower than ONNX Runtime's.
    cpu: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fp16: false, nchw: false, cpu: true }
    }
}

impl Provider for Nnapi {
    fn name(&self) -> &'static str {
        "nnapi"
    }

    fn id(&self) -> &'static str {
        "NnapiExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { fp16, nchw, cpu } = wanted.options()?;
        let nnapi = ep::NNAPI::default().with_fp16(fp16).with_nchw(nchw).with_disable_cpu(!cpu);
        wanted.register(builder, nnapi.build())
    }
}
