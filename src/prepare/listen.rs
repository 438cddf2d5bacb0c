//! How a microphone sounds: samples → level, clipping, silence, offset, mains hum, noise floor, and what to mend. Pure
//! functions; taking the sound is left to `source`, what an encoder takes of it to others.

use std::f64::consts::TAU;

use kernels::fourier::{self, Complex};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// A sample this near to full scale may be clipped, and is where as many neighbours are.
const FULL: f32 = 0.999;
const CLIPPED_RUN: usize = 3;

/// Blocks of the noise floor, and of silence, in a second.
const BLOCKS: u32 = 20;

/// A share of a second for which samples stand still in a dropout, at least: 5 ms.
const DROPOUTS: u32 = 200;

/// Steps of the samples' own resolution that a sound swings by, at least, where it is live: less is what a converter
/// makes of a room without a sound.
const LIVE: f32 = 4.0;

/// Harmonics of the mains that are looked for, the mains itself the first.
const HARMONICS: usize = 8;

/// Times the median of its neighbours that a harmonic's power must be: 10 dB.
const STANDS_OUT: f64 = 10.0;

/// Harmonics that must stand out before it is called hum.
const LEAST_HARMONICS: usize = 3;

/// Decibels against the rest under which hum is not told: what rounding makes of a loud tone stands out as well.
const LEAST_HUM: f64 = -40.0;

/// The lowest level that is told, in dBFS: below the last of 24 bits.
const LOWEST: f64 = -150.0;

/// What one channel sounds like.
///
/// Levels are in dBFS as AES17 has them: a sine of full scale is at 0 dBFS, in its peak and in its RMS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hearing {
    /// Level of everything but the offset, in dBFS.
    pub rms_dbfs: f64,
    /// The loudest sample, in dBFS.
    pub peak_dbfs: f64,
    /// Level of the quietest tenth of all blocks of 50 ms, in dBFS: what the microphone hears when there is nothing.
    pub floor_dbfs: f64,
    /// Share of samples that are clipped, 0 to 1: runs of three and more at full scale.
    pub clipped: f64,
    /// Share of blocks of 50 ms in which no sample differs from the next, 0 to 1: a muted or dead microphone.
    pub silent: f64,
    /// Times that the sound stood still for 5 ms and more and was live before and after: buffers that came too late,
    /// a loose plug, lost samples that are kept as silence. Told by exactly equal samples, so only before resampling.
    pub dropouts: usize,
    /// Share of samples within dropouts, 0 to 1.
    pub dropped: f64,
    /// Mean of all samples; 1 is full scale.
    pub offset: f64,
    /// Hum of the mains, where there is some. Told of sounds of a second and more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hum: Option<Hum>,
}

/// Hum of the mains.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hum {
    /// 50 or 60.
    pub hz: u32,
    /// Level of the mains and its harmonics together, in dBFS.
    pub dbfs: f64,
    /// Decibels by which it is above all the rest.
    pub above_rest_db: f64,
    /// How many of the first eight harmonics stand out by 10 dB.
    pub harmonics: usize,
}

