//! How a camera sees: light, focus, noise and flicker over some frames, and what mends them. How its frames come is
//! left to who asks it for them.

use serde::Serialize;

use crate::prepare::pixels::Planes;
use crate::prepare::quality::{self, Quality};

/// Rows that are compared from one frame to the next, at most.
const ROWS: usize = 48;

/// What was measured of a camera's frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Seeing {
    /// Mean brightness, 0 to 255.
    pub brightness: f32,
    /// Share of pixels at the black end and at the white end, 0 to 1, of the mean frame.
    pub black: f32,
    /// As `black`.
    pub white: f32,
    /// Standard deviation of brightness within a frame, 0 to 127.5.
    pub contrast: f32,
    /// As [`Quality::sharpness`]; under about -5 nothing has an edge.
    pub sharpness: f32,
    /// Noise of a pixel from frame to frame, in levels of 255: the median over the pairs of frames, so that what moved
    /// in some of them has no say.
    pub noise: f32,
    /// Standard deviation of the frames' mean brightness, in levels of 255.
    pub flicker: f32,
}

/// Looks at frame after frame.
#[derive(Debug, Default)]
pub struct Watcher {
    qualities: Vec<Quality>,
    noises: Vec<f32>,
    row: Vec<u8>,
    last: Vec<u8>,
    now: Vec<u8>,
}

impl Watcher {
    /// Looks at the next frame.
    pub fn see(&mut self, planes: &Planes) {
        self.qualities.push(quality::measure(planes, &mut self.row));
        std::mem::swap(&mut self.last, &mut self.now);
        self.now.clear();
        for y in (0..planes.height).step_by(planes.height.div_ceil(ROWS).max(1)) {
            planes.brightness(y, &mut self.row);
            self.now.extend_from_slice(&self.row);
        }
        if self.last.len() == self.now.len() {
            let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
            let mean = self.last.iter().zip(&self.now).map(square).sum::<f64>() / self.now.len().max(1) as f64;
            // The difference of two frames has the noise of both.
            self.noises.push((mean / 2.0).sqrt() as f32);
        }
    }

    /// All that was seen.
    pub fn seeing(&mut self) -> Seeing {
        let n = self.qualities.len().max(1) as f32;
        let mean = |of: fn(&Quality) -> f32| self.qualities.iter().map(of).sum::<f32>() / n;
        let brightness = mean(|quality| quality.brightness);
        let spread = self.qualities.iter().map(|quality| (quality.brightness - brightness).powi(2)).sum::<f32>() / n;
        self.noises.sort_by(f32::total_cmp);
        Seeing {
            brightness,
            black: mean(|quality| quality.black),
            white: mean(|quality| quality.white),
            contrast: mean(|quality| quality.contrast),
            sharpness: mean(|quality| quality.sharpness),
            noise: self.noises.get(self.noises.len() / 2).copied().unwrap_or(0.0),
            flicker: spread.sqrt(),
        }
    }
}

impl Seeing {
    /// What to mend, a sentence each.
    pub fn advice(&self) -> Vec<String> {
        let Self { brightness, black, white, contrast, sharpness, noise, flicker } = *self;
        let percent = |share: f32| 100.0 * share;
        let mut mend = Vec::new();
        if contrast < 1.0 {
            mend.push(format!("the picture is of one brightness ({brightness:.0}): is the cap on, the light off?"));
            return mend;
        }
        if white > 0.02 {
            mend.push(format!(
                "{:.0} % of the picture is white: shorten the exposure, or dim the light",
                percent(white)
            ));
        }
        if black > 0.5 || brightness < 30.0 {
            mend.push(format!("the picture is dark (mean {brightness:.0} of 255): add light, or expose longer"));
        }
        if sharpness < -5.0 {
            mend.push(format!(
                "nothing has an edge (sharpness {sharpness:.1}): focus, clean the lens, or shorten the exposure"
            ));
        }
        if noise > 6.0 {
            mend.push(format!("pixels differ by {noise:.1} levels from frame to frame: add light and lower the gain, or hold the part still"));
        }
        if flicker > 2.0 {
            mend.push(format!("the light changes by {flicker:.1} levels from frame to frame: fix exposure and white balance, or let the exposure be a multiple of the mains' half period"));
        }
        mend
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Frame, PixelFormat};

    /// A checkered ground with a little noise that follows from the frame's number.
    fn seen(frames: u32, pixel: impl Fn(u32, u32) -> u8) -> Seeing {
        let mut watcher = Watcher::default();
        for number in 0..frames {
            let pixels: Vec<u8> = (0..120 * 90).map(|i| pixel(number, i)).collect();
            let frame = Frame::new(pixels, PixelFormat::Grey8, 120, 90).unwrap();
            watcher.see(&Planes::of(&frame).unwrap());
        }
        watcher.seeing()
    }

    fn checkered(i: u32) -> u8 {
        if (i % 120 / 8 + i / 120 / 8).is_multiple_of(2) { 90 } else { 140 }
    }

    /// -1, 0 or 1 by halves and quarters.
    fn shaken(number: u32, i: u32) -> i32 {
        let hash = (i.wrapping_mul(2_654_435_761) ^ number.wrapping_mul(40_503)).wrapping_mul(2_246_822_519) >> 28;
        [-1, 0, 0, 1][hash as usize % 4]
    }

    #[test]
    fn a_good_picture_needs_no_mending() {
        let seeing = seen(20, |number, i| (i32::from(checkered(i)) + shaken(number, i)) as u8);
        assert_eq!(seeing.advice(), [""; 0]);
        // Of -1, 0, 0, 1 the standard deviation is the root of a half.
        assert!((seeing.noise - 0.5f32.sqrt()).abs() < 0.1, "{seeing:?}");
    }

    #[test]
    fn each_ill_is_named() {
        let told = |ill: &str, pixel: &dyn Fn(u32, u32) -> u8| {
            let advice = seen(10, pixel).advice().join("\n");
            assert!(advice.contains(ill), "{ill}: {advice}");
        };
        told("cap on", &|_, _| 3);
        told("is white", &|_, i| checkered(i).saturating_mul(2));
        told("is dark", &|_, i| checkered(i) / 8);
        told("pixels differ", &|number, i| (i32::from(checkered(i)) + 20 * shaken(number, i)) as u8);
        told("light changes", &|number, i| checkered(i) + (number % 2) as u8 * 10);
        let soft = seen(4, |_, i| (60.0 + 120.0 * (f64::from(i % 120) / 120.0)) as u8);
        assert!(soft.advice().join("").contains("edge"), "{soft:?}");
    }
}
