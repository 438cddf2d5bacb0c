//! WebGPU: any GPU with Vulkan, Metal or Direct3D, through Dawn.

use ort::ep::{self, webgpu};
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct WebGpu;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Number of the device.
    device: i32,
    /// In which order numbers lie.
    layout: Layout,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Layout {
    #[default]
    Nhwc,
    Nchw,
}

impl Provider for WebGpu {
    fn name(&self) -> &'static str {
        "webgpu"
    }

    fn id(&self) -> &'static str {
        "WebGpuExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { device, layout } = wanted.options()?;
        let layout = match layout {
            Layout::Nhwc => webgpu::PreferredLayout::NHWC,
            Layout::Nchw => webgpu::PreferredLayout::NCHW,
        };
        let gpu = ep::WebGPU::default().with_device_id(device).with_preferred_layout(layout);
        wanted.register(builder, gpu.build())
    }
}
