//! Listing folders, with one rule for every command. Hidden and system files are skipped. Links are followed, each folder is
//! entered once. Pipes, sockets and devices are never opened. Unused files are counted and reported. Reading is left to others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::kinds::{CLIPS, IMAGES, SOUNDS, ending};
use crate::error::{Error, ErrorKind, Result};

/// System files in folders of images.
const LITTER: [&str; 2] = ["Thumbs.db", "desktop.ini"];

/// The selected files and the unused rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// As given; those of each folder sorted.
    pub files: Vec<PathBuf>,
    /// Unused files in the folders.
    pub others: Others,
}

/// Unused files in folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// Number of files by ending in lower case; empty for none.
    endings: BTreeMap<String, usize>,
    /// Pipes, sockets and devices.
    special: Vec<PathBuf>,
    /// Links to one of their own parent folders.
    links: Vec<PathBuf>,
}

impl Others {
    /// Whether there are no unused files.
    pub fn is_empty(&self) -> bool {
        self.endings.is_empty() && self.special.is_empty() && self.links.is_empty()
    }

    /// Adds the unused files of other folders.
    pub fn add(&mut self, more: Self) {
        more.endings.into_iter().for_each(|(ending, count)| *self.endings.entry(ending).or_default() += count);
        self.special.extend(more.special);
        self.links.extend(more.links);
    }

    /// Counts an unused file.
    pub fn count(&mut self, path: &Path) {
        *self.endings.entry(ending(path).unwrap_or_default()).or_default() += 1;
    }
}

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut told = Vec::new();
        let count: usize = self.endings.values().sum();
        if count > 0 {
            let name = |ending: &str| if ending.is_empty() { "without an ending".into() } else { format!(".{ending}") };
            let of = self.endings.iter().map(|(ending, count)| format!("{count} {}", name(ending)));
            let of: Vec<String> = of.collect();
            told.push(format!("{count} other file{} ({})", if count == 1 { "" } else { "s" }, of.join(", ")));
        }
        let named = |what: &str, paths: &[PathBuf]| {
            let more = if paths.len() > 1 { format!(" and {} more", paths.len() - 1) } else { String::new() };
            paths.first().map(|first| format!("{} ({what}){more}", first.display()))
        };
        told.extend(named("no file but a pipe, a socket or a device", &self.special));
        told.extend(named("a link to a folder that holds it", &self.links));
        f.write_str(&told.join("; "))
    }
}

/// The files meant by `paths`: files as they stand, folders by all files beneath them that `is_meant` takes
/// ([`is_picture`](super::is_picture), [`is_sound`](super::is_sound), [`is_clip`](super::is_clip)), sorted.
///
/// # Errors
/// [`ErrorKind::Io`] when a path cannot be read, [`ErrorKind::Input`] when a folder holds none.
pub fn listed(paths: &[PathBuf], is_meant: fn(&Path) -> bool) -> Result<Listed> {
    let mut all = Listed::default();
    for path in paths {
        let kind = fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
        if !kind.is_dir() {
            all.files.push(path.clone());
            continue;
        }
        let mut walk = Walk::of(path, is_meant)?;
        if walk.files.is_empty() {
            return Err(none(path, is_meant, &walk.others));
        }
        walk.files.sort();
        all.files.append(&mut walk.files);
        all.others.add(walk.others);
    }
    Ok(all)
}

/// As [`listed`], without the unused files.
///
/// # Errors
/// As [`listed`].
pub fn list(paths: &[PathBuf], is_meant: fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    Ok(listed(paths, is_meant)?.files)
}

/// The folders in `dir` (and `dir` itself) that `is_meant` accepts, sorted; their subfolders are not searched.
pub(super) fn folders(dir: &Path, is_meant: &dyn Fn(&Path) -> Result<bool>) -> Result<Vec<PathBuf>> {
    let (mut found, mut walk) = (Vec::new(), Walk::new(|_| false));
    let mut next = vec![dir.to_path_buf()];
    while let Some(dir) = next.pop() {
        if !walk.enters(&dir)? {
            continue;
        }
        match is_meant(&dir)? {
            true => found.push(dir),
            false => next.extend(walk.look(&dir)?),
        }
    }
    found.sort();
    Ok(found)
}

fn none(dir: &Path, is_meant: fn(&Path) -> bool, others: &Others) -> Error {
    let kinds = [("picture", IMAGES), ("sound", SOUNDS), ("clip", CLIPS)];
    let takes = |(_, endings): &(&str, &[&str])| is_meant(Path::new(&format!("a.{}", endings[0])));
    let (what, endings) = kinds.into_iter().find(takes).unwrap_or(kinds[0]);
    let but = if others.is_empty() { String::new() } else { format!(", but {others}") };
    Error::new(ErrorKind::Input, format!("no {what} in {} ({}){but}", dir.display(), endings.join(", ")))
}

