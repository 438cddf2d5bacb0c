//! Cameras of the kernel's Video4Linux: webcams, CSI receivers, frame grabbers.
//!
//! `device` finds and sets them, `stream` shares memory with them; here bytes become frames and what goes wrong becomes
//! faults and errors. Opening a lost camera again is left to `engine`.

mod device;
mod stream;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use device::{Layout, Node, cannot, fourcc_text};
use stream::{Filled, Stream, Wake};

use super::pool::{CUT_JPEG, Planes, Pool};
use super::stamps::Stamps;
use super::{Fault, FaultKind, Next, Source, same_camera};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Colour, Frame, PixelFormat};
use crate::station;
use crate::time::Stamp;

/// FourCCs that are understood, best for inspection first: what is not compressed, and of that what has fewer bytes.
const KNOWN: [&[u8; 4]; 13] = [
    b"GREY", b"NV12", b"NM12", b"YUYV", b"UYVY", b"RGB3", b"BGR3", b"Y16 ", b"Y14 ", b"Y12 ", b"Y10 ", b"MJPG", b"JPEG",
];

/// An open camera.
pub struct V4l2 {
    stream: Stream,
    layout: Layout,
    format: PixelFormat,
    about: String,
    pool: Pool,
    /// What was found out but not delivered yet.
    waiting: VecDeque<Next>,
    /// The driver's number of the last frame, and ours.
    last: Option<(u32, u64)>,
    stamps: Stamps,
    arrived: Instant,
    stall: Duration,
}

impl V4l2 {
    /// Opens a camera, sets what the station wants of it, and starts it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when it is not there, not permitted, in use, or another than the one wanted;
    /// [`ErrorKind::Config`] when it has no such format, size, rate or control: with what it offers.
    pub fn open(wanted: &station::V4l2) -> Result<Self> {
        let node = device::find(&wanted.device)?;
        let path = node.path.clone();
        same_camera(&path.display().to_string(), wanted.serial.as_deref(), node.serial())?;
        let failed = |error| cannot(&path, "set up", error);
        node.follow_signal().map_err(|error| match error.raw_os_error() {
            Some(libc::ENOLINK | libc::ENOLCK | libc::ERANGE) => {
                Error::new(ErrorKind::Unavailable, format!("{}: no signal is plugged in", path.display()))
            }
            _ => failed(error),
        })?;
        let layout = set_layout(&node, wanted)?;
        let format = pixel_format(&layout).ok_or_else(|| unknown_format(&node, layout.fourcc))?;
        let rate = set_rate(&node, wanted, &layout)?;
        // What is automatic refuses a value: such switches come first.
        let (automatic, by_hand): (Vec<_>, Vec<_>) =
            wanted.controls.iter().partition(|(name, _)| name.contains("auto"));
        for (name, &value) in automatic.into_iter().chain(by_hand) {
            set_control(&node, name, value)?;
        }
        node.watch_signal();
        let rate = rate.map(|rate| format!(", {rate:.4}/s")).unwrap_or_default();
        let (card, bus, fourcc) = (&node.card, &node.bus, fourcc_text(layout.fourcc));
        let about = format!("{card} ({bus}): {} x {} {fourcc}{rate}", layout.width, layout.height);
        let stream = Stream::start(node, layout.planes).map_err(|error| cannot(&path, "start", error))?;
        Ok(Self {
            stream,
            layout,
            format,
            about,
            pool: Pool::default(),
            waiting: VecDeque::with_capacity(4),
            last: None,
            stamps: Stamps::default(),
            arrived: Instant::now(),
            stall: Duration::from_millis(wanted.stall_ms.max(1)),
        })
    }

    /// The memory of buffer `index` as a DMABUF, which another device of this machine can read without a copy.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the driver shares none.
    pub fn export(&self, index: u32) -> Result<OwnedFd> {
        self.stream.export(index, 0).map_err(|error| cannot(&self.stream.node.path, "share the memory of", error))
    }

    /// Brings what the driver filled into `waiting`.
    fn take(&mut self) -> Result<()> {
        let (layout, format) = (self.layout, self.format);
        let Self { stream, pool, .. } = self;
        let taken = stream.take(|filled| {
            let bytes = if filled.damaged {
                Err("the driver marks the frame as damaged".into())
            } else {
                copy(&filled, &layout, format, pool)
            };
            (filled.sequence, filled.taken, bytes)
        });
        let taken = taken.map_err(|error| {
            let what = format!("{} was lost", self.stream.node.path.display());
            Error::caused(ErrorKind::Unavailable, what, error)
        })?;
        let Some((number, taken, bytes)) = taken else { return Ok(()) };
        self.arrived = Instant::now();
        let sequence = self.count(number);
        let stamp = self.stamp(taken);
        match bytes {
            Ok((bytes, len)) => {
                let (width, height) = (layout.width as usize, layout.height as usize);
                let mut frame = Frame::over(bytes, len, format, width, height)?;
                (frame.stamp, frame.sequence) = (stamp, sequence);
                self.waiting.push_back(Next::Frame(frame));
            }
            Err(detail) => self.waiting.push_back(Next::Fault(Fault { kind: FaultKind::Damaged, count: 1, detail })),
        }
        Ok(())
    }

