//! A model from elsewhere → what it can serve as here, or why not, and the package that it makes: an encoder of
//! pictures, of which feature maps are read, or an export of anomalib, of which the anomaly map is.
//!
//! An anomaly map is read as a feature map of one channel: what good parts score in it is taught like any other feature,
//! so the limit, the p-value and the heatmap are made here and not taken from a threshold in the export.

use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest as _, Sha256};

use crate::backend::Options;
use crate::backend::onnxruntime::{Given, OnnxRuntime, Output, Probe};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::{self, MapSpec, Precision};
use crate::package::onnx::{self, Facts, Onnx, Size, Value};

/// The map that an export of anomalib gives.
const ANOMALY_MAP: &str = "anomaly_map";
/// What its exports before 2.0 call the same, beside a score without a name.
const OLD_MAP: &str = "output";
/// What else such exports give: all, or some.
const BESIDE: [&str; 3] = ["pred_score", "pred_label", "pred_mask"];
/// Those of them that there are only where scores are thresholded.
const THRESHOLDED: [&str; 2] = ["pred_label", "pred_mask"];
/// Pixels a cell of the map that is made of an anomaly map: finer ones tell grain from grain.
const STRIDE: usize = 8;
/// Sides of a model whose sizes are fixed, at most: larger pictures are encoded in tiles.
const LARGEST: usize = 640;

/// Least cosine similarity with the recording: another processor or library rounds a little differently.
const LEAST: f32 = 0.999;

/// What a model can serve as.
#[derive(Debug, Clone)]
pub struct Use {
    /// Its input, `f32[1, 3, height, width]`.
    pub input: String,
    /// Height and width that it was tried with.
    pub size: [usize; 2],
    /// Whether it takes other sizes too.
    pub open: bool,
    /// What height and width must be multiples of.
    pub multiple_of: usize,
    /// The maps that are read, finest first.
    pub maps: Vec<MapSpec>,
    /// Whether it is an export of anomalib. Those from 2.0 on bring the colours to their own scale themselves.
    pub anomalib: bool,
    /// Whether it is one from before 2.0, of which that is not known: those of 1.x do, those of 0.x do not.
    pub before_2: bool,
    /// Whether the anomaly map was brought to a scale from 0 to 1, and what lies beyond cut off: so does anomalib before it
    /// thresholds.
    pub cut_off: bool,
    /// The output whose greatest values the map is made of, and the side of the squares that they are the greatest of.
    pool: Option<(String, usize)>,
}

/// A model as it was tried.
#[derive(Debug)]
pub struct Tried {
    /// What came of it at the sizes that were asked for.
    pub probe: Probe,
    /// Those sizes.
    pub inputs: Vec<Given>,
    /// What it can serve as: an encoder, an export of anomalib; or why not, a sentence each.
    pub uses: [Result<Use, String>; 2],
}

/// The sizes of all inputs for pictures of `height` x `width`; 1 for what else a model leaves open.
pub fn inputs(facts: &Facts, [height, width]: [usize; 2]) -> Vec<Given> {
    let given = |input: &Value| {
        let mut open = Vec::new();
        let size = |(axis, size): (usize, &Size)| match size {
            Size::Fixed(size) => *size,
            Size::Dynamic(name) => {
                let size = match (input.shape.len(), axis) {
                    (4, 1) => 3,
                    (4, 2) => height,
                    (4, 3) => width,
                    _ => 1,
                };
                open.push((name.clone(), size));
                size
            }
        };
        let shape = input.shape.iter().enumerate().map(size).collect();
        Given { name: input.name.clone(), shape, open, values: Vec::new() }
    };
    facts.inputs.iter().map(given).collect()
}

