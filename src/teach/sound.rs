//! What is particular to sounds: their spectrogram images are encoded, and the stationary features of the whole sound
//! are learned too.

use super::{GoodSamples, Numbered, TeachConfig, TeachReport, TeachSense, same_length};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Eye, spectrograph};
use crate::memory::learned::{Good, folds_of};
use crate::memory::part::{Audible, Card, HeldOut, Kind, LEAST_SPOILT, LONGEST_INPUT, Loudness, Part, SenseMemory};
use crate::memory::usual::Usual;
use crate::package::manifest::{Manifest, SpectrogramSpec};
use crate::prepare::bearing::Bearing;
use crate::prepare::spectrogram::Spectrograph;
use crate::prepare::steady::Steady;
use crate::sample::{Frame, Moment, Sense, Sound};

/// Fewest good sounds for baseline statistics.
const LEAST_STEADY: usize = 3;
/// Longest time over which stationary features are measured, in seconds; more would not make them finer.
const MOST_STEADY_SECONDS: f64 = 240.0;

/// Teaches from sounds.
pub(super) struct TeachSound {
    spectrograph: Spectrograph,
    /// Ranges of the readable sounds.
    heard: Vec<Loudness>,
    /// The bearing, if known.
    bearing: Option<Bearing>,
}

impl TeachSound {
    /// # Errors
    /// As [`spectrograph`].
    pub(super) fn open(manifest: &Manifest) -> Result<Self> {
        Ok(Self { spectrograph: spectrograph(manifest)?, heard: Vec::new(), bearing: None })
    }

    /// Measures the readable sounds; the others are reported when they are taught.
    fn listen(&mut self, samples: &GoodSamples) -> Result<()> {
        let longest = self.longest();
        self.heard.clear();
        for (i, name) in samples.names.iter().enumerate() {
            let Ok(moment) = self.read(samples, i) else { continue };
            let sound = sound_of(&moment)?;
            let seconds = sound.duration().as_secs_f64();
            if seconds > longest {
                let name = name.display();
                let what = format!(
                    "{name} lasts {seconds:.2} s, a part is taught from sounds of at most {longest:.0} s: cut it"
                );
                return Err(Error::new(ErrorKind::Input, what));
            }
            let loudness = Loudness::of(sound)?;
            same_length(name, loudness.seconds, self.heard.first().map(|first| first.seconds), "sound")?;
            self.heard.push(loudness);
        }
        Ok(())
    }

    /// Longest sound whose image a part may have, in seconds.
    fn longest(&self) -> f64 {
        let SpectrogramSpec { rate, hop, pixels, .. } = self.spectrograph.spec();
        (LONGEST_INPUT / pixels.max(1) * hop) as f64 / f64::from(rate)
    }

    /// Sets the encoder's width for the image of the first sound, because images are not stretched.
    fn fit(&mut self, eye: &mut Eye, samples: &GoodSamples) -> Result<()> {
        let Some(first) = (0..samples.len()).find_map(|i| self.read(samples, i).ok()) else { return Ok(()) };
        let frames = self.picture(&first)?.width();
        let encoder = eye.encoder();
        let [height, width] = self.spectrograph.input(frames, encoder.spec().multiple_of);
        if encoder.size() == [height, width] { Ok(()) } else { encoder.resize(height, width) }
    }

    /// Measures the stationary features of `count` such sounds; `None` if the sounds are too few or too short.
    fn steady(&self, count: usize) -> Result<Option<Steady>> {
        let SpectrogramSpec { rate, bands, .. } = self.spectrograph.spec();
        let least = self.heard.iter().map(|heard| heard.seconds).fold(f64::MAX, f64::min);
        let samples = (least.min(MOST_STEADY_SECONDS) * f64::from(rate)) as usize;
        match count >= LEAST_STEADY && samples >= rate as usize / 2 {
            true => Steady::new(rate, samples, bands).map(Some),
            false => Ok(None),
        }
    }

    /// Stationary features of each of the samples `taken`.
    fn values(&mut self, (samples, taken): Numbered, steady: &mut Steady) -> Result<Vec<Vec<f32>>> {
        let mut of = |i: usize| -> Result<Vec<f32>> {
            self.read_picture(samples, i)?;
            let mut values = vec![0.0; steady.values()];
            steady.run(self.spectrograph.mono(), self.spectrograph.level(), &mut values)?;
            Ok(values)
        };
        taken.iter().map(|&i| of(i)).collect()
    }
}

