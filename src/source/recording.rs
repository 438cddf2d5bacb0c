//! Images from files: finding them, and decoding them to a [`Frame`]. For image and sound together, a folder holds both:
//! `part_id/{cam0.png, mic0.wav}`; other files in it, such as `meta.json`, are ignored.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder as _, ImageFormat, ImageReader, Limits, Luma};

use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Frame, Moment, PixelFormat, Sense};

pub mod clip;
pub mod folder;
mod head;
mod kinds;
mod open;
pub mod sound;

pub use folder::{Listed, Others, list, listed};
pub use kinds::{CLIPS, IMAGES, SOUNDS, endings, is_clip, is_of, is_picture, is_sound};
use open::Opened;

/// The most bytes a picture may have, in its file or decoded: a gigabyte is no inspection picture but a mistake or an
/// attack.
const MAX_BYTES: u64 = 512 << 20;

/// The image and the sound of one part, in its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// `cam0` with the extension of a picture; `None` where there is none.
    pub picture: Option<PathBuf>,
    /// `mic0` with the extension of a sound; `None` where there is none.
    pub sound: Option<PathBuf>,
}

/// The files of the part in folder `dir`; `None` where it holds neither, or is no folder.
///
/// # Errors
/// [`ErrorKind::Io`] when the folder cannot be read; [`ErrorKind::Input`] when it holds two pictures or two sounds of these
/// names, a clip `cam0` beside one, another camera or microphone (`cam1`, `mic1`), which nothing would judge, or a pipe or a
/// device of such a name.
pub fn pair(dir: &Path) -> Result<Option<Pair>> {
    if !dir.is_dir() {
        return Ok(None);
    }
    let wrong = |what: String| Error::new(ErrorKind::Input, format!("{} holds {what}", dir.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| Error::io("read", dir, error))? {
        files.push(entry.map_err(|error| Error::io("read", dir, error))?.path());
    }
    files.sort();
    let find = |stem: &str, is_meant: fn(&Path) -> bool| {
        let mut found = files.iter().filter(|file| file.file_stem().is_some_and(|name| name == stem) && is_meant(file));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(wrong(format!("two files `{stem}`, expected one"))),
            (Some(file), None) if file.metadata().is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) => {
                Err(wrong(format!("`{stem}`, which is a pipe, a socket or a device, expected a file")))
            }
            (file, _) => Ok(file.cloned()),
        }
    };
    let (picture, sound) = (find("cam0", is_picture)?, find("mic0", is_sound)?);
    let is_pair = picture.is_some() || sound.is_some();
    if is_pair && find("cam0", is_clip)?.is_some() {
        return Err(wrong("a clip `cam0`: clips are taught and judged alone, beside no other sense".into()));
    }
    if let Some(other) = files.iter().find(|file| is_pair && is_another(file)) {
        let name = other.file_name().unwrap_or_default().display();
        return Err(wrong(format!(
            "`{name}`, which nothing would judge: a part has one picture, cam0, and one sound, mic0; teach what another \
             camera or microphone takes as a part of its own, from other folders"
        )));
    }
    Ok(is_pair.then_some(Pair { picture, sound }))
}

