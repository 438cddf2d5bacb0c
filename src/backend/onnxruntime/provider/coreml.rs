//! Core ML: the CPU, GPU and Neural Engine of Apple's devices.

use ort::ep::{self, coreml};
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct CoreMl;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// What may compute.
    units: Units,
    /// What the graph is compiled to.
    format: Format,
    /// Whether only nodes of fixed shapes are taken.
    static_shapes: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Units {
    #[default]
    All,
    CpuAndGpu,
    /// The CPU and the Neural Engine.
    NeuralEngine,
    Cpu,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// An ML program: macOS 12, iOS 15 and later.
    #[default]
    Program,
    /// A neural network, for those before.
    Network,
}

impl Provider for CoreMl {
    fn name(&self) -> &'static str {
        "coreml"
    }

    fn id(&self) -> &'static str {
        "CoreMLExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { units, format, static_shapes } = wanted.options()?;
        let units = match units {
            Units::All => coreml::ComputeUnits::All,
            Units::CpuAndGpu => coreml::ComputeUnits::CPUAndGPU,
            Units::NeuralEngine => coreml::ComputeUnits::CPUAndNeuralEngine,
            Units::Cpu => coreml::ComputeUnits::CPUOnly,
        };
        let format = match format {
            Format::Program => coreml::ModelFormat::MLProgram,
            Format::Network => coreml::ModelFormat::NeuralNetwork,
        };
        let mut apple = ep::CoreML::default()
            .with_compute_units(units)
            .with_model_format(format)
            .with_static_input_shapes(static_shapes);
        if let Some(cache) = wanted.cache() {
            apple = apple.with_model_cache_dir(cache);
        }
        wanted.register(builder, apple.build())
    }
}
