//! ONNX Runtime through the crate `ort`, loaded at run time: the one place that names `ort`.

mod library;
mod probe;
mod provider;

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use ort::AsPointer as _;
use ort::environment::Environment;
use ort::session::IoBinding;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};

use self::library::Found;
pub use self::library::NO_TELEMETRY;
pub use self::probe::{Given, Output, Probe};
use self::provider::Wanted;
use super::{Backend, Info, Options, Placement, Session};
use crate::board;
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::Format;
use crate::package::onnx;
use crate::tensor::{DType, TensorSpec};

/// The ONNX Runtime backend.
#[derive(Debug)]
pub struct OnnxRuntime;

/// What is loaded once a process.
struct Runtime {
    /// ONNX Runtime allows no second one.
    environment: Environment,
    library: PathBuf,
    found: Found,
}

/// Nodes that are named one by one, at most.
const NAMED: usize = 32;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Loads the library once, with its telemetry off.
///
/// The Linux builds that `.ci/setup` fetches (1.28) have no telemetry client. Those from 1.29 on have one, which
/// `ORT_DYLIB_PATH` may name: it makes a device id and a database in the home folder and may send them, even with
/// `with_telemetry(false)`, unless `ORT_DISABLE_TELEMETRY` is `1` when the environment is made. A library must not change
/// the environment of a program whose other threads may read it, so without that variable such a build is refused; the
/// program `eyear` sets it before it does anything else. `tests/telemetry.rs` holds a newer library to it when it is given
/// one.
fn runtime() -> Result<&'static Runtime> {
    static LOADING: Mutex<()> = Mutex::new(());
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let _one_at_a_time = LOADING.lock();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let (library, found) = library::find()?;
    let refused = |why: String| {
        let (path, remedy) = (library.display(), found.remedy());
        Error::new(ErrorKind::Unavailable, format!("{path} cannot be used as ONNX Runtime: {why}; {remedy}"))
    };
    if !library::is_whole(&library)? {
        return Err(refused("the file was cut short".into()));
    }
    if std::env::var_os(NO_TELEMETRY).is_none_or(|value| value != "1") && library::has_telemetry(&library)? {
        let what =
            format!("{} holds a telemetry client: set {NO_TELEMETRY}=1 before this program starts", library.display());
        return Err(Error::new(ErrorKind::Unavailable, what));
    }
    let environment = ort::init_from(&library).map_err(|error| refused(unusable(&error)))?;
    let environment = environment.with_name("eyear").with_telemetry(false).build();
    let environment = environment.map_err(|error| refused(error.to_string()))?;
    environment.set_log_level(ort::logging::LogLevel::Error);
    Ok(RUNTIME.get_or_init(|| Runtime { environment, library, found }))
}

/// Why a file is no library for us.
fn unusable(error: &ort::LoadDynamicError) -> String {
    match error {
        ort::LoadDynamicError::Dlopen { error, .. } => format!("the loader refuses it ({error})"),
        ort::LoadDynamicError::MissingApi { .. } => "it has no `OrtGetApiBase`".into(),
        ort::LoadDynamicError::InvalidVersionString => "it does not tell its version".into(),
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            format!("it is version {version_str}, wanted 1.{} or later", ort::MINOR_VERSION)
        }
    }
}

