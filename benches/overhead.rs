//! What eyear's session costs over bare ONNX Runtime: `cargo bench --bench overhead [-- --rounds 100]`. Both run the same
//! model in one process, on the same library, with the same options, one thread each, in turns; `benches/overhead.py` sets
//! Python beside them. Beside the time on the clock stands that of the processor, which on a machine with other work is the one to
//! go by.
//!
//! Bare is the least that a C program can do: a session out of memory, tensors over memory of its own, and `Run`, whose outputs
//! are written where they were last time, or newly made by the runtime and released. eyear's `session` is
//! [`Session::run`]; `encoder` is [`MapEncoder::encode`], which also looks whether all that came out are numbers.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::hint::black_box;
use std::io::BufRead as _;
use std::ptr;
use std::time::Instant;

use eyear::backend::{BACKENDS, Options, Session};
use eyear::encode::maps::MapEncoder;
use eyear::package::manifest::{Format, Manifest, Precision, Sense};
use ort::sys;

/// A token in the middle of a text: so many are remembered already.
const SEEN: i32 = 40;

/// A model that is run, the ways to run it, and what each took.
struct Row {
    name: &'static str,
    /// Runs of each way in a round that are timed; one before them brings the model back into the processor's caches.
    runs: usize,
    /// The first is what the others are held to.
    ways: Vec<(&'static str, Way)>,
    /// By way and round.
    took: Vec<Vec<Vec<Took>>>,
}

/// Runs the model once.
type Way = Box<dyn FnMut()>;

/// Milliseconds of one run: on the clock, and on the processor.
type Took = [f64; 2];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments.iter().position(|argument| argument == "--rounds");
    let rounds = given.map_or(100, |at| arguments[at + 1].parse().unwrap());
    let info = BACKENDS[0].check().unwrap();
    let mut rows = [encoder(), decoder()];
    if arguments.iter().any(|argument| argument == "--turns") {
        // Who asks has a turn of his own between ours.
        for line in std::io::stdin().lock().lines() {
            let round: usize = line.unwrap().parse().unwrap();
            let told = rows.iter_mut().map(|row| {
                row.round(round);
                let of = row.ways.iter().zip(&row.took);
                let ways: BTreeMap<_, _> = of.map(|((name, _), took)| (*name, took.last().unwrap().clone())).collect();
                (row.name, ways)
            });
            println!("{}", serde_json::to_string(&told.collect::<BTreeMap<_, _>>()).unwrap());
        }
        return;
    }
    println!("onnxruntime {} {}, {rounds} rounds in turns, one thread", info.version, info.library.display());
    for row in &mut rows {
        (0..rounds).for_each(|round| row.round(round));
        row.tell();
    }
}

/// The encoder of pictures at its usual size.
fn encoder() -> Row {
    let manifest = Manifest::find("vision-lite0").unwrap();
    let spec = manifest.encoder(Sense::Image).unwrap();
    let variant = spec.variant(Precision::Int8, Format::Onnx).unwrap();
    let model = manifest.load(&variant.file).unwrap();
    let pixels = noise(3 * spec.height * spec.width);

    let mut session = BACKENDS[0].open(&variant.file, &model, &options()).unwrap();
    let named = |name: &str| spec.outputs.iter().find(|map| map.name == name).unwrap();
    let maps = session.outputs().iter().map(|output| named(&output.name));
    let maps = maps.map(|map| vec![1, map.channels, spec.height / map.stride, spec.width / map.stride]);
    let outputs: Vec<Vec<usize>> = maps.collect();
    let input = vec![1, 3, spec.height, spec.width];
    session.bind(std::slice::from_ref(&input), &outputs).unwrap();
    session.input_mut(0).unwrap().copy_from_slice(&pixels);

    let mut maps = MapEncoder::load(&manifest, Sense::Image, Precision::Int8, BACKENDS[0], &options()).unwrap();
    maps.input_mut().unwrap().copy_from_slice(&pixels);

    let inputs = || vec![Values::F32(pixels.clone(), input.clone())];
    let mut bare = Bare::open(&*session, &model, inputs(), &outputs, &[]);
    let mut fresh = Bare::open(&*session, &model, inputs(), &outputs, &[]);
    session.run().unwrap();
    bare.run();
    for (i, of) in (0..outputs.len()).zip(bare.outputs()) {
        assert_eq!(session.output(i).unwrap(), of, "both must compute the same");
    }
    Row::new("vision-lite0 int8, 448 x 448", 5)
        .way("C API", move || bare.run())
        .way("C API, new outputs", move || fresh.run_anew())
        .way("eyear session", move || session.run().unwrap())
        .way("eyear encoder", move || maps.encode().unwrap())
}

