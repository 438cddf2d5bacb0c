//! `eyear record`: saves frames of a station's camera, or clips of its cycles, as files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::engine::{self, Failover, Outlets, Outside, Requests, Stats};
use eyear::prepare::pixels;
use eyear::sample::PixelFormat;
use eyear::show::picture::Picture;
use eyear::sink::films::{self, Films};
use eyear::source::Next;
use eyear::source::open_camera;
use eyear::station::Station;

use super::run::{asks_by_lines, told};
use super::{Outcome, complain, progress_bar};

/// Save images from a station's camera, for example to teach from; clips at its trigger if the station has a [cycle]
#[derive(Args)]
#[command(after_help = "Examples:
  eyear record station.toml --out good/ --frames 20")]
pub struct Arguments {
    /// The station's file
    station: PathBuf,
    /// Folder for the images or clips; created if missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of images or clips
    #[arg(long, value_name = "N", default_value_t = 20)]
    frames: usize,
    /// Least time between images, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    every: u64,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let station = Station::load(&arguments.station)?;
    let stop = super::stopped_by_signals()?;
    let Some(wanted) = &station.camera else { bail!("{} has no [camera] to record", arguments.station.display()) };
    if station.cycle.is_some() {
        return films(arguments, &station, stop);
    }
    let mut camera = open_camera(wanted)?;
    complain(&format!("camera: {}", camera.describe()));
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    films::sweep(out);
    let bar = progress_bar("recording")?;
    bar.set_length(arguments.frames as u64);
    let every = Duration::from_millis(arguments.every);
    let (mut saved, mut last) = (0, None::<Instant>);
    while saved < arguments.frames && !stop.load(Ordering::Relaxed) {
        match camera.next(Duration::from_secs(1))? {
            Next::Frame(frame) if last.is_none_or(|last| last.elapsed() >= every) => {
                let (ending, bytes) = match frame.format() {
                    PixelFormat::Jpeg => ("jpg", frame.pixels().to_vec()),
                    _ => ("png", Picture::of(&pixels::plain(&frame)?)?.png()?),
                };
                let path = out.join(format!("{saved:06}.{ending}"));
                films::keep(&path, &bytes)?;
                (saved, last) = (saved + 1, Some(Instant::now()));
                bar.inc(1);
            }
            Next::Fault(fault) => bar.suspend(|| complain(&format!("{}: {}", fault.kind.as_str(), fault.detail))),
            Next::End => break,
            _ => {}
        }
    }
    bar.finish_and_clear();
    complain(&format!("{saved} frames in {}", out.display()));
    Ok(Outcome::Good)
}

/// Films as the station would judge them.
fn films(arguments: &Arguments, station: &Station, enough: Arc<AtomicBool>) -> Result<Outcome> {
    if arguments.every > 0 {
        bail!("--every is for images: clips are taken at the station's trigger");
    }
    let films = Films::create(&arguments.out, arguments.frames, Arc::clone(&enough), Box::new(complain))?;
    let (ask, requests) = Requests::new();
    asks_by_lines(station, &ask)?;
    let outside = Outside { stop: &enough, requests, moments: None, throttle: None, failover: Failover::default() };
    let outlets = Outlets { sinks: vec![Box::new(films)], writer: None, voice: None };
    let stats = Stats::new(&station.name);
    engine::run(station, None, outlets, outside, &stats, &mut |event| complain(&told(event)))?;
    Ok(Outcome::Good)
}
