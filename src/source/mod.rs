//! Where samples come from: one file a source, each behind [`Source`]. Each brings its driver's time to one clock at
//! its own door. Opening again what broke is left to `engine`.

use std::time::Duration;

use crate::error::Result;
use crate::sample::{Frame, Sound};
#[cfg(feature = "station")]
use crate::station::{Camera, Microphone};

// What sources share.
mod beat;
mod ffmpeg;
pub mod pace;
#[cfg_attr(not(feature = "station"), expect(dead_code, reason = "cameras share the rest of it"))]
mod pool;
#[cfg(feature = "station")]
pub mod ring;
#[cfg(feature = "station")]
mod stamps;

// The sources.
pub mod film;
#[cfg(feature = "gige")]
pub mod gige;
#[cfg(feature = "station")]
pub mod microphone;
#[cfg(feature = "gstreamer")]
pub mod pipeline;
pub mod recording;
pub mod synthetic;
#[cfg(all(target_os = "linux", feature = "station"))]
pub mod v4l2;

/// A camera, a microphone or a recording that is open and delivers.
pub trait Source: Send {
    /// What it is and how it delivers, in one line for people, such as `Cam 42 (usb-1.2): 1920 x 1080 YUYV, 30/s`.
    fn describe(&self) -> String;

    /// What comes next, waiting for it up to `patience`.
    ///
    /// # Errors
    /// When the source is of no use any more: unplugged, stuck, of another format than it said. It is to be dropped
    /// and opened anew; [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where it may come back by itself.
    fn next(&mut self, patience: Duration) -> Result<Next>;
}

/// Opens the camera that a station means.
///
/// # Errors
/// As the source says.
#[cfg(feature = "station")]
pub fn open_camera(camera: &Camera) -> Result<Box<dyn Source>> {
    Ok(match camera {
        #[cfg(target_os = "linux")]
        Camera::V4l2(wanted) => Box::new(v4l2::V4l2::open(wanted)?),
        #[cfg(not(target_os = "linux"))]
        Camera::V4l2(_) => {
            return Err(crate::Error::new(crate::ErrorKind::Unavailable, "V4L2 cameras are there on Linux alone"));
        }
        #[cfg(feature = "gige")]
        Camera::Gige(wanted) => Box::new(gige::Gige::open(wanted)?),
        #[cfg(not(feature = "gige"))]
        Camera::Gige(_) => return Err(built_without("gige")),
        #[cfg(feature = "gstreamer")]
        Camera::Gstreamer(wanted) => Box::new(pipeline::Pipeline::open(wanted)?),
        #[cfg(not(feature = "gstreamer"))]
        Camera::Gstreamer(_) => return Err(built_without("gstreamer")),
        Camera::Recording(wanted) => film::open(wanted)?,
        Camera::Synthetic(wanted) => Box::new(synthetic::Synthetic::new(wanted)),
    })
}

/// What is said of a source that this build has not.
#[cfg(all(feature = "station", not(all(feature = "gige", feature = "gstreamer"))))]
fn built_without(feature: &str) -> crate::Error {
    let what = format!("this eyear was built without {feature}; build it with `cargo build --features {feature}`");
    crate::Error::new(crate::ErrorKind::Config, what)
}

/// Opens the microphone that a station means.
///
/// # Errors
/// As the source says.
#[cfg(feature = "station")]
pub fn open_microphone(microphone: &Microphone) -> Result<Box<dyn Source>> {
    Ok(match microphone {
        Microphone::Alsa(wanted) => Box::new(microphone::Microphone::open(wanted)?),
        Microphone::Recording(wanted) => Box::new(recording::sound::SoundFile::open(wanted)?),
    })
}

/// Refuses another camera than that of the serial number that a station wants, if it wants one.
#[cfg(all(feature = "station", any(target_os = "linux", feature = "gige")))]
fn same_camera(place: &str, wanted: Option<&str>, found: Option<String>) -> Result<()> {
    use crate::error::{Error, ErrorKind};

    match wanted {
        Some(serial) if found.as_deref() != Some(serial) => {
            let found = found.map_or("has none".into(), |found| format!("has `{found}`"));
            let what = format!("{place} is another camera: its serial number should be `{serial}`, it {found}");
            Err(Error::new(ErrorKind::Unavailable, what))
        }
        _ => Ok(()),
    }
}

/// What a source delivers.
#[derive(Debug)]
pub enum Next {
    /// A picture.
    Frame(Frame),
    /// The sound since the last one.
    Sound(Sound),
    /// Something was lost or damaged; the source goes on.
    Fault(Fault),
    /// Nothing came within the patience.
    Nothing,
    /// A recording is over: nothing will come any more.
    End,
}

/// A fault that a source lived through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of.
    pub kind: FaultKind,
    /// How many frames or samples of one channel it cost, at least; 1 where that cannot be told.
    pub count: u64,
    /// What was seen, in one sentence.
    pub detail: String,
}

/// What may befall a source. The words are those of statistics and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Frames that the driver counted but did not deliver.
    Lost,
    /// A frame that came damaged, or samples that are no numbers.
    Damaged,
    /// Samples that nobody fetched in time.
    Overrun,
    /// Time stamps that jumped.
    ClockStep,
    /// Nothing came for long.
    Stalled,
    /// The source broke and was opened anew.
    Reopened,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Lost, Self::Damaged, Self::Overrun, Self::ClockStep, Self::Stalled, Self::Reopened];

    /// The kind as one word, as it stands in JSON output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Damaged => "damaged",
            Self::Overrun => "overrun",
            Self::ClockStep => "clock_step",
            Self::Stalled => "stalled",
            Self::Reopened => "reopened",
        }
    }
}
