//! Machines that nobody recorded: sounds made from what is known of how machines run and break, for evaluation where real
//! ones with real faults are few. Drawn by a seed, the same on every machine. Judging them is left to the caller.
//!
//! A machine is a shaft whose turns carry tones (blades, teeth, slots) and noise that swells with them. Its speed differs
//! by up to 1 % from sound to sound and wanders by 0.3 % within one, its load by 1.5 dB and 10 %. It stands in a room of
//! its own: sixty reflections within 150 ms that die by a neper in 50 ms. Around it is a factory, another in each sound:
//! noise that falls with frequency, hums of other machines, and up to three clatters.
//!
//! What a decibel means: the ratio of the machine's root mean square to the factory's, both over the whole sound. A flaw
//! is 12 to 0 dB under the machine, over the whole sound too, whatever the factory does; an imbalance lifts the tone of
//! the shaft by 6 to 12 dB. None of this was chosen by what eyear makes of it.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::path::PathBuf;

use super::dataset::{Dataset, GOOD, Sample};
use super::faults::band;
use crate::error::Result;
use crate::prepare::bearing::Bearing;
use crate::random::Random;
use crate::sample::Sound;

/// Samples in a second.
pub const RATE: u32 = 16_000;
/// How long a sound lasts, in samples: 2 s.
const LENGTH: usize = 32_000;
/// What is made before, so that the room is filled when the sound begins.
const BEFORE: usize = 4_000;
/// Good sounds that are taught and that are judged, and sounds of each flaw.
const COUNTS: [usize; 3] = [40, 20, 10];
/// Root mean square of the machine.
const LEVEL: f64 = 0.05;

/// A kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// Seven blades at 24 turns a second.
    Fan,
    /// Six vanes at 48.5 turns a second.
    Pump,
    /// Thirty-two teeth at 15 turns a second.
    Gearbox,
    /// A bearing on its bench, at 30 turns a second.
    Spindle,
    /// Two poles at 49.2 turns a second, on mains of 50 Hz.
    Motor,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// The tone of the shaft is 6 to 12 dB louder.
    Imbalance,
    /// A blow that rings at some kHz at each pass of a ball (BPFO), with 1 % of slip.
    OuterRace,
    /// The same at BPFI, loud once a turn where the load is.
    InnerRace,
    /// A blow once a turn.
    Tooth,
    /// Noise in a band for a part of each turn.
    Rub,
    /// Bubbles that burst: 150 short clicks a second of any size, at random.
    Cavitation,
}

impl Flaw {
    /// The word in figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imbalance => "imbalance",
            Self::OuterRace => "outer race",
            Self::InnerRace => "inner race",
            Self::Tooth => "tooth",
            Self::Rub => "rub",
            Self::Cavitation => "cavitation",
        }
    }
}

/// How a machine sounds.
struct Build {
    shaft_hz: f64,
    /// Tones as multiples of the shaft's turns, with their amplitudes.
    tones: &'static [(f64, f64)],
    /// Noise: its middle in Hz, its width in octaves, its level, and the multiple at which it swells.
    noise: (f64, f64, f64, f64),
    /// Where blows ring, in Hz.
    rings_hz: f64,
    flaws: &'static [Flaw],
}

impl Machine {
    /// Every machine.
    pub const ALL: [Self; 5] = [Self::Fan, Self::Pump, Self::Gearbox, Self::Spindle, Self::Motor];

