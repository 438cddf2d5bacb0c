//! `eyear teach`: good pictures → a part.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::inspect::Ear;
use eyear::manifest::{Manifest, Precision, Sense};
use eyear::memory::part::{Kind, Part};
use eyear::prepare::bearing::Bearing;
use eyear::sample::{Frame, PixelFormat};
use eyear::source::recording;
use eyear::teach::{self, Lesson, Wishes};

use super::{ModelArguments, Outcome, complain, progress_bar};

/// Teach a part from good pictures or sounds
#[derive(Args)]
pub struct Arguments {
    /// Folder of the part
    part: PathBuf,
    /// Good pictures, or good sounds: files or folders
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
    /// Precision of the encoder
    #[arg(long, default_value = "int8", conflicts_with = "add")]
    precision: Precision,
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
        Part::undo(dir)?;
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "{}: the last teaching was taken back, {} good pictures",
            dir.display(),
            Part::load(dir)?.card.good
        )?;
        return Ok(Outcome::Good);
    }
    if !(arguments.overkill > 0.0 && arguments.overkill < 1.0) {
        bail!("--overkill wants a share between 0 and 1, got {}", arguments.overkill);
    }
    let (sense, paths) = listed(&arguments.good)?;
    let manifest = arguments.model.manifest(sense)?;
    if sense == Sense::Image && arguments.bearing.is_some() {
        bail!("--bearing is for sounds, and --good names pictures");
    }
    let (part, lesson) = match (arguments.add, sense) {
        (true, _) => add(arguments, &manifest, sense, &paths)?,
        (false, Sense::Image) => anew(arguments, &manifest, &paths)?,
        (false, Sense::Audio) => from_sounds(arguments, &manifest, &paths)?,
    };
    tell(dir, &part, &lesson)?;
    Ok(if lesson.skipped.is_empty() { Outcome::Good } else { Outcome::Incomplete })
}

/// The good pictures that are meant, or, where there is none, the good sounds.
fn listed(good: &[PathBuf]) -> Result<(Sense, Vec<PathBuf>)> {
    let files = recording::list(good, |path| recording::is_picture(path) || recording::sound::is_sound(path))?;
    let (sounds, pictures): (Vec<PathBuf>, Vec<PathBuf>) =
        files.into_iter().partition(|path| recording::sound::is_sound(path));
    match (sounds.len(), pictures.len()) {
        (1.., 1..) => {
            bail!("--good names {} sounds and {} pictures: teach a part from one kind", sounds.len(), pictures.len())
        }
        (1.., 0) => Ok((Sense::Audio, sounds)),
        _ => Ok((Sense::Image, pictures)),
    }
}

fn from_sounds(arguments: &Arguments, manifest: &Manifest, paths: &[PathBuf]) -> Result<(Part, Lesson)> {
    if arguments.kind.is_some() || arguments.mask.is_some() || arguments.roi.is_some() || arguments.input.is_some() {
        bail!("--kind, --mask, --roi and --input are for pictures, and --good names sounds");
    }
    let bearing = arguments.bearing.as_deref().map(bearing).transpose()?;
    let (name, overkill) = (name(arguments), arguments.overkill);
    let wishes = Wishes { name, overkill, kind: Some(Kind::Sound), mask: None };
    let (backend, options) = (arguments.model.backend(), arguments.model.options());
    let mut ear = Ear::open(manifest, arguments.precision, backend, options)?;
    let bar = progress_bar("teaching")?;
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let (mut part, lesson) =
        teach::teach_sounds(&mut ear, manifest, &wishes, paths, &recording::sound::read, &progress)?;
    bar.finish_and_clear();
    part.card.bearing = bearing;
    part.save(&arguments.part)?;
    Ok((part, lesson))
}

/// The bearing that a file describes.
fn bearing(path: &Path) -> Result<Bearing> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok(Bearing::parse(&text, &name.to_string())?)
}

fn name(arguments: &Arguments) -> String {
    arguments.part.file_name().map_or("part".into(), |name| name.to_string_lossy().into_owned())
}

fn anew(arguments: &Arguments, manifest: &Manifest, paths: &[PathBuf]) -> Result<(Part, Lesson)> {
    let name = name(arguments);
    let mask = mask(arguments, paths)?;
    let wishes = Wishes { name, overkill: arguments.overkill, kind: arguments.kind, mask };
    let mut eye = arguments.model.eye(manifest, arguments.precision, arguments.input)?;
    let bar = progress_bar("teaching")?;
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let (mut part, lesson) = teach::teach(&mut eye, manifest, &wishes, paths, &recording::read, &progress)?;
    bar.finish_and_clear();
    part.save(&arguments.part)?;
    Ok((part, lesson))
}

