//! What comes from outside, damaged at random: whatever a file holds, it is read or refused in a sentence, within a
//! gigabyte of memory and some seconds.
//!
//! As a test each target reads a fixed number of inputs, the same each time. With `EYEAR_FUZZ_SECONDS=60` each is read for
//! that long, by inputs that are new each time (`.ci/fuzz`); `EYEAR_FUZZ_INPUT=FILE` reads one input again. Arguments pick
//! targets. An input that fails is kept and named.

// Clippy leaves unwrapping alone in test functions only, not in what they share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod heap;
mod mutate;
mod targets;

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use mutate::Mutator;
use targets::{TARGETS, Target};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Inputs of each target in a test.
const INPUTS: u64 = 300;
/// Bytes that reading one input may hold at once.
const MOST_BYTES: usize = 1 << 30;
/// An input that takes longer hangs.
const MOST_SECONDS: u64 = 20;

/// When the input that is being read was begun, in milliseconds since the first; nought while none is.
static BEGUN: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    // Without a path there is no `ffmpeg`: what would be left to it is refused.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("PATH", "") };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |target: &&Target| wanted.is_empty() || wanted.iter().any(|word| target.name.contains(&**word));
    let targets: Vec<&Target> = TARGETS.iter().filter(is_wanted).collect();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    fs::create_dir_all(&kept).unwrap();
    watch();
    // What is told of a panic comes with its input.
    std::panic::set_hook(Box::new(|_| {}));
    let input = std::env::var_os("EYEAR_FUZZ_INPUT").map(|file| fs::read(file).unwrap());
    let failed = targets.iter().filter(|target| {
        let mut run = Run::new(target, &kept);
        match &input {
            Some(input) => run.read(input),
            None => run.all(),
        }
        run.end()
    });
    match failed.count() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// One target, read again and again.
struct Run<'a> {
    target: &'a Target,
    /// Where files are written that are read; and the input that is being read, in case that ends the process.
    dir: tempfile::TempDir,
    kept: &'a Path,
    begun: Instant,
    inputs: u64,
    slowest: Duration,
    most_bytes: usize,
    failures: Vec<String>,
}

impl<'a> Run<'a> {
    fn new(target: &'a Target, kept: &'a Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        Self { target, dir, kept, begun, inputs: 0, slowest: Duration::ZERO, most_bytes: 0, failures: Vec::new() }
    }

    /// Reads the seeds as they are, then changed.
    fn all(&mut self) {
        let seeds = (self.target.seeds)(self.dir.path());
        assert!(!seeds.is_empty(), "{}: no seeds", self.target.name);
        for (i, seed) in seeds.iter().enumerate() {
            let read = (self.target.read)(self.dir.path(), seed);
            assert_eq!(read, Ok(()), "{}: seed {i} is read", self.target.name);
        }
        let seconds = std::env::var("EYEAR_FUZZ_SECONDS").ok().map(|seconds| seconds.parse::<u64>().unwrap());
        let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let mut mutator = Mutator::new(seconds.map_or(1, |_| now()), self.target.is_text);
        let is_over = |run: &Self| match seconds {
            Some(seconds) => run.begun.elapsed().as_secs() >= seconds,
            None => run.inputs >= INPUTS,
        };
        while !is_over(self) && self.failures.len() < 10 {
            let input = mutator.mutate(&seeds);
            self.read(&input);
        }
    }

    fn read(&mut self, input: &[u8]) {
        let current = self.kept.join(format!("{}-current", self.target.name));
        fs::write(&current, input).unwrap();
        let begun = Instant::now();
        BEGUN.store(since_the_first().max(1), Ordering::Relaxed);
        let held = heap::begin();
        // What is read leaves nothing behind but files in its own folder.
        let read = catch_unwind(AssertUnwindSafe(|| drop((self.target.read)(self.dir.path(), input))));
        let bytes = heap::most() - held;
        BEGUN.store(0, Ordering::Relaxed);
        self.inputs += 1;
        self.slowest = self.slowest.max(begun.elapsed());
        self.most_bytes = self.most_bytes.max(bytes);
        if let Err(panic) = read {
            self.fail(&current, &format!("panics: {}", text_of(&*panic)));
        } else if bytes > MOST_BYTES {
            self.fail(&current, &format!("takes {} MiB", bytes >> 20));
        }
    }

    fn fail(&mut self, current: &Path, what: &str) {
        let file: PathBuf = self.kept.join(format!("{}-{}", self.target.name, self.failures.len()));
        fs::copy(current, &file).unwrap();
        self.failures.push(format!("{} {what}: {}", self.target.name, file.display()));
    }

    /// Tells how it went, and whether something failed.
    fn end(self) -> bool {
        let Self { target, inputs, begun, slowest, most_bytes, failures, .. } = self;
        println!(
            "{:10} {inputs} inputs in {:.1} s, the slowest {} ms, at most {} MiB",
            target.name,
            begun.elapsed().as_secs_f64(),
            slowest.as_millis(),
            most_bytes >> 20
        );
        for failure in &failures {
            println!("FAILED {failure}");
        }
        !failures.is_empty()
    }
}

fn text_of(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

fn since_the_first() -> u64 {
    static FIRST: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    FIRST.elapsed().as_millis() as u64
}

/// Ends the process where an input hangs, which nothing else can; that input lies in the file `…-current`.
fn watch() {
    let look = || {
        loop {
            thread::sleep(Duration::from_millis(500));
            let begun = BEGUN.load(Ordering::Relaxed);
            if begun > 0 && since_the_first() > begun + 1000 * MOST_SECONDS {
                println!("FAILED an input hangs for {MOST_SECONDS} s");
                std::process::abort();
            }
        }
    };
    // It ends with the process.
    drop(thread::Builder::new().name("watch".into()).spawn(look).unwrap());
}
