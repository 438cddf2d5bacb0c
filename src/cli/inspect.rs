//! `eyear inspect`: images, sounds or clips → verdicts.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::engine::streams;
use eyear::evaluate::judged::Seen;
use eyear::inspect::Inspector;
use eyear::memory::pair::Taught;
use eyear::package::manifest::Sense;
use eyear::report::{Report, Verdict};
use eyear::sample::Moment;
use eyear::show::draw::Tiles;
use eyear::show::folder::Folder;
use eyear::show::names;
use eyear::source::recording::{self, Pair};
use serde::Serialize;

use super::rows::{CsvLine, Row};
use super::table::{Screen, Table, Tally, shown};
use super::{MODEL, ModelArguments, OUTPUT, Outcome, complain, progress_bar, tiles};

/// Judge images, sounds or clips with a taught part
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Folder of the part
    part: PathBuf,
    /// Images, sounds or clips, as the part was taught: files, folders, or `-` for one image on standard input; for image and
    /// sound together, folders with cam0 and mic0
    #[arg(required = true, value_name = "PATH")]
    pictures: Vec<PathBuf>,
    /// Print one JSON object a line instead of a table
    #[arg(long, help_heading = OUTPUT)]
    json: bool,
    /// Print comma-separated values instead of a table: file, verdict, score, limit, p_value, where, error
    #[arg(long, help_heading = OUTPUT, conflicts_with = "json")]
    csv: bool,
    /// Write a page (index.html) with heatmaps and expected images to this folder
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    out: Option<PathBuf>,
    /// Write the evidence for reports in words to this folder, as training data: one safetensors file per sample and modality
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    evidence: Option<PathBuf>,
    /// Samples judged at the same time, each with its own threads; the model's weights are shared
    #[arg(long, default_value = "1", value_name = "N", value_parser = super::threads, help_heading = MODEL)]
    streams: usize,
    #[command(flatten)]
    model: ModelArguments,
}

const EXAMPLES: &str = "Examples:
  eyear inspect biscuit new/                    Judge every image in a folder
  eyear inspect biscuit a.jpg b.jpg --out page  Also write a page with heatmaps
  eyear inspect biscuit new/ --csv > new.csv    Table for a spreadsheet
  cat a.jpg | eyear inspect biscuit - --json    One image from standard input

Exit code: 0 when all pass, 1 when some do not, 2 when a file could not be read.";

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(flatten)]
    report: &'a Report,
}

/// One line of `--json` for a file that could not be judged at all.
#[derive(Serialize)]
struct ErrorLine {
    file: String,
    error: String,
}

/// The output format.
enum Lines {
    Table(Table),
    Json,
    Csv(Screen),
}

impl Lines {
    /// The heading line, if the format has one.
    fn heading(&self) -> Option<String> {
        match self {
            Self::Table(table) => Some(table.heading()),
            Self::Json => None,
            Self::Csv(_) => Some("file,verdict,score,limit,p_value,where,error".into()),
        }
    }

    /// The line of a sample.
    fn of(&self, name: &str, report: &Report) -> Result<String> {
        Ok(match self {
            Self::Table(table) => table.row(name, &Row::of(report)),
            Self::Json => serde_json::to_string(&Line { file: name.into(), report })?,
            Self::Csv(screen) => csv_line(&Row::of(report).csv(screen.name(name)))?,
        })
    }

