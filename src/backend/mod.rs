//! Runtimes that execute models: what a backend is, and the list of those in this build.
//! Which tensors a model wants is left to `encode`.

use std::path::PathBuf;

use crate::board::Provider;
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::Format;
use crate::tensor::TensorSpec;

pub mod onnxruntime;
#[cfg(feature = "tflite")]
pub mod tflite;

/// What ONNX Runtime calls the CPU, as it stands in reports.
pub const CPU: &str = "CPUExecutionProvider";

/// Every backend of this build, best first.
pub const BACKENDS: &[&dyn Backend] = &[
    &onnxruntime::OnnxRuntime,
    #[cfg(feature = "tflite")]
    &tflite::Tflite::PLAIN,
];

/// The backend that a user named: `onnxruntime`, `tflite`, or `tflite:LIBRARY[,KEY=VALUE...]` with a delegate, several of
/// them divided by colons. One that was set up so lives as long as the process.
///
/// # Errors
/// [`ErrorKind::Unavailable`] with those of this build; [`ErrorKind::Config`] when what follows the colon cannot be read.
pub fn find(text: &str) -> Result<&'static dyn Backend> {
    let (name, setting) = text.split_once(':').map_or((text, None), |(name, setting)| (name, Some(setting)));
    let known = BACKENDS.iter().find(|backend| backend.name() == name).copied();
    let backend = known.ok_or_else(|| {
        let has = BACKENDS.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", ");
        Error::new(ErrorKind::Unavailable, format!("no backend `{name}` in this build; it has {has}"))
    })?;
    match setting {
        None => Ok(backend),
        #[cfg(feature = "tflite")]
        Some(delegates) if backend.name() == tflite::Tflite::PLAIN.name() => {
            let delegates = delegates.split(':').map(str::parse).collect::<Result<_>>()?;
            Ok(Box::leak(Box::new(tflite::Tflite::with_delegates(delegates))))
        }
        Some(setting) => Err(Error::new(ErrorKind::Config, format!("backend `{name}` takes no `:{setting}`"))),
    }
}

/// A runtime that can execute models.
pub trait Backend: Sync {
    /// Its name, as it stands in reports.
    fn name(&self) -> &'static str;

    /// The kind of files that it opens.
    fn format(&self) -> Format;

    /// Whether it can run here.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] with the reason and the command that mends it.
    fn check(&self) -> Result<Info>;

    /// Names of the execution providers that it was built with, as [`Options::providers`] takes them.
    ///
    /// # Errors
    /// As [`Backend::check`].
    fn offered(&self) -> Result<Vec<String>>;

    /// Whether an execution provider can be registered here. That it also runs a model, only [`Backend::open`] shows.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming a wrong option;
    /// [`ErrorKind::Unavailable`] with the reason.
    fn offers(&self, provider: &Provider) -> Result<()>;

    /// Opens a model held in memory. `name` is used in messages only.
    ///
    /// # Errors
    /// As [`Backend::check`]; [`ErrorKind::Runtime`] when the model is refused.
    fn open(&self, name: &str, model: &[u8], options: &Options) -> Result<Box<dyn Session>>;
}

/// Whether there is a shape for each tensor.
fn one_for_each(specs: &[TensorSpec], shapes: &[Vec<usize>]) -> Result<()> {
    if specs.len() == shapes.len() {
        return Ok(());
    }
    let what = format!("the model has {} tensors here, {} shapes were given", specs.len(), shapes.len());
    Err(Error::new(ErrorKind::Config, what))
}

/// How a session is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Threads within one operator. 1 runs on the caller's thread alone.
    pub threads: usize,
    /// Whether idle threads spin for work. Faster on an idle machine, ruinous on a shared one: off by default.
    pub spin: bool,
    /// Execution providers to try, best first; the CPU alone where there are none. One that cannot be used is left out and
    /// told by [`Session::notices`].
    pub providers: Vec<Provider>,
    /// Whether a provider that cannot be used, or that takes no node, is an error.
    pub require: bool,
    /// A folder where providers keep what they build once, such as engines.
    pub cache: Option<PathBuf>,
}

impl Options {
    /// The same on the CPU alone: for models that are too small to gain by anything else.
    pub fn on_cpu(&self) -> Self {
        Self { providers: Vec::new(), require: false, ..self.clone() }
    }
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: cores.min(4), spin: false, providers: Vec::new(), require: false, cache: None }
    }
}

/// What a backend found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The library that was loaded.
    pub library: PathBuf,
    /// How it was found, such as `by ORT_DYLIB_PATH`.
    pub found: &'static str,
    /// Its version.
    pub version: String,
    /// Execution providers compiled into it.
    pub providers: Vec<String>,
    /// Devices that it offers: the processor, and those of plug-ins that were registered.
    pub devices: Vec<Device>,
    /// Whether it holds a telemetry client. It is switched off in every case.
    pub has_telemetry: bool,
}

/// A device that a provider offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The provider.
    pub provider: String,
    /// `cpu`, `gpu`, `npu` or `fpga`.
    pub kind: &'static str,
    /// Who made it.
    pub vendor: String,
    /// Its maker's number for it.
    pub id: u32,
}

/// How many nodes of a model's graph an execution provider took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The provider's name.
    pub provider: String,
    /// Nodes of the graph that it runs.
    pub nodes: usize,
}

/// A model that is ready to run, with its memory.
///
/// `bind` once for the sizes wanted, then fill [`Session::input_mut`], [`Session::run`] and read
/// [`Session::output`] as often as wanted: nothing is allocated or copied between these calls.
pub trait Session: Send {
    /// The inputs that the model declares.
    fn inputs(&self) -> &[TensorSpec];

    /// The outputs that the model declares.
    fn outputs(&self) -> &[TensorSpec];

    /// From the next [`Session::bind`] on, the memory of output `output` is that of input `input`: what a run writes there,
    /// the next one reads.
    fn share(&mut self, input: usize, output: usize);

    /// Reserves memory for `f32` and `i32` tensors of these shapes, one for each input and each output. An input whose shape
    /// stays as it was keeps what it holds.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a shape does not fit what the model declares, or its elements
    /// are of another type.
    fn bind(&mut self, inputs: &[Vec<usize>], outputs: &[Vec<usize>]) -> Result<()>;

    /// The memory of input `i`, row-major, whose elements are `i32`.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when nothing was bound, or its elements are of another type.
    fn input_i32_mut(&mut self, i: usize) -> Result<&mut [i32]>;

    /// The memory of input `i`, row-major, whose elements are `f32`.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when nothing was bound, or its elements are of another type.
    fn input_mut(&mut self, i: usize) -> Result<&mut [f32]>;

    /// Computes the outputs from the inputs.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] with the runtime's own words.
    fn run(&mut self) -> Result<()>;

    /// The memory of output `i`, row-major, as of the last run.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when nothing was bound.
    fn output(&self, i: usize) -> Result<&[f32]>;

    /// Which provider took how many nodes.
    fn placement(&self) -> &[Placement];

    /// Nodes that were left to the CPU though other providers were asked for, by operator and name, such as `Resize /neck/up`.
    fn left_to_cpu(&self) -> &[String] {
        &[]
    }

    /// The same model once more, to be bound to tensors of its own. Both may run at once, each on a thread; they share the
    /// weights, so that another one takes little more than its tensors.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the runtime refuses a second one.
    fn fork(&self) -> Result<Box<dyn Session>>;

    /// What was asked for and did not come to be, a sentence each: a provider that cannot be used here, or that took no node.
    fn notices(&self) -> &[String];
}
