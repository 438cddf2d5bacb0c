//! TensorFlow Lite through the crate `tflitec`, linked at build time (Cargo feature `tflite`): the one place that names
//! it. XNNPACK is always on; accelerators come in as external delegates, libraries that are named by their path.
//!
//! TensorFlow Lite keeps pictures and maps channels-last, the rest of eyear channels-first, as ONNX does. The turn is made
//! here, where a tensor is taken in or given out, and costs one pass over it: whatever has four sides is turned, and no
//! room above knows which runtime ran.

mod native;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use tflitec::interpreter::{self, Interpreter};
use tflitec::model::Model;
use tflitec::tensor::Shape;

use self::native::{Native, Plugin};
use super::{Backend, Info, Options, Placement, Session};
use crate::board::Provider;
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::Format;
use crate::tensor::{DType, TensorSpec};

/// The release that `tflite/native.rs` is written for: structures of others differ.
const VERSION: &str = "2.9.";
/// Where TensorFlow Lite's own kernels run what no delegate took.
const OWN_KERNELS: &str = "TensorFlow Lite kernels";

/// The TensorFlow Lite backend.
#[derive(Debug, Clone, Default)]
pub struct Tflite {
    delegates: Vec<Delegate>,
}

/// An accelerator by the library that drives it, such as libedgetpu.so.1: it must have the entries
/// `tflite_plugin_create_delegate` and `tflite_plugin_destroy_delegate` of TensorFlow Lite's external delegates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegate {
    /// The library: a path, or a name that the loader finds.
    pub library: PathBuf,
    /// What it is told, by keys that it knows.
    pub options: Vec<(String, String)>,
}

impl Delegate {
    /// How it is called in reports: its library's name.
    fn name(&self) -> String {
        let name = self.library.file_name().unwrap_or(self.library.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

impl FromStr for Delegate {
    type Err = Error;

    /// `LIBRARY[,KEY=VALUE...]`, such as `libedgetpu.so.1,device=usb`.
    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split(',');
        let library = words.next().unwrap_or_default();
        let options = words.map(|word| word.split_once('=').filter(|(key, _)| !key.is_empty()));
        let options = options.map(|pair| pair.map(|(key, value)| (key.to_string(), value.to_string())));
        match options.collect::<Option<Vec<_>>>() {
            Some(options) if !library.is_empty() => Ok(Self { library: library.into(), options }),
            _ => Err(Error::new(ErrorKind::Config, format!("a delegate is LIBRARY[,KEY=VALUE...], got `{text}`"))),
        }
    }
}

impl Tflite {
    /// With no delegate but XNNPACK.
    pub const PLAIN: Self = Self { delegates: Vec::new() };

    /// With these delegates, which are asked in this order what they take; XNNPACK is asked last.
    pub fn with_delegates(delegates: Vec<Delegate>) -> Self {
        Self { delegates }
    }
}

impl Backend for Tflite {
    fn name(&self) -> &'static str {
        "tflite"
    }

    fn format(&self) -> Format {
        Format::Tflite
    }

    fn check(&self) -> Result<Info> {
        let (library, version) = (native::library(), tflitec::tf_lite_version());
        if !version.starts_with(VERSION) {
            let path = library.display();
            let what = format!(
                "{path} is TensorFlow Lite {version}, wanted {VERSION}x: put the library that `.ci/tflite` brings beside it"
            );
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        self.delegates.iter().try_for_each(|delegate| Plugin::load(&delegate.library).map(drop))?;
        let providers = self.delegates.iter().map(Delegate::name).chain(["XNNPACK".into(), OWN_KERNELS.into()]);
        Ok(Info {
            library,
            found: "linked when eyear was built",
            version: version.to_string(),
            providers: providers.collect(),
            devices: Vec::new(),
            has_telemetry: false,
        })
    }

    fn offered(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn offers(&self, provider: &Provider) -> Result<()> {
        let what = format!("tflite has no provider `{}`; its delegates are named as tflite:LIBRARY", provider.name);
        Err(Error::new(ErrorKind::Config, what))
    }

    fn open(&self, name: &str, model: &[u8], options: &Options) -> Result<Box<dyn Session>> {
        options.providers.iter().try_for_each(|provider| self.offers(provider))?;
        self.check()?;
        if model.get(4..8) != Some(b"TFL3") {
            let what = format!("{name} is no TensorFlow Lite model: bytes 4 to 7 are not `TFL3`");
            return Err(Error::new(ErrorKind::Runtime, what));
        }
        let (delegates, threads) = (self.delegates.clone(), options.threads.max(1));
        Ok(Box::new(Graph::load(name.into(), Bytes::new(model), delegates, threads)?))
    }
}

/// A model in memory whose address is aligned as TensorFlow Lite wants it.
#[derive(Clone)]
struct Bytes {
    words: Arc<[u128]>,
    length: usize,
}

impl Bytes {
    fn new(model: &[u8]) -> Self {
        let words = model.chunks(size_of::<u128>()).map(|chunk| {
            let mut word = [0; size_of::<u128>()];
            word[..chunk.len()].copy_from_slice(chunk);
            u128::from_ne_bytes(word)
        });
        Self { words: words.collect(), length: model.len() }
    }

    /// # Safety
    /// What is made of them is dropped before the last clone of `self`.
    unsafe fn unbound(&self) -> &'static [u8] {
        // SAFETY: plain numbers that are never written to and stay where they are as long as a clone lives, which the
        // caller sees to; there are at least `length` bytes of them.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.length) }
    }
}

/// A loaded model and, once bound, its tensors.
struct Graph {
    // Dropped in this order: each lives by those below it.
    interpreter: Interpreter<'static>,
    _model: Arc<Model<'static>>,
    bytes: Bytes,
    native: Native,
    /// In messages.
    name: String,
    delegates: Vec<Delegate>,
    threads: usize,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    placement: Vec<Placement>,
    /// Inputs and the outputs that they are to hold after a run.
    shared: Vec<[usize; 2]>,
    bound: Option<Bound>,
}

/// Tensors as they are seen from outside: row-major, channels-first.
struct Bound {
    inputs: Vec<Memory>,
    outputs: Vec<Seen<f32>>,
}

/// A tensor and its shape.
struct Seen<T> {
    shape: Vec<usize>,
    values: Vec<T>,
}

impl<T: Copy + Default> Seen<T> {
    fn new(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), values: vec![T::default(); shape.iter().product()] }
    }
}