/// Measures one channel: `samples` -1 to 1, `rate` of them in a second.
///
/// # Errors
/// [`ErrorKind::Input`] when there is no sample, the rate is under 1000 Hz, or a sample is no number.
pub fn measure(samples: &[f32], rate: u32) -> Result<Hearing> {
    if samples.is_empty() || rate < 1000 {
        let what = format!("a sound to measure wants samples at 1000 Hz or more, found {} at {rate} Hz", samples.len());
        return Err(Error::new(ErrorKind::Input, what));
    }
    if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
        return Err(Error::new(ErrorKind::Input, format!("sample {at} of the sound is no number")));
    }
    let offset = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / samples.len() as f64;
    let power =
        |part: &[f32]| part.iter().map(|&sample| (f64::from(sample) - offset).powi(2)).sum::<f64>() / part.len() as f64;
    let block = ((rate / BLOCKS) as usize).min(samples.len());
    let blocks = samples.chunks_exact(block);
    let count = blocks.len();
    let silent = blocks.clone().filter(|block| block.iter().all(|sample| *sample == block[0])).count();
    let mut powers: Vec<f64> = blocks.map(power).collect();
    let tenth = (count - 1) / 10;
    let floor = *powers.select_nth_unstable_by(tenth, f64::total_cmp).1;
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    let (dropouts, dropped) = dropouts(samples, rate);
    Ok(Hearing {
        rms_dbfs: rms_dbfs(power(samples)),
        peak_dbfs: (20.0 * f64::from(peak).log10()).max(LOWEST),
        floor_dbfs: rms_dbfs(floor),
        clipped: clipped(samples) as f64 / samples.len() as f64,
        silent: silent as f64 / count as f64,
        dropouts,
        dropped: dropped as f64 / samples.len() as f64,
        offset,
        hum: hum(samples, rate, offset),
    })
}

/// Level of everything but the offset, in dBFS; the lowest of no sample.
pub fn level_dbfs(samples: impl Iterator<Item = f64> + Clone) -> f64 {
    let (count, sum) = samples.clone().fold((0usize, 0.0), |(count, sum), sample| (count + 1, sum + sample));
    let count = count.max(1) as f64;
    rms_dbfs(samples.map(|sample| (sample - sum / count).powi(2)).sum::<f64>() / count)
}

/// A mean square as AES17 has it: that of a sine of full scale, a half, is 0 dBFS.
fn rms_dbfs(power: f64) -> f64 {
    (10.0 * (2.0 * power).log10()).max(LOWEST)
}

fn clipped(samples: &[f32]) -> usize {
    let (mut clipped, mut run) = (0, 0);
    for sample in samples {
        run = if sample.abs() >= FULL { run + 1 } else { 0 };
        clipped += match run.cmp(&CLIPPED_RUN) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => CLIPPED_RUN,
            std::cmp::Ordering::Greater => 1,
        };
    }
    clipped
}

