//! Where code and data come from, who may change a part at the same time as another, and what is done where nothing may be
//! written: in the words of a plant's IT, and of somebody who leaves files about.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::bad_input::{package, refused, text};
use crate::clips::gripper;
use crate::commands::{eyear, files, lines, said};
use crate::station::Running;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The binary as it was installed elsewhere, in `bin` of a folder.
fn installed(dir: &Path) -> PathBuf {
    let path = dir.join("bin/eyear");
    fs::create_dir_all(dir.join("bin")).unwrap();
    // The same file under another name, where that is possible: the test's own is large.
    fs::hard_link(env!("CARGO_BIN_EXE_eyear"), &path)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_eyear"), &path).map(drop))
        .unwrap();
    path
}

/// The folder with the library that the tests run by.
fn runtime() -> PathBuf {
    Path::new(ROOT).join("third_party/onnxruntime").join(std::env::consts::ARCH)
}

/// Runs a binary in a folder, with nothing in its environment but a path and a home.
fn bare(binary: &Path, folder: &Path, home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).current_dir(folder);
    command.args(arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_judged(output: &Output) -> bool {
    matches!(output.status.code(), Some(0 | 1))
}

#[test]
fn neither_code_nor_data_is_taken_from_the_current_folder() {
    let dir = TempDir::new().unwrap();
    let eyear = installed(dir.path());
    let stick = dir.path().join("stick");
    let planted = stick.join("third_party/onnxruntime").join(std::env::consts::ARCH);
    fs::create_dir_all(&planted).unwrap();
    symlink(runtime().join("libonnxruntime.so"), planted.join("libonnxruntime.so")).unwrap();
    symlink(planted.join("libonnxruntime.so"), stick.join("libonnxruntime.so")).unwrap();
    symlink(Path::new(ROOT).join("models"), stick.join("models")).unwrap();
    symlink(Path::new(ROOT).join("models/vision-lite0"), stick.join("vision-lite0")).unwrap();
    symlink(Path::new(ROOT).join("Cargo.toml"), stick.join("Cargo.toml")).unwrap();
    let told = bare(&eyear, &stick, dir.path(), &["doctor", "--json"]);
    let found: Value = serde_json::from_str(&said(&told)).unwrap();
    // A machine may have a library of its own; the one here is that of the tests.
    let library = found["runtimes"][0]["library"].as_str().unwrap_or_default();
    assert!(!library.contains("third_party"), "{found}");
    let models = found["searched"].as_array().unwrap().iter().filter(|of| of["how"] != "the system's");
    assert_eq!(models.count(), 0, "{found}");
    // What nobody named is not taken from here; what somebody names is.
    let teach = |model: &[&str]| {
        let arguments = ["teach", "part", "--good", "tests/data/paper/train/good"];
        errors(&bare(&eyear, &stick, dir.path(), &[&arguments[..], model].concat()))
    };
    symlink(Path::new(ROOT).join("tests"), stick.join("tests")).unwrap();
    if found["searched"].as_array().unwrap().is_empty() {
        assert!(teach(&[]).contains("no model package `vision-lite0`"), "{}", teach(&[]));
        assert!(!teach(&["--model", "vision-lite0"]).contains("no model package"), "{}", teach(&[]));
    }
}

#[test]
fn an_installation_is_found_wherever_it_stands() {
    let dir = TempDir::new().unwrap();
    let eyear = installed(dir.path());
    for (from, to) in [(runtime(), "lib/eyear"), (Path::new(ROOT).join("models"), "share/eyear/models")] {
        fs::create_dir_all(dir.path().join(to).parent().unwrap()).unwrap();
        symlink(from, dir.path().join(to)).unwrap();
    }
    let told = bare(&eyear, Path::new("/"), dir.path(), &["doctor", "--json"]);
    let found: Value = serde_json::from_str(&said(&told)).unwrap();
    assert_eq!(
        (found["healthy"].as_bool(), &found["runtimes"][0]["how"]),
        (Some(true), &"beside the executable".into())
    );
    assert_eq!(found["searched"][0]["how"], "beside the executable");
    let text = said(&bare(&eyear, Path::new("/"), dir.path(), &["doctor"]));
    assert!(text.contains("share/eyear/models (beside the executable)"), "{text}");
    assert!(text.contains("board file: built in"), "{text}");
}

/// A folder with some of the good papers, small enough to be taught from quickly.
fn papers(dir: &Path, name: &str, from: std::ops::Range<usize>) -> String {
    let folder = dir.join(name);
    fs::create_dir_all(&folder).unwrap();
    for file in &files("tests/data/paper/train/good")[from] {
        let file = Path::new(ROOT).join(file);
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    folder.display().to_string()
}

fn taught(part: &str, good: &str, more: &[&str]) {
    let output = eyear(&[&["teach", part, "--good", good], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
}

fn good_in(part: &str) -> i64 {
    let card: toml::Table = fs::read_to_string(Path::new(part).join("part.toml")).unwrap().parse().unwrap();
    card["good"].as_integer().unwrap()
}

#[test]
fn of_two_that_teach_at_once_neither_undoes_the_other() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    taught(&part, &papers(dir.path(), "first", 0..1), &["--input", "96x96"]);
    for round in 0..2 {
        let start = |i: usize| {
            let good = papers(dir.path(), &format!("{round}-{i}"), 1 + 2 * round + i..2 + 2 * round + i);
            let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
            command.args(["teach", &part, "--add", "--good", &good]).stdout(Stdio::null()).stderr(Stdio::null());
            command.current_dir(ROOT).spawn().unwrap()
        };
        let mut both = [start(0), start(1)];
        both.iter_mut().for_each(|child| assert_eq!(child.wait().unwrap().code(), Some(0)));
        assert_eq!(good_in(&part), 3 + 2 * round as i64);
        assert!(is_judged(&eyear(&["inspect", &part, &files("tests/data/paper/train/good")[0]])));
    }
    // What is made for a lock goes with it where nothing was taught.
    let none = dir.path().join("none");
    refused(
        &["teach", text(&none), "--add", "--good", "tests/data/paper/train/good"],
        &["no part in", "teach it first"],
    );
    refused(&["teach", text(&none), "--undo"], &["nothing to undo in"]);
    assert!(!none.exists());
}

#[test]
fn teaching_a_damaged_pair_anew_mends_it() {
    let dir = TempDir::new().unwrap();
    let good = dir.path().join("good");
    let (seen, heard) = (files("tests/data/paper/train/good"), files("tests/data/machine/train/normal"));
    for (i, (picture, sound)) in seen.iter().zip(&heard).take(2).enumerate() {
        let folder = good.join(i.to_string());
        fs::create_dir_all(&folder).unwrap();
        let ending = |file: &str| Path::new(file).extension().unwrap().to_str().unwrap().to_string();
        fs::copy(Path::new(ROOT).join(picture), folder.join(format!("cam0.{}", ending(picture)))).unwrap();
        fs::copy(Path::new(ROOT).join(sound), folder.join(format!("mic0.{}", ending(sound)))).unwrap();
    }
    let part = dir.path().join("part").display().to_string();
    let teach = || taught(&part, text(&good), &["--input", "96x96"]);
    let first = good.join("0");
    teach();
    let half = || {
        let mut folders = fs::read_dir(&part).unwrap().map(|entry| entry.unwrap().path());
        folders.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("sight-")).unwrap()
    };
    let numbers = || {
        let mut files = fs::read_dir(half()).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|ending| ending == "safetensors")).unwrap()
    };
    let card = half().join("part.toml");
    let whole = fs::read_to_string(&card).unwrap();
    let damages: [&dyn Fn(); 3] =
        [&|| fs::write(numbers(), b"no numbers").unwrap(), &|| fs::remove_file(numbers()).unwrap(), &|| {
            fs::write(&card, whole.replace("overkill", "overkil")).unwrap()
        }];
    for damage in damages {
        damage();
        assert_eq!(eyear(&["inspect", &part, text(&first)]).status.code(), Some(2));
        teach();
        let after = eyear(&["inspect", &part, text(&first)]);
        assert!(is_judged(&after), "{}", errors(&after));
    }
}

