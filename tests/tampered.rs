//! Parts and model packages that somebody changed: refused in one sentence that names the file and the field, by every
//! command that reads them, before a picture is judged by them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::bad_input::{package, paper, refused, text};
use crate::commands::{eyear, files, said};

/// The tensors of a part, as they are written.
type Numbers = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file with the numbers of the part in `dir`.
fn numbers_of(dir: &Path) -> PathBuf {
    let mut files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.find(|file| file.extension().is_some_and(|extension| extension == "safetensors")).unwrap()
}

/// A copy of the part with other numbers, whose digest is right again.
fn forged(part: &str, to: PathBuf, change: impl Fn(&mut Numbers)) -> String {
    let from = Path::new(part);
    let bytes = fs::read(numbers_of(from)).unwrap();
    let mut numbers: Numbers = SafeTensors::deserialize(&bytes)
        .unwrap()
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    change(&mut numbers);
    let views = numbers
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let forged = safetensors::serialize(views, None).unwrap();
    fs::create_dir(&to).unwrap();
    fs::write(to.join(numbers_of(from).file_name().unwrap()), &forged).unwrap();
    let card = fs::read_to_string(from.join("part.toml")).unwrap();
    let name = format!("name = \"{}\"", to.file_name().unwrap().display());
    let card = card.replace("name = \"part\"", &name).replace(&digest(&bytes), &digest(&forged));
    fs::write(to.join("part.toml"), card).unwrap();
    to.display().to_string()
}

/// Sets one number.
fn set(numbers: &mut Numbers, name: &str, value: f32) {
    numbers.get_mut(name).unwrap().2[4..8].copy_from_slice(&value.to_le_bytes());
}

/// Leaves the first `keep` along axis 0; of bytes as many as that makes.
fn cut(numbers: &mut Numbers, name: &str, keep: usize) {
    let (_, shape, data) = numbers.get_mut(name).unwrap();
    data.truncate(data.len() / shape[0].max(1) * keep);
    shape[0] = keep;
}

/// Makes `f32[n, m]` to `f32[n, m - 1]`.
fn narrow(numbers: &mut Numbers, name: &str) {
    let (_, shape, data) = numbers.get_mut(name).unwrap();
    *data = data.chunks_exact(4 * shape[1]).flat_map(|row| row[..row.len() - 4].to_vec()).collect();
    shape[1] -= 1;
}

