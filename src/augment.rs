//! Pictures and sounds made worse, each in one way and by a level that means something: what light, optics, wires and
//! recorders do to them, and what is stuck on a part. Pure functions: one input, level and seed give one result. Which
//! samples are worsened and how they are judged then is left to `evaluate::robust`; how good ones are varied while a part is
//! taught, to `teach`.
//!
//! No pixel moves and no sound gets longer, so masks and times stay true. What leaves the range of a byte, or of -1 to
//! 1, is cut there, as a camera and a recorder do.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::blur;
use image::{ExtendedColorType, ImageBuffer, ImageEncoder as _, Luma, Rgb};
use kernels::fourier::{real_forward, real_inverse};

use crate::error::{Error, ErrorKind, Result};
use crate::prepare::pixels::plain;
use crate::prepare::resample::Resampler;
use crate::random::Random;
use crate::sample::{Frame, Sound};
use crate::source::recording;

/// Grey of what covers a picture: the middle of a byte.
const GREY: u8 = 128;
/// Under this frequency, in Hz, pink noise is flat: nobody hears it, and it would be most of the power.
const PINK_FROM: f64 = 20.0;
/// Places that are tried for a piece of good texture.
const PLACES: usize = 64;

/// A way in which a picture gets worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ImageCorruption {
    /// Noise of a sensor: normally distributed, of this deviation in steps of a byte (0 to 255), drawn for each value of
    /// each pixel. It is as large as a pixel, so a large picture that is shrunk to be looked at loses most of it.
    Noise(f64),
    /// Lost focus: a Gaussian blur of this deviation, in percent of the shorter side, above 0, so that it is the same at
    /// every resolution. Bytes are blurred as they stand, which is a little darker around highlights than light is.
    Blur(f64),
    /// Another exposure, in EV: the light is 2 to the power of it times as much, by the curve of sRGB.
    Exposure(f64),
    /// Compression as JPEG of this quality, 1 to 100 as libjpeg counts it, without chroma subsampling.
    Jpeg(u8),
    /// A plain grey rectangle with the picture's aspect over this share of it, in percent, 0 to 100, anywhere. It may
    /// cover a defect, and what it covers of a good part is no longer to be seen.
    Occlusion(f64),
}

/// A way in which a sound gets worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SoundCorruption {
    /// White noise, this many dB under the sound: root mean square of both over the whole, the sound's without its mean.
    White(f64),
    /// Pink noise (each octave from 20 Hz on as loud), this many dB under the sound.
    Pink(f64),
    /// The loudest samples, this share of all in percent (0 to 100), cut to the level of the next, as an amplifier does
    /// that is driven too far. Nothing stands at full scale, so nothing but the sound itself tells it.
    Clipping(f64),
    /// The same, and turned up so far that what was cut stands at full scale, as a converter does.
    Overdriven(f64),
    /// Louder by this many dB, quieter where negative.
    Level(f64),
    /// No sound at all for this many milliseconds, anywhere.
    Gap(f64),
    /// Sampled at this rate, 1000 Hz or more, and back: nothing is left above half of it. A sound of that rate or less
    /// stays as it is.
    Sampled(u32),
}

impl ImageCorruption {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Noise(_) => "noise",
            Self::Blur(_) => "blur",
            Self::Exposure(ev) if ev < 0.0 => "darker",
            Self::Exposure(_) => "brighter",
            Self::Jpeg(_) => "jpeg",
            Self::Occlusion(_) => "occlusion",
        }
    }

    /// Its level and the unit of it.
    pub fn level(self) -> (f64, &'static str) {
        match self {
            Self::Noise(deviation) => (deviation, "/ 255"),
            Self::Blur(percent) | Self::Occlusion(percent) => (percent, "%"),
            Self::Exposure(ev) => (ev, "EV"),
            Self::Jpeg(quality) => (f64::from(quality), "/ 100"),
        }
    }
}

impl SoundCorruption {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::White(_) => "white noise",
            Self::Pink(_) => "pink noise",
            Self::Clipping(_) => "clipping",
            Self::Overdriven(_) => "overdriven",
            Self::Level(db) if db < 0.0 => "quieter",
            Self::Level(_) => "louder",
            Self::Gap(_) => "gap",
            Self::Sampled(_) => "narrow band",
        }
    }

    /// Its level and the unit of it.
    pub fn level(self) -> (f64, &'static str) {
        match self {
            Self::White(db) | Self::Pink(db) | Self::Level(db) => (db, "dB"),
            Self::Clipping(percent) | Self::Overdriven(percent) => (percent, "%"),
            Self::Gap(ms) => (ms, "ms"),
            Self::Sampled(hz) => (f64::from(hz), "Hz"),
        }
    }
}

