//! Stationary features of a sound: tones that stand out, the level of each band, its rhythm, and how far each band
//! exceeds its own median, at its loudest and for a longer time. The image of a sound (`spectrogram`) shows events
//! against the usual level within that sound. A new continuous sound shows only here, and a faint knock shows more
//! reliably here: a band's loudest moment is one number, which varies by only a few decibels among good sounds.

use std::ops::Range;
use std::sync::Arc;

use kernels::fourier::{Complex, RealToComplex, real_forward};

use crate::error::{Error, ErrorKind, Result};
use crate::prepare::rhythm::{self, Rhythm};

/// Window of the fine spectrum in samples: lines of 3.9 Hz at 16 kHz.
const WINDOW: usize = 4096;
/// Lines on each side that form a line's neighbourhood.
const NEIGHBOURS: usize = 15;
/// Added to a power before its logarithm is taken.
const FLOOR: f64 = 1e-12;

/// A group of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Runs of neighbouring values; values of different runs are not neighbours.
    pub runs: Vec<Range<usize>>,
    /// Whether the values are measured together, by their covariance, where less than usual is as anomalous as more.
    /// Otherwise each is measured alone, and only more is anomalous. A group measured together is one run.
    pub together: bool,
}

/// The names of the groups.
pub const GROUPS: [&str; 5] = ["tones", "level", "rhythm", "peaks", "swells"];

/// Quantile of a band's level over time: a rise that lasts a seventh of a sound or longer counts.
const SWELL: f64 = 0.85;

/// Measures sounds of one length, with reused buffers.
pub struct Steady {
    rate: u32,
    samples: usize,
    bands: usize,
    hann: Vec<f64>,
    transform: Arc<dyn RealToComplex<f64>>,
    frame: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    power: Vec<f64>,
    near: Vec<f64>,
    sorted: Vec<f32>,
    cut: Vec<f32>,
    rhythm: Rhythm,
}