/// Runs a model, once more at other sizes where it leaves them open, and tells what it can serve as. `model` is the file
/// as a whole.
///
/// # Errors
/// As [`OnnxRuntime::probe`].
pub fn try_out(onnx: &Onnx, model: &[u8], size: [usize; 2], options: &Options) -> Result<Tried> {
    let name = onnx.path().display().to_string();
    let inputs = inputs(onnx.facts(), size);
    let probe = OnnxRuntime.probe(&name, model, options, &inputs)?;
    let uses = match picture_input(onnx.facts(), &inputs) {
        Ok((input, size, open)) => {
            let found = [maps(&probe.outputs, size), anomaly_map(&probe.outputs, size)];
            found.map(|found| {
                let (maps, pool) = found?;
                let cell = pool.as_ref().map_or(1, |(_, side)| *side);
                // Whatever the maps' strides are, both sides are whole in cells of all.
                let multiple_of = match open {
                    true => maps.iter().map(|map| map.stride).fold(1, lcm),
                    false => gcd(size[0], size[1]),
                };
                let anomalib = maps.iter().any(|map| is_anomalib(&map.name));
                let before_2 = pool.as_ref().is_some_and(|(source, _)| source == OLD_MAP);
                let labels = |output: &Output| THRESHOLDED.contains(&output.name.as_str());
                let used = Use {
                    anomalib,
                    before_2,
                    cut_off: anomalib && probe.outputs.iter().any(labels),
                    input: input.clone(),
                    size,
                    open,
                    multiple_of,
                    maps: maps.clone(),
                    pool,
                };
                match open {
                    true => used.holds_elsewhere(onnx, model, options, cell).map(|()| used),
                    false if size.iter().any(|side| *side > LARGEST) => {
                        let [height, width] = size;
                        Err(format!("it takes {height} x {width} alone, and fixed sizes go up to {LARGEST}: export it smaller, or with open sizes"))
                    }
                    false => Ok(used),
                }
            })
        }
        Err(why) => [Err(why.clone()), Err(why)],
    };
    Ok(Tried { probe, inputs, uses })
}

/// The one input that takes a picture: its name, height and width, and whether these are open.
fn picture_input(facts: &Facts, inputs: &[Given]) -> Result<(String, [usize; 2], bool), String> {
    let ([input], [given]) = (&facts.inputs[..], inputs) else {
        let names: Vec<String> = facts.inputs.iter().map(|input| format!("`{}`", input.name)).collect();
        return Err(format!("it takes {} inputs ({}), wanted is one picture", names.len(), names.join(", ")));
    };
    let wants = "wanted is f32[1, 3, height, width]";
    match (input.dtype, &given.shape[..]) {
        ("f32", &[1, 3, height, width]) if height > 0 && width > 0 => {
            let open = input.shape[2..].iter().all(|size| matches!(size, Size::Dynamic(_)));
            Ok((input.name.clone(), [height, width], open))
        }
        ("f16", [1, 3, _, _]) => {
            Err(format!("its input is {input}, {wants}: convert it with its inputs and outputs kept in f32"))
        }
        ("f32", [1, _, _, 3]) => Err(format!("its input is {input}, {wants}: export it with channels first")),
        // anomalib's own example has two pictures, and PatchCore's export keeps their number.
        ("f32", [_, 3, _, _]) => Err(format!(
            "its input is {input}, {wants}: export it for one picture; with anomalib, to_onnx(…, dynamic_axes={{}})"
        )),
        _ => Err(format!("its input is {input}, {wants}")),
    }
}

/// Maps that are read, and what they are made of where they are made.
type Found = (Vec<MapSpec>, Option<(String, usize)>);

/// The feature maps among what a model gave, finest first.
fn maps(outputs: &[Output], size: [usize; 2]) -> Result<Found, String> {
    let named = outputs.iter().filter(|output| !is_anomalib(&output.name));
    let mut maps: Vec<MapSpec> = named.filter_map(|output| map(output, size)).collect();
    maps.sort_by_key(|map| map.stride);
    usable(outputs, maps.iter().map(|map| map.name.as_str()))?;
    if maps.iter().any(|map| map.stride >= STRIDE) {
        return Ok((maps, None));
    }
    let tokens = outputs.iter().find(|output| output.shape.len() == 3 && output.shape[2] > 1);
    let mend = match tokens {
        Some(tokens) => format!("bring the tokens `{}` to [1, channels, h, w] before the export", tokens.name),
        None => "export the backbone's feature maps, not its classes".into(),
    };
    Err(format!(
        "no output is a map f32[1, channels, height / stride, width / stride] with a whole stride of {STRIDE} or more: {mend}"
    ))
}

/// The anomaly map, and how it becomes a map of [`STRIDE`].
fn anomaly_map(outputs: &[Output], size: [usize; 2]) -> Result<Found, String> {
    let named = |name: &'static str| move |output: &&Output| output.name == name;
    // Feature maps may be called so too: a map of scores has one channel, and is as fine as the picture.
    let is_old = |output: &&Output| {
        let map = map(output, size).filter(|map| map.channels == 1 && map.stride < STRIDE);
        named(OLD_MAP)(output) && map.is_some()
    };
    let found = outputs.iter().find(named(ANOMALY_MAP)).or_else(|| outputs.iter().find(is_old));
    let Some(output) = found else {
        return Err(match outputs.iter().any(|output| BESIDE.contains(&output.name.as_str())) {
            true => format!(
                "it has no output `{ANOMALY_MAP}`, and a score alone does not tell where: export a model that localises"
            ),
            false => format!("it has no output `{ANOMALY_MAP}`"),
        });
    };
    usable(outputs, [output.name.as_str()].into_iter())?;
    match map(output, size) {
        Some(map) if map.channels == 1 && map.stride >= STRIDE => Ok((vec![MapSpec { distance: true, ..map }], None)),
        Some(map)
            if map.channels == 1 && STRIDE.is_multiple_of(map.stride) && size.iter().all(|side| side % STRIDE == 0) =>
        {
            let pooled =
                MapSpec { name: format!("{ANOMALY_MAP}_{STRIDE}"), stride: STRIDE, channels: 1, distance: true };
            Ok((vec![pooled], Some((output.name.clone(), STRIDE / map.stride))))
        }
        _ => {
            let [height, width] = size;
            let (name, shape, sides) = (&output.name, &output.shape, format!("{height} x {width}"));
            Err(format!(
                "`{name}` is {shape:?} for {sides} pixels, wanted is f32[1, 1, h, w] and sides that are multiples of {STRIDE}"
            ))
        }
    }
}

