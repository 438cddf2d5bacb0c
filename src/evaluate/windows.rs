//! Long sounds as windows of one length: what is taught of them, and how a file is judged by its windows. Finding the
//! files is left to `dataset`, reading them to the caller.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::dataset::Dataset;
use super::judged::Seen;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::Inspector;
use crate::report::Verdict;
use crate::sample::Sound;

/// The windows of `seconds` that `sound` is cut into, one after the other, in the order of time.
///
/// A rest of three quarters of a window and more counts: the last window then ends with the sound and overlaps the one
/// before it, so that all have one length. A sound that is itself shorter, but not by more than a quarter, is one window.
///
/// # Errors
/// [`ErrorKind::Input`] when the sound is shorter than three quarters of a window.
pub fn cut(sound: &Sound, seconds: f64) -> Result<Vec<Sound>> {
    let (all, length) = (sound.len(), (seconds * f64::from(sound.rate())).round().max(1.0) as usize);
    let mut begins: Vec<usize> = (0..all / length).map(|i| i * length).collect();
    if 4 * (all % length) >= 3 * length {
        begins.push(all.saturating_sub(length));
    }
    if begins.is_empty() {
        let has = sound.duration().as_secs_f64();
        let what = format!("a sound of {has:.2} s is shorter than three quarters of a window of {seconds} s");
        return Err(Error::new(ErrorKind::Input, what));
    }
    let channels = sound.channels();
    let window = |begin: usize| {
        let samples = &sound.samples()[begin * channels..(begin + length).min(all) * channels];
        let mut window = Sound::new(samples, sound.rate(), channels)?;
        (window.stamp, window.position) = (sound.stamp, sound.position + begin as u64);
        Ok(window)
    };
    begins.into_iter().map(window).collect()
}

/// Good sounds that are taught by their windows, each under a name of its own.
pub struct Windows {
    seconds: f64,
    /// The file of each window, and which of its windows it is.
    named: BTreeMap<PathBuf, (PathBuf, usize)>,
    /// The windows of the file that was read last: they are asked for one after the other.
    open: RefCell<Option<(PathBuf, Vec<Sound>)>>,
}

impl Windows {
    /// The windows of `paths`, at most as many as fit into `whole` seconds, and their names, in order. A file that cannot
    /// be read keeps its own name, so that whoever reads it is told why.
    ///
    /// # Errors
    /// As [`cut`], with the file's name.
    pub fn of(
        paths: &[PathBuf],
        seconds: f64,
        whole: Option<f64>,
        read: &dyn Fn(&Path) -> Result<Sound>,
    ) -> Result<(Self, Vec<PathBuf>)> {
        let most = whole.map_or(usize::MAX, |whole| (whole / seconds + 1e-9) as usize);
        let (mut named, mut names) = (BTreeMap::new(), Vec::new());
        for path in paths {
            let Ok(sound) = read(path) else {
                names.push(path.clone());
                continue;
            };
            let windows = cut(&sound, seconds)
                .map_err(|error| Error::new(error.kind(), format!("{}: {}", path.display(), error.message())))?;
            for number in 0..windows.len() {
                let name = name(path, number);
                names.push(name.clone());
                named.insert(name, (path.clone(), number));
            }
        }
        names.truncate(most.max(1));
        Ok((Self { seconds, named, open: RefCell::new(None) }, names))
    }

    /// A number of the file that each of `names` is of: windows of one file have the same, as
    /// [`GoodSamples::groups`](crate::teach::GoodSamples::groups) wants it.
    pub fn groups(&self, names: &[PathBuf]) -> Vec<usize> {
        let file = |name| self.named.get(name).map_or(name, |(file, _)| file);
        let mut numbers: BTreeMap<&PathBuf, usize> = BTreeMap::new();
        let number = |name| {
            let next = numbers.len();
            *numbers.entry(file(name)).or_insert(next)
        };
        names.iter().map(number).collect()
    }

