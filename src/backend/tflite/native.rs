//! What the C interface of TensorFlow Lite 2.9 has beyond what `tflitec` wraps: delegates, XNNPACK's flags, an error
//! reporter, and a look at the graph that tells which delegate took how many nodes.
//!
//! `c_api.h` gives `tflitec` [`eyear_tflite_interpreter_create`] for the library's own `TfLiteInterpreterCreate`: that is
//! where all of this comes in.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libloading::Library;

use super::Delegate;
use crate::error::{Error, ErrorKind, Result};
use crate::tensor::{DType, TensorSpec};

/// `kTfLiteOk`.
const OK: c_int = 0;
/// Signed and unsigned 8-bit operators. By default XNNPACK 2.9 leaves both to TensorFlow Lite's own kernels, which took
/// twelve times as long (x86-64, 448 x 448, one thread).
const XNNPACK_QS8_QU8: u32 = 3;
/// `kTfLiteDelegateFlagsAllowDynamicTensors`: the counters below take no node, so no tensor's size is their concern.
const ALLOW_DYNAMIC_TENSORS: i64 = 1;

/// `TfLiteContext`, as far as it is used.
#[repr(C)]
struct Context {
    tensors_size: usize,
    get_execution_plan: unsafe extern "C" fn(*mut Context, *mut *mut IntArray) -> c_int,
    tensors: *mut c_void,
    inner: *mut c_void,
    resize_tensor: *mut c_void,
    report_error: *mut c_void,
    add_tensors: *mut c_void,
    get_node: unsafe extern "C" fn(*mut Context, c_int, *mut *mut Node, *mut *mut c_void) -> c_int,
}

/// `TfLiteIntArray`.
#[repr(C)]
struct IntArray {
    size: c_int,
    data: [c_int; 0],
}

/// `TfLiteNode`, as far as it is used.
#[repr(C)]
struct Node {
    arrays_and_data: [*mut c_void; 7],
    custom_initial_data_size: c_int,
    delegate: *mut c_void,
}

/// `TfLiteDelegate`.
#[repr(C)]
struct RawDelegate {
    data: *mut c_void,
    prepare: Option<unsafe extern "C" fn(*mut Context, *mut RawDelegate) -> c_int>,
    buffer_handles: [*mut c_void; 3],
    flags: i64,
}

/// `TfLiteXNNPackDelegateOptions` of 2.9; later releases have a longer one.
#[repr(C)]
struct XnnpackOptions {
    threads: i32,
    flags: u32,
}

type Reporter = unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void);

unsafe extern "C" {
    fn TfLiteInterpreterOptionsAddDelegate(options: *mut c_void, delegate: *mut RawDelegate);
    fn TfLiteInterpreterOptionsSetErrorReporter(options: *mut c_void, reporter: Reporter, user_data: *mut c_void);
    fn TfLiteInterpreterCreate(model: *const c_void, options: *const c_void) -> *mut c_void;
    fn TfLiteInterpreterGetInputTensor(interpreter: *const c_void, index: i32) -> *mut c_void;
    fn TfLiteInterpreterGetOutputTensor(interpreter: *const c_void, index: i32) -> *const c_void;
    fn TfLiteTensorName(tensor: *const c_void) -> *const c_char;
    fn TfLiteTensorType(tensor: *const c_void) -> c_int;
    fn TfLiteTensorNumDims(tensor: *const c_void) -> i32;
    fn TfLiteTensorDim(tensor: *const c_void, index: i32) -> i32;
    fn TfLiteTensorData(tensor: *const c_void) -> *mut c_void;
    fn TfLiteTensorByteSize(tensor: *const c_void) -> usize;
    fn TfLiteXNNPackDelegateCreate(options: *const XnnpackOptions) -> *mut RawDelegate;
    fn TfLiteXNNPackDelegateDelete(delegate: *mut RawDelegate);
    fn TfLiteVersion() -> *const c_char;
}

/// File of the library that is linked.
pub fn library() -> PathBuf {
    let unknown = PathBuf::from("libtensorflowlite_c.so");
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all-zero is a value of this struct of pointers.
        let mut found: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: the address is that of a function of the library; the call writes to `found`, whose strings belong to
        // the loader and live as long as the library, which is never unloaded.
        let path = unsafe {
            let known = libc::dladdr(TfLiteVersion as *const c_void, &raw mut found) != 0 && !found.dli_fname.is_null();
            known.then(|| CStr::from_ptr(found.dli_fname))
        };
        use std::os::unix::ffi::OsStrExt as _;
        path.map_or(unknown, |path| PathBuf::from(OsStr::from_bytes(path.to_bytes())))
    }
    #[cfg(not(target_os = "linux"))]
    unknown
}

