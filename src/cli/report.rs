//! `eyear report` and `eyear ask`: judged samples → words. The verdict comes first and is that of `eyear inspect`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use eyear::decode::Sampling;
use eyear::evaluate::judged::Seen;
use eyear::inspect::{Asked, Inspector, Writer};
use eyear::memory::pair::Taught;
use eyear::report::{Report, Verdict, Written};
use eyear::sample::Frame;
use eyear::show::draw::Tiles;
use eyear::show::folder::Folder;
use eyear::show::names;
use eyear::sink::speech::Voice;
use serde::Serialize;

use super::table::{Screen, shown};
use super::{ModelArguments, OUTPUT, Outcome, complain, inspect, tiles};

/// Judge samples and write a report on each in words
#[derive(Args)]
#[command(after_help = "Examples:
  eyear report biscuit new/
  eyear report biscuit new/ --language zh --out page
  eyear report biscuit a.jpg --json")]
pub struct Arguments {
    /// Folder of the part
    part: PathBuf,
    /// Images, sounds or clips, as the part was taught: files or folders; for image and sound together, folders with cam0 and
    /// mic0
    #[arg(required = true, value_name = "PATH")]
    samples: Vec<PathBuf>,
    /// Write a page (index.html) with heatmaps, expected images, the words and the model's attention to this folder
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    out: Option<PathBuf>,
    /// Also speak each report with espeak-ng
    #[arg(long, help_heading = OUTPUT)]
    say: bool,
    #[command(flatten)]
    words: WordArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// Judge a sample and answer a question about it
#[derive(Args)]
#[command(after_help = "Examples:
  eyear ask biscuit a.jpg \"is there a crack?\"
  eyear ask biscuit b.jpg \"what has changed?\" --since a.jpg")]
pub struct AskArguments {
    /// Folder of the part
    part: PathBuf,
    /// The image, sound or clip, or the folder with image and sound
    sample: PathBuf,
    /// The question, such as "is there a scratch?"
    question: String,
    /// Earlier sample of the same part, for questions about what has changed
    #[arg(long, value_name = "PATH")]
    since: Option<PathBuf>,
    #[command(flatten)]
    words: WordArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// How words are written.
#[derive(Args)]
#[command(next_help_heading = "Words")]
struct WordArguments {
    /// Language of the words: en, zh
    #[arg(long, value_name = "CODE", default_value = "en")]
    language: String,
    /// Print one JSON object a line instead of text
    #[arg(long, help_heading = OUTPUT)]
    json: bool,
    /// Model package that writes the words
    #[arg(long, value_name = "NAME|DIR", default_value = "eyear-small")]
    writer: String,
    /// Choose words at random among the likely ones, with this seed [default: always the likeliest]
    #[arg(long, value_name = "SEED", conflicts_with = "beam")]
    seed: Option<u64>,
    /// Search for the likeliest text with this beam width; WIDTH times slower
    #[arg(long, value_name = "WIDTH", value_parser = clap::value_parser!(u8).range(1..=16))]
    beam: Option<u8>,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(flatten)]
    report: &'a Report,
    written: &'a Written,
}

/// Top-p of random sampling.
const TOP_P: f32 = 0.9;

impl WordArguments {
    fn asked<'a>(&'a self, question: Option<&'a str>, since: Option<&'a Report>) -> Asked<'a> {
        let sampling = match (self.seed, self.beam) {
            (Some(seed), _) => Sampling::TopP { p: TOP_P, seed },
            (_, Some(width)) => Sampling::Beam { width: width.into() },
            _ => Sampling::Greedy,
        };
        Asked { language: &self.language, question, sampling, since }
    }
}

