//! Good pictures → a [`Part`]: the other front door of the library. What sounds, clips and pairs want beside that is left to
//! `sounds`, `clips` and `pairs`.
//!
//! Pictures are read one at a time, and of each only its summary and a share of its cells is kept: the more
//! pictures, the smaller the share, so that their number does not decide how much memory is needed.

mod clips;
mod pairs;
mod sounds;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{Array2, Axis, CowArray, s};

use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Eye, Look};
use crate::manifest::Manifest;
use crate::memory::calibrate::Calibration;
use crate::memory::golden::Golden;
use crate::memory::learned::{
    Blame, Distances, Good, Judgement, Kept, Learned, Scratch, drift, folds_of, shown_level, wandering, without_fold,
};
use crate::memory::metric::Moments;
use crate::memory::part::{Card, Envelope, FORMAT, HeldOut, Kind, MemoryRef, ModelRef, Part, TILE, TILE_CELLS};
use crate::memory::search::Nearest;
use crate::memory::shape::Shape;
use crate::prepare::fixture::{Fixture, Reference};
use crate::prepare::image::Preparer;
use crate::prepare::pixels::{Developer, Planes};
use crate::prepare::quality::{self, Quality, SKETCH, Span};
use crate::sample::{Frame, Sense};
use crate::worsen::another_day;

pub use clips::{add_clips, teach_clips};
pub use pairs::{Readers, add_pairs, teach_pairs};
pub use sounds::{add_sounds, teach_sounds};

/// Pictures that the projection is learned from, at most: enough cells, and they are encoded twice.
const METRIC_PICTURES: usize = 48;
/// Heat 1 is the cell distance that the strangest cell of this share of good pictures stays under.
const HEAT_QUANTILE: f64 = 0.95;
/// Good pictures that are also remembered as another day would show them, at most: enough for what noise, light and
/// compression do to all of them, and each is encoded once more.
const VARIED: usize = 100;
/// Pictures beside the first that are tried for a common layout, at most.
const LAYOUT_PICTURES: usize = 6;
/// Below this [`wandering`] the place of a cell tells what it should look like.
const FRAMED_WANDERING: f32 = 0.4;

/// What the owner of a part wants of it.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Name of the part.
    pub name: String,
    /// Share of good parts that may be rejected.
    pub overkill: f64,
    /// How the part is looked at; `None` tries and tells.
    pub kind: Option<Kind>,
    /// A picture of the part whose dark pixels (under 128) are not to be looked at.
    pub mask: Option<Frame>,
    /// A number of each good sample, in the order of the paths, equal for those that were cut out of one recording: no
    /// memory judges a sample of which it has met such a one. Empty where each is its own.
    pub groups: Vec<usize>,
}

impl Wishes {
    /// The group of good sample number `i`.
    fn group(&self, i: usize) -> usize {
        self.groups.get(i).copied().unwrap_or(i)
    }
}

/// What was noticed about the good pictures while teaching.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lesson {
    /// Why the part is looked at as it is; empty when that was wished.
    pub why: String,
    /// Files that could not be read, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// Pictures that look unlike the other good ones: likely bad ones among them. Share of good pictures at
    /// least as strange.
    pub suspects: Vec<(PathBuf, f64)>,
    /// How many more good pictures would pay, and of what sort.
    pub sufficiency: Sufficiency,
    /// Files that show the very same as another of the good ones, which comes second: nothing is learned from them.
    pub copies: Vec<(PathBuf, PathBuf)>,
    /// What of the good ones limits what can be judged by them, a sentence each.
    pub notes: Vec<String>,
}

/// Whether the good pictures cover what good parts look like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sufficiency {
    /// Pictures that would still teach something; 0 when enough were seen.
    pub more: usize,
    /// Of which sort, such as `mostly darker ones`; empty when no sort stands out.
    pub sort: &'static str,
}

/// A good picture while it is taught.
struct Seen {
    path: PathBuf,
    quality: Quality,
    size: [usize; 2],
    /// Whether it was a JPEG.
    jpeg: bool,
    /// Correlation with the reference, where there is one.
    correlation: Option<f32>,
}

impl Seen {
    fn new(path: &Path, frame: &Frame, look: &Look) -> Self {
        Self {
            path: path.to_path_buf(),
            quality: look.quality,
            size: [frame.width(), frame.height()],
            jpeg: frame.was_jpeg(),
            correlation: look.view.as_ref().map(|view| view.pose.ncc),
        }
    }

    fn looks(&self) -> (Quality, [usize; 2]) {
        (self.quality, self.size)
    }
}

/// Teaches a part from good pictures. `read` brings a picture; `progress` is told (done, all) steps.
///
/// One picture that cannot be read, or shows nothing, is noted in the lesson and the rest goes on. Copies of one picture are one.
///
/// # Errors
/// [`ErrorKind::Input`] when no picture can be read, or the mask has another shape; [`ErrorKind::Runtime`] when the runtime
/// fails.
pub fn teach(
    eye: &mut Eye,
    manifest: &Manifest,
    wishes: &Wishes,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Frame>,
    progress: &dyn Fn(usize, usize),
) -> Result<(Part, Lesson)> {
    let (part, lesson, _) = taught(eye, manifest, wishes, paths, read, progress, &Copies::default())?;
    Ok((part, lesson))
}

