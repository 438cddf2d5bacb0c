//! The command line: one file a subcommand, listed in [`Command`].
//!
//! Exit codes: 0 done and all pass, 1 some sample failed or is unsure, 2 error.

mod bench;
mod devices;
mod doctor;
mod doctor_camera;
mod doctor_microphone;
mod eval;
mod eval_robust;
mod eval_words;
mod inspect;
mod model;
mod model_check;
mod prepare;
mod record;
mod report;
mod run;
mod status;
mod teach;
mod trials;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use eyear::backend::{self, Backend, Options};
use eyear::board::{Board, Provider};
use eyear::inspect::MomentInspector;
use eyear::manifest::{Manifest, Precision, Sense};
use eyear::memory::pair::Taught;
use eyear::memory::part::{Part, TILE, TILE_CELLS};
use eyear::sink::draw::Tiles;
use eyear::source::recording;
use eyear::teach::Teacher;
use indicatif::{ProgressBar, ProgressStyle};

/// Offline inspection: teach a part from a few good pictures, then judge pictures of it.
#[derive(Parser)]
#[command(name = "eyear", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Teach(teach::Arguments),
    Inspect(inspect::Arguments),
    Report(report::Arguments),
    Ask(report::AskArguments),
    Run(run::Arguments),
    Status(status::Arguments),
    Devices(devices::Arguments),
    Record(record::Arguments),
    Eval(eval::Arguments),
    Bench(bench::Arguments),
    Prepare(prepare::Arguments),
    Doctor(doctor::Arguments),
    Model(model::Arguments),
}

/// How a command that did its work ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything passed, or there was nothing to judge.
    Good,
    /// Some sample failed, is unsure or cannot be judged.
    Bad,
    /// Some file could not be read; the rest was done.
    Incomplete,
}

/// Which encoder runs, and how.
#[derive(Args, Clone)]
pub struct ModelArguments {
    /// Model package: a name, or a folder with a model.toml [default: vision-lite0, of sounds sound-lite0, of clips
    /// clip-lite0]
    #[arg(long, value_name = "NAME|DIR")]
    model: Option<String>,
    /// Threads for the encoder [default: one per core, up to four]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
    /// Execution provider of the encoders, such as `openvino:device=CPU`, to be tried before the next that is given and the
    /// CPU; may be given several times [default: those of the board, else the CPU alone]
    #[arg(long, value_name = "NAME[:OPTION=VALUE,…]", value_parser = provider)]
    provider: Vec<Provider>,
    /// Fail where a provider that is asked for cannot be used, or takes no node of the model
    #[arg(long)]
    require_provider: bool,
    /// Board whose providers and threads are used: a name, or a file
    #[arg(long, value_name = "NAME|FILE")]
    board: Option<String>,
    /// Runtime of the encoder: onnxruntime, or in a build that has it tflite, or tflite:LIBRARY[,KEY=VALUE...] with an
    /// accelerator's delegate
    #[arg(long, value_name = "NAME", default_value = "onnxruntime")]
    backend: Runtime,
}

/// A backend, and how it was written.
#[derive(Clone)]
struct Runtime {
    text: String,
    backend: &'static dyn Backend,
}

impl FromStr for Runtime {
    type Err = eyear::Error;

    fn from_str(text: &str) -> eyear::Result<Self> {
        Ok(Self { text: text.to_string(), backend: backend::find(text)? })
    }
}

impl ModelArguments {
    /// The package's name, or its folder.
    fn package(&self, sense: Sense) -> &str {
        let usual = match sense {
            Sense::Image => "vision-lite0",
            Sense::Audio => "sound-lite0",
            Sense::Clip => "clip-lite0",
        };
        self.model.as_deref().unwrap_or(usual)
    }

    fn manifest(&self, sense: Sense) -> Result<Manifest> {
        Ok(Manifest::find(self.package(sense))?)
    }

    /// Of a part of so many senses. One name cannot be that of two packages.
    fn manifest_of(&self, sense: Sense, senses: usize) -> Result<Manifest> {
        match &self.model {
            Some(model) if senses > 1 => {
                bail!("--model names one package, `{model}`, and a part that is seen and heard takes two: leave it out")
            }
            _ => self.manifest(sense),
        }
    }

