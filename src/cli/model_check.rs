//! `eyear model check` and `eyear model import`: an ONNX file → its inputs and outputs, whether it runs here and on which
//! providers, its possible uses; and a model package of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::backend::onnxruntime::OnnxRuntime;
use eyear::backend::{self, BACKENDS, Options};
use eyear::board::Provider;
use eyear::encode::MapEncoder;
use eyear::encode::foreign::{self, Papers, Tried, Use};
use eyear::package::manifest::{Manifest, Sense};
use eyear::package::onnx::{Onnx, Size};
use eyear::prepare::image::Preparer;
use eyear::prepare::pixels::Developer;
use eyear::sample::{Frame, PixelFormat};
use eyear::source::recording;
use serde::{Deserialize, Serialize};

use super::Outcome;
use super::table::{Printed, quoted, shown};

/// Check an ONNX file: inputs, outputs, operators, whether it runs here, and what it can be used for
#[derive(Args)]
#[command(after_help = "Examples:
  eyear model check net.onnx
  eyear model check net.onnx --input 320x320 --provider openvino")]
pub struct CheckArguments {
    /// The model
    #[arg(value_name = "FILE.onnx")]
    file: PathBuf,
    /// Execution provider to try, such as `openvino:device=CPU`; may be given several times [default: all in the library]
    #[arg(long, value_name = "NAME[:OPTION=VALUE,…]", value_parser = super::provider)]
    provider: Vec<Provider>,
    /// Height and width of its input, if the model leaves them open
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = super::input_size, default_value = "256x256")]
    input: [usize; 2],
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Tries one provider in this process, as JSON: how it calls itself
    #[arg(long, hide = true, value_parser = |text: &str| serde_json::from_str::<Provider>(text))]
    one: Option<Provider>,
}

/// How long a provider may take to build an engine and run once.
const LIMIT: Duration = Duration::from_secs(600);

/// Make a package from an ONNX file with feature maps, or from an anomalib export
#[derive(Args)]
#[command(after_help = "`eyear model check FILE.onnx` prints the command for a file.

Examples:
  eyear model import net.onnx --out ./net --licence Apache-2.0 --origin 'trained by us on our parts' \\
    --mean 123.675,116.28,103.53 --scale 58.395,57.12,57.375
  eyear model import padim.onnx --out ./padim --licence Apache-2.0 --origin 'anomalib 2.1, PaDiM'")]
pub struct ImportArguments {
    /// The model
    #[arg(value_name = "FILE.onnx")]
    file: PathBuf,
    /// Folder of the package; its name becomes the package's name
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Licence of the weights, as SPDX identifier
    #[arg(long, value_name = "SPDX")]
    licence: String,
    /// Who trained it, on what data, and where it comes from
    #[arg(long, value_name = "TEXT")]
    origin: String,
    /// A typical image: the model's output for it is recorded as the reference for `eyear doctor` and `eyear prepare`
    /// [default: a drawn image]
    #[arg(long, value_name = "IMAGE")]
    golden: Option<PathBuf>,
    /// Version of the package
    #[arg(long, value_name = "VERSION", default_value = "1")]
    version: String,
    /// Height and width of its input, if the model leaves them open
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = super::input_size, default_value = "256x256")]
    input: [usize; 2],
    /// Model value = (byte - mean) / scale, for red, green and blue; not needed for anomalib exports from 2.0 on
    #[arg(long, value_name = "R,G,B", value_parser = three, requires = "scale")]
    mean: Option<[f32; 3]>,
    /// See --mean
    #[arg(long, value_name = "R,G,B", value_parser = three, requires = "mean")]
    scale: Option<[f32; 3]>,
}

/// `R,G,B`.
fn three(text: &str) -> Result<[f32; 3], String> {
    let numbers: Vec<f32> = text.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    match numbers[..] {
        [r, g, b] if [r, g, b].iter().all(|number| number.is_finite()) && text.split(',').count() == 3 => Ok([r, g, b]),
        _ => Err("wants three numbers, such as 123.675,116.28,103.53".into()),
    }
}

