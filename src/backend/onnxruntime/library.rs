//! Where the ONNX Runtime library is: the places that are tried, in order. Loading it is left to the parent.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// The command that puts a library where it is found.
pub const REMEDY: &str = "run `sh .ci/setup`, or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.24 or later";

#[cfg(target_os = "macos")]
const NAMES: &[&str] = &["libonnxruntime.dylib"];
#[cfg(target_os = "windows")]
const NAMES: &[&str] = &["onnxruntime.dll"];
#[cfg(not(any(target_os = "macos", target_os = "windows")))]
const NAMES: &[&str] = &["libonnxruntime.so", "libonnxruntime.so.1"];

/// Folders of the system's own libraries.
const SYSTEM: &[&str] = &[
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/onnxruntime/lib",
];

/// The library to load, and how it was found: `ORT_DYLIB_PATH`, beside the executable or in `../lib`, where
/// `.ci/setup` puts it (`third_party/onnxruntime/<arch>` above the executable or here), then the system's folders.
///
/// # Errors
/// [`ErrorKind::Unavailable`] naming the folders that were tried and the command that mends it.
pub fn find() -> Result<(PathBuf, &'static str)> {
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok((named, "by ORT_DYLIB_PATH"));
        }
        let what = format!("ORT_DYLIB_PATH is {}, which is not a file; {REMEDY}", named.display());
        return Err(Error::new(ErrorKind::Unavailable, what));
    }
    let folders = folders();
    let files = folders.iter().flat_map(|(dir, how)| NAMES.iter().map(move |name| (dir.join(name), *how)));
    // Absolute, because a relative path would be looked up beside the executable once more.
    let found = files.map(|(path, how)| (path.canonicalize().unwrap_or(path), how)).find(|(path, _)| path.is_file());
    found.ok_or_else(|| {
        let places: Vec<String> = folders.iter().map(|(dir, _)| dir.display().to_string()).collect();
        let what = format!("no ONNX Runtime library in {}; {REMEDY}", places.join(", "));
        Error::new(ErrorKind::Unavailable, what)
    })
}

/// The folders that are tried, in order, and what finding it there is called.
fn folders() -> Vec<(PathBuf, &'static str)> {
    let fetched = Path::new("third_party").join("onnxruntime").join(std::env::consts::ARCH);
    let executable = std::env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent);
    let lib = beside.map(|dir| dir.join("../lib"));
    let above = executable.iter().flat_map(|exe| exe.ancestors().skip(1).map(|dir| dir.join(&fetched)));
    let set_up = above.chain([fetched.clone()]).filter(|dir| dir.is_dir()).map(|dir| (dir, "fetched by .ci/setup"));
    let own = beside.map(Path::to_path_buf).into_iter().chain(lib).map(|dir| (dir, "beside the executable"));
    own.chain(set_up).chain(SYSTEM.iter().map(|dir| (PathBuf::from(dir), "the system's"))).collect()
}
