//! DirectML: GPUs and NPUs of Windows machines.

use ort::ep::{self, directml};
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct DirectMl;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Number of the adapter; else it is chosen by what stands below.
    device: Option<i32>,
    /// What counts in choosing.
    power: Power,
    /// What is chosen from.
    filter: Filter,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Power {
    #[default]
    Default,
    Performance,
    Saving,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Filter {
    #[default]
    Gpu,
    Npu,
    Any,
}

impl Provider for DirectMl {
    fn name(&self) -> &'static str {
        "directml"
    }

    fn id(&self) -> &'static str {
        "DmlExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { device, power, filter } = wanted.options()?;
        let provider = match device {
            Some(device) => ep::DirectML::default().with_device_id(device),
            None => ep::DirectML::default()
                .with_performance_preference(match power {
                    Power::Default => directml::PerformancePreference::Default,
                    Power::Performance => directml::PerformancePreference::HighPerformance,
                    Power::Saving => directml::PerformancePreference::MinimumPower,
                })
                .with_device_filter(match filter {
                    Filter::Gpu => directml::DeviceFilter::Gpu,
                    Filter::Npu => directml::DeviceFilter::Npu,
                    Filter::Any => directml::DeviceFilter::Any,
                }),
        };
        wanted.register(builder, provider.build())
    }
}
