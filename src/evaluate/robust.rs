//! How a part judges when its samples get worse: the same test samples under one worsening after another, and the figures
//! of each beside the clean ones. How they are worsened is left to `augment`, what figures are to `run`; teaching, reading
//! and judging come from the caller.
//!
//! A sample that is refused (too dark, out of focus, clipped) is rejected, and counts so in overkill and escape. That is the
//! right answer to a picture in which nothing can be seen, so it is told beside them how many were refused and why, and
//! how the rest was judged.
//!
//! The two patches are put where they do most harm, as far as a search without gradients finds it: of eight drawn by the
//! seed the worst one counts. It is a black box that is tried eight times, so more tries or gradients do more harm, and what is
//! told is a lower bound of it. A part with a sticker is no good part, so that it is rejected is no mistake either: the
//! row tells how little it takes.

use std::collections::BTreeMap;
use std::path::Path;

use super::dataset::{Dataset, Sample};
use super::figures::{CorruptedFigures, Figures, Rest};
use super::interval::CONFIDENCE;
use super::judged::{Judged, Seen, strangeness};
use super::metrics::{auroc, escape, overkill};
use super::run::{self, Evaluation};
use super::words::WordFigures;
use crate::augment::{self, ImageCorruption, SoundCorruption};
use crate::error::{Error, Result};
use crate::package::manifest::Sense;
use crate::random::Random;
use crate::report::{ReasonCode, Report, Verdict};
use crate::sample::{Frame, Moment, Sound};

/// Percent of the picture that a patch covers: the camouflage at most, the sticker always.
const PATCH: f64 = 1.5;
/// Patches that are tried for a sample.
const TRIES: usize = 8;

/// How pictures are worsened, each way from mild to worst.
const PICTURES: [ImageCorruption; 16] = [
    ImageCorruption::Noise(4.0),
    ImageCorruption::Noise(8.0),
    ImageCorruption::Noise(16.0),
    ImageCorruption::Blur(0.15),
    ImageCorruption::Blur(0.4),
    ImageCorruption::Blur(1.0),
    ImageCorruption::Exposure(-0.5),
    ImageCorruption::Exposure(-1.5),
    ImageCorruption::Exposure(0.5),
    ImageCorruption::Exposure(1.5),
    ImageCorruption::Jpeg(90),
    ImageCorruption::Jpeg(60),
    ImageCorruption::Jpeg(30),
    ImageCorruption::Occlusion(2.0),
    ImageCorruption::Occlusion(5.0),
    ImageCorruption::Occlusion(10.0),
];
/// How sounds are worsened, each way from mild to worst.
const SOUNDS: [SoundCorruption; 14] = [
    SoundCorruption::White(20.0),
    SoundCorruption::White(10.0),
    SoundCorruption::White(0.0),
    SoundCorruption::Pink(20.0),
    SoundCorruption::Pink(10.0),
    SoundCorruption::Pink(0.0),
    SoundCorruption::Clipping(1.0),
    SoundCorruption::Clipping(10.0),
    SoundCorruption::Overdriven(2.0),
    SoundCorruption::Level(-12.0),
    SoundCorruption::Level(6.0),
    SoundCorruption::Gap(15.0),
    SoundCorruption::Gap(150.0),
    SoundCorruption::Sampled(8000),
];

/// One way in which the samples of a data set get worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Corruption {
    /// All pictures.
    Picture(ImageCorruption),
    /// All sounds.
    Sound(SoundCorruption),
    /// A sticker on each good picture, the one of eight that raises its score most; bad ones stay as they are.
    Sticker,
    /// Good texture over a part of the defect of each bad picture that has a mask, the one of eight that lowers its score
    /// most; others stay as they are.
    Camouflage,
    /// A sense is dropped.
    Without(Sense),
}

impl Corruption {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Picture(worsening) => worsening.name(),
            Self::Sound(worsening) => worsening.name(),
            Self::Sticker => "sticker",
            Self::Camouflage => "camouflage",
            Self::Without(Sense::Image) => "no picture",
            Self::Without(Sense::Sound) => "no sound",
            Self::Without(Sense::Clip) => "no clip",
        }
    }

    /// Its level and the unit of it, where it has one.
    fn level(self) -> Option<(f64, &'static str)> {
        match self {
            Self::Picture(worsening) => Some(worsening.level()),
            Self::Sound(worsening) => Some(worsening.level()),
            Self::Sticker | Self::Camouflage => Some((PATCH, "%")),
            Self::Without(_) => None,
        }
    }

    /// Whether the marked defects are no longer where, or all that, is strange, so that pixel figures say nothing.
    fn is_patch(self) -> bool {
        matches!(self, Self::Sticker | Self::Camouflage)
    }
}

