//! `eyear prepare`: tries every provider, precision and thread count in its own process → a table; keeps the fastest correct one
//! for `--board`.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::backend::BACKENDS;
use eyear::board::{Board, Machine};
use eyear::open::{Prepared, Way};
use eyear::package::manifest::{Manifest, Precision};

use super::table::shown;
use super::trials::{self, Trials};
use super::{ModelArguments, Outcome};

/// Find the fastest provider, precision and thread count that computes correctly here, and keep it
#[derive(Args)]
#[command(after_help = "Examples:
  eyear prepare --board jetson-orin-nano
  eyear prepare --provider openvino:device=CPU --rounds 20")]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Precisions to try [default: all in the package]
    #[arg(long, num_args = 1..)]
    precision: Vec<Precision>,
    /// Timed runs per trial
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Time limit of a trial, engine building included
    #[arg(long, default_value_t = 600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Runs one trial, given as JSON, in this process; used by `prepare` and `bench` themselves
    #[arg(long, hide = true, value_name = "JSON")]
    one: Option<String>,
    /// Runs the model once in that trial and prints nothing
    #[arg(long, hide = true, requires = "one")]
    once: bool,
}

/// Tries all ways and writes down what was chosen.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let package = arguments.model.package()?;
    let manifest = Manifest::find(package)?;
    if let Some(way) = &arguments.one {
        let way: Way = serde_json::from_str(way).context("--one wants JSON of a way to run")?;
        if let Some(trial) = trials::one(&manifest, &way, arguments.rounds as usize, arguments.once)? {
            writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&trial)?)?;
        }
        return Ok(Outcome::Good);
    }
    if arguments.model.require_provider {
        bail!("each trial requires its provider anyway: remove --require-provider");
    }
    if arguments.model.backend.backend.name() != BACKENDS[0].name() {
        bail!("only {} has providers: remove --backend", BACKENDS[0].name());
    }
    let board = board(&arguments.model)?;
    let ways = trials::ways(&arguments.model, &manifest, &board, BACKENDS[0], &arguments.precision)?;
    if ways.is_empty() {
        bail!("{} has no encoder in the requested precision", manifest.name);
    }
    let trials = Trials {
        package,
        board: &board,
        rounds: arguments.rounds,
        limit: Duration::from_secs(arguments.limit),
        cold: false,
    };
    let tried = trials.run(ways)?;
    let prepared = Prepared::new(&board, &manifest, tried)?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&prepared)?)?,
        false => {
            let (model, title, library) = (&prepared.model, &board.title, &prepared.library);
            writeln!(out, "{model} on board {} ({title}), {library}", board.name)?;
            trials::tell(&mut out, &prepared.tried, &board)?;
        }
    }
    let path = prepared.keep()?;
    if !arguments.json {
        writeln!(out, "kept for `--board {}` in {}", board.name, shown(&path.display().to_string()))?;
    }
    let any = prepared.tried.iter().any(|tried| tried.lost.is_none());
    Ok(if any { Outcome::Good } else { Outcome::Incomplete })
}

/// The board that is named, else the one that this machine is.
pub fn board(model: &ModelArguments) -> Result<Board> {
    match model.setup().board()? {
        Some(board) => Ok(board),
        None => Ok(Board::detect(&Machine::here())?),
    }
}
