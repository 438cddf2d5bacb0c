//! TensorRT for RTX: NVIDIA's consumer GPUs; engines are built in seconds on the device itself.

use ort::ep;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct NvRtx;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Number of the GPU.
    device: u32,
    /// Megabytes that building an engine may take.
    workspace_mb: Option<usize>,
}

impl Provider for NvRtx {
    fn name(&self) -> &'static str {
        "nvrtx"
    }

    fn id(&self) -> &'static str {
        "NvTensorRTRTXExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { device, workspace_mb } = wanted.options()?;
        let mut rtx = ep::NVRTX::default().with_device_id(device);
        if let Some(megabytes) = workspace_mb {
            rtx = rtx.with_max_workspace(megabytes << 20);
        }
        if let Some(cache) = wanted.cache() {
            rtx = rtx.with_runtime_cache_path(cache);
        }
        wanted.register(builder, rtx.build())
    }
}
