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
mod part;
mod prepare;
mod record;
mod report;
mod rows;
mod run;
mod shell;
mod status;
mod table;
mod teach;
mod trials;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use eyear::backend::{self, Backend};
use eyear::board::Provider;
use eyear::memory::pair::Taught;
use eyear::memory::part::{Part, TILE, TILE_CELLS};
use eyear::open::{self, Notes, Setup};
use eyear::package::manifest::Sense;
use eyear::show::draw::Tiles;
use eyear::source::recording::Others;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Heading of the output options in `--help`.
const OUTPUT: &str = "Output";
/// Heading of the options for model, threads and providers in `--help`.
const MODEL: &str = "Model and machine";

const EXAMPLES: &str = "Examples:
  eyear teach biscuit --good good/    Teach a part from good images
  eyear inspect biscuit new/          Judge new images
  eyear eval dataset/                 Measure the accuracy on labelled images
  eyear doctor                        Check this machine

`eyear COMMAND --help` shows the options of a command, with examples.";

/// Offline inspection: teach a part from a few good samples, then judge new ones.
#[derive(Parser)]
#[command(name = "eyear", version, about, max_term_width = 100, after_help = EXAMPLES)]
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
    Part(part::Arguments),
    Model(model::Arguments),
    Completions(shell::CompletionArguments),
    Man(shell::ManArguments),
}

/// How a command that did its work ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything passed, or nothing was to be judged.
    Good,
    /// At least one sample is fail, unsure or invalid.
    Bad,
    /// At least one file could not be read; the rest was done.
    Incomplete,
}

/// Which encoder runs, and how.
#[derive(Args, Clone)]
#[command(next_help_heading = MODEL)]
pub struct ModelArguments {
    /// Model package: a name, or a folder with a model.toml; once for each modality [default: the package that the part was
    /// taught with; for teaching, vision-lite0 for images, sound-lite0 for sounds, clip-lite0 for clips]
    #[arg(long, value_name = "NAME|DIR")]
    model: Vec<String>,
    /// Threads for the encoder [default: one per core, up to four]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
    /// Execution provider of the encoders, such as `openvino:device=CPU`; several are tried in the order given, then the CPU
    /// [default: the providers of the board, or the CPU alone]
    #[arg(long, value_name = "NAME[:OPTION=VALUE,…]", value_parser = provider)]
    provider: Vec<Provider>,
    /// Fail if a requested provider cannot be used or runs no node of the model
    #[arg(long)]
    require_provider: bool,
    /// Use the providers and threads of this board: a name or a file
    #[arg(long, value_name = "NAME|FILE")]
    board: Option<String>,
    /// Runtime of the encoder: onnxruntime; or, if built in, tflite; or tflite:LIBRARY[,KEY=VALUE...] for the delegate of an
    /// accelerator
    #[arg(long, value_name = "NAME", default_value = "onnxruntime")]
    backend: Runtime,
}

/// A backend, and the text that named it.
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
    fn setup(&self) -> Setup {
        Setup {
            models: self.model.clone(),
            threads: self.threads,
            providers: self.provider.clone(),
            require: self.require_provider,
            board: self.board.clone(),
            backend: self.backend.backend,
            notes: notes(),
            ..Setup::default()
        }
    }

    /// The package for commands that take exactly one.
    fn package(&self) -> Result<&str> {
        match &self.model[..] {
            [] => Ok(open::usual_name(Sense::Image)),
            [one] => Ok(one),
            _ => bail!("--model names {} packages, expected one", self.model.len()),
        }
    }
}

/// Prints what was requested but not done.
fn notes() -> Notes {
    Arc::new(|note| complain(&format!("note: {note}")))
}

/// `NAME` or `NAME:OPTION=VALUE,…`: options and values are TOML; a value of no TOML type is text.
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

/// The part in a folder, for a command that takes images only.
fn seen_part(dir: &Path) -> Result<Taught> {
    let taught = Taught::load(dir)?;
    if taught.joint().is_some() || taught.parts()[0].card.kind.sense() != Sense::Image {
        let (name, samples) = (taught.name(), taught.samples());
        bail!(
            "part `{name}` was taught from {samples}, and this command takes images only: use `eyear inspect` or `eyear eval`"
        )
    }
    Ok(taught)
}

/// Bounded, because each thread takes memory.
fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=256).contains(number));
    number.ok_or_else(|| "wants a number from 1 to 256".to_string())
}

/// `HEIGHTxWIDTH`, such as 640x960. The model checks whether it takes that size.
fn input_size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once('x').map(|(height, width)| (height.parse(), width.parse()));
    match sides {
        Some((Ok(height), Ok(width))) if (1..=8192).contains(&height) && (1..=8192).contains(&width) => {
            Ok([height, width])
        }
        _ => Err(format!("wants HEIGHTxWIDTH in pixels, each up to 8192, such as 640x960, got `{text}`")),
    }
}

/// Runs the command line and returns the exit code.
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
        Command::Part(arguments) => part::run(&arguments),
        Command::Model(arguments) => model::run(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments, &mut Cli::command()),
        Command::Man(arguments) => shell::man(&arguments, Cli::command()),
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

/// The image tiles of a part's memory entries. Teaching cuts tiles of one and a half patches.
fn tiles(part: &Part) -> Tiles<'_> {
    Tiles { pixels: &part.tiles, side: TILE, span: TILE_CELLS }
}

/// Prints one line on standard error, with control characters escaped. If nobody reads it any more, as behind
/// `2>&1 | head`, the work goes on.
pub fn complain(line: &str) {
    let _nobody_reads = writeln!(std::io::stderr().lock(), "{}", table::shown(line));
}

/// Prints which files in folders are not used.
fn tell_others(others: &Others) {
    if !others.is_empty() {
        complain(&format!("note: not used: {others}"));
    }
}

/// Set when the program must end: SIGTERM, SIGINT, or SIGHUP when the terminal closes. SIGHUP stays ignored under `nohup`.
pub fn stopped_by_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let hangup = (!is_hangup_ignored(&status)).then_some(SIGHUP);
    for signal in [SIGTERM, SIGINT].into_iter().chain(hangup) {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot watch for signals")?;
    }
    Ok(stop)
}

/// Whether a process with this `/proc/self/status` ignores SIGHUP.
fn is_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}

/// The error and its causes on one line.
pub fn one_line(error: &anyhow::Error) -> String {
    // Errors about a named file say so themselves; a bare I/O error is about our own output.
    let output = error.chain().next().is_some_and(|first| first.is::<std::io::Error>());
    let what = output.then(|| "cannot write the output".to_string());
    let causes = error.chain().map(ToString::to_string);
    what.into_iter().chain(causes).collect::<Vec<_>>().join(": ").replace('\n', " ")
}

/// Whether the reader of our output closed it. That is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A progress bar on standard error; hidden if that is not a terminal.
pub fn progress_bar(message: &'static str) -> Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}").context("progress bar")?;
    Ok(ProgressBar::new(0).with_style(style).with_message(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_read_from_the_process_status() {
        assert!(is_hangup_ignored("Name:\teyear\nSigIgn:\t0000000000001001\n"));
        assert!(!is_hangup_ignored("Name:\teyear\nSigIgn:\t0000000000001000\n") && !is_hangup_ignored(""));
    }
}