/// Refuses maps that hold what is no number for a drawn picture: they would for others.
fn usable<'a>(outputs: &[Output], mut names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let is_broken = |name: &&str| {
        let of = outputs.iter().filter(|output| output.name == *name);
        of.flat_map(|output| &output.values).any(|value| !value.is_finite())
    };
    match names.find(is_broken) {
        Some(name) => Err(format!("`{name}` holds values that are no numbers for a drawn picture")),
        None => Ok(()),
    }
}

fn is_anomalib(name: &str) -> bool {
    name.starts_with(ANOMALY_MAP) || BESIDE.contains(&name)
}

/// An output as a map: `None` where it is none.
fn map(output: &Output, [height, width]: [usize; 2]) -> Option<MapSpec> {
    let &[1, channels, h, w] = &output.shape[..] else { return None };
    let whole = h > 0 && w > 0 && height % h == 0 && width % w == 0 && height / h == width / w;
    let is = whole && (1..=65_536).contains(&channels) && !output.values.is_empty();
    is.then(|| MapSpec { name: output.name.clone(), stride: height / h, channels, distance: false })
}

impl Use {
    /// Whether the maps are as large as they should be at sizes that differ by one and two steps.
    fn holds_elsewhere(&self, onnx: &Onnx, model: &[u8], options: &Options, cell: usize) -> Result<(), String> {
        let [height, width] = [self.size[0] + self.multiple_of, self.size[1] + 2 * self.multiple_of];
        let name = onnx.path().display().to_string();
        let probe = OnnxRuntime.probe(&name, model, options, &inputs(onnx.facts(), [height, width]));
        let outputs = probe.map_err(|error| format!("it fails at {height} x {width}: {}", error.chain()))?.outputs;
        for wanted in &self.maps {
            let source = self.pool.as_ref().map_or(&wanted.name, |(source, _)| source);
            let found =
                outputs.iter().find(|output| output.name == *source).and_then(|output| map(output, [height, width]));
            if found.is_none_or(|found| found.stride * cell != wanted.stride) {
                return Err(format!(
                    "`{source}` has no whole stride at {height} x {width}: export it with fixed sizes"
                ));
            }
        }
        Ok(())
    }

    /// The model as it stands in a package: the maps are its only outputs.
    ///
    /// # Errors
    /// As [`onnx::with_outputs`].
    pub fn packed(&self, model: &[u8]) -> Result<Vec<u8>> {
        let names: Vec<&str> = self.maps.iter().map(|map| map.name.as_str()).collect();
        match (&self.pool, &names[..]) {
            (Some((source, side)), [name]) => onnx::with_pooled(&onnx::with_outputs(model, &[])?, source, name, *side),
            _ => onnx::with_outputs(model, &names),
        }
    }
}

/// The precision of a model's weights, by its operators and most of their bytes.
pub fn precision(facts: &Facts) -> Precision {
    let has = |name: &str| facts.operators.contains_key(name);
    let bytes = |dtype| facts.weights.get(dtype).copied().unwrap_or_default();
    if facts.bits == Some(4) || bytes("i4") + bytes("u4") > 0 {
        Precision::Int4
    } else if facts.bits == Some(8) || ["DequantizeLinear", "QLinearConv", "ConvInteger"].into_iter().any(has) {
        Precision::Int8
    } else if bytes("f16") > bytes("f32") {
        Precision::Fp16
    } else {
        Precision::Fp32
    }
}

/// What a package says of itself.
#[derive(Debug)]
pub struct Papers {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SPDX licence of the weights.
    pub licence: String,
    /// Who trained it on what.
    pub origin: String,
    /// Model value = (byte - mean) / scale, per channel.
    pub mean: [f32; 3],
    /// See `mean`.
    pub scale: [f32; 3],
}

