//! `eyear prepare`: every way in which this machine can run a package's encoders, tried in processes of their own → a table,
//! and the fastest that still computes what the reference does, kept for `--board`.

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::backend::{BACKENDS, Options};
use eyear::board::{Board, Machine, Provider};
use eyear::evaluate::trial::{self, Trial};
use eyear::manifest::{Manifest, Precision, Sense};
use serde::{Deserialize, Serialize};

use super::{ModelArguments, Outcome, progress_bar};

/// Form of the file of what was chosen.
const FORMAT: u32 = 1;

/// Try every provider, precision and number of threads that this machine has, and keep the fastest that computes the same
#[derive(Args)]
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
    /// Makes one trial in this process, as JSON: how `prepare` calls itself
    #[arg(long, hide = true, value_name = "JSON")]
    one: Option<String>,
}

/// A way to run an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Way {
    provider: Provider,
    precision: Precision,
    threads: usize,
}

/// A way with what came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Tried {
    #[serde(flatten)]
    way: Way,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<Trial>,
    /// Why it was not taken: it failed, computes something else, or another is faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<String>,
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
    if let Some(way) = &arguments.one {
        let way: Way = serde_json::from_str(way).context("--one wants JSON of a way to run")?;
        let trial = one(&arguments.model, &way, arguments.rounds as usize)?;
        writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&trial)?)?;
        return Ok(Outcome::Good);
    }
    if arguments.model.require_provider {
        bail!("each trial requires its provider as it is: leave --require-provider out");
    }
    if arguments.model.backend().name() != BACKENDS[0].name() {
        bail!("providers are those of {}: leave --backend out", BACKENDS[0].name());
    }
    let board = board(&arguments.model)?;
    let manifest = arguments.model.manifest(Sense::Image)?;
    let tried = try_all(&arguments.model, &board, &arguments.precision, arguments.rounds, arguments.limit)?;
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
        false => tell(&mut out, &prepared, &board)?,
    }
    let path = place(&board, &manifest)?;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let new = path.with_extension("new");
    fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))?;
    if !arguments.json {
        writeln!(out, "kept for `--board {}` in {}", board.name, path.display())?;
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
fn library() -> Result<String> {
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

/// Every way to run a package's encoder, tried one after the other; of each precision the first that was not lost is the
/// fastest.
fn try_all(
    model: &ModelArguments,
    board: &Board,
    precisions: &[Precision],
    rounds: u32,
    limit: u64,
) -> Result<Vec<Tried>> {
    let ways = ways(model, board, precisions)?;
    let bar = progress_bar("warming")?;
    bar.set_length(ways.len() as u64);
    let mut tried = Vec::new();
    for way in ways {
        bar.set_message(format!("warming {} {} {} threads", named(&way.provider), way.precision, way.threads));
        let (trial, lost) = match in_a_process(model, &way, rounds, Duration::from_secs(limit)) {
            Ok(trial) => {
                let refused = trial.refused(board.memory_mb);
                (Some(trial), refused)
            }
            Err(why) => (None, Some(why)),
        };
        tried.push(Tried { way, trial, lost });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let time = |tried: &Tried| tried.trial.as_ref().map_or(f64::INFINITY, |trial| trial.run_ms.p50);
    tried.sort_by(|a, b| {
        let key = |tried: &Tried| (tried.way.precision, tried.lost.is_some());
        key(a).cmp(&key(b)).then(time(a).total_cmp(&time(b)))
    });
    let mut best: Option<(Precision, String)> = None;
    for one in tried.iter_mut().filter(|one| one.lost.is_none()) {
        match &best {
            Some((precision, best)) if *precision == one.way.precision => one.lost = Some(format!("{best} is faster")),
            _ => {
                best = Some((one.way.precision, format!("{} (threads: {})", named(&one.way.provider), one.way.threads)))
            }
        }
    }
    Ok(tried)
}

/// Providers that are named, else those of the board and those that the library has; by the package's precisions; by one
/// thread and as many as there are cores, or as many as are named.
fn ways(model: &ModelArguments, board: &Board, precisions: &[Precision]) -> Result<Vec<Way>> {
    let manifest = model.manifest(Sense::Image)?;
    let encoder = manifest.encoder(sense_of(&manifest)?)?;
    let mut providers = model.provider.clone();
    if providers.is_empty() {
        providers.clone_from(&board.providers);
        for name in BACKENDS[0].offered()? {
            if providers.iter().all(|provider| provider.name != name) {
                providers.push(Provider { name, options: toml::Table::new() });
            }
        }
    }
    if providers.iter().all(|provider| provider.name != "cpu") {
        providers.push(Provider { name: "cpu".into(), options: toml::Table::new() });
    }
    let mut threads = match (model.threads, board.threads) {
        (Some(threads), _) => vec![threads],
        (None, most) => vec![1, most.unwrap_or(Options::default().threads)],
    };
    threads.dedup();
    let mut all = Vec::new();
    for variant in encoder.variants.iter().filter(|variant| variant.format() == BACKENDS[0].format()) {
        let precision = variant.precision;
        if !precisions.is_empty() && !precisions.contains(&precision) {
            continue;
        }
        for provider in &providers {
            all.extend(threads.iter().map(|&threads| Way { provider: provider.clone(), precision, threads }));
        }
    }
    match all.is_empty() {
        true => bail!("{} has no encoder in that precision", manifest.name),
        false => Ok(all),
    }
}

/// What a package encodes.
fn sense_of(manifest: &Manifest) -> Result<Sense> {
    let first = manifest.encoders().next().map(|(sense, _)| sense);
    first.with_context(|| format!("{} has no encoder to prepare", manifest.name))
}

/// One trial, here.
fn one(model: &ModelArguments, way: &Way, rounds: usize) -> Result<Trial> {
    let manifest = model.manifest(Sense::Image)?;
    let options = Options {
        threads: way.threads,
        providers: vec![way.provider.clone()],
        require: true,
        cache: super::cache(),
        ..Options::default()
    };
    Ok(trial::run(&manifest, sense_of(&manifest)?, way.precision, BACKENDS[0], &options, rounds)?)
}

/// One trial in a process of its own, for a provider may crash, or build for ever.
fn in_a_process(model: &ModelArguments, way: &Way, rounds: u32, limit: Duration) -> Result<Trial, String> {
    let start = || -> Result<(ExitStatus, String, String)> {
        let [told, wrong] = [tempfile::tempfile()?, tempfile::tempfile()?];
        let mut child = Command::new(std::env::current_exe()?)
            .args(["prepare", "--one", &serde_json::to_string(way)?, "--rounds", &rounds.to_string()])
            .args(["--model", model.package(Sense::Image)])
            .stdin(Stdio::null())
            .stdout(told.try_clone()?)
            .stderr(wrong.try_clone()?)
            .spawn()?;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                bail!("it was stopped after {} s: see --limit", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = |mut file: fs::File| -> Result<String> {
            file.rewind()?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok((status, text(told)?, text(wrong)?))
    };
    let (status, told, wrong) = start().map_err(|error| super::one_line(&error))?;
    let reason = || wrong.lines().rev().find_map(|line| line.strip_prefix("error: ")).map(ToString::to_string);
    match status.success() {
        // The runtime may write lines of its own before ours.
        true => told
            .lines()
            .next_back()
            .and_then(|line| serde_json::from_str(line).ok())
            .ok_or_else(|| "it told nothing".to_string()),
        false => Err(reason().unwrap_or_else(|| format!("it crashed: {status}"))),
    }
}

/// A provider as `--provider` takes it.
pub fn named(provider: &Provider) -> String {
    let mut options = Vec::new();
    let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), ToString::to_string);
    for (key, value) in &provider.options {
        match value {
            toml::Value::Table(inner) => {
                options.extend(inner.iter().map(|(own, value)| format!("{key}.{own}={}", text(value))))
            }
            value => options.push(format!("{key}={}", text(value))),
        }
    }
    match options.is_empty() {
        true => provider.name.clone(),
        false => format!("{}:{}", provider.name, options.join(",")),
    }
}

fn tell(out: &mut impl std::io::Write, prepared: &Prepared, board: &Board) -> Result<()> {
    writeln!(out, "{} on board {} ({}), {}", prepared.model, board.name, board.title, prepared.library)?;
    writeln!(
        out,
        "precision provider              threads    p50    p95    p99   1/s  load ms    MB  maps    score  heatmap"
    )?;
    for Tried { way, trial, lost } in &prepared.tried {
        let name = named(&way.provider);
        write!(out, "{:9} {name:21} {:>7}", way.precision.as_str(), way.threads)?;
        match trial {
            Some(trial) => {
                let memory = trial.peak_memory_mb.unwrap_or_default();
                let (ms, off) = (trial.run_ms, [trial.score_off, trial.map_off].map(|off| 100.0 * off));
                write!(out, "  {:5.1}  {:5.1}  {:5.1}  {:4.0}", ms.p50, ms.p95, ms.p99, 1e3 / ms.p50.max(1e-9))?;
                write!(
                    out,
                    "  {:7.0}  {memory:4.0}  {:.4}  {:5.2} %  {:5.2} %",
                    trial.load_ms, trial.similarity, off[0], off[1]
                )?;
                writeln!(out)?;
                let nodes: Vec<String> = trial.placement.iter().map(|(id, nodes)| format!("{id} {nodes}")).collect();
                let late = board.latency_ms.filter(|most| trial.run_ms.p50 > *most as f64);
                let late = late.map_or(String::new(), |most| format!("; over the board's {most} ms"));
                writeln!(out, "          nodes: {}{late}", nodes.join(", "))?;
            }
            None => writeln!(out)?,
        }
        match lost {
            Some(why) => writeln!(out, "          not taken: {why}")?,
            None => writeln!(out, "          taken")?,
        }
    }
    Ok(())
}
