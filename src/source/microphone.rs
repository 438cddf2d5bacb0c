//! A sound card's microphone through `cpal` (ALSA): opened by a stable id, read through a ring, each chunk with a time stamp
//! of our clock. Reopening after a failure is left to `engine`.
//!
//! Time stamps. When the driver delivers a chunk, our clock is read at once. Subtracting the samples that waited in the card,
//! which the driver counts, gives the time of the first sample. The driver's own clock is only watched for steps. A delayed
//! thread sometimes reads the clock too late, so a line is fitted through positions and time stamps ([`Pace`]).
//!
//! Losses. After an overrun a card restarts without reporting the loss. It is computed from the line, and the positions jump
//! by it.

use std::collections::{BTreeSet, VecDeque};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{BufferSize, Data, InputCallbackInfo, SampleFormat, Stream, StreamConfig, SupportedBufferSize};
use rtrb::{Consumer, RingBuffer};
use serde::Serialize;

use super::pace::{Pace, Step};
use super::ring::{self, Mark, Reader, Samples, Writer};
use super::{Fault, FaultKind, Next, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::Sound;
use crate::station::Alsa;
use crate::time::Stamp;

/// Supported formats, by their names in `station.toml`, the widest first.
const FORMATS: [(&str, SampleFormat); 4] =
    [("i32", SampleFormat::I32), ("f32", SampleFormat::F32), ("i16", SampleFormat::I16), ("u8", SampleFormat::U8)];

/// A period is a second through this. `cpal` has the card hold two of them: short ones overrun on a busy machine.
const PERIODS_A_SECOND: u32 = 10;

/// Capacity of the ring in seconds, for a late reader.
const RING_SECONDS: usize = 4;

/// Interval of checking the ring. The callback wakes no thread, because that would be a system call.
const LOOK: Duration = Duration::from_millis(5);

/// Time limit of closing. With a dead sound server `cpal` waits forever.
const CLOSING: Duration = Duration::from_secs(1);

/// Largest drift of the driver's clock against ours between chunks, in nanoseconds.
const CLOCK_STEP: i64 = 100_000_000;

/// Consecutive chunks that must show a step of the driver's clock; a delayed thread causes only one.
const CLOCK_STREAK: u32 = 3;

/// An open microphone that delivers [`Sound`] in periods of about 0.1 s.
pub struct Microphone {
    id: String,
    about: String,
    /// `None` only while it is being closed.
    stream: Option<Stream>,
    reader: Reader,
    errors: Consumer<cpal::Error>,
    rate: u32,
    channels: usize,
    stall: Duration,
    /// Time of the last chunk, or of opening.
    heard: Stamp,
    pace: Pace,
    /// The next expected position, losses included.
    expected: u64,
    /// Samples of one channel lost by the card, besides those that the driver counts.
    lost: u64,
    stops: u32,
    /// Nanoseconds of our clock before the driver's, and chunks in a row that say otherwise.
    driver: Option<(i64, u32)>,
    /// Items to deliver before the next check of the ring.
    ready: VecDeque<Next>,
}

/// A microphone found by [`list`].
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Value for `device`, stable for the card.
    pub id: String,
    /// Name of the card.
    pub name: String,
    /// Offered formats among the supported ones: `i32`, `f32`, `i16`, `u8`.
    pub formats: Vec<&'static str>,
    /// Ranges of sample rates in Hz.
    pub rates: Vec<[u32; 2]>,
    /// Numbers of channels, ascending.
    pub channels: Vec<u16>,
    /// Why it cannot be opened, and how to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The microphones of this machine: cards by name, `default`, and what the user's ALSA settings add. Each is opened for
/// a moment to ask what it offers.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when there is no ALSA at all.
pub fn list() -> Result<Vec<Found>> {
    let _quiet = Quiet::new();
    let mut found = Vec::new();
    for device in host()?.devices().map_err(|error| other("ALSA", error))? {
        let Some(id) = id_of(&device).filter(|id| device.supports_input() && is_of_use(id)) else { continue };
        let mut entry = Found {
            name: name_of(&device, &id),
            id,
            formats: Vec::new(),
            rates: Vec::new(),
            channels: Vec::new(),
            problem: None,
        };
        match device.supported_input_configs() {
            Ok(offers) => {
                let offers: Vec<_> = offers.collect();
                let offered = |format| offers.iter().any(|offer| offer.sample_format() == format);
                let rates = offers.iter().map(|offer| [offer.min_sample_rate(), offer.max_sample_rate()]);
                entry.formats = FORMATS.iter().filter(|(_, format)| offered(*format)).map(|(name, _)| *name).collect();
                entry.rates = rates.collect::<BTreeSet<_>>().into_iter().collect();
                entry.channels =
                    offers.iter().map(|offer| offer.channels()).collect::<BTreeSet<_>>().into_iter().collect();
            }
            // A name in the settings with no card behind it.
            Err(error) if error.kind() == cpal::ErrorKind::DeviceNotAvailable => continue,
            Err(error) => entry.problem = Some(explain(&entry.id, error).chain()),
        }
        found.push(entry);
    }
    for node in forbidden(Path::new("/dev/snd"), may_open) {
        let id = node.display().to_string();
        let problem = Some(join_group(&node));
        let (formats, rates, channels) = (Vec::new(), Vec::new(), Vec::new());
        found.push(Found { name: "a card".into(), id, formats, rates, channels, problem });
    }
    Ok(found)
}

/// Whether a name is worth listing. ALSA adds about twenty to each card: the same by number, or through plug-ins for
/// playback.
fn is_of_use(id: &str) -> bool {
    match id.split_once(':') {
        Some(("hw", card)) => !card.trim_start_matches("CARD=").starts_with(|c: char| c.is_ascii_digit()),
        Some(_) => false,
        None => {
            !["null", "jack", "oss", "samplerate", "speex", "speexrate", "lavrate", "upmix", "vdownmix"].contains(&id)
        }
    }
}

impl Microphone {
    /// Opens and starts a microphone.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the format is unknown or not offered, with those that are offered.
    /// [`ErrorKind::Unavailable`] if it is missing, busy or not permitted, with the remedy.
    pub fn open(settings: &Alsa) -> Result<Self> {
        let _quiet = Quiet::new();
        let formats = formats(settings)?;
        let device = find(&settings.device)?;
        let period = (settings.rate / PERIODS_A_SECOND).max(1);
        for (name, format) in &formats {
            match start(&device, settings, *format, period) {
                Ok(started) => return Self::of(&device, settings, name, started),
                Err(error) if error.kind() == cpal::ErrorKind::UnsupportedConfig => {}
                Err(error) => return Err(explain(&settings.device, error)),
            }
        }
        // Either the card has no such format, or no such period: it is asked, which opens it once more.
        let offers = device.supported_input_configs().map_err(|error| explain(&settings.device, error))?;
        let offers: Vec<_> = offers.collect();
        let fits = |offer: &&cpal::SupportedStreamConfigRange, format| {
            let rates = offer.min_sample_rate()..=offer.max_sample_rate();
            offer.sample_format() == format && offer.channels() == settings.channels && rates.contains(&settings.rate)
        };
        let fitting = formats.iter().find_map(|(name, format)| {
            let offer = offers.iter().find(|offer| fits(offer, *format))?;
            Some((name, format, offer.buffer_size()))
        });
        let Some((name, format, SupportedBufferSize::Range { min, max })) = fitting else {
            return Err(not_offered(settings, &offers));
        };
        let started = start(&device, settings, *format, period.clamp(*min, (*max).max(*min)));
        Self::of(&device, settings, name, started.map_err(|error| explain(&settings.device, error))?)
    }

    fn of(device: &cpal::Device, settings: &Alsa, format: &str, started: Started) -> Result<Self> {
        let Started { stream, reader, errors } = started;
        let period = stream.buffer_size().map(|frames| f64::from(frames) * 1e3 / f64::from(settings.rate));
        let about = format!(
            "{} ({}): {} Hz, {}, {format}, {:.0} ms at a time",
            settings.device,
            name_of(device, &settings.device),
            settings.rate,
            plural(settings.channels.into(), "channel"),
            period.unwrap_or(0.0),
        );
        Ok(Self {
            id: settings.device.clone(),
            about,
            stream: Some(stream),
            reader,
            errors,
            rate: settings.rate,
            channels: settings.channels.into(),
            stall: Duration::from_millis(settings.stall_ms),
            heard: Stamp::now(),
            pace: Pace::new(settings.rate),
            expected: 0,
            lost: 0,
            stops: 0,
            driver: None,
            ready: VecDeque::with_capacity(8),
        })
    }

    /// The card's sample rate by our clock, in Hz; the nominal rate during the first 5 s.
    pub fn measured_rate(&self) -> f64 {
        self.pace.rate()
    }

    /// Queues the items of a chunk: faults first, then the sound.
    fn take(&mut self, mark: Mark, samples: Arc<[f32]>) -> Result<()> {
        // When it was read, not when it came: a reader who was late must not take that for a stuck card.
        self.heard = Stamp::now();
        let mut position = mark.position + self.lost;
        let unread = position.saturating_sub(self.expected);
        if unread > 0 {
            self.fault(
                FaultKind::Overrun,
                unread,
                format!("{unread} samples were not fetched within {RING_SECONDS} s"),
            );
        }
        if mark.stops != self.stops {
            let times = mark.stops.wrapping_sub(self.stops);
            self.stops = mark.stops;
            let lost = self.pace.resume(position, mark.stamp);
            (self.lost, position) = (self.lost + lost, position + lost);
            let detail = format!("the card overran {} and lost about {lost} samples", plural(times.into(), "time"));
            self.fault(FaultKind::Overrun, lost.max(1), detail);
        } else {
            match self.pace.mark(position, mark.stamp) {
                Step::Steady => {}
                Step::Lost(lost) => {
                    (self.lost, position) = (self.lost + lost, position + lost);
                    self.fault(FaultKind::Overrun, lost, format!("about {lost} samples are missing, and nobody told"));
                }
                Step::Back(ns) => {
                    let detail = format!("samples came {:.0} ms before their time", ns as f64 / 1e6);
                    self.fault(FaultKind::ClockStep, 1, detail);
                }
            }
        }
        self.watch_the_driver(&mark);
        self.expected = position + mark.frames as u64;
        let damaged = samples.iter().filter(|sample| !sample.is_finite()).count();
        let samples = match damaged {
            0 => samples,
            _ => {
                let detail = format!("{damaged} samples are no numbers; they are silence now");
                self.fault(FaultKind::Damaged, damaged.div_ceil(self.channels) as u64, detail);
                samples.iter().map(|&sample| if sample.is_finite() { sample } else { 0.0 }).collect()
            }
        };
        let mut sound = Sound::new(samples, self.rate, self.channels)?;
        sound.position = position;
        sound.stamp = self.pace.stamp(position).unwrap_or(mark.stamp);
        self.ready.push_back(Next::Sound(sound));
        Ok(())
    }

    fn watch_the_driver(&mut self, mark: &Mark) {
        let ahead = mark.arrival.ns as i64 - mark.driver_ns as i64;
        let (known, streak) = self.driver.unwrap_or((ahead, 0));
        let step = known - ahead;
        self.driver = match step.abs() > CLOCK_STEP {
            false => Some((ahead, 0)),
            true if streak + 1 < CLOCK_STREAK => Some((known, streak + 1)),
            true => {
                let detail = format!("the driver's clock jumped by {:.0} ms; ours goes on", step as f64 / 1e6);
                self.fault(FaultKind::ClockStep, 1, detail);
                Some((ahead, 0))
            }
        };
    }

    fn fault(&mut self, kind: FaultKind, count: u64, detail: String) {
        self.ready.push_back(Next::Fault(Fault { kind, count, detail: format!("microphone {}: {detail}", self.id) }));
    }
}

impl Source for Microphone {
    fn describe(&self) -> String {
        self.about.clone()
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        let end = Stamp::now().after(patience);
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Ok(next);
            }
            if let Some((mark, samples)) = self.reader.read() {
                self.take(mark, samples)?;
                continue;
            }
            if let Ok(error) = self.errors.pop() {
                return Err(explain(&self.id, error));
            }
            let now = Stamp::now();
            if now > self.heard.after(self.stall) {
                let what = format!("microphone {} gave no sample for {} ms", self.id, self.stall.as_millis());
                return Err(Error::new(ErrorKind::Unavailable, what));
            }
            if now >= end {
                return Ok(Next::Nothing);
            }
            std::thread::sleep(LOOK.min(Duration::from_nanos(end.ns - now.ns)));
        }
    }
}

