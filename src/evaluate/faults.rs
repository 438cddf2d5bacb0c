//! Faults mixed into good sounds, so that hearing can be measured where nobody has recorded a fault. Drawn by a seed:
//! the same fault on every machine. Reading sounds and judging them is left to the caller.
//!
//! What loudness means: the fault's level is its root mean square over its active part, the samples between which the
//! middle 90 % of its energy lie; the sound's is that over the whole sound, without its mean. At a ratio of 0 dB both are
//! equal. So a knock of 20 ms at 0 dB is as loud as the machine for 20 ms, and adds little to the sound as a whole.

use std::f64::consts::TAU;

use crate::error::{Error, ErrorKind, Result};
use crate::random::Random;
use crate::sample::Sound;

/// What is mixed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// One to three blows, each three damped modes between 300 and 7800 Hz that die in 3 to 40 ms.
    Knock,
    /// A tone between 200 and 7000 Hz that wavers by a few hertz, for 10 to 40 % of the time.
    Tone,
    /// A tone between 200 and 7000 Hz that wavers by a hertz, all the time.
    Hum,
    /// Noise in a band, swelling five to thirty times a second, for 10 to 40 % of the time.
    Rub,
    /// Steady noise in a band of a third to one octave, for 20 to 60 % of the time.
    Noise,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Knock, Self::Tone, Self::Hum, Self::Rub, Self::Noise];

    /// The word on the command line and in figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Knock => "knock",
            Self::Tone => "tone",
            Self::Hum => "hum",
            Self::Rub => "rub",
            Self::Noise => "noise",
        }
    }
}

impl std::str::FromStr for FaultKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        known.ok_or_else(|| format!("wants knock, tone, hum, rub or noise, got `{word}`"))
    }
}

/// A fault to be mixed in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// Which.
    pub kind: FaultKind,
    /// Decibels by which it is louder than the sound: see above.
    pub snr_db: f64,
    /// What it is drawn by.
    pub seed: u64,
}

/// The sound with the fault in it, in all channels alike. Not clipped: samples may leave -1 to 1.
///
/// # Errors
/// [`ErrorKind::Input`] when the sound is shorter than half a second or silent.
pub fn inject(sound: &Sound, fault: Fault) -> Result<Sound> {
    let (rate, channels, length) = (f64::from(sound.rate()), sound.channels(), sound.len());
    if length < sound.rate() as usize / 2 {
        let what = format!("a fault wants half a second to be mixed into, found {:.3} s", length as f64 / rate);
        return Err(Error::new(ErrorKind::Input, what));
    }
    let samples = sound.samples();
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / samples.len() as f64;
    let power = samples.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / samples.len() as f64;
    if power == 0.0 {
        return Err(Error::new(ErrorKind::Input, "no fault can be mixed into silence at a ratio to it"));
    }
    let mut random = Random::new(fault.seed);
    let added = match fault.kind {
        FaultKind::Knock => knock(&mut random, rate, length),
        FaultKind::Tone => tone(&mut random, rate, length),
        FaultKind::Hum => hum(&mut random, rate, length),
        FaultKind::Rub => rub(&mut random, rate, length),
        FaultKind::Noise => noise(&mut random, rate, length),
    };
    let gain = power.sqrt() * 10f64.powf(fault.snr_db / 20.0) / active_level(&added).max(f64::MIN_POSITIVE);
    let mixed = samples.iter().enumerate().map(|(i, &x)| x + (gain * added[i / channels]) as f32);
    let mut with = Sound::new(mixed.collect::<Vec<f32>>(), sound.rate(), channels)?;
    (with.stamp, with.position) = (sound.stamp, sound.position);
    Ok(with)
}

/// Root mean square between the samples at which 5 % and 95 % of the energy have passed.
fn active_level(samples: &[f64]) -> f64 {
    let energy: f64 = samples.iter().map(|x| x * x).sum();
    let mut passed = 0.0;
    let (mut count, mut inside) = (0usize, 0.0);
    for x in samples {
        passed += x * x;
        if (0.05 * energy..=0.95 * energy).contains(&passed) {
            count += 1;
            inside += x * x;
        }
    }
    (inside / count.max(1) as f64).sqrt()
}

/// 0 to 1 and back within `edge` seconds of a part that is `share` = [least, most] of the whole, anywhere in it.
fn gate(random: &mut Random, rate: f64, length: usize, share: [f64; 2], edge: f64) -> impl Fn(usize) -> f64 + use<> {
    let whole = length as f64 / rate;
    let lasts = whole * random.between(share[0], share[1]);
    let begins = random.between(0.0, whole - lasts);
    move |i| {
        let time = i as f64 / rate;
        ((time - begins).min(begins + lasts - time) / edge).clamp(0.0, 1.0)
    }
}

fn knock(random: &mut Random, rate: f64, length: usize) -> Vec<f64> {
    let mut added = vec![0.0; length];
    for _ in 0..1 + random.below(3) {
        let (begins, first) = (random.below(length - length / 8), random.between(300.0, 5000.0));
        let dies = random.between(0.004, 0.03);
        let ratios = [1.0, random.between(1.4, 1.8), random.between(2.1, 2.8)];
        for ratio in ratios.into_iter().filter(|ratio| first * ratio < (0.49 * rate).min(7800.0)) {
            let (level, own, phase) =
                (random.between(0.3, 1.0), dies * random.between(0.7, 1.3), random.between(0.0, TAU));
            let ring = added[begins..].iter_mut().take((10.0 * own * rate) as usize).enumerate();
            ring.for_each(|(i, x)| {
                let time = i as f64 / rate;
                *x += level * (-time / own).exp() * (TAU * first * ratio * time + phase).sin();
            });
        }
    }
    added
}

