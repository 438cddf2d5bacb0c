//! What tests share: findings and reports, each of which a test changes in what it is about; drawn boards (`printed`), and what
//! other programs make of a sound (`golden`).

pub mod golden;
pub mod printed;

use crate::report::{
    EncodedBy, Expected, Finding, GridPosition, Heatmap, Named, Provenance, Reason, ReasonCode, Region, Report,
    SenseReport, Sensed, Verdict, What, Written,
};
use crate::sample::Sense;
use crate::tensor::Precision;

/// A finding of an image, of 4 x 4 pixels in the top left corner.
pub fn finding() -> Finding {
    Finding {
        what: What::Seen { position: GridPosition::TopLeft },
        severity: 3.0,
        place: "top left".into(),
        region: Region { x: 0, y: 0, width: 4, height: 4 },
        area_px: 16.0,
        area_share: 0.25,
        peak: [2, 2],
    }
}

/// What a sense says, with heat on a 2 x 2 grid.
pub fn sense(sense: Sense, verdict: Verdict) -> SenseReport {
    SenseReport {
        verdict,
        score: 4.0,
        limit: 3.0,
        p_value: 0.002,
        local: 4.0,
        global: 1.0,
        heatmap: Heatmap { values: vec![3.0, 0.1, 0.2, 0.7], rows: 2, columns: 2 },
        expected: Expected { entries: vec![0; 4], rows: 2, columns: 2 },
        encoded_by: Some(EncodedBy {
            model: "eye 1".into(),
            model_digest: "b".repeat(64),
            precision: Precision::Int8,
            ran_on: Vec::new(),
        }),
        ..SenseReport::invalid(sense, Reason::new(code(verdict), ""))
    }
}

/// The code of a plain verdict.
fn code(verdict: Verdict) -> ReasonCode {
    match verdict {
        Verdict::Pass => ReasonCode::WithinLimit,
        Verdict::Fail => ReasonCode::OverLimit,
        Verdict::Unsure => ReasonCode::NearLimit,
        Verdict::Invalid => ReasonCode::NotJudged,
    }
}

/// The report on an image, with one finding.
pub fn report(verdict: Verdict) -> Report {
    of_findings(verdict, vec![finding()])
}

/// The report on an image, with these findings.
pub fn of_findings(verdict: Verdict, findings: Vec<Finding>) -> Report {
    let judged_by = Provenance { part: "lid".into(), part_digest: "a".repeat(64) };
    Report::of(sense(Sense::Image, verdict), findings, judged_by)
}

/// Words of it.
pub fn written() -> Written {
    let mut ninths = vec![0.05; 9];
    ninths[4] = 0.2;
    Written {
        text: "Fail: a break.".into(),
        language: "en".into(),
        generated: true,
        reason: String::new(),
        kinds: vec![Named { sense: Sense::Image, finding: 0, kind: "break".into(), likelihood: 0.83 }],
        clauses: Vec::new(),
        senses: vec![Sensed { sense: Sense::Image, gate: 0.7, findings: vec![0.4], ninths }],
        tokens: 5,
        ms: 1.0,
        by: "eyear-small 1".into(),
        digest: "c".repeat(64),
    }
}
