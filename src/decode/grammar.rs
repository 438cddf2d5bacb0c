//! What is measured of a sample → the grammar of all that may be written of it. The decoder chooses among the kinds of
//! defects and among ways to say a thing; places, areas, counts and the verdict stand in the grammar as they were measured,
//! so that nothing else can be written.

use std::fmt::Write as _;

use super::words::Language;
use crate::error::{Error, ErrorKind, Result};
use crate::report::Verdict;

/// What was measured of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The verdict; [`Verdict::Invalid`] has no words.
    pub verdict: Verdict,
    /// Its findings that are told, most severe first.
    pub findings: Vec<Place>,
    /// How many more there are.
    pub more: usize,
    /// Whether light or focus are worse than in what was taught.
    pub poor: bool,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// One of the nine places by its English name.
    pub place: String,
    /// Share of the picture, 0 to 1.
    pub area: f64,
}

/// How a rule that is a finding's kind begins; its number follows.
pub(super) const KIND: &str = "kind_";

/// A grammar in Lark's notation, as llguidance reads it. Rules that are captured tell which sentence is about what.
struct Lark(String);

impl Lark {
    fn rule(&mut self, name: &str, captured: bool, alternatives: &[String]) {
        let capture = if captured { "[capture]" } else { "" };
        // A string takes what it is given.
        let _infallible = writeln!(self.0, "{name}{capture}: {}", alternatives.join(" | "));
    }
}

/// A text that stands as it is.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A sentence with slots as a row of literals and rules; `slot` tells what stands for a slot.
fn sentence(template: &str, slot: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let unknown =
        |name: &str| Error::new(ErrorKind::Config, format!("words.toml: no slot `{{{name}}}` in `{template}`"));
    let (mut parts, mut rest) = (Vec::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').ok_or_else(|| unknown(after))?;
        parts.extend((!before.is_empty()).then(|| literal(before)));
        parts.push(slot(name).ok_or_else(|| unknown(name))?);
        rest = behind;
    }
    parts.extend((!rest.is_empty()).then(|| literal(rest)));
    Ok(parts.join(" "))
}

fn literals(sentences: Option<&Vec<String>>) -> Vec<String> {
    sentences.into_iter().flatten().map(|sentence| literal(sentence)).collect()
}

/// A share of the picture in per cent: a tenth is the least that is told.
pub fn area(share: f64) -> String {
    format!("{:.1}", (100.0 * share).max(0.1))
}

/// The rules of each finding, `finding_0` and on, with its kind, `kind_0` and on.
fn findings(lark: &mut Lark, language: &Language, told: &Told) -> Result<Vec<String>> {
    let kinds: Vec<String> = language.kind.values().flatten().map(|name| literal(name)).collect();
    let mut rules = Vec::new();
    for (i, found) in told.findings.iter().enumerate() {
        let kind = format!("{KIND}{i}");
        let place = language.place.get(&found.place).unwrap_or(&found.place);
        let slot = |name: &str| match name {
            "place" => Some(literal(place)),
            "area" => Some(literal(&area(found.area))),
            "kind" => Some(kind.clone()),
            _ => None,
        };
        let templates = language.finding.get("image").into_iter().flatten();
        let alternatives = templates.map(|template| sentence(template, &slot)).collect::<Result<Vec<_>>>()?;
        let rule = format!("finding_{i}");
        lark.rule(&rule, true, &alternatives);
        lark.rule(&kind, true, &kinds);
        rules.push(rule);
    }
    if told.more > 0 {
        let count = |name: &str| (name == "n").then(|| literal(&told.more.to_string()));
        lark.rule("more", true, &[sentence(&language.more, &count)?]);
        rules.push("more".into());
    }
    Ok(rules)
}

fn together(language: &Language, rules: &[String]) -> String {
    let glue = if language.glue.is_empty() { " ".into() } else { format!(" {} ", literal(&language.glue)) };
    rules.join(&glue)
}

