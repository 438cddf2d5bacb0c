//! A part in one file: a tar archive of its current files, sorted by name, without owners or times. The same part
//! always gives the same file.
//!
//! An archive comes from outside and is not trusted. Only plain names are read from it, into a new folder. The folder
//! becomes the part only after it loads as a part.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Component, Path};

use tempfile::NamedTempFile;

use super::folder::{self, CURRENT};
use super::pair::Taught;
use crate::error::{Error, ErrorKind, Result};

/// Most files in a part of two senses: its card, and a card and a memory for each sense.
const MOST_FILES: usize = 16;

/// Writes the part in folder `dir` to `file`.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be read or written; `file` then does not exist.
pub fn write(dir: &Path, file: &Path) -> Result<()> {
    let failed = |error| Error::io("write", file, error);
    let into = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = folder::half_written().tempfile_in(into).map_err(failed)?;
    let mut archive = tar::Builder::new(beside.as_file_mut());
    for name in folder::files(dir)? {
        let path = dir.join(&name);
        let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, &name, &*bytes).map_err(failed)?;
    }
    archive.into_inner().and_then(|file| file.flush().and_then(|()| file.sync_all())).map_err(failed)?;
    keep(beside, file)
}

fn keep(beside: NamedTempFile, file: &Path) -> Result<()> {
    beside.persist_noclobber(file).map(drop).map_err(|error| Error::io("write", file, error.error))
}

/// Reads `file` into folder `dir`, which must not exist yet.
///
/// # Errors
/// [`ErrorKind::Config`] when it is not an exported part; else as [`Taught::load`]. `dir` then does not exist.
pub fn read(file: &Path, dir: &Path) -> Result<Taught> {
    let failed = |error| Error::io("write", dir, error);
    let into = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(into).map_err(|error| Error::io("make", into, error))?;
    let beside = folder::half_written_folder().tempdir_in(into).map_err(failed)?;
    unpack(file, beside.path())?;
    if !beside.path().join(CURRENT).is_file() {
        return Err(not_a_part(file, format!("it holds no {CURRENT}")));
    }
    let taught = Taught::load(beside.path())?;
    fs::rename(beside.path(), dir).map_err(failed)?;
    // The folder was renamed, so there is nothing left to remove.
    let _renamed = beside.keep();
    Ok(taught)
}

fn unpack(file: &Path, into: &Path) -> Result<()> {
    let unreadable = |error| Error::io("read", file, error);
    let mut archive = tar::Archive::new(File::open(file).map_err(unreadable)?);
    let no_archive = |error: std::io::Error| not_a_part(file, format!("it is no tar archive: {error}"));
    let entries = archive.entries().map_err(no_archive)?;
    for (i, entry) in entries.enumerate() {
        let mut entry = entry.map_err(no_archive)?;
        let path = entry.path().map_err(no_archive)?.into_owned();
        if i == MOST_FILES || !entry.header().entry_type().is_file() || !is_ours(&path) {
            return Err(not_a_part(file, format!("`{}` belongs to no part", path.display())));
        }
        let path = into.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, error))?;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(no_archive)?;
        let written = File::create_new(&path).and_then(|mut to| to.write_all(&bytes).and_then(|()| to.sync_all()));
        written.map_err(|error| Error::io("write", &path, error))?;
    }
    Ok(())
}

/// Whether a path is a plain file beside the card, or in a plain folder beside it.
fn is_ours(path: &Path) -> bool {
    let plain =
        |part: Component| matches!(part, Component::Normal(name) if name.to_str().is_some_and(folder::is_plain));
    (1..=2).contains(&path.components().count()) && path.components().all(plain)
}

fn not_a_part(file: &Path, why: String) -> Error {
    Error::new(ErrorKind::Config, format!("{} is no exported part: {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::folder::Lock;
    use crate::memory::part::{Kind, testing};

    const NOBODY: &dyn Fn() = &|| panic!("nobody else has it");

    #[test]
    fn a_part_in_one_file_is_the_same_part_and_the_same_file() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for (i, kinds) in [vec![Kind::Golden], vec![Kind::Framed, Kind::Sound]].into_iter().enumerate() {
            let mut taught = Taught::new(kinds.into_iter().map(testing::part).collect()).unwrap();
            let (dir, again) = (at(&format!("part{i}")), at(&format!("again{i}")));
            taught.save(&Lock::take(&dir, NOBODY).unwrap()).unwrap();
            let files = [at(&format!("a{i}.eyear")), at(&format!("b{i}.eyear"))];
            write(&dir, &files[0]).unwrap();
            assert_eq!(read(&files[0], &again).unwrap().digest(), taught.digest());
            write(&again, &files[1]).unwrap();
            assert_eq!(fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
            assert!(read(&files[0], &again).is_err(), "a part that is there stays");
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 8, "nothing is left half written");
    }

    /// Writes the files anew where `EYEAR_UPDATE` is set.
    #[test]
    fn the_seeds_of_fuzzing_are_parts_as_they_are_written() {
        let root = tempfile::tempdir().unwrap();
        let seeds =
            [("golden", vec![Kind::Golden]), ("clip", vec![Kind::Clip]), ("both", vec![Kind::Framed, Kind::Sound])];
        for (name, kinds) in seeds {
            let mut taught = Taught::new(kinds.into_iter().map(testing::part).collect()).unwrap();
            let (dir, file) = (root.path().join(name), root.path().join(format!("{name}.eyear")));
            taught.save(&Lock::take(&dir, NOBODY).unwrap()).unwrap();
            write(&dir, &file).unwrap();
            let seed = format!("{}/tests/fuzz/seeds/{name}.eyear", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("EYEAR_UPDATE").is_some() {
                fs::create_dir_all(Path::new(&seed).parent().unwrap()).unwrap();
                fs::copy(&file, &seed).unwrap();
            }
            let same = fs::read(&seed).is_ok_and(|seed| seed == fs::read(&file).unwrap());
            assert!(same, "{seed} is not as parts are written: run this test with EYEAR_UPDATE=1");
        }
    }

    #[test]
    fn what_belongs_to_no_part_is_refused_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("evil.eyear");
        let archive = |name: &str, kind: tar::EntryType| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(0);
            // `set_path` itself refuses what leaves the folder.
            let bytes = &mut header.as_mut_bytes()[..name.len()];
            bytes.copy_from_slice(name.as_bytes());
            header.set_cksum();
            let mut archive = tar::Builder::new(File::create(&file).unwrap());
            archive.append(&header, std::io::empty()).unwrap();
            archive.finish().unwrap();
            read(&file, &root.path().join("part")).unwrap_err().message().to_string()
        };
        for name in ["../part.toml", "/etc/part.toml", "a/b/part.toml", ".ssh/keys", "a b"] {
            assert!(archive(name, tar::EntryType::Regular).ends_with("belongs to no part"), "{name}");
        }
        for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Fifo, tar::EntryType::Directory] {
            assert!(archive("part.toml", kind).ends_with("belongs to no part"), "{kind:?}");
        }
        assert!(archive("memory", tar::EntryType::Regular).ends_with("it holds no part.toml"));
        fs::write(&file, [7; 3000]).unwrap();
        let told = read(&file, &root.path().join("part")).unwrap_err();
        assert!(told.message().contains("it is no tar archive"), "{}", told.message());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "only the file itself");
    }
}
