//! What is made of two seconds of sound for its encoder: `cargo bench --bench sound`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use eyear::prepare::listen;
use eyear::prepare::mel::{Mel, MelSpec};
use eyear::prepare::resample::Resampler;
use eyear::prepare::rhythm::{Rhythm, VALUES};

const RATE: u32 = 16_000;

fn sound(c: &mut Criterion) {
    let mut state = 1u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        0.2 * (state as f32 / (1u32 << 31) as f32 - 1.0)
    };
    let heard: Vec<f32> = (0..96_000).map(|_| draw()).collect();
    let mut resampler = Resampler::new(48_000, 1, RATE).unwrap();
    let mut samples = Vec::new();
    resampler.run(&heard, &mut samples).unwrap();
    let mut mel = Mel::new(MelSpec::default()).unwrap();
    let mut log_mel = vec![0.0; 128 * mel.frames(samples.len())];
    let mut rhythm = Rhythm::new(RATE, samples.len()).unwrap();
    let mut beats = vec![0.0; VALUES];

    let mut group = c.benchmark_group("sound of 2 s");
    group.bench_function("listen/48k", |b| b.iter(|| listen::measure(black_box(&heard), 48_000).unwrap()));
    let mut into = Vec::new();
    group.bench_function("resample/48k to 16k", |b| b.iter(|| resampler.run(black_box(&heard), &mut into).unwrap()));
    group.bench_function("log-mel/128", |b| b.iter(|| mel.run(black_box(&samples), &mut log_mel).unwrap()));
    group.bench_function("rhythm", |b| b.iter(|| rhythm.run(black_box(&samples), &mut beats).unwrap()));
    group.finish();
}

criterion_group!(benches, sound);
criterion_main!(benches);
