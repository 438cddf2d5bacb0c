//! Files of good samples → a part in its folder: which samples are meant, what they are taught by, and who may write meanwhile.
//! Teaching itself is left to `teach`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::setup::{Packages, Setup, of_sense, settings};
use crate::board::Provider;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::kymograph;
use crate::manifest::{Manifest, Precision, Sense};
use crate::memory::folder::Lock;
use crate::memory::pair::Taught;
use crate::memory::part::{Kind, Part};
use crate::prepare::bearing::Bearing;
use crate::sample::{Frame, PixelFormat};
use crate::source::recording::{self, Others};
use crate::teach::{self, Lesson, Readers, Wishes};

const READERS: Readers<'static> = Readers { picture: &recording::read, sound: &recording::sound::read_sample };

/// Teaches a part: see [`teach`](super::teach).
#[must_use = "nothing is taught until it is run"]
pub struct Teaching<'a> {
    part: PathBuf,
    good: Vec<PathBuf>,
    add: bool,
    overkill: f64,
    kind: Option<Kind>,
    mask: Option<PathBuf>,
    roi: Option<[usize; 4]>,
    bearing: Option<PathBuf>,
    precision: Option<Precision>,
    input: Option<[usize; 2]>,
    setup: Setup,
    progress: &'a dyn Fn(usize, usize),
}

/// A part, and what was noticed while each of its senses was taught.
pub type Lessons = (Taught, Vec<Lesson>);

impl<'a> Teaching<'a> {
    pub(super) fn new(part: &Path) -> Self {
        Self {
            part: part.to_path_buf(),
            good: Vec::new(),
            add: false,
            overkill: 0.01,
            kind: None,
            mask: None,
            roi: None,
            bearing: None,
            precision: None,
            input: None,
            setup: Setup::default(),
            progress: &|_, _| (),
        }
    }

    settings!();

    /// From these good samples: files, or folders that hold them. Pictures, sounds or clips; or folders that hold a picture
    /// `cam0` and a sound `mic0` of a part each.
    pub fn good<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.good.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Adds to what was taught, instead of teaching anew. What the part was taught by stays: of all else here, packages,
    /// processors and progress alone can be said with it.
    pub fn add(mut self) -> Self {
        self.add = true;
        self
    }

    /// Rejects at most this share of good parts, between 0 and 1; 0.01 where nothing is said.
    pub fn overkill(mut self, share: f64) -> Self {
        self.overkill = share;
        self
    }

    /// How a part is looked at; it is tried and told where nothing is said.
    pub fn kind(mut self, kind: Option<Kind>) -> Self {
        self.kind = kind;
        self
    }

    /// Does not look at what is dark in this picture.
    pub fn mask(mut self, picture: Option<PathBuf>) -> Self {
        self.mask = picture;
        self
    }

    /// Looks at this rectangle alone: column and row of its corner, width and height in pixels of the good pictures.
    pub fn roi(mut self, rectangle: Option<[usize; 4]>) -> Self {
        self.roi = rectangle;
        self
    }

    /// Names what beats at a rate of the bearing that this TOML file describes.
    pub fn bearing(mut self, file: Option<PathBuf>) -> Self {
        self.bearing = file;
        self
    }

    /// Precision of the encoders; the board's, or the package's usual one, where nothing is said.
    pub fn precision(mut self, precision: Option<Precision>) -> Self {
        self.precision = precision;
        self
    }

    /// Height and width in pixels that pictures are brought to; the model's own where nothing is said.
    pub fn input(mut self, size: Option<[usize; 2]>) -> Self {
        self.input = size;
        self
    }

    /// Hears how many steps of how many are done.
    pub fn progress(mut self, hear: &'a dyn Fn(usize, usize)) -> Self {
        self.progress = hear;
        self
    }

    /// Teaches, and writes the part to its folder; the one before stays as one step back. Where another teaches the same part,
    /// `notes` hear of it and this waits.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when what is said does not go together; [`ErrorKind::Input`] when no good sample can be read;
    /// [`ErrorKind::Unavailable`] when a package or the runtime is missing; [`ErrorKind::Io`] when the part cannot be written.
    /// What was in the folder is then untouched.
    pub fn run(self) -> Result<Lessons> {
        if !(self.overkill > 0.0 && self.overkill < 1.0) {
            return Err(wrong(format!("`overkill` must be a share between 0 and 1, got {}", self.overkill)));
        }
        let (good, others) = Good::list(&self.good)?;
        self.check(&good)?;
        if !others.is_empty() {
            (self.setup.notes)(&format!("not used: {others}"));
        }
        if self.add {
            return self.add_to(&good);
        }
        let (mut taught, lessons) = self.anew(&good)?;
        taught.save(&Lock::take(&self.part, &self.waits())?)?;
        Ok((taught, lessons))
    }

