//! What goes wrong with a user's files is told in one sentence that names the file: exit code 2, no panic, and
//! nothing that was taught is lost.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{DynamicImage, GenericImageView as _, ImageFormat};
use tempfile::TempDir;

use crate::commands::{eyear, files, lines, said};
use crate::taught::own;

/// A part taught from the twelve papers, for one test alone, and a good paper.
pub fn paper() -> (TempDir, String, DynamicImage) {
    let (dir, part) = own("part", &["--good", "tests/data/paper/train/good"]);
    let good = image::open(&files("tests/data/paper/test/good")[0]).unwrap();
    (dir, part, good)
}

/// Runs the command, which must fail with one sentence that holds all of `words`.
pub fn refused(arguments: &[&str], words: &[&str]) {
    let output = eyear(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    assert!(told.starts_with("error: ") && !told.contains("panicked"), "{arguments:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{arguments:?}: no `{word}` in: {told}");
    }
}

pub fn text(path: &Path) -> &str {
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
    // Not a copy: those teach nothing.
    good.brighten(1).save(folder.join("c.png")).unwrap();
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
fn a_picture_that_is_missing_or_vanishes_does_not_stop_the_rest() {
    let (dir, part, good) = paper();
    let folder = dir.path().join("many");
    fs::create_dir(&folder).unwrap();
    let at = |name: &str| folder.join(name);
    // The first is a pipe: whoever opens it for writing knows that the folder was listed, and that reading began. In the
    // folder it is none of the files.
    assert!(Command::new("mkfifo").arg(at("a.png")).status().unwrap().success());
    good.save(at("b.png")).unwrap();
    good.save(at("c.png")).unwrap();
    symlink("nothing-here", at("d.png")).unwrap();
    symlink("e.png", at("e.png")).unwrap();
    fs::create_dir(at("f.png")).unwrap();
    symlink(at("f.png"), at("g.png")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_eyear"))
        .args([
            "inspect",
            &part,
            "--json",
            text(&at("a.png")),
            text(&folder),
            text(&at("gone.png")),
            text(&at("c.png")),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = fs::OpenOptions::new().write(true).open(at("a.png")).unwrap();
    fs::remove_file(at("b.png")).unwrap();
    let mut bytes = Vec::new();
    good.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    pipe.write_all(&bytes).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let judged = lines(&output);
    let told: Vec<(bool, &str)> =
        judged.iter().map(|line| (line["verdict"] == "pass", line["error"].as_str().unwrap_or_default())).collect();
    let expected = [
        (true, ""),
        (false, "b.png: No such file"),
        (true, ""),
        (false, "d.png: No such file"),
        (false, "e.png: Too many levels of symbolic links"),
        (false, "gone.png: No such file"),
        (true, ""),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((passed, error), (passes, word)) in told.iter().zip(expected) {
        assert!(*passed == passes && error.contains(word), "{word}: {error}");
    }
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("note: not used: ") && told.contains("a.png (no file but a pipe"), "{told}");
}

#[test]
fn names_do_not_steer_a_terminal_and_litter_is_no_picture() {
    let (dir, part, good) = paper();
    let folder = dir.path().join("many");
    fs::create_dir(&folder).unwrap();
    let forged = "a\u{1b}[31m\nb.png  pass  0.10.png";
    let mut bytes = Vec::new();
    good.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    for name in [forged, "不合格.png", "c.png"] {
        fs::write(folder.join(name), &bytes).unwrap();
    }
    for name in ["._c.png", ".DS_Store", "Thumbs.db", "d.avif", "e\u{1b}[2J.png"] {
        fs::write(folder.join(name), b"no picture").unwrap();
    }
    let output = eyear(&["inspect", &part, text(&folder)]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(!said(&output).contains('\u{1b}') && !told.contains('\u{1b}'), "{told}{}", said(&output));
    assert_eq!(said(&output).lines().count(), 6, "{}", said(&output));
    assert!(said(&output).contains("a\\u{1b}[31m\\nb.png"), "{}", said(&output));
    assert!(told.contains("note: not used: 1 other file (1 .avif)") && told.lines().count() == 2, "{told}");
    // Copies teach nothing; the one that is left is enough.
    let other = dir.path().join("other").display().to_string();
    fs::remove_file(folder.join("e\u{1b}[2J.png")).unwrap();
    let output = eyear(&["teach", &other, "--good", text(&folder), "--kind", "texture"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told = said(&output);
    assert!(told.contains("taught from 1 good pictures") && told.contains("duplicates are skipped"), "{told}");
    assert!(told.contains("and 1 more copies") && !told.contains('\u{1b}'), "{told}");
    // What is known is no news.
    refused(&["teach", &other, "--add", "--good", text(&folder.join("c.png"))], &["none of 1", "was taught already"]);
}

#[test]
fn what_shows_nothing_is_not_taught_and_a_mask_is_not_stretched() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let folder = dir.path().join("black");
    fs::create_dir(&folder).unwrap();
    let at = |name: &str| folder.join(name);
    let cap = |seed: u32| image::GrayImage::from_fn(64, 48, |x, y| image::Luma([((x * 7 + y * 13 + seed) % 3) as u8]));
    (0..3).for_each(|seed| cap(seed).save(at(&format!("{seed}.png"))).unwrap());
    let words = ["none of 3 good pictures can be taught", "0.png: nothing is to be seen: it is black (mean 1"];
    refused(&["teach", &part, "--good", text(&folder)], &words);
    assert!(!Path::new(&part).join("part.toml").exists());
    // Twelve bits in sixteen, and another size.
    let noise = |x: u32, y: u32| (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 20;
    let deep = |width: u32| {
        image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_fn(width, width, |x, y| {
            image::Luma([noise(x, y) as u16])
        })
    };
    let papers = dir.path().join("papers");
    fs::create_dir(&papers).unwrap();
    for (i, width) in [60, 61, 62, 200].into_iter().enumerate() {
        DynamicImage::ImageLuma16(deep(width)).save(papers.join(format!("{i}.png"))).unwrap();
    }
    let mask = |width: u32, height: u32, value: u16| {
        let path = dir.path().join(format!("{width}x{height}-{value}.png"));
        let of = |x: u32, _: u32| image::Luma([if x < width / 2 { 0 } else { value }]);
        DynamicImage::ImageLuma16(image::ImageBuffer::from_fn(width, height, of)).save(&path).unwrap();
        path.display().to_string()
    };
    let teach = |mask: &str| eyear(&["teach", &part, "--good", text(&papers), "--kind", "texture", "--mask", mask]);
    // Ones, in sixteen bits, at another size: half of the picture is looked at.
    let output = teach(&mask(30, 30, 1));
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("use 17 of 256 levels (the brightest is 16)") && told.contains("in 16 want"), "{told}");
    assert!(told.contains("sizes differ: most good pictures have 200 x 200 pixels"), "{told}");
    let output = teach(&mask(60, 30, 65_535));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("the mask has 60 x 30 pixels, the good pictures 60 x 60"), "{told}");
}

#[test]
fn a_place_that_is_no_folder_is_told() {
    let (dir, part, _) = paper();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let endless = dir.path().join("loop");
    symlink(&endless, &endless).unwrap();
    let good = files("tests/data/paper/train/good").remove(0);
    let beneath = file.join("part").display().to_string();
    refused(&["teach", text(&file), "--good", &good], &["cannot make", text(&file)]);
    refused(&["teach", &beneath, "--good", &good], &["cannot make", &beneath]);
    refused(&["teach", &part, "--good", text(&endless)], &["cannot read", text(&endless), "symbolic links"]);
    refused(&["teach", &part, "--good", &good, &beneath], &["cannot read", &beneath, "Not a directory"]);
    refused(&["inspect", text(&file), &good], &["cannot read", text(&file)]);
    refused(&["inspect", &part, &good, "--out", text(&file)], &["cannot make", text(&file)]);
    refused(&["eval", text(&file)], &[text(&file)]);
    refused(&["eval", text(&endless)], &[text(&endless)]);
    refused(&["eval", "tests/data/paper", "--part", &part, "--out", text(&file)], &["cannot make", text(&file)]);
    refused(&["bench", &part, text(&endless)], &["cannot read", text(&endless)]);
    // A folder that cannot be listed, for root too: its path is longer than the system takes.
    let deep = dir.path().join("deep");
    fs::create_dir(&deep).unwrap();
    let script =
        "i=0; while [ $i -lt 20 ]; do d=$(printf %0250d 0); mkdir $d && cd -P $d || exit 1; i=$((i + 1)); done";
    assert!(Command::new("sh").args(["-c", script]).current_dir(&deep).status().unwrap().success());
    refused(&["inspect", &part, text(&deep)], &["cannot read", text(&deep), "File name too long"]);
}

#[test]
fn pictures_of_odd_sides_are_taught_and_judged_or_refused_but_never_a_panic() {
    let dir = TempDir::new().unwrap();
    let noise = |width: u32, height: u32, seed: u32| {
        image::RgbImage::from_fn(width, height, |x, y| {
            let value = (x * 7919 + y * 104_729 + seed * 31).wrapping_mul(2_654_435_761) >> 24;
            image::Rgb([value as u8, value as u8 / 2, 255 - value as u8])
        })
    };
    for (width, height) in [(1, 1), (1, 97), (97, 1), (10_000, 3)] {
        let folder = dir.path().join(format!("{width}x{height}"));
        fs::create_dir(&folder).unwrap();
        for seed in 0..3 {
            noise(width, height, seed).save(folder.join(format!("{seed}.png"))).unwrap();
        }
        for kind in [&[][..], &["--kind", "texture"], &["--kind", "framed"], &["--kind", "golden"]] {
            let name = format!("{width}x{height}-part{}", kind.last().unwrap_or(&""));
            let part = dir.path().join(name).display().to_string();
            let output = eyear(&[&["teach", &part], kind, &["--good", text(&folder)]].concat());
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let case = format!("{width} x {height} {kind:?}: {told}");
            match output.status.code() {
                Some(0) => {
                    let output = eyear(&["inspect", &part, "--json", text(&folder.join("1.png"))]);
                    assert!(matches!(output.status.code(), Some(0 | 1)), "{case}{:?}", output);
                    assert!(lines(&output)[0]["score"].is_number(), "{case}{}", said(&output));
                    // Pictures of another shape are not judged.
                    let output = eyear(&["inspect", &part, "--json", "tests/data/cookie/test/good/t001.jpg"]);
                    assert_eq!(lines(&output)[0]["verdict"], "invalid", "{case}{}", said(&output));
                }
                Some(2) => {
                    assert!(told.starts_with("error: ") && told.lines().count() == 1, "{case}");
                    // One pixel shows nothing.
                    let is_blank = width * height == 1 && told.contains("nothing is to be seen");
                    assert!(is_blank || kind.last() == Some(&"golden"), "{case}");
                }
                _ => panic!("{case}"),
            }
        }
    }
}

#[test]
fn names_that_are_no_text_are_judged_like_others() {
    let (dir, part, good) = paper();
    let folder = dir.path().join("odd names");
    fs::create_dir(&folder).unwrap();
    let mut bytes = Vec::new();
    good.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    for name in [&b"\xff\xfe.png"[..], b"a b;'\".png", "\u{96f6}\u{4ef6}.png".as_bytes(), b"--json.png"] {
        fs::write(folder.join(OsStr::from_bytes(name)), &bytes).unwrap();
    }
    let out = dir.path().join("out");
    let output = eyear(&["inspect", &part, "--json", text(&folder), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines(&output).len(), 4);
    // Two files each, the page, and the folder with what it shows.
    assert_eq!(fs::read_dir(out).unwrap().count(), 10);
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
        ("format = 5", "format = 9", "`format` is 9, this build reads 5: teach the part again"),
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
pub fn package(dir: &Path, change: impl Fn(String) -> String) -> String {
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

/// Runs the command where no file may grow beyond 32 KiB, as on a disk that is full; the signal that comes with it is
/// ignored.
fn on_a_full_disk(arguments: &[&str]) -> Output {
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_eyear")]).args(arguments);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
}

/// The files of a folder and what they hold.
fn held(folder: &str) -> BTreeMap<OsString, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files.map(|file| (file.file_name(), fs::read(file.path()).unwrap())).collect()
}

#[test]
fn a_full_disk_leaves_the_old_part_as_it_was() {
    let (dir, part, _) = paper();
    let good = files("tests/data/paper/test/good").remove(0);
    let before = held(&part);
    let fresh = dir.path().join("fresh").display().to_string();
    for (arguments, part) in [
        (&["teach", &part, "--add", "--good", &good][..], &part),
        (&["teach", &part, "--good", "tests/data/paper/train/good"], &part),
        (&["teach", &fresh, "--good", "tests/data/paper/train/good"], &fresh),
    ] {
        let output = on_a_full_disk(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains("cannot write") && told.contains(part) && told.lines().count() == 1, "{told}");
        assert!(said(&output).is_empty(), "{}", said(&output));
    }
    assert!(held(&part) == before, "{:?}", held(&part).keys());
    assert_eq!(eyear(&["inspect", &part, &good]).status.code(), Some(0));
    // Where there was no part, there is none now, and no half one.
    assert!(!Path::new(&fresh).exists() || held(&fresh).is_empty(), "a half part");
    refused(&["inspect", &fresh, &good], &["no part in", &fresh]);
    // What is still possible on a full disk: going back, for it only renames.
    assert_eq!(eyear(&["teach", &part, "--add", "--good", &good]).status.code(), Some(0));
    assert_eq!(on_a_full_disk(&["teach", &part, "--undo"]).status.code(), Some(0));
    assert!(held(&part) == before, "{:?}", held(&part).keys());
}

#[test]
fn a_full_disk_under_the_reports_is_told() {
    let (dir, part, good) = paper();
    // Noise does not fit into 32 KiB.
    let noisy = dir.path().join("noisy.png");
    let (width, height) = good.dimensions();
    let value = |x: u32, y: u32| (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 24;
    image::RgbImage::from_fn(width, height, |x, y| image::Rgb([value(x, y) as u8, value(y, x) as u8, x as u8]))
        .save(&noisy)
        .unwrap();
    let out = dir.path().join("out");
    let output = on_a_full_disk(&["inspect", &part, text(&noisy), "--out", text(&out)]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("cannot write") && told.contains(text(&out)) && told.lines().count() == 1, "{told}");
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for flags in [&[][..], &["--json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
        command.args(["inspect", &part, text(&noisy)]).args(flags).stdout(full());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.starts_with("error: cannot write the output: No space left"), "{told}");
        assert_eq!(command.stderr(full()).status().unwrap().code(), Some(2));
    }
}

#[test]
fn what_a_power_cut_left_half_written_is_swept_away() {
    let (_dir, part, _) = paper();
    let before = held(&part);
    for name in [".writing-a1b2c3", "memory-0123456789ab.safetensors"] {
        fs::write(Path::new(&part).join(name), b"half").unwrap();
    }
    let good = files("tests/data/paper/test/good").remove(0);
    assert_eq!(eyear(&["inspect", &part, &good]).status.code(), Some(0));
    assert_eq!(eyear(&["teach", &part, "--add", "--good", &good]).status.code(), Some(0));
    // Old and new numbers and cards, nothing else.
    assert_eq!(held(&part).len(), 4, "{:?}", held(&part).keys());
    assert_eq!(eyear(&["teach", &part, "--undo"]).status.code(), Some(0));
    assert!(held(&part) == before, "{:?}", held(&part).keys());
}

#[test]
fn the_reader_of_the_output_may_go_away() {
    let (dir, part, _) = paper();
    let broken = dir.path().join("broken.png");
    fs::write(&broken, b"no picture").unwrap();
    let run = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("E", env!("CARGO_BIN_EXE_eyear")).env("P", &part).env("B", &broken);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    };
    for command in [
        "inspect \"$P\" tests/data/paper/test",
        "inspect \"$P\" --json tests/data/paper/test",
        "eval tests/data/paper --part \"$P\"",
        "eval tests/data/paper --part \"$P\" --json",
        "bench \"$P\" tests/data/paper/test --rounds 1",
        "model list",
        "model list --json",
        "model verify",
        "doctor",
        "doctor --json",
        "--help",
    ] {
        // The reader is gone before the first word.
        let output = run(&format!("exec 3>&1; {{ sleep 0.2; \"$E\" {command}; echo $? >&3; }} | true"));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.is_empty(), "{command}: {told}");
        assert_eq!(said(&output), "0\n", "{command}");
    }
    // Nor does it matter that nobody reads the errors: the exit code still tells.
    for command in ["inspect nowhere \"$B\"", "inspect \"$P\" \"$B\" tests/data/paper/test", "model verify nowhere"] {
        let output = run(&format!("exec 3>&1; {{ sleep 0.2; \"$E\" {command} 2>&1 >/dev/null; echo $? >&3; }} | true"));
        assert_eq!(said(&output), "2\n", "{command}");
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
        let output = Command::new(env!("CARGO_BIN_EXE_eyear"))
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
