//! A report → a row of a table: the one place where the command line reads what a report says for its tables.

use eyear::report::{Decided, Moved, Report, Verdict};
use serde::Serialize;

/// What a table says of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The decision.
    pub verdict: Verdict,
    /// The anomaly score, beside its limit.
    pub score: f32,
    /// The score at which the part fails it.
    pub limit: f32,
    /// Share of good parts at least as anomalous, (0, 1].
    pub p_value: f64,
    /// Where it is anomalous, or why it cannot be judged; empty of a sample that passes as it should.
    pub place: String,
}

/// A line of `--csv`.
#[derive(Debug, Serialize)]
pub struct CsvLine {
    file: String,
    verdict: Option<Verdict>,
    score: Option<f32>,
    limit: Option<f32>,
    p_value: Option<f64>,
    #[serde(rename = "where")]
    place: String,
    /// Why it could not be read.
    error: String,
}

impl Row {
    /// Of a report.
    pub fn of(report: &Report) -> Self {
        let Report { verdict, score, limit, p_value, .. } = *report;
        Self { verdict, score, limit, p_value, place: place(report) }
    }

    /// The same as a line of `--csv`.
    pub fn csv(self, file: String) -> CsvLine {
        let Self { verdict, score, limit, p_value, place } = self;
        CsvLine {
            file,
            verdict: Some(verdict),
            score: Some(score),
            limit: Some(limit),
            p_value: Some(p_value),
            place,
            error: String::new(),
        }
    }
}

impl CsvLine {
    /// Of a file that could not be read.
    pub fn unreadable(file: String, error: String) -> Self {
        Self { file, verdict: None, score: None, limit: None, p_value: None, place: String::new(), error }
    }
}

/// The reason where there is one; else where the sample is anomalous, and by which sense. A sample that passes has no place.
fn place(report: &Report) -> String {
    if !report.reason.is_empty() {
        return report.reason.clone();
    }
    if report.verdict == Verdict::Pass {
        return String::new();
    }
    match (&report.hearing, report.decided_by) {
        (Some(hearing), Some(Decided::Hearing)) => format!("by hearing: {}", findings(hearing)),
        (Some(hearing), Some(Decided::Either)) => format!("{}; {}", findings(report), findings(hearing)),
        (Some(_), Some(Decided::Sight)) => format!("by sight: {}", findings(report)),
        (Some(_), Some(Decided::Together)) => "by both together".into(),
        _ => findings(report),
    }
}

/// The first finding, or the reason where there is one.
fn findings(report: &Report) -> String {
    match (&report.reason, &report.findings[..]) {
        (reason, _) if !reason.is_empty() => reason.clone(),
        (_, []) if report.verdict == Verdict::Fail => "as a whole".into(),
        (_, []) => String::new(),
        (_, [first, rest @ ..]) => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            match (first.heard, first.moved) {
                (Some(heard), _) => format!("{}, {:+.0} dB, {}{more}", first.place, heard.db, heard.character),
                (_, Some(Moved { character, motion, usual, .. })) => {
                    format!("{}, moves {character}: {motion:.0} levels/s, usually {usual:.0}{more}", first.place)
                }
                (None, None) => format!("{}, {:.1} % of the picture{more}", first.place, 100.0 * first.area_share),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyear::report::{Finding, Provenance, Region};

    fn report(verdict: Verdict) -> Report {
        let by = Provenance {
            part: String::new(),
            part_digest: String::new(),
            model: String::new(),
            model_digest: String::new(),
            precision: "int8",
        };
        let region = Region { x: 0, y: 0, width: 4, height: 4 };
        let finding = Finding {
            region,
            area_px: 16.0,
            area_share: 0.125,
            peak: [1, 1],
            severity: 1.4,
            place: "top left".into(),
            heard: None,
            moved: None,
        };
        Report { verdict, reason: String::new(), findings: vec![finding], ..Report::invalid(String::new(), by) }
    }

    #[test]
    fn a_sample_that_passes_has_no_place() {
        assert_eq!(Row::of(&report(Verdict::Fail)).place, "top left, 12.5 % of the picture");
        assert_eq!(Row::of(&report(Verdict::Unsure)).place, "top left, 12.5 % of the picture");
        assert_eq!(Row::of(&report(Verdict::Pass)).place, "");
        // A sense that was missing is told even so.
        let degraded = Report { reason: "heard nothing".into(), ..report(Verdict::Pass) };
        assert_eq!(Row::of(&degraded).place, "heard nothing");
    }
}
