//! What a folder holds: a part of one sense, or a part of each of two senses, taught from the same good samples in the
//! same order.
//!
//! Nothing more is stored. The held-out samples show how anomalous the same good sample is to both senses, and thus how
//! the senses depend on each other. If only one sense is present, its own calibration applies. `fuse` combines the
//! senses' p-values.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bond::Bond;
use super::calibrate::Calibration;
use super::folder::{self, Lock};
use super::part::{FORMAT, Part, check_format};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::{Sense, hex, wrong_at};

/// A taught part: one part per sense.
#[derive(Debug, Clone)]
pub struct Taught {
    /// One, or two: images first, then sounds.
    parts: Vec<Part>,
    joint: Option<Joint>,
    digest: String,
}

/// What is known about two senses together.
#[derive(Debug, Clone)]
pub struct Joint {
    /// Cross-modal consistency, if the good samples show it.
    pub bond: Option<Bond>,
    held_out: Vec<Vec<f64>>,
}

/// `part.toml` of a part of two senses.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JointCard {
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

/// The senses that a part may combine, with their tables in `part.toml`.
const JOINED: [(&str, Sense); 2] = [("sight", Sense::Image), ("hearing", Sense::Sound)];

impl Taught {
    /// From one part, or from two that were taught from the same good samples: images first, then sounds.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when parts of other senses are given, or two with different numbers of samples.
    pub fn new(parts: Vec<Part>) -> Result<Self> {
        Self::check_senses(&parts.iter().map(sense_of).collect::<Vec<_>>())?;
        let joint = match &parts[..] {
            [seen, heard] => Some(Joint::of(seen, heard)?),
            _ => None,
        };
        let digest = if joint.is_none() { parts[0].digest.clone() } else { String::new() };
        Ok(Self { parts, joint, digest })
    }

    /// Checks that these senses, in this order, can form a part: one sense, or images then sounds.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when they cannot.
    pub fn check_senses(senses: &[Sense]) -> Result<()> {
        if senses.len() == 1 || senses == JOINED.map(|(_, sense)| sense) {
            return Ok(());
        }
        let found: Vec<&str> = senses.iter().map(|sense| sense.samples()).collect();
        let what = "a part is taught from images, sounds or clips, or from images, then sounds";
        Err(Error::new(ErrorKind::Config, format!("{what}, found [{}]", found.join(", "))))
    }

    /// Reads the part in folder `dir`. If it is taught again meanwhile, the new one is read.
    ///
    /// # Errors
    /// As [`Part::load`].
    pub fn load(dir: &Path) -> Result<Self> {
        folder::settled(dir, || Self::read(dir))
    }

    fn read(dir: &Path) -> Result<Self> {
        let (path, text) = folder::read(dir)?;
        let is_joint = text.parse::<toml::Table>().is_ok_and(|card| card.contains_key(JOINED[0].0));
        if !is_joint {
            return Self::new(vec![Part::load(dir)?]);
        }
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", path.display()));
        let card: JointCard = toml::from_str(&text).map_err(|error| wrong(wrong_at(&text, &error)))?;
        check_format(card.format).map_err(wrong)?;
        let halves = JOINED.into_iter().zip([&card.sight, &card.hearing]);
        let parts = halves.map(|((field, sense), half)| half.load(&path, field, sense)).collect::<Result<Vec<_>>>()?;
        let taught = Self::new(parts).map_err(|error| wrong(error.message().to_string()))?;
        Ok(Self { digest: hex(&Sha256::digest(text.as_bytes())), ..taught })
    }

    /// Writes the part to the locked folder and makes it the current one. The last one is kept as one step back.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be written; the old part is then untouched.
    pub fn save(&mut self, lock: &Lock) -> Result<()> {
        let name = self.name().to_string();
        self.digest = match &mut self.parts[..] {
            [part] => {
                part.save(lock)?;
                part.digest.clone()
            }
            [seen, heard, ..] => {
                let sight = Half::save(lock.dir(), JOINED[0].0, seen)?;
                let hearing = Half::save(lock.dir(), JOINED[1].0, heard)?;
                let text = JointCard { format: FORMAT, name, sight, hearing }.text()?;
                folder::replace(lock, None, &text)?;
                hex(&Sha256::digest(text.as_bytes()))
            }
            [] => String::new(),
        };
        Ok(())
    }

    /// Goes one step back: what was taught before the last change becomes current again. `waits` is called if another
    /// process is teaching.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is no previous part.
    pub fn undo(dir: &Path, waits: &dyn Fn()) -> Result<()> {
        folder::undo(dir, waits)
    }

    /// The part's name.
    pub fn name(&self) -> &str {
        &self.parts[0].card.name
    }

    /// Renames the part.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the name is empty.
    pub fn rename(&mut self, name: &str) -> Result<()> {
        if name.trim().is_empty() {
            return Err(Error::new(ErrorKind::Config, "the name of a part must not be empty"));
        }
        self.parts.iter_mut().for_each(|part| part.card.name = name.into());
        Ok(())
    }

    /// Sets the share of good parts that may be rejected, between 0 and 1. The calibration stays, so nothing is taught
    /// again.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the share is not between 0 and 1.
    pub fn set_overkill(&mut self, share: f64) -> Result<()> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::new(ErrorKind::Config, format!("`overkill` must be between 0 and 1, got {share}")));
        }
        self.parts.iter_mut().for_each(|part| part.card.overkill = share);
        Ok(())
    }

    /// sha256 of `part.toml`; empty until it is first saved.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The part of each sense, at least one; images first.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The same, by value.
    pub fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    /// What is known about its senses together, if there are several.
    pub fn joint(&self) -> Option<&Joint> {
        self.joint.as_ref()
    }

    /// What it was taught from, in words: `pictures`, or `pictures with sounds`.
    pub fn samples(&self) -> String {
        self.parts.iter().map(|part| sense_of(part).samples()).collect::<Vec<_>>().join(" with ")
    }
}

