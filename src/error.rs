//! One error type for the library. The kind says what the caller can do; the message says what happened. The binary
//! turns errors into exit codes and log lines.

use std::fmt;

/// `Result` with eyear's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// This sample or file cannot be used: provide another one. The rest of a batch may go on.
    Input,
    /// A setting (argument, manifest, part, board) is wrong: correct the named field.
    Config,
    /// A file does not match its digest: fetch or create it again, do not use it.
    Integrity,
    /// Not on this machine (library, provider, device): install it or choose another.
    Unavailable,
    /// Reading or writing failed (missing, no permission, disk full): fix the cause and try again.
    Io,
    /// The model runtime refused or failed: the model and the library do not fit together.
    Runtime,
}

impl ErrorKind {
    /// The kind as one lower-case word, as in JSON output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Config => "config",
            Self::Integrity => "integrity",
            Self::Unavailable => "unavailable",
            Self::Io => "io",
            Self::Runtime => "runtime",
        }
    }
}

/// An error: its kind, one clear sentence, and the error beneath it, if any.
///
/// The sentence names the file or the field, what was expected and what was found.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a source.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error caused by another one, which is kept as the source.
    ///
    /// The source's own text is not repeated in `message`; printers walk [`std::error::Error::source`].
    pub fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// A failed file operation: `deed` is a verb ("read", "write").
    pub fn io(deed: &str, path: &std::path::Path, source: std::io::Error) -> Self {
        Self::caused(ErrorKind::Io, format!("cannot {deed} {}", path.display()), source)
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence, without its sources.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The sentence and its sources, joined by colons, on one line.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text.replace('\n', " ")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_each_cause_once_on_one_line() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such\nfile");
        let error = Error::io("read", std::path::Path::new("a/b.png"), cause);
        assert_eq!(error.to_string(), "cannot read a/b.png");
        assert_eq!(error.chain(), "cannot read a/b.png: no such file");
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}
