//! A V4L2 camera for every test: `labcam.c` is preloaded into the program under test and plays frames from memory.
//! Beside it, `run` tests the same against the kernel's own drivers in a virtual machine.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use eyear::source::{Next, Source as _};
use tempfile::TempDir;
use v4l::buffer::Type;
use v4l::io::mmap::Stream;
use v4l::io::traits::CaptureStream;
use v4l::v4l_sys::v4l2_capability;
use v4l::video::Capture;
use v4l::{Control, Device, control, v4l2};

/// A camera that shows given frames, over and over, to the programs that it is given to.
pub struct Camera {
    folder: TempDir,
    environment: Vec<(&'static str, OsString)>,
}

impl Camera {
    /// Where programs find it.
    pub const DEVICE: &str = "/dev/video42";

    /// A camera of a FourCC and a size in pixels, 30 frames a second.
    pub fn new(format: &str, [width, height]: [u32; 2], frames: &[Vec<u8>]) -> Self {
        let folder = TempDir::new().unwrap();
        let [all, lengths, control] = ["frames", "lengths", "control"].map(|name| folder.path().join(name));
        fs::write(&all, frames.concat()).unwrap();
        let each: Vec<String> = frames.iter().map(|frame| frame.len().to_string()).collect();
        fs::write(&lengths, each.join("\n")).unwrap();
        fs::write(&control, "").unwrap();
        let camera = Self { environment: vec![("LD_PRELOAD", preload().into())], folder };
        let settings = camera.folder.path().join("settings");
        camera
            .with("LABCAM_DEVICE", Self::DEVICE)
            .with("LABCAM_FORMAT", format)
            .with("LABCAM_SIZE", format!("{width}x{height}"))
            .with("LABCAM_FRAMES", all)
            .with("LABCAM_LENGTHS", lengths)
            .with("LABCAM_CONTROL", control)
            .with("LABCAM_SETTINGS", settings)
    }

    /// The same camera with one more of the settings that `labcam.c` names, such as `LABCAM_FPS`.
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Gives the camera to a program.
    pub fn give_to(&self, command: &mut Command) {
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Lets something go wrong from the next frame on, such as `stall` or `flagerr 3`; nothing any more with an empty
    /// word.
    pub fn fault(&self, word: &str) {
        // Renamed into place: half a word must not be read.
        let part = self.folder.path().join("control.part");
        fs::write(&part, word).unwrap();
        fs::rename(part, self.folder.path().join("control")).unwrap();
    }

    /// Waits until a fault that is counted, such as `gap 5`, has happened.
    pub fn fault_is_over(&self) {
        let start = Instant::now();
        while !fs::read_to_string(self.folder.path().join("control")).unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(20), "the fault did not happen in 20 s");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Rate and controls as the program set them, such as `Gain=40`, one a line; nothing where it set none.
    pub fn settings(&self) -> String {
        fs::read_to_string(self.folder.path().join("settings")).unwrap_or_default()
    }
}

/// The compiled library; compiled once.
fn preload() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("labcam-{}.so", std::process::id()));
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library);
        let output = cc.arg("tests/lab/labcam.c").current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let output = output.expect("the C compiler starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Other processes may load the one that is there while it is replaced by its equal.
        let common = library.with_file_name("labcam.so");
        fs::rename(&library, &common).unwrap();
        common
    })
}

/// What `look` does, for a child of this very program: only a program that starts with the library has the camera.
const LOOK: &str = "LAB_LOOK";

/// The same for `share`.
const SHARE: &str = "LAB_SHARE";

/// Frames of noise, each different.
fn noise(frames: usize, bytes: usize) -> Vec<Vec<u8>> {
    let mut state = 1u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..frames).map(|_| (0..bytes).map(|_| byte()).collect()).collect()
}

