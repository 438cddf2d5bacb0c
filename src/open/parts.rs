//! Parts as files: listing them, changing one without teaching it again, and moving one to another machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::memory::bundle;
use crate::memory::folder::{CURRENT, Lock};
use crate::memory::pair::Taught;

/// The folders in `dir` that hold a part, and `dir` itself if it does, sorted; each with the part or its error.
///
/// # Errors
/// [`ErrorKind::Io`] when `dir` cannot be read.
pub fn list(dir: &Path) -> Result<Vec<(PathBuf, Result<Taught>)>> {
    let failed = |error| Error::io("read", dir, error);
    let entries = fs::read_dir(dir).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path()));
    let mut folders: Vec<PathBuf> = entries.collect::<Result<_>>()?;
    folders.push(dir.to_path_buf());
    folders.retain(|folder| folder.join(CURRENT).is_file());
    folders.sort();
    let plain = |folder: PathBuf| {
        folder
            .strip_prefix(".")
            .map(Path::to_path_buf)
            .ok()
            .filter(|rest| !rest.as_os_str().is_empty())
            .unwrap_or(folder)
    };
    Ok(folders.into_iter().map(plain).map(|folder| (folder.clone(), Taught::load(&folder))).collect())
}

/// Sets the share of good parts, between 0 and 1, that the part in folder `part` may reject. The part before stays as one step
/// back. `waits` is called if another process is teaching the part; this then waits for it.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when there is no part; [`ErrorKind::Config`] when the share is out of range; else as
/// [`Taught::load`] and [`Taught::save`].
pub fn set_overkill(part: &Path, share: f64, waits: &dyn Fn()) -> Result<Taught> {
    let lock = Lock::of(part, waits)?;
    let mut taught = Taught::load(part)?;
    taught.set_overkill(share)?;
    taught.save(&lock)?;
    Ok(taught)
}

/// Moves the part in folder `from` to folder `to`, and gives it that folder's name. `waits` as in [`set_overkill`].
///
/// # Errors
/// [`ErrorKind::Config`] when `to` exists; else as [`set_overkill`].
pub fn rename(from: &Path, to: &Path, waits: &dyn Fn()) -> Result<Taught> {
    let name = new_name(to)?;
    let lock = Lock::of(from, waits)?;
    let mut taught = Taught::load(from)?;
    taught.rename(&name)?;
    taught.save(&lock)?;
    fs::rename(from, to).map_err(|error| Error::io("rename to", to, error))?;
    Ok(taught)
}

/// Copies the part in folder `from` to folder `to`, and gives the copy that folder's name.
///
/// # Errors
/// As [`rename`].
pub fn copy(from: &Path, to: &Path) -> Result<Taught> {
    let name = new_name(to)?;
    let mut taught = Taught::load(from)?;
    taught.rename(&name)?;
    taught.save(&Lock::take(to, &|| ())?)?;
    Ok(taught)
}

/// Writes the part in folder `part` to one file, for another machine.
///
/// # Errors
/// As [`Taught::load`]; [`ErrorKind::Config`] when the file exists; [`ErrorKind::Io`] when it cannot be written.
pub fn export(part: &Path, file: &Path) -> Result<Taught> {
    let taught = Taught::load(part)?;
    free(file)?;
    bundle::write(part, file)?;
    Ok(taught)
}

/// Imports a part from a file that [`export`] wrote into folder `part`; its name stays.
///
/// # Errors
/// [`ErrorKind::Config`] when `part` exists, or the file is no exported part; [`ErrorKind::Integrity`] when it was
/// changed; [`ErrorKind::Io`] when it cannot be read, or the part cannot be written.
pub fn import(file: &Path, part: &Path) -> Result<Taught> {
    free(part)?;
    bundle::read(file, part)
}

/// The name of a part that is to be in folder `to`, which must not exist yet.
fn new_name(to: &Path) -> Result<String> {
    free(to)?;
    let name = to.file_name().ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("{} has no name: give the folder of the part", to.display()))
    })?;
    Ok(name.to_string_lossy().into_owned())
}

fn free(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(Error::new(ErrorKind::Config, format!("{} exists already: give another name", path.display()))),
        Err(_) => Ok(()),
    }
}