/// How often the sound drops out, and the samples of all dropouts together.
///
/// Beside a dropout the sound is live for as long as the shortest one lasts; at an end of the samples, where there is
/// less to see, the other side decides. What stands still at full scale is clipped.
fn dropouts(samples: &[f32], rate: u32) -> (usize, usize) {
    let least = (rate / DROPOUTS) as usize;
    let steps = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| *step > 0.0);
    let step = steps.fold(f32::INFINITY, f32::min);
    let live = |side: &[f32]| {
        let (low, high) = side.iter().fold((f32::MAX, f32::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
        high - low >= LIVE * step
    };
    let (mut count, mut total, mut start) = (0, 0, 0);
    for run in samples.chunk_by(|a, b| a == b) {
        let end = start + run.len();
        if run.len() >= least && run[0].abs() < FULL {
            let before = start.checked_sub(least).map(|from| live(&samples[from..start]));
            let after = samples.get(end..end + least).map(live);
            if [before, after].contains(&Some(true)) && ![before, after].contains(&Some(false)) {
                count += 1;
                total += run.len();
            }
        }
        start = end;
    }
    (count, total)
}

/// The stronger of 50 and 60 Hz that stands out.
fn hum(samples: &[f32], rate: u32, offset: f64) -> Option<Hum> {
    let spectrum = spectrum(samples, rate, offset)?;
    // Without the lowest bins, which hold what slowly wanders.
    let all: f64 = spectrum.iter().skip(5).sum();
    let found = [50, 60].into_iter().filter_map(|hz| {
        let (mut power, mut harmonics) = (0.0, 0);
        for harmonic in 1..=HARMONICS {
            let (own, floor) = peak(&spectrum, hz as usize * harmonic)?;
            if own > 0.0 && own >= STANDS_OUT * floor {
                harmonics += 1;
                power += own - floor;
            }
        }
        (harmonics >= LEAST_HARMONICS).then(|| {
            let rest = (all - power).max(f64::MIN_POSITIVE);
            Hum { hz, dbfs: rms_dbfs(power), above_rest_db: 10.0 * (power / rest).log10(), harmonics }
        })
    });
    found.filter(|hum| hum.above_rest_db >= LEAST_HUM).max_by(|a, b| a.dbfs.total_cmp(&b.dbfs))
}

/// The power of the five bins around `bin`, for the mains wanders, and that of five bins of its neighbourhood.
fn peak(spectrum: &[f64], bin: usize) -> Option<(f64, f64)> {
    let own = spectrum.get(bin - 2..=bin + 2)?;
    let mut near: Vec<f64> = [spectrum.get(bin - 10..bin - 3)?, spectrum.get(bin + 4..bin + 11)?].concat();
    let middle = near.len() / 2;
    let median = *near.select_nth_unstable_by(middle, f64::total_cmp).1;
    Some((own.iter().sum(), 5.0 * median))
}

/// Power for each hertz, the mean over windows (Hann) of a second, each half over the last (Welch). The sum over all is
/// the mean square. `None` of less than a second.
fn spectrum(samples: &[f32], rate: u32, offset: f64) -> Option<Vec<f64>> {
    let size = rate as usize;
    if samples.len() < size {
        return None;
    }
    let window: Vec<f64> = (0..size).map(|i| 0.5 - 0.5 * (TAU * i as f64 / size as f64).cos()).collect();
    let weight: f64 = window.iter().map(|w| w * w).sum::<f64>() * size as f64;
    let transform = fourier::forward(size);
    let mut spectrum = vec![0.0; size / 2];
    let starts: Vec<usize> = (0..=samples.len() - size).step_by((size / 2).max(1)).collect();
    for &start in &starts {
        let part = samples[start..start + size].iter().zip(&window);
        let mut values: Vec<Complex<f64>> =
            part.map(|(&sample, w)| Complex::new((f64::from(sample) - offset) * w, 0.0)).collect();
        transform.process(&mut values);
        for (power, value) in spectrum.iter_mut().zip(&values) {
            *power += 2.0 * value.norm_sqr() / weight / starts.len() as f64;
        }
    }
    Some(spectrum)
}

impl Hearing {
    /// What is amiss and what mends it, a sentence each; empty where all is well.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        if self.silent > 0.99 {
            advice.push(
                "there is no sound at all: unmute the microphone, look to its plug, its switch and its power".into(),
            );
            return advice;
        }
        if self.silent > 0.01 {
            let share = 100.0 * self.silent;
            advice.push(format!(
                "{share:.1} % of the time there is no sound at all: a loose plug, or noise suppression to switch off"
            ));
        } else if self.dropouts > 0 {
            let (dropouts, share) = (self.dropouts, 100.0 * self.dropped);
            advice.push(format!(
                "the sound drops out, {dropouts} times and {share:.2} % of the time: look to its plug and its port, and take load off this machine"
            ));
        }
        if self.clipped > 1e-5 {
            let share = 100.0 * self.clipped;
            advice.push(format!(
                "{share:.3} % of the samples are clipped: turn the gain down until the peak stays under -6 dBFS"
            ));
        }
        if self.peak_dbfs < -50.0 {
            let peak = self.peak_dbfs;
            advice
                .push(format!("it is very quiet, with a peak of {peak:.0} dBFS: turn the gain up or bring it nearer"));
        }
        if self.offset.abs() > 0.01 {
            let share = 100.0 * self.offset;
            advice.push(format!(
                "the samples lie {share:.1} % of full scale beside zero: switch on the high-pass, or change the card"
            ));
        }
        if let Some(hum) = self.hum.as_ref().filter(|hum| hum.dbfs > -70.0 && hum.above_rest_db > -10.0) {
            let Hum { hz, dbfs, .. } = hum;
            advice.push(format!("the mains hums ({hz} Hz, {dbfs:.0} dBFS): use a balanced or shorter cable, away from motors and mains leads"));
        }
        if self.floor_dbfs > -30.0 {
            let floor = self.floor_dbfs;
            advice.push(format!(
                "it is never quieter than {floor:.0} dBFS: bring it nearer to the part, or shield it from the hall"
            ));
        }
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn sine(hz: f64, amplitude: f64, seconds: f64) -> Vec<f32> {
        (0..(seconds * f64::from(RATE)) as u32)
            .map(|i| (amplitude * (TAU * hz * f64::from(i) / f64::from(RATE)).sin()) as f32)
            .collect()
    }

    /// Even noise up to `amplitude`; its power is a third of the square.
    fn noise(amplitude: f32, seconds: f64) -> Vec<f32> {
        let mut state = 1u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..(seconds * f64::from(RATE)) as usize).map(|_| amplitude * draw()).collect()
    }

    fn sum(parts: &[Vec<f32>]) -> Vec<f32> {
        (0..parts[0].len()).map(|i| parts.iter().map(|part| part[i]).sum()).collect()
    }

    fn near(found: f64, expected: f64, by: f64) {
        assert!((found - expected).abs() <= by, "{found}, not {expected}");
    }

    #[test]
    fn levels_are_those_of_aes17() {
        let hearing = measure(&sine(997.0, 1.0, 2.0), RATE).unwrap();
        near(hearing.rms_dbfs, 0.0, 0.01);
        near(hearing.peak_dbfs, 0.0, 0.01);
        let hearing = measure(&sine(997.0, 0.01, 2.0), RATE).unwrap();
        near(hearing.rms_dbfs, -40.0, 0.01);
        near(hearing.floor_dbfs, -40.0, 0.1);
        assert_eq!((hearing.clipped, hearing.silent, &hearing.hum), (0.0, 0.0, &None));
        near(hearing.offset, 0.0, 1e-6);
    }

    #[test]
    fn the_floor_is_that_of_the_quiet_stretches() {
        let mut samples = noise(0.001, 3.0);
        samples[48_000..72_000].copy_from_slice(&sine(800.0, 0.5, 0.5));
        let hearing = measure(&samples, RATE).unwrap();
        near(hearing.floor_dbfs, 10.0 * (2.0f64 * 1e-6 / 3.0).log10(), 0.5);
        near(hearing.peak_dbfs, -6.02, 0.01);
        assert_eq!(hearing.advice(), Vec::<String>::new());
    }

    #[test]
    fn clipping_silence_and_offset_are_told() {
        let clipped: Vec<f32> = sine(440.0, 2.0, 1.0).iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
        let hearing = measure(&clipped, RATE).unwrap();
        near(hearing.clipped, 2.0 / 3.0, 0.01);
        assert!(hearing.advice().iter().any(|line| line.contains("turn the gain down")), "{:?}", hearing.advice());

        for value in [0.0, 0.25] {
            let hearing = measure(&vec![value; 48_000], RATE).unwrap();
            assert_eq!((hearing.silent, hearing.rms_dbfs), (1.0, LOWEST));
            assert!(hearing.advice()[0].contains("unmute"), "{:?}", hearing.advice());
        }

        let shifted: Vec<f32> = noise(0.1, 2.0).iter().map(|sample| sample + 0.05).collect();
        let hearing = measure(&shifted, RATE).unwrap();
        near(hearing.offset, 0.05, 0.001);
        assert!(hearing.advice()[0].contains("5.0 % of full scale beside zero"), "{:?}", hearing.advice());
        assert!(measure(&noise(0.001, 1.0), RATE).unwrap().advice()[0].contains("very quiet"));
        assert!(measure(&noise(0.5, 1.0), RATE).unwrap().advice()[0].contains("never quieter"));
    }

    #[test]
    fn holes_in_live_sound_are_dropouts() {
        let live = noise(0.03, 2.0);
        let of = |samples: &[f32]| {
            let hearing = measure(samples, RATE).unwrap();
            (hearing.dropouts, (hearing.dropped * samples.len() as f64).round() as usize, hearing.advice())
        };
        assert_eq!(of(&live), (0, 0, vec![]));
        // 5 ms at zero, and 10 ms at the last value; 239 samples are not 5 ms.
        let mut holes = live.clone();
        holes[10_000..10_240].fill(0.0);
        holes[50_000..50_480].fill(live[49_999]);
        holes[70_000..70_239].fill(0.0);
        let (count, samples, advice) = of(&holes);
        assert_eq!((count, samples), (2, 240 + 481));
        assert!(advice[0].starts_with("the sound drops out, 2 times and 0.75 % of the time"), "{advice:?}");
        // At both ends.
        let mut ends = live.clone();
        ends[..480].fill(0.0);
        ends[95_520..].fill(0.0);
        assert_eq!(of(&ends).1, 960);
        // Of a hole that is seen as silence, one sentence is enough.
        let mut silent = live.clone();
        silent[30_000..40_000].fill(0.0);
        let (count, samples, advice) = of(&silent);
        assert_eq!((count, samples, advice.len()), (1, 10_000, 1));
        assert!(advice[0].contains("there is no sound at all"), "{advice:?}");
        // No sound at all, clipping, and a quiet room in whole steps of 16 bits are something else.
        assert_eq!(of(&[0.0; 48_000]).0, 0);
        let square: Vec<f32> = sine(40.0, 100.0, 1.0).iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
        assert_eq!(of(&square).0, 0);
        let room: Vec<f32> = noise(0.5001, 1.0).iter().map(|steps| steps.round() / 32_768.0).collect();
        assert!(room.chunk_by(|a, b| a == b).any(|run| run.len() > 240));
        assert_eq!(of(&room).0, 0);
    }

    #[test]
    fn hum_is_found_by_its_harmonics_and_a_tone_is_none() {
        for hz in [50, 60] {
            // 0.1 Hz off, as the mains may be.
            let mains = f64::from(hz) + 0.1;
            let hum: Vec<_> = (1..=5).map(|h| sine(mains * f64::from(h), 0.02 / f64::from(h), 4.0)).collect();
            let hearing = measure(&sum(&[&hum[..], &[noise(0.01, 4.0)]].concat()), RATE).unwrap();
            let found = hearing.hum.clone().unwrap();
            assert_eq!((found.hz, found.harmonics), (hz, 5));
            let power: f64 = (1..=5).map(|h| (0.02 / f64::from(h)).powi(2) / 2.0).sum();
            near(found.dbfs, 10.0 * (2.0 * power).log10(), 0.3);
            near(found.above_rest_db, 10.0 * (power / (1e-4 / 3.0)).log10(), 0.5);
            assert!(hearing.advice()[0].contains(&format!("the mains hums ({hz} Hz")), "{:?}", hearing.advice());
        }
        let tone = sum(&[sine(100.0, 0.1, 3.0), noise(0.01, 3.0)]);
        assert_eq!(measure(&tone, RATE).unwrap().hum, None);
        let clipped: Vec<f32> = sine(997.0, 2.0, 2.0).iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
        let rounded: Vec<f32> = clipped.iter().map(|sample| (sample * 32_767.0).trunc() / 32_768.0).collect();
        assert_eq!(measure(&rounded, RATE).unwrap().hum, None);
        assert_eq!(measure(&noise(0.1, 3.0), RATE).unwrap().hum, None);
        assert_eq!(measure(&noise(0.1, 0.5), RATE).unwrap().hum, None);
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        assert_eq!(measure(&[], RATE).unwrap_err().kind(), ErrorKind::Input);
        assert_eq!(measure(&[0.0], 999).unwrap_err().kind(), ErrorKind::Input);
        assert_eq!(measure(&[0.0, f32::NAN], RATE).unwrap_err().message(), "sample 1 of the sound is no number");
        for length in 1..10 {
            measure(&vec![0.5; length], 1000).unwrap();
        }
    }
}
