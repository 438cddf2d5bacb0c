//! A text → its statements, each held against the report: every number in it must have been measured, every place must be
//! the finding's own, every verdict the verdict. The sentences are known from `words.toml`, but nothing of the grammar that
//! wrote the text is asked: numbers are read by their units and compared as numbers.

use std::cmp::Reverse;

use crate::decode::grammar::decided_key;
use crate::decode::words::Language;
use crate::package::manifest::Sense;
use crate::report::{BearingRate, Finding, Named, Report, SoundCharacter, Verdict};

/// One sentence of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The sentence.
    pub text: String,
    /// What it is about.
    pub about: About,
    /// Whether the report says so; `None` where the report cannot tell, as how poor a picture is.
    pub is_true: Option<bool>,
}

/// What a sentence is about.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    /// The verdict.
    Verdict,
    /// One finding.
    Finding {
        /// By which sense it was found, as far as the sentence tells.
        sense: Sense,
        /// Which of the sense's findings it is; `None` where no finding is as the sentence says.
        index: Option<usize>,
        /// The place that is named, by its English name.
        place: Option<String>,
    },
    /// How many more findings there are.
    More {
        /// By which sense they were found; `None` where neither has so many more.
        sense: Option<Sense>,
        /// How many.
        count: usize,
    },
    /// Anything else: what is to be done, which sense decided, how good the sample is.
    Other,
}

/// A finding with the sense that found it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    /// Which sense.
    pub sense: Sense,
    /// Which of its findings.
    pub index: usize,
    /// What was found.
    pub finding: &'a Finding,
}

/// All findings of a report, sense by sense, each sense's most severe first.
pub(super) fn findings(report: &Report) -> Vec<Own<'_>> {
    let of =
        |sense: Sense| report.findings_of(sense).enumerate().map(move |(index, finding)| Own { sense, index, finding });
    Sense::ALL.into_iter().flat_map(of).collect()
}

/// Reads a text that was written of `report` in `language`; `named` are the kinds that were told along with it. A sentence
/// that is none of the language's and holds nothing measured is false: nothing says so.
pub fn read(text: &str, language: &Language, report: &Report, named: &[Named]) -> Vec<Statement> {
    let fixed = fixed(language);
    let mut left = findings(report);
    let (mut statements, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let whole = fixed.iter().map(|(sentence, _)| *sentence).find(|sentence| rest.starts_with(sentence));
        let (sentence, behind) = rest.split_at(whole.map_or_else(|| end_of_sentence(rest), str::len));
        let (about, is_true) = match whole {
            Some(whole) => {
                let said: Vec<Said> = fixed.iter().filter(|(own, _)| *own == whole).map(|(_, said)| *said).collect();
                let about = if said.iter().any(|said| matches!(said, Said::Verdict(_))) {
                    About::Verdict
                } else {
                    About::Other
                };
                let known: Vec<bool> = said.iter().filter_map(|said| said.is_true(report)).collect();
                (about, (!known.is_empty()).then(|| known.contains(&true)))
            }
            None => Claim::read(sentence, language).held_against(&mut left, named),
        };
        statements.push(Statement { text: sentence.into(), about, is_true });
        rest = behind.trim_start();
    }
    count_more(&mut statements, report);
    statements
}

/// How many more there are can only be told when all statements are known.
fn count_more(statements: &mut [Statement], report: &Report) {
    let mut left = Sense::ALL.map(|own| {
        let all = findings(report).iter().filter(|finding| finding.sense == own).count();
        let is_told = |about: &About| matches!(about, About::Finding { sense, .. } if *sense == own);
        let told = statements.iter().filter(|statement| is_told(&statement.about)).count();
        (own, all.saturating_sub(told))
    });
    for statement in statements {
        if let About::More { sense, count } = &mut statement.about {
            let found = left.iter_mut().find(|(_, left)| *left == *count && *count > 0);
            *sense = found.map(|(own, left)| {
                *left = 0;
                *own
            });
            statement.is_true = Some(sense.is_some());
        }
    }
}

