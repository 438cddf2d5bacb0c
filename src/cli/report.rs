//! `eyear report` and `eyear ask`: judged pictures → words. The verdict is that of `eyear inspect`, and comes first.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use eyear::decode::Sampling;
use eyear::inspect::{Asked, MomentInspector, Writer};
use eyear::manifest::{Manifest, Precision, Sense};
use eyear::memory::pair::Taught;
use eyear::report::{Report, Verdict, Written};
use eyear::source::recording;
use serde::Serialize;

use super::{ModelArguments, Outcome, complain};

/// Judge pictures and write a report on each, in words
#[derive(Args)]
pub struct Arguments {
    /// Folder of the part
    part: PathBuf,
    /// Pictures: files or folders
    #[arg(required = true, value_name = "PATH")]
    pictures: Vec<PathBuf>,
    #[command(flatten)]
    words: WordArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// Judge a picture and answer a question about it
#[derive(Args)]
pub struct AskArguments {
    /// Folder of the part
    part: PathBuf,
    /// The picture
    picture: PathBuf,
    /// The question, such as "is there a scratch?"
    question: String,
    #[command(flatten)]
    words: WordArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// How words are written.
#[derive(Args)]
struct WordArguments {
    /// Language of the words: en, zh
    #[arg(long, value_name = "CODE", default_value = "en")]
    language: String,
    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,
    /// Model package that writes
    #[arg(long, value_name = "NAME|DIR", default_value = "eyear-small")]
    writer: String,
    /// Choose words at random among the likeliest, by this seed, instead of the likeliest
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(flatten)]
    report: &'a Report,
    written: &'a Written,
}

/// Share of likelihood that words are chosen among, where they are chosen at random.
const TOP_P: f32 = 0.9;

impl WordArguments {
    fn writer(&self, model: &ModelArguments) -> Result<Writer> {
        let manifest = Manifest::find(&self.writer)?;
        Ok(Writer::open(&manifest, Precision::Int8, model.backend(), model.options())?)
    }

    fn asked<'a>(&'a self, question: Option<&'a str>) -> Asked<'a> {
        let sampling = self.seed.map_or(Sampling::Greedy, |seed| Sampling::TopP { p: TOP_P, seed });
        Asked { language: &self.language, question, sampling }
    }
}

/// Runs `eyear report`.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let (mut inspector, mut writer) = open(&arguments.part, &arguments.words, &arguments.model)?;
    let pictures = recording::list(&arguments.pictures, recording::is_picture)?;
    let (mut bad, mut failed) = (false, false);
    for path in &pictures {
        match tell(&mut inspector, &mut writer, path, &arguments.words, None) {
            Ok(verdict) => bad |= verdict != Verdict::Pass,
            Err(error) if super::is_broken_pipe(&error) => return Err(error),
            Err(error) => {
                failed = true;
                complain(&format!("error: {}", super::one_line(&error)));
            }
        }
    }
    Ok(match (bad, failed) {
        (_, true) => Outcome::Incomplete,
        (true, _) => Outcome::Bad,
        _ => Outcome::Good,
    })
}

/// Runs `eyear ask`.
pub fn ask(arguments: &AskArguments) -> Result<Outcome> {
    if arguments.question.trim().is_empty() {
        bail!("the question is empty: ask something, such as \"is there a scratch?\"");
    }
    let (mut inspector, mut writer) = open(&arguments.part, &arguments.words, &arguments.model)?;
    let verdict = tell(&mut inspector, &mut writer, &arguments.picture, &arguments.words, Some(&arguments.question))?;
    Ok(if verdict == Verdict::Pass { Outcome::Good } else { Outcome::Bad })
}

fn open(part: &Path, words: &WordArguments, model: &ModelArguments) -> Result<(MomentInspector, Writer)> {
    let taught = Taught::load(part)?;
    if !matches!(&taught, Taught::One(part) if part.card.kind.sense() == Sense::Image) {
        bail!(
            "part `{}` is heard: words are written of pictures alone as yet; `eyear inspect` judges it",
            taught.name()
        );
    }
    let inspector = model.inspector(taught)?;
    let writer = words.writer(model)?;
    writer.check(inspector.judged_by())?;
    Ok((inspector, writer))
}

/// Judges a picture and writes of it.
fn tell(
    inspector: &mut MomentInspector,
    writer: &mut Writer,
    path: &Path,
    words: &WordArguments,
    question: Option<&str>,
) -> Result<Verdict> {
    let frame = recording::read(path)?;
    let report = inspector.judge(Some(&frame), None)?;
    let evidence = inspector.evidence(&report, Some(&frame))?.into_iter().next().map(|(_, evidence)| evidence);
    let mut out = std::io::stdout().lock();
    if words.json {
        let written = writer.write(&report, evidence.as_ref(), &words.asked(question), &mut |_| ())?;
        let line = Line { file: path.display().to_string(), report: &report, written: &written };
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
        return Ok(report.verdict);
    }
    let (name, verdict, p_value) = (path.display(), report.verdict.as_str(), report.p_value);
    writeln!(out, "{name}  {verdict}  p = {p_value:.4}")?;
    // The words come as they are written: whoever reads along need not wait for the last.
    let mut broken = Ok(());
    let written = writer.write(&report, evidence.as_ref(), &words.asked(question), &mut |piece| {
        if broken.is_ok() {
            broken = write!(out, "{piece}").and_then(|()| out.flush());
        }
    })?;
    broken?;
    let mark = if written.generated { format!("generated by {}", written.by) } else { written.reason };
    writeln!(out, "\n[{mark}]")?;
    Ok(report.verdict)
}
