//! A taught part, and its files: `part.toml` for people (`card`), one safetensors file for the numbers (`write`,
//! `read`). `folder` changes the folder; `pair` holds parts of two senses.

mod card;
mod ranges;
mod read;
mod samples;
mod write;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use sha2::{Digest as _, Sha256};

use super::folder::{self, CURRENT, Lock};
use super::golden::Golden;
use super::learned::{Distances, Judgement, Learned};
use super::motion::UsualMotion;
use super::usual::Usual;
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::hex;
use crate::prepare::fixture::Reference;

pub(crate) use card::LONGEST_INPUT;
pub(super) use card::check_format;
pub use card::{Card, FORMAT, Kind, MemoryRef, ModelRef};
pub(crate) use ranges::LEAST_SPOILT;
pub use ranges::{Audible, Envelope, Loudness, Moving};
pub use samples::{Samples, View};

/// Side in pixels of the image that is kept of each bank entry.
pub const TILE: usize = 24;
/// Its side in patches: a little more than the patch itself.
pub const TILE_CELLS: f64 = 1.5;

/// What was taught about one part, for one sense.
#[derive(Debug, Clone)]
pub struct Part {
    /// The contents of `part.toml`.
    pub card: Card,
    /// Banks and Gaussian model.
    pub learned: Learned,
    /// Maps distances to a p-value.
    pub judgement: Judgement,
    /// Held-out good samples.
    pub held_out: Vec<HeldOut>,
    /// What is particular to the sense.
    pub sense: SenseMemory,
    /// Summaries of the good samples, `f32[n, d]`. The Gaussian model is fitted again from them when samples are added.
    pub summaries: Array2<f32>,
    /// Summaries of augmented good samples, `f32[m, d]`, which the Gaussian model uses too; m may be 0.
    pub varied: Array2<f32>,
    /// Image of each bank entry of the level that is shown, `u8[entries, TILE, TILE, 3]`.
    pub tiles: Vec<u8>,
    /// Masked pixels of the encoder's input, `u8[height, width]`, 0 or 1; empty if there is no mask.
    pub ignored: Arc<[u8]>,
    /// The good samples it was taught from.
    pub samples: Samples,
    /// sha256 of `part.toml`; empty until the part is first saved.
    pub digest: String,
}

/// What is particular to the sense that a part was taught for.
#[derive(Debug, Clone)]
pub enum SenseMemory {
    /// Taught from images.
    Image {
        /// The registration reference, if the part is registered.
        reference: Option<Reference>,
        /// Allowed band of its pixels, if they are compared.
        golden: Option<Golden>,
    },
    /// Taught from sounds.
    Sound {
        /// Baseline statistics; `None` if the sounds are too few or too short.
        baseline: Option<Usual>,
    },
    /// Taught from clips.
    Clip {
        /// Motion by place and time.
        motion: UsualMotion,
    },
}

/// A good sample, measured while it was not in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HeldOut {
    /// Its distances.
    pub distances: Distances,
    /// The greatest [`Blame::heat`](super::learned::Blame::heat) of a patch.
    pub heat: f32,
    /// The greatest deviation of a patch's pixels; zero if they are not compared.
    pub deviation: f32,
}

impl Part {
    /// Reads the part in folder `dir`.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is none, [`ErrorKind::Integrity`] when the numbers do not match the digest
    /// in `part.toml`, [`ErrorKind::Config`] naming the field that is wrong.
    pub fn load(dir: &Path) -> Result<Self> {
        let (path, text) = folder::read(dir)?;
        let card = Card::parse(&path, &text)?;
        let numbers = dir.join(&card.memory.file);
        let bytes = fs::read(&numbers).map_err(|error| Error::io("read", &numbers, error))?;
        let found = hex(&Sha256::digest(&bytes));
        if found != card.memory.sha256 {
            let expected = &card.memory.sha256;
            let what = format!("{}: sha256 is {found}, {CURRENT} promises {expected}", numbers.display());
            return Err(Error::new(ErrorKind::Integrity, what));
        }
        let digest = hex(&Sha256::digest(text.as_bytes()));
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", numbers.display()));
        read::decode(card, &bytes, digest).map_err(wrong)
    }

