//! Reads a whole clip from a file: Motion JPEG in AVI directly, with its JPEG frames unchanged; other films with `ffmpeg`.
//! Decoding frames is left to `prepare`.

use std::path::Path;

use super::open::{self, Opened};
use super::{MAX_BYTES, bytes_of, is_whole_jpeg, too_long};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Clip, Frame, PixelFormat};
use crate::source::ffmpeg;

/// Shortest and longest clip, in seconds.
const SECONDS: [f64; 2] = [0.3, 30.0];

/// Most frames of a clip: 30 s at 1000 frames per second.
const MOST_FRAMES: usize = 30_000;

/// Reads a whole film of 0.3 to 30 s.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be read; [`ErrorKind::Input`] when it is damaged, ends early, has fewer than two frames,
/// lasts shorter or longer, would fill over 512 MiB, or is a pipe or a device; [`ErrorKind::Config`] when it wants `ffmpeg` and there is none.
pub fn read(path: &Path) -> Result<Clip> {
    let name = path.display().to_string();
    let wrong = |what: String| Error::new(ErrorKind::Input, format!("{name}: {what}"));
    let bytes = match open::open(path)? {
        Opened::File(_, length) if length > MAX_BYTES => return Err(too_long(&name)),
        Opened::File(file, length) => bytes_of(file, length, &name)?,
        Opened::Pipe(_) => return Err(wrong("a pipe, expected a file: a film is read more than once".into())),
    };
    if bytes.is_empty() {
        return Err(wrong("the file is empty".into()));
    }
    let clip = match Avi::parse(&bytes).map_err(wrong)? {
        Some(avi) => avi.clip().map_err(wrong)?,
        None => ffmpeg::whole(path, SECONDS[1], MAX_BYTES as usize)?,
    };
    let [least, most] = SECONDS;
    // An even rate is rounded in a file's head.
    if !(least - 1e-3..=most + 1e-3).contains(&clip.seconds()) {
        return Err(wrong(format!("lasts {:.2} s, a clip lasts {least} to {most} s", clip.seconds())));
    }
    Ok(clip)
}

/// Motion JPEG in AVI 1.0 or OpenDML.
struct Avi<'a> {
    size: [usize; 2],
    rate: f64,
    /// Number of frames in the header; 0 if not given.
    promised: usize,
    frames: Vec<&'a [u8]>,
}

/// The header of an AVI's video stream.
#[derive(Default)]
struct Head {
    /// Its number among the streams.
    stream: Option<u32>,
    streams: u32,
    is_mjpeg: bool,
    size: [usize; 2],
    rate: f64,
    promised: usize,
}

