//! `eyear eval`: a labelled data set → accuracy, time and memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use eyear::evaluate::baseline;
use eyear::evaluate::dataset::{Dataset, Sample, masks};
use eyear::evaluate::faults::{self, FaultKind};
use eyear::evaluate::figures::Figures;
use eyear::evaluate::judged::{Scored, Seen};
use eyear::evaluate::machines::Machine;
use eyear::evaluate::metrics::Threshold;
use eyear::evaluate::page;
use eyear::evaluate::robust::{self, Hands};
use eyear::evaluate::run::{self, Evaluation};
use eyear::evaluate::windows::{self, Windows};
use eyear::inspect::kymograph;
use eyear::memory::pair::Taught;
use eyear::memory::part::Kind;
use eyear::open::of_sense;
use eyear::package::manifest::{EncoderSpec, Precision, Sense};
use eyear::sample::{Frame, Moment, Sound};
use eyear::show::draw::Tiles;
use eyear::source::recording::{self, Pair, sound};
use eyear::teach::{self, GoodSamples, TeachConfig, TeachReport};
use serde::Serialize;

use super::inspect::csv_line;
use super::table::{Screen, rate, shown};
use super::{ModelArguments, OUTPUT, Outcome, complain, eval_robust, eval_words, progress_bar, tiles};

/// Most folders of unused samples that are listed.
const MOST_UNUSED: usize = 4;
const TEACHING: &str = "Teaching";
const MEASURED: &str = "What is measured";

const EXAMPLES: &str = "Examples:
  eyear eval mvtec/screw                       Teach from train/good, judge test/
  eyear eval parts/                            Folders good and bad: half of the good samples are taught
  eyear eval mvtec/screw --part biscuit        Use a part that was taught before
  eyear eval mvtec/screw --csv > screw.csv     The score of each sample
  eyear eval mvtec/screw --out pages           A page with the worst errors
  eyear eval mimii/pump --window 1             Sounds, in windows of one second

Layouts: MVTec AD, LOCO, AD 2 and 3D-AD, BTAD, VisA, MIMII, DCASE, and folders such as good and bad, ok and nok, normal and abnormal.";