/// The name of the row that is not worsened.
pub const CLEAN: &str = "clean";

/// Reads a sample.
pub type Read<'a> = dyn Fn(&Sample) -> Result<Moment> + 'a;
/// Judges it.
pub type Judge<'a> = dyn Fn(&Moment) -> Result<Seen> + 'a;

/// How samples are read and judged.
pub struct Hands<'a> {
    /// Reads a sample.
    pub read: &'a Read<'a>,
    /// Judges it.
    pub judge: &'a Judge<'a>,
    /// Reads a mask.
    pub mask: &'a dyn Fn(&Path) -> Result<Frame>,
    /// Is shown each sample as it counts, with its picture and report.
    pub seen: &'a dyn Fn(&Sample, &Seen),
    /// Is told after each sample of each worsening.
    pub progress: &'a dyn Fn(),
    /// How the samples that were shown since it was last asked are worded, where words are wanted.
    pub words: &'a dyn Fn() -> Result<Option<WordFigures>>,
}

/// The worsenings of a data set, in the order of the table: of pictures or of sounds all, the camouflage where there are
/// masks; of parts that are seen and heard each sense dropped, and the worst level of each way.
pub fn plan(dataset: &Dataset) -> Vec<Corruption> {
    let (paired, sense) = (dataset.is_paired(), dataset.sense());
    let mut plan = Vec::new();
    if paired {
        plan.extend([Sense::Image, Sense::Sound].map(Corruption::Without));
    }
    if paired || sense == Sense::Image {
        plan.extend(PICTURES.map(Corruption::Picture));
        plan.push(Corruption::Sticker);
        plan.extend(dataset.test.iter().any(|sample| sample.mask.is_some()).then_some(Corruption::Camouflage));
    }
    if paired || sense == Sense::Sound {
        plan.extend(SOUNDS.map(Corruption::Sound));
    }
    let is_worst = |i: &usize| plan.get(i + 1).is_none_or(|next| next.name() != plan[*i].name());
    if paired { (0..plan.len()).filter(is_worst).map(|i| plan[i]).collect() } else { plan }
}

/// Judges `dataset.test` under each worsening of its [`plan`]: the clean row, of what [`run::run`] told, and theirs.
/// `seed` draws noise, places and patches: the same for a sample at each level, so that levels differ in nothing else.
///
/// # Errors
/// Those of `hands`, of [`run::run`] and of [`augment`].
pub fn run(dataset: &Dataset, seed: u64, clean: (&Figures, &[Judged]), hands: &Hands) -> Result<Vec<CorruptedFigures>> {
    let paired = dataset.is_paired();
    let clean_words = clean.0.words.clone();
    let mut rows = vec![CorruptedFigures { words: clean_words, ..row(None, clean.0, clean.1, paired)? }];
    for worsening in plan(dataset) {
        let mut number = 0;
        let mut judge = |sample: &Sample| {
            number += 1;
            let seen = judged(sample, worsening, seed_of(seed, worsening.name(), number), paired, hands);
            seen.inspect(|seen| (hands.seen)(sample, seen))
        };
        let Evaluation { figures, judged, unreadable, .. } =
            run::run(dataset, clean.0.taught, &mut judge, hands.mask, hands.progress)?;
        // Rows of other samples could not be held side by side.
        if let Some((_, error)) = unreadable.into_iter().next() {
            return Err(error);
        }
        rows.push(CorruptedFigures { words: (hands.words)()?, ..row(Some(worsening), &figures, &judged, paired)? });
    }
    Ok(rows)
}

/// A seed for the sample of this number under the worsening of this name.
fn seed_of(seed: u64, name: &str, number: u64) -> u64 {
    // FNV-1a: a name is a number on every machine.
    let name = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    Random::new(Random::new(seed ^ name).bits().wrapping_add(number)).bits()
}

