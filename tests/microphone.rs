//! The microphone against real `cpal` and real alsa-lib: `tests/lab/labmic.c` stands in for the kernel and the card. It
//! is built here by `cc`. What only a kernel can show is left to the lab in a virtual machine.
//!
//! ALSA reads its settings once for a process, so each case listens in a process of its own: this binary again, with
//! the one test that is ignored, [`listen`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::Duration;

use eyear::source::microphone::{self, Microphone};
use eyear::source::{Next, Source as _};
use eyear::station::Alsa;
use eyear::time::Stamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

/// The variable that tells [`listen`] where its case is.
const CASE: &str = "EYEAR_LAB_CASE";

/// What a case does: opens, then goes through the steps.
#[derive(Serialize, Deserialize)]
struct Case {
    device: String,
    rate: u32,
    channels: u16,
    format: Option<String>,
    stall_ms: u64,
    steps: Vec<Step>,
}

#[derive(Clone, Serialize, Deserialize)]
enum Step {
    /// Listens until so many more samples of one channel have come, or until an error.
    Listen(usize),
    /// Writes the word to the card's control file.
    Say(String),
    /// Does nothing for so many milliseconds.
    Sleep(u64),
    /// Closes the microphone and opens it anew.
    Open,
    /// Lists all microphones.
    List,
}

/// What came of it.
#[derive(Default, Serialize, Deserialize)]
struct Heard {
    about: String,
    /// Position, nanoseconds on `CLOCK_MONOTONIC`, samples of one channel.
    chunks: Vec<(u64, i64, usize)>,
    samples: Vec<f32>,
    /// Kind, count, detail, and the number of chunks before it.
    faults: Vec<(String, u64, String, usize)>,
    /// Kind, sentence, and milliseconds from the last chunk or opening to it.
    errors: Vec<(String, String, f64)>,
    rate: f64,
    /// What was listed.
    found: Vec<Value>,
    /// The longest that closing took, in milliseconds.
    closing: f64,
}

impl Heard {
    /// The position of each sample of one channel.
    fn positions(&self) -> Vec<u64> {
        self.chunks.iter().flat_map(|(position, _, length)| *position..position + *length as u64).collect()
    }

    fn count(&self, kind: &str) -> u64 {
        self.faults.iter().filter(|fault| fault.0 == kind).map(|fault| fault.1).sum()
    }
}

#[test]
#[ignore = "a helper of the other tests, which run it in a process of its own"]
fn listen() {
    let Some(dir) = std::env::var_os(CASE).map(PathBuf::from) else { return };
    let case: Case = serde_json::from_str(&fs::read_to_string(dir.join("case.json")).unwrap()).unwrap();
    let settings = Alsa {
        device: case.device,
        rate: case.rate,
        channels: case.channels,
        format: case.format,
        stall_ms: case.stall_ms,
    };
    let mut heard = Heard::default();
    let mut microphone = None;
    let mut since = Stamp::now();
    for step in [Step::Open].into_iter().chain(case.steps) {
        match step {
            Step::Open => {
                let closed = Stamp::now();
                drop(microphone.take());
                since = Stamp::now();
                heard.closing = heard.closing.max(since.ms_since(closed));
                match Microphone::open(&settings) {
                    Ok(opened) => {
                        heard.about = opened.describe();
                        microphone = Some(opened);
                    }
                    Err(error) => heard.errors.push((error.kind().as_str().into(), error.chain(), 0.0)),
                }
            }
            Step::List => {
                heard.found =
                    microphone::list().unwrap().iter().map(|one| serde_json::to_value(one).unwrap()).collect();
            }
            Step::Say(word) => fs::write(dir.join("control"), word).unwrap(),
            Step::Sleep(ms) => std::thread::sleep(Duration::from_millis(ms)),
            Step::Listen(frames) => {
                let Some(microphone) = &mut microphone else { continue };
                let mut left = frames;
                while left > 0 {
                    match microphone.next(Duration::from_millis(50)) {
                        Ok(Next::Sound(sound)) => {
                            since = Stamp::now();
                            left = left.saturating_sub(sound.len());
                            heard.chunks.push((sound.position, monotonic(sound.stamp), sound.len()));
                            heard.samples.extend_from_slice(sound.samples());
                        }
                        Ok(Next::Fault(fault)) => {
                            let kind = fault.kind.as_str().to_string();
                            heard.faults.push((kind, fault.count, fault.detail, heard.chunks.len()));
                        }
                        Ok(_) => {}
                        Err(error) => {
                            let waited = Stamp::now().ms_since(since);
                            heard.errors.push((error.kind().as_str().into(), error.chain(), waited));
                            break;
                        }
                    }
                }
                heard.rate = microphone.measured_rate();
            }
        }
    }
    drop(microphone);
    fs::write(dir.join("heard.json"), serde_json::to_string(&heard).unwrap()).unwrap();
}

