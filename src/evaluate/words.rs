//! How well a sample is told in words: what was written, held against what is known of the sample, as figures of exact
//! matches. Judging, writing and reading masks are left to the caller, and what a text says to `statements`.
//!
//! Which finding is on the defect: one in whose box lie four pixels of the mask or more, and either a twentieth of the mask
//! or so much of it that it fills half the box. Where there is no mask, every finding is taken for the defect. Only what
//! was told counts: nothing of a sample that passes, and of others the most severe findings.
//!
//! What a defect's places are: the 8-connected components of the mask, of which those under 20 pixels are left out (the
//! largest one stays, however small), and those nearer to each other than 2 % of the picture's longer side are one.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::interval::{CONFIDENCE, Rate};
use super::latency::latency;
use super::metrics::RegionFinder;
use super::statements::{self, About, Statement};
use crate::decode::grammar::UNKNOWN;
use crate::decode::words::Language;
use crate::error::Result;
use crate::inspect::evidence::FINDINGS;
use crate::package::manifest::Sense;
use crate::report::{Region, Report, Verdict, Written};
use crate::sample::Frame;

/// Pixels of a component, at least.
const LEAST_COMPONENT: usize = 20;
/// Components nearer than this share of the longer side are one.
const NEAR: f64 = 0.02;
/// How far outside of a place a defect's centre may lie and still be near it, as a share of the picture's sides.
const BORDER: f64 = 0.05;
/// Sentences that are false are kept for people, at most so many.
const MOST_FALSE: usize = 20;

/// The places of a picture, row by row, by their English names.
const PLACES: [[&str; 3]; 3] =
    [["top left", "top", "top right"], ["left", "centre", "right"], ["bottom left", "bottom", "bottom right"]];

/// Whether a file is of the half of a set that the shipped model never learned from: the first byte of the sha256 of its
/// name without the ending is odd. `models/eyear-small/recipe/episodes.py` says the same.
pub fn is_held_out(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Sha256::digest(stem.as_bytes()).first().is_some_and(|byte| byte % 2 == 1)
}

/// Where a picture is defective.
#[derive(Debug, Clone)]
pub struct Mask {
    /// `bool[height, width]`, row by row.
    is_bad: Vec<bool>,
    width: usize,
    height: usize,
    /// Pixels that are defective.
    pixels: usize,
    /// The pixels of each component.
    components: Vec<Vec<usize>>,
}

impl Mask {
    /// The mask of a picture of `width` by `height` pixels, from a picture that is not black where it is defective; one of
    /// another size is brought to the picture's.
    pub fn new(mask: &Frame, [width, height]: [usize; 2]) -> Self {
        let at = |i: usize, to: usize, from: usize| (2 * i + 1) * from / (2 * to.max(1));
        let is_bad = |i: usize| {
            let (x, y) = (at(i % width, width, mask.width()), at(i / width, height, mask.height()));
            mask.rgb(x, y) != [0; 3]
        };
        Self::of((0..width * height).map(is_bad).collect(), [width, height])
    }

    fn of(is_bad: Vec<bool>, [width, height]: [usize; 2]) -> Self {
        let pixels = is_bad.iter().filter(|bad| **bad).count();
        let mut finder = RegionFinder::default();
        let regions = (0..is_bad.len()).map(|at| finder.region_at(at, &is_bad, width).to_vec());
        let mut components: Vec<Vec<usize>> = regions.filter(|region| !region.is_empty()).collect();
        components.sort_by_key(|component| Reverse(component.len()));
        let large = components.iter().filter(|component| component.len() >= LEAST_COMPONENT).count();
        components.truncate(large.max(1));
        let components = joined(components, [width, height]);
        Self { is_bad, width, height, pixels, components }
    }

    /// How many places are defective.
    pub fn components(&self) -> usize {
        self.components.len()
    }

    /// Whether a finding with this box is on the defect.
    fn has(&self, region: Region) -> bool {
        let rows = region.y.min(self.height)..(region.y + region.height).min(self.height);
        let columns = region.x.min(self.width)..(region.x + region.width).min(self.width);
        let row = |y: usize| &self.is_bad[y * self.width..][columns.clone()];
        let covered = rows.map(|y| row(y).iter().filter(|bad| **bad).count()).sum::<usize>() as f64;
        covered >= (0.05 * self.pixels as f64).min(0.5 * (region.width * region.height) as f64).max(4.0)
    }

