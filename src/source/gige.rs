//! GigE Vision cameras, through Aravis.
//!
//! Aravis has two threads for a camera: one receives packets, one keeps control of the camera. They end when the source is
//! dropped. A bad frame becomes a fault; reopening a lost camera is left to `engine`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aravis::glib::prelude::*;
use aravis::prelude::*;
use aravis::{Buffer, BufferPayloadType, BufferStatus, Camera, Device, GvInterface, Stream};

use super::pool::{Planes, Pool};
use super::stamps::Stamps;
use super::{Fault, FaultKind, Next, Source, same_camera};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Colour, Frame, PixelFormat};
use crate::station::{self, Feature};
use crate::time::Stamp;

/// Of GigE Vision 1, and of IIDC before it: BT.601 in the full range.
const YUV: Colour = Colour { bt709: false, full: true };

/// Supported GenICam pixel formats, best for inspection first, and whether the bytes of their pairs are swapped.
const KNOWN: [(aravis::PixelFormat, PixelFormat, bool); 9] = [
    (aravis::PixelFormat::MONO_8, PixelFormat::Grey8, false),
    (aravis::PixelFormat::YUV_422_YUYV_PACKED, PixelFormat::Yuyv(YUV), false),
    (aravis::PixelFormat::YUV_422_PACKED, PixelFormat::Yuyv(YUV), true),
    (aravis::PixelFormat::RGB_8_PACKED, PixelFormat::Rgb8, false),
    (aravis::PixelFormat::BGR_8_PACKED, PixelFormat::Bgr8, false),
    (aravis::PixelFormat::MONO_16, PixelFormat::Grey16 { bits: 16 }, false),
    (aravis::PixelFormat::MONO_14, PixelFormat::Grey16 { bits: 14 }, false),
    (aravis::PixelFormat::MONO_12, PixelFormat::Grey16 { bits: 12 }, false),
    (aravis::PixelFormat::MONO_10, PixelFormat::Grey16 { bits: 10 }, false),
];

/// Buffers that are filled in turn: as many frames may arrive while one is copied.
const BUFFERS: usize = 8;

/// An open camera.
pub struct Gige {
    // Dropped first: it receives what the camera sends.
    stream: Stream,
    camera: Camera,
    /// Set by Aravis if the camera no longer answers or another program controls it.
    lost: Arc<AtomicBool>,
    name: String,
    about: String,
    genicam: aravis::PixelFormat,
    format: PixelFormat,
    swapped: bool,
    size: [usize; 2],
    pool: Pool,
    /// Items to deliver.
    waiting: VecDeque<Next>,
    /// The camera's number of the last frame, and ours.
    last: Option<(u64, u64)>,
    stamps: Stamps,
    arrived: Instant,
    stall: Duration,
}

