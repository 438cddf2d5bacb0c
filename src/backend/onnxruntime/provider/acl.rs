//! ACL: Arm's Compute Library on their CPUs.

use ort::ep;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::error::Result;

pub(super) struct Acl;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Whether float products may be computed in bfloat16.
    fast_math: bool,
}

impl Provider for Acl {
    fn name(&self) -> &'static str {
        "acl"
    }

    fn id(&self) -> &'static str {
        "ACLExecutionProvider"
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { fast_math } = wanted.options()?;
        wanted.register(builder, ep::ACL::default().with_fast_math(fast_math).build())
    }
}
