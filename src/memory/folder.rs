//! A part's folder, and how it changes in one step.
//!
//! What a card names is named by its own digest, and `part.toml` is replaced by a rename, so a part is either the old one
//! or the new one, whatever happens while it is written. The card before the last change is kept as `previous.toml` for
//! one step back. What cards say is left to `part` and `pair`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result};

/// The card of the part.
pub const CURRENT: &str = "part.toml";
const PREVIOUS: &str = "previous.toml";
/// How the names of what is half written begin.
pub const WRITING: &str = ".writing-";

/// The current card's path and text.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when there is none.
pub fn read(dir: &Path) -> Result<(PathBuf, String)> {
    let path = dir.join(CURRENT);
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let what = format!("no part in {} (no {CURRENT}): teach it first", dir.display());
            Error::new(ErrorKind::Unavailable, what)
        }
        _ => Error::io("read", &path, error),
    })?;
    Ok((path, text))
}

/// Whether a name can stand for a file or a folder beside the card, and for nothing else.
pub fn is_plain(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    plain && !name.is_empty() && !name.starts_with('.')
}

/// Makes `text` the current card of `dir`, and the card before the previous one; `numbers`, a name and its bytes, are
/// written first. What no card names any more is removed.
///
/// All are written beside and flushed before the first is renamed: a full disk shows while nothing has changed.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be written; the folder is then as before.
pub fn replace(dir: &Path, numbers: Option<(&str, &[u8])>, text: &str) -> Result<()> {
    let numbers = numbers.map(|(name, bytes)| (dir.join(name), bytes));
    let new = numbers.as_ref().map(|(path, _)| path).filter(|path| !path.exists());
    exchange(dir, numbers.as_ref().map(|(path, bytes)| (path.as_path(), *bytes)), text).inspect_err(|_| {
        if let Some(new) = new {
            let _only_takes_space = fs::remove_file(new);
        }
    })?;
    sweep(dir);
    Ok(())
}

fn exchange(dir: &Path, numbers: Option<(&Path, &[u8])>, text: &str) -> Result<()> {
    let (current, previous) = (dir.join(CURRENT), dir.join(PREVIOUS));
    let before = match fs::read(&current) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io("read", &current, error)),
    };
    let cards = [before.as_deref().map(|before| (&*previous, before)), Some((&*current, text.as_bytes()))];
    let files = numbers.into_iter().chain(cards.into_iter().flatten());
    let written = files.map(|(path, bytes)| Ok((path, write(dir, path, bytes)?))).collect::<Result<Vec<_>>>()?;
    for (path, file) in written {
        file.persist(path).map_err(|error| Error::io("write", path, error.error))?;
    }
    // So that the renames outlive a power cut; where a folder cannot be flushed they do so a little later.
    let _flushed = fs::File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

/// Goes one step back: the previous card becomes the current one.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when there is no previous one.
pub fn undo(dir: &Path) -> Result<()> {
    let (current, previous) = (dir.join(CURRENT), dir.join(PREVIOUS));
    if !previous.is_file() {
        let what = format!("nothing to undo in {} (no {PREVIOUS})", dir.display());
        return Err(Error::new(ErrorKind::Unavailable, what));
    }
    fs::rename(&previous, &current).map_err(|error| Error::io("replace", &current, error))?;
    sweep(dir);
    Ok(())
}

/// A file in `dir`, flushed to the disk, that is to become `path`; removed when it is dropped before.
fn write(dir: &Path, path: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
    let failed = |error| Error::io("write", path, error);
    let mut file = tempfile::Builder::new().prefix(WRITING).tempfile_in(dir).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    Ok(file)
}

/// What a card names: a file of numbers, or a folder for each sense. `None` of what is no card.
fn named(text: &str) -> Option<Vec<String>> {
    let card: toml::Table = text.parse().ok()?;
    let of = |table: &str, field: &str| Some(card.get(table)?.get(field)?.as_str()?.to_owned());
    let names = [of("memory", "file"), of("sight", "folder"), of("hearing", "folder")];
    let names: Vec<String> = names.into_iter().flatten().collect();
    (!names.is_empty()).then_some(names)
}

/// Removes what neither the current nor the previous card names, and what a power cut left half written. What cannot be
/// removed only takes space, so that is no error. Where a card cannot be read nothing is removed: its numbers may be
/// there.
fn sweep(dir: &Path) {
    let mut used = BTreeSet::new();
    for card in [CURRENT, PREVIOUS] {
        match fs::read_to_string(dir.join(card)) {
            Ok(text) => match named(&text) {
                Some(names) => used.extend(names),
                None => return,
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(_) => return,
        };
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let numbers = name.starts_with("memory-") && name.ends_with(".safetensors");
        let sense = (name.starts_with("sight-") || name.starts_with("hearing-")) && path.join(CURRENT).is_file();
        if (numbers || sense) && !used.contains(&name) || name.starts_with(WRITING) {
            let _only_takes_space = match path.is_dir() {
                true => fs::remove_dir_all(path),
                false => fs::remove_file(path),
            };
        }
    }
}
