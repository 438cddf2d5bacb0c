//! What a station counts, and its status for people and programs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use serde::Serialize;

use super::locked;
use crate::memory::folder::Standing;
use crate::report::{Counted, Verdict};
use crate::source::FaultKind;

/// What a running station counts.
pub struct Stats {
    station: String,
    started: Instant,
    pub(super) camera: SourceStats,
    pub(super) microphone: SourceStats,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    verdicts: [u64; 4],
    replaced: u64,
    age_ms: f64,
    oldest_ms: f64,
    last: Option<Instant>,
    words: Words,
    celsius: Option<f32>,
    rest: u32,
    warming: bool,
    part: Standing,
}

/// What became of words.
#[derive(Default)]
pub(super) struct Words {
    pub(super) written: u64,
    /// Moments that went without, for others came too fast.
    pub(super) dropped: u64,
    pub(super) failed: u64,
    pub(super) spoken: u64,
    /// Texts that newer ones replaced, or the station's end cut off.
    pub(super) unsaid: u64,
    pub(super) unspeakable: u64,
}

/// What one source counts.
pub(super) struct SourceStats {
    pub(super) name: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    about: String,
    /// Why it does not deliver, if so.
    why: Option<String>,
    ended: bool,
    delivered: u64,
    faults: BTreeMap<FaultKind, u64>,
    unreported: BTreeMap<FaultKind, u64>,
}

/// A station's status.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The station's name.
    pub station: String,
    /// Seconds since it was started.
    pub up_s: f64,
    /// Seconds since the last verdict; `None` before the first.
    pub last_verdict_s: Option<f64>,
    /// Verdicts so far, by word.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Milliseconds from the stamp of the last frame to its verdict.
    pub age_ms: f64,
    /// The longest so far.
    pub oldest_ms: f64,
    /// Frames replaced by newer ones while another was judged.
    pub replaced: u64,
    /// Moments that were written of, where the station writes.
    pub words_written: u64,
    /// Moments that went without words, since others came faster than they were written of.
    pub words_dropped: u64,
    /// Moments whose words could not be written.
    pub words_failed: u64,
    /// Texts that were spoken, where the station speaks.
    pub spoken: u64,
    /// Texts that were not spoken, or not to their end, since a newer one or the end of the station came.
    pub speech_dropped: u64,
    /// Texts that the program could not speak.
    pub speech_failed: u64,
    /// Each source.
    pub sources: Vec<SourceStatus>,
    /// Degrees Celsius of the board's hottest zone, where the system tells and something was judged.
    pub celsius: Option<f32>,
    /// How many times as long as it took the station rests after an inspection: 0 but on a hot board.
    pub rest: u32,
    /// Whether the board's provider is still being warmed, and the CPU serves.
    pub warming: bool,
    /// Whether the part's folder still holds what is judged by: `same`, `taught-anew` or `gone`.
    pub part: &'static str,
    /// Resident memory of the process in MB, where the system tells.
    pub memory_mb: Option<f64>,
}