    /// Writes the part to the locked folder and makes it the current one. The last one is kept as one step back.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be written; the old part is then untouched.
    pub fn save(&mut self, lock: &Lock) -> Result<()> {
        let bytes = write::encode(self)?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let file = format!("memory-{}.safetensors", &sha256[..12]);
        self.card.memory = MemoryRef { file: file.clone(), sha256 };
        let written = toml::to_string(&self.card)
            .map_err(|error| Error::caused(ErrorKind::Config, format!("cannot write {CURRENT}"), error))?;
        let text = format!("# A part taught to eyear. The numbers are in the file named under [memory].\n{written}");
        folder::replace(lock, Some((&file, &bytes)), &text)?;
        self.digest = hex(&Sha256::digest(text.as_bytes()));
        Ok(())
    }

    /// The registration reference, if the part is registered.
    pub fn reference(&self) -> Option<&Reference> {
        match &self.sense {
            SenseMemory::Image { reference, .. } => reference.as_ref(),
            _ => None,
        }
    }

    /// Allowed band of its pixels, if they are compared.
    pub fn golden(&self) -> Option<&Golden> {
        match &self.sense {
            SenseMemory::Image { golden, .. } => golden.as_ref(),
            _ => None,
        }
    }

    /// Baseline statistics of good sounds, if known.
    pub fn usual(&self) -> Option<&Usual> {
        match &self.sense {
            SenseMemory::Sound { baseline } => baseline.as_ref(),
            _ => None,
        }
    }

