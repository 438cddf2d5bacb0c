//! GStreamer pipelines: CSI cameras, RTSP, and other sources with a GStreamer element.
//!
//! The station gives the pipeline as for `gst-launch-1.0`; eyear adds the sink. GStreamer's threads end when the source is
//! dropped; it keeps a plugin list in the user's cache folder. Restarting a failed pipeline is left to `engine`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use gstreamer_video::{
    VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameExt as _, VideoFrameRef, VideoInfo, VideoMeta,
};

use super::pool::{CUT_JPEG, Planes, Pool};
use super::stamps::Stamps;
use super::{Fault, FaultKind, Next, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Colour, Frame, PixelFormat};
use crate::station;
use crate::time::Stamp;

/// Formats of the sink; a converter chooses the first lossless one.
const TAKEN: &str = "video/x-raw, format=(string){ NV12, YUY2, RGB, BGR, GRAY8, GRAY16_LE }; image/jpeg";
/// The same, as text for messages.
const FORMATS: &str = "NV12, YUY2, RGB, BGR, GRAY8, GRAY16_LE and image/jpeg";
/// The sink's name in the pipeline.
const SINK: &str = "eyear_frames";
/// Most waiting frames in the sink; older ones are dropped and counted.
const WAITING: u32 = 4;
/// Least time limit of the first frame; a network camera starts at its next key frame.
const FIRST: Duration = Duration::from_secs(10);
/// Interval of checks for a pipeline failure.
const LOOK: Duration = Duration::from_millis(50);

/// Debian packages by the prefix of their element names.
const PACKAGES: &[(&str, &str)] = &[
    ("avdec", "gstreamer1.0-libav"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("h265parse", "gstreamer1.0-plugins-bad"),
    ("jpegparse", "gstreamer1.0-plugins-bad"),
    ("libcamera", "gstreamer1.0-libcamera"),
    ("nv", "nvidia-l4t-gstreamer"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("video", "gstreamer1.0-plugins-base"),
    ("jpeg", "gstreamer1.0-plugins-good"),
    ("rtp", "gstreamer1.0-plugins-good"),
    ("rtsp", "gstreamer1.0-plugins-good"),
    ("udp", "gstreamer1.0-plugins-good"),
    ("v4l2", "gstreamer1.0-plugins-good"),
];

/// A pipeline that runs.
pub struct Pipeline {
    pipeline: Running,
    sink: AppSink,
    /// Its source never waits for us and never ends: what ends it is a failure.
    live: bool,
    layout: Layout,
    about: String,
    pool: Pool,
    /// Items to deliver.
    waiting: VecDeque<Next>,
    /// The number of the last frame.
    last: Option<u64>,
    stamps: Stamps,
    arrived: Instant,
    stall: Duration,
}

/// Format of the pipeline's frames.
struct Layout {
    caps: gst::Caps,
    /// `None` for JPEG.
    info: Option<VideoInfo>,
    format: PixelFormat,
    size: [usize; 2],
}

impl Pipeline {
    /// Starts a pipeline and waits for its first frame: 10 s, or as long as a stall where that is longer.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming `camera.pipeline` when it is no pipeline, an element is not installed, or it
    /// delivers what eyear cannot read; [`ErrorKind::Unavailable`] when it fails or delivers nothing.
    pub fn open(wanted: &station::Gstreamer) -> Result<Self> {
        gst::init().map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("GStreamer does not start: {}", told(&error)))
        })?;
        let pipeline = Running(parse(&wanted.pipeline)?);
        let sink = pipeline.0.by_name(SINK).and_then(|sink| sink.downcast::<AppSink>().ok());
        let sink = sink.ok_or_else(|| config("has a sink of its own; leave it out".into()))?;
        let caps: gst::Caps = TAKEN.parse().map_err(|_| config(format!("GStreamer does not know {FORMATS}")))?;
        sink.set_caps(Some(&caps));
        sink.set_drop(true);
        sink.set_max_buffers(WAITING);
        // It would hold a frame of the driver's few.
        sink.set_property("enable-last-sample", false);
        watch(&sink)?;
        // Stamps are made from the clock of the system, which does not step.
        pipeline.0.use_clock(Some(&gst::SystemClock::obtain()));
        let failed = |_| failure(&pipeline.0).unwrap_or_else(|| unavailable("the pipeline does not start"));
        let live = pipeline.0.set_state(gst::State::Paused).map_err(failed)? == gst::StateChangeSuccess::NoPreroll;
        // A live picture is wanted at once; a recorded one when its time has come.
        sink.set_property("sync", !live);
        pipeline.0.set_state(gst::State::Playing).map_err(failed)?;
        let stall = Duration::from_millis(wanted.stall_ms.max(1));
        let first = first_sample(&pipeline.0, &sink, stall.max(FIRST))?;
        let layout = Layout::of(&first)?;
        let about = format!("{} by GStreamer: {}", sources(&pipeline.0), layout.told());
        let mut source = Self {
            pipeline,
            sink,
            live,
            layout,
            about,
            pool: Pool::default(),
            waiting: VecDeque::with_capacity(4),
            last: None,
            stamps: Stamps::default(),
            arrived: Instant::now(),
            stall,
        };
        source.take(&first)?;
        Ok(source)
    }

    /// Brings a sample into `waiting`.
    fn take(&mut self, sample: &gst::Sample) -> Result<()> {
        self.arrived = Instant::now();
        if sample.caps() != Some(self.layout.caps.as_ref()) {
            let layout = Layout::of(sample)?;
            if (layout.format, layout.size) != (self.layout.format, self.layout.size) {
                let (was, is) = (self.layout.told(), layout.told());
                return Err(unavailable(format!("the pipeline's picture changed from {was} to {is}")));
            }
            self.layout = layout;
        }
        let Some(buffer) = sample.buffer() else { return Ok(()) };
        let sequence = self.count(buffer.offset());
        let stamp = self.stamp(sample, buffer);
        let copied = if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            Err("the pipeline marks the frame as damaged".to_string())
        } else {
            self.layout.copy(buffer, &mut self.pool)
        };
        match copied {
            Ok((bytes, len)) => {
                let Layout { format, size: [width, height], .. } = self.layout;
                let mut frame = Frame::over(bytes, len, format, width, height)?;
                (frame.stamp, frame.sequence) = (stamp, sequence);
                self.waiting.push_back(Next::Frame(frame));
            }
            Err(detail) => self.waiting.push_back(Next::Fault(Fault { kind: FaultKind::Damaged, count: 1, detail })),
        }
        Ok(())
    }

    /// Our number of a frame, from [`watch`]; gaps are reported as faults.
    fn count(&mut self, number: u64) -> u64 {
        let lost = self.last.map_or(0, |last| number.saturating_sub(last).saturating_sub(1));
        if lost > 0 {
            let detail = format!("{lost} frames were not delivered");
            self.waiting.push_back(Next::Fault(Fault { kind: FaultKind::Lost, count: lost, detail }));
        }
        self.last = Some(number);
        number
    }

    /// The frame's time on our clock; the time of arrival, where the pipeline gives none.
    fn stamp(&mut self, sample: &gst::Sample, buffer: &gst::BufferRef) -> Stamp {
        let now = Stamp::now();
        let taken = || {
            let running = sample.segment()?.downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts()?)?;
            let clock = self.pipeline.0.current_running_time()?;
            let span = |from: gst::ClockTime, to: gst::ClockTime| Duration::from_nanos((to - from).nseconds());
            // A decoder may stamp a frame with the time at which it is to be shown.
            Some(if clock >= running { now.before(span(running, clock)) } else { now.after(span(clock, running)) })
        };
        let (stamp, fault) = self.stamps.believe(taken().unwrap_or(now), now);
        self.waiting.extend(fault.map(Next::Fault));
        stamp
    }
}