    /// The centre of the component that comes nearest to a pixel, as shares of the picture's width and height.
    fn nearest(&self, [x, y]: [usize; 2]) -> Option<[f64; 2]> {
        let away = |at: usize| (at % self.width).abs_diff(x).pow(2) + (at / self.width).abs_diff(y).pow(2);
        let nearest = |component: &&Vec<usize>| component.iter().map(|&at| away(at)).min();
        self.components.iter().min_by_key(nearest).map(|component| self.centre(component))
    }

    fn centre(&self, component: &[usize]) -> [f64; 2] {
        let mean = |of: &dyn Fn(usize) -> usize, side: usize| {
            let sum: f64 = component.iter().map(|&at| of(at) as f64 + 0.5).sum();
            sum / (component.len() * side) as f64
        };
        [mean(&|at| at % self.width, self.width), mean(&|at| at / self.width, self.height)]
    }
}

/// Components of which those that are near each other are one.
fn joined(components: Vec<Vec<usize>>, [width, height]: [usize; 2]) -> Vec<Vec<usize>> {
    if components.len() < 2 {
        return components;
    }
    let mut of = vec![usize::MAX; width * height];
    for (i, component) in components.iter().enumerate() {
        component.iter().for_each(|&at| of[at] = i);
    }
    let limit = NEAR * width.max(height) as f64;
    let reach = limit as usize;
    // Which component each is joined to; of those that are one, the first.
    let mut first: Vec<usize> = (0..components.len()).collect();
    for (i, component) in components.iter().enumerate() {
        for &at in component {
            let (x, y) = (at % width, at / width);
            let inside = |x: usize, y: usize| x < width && y < height && of[y * width + x] == i;
            let is_border =
                !(x > 0 && y > 0 && inside(x - 1, y) && inside(x, y - 1) && inside(x + 1, y) && inside(x, y + 1));
            if !is_border {
                continue;
            }
            for row in y.saturating_sub(reach)..=(y + reach).min(height - 1) {
                for column in x.saturating_sub(reach)..=(x + reach).min(width - 1) {
                    let other = of[row * width + column];
                    let away = (column.abs_diff(x) as f64).hypot(row.abs_diff(y) as f64);
                    if other == usize::MAX || first[other] == first[i] || away >= limit {
                        continue;
                    }
                    let (low, high) = (first[i].min(first[other]), first[i].max(first[other]));
                    first.iter_mut().filter(|own| **own == high).for_each(|own| *own = low);
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (component, first) in components.into_iter().zip(first) {
        groups.entry(first).or_default().extend(component);
    }
    groups.into_values().collect()
}

/// The row and the column of the ninth of a picture that a point lies in, by its shares of width and height.
fn ninth([x, y]: [f64; 2]) -> [usize; 2] {
    let third = |share: f64| ((share * 3.0) as usize).min(2);
    [third(y), third(x)]
}

/// The row and the column of a place by its English name.
fn ninth_of(place: &str) -> Option<[usize; 2]> {
    let ninths = (0..9).map(|i| [i / 3, i % 3]);
    ninths.into_iter().find(|&[row, column]| PLACES[row][column] == place)
}

/// Whether a point lies in a ninth or within [`BORDER`] of it.
fn is_near([row, column]: [usize; 2], [x, y]: [f64; 2]) -> bool {
    let within = |third: usize, share: f64| {
        let (from, to) = (third as f64 / 3.0, (third + 1) as f64 / 3.0);
        (from - BORDER..=to + BORDER).contains(&share)
    };
    within(row, y) && within(column, x)
}

/// What is known of a sample.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// Whether it is bad.
    pub is_bad: bool,
    /// What it is counted by: its folder's name, or its fault with the level.
    pub row: &'a str,
    /// The folder's or the fault's name alone.
    pub folder: &'a str,
    /// The sense that the defect is for.
    pub sense: Sense,
    /// Kinds that are right; empty where none is known.
    pub right: &'a [String],
    /// Where it is defective, where that is known.
    pub mask: Option<&'a Mask>,
}

/// How well a data set's samples are told in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordFigures {
    /// Name and version of the model package that wrote.
    pub by: String,
    /// Code of the language.
    pub language: String,
    /// Samples that were judged and written of.
    pub reports: usize,
    /// Samples that cannot be judged, of which there is nothing to write.
    pub invalid: usize,
    /// Reports that the decoder could not write, with fixed sentences instead.
    pub fixed: usize,
    /// Texts that name the verdict, and no other.
    pub verdict: Option<Rate>,
    /// Bad samples whose most severe finding on the defect is called by a right kind.
    pub kind: Option<Rate>,
    /// Findings on the defect that are called by a right kind, all of them.
    pub every_kind: Option<Rate>,
    /// The same samples, whose reports name a right kind and no other: what is called unlike the good ones is no kind.
    pub named: Option<Rate>,
    /// Bad samples of which no finding on the defect was told.
    pub missed: Option<Rate>,
    /// How many of them passed, and how many cannot be judged.
    pub missed_as: [usize; 2],
    /// Bad pictures with masks whose most severe finding on the defect is told in the ninth of the picture in which lies
    /// the centre of the nearest component.
    pub place: Option<Rate>,
    /// The same, where the place may also be a neighbour whose border is within 5 % of the picture's sides of that centre.
    pub place_near: Option<Rate>,
    /// Bad pictures with masks that did not pass, of which all places that are told are those of the mask's components, and
    /// none lacks: which of several screws are missing.
    pub places: Option<Rate>,
    /// The same, of which as many findings are told as the mask has components.
    pub count: Option<Rate>,
    /// Statements that the report contradicts.
    pub contradicted: Option<Rate>,
    /// Statements that the report cannot tell: how poor the sample is.
    pub unchecked: usize,
    /// Some of the contradicted ones.
    pub contradictions: Vec<String>,
    /// Each folder, or each fault at each level.
    pub per_kind: BTreeMap<String, WordsOfKind>,
    /// Kinds that are wrong, the most frequent first, of every finding on the defect.
    pub wrong: Vec<Wrong>,
    /// Median of the milliseconds that a report took, with fusion.
    pub ms: f64,
    /// Tokens a second over all reports, with fusion.
    pub tokens_per_s: Option<f64>,
}

/// The figures of one folder, or of one fault at one level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordsOfKind {
    /// Samples.
    pub count: usize,
    /// Kinds that are right; none is known where it is empty.
    pub right: Vec<String>,
    /// As [`WordFigures::kind`].
    pub kind: Option<Rate>,
    /// As [`WordFigures::every_kind`].
    pub every_kind: Option<Rate>,
    /// As [`WordFigures::named`].
    pub named: Option<Rate>,
    /// As [`WordFigures::missed`].
    pub missed: Option<Rate>,
}

/// A kind that defects are called by and that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The folder's or the fault's name.
    pub folder: String,
    /// What the findings are called.
    pub kind: String,
    /// How many.
    pub count: usize,
}