/// The stamp on the clock that the card's clock file is told in.
fn monotonic(stamp: Stamp) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that is written to.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) }, 0);
    let now = Stamp::now();
    time.tv_sec * 1_000_000_000 + time.tv_nsec - (now.ns as i64 - stamp.ns as i64)
}

/// The plug-in, built once.
static PLUGIN: LazyLock<PathBuf> = LazyLock::new(|| {
    let plugin = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libasound_module_pcm_labmic.so");
    // Another test binary may be building it too: each writes its own file and puts it in place whole.
    let own = plugin.with_extension(std::process::id().to_string());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/labmic.c");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-DPIC", "-o"]);
    let output = command.arg(&own).arg(source).args(["-lasound", "-lm"]).output();
    let output = output.expect("a C compiler, which building eyear needs anyway");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(own, &plugin).unwrap();
    plugin
});

/// A folder with a card in it.
pub struct Card {
    dir: TempDir,
}

impl Card {
    /// A card that plays `wav`, with further lines of its settings.
    pub fn new(wav: &[u8], settings: &str) -> Self {
        let card = Self { dir: TempDir::new().unwrap() };
        fs::write(card.path("sound.wav"), wav).unwrap();
        card.say("ok");
        let text = format!(
            "<confdir:alsa.conf>\n\
             pcm_type.labmic {{ lib \"{}\" }}\n\
             pcm.labmic {{ type labmic file \"{}\" control \"{}\" clock \"{}\" {settings}\n\
             hint {{ show on description \"Lab microphone\" }} }}\n",
            PLUGIN.display(),
            card.path("sound.wav").display(),
            card.path("control").display(),
            card.path("clock").display(),
        );
        fs::write(card.path("asoundrc"), text).unwrap();
        card
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Tells the card how to behave.
    pub fn say(&self, word: &str) {
        fs::write(self.path("control"), word).unwrap();
    }

    /// When the card took sample 0, in nanoseconds on `CLOCK_MONOTONIC`.
    fn first(&self) -> i64 {
        fs::read_to_string(self.path("clock")).unwrap().trim().parse().unwrap()
    }

    /// Runs `eyear` where this card is the only one.
    pub fn eyear(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
        command.args(arguments).env("ALSA_CONFIG_PATH", self.path("asoundrc")).output().unwrap()
    }

    /// Listens in a process of its own.
    fn listen(&self, case: &Case) -> Heard {
        fs::write(self.path("case.json"), serde_json::to_string(case).unwrap()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "microphone::listen", "--nocapture"]);
        command.env("ALSA_CONFIG_PATH", self.path("asoundrc")).env(CASE, self.dir.path());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert!(!told.contains("ALSA lib"), "alsa-lib's noise reached the user: {told}");
        serde_json::from_str(&fs::read_to_string(self.path("heard.json")).unwrap()).unwrap()
    }