impl Gige {
    /// Opens a camera, applies the station's settings, and starts it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when it is not there, in use, or another than the one wanted;
    /// [`ErrorKind::Config`] when it has no such format, size, rate or feature: with what it has.
    pub fn open(wanted: &station::Gige) -> Result<Self> {
        let name = wanted.device.clone();
        let (camera, device) = find(&name)?;
        if !device.downcast_ref::<aravis::GvDevice>().is_some_and(aravis::GvDevice::is_controller) {
            return Err(Error::new(ErrorKind::Unavailable, format!("{name} is in use by another program")));
        }
        same_camera(&name, wanted.serial.as_deref(), serial(&camera))?;
        let failed = |error: aravis::glib::Error| cannot("set up", &name, &error);
        let (offsets, features): (Vec<_>, Vec<_>) =
            wanted.features.iter().partition(|(feature, _)| feature.starts_with("Offset"));
        set_features(&device, &name, features)?;
        let (genicam, format, swapped) = set_format(&camera, &name, wanted.format.as_deref())?;
        let size = set_size(&camera, &name, wanted.size)?;
        if format.bytes(size[0], size[1]).is_none() {
            let what = format!("camera.size: {name} gives {} x {}, and YUV wants even sides", size[0], size[1]);
            return Err(Error::new(ErrorKind::Config, what));
        }
        set_features(&device, &name, offsets)?;
        let rate = set_rate(&camera, &name, wanted.rate)?;
        camera.set_acquisition_mode(aravis::AcquisitionMode::Continuous).map_err(failed)?;
        let about = format!(
            "{} ({}): {} x {} {}{}",
            title(&camera),
            serial(&camera).unwrap_or_else(|| name.clone()),
            size[0],
            size[1],
            camera.pixel_format_as_string().map_err(failed)?,
            rate.map(|rate| format!(", {rate:.4}/s")).unwrap_or_default()
        );
        let payload = camera.payload().map_err(failed)? as usize;
        let stream = camera.create_stream().map_err(failed)?;
        for _ in 0..BUFFERS {
            stream.push_buffer(Buffer::new_allocate(payload));
        }
        let lost = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&lost);
        device.connect_control_lost(move |_| tell.store(true, Ordering::Relaxed));
        camera.start_acquisition().map_err(|error| cannot("start", &name, &error))?;
        Ok(Self {
            stream,
            camera,
            lost,
            name,
            about,
            genicam,
            format,
            swapped,
            size,
            pool: Pool::default(),
            waiting: VecDeque::with_capacity(4),
            last: None,
            stamps: Stamps::default(),
            arrived: Instant::now(),
            stall: Duration::from_millis(wanted.stall_ms.max(1)),
        })
    }

    /// Brings what a buffer holds into `waiting`.
    fn take(&mut self, buffer: &Buffer) -> Result<()> {
        use BufferPayloadType::{ChunkData, ExtendedChunkData, Image};
        let damage = match buffer.status() {
            BufferStatus::Success if matches!(buffer.payload_type(), Image | ChunkData | ExtendedChunkData) => None,
            BufferStatus::MissingPackets | BufferStatus::Timeout => Some("packets of a frame did not arrive"),
            BufferStatus::WrongPacketId => Some("packets of a frame are numbered wrongly"),
            BufferStatus::SizeMismatch => Some("a frame is larger than the camera said"),
            BufferStatus::Success | BufferStatus::PayloadNotSupported => {
                Some("the camera sent something else than a picture")
            }
            // Given back unfilled when a stream ends.
            _ => return Ok(()),
        };
        self.arrived = Instant::now();
        let sequence = self.count(buffer.frame_id());
        if let Some(damage) = damage {
            self.waiting.push_back(damaged(damage.into()));
            return Ok(());
        }
        let stamp = self.stamp(buffer.system_timestamp());
        self.same_picture(buffer)?;
        match self.copy(buffer) {
            Ok((bytes, len)) => {
                let mut frame = Frame::over(bytes, len, self.format, self.size[0], self.size[1])?;
                (frame.stamp, frame.sequence) = (stamp, sequence);
                self.waiting.push_back(Next::Frame(frame));
            }
            Err(detail) => self.waiting.push_back(damaged(detail)),
        }
        Ok(())
    }

    /// A whole frame's bytes without the padding of its rows, or what is wrong with it.
    fn copy(&mut self, buffer: &Buffer) -> Result<(Arc<[u8]>, usize), String> {
        let (start, length) = buffer.data();
        if start.is_null() {
            return Err("a frame without bytes".into());
        }
        // SAFETY: the buffer owns `length` bytes from `start` on, made by `new_allocate`. It was taken out of the
        // stream, which writes to none but those that it was given, and lives until the end of this function.
        let bytes = unsafe { std::slice::from_raw_parts(start, length) };
        let [width, height] = self.size;
        let padding = usize::try_from(buffer.image_padding().0).unwrap_or(0);
        let row = self.format.bytes(width, height).unwrap_or(0) / height.max(1);
        let planes = Planes { bytes: [bytes, &[]], strides: [row + padding, 0], swapped: self.swapped };
        let copied = self.pool.copy(&planes, self.format, self.size);
        copied.ok_or_else(|| format!("a frame of {length} bytes, {} were expected", row * height))
    }

    /// Refuses a picture of another size or format than when the camera was opened.
    fn same_picture(&self, buffer: &Buffer) -> Result<()> {
        let size = [buffer.image_width(), buffer.image_height()].map(|side| usize::try_from(side).unwrap_or(0));
        if (size, buffer.image_pixel_format()) == (self.size, self.genicam) {
            return Ok(());
        }
        let ([was, high], [is, tall]) = (self.size, size);
        let what = format!("{}: the picture changed from {was} x {high} to {is} x {tall}, or its format", self.name);
        Err(Error::new(ErrorKind::Unavailable, what))
    }

    /// Our number of a frame by the camera's number; gaps are reported as faults.
    fn count(&mut self, number: u64) -> u64 {
        let Some((last, sequence)) = self.last else {
            self.last = Some((number, 0));
            return 0;
        };
        let ahead = ahead(last, number);
        if ahead > 1 {
            let detail = format!("{} frames were not delivered", ahead - 1);
            self.waiting.push_back(Next::Fault(Fault { kind: FaultKind::Lost, count: ahead - 1, detail }));
        }
        self.last = Some((number, sequence + ahead));
        sequence + ahead
    }

    /// Arrival time of the frame's first packet (nanoseconds of the system clock since 1970), converted to our clock.
    ///
    /// The camera's own clock has no origin in common with ours.
    fn stamp(&mut self, arrived: u64) -> Stamp {
        let now = Stamp::now();
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = clock.checked_sub(Duration::from_nanos(arrived)).unwrap_or_default();
        let (stamp, fault) = self.stamps.believe(now.before(age), now);
        self.waiting.extend(fault.map(Next::Fault));
        stamp
    }
}

