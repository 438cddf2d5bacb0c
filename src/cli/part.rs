//! `eyear part`: what was taught, and what can be done with it without teaching it again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use eyear::geometry::Affine;
use eyear::memory::pair::Taught;
use eyear::memory::part::{Part, View};
use eyear::open::parts;
use eyear::package::manifest::Manifest;
use eyear::report::Ignored;
use eyear::show::draw;
use eyear::show::picture::Picture;
use serde::Serialize;

use super::table::shown;
use super::{Outcome, complain};

/// Longest side of the picture that `show --picture` writes, in pixels.
const PICTURE_SIDE: usize = 960;
/// Samples that are listed unless all are asked for.
const LISTED: usize = 3;

/// Show, change, copy and move taught parts
#[derive(Args)]
#[command(after_help = "Examples:
  eyear part list                                List the parts in this folder
  eyear part show biscuit --picture biscuit.png  Show what was taught, and where it looks
  eyear part set biscuit --overkill 0.005        Reject at most 0.5 % of the good ones
  eyear part export biscuit biscuit.eyear        Write the part to one file
  eyear part import biscuit.eyear                Bring it to this machine")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show what a part was taught from, its limit and its model
    Show(ShowArguments),
    /// List the parts in a folder
    List {
        /// Folder that holds the parts
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// One JSON object for each part
        #[arg(long)]
        json: bool,
    },
    /// Change a part without teaching it again; `eyear teach PART --undo` takes it back
    Set {
        /// Folder of the part
        part: PathBuf,
        /// Share of good parts that may be rejected
        #[arg(long, value_name = "SHARE", required = true)]
        overkill: f64,
    },
    /// Move a part to another folder, by whose name it then goes
    Rename {
        /// Folder of the part
        part: PathBuf,
        /// Its new folder
        to: PathBuf,
    },
    /// Copy a part to another folder, by whose name the copy goes
    Copy {
        /// Folder of the part
        part: PathBuf,
        /// Folder of the copy
        to: PathBuf,
    },
    /// Write a part to one file, to carry it to another machine
    Export {
        /// Folder of the part
        part: PathBuf,
        /// The file [default: the folder's name with `.eyear`, here]
        file: Option<PathBuf>,
    },
    /// Bring a part from a file that `export` wrote
    Import {
        /// The file
        file: PathBuf,
        /// Folder of the part [default: the file's name without `.eyear`, here]
        part: Option<PathBuf>,
    },
}

/// Arguments of `show`.
#[derive(Args)]
struct ShowArguments {
    /// Folder of the part
    part: PathBuf,
    /// Write the first good sample as PNG; what is not inspected is hatched
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// List all good samples
    #[arg(long)]
    samples: bool,
    /// One JSON object
    #[arg(long, conflicts_with = "samples")]
    json: bool,
}

/// A part as a program reads it.
#[derive(Serialize)]
struct Line<'a> {
    part: String,
    name: &'a str,
    digest: &'a str,
    overkill: f64,
    senses: Vec<SenseLine<'a>>,
}

/// What was taught to one sense.
#[derive(Serialize)]
struct SenseLine<'a> {
    sense: &'static str,
    kind: &'static str,
    /// How many good samples.
    good: usize,
    samples: &'a [String],
    /// Score at which a sample fails; `None` where nothing was held out.
    limit: Option<f32>,
    /// How many good samples calibrated it.
    held_out: usize,
    /// The smallest p-value that they support.
    supports: f64,
    /// Patches in memory, all levels together.
    entries: usize,
    /// Share of the picture that is inspected.
    inspected: f64,
    model: String,
    model_digest: &'a str,
    precision: &'static str,
    /// Height and width.
    input: [usize; 2],
}

impl<'a> Line<'a> {
    fn of(part: &Path, taught: &'a Taught) -> Self {
        Self {
            part: part.display().to_string(),
            name: taught.name(),
            digest: taught.digest(),
            overkill: taught.parts()[0].card.overkill,
            senses: taught.parts().iter().map(SenseLine::of).collect(),
        }
    }
}

