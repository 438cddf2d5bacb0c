//! What cameras send → channels of bytes, as `image` resizes them, and plain frames, as everything else wants them.
//! Nothing is moved that need not be: channels are read where they stand, luma and colour differences are resized as
//! they came, and only what the model sees becomes red, green and blue.

use turbojpeg::{Decompressor, ScalingFactor, Subsamp, YuvImage};

use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Colour, Frame, PixelFormat};

/// JPEG is full-range BT.601 (JFIF 1.02).
const JFIF: Colour = Colour { bt709: false, full: true };

/// Shares of its sides to which a JPEG is shrunk while it is decoded; smallest first. Finer steps save nothing, since
/// the entropy coding is read in full.
const SHRINK: [ScalingFactor; 3] = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];

/// A frame's channels.
#[derive(Debug, Clone, Copy)]
pub struct Planes<'a> {
    /// What they are.
    pub channels: Channels<'a>,
    /// Columns of the first channel: the frame's, or fewer where it was shrunk.
    pub width: usize,
    /// Rows of the first channel.
    pub height: usize,
}

/// The channels themselves.
#[derive(Debug, Clone, Copy)]
pub enum Channels<'a> {
    /// Brightness.
    Grey(Channel<'a>),
    /// Red, green and blue.
    Rgb([Channel<'a>; 3]),
    /// Luma, blue and red difference, and how they are to be read; the differences may have fewer rows and columns.
    Video([Channel<'a>; 3], Colour),
}

impl<'a> Channels<'a> {
    /// One or three.
    pub fn as_slice(&self) -> &[Channel<'a>] {
        match self {
            Self::Grey(grey) => std::slice::from_ref(grey),
            Self::Rgb(three) | Self::Video(three, _) => three,
        }
    }
}

/// One channel, `u8[height, width]`: its values stand `step` bytes apart, from `offset` on, in rows of
/// `step * width` bytes.
#[derive(Debug, Clone, Copy)]
pub struct Channel<'a> {
    /// The rows, with what else stands in them.
    pub bytes: &'a [u8],
    /// Where the first value stands.
    pub offset: usize,
    /// From one value to the next.
    pub step: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl<'a> Channel<'a> {
    fn new(bytes: &'a [u8], [offset, step]: [usize; 2], [width, height]: [usize; 2]) -> Self {
        Self { bytes, offset, step, width, height }
    }

    /// The values of row `y`, which must be under `height`.
    pub(super) fn row(&self, y: usize) -> impl Iterator<Item = u8> + use<'a> {
        let length = self.step * self.width;
        self.bytes[y * length..(y + 1) * length].iter().skip(self.offset).step_by(self.step).copied()
    }
}

impl<'a> Planes<'a> {
    /// A plain frame's own bytes.
    ///
    /// # Errors
    /// As [`Frame::channels`].
    pub fn of(frame: &'a Frame) -> Result<Self> {
        let (pixels, size) = (frame.pixels(), [frame.width(), frame.height()]);
        let channels = match frame.channels()? {
            1 => Channels::Grey(Channel::new(pixels, [0, 1], size)),
            _ => Channels::Rgb([0, 1, 2].map(|c| Channel::new(pixels, [c, 3], size))),
        };
        Ok(Self { channels, width: frame.width(), height: frame.height() })
    }

    /// Brightness of row `y`, 0 black to 255 white, of which green stands for RGB, into `row`.
    ///
    /// `y` must be under `height`.
    pub fn brightness(&self, y: usize, row: &mut Vec<u8>) {
        row.clear();
        match self.channels {
            Channels::Grey(grey) => row.extend(grey.row(y)),
            Channels::Rgb([_, green, _]) => row.extend(green.row(y)),
            Channels::Video([luma, ..], colour) if colour.full => row.extend(luma.row(y)),
            Channels::Video([luma, ..], _) => row.extend(luma.row(y).map(from_studio)),
        }
    }
}

/// Luma 16 to 235 → 0 to 255.
pub(super) fn from_studio(luma: u8) -> u8 {
    ((i32::from(luma) - 16) * 255 / 219).clamp(0, 255) as u8
}

/// Finds the channels of frames, decoding them where they are packed, in memory that is used again: nothing is
/// allocated for a frame of a known size.
#[derive(Default)]
pub struct Developer {
    unpacked: Vec<u8>,
    jpeg: Option<Decompressor>,
}

impl Developer {
    /// The channels of `frame`. A JPEG is shrunk on the way by 2, 4 or 8, as long as it keeps `least` rows and columns.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] on a JPEG that is damaged, cut off, or of another size than its frame.
    pub fn develop<'a>(&'a mut self, frame: &'a Frame, least: [usize; 2]) -> Result<Planes<'a>> {
        let (pixels, width, height) = (frame.pixels(), frame.width(), frame.height());
        let size = [width, height];
        let channels = match frame.format() {
            PixelFormat::Grey8 => Channels::Grey(Channel::new(pixels, [0, 1], size)),
            PixelFormat::Rgb8 => Channels::Rgb([0, 1, 2].map(|c| Channel::new(pixels, [c, 3], size))),
            PixelFormat::Bgr8 => Channels::Rgb([2, 1, 0].map(|c| Channel::new(pixels, [c, 3], size))),
            PixelFormat::Grey16 { bits } => {
                let shift = u32::from(bits.clamp(8, 16)) - 8;
                let values = pixels.as_chunks::<2>().0.iter();
                self.unpacked.clear();
                self.unpacked.extend(values.map(|&value| (u16::from_le_bytes(value) >> shift).min(255) as u8));
                Channels::Grey(Channel::new(&self.unpacked, [0, 1], size))
            }
            PixelFormat::Yuyv(colour) => {
                let difference = |offset| Channel::new(pixels, [offset, 4], [width / 2, height]);
                Channels::Video([Channel::new(pixels, [0, 2], size), difference(1), difference(3)], colour)
            }
            PixelFormat::Nv12(colour) => {
                let (luma, pairs) = pixels.split_at(width * height);
                let difference = |offset| Channel::new(pairs, [offset, 2], [width / 2, height / 2]);
                Channels::Video([Channel::new(luma, [0, 1], size), difference(0), difference(1)], colour)
            }
            PixelFormat::Jpeg => return self.decode(frame, least),
        };
        Ok(Planes { channels, width, height })
    }

    fn decode(&mut self, frame: &Frame, least: [usize; 2]) -> Result<Planes<'_>> {
        let damaged = |error: turbojpeg::Error| Error::caused(ErrorKind::Input, "damaged JPEG frame", error);
        let decoder = opened(&mut self.jpeg)?;
        let header = decoder.read_header(frame.pixels()).map_err(damaged)?;
        if [header.width, header.height] != [frame.width(), frame.height()] {
            let [width, height] = [header.width, header.height];
            let what = format!("a JPEG of {width} x {height} in a frame of {} x {}", frame.width(), frame.height());
            return Err(Error::new(ErrorKind::Input, what));
        }
        let keeps =
            |shrink: &&ScalingFactor| shrink.scale(header.height) >= least[0] && shrink.scale(header.width) >= least[1];
        let shrink = SHRINK.iter().find(keeps).copied().unwrap_or(ScalingFactor::ONE);
        decoder.set_scaling_factor(shrink).map_err(damaged)?;
        let [width, height] = [shrink.scale(header.width), shrink.scale(header.height)];
        let subsamp = header.subsamp;
        if subsamp == Subsamp::Unknown {
            return Err(Error::new(ErrorKind::Input, "a JPEG frame of no known subsampling"));
        }
        let length = turbojpeg::yuv_pixels_len(width, 1, height, subsamp).map_err(damaged)?;
        self.unpacked.resize(length, 0);
        let planes = YuvImage { pixels: &mut self.unpacked[..], width, align: 1, height, subsamp };
        decoder.decompress_to_yuv(frame.pixels(), planes).map_err(damaged)?;
        if subsamp == Subsamp::Gray {
            let channels = Channels::Grey(Channel::new(&self.unpacked, [0, 1], [width, height]));
            return Ok(Planes { channels, width, height });
        }
        // Rows and columns are rounded up to whole pixels of the colour differences.
        let [wide, tall] = [subsamp.width(), subsamp.height()];
        let size = [width.div_ceil(wide), height.div_ceil(tall)];
        let [width, height] = [size[0] * wide, size[1] * tall];
        let (luma, differences) = self.unpacked.split_at(width * height);
        let (blue, red) = differences.split_at(size[0] * size[1]);
        let [luma, blue, red] =
            [(luma, [width, height]), (blue, size), (red, size)].map(|(bytes, size)| Channel::new(bytes, [0, 1], size));
        Ok(Planes { channels: Channels::Video([luma, blue, red], JFIF), width, height })
    }
}

fn opened(decoder: &mut Option<Decompressor>) -> Result<&mut Decompressor> {
    if decoder.is_none() {
        let new = Decompressor::new().map_err(|error| Error::caused(ErrorKind::Runtime, "no JPEG decoder", error))?;
        *decoder = Some(new);
    }
    decoder.as_mut().ok_or_else(|| Error::new(ErrorKind::Runtime, "no JPEG decoder"))
}

/// Luma and colour differences → red, green and blue, 0 to 255 (ITU-R BT.601-7, BT.709-6).
#[derive(Debug, Clone, Copy)]
pub struct ToRgb {
    black: f32,
    luma: f32,
    red_of_red: f32,
    green_of_blue: f32,
    green_of_red: f32,
    blue_of_blue: f32,
}

impl ToRgb {
    /// For colours to be read in this way.
    pub fn new(colour: Colour) -> Self {
        let [red, blue] = if colour.bt709 { [0.2126, 0.0722] } else { [0.299, 0.114] };
        let green = 1.0 - red - blue;
        let [black, luma, chroma] = if colour.full { [0.0, 1.0, 1.0] } else { [16.0, 255.0 / 219.0, 255.0 / 224.0] };
        Self {
            black,
            luma,
            red_of_red: 2.0 * (1.0 - red) * chroma,
            green_of_blue: -2.0 * (1.0 - blue) * blue / green * chroma,
            green_of_red: -2.0 * (1.0 - red) * red / green * chroma,
            blue_of_blue: 2.0 * (1.0 - blue) * chroma,
        }
    }

    /// One pixel, from values of 0 to 255; `blue` and `red` are the differences, 128 where there is no colour.
    #[inline(always)]
    pub fn apply(&self, [luma, blue, red]: [f32; 3]) -> [f32; 3] {
        let luma = (luma - self.black) * self.luma;
        let [blue, red] = [blue - 128.0, red - 128.0];
        let rgb = [
            luma + self.red_of_red * red,
            luma + self.green_of_blue * blue + self.green_of_red * red,
            luma + self.blue_of_blue * blue,
        ];
        rgb.map(|value| value.clamp(0.0, 255.0))
    }
}

/// `frame` as grey or RGB bytes at its full size. Shares the bytes where they are so already.
///
/// # Errors
/// As [`Developer::develop`].
pub fn plain(frame: &Frame) -> Result<Frame> {
    if frame.channels().is_ok() {
        return Ok(frame.clone());
    }
    let (width, height) = (frame.width(), frame.height());
    let mut developer = Developer::default();
    let planes = developer.develop(frame, [height, width])?;
    let mut pixels = Vec::with_capacity(3 * width * height);
    let format = match planes.channels {
        Channels::Grey(grey) => {
            (0..height).for_each(|y| pixels.extend(grey.row(y)));
            PixelFormat::Grey8
        }
        Channels::Rgb([red, green, blue]) => {
            for y in 0..height {
                let row = red.row(y).zip(green.row(y)).zip(blue.row(y));
                row.for_each(|((red, green), blue)| pixels.extend([red, green, blue]));
            }
            PixelFormat::Rgb8
        }
        Channels::Video([luma, blue, red], colour) => {
            let to_rgb = ToRgb::new(colour);
            let [wide, tall] = [luma.width / blue.width, luma.height / blue.height];
            for y in 0..height {
                let [blue, red] = [blue, red]
                    .map(|difference| difference.row(y / tall).flat_map(|value| std::iter::repeat_n(value, wide)));
                let row = luma.row(y).zip(blue.zip(red)).take(width);
                for (luma, (blue, red)) in row {
                    let rgb = to_rgb.apply([luma, blue, red].map(f32::from));
                    pixels.extend(rgb.map(|value| (value + 0.5) as u8));
                }
            }
            PixelFormat::Rgb8
        }
    };
    let mut plain = Frame::new(pixels, format, width, height)?.with_jpeg(frame.was_jpeg());
    (plain.stamp, plain.sequence) = (frame.stamp, frame.sequence);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: Colour = Colour { bt709: false, full: false };

    /// Values by the standard's own formulas: studio range, BT.601 primaries at full and at no saturation.
    #[test]
    fn the_corners_of_video_are_the_colours_they_stand_for() {
        let cases: [([u8; 3], [u8; 3]); 6] = [
            ([16, 128, 128], [0, 0, 0]),
            ([235, 128, 128], [255, 255, 255]),
            ([126, 128, 128], [128, 128, 128]),
            ([81, 90, 240], [255, 0, 0]),
            ([145, 54, 34], [0, 255, 0]),
            ([41, 240, 110], [0, 0, 255]),
        ];
        for ([luma, blue, red], expected) in cases {
            let yuyv = Frame::new(vec![luma, blue, luma, red], PixelFormat::Yuyv(VIDEO), 2, 1).unwrap();
            let nv12 = [luma, luma, luma, luma, blue, red];
            let nv12 = Frame::new(nv12.to_vec(), PixelFormat::Nv12(VIDEO), 2, 2).unwrap();
            for frame in [plain(&yuyv).unwrap(), plain(&nv12).unwrap()] {
                let got = frame.rgb(1, 0);
                let apart = got.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(apart <= 2, "{luma} {blue} {red}: expected {expected:?}, got {got:?}");
            }
        }
    }

    #[test]
    fn blue_first_and_deep_grey_become_plain() {
        let bgr = Frame::new(vec![1, 2, 3, 4, 5, 6], PixelFormat::Bgr8, 2, 1).unwrap();
        assert_eq!(plain(&bgr).unwrap().pixels(), [3, 2, 1, 6, 5, 4]);
        for (bits, value) in [(10u8, 1023u16), (12, 4095), (14, 16_383), (16, 65_535)] {
            let bytes = [value, value / 2, 0].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
            let grey = Frame::new(bytes, PixelFormat::Grey16 { bits }, 3, 1).unwrap();
            assert_eq!(plain(&grey).unwrap().pixels(), [255, 127, 0], "{bits} bits");
        }
    }

    fn jpeg(width: usize, height: usize, subsamp: Subsamp) -> Vec<u8> {
        let pixel = |i: usize| [(i % width % 128 * 2) as u8, (i / width % 85 * 3) as u8, 90];
        let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
        let image = turbojpeg::Image {
            pixels: &pixels[..],
            width,
            pitch: 3 * width,
            height,
            format: turbojpeg::PixelFormat::RGB,
        };
        turbojpeg::compress(image, 95, subsamp).unwrap().to_vec()
    }

    #[test]
    fn a_jpeg_of_each_subsampling_and_of_odd_sides_comes_as_it_was() {
        use Subsamp::*;
        for subsamp in [None, Sub2x1, Sub2x2, Sub1x2, Sub4x1, Gray] {
            for (width, height) in [(64, 48), (63, 47), (17, 9)] {
                let bytes = jpeg(width, height, subsamp);
                let expected = image::load_from_memory(&bytes).unwrap().into_rgb8();
                let frame = Frame::new(bytes, PixelFormat::Jpeg, width, height).unwrap();
                let got = plain(&frame).unwrap();
                // Colour differences are repeated here and interpolated there.
                let error = |x: usize, y: usize| {
                    let (a, b) = (got.rgb(x, y), expected.get_pixel(x as u32, y as u32).0);
                    a.iter().zip(&b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 3.0
                };
                let mean =
                    (0..width * height).map(|i| error(i % width, i / width)).sum::<f64>() / (width * height) as f64;
                assert!(mean < 4.0, "{subsamp:?} {width} x {height}: {mean}");
            }
        }
    }

    #[test]
    fn a_jpeg_is_shrunk_no_further_than_wanted() {
        let frame = Frame::new(jpeg(640, 480, Subsamp::Sub2x1), PixelFormat::Jpeg, 640, 480).unwrap();
        let mut developer = Developer::default();
        for (least, expected) in [
            ([480, 640], [640, 480]),
            ([448, 448], [640, 480]),
            ([240, 320], [320, 240]),
            ([100, 100], [160, 120]),
            ([1, 1], [80, 60]),
        ] {
            let planes = developer.develop(&frame, least).unwrap();
            assert_eq!([planes.width, planes.height], expected, "at least {least:?}");
        }
    }

    #[test]
    fn a_damaged_jpeg_is_refused() {
        let whole = jpeg(64, 48, Subsamp::Sub2x2);
        let decoded = |bytes: &[u8], width| {
            let frame = Frame::new(bytes.to_vec(), PixelFormat::Jpeg, width, 48).unwrap();
            plain(&frame).map(|_| ()).map_err(|error| error.chain())
        };
        decoded(&whole, 64).unwrap();
        assert!(decoded(&whole, 65).unwrap_err().contains("64 x 48 in a frame of 65 x 48"));
        for cut in [2, whole.len() / 3, whole.len() / 2, whole.len() - 20] {
            assert!(decoded(&whole[..cut], 64).unwrap_err().starts_with("damaged JPEG frame"), "cut at {cut}");
        }
        assert!(decoded(b"no jpeg at all", 64).is_err());
    }
}