impl Source for Gige {
    fn describe(&self) -> String {
        self.about.clone()
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        let until = Instant::now() + patience;
        loop {
            if let Some(next) = self.waiting.pop_front() {
                return Ok(next);
            }
            let (rest, stall) =
                (until.saturating_duration_since(Instant::now()), self.stall.saturating_sub(self.arrived.elapsed()));
            if let Some(buffer) = self.stream.timeout_pop_buffer(rest.min(stall).as_micros() as u64) {
                let taken = self.take(&buffer);
                self.stream.push_buffer(buffer);
                taken?;
            } else if self.lost.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Unavailable, format!("{} was lost", self.name)));
            } else if self.arrived.elapsed() >= self.stall {
                let what = format!("{} delivered nothing for {} ms", self.name, self.stall.as_millis());
                return Err(Error::new(ErrorKind::Unavailable, what));
            } else if Instant::now() >= until {
                return Ok(Next::Nothing);
            }
        }
    }
}

impl Drop for Gige {
    /// Aravis polls a disconnected camera several times before it releases it, which takes about 10 s.
    fn drop(&mut self) {
        if !self.lost.load(Ordering::Relaxed) && self.arrived.elapsed() < self.stall {
            let _gone = self.camera.stop_acquisition();
        }
    }
}

fn damaged(detail: String) -> Next {
    Next::Fault(Fault { kind: FaultKind::Damaged, count: 1, detail })
}

/// Difference between a camera's frame number and the last one. GigE Vision 1 counts from 1 to 65535 and restarts at 1. If the
/// number goes back, the camera restarted counting and the difference is unknown.
fn ahead(last: u64, number: u64) -> u64 {
    const ROUND: u64 = 65_535;
    let ahead = match number.checked_sub(last) {
        None if last <= ROUND => number + ROUND - last,
        ahead => ahead.unwrap_or(0),
    };
    if (1..=ROUND / 2).contains(&ahead) { ahead } else { 1 }
}

/// The discovery interface; only one thread at a time may use it.
fn with_interface<T>(work: impl FnOnce(&aravis::Interface) -> T) -> Option<T> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    GvInterface::instance().map(|interface| work(&interface))
}