fn tone(random: &mut Random, rate: f64, length: usize) -> Vec<f64> {
    let gate = gate(random, rate, length, [0.1, 0.4], 0.05);
    let (hz, wavers) = (random.between(200.0, (0.45 * rate).min(7000.0)), random.between(0.5, 4.0));
    let at = |i: usize| TAU * hz * i as f64 / rate + 3.0 * (TAU * wavers * i as f64 / rate).sin();
    (0..length).map(|i| gate(i) * at(i).sin()).collect()
}

fn hum(random: &mut Random, rate: f64, length: usize) -> Vec<f64> {
    let (hz, wavers) = (random.between(200.0, (0.45 * rate).min(7000.0)), random.between(0.3, 2.0));
    let at = |i: usize| TAU * hz * i as f64 / rate + 0.5 * (TAU * wavers * i as f64 / rate).sin();
    (0..length).map(|i| at(i).sin()).collect()
}

fn rub(random: &mut Random, rate: f64, length: usize) -> Vec<f64> {
    let gate = gate(random, rate, length, [0.1, 0.4], 0.05);
    let (times, middle, octaves) = (random.between(5.0, 30.0), random.between(800.0, 5000.0), random.between(0.5, 1.2));
    let band = band(random, rate, length, middle, octaves);
    let swell = |i: usize| (TAU * times * i as f64 / rate).sin().max(0.0).powi(4);
    band.into_iter().enumerate().map(|(i, x)| gate(i) * swell(i) * x).collect()
}

fn noise(random: &mut Random, rate: f64, length: usize) -> Vec<f64> {
    let gate = gate(random, rate, length, [0.2, 0.6], 0.1);
    let (middle, octaves) = (random.between(500.0, 6000.0), random.between(0.33, 1.0));
    let band = band(random, rate, length, middle, octaves);
    band.into_iter().enumerate().map(|(i, x)| gate(i) * x).collect()
}

/// Noise in a band: white noise through two band-passes of the second order in a row (Audio EQ Cookbook,
/// Bristow-Johnson).
pub(super) fn band(random: &mut Random, rate: f64, length: usize, middle: f64, octaves: f64) -> Vec<f64> {
    let omega = TAU * middle.min(0.45 * rate) / rate;
    let alpha = omega.sin() * (std::f64::consts::LN_2 / 2.0 * octaves * omega / omega.sin()).sinh();
    let (b0, a0) = (alpha / (1.0 + alpha), 1.0 + alpha);
    let (a1, a2) = (-2.0 * omega.cos() / a0, (1.0 - alpha) / a0);
    let mut samples: Vec<f64> = (0..length).map(|_| random.normal()).collect();
    for _ in 0..2 {
        let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
        for x in &mut samples {
            let y = b0 * (*x - x2) - a1 * y1 - a2 * y2;
            (x2, x1, y2, y1) = (x1, *x, y1, y);
            *x = y;
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hum() -> Sound {
        let samples: Vec<f32> = (0..32_000).map(|i| 0.1 * (i as f32 * 0.05).sin()).collect();
        Sound::new(samples, 16_000, 1).unwrap()
    }

    #[test]
    fn a_fault_is_as_loud_as_asked_and_the_same_for_a_seed() {
        for kind in FaultKind::ALL {
            for snr_db in [6.0, -12.0] {
                let fault = Fault { kind, snr_db, seed: 5 };
                let with = inject(&hum(), fault).unwrap();
                let added: Vec<f64> =
                    with.samples().iter().zip(hum().samples()).map(|(a, b)| f64::from(a - b)).collect();
                let level = 20.0 * (active_level(&added) / (0.1 / 2f64.sqrt())).log10();
                assert!((level - snr_db).abs() < 0.1, "{kind:?}: {level} for {snr_db}");
                assert_eq!(inject(&hum(), fault).unwrap().samples(), with.samples());
                let other = inject(&hum(), Fault { seed: 6, ..fault }).unwrap();
                assert_ne!(other.samples(), with.samples());
            }
        }
    }

    #[test]
    fn all_channels_hear_it_and_what_has_no_room_for_it_is_refused() {
        let fault = Fault { kind: FaultKind::Knock, snr_db: 0.0, seed: 1 };
        let stereo: Vec<f32> = hum().samples().iter().flat_map(|&x| [x, -x]).collect();
        let with = inject(&Sound::new(stereo.clone(), 16_000, 2).unwrap(), fault).unwrap();
        for (with, without) in with.samples().chunks(2).zip(stereo.chunks(2)) {
            assert!((with[0] - without[0] - (with[1] - without[1])).abs() < 1e-6);
        }
        let short = Sound::new(vec![0.1; 100], 16_000, 1).unwrap();
        assert!(inject(&short, fault).unwrap_err().message().contains("found 0.006 s"));
        let silent = Sound::new(vec![0.25; 16_000], 16_000, 1).unwrap();
        assert!(inject(&silent, fault).is_err());
    }
}
