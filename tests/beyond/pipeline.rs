//! Pipelines of drawn pictures in every format, and what befalls them; a camera of the network that goes and comes.

use std::fs;
use std::time::Duration;

use eyear::ErrorKind;
use eyear::prepare::pixels::Developer;
use eyear::sample::{Colour, PixelFormat};
use eyear::source::FaultKind;

use super::{Running, Seen, Server, open, open_in_the_end, refused};

fn written(pipeline: &str) -> String {
    format!("source = \"gstreamer\"\npipeline = '''{pipeline}'''")
}

fn seen(pipeline: &str, frames: usize) -> Seen {
    Seen::of(&mut *open(&written(pipeline)).unwrap(), frames)
}

/// Bytes that follow from their place.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn every_format_comes_bit_by_bit_without_the_padding_of_its_rows() {
    let video = Colour { bt709: false, full: false };
    let cases = [
        ("gray8", "GRAY8", PixelFormat::Grey8, 1, [321, 46]),
        ("gray16-le", "GRAY16_LE", PixelFormat::Grey16 { bits: 16 }, 2, [321, 46]),
        ("rgb", "RGB", PixelFormat::Rgb8, 3, [321, 46]),
        ("bgr", "BGR", PixelFormat::Bgr8, 3, [321, 46]),
        ("yuy2", "YUY2", PixelFormat::Yuyv(video), 2, [322, 46]),
        ("nv12", "NV12", PixelFormat::Nv12(video), 1, [322, 46]),
    ];
    let dir = tempfile::TempDir::new().unwrap();
    for (word, name, format, bytes, [width, height]) in cases {
        // As GStreamer pads rows, and as a driver might.
        let row: usize = bytes * width;
        for stride in [row.next_multiple_of(4), row.next_multiple_of(64)] {
            let planes: &[usize] = if name == "NV12" { &[height, height / 2] } else { &[height] };
            let raw = noise(stride * planes.iter().sum::<usize>());
            let file = dir.path().join("raw");
            fs::write(&file, &raw).unwrap();
            let (strides, offsets) = match planes.len() {
                2 => (format!("<{stride},{stride}>"), format!("<0,{}>", stride * height)),
                _ => (format!("<{stride}>"), "<0>".into()),
            };
            let parse = format!(
                "rawvideoparse format={word} width={width} height={height} framerate=20/1 \
                 plane-strides=\"{strides}\" plane-offsets=\"{offsets}\" frame-size={}",
                raw.len()
            );
            let seen = seen(&format!("filesrc location={} blocksize={} ! {parse}", file.display(), raw.len()), 9);
            let [frame] = &seen.frames[..] else { panic!("{name}: {} frames, {:?}", seen.frames.len(), seen.faults) };
            assert_eq!((frame.format(), frame.width(), frame.height()), (format, width, height));
            let rows: Vec<u8> = raw.chunks(stride).flat_map(|padded| &padded[..row]).copied().collect();
            assert!(frame.pixels() == rows, "{name} with rows of {stride} bytes");
            assert!(seen.ended);
        }
    }
}

#[test]
fn colours_are_read_as_the_pipeline_says() {
    let cases = [
        ("NV12, width=64, height=48, colorimetry=bt709", PixelFormat::Nv12(Colour { bt709: true, full: false })),
        ("NV12, width=64, height=48, colorimetry=bt601", PixelFormat::Nv12(Colour { bt709: false, full: false })),
        ("YUY2, width=64, height=48, colorimetry=1:4:0:0", PixelFormat::Yuyv(Colour { bt709: false, full: true })),
        // Where nothing is said, the size tells.
        ("YUY2, width=1280, height=720", PixelFormat::Yuyv(Colour { bt709: true, full: false })),
    ];
    for (caps, format) in cases {
        let seen = seen(&format!("videotestsrc num-buffers=1 ! video/x-raw, format={caps}"), 1);
        assert_eq!(seen.frames[0].format(), format, "{caps}");
    }
}

#[test]
fn a_recording_plays_at_its_own_pace_to_its_end() {
    let seen =
        seen("videotestsrc num-buffers=20 ! video/x-raw, format=GRAY8, width=64, height=48, framerate=25/1 !", 99);
    assert!(seen.ended && seen.frames.len() == 20 && seen.faults.is_empty(), "{:?}", seen.faults);
    seen.keeps_time();
    for (number, pair) in seen.frames.windows(2).enumerate() {
        assert_eq!(pair[0].sequence, number as u64);
        assert!((pair[1].stamp.ms_since(pair[0].stamp) - 40.0).abs() < 1.0, "{pair:?}");
    }
}

