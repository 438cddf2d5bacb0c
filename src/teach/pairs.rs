//! Good ones that are seen and heard → a part of both senses.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::sounds::{sounds_added, sounds_taught};
use super::{Copies, Lesson, Wishes, added, shown, taught};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Ear, Eye};
use crate::manifest::Manifest;
use crate::memory::pair::Pair;
use crate::memory::part::{Kind, Loudness};
use crate::sample::{Frame, Sense, Sound};

/// What reads the files of a part that is seen and heard.
pub struct Readers<'a> {
    /// Brings a picture.
    pub picture: &'a dyn Fn(&Path) -> Result<Frame>,
    /// Brings a sound.
    pub sound: &'a dyn Fn(&Path) -> Result<Sound>,
}

/// Teaches a part that is seen and heard from good ones, a picture and a sound of each. `wishes` are for the pictures, but
/// for the name and the share. One of which a file cannot be read, or can teach nothing, is left out whole, and noted in the
/// first lesson, as is a copy of both.
///
/// # Errors
/// As [`teach`](super::teach()) and [`teach_sounds`](super::teach_sounds).
pub fn teach_pairs(
    (eye, ear): (&mut Eye, &mut Ear),
    [of_sight, of_hearing]: [&Manifest; 2],
    wishes: &Wishes,
    files: &[[PathBuf; 2]],
    readers: &Readers,
    progress: &dyn Fn(usize, usize),
) -> Result<(Pair, [Lesson; 2])> {
    let Whole { pictures, sounds, skipped, copies } = Whole::of(files, readers)?;
    let half = |first: bool| move |done: usize, all: usize| progress(if first { done } else { all + done }, 2 * all);
    let kept = Copies::kept();
    let (sight, mut seen, _) = taught(eye, of_sight, wishes, &pictures, readers.picture, &half(true), &kept)?;
    let wishes = Wishes { kind: Some(Kind::Sound), mask: None, ..wishes.clone() };
    let (hearing, heard) = sounds_taught(ear, of_hearing, &wishes, &sounds, readers.sound, &half(false), &kept)?;
    seen.skipped.extend(skipped);
    seen.copies.extend(copies);
    Ok((Pair::new(sight, hearing)?, [seen, heard]))
}

/// Adds good ones to a part that is seen and heard, as [`add`](super::add).
///
/// # Errors
/// As [`add`](super::add) and [`add_sounds`](super::add_sounds); the part is then not to be used any more.
pub fn add_pairs(
    (eye, ear): (&mut Eye, &mut Ear),
    pair: Pair,
    files: &[[PathBuf; 2]],
    readers: &Readers,
    progress: &dyn Fn(usize, usize),
) -> Result<(Pair, [Lesson; 2])> {
    let Whole { pictures, sounds, skipped, copies } = Whole::of(files, readers)?;
    let half = |first: bool| move |done: usize, all: usize| progress(if first { done } else { all + done }, 2 * all);
    let Pair { mut sight, mut hearing, .. } = pair;
    let (mut seen, _) = added(eye, &mut sight, &pictures, readers.picture, &half(true), Copies::kept())?;
    let heard = sounds_added(ear, &mut hearing, &sounds, readers.sound, &half(false), Copies::kept())?;
    seen.skipped.extend(skipped);
    seen.copies.extend(copies);
    Ok((Pair::new(sight, hearing)?, [seen, heard]))
}

/// The parts of which both files can be read and teach something.
#[derive(Default)]
struct Whole {
    pictures: Vec<PathBuf>,
    sounds: Vec<PathBuf>,
    /// What cannot be read or taught, with the reason.
    skipped: Vec<(PathBuf, String)>,
    /// Pictures of which both they and their sounds are those of another part.
    copies: Vec<(PathBuf, PathBuf)>,
}

impl Whole {
    fn of(files: &[[PathBuf; 2]], readers: &Readers) -> Result<Self> {
        let (mut whole, mut met) = (Self::default(), BTreeMap::new());
        for [picture, sound] in files {
            let frame = (readers.picture)(picture).and_then(|frame| shown(picture, frame, Sense::Image));
            let frame = frame.map_err(|error| (picture, error));
            let both = frame.and_then(|frame| Ok((frame, audible(sound, readers).map_err(|error| (sound, error))?)));
            match both {
                Err((path, error)) => whole.skipped.push((path.clone(), error.chain())),
                Ok((frame, heard)) => {
                    let mut hasher = DefaultHasher::new();
                    (frame.width(), frame.height(), frame.format(), frame.pixels()).hash(&mut hasher);
                    heard.samples().iter().for_each(|sample| sample.to_bits().hash(&mut hasher));
                    match met.entry(hasher.finish()) {
                        Entry::Occupied(first) => whole.copies.push((picture.clone(), PathBuf::clone(first.get()))),
                        Entry::Vacant(first) => {
                            first.insert(picture.clone());
                            whole.pictures.push(picture.clone());
                            whole.sounds.push(sound.clone());
                        }
                    }
                }
            }
        }
        if whole.pictures.is_empty() {
            let reason = whole.skipped.first().map_or(String::new(), |(_, reason)| format!(": {reason}"));
            let what = format!("of none of {} good parts both picture and sound can be taught{reason}", files.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        Ok(whole)
    }
}

/// A good sound, unless nothing can be learned from it.
fn audible(path: &Path, readers: &Readers) -> Result<Sound> {
    let sound = (readers.sound)(path)?;
    match Loudness::of(&sound)?.unfit() {
        Some(why) => Err(Error::new(ErrorKind::Input, format!("{}: {why}", path.display()))),
        None => Ok(sound),
    }
}
