//! The library's front door: a frame and a taught part → a [`Report`]. Starts no thread of its own beyond the
//! pool that the search shares; a robot can call it from its own loop.

use std::collections::BTreeMap;
use std::time::Instant;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use crate::backend::{Backend, Options};
use crate::encode::MapEncoder;
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;
use crate::manifest::{Manifest, Precision, Sense, SpectrogramSpec};
use crate::memory::features::{self, Buffers, Map};
use crate::memory::golden::Golden;
use crate::memory::learned::{Distances, Learned, Scratch, place_of, shown_level};
use crate::memory::part::{Card, Envelope, Kind, Loudness, Part};
use crate::memory::shape;
use crate::memory::usual::Off;
use crate::prepare::bearing::Bearing;
use crate::prepare::fixture::{Fixture, View};
use crate::prepare::image::Preparer;
use crate::prepare::pixels::{self, Developer, Planes};
use crate::prepare::quality::{self, Quality};
use crate::prepare::rhythm;
use crate::prepare::spectrogram::Spectrograph;
use crate::prepare::steady::Steady;
use crate::report::{self, Event, Expected, Finding, Heatmap, Pose, Provenance, RanOn, Region, Report, Times, Verdict};
use crate::sample::{Frame, Sound};

/// Maps finer than eight pixels a cell tell grain from grain but not part from defect: left out.
const FINEST_STRIDE: usize = 8;
/// The whole picture is summed up from this stride on: finer maps added nothing to what a summary tells.
const SUMMARY_STRIDE: usize = 16;
/// Pixels of the encoder's input at each side that summaries leave out.
const SUMMARY_RIM: usize = 32;

