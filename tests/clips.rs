//! Parts that are taught and judged by short clips of a motion: a drawn gripper.

use std::fs;
use std::path::{Path, PathBuf};

use eyear::package::manifest::{Manifest, Sense};
use eyear::prepare::clip::Kymograph;
use eyear::sample::{Clip, Frame, PixelFormat};
use eyear::source::recording::clip;
use safetensors::SafeTensors;
use tempfile::TempDir;

use crate::bad_input::refused;
use crate::commands::{eyear, lines, said};
use crate::taught::{Taught, taught};

const GOOD: &str = "tests/data/gripper/train/good";
const UNSEEN: &str = "tests/data/gripper/test/good";

/// A part taught from the gripper's good clips.
pub fn gripper() -> &'static str {
    let Taught { part, said } = taught("gripper", &["--good", GOOD]);
    assert!(said.contains("taught from 12 good clips"), "{said}");
    part
}

fn unseen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(UNSEEN).join("00.avi")
}

/// A film of these JPEGs, at 12 frames a second.
fn film(size: [usize; 2], jpegs: &[&[u8]]) -> Vec<u8> {
    let mut avi = eyear::show::avi::Avi::new(size, 12.0);
    jpegs.iter().for_each(|jpeg| avi.add(jpeg));
    avi.finish()
}

