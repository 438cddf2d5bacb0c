//! Text ↔ tokens of a model package's vocabulary: byte strings, and a text becomes the longest that fits, again and again.
//! Every byte is a token, so any text can be read.

use serde::Deserialize;

use super::guide::{Guide, Vocabulary};
use crate::error::{Error, ErrorKind, Result};

/// A vocabulary.
pub struct Tokenizer {
    vocabulary: Vocabulary,
    special: Vec<String>,
    end: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    special: Vec<String>,
    tokens: Vec<String>,
}

/// Tokens of a vocabulary, at most.
const MOST: usize = 1 << 16;

impl Tokenizer {
    /// Reads `tokenizer.json`: `special`, the names of the first tokens, and `tokens`, each in hexadecimal, those of the
    /// special ones empty. `name` stands in messages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is no vocabulary, or some byte is no token; [`ErrorKind::Unavailable`] in a build
    /// without the feature `words`.
    pub fn parse(json: &[u8], name: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{name}: {what}"));
        let Written { special, tokens } = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
        if tokens.len() > MOST || tokens.len() < special.len() {
            return Err(wrong(format!("holds {} tokens, up to {MOST} are taken", tokens.len())));
        }
        let mut words = Vec::with_capacity(tokens.len());
        for (i, token) in tokens.iter().enumerate() {
            words.push(match special.get(i) {
                Some(name) => name.as_bytes().to_vec(),
                None => bytes(token).ok_or_else(|| wrong(format!("`tokens[{i}]` is no hexadecimal, got `{token}`")))?,
            });
        }
        if let Some(byte) = (0..=u8::MAX).find(|byte| !words[special.len()..].contains(&vec![*byte])) {
            return Err(wrong(format!("the byte {byte} is no token")));
        }
        let of = |name: &str| special.iter().position(|special| special == name);
        let end = of("<end>").ok_or_else(|| wrong("has no token `<end>`".into()))? as u32;
        let vocabulary = Vocabulary::new(&words, special.len(), end, name)?;
        Ok(Self { vocabulary, special, end })
    }

    /// Tokens of the vocabulary.
    pub fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// Whether it has none; one that was read never is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.vocabulary.encode(text)
    }

    /// The bytes of a token; none of a special one.
    pub fn bytes(&self, token: u32) -> &[u8] {
        if (token as usize) < self.special.len() { &[] } else { self.vocabulary.token(token) }
    }

    /// The special token of this name, such as `<en>`.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.special.iter().position(|special| special == name).map(|at| at as u32)
    }

    /// The token that ends a text.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// What keeps a text within a grammar.
    pub(super) fn guide(&self, grammar: String) -> Guide {
        self.vocabulary.guide(grammar)
    }
}

/// Hexadecimal digits, two a byte.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    bytes.filter(|bytes| !bytes.is_empty() && text.len().is_multiple_of(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(special: &[&str], tokens: &[&str]) -> Vec<u8> {
        let bytes = (0..=u8::MAX).map(|byte| format!("{byte:02x}"));
        let tokens: Vec<String> =
            special.iter().map(|_| String::new()).chain(bytes).chain(tokens.iter().map(ToString::to_string)).collect();
        serde_json::to_vec(&serde_json::json!({ "special": special, "tokens": tokens })).unwrap()
    }

    #[test]
    fn the_longest_token_is_taken_and_any_text_can_be_read() {
        // "ab", "abc" and "c".
        let tokenizer = Tokenizer::parse(&written(&["<pad>", "<end>", "<en>"], &["6162", "616263"]), "t").unwrap();
        assert_eq!((tokenizer.len(), tokenizer.end(), tokenizer.special("<en>")), (261, 1, Some(2)));
        assert_eq!(tokenizer.encode("abcab"), [260, 259]);
        for text in ["", "划痕 µ\u{0} <end> \u{10ffff}", "zzz"] {
            let bytes: Vec<u8> =
                tokenizer.encode(text).iter().flat_map(|&token| tokenizer.bytes(token).to_vec()).collect();
            assert_eq!(String::from_utf8(bytes).unwrap(), text);
        }
        assert!(tokenizer.bytes(1).is_empty());
    }

    #[test]
    fn what_is_no_vocabulary_is_refused_with_what_is_wrong() {
        let refused = |json: &[u8]| Tokenizer::parse(json, "t.json").err().unwrap().message().to_string();
        assert_eq!(refused(&written(&["<pad>"], &[])), "t.json: has no token `<end>`");
        assert_eq!(refused(&written(&["<end>"], &["6x"])), "t.json: `tokens[257]` is no hexadecimal, got `6x`");
        assert_eq!(refused(&written(&["<end>"], &["616"])), "t.json: `tokens[257]` is no hexadecimal, got `616`");
        assert_eq!(refused(br#"{"special":["<end>"],"tokens":["","61"]}"#), "t.json: the byte 0 is no token");
        assert!(refused(b"[]").starts_with("t.json: "));
    }
}
