//! The picture or sound encoder of a model package: pixels → feature maps. Preparing the pixels, a sound's spectrogram
//! among them, is left to `prepare`, what the maps mean to `memory`.
//!
//! An input larger than one run should be is encoded in tiles that overlap, and of each tile only what lies away
//! from its inner edges is kept. Maps that see no farther than that margin are those of one run; coarser ones come near
//! (`tests/encoder.rs` tells how near).

use crate::backend::{Backend, Options, Placement, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::{EncoderSpec, Manifest, MapSpec, Precision, Sense};
use crate::tensor;

/// Sides of an input that is encoded in one run, at most, in pixels: bounds the memory of the runtime.
const TILE: usize = 640;
/// Pixels on each inner edge of a tile that only serve as surroundings.
const MARGIN: usize = 96;
/// No feature is larger; its square is still a number.
const LARGEST: f32 = 1e12;

/// An encoder that is ready to run at one input size.
pub struct MapEncoder {
    session: Box<dyn Session>,
    spec: EncoderSpec,
    precision: Precision,
    height: usize,
    width: usize,
    /// Place of each map of the manifest among the session's outputs.
    order: Vec<usize>,
    tiling: Option<Tiling>,
}

/// An input and its maps where these are larger than one run.
struct Tiling {
    /// Height and width of a tile.
    tile: [usize; 2],
    /// First row of each row of tiles, first column of each column.
    starts: [Vec<usize>; 2],
    /// `f32[3, height, width]`.
    input: Vec<f32>,
    /// `f32[channels, height / stride, width / stride]` in the manifest's order.
    maps: Vec<Vec<f32>>,
}

impl MapEncoder {
    /// Loads the package's encoder of a sense in this precision, at the manifest's input size, and warms it up.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] on a wrong digest, [`ErrorKind::Config`] when graph and manifest disagree,
    /// [`ErrorKind::Unavailable`] when there is no runtime or no such variant.
    pub fn load(
        manifest: &Manifest,
        sense: Sense,
        precision: Precision,
        backend: &dyn Backend,
        options: &Options,
    ) -> Result<Self> {
        let spec = manifest.encoder(sense)?.clone();
        let file = &spec.variant(precision, backend.format())?.file;
        let session = backend.open(file, &manifest.load(file)?, options)?;
        let disagree = |what: String| {
            let path = manifest.dir().join(file);
            Error::new(ErrorKind::Config, format!("{}: {what}, as its model.toml says", path.display()))
        };
        if session.inputs().len() != 1 || session.inputs()[0].name != spec.input {
            return Err(disagree(format!("the graph must have one input `{}`", spec.input)));
        }
        if session.outputs().len() != spec.outputs.len() {
            return Err(disagree(format!("the graph must have {} outputs", spec.outputs.len())));
        }
        let place = |map: &MapSpec| session.outputs().iter().position(|output| output.name == map.name);
        let missing = |map: &MapSpec| disagree(format!("the graph must have an output `{}`", map.name));
        let order = spec.outputs.iter().map(|map| place(map).ok_or_else(|| missing(map))).collect::<Result<_>>()?;
        let (height, width) = (spec.height, spec.width);
        let mut encoder = Self { session, spec, precision, height, width, order, tiling: None };
        encoder.resize(height, width)?;
        Ok(encoder)
    }

    /// Another one of the same size for another thread, which shares the weights ([`Session::fork`]).
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime refuses a second one.
    pub fn fork(&self) -> Result<Self> {
        let (session, spec, order) = (self.session.fork()?, self.spec.clone(), self.order.clone());
        let Self { precision, height, width, .. } = *self;
        let mut other = Self { session, spec, precision, height, width, order, tiling: None };
        other.resize(height, width)?;
        Ok(other)
    }

    /// Changes the input size and warms up; nothing is done when it is the present one and already bound.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a side is not a multiple of the manifest's step.
    pub fn resize(&mut self, height: usize, width: usize) -> Result<()> {
        let step = self.spec.multiple_of;
        if height == 0 || width == 0 || !height.is_multiple_of(step) || !width.is_multiple_of(step) {
            let what = format!("the encoder's input must be multiples of {step}, got {height} x {width}");
            return Err(Error::new(ErrorKind::Config, what));
        }
        (self.height, self.width) = (height, width);
        let tile = [height, width].map(|side| side.min(TILE.next_multiple_of(step)));
        self.tiling = (tile != [height, width]).then(|| {
            let maps = (0..self.order.len()).map(|i| vec![0.0; self.map_shape(i).iter().product()]);
            Tiling {
                tile,
                starts: [starts(height, tile[0], step), starts(width, tile[1], step)],
                input: vec![0.0; 3 * height * width],
                maps: maps.collect(),
            }
        });
        let mut outputs = vec![Vec::new(); self.order.len()];
        for (map, &place) in self.spec.outputs.iter().zip(&self.order) {
            outputs[place] = vec![1, map.channels, tile[0] / map.stride, tile[1] / map.stride];
        }
        self.session.bind(&[vec![1, 3, tile[0], tile[1]]], &outputs)?;
        // The first run makes the runtime plan its memory; do it now, not on the first part.
        self.input_mut()?.fill(0.0);
        self.encode()
    }

    /// What the manifest says of this encoder.
    pub fn spec(&self) -> &EncoderSpec {
        &self.spec
    }

    /// The precision that was loaded.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Height and width of the input in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// The input, `f32[1, 3, height, width]`, RGB, normalised by the manifest's mean and scale.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime lost it.
    pub fn input_mut(&mut self) -> Result<&mut [f32]> {
        match &mut self.tiling {
            Some(tiling) => Ok(&mut tiling.input),
            None => self.session.input_mut(0),
        }
    }

    /// Computes the maps from the input.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] with the runtime's own words, or when the maps hold what is no feature: distances from it
    /// would be no numbers, and such pass every limit.
    pub fn encode(&mut self) -> Result<()> {
        self.run()?;
        for (i, map) in self.spec.outputs.iter().enumerate() {
            // Not-a-number is not within either.
            if !self.map(i)?.iter().fold(true, |all, value| all & (value.abs() <= LARGEST)) {
                let what = format!("the model computed no usable numbers in `{}`", map.name);
                return Err(Error::new(ErrorKind::Runtime, what));
            }
        }
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        let (height, width) = (self.height, self.width);
        let Some(tiling) = &mut self.tiling else { return self.session.run() };
        let Tiling { tile, starts: [rows, columns], input, maps } = tiling;
        for &top in rows.iter() {
            for &left in columns.iter() {
                let target = self.session.input_mut(0)?.chunks_exact_mut(tile[1]);
                for (i, line) in target.enumerate() {
                    let (plane, row) = (i / tile[0], top + i % tile[0]);
                    line.copy_from_slice(&input[(plane * height + row) * width + left..][..tile[1]]);
                }
                self.session.run()?;
                for ((spec, &place), map) in self.spec.outputs.iter().zip(&self.order).zip(maps.iter_mut()) {
                    let stride = spec.stride;
                    let (wide, tall) = (tile[1] / stride, tile[0] / stride);
                    let columns = kept(left, tile[1], width, stride);
                    let lines = self.session.output(place)?.chunks_exact(wide).enumerate();
                    for (i, line) in lines.filter(|(i, _)| kept(top, tile[0], height, stride).contains(&(i % tall))) {
                        let (channel, row) = (i / tall, top / stride + i % tall);
                        let at = (channel * (height / stride) + row) * (width / stride) + left / stride;
                        map[at + columns.start..at + columns.end].copy_from_slice(&line[columns.clone()]);
                    }
                }
            }
        }
        Ok(())
    }

    /// Number of feature maps.
    pub fn maps(&self) -> usize {
        self.order.len()
    }

    /// `[channels, height, width]` of map `i`, in the manifest's order.
    pub fn map_shape(&self, i: usize) -> [usize; 3] {
        let MapSpec { stride, channels, .. } = self.spec.outputs[i];
        [channels, self.height / stride, self.width / stride]
    }

    /// Map `i` of the last run, `f32[channels, height, width]`.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime lost it.
    pub fn map(&self, i: usize) -> Result<&[f32]> {
        match &self.tiling {
            Some(tiling) => Ok(&tiling.maps[i]),
            None => self.session.output(self.order[i]),
        }
    }

    /// Which provider took how many nodes of the graph.
    pub fn placement(&self) -> &[Placement] {
        self.session.placement()
    }

    /// Nodes that were left to the CPU ([`Session::left_to_cpu`]).
    pub fn left_to_cpu(&self) -> &[String] {
        self.session.left_to_cpu()
    }

    /// What was asked for and did not come to be, a sentence each ([`Session::notices`]).
    pub fn notices(&self) -> &[String] {
        self.session.notices()
    }

    /// The package's golden input, `f32[3, height, width]`, with its height and width.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the file does not hold what the manifest says.
    pub fn golden_input(&self, manifest: &Manifest) -> Result<(Vec<f32>, [usize; 2])> {
        let golden = &self.spec.golden;
        let (pixels, shape) = tensor::read(&golden.input, &manifest.load(&golden.input)?, &self.spec.input)?;
        match shape[..] {
            [1, 3, height, width] => Ok((pixels, [height, width])),
            _ => {
                let what = format!("{}: `{}` must be f32[1, 3, ?, ?], got {shape:?}", golden.input, self.spec.input);
                Err(Error::new(ErrorKind::Integrity, what))
            }
        }
    }

    /// Cosine similarity of each map with the reference's, on the package's golden input.
    ///
    /// The golden input may have another size than the encoder; the encoder's own size is restored.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when a golden file does not hold what the manifest says.
    pub fn golden_similarity(&mut self, manifest: &Manifest) -> Result<Vec<f32>> {
        let golden = self.spec.golden.clone();
        let output = manifest.load(&golden.output)?;
        let (pixels, [height, width]) = self.golden_input(manifest)?;
        let [own_height, own_width] = self.size();
        self.resize(height, width)?;
        self.input_mut()?.copy_from_slice(&pixels);
        self.encode()?;
        let similarity = (0..self.maps()).map(|i| {
            let (expected, _) = tensor::read(&golden.output, &output, &self.spec.outputs[i].name)?;
            let got = self.map(i)?;
            if got.len() != expected.len() {
                let what = format!("{}: `{}` has another shape", golden.output, self.spec.outputs[i].name);
                return Err(Error::new(ErrorKind::Integrity, what));
            }
            Ok(tensor::cosine(&expected, got))
        });
        let similarity = similarity.collect::<Result<Vec<f32>>>()?;
        self.resize(own_height, own_width)?;
        Ok(similarity)
    }
}

/// Where tiles of `tile` pixels begin that cover `side` and overlap by both their margins at least: multiples of
/// `step`, evenly spread.
fn starts(side: usize, tile: usize, step: usize) -> Vec<usize> {
    let rest = side - tile;
    let tiles = rest.div_ceil(tile - 2 * MARGIN);
    let start = |i: usize| (rest * i / tiles.max(1) / step * step).min(rest);
    (0..=tiles).map(start).collect()
}

/// Which lines of a tile's map stand in the whole map: those away from its inner edges. What two tiles both keep is
/// the later one's.
fn kept(start: usize, tile: usize, side: usize, stride: usize) -> std::ops::Range<usize> {
    let first = if start == 0 { 0 } else { MARGIN / stride };
    let last = if start + tile == side { 0 } else { MARGIN / stride };
    first..tile / stride - last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_line_and_keep_away_from_inner_edges() {
        for side in [672, 704, 960, 1280, 2016, 4096] {
            let starts = starts(side, 640, 32);
            assert_eq!((starts[0], starts[starts.len() - 1] + 640), (0, side));
            for stride in [8, 16, 32] {
                let mut covered = vec![false; side / stride];
                for &start in &starts {
                    assert!(start % 32 == 0);
                    kept(start, 640, side, stride).for_each(|line| covered[start / stride + line] = true);
                }
                assert!(covered.iter().all(|covered| *covered), "side {side}, stride {stride}: {starts:?}");
            }
        }
    }
}