/// As [`teach`]; copies are left out unless they are `kept`. Also gives the numbers of the paths that were taught.
fn taught(
    eye: &mut Eye,
    manifest: &Manifest,
    wishes: &Wishes,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Frame>,
    progress: &dyn Fn(usize, usize),
    copies: &Copies,
) -> Result<(Part, Lesson, Vec<usize>)> {
    let mut lesson = Lesson::default();
    let sense = wishes.kind.map_or(Sense::Image, Kind::sense);
    let read: &dyn Fn(&Path) -> Result<Frame> = &|path: &Path| shown(path, read(path)?, sense);
    fits_mask(wishes.mask.as_ref(), paths, read)?;
    let ignored = ignored_pixels(eye, wishes.mask.as_ref())?;
    let found = find_layout(wishes.kind, paths, read, &mut lesson)?;
    let reference = found.as_ref().map(|(_, reference)| reference.clone());
    let fixture = reference.as_ref().map(Fixture::new).transpose()?;
    let fixture = fixture.as_ref();
    let every = paths.len().div_ceil(METRIC_PICTURES).max(1);
    let first = paths.len().div_ceil(every);
    let steps = first + 2 * paths.len();
    let mut moments: Vec<Moments> = eye.channels().into_iter().map(Moments::new).collect();
    let mut at = Look::new(eye, Kind::Texture, eye.strides().map(|_| 0));
    let mut met = copies.clone();
    for (i, path) in paths.iter().step_by(every).enumerate() {
        // A picture that fails here fails again below and is told there.
        if let Some(frame) = read(path).ok().filter(|frame| met.original(frame, i).is_none()) {
            eye.see(&frame, fixture, &ignored, &mut at)?;
            // A runtime that fails, or computes what is no number, does not know on what.
            eye.encode().map_err(|error| clips::named(path, error))?;
            for (l, moments) in moments.iter_mut().enumerate() {
                moments.add(eye.cells(l)?.view());
            }
        }
        progress(i + 1, steps);
    }
    let weights: Vec<(usize, Array2<f32>)> = eye.strides().zip(moments.iter().map(Moments::weights)).collect();
    let k = || weights.iter().map(|(_, weights)| weights.ncols());
    let mut at = Look::new(eye, Kind::Texture, k());
    let varying = Varying::of(paths.len(), 0, wishes.kind);
    let (mut good, mut seen, mut groups, mut varied) = (Vec::new(), Vec::new(), Vec::new(), Varied::default());
    let (mut taught, mut met, mut surveyed) = (Vec::new(), copies.clone(), Survey::default());
    for (i, path) in paths.iter().enumerate() {
        let frame = read(path).map(|frame| (met.original(&frame, i), frame));
        match frame {
            Ok((Some(original), _)) => lesson.copies.push((path.clone(), paths[original].clone())),
            Ok((None, frame)) => {
                groups.push(wishes.group(i));
                taught.push(i);
                if sense == Sense::Image {
                    surveyed.add(&frame)?;
                }
                eye.see(&frame, fixture, &ignored, &mut at)?;
                take_in(eye, &weights, &mut at).map_err(|error| clips::named(path, error))?;
                good.push(remember(eye, i, varying.samples, &at));
                seen.push(Seen::new(path, &frame, &at));
                if varying.includes(i) {
                    eye.see(&another_day(&frame, i as u64)?, fixture, &ignored, &mut at)?;
                    take_in(eye, &weights, &mut at)?;
                    varied.push(good.len() - 1, remember(eye, i, varying.samples, &at));
                }
            }
            Err(error) => lesson.skipped.push((path.clone(), error.chain())),
        }
        progress(first + i + 1, steps);
    }
    if good.is_empty() {
        return Err(none_of(paths, &lesson, sense));
    }
    if sense == Sense::Image {
        lesson.notes.extend(surveyed.notes(&seen));
    }
    let kind = match (found, wishes.kind) {
        (Some((kind, _)), _) | (None, Some(kind)) => kind,
        (None, None) => loose_or_framed(&good, &eye.grids(), &mut lesson),
    };
    if kind.places() > 0 {
        let grids = eye.grids();
        let kept = good.iter_mut().chain(&mut varied.good).flat_map(|good| good.levels.iter_mut().zip(&grids));
        kept.for_each(|(kept, grid)| kept.know_places(*grid, kind.places()));
    }
    let mut at = Look::new(eye, kind, k());
    let fold_of = folds_of(&groups);
    let folds = if good.len() > 1 { fold_of.iter().max().map_or(0, |last| last + 1) } else { 0 };
    // What was varied shares the fold of what it was made of.
    let remembered: Vec<&Good> = good.iter().chain(&varied.good).collect();
    let remembered_fold: Vec<usize> = (0..good.len()).chain(varied.of.iter().copied()).map(|i| fold_of[i]).collect();
    let mut learned = Learned::from_good(&remembered, &weights);
    // What each fold's pixels may be; the golden band of a fold is that of all others.
    let mut bands = Vec::new();
    if let (Kind::Golden, Some(fixture)) = (kind, fixture) {
        bands.resize(folds.max(1), Golden::new(fixture.size()));
        for (i, seen) in seen.iter().enumerate() {
            bands[fold_of[i]].add(&fixture.view(&read(&seen.path)?)?)?;
        }
    }
    let golden = |without: Option<usize>| {
        let mut others = bands.iter().enumerate().filter(|(fold, _)| Some(*fold) != without).map(|(_, band)| band);
        let first = others.next().cloned();
        first.map(|first| others.fold(first, Golden::joined))
    };
    let mut measured = vec![Measured::default(); good.len()];
    let mut done = first + paths.len();
    for fold in 0..folds {
        // Pictures are looked at a second time rather than kept: memory stays that of the bank.
        let others = without_fold(&remembered, &weights, &remembered_fold, fold);
        let golden = golden(Some(fold));
        for i in (0..good.len()).filter(|&i| fold_of[i] == fold) {
            eye.see(&read(&seen[i].path)?, fixture, &ignored, &mut at)?;
            measured[i] = measure(eye, &others, golden.as_ref(), &mut at)?;
            done += 1;
            progress(done, steps);
        }
    }
    let golden = golden(None);
    if good.len() == 1 {
        measured.clear();
        for frame in stand_ins(&read(&seen[0].path)?, kind)? {
            eye.see(&frame, fixture, &ignored, &mut at)?;
            measured.push(measure(eye, &learned, golden.as_ref(), &mut at)?);
        }
    }
    let units = (0..learned.levels.len()).map(|l| mean(measured.iter().flat_map(|measured| &measured.cells[l])));
    learned.measure_in(units);
    measured.iter_mut().for_each(|measured| measured.join(&learned, &mut at.scratch));
    let held_out: Vec<f32> = measured.iter().map(|measured| measured.distances.global).collect();
    let drift = drift(&remembered, &remembered_fold, &held_out);
    measured.iter_mut().for_each(|measured| measured.distances.global += drift);
    let cells = measured.iter().flat_map(|measured| measured.joint.iter().zip(&measured.blame));
    let blame = Blame::learn(cells.map(|(distance, blame)| [distance.to_f32(), blame.to_f32()]));
    let held_out: Vec<HeldOut> = measured.iter().map(|measured| measured.held_out(blame)).collect();
    let distances: Vec<Distances> = held_out.iter().map(|held_out| held_out.distances).collect();
    let judgement = Judgement::learn(&distances);
    lesson.suspects = suspects(&paths_of(&seen), &distances, &judgement);
    lesson.sufficiency = sufficiency(&good, &seen, &distances, &judgement);
    let d = eye.summary_len();
    let shown = shown_level(learned.levels.len());
    let seen_at: Vec<[u32; 2]> =
        learned.levels[shown].seen_at.iter().map(|&at| varied.picture_of(at, good.len())).collect();
    let tiles = tiles(eye, fixture, &seen_at, &seen, read)?;
    let model = ModelRef {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: manifest.digest().to_string(),
        precision: eye.encoder().precision(),
        input: eye.encoder().size(),
    };
    let card = Card {
        format: FORMAT,
        name: wishes.name.clone(),
        kind,
        good: good.len(),
        overkill: wishes.overkill,
        heat_limit: limit_of(held_out.iter().map(|held_out| held_out.heat)),
        blame,
        deviation_limit: golden.as_ref().map(|_| limit_of(held_out.iter().map(|held_out| held_out.deviation))),
        least_correlation: least_correlation(&seen),
        strides: eye.strides().collect(),
        model,
        picture: Envelope { jpeg: coding(&seen, sense), ..envelope(seen.iter().map(Seen::looks)) },
        sound: None,
        clip: None,
        bearing: None,
        memory: MemoryRef { file: String::new(), sha256: String::new() },
    };
    let digest = String::new();
    let (usual, motion) = (None, None);
    let (summaries, varied) = (summaries(&good, d), summaries(&varied.good, d));
    let part = Part {
        card,
        learned,
        judgement,
        held_out,
        reference,
        golden,
        usual,
        motion,
        summaries,
        varied,
        tiles,
        ignored,
        digest,
    };
    Ok((part, lesson, taught))
}