impl Backend for OnnxRuntime {
    fn name(&self) -> &'static str {
        "onnxruntime"
    }

    fn format(&self) -> Format {
        Format::Onnx
    }

    fn check(&self) -> Result<Info> {
        let Runtime { environment, library, found } = runtime()?;
        Ok(Info {
            library: library.clone(),
            found: found.as_str(),
            version: version(library)?,
            providers: providers()?,
            devices: environment.devices().map(|device| provider::told(&device)).collect(),
            has_telemetry: library::has_telemetry(library)?,
        })
    }

    fn offered(&self) -> Result<Vec<String>> {
        runtime()?;
        let has = providers()?;
        let ours = provider::PROVIDERS.iter().filter(|ours| has.iter().any(|id| id == ours.id()));
        Ok(ours.map(|ours| ours.name().to_string()).collect())
    }

    fn offers(&self, provider: &board::Provider) -> Result<()> {
        let plan =
            Plan { name: String::new(), model: Cow::Borrowed(&[]), options: Options::default(), symbols: Vec::new() };
        plan.builder(&[provider], &[]).map(drop)
    }

    fn open(&self, name: &str, model: &[u8], options: &Options) -> Result<Box<dyn Session>> {
        for asked in &options.providers {
            provider::find(&asked.name)?;
        }
        check(name, model)?;
        // The CPU alone tells what the model takes and gives. Others are given the sizes too, when they are bound.
        let (name, model) = (name.to_string(), Cow::Borrowed(model));
        let plan = Plan { name, model, options: options.on_cpu(), symbols: Vec::new() };
        let Made { session, placement, left, notices } = plan.make(&[])?;
        let symbols = |outlet: &Outlet| match outlet.dtype() {
            ValueType::Tensor { dimension_symbols, .. } => dimension_symbols.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let symbols = session.inputs().iter().map(symbols).collect();
        let inputs = session.inputs().iter().map(spec).collect::<Result<Vec<_>>>()?;
        let outputs = session.outputs().iter().map(spec).collect::<Result<Vec<_>>>()?;
        let plan = (!options.providers.is_empty()).then(|| {
            let model = Cow::Owned(plan.model.into_owned());
            Arc::new(Plan { name: plan.name, model, options: options.clone(), symbols })
        });
        let (bound, shared, sizes) = (None, Vec::new(), None);
        let session = Arc::new(session);
        Ok(Box::new(OnnxSession { bound, session, inputs, outputs, placement, left, notices, shared, plan, sizes }))
    }
}

/// Whether a model in memory holds all its weights itself. The runtime would look for the others in the current folder, or
/// wherever the file says.
fn check(name: &str, model: &[u8]) -> Result<()> {
    let refused = |what: String| Error::new(ErrorKind::Runtime, format!("{name}: {what}"));
    match onnx::beside(model).map_err(|error| refused(format!("no ONNX model: {}", error.chain())))?.first() {
        None => Ok(()),
        Some(file) => {
            Err(refused(format!("its weights lie in another file, `{file}`: bring it in by `eyear model import`")))
        }
    }
}

/// How a session is made: again for other sizes of its inputs, for most providers beside the CPU take nodes of fixed sizes only.
struct Plan<'a> {
    name: String,
    model: Cow<'a, [u8]>,
    options: Options,
    /// The name of each dimension of each input that is decided when the model is run; empty where it is fixed.
    symbols: Vec<Vec<String>>,
}

/// A session, where its nodes went, which of them were left to the CPU, and what did not come to be.
struct Made {
    session: ort::session::Session,
    placement: Vec<Placement>,
    left: Vec<String>,
    notices: Vec<String>,
}

