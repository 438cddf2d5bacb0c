//! Files of good samples → a part in its folder: selects the samples, the teachers, and locks the folder. `teach` does
//! the teaching.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::setup::{Setup, of_sense, settings};
use crate::board::Provider;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::folder::Lock;
use crate::memory::pair::Taught;
use crate::memory::part::Kind;
use crate::package::manifest::{Manifest, Precision, Sense};
use crate::prepare::bearing::Bearing;
use crate::sample::{Frame, PixelFormat};
use crate::source::recording::{self, Others};
use crate::teach::{self, GoodSamples, TeachConfig, TeachReport};

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

/// A taught part, with the report of each sense.
pub type Reported = (Taught, Vec<TeachReport>);

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

    /// Good samples: files, or folders that hold them. These are images, sounds or clips; or folders that each hold an
    /// image `cam0` and a sound `mic0` of one part.
    pub fn good<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.good.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Adds to the taught part, instead of starting from scratch. The part's settings stay: only packages, processors
    /// and progress can be set with this.
    pub fn add(mut self) -> Self {
        self.add = true;
        self
    }

    /// Rejects at most this share of good parts, between 0 and 1; default 0.01.
    pub fn overkill(mut self, share: f64) -> Self {
        self.overkill = share;
        self
    }

    /// Alignment mode; by default the best one is found and reported.
    pub fn kind(mut self, kind: Option<Kind>) -> Self {
        self.kind = kind;
        self
    }

    /// Ignores what is dark in this image.
    pub fn mask(mut self, picture: Option<PathBuf>) -> Self {
        self.mask = picture;
        self
    }

    /// Region of interest: column and row of its corner, width and height, in pixels of the good images. The rest is
    /// ignored.
    pub fn roi(mut self, rectangle: Option<[usize; 4]>) -> Self {
        self.roi = rectangle;
        self
    }

    /// Names sounds that repeat at a rate of the bearing that this TOML file describes.
    pub fn bearing(mut self, file: Option<PathBuf>) -> Self {
        self.bearing = file;
        self
    }

    /// Precision of the encoders; by default the board's, or the package's usual one.
    pub fn precision(mut self, precision: Option<Precision>) -> Self {
        self.precision = precision;
        self
    }

    /// Height and width in pixels to which images are resized; by default the model's own.
    pub fn input(mut self, size: Option<[usize; 2]>) -> Self {
        self.input = size;
        self
    }

    /// Receives the number of finished steps and of all steps.
    pub fn progress(mut self, hear: &'a dyn Fn(usize, usize)) -> Self {
        self.progress = hear;
        self
    }

    /// Teaches, and writes the part to its folder. The last version is kept as one step back. If another process is
    /// teaching the same part, a notice is given and this waits.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when settings contradict each other; [`ErrorKind::Input`] when no good sample can be read;
    /// [`ErrorKind::Unavailable`] when a package or the runtime is missing; [`ErrorKind::Io`] when the part cannot be
    /// written. The folder is then unchanged.
    pub fn run(self) -> Result<Reported> {
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
        let (mut taught, reports) = self.anew(&good)?;
        taught.save(&Lock::take(&self.part, &self.waits())?)?;
        Ok((taught, reports))
    }

    /// Checks that the settings fit the samples.
    fn check(&self, good: &Good) -> Result<()> {
        let of_pictures = self.kind.is_some() || self.mask.is_some() || self.roi.is_some() || self.input.is_some();
        let (samples, has) = (good.samples(), |sense| good.senses.contains(&sense));
        if self.bearing.is_some() && !has(Sense::Sound) {
            return Err(wrong(format!("`bearing` is for sounds, and the good samples are {samples}")));
        }
        if of_pictures && !has(Sense::Image) {
            let what =
                format!("`kind`, `mask`, `roi` and `input` are for pictures, and the good samples are {samples}");
            return Err(wrong(what));
        }
        Ok(())
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

    fn anew(&self, good: &Good) -> Result<Reported> {
        let packages = self.setup.usual(&good.senses)?;
        let name = self.part.file_name().map_or("part".into(), |name| name.to_string_lossy().into_owned());
        let bearing = self.bearing.as_deref().map(bearing).transpose()?;
        let mask = self.mask_of(good)?;
        let config = TeachConfig { name, overkill: self.overkill, kind: self.kind, mask, bearing };
        let mut teachers = Vec::new();
        for &sense in &good.senses {
            let manifest = of_sense(&packages, sense)?;
            let mut teacher = self.setup.teacher(sense, manifest, self.precision_of(manifest, sense)?)?;
            if let Some(input) = self.input.filter(|_| sense == Sense::Image) {
                teacher.resize(input)?;
            }
            teachers.push(teacher);
        }
        let samples = GoodSamples::new(&good.names, &recording::moment);
        teach::teach(&mut teachers, &config, samples, self.progress)
    }

    /// The lock is held from reading to writing. Otherwise, what another process adds meanwhile would be lost.
    fn add_to(&self, good: &Good) -> Result<Reported> {
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
        let (was, given) = (taught.samples(), good.samples());
        if was != given {
            let part = self.part.display();
            return Err(wrong(format!("{part} was taught from {was}, and the good samples are {given}")));
        }
        let packages = self.setup.of_part(&taught, &self.part)?;
        let mut teachers = Vec::new();
        for (&sense, part) in good.senses.iter().zip(taught.parts()) {
            let manifest = of_sense(&packages, sense)?;
            teachers.push(self.setup.teacher(sense, manifest, part.card.model.precision)?);
        }
        let samples = GoodSamples::new(&good.names, &recording::moment);
        let (mut taught, reports) = teach::add(&mut teachers, taught, samples, self.progress)?;
        taught.save(&lock)?;
        Ok((taught, reports))
    }

    /// The mask image, whose dark pixels are ignored: the given mask and everything outside the region of interest.
    fn mask_of(&self, good: &Good) -> Result<Option<Frame>> {
        let mask = self.mask.as_deref().map(recording::read_mask).transpose()?;
        let Some([x, y, width, height]) = self.roi else { return Ok(mask) };
        let Some(picture) = good.first_picture() else {
            let what = format!("none of {} good pictures can be read", good.names.len());
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

/// The good samples: files, or folders with one file per sense.
struct Good {
    senses: Vec<Sense>,
    names: Vec<PathBuf>,
}

impl Good {
    fn of(sense: Sense, names: Vec<PathBuf>) -> Self {
        Self { senses: vec![sense], names }
    }

    /// Folders that hold an image and a sound of one part each; else images; else sounds or clips. Also returns the
    /// unused files.
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
            return Ok((Self { senses: vec![Sense::Image, Sense::Sound], names: folders }, others));
        }
        let (more, pictures): (Vec<PathBuf>, Vec<PathBuf>) = all.files.into_iter().partition(|path| is_other(path));
        let (clips, sounds): (Vec<PathBuf>, Vec<PathBuf>) = more.into_iter().partition(|path| recording::is_clip(path));
        match (clips.len(), sounds.len(), pictures.len()) {
            (0, sounds @ 1.., pictures @ 1..) => Err(wrong(format!(
                "the good samples are {sounds} sounds and {pictures} pictures: teach a part from one kind, or from a folder for each \
                 part that holds cam0 and mic0"
            ))),
            (clips @ 1.., sounds, pictures) if sounds + pictures > 0 => Err(wrong(format!(
                "the good samples are {clips} clips beside {sounds} sounds and {pictures} pictures: a part of clips is taught from \
                 these alone"
            ))),
            (1.., ..) => Ok((Self::of(Sense::Clip, clips), others)),
            (0, 1.., _) => Ok((Self::of(Sense::Sound, sounds), others)),
            _ => Ok((Self::of(Sense::Image, pictures), others)),
        }
    }

    /// Their kind, in words.
    fn samples(&self) -> String {
        self.senses.iter().map(|sense| sense.samples()).collect::<Vec<_>>().join(" with ")
    }

    /// The first readable image.
    fn first_picture(&self) -> Option<Frame> {
        self.names.iter().find_map(|name| recording::moment(name, Sense::Image).ok()?.frame)
    }
}

/// Whether a file is a sound or a clip.
fn is_other(path: &Path) -> bool {
    recording::is_sound(path) || recording::is_clip(path)
}

/// The bearing that a file describes.
fn bearing(path: &Path) -> Result<Bearing> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    Bearing::parse(&text, &path.display().to_string())
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Config, what)
}