#[test]
fn a_station_tells_that_its_part_was_taught_anew_or_is_gone() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part");
    taught(text(&part), &papers(dir.path(), "first", 0..2), &["--input", "96x96"]);
    let file = dir.path().join("line.toml");
    let camera = "[camera]\nsource = \"recording\"\npath = \"first\"\nrate = 4\nrepeat = true\n";
    fs::write(&file, format!("part = \"part\"\n{camera}")).unwrap();
    let running = Running::start(&file, &[], |_| ());
    let before = running.report()["judged_by"]["part_digest"].clone();
    let told = |words: &str| {
        for _ in 0..600 {
            if running.told().contains(words) {
                return;
            }
            // It goes on meanwhile, by what it was started with.
            assert_eq!(running.report()["judged_by"]["part_digest"], before);
        }
        panic!("{words}: {}", running.told());
    };
    let more = papers(dir.path(), "more", 2..3);
    assert_eq!(eyear(&["teach", text(&part), "--add", "--good", &more]).status.code(), Some(0));
    told("was taught again");
    assert_eq!(eyear(&["teach", text(&part), "--undo"]).status.code(), Some(0));
    told("again holds the part that the station uses");
    fs::remove_dir_all(&part).unwrap();
    told("folder is missing");
}

#[test]
fn a_part_is_judged_by_the_package_it_was_taught_with_wherever_that_is() {
    let dir = TempDir::new().unwrap();
    // Two of one name, both beside the part and neither installed: the digest tells which.
    let mine = package(&dir.path().join("vision-lite0"), |toml| toml.replace("version = \"1.1.0\"", "version = \"7\""));
    let part = dir.path().join("part").display().to_string();
    let good = papers(dir.path(), "good", 0..4);
    taught(&part, &good, &["--input", "96x96", "--model", &mine]);
    let picture = files("tests/data/paper/test/good").remove(0);
    let by = |output: &Output| lines(output)[0]["senses"][0]["encoded_by"]["model"].clone();
    assert_eq!(by(&eyear(&["inspect", &part, "--json", &picture])), "vision-lite0 7");
    assert_eq!(by(&eyear(&["inspect", &part, "--json", "--model", &mine, &picture])), "vision-lite0 7");
    assert_eq!(eyear(&["teach", &part, "--add", "--good", &picture]).status.code(), Some(0));
    assert!(eyear(&["eval", "tests/data/paper", "--part", &part, "--json"]).status.success());
    let wrong = ["was taught with vision-lite0 7", "this package is vision-lite0 1.1.0"];
    refused(&["inspect", &part, "--model", "vision-lite0", &picture], &wrong);
    let file = dir.path().join("line.toml");
    let camera = "[camera]\nsource = \"recording\"\npath = \"good\"\n";
    let station = |more: &str| {
        fs::write(&file, format!("part = \"part\"\n{more}{camera}")).unwrap();
        eyear(&["run", text(&file), "--moments", "1"])
    };
    for model in ["", "model = \"./vision-lite0\"\n"] {
        assert_eq!(by(&station(model)), "vision-lite0 7");
    }
    for (more, words) in [
        ("model = \"vision-lite0\"\n", "this package is vision-lite0 1.1.0"),
        ("sound_model = \"sound-lite0\"\n", "`sound-lite0` is named for sounds, and the part was taught from pictures"),
    ] {
        let told = errors(&station(more));
        assert!(told.contains(words), "{told}");
    }
    // Where it is not, the part says what it wants.
    fs::rename(dir.path().join("vision-lite0"), dir.path().join("away")).unwrap();
    refused(&["inspect", &part, &picture], &["was taught with vision-lite0 7", "vision-lite0 1.1.0", "teach it again"]);
}

