//! `eyear teach`: good pictures, sounds or clips → a part.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use eyear::memory::pair::Taught;
use eyear::memory::part::{Kind, Part};
use eyear::open;
use eyear::package::manifest::Precision;
use eyear::teach::TeachReport;

use super::table::shown;
use super::{ModelArguments, Outcome, complain, progress_bar};

/// Teach a part from good pictures, sounds or both, or from clips
#[derive(Args)]
#[command(after_help = "Examples:
  eyear teach biscuit --good good/                  Teach from a folder of good pictures
  eyear teach biscuit --good good/ --overkill 0.02  Reject at most 2 % of the good ones
  eyear teach biscuit --add --good more/            Teach more of them
  eyear teach biscuit --undo                        Take the last teaching back
  eyear teach pump --good hum/                      Sounds: WAV or FLAC")]
pub struct Arguments {
    /// Folder of the part
    part: PathBuf,
    /// Good pictures, good sounds or good clips: files or folders; or folders that hold a picture cam0 and a sound mic0 of a part each
    #[arg(long, num_args = 1.., value_name = "PATH", required_unless_present = "undo")]
    good: Vec<PathBuf>,
    /// Add to what the part was taught, instead of teaching it anew
    #[arg(long)]
    add: bool,
    /// Take the last teaching back
    #[arg(long, conflicts_with_all = ["good", "add", "overkill", "kind", "mask", "roi", "bearing", "precision", "input"])]
    undo: bool,
    /// Share of good parts that may be rejected
    #[arg(long, default_value_t = 0.01, value_name = "SHARE", conflicts_with = "add")]
    overkill: f64,
    /// How the part is looked at: texture, framed, aligned, golden [default: tries and tells]
    #[arg(long, conflicts_with = "add")]
    kind: Option<Kind>,
    /// Picture whose dark pixels are not to be looked at
    #[arg(long, value_name = "FILE", conflicts_with = "add")]
    mask: Option<PathBuf>,
    /// Look only at this rectangle, in pixels of the good pictures
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", conflicts_with = "add", value_parser = rectangle)]
    roi: Option<[usize; 4]>,
    /// TOML file with the bearing that is heard (shaft_hz or rpm, balls, ball_mm, pitch_mm, contact_deg): what beats at
    /// one of its rates is named
    #[arg(long, value_name = "FILE", conflicts_with = "add")]
    bearing: Option<PathBuf>,
    /// Precision of the encoder [default: the board's where one is named, else int8, or the package's first where it has no int8]
    #[arg(long, conflicts_with = "add")]
    precision: Option<Precision>,
    /// Pixels that a picture is brought to, in multiples of 32; smaller defects want more [default: the model's own]
    #[arg(long, value_name = "HEIGHTxWIDTH", conflicts_with = "add", value_parser = super::input_size)]
    input: Option<[usize; 2]>,
    #[command(flatten)]
    model: ModelArguments,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let dir = &arguments.part;
    if arguments.undo {
        let waits = || complain(&format!("note: another process teaches {}: waiting until it is done", dir.display()));
        let taught = open::undo(dir, &waits)?;
        let good = taught.parts()[0].card.good;
        let (samples, name) = (taught.samples(), shown(&dir.display().to_string()));
        writeln!(std::io::stdout().lock(), "{name}: the last teaching was taken back, {good} good {samples}")?;
        return Ok(Outcome::Good);
    }
    let bar = progress_bar(if arguments.add { "adding" } else { "teaching" })?;
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let teaching = open::teach(dir).setup(arguments.model.setup()).good(&arguments.good).progress(&progress);
    let teaching = match arguments.add {
        true => teaching.add(),
        false => teaching
            .overkill(arguments.overkill)
            .kind(arguments.kind)
            .mask(arguments.mask.clone())
            .roi(arguments.roi)
            .bearing(arguments.bearing.clone())
            .precision(arguments.precision)
            .input(arguments.input),
    };
    let (taught, reports) = teaching.run()?;
    bar.finish_and_clear();
    tell(dir, &taught, &reports)?;
    let whole = reports.iter().all(|report| report.skipped.is_empty());
    Ok(if whole { Outcome::Good } else { Outcome::Incomplete })
}

/// `X,Y,WIDTH,HEIGHT` with a width and height over nought.
fn rectangle(text: &str) -> Result<[usize; 4], String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x, y, width, height]) if width > 0 && height > 0 && x < 1 << 20 && y < 1 << 20 => {
            Ok([x, y, width.min(1 << 20), height.min(1 << 20)])
        }
        _ => Err("wants X,Y,WIDTH,HEIGHT in pixels, such as 40,0,200,180".into()),
    }
}

fn tell(dir: &Path, taught: &Taught, reports: &[TeachReport]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (path, reason) in reports.iter().flat_map(|report| &report.skipped) {
        complain(&format!("skipped: {}", if reason.is_empty() { path.display().to_string() } else { reason.clone() }));
    }
    for (part, report) in taught.parts().iter().zip(reports) {
        tell_one(&mut out, dir, part, report)?;
    }
    match taught.joint().map(|joint| joint.bond.as_ref()) {
        Some(Some(bond)) => writeln!(
            out,
            "  picture and sound belong together: a good one's own sound suits it better than another's in {:.0} % of trials",
            100.0 * bond.power
        )?,
        Some(None) => writeln!(out, "  picture and sound of a good part are no more alike than those of two")?,
        None => {}
    }
    Ok(())
}

fn tell_one(out: &mut impl std::io::Write, dir: &Path, part: &Part, report: &TeachReport) -> Result<()> {
    let card = &part.card;
    let samples = card.kind.sense().samples();
    writeln!(
        out,
        "{}: taught from {} good {samples}; bank of {} cells; rejects at most {} % of good parts",
        shown(&dir.display().to_string()),
        card.good,
        part.learned.levels.iter().map(|level| level.bank.nrows()).sum::<usize>(),
        100.0 * card.overkill
    )?;
    if !report.why.is_empty() {
        writeln!(out, "  looked at as {}: {}", card.kind.as_str(), report.why)?;
    }
    if let [(copy, original), rest @ ..] = &report.copies[..] {
        let more = if rest.is_empty() { String::new() } else { format!(", and {} more copies", rest.len()) };
        let of =
            if copy == original { "what was taught already".into() } else { shown(&original.display().to_string()) };
        writeln!(
            out,
            "  copies teach nothing and are left out: {} is the same as {of}{more}",
            shown(&copy.display().to_string())
        )?;
    }
    report.notes.iter().try_for_each(|note| writeln!(out, "  {}", shown(note)))?;
    let proven = part.judgement.calibration.proven();
    if proven > card.overkill {
        let needed = (1.0 / card.overkill).ceil() as usize - 1;
        writeln!(
            out,
            "  {} held-out {samples} prove p down to {proven:.3}; below that the limit is extrapolated ({needed} would prove {})",
            part.held_out.len(),
            card.overkill
        )?;
    }
    match (report.sufficiency.more, report.sufficiency.sort) {
        (0, _) => writeln!(out, "  enough good {samples}: new ones look like those seen")?,
        (more, "") => writeln!(out, "  {more} more good {samples} would help")?,
        (more, sort) => writeln!(out, "  {more} more good {samples} would help, {sort}")?,
    }
    for (path, p) in report.suspects.iter().take(5) {
        let path = shown(&path.display().to_string());
        writeln!(out, "  look at {path}: unlike the other good {samples} (p = {p:.4})")?;
    }
    if report.suspects.len() > 5 {
        writeln!(out, "  and {} more like it", report.suspects.len() - 5)?;
    }
    Ok(())
}
