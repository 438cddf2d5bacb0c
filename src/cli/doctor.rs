//! `eyear doctor`: what this machine has of what eyear needs, and what mends the rest.

use std::io::Write as _;

use anyhow::Result;
use clap::Args;
use eyear::backend::{BACKENDS, Options};
use eyear::encode::VisionEncoder;
use eyear::manifest::Manifest;
use serde::Serialize;

use super::Outcome;

/// Tell which runtime and models are used, and what is missing
#[derive(Args)]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// All that was found.
#[derive(Serialize)]
struct Findings {
    version: &'static str,
    machine: Machine,
    runtimes: Vec<Runtime>,
    models: Vec<Model>,
    healthy: bool,
}

#[derive(Serialize)]
struct Machine {
    arch: &'static str,
    os: &'static str,
    cores: usize,
    instructions: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_mb: Option<u64>,
}

#[derive(Default, Serialize)]
struct Runtime {
    name: &'static str,
    #[serde(flatten)]
    found: Option<Library>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Library {
    library: String,
    how: &'static str,
    version: String,
    providers: Vec<String>,
}

#[derive(Default, Serialize)]
struct Model {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<String>,
    /// Least cosine similarity with the reference over all maps, per precision.
    parity: Vec<(&'static str, f32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let runtimes: Vec<Runtime> = BACKENDS.iter().map(|backend| runtime(*backend)).collect();
    let runs = runtimes.iter().any(|runtime| runtime.found.is_some());
    let models: Vec<Model> = Manifest::all()
        .into_iter()
        .map(|(dir, package)| match package {
            Ok(manifest) => model(&manifest, runs),
            Err(error) => Model { name: dir.display().to_string(), error: Some(error.chain()), ..Model::default() },
        })
        .collect();
    let healthy = runs && !models.is_empty() && models.iter().all(|model| model.error.is_none());
    let findings = Findings { version: env!("CARGO_PKG_VERSION"), machine: machine(), runtimes, models, healthy };
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&findings)?)?,
        false => tell(&mut out, &findings)?,
    }
    Ok(if healthy { Outcome::Good } else { Outcome::Incomplete })
}

fn runtime(backend: &dyn eyear::backend::Backend) -> Runtime {
    let name = backend.name();
    match backend.check() {
        Ok(info) => {
            let library = info.library.display().to_string();
            let found = Library { library, how: info.found, version: info.version, providers: info.providers };
            Runtime { name, found: Some(found), error: None }
        }
        Err(error) => Runtime { name, found: None, error: Some(error.chain()) },
    }
}

/// Digests of all files, and the golden input through each precision.
fn model(manifest: &Manifest, runs: bool) -> Model {
    let mut model = Model { name: manifest.name.clone(), licence: Some(manifest.licence.clone()), ..Model::default() };
    let mut check = || -> eyear::Result<()> {
        manifest.verify()?;
        let Some(encoder) = manifest.image_encoder.as_ref().filter(|_| runs) else { return Ok(()) };
        for variant in &encoder.variants {
            let mut encoder = VisionEncoder::load(manifest, variant.precision, BACKENDS[0], Options::default())?;
            let similarity = encoder.golden_similarity(manifest)?.into_iter().fold(1.0, f32::min);
            model.parity.push((variant.precision.as_str(), similarity));
            let least = encoder.spec().golden.tolerance.get(&variant.precision).copied().unwrap_or(0.99);
            if similarity < least {
                let what = format!(
                    "{} in {} computes something else here: similarity {similarity:.4}, least {least}; try another runtime",
                    manifest.name, variant.precision
                );
                return Err(eyear::Error::new(eyear::ErrorKind::Integrity, what));
            }
        }
        Ok(())
    };
    model.error = check().err().map(|error| error.chain());
    model
}

fn machine() -> Machine {
    #[cfg(target_arch = "x86_64")]
    let instructions = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
    ];
    #[cfg(target_arch = "aarch64")]
    let instructions = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let instructions: [(&str, bool); 0] = [];
    let memory = std::fs::read_to_string("/proc/meminfo").ok();
    let total = memory.as_deref().and_then(|text| text.strip_prefix("MemTotal:")?.split_whitespace().next());
    Machine {
        arch: std::env::consts::ARCH,
        os: std::env::consts::OS,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        instructions: instructions.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect(),
        memory_mb: total.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).map(|kilobytes| kilobytes / 1024),
    }
}

fn tell(out: &mut impl std::io::Write, findings: &Findings) -> Result<()> {
    let Machine { arch, os, cores, instructions, memory_mb } = &findings.machine;
    let memory = memory_mb.map_or(String::new(), |mb| format!(", {mb} MB of memory"));
    writeln!(out, "eyear {} on {os} {arch}, {cores} cores ({}){memory}", findings.version, instructions.join(", "))?;
    for runtime in &findings.runtimes {
        match (&runtime.found, &runtime.error) {
            (Some(library), _) => {
                writeln!(out, "ok       {} {}, telemetry off", runtime.name, library.version)?;
                writeln!(out, "         {} ({})", library.library, library.how)?;
                writeln!(out, "         providers: {}", library.providers.join(", "))?;
            }
            (None, error) => writeln!(out, "missing  {}: {}", runtime.name, error.as_deref().unwrap_or_default())?,
        }
    }
    if findings.models.is_empty() {
        writeln!(out, "missing  model packages: set EYEAR_MODELS to the folder that holds them")?;
    }
    for model in &findings.models {
        match &model.error {
            Some(error) => writeln!(out, "broken   {}: {error}", model.name)?,
            None => {
                let parity = model.parity.iter().map(|(precision, cosine)| format!("{precision} {cosine:.4}"));
                let (licence, parity) = (model.licence.as_deref().unwrap_or_default(), parity.collect::<Vec<_>>());
                let name = &model.name;
                writeln!(out, "ok       {name} ({licence}); likeness to its reference: {}", parity.join(", "))?;
            }
        }
    }
    Ok(())
}
