//! A part's folder, and how it changes in one step.
//!
//! Each file that a card names carries its own digest as its name, and `part.toml` is replaced by a rename. A part is
//! therefore either the old one or the new one, even if writing is interrupted. The last card is kept as
//! `previous.toml` for one step back. Whoever changes a part holds its [`Lock`], so that two writers cannot undo each
//! other's changes. The contents of cards belong to `part` and `pair`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::hex;

/// The card of the part.
pub const CURRENT: &str = "part.toml";
const PREVIOUS: &str = "previous.toml";
/// Prefix of the names of half-written files.
const WRITING: &str = ".writing-";

/// The exclusive right to change the part in a folder, across processes. It is released on drop, and by the system when
/// the process ends.
#[derive(Debug)]
pub struct Lock {
    dir: PathBuf,
    /// Open and locked: the folder itself, so that no file is left in it. Where a folder cannot be locked, a file in
    /// it.
    _held: fs::File,
    /// Whether the folder was created for the lock.
    made: bool,
}

/// The file that is locked where a folder cannot be.
const LOCK: &str = ".lock";

impl Lock {
    /// Locks the part in `dir`. The folder is created if missing, and removed again if it stays empty. If another
    /// process holds the lock, this calls `waits` once and then blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the folder cannot be made or opened.
    pub fn take(dir: &Path, waits: &dyn Fn()) -> Result<Self> {
        loop {
            let made = !dir.is_dir();
            fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, error))?;
            // `None` if another process removed the folder in between.
            if let Some(mut lock) = Self::hold(dir, waits)? {
                lock.made = made;
                return Ok(lock);
            }
        }
    }

    /// Locks a part that must exist.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is none; [`ErrorKind::Io`] when the folder cannot be opened.
    pub fn of(dir: &Path, waits: &dyn Fn()) -> Result<Self> {
        Self::hold(dir, waits)?.ok_or_else(|| none_in(dir))
    }

    /// `None` if the folder does not exist.
    fn hold(dir: &Path, waits: &dyn Fn()) -> Result<Option<Self>> {
        let mut told = false;
        let mut waits = || {
            if !std::mem::replace(&mut told, true) {
                waits();
            }
        };
        let missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        loop {
            let held = match locked(fs::File::open(dir), &mut waits) {
                Ok(held) => held,
                Err(error) if missing(&error) => return Ok(None),
                // Windows cannot lock folders, nor can every network file system.
                Err(_) => {
                    let path = dir.join(LOCK);
                    let open = fs::File::options().create(true).append(true).open(&path);
                    match locked(open, &mut waits) {
                        Ok(held) => held,
                        Err(error) if missing(&error) => return Ok(None),
                        Err(error) => return Err(Error::io("lock", &path, error)),
                    }
                }
            };
            // The previous holder may have removed the folder, and a third process may have created a new one.
            if is_still(dir, &held) {
                return Ok(Some(Self { dir: dir.to_path_buf(), _held: held, made: false }));
            }
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.made {
            // Only an empty folder is removed; for any other, this call fails without effect.
            let _is_of_use = fs::remove_dir(&self.dir);
        }
    }
}

/// The locked file; `waits` is called if another process holds it.
fn locked(file: std::io::Result<fs::File>, waits: &mut dyn FnMut()) -> std::io::Result<fs::File> {
    let file = file?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            waits();
            file.lock()?;
        }
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// Whether the locked file is still the folder of that name, or the file in it.
fn is_still(dir: &Path, held: &fs::File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(held) = held.metadata() else { return false };
        let path = if held.is_dir() { dir.to_path_buf() } else { dir.join(LOCK) };
        path.metadata().is_ok_and(|now| (now.dev(), now.ino()) == (held.dev(), held.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = held;
        dir.is_dir()
    }
}

/// sha256 of the current card, which names everything that was taught; `None` if there is no card.
pub fn digest(dir: &Path) -> Option<String> {
    Some(hex(&Sha256::digest(fs::read(dir.join(CURRENT)).ok()?)))
}

/// The part in a folder compared with the one that was loaded from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Unchanged.
    #[default]
    Same,
    /// It was taught again, or a teaching was undone.
    Anew,
    /// It no longer exists.
    Gone,
}

