//! Parts as files: shown, changed without teaching again, copied and carried to another machine.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::bad_input::text;
use crate::commands::{eyear, files, lines, said};
use crate::taught::{Taught, own, taught};

const SMALL: [&str; 4] = ["--good", "tests/data/cookie/train/good", "--input", "64x64"];

/// Runs `eyear part` with these arguments, which must end with 0.
fn part(arguments: &[&str]) -> String {
    let output = eyear(&[&["part"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    said(&output)
}

fn shown(folder: &str) -> Value {
    serde_json::from_str(&part(&["show", folder, "--json"])).unwrap()
}

/// The same, which must be refused by a sentence with `words`.
fn refused(arguments: &[&str], words: &str) {
    let output = eyear(&[&["part"], arguments].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert!(told.contains(words) && told.lines().count() == 1, "{arguments:?}: {told}");
}

#[test]
fn a_part_shows_its_samples_and_where_it_looks() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("left").display().to_string();
    let good = files("tests/data/cookie/train/good");
    let half = ["--input", "64x64", "--kind", "framed", "--roi", "0,0,144,384"];
    let output = eyear(&[&["teach", &folder, "--good", &good[0], &good[1], &good[2]], &half[..]].concat());
    assert_eq!(output.status.code(), Some(0));
    let png = dir.path().join("left.png");
    let told = part(&["show", &folder, "--picture", text(&png)]);
    for line in
        ["image, ", "sample     good/n001.jpg", "inspected  50 % of the image", "input 64 x 64", "rejects at most 1 %"]
    {
        assert!(told.contains(line), "no `{line}` in {told}");
    }
    // The picture has the shape of the samples, and what is not inspected is greyer than what is.
    let picture = image::open(png).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (720, 960));
    let colour = |from: u32| {
        let pixels = picture.enumerate_pixels().filter(|(x, ..)| (from..from + 360).contains(x));
        pixels.map(|(_, _, pixel)| u64::from(pixel[0].abs_diff(pixel[2]))).sum::<u64>()
    };
    assert!(colour(0) > colour(360) * 3 / 2, "{} {}", colour(0), colour(360));
    let page = dir.path().join("page");
    let bad = &files("tests/data/cookie/test/broken")[0];
    eyear(&["inspect", &folder, bad, "--out", text(&page)]);
    let overlay = fs::read_dir(&page).unwrap().map(|file| file.unwrap().path());
    let overlay = overlay.into_iter().find(|path| text(path).ends_with(".overlay.png")).unwrap();
    let (whole, hatched) = (image::open(bad).unwrap().to_rgb8(), image::open(overlay).unwrap().to_rgb8());
    let changed = |from: u32| {
        (from..from + 144)
            .flat_map(|x| (0..384).map(move |y| (x, y)))
            .filter(|&(x, y)| whole.get_pixel(x, y) != hatched.get_pixel(x, y))
            .count()
    };
    assert!(changed(144) > 50_000 && changed(0) < 50_000, "{} {}", changed(0), changed(144));
    // The page shows small pictures from files, and holds none itself.
    let html = fs::read_to_string(page.join("index.html")).unwrap();
    assert!(!html.contains("data:image/jpeg") && fs::read_dir(page.join("pictures")).unwrap().count() == 3);
}

#[test]
fn another_share_moves_the_limit_and_goes_back() {
    let (_dir, folder) = own("small", &SMALL);
    let before = shown(&folder);
    let judged = |folder: &str| {
        let pictures = files("tests/data/cookie/test/good");
        lines(&eyear(&["inspect", folder, "--json", &pictures[0], &pictures[1]]))
    };
    let first = judged(&folder);
    assert!(part(&["set", &folder, "--overkill", "0.2"]).contains("rejects at most 20 % of good parts, before 1 %"));
    let (after, second) = (shown(&folder), judged(&folder));
    let limit = |shown: &Value| shown["senses"][0]["limit"].as_f64().unwrap();
    assert!(limit(&after) < limit(&before) && after["digest"] != before["digest"]);
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((&first["score"], &first["p_value"]), (&second["score"], &second["p_value"]));
        assert!((second["limit"].as_f64().unwrap() - limit(&after)).abs() < 1e-4, "{second}");
    }
    said(&eyear(&["teach", &folder, "--undo"]));
    assert_eq!(shown(&folder), before);
    refused(&["set", &folder, "--overkill", "1"], "`overkill` must be between 0 and 1, got 1");
    assert_eq!(shown(&folder), before);
}

#[test]
fn a_part_moves_to_another_machine_in_one_file() {
    let (dir, folder) = own("small", &SMALL);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let digest = shown(&folder)["digest"].clone();
    part(&["export", &folder, &at("small.eyear")]);
    part(&["import", &at("small.eyear"), &at("there")]);
    assert_eq!(shown(&at("there"))["digest"], digest);
    refused(&["import", &at("small.eyear"), &at("there")], "exists already");
    refused(&["export", &folder, &at("small.eyear")], "exists already");
    part(&["copy", &folder, &at("copy")]);
    part(&["rename", &at("copy"), &at("cake")]);
    assert_eq!((shown(&at("cake"))["name"].as_str(), Path::new(&at("copy")).exists()), (Some("cake"), false));
    refused(&["rename", &at("cake"), &at("there")], "exists already");
    refused(&["show", &at("copy")], "no part in");
    // One byte of the file, and it is refused whole.
    let mut bytes = fs::read(at("small.eyear")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(at("damaged.eyear"), bytes).unwrap();
    refused(&["import", &at("damaged.eyear"), &at("damaged")], "sha256 is");
    assert!(!Path::new(&at("damaged")).exists());
    let names: Vec<String> =
        part(&["list", text(dir.path())]).lines().map(|line| line.split(": ").nth(1).unwrap().into()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].starts_with("cake, 31 good pictures, rejects at most 1 %"), "{names:?}");
    let listed = eyear(&["part", "list", text(dir.path()), "--json"]);
    assert_eq!(lines(&listed).len(), 3);
}

#[test]
fn a_part_of_sounds_shows_what_it_was_taught_from() {
    let Taught { part: folder, .. } = taught("machine", &["--good", "tests/data/machine/train/normal"]);
    let told = part(&["show", folder, "--samples"]);
    assert!(told.contains("sound: ") && told.matches("  sample     normal/").count() > 3, "{told}");
}
