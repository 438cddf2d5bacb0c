//! A report → a row of a table or of CSV. The only place where tables read a report.

use eyear::package::manifest::Sense;
use eyear::report::{Movement, Report, Verdict, What};
use serde::Serialize;

/// The table row of a sample.
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
    /// Where it is anomalous or why it cannot be judged; empty for a normal pass.
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

/// The reason if it has a text; else the modality and the most severe finding. Empty for a pass.
fn place(report: &Report) -> String {
    if !report.reason.text.is_empty() {
        return report.reason.text.clone();
    }
    match report.decided_by.as_deref() {
        _ if report.verdict == Verdict::Pass => String::new(),
        Some([]) => "by image and sound together".into(),
        Some([sense]) => format!("by {}: {}", sense.as_str(), most_severe(report, *sense)),
        Some(senses) => senses.iter().map(|sense| most_severe(report, *sense)).collect::<Vec<_>>().join("; "),
        None => report.senses.first().map_or(String::new(), |own| most_severe(report, own.sense)),
    }
}

/// The most severe finding of a modality, with its measurements.
fn most_severe(report: &Report, sense: Sense) -> String {
    let mut findings = report.findings_of(sense);
    let Some(first) = findings.next() else { return "as a whole".into() };
    let place = &first.place;
    let more = match findings.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match &first.what {
        What::Heard(heard) => format!("{place}, {:+.0} dB, {}{more}", heard.db, heard.character.as_str()),
        What::Moved(Movement { character, motion, usual, .. }) => {
            format!("{place}, moves {}: {motion:.0} levels/s, usually {usual:.0}{more}", character.as_str())
        }
        _ => format!("{place}, {:.1} % of the image{more}", 100.0 * first.area_share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyear::report::{Reason, ReasonCode};

    fn report(verdict: Verdict) -> Report {
        let mut report: Report = serde_json::from_str(include_str!("../report.example.json")).unwrap();
        report.verdict = verdict;
        report
    }

    #[test]
    fn a_sample_that_passes_has_no_place() {
        assert_eq!(Row::of(&report(Verdict::Fail)).place, "bottom, 0.2 % of the image and 1 more");
        assert_eq!(Row::of(&report(Verdict::Pass)).place, "");
        // A missing modality is reported even so.
        let reason = Reason::new(ReasonCode::WithinLimit, "judged by image alone: no sound");
        assert_eq!(Row::of(&Report { reason, ..report(Verdict::Pass) }).place, "judged by image alone: no sound");
    }
}