/// How often something was right.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    right: u64,
    of: u64,
}

impl Count {
    fn add(&mut self, is_right: bool) {
        self.right += u64::from(is_right);
        self.of += 1;
    }

    fn rate(self) -> Result<Option<Rate>> {
        Rate::new(self.right, self.of, CONFIDENCE)
    }
}

/// What is counted of one row.
#[derive(Debug, Clone, Default)]
struct Row {
    right: Vec<String>,
    kind: Count,
    every_kind: Count,
    named: Count,
    missed: Count,
}

/// Adds up how well samples are told in words.
#[derive(Debug, Clone)]
pub struct Tally {
    language: Language,
    by: String,
    code: String,
    reports: usize,
    invalid: usize,
    fixed: usize,
    verdict: Count,
    missed_as: [usize; 2],
    place: Count,
    place_near: Count,
    places: Count,
    count: Count,
    contradicted: Count,
    unchecked: usize,
    contradictions: Vec<String>,
    rows: BTreeMap<String, Row>,
    wrong: BTreeMap<(String, String), usize>,
    times: Vec<f64>,
    tokens: usize,
}

impl Tally {
    /// Nothing counted yet, of texts in `language`, whose code is `code`, by the model package `by`.
    pub fn new(language: Language, code: &str, by: &str) -> Self {
        Self {
            language,
            by: by.into(),
            code: code.into(),
            reports: 0,
            invalid: 0,
            fixed: 0,
            verdict: Count::default(),
            missed_as: [0; 2],
            place: Count::default(),
            place_near: Count::default(),
            places: Count::default(),
            count: Count::default(),
            contradicted: Count::default(),
            unchecked: 0,
            contradictions: Vec::new(),
            rows: BTreeMap::new(),
            wrong: BTreeMap::new(),
            times: Vec::new(),
            tokens: 0,
        }
    }

