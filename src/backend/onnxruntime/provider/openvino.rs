//! OpenVINO: Intel's processors, GPUs and NPUs; its CPU kernels run on AMD's processors too.

use ort::ep;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct OpenVino;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// `CPU`, `GPU`, `GPU.1`, `NPU`, `HETERO:NPU,CPU`, …; `CPU` where nothing is said.
    device: Option<String>,
    /// `FP32`, `FP16` or `ACCURACY`; the device's own where nothing is said.
    precision: Option<String>,
    /// Runs at once.
    streams: Option<u8>,
}

impl Provider for OpenVino {
    fn name(&self) -> &'static str {
        "openvino"
    }

    fn id(&self) -> &'static str {
        "OpenVINOExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { device, precision, streams } = wanted.options()?;
        let mut vino = ep::OpenVINO::default()
            .with_device_type(device.as_deref().unwrap_or("CPU"))
            .with_num_threads(wanted.threads.max(1));
        if let Some(precision) = precision {
            vino = vino.with_precision(precision);
        }
        if let Some(streams) = streams {
            vino = vino.with_num_streams(streams);
        }
        if let Some(cache) = wanted.cache() {
            vino = vino.with_cache_dir(cache);
        }
        wanted.register(builder, vino.build())
    }
}
