//! Tries each way to run a model in its own process → a table of times and of similarity to the reference. Keeping the best is
//! left to `prepare`.

use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use eyear::backend::{self, BACKENDS, Backend, Options};
use eyear::board::{Board, Provider};
use eyear::evaluate::trial::{self, Trial};
use eyear::open::{Tried, Way};
use eyear::package::manifest::{Manifest, Precision, Variant};
use serde::de::DeserializeOwned;

use super::{ModelArguments, progress_bar};

/// Starts of a fresh process; the median is reported.
const STARTS: usize = 3;

/// The settings of a series of trials.
pub struct Trials<'a> {
    /// The package, as `--model` takes it.
    pub package: &'a str,
    pub board: &'a Board,
    /// Runs that are timed in each trial.
    pub rounds: u32,
    /// How long a trial may take.
    pub limit: Duration,
    /// Whether fresh starts are timed as well.
    pub cold: bool,
}

impl Trials<'_> {
    /// Tries these ways one after the other. Sorted by precision, then by time; in each precision only the fastest correct one is
    /// taken.
    pub fn run(&self, ways: Vec<Way>) -> Result<Vec<Tried>> {
        let bar = progress_bar("warming")?;
        bar.set_length(ways.len() as u64);
        let mut tried = Vec::new();
        for way in ways {
            bar.set_message(format!("warming {} {} threads", name(&way), way.threads));
            let (trial, lost) = match self.in_a_process(&way) {
                Ok(trial) => {
                    let refused = trial.refused(self.board.memory_mb);
                    (Some(trial), refused)
                }
                Err(why) => (None, Some(why)),
            };
            let cold_start_ms = trial.as_ref().filter(|_| self.cold).and_then(|_| self.cold_start(&way));
            tried.push(Tried { way, trial, cold_start_ms, lost });
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
                Some((precision, best)) if *precision == one.way.precision => {
                    one.lost = Some(format!("{best} is faster"));
                }
                _ => best = Some((one.way.precision, format!("{} (threads: {})", name(&one.way), one.way.threads))),
            }
        }
        Ok(tried)
    }

    /// One trial in its own process, because a provider may crash or never finish building.
    fn in_a_process(&self, way: &Way) -> Result<Trial, String> {
        let mut command = self.command(way).map_err(|error| super::one_line(&error))?;
        let told = told(command.args(["--rounds", &self.rounds.to_string()]), self.limit);
        told.map_err(|why| if why.starts_with("it was stopped") { why + ": see --limit" } else { why })
    }

    /// Milliseconds of a process that opens the model, runs it once and ends; `None` where one fails that had passed.
    fn cold_start(&self, way: &Way) -> Option<f64> {
        let once = || -> Option<f64> {
            let start = Instant::now();
            let status = self
                .command(way)
                .ok()?
                .arg("--once")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            status.ok()?.success().then(|| start.elapsed().as_secs_f64() * 1e3)
        };
        let mut times = (0..STARTS).map(|_| once()).collect::<Option<Vec<_>>>()?;
        times.sort_by(f64::total_cmp);
        Some(times[STARTS / 2])
    }

    fn command(&self, way: &Way) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["prepare", "--one", &serde_json::to_string(way)?, "--model", self.package]);
        Ok(command)
    }
}

