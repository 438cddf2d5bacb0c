//! None: what `enabled.rs` tells of each holds here of nothing.

use std::convert::Infallible;

use crate::error::{Error, ErrorKind, Result};

pub struct Vocabulary(Infallible);

impl Vocabulary {
    /// # Errors
    /// [`ErrorKind::Unavailable`], always.
    pub fn new(_tokens: &[Vec<u8>], _special: usize, _end: u32, _name: &str) -> Result<Self> {
        Err(Error::new(ErrorKind::Unavailable, "this build writes no words: it was built without the feature `words`"))
    }

    pub fn len(&self) -> usize {
        match self.0 {}
    }

    pub fn encode(&self, _text: &str) -> Vec<u32> {
        match self.0 {}
    }

    pub fn token(&self, _token: u32) -> &[u8] {
        match self.0 {}
    }

    pub fn guide(&self, _grammar: String) -> Guide {
        match self.0 {}
    }
}

pub struct Guide(Infallible);

impl Guide {
    pub fn forced(&mut self) -> Vec<u32> {
        match self.0 {}
    }

    pub fn allowed(&mut self) -> Result<Allowed> {
        match self.0 {}
    }

    pub fn take(&mut self, _token: u32) -> Result<()> {
        match self.0 {}
    }

    pub fn captures(&self) -> &[(String, Vec<u8>)] {
        match self.0 {}
    }

    pub fn copy(&self) -> Self {
        match self.0 {}
    }
}

pub struct Allowed(Infallible);

impl Allowed {
    pub fn has(&self, _token: u32) -> bool {
        match self.0 {}
    }

    pub fn only(&self, _token: u32) -> bool {
        match self.0 {}
    }

    #[cfg(test)]
    pub fn list(&self) -> Vec<u32> {
        match self.0 {}
    }
}
