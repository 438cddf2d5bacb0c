//! The CPU by ONNX Runtime's own kernels: always there, and behind every other provider.

use ort::ep;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct Cpu;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Whether memory is kept between runs, in an arena that only grows.
    arena: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { arena: true }
    }
}

impl Provider for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn id(&self) -> &'static str {
        crate::backend::CPU
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { arena } = wanted.options()?;
        wanted.register(builder, ep::CPU::default().with_arena_allocator(arena).build())
    }
}
