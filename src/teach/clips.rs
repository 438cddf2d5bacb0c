//! Good clips → a part: they are looked at as pictures of their motion, and it is known how much moves where and when.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::{Lesson, Wishes, add, envelope, same_length, teach, widen};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Eye;
use crate::manifest::Manifest;
use crate::memory::motion::UsualMotion;
use crate::memory::part::{Envelope, Moving, Part};
use crate::prepare::clip::{Filmed, Kymograph};
use crate::sample::{Clip, Frame};

/// Teaches a part from good clips, which are looked at as pictures of their motion. `read` brings a clip.
///
/// # Errors
/// As [`teach`]; [`ErrorKind::Input`] when clips are of different lengths, for their
/// steps would be of different times.
pub fn teach_clips(
    (eye, kymograph): (&mut Eye, &mut Kymograph),
    manifest: &Manifest,
    wishes: &Wishes,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Clip>,
    progress: &dyn Fn(usize, usize),
) -> Result<(Part, Lesson)> {
    kymograph.pace(None);
    let mut seen = watched(paths, read, kymograph)?;
    // What the slowest camera gave is what can be compared.
    if let Some(slowest) = Moving::of(&seen.filmed).filter(Moving::is_of_several_rates) {
        kymograph.pace(Some(slowest.rate[0]));
        seen = watched(paths, read, kymograph)?;
    }
    let watched = seen;
    let kymograph = RefCell::new(kymograph);
    let picture = |path: &Path| pictured(*kymograph.borrow_mut(), path, read);
    let (mut part, mut lesson) = teach(eye, manifest, wishes, paths, &picture, progress)?;
    (part.card.picture, part.card.clip) = (watched.envelope(), Moving::of(&watched.filmed));
    part.motion = watched.motion;
    // Light and focus of a clip's picture say nothing.
    lesson.sufficiency.sort = "";
    Ok((part, lesson))
}

/// Adds good clips to a part, as [`add`].
///
/// # Errors
/// As [`teach_clips`].
pub fn add_clips(
    (eye, kymograph): (&mut Eye, &mut Kymograph),
    part: &mut Part,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Clip>,
    progress: &dyn Fn(usize, usize),
) -> Result<Lesson> {
    kymograph.pace(part.card.clip.map(|clip| clip.rate[0]));
    let watched = watched(paths, read, kymograph)?;
    let (taught, motion) = (part.card.picture, part.motion.take());
    let kymograph = RefCell::new(kymograph);
    let picture = |path: &Path| pictured(*kymograph.borrow_mut(), path, read);
    let mut lesson = add(eye, part, paths, &picture, progress)?;
    part.card.picture = widen(taught, watched.envelope());
    part.card.clip = part.card.clip.into_iter().chain(Moving::of(&watched.filmed)).reduce(Moving::joined);
    part.motion = motion.into_iter().chain(watched.motion).reduce(|old, new| old.joined(&new));
    lesson.sufficiency.sort = "";
    Ok(lesson)
}

/// The picture of a clip, unless nothing can be learned from it: nothing is seen in it, or nothing moves.
fn pictured(kymograph: &mut Kymograph, path: &Path, read: &dyn Fn(&Path) -> Result<Clip>) -> Result<Frame> {
    let picture = kymograph.picture(&read(path)?).map_err(|error| named(path, error))?;
    match kymograph.unfit() {
        Some(why) => Err(Error::new(ErrorKind::Input, format!("{}: {why}", path.display()))),
        None => Ok(picture),
    }
}

/// An error about what a file holds, with the file's name.
pub(super) fn named(path: &Path, error: Error) -> Error {
    Error::caused(error.kind(), path.display().to_string(), error)
}

/// What good clips are like.
struct Watched {
    filmed: Vec<Filmed>,
    motion: Option<UsualMotion>,
}

impl Watched {
    fn envelope(&self) -> Envelope {
        envelope(self.filmed.iter().map(|filmed| (filmed.quality, filmed.size)))
    }
}

/// What the clips that can be read are like; those that cannot are told when they are taught.
fn watched(paths: &[PathBuf], read: &dyn Fn(&Path) -> Result<Clip>, kymograph: &mut Kymograph) -> Result<Watched> {
    let mut watched = Watched { filmed: Vec::new(), motion: None };
    for path in paths {
        if pictured(kymograph, path, read).is_err() {
            continue;
        }
        same_length(path, kymograph.filmed().seconds, watched.filmed.first().map(|first| first.seconds), "clip")?;
        watched.filmed.push(kymograph.filmed());
        let own = UsualMotion::of(kymograph.motion(), kymograph.stills());
        watched.motion = watched.motion.into_iter().chain([own]).reduce(|all, own| all.joined(&own));
    }
    Ok(watched)
}