/// The grammar of a whole report: the verdict, each finding, what is to be done.
///
/// # Errors
/// [`ErrorKind::Config`] when a sentence has a slot that nothing fills.
pub fn report(language: &Language, told: &Told) -> Result<String> {
    let mut lark = Lark(String::new());
    let verdict = told.verdict.as_str();
    let mut rules = vec!["verdict".to_string()];
    lark.rule("verdict", true, &literals(language.verdict.get(verdict)));
    if told.verdict != Verdict::Pass {
        let found = findings(&mut lark, language, told)?;
        if found.is_empty() {
            lark.rule("whole", true, &[literal(&language.whole)]);
            rules.push("whole".into());
        }
        rules.extend(found);
    }
    if let Some(poor) = language.quality.get("image").filter(|_| told.poor) {
        lark.rule("quality", true, &literals(Some(poor)));
        rules.push("quality".into());
    }
    lark.rule("action", true, &literals(language.action.get(verdict)));
    rules.push("action".into());
    lark.rule("start", false, &[together(language, &rules)]);
    Ok(lark.0)
}

/// The grammar of all answers that are true of a sample, whatever was asked.
///
/// # Errors
/// As [`report`].
pub fn answer(language: &Language, told: &Told) -> Result<String> {
    let mut lark = Lark(String::new());
    let shown = Told {
        findings: if told.verdict == Verdict::Pass { Vec::new() } else { told.findings.clone() },
        ..told.clone()
    };
    let more = if told.verdict == Verdict::Pass { 0 } else { told.more };
    let found = findings(&mut lark, language, &Told { more, ..shown.clone() })?;
    lark.rule("verdict", true, &literals(language.verdict.get(told.verdict.as_str())));
    lark.rule("action", true, &literals(language.action.get(told.verdict.as_str())));
    let one: Vec<String> = (0..shown.findings.len()).map(|i| format!("finding_{i}")).collect();
    let slot = |name: &str| match name {
        "finding" if !one.is_empty() => Some(format!("({})", one.join(" | "))),
        "findings" if !found.is_empty() => Some(together(language, &found)),
        "count" => Some(literal(&(one.len() + more).to_string())),
        "verdict" | "action" => Some(name.into()),
        _ => None,
    };
    let mut answers = Vec::new();
    for ask in &language.ask {
        // That nothing of a sort was found can always be said, for what is found may be of another; that nothing was found at
        // all, only where it is so.
        let sort = ask.ask.iter().any(|asked| asked.contains("{kind}"));
        let yes = ask.yes.iter().filter(|_| !one.is_empty());
        for template in yes.chain(ask.no.iter().filter(|_| sort || one.is_empty())) {
            let row = sentence(template, &slot)?;
            if !answers.contains(&row) {
                answers.push(row);
            }
        }
    }
    lark.rule("start", false, &answers);
    Ok(lark.0)
}

/// A report without a decoder: the first way to say each thing, and no kind but that of what is not known.
///
/// # Errors
/// As [`report`].
pub fn template(language: &Language, told: &Told) -> Result<String> {
    let first = |sentences: Option<&Vec<String>>| sentences.and_then(|of| of.first()).cloned().unwrap_or_default();
    let unknown = first(language.kind.get(UNKNOWN));
    let mut said = vec![first(language.verdict.get(told.verdict.as_str()))];
    if told.verdict != Verdict::Pass {
        for found in &told.findings {
            let place = language.place.get(&found.place).unwrap_or(&found.place);
            let sentence = first(language.finding.get("image"));
            let filled = sentence.replace("{place}", place).replace("{area}", &area(found.area));
            said.push(filled.replace("{kind}", &unknown));
        }
        if told.more > 0 {
            said.push(language.more.replace("{n}", &told.more.to_string()));
        } else if told.findings.is_empty() {
            said.push(language.whole.clone());
        }
    }
    said.push(first(language.action.get(told.verdict.as_str())));
    said.retain(|sentence| !sentence.is_empty());
    Ok(said.join(&language.glue))
}

/// The kind of what is like no kind that is known.
pub const UNKNOWN: &str = "nothing";

#[cfg(test)]
mod tests {
    use llguidance::Matcher;
    use llguidance::api::TopLevelGrammar;

    use super::super::{Tokenizer, Words};
    use super::*;

    fn package() -> (Tokenizer, Words) {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/eyear-small");
        let read = |file: &str| std::fs::read(dir.join(file)).unwrap();
        let tokenizer = Tokenizer::parse(&read("tokenizer.json"), "tokenizer.json").unwrap();
        (tokenizer, Words::parse(&read("words.toml"), "words.toml").unwrap())
    }

