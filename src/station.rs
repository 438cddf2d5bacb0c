//! `station.toml` → a checked [`Station`]. Opens no device.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// A station: cameras and microphones, part, trigger and reports.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Name in reports; default: the file's name without its ending.
    #[serde(default)]
    pub name: String,
    /// Folder of the taught part; relative to the station file.
    pub part: PathBuf,
    /// Model package for images: a name, or a folder with a model.toml, relative to the station file. Default, also of the next
    /// two: the package that the part was taught with.
    pub model: Option<String>,
    /// Model package for sounds.
    pub sound_model: Option<String>,
    /// Model package for clips.
    pub clip_model: Option<String>,
    /// Runtime of the encoder, as `eyear::backend::find` takes it.
    #[serde(default = "default_backend")]
    pub backend: String,
    /// Board with providers, threads and temperature limits: a name or a file. Default: everything runs on the CPU, with the
    /// temperature limits of the detected board.
    pub board: Option<String>,
    /// Threads for the encoder; default: one per core, up to four.
    pub threads: Option<usize>,
    /// Source of images; a station without a camera judges sound.
    pub camera: Option<Camera>,
    /// Source of sound, if any.
    pub microphone: Option<Microphone>,
    /// When to judge.
    #[serde(default)]
    pub trigger: Trigger,
    /// The sound that belongs to an image.
    #[serde(default)]
    pub sound: SoundWindow,
    /// Number of failed verdicts for an alarm.
    pub alarm: Option<Alarm>,
    /// The clip that belongs to a trigger, for a part taught from clips.
    pub cycle: Option<Cycle>,
    /// Length of the film saved as evidence around an image, in frames; 0 for none.
    #[serde(default)]
    pub clip: usize,
    /// Outputs of reports.
    #[serde(default)]
    pub reports: Reports,
    /// Reports in words, if wanted.
    pub words: Option<Words>,
    /// Speech, if wanted.
    pub speech: Option<Speech>,
}

fn default_backend() -> String {
    "onnxruntime".into()
}

/// Source of images.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Camera {
    /// A Video4Linux camera.
    V4l2(V4l2),
    /// A GigE Vision camera.
    Gige(Gige),
    /// A GStreamer pipeline.
    Gstreamer(Gstreamer),
    /// Images or a film from files.
    Recording(Recording),
    /// Drawn images, for trials.
    Synthetic(Synthetic),
}

/// A V4L2 camera.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V4l2 {
    /// `/dev/videoN`, a name in `/dev/v4l/by-id` or `/dev/v4l/by-path`, or a serial number.
    pub device: String,
    /// The only camera that is accepted there, by its serial number.
    pub serial: Option<String>,
    /// FourCC: `YUYV`, `MJPG`, `NV12`, `GREY`, `RGB3`, `BGR3`, `Y16 `, `Y10 `, `Y12 `; default: the camera's setting.
    pub format: Option<String>,
    /// Width and height in pixels; default: the camera's setting.
    pub size: Option<[u32; 2]>,
    /// Frames a second.
    pub rate: Option<u32>,
    /// Controls by their V4L2 names in lower case, such as `exposure_time_absolute`.
    #[serde(default)]
    pub controls: BTreeMap<String, i64>,
    /// Milliseconds without a frame after which the camera is given up and opened anew.
    #[serde(default = "default_stall_ms")]
    pub stall_ms: u64,
}

fn default_stall_ms() -> u64 {
    2000
}

/// A GigE Vision camera.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gige {
    /// Its id as printed by `eyear devices`, serial number, user-defined name, IP or MAC address.
    pub device: String,
    /// The only camera that is accepted there, by its serial number.
    pub serial: Option<String>,
    /// GenICam pixel format: `Mono8`, `Mono10`, `Mono12`, `Mono14`, `Mono16`, `RGB8`, `BGR8`, `YUV422_8` (YUYV),
    /// `YUV422_8_UYVY`; default: the camera's setting.
    pub format: Option<String>,
    /// Width and height in pixels, at `OffsetX` and `OffsetY` of `features` on the sensor; default: the camera's setting.
    pub size: Option<[u32; 2]>,
    /// Frames a second.
    pub rate: Option<f64>,
    /// GenICam features by their names, such as `ExposureTime`. Selectors are set first, then automatic functions.
    #[serde(default)]
    pub features: BTreeMap<String, Feature>,
    /// Milliseconds without a frame after which the camera is given up and opened anew.
    #[serde(default = "default_stall_ms")]
    pub stall_ms: u64,
}