/// Which pictures were met already, by all their pixels.
#[derive(Debug, Clone, Default)]
struct Copies {
    /// Whether copies are taught like any other.
    kept: bool,
    met: BTreeMap<u64, usize>,
}

impl Copies {
    /// For samples of which copies are not to be found here.
    fn kept() -> Self {
        Self { kept: true, ..Self::default() }
    }

    /// The number of the picture that this one, number `i`, is a copy of.
    fn original(&mut self, frame: &Frame, i: usize) -> Option<usize> {
        let mut hasher = DefaultHasher::new();
        (frame.width(), frame.height(), frame.format(), frame.pixels()).hash(&mut hasher);
        let first = *self.met.entry(hasher.finish()).or_insert(i);
        (first != i && !self.kept).then_some(first)
    }
}

/// What good pictures are like, for what limits the judging by them.
#[derive(Default)]
struct Survey {
    first: Option<[f32; SKETCH * SKETCH]>,
    /// How far any of them is from the first where they differ most, noise left out, in grey levels.
    apart: f32,
    /// The brightest value of any.
    top: u8,
    row: Vec<u8>,
}

impl Survey {
    fn add(&mut self, frame: &Frame) -> Result<()> {
        let mut developer = Developer::default();
        let planes = developer.develop(frame, [frame.height(), frame.width()])?;
        self.top = self.top.max(Span::of(&planes).top);
        let sketch = quality::sketch(&planes, &mut self.row);
        let first = self.first.get_or_insert(sketch);
        self.apart = first.iter().zip(sketch).map(|(a, b)| (a - b).abs()).fold(self.apart, f32::max);
        Ok(())
    }

    fn notes(&self, seen: &[Seen]) -> Vec<String> {
        let mut notes: Vec<String> = odd_sizes(seen).into_iter().collect();
        if self.top < FEW_LEVELS {
            let (levels, top) = (u32::from(self.top) + 1, self.top);
            notes.push(format!(
                "the good pictures use {levels} of 256 levels (the brightest is {top}): expose longer; files that hold 10, 12 or \
                 14 bits in 16 want their values multiplied by 64, 16 or 4"
            ));
        }
        if seen.len() >= FEWEST_ALIKE && self.apart < ALIKE {
            notes.push(format!(
                "the {} good pictures are alike but for noise ({:.1} grey levels apart at most): if they show one and the same \
                 part, show others too, or these will be rejected",
                seen.len(),
                self.apart
            ));
        }
        notes
    }
}

/// Levels of 256 under which too few are used to tell fine differences.
const FEW_LEVELS: u8 = 64;
/// Grey levels under which pictures do not differ, noise left out.
const ALIKE: f32 = 0.75;
/// Pictures from which on it is told that all are alike.
const FEWEST_ALIKE: usize = 3;

