//! By llguidance.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie, TokenizerEnv};
use llguidance::{Matcher, ParserFactory};

use crate::error::{Error, ErrorKind, Result};

/// Byte strings by number.
pub struct Vocabulary {
    environment: TokEnv,
    factory: ParserFactory,
}

/// How a text becomes tokens, as llguidance asks. There is no other way, so that what a grammar leaves no choice about has its
/// tokens at once.
struct Longest(TokTrie);

impl TokenizerEnv for Longest {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<u32> {
        self.0.greedy_tokenize(text)
    }

    fn tokenize_is_canonical(&self) -> bool {
        true
    }
}

impl Vocabulary {
    /// Of these tokens, the first `special` of which are no text but names; `end` is that which ends a text. `name` stands in
    /// messages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when no grammar can be had over it.
    pub fn new(tokens: &[Vec<u8>], special: usize, end: u32, name: &str) -> Result<Self> {
        let marked: Vec<Vec<u8>> =
            tokens.iter().enumerate().map(|(i, token)| if i < special { mark(token) } else { token.clone() }).collect();
        let info = TokRxInfo::new(marked.len() as u32, end);
        let environment: TokEnv = Arc::new(Longest(TokTrie::from(&info, &marked)));
        let abilities = InferenceCapabilities { ff_tokens: true, ..InferenceCapabilities::default() };
        let mut factory = ParserFactory::new(&environment, abilities, &[])
            .map_err(|error| Error::new(ErrorKind::Config, format!("{name}: {error}")))?;
        factory.quiet();
        Ok(Self { environment, factory })
    }

    /// How many tokens.
    pub fn len(&self) -> usize {
        self.environment.tok_trie().vocab_size()
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.environment.tok_trie().greedy_tokenize(text.as_bytes())
    }

    /// The bytes of a token that is text.
    pub fn token(&self, token: u32) -> &[u8] {
        self.environment.tok_trie().token(token)
    }

    /// What keeps a text within a grammar (Lark). One that is wrong is refused by the first question.
    pub fn guide(&self, grammar: String) -> Guide {
        Guide(Matcher::new(self.factory.create_parser(TopLevelGrammar::from_lark(grammar))))
    }
}

fn mark(name: &[u8]) -> Vec<u8> {
    [&[TokTrie::SPECIAL_TOKEN_MARKER], name].concat()
}

/// A text within a grammar, as far as it was written.
pub struct Guide(Matcher);

impl Guide {
    /// Goes on with what the grammar leaves no choice about: its tokens.
    pub fn forced(&mut self) -> Vec<u32> {
        self.0.consume_ff_tokens()
    }

    /// What may come next.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the grammar is wrong.
    pub fn allowed(&mut self) -> Result<Allowed> {
        self.0.compute_mask_or_eos().map(Allowed).map_err(refused)
    }

    /// Goes on with a token.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is not allowed.
    pub fn take(&mut self, token: u32) -> Result<()> {
        self.0.consume_token(token).map_err(refused)
    }

    /// The rules of the grammar that are captured, and what was written by them, in the order of writing.
    pub fn captures(&self) -> &[(String, Vec<u8>)] {
        self.0.captures()
    }

    /// One that goes on by itself.
    pub fn copy(&self) -> Self {
        Self(self.0.deep_clone())
    }
}

/// Tokens that may come next.
pub struct Allowed(SimpleVob);

impl Allowed {
    /// Whether this one may.
    pub fn has(&self, token: u32) -> bool {
        self.0.is_allowed(token)
    }

    /// Whether this one may, and no other.
    pub fn only(&self, token: u32) -> bool {
        self.0.num_set() == 1 && self.has(token)
    }

    /// All of them.
    #[cfg(test)]
    pub fn list(&self) -> Vec<u32> {
        self.0.to_list()
    }
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("the grammar of the report is refused: {error}"))
}