impl Source for Pipeline {
    fn describe(&self) -> String {
        self.about.clone()
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        let until = Instant::now() + patience;
        loop {
            if let Some(next) = self.waiting.pop_front() {
                return Ok(next);
            }
            let rest = until.saturating_duration_since(Instant::now());
            if let Some(sample) = pull(&self.sink, rest.min(LOOK)) {
                self.take(&sample)?;
                continue;
            }
            if let Some(error) = failure(&self.pipeline.0) {
                return Err(error);
            }
            if self.sink.is_eos() {
                return if self.live { Err(unavailable("the stream ended")) } else { Ok(Next::End) };
            }
            if self.arrived.elapsed() >= self.stall {
                return Err(unavailable(format!("the pipeline delivered nothing for {} ms", self.stall.as_millis())));
            }
            if Instant::now() >= until {
                return Ok(Next::Nothing);
            }
        }
    }
}

/// A pipeline that ends with its threads when it is dropped.
struct Running(gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        // A pipeline that failed may refuse; it is given up either way.
        let _refused = self.0.set_state(gst::State::Null);
    }
}

impl Layout {
    fn of(sample: &gst::Sample) -> Result<Self> {
        let caps = sample.caps_owned().ok_or_else(|| config("delivers bytes of no format".into()))?;
        let cannot = || config(format!("delivers {caps}, which eyear cannot read; it takes {FORMATS}"));
        let jpeg = caps.structure(0).filter(|caps| caps.name() == "image/jpeg");
        let layout = match (jpeg, VideoInfo::from_caps(&caps)) {
            (Some(jpeg), _) => {
                let side = |name: &str| jpeg.get::<i32>(name).ok().and_then(|side| usize::try_from(side).ok());
                let size = [side("width").unwrap_or(0), side("height").unwrap_or(0)];
                Self { caps: caps.clone(), info: None, format: PixelFormat::Jpeg, size }
            }
            (None, Err(_)) => return Err(cannot()),
            (None, Ok(info)) => {
                let colour = Colour {
                    bt709: info.colorimetry().matrix() == VideoColorMatrix::Bt709,
                    full: info.colorimetry().range() == VideoColorRange::Range0_255,
                };
                let format = match info.format() {
                    VideoFormat::Gray8 => PixelFormat::Grey8,
                    VideoFormat::Gray16Le => PixelFormat::Grey16 { bits: 16 },
                    VideoFormat::Rgb => PixelFormat::Rgb8,
                    VideoFormat::Bgr => PixelFormat::Bgr8,
                    VideoFormat::Yuy2 => PixelFormat::Yuyv(colour),
                    VideoFormat::Nv12 => PixelFormat::Nv12(colour),
                    _ => return Err(cannot()),
                };
                let size = [info.width() as usize, info.height() as usize];
                Self { caps: caps.clone(), info: Some(info), format, size }
            }
        };
        let [width, height] = layout.size;
        let fits = match layout.format {
            PixelFormat::Jpeg => width > 0 && height > 0,
            format => format.bytes(width, height).is_some_and(|length| length > 0),
        };
        match (fits, layout.format) {
            (true, _) => Ok(layout),
            (false, PixelFormat::Jpeg) => {
                Err(config("delivers JPEGs that do not tell their size: end it in `jpegparse`".into()))
            }
            (false, _) => Err(config(format!("delivers {}, which wants even sides", layout.told()))),
        }
    }

