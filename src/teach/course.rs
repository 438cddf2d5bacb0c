//! Good samples → what is learned from them. Teaching and adding share this.

use std::path::{Component, PathBuf};

use ndarray::{Array2, CowArray, s};

use super::copies::{Copies, Fingerprint};
use super::{GoodSamples, TeachReport, TeachSense, named};
use crate::augment::another_day;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Eye, Look};
use crate::memory::learned::{Good, Kept, shown_level};
use crate::memory::part::{Envelope, Kind, TILE, TILE_CELLS, View};
use crate::prepare::image::Preparer;
use crate::prepare::pixels::Planes;
use crate::prepare::quality::Quality;
use crate::sample::{Frame, Sense};

/// Most good samples that are also learned in augmented form. This many show what noise, light and compression do to
/// all of them, and each must be encoded once more.
const VARIED: usize = 100;

/// The projection of each level's patches, with the level's stride.
pub(super) type Weights = Vec<(usize, Array2<f32>)>;

/// One sense's samples on their way into memory.
pub(super) struct Course<'a> {
    pub(super) eye: &'a mut Eye,
    pub(super) sense: &'a mut dyn TeachSense,
    pub(super) samples: GoodSamples<'a>,
    /// Masked pixels of the encoder's input, `u8[height, width]`, 0 or 1; empty if there is no mask.
    pub(super) ignored: Vec<u8>,
    /// Samples that were seen already; none at first.
    pub(super) copies: Copies,
    pub(super) report: TeachReport,
    pub(super) steps: Progress<'a>,
}

/// Progress of the work.
pub(super) struct Progress<'a> {
    done: usize,
    all: usize,
    tell: &'a dyn Fn(usize, usize),
}

impl<'a> Progress<'a> {
    pub(super) fn of(all: usize, tell: &'a dyn Fn(usize, usize)) -> Self {
        Self { done: 0, all, tell }
    }

    pub(super) fn step(&mut self) {
        self.done += 1;
        (self.tell)(self.done, self.all);
    }
}

/// Properties of a good sample that was used.
pub(super) struct Taken {
    /// Its index among all samples.
    pub(super) number: usize,
    pub(super) quality: Quality,
    size: [usize; 2],
    /// Whether it was a JPEG; `None` for an image made from a sound or a clip.
    jpeg: Option<bool>,
    /// Correlation with the reference, if there is one.
    correlation: Option<f32>,
}

/// What is kept of the samples that could be taught, in their order.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) good: Vec<Good>,
    pub(super) taken: Vec<Taken>,
    /// Augmented samples, each with the index in `good` of its original.
    pub(super) varied: Vec<Good>,
    pub(super) varied_of: Vec<usize>,
}

impl Remembered {
    /// All that memory is learned from: the good samples, then the augmented ones.
    pub(super) fn all(&self) -> Vec<&Good> {
        self.good.iter().chain(&self.varied).collect()
    }

    /// The indices of the used samples.
    pub(super) fn numbers(&self) -> Vec<usize> {
        self.taken.iter().map(|taken| taken.number).collect()
    }

    /// Adds the position of each patch to it.
    pub(super) fn know_places(&mut self, grids: &[[usize; 2]], places: usize) {
        let all = self.good.iter_mut().chain(&mut self.varied);
        let levels = all.flat_map(|good| good.levels.iter_mut().zip(grids));
        levels.for_each(|(kept, grid)| kept.know_places(*grid, places));
    }

    /// Ranges that samples must meet to be judged, from their images.
    pub(super) fn envelope(&self) -> Envelope {
        // Whether all were JPEGs, or none.
        let first = self.taken.first().and_then(|taken| taken.jpeg);
        let jpeg = first.filter(|_| self.taken.iter().all(|taken| taken.jpeg == first));
        Envelope { jpeg, ..Envelope::of(self.taken.iter().map(|taken| (taken.quality, taken.size))) }
    }

    /// Correlation with the reference below which an image does not show the part: half of the worst good one's,
    /// because a defect may be large. A different part, or none, reaches up to 0.3.
    pub(super) fn least_correlation(&self) -> Option<f32> {
        let correlations = self.taken.iter().filter_map(|taken| taken.correlation);
        correlations.reduce(f32::min).map(|least| (0.5 * least).clamp(0.25, 0.4))
    }

    /// Where the image of a patch is, given as sample and patch. Augmented samples are not kept; their original shows
    /// the same patch.
    pub(super) fn picture_of(&self, [sample, patch]: [u32; 2]) -> [u32; 2] {
        let of = (sample as usize).checked_sub(self.good.len()).map(|varied| self.varied_of[varied] as u32);
        [of.unwrap_or(sample), patch]
    }
}

/// Summaries of samples, `f32[n, d]`.
pub(super) fn summaries(good: &[Good], d: usize) -> Array2<f32> {
    Array2::from_shape_fn((good.len(), d), |(i, j)| good[i].summary[j])
}