    /// The window of this name; what is no window's name is read as it stands.
    ///
    /// # Errors
    /// As `read` and [`cut`].
    pub fn read(&self, name: &Path, read: &dyn Fn(&Path) -> Result<Sound>) -> Result<Sound> {
        let Some((path, number)) = self.named.get(name) else { return read(name) };
        let mut open = self.open.borrow_mut();
        let kept = open.take().filter(|(kept, _)| kept == path);
        let (_, windows) = match kept {
            Some(kept) => open.insert(kept),
            None => open.insert((path.clone(), cut(&read(path)?, self.seconds)?)),
        };
        let gone = || Error::new(ErrorKind::Input, format!("{} became shorter while it was taught", path.display()));
        windows.get(*number).cloned().ok_or_else(gone)
    }
}

/// `m00.flac` → `m00 window 2.flac`: still a sound by its ending.
fn name(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map_or(String::new(), |ending| format!(".{}", ending.to_string_lossy()));
    path.with_file_name(format!("{stem} window {number:04}{ending}"))
}

/// As many of the good sounds to teach from as last for `seconds` together, chosen as [`Dataset::shots`] does.
///
/// # Errors
/// [`ErrorKind::Config`] when all of them are shorter; those of `read`.
pub fn lasting(
    dataset: &Dataset,
    seconds: f64,
    seed: u64,
    read: &dyn Fn(&Path) -> Result<Sound>,
) -> Result<Vec<PathBuf>> {
    let mut lasts = BTreeMap::new();
    for path in &dataset.train_good {
        // What cannot be read lasts for nothing; teaching tells of it.
        let duration = read(path).map_or(0.0, |sound| sound.duration().as_secs_f64());
        lasts.insert(path, duration);
    }
    for count in 1..=dataset.train_good.len() {
        let chosen = dataset.shots(count, seed)?;
        // Half a sample short is not short.
        if chosen.iter().filter_map(|path| lasts.get(path)).sum::<f64>() >= seconds - 1e-4 {
            return Ok(chosen);
        }
    }
    let (name, all) = (&dataset.name, lasts.values().sum::<f64>());
    let what = format!("taught seconds: `{name}` has {all:.1} s of good sound to teach from, got {seconds}");
    Err(Error::new(ErrorKind::Config, what))
}

/// Judges a sound by its windows: the report of the strangest one. A sound is invalid where it does
/// not fail and one of its windows cannot be judged. So a sound is one sample however many windows it has, and what
/// makes it bad need not be in all of them; that any of the windows fails is likelier than that one does.
///
/// # Errors
/// As [`cut`] and [`Inspector::judge`].
pub fn judge(inspector: &mut Inspector, sound: &Sound, seconds: f64, with_evidence: bool) -> Result<Seen> {
    let mut most: Option<Seen> = None;
    let mut invalid = None;
    for window in cut(sound, seconds)? {
        let inspection = inspector.judge(&window.into())?;
        if inspection.verdict == Verdict::Invalid && invalid.is_none() {
            invalid = Some(inspection.reason.clone());
        }
        if most.as_ref().is_none_or(|most| inspection.score > most.report.score) {
            let evidence = if with_evidence { inspection.evidence()? } else { Vec::new() };
            most = Some(Seen { frame: None, report: inspection.into_report(), evidence });
        }
    }
    let none = || Error::new(ErrorKind::Input, "a sound without a window cannot be judged");
    let mut seen = most.ok_or_else(none)?;
    if let (Some(reason), true) = (invalid, seen.report.verdict != Verdict::Fail) {
        (seen.report.verdict, seen.report.reason) = (Verdict::Invalid, reason);
        seen.report.findings.clear();
        seen.evidence.clear();
    }
    Ok(seen)
}

