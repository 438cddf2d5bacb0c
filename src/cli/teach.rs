//! `eyear teach`: good pictures, sounds or clips → a part.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::inspect::kymograph;
use eyear::manifest::{Manifest, Precision, Sense};
use eyear::memory::pair::Taught;
use eyear::memory::part::{Kind, Part};
use eyear::prepare::bearing::Bearing;
use eyear::sample::{Frame, PixelFormat};
use eyear::source::recording::{self, Others};
use eyear::teach::{self, Lesson, Readers, Wishes};

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
        Taught::undo(dir)?;
        let mut out = std::io::stdout().lock();
        let taught = Taught::load(dir)?;
        let good = taught.parts()[0].card.good;
        let name = shown(&dir.display().to_string());
        writeln!(out, "{name}: the last teaching was taken back, {good} good {}", samples(&taught))?;
        return Ok(Outcome::Good);
    }
    if !(arguments.overkill > 0.0 && arguments.overkill < 1.0) {
        bail!("--overkill wants a share between 0 and 1, got {}", arguments.overkill);
    }
    let bar = progress_bar(if arguments.add { "adding" } else { "teaching" })?;
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let (meant, others) = listed(&arguments.good)?;
    if matches!(meant, Meant::Pictures(_) | Meant::Clips(_)) && arguments.bearing.is_some() {
        bail!("--bearing is for sounds, and --good names {}", meant.as_str());
    }
    let (taught, lessons) = match (arguments.add, &meant) {
        (true, _) => add(arguments, &meant, &progress)?,
        (false, Meant::Pictures(paths)) => anew(arguments, paths, &progress)?,
        (false, Meant::Sounds(paths)) => from_sounds(arguments, paths, &progress)?,
        (false, Meant::Clips(paths)) => from_clips(arguments, paths, &progress)?,
        (false, Meant::Pairs(pairs)) => from_pairs(arguments, pairs, &progress)?,
    };
    bar.finish_and_clear();
    super::tell_others(&others);
    tell(dir, &taught, &lessons)?;
    let whole = lessons.iter().all(|lesson| lesson.skipped.is_empty());
    Ok(if whole { Outcome::Good } else { Outcome::Incomplete })
}

/// The good samples that are meant.
enum Meant {
    Pictures(Vec<PathBuf>),
    Sounds(Vec<PathBuf>),
    Clips(Vec<PathBuf>),
    /// A picture and a sound of each part.
    Pairs(Vec<[PathBuf; 2]>),
}

impl Meant {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Pictures(_) => "pictures",
            Self::Sounds(_) => "sounds",
            Self::Clips(_) => "clips",
            Self::Pairs(_) => "pictures with sounds",
        }
    }
}

/// What a part was taught from, for people.
const fn samples(taught: &Taught) -> &'static str {
    match taught {
        Taught::One(part) => part.card.kind.sense().samples(),
        Taught::Both(_) => "pictures with sounds",
    }
}

/// Folders that hold a picture and a sound of one part each; else pictures, or, where there is none, sounds or clips. Also what is
/// not used.
fn listed(good: &[PathBuf]) -> Result<(Meant, Others)> {
    let all = recording::listed(good, |path| Sense::ALL.iter().any(|of| super::is_sample(*of)(path)))?;
    let folders = recording::pairs(good)?;
    let mut others = all.others;
    if !folders.is_empty() {
        if let Some(file) = good.iter().find(|path| !path.is_dir()) {
            let what = "--good names folders that hold cam0 and mic0 of a part each, and beside them";
            bail!("{what} {}: give folders of parts alone", file.display());
        }
        let files: Vec<[PathBuf; 2]> =
            folders.iter().map(|folder| recording::both(folder)).collect::<eyear::Result<_>>()?;
        let used: BTreeSet<&PathBuf> = files.iter().flatten().collect();
        all.files.iter().filter(|file| !used.contains(file)).for_each(|file| others.count(file));
        return Ok((Meant::Pairs(files), others));
    }
    let is_other = |path: &Path| recording::sound::is_sound(path) || recording::clip::is_clip(path);
    let (more, pictures): (Vec<PathBuf>, Vec<PathBuf>) = all.files.into_iter().partition(|path| is_other(path));
    let (clips, sounds): (Vec<PathBuf>, Vec<PathBuf>) =
        more.into_iter().partition(|path| recording::clip::is_clip(path));
    match (clips.len(), sounds.len(), pictures.len()) {
        (0, 1.., 1..) => bail!(
            "--good names {} sounds and {} pictures: teach a part from one kind, or from a folder for each part that holds \
             cam0 and mic0",
            sounds.len(),
            pictures.len()
        ),
        (1.., sounded, seen) if sounded + seen > 0 => bail!(
            "--good names {} clips beside {} sounds and {} pictures: a part of clips is taught from these alone",
            clips.len(),
            sounds.len(),
            pictures.len()
        ),
        (1.., ..) => Ok((Meant::Clips(clips), others)),
        (0, 1.., _) => Ok((Meant::Sounds(sounds), others)),
        _ => Ok((Meant::Pictures(pictures), others)),
    }
}

