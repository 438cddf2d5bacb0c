//! A clip → the image of its motion for an encoder, and how much moves where and when. The caller chooses the clips and
//! judges them.
//!
//! The clip is cut into even steps. Each step is a tile of the image, in rows, early to late. Red is the difference
//! between its last frame and its first. Green and blue are the sum of all changes from frame to frame in between, so
//! that a short event within a step is not missed. Frames are first brought to one mean grey level, because a change of
//! light is not motion. The noise of the pixels is subtracted.

use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::ClipSpec;
use crate::prepare::pixels::{Channel, Channels, Developer};
use crate::prepare::quality::{self, LEAST_CONTRAST, Quality};
use crate::prepare::stretch::Stretcher;
use crate::sample::{Clip, Frame, PixelFormat};

/// Mean grey level to which each frame is brought.
const LEVEL: f32 = 110.0;
/// Steps per grey level in which frames are stored.
const FINE: f32 = 128.0;
/// Pixels per side of a patch in [`Kymograph::motion`].
const CELL: usize = 8;
/// Noise limit of a change: this many times the median change of all pixels, most of which stand still, plus one level.
const NOISE: f32 = 3.0;
/// Frames on which light and focus are measured.
const LOOKS: usize = 5;
/// Number of key frames, evenly spaced, in [`Kymograph::stills`].
pub const STILLS: usize = 24;
/// Rows and columns of a tile that are averaged into one of a key frame.
const COARSER: usize = 4;

/// Measurements of a clip, whatever moves in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Filmed {
    /// How long it lasts.
    pub seconds: f64,
    /// Frames in a second.
    pub rate: f64,
    /// Columns and rows of its frames.
    pub size: [usize; 2],
    /// Light and focus, the mean over some frames.
    pub quality: Quality,
    /// Change of a pixel in grey levels per second, averaged over all pixels and the whole clip.
    pub motion: f32,
}

/// Grey levels per second below which nothing moves, where motion is strongest.
const LEAST_MOTION: f32 = 1.0;
/// A clip is thinned to the others' frame rate if its own is higher by more than this factor.
pub const FASTER: f64 = 1.25;

/// Makes images of clips, with reused buffers.
pub struct Kymograph {
    spec: ClipSpec,
    /// Frames per second of the reference clips.
    pace: Option<f64>,
    developer: Developer,
    stretcher: Stretcher,
    sums: Vec<u16>,
    row: Vec<f32>,
    /// A row of brightness.
    bytes: Vec<u8>,
    /// Frames at the size of a tile, `u16[frames, side, side]` in steps of [`FINE`] to a grey level, and what each is multiplied by:
    /// in whole levels noise under one would come and go with how a frame is coded.
    greys: Vec<u16>,
    gains: Vec<f32>,
    /// Sums of a step's changes, `f32[side, side]`.
    changes: Vec<f32>,
    motion: Vec<f32>,
    filmed: Filmed,
}

impl Kymograph {
    /// As an encoder of a package wants it.
    pub fn new(spec: ClipSpec) -> Self {
        Self {
            spec,
            pace: None,
            developer: Developer::default(),
            stretcher: Stretcher::default(),
            sums: Vec::new(),
            row: Vec::new(),
            bytes: Vec::new(),
            greys: Vec::new(),
            gains: Vec::new(),
            changes: Vec::new(),
            motion: Vec::new(),
            filmed: Filmed::default(),
        }
    }

    /// Thins clips with more than 1.25 times this many frames per second. Changes from frame to frame, above all noise,
    /// are summed, and twice the frame rate gives twice as much. `None` keeps all frames.
    pub fn pace(&mut self, rate: Option<f64>) {
        self.pace = rate;
    }

    /// Rows and columns of tiles.
    pub fn tiles(&self) -> usize {
        self.spec.tiles
    }

    /// Steps that a clip is cut into.
    pub fn steps(&self) -> usize {
        self.spec.tiles * self.spec.tiles
    }