    /// Listens until the machine was quick enough not to overrun by itself, three times at most.
    fn listen_undisturbed(&self, case: &Case) -> Heard {
        let mut heard = self.listen(case);
        for _ in 0..2 {
            if heard.count("overrun") == 0 {
                break;
            }
            self.say("ok");
            heard = self.listen(case);
        }
        heard
    }
}

fn case(channels: u16, format: &str, steps: Vec<Step>) -> Case {
    let format = Some(format.to_string()).filter(|format| !format.is_empty());
    Case { device: "labmic".into(), rate: RATE, channels, format, stall_ms: 2000, steps }
}

fn say(word: &str) -> Step {
    Step::Say(word.into())
}

const RATE: u32 = 48_000;

/// A WAV file of `samples` as the format has them.
pub fn wav(format: &str, rate: u32, channels: u16, samples: &[f64]) -> Vec<u8> {
    let (tag, bits) = match format {
        "f32" => (3u16, 32u16),
        "i32" => (1, 32),
        "i16" => (1, 16),
        _ => (1, 8),
    };
    let frame = channels * bits / 8;
    let length = samples.len() as u32 * u32::from(bits / 8);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + length).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0");
    bytes.extend([tag.to_le_bytes(), channels.to_le_bytes()].concat());
    bytes.extend([rate.to_le_bytes(), (rate * u32::from(frame)).to_le_bytes()].concat());
    bytes.extend([frame.to_le_bytes(), bits.to_le_bytes()].concat());
    bytes.extend(b"data");
    bytes.extend(length.to_le_bytes());
    for &sample in samples {
        match format {
            "f32" => bytes.extend((sample as f32).to_le_bytes()),
            "i32" => bytes.extend(((sample * 2_147_483_648.0) as i32).to_le_bytes()),
            "i16" => bytes.extend(((sample * 32_768.0) as i16).to_le_bytes()),
            _ => bytes.push((sample * 128.0 + 128.0) as u8),
        }
    }
    bytes
}

/// A sweep from 200 Hz to 8 kHz over a second, another phase in each channel.
fn chirp(channels: u16) -> Vec<f64> {
    let at = |i: u32, channel: u16| {
        let t = f64::from(i) / f64::from(RATE);
        (std::f64::consts::TAU * (200.0 * t + 3900.0 * t * t) + f64::from(channel)).sin() * 0.9
    };
    (0..RATE).flat_map(|i| (0..channels).map(move |channel| at(i, channel))).collect()
}

/// Samples that tell their own number: of sample n, n / 2^23, exact in `f32` for three minutes.
fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|n| n as f64 / 8_388_608.0).collect()
}

/// The numbers of what [`numbers`] made.
fn numbered(samples: &[f32]) -> Vec<i64> {
    samples.iter().map(|sample| (sample * 8_388_608.0) as i64).collect()
}

#[test]
fn a_chirp_comes_out_sample_exact_in_each_format() {
    let cases = [("i16", 1), ("i16", 2), ("i16", 4), ("i32", 1), ("i32", 2), ("i32", 4), ("f32", 1), ("f32", 2)];
    let cases = cases.into_iter().chain([("f32", 4), ("u8", 1), ("u8", 2), ("u8", 4)]);
    std::thread::scope(|scope| {
        for (format, channels) in cases {
            scope.spawn(move || {
                let sweep = chirp(channels);
                let card = Card::new(&wav(format, RATE, channels, &sweep), "");
                // Over the end of the file, once around.
                let heard = card.listen_undisturbed(&case(channels, format, vec![Step::Listen(52_800)]));
                assert_eq!((&heard.faults, &heard.errors), (&vec![], &vec![]), "{format} x {channels}");
                let places: Vec<u64> = (0..11).map(|chunk| chunk * 4800).collect();
                assert_eq!(heard.chunks.iter().map(|chunk| chunk.0).collect::<Vec<_>>(), places);
                assert_eq!(heard.samples.len(), 52_800 * usize::from(channels), "{format} x {channels}");
                let scale = match format {
                    "f32" => None,
                    "i32" => Some(2_147_483_648.0),
                    "i16" => Some(32_768.0),
                    _ => Some(128.0),
                };
                for (at, (sample, played)) in heard.samples.iter().zip(sweep.iter().cycle()).enumerate() {
                    let expected = match scale {
                        None => *played as f32,
                        Some(128.0) => ((played * 128.0 + 128.0).floor() - 128.0) as f32 / 128.0,
                        Some(scale) => ((played * scale) as i32 as f32) / scale as f32,
                    };
                    assert_eq!(*sample, expected, "{format} x {channels}: sample {at}");
                }
                let told = if channels == 1 { "1 channel".to_string() } else { format!("{channels} channels") };
                let about = format!("labmic (Lab microphone): 48000 Hz, {told}, {format}, 100 ms at a time");
                assert_eq!(heard.about, about);
            });
        }
    });
}