type Lessons = Vec<Lesson>;

const READERS: Readers<'static> = Readers { picture: &recording::read, sound: &recording::sound::read_sample };

fn from_pairs(
    arguments: &Arguments,
    pairs: &[[PathBuf; 2]],
    progress: &dyn Fn(usize, usize),
) -> Result<(Taught, Lessons)> {
    let pictures: Vec<PathBuf> = pairs.iter().map(|[picture, _]| picture.clone()).collect();
    let mask = mask(arguments, &pictures)?;
    let bearing = arguments.bearing.as_deref().map(bearing).transpose()?;
    let wishes =
        Wishes { name: name(arguments), overkill: arguments.overkill, kind: arguments.kind, mask, groups: Vec::new() };
    let [of_sight, of_hearing] = both_manifests(arguments)?;
    let mut eye = arguments.model.eye(&of_sight, arguments.precision(&of_sight, Sense::Image)?, arguments.input)?;
    let mut ear = arguments.model.ear(&of_hearing, arguments.precision(&of_hearing, Sense::Sound)?)?;
    let manifests = [&of_sight, &of_hearing];
    let (mut pair, lessons) = teach::teach_pairs((&mut eye, &mut ear), manifests, &wishes, pairs, &READERS, progress)?;
    pair.hearing.card.bearing = bearing;
    pair.save(&arguments.part)?;
    Ok((Taught::Both(Box::new(pair)), lessons.into()))
}

fn both_manifests(arguments: &Arguments) -> Result<[Manifest; 2]> {
    Ok([arguments.model.manifest_of_both(Sense::Image)?, arguments.model.manifest_of_both(Sense::Sound)?])
}

fn from_sounds(arguments: &Arguments, paths: &[PathBuf], progress: &dyn Fn(usize, usize)) -> Result<(Taught, Lessons)> {
    if arguments.kind.is_some() || arguments.mask.is_some() || arguments.roi.is_some() || arguments.input.is_some() {
        bail!("--kind, --mask, --roi and --input are for pictures, and --good names sounds");
    }
    let bearing = arguments.bearing.as_deref().map(bearing).transpose()?;
    let (name, overkill) = (name(arguments), arguments.overkill);
    let wishes = Wishes { name, overkill, kind: Some(Kind::Sound), mask: None, groups: Vec::new() };
    let manifest = arguments.model.manifest(Sense::Sound)?;
    let mut ear = arguments.model.ear(&manifest, arguments.precision(&manifest, Sense::Sound)?)?;
    let (mut part, lesson) =
        teach::teach_sounds(&mut ear, &manifest, &wishes, paths, &recording::sound::read_sample, progress)?;
    part.card.bearing = bearing;
    part.save(&arguments.part)?;
    Ok((Taught::One(Box::new(part)), vec![lesson]))
}

