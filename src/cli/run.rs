//! `eyear run`: judges live with a station.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::backend::{self, Options};
use eyear::board::{Board, Machine, Thermometer};
use eyear::dashboard::Dashboard;
use eyear::engine::{self, Ask, Event, Failover, Opens, Outlets, Outside, Requests, Stats, Throttle};
use eyear::inspect::Inspector;
use eyear::memory::folder::Standing;
use eyear::memory::pair::Taught;
use eyear::open::{Packages, Setup, of_sense};
use eyear::package::manifest::{Manifest, Sense};
use eyear::report::{Judged, Verdict};
use eyear::sample::Moment;
use eyear::sink::speech::Voice;
use eyear::sink::{self, Sink};
use eyear::station::{Station, Trigger};

use super::{Outcome, complain, is_broken_pipe};

/// Run a station: judge live until stopped, one JSON line for each verdict
#[derive(Args)]
#[command(after_help = "Examples:
  eyear run station.toml
  eyear run station.toml --moments 100")]
pub struct Arguments {
    /// The station's file
    station: PathBuf,
    /// Stop after this many verdicts
    #[arg(long, value_name = "N")]
    moments: Option<u64>,
}

/// Counts verdicts other than pass, for the exit code.
struct Tally(Arc<AtomicU64>);

impl Sink for Tally {
    fn name(&self) -> &'static str {
        "tally"
    }

    fn take(&mut self, judged: &Judged, _: &Moment) -> eyear::Result<()> {
        self.0.fetch_add(u64::from(judged.report.verdict != Verdict::Pass), Ordering::Relaxed);
        Ok(())
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let station = Station::load(&arguments.station)?;
    let stop = super::stopped_by_signals()?;
    let taught = Taught::load(&station.part)?;
    let setup = setup(&station, arguments.station.parent().unwrap_or(Path::new("")))?;
    let named = setup.board().context("board")?;
    // Before any thread is started: the others keep to what this one does.
    let on_cpu = setup.options().context("board")?.on_cpu();
    let packages = setup.of_part(&taught, &station.part)?;
    let mut chosen = BTreeMap::new();
    if named.is_some() {
        for part in taught.parts() {
            let sense = part.card.kind.sense();
            chosen.insert(sense, setup.options_of(of_sense(&packages, sense)?, part.card.model.precision)?);
        }
    }
    let board = named.map_or_else(|| Board::detect(&Machine::here()), Ok)?;
    let failover = failover(&setup, &packages, &taught, &chosen, &on_cpu);
    let mut inspector = inspector_of(&setup, &packages, taught, &|_| on_cpu.clone())?;
    inspector.senses().iter().for_each(|one| setup.tell(one.notices()));
    check_cycle(&station, &inspector)?;
    let bad = Arc::new(AtomicU64::new(0));
    let mut sinks = sink::of_station(&station.reports, complain)?;
    sinks.push(Box::new(Tally(Arc::clone(&bad))));
    let writer = station.words.as_ref().map(|words| -> Result<_> {
        // One thread: the rest of the machine is for what decides.
        let setup = Setup { threads: Some(1), ..setup };
        let writer = setup.writer(&words.writer, &inspector).context("words.writer")?;
        writer.words().language(&words.language).context("words.language")?;
        Ok(writer)
    });
    let writer = writer.transpose()?;
    let voice = match (&station.speech, &station.words) {
        (Some(speech), Some(words)) => {
            let voice = Voice::open(&speech.program, &speech.arguments, &words.language);
            Some(voice.context("speech.program")?)
        }
        _ => None,
    };
    let dashboard = station.reports.address.map(Dashboard::open).transpose()?;
    if let Some(address) = dashboard.as_ref().and_then(Dashboard::address) {
        complain(&format!("status and trigger requests: http://{address}"));
    }
    let stats = Stats::new(&station.name);
    let (ask, asked) = Requests::new();
    let by_request = asks_by_lines(&station, &ask)?;
    let throttle = Some(Throttle::new(Thermometer::new("/"), board.thermal));
    let outside = Outside { stop: &stop, requests: asked, moments: arguments.moments, throttle, failover };
    let over = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        if let Some(dashboard) = &dashboard {
            let (stats, over) = (&stats, &over);
            let serve = move || {
                let status = || serde_json::to_string(&stats.status()).unwrap_or_default();
                dashboard.serve(&|| over.load(Ordering::Relaxed), &status, &|| by_request && ask.ask());
            };
            thread::Builder::new().name("dashboard".into()).spawn_scoped(scope, serve)?;
        }
        let outlets = Outlets { sinks, writer, voice };
        let outcome =
            engine::run(&station, Some(&mut inspector), outlets, outside, &stats, &mut |event| complain(&told(event)));
        over.store(true, Ordering::Relaxed);
        anyhow::Ok(outcome)
    })?;
    match outcome.map_err(anyhow::Error::from) {
        // The reader of our lines closed them: no error.
        Err(error) if is_broken_pipe(&error) => {}
        outcome => outcome?,
    }
    let status = stats.status();
    let counts: Vec<String> = status.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let words = match &station.words {
        Some(_) => format!(", {} reports in words, {} skipped", status.words_written, status.words_dropped),
        None => String::new(),
    };
    let (up_s, counts, replaced) = (status.up_s, counts.join(", "), status.replaced);
    complain(&format!("ended after {up_s:.1} s: {counts}, {replaced} frames replaced{words}"));
    Ok(if bad.load(Ordering::Relaxed) > 0 { Outcome::Bad } else { Outcome::Good })
}