/// What is known of a model, as a program reads it.
#[derive(Serialize)]
struct Line {
    file: String,
    bytes: u64,
    producer: String,
    ir: u64,
    opsets: Vec<Opset>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    operators: BTreeMap<String, usize>,
    /// Bytes by the type of the elements.
    weights: BTreeMap<&'static str, u64>,
    precision: &'static str,
    beside: Vec<Beside>,
    /// Sizes that are decided when it runs, with those that it was run with.
    open: BTreeMap<String, usize>,
    runtime: String,
    runs: Run,
    providers: Vec<Tries>,
    uses: Vec<As>,
    /// The command that makes a package of it, where it can serve as something.
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<String>,
}

#[derive(Serialize)]
struct Opset {
    domain: String,
    version: u64,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    /// As in `f32[batch, 3, 256, 256]`.
    declared: String,
    /// The sizes of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    ran: Option<Vec<usize>>,
}

#[derive(Serialize)]
struct Beside {
    file: String,
    /// None where it is missing.
    bytes: Option<u64>,
}

/// Whether it opens and runs.
#[derive(Serialize)]
struct Run {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// What came of a provider.
#[derive(Serialize, Deserialize)]
struct Tries {
    provider: String,
    /// Nodes by who took them, as the runtime tells after it merged some and dropped others.
    nodes: BTreeMap<String, usize>,
    /// Operators that the provider left to the CPU, with how many nodes.
    left: BTreeMap<String, usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Whether it can serve as something.
#[derive(Serialize)]
struct As {
    what: &'static str,
    ok: bool,
    why: String,
}

/// Tells what a model is.
pub fn check(arguments: &CheckArguments) -> Result<Outcome> {
    let onnx = Onnx::read(&arguments.file)?;
    let mut out = std::io::stdout().lock();
    if let Some(provider) = &arguments.one {
        writeln!(out, "{}", serde_json::to_string(&one(&onnx, provider, arguments.input)?)?)?;
        return Ok(Outcome::Good);
    }
    let line = look(&onnx, arguments)?;
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&line)?)?,
        false => tell(&mut Printed(&mut out), &line)?,
    }
    let serves = line.runs.ok && line.uses.iter().any(|one| one.ok);
    Ok(if serves { Outcome::Good } else { Outcome::Bad })
}