impl<'a> Avi<'a> {
    /// `None` if it is not Motion JPEG in AVI.
    fn parse(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        if !(bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"AVI ")) {
            return Ok(None);
        }
        let mut head = Head::default();
        let mut frames: Vec<&[u8]> = Vec::new();
        // Chunks lie within lists within others, in the order of the file: a list is entered by reading on behind its head.
        let mut at = 12;
        let mut in_movie = false;
        // What the frames would fill, each by itself.
        let mut filled = 0u64;
        while let Some(chunk) = bytes.get(at..at + 8).filter(|_| at + 8 <= bytes.len()) {
            let (name, length) = (&chunk[..4], u32_at(chunk, 4).unwrap_or(0) as usize);
            if name == b"LIST" || name == b"RIFF" {
                in_movie |= bytes.get(at + 8..at + 12) == Some(b"movi");
                at += 12;
                continue;
            }
            let Some(body) = at.checked_add(8 + length).and_then(|end| bytes.get(at + 8..end)) else {
                // What lies behind the frames is an index, which is not needed.
                let of_frames = head.stream.is_some_and(|stream| is_frame(name, stream));
                if head.is_mjpeg && (of_frames || !in_movie) {
                    let count = frames.len();
                    return Err(format!("damaged film: the file ends within frame {count} or before it"));
                }
                break;
            };
            match name {
                b"strh" if head.stream.is_none() => head.of_stream(body),
                b"strh" => head.streams += 1,
                b"strf" if head.stream == Some(head.streams.wrapping_sub(1)) => head.of_pictures(body),
                // A chunk without bytes stands for a frame that was dropped: it shows the one before.
                _ if head.stream.is_some_and(|stream| is_frame(name, stream)) => {
                    let frame = if body.is_empty() { frames.last().copied() } else { Some(body) };
                    frames.extend(frame);
                    filled += frame.map_or(0, |frame| frame.len() as u64);
                    if head.is_mjpeg && (filled > MAX_BYTES || frames.len() > MOST_FRAMES) {
                        let most = MAX_BYTES >> 20;
                        return Err(format!(
                            "its frames are over the {MOST_FRAMES}, or fill over the {most} MiB, that are read at most"
                        ));
                    }
                }
                _ => {}
            }
            at += 8 + length + length % 2;
        }
        let Head { is_mjpeg, size, rate, promised, .. } = head;
        Ok(is_mjpeg.then_some(Self { size, rate, promised, frames }))
    }

    fn clip(self) -> Result<Clip, String> {
        let Self { size: [width, height], rate, promised, frames } = self;
        if frames.is_empty() {
            return Err("the film has no picture".into());
        }
        if frames.len() < promised {
            return Err(format!("damaged film: {} frames, its head promises {promised}", frames.len()));
        }
        let mut all: Vec<Frame> = Vec::with_capacity(frames.len());
        let mut before: &[u8] = &[];
        for (i, jpeg) in frames.into_iter().enumerate() {
            // A frame that was dropped is the one before, and shares its bytes.
            if let Some(last) = all.last().filter(|_| std::ptr::eq(before, jpeg)) {
                let mut again = last.clone();
                again.sequence = i as u64;
                all.push(again);
                continue;
            }
            before = jpeg;
            if !(jpeg.starts_with(&[0xff, 0xd8]) && is_whole_jpeg(jpeg)) {
                return Err(format!("damaged film: frame {i} is no whole JPEG"));
            }
            let frame = Frame::new(jpeg, PixelFormat::Jpeg, width, height);
            let mut frame = frame.map_err(|error| error.message().to_string())?;
            frame.sequence = i as u64;
            all.push(frame);
        }
        Clip::new(all, rate).map_err(|error| error.message().to_string())
    }
}

impl Head {
    /// AVIStreamHeader.
    fn of_stream(&mut self, body: &[u8]) {
        self.streams += 1;
        if body.starts_with(b"vids") {
            self.stream = Some(self.streams - 1);
            self.is_mjpeg = body.get(4..8).is_some_and(|codec| codec.eq_ignore_ascii_case(b"MJPG"));
            let number = |at: usize| u32_at(body, at).unwrap_or(0);
            self.rate = f64::from(number(24)) / f64::from(number(20).max(1));
            self.promised = number(32) as usize;
        }
    }

    /// BITMAPINFOHEADER.
    fn of_pictures(&mut self, body: &[u8]) {
        let number = |at: usize| u32_at(body, at).unwrap_or(0);
        // Rows are counted below nought where they go down.
        self.size = [number(4) as usize, (number(8) as i32).unsigned_abs() as usize];
        self.is_mjpeg |= body.get(16..20).is_some_and(|codec| codec.eq_ignore_ascii_case(b"MJPG"));
    }
}

