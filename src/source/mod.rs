//! Sources of frames and sound, one file each, all behind [`Source`]. Each converts its driver's time to one clock.
//! Reopening after a failure is left to `engine`.

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

/// An open camera, microphone or recording.
pub trait Source: Send {
    /// Device and settings in one line, such as `Cam 42 (usb-1.2): 1920 x 1080 YUYV, 30/s`.
    fn describe(&self) -> String;

    /// The next item; waits up to `patience`.
    ///
    /// # Errors
    /// If the source is unusable: unplugged, stuck, or with a changed format. Drop it and open it again;
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if it may return by itself.
    fn next(&mut self, patience: Duration) -> Result<Next>;
}

/// Opens the camera of a station.
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
            return Err(crate::Error::new(crate::ErrorKind::Unavailable, "V4L2 cameras work on Linux only"));
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

/// The error for a source that this build does not have.
#[cfg(all(feature = "station", not(all(feature = "gige", feature = "gstreamer"))))]
fn built_without(feature: &str) -> crate::Error {
    let what = format!("this eyear was built without {feature}; build it with `cargo build --features {feature}`");
    crate::Error::new(crate::ErrorKind::Config, what)
}

/// Opens the microphone of a station.
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

/// Refuses a camera whose serial number is not the expected one, if any.
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

/// An item of a source.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// The sound since the last item.
    Sound(Sound),
    /// Data was lost or damaged; the source continues.
    Fault(Fault),
    /// Nothing arrived within the patience.
    Nothing,
    /// The recording has ended.
    End,
}

/// A fault after which the source continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// Lost frames or samples of one channel, at least; 1 if unknown.
    pub count: u64,
    /// Description in one sentence.
    pub detail: String,
}

/// Kinds of faults, as named in statistics and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Frames that the driver counted but did not deliver.
    Lost,
    /// Damaged frames, or samples that are NaN.
    Damaged,
    /// Samples that were not fetched in time.
    Overrun,
    /// Time stamps that jumped.
    ClockStep,
    /// No data for a long time.
    Stalled,
    /// The source failed and was reopened.
    Reopened,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Lost, Self::Damaged, Self::Overrun, Self::ClockStep, Self::Stalled, Self::Reopened];

    /// The kind as one word, as in JSON output.
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
