//! What is measured of a sample → the grammar of all that may be written of it. The decoder chooses among the kinds of
//! defects and among ways to say a thing; places, areas, times, bands, counts and the verdict stand in the grammar as they
//! were measured, so that nothing else can be written.

use std::fmt::Write as _;

use super::words::{Ask, Language};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::Sense;
use crate::report::{GridPosition, Movement, SoundCharacter, SoundEvent, Topic, Verdict};

/// What was measured of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The verdict; [`Verdict::Invalid`] has no words.
    pub verdict: Verdict,
    /// What each sense says that the part was taught by, sight first.
    pub senses: Vec<Sensed>,
    /// Which senses decided, of a part of several.
    pub decided: Option<Vec<Sense>>,
    /// Whether an earlier sample is compared with.
    pub since: bool,
}

/// What one sense says.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensed {
    /// Which.
    pub sense: Sense,
    /// Whether it could judge; if not, it has nothing to say.
    pub there: bool,
    /// Its findings that are told, most severe first.
    pub findings: Vec<Found>,
    /// How many more there are.
    pub more: usize,
    /// Whether light, focus or level are worse than in what was taught.
    pub poor: bool,
}

/// A finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where it is.
    pub at: At,
    /// Whether it is not in the earlier sample.
    pub new: bool,
    /// Kinds that it may be called, for it is likely of them; any where none is named.
    pub likely: Vec<String>,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq)]
pub enum At {
    /// On a picture.
    Seen {
        /// Where its middle lies.
        position: GridPosition,
        /// Share of the picture, 0 to 1.
        area: f64,
    },
    /// In a sound.
    Heard(SoundEvent),
    /// In a clip.
    Moved(Movement),
}

impl Told {
    /// What may be told of: a sample that passes has no findings.
    fn shown(&self) -> Vec<&Sensed> {
        self.senses.iter().filter(|sensed| sensed.there && self.verdict != Verdict::Pass).collect()
    }
}

/// The rule that is the kind of a finding.
pub(super) fn kind_rule(sense: Sense, finding: usize) -> String {
    format!("{}{KIND}{finding}", sense.key())
}

/// The name of the rule of a sentence.
fn rule_of(topic: Topic) -> String {
    match topic {
        Topic::Verdict => "verdict".into(),
        Topic::Decided => "decided".into(),
        Topic::Whole => "whole".into(),
        Topic::Action => "action".into(),
        Topic::Finding { sense, finding } => format!("{}_finding_{finding}", sense.key()),
        Topic::More { sense } => format!("{}_more", sense.key()),
        Topic::Quality { sense } => format!("{}_quality", sense.key()),
        Topic::Absent { sense } => format!("{}_absent", sense.key()),
    }
}

/// What the sentence of a rule is about; `None` of other rules.
pub fn topic(rule: &str) -> Option<Topic> {
    let plain = [Topic::Verdict, Topic::Decided, Topic::Whole, Topic::Action];
    let of_sense = Sense::ALL.into_iter().flat_map(|sense| {
        let findings = (0..MOST_FINDINGS).map(move |finding| Topic::Finding { sense, finding });
        findings.chain([Topic::More { sense }, Topic::Quality { sense }, Topic::Absent { sense }])
    });
    plain.into_iter().chain(of_sense).find(|topic| rule_of(*topic) == rule)
}

/// Findings of a sense that have sentences, at most.
const MOST_FINDINGS: usize = 16;

/// The key in `words.toml` of which senses decided.
pub fn decided_key(senses: &[Sense]) -> &'static str {
    match senses {
        [] => "together",
        [Sense::Image] => "sight",
        [Sense::Sound] => "hearing",
        _ => "either",
    }
}

/// What stands in the name of a rule that is a kind, between the sense and the number of the finding.
pub const KIND: &str = "_kind_";

/// A grammar in Lark's notation, as llguidance reads it. Rules that are captured tell which sentence is about what.
struct Lark(String);

impl Lark {
    fn rule(&mut self, name: &str, captured: bool, alternatives: &[String]) {
        let capture = if captured { "[capture]" } else { "" };
        // A string takes what it is given.
        let _infallible = writeln!(self.0, "{name}{capture}: {}", alternatives.join(" | "));
    }

    /// A rule that is one of some sentences, by its name.
    fn said(&mut self, name: String, sentences: Option<&Vec<String>>) -> String {
        self.rule(&name, true, &literals(sentences));
        name
    }
}

/// A text that stands as it is.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What stands for a slot.
enum Slot {
    /// A rule or a row of them.
    Is(String),
    /// Nothing can, of this sample.
    Empty,
}

