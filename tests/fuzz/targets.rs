//! One target a parser of what comes from outside. What only calls a well-kept crate and takes no length from a file has none.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eyear::board::Board;
use eyear::decode::{Tokenizer, Words, grammar};
use eyear::encode::foreign;
use eyear::evaluate::dataset::Dataset;
use eyear::memory::pair::Taught;
use eyear::memory::part::Loudness;
use eyear::memory::{bundle, folder};
use eyear::package::manifest::Manifest;
use eyear::package::onnx::{self, Onnx};
use eyear::prepare::bearing::Bearing;
use eyear::prepare::pixels::{self, Developer};
use eyear::report::Report;
use eyear::sample::{Colour, Frame, PixelFormat, Sound};
use eyear::source::pace::Pace;
use eyear::source::recording::{self, clip, sound};
use eyear::station::Station;
use eyear::time::Stamp;
use eyear::{Error, tensor};
use sha2::{Digest as _, Sha256};

/// A parser, and what it is begun with.
pub struct Target {
    pub name: &'static str,
    /// Whether words and lines are changed too.
    pub is_text: bool,
    /// Inputs that are read. The folder is that of `read`, and holds what they take beside them.
    pub seeds: fn(&Path) -> Vec<Vec<u8>>,
    /// Reads an input, in a folder of its own, and says why it is refused.
    pub read: fn(&Path, &[u8]) -> Result<(), String>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "picture", is_text: false, seeds: pictures, read: read_picture },
    Target { name: "frame", is_text: false, seeds: frames, read: read_frame },
    Target { name: "sound", is_text: false, seeds: sounds, read: read_sound },
    Target { name: "loudness", is_text: false, seeds: samples, read: read_samples },
    Target { name: "clip", is_text: false, seeds: clips, read: read_clip },
    Target { name: "pace", is_text: false, seeds: beats, read: read_beats },
    Target { name: "part", is_text: true, seeds: parts, read: read_part },
    Target { name: "pair", is_text: true, seeds: pairs, read: read_pair },
    Target { name: "bundle", is_text: false, seeds: bundles, read: read_bundle },
    Target { name: "tensor", is_text: false, seeds: tensors, read: read_tensor },
    Target { name: "manifest", is_text: true, seeds: manifests, read: read_manifest },
    Target { name: "onnx", is_text: false, seeds: models, read: read_model },
    Target { name: "tokenizer", is_text: true, seeds: tokenizers, read: read_tokenizer },
    Target { name: "words", is_text: true, seeds: words, read: read_words },
    Target { name: "board", is_text: true, seeds: boards, read: read_board },
    Target { name: "station", is_text: true, seeds: stations, read: read_station },
    Target { name: "bearing", is_text: true, seeds: bearings, read: read_bearing },
    Target { name: "dataset", is_text: true, seeds: tables, read: read_table },
    Target { name: "report", is_text: true, seeds: reports, read: read_report },
];

