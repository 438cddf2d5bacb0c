//! Sound → how it beats and how it hums: what a log-mel cannot hold. Its frames are 10 ms apart, so a rhythm of 97 Hz is
//! lost between them, and its lowest bands are wider than what tells a 24 Hz shaft from a 26 Hz one. Pure arithmetic on
//! one channel at the encoder's rate; the spectrogram is left to `mel`.
//!
//! Four **envelope spectra** tell how fast the loudness of a band goes up and down: a damaged bearing rings at some kHz,
//! at each pass of a ball anew (the envelope analysis of Randall and Antoni, *Mechanical Systems and Signal
//! Processing* 25, 2011). A **low spectrum** tells the hum itself.

use std::ops::Range;
use std::sync::Arc;

use kernels::fourier::{self, Complex, Fft, RealToComplex};

use crate::error::{Error, ErrorKind, Result};

/// Bands whose envelopes are told.
pub const BANDS: usize = 4;
/// Lines of the spectrum of each envelope.
pub const LINES: usize = 128;
/// Lines of the low spectrum.
pub const LOW_LINES: usize = 64;
/// Values in all.
pub const VALUES: usize = BANDS * LINES + LOW_LINES;

/// From where to where the bands go, in Hz; the upper end is half the rate where that is lower.
const BANDS_HZ: [f64; 2] = [500.0, 8000.0];
/// The first and the last line of an envelope's spectrum, in Hz. The last is as fast as the narrowest band can beat.
const LINES_HZ: [f64; 2] = [4.0, 500.0];
/// How far a line of an envelope's spectrum reaches to either side, as a share of its frequency: half of what lies
/// between two lines. A rhythm is told to this.
pub const REACH: f64 = 0.02;
/// The first and the last line of the low spectrum, in Hz.
const LOW_LINES_HZ: [f64; 2] = [20.0, 1000.0];

/// The mean of an envelope from which on loudness drops out; a band under it, -120 dB of full scale, fades to the floor.
const QUIET: f64 = 1e-6;

/// What is added to each power before its logarithm is taken: the floor is at -100 dB.
const FLOOR: f64 = 1e-10;

/// Makes envelope spectra and the low spectrum of sounds of one length, reusing its memory: nothing is allocated after
/// it is built.
///
/// Each band is cut out of the spectrum of the whole sound; its envelope is the magnitude of its analytic signal
/// (Hilbert), divided by its own mean, so that neither loudness nor gain is left in it. Of the envelope, without its
/// mean, and of the sound itself the spectrum is taken with a periodic Hann window over the whole length, scaled so that
/// a sine reads as the square of its amplitude: 0 dB is an envelope that goes up and down by all its mean, or a sine of
/// full scale.
///
/// Lines are evenly spaced on a logarithmic scale and reach to the middle between them. A line tells the highest point
/// of the spectrum within its reach, between the spectrum's own points interpolated: a line finer than these, one over
/// the length in seconds, is told by its neighbours; in a broad one a peak keeps its height.
pub struct Rhythm {
    samples: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn Fft<f64>>,
    /// The bins of each band.
    bands: [Range<usize>; BANDS],
    /// From where to where each line reaches, in bins.
    lines: Vec<[f64; 2]>,
    low_lines: Vec<[f64; 2]>,
    frequencies: Vec<f32>,
    /// The sound, then an envelope: `f64[samples]`.
    signal: Vec<f64>,
    /// The spectrum of the sound, and that of an envelope: `[samples / 2 + 1]`.
    spectrum: Vec<Complex<f64>>,
    beat: Vec<Complex<f64>>,
    /// `[samples]`.
    analytic: Vec<Complex<f64>>,
    power: Vec<f64>,
    scratch: Vec<Complex<f64>>,
}

