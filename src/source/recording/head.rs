//! The head of a sound file (WAV, FLAC): its lengths, where whoever wrote them did not know them, and what is wrong with
//! it. A decoder that refuses a head tells little: here it is read again, field by field, for a sentence of what was
//! expected and what was found. Decoding is left to `sound`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Rates and numbers of channels that are believed, as in `station.toml`.
pub(super) const RATES: std::ops::RangeInclusive<u32> = 1000..=768_000;
pub(super) const CHANNELS: std::ops::RangeInclusive<usize> = 1..=64;

/// Bytes of a FLAC file before its first block beyond STREAMINFO.
const FLAC_HEAD: usize = 42;

/// Parts of a head that are walked through: no file that is meant well has more.
const PARTS: usize = 1000;

/// Lengths from which on a WAV file's samples are said to be as many as come: what is written into a pipe has a head
/// before it has a length. FFmpeg writes 0xffffffff, SoX 0x7ffff000.
const UNKNOWN: u64 = 0x7ff0_0000;

/// Samples that a head promises, of so many bytes each; `None` where the number stands for one that is not known.
pub(super) fn believed(promised: Option<u64>, bytes: u64) -> Option<u64> {
    promised.filter(|samples| samples.saturating_mul(bytes) + bytes < UNKNOWN)
}

/// A sound file as its decoder reads it: of a WAV file whose head tells lengths that are none, with those that it has.
pub(super) struct Mended {
    file: File,
    length: u64,
    at: u64,
    /// Places and the four bytes that are to stand there.
    mends: Vec<(u64, [u8; 4])>,
}

impl Mended {
    /// `file` of `length` bytes.
    pub(super) fn of(mut file: File, length: u64) -> io::Result<Self> {
        let mends = match lengths(&mut file, length)? {
            Some((at, data)) => vec![(4, (length - 8) as u32), (at, data)],
            None => Vec::new(),
        };
        file.seek(SeekFrom::Start(0))?;
        let mends = mends.into_iter().map(|(at, size)| (at, size.to_le_bytes())).collect();
        Ok(Self { file, length, at: 0, mends })
    }

    /// Whether the head tells lengths that are none.
    pub(super) fn is_mended(&self) -> bool {
        !self.mends.is_empty()
    }
}

