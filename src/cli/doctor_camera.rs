//! `eyear doctor camera`: checks the images and the timing of a camera.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use eyear::prepare::pixels::Developer;
use eyear::prepare::watch::{Seeing, Watcher};
use eyear::source::open_camera;
use eyear::source::{FaultKind, Next, Source};
use eyear::station::{Camera, Station, V4l2};
use eyear::time::Stamp;
use serde::Serialize;

use super::Outcome;
use super::table::Printed;

/// Check the images and the timing of a camera
#[derive(Args)]
pub struct Arguments {
    /// /dev/videoN, a name in /dev/v4l/by-id or by-path, or a serial number
    #[arg(long, value_name = "DEVICE", default_value = "/dev/video0")]
    device: String,
    /// Use the camera and settings of this station file
    #[arg(long, value_name = "STATION.TOML", conflicts_with_all = ["device", "format", "size", "rate"])]
    station: Option<PathBuf>,
    /// Number of frames to check
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    frames: u32,
    /// FourCC, such as YUYV or MJPG [default: the camera's own]
    #[arg(long, value_name = "FOURCC")]
    format: Option<String>,
    /// Width and height, such as 1920x1080 [default: the camera's own]
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: Option<[u32; 2]>,
    /// Frames a second [default: the camera's own]
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once('x').map(|(width, height)| (width.parse(), height.parse()));
    match sides {
        Some((Ok(width), Ok(height))) if width > 0 && height > 0 => Ok([width, height]),
        _ => Err(format!("wants WIDTHxHEIGHT in pixels, such as 1920x1080, got `{text}`")),
    }
}

/// All that was found.
#[derive(Serialize)]
struct Findings {
    device: String,
    about: String,
    frames: usize,
    /// Frames a second by their stamps.
    rate: f64,
    /// Milliseconds between frames: the median, and the longest.
    interval_ms: [f64; 2],
    /// Milliseconds from a frame's stamp to its arrival: the median, and the longest.
    delay_ms: [f64; 2],
    lost: u64,
    damaged: u64,
    clock_steps: u64,
    /// Whether other devices of this machine can read its memory without a copy (DMABUF); null of what is no V4L2
    /// camera.
    dmabuf: Option<bool>,
    #[serde(flatten)]
    seeing: Seeing,
    /// What to mend, a sentence each.
    mend: Vec<String>,
    healthy: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let findings = look(arguments)?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&findings)?)?,
        false => tell(&mut Printed(&mut out), &findings)?,
    }
    Ok(if findings.healthy { Outcome::Good } else { Outcome::Bad })
}

fn look(arguments: &Arguments) -> Result<Findings> {
    let (device, settings) = match &arguments.station {
        Some(file) => {
            let name = file.display().to_string();
            let Some(camera) = Station::load(file)?.camera else { bail!("{name} has no [camera]") };
            (name, camera)
        }
        None => {
            let settings = V4l2 {
                device: arguments.device.clone(),
                serial: None,
                format: arguments.format.clone(),
                size: arguments.size,
                rate: arguments.rate,
                controls: Default::default(),
                stall_ms: 3000,
            };
            (arguments.device.clone(), Camera::V4l2(settings))
        }
    };
    let (mut camera, dmabuf): (Box<dyn Source>, _) = match &settings {
        #[cfg(target_os = "linux")]
        Camera::V4l2(wanted) => {
            let camera = eyear::source::v4l2::V4l2::open(wanted)?;
            let shared = camera.export(0).is_ok();
            (Box::new(camera), Some(shared))
        }
        other => (open_camera(other)?, None),
    };
    let bar = super::progress_bar("looking")?;
    bar.set_length(arguments.frames.into());
    let (mut watcher, mut developer) = (Watcher::default(), Developer::default());
    let (mut stamps, mut delays) = (Vec::new(), Vec::new());
    let (mut lost, mut damaged, mut clock_steps) = (0, 0, 0);
    // Of twice as many that come, all are not damaged.
    while stamps.len() < arguments.frames as usize && damaged <= u64::from(arguments.frames) {
        match camera.next(Duration::from_secs(1))? {
            Next::Frame(frame) => {
                delays.push(Stamp::now().ms_since(frame.stamp));
                stamps.push(frame.stamp);
                match developer.develop(&frame, [frame.height(), frame.width()]) {
                    Ok(planes) => watcher.see(&planes),
                    Err(_) => damaged += 1,
                }
                bar.inc(1);
            }
            Next::Fault(fault) => match fault.kind {
                FaultKind::Lost => lost += fault.count,
                FaultKind::ClockStep => clock_steps += fault.count,
                _ => damaged += fault.count,
            },
            // A recording may be shorter than asked.
            Next::End if !stamps.is_empty() => break,
            Next::End => bail!("{device} has no image"),
            _ => {}
        }
    }
    bar.finish_and_clear();
    let (Some(first), Some(last)) = (stamps.first(), stamps.last()) else {
        bail!("{device}: all {damaged} frames were damaged");
    };
    let rate = (stamps.len() - 1) as f64 / (last.ms_since(*first) / 1e3).max(1e-9);
    let intervals = stamps.windows(2).map(|pair| pair[1].ms_since(pair[0])).collect();
    let seeing = watcher.seeing();
    let mut findings = Findings {
        device,
        about: camera.describe(),
        frames: stamps.len(),
        rate,
        interval_ms: middle_and_most(intervals),
        delay_ms: middle_and_most(delays),
        lost,
        damaged,
        clock_steps,
        dmabuf,
        seeing,
        mend: seeing.advice(),
        healthy: false,
    };
    findings.mend.extend(advice(&findings));
    findings.healthy = findings.mend.is_empty();
    Ok(findings)
}