impl Rhythm {
    /// For sounds of `samples` samples, `rate` of them in a second.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the rate is not 4000 to 768000 Hz, or the sound is shorter than half a second, which
    /// is two beats of the slowest rhythm, or longer than 4194304 samples.
    pub fn new(rate: u32, samples: usize) -> Result<Self> {
        if !(4000..=768_000).contains(&rate) {
            let what = format!("a rhythm wants a rate of 4000 to 768000 Hz, found {rate}");
            return Err(Error::new(ErrorKind::Input, what));
        }
        let least = (rate as usize).div_ceil(2);
        if !(least..=1 << 22).contains(&samples) {
            let what = format!("a rhythm at {rate} Hz wants {least} to {} samples, found {samples}", 1 << 22);
            return Err(Error::new(ErrorKind::Input, what));
        }
        let bins = samples as f64 / f64::from(rate);
        let [low, high] = [BANDS_HZ[0], BANDS_HZ[1].min(f64::from(rate) / 2.0)];
        let edge = |band: usize| {
            let hz = low * (high / low).powf(band as f64 / BANDS as f64);
            // The nearest bin; without the one at half the rate, which has no analytic twin.
            ((hz * samples as f64 / f64::from(rate) + 0.5).floor() as usize).min(samples.div_ceil(2))
        };
        let bands = std::array::from_fn(|band| edge(band)..edge(band + 1));
        let (hz, lines) = spaced(LINES_HZ, LINES, bins);
        let (low_hz, low_lines) = spaced(LOW_LINES_HZ, LOW_LINES, bins);
        let forward = fourier::real_forward(samples);
        let inverse = fourier::inverse(samples);
        let scratch = forward.get_scratch_len().max(inverse.get_inplace_scratch_len());
        let zero = Complex::new(0.0, 0.0);
        Ok(Self {
            samples,
            bands,
            lines,
            low_lines,
            frequencies: std::iter::repeat_n(hz, BANDS).flatten().chain(low_hz).collect(),
            signal: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            beat: forward.make_output_vec(),
            analytic: vec![zero; samples],
            power: Vec::with_capacity(samples / 2 + 1),
            scratch: vec![zero; scratch],
            forward,
            inverse,
        })
    }

    /// The frequency of each value, in Hz: `[BANDS * LINES + LOW_LINES]`.
    pub fn frequencies(&self) -> &[f32] {
        &self.frequencies
    }

    /// Writes the rhythm of `samples`, -1 to 1, to `into`: `f32[BANDS * LINES + LOW_LINES]`, in dB, -100 and more. The
    /// envelope spectra come first, that of the lowest band before the others, then the low spectrum; the lowest line of
    /// each first.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when there are more or fewer samples than it was made for, one is no number, or `into` has
    /// another size.
    pub fn run(&mut self, samples: &[f32], into: &mut [f32]) -> Result<()> {
        if samples.len() != self.samples {
            let what = format!("a rhythm of {} samples was wanted, found {}", self.samples, samples.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        if into.len() != VALUES {
            let what = format!("the input of {} values is not the {VALUES} of a rhythm", into.len());
            return Err(Error::new(ErrorKind::Input, what));
        }
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::new(ErrorKind::Input, format!("sample {at} of the sound is no number")));
        }
        let Self { forward, inverse, signal, spectrum, beat, analytic, power, scratch, .. } = self;
        let refused = |e| Error::caused(ErrorKind::Runtime, "the Fourier transform refused its own sound", e);
        let forward_scratch = forward.get_scratch_len();
        signal.iter_mut().zip(samples).for_each(|(value, &sample)| *value = f64::from(sample));
        forward.process_with_scratch(signal, spectrum, &mut scratch[..forward_scratch]).map_err(refused)?;
        let length = samples.len() as f64;
        let (envelopes, low) = into.split_at_mut(BANDS * LINES);
        for (bins, into) in self.bands.iter().zip(envelopes.chunks_exact_mut(LINES)) {
            analytic.fill(Complex::new(0.0, 0.0));
            let band = analytic[bins.clone()].iter_mut().zip(&spectrum[bins.clone()]);
            band.for_each(|(value, bin)| *value = bin * (2.0 / length));
            inverse.process_with_scratch(analytic, scratch);
            signal.iter_mut().zip(&*analytic).for_each(|(value, analytic)| *value = analytic.norm_sqr().sqrt());
            forward.process_with_scratch(signal, beat, &mut scratch[..forward_scratch]).map_err(refused)?;
            let mean = beat[0].re / length;
            beat[0] = Complex::new(0.0, 0.0);
            squares(beat, length * (mean + QUIET), self.lines[LINES - 1][1], power);
            tell(power, &self.lines, into);
        }
        squares(spectrum, length, self.low_lines[LOW_LINES - 1][1], power);
        tell(power, &self.low_lines, low);
        Ok(())
    }
}