/// Measure accuracy, time and memory on a labelled data set (MVTec folders, VisA tables, or good/ and bad/)
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Folder of one data set or of several
    #[arg(required_unless_present = "modelled")]
    dataset: Option<PathBuf>,
    /// Instead of a folder, use sounds of physically modelled machines, good and broken, at these signal-to-noise ratios of
    /// machine to factory
    #[arg(long, value_name = "DB", num_args = 0.., default_missing_values = ["6", "0", "-6"], allow_negative_numbers = true)]
    #[arg(help_heading = MEASURED, conflicts_with_all = ["dataset", "part", "inject"])]
    modelled: Option<Vec<f64>>,
    /// Use this part instead of teaching one from the data set's good samples
    #[arg(long, help_heading = TEACHING, value_name = "DIR", conflicts_with_all = ["shots", "seed", "overkill", "kind", "precision", "input"])]
    part: Option<PathBuf>,
    /// Teach from this many good samples only
    #[arg(long, help_heading = TEACHING, value_name = "N")]
    shots: Option<usize>,
    /// Seed for every random choice
    #[arg(long, help_heading = TEACHING, default_value_t = 0)]
    seed: u64,
    /// Share of good parts that may be rejected
    #[arg(long, help_heading = TEACHING, default_value_t = 0.01, value_name = "SHARE")]
    overkill: f64,
    /// Alignment mode: texture, framed, aligned or golden [default: chosen from the samples]
    #[arg(long, help_heading = TEACHING)]
    kind: Option<Kind>,
    /// Cut sounds into windows of this length; a file has the score of its most anomalous window and is rejected if one
    /// window is
    #[arg(long, help_heading = MEASURED, value_name = "SECONDS", value_parser = seconds)]
    window: Option<f64>,
    /// Teach from good sounds, chosen by the seed, of this total length
    #[arg(long, help_heading = TEACHING, value_name = "SECONDS", value_parser = seconds, conflicts_with_all = ["shots", "part"])]
    taught_seconds: Option<f64>,
    /// Mix faults into the good test sounds: knock, tone, hum, rub, noise
    #[arg(long, help_heading = MEASURED, value_name = "FAULT", num_args = 1..)]
    inject: Vec<FaultKind>,
    /// Level of an injected fault relative to the sound, while the fault lasts
    #[arg(long, help_heading = MEASURED, value_name = "DB", num_args = 1.., default_values_t = [0.0], allow_negative_numbers = true)]
    snr: Vec<f64>,
    /// Also run baselines: for sounds, Mahalanobis distance of the mean log-mel and nearest neighbours of its frames; for
    /// clips, Mahalanobis distance of the amount of motion in each step
    #[arg(long, help_heading = MEASURED, conflicts_with = "part")]
    baselines: bool,
    /// Also judge the samples under corruptions: images with noise, blur, exposure, JPEG, occlusion and patches; sounds with
    /// noise, clipping, level, gaps and a narrow band; image and sound with one of them dropped
    #[arg(long, help_heading = MEASURED, conflicts_with = "baselines")]
    robust: bool,
    /// Precision of the encoder [default: int8, else the first of the package]
    #[arg(long, help_heading = TEACHING)]
    precision: Option<Precision>,
    /// Image size for the model, in multiples of 32 [default: that of the model]
    #[arg(long, help_heading = TEACHING, value_name = "HEIGHTxWIDTH", value_parser = super::input_size)]
    input: Option<[usize; 2]>,
    /// Print one JSON object a data set instead of tables, with the score of each sample and a table of thresholds
    #[arg(long, help_heading = OUTPUT)]
    json: bool,
    /// Print comma-separated values instead of tables, one line a sample: dataset, file, kind, bad, verdict, score, limit,
    /// p_value
    #[arg(long, help_heading = OUTPUT, conflicts_with = "json")]
    csv: bool,
    /// Write a page (NAME.html) with the figures and the worst errors to this folder
    #[arg(long, help_heading = OUTPUT, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    words: eval_words::WordArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Good;
    let screen = Screen::of_stdout();
    if arguments.csv {
        writeln!(out, "dataset,file,kind,bad,verdict,score,limit,p_value")?;
    }
    let setup = arguments.model.setup();
    for set in sets(arguments)? {
        let (mut dataset, made) = set?;
        let (sense, paired) = (dataset.sense(), dataset.is_paired());
        let of_sounds = arguments.window.is_some() || arguments.taught_seconds.is_some() || arguments.baselines;
        if (sense == Sense::Image || paired) && of_sounds {
            let holds = folder(arguments).display();
            bail!(
                "--window and --taught-seconds are for sounds only, --baselines is for sounds or clips only, and {holds} \
                 holds images"
            );
        }
        if sense == Sense::Clip {
            check_clips(arguments)?;
        }
        let words =
            arguments.words.open(&dataset, &arguments.inject, arguments.dataset.as_deref(), &arguments.model)?;
        let read = |path: &Path| made.get(path).map_or_else(|| sound::read(path), |sound| Ok(sound.clone()));
        // The samples to teach, as windows if sounds are cut.
        let (mut cut, mut paths) = (None, Vec::new());
        let taught = match &arguments.part {
            Some(dir) => Taught::load(dir)?,
            None => {
                if dataset.train_good.is_empty() {
                    dataset = dataset.split(arguments.seed, 0.5)?;
                }
                paths = match (arguments.shots, arguments.taught_seconds) {
                    (Some(shots), _) => dataset.shots(shots, arguments.seed)?,
                    (None, Some(seconds)) => windows::lasting(&dataset, seconds, arguments.seed, &read)?,
                    (None, None) => dataset.train_good.clone(),
                };
                (cut, paths) = windows_of(&paths, arguments, &read)?;
                let read_good = |path: &Path| cut.as_ref().map_or_else(|| read(path), |cut| cut.read(path, &read));
                let groups = cut.as_ref().map_or_else(Vec::new, |cut| cut.groups(&paths));
                let (taught, reports) = teach(arguments, &dataset, &paths, &groups, &read_good)?;
                for (_, reason) in reports.iter().flat_map(|report| &report.skipped) {
                    outcome = Outcome::Incomplete;
                    complain(&format!("skipped: {reason}"));
                }
                taught
            }
        };
        arguments.words.restrict(&mut dataset);
        if arguments.robust {
            eval_robust::check(paired, taught.parts().len(), arguments.part.as_deref())?;
        }
        if !arguments.inject.is_empty() {
            if sense == Sense::Image && !paired {
                bail!("--inject mixes faults into sounds, and {} holds images", folder(arguments).display());
            }
            dataset.inject(&arguments.inject, &arguments.snr, arguments.seed);
        }
        let (kind, good) = (kinds_of(&taught), taught.parts()[0].card.good);
        let inspector = RefCell::new(setup.inspector(taught, arguments.part.as_deref().unwrap_or(Path::new("")))?);
        words.as_ref().map_or(Ok(()), |words| words.check(&inspector.borrow()))?;
        let bar = progress_bar("judging")?;
        bar.set_length(dataset.test.len() as u64);
        let judge_moment = |moment: &Moment| -> eyear::Result<Seen> {
            let mut inspector = inspector.borrow_mut();
            if let (Some(seconds), Some(sound)) = (arguments.window, &moment.sound) {
                return windows::judge(&mut inspector, sound, seconds, words.is_some());
            }
            let inspection = inspector.judge(moment)?;
            let evidence = if words.is_some() { inspection.evidence()? } else { Vec::new() };
            Ok(Seen { frame: moment.frame.clone(), report: inspection.into_report(), evidence })
        };
        let judge = |sample: &Sample| judge_moment(&moment(sample, paired, sense, &read)?);
        let seen =
            |sample: &Sample| judge(sample).inspect(|seen| words.iter().for_each(|words| words.keep(sample, seen)));
        let done = || {
            words.iter().for_each(|words| words.write());
            bar.inc(1);
        };
        let Evaluation { mut figures, judged, scored, thresholds, unreadable } =
            run::run(&dataset, good, &mut |sample| seen(sample), &read_mask, &done)?;
        for (sample, error) in unreadable {
            outcome = Outcome::Incomplete;
            bar.suspend(|| complain(&format!("error: {}", super::one_line(&error.into()))));
            dataset.test.retain(|other| *other != sample);
        }
        figures.words = words.as_ref().map(eval_words::Words::finish).transpose()?;
        bar.finish_and_clear();
        if arguments.baselines && sense == Sense::Clip {
            let kymograph = RefCell::new(kymograph(of_sense(&setup.usual(&[sense])?, sense)?)?);
            let motion = |path: &Path| -> eyear::Result<Vec<f64>> {
                let mut kymograph = kymograph.borrow_mut();
                kymograph.picture(&recording::clip::read(path)?)?;
                Ok(kymograph.motion_of_steps().map(f64::from).collect())
            };
            let bar = progress_bar("baselines")?;
            bar.set_length(dataset.test.len() as u64);
            // Unreadable samples were reported during teaching.
            let taught = paths.iter().map(|path| motion(path)).filter(|steps| steps.is_ok());
            let judged = |sample: &Sample| motion(&sample.path);
            figures.baselines = Some(baseline::run_clips(taught, &dataset, &judged, &|| bar.inc(1))?);
            bar.finish_and_clear();
        } else if arguments.baselines {
            let sounds = paths.iter().map(|path| cut.as_ref().map_or_else(|| read(path), |cut| cut.read(path, &read)));
            // Unreadable samples were reported during teaching.
            let sounds = sounds.filter(|sound| sound.is_ok());
            let windows = |sample: &Sample| {
                let sound = heard(sample, &sample.path, &read)?;
                arguments.window.map_or_else(|| Ok(vec![sound.clone()]), |seconds| windows::cut(&sound, seconds))
            };
            let bar = progress_bar("baselines")?;
            bar.set_length(dataset.test.len() as u64);
            figures.baselines = Some(baseline::run(sounds, &dataset, &windows, &|| bar.inc(1))?);
            bar.finish_and_clear();
        }
        if arguments.robust {
            let read_moment = |sample: &Sample| moment(sample, paired, sense, &read);
            let clean = (&figures, &*judged);
            let bar = progress_bar("corrupting")?;
            let hands = Hands {
                read: &read_moment,
                judge: &judge_moment,
                mask: &read_mask,
                seen: &|sample, seen| words.iter().for_each(|words| words.keep(sample, seen)),
                progress: &|| {
                    words.iter().for_each(|words| words.write());
                    bar.inc(1);
                },
                words: &|| words.as_ref().map(eval_words::Words::finish).transpose(),
            };
            bar.set_length((robust::plan(&dataset).len() * dataset.test.len()) as u64);
            let worsened = robust::run(&dataset, arguments.seed, clean, &hands)?;
            bar.finish_and_clear();
            figures.robust = Some(worsened);
        }
        match (arguments.json, arguments.csv) {
            (true, _) => {
                let line = Line { figures: &figures, samples: &scored, thresholds: &thresholds };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            (_, true) => {
                for scored in &scored {
                    writeln!(out, "{}", csv_line(&CsvLine::of(&figures.dataset, scored, screen))?)?;
                }
            }
            _ => print(&mut out, &figures, &kind)?,
        }
        if let Some(dir) = &arguments.out {
            let picture = |sample: &Sample| moment(sample, paired, sense, &read).map(|moment| moment.frame);
            let inspector = inspector.borrow();
            let tiles: Vec<Tiles> = inspector.senses().iter().map(|one| tiles(one.part())).collect();
            let page = page::write(dir, &figures, &judged, folder(arguments), &tiles, &picture, &read_mask)?;
            if !arguments.json && !arguments.csv {
                writeln!(out, "  see {}", shown(&page.display().to_string()))?;
            }
        }
    }
    Ok(outcome)
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    figures: &'a Figures,
    samples: &'a [Scored],
    thresholds: &'a [Threshold],
}

