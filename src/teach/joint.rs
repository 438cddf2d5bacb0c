//! GoodSamples of several senses: those that all of them can take.

use std::path::PathBuf;

use super::{GoodSamples, Teacher};
use crate::error::{Error, ErrorKind, Result};

/// The samples that are taught. Where several senses take them, one that a sense cannot take is left out whole: each sense
/// is to know the same samples in the same order.
pub(super) struct Whole {
    pub(super) names: Vec<PathBuf>,
    /// The group of each.
    pub(super) groups: Vec<usize>,
    /// What is left out, with the reason.
    pub(super) skipped: Vec<(PathBuf, String)>,
}

impl Whole {
    /// # Errors
    /// [`ErrorKind::Input`] when there is none that all of several senses can take.
    pub(super) fn of(teachers: &[Teacher], samples: GoodSamples) -> Result<Self> {
        let mut whole = Self { names: Vec::new(), groups: Vec::new(), skipped: Vec::new() };
        // One sense alone tells of its samples when they are taught.
        let is_joint = teachers.len() > 1;
        for (i, name) in samples.names.iter().enumerate() {
            let mut senses = teachers.iter().filter(|_| is_joint);
            match senses.find_map(|teacher| teacher.sense.read(&samples, i).err()) {
                Some(error) => whole.skipped.push((name.clone(), error.chain())),
                None => {
                    whole.names.push(name.clone());
                    whole.groups.push(samples.group(i));
                }
            }
        }
        if is_joint && whole.names.is_empty() {
            let reason = whole.skipped.first().map_or(String::new(), |(_, reason)| format!(": {reason}"));
            let what = format!("of none of {} good parts both picture and sound can be read{reason}", samples.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        Ok(whole)
    }
}