    /// Counts one sample: what was said of it, what was written of that, and what is known.
    pub fn add(&mut self, report: &Report, written: &Written, truth: &Truth) {
        let is_invalid = report.verdict == Verdict::Invalid;
        let statements = if is_invalid {
            self.invalid += 1;
            Vec::new()
        } else {
            self.text(report, written)
        };
        if !truth.is_bad {
            return;
        }
        let told = statements::findings(report).into_iter().filter(|own| own.sense == truth.sense);
        let told = told.take(FINDINGS).filter(|_| !matches!(report.verdict, Verdict::Pass | Verdict::Invalid));
        let on: Vec<_> = told.filter(|own| truth.mask.is_none_or(|mask| mask.has(own.finding.region))).collect();
        let row = self.rows.entry(truth.row.into()).or_default();
        row.right = truth.right.to_vec();
        row.missed.add(on.is_empty());
        if on.is_empty() {
            self.missed_as[0] += usize::from(report.verdict == Verdict::Pass);
            self.missed_as[1] += usize::from(is_invalid);
        }
        for (i, own) in on.iter().enumerate().filter(|_| !truth.right.is_empty()) {
            let is_own = |named: &&crate::report::Named| named.sense == own.sense && named.finding == own.index;
            // Where no kind was written, fixed sentences call it unknown.
            let kind = written.kinds.iter().find(is_own).map_or(UNKNOWN, |named| &named.kind);
            let is_right = truth.right.iter().any(|right| right == kind);
            row.every_kind.add(is_right);
            if i == 0 {
                row.kind.add(is_right);
            }
            if !is_right {
                *self.wrong.entry((truth.folder.into(), kind.into())).or_default() += 1;
            }
        }
        if !on.is_empty() && !truth.right.is_empty() {
            let of_sense = written.kinds.iter().filter(|named| named.sense == truth.sense);
            let mut named = of_sense.map(|named| &named.kind).filter(|kind| *kind != UNKNOWN).peekable();
            row.named.add(named.peek().is_some() && named.all(|kind| truth.right.contains(kind)));
        }
        let Some(mask) = truth.mask.filter(|mask| mask.components() > 0) else { return };
        if let Some((own, centre)) = on.first().and_then(|own| Some((own, mask.nearest(own.finding.peak)?))) {
            let named = named_places(&statements).find(|(index, _)| *index == Some(own.index));
            let named = named.and_then(|(_, place)| ninth_of(place));
            self.place.add(named == Some(ninth(centre)));
            self.place_near.add(named.is_some_and(|named| is_near(named, centre)));
        }
        if matches!(report.verdict, Verdict::Fail | Verdict::Unsure) {
            let sorted = |mut ninths: Vec<[usize; 2]>| {
                ninths.sort_unstable();
                ninths.dedup();
                ninths
            };
            let named = sorted(named_places(&statements).filter_map(|(_, place)| ninth_of(place)).collect());
            let right = sorted(mask.components.iter().map(|component| ninth(mask.centre(component))).collect());
            self.places.add(named == right);
            self.count.add(counted(&statements) == mask.components());
        }
    }

    /// Counts what a text says.
    fn text(&mut self, report: &Report, written: &Written) -> Vec<Statement> {
        self.reports += 1;
        if written.generated {
            self.times.push(written.ms);
            self.tokens += written.tokens;
        } else {
            self.fixed += 1;
        }
        let statements = statements::read(&written.text, &self.language, report, &written.kinds);
        let verdicts: Vec<_> = statements.iter().filter(|own| own.about == About::Verdict).collect();
        self.verdict.add(verdicts.len() == 1 && verdicts[0].is_true == Some(true));
        for statement in &statements {
            match statement.is_true {
                Some(is_true) => self.contradicted.add(!is_true),
                None => self.unchecked += 1,
            }
            if statement.is_true == Some(false) && self.contradictions.len() < MOST_FALSE {
                self.contradictions.push(statement.text.clone());
            }
        }
        statements
    }

    /// The figures of all that was counted.
    ///
    /// # Errors
    /// None that such counts could give.
    pub fn finish(mut self) -> Result<WordFigures> {
        let sum = |of: fn(&Row) -> Count| {
            let add = |a: Count, b: Count| Count { right: a.right + b.right, of: a.of + b.of };
            self.rows.values().map(of).fold(Count::default(), add).rate()
        };
        let (kind, every_kind) = (sum(|row| row.kind)?, sum(|row| row.every_kind)?);
        let (named, missed) = (sum(|row| row.named)?, sum(|row| row.missed)?);
        let mut per_kind = BTreeMap::new();
        for (name, row) in self.rows {
            let figures = WordsOfKind {
                count: row.missed.of as usize,
                right: row.right,
                kind: row.kind.rate()?,
                every_kind: row.every_kind.rate()?,
                named: row.named.rate()?,
                missed: row.missed.rate()?,
            };
            per_kind.insert(name, figures);
        }
        let wrong = self.wrong.into_iter().map(|((folder, kind), count)| Wrong { folder, kind, count });
        let mut wrong: Vec<Wrong> = wrong.collect();
        wrong.sort_by_key(|wrong| Reverse(wrong.count));
        let seconds = self.times.iter().sum::<f64>() / 1e3;
        Ok(WordFigures {
            by: self.by,
            language: self.code,
            reports: self.reports,
            invalid: self.invalid,
            fixed: self.fixed,
            verdict: self.verdict.rate()?,
            kind,
            every_kind,
            named,
            missed,
            missed_as: self.missed_as,
            place: self.place.rate()?,
            place_near: self.place_near.rate()?,
            places: self.places.rate()?,
            count: self.count.rate()?,
            contradicted: self.contradicted.rate()?,
            unchecked: self.unchecked,
            contradictions: self.contradictions,
            per_kind,
            wrong,
            ms: latency(&mut self.times).p50,
            tokens_per_s: (seconds > 0.0).then(|| self.tokens as f64 / seconds),
        })
    }
}

