//! `eyear doctor`: checks board, runtime and models, and says how to repair them.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use eyear::backend::{BACKENDS, Backend, Options};
use eyear::board::{self, Board, Thermometer};
use eyear::encode::MapEncoder;
use eyear::inspect::Writer;
use eyear::installed;
use eyear::package::manifest::{Format, Golden, Manifest, Variant};
use eyear::{Error, ErrorKind};
use serde::Serialize;

use super::table::Printed;
use super::{Outcome, doctor_camera, doctor_microphone};

/// Check board, runtime and models on this machine
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  eyear doctor
  eyear doctor camera --device /dev/video0
  eyear doctor microphone --seconds 5")]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    what: Option<What>,
}

/// What else can be looked into.
#[derive(Subcommand)]
enum What {
    Camera(doctor_camera::Arguments),
    Microphone(doctor_microphone::Arguments),
}

/// All that was found.
#[derive(Serialize)]
struct Findings {
    version: &'static str,
    machine: Machine,
    board: OnBoard,
    runtimes: Vec<Runtime>,
    /// Where model packages are looked for, first match first.
    searched: Vec<Searched>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_free_mb: Option<u64>,
}

/// The board that this machine is, and how it is.
#[derive(Default, Serialize)]
struct OnBoard {
    name: String,
    title: String,
    /// Where its file was found.
    found: &'static str,
    /// Folders that hold more boards, and how they were found.
    others: Vec<Searched>,
    proven: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jetpack: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accelerators: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    celsius: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// Of the first core now, and the most it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    megahertz: Option<[u32; 2]>,
    /// `under-voltage`, `throttled`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held_back: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    power: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<String>,
    /// The board's providers, and why one cannot be used here.
    providers: Vec<(String, Option<String>)>,
}

/// A folder that is searched.
#[derive(Serialize)]
struct Searched {
    folder: String,
    how: &'static str,
}

impl Searched {
    /// Those of them that are there.
    fn there(folders: Vec<installed::Folder>) -> Vec<Self> {
        let there = folders.into_iter().filter(|(folder, _)| folder.is_dir());
        there.map(|(folder, place)| Self { folder: folder.display().to_string(), how: place.as_str() }).collect()
    }
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
    /// `none` where the library holds no client, else `off`.
    telemetry: &'static str,
}

#[derive(Default, Serialize)]
struct Model {
    name: String,
    folder: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<String>,
    /// Least cosine similarity with the reference over all maps, per variant that a runtime of this build opens.
    parity: Vec<(String, f32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    match &arguments.what {
        Some(What::Camera(arguments)) => return doctor_camera::run(arguments),
        Some(What::Microphone(arguments)) => return doctor_microphone::run(arguments),
        None => {}
    }
    let runtimes: Vec<Runtime> = BACKENDS.iter().map(|backend| runtime(*backend)).collect();
    let ready = BACKENDS.iter().zip(&runtimes).filter(|(_, runtime)| runtime.found.is_some());
    let ready: Vec<&dyn Backend> = ready.map(|(backend, _)| *backend).collect();
    let runs = !ready.is_empty();
    let models: Vec<Model> = Manifest::all()
        .into_iter()
        .map(|(dir, package)| match package {
            Ok(manifest) => model(&manifest, &ready),
            Err(error) => {
                let error = Some(format!("{}; {}", error.chain(), remedy(&dir)));
                let folder = dir.display().to_string();
                Model { name: folder.clone(), folder, error, ..Model::default() }
            }
        })
        .collect();
    let healthy = runs && !models.is_empty() && models.iter().all(|model| model.error.is_none());
    let (version, board) = (env!("CARGO_PKG_VERSION"), board()?);
    let searched = Searched::there(installed::models());
    let findings = Findings { version, machine: machine(), board, runtimes, searched, models, healthy };
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&findings)?)?,
        false => tell(&mut Printed(&mut out), &findings)?,
    }
    Ok(if healthy { Outcome::Good } else { Outcome::Incomplete })
}