    /// Size, format and rate for people.
    fn told(&self) -> String {
        let [width, height] = self.size;
        let format = self.info.as_ref().map_or("JPEG", |info| info.format().to_str());
        let rate = self.caps.structure(0).and_then(|caps| caps.get::<gst::Fraction>("framerate").ok());
        let rate = rate.filter(|rate| rate.numer() > 0);
        let rate = rate.map(|rate| format!(", {:.4}/s", f64::from(rate.numer()) / f64::from(rate.denom())));
        format!("{width} x {height} {format}{}", rate.unwrap_or_default())
    }

    /// A frame's bytes without the padding of its rows, or what is wrong with it.
    fn copy(&self, buffer: &gst::BufferRef, pool: &mut Pool) -> Result<(std::sync::Arc<[u8]>, usize), String> {
        let Some(info) = &self.info else {
            let bytes = buffer.map_readable().map_err(|error| error.to_string())?;
            return pool.copy_jpeg(&bytes).ok_or_else(|| CUT_JPEG.into());
        };
        let short = || format!("a frame of {} bytes, {} were expected", buffer.size(), info.size());
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|_| short())?;
        // Buffers may tell other strides than the format has by itself.
        let strides = [0, 1].map(|plane| frame.plane_stride().get(plane).map_or(0, |&stride| stride.max(0) as usize));
        let planes =
            Planes { bytes: [0, 1].map(|plane| frame.plane_data(plane).unwrap_or_default()), strides, swapped: false };
        pool.copy(&planes, self.format, self.size).ok_or_else(short)
    }
}

/// The pipeline with our sink at its end.
fn parse(text: &str) -> Result<gst::Pipeline> {
    let text = text.trim().trim_end_matches(|end: char| end == '!' || end.is_whitespace());
    let mut context = gst::ParseContext::new();
    let whole = format!("{text} ! appsink name={SINK}");
    let parsed = gst::parse::launch_full(&whole, Some(&mut context), gst::ParseFlags::FATAL_ERRORS);
    let parsed = parsed.map_err(|error| match (error.kind(), context.missing_elements().first()) {
        (Some(gst::ParseError::NoSuchElement), Some(missing)) => {
            let package = PACKAGES.iter().find(|(begin, _)| missing.starts_with(begin));
            let package = package.map(|(_, package)| format!(" (Debian: {package})")).unwrap_or_default();
            config(format!("the element `{missing}` is not installed{package}"))
        }
        _ => config(told(&error)),
    })?;
    parsed.downcast::<gst::Pipeline>().map_err(|_| config("wants elements joined by `!`".into()))
}