impl Plan<'_> {
    /// Makes the session with these sizes of symbolic dimensions.
    fn make(&self, sizes: &[(String, i64)]) -> Result<Made> {
        let Self { name, options, .. } = self;
        let refused = |error: ort::Error| failed(format!("ONNX Runtime refuses {name}"), error);
        let mut notices = Vec::new();
        let mut lacking = |error: Error| match options.require || error.kind() == ErrorKind::Config {
            true => Err(error),
            false => {
                notices.push(error.chain());
                Ok(())
            }
        };
        let mut used: Vec<&board::Provider> = Vec::new();
        for asked in &options.providers {
            match self.builder(&[asked], sizes) {
                Ok(_) => used.push(asked),
                Err(error) => lacking(error)?,
            }
        }
        // A provider may register and still fail on the model: it is left out, the last that was asked for first.
        let session = loop {
            let mut builder = self.builder(&used, sizes)?;
            match (builder.commit_from_memory(&self.model), used.pop()) {
                (Ok(session), last) => {
                    used.extend(last);
                    break session;
                }
                (Err(error), None) => return Err(refused(error)),
                (Err(error), Some(last)) => {
                    let what = format!("provider `{}` fails on {name}", last.name);
                    lacking(failed(what, error))?;
                }
            }
        };
        let nodes = assignment(&session).map_err(refused)?;
        let placement = placement(&nodes);
        let elsewhere = placement.iter().any(|placement| placement.provider != super::CPU);
        let left = if elsewhere { left_to_cpu(&nodes) } else { Vec::new() };
        for asked in used.iter().filter(|asked| asked.name != "cpu") {
            let took = match provider::find(&asked.name)?.id() {
                // A plug-in's name is its own.
                "" => elsewhere,
                id => placement.iter().any(|placement| placement.provider == id),
            };
            if !took {
                let what = format!("provider `{}` took no node of {name}: all run elsewhere", asked.name);
                lacking(Error::new(ErrorKind::Unavailable, what))?;
            }
        }
        Ok(Made { session, placement, left, notices })
    }

    /// What the session is built by, with these providers before the CPU.
    fn builder(&self, providers: &[&board::Provider], sizes: &[(String, i64)]) -> Result<SessionBuilder> {
        let Runtime { environment, library, .. } = runtime()?;
        let plain = |error: ort::Error| failed("ONNX Runtime makes no session".into(), error);
        let mut builder = session_builder(environment, &self.options).map_err(plain)?;
        for (dimension, size) in sizes {
            builder = builder.with_dimension_override(dimension, *size).map_err(|error| plain(error.into()))?;
        }
        if providers.iter().all(|asked| asked.name == "cpu") {
            // A session that is given no device chooses by itself among all, also those of a plug-in that was registered for
            // another session.
            let (cpu, others): (Vec<_>, Vec<_>) =
                environment.devices().partition(|device| provider::told(device).provider == super::CPU);
            if !others.is_empty() {
                builder = builder.with_devices(cpu, None).map_err(|error| plain(error.into()))?;
            }
        }
        for asked in providers {
            let cache = match &self.options.cache {
                Some(root) => Some(provider::cache_of(root, &self.model, &version(library)?, sizes, asked)),
                None => None,
            };
            let wanted = Wanted { asked, threads: self.options.threads, cache, environment };
            builder = provider::find(&asked.name)?.append(&wanted, builder)?;
        }
        Ok(builder)
    }
}

fn session_builder(environment: &Environment, options: &Options) -> ort::Result<SessionBuilder> {
    let plain = ort::Error::<()>::from;
    ort::session::Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(plain)?
        .with_intra_threads(options.threads.max(1))
        .map_err(plain)?
        .with_intra_op_spinning(options.spin)
        .map_err(plain)?
        .with_config_entry("session.record_ep_graph_assignment_info", "1")
        .map_err(plain)
}

/// A loaded model and, once bound, its tensors.
struct OnnxSession {
    // Dropped before the session it belongs to.
    bound: Option<Bound>,
    session: Arc<ort::session::Session>,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    placement: Vec<Placement>,
    left: Vec<String>,
    notices: Vec<String>,
    /// Inputs and the outputs that have their memory.
    shared: Vec<[usize; 2]>,
    /// How it is made for other sizes; none on the CPU alone, which takes any.
    plan: Option<Arc<Plan<'static>>>,
    /// The sizes it was made for by its plan.
    sizes: Option<Vec<(String, i64)>>,
}