/// `count` lines from the first to the last of `hz`: their frequencies, and where they reach at `bins` to the hertz.
fn spaced(hz: [f64; 2], count: usize, bins: f64) -> (Vec<f32>, Vec<[f64; 2]>) {
    let step = (hz[1] / hz[0]).powf(1.0 / (count - 1) as f64);
    let at = |line: f64| hz[0] * step.powf(line);
    let lines = (0..count).map(|line| line as f64);
    (
        lines.clone().map(|line| at(line) as f32).collect(),
        lines.map(|l| [at(l - 0.5) * bins, at(l + 0.5) * bins]).collect(),
    )
}

/// Squared amplitudes of what a periodic Hann window leaves of `spectrum`, up to the bin after `last`: the window over
/// the whole length is a sum of three neighbours. An amplitude of 1 is a sine that swings by `length / samples`.
fn squares(spectrum: &[Complex<f64>], length: f64, last: f64, power: &mut Vec<f64>) {
    let scale = (4.0 / length).powi(2);
    power.clear();
    // The first bin is reached by no line.
    power.push(0.0);
    let windows = spectrum.windows(3).take(last as usize + 1);
    power.extend(windows.map(|near| (near[1] * 0.5 - (near[0] + near[2]) * 0.25).norm_sqr() * scale));
}