/// The camera that a station means: by its serial number, or by a name that Aravis knows.
fn find(name: &str) -> Result<(Camera, Device)> {
    let found = with_interface(|interface| {
        interface.update_device_list();
        let all = 0..interface.n_devices();
        let mut ids = all.filter(|&at| interface.device_serial_nbr(at).is_some_and(|serial| serial == name));
        let id = |at: u32| interface.device_id(at).unwrap_or_default().to_string();
        match (ids.next().map(id), ids.next().map(id)) {
            (Some(one), Some(other)) => {
                let what = format!("{one} and {other} both go by `{name}`: use one of these names");
                Err(Error::new(ErrorKind::Config, what))
            }
            (id, _) => Camera::new(Some(id.as_deref().unwrap_or(name))).map_err(|error| cannot("open", name, &error)),
        }
    });
    let camera = found.unwrap_or_else(|| Err(none(name)))?;
    let device = camera.device().filter(|device| device.is::<aravis::GvDevice>()).ok_or_else(|| none(name))?;
    Ok((camera, device))
}

/// Sets features: selectors first, then automatic functions, because these can block a value.
fn set_features(device: &Device, camera: &str, mut features: Vec<(&String, &Feature)>) -> Result<()> {
    features.sort_by_key(|(name, _)| (!name.contains("Selector"), !name.contains("Auto")));
    features.into_iter().try_for_each(|(name, value)| set_feature(device, camera, name, value))
}

fn set_feature(device: &Device, camera: &str, name: &str, value: &Feature) -> Result<()> {
    let wrong = |what: String| Error::new(ErrorKind::Config, format!("camera.features.{name}: {what}"));
    let Some(node) = device.feature(name) else {
        let all = feature_names(device);
        // The names are made of words, of which the first are mostly right: what comes behind them counts little.
        let alike = |own: &str| {
            let begin: String = own.chars().take(name.chars().count()).collect();
            (strsim::damerau_levenshtein(&begin, name), own.len())
        };
        let nearest = all.iter().min_by_key(|own| alike(own));
        let nearest = nearest.map(|own| format!("; did you mean `{own}`?")).unwrap_or_default();
        return Err(wrong(format!("{camera} has no such feature{nearest}")));
    };
    // An enumeration is an integer too: its words come first.
    let set = if node.is::<aravis::GcEnumeration>() {
        let words = device.dup_available_enumeration_feature_values_as_strings(name).unwrap_or_default();
        match value {
            Feature::Word(word) if words.iter().any(|own| own == word) => device.set_string_feature_value(name, word),
            _ => return Err(wrong(format!("wants one of {}, found {}", listed(&words), shown(value)))),
        }
    } else if node.is::<aravis::GcBoolean>() {
        match value {
            Feature::Switch(on) => device.set_boolean_feature_value(name, *on),
            _ => return Err(wrong(format!("wants true or false, found {}", shown(value)))),
        }
    } else if node.is::<aravis::GcFloat>() {
        let (least, most) = device.float_feature_bounds(name).unwrap_or((f64::MIN, f64::MAX));
        match number(value).filter(|number| (least..=most).contains(number)) {
            Some(number) => device.set_float_feature_value(name, number),
            None => return Err(wrong(format!("wants {least} to {most}, found {}", shown(value)))),
        }
    } else if node.is::<aravis::GcInteger>() {
        let (least, most) = device.integer_feature_bounds(name).unwrap_or((i64::MIN, i64::MAX));
        match value {
            Feature::Integer(number) if (least..=most).contains(number) => {
                device.set_integer_feature_value(name, *number)
            }
            _ => return Err(wrong(format!("wants a whole number, {least} to {most}, found {}", shown(value)))),
        }
    } else if node.is::<aravis::GcString>() {
        match value {
            Feature::Word(word) => device.set_string_feature_value(name, word),
            _ => return Err(wrong(format!("wants a text, found {}", shown(value)))),
        }
    } else {
        return Err(wrong("is no value that can be set".into()));
    };
    set.map_err(|error| wrong(format!("{camera} refuses {}: {}", shown(value), told(&error))))
}

fn number(value: &Feature) -> Option<f64> {
    match value {
        Feature::Integer(whole) => Some(*whole as f64),
        Feature::Number(number) => Some(*number),
        _ => None,
    }
}

