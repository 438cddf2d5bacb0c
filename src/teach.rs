//! Good pictures → a [`Part`]: the other front door of the library.
//!
//! Pictures are read one at a time, and of each only its summary and a share of its cells is kept: the more
//! pictures, the smaller the share, so that their number does not decide how much memory is needed.

use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{Array2, Axis};

use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Eye, Look};
use crate::manifest::Manifest;
use crate::memory::calibrate::Calibration;
use crate::memory::learned::{Blame, Distances, Good, Judgement, Learned, folds, without_fold};
use crate::memory::metric::Moments;
use crate::memory::part::{Card, Envelope, Kind, MemoryRef, ModelRef, Part, TILE};
use crate::memory::search::Nearest;
use crate::prepare::image::{Preparer, Window};
use crate::prepare::quality::{self, Quality};
use crate::sample::Frame;

/// Pictures that the projection is learned from, at most: enough cells, and they are encoded twice.
const METRIC_PICTURES: usize = 48;
/// Heat 1 is the cell distance that the strangest cell of this share of good pictures stays under.
const HEAT_QUANTILE: f64 = 0.95;

/// What the owner of a part wants of it.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Name of the part.
    pub name: String,
    /// Share of good parts that may be rejected.
    pub overkill: f64,
    /// A picture of the part whose dark pixels (under 128) are not to be looked at.
    pub mask: Option<Frame>,
}

/// What was noticed about the good pictures while teaching.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lesson {
    /// Files that could not be read, with the reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// Pictures that look unlike the other good ones: likely bad ones among them. Share of good pictures at
    /// least as strange.
    pub suspects: Vec<(PathBuf, f64)>,
    /// How many more good pictures would pay, and of what sort.
    pub sufficiency: Sufficiency,
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
}