/// An input, by the type of its elements.
enum Memory {
    F32(Seen<f32>),
    I32(Seen<i32>),
}

impl Memory {
    fn new(dtype: DType, shape: &[usize]) -> Self {
        match dtype {
            DType::I32 => Self::I32(Seen::new(shape)),
            _ => Self::F32(Seen::new(shape)),
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::F32(seen) => &seen.shape,
            Self::I32(seen) => &seen.shape,
        }
    }
}

impl Graph {
    fn load(name: String, bytes: Bytes, delegates: Vec<Delegate>, threads: usize) -> Result<Self> {
        native::quietly(|| Self::load_aloud(name, bytes, delegates, threads))
    }

    fn load_aloud(name: String, bytes: Bytes, delegates: Vec<Delegate>, threads: usize) -> Result<Self> {
        // SAFETY: the model is a field above the bytes, and so dropped before them.
        let model = Model::from_bytes(unsafe { bytes.unbound() }).map_err(|_| {
            let what = format!("{name} is no whole TensorFlow Lite model: it was cut short or changed");
            Error::new(ErrorKind::Runtime, what)
        })?;
        let model = Arc::new(model);
        let mut native = Native::new(&delegates, threads)?;
        let options = interpreter::Options { thread_count: i32::try_from(threads).unwrap_or(i32::MAX) };
        // SAFETY: the interpreter is a field above the model, and so dropped before it; an `Arc` does not move what it
        // holds.
        let unbound: &'static Model<'static> = unsafe { &*Arc::as_ptr(&model) };
        let made = native.attach(|| Interpreter::new(unbound, Some(options)))?;
        let refused = |error| failed(format!("TensorFlow Lite refuses {name}"), &native, error);
        let interpreter = made.map_err(refused)?;
        interpreter.allocate_tensors().map_err(refused)?;
        let inputs = (0..interpreter.input_tensor_count()).map(|i| native.input_spec(i)).collect::<Result<_>>()?;
        let outputs = (0..interpreter.output_tensor_count()).map(|i| native.output_spec(i)).collect::<Result<_>>()?;
        let mut graph = Self {
            interpreter,
            _model: model,
            bytes,
            native,
            name,
            delegates,
            threads,
            inputs,
            outputs,
            placement: Vec::new(),
            shared: Vec::new(),
            bound: None,
        };
        graph.place();
        Ok(graph)
    }

    /// Notes which delegate took how many nodes. A delegate may take others once an input is resized.
    fn place(&mut self) {
        let (taken, left) = self.native.taken();
        let own = (left > 0).then_some((OWN_KERNELS, left));
        let placement = taken.into_iter().chain(own);
        self.placement =
            placement.map(|(provider, nodes)| Placement { provider: provider.to_string(), nodes }).collect();
    }
}

