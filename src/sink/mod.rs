//! Where reports go: pictures, pages and lines made from a [`Report`](crate::report::Report). One file a thing.
//!
//! What a sink needs of a part (its tiles, its name) comes to it as plain data.

use crate::error::Result;
use crate::report::{Judged, Written};
use crate::sample::Moment;

// What is drawn.
pub mod picture;
pub mod draw;

// What a running station feeds.
pub mod avi;
pub mod evidence;
pub mod films;
pub mod lines;
pub mod speech;

// What is written.
pub mod names;
mod words;
mod html;
mod page;
pub mod folder;
pub mod figures;

/// Takes what a running station says, on a thread of its own.
pub trait Sink: Send {
    /// Its name, for its thread and for messages.
    fn name(&self) -> &'static str;

    /// Takes a verdict and the moment that it is on.
    ///
    /// # Errors
    /// When it can take no more, which ends the station. What may pass by itself, as a full disk, it keeps to itself.
    fn take(&mut self, judged: &Judged, moment: &Moment) -> Result<()>;

    /// Takes what was written of a moment, whose verdict it has taken before; not every moment is written of.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn take_words(&mut self, _of: &Judged, _written: &Written) -> Result<()> {
        Ok(())
    }

    /// Finishes what it has begun; nothing comes any more.
    ///
    /// # Errors
    /// As [`Sink::take`].
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod example {
    use crate::report::*;

    /// Words of it.
    pub fn written() -> Written {
        let mut ninths = vec![0.05; 9];
        ninths[4] = 0.2;
        Written {
            text: "Fail: a break.".into(),
            language: "en".into(),
            generated: true,
            reason: String::new(),
            kinds: vec![Named { sense: "image", finding: 0, kind: "break".into(), likelihood: 0.83 }],
            clauses: Vec::new(),
            senses: vec![Sensed { sense: "image", gate: 0.7, findings: vec![0.4], ninths }],
            tokens: 5,
            ms: 1.0,
            by: "eyear-small 1".into(),
            digest: "c".repeat(64),
        }
    }

    /// A report on a 2 x 2 grid with one finding.
    pub fn report(verdict: Verdict) -> Report {
        let region = Region { x: 0, y: 0, width: 4, height: 4 };
        let finding = Finding {
            region,
            area_px: 16.0,
            area_share: 0.25,
            peak: [2, 2],
            severity: 3.0,
            place: "top left".into(),
            heard: None,
            moved: None,
        };
        Report {
            verdict,
            reason: String::new(),
            degraded: false,
            decided_by: None,
            score: 4.0,
            limit: 3.0,
            p_value: 0.002,
            local: 4.0,
            global: 1.0,
            pixels: None,
            steady: None,
            belong: None,
            sight: None,
            hearing: None,
            pose: None,
            findings: vec![finding],
            sense: crate::sample::Sense::Image,
            picture: None,
            steps: None,
            heatmap: Heatmap { values: vec![3.0, 0.1, 0.2, 0.7], rows: 2, columns: 2 },
            expected: Expected { entries: vec![0; 4], rows: 2, columns: 2 },
            ms: Times::default(),
            ran_on: Vec::new(),
            judged_by: Provenance {
                part: "lid".into(),
                part_digest: "a".repeat(64),
                model: "eye 1".into(),
                model_digest: "b".repeat(64),
                precision: "int8",
            },
        }
    }
}