#[test]
fn a_part_whose_numbers_make_no_sense_is_refused() {
    let (dir, part, _) = paper();
    let picture = files("tests/data/paper/test/good").remove(0);
    type Change = fn(&mut Numbers);
    let cases: [(&str, Change); 27] = [
        ("`stride16.weights` holds numbers that are not finite", |n| set(n, "stride16.weights", f32::NAN)),
        ("`stride16.bank` holds numbers that are not finite", |n| set(n, "stride16.bank", f32::INFINITY)),
        ("`shape.mean` holds numbers that are not finite", |n| set(n, "shape.mean", f32::NEG_INFINITY)),
        ("`shape.axes` holds numbers that are not finite", |n| set(n, "shape.axes", f32::NAN)),
        ("`held_out` holds numbers that are not finite", |n| set(n, "held_out", f32::NAN)),
        ("`summaries` holds numbers that are not finite", |n| set(n, "summaries", f32::NAN)),
        ("`varied` holds numbers that are not finite", |n| set(n, "varied", f32::NAN)),
        ("`varied` wants f32[n, ", |n| narrow(n, "varied")),
        ("`stride16.bank` wants f32[n, ", |n| narrow(n, "stride16.bank")),
        ("`shape.axes` wants f32[n, ", |n| narrow(n, "shape.axes")),
        ("`summaries` wants f32[n, ", |n| narrow(n, "summaries")),
        ("`held_out` wants f32[n, 3]", |n| narrow(n, "held_out")),
        ("`shape.tameness` wants f32[", |n| cut(n, "shape.tameness", 7)),
        ("`shape.excess` wants f32[", |n| cut(n, "shape.excess", 1)),
        ("`shape.ball` wants f32[1]", |n| cut(n, "shape.ball", 0)),
        ("`stride32.unit` must be positive", |n| n.get_mut("stride32.unit").unwrap().2.fill(0)),
        ("`stride16.bank` is empty", |n| cut(n, "stride16.bank", 0)),
        ("`held_out` is empty", |n| cut(n, "held_out", 0)),
        ("`summaries` is empty", |n| cut(n, "summaries", 0)),
        ("`stride16.seen_at` must have one row", |n| cut(n, "stride16.seen_at", 5)),
        ("`tiles` must have one row", |n| cut(n, "tiles", 5)),
        ("no tensor `tiles`", |n| drop(n.remove("tiles"))),
        ("`ignored` wants u8[200704], got [3]", |n| drop(n.insert("ignored".into(), (Dtype::U8, vec![3], vec![0; 3])))),
        ("`stride16.bank` wants F32, got F64", |n| {
            let (_, shape, data) = n.get("stride16.bank").unwrap().clone();
            n.insert("stride16.bank".into(), (Dtype::F64, shape, data.repeat(2)));
        }),
        ("`stride16.weights` wants f32[n, m]", |n| {
            let (_, shape, _) = n.get_mut("stride16.weights").unwrap();
            *shape = vec![shape.iter().product()];
        }),
        // These fit one another, but not the encoder.
        ("the encoder gives", |n| cut(n, "stride16.weights", 100)),
        ("the encoder gives", |n| {
            for name in ["shape.mean", "shape.tameness", "shape.inverse_deviation"] {
                cut(n, name, 6);
            }
            for name in ["shape.axes", "summaries", "varied"] {
                let (_, shape, data) = n.get_mut(name).unwrap();
                *data = data.chunks_exact(4 * shape[1]).flat_map(|row| row[..24].to_vec()).collect();
                shape[1] = 6;
            }
        }),
    ];
    for (i, (words, change)) in cases.into_iter().enumerate() {
        let forged = forged(&part, dir.path().join(format!("forged-{i}")), change);
        refused(&["inspect", &forged, &picture], &[words, "forged-"]);
        refused(&["teach", &forged, "--add", "--good", &picture], &[words, "forged-"]);
    }
    let plain = dir.path().join("plain");
    let plain = forged(&part, plain, |_| ());
    assert_eq!(eyear(&["inspect", &plain, &picture]).status.code(), Some(0), "a part that was only written anew");
    fs::write(numbers_of(Path::new(&plain)), b"no numbers").unwrap();
    let card = fs::read_to_string(Path::new(&plain).join("part.toml")).unwrap();
    let was = card.split("sha256 = \"").nth(1).unwrap().split('"').next().unwrap();
    fs::write(Path::new(&plain).join("part.toml"), card.replace(was, &digest(b"no numbers"))).unwrap();
    refused(&["inspect", &plain, &picture], &["not a safetensors file", &plain]);
}

#[test]
fn a_golden_part_whose_pictures_do_not_fit_is_refused() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let good = files("tests/data/screws4/train/good");
    let output = eyear(&["teach", &part, "--kind", "golden", "--good", &good[0], &good[1]]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    type Change = fn(&mut Numbers);
    let cases: [(&str, Change); 6] = [
        ("`golden.low` and `golden.high` want f16[", |n| cut(n, "golden.high", 9)),
        ("`golden.low` holds numbers that are not finite", |n| {
            n.get_mut("golden.low").unwrap().2[..2].copy_from_slice(&[0, 0x7e]);
        }),
        ("no tensor `reference`", |n| drop(n.remove("reference"))),
        ("`reference` wants U8[height, width]", |n| {
            drop(n.insert("reference".into(), (Dtype::U8, vec![4], vec![0; 4])))
        }),
        ("`reference` wants U8[height, width]", |n| cut(n, "reference", 0)),
        ("`held_out` wants f32[n, 5]", |n| narrow(n, "held_out")),
    ];
    for (i, (words, change)) in cases.into_iter().enumerate() {
        let forged = forged(&part, dir.path().join(format!("forged-{i}")), change);
        refused(&["inspect", &forged, &good[0]], &[words, &forged]);
        refused(&["teach", &forged, "--add", "--good", &good[0]], &[words, &forged]);
    }
    // A reference of another size, with a band to match it: nothing of it can be found in a picture.
    let tiny = forged(&part, dir.path().join("tiny"), |n| {
        n.insert("reference".into(), (Dtype::U8, vec![1, 1], vec![7]));
        for band in ["golden.low", "golden.high"] {
            n.insert(band.into(), (Dtype::F16, vec![1, 1], vec![0; 2]));
        }
    });
    let output = eyear(&["inspect", &tiny, &good[0]]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(1 | 2)) && !told.contains("panicked"), "{told}{}", said(&output));
}

