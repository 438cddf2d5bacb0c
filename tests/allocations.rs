//! An inspection takes no memory that it does not give back, and takes little; an audio callback takes none.
//!
//! A binary of its own, because the allocator that counts is the whole process's. It sees what Rust allocates, on all
//! threads; ONNX Runtime's own C++ memory is not seen.

// Clippy leaves unwrapping alone in test functions only, not in what they share.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use eyear::backend::{BACKENDS, Options};
use eyear::inspect::Inspector;
use eyear::memory::part::Kind;
use eyear::package::manifest::{Manifest, Precision, Sense};
use eyear::prepare::image::Preparer;
use eyear::prepare::mel::{Mel, MelSpec};
use eyear::prepare::pixels::Developer;
use eyear::prepare::quality;
use eyear::prepare::resample::Resampler;
use eyear::prepare::rhythm::{self, Rhythm};
use eyear::sample::{Colour, Frame, Moment, PixelFormat};
use eyear::source::recording;
use eyear::source::ring::{self, Samples};
use eyear::teach::{self, GoodSamples, TeachConfig, Teacher};
use eyear::time::Stamp;

/// More bytes than this are large.
const LARGE: usize = 64 << 10;

/// The system's allocator with counters.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicI64 = AtomicI64::new(0);
static LARGE_CALLS: AtomicUsize = AtomicUsize::new(0);
static LARGE_SIZES: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

