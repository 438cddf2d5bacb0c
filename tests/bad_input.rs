//! What goes wrong with a user's files is told in one sentence that names the file: exit code 2, no panic, and
//! nothing that was taught is lost.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GenericImageView as _, ImageFormat};
use tempfile::TempDir;

use crate::commands::{eyear, files, said};

/// A part taught from the twelve papers, and a good paper.
fn paper() -> (TempDir, String, DynamicImage) {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let output = eyear(&["teach", &part, "--good", "tests/data/paper/train/good"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let good = image::open(&files("tests/data/paper/test/good")[0]).unwrap();
    (dir, part, good)
}

/// Runs the command, which must fail with one sentence that holds all of `words`.
fn refused(arguments: &[&str], words: &[&str]) {
    let output = eyear(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    assert!(told.starts_with("error: ") && !told.contains("panicked"), "{arguments:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{arguments:?}: no `{word}` in: {told}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_damaged_picture_is_told_by_name() {
    let (dir, part, good) = paper();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut jpeg = Vec::new();
    good.to_rgb8().write_to(&mut std::io::Cursor::new(&mut jpeg), ImageFormat::Jpeg).unwrap();
    let mut png = Vec::new();
    good.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png).unwrap();
    // A header that promises 40000 x 40000 pixels of grey: 1.6 GB decoded.
    let mut huge = b"P5\n40000 40000\n255\n".to_vec();
    huge.extend([0; 64]);
    for (path, word) in [
        (write("empty.png", b""), "the file is empty"),
        (write("text.png", b"no picture at all"), "not a picture"),
        (write("half.jpg", &jpeg[..jpeg.len() / 2]), "ends before its end marker"),
        (write("half.png", &png[..png.len() / 2]), "damaged picture"),
        (write("huge.pgm", &huge), "512 MiB"),
        (dir.path().join("missing.png"), "cannot read"),
    ] {
        refused(&["inspect", &part, text(&path)], &[text(&path), word]);
    }
}

#[test]
fn unusual_but_sound_pictures_are_judged_like_plain_ones() {
    let (dir, part, good) = paper();
    let deep = dir.path().join("deep.png");
    DynamicImage::ImageRgb16(good.to_rgb16()).save(&deep).unwrap();
    let clear = dir.path().join("clear.png");
    DynamicImage::ImageRgba8(good.to_rgba8()).save(&clear).unwrap();
    let plain = dir.path().join("plain.png");
    good.save(&plain).unwrap();
    let score = |path: &Path| -> f64 {
        let line: serde_json::Value =
            serde_json::from_str(&said(&eyear(&["inspect", &part, "--json", text(path)]))).unwrap();
        line["score"].as_f64().unwrap()
    };
    let expected = score(&plain);
    for path in [&deep, &clear] {
        assert!((score(path) - expected).abs() < 0.05, "{}: {} not {expected}", path.display(), score(path));
    }
    // Another size or shape than taught is no error, but cannot be judged.
    let (width, height) = good.dimensions();
    let thin = dir.path().join("thin.png");
    good.crop_imm(0, 0, width, 3.min(height)).save(&thin).unwrap();
    let output = eyear(&["inspect", &part, "--json", text(&thin)]);
    assert!(said(&output).contains("\"invalid\"") && said(&output).contains("wrong size"), "{}", said(&output));
}

#[test]
fn one_bad_file_among_many_is_told_and_the_rest_goes_on() {
    let (dir, part, good) = paper();
    let folder = dir.path().join("many");
    fs::create_dir(&folder).unwrap();
    good.save(folder.join("a.png")).unwrap();
    fs::write(folder.join("b.png"), b"broken").unwrap();
    good.save(folder.join("c.png")).unwrap();
    let output = eyear(&["inspect", &part, "--json", text(&folder)]);
    assert_eq!(output.status.code(), Some(2));
    let lines: Vec<serde_json::Value> = said(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1]["error"].as_str().unwrap().contains("b.png") && lines[2]["verdict"] == lines[0]["verdict"]);
    // Teaching leaves it out, says so, and still exits with an error.
    let other = dir.path().join("other").display().to_string();
    let output = eyear(&["teach", &other, "--good", text(&folder)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("taught from 2 good pictures"), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.png"));
}

#[test]
fn folders_without_pictures_are_told() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    refused(&["teach", &part, "--good", text(&empty)], &["no picture in", text(&empty)]);
    refused(&["teach", &part, "--good", "nowhere"], &["cannot read nowhere"]);
    refused(&["inspect", &part, "tests/data/paper/test"], &["no part in", &part]);
    refused(&["eval", text(&empty)], &[text(&empty)]);
    assert!(!Path::new(&part).exists());
}

#[test]
fn a_part_that_was_changed_by_hand_is_refused() {
    let (_dir, part, _) = paper();
    let card = Path::new(&part).join("part.toml");
    let sound = fs::read_to_string(&card).unwrap();
    let picture = files("tests/data/paper/test/good").remove(0);
    for (from, to, word) in [
        ("overkill = 0.01", "overkill = 2.0", "`overkill`"),
        ("format = 1", "format = 9", "`format` is 9"),
        ("kind = \"texture\"", "kind = \"soup\"", "soup"),
        ("file = \"", "file = \"../", "`memory.file`"),
        ("sha256 = \"", "sha256 = \"00", "sha256 is"),
        ("good = 12", "good = \"twelve\"", "part.toml"),
        ("\n[memory]", "\n[memory", "part.toml"),
    ] {
        assert!(sound.contains(from), "{from} is not in {sound}");
        fs::write(&card, sound.replacen(from, to, 1)).unwrap();
        refused(&["inspect", &part, &picture], &[word]);
    }
    fs::write(&card, sound.replacen("digest = \"", "digest = \"00", 1)).unwrap();
    refused(&["inspect", &part, &picture], &["was taught with", "teach it again"]);
    fs::write(&card, &sound).unwrap();
    let numbers = fs::read_dir(&part)
        .unwrap()
        .map(|f| f.unwrap().path())
        .find(|f| f.extension().is_some_and(|e| e == "safetensors"));
    let numbers = numbers.unwrap();
    let mut bytes = fs::read(&numbers).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&numbers, bytes).unwrap();
    refused(&["inspect", &part, &picture], &[text(&numbers), "sha256"]);
}

/// A copy of the package with `model.toml` changed.
fn package(dir: &Path, change: impl Fn(String) -> String) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vision-lite0");
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(dir.join(&folder)).unwrap();
        for entry in fs::read_dir(from.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let inside = folder.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(inside),
                false => drop(fs::copy(entry.path(), dir.join(inside)).unwrap()),
            }
        }
    }
    let card = dir.join("model.toml");
    fs::write(&card, change(fs::read_to_string(&card).unwrap())).unwrap();
    dir.display().to_string()
}