fn look(onnx: &Onnx, arguments: &CheckArguments) -> Result<Line> {
    let facts = onnx.facts();
    let info = BACKENDS[0].check()?;
    let whole = onnx.whole();
    let tried = match &whole {
        Ok(model) => foreign::try_out(onnx, model, arguments.input, &Options::default()).map_err(|error| error.chain()),
        Err(error) => Err(error.chain()),
    };
    let given = foreign::inputs(facts, arguments.input);
    let mut providers = Vec::new();
    if let (Ok(_), Ok(_)) = (&whole, &tried) {
        let asked = match arguments.provider.is_empty() {
            true => {
                BACKENDS[0].offered()?.into_iter().map(|name| Provider { name, options: toml::Table::new() }).collect()
            }
            false => arguments.provider.clone(),
        };
        for provider in asked {
            let [height, width] = arguments.input;
            let mut command = Command::new(std::env::current_exe().context("cannot tell where this program is")?);
            command.args(["model", "check"]).arg(&arguments.file).args(["--input", &format!("{height}x{width}")]);
            command.args(["--one", &serde_json::to_string(&provider)?]);
            let name = super::trials::named(&provider);
            let failed =
                |why| Tries { provider: name.clone(), nodes: BTreeMap::new(), left: BTreeMap::new(), why: Some(why) };
            providers.push(super::trials::told(&mut command, LIMIT).unwrap_or_else(failed));
        }
    }
    let ran = |name: &str| {
        let probe = &tried.as_ref().ok()?.probe;
        probe.outputs.iter().find(|output| output.name == name).map(|output| output.shape.clone())
    };
    let tensor = |value: &eyear::package::onnx::Value, ran| Tensor {
        name: value.name.clone(),
        declared: value.to_string(),
        ran,
    };
    let opset = |(domain, version): &(String, u64)| {
        let domain = if domain.is_empty() { "ai.onnx".into() } else { domain.clone() };
        Opset { domain, version: *version }
    };
    let beside = |file: &String| {
        let bytes = fs::metadata(onnx.path().with_file_name(file)).ok().map(|about| about.len());
        Beside { file: file.clone(), bytes }
    };
    let of_input = |name: &str| given.iter().find(|input| input.name == name).map(|input| input.shape.clone());
    Ok(Line {
        file: onnx.path().display().to_string(),
        bytes: fs::metadata(onnx.path()).map_or(0, |about| about.len()),
        producer: facts.producer.clone(),
        ir: facts.ir,
        opsets: facts.opsets.iter().map(opset).collect(),
        inputs: facts.inputs.iter().map(|input| tensor(input, of_input(&input.name))).collect(),
        outputs: facts.outputs.iter().map(|output| tensor(output, ran(&output.name))).collect(),
        operators: facts.operators.clone(),
        weights: facts.weights.clone(),
        precision: foreign::precision(facts).as_str(),
        beside: facts.beside.iter().map(beside).collect(),
        open: given.iter().flat_map(|input| input.open.clone()).collect(),
        runtime: format!("{} {}", BACKENDS[0].name(), info.version),
        runs: match &tried {
            Ok(Tried { probe, .. }) => {
                Run { ok: true, open_ms: Some(probe.open_ms), run_ms: Some(probe.run_ms), why: None }
            }
            Err(why) => Run { ok: false, open_ms: None, run_ms: None, why: Some(why.clone()) },
        },
        providers,
        uses: match &tried {
            Ok(Tried { uses: [encoder, anomalib], .. }) => {
                vec![serves("encoder", encoder), serves("anomalib", anomalib)]
            }
            Err(_) => Vec::new(),
        },
        import: match &tried {
            Ok(Tried { uses: [encoder, anomalib], .. }) => {
                anomalib.as_ref().or(encoder.as_ref()).ok().map(|found| suggested(onnx, found))
            }
            Err(_) => None,
        },
    })
}

/// How pictures are brought to the scale that torchvision and timm train with.
const USUAL_SCALE: &str = "--mean 123.675,116.28,103.53 --scale 58.395,57.12,57.375";
/// How values between 0 and 1 are made of bytes, for models that do the rest themselves.
const OWN_SCALE: &str = "--mean 0,0,0 --scale 255,255,255";

/// The command that makes a package of a model, as it can be run. What the file does not say is the user's to mend: the
/// licence, the origin, and, but for exports of anomalib from 2.0 on, the scale of the colours.
fn suggested(onnx: &Onnx, found: &Use) -> String {
    let path = onnx.path();
    let producer = Some(&onnx.facts().producer).filter(|producer| !producer.is_empty());
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let origin = producer.map_or_else(|| file.to_string(), |producer| format!("{file}, written by {producer}"));
    let [height, width] = found.size;
    let input = if found.open { format!(" --input {height}x{width}") } else { String::new() };
    let scale = match (found.anomalib, found.before_2) {
        (true, false) => String::new(),
        (true, true) => format!(" {OWN_SCALE}"),
        (false, _) => format!(" {USUAL_SCALE}"),
    };
    format!(
        "eyear model import {} --out {} --licence LicenseRef-unknown --origin {}{input}{scale}",
        as_argument(path),
        as_argument(&free_folder(path)),
        quoted(&shown(&origin))
    )
}