    /// The line of a file that could not be read.
    fn unreadable(&self, name: &str, error: &str) -> Result<String> {
        Ok(match self {
            Self::Table(table) => table.unreadable(name),
            Self::Json => serde_json::to_string(&ErrorLine { file: name.into(), error: error.into() })?,
            Self::Csv(screen) => csv_line(&CsvLine::unreadable(screen.name(name), screen.name(error)))?,
        })
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let taught = Taught::load(&arguments.part)?;
    let (what, paths) = meant(&taught, &arguments.pictures)?;
    let mut inspectors = arguments.model.setup().inspectors(taught, &arguments.part, arguments.streams)?;
    let parts: Vec<_> = inspectors[0].senses().iter().map(|one| Arc::clone(one.part())).collect();
    let tiles: Vec<Tiles> = parts.iter().map(|part| tiles(part)).collect();
    let mut out = std::io::stdout().lock();
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let screen = Screen::of_stdout();
    let lines = match (arguments.json, arguments.csv) {
        (true, _) => Lines::Json,
        (_, true) => Lines::Csv(screen),
        _ => Lines::Table(Table::new(screen, what.trim_end_matches('s'), names.iter().map(String::as_str))),
    };
    if let Some(heading) = lines.heading() {
        writeln!(out, "{heading}")?;
    }
    let mut folder = arguments.out.as_deref().map(Folder::create).transpose()?;
    if let Some(dir) = &arguments.evidence {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let coded = parts.iter().find(|part| part.card.kind.sense() == Sense::Image).map(|part| part.card.picture);
    let mut otherwise = Vec::new();
    let samples: Vec<(&PathBuf, String)> = paths.iter().zip(names::unique(&paths)).collect();
    let judge = |inspector: &mut Inspector, (path, _): &(&PathBuf, String)| {
        judge(inspector, path, arguments.evidence.is_some())
    };
    let mut tally = Tally::default();
    // Drawn below the heading and cleared for each row.
    let bar = progress_bar("inspecting")?;
    bar.set_length(paths.len() as u64);
    let take = |(path, stem): &(&PathBuf, String), looked: Result<Seen>| {
        let name = path.display().to_string();
        match looked {
            Ok(Seen { frame, report, evidence }) => {
                if let Some(folder) = &mut folder {
                    folder.add(stem, &name, frame.as_ref(), &report, &tiles, None)?;
                }
                for ((sense, evidence), dir) in evidence.iter().zip(arguments.evidence.iter().cycle()) {
                    let path = dir.join(format!("{stem}.{}.safetensors", sense.key()));
                    std::fs::write(&path, evidence.to_safetensors()?)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                }
                let judged = frame.as_ref().filter(|_| report.verdict != Verdict::Pass).zip(coded);
                otherwise.extend(judged.and_then(|(frame, coded)| coded.other_coding(frame.was_jpeg())));
                tally.add(report.verdict);
                let line = lines.of(&name, &report)?;
                bar.suspend(|| writeln!(out, "{line}"))?;
            }
            Err(error) => {
                tally.add_unreadable();
                let why = super::one_line(&error);
                if let Some(folder) = &mut folder {
                    folder.add_unreadable(&name, &why);
                }
                let line = lines.unreadable(&name, &why)?;
                bar.suspend(|| {
                    if matches!(lines, Lines::Table(_)) {
                        complain(&format!("error: {why}"));
                    }
                    writeln!(out, "{line}")
                })?;
            }
        }
        bar.inc(1);
        anyhow::Ok(())
    };
    streams::in_order(&mut inspectors, &samples, judge, take)?;
    bar.finish_and_clear();
    if let [why, ..] = otherwise[..] {
        complain(&format!(
            "note: {} samples do not pass and may differ only in their file format: {why}. Teach some samples in that format.",
            otherwise.len()
        ));
    }
    let is_table = matches!(lines, Lines::Table(_));
    if is_table && paths.len() > 1 {
        writeln!(out, "{} {what}: {}", paths.len(), tally.sentence())?;
    }
    if let Some(folder) = folder {
        let page = folder.finish()?;
        if is_table {
            writeln!(out, "see {}", shown(&page.display().to_string()))?;
        }
    }
    Ok(match (tally.has_bad(), tally.has_unreadable()) {
        (_, true) => Outcome::Incomplete,
        (true, _) => Outcome::Bad,
        _ => Outcome::Good,
    })
}

/// The selected files. A missing file is reported at its turn, so that the rest is judged.
fn listed(pictures: &[PathBuf], is_meant: fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let input = pictures.iter().filter(|path| path.as_os_str() == "-").count();
    if input > 0 && pictures.len() > 1 {
        bail!("`-` reads one image from standard input and cannot be combined with other paths");
    }
    let mut listed = Vec::new();
    for path in pictures {
        match path.metadata() {
            Ok(_) if input == 0 => {
                let found = recording::listed(std::slice::from_ref(path), is_meant)?;
                super::tell_others(&found.others);
                listed.extend(found.files);
            }
            _ => listed.push(path.clone()),
        }
    }
    Ok(listed)
}

/// The plural noun of the samples, and the selected files or folders.
pub(super) fn meant(taught: &Taught, paths: &[PathBuf]) -> Result<(&'static str, Vec<PathBuf>)> {
    if taught.joint().is_some() {
        let mut folders = Vec::new();
        for path in paths {
            let found = recording::pairs(std::slice::from_ref(path))?;
            tell_strays(path, &found)?;
            // An empty folder is reported at its turn, so that the rest is judged.
            folders.extend(if found.is_empty() { vec![path.clone()] } else { found });
        }
        return Ok(("parts", folders));
    }
    let sense = taught.parts()[0].card.kind.sense();
    Ok((sense.samples(), listed(paths, recording::is_of(sense))?))
}

/// Prints which files in a folder belong to none of the parts `found` in it.
fn tell_strays(path: &Path, found: &[PathBuf]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let mut used = BTreeSet::new();
    for folder in found {
        // An unusable folder is reported at its turn.
        let Pair { picture, sound } = recording::pair(folder).ok().flatten().unwrap_or_default();
        used.extend(picture.into_iter().chain(sound));
    }
    let all = recording::listed(&[path.to_path_buf()], |path| Sense::ALL.iter().any(|of| recording::is_of(*of)(path)))?;
    let mut others = all.others;
    all.files.iter().filter(|file| !used.contains(*file)).for_each(|file| others.count(file));
    super::tell_others(&others);
    Ok(())
}

/// Reads a sample and judges it.
pub(super) fn judge(inspector: &mut Inspector, path: &Path, with_evidence: bool) -> Result<Seen> {
    let start = Instant::now();
    let moment = read(inspector, path)?;
    let decode = start.elapsed().as_secs_f64() * 1e3;
    // A runtime error (failure, NaN) does not name the file.
    let inspection = inspector.judge(&moment).with_context(|| match path.as_os_str() == "-" {
        true => "standard input".to_string(),
        false => path.display().to_string(),
    })?;
    let evidence = if with_evidence { inspection.evidence()? } else { Vec::new() };
    let mut report = inspection.into_report();
    report.ms.decode = decode;
    Ok(Seen { frame: moment.frame, report, evidence })
}

/// Reads the sample for the part's modalities.
fn read(inspector: &Inspector, path: &Path) -> Result<Moment> {
    let is_standard_input = path.as_os_str() == "-";
    Ok(match inspector.senses() {
        [one] => match one.sense() {
            Sense::Image if is_standard_input => {
                recording::read_from(std::io::stdin().lock(), 0, "standard input")?.into()
            }
            Sense::Image => recording::read(path)?.into(),
            Sense::Sound => recording::sound::read_sample(path)?.into(),
            Sense::Clip => recording::clip::read(path)?.into(),
        },
        _ => {
            let Some(Pair { picture, sound }) = recording::pair(path)? else {
                bail!("{}: expected a folder with an image `cam0` and a sound `mic0`", path.display());
            };
            let frame = picture.map(|picture| recording::read(&picture)).transpose()?;
            let sound = sound.map(|sound| recording::sound::read_sample(&sound)).transpose()?;
            Moment { frame, sound, ..Moment::default() }
        }
    })
}

/// One CSV line without its line end.
pub(super) fn csv_line(line: &impl Serialize) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.serialize(line)?;
    let bytes = writer.into_inner().context("comma-separated values")?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_csv_keeps_names_whole_and_in_their_column() {
        let line = csv_line(&CsvLine::unreadable("a, \"b\".png".into(), "damaged picture".into())).unwrap();
        assert_eq!(line, r#""a, ""b"".png",,,,,,damaged picture"#);
        let heading = Lines::Csv(Screen::default()).heading().unwrap();
        assert_eq!(heading.split(',').count(), line.matches(',').count());
    }
}