impl Session for Graph {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn share(&mut self, input: usize, output: usize) {
        self.shared.push([input, output]);
    }

    fn bind(&mut self, inputs: &[Vec<usize>], outputs: &[Vec<usize>]) -> Result<()> {
        for (specs, shapes) in [(&self.inputs, inputs), (&self.outputs, outputs)] {
            super::one_for_each(specs, shapes)?;
        }
        for (spec, shape) in self.inputs.iter().zip(inputs) {
            spec.accept(if spec.dtype == DType::I32 { DType::I32 } else { DType::F32 }, shape)?;
            if shape.iter().product::<usize>() > i32::MAX as usize {
                let what = format!("`{}` of {shape:?} is more than TensorFlow Lite counts", spec.name);
                return Err(Error::new(ErrorKind::Config, what));
            }
        }
        self.outputs.iter().zip(outputs).try_for_each(|(spec, shape)| spec.accept(DType::F32, shape))?;
        for [input, output] in &self.shared {
            if inputs[*input] != outputs[*output] || self.inputs[*input].dtype != DType::F32 {
                let what = format!("`{}` is to become an input of another shape", self.outputs[*output].name);
                return Err(Error::new(ErrorKind::Config, what));
            }
        }
        let mut before = self.bound.take().map(|bound| bound.inputs).unwrap_or_default().into_iter();
        let refused =
            |native: &Native, error| failed(format!("{} cannot take inputs of {inputs:?}", self.name), native, error);
        for (i, shape) in inputs.iter().enumerate() {
            let resized = self.interpreter.resize_input(i, Shape::new(channels_last(shape)));
            resized.map_err(|error| refused(&self.native, error))?;
        }
        self.interpreter.allocate_tensors().map_err(|error| refused(&self.native, error))?;
        let inputs = self.inputs.iter().zip(inputs).map(|(spec, shape)| {
            let kept = before.next().filter(|memory| memory.shape() == shape);
            kept.unwrap_or_else(|| Memory::new(spec.dtype, shape))
        });
        let outputs = outputs.iter().map(|shape| Seen::new(shape));
        self.bound = Some(Bound { inputs: inputs.collect(), outputs: outputs.collect() });
        self.place();
        Ok(())
    }

    fn input_i32_mut(&mut self, i: usize) -> Result<&mut [i32]> {
        match &mut self.bound.as_mut().ok_or_else(unbound)?.inputs[i] {
            Memory::I32(seen) => Ok(&mut seen.values),
            Memory::F32(_) => Err(other_type()),
        }
    }

    fn input_mut(&mut self, i: usize) -> Result<&mut [f32]> {
        match &mut self.bound.as_mut().ok_or_else(unbound)?.inputs[i] {
            Memory::F32(seen) => Ok(&mut seen.values),
            Memory::I32(_) => Err(other_type()),
        }
    }

    fn run(&mut self) -> Result<()> {
        let Self { native, interpreter, inputs: specs, outputs: out_specs, name, .. } = self;
        let bound = self.bound.as_mut().ok_or_else(unbound)?;
        for (i, (spec, memory)) in specs.iter().zip(&bound.inputs).enumerate() {
            let lost = || lost(spec);
            match memory {
                Memory::F32(Seen { shape, values }) => {
                    to_channels_last(shape, values, native.input_mut(i, values.len()).ok_or_else(lost)?);
                }
                Memory::I32(Seen { shape, values }) => {
                    to_channels_last(shape, values, native.input_mut(i, values.len()).ok_or_else(lost)?);
                }
            }
        }
        interpreter.invoke().map_err(|error| failed(format!("{name} failed"), native, error))?;
        for (i, (spec, Seen { shape, values })) in out_specs.iter().zip(&mut bound.outputs).enumerate() {
            to_channels_first(shape, native.output(i, values.len()).ok_or_else(|| lost(spec))?, values);
        }
        for &[input, output] in &self.shared {
            if let Memory::F32(seen) = &mut bound.inputs[input] {
                seen.values.copy_from_slice(&bound.outputs[output].values);
            }
        }
        Ok(())
    }

    fn output(&self, i: usize) -> Result<&[f32]> {
        Ok(&self.bound.as_ref().ok_or_else(unbound)?.outputs[i].values)
    }

    fn placement(&self) -> &[Placement] {
        &self.placement
    }

    fn notices(&self) -> &[String] {
        &[]
    }