/// The picture whose dark pixels are ignored: the mask's own and what lies outside the region of interest.
fn mask(arguments: &Arguments, paths: &[PathBuf]) -> Result<Option<Frame>> {
    let mask = arguments.mask.as_deref().map(recording::read).transpose()?;
    let Some([x, y, width, height]) = arguments.roi else { return Ok(mask) };
    let like = match (&mask, paths.iter().find_map(|path| recording::read(path).ok())) {
        (Some(mask), _) => [mask.width(), mask.height()],
        (None, Some(picture)) => [picture.width(), picture.height()],
        (None, None) => bail!("none of {} good pictures can be read", paths.len()),
    };
    if x + width > like[0] || y + height > like[1] {
        bail!("--roi {x},{y},{width},{height} leaves the picture, which has {} x {} pixels", like[0], like[1]);
    }
    let looked_at = |i: usize| {
        let (column, row) = (i % like[0], i / like[0]);
        let inside = (x..x + width).contains(&column) && (y..y + height).contains(&row);
        inside && mask.as_ref().is_none_or(|mask| mask.rgb(column, row)[0] >= 128)
    };
    let pixels: Vec<u8> = (0..like[0] * like[1]).map(|i| if looked_at(i) { 255 } else { 0 }).collect();
    Ok(Some(Frame::new(pixels, PixelFormat::Grey8, like[0], like[1])?))
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

fn add(arguments: &Arguments, manifest: &Manifest, sense: Sense, paths: &[PathBuf]) -> Result<(Part, Lesson)> {
    let mut part = Part::load(&arguments.part)?;
    let taught = part.card.kind.sense();
    if taught != sense {
        let (dir, taught, given) = (arguments.part.display(), taught.samples(), sense.samples());
        bail!("{dir} was taught from {taught}, and --good names {given}");
    }
    if part.card.model.digest != manifest.digest() {
        let taught = &part.card.model;
        bail!("{} was taught with {} {}: teach it anew", arguments.part.display(), taught.name, taught.version);
    }
    let (precision, input) = (part.card.model.precision, part.card.model.input);
    let bar = progress_bar("adding")?;
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let lesson = match sense {
        Sense::Image => {
            let mut eye = arguments.model.eye(manifest, precision, Some(input))?;
            teach::add(&mut eye, &mut part, paths, &recording::read, &progress)?
        }
        Sense::Audio => {
            let (backend, options) = (arguments.model.backend(), arguments.model.options());
            let mut ear = Ear::open(manifest, precision, backend, options)?;
            teach::add_sounds(&mut ear, &mut part, paths, &recording::sound::read, &progress)?
        }
    };
    bar.finish_and_clear();
    part.save(&arguments.part)?;
    Ok((part, lesson))
}

fn tell(dir: &Path, part: &Part, lesson: &Lesson) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (path, reason) in &lesson.skipped {
        complain(&format!("skipped: {}", if reason.is_empty() { path.display().to_string() } else { reason.clone() }));
    }
    let card = &part.card;
    let samples = card.kind.sense().samples();
    writeln!(
        out,
        "{}: taught from {} good {samples}; bank of {} cells; rejects at most {} % of good parts",
        dir.display(),
        card.good,
        part.learned.levels.iter().map(|level| level.bank.nrows()).sum::<usize>(),
        100.0 * card.overkill
    )?;
    if !lesson.why.is_empty() {
        writeln!(out, "  looked at as {}: {}", card.kind.as_str(), lesson.why)?;
    }
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
    match (lesson.sufficiency.more, lesson.sufficiency.sort) {
        (0, _) => writeln!(out, "  enough good {samples}: new ones look like those seen")?,
        (more, "") => writeln!(out, "  {more} more good {samples} would help")?,
        (more, sort) => writeln!(out, "  {more} more good {samples} would help, {sort}")?,
    }
    for (path, p) in lesson.suspects.iter().take(5) {
        writeln!(out, "  look at {}: unlike the other good {samples} (p = {p:.4})", path.display())?;
    }
    if lesson.suspects.len() > 5 {
        writeln!(out, "  and {} more like it", lesson.suspects.len() - 5)?;
    }
    Ok(())
}