/// A sentence with slots as a row of literals and rules; `None` where a slot is empty. `slot` tells what stands for a slot,
/// and knows no others.
fn sentence(template: &str, slot: &dyn Fn(&str) -> Option<Slot>) -> Result<Option<String>> {
    let unknown =
        |name: &str| Error::new(ErrorKind::Config, format!("words.toml: no slot `{{{name}}}` in `{template}`"));
    let (mut parts, mut rest) = (Vec::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').ok_or_else(|| unknown(after))?;
        parts.extend((!before.is_empty()).then(|| literal(before)));
        match slot(name).ok_or_else(|| unknown(name))? {
            Slot::Is(rule) => parts.push(rule),
            Slot::Empty => return Ok(None),
        }
        rest = behind;
    }
    parts.extend((!rest.is_empty()).then(|| literal(rest)));
    Ok(Some(parts.join(" ")))
}

/// A text with its slots filled.
fn filled(template: &str, slots: &[(&str, String)]) -> String {
    slots.iter().fold(template.to_string(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn literals(sentences: Option<&Vec<String>>) -> Vec<String> {
    sentences.into_iter().flatten().map(|sentence| literal(sentence)).collect()
}

/// A share of the picture in per cent: a tenth is the least that is told.
pub fn area(share: f64) -> String {
    format!("{:.1}", (100.0 * share).max(0.1))
}

/// When and in which band something is heard; `models/eyear-small/recipe/words.py` says the same.
pub fn event(language: &Language, heard: &SoundEvent) -> String {
    let form = |name: &str| language.event.get(name).map_or("", String::as_str);
    let ([low, high], [from, to]) = (heard.hz, heard.seconds);
    let khz = |hz: f64| format!("{:.2}", hz / 1e3);
    let band = [("low", khz(low)), ("high", khz(high)), ("from", format!("{from:.2}")), ("to", format!("{to:.2}"))];
    match (heard.character, heard.rate, heard.all_the_time) {
        (SoundCharacter::Rhythm, Some(rate), _) => {
            let rate = rate.as_str();
            let name = language.rate.get(rate).map_or(rate, String::as_str);
            filled(form("bearing"), &[("hz", format!("{low:.1}")), ("rate", name.into())])
        }
        (SoundCharacter::Rhythm, None, _) => filled(form("rhythm"), &[("hz", format!("{low:.1}"))]),
        (SoundCharacter::Tone, _, true) => filled(form("tone"), &[("hz", format!("{:.0}", 0.5 * (low + high)))]),
        (_, _, true) => filled(form("steady"), &band),
        _ => filled(form("band"), &band),
    }
}

/// A grid position in words.
fn place(language: &Language, position: GridPosition) -> String {
    language.place.get(position.as_str()).map_or(position.as_str(), String::as_str).into()
}

/// What is measured of a finding, by the slots of its sentences; all but its kind.
fn measured(language: &Language, at: &At) -> Vec<(&'static str, String)> {
    match at {
        At::Seen { position, area: share } => vec![("place", place(language, *position)), ("area", area(*share))],
        At::Heard(heard) => vec![("event", event(language, heard)), ("db", format!("{:+.0}", heard.db))],
        At::Moved(moved) => {
            let character = moved.character.as_str();
            let motion = language.motion.get(character).map_or(character, String::as_str);
            let [from, to] = moved.seconds.map(|second| format!("{second:.1}"));
            vec![("place", place(language, moved.position)), ("from", from), ("to", to), ("motion", motion.into())]
        }
    }
}

/// The rules of what one sense found, `image_finding_0` and on, with their kinds, and of how many more there are. Where it is
/// `named`, findings have that kind.
fn findings(
    lark: &mut Lark,
    language: &Language,
    sensed: &Sensed,
    named: Option<(&[(Sense, usize)], &str)>,
) -> Result<Vec<String>> {
    let sense = sensed.sense.key();
    let kinds = |i: usize, Found { at, likely, .. }: &Found| -> Vec<String> {
        let is_named = |of: &[(Sense, usize)]| of.contains(&(sensed.sense, i));
        let other = |kind: &String| named.is_some_and(|(of, named)| is_named(of) && named != kind);
        let kinds = language.kind.get(sense).into_iter().flatten();
        let unlikely = |kind: &String| !likely.is_empty() && !likely.contains(kind);
        let kinds = kinds.filter(|(kind, _)| may_be(kind, at) && !unlikely(kind) && !other(kind));
        kinds.flat_map(|(_, names)| names).map(|name| literal(name)).collect()
    };
    let mut rules = Vec::new();
    for (i, found) in sensed.findings.iter().enumerate() {
        let (kind, measured) = (kind_rule(sensed.sense, i), measured(language, &found.at));
        let slot = |name: &str| match name {
            "kind" => Some(Slot::Is(kind.clone())),
            _ => measured.iter().find(|(own, _)| *own == name).map(|(_, value)| Slot::Is(literal(value))),
        };
        let templates = language.finding.get(sense).into_iter().flatten();
        let alternatives = templates.map(|template| sentence(template, &slot)).collect::<Result<Vec<_>>>()?;
        let rule = rule_of(Topic::Finding { sense: sensed.sense, finding: i });
        lark.rule(&rule, true, &alternatives.into_iter().flatten().collect::<Vec<_>>());
        lark.rule(&kind, true, &kinds(i, found));
        rules.push(rule);
    }
    if sensed.more > 0 {
        let rule = rule_of(Topic::More { sense: sensed.sense });
        lark.rule(&rule, true, &[literal(&filled(&language.more, &[("n", sensed.more.to_string())]))]);
        rules.push(rule);
    }
    Ok(rules)
}

/// Whether a finding may be called so: what is quieter than it should be is a gap or nothing that is known, what is louder
/// is no gap.
pub fn may_be(kind: &str, at: &At) -> bool {
    match at {
        At::Heard(heard) if heard.character != SoundCharacter::Rhythm => {
            kind == UNKNOWN || (kind == GAP) == (heard.db < 0.0)
        }
        At::Heard(_) | At::Seen { .. } | At::Moved(_) => kind != GAP,
    }
}

fn together(language: &Language, rules: &[String]) -> String {
    let glue = if language.glue.is_empty() { " ".into() } else { format!(" {} ", literal(&language.glue)) };
    rules.join(&glue)
}

/// The grammar of a whole report: the verdict, which sense was not there and which decided, each finding, what is poor, what
/// is to be done.
///
/// # Errors
/// [`ErrorKind::Config`] when a sentence has a slot that nothing fills.
pub fn report(language: &Language, told: &Told) -> Result<String> {
    let mut lark = Lark(String::new());
    let verdict = told.verdict.as_str();
    let mut rules = vec![lark.said("verdict".into(), language.verdict.get(verdict))];
    for sensed in told.senses.iter().filter(|sensed| !sensed.there) {
        let sense = sensed.sense.key();
        let rule = rule_of(Topic::Absent { sense: sensed.sense });
        rules.push(lark.said(rule, language.absent.get(sense)));
    }
    if told.verdict != Verdict::Pass {
        if let Some(decided) = &told.decided {
            rules.push(lark.said("decided".into(), language.decided.get(decided_key(decided))));
        }
        let mut found = Vec::new();
        for sensed in told.shown() {
            found.extend(findings(&mut lark, language, sensed, None)?);
        }
        if found.is_empty() {
            lark.rule("whole", true, &[literal(&language.whole)]);
            found.push("whole".into());
        }
        rules.extend(found);
    }
    for sensed in told.senses.iter().filter(|sensed| sensed.there && sensed.poor) {
        let sense = sensed.sense.key();
        let rule = rule_of(Topic::Quality { sense: sensed.sense });
        rules.push(lark.said(rule, language.quality.get(sense)));
    }
    rules.push(lark.said("action".into(), language.action.get(verdict)));
    lark.rule("start", false, &[together(language, &rules)]);
    Ok(lark.0)
}

/// The senses that a question on what is seen, or heard, asks of.
const SEEN: [Sense; 2] = [Sense::Image, Sense::Clip];
const HEARD: [Sense; 1] = [Sense::Sound];

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meant<'a> {
    /// What it is about: a sort of [`Ask::about`].
    pub about: &'a str,
    /// The kind that it names, if any.
    pub kind: Option<&'a str>,
    /// The findings that it means: those of the kind that is named, or the most severe one.
    pub findings: &'a [(Sense, usize)],
}

/// The grammar of all answers to a question that are true of a sample.
///
/// # Errors
/// As [`report`].
pub fn answer(language: &Language, told: &Told, meant: &Meant) -> Result<String> {
    let mut lark = Lark(String::new());
    let (mut all, mut new, mut count) = (Vec::new(), Vec::new(), 0);
    let mut of_sense = Vec::new();
    for sensed in told.shown() {
        let rules = findings(&mut lark, language, sensed, meant.kind.map(|kind| (meant.findings, kind)))?;
        let names = sensed.findings.iter().zip(&rules).filter(|(found, _)| found.new);
        new.extend(names.map(|(_, rule)| rule.clone()));
        count += sensed.findings.len() + sensed.more;
        of_sense.push((sensed.sense, rules.clone()));
        all.extend(rules);
    }
    for (name, sentences) in [("verdict", &language.verdict), ("action", &language.action)] {
        lark.said(name.into(), sentences.get(told.verdict.as_str()));
    }
    let decided = told.decided.as_ref().filter(|_| told.verdict != Verdict::Pass);
    if let Some(decided) = decided {
        lark.said("decided".into(), language.decided.get(decided_key(decided)));
    }
    let row = |rules: &[String]| {
        if rules.is_empty() { Slot::Empty } else { Slot::Is(together(language, rules)) }
    };
    let named = meant.findings.iter().map(|&(sense, finding)| rule_of(Topic::Finding { sense, finding }));
    let named: Vec<String> = named.filter(|rule| all.contains(rule)).collect();
    let of = |senses: &[Sense]| {
        let rules = of_sense.iter().filter(|(own, _)| senses.contains(own)).flat_map(|(_, rules)| rules.clone());
        row(&rules.collect::<Vec<_>>())
    };
    let slot = |name: &str| match name {
        "meant" => Some(row(&named)),
        "findings" => Some(row(&all)),
        "seen" => Some(of(&SEEN)),
        "heard" => Some(of(&HEARD)),
        "new" => Some(if told.since { row(&new) } else { Slot::Empty }),
        "count" => Some(Slot::Is(literal(&count.to_string()))),
        "decided" if decided.is_none() => Some(Slot::Empty),
        "verdict" | "action" | "decided" => Some(Slot::Is(name.into())),
        _ => None,
    };
    let there = |senses: &[Sense]| told.senses.iter().any(|sensed| senses.contains(&sensed.sense) && sensed.there);
    let found = |senses: &[Sense]| of_sense.iter().any(|(own, rules)| senses.contains(own) && !rules.is_empty());
    let mut answers = Vec::new();
    for ask in language.ask.iter().filter(|ask| ask.about == meant.about) {
        let unnamed = ask.about == "kind" && meant.kind.is_none();
        let (yes, absent) = match ask.about.as_str() {
            "seen" => (found(&SEEN), !there(&SEEN)),
            "heard" => (found(&HEARD), !there(&HEARD)),
            "change" => (told.since && !new.is_empty(), !told.since),
            "decided" => (decided.is_some(), false),
            PRESENT => (!named.is_empty() && meant.kind.is_some(), !there(&SEEN)),
            _ if of_a_sort(ask) => (!named.is_empty(), false),
            _ => (!all.is_empty(), false),
        };
        let templates = if absent {
            &ask.absent
        } else if unnamed || (ask.about == PRESENT && !yes && found(&SEEN)) {
            // "Is there rust?" is of a kind that has no name here: neither yes nor no would be true.
            &ask.other
        } else if yes {
            &ask.yes
        } else {
            &ask.no
        };
        for template in templates {
            answers.extend(sentence(template, &slot)?.filter(|row| !answers.contains(row)));
        }
    }
    if answers.is_empty() {
        answers.push("verdict".into());
    }
    lark.rule("start", false, &answers);
    Ok(lark.0)
}

/// The kind that a question names, with its sense: by the longest word of one of its names; of several, by the longest.
pub fn named_kind<'a>(language: &'a Language, question: &str) -> Option<(&'a str, &'a str)> {
    let question = question.to_lowercase();
    let kinds =
        language.kind.iter().flat_map(|(sense, kinds)| kinds.iter().map(move |(kind, names)| (sense, kind, names)));
    let names = kinds.filter(|(_, kind, _)| *kind != UNKNOWN).flat_map(|(sense, kind, names)| {
        let words = names.iter().filter_map(|name| name.split([' ', ',']).max_by_key(|word| word.len()));
        words.map(move |word| (word.to_lowercase(), sense.as_str(), kind.as_str()))
    });
    let named = names.filter(|(word, _, _)| question.contains(word.as_str()));
    named.max_by_key(|(word, _, _)| word.len()).map(|(_, sense, kind)| (sense, kind))
}

fn of_a_sort(ask: &Ask) -> bool {
    ask.ask.iter().any(|asked| asked.contains("{kind}"))
}

/// A report without a decoder: the first way to say each thing, and no kind but that of what is not known.
pub fn template(language: &Language, told: &Told) -> String {
    let first = |sentences: Option<&Vec<String>>| sentences.and_then(|of| of.first()).cloned().unwrap_or_default();
    let mut said = vec![first(language.verdict.get(told.verdict.as_str()))];
    let absent = told.senses.iter().filter(|sensed| !sensed.there);
    said.extend(absent.map(|sensed| first(language.absent.get(sensed.sense.key()))));
    if told.verdict != Verdict::Pass {
        said.extend(told.decided.as_ref().map(|decided| first(language.decided.get(decided_key(decided)))));
        let before = said.len();
        for sensed in told.shown() {
            let sense = sensed.sense.key();
            let unknown = first(language.kind.get(sense).and_then(|kinds| kinds.get(UNKNOWN)));
            for found in &sensed.findings {
                let mut slots = measured(language, &found.at);
                slots.push(("kind", unknown.clone()));
                said.push(filled(&first(language.finding.get(sense)), &slots));
            }
            if sensed.more > 0 {
                said.push(filled(&language.more, &[("n", sensed.more.to_string())]));
            }
        }
        if said.len() == before {
            said.push(language.whole.clone());
        }
    }
    let poor = told.senses.iter().filter(|sensed| sensed.there && sensed.poor);
    said.extend(poor.map(|sensed| first(language.quality.get(sensed.sense.key()))));
    said.push(first(language.action.get(told.verdict.as_str())));
    said.retain(|sentence| !sentence.is_empty());
    said.join(&language.glue)
}

/// The sort of question on whether something is where it should be, and the kind of what is not there.
pub const PRESENT: &str = "present";
/// As [`PRESENT`].
pub const MISSING: &str = "missing";
/// The kind of what is like no kind that is known.
pub const UNKNOWN: &str = "nothing";
/// The kind of a sound that is not there.
pub const GAP: &str = "gap";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Tokenizer, Words};
    use super::*;
    use crate::report::{BearingRate, MotionCharacter, Region};

    fn package() -> (Tokenizer, Words) {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/eyear-small");
        let read = |file: &str| std::fs::read(dir.join(file)).unwrap();
        let tokenizer = Tokenizer::parse(&read("tokenizer.json"), "tokenizer.json").unwrap();
        (tokenizer, Words::parse(&read("words.toml"), "words.toml").unwrap())
    }

    /// Chooses at random among the tokens that a grammar allows, as a decoder gone wild would.
    fn wild(grammar: &str, tokenizer: &Tokenizer, seed: &mut u32) -> String {
        let mut guide = tokenizer.guide(grammar.to_string());
        let mut bytes = Vec::new();
        loop {
            let allowed = guide.allowed().unwrap().list();
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let token = allowed[(*seed >> 8) as usize % allowed.len()];
            if token == tokenizer.end() {
                return String::from_utf8(bytes).unwrap();
            }
            guide.take(token).unwrap();
            bytes.extend_from_slice(tokenizer.bytes(token));
        }
    }

    const PLACES: [GridPosition; 4] =
        [GridPosition::TopLeft, GridPosition::Centre, GridPosition::BottomRight, GridPosition::Left];

    fn seen(findings: usize, more: usize, poor: bool) -> Sensed {
        let at = |i: usize| At::Seen { position: PLACES[i], area: 0.013 + 0.021 * i as f64 };
        let findings = (0..findings).map(|i| Found { at: at(i), new: i == 0, likely: Vec::new() }).collect();
        Sensed { sense: Sense::Image, there: true, findings, more, poor }
    }

    const CHARACTERS: [(SoundCharacter, bool); 4] = [
        (SoundCharacter::Knock, false),
        (SoundCharacter::Tone, true),
        (SoundCharacter::Rhythm, true),
        (SoundCharacter::Quieter, true),
    ];

    fn heard(findings: usize, more: usize, poor: bool) -> Sensed {
        let event = |i: usize| {
            let ((character, all_the_time), at) = (CHARACTERS[i], 1000.0 * (i + 1) as f64);
            let rate = (i == 2 && more > 0).then_some(BearingRate::OuterRace);
            let (seconds, hz) = ([0.25, 0.5 + i as f64], [at, at + 123.0]);
            SoundEvent { seconds, hz, db: 7.0 + i as f32, character, all_the_time, rate }
        };
        let findings =
            (0..findings).map(|i| Found { at: At::Heard(event(i)), new: i == 1, likely: Vec::new() }).collect();
        Sensed { sense: Sense::Sound, there: true, findings, more, poor }
    }

    fn moved(findings: usize, more: usize, poor: bool) -> Sensed {
        let at = |i: usize| {
            let (position, character) = (PLACES[i], MotionCharacter::ALL[i]);
            let region = Region { x: 0, y: 0, width: 9, height: 9 };
            let seconds = [0.2 + i as f64, 0.7 + 2.0 * i as f64];
            At::Moved(Movement { seconds, position, region, character, motion: 9.0, usual: 1.0 })
        };
        let findings = (0..findings).map(|i| Found { at: at(i), new: false, likely: Vec::new() }).collect();
        Sensed { sense: Sense::Clip, there: true, findings, more, poor }
    }

    fn told(verdict: Verdict, findings: usize, more: usize, poor: bool) -> Told {
        Told { verdict, senses: vec![seen(findings, more, poor)], decided: None, since: false }
    }

    /// What must stand in a text on each finding.
    fn marks(language: &Language, told: &Told) -> Vec<String> {
        let found = told.senses.iter().flat_map(|sensed| &sensed.findings);
        found.flat_map(|found| measured(language, &found.at)).map(|(_, value)| value).collect()
    }

    #[test]
    fn whatever_the_decoder_does_the_text_says_what_was_measured() {
        let (tokenizer, words) = package();
        let mut seed = 1;
        let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Unsure];
        let decided = [vec![Sense::Image], vec![Sense::Sound], vec![Sense::Image, Sense::Sound], Vec::new()];
        for round in 0..360 {
            let (seen, heard) =
                (seen(round % 5, round % 2, round % 7 == 0), heard(round % 4, round % 3, round % 5 == 0));
            let senses = match round % 5 {
                0 => vec![seen],
                1 => vec![heard],
                2 => vec![seen, heard],
                3 => vec![moved(round % 4, round % 3, round % 7 == 0)],
                _ => vec![Sensed { there: false, findings: Vec::new(), more: 0, ..seen }, heard],
            };
            let both = senses.iter().filter(|sensed| sensed.there).count() == 2;
            let decided = both.then(|| decided[round / 5 % 4].clone());
            let told = Told { verdict: verdicts[round % 3], senses, decided, since: false };
            for code in ["en", "zh"] {
                let language = words.language(code).unwrap();
                let text = wild(&report(language, &told).unwrap(), &tokenizer, &mut seed);
                let begins = |of: &[String]| of.iter().any(|sentence| text.starts_with(sentence.as_str()));
                let ends = |of: &[String]| of.iter().any(|sentence| text.ends_with(sentence.as_str()));
                let verdict = told.verdict.as_str();
                assert!(begins(&language.verdict[verdict]) && ends(&language.action[verdict]), "{text}");
                let is_told = told.verdict != Verdict::Pass;
                for mark in marks(language, &told) {
                    assert_eq!(text.contains(&mark), is_told, "{mark}: {text}");
                }
                let count = |sense: Sense| {
                    let of = told.senses.iter().filter(|sensed| sensed.sense == sense && is_told);
                    of.map(|sensed| sensed.findings.len()).sum::<usize>()
                };
                assert_eq!(text.matches('%').count(), count(Sense::Image), "{text}");
                assert_eq!(text.matches(" dB").count(), count(Sense::Sound), "{text}");
                let says = |sentences: &BTreeMap<String, Vec<String>>, key: &str| {
                    sentences.get(key).is_some_and(|all| all.iter().any(|one| text.contains(one.as_str())))
                };
                for sensed in &told.senses {
                    let sense = sensed.sense.key();
                    assert_eq!(says(&language.absent, sense), !sensed.there, "{text}");
                    assert_eq!(says(&language.quality, sense), sensed.there && sensed.poor, "{text}");
                }
                for way in ["sight", "hearing", "either", "together"] {
                    let is_so = is_told && told.decided.as_ref().is_some_and(|decided| decided_key(decided) == way);
                    assert_eq!(says(&language.decided, way), is_so, "{text}");
                }
            }
        }
    }

    #[test]
    fn plainly_the_kind_is_all_that_is_chosen() {
        let (tokenizer, words) = package();
        let mut seed = 3;
        for code in ["en", "zh"] {
            let (language, plain) = (words.language(code).unwrap(), words.language(code).unwrap().plain());
            let unknown = &plain.kind["image"][UNKNOWN][0];
            for (told, findings) in [(told(Verdict::Pass, 0, 0, true), 0), (told(Verdict::Fail, 1, 2, true), 1)] {
                let fixed = template(language, &told);
                for _ in 0..20 {
                    let text = wild(&report(&plain, &told).unwrap(), &tokenizer, &mut seed);
                    let mut kinds = plain.kind["image"].values().flatten();
                    assert!(kinds.any(|kind| text.replacen(kind, unknown, findings) == fixed), "{text}\n{fixed}");
                }
            }
        }
    }

    /// Texts that a wild decoder writes in answer to each sort of question.
    fn answers(code: &str, told: &Told, kind: Option<&str>, findings: &[(Sense, usize)]) -> Vec<(String, String)> {
        let (tokenizer, words) = package();
        let language = words.language(code).unwrap();
        let mut texts = Vec::new();
        for ask in &language.ask {
            let meant = Meant { about: &ask.about, kind, findings };
            let (grammar, mut seed) = (answer(language, told, &meant).unwrap(), 5);
            texts.extend((0..12).map(|_| (ask.about.clone(), wild(&grammar, &tokenizer, &mut seed))));
        }
        texts
    }

    fn of<'a>(texts: &'a [(String, String)], about: &str) -> Vec<&'a str> {
        texts.iter().filter(|(own, _)| own == about).map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn an_answer_affirms_only_what_is_there_and_denies_only_what_is_not() {
        let good = answers("en", &told(Verdict::Pass, 3, 2, false), Some("hole"), &[]);
        for (about, text) in &good {
            let affirms = text.contains('%') || text.starts_with("Yes") || text.starts_with("Fail");
            assert!(!affirms, "{about}: {text}");
        }
        assert!(of(&good, "count").iter().all(|text| *text == "None."));
        let bad = answers("en", &told(Verdict::Fail, 1, 0, false), None, &[(Sense::Image, 0)]);
        for (about, text) in &bad {
            assert!(!text.contains('%') || text.contains("Top left") && text.contains("1.3"), "{about}: {text}");
            assert!(!text.starts_with("Pass") && !text.contains("Let it go on"), "{about}: {text}");
            assert!(text != "Nothing stands out." && text != "None.", "{about}: {text}");
        }
        assert!(of(&bad, "count").iter().all(|text| *text == "1."));
        assert!(of(&bad, "place").iter().all(|text| text.contains("Top left")));
        // What is asked for by no name that is known is neither affirmed nor denied.
        assert!(of(&bad, "kind").iter().all(|text| text.starts_with("No kind goes by that name here.")));
        let good = answers("en", &told(Verdict::Pass, 3, 2, false), None, &[]);
        assert!(of(&good, "kind").iter().all(|text| text.starts_with("Pass: ")), "{:?}", of(&good, "kind"));
    }

    #[test]
    fn a_kind_that_is_asked_for_is_told_of_the_finding_that_is_meant_or_denied() {
        let two = told(Verdict::Fail, 2, 0, false);
        let yes = answers("en", &two, Some("hole"), &[(Sense::Image, 1)]);
        for about in ["kind", "place", "size"] {
            let named =
                |text: &&str| text.contains("Centre") && (text.contains("a hole") || text.contains("an opening"));
            assert!(of(&yes, about).iter().all(named), "{about}: {:?}", of(&yes, about));
        }
        let no = answers("zh", &two, Some("hole"), &[]);
        for about in ["kind", "place", "size"] {
            assert!(of(&no, about).iter().all(|text| text.contains("未见此类异常") || *text == "没有。"), "{about}");
        }
        let (_, words) = package();
        let kind = |code: &str, question: &str| {
            named_kind(words.language(code).unwrap(), question).map(|(sense, kind)| format!("{sense} {kind}"))
        };
        assert_eq!(kind("en", "Where is the SCRATCH?").as_deref(), Some("image scratch"));
        assert_eq!(kind("en", "does it hiss, or is there knocking?").as_deref(), Some("audio knock"));
        assert_eq!(kind("zh", "划痕在哪里?").as_deref(), Some("image scratch"));
        assert_eq!(kind("en", "is there rust?"), None);
    }

    #[test]
    fn what_is_there_is_neither_affirmed_nor_denied_by_name() {
        let of_one = |verdict, findings, meant: &[(Sense, usize)]| {
            let all = answers("en", &told(verdict, findings, 0, false), Some(MISSING), meant);
            of(&all, PRESENT).into_iter().map(str::to_string).collect::<Vec<_>>()
        };
        let missing = of_one(Verdict::Fail, 3, &[(Sense::Image, 1), (Sense::Image, 2)]);
        let is_told = |text: &String| {
            text.matches("missing").count() == 2 && text.contains("Centre") && text.contains("Bottom right")
        };
        assert!(missing.iter().all(|text| is_told(text) && !text.contains("Top left")), "{missing:?}");
        let other = of_one(Verdict::Fail, 2, &[]);
        let stands_out =
            |text: &String| text.starts_with("Nothing is called missing, but") && text.contains("Top left");
        assert!(other.iter().all(stands_out), "{other:?}");
        assert!(of_one(Verdict::Pass, 0, &[]).iter().all(|text| text == "Nothing is seen to be missing."));
        let deaf = Told { verdict: Verdict::Fail, senses: vec![heard(1, 0, false)], decided: None, since: false };
        let by_ear = answers("en", &deaf, None, &[(Sense::Sound, 0)]);
        assert!(of(&by_ear, PRESENT).iter().all(|text| *text == "Nothing could be seen."));
    }

    #[test]
    fn an_answer_on_a_sense_or_on_a_change_is_of_that_alone() {
        let of_senses = |senses: Vec<Sensed>, since: bool| {
            let told = Told { verdict: Verdict::Fail, senses, decided: None, since };
            answers("en", &told, None, &[(Sense::Image, 0)])
        };
        let all = |texts: &[(String, String)], about: &str, expected: &str| {
            let texts = of(texts, about);
            assert!(!texts.is_empty() && texts.iter().all(|text| *text == expected), "{about}: {texts:?}");
        };
        let sight = of_senses(vec![seen(2, 0, false)], false);
        all(&sight, "heard", "Nothing could be heard.");
        all(&sight, "change", "There is nothing earlier to compare with.");
        let clip = of_senses(vec![moved(2, 0, false)], false);
        all(&clip, "heard", "Nothing could be heard.");
        let told = |text: &&str| text.contains("0.2 to 0.7 s") && text.contains("less moves than usual");
        assert!(of(&clip, "seen").iter().all(told), "{:?}", of(&clip, "seen"));
        let both = of_senses(vec![seen(2, 0, false), heard(0, 0, false)], true);
        all(&both, "heard", "Nothing unusual is heard.");
        let new = of(&both, "change");
        let first =
            |text: &&str| text.starts_with("Not there before") && text.contains("Top left") && !text.contains("Centre");
        assert!(new.iter().all(first), "{new:?}");
        assert!(of(&both, "seen").iter().all(|text| text.contains("Top left") && text.contains("Centre")));
    }

    #[test]
    fn what_is_louder_is_no_gap_and_what_is_quieter_nothing_else_that_is_known() {
        let event = |db, character| {
            At::Heard(SoundEvent {
                seconds: [0.0, 1.0],
                hz: [1.0, 2.0],
                db,
                character,
                all_the_time: false,
                rate: None,
            })
        };
        let allowed = |at: &At| ["nothing", "gap", "knock"].map(|kind| may_be(kind, at));
        assert_eq!(allowed(&event(5.0, SoundCharacter::Noise)), [true, false, true]);
        assert_eq!(allowed(&event(-5.0, SoundCharacter::Gap)), [true, true, false]);
        assert_eq!(allowed(&event(-5.0, SoundCharacter::Rhythm)), [true, false, true]);
        assert_eq!(allowed(&At::Seen { position: GridPosition::Top, area: 0.1 }), [true, false, true]);
    }

    #[test]
    fn a_finding_is_called_by_no_kind_that_it_is_unlikely_of() {
        let (tokenizer, words) = package();
        let (language, mut seed) = (words.language("en").unwrap(), 7);
        let mut told = told(Verdict::Fail, 1, 0, false);
        let mut called = |likely: &[&str]| {
            told.senses[0].findings[0].likely = likely.iter().map(ToString::to_string).collect();
            let grammar = report(language, &told).unwrap();
            let kinds = &language.kind["image"];
            let texts: Vec<String> = (0..60).map(|_| wild(&grammar, &tokenizer, &mut seed)).collect();
            let told =
                kinds.iter().filter(|(_, names)| texts.iter().any(|text| names.iter().any(|name| text.contains(name))));
            told.map(|(kind, _)| kind.clone()).collect::<Vec<_>>()
        };
        assert_eq!(called(&["dent", "scratch"]), ["dent", "scratch"]);
        assert_eq!(called(&["pitting"]), ["pitting"]);
        assert!(called(&[]).len() > 4, "any, where none is known to be likely");
    }

    #[test]
    fn quotes_and_braces_in_words_do_no_harm() {
        let slot = |name: &str| (name == "kind").then(|| Slot::Is("kind_0".to_string()));
        let row = sentence(r#"a "b" {kind}\"#, &slot).unwrap().unwrap();
        assert_eq!(row, r#""a \"b\" " kind_0 "\\""#);
        assert!(sentence("{kind}", &|_| Some(Slot::Empty)).unwrap().is_none());
        let error = sentence("{size} of it", &slot).map(drop).unwrap_err();
        assert_eq!(error.message(), "words.toml: no slot `{size}` in `{size} of it`");
        assert!(sentence("{kind", &slot).is_err());
    }

    #[test]
    fn without_a_decoder_the_same_is_told_without_a_kind() {
        let (_, words) = package();
        let text = template(words.language("en").unwrap(), &told(Verdict::Fail, 1, 2, false));
        let expected = "Fail: it is not as the good ones are. Top left: something unlike the good ones, 1.3 % of the \
                        picture. And 2 more. Set it aside.";
        assert_eq!(text, expected);
    }
}