    /// The word in figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fan => "fan",
            Self::Pump => "pump",
            Self::Gearbox => "gearbox",
            Self::Spindle => "spindle",
            Self::Motor => "motor",
        }
    }

    fn build(self) -> Build {
        use Flaw::{Cavitation, Imbalance, InnerRace, OuterRace, Rub, Tooth};
        match self {
            Self::Fan => Build {
                shaft_hz: 24.0,
                tones: &[(1.0, 0.3), (2.0, 0.15), (7.0, 0.6), (14.0, 0.35), (21.0, 0.2), (28.0, 0.1)],
                noise: (900.0, 3.0, 1.0, 7.0),
                rings_hz: 3100.0,
                flaws: &[Imbalance, OuterRace, Rub],
            },
            Self::Pump => Build {
                shaft_hz: 48.5,
                tones: &[(1.0, 0.3), (2.0, 0.2), (6.0, 0.7), (12.0, 0.4), (18.0, 0.2), (24.0, 0.1)],
                noise: (1500.0, 2.5, 0.7, 6.0),
                rings_hz: 2600.0,
                flaws: &[Imbalance, OuterRace, Cavitation],
            },
            Self::Gearbox => Build {
                shaft_hz: 15.0,
                // Meshing at 480 Hz with the sidebands that any gear has.
                tones: &[
                    (1.0, 0.2),
                    (32.0, 0.8),
                    (31.0, 0.1),
                    (33.0, 0.1),
                    (64.0, 0.5),
                    (63.0, 0.08),
                    (96.0, 0.3),
                    (128.0, 0.15),
                ],
                noise: (1200.0, 2.0, 0.4, 1.0),
                rings_hz: 3400.0,
                flaws: &[Imbalance, OuterRace, Tooth],
            },
            Self::Spindle => Build {
                shaft_hz: 30.0,
                tones: &[(1.0, 0.25), (2.0, 0.1), (3.0, 0.05)],
                noise: (2000.0, 3.0, 0.5, 1.0),
                rings_hz: 2900.0,
                flaws: &[OuterRace, InnerRace, Rub],
            },
            Self::Motor => Build {
                shaft_hz: 49.2,
                // The slots' tone, and twice the mains.
                tones: &[
                    (1.0, 0.3),
                    (2.0, 0.1),
                    (28.0, 0.25),
                    (100.0 / 49.2, 0.6),
                    (200.0 / 49.2, 0.3),
                    (400.0 / 49.2, 0.1),
                ],
                noise: (1000.0, 2.5, 0.4, 1.0),
                rings_hz: 5200.0,
                flaws: &[Imbalance, OuterRace, Rub],
            },
        }
    }

    /// Its bearing, at the speed that it has in the mean.
    pub fn bearing(self) -> Bearing {
        let shaft_hz = Some(self.build().shaft_hz);
        Bearing { shaft_hz, rpm: None, balls: 9, ball_mm: 7.94, pitch_mm: 39.04, contact_deg: 0.0 }
    }

    /// What may break.
    pub fn flaws(self) -> &'static [Flaw] {
        self.build().flaws
    }

    /// A sound of it, good or with a flaw, as many decibels above the factory as are asked for.
    ///
    /// # Errors
    /// None that such sounds could give.
    pub fn sound(self, flaw: Option<Flaw>, snr_db: f64, seed: u64) -> Result<Sound> {
        let [machine, factory] = self.parts(flaw, snr_db, seed);
        let both = machine.iter().zip(&factory).map(|(a, b)| (a + b) as f32);
        Sound::new(both.collect::<Vec<f32>>(), RATE, 1)
    }

    /// The machine in its room, and the factory at its level.
    fn parts(self, flaw: Option<Flaw>, snr_db: f64, seed: u64) -> [Vec<f64>; 2] {
        let mut random = Random::new(seed);
        let build = self.build();
        let run = Run::new(&mut random, build.shaft_hz);
        let mut good = run.tones(build.tones);
        let (middle, octaves, level, times) = build.noise;
        let noise = scaled(band(&mut random, f64::from(RATE), run.turns.len(), middle, octaves), level);
        for ((x, noise), turns) in good.iter_mut().zip(noise).zip(&run.turns) {
            *x += noise * (1.0 + 0.3 * (TAU * turns * times).cos());
        }
        good.iter_mut().zip(&run.load).for_each(|(x, load)| *x *= load);
        let under = rms(&good);
        // Drawn in any case, so that a sound differs from the good one of its seed in the flaw alone.
        let level = under * 10f64.powf(random.between(-12.0, 0.0) / 20.0);
        let lift = 10f64.powf(random.between(6.0, 12.0) / 20.0) - 1.0;
        let mut of_factory = Random::new(random.bits());
        let mut of_flaw = Random::new(random.bits());
        let added = match flaw {
            None => Vec::new(),
            Some(Flaw::Imbalance) => {
                let first =
                    build.tones.iter().find(|(times, _)| *times == 1.0).map_or(0.1, |(_, amplitude)| *amplitude);
                run.tones(&[(1.0, lift * first)])
            }
            Some(flaw) => scaled(self.broken(flaw, &run, &mut of_flaw), level),
        };
        // The flaw makes the machine louder, and the factory no quieter.
        let gain = LEVEL / rms(&self.in_room(&good));
        good.iter_mut().zip(added).for_each(|(x, added)| *x += added);
        let machine = self.in_room(&good).into_iter().map(|x| gain * x).collect::<Vec<f64>>();
        let factory = scaled(factory(&mut of_factory), LEVEL * 10f64.powf(-snr_db / 20.0));
        [machine, factory]
    }

    fn broken(self, flaw: Flaw, run: &Run, random: &mut Random) -> Vec<f64> {
        let (build, rates) = (self.build(), self.bearing().rates());
        let length = run.turns.len();
        match flaw {
            Flaw::Imbalance => vec![0.0; length],
            Flaw::OuterRace => run.blows(random, rates.bpfo / rates.shaft, 0.01, [build.rings_hz, 0.0012], |_| 1.0),
            Flaw::InnerRace => run.blows(random, rates.bpfi / rates.shaft, 0.01, [build.rings_hz, 0.0012], |turns| {
                0.5 + 0.5 * (TAU * turns).cos()
            }),
            Flaw::Tooth => run.blows(random, 1.0, 0.0, [0.5 * build.rings_hz, 0.004], |_| 1.0),
            Flaw::Rub => {
                let noise = band(random, f64::from(RATE), length, 2500.0, 1.0);
                let swell = |turns: f64| (TAU * turns).sin().max(0.0).powi(4);
                noise.iter().zip(&run.turns).map(|(noise, turns)| noise * swell(*turns)).collect()
            }
            Flaw::Cavitation => {
                let mut added = vec![0.0; length];
                for _ in 0..150 * length / RATE as usize {
                    let (begins, size) = (random.below(length), random.between(0.0, 1.0).powi(3));
                    let hz = random.between(2500.0, 7500.0);
                    ring(&mut added[begins..], size, hz, 0.0006);
                }
                added
            }
        }
    }

    /// The sound as the room gives it back, without what was made before it.
    fn in_room(self, dry: &[f64]) -> Vec<f64> {
        let mut random = Random::new(0x0e00 + self as u64);
        let mut wet = dry[BEFORE..].to_vec();
        for _ in 0..60 {
            let late = random.between(0.002, 0.15);
            let (level, late) = (0.3 * random.normal() * (-late / 0.05).exp(), (late * f64::from(RATE)) as usize);
            wet.iter_mut().zip(&dry[BEFORE - late..]).for_each(|(wet, dry)| *wet += level * dry);
        }
        wet
    }

    /// A set of its sounds at a ratio to the factory, and these by their names: 40 good ones to teach from, 20 to judge, and
    /// 10 of each flaw. The sounds of a seed differ between ratios by the factory's level alone.
    ///
    /// # Errors
    /// As [`Machine::sound`].
    pub fn set(self, snr_db: f64, seed: u64) -> Result<(Dataset, BTreeMap<PathBuf, Sound>)> {
        let name = format!("{} at {snr_db:+} dB", self.as_str());
        let mut drawn = Random::new(seed.wrapping_add((self as u64) << 32));
        let (mut train_good, mut test, mut sounds) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut make = |folder: String, flaw: Option<Flaw>, count: usize| -> Result<Vec<PathBuf>> {
            let paths = (0..count).map(|i| PathBuf::from(format!("{name}/{folder}/{i:02}.wav")));
            let made = paths.map(|path| {
                sounds.insert(path.clone(), self.sound(flaw, snr_db, drawn.bits())?);
                Ok(path)
            });
            made.collect()
        };
        let [taught, judged, broken] = COUNTS;
        train_good.extend(make("train/good".into(), None, taught)?);
        for flaw in std::iter::once(None).chain(self.flaws().iter().copied().map(Some)) {
            let (kind, count) = flaw.map_or((GOOD, judged), |flaw| (flaw.as_str(), broken));
            let paths = make(format!("test/{kind}"), flaw, count)?;
            let sample = |path| Sample { path, kind: kind.to_owned(), is_bad: flaw.is_some(), fault: None, mask: None };
            test.extend(paths.into_iter().map(sample));
        }
        Ok((Dataset { name, train_good, test }, sounds))
    }
}

