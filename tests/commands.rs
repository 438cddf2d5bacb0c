//! The binary as a user runs it, on the real pictures under `tests/data`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Runs `eyear` in the project's folder.
pub fn eyear(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eyear"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary starts")
}

/// Standard output as text.
pub fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("standard output is text")
}

/// A part taught from the good biscuits, and the folder it lies in.
fn biscuit() -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("biscuit").display().to_string();
    let output = eyear(&["teach", &part, "--good", "tests/data/cookie/train/good"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said(&output).contains("taught from 31 good pictures"), "{}", said(&output));
    (dir, part)
}

fn lines(output: &Output) -> Vec<Value> {
    said(output).lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

#[test]
fn broken_biscuits_are_stranger_than_whole_ones() {
    let (_dir, part) = biscuit();
    let good = eyear(&["inspect", &part, "--json", "tests/data/cookie/test/good"]);
    let bad = eyear(&["inspect", &part, "--json", "tests/data/cookie/test/broken"]);
    assert_eq!(bad.status.code(), Some(1));
    let scores = |output: &Output| -> Vec<f64> { lines(output).iter().map(|l| l["score"].as_f64().unwrap()).collect() };
    let (good, bad) = (scores(&good), scores(&bad));
    assert_eq!((good.len(), bad.len()), (7, 10));
    let strangest_good = good.iter().copied().fold(f64::MIN, f64::max);
    assert!(bad.iter().filter(|&&score| score > strangest_good).count() >= 9, "good {good:?} bad {bad:?}");
}

#[test]
fn a_line_of_json_tells_what_a_program_needs() {
    let (_dir, part) = biscuit();
    let output = eyear(&["inspect", &part, "--json", "tests/data/cookie/test/broken/a001.jpg"]);
    let line = &lines(&output)[0];
    for field in ["file", "verdict", "score", "limit", "p_value", "findings", "ms", "ran_on", "judged_by"] {
        assert!(!line[field].is_null(), "no `{field}` in {line}");
    }
    assert_eq!(line["judged_by"]["part"], "biscuit");
    assert!(line["ran_on"][0]["nodes"].as_u64().unwrap() > 0);
}

#[test]
fn adding_good_pictures_can_be_taken_back() {
    let (_dir, part) = biscuit();
    let before = std::fs::read_to_string(Path::new(&part).join("part.toml")).unwrap();
    let output = eyear(&["teach", &part, "--add", "--good", "tests/data/cookie/test/good/t001.jpg"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let after = std::fs::read_to_string(Path::new(&part).join("part.toml")).unwrap();
    assert!(after.contains("good = 32"), "{after}");
    assert_eq!(eyear(&["teach", &part, "--undo"]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(Path::new(&part).join("part.toml")).unwrap(), before);
}

#[test]
fn evaluation_prints_the_figures_that_were_asked_for() {
    let output = eyear(&["eval", "tests/data/paper", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let figures = &lines(&output)[0];
    assert!(figures["image_auroc"].as_f64().unwrap() > 0.9, "{figures}");
    assert!(figures["pixel_auroc"].as_f64().unwrap() > 0.9, "{figures}");
    for field in ["aupro", "f1_max", "overkill", "escape", "per_kind", "images_per_s", "peak_memory_mb"] {
        assert!(!figures[field].is_null(), "no `{field}` in {figures}");
    }
    assert!(figures["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_lies_outside_the_region_of_interest_is_not_looked_at() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("biscuit").display().to_string();
    // The lower half is not looked at: t001 differs from the others by the tray's edge down there.
    let output = eyear(&["teach", &part, "--good", "tests/data/cookie/train/good", "--roi", "0,0,288,192"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for line in lines(&eyear(&["inspect", &part, "--json", "tests/data/cookie/test"])) {
        for finding in line["findings"].as_array().unwrap() {
            let region = &finding["region"];
            let low = region["y"].as_u64().unwrap() + region["height"].as_u64().unwrap();
            assert!(low <= 202, "{line}");
        }
    }
    let outside = eyear(&["teach", &part, "--good", "tests/data/cookie/train/good", "--roi", "200,0,288,192"]);
    assert_eq!(outside.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&outside.stderr).contains("leaves the picture"));
}

#[test]
fn five_good_pictures_are_enough_to_start() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("paper").display().to_string();
    let mut arguments = vec!["teach".to_string(), part.clone(), "--good".into()];
    let mut good: Vec<_> =
        std::fs::read_dir("tests/data/paper/train/good").unwrap().map(|f| f.unwrap().path()).collect();
    good.sort();
    arguments.extend(good.iter().take(5).map(|path| path.display().to_string()));
    let output = eyear(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said(&output).contains("more good pictures would help"), "{}", said(&output));
    let judged = lines(&eyear(&["inspect", &part, "--json", "tests/data/paper/test/impurity"]));
    let failed = judged.iter().filter(|line| line["verdict"] == "fail").count();
    assert!(2 * failed > judged.len(), "{judged:?}");
}
