//! A picture resampled into the reference's view.

use kernels::resize::Pixel;
use rayon::prelude::*;

use super::pyramid::resized;
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;

/// Greatest side of a view that a picture is resampled into.
const MOST_PIXELS_ASIDE: usize = 65535;

/// A picture resampled into the reference's view.
#[derive(Debug, Clone, PartialEq)]
pub struct Warped {
    /// u8[height, width, channels]; where the picture does not reach, its nearest edge pixel.
    pub pixels: Vec<u8>,
    /// u8[height, width]: 255 where the picture reaches, else 0.
    pub covered: Vec<u8>,
}

/// Resamples a picture into the reference's view at `target` = [width, height] pixels.
///
/// `pixels`: u8[height, width, channels] of `size` = [width, height], 1 or 3 channels. A picture much finer than the
/// target is first reduced, so that nothing aliases; then bilinear. Errors ([`ErrorKind::Input`]) when the length
/// does not fit, a side of the view is 0 or over 65535 px, or the pose is not finite or flattens the plane.
pub fn warp(
    pixels: &[u8],
    size: [usize; 2],
    channels: usize,
    picture_from_reference: &Affine,
    reference: [usize; 2],
    target: [usize; 2],
) -> Result<Warped> {
    let pixel = match channels {
        1 => Pixel::Grey,
        3 => Pixel::Rgb,
        _ => return Err(Error::new(ErrorKind::Input, format!("a picture has 1 or 3 channels, got {channels}"))),
    };
    let [width, height] = size;
    if size.contains(&0) || Some(pixels.len()) != width.checked_mul(height).and_then(|n| n.checked_mul(channels)) {
        let got = pixels.len();
        return Err(Error::new(
            ErrorKind::Input,
            format!("a picture of {width}x{height}x{channels} was wanted, got {got} bytes"),
        ));
    }
    if [reference, target].as_flattened().iter().any(|side| !(1..=MOST_PIXELS_ASIDE).contains(side)) {
        return Err(Error::new(
            ErrorKind::Input,
            format!("a view has sides of 1 to {MOST_PIXELS_ASIDE} px, got {reference:?} seen at {target:?}"),
        ));
    }
    let reference_from_target = Affine::scale_shift([0, 1].map(|i| reference[i] as f64 / target[i] as f64), [0.0; 2]);
    let picture_from_target = picture_from_reference.after(&reference_from_target);
    let [a, b, _, d, e, _] = picture_from_target.m;
    let step = (a * e - b * d).abs().sqrt();
    let finite = picture_from_target.m.iter().all(|v| v.is_finite());
    if !finite || step < 1e-6 {
        let m = picture_from_reference.m;
        return Err(Error::new(ErrorKind::Input, format!("a pose must be finite and keep the plane, got {m:?}")));
    }
    if step > 1.25 {
        let small = size.map(|side| ((side as f64 / step).round() as usize).max(1));
        let reduced = resized(pixels, pixel, size, small, None)?;
        let small_from_picture = Affine::scale_shift([0, 1].map(|i| small[i] as f64 / size[i] as f64), [0.0; 2]);
        return Ok(sampled(&reduced, small, channels, &small_from_picture.after(&picture_from_target), target));
    }
    Ok(sampled(pixels, size, channels, &picture_from_target, target))
}

/// Bilinear samples of a picture at the target's pixel centres.
fn sampled(
    pixels: &[u8],
    [width, height]: [usize; 2],
    channels: usize,
    picture_from_target: &Affine,
    [wide, high]: [usize; 2],
) -> Warped {
    let mut out = vec![0u8; wide * high * channels];
    let mut covered = vec![0u8; wide * high];
    let [a, _, _, d, _, _] = picture_from_target.m.map(|m| m as f32);
    let rows = out.par_chunks_exact_mut(wide * channels).zip(covered.par_chunks_exact_mut(wide));
    rows.enumerate().for_each(|(row, (out, covered))| {
        let [x0, y0] = picture_from_target.apply([0.5, row as f64 + 0.5]).map(|v| v as f32 - 0.5);
        for (column, (out, covered)) in out.chunks_exact_mut(channels).zip(covered).enumerate() {
            let (x, y) = (x0 + a * column as f32, y0 + d * column as f32);
            let (most_x, most_y) = ((width - 1) as f32, (height - 1) as f32);
            // Half a pixel beyond the outermost centres still lies on the picture.
            if x >= -0.5 && y >= -0.5 && x <= most_x + 0.5 && y <= most_y + 0.5 {
                *covered = 255;
            }
            let (x, y) = (x.clamp(0.0, most_x), y.clamp(0.0, most_y));
            let (left, top) = (x as usize, y as usize);
            let (u, v) = (x - left as f32, y - top as f32);
            let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
            let [p, q, r, s] = [(top, left), (top, right), (bottom, left), (bottom, right)]
                .map(|(y, x)| &pixels[(y * width + x) * channels..][..channels]);
            for (channel, out) in out.iter_mut().enumerate() {
                let [p, q, r, s] = [p, q, r, s].map(|pixel| f32::from(pixel[channel]));
                let (upper, lower) = (p + u * (q - p), r + u * (s - r));
                *out = (upper + v * (lower - upper) + 0.5) as u8;
            }
        }
    });
    Warped { pixels: out, covered }
}
