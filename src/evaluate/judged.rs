//! A sample of a data set and what was said of it.

use serde::Serialize;

use super::dataset::Sample;
use crate::fuse;
use crate::inspect::evidence::Evidence;
use crate::package::manifest::Sense;
use crate::report::{Report, Verdict};
use crate::sample::Frame;

/// A sample that was judged.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its image, where there is one.
    pub frame: Option<Frame>,
    /// What was said of it.
    pub report: Report,
    /// What the model that words reports is shown of it; empty where no words are asked for.
    pub evidence: Vec<(Sense, Evidence)>,
}

/// One judged sample, for the page of the worst misses.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it was.
    pub sample: Sample,
    /// What was said of it.
    pub report: Report,
}

/// One judged sample in numbers, as a line of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Scored {
    /// Where it lies.
    pub file: String,
    /// [`GOOD`](super::dataset::GOOD), the kind of its defect, or the fault that was mixed in.
    pub kind: String,
    /// Whether it should be rejected.
    pub bad: bool,
    /// What was said of it.
    pub verdict: Verdict,
    /// What it is ranked by, and compared with a [`Threshold`](super::metrics::Threshold).
    pub score: f64,
    /// The score at which the part fails it.
    pub limit: f32,
    /// Share of good parts at least as anomalous, (0, 1].
    pub p_value: f64,
}

impl Scored {
    /// The numbers of a judged sample; `paired` where the part is seen and heard.
    pub(super) fn of(Judged { sample, report }: &Judged, paired: bool) -> Self {
        Self {
            file: sample.path.display().to_string(),
            kind: sample.kind.clone(),
            bad: sample.is_bad,
            verdict: report.verdict,
            score: strangeness(report, paired),
            limit: report.limit,
            p_value: report.p_value,
        }
    }
}

/// The score that ranks samples. If a modality of a part with two is missing, the score is that of the other, on another
/// scale: its p-value is then converted to the joint scale.
pub(super) fn strangeness(report: &Report, paired: bool) -> f64 {
    f64::from(if paired && report.degraded { fuse::score(report.p_value) } else { report.score })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_part_that_lacks_a_sense_is_ranked_by_its_p_value() {
        let of = |score: f32, p_value: f64, degraded: bool| Report {
            score,
            p_value,
            degraded,
            ..testing::report(Verdict::Fail)
        };
        // By sound alone 9 is far, by both 2.3 is: both are one in a hundred.
        let (alone, both) = (of(9.0, 0.01, true), of(2.33, 0.01, false));
        assert!((strangeness(&alone, true) - strangeness(&both, true)).abs() < 0.01);
        assert_eq!(strangeness(&alone, false), 9.0);
    }
}
