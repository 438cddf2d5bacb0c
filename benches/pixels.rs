//! From a camera's bytes to the encoder's input: eyear's way beside the obvious one, which decodes to RGB, resizes with
//! the `image` crate and converts.
//!
//! `cargo bench --bench pixels`; OpenCV on the same frames: `benches/peers/pixels.py`.

// Clippy leaves unwrapping alone in test functions only; a benchmark that cannot start may say so as it likes.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use eyear::prepare::image::Preparer;
use eyear::prepare::pixels::{Developer, plain};
use eyear::sample::{Colour, Frame, PixelFormat};
use image::imageops::FilterType;
use image::{RgbImage, imageops};

const SIZE: [usize; 2] = [448, 448];
const MEAN: f32 = 127.5;

/// A real picture at 1920 x 1080, in each format that cameras send.
fn frames() -> Vec<(&'static str, Frame)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/screws4/test/good");
    let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let picture = image::open(&files[0]).unwrap().into_rgb8();
    let (width, height) = (1920, 1080);
    let picture = imageops::resize(&picture, width as u32, height as u32, FilterType::CatmullRom);
    let colour = Colour { bt709: false, full: false };
    let video = |x: usize, y: usize| {
        let [r, g, b] = picture.get_pixel(x as u32, y as u32).0.map(f32::from);
        let luma = 0.299 * r + 0.587 * g + 0.114 * b;
        let difference = |value: f32, whole: f32| (128.0 + (value - luma) / whole * 112.0 / 127.5) as u8;
        [(16.0 + luma * 219.0 / 255.0) as u8, difference(b, 1.772), difference(r, 1.402)]
    };
    let mut yuyv = Vec::with_capacity(2 * width * height);
    let (mut nv12, mut pairs) = (Vec::new(), Vec::new());
    for y in 0..height {
        for x in 0..width {
            let [luma, blue, red] = video(x, y);
            yuyv.extend([luma, if x % 2 == 0 { blue } else { red }]);
            nv12.push(luma);
            if x % 2 == 0 && y % 2 == 0 {
                pairs.extend([blue, red]);
            }
        }
    }
    nv12.extend(pairs);
    let raw = picture.as_raw();
    let image =
        turbojpeg::Image { pixels: &raw[..], width, pitch: 3 * width, height, format: turbojpeg::PixelFormat::RGB };
    // What webcams send: 4:2:2, of middling quality.
    let jpeg = turbojpeg::compress(image, 85, turbojpeg::Subsamp::Sub2x1).unwrap().to_vec();
    eprintln!("the JPEG has {} kB", jpeg.len() / 1000);
    let frame = |bytes: Vec<u8>, format| Frame::new(bytes, format, width, height).unwrap();
    vec![
        ("YUYV", frame(yuyv, PixelFormat::Yuyv(colour))),
        ("NV12", frame(nv12, PixelFormat::Nv12(colour))),
        ("MJPEG", frame(jpeg, PixelFormat::Jpeg)),
        ("RGB24", frame(raw.clone(), PixelFormat::Rgb8)),
        ("GREY", frame(raw.iter().skip(1).step_by(3).copied().collect(), PixelFormat::Grey8)),
    ]
}

/// Decode or convert to RGB, resize with a triangle filter, convert to planes.
fn obvious(frame: &Frame, into: &mut [f32]) {
    let rgb = match frame.format() {
        PixelFormat::Jpeg => image::load_from_memory(frame.pixels()).unwrap().into_rgb8(),
        PixelFormat::Grey8 => {
            let pixels = frame.pixels().iter().flat_map(|&grey| [grey; 3]).collect();
            RgbImage::from_raw(frame.width() as u32, frame.height() as u32, pixels).unwrap()
        }
        _ => {
            let plain = plain(frame).unwrap();
            RgbImage::from_raw(frame.width() as u32, frame.height() as u32, plain.pixels().to_vec()).unwrap()
        }
    };
    let small = imageops::resize(&rgb, SIZE[1] as u32, SIZE[0] as u32, FilterType::Triangle);
    let plane = SIZE[0] * SIZE[1];
    for (i, pixel) in small.pixels().enumerate() {
        for (c, &value) in pixel.0.iter().enumerate() {
            into[c * plane + i] = (f32::from(value) - MEAN) / MEAN;
        }
    }
}

fn pixels(c: &mut Criterion) {
    let mut into = vec![0.0; 3 * SIZE[0] * SIZE[1]];
    let mut developer = Developer::default();
    let mut preparer = Preparer::new([MEAN; 3], [MEAN; 3]);
    for (name, frame) in frames() {
        let mut group = c.benchmark_group(format!("1080p {name}"));
        group.sample_size(20);
        group.bench_function("planes", |b| {
            b.iter(|| black_box(developer.develop(black_box(&frame), SIZE).unwrap()).width)
        });
        group.bench_function("eyear", |b| {
            b.iter(|| preparer.run(&developer.develop(black_box(&frame), SIZE).unwrap(), SIZE, &mut into).unwrap());
        });
        group.bench_function("obvious", |b| b.iter(|| obvious(black_box(&frame), &mut into)));
        group.finish();
        let [half, most] = percentiles(|| {
            preparer.run(&developer.develop(black_box(&frame), SIZE).unwrap(), SIZE, &mut into).unwrap();
        });
        eprintln!("1080p {name}/eyear, each of {RUNS} frames: median {half:.2} ms, p95 {most:.2} ms\n");
    }
}

/// Frames of which each is timed by itself: Criterion tells means only, and a camera does not wait for the slowest.
const RUNS: usize = 500;

/// Milliseconds of the median run, and of that which one in twenty is slower than.
fn percentiles(mut run: impl FnMut()) -> [f64; 2] {
    let mut took: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    [took[RUNS / 2], took[RUNS * 19 / 20]]
}

criterion_group!(benches, pixels);
criterion_main!(benches);