impl Drop for Microphone {
    /// Closes the stream on its own thread and waits for it up to one second.
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        let (done, closed) = std::sync::mpsc::sync_channel(1);
        let close = move || {
            drop(stream);
            let _nobody_waits = done.try_send(());
        };
        // Where there is no thread to be had, the stream has been closed here.
        if std::thread::Builder::new().name("microphone-close".into()).spawn(close).is_ok() {
            let _given_up = closed.recv_timeout(CLOSING);
        }
    }
}

struct Started {
    stream: Stream,
    reader: Reader,
    errors: Consumer<cpal::Error>,
}

/// Opens the device with these settings and starts it.
fn start(
    device: &cpal::Device,
    settings: &Alsa,
    format: SampleFormat,
    period: u32,
) -> std::result::Result<Started, cpal::Error> {
    let channels = usize::from(settings.channels);
    let (writer, stops, reader) = ring::ring(channels, RING_SECONDS * settings.rate as usize);
    let (mut tell, errors) = RingBuffer::new(16);
    let config = StreamConfig {
        channels: settings.channels,
        sample_rate: settings.rate,
        buffer_size: BufferSize::Fixed(period),
    };
    let broken = move |error: cpal::Error| match error.kind() {
        cpal::ErrorKind::Xrun => stops.count(),
        cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged => {}
        // The first sixteen say enough.
        _ => drop(tell.push(error)),
    };
    // With a timeout `cpal` looks now and then whether a silent device is gone.
    let timeout = Some(Duration::from_millis(500));
    let stream = device.build_input_stream_raw(config, format, handed_over(writer, settings.rate), broken, timeout)?;
    stream.play()?;
    Ok(Started { stream, reader, errors })
}

