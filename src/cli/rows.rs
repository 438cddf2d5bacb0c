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
        What::Heard(heard) => {
            let digits = digits(heard.db.abs(), 1.0);
            format!("{place}, {:+.digits$} dB, {}{more}", heard.db, heard.character.as_str())
        }
        What::Moved(Movement { character, motion, usual, .. }) => {
            let digits = digits(motion.max(*usual), 10.0);
            format!("{place}, moves {}: {motion:.digits$} levels/s, usually {usual:.digits$}{more}", character.as_str())
        }
        _ => format!("{place}, {:.1} % of the image{more}", 100.0 * first.area_share),
    }
}

/// Digits behind the point: one of what is small, so that a little more is not told as the same.
fn digits(value: f32, large: f32) -> usize {
    usize::from(value < large)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyear::report::{
        Finding, GridPosition, MotionCharacter, Reason, ReasonCode, Region, SoundCharacter, SoundEvent,
    };

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

    /// The place of a report with this finding.
    fn of(what: What) -> String {
        let sense = match what {
            What::Heard(_) => Sense::Sound,
            _ => Sense::Clip,
        };
        let mut report = report(Verdict::Fail);
        report.senses[0].sense = sense;
        let finding = report.findings[0].clone();
        report.findings = vec![Finding { what, place: "there".into(), ..finding }];
        Row::of(&report).place
    }

    #[test]
    fn what_is_a_little_more_is_not_told_as_the_same() {
        let (seconds, position) = ([0.0, 1.0], GridPosition::Top);
        let region = Region { x: 0, y: 0, width: 4, height: 4 };
        let moved = |character, motion, usual| {
            of(What::Moved(Movement { seconds, position, region, character, motion, usual }))
        };
        assert_eq!(moved(MotionCharacter::Elsewhere, 1.1, 0.9), "there, moves elsewhere: 1.1 levels/s, usually 0.9");
        assert_eq!(moved(MotionCharacter::More, 92.4, 40.2), "there, moves more: 92 levels/s, usually 40");
        let heard = |character, db| {
            of(What::Heard(SoundEvent { seconds, hz: [10.0, 20.0], db, character, all_the_time: true, rate: None }))
        };
        assert_eq!(heard(SoundCharacter::Louder, 0.3), "there, +0.3 dB, louder");
        assert_eq!(heard(SoundCharacter::Quieter, -0.3), "there, -0.3 dB, quieter");
        assert_eq!(heard(SoundCharacter::Louder, 11.2), "there, +11 dB, louder");
    }
}