/// The value of a GenICam feature.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Feature {
    /// Of a boolean.
    Switch(bool),
    /// Of an integer, or of a float.
    Integer(i64),
    /// Of a float.
    Number(f64),
    /// Of an enumeration, or of a string.
    Word(String),
}

/// A GStreamer pipeline.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gstreamer {
    /// As for `gst-launch-1.0`, without the sink, which eyear adds.
    pub pipeline: String,
    /// Milliseconds without a frame before the pipeline is restarted; at least 10 s for the first frame.
    #[serde(default = "default_stall_ms")]
    pub stall_ms: u64,
}

/// Files that replace a camera or a microphone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// A folder of images, an image, or a film; for a microphone, a WAV or FLAC file.
    pub path: PathBuf,
    /// Frames per second; default: as fast as they are judged. For sound, the speed relative to real time; default 1, `inf` for
    /// as fast as possible.
    pub rate: Option<f64>,
    /// Restart at the end.
    #[serde(default)]
    pub repeat: bool,
}

/// Drawn images.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Width and height in pixels.
    #[serde(default = "default_synthetic_size")]
    pub size: [usize; 2],
    /// Frames per second; default: as fast as they are judged.
    pub rate: Option<f64>,
    /// Number of frames; default: unlimited.
    pub frames: Option<u64>,
    /// Seed of the drawing.
    #[serde(default)]
    pub seed: u64,
}

fn default_synthetic_size() -> [usize; 2] {
    [640, 480]
}

/// Source of sound.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Microphone {
    /// A sound card.
    Alsa(Alsa),
    /// A WAV or FLAC file.
    Recording(Recording),
}

/// A sound card.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alsa {
    /// Stable ALSA name of the card, such as `hw:CARD=Mic,DEV=0`, or `default`.
    pub device: String,
    /// Sample rate in Hz.
    #[serde(default = "default_rate")]
    pub rate: u32,
    /// Channels.
    #[serde(default = "default_channels")]
    pub channels: u16,
    /// `f32`, `i32`, `i16` or `u8`; default: the widest that the card offers.
    pub format: Option<String>,
    /// Milliseconds without a sample before the card is reopened.
    #[serde(default = "default_stall_ms")]
    pub stall_ms: u64,
}

fn default_rate() -> u32 {
    48_000
}

fn default_channels() -> u16 {
    1
}

/// When to judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(tag = "on", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trigger {
    /// Every frame; only the newest if they come faster than they are judged.
    #[default]
    EveryFrame,
    /// The newest frame, every `ms` milliseconds; without a camera the sound, by sound time.
    Interval {
        /// Milliseconds between verdicts.
        ms: u64,
    },
    /// The first still frame after a motion.
    Motion {
        /// Mean change of brightness over the frame that counts as motion, 0 to 255.
        #[serde(default = "default_motion")]
        threshold: f32,
    },
    /// The frame at the time when the sound exceeds a level.
    SoundLevel {
        /// Decibels below full scale, such as -30.
        dbfs: f32,
    },
    /// The newest frame, for each line on standard input or each request to the station's address.
    Request,
}

fn default_motion() -> f32 {
    4.0
}

/// An alarm needs `fails` failed verdicts among the last `of`. A single one may be a chance event; a real fault stays.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// Failed verdicts.
    pub fails: usize,
    /// Number of last verdicts.
    pub of: usize,
}

/// The sound of a sample: from `before_ms` before its time stamp to `after_ms` after it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoundWindow {
    /// Milliseconds before the time stamp.
    pub before_ms: u64,
    /// Milliseconds after the time stamp; the verdict waits for them.
    pub after_ms: u64,
}

impl Default for SoundWindow {
    fn default() -> Self {
        Self { before_ms: 500, after_ms: 0 }
    }
}

impl SoundWindow {
    /// Time before the time stamp.
    pub fn before(&self) -> Duration {
        Duration::from_millis(self.before_ms)
    }