/// One step of the decoder, whose memory is input and output at once: as short as a run of ours is.
fn decoder() -> Row {
    let manifest = Manifest::find("eyear-small").unwrap();
    let variant = &manifest.language().unwrap().decoder.variants[0];
    let model = manifest.load(&variant.file).unwrap();
    let mut session = BACKENDS[0].open(&variant.file, &model, &options()).unwrap();
    let (mut inputs, mut shared) = (Vec::new(), Vec::new());
    for (i, spec) in session.inputs().to_vec().iter().enumerate() {
        let shape: Vec<usize> = spec.shape.iter().map(|side| side.unwrap_or(1)).collect();
        inputs.push(match spec.name.as_str() {
            "last" => Values::I32(vec![SEEN], shape),
            "total" => Values::I32(vec![SEEN + 1], shape),
            _ => Values::F32(noise(shape.iter().product()), shape),
        });
        let written = spec.name.replace('_', "_out_");
        if let Some(output) = session.outputs().iter().position(|output| output.name == written) {
            shared.push([i, output]);
        }
    }
    shared.iter().for_each(|&[input, output]| session.share(input, output));
    let whole = |side: &Option<usize>| side.unwrap_or(1);
    let outputs: Vec<Vec<usize>> =
        session.outputs().iter().map(|spec| spec.shape.iter().map(whole).collect()).collect();
    let shapes: Vec<Vec<usize>> = inputs.iter().map(|values| values.shape().to_vec()).collect();
    session.bind(&shapes, &outputs).unwrap();
    for (i, values) in inputs.iter().enumerate() {
        match values {
            Values::F32(values, _) => session.input_mut(i).unwrap().copy_from_slice(values),
            Values::I32(values, _) => session.input_i32_mut(i).unwrap().copy_from_slice(values),
        }
    }
    let mut bare = Bare::open(&*session, &model, inputs, &outputs, &shared);
    session.run().unwrap();
    bare.run();
    assert_eq!(session.output(0).unwrap(), bare.outputs()[0], "both must compute the same");
    Row::new("eyear-small decoder int8, one token", 200)
        .way("C API", move || bare.run())
        .way("eyear session", move || session.run().unwrap())
}

fn options() -> Options {
    Options { threads: 1, ..Options::default() }
}

/// Numbers from −1 to 1, the same each time.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let draw = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / (1u32 << 31) as f32 - 1.0
    };
    (0..count).map(draw).collect()
}

impl Row {
    fn new(name: &'static str, runs: usize) -> Self {
        Self { name, runs, ways: Vec::new(), took: Vec::new() }
    }

    fn way(mut self, name: &'static str, run: impl FnMut() + 'static) -> Self {
        self.ways.push((name, Box::new(run)));
        self.took.push(Vec::new());
        self
    }

    /// All ways one after the other; each round begins with another.
    fn round(&mut self, round: usize) {
        let count = self.ways.len();
        for way in (0..count).map(|i| (i + round) % count) {
            let run = &mut self.ways[way].1;
            run();
            let times = (0..self.runs).map(|_| {
                let (processor, start) = (processor_ms(), Instant::now());
                black_box(&mut *run)();
                let clock = start.elapsed().as_secs_f64() * 1e3;
                [clock, processor_ms() - processor]
            });
            self.took[way].push(times.collect());
        }
    }

    fn tell(&self) {
        println!("{}", self.name);
        for (i, of) in ["clock", "processor"].into_iter().enumerate() {
            println!("  {of:20} {:>9} {:>8} {:>22}", "p50 ms", "to bare", "half of the rounds");
            let median = |times: &[Took]| quantile(times.iter().map(|took| took[i]).collect(), 0.5);
            let bare = median(&self.took[0].concat());
            for ((name, _), took) in self.ways.iter().zip(&self.took) {
                let p50 = median(&took.concat());
                let pairs = took.iter().zip(&self.took[0]);
                let rounds: Vec<f64> = pairs.map(|(own, bare)| median(own) / median(bare)).collect();
                let [low, high] = [0.25, 0.75].map(|share| quantile(rounds.clone(), share));
                println!("  {name:20} {p50:9.4} {:8.4} {:>22}", p50 / bare, format!("{low:.4} to {high:.4}"));
            }
        }
    }
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// Time that this thread has had of a processor; of the clock where it is not told.
fn processor_ms() -> f64 {
    #[cfg(target_os = "linux")]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call writes to the time and nothing else.
        if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } == 0 {
            return time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6;
        }
    }
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64() * 1e3
}

/// The elements of a tensor and its shape.
enum Values {
    F32(Vec<f32>, Vec<usize>),
    I32(Vec<i32>, Vec<usize>),
}

impl Values {
    fn shape(&self) -> &[usize] {
        let (Self::F32(_, shape) | Self::I32(_, shape)) = self;
        shape
    }
}

/// ONNX Runtime's C interface and nothing else. What it holds lives until the process ends.
struct Bare {
    session: *mut sys::OrtSession,
    names: [Vec<*const c_char>; 2],
    inputs: Vec<*const sys::OrtValue>,
    outputs: Vec<*mut sys::OrtValue>,
    /// The memory that the tensors lie over.
    memory: Vec<Values>,
    /// Of each output, its place there.
    places: Vec<usize>,
}

