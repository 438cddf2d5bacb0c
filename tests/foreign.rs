//! Models from elsewhere: what `eyear model check` tells of them, and what `eyear model import` makes of them.
//! Those of `tests/data/foreign` are drawn by its `make.py`.

use std::fs;
use std::path::{Path, PathBuf};

use eyear::package::onnx::{self, Onnx};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Digest as _;
use tempfile::TempDir;

use crate::bad_input::{refused, text};
use crate::commands::{eyear, files, lines, said};

const MAPS: &str = "tests/data/foreign/maps.onnx";
const ANOMALY: &str = "tests/data/foreign/anomaly.onnx";
const DATA: &str = "tests/data/foreign/anomaly.onnx.data";
const GOOD: &str = "tests/data/paper/train/good";

/// What `check` tells as JSON, with its exit code.
fn checked(path: &str, flags: &[&str]) -> (Value, Option<i32>) {
    let output = eyear(&[&["model", "check", path, "--json"], flags].concat());
    (lines(&output).remove(0), output.status.code())
}

/// `import` into a new folder, with what every package needs.
fn import<'a>(model: &'a str, out: &'a str, golden: &'a str) -> Vec<&'a str> {
    let papers = ["--licence", "Apache-2.0", "--origin", "drawn by make.py", "--golden", golden];
    [&["model", "import", model, "--out", out], &papers[..]].concat()
}

/// A copy of the model that has data beside it, changed.
fn copied(dir: &TempDir, change: impl Fn(Vec<u8>) -> Vec<u8>) -> PathBuf {
    let path = dir.path().join("anomaly.onnx");
    fs::write(&path, change(fs::read(ANOMALY).unwrap())).unwrap();
    path
}

/// The bytes with `from` replaced by as many of `to`.
fn replaced(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|&i| bytes[i..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from}");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    bytes
}

#[test]
fn a_backbone_is_told_and_what_it_can_serve_as() {
    let (told, code) = checked(MAPS, &[]);
    assert_eq!(code, Some(0));
    assert_eq!(told["opsets"], json!([{ "domain": "ai.onnx", "version": 17 }]));
    assert_eq!(told["inputs"][0]["declared"], "f32[batch, 3, height, width]");
    assert_eq!(told["open"], json!({ "batch": 1, "height": 256, "width": 256 }));
    assert_eq!(told["operators"], json!({ "Conv": 2, "ReduceMean": 1, "Relu": 1 }));
    assert_eq!(told["weights"], json!({ "f32": 4 * (6 * 3 * 64 + 8 * 6 * 4) }));
    assert_eq!((&told["precision"], &told["beside"]), (&json!("fp32"), &json!([])));
    assert_eq!(told["runs"]["ok"], true);
    assert_eq!(told["providers"][0]["nodes"], json!({ "CPUExecutionProvider": 4 }));
    assert_eq!(told["outputs"][1]["ran"], json!([1, 6, 32, 32]));
    let [encoder, anomalib] = [&told["uses"][0], &told["uses"][1]];
    assert_eq!((&encoder["ok"], &anomalib["ok"]), (&json!(true), &json!(false)));
    assert!(encoder["why"].as_str().unwrap().contains("`layer2` (channels: 6, stride: 8)"), "{encoder}");
    // Finest first, and what has no place is no map.
    assert!(
        encoder["why"].as_str().unwrap().contains("multiples of 16") && !encoder["why"].to_string().contains("score")
    );
    // At a size that the strides do not divide there is no map, and the reason is told.
    let (told, code) = checked(MAPS, &["--input", "252x252"]);
    assert_eq!((code, &told["uses"][0]["ok"]), (Some(1), &json!(false)));
}

#[test]
fn an_export_of_anomalib_is_told_with_the_data_beside_it() {
    let output = eyear(&["model", "check", ANOMALY]);
    assert_eq!(output.status.code(), Some(0));
    let told = said(&output);
    for line in [
        "  opset      ai.onnx 17\n",
        "pred_label  bool[batch_size], here [1]\n",
        "  beside it  anomaly.onnx.data, 1.2 kB\n",
        "  cpu        all 8 nodes\n",
        "  encoder    no: no output is a map",
        "  anomalib   yes: `anomaly_map_8` (channels: 1, stride: 8); 128 x 128 only; normalised, which cuts off low scores",
    ] {
        assert!(told.contains(line), "no `{line}` in {told}");
    }
    let (shipped, code) = checked("models/vision-lite0/vision-lite0.int8.onnx", &[]);
    assert_eq!((code, &shipped["precision"]), (Some(0), &json!("int8")));
    // Four bits and eight are held by nodes of one name.
    let (writer, code) = checked("models/eyear-small/text_encoder.int8.onnx", &[]);
    assert_eq!(code, Some(1), "{writer}");
    assert!(writer["uses"][0]["why"].as_str().unwrap().contains("wanted is f32[1, 3, height, width]"), "{writer}");
}

