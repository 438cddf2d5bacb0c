//! Good samples → a part: the second entry point of the library.
//!
//! A [`Teacher`] teaches one sense. `learn`, `add` and `course` hold what all senses share: samples become images,
//! which are encoded, kept in memory, and held out to calibrate it. `image`, `sound` and `clip` hold what is particular
//! to one sense, behind one trait. `joint` handles samples of several senses, `copies` finds duplicates.
//!
//! Good samples are read one at a time. Of each, only its summary and a share of its patches are kept. The more
//! samples, the smaller the share, so that the memory needed does not grow with their number.

mod add;
mod advice;
mod clip;
mod copies;
mod course;
mod image;
mod joint;
mod learn;
mod measure;
mod sound;
mod survey;

use std::path::{Path, PathBuf};

use crate::backend::{Backend, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Eye;
use crate::memory::learned::Good;
use crate::memory::pair::Taught;
use crate::memory::part::{Card, Envelope, HeldOut, Kind, ModelRef, Part, SenseMemory};
use crate::package::manifest::{Manifest, Precision};
use crate::prepare::bearing::Bearing;
use crate::sample::{Frame, Moment, Sense};

pub use advice::Sufficiency;
use copies::Copies;
use image::Registered;
pub use image::fits;

/// Settings of a part.
#[derive(Debug, Clone)]
pub struct TeachConfig {
    /// Name of the part.
    pub name: String,
    /// Share of good parts that may be rejected, between 0 and 1.
    pub overkill: f64,
    /// Alignment mode; `None` finds and reports the best one. Images only.
    pub kind: Option<Kind>,
    /// An image of the part whose dark pixels (under 128) are ignored. Images only.
    pub mask: Option<Frame>,
    /// The bearing, if known. Sounds only.
    pub bearing: Option<Bearing>,
}

impl TeachConfig {
    /// A part of this name that rejects at most 1 % of good parts; all other settings automatic.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), overkill: 0.01, kind: None, mask: None, bearing: None }
    }
}

/// Good samples, read one at a time, and more than once.
#[derive(Clone, Copy)]
pub struct GoodSamples<'a> {
    /// The name of each, used to read and report it: a path.
    pub names: &'a [PathBuf],
    /// A group number per sample, equal for samples cut from one recording. No memory judges a sample if it contains
    /// another one of its group. Empty if each sample is its own group.
    pub groups: &'a [usize],
    /// Reads the sample of a name, with at least what the sense needs. Other modalities are ignored.
    pub read: &'a dyn Fn(&Path, Sense) -> Result<Moment>,
}

impl<'a> GoodSamples<'a> {
    /// Good samples without groups.
    pub fn new(names: &'a [PathBuf], read: &'a dyn Fn(&Path, Sense) -> Result<Moment>) -> Self {
        Self { names, groups: &[], read }
    }

    fn len(&self) -> usize {
        self.names.len()
    }

    fn group(&self, i: usize) -> usize {
        self.groups.get(i).copied().unwrap_or(i)
    }
}

/// Findings about the good samples of one sense.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TeachReport {
    /// Why this alignment mode was chosen; empty if it was set by the user.
    pub why: String,
    /// Samples that cannot be read or taught, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// Samples that differ from the other good ones, and may be bad. With each, the share of good samples that are at
    /// least as anomalous.
    pub suspects: Vec<(PathBuf, f64)>,
    /// How many more good samples would help, and of what sort.
    pub sufficiency: Sufficiency,
    /// Duplicates: a sample and the good sample that it repeats. Nothing is learned from them. A sample that was
    /// already taught before is paired with itself.
    pub copies: Vec<(PathBuf, PathBuf)>,
    /// Weaknesses of the good samples that limit what can be judged, a sentence each.
    pub notes: Vec<String>,
}

/// Teaches one sense: its encoder, and what is particular to the sense.
pub struct Teacher {
    eye: Eye,
    /// The encoder, with the input size of the part that was taught last.
    model: ModelRef,
    sense: Box<dyn TeachSense>,
}