fn runtime(backend: &dyn Backend) -> Runtime {
    let name = backend.name();
    match backend.check() {
        Ok(info) => {
            let library = info.library.display().to_string();
            let telemetry = if info.has_telemetry { "off" } else { "none" };
            let (version, providers) = (info.version, info.providers);
            let found = Library { library, how: info.found, version, providers, telemetry };
            Runtime { name, found: Some(found), error: None }
        }
        Err(error) => Runtime { name, found: None, error: Some(error.chain()) },
    }
}

fn board() -> Result<OnBoard> {
    let here = board::Machine::here();
    let board = Board::detect(&here)?;
    let condition = Thermometer::new("/").read();
    let providers = board.providers.iter().map(|asked| {
        let why = BACKENDS[0].offers(asked).err();
        (asked.name.clone(), why.map(|error| error.chain()))
    });
    Ok(OnBoard {
        providers: providers.collect(),
        proven: board.proven(&here).as_str(),
        name: board.name,
        title: board.title,
        found: "built in",
        others: Searched::there(installed::boards()),
        model: here.model,
        jetpack: here.jetpack,
        accelerators: here.accelerators,
        celsius: condition.celsius,
        zone: condition.zone,
        megahertz: condition.megahertz,
        held_back: condition.held_back,
        power: board.power,
        camera: board.camera,
    })
}

/// What brings a package back.
fn remedy(dir: &Path) -> String {
    format!("copy the package again, or run `git checkout -- {}` in the clone of eyear", dir.display())
}

/// Digests of all files, and the golden input through each variant that one of the `ready` runtimes opens.
fn model(manifest: &Manifest, ready: &[&dyn Backend]) -> Model {
    let (name, folder) = (manifest.name.clone(), manifest.dir().display().to_string());
    let mut model = Model { name, folder, licence: Some(manifest.licence.clone()), ..Model::default() };
    let mut check = || -> eyear::Result<()> {
        manifest.verify()?;
        let variants =
            manifest.encoders().flat_map(|(sense, of)| of.variants.iter().map(move |variant| (sense, variant)));
        let mut compare = |variant: &Variant, golden: &Golden, similarity: f32| {
            model.parity.push((variant.label(), similarity));
            let least = golden.tolerance.get(&variant.precision).copied().unwrap_or(0.99);
            if similarity >= least {
                return Ok(());
            }
            let remedy = match variant.format() {
                Format::Onnx => "set ORT_DYLIB_PATH to another ONNX Runtime",
                Format::Tflite => "use `--backend onnxruntime`",
            };
            let (name, label) = (&manifest.name, variant.label());
            let what = format!(
                "{name} in {label} computes wrong values on this machine: similarity {similarity:.4}, at least {least} is required; {remedy}"
            );
            Err(Error::new(ErrorKind::Runtime, what))
        };
        for (sense, variant) in variants {
            // What no runtime of this build opens has its digest checked, and no more.
            let Some(backend) = ready.iter().find(|backend| backend.format() == variant.format()) else { continue };
            let mut encoder = MapEncoder::load(manifest, sense, variant.precision, *backend, &Options::default())?;
            let similarity = encoder.golden_similarity(manifest)?.into_iter().fold(1.0, f32::min);
            compare(variant, &encoder.spec().golden, similarity)?;
        }
        for variant in manifest.language().iter().flat_map(|language| &language.fusion.variants) {
            let Some(backend) = ready.iter().find(|backend| backend.format() == variant.format()) else { continue };
            let mut writer = Writer::open(manifest, variant.precision, *backend, &Options::default())?;
            let similarity = writer.golden_similarity(manifest)?.into_iter().fold(1.0, f32::min);
            compare(variant, &manifest.language()?.fusion.golden, similarity)?;
        }
        Ok(())
    };
    model.error = check().err().map(|error| match error.kind() {
        ErrorKind::Integrity | ErrorKind::Io => format!("{}; {}", error.chain(), remedy(manifest.dir())),
        _ => error.chain(),
    });
    model
}

