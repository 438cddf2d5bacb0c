//! `eyear run`: a station at work.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::backend::{self, BACKENDS, Options};
use eyear::board::{Board, Machine, Thermometer};
use eyear::dashboard::Dashboard;
use eyear::engine::{self, Ask, Event, Governor, Opens, Outlets, Outside, Requests, Standby, Stats};
use eyear::inspect::Inspector;
use eyear::manifest::{Manifest, Sense};
use eyear::memory::pair::Taught;
use eyear::report::{Judged, Verdict};
use eyear::sample::Moment;
use eyear::sink::Sink;
use eyear::sink::evidence::Evidence;
use eyear::sink::lines::Lines;
use eyear::sink::speech::Voice;
use eyear::station::{Station, Trigger};

use super::{Outcome, complain, is_broken_pipe, report};

/// Run a station: judge what its camera sees until told to stop; one JSON line for each verdict
#[derive(Args)]
#[command(after_help = "Examples:
  eyear run station.toml
  eyear run station.toml --moments 100")]
pub struct Arguments {
    /// The station's file
    station: PathBuf,
    /// End after so many verdicts
    #[arg(long, value_name = "N")]
    moments: Option<u64>,
}

/// Counts what did not pass, for the exit code.
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
    let default = Options::default();
    let named = station.board.as_deref().map(Board::find).transpose().context("board")?;
    // Before any thread is started: the others keep to what this one does.
    named.iter().try_for_each(Board::keep_to_cores).context("board")?;
    let of_board = named.as_ref().and_then(|board| board.threads);
    let options = Options { threads: station.threads.or(of_board).unwrap_or(default.threads), ..default };
    let mut chosen = BTreeMap::new();
    if let Some(board) = &named {
        for part in taught.parts() {
            let (sense, precision) = (part.card.kind.sense(), part.card.model.precision);
            let manifest = manifest(&station, sense)?;
            let of_board = super::on_board(board, &manifest, precision, station.threads, options.clone())?;
            chosen.insert(sense, of_board);
        }
    }
    let board = named.map_or_else(|| Board::detect(&Machine::here()), Ok)?;
    backend::find(&station.backend).context("backend")?;
    let on_cpu = options.on_cpu();
    let mut inspector = inspector_of(&station, taught, &|_| on_cpu.clone())?;
    inspector.senses().iter().for_each(|one| super::told(one.notices()));
    let standby = standby(&station, &chosen, &on_cpu);
    check_cycle(&station, &inspector)?;
    let bad = Arc::new(AtomicU64::new(0));
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(Lines::new(io::stdout())), Box::new(Tally(Arc::clone(&bad)))];
    if let Some(folder) = &station.reports.folder {
        sinks.push(Box::new(Evidence::create(folder, Box::new(complain))?));
    }
    let writer = station.words.as_ref().map(|words| -> Result<_> {
        // One thread: the rest of the machine is for what decides.
        let options = Options { threads: 1, ..on_cpu };
        let writer = report::writer(&words.writer, &inspector, BACKENDS[0], &options).context("words.writer")?;
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
        complain(&format!("status and requests: http://{address}"));
    }
    let stats = Stats::new(&station.name);
    let (ask, asked) = Requests::new();
    let by_request = asks_by_lines(&station, &ask)?;
    let governor = Some(Governor::new(Thermometer::new("/"), board.thermal));
    let outside = Outside { stop: &stop, requests: asked, moments: arguments.moments, governor, standby };
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
        // Who read our lines went away: that is its right.
        Err(error) if is_broken_pipe(&error) => {}
        outcome => outcome?,
    }
    let status = stats.status();
    let counts: Vec<String> = status.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let words = match &station.words {
        Some(_) => format!(", {} written of, {} left out", status.words_written, status.words_dropped),
        None => String::new(),
    };
    let (up_s, counts, replaced) = (status.up_s, counts.join(", "), status.replaced);
    complain(&format!("ended after {up_s:.1} s: {counts}, {replaced} frames replaced{words}"));
    Ok(if bad.load(Ordering::Relaxed) > 0 { Outcome::Bad } else { Outcome::Good })
}

/// Lets each line on standard input ask for a verdict, where the station judges by request; whether it does.
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

/// Whether a station and its part agree on what is judged: films of cycles, or moments.
fn check_cycle(station: &Station, inspector: &Inspector) -> Result<()> {
    let part = station.part.display();
    let taught = inspector.senses().iter().find_map(|one| one.part().card.clip);
    match (taught, station.cycle) {
        (None, Some(_)) => bail!("[cycle] is for a part that was taught from clips, and {part} was not: leave it out"),
        (Some(taught), None) => {
            let ms = 1e3 * f64::midpoint(taught.seconds[0], taught.seconds[1]);
            bail!(
                "{part} was taught from clips: write which film of the camera is to be judged, such as `[cycle]` with \
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

/// The package that a station judges by.
fn manifest(station: &Station, sense: Sense) -> eyear::Result<Manifest> {
    match sense {
        Sense::Image => Manifest::find(&station.model),
        Sense::Sound => Manifest::find(&station.sound_model),
        Sense::Clip => Manifest::find("clip-lite0"),
    }
}

fn inspector_of(station: &Station, taught: Taught, options: &dyn Fn(Sense) -> Options) -> eyear::Result<Inspector> {
    let backend = backend::find(&station.backend)?;
    Inspector::new(taught, &|sense| manifest(station, sense), backend, options)
}

/// Who may take over: of each sense what was chosen for it on the board. The CPU is there at once, and serves where that fails.
fn standby(station: &Station, chosen: &BTreeMap<Sense, Options>, on_cpu: &Options) -> Standby {
    let opens = |chosen: BTreeMap<Sense, Options>| -> Opens {
        let (station, on_cpu) = (station.clone(), on_cpu.clone());
        let options = move |sense: Sense| chosen.get(&sense).unwrap_or(&on_cpu).clone();
        Box::new(move || inspector_of(&station, Taught::load(&station.part)?, &options))
    };
    let is_cpu = |options: &Options| options.providers.iter().all(|provider| provider.name == "cpu");
    if chosen.values().all(is_cpu) {
        return Standby::default();
    }
    Standby { wanted: [opens(chosen.clone())].into(), on_cpu: Some(opens(BTreeMap::new())) }
}

/// An event as a person reads it.
pub(super) fn told(event: &Event) -> String {
    match event {
        Event::Open { source, about } => format!("{source}: {about}"),
        Event::Lost { source, why } => format!("{source} lost: {why}; trying again"),
        Event::Fault { source, kind, detail } => format!("{source}: {kind}: {detail}; more will only be counted"),
        Event::Heat { celsius, zone, rest: 0 } => {
            format!("the board has cooled down to {celsius:.0} degrees Celsius ({zone}): no more rests")
        }
        Event::Heat { celsius, zone, rest } => format!(
            "the board is at {celsius:.0} degrees Celsius ({zone}): after each inspection the station rests {rest} times as long \
             as it took"
        ),
        Event::Warm { seconds, notices } => {
            let notes: String = notices.iter().map(|notice| format!("; {notice}")).collect();
            format!("the board's provider is warm after {seconds:.1} s and takes over from the CPU{notes}")
        }
        Event::Cold { why } => format!("the CPU serves: {why}"),
        Event::Unwritten { why } => format!("words are not written: {why}"),
        Event::Unspoken { why } => format!("words are not spoken: {why}"),
    }
}