/// Reads a sample, worsens it and judges it.
fn judged(sample: &Sample, worsening: Corruption, seed: u64, paired: bool, hands: &Hands) -> Result<Seen> {
    let Moment { mut frame, mut sound, .. } = (hands.read)(sample)?;
    match worsening {
        Corruption::Picture(way) => {
            frame = frame.map(|frame| augment::picture(&frame, way, seed)).transpose()?;
        }
        Corruption::Sound(way) => {
            sound = sound.map(|sound| augment::sound(&sound, way, seed)).transpose()?;
        }
        Corruption::Without(Sense::Image) => frame = None,
        Corruption::Without(Sense::Sound) => sound = None,
        // Clips are of no part that has another sense.
        Corruption::Without(Sense::Clip) => {}
        Corruption::Sticker => {
            if let (Some(clean), false) = (&frame, sample.is_bad) {
                let patch = |seed| augment::sticker(clean, PATCH, seed).map(Some);
                let score = |report: &Report| strangeness(report, paired);
                frame = searched(patch, score, sound.as_ref(), seed, hands)?.or(frame);
            }
        }
        Corruption::Camouflage => {
            if let (Some(clean), Some(path)) = (&frame, &sample.mask) {
                let mask = (hands.mask)(path)?;
                let patch = |seed| augment::camouflage(clean, &mask, PATCH, seed);
                let score = |report: &Report| -strangeness(report, paired);
                frame = searched(patch, score, sound.as_ref(), seed, hands)?.or(frame);
            }
        }
    }
    (hands.judge)(&Moment { frame, sound, ..Moment::default() })
}

/// The picture with that one of eight patches whose report has the greatest `score`, the first of equal ones; `None` where
/// none can be put.
fn searched(
    patch: impl Fn(u64) -> Result<Option<Frame>>,
    score: impl Fn(&Report) -> f64,
    sound: Option<&Sound>,
    seed: u64,
    hands: &Hands,
) -> Result<Option<Frame>> {
    let score_of = |frame: &Frame| {
        let moment = Moment { frame: Some(frame.clone()), sound: sound.cloned(), ..Moment::default() };
        Ok::<_, Error>(score(&(hands.judge)(&moment)?.report))
    };
    let mut random = Random::new(seed);
    let mut worst: Option<(f64, Frame)> = None;
    for _ in 0..TRIES {
        let Some(frame) = patch(random.bits())? else { continue };
        let score = score_of(&frame)?;
        if worst.as_ref().is_none_or(|(most, _)| score > *most) {
            worst = Some((score, frame));
        }
    }
    Ok(worst.map(|(_, frame)| frame))
}

fn row(worsening: Option<Corruption>, figures: &Figures, judged: &[Judged], paired: bool) -> Result<CorruptedFigures> {
    let count = |counts: &dyn Fn(&Report) -> bool| {
        [false, true].map(|bad| judged.iter().filter(|j| j.sample.is_bad == bad && counts(&j.report)).count())
    };
    let is_refused = |report: &Report| report.verdict == Verdict::Invalid;
    let mut reasons = BTreeMap::new();
    for reason in judged.iter().flat_map(|j| refusals(&j.report)) {
        *reasons.entry(reason).or_insert(0) += 1;
    }
    let rest: Vec<&Judged> = judged.iter().filter(|j| !is_refused(&j.report)).collect();
    let scores: Vec<f64> = rest.iter().map(|j| strangeness(&j.report, paired)).collect();
    let is_bad: Vec<bool> = rest.iter().map(|j| j.sample.is_bad).collect();
    let failed: Vec<bool> = rest.iter().map(|j| j.report.verdict == Verdict::Fail).collect();
    let [good, bad] = [false, true].map(|bad| is_bad.iter().filter(|is| **is == bad).count());
    let level = worsening.and_then(Corruption::level);
    let is_without = |sense| worsening == Some(Corruption::Without(sense));
    Ok(CorruptedFigures {
        worsening: worsening.map_or(CLEAN, Corruption::name),
        level: level.map(|(level, _)| level),
        unit: level.map_or("", |(_, unit)| unit),
        joint_auroc: figures.joint_auroc,
        image_auroc: figures.image_auroc.filter(|_| !is_without(Sense::Image)),
        audio_auroc: figures.audio_auroc.filter(|_| !is_without(Sense::Sound)),
        aupro: figures.aupro.filter(|_| !worsening.is_some_and(Corruption::is_patch)),
        overkill: figures.overkill,
        escape: figures.escape,
        unsure: figures.unsure,
        invalid: count(&is_refused),
        degraded: count(&|report| report.degraded && !is_refused(report)),
        reasons,
        rest: Rest {
            judged: [good, bad],
            auroc: auroc(&scores, &is_bad)?,
            overkill: overkill(&failed, &is_bad, CONFIDENCE)?,
            escape: escape(&failed, &is_bad, CONFIDENCE)?,
        },
        words: None,
    })
}

