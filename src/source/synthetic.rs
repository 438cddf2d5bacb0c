//! Drawn images for trials without a camera: a disc that moves over a shaded ground, reproducible by its seed.

use std::time::Duration;

use super::beat::Beat;
use super::pool::Pool;
use super::{Next, Source};
use crate::error::Result;
use crate::sample::{Frame, PixelFormat};
use crate::station;

/// A camera of drawn images.
pub struct Synthetic {
    size: [usize; 2],
    frames: Option<u64>,
    seed: u64,
    rate: Option<f64>,
    beat: Beat,
    pool: Pool,
}

impl Synthetic {
    /// Opens it with a station's settings.
    pub fn new(wanted: &station::Synthetic) -> Self {
        let station::Synthetic { size, rate, frames, seed } = *wanted;
        Self { size, frames, seed, rate, beat: Beat::new(rate), pool: Pool::default() }
    }

    /// Position of the disc in image `number`, as shares of the sides.
    fn disc(&self, number: u64) -> [f64; 2] {
        // Neighbouring seeds begin far apart: by the golden ratio.
        let phase = (self.seed as f64 * 0.618_033_988_75).fract() * std::f64::consts::TAU;
        let turn = number as f64 / 90.0 * std::f64::consts::TAU;
        [0.5 + 0.25 * (turn + phase).cos(), 0.5 + 0.25 * (2.0 * turn + phase).sin()]
    }
}

impl Source for Synthetic {
    fn describe(&self) -> String {
        let rate = self.rate.map_or("as fast as it is judged".into(), |rate| format!("{rate}/s"));
        format!("drawn pictures: {} x {}, {rate}", self.size[0], self.size[1])
    }

    fn next(&mut self, patience: Duration) -> Result<Next> {
        let Some((stamp, number)) = self.beat.wait(patience) else { return Ok(Next::Nothing) };
        if self.frames.is_some_and(|frames| number >= frames) {
            return Ok(Next::End);
        }
        let [width, height] = self.size;
        let [x, y] = self.disc(number);
        let [x, y] = [(x * width as f64) as i64, (y * height as f64) as i64];
        let radius = (width.min(height) / 6) as i64;
        let bytes = self.pool.fill(3 * width * height, |bytes| {
            for (row, line) in bytes[..3 * width * height].chunks_exact_mut(3 * width).enumerate() {
                let shade = (40 + 80 * row / height) as u8;
                let half = (radius * radius - (row as i64 - y).pow(2)).max(-1);
                let half = if half < 0 { -1 } else { half.isqrt() };
                for (column, pixel) in line.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                    let inside = (column as i64 - x).abs() <= half;
                    *pixel = if inside { [200, 170, 120] } else { [shade, shade, shade + 20] };
                }
            }
        });
        let mut frame = Frame::over(bytes, 3 * width * height, PixelFormat::Rgb8, width, height)?;
        (frame.stamp, frame.sequence) = (stamp, number);
        Ok(Next::Frame(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Vec<Frame> {
        let wanted = station::Synthetic { size: [64, 48], rate: None, frames: Some(3), seed };
        let mut source = Synthetic::new(&wanted);
        let frame = |next| if let Next::Frame(frame) = next { Some(frame) } else { None };
        std::iter::from_fn(|| frame(source.next(Duration::ZERO).unwrap())).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_pictures_and_then_ends() {
        let (one, same, other) = (drawn(1), drawn(1), drawn(2));
        assert_eq!(one.len(), 3);
        let pixels = |frames: &[Frame]| frames.iter().map(|f| f.pixels().to_vec()).collect::<Vec<_>>();
        assert!(pixels(&one) == pixels(&same) && pixels(&one) != pixels(&other));
        assert!(one[0].pixels() != one[2].pixels());
    }
}
