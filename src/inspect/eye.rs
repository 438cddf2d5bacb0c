//! Frames → features and their distances: the encoder and its input. The inspector interprets the distances.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::places::pose_from_picture;
use crate::backend::{Backend, Options};
use crate::encode::MapEncoder;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::features::{self, Buffers, Map};
use crate::memory::golden::Golden;
use crate::memory::learned::{Distances, Learned, Scratch, place_of};
use crate::memory::part::{Card, Kind, Part};
use crate::memory::shape;
use crate::package::manifest::{Manifest, Precision, Sense};
use crate::prepare::fixture::{Fixture, View};
use crate::prepare::image::Preparer;
use crate::prepare::pixels::{self, Developer, Planes};
use crate::prepare::quality::{self, Quality};
use crate::report::is_masked;
use crate::sample::Frame;

/// Maps finer than eight pixels per patch respond to texture grain, not to defects: left out.
const FINEST_STRIDE: usize = 8;
/// Summaries use maps from this stride on. Finer maps did not improve them.
const SUMMARY_STRIDE: usize = 16;
/// Pixels of the encoder's input at each side that summaries leave out.
const SUMMARY_RIM: usize = 32;

/// Frames → features: encoder, preparer and their buffers. Shared by teaching and inspecting.
pub struct Eye {
    encoder: MapEncoder,
    developer: Developer,
    preparer: Preparer,
    /// A row of brightness.
    row: Vec<u8>,
    /// The encoder's outputs by stride, finest first.
    levels: Vec<(usize, Vec<usize>)>,
    buffers: [Buffers; 2],
}

impl Eye {
    /// Opens the encoder of a sense of a model package.
    ///
    /// # Errors
    /// As [`MapEncoder::load`].
    pub fn open(
        manifest: &Manifest,
        sense: Sense,
        precision: Precision,
        backend: &dyn Backend,
        options: &Options,
    ) -> Result<Self> {
        let encoder = MapEncoder::load(manifest, sense, precision, backend, options)?;
        let mut levels = BTreeMap::<usize, Vec<usize>>::new();
        for (i, output) in encoder.spec().outputs.iter().enumerate().filter(|(_, o)| o.stride >= FINEST_STRIDE) {
            levels.entry(output.stride).or_default().push(i);
        }
        if levels.is_empty() {
            let what = format!("{} has no output of stride {FINEST_STRIDE} or more to look at", manifest.name);
            return Err(Error::new(ErrorKind::Config, what));
        }
        Ok(Self::with(encoder, levels.into_iter().collect()))
    }

    fn with(encoder: MapEncoder, levels: Vec<(usize, Vec<usize>)>) -> Self {
        let preparer = Preparer::new(encoder.spec().mean, encoder.spec().scale);
        let (developer, row, buffers) = (Developer::default(), Vec::new(), Default::default());
        Self { encoder, developer, preparer, row, levels, buffers }
    }

    /// A copy for another thread, which shares the encoder's weights.
    ///
    /// # Errors
    /// As [`MapEncoder::fork`].
    pub fn fork(&self) -> Result<Self> {
        Ok(Self::with(self.encoder.fork()?, self.levels.clone()))
    }

    /// The encoder.
    pub fn encoder(&mut self) -> &mut MapEncoder {
        &mut self.encoder
    }

    /// What was requested of the encoder's runtime but is not available, a sentence each.
    pub fn notices(&self) -> &[String] {
        self.encoder.notices()
    }

    /// Checks that a part was taught with maps like this encoder's.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it was not.
    pub fn check(&self, part: &Part) -> Result<()> {
        let taught: Vec<(usize, usize)> = part.learned.levels.iter().map(|l| (l.stride, l.weights.nrows())).collect();
        let given: Vec<(usize, usize)> = self.strides().zip(self.channels()).collect();
        if taught == given && part.learned.shape.mean.len() == self.summary_len() {
            return Ok(());
        }
        let name = &part.card.name;
        let what = format!("part `{name}` wants maps of strides and channels {taught:?}, the encoder gives {given:?}");
        Err(Error::new(ErrorKind::Config, what))
    }

