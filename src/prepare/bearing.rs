//! Fault frequencies of a rolling bearing, from its geometry and the speed of its shaft. Formulas only; `rhythm`
//! computes the spectra that show them.
//!
//! For a fixed outer ring, a rotating inner ring and balls that roll without slip (Randall and Antoni, *Mechanical
//! Systems and Signal Processing* 25, 2011), with `fr` the shaft's revolutions per second, `n` balls of diameter `d` on
//! a pitch circle of diameter `D`, and the contact angle `a`:
//!
//! - cage, FTF = fr / 2 (1 − d / D cos a)
//! - outer race, BPFO = n FTF
//! - inner race, BPFI = n (fr − FTF)
//! - ball, BSF = D / (2 d) fr (1 − (d / D cos a)²); a fault on a ball strikes both races, at 2 BSF.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::wrong_at;
use crate::report::BearingRate;

/// A rolling bearing and its shaft, as written in a part's `[bearing]` and in the file that teaching is given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bearing {
    /// Revolutions of the shaft per second; this or `rpm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shaft_hz: Option<f64>,
    /// Revolutions of the shaft per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<f64>,
    /// Number of balls or rollers in one row.
    pub balls: u32,
    /// Diameter of a ball, in millimetres.
    pub ball_mm: f64,
    /// Pitch circle diameter, through the balls' centres, in millimetres.
    pub pitch_mm: f64,
    /// Contact angle in degrees; 0 for a deep groove ball bearing.
    #[serde(default)]
    pub contact_deg: f64,
}

/// Characteristic frequencies of a bearing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The shaft turns.
    pub shaft: f64,
    /// The cage turns: fundamental train frequency.
    pub ftf: f64,
    /// A ball passes a point of the outer race.
    pub bpfo: f64,
    /// A ball passes a point of the inner race.
    pub bpfi: f64,
    /// A ball rotates about its own axis.
    pub bsf: f64,
}

/// An identified rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Named {
    /// The rate, and with it what strikes.
    pub rate: BearingRate,
    /// Which multiple of the rate.
    pub harmonic: u32,
    /// That multiple, in Hz.
    pub hz: f64,
}

/// Largest deviation of a rate from its formula, as a share: balls slip by 1 to 2 %, and a shaft slows under load.
const SLIP: f64 = 0.02;
/// Number of multiples of a rate that are searched.
const HARMONICS: u32 = 3;
/// Standard deviations by which the weakest of them must stand out.
const STANDS_OUT: f32 = 2.5;
/// How far another rate may stand out, relative to this one. Half of the lines of one rate coincide with lines of
/// another.
const CLEARLY: f32 = 0.85;