/// Makes each line on standard input a trigger, if the station judges on request; returns whether it does.
pub(super) fn asks_by_lines(station: &Station, ask: &Ask) -> Result<bool> {
    let by_request = station.trigger == Trigger::Request;
    if by_request {
        let ask = ask.clone();
        // Not joined: a read of standard input cannot be called off, and it holds nothing.
        thread::Builder::new().name("requests".into()).spawn(move || {
            io::stdin().lock().lines().map_while(io::Result::ok).all(|_| ask.ask());
        })?;
    }
    Ok(by_request)
}

/// Checks that station and part agree: both use clips of cycles, or neither.
fn check_cycle(station: &Station, inspector: &Inspector) -> Result<()> {
    let part = station.part.display();
    let taught = inspector.senses().iter().find_map(|one| one.part().card.clip);
    match (taught, station.cycle) {
        (None, Some(_)) => {
            bail!("[cycle] is for parts that were taught from clips, and {part} was not: remove [cycle]")
        }
        (Some(taught), None) => {
            let ms = 1e3 * f64::midpoint(taught.seconds[0], taught.seconds[1]);
            bail!(
                "{part} was taught from clips and the station has no [cycle]: add one, such as `[cycle]` with \
                 `after_ms = {ms:.0}`"
            )
        }
        (Some(taught), Some(cycle)) => {
            let wrong = taught.wrong_length(cycle.span().as_secs_f64());
            wrong.map_or(Ok(()), |wrong| bail!("[cycle] does not fit {part}: {}", wrong.text))
        }
        (None, None) => Ok(()),
    }
}

/// What a station says of its packages and of what they run on. A name that is not installed may be that of a folder beside the
/// station's file, in `home`.
fn setup(station: &Station, home: &Path) -> Result<Setup> {
    let placed = |name: &String| match Manifest::in_folder(home, name) {
        Some(_) if Manifest::named(name).is_err() => Path::new(".").join(home).join(name).display().to_string(),
        _ => name.clone(),
    };
    let named =
        [(Sense::Image, &station.model), (Sense::Sound, &station.sound_model), (Sense::Clip, &station.clip_model)];
    let of_sense = named.into_iter().filter_map(|(sense, model)| Some((sense, model.as_ref().map(placed)?))).collect();
    let backend = backend::find(&station.backend).context("backend")?;
    let (threads, board) = (station.threads, station.board.clone());
    Ok(Setup { of_sense, threads, board, backend, notes: super::notes(), ..Setup::default() })
}

fn inspector_of(
    setup: &Setup,
    packages: &Packages,
    taught: Taught,
    options: &dyn Fn(Sense) -> Options,
) -> eyear::Result<Inspector> {
    Inspector::new(taught, &|sense| of_sense(packages, sense).cloned(), setup.backend, options)
}

/// Who may take over: of each sense what was chosen for it on the board. The CPU is there at once, and serves where that fails. All
/// judge by the part as it was when the station was started.
fn failover(
    setup: &Setup,
    packages: &Packages,
    taught: &Taught,
    chosen: &BTreeMap<Sense, Options>,
    on_cpu: &Options,
) -> Failover {
    let is_cpu = |options: &Options| options.providers.iter().all(|provider| provider.name == "cpu");
    if chosen.values().all(is_cpu) {
        return Failover::default();
    }
    let taught = Arc::new(taught.clone());
    let opens = |chosen: BTreeMap<Sense, Options>| -> Opens {
        let (setup, packages, taught, on_cpu) = (setup.clone(), packages.clone(), Arc::clone(&taught), on_cpu.clone());
        let options = move |sense: Sense| chosen.get(&sense).unwrap_or(&on_cpu).clone();
        Box::new(move || inspector_of(&setup, &packages, Taught::clone(&taught), &options))
    };
    Failover { wanted: [opens(chosen.clone())].into(), on_cpu: Some(opens(BTreeMap::new())) }
}

/// An event as a message.
pub(super) fn told(event: &Event) -> String {
    match event {
        Event::Open { source, about } => format!("{source}: {about}"),
        Event::Lost { source, why } => format!("{source} lost: {why}; retrying"),
        Event::Fault { source, kind, detail } => format!("{source}: {kind}: {detail}; further ones are counted only"),
        Event::Heat { celsius, zone, rest: 0 } => {
            format!("the board has cooled down to {celsius:.0} °C ({zone}): thermal throttling ends")
        }
        Event::Heat { celsius, zone, rest } => format!(
            "the board is at {celsius:.0} °C ({zone}): thermal throttling, a pause of {rest} times its duration after each \
             inspection"
        ),
        Event::Part(Standing::Anew) => {
            "the part was taught again. The station still uses the old part; restart it to use the new one".into()
        }
        Event::Part(Standing::Gone) => {
            "the part's folder is missing. The station keeps using the part that it loaded".into()
        }
        Event::Part(Standing::Same) => "the part's folder again holds the part that the station uses".into(),
        Event::Warm { seconds, notices } => {
            let notes: String = notices.iter().map(|notice| format!("; {notice}")).collect();
            format!("the board's provider is ready after {seconds:.1} s and replaces the CPU{notes}")
        }
        Event::Cold { why } => format!("running on the CPU: {why}"),
        Event::Unwritten { why } => format!("report in words failed: {why}"),
        Event::Unspoken { why } => format!("speech failed: {why}"),
    }
}
