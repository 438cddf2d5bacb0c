//! What words cost once a picture is judged: `cargo bench --bench words`. One thread, as a station would spend. A step is the
//! bare decoder's; `report` is all that `Writer::write` does.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eyear::backend::{BACKENDS, Options};
use eyear::decode::{Decoder, Sampling};
use eyear::inspect::{Asked, Inspector, Writer};
use eyear::package::manifest::{Manifest, Precision, Sense};
use eyear::source::recording;
use eyear::teach::{GoodSamples, TeachConfig, Teacher, teach};

/// Tokens of a report, about.
const TOKENS: usize = 60;

fn words(c: &mut Criterion) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cookie");
    let options = Options { threads: 1, ..Options::default() };
    let (seen, small) = (Manifest::find("vision-lite0").unwrap(), Manifest::find("eyear-small").unwrap());
    let mut decoder = Decoder::load(&small, Precision::Int8, BACKENDS[0], &options).unwrap();
    let (latents, token) = (vec![0.1; 12 * decoder.width()], vec![0.1; decoder.width()]);
    let mut group = c.benchmark_group("words");
    group.bench_function("first token", |b| {
        b.iter(|| {
            decoder.forget();
            black_box(decoder.step(&latents).unwrap());
        });
    });
    group.throughput(Throughput::Elements(TOKENS as u64));
    group.bench_function("tokens", |b| {
        b.iter(|| {
            decoder.forget();
            for _ in 0..TOKENS {
                black_box(decoder.step(&token).unwrap());
            }
        });
    });
    group.finish();

    let good = recording::list(&[data.join("train/good")], recording::is_picture).unwrap();
    let teacher = Teacher::open(Sense::Image, &seen, Precision::Int8, BACKENDS[0], &options).unwrap();
    let samples = GoodSamples::new(&good, &recording::moment);
    let (taught, _) = teach(&mut [teacher], &TeachConfig::new("biscuit"), samples, &|_, _| ()).unwrap();
    let mut inspector = Inspector::of_part(&seen, taught.into_parts().remove(0), BACKENDS[0], &options).unwrap();
    let mut writer = Writer::open(&small, Precision::Int8, BACKENDS[0], &options).unwrap();
    let picture = recording::list(&[data.join("test/broken")], recording::is_picture).unwrap().remove(0);
    let frame = recording::read(&picture).unwrap();
    let moment = frame.into();
    let inspection = inspector.judge(&moment).unwrap();
    let mut group = c.benchmark_group("words");
    group.bench_function("evidence", |b| b.iter(|| black_box(&inspection).evidence().unwrap()));
    let evidence = inspection.evidence().unwrap();
    let report = inspection.into_report();
    for language in ["en", "zh"] {
        let asked = Asked { language, question: None, sampling: Sampling::Greedy, since: None };
        let written = writer.write(&report, &evidence, &asked, &mut |_| ()).unwrap();
        group.bench_function(format!("report, {language}, {} tokens", written.tokens), |b| {
            b.iter(|| writer.write(&report, &evidence, &asked, &mut |_| ()).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, words);
criterion_main!(benches);