    /// Our number of the frame that the driver numbers so; gaps are told.
    fn count(&mut self, number: u32) -> u64 {
        let Some((last, sequence)) = self.last else {
            self.last = Some((number, 0));
            return 0;
        };
        // The driver's number wraps around. One that goes back is a driver that counts anew: nothing can be told then.
        let ahead = number.wrapping_sub(last);
        let ahead = if (1..1 << 31).contains(&ahead) { u64::from(ahead) } else { 1 };
        if ahead > 1 {
            let detail = format!("{} frames were not delivered", ahead - 1);
            self.waiting.push_back(Next::Fault(Fault { kind: FaultKind::Lost, count: ahead - 1, detail }));
        }
        self.last = Some((number, sequence + ahead));
        sequence + ahead
    }

    /// The driver's time on our clock; the time of arrival, where that cannot be.
    fn stamp(&mut self, taken: Option<Duration>) -> Stamp {
        let now = Stamp::now();
        let stamp = match (taken, monotonic_now()) {
            (Some(taken), Some(clock)) if clock >= taken => now.before(clock - taken),
            // Some drivers stamp a frame with the end of its exposure, foreseen.
            (Some(taken), Some(clock)) => now.after(taken - clock),
            _ => now,
        };
        let (stamp, fault) = self.stamps.believe(stamp, now);
        self.waiting.extend(fault.map(Next::Fault));
        stamp
    }
}

impl Source for V4l2 {
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
            let path = &self.stream.node.path;
            match self.stream.wait(rest.min(stall)).map_err(|error| cannot(path, "wait for", error))? {
                Wake::Frame => self.take()?,
                Wake::Event if self.stream.node.signal_changed() => {
                    let what = format!("{}: the signal changed", path.display());
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
                Wake::Event => {}
                Wake::Nothing if self.arrived.elapsed() >= self.stall => {
                    let what = format!("{} delivered nothing for {} ms", path.display(), self.stall.as_millis());
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
                Wake::Nothing if Instant::now() >= until => return Ok(Next::Nothing),
                Wake::Nothing => {}
            }
        }
    }
}

/// What the system's monotonic clock says, by which drivers stamp.
fn monotonic_now() -> Option<Duration> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is there to be written to.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    (done == 0).then(|| Duration::new(now.tv_sec.max(0) as u64, now.tv_nsec.clamp(0, 999_999_999) as u32))
}

/// How the bytes of a layout are to be read.
fn pixel_format(layout: &Layout) -> Option<PixelFormat> {
    let colour = Colour { bt709: layout.bt709, full: layout.full };
    Some(match &layout.fourcc {
        b"GREY" => PixelFormat::Grey8,
        b"Y10 " => PixelFormat::Grey16 { bits: 10 },
        b"Y12 " => PixelFormat::Grey16 { bits: 12 },
        b"Y14 " => PixelFormat::Grey16 { bits: 14 },
        b"Y16 " => PixelFormat::Grey16 { bits: 16 },
        b"RGB3" => PixelFormat::Rgb8,
        b"BGR3" => PixelFormat::Bgr8,
        b"YUYV" | b"UYVY" => PixelFormat::Yuyv(colour),
        b"NV12" | b"NM12" => PixelFormat::Nv12(colour),
        b"MJPG" | b"JPEG" => PixelFormat::Jpeg,
        _ => return None,
    })
}

/// Copies a frame without the padding of its rows: the bytes and how many they are, or what is wrong with it.
fn copy(
    filled: &Filled,
    layout: &Layout,
    format: PixelFormat,
    pool: &mut Pool,
) -> Result<(std::sync::Arc<[u8]>, usize), String> {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let [first, second] = filled.planes;
    let Some(length) = format.bytes(width, height) else {
        return pool.copy_jpeg(first).ok_or_else(|| CUT_JPEG.into());
    };
    let strides = layout.strides.map(|stride| stride as usize);
    let is_nv12 = matches!(format, PixelFormat::Nv12(_));
    let planes = match (is_nv12, layout.planes) {
        (true, 2..) => Planes { bytes: [first, second], strides, swapped: false },
        (true, _) => {
            let stride = strides[0].max(width);
            let colour = first.get(stride * height..).unwrap_or_default();
            Planes { bytes: [first, colour], strides: [stride; 2], swapped: false }
        }
        _ => Planes { bytes: [first, &[]], strides, swapped: &layout.fourcc == b"UYVY" },
    };
    pool.copy(&planes, format, [width, height])
        .ok_or_else(|| format!("a frame of {} bytes, {length} were expected", first.len() + second.len()))
}

