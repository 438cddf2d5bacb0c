//! `eyear inspect`: pictures, sounds or clips → verdicts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::engine::streams;
use eyear::inspect::MomentInspector;
use eyear::inspect::evidence::Evidence;
use eyear::manifest::Sense;
use eyear::memory::pair::Taught;
use eyear::report::{Decided, Moved, Report, Verdict};
use eyear::sample::Frame;
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

/// What came of a sample.
struct Looked {
    frame: Option<Frame>,
    report: Report,
    evidence: Vec<(Sense, Evidence)>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let taught = Taught::load(&arguments.part)?;
    let (what, paths) = meant(&taught, &arguments.pictures)?;
    let mut inspectors = arguments.model.inspectors(taught, arguments.streams)?;
    let parts: Vec<_> = inspectors[0].inspectors().iter().map(|one| Arc::clone(one.part())).collect();
    let tiles: Vec<Tiles> = parts.iter().map(|part| tiles(part)).collect();
    let bar = progress_bar("inspecting")?;
    bar.set_length(paths.len() as u64);
    let mut out = std::io::stdout().lock();
    let width = paths.iter().map(|path| path.display().to_string().chars().count()).max().unwrap_or(0).clamp(7, 60);
    if !arguments.json {
        let what = what.trim_end_matches('s');
        writeln!(out, "{what:width$}  verdict   score  limit        p  where")?;
    }
    let mut folder = arguments.out.as_deref().map(Folder::create).transpose()?;
    if let Some(dir) = &arguments.evidence {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let samples: Vec<(&PathBuf, String)> = paths.iter().zip(names::unique(&paths)).collect();
    let (mut bad, mut failed) = (0usize, 0usize);
    let judge = |inspector: &mut MomentInspector, (path, _): &(&PathBuf, String)| {
        let (frame, report) = judge(inspector, path)?;
        let wanted = arguments.evidence.is_some();
        let evidence = if wanted { inspector.evidence(&report, frame.as_ref())? } else { Vec::new() };
        Ok(Looked { frame, report, evidence })
    };
    let take = |(path, stem): &(&PathBuf, String), looked: Result<Looked>| {
        let name = path.display().to_string();
        match looked {
            Ok(Looked { frame, report, evidence }) => {
                if let Some(folder) = &mut folder {
                    folder.add(stem, &name, frame.as_ref(), &report, &tiles, None)?;
                }
                for ((sense, evidence), dir) in evidence.iter().zip(arguments.evidence.iter().cycle()) {
                    let path = dir.join(format!("{stem}.{}.safetensors", sense.as_str()));
                    std::fs::write(&path, evidence.to_safetensors()?)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                }
                bad += usize::from(report.verdict != Verdict::Pass);
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
            Ok(_) if input == 0 => listed.extend(recording::list(std::slice::from_ref(path), is_meant)?),
            _ => listed.push(path.clone()),
        }
    }
    Ok(listed)
}

/// What is judged, for people, and the files or folders that are meant.
pub(super) fn meant(taught: &Taught, paths: &[PathBuf]) -> Result<(&'static str, Vec<PathBuf>)> {
    if taught.joint().is_some() {
        let mut folders = Vec::new();
        for path in paths {
            let found = recording::pairs(std::slice::from_ref(path))?;
            // One that holds nothing is told when its turn comes, so that the rest is judged.
            folders.extend(if found.is_empty() { vec![path.clone()] } else { found });
        }
        return Ok(("parts", folders));
    }
    let sense = taught.parts()[0].card.kind.sense();
    Ok((sense.samples(), listed(paths, super::is_sample(sense))?))
}

/// Reads and judges: also gives the picture that was looked at, where there was one.
pub(super) fn judge(inspector: &mut MomentInspector, path: &Path) -> Result<(Option<Frame>, Report)> {
    let start = Instant::now();
    if inspector.has(Sense::Clip) {
        let clip = recording::clip::read(path)?;
        let decode = start.elapsed().as_secs_f64() * 1e3;
        let mut report = inspector.watch(&clip).with_context(|| path.display().to_string())?;
        report.ms.decode = decode;
        return Ok((None, report));
    }
    let (frame, sound) = match (inspector.has(Sense::Image), inspector.has(Sense::Audio)) {
        (true, true) => {
            let Some(Pair { picture, sound }) = recording::pair(path)? else {
                bail!("{}: no folder with a picture `cam0` and a sound `mic0`", path.display());
            };
            let frame = picture.map(|picture| recording::read(&picture)).transpose()?;
            (frame, sound.map(|sound| recording::sound::read(&sound)).transpose()?)
        }
        (_, true) => (None, Some(recording::sound::read(path)?)),
        _ if path.as_os_str() == "-" => {
            (Some(recording::read_from(std::io::stdin().lock(), 0, "standard input")?), None)
        }
        _ => (Some(recording::read(path)?), None),
    };
    let decode = start.elapsed().as_secs_f64() * 1e3;
    let mut report = inspector.judge(frame.as_ref(), sound.as_ref())?;
    report.ms.decode = decode;
    Ok((frame, report))
}

fn json_line(out: &mut impl std::io::Write, line: &impl Serialize) -> Result<()> {
    // Not `to_writer`: its errors hide that a reader went away.
    writeln!(out, "{}", serde_json::to_string(line)?)?;
    Ok(())
}

fn row(out: &mut impl std::io::Write, path: &Path, width: usize, report: &Report) -> Result<()> {
    let name = path.display().to_string();
    let cut = name.chars().count().saturating_sub(width);
    let name: String = name.chars().skip(cut).collect();
    let wherein = match (&report.hearing, report.decided_by) {
        _ if !report.reason.is_empty() => report.reason.clone(),
        (Some(hearing), Some(Decided::Hearing)) => format!("by hearing: {}", wherein(hearing)),
        (Some(hearing), Some(Decided::Either)) => format!("{}; {}", wherein(report), wherein(hearing)),
        (Some(_), Some(Decided::Sight)) => format!("by sight: {}", wherein(report)),
        (Some(_), Some(Decided::Together)) => "by both together".into(),
        _ => wherein(report),
    };
    let (verdict, score, limit, p) = (report.verdict.as_str(), report.score, report.limit, report.p_value);
    writeln!(out, "{name:width$}  {verdict:7}  {score:6.2} {limit:6.2} {p:8.4}  {wherein}")?;
    Ok(())
}

/// The first finding, or the reason where there is one.
fn wherein(report: &Report) -> String {
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