/// One line of `--csv`.
#[derive(Serialize)]
struct CsvLine<'a> {
    dataset: String,
    file: String,
    kind: String,
    bad: bool,
    verdict: &'a str,
    score: f64,
    limit: f32,
    p_value: f64,
}

impl<'a> CsvLine<'a> {
    fn of(dataset: &str, scored: &'a Scored, screen: Screen) -> Self {
        let Scored { bad, verdict, score, limit, p_value, .. } = *scored;
        let [dataset, file, kind] = [dataset, &scored.file, &scored.kind].map(|name| screen.name(name));
        Self { dataset, file, kind, bad, verdict: verdict.as_str(), score, limit, p_value }
    }
}

/// The mask of a sample: of several, all.
fn read_mask(path: &Path) -> eyear::Result<Frame> {
    masks::read(path, &recording::read_ground_truth)
}

/// Prints which samples in the folder no data set uses.
fn tell_unused(dir: &Path, sets: &[Dataset]) -> Result<()> {
    let unused = Dataset::unused(dir, sets)?;
    let listed: Vec<String> =
        unused.iter().take(MOST_UNUSED).map(|(folder, count)| format!("{} ({count})", folder.display())).collect();
    if !listed.is_empty() {
        let more = unused.len() - listed.len();
        let more = if more > 0 { format!(" and {more} more folders") } else { String::new() };
        complain(&format!("note: unused samples: {}{more}", listed.join(", ")));
    }
    Ok(())
}

