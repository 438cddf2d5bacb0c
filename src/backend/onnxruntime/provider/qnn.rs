//! QNN: Qualcomm's processors, by a library of their SDK. Plug-in packages of it come by `plugin`.

use ort::ep::{self, qnn::PerformanceMode};
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct Qnn;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// The SDK's library: `libQnnHtp.so` for the NPU, `libQnnGpu.so`, `libQnnCpu.so`.
    library: Option<String>,
    /// Number of the device.
    device: i32,
    /// How much power the NPU may take.
    performance: Performance,
    /// Whether floats are computed in 16 bits.
    fp16: bool,
    /// Number of the system on chip, where the library cannot ask for it.
    soc: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Performance {
    #[default]
    Default,
    Burst,
    Balanced,
    SustainedHigh,
    PowerSaver,
}

impl Provider for Qnn {
    fn name(&self) -> &'static str {
        "qnn"
    }

    fn id(&self) -> &'static str {
        "QNNExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { library, device, performance, fp16, soc } = wanted.options()?;
        let performance = match performance {
            Performance::Default => PerformanceMode::Default,
            Performance::Burst => PerformanceMode::Burst,
            Performance::Balanced => PerformanceMode::Balanced,
            Performance::SustainedHigh => PerformanceMode::SustainedHighPerformance,
            Performance::PowerSaver => PerformanceMode::PowerSaver,
        };
        let mut qnn = ep::QNN::default()
            .with_backend_path(library.as_deref().unwrap_or("libQnnHtp.so"))
            .with_device_id(device)
            .with_performance_mode(performance)
            .with_htp_fp16_precision(fp16);
        if let Some(soc) = soc {
            qnn = qnn.with_soc_model(soc);
        }
        wanted.register(builder, qnn.build())
    }
}
