//! `station.toml`: what stands at the line and what it is to do, as written → [`Station`], checked. Nothing is opened
//! here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};

/// A station: its senses, its part, when it judges and where its reports go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// What it is called in reports. The file's name without its ending, where none is given.
    #[serde(default)]
    pub name: String,
    /// Folder of the taught part; a relative path is taken from the file's own folder.
    pub part: PathBuf,
    /// Model package of pictures: a name, or a folder with a model.toml, by a path from the file's own folder. The one that the
    /// part was taught with, where none is given; so are the next two.
    pub model: Option<String>,
    /// Model package of sounds.
    pub sound_model: Option<String>,
    /// Model package of clips.
    pub clip_model: Option<String>,
    /// Runtime of the encoder, as `eyear::backend::find` takes it.
    #[serde(default = "default_backend")]
    pub backend: String,
    /// Board whose providers, threads and temperatures are gone by: a name, or a file. Where none is named, the CPU runs all and
    /// temperatures are those of the board that this machine is.
    pub board: Option<String>,
    /// Threads for the encoder; one per core, up to four, where none are given.
    pub threads: Option<usize>,
    /// Where pictures come from; a station without a camera listens.
    pub camera: Option<Camera>,
    /// Where sound comes from, if it is to be heard.
    pub microphone: Option<Microphone>,
    /// When to judge.
    #[serde(default)]
    pub trigger: Trigger,
    /// Which sound belongs to a picture.
    #[serde(default)]
    pub sound: SoundWindow,
    /// When failed verdicts are an alarm, where one is not enough.
    pub alarm: Option<Alarm>,
    /// Which film belongs to a moment, of a part that was taught from clips.
    pub cycle: Option<Cycle>,
    /// Frames of the clip that is kept as evidence around a picture; 0 for none.
    #[serde(default)]
    pub clip: usize,
    /// Where reports go.
    #[serde(default)]
    pub reports: Reports,
    /// Words of what was judged, if they are wanted.
    pub words: Option<Words>,
    /// Whether words are spoken.
    pub speech: Option<Speech>,
}

fn default_backend() -> String {
    "onnxruntime".into()
}

/// Where pictures come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Camera {
    /// A camera of the kernel's Video4Linux.
    V4l2(V4l2),
    /// A GigE Vision camera.
    Gige(Gige),
    /// What a GStreamer pipeline delivers.
    Gstreamer(Gstreamer),
    /// Pictures or a film from files.
    Recording(Recording),
    /// Drawn pictures, for trying a station out.
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
    /// FourCC: `YUYV`, `MJPG`, `NV12`, `GREY`, `RGB3`, `BGR3`, `Y16 `, `Y10 `, `Y12 `; the camera's own where none is given.
    pub format: Option<String>,
    /// Width and height in pixels; the camera's own where none are given.
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
    /// Its id as `eyear devices` prints it, its serial number, the name that its owner gave it, or its IP or MAC address.
    pub device: String,
    /// The only camera that is accepted there, by its serial number.
    pub serial: Option<String>,
    /// GenICam pixel format: `Mono8`, `Mono10`, `Mono12`, `Mono14`, `Mono16`, `RGB8`, `BGR8`, `YUV422_8` (YUYV),
    /// `YUV422_8_UYVY`; the camera's own where none is given.
    pub format: Option<String>,
    /// Width and height in pixels, cut out of the sensor where `features` say (`OffsetX`, `OffsetY`); the camera's own
    /// where none are given.
    pub size: Option<[u32; 2]>,
    /// Frames a second.
    pub rate: Option<f64>,
    /// GenICam features by their names, such as `ExposureTime`. Selectors are set first, then what is automatic.
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
    /// As for `gst-launch-1.0`, up to the sink, which is eyear's own.
    pub pipeline: String,
    /// Milliseconds without a frame after which the pipeline is given up and started anew. For the first frame it has
    /// 10 s at least.
    #[serde(default = "default_stall_ms")]
    pub stall_ms: u64,
}

/// Files that stand in for a camera or a microphone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// A folder of pictures, a picture, or a film; of a microphone, a WAV or FLAC file.
    pub path: PathBuf,
    /// Frames a second; as fast as they are judged where none is given. Of sound, how many times as fast as it was
    /// recorded: in real time where none is given, and `inf` for as fast as it is fetched.
    pub rate: Option<f64>,
    /// Begin again at the end.
    #[serde(default)]
    pub repeat: bool,
}

/// Drawn pictures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Width and height in pixels.
    #[serde(default = "default_synthetic_size")]
    pub size: [usize; 2],
    /// Frames a second; as fast as they are judged where none is given.
    pub rate: Option<f64>,
    /// Frames until it ends; without end where none are given.
    pub frames: Option<u64>,
    /// What is drawn follows from it.
    #[serde(default)]
    pub seed: u64,
}

fn default_synthetic_size() -> [usize; 2] {
    [640, 480]
}