/// Teaches from what a data set holds, the good samples `paths`, of which those of one group are of one recording;
/// `read_good` reads a sound of these.
fn teach(
    arguments: &Arguments,
    dataset: &Dataset,
    paths: &[PathBuf],
    groups: &[usize],
    read_good: &dyn Fn(&Path) -> eyear::Result<Sound>,
) -> Result<(Taught, Vec<TeachReport>)> {
    let (setup, paired) = (arguments.model.setup(), dataset.is_paired());
    let senses = if paired { vec![Sense::Image, Sense::Sound] } else { vec![dataset.sense()] };
    let packages = setup.usual(&senses)?;
    let mut teachers = Vec::new();
    for &sense in &senses {
        let manifest = of_sense(&packages, sense)?;
        let precision = arguments.precision.map_or_else(|| manifest.encoder(sense).map(EncoderSpec::usual), Ok)?;
        let mut teacher = setup.teacher(sense, manifest, precision)?;
        if let Some(input) = arguments.input.filter(|_| sense == Sense::Image) {
            teacher.resize(input)?;
        }
        teachers.push(teacher);
    }
    if paired {
        paths.iter().try_for_each(|path| recording::both(path).map(drop))?;
    }
    let config =
        TeachConfig { overkill: arguments.overkill, kind: arguments.kind, ..TeachConfig::new(dataset.name.clone()) };
    let read = |path: &Path, sense: Sense| match sense {
        Sense::Sound if paired => read_good(&recording::both(path)?[1]).map(Moment::from),
        Sense::Sound => read_good(path).map(Moment::from),
        _ => recording::moment(path, sense),
    };
    let bar = progress_bar("teaching")?;
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let samples = GoodSamples { groups, ..GoodSamples::new(paths, &read) };
    let taught = teach::teach(&mut teachers, &config, samples, &progress)?;
    bar.finish_and_clear();
    Ok(taught)
}

