//! `eyear devices`: what a station can see and hear with here, ready to be pasted into its file.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{Outcome, complain};

/// List cameras and microphones with what to write into a station file
#[derive(Args)]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Devices {
    cameras: Vec<Camera>,
    errors: Vec<String>,
}

#[derive(Serialize)]
struct Camera {
    device: String,
    path: PathBuf,
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
    let found = cameras();
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
    } else {
        for camera in &found.cameras {
            let serial = camera.serial.as_ref().map(|serial| format!(", serial {serial}")).unwrap_or_default();
            writeln!(out, "{} ({}{serial}), {}", camera.card, camera.bus, camera.path.display())?;
            for Offer { format, size: [width, height], rates } in &camera.offers {
                let rates: Vec<String> = rates.iter().take(8).map(|rate| format!("{rate:.4}")).collect();
                let rates = if rates.is_empty() { String::new() } else { format!("  at {}/s", rates.join(", ")) };
                writeln!(out, "  {format} {width:5} x {height}{rates}")?;
            }
            if camera.offers.is_empty() {
                writeln!(out, "  no format that eyear reads")?;
            }
            writeln!(out, "\n{}", snippet(camera))?;
        }
        if found.cameras.is_empty() {
            writeln!(out, "no camera")?;
        }
        found.errors.iter().for_each(|error| complain(&format!("error: {error}")));
    }
    Ok(Outcome::Good)
}

/// What a station file says of this camera.
fn snippet(camera: &Camera) -> String {
    let mut lines = vec!["[camera]".to_string(), "source = \"v4l2\"".into(), format!("device = \"{}\"", camera.device)];
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

#[cfg(target_os = "linux")]
fn cameras() -> Devices {
    let (mut cameras, mut errors) = (Vec::new(), Vec::new());
    for found in eyear::source::v4l2::list() {
        match found {
            Ok(found) => {
                let offers = found.offers.into_iter();
                let offers = offers.map(|(format, size, rates)| Offer { format, size, rates }).collect();
                let device = found.links.first().unwrap_or(&found.path).display().to_string();
                let (path, card, bus, serial) = (found.path, found.card, found.bus, found.serial);
                cameras.push(Camera { device, path, card, bus, serial, offers });
            }
            Err(error) => errors.push(error.chain()),
        }
    }
    Devices { cameras, errors }
}

#[cfg(not(target_os = "linux"))]
fn cameras() -> Devices {
    Devices { cameras: Vec::new(), errors: vec!["V4L2 cameras are there on Linux alone".into()] }
}