/// What a sentence without slots says.
#[derive(Debug, Clone, Copy)]
enum Said<'a> {
    Verdict(&'a str),
    Action(&'a str),
    Decided(&'a str),
    Absent(&'a str),
    Quality,
    Whole,
}

impl Said<'_> {
    fn is_true(self, report: &Report) -> Option<bool> {
        let invalid = |sense: Sense| report.sense(sense).is_some_and(|own| !own.is_valid());
        match self {
            Self::Verdict(verdict) | Self::Action(verdict) => Some(verdict == report.verdict.as_str()),
            Self::Decided(way) => Some(report.decided_by.as_ref().is_some_and(|by| decided_key(by) == way)),
            Self::Absent(key) if key == Sense::Image.key() => Some(invalid(Sense::Image)),
            Self::Absent(key) if key == Sense::Sound.key() => Some(invalid(Sense::Sound)),
            Self::Whole => Some(report.verdict != Verdict::Pass && findings(report).is_empty()),
            Self::Absent(_) | Self::Quality => None,
        }
    }
}

/// The sentences that stand as they are, longest first, so that none is taken for the beginning of another.
fn fixed(language: &Language) -> Vec<(&str, Said<'_>)> {
    type Of<'a> = fn(&'a str) -> Said<'a>;
    let tables: [(_, Of<'_>); 5] = [
        (&language.verdict, Said::Verdict),
        (&language.action, Said::Action),
        (&language.decided, Said::Decided),
        (&language.absent, Said::Absent),
        (&language.quality, |_| Said::Quality),
    ];
    let mut fixed = vec![(language.whole.as_str(), Said::Whole)];
    for (table, said) in tables {
        let sentences =
            table.iter().flat_map(|(key, sentences)| sentences.iter().map(move |own| (own.as_str(), said(key))));
        fixed.extend(sentences);
    }
    fixed.retain(|(sentence, _)| !sentence.is_empty());
    fixed.sort_by_key(|(sentence, _)| Reverse(sentence.len()));
    fixed
}

/// Bytes of the first sentence: up to a full stop that no digit follows.
fn end_of_sentence(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_point = c == '.' && chars.peek().is_none_or(|(_, next)| !next.is_ascii_digit());
        if is_point || matches!(c, '。' | '!' | '?') {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// A number in a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Number {
    value: f64,
    decimals: i32,
    unit: Unit,
}

/// What a number is followed by, in any of the languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    PerCent,
    Decibels,
    Kilohertz,
    Hertz,
    Seconds,
    TimesASecond,
    Nothing,
}

impl Number {
    /// Whether `measured`, rounded to as many places, is this number.
    fn is(&self, measured: f64) -> bool {
        (self.value - measured).abs() <= 0.5 * 10f64.powi(-self.decimals) + 1e-6
    }
}

/// What a sentence with something measured in it says.
struct Claim<'a> {
    /// Names of places, in the language, by their English names.
    places: Vec<&'a str>,
    /// What its kind may be: a name may stand for one of each sense.
    kinds: Vec<(&'a str, &'a str)>,
    rate: Option<&'a str>,
    /// What moves, by its character.
    motion: Option<&'a str>,
    all_the_time: bool,
    numbers: Vec<Number>,
}

impl<'a> Claim<'a> {
    fn read(sentence: &str, language: &'a Language) -> Self {
        let mut rest = sentence.to_string();
        // A longer name may hold a shorter one.
        let mut cut = |name: &str| {
            let at = rest.find(name)?;
            rest.replace_range(at..at + name.len(), " ");
            Some(())
        };
        let names = language.kind.iter().flat_map(|(sense, kinds)| {
            kinds.iter().flat_map(move |(kind, names)| {
                names.iter().map(move |name| (sense.as_str(), kind.as_str(), name.as_str()))
            })
        });
        let mut names: Vec<(&str, &str, &str)> = names.filter(|(.., name)| !name.is_empty()).collect();
        names.sort_by_key(|(.., name)| Reverse(name.len()));
        let name = names.iter().map(|(.., name)| *name).find(|name| cut(name).is_some());
        let kinds =
            names.iter().filter(|(.., own)| Some(*own) == name).map(|(sense, kind, _)| (*sense, *kind)).collect();
        let mut rates: Vec<_> = language.rate.iter().collect();
        rates.sort_by_key(|(_, name)| Reverse(name.len()));
        let rate = rates.into_iter().find(|(_, name)| cut(name).is_some()).map(|(rate, _)| rate.as_str());
        let motion = language.motion.iter().find(|(_, name)| cut(name).is_some()).map(|(motion, _)| motion.as_str());
        let mut places: Vec<_> = language.place.iter().collect();
        places.sort_by_key(|(_, name)| Reverse(name.len()));
        let places =
            places.into_iter().filter(|(_, name)| cut(name).is_some()).map(|(place, _)| place.as_str()).collect();
        // What the language says behind a band that is there all the time.
        let steady = language.event.get("steady").and_then(|form| form.rsplit_once("kHz")).map(|(_, behind)| behind);
        let steady = steady.map(|behind| behind.trim_matches([' ', ',', '、'])).filter(|behind| !behind.is_empty());
        let all_the_time = steady.is_some_and(|steady| rest.contains(steady));
        Self { places, kinds, rate, motion, all_the_time, numbers: numbers(&rest) }
    }

    /// What it is about and whether it is true; a finding that was told is taken out of those that are `left`.
    fn held_against(&self, left: &mut Vec<Own>, named: &[Named]) -> (About, Option<bool>) {
        let is_bare = self.places.is_empty() && self.kinds.is_empty() && self.rate.is_none() && self.motion.is_none();
        match self.numbers[..] {
            [] if is_bare => return (About::Other, Some(false)),
            [Number { value, unit: Unit::Nothing, .. }] if is_bare => {
                // Whether it is true is told when all statements are known.
                return (About::More { sense: None, count: value as usize }, None);
            }
            _ => {}
        }
        let place = self.places.first().map(|place| (*place).to_string());
        match left.iter().position(|own| self.is_of(own, named)) {
            Some(at) => {
                let Own { sense, index, .. } = left.remove(at);
                (About::Finding { sense, index: Some(index), place }, Some(true))
            }
            None => {
                let is_seen = place.is_some() || self.numbers.iter().any(|number| number.unit == Unit::PerCent);
                let sense = match self.motion {
                    Some(_) => Sense::Clip,
                    None if is_seen => Sense::Image,
                    None => Sense::Sound,
                };
                (About::Finding { sense, index: None, place }, Some(false))
            }
        }
    }

    /// Whether all that it says is so of a finding.
    fn is_of(&self, own: &Own, named: &[Named]) -> bool {
        let told = named.iter().find(|named| named.sense == own.sense && named.finding == own.index);
        let is_kind = |(of, kind): &(&str, &str)| *of == own.sense.key() && told.is_none_or(|told| told.kind == *kind);
        if !self.kinds.is_empty() && !self.kinds.iter().any(is_kind) {
            return false;
        }
        let of = |unit: Unit| self.numbers.iter().filter(move |number| number.unit == unit);
        let all = |unit: Unit, measured: f64| of(unit).all(|number| number.is(measured));
        let none = |units: &[Unit]| units.iter().all(|unit| of(*unit).next().is_none());
        let span = |unit: Unit, [from, to]: [f64; 2]| {
            of(unit).count() <= 2 && of(unit).zip([from, to]).all(|(number, measured)| number.is(measured))
        };
        if let Some(moved) = own.finding.moved() {
            let others =
                [Unit::PerCent, Unit::Decibels, Unit::Kilohertz, Unit::Hertz, Unit::TimesASecond, Unit::Nothing];
            return self.places.iter().all(|place| *place == moved.position.as_str())
                && self.motion.is_none_or(|motion| motion == moved.character.as_str())
                && span(Unit::Seconds, moved.seconds)
                && none(&others)
                && self.rate.is_none()
                && !self.all_the_time;
        }
        if self.motion.is_some() {
            return false;
        }
        let Some(heard) = own.finding.heard() else {
            let area = (100.0 * own.finding.area_share).max(LEAST_AREA);
            let is_there = self.places.iter().all(|place| *place == own.finding.place);
            let of_sounds =
                [Unit::Decibels, Unit::Kilohertz, Unit::Hertz, Unit::Seconds, Unit::TimesASecond, Unit::Nothing];
            return is_there
                && all(Unit::PerCent, area)
                && none(&of_sounds)
                && self.rate.is_none()
                && !self.all_the_time;
        };
        let [low, high] = heard.hz;
        let beats = heard.character == SoundCharacter::Rhythm;
        self.places.is_empty()
            && none(&[Unit::PerCent, Unit::Nothing])
            && (self.rate.is_none() || self.rate == heard.rate.map(BearingRate::as_str))
            && (!self.all_the_time || heard.all_the_time)
            && all(Unit::Decibels, f64::from(heard.db))
            && span(Unit::Kilohertz, [low / 1e3, high / 1e3])
            && span(Unit::Seconds, heard.seconds)
            && all(Unit::Hertz, 0.5 * (low + high))
            && all(Unit::TimesASecond, if beats { low } else { f64::NAN })
    }
}

/// The least share of a picture that is told, in per cent.
const LEAST_AREA: f64 = 0.1;

/// The numbers of a sentence with their units; digits inside a word are none.
fn numbers(text: &str) -> Vec<Number> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = text[at..].find(|c: char| c.is_ascii_digit()).map(|i| at + i) {
        let (before, point) = (&text[..begin], begin + digits(&text[begin..]));
        let decimals = text[point..].strip_prefix('.').map_or(0, digits);
        let end = if decimals > 0 { point + 1 + decimals } else { point };
        at = end;
        if before.ends_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        // What is no number is like none that was measured.
        let value = text[begin..end].parse().unwrap_or(f64::NAN);
        let value: f64 = if before.ends_with(['-', '−']) { -value } else { value };
        found.push((Number { value, decimals: decimals as i32, unit: Unit::Nothing }, unit(text[end..].trim_start())));
    }
    // The first number of a span has the unit of the second.
    let mut next = None;
    for (number, unit) in found.iter_mut().rev() {
        number.unit = unit.or(next).unwrap_or(Unit::Nothing);
        next = Some(number.unit);
    }
    found.into_iter().map(|(number, _)| number).collect()
}

