//! What is seen and heard at once → one report: each sense by its own inspector, and `fuse` over their p-values. A sense
//! that is missing or cannot judge is left out, and what is left decides by its own good samples.

use super::{Inspector, decide};
use crate::backend::{Backend, Options};
use crate::error::{ErrorKind, Result};
use crate::fuse;
use crate::manifest::{Manifest, Sense};
use crate::memory::bond::Bond;
use crate::memory::calibrate::Calibration;
use crate::memory::pair::Taught;
use crate::memory::part::Part;
use crate::report::{Provenance, Report, Verdict};
use crate::sample::{Frame, Sound};

/// Judges moments by whatever a part was taught. One inspector serves one thread.
pub struct MomentInspector {
    senses: Senses,
}

enum Senses {
    Sight(Box<Inspector>),
    Hearing(Box<Inspector>),
    Both(Box<Both>),
}

struct Both {
    sight: Inspector,
    hearing: Inspector,
    /// With its calibration.
    bond: Option<(Bond, Calibration)>,
    calibration: Calibration,
    limit: f32,
}

impl MomentInspector {
    /// An inspector of what was taught; `manifest` finds the model package of a sense.
    ///
    /// # Errors
    /// As [`Inspector::new`].
    pub fn new<E: From<crate::Error>>(
        taught: Taught,
        manifest: &dyn Fn(Sense) -> Result<Manifest, E>,
        backend: &dyn Backend,
        options: Options,
    ) -> Result<Self, E> {
        let open = |part: Part| -> Result<Inspector, E> {
            Ok(Inspector::new(&manifest(part.card.kind.sense())?, part, backend, options)?)
        };
        let senses = match taught {
            Taught::One(part) if part.card.kind.sense() == Sense::Image => Senses::Sight(Box::new(open(*part)?)),
            Taught::One(part) => Senses::Hearing(Box::new(open(*part)?)),
            Taught::Both(pair) => {
                let held_out = pair.held_out().into_iter().map(|p_values| fuse::score(p_values.into_iter()));
                let calibration = Calibration::new(held_out.collect());
                let limit = calibration.limit(pair.sight.card.overkill);
                let bond = pair.bond.map(|bond| {
                    let calibration = bond.calibration();
                    (bond, calibration)
                });
                let (mut sight, mut hearing) = (open(pair.sight)?, open(pair.hearing)?);
                for one in [&mut sight, &mut hearing] {
                    one.judged_by.part_digest.clone_from(&pair.digest);
                }
                Senses::Both(Box::new(Both { sight, hearing, bond, calibration, limit }))
            }
        };
        Ok(Self { senses })
    }

    /// Judges what is seen and heard at once. A sense that the part does not know is passed over.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the one sense of a part is given what it cannot take; [`ErrorKind::Runtime`] when the
    /// runtime fails. A moment that cannot be judged is no error but [`Verdict::Invalid`].
    pub fn judge(&mut self, frame: Option<&Frame>, sound: Option<&Sound>) -> Result<Report> {
        match (&mut self.senses, frame, sound) {
            (Senses::Sight(sight), Some(frame), _) => sight.inspect(frame),
            (Senses::Hearing(hearing), _, Some(sound)) => hearing.hear(sound),
            (Senses::Both(both), ..) => both.judge(frame, sound),
            (Senses::Sight(sight), None, _) => Ok(Report::invalid("no picture".into(), sight.judged_by.clone())),
            (Senses::Hearing(hearing), _, None) => Ok(Report::invalid("no sound".into(), hearing.judged_by.clone())),
        }
    }

    /// The inspector of each sense, sight first.
    pub fn inspectors(&self) -> Vec<&Inspector> {
        match &self.senses {
            Senses::Sight(one) | Senses::Hearing(one) => vec![one],
            Senses::Both(both) => vec![&both.sight, &both.hearing],
        }
    }

    /// Whether the part knows a sense.
    pub fn has(&self, sense: Sense) -> bool {
        self.inspectors().iter().any(|one| one.part.card.kind.sense() == sense)
    }

    /// What moments are judged by.
    pub fn judged_by(&self) -> &Provenance {
        &self.inspectors()[0].judged_by
    }
}

impl Both {
    fn judge(&mut self, frame: Option<&Frame>, sound: Option<&Sound>) -> Result<Report> {
        let by = &self.sight.judged_by.clone();
        let seen = frame.map_or_else(|| Ok(missing("no picture", by)), |frame| told(self.sight.inspect(frame), by))?;
        let heard = sound.map_or_else(|| Ok(missing("no sound", by)), |sound| told(self.hearing.hear(sound), by))?;
        Ok(match (seen.verdict, heard.verdict) {
            (Verdict::Invalid, Verdict::Invalid) => Report {
                reason: format!("{}; {}", seen.reason, heard.reason),
                degraded: true,
                sight: Some(seen.alone()),
                hearing: Some(Box::new(heard)),
                ..seen
            },
            (Verdict::Invalid, _) => Report { sight: Some(seen.alone()), ..alone(heard, "hearing", &seen.reason) },
            (_, Verdict::Invalid) => {
                let sight = seen.alone();
                let reason = heard.reason.clone();
                Report { sight: Some(sight), hearing: Some(Box::new(heard)), ..alone(seen, "sight", &reason) }
            }
            _ => self.join(seen, heard),
        })
    }

    fn join(&self, seen: Report, heard: Report) -> Report {
        let belong = self.bond.as_ref().map(|(bond, calibration)| {
            let [sight, hearing] =
                [&self.sight, &self.hearing].map(|one| (&one.part.learned.shape, &*one.look.summary));
            calibration.p_value(bond.distance(sight, hearing))
        });
        let score = fuse::score([seen.p_value, heard.p_value].into_iter().chain(belong));
        let (verdict, reason) = decide(&self.calibration, self.sight.part.card.overkill, score, "parts");
        let mut ms = seen.ms;
        ms.prepare += heard.ms.prepare;
        ms.encode += heard.ms.encode;
        ms.judge += heard.ms.judge;
        Report {
            verdict,
            reason,
            decided_by: fuse::decided(verdict, seen.verdict, heard.verdict),
            score,
            limit: self.limit,
            p_value: self.calibration.p_value(score),
            belong,
            sight: Some(seen.alone()),
            hearing: Some(Box::new(heard)),
            ms,
            ..seen
        }
    }
}

fn missing(why: &str, by: &Provenance) -> Report {
    Report::invalid(why.into(), by.clone())
}

/// What a sense cannot take is told as one that is missing.
fn told(report: Result<Report>, by: &Provenance) -> Result<Report> {
    match report {
        Err(error) if error.kind() == ErrorKind::Input => Ok(Report::invalid(error.chain(), by.clone())),
        report => report,
    }
}

/// The report of the one sense that is left, with why the other was left out.
fn alone(report: Report, sense: &str, why: &str) -> Report {
    let own = if report.reason.is_empty() { String::new() } else { format!("{}; ", report.reason) };
    Report { reason: format!("{own}by {sense} alone: {why}"), degraded: true, ..report }
}