#[test]
fn a_card_that_makes_no_sense_is_refused_by_its_field() {
    let (_dir, part, _) = paper();
    let card = Path::new(&part).join("part.toml");
    let sound = fs::read_to_string(&card).unwrap();
    let picture = files("tests/data/paper/test/good").remove(0);
    let line = |field: &str| sound.lines().find(|line| line.starts_with(field)).unwrap().to_string();
    for (field, value, words) in [
        ("overkill", "nan", "`overkill`"),
        ("strides", "[]", "`strides`"),
        ("strides", "[16, 8, 32]", "`strides`"),
        ("strides", "[8, 16]", "the encoder gives"),
        ("strides", "[8, 16, 64]", "no tensor `stride64."),
        ("heat_limit", "nan", "`heat_limit`"),
        ("heat_limit", "-1.0", "`heat_limit`"),
        ("weight", "inf", "`blame.weight`"),
        ("scale", "0.0", "`blame.scale`"),
        ("input", "[320, 0]", "`model.input`"),
        ("input", "[320, 1000000]", "`model.input`"),
        ("input", "[320, 333]", "multiples of 32"),
        ("precision", "\"fp16\"", "no fp16 variant"),
        ("brightness", "[9.0, 1.0]", "`picture.brightness`"),
        ("sharpness", "[nan, nan]", "`picture.sharpness`"),
        ("width", "[0, 10]", "`picture.width`"),
        ("good", "-3", "part.toml"),
        ("file", "\"/etc/hostname\"", "`memory.file`"),
        ("file", "\"sub/memory.safetensors\"", "`memory.file`"),
        ("file", "\"gone.safetensors\"", "gone.safetensors"),
    ] {
        fs::write(&card, sound.replace(&line(field), &format!("{field} = {value}"))).unwrap();
        refused(&["inspect", &part, &picture], &[words]);
        refused(&["teach", &part, "--add", "--good", &picture], &[words]);
    }
    fs::write(&card, sound.replace("kind = \"texture\"", "kind = \"golden\"")).unwrap();
    refused(&["inspect", &part, &picture], &["`stride8.bank` wants f32[n, ", text(&numbers_of(Path::new(&part)))]);
    fs::write(&card, sound.replace("digest = \"", "digest = \"00")).unwrap();
    refused(&["teach", &part, "--add", "--good", &picture], &["was taught with", "teach it again"]);
}

#[test]
fn a_part_is_judged_with_the_model_it_was_taught_with_only() {
    let (dir, part, _) = paper();
    let picture = files("tests/data/paper/test/good").remove(0);
    let other = package(&dir.path().join("other"), |toml| toml.replace("version = \"1.1.0\"", "version = \"1.1.1\""));
    refused(&["inspect", &part, "--model", &other, &picture], &["was taught with vision-lite0 1.1.0", "1.1.1"]);
    refused(&["teach", &part, "--add", "--model", &other, "--good", &picture], &["was taught with vision-lite0 1.1.0"]);
    refused(&["eval", "tests/data/paper", "--part", &part, "--model", &other], &["was taught with vision-lite0 1.1.0"]);
    refused(&["bench", &part, "--model", &other, &picture], &["was taught with vision-lite0 1.1.0"]);
}