impl OnnxSession {
    /// Makes the session anew for inputs of other sizes, where its providers want to know them.
    fn fix(&mut self, inputs: &[Vec<usize>]) -> Result<()> {
        let Some(plan) = &self.plan else { return Ok(()) };
        let mut sizes: Vec<(String, i64)> = Vec::new();
        for (symbol, &size) in plan.symbols.iter().flatten().zip(inputs.iter().flatten()) {
            if !symbol.is_empty() && sizes.iter().all(|(known, _)| known != symbol) {
                sizes.push((symbol.clone(), size as i64));
            }
        }
        if self.sizes.as_ref() != Some(&sizes) {
            // What is bound belongs to the session that goes.
            self.bound = None;
            let Made { session, placement, left, notices } = plan.make(&sizes)?;
            self.session = Arc::new(session);
            (self.placement, self.left, self.notices) = (placement, left, notices);
            self.sizes = Some(sizes);
        }
        Ok(())
    }
}

struct Bound {
    binding: IoBinding,
    inputs: Vec<Memory>,
    /// `None` where the output has the memory of an input.
    outputs: Vec<Option<Memory>>,
    /// Names of inputs and outputs, where a provider wants its inputs in the memory of a device of its own. What is bound is
    /// brought there when it is bound, and not again: each run is given its tensors anew.
    elsewhere: Option<[Vec<CString>; 2]>,
}

impl Bound {
    /// Runs where a device has memory of its own: inputs are brought there, outputs back.
    fn run_elsewhere(&mut self, session: &ort::session::Session, shared: &[[usize; 2]]) -> Result<()> {
        let Self { inputs, outputs, elsewhere: Some(names), .. } = self else { return Err(unbound()) };
        let [input_names, output_names] =
            names.each_ref().map(|names| names.iter().map(|name| name.as_ptr()).collect::<Vec<_>>());
        let given: Vec<_> = inputs.iter().map(Memory::value).collect();
        let of_input = |i: usize| shared.iter().find(|[_, output]| *output == i).map(|[input, _]| &inputs[*input]);
        let wanted = outputs.iter().enumerate().map(|(i, own)| own.as_ref().or_else(|| of_input(i)).map(Memory::value));
        let mut wanted =
            wanted.map(|value| value.map(<*const _>::cast_mut)).collect::<Option<Vec<_>>>().ok_or_else(unbound)?;
        // SAFETY: session, tensors and names are alive; there are as many names as tensors, and an output that is given is
        // written into, not replaced. `&mut self` keeps all but this run away from the tensors.
        let status = unsafe {
            ort::Error::<()>::result_from_status((ort::api().Run)(
                session.ptr().cast_mut(),
                std::ptr::null(),
                input_names.as_ptr(),
                given.as_ptr(),
                given.len(),
                output_names.as_ptr(),
                wanted.len(),
                wanted.as_mut_ptr(),
            ))
        };
        status.map_err(|error| failed("the model failed".into(), error))
    }
}

/// Whether a session reads its inputs where the host has them.
fn takes_host_memory(session: &ort::session::Session) -> ort::Result<bool> {
    let mut places = vec![std::ptr::null(); session.inputs().len()];
    // SAFETY: the session is alive and fills in as many places as it has inputs, none of them null: `ort` makes no session else.
    // They belong to the session and are read here only.
    unsafe {
        let api = ort::api();
        let told = (api.SessionGetMemoryInfoForInputs)(session.ptr(), places.as_mut_ptr(), places.len());
        ort::Error::<()>::result_from_status(told)?;
        Ok(places.iter().all(|&place| {
            let mut device = ort::sys::OrtMemoryInfoDeviceType::OrtMemoryInfoDeviceType_CPU;
            (api.MemoryInfoGetDeviceType)(place, &mut device);
            device == ort::sys::OrtMemoryInfoDeviceType::OrtMemoryInfoDeviceType_CPU
        }))
    }
}

/// The memory of a tensor, by the type of its elements.
enum Memory {
    F32(Tensor<f32>),
    I32(Tensor<i32>),
}

impl Memory {
    fn new(allocator: &ort::memory::Allocator, dtype: DType, shape: &[usize]) -> ort::Result<Self> {
        Ok(match dtype {
            DType::I32 => Self::I32(Tensor::new(allocator, shape.to_vec())?),
            _ => Self::F32(Tensor::new(allocator, shape.to_vec())?),
        })
    }

