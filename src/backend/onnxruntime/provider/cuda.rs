//! CUDA: NVIDIA's GPUs by cuDNN and the library's own kernels.

use ort::ep::{self, cuda::ConvAlgorithmSearch};
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct Cuda;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Number of the GPU.
    device: i32,
    /// Megabytes that its arena may take.
    memory_mb: Option<usize>,
    /// How the algorithm of a convolution is found.
    search: Search,
    /// Whether float products may be cut to 19 bits on tensor cores.
    tf32: bool,
    /// Whether convolutions run with channels last.
    nhwc: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Search {
    /// By trying all: slow to begin with, fastest afterwards.
    Exhaustive,
    /// By cuDNN's own guess: what a line that restarts often wants.
    #[default]
    Heuristic,
    /// Not at all.
    Default,
}

impl Provider for Cuda {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn id(&self) -> &'static str {
        "CUDAExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { device, memory_mb, search, tf32, nhwc } = wanted.options()?;
        let search = match search {
            Search::Exhaustive => ConvAlgorithmSearch::Exhaustive,
            Search::Heuristic => ConvAlgorithmSearch::Heuristic,
            Search::Default => ConvAlgorithmSearch::Default,
        };
        let mut cuda = ep::CUDA::default()
            .with_device_id(device)
            .with_conv_algorithm_search(search)
            .with_tf32(tf32)
            .with_prefer_nhwc(nhwc);
        if let Some(megabytes) = memory_mb {
            cuda = cuda.with_memory_limit(megabytes << 20);
        }
        wanted.register(builder, cuda.build())
    }
}
