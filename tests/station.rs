//! A station at work: the real binary on recordings, on the preloaded camera of `lab` and on the microphone that fails
//! on demand.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use eyear::backend::{BACKENDS, Backend, Info, Options, Placement, Session};
use eyear::board::{Provider, Thermal, Thermometer};
use eyear::engine::{self, Event, Failover, Opens, Outlets, Outside, Requests, Stats, Throttle};
use eyear::error::ErrorKind;
use eyear::evaluate::faults::{Fault, FaultKind, inject};
use eyear::inspect::Inspector;
use eyear::memory::pair::Taught;
use eyear::package::manifest::{Format, Manifest};
use eyear::report::Judged;
use eyear::sample::Moment;
use eyear::sink::Sink;
use eyear::source::recording::sound;
use eyear::station::Station;
use eyear::tensor::TensorSpec;
use serde_json::Value;
use tempfile::TempDir;

use crate::commands::{eyear, lines, said};
use crate::lab::Camera;
use crate::taught::taught;

/// Nothing here waits longer: these machines are slow at times.
const LONG: Duration = Duration::from_secs(60);

/// A part taught from good biscuits.
pub fn biscuit() -> &'static Path {
    Path::new(crate::commands::biscuit())
}

/// A part that is judged within milliseconds.
fn small() -> &'static str {
    &taught("small", &["--good", "tests/data/cookie/train/good", "--input", "64x64"]).part
}

/// Writes a station file with this part.
fn station(dir: &TempDir, rest: &str) -> PathBuf {
    let path = dir.path().join("line.toml");
    fs::write(&path, format!("part = \"{}\"\n{rest}", biscuit().display())).unwrap();
    path
}

/// A station that runs.
pub struct Running {
    pub child: Child,
    reports: Receiver<Value>,
    /// Words that came between the reports.
    words: RefCell<Vec<Value>>,
    told: Arc<Mutex<String>>,
}