/// The highest point of the spectrum within the reach of each line, in dB.
fn tell(power: &[f64], lines: &[[f64; 2]], into: &mut [f32]) {
    let between = |at: f64| {
        let bin = at as usize;
        power[bin] + (power[bin + 1] - power[bin]) * (at - bin as f64)
    };
    for ([from, to], value) in lines.iter().zip(into) {
        let within = power[from.ceil() as usize..=*to as usize].iter();
        let highest = within.fold(between(*from).max(between(*to)), |highest, power| highest.max(*power));
        *value = (10.0 * (highest + FLOOR).log10()) as f32;
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::testing::golden;

    const RATE: u32 = 16_000;

    fn run(rate: u32, samples: &[f32]) -> Vec<f32> {
        let mut into = vec![9.0; VALUES];
        Rhythm::new(rate, samples.len()).unwrap().run(samples, &mut into).unwrap();
        into
    }

    fn noise(amplitude: f64, count: usize) -> impl Iterator<Item = f64> {
        let mut state = 1u64;
        (0..count).map(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            amplitude * ((state >> 40) as f64 / f64::from(1 << 23) - 1.0)
        })
    }

    /// The line of a band, or of the low spectrum as the fifth, that is nearest to `hz`.
    fn line(block: usize, hz: f64) -> usize {
        let range = block * LINES..((block + 1) * LINES).min(VALUES);
        let rhythm = Rhythm::new(RATE, 16_000).unwrap();
        let off = |at: &usize| (f64::from(rhythm.frequencies()[*at]) / hz).ln().abs();
        range.min_by(|a, b| off(a).total_cmp(&off(b))).unwrap()
    }

    #[test]
    fn a_rhythm_agrees_with_scipy() {
        let samples = golden::tensor("samples");
        golden::compare("rhythm", &run(RATE, &samples), 1e-4);
        // An odd length, at a rate at which the bands are no octaves and the lines lie otherwise between the bins.
        golden::compare("rhythm_odd", &run(11_025, &samples[..12_345]), 1e-4);
        let expected = golden::tensor("frequencies");
        let rhythm = Rhythm::new(RATE, samples.len()).unwrap();
        for (got, expected) in rhythm.frequencies().iter().zip(&expected) {
            assert!((got / expected - 1.0).abs() < 1e-6, "{got} Hz, not {expected}");
        }
    }

    /// What a bearing does: 97 times a second something strikes, and a resonance at 3 kHz rings for some ms.
    #[test]
    fn blows_are_told_in_the_band_that_rings() {
        for seconds in [1, 2, 5] {
            let count = seconds * RATE as usize;
            let samples: Vec<f32> = noise(0.05, count)
                .enumerate()
                .map(|(i, noise)| {
                    let since = (i as f64 / f64::from(RATE)).rem_euclid(1.0 / 97.0);
                    (noise + 0.2 * (-since * 900.0).exp() * (TAU * 3000.0 * since).sin()) as f32
                })
                .collect();
            let got = run(RATE, &samples);
            let band = &got[2 * LINES..3 * LINES];
            let highest = (0..LINES).max_by(|a, b| band[*a].total_cmp(&band[*b])).unwrap();
            assert_eq!(2 * LINES + highest, line(2, 97.0), "{seconds} s");
            let mut sorted = band.to_vec();
            sorted.sort_by(f32::total_cmp);
            let median = sorted[LINES / 2];
            for harmonic in 1..=4 {
                let above = got[line(2, 97.0 * f64::from(harmonic))] - median;
                assert!(above > 10.0, "{seconds} s, harmonic {harmonic}: {above} dB");
            }
            for other in [0, 1, 3] {
                let [here, there] = [got[line(2, 97.0)], got[line(other, 97.0)]];
                assert!(here - there > 6.0, "{seconds} s: {here} dB here, {there} dB in band {other}");
            }
        }
    }

    #[test]
    fn a_depth_reads_in_db_and_loudness_drops_out() {
        // 40 Hz is on a point of the spectrum.
        let swell = |i: usize, loud: f64| {
            let t = i as f64 / f64::from(RATE);
            (loud * (1.0 + 0.5 * (TAU * 40.0 * t).cos()) * (TAU * 3000.0 * t).sin()) as f32
        };
        let loud: Vec<f32> = (0..32_000).map(|i| swell(i, 0.5)).collect();
        let quiet: Vec<f32> = (0..32_000).map(|i| swell(i, 0.005)).collect();
        let [loud, quiet] = [run(RATE, &loud), run(RATE, &quiet)];
        let at = line(2, 40.0);
        assert!((loud[at] - 20.0 * 0.5f32.log10()).abs() < 0.01, "{}", loud[at]);
        assert!((loud[at] - quiet[at]).abs() < 0.01, "{} and {}", loud[at], quiet[at]);
    }

    #[test]
    fn the_low_spectrum_tells_the_level_of_a_hum() {
        let hum = |i: usize| {
            let t = i as f64 / f64::from(RATE);
            (0.1 * (TAU * 50.0 * t).sin() + 0.01 * (TAU * 700.0 * t).sin()) as f32
        };
        let samples: Vec<f32> = (0..32_000).map(hum).collect();
        let got = run(RATE, &samples);
        let low = &got[BANDS * LINES..];
        for (hz, db) in [(50.0, -20.0), (700.0, -40.0)] {
            let at = line(BANDS, hz) - BANDS * LINES;
            assert!((low[at] - db).abs() < 0.01, "{hz} Hz: {}", low[at]);
        }
        assert!(low[line(BANDS, 200.0) - BANDS * LINES] < -90.0);
    }

    #[test]
    fn silence_is_at_the_floor_and_all_lengths_and_rates_are_told() {
        assert!(run(RATE, &[0.0; 8000]).iter().all(|value| *value == -100.0));
        for (rate, count) in [(4000, 2000), (4001, 2001), (8000, 7919), (44_100, 22_050), (768_000, 384_000)] {
            let samples: Vec<f32> = noise(0.1, count).map(|value| value as f32).collect();
            let got = run(rate, &samples);
            assert!(got.iter().all(|value| (-100.0..10.0).contains(value)), "{rate} Hz: {got:?}");
        }
    }

    #[test]
    fn what_is_no_sound_of_its_length_is_refused() {
        for (rate, samples) in [(3999, 4000), (16_000, 7999), (768_001, 768_001), (16_000, (1 << 22) + 1)] {
            assert_eq!(Rhythm::new(rate, samples).err().unwrap().kind(), ErrorKind::Input);
        }
        let mut rhythm = Rhythm::new(RATE, 8000).unwrap();
        let error = rhythm.run(&[0.0; 7999], &mut [0.0; VALUES]).unwrap_err();
        assert_eq!(error.message(), "a rhythm of 8000 samples was wanted, found 7999");
        let error = rhythm.run(&[0.0; 8000], &mut [0.0; 575]).unwrap_err();
        assert_eq!(error.message(), "the input of 575 values is not the 576 of a rhythm");
        let mut samples = [0.0; 8000];
        samples[4] = f32::INFINITY;
        let error = rhythm.run(&samples, &mut [0.0; VALUES]).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Input, "sample 4 of the sound is no number"));
    }
}