fn from_clips(arguments: &Arguments, paths: &[PathBuf], progress: &dyn Fn(usize, usize)) -> Result<(Taught, Lessons)> {
    if arguments.kind.is_some() || arguments.mask.is_some() || arguments.roi.is_some() || arguments.input.is_some() {
        bail!("--kind, --mask, --roi and --input are for pictures, and --good names clips");
    }
    let (name, overkill) = (name(arguments), arguments.overkill);
    let wishes = Wishes { name, overkill, kind: Some(Kind::Clip), mask: None, groups: Vec::new() };
    let manifest = arguments.model.manifest(Sense::Clip)?;
    let mut eye = arguments.model.eye_of(Sense::Clip, &manifest, arguments.precision(&manifest, Sense::Clip)?)?;
    let by = (&mut eye, &mut kymograph(&manifest)?);
    let (mut part, lesson) = teach::teach_clips(by, &manifest, &wishes, paths, &recording::clip::read, progress)?;
    part.save(&arguments.part)?;
    Ok((Taught::One(Box::new(part)), vec![lesson]))
}

/// The bearing that a file describes.
fn bearing(path: &Path) -> Result<Bearing> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok(Bearing::parse(&text, &name.to_string())?)
}

impl Arguments {
    fn precision(&self, manifest: &Manifest, sense: Sense) -> Result<Precision> {
        match (self.precision, self.model.board()?) {
            (Some(named), _) => Ok(named),
            (None, Some(board)) => Ok(board.precision),
            (None, None) => Ok(manifest.encoder(sense)?.usual()),
        }
    }
}

fn name(arguments: &Arguments) -> String {
    arguments.part.file_name().map_or("part".into(), |name| name.to_string_lossy().into_owned())
}

fn anew(arguments: &Arguments, paths: &[PathBuf], progress: &dyn Fn(usize, usize)) -> Result<(Taught, Lessons)> {
    let name = name(arguments);
    let manifest = arguments.model.manifest(Sense::Image)?;
    let mask = mask(arguments, paths)?;
    let wishes = Wishes { name, overkill: arguments.overkill, kind: arguments.kind, mask, groups: Vec::new() };
    let mut eye = arguments.model.eye(&manifest, arguments.precision(&manifest, Sense::Image)?, arguments.input)?;
    let (mut part, lesson) = teach::teach(&mut eye, &manifest, &wishes, paths, &recording::read, progress)?;
    part.save(&arguments.part)?;
    Ok((Taught::One(Box::new(part)), vec![lesson]))
}