fn note(size: usize) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    HELD.fetch_add(size as i64, Ordering::Relaxed);
    if size > LARGE {
        let at = LARGE_CALLS.fetch_add(1, Ordering::Relaxed);
        LARGE_SIZES[at % LARGE_SIZES.len()].store(size, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        HELD.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one inspection took.
#[derive(Debug)]
struct Taken {
    calls: usize,
    large: Vec<usize>,
    /// Bytes still held when the report is gone.
    left: i64,
}

fn taken(inspector: &mut Inspector, frame: &Moment) -> Taken {
    LARGE_CALLS.store(0, Ordering::Relaxed);
    let (calls, held) = (CALLS.load(Ordering::Relaxed), HELD.load(Ordering::Relaxed));
    let report = inspector.judge(frame).unwrap().into_report();
    let calls = CALLS.load(Ordering::Relaxed) - calls;
    let large = LARGE_CALLS.load(Ordering::Relaxed).min(LARGE_SIZES.len());
    drop(report);
    let left = HELD.load(Ordering::Relaxed) - held;
    let large = LARGE_SIZES[..large].iter().map(|size| size.load(Ordering::Relaxed)).collect();
    Taken { calls, large, left }
}

// Without the harness of tests, which allocates in a thread of its own: a second test would, and a word that a test takes
// long.
fn main() {
    an_audio_callback_takes_none();
    a_sound_takes_nothing();
    // One thread, so that the numbers are the same each time.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(a_frame_takes_nothing);
    pool.install(measure);
}

/// From a camera's bytes to the encoder's input nothing is allocated after the first frame. What decoding a JPEG takes
/// in C is not seen here.
fn a_frame_takes_nothing() {
    const SIZE: [usize; 2] = [448, 448];
    let (width, height) = (640, 480);
    let video = Colour { bt709: false, full: false };
    let grey: Vec<u8> = (0..3 * width * height).map(|i| (i * 7 % 251) as u8).collect();
    let image =
        turbojpeg::Image { pixels: &grey[..], width, pitch: 3 * width, height, format: turbojpeg::PixelFormat::RGB };
    let jpeg = turbojpeg::compress(image, 80, turbojpeg::Subsamp::Sub2x1).unwrap().to_vec();
    let formats = [
        (PixelFormat::Grey8, grey[..width * height].to_vec()),
        (PixelFormat::Bgr8, grey.clone()),
        (PixelFormat::Grey16 { bits: 12 }, grey[..2 * width * height].to_vec()),
        (PixelFormat::Yuyv(video), grey[..2 * width * height].to_vec()),
        (PixelFormat::Nv12(video), grey[..width * height * 3 / 2].to_vec()),
        (PixelFormat::Jpeg, jpeg),
    ];
    let (mut developer, mut preparer) = (Developer::default(), Preparer::new([127.5; 3], [127.5; 3]));
    let (mut row, mut into) = (Vec::new(), vec![0.0; 3 * SIZE[0] * SIZE[1]]);
    for (format, bytes) in formats {
        let frame = Frame::new(bytes, format, width, height).unwrap();
        for turn in 0..4 {
            let calls = CALLS.load(Ordering::Relaxed);
            let developed = developer.develop(&frame, SIZE).unwrap();
            quality::measure(&developed, &mut row);
            preparer.run(&developed, SIZE, &mut into).unwrap();
            let calls = CALLS.load(Ordering::Relaxed) - calls;
            assert!(turn == 0 || calls == 0, "{format:?}: {calls} allocations for a frame");
        }
    }
}

/// From a microphone's samples to the encoder's inputs nothing is allocated after the first sound.
fn a_sound_takes_nothing() {
    let heard: Vec<f32> = (0..4 * 96_000u32).map(|i| (i * 7 % 251) as f32 / 251.0 - 0.5).collect();
    let mut resampler = Resampler::new(48_000, 4, 16_000).unwrap();
    let mut mel = Mel::new(MelSpec::default()).unwrap();
    let mut rhythm = Rhythm::new(16_000, 32_000).unwrap();
    let mut samples = Vec::new();
    let (mut log_mel, mut beats) = (vec![0.0; 128 * mel.frames(32_000)], vec![0.0; rhythm::VALUES]);
    for turn in 0..4 {
        let calls = CALLS.load(Ordering::Relaxed);
        samples.clear();
        for chunk in heard.chunks(4 * 4801) {
            resampler.push(chunk, &mut samples).unwrap();
        }
        resampler.finish(&mut samples).unwrap();
        mel.run(&samples, &mut log_mel).unwrap();
        rhythm.run(&samples, &mut beats).unwrap();
        let calls = CALLS.load(Ordering::Relaxed) - calls;
        assert!(turn == 0 || calls == 0, "{calls} allocations for a sound");
    }
}

/// What the callback does with each period of a card, for 20 s of four channels that are read in between: the ring goes
/// round five times, and finds no room for a while.
fn an_audio_callback_takes_none() {
    let (mut writer, stops, mut reader) = ring::ring(4, 4 * 48_000);
    let (floats, shorts) = (vec![0.5f32; 4 * 4800], vec![7i16; 4 * 4800]);
    let (longs, bytes) = (vec![9i32; 4 * 4800], vec![130u8; 4 * 4800]);
    let mut read = 0;
    for period in 0..200u64 {
        let samples = match period % 4 {
            0 => Samples::F32(&floats),
            1 => Samples::I16(&shorts),
            2 => Samples::I32(&longs),
            _ => Samples::U8(&bytes),
        };
        let before = CALLS.load(Ordering::Relaxed);
        writer.write(samples, Stamp::now(), Stamp::now(), period);
        stops.count();
        assert_eq!(CALLS.load(Ordering::Relaxed), before, "allocations for period {period}");
        // The reader, which may allocate, sleeps through five seconds: of 51 periods the ring holds 40.
        if !(50..100).contains(&period) {
            while reader.read().is_some() {
                read += 1;
            }
        }
    }
    assert_eq!(read, 189, "periods that were read");
}

/// Allocations of one inspection at most, large ones among them, and bytes of these together, for each kind: a little
/// above what is measured, so that more is noticed and less is welcome.
///
/// Of the 19 without a pose some are the matrix product's of the projection, one of them large (96 KiB here to pack a
/// block of a map, on other processors more or fewer); the rest is the report itself. With a pose come those of resizing
/// the picture for the search (560), its Fourier transforms, the view in the taught pose (0.5 MB, twice), and ten planes
/// of its pixels as `f32` (0.7 MB each) in `memory/golden.rs`. The report's own heatmap is 12 KiB.
const MOST: [(&str, Kind, [usize; 3]); 3] = [
    ("paper", Kind::Texture, [40, 4, 250_000]),
    ("cookie", Kind::Framed, [40, 4, 250_000]),
    ("screws4", Kind::Golden, [800, 45, 12_500_000]),
];

fn measure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = Manifest::read(&root.join("models/vision-lite0")).unwrap();
    let options = Options { threads: 1, ..Options::default() };
    for (set, kind, [calls, larges, most]) in MOST {
        let files: Vec<PathBuf> =
            recording::list(&[root.join("tests/data").join(set).join("train/good")], recording::is_picture).unwrap();
        let teacher = Teacher::open(Sense::Image, &manifest, Precision::Int8, BACKENDS[0], &options).unwrap();
        let config = TeachConfig { kind: Some(kind), ..TeachConfig::new(set) };
        let samples = GoodSamples::new(&files[..6], &recording::moment);
        let (taught, _) = teach::teach(&mut [teacher], &config, samples, &|_, _| {}).unwrap();
        let part = taught.into_parts().remove(0);
        let mut inspector = Inspector::of_part(&manifest, part, BACKENDS[0], &options).unwrap();
        let frames: Vec<Moment> = files[..4].iter().map(|file| recording::read(file).unwrap().into()).collect();
        for frame in frames.iter().chain(&frames) {
            inspector.judge(frame).unwrap().into_report();
        }
        let first: Vec<Taken> = frames.iter().map(|frame| taken(&mut inspector, frame)).collect();
        for _ in 0..20 {
            for (frame, first) in frames.iter().zip(&first) {
                let taken = taken(&mut inspector, frame);
                assert_eq!(taken.left, 0, "{set}: bytes that are held when the report is gone");
                assert_eq!(
                    (taken.calls, &taken.large),
                    (first.calls, &first.large),
                    "{set}: the twentieth as the first"
                );
            }
        }
        for Taken { calls: found, large, .. } in &first {
            let bytes: usize = large.iter().sum();
            println!("{set}: {found} allocations, {} large ones of {bytes} bytes together", large.len());
            assert!(*found <= calls, "{set}: {found} allocations, at most {calls}");
            assert!(large.len() <= larges && bytes <= most, "{set}: {bytes} bytes in {large:?}");
        }
    }
}
