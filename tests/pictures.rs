//! Pictures of every kind that cameras and programs write come as the picture that a person sees, and none, however
//! damaged, is more than an error.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use eyear::sample::{Frame, PixelFormat};
use eyear::source::recording;
use eyear::{ErrorKind, Result};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// Red, green over blue, white: what `tests/data/odd/make.py` draws.
const FIELDS: [[u8; 3]; 4] = [[220, 30, 30], [30, 200, 30], [30, 30, 220], [250, 250, 250]];

/// The picture of the four fields, 32 x 16 pixels.
fn fields() -> RgbImage {
    RgbImage::from_fn(32, 16, |x, y| Rgb(FIELDS[(x / 16 + y / 8 * 2) as usize]))
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// The frame must be 32 x 16 pixels and show the four colours, each in the middle of its field.
fn shows(frame: &Frame, colours: [[u8; 3]; 4], name: &str) {
    assert_eq!((frame.width(), frame.height()), (32, 16), "{name}");
    for (i, colour) in colours.into_iter().enumerate() {
        let seen = frame.rgb(8 + i % 2 * 16, 4 + i / 2 * 8);
        let apart = seen.iter().zip(colour).map(|(seen, wanted)| seen.abs_diff(wanted)).max().unwrap();
        assert!(apart <= 16, "{name}: field {i} is {seen:?}, not {colour:?}");
    }
}

fn odd() -> Vec<PathBuf> {
    recording::list(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/odd")], recording::is_picture).unwrap()
}

#[test]
fn palettes_inks_pages_and_moving_pictures_show_what_a_person_sees() {
    let files = odd();
    assert_eq!(files.len(), 9, "{files:?}");
    for file in &files {
        shows(&recording::read(file).unwrap(), FIELDS, &file.display().to_string());
    }
}

#[test]
fn sixteen_bits_grey_and_transparency_show_what_a_person_sees() {
    let picture = DynamicImage::ImageRgb8(fields());
    let grey = DynamicImage::ImageLuma8(picture.to_luma8());
    let shades: [[u8; 3]; 4] = std::array::from_fn(|i| {
        let (x, y) = (8 + i as u32 % 2 * 16, 4 + i as u32 / 2 * 8);
        [grey.to_luma8().get_pixel(x, y).0[0]; 3]
    });
    for (name, picture, colours, format) in [
        ("16-bit RGB", DynamicImage::ImageRgb16(picture.to_rgb16()), FIELDS, PixelFormat::Rgb8),
        ("16-bit RGBA", DynamicImage::ImageRgba16(picture.to_rgba16()), FIELDS, PixelFormat::Rgb8),
        ("RGBA", DynamicImage::ImageRgba8(picture.to_rgba8()), FIELDS, PixelFormat::Rgb8),
        ("16-bit grey", DynamicImage::ImageLuma16(grey.to_luma16()), shades, PixelFormat::Grey8),
        ("grey and alpha", DynamicImage::ImageLumaA8(grey.to_luma_alpha8()), shades, PixelFormat::Grey8),
        ("16-bit grey and alpha", DynamicImage::ImageLumaA16(grey.to_luma_alpha16()), shades, PixelFormat::Grey8),
    ] {
        let frame = recording::decode(&encoded(&picture, ImageFormat::Png), name).unwrap();
        assert_eq!(frame.format(), format, "{name}");
        shows(&frame, colours, name);
    }
}

/// The picture stored as EXIF orientation `note` says, so that it stands upright again when the note is honoured.
fn as_held(note: u16) -> DynamicImage {
    let upright = DynamicImage::ImageRgb8(fields());
    match note {
        2 => upright.fliph(),
        3 => upright.rotate180(),
        4 => upright.flipv(),
        5 => upright.rotate90().fliph(),
        6 => upright.rotate270(),
        7 => upright.rotate270().fliph(),
        8 => upright.rotate90(),
        _ => upright,
    }
}

/// A TIFF header with one entry: orientation.
fn exif(note: u16) -> Vec<u8> {
    let mut bytes = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    bytes.extend(note.to_be_bytes());
    bytes.extend([0; 6]);
    bytes
}

/// `jpeg` with a segment of the kind APP1 that holds `data` right after its start.
fn with_segment(jpeg: &[u8], data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, data, &jpeg[2..]].concat()
}

#[test]
fn how_the_camera_was_held_is_honoured() {
    for note in 1..=8 {
        let jpeg = encoded(&as_held(note), ImageFormat::Jpeg);
        let noted = with_segment(&jpeg, &[b"Exif\0\0", &exif(note)[..]].concat());
        let name = format!("orientation {note}");
        shows(&recording::decode(&noted, &name).unwrap(), FIELDS, &name);
    }
    // What the note says counts, not how the picture looks best; and one that says nothing sensible changes nothing.
    let upright = encoded(&as_held(1), ImageFormat::Jpeg);
    let turned = with_segment(&upright, &[b"Exif\0\0", &exif(6)[..]].concat());
    let turned = recording::decode(&turned, "turned").unwrap();
    assert_eq!((turned.width(), turned.height()), (16, 32));
    for senseless in [exif(99), exif(6)[..9].to_vec(), b"no TIFF at all".to_vec()] {
        let noted = with_segment(&upright, &[b"Exif\0\0", &senseless[..]].concat());
        shows(&recording::decode(&noted, "senseless").unwrap(), FIELDS, "senseless");
    }
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    let gif = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/odd/moving.gif");
    let jpeg = encoded(&DynamicImage::ImageRgb8(fields()), ImageFormat::Jpeg);
    let tiff = encoded(&DynamicImage::ImageRgb8(fields()), ImageFormat::Tiff);
    let refused = |result: Result<Frame>, name: &str, word: &str| {
        let error = result.unwrap_err();
        let told = error.chain();
        assert_eq!(error.kind(), ErrorKind::Input, "{told}");
        assert!(told.contains(name) && told.contains(word) && told.lines().count() == 1, "{word}: {told}");
    };
    refused(recording::read(&gif), "moving.gif", "not a picture of a known format (jpeg, png");
    refused(recording::decode(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.png"), "a.png", "not a picture");
    refused(recording::decode(b"a letter", "letter.jpg"), "letter.jpg", "not a picture");
    refused(recording::decode(&jpeg[..jpeg.len() / 2], "a.jpg"), "a.jpg", "ends before its end marker");
    refused(recording::decode(&tiff[..tiff.len() / 2], "a.tif"), "a.tif", "damaged picture");
    // A sparse file of a tebibyte takes no room, and must not be read.
    let dir = tempfile::tempdir().unwrap();
    let endless = dir.path().join("endless.png");
    std::fs::File::create(&endless).unwrap().set_len(1 << 40).unwrap();
    refused(recording::read(&endless), "endless.png", "512 MiB");
}

/// A TIFF, plain or big, of 4 x 2 grey pixels of this many bits, as numbers of this kind (1 from 0 on, 2 signed, 3 floats).
fn tiff(is_big: bool, bits: u16, kind: u16) -> Vec<u8> {
    let data = vec![100u8; 8 * usize::from(bits) / 8];
    let entries = [
        (256u16, 4u64),
        (257, 2),
        (258, bits.into()),
        (259, 1),
        (262, 1),
        (273, 0),
        (277, 1),
        (278, 2),
        (279, data.len() as u64),
        (339, kind.into()),
    ];
    let size = |count: usize| if is_big { 16 + 8 + 20 * count + 8 } else { 8 + 2 + 12 * count + 4 };
    let mut bytes = match is_big {
        true => b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0".to_vec(),
        false => b"II*\0\x08\0\0\0".to_vec(),
    };
    match is_big {
        true => bytes.extend((entries.len() as u64).to_le_bytes()),
        false => bytes.extend((entries.len() as u16).to_le_bytes()),
    }
    for (tag, value) in entries {
        let value = if tag == 273 { size(entries.len()) as u64 } else { value };
        bytes.extend([tag.to_le_bytes(), 4u16.to_le_bytes()].concat());
        match is_big {
            true => bytes.extend([1u64.to_le_bytes(), value.to_le_bytes()].concat()),
            false => bytes.extend([1u32.to_le_bytes(), (value as u32).to_le_bytes()].concat()),
        }
    }
    bytes.extend(vec![0; if is_big { 8 } else { 4 }]);
    [bytes, data].concat()
}

#[test]
fn a_tiff_is_read_or_its_kind_is_told() {
    for is_big in [false, true] {
        let frame = recording::decode(&tiff(is_big, 8, 1), "a.tif").unwrap();
        assert_eq!((frame.width(), frame.height(), frame.pixels()), (4, 2, &[100u8; 8][..]), "{is_big}");
    }
    for (bits, kind) in [(32, 3), (16, 2), (32, 1)] {
        let told = recording::decode(&tiff(false, bits, kind), "a.tif").unwrap_err().chain();
        assert!(told.starts_with("a.tif: a TIFF of a kind that is not read: wanted are 8 or 16 bits"), "{told}");
        assert!(told.contains(&bits.to_string()), "the kind is named: {told}");
    }
}

#[test]
fn a_mask_of_any_depth_is_what_a_person_sees() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str, picture: DynamicImage| {
        let path = dir.path().join(name);
        picture.save(&path).unwrap();
        recording::read_mask(&path).unwrap().pixels().to_vec()
    };
    let of8 = |values: [u8; 4]| DynamicImage::ImageLuma8(image::GrayImage::from_raw(4, 1, values.to_vec()).unwrap());
    let of16 =
        |values: [u16; 4]| DynamicImage::ImageLuma16(image::ImageBuffer::from_raw(4, 1, values.to_vec()).unwrap());
    for (name, picture) in [
        ("255", of8([0, 255, 255, 0])),
        ("labels", of8([0, 1, 1, 0])),
        ("soft", of8([3, 250, 128, 127])),
        ("255 in 16 bits", of16([0, 255, 255, 0])),
        ("16 bits", of16([0, 65_535, 65_535, 0])),
    ] {
        assert_eq!(read(&format!("{name}.png"), picture), [0, 255, 255, 0], "{name}");
    }
    assert_eq!(read("dark.png", of8([9, 90, 90, 9])), [0; 4], "more than two values, all dark");
}

#[test]
fn where_defects_are_is_told_by_any_label_in_any_depth() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mask.png");
    let read = |picture: DynamicImage| {
        picture.save(&path).unwrap();
        recording::read_ground_truth(&path).unwrap().pixels().to_vec()
    };
    let labels = |values: [u16; 4]| image::ImageBuffer::from_raw(4, 1, values.to_vec()).unwrap();
    assert_eq!(read(DynamicImage::ImageLuma16(labels([0, 1, 2, 65_535]))), [0, 255, 255, 255]);
    let labels = image::GrayImage::from_raw(4, 1, vec![0, 1, 2, 255]).unwrap();
    assert_eq!(read(DynamicImage::ImageLuma8(labels)), [0, 255, 255, 255]);
}

#[test]
fn half_a_jpeg_is_told_even_where_its_thumbnail_is_whole() {
    let thumbnail = encoded(&DynamicImage::ImageRgb8(fields()), ImageFormat::Jpeg);
    let noise = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x ^ y) as u8]));
    let whole = with_segment(&encoded(&DynamicImage::ImageRgb8(noise), ImageFormat::Jpeg), &thumbnail);
    assert!(whole.len() - thumbnail.len() < 8192, "the thumbnail's end must lie near the cut");
    assert_eq!(recording::decode(&whole, "whole.jpg").unwrap().width(), 64);
    for share in [0.5, 0.7, 0.9] {
        let cut = &whole[..thumbnail.len() + ((whole.len() - thumbnail.len()) as f64 * share) as usize];
        let told = recording::decode(cut, "cut.jpg").unwrap_err().chain();
        assert!(told.contains("cut.jpg") && told.contains("ends before its end marker"), "{share}: {told}");
    }
}

