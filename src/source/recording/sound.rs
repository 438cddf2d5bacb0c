//! A sound file (WAV, FLAC) that stands in for a microphone: the same chunks of a tenth of a second, exact to the
//! sample from its first to its last.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Damage;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use super::head;
use super::open::{self, Opened};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::Sound;
use crate::source::{Fault, FaultKind, Next, Source};
use crate::station::Recording;
use crate::time::Stamp;

/// Chunks of a second.
const CHUNKS_A_SECOND: u32 = 10;

/// Samples of all channels that are read of a file at most: a gibibyte.
const MOST_SAMPLES: usize = 1 << 28;

/// Seconds that a sound lasts at most, where it is one sample: nothing that is judged at once lasts ten minutes.
const MOST_SECONDS: u64 = 600;

/// Reads a sound file that is one sample, to be taught or judged at once.
///
/// # Errors
/// As [`read`]; [`ErrorKind::Input`] when it lasts over ten minutes, by its head before the rest is read.
pub fn read_sample(path: &Path) -> Result<Sound> {
    read_up_to(path, Some(MOST_SECONDS))
}

/// Reads a sound file, whole, however long it lasts.
///
/// # Errors
/// As [`SoundFile::open`]; [`ErrorKind::Input`] when the file is damaged, ends early, holds what is no number, or has over
/// 268 million samples.
pub fn read(path: &Path) -> Result<Sound> {
    read_up_to(path, None)
}

fn read_up_to(path: &Path, most_seconds: Option<u64>) -> Result<Sound> {
    let mut file = SoundFile::open(&Recording { path: path.to_path_buf(), rate: None, repeat: false })?;
    let promised = file.decoder.promised.unwrap_or(0).saturating_mul(file.channels as u64);
    let most = most_seconds.map(|seconds| seconds * u64::from(file.rate) * file.channels as u64);
    if let (Some(seconds), Some(_)) = (most_seconds, most.filter(|most| promised > *most)) {
        let has = promised / u64::from(file.rate) / file.channels as u64;
        return Err(wrong(path, &format!("the sound lasts {has} s, over the {seconds} s of one sample: cut it")));
    }
    let mut samples = Vec::with_capacity(promised.min(MOST_SAMPLES as u64) as usize);
    loop {
        if let Some(fault) = file.fault.take() {
            return Err(Error::new(ErrorKind::Input, fault.detail));
        }
        if file.decoded.is_empty() {
            return Sound::new(samples, file.rate, file.channels);
        }
        samples.append(&mut file.decoded);
        if let Some(seconds) = most_seconds.filter(|_| most.is_some_and(|most| samples.len() as u64 > most)) {
            return Err(wrong(path, &format!("the sound lasts over the {seconds} s of one sample: cut it")));
        }
        if samples.len() > MOST_SAMPLES {
            let what = format!("the sound file has over the {MOST_SAMPLES} samples that are read at most");
            return Err(wrong(path, &what));
        }
        file.decode()?;
    }
}

/// A sound file that is being played.
///
/// A chunk comes when its last sample would have been taken, and stamps go by the samples: sample n was taken n / rate
/// after the first, which was taken when [`Source::next`] was first called.
pub struct SoundFile {
    path: PathBuf,
    repeat: bool,
    /// How many times as fast as it was recorded; infinite for as fast as it is fetched.
    speed: f64,
    decoder: Decoder,
    rate: u32,
    channels: usize,
    /// When the first sample was taken, once it was asked for.
    start: Option<Stamp>,
    /// Samples of one channel delivered since, over all repetitions.
    position: u64,
    /// Samples of all channels that are decoded and not yet delivered.
    decoded: Vec<f32>,
    /// Samples of one channel that were decoded of this repetition.
    of_this: u64,
    /// Nothing more is to be decoded.
    over: bool,
    /// What was decoded holds samples that are no numbers.
    fault: Option<Fault>,
}