impl<'a> SenseLine<'a> {
    fn of(part: &'a Part) -> Self {
        let Part { card, judgement, held_out, learned, samples, ignored, .. } = part;
        let limit = judgement.calibration.limit(card.overkill);
        let seen = ignored.iter().filter(|ignored| **ignored == 0).count();
        Self {
            sense: card.kind.sense().as_str(),
            kind: card.kind.as_str(),
            good: card.good,
            samples: &samples.names,
            limit: limit.is_finite().then_some(limit),
            held_out: held_out.len(),
            supports: judgement.calibration.proven(),
            entries: learned.levels.iter().map(|level| level.bank.nrows()).sum(),
            inspected: if ignored.is_empty() { 1.0 } else { seen as f64 / ignored.len() as f64 },
            model: format!("{} {}", card.model.name, card.model.version),
            model_digest: &card.model.digest,
            precision: card.model.precision.as_str(),
            input: card.model.input,
        }
    }

    /// What people read of it, a line each.
    fn lines(&self, overkill: f64, all_samples: bool) -> Vec<String> {
        let Self { sense, kind, good, samples, held_out, supports, entries, inspected, .. } = self;
        let limit = self.limit.map_or("none".into(), |limit| format!("{limit:.2}"));
        let [height, width] = self.input;
        let kind = if kind == sense { String::new() } else { format!(", {kind}") };
        let mut lines = vec![format!("{sense}{kind}: {good} good samples")];
        let listed = if all_samples { samples.len() } else { LISTED };
        lines.extend(samples.iter().take(listed).map(|name| format!("  sample     {}", shown(name))));
        match samples.len().saturating_sub(listed) {
            0 => {}
            more => lines.push(format!("             and {more} more (--samples lists all)")),
        }
        lines.push(format!(
            "  limit      score {limit} ({held_out} held-out samples support p ≥ {supports:.3}, the limit is p = {overkill})"
        ));
        if *inspected < 1.0 {
            lines.push(format!("  inspected  {:.0} % of the image; the rest is masked", 100.0 * inspected));
        }
        lines.push(format!("  memory     {entries} entries"));
        lines.push(format!("  model      {}, {}, input {width} x {height}", self.model, self.precision));
        lines
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    match &arguments.command {
        Command::Show(arguments) => show(arguments),
        Command::List { folder, json } => list(folder, *json),
        Command::Set { part, overkill } => set(part, *overkill),
        Command::Rename { part, to } => done(&parts::rename(part, to, &waits(part))?, to, "renamed"),
        Command::Copy { part, to } => done(&parts::copy(part, to)?, to, "copied"),
        Command::Export { part, file } => {
            let file = file.clone().map_or_else(|| name_of(part, "eyear"), Ok)?;
            let taught = parts::export(part, &file)?;
            done(&taught, &file, "exported")
        }
        Command::Import { file, part } => {
            let part = part.clone().map_or_else(|| name_of(file, ""), Ok)?;
            let taught = parts::import(file, &part)?;
            tell_missing(&taught);
            done(&taught, &part, "imported")
        }
    }
}

fn show(arguments: &ShowArguments) -> Result<Outcome> {
    let taught = Taught::load(&arguments.part)?;
    let line = Line::of(&arguments.part, &taught);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
    } else {
        writeln!(out, "{}: rejects at most {} % of good parts", shown(line.name), 100.0 * line.overkill)?;
        let lines = line.senses.iter().flat_map(|sense| sense.lines(line.overkill, arguments.samples));
        lines.into_iter().try_for_each(|line| writeln!(out, "  {line}"))?;
        writeln!(out, "  digest {}", line.digest)?;
    }
    if let Some(file) = &arguments.picture {
        let Some((part, view)) = taught.parts().iter().find_map(|part| Some((part, part.samples.view.as_ref()?)))
        else {
            bail!("{}: no picture was kept when this part was taught: teach it again", arguments.part.display());
        };
        let png = picture(part, view)?.png()?;
        fs::write(file, png).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(Outcome::Good)
}

/// The first good sample at the shape of the samples; what is not inspected is hatched.
fn picture(part: &Part, view: &View) -> Result<Picture> {
    let View { pixels, width, height } = view;
    let picture = Picture { pixels: pixels.clone(), width: *width, height: *height };
    let taught = &part.card.picture;
    let size = eyear::show::picture::fit([taught.width[1], taught.height[1]], PICTURE_SIDE);
    let mut picture = picture.resized(size)?;
    if let Some(ignored) = Ignored::new(&part.ignored, part.card.model.input, Affine::IDENTITY) {
        draw::hatch(&mut picture, &ignored);
    }
    Ok(picture)
}

fn list(folder: &Path, json: bool) -> Result<Outcome> {
    let found = parts::list(folder)?;
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Good;
    if found.is_empty() {
        complain(&format!("note: no part in {}", folder.display()));
    }
    for (path, taught) in &found {
        match taught {
            Ok(taught) if json => writeln!(out, "{}", serde_json::to_string(&Line::of(path, taught))?)?,
            Ok(taught) => {
                let Line { name, overkill, senses, .. } = Line::of(path, taught);
                let (good, samples) = (senses[0].good, taught.samples());
                let (name, folder) = (shown(name), shown(&path.display().to_string()));
                writeln!(out, "{folder}: {name}, {good} good {samples}, rejects at most {} %", 100.0 * overkill)?;
            }
            Err(error) => {
                complain(&format!("error: {}", error.chain()));
                outcome = Outcome::Incomplete;
            }
        }
    }
    Ok(outcome)
}

fn set(part: &Path, overkill: f64) -> Result<Outcome> {
    let before = Taught::load(part)?;
    let limits = |taught: &Taught| {
        let of = |part: &Part| format!("{:.2}", part.judgement.calibration.limit(part.card.overkill));
        taught.parts().iter().map(of).collect::<Vec<_>>().join(" and ")
    };
    let taught = parts::set_overkill(part, overkill, &waits(part))?;
    let (was, share) = (before.parts()[0].card.overkill, 100.0 * overkill);
    writeln!(
        std::io::stdout().lock(),
        "{}: rejects at most {share} % of good parts, before {} %; limit {}, before {}",
        shown(taught.name()),
        100.0 * was,
        limits(&taught),
        limits(&before)
    )?;
    Ok(Outcome::Good)
}

fn done(taught: &Taught, to: &Path, what: &str) -> Result<Outcome> {
    let (name, to) = (shown(taught.name()), shown(&to.display().to_string()));
    writeln!(std::io::stdout().lock(), "{name}: {what} to {to}, digest {}", taught.digest())?;
    Ok(Outcome::Good)
}

/// Tells which packages a part needs and this machine does not have.
fn tell_missing(taught: &Taught) {
    for model in taught.parts().iter().map(|part| &part.card.model) {
        let is_here = |manifest: &Manifest| manifest.digest() == model.digest;
        if !Manifest::find(&model.name).as_ref().is_ok_and(is_here) {
            let (name, version, digest) = (&model.name, &model.version, &model.digest);
            complain(&format!(
                "note: the part needs model package {name} {version} (digest {digest}), which is not installed"
            ));
        }
    }
}

fn waits(part: &Path) -> impl Fn() {
    let part = part.display().to_string();
    move || complain(&format!("note: another process teaches {}: waiting until it is done", shown(&part)))
}

/// The last name of `path` with another ending, in the current folder.
fn name_of(path: &Path, ending: &str) -> Result<PathBuf> {
    match path.file_name() {
        Some(name) => Ok(Path::new(name).with_extension(ending)),
        None => bail!("{} has no name: give the name of what is written", path.display()),
    }
}