/// Whether a file is of a second camera or microphone: `cam1.png`, `mic2.wav`.
fn is_another(file: &Path) -> bool {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let number = stem.strip_prefix("cam").or_else(|| stem.strip_prefix("mic")).map(|rest| rest.trim_start_matches('_'));
    let is_sample = is_picture(file) || is_sound(file) || is_clip(file);
    is_sample && stem != "cam0" && stem != "mic0" && number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The picture and the sound of the part in folder `dir`, which must be there both.
///
/// # Errors
/// As [`pair`]; [`ErrorKind::Input`] where one is missing.
pub fn both(dir: &Path) -> Result<[PathBuf; 2]> {
    match pair(dir)? {
        Some(Pair { picture: Some(picture), sound: Some(sound) }) => Ok([picture, sound]),
        _ => {
            let what = format!("{} must hold a picture `cam0` and a sound `mic0` (as .png and .wav)", dir.display());
            Err(Error::new(ErrorKind::Input, what))
        }
    }
}

/// What `sense` takes of the sample at `path`: a file of its own, or its file in a folder that holds [`both`].
///
/// # Errors
/// As [`both`], [`read`], [`sound::read_sample`] and [`clip::read`].
pub fn moment(path: &Path, sense: Sense) -> Result<Moment> {
    let files = if path.is_dir() { both(path)? } else { [path.to_path_buf(), path.to_path_buf()] };
    let [picture, heard] = &files;
    match sense {
        Sense::Image => read(picture).map(Moment::from),
        Sense::Sound => sound::read_sample(heard).map(Moment::from),
        Sense::Clip => clip::read(path).map(Moment::from),
    }
}

/// The folders beneath `paths`, or these themselves, that hold a [`pair`], sorted; none where pictures and sounds lie
/// otherwise.
///
/// An incomplete folder is also returned; reading it reports the problem, and the rest is still used.
///
/// # Errors
/// [`ErrorKind::Io`] when a folder cannot be read.
pub fn pairs(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let is_pair = |dir: &Path| match pair(dir) {
        Err(error) if error.kind() == ErrorKind::Input => Ok(true),
        pair => Ok(pair?.is_some()),
    };
    let found = paths.iter().filter(|path| path.is_dir()).map(|path| folder::folders(path, &is_pair));
    Ok(found.collect::<Result<Vec<_>>>()?.concat())
}

/// Reads an image file.
///
/// # Errors
/// [`ErrorKind::Io`] when it cannot be read, or is a pipe into which nothing is written for 10 s; [`ErrorKind::Input`] when it
/// is a device, and as [`decode`].
pub fn read(path: &Path) -> Result<Frame> {
    let name = path.display().to_string();
    match open::open(path)? {
        Opened::File(_, length) if length > MAX_BYTES => Err(too_long(&name)),
        Opened::File(file, length) => read_from(file, length, &name),
        Opened::Pipe(pipe) => read_from(pipe, 0, &name),
    }
}

/// Reads a mask as a grey image of 0 (dark) and 255 (bright).
///
/// Bright means at least 128 of 255. If a mask has only two values, black and another (label images of 0 and 1, or 0 and 255
/// in 16 bits), the other value is bright.
///
/// # Errors
/// As [`read`].
pub fn read_mask(path: &Path) -> Result<Frame> {
    let mask = levels(path)?;
    let first = mask.iter().copied().find(|&value| value > 0).unwrap_or(0);
    let is_label = mask.iter().all(|&value| value == 0 || value == first);
    let is_label = is_label && mask.contains(&0);
    from_level(&mask, if is_label { 1 } else { 128 * 257 })
}

/// Reads a ground-truth mask as a grey image of 0 and 255. Every value except black is a defect, whatever the bit depth or
/// label.
///
/// # Errors
/// As [`read`].
pub fn read_ground_truth(path: &Path) -> Result<Frame> {
    from_level(&levels(path)?, 1)
}

/// The grey levels of an image file, scaled to 16 bits.
fn levels(path: &Path) -> Result<ImageBuffer<Luma<u16>, Vec<u16>>> {
    let name = path.display().to_string();
    let bytes = match open::open(path)? {
        Opened::File(_, length) if length > MAX_BYTES => return Err(too_long(&name)),
        Opened::File(file, length) => bytes_of(file, length, &name)?,
        Opened::Pipe(pipe) => bytes_of(pipe, 0, &name)?,
    };
    Ok(picture(&bytes, &name)?.into_luma16())
}

/// 255 from the level `least` on, else 0.
fn from_level(levels: &ImageBuffer<Luma<u16>, Vec<u16>>, least: u16) -> Result<Frame> {
    let pixels: Vec<u8> = levels.iter().map(|&value| if value >= least { 255 } else { 0 }).collect();
    Frame::new(pixels, PixelFormat::Grey8, levels.width() as usize, levels.height() as usize)
}

/// Reads a picture from an open file or standard input, of which about `length` bytes are expected; `name` is used in
/// messages.
///
/// # Errors
/// As [`read`]; an endless input, such as a device, is refused after 512 MiB.
pub fn read_from(source: impl Read, length: u64, name: &str) -> Result<Frame> {
    decode(&bytes_of(source, length, name)?, name)
}

/// All bytes, of which about `length` are expected.
fn bytes_of(source: impl Read, length: u64, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(MAX_BYTES) as usize + 1);
    let all = source.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    all.map_err(|error| Error::caused(ErrorKind::Io, format!("cannot read {name}"), error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_long(name));
    }
    Ok(bytes)
}

fn too_long(name: &str) -> Error {
    Error::new(ErrorKind::Input, format!("{name}: the file has over the 512 MiB that are read at most"))
}

/// Decodes a picture held in memory; `name` is used in messages.
///
/// The content determines the format. Grey stays grey; 16-bit values are scaled to 8 bit, palettes
/// resolved, CMYK converted, transparency dropped, and the orientation that a camera noted is applied.
///
/// # Errors
/// [`ErrorKind::Input`] when it is empty, damaged, of no known format or too large.
pub fn decode(bytes: &[u8], name: &str) -> Result<Frame> {
    let picture = picture(bytes, name)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let frame = match picture {
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageLumaA16(_) => {
            Frame::new(picture.into_luma8().into_raw(), PixelFormat::Grey8, width, height)
        }
        picture => Frame::new(picture.into_rgb8().into_raw(), PixelFormat::Rgb8, width, height),
    };
    Ok(frame?.with_jpeg(bytes.starts_with(&[0xff, 0xd8])))
}

