//! A part that is seen and heard: two parts, taught from the same good samples in the same order.
//!
//! Nothing else need be kept. What was held out of each tells how strange the same good sample is to both senses, so how
//! the senses depend on each other is known; each part's own calibration is that of the sense left alone. How the senses'
//! p-values become one is left to `fuse`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bond::Bond;
use super::calibrate::Calibration;
use super::folder::{self, Lock};
use super::part::{FORMAT, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Sense, hex, wrong_at};

/// What a station was taught of a part that it sees and hears.
#[derive(Debug, Clone)]
pub struct Pair {
    /// By its pictures.
    pub sight: Part,
    /// By its sounds.
    pub hearing: Part,
    /// Whether a picture and a sound belong together, where that shows.
    pub bond: Option<Bond>,
    /// sha256 of `part.toml`; empty while the part was never saved.
    pub digest: String,
}

/// What a folder holds: a part of one sense, or of two.
#[derive(Debug, Clone)]
pub enum Taught {
    /// Seen, or heard.
    One(Box<Part>),
    /// Seen and heard.
    Both(Box<Pair>),
}

/// `part.toml` of a pair.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Card {
    format: u32,
    name: String,
    sight: Half,
    hearing: Half,
}

/// One sense's part.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Half {
    /// Its folder, beside `part.toml`.
    folder: String,
    /// sha256 of the `part.toml` in it.
    sha256: String,
}

impl Taught {
    /// Reads what is in folder `dir`; where that is taught anew meanwhile, what is in it then.
    ///
    /// # Errors
    /// As [`Part::load`].
    pub fn load(dir: &Path) -> Result<Self> {
        folder::settled(dir, || Self::read(dir))
    }

    fn read(dir: &Path) -> Result<Self> {
        let (path, text) = folder::read(dir)?;
        let is_pair = text.parse::<toml::Table>().is_ok_and(|card| card.contains_key("sight"));
        if !is_pair {
            return Ok(Self::One(Box::new(Part::load(dir)?)));
        }
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", path.display()));
        let card: Card = toml::from_str(&text).map_err(|error| wrong(wrong_at(&text, &error)))?;
        if card.format != FORMAT {
            return Err(wrong(format!("`format` is {}, this build reads {FORMAT}: teach the part again", card.format)));
        }
        let half = |field: &str, half: &Half, sense: Sense| {
            if !folder::is_plain(&half.folder) {
                return Err(wrong(format!("`{field}.folder` must be a plain folder name, got `{}`", half.folder)));
            }
            let part = Part::load(&dir.join(&half.folder))?;
            if part.digest != half.sha256 {
                let what = format!(
                    "{}: sha256 of its card is {}, {} promises {}",
                    dir.join(&half.folder).display(),
                    part.digest,
                    path.display(),
                    half.sha256
                );
                return Err(Error::new(ErrorKind::Integrity, what));
            }
            if part.card.kind.sense() != sense {
                return Err(wrong(format!("`{field}` must be taught from {}", sense.samples())));
            }
            Ok(part)
        };
        let sight = half("sight", &card.sight, Sense::Image)?;
        let hearing = half("hearing", &card.hearing, Sense::Sound)?;
        let digest = hex(&Sha256::digest(text.as_bytes()));
        let mut pair = Pair::new(sight, hearing).map_err(|error| wrong(error.message().to_string()))?;
        pair.digest = digest;
        Ok(Self::Both(Box::new(pair)))
    }

    /// Goes one step back: what was taught before the last change is current again. `waits` hears when another teaches.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when nothing is known of it.
    pub fn undo(dir: &Path, waits: &dyn Fn()) -> Result<()> {
        folder::undo(dir, waits)
    }

    /// Writes it to the folder that is locked, as [`Part::save`] and [`Pair::save`].
    ///
    /// # Errors
    /// As these.
    pub fn save(&mut self, lock: &Lock) -> Result<()> {
        match self {
            Self::One(part) => part.save(lock),
            Self::Both(pair) => pair.save(lock),
        }
    }