    /// Time after the time stamp.
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

/// The clip of one cycle: from `before_ms` before the trigger to `after_ms` after it. With `every-frame`, each clip begins where
/// the previous one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// Milliseconds before the trigger.
    #[serde(default)]
    pub before_ms: u64,
    /// Milliseconds after the trigger; the verdict waits for them.
    #[serde(default)]
    pub after_ms: u64,
}

impl Cycle {
    /// Time before the trigger.
    pub fn before(&self) -> Duration {
        Duration::from_millis(self.before_ms)
    }

    /// Length of the clip.
    pub fn span(&self) -> Duration {
        Duration::from_millis(self.before_ms + self.after_ms)
    }
}

/// Outputs of reports, besides the JSON lines on standard output.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reports {
    /// Folder for evidence of samples that did not pass; relative to the station file.
    pub folder: Option<PathBuf>,
    /// Address for `eyear status` and for requests, such as `127.0.0.1:7460`; default: none.
    pub address: Option<std::net::SocketAddr>,
}

/// Reports in words. They follow the verdict, which never waits for them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Code of the language, such as `en`.
    #[serde(default = "default_language")]
    pub language: String,
    /// Samples that get words.
    #[serde(default)]
    pub of: Of,
    /// Model package of the writer: a name, or a folder with a model.toml.
    #[serde(default = "default_writer")]
    pub writer: String,
}

fn default_language() -> String {
    "en".into()
}

fn default_writer() -> String {
    "eyear-small".into()
}

/// Samples that get words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// Samples that did not pass.
    #[default]
    NotPassed,
    /// All samples.
    All,
}

/// Speaks the words of failed samples, with a program that reads them from standard input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    /// A program in `PATH`, or a path relative to the station file. espeak-ng also gets the options for standard input and
    /// voice; other programs get `arguments` only.
    #[serde(default = "default_program")]
    pub program: PathBuf,
    /// Further arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
}

fn default_program() -> PathBuf {
    "espeak-ng".into()
}