    /// Whether what is said is for what is given.
    fn check(&self, good: &Good) -> Result<()> {
        let of_pictures = self.kind.is_some() || self.mask.is_some() || self.roi.is_some() || self.input.is_some();
        let samples = good.as_str();
        match good {
            Good::Pictures(_) | Good::Clips(_) if self.bearing.is_some() => {
                Err(wrong(format!("`bearing` is for sounds, and the good samples are {samples}")))
            }
            Good::Sounds(_) | Good::Clips(_) if of_pictures => Err(wrong(format!(
                "`kind`, `mask`, `roi` and `input` are for pictures, and the good samples are {samples}"
            ))),
            _ => Ok(()),
        }
    }

    fn waits(&self) -> impl Fn() {
        let (notes, part) = (Arc::clone(&self.setup.notes), self.part.display().to_string());
        move || notes(&format!("another process teaches {part}: waiting until it is done"))
    }

    fn precision_of(&self, manifest: &Manifest, sense: Sense) -> Result<Precision> {
        match (self.precision, self.setup.board()?) {
            (Some(named), _) => Ok(named),
            (None, Some(board)) => Ok(board.precision),
            (None, None) => Ok(manifest.encoder(sense)?.usual()),
        }
    }

    fn anew(&self, good: &Good) -> Result<Lessons> {
        let Self { setup, progress, .. } = self;
        let packages = setup.usual(good.senses())?;
        let package = |sense| {
            let manifest = of_sense(&packages, sense)?;
            Ok::<_, Error>((manifest, self.precision_of(manifest, sense)?))
        };
        let name = self.part.file_name().map_or("part".into(), |name| name.to_string_lossy().into_owned());
        let bearing = self.bearing.as_deref().map(bearing).transpose()?;
        let mask = self.mask_of(good)?;
        let wishes = Wishes { name, overkill: self.overkill, kind: self.kind, mask, groups: Vec::new() };
        match good {
            Good::Pictures(paths) => {
                let (manifest, precision) = package(Sense::Image)?;
                let mut eye = setup.eye(Sense::Image, manifest, precision, self.input)?;
                let (part, lesson) = teach::teach(&mut eye, manifest, &wishes, paths, &recording::read, progress)?;
                Ok(one(part, lesson))
            }
            Good::Sounds(paths) => {
                let (manifest, precision) = package(Sense::Sound)?;
                let wishes = Wishes { kind: Some(Kind::Sound), ..wishes };
                let mut ear = setup.ear(manifest, precision)?;
                let read = &recording::sound::read_sample;
                let (mut part, lesson) = teach::teach_sounds(&mut ear, manifest, &wishes, paths, read, progress)?;
                part.card.bearing = bearing;
                Ok(one(part, lesson))
            }
            Good::Clips(paths) => {
                let (manifest, precision) = package(Sense::Clip)?;
                let wishes = Wishes { kind: Some(Kind::Clip), ..wishes };
                let mut eye = setup.eye(Sense::Clip, manifest, precision, None)?;
                let by = (&mut eye, &mut kymograph(manifest)?);
                let read = &recording::clip::read;
                let (part, lesson) = teach::teach_clips(by, manifest, &wishes, paths, read, progress)?;
                Ok(one(part, lesson))
            }
            Good::Pairs(files) => {
                let (of_sight, seen) = package(Sense::Image)?;
                let (of_hearing, heard) = package(Sense::Sound)?;
                let mut eye = setup.eye(Sense::Image, of_sight, seen, self.input)?;
                let mut ear = setup.ear(of_hearing, heard)?;
                let manifests = [of_sight, of_hearing];
                let by = (&mut eye, &mut ear);
                let (mut pair, lessons) = teach::teach_pairs(by, manifests, &wishes, files, &READERS, progress)?;
                pair.hearing.card.bearing = bearing;
                Ok((Taught::Both(Box::new(pair)), lessons.into()))
            }
        }
    }

