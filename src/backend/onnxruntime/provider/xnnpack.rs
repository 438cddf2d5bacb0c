//! XNNPACK: float kernels for Arm, x86 and WebAssembly, with a pool of threads of their own.

use std::num::NonZeroUsize;

use ort::ep;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct Xnnpack;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Threads of its pool; the session's where nothing is said.
    threads: Option<NonZeroUsize>,
}

impl Provider for Xnnpack {
    fn name(&self) -> &'static str {
        "xnnpack"
    }

    fn id(&self) -> &'static str {
        "XnnpackExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { threads } = wanted.options()?;
        let threads = threads.or(NonZeroUsize::new(wanted.threads)).unwrap_or(NonZeroUsize::MIN);
        wanted.register(builder, ep::XNNPACK::default().with_intra_op_num_threads(threads).build())
    }
}