/// A path as a word of a shell that is taken for no option and for no name of a package.
fn as_argument(path: &Path) -> String {
    let text = path.display().to_string();
    let is_bare = path.components().count() == 1 && !path.is_absolute();
    quoted(&if is_bare || text.starts_with('-') { format!("./{text}") } else { text })
}

/// A folder here that is not there yet, named as the file is.
fn free_folder(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '.';
    let name: String = stem.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let name = if name.trim_matches(['-', '.']).is_empty() { "model" } else { name.trim_start_matches(['-', '.']) };
    let mut names = std::iter::once(name.to_string()).chain((2..).map(|number| format!("{name}-{number}")));
    names.find(|name| !Path::new(name).exists()).map_or_else(|| name.into(), PathBuf::from)
}

/// What a provider takes of a model.
fn one(onnx: &Onnx, provider: &Provider, input: [usize; 2]) -> Result<Tries> {
    let options = Options { providers: vec![provider.clone()], require: true, ..Options::default() };
    let (name, given) = (onnx.path().display().to_string(), foreign::inputs(onnx.facts(), input));
    let probe = OnnxRuntime.probe(&name, &onnx.whole()?, &options, &given)?;
    let provider = super::trials::named(provider);
    let mut tries = Tries { provider, nodes: BTreeMap::new(), left: BTreeMap::new(), why: None };
    for node in probe.nodes {
        if node.provider == backend::CPU && options.providers[0].name != "cpu" {
            *tries.left.entry(node.operator).or_default() += 1;
        }
        *tries.nodes.entry(node.provider).or_default() += 1;
    }
    Ok(tries)
}

fn serves(what: &'static str, found: &Result<Use, String>) -> As {
    match found {
        Ok(found) => {
            let maps: Vec<String> = found
                .maps
                .iter()
                .map(|map| format!("`{}` (channels: {}, stride: {})", map.name, map.channels, map.stride))
                .collect();
            let [height, width] = found.size;
            let sides = match found.open {
                true => format!("any size in multiples of {}", found.multiple_of),
                false => format!("{height} x {width} only"),
            };
            let cut = match found.cut_off {
                true => {
                    "; normalised, which cuts off low scores: for more reliable limits export with \
                     PostProcessor(enable_normalization=False, enable_thresholding=False)"
                }
                false => "",
            };
            let old = if found.before_2 { "; uses `output`, as named by exports before 2.0" } else { "" };
            As { what, ok: true, why: format!("{}; {sides}{old}{cut}", maps.join(", ")) }
        }
        Err(why) => As { what, ok: false, why: why.clone() },
    }
}

