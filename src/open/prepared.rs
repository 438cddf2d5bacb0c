//! Results of `eyear prepare` for a package on a board: stored once, and used whenever the package is opened there. The
//! command measures them.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::backend::BACKENDS;
use crate::board::{Board, Provider};
use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::trial::Trial;
use crate::installed;
use crate::memory::folder::half_written;
use crate::package::manifest::{Manifest, Precision};

/// Version of the file format.
const FORMAT: u32 = 2;

/// A way to run a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// The runtime.
    pub backend: String,
    /// The execution provider, with its options.
    pub provider: Provider,
    /// Precision of the model.
    pub precision: Precision,
    /// Threads of the runtime.
    pub threads: usize,
}

/// A way to run a model, with its result.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tried {
    /// The way.
    #[serde(flatten)]
    pub way: Way,
    /// The measurements, if it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Milliseconds from the start of a process to its first output and its end, median of three, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start_ms: Option<f64>,
    /// Why it was rejected: it failed, computes different results, or another is faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// All results of a package on a board.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prepared {
    format: u32,
    /// Name of the board.
    pub board: String,
    /// Name of the package.
    pub model: String,
    /// Its digest.
    pub model_digest: String,
    /// The runtime's library, as [`library`] returns it.
    pub library: String,
    /// All ways. The first of a precision that was not rejected is used.
    pub tried: Vec<Tried>,
}

impl Prepared {
    /// The results of a package on a board, on this machine.
    ///
    /// # Errors
    /// As [`library`].
    pub fn new(board: &Board, manifest: &Manifest, tried: Vec<Tried>) -> Result<Self> {
        let (board, model, model_digest) = (board.name.clone(), manifest.name.clone(), manifest.digest().into());
        Ok(Self { format: FORMAT, board, model, model_digest, library: library()?, tried })
    }

    /// Stores the results in place of earlier ones, and returns the path.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is no cache folder; [`ErrorKind::Io`] when it cannot be written.
    pub fn keep(&self) -> Result<PathBuf> {
        let path = place(&self.board, &self.model).ok_or_else(|| {
            let what = "no folder to keep what is prepared: set EYEAR_CACHE or HOME to an absolute path";
            Error::new(ErrorKind::Unavailable, what)
        })?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::caused(ErrorKind::Config, "cannot write what was prepared", error))?;
        let dir = path.with_file_name("");
        fs::create_dir_all(&dir).map_err(|error| Error::io("make", &dir, error))?;
        let failed = |error| Error::io("write", &path, error);
        let mut new = half_written().tempfile_in(&dir).map_err(failed)?;
        new.write_all(text.as_bytes()).and_then(|()| new.as_file().sync_all()).map_err(failed)?;
        new.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }
}

/// The provider and the threads that were chosen for a package in this precision on a board. `None` if `eyear prepare`
/// was not run, was run for another package or library, or its file cannot be read.
///
/// # Errors
/// As [`library`].
pub fn chosen(board: &Board, manifest: &Manifest, precision: Precision) -> Result<Option<(Provider, usize)>> {
    let text = place(&board.name, &manifest.name).and_then(|path| fs::read_to_string(path).ok());
    // A file of another version, or a truncated one, counts as missing and is written again.
    let prepared = text.and_then(|text| serde_json::from_str::<Prepared>(&text).ok());
    let Some(prepared) = prepared else { return Ok(None) };
    let fits = prepared.format == FORMAT
        && prepared.model_digest == manifest.digest()
        && prepared.library == library()?
        && prepared.board == board.name;
    let best = prepared.tried.into_iter().find(|tried| tried.lost.is_none() && tried.way.precision == precision);
    Ok(best.filter(|_| fits).map(|tried| (tried.way.provider, tried.way.threads)))
}

/// The runtime in use, and its version.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when there is none.
pub fn library() -> Result<String> {
    let info = BACKENDS[0].check()?;
    Ok(format!("{} {} {}", BACKENDS[0].name(), info.version, info.library.display()))
}

/// Path of the file for a package on a board; `None` without a cache folder.
fn place(board: &str, model: &str) -> Option<PathBuf> {
    Some(installed::cache()?.join("prepared").join(format!("{board}-{model}.json")))
}