/// Good pictures of another size than most, by more than what is granted when one is judged: after them no size is wrong.
fn odd_sizes(seen: &[Seen]) -> Option<String> {
    let mut counts = BTreeMap::new();
    seen.iter().for_each(|seen| *counts.entry(seen.size).or_insert(0usize) += 1);
    let (usual, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let fits = |side: usize, usual: usize| 4 * side >= 3 * usual && 3 * side <= 4 * usual;
    let odd = |seen: &&Seen| (0..2).any(|i| !fits(seen.size[i], usual[i]));
    let told = |seen: &Seen| format!("{} {} x {}", seen.path.display(), seen.size[0], seen.size[1]);
    let odd: Vec<String> = seen.iter().filter(odd).map(told).collect();
    let more = if odd.len() > 3 { format!(" and {} more", odd.len() - 3) } else { String::new() };
    (!odd.is_empty()).then(|| {
        let [width, height] = usual;
        format!(
            "sizes differ: most good pictures have {width} x {height} pixels, {}{more}; all sizes between are judged",
            odd[..odd.len().min(3)].join(", ")
        )
    })
}

/// A good picture, unless nothing is to be seen in it: a camera behind its cap would pass for ever.
fn shown(path: &Path, frame: Frame, sense: Sense) -> Result<Frame> {
    // Of a sound or a clip it is a picture that was made.
    if sense == Sense::Image {
        let mut developer = Developer::default();
        let span = Span::of(&developer.develop(&frame, [frame.height(), frame.width()])?);
        if let Some(why) = span.blank() {
            return Err(Error::new(ErrorKind::Input, format!("{}: {why}", path.display())));
        }
    }
    Ok(frame)
}

/// Refuses a mask that would have to be stretched to lie over the good pictures.
fn fits_mask(mask: Option<&Frame>, paths: &[PathBuf], read: &dyn Fn(&Path) -> Result<Frame>) -> Result<()> {
    let Some((mask, frame)) = mask.and_then(|mask| Some((mask, paths.iter().find_map(|path| read(path).ok())?))) else {
        return Ok(());
    };
    fits(mask, [frame.width(), frame.height()])
}

/// Refuses a mask that would have to be stretched to lie over pictures of `[width, height]`.
///
/// # Errors
/// [`ErrorKind::Input`] when its shape is another.
pub fn fits(mask: &Frame, [wide, tall]: [usize; 2]) -> Result<()> {
    let (width, height) = (mask.width(), mask.height());
    let [mask_shape, shape] = [(width, height), (wide, tall)].map(|(width, height)| width as f64 / height as f64);
    if (mask_shape / shape - 1.0).abs() <= MASK_DIFFERS {
        return Ok(());
    }
    let what =
        format!("the mask has {width} x {height} pixels, the good pictures {wide} x {tall}: draw it on one of them");
    Err(Error::new(ErrorKind::Input, what))
}

/// Share by which a mask's shape may differ from that of the pictures: what rounding makes of a smaller one.
const MASK_DIFFERS: f64 = 0.02;

/// Why nothing was taught.
fn none_of(paths: &[PathBuf], lesson: &Lesson, sense: Sense) -> Error {
    let reason = match (lesson.skipped.first(), lesson.copies.first()) {
        (Some((_, reason)), _) => format!(": {reason}"),
        (None, Some((copy, original))) if copy == original => {
            format!(": {} was taught already", copy.display())
        }
        _ => String::new(),
    };
    Error::new(ErrorKind::Input, format!("none of {} good {} can be taught{reason}", paths.len(), sense.samples()))
}

/// Adds good pictures to a part: its bank and shape take them in, and as the old part had not seen them, its
/// distances from them calibrate the new one. The projection stays.
///
/// # Errors
/// As [`teach`].
pub fn add(
    eye: &mut Eye,
    part: &mut Part,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Frame>,
    progress: &dyn Fn(usize, usize),
) -> Result<Lesson> {
    Ok(added(eye, part, paths, read, progress, Copies::default())?.0)
}

/// As [`add`]; copies are left out unless they are kept. Also gives the numbers of the paths that were taught.
fn added(
    eye: &mut Eye,
    part: &mut Part,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Frame>,
    progress: &dyn Fn(usize, usize),
    mut met: Copies,
) -> Result<(Lesson, Vec<usize>)> {
    eye.check(part)?;
    let (mut lesson, mut taught, sense) = (Lesson::default(), Vec::new(), part.card.kind.sense());
    let read: &dyn Fn(&Path) -> Result<Frame> = &|path: &Path| shown(path, read(path)?, sense);
    let varying = Varying::of(paths.len(), part.varied.nrows(), Some(part.card.kind));
    let (mut good, mut seen, mut fresh, mut varied) = (Vec::new(), Vec::new(), Vec::new(), Varied::default());
    let weights: Vec<_> = part.learned.levels.iter().map(|level| (level.stride, level.weights.clone())).collect();
    let fixture = part.reference.as_ref().map(Fixture::new).transpose()?;
    let fixture = fixture.as_ref();
    let mut at = Look::new(eye, part.card.kind, part.learned.levels.iter().map(|level| level.weights.ncols()));
    let mut golden = part.golden.clone();
    for (i, path) in paths.iter().enumerate() {
        let frame = read(path).map(|frame| (met.original(&frame, i), frame));
        match frame {
            Ok((Some(original), _)) => lesson.copies.push((path.clone(), paths[original].clone())),
            Ok((None, frame)) => {
                eye.see(&frame, fixture, &part.ignored, &mut at)?;
                let measured = measure(eye, &part.learned, part.golden.as_ref(), &mut at);
                let mut measured = measured.map_err(|error| clips::named(path, error))?;
                let looked = remember(eye, i, varying.samples, &at);
                if !met.kept && is_known(&part.summaries, &looked.summary) {
                    lesson.copies.push((path.clone(), path.clone()));
                    progress(i + 1, paths.len());
                    continue;
                }
                measured.join(&part.learned, &mut at.scratch);
                taught.push(i);
                fresh.push(measured.held_out(part.card.blame));
                good.push(looked);
                if let (Some(golden), Some(view)) = (&mut golden, &at.view) {
                    golden.add(view)?;
                }
                seen.push(Seen::new(path, &frame, &at));
                if varying.includes(i) {
                    eye.see(&another_day(&frame, (part.card.good + i) as u64)?, fixture, &part.ignored, &mut at)?;
                    take_in(eye, &weights, &mut at)?;
                    varied.push(good.len() - 1, remember(eye, i, varying.samples, &at));
                }
            }
            Err(error) => lesson.skipped.push((path.clone(), error.chain())),
        }
        progress(i + 1, paths.len());
    }
    if good.is_empty() {
        return Err(none_of(paths, &lesson, sense));
    }
    if sense == Sense::Image {
        lesson.notes.extend(odd_sizes(&seen));
    }
    let distances: Vec<Distances> = fresh.iter().map(|fresh| fresh.distances).collect();
    lesson.suspects = suspects(&paths_of(&seen), &distances, &part.judgement);

    // The old banks join as one more sample, so that the new ones are chosen from both.
    let shown = shown_level(part.learned.levels.len());
    let old_entries = part.learned.levels[shown].bank.nrows();
    let kept = part.learned.levels.iter().map(|level| Kept {
        cells: level.bank.iter().map(|&value| f16::from_f32(value)).collect(),
        places: (0..level.bank.nrows() as u32).collect(),
    });
    let old = Good { levels: kept.collect(), summary: part.summaries.row(0).to_vec() };
    let together: Vec<&Good> = std::iter::once(&old).chain(&good).chain(&varied.good).collect();
    let mut learned = Learned::from_good(&together, &weights);
    learned.measure_in(part.learned.levels.iter().map(|level| level.unit));
    let d = eye.summary_len();
    let joined = |old: &Array2<f32>, new: &Array2<f32>| {
        ndarray::concatenate(Axis(0), &[old.view(), new.view()])
            .map_err(|error| Error::caused(ErrorKind::Config, "the part's summaries do not fit the encoder", error))
    };
    part.varied = joined(&part.varied, &summaries(&varied.good, d))?;
    let all = joined(&part.summaries, &summaries(&good, d))?;
    learned.shape = Shape::learn(joined(&all, &part.varied)?.view());

    let seen_at = &learned.levels[shown].seen_at;
    let from_new = |[sample, cell]: &[u32; 2]| varied.picture_of([sample.saturating_sub(1), *cell], good.len());
    let from_new: Vec<[u32; 2]> = seen_at.iter().map(from_new).collect();
    let mut new_tiles = tiles(eye, fixture, &from_new, &seen, read)?;
    let side = TILE * TILE * 3;
    for (entry, [sample, cell]) in seen_at.iter().enumerate() {
        let cell = *cell as usize;
        if *sample == 0 && cell < old_entries {
            new_tiles[entry * side..(entry + 1) * side].copy_from_slice(&part.tiles[cell * side..(cell + 1) * side]);
        }
    }
    part.held_out.extend(fresh);
    // What lies outside the axes of more samples counts as farther; the old distances are to count so too.
    let farther = (learned.shape.ball / part.learned.shape.ball).ln();
    part.held_out.iter_mut().for_each(|held_out| held_out.distances.global += farther);
    let distances: Vec<Distances> = part.held_out.iter().map(|held_out| held_out.distances).collect();
    part.judgement = Judgement::learn(&distances);
    part.card.heat_limit = limit_of(part.held_out.iter().map(|held_out| held_out.heat));
    if golden.is_some() {
        part.card.deviation_limit = Some(limit_of(part.held_out.iter().map(|held_out| held_out.deviation)));
    }
    part.golden = golden;
    let least = part.card.least_correlation.zip(least_correlation(&seen));
    part.card.least_correlation = least.map(|(old, new)| old.min(new));
    part.card.good += good.len();
    let looks = Envelope { jpeg: coding(&seen, sense), ..envelope(seen.iter().map(Seen::looks)) };
    part.card.picture = widen(part.card.picture, looks);
    (part.learned, part.summaries, part.tiles) = (learned, all, new_tiles);
    Ok((lesson, taught))
}

/// Whether a sample with this summary was taught already: that of another picture is never so near.
fn is_known(summaries: &Array2<f32>, summary: &[f32]) -> bool {
    let length = |of: &mut dyn Iterator<Item = f32>| of.map(|value| value * value).sum::<f32>().sqrt();
    let most = SAME * length(&mut summary.iter().copied());
    summaries.rows().into_iter().any(|row| length(&mut row.iter().zip(summary).map(|(a, b)| a - b)) <= most)
}

/// Share of its length by which the summary of one picture may differ from one time to another: sums in another order.
const SAME: f32 = 1e-5;

/// Refuses a sound or a clip that lasts longer or shorter than the first.
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

/// Share of its length by which a sound or a clip may differ from the first.
const LENGTHS_DIFFER: f64 = 0.05;

/// Tries whether the part can be found in its good pictures by its layout, unless something else is wished. The
/// reference is the first picture that can be read.
fn find_layout(
    wish: Option<Kind>,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Frame>,
    lesson: &mut Lesson,
) -> Result<Option<(Kind, Reference)>> {
    if wish.is_some_and(|kind| !kind.is_registered()) {
        return Ok(None);
    }
    let mut frames = paths.iter().enumerate().filter_map(|(i, path)| Some((i, read(path).ok()?)));
    let Some((at, first)) = frames.next() else { return Ok(None) };
    let reference = match (Reference::of(&first), wish) {
        (Ok(reference), _) => reference,
        (Err(_), None) => return Ok(None),
        (Err(error), Some(_)) => return Err(error),
    };
    if let Some(kind) = wish {
        Fixture::new(&reference)?;
        return Ok(Some((kind, reference)));
    }
    let rest = &paths[at + 1..];
    let others = rest.iter().step_by(rest.len().div_ceil(LAYOUT_PICTURES).max(1));
    // A copy says nothing of how others lie.
    let mut met = Copies::default();
    met.original(&first, 0);
    let others = others.filter_map(|path| read(path).ok()).enumerate();
    let others: Vec<Frame> =
        others.filter(|(i, frame)| met.original(frame, i + 1).is_none()).map(|(_, frame)| frame).collect();
    let Ok(fixture) = Fixture::new(&reference) else { return Ok(None) };
    let structure = fixture.structure(&reference, &others)?;
    let Some(correlation) = structure.ncc else { return Ok(None) };
    let found = format!(
        "the layout correlates {correlation:.2} with other good pictures and its pose is found to {:.1} % of the diagonal",
        100.0 * structure.error
    );
    lesson.why = found;
    // Where the layout is fixed, pixels can be compared too; how much they say is for the good pictures to calibrate.
    Ok(structure.holds().then_some((Kind::Golden, reference)))
}

/// A part that is not found by its layout may still lie about where it was taught: its cells then have their likes
/// at their own places in other good pictures.
fn loose_or_framed(good: &[Good], grids: &[[usize; 2]], lesson: &mut Lesson) -> Kind {
    let shown = shown_level(grids.len());
    let kept: Vec<&Kept> = good.iter().map(|good| &good.levels[shown]).collect();
    let wandering = wandering(&kept, grids[shown]);
    let and = if lesson.why.is_empty() { "" } else { "; " };
    lesson.why += &format!("{and}likes of a place are found {:.0} % as far from it as by chance", 100.0 * wandering);
    if wandering < FRAMED_WANDERING { Kind::Framed } else { Kind::Texture }
}

/// Correlation with the reference under which a picture does not show the part: half of what the worst good one
/// has, for a defect may be large. Another part or none has up to 0.3.
fn least_correlation(seen: &[Seen]) -> Option<f32> {
    let correlations = seen.iter().filter_map(|seen| seen.correlation);
    correlations.reduce(f32::min).map(|least| (0.5 * least).clamp(0.25, 0.4))
}

/// Which of the good pictures are also remembered as another day would show them. Of sounds none: their pictures are not
/// what a camera sees. Those of clips are not either, but what light and noise do to what is filmed is much the same to them:
/// in drawn clips it halves what is rejected of good ones.
struct Varying {
    /// One in so many; `None` of sounds.
    every: Option<usize>,
    /// All that is remembered: the good ones, and these.
    samples: usize,
}

impl Varying {
    /// Of `samples` good ones of a part that is looked at as `kind`, of which so many are varied `already`.
    fn of(samples: usize, already: usize, kind: Option<Kind>) -> Self {
        let room = if kind == Some(Kind::Sound) { 0 } else { VARIED.saturating_sub(already) };
        let every = (room > 0).then(|| samples.div_ceil(room).max(1));
        Self { every, samples: samples + every.map_or(0, |every| samples.div_ceil(every)) }
    }

    fn includes(&self, i: usize) -> bool {
        self.every.is_some_and(|every| i.is_multiple_of(every))
    }
}

/// Good pictures as another day would show them.
#[derive(Default)]
struct Varied {
    good: Vec<Good>,
    /// Number of the good picture that each was made of.
    of: Vec<usize>,
}

impl Varied {
    fn push(&mut self, of: usize, good: Good) {
        self.of.push(of);
        self.good.push(good);
    }

    /// Where to see the picture of a cell, given as sample and cell, when `good` samples come before these: varied ones are
    /// not kept, and show the same cell.
    fn picture_of(&self, [sample, cell]: [u32; 2], good: usize) -> [u32; 2] {
        let of = (sample as usize).checked_sub(good).map(|varied| self.of[varied] as u32);
        [of.unwrap_or(sample), cell]
    }
}

fn summaries(good: &[Good], d: usize) -> Array2<f32> {
    Array2::from_shape_fn((good.len(), d), |(i, j)| good[i].summary[j])
}

/// Encodes the frame that was seen last; leaves its projected cells and its summary in `at`.
fn take_in(eye: &mut Eye, weights: &[(usize, Array2<f32>)], at: &mut Look) -> Result<()> {
    eye.encode()?;
    for (l, (_, weights)) in weights.iter().enumerate() {
        let places = at.cells[l].ncols() - weights.ncols();
        eye.project(l, weights.view(), at.cells[l].slice_mut(s![.., places..]))?;
    }
    eye.summarize(&mut at.summary)
}

/// What is remembered of sample number `i` of `samples`, which was looked at last.
fn remember(eye: &Eye, i: usize, samples: usize, at: &Look) -> Good {
    let of = |(cells, distance): (&Array2<f32>, bool)| {
        let mut cells = CowArray::from(cells);
        if distance {
            // What is far from good is not good for having been seen: the nearest good cell is nought, so a cell's
            // distance from memory is what it tells itself.
            let last = cells.ncols() - 1;
            cells.column_mut(last).fill(0.0);
        }
        Kept::of(i, samples, cells.view())
    };
    let levels = at.cells.iter().zip(eye.distances()).map(of).collect();
    Good { levels, summary: at.summary.clone() }
}

/// A good picture beside a memory that had not seen it.
#[derive(Clone, Default)]
struct Measured {
    distances: Distances,
    /// Distance of each cell of each level.
    cells: Vec<Vec<f16>>,
    /// Joint distance and blame of each cell of the finest grid.
    joint: Vec<f16>,
    blame: Vec<f16>,
    hidden: Vec<bool>,
    /// Greatest deviation of a cell's pixels.
    deviation: f32,
}

impl Measured {
    /// Joins the levels in the units of `learned`.
    fn join(&mut self, learned: &Learned, scratch: &mut Scratch) {
        scratch.hidden.clone_from(&self.hidden);
        self.distances.local = learned.join(|l| self.cells[l].iter().map(|distance| distance.to_f32()), scratch);
        self.joint = scratch.joint.iter().map(|&distance| half(distance)).collect();
    }

    /// What is kept of it.
    fn held_out(&self, blame: Blame) -> HeldOut {
        let heat = |(distance, of_it): (&f16, &f16)| blame.heat(distance.to_f32(), of_it.to_f32());
        HeldOut {
            distances: self.distances,
            heat: self.joint.iter().zip(&self.blame).map(heat).fold(0.0, f32::max),
            deviation: self.deviation,
        }
    }
}

/// In half precision. From one or two pictures the shape is so narrow that blame may leave its range.
fn half(value: f32) -> f16 {
    f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

fn mean<'a>(values: impl Iterator<Item = &'a f16>) -> f32 {
    let (sum, count) = values.fold((0.0f64, 0usize), |(sum, count), value| (sum + value.to_f64(), count + 1));
    (sum / count.max(1) as f64) as f32
}

/// Encodes the frame that was seen last and measures it.
fn measure(eye: &mut Eye, learned: &Learned, golden: Option<&Golden>, at: &mut Look) -> Result<Measured> {
    eye.encode()?;
    let distances = eye.compare(learned, golden, at)?;
    let of_level = |nearest: &Vec<Nearest>| nearest.iter().map(|nearest| half(nearest.distance)).collect();
    Ok(Measured {
        distances,
        cells: at.scratch.nearest.iter().map(of_level).collect(),
        joint: Vec::new(),
        blame: at.blame.iter().map(|&blame| half(blame)).collect(),
        hidden: at.scratch.hidden.clone(),
        deviation: at.deviations.iter().copied().fold(0.0, f32::max),
    })
}

/// A single good picture has no other to be held against: copies of it stand in. Of a texture these are its three
/// mirror images; of a sound, ones that begin later; of a part with places, ones shifted by a hundredth and a little darker or brighter. Real good
/// parts differ more than that, so a part taught from one picture is strict until more are added.
fn stand_ins(frame: &Frame, kind: Kind) -> Result<Vec<Frame>> {
    let (width, height, bytes) = (frame.width(), frame.height(), frame.channels()?);
    let [right, down] = [width, height].map(|side| side.div_ceil(100));
    let from = |copy: usize, x: usize, y: usize| match (kind, copy) {
        (Kind::Texture, 0) => [width - 1 - x, y],
        (Kind::Texture, 1) => [x, height - 1 - y],
        (Kind::Texture, _) => [width - 1 - x, height - 1 - y],
        (Kind::Sound, _) => [(x + width * (copy + 1) / 4) % width, y],
        (_, 0) => [x.saturating_sub(right), y],
        (_, 1) => [(x + right).min(width - 1), y.saturating_sub(down)],
        _ => [x, (y + down).min(height - 1)],
    };
    let has_light = kind.places() == 2 && kind != Kind::Clip;
    let gain = |copy: usize| if !has_light { 1.0 } else { [0.95, 1.0, 1.05][copy] };
    let copy = |copy: usize| {
        let mut pixels = Vec::with_capacity(frame.pixels().len());
        for y in 0..height {
            for x in 0..width {
                let [x, y] = from(copy, x, y);
                let at = (y * width + x) * bytes;
                pixels.extend(frame.pixels()[at..at + bytes].iter().map(|&v| (f32::from(v) * gain(copy)) as u8));
            }
        }
        Frame::new(pixels, frame.format(), width, height)
    };
    (0..3).map(copy).collect()
}

/// Which pixels of the encoder's input the mask's dark pixels cover.
fn ignored_pixels(eye: &mut Eye, mask: Option<&Frame>) -> Result<Vec<u8>> {
    let Some(mask) = mask else { return Ok(Vec::new()) };
    let [height, width] = eye.encoder().size();
    let mut planes = vec![0.0; 3 * height * width];
    Preparer::new([0.0; 3], [1.0; 3]).run(&Planes::of(mask)?, [height, width], &mut planes)?;
    let ignored: Vec<u8> = planes[..height * width].iter().map(|&value| u8::from(value < 128.0)).collect();
    if ignored.iter().all(|&ignored| ignored == 1) {
        return Err(Error::new(ErrorKind::Input, "the mask is dark everywhere: nothing would be looked at"));
    }
    Ok(ignored)
}

fn paths_of(seen: &[Seen]) -> Vec<&PathBuf> {
    seen.iter().map(|seen| &seen.path).collect()
}

/// Good pictures that are far stranger than the others: they would hide defects like their own.
fn suspects(seen: &[&PathBuf], distances: &[Distances], judgement: &Judgement) -> Vec<(PathBuf, f64)> {
    // Three upper spreads above the median: one good part in a thousand, were they normal.
    let strange = |d: &Distances| judgement.score(*d);
    let mut found: Vec<(usize, f32)> =
        distances.iter().map(strange).enumerate().filter(|(i, s)| *s > 3.0 && *i < seen.len()).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let p = |i: usize| judgement.calibration.p_value(judgement.score(distances[i]));
    found.into_iter().map(|(i, _)| (seen[i].clone(), p(i))).collect()
}

/// Leave-one-out novelty: how much farther a held-out good picture is than the good pictures are from their
/// own memory. While that gap is wide, each new good part still brings something new.
fn sufficiency(good: &[Good], seen: &[Seen], distances: &[Distances], judgement: &Judgement) -> Sufficiency {
    let n = good.len();
    if n < 2 {
        return Sufficiency { more: 5, sort: "" };
    }
    // The strangest fifth; what they share is what is missing.
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| judgement.score(distances[b]).total_cmp(&judgement.score(distances[a])));
    let strangest = &order[..n.div_ceil(5)];
    // Spread of held-out local distances in natural logarithms: under a tenth, new parts look like old ones.
    let spread = judgement.local[1].max(judgement.global[1]);
    let wanted = (n as f32 * (spread / 0.1 - 1.0)).ceil().max(0.0) as usize;
    let for_promise = 19usize.saturating_sub(n);
    let more = wanted.clamp(for_promise, for_promise.max(3 * n + 5));
    let mean = |of: &dyn Fn(&Quality) -> f32, which: &[usize]| {
        which.iter().map(|&i| of(&seen[i].quality)).sum::<f32>() / which.len().max(1) as f32
    };
    let deviation = |of: &dyn Fn(&Quality) -> f32| {
        let all = mean(of, &order);
        (order.iter().map(|&i| (of(&seen[i].quality) - all).powi(2)).sum::<f32>() / n as f32).sqrt().max(1e-3)
    };
    let lean = |of: &dyn Fn(&Quality) -> f32| (mean(of, strangest) - mean(of, &order)) / deviation(of);
    let (light, focus) = (lean(&|q| q.brightness), lean(&|q| q.sharpness));
    let sort = match (light, focus) {
        (light, _) if light < -0.7 => "mostly darker ones",
        (light, _) if light > 0.7 => "mostly brighter ones",
        (_, focus) if focus < -0.7 => "mostly smoother ones",
        (_, focus) if focus > 0.7 => "mostly rougher ones",
        _ => "",
    };
    Sufficiency { more, sort: if more == 0 { "" } else { sort } }
}