impl Teacher {
    /// Opens the encoder of a sense in a model package.
    ///
    /// # Errors
    /// As [`Eye::open`].
    pub fn open(
        sense: Sense,
        manifest: &Manifest,
        precision: Precision,
        backend: &dyn Backend,
        options: &Options,
    ) -> Result<Self> {
        let particular: Box<dyn TeachSense> = match sense {
            Sense::Image => Box::new(image::TeachImage::default()),
            Sense::Sound => Box::new(sound::TeachSound::open(manifest)?),
            Sense::Clip => Box::new(clip::TeachClip::open(manifest)?),
        };
        let mut eye = Eye::open(manifest, sense, precision, backend, options)?;
        let encoder = eye.encoder();
        let model = ModelRef {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: manifest.digest().to_string(),
            precision: encoder.precision(),
            input: encoder.size(),
        };
        Ok(Self { eye, model, sense: particular })
    }

    /// Sets the encoder's input to `[height, width]`, in place of the package's own.
    ///
    /// # Errors
    /// As the encoder's own resizing.
    pub fn resize(&mut self, [height, width]: [usize; 2]) -> Result<()> {
        let encoder = self.eye.encoder();
        if encoder.size() == [height, width] { Ok(()) } else { encoder.resize(height, width) }
    }

    /// The sense that it teaches.
    pub fn sense(&self) -> Sense {
        self.sense.sense()
    }

    /// What was requested of the encoder's runtime but is not available, a sentence each.
    pub fn notices(&self) -> &[String] {
        self.eye.notices()
    }
}

/// Teaches a part from good samples. `teachers` holds one teacher, or one of images and then one of sounds. `progress`
/// receives (done, total) steps. Returns a report per sense.
///
/// A sample that cannot be read or taught is noted in a report, and teaching goes on. Duplicates count once.
///
/// # Errors
/// [`ErrorKind::Input`] when no sample can be taught; when the mask's shape differs from the images'; when sounds or
/// clips differ in length, which would stretch their images differently; or when a sound is longer than its image can
/// be. [`ErrorKind::Config`] when `config` has a setting that these senses do not support; [`ErrorKind::Runtime`] when
/// the runtime fails, naming the sample.
pub fn teach(
    teachers: &mut [Teacher],
    config: &TeachConfig,
    samples: GoodSamples,
    progress: &dyn Fn(usize, usize),
) -> Result<(Taught, Vec<TeachReport>)> {
    Taught::check_senses(&teachers.iter().map(Teacher::sense).collect::<Vec<_>>())?;
    check(teachers, config)?;
    let mut parts = Vec::new();
    let reports = each(teachers, samples, progress, |teacher, samples, copies, progress| {
        let (part, report) = teacher.learn(config, samples, copies, progress)?;
        parts.push(part);
        Ok(report)
    })?;
    Ok((Taught::new(parts)?, reports))
}

/// Adds good samples to a taught part: they enter its memory. The old memory had not seen them, so their distances from
/// it calibrate the new one. The projection stays. `teachers` is as in [`teach`].
///
/// # Errors
/// As [`teach`]; [`ErrorKind::Config`] when the part was taught by other senses or another package.
pub fn add(
    teachers: &mut [Teacher],
    taught: Taught,
    samples: GoodSamples,
    progress: &dyn Fn(usize, usize),
) -> Result<(Taught, Vec<TeachReport>)> {
    let senses = taught.parts().iter().map(|part| part.card.kind.sense());
    if !senses.eq(teachers.iter().map(Teacher::sense)) {
        let (name, was, given) = (taught.name(), taught.samples(), senses_of(teachers));
        let what = format!("part `{name}` was taught from {was}, and {given} are to be added");
        return Err(Error::new(ErrorKind::Config, what));
    }
    let mut parts = taught.into_parts();
    let mut of_teacher = parts.iter_mut();
    let reports = each(teachers, samples, progress, |teacher, samples, copies, progress| match of_teacher.next() {
        Some(part) => teacher.add_to(part, samples, copies, progress),
        None => Ok(TeachReport::default()),
    })?;
    Ok((Taught::new(parts)?, reports))
}

