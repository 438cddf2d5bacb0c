//! `eyear bench`: time of each inspection stage on this machine, next to the encoder alone; or time of each model with every
//! runtime, provider, precision and thread count.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::backend::BACKENDS;
use eyear::engine::streams;
use eyear::evaluate::latency::{Latency, latency, peak_memory_mb};
use eyear::inspect::Inspector;
use eyear::memory::part::Part;
use eyear::open::{self, Tried, of_sense};
use eyear::package::manifest::{Manifest, Sense};
use eyear::source::recording;
use serde::Serialize;

use super::trials::{self, Trials};
use super::{ModelArguments, Outcome, prepare, progress_bar};

/// Measure the time of each inspection stage and of the encoder alone
#[derive(Args)]
#[command(after_help = "Examples:
  eyear bench biscuit new/
  eyear bench biscuit new/ --streams 2
  eyear bench --all")]
pub struct Arguments {
    /// Folder of the part
    #[arg(required_unless_present = "all")]
    part: Option<PathBuf>,
    /// Images: files or folders
    #[arg(required_unless_present = "all", value_name = "PATH")]
    pictures: Vec<PathBuf>,
    /// Instead of a part, measure each shipped model with every runtime, provider, precision and thread count
    #[arg(long, conflicts_with_all = ["part", "pictures", "busy"])]
    all: bool,
    /// Timed inspections, after one warm-up round over all images; with --all, timed runs of each combination, of 100 tokens for
    /// a writer [default: 200, with --all 50]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Busy threads that run at the same time, as other programs would
    #[arg(long, default_value_t = 0, value_name = "N")]
    busy: usize,
    /// Instead of the stages, measure inspections per second with N inspectors at once that share the model's weights
    #[arg(long, value_name = "N", value_parser = super::threads, conflicts_with_all = ["all", "busy"])]
    streams: Option<usize>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
}

/// Models that are shipped.
const PACKAGES: [&str; 4] = ["vision-lite0", "sound-lite0", "clip-lite0", "eyear-small"];
/// How long each way may take, building of engines included.
const LIMIT: Duration = Duration::from_secs(600);

/// What was measured. Times are milliseconds.
#[derive(Serialize)]
struct Measured {
    rounds: usize,
    busy: usize,
    threads: usize,
    /// Bytes in memory to pixels.
    decode: Latency,
    /// Pixels to the encoder's input, with the search for the part's pose where there is one.
    prepare: Latency,
    encode: Latency,
    judge: Latency,
    /// Bytes in memory to report.
    whole: Latency,
    /// The same encoder on the same input, right after each inspection.
    bare_encoder: Latency,
    /// Median of whole over median of bare.
    ratio: f64,
    /// Quartiles of whole over bare, round by round.
    ratio_quartiles: [f64; 2],
    inspections_per_s: f64,
    peak_memory_mb: Option<f64>,
    /// Start of a fresh process to the end of its first inspection and its exit, median of five.
    cold_start: f64,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    if arguments.rounds == Some(0) {
        bail!("--rounds wants at least 1, got 0");
    }
    // Where there is no part, `--all` is there: clap sees to it.
    let Some(part) = &arguments.part else { return all(arguments) };
    let rounds = arguments.rounds.unwrap_or(200) as usize;
    let paths = recording::list(&arguments.pictures, recording::is_picture)?;
    let files: Vec<(&Path, Vec<u8>)> = paths
        .iter()
        .take(rounds)
        .map(|path| Ok((&**path, std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?)))
        .collect::<Result<_>>()?;
    let Some((first, _)) = files.first() else { bail!("no image to inspect") };
    let (setup, taught) = (arguments.model.setup(), super::seen_part(part)?);
    let packages = setup.of_part(&taught, part)?;
    let manifest = of_sense(&packages, Sense::Image)?;
    let seen = taught.into_parts().remove(0);
    if let Some(streams) = arguments.streams {
        return at_once(arguments, manifest, seen, &files, [streams, rounds]);
    }
    let options = setup.options_of(manifest, seen.card.model.precision)?;
    let mut inspector = Inspector::of_part(manifest, seen, setup.backend, &options)?;
    inspector.senses().iter().for_each(|one| setup.tell(one.notices()));