fn sense_of(part: &Part) -> Sense {
    part.card.kind.sense()
}

impl Joint {
    /// From parts that were taught from the same good samples.
    fn of(seen: &Part, heard: &Part) -> Result<Self> {
        let counts = |part: &Part| [part.held_out.len(), part.summaries.nrows()];
        let [sight, hearing] = [counts(seen), counts(heard)];
        if sight != hearing {
            let what =
                format!("`sight` knows {} good samples, `hearing` {}: teach the part again", sight[1], hearing[1]);
            return Err(Error::new(ErrorKind::Config, what));
        }
        let bond =
            Bond::learn((&seen.learned.shape, seen.summaries.view()), (&heard.learned.shape, heard.summaries.view()));
        let p_values = |part: &Part| {
            let scores: Vec<f32> = part.held_out.iter().map(|good| part.judgement.score(good.distances)).collect();
            Calibration::left_out(&scores, part.judgement.known())
        };
        let mut columns = vec![p_values(seen), p_values(heard)];
        columns.extend(bond.as_ref().map(|bond| Calibration::left_out(&bond.left_out, 0.0)));
        let held_out = (0..columns[0].len()).map(|i| columns.iter().map(|column| column[i]).collect()).collect();
        Ok(Self { bond, held_out })
    }

    /// The p-values of each held-out good sample by its senses, and by its bond if there is one, as if it were a new
    /// sample.
    pub fn held_out(&self) -> &[Vec<f64>] {
        &self.held_out
    }
}

impl JointCard {
    fn text(&self) -> Result<String> {
        let written = toml::to_string(self)
            .map_err(|error| Error::caused(ErrorKind::Config, "cannot write the part's card", error))?;
        Ok(format!("# A part taught to eyear by pictures and sounds: a folder for each sense.\n{written}"))
    }
}

impl Half {
    /// Reads the part that table `field` of the card at `path` names.
    fn load(&self, path: &Path, field: &str, sense: Sense) -> Result<Part> {
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", path.display()));
        if !folder::is_plain(&self.folder) {
            return Err(wrong(format!("`{field}.folder` must be a plain folder name, got `{}`", self.folder)));
        }
        let dir = path.with_file_name(&self.folder);
        let part = Part::load(&dir)?;
        if part.digest != self.sha256 {
            let (dir, path) = (dir.display(), path.display());
            let what = format!("{dir}: sha256 of its card is {}, {path} promises {}", part.digest, self.sha256);
            return Err(Error::new(ErrorKind::Integrity, what));
        }
        if sense_of(&part) != sense {
            return Err(wrong(format!("`{field}` must be taught from {}", sense.samples())));
        }
        Ok(part)
    }

    /// Writes one sense's part to a temporary name, then names it by its digest. An existing part of that name stays,
    /// because the current card may name it. If that one is damaged, it is replaced.
    fn save(dir: &Path, sense: &str, part: &mut Part) -> Result<Self> {
        let failed = |error| Error::io("write", dir, error);
        let unheard = || ();
        let beside = folder::half_written_folder().tempdir_in(dir).map_err(failed)?;
        part.save(&Lock::take(beside.path(), &unheard)?)?;
        let name = format!("{sense}-{}", &part.digest[..12]);
        let path = dir.join(&name);
        if !path.exists() {
            fs::rename(beside.path(), &path).map_err(|error| Error::io("write", &path, error))?;
        } else if !Part::load(&path).is_ok_and(|there| there.digest == part.digest) {
            part.save(&Lock::take(&path, &unheard)?)?;
        }
        Ok(Self { folder: name, sha256: part.digest.clone() })
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::memory::part::Kind;
    use crate::memory::part::testing::part;

    #[test]
    fn parts_of_image_and_sound_join_and_are_read_again_and_others_are_refused() {
        let refused = |kinds: &[Kind]| {
            let error = Taught::new(kinds.iter().map(|kind| part(*kind)).collect()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            error.message().to_string()
        };
        assert!(refused(&[]).ends_with("then sounds, found []"));
        assert!(refused(&[Kind::Texture, Kind::Golden]).ends_with("[pictures, pictures]"));
        assert!(refused(&[Kind::Sound, Kind::Texture]).ends_with("[sounds, pictures]"));
        assert!(refused(&[Kind::Texture, Kind::Sound, Kind::Clip]).ends_with("[pictures, sounds, clips]"));
        let mut fewer = part(Kind::Sound);
        fewer.held_out.pop();
        assert!(Taught::new(vec![part(Kind::Golden), fewer]).is_err());
        for kinds in [&[Kind::Golden, Kind::Sound][..], &[Kind::Clip]] {
            let dir = TempDir::new().unwrap();
            let mut taught = Taught::new(kinds.iter().map(|kind| part(*kind)).collect()).unwrap();
            taught.save(&Lock::take(dir.path(), &|| ()).unwrap()).unwrap();
            let read = Taught::load(dir.path()).unwrap();
            assert_eq!((read.digest(), read.name()), (taught.digest(), "part"));
            assert_eq!((read.digest().len(), read.samples()), (64, taught.samples()));
            assert_eq!(read.parts().iter().map(|part| part.card.kind).collect::<Vec<_>>(), kinds);
            let joint = [&read, &taught].map(|taught| taught.joint().map(Joint::held_out));
            assert!(joint[0] == joint[1] && joint[0].is_some() == (kinds.len() == 2), "{joint:?}");
            assert!(joint[0].into_iter().flatten().all(|good| good.len() == 2), "a p-value by each sense: {joint:?}");
        }
    }
}