/// The callback: no lock, no allocation, no output.
fn handed_over(mut writer: Writer, rate: u32) -> impl FnMut(&Data, &InputCallbackInfo) + Send + 'static {
    let channels = writer.channels() as u64;
    move |data, info| {
        let arrival = Stamp::now();
        let samples = match data.sample_format() {
            SampleFormat::F32 => data.as_slice().map(Samples::F32),
            SampleFormat::I32 => data.as_slice().map(Samples::I32),
            SampleFormat::I16 => data.as_slice().map(Samples::I16),
            SampleFormat::U8 => data.as_slice().map(Samples::U8),
            _ => None,
        };
        let Some(samples) = samples else { return };
        // All of it waited at least as long as it lasts, and no card holds a second more.
        let least = Duration::from_nanos(data.len() as u64 / channels * 1_000_000_000 / u64::from(rate));
        let time = info.timestamp();
        let waited = time.callback.checked_duration_since(time.capture).unwrap_or(least);
        let waited = waited.clamp(least, least + Duration::from_secs(1));
        writer.write(samples, arrival.before(waited), arrival, time.callback.as_nanos() as u64);
    }
}

fn host() -> Result<cpal::Host> {
    cpal::host_from_id(cpal::HostId::Alsa).map_err(|error| other("ALSA", error))
}