    fn value(&self) -> *const ort::sys::OrtValue {
        match self {
            Self::F32(tensor) => tensor.ptr(),
            Self::I32(tensor) => tensor.ptr(),
        }
    }

    fn has(&self, shape: &[usize]) -> bool {
        let own = match self {
            Self::F32(tensor) => tensor.shape(),
            Self::I32(tensor) => tensor.shape(),
        };
        own.iter().map(|&side| side as usize).eq(shape.iter().copied())
    }

    fn bind_input(&self, binding: &mut IoBinding, name: &str) -> ort::Result<()> {
        match self {
            Self::F32(tensor) => binding.bind_input(name, tensor),
            Self::I32(tensor) => binding.bind_input(name, tensor),
        }
    }

    fn bind_output(&mut self, binding: &mut IoBinding, name: &str) -> ort::Result<()> {
        match self {
            Self::F32(tensor) => binding.bind_output(name, tensor),
            Self::I32(tensor) => binding.bind_output(name, tensor),
        }
    }
}

impl Session for OnnxSession {
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
            for (spec, shape) in specs.iter().zip(shapes) {
                spec.accept(if spec.dtype == DType::I32 { DType::I32 } else { DType::F32 }, shape)?;
            }
        }
        self.fix(inputs)?;
        let mut before = self.bound.take().map(|bound| bound.inputs).unwrap_or_default().into_iter();
        let failed = |error| failed("cannot reserve the model's tensors".into(), error);
        let allocator = self.session.allocator();
        let mut ins = Vec::with_capacity(inputs.len());
        for (spec, shape) in self.inputs.iter().zip(inputs) {
            let kept = before.next().filter(|memory| memory.has(shape));
            ins.push(kept.map_or_else(|| Memory::new(allocator, spec.dtype, shape), Ok).map_err(failed)?);
        }
        let mut binding = self.session.create_binding().map_err(failed)?;
        for (spec, memory) in self.inputs.iter().zip(&ins) {
            memory.bind_input(&mut binding, &spec.name).map_err(failed)?;
        }
        let mut outs = Vec::with_capacity(outputs.len());
        for (i, (spec, shape)) in self.outputs.iter().zip(outputs).enumerate() {
            if let Some([input, _]) = self.shared.iter().find(|[_, output]| *output == i) {
                if !ins[*input].has(shape) {
                    let what = format!("`{}` shares the memory of an input of another shape", spec.name);
                    return Err(Error::new(ErrorKind::Config, what));
                }
                ins[*input].bind_output(&mut binding, &spec.name).map_err(failed)?;
                outs.push(None);
                continue;
            }
            let mut memory = Memory::new(allocator, spec.dtype, shape).map_err(failed)?;
            memory.bind_output(&mut binding, &spec.name).map_err(failed)?;
            outs.push(Some(memory));
        }
        let named = |specs: &[TensorSpec]| {
            let names = specs.iter().map(|spec| CString::new(&*spec.name));
            names
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| Error::new(ErrorKind::Config, "a name of the model holds a zero byte"))
        };
        let elsewhere = match takes_host_memory(&self.session).map_err(failed)? {
            true => None,
            false => Some([named(&self.inputs)?, named(&self.outputs)?]),
        };
        self.bound = Some(Bound { binding, inputs: ins, outputs: outs, elsewhere });
        Ok(())
    }

    fn input_i32_mut(&mut self, i: usize) -> Result<&mut [i32]> {
        let bound = self.bound.as_mut().ok_or_else(unbound)?;
        let Memory::I32(tensor) = &mut bound.inputs[i] else { return Err(other_type()) };
        let (_, values) = tensor.try_extract_tensor_mut().map_err(|e| failed("input memory".into(), e))?;
        Ok(values)
    }

    fn input_mut(&mut self, i: usize) -> Result<&mut [f32]> {
        let bound = self.bound.as_mut().ok_or_else(unbound)?;
        let Memory::F32(tensor) = &mut bound.inputs[i] else { return Err(other_type()) };
        let (_, values) = tensor.try_extract_tensor_mut().map_err(|e| failed("input memory".into(), e))?;
        Ok(values)
    }

    fn run(&mut self) -> Result<()> {
        let bound = self.bound.as_mut().ok_or_else(unbound)?;
        if bound.elsewhere.is_some() {
            return bound.run_elsewhere(&self.session, &self.shared);
        }
        // `Session::run_binding` builds a map of the outputs, an allocation per picture; the bound tensors are
        // at hand already, so the C function is called alone.
        // SAFETY: session and binding are alive and belong together, the run options may be null, and `&mut self` keeps a
        // second run of this binding away; runs of one session by several bindings at once are what it is made for.
        let status = unsafe {
            let session = self.session.ptr().cast_mut();
            ort::Error::<()>::result_from_status((ort::api().RunWithBinding)(
                session,
                std::ptr::null(),
                bound.binding.ptr(),
            ))
        };
        status.map_err(|error| failed("the model failed".into(), error))
    }

    fn output(&self, i: usize) -> Result<&[f32]> {
        let bound = self.bound.as_ref().ok_or_else(unbound)?;
        let shared = || self.shared.iter().find(|[_, output]| *output == i).map(|[input, _]| &bound.inputs[*input]);
        let Some(Memory::F32(tensor)) = bound.outputs[i].as_ref().or_else(shared) else { return Err(other_type()) };
        let (_, values) = tensor.try_extract_tensor().map_err(|e| failed("output memory".into(), e))?;
        Ok(values)
    }

    fn placement(&self) -> &[Placement] {
        &self.placement
    }

    fn left_to_cpu(&self) -> &[String] {
        &self.left
    }

    fn notices(&self) -> &[String] {
        &self.notices
    }

    fn fork(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Self {
            bound: None,
            session: Arc::clone(&self.session),
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            placement: self.placement.clone(),
            left: self.left.clone(),
            notices: self.notices.clone(),
            shared: self.shared.clone(),
            plan: self.plan.clone(),
            sizes: self.sizes.clone(),
        }))
    }
}

