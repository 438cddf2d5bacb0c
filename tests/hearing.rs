//! Parts that are taught and judged by ear, on a real machine's sound.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use eyear::package::manifest::{Manifest, Sense};
use eyear::prepare::image::Preparer;
use eyear::prepare::pixels::Planes;
use eyear::prepare::spectrogram::Spectrograph;
use eyear::sample::Sound;
use eyear::source::recording::sound;
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

use crate::commands::{eyear, lines, said};
use crate::microphone::wav;
use crate::taught::{Taught, taught};

const GOOD: &str = "tests/data/machine/train/normal";
const UNHEARD: &str = "tests/data/machine/test/normal";

/// A part taught from the machine's good sounds.
pub fn machine() -> &'static str {
    let Taught { part, said } = taught("machine", &["--good", GOOD]);
    assert!(said.contains("taught from 24 good sounds"), "{said}");
    part
}

/// One of the good sounds that were not taught.
fn unheard() -> Sound {
    sound::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(UNHEARD).join("m00.flac")).unwrap()
}

/// Judges a sound that is written to a file first.
fn judged(rate: u32, channels: u16, samples: &[f64]) -> Value {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sound.wav");
    fs::write(&file, wav("f32", rate, channels, samples)).unwrap();
    lines(&eyear(&["inspect", machine(), "--json", file.to_str().unwrap()])).remove(0)
}

fn samples(sound: &Sound) -> Vec<f64> {
    sound.samples().iter().map(|&sample| f64::from(sample)).collect()
}

#[test]
fn the_rust_sees_of_a_sound_what_the_recipe_sees() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/sound-lite0");
    let bytes = fs::read(dir.join("golden/input.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        file.tensor(name).unwrap().data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let (samples, pixels) = (floats("samples"), floats("pixels"));
    let encoder = Manifest::read(&dir).unwrap().encoder(Sense::Sound).unwrap().clone();
    let mut spectrograph = Spectrograph::new(encoder.spectrogram.unwrap()).unwrap();
    let picture = spectrograph.picture(&Sound::new(samples, 16_000, 1).unwrap()).unwrap();
    let size = spectrograph.input(picture.width(), encoder.multiple_of);
    assert_eq!(3 * size[0] * size[1], pixels.len());
    let mut seen = vec![0.0; pixels.len()];
    Preparer::new(encoder.mean, encoder.scale).run(&Planes::of(&picture).unwrap(), size, &mut seen).unwrap();
    // Bytes are rounded twice more here, after each direction of the stretch; and the recipe keeps the samples' offset, which
    // the lowest bands show.
    let apart: Vec<f32> = seen.iter().zip(&pixels).map(|(a, b)| (a - b).abs() * 127.5).collect();
    let mean = apart.iter().sum::<f32>() / apart.len() as f32;
    let most = apart.iter().copied().fold(0.0, f32::max);
    assert!(mean < 0.6 && most < 5.0, "bytes apart: {mean} in the mean, {most} at most");
}

#[test]
fn a_machine_as_usual_passes_and_faults_are_told_by_ear() {
    let output = eyear(&["eval", "tests/data/machine", "--inject", "knock", "hum", "rub", "--snr", "6", "--json"]);
    let figures = &lines(&output)[0];
    assert_eq!(figures["judged"], serde_json::json!([6, 19]), "{figures}");
    assert!(figures["audio_auroc"].as_f64().unwrap() >= 0.95, "{figures}");
    assert!(figures["audio_pauc"].as_f64().unwrap() > 0.7 && figures["image_auroc"].is_null(), "{figures}");
    assert_eq!(figures["per_kind"]["hum +6 dB"]["count"], 6, "{figures}");
    let again =
        &lines(&eyear(&["eval", "tests/data/machine", "--part", machine(), "--inject", "rub", "--snr", "6", "--json"]))
            [0];
    assert_eq!(again["per_kind"]["rub +6 dB"], figures["per_kind"]["rub +6 dB"], "the same seed draws the same faults");
    for report in lines(&eyear(&["inspect", machine(), "--json", UNHEARD])) {
        assert_ne!(report["verdict"], "fail", "{report}");
        assert_ne!(report["verdict"], "invalid", "{report}");
    }
}

#[test]
fn three_good_sounds_do_not_make_others_fail() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("three");
    let part = part.to_str().unwrap();
    let three = [0, 1, 2].map(|i| format!("tests/data/machine/train/normal/m{i:02}.flac"));
    let taught = eyear(&[&["teach", part, "--good"][..], &three.each_ref().map(String::as_str)].concat());
    assert_eq!(taught.status.code(), Some(0), "{}", String::from_utf8_lossy(&taught.stderr));
    let judged = lines(&eyear(&["inspect", part, "tests/data/machine/test/normal", "--json"]));
    assert!(judged.len() == 6 && judged.iter().all(|line| line["verdict"] != "fail"), "{judged:?}");
}