/// The unit that a text begins with; `None` where it is that of the next number.
fn unit(text: &str) -> Option<Unit> {
    let is_word =
        |word: &str| text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    match () {
        () if text.starts_with('%') => Some(Unit::PerCent),
        () if is_word("dB") => Some(Unit::Decibels),
        () if is_word("kHz") => Some(Unit::Kilohertz),
        () if is_word("Hz") => Some(Unit::Hertz),
        () if is_word("s") || text.starts_with('秒') => Some(Unit::Seconds),
        () if is_word("times") || text.starts_with('次') => Some(Unit::TimesASecond),
        () if is_word("to") || text.starts_with('至') => None,
        () => Some(Unit::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Words;
    use crate::report::{SoundEvent, What};
    use crate::testing;

    fn words() -> Words {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/eyear-small/words.toml");
        Words::parse(&std::fs::read(file).unwrap(), "words.toml").unwrap()
    }

    fn seen(place: &'static str, area_share: f64) -> Finding {
        Finding { area_share, place: place.into(), ..testing::finding() }
    }

    fn heard(character: SoundCharacter, hz: [f64; 2], all_the_time: bool, rate: Option<BearingRate>) -> Finding {
        let event = SoundEvent { seconds: [0.223, 1.741], hz, db: 11.6, character, all_the_time, rate };
        Finding { what: What::Heard(event), ..seen("", 0.1) }
    }

    fn report(verdict: Verdict, findings: Vec<Finding>) -> Report {
        testing::of_findings(verdict, findings)
    }

    /// What is said, each sentence with whether it is true.
    fn judged(text: &str, code: &str, report: &Report) -> Vec<Option<bool>> {
        let words = words();
        read(text, words.language(code).unwrap(), report, &[]).into_iter().map(|own| own.is_true).collect()
    }

    fn two() -> Report {
        report(Verdict::Fail, vec![seen("top left", 0.0132), seen("centre", 0.0004)])
    }

    #[test]
    fn what_was_measured_is_true_in_each_language() {
        let report = two();
        let english = "Fail: it is stranger than good ones are. Top left, on 1.3 % of the picture: a fine crack. Centre: \
                       wear, 0.1 % of the picture. The picture is poor: look again. Take it out.";
        let chinese =
            "不合格：比良品更异常。左上：细裂纹，占画面 1.3 %。中央有断裂，占画面 0.1 %。画面质量差，请重拍。请剔除。";
        for (text, code) in [(english, "en"), (chinese, "zh")] {
            let yes = Some(true);
            assert_eq!(judged(text, code, &report), [yes, yes, yes, None, yes], "{text}");
        }
        let words = words();
        let said = read(english, words.language("en").unwrap(), &report, &[]);
        assert_eq!((&said[0].about, &said[4].about), (&About::Verdict, &About::Other));
        let place = Some("centre".to_string());
        assert_eq!(said[2].about, About::Finding { sense: Sense::Image, index: Some(1), place });
        assert_eq!(said[2].text, "Centre: wear, 0.1 % of the picture.");
    }

    #[test]
    fn planted_lies_on_what_is_seen_are_caught() {
        for lie in [
            // Another verdict, another action, another place, another area, the place of one with the area of the other.
            "Pass: nothing stands out.",
            "Unsure: it is near the limit.",
            "Let it go on.",
            "Bottom: a crack, 1.3 % of the picture.",
            "Top: a crack, 1.3 % of the picture.",
            "Top left: a crack, 1.4 % of the picture.",
            "Top left: a crack, 13 % of the picture.",
            "Top left: a crack, 0.1 % of the picture.",
            "Top left Centre: a crack, 1.3 % of the picture.",
            // A number that nobody measured, a unit that was none, a count, a sense, what no list holds.
            "Top left: a crack, 1.3 % of the picture, 7 of them.",
            "Top left: a crack, 1.3 dB.",
            "And 2 more.",
            "And 1 more.",
            "What is seen says so, and what is heard.",
            "Nothing could be heard: this is by sight alone.",
            "It differs as a whole, in no one place.",
            "The moon is made of cheese.",
            "0.22 to 1.74 kHz, all the time, +12 dB: a tone.",
        ] {
            let text = format!("Top left: a crack, 1.3 % of the picture. {lie}");
            let only = judged(lie, "en", &two());
            let more = lie.starts_with("And");
            // Said of nothing else, two more are two more.
            assert!(only == [Some(false)] || more, "{lie}: {only:?}");
            if lie != "And 1 more." {
                assert_eq!(judged(&text, "en", &two()), [Some(true), Some(false)], "{text}");
            }
        }
        // The same finding twice is one too many.
        let twice = "Centre: wear, 0.1 % of the picture. Centre: wear, 0.1 % of the picture.";
        assert_eq!(judged(twice, "en", &two()), [Some(true), Some(false)]);
    }

    #[test]
    fn how_many_more_is_true_where_so_many_were_not_told() {
        let report = report(Verdict::Fail, vec![seen("top", 0.01), seen("left", 0.02), seen("right", 0.03)]);
        let text = |n: usize| format!("Top: a hole, 1.0 % of the picture. And {n} more.");
        assert_eq!(judged(&text(2), "en", &report), [Some(true), Some(true)]);
        assert_eq!(judged(&text(1), "en", &report), [Some(true), Some(false)]);
        assert_eq!(judged("上方:孔洞,占画面 1.0 %。另有 2 处异常。", "zh", &report), [Some(true), Some(true)]);
        // All were told: none is left.
        let all = report.findings.len();
        assert_eq!(judged(&format!("And {all} more. And {all} more."), "en", &report), [Some(true), Some(false)]);
    }

    #[test]
    fn sounds_are_held_against_their_bands_times_and_levels() {
        let band = report(Verdict::Fail, vec![heard(SoundCharacter::Noise, [1770.0, 7920.0], false, None)]);
        let is = |text: &str, report: &Report| {
            let said = judged(text, "en", report);
            assert_eq!(said.len(), 1, "{text}: {said:?}");
            said[0]
        };
        assert_eq!(is("1.77 to 7.92 kHz, 0.22 to 1.74 s, +12 dB: hissing.", &band), Some(true));
        assert_eq!(is("Heard at 1.77 to 7.92 kHz, 0.22 to 1.74 s, by +12 dB: a knock.", &band), Some(true));
        for lie in [
            "1.77 to 7.93 kHz, 0.22 to 1.74 s, +12 dB: hissing.",
            "7.92 to 1.77 kHz, 0.22 to 1.74 s, +12 dB: hissing.",
            "0.22 to 1.74 kHz, 1.77 to 7.92 s, +12 dB: hissing.",
            "1.77 to 7.92 kHz, 0.22 to 1.75 s, +12 dB: hissing.",
            "1.77 to 7.92 kHz, 0.22 to 1.74 s, -12 dB: hissing.",
            "1.77 to 7.92 kHz, 0.22 to 1.74 s, +11 dB: hissing.",
            "1.77 to 7.92 kHz, all the time, +12 dB: hissing.",
            "1.8 times a second, +12 dB: knocking.",
            "Centre, 1.77 to 7.92 kHz, +12 dB: hissing.",
            "1.77 to 7.92 kHz, 0.22 to 1.74 s, +12 dB: a crack.",
        ] {
            assert_eq!(is(lie, &band), Some(false), "{lie}");
        }
        let tone = report(Verdict::Fail, vec![heard(SoundCharacter::Tone, [98.0, 104.0], true, None)]);
        assert_eq!(is("101 Hz, all the time, +12 dB: a whistle.", &tone), Some(true));
        assert_eq!(is("102 Hz, all the time, +12 dB: a whistle.", &tone), Some(false));
        let beats = report(
            Verdict::Fail,
            vec![heard(SoundCharacter::Rhythm, [105.24, 105.24], true, Some(BearingRate::OuterRace))],
        );
        let outer = "105.2 times a second, as the outer race (BPFO) does, +12 dB: a damaged bearing.";
        assert_eq!(is(outer, &beats), Some(true));
        assert_eq!(is(&outer.replace("outer race (BPFO)", "inner race (BPFI)"), &beats), Some(false));
        assert_eq!(is(&outer.replace("outer race (BPFO)", "shaft (1x)"), &beats), Some(false));
        let shaft =
            report(Verdict::Fail, vec![heard(SoundCharacter::Rhythm, [24.0, 24.0], true, Some(BearingRate::Shaft))]);
        assert_eq!(is("24.0 times a second, as the shaft (1x) does, +12 dB: a blow at each turn.", &shaft), Some(true));
        let chinese = [
            ("1.77 至 7.92 kHz、0.22 至 1.74 秒,+12 dB:嘶嘶声。", &band),
            ("在 101 Hz、持续 听到啸叫,+12 dB。", &tone),
            ("每秒 105.2 次、与外圈(BPFO)相符,+12 dB:轴承损伤声。", &beats),
        ];
        for (text, report) in chinese {
            assert_eq!(judged(text, "zh", report), [Some(true)], "{text}");
            assert_eq!(judged(&text.replace("+12", "+13"), "zh", report), [Some(false)], "{text}");
        }
    }

    #[test]
    fn a_kind_in_the_text_is_the_kind_that_is_told_beside_it() {
        let words = words();
        let named = |kind: &str| Named { sense: Sense::Image, finding: 0, kind: kind.into(), likelihood: 0.9 };
        let is_true = |kind: &str| {
            let text = "Top left: a fine crack, 1.3 % of the picture.";
            read(text, words.language("en").unwrap(), &two(), &[named(kind)])[0].is_true
        };
        assert_eq!((is_true("crack"), is_true("hole")), (Some(true), Some(false)));
    }

    #[test]
    fn both_senses_are_held_against_their_own_findings() {
        let mut both = two();
        both.findings.push(heard(SoundCharacter::Knock, [300.0, 900.0], false, None));
        both.senses.push(testing::sense(Sense::Sound, Verdict::Fail));
        both.decided_by = Some(vec![Sense::Sound]);
        let text = "Fail: it is not as the good ones are. What is heard says so, what is seen alone does not. Top left: a \
                    hole, 1.3 % of the picture. 0.30 to 0.90 kHz, 0.22 to 1.74 s, +12 dB: a knock. And 1 more.";
        let words = words();
        let said = read(text, words.language("en").unwrap(), &both, &[]);
        assert!(said.iter().all(|own| own.is_true == Some(true)), "{said:?}");
        assert_eq!(said[4].about, About::More { sense: Some(Sense::Image), count: 1 });
        let mut deaf = both.clone();
        deaf.senses[1] = testing::sense(Sense::Sound, Verdict::Invalid);
        let absent = "Nothing could be heard: this is by sight alone.";
        assert_eq!((judged(absent, "en", &deaf), judged(absent, "en", &both)), (vec![Some(true)], vec![Some(false)]));
    }

    #[test]
    fn what_differs_as_a_whole_has_no_place() {
        let whole = "It differs as a whole, in no one place.";
        assert_eq!(judged(whole, "en", &report(Verdict::Fail, Vec::new())), [Some(true)]);
        assert_eq!(judged(whole, "en", &report(Verdict::Pass, Vec::new())), [Some(false)]);
    }
}