#[test]
fn the_rust_sees_of_a_clip_what_the_recipe_sees() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/clip-lite0");
    let bytes = fs::read(dir.join("golden/input.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let frames = file.tensor("frames").unwrap();
    let [_, height, width] = frames.shape()[..] else { panic!("{:?}", frames.shape()) };
    let frame = |pixels: &[u8]| Frame::new(pixels.to_vec(), PixelFormat::Grey8, width, height).unwrap();
    let frames: Vec<Frame> = frames.data().chunks_exact(width * height).map(frame).collect();
    let encoder = Manifest::read(&dir).unwrap().encoder(Sense::Clip).unwrap().clone();
    let mut spec = encoder.clip.unwrap();
    spec.tiles = 2;
    let picture = Kymograph::new(spec).picture(&Clip::new(frames, 10.0).unwrap()).unwrap();
    let pixels = file.tensor("pixels").unwrap();
    let pixels: Vec<f32> = pixels.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let plane = picture.width() * picture.height();
    assert_eq!(pixels.len(), 3 * plane);
    let apart = |i: usize| {
        let byte = f32::from(picture.pixels()[3 * (i % plane) + i / plane]);
        ((byte - encoder.mean[i / plane]) / encoder.scale[i / plane] - pixels[i]).abs() * encoder.scale[i / plane]
    };
    let mean = (0..3 * plane).map(apart).sum::<f32>() / (3 * plane) as f32;
    let most = (0..3 * plane).map(apart).fold(0.0, f32::max);
    // Bytes are rounded once more here, after each direction of the shrinking.
    assert!(mean < 0.5 && most < 12.0, "bytes apart: {mean} in the mean, {most} at most");
}

#[test]
fn a_gripper_as_usual_passes_and_faults_are_told_by_time_place_and_motion() {
    let output = eyear(&["eval", "tests/data/gripper", "--baselines", "--json"]);
    let figures = &lines(&output)[0];
    assert_eq!(figures["judged"], serde_json::json!([3, 5]), "{figures}");
    assert!(figures["clip_auroc"].as_f64().unwrap() > 0.9 && figures["image_auroc"].is_null(), "{figures}");
    assert!(figures["baselines"]["mahalanobis"]["clip_auroc"].as_f64().unwrap() > 0.5, "{figures}");
    for report in lines(&eyear(&["inspect", gripper(), "--json", UNSEEN])) {
        assert_ne!(report["verdict"], "fail", "{report}");
        assert_ne!(report["verdict"], "invalid", "{report}");
    }
    let of = |kind: &str| {
        let file = format!("tests/data/gripper/test/{kind}/00.avi");
        lines(&eyear(&["inspect", gripper(), "--json", &file])).remove(0)
    };
    // What the recipe drew: something from the left to the top right within the first second and a half.
    let foreign = of("foreign");
    let moved = &foreign["findings"][0]["data"];
    assert_eq!((&foreign["verdict"], &foreign["findings"][0]["what"]), (&"fail".into(), &"moved".into()));
    let [begin, end] = [0, 1].map(|i| moved["seconds"][i].as_f64().unwrap());
    assert!((0.0..1.5).contains(&begin) && end > begin && end < 2.0, "{foreign}");
    assert!(moved["motion"].as_f64().unwrap() > 2.0 * moved["usual"].as_f64().unwrap(), "{foreign}");
    assert!(["more", "elsewhere"].contains(&moved["character"].as_str().unwrap()), "{foreign}");
    assert!(
        moved["box"]["width"].as_u64().unwrap() <= 80 && moved["box"]["height"].as_u64().unwrap() <= 84,
        "{foreign}"
    );
    let missing = of("missing");
    assert_eq!(missing["findings"][0]["data"]["character"], "less", "{missing}");
    let table = said(&eyear(&["inspect", gripper(), "tests/data/gripper/test/missing"]));
    assert!(table.contains("clip ") && table.contains("moves less: "), "{table}");
}

#[test]
fn overlays_and_evidence_are_written_of_clips() {
    let dir = TempDir::new().unwrap();
    let [out, evidence] = ["out", "evidence"].map(|name| dir.path().join(name));
    let bad = "tests/data/gripper/test/stopped/00.avi";
    let flags = ["--out", out.to_str().unwrap(), "--evidence", evidence.to_str().unwrap()];
    eyear(&[&["inspect", gripper(), bad][..], &flags].concat());
    let overlay = image::open(out.join("00.overlay.png")).unwrap();
    assert_eq!([overlay.width(), overlay.height()], [1344, 1344]);
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    for word in ["motion: brighter means more motion", "grey levels per second; usual in good samples: "] {
        assert!(page.contains(word), "the page tells `{word}`");
    }
    let bytes = fs::read(evidence.join("00.clip.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        file.tensor(name).unwrap().data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    assert_eq!(file.tensor("cells").unwrap().shape(), [41, 2 * 424 + 4]);
    let shapes = floats("shapes");
    let moved = &shapes[shapes.len() / 4 - 12..shapes.len() / 4];
    assert_eq!(moved[..4].iter().sum::<f32>(), 1.0, "one character: {moved:?}");
    assert!(moved[6] < moved[7] && moved[7] <= 1.0, "begins before it ends: {moved:?}");
    // Beside the moments of good clips it goes with them at first; then it stands.
    let row = |moment: &[f32]| (0..24).min_by(|&a, &b| moment[a].total_cmp(&moment[b])).unwrap();
    let looks_like: Vec<usize> = shapes[144..720].chunks_exact(24).map(row).collect();
    assert!(looks_like[..4].iter().enumerate().all(|(i, at)| at.abs_diff(i) < 2), "{looks_like:?}");
    assert!(looks_like.windows(4).any(|moments| moments.iter().all(|at| *at == moments[0])), "{looks_like:?}");
    // As long and as many frames as were taught.
    let quality = floats("quality");
    assert!(quality.len() == 10 && quality[5].abs() < 0.05 && quality[6].abs() < 0.05, "{quality:?}");
}

#[test]
fn good_clips_can_be_added_and_taken_back() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part");
    let part = part.to_str().unwrap();
    let six: Vec<String> = (0..6).map(|i| format!("{GOOD}/{i:02}.avi")).collect();
    let six: Vec<&str> = six.iter().map(String::as_str).collect();
    assert!(eyear(&[&["teach", part, "--good"], &six[..4]].concat()).status.success());
    let more = said(&eyear(&[&["teach", part, "--add", "--good"], &six[4..]].concat()));
    assert!(more.contains("taught from 6 good clips"), "{more}");
    assert!(said(&eyear(&["teach", part, "--undo"])).contains("undone, 4 good clips"));
    let seen = eyear(&["inspect", part, "--json", UNSEEN]);
    assert!(lines(&seen).iter().all(|report| report["verdict"] != "invalid"), "{}", said(&seen));
}

#[test]
fn each_damaged_film_is_told_by_name() {
    let dir = TempDir::new().unwrap();
    let bytes = fs::read(unseen()).unwrap();
    let good = clip::read(&unseen()).unwrap();
    let [width, height] = [good.frames()[0].width(), good.frames()[0].height()];
    let jpegs: Vec<&[u8]> = good.frames().iter().map(Frame::pixels).collect();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    let mut half_frame = jpegs.clone();
    half_frame[3] = &jpegs[3][..jpegs[3].len() / 2];
    let long: Vec<&[u8]> = jpegs.iter().copied().cycle().take(13 * 31).collect();
    for (path, word) in [
        (write("empty.avi", b""), "the file is empty"),
        (write("text.avi", b"no film at all"), "neither a picture nor a film"),
        (write("half.avi", &bytes[..bytes.len() / 2]), "damaged film: the file ends within frame"),
        (write("head.avi", &bytes[..at(b"movi") + 4]), "the film has no picture"),
        (write("cut.avi", &bytes[..at(b"strh") + 20]), "film"),
        (write("none.avi", &film([width, height], &[])), "the film has no picture"),
        (write("one.avi", &film([width, height], &jpegs[..1])), "1 frames show no motion"),
        (write("short.avi", &film([width, height], &jpegs[..3])), "lasts 0.25 s, a clip lasts 0.3 to 30 s"),
        (write("long.avi", &film([width, height], &long)), "a clip lasts 0.3 to 30 s"),
        (write("frame.avi", &film([width, height], &half_frame)), "frame 3 is no whole JPEG"),
        (write("lies.avi", &film([2 * width, height], &jpegs)), "in a frame of"),
        (dir.path().join("missing.avi"), "cannot read"),
    ] {
        let name = path.to_str().unwrap();
        refused(&["inspect", gripper(), name], &[name.rsplit('/').next().unwrap(), word]);
    }
}

#[test]
fn a_clip_that_cannot_be_judged_is_invalid_with_its_reason() {
    let dir = TempDir::new().unwrap();
    let good = clip::read(&unseen()).unwrap();
    let [width, height] = [good.frames()[0].width(), good.frames()[0].height()];
    let jpegs: Vec<&[u8]> = good.frames().iter().map(Frame::pixels).collect();
    let pictures: Vec<image::RgbImage> =
        jpegs.iter().map(|jpeg| image::load_from_memory(jpeg).unwrap().to_rgb8()).collect();
    let changed = |change: &dyn Fn(&image::RgbImage) -> image::RgbImage| {
        let jpeg = |picture: &image::RgbImage| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            change(picture).write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
            bytes.into_inner()
        };
        let jpegs: Vec<Vec<u8>> = pictures.iter().map(jpeg).collect();
        let first = image::load_from_memory(&jpegs[0]).unwrap();
        let size = [first.width() as usize, first.height() as usize];
        film(size, &jpegs.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let dark = |picture: &image::RgbImage| {
        let mut dark = picture.clone();
        dark.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value / 8));
        dark
    };
    let blurred = |picture: &image::RgbImage| image::imageops::blur(picture, 4.0);
    let small = |picture: &image::RgbImage| {
        image::imageops::resize(picture, width as u32 / 2, height as u32 / 2, image::imageops::FilterType::Triangle)
    };
    let first = pictures[0].clone();
    for (name, bytes, word) in [
        ("short", film([width, height], &jpegs[..12]), "wrong length: 1.00 s, taught with 1.83 s"),
        ("dark", changed(&dark), "too dark: mean "),
        ("blurred", changed(&blurred), "out of focus: "),
        ("small", changed(&small), "wrong size: "),
        ("still", changed(&|_| first.clone()), "nothing moves: "),
    ] {
        let path = dir.path().join(format!("{name}.avi"));
        fs::write(&path, bytes).unwrap();
        let report = lines(&eyear(&["inspect", gripper(), "--json", path.to_str().unwrap()])).remove(0);
        assert_eq!(report["verdict"], "invalid", "{name}: {report}");
        assert!(report["reason"]["text"].as_str().unwrap().starts_with(word), "{name}: {report}");
        assert!(report["findings"].as_array().unwrap().is_empty(), "{name}: {report}");
    }
}

#[test]
fn nothing_is_learned_from_a_machine_that_stands_still() {
    let dir = TempDir::new().unwrap();
    let good = clip::read(&unseen()).unwrap();
    let jpegs = vec![good.frames()[0].pixels(); 22];
    let still = dir.path().join("still.avi");
    fs::write(&still, film([good.frames()[0].width(), good.frames()[0].height()], &jpegs)).unwrap();
    let part = dir.path().join("part");
    let still = still.to_str().unwrap();
    refused(&["teach", part.to_str().unwrap(), "--good", still], &["none of 1", "still.avi: nothing moves in it"]);
}

#[test]
fn a_film_is_a_file_whatever_it_is_called_and_reaches_for_nothing() {
    let dir = TempDir::new().unwrap();
    // A film of four frames in what ffmpeg alone reads, under a name that looks like an address.
    let named = dir.path().join("10:30:05.mkv");
    let drawn = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=s=32x32:r=8:d=0.5", "-c:v", "ffv1", "-y"])
        .arg(format!("file:{}", named.display()))
        .status();
    assert!(drawn.unwrap().success());
    let read = |name: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_eyear"));
        let output = command
            .args(["inspect", gripper(), "--json", name])
            .env("EYEAR_MODELS", concat!(env!("CARGO_MANIFEST_DIR"), "/models"))
            .current_dir(dir.path())
            .output()
            .unwrap();
        lines(&output).remove(0)
    };
    assert_eq!(read("10:30:05.mkv")["verdict"], "invalid", "another length and size, but a film");
    // A list that names a film is no film, whatever its ending.
    fs::write(dir.path().join("list.mp4"), "ffconcat version 1.0\nfile 10:30:05.mkv\n").unwrap();
    let told = read("list.mp4");
    assert!(told["error"].as_str().unwrap().contains("neither a picture nor a film"), "{told}");
}