/// The state of a walk through a folder.
struct Walk {
    is_meant: fn(&Path) -> bool,
    files: Vec<PathBuf>,
    others: Others,
    /// Entered folders, by their path without links.
    entered: BTreeSet<PathBuf>,
}

impl Walk {
    fn new(is_meant: fn(&Path) -> bool) -> Self {
        Self { is_meant, files: Vec::new(), others: Others::default(), entered: BTreeSet::new() }
    }

    fn of(dir: &Path, is_meant: fn(&Path) -> bool) -> Result<Self> {
        let mut walk = Self::new(is_meant);
        let mut next = vec![dir.to_path_buf()];
        while let Some(dir) = next.pop() {
            if walk.enters(&dir)? {
                next.extend(walk.look(&dir)?);
            }
        }
        Ok(walk)
    }

    /// Whether a folder was not entered before through another link.
    fn enters(&mut self, dir: &Path) -> Result<bool> {
        Ok(self.entered.insert(fs::canonicalize(dir).map_err(|error| Error::io("read", dir, error))?))
    }

    /// Adds the files of a folder and returns its subfolders; the last is entered first, links come after all others.
    fn look(&mut self, dir: &Path) -> Result<Vec<PathBuf>> {
        let failed = |error| Error::io("read", dir, error);
        let within = fs::canonicalize(dir).map_err(failed)?;
        let (mut folders, mut links) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (name, path) = (entry.file_name(), entry.path());
            if name.as_encoded_bytes().starts_with(b".") || LITTER.iter().any(|litter| name == *litter) {
                continue;
            }
            let unread = |error| Error::io("read", &path, error);
            let own = entry.file_type().map_err(unread)?;
            let is_link = own.is_symlink();
            match fs::metadata(&path) {
                Err(error) if own.is_dir() => return Err(unread(error)),
                Ok(kind) if kind.is_dir() && is_link => {
                    let leads_back = fs::canonicalize(&path).is_ok_and(|target| within.starts_with(target));
                    if leads_back { self.others.links.push(path) } else { links.push(path) }
                }
                Ok(kind) if kind.is_dir() => folders.push(path),
                // What cannot be read is told when its turn comes.
                Ok(kind) if !kind.is_file() => self.others.special.push(path),
                _ if (self.is_meant)(&path) => self.files.push(path),
                _ => self.others.count(&path),
            }
        }
        folders.sort_by(|a, b| b.cmp(a));
        links.sort_by(|a, b| b.cmp(a));
        links.append(&mut folders);
        Ok(links)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::is_picture;
    use super::*;

    /// A folder with these files in it.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        dir
    }

    fn names(dir: &Path, files: &[PathBuf]) -> Vec<String> {
        files.iter().map(|path| path.strip_prefix(dir).unwrap().display().to_string()).collect()
    }

    #[test]
    fn folders_are_listed_deeply_and_in_order() {
        let dir =
            tree(&["b/2.PNG", "c.jpg", "a.jpeg", "notes.txt", ".hidden/d.png", "._c.jpg", ".DS_Store", "Thumbs.db"]);
        let found = listed(&[dir.path().to_path_buf()], is_picture).unwrap();
        assert_eq!(names(dir.path(), &found.files), ["a.jpeg", "b/2.PNG", "c.jpg"]);
        assert_eq!(found.others.to_string(), "1 other file (1 .txt)");
        assert_eq!(list(&["/no/such/place".into()], is_picture).unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn what_is_left_out_is_told_by_its_ending() {
        let dir = tree(&["1.avif", "2.AVIF", "3.gif", "README"]);
        let told = list(&[dir.path().to_path_buf()], is_picture).unwrap_err();
        assert!(told.message().starts_with("no picture in "), "{told}");
        assert!(told.message().ends_with("), but 4 other files (1 without an ending, 2 .avif, 1 .gif)"), "{told}");
    }

    #[test]
    fn a_linked_folder_is_entered_once_and_never_one_that_holds_it() {
        let dir = tree(&["store/1.png", "set/own/2.png"]);
        let at = |name: &str| dir.path().join(name);
        symlink("../store", at("set/good")).unwrap();
        symlink("own", at("set/a link before")).unwrap();
        symlink("..", at("store/up")).unwrap();
        symlink("nowhere.png", at("set/gone.png")).unwrap();
        let found = listed(&[at("set")], is_picture).unwrap();
        assert_eq!(names(&at("set"), &found.files), ["gone.png", "good/1.png", "own/2.png"]);
        assert!(found.others.to_string().ends_with("good/up (a link to a folder that holds it)"), "{}", found.others);
    }

    #[test]
    fn a_pipe_is_no_file_of_a_folder() {
        let dir = tree(&["a.png"]);
        let pipe = dir.path().join("b.png");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let found = listed(&[dir.path().to_path_buf()], is_picture).unwrap();
        assert_eq!(names(dir.path(), &found.files), ["a.png"]);
        assert!(found.others.to_string().contains("b.png (no file but a pipe"), "{}", found.others);
    }
}
