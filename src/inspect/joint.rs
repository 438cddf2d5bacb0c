//! Several senses → one verdict: `fuse` combines their p-values. A sense that is missing or cannot judge is left out,
//! and the other decides by its own good samples.

use super::core::{SenseInspector, decide};
use crate::error::Error;
use crate::fuse;
use crate::memory::bond::Bond;
use crate::memory::calibrate::Calibration;
use crate::memory::pair::Taught;
use crate::package::manifest::Sense;
use crate::report::{Finding, Provenance, Reason, ReasonCode, Report, SCHEMA, SenseReport, Times, Verdict};

/// How the senses of a part are combined.
#[derive(Clone)]
pub(super) struct Joint {
    /// Cross-modal consistency, with its calibration.
    bond: Option<(Bond, Calibration)>,
    calibration: Calibration,
    limit: f32,
    /// Share of good parts that may be rejected.
    overkill: f64,
}

impl Joint {
    /// `None` for a part of one sense.
    pub(super) fn of(taught: &Taught) -> Option<Self> {
        let joint = taught.joint()?;
        let calibration = calibrated(joint.held_out());
        let overkill = taught.parts()[0].card.overkill;
        let limit = calibration.limit(overkill);
        let bond = joint.bond.clone().map(|bond| {
            let calibration = bond.calibration();
            (bond, calibration)
        });
        Some(Self { bond, calibration, limit, overkill })
    }

    /// Cross-modal consistency of the last sample.
    fn consistency(&self, senses: &[SenseInspector]) -> Option<f64> {
        let ((bond, calibration), [image, sound]) = (self.bond.as_ref()?, senses) else { return None };
        let [image, sound] = [image, sound].map(|one| (&one.part().learned.shape, one.summary()));
        Some(calibration.p_value(bond.distance(image, sound)))
    }
}

/// The report, from what each sense `judged`.
pub(super) fn report(
    joint: Option<&Joint>,
    inspectors: &[SenseInspector],
    judged: Vec<(SenseReport, Vec<Finding>)>,
    judged_by: &Provenance,
) -> Report {
    let (senses, findings): (Vec<SenseReport>, Vec<Vec<Finding>>) = judged.into_iter().unzip();
    let mut findings: Vec<Finding> = findings.into_iter().flatten().collect();
    findings.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    let all_valid = senses.iter().all(SenseReport::is_valid);
    let decision = match joint.filter(|_| all_valid) {
        Some(joint) => Decision::together(joint, inspectors, &senses),
        None => Decision::of_the_rest(&senses),
    };
    let reason = Report::reason_of(&senses, decision.reason);
    let Decision { verdict, score, limit, p_value, consistency, .. } = decision;
    let decided_by = all_valid.then(|| fuse::decided(verdict, &verdicts(&senses))).flatten();
    let ms = senses.iter().fold(Times::default(), |all, own| Times {
        decode: all.decode + own.ms.decode,
        prepare: all.prepare + own.ms.prepare,
        encode: all.encode + own.ms.encode,
        judge: all.judge + own.ms.judge,
    });
    Report {
        schema: SCHEMA,
        verdict,
        reason,
        degraded: !all_valid,
        decided_by,
        score,
        limit,
        p_value,
        consistency,
        senses,
        findings,
        ms,
        judged_by: judged_by.clone(),
    }
}

fn verdicts(senses: &[SenseReport]) -> Vec<(Sense, Verdict)> {
    senses.iter().map(|own| (own.sense, own.verdict)).collect()
}

/// The decision on a sample.
struct Decision {
    verdict: Verdict,
    reason: Reason,
    score: f32,
    limit: f32,
    p_value: f64,
    consistency: Option<f64>,
}

impl Decision {
    /// By all senses.
    fn together(joint: &Joint, inspectors: &[SenseInspector], senses: &[SenseReport]) -> Self {
        let consistency = joint.consistency(inspectors);
        let p_values = senses.iter().map(|own| own.p_value).chain(consistency);
        let score = fuse::score(fuse::p_value(p_values));
        let p_value = joint.calibration.p_value(score);
        let (mut verdict, mut reason) = decide(&joint.calibration, joint.overkill, score, "parts");
        // The false-reject share is divided between the senses, so one sense may fail while the joint verdict passes. A
        // person should check that.
        for own in senses {
            if own.verdict == Verdict::Fail && verdict == Verdict::Pass {
                let (sense, alone) = (own.sense.as_str(), own.p_value);
                let text = format!("fails by {sense} alone: p = {alone:.4}, with the other sense {p_value:.4}");
                (verdict, reason) = (Verdict::Unsure, Reason::new(ReasonCode::OneSenseFails, text));
            }
        }
        Self { verdict, reason, score, limit: joint.limit, p_value, consistency }
    }

    /// By the first sense that could judge; invalid if none could.
    fn of_the_rest(senses: &[SenseReport]) -> Self {
        let own = senses.iter().find(|own| own.is_valid()).unwrap_or(&senses[0]);
        let SenseReport { verdict, ref reason, score, limit, p_value, .. } = *own;
        Self { verdict, reason: reason.clone(), score, limit, p_value, consistency: None }
    }
}

/// The report of a sense whose sample cannot be read.
pub(super) fn unreadable(sense: Sense, error: &Error) -> (SenseReport, Vec<Finding>) {
    (SenseReport::invalid(sense, Reason::new(ReasonCode::Unreadable, error.chain())), Vec::new())
}

/// The joint score's calibration, from the p-values of good parts by each sense.
fn calibrated(good: &[Vec<f64>]) -> Calibration {
    let scores = good.iter().map(|p_values| fuse::score(fuse::p_value(p_values.iter().copied()))).collect();
    Calibration::known(scores, [0.0, 1.0])
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