fn unbound() -> Error {
    Error::new(ErrorKind::Runtime, "the session was used before its tensors were bound")
}

fn other_type() -> Error {
    Error::new(ErrorKind::Runtime, "the session's tensor has elements of another type")
}

fn failed(what: String, error: ort::Error) -> Error {
    Error::caused(ErrorKind::Runtime, what, error.to_string())
}

fn spec(outlet: &Outlet) -> Result<TensorSpec> {
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        let what = format!("`{}` of the model is no tensor", outlet.name());
        return Err(Error::new(ErrorKind::Config, what));
    };
    let dtype = match ty {
        TensorElementType::Float32 => DType::F32,
        TensorElementType::Float16 => DType::F16,
        TensorElementType::Int8 => DType::I8,
        TensorElementType::Uint8 => DType::U8,
        TensorElementType::Int32 => DType::I32,
        TensorElementType::Int64 => DType::I64,
        other => {
            let what =
                format!("`{}` of the model has elements of type {other}, which eyear does not use", outlet.name());
            return Err(Error::new(ErrorKind::Config, what));
        }
    };
    let shape = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
    Ok(TensorSpec { name: outlet.name().to_string(), dtype, shape })
}

/// Version of the loaded library, such as `1.28.0`.
fn version(library: &Path) -> Result<String> {
    type GetApiBase = unsafe extern "system" fn() -> *const ort::sys::OrtApiBase;
    let failed = |error| {
        let what = format!("{} does not tell its version", library.display());
        Error::caused(ErrorKind::Unavailable, what, error)
    };
    // SAFETY: this library is loaded already, so nothing is run by opening it again; the function is the entry of
    // ONNX Runtime's C interface, whose base and version string live as long as the library does.
    unsafe {
        let library = libloading::Library::new(library).map_err(failed)?;
        let base = library.get::<GetApiBase>(b"OrtGetApiBase").map_err(failed)?;
        Ok(text(((*base()).GetVersionString)()))
    }
}