impl Standing {
    /// Compares the part in `dir` with one whose card had this digest.
    pub fn of(dir: &Path, digest: &str) -> Self {
        match self::digest(dir) {
            None => Self::Gone,
            Some(now) if now == digest => Self::Same,
            Some(_) => Self::Anew,
        }
    }

    /// The word in a station's status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Anew => "taught-anew",
            Self::Gone => "gone",
        }
    }
}

/// Runs `load` on the folder. If the folder changed meanwhile, it is read again, because the files then belong to two
/// parts.
///
/// # Errors
/// Those of `load`, for a folder that did not change.
pub fn settled<T>(dir: &Path, load: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 0..RETRIES {
        let before = digest(dir);
        match load() {
            Err(_) if digest(dir) != before => {}
            outcome => return outcome,
        }
    }
    load()
}

/// Most attempts to read a part that keeps changing.
const RETRIES: usize = 5;

/// The current card's path and text.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when there is none.
pub fn read(dir: &Path) -> Result<(PathBuf, String)> {
    let path = dir.join(CURRENT);
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => none_in(dir),
        _ => Error::io("read", &path, error),
    })?;
    Ok((path, text))
}

fn none_in(dir: &Path) -> Error {
    Error::new(ErrorKind::Unavailable, format!("no part in {} (no {CURRENT}): teach it first", dir.display()))
}

/// Whether a name can only mean a file or a folder beside the card.
pub fn is_plain(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    plain && !name.is_empty() && !name.starts_with('.')
}

/// Makes `text` the current card of the locked folder, and the current card the previous one. `numbers`, a name and its
/// bytes, are written first. Files that no card names any more are removed.
///
/// All files are written under temporary names and flushed before the first rename, so that a full disk shows before
/// anything has changed.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be written; the folder is then as before.
pub fn replace(lock: &Lock, numbers: Option<(&str, &[u8])>, text: &str) -> Result<()> {
    let dir = lock.dir();
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
    // Makes the renames survive a power cut. Where a folder cannot be flushed, they become durable a little later.
    let _flushed = fs::File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

/// Goes one step back: the previous card becomes the current one. `waits` as in [`Lock::take`].
///
/// # Errors
/// [`ErrorKind::Unavailable`] when there is no previous one.
pub fn undo(dir: &Path, waits: &dyn Fn()) -> Result<()> {
    let (current, previous) = (dir.join(CURRENT), dir.join(PREVIOUS));
    let lock = if dir.is_dir() { Some(Lock::of(dir, waits)?) } else { None };
    if lock.is_none() || !previous.is_file() {
        let what = format!("nothing to undo in {} (no {PREVIOUS})", dir.display());
        return Err(Error::new(ErrorKind::Unavailable, what));
    }
    fs::rename(&previous, &current).map_err(|error| Error::io("replace", &current, error))?;
    sweep(dir);
    Ok(())
}

/// Creates half-written files under a recognisable name. Their permissions follow the umask, because the user who
/// judges need not be the one who teaches.
pub fn half_written() -> tempfile::Builder<'static, 'static> {
    let mut builder = half_written_folder();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// The same for folders.
pub fn half_written_folder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(WRITING);
    builder
}

/// A file in `dir`, flushed to disk, that is to become `path`; removed if dropped before.
fn write(dir: &Path, path: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
    let failed = |error| Error::io("write", path, error);
    let mut file = half_written().tempfile_in(dir).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    Ok(file)
}

/// What a card names: a file of numbers, or a folder per sense. `None` if it is not a card.
fn named(text: &str) -> Option<Vec<String>> {
    let card: toml::Table = text.parse().ok()?;
    let of = |table: &str, field: &str| Some(card.get(table)?.get(field)?.as_str()?.to_owned());
    let names = [of("memory", "file"), of("sight", "folder"), of("hearing", "folder")];
    let names: Vec<String> = names.into_iter().flatten().collect();
    (!names.is_empty()).then_some(names)
}

/// The current files of the part in folder `dir`, relative to it and sorted by name: each card and the files it names.
///
/// # Errors
/// As [`read`]; [`ErrorKind::Config`] when a card names nothing.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![PathBuf::from(CURRENT)];
    let (path, text) = read(dir)?;
    let names = named(&text).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("{} names no file of numbers and no sense", path.display()))
    })?;
    for name in names {
        let below = dir.join(&name);
        match below.is_dir() {
            true => files.extend(self::files(&below)?.into_iter().map(|file| Path::new(&name).join(file))),
            false => files.push(name.into()),
        }
    }
    files.sort();
    Ok(files)
}