#[test]
fn nothing_outside_a_model_package_is_read() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let at = |name: &str| dir.path().join(name);
    let network = "vision-lite0.int8.onnx";
    let teach = |package: &str, words: &[&str]| {
        refused(&["teach", &part, "--model", package, "--good", "tests/data/paper/train/good"], words);
    };
    for (i, path) in ["../other", "/etc/hostname", "golden/../../other", "./LICENSE", ""].into_iter().enumerate() {
        let package = package(&at(&format!("path-{i}")), |t| t.replace("\"LICENSE\" = ", &format!("\"{path}\" = ")));
        teach(&package, &[&format!("`sha256.\"{path}\"`"), "must be a path inside the package", "model.toml"]);
        refused(&["model", "verify", &package], &["must be a path inside the package"]);
    }
    // Links out of the package to files that are right.
    let link = package(&at("link"), |t| t);
    let (inside, outside) = (Path::new(&link).join(network), at("outside.onnx"));
    fs::rename(&inside, &outside).unwrap();
    symlink(&outside, &inside).unwrap();
    teach(&link, &[network, "leads out of the model package"]);
    let folder = package(&at("folder"), |t| t);
    fs::rename(Path::new(&folder).join("golden"), at("golden")).unwrap();
    symlink(at("golden"), Path::new(&folder).join("golden")).unwrap();
    refused(&["model", "verify", &folder], &["golden/input.safetensors", "leads out of the model package"]);
    let card = package(&at("card"), |t| t);
    fs::rename(Path::new(&card).join("model.toml"), at("outside.toml")).unwrap();
    symlink(at("outside.toml"), Path::new(&card).join("model.toml")).unwrap();
    teach(&card, &["model.toml", "leads out of the model package"]);
    let pipe = package(&at("pipe"), |t| t);
    fs::remove_file(Path::new(&pipe).join(network)).unwrap();
    assert!(Command::new("mkfifo").arg(Path::new(&pipe).join(network)).status().unwrap().success());
    teach(&pipe, &[network, "is no file"]);
    let endless = package(&at("endless"), |t| t);
    fs::remove_file(Path::new(&endless).join(network)).unwrap();
    symlink(network, Path::new(&endless).join(network)).unwrap();
    teach(&endless, &["cannot read", network]);
    assert!(!Path::new(&part).exists());
}

/// A package whose `file` holds `bytes`, with its digest right.
fn resealed(dir: &Path, file: &str, bytes: &[u8]) -> String {
    let before = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vision-lite0").join(file)).unwrap();
    let path = package(dir, |toml| toml.replace(&digest(&before), &digest(bytes)));
    fs::write(Path::new(&path).join(file), bytes).unwrap();
    path
}

#[test]
fn a_network_that_is_none_or_another_is_refused() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let network = "vision-lite0.int8.onnx";
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vision-lite0").join(network)).unwrap();
    let weights_elsewhere = fs::read("tests/data/foreign/anomaly.onnx").unwrap();
    for (name, bytes, words) in [
        ("none", &b"no network at all"[..], "no ONNX model"),
        ("empty", b"", "no ONNX model"),
        ("half", &whole[..whole.len() / 2], "it was cut short"),
        // The runtime would look for them in the current folder.
        ("elsewhere", &weights_elsewhere, "its weights lie in another file, `anomaly.onnx.data`"),
    ] {
        let package = resealed(&dir.path().join(name), network, bytes);
        refused(&["teach", &part, "--model", &package, "--good", "tests/data/paper/train/good"], &[network, words]);
    }
    assert!(!Path::new(&part).exists());
}

#[test]
fn doctor_names_the_file_of_a_package_that_does_not_compute_what_it_should() {
    let dir = TempDir::new().unwrap();
    let doctor = |models: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
        let output = command.args(["doctor", "--json"]).env("EYEAR_MODELS", models).current_dir(dir.path()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        let found: serde_json::Value = serde_json::from_str(&said(&output)).unwrap();
        assert_eq!(found["healthy"], false);
        let models = found["models"].as_array().unwrap();
        let ours = models.iter().find(|model| !model["error"].is_null()).unwrap();
        ours["error"].as_str().unwrap().to_string()
    };
    let tensor = |shape: Vec<usize>, value: f32| {
        let data: Vec<u8> = value.to_le_bytes().repeat(shape.iter().product());
        safetensors::serialize([("pixels", TensorView::new(Dtype::F32, shape, &data).unwrap())], None).unwrap()
    };
    let golden = "golden/input.safetensors";
    let sound = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vision-lite0").join(golden)).unwrap();
    let shape = SafeTensors::deserialize(&sound).unwrap().tensor("pixels").unwrap().shape().to_vec();
    for (name, bytes, words) in [
        ("shape", tensor(vec![1, 320, 320, 3], 0.5), "got [1, 320, 320, 3]"),
        ("odd", tensor(vec![1, 3, 33, 320], 0.5), "multiples of 32"),
        ("other", tensor(shape.clone(), 0.5), "computes wrong values on this machine"),
        ("nonsense", tensor(shape, f32::NAN), "no usable numbers"),
        ("none", b"no tensors".to_vec(), golden),
    ] {
        let models = dir.path().join(name);
        resealed(&models.join("vision-lite0"), golden, &bytes);
        let told = doctor(&models);
        assert!(told.contains(words), "{name}: {told}");
    }
}
