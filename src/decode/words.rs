//! What may be said in each language: the sentences of a model package's `words.toml`. What is true of a sample is left to
//! `grammar`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::Sense;

/// The languages of a package, by their codes, such as `en`.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Words {
    languages: BTreeMap<String, Language>,
}

/// The sentences of one language; of several alternatives the decoder chooses one. Slots stand in braces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Its own name.
    pub name: String,
    /// What stands between two sentences.
    pub glue: String,
    /// How many findings are not told: `{n}`.
    pub more: String,
    /// Said where a sample differs, but in no one place.
    pub whole: String,
    /// Of each verdict.
    pub verdict: BTreeMap<String, Vec<String>>,
    /// Of a finding, by sense: `{place}`, `{area}` per cent, `{kind}`; of a sound `{event}`, `{db}`, `{kind}`; of a
    /// clip `{place}`, `{from}` and `{to}` in seconds, `{motion}`, `{kind}`.
    pub finding: BTreeMap<String, Vec<String>>,
    /// What moves in a finding of a clip, by its character: `more`, `less`, `elsewhere`, `otherwise`.
    pub motion: BTreeMap<String, String>,
    /// Where a finding of a sound lies: `band` (`{low}`, `{high}` in kHz, `{from}`, `{to}` in seconds), `steady` (`{low}`,
    /// `{high}`), `tone` and `rhythm` (`{hz}`), `bearing` (`{hz}`, `{rate}`).
    pub event: BTreeMap<String, String>,
    /// Names of a bearing's rates.
    pub rate: BTreeMap<String, String>,
    /// Of a sample that is worse than those that were taught, by sense.
    pub quality: BTreeMap<String, Vec<String>>,
    /// That a sense which the part was taught by was not there, by sense.
    pub absent: BTreeMap<String, Vec<String>>,
    /// Which sense decided: `sight`, `hearing`, `either`, `together`.
    pub decided: BTreeMap<String, Vec<String>>,
    /// What is to be done, by verdict.
    pub action: BTreeMap<String, Vec<String>>,
    /// Places of a finding by their English names.
    pub place: BTreeMap<String, String>,
    /// Kinds of defects by sense, with their names; the first is used where nothing is generated.
    pub kind: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Questions, and what may be answered.
    pub ask: Vec<Ask>,
}

/// One sort of question.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What it is about: `seen` and `heard` ask for what one sense found, `change` for what was not there before, `decided`
    /// for the sense that decided, `present` for what is called missing; the others for any finding.
    pub about: String,
    /// How it may be asked. The decoder was taught by these; others are understood as far as it generalises.
    pub ask: Vec<String>,
    /// Answers where findings are meant: `{meant}`, `{findings}`, `{seen}`, `{heard}`, `{new}`, `{count}`, `{verdict}`,
    /// `{action}`, `{decided}`.
    pub yes: Vec<String>,
    /// Answers where none is.
    pub no: Vec<String>,
    /// Answers where none is, but something else was found, of a question that tells these apart.
    #[serde(default)]
    pub other: Vec<String>,
    /// Answers where there is nothing that could tell.
    #[serde(default)]
    pub absent: Vec<String>,
}

impl Language {
    /// The same with one way to say each thing, the first: what is written then tells what was measured and which kinds
    /// were chosen, and nothing else. How it may be asked stays, and so do all names of a kind: a decoder that may use one name
    /// alone would take a kind for less likely than one whose name begins as another name of the first does.
    pub fn plain(&self) -> Self {
        let mut plain = self.clone();
        let Self { verdict, finding, quality, absent, decided, action, ask, .. } = &mut plain;
        let tables = [verdict, finding, quality, absent, decided, action];
        let answers = ask.iter_mut().flat_map(|ask| [&mut ask.yes, &mut ask.no, &mut ask.other, &mut ask.absent]);
        let sentences = tables.into_iter().flat_map(BTreeMap::values_mut).chain(answers);
        sentences.for_each(|ways| ways.truncate(1));
        plain
    }
}

impl Words {
    /// Reads `words.toml`; `name` stands in messages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the field that is wrong.
    pub fn parse(text: &[u8], name: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{name}: {what}"));
        let text = std::str::from_utf8(text).map_err(|error| wrong(format!("is no UTF-8 text ({error})")))?;
        let words: Self = toml::from_str(text).map_err(|error| wrong(error.message().to_string()))?;
        for (code, language) in &words.languages {
            let Language { verdict, finding, quality, absent, decided, action, .. } = language;
            let tables: [Table; 6] = [
                ("verdict", verdict, &VERDICTS),
                ("finding", finding, &SENSES),
                ("quality", quality, &SENSES),
                ("absent", absent, &SENSES[..2]),
                ("decided", decided, &DECIDED),
                ("action", action, &VERDICTS),
            ];
            for (table, sentences, keys) in tables {
                for key in keys {
                    if sentences.get(*key).is_none_or(Vec::is_empty) {
                        return Err(wrong(format!("`{code}.{table}.{key}` must hold at least one sentence")));
                    }
                }
            }
            if let Some(key) = MOTIONS.iter().find(|key| !language.motion.contains_key(**key)) {
                return Err(wrong(format!("`{code}.motion.{key}` is missing")));
            }
            if let Some(key) = EVENTS.iter().find(|key| !language.event.contains_key(**key)) {
                return Err(wrong(format!("`{code}.event.{key}` is missing")));
            }
            if let Some(sense) = SENSES.iter().find(|sense| !language.kind.contains_key(**sense)) {
                return Err(wrong(format!("`{code}.kind.{sense}` is missing")));
            }
            for (sense, kinds) in &language.kind {
                if let Some((kind, _)) = kinds.iter().find(|(_, names)| names.is_empty()) {
                    return Err(wrong(format!("`{code}.kind.{sense}.{kind}` must hold at least one name")));
                }
            }
        }
        Ok(words)
    }

    /// The codes of the languages.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// A language by its code.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with those that there are.
    pub fn language(&self, code: &str) -> Result<&Language> {
        self.languages.get(code).ok_or_else(|| {
            let known = self.codes().collect::<Vec<_>>().join(", ");
            Error::new(ErrorKind::Config, format!("no language `{code}`; this model writes {known}"))
        })
    }
}

/// A table of sentences: its name, what stands in it, and the keys that it must have.
type Table<'a> = (&'a str, &'a BTreeMap<String, Vec<String>>, &'a [&'a str]);

/// Verdicts that have words; what cannot be judged is told by its reason.
const VERDICTS: [&str; 3] = ["pass", "fail", "unsure"];
/// Senses that have words.
const SENSES: [&str; Sense::ALL.len()] = [Sense::Image.key(), Sense::Sound.key(), Sense::Clip.key()];
/// What may have decided.
const DECIDED: [&str; 4] = ["sight", "hearing", "either", "together"];
/// What may move in a finding of a clip.
const MOTIONS: [&str; 4] = ["more", "less", "elsewhere", "otherwise"];
/// Ways to tell where a finding of a sound lies.
const EVENTS: [&str; 5] = ["band", "steady", "tone", "rhythm", "bearing"];