/// Runs `one` for each sense in turn, on the samples that all of them can use.
fn each(
    teachers: &mut [Teacher],
    samples: GoodSamples,
    progress: &dyn Fn(usize, usize),
    mut one: impl FnMut(&mut Teacher, GoodSamples, &Copies, &dyn Fn(usize, usize)) -> Result<TeachReport>,
) -> Result<Vec<TeachReport>> {
    let whole = joint::Whole::of(teachers, samples)?;
    let (samples, count) = (GoodSamples { names: &whole.names, groups: &whole.groups, ..samples }, teachers.len());
    // With several senses, duplicates are found in all senses together and were left out already.
    let copies = if count > 1 { Copies::kept() } else { Copies::default() };
    let mut reports = Vec::new();
    for (k, teacher) in teachers.iter_mut().enumerate() {
        let progress = |done: usize, all: usize| progress(k * all + done, count * all);
        reports.push(one(teacher, samples, &copies, &progress)?);
    }
    if let Some(first) = reports.first_mut() {
        first.skipped.extend(whole.skipped);
        first.copies.extend(whole.copies);
    }
    Ok(reports)
}

/// Rejects settings that the senses of a part do not support.
fn check(teachers: &[Teacher], config: &TeachConfig) -> Result<()> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
    if !(config.overkill > 0.0 && config.overkill < 1.0) {
        return wrong(format!("`overkill` must be between 0 and 1, got {}", config.overkill));
    }
    let given = [
        ("kind", config.kind.is_some(), Sense::Image),
        ("mask", config.mask.is_some(), Sense::Image),
        ("bearing", config.bearing.is_some(), Sense::Sound),
    ];
    let knows = |sense: Sense| teachers.iter().any(|teacher| teacher.sense() == sense);
    if let Some((field, _, sense)) = given.into_iter().find(|(_, is_given, sense)| *is_given && !knows(*sense)) {
        return wrong(format!(
            "`{field}` is for {}, and the part is taught from {}",
            sense.samples(),
            senses_of(teachers)
        ));
    }
    match config.kind.filter(|kind| kind.sense() != Sense::Image) {
        Some(kind) => wrong(format!("`kind` is a way to align images, got {}", kind.as_str())),
        None => Ok(()),
    }
}

fn senses_of(teachers: &[Teacher]) -> String {
    teachers.iter().map(|teacher| teacher.sense().samples()).collect::<Vec<_>>().join(" with ")
}

/// All samples, and the indices of those that were used.
type Numbered<'a> = (&'a GoodSamples<'a>, &'a [usize]);

/// What is particular to teaching a sense. The order of calls: `begin` or `resume`, then `picture` for each sample,
/// then `finish` or `extend`.
trait TeachSense {
    /// Which sense it is.
    fn sense(&self) -> Sense;

    /// The reason why a sample cannot be taught, if any: it lacks the modality, or nothing can be learned from it. All
    /// senses of the part then skip the sample.
    fn cannot_be_taught(&self, moment: &Moment) -> Option<String>;

    /// The image of a sample that is encoded.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when none can be made, or nothing can be learned from it.
    fn picture(&mut self, moment: &Moment) -> Result<Frame>;

    /// Examines all samples before the first is encoded: whether they can be taught together, how they are aligned, and
    /// their overall statistics.
    fn begin(&mut self, eye: &mut Eye, config: &TeachConfig, samples: &GoodSamples) -> Result<()>;

    /// The same when samples are added to a part.
    fn resume(&mut self, part: &Part, samples: &GoodSamples) -> Result<()>;

    /// The alignment mode, chosen from the patches of good samples on these grids, with the reason.
    fn kind(&self, good: &[Good], grids: &[[usize; 2]], report: &mut TeachReport) -> Kind;

    /// Whether augmented samples are learned too.
    fn varies(&self) -> bool {
        true
    }

    /// The registration reference, if images are registered.
    fn registered(&mut self) -> Option<&mut Registered> {
        None
    }

    /// Ranges that samples must meet to be judged, beyond those of their images.
    fn envelope(&self) -> Option<Envelope> {
        None
    }

