//! Good samples of several senses: those that all senses can use.

use std::path::PathBuf;

use super::copies::{Copies, Fingerprint};
use super::{GoodSamples, Teacher};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::Sense;

/// The samples that are taught. With several senses, a sample that one of them cannot use is left out entirely, so that
/// each sense learns the same samples in the same order.
#[derive(Default)]
pub(super) struct Whole {
    pub(super) names: Vec<PathBuf>,
    /// The group of each.
    pub(super) groups: Vec<usize>,
    /// The skipped samples, with the reason.
    pub(super) skipped: Vec<(PathBuf, String)>,
    /// Duplicates across all senses, each with its original.
    pub(super) copies: Vec<(PathBuf, PathBuf)>,
}

impl Whole {
    /// # Errors
    /// [`ErrorKind::Input`] when there is none that all of several senses can take.
    pub(super) fn of(teachers: &mut [Teacher], samples: GoodSamples) -> Result<Self> {
        if teachers.len() < 2 {
            // A single sense reports on its samples while they are taught.
            let groups = (0..samples.len()).map(|i| samples.group(i)).collect();
            return Ok(Self { names: samples.names.to_vec(), groups, ..Self::default() });
        }
        let (mut whole, mut met) = (Self::default(), Copies::default());
        for (i, name) in samples.names.iter().enumerate() {
            match fingerprint(teachers, &samples, i).map(|what| met.original(what, i)) {
                Err(error) => whole.skipped.push((name.clone(), error.chain())),
                Ok(Some(original)) => whole.copies.push((name.clone(), samples.names[original].clone())),
                Ok(None) => {
                    whole.names.push(name.clone());
                    whole.groups.push(samples.group(i));
                }
            }
        }
        if whole.names.is_empty() {
            let reason = whole.skipped.first().map_or(String::new(), |(_, reason)| format!(": {reason}"));
            let what = format!("of none of {} good parts both picture and sound can be taught{reason}", samples.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        Ok(whole)
    }
}

/// What all senses need of sample `i`.
fn fingerprint(teachers: &mut [Teacher], samples: &GoodSamples, i: usize) -> Result<Fingerprint> {
    let mut all = Fingerprint::default();
    for teacher in teachers {
        let (sense, moment) = (teacher.sense(), teacher.sense.read(samples, i)?);
        if let Some(frame) = moment.frame.as_ref().filter(|_| sense == Sense::Image) {
            all = all.seen(frame);
        }
        if let Some(sound) = moment.sound.as_ref().filter(|_| sense == Sense::Sound) {
            all = all.heard(sound);
        }
    }
    Ok(all)
}
