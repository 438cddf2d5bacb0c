//! The house stands: each room imports only rooms below it, and only one room names each outside crate that
//! talks to the world. Inside a room, too, files know one another one way only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Floors from the top down; rooms on one floor do not know one another.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["engine", "open"],
    &["dashboard", "record", "sink", "evaluate"],
    &["teach", "show"],
    &["inspect", "augment"],
    &["encode", "memory", "fuse", "decode"],
    &["source", "align", "prepare", "backend"],
    &["testing"],
    &["package", "board", "station", "report"],
    &["sample", "tensor", "geometry"],
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

/// Siblings, that is the files and folders of one folder, know one another one way only. A folder is one with the file that
/// declares it (`a.rs` or `a/mod.rs`). What these two know of one another is not counted: a parent declares its children,
/// re-exports them, and holds the words they share. A child's item that is reached through its parent counts as the child's.
#[test]
fn siblings_know_one_another_one_way() {
    let wrong = circles(&siblings(&sources()));
    let told: Vec<String> = wrong.iter().map(|(one, other)| format!("`{one}` uses `{other}` in a circle")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn circles_are_found() {
    let files = |of: &[(&str, &str)]| -> Vec<(PathBuf, String)> {
        of.iter().map(|(path, code)| (PathBuf::from(path), (*code).into())).collect()
    };
    let found = |of: &[(&str, &str)]| circles(&siblings(&files(of)));
    let pair = |one: &str, other: &str| (one.to_string(), other.to_string());
    // Parents and children do not count, nor does a sibling that is used and uses nothing.
    let face = ("src/room/mod.rs", "mod a; mod b; mod c; pub use b::B; fn all() { a::all() }");
    let [a, b] = [("src/room/a.rs", "use super::{B, c::{self, C}};"), ("src/room/b.rs", "fn b() { super::shared() }")];
    assert_eq!(found(&[face, a, b, ("src/room/c.rs", "use crate::other::Thing;")]), []);
    // By a re-export one way, from within a folder the other.
    let within = ("src/room/b/deep.rs", "fn b() -> crate::room::a::A { super::super::a::make::<B>() }");
    let expected = [pair("room/a", "room/b"), pair("room/b", "room/a")];
    assert_eq!(found(&[face, a, b, within, ("src/room/c.rs", "")]), expected);
    // Longer ones.
    let c = ("src/room/c.rs", "use super::d::D;");
    let d = ("src/room/d.rs", "use crate::room::{a, b};");
    let expected = [pair("room/a", "room/c"), pair("room/c", "room/d"), pair("room/d", "room/a")];
    assert_eq!(found(&[face, a, b, c, d]), expected);
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

/// `src/memory/bank.rs` → `[memory, bank]`; `src/memory/mod.rs` → `[memory]`.
fn module_of(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").iter().skip(1).map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|name| name == "mod");
    names
}

/// Which files of one folder use which, by module.
fn siblings(sources: &[(PathBuf, String)]) -> BTreeSet<(String, String)> {
    let files: Vec<(Vec<String>, Vec<Vec<&str>>)> =
        sources.iter().map(|(path, code)| (module_of(path), paths(code))).collect();
    let modules: BTreeSet<&[String]> = files.iter().map(|(module, _)| &module[..]).collect();
    // What a parent takes in of a child is reached through it.
    let mut taken_in: BTreeMap<(Vec<String>, &str), Vec<String>> = BTreeMap::new();
    for (module, used) in &files {
        for path in used {
            let (known, rest) = resolved(module, path, &modules);
            if let [name] = rest[..]
                && known.len() > module.len()
            {
                taken_in.insert((module.clone(), name), known);
            }
        }
    }
    let mut uses = BTreeSet::new();
    for (module, used) in &files {
        for path in used {
            let (known, rest) = resolved(module, path, &modules);
            let key = rest.first().map(|name| (known.clone(), *name));
            let known = key.and_then(|key| taken_in.get(&key).cloned()).unwrap_or(known);
            let shared = module.iter().zip(&known).take_while(|(own, other)| own == other).count();
            if shared > 0 && shared < module.len().min(known.len()) {
                uses.insert((module[..=shared].join("/"), known[..=shared].join("/")));
            }
        }
    }
    uses
}

/// The module that `path` leads to from `module`, and what is left of the path; no module where it leads out of the crate.
fn resolved<'a>(module: &[String], path: &[&'a str], modules: &BTreeSet<&[String]>) -> (Vec<String>, Vec<&'a str>) {
    let mut at = match path[0] {
        "crate" | "eyear" => Vec::new(),
        _ => module.to_vec(),
    };
    let mut rest = path;
    if matches!(path[0], "crate" | "eyear" | "self") {
        rest = &rest[1..];
    }
    while let Some(("super", more)) = rest.split_first().map(|(name, more)| (*name, more)) {
        at.pop();
        rest = more;
    }
    let is_relative = rest.len() == path.len();
    while let Some((name, more)) = rest.split_first() {
        at.push((*name).into());
        if !modules.contains(&at[..]) {
            at.pop();
            break;
        }
        rest = more;
    }
    if is_relative && rest.len() == path.len() { (Vec::new(), Vec::new()) } else { (at, rest.to_vec()) }
}

/// Every path that is imported or begins at the crate, the parent or the file itself, with groups in braces taken apart.
fn paths(code: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for start in ["use ", "crate::", "eyear::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let is_within = code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'));
            if !is_within {
                spread(code[at..].trim_start_matches("use "), &[], &mut found);
            }
        }
    }
    found.retain(|path| !path.is_empty());
    found
}

/// Takes the path apart that code begins with, and gives the code behind it.
fn spread<'a>(code: &'a str, before: &[&'a str], found: &mut Vec<Vec<&'a str>>) -> &'a str {
    let (mut path, mut rest) = (before.to_vec(), code.trim_start());
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        path.extend(Some(&rest[..end]).filter(|name| !name.is_empty() && **name != *"self" || path.is_empty()));
        let Some(more) = rest[end..].strip_prefix("::") else {
            found.push(path);
            return &rest[end..];
        };
        rest = more;
        let Some(mut group) = rest.strip_prefix('{') else { continue };
        loop {
            group = spread(group, &path, found);
            let Some(end) = group.find([',', '}']) else { return "" };
            let is_over = group[end..].starts_with('}');
            group = &group[end + 1..];
            if is_over {
                return group;
            }
        }
    }
}

/// What is left of uses when those are taken away that no use leads to, or that lead to none, until none is.
fn circles(uses: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
    let mut left: Vec<(String, String)> = uses.iter().cloned().collect();
    loop {
        let goes_on = |(one, other): &&(String, String)| {
            left.iter().any(|(_, to)| to == one) && left.iter().any(|(from, _)| from == other)
        };
        let kept: Vec<(String, String)> = left.iter().filter(goes_on).cloned().collect();
        if kept.len() == left.len() {
            return left;
        }
        left = kept;
    }
}