/// What a child that looks for `frames` frames says, and the camera that it is to look through.
fn looked(camera: &Camera, frames: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["lab::look", "--exact", "--nocapture"]).env(LOOK, frames.to_string());
    camera.give_to(&mut command);
    command
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The child's part: looks through crate `v4l`, and with libc's own ioctl, and says what it sees.
#[test]
fn look() {
    let Ok(wanted) = std::env::var(LOOK) else { return };
    let device = Device::with_path(Camera::DEVICE).unwrap();
    // SAFETY: the request writes the struct it is made for; all zeros is a value of it.
    let driver = unsafe {
        let mut capability: v4l2_capability = std::mem::zeroed();
        assert_eq!(libc::ioctl(device.handle().fd(), v4l2::vidioc::VIDIOC_QUERYCAP, &mut capability), 0);
        capability.driver
    };
    assert_eq!(&driver[..7], b"labcam\0");
    let names: Vec<String> = device.query_controls().unwrap().into_iter().map(|control| control.name).collect();
    assert_eq!(names, ["Gain", "Exposure Time, Absolute"]);
    let gain = |value| Control { id: v4l::v4l_sys::V4L2_CID_GAIN, value: control::Value::Integer(value) };
    device.set_control(gain(40)).unwrap();
    assert_eq!(device.control(gain(0).id).unwrap().value, control::Value::Integer(40));
    let format = device.format().unwrap();
    println!("{} {}x{} {}", format.fourcc, format.width, format.height, format.stride);
    let mut stream = Stream::with_buffers(&device, Type::VideoCapture, 4).unwrap();
    stream.set_timeout(Duration::from_millis(300));
    for _ in 0..wanted.parse::<usize>().unwrap() {
        let start = Instant::now();
        match stream.next() {
            Ok((bytes, meta)) => {
                let sum = sum(&bytes[..meta.bytesused as usize]);
                println!("frame {} {} {:x} {sum:x}", meta.sequence, meta.bytesused, meta.flags.bits() & 0x40);
            }
            Err(error) => return println!("{:?} after {} ms", error.kind(), start.elapsed().as_millis()),
        }
    }
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn frames_come_through_the_preloaded_camera_bit_by_bit() {
    for (format, stride, bytes) in
        [("YUYV", 128, 6144), ("NV12", 64, 4608), ("GREY", 64, 3072), ("RGB3", 192, 9216), ("Y16", 128, 6144)]
    {
        let frames = noise(3, bytes);
        let camera = Camera::new(format, [64, 48], &frames).with("LABCAM_FPS", "200").with("LABCAM_SEQUENCE", "9");
        let said = said(&mut looked(&camera, 7));
        assert!(said.contains(&format!("{:4} 64x48 {stride}\n", format)), "{said}");
        let seen: Vec<Vec<&str>> =
            said.lines().filter(|l| l.starts_with("frame")).map(|l| l.split(' ').collect()).collect();
        assert_eq!(seen.len(), 7, "{said}");
        for words in seen {
            let frame = &frames[(words[1].parse::<usize>().unwrap() - 9) % 3];
            assert_eq!(words[2..], [bytes.to_string(), "0".into(), format!("{:x}", sum(frame))], "{said}");
        }
        assert!(camera.settings().contains("Gain=40\n"), "{}", camera.settings());
    }
}

/// The child's part: a frame's memory is shared (DMABUF), and holds what the camera shows.
#[test]
fn share() {
    if std::env::var(SHARE).is_err() {
        return;
    }
    let wanted = eyear::station::V4l2 {
        device: Camera::DEVICE.into(),
        serial: None,
        format: None,
        size: None,
        rate: None,
        controls: Default::default(),
        stall_ms: 3000,
    };
    let mut camera = eyear::source::v4l2::V4l2::open(&wanted).unwrap();
    // Four frames later each of the four buffers has been filled.
    let mut frames = 0;
    while frames < 5 {
        frames += usize::from(matches!(camera.next(Duration::from_secs(1)).unwrap(), Next::Frame(_)));
    }
    for index in 0..4 {
        let mut bytes = [0; 3072];
        let shared = fs::File::from(camera.export(index).unwrap());
        // SAFETY: a new mapping, of as many bytes as are read from it; the camera may write to it meanwhile, which is
        // why what is read is not looked at before it is copied.
        unsafe {
            let start = libc::mmap(
                std::ptr::null_mut(),
                bytes.len(),
                libc::PROT_READ,
                libc::MAP_SHARED,
                std::os::fd::AsRawFd::as_raw_fd(&shared),
                0,
            );
            assert_ne!(start, libc::MAP_FAILED);
            std::ptr::copy_nonoverlapping(start.cast::<u8>(), bytes.as_mut_ptr(), bytes.len());
            libc::munmap(start, bytes.len());
        }
        println!("shared {:x}", sum(&bytes));
    }
    assert_eq!(camera.export(9).unwrap_err().kind(), eyear::ErrorKind::Unavailable);
}

#[test]
fn the_memory_of_frames_is_shared_with_what_they_show() {
    // One frame over and over: whichever the camera is writing, it writes the same.
    let frames = noise(1, 3072);
    let camera = Camera::new("GREY", [64, 48], &frames).with("LABCAM_FPS", "100");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["lab::share", "--exact", "--nocapture"]).env(SHARE, "1");
    camera.give_to(&mut command);
    let said = said(&mut command);
    assert_eq!(said.matches(&format!("shared {:x}\n", sum(&frames[0]))).count(), 4, "{said}");
}

#[test]
fn jpegs_come_through_the_preloaded_camera_at_their_own_lengths() {
    let jpegs = ["train/good/n001.jpg", "train/good/n002.jpg"]
        .map(|name| fs::read(Path::new("tests/data/cookie").join(name)).unwrap());
    let camera = Camera::new("MJPG", [288, 384], &jpegs).with("LABCAM_FPS", "200");
    let said = said(&mut looked(&camera, 4));
    for jpeg in &jpegs {
        assert!(said.contains(&format!(" {} 0 {:x}\n", jpeg.len(), sum(jpeg))), "{said}");
    }
}

#[test]
fn what_is_to_go_wrong_with_the_preloaded_camera_does() {
    let camera = Camera::new("GREY", [64, 48], &noise(2, 3072)).with("LABCAM_FPS", "200");
    camera.fault("stall");
    let stalled = said(&mut looked(&camera, 3));
    let after: u64 =
        stalled.split("TimedOut after ").nth(1).expect(&stalled).split(' ').next().unwrap().parse().unwrap();
    assert!(after >= 300, "poll waits for its whole time: {stalled}");
    camera.fault("flagerr 2");
    assert_eq!(said(&mut looked(&camera, 9)).matches(" 3072 40 ").count(), 2);
    camera.fault("short 3");
    assert_eq!(said(&mut looked(&camera, 9)).matches(" 1536 0 ").count(), 3);
    camera.fault("gap 5");
    let lost = said(&mut looked(&camera, 2));
    camera.fault_is_over();
    assert!(lost.contains("frame 5 "), "{lost}");
    camera.fault("eio");
    let broken = said(&mut looked(&camera, 2));
    assert!(broken.contains("after"), "{broken}");
    camera.fault("enodev");
    assert!(!looked(&camera, 2).output().unwrap().status.success(), "there is no camera to open");
}
