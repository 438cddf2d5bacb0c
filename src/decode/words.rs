//! What may be said in each language: the sentences of a model package's `words.toml`. What is true of a sample is left to
//! `grammar`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

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
    /// Of a finding, by sense: `{place}`, `{area}` per cent, `{kind}`; of a sound `{event}`, `{kind}`.
    pub finding: BTreeMap<String, Vec<String>>,
    /// Of a sample that is worse than those that were taught, by sense.
    pub quality: BTreeMap<String, Vec<String>>,
    /// What is to be done, by verdict.
    pub action: BTreeMap<String, Vec<String>>,
    /// Places of a finding by their English names.
    pub place: BTreeMap<String, String>,
    /// Kinds of defects, with their names; the first is used where nothing is generated.
    pub kind: BTreeMap<String, Vec<String>>,
    /// Questions, and what may be answered.
    pub ask: Vec<Ask>,
}

/// One sort of question.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What it is about.
    pub about: String,
    /// How it may be asked. The decoder was taught by these; others are understood as far as it generalises.
    pub ask: Vec<String>,
    /// Answers where a finding is meant: `{finding}`, `{findings}`, `{count}`, `{verdict}`, `{action}`.
    pub yes: Vec<String>,
    /// Answers where none is.
    pub no: Vec<String>,
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
            let tables = [("verdict", &language.verdict), ("finding", &language.finding), ("action", &language.action)];
            let wanted: [&[&str]; 3] = [&VERDICTS, &["image"], &VERDICTS];
            for ((table, sentences), keys) in tables.into_iter().zip(wanted) {
                for key in keys {
                    if sentences.get(*key).is_none_or(Vec::is_empty) {
                        return Err(wrong(format!("`{code}.{table}.{key}` must hold at least one sentence")));
                    }
                }
            }
            if let Some((kind, _)) = language.kind.iter().find(|(_, names)| names.is_empty()) {
                return Err(wrong(format!("`{code}.kind.{kind}` must hold at least one name")));
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

/// Verdicts that have words; what cannot be judged is told by its reason.
const VERDICTS: [&str; 3] = ["pass", "fail", "unsure"];
