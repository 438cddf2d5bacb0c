//! `eyear eval --robust`: the figures of worsened samples beside the clean ones.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bad_input::{refused, text};
use crate::commands::{eyear, files, lines, said};
use crate::hearing::machine;
use crate::pairs::pairs;

/// What each row tells as `eyear eval` tells it.
const TOLD: [&str; 6] = ["image_auroc", "audio_auroc", "aupro", "overkill", "escape", "unsure"];

/// Runs `eyear eval --json` with more arguments and gives the figures.
fn figures(arguments: &[&str]) -> Value {
    let output = eyear(&[&["eval", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let mut figures = lines(&output);
    assert_eq!(figures.len(), 1, "one object a data set");
    figures.remove(0)
}

fn rows(figures: &Value) -> &Vec<Value> {
    figures["robust"].as_array().unwrap_or_else(|| panic!("no `robust` in {figures}"))
}

/// The row of a worsening, at its worst.
fn row<'a>(figures: &'a Value, name: &str) -> &'a Value {
    rows(figures).iter().rfind(|row| row["worsening"] == name).unwrap_or_else(|| panic!("no {name} in {figures}"))
}

/// A data set of a few papers, good and bad, with masks.
fn papers() -> TempDir {
    let dir = TempDir::new().unwrap();
    for (folder, most) in [("train/good", 6), ("test/good", 3), ("test/impurity", 3), ("ground_truth/impurity", 3)] {
        let into = dir.path().join("papers").join(folder);
        fs::create_dir_all(&into).unwrap();
        for file in files(&format!("tests/data/paper/{folder}")).iter().take(most) {
            fs::copy(file, into.join(Path::new(file).file_name().unwrap())).unwrap();
        }
    }
    dir
}

#[test]
fn pictures_are_judged_worsened_beside_the_clean_ones() {
    let dir = papers();
    let set = dir.path().join("papers");
    let told = ["--shots", "5", "--overkill", "0.05", "--input", "192x192", "--precision", "fp32", "--kind", "texture"];
    let asked = |more: &[&str]| figures(&[&[text(&set)], &told[..], more].concat());
    let (plain, robust) = (asked(&[]), asked(&["--robust"]));
    assert!(plain["robust"].is_null() && robust["taught"] == 5, "{plain}");
    let clean = &rows(&robust)[0];
    assert_eq!((&clean["worsening"], &clean["level"]), (&json!("clean"), &Value::Null));
    for field in TOLD {
        assert_eq!((&clean[field], &robust[field]), (&plain[field], &plain[field]), "{field}: {robust}");
    }
    assert!(clean["aupro"].is_number() && clean["overkill"]["of"] == 3, "{clean}");
    // Each level of each way, and both patches.
    assert_eq!(rows(&robust).len(), 1 + 16 + 2, "{robust}");
    // A strong blur leaves nothing to judge by, and says so.
    let blur = row(&robust, "blur");
    assert_eq!((&blur["level"], &blur["unit"]), (&json!(1.0), &json!("%")));
    assert_eq!((&blur["invalid"], &blur["reasons"]["out_of_focus"]), (&json!([3, 3]), &json!(6)), "{blur}");
    assert!(blur["overkill"]["count"] == 3 && blur["rest"]["judged"] == json!([0, 0]), "{blur}");
    assert!(blur["aupro"].is_number() && blur["aupro"] != clean["aupro"], "{blur}");
    // The sticker is for good ones, the camouflage for bad ones.
    let [sticker, camouflage] = ["sticker", "camouflage"].map(|name| row(&robust, name));
    assert!(sticker["escape"] == clean["escape"] && sticker["aupro"].is_null(), "{sticker}");
    assert!(sticker["image_auroc"].as_f64().unwrap() < clean["image_auroc"].as_f64().unwrap(), "{sticker}");
    assert!(camouflage["overkill"] == clean["overkill"] && camouflage["image_auroc"].is_number(), "{camouflage}");
    // The seed draws the same again, and another one draws others; all that is taught is the same.
    let whole = |seed: &str| figures(&[text(&set), "--input", "192x192", "--robust", "--seed", seed]);
    let [first, again, other] = ["1", "1", "2"].map(whole);
    assert_eq!(first["robust"], again["robust"]);
    assert_eq!(rows(&first)[0], rows(&other)[0]);
    assert_ne!(row(&first, "occlusion")["aupro"], row(&other, "occlusion")["aupro"]);
    assert_eq!(row(&first, "blur"), row(&other, "blur"));
}

/// What a camera does from day to day is no defect.
#[test]
fn a_little_noise_or_another_compression_rejects_hardly_a_good_one() {
    let told = figures(&["tests/data/paper", "--robust"]);
    let rejected = |name: &str, level: f64| {
        let row = rows(&told).iter().find(|row| row["worsening"] == name && row["level"] == level);
        row.unwrap_or_else(|| panic!("no {name} {level} in {told}"))["overkill"]["count"].as_u64().unwrap()
    };
    let good = rows(&told)[0]["overkill"]["of"].as_u64().unwrap();
    let [noise, jpeg] = [rejected("noise", 4.0), rejected("jpeg", 90.0)];
    assert!(good >= 4 && noise <= good / 4 && jpeg <= good / 2, "{noise} and {jpeg} of {good}: {told}");
    // And what is strange stays so.
    assert_eq!(rows(&told)[1]["escape"]["count"], 0, "{told}");
}

#[test]
fn the_table_and_the_page_tell_what_differs() {
    let (dir, out) = (papers(), TempDir::new().unwrap());
    let set = dir.path().join("papers");
    let words = ["--words", "--kinds", "impurity=foreign"];
    let asked = ["eval", text(&set), "--input", "192x192", "--robust", "--out", text(out.path())];
    let output = eyear(&[&asked[..], &words].concat());
    let table = said(&output);
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    let head = lines.iter().position(|line| line.starts_with("corruption ")).unwrap_or_else(|| panic!("{table}"));
    assert!(lines[head + 1].starts_with("clean ") && lines[head + 2].starts_with("noise "), "{table}");
    assert!(lines[head].contains("AUPRO") && lines[head].contains("of the rest"), "{table}");
    let blur = lines.iter().rfind(|line| line.starts_with("blur ")).unwrap();
    // Each row is worded anew: what is refused is not written of, and nothing is said that the measurements contradict.
    let of = |line: &str, column: &str| {
        let at = lines[head].find(column).unwrap();
        line[at..].trim_start().split("  ").next().unwrap().to_string()
    };
    assert!(of(lines[head + 1], "kind in words").ends_with('%'), "{table}");
    for line in &lines[head + 1..head + 1 + 19] {
        let contradicted = of(line, "contradicted");
        assert!(contradicted == "-" || contradicted.starts_with("0 of "), "{line}");
    }
    assert_eq!(of(blur, "contradicted"), "-");
    assert!(blur.contains("1 %") && blur.contains(" +") && blur.ends_with("out of focus 6"), "{table}");
    let page = fs::read_to_string(out.path().join("papers.html")).unwrap();
    for text in ["Corrupted samples", "样品劣化测试", "最严重缺陷的类型正确", "遮挡", "out of focus 6", "<small>"]
    {
        assert!(page.contains(text), "no {text}");
    }
}

#[test]
fn sounds_are_judged_worsened_and_what_cannot_be_heard_is_refused() {
    let heard = figures(&["tests/data/machine", "--part", machine(), "--inject", "knock", "--snr", "6", "--robust"]);
    let clean = &rows(&heard)[0];
    for field in TOLD {
        assert_eq!(clean[field], heard[field], "{field}: {heard}");
    }
    assert_eq!(rows(&heard).len(), 1 + 14, "{heard}");
    let gap = row(&heard, "gap");
    assert_eq!((&gap["level"], &gap["unit"], &gap["invalid"]), (&json!(150.0), &json!("ms"), &json!([6, 7])), "{gap}");
    assert!(gap["reasons"]["silent"] == 13 && gap["rest"]["auroc"].is_null(), "{gap}");
    assert_eq!(row(&heard, "overdriven")["reasons"].as_object().unwrap().keys().collect::<Vec<_>>(), ["clipped"]);
    // Nothing is left of half of what was taught.
    let narrow = row(&heard, "narrow band");
    assert!(narrow["overkill"]["count"] == 6 && narrow["invalid"] == json!([0, 0]), "{narrow}");
}

#[test]
fn each_sense_of_what_is_seen_and_heard_is_dropped_and_worsened() {
    let (all, part) = pairs();
    let dir = TempDir::new().unwrap();
    for (kind, count) in [("good", 2), ("broken", 2), ("rattling", 1)] {
        for i in 0..count {
            let (from, to) = (all.join(format!("test/{kind}/{i:02}")), dir.path().join(format!("test/{kind}/{i:02}")));
            fs::create_dir_all(&to).unwrap();
            for file in ["cam0.jpg", "mic0.flac"] {
                fs::copy(from.join(file), to.join(file)).unwrap();
            }
        }
    }
    let both = figures(&[text(dir.path()), "--part", part, "--robust"]);
    let clean = &rows(&both)[0];
    assert!(clean["joint_auroc"].is_number() && clean["degraded"] == json!([0, 0]), "{clean}");
    assert_eq!((&clean["joint_auroc"], &clean["escape"]), (&both["joint_auroc"], &both["escape"]));
    for (name, code, missing, left) in [
        ("no picture", "no_image", "image_auroc", "audio_auroc"),
        ("no sound", "no_sound", "audio_auroc", "image_auroc"),
    ] {
        let without = row(&both, name);
        assert!(without[missing].is_null() && without[left] == clean[left], "{without}");
        assert_eq!((&without["degraded"], &without["invalid"]), (&json!([2, 3]), &json!([0, 0])), "{without}");
        assert_eq!(without["reasons"], json!({ code: 5 }));
        // The other sense has the word.
        assert_eq!(without["joint_auroc"], without[left], "{without}");
    }
    // The worst of each way, of either sense.
    let ways: Vec<&str> = rows(&both).iter().map(|row| row["worsening"].as_str().unwrap()).collect();
    assert!(["blur", "sticker", "white noise", "narrow band"].iter().all(|way| ways.contains(way)), "{ways:?}");
    let mut once = ways.clone();
    once.dedup();
    assert_eq!(once, ways);
    let blur = row(&both, "blur");
    assert_eq!((&blur["degraded"], &blur["reasons"]["out_of_focus"]), (&json!([2, 3]), &json!(5)), "{blur}");
    assert_eq!(blur["audio_auroc"], clean["audio_auroc"]);
    // A part of one sense has none to drop.
    refused(
        &["eval", text(dir.path()), "--part", machine(), "--robust"],
        &["--robust drops each modality", "with one only"],
    );
}

#[test]
fn baselines_are_not_judged_worsened() {
    let output = eyear(&["eval", "tests/data/machine", "--robust", "--baselines"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("cannot be used with '--baselines'"), "{told}");
}