/// The picture whose dark pixels are ignored: the mask's own and what lies outside the region of interest.
fn mask(arguments: &Arguments, paths: &[PathBuf]) -> Result<Option<Frame>> {
    let mask = arguments.mask.as_deref().map(recording::read_mask).transpose()?;
    let Some([x, y, width, height]) = arguments.roi else { return Ok(mask) };
    let Some(picture) = paths.iter().find_map(|path| recording::read(path).ok()) else {
        bail!("none of {} good pictures can be read", paths.len())
    };
    let like = [picture.width(), picture.height()];
    if let Some(mask) = &mask {
        teach::fits(mask, like)?;
    }
    if x + width > like[0] || y + height > like[1] {
        bail!("--roi {x},{y},{width},{height} leaves the picture, which has {} x {} pixels", like[0], like[1]);
    }
    let looked_at = |i: usize| {
        let (column, row) = (i % like[0], i / like[0]);
        let inside = (x..x + width).contains(&column) && (y..y + height).contains(&row);
        let bright = |mask: &Frame| mask.rgb(column * mask.width() / like[0], row * mask.height() / like[1])[0] >= 128;
        inside && mask.as_ref().is_none_or(bright)
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

fn add(arguments: &Arguments, meant: &Meant, progress: &dyn Fn(usize, usize)) -> Result<(Taught, Lessons)> {
    let dir = &arguments.part;
    let wrong = |taught: &Taught| {
        let (was, given) = (samples(taught), meant.as_str());
        anyhow::anyhow!("{} was taught from {was}, and --good names {given}", dir.display())
    };
    match (Taught::load(dir)?, meant) {
        (Taught::Both(pair), Meant::Pairs(files)) => {
            let [of_sight, of_hearing] = both_manifests(arguments)?;
            same_model(dir, &pair.sight, &of_sight)?;
            same_model(dir, &pair.hearing, &of_hearing)?;
            let (model, heard) = (&pair.sight.card.model, &pair.hearing.card.model);
            let mut eye = arguments.model.eye(&of_sight, model.precision, Some(model.input))?;
            let mut ear = arguments.model.ear(&of_hearing, heard.precision)?;
            let (mut pair, lessons) = teach::add_pairs((&mut eye, &mut ear), *pair, files, &READERS, progress)?;
            pair.save(dir)?;
            Ok((Taught::Both(Box::new(pair)), lessons.into()))
        }
        (Taught::One(mut part), Meant::Pictures(paths)) if part.card.kind.sense() == Sense::Image => {
            let manifest = arguments.model.manifest(Sense::Image)?;
            same_model(dir, &part, &manifest)?;
            let (precision, input) = (part.card.model.precision, part.card.model.input);
            let mut eye = arguments.model.eye(&manifest, precision, Some(input))?;
            let lesson = teach::add(&mut eye, &mut part, paths, &recording::read, progress)?;
            part.save(dir)?;
            Ok((Taught::One(part), vec![lesson]))
        }
        (Taught::One(mut part), Meant::Sounds(paths)) if part.card.kind.sense() == Sense::Sound => {
            let manifest = arguments.model.manifest(Sense::Sound)?;
            same_model(dir, &part, &manifest)?;
            let mut ear = arguments.model.ear(&manifest, part.card.model.precision)?;
            let lesson = teach::add_sounds(&mut ear, &mut part, paths, &recording::sound::read_sample, progress)?;
            part.save(dir)?;
            Ok((Taught::One(part), vec![lesson]))
        }
        (Taught::One(mut part), Meant::Clips(paths)) if part.card.kind.sense() == Sense::Clip => {
            let manifest = arguments.model.manifest(Sense::Clip)?;
            same_model(dir, &part, &manifest)?;
            let mut eye = arguments.model.eye_of(Sense::Clip, &manifest, part.card.model.precision)?;
            let by = (&mut eye, &mut kymograph(&manifest)?);
            let lesson = teach::add_clips(by, &mut part, paths, &recording::clip::read, progress)?;
            part.save(dir)?;
            Ok((Taught::One(part), vec![lesson]))
        }
        (taught, _) => Err(wrong(&taught)),
    }
}

fn same_model(dir: &Path, part: &Part, manifest: &Manifest) -> Result<()> {
    let taught = &part.card.model;
    if taught.digest != manifest.digest() {
        bail!("{} was taught with {} {}: teach it anew", dir.display(), taught.name, taught.version);
    }
    Ok(())
}

fn tell(dir: &Path, taught: &Taught, lessons: &[Lesson]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (path, reason) in lessons.iter().flat_map(|lesson| &lesson.skipped) {
        complain(&format!("skipped: {}", if reason.is_empty() { path.display().to_string() } else { reason.clone() }));
    }
    for (part, lesson) in taught.parts().into_iter().zip(lessons) {
        tell_one(&mut out, dir, part, lesson)?;
    }
    if let Taught::Both(pair) = taught {
        match &pair.bond {
            Some(bond) => writeln!(
                out,
                "  picture and sound belong together: a good one's own sound suits it better than another's in {:.0} % of \
                 trials",
                100.0 * bond.power
            )?,
            None => writeln!(out, "  picture and sound of a good part are no more alike than those of two")?,
        }
    }
    Ok(())
}

fn tell_one(out: &mut impl std::io::Write, dir: &Path, part: &Part, lesson: &Lesson) -> Result<()> {
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
    if !lesson.why.is_empty() {
        writeln!(out, "  looked at as {}: {}", card.kind.as_str(), lesson.why)?;
    }
    if let [(copy, original), rest @ ..] = &lesson.copies[..] {
        let more = if rest.is_empty() { String::new() } else { format!(", and {} more copies", rest.len()) };
        let of =
            if copy == original { "what was taught already".into() } else { shown(&original.display().to_string()) };
        writeln!(
            out,
            "  copies teach nothing and are left out: {} is the same as {of}{more}",
            shown(&copy.display().to_string())
        )?;
    }
    lesson.notes.iter().try_for_each(|note| writeln!(out, "  {}", shown(note)))?;
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
        let path = shown(&path.display().to_string());
        writeln!(out, "  look at {path}: unlike the other good {samples} (p = {p:.4})")?;
    }
    if lesson.suspects.len() > 5 {
        writeln!(out, "  and {} more like it", lesson.suspects.len() - 5)?;
    }
    Ok(())
}