/// Where sound comes from.
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
    /// ALSA name that stays with the card, such as `hw:CARD=Mic,DEV=0`, or `default`.
    pub device: String,
    /// Samples of one channel in a second.
    #[serde(default = "default_rate")]
    pub rate: u32,
    /// Channels.
    #[serde(default = "default_channels")]
    pub channels: u16,
    /// `f32`, `i32`, `i16` or `u8`; the widest that the card offers where none is given.
    pub format: Option<String>,
    /// Milliseconds without a sample after which the card is given up and opened anew.
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
    /// Every frame; the newest one where they come faster than they are judged.
    #[default]
    EveryFrame,
    /// The newest frame, every `ms` milliseconds; without a camera the sound, by its own time.
    Interval {
        /// Milliseconds from one judgement to the next.
        ms: u64,
    },
    /// A frame that has come to rest after something moved.
    Motion {
        /// Change of brightness, 0 to 255, averaged over the frame, that counts as motion.
        #[serde(default = "default_motion")]
        threshold: f32,
    },
    /// The frame at which the sound rises to a level.
    SoundLevel {
        /// Decibels below full scale, such as -30.
        dbfs: f32,
    },
    /// The newest frame, at each line on standard input or each request to the station's address.
    Request,
}

fn default_motion() -> f32 {
    4.0
}

/// So many of the last verdicts must fail: what is heard all the time is strange now and then, and a fault stays.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// Verdicts that failed.
    pub fails: usize,
    /// Of so many in a row.
    pub of: usize,
}

/// Which sound belongs to a picture, or to a moment at which a station listens: from `before_ms` before its stamp to `after_ms` after it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoundWindow {
    /// Milliseconds before the picture.
    pub before_ms: u64,
    /// Milliseconds after the picture: the verdict waits for them.
    pub after_ms: u64,
}

impl Default for SoundWindow {
    fn default() -> Self {
        Self { before_ms: 500, after_ms: 0 }
    }
}

impl SoundWindow {
    /// Before the picture.
    pub fn before(&self) -> Duration {
        Duration::from_millis(self.before_ms)
    }

    /// After the picture.
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

/// The film of one cycle of a motion: from `before_ms` before the moment that asks for it to `after_ms` after it. Where every frame
/// asks, each film begins where the one before has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// Milliseconds before the moment.
    #[serde(default)]
    pub before_ms: u64,
    /// Milliseconds after the moment: the verdict waits for them.
    #[serde(default)]
    pub after_ms: u64,
}

impl Cycle {
    /// Before the moment.
    pub fn before(&self) -> Duration {
        Duration::from_millis(self.before_ms)
    }

    /// The whole film.
    pub fn span(&self) -> Duration {
        Duration::from_millis(self.before_ms + self.after_ms)
    }
}

/// Where reports go. One JSON object a line on standard output is always written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reports {
    /// Folder for the pictures of what did not pass; a relative path is taken from the file's own folder.
    pub folder: Option<PathBuf>,
    /// Address for `eyear status` and for requests, such as `127.0.0.1:7460`; none is opened where none is given.
    pub address: Option<std::net::SocketAddr>,
}

/// Words of what was judged. They follow the verdict, which never waits for them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Code of the language, such as `en`.
    #[serde(default = "default_language")]
    pub language: String,
    /// Which moments are written of.
    #[serde(default)]
    pub of: Of,
    /// Model package that writes: a name, or a folder with a model.toml.
    #[serde(default = "default_writer")]
    pub writer: String,
}

fn default_language() -> String {
    "en".into()
}

fn default_writer() -> String {
    "eyear-small".into()
}

/// Which moments are written of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// Those that did not pass.
    #[default]
    NotPassed,
    /// Every one.
    All,
}

/// What is written of a moment that fails is spoken, by a program that reads it on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    /// A program that is found by `PATH`, or a path; a relative path is taken from the file's own folder. espeak-ng is told
    /// to read and by which voice, another program is given its arguments alone.
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
        // A name is looked up where such are kept, a path begins here.
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

    /// Checks what is written; `name` is used in messages.
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
                    return Err("camera.size wants a width and a height over 0".into());
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
                    return Err("camera.pipeline wants a GStreamer pipeline up to its sink, found nothing".into());
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
                "camera.rate wants frames a second, over 0 and up to 1000, found {}",
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
        if self.sound.before_ms + self.sound.after_ms > 60_000 {
            return Err("sound wants before_ms and after_ms of a minute at most".into());
        }
        if self.clip > 256 {
            return Err(format!("clip wants 256 frames at most, found {}", self.clip));
        }
        self.check_cycle()?;
        if let Trigger::Interval { ms: 0 } = self.trigger {
            return Err("trigger.ms wants milliseconds over 0".into());
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
            return Err(format!(
                "alarm wants `fails` of 1 up to `of`, and that of 1000 at most, found {fails} of {of}"
            ));
        }
        if self.speech.is_some() && self.words.is_none() {
            return Err("[speech] wants [words] beside it, of which it speaks, found none".into());
        }
        if self.speech.as_ref().is_some_and(|speech| speech.program.as_os_str().is_empty()) {
            return Err("speech.program wants a program, such as \"espeak-ng\", found nothing".into());
        }
        if matches!(self.trigger, Trigger::SoundLevel { .. }) && self.microphone.is_none() {
            return Err("trigger.on is \"sound-level\", and there is no [microphone]".into());
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
            return Err("clip is of pictures: with [cycle] the whole film is kept; leave it out".into());
        }
        match &self.camera {
            None => Err("[cycle] wants a [camera], found none".into()),
            Some(Camera::Recording(Recording { rate: None, .. }) | Camera::Synthetic(Synthetic { rate: None, .. })) => {
                Err("[cycle] wants camera.rate beside it, for a film has its time".into())
            }
            Some(_) => Ok(()),
        }
    }
}

/// A message about an unknown word, with the nearest of those expected.
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
            ("clip = 8", "after_ms = 2000", film, "the whole film is kept"),
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
            ("[speech]\n", "[speech] wants [words] beside it"),
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
