//! TensorRT: NVIDIA's GPUs and DLAs by engines that are built for the very device, which takes minutes; they are kept in
//! the cache.

use ort::ep;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct TensorRt;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Number of the GPU.
    device: i32,
    /// Whether engines may compute in 16 bits.
    fp16: bool,
    /// Whether they may in 8, by the scales of the graph's QDQ nodes.
    int8: bool,
    /// Megabytes that building an engine may take.
    workspace_mb: Option<usize>,
    /// Core of the deep learning accelerator to use instead of the GPU.
    dla_core: Option<u32>,
    /// Whether the engine is also written into a model of its own (EPContext), which loads without the builder.
    context: bool,
}

impl Provider for TensorRt {
    fn name(&self) -> &'static str {
        "tensorrt"
    }

    fn id(&self) -> &'static str {
        "TensorrtExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { device, fp16, int8, workspace_mb, dla_core, context } = wanted.options()?;
        let mut rt = ep::TensorRT::default().with_device_id(device).with_fp16(fp16).with_int8(int8);
        if let Some(megabytes) = workspace_mb {
            rt = rt.with_max_workspace_size(megabytes << 20);
        }
        if let Some(core) = dla_core {
            rt = rt.with_dla(true).with_dla_core(core);
        }
        if let Some(cache) = wanted.cache() {
            rt = rt.with_engine_cache(true).with_engine_cache_path(&cache).with_timing_cache(true);
            rt = rt.with_timing_cache_path(&cache);
            if context {
                // 1: the engine stands within the model's file.
                rt =
                    rt.with_dump_ep_context_model(true).with_ep_context_file_path(&cache).with_ep_context_embed_mode(1);
            }
        }
        wanted.register(builder, rt.build())
    }
}