    /// From reading to writing nobody else may change the part: what they add meanwhile would be lost.
    fn add_to(&self, good: &Good) -> Result<Lessons> {
        let stays = [
            ("kind", self.kind.is_some()),
            ("mask", self.mask.is_some()),
            ("roi", self.roi.is_some()),
            ("bearing", self.bearing.is_some()),
            ("precision", self.precision.is_some()),
            ("input", self.input.is_some()),
        ];
        if let Some((said, _)) = stays.into_iter().find(|(_, is_said)| *is_said) {
            return Err(wrong(format!("`{said}` of a part stays as it was taught: leave it out to add to the part")));
        }
        let lock = Lock::of(&self.part, &self.waits())?;
        let taught = Taught::load(&self.part)?;
        if samples_of(&taught) != good.as_str() {
            let (part, was, given) = (self.part.display(), samples_of(&taught), good.as_str());
            return Err(wrong(format!("{part} was taught from {was}, and the good samples are {given}")));
        }
        let packages = self.setup.of_part(&taught, &self.part)?;
        let (mut taught, lessons) = self.added(taught, good, &packages)?;
        taught.save(&lock)?;
        Ok((taught, lessons))
    }

    fn added(&self, taught: Taught, good: &Good, packages: &Packages) -> Result<Lessons> {
        let Self { setup, progress, .. } = self;
        match (taught, good) {
            (Taught::Both(pair), Good::Pairs(files)) => {
                let (seen, heard) = (&pair.sight.card.model, &pair.hearing.card.model);
                let of_sight = of_sense(packages, Sense::Image)?;
                let mut eye = setup.eye(Sense::Image, of_sight, seen.precision, Some(seen.input))?;
                let mut ear = setup.ear(of_sense(packages, Sense::Sound)?, heard.precision)?;
                let (pair, lessons) = teach::add_pairs((&mut eye, &mut ear), *pair, files, &READERS, progress)?;
                Ok((Taught::Both(Box::new(pair)), lessons.into()))
            }
            (Taught::One(mut part), Good::Pictures(paths)) => {
                let (manifest, model) = (of_sense(packages, Sense::Image)?, &part.card.model);
                let mut eye = setup.eye(Sense::Image, manifest, model.precision, Some(model.input))?;
                let lesson = teach::add(&mut eye, &mut part, paths, &recording::read, progress)?;
                Ok(one(*part, lesson))
            }
            (Taught::One(mut part), Good::Sounds(paths)) => {
                let mut ear = setup.ear(of_sense(packages, Sense::Sound)?, part.card.model.precision)?;
                let lesson = teach::add_sounds(&mut ear, &mut part, paths, &recording::sound::read_sample, progress)?;
                Ok(one(*part, lesson))
            }
            (Taught::One(mut part), Good::Clips(paths)) => {
                let manifest = of_sense(packages, Sense::Clip)?;
                let mut eye = setup.eye(Sense::Clip, manifest, part.card.model.precision, None)?;
                let by = (&mut eye, &mut kymograph(manifest)?);
                let lesson = teach::add_clips(by, &mut part, paths, &recording::clip::read, progress)?;
                Ok(one(*part, lesson))
            }
            (taught, _) => Err(wrong(format!("a part of {} cannot take {}", samples_of(&taught), good.as_str()))),
        }
    }

    /// The picture whose dark pixels are ignored: the mask's own and what lies outside the region of interest.
    fn mask_of(&self, good: &Good) -> Result<Option<Frame>> {
        let mask = self.mask.as_deref().map(recording::read_mask).transpose()?;
        let Some([x, y, width, height]) = self.roi else { return Ok(mask) };
        let Some(picture) = good.pictures().find_map(|path| recording::read(path).ok()) else {
            let what = format!("none of {} good pictures can be read", good.pictures().count());
            return Err(Error::new(ErrorKind::Input, what));
        };
        let like = [picture.width(), picture.height()];
        if let Some(mask) = &mask {
            teach::fits(mask, like)?;
        }
        let fits = |from: usize, span: usize, of: usize| from.checked_add(span).is_some_and(|end| end <= of);
        if !fits(x, width, like[0]) || !fits(y, height, like[1]) {
            let [columns, rows] = like;
            return Err(wrong(format!(
                "`roi` {x},{y},{width},{height} leaves the picture, which has {columns} x {rows} pixels"
            )));
        }
        let looked_at = |i: usize| {
            let (column, row) = (i % like[0], i / like[0]);
            let inside = (x..x + width).contains(&column) && (y..y + height).contains(&row);
            let at = |mask: &Frame| [column * mask.width() / like[0], row * mask.height() / like[1]];
            let bright = |mask: &Frame| {
                let [x, y] = at(mask);
                mask.rgb(x, y)[0] >= 128
            };
            inside && mask.as_ref().is_none_or(bright)
        };
        let pixels: Vec<u8> = (0..like[0] * like[1]).map(|i| if looked_at(i) { 255 } else { 0 }).collect();
        Ok(Some(Frame::new(pixels, PixelFormat::Grey8, like[0], like[1])?))
    }
}