/// Removes files that neither the current nor the previous card names, and files that a power cut left half-written.
/// Failing to remove one is no error, as it only takes space. If a card cannot be read, nothing is removed: its numbers
/// may be there.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    const NOBODY: &dyn Fn() = &|| panic!("nobody else has it");

    #[test]
    fn a_second_waits_until_the_first_is_done_and_hears_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path(), NOBODY).unwrap();
        let (into, heard) = mpsc::channel();
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .spawn_scoped(scope, || {
                    let _second = Lock::take(dir.path(), &|| into.send("waits").unwrap()).unwrap();
                    into.send("has it").unwrap();
                })
                .unwrap();
            assert_eq!(heard.recv(), Ok("waits"));
            assert_eq!(heard.recv_timeout(Duration::from_millis(50)), Err(mpsc::RecvTimeoutError::Timeout));
            drop(first);
            assert_eq!(heard.recv(), Ok("has it"));
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left of it");
    }

    #[test]
    fn a_folder_that_was_made_in_vain_goes_and_a_waiting_one_makes_another() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("part");
        assert_eq!(Lock::of(&dir, NOBODY).unwrap_err().kind(), ErrorKind::Unavailable);
        let first = Lock::take(&dir, NOBODY).unwrap();
        let (into, heard) = mpsc::channel();
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .spawn_scoped(scope, || {
                    let second = Lock::take(&dir, &|| into.send(()).unwrap()).unwrap();
                    replace(&second, None, "card").unwrap();
                })
                .unwrap();
            heard.recv().unwrap();
            drop(first);
        });
        assert_eq!(fs::read_to_string(dir.join(CURRENT)).unwrap(), "card");
        drop(Lock::take(&dir, NOBODY).unwrap());
        assert!(dir.is_dir(), "what holds a part stays");
    }

    #[cfg(unix)]
    #[test]
    fn who_may_read_other_files_may_read_a_part() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode();
        fs::write(root.path().join("any"), "").unwrap();
        replace(&Lock::take(root.path(), NOBODY).unwrap(), Some(("numbers", b"1")), "card").unwrap();
        assert_eq!([mode(CURRENT), mode("numbers")], [mode("any"); 2]);
    }

    #[test]
    fn a_part_stands_to_what_was_loaded_as_its_card_says() {
        let root = tempfile::tempdir().unwrap();
        let lock = Lock::take(root.path(), NOBODY).unwrap();
        replace(&lock, None, "one").unwrap();
        let one = digest(root.path()).unwrap();
        assert_eq!(Standing::of(root.path(), &one), Standing::Same);
        replace(&lock, None, "two").unwrap();
        assert_eq!(Standing::of(root.path(), &one), Standing::Anew);
        drop(lock);
        undo(root.path(), NOBODY).unwrap();
        assert_eq!(Standing::of(root.path(), &one), Standing::Same);
        fs::remove_file(root.path().join(CURRENT)).unwrap();
        assert_eq!(Standing::of(root.path(), &one), Standing::Gone);
    }

    #[test]
    fn a_part_that_changes_while_it_is_read_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        let write = |card: &str| fs::write(root.path().join(CURRENT), card).unwrap();
        write("old");
        let calls = std::cell::Cell::new(0);
        let load = || {
            calls.set(calls.get() + 1);
            match calls.get() {
                1 => {
                    write("new");
                    Err(Error::new(ErrorKind::Io, "its numbers are gone"))
                }
                _ => Ok(fs::read_to_string(root.path().join(CURRENT)).unwrap()),
            }
        };
        assert_eq!(settled(root.path(), load).unwrap(), "new");
        // What stays as it is and cannot be read is no better the second time.
        calls.set(0);
        let broken = || -> Result<()> {
            calls.set(calls.get() + 1);
            Err(Error::new(ErrorKind::Config, "wrong"))
        };
        assert!(settled(root.path(), broken).is_err());
        assert_eq!(calls.get(), 1);
    }
}