    /// XNNPACK packs the weights for each anew; the model's bytes are shared.
    fn fork(&self) -> Result<Box<dyn Session>> {
        let Self { name, bytes, delegates, threads, .. } = self;
        let mut graph = Self::load(name.clone(), bytes.clone(), delegates.clone(), *threads)?;
        graph.shared.clone_from(&self.shared);
        Ok(Box::new(graph))
    }
}

fn unbound() -> Error {
    Error::new(ErrorKind::Runtime, "the session was used before its tensors were bound")
}

fn other_type() -> Error {
    Error::new(ErrorKind::Runtime, "the session's tensor has elements of another type")
}

/// The manifest promises a shape that the graph does not compute.
fn lost(spec: &TensorSpec) -> Error {
    Error::new(ErrorKind::Runtime, format!("`{}` of the model has another size than was bound", spec.name))
}

/// In TensorFlow Lite's own words where it found some, else in those of `tflitec`.
fn failed(what: String, native: &Native, error: tflitec::Error) -> Error {
    let said = native.said();
    Error::caused(ErrorKind::Runtime, what, if said.is_empty() { error.to_string() } else { said })
}

/// `[n, c, h, w]` as `[n, h, w, c]`; other shapes as they are.
fn channels_last(shape: &[usize]) -> Vec<usize> {
    match *shape {
        [n, c, h, w] => vec![n, h, w, c],
        _ => shape.to_vec(),
    }
}

/// `from` in `shape` → `to` in [`channels_last`] of it. Both hold as many elements.
fn to_channels_last<T: Copy>(shape: &[usize], from: &[T], to: &mut [T]) {
    match *shape {
        [_, channels, height, width] => turn([channels, height * width], from, to),
        _ => to.copy_from_slice(from),
    }
}

/// `from` in [`channels_last`] of `shape` → `to` in `shape`. Both hold as many elements.
fn to_channels_first<T: Copy>(shape: &[usize], from: &[T], to: &mut [T]) {
    match *shape {
        [_, channels, height, width] => turn([height * width, channels], from, to),
        _ => to.copy_from_slice(from),
    }
}

/// Rows become columns, in each of the matrices that lie one behind the other. In squares, so that what is read and what
/// is written both stay in the cache.
fn turn<T: Copy>([rows, columns]: [usize; 2], from: &[T], to: &mut [T]) {
    const SQUARE: usize = 32;
    let size = (rows * columns).max(1);
    for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
        for first_row in (0..rows).step_by(SQUARE) {
            let last_row = rows.min(first_row + SQUARE);
            for first in (0..columns).step_by(SQUARE) {
                for column in first..columns.min(first + SQUARE) {
                    let line = &mut to[column * rows + first_row..column * rows + last_row];
                    let column = from[first_row * columns + column..].iter().step_by(columns);
                    line.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_turned_and_turned_back_is_what_it_was() {
        for shape in [[1, 3, 5, 7], [2, 33, 4, 40], [1, 1, 1, 1], [1, 64, 2, 16]] {
            let [n, c, h, w] = shape;
            let first: Vec<f32> = (0..n * c * h * w).map(|i| i as f32).collect();
            let (mut last, mut back) = (vec![0.0; first.len()], vec![0.0; first.len()]);
            to_channels_last(&shape, &first, &mut last);
            to_channels_first(&shape, &last, &mut back);
            assert_eq!(first, back);
            let at = |n: usize, y: usize, x: usize, channel: usize| last[((n * h + y) * w + x) * c + channel];
            assert_eq!(at(n - 1, h - 1, 0, c - 1), first[(n * c * h - 1) * w]);
            assert_eq!(at(0, 0, w - 1, 0), first[w - 1]);
        }
        let mut same = [0; 4];
        to_channels_last(&[2, 2], &[1, 2, 3, 4], &mut same);
        assert_eq!(same, [1, 2, 3, 4]);
    }

    #[test]
    fn a_delegate_is_read_from_one_word() {
        let delegate: Delegate = "/lib/libedgetpu.so.1,device=usb,flag=a=b".parse().unwrap();
        assert_eq!(
            (delegate.library.to_str(), delegate.name()),
            (Some("/lib/libedgetpu.so.1"), "libedgetpu.so.1".into())
        );
        assert_eq!(delegate.options, [("device".into(), "usb".into()), ("flag".into(), "a=b".into())]);
        for wrong in ["", ",a=b", "lib.so,a", "lib.so,=b", "lib.so,"] {
            assert!(wrong.parse::<Delegate>().unwrap_err().message().contains("LIBRARY[,KEY=VALUE...]"), "{wrong}");
        }
    }
}
