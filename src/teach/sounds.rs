//! Good sounds → a part: they are looked at as pictures of them, and beside these it is known what they are like as a whole.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Copies, Lesson, Wishes, added, same_length, suspects, taught};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Ear;
use crate::manifest::{Manifest, SpectrogramSpec};
use crate::memory::learned::{Distances, Judgement, folds_of};
use crate::memory::part::{Audible, LEAST_SPOILT, LONGEST_INPUT, Loudness, Part};
use crate::memory::usual::Usual;
use crate::prepare::spectrogram::Spectrograph;
use crate::prepare::steady::Steady;
use crate::sample::Sound;

/// Good sounds from which on it is known what they are like as a whole.
const LEAST_STEADY: usize = 3;

/// Teaches a part from good sounds, which are looked at as pictures of them. `read` brings a sound.
///
/// # Errors
/// As [`teach`](super::teach()); [`ErrorKind::Input`] when sounds are of different lengths, for their pictures would be stretched
/// differently, or last longer than a picture can.
pub fn teach_sounds(
    ear: &mut Ear,
    manifest: &Manifest,
    wishes: &Wishes,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Sound>,
    progress: &dyn Fn(usize, usize),
) -> Result<(Part, Lesson)> {
    sounds_taught(ear, manifest, wishes, paths, read, progress, &Copies::default())
}

/// As [`teach_sounds`]; copies are left out unless they are kept.
pub(super) fn sounds_taught(
    ear: &mut Ear,
    manifest: &Manifest,
    wishes: &Wishes,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Sound>,
    progress: &dyn Fn(usize, usize),
    copies: &Copies,
) -> Result<(Part, Lesson)> {
    let Heard { heard, unfit } = Heard::of(paths, read, longest(ear.parts().1))?;
    let read: &dyn Fn(&Path) -> Result<Sound> = &|path: &Path| fit(path, &unfit, read);
    if let Some(first) = paths.iter().find_map(|path| read(path).ok()) {
        let frames = ear.parts().1.picture(&first)?.width();
        ear.fit(frames)?;
    }
    let (eye, spectrograph) = ear.parts();
    let spectrograph = RefCell::new(spectrograph);
    let picture = |path: &Path| spectrograph.borrow_mut().picture(&read(path)?);
    let (mut part, mut lesson, taught) = taught(eye, manifest, wishes, paths, &picture, progress, copies)?;
    lesson.notes.extend(spoilt(&heard));
    part.card.sound = Audible::of(&heard);
    // Light and focus of a sound's picture say nothing.
    lesson.sufficiency.sort = "";
    let spectrograph = spectrograph.into_inner();
    if let Some(mut steady) = steady_of(&heard, spectrograph)? {
        let (mut values, mut recordings) = (Vec::new(), Vec::new());
        for &i in &taught {
            values.push(steady_values(&read(&paths[i])?, spectrograph, &mut steady)?);
            recordings.push(wishes.group(i));
        }
        let (groups, fold_of) = (steady.groups(), folds_of(&recordings));
        for (i, held_out) in part.held_out.iter_mut().enumerate() {
            let others = values.iter().enumerate().filter(|(j, _)| fold_of[*j] != fold_of[i]);
            let Some(usual) = Usual::learn(others.map(|(_, values)| values.as_slice()), &groups) else { continue };
            held_out.distances.steady = Some(groups.each_ref().map(|group| usual.off(&values[i], group).distance));
        }
        let distances: Vec<Distances> = part.held_out.iter().map(|held_out| held_out.distances).collect();
        part.judgement = Judgement::learn(&distances);
        part.usual = Usual::learn(values.iter().map(Vec::as_slice), &groups);
        part.card.sound.iter_mut().for_each(|sound| sound.steady_samples = steady.samples());
        let taught: Vec<&PathBuf> = taught.iter().map(|&i| &paths[i]).collect();
        lesson.suspects = suspects(&taught, &distances, &part.judgement);
    }
    Ok((part, lesson))
}

/// Adds good sounds to a part, as [`add`](super::add).
///
/// # Errors
/// As [`teach_sounds`].
pub fn add_sounds(
    ear: &mut Ear,
    part: &mut Part,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Sound>,
    progress: &dyn Fn(usize, usize),
) -> Result<Lesson> {
    sounds_added(ear, part, paths, read, progress, Copies::default())
}