/// The files of a package of pictures, by their names in it: the model, what it makes of `pixels`, and `model.toml`, last.
///
/// `pixels` is `f32[1, 3, height, width]` of the size that `found` was tried with; `model` the file as a whole.
///
/// # Errors
/// As [`OnnxRuntime::probe`]; [`ErrorKind::Runtime`] when the model computes what is no number.
pub fn package(
    onnx: &Onnx,
    model: &[u8],
    found: &Use,
    papers: &Papers,
    pixels: Vec<f32>,
    options: &Options,
) -> Result<Vec<(String, Vec<u8>)>> {
    let packed = found.packed(model)?;
    let mut inputs = inputs(onnx.facts(), found.size);
    inputs.iter_mut().for_each(|input| input.values.clone_from(&pixels));
    let name = onnx.path().display().to_string();
    let probe = OnnxRuntime.probe(&name, &packed, options, &inputs)?;
    let [height, width] = found.size;
    let mut maps = Vec::new();
    for map in &found.maps {
        let output = probe.outputs.iter().find(|output| output.name == map.name);
        let values = output.map_or(&[][..], |output| &output.values);
        if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
            let what = format!("{name}: `{}` holds no usable numbers for this picture", map.name);
            return Err(Error::new(ErrorKind::Runtime, what));
        }
        if values.iter().all(|value| *value == 0.0) {
            let what = format!(
                "{name}: `{}` is nought everywhere for this picture, and tells nothing: name one that it was not trained on",
                map.name
            );
            return Err(Error::new(ErrorKind::Input, what));
        }
        maps.push((map.name.as_str(), vec![1, map.channels, height / map.stride, width / map.stride], values));
    }
    let precision = precision(onnx.facts());
    let input = safetensors(&[(&found.input, vec![1, 3, height, width], &pixels)])?;
    let file = format!("{}.{precision}.onnx", papers.name);
    let mut files = vec![
        (file.clone(), packed),
        ("golden/input.safetensors".to_string(), input),
        ("golden/output.safetensors".to_string(), safetensors(&maps)?),
    ];
    let toml = written(found, papers, precision, &files);
    files.push(("model.toml".into(), toml.into_bytes()));
    Ok(files)
}

/// A safetensors file of `f32` tensors: name, shape, values.
fn safetensors(tensors: &[(&str, Vec<usize>, &[f32])]) -> Result<Vec<u8>> {
    let failed = |error| Error::caused(ErrorKind::Runtime, "the recording cannot be written as safetensors", error);
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let mut views = Vec::new();
    for ((name, shape, _), bytes) in tensors.iter().zip(&bytes) {
        views.push((*name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?));
    }
    safetensors::serialize(views, None).map_err(failed)
}

/// The text of `model.toml`.
fn written(found: &Use, papers: &Papers, precision: Precision, files: &[(String, Vec<u8>)]) -> String {
    let text = |text: &str| toml::Value::String(text.into()).to_string();
    let Papers { name, version, licence, origin, mean, scale } = papers;
    let summary = if found.anomalib { "the anomaly map of an export of anomalib" } else { "feature maps" };
    let Use { input, size: [height, width], multiple_of, maps, .. } = found;
    let maps: String = maps
        .iter()
        .map(|map| {
            let MapSpec { name, stride, channels, distance } = map;
            let distance = if *distance { ", distance = true" } else { "" };
            format!("    {{ name = {}, stride = {stride}, channels = {channels}{distance} }},\n", text(name))
        })
        .collect();
    let digest = |bytes: &[u8]| manifest::hex(&Sha256::digest(bytes));
    let digests: String =
        files.iter().map(|(name, bytes)| format!("{} = \"{}\"\n", text(name), digest(bytes))).collect();
    format!(
        "# Written by `eyear model import`.\nformat = 1\nname = {}\nversion = {}\nsummary = {}\nlicence = {}\norigin = {}\n\n\
         [image_encoder]\ninput = {}\nmean = {mean:?}\nscale = {scale:?}\nmultiple_of = {multiple_of}\n\
         height = {height}\nwidth = {width}\noutputs = [\n{maps}]\n\n\
         [[image_encoder.variant]]\nprecision = \"{precision}\"\nfile = {}\n\n\
         [image_encoder.golden]\ninput = \"golden/input.safetensors\"\noutput = \"golden/output.safetensors\"\n\
         tolerance = {{ {precision} = {LEAST} }}\n\n[sha256]\n{digests}",
        text(name),
        text(version),
        text(summary),
        text(licence),
        text(origin),
        text(input),
        text(&files[0].0),
    )
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: usize, b: usize) -> usize {
    a / gcd(a, b).max(1) * b
}