#[test]
fn what_a_camera_appends_to_a_jpeg_is_not_looked_at() {
    for base in ["progressive.jpg", "restarts.jpg", "cmyk.jpg"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/odd").join(base);
        let mut bytes = std::fs::read(path).unwrap();
        // Such as the short film of a "motion photo".
        bytes.extend(b"\0\0\0\x18ftypmp42".iter().cycle().take(20_000));
        shows(&recording::decode(&bytes, base).unwrap(), FIELDS, base);
    }
}

#[test]
fn no_damage_makes_a_decoder_panic() {
    let formats = [ImageFormat::Bmp, ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Pnm, ImageFormat::Tiff];
    let plain = formats.map(|format| encoded(&DynamicImage::ImageRgb8(fields()), format));
    let odd = odd().into_iter().map(|file| std::fs::read(file).unwrap());
    let mut state = 1u64;
    let mut dice = move |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % sides
    };
    let mut refused = 0;
    for sound in plain.into_iter().chain(odd) {
        for round in 0..400 {
            let mut bytes = sound.clone();
            if round % 4 == 0 {
                bytes.truncate(dice(bytes.len()));
            }
            for _ in 0..dice(4) {
                // Headers are where lengths and sizes are.
                let within = if round % 2 == 0 { bytes.len().min(64) } else { bytes.len() };
                if within > 0 {
                    bytes[dice(within)] = [0, 1, 0x7f, 0x80, 0xff, dice(256) as u8][dice(6)];
                }
            }
            match recording::decode(&bytes, "damaged") {
                Ok(frame) => assert!(frame.width() > 0 && frame.height() > 0),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Input);
                    assert!(error.chain().starts_with("damaged: ") && error.chain().lines().count() == 1);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}