#[test]
fn a_provider_that_is_not_there_is_told_and_the_rest_goes_on() {
    let (told, code) = checked(MAPS, &["--provider", "tensorrt", "--provider", "cpu"]);
    assert_eq!(code, Some(0));
    let [tensorrt, cpu] = [&told["providers"][0], &told["providers"][1]];
    assert!(tensorrt["why"].as_str().unwrap().to_lowercase().contains("tensorrt"), "{tensorrt}");
    assert_eq!((&cpu["provider"], &cpu["left"]), (&json!("cpu"), &json!({})));
}

#[test]
fn data_beside_a_model_must_be_there_whole_and_in_its_folder() {
    let dir = TempDir::new().unwrap();
    let path = copied(&dir, |bytes| bytes);
    let why = |path: &Path| {
        let (told, code) = checked(text(path), &[]);
        assert_eq!((code, &told["runs"]["ok"]), (Some(1), &json!(false)), "{told}");
        told["runs"]["why"].as_str().unwrap().to_string()
    };
    assert!(why(&path).contains("anomaly.onnx.data: No such file"), "{}", why(&path));
    let data = fs::read(DATA).unwrap();
    fs::write(dir.path().join("anomaly.onnx.data"), &data[..data.len() - 9]).unwrap();
    assert!(why(&path).contains("it was cut short"), "{}", why(&path));
    let out = copied(&dir, |bytes| replaced(bytes, "anomaly.onnx.data", "../maly.onnx.data"));
    assert!(why(&out).contains("out of its folder"), "{}", why(&out));
    let out = copied(&dir, |bytes| replaced(bytes, "anomaly.onnx.data", "/etc/passwd/.data"));
    assert!(why(&out).contains("out of its folder"), "{}", why(&out));
}

#[test]
#[cfg(unix)]
fn a_link_or_a_pipe_beside_a_model_is_not_followed() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = copied(&dir, |bytes| bytes);
    let beside = dir.path().join("anomaly.onnx.data");
    let refused = |words: &str| {
        let (told, _) = checked(text(&path), &[]);
        assert!(told["runs"]["why"].as_str().unwrap().contains(words), "{told}");
        let out = dir.path().join("package");
        let made = eyear(&import(text(&path), text(&out), &files(GOOD)[0]));
        let told = String::from_utf8_lossy(&made.stderr);
        assert_eq!(made.status.code(), Some(2), "{told}");
        assert!(told.contains(words) && !out.exists(), "{told}");
    };
    fs::copy(DATA, elsewhere.path().join("secret")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), &beside).unwrap();
    refused("leads out of the model's folder");
    fs::remove_file(&beside).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&beside).status().unwrap().success());
    refused("is no file");
    // Within its folder a link is a file as any other.
    fs::remove_file(&beside).unwrap();
    fs::copy(DATA, dir.path().join("weights")).unwrap();
    std::os::unix::fs::symlink("weights", &beside).unwrap();
    assert_eq!(checked(text(&path), &[]).0["runs"]["ok"], true);
}

#[test]
fn what_is_no_model_is_refused_in_one_sentence() {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let model = fs::read(MAPS).unwrap();
    let huge = write("huge.onnx", b"");
    fs::File::options().write(true).open(&huge).unwrap().set_len(3 << 30).unwrap();
    for (path, word) in [
        (write("empty.onnx", b""), "the file is empty"),
        (write("lfs.onnx", b"version https://git-lfs.github.com/spec/v1\n"), "run `git lfs pull`"),
        (write("page.onnx", b"<!DOCTYPE html><html><title>Sign in</title></html>"), "page of HTML"),
        (write("zip.onnx", b"PK\x03\x04\0\0\0\0"), "ZIP archive"),
        (write("half.onnx", &model[..model.len() / 2]), "cut short"),
        (write("other.onnx", &fs::read("models/vision-lite0/golden/input.safetensors").unwrap()), "no ONNX model"),
        (huge, "2 GiB"),
        (dir.path().to_path_buf(), "it is a folder"),
        (dir.path().join("missing.onnx"), "cannot read"),
    ] {
        refused(&["model", "check", text(&path)], &[text(&path), word]);
        let out = dir.path().join("package").display().to_string();
        refused(&import(text(&path), &out, &files(GOOD)[0]), &[text(&path), word]);
        assert!(!Path::new(&out).exists());
    }
}

