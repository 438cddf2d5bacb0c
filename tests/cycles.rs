//! A station that watches: cycles of a motion, cut out of what a camera shows, judged and recorded.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use eyear::show::avi::Avi;
use eyear::source::recording::clip;
use serde_json::Value;
use tempfile::TempDir;

use crate::clips::gripper;
use crate::commands::{eyear, lines, said};
use crate::lab::Camera;
use crate::station::Running;

/// Frames of a gripper's cycle, and how many of them come in a second.
const FRAMES: u64 = 22;
const RATE: f64 = 12.0;

/// The JPEGs of the gripper's test films, one film after the other.
fn jpegs(films: &[&str]) -> Vec<Vec<u8>> {
    let path = |film: &&str| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/gripper/test/{film}.avi"));
    let frames = films.iter().flat_map(|film| clip::read(&path(film)).unwrap().frames().to_vec());
    frames.map(|frame| frame.pixels().to_vec()).collect()
}

/// A station whose camera plays these films in one, as they were taken; `rest` stands below.
fn shift(dir: &TempDir, films: &[&str], rest: &str) -> PathBuf {
    let mut avi = Avi::new([80, 84], RATE);
    jpegs(films).iter().for_each(|jpeg| avi.add(jpeg));
    fs::write(dir.path().join("shift.avi"), avi.finish()).unwrap();
    let camera = format!("[camera]\nsource = \"recording\"\npath = \"shift.avi\"\nrate = {RATE}\n");
    let file = dir.path().join("line.toml");
    fs::write(&file, format!("part = \"{}\"\n{camera}{rest}", gripper())).unwrap();
    file
}