    /// Strides of the levels of patches, finest first.
    pub fn strides(&self) -> impl Iterator<Item = usize> {
        self.levels.iter().map(|(stride, _)| *stride)
    }

    /// Rows and columns of each level's patches, finest first.
    pub fn grids(&self) -> Vec<[usize; 2]> {
        let of = |maps: &Vec<usize>| {
            let [_, rows, columns] = self.encoder.map_shape(maps[0]);
            [rows, columns]
        };
        self.levels.iter().map(|(_, maps)| of(maps)).collect()
    }

    /// Rows and columns of the finest level: the grid of heatmaps.
    pub fn grid(&self) -> [usize; 2] {
        self.grids()[0]
    }

    /// Channels of each level.
    pub fn channels(&self) -> Vec<usize> {
        let of = |maps: &Vec<usize>| maps.iter().map(|&i| self.encoder.map_shape(i)[0]).sum();
        self.levels.iter().map(|(_, maps)| of(maps)).collect()
    }

    /// For each level, whether its patches already are anomaly scores, not features.
    pub fn distances(&self) -> impl Iterator<Item = bool> {
        let outputs = &self.encoder.spec().outputs;
        self.levels.iter().map(|(_, maps)| matches!(maps[..], [i] if outputs[i].distance))
    }

    /// Length of a summary.
    pub fn summary_len(&self) -> usize {
        features::SUMMARY_STATISTICS * self.summed_up().map(|(_, i)| self.encoder.map_shape(i)[0]).sum::<usize>()
    }

    /// Strides and outputs that a summary uses; all levels if none is coarse enough.
    fn summed_up(&self) -> impl Iterator<Item = (usize, usize)> {
        let coarse = self.strides().any(|stride| stride >= SUMMARY_STRIDE);
        let levels = self.levels.iter().filter(move |(stride, _)| !coarse || *stride >= SUMMARY_STRIDE);
        levels.flat_map(|(stride, maps)| maps.iter().map(move |&i| (*stride, i)))
    }