    /// Rows and columns of a step's cells in [`Kymograph::motion`].
    pub fn cells(&self) -> usize {
        self.spec.side.div_ceil(CELL)
    }

    /// Motion of the last clip, `f32[steps, cells, cells]`: change in grey levels per second, averaged over the pixels
    /// of the patch and over the step.
    pub fn motion(&self) -> &[f32] {
        &self.motion
    }

    /// The mean of [`Kymograph::motion`] in each step.
    pub fn motion_of_steps(&self) -> impl Iterator<Item = f32> {
        let cells = self.cells() * self.cells();
        self.motion.chunks_exact(cells).map(move |step| step.iter().sum::<f32>() / cells as f32)
    }

    /// Rows and columns of a still.
    pub fn still_side(&self) -> usize {
        self.spec.side / COARSER
    }

    /// Key frames of the last clip, evenly spaced, `f32[STILLS, side, side]`, [`Kymograph::still_side`] pixels per
    /// side: grey, 0 to 255, at one mean level.
    pub fn stills(&self) -> Vec<f32> {
        let (side, small, frames) = (self.spec.side, self.still_side(), self.gains.len());
        let mut stills = vec![0.0; STILLS * small * small];
        for (moment, still) in stills.chunks_exact_mut((small * small).max(1)).enumerate() {
            let at = (2 * moment + 1) * frames / (2 * STILLS);
            let Some(gain) = self.gains.get(at) else { continue };
            let frame = &self.greys[at * side * side..(at + 1) * side * side];
            for (i, grey) in frame.iter().enumerate() {
                let (y, x) = (i / side / COARSER, i % side / COARSER);
                if y < small && x < small {
                    still[y * small + x] += gain * f32::from(*grey) / (COARSER * COARSER) as f32;
                }
            }
        }
        stills
    }

    /// Measurements of the last clip.
    pub fn filmed(&self) -> Filmed {
        self.filmed
    }

    /// The reason why nothing can be learned from the last clip, if any: it shows nothing, or nothing moves.
    pub fn unfit(&self) -> Option<String> {
        let most = self.motion.iter().copied().fold(0.0, f32::max);
        let contrast = self.filmed.quality.contrast;
        match (contrast < LEAST_CONTRAST, most < LEAST_MOTION) {
            (true, _) => Some(format!("nothing is to be seen: contrast {contrast:.1} of 255")),
            (_, true) => Some(format!("nothing moves in it: {most:.2} grey levels a second where most moves")),
            _ => None,
        }
    }

    /// The frame in the middle of each step, in tiles as those of the picture: grey, at one level.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when no clip was pictured.
    pub fn frames(&self) -> Result<Frame> {
        let (side, tiles, steps) = (self.spec.side, self.spec.tiles, self.steps());
        let (pixels, last) = (side * side, self.gains.len().saturating_sub(1));
        let level = |at: usize| {
            let (row, column) = (at / (tiles * side), at % (tiles * side));
            let step = row / side * tiles + column / side;
            let middle = (2 * step + 1) * last / (2 * steps);
            let grey = self.greys.get(middle * pixels + row % side * side + column % side).copied().unwrap_or(0);
            (f32::from(grey) * self.gains.get(middle).copied().unwrap_or(0.0)) as u8
        };
        Frame::new((0..steps * pixels).map(level).collect::<Vec<u8>>(), PixelFormat::Grey8, tiles * side, tiles * side)
    }

