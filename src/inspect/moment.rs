//! What is seen and heard at once → one report: each sense by its own inspector, and `fuse` over their p-values. A sense
//! that is missing or cannot judge is left out, and what is left decides by its own good samples. A part that was taught from
//! clips is judged by these alone.

use super::evidence::Evidence;
use super::{Inspector, decide};
use crate::backend::{Backend, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::fuse;
use crate::manifest::{Manifest, Sense};
use crate::memory::bond::Bond;
use crate::memory::calibrate::Calibration;
use crate::memory::pair::Taught;
use crate::memory::part::Part;
use crate::report::{Provenance, Report, Verdict};
use crate::sample::{Clip, Frame, Sound};

/// Judges moments by whatever a part was taught. One inspector serves one thread; [`MomentInspector::fork`] makes one for
/// another.
pub struct MomentInspector {
    senses: Senses,
}

enum Senses {
    Sight(Box<Inspector>),
    Hearing(Box<Inspector>),
    Motion(Box<Inspector>),
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
    /// An inspector of what was taught; `manifest` finds the model package of a sense, `options` tells how it is to run.
    ///
    /// # Errors
    /// As [`Inspector::new`].
    pub fn new<E: From<crate::Error>>(
        taught: Taught,
        manifest: &dyn Fn(Sense) -> Result<Manifest, E>,
        backend: &dyn Backend,
        options: &dyn Fn(Sense) -> Options,
    ) -> Result<Self, E> {
        let open = |part: Part| -> Result<Inspector, E> {
            let sense = part.card.kind.sense();
            Ok(Inspector::new(&manifest(sense)?, part, backend, &options(sense))?)
        };
        let (joint, digest) = (taught.joint().cloned(), taught.digest().to_string());
        let parts = taught.into_parts().into_iter().map(open).collect::<Result<Vec<_>, E>>()?;
        let senses = match (<[Inspector; 2]>::try_from(parts), joint) {
            (Ok([mut sight, mut hearing]), Some(joint)) => {
                let calibration = calibrated(joint.held_out());
                let limit = calibration.limit(sight.part.card.overkill);
                let bond = joint.bond.map(|bond| {
                    let calibration = bond.calibration();
                    (bond, calibration)
                });
                for one in [&mut sight, &mut hearing] {
                    one.judged_by.part_digest.clone_from(&digest);
                }
                Senses::Both(Box::new(Both { sight, hearing, bond, calibration, limit }))
            }
            (parts, _) => {
                let one = Box::new(parts.map_or_else(|mut parts| parts.remove(0), |[first, _]| first));
                match one.part.card.kind.sense() {
                    Sense::Image => Senses::Sight(one),
                    Sense::Audio => Senses::Hearing(one),
                    Sense::Clip => Senses::Motion(one),
                }
            }
        };
        Ok(Self { senses })
    }

    /// Another inspector of the same for another thread, which shares what was taught and the encoders' weights.
    ///
    /// # Errors
    /// As [`Inspector::fork`].
    pub fn fork<E: From<crate::Error>>(&self, manifest: &dyn Fn(Sense) -> Result<Manifest, E>) -> Result<Self, E> {
        let another = |one: &Inspector| Ok::<_, E>(one.fork(&manifest(one.part.card.kind.sense())?)?);
        let senses = match &self.senses {
            Senses::Sight(one) => Senses::Sight(Box::new(another(one)?)),
            Senses::Hearing(one) => Senses::Hearing(Box::new(another(one)?)),
            Senses::Motion(one) => Senses::Motion(Box::new(another(one)?)),
            Senses::Both(both) => {
                let Both { sight, hearing, bond, calibration, limit } = &**both;
                let (sight, hearing) = (another(sight)?, another(hearing)?);
                let (bond, calibration, limit) = (bond.clone(), calibration.clone(), *limit);
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
            (Senses::Motion(motion), ..) => Ok(Report::invalid("no clip".into(), motion.judged_by.clone())),
        }
    }

    /// Judges a clip.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the part was not taught from clips; else as [`Inspector::watch`].
    pub fn watch(&mut self, clip: &Clip) -> Result<Report> {
        match &mut self.senses {
            Senses::Sight(one) | Senses::Hearing(one) | Senses::Motion(one) => one.watch(clip),
            Senses::Both(both) => {
                let name = &both.sight.part.card.name;
                let what = format!("part `{name}` was taught from pictures with sounds: it cannot judge a clip");
                Err(Error::new(ErrorKind::Input, what))
            }
        }
    }

    /// What there is to say of the moment that was judged last, as `report` says, sense by sense; `frame` is what was seen.
    /// A sense that could not judge has nothing to say.
    ///
    /// # Errors
    /// As [`Inspector::evidence`].
    pub fn evidence(&self, report: &Report, frame: Option<&Frame>) -> Result<Vec<(Sense, Evidence)>> {
        let of = |one: &Inspector, report: &Report| {
            let judged = report.picture.as_ref().or(frame).filter(|_| report.verdict != Verdict::Invalid);
            let sense = one.part.card.kind.sense();
            judged.map(|frame| Ok((sense, one.evidence(report, frame)?))).transpose()
        };
        let evidence = match &self.senses {
            Senses::Sight(one) | Senses::Hearing(one) | Senses::Motion(one) => vec![of(one, report)?],
            // Where sight could not judge, the report is that of hearing.
            Senses::Both(both) if report.sense == Sense::Audio => vec![of(&both.hearing, report)?],
            Senses::Both(both) => {
                let seen = report.sight.as_ref().is_some_and(|sight| sight.verdict != Verdict::Invalid);
                let sight = if seen { of(&both.sight, report)? } else { None };
                let heard = report.hearing.as_deref().map(|heard| of(&both.hearing, heard)).transpose()?;
                vec![sight, heard.flatten()]
            }
        };
        Ok(evidence.into_iter().flatten().collect())
    }

    /// The inspector of each sense, sight first.
    pub fn inspectors(&self) -> Vec<&Inspector> {
        match &self.senses {
            Senses::Sight(one) | Senses::Hearing(one) | Senses::Motion(one) => vec![one],
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
        let seen = told(frame.map(|frame| self.sight.inspect(frame)), "no picture", &self.sight.judged_by)?;
        let heard = told(sound.map(|sound| self.hearing.hear(sound)), "no sound", &self.hearing.judged_by)?;
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
        let score = fuse::score(fuse::p_value([seen.p_value, heard.p_value].into_iter().chain(belong)));
        let (mut verdict, mut reason) = decide(&self.calibration, self.sight.part.card.overkill, score, "parts");
        // The share of good parts that may fail is divided between the senses, so one alone may object in vain; that is
        // for a person to see.
        for (one, sense) in [(&seen, "sight"), (&heard, "hearing")] {
            if one.verdict == Verdict::Fail && verdict == Verdict::Pass {
                let (alone, joint) = (one.p_value, self.calibration.p_value(score));
                verdict = Verdict::Unsure;
                reason = format!("fails by {sense} alone: p = {alone:.4}, with the other sense {joint:.4}");
            }
        }
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

/// The joint score's calibration, from the p-values of good parts by each sense.
fn calibrated(good: &[Vec<f64>]) -> Calibration {
    let scores = good.iter().map(|p_values| fuse::score(fuse::p_value(p_values.iter().copied()))).collect();
    Calibration::known(scores, [0.0, 1.0])
}

/// The report of a sense. One that is missing, for the reason `none`, or cannot take what it is given, cannot judge.
fn told(report: Option<Result<Report>>, none: &str, by: &Provenance) -> Result<Report> {
    match report {
        None => Ok(Report::invalid(none.into(), by.clone())),
        Some(Err(error)) if error.kind() == ErrorKind::Input => Ok(Report::invalid(error.chain(), by.clone())),
        Some(report) => report,
    }
}

/// The report of the one sense that is left, with why the other was left out.
fn alone(report: Report, sense: &str, why: &str) -> Report {
    let own = if report.reason.is_empty() { String::new() } else { format!("{}; ", report.reason) };
    Report { reason: format!("{own}by {sense} alone: {why}"), degraded: true, ..report }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two standard normal deviates with correlation `rho`, each a sum of twelve uniform draws.
    fn draws(rho: f32) -> impl FnMut() -> [f32; 2] {
        let mut state = 11u32;
        let mut normal = move || {
            let mut uniform = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32
            };
            (0..12).map(|_| uniform()).sum::<f32>() - 6.0
        };
        move || {
            let (first, second) = (normal(), normal());
            [first, rho * first + (1.0 - rho * rho).sqrt() * second]
        }
    }

    /// Share of good parts that are rejected at `alpha`, by parts taught from `n` good ones; and what a chi-square would
    /// reject, which takes the senses for independent.
    fn rejected(n: usize, alpha: f64, rho: f32) -> [f64; 2] {
        let mut draw = draws(rho);
        let (mut joint, mut naive, parts, each) = (0, 0, 400, 50);
        for _ in 0..parts {
            let good: Vec<[f32; 2]> = (0..n).map(|_| draw()).collect();
            let columns = [0, 1].map(|sense| good.iter().map(|good| good[sense]).collect::<Vec<f32>>());
            let alone = columns.each_ref().map(|column| Calibration::left_out(column, 0.0));
            let calibration = calibrated(&(0..n).map(|i| vec![alone[0][i], alone[1][i]]).collect::<Vec<_>>());
            let [sight, hearing] = columns.map(Calibration::new);
            for _ in 0..each {
                let [seen, heard] = draw();
                let p_values = [sight.p_value(seen), hearing.p_value(heard)];
                joint += usize::from(calibration.p_value(fuse::score(fuse::p_value(p_values.into_iter()))) <= alpha);
                let sum = -(p_values[0] * p_values[1]).ln();
                naive += usize::from((1.0 + sum) * (-sum).exp() <= alpha);
            }
        }
        [joint, naive].map(|count| count as f64 / f64::from(parts * each))
    }

    #[test]
    fn false_rejects_stay_within_the_promise_whether_or_not_the_senses_depend_on_each_other() {
        for rho in [0.0, 0.6, 0.95] {
            for (n, alpha) in [(20, 0.05), (20, 0.01), (60, 0.05), (150, 0.05), (150, 0.01)] {
                let [joint, naive] = rejected(n, alpha, rho);
                assert!(joint < 1.3 * alpha, "{n} taught, correlation {rho}: asked {alpha}, got {joint}");
                // What it is good for, where there are enough to tell.
                assert!(rho < 0.9 || n < 100 || naive > 1.6 * alpha, "{n}, {rho}: a chi-square rejects {naive}");
            }
        }
    }
}