fn at_home(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn file(path: &str) -> Vec<u8> {
    fs::read(at_home(path)).unwrap()
}

/// All files of a folder with one of these endings.
fn files(dir: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(at_home(dir)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| endings.iter().any(|ending| path.extension().is_some_and(|found| found == *ending)));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Writes an input as a file.
fn put(dir: &Path, name: &str, input: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, input).unwrap();
    path
}

fn told(error: Error) -> String {
    error.message().to_string()
}

fn pictures(_: &Path) -> Vec<Vec<u8>> {
    let odd = files("tests/data/odd", &["jpg", "tif", "png", "webp"]);
    let drawn = |depth: &str, bytes: usize| [format!("{depth}\n").into_bytes(), vec![77; bytes]].concat();
    let pnm = [drawn("P5 4 3 255", 12), drawn("P6 4 3 65535", 72), drawn("P5\n# by hand\n4 3\n65535", 24)];
    // What the readers of the odd ones refuse is no seed.
    odd.into_iter().chain(pnm).filter(|seed| recording::decode(seed, "a picture").is_ok()).collect()
}

fn read_picture(_: &Path, input: &[u8]) -> Result<(), String> {
    let frame = recording::decode(input, "a picture").map_err(told)?;
    pixels::plain(&frame).map(drop).map_err(told)
}

/// Two bytes of format, two of width, two of height, and pixels.
fn frames(_: &Path) -> Vec<Vec<u8>> {
    (0..8).map(|format| [[4, format, 8, 0, 6, 0].to_vec(), vec![99; 8 * 6 * 3]].concat()).collect()
}

fn read_frame(_: &Path, input: &[u8]) -> Result<(), String> {
    let Some((&[flags, format, w0, w1, h0, h1], pixels)) = input.split_first_chunk() else { return Ok(()) };
    let colour = Colour { bt709: flags & 1 != 0, full: flags & 2 != 0 };
    let format = match format % 8 {
        0 => PixelFormat::Grey8,
        1 => PixelFormat::Rgb8,
        2 => PixelFormat::Bgr8,
        3 => PixelFormat::Grey16 { bits: 8 + flags % 9 },
        4 => PixelFormat::Yuyv(colour),
        5 => PixelFormat::Nv12(colour),
        _ => PixelFormat::Jpeg,
    };
    let [width, height] = [[w0, w1], [h0, h1]].map(|side| usize::from(u16::from_le_bytes(side)));
    let wanted = format.bytes(width, height).filter(|wanted| flags & 4 != 0 && *wanted < 1 << 22);
    let mut pixels = pixels.to_vec();
    let length = wanted.unwrap_or(pixels.len());
    pixels.resize(length.max(pixels.len()), 128);
    let frame = Frame::over(Arc::from(pixels), length, format, width, height);
    // Most sizes do not fit; a seed need only be taken.
    let Ok(frame) = frame else { return Ok(()) };
    let _plain = pixels::plain(&frame);
    let mut developer = Developer::default();
    for least in [[36, 64], [448, 448], [1, 1]] {
        if let Ok(developed) = developer.develop(&frame, least) {
            let mut row = Vec::new();
            (0..developed.height.min(200)).for_each(|y| developed.brightness(y, &mut row));
        }
    }
    Ok(())
}

fn sounds(dir: &Path) -> Vec<Vec<u8>> {
    let wav = |channels: u16, bits: u16, format: hound::SampleFormat| {
        let path = dir.join("seed.wav");
        let spec = hound::WavSpec { channels, sample_rate: 8000, bits_per_sample: bits, sample_format: format };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        (0..400 * i32::from(channels)).for_each(|i| match format {
            hound::SampleFormat::Int => writer.write_sample(i % 100).unwrap(),
            hound::SampleFormat::Float => writer.write_sample(i as f32 / 2000.0).unwrap(),
        });
        writer.finalize().unwrap();
        fs::read(&path).unwrap()
    };
    use hound::SampleFormat::{Float, Int};
    let flac = file("tests/data/machine/test/normal/m00.flac");
    vec![wav(1, 16, Int), wav(2, 24, Int), wav(2, 32, Float), wav(1, 8, Int), flac]
}

fn read_sound(dir: &Path, input: &[u8]) -> Result<(), String> {
    let path = put(dir, "x.wav", input);
    let sound = sound::read_sample(&path).map_err(told)?;
    let _loudness = Loudness::of(&sound);
    Ok(())
}

fn samples(_: &Path) -> Vec<Vec<u8>> {
    let sine = (0..800).flat_map(|i| (i as f32 / 9.0).sin().to_le_bytes());
    vec![[1, 0].into_iter().chain(sine.clone()).collect(), [0, 1].into_iter().chain(sine).collect()]
}

fn read_samples(_: &Path, input: &[u8]) -> Result<(), String> {
    let Some(([rate, channels], samples)) = input.split_first_chunk() else { return Ok(()) };
    let samples: Vec<f32> = samples.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let rate = if rate & 1 == 1 { 16_000 } else { 1000 };
    let sound = Sound::new(samples, rate, 1 + usize::from(channels % 4)).map_err(told)?;
    Loudness::of(&sound).map(drop).map_err(told)
}

fn clips(_: &Path) -> Vec<Vec<u8>> {
    vec![file("tests/data/gripper/test/good/00.avi")]
}

fn read_clip(dir: &Path, input: &[u8]) -> Result<(), String> {
    let clip = clip::read(&put(dir, "x.avi", input)).map_err(told)?;
    clip.frames().iter().take(3).for_each(|frame| drop(pixels::plain(frame)));
    Ok(())
}

/// A rate, and how blocks of samples come: what happens, samples, nanoseconds.
fn beats(_: &Path) -> Vec<Vec<u8>> {
    let block = |i: u8| [4 + i % 4, 160, 0, i, 0];
    vec![[0x80, 0x3e, 0, 0].into_iter().chain((0..40).flat_map(block)).collect()]
}

fn read_beats(_: &Path, input: &[u8]) -> Result<(), String> {
    let Some((&[a, b, c, _], blocks)) = input.split_first_chunk() else { return Ok(()) };
    let rate = u32::from_le_bytes([a, b, c, 0]).clamp(1000, 768_000);
    let mut pace = Pace::new(rate);
    let (mut position, mut ns) = (0u64, 1_000_000_000u64);
    for &[what, s0, s1, n0, n1] in blocks.as_chunks().0 {
        let [step, by] = [[s0, s1], [n0, n1]].map(|pair| u64::from(u16::from_le_bytes(pair)));
        position += step;
        match what % 8 {
            0 => drop(pace.resume(position, Stamp { ns })),
            1 => ns = ns.saturating_sub(by << (what >> 3)),
            2 => ns = ns.saturating_add(by << (what >> 3)),
            3 => ns = (1 << 62) + by,
            _ => ns += step * 1_000_000_000 / u64::from(rate) + by * 100,
        }
        let _mark = pace.mark(position, Stamp { ns });
        let _told = (pace.stamp(position + 100), pace.rate());
    }
    Ok(())
}

/// Between a card and its numbers.
const BETWEEN: &[u8] = b"\0==NUMBERS==\0";
/// In place of what the card promises of them.
const PROMISED: &str = "@SHA256@";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts of `seeds` as folders.
fn unpacked(dir: &Path) -> Vec<PathBuf> {
    let names = ["golden", "clip", "both"];
    let unpack = |name: &str| {
        let into = dir.join(name);
        bundle::read(&at_home(&format!("tests/fuzz/seeds/{name}.eyear")), &into).unwrap();
        into
    };
    names.map(unpack).into()
}

/// Cards with their numbers.
fn parts(dir: &Path) -> Vec<Vec<u8>> {
    let folders = unpacked(dir);
    let both = fs::read_dir(&folders[2]).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders[..2].iter().cloned().chain(both).map(|folder| card_with_numbers(&folder)).collect()
}

fn card_with_numbers(folder: &Path) -> Vec<u8> {
    let card = fs::read_to_string(folder.join(folder::CURRENT)).unwrap();
    let mut entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = entries.find(|path| path.extension().is_some_and(|ending| ending == "safetensors")).unwrap();
    let numbers = fs::read(&path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let card = card.replace(&sha256(&numbers), PROMISED).replace(name, "memory-x.safetensors");
    [card.as_bytes(), BETWEEN, &numbers].concat()
}

fn read_part(dir: &Path, input: &[u8]) -> Result<(), String> {
    let between = input.windows(BETWEEN.len()).position(|window| window == BETWEEN);
    let (card, numbers) = between.map_or((input, &[][..]), |at| (&input[..at], &input[at + BETWEEN.len()..]));
    // What is promised is right, so that the numbers themselves are read.
    let card = String::from_utf8_lossy(card).replace(PROMISED, &sha256(numbers));
    put(dir, folder::CURRENT, card.as_bytes());
    put(dir, "memory-x.safetensors", numbers);
    let taught = Taught::load(dir).map_err(told)?;
    for part in taught.parts() {
        let calibration = &part.judgement.calibration;
        let _told = (calibration.limit(part.card.overkill), calibration.p_value(1.0));
    }
    Ok(())
}

/// The card of a part of two senses.
fn pairs(dir: &Path) -> Vec<Vec<u8>> {
    vec![fs::read(unpacked(dir)[2].join(folder::CURRENT)).unwrap()]
}

fn read_pair(dir: &Path, input: &[u8]) -> Result<(), String> {
    let folder = dir.join("both");
    put(&folder, folder::CURRENT, input);
    Taught::load(&folder).map(drop).map_err(told)
}

fn bundles(_: &Path) -> Vec<Vec<u8>> {
    files("tests/fuzz/seeds", &["eyear"])
}

fn read_bundle(dir: &Path, input: &[u8]) -> Result<(), String> {
    let file = put(dir, "x.eyear", &summed(input));
    let into = dir.join("read");
    let read = bundle::read(&file, &into).map_err(told);
    if read.is_ok() {
        fs::remove_dir_all(&into).unwrap();
    }
    let left = fs::read_dir(dir).unwrap().count();
    assert_eq!(left, 1, "only the file itself");
    read.map(drop)
}

/// A tar archive with the sums of its heads set right, so that what stands in them is read.
fn summed(input: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let (mut archive, mut at) = (input.to_vec(), 0);
    while let Some(head) = archive.get_mut(at..at + BLOCK) {
        head[148..156].fill(b' ');
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = String::from_utf8_lossy(&head[124..136]).trim_matches(['\0', ' ']).to_string();
        let size = usize::from_str_radix(&size, 8).unwrap_or(0).min(archive.len());
        at += BLOCK + size.div_ceil(BLOCK) * BLOCK;
        // Two blocks of nought are the end.
        if archive.get(at..at + BLOCK).is_some_and(|next| next.iter().all(|byte| *byte == 0)) {
            break;
        }
    }
    archive
}

fn tensors(_: &Path) -> Vec<Vec<u8>> {
    let values: Vec<u8> = (0..24).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2, 3, 4], &values).unwrap();
    vec![safetensors::serialize([("pixels", view)], None).unwrap()]
}