fn id_of(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.id().to_string())
}

/// The name on the first line of its description.
fn name_of(device: &cpal::Device, id: &str) -> String {
    device.description().map_or_else(|_| id.to_string(), |about| about.name().to_string())
}

fn find(id: &str) -> Result<cpal::Device> {
    let host = host()?;
    let device = match id {
        "default" => host.default_input_device(),
        _ => host.device_by_id(&cpal::DeviceId::new(cpal::HostId::Alsa, id)),
    };
    device.ok_or_else(|| {
        if let Some(node) = forbidden(Path::new("/dev/snd"), may_open).first() {
            return Error::new(ErrorKind::Unavailable, format!("no microphone `{id}`; {}", join_group(node)));
        }
        let inputs = host.devices().into_iter().flatten().filter(|device| device.supports_input());
        let known: Vec<String> = inputs.filter_map(|device| id_of(&device)).filter(|id| is_of_use(id)).collect();
        let known = match known.is_empty() {
            true => "this machine has none that ALSA knows".to_string(),
            false => format!("there are `{}`", known.join("`, `")),
        };
        Error::new(ErrorKind::Unavailable, format!("no microphone `{id}`; {known}"))
    })
}

/// The formats to try, the best first.
fn formats(settings: &Alsa) -> Result<Vec<(&'static str, SampleFormat)>> {
    let Some(wanted) = &settings.format else { return Ok(FORMATS.to_vec()) };
    let found: Vec<_> = FORMATS.into_iter().filter(|(name, _)| name == wanted).collect();
    if found.is_empty() {
        let known = FORMATS.map(|(name, _)| name).join(", ");
        return Err(Error::new(ErrorKind::Config, format!("microphone.format wants one of {known}, found `{wanted}`")));
    }
    Ok(found)
}