#[test]
fn each_sense_may_have_a_package_of_its_own() {
    let dir = TempDir::new().unwrap();
    let good = dir.path().join("good/0");
    fs::create_dir_all(&good).unwrap();
    let copy = |from: &str, to: &str| {
        let from = Path::new(ROOT).join(from);
        let ending = from.extension().unwrap().to_str().unwrap();
        fs::copy(&from, good.join(format!("{to}.{ending}"))).unwrap();
    };
    copy(&files("tests/data/paper/train/good")[0], "cam0");
    copy(&files("tests/data/machine/train/normal")[0], "mic0");
    let mine = package(&dir.path().join("mine"), |toml| toml.replace("version = \"1.1.0\"", "version = \"7\""));
    let part = dir.path().join("part").display().to_string();
    let folder = dir.path().join("good").display().to_string();
    taught(&part, &folder, &["--input", "96x96", "--model", &mine, "--model", "sound-lite0"]);
    let judged = eyear(&["inspect", &part, "--json", "--model", &mine, text(&good)]);
    assert_eq!(lines(&judged)[0]["senses"][0]["encoded_by"]["model"], "vision-lite0 7", "{}", errors(&judged));
    let teach = |models: &[&str], words: &[&str]| {
        refused(&[&["teach", &part, "--good", &folder], models].concat(), words);
    };
    teach(&["--model", &mine, "--model", "vision-lite0"], &["two model packages are named for pictures"]);
    teach(&["--model", "clip-lite0"], &["`clip-lite0` has no image_encoder"]);
}

#[test]
fn a_station_takes_the_package_of_clips_that_it_is_told() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("line.toml");
    let clips = Path::new(ROOT).join("tests/data/gripper/test/good");
    let told = |model: &str| {
        let camera = format!("[camera]\nsource = \"recording\"\npath = \"{}\"\n", clips.display());
        fs::write(&file, format!("part = \"{}\"\nclip_model = \"{model}\"\n{camera}", gripper())).unwrap();
        errors(&eyear(&["run", text(&file), "--moments", "1"]))
    };
    // It is taken, and what is said next is of something else.
    assert!(told("clip-lite0").contains("[cycle]"), "{}", told("clip-lite0"));
    assert!(told("vision-lite0").contains("`vision-lite0` has no clip_encoder"), "{}", told("vision-lite0"));
}

