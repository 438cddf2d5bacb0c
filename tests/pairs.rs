//! Parts that are seen and heard: biscuits on the belt of a machine, each real, put together by us.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use eyear::evaluate::faults::{Fault, FaultKind, inject};
use eyear::source::recording::sound;
use serde_json::Value;
use tempfile::TempDir;

use crate::commands::{eyear, lines, said};
use crate::microphone::wav;
use crate::taught::{Taught, home, taught};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(Path::new(DATA).join(folder)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// A folder of one part.
fn put(dir: &Path, picture: Option<&Path>, sound: Option<&Path>) {
    fs::create_dir_all(dir).unwrap();
    for (file, name) in [(picture, "cam0"), (sound, "mic0")] {
        if let Some(file) = file {
            let extension = file.extension().unwrap().to_str().unwrap();
            fs::copy(file, dir.join(format!("{name}.{extension}"))).unwrap();
        }
    }
    fs::write(dir.join("meta.json"), "{}").unwrap();
}

/// A data set of pairs, and a part taught from it, once for all tests.
pub fn pairs() -> &'static (PathBuf, String) {
    static PAIRS: OnceLock<(PathBuf, String)> = OnceLock::new();
    PAIRS.get_or_init(|| {
        let set = home().join("pairs");
        let laid = Command::new("sh").arg(".ci/pairs").arg(&set).current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(laid.unwrap().success());
        let Taught { part, said: told } = taught("pairs", &["--good", set.join("train/good").to_str().unwrap()]);
        assert!(told.contains("24 good pictures") && told.contains("24 good sounds"), "{told}");
        assert!(told.contains("image and sound are independent: cross-modal consistency is not checked"), "{told}");
        (set, part.clone())
    })
}

fn judged(folder: &Path) -> Value {
    lines(&eyear(&["inspect", &pairs().1, "--json", folder.to_str().unwrap()])).remove(0)
}

#[test]
fn one_verdict_joins_what_is_seen_and_heard() {
    let (set, part) = pairs();
    let figures = &lines(&eyear(&["eval", set.to_str().unwrap(), "--part", part, "--json"]))[0];
    assert_eq!(figures["judged"], serde_json::json!([6, 11]), "{figures}");
    let [joint, seen, heard] =
        ["joint_auroc", "image_auroc", "audio_auroc"].map(|key| figures[key].as_f64().expect(key));
    // Each sense is deaf or blind to what the other alone can tell.
    assert!(joint > seen.max(heard) && joint > 0.95, "{joint} {seen} {heard}");
    assert_eq!(figures["overkill"]["count"], 0, "{figures}");
    for sense in ["sight", "hearing"] {
        let alone = &figures["alone"][sense];
        assert!(["auroc", "pauc", "f1_max"].iter().all(|key| alone[key].is_number()), "{figures}");
        assert!(alone["escape"]["of"] == 11 && alone["overkill"]["of"] == 6, "{figures}");
    }
}

#[test]
fn which_sense_decided_is_told() {
    let (set, part) = pairs();
    let dir = TempDir::new().unwrap();
    let whole = &files("cookie/test/good")[1];
    let usual = &files("machine/test/normal")[0];
    let broken = &files("cookie/test/broken")[5];
    let heard = sound::read(usual).unwrap();
    let rub = inject(&heard, Fault { kind: FaultKind::Rub, snr_db: 12.0, seed: 1 }).unwrap();
    let samples: Vec<f64> = rub.samples().iter().map(|&sample| f64::from(sample)).collect();
    let rubbing = dir.path().join("rub.wav");
    fs::write(&rubbing, wav("f32", rub.rate(), rub.channels() as u16, &samples)).unwrap();
    for (name, picture, sound, expected) in [
        ("broken", broken, usual, &["image"][..]),
        ("rubbing", whole, &rubbing, &["sound"]),
        ("both", broken, &rubbing, &["image", "sound"]),
    ] {
        let folder = dir.path().join(name);
        put(&folder, Some(picture), Some(sound));
        let report = judged(&folder);
        assert_eq!(
            (&report["verdict"], &report["decided_by"]),
            (&"fail".into(), &serde_json::json!(expected)),
            "{report}"
        );
        assert!(report["p_value"].as_f64().unwrap() <= 0.01 && report["degraded"] == false, "{report}");
        for (own, sense) in report["senses"].as_array().unwrap().iter().zip(["image", "sound"]) {
            assert_eq!(
                (&own["sense"], own["verdict"] == "fail"),
                (&sense.into(), expected.contains(&sense)),
                "{report}"
            );
        }
        let findings = report["findings"].as_array().unwrap();
        for (what, sense) in [("seen", "image"), ("heard", "sound")] {
            let is_found = findings.iter().any(|finding| finding["what"] == what);
            assert!(is_found || !expected.contains(&sense), "{report}");
        }
    }
    let good = judged(&set.join("test/good/00"));
    assert!(good["verdict"] == "pass" && good["decided_by"].is_null(), "{good}");
    // The table and the page tell the same.
    let out = dir.path().join("out");
    let (folder, out) = (dir.path().join("rubbing"), out.to_str().unwrap());
    let table = said(&eyear(&["inspect", part, folder.to_str().unwrap(), "--out", out]));
    assert!(table.contains("by sound:") && table.contains(" dB, "), "{table}");
    let page = fs::read_to_string(Path::new(out).join("index.html")).unwrap();
    assert!(
        page.contains("decided by") && page.contains("判定依据") && page.matches("<figure>").count() == 6,
        "{page}"
    );
    assert!(Path::new(out).join("rubbing.sound.overlay.png").is_file());
}