impl Station {
    /// Reads and checks a station file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be read, [`ErrorKind::Config`] with the field, what was expected and what was
    /// found.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut station = Self::parse(&text, &path.display().to_string())?;
        if station.name.is_empty() {
            station.name = name;
        }
        let home = path.parent().unwrap_or(Path::new(""));
        station.part = home.join(&station.part);
        // Names are looked up among installed packages; paths are relative to this file.
        let is_path = |text: &str| Path::new(text).components().count() > 1 || text.ends_with(".toml");
        let named = [&mut station.model, &mut station.sound_model, &mut station.clip_model, &mut station.board];
        for text in named.into_iter().flatten().filter(|text| is_path(text)) {
            *text = home.join(&*text).display().to_string();
        }
        if let Some(folder) = &mut station.reports.folder {
            *folder = home.join(&folder);
        }
        if let Some(speech) = station.speech.as_mut().filter(|speech| speech.program.components().count() > 1) {
            speech.program = home.join(&speech.program);
        }
        if let Some(Camera::Recording(recording)) = &mut station.camera {
            recording.path = home.join(&recording.path);
        }
        if let Some(Microphone::Recording(recording)) = &mut station.microphone {
            recording.path = home.join(&recording.path);
        }
        Ok(station)
    }

    /// Parses and checks a station file; `name` is used in messages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] as [`Station::load`].
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let station: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let at = line.map(|line| format!(":{line}")).unwrap_or_default();
            Error::new(ErrorKind::Config, format!("{name}{at}: {}", with_nearest(error.message())))
        })?;
        station.check().map_err(|what| Error::new(ErrorKind::Config, format!("{name}: {what}")))?;
        Ok(station)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let rate = match &self.camera {
            None => None,
            Some(Camera::V4l2(v4l2)) => {
                if v4l2.size.is_some_and(|size| size.contains(&0)) {
                    return Err("camera.size wants width and height above 0".into());
                }
                if v4l2.format.as_ref().is_some_and(|format| format.len() > 4 || !format.is_ascii()) {
                    return Err("camera.format wants the four letters of a FourCC, such as \"YUYV\"".into());
                }
                v4l2.rate.map(f64::from)
            }
            Some(Camera::Gige(gige)) => {
                if gige.size.is_some_and(|size| size.iter().any(|side| !(1..=65_536).contains(side))) {
                    return Err("camera.size wants a width and a height of 1 to 65536".into());
                }
                gige.rate
            }
            Some(Camera::Gstreamer(gstreamer)) => {
                if gstreamer.pipeline.trim().is_empty() {
                    return Err("camera.pipeline wants a GStreamer pipeline without sink, found nothing".into());
                }
                None
            }
            Some(Camera::Recording(recording)) => recording.rate,
            Some(Camera::Synthetic(synthetic)) => {
                if synthetic.size.iter().any(|side| !(1..=16_384).contains(side)) {
                    return Err(format!("camera.size wants sides of 1 to 16384 pixels, found {:?}", synthetic.size));
                }
                synthetic.rate
            }
        };
        if rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1000.0)) {
            return Err(format!(
                "camera.rate wants frames per second above 0 and up to 1000, found {}",
                rate.unwrap_or(0.0)
            ));
        }
        if let Some(Microphone::Recording(Recording { rate: Some(speed), .. })) = &self.microphone
            && (speed.is_nan() || *speed <= 0.0)
        {
            return Err(format!(
                "microphone.rate of a recording wants a speed over 0, such as 1.0 or inf, found {speed}"
            ));
        }
        if let Some(Microphone::Alsa(alsa)) = &self.microphone {
            if !(1000..=768_000).contains(&alsa.rate) {
                return Err(format!("microphone.rate wants 1000 to 768000 Hz, found {}", alsa.rate));
            }
            if !(1..=64).contains(&alsa.channels) {
                return Err(format!("microphone.channels wants 1 to 64, found {}", alsa.channels));
            }
        }
        if self.sound.before_ms.saturating_add(self.sound.after_ms) > 60_000 {
            return Err("sound wants before_ms and after_ms of at most 60000 together".into());
        }
        if self.clip > 256 {
            return Err(format!("clip wants at most 256 frames, found {}", self.clip));
        }
        self.check_cycle()?;
        if let Trigger::Interval { ms: 0 } = self.trigger {
            return Err("trigger.ms wants milliseconds above 0".into());
        }
        if self.camera.is_none() && self.microphone.is_none() {
            return Err("a station wants a [camera], a [microphone] or both, found neither".into());
        }
        let by_frames = matches!(self.trigger, Trigger::EveryFrame | Trigger::Motion { .. });
        if self.camera.is_none() && by_frames {
            return Err(
                "trigger.on of a station without a [camera] wants \"interval\", \"sound-level\" or \"request\"".into(),
            );
        }
        if let Some(Alarm { fails, of }) = self.alarm
            && !(1..=of.min(1000)).contains(&fails)
        {
            return Err(format!("alarm wants `fails` from 1 to `of` and `of` up to 1000, found {fails} of {of}"));
        }
        if self.speech.is_some() && self.words.is_none() {
            return Err("[speech] wants [words], found none".into());
        }
        if self.speech.as_ref().is_some_and(|speech| speech.program.as_os_str().is_empty()) {
            return Err("speech.program wants a program, such as \"espeak-ng\", found nothing".into());
        }
        if matches!(self.trigger, Trigger::SoundLevel { .. }) && self.microphone.is_none() {
            return Err("trigger.on = \"sound-level\" wants a [microphone], found none".into());
        }
        Ok(())
    }
}

impl Station {
    fn check_cycle(&self) -> std::result::Result<(), String> {
        let Some(Cycle { before_ms, after_ms }) = self.cycle else { return Ok(()) };
        let ms = before_ms.saturating_add(after_ms);
        if !(300..=30_000).contains(&ms) {
            return Err(format!("cycle wants before_ms and after_ms of 300 to 30000 together, found {ms}"));
        }
        if self.clip > 0 {
            return Err("clip does not work with [cycle], which saves the whole clip: remove it".into());
        }
        match &self.camera {
            None => Err("[cycle] wants a [camera], found none".into()),
            Some(Camera::Recording(Recording { rate: None, .. }) | Camera::Synthetic(Synthetic { rate: None, .. })) => {
                Err("[cycle] wants camera.rate for a recording or drawn images, found none".into())
            }
            Some(_) => Ok(()),
        }
    }
}

