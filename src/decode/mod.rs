//! Fused evidence → words: vocabulary, grammar and the decoder that writes within it. What is measured and what is judged is
//! given; nothing here can change it.

pub mod generate;
pub mod grammar;
mod guide;
pub mod tokenizer;
pub mod words;

pub use generate::{Decoder, Manner, Sampling};
pub use grammar::Told;
pub use tokenizer::Tokenizer;
pub use words::Words;