    let done = Arc::new(AtomicBool::new(false));
    let busy = (0..arguments.busy).map(|i| {
        let done = Arc::clone(&done);
        std::thread::Builder::new().name(format!("busy-{i}")).spawn(move || while !done.load(Ordering::Relaxed) {})
    });
    let busy = busy.collect::<std::io::Result<Vec<_>>>().context("cannot start a busy thread")?;
    let times = time(&mut inspector, &files, rounds);
    let cold = times.is_ok().then(|| cold_start(arguments, part, first)).transpose();
    done.store(true, Ordering::Relaxed);
    for thread in busy {
        if thread.join().is_err() {
            bail!("a busy thread failed");
        }
    }
    let [decode, prepare, encode, judge, whole, bare] = times?;
    let mut ratios: Vec<f64> = whole.iter().zip(&bare).map(|(whole, bare)| whole / bare.max(1e-9)).collect();
    ratios.sort_by(f64::total_cmp);
    let quartile = |share: f64| ratios[((ratios.len() - 1) as f64 * share).round() as usize];
    let inspections_per_s = 1e3 * whole.len() as f64 / whole.iter().sum::<f64>().max(1e-9);
    let [decode, prepare, encode, judge, whole, bare_encoder] =
        [decode, prepare, encode, judge, whole, bare].map(|mut times| latency(&mut times));
    let measured = Measured {
        rounds,
        busy: arguments.busy,
        threads: options.threads,
        ratio: whole.p50 / bare_encoder.p50.max(1e-9),
        ratio_quartiles: [quartile(0.25), quartile(0.75)],
        decode,
        prepare,
        encode,
        judge,
        whole,
        bare_encoder,
        inspections_per_s,
        peak_memory_mb: peak_memory_mb(),
        cold_start: cold?.unwrap_or_default(),
    };
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&measured)?)?,
        false => tell(&mut out, &measured)?,
    }
    Ok(Outcome::Good)
}

/// What several inspectors at once do.
#[derive(Serialize)]
struct AtOnce {
    streams: usize,
    /// Of the encoder, in each stream.
    threads: usize,
    rounds: usize,
    inspections_per_s: f64,
    /// Milliseconds from bytes in memory to report, within a stream.
    whole: Latency,
    peak_memory_mb: Option<f64>,
}

/// Times `rounds` inspections by `streams` inspectors at once.
fn at_once(
    arguments: &Arguments,
    manifest: &Manifest,
    part: Part,
    files: &[(&Path, Vec<u8>)],
    [streams, rounds]: [usize; 2],
) -> Result<Outcome> {
    let setup = arguments.model.setup().divided(streams);
    let options = setup.options_of(manifest, part.card.model.precision)?;
    let first = Inspector::of_part(manifest, part, setup.backend, &options)?;
    first.senses().iter().for_each(|one| setup.tell(one.notices()));
    let others = (1..streams).map(|_| first.fork()).collect::<eyear::Result<Vec<_>>>()?;
    let mut inspectors: Vec<Inspector> = std::iter::once(first).chain(others).collect();
    let judge = |inspector: &mut Inspector, (path, bytes): &(&Path, &Vec<u8>)| -> Result<f64> {
        let start = Instant::now();
        let frame = recording::decode(bytes, &path.display().to_string())?;
        std::hint::black_box(inspector.judge(&frame.into())?.into_report());
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    let samples =
        |count: usize| files.iter().cycle().take(count).map(|(path, bytes)| (*path, bytes)).collect::<Vec<_>>();
    let warm = samples(files.len().max(2 * streams));
    streams::in_order(&mut inspectors, &warm, judge, |_, judged| judged.map(drop))?;
    let (timed, mut times) = (samples(rounds), Vec::with_capacity(rounds));
    let start = Instant::now();
    streams::in_order(&mut inspectors, &timed, judge, |_, judged| {
        times.push(judged?);
        anyhow::Ok(())
    })?;
    let inspections_per_s = rounds as f64 / start.elapsed().as_secs_f64().max(1e-9);
    let (threads, whole, peak_memory_mb) = (options.threads, latency(&mut times), peak_memory_mb());
    let measured = AtOnce { streams, threads, rounds, inspections_per_s, whole, peak_memory_mb };
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
        return Ok(Outcome::Good);
    }
    let Latency { p50, p95, p99 } = whole;
    let memory = peak_memory_mb.map_or("-".into(), |mb| format!("{mb:.0} MB"));
    writeln!(out, "{rounds} inspections, {streams} at once, {threads} encoder threads each")?;
    writeln!(out, "ms             p50     p95     p99")?;
    writeln!(out, "whole        {p50:6.2}  {p95:6.2}  {p99:6.2}")?;
    writeln!(out, "inspections/s  {inspections_per_s:.0}")?;
    writeln!(out, "memory         {memory} peak")?;
    Ok(Outcome::Good)
}

/// A model, with every way to run it.
#[derive(Serialize)]
struct Model<'a> {
    model: &'a str,
    board: &'a str,
    library: String,
    tried: Vec<Tried>,
}