#[test]
fn clips_are_taught_alone_and_of_one_length() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part");
    let part = part.to_str().unwrap();
    let good = clip::read(&unseen()).unwrap();
    let jpegs: Vec<&[u8]> = good.frames().iter().map(Frame::pixels).collect();
    let other = dir.path().join("other.avi");
    fs::write(&other, film([good.frames()[0].width(), good.frames()[0].height()], &jpegs[..16])).unwrap();
    let other = other.to_str().unwrap();
    let first = format!("{GOOD}/00.avi");
    refused(&["teach", part, "--good", &first, other], &["other.avi lasts 1.33 s, the first clip 1.83 s"]);
    let picture = "tests/data/cookie/test/good/t001.jpg";
    refused(&["teach", part, "--good", GOOD, picture], &["12 clips", "1 pictures", "taught from these alone"]);
    refused(&["teach", part, "--good", GOOD, "--kind", "texture"], &["`kind`", "the good samples are clips"]);
    refused(&["teach", part, "--good", GOOD, "--bearing", "none.toml"], &["`bearing` is for sounds", "clips"]);
    refused(
        &["teach", gripper(), "--add", "--good", picture],
        &["was taught from clips", "the good samples are pictures"],
    );
    refused(&["inspect", gripper(), picture], &["t001.jpg"]);
    refused(&["eval", "tests/data/gripper", "--robust"], &["--robust does not work with clips"]);
    let both = dir.path().join("both");
    fs::create_dir(&both).unwrap();
    fs::copy(unseen(), both.join("cam0.avi")).unwrap();
    fs::copy("tests/data/machine/test/normal/m00.flac", both.join("mic0.flac")).unwrap();
    refused(&["teach", part, "--good", both.to_str().unwrap()], &["holds a clip `cam0`", "beside no other sense"]);
    refused(&["teach", part, "--good", dir.path().join("no").to_str().unwrap()], &["cannot read"]);
}