/// Sets format and size, and refuses what the driver gives instead.
fn set_layout(node: &Node, wanted: &station::V4l2) -> Result<Layout> {
    let failed = |error| cannot(&node.path, "set the format of", error);
    let now = node.layout().map_err(failed)?;
    let size = wanted.size.unwrap_or([now.width, now.height]);
    let offered = node.formats();
    let fourcc = match &wanted.format {
        Some(format) => {
            let mut fourcc = *b"    ";
            fourcc.iter_mut().zip(format.bytes()).for_each(|(to, from)| *to = from);
            fourcc
        }
        None if KNOWN.contains(&&now.fourcc) && offers(node, now.fourcc, size) => now.fourcc,
        None => {
            let known = || KNOWN.iter().filter(|fourcc| offered.contains(**fourcc));
            // Where none has the size, the driver's answer to the first tells what it has instead.
            let best = known().find(|fourcc| offers(node, ***fourcc, size)).or_else(|| known().next());
            **best.ok_or_else(|| unknown_format(node, now.fourcc))?
        }
    };
    let layout = node.set_layout(fourcc, size).map_err(failed)?;
    if layout.fourcc == fourcc && [layout.width, layout.height] == size {
        return Ok(layout);
    }
    let (given, [width, height]) = (fourcc_text(layout.fourcc), size);
    let what = format!(
        "{} gives {} x {} {given} where {width} x {height} {} is asked; it offers {}",
        node.path.display(),
        layout.width,
        layout.height,
        fourcc_text(fourcc),
        offer(node, &offered)
    );
    Err(Error::new(ErrorKind::Config, what))
}

fn offers(node: &Node, fourcc: [u8; 4], size: [u32; 2]) -> bool {
    let sizes = node.sizes(fourcc);
    // Of a range, its ends are listed; a driver that lists none is asked by setting.
    sizes.is_empty()
        || sizes.contains(&size)
        || matches!(sizes[..], [least, most] if (0..2).all(|i| (least[i]..=most[i]).contains(&size[i])))
}

/// The offer in one line.
fn offer(node: &Node, formats: &[[u8; 4]]) -> String {
    let sizes = |fourcc: [u8; 4]| {
        node.sizes(fourcc).iter().take(8).map(|[w, h]| format!("{w} x {h}")).collect::<Vec<_>>().join(", ")
    };
    let known = formats.iter().filter(|fourcc| KNOWN.contains(fourcc));
    let lines: Vec<String> = known.map(|&fourcc| format!("{} ({})", fourcc_text(fourcc), sizes(fourcc))).collect();
    if lines.is_empty() { "no format that eyear reads".into() } else { lines.join("; ") }
}

fn unknown_format(node: &Node, fourcc: [u8; 4]) -> Error {
    let what = format!(
        "{}: eyear cannot read {}; the camera offers {}",
        node.path.display(),
        fourcc_text(fourcc),
        offer(node, &node.formats())
    );
    Error::new(ErrorKind::Config, what)
}

/// Sets the rate, and refuses a slower one.
fn set_rate(node: &Node, wanted: &station::V4l2, layout: &Layout) -> Result<Option<f64>> {
    let rate = node.set_rate(wanted.rate);
    match (wanted.rate, rate) {
        (Some(asked), Some(given)) if (given / f64::from(asked) - 1.0).abs() > 0.02 => {
            let rates = node.rates(layout.fourcc, [layout.width, layout.height]);
            let rates: Vec<String> = rates.iter().take(12).map(|rate| format!("{rate:.4}")).collect();
            let what = format!(
                "{} gives {given:.4} frames a second where {asked} are asked; it offers {}",
                node.path.display(),
                rates.join(", ")
            );
            Err(Error::new(ErrorKind::Config, what))
        }
        _ => Ok(rate),
    }
}