fn shown(value: &Feature) -> String {
    match value {
        Feature::Switch(on) => on.to_string(),
        Feature::Integer(whole) => whole.to_string(),
        Feature::Number(number) => number.to_string(),
        Feature::Word(word) => format!("`{word}`"),
    }
}

/// The names of all features, found through their categories.
fn feature_names(device: &Device) -> Vec<String> {
    let (mut features, mut categories) = (Vec::new(), vec!["Root".to_string()]);
    let mut at = 0;
    while let Some(name) = categories.get(at) {
        at += 1;
        let category = device.feature(name).and_then(|node| node.downcast::<aravis::GcCategory>().ok());
        for name in category.map(|category| category.features()).unwrap_or_default() {
            let is_category = device.feature(&name).is_some_and(|node| node.is::<aravis::GcCategory>());
            let names = if is_category { &mut categories } else { &mut features };
            // A camera's description may lead back to where it came from.
            if !names.iter().any(|known| *known == name) {
                names.push(name.to_string());
            }
        }
    }
    features
}

/// The formats that the camera offers: GenICam's number and the camera's word for each.
fn formats(camera: &Camera) -> Vec<(aravis::PixelFormat, String)> {
    let numbers = camera.dup_available_pixel_formats().unwrap_or_default();
    let words = camera.dup_available_pixel_formats_as_strings().unwrap_or_default();
    let number = |number: i64| aravis::PixelFormat::from_raw(number as u32);
    numbers.into_iter().map(number).zip(words.into_iter().map(|word| word.to_string())).collect()
}

fn known(format: aravis::PixelFormat) -> Option<(aravis::PixelFormat, PixelFormat, bool)> {
    KNOWN.into_iter().find(|known| known.0 == format)
}

/// Sets the format that is wanted; else keeps the camera's own, or takes the best one, where eyear cannot read that.
fn set_format(camera: &Camera, name: &str, wanted: Option<&str>) -> Result<(aravis::PixelFormat, PixelFormat, bool)> {
    let failed = |error: aravis::glib::Error| cannot("set the format of", name, &error);
    let own = camera.pixel_format().map_err(failed)?;
    let offered = formats(camera);
    let chosen = match wanted {
        Some(word) => offered.iter().find(|(_, own)| own == word).and_then(|(format, _)| known(*format)),
        None => known(own).or_else(|| KNOWN.into_iter().find(|known| offered.iter().any(|(own, _)| *own == known.0))),
    };
    let chosen = chosen.ok_or_else(|| {
        let readable: Vec<&String> =
            offered.iter().filter(|(own, _)| known(*own).is_some()).map(|own| &own.1).collect();
        let offer = if readable.is_empty() { "nothing that eyear reads".into() } else { listed(&readable) };
        let own = camera.pixel_format_as_string().map(|own| own.to_string()).unwrap_or_default();
        let asked = wanted.unwrap_or(&own);
        let what = format!("camera.format: {name} gives eyear no {asked} that it can read; it offers {offer}");
        Error::new(ErrorKind::Config, what)
    })?;
    if chosen.0 != own {
        camera.set_pixel_format(chosen.0).map_err(failed)?;
    }
    Ok(chosen)
}

/// Sets the size, from the sensor's corner, and refuses what the camera gives instead.
fn set_size(camera: &Camera, name: &str, wanted: Option<[u32; 2]>) -> Result<[usize; 2]> {
    let failed = |error: aravis::glib::Error| cannot("set the size of", name, &error);
    if let Some([width, height]) = wanted {
        camera.set_region(0, 0, width as i32, height as i32).map_err(failed)?;
    }
    let (_, _, width, height) = camera.region().map_err(failed)?;
    let given = [width, height].map(|side| side.max(0) as u32);
    match wanted {
        Some([wide, high]) if given != [wide, high] => {
            let (least, most) = camera.width_bounds().map_err(failed)?;
            let (low, tall) = camera.height_bounds().map_err(failed)?;
            let what = format!(
                "camera.size: {name} gives {width} x {height} where {wide} x {high} is asked; it offers {least} to {most} \
                 x {low} to {tall}"
            );
            Err(Error::new(ErrorKind::Config, what))
        }
        _ => Ok(given.map(|side| side as usize)),
    }
}

