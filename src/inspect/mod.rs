//! A sample and a taught part → a [`Report`]: the core of the library. An [`Inspector`] starts no threads except the
//! pool of the search, so a robot can call it from its own loop.
//!
//! `image`, `sound` and `clip` hold what is particular to one sense, behind a small trait that `core` calls; `joint`
//! combines several senses.

mod clip;
mod core;
pub mod evidence;
mod eye;
mod image;
mod joint;
mod modality;
mod places;
#[cfg(test)]
mod sentences;
mod sound;
mod writer;

use std::ops::Deref;

use crate::backend::{Backend, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::pair::Taught;
use crate::memory::part::Part;
use crate::package::manifest::{Manifest, Sense};
use crate::report::{Finding, Provenance, Report, SenseReport};
use crate::sample::{Frame, Moment};

pub use clip::kymograph;
pub use core::SenseInspector;
use evidence::Evidence;
pub use eye::{Eye, Look};
use joint::Joint;
pub use sound::{Ear, spectrograph};
pub use writer::{Asked, Writer};

/// Judges samples by a taught part. One inspector serves one thread; [`Inspector::fork`] makes one for another.
pub struct Inspector {
    /// At least one, in the order of [`Sense`].
    senses: Vec<SenseInspector>,
    /// For parts of several senses.
    joint: Option<Joint>,
    judged_by: Provenance,
}

impl Inspector {
    /// An inspector of a taught part. `manifest` returns the model package of a sense, `options` how to run it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the part was taught with another model; else as [`Eye::open`].
    pub fn new<E: From<crate::Error>>(
        taught: Taught,
        manifest: &dyn Fn(Sense) -> Result<Manifest, E>,
        backend: &dyn Backend,
        options: &dyn Fn(Sense) -> Options,
    ) -> Result<Self, E> {
        let judged_by = Provenance { part: taught.name().into(), part_digest: taught.digest().into() };
        let joint = Joint::of(&taught);
        let open = |part: Part| {
            let sense = part.card.kind.sense();
            Ok::<_, E>(SenseInspector::new(&manifest(sense)?, part, backend, &options(sense))?)
        };
        let senses = taught.into_parts().into_iter().map(open).collect::<Result<_, E>>()?;
        Ok(Self { senses, joint, judged_by })
    }

    /// An inspector of a part of one sense with the model package it was taught with.
    ///
    /// # Errors
    /// As [`Inspector::new`].
    pub fn of_part(manifest: &Manifest, part: Part, backend: &dyn Backend, options: &Options) -> Result<Self> {
        let judged_by = Provenance { part: part.card.name.clone(), part_digest: part.digest.clone() };
        let senses = vec![SenseInspector::new(manifest, part, backend, options)?];
        Ok(Self { senses, joint: None, judged_by })
    }

    /// A copy for another thread, which shares the part and the encoders' weights.
    ///
    /// # Errors
    /// As [`Eye::fork`].
    pub fn fork(&self) -> Result<Self> {
        let senses = self.senses.iter().map(SenseInspector::fork).collect::<Result<_>>()?;
        Ok(Self { senses, joint: self.joint.clone(), judged_by: self.judged_by.clone() })
    }

    /// Judges a sample by each sense of the part, and by all together. Other modalities in the sample are ignored.
    ///
    /// The result can be used as the report. Its [`Inspection::evidence`] is available until the next sample is judged.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a part of one sense does not accept the sample's form; [`ErrorKind::Runtime`] when the
    /// runtime fails. A sample that cannot be judged is no error: its verdict is
    /// [`Verdict::Invalid`](crate::report::Verdict::Invalid).
    pub fn judge(&mut self, moment: &Moment) -> Result<Inspection<'_>> {
        if moment.clip.is_some() && self.sense(Sense::Clip).is_none() {
            let taught: Vec<&str> = self.senses.iter().map(|one| one.sense().samples()).collect();
            let (name, taught) = (&self.judged_by.part, taught.join(" with "));
            let what = format!("part `{name}` was taught from {taught}: it cannot judge a clip");
            return Err(Error::new(ErrorKind::Input, what));
        }
        let report = match (&mut self.senses[..], &self.joint) {
            ([one], None) => {
                let (sense, findings) = one.judge(moment)?;
                Report::of(sense, findings, self.judged_by.clone())
            }
            (senses, joint) => {
                let judged =
                    senses.iter_mut().map(|one| judge_or_leave_out(one, moment)).collect::<Result<Vec<_>>>()?;
                joint::report(joint.as_ref(), &self.senses, judged, &self.judged_by)
            }
        };
        Ok(Inspection { shown: Shown { inspector: self, frame: moment.frame.clone() }, report })
    }

    /// The inspector of each sense, in the order image, sound, clip.
    pub fn senses(&self) -> &[SenseInspector] {
        &self.senses
    }

    /// The inspector of a sense, if the part has it.
    pub fn sense(&self, sense: Sense) -> Option<&SenseInspector> {
        self.senses.iter().find(|one| one.sense() == sense)
    }

    /// The feature extractor of the first sense, for measuring its stages alone.
    pub fn eye(&mut self) -> &mut Eye {
        self.senses[0].eye()
    }

    /// What was requested of the encoders' runtime but is not available, a sentence each.
    pub fn notices(&self) -> impl Iterator<Item = &String> {
        self.senses.iter().flat_map(SenseInspector::notices)
    }

    /// The part.
    pub fn judged_by(&self) -> &Provenance {
        &self.judged_by
    }
}

/// One sense of several: if it does not accept the sample it is left out, and the other decides.
fn judge_or_leave_out(one: &mut SenseInspector, moment: &Moment) -> Result<(SenseReport, Vec<Finding>)> {
    match one.judge(moment) {
        Err(error) if error.kind() == ErrorKind::Input => Ok(joint::unreadable(one.sense(), &error)),
        judged => judged,
    }
}

/// A judged sample: its report, and access to its evidence.
pub struct Inspection<'a> {
    shown: Shown<'a>,
    report: Report,
}

/// The features of the last sample. While this borrow lives, no other sample can be judged.
pub struct Shown<'a> {
    inspector: &'a Inspector,
    frame: Option<Frame>,
}

impl Shown<'_> {
    /// As [`Inspection::evidence`], for the `report` on that sample.
    ///
    /// # Errors
    /// As [`Inspection::evidence`].
    pub fn evidence(&self, report: &Report) -> Result<Vec<(Sense, Evidence)>> {
        let of = |one: &SenseInspector| {
            let own = report.sense(one.sense()).filter(|own| own.is_valid())?;
            let frame = own.picture.as_ref().or(self.frame.as_ref())?;
            let findings: Vec<&Finding> = report.findings_of(one.sense()).collect();
            Some(one.evidence(own, &findings, frame).map(|evidence| (one.sense(), evidence)))
        };
        self.inspector.senses.iter().filter_map(of).collect()
    }
}

impl<'a> Inspection<'a> {
    /// The decoder's input about the sample, sense by sense. A sense that could not judge gives none.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime lost the encoded features.
    pub fn evidence(&self) -> Result<Vec<(Sense, Evidence)>> {
        self.shown.evidence(&self.report)
    }

    /// The report, to be sent before its evidence is gathered.
    pub fn split(self) -> (Report, Shown<'a>) {
        (self.report, self.shown)
    }

    /// The report alone.
    pub fn into_report(self) -> Report {
        self.report
    }
}

impl Deref for Inspection<'_> {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}