    /// The board that is named.
    fn board(&self) -> Result<Option<Board>> {
        Ok(self.board.as_deref().map(Board::find).transpose()?)
    }

    fn options(&self) -> Result<Options> {
        let (default, board) = (Options::default(), self.board()?);
        board.iter().try_for_each(Board::keep_to_cores)?;
        let of_board = board.as_ref().and_then(|board| board.threads);
        let providers = match (&*self.provider, board) {
            ([], Some(board)) => board.providers,
            (named, _) => named.to_vec(),
        };
        let threads = self.threads.or(of_board).unwrap_or(default.threads);
        Ok(Options { threads, providers, require: self.require_provider, cache: cache(), ..default })
    }

    /// The same for a package in a precision: on a board, by what `eyear prepare` chose.
    fn options_of(&self, manifest: &Manifest, precision: Precision) -> Result<Options> {
        let options = self.options()?;
        match self.board()?.filter(|_| self.provider.is_empty()) {
            Some(board) => on_board(&board, manifest, precision, self.threads, options),
            None => Ok(options),
        }
    }

    /// The encoder's runtime. What writes takes the first there is: its graphs are ONNX.
    fn backend(&self) -> &'static dyn Backend {
        self.backend.backend
    }

    /// What teaches a sense by a package in a precision.
    fn teacher(&self, sense: Sense, manifest: &Manifest, precision: Precision) -> Result<Teacher> {
        let teacher =
            Teacher::open(sense, manifest, precision, self.backend(), &self.options_of(manifest, precision)?)?;
        told(teacher.notices());
        Ok(teacher)
    }

    /// So many inspectors, which share the weights and divide the processors among them.
    fn inspectors(&self, taught: Taught, streams: usize) -> Result<Vec<MomentInspector>> {
        let senses = taught.parts().len();
        let manifest = |sense| self.manifest_of(sense, senses);
        let first = self.clone().divided(streams).inspector(taught)?;
        let others = (1..streams).map(|_| first.fork(&manifest)).collect::<Result<Vec<_>>>()?;
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// With the threads of each of so many inspectors at once, where these are not told otherwise.
    fn divided(mut self, streams: usize) -> Self {
        if streams > 1 && self.board.is_none() {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            self.threads = self.threads.or(Some((cores / streams).clamp(1, Options::default().threads)));
        }
        self
    }

    fn inspector(&self, taught: Taught) -> Result<MomentInspector> {
        let senses = taught.parts().len();
        let manifest = |sense| self.manifest_of(sense, senses);
        let mut chosen = BTreeMap::new();
        for part in taught.parts() {
            let sense = part.card.kind.sense();
            chosen.insert(sense, self.options_of(&manifest(sense)?, part.card.model.precision)?);
        }
        let options = |sense: Sense| chosen.get(&sense).cloned().unwrap_or_default();
        let inspector = MomentInspector::new::<anyhow::Error>(taught, &manifest, self.backend(), &options)?;
        inspector.inspectors().iter().for_each(|one| told(one.notices()));
        Ok(inspector)
    }
}

/// How a package in a precision runs on a board: as `eyear prepare` chose, but for threads that are named; else on the CPU.
fn on_board(
    board: &Board,
    manifest: &Manifest,
    precision: Precision,
    threads: Option<usize>,
    options: Options,
) -> Result<Options> {
    if let Some((provider, chosen)) = prepare::chosen(board, manifest, precision)? {
        return Ok(Options {
            providers: vec![provider],
            threads: threads.unwrap_or(chosen),
            cache: cache(),
            ..options
        });
    }
    let (name, board) = (&manifest.name, &board.name);
    let model = if name == "vision-lite0" { String::new() } else { format!(" --model {name}") };
    complain(&format!(
        "note: the CPU serves, for {name} in {precision} is not prepared: run `eyear prepare --board {board}{model}`"
    ));
    Ok(options.on_cpu())
}