impl Steady {
    /// For sounds of `samples` samples, `rate` of them in a second, whose log-mel has `bands` bands.
    ///
    /// # Errors
    /// As [`Rhythm::new`]: [`ErrorKind::Input`] of less than half a second.
    pub fn new(rate: u32, samples: usize, bands: usize) -> Result<Self> {
        let rhythm = Rhythm::new(rate, samples)?;
        let window = WINDOW.min(samples);
        let transform = real_forward(window);
        let hann = (0..window).map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / window as f64).cos());
        Ok(Self {
            rate,
            samples,
            bands,
            hann: hann.collect(),
            frame: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            power: vec![0.0; window / 2 + 1],
            near: Vec::new(),
            sorted: Vec::new(),
            cut: Vec::new(),
            transform,
            rhythm,
        })
    }

    /// Length in samples that it measures.
    pub fn samples(&self) -> usize {
        self.samples
    }

    fn lines(&self) -> usize {
        self.power.len()
    }

    /// Number of values that [`Steady::run`] writes.
    pub fn values(&self) -> usize {
        self.lines() + 3 * self.bands + rhythm::VALUES
    }

    /// The groups of values, in the order of [`GROUPS`].
    pub fn groups(&self) -> [Group; GROUPS.len()] {
        let (lines, beats) = (self.lines(), self.lines() + self.bands);
        let peaks = beats + rhythm::VALUES;
        let swells = peaks + self.bands;
        let envelopes = (0..rhythm::BANDS).map(|i| beats + i * rhythm::LINES..beats + (i + 1) * rhythm::LINES);
        let one = |run: Range<usize>| std::iter::once(run).collect();
        let low = beats + rhythm::BANDS * rhythm::LINES..peaks;
        [
            Group { runs: one(0..lines), together: false },
            Group { runs: one(lines..beats), together: true },
            Group { runs: envelopes.chain([low]).collect(), together: false },
            Group { runs: one(peaks..swells), together: false },
            Group { runs: one(swells..self.values()), together: false },
        ]
    }

    /// The values of the envelope spectra, one after the other: `rhythm::BANDS` of `rhythm::LINES` each.
    pub fn envelopes(&self) -> Range<usize> {
        let beats = self.lines() + self.bands;
        beats..beats + rhythm::BANDS * rhythm::LINES
    }

    /// The frequency in Hz that a value of the tones or the rhythm stands for; of the other groups, its band's number.
    pub fn hz(&self, value: usize) -> f64 {
        let beats = self.lines() + self.bands;
        let peaks = beats + rhythm::VALUES;
        match value {
            tone if tone < self.lines() => tone as f64 * f64::from(self.rate) / self.hann.len() as f64,
            band if band < beats => (band - self.lines()) as f64,
            beat if beat < peaks => f64::from(self.rhythm.frequencies()[beat - beats]),
            band => ((band - peaks) % self.bands) as f64,
        }
    }

    /// Writes what `mono` is like, -1 to 1, one channel: `f32[values]`, in dB. First how far each line of its mean
    /// spectrum (Welch 1967) stands above the median of the 31 lines around it; then the mean of each band of `level`, its
    /// log-mel `f32[bands, frames]`; then its rhythm, as [`Rhythm::run`], for which a longer sound is cut and a shorter one
    /// ends in silence; then how far the loudest frame of each band is above the band's median; then how far the 85th
    /// percentile of its frames is.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a sample is no number, the sound is shorter than a window, or `into` has another size.
    pub fn run(&mut self, mono: &[f32], level: &[f32], into: &mut [f32]) -> Result<()> {
        let (values, window) = (self.values(), self.hann.len());
        if into.len() != values || mono.len() < window || level.is_empty() || !level.len().is_multiple_of(self.bands) {
            let what = format!("steady values want {window} samples and more, found {}", mono.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        let Self { hann, transform, frame, spectrum, power, near, sorted, cut, rhythm, samples, bands, .. } = self;
        power.fill(0.0);
        let mut windows = 0usize;
        for part in mono.windows(window).step_by(window.div_ceil(2)) {
            frame.iter_mut().zip(part).zip(&*hann).for_each(|((value, &x), w)| *value = f64::from(x) * w);
            transform
                .process(frame, spectrum)
                .map_err(|e| Error::caused(ErrorKind::Runtime, "the Fourier transform refused its own frame", e))?;
            power.iter_mut().zip(&*spectrum).for_each(|(power, bin)| *power += bin.norm_sqr());
            windows += 1;
        }
        power.iter_mut().for_each(|power| *power = 10.0 * (*power / windows as f64 + FLOOR).log10());
        let (tones, rest) = into.split_at_mut(power.len());
        for (i, out) in tones.iter_mut().enumerate() {
            near.clear();
            near.extend_from_slice(&power[i.saturating_sub(NEIGHBOURS)..(i + NEIGHBOURS + 1).min(power.len())]);
            let middle = near.len() / 2;
            *out = (power[i] - *near.select_nth_unstable_by(middle, f64::total_cmp).1) as f32;
        }
        let (levels, rest) = rest.split_at_mut(*bands);
        let (beats, rest) = rest.split_at_mut(rhythm::VALUES);
        let (peaks, swells) = rest.split_at_mut(*bands);
        let of_bands = levels.iter_mut().zip(peaks).zip(swells);
        for (((mean, peak), swell), band) in of_bands.zip(level.chunks_exact(level.len() / *bands)) {
            *mean = band.iter().sum::<f32>() / band.len() as f32;
            sorted.clear();
            sorted.extend_from_slice(band);
            sorted.sort_unstable_by(f32::total_cmp);
            let (last, median) = (band.len() - 1, sorted[band.len() / 2]);
            *peak = sorted[last] - median;
            *swell = sorted[(SWELL * last as f64) as usize] - median;
        }
        cut.clear();
        cut.extend_from_slice(&mono[..mono.len().min(*samples)]);
        cut.resize(*samples, 0.0);
        rhythm.run(cut, beats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::mel::{Mel, MelSpec};

    fn measured(sound: impl Fn(f64) -> f64) -> (Steady, Vec<f32>) {
        let mut state = 3u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / f64::from(1 << 24) - 0.5
        };
        let mono: Vec<f32> = (0..32_000).map(|i| (0.02 * noise() + sound(f64::from(i) / 16_000.0)) as f32).collect();
        let mut mel = Mel::new(MelSpec::default()).unwrap();
        let mut level = vec![0.0; 128 * mel.frames(mono.len())];
        mel.run(&mono, &mut level).unwrap();
        let mut steady = Steady::new(16_000, mono.len(), 128).unwrap();
        let mut values = vec![0.0; steady.values()];
        steady.run(&mono, &level, &mut values).unwrap();
        (steady, values)
    }

    #[test]
    fn a_faint_tone_stands_out_at_its_frequency() {
        let (steady, values) = measured(|time| 0.002 * (time * 3100.0 * std::f64::consts::TAU).sin());
        let tones = &values[steady.groups()[0].runs[0].clone()];
        let top = (0..tones.len()).max_by(|&a, &b| tones[a].total_cmp(&tones[b])).unwrap();
        assert!((steady.hz(top) - 3100.0).abs() < 4.0 && tones[top] > 15.0, "{} Hz, {} dB", steady.hz(top), tones[top]);
    }

    #[test]
    fn a_knock_is_a_peak_of_its_band_and_what_lasts_swells() {
        let at_3100 = |time: f64| (time * 3100.0 * std::f64::consts::TAU).sin();
        let greatest = |group: usize, sound: &dyn Fn(f64) -> f64| {
            let [(_, good), (steady, values)] = [measured(|_| 0.0), measured(sound)];
            let band = steady.groups()[group].runs[0].clone();
            let above = |i: usize| values[i] - good[i];
            let top = band.clone().max_by(|&a, &b| above(a).total_cmp(&above(b))).unwrap();
            (steady.hz(top), top - band.start, above(top))
        };
        let (knock, swell) = (
            |time: f64| if (1.0..1.02).contains(&time) { 0.02 * at_3100(time) } else { 0.0 },
            |time: f64| if (0.5..1.0).contains(&time) { 0.02 * at_3100(time) } else { 0.0 },
        );
        for (group, sound) in [(3, &knock as &dyn Fn(f64) -> f64), (4, &swell)] {
            let (hz, band, db) = greatest(group, sound);
            // 3100 Hz is at 69 % of the mel scale up to 8 kHz.
            assert!(hz == band as f64 && (85..=90).contains(&band) && db > 6.0, "group {group}: band {band}, {db} dB");
        }
        assert!(greatest(4, &knock).2 < 2.0, "a knock is over too soon to swell");
    }

    #[test]
    fn groups_hold_every_value_once_and_another_length_is_cut_or_filled() {
        let (mut steady, values) = measured(|_| 0.0);
        let all: Vec<usize> = steady.groups().into_iter().flat_map(|group| group.runs).flatten().collect();
        assert_eq!(all, (0..values.len()).collect::<Vec<_>>());
        let mut into = vec![0.0; values.len()];
        for samples in [30_000, 34_000] {
            steady.run(&vec![0.1; samples], &[0.0; 128], &mut into).unwrap();
        }
        assert!(steady.run(&[0.1; 100], &[0.0; 128], &mut into).is_err());
        assert!(Steady::new(16_000, 4000, 128).is_err());
    }
}