/// What 1 stands for in heatmaps, from the greatest value in each held-out good picture.
fn limit_of(greatest: impl Iterator<Item = f32>) -> f32 {
    let limit = Calibration::new(greatest.collect()).limit(1.0 - HEAT_QUANTILE);
    if limit.is_finite() && limit > 0.0 { limit } else { 1.0 }
}

/// The ranges of light, focus and `[width, height]` of some pictures.
fn envelope(seen: impl Iterator<Item = (Quality, [usize; 2])> + Clone) -> Envelope {
    let span = |of: &dyn Fn(&Quality) -> f32| {
        let values = || seen.clone().map(|(quality, _)| of(&quality));
        [values().fold(f32::MAX, f32::min), values().fold(f32::MIN, f32::max)]
    };
    let side = |i: usize| {
        let sides = || seen.clone().map(|(_, size)| size[i]);
        [sides().min().unwrap_or(0), sides().max().unwrap_or(0)]
    };
    Envelope {
        width: side(0),
        height: side(1),
        brightness: span(&|q| q.brightness),
        contrast: span(&|q| q.contrast),
        sharpness: span(&|q| q.sharpness),
        black: span(&|q| q.black),
        white: span(&|q| q.white),
        jpeg: None,
    }
}

/// Whether all were JPEGs, or none.
fn coding(seen: &[Seen], sense: Sense) -> Option<bool> {
    let first = seen.first().filter(|_| sense == Sense::Image)?.jpeg;
    seen.iter().all(|seen| seen.jpeg == first).then_some(first)
}