    /// Chooses at random among the tokens that a grammar allows, as a decoder gone wild would.
    fn wild(grammar: &str, tokenizer: &Tokenizer, seed: &mut u32) -> String {
        let mut matcher =
            Matcher::new(tokenizer.factory().create_parser(TopLevelGrammar::from_lark(grammar.to_string())));
        let mut bytes = Vec::new();
        loop {
            let allowed = matcher.compute_mask_or_eos().unwrap().to_list();
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let token = allowed[(*seed >> 8) as usize % allowed.len()];
            if token == tokenizer.end() {
                return String::from_utf8(bytes).unwrap();
            }
            matcher.consume_token(token).unwrap();
            bytes.extend_from_slice(tokenizer.bytes(token));
        }
    }

    fn told(verdict: Verdict, findings: usize, more: usize, poor: bool) -> Told {
        let places = ["top left", "centre", "bottom right", "left"];
        let place = |i: usize| Place { place: places[i].into(), area: 0.013 + 0.021 * i as f64 };
        Told { verdict, findings: (0..findings).map(place).collect(), more, poor }
    }

    #[test]
    fn whatever_the_decoder_does_the_text_says_what_was_measured() {
        let (tokenizer, words) = package();
        let mut seed = 1;
        let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Unsure];
        for round in 0..120 {
            let told = told(verdicts[round % 3], round % 5, round % 2, round % 7 == 0);
            for code in ["en", "zh"] {
                let language = words.language(code).unwrap();
                let text = wild(&report(language, &told).unwrap(), &tokenizer, &mut seed);
                let begins = |of: &[String]| of.iter().any(|sentence| text.starts_with(sentence.as_str()));
                let ends = |of: &[String]| of.iter().any(|sentence| text.ends_with(sentence.as_str()));
                let verdict = told.verdict.as_str();
                assert!(begins(&language.verdict[verdict]) && ends(&language.action[verdict]), "{text}");
                for (i, found) in told.findings.iter().enumerate() {
                    let is_told = told.verdict != Verdict::Pass;
                    assert_eq!(text.contains(&area(found.area)), is_told, "finding {i}: {text}");
                    assert_eq!(text.contains(&language.place[&found.place]), is_told, "finding {i}: {text}");
                }
                let numbers = text.chars().filter(|c| *c == '%').count();
                assert_eq!(numbers, if told.verdict == Verdict::Pass { 0 } else { told.findings.len() }, "{text}");
            }
        }
    }

    #[test]
    fn an_answer_denies_no_more_than_a_sort_and_affirms_only_what_is_there() {
        let (tokenizer, words) = package();
        let language = words.language("en").unwrap();
        let mut seed = 5;
        for _ in 0..150 {
            let text = wild(&answer(language, &told(Verdict::Pass, 3, 2, false)).unwrap(), &tokenizer, &mut seed);
            assert!(!text.contains('%') && !text.starts_with("Yes") && !text.starts_with("Fail"), "{text}");
            let one = told(Verdict::Fail, 1, 0, false);
            let text = wild(&answer(language, &one).unwrap(), &tokenizer, &mut seed);
            assert!(!text.contains('%') || text.contains("Top left") && text.contains("1.3"), "{text}");
            assert!(!text.starts_with("Pass") && !text.contains("Let it go on"), "{text}");
            assert!(!text.chars().next().unwrap().is_ascii_digit() || text == "1.", "{text}");
            assert!(text != "Nothing stands out." && text != "None.", "{text}");
        }
    }

    #[test]
    fn quotes_and_braces_in_words_do_no_harm() {
        let slot = |name: &str| (name == "kind").then(|| "kind_0".to_string());
        assert_eq!(sentence(r#"a "b" {kind}\"#, &slot).unwrap(), r#""a \"b\" " kind_0 "\\""#);
        let error = sentence("{size} of it", &slot).unwrap_err();
        assert_eq!(error.message(), "words.toml: no slot `{size}` in `{size} of it`");
        assert!(sentence("{kind", &slot).is_err());
    }

    #[test]
    fn without_a_decoder_the_same_is_told_without_a_kind() {
        let (_, words) = package();
        let text = template(words.language("en").unwrap(), &told(Verdict::Fail, 1, 2, false)).unwrap();
        let expected = "Fail: it is not as the good ones are. Top left: something unlike the good ones, 1.3 % of the \
                        picture. And 2 more. Set it aside.";
        assert_eq!(text, expected);
    }
}