/// As [`add_sounds`]; copies are left out unless they are kept.
pub(super) fn sounds_added(
    ear: &mut Ear,
    part: &mut Part,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Sound>,
    progress: &dyn Fn(usize, usize),
    copies: Copies,
) -> Result<Lesson> {
    let Heard { heard, unfit } = Heard::of(paths, read, longest(ear.parts().1))?;
    let read: &dyn Fn(&Path) -> Result<Sound> = &|path: &Path| fit(path, &unfit, read);
    let [height, width] = part.card.model.input;
    let (eye, spectrograph) = ear.parts();
    if eye.encoder().size() != [height, width] {
        eye.encoder().resize(height, width)?;
    }
    let spectrograph = RefCell::new(spectrograph);
    let picture = |path: &Path| spectrograph.borrow_mut().picture(&read(path)?);
    let before = part.held_out.len();
    let (mut lesson, taught) = added(eye, part, paths, &picture, progress, copies)?;
    lesson.notes.extend(spoilt(&heard));
    let spectrograph = spectrograph.into_inner();
    let samples = part.card.sound.map_or(0, |sound| sound.steady_samples);
    if let Some(usual) = part.usual.take() {
        let mut steady = Steady::new(spectrograph.spec().rate, samples, spectrograph.spec().bands)?;
        let good = taught.iter().map(|&i| read(&paths[i]));
        let values = good.map(|sound| steady_values(&sound?, spectrograph, &mut steady)).collect::<Result<Vec<_>>>()?;
        let groups = steady.groups();
        for (held_out, values) in part.held_out[before..].iter_mut().zip(&values) {
            held_out.distances.steady = Some(groups.each_ref().map(|group| usual.off(values, group).distance));
        }
        let distances: Vec<Distances> = part.held_out.iter().map(|held_out| held_out.distances).collect();
        part.judgement = Judgement::learn(&distances);
        part.usual = Usual::learn(values.iter().map(Vec::as_slice), &groups).map(|new| usual.joined(&new));
    }
    lesson.sufficiency.sort = "";
    part.card.sound = part.card.sound.into_iter().chain(Audible::of(&heard)).reduce(Audible::joined);
    Ok(lesson)
}

/// What measures what such sounds are like as a whole; `None` where they are too few or too short.
fn steady_of(heard: &[Loudness], spectrograph: &Spectrograph) -> Result<Option<Steady>> {
    let SpectrogramSpec { rate, bands, .. } = spectrograph.spec();
    let least = heard.iter().map(|heard| heard.seconds).fold(f64::MAX, f64::min);
    // Beyond four minutes nothing is told more finely.
    let samples = (least.min(240.0) * f64::from(rate)) as usize;
    match heard.len() >= LEAST_STEADY && samples >= rate as usize / 2 {
        true => Steady::new(rate, samples, bands).map(Some),
        false => Ok(None),
    }
}

fn steady_values(sound: &Sound, spectrograph: &mut Spectrograph, steady: &mut Steady) -> Result<Vec<f32>> {
    spectrograph.picture(sound)?;
    let mut values = vec![0.0; steady.values()];
    steady.run(spectrograph.mono(), spectrograph.level(), &mut values)?;
    Ok(values)
}

/// What the sounds that can be read are like; those that cannot are told when they are taught.
#[derive(Default)]
struct Heard {
    heard: Vec<Loudness>,
    /// Why nothing can be learned from a file.
    unfit: BTreeMap<PathBuf, String>,
}

impl Heard {
    /// Sounds of one length, each of at most so many seconds.
    fn of(paths: &[PathBuf], read: &dyn Fn(&Path) -> Result<Sound>, longest: f64) -> Result<Self> {
        let mut all = Self::default();
        for path in paths {
            let Ok(sound) = read(path) else { continue };
            let seconds = sound.duration().as_secs_f64();
            if seconds > longest {
                let name = path.display();
                let what = format!(
                    "{name} lasts {seconds:.2} s, a part is taught from sounds of at most {longest:.0} s: cut it"
                );
                return Err(Error::new(ErrorKind::Input, what));
            }
            let loudness = Loudness::of(&sound)?;
            if let Some(why) = loudness.unfit() {
                all.unfit.insert(path.clone(), why);
                continue;
            }
            same_length(path, loudness.seconds, all.heard.first().map(|first| first.seconds), "sound")?;
            all.heard.push(loudness);
        }
        Ok(all)
    }
}

/// Reads a sound unless nothing can be learned from it.
fn fit(path: &Path, unfit: &BTreeMap<PathBuf, String>, read: &dyn Fn(&Path) -> Result<Sound>) -> Result<Sound> {
    match unfit.get(path) {
        Some(why) => Err(Error::new(ErrorKind::Input, format!("{}: {why}", path.display()))),
        None => read(path),
    }
}

/// Seconds of the longest sound whose picture a part may have.
fn longest(spectrograph: &Spectrograph) -> f64 {
    let SpectrogramSpec { rate, hop, pixels, .. } = spectrograph.spec();
    (LONGEST_INPUT / pixels.max(1) * hop) as f64 / f64::from(rate)
}

/// What of good sounds is spoilt, though not so far that nothing can be learned from them.
fn spoilt(heard: &[Loudness]) -> Vec<String> {
    let mut notes = Vec::new();
    for (at, name) in ["clipped", "silent", "dropped out"].into_iter().enumerate() {
        let share = |heard: &Loudness| [heard.clipped, heard.silent, heard.dropped][at];
        let spoilt = heard.iter().map(share).filter(|share| *share > LEAST_SPOILT);
        let (count, most) = spoilt.fold((0, 0.0f64), |(count, most), share| (count + 1, most.max(share)));
        if count > 0 {
            notes.push(format!(
                "{count} good sounds are {name}, up to {:.1} % of one: what is so to {:.1} % will be judged, not refused",
                100.0 * most,
                200.0 * most
            ));
        }
    }
    let silent = heard.iter().filter(|heard| heard.silent_channels > 0).count();
    if silent > 0 {
        notes.push(format!("{silent} good sounds have a channel without any sound"));
    }
    notes
}