/// The last output line of a process, parsed as JSON; else why it failed, crashed or was stopped.
pub fn told<T: DeserializeOwned>(command: &mut Command, limit: Duration) -> Result<T, String> {
    let mut start = || -> Result<(ExitStatus, String, String)> {
        // Pipes, not files: there may be no place where one can be written.
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let told = child.stdout.take().map(read).transpose()?;
        let wrong = child.stderr.take().map(read).transpose()?;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                bail!("it was stopped after {} s", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // What it started itself may still hold its output.
        let text =
            |read: Option<Receiver<String>>| read.and_then(|read| read.recv_timeout(REST).ok()).unwrap_or_default();
        Ok((status, text(told), text(wrong)))
    };
    let (status, told, wrong) = start().map_err(|error| super::one_line(&error))?;
    let reason = || wrong.lines().rev().find_map(|line| line.strip_prefix("error: ")).map(ToString::to_string);
    match status.success() {
        // The runtime may write lines of its own before ours.
        true => told
            .lines()
            .next_back()
            .and_then(|line| serde_json::from_str(line).ok())
            .ok_or_else(|| "it printed no result".to_string()),
        false => Err(reason().unwrap_or_else(|| format!("it crashed: {status}"))),
    }
}

/// How long the last output of a process that has ended may take.
const REST: Duration = Duration::from_secs(5);

/// Reads to the end on a thread of its own, so that the other end never waits.
fn read(mut from: impl Read + Send + 'static) -> Result<Receiver<String>> {
    let (into, text) = mpsc::channel();
    std::thread::Builder::new().name("output".into()).spawn(move || {
        let mut bytes = Vec::new();
        let _as_far_as_it_goes = from.read_to_end(&mut bytes);
        let _nobody_waits_any_more = into.send(String::from_utf8_lossy(&bytes).into_owned());
    })?;
    Ok(text)
}

/// One trial, here; `None` where the model is to run but once.
pub fn one(manifest: &Manifest, way: &Way, rounds: usize, once: bool) -> Result<Option<Trial>> {
    let backend = backend::find(&way.backend)?;
    // Other runtimes know no providers.
    let providers = if way.backend == BACKENDS[0].name() { vec![way.provider.clone()] } else { Vec::new() };
    let options = Options {
        threads: way.threads,
        require: !providers.is_empty(),
        providers,
        cache: eyear::installed::cache(),
        ..Options::default()
    };
    if once {
        trial::once(manifest, way.precision, backend, &options)?;
        return Ok(None);
    }
    Ok(Some(trial::run(manifest, way.precision, backend, &options, rounds)?))
}

/// Ways to run a package by a runtime: by the providers that are named, else those of the board and those that the library has; by
/// the package's precisions; by one thread and as many as there are cores, or as many as are named.
pub fn ways(
    model: &ModelArguments,
    manifest: &Manifest,
    board: &Board,
    backend: &dyn Backend,
    precisions: &[Precision],
) -> Result<Vec<Way>> {
    let mut providers = model.provider.clone();
    if backend.name() != BACKENDS[0].name() {
        providers.clear();
    } else if providers.is_empty() {
        providers.clone_from(&board.providers);
        for name in backend.offered()? {
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
    for variant in variants(manifest)?.iter().filter(|variant| variant.format() == backend.format()) {
        let precision = variant.precision;
        if !precisions.is_empty() && !precisions.contains(&precision) {
            continue;
        }
        for provider in &providers {
            let (backend, provider) = (backend.name().to_string(), provider.clone());
            let way = Way { backend, provider, precision, threads: 1 };
            all.extend(threads.iter().map(|&threads| Way { threads, ..way.clone() }));
        }
    }
    Ok(all)
}

/// Files of what is tried of a package: its encoder, or of a writer its decoder.
fn variants(manifest: &Manifest) -> Result<&[Variant]> {
    match manifest.encoders().next() {
        Some((_, encoder)) => Ok(&encoder.variants),
        None => {
            Ok(&manifest.language().with_context(|| format!("{} has no model to try", manifest.name))?.decoder.variants)
        }
    }
}

/// The provider of a way, or the runtime where it is not the usual one.
fn name(way: &Way) -> String {
    if way.backend == BACKENDS[0].name() { named(&way.provider) } else { way.backend.clone() }
}

/// What was tried, as a table.
pub fn tell(out: &mut impl Write, tried: &[Tried], board: &Board) -> io::Result<()> {
    let cold = if tried.iter().any(|tried| tried.cold_start_ms.is_some()) { "  cold ms" } else { "" };
    writeln!(
        out,
        "precision provider              threads    p50    p95    p99   1/s  load ms{cold}    MB  maps    score  heatmap"
    )?;
    for Tried { way, trial, cold_start_ms, lost } in tried {
        write!(out, "{:9} {:21} {:>7}", way.precision.as_str(), name(way), way.threads)?;
        match trial {
            Some(trial) => {
                let memory = trial.peak_memory_mb.unwrap_or_default();
                let ms = trial.run_ms;
                write!(out, "  {:5.2}  {:5.2}  {:5.2}  {:4.0}", ms.p50, ms.p95, ms.p99, 1e3 / ms.p50.max(1e-9))?;
                write!(out, "  {:7.0}", trial.load_ms)?;
                match (cold_start_ms, cold) {
                    (_, "") => {}
                    (Some(ms), _) => write!(out, "  {ms:7.0}")?,
                    (None, _) => write!(out, "        –")?,
                }
                write!(out, "  {memory:4.0}  {:.4}", trial.similarity)?;
                for off in [trial.score_off, trial.map_off].into_iter().flatten() {
                    write!(out, "  {:5.2} %", 100.0 * off)?;
                }
                writeln!(out)?;
                let nodes: Vec<String> = trial.placement.iter().map(|(id, nodes)| format!("{id} {nodes}")).collect();
                let late = board.latency_ms.filter(|most| trial.run_ms.p50 > *most as f64);
                let late = late.map_or(String::new(), |most| format!("; above the board's limit of {most} ms"));
                writeln!(out, "          nodes: {}{late}", nodes.join(", "))?;
                if !trial.left.is_empty() {
                    writeln!(out, "          left to the CPU: {}", trial.left.join(", "))?;
                }
            }
            None => writeln!(out)?,
        }
        match lost {
            Some(why) => writeln!(out, "          rejected: {why}")?,
            None => writeln!(out, "          selected")?,
        }
    }
    Ok(())
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