    /// Examines the image of a used sample, for [`TeachSense::notes`].
    fn notice(&mut self, _name: &Path, _picture: &Frame) -> Result<()> {
        Ok(())
    }

    /// Weaknesses of the samples that limit what can be judged, a sentence each.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Completes the card and the held-out distances of a new part, and returns what is particular to the sense.
    fn finish(&mut self, taken: Numbered, card: &mut Card, held_out: &mut [HeldOut]) -> Result<SenseMemory>;

    /// The same for a part to which samples were added; their held-out distances start at index `fresh`.
    fn extend(&mut self, taken: Numbered, part: &mut Part, fresh: usize) -> Result<()>;

    /// Reads sample `i`; one that cannot be taught is an error too.
    fn read(&self, samples: &GoodSamples, i: usize) -> Result<Moment> {
        let name = &samples.names[i];
        let moment = (samples.read)(name, self.sense())?;
        match self.cannot_be_taught(&moment) {
            Some(why) => Err(Error::new(ErrorKind::Input, format!("{}: {why}", name.display()))),
            None => Ok(moment),
        }
    }

    /// Reads the image of sample `i`.
    fn read_picture(&mut self, samples: &GoodSamples, i: usize) -> Result<Frame> {
        let moment = self.read(samples, i)?;
        self.picture(&moment).map_err(|error| named(&samples.names[i], error))
    }
}

/// Share of its length by which a sound or a clip may differ from the first.
const LENGTHS_DIFFER: f64 = 0.05;

/// Rejects a sound or a clip that is longer or shorter than the first.
fn same_length(path: &Path, has: f64, first: Option<f64>, sample: &str) -> Result<()> {
    match first.filter(|wants| (has / wants - 1.0).abs() > LENGTHS_DIFFER) {
        Some(wants) => {
            let name = path.display();
            let what =
                format!("{name} lasts {has:.2} s, the first {sample} {wants:.2} s: teach {sample}s of one length");
            Err(Error::new(ErrorKind::Input, what))
        }
        None => Ok(()),
    }
}

/// An error about a sample's contents, with the sample's name.
fn named(name: &Path, error: Error) -> Error {
    Error::caused(error.kind(), name.display().to_string(), error)
}