/// How one sound's shaft turns.
struct Run {
    /// Turns since the beginning, at each sample.
    turns: Vec<f64>,
    /// Amplitude that the load gives, at each sample.
    load: Vec<f64>,
}

impl Run {
    fn new(random: &mut Random, shaft_hz: f64) -> Self {
        let hz = shaft_hz * random.between(0.99, 1.01);
        let load = 10f64.powf(random.between(-1.5, 1.5) / 20.0);
        let [wanders, strains] = [random.between(0.1, 0.5), random.between(0.1, 0.5)];
        let [phase, other] = [random.between(0.0, TAU), random.between(0.0, TAU)];
        let mut at = random.between(0.0, 1.0);
        let time = |i: usize| i as f64 / f64::from(RATE);
        let turns = (0..BEFORE + LENGTH).map(|i| {
            at += hz * (1.0 + 0.003 * (TAU * wanders * time(i) + phase).sin()) / f64::from(RATE);
            at
        });
        let load = (0..BEFORE + LENGTH).map(|i| load * (1.0 + 0.1 * (TAU * strains * time(i) + other).sin()));
        Self { turns: turns.collect(), load: load.collect() }
    }

    fn tones(&self, tones: &[(f64, f64)]) -> Vec<f64> {
        let at = |turns: &f64| tones.iter().map(|(times, amplitude)| amplitude * (TAU * times * turns).sin()).sum();
        self.turns.iter().map(at).collect()
    }