/// The requested settings, and those that the card offers.
fn not_offered(settings: &Alsa, offers: &[cpal::SupportedStreamConfigRange]) -> Error {
    let known = |format| FORMATS.iter().find(|(_, known)| *known == format).map(|(name, _)| *name);
    let format = settings.format.as_deref().unwrap_or("any format");
    let asked = format!("{format} at {} Hz with {}", settings.rate, plural(settings.channels.into(), "channel"));
    let formats: BTreeSet<_> = offers.iter().filter_map(|offer| known(offer.sample_format())).collect();
    let channels: BTreeSet<_> = offers.iter().map(|offer| offer.channels()).collect();
    let rates: BTreeSet<_> = offers.iter().map(|offer| (offer.min_sample_rate(), offer.max_sample_rate())).collect();
    let rates = rates.into_iter().map(|(min, max)| match min == max {
        true => min.to_string(),
        false => format!("{min} to {max}"),
    });
    let offered = match formats.is_empty() {
        true => "it has none of the formats that are read; its `plughw:` name converts".to_string(),
        false => format!(
            "it offers {} at {} Hz with {} channels",
            formats.into_iter().collect::<Vec<_>>().join(", "),
            rates.collect::<Vec<_>>().join(", "),
            channels.into_iter().map(|channels| channels.to_string()).collect::<Vec<_>>().join(", "),
        ),
    };
    Error::new(ErrorKind::Config, format!("microphone {} does not give {asked}; {offered}", settings.device))
}

/// Converts `cpal`'s error to one with a remedy.
fn explain(id: &str, error: cpal::Error) -> Error {
    use cpal::ErrorKind as Kind;
    let unavailable = |what: String| Error::new(ErrorKind::Unavailable, what);
    match error.kind() {
        Kind::PermissionDenied => {
            let node = forbidden(Path::new("/dev/snd"), may_open).into_iter().next();
            let node = node.unwrap_or_else(|| "/dev/snd".into());
            unavailable(format!("microphone {id}: {}", join_group(&node)))
        }
        Kind::DeviceNotAvailable | Kind::HostUnavailable => {
            unavailable(format!("microphone {id} is not there: it is unplugged, or no card stands behind its name"))
        }
        Kind::DeviceBusy => {
            let what = "is busy: another program holds it, `fuser -v /dev/snd/*` tells which";
            unavailable(format!("microphone {id} {what}"))
        }
        Kind::UnsupportedOperation => {
            Error::new(ErrorKind::Config, format!("microphone {id} is for playing, it gives no sound"))
        }
        _ => other(&format!("microphone {id}"), error),
    }
}

fn other(what: &str, error: cpal::Error) -> Error {
    Error::caused(ErrorKind::Unavailable, format!("{what}: the driver refused"), error)
}

/// Recording device nodes without permission for this user.
fn forbidden(folder: &Path, may_open: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let nodes = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut nodes: Vec<PathBuf> = nodes.filter(|node| is_for_recording(node) && !may_open(node)).collect();
    nodes.sort();
    nodes
}