/// The reason for a sample without the modality that a sense needs.
fn missing(sample: &str) -> Error {
    Error::new(ErrorKind::Input, format!("no {sample}"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::OnceLock;

    use super::*;
    use crate::backend::BACKENDS;
    use crate::sample::{PixelFormat, Sound};

    fn teacher(sense: Sense, package: &str) -> Teacher {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(package);
        let (manifest, options) = (Manifest::read(&dir).unwrap(), Options::default());
        Teacher::open(sense, &manifest, Precision::Int8, BACKENDS[0], &options).unwrap()
    }

    /// A teacher of images that looks coarsely, so that little is computed.
    fn of_images() -> Teacher {
        let mut teacher = teacher(Sense::Image, "vision-lite0");
        teacher.resize([64, 64]).unwrap();
        teacher
    }

    fn names(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    /// Noise as a picture, and as half a second of sound: that of `click` is half as long, `mute` has none, `dark` has no
    /// picture, `gone` cannot be read, nothing is seen in `black` nor heard in `silent`, and `again a` shows what `a` does.
    fn read(name: &Path, _: Sense) -> Result<Moment> {
        let name = name.to_str().unwrap();
        let name = name.strip_prefix("again ").unwrap_or(name);
        if name == "gone" {
            return Err(Error::new(ErrorKind::Io, "gone: cannot read"));
        }
        let mut state = name.bytes().fold(7u32, |state, byte| state.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let mut pixels: Vec<u8> = (0..64 * 64).map(|_| draw()).collect();
        let length = if name == "click" { 4000 } else { 8000 };
        let mut samples: Vec<f32> = (0..length).map(|_| f32::from(draw()) / 255.0 - 0.5).collect();
        if name == "black" {
            pixels.fill(0);
        }
        if name == "silent" {
            samples.fill(0.0);
        }
        let frame = Frame::new(pixels, PixelFormat::Grey8, 64, 64).unwrap();
        let sound = Sound::new(samples, 16_000, 1).unwrap();
        let (frame, sound) = ((name != "dark").then_some(frame), (name != "mute").then_some(sound));
        Ok(Moment { frame, sound, ..Moment::default() })
    }

    /// A part taught from three images, once for all tests.
    fn taught() -> &'static (Taught, Vec<TeachReport>) {
        static TAUGHT: OnceLock<(Taught, Vec<TeachReport>)> = OnceLock::new();
        TAUGHT.get_or_init(|| {
            let (config, names) = (TeachConfig::new("noise"), names(&["a", "gone", "b", "dark", "c"]));
            let steps = Cell::new((0, 0));
            let progress = |done: usize, all: usize| steps.set((done, all));
            let taught = teach(&mut [of_images()], &config, GoodSamples::new(&names, &read), &progress).unwrap();
            // Each for the projection and for memory, and the three that can be read once more.
            assert_eq!(steps.get(), (13, 15));
            taught
        })
    }

    #[test]
    fn what_cannot_be_read_or_taught_is_skipped_and_named() {
        let (taught, reports) = taught();
        assert_eq!(taught.parts()[0].card.good, 3);
        let skipped = [("gone", "gone: cannot read"), ("dark", "dark: no picture")];
        let skipped = skipped.map(|(name, why)| (PathBuf::from(name), why.to_string()));
        assert_eq!(reports[0].skipped, skipped);
        let none = names(&["dark", "gone"]);
        let error = teach(&mut [of_images()], &TeachConfig::new("none"), GoodSamples::new(&none, &read), &|_, _| ());
        assert_eq!(error.unwrap_err().message(), "none of 2 good pictures can be taught: dark: no picture");
    }

    #[test]
    fn samples_are_added_to_what_was_taught() {
        let (first, _) = taught();
        let more = names(&["d", "gone", "e"]);
        let (taught, reports) =
            add(&mut [of_images()], first.clone(), GoodSamples::new(&more, &read), &|_, _| ()).unwrap();
        let [part, before] = [&taught, first].map(|taught| &taught.parts()[0]);
        assert_eq!((part.card.good, part.held_out.len(), part.summaries.nrows()), (5, 5, 5));
        assert_eq!((reports[0].skipped.len(), part.varied.nrows()), (1, before.varied.nrows() + 2));
        let error =
            add(&mut [teacher(Sense::Sound, "sound-lite0")], first.clone(), GoodSamples::new(&more, &read), &|_, _| ());
        let told = "part `noise` was taught from pictures, and sounds are to be added";
        assert_eq!(error.unwrap_err().message(), told);
    }

    #[test]
    fn a_copy_teaches_nothing_and_is_told_with_what_it_is_a_copy_of() {
        let good = names(&["a", "again a", "b"]);
        let config = TeachConfig { kind: Some(Kind::Texture), ..TeachConfig::new("noise") };
        let (taught, reports) = teach(&mut [of_images()], &config, GoodSamples::new(&good, &read), &|_, _| ()).unwrap();
        assert_eq!(taught.parts()[0].card.good, 2);
        assert_eq!(reports[0].copies, [(good[1].clone(), good[0].clone())]);
        let more = names(&["again b", "c"]);
        let (taught, reports) = add(&mut [of_images()], taught, GoodSamples::new(&more, &read), &|_, _| ()).unwrap();
        assert_eq!((taught.parts()[0].card.good, taught.parts()[0].held_out.len()), (3, 3));
        assert_eq!(reports[0].copies, [(more[0].clone(), more[0].clone())]);
        let none = add(&mut [of_images()], taught, GoodSamples::new(&more[1..], &read), &|_, _| ()).unwrap_err();
        assert_eq!(none.message(), "none of 1 good pictures can be taught: c was taught already");
    }

    #[test]
    fn a_mask_of_another_shape_than_the_images_is_refused() {
        let mask = Frame::new(vec![255u8; 64 * 32], PixelFormat::Grey8, 64, 32).ok();
        let (config, good) = (TeachConfig { mask, ..TeachConfig::new("noise") }, names(&["gone", "a"]));
        let told = teach(&mut [of_images()], &config, GoodSamples::new(&good, &read), &|_, _| ()).unwrap_err();
        assert_eq!(told.kind(), ErrorKind::Input);
        let expected = "the mask has 64 x 32 pixels, the good pictures 64 x 64: draw it on one of them";
        assert_eq!(told.message(), expected);
    }

    #[test]
    fn what_a_sense_does_not_know_is_refused() {
        let names = names(&["a"]);
        let refused = |teacher: Teacher, config: TeachConfig| {
            let error = teach(&mut [teacher], &config, GoodSamples::new(&names, &read), &|_, _| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            error.message().to_string()
        };
        let none = teach(&mut [], &TeachConfig::new("none"), GoodSamples::new(&names, &read), &|_, _| ()).unwrap_err();
        assert!(none.message().ends_with("found []"), "{}", none.message());
        let of_sounds = || teacher(Sense::Sound, "sound-lite0");
        let config = || TeachConfig::new("part");
        let mask = read(Path::new("mask"), Sense::Image).unwrap().frame;
        let bearing = Bearing::parse("rpm = 1000\nballs = 9\nball_mm = 8.0\npitch_mm = 40.0\n", "bearing").ok();
        assert!(bearing.is_some());
        for (teacher, config, told) in [
            (of_sounds(), TeachConfig { kind: Some(Kind::Golden), ..config() }, "`kind` is for pictures, and the part"),
            (
                of_sounds(),
                TeachConfig { mask, ..config() },
                "`mask` is for pictures, and the part is taught from sounds",
            ),
            (of_images(), TeachConfig { bearing, ..config() }, "`bearing` is for sounds, and the part"),
            (
                of_images(),
                TeachConfig { kind: Some(Kind::Clip), ..config() },
                "`kind` is a way to align images, got clip",
            ),
            (of_images(), TeachConfig { overkill: 1.0, ..config() }, "`overkill` must be between 0 and 1, got 1"),
        ] {
            let message = refused(teacher, config);
            assert!(message.contains(told), "{message}");
        }
    }

    #[test]
    fn of_a_part_of_two_senses_a_sample_that_one_cannot_take_is_left_out_whole() {
        let mut teachers = [of_images(), teacher(Sense::Sound, "sound-lite0")];
        let names = names(&["a", "mute", "dark", "b", "gone", "again b", "black", "silent"]);
        let samples = GoodSamples { groups: &[4, 4, 5, 5, 6, 6, 6, 6], ..GoodSamples::new(&names, &read) };
        let whole = joint::Whole::of(&mut teachers, samples).unwrap();
        assert_eq!((whole.names, whole.groups), (vec![names[0].clone(), names[3].clone()], vec![4, 5]));
        let why: Vec<&str> = whole.skipped.iter().map(|(_, why)| &**why).collect();
        assert_eq!(why[..3], ["mute: no sound", "dark: no picture", "gone: cannot read"]);
        assert!(why[3].starts_with("black: nothing is to be seen: it is black"), "{}", why[3]);
        assert!(why[4].starts_with("silent: silent: 100 % of the time there is no sound"), "{}", why[4]);
        assert_eq!(whole.copies, [(names[5].clone(), names[3].clone())]);
        let none = GoodSamples::new(&names[1..2], &read);
        let told = joint::Whole::of(&mut teachers, none).err().unwrap();
        let expected = "of none of 1 good parts both picture and sound can be taught: mute: no sound";
        assert_eq!(told.message(), expected);
    }

    #[test]
    fn sounds_of_another_length_are_refused_by_name() {
        let names = names(&["a", "b", "click"]);
        let samples = GoodSamples::new(&names, &read);
        let teacher = teacher(Sense::Sound, "sound-lite0");
        let error = teach(&mut [teacher], &TeachConfig::new("part"), samples, &|_, _| ()).unwrap_err();
        let told = "click lasts 0.25 s, the first sound 0.50 s: teach sounds of one length";
        assert_eq!(error.message(), told);
    }
}
