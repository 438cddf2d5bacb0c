//! The stages of an inspection, each alone: `cargo bench`. Teaches a part from the pictures under `tests/data`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use eyear::backend::{BACKENDS, Options};
use eyear::inspect::{Eye, Inspector, Look};
use eyear::memory::part::Kind;
use eyear::package::manifest::{Manifest, Precision, Sense};
use eyear::prepare::fixture::Fixture;
use eyear::prepare::pixels::Planes;
use eyear::prepare::quality;
use eyear::source::recording;
use eyear::teach::{GoodSamples, TeachConfig, Teacher, teach};

fn stages(c: &mut Criterion) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let manifest = Manifest::find("vision-lite0").unwrap();
    let threads = Options { threads: 1, ..Options::default() };
    for (set, kind) in [("paper", Kind::Texture), ("screws4", Kind::Golden)] {
        let good = recording::list(&[data.join(set).join("train/good")], recording::is_picture).unwrap();
        let config = TeachConfig { kind: Some(kind), ..TeachConfig::new(set) };
        let teacher = Teacher::open(Sense::Image, &manifest, Precision::Int8, BACKENDS[0], &threads).unwrap();
        let samples = GoodSamples::new(&good, &recording::moment);
        let (taught, _) = teach(&mut [teacher], &config, samples, &|_, _| ()).unwrap();
        let part = taught.into_parts().remove(0);
        let mut eye = Eye::open(&manifest, Sense::Image, Precision::Int8, BACKENDS[0], &threads).unwrap();
        let (learned, golden) = (part.learned.clone(), part.golden().cloned());
        let fixture = part.reference().map(|reference| Fixture::new(reference).unwrap());
        let picture: PathBuf = good[0].clone();
        let bytes = std::fs::read(&picture).unwrap();
        let frame = recording::decode(&bytes, "picture").unwrap();
        let mut look = Look::new(&eye, kind, learned.levels.iter().map(|level| level.weights.ncols()));

        let mut row = Vec::new();
        let mut group = c.benchmark_group(set);
        group.bench_function("decode", |b| b.iter(|| recording::decode(black_box(&bytes), "picture").unwrap()));
        group.bench_function("quality", |b| {
            b.iter(|| quality::measure(&Planes::of(black_box(&frame)).unwrap(), &mut row))
        });
        group.bench_function("prepare", |b| b.iter(|| eye.prepare(&frame, &[]).unwrap()));
        if let Some(fixture) = &fixture {
            group.bench_function("register and warp", |b| b.iter(|| fixture.view(black_box(&frame)).unwrap()));
        }
        eye.see(&frame, fixture.as_ref(), &[], &mut look).unwrap();
        group.bench_function("encode", |b| b.iter(|| eye.encode().unwrap()));
        group.bench_function("compare", |b| b.iter(|| eye.compare(&learned, golden.as_ref(), &mut look).unwrap()));
        let mut inspector = Inspector::of_part(&manifest, part, BACKENDS[0], &threads).unwrap();
        let moment = frame.into();
        group.bench_function("inspect", |b| b.iter(|| inspector.judge(black_box(&moment)).unwrap().into_report()));
        group.finish();
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