fn widen(a: Envelope, b: Envelope) -> Envelope {
    let span = |a: [f32; 2], b: [f32; 2]| [a[0].min(b[0]), a[1].max(b[1])];
    let side = |a: [usize; 2], b: [usize; 2]| [a[0].min(b[0]), a[1].max(b[1])];
    Envelope {
        width: side(a.width, b.width),
        height: side(a.height, b.height),
        brightness: span(a.brightness, b.brightness),
        contrast: span(a.contrast, b.contrast),
        sharpness: span(a.sharpness, b.sharpness),
        black: span(a.black, b.black),
        white: span(a.white, b.white),
        jpeg: a.jpeg.filter(|_| a.jpeg == b.jpeg),
    }
}

/// What each bank entry looked like: the picture around its cell, a little wider than the cell itself.
fn tiles(
    eye: &Eye,
    fixture: Option<&Fixture>,
    seen_at: &[[u32; 2]],
    seen: &[Seen],
    read: &dyn Fn(&Path) -> Result<Frame>,
) -> Result<Vec<u8>> {
    let grids = eye.grids();
    let [rows, columns] = grids[shown_level(grids.len())];
    let side = TILE * TILE * 3;
    let mut tiles = vec![0u8; seen_at.len() * side];
    let mut order: Vec<usize> = (0..seen_at.len()).collect();
    order.sort_by_key(|&entry| seen_at[entry]);
    let mut open: Option<(u32, Frame)> = None;
    for entry in order {
        let [sample, cell] = seen_at[entry];
        if open.as_ref().is_none_or(|(at, _)| *at != sample) {
            let frame = read(&seen[sample as usize].path)?;
            let view = fixture.map(|fixture| fixture.view(&frame)).transpose()?;
            open = Some((sample, view.map_or(frame, |view| view.frame)));
        }
        let Some((_, frame)) = &open else { continue };
        let cell = cell as usize % (rows * columns);
        let tile = &mut tiles[entry * side..(entry + 1) * side];
        let centre = [(cell % columns) as f64 + 0.5, (cell / columns) as f64 + 0.5];
        let size = [frame.width() as f64 / columns as f64, frame.height() as f64 / rows as f64];
        for (i, pixel) in tile.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let offset = |at: usize| ((at as f64 + 0.5) / TILE as f64 - 0.5) * TILE_CELLS;
            let at = |centre: f64, offset: f64, size: f64, side: usize| {
                (((centre + offset) * size).max(0.0) as usize).min(side - 1)
            };
            let x = at(centre[0], offset(i % TILE), size[0], frame.width());
            let y = at(centre[1], offset(i / TILE), size[1], frame.height());
            *pixel = frame.rgb(x, y);
        }
    }
    Ok(tiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_a_hundred_are_varied_however_they_come_and_no_sound() {
        let of = |samples, already, kind| {
            let varying = Varying::of(samples, already, kind);
            let included = (0..samples).filter(|&i| varying.includes(i)).count();
            assert_eq!(varying.samples, samples + included);
            included
        };
        assert_eq!([1, 31, 100, 101, 400, 5000].map(|samples| of(samples, 0, None)), [1, 31, 100, 51, 100, 100]);
        assert_eq!([0, 90, 100, 130].map(|already| of(40, already, Some(Kind::Texture))), [40, 10, 0, 0]);
        assert_eq!([Kind::Sound, Kind::Clip].map(|kind| of(40, 0, Some(kind))), [0, 40]);
    }
}
