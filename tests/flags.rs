//! Every flag that `--help` names does what it says, and a flag that could not count is refused.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::bad_input::{paper, refused, text};
use crate::commands::{eyear, files, lines, said};

const GOOD: &str = "tests/data/paper/train/good";

/// Runs the command, which must end with 0.
fn done(arguments: &[&str]) -> String {
    let output = eyear(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    said(&output)
}

/// Runs the command, whose arguments must be refused with all of `words` before anything is done.
fn misused(arguments: &[&str], words: &[&str]) {
    let output = eyear(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert!(said(&output).is_empty(), "{arguments:?}: {}", said(&output));
    for word in words {
        assert!(told.contains(word), "{arguments:?}: no `{word}` in: {told}");
    }
}

fn card(part: &str) -> toml::Table {
    fs::read_to_string(Path::new(part).join("part.toml")).unwrap().parse().unwrap()
}

/// Teaches the part `name` in `dir` from three papers.
fn three(dir: &TempDir, name: &str, flags: &[&str]) -> String {
    let part = dir.path().join(name).display().to_string();
    let good = files(GOOD);
    let arguments = [&["teach", &part], flags, &["--good", &good[0], &good[1], &good[2]]].concat();
    assert!(done(&arguments).contains("taught from 3 good pictures"));
    part
}

/// The flags that `--help` of a subcommand names, without their dashes.
fn flags(command: &[&str]) -> BTreeSet<String> {
    let help = done(&[command, &["--help"]].concat());
    let words = help.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(|line| line.split([' ', ',']));
    words.filter_map(|word| word.strip_prefix("--")).map(str::to_string).collect()
}

/// The flags that tests of this folder try: a new one wants a test before it stands here.
const TRIED: [(&[&str], &str); 27] = [
    (
        &["teach"],
        "add backend bearing board good input kind mask model overkill precision provider require-provider roi threads undo",
    ),
    (&["inspect"], "backend board csv evidence json model out provider require-provider streams threads"),
    // In words.rs.
    (&["report"], "backend beam board json language model out provider require-provider say seed threads writer"),
    (&["ask"], "backend beam board json language model provider require-provider seed since threads writer"),
    (
        &["eval"],
        "backend baselines board csv held-out-half inject input json kind kinds language model modelled out overkill part precision provider require-provider robust \
         seed shots snr taught-seconds threads window words writer",
    ),
    // --all in providers.rs.
    (&["bench"], "all backend board busy json model provider require-provider rounds streams threads"),
    // In providers.rs, as boards and providers are.
    (&["prepare"], "backend board json limit model precision provider require-provider rounds threads"),
    (&["doctor"], "json"),
    // In microphone.rs.
    (&["doctor", "microphone"], "channels device format json rate seconds station"),
    (&["devices"], "json"),
    // In station.rs.
    (&["doctor", "camera"], "device format frames json rate size station"),
    (&["run"], "moments"),
    (&["status"], "json trigger"),
    (&["record"], "every frames out"),
    // In parts.rs.
    (&["part", "show"], "json picture samples"),
    (&["part", "list"], "json"),
    (&["part", "set"], "overkill"),
    (&["part", "rename"], ""),
    (&["part", "copy"], ""),
    (&["part", "export"], ""),
    (&["part", "import"], ""),
    (&["model", "list"], "json"),
    (&["model", "verify"], ""),
    // In foreign.rs.
    (&["model", "check"], "input json provider"),
    (&["model", "import"], "golden input licence mean origin out scale version"),
    (&["completions"], ""),
    (&["man"], ""),
];

#[test]
fn no_flag_is_without_a_test() {
    for (command, tried) in TRIED {
        let mut named = flags(command);
        named.remove("help");
        assert_eq!(named, tried.split_whitespace().map(str::to_string).collect(), "{command:?}");
    }
}

#[test]
fn help_and_version_end_well_and_what_is_not_understood_does_not() {
    assert!(done(&["--version"]).starts_with("eyear 0."));
    for command in ["teach", "inspect", "eval", "bench", "doctor", "model"] {
        assert!(done(&["--help"]).contains(command));
        assert!(done(&[command, "--help"]).contains("Usage: eyear"));
    }
    misused(&[], &["Usage: eyear"]);
    misused(&["look"], &["unrecognized subcommand 'look'"]);
    misused(&["inspect", "part"], &["<PATH>..."]);
    misused(&["teach", "part"], &["--good"]);
    misused(&["inspect", "part", "a.png", "--loud"], &["--loud"]);
}

#[test]
fn options_stand_under_headings_and_every_command_has_examples() {
    let help = done(&["eval", "--help"]);
    for heading in ["\nTeaching:\n", "\nWhat is measured:\n", "\nOutput:\n", "\nWords:\n", "\nModel and machine:\n"] {
        assert!(help.contains(heading), "no {heading:?} in {help}");
    }
    // What stands under no heading is help alone.
    let rest = help.split("\nOptions:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(rest.contains("--help") && rest.matches("--").count() == 1, "{rest}");
    let commands = done(&["--help"]);
    let commands = commands.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<&str> = names.filter(|name| !name.is_empty() && *name != "help").collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        assert!(done(&[name, "--help"]).contains("Examples:\n  eyear "), "{name}");
    }
}

#[test]
fn shells_and_man_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = done(&["completions", shell]);
        assert!(script.contains("require-provider") && script.contains("held-out-half"), "{shell}");
    }
    misused(&["completions", "tcsh"], &["bash", "zsh"]);
    let dir = TempDir::new().unwrap();
    let pages = dir.path().join("man1");
    assert!(done(&["man", text(&pages)]).contains("man1"));
    for page in ["eyear.1", "eyear-teach.1", "eyear-eval.1", "eyear-model-import.1", "eyear-doctor-camera.1"] {
        let page = fs::read_to_string(pages.join(page)).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    refused(&["man", "Cargo.toml"], &["cannot write manual pages to Cargo.toml"]);
}

#[test]
fn a_spreadsheet_gets_a_line_for_each_sample_and_a_terminal_obeys_no_name() {
    let dir = TempDir::new().unwrap();
    let part = three(&dir, "part", &[]);
    let folder = dir.path().join("some");
    fs::create_dir(&folder).unwrap();
    let evil = "a\u{1b}[2J,\nb.png";
    fs::copy(&files(GOOD)[5], folder.join(evil)).unwrap();
    fs::copy(&files("tests/data/paper/test/impurity")[0], folder.join("c.png")).unwrap();
    fs::write(folder.join("d\u{1b}[2J.png"), b"no picture").unwrap();
    let output = eyear(&["inspect", &part, text(&folder), "--csv"]);
    assert_eq!(output.status.code(), Some(2));
    let mut table = csv::Reader::from_reader(&output.stdout[..]);
    assert_eq!(table.headers().unwrap(), vec!["file", "verdict", "score", "limit", "p_value", "where", "error"]);
    let rows: Vec<csv::StringRecord> = table.records().map(|row| row.unwrap()).collect();
    assert!(rows[0][0].ends_with(evil) && &rows[0][1] == "pass" && rows[0][5].is_empty(), "{rows:?}");
    assert!(&rows[1][1] == "unsure" && rows[1][5].starts_with("near the limit"), "{rows:?}");
    assert!(rows[1][2].parse::<f64>().unwrap() > rows[0][2].parse().unwrap(), "{rows:?}");
    assert!(rows[2][1].is_empty() && rows[2][6].contains("not a picture"), "{rows:?}");
    misused(&["inspect", &part, text(&folder), "--csv", "--json"], &["--csv", "--json"]);
    // The table: a row each, nothing that a terminal obeys, no place for what passes, and a count of each verdict.
    let output = eyear(&["inspect", &part, text(&folder)]);
    let (table, told) = (said(&output), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(!table.contains('\u{1b}') && !told.contains('\u{1b}'), "{table}{told}");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 5, "{table}");
    assert!(rows[1].contains(r"a\u{1b}[2J,\nb.png  pass") && !rows[1].contains(" of the picture"), "{table}");
    assert!(rows[3].contains("d\\u{1b}[2J.png ") && rows[3].ends_with("unreadable"), "{table}");
    assert_eq!(rows[4], "3 pictures: 1 pass, 0 fail, 1 unsure, 1 unreadable");
    // The same of a data set, by the samples that its figures count.
    let set = dir.path().join("set");
    for folder in ["test/ok", "test/impurity"] {
        fs::create_dir_all(set.join(folder)).unwrap();
        for file in files(&format!("tests/data/paper/{}", folder.replace("ok", "good"))).iter().take(2) {
            fs::copy(file, set.join(folder).join(Path::new(file).file_name().unwrap())).unwrap();
        }
    }
    let figures = lines(&eyear(&["eval", text(&set), "--part", &part, "--json"])).remove(0);
    let samples = figures["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 4);
    assert_eq!((&samples[0]["kind"], &samples[3]["bad"]), (&Value::from("impurity"), &Value::from(false)));
    let thresholds = figures["thresholds"].as_array().unwrap();
    let (first, last) = (&thresholds[0], thresholds.last().unwrap());
    assert!(first["escape"].as_f64() < Some(1.0) && last["overkill"] == 1.0 && last["escape"] == 0.0, "{figures}");
    let output = eyear(&["eval", text(&set), "--part", &part, "--csv"]);
    let mut table = csv::Reader::from_reader(&output.stdout[..]);
    let headings = vec!["dataset", "file", "kind", "bad", "verdict", "score", "limit", "p_value"];
    assert_eq!(table.headers().unwrap(), headings);
    for (row, sample) in table.records().map(|row| row.unwrap()).zip(samples) {
        assert_eq!((&row[0], &row[1]), ("set", sample["file"].as_str().unwrap()));
        assert_eq!(row[5].parse::<f64>().unwrap(), sample["score"].as_f64().unwrap());
    }
}

#[test]
fn what_teach_is_told_stands_in_the_part() {
    let dir = TempDir::new().unwrap();
    let part = three(&dir, "plain", &[]);
    assert_eq!(card(&part)["overkill"].as_float(), Some(0.01));
    assert_eq!(card(&part)["model"]["precision"].as_str(), Some("int8"));
    let part = three(&dir, "promise", &["--overkill", "0.05"]);
    assert_eq!(card(&part)["overkill"].as_float(), Some(0.05));
    let part = three(&dir, "float", &["--precision", "fp32"]);
    assert_eq!(card(&part)["model"]["precision"].as_str(), Some("fp32"));
    let judged = lines(&eyear(&["inspect", &part, "--json", &files(GOOD)[0]])).remove(0);
    assert_eq!(judged["senses"][0]["encoded_by"]["precision"], "fp32");
    let part = three(&dir, "wide", &["--input", "192x384"]);
    assert_eq!(
        card(&part)["model"]["input"].as_array().unwrap().iter().map(|n| n.as_integer()).collect::<Vec<_>>(),
        [Some(192), Some(384)]
    );
    for kind in ["texture", "framed", "aligned", "golden"] {
        let part = three(&dir, kind, &["--kind", kind]);
        assert_eq!(card(&part)["kind"].as_str(), Some(kind));
        eyear(&["inspect", &part, "--json", &files(GOOD)[0]]).status.code().filter(|code| *code < 2).unwrap();
    }
    // A name and a folder are the same package; the number of threads changes no verdict.
    let named = three(&dir, "named", &["--model", "vision-lite0", "--threads", "1"]);
    let placed = three(&dir, "placed", &["--model", "models/vision-lite0", "--threads", "2"]);
    assert_eq!(card(&named)["model"], card(&placed)["model"]);
    let score = |part: &str, model: &str, threads: &str| {
        let output = eyear(&["inspect", part, "--model", model, "--threads", threads, "--json", &files(GOOD)[5]]);
        lines(&output)[0]["score"].as_f64().unwrap()
    };
    let (one, two) = (score(&named, "vision-lite0", "1"), score(&placed, "models/vision-lite0", "2"));
    assert!((one - two).abs() < 0.01 * one.abs().max(1.0), "{one} {two}");
}

#[test]
fn what_teach_cannot_do_it_refuses() {
    let dir = TempDir::new().unwrap();
    let part = dir.path().join("part").display().to_string();
    let teach = |flags: &[&str], words: &[&str]| {
        misused(&[&["teach", &part], flags, &["--good", GOOD]].concat(), words);
        assert!(!Path::new(&part).exists(), "{flags:?}");
    };
    for share in ["0", "1", "-0.5", "nan"] {
        teach(&[&format!("--overkill={share}")], &["`overkill`", "between 0 and 1"]);
    }
    teach(&["--overkill=many"], &["--overkill", "'many'"]);
    teach(&["--kind", "soup"], &["texture, framed, aligned or golden", "`soup`"]);
    teach(&["--precision", "int9"], &["fp32, fp16, int8, int4", "`int9`"]);
    teach(&["--precision", "fp16"], &["no fp16 variant; it has fp32, int8"]);
    teach(&["--input", "640"], &["HEIGHTxWIDTH", "`640`"]);
    teach(&["--input", "99999x320"], &["HEIGHTxWIDTH", "8192"]);
    teach(&["--threads", "0"], &["--threads", "from 1 to 256"]);
    teach(&["--threads", "1000000"], &["--threads", "from 1 to 256"]);
    teach(&["--model", "nowhere-to-be-found"], &["no model package `nowhere-to-be-found`"]);
    teach(&["--mask", "nowhere.png"], &["cannot read nowhere.png"]);
    teach(&["--roi", "1,2,3"], &["X,Y,WIDTH,HEIGHT"]);
    teach(&["--roi", "0,0,0,5"], &["X,Y,WIDTH,HEIGHT"]);
    refused(&["teach", &part, "--undo"], &["nothing to undo in", &part]);
    refused(&["teach", &part, "--add", "--good", GOOD], &["no part in", &part, "teach it first"]);
}

#[test]
fn a_flag_that_could_not_count_is_refused() {
    // What a part was taught with stays: to say otherwise while adding or undoing must not be passed over in silence.
    for flag in
        ["--overkill=0.05", "--kind=golden", "--mask=m.png", "--roi=0,0,9,9", "--precision=fp32", "--input=64x64"]
    {
        let name = flag.split('=').next().unwrap();
        misused(&["teach", "part", "--add", flag, "--good", GOOD], &["cannot be used with", name, "--add"]);
        misused(&["teach", "part", "--undo", flag], &["cannot be used with", name, "--undo"]);
    }
    misused(&["teach", "part", "--undo", "--add"], &["cannot be used with"]);
    misused(&["teach", "part", "--undo", "--good", GOOD], &["cannot be used with"]);
    for flag in ["--shots=3", "--seed=7", "--overkill=0.05", "--kind=golden", "--precision=fp32", "--input=64x64"] {
        let name = flag.split('=').next().unwrap();
        misused(&["eval", "tests/data/paper", "--part", "part", flag], &["cannot be used with", name, "--part"]);
    }
}

#[test]
fn what_a_mask_darkens_is_not_looked_at() {
    let (dir, part, good) = paper();
    let (width, height) = (good.width(), good.height());
    // A stain on the right.
    let mut stained = good.to_rgb8();
    for (x, y) in (0..width / 6).flat_map(|x| (0..height / 6).map(move |y| (x, y))) {
        stained.put_pixel(width * 2 / 3 + x, height / 3 + y, image::Rgb([20, 60, 20]));
    }
    let picture = dir.path().join("stained.png");
    stained.save(&picture).unwrap();
    let verdict = |part: &str| lines(&eyear(&["inspect", part, "--json", text(&picture)]))[0]["verdict"].clone();
    assert_eq!(verdict(&part), "fail");
    let mask = dir.path().join("mask.png");
    image::GrayImage::from_fn(20, 20, |x, _| image::Luma([if x < 10 { 255 } else { 0 }])).save(&mask).unwrap();
    let masked = dir.path().join("masked").display().to_string();
    done(&["teach", &masked, "--mask", text(&mask), "--good", GOOD]);
    let judged = lines(&eyear(&["inspect", &masked, "--json", text(&picture)])).remove(0);
    for finding in judged["findings"].as_array().unwrap() {
        assert!(finding["region"]["x"].as_u64().unwrap() < u64::from(width) / 2 + 16, "{judged}");
    }
    // Nor is the light there measured.
    let mut blinding = good.to_rgb8();
    for (x, y) in (width / 2 + 2..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
        blinding.put_pixel(x, y, image::Rgb([255; 3]));
    }
    blinding.save(&picture).unwrap();
    let verdicts = [&part, &masked].map(|part| verdict(part));
    assert!(verdicts[0] == "invalid" && verdicts[1] != "invalid", "{verdicts:?}");
    let dark = dir.path().join("dark.png");
    image::GrayImage::new(8, 8).save(&dark).unwrap();
    refused(&["teach", &masked, "--mask", text(&dark), "--good", GOOD], &["dark everywhere"]);
}

/// Runs `eyear inspect` with `bytes` on standard input.
fn fed(part: &str, flags: &[&str], bytes: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
    command.arg("inspect").arg(part).args(flags).current_dir(env!("CARGO_MANIFEST_DIR"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses its arguments does not read.
    let _refused = child.stdin.take().unwrap().write_all(bytes);
    child.wait_with_output().unwrap()
}

#[test]
fn a_dash_is_one_picture_on_standard_input() {
    let (dir, part, _) = paper();
    let file = files("tests/data/paper/test/impurity").remove(0);
    let bytes = fs::read(&file).unwrap();
    let named = lines(&eyear(&["inspect", &part, "--json", &file])).remove(0);
    let output = fed(&part, &["--json", "-"], &bytes);
    let read = lines(&output).remove(0);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((&read["file"], &read["score"]), (&Value::from("-"), &named["score"]));
    let out = dir.path().join("out");
    assert_eq!(fed(&part, &["-", "--out", text(&out)], &bytes).status.code(), Some(1));
    assert!(out.join("index.html").is_file() && out.join("picture.overlay.png").is_file());
    for (bytes, word) in [(&b""[..], "the file is empty"), (b"a letter", "not a picture")] {
        let output = fed(&part, &["-"], bytes);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.starts_with("error: standard input: ") && told.contains(word) && told.lines().count() == 1);
    }
    let output = fed(&part, &["-", &file], &bytes);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && told.contains("`-` reads one image"), "{told}");
}

#[test]
fn the_exit_code_tells_the_worst_of_the_pictures() {
    let (dir, part, _) = paper();
    let good = files(GOOD).remove(0);
    let bad = files("tests/data/paper/test/impurity").remove(0);
    let broken = dir.path().join("broken.png");
    fs::write(&broken, b"no picture").unwrap();
    let code = |pictures: &[&str]| eyear(&[&["inspect", &part], pictures].concat()).status.code();
    assert_eq!(code(&[&good]), Some(0));
    assert_eq!(code(&[&good, &bad]), Some(1));
    assert_eq!(code(&[&bad, text(&broken), &good]), Some(2));
    assert_eq!(code(&[text(&broken)]), Some(2));
}

#[test]
fn evaluation_does_as_it_is_told() {
    let dir = TempDir::new().unwrap();
    let figures = |flags: &[&str]| -> Value {
        let output = eyear(&[&["eval", "tests/data/paper", "--json"], flags].concat());
        assert_eq!(output.status.code(), Some(0), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output).remove(0)
    };
    let few = figures(&["--shots", "3", "--seed", "7", "--overkill", "0.2", "--kind", "texture", "--threads", "1"]);
    assert_eq!(few["taught"], 3);
    let again = figures(&["--shots", "3", "--seed", "7", "--overkill", "0.2", "--kind", "texture", "--threads", "1"]);
    for field in ["image_auroc", "pixel_auroc", "aupro", "overkill", "escape"] {
        assert_eq!(few[field], again[field], "{field}: the seed fixes the choice");
    }
    let other = figures(&["--shots", "3", "--seed", "8", "--kind", "texture", "--precision", "fp32"]);
    assert_ne!(few["aupro"], other["aupro"]);
    let out = dir.path().join("out");
    let told = done(&["eval", "tests/data/paper", "--shots", "4", "--input", "192x192", "--out", text(&out)]);
    assert!(told.contains("taught 4 good") && told.contains("AUPRO 30 %"), "{told}");
    assert!(told.contains("see ") && out.join("paper.html").is_file(), "{told}");
    let (_part, part, _) = paper();
    let of_part = figures(&["--part", &part, "--model", "vision-lite0"]);
    assert_eq!(of_part["taught"], 12);
    refused(&["eval", "tests/data/paper", "--shots", "1000"], &["1000", "12"]);
    refused(&["eval", "tests/data/paper", "--part", "nowhere"], &["no part in nowhere"]);
}

#[test]
fn evaluation_tells_which_good_pictures_it_could_not_read() {
    let dir = TempDir::new().unwrap();
    let set = dir.path().join("set");
    for (folder, from) in [("train/good", "train/good"), ("test/good", "test/good"), ("test/impurity", "test/impurity")]
    {
        fs::create_dir_all(set.join(folder)).unwrap();
        for file in files(&format!("tests/data/paper/{from}")).iter().take(3) {
            fs::copy(file, set.join(folder).join(Path::new(file).file_name().unwrap())).unwrap();
        }
    }
    fs::write(set.join("train/good/broken.png"), b"no picture").unwrap();
    let output = eyear(&["eval", text(&set), "--json"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("skipped: ") && told.contains("broken.png"), "{told}");
    assert_eq!(lines(&output)[0]["taught"], 3);
    fs::rename(set.join("train/good/broken.png"), set.join("test/good/broken.png")).unwrap();
    refused(&["eval", text(&set), "--shots", "3"], &["broken.png"]);
}

#[test]
fn evaluation_leaves_out_what_it_cannot_read_and_goes_on() {
    let dir = TempDir::new().unwrap();
    let set = dir.path().join("set");
    for folder in ["train/good", "test/good", "test/impurity", "ground_truth/impurity"] {
        fs::create_dir_all(set.join(folder)).unwrap();
        for file in files(&format!("tests/data/paper/{folder}")).iter().take(4) {
            fs::copy(file, set.join(folder).join(Path::new(file).file_name().unwrap())).unwrap();
        }
    }
    let figures = |flags: &[&str], code: i32| {
        let output = eyear(&[&["eval", text(&set), "--json"], flags].concat());
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (lines(&output).remove(0), told)
    };
    let (mut whole, _) = figures(&[], 0);
    assert_eq!(whole["unreadable"], 0);
    // One whose picture is damaged and one whose mask is: both are left out of every figure.
    let good = files(text(&set.join("test/good"))).remove(0);
    fs::write(set.join("test/good/aaa.png"), &fs::read(&good).unwrap()[..900]).unwrap();
    let bad = files(text(&set.join("test/impurity"))).remove(0);
    fs::copy(&bad, set.join("test/impurity/zzz.png")).unwrap();
    fs::write(set.join("ground_truth/impurity/zzz_mask.png"), b"").unwrap();
    let (mut rest, told) = figures(&[], 2);
    assert!(told.contains("aaa.png") && told.contains("zzz_mask.png") && told.lines().count() == 2, "{told}");
    assert_eq!(rest["unreadable"], 2);
    for figures in [&mut whole, &mut rest] {
        let figures = figures.as_object_mut().unwrap();
        figures
            .retain(|name, _| !["unreadable", "latency_ms", "images_per_s", "peak_memory_mb"].contains(&name.as_str()));
    }
    assert_eq!(whole, rest);
    // CorruptedFigures samples are those that the clean figures count.
    let (robust, _) = figures(&["--robust"], 2);
    let noisy = &robust["robust"][1]["overkill"]["of"];
    assert_eq!(*noisy, 4, "{robust}");
    let page = dir.path().join("page");
    let output = eyear(&["eval", text(&set), "--out", text(&page)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("judged 4 good and 4 bad, 2 unreadable"));
    assert!(fs::read_to_string(page.join("set.html")).unwrap().contains("unreadable"));
}

#[test]
fn several_streams_judge_as_one_does_and_in_order() {
    let (dir, part, _) = paper();
    let damaged = text(&dir.path().join("damaged.jpg")).to_string();
    fs::write(&damaged, b"no picture").unwrap();
    let pictures: Vec<String> = files(GOOD).into_iter().take(5).chain([damaged]).collect();
    let judged = |more: &[&str]| {
        let pictures = pictures.iter().map(|path| &**path);
        let output = eyear(
            &["inspect", &part, "--json"].into_iter().chain(pictures).chain(more.iter().copied()).collect::<Vec<_>>(),
        );
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        let mut lines = lines(&output);
        for line in &mut lines {
            line.as_object_mut().unwrap().remove("ms");
            if let Some(own) = line.pointer_mut("/senses/0") {
                own.as_object_mut().unwrap().remove("ms");
            }
        }
        lines
    };
    let one = judged(&["--threads", "1"]);
    let (evidence, page) = (dir.path().join("evidence"), dir.path().join("page"));
    let three = judged(&["--streams", "3", "--evidence", text(&evidence), "--out", text(&page)]);
    assert_eq!((one.len(), &one), (6, &three));
    assert_eq!(fs::read_dir(&evidence).unwrap().count(), 5);
    assert!(page.join("index.html").exists());
    let none = eyear(&["inspect", &part, &pictures[0], "--streams", "0"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("wants a number from 1 to 256"));
}

#[test]
fn bench_times_each_stage_beside_other_work() {
    let (_dir, part, _) = paper();
    let good = files(GOOD).remove(0);
    let json = done(&[
        "bench",
        &part,
        &good,
        "--rounds",
        "3",
        "--busy",
        "1",
        "--threads",
        "1",
        "--model",
        "vision-lite0",
        "--json",
    ]);
    let measured: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&measured["rounds"], &measured["busy"], &measured["threads"]), (&3.into(), &1.into(), &1.into()));
    for stage in ["decode", "prepare", "encode", "judge", "whole", "bare_encoder"] {
        assert!(measured[stage]["p50"].as_f64().unwrap() > 0.0, "{stage}: {json}");
    }
    assert!(measured["cold_start"].as_f64().unwrap() > 0.0 && measured["ratio"].as_f64().unwrap() > 0.0);
    let table = done(&["bench", &part, &good, "--rounds", "2"]);
    assert!(table.contains("whole / bare") && table.contains("inspections/s"), "{table}");
    let json = done(&["bench", &part, &good, "--rounds", "6", "--streams", "2", "--json"]);
    let measured: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&measured["rounds"], &measured["streams"]), (&6.into(), &2.into()));
    assert!(measured["inspections_per_s"].as_f64().unwrap() > 0.0 && measured["whole"]["p50"].as_f64().unwrap() > 0.0);
    let table = done(&["bench", &part, &good, "--rounds", "2", "--streams", "2"]);
    assert!(table.contains("2 inspections, 2 at once") && table.contains("inspections/s"), "{table}");
    refused(&["bench", &part, &good, "--rounds", "0"], &["--rounds wants at least 1"]);
    assert_eq!(eyear(&["bench", "--all", "--streams", "2"]).status.code(), Some(2));
    refused(&["bench", &part, "nowhere.png"], &["cannot read nowhere.png"]);
}

#[test]
fn the_runtime_is_picked_by_name() {
    let (dir, part, _) = paper();
    let good = files(GOOD).remove(0);
    let ran_on = |of: &[&str]| {
        lines(&eyear(&[&["inspect", &part, "--json", &good], of].concat()))[0]["senses"][0]["encoded_by"]["ran_on"]
            .clone()
    };
    assert_eq!(ran_on(&["--backend", "onnxruntime"]), ran_on(&[]));
    misused(
        &["inspect", &part, &good, "--backend", "abacus"],
        &["no backend `abacus` in this build; it has onnxruntime"],
    );
    misused(&["inspect", &part, &good, "--backend", "onnxruntime:fast"], &["backend `onnxruntime` takes no `:fast`"]);
    let file = dir.path().join("line.toml");
    let camera = "[camera]\nsource = \"synthetic\"\nframes = 1\n";
    fs::write(&file, format!("part = \"{part}\"\nbackend = \"abacus\"\n{camera}")).unwrap();
    refused(&["run", text(&file)], &["backend: no backend `abacus` in this build; it has onnxruntime"]);
    // Its files are known to a build that cannot run them.
    assert!(done(&["model", "list"]).contains("int8 tflite 2.8 MB"));
}

#[test]
fn doctor_and_model_tell_programs_too() {
    let found: Value = serde_json::from_str(&done(&["doctor", "--json"])).unwrap();
    assert_eq!(found["healthy"], true);
    assert!(found["runtimes"][0]["library"].as_str().unwrap().contains("onnxruntime"));
    assert!(found["machine"]["cores"].as_u64().unwrap() > 0);
    assert!(done(&["model", "list"]).contains("vision-lite0 1."));
    let packages = done(&["model", "list", "--json"]);
    let packages = packages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let able: Vec<String> =
        packages.map(|package| format!("{} {} {}", package["name"], package["encodes"], package["writes"])).collect();
    let expected = [
        r#""clip-lite0" ["clips"] []"#,
        r#""eyear-small" [] ["en","zh"]"#,
        r#""sound-lite0" ["sounds"] []"#,
        r#""vision-lite0" ["pictures"] []"#,
    ];
    assert_eq!(able, expected);
    assert!(done(&["model", "list"]).contains("  writes   en, zh\n"));
    for packages in [&["model", "verify"][..], &["model", "verify", "vision-lite0", "models/vision-lite0"]] {
        assert!(done(packages).lines().all(|line| line.contains("files match their sha256")));
    }
    refused(&["model", "verify", "nowhere"], &["no model package `nowhere`"]);
}

#[test]
fn progress_is_drawn_on_the_terminal_and_never_in_what_is_piped() {
    let (_dir, part, _) = paper();
    // `script` gives the command a terminal; its standard output goes to a file.
    let dir = TempDir::new().unwrap();
    let (table, drawn) = (dir.path().join("table"), dir.path().join("drawn"));
    let line = format!(
        "'{}' inspect '{part}' --json tests/data/paper/test > '{}'",
        env!("CARGO_BIN_EXE_eyear"),
        table.display()
    );
    let output = Command::new("script")
        .args(["-qec", &line, text(&drawn)])
        .env("TERM", "xterm")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .expect("`script` of util-linux starts");
    assert_eq!(output.status.code(), Some(1));
    let written = fs::read_to_string(&table).unwrap();
    assert_eq!(written.lines().count(), 10);
    assert!(written.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{written}");
    let drawn = String::from_utf8_lossy(&fs::read(&drawn).unwrap()).into_owned();
    assert!(drawn.contains("inspecting") && drawn.contains("/10"), "{drawn}");
    // Without a terminal there is nothing on standard error.
    let output = eyear(&["inspect", &part, "--json", "tests/data/paper/test"]);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
