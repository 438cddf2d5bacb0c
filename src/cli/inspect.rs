//! `eyear inspect`: pictures, sounds or clips → verdicts.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::engine::streams;
use eyear::evaluate::run::Seen;
use eyear::inspect::Inspector;
use eyear::manifest::Sense;
use eyear::memory::pair::Taught;
use eyear::report::{Movement, Report, Verdict, What};
use eyear::sample::Moment;
use eyear::sink::draw::Tiles;
use eyear::sink::folder::Folder;
use eyear::sink::names;
use eyear::source::recording::{self, Pair};
use serde::Serialize;

use super::{ModelArguments, Outcome, complain, progress_bar, tiles};

/// Judge pictures, sounds or clips by a taught part
#[derive(Args)]
pub struct Arguments {
    /// Folder of the part
    part: PathBuf,
    /// Pictures, sounds or clips, as the part was taught: files, folders, or `-` for one picture on standard input; of a part
    /// that is seen and heard, folders that hold cam0 and mic0
    #[arg(required = true, value_name = "PATH")]
    pictures: Vec<PathBuf>,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
    /// Write pictures of heat and expectation and a page over all (index.html) to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write what a report is worded by, to learn from it, to this folder: a safetensors file for each sense of a sample
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Samples that are judged at once, each by an inspector and threads of its own; they share the model's weights
    #[arg(long, default_value = "1", value_name = "N", value_parser = super::threads)]
    streams: usize,
    #[command(flatten)]
    model: ModelArguments,
}

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

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let taught = Taught::load(&arguments.part)?;
    let (what, paths) = meant(&taught, &arguments.pictures)?;
    let mut inspectors = arguments.model.inspectors(taught, arguments.streams)?;
    let parts: Vec<_> = inspectors[0].senses().iter().map(|one| Arc::clone(one.part())).collect();
    let tiles: Vec<Tiles> = parts.iter().map(|part| tiles(part)).collect();
    let bar = progress_bar("inspecting")?;
    bar.set_length(paths.len() as u64);
    let mut out = std::io::stdout().lock();
    let name = |path: &PathBuf| super::columns(&super::printable(&path.display().to_string()));
    let width = paths.iter().map(name).max().unwrap_or(0).clamp(7, 60);
    if !arguments.json {
        let what = what.trim_end_matches('s');
        writeln!(out, "{what:width$}  verdict   score  limit        p  where")?;
    }
    let mut folder = arguments.out.as_deref().map(Folder::create).transpose()?;
    if let Some(dir) = &arguments.evidence {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let coded = parts.iter().find(|part| part.card.kind.sense() == Sense::Image).map(|part| part.card.picture);
    let mut otherwise = Vec::new();
    let samples: Vec<(&PathBuf, String)> = paths.iter().zip(names::unique(&paths)).collect();
    let (mut bad, mut failed) = (0usize, 0usize);
    let judge = |inspector: &mut Inspector, (path, _): &(&PathBuf, String)| {
        judge(inspector, path, arguments.evidence.is_some())
    };
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
                bad += usize::from(report.verdict != Verdict::Pass);
                let judged = frame.as_ref().filter(|_| report.verdict != Verdict::Pass).zip(coded);
                otherwise.extend(judged.and_then(|(frame, coded)| coded.other_coding(frame.was_jpeg())));
                bar.suspend(|| match arguments.json {
                    true => json_line(&mut out, &Line { file: name, report: &report }),
                    false => row(&mut out, path, width, &report),
                })?;
            }
            Err(error) => {
                failed += 1;
                if let Some(folder) = &mut folder {
                    folder.add_unreadable(&name, &super::one_line(&error));
                }
                bar.suspend(|| match arguments.json {
                    true => {
                        let line = ErrorLine { file: name, error: super::one_line(&error) };
                        json_line(&mut out, &line)
                    }
                    false => {
                        complain(&format!("error: {}", super::one_line(&error)));
                        Ok(())
                    }
                })?;
            }
        }
        bar.inc(1);
        anyhow::Ok(())
    };
    streams::in_order(&mut inspectors, &samples, judge, take)?;
    bar.finish_and_clear();
    if let [why, ..] = otherwise[..] {
        complain(&format!("note: {} of those that do not pass: {why}; teach some of these too", otherwise.len()));
    }
    if !arguments.json && paths.len() > 1 {
        let passed = paths.len() - bad - failed;
        let count = paths.len();
        writeln!(out, "{count} {what}: {passed} pass, {bad} not, {failed} unreadable")?;
    }
    if let Some(folder) = folder {
        let page = folder.finish()?;
        if !arguments.json {
            writeln!(out, "see {}", page.display())?;
        }
    }
    Ok(match (bad, failed) {
        (_, 1..) => Outcome::Incomplete,
        (1.., _) => Outcome::Bad,
        _ => Outcome::Good,
    })
}