#[test]
fn jpegs_come_as_they_are_and_one_that_is_cut_off_is_damaged() {
    let seen = seen("videotestsrc num-buffers=3 ! video/x-raw, width=322, height=46, framerate=50/1 ! jpegenc", 99);
    assert_eq!((seen.frames.len(), seen.faults.len()), (3, 0));
    let frame = &seen.frames[0];
    assert_eq!((frame.format(), frame.width(), frame.height()), (PixelFormat::Jpeg, 322, 46));
    assert!(Developer::default().develop(frame, [46, 322]).is_ok());
    let dir = tempfile::TempDir::new().unwrap();
    let whole = frame.pixels();
    fs::write(dir.path().join("0.jpg"), whole).unwrap();
    fs::write(dir.path().join("1.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::write(dir.path().join("2.jpg"), whole).unwrap();
    let files = format!("multifilesrc location={}/%d.jpg stop-index=2", dir.path().display());
    let seen = self::seen(&format!("{files} caps=image/jpeg,width=322,height=46,framerate=50/1"), 99);
    assert_eq!((seen.frames.len(), seen.count(FaultKind::Damaged), seen.count(FaultKind::Lost)), (2, 1, 0));
    assert!(seen.frames[1].pixels() == whole);
}

const LIVE: &str = "videotestsrc is-live=true ! video/x-raw, format=NV12, width=64, height=48, framerate=50/1";

#[test]
fn what_is_lost_on_the_way_or_not_fetched_in_time_is_counted() {
    let lost = seen(&format!("{LIVE} ! identity drop-probability=0.3"), 60);
    assert!(lost.count(FaultKind::Lost) > 5, "{:?}", lost.faults);
    lost.keeps_time();
    let mut source = open(&written(LIVE)).unwrap();
    let before = Seen::of(&mut *source, 5);
    std::thread::sleep(Duration::from_millis(600));
    let after = Seen::of(&mut *source, 30);
    let lost = after.count(FaultKind::Lost);
    assert!((15..60).contains(&lost), "{:?}", after.faults);
    let [first, last] = [before.frames.first(), after.frames.last()].map(|frame| frame.unwrap().sequence);
    assert_eq!(last - first + 1, 35 + lost + before.count(FaultKind::Lost));
    // The newest are kept.
    assert!(after.ages[10] < 200.0, "{:?}", after.ages);
}

#[test]
fn what_breaks_while_it_runs_is_to_be_opened_again() {
    let failed = seen(&format!("{LIVE} ! identity error-after=10"), 99).error.unwrap();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert!(failed.message().contains("Failed after iterations as requested"), "{}", failed.chain());
    let ended = seen("videotestsrc is-live=true num-buffers=5 ! video/x-raw, format=RGB", 99);
    assert_eq!(ended.error.unwrap().message(), "the stream ended");
    let small = "videotestsrc num-buffers=5 ! video/x-raw, format=GRAY8, height=48, width";
    let changed = seen(&format!("{small}=64 ! concat name=all {small}=128 ! all. all."), 99);
    assert_eq!(changed.frames.len(), 5);
    let error = changed.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("changed from 64 x 48 GRAY8"), "{}", error.chain());
    let stuck = format!("{}\nstall_ms = 300", written(&format!("{LIVE} ! identity sleep-time=1500000")));
    let stuck = Seen::of(&mut *open(&stuck).unwrap(), 99).error.unwrap();
    assert_eq!((stuck.kind(), stuck.message()), (ErrorKind::Unavailable, "the pipeline delivered nothing for 300 ms"));
}

#[test]
fn what_is_no_pipeline_is_refused_in_one_sentence() {
    let cases = [
        ("nosuchsrc", "the element `nosuchsrc` is not installed"),
        ("nvarguscamerasrc ! nvvidconv", "`nvarguscamerasrc` is not installed (Debian: nvidia-l4t-gstreamer)"),
        ("videotestsrc ! avdec_nothing", "(Debian: gstreamer1.0-libav)"),
        ("videotestsrc ! ! fakesink", "syntax error"),
        ("videotestsrc colour=red", "no property \"colour\""),
        ("videotestsrc ! autovideosink", "autovideosink"),
        ("videotestsrc ! video/x-raw, format=I420", "end it in `videoconvert`"),
        ("videotestsrc ! video/x-raw, format=YUY2, width=321", "which wants even sides"),
        ("audiotestsrc", "GRAY16_LE"),
    ];
    for (pipeline, words) in cases {
        let error = refused(&written(pipeline));
        let told = error.chain();
        assert_eq!(error.kind(), ErrorKind::Config, "{told}");
        assert!(told.starts_with("camera.pipeline: ") && told.contains(words), "{pipeline}: {told}");
        assert!(!told.contains(".c("), "{told}");
    }
}

/// An RTSP camera whose pictures are made ready for the network by `payload`.
fn rtsp(port: &str, payload: &str) -> Server {
    let pictures = "videotestsrc is-live=true ! video/x-raw, format=I420, width=320, height=240, framerate=25/1";
    let pipeline = format!("( {pictures} ! {payload} name=pay0 )");
    Server::start("rtsp_camera", "gstreamer-rtsp-server-1.0", &[port, &pipeline])
}

const JPEG: &str = "jpegenc ! rtpjpegpay";

fn over_rtsp(port: &str, rest: &str) -> String {
    let source = format!("rtspsrc location=rtsp://me:secret@127.0.0.1:{port}/cam protocols=tcp latency=100");
    written(&format!("{source} ! {rest}"))
}

#[test]
fn h264_comes_over_the_network() {
    let server = rtsp("0", "openh264enc gop-size=10 ! rtph264pay config-interval=-1");
    let mut pictures = open(&over_rtsp(&server.said, "rtph264depay ! h264parse ! openh264dec ! videoconvert")).unwrap();
    let seen = Seen::of(&mut *pictures, 25);
    seen.keeps_time();
    let [one, frame] = [0, 24].map(|at| &seen.frames[at]);
    assert_eq!((frame.format(), frame.width(), frame.height()), (one.format(), 320, 240));
    assert!(matches!(frame.format(), PixelFormat::Nv12(_)), "{}", pictures.describe());
    // The first bar of the drawn picture is white, the last before the noise is blue.
    let luma = |x: usize| frame.pixels()[20 * 320 + x];
    assert!(luma(10) > 150 && luma(310) < 80, "{} {}", luma(10), luma(310));
}

#[test]
fn a_camera_of_the_network_goes_and_comes() {
    let server = rtsp("0", JPEG);
    let port = server.said.clone();
    let mut jpegs = open(&over_rtsp(&port, "rtpjpegdepay")).unwrap();
    assert!(jpegs.describe().starts_with("rtspsrc by GStreamer: 320 x 240 JPEG"), "{}", jpegs.describe());
    let seen = Seen::of(&mut *jpegs, 25);
    seen.keeps_time();
    assert_eq!(seen.frames[0].format(), PixelFormat::Jpeg);
    let decoded = over_rtsp(&port, "rtpjpegdepay ! jpegdec ! videoconvert");
    let mut pictures = open(&decoded).unwrap();
    let seen = Seen::of(&mut *pictures, 25);
    seen.keeps_time();
    assert!(matches!(seen.frames[0].format(), PixelFormat::Nv12(_)), "{}", pictures.describe());
    let wrong = refused(&over_rtsp(&port, "rtph264depay ! h264parse ! openh264dec ! videoconvert"));
    assert_eq!(wrong.kind(), ErrorKind::Config, "{}", wrong.chain());
    assert!(wrong.message().contains("agree on no format") && !wrong.message().contains("secret"), "{}", wrong.chain());
    drop(server);
    for source in [&mut jpegs, &mut pictures] {
        let error = Seen::until(&mut **source, |_| false).error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
    }
    let gone = refused(&decoded);
    assert_eq!(gone.kind(), ErrorKind::Unavailable);
    assert!(gone.message().contains("rtspsrc") && !gone.message().contains("secret"), "{}", gone.chain());
    let _server = rtsp(&port, JPEG);
    Seen::of(&mut *open_in_the_end(&decoded), 5).keeps_time();
}

#[test]
fn a_station_judges_what_an_rtsp_camera_shows_and_comes_back_with_it() {
    let server = rtsp("0", JPEG);
    let port = server.said.clone();
    Running::start(&over_rtsp(&port, "rtpjpegdepay ! jpegdec ! videoconvert")).comes_back(server, || rtsp(&port, JPEG));
}
