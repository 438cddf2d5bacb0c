//! One JSON object a line, for other programs.

use std::io::{self, Write};

use serde::Serialize;

use super::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::report::{Judged, Written};
use crate::sample::Moment;

/// Writes lines to a stream.
pub struct Lines<W> {
    out: W,
}

/// The words of a sample; station and number are those of its verdict.
#[derive(Serialize)]
struct Words<'a> {
    station: &'a str,
    moment: u64,
    written: &'a Written,
}

impl<W: Write + Send> Lines<W> {
    /// Writes to `out` and flushes each line.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let failed = |error: io::Error| Error::caused(ErrorKind::Io, "cannot write the output", error);
        let line = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).map_err(failed)
    }
}

impl<W: Write + Send> Sink for Lines<W> {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn take(&mut self, judged: &Judged, _: &Moment) -> Result<()> {
        self.line(judged)
    }

    fn take_words(&mut self, of: &Judged, written: &Written) -> Result<()> {
        self.line(&Words { station: &of.station, moment: of.moment, written })
    }
}