fn read_tensor(_: &Path, input: &[u8]) -> Result<(), String> {
    tensor::read("x.safetensors", input, "pixels").map(drop).map_err(told)
}

fn manifests(_: &Path) -> Vec<Vec<u8>> {
    let of = |name: &str| file(&format!("models/{name}/model.toml"));
    ["vision-lite0", "sound-lite0", "clip-lite0", "eyear-small"].map(of).into()
}

fn read_manifest(dir: &Path, input: &[u8]) -> Result<(), String> {
    put(dir, "model.toml", input);
    let manifest = Manifest::read(dir).map_err(told)?;
    // Its files are not there.
    let _missing = manifest.verify();
    manifest.files().for_each(|(file, _)| drop(manifest.load(file)));
    Ok(())
}

fn models(_: &Path) -> Vec<Vec<u8>> {
    vec![file("tests/data/foreign/maps.onnx")]
}

fn read_model(dir: &Path, input: &[u8]) -> Result<(), String> {
    let model = Onnx::read(&put(dir, "x.onnx", input)).map_err(told)?;
    let _asked = (foreign::inputs(model.facts(), [64, 64]), foreign::precision(model.facts()));
    let whole = model.whole().map_err(told)?;
    let _changed = (onnx::with_outputs(&whole, &["a"]), onnx::with_pooled(&whole, "a", "b", 8));
    Ok(())
}