/// The places that a text names, each with the number of its finding, where it is one's.
fn named_places(statements: &[Statement]) -> impl Iterator<Item = (Option<usize>, &str)> {
    statements.iter().filter_map(|own| match &own.about {
        About::Finding { sense: Sense::Image, index, place: Some(place) } => Some((*index, place.as_str())),
        _ => None,
    })
}

/// How many findings of a picture a text tells, with those that it only counts.
fn counted(statements: &[Statement]) -> usize {
    let count = |own: &Statement| match own.about {
        About::Finding { sense: Sense::Image, .. } => 1,
        About::More { sense: Some(Sense::Image) | None, count } => count,
        _ => 0,
    };
    statements.iter().map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Words;
    use crate::report::{Finding, Named, SoundCharacter, SoundEvent, What};
    use crate::testing;

    const SIDE: usize = 90;

    fn language() -> Language {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/eyear-small/words.toml");
        Words::parse(&std::fs::read(file).unwrap(), "words.toml").unwrap().language("en").unwrap().clone()
    }

    /// A mask of 90 by 90 pixels that is bad in boxes of x, y, width and height.
    fn mask(boxes: &[[usize; 4]]) -> Mask {
        let inside = |x: usize, y: usize| {
            boxes
                .iter()
                .any(|[left, top, wide, tall]| (*left..left + wide).contains(&x) && (*top..top + tall).contains(&y))
        };
        Mask::of((0..SIDE * SIDE).map(|i| inside(i % SIDE, i / SIDE)).collect(), [SIDE, SIDE])
    }

    fn finding(place: &'static str, [x, y, width, height]: [usize; 4], area_share: f64) -> Finding {
        let (region, peak) = (Region { x, y, width, height }, [x + width / 2, y + height / 2]);
        Finding { region, area_share, peak, severity: 2.0, place: place.into(), ..testing::finding() }
    }

    fn report(verdict: Verdict, findings: Vec<Finding>) -> Report {
        testing::of_findings(verdict, findings)
    }

    /// What a writer writes that calls the findings of one sense by these kinds.
    fn written(report: &Report, kinds: &[&str]) -> Written {
        let language = language();
        let verdict = if report.verdict == Verdict::Invalid { "fail" } else { report.verdict.as_str() };
        let mut text = vec![language.verdict[verdict][0].clone()];
        let told = if report.verdict == Verdict::Pass { &[][..] } else { &report.findings[..] };
        let mut named = Vec::new();
        for (i, (finding, kind)) in told.iter().zip(kinds).enumerate() {
            let sense = finding.sense();
            let name = &language.kind[sense.key()][*kind][0];
            text.push(match finding.heard() {
                Some(heard) => format!("{:.0} Hz, all the time, {:+.0} dB: {name}.", heard.hz[0], heard.db),
                None => {
                    let place = &language.place[&*finding.place];
                    format!("{place}: {name}, {:.1} % of the picture.", 100.0 * finding.area_share)
                }
            });
            named.push(Named { sense, finding: i, kind: (*kind).into(), likelihood: 0.9 });
        }
        if told.len() > kinds.len() {
            text.push(format!("And {} more.", told.len() - kinds.len()));
        }
        text.push(language.action[verdict][0].clone());
        Written {
            text: text.join(" "),
            language: "en".into(),
            generated: true,
            reason: String::new(),
            kinds: named,
            clauses: Vec::new(),
            senses: Vec::new(),
            tokens: 50,
            ms: 10.0,
            by: "writer 1".into(),
            digest: String::new(),
        }
    }

    fn truth<'a>(right: &'a [String], mask: Option<&'a Mask>) -> Truth<'a> {
        Truth { is_bad: true, row: "dent", folder: "dent", sense: Sense::Image, right, mask }
    }

    fn tally() -> Tally {
        Tally::new(language(), "en", "writer 1")
    }

    fn counts(rate: Option<Rate>) -> (u64, u64) {
        rate.map_or((0, 0), |rate| (rate.count, rate.of))
    }

    #[test]
    fn the_half_that_was_not_learned_from_is_that_of_the_recipe() {
        // hashlib.sha256(stem.encode()).digest()[0] % 2 == 1
        let held_out = ["a001", "a004", "a007", "a010", "t001", "t003"]
            .map(|stem| is_held_out(Path::new(&format!("x/{stem}.jpg"))));
        assert_eq!(held_out, [true, true, true, false, false, false]);
        assert!(is_held_out(Path::new("x/a001")), "the folder of a part");
    }

    #[test]
    fn components_are_joined_where_they_are_near_and_specks_are_left_out() {
        let apart = mask(&[[0, 0, 5, 5], [20, 0, 5, 5], [0, 20, 5, 5]]);
        assert_eq!((apart.components(), apart.pixels), (3, 75));
        // 2 % of 90 pixels are 1.8: a gap of a whole pixel is too wide, corners that touch are one component anyway.
        assert_eq!(mask(&[[0, 0, 5, 5], [6, 0, 5, 5]]).components(), 2);
        assert_eq!(mask(&[[0, 0, 5, 5], [5, 5, 5, 5]]).components(), 1);
        assert_eq!(
            mask(&[[0, 0, 5, 5], [40, 40, 4, 4], [60, 60, 19, 1]]).components(),
            1,
            "16 and 19 pixels are specks"
        );
        let specks = mask(&[[0, 0, 2, 2], [50, 50, 4, 4]]);
        assert_eq!(specks.components(), 1, "the largest stays");
        assert_eq!(specks.nearest([0, 0]), Some([52.0 / 90.0, 52.0 / 90.0]));
        assert_eq!((mask(&[]).components(), mask(&[]).nearest([0, 0])), (0, None));
        let wide = |gap: usize| {
            let is_bad = |i: usize| i % 200 < 30 || (30 + gap..60 + gap).contains(&(i % 200)) || i % 200 >= 150;
            Mask::of((0..200 * 10).map(is_bad).collect(), [200, 10]).components()
        };
        // 2 % of 200 pixels are 4: pixels three apart are near, those four apart are not.
        assert_eq!((wide(2), wide(3), wide(40)), (2, 3, 3));
    }

    #[test]
    fn a_mask_of_another_size_is_brought_to_the_pictures() {
        let bytes: Vec<u8> = (0..100).map(|i| if i % 10 >= 5 && i / 10 < 5 { 255 } else { 0 }).collect();
        let frame = Frame::new(bytes, crate::sample::PixelFormat::Grey8, 10, 10).unwrap();
        let mask = Mask::new(&frame, [20, 40]);
        assert_eq!((mask.pixels, mask.components()), (200, 1));
        assert_eq!(mask.nearest([0, 0]), Some([0.75, 0.25]));
    }

    #[test]
    fn a_finding_is_on_a_defect_as_the_recipe_says() {
        let at = |x, y, width, height| Region { x, y, width, height };
        let coarse = mask(&[[30, 30, 40, 40]]);
        // A twentieth of 1600 pixels are 80; of a small box half is enough.
        assert!(coarse.has(at(40, 40, 5, 5)), "wholly inside a coarse mask");
        assert!(coarse.has(at(0, 0, 40, 38)), "80 of its pixels");
        assert!(!coarse.has(at(0, 0, 39, 38)), "72 of its pixels, and no half of the box");
        assert!(!coarse.has(at(28, 28, 4, 6)), "eight of its twenty-four pixels");
        assert!(coarse.has(at(26, 30, 8, 6)), "half of it");
        assert!(!mask(&[[0, 0, 3, 1]]).has(at(0, 0, 3, 1)), "three pixels are too few");
        assert!(mask(&[[0, 0, 2, 2]]).has(at(0, 0, 90, 90)));
        assert!(!mask(&[]).has(at(0, 0, 90, 90)));
        assert!(!coarse.has(at(88, 88, 30, 30)), "a box that leaves the picture is cut");
    }

    #[test]
    fn kinds_are_counted_where_a_finding_is_on_the_defect() {
        let right = ["dent".to_string(), "hole".to_string()];
        let defect = mask(&[[0, 0, 20, 20]]);
        let (on, off) = ([2, 2, 10, 10], [60, 60, 10, 10]);
        let mut tally = tally();
        let mut add = |verdict, boxes: &[[usize; 4]], kinds: &[&str]| {
            let findings = boxes.iter().map(|own| finding("top left", *own, 0.01)).collect();
            let report = report(verdict, findings);
            tally.add(&report, &written(&report, kinds), &truth(&right, Some(&defect)));
        };
        // The first finding is beside the defect: the second is the most severe one on it.
        add(Verdict::Fail, &[off, on, on], &["crack", "hole", "scratch"]);
        add(Verdict::Unsure, &[on], &["scratch"]);
        add(Verdict::Fail, &[on, on], &["dent", "dent"]);
        add(Verdict::Fail, &[off], &["dent"]);
        add(Verdict::Pass, &[on], &[]);
        add(Verdict::Invalid, &[], &[]);
        let figures = tally.finish().unwrap();
        assert_eq!((counts(figures.kind), counts(figures.every_kind)), ((2, 3), (3, 5)));
        // In the first report a crack and a scratch stand beside the hole.
        assert_eq!(counts(figures.named), (1, 3));
        assert_eq!((counts(figures.missed), figures.missed_as), ((3, 6), [1, 1]));
        assert_eq!(figures.wrong, [Wrong { folder: "dent".into(), kind: "scratch".into(), count: 2 }]);
        assert_eq!((figures.reports, figures.invalid, figures.fixed), (5, 1, 0));
        let of = &figures.per_kind["dent"];
        assert_eq!((of.count, counts(of.kind), counts(of.missed)), (6, (2, 3), (3, 6)));
        assert_eq!(of.right, right);
        assert_eq!((figures.ms, figures.tokens_per_s), (10.0, Some(5000.0)));
    }

    #[test]
    fn without_a_mask_each_finding_is_taken_for_the_defect_and_without_a_kind_none_is_counted() {
        let right = ["tone".to_string()];
        let event = SoundEvent {
            seconds: [0.0, 2.0],
            hz: [100.0, 100.0],
            db: 9.0,
            character: SoundCharacter::Tone,
            all_the_time: true,
            rate: None,
        };
        let heard = Finding { what: What::Heard(event), ..finding("", [0, 0, 1, 1], 0.1) };
        let of = report(Verdict::Fail, vec![heard.clone(), heard]);
        let mut tally = tally();
        for (row, right) in [("hum -6 dB", &right[..]), ("hum +6 dB", &right[..]), ("other", &[])] {
            let truth = Truth { is_bad: true, row, folder: "hum", sense: Sense::Sound, right, mask: None };
            tally.add(&of, &written(&of, &["tone", "knock"]), &truth);
        }
        // Sight has nothing to do with it.
        tally.add(&of, &written(&of, &["tone", "knock"]), &truth(&right, None));
        let figures = tally.finish().unwrap();
        assert_eq!((counts(figures.kind), counts(figures.every_kind)), ((2, 2), (2, 4)));
        assert_eq!(counts(figures.named), (0, 2));
        assert_eq!(figures.wrong, [Wrong { folder: "hum".into(), kind: "knock".into(), count: 2 }]);
        assert_eq!(counts(figures.per_kind["hum -6 dB"].every_kind), (1, 2));
        assert!(figures.per_kind["other"].kind.is_none() && figures.place.is_none() && figures.count.is_none());
        assert_eq!((counts(figures.missed), counts(figures.contradicted)), ((1, 4), (0, 16)));
    }

    #[test]
    fn a_place_is_right_where_the_centre_of_the_nearest_component_lies() {
        // The first component's centre is at 30 % of the width, in the left third but near the middle one.
        let defect = mask(&[[22, 40, 10, 10], [70, 70, 15, 15]]);
        let place = |place: &'static str, at: [usize; 4]| {
            let report = report(Verdict::Fail, vec![finding(place, at, 0.01)]);
            let mut tally = tally();
            tally.add(&report, &written(&report, &["dent"]), &truth(&[], Some(&defect)));
            let figures = tally.finish().unwrap();
            (counts(figures.place), counts(figures.place_near))
        };
        let (first, second) = ([22, 40, 10, 10], [70, 70, 15, 15]);
        assert_eq!(place("left", first), ((1, 1), (1, 1)));
        assert_eq!(place("centre", first), ((0, 1), (1, 1)));
        assert_eq!(place("right", first), ((0, 1), (0, 1)), "no neighbour");
        assert_eq!(place("top left", first), ((0, 1), (0, 1)), "a neighbour whose border is far");
        assert_eq!(place("bottom right", second), ((1, 1), (1, 1)));
        assert_eq!(place("left", second), ((0, 1), (0, 1)), "the place of the other component");
        assert_eq!(place("left", [0, 0, 4, 4]), ((0, 0), (0, 0)), "not on the defect");
    }

    #[test]
    fn a_place_is_that_of_the_text_and_not_of_the_report() {
        let defect = mask(&[[0, 0, 20, 20]]);
        let report = report(Verdict::Fail, vec![finding("top left", [2, 2, 10, 10], 0.01)]);
        let mut wrong = written(&report, &["dent"]);
        wrong.text = wrong.text.replace("Top left", "Bottom right");
        let mut tally = tally();
        tally.add(&report, &wrong, &truth(&[], Some(&defect)));
        let figures = tally.finish().unwrap();
        assert_eq!((counts(figures.place), counts(figures.places)), ((0, 1), (0, 1)));
        assert_eq!(figures.contradictions, ["Bottom right: a dent, 1.0 % of the picture."]);
        assert_eq!(counts(figures.contradicted), (1, 3));
    }

    #[test]
    fn all_places_and_the_count_are_right_where_each_component_is_told_once() {
        // Of four screws the first and the last are missing.
        let defect = mask(&[[5, 5, 20, 20], [65, 65, 20, 20]]);
        let (first, last) =
            (finding("top left", [5, 5, 20, 20], 0.05), finding("bottom right", [65, 65, 20, 20], 0.05));
        let of = |findings: Vec<Finding>, told: usize| {
            let report = report(Verdict::Fail, findings);
            let mut tally = tally();
            tally.add(&report, &written(&report, &vec!["missing"; told]), &truth(&[], Some(&defect)));
            let figures = tally.finish().unwrap();
            assert_eq!(counts(figures.contradicted).0, 0);
            (counts(figures.places), counts(figures.count))
        };
        assert_eq!(of(vec![last.clone(), first.clone()], 2), ((1, 1), (1, 1)));
        assert_eq!(of(vec![first.clone()], 1), ((0, 1), (0, 1)));
        assert_eq!(of(vec![first.clone(), first.clone()], 2), ((0, 1), (1, 1)));
        assert_eq!(of(vec![first.clone(), first.clone(), last.clone()], 3), ((1, 1), (0, 1)));
        // One told and one counted are two.
        assert_eq!(of(vec![first.clone(), last], 1), ((0, 1), (1, 1)));
        let pass = report(Verdict::Pass, vec![first]);
        let mut tally = tally();
        tally.add(&pass, &written(&pass, &[]), &truth(&[], Some(&defect)));
        let figures = tally.finish().unwrap();
        assert!(figures.places.is_none() && figures.count.is_none(), "nothing was told");
        assert_eq!(counts(figures.missed), (1, 1));
    }

    #[test]
    fn a_text_names_its_verdict_and_no_other() {
        let good = Truth { is_bad: false, ..truth(&[], None) };
        let named = |change: &dyn Fn(&str) -> String| {
            let report = report(Verdict::Fail, Vec::new());
            let mut own = written(&report, &[]);
            own.text = change(&own.text);
            let mut tally = tally();
            tally.add(&report, &own, &good);
            counts(tally.finish().unwrap().verdict)
        };
        assert_eq!(named(&str::to_string), (1, 1));
        assert_eq!(
            named(&|text| text.replace("Fail: it is not as the good ones are.", "Unsure: it is near the limit.")),
            (0, 1)
        );
        assert_eq!(named(&|text| format!("{text} Pass: nothing stands out.")), (0, 1));
        assert_eq!(named(&|_| "Set it aside.".into()), (0, 1), "none is named");
    }

    #[test]
    fn fixed_sentences_are_counted_and_call_nothing_by_a_kind() {
        let right = ["dent".to_string()];
        let report = report(Verdict::Fail, vec![finding("top left", [2, 2, 10, 10], 0.01)]);
        let own = written(&report, &["nothing"]);
        let own = Written { generated: false, kinds: Vec::new(), ..own };
        let mut tally = tally();
        tally.add(&report, &own, &truth(&right, None));
        let figures = tally.finish().unwrap();
        assert_eq!((figures.fixed, counts(figures.kind), counts(figures.contradicted)), (1, (0, 1), (0, 3)));
        assert_eq!(figures.wrong[0].kind, "nothing");
        assert_eq!((figures.ms, figures.tokens_per_s), (0.0, None));
    }
}
