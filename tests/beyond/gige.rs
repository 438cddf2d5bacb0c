//! A GigE Vision camera on the network of this machine: what it shows, what it is set to, what befalls it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eyear::ErrorKind;
use eyear::sample::{Frame, PixelFormat};
use eyear::source::FaultKind;
use serde_json::Value;

use super::{Running, Seen, Server, eyear, open, open_in_the_end, refused};

/// The address is fixed: one camera at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start() -> Server {
    let server = Server::start("gige_camera", "aravis-0.8", &["LAB01"]);
    assert_eq!(server.said, "ready");
    server
}

/// A station's camera, with more lines.
fn written(device: &str, more: &str) -> String {
    format!("source = \"gige\"\ndevice = \"{device}\"\n{more}")
}

/// The fake camera draws a ramp that goes on from row to row: each begins with the second pixel of the one above it.
fn is_whole(frame: &Frame) -> bool {
    let bytes = frame.format().bytes(frame.width(), frame.height()).unwrap();
    let row = bytes / frame.height();
    let pixel = row / frame.width();
    let rows: Vec<&[u8]> = frame.pixels().chunks(row).collect();
    rows.len() == frame.height() && rows.windows(2).all(|pair| pair[1][..row - pixel] == pair[0][pixel..])
}

#[test]
fn frames_come_whole_by_whatever_name_the_camera_goes() {
    let (_alone, _server) = (alone(), start());
    for name in ["Aravis-Fake-LAB01", "LAB01", "127.0.0.1"] {
        let mut source = open(&written(name, "serial = \"LAB01\"\nformat = \"Mono8\"")).unwrap();
        assert_eq!(source.describe(), "Aravis Fake (LAB01): 512 x 512 Mono8, 25.0000/s");
        let seen = Seen::of(&mut *source, 25);
        seen.keeps_time();
        assert!(seen.frames.iter().all(is_whole));
        let [one, next] = [0, 1].map(|at| &seen.frames[at]);
        assert_eq!((one.format(), one.width(), one.height()), (PixelFormat::Grey8, 512, 512));
        let ahead = (next.sequence - one.sequence) as usize;
        assert_eq!(one.pixels()[ahead], next.pixels()[0], "the ramp moves by a pixel from frame to frame");
    }
}

#[test]
fn the_camera_is_set_as_the_station_says() {
    let (_alone, _server) = (alone(), start());
    let cases = [
        ("Mono8", PixelFormat::Grey8, [320, 240]),
        ("Mono16", PixelFormat::Grey16 { bits: 16 }, [321, 123]),
        ("RGB8", PixelFormat::Rgb8, [322, 46]),
    ];
    for (name, format, [width, height]) in cases {
        let features = "features = { ExposureTimeAbs = 10_000, GainAuto = \"Off\", GainRaw = 0, OffsetX = 16 }";
        let more = format!("format = \"{name}\"\nsize = [{width}, {height}]\nrate = 50\n{features}");
        let mut source = open(&written("LAB01", &more)).unwrap();
        assert!(source.describe().contains(&format!("{width} x {height} {name}, 50.")), "{}", source.describe());
        let seen = Seen::of(&mut *source, 25);
        seen.keeps_time();
        let frame = &seen.frames[0];
        assert_eq!((frame.format(), frame.width(), frame.height()), (format, width, height));
        assert!(seen.frames.iter().all(is_whole), "{name}");
        let span = seen.frames[24].stamp.ms_since(frame.stamp) / (seen.frames[24].sequence - frame.sequence) as f64;
        assert!((span - 20.0).abs() < 4.0, "{span} ms from frame to frame");
    }
}

#[test]
fn what_the_camera_has_not_is_refused_in_one_sentence() {
    let (_alone, _server) = (alone(), start());
    let cases = [
        ("format = \"BayerRG8\"", "it offers Mono8, RGB8, Mono16"),
        ("rate = 0.001", "camera.rate: LAB01 gives 0.1000 frames a second where 0.001 are asked"),
        ("features = { ExposureTime = 5 }", "no such feature; did you mean `ExposureTimeAbs`?"),
        ("features = { GainRaw = 3000 }", "camera.features.GainRaw: wants a whole number, 0 to 10, found 3000"),
        ("features = { ExposureTimeAbs = \"long\" }", "wants 10 to 10000000, found `long`"),
        ("features = { GainAuto = \"Of\" }", "wants one of Off, Once, Continuous, found `Of`"),
        ("features = { TriggerMode = true }", "wants one of Off, On, found true"),
        ("features = { AcquisitionStart = 1 }", "is no value that can be set"),
    ];
    for (more, words) in cases {
        let error = refused(&written("LAB01", more));
        assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
        assert!(error.message().starts_with("camera.") && error.message().contains(words), "{}", error.chain());
    }
    let first = open(&written("LAB01", "")).unwrap();
    let others = [
        (refused(&written("LAB01", "")), "LAB01 is in use by another program"),
        (refused(&written("LAB02", "")), "there is no GigE camera `LAB02`; `eyear devices` lists those there are"),
    ];
    drop(first);
    let swapped = refused(&written("127.0.0.1", "serial = \"LAB02\""));
    let swapped = (swapped, "127.0.0.1 is another camera: its serial number should be `LAB02`, it has `LAB01`");
    for (error, words) in others.into_iter().chain([swapped]) {
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, words));
    }
}