/// Refuses options that do not work with clips.
fn check_clips(arguments: &Arguments) -> Result<()> {
    let given = [
        ("--window", arguments.window.is_some()),
        ("--taught-seconds", arguments.taught_seconds.is_some()),
        ("--inject", !arguments.inject.is_empty()),
        ("--robust", arguments.robust),
        ("--kind", arguments.kind.is_some()),
        ("--input", arguments.input.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => bail!("{flag} does not work with clips, and {} holds clips", folder(arguments).display()),
        None => Ok(()),
    }
}

/// The alignment modes of a part, as text.
fn kinds_of(taught: &Taught) -> String {
    taught.parts().iter().map(|part| part.card.kind.as_str()).collect::<Vec<_>>().join(" and ")
}

/// Reads a sample, with its injected fault.
fn moment(
    sample: &Sample,
    paired: bool,
    sense: Sense,
    read: &dyn Fn(&Path) -> eyear::Result<Sound>,
) -> eyear::Result<Moment> {
    if paired {
        let Pair { picture, sound } = recording::pair(&sample.path)?.unwrap_or_default();
        let frame = picture.map(|path| recording::read(&path)).transpose()?;
        let sound = sound.map(|path| heard(sample, &path, read)).transpose()?;
        return Ok(Moment { frame, sound, ..Moment::default() });
    }
    Ok(match sense {
        Sense::Image => recording::read(&sample.path)?.into(),
        Sense::Sound => heard(sample, &sample.path, read)?.into(),
        Sense::Clip => recording::clip::read(&sample.path)?.into(),
    })
}

/// Data sets, each with its modelled sounds.
type Sets = Box<dyn Iterator<Item = Result<(Dataset, BTreeMap<PathBuf, Sound>)>>>;

/// The selected data sets; modelled ones are made one at a time to save memory.
fn sets(arguments: &Arguments) -> Result<Sets> {
    let Some(snrs_db) = arguments.modelled.clone() else {
        let sets = Dataset::discover(folder(arguments))?;
        tell_unused(folder(arguments), &sets)?;
        return Ok(Box::new(sets.into_iter().map(|set| Ok((set, BTreeMap::new())))));
    };
    if let Some(wrong) = snrs_db.iter().find(|db| !(-60.0..=60.0).contains(*db)) {
        bail!("--modelled wants decibels from -60 to 60, got {wrong}");
    }
    let seed = arguments.seed;
    let machines =
        Machine::ALL.into_iter().flat_map(move |machine| snrs_db.clone().into_iter().map(move |db| (machine, db)));
    Ok(Box::new(machines.map(move |(machine, snr_db)| Ok(machine.set(snr_db, seed)?))))
}

/// The folder of the data set; none of modelled ones.
fn folder(arguments: &Arguments) -> &Path {
    arguments.dataset.as_deref().unwrap_or(Path::new(""))
}

/// The good sounds `paths` to teach, or their windows.
fn windows_of(
    paths: &[PathBuf],
    arguments: &Arguments,
    read: &dyn Fn(&Path) -> eyear::Result<Sound>,
) -> Result<(Option<Windows>, Vec<PathBuf>)> {
    let Some(seconds) = arguments.window else { return Ok((None, paths.to_vec())) };
    let (windows, names) = Windows::of(paths, seconds, arguments.taught_seconds, read)?;
    Ok((Some(windows), names))
}

/// Reads the sound of a sample, with its injected fault.
fn heard(sample: &Sample, path: &Path, read: &dyn Fn(&Path) -> eyear::Result<Sound>) -> eyear::Result<Sound> {
    let sound = read(path)?;
    sample.fault.map_or(Ok(sound.clone()), |fault| faults::inject(&sound, fault))
}

/// Parses the length of a window.
fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.1..=36_000.0).contains(number));
    number.ok_or_else(|| format!("wants seconds from 0.1 to 36000, got `{text}`"))
}