/// What TensorFlow Lite said while it worked for one interpreter.
#[derive(Default)]
struct Said(Mutex<String>);

impl Said {
    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a line to the [`Said`] that `user_data` points to. `arguments` is a C `va_list`, which the System V ABIs of
/// x86-64 and AArch64 hand over as a pointer; it goes on as it came.
unsafe extern "C" fn report(user_data: *mut c_void, format: *const c_char, arguments: *mut c_void) {
    unsafe extern "C" {
        fn vsnprintf(buffer: *mut c_char, size: usize, format: *const c_char, arguments: *mut c_void) -> c_int;
    }
    let mut line = [0 as c_char; 512];
    // SAFETY: the buffer is as long as told, and ends with a nought whatever is written; format and arguments are
    // TensorFlow Lite's own and belong together; `user_data` is what `create` gave, which outlives the interpreter.
    let (line, said) = unsafe {
        vsnprintf(line.as_mut_ptr(), line.len(), format, arguments);
        (CStr::from_ptr(line.as_ptr()).to_string_lossy(), &*user_data.cast_const().cast::<Said>())
    };
    let mut said = said.lock();
    // Nobody may ever ask for it.
    if said.len() > 4096 {
        return;
    }
    if !said.is_empty() {
        said.push_str("; ");
    }
    said.push_str(line.trim());
}

/// A delegate that takes no node and counts those that no other has taken: TensorFlow Lite asks one after the other,
/// again whenever an input is resized. It keeps pointers to it, so this owns it by one.
struct Counter(*mut Count);

struct Count {
    delegate: RawDelegate,
    left: AtomicUsize,
}

impl Counter {
    fn new() -> Self {
        let delegate = RawDelegate {
            data: ptr::null_mut(),
            prepare: Some(count),
            buffer_handles: [ptr::null_mut(); 3],
            flags: ALLOW_DYNAMIC_TENSORS,
        };
        let count = Box::into_raw(Box::new(Count { delegate, left: AtomicUsize::new(0) }));
        // SAFETY: just made, and nobody else has it yet.
        unsafe { (*count).delegate.data = (&raw mut (*count).left).cast() };
        Self(count)
    }

    fn delegate(&self) -> *mut RawDelegate {
        // SAFETY: alive as long as `self`; no reference is made.
        unsafe { &raw mut (*self.0).delegate }
    }

