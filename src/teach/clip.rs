//! What is particular to clips: an image of their motion is encoded, and their motion by place and time is stored.

use super::{GoodSamples, Numbered, TeachConfig, TeachReport, TeachSense, missing, same_length};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Eye, kymograph};
use crate::memory::learned::Good;
use crate::memory::motion::UsualMotion;
use crate::memory::part::{Card, Envelope, HeldOut, Kind, Moving, Part, SenseMemory};
use crate::package::manifest::Manifest;
use crate::prepare::clip::{Filmed, Kymograph};
use crate::sample::{Clip, Frame, Moment, Sense};

/// Teaches from clips.
pub(super) struct TeachClip {
    kymograph: Kymograph,
    /// Ranges of the readable clips.
    filmed: Vec<Filmed>,
    motion: Option<UsualMotion>,
}

impl TeachClip {
    /// # Errors
    /// As [`kymograph`].
    pub(super) fn open(manifest: &Manifest) -> Result<Self> {
        Ok(Self { kymograph: kymograph(manifest)?, filmed: Vec::new(), motion: None })
    }

    /// Measures the readable clips; the others are reported when they are taught.
    fn watch(&mut self, samples: &GoodSamples) -> Result<()> {
        (self.filmed, self.motion) = (Vec::new(), None);
        for (i, name) in samples.names.iter().enumerate() {
            let Ok(moment) = self.read(samples, i) else { continue };
            if self.picture(&moment).is_err() {
                continue;
            }
            let filmed = self.kymograph.filmed();
            same_length(name, filmed.seconds, self.filmed.first().map(|first| first.seconds), "clip")?;
            self.filmed.push(filmed);
            let own = UsualMotion::of(self.kymograph.motion(), self.kymograph.stills());
            self.motion = self.motion.take().into_iter().chain([own]).reduce(|all, own| all.joined(&own));
        }
        Ok(())
    }

    /// Motion of the measured clips.
    fn motion(&mut self) -> Result<UsualMotion> {
        self.motion.take().ok_or_else(|| missing("clip"))
    }
}

impl TeachSense for TeachClip {
    fn sense(&self) -> Sense {
        Sense::Clip
    }

    fn cannot_be_taught(&self, moment: &Moment) -> Option<String> {
        moment.clip.is_none().then(|| "no clip".into())
    }

    fn picture(&mut self, moment: &Moment) -> Result<Frame> {
        let picture = self.kymograph.picture(clip_of(moment)?)?;
        // The frames show nothing, or nothing moves.
        match self.kymograph.unfit() {
            Some(why) => Err(Error::new(ErrorKind::Input, why)),
            None => Ok(picture),
        }
    }

    fn begin(&mut self, _: &mut Eye, _: &TeachConfig, samples: &GoodSamples) -> Result<()> {
        self.kymograph.pace(None);
        self.watch(samples)?;
        // The slowest camera limits what can be compared.
        if let Some(slowest) = Moving::of(&self.filmed).filter(Moving::is_of_several_rates) {
            self.kymograph.pace(Some(slowest.rate[0]));
            self.watch(samples)?;
        }
        Ok(())
    }

    fn resume(&mut self, part: &Part, samples: &GoodSamples) -> Result<()> {
        self.kymograph.pace(part.card.clip.map(|clip| clip.rate[0]));
        self.watch(samples)
    }

    fn kind(&self, _: &[Good], _: &[[usize; 2]], _: &mut TeachReport) -> Kind {
        Kind::Clip
    }

    fn envelope(&self) -> Option<Envelope> {
        Some(Envelope::of(self.filmed.iter().map(|filmed| (filmed.quality, filmed.size))))
    }

    fn finish(&mut self, _: Numbered, card: &mut Card, _: &mut [HeldOut]) -> Result<SenseMemory> {
        card.clip = Moving::of(&self.filmed);
        Ok(SenseMemory::Clip { motion: self.motion()? })
    }

    fn extend(&mut self, _: Numbered, part: &mut Part, _: usize) -> Result<()> {
        part.card.clip = part.card.clip.into_iter().chain(Moving::of(&self.filmed)).reduce(Moving::joined);
        let new = self.motion()?;
        if let SenseMemory::Clip { motion } = &mut part.sense {
            *motion = motion.clone().joined(&new);
        }
        Ok(())
    }
}

fn clip_of(moment: &Moment) -> Result<&Clip> {
    moment.clip.as_ref().ok_or_else(|| missing("clip"))
}
