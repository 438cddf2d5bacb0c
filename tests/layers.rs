//! The house stands: each room imports only rooms below it, and only one room names each outside crate that
//! talks to the world.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floors from the top down; rooms on one floor do not know one another.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["engine"],
    &["dashboard", "record", "sink"],
    &["open"],
    &["evaluate"],
    &["teach"],
    &["inspect"],
    &["encode", "memory", "fuse", "decode", "worsen"],
    &["source", "align", "prepare", "backend"],
    &["testing"],
    &["manifest", "board", "station", "report"],
    &["sample", "tensor", "geometry", "onnx"],
    &["error", "installed", "random", "time", "kernels"],
];

/// Crates that one place alone may name.
const OWNED: &[(&str, &str)] = &[
    ("ort", "backend/onnxruntime"),
    ("tflitec", "backend/tflite.rs"),
    ("v4l", "source/v4l2"),
    ("cpal", "source/microphone.rs"),
    ("aravis", "source/gige.rs"),
    ("gstreamer", "source/pipeline.rs"),
    ("gstreamer_app", "source/pipeline.rs"),
    ("gstreamer_video", "source/pipeline.rs"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("terminal_size", "cli"),
    ("unicode_width", "cli"),
    ("anyhow", "cli"),
    ("indicatif", "cli"),
    ("signal_hook", "cli"),
    ("tiny_http", "dashboard"),
    ("turbojpeg", "prepare/pixels.rs"),
    ("fast_image_resize", "kernels"),
    ("realfft", "kernels"),
    ("rubato", "kernels"),
    ("rustfft", "kernels"),
    ("crossbeam", "engine"),
    ("llguidance", "decode"),
];

#[test]
fn imports_go_one_way() {
    let floors: BTreeMap<&str, usize> =
        FLOORS.iter().enumerate().flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor))).collect();
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let room = room_of(&path);
        if room == "lib" {
            continue;
        }
        let Some(&here) = floors.get(room.as_str()) else {
            wrong.push(format!("{}: `{room}` stands on no floor of tests/layers.rs", path.display()));
            continue;
        };
        for used in rooms_used(&code) {
            if used == room {
                continue;
            }
            match floors.get(used.as_str()) {
                Some(&there) if there > here => {}
                Some(_) => wrong.push(format!("{}: `{room}` must not know `{used}`", path.display())),
                None => wrong.push(format!("{}: `{used}` stands on no floor of tests/layers.rs", path.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_outside_crate_has_one_room() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        for (outside, owner) in OWNED {
            let named = code.contains(&format!("{outside}::")) && words(&code).any(|word| word == *outside);
            let at_home = path.strip_prefix("src").unwrap().starts_with(owner) || room_of(&path) == *owner;
            if named && !at_home {
                wrong.push(format!("{}: only `{owner}` may name `{outside}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_top_level_is_what_the_client_fixed() {
    let allowed = ["CHANGELOG.md", "Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "benches", "boards", "models"];
    let built = ["src", "target", "tests", "third_party"];
    for entry in fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name.starts_with('.') || allowed.contains(&name.as_str()) || built.contains(&name.as_str());
        assert!(known || name == "clippy.toml" || name == "rustfmt.toml", "`{name}` does not belong at the top");
    }
}

/// Every source file with its code: comments and tests left out.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(entry.path()).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let lines = code.lines().map(|line| line.split("//").next().unwrap());
                found.push((path, lines.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// `src/memory/bank.rs` → `memory`.
fn room_of(path: &Path) -> String {
    let name = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    name.trim_end_matches(".rs").to_string()
}

/// Rooms named after `crate::`, also in braces, or after `eyear::` in the binary.
fn rooms_used(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for root in ["crate::", "eyear::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or("").split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let room: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // What lib.rs re-exports begins with a capital and comes from `error`.
                if room.chars().next().is_some_and(char::is_lowercase) {
                    rooms.push(room);
                }
            }
        }
    }
    rooms
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}
