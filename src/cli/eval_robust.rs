//! `eyear eval --robust`: the table of corrupted samples.

use std::path::Path;

use anyhow::{Result, bail};
use eyear::evaluate::Rate;
use eyear::evaluate::figures::CorruptedFigures;

/// Refuses a part of one modality on a data set of two: its only modality cannot be dropped.
pub fn check(paired: bool, senses: usize, part: Option<&Path>) -> Result<()> {
    if let (true, 1, Some(part)) = (paired, senses, part) {
        let part = part.display();
        bail!("--robust drops each modality of image and sound in turn, and {part} was taught with one only");
    }
    Ok(())
}

/// One column: its heading, and its cell for a row, given the clean row.
type Column = (&'static str, fn(&CorruptedFigures, &CorruptedFigures) -> String);

/// Prints the table, clean row first; a figure is followed by its change from clean, if any.
pub fn print(out: &mut impl std::io::Write, rows: &[CorruptedFigures]) -> Result<()> {
    let Some(clean) = rows.first() else { return Ok(()) };
    let mut columns: Vec<Column> = vec![("corruption", |row, _| row.worsening.into()), ("level", |row, _| level(row))];
    let paired = clean.joint_auroc.is_some();
    if paired {
        columns.push(("joint AUROC", |row, clean| share(row.joint_auroc, clean.joint_auroc)));
    }
    if rows.iter().any(|row| row.image_auroc.is_some()) {
        columns.push(("image AUROC", |row, clean| share(row.image_auroc, clean.image_auroc)));
    }
    if rows.iter().any(|row| row.audio_auroc.is_some()) {
        columns.push(("audio AUROC", |row, clean| share(row.audio_auroc, clean.audio_auroc)));
    }
    if rows.iter().any(|row| row.aupro.is_some()) {
        columns.push(("AUPRO 30 %", |row, clean| share(row.aupro, clean.aupro)));
    }
    columns.extend([
        (
            "overkill",
            (|row, clean| rate(row.overkill, clean.overkill)) as fn(&CorruptedFigures, &CorruptedFigures) -> String,
        ),
        ("escape", |row, clean| rate(row.escape, clean.escape)),
        ("unsure", |row, _| counts(row.unsure)),
        ("invalid", |row, _| counts(row.invalid)),
    ]);
    if rows.iter().any(|row| row.invalid != [0, 0]) {
        columns.push(("overkill, escape of the rest", |row, _| match row.invalid {
            [0, 0] => String::new(),
            _ => format!("{}, {}", counted(row.rest.overkill), counted(row.rest.escape)),
        }));
    }
    if paired {
        columns.push(("one modality only", |row, _| counts(row.degraded)));
    }
    if clean.words.is_some() {
        columns.push(("kind in words", |row, clean| rate(kind(row), kind(clean))));
        columns.push(("contradicted", |row, _| counted(row.words.as_ref().and_then(|words| words.contradicted))));
    }
    columns.push(("invalid because", |row, _| {
        row.reasons.iter().map(|(reason, count)| format!("{} {count}", reason.words())).collect::<Vec<_>>().join(", ")
    }));
    let mut table: Vec<Vec<String>> = vec![columns.iter().map(|(heading, _)| heading.to_string()).collect()];
    table.extend(rows.iter().map(|row| columns.iter().map(|(_, of)| of(row, clean)).collect()));
    let widths: Vec<usize> =
        (0..columns.len()).map(|i| table.iter().map(|cells| cells[i].chars().count()).max().unwrap_or(0)).collect();
    writeln!(out, "  corrupted samples, with the change from clean (counts: good + bad):")?;
    for cells in &table {
        let line = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        writeln!(out, "  {}", line.join("  ").trim_end())?;
    }
    Ok(())
}

fn level(row: &CorruptedFigures) -> String {
    row.level.map_or("-".into(), |level| format!("{level} {}", row.unit))
}

/// Kinds of the most severe findings.
fn kind(row: &CorruptedFigures) -> Option<Rate> {
    row.words.as_ref().and_then(|words| words.kind)
}

fn share(value: Option<f64>, clean: Option<f64>) -> String {
    let Some(value) = value else { return "-".into() };
    let change = value - clean.unwrap_or(value);
    let change = if change.abs() < 5e-5 { String::new() } else { format!(" {change:+.4}") };
    format!("{value:.4}{change}")
}

fn rate(rate: Option<Rate>, clean: Option<Rate>) -> String {
    let Some(rate) = rate else { return "-".into() };
    let change = 100.0 * (rate.rate - clean.map_or(rate.rate, |clean| clean.rate));
    let change = if change.abs() < 0.05 { String::new() } else { format!(" {change:+.1}") };
    format!("{:5.1} %{change}", 100.0 * rate.rate)
}

fn counted(rate: Option<Rate>) -> String {
    rate.map_or("-".into(), |rate| format!("{} of {}", rate.count, rate.of))
}

fn counts([good, bad]: [usize; 2]) -> String {
    format!("{good} + {bad}")
}