    /// The picture of a clip: RGB, `tiles * side` pixels on each side.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a frame cannot be decoded.
    pub fn picture(&mut self, clip: &Clip) -> Result<Frame> {
        let rate = clip.rate();
        let thinned = self.pace.filter(|pace| rate >= FASTER * pace).map(|pace| thinned(clip, pace)).transpose()?;
        let clip = thinned.as_ref().unwrap_or(clip);
        self.take_in(clip)?;
        self.filmed.rate = rate;
        let (steps, cells, side, tiles) = (self.steps(), self.cells(), self.spec.side, self.spec.tiles);
        let (pixels, last) = (side * side, clip.frames().len() - 1);
        let quiet = 1.0 + NOISE * self.median_change();
        self.motion.clear();
        self.motion.resize(steps * cells * cells, 0.0);
        let Self { spec, greys, gains, motion, changes, .. } = self;
        let frame = |at: usize| (&greys[at * pixels..(at + 1) * pixels], gains[at]);
        let change = |(a, before): (&u16, f32), (b, after): (&u16, f32)| f32::from(*b) * after - f32::from(*a) * before;
        let loud = |change: f32| change.signum() * (change.abs() - quiet).max(0.0);
        let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        let mut picture = vec![0u8; 3 * steps * pixels];
        let per_cell = (CELL * CELL) as f32 * clip.seconds() as f32 / steps as f32;
        for step in 0..steps {
            let first = step * last / steps;
            let end = ((step + 1) * last).div_ceil(steps).max(first + 1);
            // Frames that two steps share count for each by their part.
            let share = (last as f32 / steps as f32) / (end - first) as f32;
            changes.clear();
            changes.resize(pixels, 0.0);
            for at in first..end {
                let ((before, gain), (after, next)) = (frame(at), frame(at + 1));
                for ((sum, a), b) in changes.iter_mut().zip(before).zip(after) {
                    *sum += loud(change((a, gain), (b, next))).abs();
                }
            }
            let ((begin, gain), (done, next)) = (frame(first), frame(end));
            for (i, ((changes, a), b)) in changes.iter().zip(begin).zip(done).enumerate() {
                let (x, y) = (i % side, i / side);
                let signed = 127.5 + 127.5 * loud(change((a, gain), (b, next))) / spec.change;
                let moved = 255.0 * share * changes / spec.motion;
                let at = ((step / tiles * side + y) * tiles + step % tiles) * side + x;
                picture[3 * at..3 * at + 3].copy_from_slice(&[signed, moved, moved].map(byte));
                motion[(step * cells + y / CELL) * cells + x / CELL] += share * changes / per_cell;
            }
        }
        self.filmed.motion = self.motion.iter().sum::<f32>() / self.motion.len() as f32;
        let mut frame = Frame::new(picture, PixelFormat::Rgb8, tiles * side, tiles * side)?;
        frame.stamp = clip.frames()[0].stamp;
        Ok(frame)
    }

    /// Brings each frame to the size of a tile and to one level, and measures the clip.
    fn take_in(&mut self, clip: &Clip) -> Result<()> {
        let side = self.spec.side;
        self.greys.clear();
        self.gains.clear();
        let frames = clip.frames();
        let looks = LOOKS.min(frames.len());
        let mut qualities = Vec::with_capacity(looks);
        for (i, frame) in frames.iter().enumerate() {
            let told = |error: Error| Error::caused(ErrorKind::Input, format!("frame {i} of the clip"), error);
            let planes = self.developer.develop(frame, [side, side]).map_err(told)?;
            if (0..looks).any(|look| (2 * look + 1) * frames.len() / (2 * looks) == i) {
                qualities.push(quality::measure(&planes, &mut self.bytes));
            }
            // Green stands for RGB, as it does where brightness is measured.
            let (channel, is_studio): (Channel, bool) = match planes.channels {
                Channels::Grey(grey) => (grey, false),
                Channels::Rgb([_, green, _]) => (green, false),
                Channels::Video([luma, ..], colour) => (luma, !colour.full),
            };
            self.stretcher.fit(&channel, [side, side])?;
            self.row.resize(side, 0.0);
            let from = self.greys.len();
            for y in 0..side {
                self.stretcher.down(channel.bytes, y, &mut self.sums);
                self.stretcher.along(&channel, &self.sums, &mut self.row);
                // Luma of video goes from 16 to 235.
                let full = |value: &f32| if is_studio { (value - 16.0) * 255.0 / 219.0 } else { *value };
                // The cast stops at 0.
                self.greys.extend(self.row.iter().map(|value| (FINE * full(value).min(255.0)) as u16));
            }
            let sum: f32 = self.greys[from..].iter().map(|&value| f32::from(value)).sum();
            self.gains.push(LEVEL / (sum / (side * side) as f32).max(FINE));
        }
        let mean = |of: &dyn Fn(&Quality) -> f32| qualities.iter().map(of).sum::<f32>() / qualities.len() as f32;
        self.filmed = Filmed {
            seconds: clip.seconds(),
            rate: clip.rate(),
            size: [frames[0].width(), frames[0].height()],
            quality: Quality {
                brightness: mean(&|q| q.brightness),
                contrast: mean(&|q| q.contrast),
                black: mean(&|q| q.black),
                white: mean(&|q| q.white),
                sharpness: mean(&|q| q.sharpness),
            },
            motion: 0.0,
        };
        Ok(())
    }