/// `pcmC0D0c`: card 0, device 0, capture.
fn is_for_recording(node: &Path) -> bool {
    let name = node.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("pcmC") && name.ends_with('c'))
}

fn may_open(node: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let Ok(name) = std::ffi::CString::new(node.as_os_str().as_bytes()) else { return false };
    // SAFETY: `name` ends with a zero byte and lives on; nothing else is touched.
    unsafe { libc::access(name.as_ptr(), libc::R_OK | libc::W_OK) == 0 }
}

/// How this user gets permission for a node.
fn join_group(node: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let id = std::fs::metadata(node).ok().filter(|_| is_for_recording(node)).map(|about| about.gid().to_string());
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let group = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.len() > 2 && Some(fields[2]) == id.as_deref() && fields[2] != "0").then(|| fields[0].to_string())
    });
    let group = group.unwrap_or_else(|| "audio".into());
    format!(
        "no permission for {}: join the group `{group}` (`sudo usermod -aG {group} $USER`) and log in anew",
        node.display()
    )
}

fn plural(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// While it lives, messages of alsa-lib on this thread do not reach standard error: it tries many missing names, and
/// relevant errors are returned anyway.
struct Quiet {
    before: Option<Handler>,
    /// Keeps it on its thread.
    _here: PhantomData<*const ()>,
}

/// `snd_local_error_handler_t`; the last argument is a `va_list`, which is passed by its address on every platform that
/// Rust runs on with Linux, and is not looked at.
type Handler = unsafe extern "C" fn(
    *const libc::c_char,
    libc::c_int,
    *const libc::c_char,
    libc::c_int,
    *const libc::c_char,
    *mut libc::c_void,
);

unsafe extern "C" {
    /// Sets this thread's handler of alsa-lib's messages; returns the one before.
    fn snd_lib_error_set_local(handler: Option<Handler>) -> Option<Handler>;
}

unsafe extern "C" fn say_nothing(
    _file: *const libc::c_char,
    _line: libc::c_int,
    _function: *const libc::c_char,
    _error: libc::c_int,
    _format: *const libc::c_char,
    _arguments: *mut libc::c_void,
) {
}

impl Quiet {
    fn new() -> Self {
        // SAFETY: the handler touches nothing and lives as long as the program; it counts for this thread only.
        Self { before: unsafe { snd_lib_error_set_local(Some(say_nothing)) }, _here: PhantomData }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: what was set before is set again, on the same thread, for `Quiet` is not sent to another.
        unsafe { snd_lib_error_set_local(self.before) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stay_are_told_and_the_others_not() {
        for id in ["hw:CARD=Mic,DEV=0", "default", "pulse", "labmic"] {
            assert!(is_of_use(id), "{id}");
        }
        for id in ["hw:CARD=0,DEV=0", "plughw:CARD=Mic,DEV=0", "sysdefault:CARD=Mic", "dsnoop:CARD=Mic", "null", "jack"]
        {
            assert!(!is_of_use(id), "{id}");
        }
    }

    #[test]
    fn a_format_that_is_not_read_is_named() {
        let settings = |format: &str| Alsa {
            device: "labmic".into(),
            rate: 48_000,
            channels: 1,
            format: Some(format.into()),
            stall_ms: 100,
        };
        let error = formats(&settings("i24")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.message(), "microphone.format wants one of i32, f32, i16, u8, found `i24`");
        assert_eq!(formats(&settings("i16")).unwrap(), [("i16", SampleFormat::I16)]);
    }

    #[test]
    fn a_card_that_may_not_be_opened_is_told_with_its_group() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["controlC0", "pcmC0D0p", "pcmC0D0c", "pcmC1D0c"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = forbidden(dir.path(), |node| node.ends_with("pcmC1D0c"));
        assert_eq!(found, [dir.path().join("pcmC0D0c")]);
        assert!(forbidden(dir.path(), may_open).is_empty());
        assert!(forbidden(Path::new("/no/such/folder"), |_| false).is_empty());
        let told = join_group(Path::new("/dev/snd"));
        assert!(told.contains("join the group `audio` (`sudo usermod -aG audio $USER`)"), "{told}");
    }
}