/// A source's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// `camera` or `microphone`.
    pub name: &'static str,
    /// `opening`, `delivers`, `lost` or `ended`.
    pub state: &'static str,
    /// What it is.
    pub about: String,
    /// Why it is lost.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Frames or chunks of sound so far.
    pub delivered: u64,
    /// Faults so far, by kind: frames or samples that they cost, at least.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Stats {
    /// Counts from now on.
    pub fn new(station: &str) -> Self {
        Self {
            station: station.into(),
            started: Instant::now(),
            camera: SourceStats::new("camera"),
            microphone: SourceStats::new("microphone"),
            work: Mutex::default(),
        }
    }

    pub(super) fn judged(&self, verdict: Verdict, age_ms: f64) {
        let mut work = locked(&self.work);
        work.verdicts[verdict as usize] += 1;
        (work.age_ms, work.oldest_ms) = (age_ms, work.oldest_ms.max(age_ms));
        work.last = Some(Instant::now());
    }

    pub(super) fn replaced(&self, frames: u64) {
        locked(&self.work).replaced += frames;
    }

    pub(super) fn words(&self, count: impl FnOnce(&mut Words)) {
        count(&mut locked(&self.work).words);
    }

    /// Faults since this was last asked.
    pub(super) fn unreported(&self) -> Vec<Counted> {
        [&self.camera, &self.microphone].into_iter().flat_map(SourceStats::unreported).collect()
    }

    /// How hot the board is, and how long the station rests by it.
    pub(super) fn heat(&self, celsius: Option<f32>, rest: u32) {
        let mut work = locked(&self.work);
        (work.celsius, work.rest) = (celsius, rest);
    }

    /// Whether a provider is being warmed.
    pub(super) fn warming(&self, is_on: bool) {
        locked(&self.work).warming = is_on;
    }

    /// Whether the part in its folder is the one that is judged by.
    pub(super) fn part(&self, standing: Standing) {
        locked(&self.work).part = standing;
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        let work = locked(&self.work);
        let all = [Verdict::Pass, Verdict::Fail, Verdict::Unsure, Verdict::Invalid];
        let sources = [&self.camera, &self.microphone].into_iter().filter(|source| source.is_used());
        Status {
            station: self.station.clone(),
            up_s: self.started.elapsed().as_secs_f64(),
            last_verdict_s: work.last.map(|last| last.elapsed().as_secs_f64()),
            verdicts: all.iter().map(|verdict| (verdict.as_str(), work.verdicts[*verdict as usize])).collect(),
            age_ms: work.age_ms,
            oldest_ms: work.oldest_ms,
            replaced: work.replaced,
            words_written: work.words.written,
            words_dropped: work.words.dropped,
            words_failed: work.words.failed,
            spoken: work.words.spoken,
            speech_dropped: work.words.unsaid,
            speech_failed: work.words.unspeakable,
            sources: sources.map(SourceStats::status).collect(),
            celsius: work.celsius,
            rest: work.rest,
            warming: work.warming,
            part: work.part.as_str(),
            memory_mb: memory_mb(),
        }
    }
}

impl SourceStats {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, state: Mutex::default() }
    }

    pub(super) fn opened(&self, about: &str) {
        let mut state = locked(&self.state);
        (state.about, state.why) = (about.into(), None);
    }

    pub(super) fn lost(&self, why: &str) {
        locked(&self.state).why = Some(why.into());
    }

    pub(super) fn ended(&self) {
        locked(&self.state).ended = true;
    }

    pub(super) fn delivered(&self) {
        locked(&self.state).delivered += 1;
    }

    /// Counts a fault; whether it is the first of its kind.
    pub(super) fn count(&self, kind: FaultKind, count: u64) -> bool {
        let mut state = locked(&self.state);
        *state.unreported.entry(kind).or_default() += count;
        let all = state.faults.entry(kind).or_default();
        *all += count;
        *all == count
    }

    pub(super) fn unreported(&self) -> Vec<Counted> {
        let faults = std::mem::take(&mut locked(&self.state).unreported);
        let counted = |(kind, count): (FaultKind, u64)| Counted { source: self.name, kind: kind.as_str(), count };
        faults.into_iter().map(counted).collect()
    }

    /// Whether the first is still to come, and nothing is known to be wrong.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(&*locked(&self.state), State { delivered: 0, why: None, ended: false, .. })
    }

    /// Why nothing comes.
    pub(super) fn why_none(&self) -> String {
        locked(&self.state).why.clone().unwrap_or_else(|| format!("the {} delivered none in time", self.name))
    }

    fn is_used(&self) -> bool {
        let state = locked(&self.state);
        !state.about.is_empty() || state.why.is_some()
    }

    fn status(&self) -> SourceStatus {
        let state = locked(&self.state);
        let word = match &*state {
            State { why: Some(_), .. } => "lost",
            State { ended: true, .. } => "ended",
            State { about, .. } if about.is_empty() => "opening",
            _ => "delivers",
        };
        SourceStatus {
            name: self.name,
            state: word,
            about: state.about.clone(),
            why: state.why.clone().unwrap_or_default(),
            delivered: state.delivered,
            faults: state.faults.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
        }
    }
}

/// Resident memory of this process (`/proc/self/statm`, in pages of 4 KiB on the systems that eyear runs on).
fn memory_mb() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096.0 / 1e6)
}