#[test]
fn each_cycle_of_a_camera_is_judged_as_its_film_is() {
    let dir = TempDir::new().unwrap();
    let rest = "[cycle]\nafter_ms = 1833\n[reports]\nfolder = \"kept\"\n[words]\n";
    // The last cycle is cut off, and none.
    let films = ["good/00", "missing/00", "good/01"];
    let file = shift(&dir, &films, rest);
    let output = eyear(&["run", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let (words, reports): (Vec<Value>, Vec<Value>) =
        lines(&output).into_iter().partition(|line| !line["written"].is_null());
    let own: Vec<Value> = films
        .iter()
        .flat_map(|film| {
            lines(&eyear(&["inspect", gripper(), "--json", &format!("tests/data/gripper/test/{film}.avi")]))
        })
        .collect();
    assert_eq!(reports.len(), 3, "{told}");
    for (i, (report, own)) in reports.iter().zip(&own).enumerate() {
        assert_eq!((&report["verdict"], &report["frame"]), (&own["verdict"], &(FRAMES * i as u64).into()), "{report}");
        assert_eq!(report["film"], serde_json::json!({"ms": 1833.0, "frames": FRAMES, "lost": 0}));
        assert_eq!((&report["degraded"], &report["replaced"]), (&false.into(), &0.into()));
        // From the film's end: the next frame comes within a twelfth of a second.
        assert!(report["age_ms"].as_f64().unwrap() > 0.0, "{report}");
    }
    assert_eq!(reports[1]["findings"][0]["place"], own[1]["findings"][0]["place"]);
    let [written] = &words[..] else { panic!("{words:?}") };
    assert!(written["written"]["text"].as_str().unwrap().contains("less moves than usual"), "{written}");
    // What is kept is a clip as those that were taught, and one to look at.
    let mut kept: Vec<PathBuf> =
        fs::read_dir(dir.path().join("kept")).unwrap().map(|file| file.unwrap().path()).collect();
    kept.sort();
    let endings: Vec<&str> =
        kept.iter().map(|path| path.file_name().unwrap().to_str().unwrap().split_once('.').unwrap().1).collect();
    assert_eq!(endings, ["avi", "json", "overlay.avi", "overlay.png", "overlay.srt", "txt"]);
    for film in [&kept[0], &kept[2]] {
        let film = clip::read(film).unwrap();
        assert_eq!((film.frames().len(), (10.0 * film.rate()).round()), (FRAMES as usize, 120.0));
    }
    let again = lines(&eyear(&["inspect", gripper(), "--json", kept[0].to_str().unwrap()]));
    assert_eq!(again[0]["findings"][0]["place"], reports[1]["findings"][0]["place"]);
}

#[test]
fn a_cycle_is_asked_for_and_what_is_missing_of_it_is_told() {
    let dir = TempDir::new().unwrap();
    let camera = Camera::new("MJPG", [80, 84], &jpegs(&["good/00"])).with("LABCAM_FPS", "12");
    let file = dir.path().join("line.toml");
    let rest = "stall_ms = 4000\n[cycle]\nbefore_ms = 333\nafter_ms = 1500\n[trigger]\non = \"request\"\n";
    let source = format!("[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\n", Camera::DEVICE);
    fs::write(&file, format!("part = \"{}\"\n{source}{rest}", gripper())).unwrap();
    let mut running = Running::start(&file, &[], |command| camera.give_to(command));
    running.wait_until_told("Lab camera");
    let mut requests = running.child.stdin.take().unwrap();
    let mut ask = || requests.write_all(b"\n").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    ask();
    let whole = running.report();
    assert_eq!(whole["film"]["lost"], 0, "{whole}");
    assert!((21..=23).contains(&whole["film"]["frames"].as_u64().unwrap()), "{whole}");
    // The machine is at another step of its cycle, but it is what was taught and can be judged.
    assert_ne!(whole["verdict"], "invalid", "{whole}");
    camera.fault("stall");
    ask();
    let cut = running.report();
    let why = cut["reason"]["text"].as_str().unwrap();
    assert!(cut["verdict"] == "invalid" && why.ends_with("s of the film are missing, of 1.83"), "{cut}");
    // Long after the last frame there is nothing of it at all.
    std::thread::sleep(std::time::Duration::from_secs(1));
    ask();
    let none = running.report();
    assert!(none["verdict"] == "invalid" && none["degraded"] == true && none["film"].is_null(), "{none}");
    assert!(none["reason"]["text"].as_str().unwrap().starts_with("no image: "), "{none}");
}

#[test]
fn films_are_recorded_to_teach_from_as_they_will_be_judged() {
    let dir = TempDir::new().unwrap();
    let file = shift(&dir, &["good/00", "good/01", "good/02"], "[cycle]\nafter_ms = 1833\n");
    let out = dir.path().join("good");
    let record = |more: &[&str]| {
        eyear(&[&["record", file.to_str().unwrap(), "--out", out.to_str().unwrap()][..], more].concat())
    };
    assert!(record(&["--frames", "0"]).status.success(), "none is wanted, and none is waited for");
    let output = record(&["--frames", "2"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("000001.avi: 1.83 s, 22 frames"), "{told}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
    let judged = lines(&eyear(&["inspect", gripper(), "--json", out.to_str().unwrap()]));
    assert!(judged.iter().all(|report| report["verdict"] == "pass"), "{judged:?}");
    let again = record(&[]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already: choose another folder"));
    assert_eq!(again.status.code(), Some(2));
    let every = record(&["--every", "100"]);
    assert!(String::from_utf8_lossy(&every.stderr).contains("--every is for images"), "{}", said(&every));
}

#[test]
fn a_station_and_its_part_agree_on_what_is_watched() {
    let dir = TempDir::new().unwrap();
    let refused = |rest: &str, part: Option<&Path>| {
        let file = shift(&dir, &["good/00"], rest);
        if let Some(part) = part {
            let text = fs::read_to_string(&file).unwrap().replace(gripper(), part.to_str().unwrap());
            fs::write(&file, text).unwrap();
        }
        let output = eyear(&["run", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused("", None).contains("such as `[cycle]` with `after_ms = 1833`"));
    let short = refused("[cycle]\nafter_ms = 900\n", None);
    assert!(short.contains("[cycle] does not fit") && short.contains("0.90 s, taught with 1.83 s"), "{short}");
    let pictures = refused("[cycle]\nafter_ms = 900\n", Some(crate::station::biscuit()));
    assert!(pictures.contains("[cycle] is for parts that were taught from clips"), "{pictures}");
}