fn print(out: &mut impl std::io::Write, figures: &Figures, kind: &str) -> Result<()> {
    let [good, bad] = figures.judged;
    let (name, taught) = (shown(&figures.dataset), figures.taught);
    let unreadable = match figures.unreadable {
        0 => String::new(),
        left_out => format!(", {left_out} unreadable"),
    };
    writeln!(out, "{name}: taught {taught} good ({kind}), judged {good} good and {bad} bad{unreadable}")?;
    let share = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
    let interval = figures.auroc_interval.as_ref();
    let interval = interval.map_or(String::new(), |i| format!("  (95 %: {:.3} to {:.3})", i.low, i.high));
    if figures.joint_auroc.is_some() {
        writeln!(out, "  joint AUROC  {}{interval}", share(figures.joint_auroc))?;
        writeln!(out, "  joint pAUC   {}", share(figures.joint_pauc))?;
        for (sense, of) in &figures.alone {
            let (overkill, escape) = (rate(of.overkill.as_ref()), rate(of.escape.as_ref()));
            let (auroc, pauc, f1) = (share(of.auroc), share(of.pauc), share(of.f1_max));
            writeln!(out, "  {sense} alone: AUROC {auroc}  pAUC {pauc}  F1-max {f1}")?;
            writeln!(out, "    overkill {overkill}  escape {escape}")?;
        }
        writeln!(out, "  pixel AUROC  {}", share(figures.pixel_auroc))?;
        writeln!(out, "  AUPRO 30 %   {}", share(figures.aupro))?;
    } else if figures.audio_auroc.is_some() {
        writeln!(out, "  audio AUROC  {}{interval}", share(figures.audio_auroc))?;
        writeln!(out, "  audio pAUC   {}", share(figures.audio_pauc))?;
    } else if figures.clip_auroc.is_some() {
        writeln!(out, "  clip AUROC   {}{interval}", share(figures.clip_auroc))?;
    } else {
        writeln!(out, "  image AUROC  {}{interval}", share(figures.image_auroc))?;
        writeln!(out, "  pixel AUROC  {}", share(figures.pixel_auroc))?;
        writeln!(out, "  AUPRO 30 %   {}", share(figures.aupro))?;
    }
    writeln!(out, "  F1-max       {}", share(figures.f1_max))?;
    writeln!(out, "  overkill     {}", rate(figures.overkill.as_ref()))?;
    writeln!(out, "  escape       {}", rate(figures.escape.as_ref()))?;
    writeln!(out, "  unsure       {} good, {} bad", figures.unsure[0], figures.unsure[1])?;
    writeln!(out, "  invalid      {}", figures.invalid)?;
    for (kind, of) in &figures.per_kind {
        let kind = shown(kind);
        writeln!(
            out,
            "  {kind:12} n {:4}  AUROC {}{}  escape {}",
            of.count,
            share(of.auroc),
            match of.alone {
                Some([sight, hearing]) => format!(" (image {}, sound {})", share(sight), share(hearing)),
                None => of.pauc.map_or(String::new(), |pauc| format!("  pAUC {pauc:.4}")),
            },
            rate(of.escape.as_ref())
        )?;
    }
    for (name, of) in figures.baselines.iter().flatten() {
        let auroc = share(of.audio_auroc.or(of.clip_auroc));
        writeln!(out, "  {name:12} AUROC {auroc}  pAUC {}", share(of.audio_pauc))?;
        for (kind, of) in &of.per_kind {
            writeln!(out, "    {kind:12} AUROC {}  pAUC {}", share(of.auroc), share(of.pauc))?;
        }
    }
    if let Some(words) = &figures.words {
        eval_words::print(out, words)?;
    }
    let memory = figures.peak_memory_mb.map_or("-".into(), |mb| format!("{mb:.0}"));
    writeln!(
        out,
        "  {:.1} ms p50, {:.1} ms p95, {:.0} images/s, {memory} MB peak",
        figures.latency_ms.p50, figures.latency_ms.p95, figures.images_per_s
    )?;
    figures.robust.as_ref().map_or(Ok(()), |rows| eval_robust::print(out, rows))
}
