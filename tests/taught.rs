//! Parts that tests share: what the same words teach is taught once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use tempfile::TempDir;

use crate::commands::{eyear, said};

/// A part, and what `eyear teach` said of it.
pub struct Taught {
    /// Its folder. Others read it at the same time: a test that changes it takes a copy, [`own`].
    pub part: String,
    pub said: String,
}

/// The part `name`, taught by `eyear teach` with these flags by whichever test asks first.
pub fn taught(name: &str, flags: &[&str]) -> &'static Taught {
    type Numbered = (usize, &'static OnceLock<Taught>);
    static PARTS: Mutex<BTreeMap<Vec<String>, Numbered>> = Mutex::new(BTreeMap::new());
    let key = [name].iter().chain(flags).map(ToString::to_string).collect();
    let (number, once) = {
        let mut parts = PARTS.lock().unwrap();
        let number = parts.len();
        *parts.entry(key).or_insert_with(|| (number, Box::leak(Box::default())))
    };
    // The lock is free again: other parts are taught meanwhile.
    once.get_or_init(|| {
        let dir = home().join(number.to_string());
        fs::create_dir_all(&dir).unwrap();
        let part = dir.join(name).display().to_string();
        let output = eyear(&[&["teach", &part], flags].concat());
        assert_eq!(output.status.code(), Some(0), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        Taught { part, said: said(&output) }
    })
}

/// A copy of the same part for one test alone.
pub fn own(name: &str, flags: &[&str]) -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join(name);
    copy(Path::new(&taught(name, flags).part), &part);
    let part = part.display().to_string();
    (dir, part)
}

/// Where this run's parts lie. No test is the last, so that the next run sweeps.
pub fn home() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("taught");
        fs::create_dir_all(&all).unwrap();
        for entry in fs::read_dir(&all).unwrap() {
            let entry = entry.unwrap();
            if !Path::new("/proc").join(entry.file_name()).exists() {
                // Two runs that start at once may both sweep.
                let _gone = fs::remove_dir_all(entry.path());
            }
        }
        all.join(std::process::id().to_string())
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let into = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &into),
            false => drop(fs::copy(entry.path(), into).unwrap()),
        }
    }
}