    /// Motion of good clips by place and time, if it was taught from clips.
    pub fn motion(&self) -> Option<&UsualMotion> {
        match &self.sense {
            SenseMemory::Clip { motion } => Some(motion),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use half::f16;
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::memory::learned::{Blame, Level};
    use crate::memory::shape::Shape;
    use crate::package::manifest::Precision;
    use crate::prepare::quality::Quality;
    use crate::prepare::steady::GROUPS;

    /// A small part of made-up numbers that has everything a part of its kind can have.
    pub fn part(kind: Kind) -> Part {
        let table = |rows: usize, columns: usize| Array2::from_shape_fn((rows, columns), |(i, j)| (3 * i + j) as f32);
        let bank = (table(5, kind.places() + 2), (0..5).map(|i| [i, 2 * i]).collect());
        let levels = vec![Level::new(8, table(4, 2), bank, 1.5)];
        let line = |values: &[f32]| Array1::from(values.to_vec());
        let shape = Shape {
            tameness: line(&[1.0, 2.0]),
            mean: line(&[3.0, 4.0]),
            inverse_deviation: line(&[5.0, 6.0]),
            axes: table(1, 2),
            excess: line(&[-1.0]),
            ball: 0.5,
        };
        let sense = of_sense(kind);
        let distances = |i: usize| Distances {
            local: i as f32,
            global: 2.0 * i as f32,
            pixels: (kind == Kind::Golden).then_some(0.25),
            steady: (kind == Kind::Sound).then_some([0.75; GROUPS.len()]),
        };
        let deviation = if kind == Kind::Golden { 4.0 } else { 0.0 };
        let held_out: Vec<HeldOut> =
            (0..3).map(|i| HeldOut { distances: distances(i), heat: 3.0, deviation }).collect();
        let judged: Vec<Distances> = held_out.iter().map(|held_out| held_out.distances).collect();
        Part {
            card: card(kind),
            learned: Learned::new(levels, shape),
            judgement: Judgement::learn(&judged),
            held_out,
            sense,
            summaries: table(3, 2),
            varied: table(2, 2),
            tiles: (0..5 * TILE * TILE * 3).map(|i| (i % 251) as u8).collect(),
            ignored: vec![0, 1].into(),
            samples: Samples {
                names: vec!["good/a.png".into(), "good/\u{4e00}\n.png".into()],
                view: Some(View { pixels: (0..6).collect(), width: 2, height: 1 }),
            },
            digest: String::new(),
        }
    }

    fn of_sense(kind: Kind) -> SenseMemory {
        match kind {
            Kind::Sound => {
                let together = (0..8).map(|i| i as f32).collect();
                SenseMemory::Sound { baseline: Some(Usual::new(2, vec![1.0; 6], vec![2.0; 6], together)) }
            }
            Kind::Clip => SenseMemory::Clip {
                motion: UsualMotion { count: 2, mean: vec![1.0; 4], most: vec![2.0; 4], stills: vec![3.0; 6] },
            },
            _ => {
                let reference = Reference { pixels: (0..12).collect(), width: 4, height: 3 };
                let golden = Golden::new([4, 3]);
                let golden = Golden { low: vec![f16::from_f32(-1.5); golden.width * golden.height], ..golden };
                SenseMemory::Image {
                    reference: kind.is_registered().then_some(reference),
                    golden: (kind == Kind::Golden).then_some(golden),
                }
            }
        }
    }

    fn card(kind: Kind) -> Card {
        let model = ModelRef {
            name: "model".into(),
            version: "1".into(),
            digest: "00".into(),
            precision: Precision::Int8,
            input: [1, 2],
        };
        let heard = Audible {
            seconds: [2.0; 2],
            rms_dbfs: [-20.0; 2],
            spoilt: [0.0; 3],
            silent_channels: Some(0),
            steady_samples: 9,
        };
        Card {
            format: FORMAT,
            name: "part".into(),
            kind,
            good: 3,
            overkill: 0.01,
            heat_limit: 1.0,
            blame: Blame { weight: 0.5, scale: 0.25 },
            deviation_limit: (kind == Kind::Golden).then_some(2.0),
            least_correlation: kind.is_registered().then_some(0.3),
            strides: vec![8],
            model,
            picture: Envelope::of(std::iter::once((Quality::default(), [4, 3]))),
            sound: (kind == Kind::Sound).then_some(heard),
            clip: (kind == Kind::Clip).then_some(Moving { seconds: [1.0; 2], rate: [12.0; 2], motion: [5.0; 2] }),
            bearing: None,
            memory: MemoryRef { file: String::new(), sha256: String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::SafeTensors;
    use tempfile::TempDir;

    use super::*;

    const KINDS: [Kind; 6] = [Kind::Texture, Kind::Framed, Kind::Aligned, Kind::Golden, Kind::Sound, Kind::Clip];

    #[test]
    fn what_is_written_of_each_sense_is_read_again() {
        for kind in KINDS {
            let dir = TempDir::new().unwrap();
            let mut part = testing::part(kind);
            part.save(&Lock::take(dir.path(), &|| ()).unwrap()).unwrap();
            let read = Part::load(dir.path()).unwrap();
            assert_eq!((&read.card, &read.digest, &read.held_out), (&part.card, &part.digest, &part.held_out));
            assert_eq!(write::encode(&read).unwrap(), write::encode(&part).unwrap(), "{kind:?}");
            assert_eq!((read.reference(), read.golden()), (part.reference(), part.golden()), "{kind:?}");
            assert_eq!(read.samples, part.samples, "{kind:?}");
            assert_eq!(
                (read.reference().is_some(), read.golden().is_some()),
                (kind.is_registered(), kind == Kind::Golden)
            );
            assert_eq!((read.usual().is_some(), read.motion()), (kind == Kind::Sound, part.motion()), "{kind:?}");
        }
    }

    #[test]
    fn each_tensor_that_is_missing_is_named() {
        for kind in KINDS {
            let part = testing::part(kind);
            let bytes = write::encode(&part).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            for lacking in file.names() {
                let views: Vec<_> = file.tensors().into_iter().filter(|(name, _)| name != lacking).collect();
                let bytes = safetensors::serialize(views, None).unwrap();
                let read = read::decode(part.card.clone(), &bytes, String::new());
                // Older parts do not have these.
                if lacking.starts_with("samples.") {
                    assert_eq!(read.unwrap().samples == Samples::default(), lacking == "samples.names", "{lacking}");
                    continue;
                }
                let told = read.unwrap_err();
                // Sounds without a baseline have fewer distances.
                let expected = match lacking {
                    "usual.mean" => "`held_out` wants f32[n, 3], got [3, 8]".into(),
                    name => format!("no tensor `{name}`"),
                };
                assert_eq!(told, expected, "{kind:?}");
            }
        }
    }
}
