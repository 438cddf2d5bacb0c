//! `eyear prepare`: every way in which this machine can run a package's encoders, tried in processes of their own → a table,
//! and the fastest that still computes what the reference does, kept for `--board`.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::backend::BACKENDS;
use eyear::board::{Board, Machine, Provider};
use eyear::manifest::{Manifest, Precision, Sense};
use serde::{Deserialize, Serialize};

use super::table::shown;
use super::trials::{self, Trials, Tried, Way};
use super::{ModelArguments, Outcome};

/// Form of the file of what was chosen.
const FORMAT: u32 = 2;

/// Try every provider, precision and number of threads that this machine has, and keep the fastest that computes the same
#[derive(Args)]
#[command(after_help = "Examples:
  eyear prepare --board jetson-orin-nano
  eyear prepare --provider openvino:device=CPU --rounds 20")]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Precisions to try [default: all of the package]
    #[arg(long, num_args = 1..)]
    precision: Vec<Precision>,
    /// Runs that are timed in each trial
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds that a trial may take, building of engines included
    #[arg(long, default_value_t = 600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Makes one trial in this process, as JSON: how `prepare` and `bench` call themselves
    #[arg(long, hide = true, value_name = "JSON")]
    one: Option<String>,
    /// Of that trial, runs the model once and tells nothing
    #[arg(long, hide = true, requires = "one")]
    once: bool,
}

/// What was chosen for a package on a board, with all that was tried.
#[derive(Debug, Serialize, Deserialize)]
struct Prepared {
    format: u32,
    board: String,
    model: String,
    model_digest: String,
    library: String,
    tried: Vec<Tried>,
}

/// Tries all ways and writes down what was chosen.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let manifest = arguments.model.manifest(Sense::Image)?;
    if let Some(way) = &arguments.one {
        let way: Way = serde_json::from_str(way).context("--one wants JSON of a way to run")?;
        if let Some(trial) = trials::one(&manifest, &way, arguments.rounds as usize, arguments.once)? {
            writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&trial)?)?;
        }
        return Ok(Outcome::Good);
    }
    if arguments.model.require_provider {
        bail!("each trial requires its provider as it is: leave --require-provider out");
    }
    if arguments.model.backend().name() != BACKENDS[0].name() {
        bail!("providers are those of {}: leave --backend out", BACKENDS[0].name());
    }
    let board = board(&arguments.model)?;
    let ways = trials::ways(&arguments.model, &manifest, &board, BACKENDS[0], &arguments.precision)?;
    if ways.is_empty() {
        bail!("{} has no encoder in that precision", manifest.name);
    }
    let trials = Trials {
        package: arguments.model.package(Sense::Image),
        board: &board,
        rounds: arguments.rounds,
        limit: Duration::from_secs(arguments.limit),
        cold: false,
    };
    let tried = trials.run(ways)?;
    let prepared = Prepared {
        format: FORMAT,
        board: board.name.clone(),
        model: manifest.name.clone(),
        model_digest: manifest.digest().into(),
        library: library()?,
        tried,
    };
    let mut out = std::io::stdout().lock();
    let text = serde_json::to_string_pretty(&prepared)?;
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&prepared)?)?,
        false => {
            let (model, title, library) = (&prepared.model, &board.title, &prepared.library);
            writeln!(out, "{model} on board {} ({title}), {library}", board.name)?;
            trials::tell(&mut out, &prepared.tried, &board)?;
        }
    }
    let path = place(&board, &manifest)?;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let new = path.with_extension("new");
    fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))?;
    if !arguments.json {
        writeln!(out, "kept for `--board {}` in {}", board.name, shown(&path.display().to_string()))?;
    }
    let any = prepared.tried.iter().any(|tried| tried.lost.is_none());
    Ok(if any { Outcome::Good } else { Outcome::Incomplete })
}

/// The provider and the threads that were chosen for a package in this precision on a board; `None` where `eyear prepare` was not
/// run, or for another package or library.
pub fn chosen(board: &Board, manifest: &Manifest, precision: Precision) -> Result<Option<(Provider, usize)>> {
    let Ok(text) = fs::read_to_string(place(board, manifest)?) else { return Ok(None) };
    // One of another form, or cut off, is as none: it is made again.
    let Ok(prepared) = serde_json::from_str::<Prepared>(&text) else { return Ok(None) };
    let fits = prepared.format == FORMAT
        && prepared.model_digest == manifest.digest()
        && prepared.library == library()?
        && prepared.board == board.name;
    let best = prepared.tried.into_iter().find(|tried| tried.lost.is_none() && tried.way.precision == precision);
    Ok(best.filter(|_| fits).map(|tried| (tried.way.provider, tried.way.threads)))
}

/// Where the choice for a package on a board stands.
fn place(board: &Board, manifest: &Manifest) -> Result<PathBuf> {
    let dir = super::cache().context("no folder to keep what is prepared: set EYEAR_CACHE or HOME")?;
    Ok(dir.join("prepared").join(format!("{}-{}.json", board.name, manifest.name)))
}

/// The runtime that is used, and its version.
pub fn library() -> Result<String> {
    let info = BACKENDS[0].check()?;
    Ok(format!("{} {} {}", BACKENDS[0].name(), info.version, info.library.display()))
}

/// The board that is named, else the one that this machine is.
pub fn board(model: &ModelArguments) -> Result<Board> {
    match model.board()? {
        Some(board) => Ok(board),
        None => Ok(Board::detect(&Machine::here())?),
    }
}