    fn maps_summed_up(&self) -> Result<Vec<Map<'_>>> {
        self.summed_up().map(|(stride, i)| Ok(self.map(i)?.with_rim(SUMMARY_RIM.div_ceil(stride)))).collect()
    }

    /// Stretches `frame`, of any pixel format, over the encoder's input; masked pixels become mid-grey. Returns the light
    /// and focus of what is not masked.
    ///
    /// # Errors
    /// As [`Developer::develop`] and [`Preparer::run`].
    pub fn prepare(&mut self, frame: &Frame, ignored: &[u8]) -> Result<Quality> {
        let size = self.encoder.size();
        let input = self.encoder.input_mut()?;
        let planes = self.developer.develop(frame, size)?;
        let quality = match ignored {
            [] => quality::measure(&planes, &mut self.row),
            mask => quality::measure_inspected(&planes, &|place| is_masked(mask, size, place), &mut self.row),
        };
        self.preparer.run(&planes, size, input)?;
        if !ignored.is_empty() {
            for plane in input.chunks_exact_mut(ignored.len()) {
                plane.iter_mut().zip(ignored).filter(|(_, ignored)| **ignored != 0).for_each(|(value, _)| *value = 0.0);
            }
        }
        Ok(quality)
    }

    /// Registers the part in `frame`, if `fixture` is given, and brings it into the encoder's input. `look` receives
    /// the light and focus of what is inspected, and the pixels that the view does not cover. [`Eye::encode`] comes next.
    ///
    /// # Errors
    /// As [`Eye::prepare`] and [`Fixture::view`]; [`ErrorKind::Input`] when the pose found flattens the picture.
    pub fn see(&mut self, frame: &Frame, fixture: Option<&Fixture>, ignored: &[u8], look: &mut Look) -> Result<()> {
        look.scratch.hidden.clear();
        let Some(fixture) = fixture else {
            look.view = None;
            look.quality = self.prepare(frame, ignored)?;
            return Ok(());
        };
        let plain = pixels::plain(frame)?;
        let view = look.view.insert(fixture.view(&plain)?);
        let planes = Planes::of(&plain)?;
        look.quality = match ignored {
            [] => quality::measure(&planes, &mut self.row),
            mask => {
                let (size, taught_from_picture) = (self.encoder.size(), pose_from_picture([1, 1], view, frame)?);
                let is_ignored = |place| is_masked(mask, size, taught_from_picture.apply(place));
                quality::measure_inspected(&planes, &is_ignored, &mut self.row)
            }
        };
        let ([rows, columns], [width, height]) = (self.grid(), [view.frame.width(), view.frame.height()]);
        if view.covered.contains(&0) {
            let middle = |at: usize, n: usize, side: usize| (2 * at + 1) * side / (2 * n);
            let seen = |i: usize| middle(i / columns, rows, height) * width + middle(i % columns, columns, width);
            look.scratch.hidden.extend((0..rows * columns).map(|i| view.covered[seen(i)] == 0));
        }
        self.prepare(&view.frame, ignored).map(drop)
    }

    /// Runs the encoder on the prepared input.
    ///
    /// # Errors
    /// As [`MapEncoder::encode`].
    pub fn encode(&mut self) -> Result<()> {
        self.encoder.encode()
    }

    /// Summary of the last run, `f32[summary_len]`.
    ///
    /// # Errors
    /// As [`MapEncoder::map`].
    pub fn summarize(&self, into: &mut [f32]) -> Result<()> {
        features::summarize(&self.maps_summed_up()?, into);
        Ok(())
    }

    /// Patches of the last run at level `l`, `f32[rows * columns, channels]`.
    ///
    /// # Errors
    /// As [`MapEncoder::map`].
    pub fn cells(&self, l: usize) -> Result<Array2<f32>> {
        let [rows, columns] = self.grids()[l];
        let mut cells = Array2::zeros((rows * columns, self.channels()[l]));
        features::cells(&self.maps_of(l)?, cells.view_mut(), &mut Buffers::default())?;
        Ok(cells)
    }

    /// Projects the patches of the last run at level `l` into `into`, `f32[rows * columns, k]`, by `weights`,
    /// `f32[channels, k]`.
    ///
    /// # Errors
    /// As [`MapEncoder::map`].
    pub fn project(&mut self, l: usize, weights: ArrayView2<f32>, into: ArrayViewMut2<f32>) -> Result<()> {
        let mut buffers = std::mem::take(&mut self.buffers);
        features::project(&self.maps_of(l)?, weights, into, &mut buffers[0])?;
        self.buffers = buffers;
        Ok(())
    }

    /// Measures the last run against memory: its patches and summary, and their distances. `look.blame` receives the
    /// attribution of the summary's distance to each patch, `look.deviations` how far its pixels are from golden ones.
    ///
    /// # Errors
    /// As [`MapEncoder::map`].
    pub fn compare(&mut self, learned: &Learned, golden: Option<&Golden>, look: &mut Look) -> Result<Distances> {
        let grid = self.grid();
        let mut buffers = std::mem::take(&mut self.buffers);
        let [for_cells, for_blame] = &mut buffers;
        let Look { cells, summary, scratch, blame, pull, shape, .. } = look;
        let of_levels = (0..learned.levels.len()).map(|l| self.maps_of(l)).collect::<Result<Vec<_>>>()?;
        let summed_up = self.maps_summed_up()?;
        // Two independent tasks that meet only in the heatmap: one core each.
        let (local, global) = rayon::join(
            || {
                for ((level, maps), cells) in learned.levels.iter().zip(&of_levels).zip(cells.iter_mut()) {
                    let places = cells.ncols() - level.weights.ncols();
                    let into = cells.slice_mut(s![.., places..]);
                    features::project(maps, level.weights.view(), into, for_cells)?;
                }
                Ok(learned.local(cells, scratch))
            },
            || -> Result<f32> {
                features::summarize(&summed_up, summary);
                let global = learned.shape.distance(summary, shape);
                learned.shape.pull(summary, shape, pull);
                blame.clear();
                blame.resize(grid[0] * grid[1], 0.0);
                let mut from = 0;
                for map in &summed_up {
                    let part = from..from + features::SUMMARY_STATISTICS * map.channels;
                    from = part.end;
                    let numbers = [pull.as_slice(), summary, &learned.centre].map(|numbers| &numbers[part.clone()]);
                    features::add_blame(map, numbers, grid, blame, for_blame)?;
                }
                Ok(global)
            },
        );
        self.buffers = buffers;
        let mut distances = Distances { local: local?, global: global?, pixels: None, steady: None };
        look.deviations.clear();
        if let (Some(golden), Some(view)) = (golden, &look.view) {
            distances.pixels = Some(golden.compare(view, grid, &mut look.deviations)?);
        }
        Ok(distances)
    }

    fn map(&self, i: usize) -> Result<Map<'_>> {
        Map::new(self.encoder.map(i)?, self.encoder.map_shape(i))
    }

    /// The maps of level `l`, of one size.
    pub(super) fn maps_of(&self, l: usize) -> Result<Vec<Map<'_>>> {
        self.levels[l].1.iter().map(|&i| self.map(i)).collect()
    }
}