/// `a 3, b 1`, the most first.
fn counted(counts: &BTreeMap<String, usize>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn tell(out: &mut impl std::io::Write, line: &Line) -> Result<()> {
    let Line { file, bytes, producer, ir, opsets, operators, weights, precision, .. } = line;
    let by = if producer.is_empty() { String::new() } else { format!(", by {producer}") };
    writeln!(out, "{file}: {}{by}, format {ir}", size(*bytes))?;
    let opsets: Vec<String> = opsets.iter().map(|set| format!("{} {}", set.domain, set.version)).collect();
    writeln!(out, "  opset      {}", opsets.join(", "))?;
    for (what, tensors) in [("takes", &line.inputs), ("gives", &line.outputs)] {
        for (i, Tensor { name, declared, ran }) in tensors.iter().enumerate() {
            let what = if i == 0 { what } else { "" };
            let ran = ran.as_ref().filter(|ran| !declared.ends_with(&format!("{ran:?}")));
            let ran = ran.map_or(String::new(), |ran| format!(", here {ran:?}"));
            writeln!(out, "  {what:10} {name}  {declared}{ran}")?;
        }
    }
    if !line.open.is_empty() {
        let open: Vec<String> = line.open.iter().map(|(name, size)| format!("{name} (here {size})")).collect();
        writeln!(out, "  open       {}", open.join(", "))?;
    }
    writeln!(out, "  operators  {} nodes: {}", operators.values().sum::<usize>(), counted(operators))?;
    let by_type: Vec<String> = weights.iter().map(|(dtype, bytes)| format!("{dtype} {}", size(*bytes))).collect();
    writeln!(out, "  weights    {precision}: {}", by_type.join(", "))?;
    for Beside { file, bytes } in &line.beside {
        writeln!(out, "  beside it  {file}, {}", bytes.map_or("missing".into(), size))?;
    }
    let runtime = &line.runtime;
    match &line.runs {
        Run { open_ms: Some(open), run_ms: Some(run), .. } => {
            writeln!(out, "  runs       yes: by {runtime}, opened in {open:.0} ms, first run {run:.0} ms")?;
        }
        Run { why, .. } => writeln!(out, "  runs       no: {}", why.as_deref().unwrap_or_default())?,
    }
    for Tries { provider, nodes, left, why } in &line.providers {
        let (all, on_cpu) = (nodes.values().sum::<usize>(), left.values().sum::<usize>());
        match (why, on_cpu) {
            (Some(why), _) => writeln!(out, "  {provider:10} no: {why}")?,
            (None, 0) => writeln!(out, "  {provider:10} all {all} nodes")?,
            (None, _) => {
                let taken = all - on_cpu;
                writeln!(out, "  {provider:10} {taken} of {all} nodes; left to the CPU: {}", counted(left))?;
            }
        }
    }
    for As { what, ok, why } in &line.uses {
        writeln!(out, "  {what:10} {}: {why}", if *ok { "yes" } else { "no" })?;
    }
    if let Some(import) = &line.import {
        writeln!(out, "  The command below makes a package; fill in licence and origin:")?;
        writeln!(out, "  {import}")?;
        if import.ends_with(OWN_SCALE) {
            writeln!(out, "  Exports of anomalib 0.x do not normalise their input. For these use {USUAL_SCALE}")?;
        } else if import.ends_with(USUAL_SCALE) {
            writeln!(
                out,
                "  Mean and scale are those of torchvision and timm; replace them by those of your training."
            )?;
        }
    }
    Ok(())
}

/// Makes a package of a model.
pub fn import(arguments: &ImportArguments) -> Result<Outcome> {
    let ImportArguments { file, out: dir, licence, origin, golden, version, .. } = arguments;
    let name = dir.file_name().and_then(|name| name.to_str()).context("--out wants a folder with a name")?;
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} exists and is not empty: --out must name a new folder", dir.display());
    }
    let onnx = Onnx::read(file)?;
    let model = onnx.whole()?;
    let options = Options::default();
    let Tried { uses: [encoder, anomalib], .. } = foreign::try_out(&onnx, &model, arguments.input, &options)?;
    let found = match (encoder, anomalib) {
        (_, Ok(found)) | (Ok(found), Err(_)) => found,
        (Err(encoder), Err(anomalib)) => {
            bail!("{}: not an image encoder: {encoder}; not an anomalib export: {anomalib}", file.display())
        }
    };
    let open = onnx.facts().inputs.iter().flat_map(|input| &input.shape).any(|size| matches!(size, Size::Dynamic(_)));
    if found.size != arguments.input && !open && arguments.input != [256, 256] {
        let [height, width] = found.size;
        bail!("{} takes {height} x {width} only: remove --input", file.display());
    }
    let (mean, scale) = match (arguments.mean.zip(arguments.scale), found.anomalib, found.before_2) {
        (Some(given), ..) => given,
        // Its own first nodes normalise values between 0 and 1.
        (None, true, false) => ([0.0; 3], [255.0; 3]),
        (None, true, true) => bail!(
            "--mean and --scale are missing: exports of anomalib 1.x normalise themselves and take {OWN_SCALE}, those of \
             0.x take {USUAL_SCALE}"
        ),
        (None, false, _) => bail!(
            "--mean and --scale are missing: what was the network trained with? By torchvision and timm mostly {USUAL_SCALE}"
        ),
    };
    if scale.contains(&0.0) {
        bail!("--scale must not hold zero");
    }
    let (version, licence, origin) = (version.clone(), licence.clone(), origin.clone());
    let papers = Papers { name: name.into(), version, licence, origin, mean, scale };
    let mut pixels = vec![0.0; 3 * found.size[0] * found.size[1]];
    let frame = golden.as_deref().map_or_else(|| drawn(found.size), recording::read)?;
    let mut developer = Developer::default();
    Preparer::new(mean, scale).run(&developer.develop(&frame, found.size)?, found.size, &mut pixels)?;
    let files = foreign::package(&onnx, &model, &found, &papers, pixels, &options)?;
    fs::create_dir_all(dir.join("golden")).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    prove(dir, &found)
}