#[test]
fn the_format_is_found_where_none_is_given_and_the_period_where_the_card_has_short_ones() {
    let card = Card::new(&wav("i16", RATE, 1, &chirp(1)), "max_period 4096");
    let heard = card.listen_undisturbed(&case(1, "", vec![Step::Listen(9600)]));
    assert!(heard.errors.is_empty(), "{:?}", heard.errors);
    assert!(heard.about.contains("i16, 43 ms at a time"), "{}", heard.about);
    let first = &heard.chunks[0];
    assert_eq!((first.0, first.2), (0, 2048));
}

/// What stamps are off the truth, over ten seconds of a card that is 200 ppm fast, and of one that is slow.
#[test]
fn stamps_follow_the_card() {
    std::thread::scope(|scope| {
        for ppm in [200, -200] {
            scope.spawn(move || {
                let card = Card::new(&wav("f32", RATE, 1, &numbers(12 * 48_000)), &format!("ppm {ppm}"));
                let heard = card.listen_undisturbed(&case(1, "f32", vec![Step::Listen(480_000)]));
                assert_eq!((&heard.faults, &heard.errors), (&vec![], &vec![]));
                let true_rate = f64::from(RATE) * (1.0 + f64::from(ppm) * 1e-6);
                let first = card.first() as f64;
                let off =
                    |chunk: &(u64, i64, usize)| (chunk.1 as f64 - first - chunk.0 as f64 * 1e9 / true_rate).abs() / 1e6;
                let worst = heard.chunks.iter().map(off).fold(0.0, f64::max);
                let late = heard.chunks[60..].iter().map(off).fold(0.0, f64::max);
                let found = (heard.rate / f64::from(RATE) - 1.0) * 1e6;
                println!(
                    "{ppm} ppm: stamps off by {worst:.3} ms at most, {late:.3} ms after 6 s; found {found:.1} ppm"
                );
                // Half of what 200 ppm are in 5 s, and what a busy machine adds.
                assert!(worst < 10.0, "{worst} ms");
                assert!(late < 5.0, "{late} ms after 6 s");
                assert!((found - f64::from(ppm)).abs() < 150.0, "{found} ppm");
            });
        }
    });
}

#[test]
fn an_overrun_is_counted_and_the_position_jumps_by_what_it_cost() {
    let card = Card::new(&wav("f32", RATE, 1, &numbers(30 * 48_000)), "");
    let steps = vec![Step::Listen(48_000), say("xrun"), Step::Listen(48_000)];
    let heard = card.listen(&case(1, "f32", steps));
    assert!(heard.errors.is_empty(), "{:?}", heard.errors);
    assert!(heard.count("overrun") > 0, "{:?}", heard.faults);
    let mut jumped = 0;
    for pair in heard.chunks.windows(2) {
        jumped += pair[1].0 - pair[0].0 - pair[0].2 as u64;
    }
    assert_eq!(jumped, heard.count("overrun"), "the jumps are what was counted");
    // The card's own numbers tell the truth: positions are right to within 10 ms on this busy machine.
    let numbers = numbered(&heard.samples);
    let positions = heard.positions();
    let off = numbers.iter().zip(&positions).map(|(number, position)| number.abs_diff(*position as i64)).max();
    println!("{jumped} samples counted, positions off by {} at most", off.unwrap());
    assert!(off.unwrap() <= 480, "{off:?}");
    assert_eq!(numbers[..48_000], (0..48_000).collect::<Vec<_>>());
}