/// Measurements of one image, with their buffers, reused from image to image.
pub struct Look {
    /// Patches of each level: two coordinates, if memory knows positions, then `k` projected numbers.
    pub cells: Vec<Array2<f32>>,
    /// Summary, `f32[d]`.
    pub summary: Vec<f32>,
    /// Nearest neighbours.
    pub scratch: Scratch,
    /// Attribution of the summary's distance to each patch, `f32[rows * columns]`; negative where the patch lowers it.
    pub blame: Vec<f32>,
    /// How far the pixels of each patch are from golden ones, `f32[rows * columns]`; empty if not compared.
    pub deviations: Vec<f32>,
    /// The registered view, if the part is registered.
    pub view: Option<View>,
    /// Light and focus of what is inspected of the frame.
    pub quality: Quality,
    pull: Vec<f32>,
    shape: shape::Scratch,
}

impl Look {
    /// Buffers for parts of this kind, projected to `k` numbers per patch of each level.
    pub fn new(eye: &Eye, kind: Kind, k: impl Iterator<Item = usize>) -> Self {
        let (grids, places) = (eye.grids(), kind.places());
        let cells_of = |(grid, k): (&[usize; 2], usize)| {
            let mut cells = Array2::zeros((grid[0] * grid[1], places + k));
            for (i, mut row) in cells.rows_mut().into_iter().enumerate() {
                row.iter_mut().take(places).zip(place_of(i, *grid)).for_each(|(out, at)| *out = at);
            }
            cells
        };
        Self {
            cells: grids.iter().zip(k).map(cells_of).collect(),
            summary: vec![0.0; eye.summary_len()],
            scratch: Scratch::on(grids),
            blame: Vec::new(),
            deviations: Vec::new(),
            view: None,
            quality: Quality::default(),
            pull: Vec::new(),
            shape: shape::Scratch::default(),
        }
    }

    /// Heat of each patch: its distance combined with its attribution, or its pixels' deviation, whichever is higher. 1
    /// is the limit from the good parts of `card`.
    pub fn heat(&self, card: &Card) -> impl Iterator<Item = f32> {
        let cells = self.scratch.joint.iter().zip(&self.blame).enumerate();
        cells.map(move |(i, (distance, blame))| {
            if self.scratch.hidden.get(i).is_some_and(|hidden| *hidden) {
                return 0.0;
            }
            let heat = card.blame.heat(*distance, *blame) / card.heat_limit;
            let deviation = self.deviations.get(i).zip(card.deviation_limit);
            deviation.map_or(heat, |(deviation, limit)| heat.max(deviation / limit))
        })
    }
}