#[test]
fn long_sounds_are_taught_and_judged_by_their_windows() {
    let figures = |flags: &[&str]| -> Value {
        let output = eyear(&[&["eval", "tests/data/machine", "--json"], flags].concat());
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output).remove(0)
    };
    let windows = ["--window", "1", "--inject", "rub", "--snr", "6", "--baselines"];
    let all = figures(&windows);
    // Each of the clips lasts two seconds; a file stays one sample.
    assert_eq!((&all["taught"], &all["judged"]), (&48.into(), &serde_json::json!([6, 7])), "{all}");
    assert!(all["per_kind"]["rub +6 dB"]["auroc"].as_f64().unwrap() > 0.9, "{all}");
    for name in ["mahalanobis", "knn", "knn_max"] {
        let of = &all["baselines"][name];
        assert!(of["audio_auroc"].as_f64().unwrap() > 0.5 && of["audio_pauc"].is_number(), "{name}: {all}");
        assert!(of["per_kind"]["rub +6 dB"]["auroc"].is_number() && of["per_kind"]["anomaly"].is_object(), "{all}");
    }
    let few = figures(&[&windows[..], &["--taught-seconds", "11", "--seed", "3"]].concat());
    assert_eq!((&few["taught"], &few["judged"]), (&11.into(), &serde_json::json!([6, 7])), "{few}");
    assert_eq!(figures(&["--taught-seconds", "11"])["taught"], 6);
    for (arguments, expected) in [
        (vec!["tests/data/machine", "--taught-seconds", "49"], "has 48.0 s of good sound to teach from, got 49"),
        (vec!["tests/data/machine", "--window", "3"], "a sound of 2.00 s is shorter than three quarters of a window"),
        (vec!["tests/data/machine", "--window", "0"], "wants seconds from 0.1 to 36000"),
        (vec!["tests/data/machine", "--taught-seconds", "9", "--shots", "3"], "cannot be used with"),
        (vec!["tests/data/cookie", "--window", "1"], "are for sounds"),
        (vec!["tests/data/cookie", "--baselines"], "are for sounds"),
    ] {
        let output = eyear(&[&["eval"], &arguments[..]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}

#[test]
fn modelled_machines_are_told_from_broken_ones() {
    let output = eyear(&["eval", "--modelled", "12", "--shots", "6", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures = lines(&output);
    let names: Vec<&str> = figures.iter().map(|figures| figures["dataset"].as_str().unwrap()).collect();
    assert_eq!(names, ["fan", "pump", "gearbox", "spindle", "motor"].map(|name| format!("{name} at +12 dB")));
    for figures in &figures {
        assert_eq!((&figures["taught"], &figures["judged"]), (&6.into(), &serde_json::json!([20, 30])), "{figures}");
        assert!(figures["audio_auroc"].as_f64().unwrap() > 0.7, "{figures}");
    }
    for (arguments, expected) in [
        (vec!["--modelled", "99"], "wants decibels from -60 to 60, got 99"),
        (vec!["tests/data/machine", "--modelled"], "cannot be used with"),
        (vec!["--json"], "required"),
    ] {
        let output = eyear(&[&["eval"], &arguments[..]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}

#[test]
fn a_finding_tells_time_band_and_level() {
    let mut with = samples(&unheard());
    // A blow at 1.2 s that rings at 3 kHz.
    for (i, sample) in with[19_200..].iter_mut().take(1600).enumerate() {
        let time = i as f64 / 16_000.0;
        *sample += 0.2 * (-time / 0.01).exp() * (time * 3000.0 * std::f64::consts::TAU).sin();
    }
    let report = judged(16_000, 1, &with);
    assert_eq!(report["verdict"], "fail", "{report}");
    let knock = report["findings"].as_array().unwrap().iter().find(|f| f["data"]["character"] == "knock");
    let heard = &knock.unwrap_or_else(|| panic!("no knock: {report}"))["data"];
    let of = |name: &str, i: usize| heard[name][i].as_f64().unwrap();
    assert!(of("seconds", 0) < 1.21 && 1.2 < of("seconds", 1), "{heard}");
    assert!(of("hz", 0) < 3000.0 && 3000.0 < of("hz", 1) && heard["db"].as_f64().unwrap() > 8.0, "{heard}");

    let mut with = samples(&unheard());
    with.iter_mut().enumerate().for_each(|(i, sample)| *sample += 0.1 * (i as f64 * 0.9).sin());
    let report = judged(16_000, 1, &with);
    let tone = report["findings"].as_array().unwrap().iter().find(|f| f["data"]["character"] == "tone");
    let heard = &tone.unwrap_or_else(|| panic!("no tone: {report}"))["data"];
    let hz = 0.9 * 16_000.0 / std::f64::consts::TAU;
    assert!(heard["hz"][0].as_f64().unwrap() < hz && hz < heard["hz"][1].as_f64().unwrap(), "{heard} for {hz} Hz");
}

/// A shaft at 25 Hz in noise; where `blows` a second are asked for, each rings at 3 kHz.
fn turning(seed: u64, blows: f64) -> Vec<f64> {
    let mut state = seed;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    let at = |i: usize, noise: f64| {
        let time = i as f64 / 16_000.0;
        let since = if blows > 0.0 { time.rem_euclid(1.0 / blows) } else { 1.0 };
        let ring = 0.15 * (-since * 900.0).exp() * (TAU * 3000.0 * since).sin();
        0.05 * (TAU * 25.0 * time).sin() + 0.05 * noise + ring
    };
    (0..32_000).map(|i| at(i, noise())).collect()
}

#[test]
fn a_rhythm_is_named_by_the_bearing_that_was_taught() {
    let dir = TempDir::new().unwrap();
    let good = dir.path().join("good");
    fs::create_dir(&good).unwrap();
    (0..12).for_each(|i| fs::write(good.join(format!("{i:02}.wav")), wav("f32", 16_000, 1, &turning(i, 0.0))).unwrap());
    let [file, part, sound] = ["bearing.toml", "part", "sound.wav"].map(|name| dir.path().join(name));
    let [file_name, part, sound_name] = [&file, &part, &sound].map(|path| path.to_str().unwrap());
    let good = good.to_str().unwrap();
    // BPFO 89.6 Hz, BPFI 135.4 Hz.
    let bearing = "shaft_hz = 25.0\nballs = 9\nball_mm = 7.94\npitch_mm = 39.04\n";
    fs::write(&file, bearing).unwrap();
    let output = eyear(&["teach", part, "--good", good, "--bearing", file_name]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (blows, expected) in [(89.6, "outer race (BPFO 89.6 Hz)"), (135.4, "inner race (BPFI 135.4 Hz)")] {
        fs::write(&sound, wav("f32", 16_000, 1, &turning(99, blows))).unwrap();
        let report = lines(&eyear(&["inspect", part, "--json", sound_name])).remove(0);
        let rhythm = report["findings"].as_array().unwrap().iter().find(|f| f["data"]["character"] == "rhythm");
        let place = rhythm.unwrap_or_else(|| panic!("no rhythm: {report}"))["place"].as_str().unwrap();
        assert!(place.contains(" times a second: ") && place.ends_with(expected), "{place}");
    }
    let card = fs::read_to_string(dir.path().join("part/part.toml")).unwrap();
    fs::write(dir.path().join("part/part.toml"), card.replace("ball_mm = 7.94", "ball_mm = 79.4")).unwrap();
    fs::write(&file, bearing.replace("shaft_hz = 25.0\n", "")).unwrap();
    for (arguments, expected) in [
        (vec!["inspect", part, sound_name], "part.toml: `bearing`: `ball_mm` must be over 0 and under `pitch_mm`"),
        (
            vec!["teach", part, "--good", good, "--bearing", file_name],
            "bearing.toml: `shaft_hz` or `rpm` must be given",
        ),
        (vec!["teach", part, "--good", good, "--bearing", "no.toml"], "cannot read no.toml"),
        (vec!["teach", part, "--good", "tests/data/cookie/train/good", "--bearing", file_name], "is for sounds"),
    ] {
        let output = eyear(&arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}

#[test]
fn rate_and_channels_do_not_change_what_is_heard() {
    let plain = judged(16_000, 1, &samples(&unheard()));
    let stereo: Vec<f64> = samples(&unheard()).into_iter().flat_map(|sample| [sample, sample]).collect();
    let stereo = judged(16_000, 2, &stereo);
    let score = |report: &Value| report["score"].as_f64().unwrap();
    assert!((score(&plain) - score(&stereo)).abs() < 0.05, "{plain} {stereo}");
}

#[test]
fn what_cannot_be_heard_is_invalid_and_says_why() {
    let good = samples(&unheard());
    let cases: [(Vec<f64>, &str); 5] = [
        (vec![0.0; 32_000], "silent: 100.0 % of the sound"),
        (good.iter().map(|x| (x * 500.0).clamp(-1.0, 1.0)).collect(), "clipped: "),
        (good.iter().map(|x| x * 0.02).collect(), "too quiet: "),
        (good[..8000].to_vec(), "wrong length: 0.50 s, taught with 2.00 s"),
        (good.repeat(2), "wrong length: 4.00 s, taught with 2.00 s"),
    ];
    for (samples, expected) in cases {
        let report = judged(16_000, 1, &samples);
        assert_eq!(report["verdict"], "invalid", "{expected}: {report}");
        assert!(report["reason"]["text"].as_str().unwrap().starts_with(expected), "{expected}: {report}");
    }
}

#[test]
fn what_is_judged_is_what_is_measured_of_channels_and_offsets() {
    let good = samples(&unheard());
    let stereo = |right: &dyn Fn(f64) -> f64| good.iter().flat_map(|x| [*x, right(*x)]).collect::<Vec<f64>>();
    // A channel that is wired the wrong way round takes the other away.
    let report = judged(16_000, 2, &stereo(&|x| -x));
    assert_eq!(report["verdict"], "invalid", "{report}");
    assert!(report["reason"]["text"].as_str().unwrap().starts_with("too quiet: "), "{report}");
    let report = judged(16_000, 2, &stereo(&|_| 0.0));
    assert_eq!(report["verdict"], "invalid", "{report}");
    assert_eq!(report["reason"]["text"], "silent: 1 of 2 channels, taught with 0");
    assert_eq!(report["reason"]["code"], "silent");
    // No ear hears where zero is.
    let plain = judged(16_000, 1, &good);
    for offset in [0.003, -0.01, 0.1] {
        let beside = judged(16_000, 1, &good.iter().map(|x| x + offset).collect::<Vec<f64>>());
        let [expected, found] = [&plain, &beside].map(|report| report["score"].as_f64().unwrap());
        assert!((expected - found).abs() < 0.05 && plain["verdict"] == beside["verdict"], "{offset}: {beside}");
    }
}

#[test]
fn nothing_is_learned_from_what_cannot_be_heard() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let good = samples(&unheard());
    let taught = |name: &str, channels: u16, samples: &[f64]| {
        let file = dir.path().join(format!("{name}.wav"));
        fs::write(&file, wav("f32", 16_000, channels, samples)).unwrap();
        eyear(&["teach", &part, "--good", file.to_str().unwrap()])
    };
    let opposite: Vec<f64> = good.iter().flat_map(|x| [*x, -x]).collect();
    let loud: Vec<f64> = good.iter().map(|x| (x * 500.0).clamp(-1.0, 1.0)).collect();
    for (name, channels, samples, word) in [
        ("mute", 1, vec![0.0; 32_000], "mute.wav: silent: 100 % of the time"),
        ("loud", 1, loud, "loud.wav: clipped: "),
        ("opposite", 2, opposite, "opposite.wav: its 2 channels cancel each other"),
        ("long", 1, good.repeat(21), "lasts 42.00 s, a part is taught from sounds of at most 41 s"),
    ] {
        let output = taught(name, channels, &samples);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(word) && told.lines().count() == 1, "{word}: {told}");
    }
    let dead: Vec<f64> = good.iter().flat_map(|x| [*x, 0.0]).collect();
    let output = taught("dead", 2, &dead);
    assert!(said(&output).contains("1 good sounds have a channel without any sound"), "{}", said(&output));
}

#[test]
fn what_is_no_sound_is_refused_in_one_sentence_and_the_rest_goes_on() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_string()
    };
    let short = file("short.wav", &wav("i16", 16_000, 1, &[0.1; 160]));
    let nan = file("nan.wav", &wav("f32", 16_000, 1, &[f64::NAN; 32_000]));
    let text = file("text.wav", b"hello");
    let cases = [
        (short.as_str(), "a sound of 0.010 s is too short"),
        (&nan, "samples are no numbers"),
        (&text, "no sound file of a known format"),
        ("tests/data/cookie/test/good/t001.jpg", "no sound file of a known format"),
    ];
    for (path, expected) in cases {
        let output = eyear(&["inspect", machine(), path, &format!("{UNHEARD}/m00.flac")]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{path}: {told}");
        assert!(told.contains(expected), "{path}: {told}");
        assert!(said(&output).contains("1 unreadable"), "{}", said(&output));
    }
    let refused = [
        (vec!["teach", "x", "--good", GOOD, "tests/data/cookie/train/good"], "teach a part from one kind"),
        (vec!["teach", "x", "--good", GOOD, "--kind", "texture"], "are for pictures"),
        (vec!["teach", machine(), "--add", "--good", "tests/data/cookie/train/good"], "was taught from sounds"),
        (vec!["eval", "tests/data/cookie", "--inject", "knock"], "holds images"),
        (vec!["bench", machine(), "tests/data/cookie/test/good"], "was taught from sounds"),
    ];
    for (arguments, expected) in refused {
        let output = eyear(&arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}

#[test]
fn sounds_are_added_and_taken_back() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part");
    let part = part.to_str().unwrap();
    assert!(eyear(&["teach", part, "--good", GOOD]).status.success());
    let before = lines(&eyear(&["inspect", part, "--json", UNHEARD]));
    let added = eyear(&["teach", part, "--add", "--good", UNHEARD]);
    assert!(said(&added).contains("taught from 30 good sounds"), "{}", said(&added));
    let after = lines(&eyear(&["inspect", part, "--json", UNHEARD]));
    let sum = |reports: &[Value]| reports.iter().map(|report| report["score"].as_f64().unwrap()).sum::<f64>();
    assert!(sum(&after) < sum(&before), "what was taught is less strange");
    assert!(eyear(&["teach", part, "--undo"]).status.success());
    let back = lines(&eyear(&["inspect", part, "--json", UNHEARD]));
    assert_eq!(sum(&back), sum(&before));
}