    /// The median change of a pixel from a frame to the next, in grey levels.
    fn median_change(&self) -> f32 {
        const BINS: f32 = 16.0;
        let pixels = self.spec.side * self.spec.side;
        let mut counts = [0u32; 1024];
        for (frame, two) in self.greys.chunks_exact(pixels).zip(self.greys.chunks_exact(pixels).skip(1)).enumerate() {
            let [gain, next] = [self.gains[frame], self.gains[frame + 1]];
            for (a, b) in two.0.iter().zip(two.1) {
                let change = (f32::from(*b) * next - f32::from(*a) * gain).abs();
                counts[((change * BINS) as usize).min(1023)] += 1;
            }
        }
        let half = counts.iter().sum::<u32>() / 2;
        let mut below = 0;
        let at = counts.iter().position(|count| {
            below += count;
            below > half
        });
        at.unwrap_or(0) as f32 / BINS
    }
}

/// A clip with so many frames a second only, evenly.
fn thinned(clip: &Clip, rate: f64) -> Result<Clip> {
    let (frames, seconds) = (clip.frames(), clip.seconds());
    let count = ((seconds * rate).round() as usize).clamp(2, frames.len());
    let kept: Vec<Frame> = (0..count).map(|i| frames[i * frames.len() / count].clone()).collect();
    Clip::new(kept, count as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: ClipSpec = ClipSpec { tiles: 2, side: 32, change: 96.0, motion: 120.0 };

    /// Forty frames of a rough ground, each with what `draw` adds to the pixel at column and row of the frame.
    fn clip(draw: impl Fn(usize, usize, usize) -> f32) -> Clip {
        let ground = |x: usize, y: usize| ((x * 7919 + y * 104_729) % 61) as f32 + 70.0;
        let frame = |i: usize| {
            let pixels = (0..64 * 64).map(|at| (ground(at % 64, at / 64) + draw(i, at % 64, at / 64)) as u8);
            Frame::new(pixels.collect::<Vec<u8>>(), PixelFormat::Grey8, 64, 64).unwrap()
        };
        Clip::new((0..40).map(frame).collect::<Vec<_>>(), 20.0).unwrap()
    }

    /// The greatest motion of each step, and where: row and column.
    fn steps(kymograph: &Kymograph) -> Vec<(f32, [usize; 2])> {
        let cells = kymograph.cells();
        let hottest = |step: &[f32]| {
            let at = (0..step.len()).max_by(|&a, &b| step[a].total_cmp(&step[b])).unwrap();
            (step[at], [at / cells, at % cells])
        };
        kymograph.motion().chunks_exact(cells * cells).map(hottest).collect()
    }

    #[test]
    fn light_and_noise_are_no_motion() {
        let mut kymograph = Kymograph::new(SPEC);
        let flickering = clip(|i, x, y| {
            let noise = ((i * 31 + x * 17 + y * 13) % 7) as f32 - 3.0;
            noise + 20.0 * (i as f32 * 0.7).sin().abs()
        });
        let picture = kymograph.picture(&flickering).unwrap();
        assert_eq!([picture.width(), picture.height()], [64, 64]);
        assert!(kymograph.filmed().motion < 4.0, "{:?}", kymograph.filmed());
        assert!((kymograph.filmed().seconds - 2.0).abs() < 1e-9);
        assert_eq!(kymograph.filmed().size, [64, 64]);
        // A camera that shows the same all the time shows mid red and nothing else: nothing is learned from either.
        assert!(kymograph.unfit().is_some());
        let still = kymograph.picture(&clip(|_, _, _| 0.0)).unwrap();
        assert!(still.pixels().as_chunks::<3>().0.iter().all(|pixel| *pixel == [128, 0, 0]));
        assert!(kymograph.unfit().unwrap().starts_with("nothing moves in it: 0.00 grey levels"));
    }

    #[test]
    fn what_moves_shows_at_its_time_and_place() {
        let mut kymograph = Kymograph::new(SPEC);
        // A bright bar goes to the right in the third quarter of the time, at the bottom.
        let bar = |i: usize, x: usize, y: usize| {
            let at = 8 + 2 * i.clamp(20, 29).saturating_sub(20);
            if y >= 48 && (at..at + 6).contains(&x) { 100.0 } else { 0.0 }
        };
        kymograph.picture(&clip(bar)).unwrap();
        assert_eq!(kymograph.unfit(), None);
        let steps = steps(&kymograph);
        assert!(steps[2].0 > 100.0 && steps[2].1[0] == 3, "{steps:?}");
        assert!([0, 1, 3].iter().all(|&step| steps[step].0 < 20.0), "{steps:?}");
        let mean: Vec<f32> = kymograph.motion_of_steps().collect();
        assert!(mean[2] > 10.0 * mean[0].max(0.1), "{mean:?}");
    }

    #[test]
    fn what_is_over_before_its_step_is_not_missed() {
        let mut kymograph = Kymograph::new(SPEC);
        let flash = |i: usize, x: usize, y: usize| if i == 14 && x < 16 && y < 16 { 90.0 } else { 0.0 };
        let picture = kymograph.picture(&clip(flash)).unwrap();
        // In the second tile, at its top left.
        let [red, green, blue] = picture.rgb(32 + 4, 4);
        assert!((118..138).contains(&red) && green > 200 && blue == green, "{red} {green} {blue}");
        assert!(steps(&kymograph)[1].0 > 100.0);
    }

    #[test]
    fn a_film_at_twice_the_rate_is_the_same_film() {
        let noisy = |i: usize, x: usize, y: usize| {
            let noise = ((i * 31 + x * 17 + y * 13) % 7) as f32 - 3.0;
            let at = i / 2;
            if (at..at + 6).contains(&x) && y > 20 { 100.0 } else { noise }
        };
        let fast = clip(noisy);
        let half: Vec<Frame> = fast.frames().iter().step_by(2).cloned().collect();
        let slow = Clip::new(half, 10.0).unwrap();
        let mut kymograph = Kymograph::new(SPEC);
        let expected = kymograph.picture(&slow).unwrap();
        let at_once = kymograph.picture(&fast).unwrap();
        assert_ne!(expected.pixels(), at_once.pixels());
        kymograph.pace(Some(10.0));
        assert_eq!(kymograph.picture(&fast).unwrap().pixels(), expected.pixels());
        assert_eq!(kymograph.filmed().rate, 20.0, "how it was filmed is told as it was");
        // What has about as many is left alone.
        kymograph.pace(Some(17.0));
        assert_eq!(kymograph.picture(&fast).unwrap().pixels(), at_once.pixels());
    }

    #[test]
    fn a_damaged_frame_is_told_by_its_number() {
        let good = clip(|_, _, _| 0.0);
        let mut frames = good.frames().to_vec();
        frames[3] = Frame::new(vec![0xff, 0xd8, 1, 2, 3], PixelFormat::Jpeg, 64, 64).unwrap();
        let error = Kymograph::new(SPEC).picture(&Clip::new(frames, 20.0).unwrap()).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Input, "frame 3 of the clip"));
    }
}
