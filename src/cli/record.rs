//! `eyear record`: frames of a station's camera as files, to teach from or to look at.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::engine::open_camera;
use eyear::prepare::pixels;
use eyear::sample::PixelFormat;
use eyear::sink::picture::Picture;
use eyear::source::Next;
use eyear::station::Station;

use super::{Outcome, complain, progress_bar};

/// Save frames of a station's camera as pictures, such as good parts to teach from
#[derive(Args)]
pub struct Arguments {
    /// The station's file
    station: PathBuf,
    /// Folder for the pictures; made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Frames to save
    #[arg(long, value_name = "N", default_value_t = 20)]
    frames: usize,
    /// Milliseconds between them at least
    #[arg(long, value_name = "MS", default_value_t = 0)]
    every: u64,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let station = Station::load(&arguments.station)?;
    let Some(wanted) = &station.camera else { bail!("{} has no [camera] to record", arguments.station.display()) };
    let mut camera = open_camera(wanted)?;
    complain(&format!("camera: {}", camera.describe()));
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let bar = progress_bar("recording")?;
    bar.set_length(arguments.frames as u64);
    let every = Duration::from_millis(arguments.every);
    let (mut saved, mut last) = (0, None::<Instant>);
    while saved < arguments.frames {
        match camera.next(Duration::from_secs(1))? {
            Next::Frame(frame) if last.is_none_or(|last| last.elapsed() >= every) => {
                let (ending, bytes) = match frame.format() {
                    PixelFormat::Jpeg => ("jpg", frame.pixels().to_vec()),
                    _ => ("png", Picture::of(&pixels::plain(&frame)?)?.png()?),
                };
                let path = out.join(format!("{saved:06}.{ending}"));
                if path.exists() {
                    bail!("{} is there already: give another folder", path.display());
                }
                fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
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