/// Sets the rate, and refuses another one.
fn set_rate(camera: &Camera, name: &str, wanted: Option<f64>) -> Result<Option<f64>> {
    let Some(asked) = wanted else { return Ok(camera.frame_rate().ok()) };
    let failed = |error: aravis::glib::Error| cannot("set the rate of", name, &error);
    camera.set_frame_rate(asked).map_err(failed)?;
    let given = camera.frame_rate().map_err(failed)?;
    if (given / asked - 1.0).abs() > 0.02 {
        let bounds = camera.frame_rate_bounds().map(|(least, most)| format!("; it offers {least} to {most}"));
        let bounds = bounds.unwrap_or_default();
        let what = format!("camera.rate: {name} gives {given:.4} frames a second where {asked} are asked{bounds}");
        return Err(Error::new(ErrorKind::Config, what));
    }
    Ok(Some(given))
}

fn listed(words: &[impl AsRef<str>]) -> String {
    words.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}

fn serial(camera: &Camera) -> Option<String> {
    camera.device_serial_number().ok().map(|serial| serial.to_string()).filter(|serial| !serial.is_empty())
}

/// Vendor and model.
fn title(camera: &Camera) -> String {
    let words = [camera.vendor_name(), camera.model_name()];
    words.into_iter().flatten().map(|word| word.to_string()).collect::<Vec<_>>().join(" ")
}

fn none(camera: &str) -> Error {
    let what = format!("there is no GigE camera `{camera}`; `eyear devices` lists those there are");
    Error::new(ErrorKind::Unavailable, what)
}

fn cannot(deed: &str, camera: &str, error: &aravis::glib::Error) -> Error {
    if error.matches(aravis::DeviceError::NotFound) {
        return none(camera);
    }
    Error::new(ErrorKind::Unavailable, format!("cannot {deed} {camera}: {}", told(error)))
}

/// What Aravis says, as part of a sentence.
fn told(error: &aravis::glib::Error) -> String {
    error.message().trim().trim_end_matches('.').to_string()
}

/// A camera on the network.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name in a station file.
    pub id: String,
    /// Its vendor and model.
    pub title: String,
    /// Its IP address.
    pub address: String,
    /// Its serial number.
    pub serial: Option<String>,
    /// Formats that are understood, best first, at the size and the frames a second at which it stands.
    pub offers: Vec<(String, [u32; 2], Vec<f64>)>,
}

/// Cameras that answer on the network within a second; errors for those that could not be queried.
pub fn list() -> Vec<Result<Found>> {
    let found = with_interface(|interface| {
        interface.update_device_list();
        let found = |at| {
            let id = interface.device_id(at).unwrap_or_default().to_string();
            let failed = |error: aravis::glib::Error| cannot("ask", &id, &error);
            let camera = Camera::new(Some(&id)).map_err(failed)?;
            let (_, _, width, height) = camera.region().map_err(failed)?;
            let size = [width, height].map(|side| side.max(0) as u32);
            let rates: Vec<f64> = camera.frame_rate().into_iter().collect();
            let offered = formats(&camera);
            let word =
                |known: &aravis::PixelFormat| offered.iter().find(|own| own.0 == *known).map(|own| own.1.clone());
            let offers = KNOWN.iter().filter_map(|known| Some((word(&known.0)?, size, rates.clone()))).collect();
            let address = interface.device_address(at).unwrap_or_default().to_string();
            Ok(Found { title: title(&camera), address, serial: serial(&camera), offers, id })
        };
        (0..interface.n_devices()).map(found).collect()
    });
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_frames_go_round_and_begin_anew() {
        let cases = [
            (7, 8, 1),
            (7, 10, 3),
            (65_535, 1, 1),
            (65_533, 2, 4),
            (9, 1, 1),
            (5, 5, 1),
            (1 << 40, (1 << 40) + 2, 2),
            (1 << 40, 1, 1),
        ];
        for (last, number, expected) in cases {
            assert_eq!(ahead(last, number), expected, "{last} {number}");
        }
    }
}
