//! Which tokens of a vocabulary a grammar allows next. A build without the feature `words` has no vocabulary, so that what
//! writes is refused when it is opened, and no caller has to ask.

#[cfg(not(feature = "words"))]
mod disabled;
#[cfg(feature = "words")]
mod enabled;

#[cfg(not(feature = "words"))]
pub(super) use disabled::{Guide, Vocabulary};
#[cfg(feature = "words")]
pub(super) use enabled::{Guide, Vocabulary};
