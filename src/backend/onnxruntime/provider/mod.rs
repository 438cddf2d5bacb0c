//! Execution providers: who runs a model's nodes. A file each, which knows its options; this is the list of them.
//!
//! Options come as a table, from a board file or from `--provider`, and each file reads it into its own type: a field that it
//! does not know, or a value that is no option, is told by name before anything is loaded. Whether the loaded library has a
//! provider, and whether the machine has what that needs, only registering it tells; the reason is the library's own.

mod acl;
mod coreml;
mod cpu;
mod cuda;
mod directml;
mod nnapi;
mod nvrtx;
mod openvino;
mod plugin;
mod qnn;
mod tensorrt;
mod webgpu;
mod xnnpack;

use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::ep::ExecutionProviderDispatch;
use ort::session::builder::SessionBuilder;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::board;
use crate::error::{Error, ErrorKind, Result};

pub(super) use plugin::told;

/// Every provider that eyear can ask for.
pub(super) const PROVIDERS: &[&dyn Provider] = &[
    &tensorrt::TensorRt,
    &nvrtx::NvRtx,
    &cuda::Cuda,
    &openvino::OpenVino,
    &qnn::Qnn,
    &coreml::CoreMl,
    &nnapi::Nnapi,
    &directml::DirectMl,
    &webgpu::WebGpu,
    &acl::Acl,
    &xnnpack::Xnnpack,
    &plugin::Plugin,
    &cpu::Cpu,
];

/// An execution provider of ONNX Runtime.
pub(super) trait Provider: Sync {
    /// Its name in board files and arguments.
    fn name(&self) -> &'static str;

    /// Its name in ONNX Runtime, by which the library lists it and tells where nodes went. A plug-in's is its own.
    fn id(&self) -> &'static str;

    /// Reads its options and puts it behind those that a session may use already.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the option; [`ErrorKind::Unavailable`] with the library's own words.
    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder>;
}

/// What is asked for, and what a provider may use.
pub(super) struct Wanted<'a> {
    /// Name and options, as they are written.
    pub asked: &'a board::Provider,
    /// Threads of a session, for providers that have a pool of their own.
    pub threads: usize,
    /// A folder for what is built once and kept, of this very model, library, driver and options.
    pub cache: Option<PathBuf>,
    pub environment: &'a Environment,
}

impl Wanted<'_> {
    /// The options as the provider's own type.
    fn options<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(self.asked.options.clone()).map_err(|error| {
            let what = format!("provider `{}`: {}", self.asked.name, error.message().trim_end());
            Error::new(ErrorKind::Config, what)
        })
    }

    /// The folder for what is built once, as text; it is made here. None where it cannot be: then all is built anew each time.
    fn cache(&self) -> Option<String> {
        let dir = self.cache.as_ref()?;
        std::fs::create_dir_all(dir).ok()?;
        Some(dir.display().to_string())
    }

    /// Puts a provider of the library behind the others.
    fn register(&self, builder: SessionBuilder, provider: ExecutionProviderDispatch) -> Result<SessionBuilder> {
        builder.with_execution_providers([provider.error_on_failure()]).map_err(|error| self.unavailable(&error))
    }

    fn unavailable(&self, why: &impl std::fmt::Display) -> Error {
        // The library's words begin with its source file and function, which tell a user nothing.
        let why = why.to_string();
        let why = why.lines().next().unwrap_or_default();
        let why = why.rsplit_once("] ").map_or(why, |(_, why)| why);
        let why = why.split_once(" was false. ").map_or(why, |(_, why)| why).trim();
        Error::new(ErrorKind::Unavailable, format!("provider `{}` cannot be used here: {why}", self.asked.name))
    }
}

/// Where in `root` a provider keeps what it builds: a folder for each model, its sizes, version of the library, driver and set
/// of options, so that what was built for another is never taken.
pub(super) fn cache_of(
    root: &Path,
    model: &[u8],
    library: &str,
    sizes: &[(String, i64)],
    asked: &board::Provider,
) -> PathBuf {
    // What NVIDIA's kernel module says of itself; other drivers come with the library of their provider.
    let driver = std::fs::read("/proc/driver/nvidia/version").unwrap_or_default();
    let options = asked.options.to_string();
    let mut hash = Sha256::new();
    let sizes = format!("{sizes:?}");
    for of in [model, library.as_bytes(), &driver, sizes.as_bytes(), asked.name.as_bytes(), options.as_bytes()] {
        hash.update((of.len() as u64).to_le_bytes());
        hash.update(of);
    }
    let key: String = hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    root.join(format!("{}-{key}", asked.name))
}