    /// Blows `times` a turn, each late or early by a share of `slip`, that ring at `[hz, seconds]`; `loud` tells how loud
    /// one is by the turns at which it falls.
    fn blows(
        &self,
        random: &mut Random,
        times: f64,
        slip: f64,
        [hz, dies]: [f64; 2],
        loud: impl Fn(f64) -> f64,
    ) -> Vec<f64> {
        let mut added = vec![0.0; self.turns.len()];
        let mut next = self.turns[0] + random.between(0.0, 1.0 / times);
        for i in 0..self.turns.len() {
            if self.turns[i] >= next {
                ring(&mut added[i..], loud(next) * random.between(0.8, 1.2), hz, dies);
                next += (1.0 + slip * random.between(-1.0, 1.0)) / times;
            }
        }
        added
    }
}

/// Adds a blow at the beginning of `to`.
fn ring(to: &mut [f64], size: f64, hz: f64, dies: f64) {
    let rate = f64::from(RATE);
    for (i, x) in to.iter_mut().take((10.0 * dies * rate) as usize).enumerate() {
        let time = i as f64 / rate;
        *x += size * (-time / dies).exp() * (TAU * hz * time).sin();
    }
}

/// What else is heard in a factory, at any level.
fn factory(random: &mut Random) -> Vec<f64> {
    let rate = f64::from(RATE);
    let mut heard = vec![0.0; LENGTH];
    for (middle, level) in [(150.0, 1.0), (600.0, 0.6), (2400.0, 0.3), (5000.0, 0.15)] {
        let noise = scaled(band(random, rate, LENGTH, middle, 2.0), level);
        heard.iter_mut().zip(noise).for_each(|(x, noise)| *x += noise);
    }
    for _ in 0..3 {
        let (hz, level, swells) = (random.between(60.0, 1200.0), random.between(0.05, 0.3), random.between(0.1, 2.0));
        for (i, x) in heard.iter_mut().enumerate() {
            let time = i as f64 / rate;
            *x += level * (1.0 + 0.5 * (TAU * swells * time).sin()) * (TAU * hz * time).sin();
        }
    }
    for _ in 0..random.below(4) {
        let (begins, size) = (random.below(LENGTH), random.between(1.0, 4.0));
        for _ in 0..3 {
            ring(&mut heard[begins..], size / 3.0, random.between(400.0, 5000.0), random.between(0.005, 0.03));
        }
    }
    heard
}

fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|x| x * x).sum::<f64>() / samples.len().max(1) as f64).sqrt().max(f64::MIN_POSITIVE)
}