impl Running {
    pub fn start(file: &Path, arguments: &[&str], give: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
        command.arg("run").arg(file).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        give(&mut command);
        let mut child = command.spawn().unwrap();
        let (into, reports) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::Builder::new()
            .spawn(move || {
                for line in out.lines() {
                    // A line that is cut off fails here, and the test by the report that does not come.
                    into.send(serde_json::from_str(&line.unwrap()).unwrap()).unwrap_or(());
                }
            })
            .unwrap();
        let told = Arc::new(Mutex::new(String::new()));
        let (errors, heard) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&told));
        std::thread::Builder::new()
            .spawn(move || errors.lines().for_each(|line| *heard.lock().unwrap() += &(line.unwrap() + "\n")))
            .unwrap();
        Self { child, reports, words: RefCell::default(), told }
    }

    fn line(&self) -> Value {
        let line = self.reports.recv_timeout(LONG);
        line.unwrap_or_else(|error| panic!("no line ({error}); told: {}", self.told()))
    }

    /// The next verdict.
    pub fn report(&self) -> Value {
        loop {
            let line = self.line();
            if line["written"].is_null() {
                return line;
            }
            self.words.borrow_mut().push(line);
        }
    }

    /// What was written of a moment; verdicts that come before it are passed over.
    fn words_of(&self, moment: &Value) -> Value {
        let of = |line: &Value| !line["written"].is_null() && line["moment"] == *moment;
        while !self.words.borrow().iter().any(of) {
            let line = self.line();
            if !line["written"].is_null() {
                self.words.borrow_mut().push(line);
            }
        }
        self.words.borrow().iter().find(|line| of(line)).unwrap()["written"].clone()
    }

    /// Where it listens.
    fn address(&self) -> String {
        self.wait_until_told("http://");
        let told = self.told();
        told.split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_string()
    }

    /// Its status, once it `is` so.
    fn status_that(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let (address, start) = (self.address(), Instant::now());
        loop {
            let status: Value = serde_json::from_str(&said(&eyear(&["status", &address, "--json"]))).unwrap();
            if is(&status) {
                return status;
            }
            assert!(start.elapsed() < LONG, "no status {what}: {status}; told: {}", self.told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The next report that `is` so.
    fn report_that(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        while start.elapsed() < LONG {
            let report = self.report();
            if is(&report) {
                return report;
            }
        }
        panic!("no report {what}; told: {}", self.told())
    }

    pub fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    pub fn wait_until_told(&self, words: &str) {
        let start = Instant::now();
        while !self.told().contains(words) {
            assert!(start.elapsed() < LONG, "never told `{words}`: {}", self.told());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it by a signal; its exit code and how long that took.
    fn stop(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        let code = self.child.wait().unwrap().code();
        (code, start.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn count(report: &Value, kind: &str) -> u64 {
    let faults = report["faults"].as_array().unwrap().iter();
    faults.filter(|fault| fault["kind"] == kind).map(|fault| fault["count"].as_u64().unwrap()).sum()
}

#[test]
fn a_recording_is_judged_whole_as_inspect_judges_it_and_ends() {
    let dir = TempDir::new().unwrap();
    let pictures = "tests/data/cookie/test/broken";
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(pictures);
    let camera = format!("source = \"recording\"\npath = \"{}\"", full.display());
    let file = station(&dir, &format!("clip = 3\n[camera]\n{camera}\n[reports]\nfolder = \"kept\"\n"));
    let output = eyear(&["run", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("10 pictures in") && told.contains("0 frames replaced"), "{told}");
    let (run, inspected) =
        (lines(&output), lines(&eyear(&["inspect", biscuit().to_str().unwrap(), "--json", pictures])));
    assert_eq!((run.len(), inspected.len()), (10, 10));
    for (i, (run, inspected)) in run.iter().zip(&inspected).enumerate() {
        assert_eq!((run["moment"].as_u64(), run["frame"].as_u64()), (Some(i as u64), Some(i as u64)));
        for field in ["verdict", "score", "p_value", "findings", "judged_by"] {
            assert_eq!(run[field], inspected[field], "{field} of picture {i}");
        }
    }
    let bad = run.iter().filter(|report| report["verdict"] != "pass").count();
    let kept = |ending: &str| {
        let files = fs::read_dir(dir.path().join("kept")).unwrap().map(|file| file.unwrap().file_name());
        files.filter(|name| name.to_str().unwrap().ends_with(ending)).count()
    };
    assert_eq!((kept(".json"), kept(".overlay.png"), kept(".half")), (bad, bad, 0));
    assert!(kept(".avi") >= bad - 1, "a clip of two frames or more is kept as a film");
}

/// Counts verdicts, and how long the inspections took in milliseconds.
struct Tally(Arc<Mutex<(usize, f64)>>);

impl Sink for Tally {
    fn name(&self) -> &'static str {
        "tally"
    }

    fn take(&mut self, judged: &Judged, _: &Moment) -> eyear::Result<()> {
        let mut tally = self.0.lock().unwrap();
        tally.0 += 1;
        tally.1 += judged.report.ms.prepare + judged.report.ms.encode + judged.report.ms.judge;
        Ok(())
    }
}

#[test]
fn a_hot_board_slows_a_station_down_and_nothing_is_lost() {
    let dir = TempDir::new().unwrap();
    let zone = dir.path().join("sys/class/thermal/thermal_zone0");
    fs::create_dir_all(&zone).unwrap();
    fs::write(zone.join("temp"), "95000\n").unwrap();
    fs::write(zone.join("type"), "cpu-thermal\n").unwrap();
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cookie/test/broken");
    let file = station(&dir, &format!("[camera]\nsource = \"recording\"\npath = \"{}\"\n", pictures.display()));
    let station = Station::load(&file).unwrap();
    let taught = Taught::load(&station.part).unwrap();
    let manifest = |_| Manifest::find("vision-lite0");
    let options = Options::default();
    let mut inspector = Inspector::new::<eyear::Error>(taught, &manifest, BACKENDS[0], &|_| options.clone()).unwrap();
    let (stop, (_ask, requests)) = (AtomicBool::new(false), Requests::new());
    let throttle = Some(Throttle::new(Thermometer::new(dir.path()), Thermal::default()));
    let outside = Outside { stop: &stop, requests, moments: None, throttle, failover: Failover::default() };
    let (stats, tally) = (Stats::new("line"), Arc::default());
    let outlets = Outlets { sinks: vec![Box::new(Tally(Arc::clone(&tally)))], writer: None, voice: None };
    let (start, mut heard) = (Instant::now(), Vec::new());
    engine::run(&station, Some(&mut inspector), outlets, outside, &stats, &mut |event| heard.push(event.clone()))
        .unwrap();
    let (verdicts, spent) = *tally.lock().unwrap();
    assert_eq!(verdicts, 10);
    let hot = Event::Heat { celsius: 95.0, zone: "cpu-thermal".into(), rest: 4 };
    assert_eq!(heard.iter().filter(|event| **event == hot).count(), 1, "{heard:?}");
    assert_eq!((stats.status().celsius, stats.status().rest), (Some(95.0), 4));
    // Each but the last is followed by a rest of four times its length; none is longer than half of all.
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    assert!(elapsed > 3.0 * spent, "{elapsed} ms for {spent} ms of inspections");
}

/// A runtime whose sessions fail after so many runs, as a provider does whose device is gone. It waits so long before it opens.
struct Frail {
    runs: usize,
    builds: Duration,
}

struct FrailSession {
    of: Box<dyn Session>,
    runs: usize,
    placement: Vec<Placement>,
}

impl Backend for Frail {
    fn name(&self) -> &'static str {
        BACKENDS[0].name()
    }

    fn format(&self) -> Format {
        BACKENDS[0].format()
    }

    fn check(&self) -> eyear::Result<Info> {
        BACKENDS[0].check()
    }

    fn offered(&self) -> eyear::Result<Vec<String>> {
        BACKENDS[0].offered()
    }

    fn offers(&self, provider: &Provider) -> eyear::Result<()> {
        BACKENDS[0].offers(provider)
    }

    fn open(&self, name: &str, model: &[u8], options: &Options) -> eyear::Result<Box<dyn Session>> {
        thread::sleep(self.builds);
        let placement = vec![Placement { provider: "frail".into(), nodes: 1 }];
        Ok(Box::new(FrailSession { of: BACKENDS[0].open(name, model, options)?, runs: self.runs, placement }))
    }
}

impl Session for FrailSession {
    fn inputs(&self) -> &[TensorSpec] {
        self.of.inputs()
    }

    fn outputs(&self) -> &[TensorSpec] {
        self.of.outputs()
    }

    fn share(&mut self, input: usize, output: usize) {
        self.of.share(input, output);
    }

    fn bind(&mut self, inputs: &[Vec<usize>], outputs: &[Vec<usize>]) -> eyear::Result<()> {
        self.of.bind(inputs, outputs)
    }

    fn input_i32_mut(&mut self, i: usize) -> eyear::Result<&mut [i32]> {
        self.of.input_i32_mut(i)
    }

    fn input_mut(&mut self, i: usize) -> eyear::Result<&mut [f32]> {
        self.of.input_mut(i)
    }

    fn run(&mut self) -> eyear::Result<()> {
        match self.runs.checked_sub(1) {
            Some(left) => self.runs = left,
            None => return Err(eyear::Error::new(ErrorKind::Runtime, "the device is gone")),
        }
        self.of.run()
    }

    fn output(&self, i: usize) -> eyear::Result<&[f32]> {
        self.of.output(i)
    }

    fn placement(&self) -> &[Placement] {
        &self.placement
    }

    fn notices(&self) -> &[String] {
        self.of.notices()
    }

    fn fork(&self) -> eyear::Result<Box<dyn Session>> {
        Ok(Box::new(Self { of: self.of.fork()?, runs: self.runs, placement: self.placement.clone() }))
    }
}

/// Keeps what each verdict was and where it ran.
struct Kept(Arc<Mutex<Vec<(String, Value, f64)>>>);

impl Sink for Kept {
    fn name(&self) -> &'static str {
        "kept"
    }

    fn take(&mut self, judged: &Judged, _: &Moment) -> eyear::Result<()> {
        let report = serde_json::to_value(&judged.report).unwrap();
        let ran_on =
            report["senses"][0]["encoded_by"]["ran_on"][0]["provider"].as_str().unwrap_or_default().to_string();
        self.0.lock().unwrap().push((ran_on, report["verdict"].clone(), report["score"].as_f64().unwrap()));
        Ok(())
    }
}

#[test]
fn the_cpu_serves_while_a_provider_is_warmed_and_again_when_it_fails() {
    let dir = TempDir::new().unwrap();
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cookie/test/broken");
    let camera = format!("[camera]\nsource = \"recording\"\npath = \"{}\"\n", pictures.display());
    let station = Station::load(&station(&dir, &camera)).unwrap();
    let open = |backend: &dyn Backend| {
        let taught = Taught::load(biscuit())?;
        Inspector::new(taught, &|_| Manifest::find("vision-lite0"), backend, &|_| Options::default())
    };
    let judged = |failover: Failover, rest: bool| {
        let (stop, (_ask, requests)) = (AtomicBool::new(false), Requests::new());
        // A hot board makes the station slow enough to see who serves.
        let zone = dir.path().join("sys/class/thermal/thermal_zone0");
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("temp"), "95000\n").unwrap();
        let throttle = rest.then(|| Throttle::new(Thermometer::new(dir.path()), Thermal::default()));
        let outside = Outside { stop: &stop, requests, moments: None, throttle, failover };
        let (stats, kept) = (Stats::new("line"), Arc::default());
        let outlets = Outlets { sinks: vec![Box::new(Kept(Arc::clone(&kept)))], writer: None, voice: None };
        let (mut heard, mut inspector) = (Vec::new(), open(BACKENDS[0]).unwrap());
        let outcome = engine::run(&station, Some(&mut inspector), outlets, outside, &stats, &mut |event| {
            let told = match event {
                Event::Warm { .. } => "warm".to_string(),
                Event::Cold { why } => why.clone(),
                _ => return,
            };
            heard.push(told);
        });
        let kept = kept.lock().unwrap().clone();
        (outcome, heard, kept, stats.status())
    };
    let frail = |runs: usize, builds: u64| -> Opens {
        let builds = Duration::from_millis(builds);
        Box::new(move || open(&Frail { runs, builds }))
    };
    let (outcome, heard, plain, _) = judged(Failover::default(), false);
    assert!(outcome.is_ok() && heard.is_empty() && plain.len() == 10, "{heard:?}");
    let verdicts =
        |kept: &[(String, Value, f64)]| -> Vec<_> { kept.iter().map(|one| (one.1.clone(), one.2)).collect() };
    let served = |kept: &[(String, Value, f64)]| -> Vec<_> { kept.iter().map(|one| one.0 == "frail").collect() };

    // One that takes longer to build than there is to judge never serves, and nothing waits for it.
    let wanted = [frail(usize::MAX, 3_600_000)].into();
    let (outcome, heard, kept, status) = judged(Failover { wanted, on_cpu: None }, false);
    assert!(outcome.is_ok() && heard.is_empty() && status.warming, "{heard:?}");
    assert_eq!(verdicts(&kept), verdicts(&plain));

    // One that is soon ready takes over, fails after two pictures, and the next one is warmed; no verdict is lost.
    let on_cpu: Opens = Box::new(move || open(BACKENDS[0]));
    let cannot: Opens = Box::new(|| Err(eyear::Error::new(ErrorKind::Unavailable, "no such device")));
    // The encoder runs once when it is opened.
    let wanted = [frail(3, 0), cannot].into();
    let (outcome, heard, kept, status) = judged(Failover { wanted, on_cpu: Some(on_cpu) }, true);
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(heard, ["warm", "the device is gone", "no such device"]);
    assert_eq!(verdicts(&kept), verdicts(&plain));
    let served = served(&kept);
    assert!(!served[0] && served.iter().filter(|frail| **frail).count() == 2 && !served[9], "{served:?}");
    assert!(!status.warming);

    // Without anybody to take over the station ends by it.
    let (outcome, ..) = judged(Failover { wanted: [frail(2, 0)].into(), on_cpu: None }, true);
    assert_eq!(outcome.unwrap_err().message(), "the device is gone");
}

#[test]
fn a_camera_of_jpegs_is_judged_as_its_files_are_and_what_is_replaced_is_counted() {
    let folder = Path::new("tests/data/cookie/test/good");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let pictures: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    let size = image::image_dimensions(&files[0]).unwrap();
    let inspected = lines(&eyear(&["inspect", biscuit().to_str().unwrap(), "--json", folder.to_str().unwrap()]));
    let camera = Camera::new("MJPG", [size.0, size.1], &pictures).with("LABCAM_FPS", "60");
    let dir = TempDir::new().unwrap();
    let file = station(&dir, &format!("[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\nrate = 60\n", Camera::DEVICE));
    let mut running = Running::start(&file, &[], |command| camera.give_to(command));
    let reports: Vec<Value> = (0..12).map(|_| running.report()).collect();
    for report in &reports {
        let picture = &inspected[report["frame"].as_u64().unwrap() as usize % pictures.len()];
        let of = |report: &Value| report["score"].as_f64().unwrap();
        // Two decoders, and colour that is interpolated by one and resized apart by the other.
        assert!((of(report) - of(picture)).abs() < 0.35, "{} and {}", of(report), of(picture));
    }
    for pair in reports.windows(2) {
        let frame = |report: &Value| report["frame"].as_u64().unwrap();
        let between = frame(&pair[1]) - frame(&pair[0]) - 1;
        assert_eq!(pair[1]["replaced"].as_u64().unwrap() + count(&pair[1], "lost"), between, "{pair:?}");
    }
    let (code, took) = running.stop();
    assert!(code.is_some_and(|code| code <= 1) && took < Duration::from_secs(10), "{code:?} after {took:?}");
    assert!(running.told().contains("ended after"), "{}", running.told());
}

#[test]
fn every_fault_of_a_camera_is_counted_and_lived_through() {
    let picture = fs::read("tests/data/cookie/test/good/t003.jpg").unwrap();
    let grey = image::load_from_memory(&picture).unwrap().into_luma8();
    let size = [grey.width(), grey.height()];
    let camera = Camera::new("GREY", size, &[grey.into_raw()]).with("LABCAM_FPS", "30");
    let dir = TempDir::new().unwrap();
    let settings = "rate = 30\nstall_ms = 400\ncontrols = { gain = 17 }\n";
    let file = station(&dir, &format!("[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\n{settings}", Camera::DEVICE));
    let running = Running::start(&file, &[], |command| camera.give_to(command));
    running.report();
    assert!(camera.settings().contains("Gain=17"), "{}", camera.settings());
    for (word, kind) in
        [("gap 5", "lost"), ("flagerr 3", "damaged"), ("short 2", "damaged"), ("step 7000", "clock_step")]
    {
        camera.fault(word);
        let report = running.report_that(word, |report| count(report, kind) > 0);
        assert!(count(&report, kind) >= 1, "{report}");
        camera.fault("step 0");
        camera.fault("");
    }
    for word in ["stall", "eio", "enodev"] {
        let before = running.told().matches("camera lost").count();
        camera.fault(word);
        let blind = running.report_that(word, |report| report["frame"].is_null());
        assert!(blind["reason"]["text"].as_str().unwrap().starts_with("no image: "), "{blind}");
        let start = Instant::now();
        while running.told().matches("camera lost").count() == before {
            assert!(start.elapsed() < LONG, "{word} was never told: {}", running.told());
            std::thread::sleep(Duration::from_millis(10));
        }
        // What stays broken is told once.
        std::thread::sleep(Duration::from_millis(500));
        camera.fault("");
        running.report_that(word, |report| count(report, "reopened") > 0);
        assert_eq!(running.told().matches("camera lost").count(), before + 1, "{}", running.told());
    }
}

/// Kilobytes of memory, open handles and threads of a process.
fn footprint(child: &Child) -> [usize; 3] {
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let pages = fs::read_to_string(process.join("statm")).unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    let count = |of: &str| fs::read_dir(process.join(of)).unwrap().count();
    [4 * pages, count("fd"), count("task")]
}

/// Half an hour at a moment a second, in a quarter of a minute; `benches/soak.py` does it for as long as wanted.
#[test]
fn after_1800_moments_and_six_reopenings_a_station_holds_what_it_held_before() {
    let dir = TempDir::new().unwrap();
    let small = small();
    let picture = fs::read("tests/data/cookie/test/good/t003.jpg").unwrap();
    let [width, height] = image::image_dimensions("tests/data/cookie/test/good/t003.jpg").map(|(w, h)| [w, h]).unwrap();
    let camera = Camera::new("MJPG", [width, height], &[picture]).with("LABCAM_FPS", "120");
    let noise: Vec<f64> = (0..48_000u64).map(|i| (i * i * 7919 % 1009) as f64 / 4000.0).collect();
    let microphone = crate::microphone::Card::new(&crate::microphone::wav("i16", 48_000, 1, &noise), "");
    let file = dir.path().join("line.toml");
    let senses = format!(
        "[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\nrate = 120\n[microphone]\nsource = \"alsa\"\ndevice = \"labmic\"\n",
        Camera::DEVICE
    );
    fs::write(&file, format!("part = \"{small}\"\nclip = 4\n{senses}[sound]\nbefore_ms = 100\n")).unwrap();
    let mut running = Running::start(&file, &[], |command| {
        camera.give_to(command);
        command.env("ALSA_CONFIG_PATH", microphone.path("asoundrc"));
    });
    let mut before = [0; 3];
    for moment in 1..=1800 {
        running.report();
        if moment % 300 == 150 {
            camera.fault("enodev");
            microphone.say("disconnect");
            running.report_that("without a picture or its sound", |report| report["degraded"] == true);
            camera.fault("");
            microphone.say("ok");
        }
        // The first third is for warming up: every buffer has had its greatest size, every source was opened anew.
        if moment == 600 {
            running.report_that("with its sound", |report| report["degraded"] == false);
            before = footprint(&running.child);
        }
    }
    running.report_that("with its sound", |report| report["degraded"] == false);
    let after = footprint(&running.child);
    assert!(after[0] <= before[0] + 3000, "memory grew from {} to {} kB", before[0], after[0]);
    assert_eq!(after[1..], before[1..], "handles and threads");
    assert!(running.stop().1 < Duration::from_secs(10));
}

#[test]
fn requests_are_answered_and_a_blind_station_says_so() {
    let grey = vec![vec![90u8; 64 * 48]];
    let camera = Camera::new("GREY", [64, 48], &grey).with("LABCAM_FPS", "30");
    let dir = TempDir::new().unwrap();
    let rest = "[trigger]\non = \"request\"\n[reports]\naddress = \"127.0.0.1:0\"\n";
    let file =
        station(&dir, &format!("[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\nstall_ms = 300\n{rest}", Camera::DEVICE));
    let mut running = Running::start(&file, &[], |command| camera.give_to(command));
    running.wait_until_told("Lab camera");
    running.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let report = running.report();
    // Not this part, but a picture.
    assert!(report["frame"].is_u64() && report["verdict"] == "invalid", "{report}");
    let address = &*running.address();
    let status = eyear(&["status", address, "--json"]);
    let status: Value = serde_json::from_str(&said(&status)).unwrap();
    assert_eq!((&status["verdicts"]["invalid"], &status["sources"][0]["state"]), (&1.into(), &"delivers".into()));
    camera.fault("enodev");
    running.wait_until_told("camera lost");
    let asked = eyear(&["status", address, "--trigger"]);
    assert!(said(&asked).contains("true"), "{}", said(&asked));
    let report = running.report();
    assert!(report["frame"].is_null() && report["degraded"] == true, "{report}");
    assert!(report["reason"]["text"].as_str().unwrap().starts_with("no image: "), "{report}");
    assert_eq!(eyear(&["status", address]).status.code(), Some(1), "a camera is lost");
    // Whoever reads the status sees when it is back.
    camera.fault("");
    let start = Instant::now();
    while eyear(&["status", address]).status.code() != Some(0) {
        assert!(start.elapsed() < LONG, "{}", running.told());
    }
}

#[test]
fn what_no_waiting_mends_ends_with_one_sentence() {
    let camera = Camera::new("YUYV", [64, 48], &[vec![90u8; 64 * 96]]).with("LABCAM_FPS", "30");
    let dir = TempDir::new().unwrap();
    let device = format!("source = \"v4l2\"\ndevice = \"{}\"\n", Camera::DEVICE);
    let cases = [
        ("format = \"MJPG\"", "it offers YUYV (64 x 48)"),
        ("size = [1920, 1080]", "it offers YUYV (64 x 48)"),
        ("controls = { gian = 3 }", "did you mean `gain`?"),
        ("controls = { gain = 70000 }", "camera.controls.gain: wants"),
        ("divice = 3", "unknown field `divice`"),
    ];
    for (line, expected) in cases {
        let file = station(&dir, &format!("[camera]\n{device}{line}\n"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
        command.arg("run").arg(&file).current_dir(env!("CARGO_MANIFEST_DIR"));
        camera.give_to(&mut command);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {told}");
        assert!(told.lines().any(|told| told.starts_with("error: ") && told.contains(expected)), "{line}: {told}");
    }
    let file = station(&dir, "[camera]\nsource = \"recording\"\npath = \"line.toml\"\n");
    let output = eyear(&["run", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("line.toml"), "{told}");
    let file = station(&dir, "[camera]\nsource = \"v4l2\"\ndevice = \"/dev/video987\"\n");
    let mut running = Running::start(&file, &[], |_| ());
    running.wait_until_told("there is no camera /dev/video987");
    assert_eq!(running.report()["verdict"], "invalid");
    assert_eq!(running.stop().0, Some(1), "it waited for a camera that may come");
}

#[cfg(not(any(feature = "gige", feature = "gstreamer")))]
#[test]
fn a_camera_that_this_build_has_not_is_refused_with_the_feature_that_brings_it() {
    let dir = TempDir::new().unwrap();
    let cameras = [("gige", "device = \"LAB01\""), ("gstreamer", "pipeline = \"videotestsrc\"")];
    for (source, rest) in cameras {
        let file = station(&dir, &format!("[camera]\nsource = \"{source}\"\n{rest}\n"));
        for arguments in [&["run"][..], &["doctor", "camera", "--station"]] {
            let output = eyear(&[arguments, &[file.to_str().unwrap()]].concat());
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{told}");
            let words = format!("built without {source}; build it with `cargo build --features {source}`");
            assert!(told.contains(&words), "{told}");
        }
    }
}

#[test]
fn the_doctor_looks_through_the_camera_of_a_station() {
    let dir = TempDir::new().unwrap();
    let file = station(&dir, "[camera]\nsource = \"synthetic\"\nframes = 5\n");
    let output = eyear(&["doctor", "camera", "--station", file.to_str().unwrap(), "--json"]);
    let found = &lines(&output)[0];
    assert_eq!((found["frames"].as_u64(), found["damaged"].as_u64()), (Some(5), Some(0)), "{found}");
    let both = ["doctor", "camera", "--station", file.to_str().unwrap(), "--rate", "5"];
    assert_eq!(eyear(&both).status.code(), Some(2));
}

#[test]
fn the_doctor_and_record_look_through_a_camera_as_they_are_told() {
    let grey: Vec<u8> = (0..64 * 48).map(|i| (i * 7 % 251) as u8).collect();
    let camera = Camera::new("GREY", [64, 48], &[grey]).with("LABCAM_FPS", "60");
    let look = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
        camera.give_to(&mut command);
        let output = command.args(arguments).output().unwrap();
        (output.status.code(), said(&output), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let doctor = ["doctor", "camera", "--device", Camera::DEVICE];
    let asked = ["--format", "GREY", "--size", "64x48", "--rate", "60", "--frames", "12", "--json"];
    let (_, found, told) = look(&[&doctor[..], &asked].concat());
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!((&found["frames"], &found["damaged"]), (&12.into(), &0.into()), "{found}");
    assert!(found["about"].as_str().unwrap().contains("64 x 48 GREY, 60"), "{found}");
    for (flags, words) in [
        (["--format", "NV12"], "it offers GREY (64 x 48)"),
        (["--size", "65x48"], "it offers GREY (64 x 48)"),
        (["--size", "65"], "wants WIDTHxHEIGHT"),
        (["--frames", "1"], "2..=10000"),
    ] {
        let (code, _, told) = look(&[&doctor[..], &flags].concat());
        assert!(code == Some(2) && told.contains(words), "{flags:?}: {told}");
    }
    let dir = TempDir::new().unwrap();
    let file = station(&dir, &format!("[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\n", Camera::DEVICE));
    let out = dir.path().join("seen");
    let start = Instant::now();
    let record = ["record", file.to_str().unwrap(), "--frames", "3", "--every", "200", "--out", out.to_str().unwrap()];
    let (code, _, told) = look(&record);
    assert_eq!((code, fs::read_dir(&out).unwrap().count()), (Some(0), 3), "{told}");
    assert!(start.elapsed() >= Duration::from_millis(400), "a fifth of a second lies between them");
}

#[test]
fn a_station_judges_when_its_trigger_says() {
    let dir = TempDir::new().unwrap();
    let pictures = dir.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    // A part lies still, another is brought and lies still.
    let shown = ["good/t003", "good/t003", "broken/a004", "good/t007", "good/t007", "good/t007", "good/t007"];
    for (i, name) in shown.iter().enumerate() {
        fs::copy(format!("tests/data/cookie/test/{name}.jpg"), pictures.join(format!("{i}.jpg"))).unwrap();
    }
    let camera = "[camera]\nsource = \"recording\"\npath = \"pictures\"\n";
    let judged = |rest: &str| {
        let output = eyear(&["run", station(&dir, &format!("{camera}{rest}")).to_str().unwrap()]);
        assert!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        lines(&output).iter().filter_map(|report| report["frame"].as_u64()).collect::<Vec<u64>>()
    };
    assert_eq!(judged("[trigger]\non = \"motion\"\n"), [6]);
    assert!(judged("[trigger]\non = \"motion\"\nthreshold = 255.0\n").is_empty());
    // Seven frames in 1.4 s: one of them each 500 ms.
    let frames = judged("rate = 5\n[trigger]\non = \"interval\"\nms = 500\n");
    assert!((2..=4).contains(&frames.len()) && frames.is_sorted(), "{frames:?}");
    // A knock in the middle second of three.
    let knock: Vec<f64> = (0..24_000).map(|i| if (8_000..8_400).contains(&i) { 0.5 } else { 0.0001 }).collect();
    fs::write(dir.path().join("knock.wav"), crate::microphone::wav("i16", 8000, 1, &knock)).unwrap();
    let microphone = "rate = 5\n[microphone]\nsource = \"recording\"\npath = \"knock.wav\"\n[sound]\nbefore_ms = 100\n";
    let frames = judged(&format!("{microphone}[trigger]\non = \"sound-level\"\ndbfs = -20\n"));
    assert!(matches!(frames[..], [4..=6]), "the first frame after the first second: {frames:?}");
    assert!(judged(&format!("{microphone}[trigger]\non = \"sound-level\"\ndbfs = -2\n")).is_empty());
}

#[test]
fn no_frame_is_left_out_when_judging_keeps_up() {
    let picture = fs::read("tests/data/cookie/test/good/t003.jpg").unwrap();
    let (width, height) = image::image_dimensions("tests/data/cookie/test/good/t003.jpg").unwrap();
    let camera = Camera::new("MJPG", [width, height], &[picture]).with("LABCAM_FPS", "2");
    let dir = TempDir::new().unwrap();
    // Slow enough for a busy machine; that it ends within two seconds is for `benches/soak.py` to measure.
    let file = station(&dir, &format!("[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\nrate = 2\n", Camera::DEVICE));
    let mut running = Running::start(&file, &[], |command| camera.give_to(command));
    let reports: Vec<Value> = (0..8).map(|_| running.report()).collect();
    for (number, report) in reports.iter().enumerate() {
        assert_eq!((report["frame"].as_u64(), report["replaced"].as_u64()), (Some(number as u64), Some(0)), "{report}");
    }
    assert_eq!(running.stop().0, Some(0));
}

/// A station on the broken biscuits, as fast as they are judged.
fn broken(dir: &TempDir, rest: &str) -> PathBuf {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cookie/test/broken");
    let camera = format!("threads = 1\n[camera]\nsource = \"recording\"\npath = \"{}\"\n", pictures.display());
    station(dir, &format!("{camera}{rest}"))
}

#[test]
fn words_follow_the_verdicts_that_they_are_of_and_change_none() {
    let dir = TempDir::new().unwrap();
    let inspected = lines(&eyear(&["run", broken(&dir, "").to_str().unwrap()]));
    for (language, of) in [("en", "not-passed"), ("zh", "all")] {
        let words = format!("[words]\nlanguage = \"{language}\"\nof = \"{of}\"\n[reports]\nfolder = \"{language}\"\n");
        let output = eyear(&["run", broken(&dir, &words).to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        let all = lines(&output);
        let (words, verdicts): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|line| !line["written"].is_null());
        for (verdict, inspected) in verdicts.iter().zip(&inspected) {
            for field in ["moment", "verdict", "score", "p_value", "findings"] {
                assert_eq!(verdict[field], inspected[field], "words change no verdict");
            }
            let fields = |line: &Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(fields(verdict), fields(inspected));
        }
        let wanted: Vec<&&Value> = verdicts.iter().filter(|line| of == "all" || line["verdict"] != "pass").collect();
        assert!((verdicts.len(), words.len()) == (10, wanted.len()) && words.len() >= 8, "{told}");
        assert!(told.contains(&format!("{} reports in words, 0 skipped", words.len())), "{told}");
        // What a command writes of the same pictures.
        let arguments = ["--json", "--threads", "1", "--language", language, "tests/data/cookie/test/broken"];
        let reported = lines(&eyear(&[&["report", biscuit().to_str().unwrap()], &arguments[..]].concat()));
        for line in words {
            let (moment, written) = (line["moment"].as_u64().unwrap() as usize, &line["written"]);
            assert!(line["station"] == "line" && written["generated"] == true, "{line}");
            assert_eq!(written["text"], reported[moment]["written"]["text"]);
            let at = |is: &dyn Fn(&Value) -> bool| all.iter().position(is).unwrap();
            let verdict = at(&|other| other["moment"] == line["moment"] && other["written"].is_null());
            assert!(verdict < at(&|other| other == line), "the verdict comes first");
            let verdict = &all[verdict];
            let kept = dir.path().join(language).join(format!("{}-{moment:06}.txt", verdict["unix_ms"]));
            if verdict["verdict"] == "pass" {
                assert!(!kept.exists(), "what passed is not kept");
            } else {
                let kept = fs::read_to_string(kept).unwrap();
                let text = written["text"].as_str().unwrap();
                assert!(kept.starts_with(text) && kept.contains("\n[generated by eyear-small "), "{kept}");
            }
        }
    }
}

#[test]
fn words_that_cannot_keep_up_leave_moments_out_and_no_verdict_waits() {
    let dir = TempDir::new().unwrap();
    let small = small();
    let pictures = dir.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    (0..400).for_each(|i| {
        fs::copy("tests/data/cookie/test/broken/a028.jpg", pictures.join(format!("{i:03}.jpg"))).unwrap();
    });
    let file = dir.path().join("line.toml");
    let text = "[camera]\nsource = \"recording\"\npath = \"pictures\"\n[words]\nof = \"all\"\n\
                [reports]\naddress = \"127.0.0.1:0\"\n";
    fs::write(&file, format!("part = \"{small}\"\n{text}")).unwrap();
    let mut running = Running::start(&file, &[], |_| ());
    let status = running.status_that("of words that were left out", |status| status["words_dropped"] != 0);
    assert_eq!(status["words_failed"], 0);
    let table = said(&eyear(&["status", &running.address()]));
    assert!(table.contains(" reports, ") && table.contains(" skipped, 0 failed"), "{table}");
    let (code, took) = running.stop();
    assert!(code.is_some() && took < Duration::from_secs(10), "{code:?} after {took:?}");
    running.wait_until_told("frames replaced");
    let told = running.told();
    let ended = told.split("frames replaced, ").nth(1).unwrap_or_else(|| panic!("{told}"));
    let counts: Vec<usize> = ended.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let (mut verdicts, mut words) = (0, 0);
    for line in &running.reports {
        *(if line["written"].is_null() { &mut verdicts } else { &mut words }) += 1;
    }
    // Each moment was written of or counted as left out, also those that waited when it was to end.
    assert_eq!(counts, [words, verdicts - words], "{told}");
    assert!(counts[0] > 0 && counts[1] > 0, "{told}");
}

/// Makes a film of 96 x 64 pixels; whether there is an `ffmpeg` to make and to play it with.
fn film(path: &Path, rate: u32, seconds: u32) -> bool {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        assert!(std::env::var("CI").is_err(), "ffmpeg is missing, and CI is to play a film");
        return false;
    }
    let picture = format!("testsrc=size=96x64:rate={rate}:duration={seconds}");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", &picture, "-c:v", "mpeg4"]).arg(path);
    assert!(ffmpeg.status().unwrap().success());
    true
}

#[test]
fn a_film_is_played_to_its_end() {
    let dir = TempDir::new().unwrap();
    if !film(&dir.path().join("film.mp4"), 10, 1) {
        return;
    }
    let file = station(&dir, "[camera]\nsource = \"recording\"\npath = \"film.mp4\"\n");
    let output = eyear(&["run", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("96 x 64, taken at 10.0000/s"), "{told}");
    assert_eq!(lines(&output).len(), 10, "{told}");
    // A film whose head is all there is, and one that has a sound only.
    fs::write(dir.path().join("none.y4m"), "YUV4MPEG2 W96 H64 F10:1 Ip A1:1 C420jpeg\n").unwrap();
    fs::write(dir.path().join("sound.wav"), crate::microphone::wav("i16", 8000, 1, &ramp(8000, 1))).unwrap();
    for (name, words) in
        [("none.y4m", "none.y4m: the film has no picture"), ("sound.wav", "neither a picture nor a film")]
    {
        let file = station(&dir, &format!("[camera]\nsource = \"recording\"\npath = \"{name}\"\nrepeat = true\n"));
        let output = eyear(&["run", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(words), "{told}");
    }
}

#[test]
fn pictures_of_which_none_can_be_read_end_the_station() {
    let dir = TempDir::new().unwrap();
    let pictures = dir.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    for name in ["a.jpg", "b.png"] {
        fs::write(pictures.join(name), "hello").unwrap();
    }
    let file = station(&dir, "[camera]\nsource = \"recording\"\npath = \"pictures\"\nrepeat = true\n");
    let output = eyear(&["run", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("pictures: of 2 pictures none can be read"), "{told}");
}

/// Each sample says when it was taken: n of a million.
fn ramp(rate: u32, seconds: u32) -> Vec<f64> {
    (0..rate * seconds).map(|i| f64::from(i) / 1e6).collect()
}

#[test]
fn the_picture_and_the_sound_of_a_recording_begin_together() {
    let dir = TempDir::new().unwrap();
    // No part of ours: no frame passes, so that all are kept.
    if !film(&dir.path().join("film.mp4"), 4, 2) {
        return;
    }
    fs::write(dir.path().join("ramp.wav"), crate::microphone::wav("f32", 8000, 1, &ramp(8000, 3))).unwrap();
    let camera = "source = \"recording\"\npath = \"film.mp4\"\nrate = 4";
    let senses = format!("[camera]\n{camera}\n[microphone]\nsource = \"recording\"\npath = \"ramp.wav\"\n");
    let rest = "[sound]\nbefore_ms = 100\nafter_ms = 100\n[reports]\nfolder = \"kept\"\n";
    let output = eyear(&["run", station(&dir, &format!("{senses}{rest}")).to_str().unwrap()]);
    let reports = lines(&output);
    assert_eq!(reports.len(), 8, "{}", String::from_utf8_lossy(&output.stderr));
    // The first frame's sound would begin before the recording does.
    for report in &reports[1..] {
        let frame = report["frame"].as_u64().unwrap();
        let stem = format!("{}-{:06}", report["unix_ms"], report["moment"].as_u64().unwrap());
        let mut sound = hound::WavReader::open(dir.path().join("kept").join(format!("{stem}.wav"))).unwrap();
        let first = sound.samples::<f32>().next().unwrap().unwrap();
        let begins_ms = f64::from(first) * 1e6 / 8.0;
        let wanted = frame as f64 * 250.0 - 100.0;
        // Threads start within it; opening a film takes longer.
        assert!((begins_ms - wanted).abs() < 50.0, "frame {frame}: {begins_ms} for {wanted}; {report}");
    }
}

/// A WAV of a machine's sound: as usual for `usual` times two seconds, then rubbing. It is one clip again and again, for
/// clips of different times differ in level, and a window over where they were joined would be strange indeed.
fn machine_that_fails(dir: &TempDir, usual: usize, rubbing: usize) -> PathBuf {
    let clip = sound::read(Path::new("tests/data/machine/test/normal/m00.flac")).unwrap();
    let mut samples: Vec<f64> = Vec::new();
    for i in 0..usual + rubbing {
        let fault = Fault { kind: FaultKind::Rub, snr_db: 12.0, seed: i as u64 };
        let heard = if i < usual { clip.clone() } else { inject(&clip, fault).unwrap() };
        samples.extend(heard.samples().iter().map(|&sample| f64::from(sample)));
    }
    let file = dir.path().join("machine.wav");
    fs::write(&file, crate::microphone::wav("f32", 16_000, 1, &samples)).unwrap();
    file
}

#[test]
fn a_station_without_a_camera_listens_and_a_fault_that_stays_is_an_alarm() {
    let dir = TempDir::new().unwrap();
    let sound = machine_that_fails(&dir, 4, 3);
    let file = dir.path().join("ear.toml");
    let text = format!(
        "part = \"{}\"\n[microphone]\nsource = \"recording\"\npath = \"{}\"\nrate = inf\n\
         [trigger]\non = \"interval\"\nms = 2000\n[sound]\nbefore_ms = 2000\n[alarm]\nfails = 2\nof = 3\n\
         [reports]\nfolder = \"kept\"\n",
        Path::new(env!("CARGO_MANIFEST_DIR")).join(crate::hearing::machine()).display(),
        sound.display()
    );
    fs::write(&file, text).unwrap();
    let output = eyear(&["run", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let reports = lines(&output);
    let told: Vec<(&str, bool)> =
        reports.iter().map(|r| (r["verdict"].as_str().unwrap(), r["alarm"].as_bool().unwrap())).collect();
    assert_eq!(told.len(), 7, "{told:?}");
    assert!(told[..4].iter().all(|(verdict, alarm)| *verdict != "fail" && !alarm), "{told:?}");
    assert_eq!(told[4..], [("fail", false), ("fail", true), ("fail", true)]);
    for report in &reports {
        assert!(
            report["frame"].is_null() && report["degraded"] == false && report["sound"]["ms"] == 2000.0,
            "{report}"
        );
    }
    let kept: Vec<String> =
        fs::read_dir(dir.path().join("kept")).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    for ending in [".json", ".wav", ".sound.overlay.png"] {
        assert!(kept.iter().filter(|name| name.ends_with(ending)).count() >= 3, "{ending}: {kept:?}");
    }
}

/// Whether there is an `espeak-ng`.
fn speaks() -> bool {
    let there = Command::new("espeak-ng").arg("--version").output().is_ok();
    assert!(there || std::env::var("CI").is_err(), "espeak-ng is missing, and CI is to hear it");
    there
}

/// Seconds of a WAV file, and its level: the root of its mean square, 1 at full scale.
fn heard_in(path: &Path) -> (f64, f64) {
    let sound = sound::read(path).unwrap();
    let square: f64 = sound.samples().iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (sound.duration().as_secs_f64(), (square / sound.samples().len() as f64).sqrt())
}

#[test]
fn what_was_written_of_a_part_that_fails_is_spoken_in_its_language() {
    let dir = TempDir::new().unwrap();
    if !speaks() {
        return;
    }
    for language in ["en", "zh"] {
        let said = dir.path().join(format!("{language}.wav"));
        let speech = format!("[speech]\narguments = [\"-w\", \"{}\"]\n", said.display());
        let file = broken(&dir, &format!("[words]\nlanguage = \"{language}\"\n{speech}"));
        let output = eyear(&["run", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && !told.contains("speech failed"), "{told}");
        let (seconds, level) = heard_in(&said);
        assert!(seconds > 1.0 && level > 0.01, "{seconds} s at {level}");
    }
}

/// A program that writes what it reads behind what it has read before, and then does what it is told.
fn listener(dir: &TempDir, then: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.path().join("listener");
    let heard = dir.path().join("heard").display().to_string();
    fs::write(&path, format!("#!/bin/sh\n(cat; echo \" by $*\") >> '{heard}'\necho $$ > '{heard}.pid'\n{then}\n"))
        .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    heard.into()
}

#[test]
fn a_program_that_does_not_end_delays_nothing_and_ends_with_the_station() {
    let dir = TempDir::new().unwrap();
    let heard = listener(&dir, "exec sleep 1000");
    let rest = "[words]\n[speech]\nprogram = \"./listener\"\narguments = [\"heart\"]\n\
                [reports]\naddress = \"127.0.0.1:0\"\n";
    let mut running = Running::start(&broken(&dir, rest), &[], |_| ());
    let reports: Vec<Value> = (0..10).map(|_| running.report()).collect();
    let fails: Vec<&Value> = reports.iter().filter(|report| report["verdict"] == "fail").collect();
    let texts: Vec<String> = fails
        .iter()
        .map(|report| format!("{} by heart\n", running.words_of(&report["moment"])["text"].as_str().unwrap()))
        .collect();
    // One is being spoken, the last waits, the others gave way.
    let between = fails.len() as u64 - 2;
    let status = running.status_that("of what gave way", |status| {
        status["speech_dropped"] == between && status["words_written"].as_u64() >= Some(fails.len() as u64)
    });
    assert_eq!((&status["spoken"], &status["speech_failed"]), (&0.into(), &0.into()), "{status}");
    let start = Instant::now();
    let id = loop {
        let id = fs::read_to_string(heard.with_extension("pid")).unwrap_or_default();
        if id.ends_with('\n') {
            break id;
        }
        assert!(start.elapsed() < LONG, "it was never started: {}", running.told());
        std::thread::sleep(Duration::from_millis(10));
    };
    let text = fs::read_to_string(&heard).unwrap();
    assert!(texts.contains(&text), "{text}: {texts:?}");
    let process = Path::new("/proc").join(id.trim());
    assert!(process.exists());
    let (code, took) = running.stop();
    assert!(code == Some(1) && took < Duration::from_secs(10), "{code:?} after {took:?}");
    assert!(!process.exists(), "it outlives the station");
}

#[test]
fn a_voice_that_fails_is_told_once_and_what_is_missing_at_the_start() {
    let dir = TempDir::new().unwrap();
    let heard = listener(&dir, "exit 3");
    let output = eyear(&["run", broken(&dir, "[words]\n[speech]\nprogram = \"./listener\"\n").to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), told.matches("speech failed: ").count()), (Some(1), 1), "{told}");
    assert!(told.contains("listener ended with exit status: 3; try `echo hello | "), "{told}");
    assert!(fs::read_to_string(heard).unwrap().starts_with("Fail: "));
    let refused = [
        ("[words]\n[speech]\nprogram = \"espeak-nix\"", "speech.program: speech program `espeak-nix` not found"),
        ("[words]\nlanguage = \"xx\"", "words.language: no language `xx`; this model writes en, zh"),
        ("[words]\nwriter = \"nobody\"", "words.writer: no model package `nobody`"),
        ("[speech]", "line.toml: [speech] wants [words], found none"),
    ];
    for (rest, words) in refused {
        let output = eyear(&["run", broken(&dir, rest).to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{rest}: {told}");
        assert!(told.lines().count() == 1 && told.contains(words), "{rest}: {told}");
    }
}

#[test]
fn a_station_that_listens_tells_what_it_heard() {
    let dir = TempDir::new().unwrap();
    let sound = machine_that_fails(&dir, 2, 2);
    let file = dir.path().join("ear.toml");
    let text = format!(
        "part = \"{}\"\n[microphone]\nsource = \"recording\"\npath = \"{}\"\nrate = inf\n\
         [trigger]\non = \"interval\"\nms = 2000\n[sound]\nbefore_ms = 2000\n[words]\n[reports]\nfolder = \"kept\"\n",
        Path::new(env!("CARGO_MANIFEST_DIR")).join(crate::hearing::machine()).display(),
        sound.display()
    );
    fs::write(&file, text).unwrap();
    let output = eyear(&["run", file.to_str().unwrap()]);
    let all = lines(&output);
    let rubbing: Vec<&Value> = all.iter().filter(|line| line["verdict"] == "fail").collect();
    assert_eq!(rubbing.len(), 2, "{}", String::from_utf8_lossy(&output.stderr));
    for report in rubbing {
        let words = all.iter().find(|line| line["moment"] == report["moment"] && !line["written"].is_null()).unwrap();
        let text = words["written"]["text"].as_str().unwrap();
        assert!(words["written"]["senses"][0]["sense"] == "sound" && text.contains(" dB"), "{words}");
        let kept = format!("kept/{}-{:06}.txt", report["unix_ms"], report["moment"].as_u64().unwrap());
        assert!(fs::read_to_string(dir.path().join(kept)).unwrap().starts_with(text), "{words}");
    }
}

#[test]
fn a_station_that_has_gone_deaf_says_so_and_hears_again() {
    let dir = TempDir::new().unwrap();
    let usual = fs::read(machine_that_fails(&dir, 4, 0)).unwrap();
    let microphone = crate::microphone::Card::new(&usual, "");
    let file = dir.path().join("ear.toml");
    let text = format!(
        "part = \"{}\"\n[microphone]\nsource = \"alsa\"\ndevice = \"labmic\"\nrate = 16000\nstall_ms = 500\n\
         [trigger]\non = \"interval\"\nms = 500\n[sound]\nbefore_ms = 2000\n",
        Path::new(env!("CARGO_MANIFEST_DIR")).join(crate::hearing::machine()).display()
    );
    fs::write(&file, text).unwrap();
    let mut running = Running::start(&file, &[], |command| {
        command.env("ALSA_CONFIG_PATH", microphone.path("asoundrc"));
    });
    let heard = |report: &Value| report["sound"]["ms"] == 2000.0 && report["degraded"] == false;
    running.report_that("of what is heard", heard);
    microphone.say("disconnect");
    for _ in 0..2 {
        let report = running.report_that("of a deaf station", |report| report["verdict"] == "invalid");
        assert!(report["degraded"] == true && report["reason"]["code"] == "no_sound", "{report}");
        assert!(report["sound"]["missing"].is_string(), "{report}");
    }
    microphone.say("ok");
    let deaf = Cell::new(0);
    running.report_that("of what is heard again", |report| {
        deaf.set(deaf.get() + 1);
        heard(report)
    });
    assert!(deaf.get() < 30, "what was not heard is not caught up with: {}", deaf.get());
    assert!(running.stop().1 < Duration::from_secs(10));
}

#[test]
fn a_station_judges_by_eye_and_ear_and_by_what_is_left_of_them() {
    let (set, part) = crate::pairs::pairs();
    let dir = TempDir::new().unwrap();
    // Whole biscuits twice a second, over a machine that begins to rub after eight seconds.
    let pictures = dir.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    for i in 0..24 {
        let whole = set.join(format!("test/good/{:02}/cam0.jpg", i % 6));
        fs::copy(whole, pictures.join(format!("{i:02}.jpg"))).unwrap();
    }
    let sound = machine_that_fails(&dir, 4, 3);
    let file = dir.path().join("both.toml");
    let text = |microphone: &str| {
        let camera = format!("[camera]\nsource = \"recording\"\npath = \"{}\"\nrate = 2\n", pictures.display());
        format!("part = \"{part}\"\n{camera}{microphone}[sound]\nbefore_ms = 2000\n[words]\nof = \"all\"\n")
    };
    let recording = format!("[microphone]\nsource = \"recording\"\npath = \"{}\"\n", sound.display());
    fs::write(&file, text(&recording)).unwrap();
    let running = Running::start(&file, &[], |_| ());
    // Before two seconds have been heard, sight alone decides.
    let first = running.report();
    assert!(
        first["degraded"] == true && first["reason"]["text"].as_str().unwrap().contains("judged by image alone"),
        "{first}"
    );
    let usual = running.report_that("by both", |report| report["degraded"] == false);
    assert!(usual["verdict"] == "pass" && usual["senses"][1]["verdict"] == "pass", "{usual}");
    let rubbing = running.report_that("of the rubbing", |report| report["verdict"] == "fail");
    assert!(
        rubbing["decided_by"] == serde_json::json!(["sound"]) && rubbing["senses"][0]["verdict"] != "fail",
        "{rubbing}"
    );
    // Each is told in words, by the senses that were there.
    let senses = |report: &Value| {
        let written = running.words_of(&report["moment"]);
        let senses = written["senses"].as_array().unwrap().iter();
        let senses: Vec<String> = senses.map(|sense| sense["sense"].as_str().unwrap().into()).collect();
        (senses, written["text"].as_str().unwrap().to_string())
    };
    let (of, words) = senses(&rubbing);
    assert!(of == ["image", "sound"] && words.contains(" dB"), "{of:?}: {words}");
    let (of, words) = senses(&first);
    assert!(of == ["image"] && words.contains("Nothing could be heard"), "{of:?}: {words}");
    drop(running);
    fs::write(&file, text("")).unwrap();
    let running = Running::start(&file, &["--moments", "2"], |_| ());
    let report = running.report();
    assert!(report["verdict"] == "pass" && report["degraded"] == true, "{report}");
    assert_eq!(report["reason"]["text"], "judged by image alone: no sound");
}

#[test]
fn a_picture_has_the_sound_around_it() {
    let samples: Vec<f64> =
        (0..96_000).map(|i| (f64::from(i) / 48_000.0 * 440.0 * std::f64::consts::TAU).sin() / 2.0).collect();
    let microphone = crate::microphone::Card::new(&crate::microphone::wav("i16", 48_000, 1, &samples), "");
    let camera = Camera::new("GREY", [64, 48], &[vec![90u8; 64 * 48]]).with("LABCAM_FPS", "20");
    let dir = TempDir::new().unwrap();
    let senses = format!(
        "[camera]\nsource = \"v4l2\"\ndevice = \"{}\"\nrate = 20\n[microphone]\nsource = \"alsa\"\ndevice = \"labmic\"\nrate = 48000\n",
        Camera::DEVICE
    );
    let file = station(&dir, &format!("{senses}[sound]\nbefore_ms = 200\nafter_ms = 50\n"));
    let mut running = Running::start(&file, &[], |command| {
        camera.give_to(command);
        command.env("ALSA_CONFIG_PATH", microphone.path("asoundrc"));
    });
    for _ in 0..5 {
        let report = running.report_that("with sound", |report| report["degraded"] == false);
        let sound = &report["sound"];
        assert!((sound["ms"].as_f64().unwrap() - 250.0).abs() < 0.1, "{report}");
        assert!(sound["skew_ms"].as_f64().unwrap().abs() < 20.0, "{report}");
    }
    microphone.say("disconnect");
    let report = running.report_that("without sound", |report| report["degraded"] == true);
    assert!(report["frame"].is_u64() && report["sound"]["missing"].is_string(), "{report}");
    running.wait_until_told("microphone lost");
    microphone.say("ok");
    running.report_that("with sound again", |report| report["degraded"] == false);
    assert!(running.stop().1 < Duration::from_secs(10));
}
