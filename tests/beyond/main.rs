//! Cameras beyond Video4Linux, each against a server that is really started, over the network of this machine.
//! `.ci/beyond` brings what they need and runs them.

// Clippy leaves unwrapping alone in test functions only, not in what they share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

/// GigE Vision cameras, against the fake camera of Aravis.
mod gige;
/// GStreamer pipelines, against drawn pictures and an RTSP server.
mod pipeline;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use eyear::sample::Frame;
use eyear::source::{Fault, FaultKind, Next, Source};
use eyear::station::{Camera, Station};
use eyear::time::Stamp;
use eyear::{Error, ErrorKind, Result};

/// Nothing here waits longer: these machines are slow at times.
const LONG: Duration = Duration::from_secs(60);

/// The `[camera]` of a station.
fn camera(text: &str) -> Camera {
    Station::parse(&format!("part = \"none\"\n[camera]\n{text}\n"), "line.toml").unwrap().camera.unwrap()
}

fn open(text: &str) -> Result<Box<dyn Source>> {
    eyear::source::open_camera(&camera(text))
}

fn refused(text: &str) -> Error {
    open(text).err().unwrap_or_else(|| panic!("this is not refused: {text}"))
}

/// Opens what may not be there yet, as a station does.
fn open_in_the_end(text: &str) -> Box<dyn Source> {
    let start = Instant::now();
    loop {
        match open(text) {
            Ok(source) => return source,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
                assert!(start.elapsed() < LONG, "{}", error.chain());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// What a source delivered.
#[derive(Default)]
struct Seen {
    frames: Vec<Frame>,
    /// Milliseconds from each frame's stamp to its arrival.
    ages: Vec<f64>,
    faults: Vec<Fault>,
    /// Frames that were told to be lost or damaged before the first one here, and before the last one.
    missing: [u64; 2],
    /// Whether it came to its end.
    ended: bool,
    error: Option<Error>,
}

impl Seen {
    /// What comes until there are so many frames, the end, or an error.
    fn of(source: &mut dyn Source, frames: usize) -> Self {
        Self::until(source, |seen| seen.frames.len() >= frames)
    }

    fn until(source: &mut dyn Source, enough: impl Fn(&Self) -> bool) -> Self {
        let (mut seen, start) = (Self::default(), Instant::now());
        while !enough(&seen) && !seen.ended && seen.error.is_none() {
            assert!(start.elapsed() < LONG, "{} frames in a minute, {:?}", seen.frames.len(), seen.faults);
            match source.next(Duration::from_millis(100)) {
                Ok(Next::Frame(frame)) => {
                    seen.ages.push(Stamp::now().ms_since(frame.stamp));
                    let missing = seen.count(FaultKind::Lost) + seen.count(FaultKind::Damaged);
                    let first = if seen.frames.is_empty() { missing } else { seen.missing[0] };
                    seen.missing = [first, missing];
                    seen.frames.push(frame);
                }
                Ok(Next::Fault(fault)) => seen.faults.push(fault),
                Ok(Next::End) => seen.ended = true,
                Ok(_) => {}
                Err(error) => seen.error = Some(error),
            }
        }
        seen
    }

    fn count(&self, kind: FaultKind) -> u64 {
        self.faults.iter().filter(|fault| fault.kind == kind).map(|fault| fault.count).sum()
    }

    /// Numbers and stamps rise, stamps are near the time of arrival, and what is missing was told.
    fn keeps_time(&self) {
        for pair in self.frames.windows(2) {
            assert!(pair[0].sequence < pair[1].sequence && pair[0].stamp <= pair[1].stamp, "{pair:?}");
        }
        assert!(self.ages.iter().all(|age| (-100.0..1000.0).contains(age)), "{:?}", self.ages);
        let (first, last) = (self.frames.first().unwrap(), self.frames.last().unwrap());
        let missing = last.sequence - first.sequence + 1 - self.frames.len() as u64;
        assert_eq!(missing, self.missing[1] - self.missing[0], "{:?}", self.faults);
        assert_eq!(self.count(FaultKind::ClockStep), 0, "{:?}", self.faults);
    }
}

/// A server of this folder, which listens on its standard input for what is to go wrong.
struct Server {
    child: Child,
    input: ChildStdin,
    /// What it said first.
    said: String,
}

impl Server {
    /// Compiles `tests/beyond/{name}.c` with the library that pkg-config calls `library`, and starts it.
    fn start(name: &str, library: &str, arguments: &[&str]) -> Self {
        let program = compiled(name, library);
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, mut said) = (child.stdin.take().unwrap(), String::new());
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        Self { child, input, said: said.trim().into() }
    }

    fn say(&mut self, words: &str) {
        writeln!(self.input, "{words}").unwrap();
    }
}

impl Drop for Server {
    /// As a camera goes whose plug is pulled: without a word.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The compiled program; compiled once.
fn compiled(name: &str, library: &str) -> PathBuf {
    static DONE: std::sync::Mutex<BTreeMap<String, PathBuf>> = std::sync::Mutex::new(BTreeMap::new());
    let mut done = DONE.lock().unwrap();
    if let Some(program) = done.get(name) {
        return program.clone();
    }
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", library]).output();
    let flags = flags.expect("pkg-config starts");
    assert!(flags.status.success(), "{}; `.ci/beyond` installs it", String::from_utf8_lossy(&flags.stderr));
    let flags = String::from_utf8(flags.stdout).unwrap();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
    cc.arg(format!("tests/beyond/{name}.c")).args(flags.split_whitespace());
    let output = cc.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("the C compiler starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    done.insert(name.into(), program.clone());
    program
}

/// `eyear run` with a part taught from three papers and this camera.
struct Running {
    child: Child,
    dir: tempfile::TempDir,
}

impl Running {
    fn start(text: &str) -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let part = dir.path().join("part");
        let good = ["PA_BDP01_TL_S_ND_01_1.png", "PA_BDP01_TL_S_ND_01_6.png", "PA_BDP01_TL_S_ND_01_8.png"]
            .map(|name| format!("tests/data/paper/train/good/{name}"));
        let mut teach = eyear(&["teach", part.to_str().unwrap(), "--kind", "texture", "--good"]);
        let taught = teach.args(good).output().unwrap();
        assert!(taught.status.success(), "{}", String::from_utf8_lossy(&taught.stderr));
        let station = dir.path().join("line.toml");
        std::fs::write(&station, format!("part = \"part\"\n[camera]\n{text}\n")).unwrap();
        let file = |name: &str| std::fs::File::create(dir.path().join(name)).unwrap();
        let mut command = eyear(&["run", station.to_str().unwrap()]);
        let child = command.stdin(Stdio::piped()).stdout(file("reports")).stderr(file("told")).spawn().unwrap();
        Self { child, dir }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    fn reports(&self) -> usize {
        self.read("reports").matches("\"verdict\":").count()
    }

    fn wait_until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is(self) {
            assert!(start.elapsed() < LONG, "never {what}: {}", self.read("told"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Judges what `server` shows, tells once that it is gone, and judges again when it is back.
    fn comes_back(&self, server: Server, again: impl FnOnce() -> Server) {
        self.wait_until("judged", |run| run.reports() >= 5);
        drop(server);
        self.wait_until("lost", |run| run.read("told").contains("camera lost"));
        let before = self.reports();
        let _server = again();
        self.wait_until("judged again", |run| run.reports() >= before + 5);
        assert_eq!(self.read("told").matches("camera lost").count(), 1, "{}", self.read("told"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn eyear(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyear"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