/// Sets a control by its name.
fn set_control(node: &Node, name: &str, value: i64) -> Result<()> {
    let controls = node.controls();
    let wrong = |what: String| Error::new(ErrorKind::Config, format!("camera.controls.{name}: {what}"));
    let Some((_, control)) = controls.iter().find(|(own, _)| own == name) else {
        let nearest = controls.iter().min_by_key(|(own, _)| strsim::damerau_levenshtein(own, name));
        let nearest = nearest.map(|(own, _)| format!("; did you mean `{own}`?")).unwrap_or_default();
        return Err(wrong(format!("{} has no such control{nearest}", node.path.display())));
    };
    let range = control.minimum..=control.maximum;
    let value = i32::try_from(value).ok().filter(|value| range.contains(value));
    let value = value.ok_or_else(|| wrong(format!("wants {} to {}", control.minimum, control.maximum)))?;
    node.set_control(control.id, value).map_err(|error| {
        // Such as an exposure time while the exposure is automatic.
        Error::caused(
            ErrorKind::Config,
            format!("camera.controls.{name}: {} refuses {value}", node.path.display()),
            error,
        )
    })
}

/// A camera that is plugged in.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its node, such as `/dev/video0`.
    pub path: PathBuf,
    /// Names that stay with it or with its plug, best first.
    pub links: Vec<PathBuf>,
    /// What its driver calls it.
    pub card: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Its serial number.
    pub serial: Option<String>,
    /// Formats that are understood, with each size and its frames a second, fastest first.
    pub offers: Vec<(String, [u32; 2], Vec<f64>)>,
}

/// The cameras that are plugged in, and nodes that could not be opened with the reason.
pub fn list() -> Vec<Result<Found>> {
    let found = |path: PathBuf| match Node::open(&path) {
        Ok(node) => {
            let mut offers = Vec::new();
            for fourcc in node.formats().into_iter().filter(|fourcc| KNOWN.contains(&fourcc)) {
                for size in node.sizes(fourcc) {
                    offers.push((fourcc_text(fourcc), size, node.rates(fourcc, size)));
                }
            }
            let (links, serial) = (device::links(&path), node.serial());
            Some(Ok(Found { path, links, card: node.card, bus: node.bus, serial, offers }))
        }
        // Nodes for metadata and output are no cameras, which needs no telling.
        Err(error) if error.message().contains("captures no pictures") => None,
        Err(error) => Some(Err(error)),
    };
    device::nodes().into_iter().filter_map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(fourcc: &[u8; 4], width: u32, height: u32, strides: [u32; 2], planes: usize) -> Layout {
        Layout { fourcc: *fourcc, width, height, strides, planes, bt709: false, full: false }
    }

    fn copied(planes: [&[u8]; 2], layout: &Layout) -> Result<Vec<u8>, String> {
        let filled = Filled { planes, sequence: 0, damaged: false, taken: None };
        let (bytes, len) = copy(&filled, layout, pixel_format(layout).unwrap(), &mut Pool::default())?;
        Ok(bytes[..len].to_vec())
    }

    #[test]
    fn the_padding_of_rows_is_left_out() {
        let grey = layout(b"GREY", 3, 2, [4, 0], 1);
        assert_eq!(copied([&[1, 2, 3, 0, 4, 5, 6, 0], &[]], &grey).unwrap(), [1, 2, 3, 4, 5, 6]);
        // The last row may end with its last pixel.
        assert_eq!(copied([&[1, 2, 3, 0, 4, 5, 6], &[]], &grey).unwrap(), [1, 2, 3, 4, 5, 6]);
        let uyvy = layout(b"UYVY", 2, 1, [4, 0], 1);
        assert_eq!(copied([&[90, 1, 80, 2], &[]], &uyvy).unwrap(), [1, 90, 2, 80]);
    }

    #[test]
    fn one_plane_or_two_make_the_same_frame() {
        let one = layout(b"NV12", 2, 2, [3, 0], 1);
        let two = layout(b"NM12", 2, 2, [3, 4], 2);
        assert_eq!(copied([&[1, 2, 0, 3, 4, 0, 5, 6], &[]], &one).unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(copied([&[1, 2, 0, 3, 4], &[5, 6, 0, 0]], &two).unwrap(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_frame_that_is_cut_off_is_damaged() {
        let yuyv = layout(b"YUYV", 2, 2, [4, 0], 1);
        assert_eq!(copied([&[0; 7], &[]], &yuyv).unwrap_err(), "a frame of 7 bytes, 8 were expected");
        assert!(copied([&[0; 8], &[0; 1]], &layout(b"NM12", 4, 2, [4, 4], 2)).is_err());
        let jpeg = layout(b"MJPG", 8, 8, [0, 0], 1);
        assert_eq!(copied([&[0xff, 0xd8, 7, 0xff, 0xd9, 0, 0], &[]], &jpeg).unwrap(), [0xff, 0xd8, 7, 0xff, 0xd9]);
        for cut in [&[0xff, 0xd8, 7, 0xff][..], &[0, 0xff, 0xd9], &[]] {
            assert!(copied([cut, &[]], &jpeg).is_err());
        }
    }
}