/// The picture, worsened: of the same size, format (of a camera's, the plain one), stamp and number.
///
/// # Errors
/// [`ErrorKind::Input`] when a camera's frame is damaged, or a side is too long for a JPEG (over 65535).
pub fn picture(frame: &Frame, worsening: ImageCorruption, seed: u64) -> Result<Frame> {
    let plain = plain(frame)?;
    let (width, height) = (plain.width(), plain.height());
    let mut random = Random::new(seed);
    let pixels: Vec<u8> = match worsening {
        ImageCorruption::Noise(deviation) => {
            plain.pixels().iter().map(|&value| byte(f64::from(value) + deviation * random.normal())).collect()
        }
        ImageCorruption::Blur(percent) => {
            blurred(&plain, (percent / 100.0 * width.min(height) as f64).max(f64::from(f32::MIN_POSITIVE)) as f32)?
        }
        ImageCorruption::Exposure(ev) => {
            let curve = exposed(ev);
            plain.pixels().iter().map(|&value| curve[usize::from(value)]).collect()
        }
        ImageCorruption::Jpeg(quality) => return Ok(alike(frame, compressed(&plain, quality)?)),
        ImageCorruption::Occlusion(percent) => {
            let side = (percent / 100.0).clamp(0.0, 1.0).sqrt();
            let sides = [width, height].map(|pixels| (side * pixels as f64).round() as usize);
            let corner = [random.below(width - sides[0] + 1), random.below(height - sides[1] + 1)];
            pasted(&plain, corner, sides, |_, _| [GREY; 3])?
        }
    };
    Ok(alike(frame, Frame::new(pixels, plain.format(), width, height)?))
}

/// The picture as the same camera may show the same part another day, drawn by `seed`: up to a third of an EV darker or
/// brighter, and either with noise of a deviation of 1 to 5 steps of a byte or compressed as JPEG of quality 60 to 95.
///
/// # Errors
/// As [`picture`].
pub fn another_day(frame: &Frame, seed: u64) -> Result<Frame> {
    let mut random = Random::new(seed);
    let exposed = picture(frame, ImageCorruption::Exposure(random.between(-1.0 / 3.0, 1.0 / 3.0)), seed)?;
    let delivered = match seed % 2 {
        0 => ImageCorruption::Jpeg(60 + random.below(36) as u8),
        _ => ImageCorruption::Noise(random.between(1.0, 5.0)),
    };
    picture(&exposed, delivered, seed)
}

/// The picture with a sticker of checks on it: a square over `percent` (0 to 100) of the picture, of two by two to eight
/// by eight checks of two opposite colours (grey: black and white), anywhere upright within it.
///
/// # Errors
/// [`ErrorKind::Input`] when a camera's frame is damaged.
pub fn sticker(frame: &Frame, percent: f64, seed: u64) -> Result<Frame> {
    let plain = plain(frame)?;
    let mut random = Random::new(seed);
    let side = square(&plain, percent / 100.0);
    let corner = [random.below(plain.width() - side + 1), random.below(plain.height() - side + 1)];
    let checks = 2 + random.below(7);
    // A corner of the cube of colours and the one across; of grey, black and white, the one or the other first.
    let colour = if plain.channels()? == 1 { 7 * random.below(2) } else { random.below(8) };
    let colour = [4, 2, 1].map(|bit| if colour & bit == 0 { 0 } else { 255 });
    let check = |at: usize| (at * checks / side) % 2;
    let pixels =
        pasted(
            &plain,
            corner,
            [side; 2],
            |x, y| {
                if check(x) == check(y) { colour } else { colour.map(|value| 255 - value) }
            },
        )?;
    Ok(alike(frame, Frame::new(pixels, plain.format(), plain.width(), plain.height())?))
}