struct Decoder {
    format: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    track: u32,
    /// Samples of one channel, as the file's head says.
    promised: Option<u64>,
    /// Its head tells lengths that are none.
    mended: bool,
    rate: u32,
    channels: usize,
}

impl SoundFile {
    /// Opens a sound file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be read; [`ErrorKind::Input`] when it is empty, no sound file of a known format,
    /// or has no samples, no channel or an impossible rate; [`ErrorKind::Config`] when `rate` is no speed.
    pub fn open(recording: &Recording) -> Result<Self> {
        let speed = recording.rate.unwrap_or(1.0);
        if speed.is_nan() || speed <= 0.0 {
            let what =
                format!("microphone.rate of a recording wants a speed over 0, such as 1.0 or inf, found {speed}");
            return Err(Error::new(ErrorKind::Config, what));
        }
        let decoder = Decoder::open(&recording.path)?;
        let (rate, channels) = (decoder.rate, decoder.channels);
        let mut file = Self {
            path: recording.path.clone(),
            repeat: recording.repeat,
            speed,
            decoder,
            rate,
            channels,
            start: None,
            position: 0,
            decoded: Vec::new(),
            of_this: 0,
            over: false,
            fault: None,
        };
        file.decode()?;
        match (file.decoded.is_empty(), file.fault.take()) {
            (true, Some(fault)) => Err(Error::new(ErrorKind::Input, fault.detail)),
            (true, None) => Err(wrong(&file.path, "the sound file has no samples")),
            (false, fault) => Ok(Self { fault, ..file }),
        }
    }

    /// Samples of one channel in a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples of one channel of a chunk.
    fn chunk(&self) -> usize {
        (self.rate / CHUNKS_A_SECOND).max(1) as usize
    }