/// Tries every way to run each model, or the one that is named.
fn all(arguments: &Arguments) -> Result<Outcome> {
    if arguments.model.require_provider {
        bail!("each trial requires its provider anyway: remove --require-provider");
    }
    let board = prepare::board(&arguments.model)?;
    let named = arguments.model.model.iter().map(String::as_str).collect::<Vec<_>>();
    let packages = if named.is_empty() { PACKAGES.to_vec() } else { named };
    let (mut out, mut every) = (std::io::stdout().lock(), true);
    for package in packages {
        let manifest = Manifest::find(package)?;
        let mut ways = Vec::new();
        for backend in BACKENDS {
            ways.extend(trials::ways(&arguments.model, &manifest, &board, *backend, &[])?);
        }
        let (rounds, limit) = (arguments.rounds.unwrap_or(50), LIMIT);
        let trials = Trials { package, board: &board, rounds, limit, cold: true };
        let tried = trials.run(ways)?;
        every &= tried.iter().any(|tried| tried.lost.is_none());
        let library = open::library()?;
        if arguments.json {
            let line = Model { model: &manifest.name, board: &board.name, library, tried };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
            continue;
        }
        let what = if manifest.encoders().next().is_some() { "encoder" } else { "decoder, 1/s are tokens" };
        writeln!(out, "{} ({what}) on board {} ({}), {library}", manifest.name, board.name, board.title)?;
        trials::tell(&mut out, &tried, &board)?;
        writeln!(out)?;
    }
    Ok(if every { Outcome::Good } else { Outcome::Incomplete })
}

/// Milliseconds of decode, prepare, encode, judge, whole and bare encoder, round by round.
fn time(inspector: &mut Inspector, files: &[(&Path, Vec<u8>)], rounds: usize) -> Result<[Vec<f64>; 6]> {
    let mut times: [Vec<f64>; 6] = Default::default();
    let bar = progress_bar("timing")?;
    bar.set_length(rounds as u64);
    for round in 0..files.len() + rounds {
        let (path, bytes) = &files[round % files.len()];
        let start = Instant::now();
        let frame = recording::decode(bytes, &path.display().to_string())?;
        let decoded = Instant::now();
        let report = inspector.judge(&frame.into())?.into_report();
        let inspected = Instant::now();
        inspector.eye().encode()?;
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        let bare = ms(inspected, Instant::now());
        if round >= files.len() {
            let stages = [ms(start, decoded), report.ms.prepare, report.ms.encode, report.ms.judge];
            let round = stages.into_iter().chain([ms(start, inspected), bare]);
            times.iter_mut().zip(round).for_each(|(times, ms)| times.push(ms));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(times)
}

/// Milliseconds from the start of a fresh process to its end with the first verdict, median of five.
fn cold_start(arguments: &Arguments, part: &Path, picture: &Path) -> Result<f64> {
    let executable = std::env::current_exe().context("cannot find the path of this program")?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let mut command = Command::new(&executable);
        command.arg("inspect").arg(part).arg(picture).args(["--json", "--backend", &arguments.model.backend.text]);
        for model in &arguments.model.model {
            command.arg("--model").arg(model);
        }
        for provider in &arguments.model.provider {
            command.arg("--provider").arg(super::trials::named(provider));
        }
        if let Some(board) = &arguments.model.board {
            command.arg("--board").arg(board);
        }
        if let Some(threads) = arguments.model.threads {
            command.arg("--threads").arg(threads.to_string());
        }
        let start = Instant::now();
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        let status = status.with_context(|| format!("cannot start {}", executable.display()))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if !matches!(status.code(), Some(0 | 1)) {
            bail!("a fresh process cannot judge {}: {status}", picture.display());
        }
    }
    Ok(latency(&mut times).p50)
}

fn tell(out: &mut impl std::io::Write, measured: &Measured) -> Result<()> {
    let Measured { rounds, busy, threads, ratio, ratio_quartiles: [low, high], .. } = measured;
    writeln!(out, "{rounds} inspections, {threads} encoder threads, {busy} other busy threads")?;
    writeln!(out, "ms             p50     p95     p99")?;
    for (name, Latency { p50, p95, p99 }) in [
        ("decode", measured.decode),
        ("prepare", measured.prepare),
        ("encode", measured.encode),
        ("judge", measured.judge),
        ("whole", measured.whole),
        ("bare encoder", measured.bare_encoder),
    ] {
        writeln!(out, "{name:12} {p50:6.2}  {p95:6.2}  {p99:6.2}")?;
    }
    writeln!(out, "whole / bare   {ratio:.2} (quartiles {low:.2} to {high:.2})")?;
    writeln!(out, "inspections/s  {:.0}", measured.inspections_per_s)?;
    let memory = measured.peak_memory_mb.map_or("-".into(), |mb| format!("{mb:.0} MB"));
    writeln!(out, "memory         {memory} peak")?;
    writeln!(out, "cold start     {:.0} ms, process start to verdict and exit", measured.cold_start)?;
    Ok(())
}