/// Watches what goes into the sink, where frames may be replaced by newer ones.
///
/// They are numbered in their field `offset`: by the numbers of their source, where it counts them, and else from one to
/// the next, with one more where something is said to be missing before.
fn watch(sink: &AppSink) -> Result<()> {
    let pad = sink.static_pad("sink").ok_or_else(|| unavailable("GStreamer's appsink has no pad"))?;
    // Rows may be padded as a driver likes: else it would copy each frame first.
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, probe| {
        match probe.query_mut().map(gst::QueryRef::view_mut) {
            Some(gst::QueryViewMut::Allocation(query)) => {
                query.add_allocation_meta::<VideoMeta>(None);
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
        }
    });
    let last: Mutex<Option<(u64, Option<u64>)>> = Mutex::new(None);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
        if let Some(buffer) = probe.buffer_mut() {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let number = last.map_or(0, |last| number_after(last, counted(buffer), buffer.flags()));
            *last = Some((number, counted(buffer)));
            buffer.make_mut().set_offset(number);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// The number that a frame's source gave it. Others count bytes in the same field; frames go on by one.
fn counted(buffer: &gst::BufferRef) -> Option<u64> {
    let (this, next) = (buffer.offset(), buffer.offset_end());
    (this != u64::MAX && next == this + 1).then_some(this)
}

/// Our number of a frame, of which its source counted `counted`, after the last one's two.
fn number_after(last: (u64, Option<u64>), counted: Option<u64>, flags: gst::BufferFlags) -> u64 {
    let ahead = counted.zip(last.1).and_then(|(this, last)| this.checked_sub(last)).filter(|&ahead| ahead > 0);
    last.0 + ahead.unwrap_or(1 + u64::from(flags.contains(gst::BufferFlags::DISCONT)))
}

/// The next frame, waiting for it up to `patience`.
fn pull(sink: &AppSink, patience: Duration) -> Option<gst::Sample> {
    sink.try_pull_sample(gst::ClockTime::from_nseconds(patience.as_nanos() as u64))
}

fn first_sample(pipeline: &gst::Pipeline, sink: &AppSink, patience: Duration) -> Result<gst::Sample> {
    let start = Instant::now();
    loop {
        if let Some(sample) = pull(sink, LOOK) {
            return Ok(sample);
        }
        if let Some(error) = failure(pipeline) {
            return Err(error);
        }
        if sink.is_eos() {
            return Err(unavailable("the pipeline ended before its first frame"));
        }
        if start.elapsed() >= patience {
            return Err(unavailable(format!("the pipeline delivered nothing for {} ms", patience.as_millis())));
        }
    }
}

/// What the pipeline says of its failure, if it has failed.
fn failure(pipeline: &gst::Pipeline) -> Option<Error> {
    let bus = pipeline.bus()?;
    let mut missing = None;
    while let Some(message) = bus.pop() {
        match message.view() {
            gst::MessageView::Element(element) => {
                let plugin = element.structure().filter(|plugin| plugin.name() == "missing-plugin");
                missing = plugin.and_then(|plugin| plugin.get::<String>("name").ok()).or(missing);
            }
            gst::MessageView::Error(error) => {
                let name = error.src().map(|source| source.name().to_string()).unwrap_or_default();
                let debug = error.debug().unwrap_or_default();
                if debug.contains("not-negotiated") || debug.contains("not-linked") {
                    let what = format!("`{name}` and what follows it agree on no format; eyear takes {FORMATS}");
                    return Some(config(what + ": end it in `videoconvert`"));
                }
                if let Some(missing) = missing {
                    return Some(config(format!("`{name}` wants what is not installed: {missing}")));
                }
                // The first line says where in GStreamer's source, the last what happened.
                let detail =
                    debug.lines().skip(1).last().map(|line| format!(" ({})", masked(line))).unwrap_or_default();
                return Some(unavailable(format!("`{name}`: {}{detail}", told(&error.error()))));
            }
            _ => {}
        }
    }
    None
}

/// The elements that the pipeline begins with.
fn sources(pipeline: &gst::Pipeline) -> String {
    let factory = |element: gst::Element| element.factory().map(|factory| factory.name().to_string());
    let mut names: Vec<String> = pipeline.iterate_sources().into_iter().flatten().filter_map(factory).collect();
    names.sort();
    names.join(", ")
}

fn config(what: String) -> Error {
    Error::new(ErrorKind::Config, format!("camera.pipeline: {what}"))
}

fn unavailable(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

/// What GStreamer says, as part of a sentence.
fn told(error: &gst::glib::Error) -> String {
    masked(error.message().trim().trim_end_matches('.'))
}

/// The text without user names and passwords of addresses in it.
fn masked(text: &str) -> String {
    let mut parts = text.split("://");
    let mut all = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let host = part.find(|end: char| end == '/' || end == '"' || end.is_whitespace()).unwrap_or(part.len());
        let begin = part[..host].rfind('@').map_or(0, |at| at + 1);
        all += "://";
        all += &part[begin..];
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_told() {
        let cases = [
            ("could not open \"rtsp://me:secret@cam/1\" now", "could not open \"rtsp://cam/1\" now"),
            ("rtsp://a@b rtsp://c/d@e", "rtsp://b rtsp://c/d@e"),
            ("nothing", "nothing"),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected);
        }
    }
}