#[test]
fn samples_that_are_missing_without_a_word_are_noticed() {
    let card = Card::new(&wav("f32", RATE, 1, &numbers(30 * 48_000)), "");
    let steps = vec![Step::Listen(48_000), say("stall"), Step::Sleep(600), say("ok"), Step::Listen(96_000)];
    let heard = card.listen(&case(1, "f32", steps));
    assert!(heard.errors.is_empty(), "{:?}", heard.errors);
    let truth = numbered(&heard.samples).last().unwrap() + 1 - heard.samples.len() as i64;
    let counted = heard.count("overrun");
    println!("{truth} samples were lost, {counted} counted: {:?}", heard.faults);
    assert!(truth > 20_000);
    assert!(truth.abs_diff(counted as i64) <= 480, "{truth} lost, {counted} counted");
}

#[test]
fn what_nobody_fetches_is_counted_exactly() {
    let card = Card::new(&wav("i32", RATE, 2, &numbers(2 * 20 * 48_000)), "");
    let steps = vec![Step::Listen(9600), Step::Sleep(5500), Step::Listen(5 * 48_000)];
    // The reader may be late for longer than a card may be silent.
    let heard = card.listen_undisturbed(&Case { stall_ms: 700, ..case(2, "i32", steps) });
    assert!(heard.errors.is_empty(), "{:?}", heard.errors);
    let numbers: Vec<i64> = numbered(&heard.samples).into_iter().step_by(2).map(|number| number / 2).collect();
    let positions: Vec<i64> = heard.positions().into_iter().map(|position| position as i64).collect();
    assert_eq!(numbers, positions);
    assert!(heard.count("overrun") >= 48_000, "{:?}", heard.faults);
    assert!(heard.faults[0].2.contains("were not fetched within 4 s"), "{:?}", heard.faults);
}

#[test]
fn a_stuck_card_is_given_up_in_time() {
    let card = Card::new(&wav("i16", RATE, 1, &chirp(1)), "");
    let steps = vec![Step::Listen(9600), say("stall"), Step::Listen(480_000)];
    let heard = card.listen(&Case { stall_ms: 700, ..case(1, "i16", steps) });
    let [(kind, sentence, waited)] = &heard.errors[..] else { panic!("{:?}", heard.errors) };
    assert_eq!((kind.as_str(), sentence.as_str()), ("unavailable", "microphone labmic gave no sample for 700 ms"));
    // From the last chunk's arrival, which is a little before the reader had it.
    assert!((600.0..2700.0).contains(waited), "{waited} ms");
}

#[test]
fn a_driver_that_does_not_return_holds_nobody_up() {
    let card = Card::new(&wav("i16", RATE, 1, &chirp(1)), "");
    let steps = vec![Step::Listen(9600), say("hang"), Step::Listen(480_000), Step::Open];
    let heard = card.listen(&Case { stall_ms: 700, ..case(1, "i16", steps) });
    assert_eq!(heard.errors.len(), 1, "{:?}", heard.errors);
    assert!((900.0..5000.0).contains(&heard.closing), "closing took {} ms", heard.closing);
}

#[test]
fn microphones_are_listed_with_what_they_offer() {
    let card = Card::new(&wav("i16", RATE, 2, &chirp(2)), "");
    let steps = vec![Step::List];
    let found = card.listen(&case(2, "i16", steps.clone())).found;
    let offered = serde_json::json!({
        "id": "labmic", "name": "Lab microphone", "formats": ["i16"], "rates": [[48_000, 48_000]], "channels": [2],
    });
    assert_eq!(found, [offered]);
    card.say("busy");
    let found = card.listen(&case(2, "i16", steps)).found;
    let problem = found[0]["problem"].as_str().unwrap();
    assert!(problem.starts_with("microphone labmic is busy: another program holds it"), "{problem}");
}

