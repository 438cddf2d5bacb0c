//! Good sounds → a part: they are looked at as pictures of them, and beside these it is known what they are like as a whole.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::{Lesson, Wishes, add, same_length, suspects, teach};
use crate::error::Result;
use crate::inspect::Ear;
use crate::manifest::{Manifest, SpectrogramSpec};
use crate::memory::learned::{Distances, Judgement, folds_of};
use crate::memory::part::{Audible, Loudness, Part};
use crate::memory::usual::Usual;
use crate::prepare::spectrogram::Spectrograph;
use crate::prepare::steady::Steady;
use crate::sample::Sound;

/// Good sounds from which on it is known what they are like as a whole.
const LEAST_STEADY: usize = 3;

/// Teaches a part from good sounds, which are looked at as pictures of them. `read` brings a sound.
///
/// # Errors
/// As [`teach`]; [`ErrorKind::Input`](crate::error::ErrorKind::Input) when sounds are of different lengths, for their
/// pictures would be stretched differently.
pub fn teach_sounds(
    ear: &mut Ear,
    manifest: &Manifest,
    wishes: &Wishes,
    paths: &[PathBuf],
    read: &dyn Fn(&Path) -> Result<Sound>,
    progress: &dyn Fn(usize, usize),
) -> Result<(Part, Lesson)> {
    let heard = levels(paths, read)?;
    if let Some(first) = paths.iter().find_map(|path| read(path).ok()) {
        let frames = ear.parts().1.picture(&first)?.width();
        ear.fit(frames)?;
    }
    let (eye, spectrograph) = ear.parts();
    let spectrograph = RefCell::new(spectrograph);
    let picture = |path: &Path| spectrograph.borrow_mut().picture(&read(path)?);
    let (mut part, mut lesson) = teach(eye, manifest, wishes, paths, &picture, progress)?;
    part.card.sound = Audible::of(&heard);
    // Light and focus of a sound's picture say nothing.
    lesson.sufficiency.sort = "";
    let spectrograph = spectrograph.into_inner();
    if let Some(mut steady) = steady_of(&heard, spectrograph)? {
        let (mut values, mut recordings) = (Vec::new(), Vec::new());
        for (i, path) in paths.iter().enumerate() {
            if let Ok(sound) = read(path) {
                values.push(steady_values(&sound, spectrograph, &mut steady)?);
                recordings.push(wishes.group(i));
            }
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
        let read_ones = paths.iter().filter(|path| !lesson.skipped.iter().any(|(skipped, _)| skipped == *path));
        let read_ones: Vec<&PathBuf> = read_ones.collect();
        lesson.suspects = suspects(&read_ones, &distances, &part.judgement);
    }
    Ok((part, lesson))
}

/// Adds good sounds to a part, as [`add`].
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
    let heard = levels(paths, read)?;
    let [height, width] = part.card.model.input;
    let (eye, spectrograph) = ear.parts();
    if eye.encoder().size() != [height, width] {
        eye.encoder().resize(height, width)?;
    }
    let spectrograph = RefCell::new(spectrograph);
    let picture = |path: &Path| spectrograph.borrow_mut().picture(&read(path)?);
    let before = part.held_out.len();
    let mut lesson = add(eye, part, paths, &picture, progress)?;
    let spectrograph = spectrograph.into_inner();
    let samples = part.card.sound.map_or(0, |sound| sound.steady_samples);
    if let Some(usual) = part.usual.take() {
        let mut steady = Steady::new(spectrograph.spec().rate, samples, spectrograph.spec().bands)?;
        let good = paths.iter().filter_map(|path| read(path).ok());
        let values = good.map(|sound| steady_values(&sound, spectrograph, &mut steady)).collect::<Result<Vec<_>>>()?;
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
fn levels(paths: &[PathBuf], read: &dyn Fn(&Path) -> Result<Sound>) -> Result<Vec<Loudness>> {
    let mut heard: Vec<Loudness> = Vec::new();
    for path in paths {
        let Ok(sound) = read(path) else { continue };
        let loudness = Loudness::of(&sound)?;
        same_length(path, loudness.seconds, heard.first().map(|first| first.seconds), "sound")?;
        heard.push(loudness);
    }
    Ok(heard)
}