impl Read for Mended {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        for (place, bytes) in &self.mends {
            for (offset, byte) in (0u64..).zip(bytes) {
                let here = (place + offset).checked_sub(self.at).and_then(|at| into[..count].get_mut(at as usize));
                here.into_iter().for_each(|here| *here = *byte);
            }
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Mended {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl MediaSource for Mended {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Where a WAV file's length of its samples stands, and how many bytes they really have, where that is none: of what was
/// written into a pipe, by a program that did not come to its end, or miscounted in a file that is whole. A file that was cut
/// off is not one of these.
fn lengths(file: &mut File, length: u64) -> io::Result<Option<(u64, u32)>> {
    let begin = at(file, 0, 12)?;
    if length > u64::from(u32::MAX) || !(begin.starts_with(b"RIFF") && begin.get(8..12) == Some(b"WAVE")) {
        return Ok(None);
    }
    let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    // A chunk of an odd length is followed by a byte that some forget to count.
    let is_whole = number(&begin[4..]).abs_diff(length - 8) <= 1;
    let (mut place, mut frame) = (12, 1);
    for _ in 0..PARTS {
        let head = at(file, place, 8)?;
        let Some((name, size)) = head.split_first_chunk::<4>().filter(|(_, size)| size.len() == 4) else { break };
        let (size, rest) = (number(size), length - place - 8);
        match name {
            b"fmt " => frame = at(file, place + 20, 2)?.first_chunk().map_or(1, |size| u16::from_le_bytes(*size)),
            b"data" => {
                let unknown = size > rest && size >= UNKNOWN;
                let miscounted = size > rest && is_whole;
                let unfinished = size == 0 && rest > 0 && !is_whole;
                let found = (rest - rest % u64::from(frame.max(1))) as u32;
                return Ok((unknown || miscounted || unfinished).then_some((place + 4, found)));
            }
            _ => {}
        }
        place += 8 + size + size % 2;
        if place + 8 > length {
            break;
        }
    }
    Ok(None)
}

/// What is wrong with the head of this file; `None` where nothing is found.
pub(super) fn wrong(file: &mut File) -> io::Result<Option<String>> {
    let length = file.seek(SeekFrom::End(0))?;
    let begin = at(file, 0, 12)?;
    match &begin[..] {
        [b'R', b'I', b'F', b'F', ..] => wav(file, length, &begin),
        [b'f', b'L', b'a', b'C', ..] => flac(file, length),
        _ => Ok(Some(format!(
            "no sound file of a known format (wav, flac): it should begin with `RIFF` or `fLaC`, it begins with `{}`",
            begin[..begin.len().min(4)].escape_ascii()
        ))),
    }
}

/// A rate or a number of channels that cannot be believed.
pub(super) fn unbelievable(rate: u32, channels: usize) -> Option<String> {
    let wants = |range: String, found: String| Some(format!("the sound file wants {range}, found {found}"));
    if !RATES.contains(&rate) {
        return wants(format!("{} to {} Hz", RATES.start(), RATES.end()), rate.to_string());
    }
    if !CHANNELS.contains(&channels) {
        return wants(format!("{} to {} channels", CHANNELS.start(), CHANNELS.end()), channels.to_string());
    }
    None
}

fn wav(file: &mut File, length: u64, begin: &[u8]) -> io::Result<Option<String>> {
    let cut = |what: &str| Ok(Some(format!("the WAV file ends in its head: it has {length} bytes and no {what}")));
    let Some(form) = begin.get(8..12) else { return cut("samples") };
    if form != b"WAVE" {
        return Ok(Some(format!("the RIFF file should hold `WAVE`, it holds `{}`", form.escape_ascii())));
    }
    let (mut place, mut has_format) = (12, false);
    for _ in 0..PARTS {
        let head = at(file, place, 8)?;
        let Some((name, size)) = head.split_first_chunk::<4>() else { break };
        let Some(size) = size.first_chunk().map(|size| u64::from(u32::from_le_bytes(*size))) else { break };
        match name {
            b"fmt " if size < 16 => {
                return Ok(Some(format!("the WAV file's chunk `fmt ` wants 16 bytes or more, found {size}")));
            }
            b"fmt " => {
                let fields = at(file, place + 8, 16)?;
                if fields.len() < 16 {
                    return cut("whole chunk `fmt `");
                }
                let number = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
                let rate = u32::from(number(4)) | u32::from(number(6)) << 16;
                let format = WavFormat { tag: number(0), channels: number(2), rate, bits: number(14), size };
                if let Some(what) = format.wrong() {
                    return Ok(Some(what));
                }
                has_format = true;
            }
            b"data" if has_format => return Ok(None),
            b"data" => {
                return Ok(Some("the WAV file's chunk `data` should come after a chunk `fmt `, it has none".into()));
            }
            _ => {}
        }
        // Chunks begin at even places.
        place += 8 + size + size % 2;
    }
    cut(if has_format { "chunk `data`" } else { "chunks `fmt ` and `data`" })
}

/// What a chunk `fmt ` says, and how many bytes it has.
struct WavFormat {
    tag: u16,
    channels: u16,
    rate: u32,
    bits: u16,
    size: u64,
}

impl WavFormat {
    fn wrong(&self) -> Option<String> {
        let Self { tag, channels, rate, bits, size } = *self;
        let (sizes, widths): (&[u64], &[u16]) = match tag {
            1 => (&[16, 18, 40], &[8, 16, 24, 32]),
            3 => (&[16, 18, 40], &[32, 64]),
            6 | 7 => (&[18], &[8]),
            0xfffe => (&[40], &[8, 16, 24, 32, 64]),
            _ => {
                let read = "1 (whole numbers), 3 (floats), 6 (A-law), 7 (µ-law) or 65534 (extensible)";
                return Some(format!("the WAV file's format wants {read}, found {tag}"));
            }
        };
        if let Some(what) = unbelievable(rate, channels.into()) {
            return Some(what);
        }
        if !widths.contains(&bits) {
            let widths = one_of(widths);
            return Some(format!("the WAV file's format {tag} wants {widths} bits a sample, found {bits}"));
        }
        if !sizes.contains(&size) {
            let sizes = one_of(sizes);
            return Some(format!("the WAV file's chunk `fmt ` of format {tag} wants {sizes} bytes, found {size}"));
        }
        None
    }
}

fn one_of(numbers: &[impl ToString]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    match numbers.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => numbers.concat(),
    }
}

fn flac(file: &mut File, length: u64) -> io::Result<Option<String>> {
    let head = at(file, 0, FLAC_HEAD)?;
    if head.len() < FLAC_HEAD {
        let what =
            format!("the FLAC file ends in its head: it has {length} bytes, its first block ends at {FLAC_HEAD}");
        return Ok(Some(what));
    }
    let size = |block: &[u8]| u64::from(u32::from_be_bytes([0, block[1], block[2], block[3]]));
    let (kind, first) = (head[4] & 0x7f, size(&head[4..8]));
    if (kind, first) != (0, 34) {
        let what = "the FLAC file's first block wants kind 0 (STREAMINFO) and 34 bytes";
        return Ok(Some(format!("{what}, found kind {kind} and {first} bytes")));
    }
    // 20 bits of rate, 3 of channels less one, 5 of bits less one.
    let rate = u32::from_be_bytes([0, head[18], head[19], head[20]]) >> 4;
    let channels = usize::from(head[20] >> 1 & 7) + 1;
    if let Some(what) = unbelievable(rate, channels) {
        return Ok(Some(what));
    }
    let (mut last, mut place) = (head[4] & 0x80 != 0, FLAC_HEAD as u64);
    for _ in 0..PARTS {
        if last {
            break;
        }
        let block = at(file, place, 4)?;
        if block.len() < 4 {
            return Ok(Some(format!(
                "the FLAC file ends in its head: it has {length} bytes, a block begins at {place}"
            )));
        }
        let end = place + 4 + size(&block);
        if end > length {
            return Ok(Some(format!("the FLAC file ends in its head: it has {length} bytes, a block ends at {end}")));
        }
        (last, place) = (block[0] & 0x80 != 0, end);
    }
    Ok(None)
}

/// Up to `count` bytes from `place` on; fewer where the file ends.
fn at(file: &mut File, place: u64, count: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(place))?;
    let mut bytes = Vec::with_capacity(count);
    file.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