#[test]
fn an_unplugged_card_is_told_and_comes_back() {
    let card = Card::new(&wav("i16", RATE, 1, &chirp(1)), "");
    let steps = vec![
        Step::Listen(9600),
        say("disconnect"),
        Step::Listen(480_000),
        Step::Open,
        say("ok"),
        Step::Open,
        Step::Listen(9600),
    ];
    let heard = card.listen(&case(1, "i16", steps));
    let told: Vec<_> = heard.errors.iter().map(|error| (error.0.as_str(), error.1.as_str())).collect();
    let gone = "microphone labmic is not there: it is unplugged, or no card stands behind its name";
    assert_eq!(told, [("unavailable", gone), ("unavailable", gone)]);
    assert_eq!(heard.chunks.last().unwrap().0, 4800, "positions begin again");
}

#[test]
fn silence_is_sound_and_what_is_no_number_is_silence() {
    let card = Card::new(&wav("i16", RATE, 1, &chirp(1)), "");
    card.say("silence");
    let heard = card.listen_undisturbed(&case(1, "i16", vec![Step::Listen(9600)]));
    assert!(heard.faults.is_empty() && heard.samples.iter().all(|&sample| sample == 0.0));

    let mut samples = vec![0.25; 48_000];
    (samples[100], samples[101], samples[5000]) = (f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
    let card = Card::new(&wav("f32", RATE, 1, &samples), "");
    let heard = card.listen_undisturbed(&case(1, "f32", vec![Step::Listen(9600)]));
    let told: Vec<_> = heard.faults.iter().map(|fault| (fault.0.as_str(), fault.1, fault.3)).collect();
    assert_eq!(told, [("damaged", 2, 0), ("damaged", 1, 1)]);
    for (at, &sample) in heard.samples.iter().enumerate() {
        assert_eq!(sample, if [100, 101, 5000].contains(&at) { 0.0 } else { 0.25 }, "{at}");
    }
}

#[test]
fn what_a_card_does_not_offer_is_refused_with_what_it_does() {
    let card = Card::new(&wav("i16", RATE, 2, &chirp(2)), "");
    let offers = "it offers i16 at 48000 Hz with 2 channels";
    let cases = [
        (
            case(1, "i16", vec![]),
            "config",
            format!("microphone labmic does not give i16 at 48000 Hz with 1 channel; {offers}"),
        ),
        (
            case(2, "f32", vec![]),
            "config",
            format!("microphone labmic does not give f32 at 48000 Hz with 2 channels; {offers}"),
        ),
        (
            Case { rate: 44_100, ..case(2, "", vec![]) },
            "config",
            format!("microphone labmic does not give any format at 44100 Hz with 2 channels; {offers}"),
        ),
        (case(2, "i24", vec![]), "config", "microphone.format wants one of i32, f32, i16, u8, found `i24`".into()),
        (
            Case { device: "labmike".into(), ..case(2, "", vec![]) },
            "unavailable",
            "no microphone `labmike`; there are".into(),
        ),
    ];
    for (case, kind, sentence) in cases {
        let heard = card.listen(&case);
        let [(found, told, _)] = &heard.errors[..] else { panic!("{:?}", heard.errors) };
        assert_eq!(found, kind, "{told}");
        assert!(told.starts_with(&sentence), "{told}");
        assert!(kind == "config" || told.contains("`labmic`"), "{told}");
    }
    for (word, sentence) in [
        ("busy", "microphone labmic is busy: another program holds it"),
        ("denied", "microphone labmic: no permission for /dev/snd: join the group `audio`"),
    ] {
        card.say(word);
        let heard = card.listen(&case(2, "i16", vec![]));
        assert!(heard.errors[0].1.starts_with(sentence), "{:?}", heard.errors);
    }
}

/// A tenth of a second of `loud` in two of `quiet`, both noise.
fn noise(quiet: f64, loud: f64) -> Vec<f64> {
    let mut state = 1u32;
    (0..2 * RATE)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let level = if (24_000..28_800).contains(&i) { loud } else { quiet };
            level * (f64::from(state) / f64::from(1u32 << 31) - 1.0)
        })
        .collect()
}

