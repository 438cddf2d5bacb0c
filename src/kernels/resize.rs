//! A picture at another size.

use std::error::Error;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// What a pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixel {
    /// One byte.
    Grey,
    /// Three bytes.
    Rgb,
}

/// A picture of `from` = `[width, height]` pixels, `u8[height, width, channels]`, at `to` = `[width, height]`: bilinear, and
/// antialiased where it becomes smaller. Of `part` = `[width, height]` alone, from the upper left corner, if that is given.
///
/// # Errors
/// When there are fewer pixels than `from` says, or `part` leaves the picture.
pub fn resized(
    pixels: &[u8],
    pixel: Pixel,
    from: [usize; 2],
    to: [usize; 2],
    part: Option<[f64; 2]>,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    match pixel {
        Pixel::Grey => of::<U8>(pixels, from, to, part),
        Pixel::Rgb => of::<U8x3>(pixels, from, to, part),
    }
}

fn of<P: PixelTrait>(
    pixels: &[u8],
    from: [usize; 2],
    to: [usize; 2],
    part: Option<[f64; 2]>,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    if let Some([width, height]) = part {
        options = options.crop(0.0, 0.0, width, height);
    }
    let mut resized = vec![0; to[0] * to[1] * P::size()];
    let source = TypedImageRef::<P>::from_buffer(from[0] as u32, from[1] as u32, pixels)?;
    let mut target = TypedImage::<P>::from_buffer(to[0] as u32, to[1] as u32, &mut resized)?;
    Resizer::new().resize_typed(&source, &mut target, &options)?;
    Ok(resized)
}