fn tokenizers(_: &Path) -> Vec<Vec<u8>> {
    vec![file("models/eyear-small/tokenizer.json")]
}

fn read_tokenizer(_: &Path, input: &[u8]) -> Result<(), String> {
    let tokenizer = Tokenizer::parse(input, "a tokenizer").map_err(told)?;
    for id in tokenizer.encode("Fail: a 不合格 top right \u{fffd} zzz") {
        let _bytes = tokenizer.bytes(id);
    }
    let _told = (tokenizer.len(), tokenizer.end(), tokenizer.special("x"));
    Ok(())
}

fn words(_: &Path) -> Vec<Vec<u8>> {
    vec![file("models/eyear-small/words.toml")]
}

fn read_words(_: &Path, input: &[u8]) -> Result<(), String> {
    let words = Words::parse(input, "words").map_err(told)?;
    for code in words.codes().map(String::from).collect::<Vec<_>>() {
        let language = words.language(&code).map_err(told)?;
        let _plain = language.plain();
        let _named = grammar::named_kind(language, "is there a scratch? 划痕");
    }
    Ok(())
}

fn boards(_: &Path) -> Vec<Vec<u8>> {
    files("boards", &["toml"])
}

fn read_board(dir: &Path, input: &[u8]) -> Result<(), String> {
    let path = put(dir, "b.toml", input);
    Board::find(path.to_str().unwrap()).map(drop).map_err(told)
}