/// The samples at this root mean square.
fn scaled(mut samples: Vec<f64>, level: f64) -> Vec<f64> {
    let gain = level / rms(&samples);
    samples.iter_mut().for_each(|x| *x *= gain);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::rhythm::{BANDS, LINES, Rhythm, VALUES};

    /// A sound's rhythm, and its lines' frequencies.
    fn rhythm(machine: Machine, flaw: Option<Flaw>, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let sound = machine.sound(flaw, 20.0, seed).unwrap();
        let mut rhythm = Rhythm::new(RATE, sound.len()).unwrap();
        let mut values = vec![0.0; VALUES];
        rhythm.run(sound.samples(), &mut values).unwrap();
        (values, rhythm.frequencies().to_vec())
    }

    /// Decibels by which the flaw lifts the line nearest to `hz` within `block`: an envelope, or the low spectrum as the
    /// fifth. Mean over some sounds; the shaft's speed may move it to a neighbour, so the highest of three counts.
    fn lifted(machine: Machine, flaw: Flaw, block: usize, hz: f64) -> f32 {
        let of = |flaw: Option<Flaw>, seed: u64| {
            let (values, frequencies) = rhythm(machine, flaw, seed);
            let range = block * LINES..((block + 1) * LINES).min(VALUES);
            let off = |i: &usize| (f64::from(frequencies[*i]) / hz).ln().abs();
            let nearest = range.clone().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap();
            let near = nearest.saturating_sub(1).max(range.start)..(nearest + 2).min(range.end);
            near.map(|i| values[i]).fold(f32::MIN, f32::max)
        };
        (0..6).map(|seed| of(Some(flaw), seed) - of(None, seed)).sum::<f32>() / 6.0
    }

    #[test]
    fn flaws_beat_at_the_rates_that_they_claim() {
        for machine in Machine::ALL {
            let (rates, rings) = (machine.bearing().rates(), machine.build().rings_hz);
            let band = |hz: f64| (hz / 500.0).log2() as usize;
            for &flaw in machine.flaws() {
                let (block, hz) = match flaw {
                    // The gearbox's shaft is slower than the lowest line.
                    Flaw::Imbalance if machine == Machine::Gearbox => continue,
                    Flaw::Imbalance => (BANDS, rates.shaft),
                    Flaw::OuterRace => (band(rings), rates.bpfo),
                    Flaw::InnerRace => (band(rings), rates.bpfi),
                    Flaw::Tooth => (band(0.5 * rings), rates.shaft),
                    // A good spindle swells once a turn as well: the second multiple is the rub's own.
                    Flaw::Rub => (band(2500.0), 2.0 * rates.shaft),
                    Flaw::Cavitation => continue,
                };
                let there = lifted(machine, flaw, block, hz);
                assert!(there > 4.0, "{machine:?}, {flaw:?}: {there} dB at {hz} Hz");
                // Between its multiples it lifts less.
                if flaw != Flaw::Imbalance {
                    let beside = lifted(machine, flaw, block, if flaw == Flaw::Rub { 1.25 } else { 1.45 } * hz);
                    assert!(there > beside + 2.0, "{machine:?}, {flaw:?}: {there} dB at {hz} Hz, {beside} beside");
                }
            }
        }
    }

    #[test]
    fn a_bubble_is_heard_at_no_rate_but_high_up() {
        let [good, bad] = [None, Some(Flaw::Cavitation)].map(|flaw| Machine::Pump.sound(flaw, 20.0, 3).unwrap());
        // The difference of neighbours lifts what is high.
        let high = |sound: &Sound| sound.samples().windows(2).map(|w| f64::from(w[1] - w[0]).powi(2)).sum::<f64>();
        assert!(high(&bad) > 1.5 * high(&good));
    }

    #[test]
    fn the_factory_is_as_far_under_the_machine_as_asked_and_the_seed_draws_both() {
        for machine in Machine::ALL {
            for snr_db in [6.0, -6.0] {
                let [own, factory] = machine.parts(None, snr_db, 4);
                let found = 20.0 * (rms(&own) / rms(&factory)).log10();
                assert!((found - snr_db).abs() < 1e-6, "{machine:?}: {found} dB for {snr_db}");
            }
            let sound = |seed: u64| machine.sound(Some(machine.flaws()[0]), 0.0, seed).unwrap().samples().to_vec();
            assert_eq!(sound(1), sound(1));
            assert_ne!(sound(1), sound(2));
            assert!(sound(1).iter().all(|x| x.is_finite() && x.abs() < 1.0));
        }
    }

    #[test]
    fn a_set_has_what_it_says() {
        let (dataset, sounds) = Machine::Fan.set(-6.0, 0).unwrap();
        assert_eq!(dataset.name, "fan at -6 dB");
        assert_eq!((dataset.train_good.len(), dataset.test.len(), sounds.len()), (40, 50, 90));
        let counts = |kind: &str| dataset.test.iter().filter(|sample| sample.kind == kind).count();
        assert_eq!(["good", "imbalance", "outer race", "rub"].map(counts), [20, 10, 10, 10]);
        assert!(dataset.test.iter().all(|sample| sounds.contains_key(&sample.path)));
        assert_eq!(dataset.sense(), crate::package::manifest::Sense::Sound);
    }
}