fn middle_and_most(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [values.get(values.len() / 2).copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0)]
}

/// What to mend in how the frames came.
fn advice(findings: &Findings) -> Vec<String> {
    let mut mend = Vec::new();
    let Findings { lost, damaged, clock_steps, interval_ms: [middle, most], .. } = findings;
    if *lost > 0 {
        mend.push(format!("{lost} frames were lost: reduce the load on this machine, or give the camera its own port"));
    }
    if *damaged > 0 {
        mend.push(format!("{damaged} frames were damaged: change the cable or the port, or choose a smaller size"));
    }
    if *clock_steps > 0 {
        mend.push(format!("time stamps jumped {clock_steps} times: the driver's time stamps are unreliable, arrival times are used instead"));
    }
    if *most > 2.5 * middle && *lost == 0 {
        mend.push(format!("{most:.0} ms passed between two frames, usually {middle:.0} ms: set a fixed exposure time, or reduce the load on this machine"));
    }
    mend
}

fn tell(out: &mut impl std::io::Write, findings: &Findings) -> Result<()> {
    let Findings { about, frames, rate, interval_ms, delay_ms, lost, damaged, .. } = findings;
    let Seeing { brightness, black, white, contrast, sharpness, noise, flicker } = findings.seeing;
    writeln!(out, "{about}")?;
    writeln!(
        out,
        "  delivery   {frames} frames at {rate:.2}/s, {:.1} ms apart, at most {:.1} ms",
        interval_ms[0], interval_ms[1]
    )?;
    writeln!(
        out,
        "             {:.1} ms from exposure to arrival, at most {:.1} ms; {lost} lost, {damaged} damaged",
        delay_ms[0], delay_ms[1]
    )?;
    let (black, white) = (100.0 * black, 100.0 * white);
    writeln!(
        out,
        "  exposure   mean {brightness:.0} of 255, {black:.1} % black, {white:.1} % white, contrast {contrast:.1}"
    )?;
    writeln!(out, "  focus      sharpness {sharpness:.1}")?;
    writeln!(out, "  noise      {noise:.1} levels from frame to frame, flicker {flicker:.1}")?;
    if let Some(dmabuf) = findings.dmabuf {
        let shares = if dmabuf { "can share its frames" } else { "cannot share its frames" };
        writeln!(out, "  memory     {shares} with other devices without a copy (DMABUF)")?;
    }
    for line in &findings.mend {
        writeln!(out, "  fix        {line}")?;
    }
    if findings.healthy {
        writeln!(out, "  ok         no fault found")?;
    }
    Ok(())
}