/// The good samples that are meant.
enum Good {
    Pictures(Vec<PathBuf>),
    Sounds(Vec<PathBuf>),
    Clips(Vec<PathBuf>),
    /// A picture and a sound of each part.
    Pairs(Vec<[PathBuf; 2]>),
}

impl Good {
    /// Folders that hold a picture and a sound of one part each; else pictures, or, where there is none, sounds or clips. Also
    /// what is not used.
    fn list(good: &[PathBuf]) -> Result<(Self, Others)> {
        let all = recording::listed(good, |path| recording::is_picture(path) || is_other(path))?;
        let folders = recording::pairs(good)?;
        let mut others = all.others;
        if !folders.is_empty() {
            if let Some(file) = good.iter().find(|path| !path.is_dir()) {
                return Err(wrong(format!(
                    "the good samples are folders that hold cam0 and mic0 of a part each, and beside them {}: give folders of \
                     parts alone",
                    file.display()
                )));
            }
            let files: Vec<[PathBuf; 2]> =
                folders.iter().map(|folder| recording::both(folder)).collect::<Result<_>>()?;
            let used: BTreeSet<&PathBuf> = files.iter().flatten().collect();
            all.files.iter().filter(|file| !used.contains(file)).for_each(|file| others.count(file));
            return Ok((Self::Pairs(files), others));
        }
        let (more, pictures): (Vec<PathBuf>, Vec<PathBuf>) = all.files.into_iter().partition(|path| is_other(path));
        let (clips, sounds): (Vec<PathBuf>, Vec<PathBuf>) =
            more.into_iter().partition(|path| recording::clip::is_clip(path));
        match (clips.len(), sounds.len(), pictures.len()) {
            (0, sounds @ 1.., pictures @ 1..) => Err(wrong(format!(
                "the good samples are {sounds} sounds and {pictures} pictures: teach a part from one kind, or from a folder for each \
                 part that holds cam0 and mic0"
            ))),
            (clips @ 1.., sounds, pictures) if sounds + pictures > 0 => Err(wrong(format!(
                "the good samples are {clips} clips beside {sounds} sounds and {pictures} pictures: a part of clips is taught from \
                 these alone"
            ))),
            (1.., ..) => Ok((Self::Clips(clips), others)),
            (0, 1.., _) => Ok((Self::Sounds(sounds), others)),
            _ => Ok((Self::Pictures(pictures), others)),
        }
    }

    const fn as_str(&self) -> &'static str {
        match self {
            Self::Pictures(_) => "pictures",
            Self::Sounds(_) => "sounds",
            Self::Clips(_) => "clips",
            Self::Pairs(_) => PAIRS,
        }
    }

    const fn senses(&self) -> &'static [Sense] {
        match self {
            Self::Pictures(_) => &[Sense::Image],
            Self::Sounds(_) => &[Sense::Sound],
            Self::Clips(_) => &[Sense::Clip],
            Self::Pairs(_) => &[Sense::Image, Sense::Sound],
        }
    }

    fn pictures(&self) -> impl Iterator<Item = &PathBuf> {
        let (alone, paired): (&[PathBuf], &[[PathBuf; 2]]) = match self {
            Self::Pictures(paths) => (paths, &[]),
            Self::Pairs(files) => (&[], files),
            Self::Sounds(_) | Self::Clips(_) => (&[], &[]),
        };
        alone.iter().chain(paired.iter().map(|[picture, _]| picture))
    }
}

/// Whether a file is a sound or a clip.
fn is_other(path: &Path) -> bool {
    recording::sound::is_sound(path) || recording::clip::is_clip(path)
}

const PAIRS: &str = "pictures with sounds";

/// What a part was taught from, for people.
pub fn samples_of(taught: &Taught) -> &'static str {
    match taught {
        Taught::One(part) => part.card.kind.sense().samples(),
        Taught::Both(_) => PAIRS,
    }
}

fn one(part: Part, lesson: Lesson) -> Lessons {
    (Taught::One(Box::new(part)), vec![lesson])
}

/// The bearing that a file describes.
fn bearing(path: &Path) -> Result<Bearing> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    Bearing::parse(&text, &path.display().to_string())
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Config, what)
}
