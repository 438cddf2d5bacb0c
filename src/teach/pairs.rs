//! Good ones that are seen and heard → a part of both senses.

use std::path::{Path, PathBuf};

use super::sounds::{add_sounds, teach_sounds};
use super::{Lesson, Wishes, add, teach};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Ear, Eye};
use crate::manifest::Manifest;
use crate::memory::pair::Pair;
use crate::memory::part::Kind;
use crate::sample::{Frame, Sound};

/// What reads the files of a part that is seen and heard.
pub struct Readers<'a> {
    /// Brings a picture.
    pub picture: &'a dyn Fn(&Path) -> Result<Frame>,
    /// Brings a sound.
    pub sound: &'a dyn Fn(&Path) -> Result<Sound>,
}

/// Teaches a part that is seen and heard from good ones, a picture and a sound of each. `wishes` are for the pictures, but
/// for the name and the share. One of which a file cannot be read is left out whole, and noted in the first lesson.
///
/// # Errors
/// As [`teach`] and [`teach_sounds`].
pub fn teach_pairs(
    (eye, ear): (&mut Eye, &mut Ear),
    [of_sight, of_hearing]: [&Manifest; 2],
    wishes: &Wishes,
    files: &[[PathBuf; 2]],
    readers: &Readers,
    progress: &dyn Fn(usize, usize),
) -> Result<(Pair, [Lesson; 2])> {
    let Whole { pictures, sounds, skipped } = Whole::of(files, readers)?;
    let half = |first: bool| move |done: usize, all: usize| progress(if first { done } else { all + done }, 2 * all);
    let (sight, mut seen) = teach(eye, of_sight, wishes, &pictures, readers.picture, &half(true))?;
    let wishes = Wishes { kind: Some(Kind::Sound), mask: None, ..wishes.clone() };
    let (hearing, heard) = teach_sounds(ear, of_hearing, &wishes, &sounds, readers.sound, &half(false))?;
    seen.skipped.extend(skipped);
    Ok((Pair::new(sight, hearing)?, [seen, heard]))
}

/// Adds good ones to a part that is seen and heard, as [`add`].
///
/// # Errors
/// As [`add`] and [`add_sounds`]; the part is then not to be used any more.
pub fn add_pairs(
    (eye, ear): (&mut Eye, &mut Ear),
    pair: Pair,
    files: &[[PathBuf; 2]],
    readers: &Readers,
    progress: &dyn Fn(usize, usize),
) -> Result<(Pair, [Lesson; 2])> {
    let Whole { pictures, sounds, skipped } = Whole::of(files, readers)?;
    let half = |first: bool| move |done: usize, all: usize| progress(if first { done } else { all + done }, 2 * all);
    let Pair { mut sight, mut hearing, .. } = pair;
    let mut seen = add(eye, &mut sight, &pictures, readers.picture, &half(true))?;
    let heard = add_sounds(ear, &mut hearing, &sounds, readers.sound, &half(false))?;
    seen.skipped.extend(skipped);
    Ok((Pair::new(sight, hearing)?, [seen, heard]))
}

/// The parts of which both files can be read.
#[derive(Default)]
struct Whole {
    pictures: Vec<PathBuf>,
    sounds: Vec<PathBuf>,
    /// What cannot be read, with the reason.
    skipped: Vec<(PathBuf, String)>,
}

impl Whole {
    fn of(files: &[[PathBuf; 2]], readers: &Readers) -> Result<Self> {
        let mut whole = Self::default();
        for [picture, sound] in files {
            let unread = (readers.picture)(picture).err().map(|error| (picture, error));
            match unread.or_else(|| (readers.sound)(sound).err().map(|error| (sound, error))) {
                Some((path, error)) => whole.skipped.push((path.clone(), error.chain())),
                None => {
                    whole.pictures.push(picture.clone());
                    whole.sounds.push(sound.clone());
                }
            }
        }
        if whole.pictures.is_empty() {
            let reason = whole.skipped.first().map_or(String::new(), |(_, reason)| format!(": {reason}"));
            let what = format!("of none of {} good parts both picture and sound can be read{reason}", files.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        Ok(whole)
    }
}