/// Tells what was asked of a runtime and did not come to be.
fn told(notices: &[String]) {
    notices.iter().for_each(|notice| complain(&format!("note: {notice}")));
}

/// `NAME` or `NAME:OPTION=VALUE,…`: options and values as TOML has them; a value that is none of its kinds is text.
fn provider(text: &str) -> Result<Provider, String> {
    let (name, options) = text.split_once(':').unwrap_or((text, ""));
    let mut lines = String::new();
    for pair in options.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` of `{text}` wants OPTION=VALUE"))?;
        let value = value.parse().unwrap_or_else(|_| toml::Value::String(value.into()));
        lines += &format!("{key} = {value}\n");
    }
    let options = lines.parse().map_err(|error: toml::de::Error| format!("`{text}`: {}", error.message()))?;
    Ok(Provider { name: name.trim().into(), options })
}

/// Where providers keep what they build once: `$EYEAR_CACHE`, else the user's own folder for such.
fn cache() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    of("EYEAR_CACHE").or_else(|| Some(of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")))?.join("eyear")))
}

/// The part in a folder, for a command that looks at pictures alone.
fn seen_part(dir: &Path) -> Result<Part> {
    let taught = Taught::load(dir)?;
    if taught.joint().is_some() || taught.parts()[0].card.kind.sense() != Sense::Image {
        let samples = taught.parts()[0].card.kind.sense().samples();
        bail!("part `{}` was taught from {samples}: `eyear inspect` and `eyear eval` judge these", taught.name())
    }
    Ok(taught.into_parts().remove(0))
}

/// Whether a file is one of what a sense takes.
fn is_sample(sense: Sense) -> fn(&Path) -> bool {
    match sense {
        Sense::Image => recording::is_picture,
        Sense::Audio => recording::sound::is_sound,
        Sense::Clip => recording::clip::is_clip,
    }
}

/// More threads than any machine has cores for would only take its memory.
fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=256).contains(number));
    number.ok_or_else(|| "wants a number from 1 to 256".to_string())
}

/// `HEIGHTxWIDTH`, such as 640x960. Whether the model takes it is for the model to say.
fn input_size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once('x').map(|(height, width)| (height.parse(), width.parse()));
    match sides {
        Some((Ok(height), Ok(width))) if (1..=8192).contains(&height) && (1..=8192).contains(&width) => {
            Ok([height, width])
        }
        _ => Err(format!("wants HEIGHTxWIDTH in pixels, each up to 8192, such as 640x960, got `{text}`")),
    }
}

/// Runs the command line and tells the exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Teach(arguments) => teach::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Ask(arguments) => report::ask(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Record(arguments) => record::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Prepare(arguments) => prepare::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Model(arguments) => model::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::from(1),
        Ok(Outcome::Incomplete) => ExitCode::from(2),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {}", one_line(&error)));
            ExitCode::from(2)
        }
    }
}

/// What the entries of a part's memory looked like. Teaching cuts tiles of one and a half cells.
fn tiles(part: &Part) -> Tiles<'_> {
    Tiles { pixels: &part.tiles, side: TILE, span: TILE_CELLS }
}

/// One line on standard error. Where nobody reads it any more, as behind `2>&1 | head`, the work goes on.
pub fn complain(line: &str) {
    let _nobody_reads = writeln!(std::io::stderr().lock(), "{line}");
}

/// The error and its causes on one line.
pub fn one_line(error: &anyhow::Error) -> String {
    // What fails on a named file says so itself; a bare one is our own output.
    let output = error.chain().next().is_some_and(|first| first.is::<std::io::Error>());
    let what = output.then(|| "cannot write the output".to_string());
    let causes = error.chain().map(ToString::to_string);
    what.into_iter().chain(causes).collect::<Vec<_>>().join(": ").replace('\n', " ")
}

/// The reader of our output went away: that is its right.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A progress bar on the terminal's error stream; silent when that is no terminal.
pub fn progress_bar(message: &'static str) -> Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}").context("progress bar")?;
    Ok(ProgressBar::new(0).with_style(style).with_message(message))
}