    /// Decodes until a chunk is there, or the end.
    fn decode(&mut self) -> Result<()> {
        let wanted = self.chunk() * self.channels;
        while self.decoded.len() < wanted && !self.over && self.fault.is_none() {
            let before = self.decoded.len();
            let damage = match self.decoder.packet(&mut self.decoded) {
                Ok(true) => None,
                Ok(false) => Some(None),
                Err(Damage::DecodeError(what)) => Some(Some(what.to_string())),
                // The file ends amid a packet.
                Err(Damage::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Some(None),
                Err(Damage::IoError(error)) if is_of_the_file(&error) => {
                    return Err(Error::io("read", &self.path, error));
                }
                // A decoder that has read a packet to its end.
                Err(Damage::IoError(_)) => Some(Some("a packet ends before its samples do".into())),
                Err(error) => Some(Some(error.to_string())),
            };
            self.clean(before);
            self.of_this += ((self.decoded.len() - before) / self.channels) as u64;
            if let Some(damage) = damage {
                self.end(damage)?;
            }
        }
        Ok(())
    }

    /// What is no number becomes silence, and is told.
    fn clean(&mut self, from: usize) {
        let mut damaged = 0;
        for sample in self.decoded[from..].iter_mut().filter(|sample| !sample.is_finite()) {
            *sample = 0.0;
            damaged += 1;
        }
        if damaged > 0 {
            let count = usize::div_ceil(damaged, self.channels) as u64;
            self.fault = Some(self.damaged(count, &format!("{damaged} samples are no numbers; they are silence now")));
        }
    }

    fn damaged(&self, count: u64, what: &str) -> Fault {
        Fault { kind: FaultKind::Damaged, count, detail: format!("{}: {what}", self.path.display()) }
    }

    /// The file is over, or goes no further: begins again, or ends.
    fn end(&mut self, damage: Option<String>) -> Result<()> {
        let (held, promised) = (self.of_this, self.decoder.promised.unwrap_or(0));
        let missing = promised.saturating_sub(held);
        if missing > 0 || damage.is_some() {
            let of = if promised > 0 { format!(" of the {promised} that its head promises") } else { String::new() };
            let what = match damage {
                Some(what) => format!("the sound file is damaged after {held} samples{of}: {what}"),
                None => format!("the sound file has {held} samples{of}"),
            };
            self.fault = Some(self.damaged(missing.max(1), &what));
        }
        self.over = !self.repeat || self.of_this == 0;
        if !self.over {
            let again = Decoder::open(&self.path)?;
            if (again.rate, again.channels) != (self.rate, self.channels) {
                return Err(wrong(&self.path, "the sound file changed its rate or channels while it was repeated"));
            }
            self.decoder = again;
        }
        self.of_this = 0;
        Ok(())
    }

    /// How long after the start the sample at `position` is taken.
    fn time_of(&self, position: u64) -> Duration {
        Duration::from_nanos((u128::from(position) * 1_000_000_000 / u128::from(self.rate)) as u64)
    }
}

impl Source for SoundFile {
    fn describe(&self) -> String {
        let channels = format!("{} channel{}", self.channels, if self.channels == 1 { "" } else { "s" });
        let pace = match self.speed {
            1.0 => "in real time".to_string(),
            speed if speed.is_infinite() => "as fast as it is fetched".to_string(),
            speed => format!("{speed} times as fast as it was recorded"),
        };
        let mended = if self.decoder.mended { ", read to its end, for its head tells another length" } else { "" };
        format!("{}: {} Hz, {channels}, {pace}{mended}", self.path.display(), self.rate)
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        let start = *self.start.get_or_insert_with(Stamp::now);
        self.decode()?;
        if let Some(fault) = self.fault.take() {
            return Ok(Next::Fault(fault));
        }
        let frames = self.chunk().min(self.decoded.len() / self.channels);
        if frames == 0 {
            return Ok(Next::End);
        }
        if self.speed.is_finite() {
            let due = self.time_of(self.position + frames as u64).as_secs_f64() / self.speed;
            let due = start.after(Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX));
            let wait = Duration::from_nanos(due.ns.saturating_sub(Stamp::now().ns));
            std::thread::sleep(wait.min(patience));
            if wait > patience {
                return Ok(Next::Nothing);
            }
        }
        let samples: Vec<f32> = self.decoded.drain(..frames * self.channels).collect();
        let mut sound = Sound::new(samples, self.rate, self.channels)?;
        sound.position = self.position;
        sound.stamp = start.after(self.time_of(self.position));
        self.position += frames as u64;
        Ok(Next::Sound(sound))
    }
}

impl Decoder {
    fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(wrong(path, "a folder is no sound file"));
        }
        let (source, mended): (Box<dyn MediaSource>, bool) = match open::open(path)? {
            Opened::File(_, 0) => return Err(wrong(path, "the file is empty")),
            Opened::File(file, length) => {
                let file = head::Mended::of(file, length).map_err(|error| Error::io("read", path, error))?;
                let mended = file.is_mended();
                (Box::new(file), mended)
            }
            Opened::Pipe(pipe) => (Box::new(ReadOnlySource::new(pipe)), false),
        };
        let stream = MediaSourceStream::new(source, Default::default());
        let (format_options, meta_options) = (FormatOptions::default(), MetadataOptions::default());
        let probed = symphonia::default::get_probe().probe(&Hint::new(), stream, format_options, meta_options);
        let format = probed.map_err(|error| refused(path, error))?;
        let track = format.default_track(TrackType::Audio).ok_or_else(|| wrong(path, "the sound file has no sound"))?;
        let (id, promised) = (track.id, track.num_frames);
        let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
        let parameters = parameters.ok_or_else(|| wrong(path, "the sound file has no sound"))?;
        let rate = parameters.sample_rate.unwrap_or(0);
        let channels = parameters.channels.as_ref().map_or(0, Channels::count);
        if let Some(what) = head::unbelievable(rate, channels) {
            return Err(wrong(path, &what));
        }
        let bytes = parameters.bits_per_sample.map_or(1, |bits| u64::from(bits / 8)) * channels as u64;
        let promised = head::believed(promised, bytes);
        let codec = symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default());
        let codec = codec.map_err(|error| refused(path, error))?;
        Ok(Self { format, codec, track: id, promised, mended, rate, channels })
    }

    /// Decodes the next packet to the end of `decoded`; `false` at the end.
    fn packet(&mut self, decoded: &mut Vec<f32>) -> std::result::Result<bool, Damage> {
        loop {
            let Some(packet) = self.format.next_packet()? else { return Ok(false) };
            if packet.track_id != self.track {
                continue;
            }
            let buffer = self.codec.decode(&packet)?;
            // A packet that says otherwise would shift one channel into another.
            if buffer.spec().channels().count() != self.channels || buffer.spec().rate() != self.rate {
                return Err(Damage::DecodeError(
                    "a packet has another rate or number of channels than the file's head",
                ));
            }
            let before = decoded.len();
            decoded.resize(before + buffer.samples_interleaved(), 0.0);
            buffer.copy_to_slice_interleaved(&mut decoded[before..]);
            return Ok(true);
        }
    }
}