/// A picture with edges, shades and colours, for a recording where none is given.
fn drawn([height, width]: [usize; 2]) -> eyear::Result<Frame> {
    let pixel = |i: usize| {
        let (x, y) = (i % width, i / width);
        let checked = if (x / 16 + y / 16).is_multiple_of(2) { 40 } else { 0 };
        [255 * x / width.max(1), 255 * y / height.max(1), (i * 7919) % 200 + checked].map(|value| value.min(255) as u8)
    };
    let pixels: Vec<u8> = (0..height * width).flat_map(pixel).collect();
    Frame::new(pixels, PixelFormat::Rgb8, width, height)
}

/// Reads a package as any other, and tells how it compares with its recording.
fn prove(dir: &Path, found: &Use) -> Result<Outcome> {
    let manifest = Manifest::read(dir)?;
    manifest.verify()?;
    let variant = manifest.encoder(Sense::Image)?.variants[0].clone();
    let options = Options::default();
    let mut encoder = MapEncoder::load(&manifest, Sense::Image, variant.precision, BACKENDS[0], &options)?;
    let likeness = encoder.golden_similarity(&manifest)?.into_iter().fold(1.0, f32::min);
    let mut out = std::io::stdout().lock();
    let name = shown(&dir.display().to_string());
    writeln!(out, "{name}: {} {}, {}, {}", manifest.name, manifest.version, variant.label(), manifest.summary)?;
    writeln!(out, "  {}", serves("", &Ok(found.clone())).why)?;
    writeln!(out, "  similarity to its recorded reference {likeness:.4}")?;
    if found.anomalib {
        writeln!(out, "  teach with good images that it was not trained on; training images score too low")?;
    }
    writeln!(out, "  eyear teach PART --model {} --good FOLDER", as_argument(dir))?;
    Ok(Outcome::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_in_a_command_as_no_option_and_no_name_of_a_package() {
        for (path, word) in
            [("net", "./net"), ("-net.onnx", "./-net.onnx"), ("/a/net", "/a/net"), ("my models/net", "'my models/net'")]
        {
            assert_eq!(as_argument(Path::new(path)), word);
        }
        assert_eq!(free_folder(Path::new("/a/my net (2).onnx")), Path::new("my-net--2-"));
        assert_eq!(free_folder(Path::new("/a/---.onnx")), Path::new("model"));
        // `src` is there where tests run.
        assert_eq!(free_folder(Path::new("/a/src.onnx")), Path::new("src-2"));
    }

    #[test]
    fn three_numbers_are_three_numbers() {
        assert_eq!(three("1, 2.5,3"), Ok([1.0, 2.5, 3.0]));
        for wrong in ["", "1,2", "1,2,3,4", "1,2,x", "1,2,3,x", "nan,1,2"] {
            assert!(three(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn operators_are_counted_the_most_first() {
        let counts = [("Add", 2), ("Conv", 5), ("Abs", 2)].map(|(name, count)| (name.to_string(), count));
        assert_eq!(counted(&counts.into()), "Conv 5, Abs 2, Add 2");
    }
}