#[test]
fn lost_packets_are_counted_and_no_damaged_frame_is_delivered() {
    let (_alone, mut server) = (alone(), start());
    let mut source = open(&written("LAB01", "format = \"Mono8\"\nsize = [512, 512]\nrate = 25")).unwrap();
    server.say("5");
    let seen = Seen::until(&mut *source, |seen| seen.frames.len() >= 5 && seen.count(FaultKind::Damaged) >= 5);
    seen.keeps_time();
    assert!(seen.frames.iter().all(is_whole));
    server.say("0");
    let rest = Seen::of(&mut *source, 25);
    assert!(rest.frames.iter().all(is_whole) && rest.faults.len() < 10, "{:?}", rest.faults);
}

#[test]
fn what_is_not_fetched_in_time_is_counted() {
    let (_alone, _server) = (alone(), start());
    let mut source = open(&written("LAB01", "format = \"Mono8\"\nsize = [512, 512]\nrate = 50")).unwrap();
    let before = Seen::of(&mut *source, 5);
    std::thread::sleep(Duration::from_millis(800));
    let after = Seen::of(&mut *source, 30);
    assert!((10..60).contains(&after.count(FaultKind::Lost)), "{:?}", after.faults);
    let [first, last] = [before.frames.first(), after.frames.last()].map(|frame| frame.unwrap().sequence);
    let lost = before.count(FaultKind::Lost) + after.count(FaultKind::Lost) + after.count(FaultKind::Damaged);
    assert_eq!(last - first + 1, 35 + lost);
}

#[test]
fn a_station_comes_back_with_its_camera() {
    let (_alone, server) = (alone(), start());
    let camera = written("LAB01", "format = \"Mono8\"\nsize = [512, 512]\nrate = 25\nstall_ms = 500");
    Running::start(&camera).comes_back(server, start);
}

#[test]
fn a_camera_that_is_gone_is_told_and_opened_again() {
    let (_alone, server) = (alone(), start());
    let camera = written("LAB01", "stall_ms = 500");
    let mut source = open(&camera).unwrap();
    Seen::of(&mut *source, 5).keeps_time();
    drop(server);
    let gone = Seen::until(&mut *source, |_| false).error.unwrap();
    assert_eq!((gone.kind(), gone.message()), (ErrorKind::Unavailable, "LAB01 delivered nothing for 500 ms"));
    drop(source);
    assert_eq!(refused(&camera).kind(), ErrorKind::Unavailable);
    let _server = start();
    Seen::of(&mut *open_in_the_end(&camera), 5).keeps_time();
}

#[test]
fn what_devices_prints_opens_the_camera_and_the_doctor_looks_through_it() {
    let (_alone, _server) = (alone(), start());
    let said = String::from_utf8(eyear(&["devices"]).output().unwrap().stdout).unwrap();
    assert!(said.contains("Aravis Fake (127.0.0.1, serial LAB01)"), "{said}");
    let snippet = said.split("[camera]\n").find(|part| part.starts_with("source = \"gige\"")).expect(&said);
    let snippet = snippet.split("\n\n").next().unwrap();
    assert!(snippet.contains("device = \"Aravis-Fake-LAB01\"\nserial = \"LAB01\"\nformat = \"Mono8\""), "{snippet}");
    Seen::of(&mut *open(snippet).unwrap(), 5).keeps_time();
    let json = eyear(&["devices", "--json"]).output().unwrap().stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    let cameras = json["cameras"].as_array().unwrap();
    assert!(cameras.iter().any(|camera| camera["source"] == "gige" && camera["serial"] == "LAB01"), "{json}");
    let dir = tempfile::TempDir::new().unwrap();
    let station = dir.path().join("line.toml");
    std::fs::write(&station, format!("part = \"none\"\n[camera]\n{snippet}\n")).unwrap();
    let arguments = ["doctor", "camera", "--station", station.to_str().unwrap(), "--frames", "20", "--json"];
    let found = eyear(&arguments).output().unwrap();
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((found["frames"].as_u64(), found["damaged"].as_u64()), (Some(20), Some(0)), "{found}");
    assert!((found["rate"].as_f64().unwrap() - 25.0).abs() < 5.0, "{found}");
}