/// Runs `eyear report`.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let taught = Taught::load(&arguments.part)?;
    let (_, samples) = inspect::meant(&taught, &arguments.samples)?;
    let language = &arguments.words.language;
    let voice = arguments.say.then(|| Voice::open(Path::new("espeak-ng"), &[], language)).transpose()?;
    let (mut inspector, mut writer) = open(&arguments.part, taught, &arguments.words, &arguments.model)?;
    let mut folder = arguments.out.as_deref().map(Folder::create).transpose()?;
    let (mut bad, mut failed) = (false, false);
    for (path, stem) in samples.iter().zip(names::unique(&samples)) {
        let name = path.display().to_string();
        match tell(&mut inspector, &mut writer, path, &arguments.words, None, None) {
            Ok(Told { frame, report, written }) => {
                bad |= report.verdict != Verdict::Pass;
                if let Some(folder) = &mut folder {
                    let tiles: Vec<Tiles> = inspector.senses().iter().map(|one| tiles(one.part())).collect();
                    folder.add(&stem, &name, frame.as_ref(), &report, &tiles, Some(&written))?;
                }
                let spoken = voice.as_ref().map(|voice| voice.speak(&written.text, &|| false)).transpose();
                if let Err(error) = spoken {
                    failed = true;
                    complain(&format!("error: {}", error.chain()));
                }
            }
            Err(error) if super::is_broken_pipe(&error) => return Err(error),
            Err(error) => {
                failed = true;
                let why = super::one_line(&error);
                complain(&format!("error: {why}"));
                if let Some(folder) = &mut folder {
                    folder.add_unreadable(&name, &why);
                }
            }
        }
    }
    if let Some(folder) = folder {
        let page = folder.finish()?;
        if !arguments.words.json {
            writeln!(std::io::stdout(), "see {}", shown(&page.display().to_string()))?;
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
    let (mut inspector, mut writer) = {
        let taught = Taught::load(&arguments.part)?;
        open(&arguments.part, taught, &arguments.words, &arguments.model)?
    };
    let since = arguments.since.as_ref().map(|path| inspect::judge(&mut inspector, path, false)).transpose()?;
    let since = since.map(|seen| seen.report);
    if let Some(Report { verdict: Verdict::Invalid, reason, .. }) = &since {
        bail!("the sample of --since cannot be judged: {}", reason.text);
    }
    let question = Some(arguments.question.as_str());
    let told = tell(&mut inspector, &mut writer, &arguments.sample, &arguments.words, question, since.as_ref())?;
    Ok(if told.report.verdict == Verdict::Pass { Outcome::Good } else { Outcome::Bad })
}

fn open(part: &Path, taught: Taught, words: &WordArguments, model: &ModelArguments) -> Result<(Inspector, Writer)> {
    let setup = model.setup();
    let inspector = setup.inspector(taught, part)?;
    let writer = setup.writer(&words.writer, &inspector)?;
    Ok((inspector, writer))
}

/// A judged sample with its words.
struct Told {
    /// The image; `None` if the sample has none.
    frame: Option<Frame>,
    report: Report,
    written: Written,
}

/// Judges a sample and prints verdict and words.
fn tell(
    inspector: &mut Inspector,
    writer: &mut Writer,
    path: &Path,
    words: &WordArguments,
    question: Option<&str>,
    since: Option<&Report>,
) -> Result<Told> {
    let Seen { frame, report, evidence } = inspect::judge(inspector, path, true)?;
    let asked = words.asked(question, since);
    let mut out = std::io::stdout().lock();
    if words.json {
        let written = writer.write(&report, &evidence, &asked, &mut |_| ())?;
        let line = Line { file: path.display().to_string(), report: &report, written: &written };
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
        return Ok(Told { frame, report, written });
    }
    let (name, verdict) = (shown(&path.display().to_string()), Screen::of_stdout().word(report.verdict));
    writeln!(out, "{name}  {verdict}  p = {:.4}", report.p_value)?;
    // Words are printed as they are generated.
    let mut broken = Ok(());
    let written = writer.write(&report, &evidence, &asked, &mut |piece| {
        if broken.is_ok() {
            broken = write!(out, "{piece}").and_then(|()| out.flush());
        }
    })?;
    broken?;
    writeln!(out, "\n[{}]", written.mark())?;
    Ok(Told { frame, report, written })
}
