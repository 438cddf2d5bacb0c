//! `eyear devices`: cameras and microphones, with lines to paste into a station file.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use eyear::source::microphone::{self, Found as Microphone};
use serde::Serialize;

use super::table::Printed;
use super::{Outcome, complain};

/// List cameras and microphones with the lines for a station file
#[derive(Args)]
#[command(after_help = "Examples:
  eyear devices
  eyear devices --json")]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Devices {
    cameras: Vec<Camera>,
    microphones: Vec<Microphone>,
    errors: Vec<String>,
}

#[derive(Serialize)]
struct Camera {
    /// As a station names it: `v4l2` or `gige`.
    source: &'static str,
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    card: String,
    bus: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    offers: Vec<Offer>,
}

#[derive(Serialize)]
struct Offer {
    format: String,
    size: [u32; 2],
    rates: Vec<f64>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let (mut cameras, mut errors) = (Vec::new(), Vec::new());
    for found in v4l2_cameras().into_iter().chain(gige_cameras()) {
        match found {
            Ok(camera) => cameras.push(camera),
            Err(error) => errors.push(error.chain()),
        }
    }
    let microphones = microphone::list().unwrap_or_else(|error| {
        errors.push(error.chain());
        Vec::new()
    });
    let found = Devices { cameras, microphones, errors };
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
    } else {
        let mut out = Printed(&mut out);
        for camera in &found.cameras {
            let serial = camera.serial.as_ref().map(|serial| format!(", serial {serial}")).unwrap_or_default();
            let path = camera.path.as_ref().map(|path| format!(", {}", path.display())).unwrap_or_default();
            writeln!(out, "{} ({}{serial}){path}", camera.card, camera.bus)?;
            for Offer { format, size: [width, height], rates } in &camera.offers {
                let rates: Vec<String> = rates.iter().take(8).map(|rate| format!("{rate:.4}")).collect();
                let rates = if rates.is_empty() { String::new() } else { format!("  at {}/s", rates.join(", ")) };
                writeln!(out, "  {format} {width:5} x {height}{rates}")?;
            }
            if camera.offers.is_empty() {
                writeln!(out, "  no format that eyear supports")?;
            }
            writeln!(out, "\n{}", snippet(camera))?;
        }
        if found.cameras.is_empty() {
            writeln!(out, "no camera\n")?;
        }
        for microphone in &found.microphones {
            let Microphone { id, name, formats, rates, channels, problem } = microphone;
            writeln!(out, "{name}, {id}")?;
            if let Some(problem) = problem {
                writeln!(out, "  {problem}")?;
                continue;
            }
            let rates: Vec<String> = rates
                .iter()
                .map(|[least, most]| if least == most { least.to_string() } else { format!("{least} to {most}") })
                .collect();
            let channels: Vec<String> = channels.iter().map(ToString::to_string).collect();
            writeln!(out, "  {}; {} Hz; {} channels", formats.join(", "), rates.join(", "), channels.join(", "))?;
            writeln!(out, "\n[microphone]\nsource = \"alsa\"\ndevice = \"{id}\"\n")?;
        }
        if found.microphones.is_empty() {
            writeln!(out, "no microphone")?;
        }
        found.errors.iter().for_each(|error| complain(&format!("error: {error}")));
    }
    Ok(Outcome::Good)
}

/// What a station file says of this camera.
fn snippet(camera: &Camera) -> String {
    let Camera { source, device, .. } = camera;
    let mut lines = vec!["[camera]".into(), format!("source = \"{source}\""), format!("device = \"{device}\"")];
    if let Some(serial) = &camera.serial {
        lines.push(format!("serial = \"{serial}\""));
    }
    if let Some(Offer { format, size: [width, height], rates }) = camera.offers.first() {
        lines.push(format!("format = \"{format}\""));
        lines.push(format!("size = [{width}, {height}]"));
        lines.extend(rates.first().map(|rate| format!("rate = {}", rate.round())));
    }
    lines.join("\n") + "\n"
}

fn offers(found: Vec<(String, [u32; 2], Vec<f64>)>) -> Vec<Offer> {
    found.into_iter().map(|(format, size, rates)| Offer { format, size, rates }).collect()
}

#[cfg(target_os = "linux")]
fn v4l2_cameras() -> Vec<eyear::Result<Camera>> {
    let camera = |found: eyear::source::v4l2::Found| {
        let device = found.links.first().unwrap_or(&found.path).display().to_string();
        let (path, card, bus, serial) = (Some(found.path), found.card, found.bus, found.serial);
        Camera { source: "v4l2", device, path, card, bus, serial, offers: offers(found.offers) }
    };
    eyear::source::v4l2::list().into_iter().map(|found| found.map(camera)).collect()
}

#[cfg(not(target_os = "linux"))]
fn v4l2_cameras() -> Vec<eyear::Result<Camera>> {
    let what = "V4L2 cameras need Linux";
    vec![Err(eyear::Error::new(eyear::ErrorKind::Unavailable, what))]
}

#[cfg(feature = "gige")]
fn gige_cameras() -> Vec<eyear::Result<Camera>> {
    let camera = |found: eyear::source::gige::Found| {
        let (card, bus, serial) = (found.title, found.address, found.serial);
        Camera { source: "gige", device: found.id, path: None, card, bus, serial, offers: offers(found.offers) }
    };
    eyear::source::gige::list().into_iter().map(|found| found.map(camera)).collect()
}

#[cfg(not(feature = "gige"))]
fn gige_cameras() -> Vec<eyear::Result<Camera>> {
    Vec::new()
}
