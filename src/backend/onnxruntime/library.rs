//! Where the ONNX Runtime library is: the places that are tried, in order, and what its file tells unloaded.
//! Loading it is left to the parent.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::installed::{self, Place};

/// How a library was found, and so what mends it where it cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// `ORT_DYLIB_PATH` names it.
    Named,
    /// In one of the folders that are searched.
    In(Place),
}

impl Found {
    /// As it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "by ORT_DYLIB_PATH",
            Self::In(place) => place.as_str(),
        }
    }

    /// What puts a usable library there, or before it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Named => {
                "set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.24 or later, or unset it and run `sh .ci/setup`"
            }
            Self::In(Place::Beside) => {
                "replace it by one of version 1.24 or later, or remove it and set ORT_DYLIB_PATH to one"
            }
            Self::In(_) => "run `sh .ci/setup`, or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.24 or later",
        }
    }
}

#[cfg(target_os = "macos")]
const NAMES: &[&str] = &["libonnxruntime.dylib"];
#[cfg(target_os = "windows")]
const NAMES: &[&str] = &["onnxruntime.dll"];
#[cfg(not(any(target_os = "macos", target_os = "windows")))]
const NAMES: &[&str] = &["libonnxruntime.so", "libonnxruntime.so.1"];

/// The variable that switches ONNX Runtime's telemetry client off.
pub const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// The library to load, and how it was found: `ORT_DYLIB_PATH`, else in the folders of [`installed::libraries`].
///
/// # Errors
/// [`ErrorKind::Unavailable`] naming the folders that were tried and the command that mends it.
pub fn find() -> Result<(PathBuf, Found)> {
    // Absolute in every case: a relative path would be looked up beside the executable and in the loader's folders.
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok((std::path::absolute(&named).unwrap_or(named), Found::Named));
        }
        let remedy = Found::Named.remedy();
        let what = format!("ORT_DYLIB_PATH is {}, which is not a file; {remedy}", named.display());
        return Err(Error::new(ErrorKind::Unavailable, what));
    }
    let folders = installed::libraries();
    let files = folders.iter().flat_map(|(dir, place)| NAMES.iter().map(move |name| (dir.join(name), *place)));
    let found = files.filter_map(|(path, place)| Some((path.canonicalize().ok()?, place)));
    let found = found.map(|(path, place)| (path, Found::In(place))).find(|(path, _)| path.is_file());
    found.ok_or_else(|| {
        let places: Vec<String> = folders.iter().map(|(dir, _)| dir.display().to_string()).collect();
        let what = format!("no ONNX Runtime library in {}; {}", places.join(", "), Found::In(Place::System).remedy());
        Error::new(ErrorKind::Unavailable, what)
    })
}

/// Whether the file is as long as its ELF header says; other formats are taken as they are.
///
/// The loader maps a library without asking for its length: one that was cut short, as by a broken download, does
/// not fail to load but kills the process.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be read.
pub fn is_whole(path: &Path) -> Result<bool> {
    let failed = |error| Error::io("read", path, error);
    let mut file = fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut header = Vec::with_capacity(64);
    file.by_ref().take(64).read_to_end(&mut header).map_err(failed)?;
    // 64-bit little-endian ELF; the table of sections is what the linker writes last.
    if header.len() < 64 || !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(true);
    }
    let number = |at: usize, bytes: usize| {
        header[at..at + bytes].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (table, entry, entries) = (number(40, 8), number(58, 2), number(60, 2));
    Ok(table.saturating_add(entry * entries) <= length)
}

/// Whether the library holds a telemetry client, told by the variable that switches it off.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be read.
pub fn has_telemetry(path: &Path) -> Result<bool> {
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, error))?;
    Ok(bytes.windows(NO_TELEMETRY.len()).any(|word| word == NO_TELEMETRY.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_was_cut_short_is_not_whole() {
        let own = std::env::current_exe().unwrap();
        assert!(is_whole(&own).unwrap());
        let mut start = Vec::new();
        fs::File::open(own).unwrap().take(4096).read_to_end(&mut start).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let cut = dir.path().join("libonnxruntime.so");
        fs::write(&cut, &start).unwrap();
        assert_eq!(is_whole(&cut).unwrap(), !start.starts_with(b"\x7fELF\x02\x01"));
        fs::write(&cut, b"no library").unwrap();
        assert!(is_whole(&cut).unwrap());
    }
}