/// A picture as it is stored, upright.
fn picture(bytes: &[u8], name: &str) -> Result<DynamicImage> {
    let wrong = |what: &str| Error::new(ErrorKind::Input, format!("{name}: {what}"));
    if bytes.is_empty() {
        return Err(wrong("the file is empty"));
    }
    let damaged = |error: image::ImageError| match error {
        image::ImageError::Unsupported(_) if is_tiff(bytes) => {
            let what = "a TIFF of a kind that is not read: wanted are 8 or 16 bits of grey, RGB or CMYK, whole numbers from 0 on";
            Error::caused(ErrorKind::Input, format!("{name}: {what}"), error)
        }
        image::ImageError::Unsupported(_) => wrong("not a picture of a known format (jpeg, png, bmp, tiff, pnm, webp)"),
        image::ImageError::Limits(_) => wrong("the picture is too large to decode (over 512 MiB)"),
        error => Error::caused(ErrorKind::Input, format!("{name}: damaged picture"), error),
    };
    // A JPEG decoder fills what is missing with grey; a grey half picture must not pass for a part.
    if bytes.starts_with(&[0xff, 0xd8]) && !is_whole_jpeg(bytes) {
        return Err(wrong("damaged picture: the JPEG data ends before its end marker"));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader =
        reader.map_err(|error| Error::caused(ErrorKind::Input, format!("{name}: damaged picture"), error))?;
    if is_tiff(bytes) {
        // Of the big ones the beginning is not known.
        reader.set_format(ImageFormat::Tiff);
    }
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MAX_BYTES {
        return Err(wrong(&format!("{width} x {height} pixels are more than the 512 MiB that are decoded at most")));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * MAX_BYTES);
    decoder.set_limits(limits).map_err(damaged)?;
    // A picture without this note stands upright.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether bytes begin as a TIFF, plain or big, in either order.
fn is_tiff(bytes: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|begin| bytes.starts_with(*begin))
}

/// Whether a JPEG reaches its end marker. Segments are skipped by their lengths, for a thumbnail in one of them has an
/// end marker of its own; what a camera appended to the picture is not looked at.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    if bytes.ends_with(&[0xff, 0xd9]) {
        return true;
    }
    let mut at = 2;
    // In the picture's data each FF is followed by 00 or by the number of a restart.
    while let Some(step) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) {
        at += step + 1;
        match bytes.get(at..).unwrap_or_default() {
            [0xd9, ..] => return true,
            [0xff, ..] => {}
            [0x00 | 0x01 | 0xd0..=0xd8, ..] => at += 1,
            [_, high, low, ..] => at += 1 + usize::from(u16::from_be_bytes([*high, *low])),
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ExtendedColorType, ImageEncoder as _, codecs};

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
        let mut bytes = Vec::new();
        let encoder = codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
        encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    #[test]
    fn damaged_pictures_are_refused_in_one_sentence() {
        let whole = jpeg(64, 48);
        let cases: [(&[u8], &str); 5] = [
            (b"", "a.jpg: the file is empty"),
            (b"hello, this is no picture at all", "a.jpg: not a picture of a known format"),
            (&whole[..whole.len() / 2], "a.jpg: damaged picture: the JPEG data ends"),
            (&whole[..2], "a.jpg: damaged picture"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.jpg: damaged picture"),
        ];
        for (bytes, expected) in cases {
            let error = decode(bytes, "a.jpg").unwrap_err();
            assert!(error.chain().starts_with(expected), "{expected}: {}", error.chain());
            assert_eq!(error.kind(), ErrorKind::Input);
        }
        assert_eq!(decode(&whole, "a.jpg").unwrap().width(), 64);
    }

    #[test]
    fn a_picture_that_would_fill_the_memory_is_refused_by_its_header() {
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        bmp.extend([60_000i32.to_le_bytes(), 60_000i32.to_le_bytes()].concat());
        bmp.extend([1, 0, 24, 0]);
        bmp.extend([0; 24]);
        let error = decode(&bmp, "huge.bmp").unwrap_err();
        assert!(error.message().contains("60000 x 60000"), "{}", error.chain());
    }

    #[test]
    fn every_pixel_layout_comes_as_grey_or_rgb_bytes() {
        let png = |bytes: &[u8], color| {
            let mut out = Vec::new();
            codecs::png::PngEncoder::new(&mut out).write_image(bytes, 2, 1, color).unwrap();
            decode(&out, "x.png").unwrap()
        };
        let grey16: Vec<u8> = [0u16, 65_535].iter().flat_map(|v| v.to_ne_bytes()).collect();
        let frame = png(&grey16, ExtendedColorType::L16);
        assert_eq!((frame.format(), frame.pixels()), (PixelFormat::Grey8, &[0u8, 255][..]));
        let frame = png(&[10, 20, 30, 0, 40, 50, 60, 255], ExtendedColorType::Rgba8);
        assert_eq!((frame.format(), frame.pixels()), (PixelFormat::Rgb8, &[10u8, 20, 30, 40, 50, 60][..]));
        let frame = png(&[7, 8], ExtendedColorType::L8);
        assert_eq!((frame.format(), frame.rgb(1, 0)), (PixelFormat::Grey8, [8, 8, 8]));
    }
}