#[test]
fn a_model_package_that_is_not_what_it_says_is_refused() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let teach = |package: &str, words: &[&str]| {
        refused(&["teach", &part, "--model", package, "--good", "tests/data/paper/train/good"], words);
    };
    let at = |name: &str| dir.path().join(name);
    let same = |toml: String| toml;
    let network = "vision-lite0.int8.onnx";
    let changed = package(&at("changed"), same);
    fs::write(Path::new(&changed).join(network), b"another network").unwrap();
    teach(&changed, &[network, "sha256", "model.toml promises"]);
    let missing = package(&at("missing"), same);
    fs::remove_file(Path::new(&missing).join(network)).unwrap();
    teach(&missing, &["cannot read", network]);
    teach(&package(&at("path"), |t| t.replace(&format!("\"{network}\""), "\"../other.onnx\"")), &["../other.onnx"]);
    teach(&package(&at("shape"), |t| t.replace("channels = 40", "channels = 41")), &["block4", "41"]);
    teach(&package(&at("name"), |t| t.replace("\"block4\"", "\"block5\"")), &["block5"]);
    teach(&package(&at("type"), |t| t.replace("multiple_of = 32", "multiple_of = \"32\"")), &["model.toml", "line"]);
    teach("nowhere-to-be-found", &["no model package `nowhere-to-be-found`"]);
    refused(&["model", "verify", &changed], &[network, "sha256"]);
    assert!(!Path::new(&part).exists());
}

#[test]
fn a_full_disk_leaves_the_old_part_as_it_was() {
    let (dir, part, _) = paper();
    let list = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (names, card) = (list(Path::new(&part)), fs::read(Path::new(&part).join("part.toml")).unwrap());
    // No file may grow beyond 64 KiB, as on a disk that is full; the signal that comes with it is ignored.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_eyear"), "teach", &part, "--add", "--good"])
        .arg(files("tests/data/paper/test/good").remove(0))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("cannot write") && told.contains(&part) && told.lines().count() == 1, "{told}");
    assert_eq!(list(Path::new(&part)), names);
    assert_eq!(fs::read(Path::new(&part).join("part.toml")).unwrap(), card);
    drop(dir);
}

#[test]
fn the_reader_of_the_output_may_go_away() {
    let (_dir, part, _) = paper();
    for command in ["inspect \"$P\" tests/data/paper/test", "eval tests/data/paper", "model list", "doctor"] {
        let script = format!("\"$E\" {command} | true; echo gone");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .env("E", env!("CARGO_BIN_EXE_eyear"))
            .env("P", &part)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.is_empty(), "{command}: {told}");
    }
}

#[test]
fn doctor_tells_what_is_used_and_what_mends_what_is_missing() {
    let output = eyear(&["doctor"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for word in ["onnxruntime 1.", "telemetry off", "CPUExecutionProvider", "vision-lite0 (Apache-2.0)", "int8 0.99"] {
        assert!(said(&output).contains(word), "no `{word}` in {}", said(&output));
    }
    let listed = said(&eyear(&["model", "list", "--json"]));
    let package: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(package["licence"], "Apache-2.0");
    for (library, word) in [("nowhere.so", "not a file"), ("Cargo.toml", "cannot be used as ONNX Runtime")] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_eyear"))
            .arg("doctor")
            .env("ORT_DYLIB_PATH", library)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let told = said(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(word) && told.contains(".ci/setup"), "{told}");
    }
}