impl Bearing {
    /// Reads a TOML text; `file` is named in messages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the file and the field when it does not describe a bearing.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{file}: {what}"));
        let bearing: Self = toml::from_str(text).map_err(|error| wrong(wrong_at(text, &error)))?;
        bearing.check().map_err(wrong)?;
        Ok(bearing)
    }

    /// What is wrong with it, as a sentence that begins with the field, if so.
    ///
    /// # Errors
    /// When there is not one of `shaft_hz` and `rpm`, or a number is out of its bounds.
    pub fn check(&self) -> Result<(), String> {
        let turns = match (self.shaft_hz, self.rpm) {
            (Some(hz), None) => hz,
            (None, Some(rpm)) => rpm / 60.0,
            (None, None) => return Err("`shaft_hz` or `rpm` must be given, found neither".into()),
            (Some(_), Some(_)) => return Err("`shaft_hz` or `rpm` must be given, found both".into()),
        };
        // Written so that NaN is rejected.
        if !(turns > 0.0 && turns <= 10_000.0) {
            return Err(format!("the shaft must turn up to 10000 times a second, found {turns}"));
        }
        if !(3..=1000).contains(&self.balls) {
            return Err(format!("`balls` must be 3 to 1000, found {}", self.balls));
        }
        let [ball, pitch] = [self.ball_mm, self.pitch_mm];
        if !(pitch > 0.0 && pitch <= 100_000.0) {
            return Err(format!("`pitch_mm` must be over 0 and up to 100000, found {pitch}"));
        }
        if !(ball > 0.0 && ball < pitch) {
            return Err(format!("`ball_mm` must be over 0 and under `pitch_mm`, which is {pitch}, found {ball}"));
        }
        if !(0.0..90.0).contains(&self.contact_deg) {
            return Err(format!("`contact_deg` must be 0 to under 90, found {}", self.contact_deg));
        }
        Ok(())
    }

    /// The rates of a bearing that passed [`Bearing::check`].
    pub fn rates(&self) -> Rates {
        let shaft = self.shaft_hz.or(self.rpm.map(|rpm| rpm / 60.0)).unwrap_or_default();
        let share = self.ball_mm / self.pitch_mm * self.contact_deg.to_radians().cos();
        let ftf = shaft / 2.0 * (1.0 - share);
        Rates {
            shaft,
            ftf,
            bpfo: f64::from(self.balls) * ftf,
            bpfi: f64::from(self.balls) * (shaft - ftf),
            bsf: self.pitch_mm / (2.0 * self.ball_mm) * shaft * (1.0 - share * share),
        }
    }

    /// What strikes, by the spectra of some envelopes: `strange` tells of each line by how many deviations it is above what
    /// it is in good sounds, `f32[envelopes, lines]`, and `hz` where the lines are, `f64[lines]`, rising.
    ///
    /// Blows have harmonics: a rate is meant where the lines at its first three multiples, as far as there are lines, all
    /// stand out of their spectrum's median, in one envelope, by 2.5 deviations, and where no other rate stands out nearly
    /// as much. A ball strikes at the second multiple of its turns. A rate may be 2 % off its formula, and its multiples by
    /// as much.
    pub fn striking(&self, strange: &[f32], hz: &[f64]) -> Option<Named> {
        let Rates { shaft, ftf, bpfo, bpfi, bsf } = self.rates();
        let known = [
            Named { rate: BearingRate::OuterRace, harmonic: 1, hz: bpfo },
            Named { rate: BearingRate::InnerRace, harmonic: 1, hz: bpfi },
            Named { rate: BearingRate::Ball, harmonic: 2, hz: 2.0 * bsf },
            Named { rate: BearingRate::Cage, harmonic: 1, hz: ftf },
            Named { rate: BearingRate::Shaft, harmonic: 1, hz: shaft },
        ];
        let off = |i: usize, at: f64| (hz[i] / at).ln().abs();
        let nearest = |at: f64| (0..hz.len()).min_by(|&a, &b| off(a, at).total_cmp(&off(b, at)));
        let last = hz.last().copied().unwrap_or_default();
        let stands_out = |rate: f64| {
            let multiples = (1..=HARMONICS).map(|multiple| f64::from(multiple) * rate).filter(|at| *at <= last);
            let lines: Vec<usize> = multiples.filter_map(nearest).collect();
            let of_envelope = |envelope: &[f32]| {
                let mut sorted = envelope.to_vec();
                let median = *sorted.select_nth_unstable_by(envelope.len() / 2, f32::total_cmp).1;
                lines.iter().map(|&line| envelope[line] - median).fold(f32::MAX, f32::min)
            };
            // A single line may have any cause.
            let envelopes = strange.chunks_exact(hz.len()).filter(|_| lines.len() > 1);
            envelopes.map(of_envelope).fold(f32::MIN, f32::max)
        };
        // In steps of half a hundredth, a quarter of what a line reaches.
        let slips = (-4..=4).map(|step| 1.0 + f64::from(step) / 4.0 * SLIP);
        let most = |rate: f64| slips.clone().map(|slip| stands_out(slip * rate)).fold(f32::MIN, f32::max);
        let mut found = known.map(|named| (most(named.hz), named));
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let [(most, named), (second, _), ..] = found;
        (most >= STANDS_OUT && second <= CLEARLY * most).then_some(named)
    }

    /// Which multiple of the shaft's turns hums at `hz`, told to `share` of it and granted as much slip; up to the third.
    pub fn turning(&self, hz: f64, share: f64) -> Option<Named> {
        let shaft = self.rates().shaft;
        let multiples = (1..=HARMONICS).map(|harmonic| Named {
            rate: BearingRate::Shaft,
            harmonic,
            hz: f64::from(harmonic) * shaft,
        });
        let off = |at: f64| (hz / at).ln().abs();
        let near = multiples.into_iter().filter(|named| off(named.hz) <= share + SLIP);
        near.min_by(|a, b| off(a.hz).total_cmp(&off(b.hz)))
    }
}