/// Runs a command where nothing can be written but a folder, without a home: as in a container. `None`, with the reason
/// printed, where the system lets nobody make such a place.
fn locked_in(state: &Path, arguments: &[&str]) -> Option<Output> {
    const ALONE: &str = r#"
        mount --make-rprivate / && mount --bind "$STATE" "$STATE" || exit 77
        awk '{ print $2 }' /proc/self/mounts | while read -r at; do
            case $at in /proc* | /sys* | "$STATE") ;; *) mount -o remount,bind,ro "$at" 2>/dev/null ;; esac
        done
        if touch /tmp/x /var/tmp/x /dev/shm/x "$PWD/x" 2>/dev/null; then exit 77; fi
        touch "$STATE/x" && rm "$STATE/x" || exit 77
        exec "$@"
    "#;
    let root = fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t");
    let mut command = Command::new("unshare");
    command.arg(if root { "-m" } else { "-rm" }).args(["sh", "-c", ALONE, "sh", env!("CARGO_BIN_EXE_eyear")]);
    command.args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("STATE", state);
    for variable in ["EYEAR_HOME", "ORT_DYLIB_PATH"] {
        std::env::var_os(variable).map(|value| command.env(variable, value));
    }
    let output = command.current_dir(ROOT).output().expect("unshare of util-linux starts");
    let told = errors(&output);
    if output.status.code() == Some(77) || told.starts_with("unshare: ") {
        println!("passed by: no place of its own can be made here: {told}");
        return None;
    }
    Some(output)
}

#[test]
fn all_works_where_nothing_can_be_written_but_a_folder() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let part = dir.path().join("part");
    taught(text(&part), &papers(dir.path(), "good", 0..4), &["--input", "96x96"]);
    let pictures = files("tests/data/paper/test/good");
    let (part, picture, other) = (text(&part), &*pictures[0], &*pictures[1]);
    let file = dir.path().join("line.toml");
    let evidence = state.path().join("evidence");
    let [camera, reports] = ["camera", "reports"].map(|table| match table {
        "camera" => format!("[camera]\nsource = \"recording\"\npath = \"{ROOT}/tests/data/paper/test/impurity\"\n"),
        _ => format!("[reports]\nfolder = \"{}\"\n", evidence.display()),
    });
    fs::write(&file, format!("part = \"{part}\"\n{camera}{reports}")).unwrap();
    let [new, pages] = ["new", "pages"].map(|name| state.path().join(name));
    let right: &[&[&str]] = &[
        &["inspect", part, picture],
        &["inspect", part, "--json", "--board", "x86-openvino", picture],
        &["inspect", part, picture, "--out", text(&pages)],
        &["report", part, picture],
        &["ask", part, picture, "is there a scratch?"],
        &["eval", "tests/data/paper", "--part", part, "--json"],
        &["bench", part, picture, "--rounds", "1"],
        &["model", "verify"],
        &["model", "check", "tests/data/foreign/maps.onnx"],
        &["doctor"],
        &["teach", text(&new), "--good", picture, "--input", "96x96"],
        &["teach", text(&new), "--add", "--good", other],
        &["run", text(&file)],
    ];
    for arguments in right {
        let Some(output) = locked_in(state.path(), arguments) else { return };
        assert!(is_judged(&output), "{arguments:?}: {:?} {}", output.status, errors(&output));
    }
    assert!(pages.join("index.html").is_file());
    assert!(evidence.read_dir().unwrap().count() > 0, "what does not pass is kept");
    let shut = dir.path().join("out").display().to_string();
    let wrong: &[(&[&str], &str)] = &[
        (&["inspect", part, picture, "--out", &shut], "cannot make"),
        (&["teach", part, "--add", "--good", picture], "cannot write"),
        (&["teach", part, "--undo"], "nothing to undo"),
        (&["teach", &shut, "--good", picture, "--input", "96x96"], "cannot make"),
        (&["prepare", "--precision", "int8", "--rounds", "1", "--provider", "cpu"], "set EYEAR_CACHE or HOME"),
    ];
    for (arguments, words) in wrong {
        let Some(output) = locked_in(state.path(), arguments) else { return };
        let told = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(words) && told.lines().count() == 1, "{arguments:?}: {told}");
    }
}