fn machine() -> Machine {
    #[cfg(target_arch = "x86_64")]
    let instructions = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
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
    let megabytes = |field: &str| -> Option<u64> {
        let rest = memory.as_deref()?.lines().find_map(|line| line.strip_prefix(field))?;
        Some(rest.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
    };
    Machine {
        arch: std::env::consts::ARCH,
        os: std::env::consts::OS,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        instructions: instructions.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect(),
        memory_mb: megabytes("MemTotal:"),
        memory_free_mb: megabytes("MemAvailable:"),
    }
}

fn tell_board(out: &mut impl std::io::Write, board: &OnBoard) -> Result<()> {
    let model = board.model.as_ref().map_or(String::new(), |model| format!("; {model}"));
    let jetpack = board.jetpack.as_ref().map_or(String::new(), |release| format!("; {release}"));
    writeln!(out, "board    {}: {} ({}){model}{jetpack}", board.name, board.title, board.proven)?;
    let heat = board.celsius.map(|degrees| format!("{degrees:.0} °C ({})", board.zone.as_deref().unwrap_or("no name")));
    let clock = board.megahertz.map(|[now, most]| format!("{now} of {most} MHz"));
    let state: Vec<String> = heat.into_iter().chain(clock).collect();
    if !state.is_empty() {
        writeln!(out, "         {}", state.join(", "))?;
    }
    if !board.held_back.is_empty() {
        writeln!(out, "         held back: {}; check power supply and cooling", board.held_back.join(", "))?;
    }
    let others: Vec<String> = board.others.iter().map(|of| format!("; more in {} ({})", of.folder, of.how)).collect();
    writeln!(out, "         board file: {}{}", board.found, others.concat())?;
    if !board.accelerators.is_empty() {
        writeln!(out, "         accelerators: {}", board.accelerators.join(", "))?;
    }
    for (what, text) in [("power", &board.power), ("camera", &board.camera)] {
        text.as_ref().map_or(Ok(()), |text| writeln!(out, "         {what}: {text}"))?;
    }
    for (name, why) in &board.providers {
        writeln!(
            out,
            "         {}",
            why.as_ref().map_or_else(|| format!("provider `{name}` is available"), Clone::clone)
        )?;
    }
    Ok(())
}

fn tell(out: &mut impl std::io::Write, findings: &Findings) -> Result<()> {
    let Machine { arch, os, cores, instructions, memory_mb, memory_free_mb } = &findings.machine;
    let free = memory_free_mb.map_or(String::new(), |mb| format!(" ({mb} MB free)"));
    let memory = memory_mb.map_or(String::new(), |mb| format!(", {mb} MB of memory{free}"));
    writeln!(out, "eyear {} on {os} {arch}, {cores} cores ({}){memory}", findings.version, instructions.join(", "))?;
    tell_board(out, &findings.board)?;
    for runtime in &findings.runtimes {
        match (&runtime.found, &runtime.error) {
            (Some(library), _) => {
                let client = if library.telemetry == "none" { "no client built in" } else { "client disabled" };
                writeln!(out, "ok       {} {}, telemetry off: {client}", runtime.name, library.version)?;
                writeln!(out, "         {} ({})", library.library, library.how)?;
                writeln!(out, "         providers: {}", library.providers.join(", "))?;
            }
            (None, error) => writeln!(out, "missing  {}: {}", runtime.name, error.as_deref().unwrap_or_default())?,
        }
    }
    if findings.models.is_empty() {
        writeln!(
            out,
            "missing  model packages: put the folder `models` beside the executable, or set EYEAR_MODELS to it"
        )?;
    }
    for Searched { folder, how } in &findings.searched {
        writeln!(out, "models   {folder} ({how})")?;
    }
    for model in &findings.models {
        match &model.error {
            Some(error) => writeln!(out, "broken   {}: {error}", model.name)?,
            None => {
                let parity = model.parity.iter().map(|(precision, cosine)| format!("{precision} {cosine:.4}"));
                let (licence, parity) = (model.licence.as_deref().unwrap_or_default(), parity.collect::<Vec<_>>());
                let name = &model.name;
                writeln!(out, "ok       {name} ({licence}); similarity to the reference: {}", parity.join(", "))?;
                writeln!(out, "         {}", model.folder)?;
            }
        }
    }
    Ok(())
}