/// The picture with a square of its own good texture over its defect: `percent` (0 to 100) of the picture, but at most as
/// large as half the defect, of which half at least stays in sight. Its middle is anywhere in the defect (as far as the
/// picture's edges allow), its texture from anywhere that has no defect. `mask` is not black where the defect is, and
/// may have another size.
///
/// `None` where the mask marks less than two pixels, or no place without a defect was found in 64 draws.
///
/// # Errors
/// [`ErrorKind::Input`] when a camera's frame is damaged.
pub fn camouflage(frame: &Frame, mask: &Frame, percent: f64, seed: u64) -> Result<Option<Frame>> {
    let plain = plain(frame)?;
    let (width, height) = (plain.width(), plain.height());
    let at = |i: usize, to: usize, from: usize| (2 * i + 1) * from / (2 * to);
    let defect: Vec<bool> = (0..width * height)
        .map(|i| mask.rgb(at(i % width, width, mask.width()), at(i / width, height, mask.height())) != [0; 3])
        .collect();
    let marked: Vec<usize> = (0..defect.len()).filter(|&i| defect[i]).collect();
    if marked.is_empty() {
        return Ok(None);
    }
    let mut random = Random::new(seed);
    let half = (marked.len() as f64 / 2.0).sqrt() as usize;
    let side = square(&plain, percent / 100.0).min(half);
    if side == 0 {
        return Ok(None);
    }
    let middle = marked[random.below(marked.len())];
    let begin = |middle: usize, most: usize| middle.saturating_sub(side / 2).min(most - side);
    let corner = [begin(middle % width, width), begin(middle / width, height)];
    let places = (0..PLACES).map(|_| [random.below(width - side + 1), random.below(height - side + 1)]);
    let is_good = |[x, y]: &[usize; 2]| {
        (*y..y + side).all(|row| defect[row * width + x..row * width + x + side].iter().all(|bad| !bad))
    };
    let Some([from_x, from_y]) = places.into_iter().find(is_good) else { return Ok(None) };
    let pixels = pasted(&plain, corner, [side; 2], |x, y| plain.rgb(from_x + x, from_y + y))?;
    Ok(Some(alike(frame, Frame::new(pixels, plain.format(), width, height)?)))
}

/// The sound, worsened: of the same length, rate, channels, stamp and position. Noise is the same in all channels, so that
/// it is as loud beside the sound when these are mixed; of silence there is no ratio, and it stays as it is.
///
/// # Errors
/// [`ErrorKind::Input`] when its rate is not 1000 to 768000 Hz or it has more than 64 channels, where it is to be sampled
/// anew.
pub fn sound(sound: &Sound, worsening: SoundCorruption, seed: u64) -> Result<Sound> {
    let (rate, channels, length) = (sound.rate(), sound.channels(), sound.len());
    let samples = sound.samples();
    let mut random = Random::new(seed);
    let louder = |samples: &[f32], gain: f64| samples.iter().map(|&x| (gain * f64::from(x)) as f32).collect();
    let mut samples: Vec<f32> = match worsening {
        SoundCorruption::White(db) => {
            let white: Vec<f64> = (0..length).map(|_| random.normal()).collect();
            noisy(sound, &white, db)
        }
        SoundCorruption::Pink(db) => noisy(sound, &pink(&mut random, length, f64::from(rate))?, db),
        SoundCorruption::Clipping(percent) => {
            let top = top(samples, percent / 100.0);
            samples.iter().map(|x| x.clamp(-top, top)).collect()
        }
        SoundCorruption::Overdriven(percent) => match top(samples, percent / 100.0) {
            0.0 => samples.to_vec(),
            top => samples.iter().map(|x| x / top).collect(),
        },
        SoundCorruption::Level(db) => louder(samples, 10f64.powf(db / 20.0)),
        SoundCorruption::Gap(ms) => {
            let gap = ((ms / 1e3 * f64::from(rate)).round() as usize).min(length);
            let begin = random.below(length - gap + 1);
            let mut samples = samples.to_vec();
            samples[begin * channels..(begin + gap) * channels].fill(0.0);
            samples
        }
        SoundCorruption::Sampled(to) if to < rate => sampled(sound, to)?,
        SoundCorruption::Sampled(_) => samples.to_vec(),
    };
    samples.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
    let mut worse = Sound::new(samples, rate, channels)?;
    (worse.stamp, worse.position) = (sound.stamp, sound.position);
    Ok(worse)
}

/// `worse` with the stamp and the number of `frame`, and its coding: what was done to it is not how it came.
fn alike(frame: &Frame, worse: Frame) -> Frame {
    let mut worse = worse.with_jpeg(frame.was_jpeg());
    (worse.stamp, worse.sequence) = (frame.stamp, frame.sequence);
    worse
}

fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// The side of a square over `share` of the picture: at least a pixel, and within it.
fn square(plain: &Frame, share: f64) -> usize {
    let (width, height) = (plain.width(), plain.height());
    ((share * (width * height) as f64).sqrt() as usize).clamp(1, width.min(height))
}

/// The pixels of a plain frame, with `colour(x, y)` on the rectangle at `corner`; grey takes the first of it.
fn pasted(
    plain: &Frame,
    corner: [usize; 2],
    sides: [usize; 2],
    colour: impl Fn(usize, usize) -> [u8; 3],
) -> Result<Vec<u8>> {
    let (channels, width) = (plain.channels()?, plain.width());
    let mut pixels = plain.pixels().to_vec();
    for y in 0..sides[1] {
        for x in 0..sides[0] {
            let at = channels * ((corner[1] + y) * width + corner[0] + x);
            pixels[at..at + channels].copy_from_slice(&colour(x, y)[..channels]);
        }
    }
    Ok(pixels)
}

/// A Gaussian of `deviation` pixels over a plain frame.
fn blurred(plain: &Frame, deviation: f32) -> Result<Vec<u8>> {
    let (width, height) = (plain.width() as u32, plain.height() as u32);
    let large = || Error::new(ErrorKind::Input, format!("a {width} x {height} picture is too large to be blurred"));
    Ok(match plain.channels()? {
        1 => {
            let grey = ImageBuffer::<Luma<u8>, _>::from_raw(width, height, plain.pixels()).ok_or_else(large)?;
            blur(&grey, deviation).into_raw()
        }
        _ => {
            let rgb = ImageBuffer::<Rgb<u8>, _>::from_raw(width, height, plain.pixels()).ok_or_else(large)?;
            blur(&rgb, deviation).into_raw()
        }
    })
}

/// What each byte becomes when there is 2 to the power of `ev` times as much light (IEC 61966-2-1).
fn exposed(ev: f64) -> [u8; 256] {
    let light = |value: f64| if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
    let value = |light: f64| if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    std::array::from_fn(|i| byte(255.0 * value((2f64.powf(ev) * light(i as f64 / 255.0)).min(1.0))))
}

fn compressed(plain: &Frame, quality: u8) -> Result<Frame> {
    let colour = if plain.channels()? == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100))
        .write_image(plain.pixels(), plain.width() as u32, plain.height() as u32, colour)
        .map_err(|error| Error::caused(ErrorKind::Input, "the picture cannot be made a JPEG", error))?;
    recording::decode(&bytes, "the worsened picture")
}