#[test]
fn the_doctor_finds_nothing_to_mend_in_a_good_microphone() {
    let card = Card::new(&wav("i16", RATE, 1, &noise(0.001, 0.3)), "");
    let arguments = ["doctor", "microphone", "--device", "labmic", "--seconds", "6", "--rate", "48000"];
    let arguments = [&arguments[..], &["--channels", "1", "--format", "i16", "--json"]].concat();
    let output = card.eyear(&arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(told, "", "{told}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let channel = &found["channels"][0];
    let near = |value: &Value, expected: f64, by: f64| {
        assert!((value.as_f64().unwrap() - expected).abs() <= by, "{value}, not {expected}: {found}");
    };
    near(&channel["peak_dbfs"], 20.0 * 0.3f64.log10(), 0.1);
    near(&channel["floor_dbfs"], 10.0 * (2.0 * 1e-6 / 3.0f64).log10(), 0.6);
    near(&channel["clipped"], 0.0, 0.0);
    assert_eq!(channel["hum"], Value::Null);
    assert!(found["delivery"]["samples"].as_u64().unwrap() >= 6 * 48_000);
    near(&found["delivery"]["rate"], 48_000.0, 20.0);
    // A machine that is busy may lose some: all else must be well.
    let mend: Vec<&str> = found["mend"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(mend.iter().all(|line| line.contains("load off this machine")), "{mend:?}");
    assert_eq!(output.status.code(), Some(i32::from(!mend.is_empty())));
}

#[test]
fn the_doctor_says_what_to_mend() {
    let tau = std::f64::consts::TAU;
    let hum = |i: u32| (1..=5).map(|h| (tau * 50.0 * f64::from(h * i) / f64::from(RATE)).sin() * 0.05).sum::<f64>();
    let over = |i: u32| (2.0 * (tau * 997.0 * f64::from(i) / f64::from(RATE)).sin()).clamp(-1.0, 0.99999);
    let samples: Vec<f64> = (0..RATE).flat_map(|i| [over(i), hum(i)]).collect();
    let card = Card::new(&wav("i16", RATE, 2, &samples), "");
    let output = card.eyear(&["doctor", "microphone", "--device", "labmic", "--seconds", "2", "--channels", "2"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.starts_with("labmic (Lab microphone): 48000 Hz, 2 channels, i16, 100 ms at a time\n"), "{told}");
    for line in [
        "fix      channel 1: ",
        "of the samples are clipped: turn the gain down",
        "fix      channel 2: the mains hums (50 Hz",
    ] {
        assert!(told.contains(line), "no `{line}` in: {told}");
    }
    card.say("silence");
    let output = card.eyear(&["doctor", "microphone", "--device", "labmic", "--seconds", "1", "--channels", "2"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("fix      channel 1: there is no sound at all: unmute the microphone"), "{told}");
}

#[test]
fn the_doctor_listens_to_the_microphone_of_a_station() {
    let card =
        Card::new(&wav("i16", RATE, 2, &noise(0.001, 0.3).iter().flat_map(|v| [*v, 0.0]).collect::<Vec<_>>()), "");
    let file = card.path("line.toml");
    let doctor = |microphone: &str, more: &[&str]| {
        fs::write(&file, format!("part = \"lid\"\ntrigger = {{ on = \"request\" }}\n{microphone}")).unwrap();
        let arguments = ["doctor", "microphone", "--station", file.to_str().unwrap(), "--json"];
        let output = card.eyear(&[&arguments[..], more].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default(), told)
    };
    // As it is set there: the doctor's own choice would be one channel.
    let alsa = "[microphone]\nsource = \"alsa\"\ndevice = \"labmic\"\nchannels = 2\n";
    let (_, found, told) = doctor(alsa, &["--seconds", "1"]);
    assert_eq!(found["channels"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(found["about"].as_str().unwrap().starts_with("labmic (Lab microphone): 48000 Hz, 2 channels"), "{found}");
    assert!(found["delivery"]["delay_ms"].is_f64(), "{found}");
    assert!(found["mend"].to_string().contains("channel 2: there is no sound at all"), "{found}");
    // A recording of two seconds, at once; it keeps no time of its own.
    let recording = "[microphone]\nsource = \"recording\"\npath = \"sound.wav\"\nrepeat = true\n";
    let (_, found, told) = doctor(recording, &["--seconds", "600"]);
    assert_eq!((found["seconds"].as_f64(), &found["delivery"]["delay_ms"]), (Some(2.0), &Value::Null), "{told}");
    assert!(found["mend"].to_string().contains("channel 2: there is no sound at all"), "{found}");
    // One that ends early.
    let whole = fs::read(card.path("sound.wav")).unwrap();
    fs::write(card.path("sound.wav"), &whole[..whole.len() / 2]).unwrap();
    let (code, found, _) = doctor(recording, &[]);
    assert_eq!((code, &found["delivery"]["faults"][0]["kind"]), (Some(1), &"damaged".into()), "{found}");
    assert!(found["mend"].to_string().contains("damaged occurred 1 times: record it again"), "{found}");
    let refused = [
        (alsa, &["--rate", "48000"][..], "cannot be used with"),
        ("[camera]\nsource = \"synthetic\"\n", &[], "line.toml has no [microphone]"),
        ("[microphone]\nsource = \"alsa\"\ndevise = \"labmic\"\n", &[], "did you mean `device`?"),
        ("[microphone]\nsource = \"recording\"\npath = \"line.toml\"\n", &[], "it begins with `part`"),
    ];
    for (microphone, more, words) in refused {
        let (code, _, told) = doctor(microphone, more);
        assert!(code == Some(2) && told.contains(words), "{words}: {told}");
    }
}

#[test]
fn what_devices_prints_of_a_microphone_opens_it() {
    let card = Card::new(&wav("i16", RATE, 1, &chirp(1)), "");
    let output = card.eyear(&["devices", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let microphones = found["microphones"].as_array().unwrap();
    assert!(microphones.iter().any(|one| one["id"] == "labmic" && one["formats"][0] == "i16"), "{found}");
    let output = card.eyear(&["devices"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let snippet = told.split("\n\n").find(|part| part.contains("device = \"labmic\"")).unwrap();
    let file = card.path("line.toml");
    fs::write(&file, format!("part = \"lid\"\ntrigger = {{ on = \"request\" }}\n{snippet}\n")).unwrap();
    let output = card.eyear(&["doctor", "microphone", "--station", file.to_str().unwrap(), "--seconds", "1"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.starts_with("labmic (Lab microphone): 48000 Hz"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_doctor_without_a_microphone_says_so_in_one_sentence() {
    let card = Card::new(&wav("i16", RATE, 1, &chirp(1)), "");
    let cases: [(&[&str], &str); 4] = [
        (&["--device", "hw:CARD=Gone,DEV=0"], "error: no microphone `hw:CARD=Gone,DEV=0`; there are `"),
        (&[], "error: microphone default is not there"),
        (
            &["--device", "labmic", "--format", "i24"],
            "error: microphone.format wants one of i32, f32, i16, u8, found `i24`",
        ),
        (&["--device", "labmic", "--rate", "44100"], "error: microphone labmic does not give any format at 44100 Hz"),
    ];
    for (arguments, sentence) in cases {
        let output = card.eyear(&[&["doctor", "microphone"], arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.starts_with(sentence), "{told}");
    }
}