    fn left(&self) -> usize {
        // SAFETY: alive as long as `self`, and written to by no other way than this atomic's own.
        unsafe { &(*self.0).left }.load(Ordering::Relaxed)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw`, and freed once. No interpreter asks it any more: see `Native`.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

unsafe extern "C" fn count(context: *mut Context, delegate: *mut RawDelegate) -> c_int {
    // SAFETY: TensorFlow Lite calls this with its own context, whose functions may be used here and write to what they
    // are given, and with the delegate that was added: a counter's, whose `data` is its `left`. The plan lives through
    // the call and has `size` numbers behind it, each of a node.
    unsafe {
        let mut plan = ptr::null_mut();
        if ((*context).get_execution_plan)(context, &raw mut plan) != OK {
            return OK + 1;
        }
        let numbers =
            std::slice::from_raw_parts((&raw const (*plan).data).cast::<c_int>(), (*plan).size.max(0) as usize);
        let mut left = 0;
        for &number in numbers {
            let (mut node, mut registration) = (ptr::null_mut(), ptr::null_mut());
            if ((*context).get_node)(context, number, &raw mut node, &raw mut registration) != OK {
                return OK + 1;
            }
            left += usize::from((*node).delegate.is_null());
        }
        (*(*delegate).data.cast::<AtomicUsize>()).store(left, Ordering::Relaxed);
    }
    OK
}

type Create = unsafe extern "C" fn(
    *const *const c_char,
    *const *const c_char,
    usize,
    unsafe extern "C" fn(*const c_char),
) -> *mut RawDelegate;
type Destroy = unsafe extern "C" fn(*mut RawDelegate);

thread_local! {
    /// What an external delegate reports while it is made.
    static REPORTED: RefCell<String> = const { RefCell::new(String::new()) };
    /// For whom the next interpreter of this thread is made.
    static NEXT: Cell<*mut Native> = const { Cell::new(ptr::null_mut()) };
}

unsafe extern "C" fn report_delegate(text: *const c_char) {
    if !text.is_null() {
        // SAFETY: not null, and by the interface of external delegates a C string that lives through the call.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        REPORTED.with_borrow_mut(|reported| reported.push_str(text.trim()));
    }
}

/// The library of an external delegate and its two entries.
pub struct Plugin {
    create: Create,
    destroy: Destroy,
    /// Loaded as long as this lives.
    _library: Library,
}

impl Plugin {
    /// Loads the library and looks its entries up.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is no such library, or it holds no delegate.
    pub fn load(path: &Path) -> Result<Self> {
        let unusable = |why: String| {
            let path = path.display();
            Error::new(ErrorKind::Unavailable, format!("{path} cannot be used as a TensorFlow Lite delegate: {why}"))
        };
        // SAFETY: loading runs the library's initialisers. It was named by whoever set this up, to be run.
        let library =
            unsafe { Library::new(path) }.map_err(|error| unusable(format!("the loader refuses it ({error})")))?;
        let missing = |entry: &str| unusable(format!("it has no `{entry}`"));
        // SAFETY: the entries of external delegates, with the types that TensorFlow Lite gives them.
        let (create, destroy) = unsafe {
            let create = library.get::<Create>(b"tflite_plugin_create_delegate\0");
            let destroy = library.get::<Destroy>(b"tflite_plugin_destroy_delegate\0");
            (
                *create.map_err(|_| missing("tflite_plugin_create_delegate"))?,
                *destroy.map_err(|_| missing("tflite_plugin_destroy_delegate"))?,
            )
        };
        Ok(Self { create, destroy, _library: library })
    }
}

/// A delegate that was made, and what unmakes it.
enum Owner {
    Xnnpack,
    External(Plugin),
}

/// A delegate in the order of asking, and how many nodes were left when it had been asked.
struct Asked {
    name: String,
    raw: *mut RawDelegate,
    owner: Owner,
    counter: Counter,
}

impl Asked {
    fn xnnpack(threads: usize) -> Result<Self> {
        let options = XnnpackOptions { threads: threads.min(256) as i32, flags: XNNPACK_QS8_QU8 };
        // SAFETY: the options are those of 2.9, which `check` holds the library to, and are read in this call only.
        let raw = unsafe { TfLiteXNNPackDelegateCreate(&raw const options) };
        if raw.is_null() {
            return Err(Error::new(ErrorKind::Unavailable, "XNNPACK does not run on this processor"));
        }
        Ok(Self { name: "XNNPACK".into(), raw, owner: Owner::Xnnpack, counter: Counter::new() })
    }

    fn external(delegate: &Delegate) -> Result<Self> {
        let plugin = Plugin::load(&delegate.library)?;
        let texts = |of: fn(&(String, String)) -> &String| {
            let texts = delegate.options.iter().map(|option| CString::new(of(option).as_str()));
            texts.collect::<Result<Vec<_>, _>>().map_err(|error| {
                Error::caused(ErrorKind::Config, format!("an option of {}", delegate.library.display()), error)
            })
        };
        let (keys, values) = (texts(|(key, _)| key)?, texts(|(_, value)| value)?);
        let pointers = |texts: &[CString]| texts.iter().map(|text| text.as_ptr()).collect::<Vec<_>>();
        let (keys, values) = (pointers(&keys), pointers(&values));
        REPORTED.take();
        // SAFETY: keys and values are as many C strings as told, alive through the call.
        let raw = unsafe { (plugin.create)(keys.as_ptr(), values.as_ptr(), keys.len(), report_delegate) };
        if raw.is_null() {
            let reported = REPORTED.take();
            let why = if reported.is_empty() { "it gives no reason".into() } else { reported };
            let what = format!("the delegate {} cannot be used here: {why}", delegate.library.display());
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        Ok(Self { name: delegate.name(), raw, owner: Owner::External(plugin), counter: Counter::new() })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // SAFETY: made by the function that belongs to this one, unmade once, when no interpreter uses it any more.
        unsafe {
            match &self.owner {
                Owner::Xnnpack => TfLiteXNNPackDelegateDelete(self.raw),
                Owner::External(plugin) => (plugin.destroy)(self.raw),
            }
        }
    }
}

/// What an interpreter runs with. It must outlive the interpreter.
pub struct Native {
    interpreter: *mut c_void,
    all: Counter,
    asked: Vec<Asked>,
    said: Arc<Said>,
}

// SAFETY: delegates, counters and interpreter belong to this alone and are bound to no thread.
unsafe impl Send for Native {}

impl Native {
    /// Makes the delegates: the external ones in their order, then XNNPACK for what they leave.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when one cannot be had.
    pub fn new(delegates: &[Delegate], threads: usize) -> Result<Self> {
        let mut asked = delegates.iter().map(Asked::external).collect::<Result<Vec<_>>>()?;
        asked.push(Asked::xnnpack(threads)?);
        Ok(Self { interpreter: ptr::null_mut(), all: Counter::new(), asked, said: Arc::default() })
    }

    /// Runs `make`, in which `tflitec` makes one interpreter, and has that run with these delegates.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when `tflitec` was built with other headers than ours and did not ask here.
    pub fn attach<T>(&mut self, make: impl FnOnce() -> T) -> Result<T> {
        // Keeps the linker from leaving out what `tflitec` calls.
        std::hint::black_box(eyear_tflite_interpreter_create as *const c_void);
        NEXT.set(self);
        let made = make();
        match NEXT.replace(ptr::null_mut()).is_null() {
            true => Ok(made),
            false => {
                let what = "`tflitec` was built with other headers than src/backend/tflite/c_api.h: run `sh .ci/tflite` and build again";
                Err(Error::new(ErrorKind::Unavailable, what))
            }
        }
    }

    /// What TensorFlow Lite said since it was last asked.
    pub fn said(&self) -> String {
        std::mem::take(&mut self.said.lock())
    }

    /// Name and nodes of each delegate, then the nodes that none took.
    pub fn taken(&self) -> (Vec<(&str, usize)>, usize) {
        let mut left = self.all.left();
        let mut taken = Vec::with_capacity(self.asked.len());
        for asked in &self.asked {
            let after = asked.counter.left();
            taken.push((asked.name.as_str(), left.saturating_sub(after)));
            left = after;
        }
        (taken, left)
    }

    /// What input `i` is. `tflitec` would panic at a name that is no text.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when its elements are of a type that eyear does not use.
    pub fn input_spec(&self, i: usize) -> Result<TensorSpec> {
        // SAFETY: the interpreter is alive as long as its session, to which this belongs, is.
        unsafe { spec(TfLiteInterpreterGetInputTensor(self.interpreter, i32::try_from(i).unwrap_or(-1))) }
    }

    /// What output `i` is.
    ///
    /// # Errors
    /// As [`Native::input_spec`].
    pub fn output_spec(&self, i: usize) -> Result<TensorSpec> {
        // SAFETY: as in `input_spec`.
        unsafe { spec(TfLiteInterpreterGetOutputTensor(self.interpreter, i32::try_from(i).unwrap_or(-1))) }
    }

    /// The memory of input `i`, as `T`, if it holds `length` of them.
    pub fn input_mut<T: Plain>(&mut self, i: usize, length: usize) -> Option<&mut [T]> {
        // SAFETY: the interpreter is alive as long as its session, to which this belongs, is. It gives null where there
        // is no such tensor or no memory, and that is asked for. Memory of tensors is aligned for any number, and is as
        // long as told; any bits are a `T`. `&mut self` keeps other borrows of it away.
        unsafe {
            let tensor = TfLiteInterpreterGetInputTensor(self.interpreter, i32::try_from(i).ok()?);
            let data = memory::<T>(tensor, length)?;
            Some(std::slice::from_raw_parts_mut(data, length))
        }
    }

    /// The memory of output `i`, as `T`, if it holds `length` of them.
    pub fn output<T: Plain>(&self, i: usize, length: usize) -> Option<&[T]> {
        // SAFETY: as in `input_mut`; what is borrowed is not written to while `&self` is held.
        unsafe {
            let tensor = TfLiteInterpreterGetOutputTensor(self.interpreter, i32::try_from(i).ok()?);
            let data = memory::<T>(tensor, length)?;
            Some(std::slice::from_raw_parts(data, length))
        }
    }
}

/// A tensor as it is seen from outside: channels-first. Height and width of a picture or map are open, whatever the file
/// says: TensorFlow Lite lets every input be resized, and says when the graph does not fit.
///
/// # Safety
/// `tensor` is null or one of a living interpreter.
unsafe fn spec(tensor: *const c_void) -> Result<TensorSpec> {
    let unusable = |what: String| Error::new(ErrorKind::Config, what);
    if tensor.is_null() {
        return Err(unusable("the model has an input or output without a tensor".into()));
    }
    // SAFETY: a tensor of a living interpreter, by this function's own contract; its name is null or a C string that
    // belongs to it, and each number of a side is less than that of all.
    let (name, kind, shape) = unsafe {
        let name = TfLiteTensorName(tensor);
        let name = if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() };
        let sides = (0..TfLiteTensorNumDims(tensor)).map(|i| TfLiteTensorDim(tensor, i));
        (name, TfLiteTensorType(tensor), sides.map(|side| usize::try_from(side).ok()).collect::<Vec<_>>())
    };
    // Of TfLiteType.
    let dtype = match kind {
        1 => DType::F32,
        2 => DType::I32,
        3 => DType::U8,
        4 => DType::I64,
        9 => DType::I8,
        10 => DType::F16,
        _ => {
            return Err(unusable(format!(
                "`{name}` of the model has elements of a type that eyear does not use ({kind})"
            )));
        }
    };
    let shape = match shape[..] {
        [n, _, _, c] => vec![n, c, None, None],
        _ => shape,
    };
    Ok(TensorSpec { name, dtype, shape })
}

/// Numbers of which any bits are one.
pub trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for i32 {}

/// # Safety
/// `tensor` is null or one of a living interpreter.
unsafe fn memory<T: Plain>(tensor: *const c_void, length: usize) -> Option<*mut T> {
    if tensor.is_null() {
        return None;
    }
    // SAFETY: a tensor of a living interpreter, by this function's own contract.
    let (data, bytes) = unsafe { (TfLiteTensorData(tensor).cast::<T>(), TfLiteTensorByteSize(tensor)) };
    (!data.is_null() && data.is_aligned() && bytes == length * size_of::<T>()).then_some(data)
}

/// What `tflitec` calls to make an interpreter: see `c_api.h`.
///
/// # Safety
/// As `TfLiteInterpreterCreate`: a model, and options that are this call's own until it returns.
#[unsafe(no_mangle)]
unsafe extern "C" fn eyear_tflite_interpreter_create(model: *const c_void, options: *mut c_void) -> *mut c_void {
    let native = NEXT.replace(ptr::null_mut());
    // SAFETY: what came is passed on. `native` is null, where `tflitec` is used by another, or was set by `attach`, which
    // holds it mutably and is further up this thread's stack. All that the options are given lives behind a pointer that
    // does not move, and longer than the interpreter: `Native` is dropped after it.
    unsafe {
        if let Some(native) = native.as_mut() {
            TfLiteInterpreterOptionsSetErrorReporter(options, report, Arc::as_ptr(&native.said).cast_mut().cast());
            TfLiteInterpreterOptionsAddDelegate(options, native.all.delegate());
            for asked in &native.asked {
                TfLiteInterpreterOptionsAddDelegate(options, asked.raw);
                TfLiteInterpreterOptionsAddDelegate(options, asked.counter.delegate());
            }
            native.interpreter = TfLiteInterpreterCreate(model, options);
            return native.interpreter;
        }
        TfLiteInterpreterCreate(model, options)
    }
}

/// Runs `make` while TensorFlow Lite's lines on standard error ("INFO: Created TensorFlow Lite XNNPACK delegate for
/// CPU.", a model's faults before there is a reporter) go nowhere: what matters of them is told in our own sentence.
///
/// It has no setting for that. It writes by C's `stderr`, which is a variable in glibc: for this moment it is another
/// file. What Rust writes goes to the same place as ever.
pub fn quietly<T>(make: impl FnOnce() -> T) -> T {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            static mut stderr: *mut libc::FILE;
        }
        /// Opened once and never closed: another thread may still hold it.
        static NOWHERE: AtomicPtr<libc::FILE> = AtomicPtr::new(ptr::null_mut());
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        /// Puts it back, whatever `make` does.
        struct Back(*mut libc::FILE);
        impl Drop for Back {
            fn drop(&mut self) {
                // SAFETY: as below.
                unsafe { AtomicPtr::from_ptr(&raw mut stderr) }.store(self.0, Ordering::SeqCst);
            }
        }
        let _one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if NOWHERE.load(Ordering::SeqCst).is_null() {
            // SAFETY: two C strings.
            NOWHERE.store(unsafe { libc::fopen(c"/dev/null".as_ptr(), c"w".as_ptr()) }, Ordering::SeqCst);
        }
        let nowhere = NOWHERE.load(Ordering::SeqCst);
        // SAFETY: glibc documents `stderr` as a variable that may be set. It is an aligned pointer, and is read and written
        // whole.
        let _back = (!nowhere.is_null())
            .then(|| Back(unsafe { AtomicPtr::from_ptr(&raw mut stderr) }.swap(nowhere, Ordering::SeqCst)));
        make()
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    make()
}