/// The pictures meant. One that cannot be found is told when its turn comes, so that the rest is judged.
fn listed(pictures: &[PathBuf], is_meant: fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let input = pictures.iter().filter(|path| path.as_os_str() == "-").count();
    if input > 0 && pictures.len() > 1 {
        bail!("`-` stands for the one picture on standard input: no other can be given beside it");
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

/// What is judged, for people, and the files or folders that are meant.
pub(super) fn meant(taught: &Taught, paths: &[PathBuf]) -> Result<(&'static str, Vec<PathBuf>)> {
    let one = match taught {
        Taught::One(part) => part,
        Taught::Both(_) => {
            let mut folders = Vec::new();
            for path in paths {
                let found = recording::pairs(std::slice::from_ref(path))?;
                tell_strays(path, &found)?;
                // One that holds nothing is told when its turn comes, so that the rest is judged.
                folders.extend(if found.is_empty() { vec![path.clone()] } else { found });
            }
            return Ok(("parts", folders));
        }
    };
    let sense = one.card.kind.sense();
    Ok((sense.samples(), listed(paths, super::is_sample(sense))?))
}

/// Tells what a folder holds beside the pictures and sounds of the parts in the folders `found` in it.
fn tell_strays(path: &Path, found: &[PathBuf]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let mut used = BTreeSet::new();
    for folder in found {
        let Pair { picture, sound } = recording::pair(folder)?.unwrap_or_default();
        used.extend(picture.into_iter().chain(sound));
    }
    let all = recording::listed(&[path.to_path_buf()], |path| Sense::ALL.iter().any(|of| super::is_sample(*of)(path)))?;
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
    let inspection = inspector.judge(&moment).with_context(|| path.display().to_string())?;
    let evidence = if with_evidence { inspection.evidence()? } else { Vec::new() };
    let mut report = inspection.into_report();
    report.ms.decode = decode;
    Ok(Seen { frame: moment.frame, report, evidence })
}

/// Reads what the part is judged by.
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
                bail!("{}: no folder with a picture `cam0` and a sound `mic0`", path.display());
            };
            let frame = picture.map(|picture| recording::read(&picture)).transpose()?;
            let sound = sound.map(|sound| recording::sound::read_sample(&sound)).transpose()?;
            Moment { frame, sound, ..Moment::default() }
        }
    })
}

fn json_line(out: &mut impl std::io::Write, line: &impl Serialize) -> Result<()> {
    // Not `to_writer`: its errors hide that a reader went away.
    writeln!(out, "{}", serde_json::to_string(line)?)?;
    Ok(())
}

fn row(out: &mut impl std::io::Write, path: &Path, width: usize, report: &Report) -> Result<()> {
    let name = fitted(&super::printable(&path.display().to_string()), width);
    let wherein = wherein(report);
    let (verdict, score, limit, p) = (report.verdict.as_str(), report.score, report.limit, report.p_value);
    writeln!(out, "{name}  {verdict:7}  {score:6.2} {limit:6.2} {p:8.4}  {wherein}")?;
    Ok(())
}

/// A name in so many columns: what is longer loses its beginning, and an ellipsis says so.
fn fitted(name: &str, width: usize) -> String {
    let mut name = name.to_string();
    if super::columns(&name) > width {
        while super::columns(&name) >= width && !name.is_empty() {
            name.remove(0);
        }
        name.insert(0, '…');
    }
    let room = width.saturating_sub(super::columns(&name));
    name + &" ".repeat(room)
}

/// The reason where there is one, else the most severe finding of each sense that decided.
fn wherein(report: &Report) -> String {
    if !report.reason.text.is_empty() {
        return report.reason.text.clone();
    }
    match report.decided_by.as_deref() {
        Some([]) => "by all senses together".into(),
        Some([sense]) => format!("by {}: {}", sense.as_str(), most_severe(report, *sense)),
        Some(senses) => senses.iter().map(|sense| most_severe(report, *sense)).collect::<Vec<_>>().join("; "),
        // What passes has nothing to show.
        None if report.verdict == Verdict::Pass => String::new(),
        None => report.senses.first().map_or(String::new(), |own| most_severe(report, own.sense)),
    }
}

/// The most severe finding of a sense, with its measures.
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