/// Whether a chunk is a frame of a stream: its number in two digits, then `dc` or `db`.
fn is_frame(name: &[u8], stream: u32) -> bool {
    name == format!("{stream:02}dc").as_bytes() || name == format!("{stream:02}db").as_bytes()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A RIFF chunk, padded to an even length.
    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = [name, &(body.len() as u32).to_le_bytes()[..], body].concat();
        chunk.resize(chunk.len() + body.len() % 2, 0);
        chunk
    }

    fn list(name: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
        chunk(b"LIST", &[&name[..], &chunks.concat()].concat())
    }

    /// A stream's head: its kind, its codec, 25 frames a second, and how many there are.
    fn stream(kind: &[u8; 4], codec: &[u8; 4], length: u32) -> Vec<u8> {
        let words = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let header = [&kind[..], codec, &words(&[0, 0, 0, 1, 25, 0, length, 0, 0, 0, 0, 0])].concat();
        let format = [&words(&[40, 4, 2, 24 << 16 | 1])[..], codec, &words(&[0; 5])].concat();
        list(b"strl", &[chunk(b"strh", &header), chunk(b"strf", &format)])
    }

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xd9];

    fn film(heads: &[Vec<u8>], frames: &[Vec<u8>]) -> Vec<u8> {
        chunk(b"RIFF", &[&b"AVI "[..], &list(b"hdrl", heads), &list(b"movi", frames)].concat())
    }

    #[test]
    fn frames_are_found_beside_sound_in_lists_and_where_one_was_dropped() {
        let heads = [stream(b"auds", b"\0\0\0\0", 9), stream(b"vids", b"mjpg", 3)];
        let frames = [
            chunk(b"00wb", b"sound"),
            list(b"rec ", &[chunk(b"01dc", JPEG), chunk(b"01dc", &[])]),
            chunk(b"JUNK", b"odd"),
            chunk(b"01db", JPEG),
        ];
        let clip = Avi::parse(&film(&heads, &frames)).unwrap().unwrap().clip().unwrap();
        assert_eq!((clip.frames().len(), clip.rate()), (3, 25.0));
        assert_eq!([clip.frames()[0].width(), clip.frames()[0].height()], [4, 2]);
        assert_eq!(clip.frames()[2].sequence, 2);
    }

    #[test]
    fn a_small_file_does_not_become_many_frames() {
        // A comment makes the JPEG large; what stands for it is eight bytes long.
        let large = [&[0xff, 0xd8, 0xff, 0xfe, 0xff, 0xff][..], &[b'c'; 65_533], &[0xff, 0xd9]].concat();
        let frames = |jpeg: &[u8], dropped: usize| {
            let mut frames = vec![chunk(b"00dc", jpeg)];
            frames.resize(1 + dropped, chunk(b"00dc", &[]));
            film(&[stream(b"vids", b"MJPG", 0)], &frames)
        };
        for bytes in [frames(&large, 9000), frames(JPEG, MOST_FRAMES)] {
            let told = Avi::parse(&bytes).err().unwrap();
            assert!(told.contains("that are read at most"), "{told}");
        }
        let few = frames(&large, 2);
        let clip = Avi::parse(&few).unwrap().unwrap().clip().unwrap();
        let [first, second, _] = clip.frames() else { panic!() };
        assert!(std::ptr::eq(first.pixels(), second.pixels()) && second.sequence == 1);
    }

    #[test]
    fn what_is_no_motion_jpeg_is_for_others_and_what_lacks_frames_is_told() {
        assert!(Avi::parse(b"RIFF\0\0\0\0WAVE").unwrap().is_none());
        assert!(Avi::parse(&film(&[stream(b"vids", b"H264", 1)], &[chunk(b"00dc", b"x")])).unwrap().is_none());
        let two = film(&[stream(b"vids", b"MJPG", 3)], &[chunk(b"00dc", JPEG), chunk(b"00dc", JPEG)]);
        let told = Avi::parse(&two).unwrap().unwrap().clip().unwrap_err();
        assert_eq!(told, "damaged film: 2 frames, its head promises 3");
        // Cut anywhere, it is told and nothing panics.
        for end in 0..two.len() {
            let told = Avi::parse(&two[..end]).map(|avi| avi.map(|avi| avi.clip().map(drop)));
            assert!(!matches!(told, Ok(Some(Ok(())))), "cut at {end}: {told:?}");
        }
    }
}