/// The provider of this name.
///
/// # Errors
/// [`ErrorKind::Config`] listing those there are.
pub(super) fn find(name: &str) -> Result<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.name() == name).ok_or_else(|| {
        let known: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name()).collect();
        Error::new(ErrorKind::Config, format!("no provider `{name}`; it is one of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, options: &str) -> board::Provider {
        board::Provider { name: name.into(), options: toml::from_str(options).unwrap() }
    }

    /// Appends a provider to a session of the real library.
    fn append(name: &str, options: &str) -> Result<SessionBuilder> {
        let super::super::Runtime { environment, .. } = super::super::runtime().unwrap();
        let asked = asked(name, options);
        let wanted =
            Wanted { asked: &asked, threads: 1, cache: Some(std::env::temp_dir().join("eyear-engines")), environment };
        find(name)?.append(&wanted, ort::session::Session::builder(environment).unwrap())
    }

    #[test]
    fn each_has_a_name_of_its_own() {
        for (i, provider) in PROVIDERS.iter().enumerate() {
            assert_eq!(PROVIDERS.iter().position(|other| other.name() == provider.name()), Some(i));
            assert!(find(provider.name()).is_ok());
        }
        assert!(find("tpu").err().unwrap().message().contains("openvino"));
    }

    #[test]
    fn what_is_built_for_one_is_never_taken_for_another() {
        let of = |model: &[u8], library, options| {
            cache_of(Path::new("/c"), model, library, &[], &asked("tensorrt", options))
        };
        let one = of(b"model", "1.28.0", "fp16 = true");
        assert_eq!(one, of(b"model", "1.28.0", "fp16 = true"));
        for other in [
            of(b"other", "1.28.0", "fp16 = true"),
            of(b"model", "1.29.0", "fp16 = true"),
            of(b"model", "1.28.0", "fp16 = false"),
            // No two lists of fields run together to the same bytes.
            of(b"model1", ".28.0", "fp16 = true"),
        ] {
            assert_ne!(one, other);
        }
        assert!(one.starts_with("/c") && one.to_string_lossy().contains("tensorrt-"));
    }

    #[test]
    fn options_are_read_before_anything_is_loaded() {
        for (name, options, words) in [
            ("cuda", "devise = 1", "devise"),
            ("cuda", "device = 'first'", "invalid type"),
            ("tensorrt", "fp17 = true", "fp17"),
            ("tensorrt", "dla_core = -1", "invalid value"),
            ("openvino", "device = 3", "invalid type"),
            ("coreml", "units = 'gpu'", "gpu"),
            ("nnapi", "fp16 = 1", "invalid type"),
            ("qnn", "performance = 'fast'", "fast"),
            ("webgpu", "layout = 'wide'", "wide"),
            ("directml", "power = 'max'", "max"),
            ("acl", "fast = true", "fast"),
            ("nvrtx", "x = 1", "x"),
            ("xnnpack", "threads = 0", "invalid value"),
            ("plugin", "name = 'x'", "library"),
            // What was recorded would be played back with the first picture for ever: the pictures are in the host's memory.
            ("cuda", "graph = true", "graph"),
            ("webgpu", "graph = true", "graph"),
            ("cpu", "arena = 3", "invalid type"),
        ] {
            let error = append(name, options).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Config, "{name}: {}", error.message());
            assert!(error.message().contains(&format!("`{name}`")), "{}", error.message());
            assert!(error.message().contains(words), "{name}: {}", error.message());
        }
    }

    /// The library that the set-up fetches has the CPU alone: all others are refused in its own words.
    #[test]
    fn what_the_library_lacks_is_told_with_its_reason() {
        let has = super::super::providers().unwrap();
        for (name, options) in [
            ("tensorrt", "fp16 = true\nint8 = true\nworkspace_mb = 64\ndla_core = 0\ncontext = true"),
            ("nvrtx", "device = 0\nworkspace_mb = 64"),
            ("cuda", "device = 0\nmemory_mb = 100\nsearch = 'heuristic'\ntf32 = false\nnhwc = true"),
            ("openvino", "device = 'CPU'\nprecision = 'ACCURACY'\nstreams = 1"),
            ("qnn", "library = 'libQnnHtp.so'\nperformance = 'burst'\nfp16 = true\nsoc = 30"),
            ("coreml", "units = 'neural-engine'\nformat = 'program'\nstatic_shapes = true"),
            ("nnapi", "fp16 = true\nnchw = true\ncpu = false"),
            ("directml", "device = 0"),
            ("directml", "power = 'saving'\nfilter = 'npu'"),
            ("webgpu", "device = 0\nlayout = 'nhwc'"),
            ("acl", "fast_math = true"),
            ("xnnpack", "threads = 2"),
        ] {
            let id = find(name).unwrap().id();
            if has.iter().any(|provider| provider == id) {
                continue;
            }
            let error = append(name, options).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {}", error.message());
            let start = format!("provider `{name}` cannot be used here: ");
            let why = error.message().strip_prefix(&start).unwrap();
            assert!(why.len() > 10 && !why.contains(".cc:"), "{name}: {why}");
        }
        let missing = append("plugin", "library = '/nowhere/libep.so'").err().unwrap();
        assert_eq!(missing.kind(), ErrorKind::Unavailable);
        assert!(missing.message().contains("/nowhere/libep.so"), "{}", missing.message());
        assert!(append("cpu", "arena = false").is_ok());
    }
}