/// Teaches a part from good pictures. `read` brings a picture; `progress` is told (done, all) steps.
///
/// One picture that cannot be read is noted in the lesson and the rest goes on.
///
/// # Errors
/// [`ErrorKind::Input`] when no picture can be read; [`ErrorKind::Runtime`] when the runtime fails.
pub fn teach(
    eye: &mut Eye,
    manifest: &Manifest,
    wishes: &Wishes,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Frame>,
    progress: &dyn Fn(usize, usize),
) -> Result<(Part, Lesson)> {
    let mut lesson = Lesson::default();
    let ignored = ignored_pixels(eye, wishes.mask.as_ref())?;
    let every = paths.len().div_ceil(METRIC_PICTURES).max(1);
    let first = paths.len().div_ceil(every);
    let steps = first + 2 * paths.len();
    let mut moments = Moments::new(eye.channels());
    for (i, path) in paths.iter().step_by(every).enumerate() {
        // A picture that fails here fails again below and is told there.
        if let Ok(frame) = read(path) {
            look(eye, &frame, &ignored)?;
            moments.add(eye.cells()?.view());
        }
        progress(i + 1, steps);
    }
    let weights = moments.weights();
    let mut at = Look::new(eye, weights.ncols());
    let (mut good, mut seen) = (Vec::new(), Vec::new());
    for (i, path) in paths.iter().enumerate() {
        match read(path) {
            Ok(frame) => {
                look(eye, &frame, &ignored)?;
                eye.project(weights.view(), &mut at.cells)?;
                eye.summarize(&mut at.summary)?;
                good.push(Good::remember(i, paths.len(), at.cells.view(), at.summary.clone()));
                let size = [frame.width(), frame.height()];
                seen.push(Seen { path: path.clone(), quality: quality::measure(&frame), size });
            }
            Err(error) => lesson.skipped.push((path.clone(), error.chain())),
        }
        progress(first + i + 1, steps);
    }
    if good.is_empty() {
        let reason = lesson.skipped.first().map_or(String::new(), |(_, reason)| format!(": {reason}"));
        return Err(Error::new(ErrorKind::Input, format!("none of {} good pictures can be read{reason}", paths.len())));
    }
    let k = weights.ncols();
    let learned = Learned::from_good(&good.iter().collect::<Vec<_>>(), k);
    let mut measured = vec![Measured::default(); good.len()];
    let mut done = first + paths.len();
    for fold in 0..folds(good.len()) {
        // Pictures are looked at a second time rather than kept: memory stays that of the bank.
        let others = without_fold(&good, k, fold);
        for i in (fold..good.len()).step_by(folds(good.len())) {
            look(eye, &read(&seen[i].path)?, &ignored)?;
            measured[i] = measure(eye, &weights, &others, &mut at)?;
            done += 1;
            progress(done, steps);
        }
    }
    if good.len() == 1 {
        measured = mirrored(eye, &weights, &learned, &read(&seen[0].path)?, &ignored)?;
    }
    let cells = measured.iter().flat_map(|measured| &measured.cells);
    let blame = Blame::learn(cells.map(|cell| cell.map(f16::to_f32)));
    let held_out: Vec<(Distances, f32)> = measured.iter().map(|m| (m.distances, m.greatest(blame))).collect();
    let distances: Vec<Distances> = held_out.iter().map(|(distances, _)| *distances).collect();
    let judgement = Judgement::learn(&distances);
    lesson.suspects = suspects(&seen, &distances, &judgement);
    lesson.sufficiency = sufficiency(&good, &seen, &distances, &judgement);
    let d = eye.summary_len();
    let summaries = Array2::from_shape_fn((good.len(), d), |(i, j)| good[i].summary[j]);
    let tiles = tiles(eye, &learned.seen_at, &seen, read)?;
    let model = ModelRef {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: manifest.digest().to_string(),
        precision: eye.encoder().precision(),
        input: eye.encoder().size(),
    };
    let card = Card {
        format: 1,
        name: wishes.name.clone(),
        kind: Kind::Texture,
        good: good.len(),
        overkill: wishes.overkill,
        heat_limit: heat_limit(&held_out),
        blame,
        model,
        picture: envelope(&seen),
        memory: MemoryRef { file: String::new(), sha256: String::new() },
    };
    let digest = String::new();
    let part = Part { card, weights, learned, judgement, held_out, summaries, tiles, ignored, digest };
    Ok((part, lesson))
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
    let mut lesson = Lesson::default();
    let (mut good, mut seen, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    let k = part.weights.ncols();
    let mut at = Look::new(eye, k);
    for (i, path) in paths.iter().enumerate() {
        match read(path) {
            Ok(frame) => {
                look(eye, &frame, &part.ignored)?;
                let measured = measure(eye, &part.weights, &part.learned, &mut at)?;
                fresh.push((measured.distances, measured.greatest(part.card.blame)));
                good.push(Good::remember(i, paths.len(), at.cells.view(), at.summary.clone()));
                let size = [frame.width(), frame.height()];
                seen.push(Seen { path: path.clone(), quality: quality::measure(&frame), size });
            }
            Err(error) => lesson.skipped.push((path.clone(), error.chain())),
        }
        progress(i + 1, paths.len());
    }
    if good.is_empty() {
        let reason = lesson.skipped.first().map_or(String::new(), |(_, reason)| format!(": {reason}"));
        return Err(Error::new(ErrorKind::Input, format!("none of {} good pictures can be read{reason}", paths.len())));
    }
    let distances: Vec<Distances> = fresh.iter().map(|(distances, _)| *distances).collect();
    lesson.suspects = suspects(&seen, &distances, &part.judgement);

    // The old bank joins as one more sample, so that the new bank is chosen from both.
    let old_entries = part.learned.bank.nrows();
    let cells = part.learned.bank.iter().map(|&value| f16::from_f32(value)).collect();
    let places = (0..old_entries as u32).collect();
    let old = Good { cells, places, summary: part.summaries.row(0).to_vec() };
    let together: Vec<&Good> = std::iter::once(&old).chain(&good).collect();
    let mut learned = Learned::from_good(&together, k);
    let d = eye.summary_len();
    let added = Array2::from_shape_fn((good.len(), d), |(i, j)| good[i].summary[j]);
    let summaries = ndarray::concatenate(Axis(0), &[part.summaries.view(), added.view()])
        .map_err(|error| Error::caused(ErrorKind::Config, "the part's summaries do not fit the encoder", error))?;
    learned.shape = crate::memory::shape::Shape::learn(summaries.view());

    let from_new: Vec<[u32; 2]> =
        learned.seen_at.iter().map(|[sample, cell]| [sample.saturating_sub(1), *cell]).collect();
    let mut new_tiles = tiles(eye, &from_new, &seen, read)?;
    let side = TILE * TILE * 3;
    for (entry, [sample, cell]) in learned.seen_at.iter().enumerate() {
        let cell = *cell as usize;
        if *sample == 0 && cell < old_entries {
            new_tiles[entry * side..(entry + 1) * side].copy_from_slice(&part.tiles[cell * side..(cell + 1) * side]);
        }
    }
    part.held_out.extend(fresh);
    let distances: Vec<Distances> = part.held_out.iter().map(|(distances, _)| *distances).collect();
    part.judgement = Judgement::learn(&distances);
    part.card.heat_limit = heat_limit(&part.held_out);
    part.card.good += good.len();
    part.card.picture = widen(part.card.picture, envelope(&seen));
    (part.learned, part.summaries, part.tiles) = (learned, summaries, new_tiles);
    Ok(lesson)
}

/// Encodes a whole frame.
fn look(eye: &mut Eye, frame: &Frame, ignored: &[u8]) -> Result<()> {
    eye.prepare(frame, Window::whole(frame), ignored)?;
    eye.encode()
}

/// A good picture beside a memory that had not seen it.
#[derive(Clone, Default)]
struct Measured {
    distances: Distances,
    /// Distance and blame of each cell.
    cells: Vec<[f16; 2]>,
}

impl Measured {
    /// The greatest heat of a cell.
    fn greatest(&self, blame: Blame) -> f32 {
        self.cells.iter().map(|cell| blame.heat(cell[0].to_f32(), cell[1].to_f32())).fold(0.0, f32::max)
    }
}

/// Measures the frame that was encoded last.
fn measure(eye: &mut Eye, weights: &Array2<f32>, learned: &Learned, at: &mut Look) -> Result<Measured> {
    let distances = eye.compare(weights.view(), learned, at)?;
    let cells = at.scratch.nearest.iter().zip(&at.blame);
    let halved = |(nearest, blame): (&Nearest, &f32)| [f16::from_f32(nearest.distance), f16::from_f32(*blame)];
    Ok(Measured { distances, cells: cells.map(halved).collect() })
}

/// A single good picture has no other to be held against: its three mirror images stand in. Real good parts
/// differ more than that, so a part taught from one picture is strict until more are added.
fn mirrored(
    eye: &mut Eye,
    weights: &Array2<f32>,
    learned: &Learned,
    frame: &Frame,
    ignored: &[u8],
) -> Result<Vec<Measured>> {
    let (width, height, bytes) = (frame.width(), frame.height(), frame.format().bytes_per_pixel());
    let mut results = Vec::new();
    for (across, down) in [(true, false), (false, true), (true, true)] {
        let mut pixels = Vec::with_capacity(frame.pixels().len());
        for y in 0..height {
            for x in 0..width {
                let from_x = if across { width - 1 - x } else { x };
                let from_y = if down { height - 1 - y } else { y };
                let at = (from_y * width + from_x) * bytes;
                pixels.extend_from_slice(&frame.pixels()[at..at + bytes]);
            }
        }
        look(eye, &Frame::new(pixels, frame.format(), width, height)?, ignored)?;
        results.push(measure(eye, weights, learned, &mut Look::new(eye, weights.ncols()))?);
    }
    Ok(results)
}

/// Which pixels of the encoder's input the mask's dark pixels cover.
fn ignored_pixels(eye: &mut Eye, mask: Option<&Frame>) -> Result<Vec<u8>> {
    let Some(mask) = mask else { return Ok(Vec::new()) };
    let [height, width] = eye.encoder().size();
    let mut planes = vec![0.0; 3 * height * width];
    Preparer::new([0.0; 3], [1.0; 3]).run(mask, Window::whole(mask), [height, width], &mut planes)?;
    let ignored: Vec<u8> = planes[..height * width].iter().map(|&value| u8::from(value < 128.0)).collect();
    if ignored.iter().all(|&ignored| ignored == 1) {
        return Err(Error::new(ErrorKind::Input, "the mask is dark everywhere: nothing would be looked at"));
    }
    Ok(ignored)
}

/// Good pictures that are far stranger than the others: they would hide defects like their own.
fn suspects(seen: &[Seen], distances: &[Distances], judgement: &Judgement) -> Vec<(PathBuf, f64)> {
    // Three upper spreads above the median: one good part in a thousand, were they normal.
    let strange = |d: &Distances| judgement.standard(*d).into_iter().fold(f32::MIN, f32::max);
    let mut found: Vec<(usize, f32)> =
        distances.iter().map(strange).enumerate().filter(|(i, s)| *s > 3.0 && *i < seen.len()).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let p = |i: usize| judgement.calibration.p_value(judgement.score(distances[i]));
    found.into_iter().map(|(i, _)| (seen[i].path.clone(), p(i))).collect()
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
    let more = wanted.clamp(for_promise, 3 * n + 5);
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

/// The heat of a cell that 1 stands for in heatmaps.
fn heat_limit(held_out: &[(Distances, f32)]) -> f32 {
    let greatest = Calibration::new(held_out.iter().map(|(_, heat)| *heat).collect());
    let limit = greatest.limit(1.0 - HEAT_QUANTILE);
    if limit.is_finite() && limit > 0.0 { limit } else { 1.0 }
}

fn envelope(seen: &[Seen]) -> Envelope {
    let span = |of: &dyn Fn(&Quality) -> f32| {
        let values = || seen.iter().map(|seen| of(&seen.quality));
        [values().fold(f32::MAX, f32::min), values().fold(f32::MIN, f32::max)]
    };
    let side = |i: usize| {
        let sides = || seen.iter().map(|seen| seen.size[i]);
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
    }
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
    }
}

/// What each bank entry looked like: the picture around its cell, a little wider than the cell itself.
fn tiles(eye: &Eye, seen_at: &[[u32; 2]], seen: &[Seen], read: &dyn Fn(&Path) -> Result<Frame>) -> Result<Vec<u8>> {
    let [rows, columns] = eye.grid();
    let side = TILE * TILE * 3;
    let mut tiles = vec![0u8; seen_at.len() * side];
    let mut order: Vec<usize> = (0..seen_at.len()).collect();
    order.sort_by_key(|&entry| seen_at[entry]);
    let mut open: Option<(u32, Frame)> = None;
    for entry in order {
        let [sample, cell] = seen_at[entry];
        if open.as_ref().is_none_or(|(at, _)| *at != sample) {
            open = Some((sample, read(&seen[sample as usize].path)?));
        }
        let Some((_, frame)) = &open else { continue };
        let cell = cell as usize % (rows * columns);
        let tile = &mut tiles[entry * side..(entry + 1) * side];
        let centre = [(cell % columns) as f64 + 0.5, (cell / columns) as f64 + 0.5];
        let size = [frame.width() as f64 / columns as f64, frame.height() as f64 / rows as f64];
        for (i, pixel) in tile.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            // The tile shows one and a half cells.
            let offset = |at: usize| (at as f64 + 0.5) / TILE as f64 * 1.5 - 0.75;
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