/// Why a sample, or each sense of it that was, was refused.
fn refusals(report: &Report) -> Vec<ReasonCode> {
    let refused: Vec<ReasonCode> =
        report.senses.iter().filter(|own| !own.is_valid()).map(|own| own.reason.code).collect();
    match report.verdict {
        Verdict::Invalid if refused.is_empty() => vec![report.reason.code],
        _ => refused,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::report::{Reason, SenseReport};
    use crate::sample::PixelFormat;
    use crate::testing;

    fn sample(name: &str, is_bad: bool, mask: Option<&str>) -> Sample {
        Sample { path: name.into(), kind: "x".into(), is_bad, fault: None, mask: mask.map(Into::into) }
    }

    fn set(test: Vec<Sample>) -> Dataset {
        Dataset { name: "set".into(), train_good: Vec::new(), test }
    }

    fn report(score: f32, verdict: Verdict) -> Report {
        let mut report = Report { score, ..testing::of_findings(verdict, Vec::new()) };
        if verdict == Verdict::Invalid {
            report.senses[0].reason = Reason::new(ReasonCode::TooDark, "too dark: mean 3");
        }
        report
    }

    /// A judge to whom bright is strange, and dark not to be judged.
    fn by_brightness(moment: &Moment) -> Result<Seen> {
        let pixels = moment.frame.as_ref().unwrap().pixels();
        let mean = pixels.iter().map(|&value| f32::from(value)).sum::<f32>() / pixels.len() as f32;
        let verdict = match mean {
            ..40.0 => Verdict::Invalid,
            ..100.0 => Verdict::Pass,
            _ => Verdict::Fail,
        };
        Ok(Seen { frame: moment.frame.clone(), report: report(mean, verdict), evidence: Vec::new() })
    }

    /// Two good pictures, 60 and 80 bright, and two bad ones of 40 x 40 pixels: 110, and 60 but for a bright square.
    fn rows_of(seed: u64) -> Vec<CorruptedFigures> {
        let dataset = set(vec![
            sample("60.png", false, None),
            sample("80.png", false, None),
            sample("110.png", true, None),
            sample("square.png", true, Some("mask.png")),
        ]);
        let square = |i: usize, inside: u8, outside: u8| {
            let is_in = |at: usize| (5..35).contains(&at);
            if is_in(i % 40) && is_in(i / 40) { inside } else { outside }
        };
        let frame = |value: &dyn Fn(usize) -> u8| {
            Frame::new((0..1600).map(value).collect::<Vec<u8>>(), PixelFormat::Grey8, 40, 40).unwrap()
        };
        let read = |sample: &Sample| {
            let name = sample.path.file_stem().unwrap().to_str().unwrap();
            let frame = match name.parse() {
                Ok(value) => frame(&|_| value),
                Err(_) => frame(&|i| square(i, 140, 60)),
            };
            Ok(frame.into())
        };
        let mask = |_: &Path| Ok(frame(&|i| square(i, 255, 0)));
        let judged = |sample: &Sample| by_brightness(&read(sample)?);
        let Evaluation { figures, judged: all, .. } =
            run::run(&dataset, 5, &mut |sample| judged(sample), &mask, &|| ()).unwrap();
        let told = RefCell::new(0);
        let progress = || *told.borrow_mut() += 1;
        let hands = Hands {
            read: &read,
            judge: &by_brightness,
            mask: &mask,
            seen: &|_, _| (),
            progress: &progress,
            words: &|| Ok(None),
        };
        let rows = run(&dataset, seed, (&figures, &all), &hands).unwrap();
        assert_eq!(*told.borrow(), 4 * plan(&dataset).len());
        assert_eq!(rows[0].overkill, figures.overkill);
        rows
    }

    fn find<'a>(rows: &'a [CorruptedFigures], name: &str, level: f64) -> &'a CorruptedFigures {
        rows.iter().find(|row| row.worsening == name && row.level == Some(level)).unwrap()
    }

    #[test]
    fn pictures_and_sounds_are_worsened_each_in_their_ways() {
        let names = |test| plan(&set(test)).into_iter().map(Corruption::name).collect::<Vec<_>>();
        let seen = names(vec![sample("a.png", false, None), sample("b.png", true, None)]);
        assert_eq!(seen.len(), 17);
        assert!(seen.contains(&"sticker") && !seen.contains(&"camouflage") && !seen.contains(&"gap"));
        assert!(names(vec![sample("a.png", true, Some("m.png"))]).contains(&"camouflage"));
        let heard = names(vec![sample("a.wav", false, None)]);
        assert!(heard.len() == 14 && heard.contains(&"gap") && !heard.contains(&"noise"), "{heard:?}");
    }

    #[test]
    fn what_is_seen_and_heard_is_worsened_at_its_worst_and_each_sense_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(&set(vec![sample(dir.path().to_str().unwrap(), false, None)]));
        let names: Vec<&str> = plan.iter().map(|way| way.name()).collect();
        assert_eq!(names[..3], ["no picture", "no sound", "noise"]);
        assert!(plan.contains(&Corruption::Picture(ImageCorruption::Noise(16.0))));
        assert!(plan.contains(&Corruption::Sound(SoundCorruption::White(0.0))));
        let mut once = names.clone();
        once.dedup();
        assert_eq!((once.len(), names.len()), (17, 17), "{names:?}");
    }

    #[test]
    fn what_is_refused_counts_as_rejected_and_the_rest_is_told_apart() {
        let rows = rows_of(0);
        let clean = &rows[0];
        assert_eq!((clean.worsening, clean.level, clean.invalid, clean.unsure), (CLEAN, None, [0, 0], [0, 0]));
        assert_eq!((clean.overkill.unwrap().count, clean.escape.unwrap().count), (0, 0), "{clean:?}");
        assert_eq!(clean.rest.auroc, clean.image_auroc);
        // 60 and 80 become 50 and 67, 110 becomes 93, the square 89 in the mean.
        let dark = find(&rows, "darker", -0.5);
        let missed = (dark.invalid, dark.overkill.unwrap().count, dark.escape.unwrap().count);
        assert_eq!(missed, ([0, 0], 0, 2), "{dark:?}");
        // 60 and 80 become 34, which is refused, and 47, 110 becomes 66, the square 63.
        let darker = find(&rows, "darker", -1.5);
        assert_eq!((darker.invalid, &darker.reasons), ([1, 0], &BTreeMap::from([(ReasonCode::TooDark, 1)])));
        assert_eq!((darker.overkill.unwrap().count, darker.overkill.unwrap().of), (1, 2), "{darker:?}");
        let rest = &darker.rest;
        assert_eq!((rest.judged, rest.overkill.unwrap().count, rest.overkill.unwrap().of), ([1, 2], 0, 1), "{rest:?}");
        assert_eq!((rest.auroc, rest.escape.unwrap().count), (Some(1.0), 2), "{rest:?}");
        // 60 and 80 become 100 and 131.
        let bright = find(&rows, "brighter", 1.5);
        assert_eq!((bright.overkill.unwrap().count, bright.escape.unwrap().count), (2, 0));
    }

    #[test]
    fn a_patch_is_searched_for_the_worst_and_what_it_is_not_for_stays_as_it_is() {
        let rows = rows_of(0);
        let (clean, sticker) = (&rows[0], find(&rows, "sticker", PATCH));
        assert_eq!((sticker.escape, sticker.aupro), (clean.escape, None));
        assert!(clean.aupro.is_some());
        // By brightness the worst of some patches is the brightest.
        let patch = |seed| {
            let value = (seed % 251) as u8;
            Frame::new(vec![value; 4], PixelFormat::Grey8, 2, 2).map(Some)
        };
        let read = |_: &Sample| Ok(Moment::default());
        let mask = |_: &Path| Frame::new(vec![0; 4], PixelFormat::Grey8, 2, 2);
        let hands = Hands {
            read: &read,
            judge: &by_brightness,
            mask: &mask,
            seen: &|_, _| (),
            progress: &|| (),
            words: &|| Ok(None),
        };
        let mut random = Random::new(9);
        let values: Vec<u8> = (0..TRIES).map(|_| (random.bits() % 251) as u8).collect();
        let most = searched(patch, |report| f64::from(report.score), None, 9, &hands).unwrap().unwrap();
        assert_eq!(most.pixels()[0], *values.iter().max().unwrap());
        let least = searched(patch, |report| -f64::from(report.score), None, 9, &hands).unwrap().unwrap();
        assert_eq!(least.pixels()[0], *values.iter().min().unwrap());
        assert!(searched(|_| Ok(None), |_| 0.0, None, 9, &hands).unwrap().is_none());
    }

    #[test]
    fn the_sticker_raises_a_good_score_and_the_camouflage_lowers_a_bad_one_as_far_as_eight_tries_go() {
        let bright = |i: usize| if (10..30).contains(&(i % 40)) && (10..30).contains(&(i / 40)) { 200 } else { i / 20 };
        let frame = |value: &dyn Fn(usize) -> usize| {
            Frame::new((0..1600).map(|i| value(i) as u8).collect::<Vec<u8>>(), PixelFormat::Grey8, 40, 40).unwrap()
        };
        let (clean, mask) = (frame(&bright), frame(&|i| if bright(i) == 200 { 255 } else { 0 }));
        let read = |_: &Sample| Ok(clean.clone().into());
        let read_mask = |_: &Path| Ok(mask.clone());
        let hands = Hands {
            read: &read,
            judge: &by_brightness,
            mask: &read_mask,
            seen: &|_, _| (),
            progress: &|| (),
            words: &|| Ok(None),
        };
        let score = |frame: &Frame| by_brightness(&frame.clone().into()).unwrap().report.score;
        let told = |is_bad: bool, way| {
            let sample = sample("a.png", is_bad, is_bad.then_some("mask.png"));
            judged(&sample, way, 5, false, &hands).unwrap().report.score
        };
        let mut random = Random::new(5);
        let seeds: Vec<u64> = (0..TRIES).map(|_| random.bits()).collect();
        let stuck: Vec<f32> =
            seeds.iter().map(|seed| score(&augment::sticker(&clean, PATCH, *seed).unwrap())).collect();
        let hidden: Vec<f32> = seeds
            .iter()
            .map(|seed| score(&augment::camouflage(&clean, &mask, PATCH, *seed).unwrap().unwrap()))
            .collect();
        for (scores, told, others, most) in [
            (stuck, told(false, Corruption::Sticker), told(true, Corruption::Sticker), true),
            (hidden, told(true, Corruption::Camouflage), told(false, Corruption::Camouflage), false),
        ] {
            let worst = scores.iter().copied().reduce(if most { f32::max } else { f32::min }).unwrap();
            assert!(scores.iter().any(|score| *score != worst), "the tries differ: {scores:?}");
            assert_eq!((told, others), (worst, score(&clean)));
        }
    }

    #[test]
    fn a_seed_draws_the_same_and_another_draws_others() {
        assert_eq!(rows_of(3), rows_of(3));
        let seeds: std::collections::BTreeSet<u64> =
            [(0, "noise", 1), (1, "noise", 1), (0, "noise", 2), (0, "occlusion", 1)]
                .map(|(seed, name, number)| seed_of(seed, name, number))
                .into();
        assert_eq!(seeds.len(), 4, "{seeds:?}");
    }

    #[test]
    fn each_sense_that_was_refused_is_told_with_its_reason() {
        let dark = report(0.0, Verdict::Invalid);
        assert_eq!(refusals(&dark), [ReasonCode::TooDark]);
        assert!(refusals(&report(0.0, Verdict::Fail)).is_empty());
        let silent = SenseReport::invalid(Sense::Sound, Reason::new(ReasonCode::Silent, "silent: all"));
        let mut both = dark.clone();
        both.senses.push(silent);
        assert_eq!(refusals(&both), [ReasonCode::TooDark, ReasonCode::Silent]);
        let mut by_sound = dark;
        by_sound.senses.push(testing::sense(Sense::Sound, Verdict::Fail));
        assert_eq!(refusals(&Report { verdict: Verdict::Fail, ..by_sound }), [ReasonCode::TooDark]);
    }
}