    /// The part's name.
    pub fn name(&self) -> &str {
        &self.parts()[0].card.name
    }

    /// sha256 of its `part.toml`; empty while it was never saved.
    pub fn digest(&self) -> &str {
        match self {
            Self::One(part) => &part.digest,
            Self::Both(pair) => &pair.digest,
        }
    }

    /// The part of each sense; sight first.
    pub fn parts(&self) -> Vec<&Part> {
        match self {
            Self::One(part) => vec![part],
            Self::Both(pair) => vec![&pair.sight, &pair.hearing],
        }
    }
}

impl Pair {
    /// From parts that were taught from the same good samples.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when they were not: when their numbers of samples differ.
    pub fn new(sight: Part, hearing: Part) -> Result<Self> {
        let counts = |part: &Part| [part.held_out.len(), part.summaries.nrows()];
        let (seen, heard) = (counts(&sight), counts(&hearing));
        if seen != heard {
            let what = format!("`sight` knows {} good samples, `hearing` {}: teach the part again", seen[1], heard[1]);
            return Err(Error::new(ErrorKind::Config, what));
        }
        let bond = Bond::learn(
            (&sight.learned.shape, sight.summaries.view()),
            (&hearing.learned.shape, hearing.summaries.view()),
        );
        Ok(Self { sight, hearing, bond, digest: String::new() })
    }

    /// The p-values of each held-out good sample by its senses, and by its bond where there is one, as a new sample's
    /// would be.
    pub fn held_out(&self) -> Vec<Vec<f64>> {
        let of = |part: &Part| {
            let scores: Vec<f32> = part.held_out.iter().map(|good| part.judgement.score(good.distances)).collect();
            Calibration::left_out(&scores, part.judgement.known())
        };
        let mut columns = vec![of(&self.sight), of(&self.hearing)];
        columns.extend(self.bond.as_ref().map(|bond| Calibration::left_out(&bond.left_out, 0.0)));
        (0..columns[0].len()).map(|i| columns.iter().map(|column| column[i]).collect()).collect()
    }

    /// Writes the pair to the folder that is locked and makes it the current part; the one before stays as one step back.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be written; the old part is then untouched.
    pub fn save(&mut self, lock: &Lock) -> Result<()> {
        let dir = lock.dir();
        let (sight, hearing) = (half(dir, "sight", &mut self.sight)?, half(dir, "hearing", &mut self.hearing)?);
        let card = Card { format: FORMAT, name: self.sight.card.name.clone(), sight, hearing };
        let written = toml::to_string(&card)
            .map_err(|error| Error::caused(ErrorKind::Config, "cannot write the part's card", error))?;
        let text = format!("# A part taught to eyear by pictures and sounds: a folder for each sense.\n{written}");
        folder::replace(lock, None, &text)?;
        self.digest = hex(&Sha256::digest(text.as_bytes()));
        Ok(())
    }
}

/// Writes one sense's part beside, and gives it the name that its digest says. Where there is such a part already it stays
/// as it is, for the current card may name it, unless it was damaged: then it is mended.
fn half(dir: &Path, sense: &str, part: &mut Part) -> Result<Half> {
    let failed = |error| Error::io("write", dir, error);
    let unheard = || ();
    let beside = tempfile::Builder::new().prefix(folder::WRITING).tempdir_in(dir).map_err(failed)?;
    part.save(&Lock::take(beside.path(), &unheard)?)?;
    let name = format!("{sense}-{}", &part.digest[..12]);
    let path = dir.join(&name);
    if !path.exists() {
        fs::rename(beside.path(), &path).map_err(|error| Error::io("write", &path, error))?;
    } else if !Part::load(&path).is_ok_and(|there| there.digest == part.digest) {
        part.save(&Lock::take(&path, &unheard)?)?;
    }
    Ok(Half { folder: name, sha256: part.digest.clone() })
}
