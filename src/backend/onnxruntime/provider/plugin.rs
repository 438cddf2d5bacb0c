//! A plug-in: a provider in a library of its own, as its maker ships it. It is registered by its path, tells which devices
//! it has, and is given those that are chosen.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ort::memory::DeviceType;
use ort::session::builder::SessionBuilder;
use serde::Deserialize;

use super::{Provider, Wanted};
use crate::backend::Device;
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Plugin;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The library: a path, or the name of one beside the ONNX Runtime library. A name is not looked up in the current
    /// folder: it is code.
    library: PathBuf,
    /// What it is registered as; the file's name where nothing is said. A name that ends in `.virtual` lets some plug-ins
    /// offer devices that are not there, for compiling.
    register: Option<String>,
    /// Which kind of its devices: `cpu`, `gpu` or `npu`; all where nothing is said.
    device: Option<Kind>,
    /// Its own options, by name.
    #[serde(default)]
    options: toml::Table,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Cpu,
    Gpu,
    Npu,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Npu => "npu",
        }
    }
}

/// Libraries that are registered, and as what: once a process, for the runtime allows no second time.
static REGISTERED: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());

/// Registers a plug-in, if it is not, and lists the devices that came with it.
fn devices<'a>(wanted: &Wanted<'a>, library: &Path, name: &str) -> Result<Vec<ort::device::Device<'a>>> {
    let refused = |why: &dyn std::fmt::Display| {
        let inner = wanted.unavailable(&why);
        Error::new(ErrorKind::Unavailable, format!("{} ({})", inner.message(), library.display()))
    };
    if !library.is_file() {
        return Err(refused(&"there is no such file"));
    }
    let before: Vec<String> = wanted.environment.devices().filter_map(|device| ep(&device)).collect();
    let mut registered = REGISTERED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = registered.iter().find(|(path, _)| path == library);
    let ours = match known {
        Some((_, ep)) => ep.clone(),
        None => {
            wanted.environment.register_ep_library(name, library).map_err(|error| refused(&error))?;
            let new = wanted.environment.devices().filter_map(|device| ep(&device)).find(|ep| !before.contains(ep));
            let new = new.unwrap_or_default();
            registered.push((library.to_path_buf(), new.clone()));
            new
        }
    };
    if ours.is_empty() {
        return Err(refused(&"it was registered and has no device here"));
    }
    Ok(wanted.environment.devices().filter(|device| ep(device).as_deref() == Some(&ours)).collect())
}

fn ep(device: &ort::device::Device) -> Option<String> {
    device.ep().ok().map(ToString::to_string)
}

/// What a device of a provider is.
pub(in super::super) fn told(device: &ort::device::Device) -> Device {
    let hardware = device.hardware_device();
    Device {
        provider: ep(device).unwrap_or_default(),
        kind: match hardware.ty() {
            DeviceType::CPU => "cpu",
            DeviceType::GPU => "gpu",
            DeviceType::NPU => "npu",
            DeviceType::FPGA => "fpga",
        },
        vendor: hardware.vendor().unwrap_or_default().to_string(),
        id: hardware.id(),
    }
}

impl Provider for Plugin {
    fn name(&self) -> &'static str {
        "plugin"
    }

    fn id(&self) -> &'static str {
        ""
    }

    fn append(&self, wanted: &Wanted, builder: SessionBuilder) -> Result<SessionBuilder> {
        let Options { library, register, device, options } = wanted.options()?;
        let library = match library.parent() {
            Some(parent) if parent.as_os_str().is_empty() => super::super::runtime()?.library.with_file_name(library),
            _ => std::path::absolute(&library).unwrap_or(library),
        };
        let stem = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let all = devices(wanted, &library, &register.unwrap_or(stem))?;
        let has: Vec<&str> = all.iter().map(|device| told(device).kind).collect();
        let kind = device.map(Kind::as_str);
        let chosen: Vec<_> = all.into_iter().filter(|one| kind.is_none_or(|kind| told(one).kind == kind)).collect();
        if chosen.is_empty() {
            return Err(wanted.unavailable(&format!("it has no such device, only {}", has.join(", "))));
        }
        let name = ep(&chosen[0]).unwrap_or_default();
        let text = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), ToString::to_string);
        let options: Vec<(String, String)> =
            options.iter().map(|(key, value)| (format!("{name}.{key}"), text(value))).collect();
        builder.with_devices(chosen, Some(&options)).map_err(|error| wanted.unavailable(&error))
    }
}