/// Frames → features: encoder, preparer and their memory. Shared by teaching and inspecting.
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
        options: Options,
    ) -> Result<Self> {
        let encoder = MapEncoder::load(manifest, sense, precision, backend, options)?;
        let preparer = Preparer::new(encoder.spec().mean, encoder.spec().scale);
        let mut levels = BTreeMap::<usize, Vec<usize>>::new();
        for (i, output) in encoder.spec().outputs.iter().enumerate().filter(|(_, o)| o.stride >= FINEST_STRIDE) {
            levels.entry(output.stride).or_default().push(i);
        }
        if levels.is_empty() {
            let what = format!("{} has no output of stride {FINEST_STRIDE} or more to look at", manifest.name);
            return Err(Error::new(ErrorKind::Config, what));
        }
        let levels = levels.into_iter().collect();
        Ok(Self {
            encoder,
            developer: Developer::default(),
            preparer,
            row: Vec::new(),
            levels,
            buffers: Default::default(),
        })
    }

    /// The encoder.
    pub fn encoder(&mut self) -> &mut MapEncoder {
        &mut self.encoder
    }

    /// Whether a part was taught with maps like this encoder's.
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

    /// Strides of the levels at which cells are looked at, finest first.
    pub fn strides(&self) -> impl Iterator<Item = usize> {
        self.levels.iter().map(|(stride, _)| *stride)
    }

    /// Rows and columns of each level's cells, finest first.
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

    /// Length of a summary.
    pub fn summary_len(&self) -> usize {
        features::SUMMARY_STATISTICS * self.summed_up().map(|(_, i)| self.encoder.map_shape(i)[0]).sum::<usize>()
    }

    /// Strides and outputs that a summary is made of; all that are looked at where none is that coarse.
    fn summed_up(&self) -> impl Iterator<Item = (usize, usize)> {
        let coarse = self.strides().any(|stride| stride >= SUMMARY_STRIDE);
        let levels = self.levels.iter().filter(move |(stride, _)| !coarse || *stride >= SUMMARY_STRIDE);
        levels.flat_map(|(stride, maps)| maps.iter().map(move |&i| (*stride, i)))
    }

    fn maps_summed_up(&self) -> Result<Vec<Map<'_>>> {
        self.summed_up().map(|(stride, i)| Ok(self.map(i)?.with_rim(SUMMARY_RIM.div_ceil(stride)))).collect()
    }

    /// Stretches `frame`, of any pixel format, over the encoder's input; ignored pixels become mid-grey. Returns what
    /// its light and focus are.
    ///
    /// # Errors
    /// As [`Developer::develop`] and [`Preparer::run`].
    pub fn prepare(&mut self, frame: &Frame, ignored: &[u8]) -> Result<Quality> {
        let size = self.encoder.size();
        let input = self.encoder.input_mut()?;
        let planes = self.developer.develop(frame, size)?;
        let quality = quality::measure(&planes, &mut self.row);
        self.preparer.run(&planes, size, input)?;
        if !ignored.is_empty() {
            for plane in input.chunks_exact_mut(ignored.len()) {
                plane.iter_mut().zip(ignored).filter(|(_, ignored)| **ignored != 0).for_each(|(value, _)| *value = 0.0);
            }
        }
        Ok(quality)
    }

    /// Brings the part in `frame` into its taught pose, if `fixture` is given, and into the encoder's input; `look`
    /// gets the frame's light and focus, and where it shows nothing of the taught view. [`Eye::encode`] comes next.
    ///
    /// # Errors
    /// As [`Eye::prepare`] and [`Fixture::view`].
    pub fn see(&mut self, frame: &Frame, fixture: Option<&Fixture>, ignored: &[u8], look: &mut Look) -> Result<()> {
        look.scratch.hidden.clear();
        let Some(fixture) = fixture else {
            look.view = None;
            look.quality = self.prepare(frame, ignored)?;
            return Ok(());
        };
        let plain = pixels::plain(frame)?;
        look.quality = quality::measure(&Planes::of(&plain)?, &mut self.row);
        let view = look.view.insert(fixture.view(&plain)?);
        let ([rows, columns], [width, height]) = (self.grid(), [view.frame.width(), view.frame.height()]);
        if view.covered.contains(&0) {
            let middle = |at: usize, n: usize, side: usize| (2 * at + 1) * side / (2 * n);
            let seen = |i: usize| middle(i / columns, rows, height) * width + middle(i % columns, columns, width);
            look.scratch.hidden.extend((0..rows * columns).map(|i| view.covered[seen(i)] == 0));
        }
        self.prepare(&view.frame, ignored).map(drop)
    }

    /// Runs the encoder on what was prepared.
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

    /// Cells of the last run at level `l`, `f32[rows * columns, channels]`.
    ///
    /// # Errors
    /// As [`MapEncoder::map`].
    pub fn cells(&self, l: usize) -> Result<Array2<f32>> {
        let [rows, columns] = self.grids()[l];
        let mut cells = Array2::zeros((rows * columns, self.channels()[l]));
        features::cells(&self.maps_of(l)?, cells.view_mut(), &mut Buffers::default())?;
        Ok(cells)
    }

    /// Projected cells of the last run at level `l` into `into`, `f32[rows * columns, k]`, by `weights`,
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

    /// Measures the last run against what was learned: its cells and summary, their distances, in `look.blame`
    /// what each cell has to do with the summary's distance, and in `look.deviations` how far its pixels are from
    /// golden ones.
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
        // Two lines of work that meet only in the heatmap: a core each.
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

    fn maps_of(&self, l: usize) -> Result<Vec<Map<'_>>> {
        self.levels[l].1.iter().map(|&i| self.map(i)).collect()
    }
}

/// Sounds → features: an eye for the pictures that are made of them.
pub struct Ear {
    eye: Eye,
    spectrograph: Spectrograph,
}

impl Ear {
    /// Opens the sound encoder of a model package.
    ///
    /// # Errors
    /// As [`MapEncoder::load`].
    pub fn open(manifest: &Manifest, precision: Precision, backend: &dyn Backend, options: Options) -> Result<Self> {
        let spectrograph = spectrograph(manifest)?;
        Ok(Self { eye: Eye::open(manifest, Sense::Audio, precision, backend, options)?, spectrograph })
    }

    /// Makes the encoder as long as a picture of `frames` columns needs.
    ///
    /// # Errors
    /// As [`MapEncoder::resize`].
    pub fn fit(&mut self, frames: usize) -> Result<()> {
        let [height, width] = self.spectrograph.input(frames, self.eye.encoder.spec().multiple_of);
        match self.eye.encoder.size() == [height, width] {
            true => Ok(()),
            false => self.eye.encoder.resize(height, width),
        }
    }

    /// The eye, and what makes pictures for it.
    pub fn parts(&mut self) -> (&mut Eye, &mut Spectrograph) {
        (&mut self.eye, &mut self.spectrograph)
    }
}

fn spectrograph(manifest: &Manifest) -> Result<Spectrograph> {
    let spec = manifest.encoder(Sense::Audio)?.spectrogram;
    // `Manifest::read` let none through without it.
    let missing =
        || Error::new(ErrorKind::Config, format!("{}: `audio_encoder.spectrogram` is missing", manifest.name));
    Spectrograph::new(spec.ok_or_else(missing)?)
}