/// The greatest of some scores: a sound is as strange as its strangest window. `None` of none.
pub fn greatest(scores: impl IntoIterator<Item = f64>) -> Option<f64> {
    scores.into_iter().max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels at 1 kHz, each sample its own number.
    fn sound(samples: usize) -> Sound {
        let values: Vec<f32> = (0..2 * samples).map(|i| (i / 2) as f32).collect();
        Sound::new(values, 1000, 2).unwrap()
    }

    fn begins(samples: usize, seconds: f64) -> Vec<(f32, usize)> {
        cut(&sound(samples), seconds).unwrap().iter().map(|window| (window.samples()[0], window.len())).collect()
    }

    #[test]
    fn windows_follow_one_another_and_a_long_rest_counts() {
        assert_eq!(begins(6000, 2.0), [(0.0, 2000), (2000.0, 2000), (4000.0, 2000)]);
        assert_eq!(begins(5499, 2.0), [(0.0, 2000), (2000.0, 2000)]);
        // 1500 of 2000 samples are left: the last window ends with the sound.
        assert_eq!(begins(5500, 2.0), [(0.0, 2000), (2000.0, 2000), (3500.0, 2000)]);
        assert_eq!(begins(1500, 2.0), [(0.0, 1500)]);
        let error = cut(&sound(1499), 2.0).unwrap_err();
        assert_eq!(error.message(), "a sound of 1.50 s is shorter than three quarters of a window of 2 s");
        let second = &cut(&sound(6000), 2.0).unwrap()[1];
        assert_eq!((second.position, second.channels(), second.rate()), (2000, 2, 1000));
    }

    #[test]
    fn windows_are_read_by_their_names_and_no_more_than_asked() {
        let read = |path: &Path| match path.to_str().unwrap() {
            "a.wav" => Ok(sound(4000)),
            "b.wav" => Ok(sound(6000)),
            _ => Err(Error::new(ErrorKind::Input, "broken")),
        };
        let paths: Vec<PathBuf> = ["a.wav", "b.wav", "c.wav"].map(PathBuf::from).to_vec();
        let (windows, names) = Windows::of(&paths, 2.0, None, &read).unwrap();
        assert_eq!(names.len(), 6);
        assert_eq!(names[3], Path::new("b window 0001.wav"));
        assert_eq!(windows.read(&names[3], &read).unwrap().samples()[0], 2000.0);
        assert_eq!(windows.read(&names[0], &read).unwrap().samples()[0], 0.0);
        assert_eq!(windows.read(&names[5], &read).unwrap_err().message(), "broken");
        assert_eq!(windows.groups(&names), [0, 0, 1, 1, 1, 2]);
        assert_eq!(Windows::of(&paths, 2.0, Some(7.9), &read).unwrap().1, names[..3]);
        let error = Windows::of(&paths, 6.1, None, &read).err().unwrap();
        assert_eq!(error.message(), "a.wav: a sound of 4.00 s is shorter than three quarters of a window of 6.1 s");
    }

    #[test]
    fn as_many_sounds_are_chosen_as_last_for_the_time() {
        let train_good: Vec<PathBuf> = (0..6).map(|i| PathBuf::from(format!("{i}.wav"))).collect();
        let dataset = Dataset { name: "set".into(), train_good, test: Vec::new() };
        let read = |_: &Path| Ok(sound(10_000));
        for (seconds, count) in [(1.0, 1), (10.0, 1), (10.1, 2), (30.0, 3), (60.0, 6)] {
            let chosen = lasting(&dataset, seconds, 7, &read).unwrap();
            assert_eq!(chosen, dataset.shots(count, 7).unwrap(), "{seconds} s");
        }
        let error = lasting(&dataset, 61.0, 7, &read).unwrap_err();
        assert_eq!(error.message(), "taught seconds: `set` has 60.0 s of good sound to teach from, got 61");
    }

    #[test]
    fn the_greatest_score_is_found_among_all_signs() {
        assert_eq!(greatest([-3.0, -0.5, -2.0]), Some(-0.5));
        assert_eq!(greatest([1.0, f64::INFINITY, -2.0]), Some(f64::INFINITY));
        assert_eq!(greatest([]), None);
    }
}