/// Root mean square of `samples` about their mean.
fn deviation(samples: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = samples.clone().count().max(1) as f64;
    let mean = samples.clone().sum::<f64>() / count;
    (samples.map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// The sound with `noise`, a sample for all channels alike, `db` under it.
fn noisy(sound: &Sound, noise: &[f64], db: f64) -> Vec<f32> {
    let own = deviation(sound.samples().iter().map(|&x| f64::from(x)));
    let gain = own * 10f64.powf(-db / 20.0) / deviation(noise.iter().copied()).max(f64::MIN_POSITIVE);
    let channels = sound.channels();
    sound.samples().iter().enumerate().map(|(i, &x)| x + (gain * noise[i / channels]) as f32).collect()
}

/// Noise whose power falls as one over the frequency, from [`PINK_FROM`] on: white noise, weighed in its spectrum.
fn pink(random: &mut Random, length: usize, rate: f64) -> Result<Vec<f64>> {
    let mut samples: Vec<f64> = (0..length).map(|_| random.normal()).collect();
    if length < 2 {
        return Ok(samples);
    }
    let failed = |error| Error::caused(ErrorKind::Runtime, "pink noise cannot be made", error);
    let (there, back) = (real_forward(length), real_inverse(length));
    let mut spectrum = there.make_output_vec();
    there.process(&mut samples, &mut spectrum).map_err(failed)?;
    for (i, bin) in spectrum.iter_mut().enumerate() {
        *bin /= (i as f64 * rate / length as f64).max(PINK_FROM).sqrt();
    }
    back.process(&mut spectrum, &mut samples).map_err(failed)?;
    Ok(samples)
}

/// The level that `share` (0 to 1) of the samples exceed.
fn top(samples: &[f32], share: f64) -> f32 {
    let mut levels: Vec<f32> = samples.iter().map(|x| x.abs()).collect();
    let above = (share.clamp(0.0, 1.0) * levels.len() as f64).round() as usize;
    let Some(at) = levels.len().checked_sub(above + 1) else { return 0.0 };
    *levels.select_nth_unstable_by(at, f32::total_cmp).1
}

/// Each channel at `to` Hz and back.
fn sampled(sound: &Sound, to: u32) -> Result<Vec<f32>> {
    let (rate, channels) = (sound.rate(), sound.channels());
    let mut samples = vec![0.0; sound.samples().len()];
    let (mut down, mut up) = (Resampler::new(rate, 1, to)?, Resampler::new(to, 1, rate)?);
    let (mut low, mut back) = (Vec::new(), Vec::new());
    for channel in 0..channels {
        let own: Vec<f32> = sound.samples().iter().skip(channel).step_by(channels).copied().collect();
        down.run(&own, &mut low)?;
        up.run(&low, &mut back)?;
        // Rounding may leave a sample too few or too many at the end.
        samples.iter_mut().skip(channel).step_by(channels).zip(&back).for_each(|(x, back)| *x = *back);
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;

    fn grey(width: usize, height: usize, value: impl Fn(usize, usize) -> u8) -> Frame {
        let pixels: Vec<u8> = (0..width * height).map(|i| value(i % width, i / width)).collect();
        Frame::new(pixels, PixelFormat::Grey8, width, height).unwrap()
    }

    fn rgb(width: usize, height: usize) -> Frame {
        let pixels: Vec<u8> = (0..3 * width * height).map(|i| (i * 7 % 201) as u8).collect();
        Frame::new(pixels, PixelFormat::Rgb8, width, height).unwrap()
    }

    fn worse(frame: &Frame, worsening: ImageCorruption) -> Frame {
        picture(frame, worsening, 3).unwrap()
    }

    /// Pixels that differ: how many, and the box around them as first and last column and row.
    fn changed(a: &Frame, b: &Frame) -> (usize, [usize; 4]) {
        let width = a.width();
        let at: Vec<usize> =
            (0..width * a.height()).filter(|i| a.rgb(i % width, i / width) != b.rgb(i % width, i / width)).collect();
        let (columns, rows) = (at.iter().map(|i| i % width), at.iter().map(|i| i / width));
        let span = [columns.clone().min(), columns.max(), rows.clone().min(), rows.max()];
        (at.len(), span.map(|side| side.unwrap_or(0)))
    }

    #[test]
    fn another_day_looks_nearly_the_same() {
        let frame = rgb(64, 48);
        for seed in 0..12 {
            let day = another_day(&frame, seed).unwrap();
            assert_eq!((day.width(), day.height(), day.format()), (64, 48, frame.format()));
            let apart = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
            let mean = day.pixels().iter().zip(frame.pixels()).map(apart).sum::<f64>() / frame.pixels().len() as f64;
            assert!((0.3..25.0).contains(&mean), "seed {seed}: {mean}");
            assert_eq!(day.pixels(), another_day(&frame, seed).unwrap().pixels());
            assert_ne!(day.pixels(), another_day(&frame, seed + 2).unwrap().pixels());
        }
    }

    #[test]
    fn what_is_worsened_keeps_its_size_and_format_and_is_the_same_for_a_seed() {
        for mut frame in [rgb(40, 30), grey(40, 30, |x, y| (3 * x + 2 * y) as u8)] {
            frame.sequence = 7;
            for worsening in [
                ImageCorruption::Noise(8.0),
                ImageCorruption::Blur(3.0),
                ImageCorruption::Exposure(-1.0),
                ImageCorruption::Exposure(1.0),
                ImageCorruption::Jpeg(10),
                ImageCorruption::Occlusion(5.0),
            ] {
                let worse = worse(&frame, worsening);
                assert_eq!((worse.width(), worse.height(), worse.format()), (40, 30, frame.format()), "{worsening:?}");
                assert_eq!((worse.sequence, worse.stamp), (7, frame.stamp), "{worsening:?}");
                assert_ne!(worse.pixels(), frame.pixels(), "{worsening:?}");
                assert_eq!(picture(&frame, worsening, 3).unwrap().pixels(), worse.pixels(), "{worsening:?}");
                let other = picture(&frame, worsening, 4).unwrap();
                let is_drawn = matches!(worsening, ImageCorruption::Noise(_) | ImageCorruption::Occlusion(_));
                assert_eq!(other.pixels() != worse.pixels(), is_drawn, "{worsening:?}");
            }
        }
    }

    #[test]
    fn noise_has_the_deviation_that_is_asked_for() {
        for asked in [4.0, 16.0] {
            let noisy = worse(&grey(200, 200, |_, _| 128), ImageCorruption::Noise(asked));
            let found = deviation(noisy.pixels().iter().map(|&value| f64::from(value)));
            assert!((found - asked).abs() < 0.03 * asked, "{found} for {asked}");
        }
    }

    /// The blur of a step from black to white is the sum of a Gaussian: its steps have the deviation.
    #[test]
    fn blur_has_the_deviation_that_is_asked_for_in_shares_of_the_shorter_side() {
        for (width, height, percent, pixels) in [(400, 600, 1.2, 4.8), (200, 100, 2.0, 2.0)] {
            let soft =
                worse(&grey(width, height, |x, _| if x < width / 2 { 0 } else { 255 }), ImageCorruption::Blur(percent));
            let steps: Vec<f64> = (1..width)
                .map(|x| f64::from(soft.rgb(x, height / 2)[0]) - f64::from(soft.rgb(x - 1, height / 2)[0]))
                .collect();
            let mean = steps.iter().enumerate().map(|(x, step)| x as f64 * step).sum::<f64>() / 255.0;
            let square =
                steps.iter().enumerate().map(|(x, step)| (x as f64 - mean).powi(2) * step).sum::<f64>() / 255.0;
            assert!((square.sqrt() - pixels).abs() < 0.06 * pixels, "{} for {pixels}", square.sqrt());
        }
        // Half a pixel of a picture this small is hardly a blur, and no failure.
        worse(&grey(16, 16, |x, _| 16 * x as u8), ImageCorruption::Blur(0.3));
    }

    #[test]
    fn an_ev_is_twice_the_light() {
        assert!((0..=255).all(|i| exposed(0.0)[i] == i as u8));
        // 188 is half of the light of white, 137 a quarter, 99 an eighth.
        let [one, two] = [-1.0, -2.0].map(exposed);
        assert_eq!((one[255], two[255], one[188], two[188]), (188, 137, 137, 99));
        assert_eq!((exposed(1.0)[137], exposed(2.0)[137], exposed(2.0)[188]), (188, 255, 255));
    }

    #[test]
    fn jpeg_of_lower_quality_is_farther_off() {
        let frame = rgb(64, 48);
        let off = |quality| {
            let jpeg = worse(&frame, ImageCorruption::Jpeg(quality));
            let apart = jpeg.pixels().iter().zip(frame.pixels()).map(|(a, b)| f64::from(a.abs_diff(*b)));
            apart.sum::<f64>() / frame.pixels().len() as f64
        };
        let [fine, middle, coarse] = [95, 30, 5].map(off);
        assert!(fine < middle && middle < coarse, "{fine} {middle} {coarse}");
    }

    #[test]
    fn what_is_covered_is_a_grey_rectangle_of_the_share_that_is_asked_for() {
        let frame = grey(300, 200, |x, y| ((x + y) % 100) as u8);
        for percent in [2.0, 5.0, 10.0] {
            let covered = worse(&frame, ImageCorruption::Occlusion(percent));
            let (count, [left, right, top, bottom]) = changed(&frame, &covered);
            assert!((count as f64 / 600.0 - percent).abs() < 0.1 * percent, "{count} pixels for {percent} %");
            assert_eq!(count, (right - left + 1) * (bottom - top + 1));
            assert_eq!(covered.rgb(left, top), [GREY; 3]);
        }
        assert!(worse(&frame, ImageCorruption::Occlusion(100.0)).pixels().iter().all(|&value| value == GREY));
    }

    #[test]
    fn a_sticker_is_a_square_of_opposite_colours_within_the_picture() {
        for frame in [grey(120, 90, |x, _| 90 + (x % 9) as u8), rgb(120, 90)] {
            let mut seen = Vec::new();
            for seed in 0..16 {
                let stuck = sticker(&frame, 2.0, seed).unwrap();
                let (count, [left, right, top, bottom]) = changed(&frame, &stuck);
                // 2 % of 120 x 90 pixels are 14.7 x 14.7.
                assert!((190..=196).contains(&count) && right - left < 14 && bottom - top < 14, "{count}");
                let [here, there] = [stuck.rgb(left, top), stuck.rgb(right, top)];
                assert!(here.iter().all(|value| [0, 255].contains(value)), "{here:?}");
                assert!(there == here || there == here.map(|value| 255 - value), "{here:?} {there:?}");
                let colours: std::collections::BTreeSet<[u8; 3]> = (left..=right).map(|x| stuck.rgb(x, top)).collect();
                assert_eq!(colours.len(), 2, "checks");
                seen.push([left, top]);
            }
            seen.sort_unstable();
            seen.dedup();
            assert!(seen.len() > 8, "each seed has a place of its own");
        }
    }

    #[test]
    fn camouflage_hides_half_a_defect_at_most_by_what_is_good() {
        let is_bad = |x: usize, y: usize| (40..60).contains(&x) && (20..30).contains(&y);
        let frame = grey(100, 80, |x, y| if is_bad(x, y) { 250 } else { (100 + (x + y) % 20) as u8 });
        let mask = grey(100, 80, |x, y| 255 * u8::from(is_bad(x, y)));
        let bad = |frame: &Frame| frame.pixels().iter().filter(|&&value| value == 250).count();
        assert_eq!(bad(&frame), 200);
        for seed in 0..20 {
            // 5 % are 400 pixels, half the defect 100: a square of 10. 0.5 % are 40: a square of 6.
            for (percent, most) in [(5.0, 100), (0.5, 36)] {
                let hidden = camouflage(&frame, &mask, percent, seed).unwrap().unwrap();
                assert!((200 - most..200).contains(&bad(&hidden)), "{}", bad(&hidden));
                assert!(changed(&frame, &hidden).0 <= most);
            }
        }
        // A mask of another size means the same places.
        let half = grey(50, 40, |x, y| 255 * u8::from(is_bad(2 * x, 2 * y)));
        assert!(bad(&camouflage(&frame, &half, 1.5, 0).unwrap().unwrap()) < 200);
        for mask in [grey(100, 80, |_, _| 0), grey(100, 80, |_, _| 1)] {
            assert!(camouflage(&frame, &mask, 1.5, 0).unwrap().is_none());
        }
    }

    /// Two seconds of two channels, the second one half as loud.
    fn tones(hz: f64, rate: u32) -> Sound {
        let at = |i: u32| 0.4 * (std::f64::consts::TAU * hz * f64::from(i) / f64::from(rate)).sin();
        let samples: Vec<f32> = (0..2 * rate).flat_map(|i| [at(i) as f32, 0.5 * at(i) as f32]).collect();
        Sound::new(samples, rate, 2).unwrap()
    }

    fn level(samples: &[f32]) -> f64 {
        20.0 * deviation(samples.iter().map(|&x| f64::from(x))).log10()
    }

    fn heard(of: &Sound, worsening: SoundCorruption) -> Sound {
        let worse = sound(of, worsening, 3).unwrap();
        assert_eq!((worse.len(), worse.rate(), worse.channels()), (of.len(), of.rate(), of.channels()));
        assert!(worse.samples().iter().all(|x| (-1.0..=1.0).contains(x)), "{worsening:?}");
        worse
    }

    fn added(of: &Sound, worse: &Sound) -> Vec<f32> {
        worse.samples().iter().zip(of.samples()).map(|(a, b)| a - b).collect()
    }

    #[test]
    fn added_noise_has_the_ratio_that_is_asked_for_in_all_channels_alike() {
        let clean = tones(300.0, 16_000);
        for db in [20.0, 10.0] {
            for worsening in [SoundCorruption::White(db), SoundCorruption::Pink(db)] {
                let worse = heard(&clean, worsening);
                let noise = added(&clean, &worse);
                let ratio = level(clean.samples()) - level(&noise);
                assert!((ratio - db).abs() < 0.2, "{worsening:?}: {ratio} dB");
                assert!(noise.chunks(2).all(|both| (both[0] - both[1]).abs() < 1e-6));
                assert_eq!(heard(&clean, worsening).samples(), worse.samples());
                assert_ne!(sound(&clean, worsening, 4).unwrap().samples(), worse.samples());
            }
        }
        let silent = Sound::new(vec![0.25; 1000], 16_000, 1).unwrap();
        assert_eq!(heard(&silent, SoundCorruption::Pink(0.0)).samples(), silent.samples());
    }

    #[test]
    fn pink_noise_is_as_loud_in_each_octave_and_white_noise_is_not() {
        let clean = tones(300.0, 16_000);
        let octaves = |worsening| {
            let mut noise: Vec<f64> =
                added(&clean, &heard(&clean, worsening)).iter().step_by(2).map(|&x| f64::from(x)).collect();
            let fft = real_forward(noise.len());
            let mut spectrum = fft.make_output_vec();
            fft.process(&mut noise, &mut spectrum).unwrap();
            // Two seconds: two bins for each hertz.
            let octave = |hz: usize| spectrum[2 * hz..4 * hz].iter().map(|bin| bin.norm_sqr()).sum::<f64>();
            10.0 * (octave(3200) / octave(200)).log10()
        };
        let [white, pink] = [SoundCorruption::White(10.0), SoundCorruption::Pink(10.0)].map(octaves);
        assert!((white - 12.0).abs() < 1.0 && pink.abs() < 1.0, "{white} {pink}");
    }

    #[test]
    fn as_many_samples_are_cut_as_asked() {
        let clean = tones(301.0, 16_000);
        for percent in [1.0, 10.0] {
            let cut = heard(&clean, SoundCorruption::Clipping(percent));
            let share = 100.0 * changed_samples(&clean, &cut) as f64 / clean.samples().len() as f64;
            assert!((share - percent).abs() < 0.2 * percent, "{share} % for {percent} %");
            let over = heard(&clean, SoundCorruption::Overdriven(percent));
            let full = over.samples().iter().filter(|x| x.abs() >= 1.0).count() as f64;
            assert!((100.0 * full / clean.samples().len() as f64 - percent).abs() < 0.2 * percent + 0.2, "{full}");
            assert!(level(over.samples()) > level(cut.samples()) + 6.0);
        }
        let silent = Sound::new(vec![0.0; 100], 16_000, 1).unwrap();
        for worsening in [SoundCorruption::Clipping(1.0), SoundCorruption::Overdriven(1.0)] {
            assert_eq!(heard(&silent, worsening).samples(), silent.samples());
        }
    }

    fn changed_samples(a: &Sound, b: &Sound) -> usize {
        a.samples().iter().zip(b.samples()).filter(|(a, b)| a != b).count()
    }

    #[test]
    fn levels_are_decibels_and_end_at_full_scale() {
        let clean = tones(300.0, 16_000);
        for db in [-12.0, 6.0] {
            let change = level(heard(&clean, SoundCorruption::Level(db)).samples()) - level(clean.samples());
            assert!((change - db).abs() < 0.01, "{change}");
        }
        let loud = heard(&clean, SoundCorruption::Level(20.0));
        assert_eq!(loud.samples().iter().copied().fold(0.0, f32::max), 1.0);
    }

    #[test]
    fn a_gap_lasts_as_long_as_asked_in_all_channels() {
        let clean = Sound::new(vec![0.5; 8000], 4000, 2).unwrap();
        let gap = heard(&clean, SoundCorruption::Gap(50.0));
        let silent: Vec<usize> = (0..8000).filter(|&i| gap.samples()[i] == 0.0).collect();
        assert_eq!((silent.len(), silent[399] - silent[0], silent[0] % 2), (400, 399, 0));
        assert!(heard(&clean, SoundCorruption::Gap(5000.0)).samples().iter().all(|x| *x == 0.0));
    }

    #[test]
    fn what_is_sampled_at_a_lower_rate_loses_what_is_above_half_of_it_and_nothing_else() {
        for (hz, least, most) in [(1000.0, -0.1, 0.1), (6000.0, -200.0, -50.0)] {
            let clean = tones(hz, 44_100);
            let narrow = heard(&clean, SoundCorruption::Sampled(8000));
            // Without its ends, where there is silence beside.
            let middle = |sound: &Sound| level(&sound.samples()[20_000..140_000]);
            let change = middle(&narrow) - middle(&clean);
            assert!((least..=most).contains(&change), "{hz} Hz: {change} dB");
        }
        let low = tones(300.0, 8000);
        assert_eq!(heard(&low, SoundCorruption::Sampled(8000)).samples(), low.samples());
    }
}