/// What is measured of one picture, and the memory for it, reused from picture to picture.
pub struct Look {
    /// Cells of each level: their places, two numbers, where memory knows these; then what was projected, `k` numbers.
    pub cells: Vec<Array2<f32>>,
    /// Summary, `f32[d]`.
    pub summary: Vec<f32>,
    /// Nearest entries.
    pub scratch: Scratch,
    /// What each cell has to do with the summary's distance, `f32[rows * columns]`; negative where it lessens it.
    pub blame: Vec<f32>,
    /// How far the pixels of each cell are from golden ones, `f32[rows * columns]`; empty when not compared.
    pub deviations: Vec<f32>,
    /// The part in its taught pose, where it is registered.
    pub view: Option<View>,
    /// Light and focus of the frame.
    pub quality: Quality,
    pull: Vec<f32>,
    shape: shape::Scratch,
}

impl Look {
    /// Room for what `eye` sees of parts of this kind, projected to `k` numbers a cell of each level.
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

    /// Heat of each cell: its distance with its blame, or its pixels' deviation, whichever is farther; 1 is the limit
    /// that the good parts of `card` set.
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

/// Judges frames by a taught part. One inspector serves one thread.
pub struct Inspector {
    eye: Eye,
    part: Part,
    judged_by: Provenance,
    ran_on: Vec<RanOn>,
    limit: f32,
    fixture: Option<Fixture>,
    /// Of a part that is heard: what makes pictures of sounds, and tells what they are like all the time.
    spectrograph: Option<Spectrograph>,
    steady: Option<Steady>,
    look: Look,
}

impl Inspector {
    /// An inspector of `part` with the model package it was taught with.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the part was taught with another model; else as [`Eye::open`].
    pub fn new(manifest: &Manifest, part: Part, backend: &dyn Backend, options: Options) -> Result<Self> {
        let taught = &part.card.model;
        if taught.digest != manifest.digest() {
            let what = format!(
                "part `{}` was taught with {} {} ({}), this package is {} {} ({}): teach it again",
                part.card.name,
                taught.name,
                taught.version,
                short(&taught.digest),
                manifest.name,
                manifest.version,
                short(manifest.digest())
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        let mut eye = Eye::open(manifest, part.card.kind.sense(), taught.precision, backend, options)?;
        if eye.encoder().size() != taught.input {
            eye.encoder().resize(taught.input[0], taught.input[1])?;
        }
        eye.check(&part)?;
        let judged_by = Provenance {
            part: part.card.name.clone(),
            part_digest: part.digest.clone(),
            model: format!("{} {}", manifest.name, manifest.version),
            model_digest: manifest.digest().to_string(),
            precision: part.card.model.precision.as_str(),
        };
        let placement = eye.encoder().placement().iter();
        let ran_on = placement.map(|p| RanOn { provider: p.provider.clone(), nodes: p.nodes }).collect();
        let look = Look::new(&eye, part.card.kind, part.learned.levels.iter().map(|level| level.weights.ncols()));
        let limit = part.judgement.calibration.limit(part.card.overkill);
        let fixture = part.reference.as_ref().map(Fixture::new).transpose()?;
        let heard = part.card.kind.sense() == Sense::Audio;
        let spectrograph = heard.then(|| spectrograph(manifest)).transpose()?;
        let steady = match (&part.card.sound, &part.usual, &spectrograph) {
            (Some(sound), Some(usual), Some(spectrograph)) => {
                let SpectrogramSpec { rate, bands, .. } = spectrograph.spec();
                let steady = Steady::new(rate, sound.steady_samples, bands)?;
                if steady.values() != usual.mean.len() {
                    let (name, wants, has) = (&part.card.name, steady.values(), usual.mean.len());
                    let what = format!("part `{name}`: `usual.mean` wants {wants} values, found {has}");
                    return Err(Error::new(ErrorKind::Config, what));
                }
                Some(steady)
            }
            _ => None,
        };
        Ok(Self { eye, part, judged_by, ran_on, limit, fixture, spectrograph, steady, look })
    }

    /// The part that is judged by.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// What samples are judged by.
    pub fn judged_by(&self) -> &Provenance {
        &self.judged_by
    }

    /// The eye, for measuring its stages alone.
    pub fn eye(&mut self) -> &mut Eye {
        &mut self.eye
    }

    /// Judges one frame.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the part was taught from sounds; [`ErrorKind::Runtime`] when the runtime fails. A picture
    /// that cannot be judged is no error but [`Verdict::Invalid`].
    pub fn inspect(&mut self, frame: &Frame) -> Result<Report> {
        if self.spectrograph.is_some() {
            let what = format!("part `{}` was taught from sounds: it cannot judge a picture", self.part.card.name);
            return Err(Error::new(ErrorKind::Input, what));
        }
        self.judge(frame, None)
    }

    fn judge(&mut self, frame: &Frame, steady: Option<[f32; 3]>) -> Result<Report> {
        let start = Instant::now();
        self.eye.see(frame, self.fixture.as_ref(), &self.part.ignored, &mut self.look)?;
        let prepared = Instant::now();
        self.eye.encode()?;
        let encoded = Instant::now();

        let Part { learned, golden, judgement, card, .. } = &self.part;
        let mut distances = self.eye.compare(learned, golden.as_ref(), &mut self.look)?;
        distances.steady = steady;
        let [local, global, pixels, tones, level, rhythm] = judgement.standard(distances);
        let steady =
            tones.zip(level).zip(rhythm).map(|((tones, level), rhythm)| report::Steady { tones, level, rhythm });
        let score = judgement.score(distances);
        let p_value = judgement.calibration.p_value(score);

        let [rows, columns] = self.eye.grid();
        let mut heatmap = Heatmap { values: self.look.heat(card).collect(), rows, columns };
        cool_ignored(&mut heatmap, &self.part.ignored, card.model.input);
        let shown = shown_level(learned.levels.len());
        let entries = self.look.scratch.nearest[shown].iter().map(|nearest| nearest.entry).collect();
        let [rows, columns] = self.look.scratch.grids[shown];
        let mut expected = Expected { entries, rows, columns };
        if let Some(view) = &self.look.view {
            (heatmap, expected) =
                (heat_taken_back(&heatmap, view, frame)?, entries_taken_back(&expected, view, frame)?);
        }
        let findings = find_regions(&heatmap, frame.width(), frame.height());

        let (verdict, reason) = match self.cannot_be_judged(frame) {
            Some(reason) => (Verdict::Invalid, reason),
            None => self.decide(p_value, score),
        };
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        Ok(Report {
            verdict,
            reason,
            score,
            limit: self.limit,
            p_value,
            local: local.unwrap_or_default(),
            global: global.unwrap_or_default(),
            pixels,
            steady,
            pose: self.look.view.as_ref().map(pose_of),
            findings: if verdict == Verdict::Invalid { Vec::new() } else { findings },
            heatmap,
            expected,
            ms: Times {
                decode: 0.0,
                prepare: ms(start, prepared),
                encode: ms(prepared, encoded),
                judge: ms(encoded, Instant::now()),
            },
            ran_on: self.ran_on.clone(),
            judged_by: self.judged_by.clone(),
        })
    }

    /// Judges one sound by a part that was taught from sounds. Also gives the picture of it that was looked at: the
    /// report's heat and regions lie on that.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the part was taught from pictures, the sound is too short to be looked at, or a sample
    /// is no number; [`ErrorKind::Runtime`] when the runtime fails. A sound that cannot be judged is no error but
    /// [`Verdict::Invalid`].
    pub fn hear(&mut self, sound: &Sound) -> Result<(Frame, Report)> {
        let start = Instant::now();
        let Some(spectrograph) = &mut self.spectrograph else {
            let what = format!("part `{}` was taught from pictures: it cannot judge a sound", self.part.card.name);
            return Err(Error::new(ErrorKind::Input, what));
        };
        let frame = spectrograph.picture(sound)?;
        let heard = Loudness::of(sound)?;
        let mut off = None;
        if let (Some(steady), Some(usual)) = (&mut self.steady, &self.part.usual) {
            let mut values = vec![0.0; steady.values()];
            // Too short for it, a sound has the wrong length too.
            if steady.run(spectrograph.mono(), spectrograph.level(), &mut values).is_ok() {
                off = Some(steady.groups().map(|group| usual.off(&values, &group)));
            }
        }
        let prepared = start.elapsed().as_secs_f64() * 1e3;
        let mut report = self.judge(&frame, off.map(|off| off.map(|off| off.distance)))?;
        report.ms.prepare += prepared;
        if let Some(reason) = self.part.card.sound.and_then(|taught| taught.deaf(heard)) {
            (report.verdict, report.reason) = (Verdict::Invalid, reason);
            report.findings.clear();
        }
        if let Some(spectrograph) = &self.spectrograph {
            report.findings.iter_mut().for_each(|finding| describe(finding, spectrograph, &report.heatmap, &frame));
            if let (Some(off), Some(steady), Verdict::Fail | Verdict::Unsure | Verdict::Pass) =
                (off, &self.steady, report.verdict)
            {
                let mut found = steady_findings(off, &report, steady, spectrograph, &frame);
                if let Some(bearing) = self.part.card.bearing {
                    found.iter_mut().for_each(|finding| name_rhythm(finding, bearing));
                }
                report.findings.extend(found);
                report.findings.sort_by(|a, b| b.severity.total_cmp(&a.severity));
            }
        }
        Ok((frame, report))
    }

    /// Why the frame cannot be judged, if so: not this part, not in view, or blind.
    fn cannot_be_judged(&self, frame: &Frame) -> Option<String> {
        // The picture of a sound has neither light nor focus.
        if self.spectrograph.is_some() {
            return None;
        }
        let blind = cannot_be_judged(frame, self.look.quality, &self.part.card.picture, self.part.card.good);
        blind.or_else(|| {
            let (pose, least) = (self.look.view.as_ref()?.pose, self.part.card.least_correlation?);
            if pose.ncc < least {
                return Some(format!(
                    "not found: correlation {:.2} with the taught picture, least {least:.2}",
                    pose.ncc
                ));
            }
            let seen = 100.0 * pose.overlap;
            (pose.overlap < LEAST_OVERLAP).then(|| format!("out of view: {seen:.0} % of the taught view is seen"))
        })
    }

    /// The verdict is a rule over the p-value: at most the promised share of good parts fails. A person is asked
    /// up to twice that share, and about what is stranger than every good picture while these are too few to prove
    /// the promise.
    fn decide(&self, p_value: f64, score: f32) -> (Verdict, String) {
        let overkill = self.part.card.overkill;
        let calibration = &self.part.judgement.calibration;
        if p_value <= overkill {
            (Verdict::Fail, String::new())
        } else if p_value <= 2.0 * overkill {
            (Verdict::Unsure, format!("near the limit: p = {p_value:.4}, fails at {overkill}"))
        } else if calibration.proven() > overkill && calibration.scores().last().is_some_and(|most| score > *most) {
            let n = calibration.scores().len();
            (Verdict::Unsure, format!("stranger than all {n} good pictures, too few to tell: p = {p_value:.4}"))
        } else {
            (Verdict::Pass, String::new())
        }
    }
}

/// What is strange all the time, if it is beyond the limit.
fn steady_findings(
    off: [Off; 3],
    report: &Report,
    steady: &Steady,
    spectrograph: &Spectrograph,
    frame: &Frame,
) -> Vec<Finding> {
    let Some(report::Steady { tones, level, rhythm }) = report.steady else { return Vec::new() };
    let (rows, columns) = (frame.height(), frame.width());
    let seconds = [0, columns].map(|x| spectrograph.seconds(x as f64));
    let [tone, loudest, beat] = off;
    let (at, row) = (steady.hz(tone.value), rows as f64 - steady.hz(loudest.value));
    let band = [row, row - 1.0].map(|row| spectrograph.hz(row));
    // A band that is louder for the sake of one tone is told by the tone.
    let is_tone = level >= report.limit && tone.db >= TONE_DB && (0.98 * band[0]..=1.02 * band[1]).contains(&at);
    let mut findings = Vec::new();
    let mut found = |score: f32, place: String, hz: [f64; 2], db: f32, character: &'static str| {
        findings.push(Finding {
            region: Region { x: 0, y: 0, width: columns, height: rows },
            area_px: (rows * columns) as f64,
            area_share: 1.0,
            peak: [columns / 2, rows / 2],
            severity: score / report.limit,
            place: place.into(),
            heard: Some(Event { seconds, hz, db, character }),
        });
    };
    if tones >= report.limit || is_tone {
        let score = if is_tone { tones.max(level) } else { tones };
        found(score, format!("{at:.0} Hz, all the time"), [0.99 * at, 1.01 * at], tone.db, "tone");
    }
    if level >= report.limit && !is_tone {
        let place = format!("{:.2} to {:.2} kHz, all the time", band[0] / 1e3, band[1] / 1e3);
        found(level, place, band, loudest.db, if loudest.db < 0.0 { "quieter" } else { "louder" });
    }
    if rhythm >= report.limit {
        let at = steady.hz(beat.value);
        found(rhythm, format!("{at:.1} times a second"), [at, at], beat.db, "rhythm");
    }
    findings
}

/// Says what of a bearing beats at the rate of a rhythm, where something does.
fn name_rhythm(finding: &mut Finding, bearing: Bearing) {
    let Some(Event { hz: [hz, _], character: "rhythm", .. }) = finding.heard else { return };
    if let Some(named) = bearing.name(hz, rhythm::REACH) {
        finding.place = format!("{}: {named}", finding.place).into();
    }
}

/// Decibels by which a tone must stand out more than usual to be what makes its band louder.
const TONE_DB: f32 = 10.0;

/// Says what is heard where a finding lies in the picture of a sound.
fn describe(finding: &mut Finding, spectrograph: &Spectrograph, heatmap: &Heatmap, frame: &Frame) {
    let Region { x, y, width, height } = finding.region;
    let seconds = [x, x + width].map(|x| spectrograph.seconds(x as f64));
    let hz = [y + height, y].map(|y| spectrograph.hz(y as f64));
    let [columns, rows] = [frame.width(), frame.height()];
    // Only where it is hot: the box around it holds more.
    let hot = |x: usize, y: usize| {
        heatmap.values[(y * heatmap.rows / rows) * heatmap.columns + x * heatmap.columns / columns] >= 1.0
    };
    let range = spectrograph.spec().range_db;
    let decibels = |x: usize, y: usize| (f32::from(frame.pixels()[y * columns + x]) - 127.5) / 127.5 * range;
    let inside = (y..y + height).flat_map(|y| (x..x + width).map(move |x| (x, y))).filter(|&(x, y)| hot(x, y));
    let (mut most, mut least) = (0.0f32, 0.0f32);
    for db in inside.map(|(x, y)| decibels(x, y)) {
        (most, least) = (most.max(db), least.min(db));
    }
    // Noise alone leaves its median by some decibels to both sides.
    let db = if most >= 0.5 * -least { most } else { least };
    let character = match (seconds[1] - seconds[0], hz[1] - hz[0]) {
        _ if db < 0.0 => "gap",
        (short, _) if short < KNOCK_SECONDS => "knock",
        (_, narrow) if narrow < TONE_SHARE * hz[1] => "tone",
        _ => "noise",
    };
    let [low, high] = hz.map(|hz| hz / 1e3);
    finding.place = format!("{low:.2} to {high:.2} kHz, {:.2} to {:.2} s", seconds[0], seconds[1]).into();
    finding.heard = Some(Event { seconds, hz, db, character });
}

/// A sound that is over sooner is a knock.
const KNOCK_SECONDS: f64 = 0.3;
/// A sound whose band is narrower, as a share of its upper end, is a tone.
const TONE_SHARE: f64 = 0.2;

/// Share of the taught view that a picture must show.
const LEAST_OVERLAP: f32 = 0.8;

fn pose_of(view: &View) -> Pose {
    let [a, _, _, d, _, _] = view.pose.picture_from_reference.m;
    Pose {
        centre: view
            .pose
            .picture_from_reference
            .apply([view.frame.width() as f64 / 2.0, view.frame.height() as f64 / 2.0]),
        turn_deg: d.atan2(a).to_degrees(),
        scale: a.hypot(d),
        correlation: view.pose.ncc,
        overlap: view.pose.overlap,
    }
}

/// Brings places of a grid over the picture to the same grid over the taught pose.
fn pose_from_picture([rows, columns]: [usize; 2], view: &View, frame: &Frame) -> Result<Affine> {
    let view_from_picture = view
        .pose
        .picture_from_reference
        .inverse()
        .ok_or_else(|| Error::new(ErrorKind::Input, "the pose found flattens the picture"))?;
    let picture_from_grid =
        Affine::scale_shift([frame.width() as f64 / columns as f64, frame.height() as f64 / rows as f64], [0.0; 2]);
    let grid_from_view = Affine::scale_shift(
        [columns as f64 / view.frame.width() as f64, rows as f64 / view.frame.height() as f64],
        [0.0; 2],
    );
    Ok(grid_from_view.after(&view_from_picture.after(&picture_from_grid)))
}

/// The cell of a grid that a place lies in, or the nearest one.
fn cell_at([rows, columns]: [usize; 2], x: f64, y: f64) -> usize {
    let side = |v: f64, n: usize| (v.max(0.0) as usize).min(n - 1);
    side(y, rows) * columns + side(x, columns)
}

/// Heat found in the taught pose, on a grid over the picture itself. Where the taught view does not reach, it is
/// nought.
fn heat_taken_back(heatmap: &Heatmap, view: &View, frame: &Frame) -> Result<Heatmap> {
    let (rows, columns) = (heatmap.rows, heatmap.columns);
    let there = pose_from_picture([rows, columns], view, frame)?;
    let value = |i: usize| {
        let [x, y] = there.apply([(i % columns) as f64 + 0.5, (i / columns) as f64 + 0.5]);
        if x < 0.0 || y < 0.0 || x >= columns as f64 || y >= rows as f64 {
            return 0.0;
        }
        let ([u, v], [left, top]) = ([(x - 0.5).rem_euclid(1.0), (y - 0.5).rem_euclid(1.0)], [x - 0.5, y - 0.5]);
        let at = |x: f64, y: f64| heatmap.values[cell_at([rows, columns], x, y)];
        let mix = |a: f32, b: f32, share: f64| a + (b - a) * share as f32;
        let row = |y: f64| mix(at(left, y), at(left + 1.0, y), u);
        mix(row(top), row(top + 1.0), v)
    };
    Ok(Heatmap { values: (0..rows * columns).map(value).collect(), rows, columns })
}

/// Entries found in the taught pose, on a grid over the picture itself.
fn entries_taken_back(expected: &Expected, view: &View, frame: &Frame) -> Result<Expected> {
    let (rows, columns) = (expected.rows, expected.columns);
    let there = pose_from_picture([rows, columns], view, frame)?;
    let entry = |i: usize| {
        let [x, y] = there.apply([(i % columns) as f64 + 0.5, (i / columns) as f64 + 0.5]);
        expected.entries[cell_at([rows, columns], x, y)]
    };
    Ok(Expected { entries: (0..rows * columns).map(entry).collect(), rows, columns })
}

fn short(digest: &str) -> &str {
    digest.get(..8).unwrap_or(digest)
}

/// Cells of which more than half are ignored say nothing.
fn cool_ignored(heatmap: &mut Heatmap, ignored: &[u8], [height, width]: [usize; 2]) {
    if ignored.is_empty() {
        return;
    }
    let (tall, wide) = (height / heatmap.rows, width / heatmap.columns);
    for (i, value) in heatmap.values.iter_mut().enumerate() {
        let (row, column) = (i / heatmap.columns, i % heatmap.columns);
        let lines = (row * tall..(row + 1) * tall).map(|y| &ignored[y * width + column * wide..][..wide]);
        if 2 * lines.flatten().filter(|v| **v != 0).count() > tall * wide {
            *value = 0.0;
        }
    }
}

/// Why a picture cannot be judged, if so: its size, light or focus is far outside what was taught.
fn cannot_be_judged(frame: &Frame, quality: Quality, taught: &Envelope, good: usize) -> Option<String> {
    let [width, height] = [frame.width(), frame.height()];
    let fits = |side: usize, [least, most]: [usize; 2]| 4 * side >= 3 * least && 3 * side <= 4 * most;
    if !fits(width, taught.width) || !fits(height, taught.height) {
        let span =
            |[least, most]: [usize; 2]| if least == most { least.to_string() } else { format!("{least}-{most}") };
        let (wide, tall) = (span(taught.width), span(taught.height));
        return Some(format!("wrong size: {width} x {height} pixels, taught with {wide} x {tall}"));
    }
    // Half the taught range is granted on each side, and never less than a visible change; few pictures say little of
    // the range.
    let outside = |value: f32, [least, most]: [f32; 2], least_margin: f32| {
        let margin = (0.5 * (most - least)).max(least_margin * (1.0 + 2.0 / good.max(1) as f32));
        (value < least - margin, value > most + margin)
    };
    let (dark, bright) = outside(quality.brightness, taught.brightness, 25.0);
    let (_, black) = outside(quality.black, taught.black, 0.35);
    let (_, white) = outside(quality.white, taught.white, 0.35);
    let (flat, _) = outside(quality.contrast, taught.contrast, 0.5 * taught.contrast[0]);
    let (soft, _) = outside(quality.sharpness, taught.sharpness, 1.2);
    let [least, most] = taught.brightness;
    if dark || black {
        return Some(format!("too dark: mean {:.0}, taught {least:.0}-{most:.0}", quality.brightness));
    }
    if bright || white {
        return Some(format!("too bright: mean {:.0}, taught {least:.0}-{most:.0}", quality.brightness));
    }
    if flat {
        let least = taught.contrast[0];
        return Some(format!("no contrast: {:.1}, taught at least {least:.1}", quality.contrast));
    }
    soft.then(|| {
        format!("out of focus: sharpness {:.1}, taught at least {:.1}", quality.sharpness, taught.sharpness[0])
    })
}

/// Connected cells (eight neighbours) at or above heat 1, most severe first.
fn find_regions(heatmap: &Heatmap, width: usize, height: usize) -> Vec<Finding> {
    let Heatmap { values, rows, columns } = heatmap;
    let (rows, columns) = (*rows, *columns);
    let mut seen = vec![false; values.len()];
    let mut findings = Vec::new();
    let cell = [width as f64 / columns as f64, height as f64 / rows as f64];
    for start in 0..values.len() {
        if seen[start] || values[start] < 1.0 {
            continue;
        }
        let (mut stack, mut members) = (vec![start], Vec::new());
        seen[start] = true;
        while let Some(at) = stack.pop() {
            members.push(at);
            let (row, column) = (at / columns, at % columns);
            for y in row.saturating_sub(1)..=(row + 1).min(rows - 1) {
                for x in column.saturating_sub(1)..=(column + 1).min(columns - 1) {
                    let next = y * columns + x;
                    if !seen[next] && values[next] >= 1.0 {
                        seen[next] = true;
                        stack.push(next);
                    }
                }
            }
        }
        let span = |of: &dyn Fn(usize) -> usize, size: f64, side: usize| {
            let least = members.iter().map(|&m| of(m)).min().unwrap_or(0);
            let most = members.iter().map(|&m| of(m)).max().unwrap_or(0);
            let from = (least as f64 * size).round() as usize;
            (from, (((most + 1) as f64 * size).round() as usize).min(side) - from)
        };
        let (x, wide) = span(&|m| m % columns, cell[0], width);
        let (y, tall) = span(&|m| m / columns, cell[1], height);
        let peak = members.iter().copied().max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(start);
        let centre = [(peak % columns) as f64 + 0.5, (peak / columns) as f64 + 0.5];
        let area_px = members.len() as f64 * cell[0] * cell[1];
        findings.push(Finding {
            region: Region { x, y, width: wide, height: tall },
            area_px,
            area_share: members.len() as f64 / values.len() as f64,
            peak: [(centre[0] * cell[0]) as usize, (centre[1] * cell[1]) as usize],
            severity: values[peak],
            place: place(centre[0] / columns as f64, centre[1] / rows as f64).into(),
            heard: None,
        });
    }
    findings.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    findings
}

/// A ninth of the picture in words.
fn place(x: f64, y: f64) -> &'static str {
    const PLACES: [[&str; 3]; 3] =
        [["top left", "top", "top right"], ["left", "centre", "right"], ["bottom left", "bottom", "bottom right"]];
    let third = |share: f64| ((share * 3.0) as usize).min(2);
    PLACES[third(y)][third(x)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_boxes_in_picture_pixels_most_severe_first() {
        let mut values = vec![0.2; 20];
        (values[0], values[6], values[19]) = (1.2, 1.5, 3.0);
        let heatmap = Heatmap { values, rows: 4, columns: 5 };
        let findings = find_regions(&heatmap, 100, 40);
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].region, Region { x: 80, y: 30, width: 20, height: 10 });
        assert_eq!((&*findings[0].place, findings[0].severity), ("bottom right", 3.0));
        // Diagonal neighbours are one region.
        assert_eq!(findings[1].region, Region { x: 0, y: 0, width: 40, height: 20 });
        assert_eq!(findings[1].area_px, 400.0);
    }

    #[test]
    fn an_ignored_cell_is_never_hot() {
        let mut heatmap = Heatmap { values: vec![5.0; 4], rows: 2, columns: 2 };
        let mut ignored = vec![0; 16];
        [0, 1, 4, 5].iter().for_each(|&i| ignored[i] = 1);
        ignored[2] = 1;
        cool_ignored(&mut heatmap, &ignored, [4, 4]);
        assert_eq!(heatmap.values, [0.0, 5.0, 5.0, 5.0]);
    }
}
