//! What is made of two seconds of sound for its encoder, and the encoder itself: `cargo bench --bench sound`. Teaches a
//! part from the sounds under `tests/data`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use eyear::backend::{BACKENDS, Options};
use eyear::inspect::{Ear, Inspector};
use eyear::package::manifest::{Manifest, Precision, Sense};
use eyear::prepare::listen;
use eyear::prepare::mel::{Mel, MelSpec};
use eyear::prepare::resample::Resampler;
use eyear::prepare::rhythm::{Rhythm, VALUES};
use eyear::source::recording::{self, sound};
use eyear::teach::{GoodSamples, TeachConfig, Teacher, teach};

const RATE: u32 = 16_000;

fn prepare(c: &mut Criterion) {
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

/// On two threads, as on a board with two cores to spare.
fn encode(c: &mut Criterion) {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/machine/train/normal");
    let good = recording::list(&[good], recording::is_sound).unwrap();
    let manifest = Manifest::find("sound-lite0").unwrap();
    let options = Options { threads: 2, ..Options::default() };
    let heard = sound::read(&good[0]).unwrap();
    let moment = heard.clone().into();
    let mut group = c.benchmark_group("sound of 2 s");
    for precision in [Precision::Int8, Precision::Fp32] {
        let mut ear = Ear::open(&manifest, precision, BACKENDS[0], &options).unwrap();
        let frames = ear.parts().1.picture(&heard).unwrap().width();
        ear.fit(frames).unwrap();
        let name = format!("log-mel + encoder/{}", precision.as_str());
        group.bench_function(name, |b| {
            b.iter(|| {
                let (eye, spectrograph) = ear.parts();
                let picture = spectrograph.picture(black_box(&heard)).unwrap();
                eye.prepare(&picture, &[]).unwrap();
                eye.encode().unwrap();
            })
        });
    }
    let teacher = Teacher::open(Sense::Sound, &manifest, Precision::Int8, BACKENDS[0], &options).unwrap();
    let samples = GoodSamples::new(&good, &recording::moment);
    let (taught, _) = teach(&mut [teacher], &TeachConfig::new("machine"), samples, &|_, _| ()).unwrap();
    let part = taught.into_parts().remove(0);
    let mut inspector = Inspector::of_part(&manifest, part, BACKENDS[0], &options).unwrap();
    group.bench_function("hear/int8", |b| b.iter(|| inspector.judge(black_box(&moment)).unwrap().into_report()));
    group.finish();
}

criterion_group!(benches, prepare, encode);
criterion_main!(benches);