impl std::fmt::Display for Named {
    /// As `outer race (BPFO 107.4 Hz)` or `ball (2 x BSF 141.2 Hz)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rate, harmonic, hz } = self;
        let (part, rate) = (rate.part(), rate.as_str());
        match harmonic {
            1 => write!(f, "{part} ({rate} {hz:.1} Hz)"),
            _ => write!(f, "{part} ({harmonic} x {rate} {hz:.1} Hz)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SKF 6205-2RS at 1797 turns a minute, whose rates as multiples of the shaft's are published with the bearing data
    /// of Case Western Reserve University: 5.4152, 3.5848, 0.39828, and 4.7135 (2 BSF).
    fn skf() -> Bearing {
        Bearing { shaft_hz: None, rpm: Some(1797.0), balls: 9, ball_mm: 7.94, pitch_mm: 39.04, contact_deg: 0.0 }
    }

    #[test]
    fn rates_are_those_that_are_published() {
        let Rates { shaft, ftf, bpfo, bpfi, bsf } = skf().rates();
        assert_eq!(shaft, 29.95);
        for (got, expected) in [(bpfi, 5.4152), (bpfo, 3.5848), (ftf, 0.39828), (2.0 * bsf, 4.7135)] {
            assert!((got / shaft - expected).abs() < 2e-3, "{} x, not {expected}", got / shaft);
        }
        // What the balls pass in a turn is shared between the races.
        assert!((bpfo + bpfi - 9.0 * shaft).abs() < 1e-9);
        let angular = Bearing { contact_deg: 60.0, ..skf() }.rates();
        assert!((angular.ftf - 29.95 / 2.0 * (1.0 - 0.5 * 7.94 / 39.04)).abs() < 1e-9);
        assert_eq!(Bearing { shaft_hz: Some(29.95), rpm: None, ..skf() }.rates(), skf().rates());
    }

    /// Lines as those of a rhythm, 4 to 500 Hz, and an envelope that stands out by `by` at some of them.
    fn lines(at: &[f64], by: f32) -> (Vec<f32>, Vec<f64>) {
        let hz: Vec<f64> = (0..128).map(|i| 4.0 * 125f64.powf(f64::from(i) / 127.0)).collect();
        let near = |hz: f64| at.iter().any(|at| (hz / at).ln().abs() < 0.0191);
        (hz.iter().map(|&hz| if near(hz) { by } else { 0.3 }).collect(), hz)
    }

    #[test]
    fn what_strikes_is_told_by_its_harmonics() {
        let bearing = skf();
        let named = |at: &[f64], by: f32| {
            let (mut strange, hz) = lines(&[], 0.0);
            strange.extend(lines(at, by).0);
            bearing.striking(&strange, &hz).map(|named| named.to_string())
        };
        let comb = |hz: f64| [1.0, 2.0, 3.0, 4.0].map(|multiple| multiple * hz);
        assert_eq!(named(&comb(107.0), 5.0).unwrap(), "outer race (BPFO 107.4 Hz)");
        assert_eq!(named(&comb(162.5), 5.0).unwrap(), "inner race (BPFI 162.2 Hz)");
        assert_eq!(named(&comb(141.0), 5.0).unwrap(), "ball (2 x BSF 141.2 Hz)");
        assert_eq!(named(&comb(29.9), 5.0).unwrap(), "shaft (1x 29.9 Hz)");
        // One line may be anything, as may a rhythm that is no rate of the bearing, and faint ones.
        assert_eq!(named(&[107.4], 20.0), None);
        assert_eq!(named(&comb(125.0), 5.0), None);
        assert_eq!(named(&comb(107.4), 2.0), None);
        // Every line at once is no rate.
        assert_eq!(bearing.striking(&[5.0; 128], &lines(&[], 0.0).1), None);
    }

    #[test]
    fn a_hum_is_named_by_the_shaft_where_it_is_near() {
        let named = |hz: f64, share: f64| skf().turning(hz, share).map(|named| named.to_string());
        assert_eq!(named(30.2, 0.02).unwrap(), "shaft (1x 29.9 Hz)");
        assert_eq!(named(59.0, 0.02).unwrap(), "shaft (2 x 1x 59.9 Hz)");
        assert_eq!(named(107.4, 0.02), None);
        // 3 % off is within a tolerance of 2 % and the slip, and not within the slip alone.
        assert!(named(30.85, 0.0).is_none() && named(30.85, 0.02).is_some());
    }

    #[test]
    fn what_is_no_bearing_is_refused_by_its_field() {
        let good = skf();
        assert_eq!(good.check(), Ok(()));
        for (bearing, word) in [
            (Bearing { rpm: None, ..good }, "found neither"),
            (Bearing { shaft_hz: Some(30.0), ..good }, "found both"),
            (Bearing { rpm: Some(0.0), ..good }, "10000 times a second, found 0"),
            (Bearing { rpm: Some(f64::NAN), ..good }, "found NaN"),
            (Bearing { balls: 2, ..good }, "`balls` must be 3 to 1000, found 2"),
            (Bearing { ball_mm: 39.04, ..good }, "under `pitch_mm`, which is 39.04, found 39.04"),
            (Bearing { pitch_mm: f64::INFINITY, ..good }, "`pitch_mm`"),
            (Bearing { contact_deg: 90.0, ..good }, "`contact_deg`"),
        ] {
            let told = bearing.check().unwrap_err();
            assert!(told.contains(word), "{bearing:?}: {told}");
        }
        let text = "rpm = 1797\nballs = 9\nball_mm = 7.94\npitch_mm = 39.04\n";
        assert_eq!(Bearing::parse(text, "b.toml").unwrap(), good);
        let error = Bearing::parse(&text.replace("9\nball_mm", "nine\nball_mm"), "b.toml").unwrap_err();
        assert!(error.message().starts_with("b.toml: line 2, `balls`: "), "{error}");
        let error = Bearing::parse(&text.replace("39.04", "3.9"), "b.toml").unwrap_err();
        assert!(error.message().starts_with("b.toml: `ball_mm` must be over 0 and under `pitch_mm`"), "{error}");
    }
}
