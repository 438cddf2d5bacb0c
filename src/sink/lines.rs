//! One JSON object a line: what other programs read.

use std::io::{self, Write};

use super::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::report::Judged;
use crate::sample::Moment;

/// Lines into a stream.
pub struct Lines<W> {
    out: W,
}

impl<W: Write + Send> Lines<W> {
    /// Into `out`, each line at once.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Sink for Lines<W> {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn take(&mut self, judged: &Judged, _: &Moment) -> Result<()> {
        let failed = |error: io::Error| Error::caused(ErrorKind::Io, "cannot write the output", error);
        let line = serde_json::to_string(judged).map_err(|error| failed(error.into()))?;
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).map_err(failed)
    }
}