/// A message about an unknown word, with the nearest expected one.
fn with_nearest(message: &str) -> String {
    let one_line = message.trim().replace('\n', " ");
    let words: Vec<&str> = one_line.split('`').skip(1).step_by(2).collect();
    let nearest = match (&words[..], one_line.starts_with("unknown")) {
        ([wrong, expected @ ..], true) => expected
            .iter()
            .map(|right| (strsim::damerau_levenshtein(wrong, right), right))
            .filter(|(distance, right)| *distance <= (right.len() / 2).max(1))
            .min(),
        _ => None,
    };
    match nearest {
        Some((_, right)) => format!("{one_line}; did you mean `{right}`?"),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        part = "lid"
        clip = 8
        [camera]
        source = "v4l2"
        device = "usb-Cam_42-video-index0"
        format = "MJPG"
        size = [1920, 1080]
        rate = 30
        controls = { exposure_time_absolute = 120, gain = 3 }
        [microphone]
        source = "alsa"
        device = "hw:CARD=Mic,DEV=0"
        [trigger]
        on = "interval"
        ms = 200
        [sound]
        before_ms = 300
    "#;

    #[test]
    fn a_whole_station_is_read() {
        let station = Station::parse(WHOLE, "line.toml").unwrap();
        let Some(Camera::V4l2(camera)) = &station.camera else { panic!("{:?}", station.camera) };
        assert_eq!((camera.size, camera.controls["gain"]), (Some([1920, 1080]), 3));
        assert_eq!(station.trigger, Trigger::Interval { ms: 200 });
        assert_eq!((station.sound.before_ms, station.sound.after_ms, station.clip), (300, 0, 8));
        assert!(matches!(station.microphone, Some(Microphone::Alsa(Alsa { rate: 48_000, channels: 1, .. }))));
    }

    #[test]
    fn the_sound_of_a_sample_lasts_a_minute_at_most() {
        let most = format!("before_ms = 500\nafter_ms = {}", u64::MAX);
        for sound in ["before_ms = 60001", "before_ms = 30001\nafter_ms = 30000", &most] {
            let microphone = "[microphone]\nsource = \"alsa\"\ndevice = \"default\"";
            let text = format!("part = \"lid\"\n{microphone}\n[sound]\n{sound}");
            let error = Station::parse(&text, "line.toml").unwrap_err();
            assert!(error.message().contains("at most 60000 together"), "{}", error.message());
        }
    }

    #[test]
    fn a_cycle_wants_a_length_and_a_camera_that_has_a_rate() {
        let read = |clip: &str, cycle: &str, camera: &str| {
            Station::parse(&format!("part = \"lid\"\n{clip}\n[cycle]\n{cycle}\n{camera}"), "line.toml")
        };
        let film = "[camera]\nsource = \"recording\"\npath = \"film.avi\"\nrate = 12";
        let cycle = read("", "before_ms = 500\nafter_ms = 1500", film).unwrap().cycle.unwrap();
        assert_eq!((cycle.before(), cycle.span()), (Duration::from_millis(500), Duration::from_secs(2)));
        let cases = [
            ("", "after_ms = 200", film, "300 to 30000 together, found 200"),
            ("", "after_ms = 9223372036854775807", film, "cycle wants"),
            ("", "after = 2000", film, "did you mean `after_ms`?"),
            ("clip = 8", "after_ms = 2000", film, "which saves the whole clip"),
            ("", "after_ms = 2000", "[microphone]\nsource = \"alsa\"\ndevice = \"default\"", "wants a [camera]"),
            ("", "after_ms = 2000", "[camera]\nsource = \"synthetic\"", "camera.rate"),
        ];
        for (clip, cycle, camera, told) in cases {
            let error = read(clip, cycle, camera).unwrap_err();
            assert!(error.message().contains(told), "{told}: {}", error.message());
        }
    }

    #[test]
    fn words_and_speech_are_read_and_one_wants_the_other() {
        let words = |text: &str| Station::parse(&format!("{WHOLE}{text}"), "line.toml");
        let both = words("[words]\n[speech]\n").unwrap();
        let (en, writer) = ("en".to_string(), "eyear-small".to_string());
        assert_eq!(both.words, Some(Words { language: en, of: Of::NotPassed, writer }));
        assert_eq!(both.speech, Some(Speech { program: "espeak-ng".into(), arguments: Vec::new() }));
        let all = words("[words]\nlanguage = \"zh\"\nof = \"all\"\n").unwrap().words.unwrap();
        assert_eq!((&*all.language, all.of), ("zh", Of::All));
        let cases = [
            ("[speech]\n", "[speech] wants [words], found none"),
            ("[words]\nof = \"some\"\n", "unknown variant `some`, expected `not-passed` or `all`"),
            ("[words]\nlangauge = \"en\"\n", "did you mean `language`?"),
            ("[words]\n[speech]\nprogram = \"\"\n", "speech.program wants a program"),
        ];
        for (text, told) in cases {
            let error = words(text).unwrap_err();
            assert!(error.message().contains(told), "{told}: {}", error.message());
        }
    }

    #[test]
    fn cameras_of_every_build_are_read() {
        let camera = |text: &str| Station::parse(&format!("part = \"lid\"\n[camera]\n{text}"), "line.toml");
        let gige = "source = \"gige\"\ndevice = \"LAB01\"\nsize = [640, 480]\nrate = 12.5\n\
                    features = { Gain = 2, ExposureTime = 80.5, ReverseX = true, GainAuto = \"Off\" }";
        let Some(Camera::Gige(read)) = camera(gige).unwrap().camera else { panic!("{gige}") };
        assert_eq!((read.rate, read.stall_ms, read.features["Gain"].clone()), (Some(12.5), 2000, Feature::Integer(2)));
        assert_eq!(read.features["ExposureTime"], Feature::Number(80.5));
        assert_eq!(read.features["ReverseX"], Feature::Switch(true));
        assert_eq!(read.features["GainAuto"], Feature::Word("Off".into()));
        let pipeline = "source = \"gstreamer\"\npipeline = \"videotestsrc\"";
        assert!(matches!(camera(pipeline).unwrap().camera, Some(Camera::Gstreamer(_))));
        let cases = [
            (gige.replace("640", "0"), "camera.size"),
            (gige.replace("12.5", "0.0"), "camera.rate"),
            (gige.replace("\"Off\"", "[1]"), "did not match"),
            (pipeline.replace("videotestsrc", " "), "camera.pipeline"),
            (pipeline.replace("gstreamer", "gstreamr"), "did you mean `gstreamer`?"),
        ];
        for (text, words) in cases {
            let error = camera(&text).unwrap_err();
            assert!(error.message().contains(words), "{}", error.message());
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_the_nearest_right_one() {
        let cases = [
            ("devise", WHOLE.replace("device = \"usb", "devise = \"usb"), "did you mean `device`?"),
            ("miccrophone", WHOLE.replace("[microphone]", "[miccrophone]"), "did you mean `microphone`?"),
            ("intervall", WHOLE.replace("\"interval\"", "\"intervall\""), "did you mean `interval`?"),
            ("v4l", WHOLE.replace("\"v4l2\"", "\"v4l\""), "did you mean `v4l2`?"),
            ("befor_ms", WHOLE.replace("before_ms", "befor_ms"), "did you mean `before_ms`?"),
        ];
        for (wrong, text, expected) in cases {
            let error = Station::parse(&text, "line.toml").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let message = error.message();
            assert!(message.starts_with("line.toml:") && message.contains(wrong), "{message}");
            assert!(message.ends_with(expected), "{message}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_field() {
        let cases = [
            ("part = \"lid\"", "", "part"),
            ("rate = 30", "rate = 0", "camera.rate"),
            ("\"MJPG\"", "\"MOTION\"", "camera.format"),
            ("[1920, 1080]", "[0, 1080]", "camera.size"),
            ("ms = 200", "ms = 0", "trigger.ms"),
            ("clip = 8", "clip = 1000", "clip"),
            ("before_ms = 300", "before_ms = 300000", "sound"),
            ("\"hw:CARD=Mic,DEV=0\"", "\"hw:0\"\nchannels = 0", "microphone.channels"),
        ];
        for (from, to, field) in cases {
            let error = Station::parse(&WHOLE.replace(from, to), "line.toml").unwrap_err();
            assert!(error.message().contains(field), "{field}: {}", error.message());
        }
    }
}