impl TeachSense for TeachSound {
    fn sense(&self) -> Sense {
        Sense::Sound
    }

    fn cannot_be_taught(&self, moment: &Moment) -> Option<String> {
        let Some(sound) = &moment.sound else { return Some("no sound".into()) };
        Loudness::of(sound).map_or_else(|error| Some(error.chain()), |loudness| loudness.unfit())
    }

    fn picture(&mut self, moment: &Moment) -> Result<Frame> {
        self.spectrograph.picture(sound_of(moment)?)
    }

    fn begin(&mut self, eye: &mut Eye, config: &TeachConfig, samples: &GoodSamples) -> Result<()> {
        self.bearing = config.bearing;
        self.listen(samples)?;
        self.fit(eye, samples)
    }

    fn resume(&mut self, _: &Part, samples: &GoodSamples) -> Result<()> {
        self.listen(samples)
    }

    fn kind(&self, _: &[Good], _: &[[usize; 2]], _: &mut TeachReport) -> Kind {
        Kind::Sound
    }

    /// Their images are not camera images.
    fn varies(&self) -> bool {
        false
    }

    fn notes(&self) -> Vec<String> {
        spoilt(&self.heard)
    }

    fn finish(&mut self, (samples, taken): Numbered, card: &mut Card, held_out: &mut [HeldOut]) -> Result<SenseMemory> {
        (card.sound, card.bearing) = (Audible::of(&self.heard), self.bearing);
        let Some(mut steady) = self.steady(taken.len())? else { return Ok(SenseMemory::Sound { baseline: None }) };
        let values = self.values((samples, taken), &mut steady)?;
        let recordings: Vec<usize> = taken.iter().map(|&i| samples.group(i)).collect();
        let (groups, fold_of) = (steady.groups(), folds_of(&recordings));
        for (i, held_out) in held_out.iter_mut().enumerate() {
            let others = values.iter().enumerate().filter(|(j, _)| fold_of[*j] != fold_of[i]);
            let Some(usual) = Usual::learn(others.map(|(_, values)| values.as_slice()), &groups) else { continue };
            held_out.distances.steady = Some(groups.each_ref().map(|group| usual.off(&values[i], group).distance));
        }
        card.sound.iter_mut().for_each(|sound| sound.steady_samples = steady.samples());
        Ok(SenseMemory::Sound { baseline: Usual::learn(values.iter().map(Vec::as_slice), &groups) })
    }

    fn extend(&mut self, taken: Numbered, part: &mut Part, fresh: usize) -> Result<()> {
        let length = part.card.sound.map_or(0, |sound| sound.steady_samples);
        part.card.sound = part.card.sound.into_iter().chain(Audible::of(&self.heard)).reduce(Audible::joined);
        let Some(usual) = part.usual().cloned() else { return Ok(()) };
        let SpectrogramSpec { rate, bands, .. } = self.spectrograph.spec();
        let mut steady = Steady::new(rate, length, bands)?;
        let values = self.values(taken, &mut steady)?;
        let groups = steady.groups();
        for (held_out, values) in part.held_out[fresh..].iter_mut().zip(&values) {
            held_out.distances.steady = Some(groups.each_ref().map(|group| usual.off(values, group).distance));
        }
        let new = Usual::learn(values.iter().map(Vec::as_slice), &groups);
        part.sense = SenseMemory::Sound { baseline: new.map(|new| usual.joined(&new)) };
        Ok(())
    }
}

fn sound_of(moment: &Moment) -> Result<&Sound> {
    moment.sound.as_ref().ok_or_else(|| super::missing("sound"))
}

/// Damage in good sounds that does not prevent learning from them.
fn spoilt(heard: &[Loudness]) -> Vec<String> {
    let mut notes = Vec::new();
    for (at, name) in ["clipped", "silent", "dropped out"].into_iter().enumerate() {
        let share = |heard: &Loudness| [heard.clipped, heard.silent, heard.dropped][at];
        let spoilt = heard.iter().map(share).filter(|share| *share > LEAST_SPOILT);
        let (count, most) = spoilt.fold((0, 0.0f64), |(count, most), share| (count + 1, most.max(share)));
        if count > 0 {
            notes.push(format!(
                "{count} good sounds are {name}, up to {:.1} % of one: sounds up to {:.1} % {name} will be judged, not refused",
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