/// Execution providers compiled into the loaded library.
fn providers() -> Result<Vec<String>> {
    let failed = |error| failed("ONNX Runtime does not list its providers".into(), error);
    let (mut names, mut count): (*mut *mut c_char, i32) = (std::ptr::null_mut(), 0);
    // SAFETY: the library writes a list of `count` C strings, which are copied before the list is released
    // with the function that belongs to it.
    unsafe {
        ort::Error::<()>::result_from_status((ort::api().GetAvailableProviders)(&mut names, &mut count))
            .map_err(failed)?;
        let list = (0..count as usize).map(|i| text(*names.add(i))).collect();
        let released = (ort::api().ReleaseAvailableProviders)(names, count);
        ort::Error::<()>::result_from_status(released).map_err(failed)?;
        Ok(list)
    }
}

/// Which provider took how many nodes.
fn placement(nodes: &[Node]) -> Vec<Placement> {
    let mut found: Vec<Placement> = Vec::new();
    for Node { provider, .. } in nodes {
        match found.iter_mut().find(|placement| placement.provider == *provider) {
            Some(placement) => placement.nodes += 1,
            None => found.push(Placement { provider: provider.clone(), nodes: 1 }),
        }
    }
    found
}

/// Operators and names of the nodes on the CPU; of very many, the first, and how many more there are.
fn left_to_cpu(nodes: &[Node]) -> Vec<String> {
    let on_cpu = nodes.iter().filter(|node| node.provider == super::CPU);
    let (mut left, count) = (Vec::new(), on_cpu.clone().count());
    left.extend(on_cpu.take(NAMED).map(|node| format!("{} {}", node.operator, node.name).trim_end().to_string()));
    if count > NAMED {
        left.push(format!("and {} more", count - NAMED));
    }
    left
}

/// A node of a graph, and who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The execution provider.
    pub provider: String,
    /// What it computes, such as `Conv`.
    pub operator: String,
    /// Its name in the graph; empty where it has none.
    pub name: String,
}

/// The nodes of a session, as the runtime itself recorded them.
fn assignment(session: &ort::session::Session) -> ort::Result<Vec<Node>> {
    let api = ort::api();
    let mut graphs: *const *const ort::sys::OrtEpAssignedSubgraph = std::ptr::null();
    let mut count = 0usize;
    let mut found = Vec::new();
    // SAFETY: the session is alive; it owns the arrays and strings that these calls point to, and they are
    // read here only. Recording was switched on when the session was built.
    unsafe {
        let check = |status| ort::Error::<()>::result_from_status(status);
        check((api.Session_GetEpGraphAssignmentInfo)(session.ptr(), (&raw mut graphs).cast(), &mut count))?;
        for i in 0..count {
            let graph = *graphs.add(i);
            let mut name = std::ptr::null();
            check((api.EpAssignedSubgraph_GetEpName)(graph, &mut name))?;
            let provider = text(name);
            let (mut nodes, mut size) = (std::ptr::null(), 0usize);
            check((api.EpAssignedSubgraph_GetNodes)(graph, &mut nodes, &mut size))?;
            for j in 0..size {
                let (mut operator, mut name) = (std::ptr::null(), std::ptr::null());
                check((api.EpAssignedNode_GetOperatorType)(*nodes.add(j), &mut operator))?;
                check((api.EpAssignedNode_GetName)(*nodes.add(j), &mut name))?;
                found.push(Node { provider: provider.clone(), operator: text(operator), name: text(name) });
            }
        }
    }
    Ok(found)
}

/// # Safety
/// `pointer` is null or a C string that lives through the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: not null, and a C string by this function's own contract.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