/// Runs a command line as it stands, in a folder, by this build of the program.
fn run_as_it_stands(line: &str, dir: &Path) -> std::process::Output {
    let program = Path::new(env!("CARGO_BIN_EXE_eyear"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = std::process::Command::new("sh");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    shell.args(["-c", line]).current_dir(dir).env("PATH", path);
    let library = project.join("third_party/onnxruntime").join(std::env::consts::ARCH).join("libonnxruntime.so");
    if std::env::var_os("ORT_DYLIB_PATH").is_none() && library.is_file() {
        shell.env("ORT_DYLIB_PATH", library);
    }
    shell.output().unwrap()
}

#[test]
fn the_command_that_check_tells_runs_as_it_stands() {
    let dir = TempDir::new().unwrap();
    let model = dir.path().join("it's my net.onnx");
    fs::copy(MAPS, &model).unwrap();
    let output = eyear(&["model", "check", text(&model), "--input", "192x256"]);
    let told = said(&output);
    let line = told.lines().find(|line| line.trim_start().starts_with("eyear model import ")).unwrap();
    let output = run_as_it_stands(line, dir.path());
    assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(said(&output).contains("eyear teach PART --model ./it-s-my-net --good FOLDER"), "{}", said(&output));
    let (told, _) = checked(text(&model), &[]);
    assert!(told["import"].as_str().unwrap().contains("--scale 58.395,57.12,57.375"), "{told}");
    // What can serve as nothing has none.
    let (told, _) = checked("models/eyear-small/text_encoder.int8.onnx", &[]);
    assert_eq!(told["import"], Value::Null);
}

#[test]
fn an_export_of_anomalib_before_2_0_is_taken() {
    let dir = TempDir::new().unwrap();
    let whole = Onnx::read(Path::new(ANOMALY)).unwrap();
    let bare = onnx::with_outputs(&whole.whole().unwrap(), &["pred_score"]).unwrap();
    let old = dir.path().join("old.onnx");
    fs::write(&old, onnx::with_pooled(&bare, "anomaly_map", "output", 1).unwrap()).unwrap();
    let (told, code) = checked(text(&old), &[]);
    let anomalib = &told["uses"][1];
    assert_eq!((code, &anomalib["ok"]), (Some(0), &json!(true)), "{told}");
    assert!(anomalib["why"].as_str().unwrap().contains("uses `output`, as named by exports before 2.0"), "{told}");
    assert!(told["import"].as_str().unwrap().ends_with("--mean 0,0,0 --scale 255,255,255"), "{told}");
    // Whether it normalises is not known of it.
    let package = dir.path().join("old").display().to_string();
    let good = files(GOOD);
    refused(&import(text(&old), &package, &good[0]), &["anomalib 1.x", "--scale 255,255,255", "0.x", "123.675"]);
    let scale = ["--mean", "0,0,0", "--scale", "255,255,255"];
    let output = eyear(&[import(text(&old), &package, &good[0]), scale.to_vec()].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_model_that_computes_no_numbers_is_told_with_the_file() {
    let dir = TempDir::new().unwrap();
    let [package, part] = ["mine", "part"].map(|name| dir.path().join(name).display().to_string());
    let good = files(GOOD);
    let normalised = ["--mean", "127.5,127.5,127.5", "--scale", "127.5,127.5,127.5"];
    let output = eyear(&[import(MAPS, &package, &good[0]), normalised.to_vec()].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // The roots of negative numbers.
    let broken = replaced(fs::read(MAPS).unwrap(), "Relu", "Sqrt");
    let path = dir.path().join("broken.onnx");
    fs::write(&path, &broken).unwrap();
    let (told, code) = checked(text(&path), &[]);
    assert_eq!(code, Some(1));
    assert!(told["uses"][0]["why"].as_str().unwrap().contains("no numbers for a drawn picture"), "{told}");
    // In a package, as one that fails on some pictures only would be.
    let [model, card] = ["mine.fp32.onnx", "model.toml"].map(|name| Path::new(&package).join(name));
    let old = fs::read(&model).unwrap();
    let new = replaced(old.clone(), "Relu", "Sqrt");
    let digest =
        |bytes: &[u8]| sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    fs::write(&card, fs::read_to_string(&card).unwrap().replace(&digest(&old), &digest(&new))).unwrap();
    fs::write(&model, &new).unwrap();
    refused(&["teach", &part, "--model", &package, "--good", &good[0]], &[&good[0], "no usable numbers in"]);
    refused(
        &["eval", "tests/data/paper", "--model", &package],
        &["tests/data/paper/train/good", "no usable numbers in"],
    );
}

#[test]
fn an_operator_that_the_runtime_does_not_know_is_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("maps.onnx");
    fs::write(&path, replaced(fs::read(MAPS).unwrap(), "ReduceMean", "ReduceMood")).unwrap();
    let (told, code) = checked(text(&path), &[]);
    assert_eq!((code, &told["operators"]["ReduceMood"]), (Some(1), &json!(1)));
    assert!(told["runs"]["why"].as_str().unwrap().contains("ReduceMood"), "{told}");
    assert_eq!((&told["providers"], &told["uses"]), (&json!([]), &json!([])));
}

#[test]
fn an_imported_backbone_teaches_and_judges() {
    let dir = TempDir::new().unwrap();
    let [package, part] = ["mine", "part"].map(|name| dir.path().join(name).display().to_string());
    let good = files(GOOD);
    let normalised = ["--mean", "127.5,127.5,127.5", "--scale", "127.5,127.5,127.5", "--input", "192x256"];
    let output = eyear(&[import(MAPS, &package, &good[0]), normalised.to_vec()].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said(&output).contains("similarity to its recorded reference 1.0000"), "{}", said(&output));
    let verified = eyear(&["model", "verify", &package]);
    assert!(said(&verified).contains("mine 1: all 3 files match their sha256"), "{}", said(&verified));
    // Its one precision is the one that is meant.
    let taught = eyear(&["teach", &part, "--model", &package, "--good", GOOD]);
    assert_eq!(taught.status.code(), Some(0), "{}", String::from_utf8_lossy(&taught.stderr));
    let judged = lines(&eyear(&["inspect", &part, "--model", &package, "--json", &good[1]]));
    assert_eq!(
        (&judged[0]["senses"][0]["encoded_by"]["precision"], &judged[0]["verdict"]),
        (&json!("fp32"), &json!("pass"))
    );
    refused(&import(MAPS, &package, &good[0]), &[&package, "exists and is not empty"]);
    let other = dir.path().join("other").display().to_string();
    refused(&import(MAPS, &other, &good[0]), &["--mean and --scale are missing", "123.675"]);
    refused(
        &import("models/eyear-small/fusion.int8.onnx", &other, &good[0]),
        &["not an image encoder", "not an anomalib export"],
    );
    assert!(!Path::new(&other).exists());
}

#[test]
fn an_imported_anomaly_map_tells_specks_from_clean_paper() {
    let dir = TempDir::new().unwrap();
    let package = dir.path().join("detector").display().to_string();
    let output = eyear(&import(ANOMALY, &package, &files(GOOD)[0]));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest: toml::Table = fs::read_to_string(Path::new(&package).join("model.toml")).unwrap().parse().unwrap();
    let encoder = &manifest["image_encoder"];
    assert_eq!(encoder["outputs"][0]["distance"].as_bool(), Some(true));
    assert_eq!(encoder["scale"][0].as_float(), Some(255.0));
    // The data that lay beside the model lies in it, and the map alone is left to compute.
    let (told, _) = checked(text(&Path::new(&package).join("detector.fp32.onnx")), &[]);
    assert_eq!((&told["beside"], told["outputs"].as_array().unwrap().len()), (&json!([]), 1), "{told}");
    assert_eq!(told["operators"]["MaxPool"], 1);
    let evaluated = lines(&eyear(&["eval", "tests/data/paper", "--model", &package, "--json"])).remove(0);
    let of = |field: &str| evaluated[field].as_f64().unwrap();
    assert!(of("image_auroc") > 0.99 && of("pixel_auroc") > 0.9, "{evaluated}");
}

#[test]
fn a_copy_keeps_what_it_is_not_asked_to_change() {
    let model = Onnx::read(Path::new(MAPS)).unwrap();
    let whole = model.whole().unwrap();
    let all = onnx::with_outputs(&whole, &["layer2", "layer3", "score"]).unwrap();
    assert_eq!(all, whole.as_ref());
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("one.onnx");
    fs::write(
        &path,
        onnx::with_pooled(&onnx::with_outputs(&whole, &["layer2"]).unwrap(), "layer2", "pooled", 2).unwrap(),
    )
    .unwrap();
    let one = Onnx::read(&path).unwrap();
    let names: Vec<&str> = one.facts().outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!((names, one.facts().operators["MaxPool"]), (vec!["layer2", "pooled"], 1));
}

proptest! {
    /// Whatever stands in a file, reading it ends, with facts or with a sentence.
    #[test]
    fn damaged_models_are_read_or_refused(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        of in prop::sample::select(vec![MAPS, ANOMALY]),
    ) {
        let dir = TempDir::new().unwrap();
        let mut bytes = fs::read(of).unwrap();
        bytes.truncate(cut.index(bytes.len()) + 1);
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let path = dir.path().join("anomaly.onnx");
        fs::write(&path, bytes).unwrap();
        fs::copy(DATA, dir.path().join("anomaly.onnx.data")).unwrap();
        match Onnx::read(&path) {
            Ok(model) => drop(model.whole()),
            Err(error) => prop_assert!(error.message().starts_with(&path.display().to_string()), "{error}"),
        }
    }
}