fn check(status: sys::OrtStatusPtr) {
    if !status.0.is_null() {
        // SAFETY: a status that is not null is an error, whose message lives as long as it does.
        let why = unsafe { CStr::from_ptr((ort::api().GetErrorMessage)(status.0)) };
        panic!("{}", why.to_string_lossy());
    }
}

impl Bare {
    /// `shared`: inputs and the outputs that have their memory. The names are those of a session of the same model.
    fn open(
        like: &dyn Session,
        model: &[u8],
        inputs: Vec<Values>,
        outputs: &[Vec<usize>],
        shared: &[[usize; 2]],
    ) -> Self {
        let api = ort::api();
        let name = |spec: &eyear::tensor::TensorSpec| CString::new(spec.name.as_str()).unwrap().into_raw().cast_const();
        let names = [like.inputs(), like.outputs()].map(|specs| specs.iter().map(name).collect());
        let count = inputs.len();
        let (mut memory, mut places) = (inputs, Vec::new());
        for (i, shape) in outputs.iter().enumerate() {
            places.push(shared.iter().find(|[_, output]| *output == i).map_or(memory.len(), |[input, _]| *input));
            if places[i] == memory.len() {
                memory.push(Values::F32(vec![0.0; shape.iter().product()], shape.clone()));
            }
        }
        // SAFETY: the calls are those of the C interface in the order that it asks for, pointers go to what lives through each
        // call, and the tensors lie over memory that is kept beside them and never moved. The environment is the one that
        // eyear made: a process has but one.
        unsafe {
            let (mut environment, mut options) = (ptr::null_mut(), ptr::null_mut());
            check((api.CreateEnv)(sys::OrtLoggingLevel::ORT_LOGGING_LEVEL_ERROR, c"bare".as_ptr(), &mut environment));
            check((api.CreateSessionOptions)(&mut options));
            check((api.SetSessionGraphOptimizationLevel)(options, sys::GraphOptimizationLevel::ORT_ENABLE_ALL));
            check((api.SetIntraOpNumThreads)(options, 1));
            let spinning = c"session.intra_op.allow_spinning";
            check((api.AddSessionConfigEntry)(options, spinning.as_ptr(), c"0".as_ptr()));
            let mut session = ptr::null_mut();
            let (bytes, length) = (model.as_ptr().cast(), model.len());
            check((api.CreateSessionFromArray)(environment, bytes, length, options, &mut session));
            let mut place = ptr::null_mut();
            let kind = sys::OrtAllocatorType::OrtDeviceAllocator;
            check((api.CreateCpuMemoryInfo)(kind, sys::OrtMemType::OrtMemTypeCPU, &mut place));
            let mut values = Vec::new();
            for values_of in &mut memory {
                let shape: Vec<i64> = values_of.shape().iter().map(|&side| side as i64).collect();
                let (data, bytes, element): (*mut c_void, usize, _) = match values_of {
                    Values::F32(of, _) => (
                        of.as_mut_ptr().cast(),
                        size_of_val(of.as_slice()),
                        sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                    ),
                    Values::I32(of, _) => (
                        of.as_mut_ptr().cast(),
                        size_of_val(of.as_slice()),
                        sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
                    ),
                };
                let mut value = ptr::null_mut();
                check((api.CreateTensorWithDataAsOrtValue)(
                    place,
                    data,
                    bytes,
                    shape.as_ptr(),
                    shape.len(),
                    element,
                    &mut value,
                ));
                values.push(value);
            }
            let outputs = places.iter().map(|&place| values[place]).collect();
            let inputs = values[..count].iter().map(|value| value.cast_const()).collect();
            Self { session, names, inputs, outputs, memory, places }
        }
    }

    fn run(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.run_into(&mut outputs);
        self.outputs = outputs;
    }

    /// The runtime makes the outputs.
    fn run_anew(&mut self) {
        let mut outputs = [ptr::null_mut(); 8];
        let outputs = &mut outputs[..self.outputs.len()];
        self.run_into(outputs);
        // SAFETY: the run made them, and nobody else has them.
        outputs.iter().for_each(|&output| unsafe { (ort::api().ReleaseValue)(output) });
    }

    fn run_into(&mut self, outputs: &mut [*mut sys::OrtValue]) {
        let [ins, outs] = &self.names;
        // SAFETY: session, names and values live as long as the process; their numbers are those of the lists.
        check(unsafe {
            (ort::api().Run)(
                self.session,
                ptr::null(),
                ins.as_ptr(),
                self.inputs.as_ptr(),
                self.inputs.len(),
                outs.as_ptr(),
                outs.len(),
                outputs.as_mut_ptr(),
            )
        });
    }

    fn outputs(&self) -> Vec<&[f32]> {
        let of = |&place: &usize| match &self.memory[place] {
            Values::F32(values, _) => values.as_slice(),
            Values::I32(..) => &[],
        };
        self.places.iter().map(of).collect()
    }
}