#[test]
fn a_sense_that_is_missing_or_cannot_judge_is_left_out_and_said() {
    let dir = TempDir::new().unwrap();
    let whole = &files("cookie/test/good")[1];
    let (usual, odd) = (&files("machine/test/normal")[0], &files("machine/test/anomaly")[0]);
    let silent = dir.path().join("silent.wav");
    fs::write(&silent, wav("f32", 16_000, 1, &vec![0.0; 32_000])).unwrap();
    let damaged = dir.path().join("damaged.png");
    fs::write(&damaged, &fs::read(whole).unwrap()[..400]).unwrap();
    let cases = [
        ("no sound", Some(whole), None, "pass", "judged by image alone: no sound"),
        ("silent", Some(whole), Some(&silent), "pass", "judged by image alone: silent: 100.0 % of the sound"),
        ("no picture", None, Some(usual), "pass", "judged by sound alone: no image"),
        ("no picture, odd", None, Some(odd), "fail", "judged by sound alone: no image"),
        ("nothing", None, Some(&silent), "invalid", "no image; silent"),
    ];
    for (name, picture, sound, verdict, reason) in cases {
        let folder = dir.path().join(name);
        put(&folder, picture.map(|path| &**path), sound.map(|path| &**path));
        let report = judged(&folder);
        assert!(report["verdict"] == verdict && report["degraded"] == true, "{name}: {report}");
        assert!(report["reason"]["text"].as_str().unwrap().contains(reason), "{name}: {report}");
    }
    // A file that cannot be read is an error, as everywhere, and stops nothing.
    let folder = dir.path().join("unreadable");
    put(&folder, Some(&damaged), Some(usual));
    let output = eyear(&["inspect", &pairs().1, "--json", folder.to_str().unwrap()]);
    assert!(output.status.code() == Some(2) && lines(&output)[0]["error"].as_str().unwrap().contains("cam0.png"));
}

#[test]
fn pairs_are_added_and_taken_back_and_nothing_else_is_mistaken_for_them() {
    let (set, _) = pairs();
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part");
    let part = part.to_str().unwrap();
    let good: Vec<PathBuf> = (0..8).map(|i| set.join(format!("train/good/{i:02}"))).collect();
    let good: Vec<&str> = good.iter().map(|path| path.to_str().unwrap()).collect();
    let output = eyear(&[&["teach", part, "--kind", "texture", "--good"], &good[..6]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = eyear(&[&["teach", part, "--add", "--good"], &good[6..]].concat());
    assert!(said(&output).contains("8 good pictures") && said(&output).contains("8 good sounds"), "{}", said(&output));
    let halves = || fs::read_dir(part).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(halves(), 4, "the halves of this teaching and of the one before");
    let output = eyear(&["teach", part, "--undo"]);
    assert!(said(&output).contains("6 good pictures with sounds"), "{}", said(&output));
    assert_eq!(halves(), 2);
    let refused = |arguments: &[&str], why: &str| {
        let output = eyear(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(why), "{arguments:?}: {told}");
    };
    refused(&["teach", part, "--add", "--good", "tests/data/cookie/train/good"], "taught from pictures with sounds");
    refused(&["inspect", part, "tests/data/cookie/test/good/t003.jpg"], "expected a folder with an image `cam0`");
    refused(&["bench", part, "tests/data/cookie/test/good"], "`eyear inspect`");
    let half = dir.path().join("half");
    put(&half, Some(&files("cookie/train/good")[0]), None);
    refused(&["teach", part, "--good", half.to_str().unwrap()], "must hold a picture `cam0` and a sound `mic0`");
    put(&half, None, Some(&files("machine/train/normal")[0]));
    fs::copy(half.join("mic0.flac"), half.join("mic0.wav")).unwrap();
    refused(&["teach", part, "--good", half.to_str().unwrap()], "two files `mic0`");
    // Somebody swapped a half.
    let card = Path::new(part).join("part.toml");
    let text = fs::read_to_string(&card).unwrap();
    let at = text.find("sha256 = \"").unwrap() + 10;
    let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    fs::write(&card, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
    refused(&["inspect", part, half.to_str().unwrap()], "promises");
    fs::write(&card, text.replace("folder = \"sight", "folder = \"../sight")).unwrap();
    refused(&["inspect", part, half.to_str().unwrap()], "`sight.folder` must be a plain folder name");
}

#[test]
fn another_camera_is_not_passed_over_in_silence() {
    let (_, part) = pairs();
    let dir = TempDir::new().unwrap();
    let (picture, sound) = (&files("cookie/test/good")[1], &files("machine/test/normal")[0]);
    let one = dir.path().join("one");
    put(&one, Some(picture), Some(sound));
    fs::copy(picture, one.join("cam1.jpg")).unwrap();
    let told = &lines(&eyear(&["inspect", part, "--json", one.to_str().unwrap()]))[0];
    let error = told["error"].as_str().unwrap();
    assert!(error.contains("one holds `cam1.jpg`, which nothing would judge"), "{error}");
    // What lies in no folder of a part is named.
    fs::remove_file(one.join("cam1.jpg")).unwrap();
    fs::copy(picture, dir.path().join("stray.jpg")).unwrap();
    let output = eyear(&["inspect", part, "--json", dir.path().to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("note: not used: 2 other files (1 .jpg, 1 .json)"), "{told}");
    assert_eq!(lines(&output).len(), 1);
}
