//! `eyear teach`: good pictures, sounds or clips → a part.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::manifest::{Manifest, Precision, Sense};
use eyear::memory::pair::Taught;
use eyear::memory::part::{Kind, Part};
use eyear::prepare::bearing::Bearing;
use eyear::sample::{Frame, PixelFormat};
use eyear::source::recording;
use eyear::teach::{self, GoodSamples, TeachConfig, TeachReport};

use super::{ModelArguments, Outcome, complain, progress_bar};

/// Teach a part from good pictures, sounds or both, or from clips
#[derive(Args)]
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
        let (good, samples) = (taught.parts()[0].card.good, taught.samples());
        writeln!(out, "{}: the last teaching was taken back, {good} good {samples}", dir.display())?;
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
    let good = GoodFiles::listed(&arguments.good)?;
    let samples = GoodSamples::new(&good.names, &recording::moment);
    let (mut taught, reports) = match arguments.add {
        true => add(arguments, &good, samples, &progress)?,
        false => anew(arguments, &good, samples, &progress)?,
    };
    taught.save(dir)?;
    bar.finish_and_clear();
    tell(dir, &taught, &reports)?;
    let whole = reports.iter().all(|report| report.skipped.is_empty());
    Ok(if whole { Outcome::Good } else { Outcome::Incomplete })
}

/// The good samples that are meant: files, or folders that hold one for each sense.
struct GoodFiles {
    senses: Vec<Sense>,
    names: Vec<PathBuf>,
}

impl GoodFiles {
    /// Folders that hold a picture and a sound of one part each; else pictures, or, where there is none, sounds or clips.
    fn listed(good: &[PathBuf]) -> Result<Self> {
        let folders = recording::pairs(good)?;
        if !folders.is_empty() {
            folders.iter().try_for_each(|folder| recording::both(folder).map(drop))?;
            return Ok(Self { senses: vec![Sense::Image, Sense::Audio], names: folders });
        }
        let files = recording::list(good, |path| Sense::ALL.iter().any(|of| super::is_sample(*of)(path)))?;
        // A file that is named is a picture where its ending tells of nothing else.
        let of = |path: &Path| [Sense::Clip, Sense::Audio].into_iter().find(|sense| super::is_sample(*sense)(path));
        let count = |sense| files.iter().filter(|path| of(path).unwrap_or(Sense::Image) == sense).count();
        let [pictures, sounds, clips] = Sense::ALL.map(count);
        if clips > 0 && sounds + pictures > 0 {
            bail!(
                "--good names {clips} clips beside {sounds} sounds and {pictures} pictures: a part of clips is taught from \
                 these alone"
            );
        }
        if sounds > 0 && pictures > 0 {
            bail!(
                "--good names {sounds} sounds and {pictures} pictures: teach a part from one kind, or from a folder for \
                 each part that holds cam0 and mic0"
            );
        }
        let sense = files.first().and_then(|path| of(path)).unwrap_or(Sense::Image);
        Ok(Self { senses: vec![sense], names: files })
    }

    /// What they are, for people.
    fn samples(&self) -> String {
        self.senses.iter().map(|sense| sense.samples()).collect::<Vec<_>>().join(" with ")
    }

    /// Refuses flags that are for other samples.
    fn check(&self, arguments: &Arguments) -> Result<()> {
        let Arguments { kind, mask, roi, input, bearing, .. } = arguments;
        let of_pictures = kind.is_some() || mask.is_some() || roi.is_some() || input.is_some();
        let samples = self.samples();
        if of_pictures && !self.senses.contains(&Sense::Image) {
            bail!("--kind, --mask, --roi and --input are for pictures, and --good names {samples}");
        }
        if bearing.is_some() && !self.senses.contains(&Sense::Audio) {
            bail!("--bearing is for sounds, and --good names {samples}");
        }
        Ok(())
    }
}

type Reported = (Taught, Vec<TeachReport>);

fn anew(
    arguments: &Arguments,
    good: &GoodFiles,
    samples: GoodSamples,
    progress: &dyn Fn(usize, usize),
) -> Result<Reported> {
    good.check(arguments)?;
    let config = TeachConfig {
        name: arguments.part.file_name().map_or("part".into(), |name| name.to_string_lossy().into_owned()),
        overkill: arguments.overkill,
        kind: arguments.kind,
        mask: mask(arguments, &good.names)?,
        bearing: arguments.bearing.as_deref().map(bearing).transpose()?,
    };
    let mut teachers = Vec::new();
    for &sense in &good.senses {
        let manifest = arguments.model.manifest_of(sense, good.senses.len())?;
        let mut teacher = arguments.model.teacher(sense, &manifest, arguments.precision(&manifest, sense)?)?;
        if let Some(input) = arguments.input.filter(|_| sense == Sense::Image) {
            teacher.resize(input)?;
        }
        teachers.push(teacher);
    }
    Ok(teach::teach(&mut teachers, &config, samples, progress)?)
}

fn add(
    arguments: &Arguments,
    good: &GoodFiles,
    samples: GoodSamples,
    progress: &dyn Fn(usize, usize),
) -> Result<Reported> {
    let (dir, taught) = (&arguments.part, Taught::load(&arguments.part)?);
    let (was, given) = (taught.samples(), good.samples());
    if was != given {
        bail!("{} was taught from {was}, and --good names {given}", dir.display());
    }
    let mut teachers = Vec::new();
    for (&sense, part) in good.senses.iter().zip(taught.parts()) {
        let manifest = arguments.model.manifest_of(sense, good.senses.len())?;
        same_model(dir, part, &manifest)?;
        teachers.push(arguments.model.teacher(sense, &manifest, part.card.model.precision)?);
    }
    Ok(teach::add(&mut teachers, taught, samples, progress)?)
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

/// The picture whose dark pixels are ignored: the mask's own and what lies outside the region of interest.
fn mask(arguments: &Arguments, paths: &[PathBuf]) -> Result<Option<Frame>> {
    let mask = arguments.mask.as_deref().map(recording::read).transpose()?;
    let Some([x, y, width, height]) = arguments.roi else { return Ok(mask) };
    let like = match (&mask, paths.iter().find_map(|path| recording::moment(path, Sense::Image).ok()?.frame)) {
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

fn same_model(dir: &Path, part: &Part, manifest: &Manifest) -> Result<()> {
    let taught = &part.card.model;
    if taught.digest != manifest.digest() {
        bail!("{} was taught with {} {}: teach it anew", dir.display(), taught.name, taught.version);
    }
    Ok(())
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
        dir.display(),
        card.good,
        part.learned.levels.iter().map(|level| level.bank.nrows()).sum::<usize>(),
        100.0 * card.overkill
    )?;
    if !report.why.is_empty() {
        writeln!(out, "  looked at as {}: {}", card.kind.as_str(), report.why)?;
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
    match (report.sufficiency.more, report.sufficiency.sort) {
        (0, _) => writeln!(out, "  enough good {samples}: new ones look like those seen")?,
        (more, "") => writeln!(out, "  {more} more good {samples} would help")?,
        (more, sort) => writeln!(out, "  {more} more good {samples} would help, {sort}")?,
    }
    for (path, p) in report.suspects.iter().take(5) {
        writeln!(out, "  look at {}: unlike the other good {samples} (p = {p:.4})", path.display())?;
    }
    if report.suspects.len() > 5 {
        writeln!(out, "  and {} more like it", report.suspects.len() - 5)?;
    }
    Ok(())
}