/// Whether reading failed, not what was read: the system numbers its errors, a decoder does not.
fn is_of_the_file(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some()
}

/// Why a file was refused: by its head, where something is wrong with it, else as the decoder says.
fn refused(path: &Path, error: Damage) -> Error {
    match error {
        Damage::IoError(error) if is_of_the_file(&error) => Error::io("read", path, error),
        // What comes through a pipe cannot be read again.
        error if !path.is_file() => wrong(path, &format!("no sound that can be read: {error}")),
        error => match File::open(path).and_then(|mut file| head::wrong(&mut file)) {
            Ok(Some(what)) => wrong(path, &what),
            Ok(None) => match error {
                Damage::IoError(_) => wrong(path, "the sound file ends behind its head and has no samples"),
                error => wrong(path, &format!("damaged sound file, though its head is whole: {error}")),
            },
            Err(error) => Error::io("read", path, error),
        },
    }
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Input, format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A WAV file: `tag` 1 for numbers, 3 for floats; `data` as it stands in the file.
    fn wav(tag: u16, bits: u16, rate: u32, channels: u16, data: &[u8]) -> Vec<u8> {
        let frame = channels * bits / 8;
        let mut bytes = b"RIFF".to_vec();
        bytes.extend((36 + data.len() as u32).to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0");
        bytes.extend([tag.to_le_bytes(), channels.to_le_bytes()].concat());
        bytes.extend([rate.to_le_bytes(), rate.wrapping_mul(frame.into()).to_le_bytes()].concat());
        bytes.extend([frame.to_le_bytes(), bits.to_le_bytes()].concat());
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    fn wav16(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
        wav(1, 16, rate, channels, &samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<_>>())
    }

    /// What stands at the end of a FLAC frame.
    fn crc16(bytes: &[u8]) -> [u8; 2] {
        let crc = bytes.iter().fold(0u16, |crc, byte| {
            (0..8).fold(
                crc ^ u16::from(*byte) << 8,
                |crc, _| if crc & 0x8000 != 0 { crc << 1 ^ 0x8005 } else { crc << 1 },
            )
        });
        crc.to_be_bytes()
    }

    /// A FLAC file of 16 bits whose frames hold the samples as they are (verbatim), up to 192 of a channel in each.
    fn flac(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
        const BLOCK: usize = 192;
        let crc8 = |bytes: &[u8]| {
            bytes.iter().fold(0u8, |crc, byte| {
                (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 != 0 { crc << 1 ^ 0x07 } else { crc << 1 })
            })
        };
        let frames = samples.len() as u64 / u64::from(channels);
        let mut bytes = b"fLaC\x80\0\0\x22".to_vec();
        bytes.extend([(BLOCK as u16).to_be_bytes(), (BLOCK as u16).to_be_bytes()].concat());
        bytes.extend([0; 6]);
        let packed = u64::from(rate) << 44 | u64::from(channels - 1) << 41 | 15 << 36 | frames;
        bytes.extend(packed.to_be_bytes());
        bytes.extend([0; 16]);
        for (number, block) in samples.chunks(BLOCK * usize::from(channels)).enumerate() {
            let length = block.len() / usize::from(channels);
            // Fixed block size; its length in 16 bits, the rate from the head; channels; 16 bits a sample.
            let mut frame = vec![0xff, 0xf8, 0x70, (channels as u8 - 1) << 4 | 0b1000, number as u8];
            assert!(number < 128);
            frame.extend((length as u16 - 1).to_be_bytes());
            frame.push(crc8(&frame));
            for channel in 0..usize::from(channels) {
                frame.push(0b0000_0010);
                let own = block.iter().skip(channel).step_by(channels.into());
                frame.extend(own.flat_map(|sample| sample.to_be_bytes()));
            }
            frame.extend(crc16(&frame));
            bytes.extend(frame);
        }
        bytes
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, Recording) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wav");
        std::fs::write(&path, bytes).unwrap();
        (dir, Recording { path, rate: Some(f64::INFINITY), repeat: false })
    }

    /// All samples, and the faults.
    fn all(source: &mut SoundFile) -> (Vec<f32>, Vec<Fault>) {
        let (mut samples, mut faults) = (Vec::new(), Vec::new());
        let (mut next, mut start) = (0, None);
        loop {
            match source.next(Duration::from_secs(1)).unwrap() {
                Next::Sound(sound) => {
                    assert_eq!(sound.position, next);
                    let start = *start.get_or_insert(sound.stamp);
                    let past = u128::from(sound.position) * 1_000_000_000 / u128::from(sound.rate());
                    assert_eq!(sound.stamp.ns - start.ns, past as u64, "stamps go by the samples");
                    next += sound.len() as u64;
                    samples.extend_from_slice(sound.samples());
                }
                Next::Fault(fault) => faults.push(fault),
                Next::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(source.next(Duration::ZERO).unwrap(), Next::End), "the end is the end");
        (samples, faults)
    }

    fn noise(count: usize) -> Vec<i16> {
        (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as u16 as i16).collect()
    }

    fn numbers(samples: &[f32]) -> Vec<i16> {
        samples.iter().map(|sample| (sample * 32_768.0) as i16).collect()
    }

    #[test]
    fn each_sample_comes_once_and_exactly() {
        for channels in [1, 2, 3] {
            for frames in [1, 799, 800, 801, 2000] {
                let played = noise(frames * usize::from(channels));
                for bytes in [wav16(8000, channels, &played), flac(8000, channels, &played)] {
                    let (_dir, recording) = file(&bytes);
                    let mut source = SoundFile::open(&recording).unwrap();
                    assert_eq!((source.rate(), source.channels()), (8000, usize::from(channels)));
                    let (samples, faults) = all(&mut source);
                    assert_eq!(faults, []);
                    assert_eq!(numbers(&samples), played, "{frames} x {channels}");
                }
            }
        }
    }

    #[test]
    fn every_width_is_scaled_to_one() {
        let cases: [(u16, u16, &[u8], [f32; 2]); 5] = [
            (1, 8, &[0, 192], [-1.0, 0.5]),
            (1, 24, &[0, 0, 0x80, 0, 0, 0x40], [-1.0, 0.5]),
            (1, 32, &[0, 0, 0, 0x80, 0, 0, 0, 0x40], [-1.0, 0.5]),
            (3, 32, &[0, 0, 0x80, 0xbf, 0, 0, 0, 0x3f], [-1.0, 0.5]),
            (3, 64, &[0, 0, 0, 0, 0, 0, 0xf0, 0xbf, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f], [-1.0, 0.5]),
        ];
        for (tag, bits, data, expected) in cases {
            let (_dir, recording) = file(&wav(tag, bits, 8000, 1, data));
            assert_eq!(all(&mut SoundFile::open(&recording).unwrap()).0, expected, "{tag} {bits}");
        }
    }

    #[test]
    fn a_recording_begins_again_without_a_gap() {
        let played = noise(1234);
        let (_dir, mut recording) = file(&wav16(8000, 1, &played));
        recording.repeat = true;
        let mut source = SoundFile::open(&recording).unwrap();
        let mut heard = Vec::new();
        while heard.len() < 5000 {
            let Next::Sound(sound) = source.next(Duration::ZERO).unwrap() else { panic!() };
            assert_eq!((sound.position, sound.len()), (heard.len() as u64, 800));
            heard.extend(numbers(sound.samples()));
        }
        assert!(heard.iter().eq(played.iter().cycle().take(heard.len())));
    }

    #[test]
    fn it_is_played_in_real_time() {
        let (_dir, mut recording) = file(&wav16(8000, 1, &noise(2400)));
        recording.rate = None;
        let mut source = SoundFile::open(&recording).unwrap();
        assert!(source.describe().ends_with("a.wav: 8000 Hz, 1 channel, in real time"), "{}", source.describe());
        let before = Stamp::now();
        assert!(matches!(source.next(Duration::ZERO).unwrap(), Next::Nothing));
        let mut heard = 0;
        loop {
            match source.next(Duration::from_millis(20)).unwrap() {
                Next::Sound(sound) => {
                    heard += sound.len();
                    assert!(Stamp::now() >= sound.stamp.after(sound.duration()), "not before it was taken");
                }
                Next::Nothing => {}
                Next::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, 2400);
        assert!(Stamp::now().ms_since(before) >= 300.0);
    }

    #[test]
    fn what_is_no_sound_is_refused_with_what_was_expected_and_found() {
        let whole = wav16(8000, 1, &noise(100));
        let lossless = flac(8000, 1, &noise(100));
        let with = |bytes: &[u8], at: usize, new: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes[at..at + new.len()].copy_from_slice(new);
            bytes
        };
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (vec![], "the file is empty"),
            (
                b"hello, this is no sound at all".to_vec(),
                "(wav, flac): it should begin with `RIFF` or `fLaC`, it begins with `hell`",
            ),
            (vec![0xff, 0xd8, 0xff, 0xe0, 0], "it begins with `\\xff\\xd8\\xff\\xe0`"),
            // Cut off.
            (whole[..9].to_vec(), "the WAV file ends in its head: it has 9 bytes and no samples"),
            (whole[..14].to_vec(), "the WAV file ends in its head: it has 14 bytes and no chunks `fmt ` and `data`"),
            (whole[..30].to_vec(), "the WAV file ends in its head: it has 30 bytes and no whole chunk `fmt `"),
            (whole[..40].to_vec(), "the WAV file ends in its head: it has 40 bytes and no chunk `data`"),
            (whole[..44].to_vec(), "the sound file has 0 samples of the 100 that its head promises"),
            (lossless[..20].to_vec(), "the FLAC file ends in its head: it has 20 bytes, its first block ends at 42"),
            (lossless[..42].to_vec(), "the sound file ends behind its head and has no samples"),
            // Not as it should be.
            (wav16(8000, 1, &[]), "the sound file has no samples"),
            (with(&whole, 8, b"AVI "), "the RIFF file should hold `WAVE`, it holds `AVI `"),
            (with(&whole, 16, &[4]), "the WAV file's chunk `fmt ` wants 16 bytes or more, found 4"),
            (with(&whole, 16, &[17]), "chunk `fmt ` of format 1 wants 16, 18 or 40 bytes, found 17"),
            (with(&whole, 12, b"junk"), "chunk `data` should come after a chunk `fmt `, it has none"),
            (wav16(8000, 0, &[1, 2]), "the sound file wants 1 to 64 channels, found 0"),
            (wav(1, 8, 8000, 4096, &[0; 8192]), "the sound file wants 1 to 64 channels, found 4096"),
            (wav16(0, 1, &[1, 2]), "the sound file wants 1000 to 768000 Hz, found 0"),
            (wav16(u32::MAX, 1, &[1, 2]), "the sound file wants 1000 to 768000 Hz, found 4294967295"),
            (wav(85, 16, 8000, 1, &[0; 64]), "the WAV file's format wants 1 (whole numbers), 3 (floats), "),
            (wav(1, 12, 8000, 1, &[0; 64]), "the WAV file's format 1 wants 8, 16, 24 or 32 bits a sample, found 12"),
            (wav(3, 16, 8000, 1, &[0; 64]), "the WAV file's format 3 wants 32 or 64 bits a sample, found 16"),
            (with(&lossless, 4, &[0x81]), "wants kind 0 (STREAMINFO) and 34 bytes, found kind 1 and 34 bytes"),
            (with(&lossless, 18, &[0, 0, 0]), "the sound file wants 1000 to 768000 Hz, found 0"),
            // A second block of the head, which reaches beyond the end.
            (with(&lossless, 4, &[0]), "the FLAC file ends in its head: it has "),
        ];
        for (at, (bytes, expected)) in cases.into_iter().enumerate() {
            let (_dir, recording) = file(&bytes);
            let Err(error) = SoundFile::open(&recording) else { panic!("{at}: was taken") };
            assert_eq!(error.kind(), ErrorKind::Input, "{at}: {}", error.chain());
            let place = format!("{}: ", recording.path.display());
            assert!(error.chain().starts_with(&place) && error.chain().contains(expected), "{at}: {}", error.chain());
        }
        let missing = Recording { path: "/no/such/a.wav".into(), rate: None, repeat: false };
        assert_eq!(
            SoundFile::open(&missing).err().unwrap().chain().split(": ").next(),
            Some("cannot read /no/such/a.wav")
        );
        let (_dir, mut recording) = file(&whole);
        recording.rate = Some(-1.0);
        assert_eq!(SoundFile::open(&recording).err().unwrap().kind(), ErrorKind::Config);
    }

    #[test]
    fn samples_that_are_no_numbers_are_counted_and_silent() {
        let samples = [0.5f32, f32::NAN, f32::INFINITY, 0.25];
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let (_dir, recording) = file(&wav(3, 32, 8000, 1, &data));
        let (heard, faults) = all(&mut SoundFile::open(&recording).unwrap());
        assert_eq!(heard, [0.5, 0.0, 0.0, 0.25]);
        assert_eq!(faults.iter().map(|fault| (fault.kind, fault.count)).collect::<Vec<_>>(), [(FaultKind::Damaged, 2)]);
    }

    #[test]
    fn a_file_that_ends_early_says_by_how_much() {
        let whole = wav16(8000, 1, &noise(10_000));
        let (_dir, recording) = file(&whole[..whole.len() - 5000]);
        let (samples, faults) = all(&mut SoundFile::open(&recording).unwrap());
        assert_eq!(numbers(&samples), noise(10_000)[..samples.len()]);
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!((fault.kind, fault.count), (FaultKind::Damaged, 10_000 - samples.len() as u64));
        let told = format!("a.wav: the sound file has {} samples of the 10000 that its head promises", samples.len());
        assert!(fault.detail.ends_with(&told), "{}", fault.detail);
    }

    #[test]
    fn damage_is_told_with_its_place() {
        // Frames of 8 bytes, one that tells the kind of the samples, these, and a sum over all.
        const FRAME: usize = 8 + 1 + 2 * 192 + 2;
        let whole = flac(8000, 1, &noise(1000));
        let third = 42 + 2 * FRAME;
        // A byte that was changed on the way, by which the sum is wrong: the frame is passed over.
        let mut changed = whole.clone();
        changed[third + 100] ^= 1;
        // A frame that was written wrongly: of a kind that there is not.
        let mut reserved = whole;
        reserved[third + 8] = 0b0000_0100;
        let sum = crc16(&reserved[third..third + FRAME - 2]);
        reserved[third + FRAME - 2..third + FRAME].copy_from_slice(&sum);
        for (bytes, held, told) in [
            (changed, 808, "a.wav: the sound file has 808 samples of the 1000 that its head promises"),
            (
                reserved,
                384,
                "a.wav: the sound file is damaged after 384 samples of the 1000 that its head promises: flac: ",
            ),
        ] {
            let (_dir, recording) = file(&bytes);
            let (samples, faults) = all(&mut SoundFile::open(&recording).unwrap());
            let [fault] = &faults[..] else { panic!("{faults:?}") };
            assert_eq!((samples.len(), fault.kind, fault.count), (held, FaultKind::Damaged, 1000 - held as u64));
            assert!(fault.detail.contains(told), "{}", fault.detail);
            assert_eq!(read(&recording.path).unwrap_err().message(), fault.detail);
        }
    }

    #[test]
    fn lengths_that_a_pipe_left_unknown_are_read_to_the_end_of_the_file() {
        let played = noise(1000);
        let whole = wav16(8000, 1, &played);
        let with = |riff: u32, data: u32| {
            let mut bytes = whole.clone();
            bytes[4..8].copy_from_slice(&riff.to_le_bytes());
            bytes[40..44].copy_from_slice(&data.to_le_bytes());
            bytes
        };
        let riff = whole.len() as u32 - 8;
        // As FFmpeg, SoX and a program that was killed leave them; and one that counted 16 bytes too many.
        for (riff, data) in [(u32::MAX, u32::MAX), (0x7fff_f024, 0x7fff_f000), (0, 0), (36, 0), (riff, 2016)] {
            let (_dir, recording) = file(&with(riff, data));
            let sound = read_sample(&recording.path).unwrap();
            assert_eq!(numbers(sound.samples()), played, "{riff} {data}");
        }
        let (_dir, recording) = file(&with(0, 0));
        assert!(SoundFile::open(&recording).unwrap().describe().ends_with("for its head tells another length"));
        // One that was cut off is still told.
        let (_dir, recording) = file(&whole[..1044]);
        assert!(
            read(&recording.path)
                .unwrap_err()
                .message()
                .ends_with("has 500 samples of the 1000 that its head promises")
        );
    }

    #[test]
    fn a_sound_of_hours_is_refused_by_its_head() {
        let (dir, recording) = file(&wav16(8000, 1, &noise(100)));
        let bytes = 8000 * 7200 * 2;
        let mut head = std::fs::read(&recording.path).unwrap();
        head[4..8].copy_from_slice(&(36 + bytes as u32).to_le_bytes());
        head[40..44].copy_from_slice(&(bytes as u32).to_le_bytes());
        std::fs::write(&recording.path, head).unwrap();
        // A sparse file takes no room.
        std::fs::File::options().append(true).open(&recording.path).unwrap().set_len(44 + bytes).unwrap();
        let told = read_sample(&recording.path).unwrap_err();
        assert!(told.message().ends_with("the sound lasts 7200 s, over the 600 s of one sample: cut it"), "{told}");
        drop(dir);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// However a file is cut off or changed: an error or an end, and no panic.
        #[test]
        fn damaged_files_end(
            is_flac: bool,
            cut in 0..3000usize,
            // Half of the changes in the head, where they do most.
            changes in prop::collection::vec((prop_oneof![0..64usize, 0..3000usize], any::<u8>()), 0..4),
        ) {
            let whole = if is_flac { flac(8000, 2, &noise(1400)) } else { wav16(8000, 2, &noise(1400)) };
            let mut bytes = whole[..cut.min(whole.len())].to_vec();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let (_dir, recording) = file(&bytes);
            if let Ok(mut source) = SoundFile::open(&recording) {
                for _ in 0..10_000 {
                    match source.next(Duration::ZERO) {
                        Ok(Next::End) | Err(_) => return Ok(()),
                        Ok(Next::Sound(sound)) => prop_assert!(sound.samples().iter().all(|s| s.is_finite())),
                        Ok(_) => {}
                    }
                }
                prop_assert!(false, "no end");
            }
        }
    }
}