/// Which of the good samples are also learned in augmented form. Images of clips are not camera images, but light and
/// noise affect them in a similar way. In synthetic clips, augmentation halves the false rejects.
pub(super) struct Varying {
    /// One in this many; `None` for none.
    every: Option<usize>,
    /// Total number: the good ones and the augmented ones.
    samples: usize,
}

impl Varying {
    /// For `samples` good ones of a sense with or without augmentation; the part has `already` augmented ones.
    pub(super) fn of(samples: usize, already: usize, varies: bool) -> Self {
        let room = if varies { VARIED.saturating_sub(already) } else { 0 };
        let every = (room > 0).then(|| samples.div_ceil(room).max(1));
        Self { every, samples: samples + every.map_or(0, |every| samples.div_ceil(every)) }
    }

    fn includes(&self, i: usize) -> bool {
        self.every.is_some_and(|every| i.is_multiple_of(every))
    }
}

impl Course<'_> {
    /// The names of samples, by index.
    pub(super) fn names(&self, numbers: &[usize]) -> Vec<PathBuf> {
        numbers.iter().map(|&i| self.samples.names[i].clone()).collect()
    }

    /// File and folder of samples, by index: enough to recognise them, without the paths of the machine that taught
    /// them.
    pub(super) fn short_names(&self, numbers: &[usize]) -> Vec<String> {
        let short = |&i: &usize| {
            let names = self.samples.names[i].components().filter(|part| matches!(part, Component::Normal(_)));
            let mut last: Vec<_> = names.rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect();
            last.reverse();
            last.join("/")
        };
        numbers.iter().map(short).collect()
    }

    /// The first of the samples with these indices, as the encoder sees it.
    pub(super) fn first_view(&mut self, numbers: &[usize]) -> Result<Option<View>> {
        let Some(&first) = numbers.first() else { return Ok(None) };
        let [height, width] = self.eye.encoder().size();
        let mut planes = vec![0.0; 3 * height * width];
        let frame = self.view(first)?;
        Preparer::new([0.0; 3], [1.0; 3]).run(&Planes::of(&frame)?, [height, width], &mut planes)?;
        let colour = |i: usize| [0, 1, 2].map(|c| planes[c * height * width + i].round() as u8);
        let pixels = (0..height * width).flat_map(colour).collect();
        Ok(Some(View { pixels, width, height }))
    }

    /// Brings an image into the encoder's input, registered if the part is.
    pub(super) fn see(&mut self, frame: &Frame, at: &mut Look) -> Result<()> {
        let fixture = self.sense.registered().map(|registered| &registered.fixture);
        self.eye.see(frame, fixture, &self.ignored, at)
    }

    /// Encodes the last image; leaves its projected patches and its summary in `at`.
    pub(super) fn take_in(&mut self, weights: &Weights, at: &mut Look) -> Result<()> {
        self.eye.encode()?;
        for (l, (_, weights)) in weights.iter().enumerate() {
            let places = at.cells[l].ncols() - weights.ncols();
            self.eye.project(l, weights.view(), at.cells[l].slice_mut(s![.., places..]))?;
        }
        self.eye.summarize(&mut at.summary)
    }

    /// Reads all samples, and keeps the summary and a share of the patches of each. `take` encodes the current image,
    /// leaves its patches and its summary in `at`, and returns whether the sample is used or is a duplicate. `seed` is
    /// that of the first sample's augmentation.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when none can be taught.
    pub(super) fn remember(
        &mut self,
        (weights, varying, seed): (&Weights, &Varying, usize),
        at: &mut Look,
        take: &mut dyn FnMut(&mut Self, &mut Look) -> Result<bool>,
    ) -> Result<Remembered> {
        let mut remembered = Remembered::default();
        for i in 0..self.samples.len() {
            let name = &self.samples.names[i];
            let picture = self.sense.read_picture(&self.samples, i);
            match picture.map(|frame| (self.copies.original(Fingerprint::of(&frame), i), frame)) {
                Ok((Some(original), _)) => {
                    self.report.copies.push((name.clone(), self.samples.names[original].clone()));
                }
                Ok((None, frame)) => {
                    self.see(&frame, at)?;
                    // The runtime's error, or a NaN in its output, does not name the sample.
                    if take(self, at).map_err(|error| named(name, error))? {
                        self.remember_one(&mut remembered, i, &frame, (weights, varying, seed), at)?;
                    } else {
                        self.report.copies.push((name.clone(), name.clone()));
                    }
                }
                Err(error) => self.report.skipped.push((name.clone(), error.chain())),
            }
            self.steps.step();
        }
        if remembered.good.is_empty() {
            return Err(self.none_taught());
        }
        self.report.notes = self.sense.notes();
        Ok(remembered)
    }

    /// Keeps sample `i`, which was read last, and its augmented form.
    fn remember_one(
        &mut self,
        remembered: &mut Remembered,
        i: usize,
        frame: &Frame,
        (weights, varying, seed): (&Weights, &Varying, usize),
        at: &mut Look,
    ) -> Result<()> {
        let name = &self.samples.names[i];
        self.sense.notice(name, frame)?;
        remembered.good.push(self.kept(i, varying, at));
        remembered.taken.push(Taken {
            number: i,
            quality: at.quality,
            size: [frame.width(), frame.height()],
            jpeg: (self.sense.sense() == Sense::Image).then(|| frame.was_jpeg()),
            correlation: at.view.as_ref().map(|view| view.pose.ncc),
        });
        if varying.includes(i) {
            self.see(&another_day(frame, (seed + i) as u64)?, at)?;
            self.take_in(weights, at).map_err(|error| named(name, error))?;
            remembered.varied_of.push(remembered.good.len() - 1);
            remembered.varied.push(self.kept(i, varying, at));
        }
        Ok(())
    }

    /// Why nothing was taught.
    fn none_taught(&self) -> Error {
        let reason = match (self.report.skipped.first(), self.report.copies.first()) {
            (Some((_, reason)), _) => format!(": {reason}"),
            (None, Some((copy, original))) if copy == original => format!(": {} was taught already", copy.display()),
            _ => String::new(),
        };
        let (count, samples) = (self.samples.len(), self.sense.sense().samples());
        Error::new(ErrorKind::Input, format!("none of {count} good {samples} can be taught{reason}"))
    }

    /// What is kept of sample `i`, which was read last.
    fn kept(&self, i: usize, varying: &Varying, at: &Look) -> Good {
        let of = |(patches, distance): (&Array2<f32>, bool)| {
            let mut patches = CowArray::from(patches);
            if distance {
                // An anomalous patch does not become good by being taught. The nearest good patch is zero, so the
                // distance from memory is the patch's own value.
                let last = patches.ncols() - 1;
                patches.column_mut(last).fill(0.0);
            }
            Kept::of(i, varying.samples, patches.view())
        };
        let levels = at.cells.iter().zip(self.eye.distances()).map(of).collect();
        Good { levels, summary: at.summary.clone() }
    }

    /// The image of each bank entry, `u8[entries, TILE, TILE, 3]`: its patch and a little around it. `seen_at` gives
    /// for each entry the index of its sample in `taken`, and its patch.
    pub(super) fn tiles(&mut self, seen_at: &[[u32; 2]], taken: &[Taken]) -> Result<Vec<u8>> {
        let grids = self.eye.grids();
        let grid = grids[shown_level(grids.len())];
        let side = TILE * TILE * 3;
        let mut tiles = vec![0u8; seen_at.len() * side];
        let mut order: Vec<usize> = (0..seen_at.len()).collect();
        order.sort_by_key(|&entry| seen_at[entry]);
        let mut open: Option<(u32, Frame)> = None;
        for entry in order {
            let [sample, patch] = seen_at[entry];
            if open.as_ref().is_none_or(|(at, _)| *at != sample) {
                open = Some((sample, self.view(taken[sample as usize].number)?));
            }
            let Some((_, frame)) = &open else { continue };
            cut_tile(frame, patch as usize, grid, &mut tiles[entry * side..(entry + 1) * side]);
        }
        Ok(tiles)
    }

    /// The image of sample `i`, registered if the part is.
    fn view(&mut self, i: usize) -> Result<Frame> {
        let frame = self.sense.read_picture(&self.samples, i)?;
        let view = self.sense.registered().map(|registered| registered.fixture.view(&frame)).transpose()?;
        Ok(view.map_or(frame, |view| view.frame))
    }
}

/// Cuts the surroundings of a patch of `grid` = [rows, columns] out of an image.
fn cut_tile(frame: &Frame, patch: usize, [rows, columns]: [usize; 2], tile: &mut [u8]) {
    let patch = patch % (rows * columns);
    let centre = [(patch % columns) as f64 + 0.5, (patch / columns) as f64 + 0.5];
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

/// Buffers for parts of this kind.
pub(super) fn look(eye: &Eye, kind: Kind, weights: &Weights) -> Look {
    Look::new(eye, kind, weights.iter().map(|(_, weights)| weights.ncols()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_a_hundred_are_varied_however_they_come_and_none_of_a_sense_that_does_not_vary() {
        let of = |samples, already, varies| {
            let varying = Varying::of(samples, already, varies);
            let included = (0..samples).filter(|&i| varying.includes(i)).count();
            assert_eq!(varying.samples, samples + included);
            included
        };
        assert_eq!([1, 31, 100, 101, 400, 5000].map(|samples| of(samples, 0, true)), [1, 31, 100, 51, 100, 100]);
        assert_eq!([0, 90, 100, 130].map(|already| of(40, already, true)), [40, 10, 0, 0]);
        assert_eq!(of(40, 0, false), 0);
    }
}