/// The station files that the engine's page shows.
fn stations(_: &Path) -> Vec<Vec<u8>> {
    let page = String::from_utf8(file("src/engine/README.md")).unwrap();
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| Station::parse(block, "line").is_ok()).map(|block| block.as_bytes().to_vec()).collect()
}

fn read_station(_: &Path, input: &[u8]) -> Result<(), String> {
    Station::parse(&String::from_utf8_lossy(input), "line").map(drop).map_err(told)
}

fn bearings(_: &Path) -> Vec<Vec<u8>> {
    let of = |speed: &str| format!("{speed}\nballs = 9\nball_mm = 7.94\npitch_mm = 39.04\ncontact_deg = 0.0\n").into();
    vec![of("rpm = 1797"), of("shaft_hz = 29.95")]
}

fn read_bearing(_: &Path, input: &[u8]) -> Result<(), String> {
    let bearing = Bearing::parse(&String::from_utf8_lossy(input), "bearing.toml").map_err(told)?;
    let hz: Vec<f64> = (0..500).map(f64::from).collect();
    let _named = (bearing.rates(), bearing.striking(&[1.0; 500], &hz), bearing.turning(10.0, 0.5));
    Ok(())
}

/// A table as VisA's.
fn tables(dir: &Path) -> Vec<Vec<u8>> {
    fs::create_dir_all(dir.join("split_csv")).unwrap();
    ["a.png", "b.png", "m.png"].iter().for_each(|name| drop(put(dir, name, &file("tests/data/odd/palette.png"))));
    let lines = [
        "object,split,label,image,mask",
        "candle,train,normal,a.png,",
        "candle,test,normal,b.png,",
        "candle,test,anomaly,b.png,m.png",
    ];
    vec![lines.join("\n").into(), lines.map(|line| line.replace(',', " , ")).join("\r\n").into()]
}

fn read_table(dir: &Path, input: &[u8]) -> Result<(), String> {
    put(&dir.join("split_csv"), "1cls.csv", input);
    let datasets = Dataset::discover(dir).map_err(told)?;
    for dataset in &datasets {
        let _some = (dataset.shots(1, 7), dataset.split(7, 0.5));
    }
    Ok(())
}

fn reports(_: &Path) -> Vec<Vec<u8>> {
    vec![file("src/report.example.json")]
}

/// What was read back is written the same again.
fn read_report(_: &Path, input: &[u8]) -> Result<(), String> {
    let report: Report = serde_json::from_slice(input).map_err(|error| error.to_string())?;
    serde_json::to_string(&report).map(drop).map_err(|error| error.to_string())
}
