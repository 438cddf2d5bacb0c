//! Sound of any rate and any number of channels → one channel at the encoder's rate, chunk by chunk. Pure arithmetic:
//! which window of the sound is meant is left to `align`, what an encoder takes of it to `mel` and `rhythm`.

use kernels::resample::Blocks;

use crate::error::{Error, ErrorKind, Result};

/// Samples of a block at the lower of the two rates, at least. The filter is as long as a block, so this sets how near
/// to the lower Nyquist frequency it stays flat: to 0.96 of it.
const LEAST_BLOCK: usize = 1024;

/// Turns sound into one channel, the mean of all, at another rate.
///
/// The filter has linear phase and its delay is taken away: what happens at a time in the sound happens at the same
/// time in what comes out. Up to 0.96 of the lower of the two Nyquist frequencies its gain is 1 within 0.01 dB; of what
/// is above, nothing is left over -120 dB. Of `n` samples come `round(n * to / from)`, halves up. Before the first
/// sample and after the last there is silence. At equal rates the channels are mixed and no more.
///
/// What comes out does not depend on how the sound is cut into chunks: blocks of a fixed length are transformed
/// (double precision) whatever the chunks are. A block is [`block`](Self::block) samples. It is short, about 0.1 s,
/// where the rates have a large common divisor, as all usual ones have; where they have none it is two seconds, and so
/// is the wait for what comes out.
pub struct Resampler {
    from: u32,
    to: u32,
    channels: usize,
    filter: Option<Filter>,
    /// What is taken off each sample of the one channel.
    offset: f64,
    /// Samples of one channel that came since the start.
    came: u64,
    /// Samples that were given since the start.
    gave: u64,
}

struct Filter {
    blocks: Blocks,
    /// The block that fills: `f64[block]`, of which `filled` came.
    input: Vec<f64>,
    filled: usize,
    output: Vec<f64>,
    /// Samples of the filter's delay that are still to be left out.
    skip: usize,
}

impl Resampler {
    /// From `from` samples a second of each of `channels` to `to` samples a second of one.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a rate is not 1000 to 768000 Hz or there are not 1 to 64 channels.
    pub fn new(from: u32, channels: usize, to: u32) -> Result<Self> {
        let rates = 1000..=768_000;
        if !rates.contains(&from) || !rates.contains(&to) {
            let what = format!("a sound is resampled between rates of 1000 to 768000 Hz, found {from} and {to} Hz");
            return Err(Error::new(ErrorKind::Input, what));
        }
        if !(1..=64).contains(&channels) {
            return Err(Error::new(ErrorKind::Input, format!("a sound has 1 to 64 channels, found {channels}")));
        }
        let filter = if from == to { None } else { Some(Filter::new(from as usize, to as usize)?) };
        Ok(Self { from, to, channels, filter, offset: 0.0, came: 0, gave: 0 })
    }

    /// How many samples come of `samples` of one channel, when all is told.
    pub fn count(&self, samples: u64) -> u64 {
        let (from, to) = (u128::from(self.from), u128::from(self.to));
        ((2 * u128::from(samples) * to + from) / (2 * from)) as u64
    }

    /// Samples of one channel that are transformed at once; 1 where nothing is.
    pub fn block(&self) -> usize {
        self.filter.as_ref().map_or(1, |filter| filter.input.len())
    }

    /// Takes the next chunk, samples of all channels in turn, and appends to `into` what can be told by now.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the samples are no whole number of each channel, or one is no number. Nothing is taken
    /// then.
    pub fn push(&mut self, samples: &[f32], into: &mut Vec<f32>) -> Result<()> {
        if !samples.len().is_multiple_of(self.channels) {
            let what = format!("{} samples are no whole number for each of {} channels", samples.len(), self.channels);
            return Err(Error::new(ErrorKind::Input, what));
        }
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::new(ErrorKind::Input, format!("sample {at} of the sound is no number")));
        }
        let before = into.len();
        let (channels, offset) = (self.channels as f64, self.offset);
        let mixed = samples
            .chunks_exact(self.channels)
            .map(|frame| frame.iter().map(|&sample| f64::from(sample)).sum::<f64>() / channels - offset);
        match &mut self.filter {
            None => into.extend(mixed.map(|value| value as f32)),
            Some(filter) => {
                for value in mixed {
                    filter.take(value, into)?;
                }
            }
        }
        self.came += (samples.len() / self.channels) as u64;
        self.gave += (into.len() - before) as u64;
        Ok(())
    }

    /// Ends the sound: appends the rest to `into` and is ready for another sound.
    ///
    /// # Errors
    /// [`ErrorKind::Runtime`] when the filter refuses, which it does not for what [`push`](Self::push) takes.
    pub fn finish(&mut self, into: &mut Vec<f32>) -> Result<()> {
        let rest = (self.count(self.came) - self.gave) as usize;
        (self.came, self.gave) = (0, 0);
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let end = into.len() + rest;
        while into.len() < end {
            filter.take(0.0, into)?;
        }
        into.truncate(end);
        filter.reset();
        Ok(())
    }

    /// A whole sound at once: replaces what is in `into`. What was pushed before and not finished is forgotten.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn run(&mut self, samples: &[f32], into: &mut Vec<f32>) -> Result<()> {
        if let Some(filter) = &mut self.filter {
            filter.reset();
        }
        (self.came, self.gave) = (0, 0);
        into.clear();
        self.push(samples, into)?;
        self.finish(into)
    }

    /// A whole sound at once without its offset, the mean of all samples, which no ear hears: a cheap microphone lies beside
    /// zero, each by another amount. Else as [`run`](Self::run).
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn run_centred(&mut self, samples: &[f32], into: &mut Vec<f32>) -> Result<()> {
        let sum: f64 = samples.iter().map(|&sample| f64::from(sample)).sum();
        self.offset = sum / samples.len().max(1) as f64;
        let result = self.run(samples, into);
        self.offset = 0.0;
        result
    }
}

impl Filter {
    fn new(from: usize, to: usize) -> Result<Self> {
        let common = gcd(from, to);
        // An even number of units, so that half a block, the delay, is a whole number of samples at both rates; a power
        // of two, which transforms like.
        let units = LEAST_BLOCK.div_ceil(from.min(to) / common).next_power_of_two().max(2);
        let block = units * from / common;
        let blocks = Blocks::new(from, to, block)
            .map_err(|e| Error::caused(ErrorKind::Input, format!("no resampler from {from} to {to} Hz"), e))?;
        let output = vec![0.0; blocks.most()];
        let skip = blocks.delay();
        Ok(Self { blocks, input: vec![0.0; block], filled: 0, output, skip })
    }

    /// Takes one sample, and when it fills a block appends what comes of it.
    fn take(&mut self, value: f64, into: &mut Vec<f32>) -> Result<()> {
        self.input[self.filled] = value;
        self.filled += 1;
        if self.filled < self.input.len() {
            return Ok(());
        }
        self.filled = 0;
        let count = self.blocks.run(&self.input, &mut self.output);
        let failed = || Error::new(ErrorKind::Runtime, "the resampler refused a block of its own size");
        let count = count.ok_or_else(failed)?;
        let left_out = self.skip.min(count);
        self.skip -= left_out;
        into.extend(self.output[left_out..count].iter().map(|&value| value as f32));
        Ok(())
    }

    fn reset(&mut self) {
        self.blocks.reset();
        self.filled = 0;
        self.skip = self.blocks.delay();
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const RATES: [u32; 12] =
        [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

    fn sine(hz: f64, rate: u32, count: usize) -> Vec<f32> {
        (0..count).map(|i| (0.5 * (TAU * hz * i as f64 / f64::from(rate)).sin()) as f32).collect()
    }

    #[test]
    fn an_offset_is_taken_off_before_the_filter_sees_its_edges() {
        for to in [16_000, 8000] {
            let plain = sine(440.0, 16_000, 16_000);
            let beside: Vec<f32> = plain.iter().map(|sample| sample + 0.1).collect();
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            let mut resampler = Resampler::new(16_000, 1, to).unwrap();
            resampler.run(&plain, &mut expected).unwrap();
            resampler.run_centred(&beside, &mut found).unwrap();
            let apart = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(expected.len() == found.len() && apart < 1e-6, "{to}: {apart}");
            resampler.run(&beside, &mut found).unwrap();
            assert!((found[found.len() / 2] - expected[expected.len() / 2]).abs() > 0.09);
        }
    }

    fn run(samples: &[f32], from: u32, channels: usize, to: u32) -> Vec<f32> {
        let mut into = vec![9.0; 3];
        Resampler::new(from, channels, to).unwrap().run(samples, &mut into).unwrap();
        into
    }

    /// Amplitude and phase (as a delay in seconds) of `hz` in the middle of `samples`, and the RMS of all else.
    fn tone(samples: &[f32], hz: f64, rate: u32) -> (f64, f64, f64) {
        let edge = samples.len() / 4;
        let middle = &samples[edge..samples.len() - edge];
        let angle = |i: usize| TAU * hz * (edge + i) as f64 / f64::from(rate);
        // Least squares by sine and cosine.
        let (mut ss, mut sc, mut cc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (i, &x) in middle.iter().enumerate() {
            let ((s, c), x) = (angle(i).sin_cos(), f64::from(x));
            (ss, sc, cc, xs, xc) = (ss + s * s, sc + s * c, cc + c * c, xs + x * s, xc + x * c);
        }
        let det = ss * cc - sc * sc;
        let (a, b) = ((xs * cc - xc * sc) / det, (xc * ss - xs * sc) / det);
        let rest = middle.iter().enumerate().map(|(i, &x)| {
            let (s, c) = angle(i).sin_cos();
            (f64::from(x) - a * s - b * c).powi(2)
        });
        (a.hypot(b), -b.atan2(a) / TAU / hz, (rest.sum::<f64>() / middle.len() as f64).sqrt())
    }

    fn decibels(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    #[test]
    fn a_sine_keeps_its_amplitude_and_its_phase() {
        let (mut ripple, mut late, mut beside) = (0.0f64, 0.0f64, f64::MIN);
        for from in RATES {
            for to in [16_000, 22_050, 48_000].into_iter().filter(|to| *to != from) {
                for share in [0.01, 0.3, 0.7, 0.9, 0.96] {
                    let hz = share * f64::from(from.min(to)) / 2.0;
                    let got = run(&sine(hz, from, from as usize), from, 1, to);
                    let (amplitude, delay, rest) = tone(&got, hz, to);
                    ripple = ripple.max(decibels(amplitude / 0.5).abs());
                    late = late.max(delay.abs() * f64::from(to));
                    beside = beside.max(decibels(rest / 0.5));
                }
            }
        }
        println!("pass band: {ripple:.1e} dB, {late:.1e} samples late, {beside:.1} dB beside the tone");
        assert!(ripple < 0.01, "{ripple} dB");
        assert!(late < 1e-4, "{late} samples");
        assert!(beside < -120.0, "{beside} dB");
    }

    #[test]
    fn a_tone_above_the_new_nyquist_is_gone() {
        let mut left = f64::MIN;
        for (from, to) in [(22_050, 16_000), (32_000, 16_000), (44_100, 16_000), (48_000, 16_000), (192_000, 48_000)] {
            for hz in [1.0, 1.01, 1.1, 1.3].map(|share| share * f64::from(to) / 2.0) {
                let got = run(&sine(hz, from, from as usize), from, 1, to);
                // The sine begins and ends at once, and a beginning has all frequencies: the middle alone is judged.
                let middle = &got[got.len() / 4..got.len() * 3 / 4];
                let power = middle.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / middle.len() as f64;
                left = left.max(decibels(power.sqrt() / (0.5 / 2f64.sqrt())));
            }
        }
        println!("stop band: {left:.1} dB");
        assert!(left < -120.0, "{left} dB");
    }

    #[test]
    fn an_impulse_stays_at_its_time() {
        for from in RATES {
            for at in [0.1, 0.25, 0.4321] {
                let mut samples = vec![0.0; from as usize / 2];
                samples[(at * f64::from(from)) as usize] = 1.0;
                let at = (at * f64::from(from)).floor() / f64::from(from);
                let got = run(&samples, from, 1, 16_000);
                let peak = (0..got.len()).max_by(|&a, &b| got[a].abs().total_cmp(&got[b].abs())).unwrap();
                assert!((peak as f64 - at * 16_000.0).abs() <= 1.0, "{from} Hz: {peak}, not {}", at * 16_000.0);
            }
        }
    }

    #[test]
    fn counts_are_exact() {
        for from in RATES {
            for to in RATES {
                let mut resampler = Resampler::new(from, 1, to).unwrap();
                let mut into = Vec::new();
                for count in [0, 1, 2, 3, 159, 4410, 16_001] {
                    resampler.run(&vec![0.1; count], &mut into).unwrap();
                    let expected = (count as f64 * f64::from(to) / f64::from(from) + 1e-9).round() as usize;
                    assert_eq!(into.len(), expected, "{count} samples from {from} to {to} Hz");
                    assert_eq!(resampler.count(count as u64), expected as u64);
                }
            }
        }
    }

    #[test]
    fn rates_with_nothing_in_common_are_resampled_as_well() {
        for (from, to) in [(47_999, 16_000), (1000, 16_000), (767_999, 16_000), (16_000, 767_999)] {
            let got = run(&sine(220.0, from, from as usize), from, 1, to);
            assert_eq!(got.len(), to as usize);
            let (amplitude, delay, rest) = tone(&got, 220.0, to);
            assert!(decibels(amplitude / 0.5).abs() < 0.01, "{from} to {to} Hz: {amplitude}");
            assert!((delay * f64::from(to)).abs() < 0.01 && decibels(rest / 0.5) < -100.0, "{from} to {to} Hz: {rest}");
        }
    }

    #[test]
    fn channels_become_their_mean() {
        assert_eq!(run(&[0.25, 0.75, -1.0, 0.5], 16_000, 2, 16_000), [0.5, -0.25]);
        let left = sine(440.0, 48_000, 9600);
        let both: Vec<f32> = left.iter().flat_map(|&x| [x, 0.0, -x, 4.0 * x]).collect();
        assert_eq!(run(&both, 48_000, 4, 16_000), run(&left, 48_000, 1, 16_000));
    }

    #[test]
    fn what_is_no_sound_is_refused_and_leaves_no_trace() {
        for (from, channels, to) in [(999, 1, 16_000), (48_000, 1, 768_001), (48_000, 0, 16_000), (48_000, 65, 16_000)]
        {
            assert_eq!(Resampler::new(from, channels, to).err().unwrap().kind(), ErrorKind::Input);
        }
        let mut resampler = Resampler::new(48_000, 2, 16_000).unwrap();
        let mut into = Vec::new();
        let error = resampler.push(&[0.0; 3], &mut into).unwrap_err();
        assert_eq!(error.message(), "3 samples are no whole number for each of 2 channels");
        let error = resampler.push(&[0.0, f32::NAN], &mut into).unwrap_err();
        assert_eq!(error.message(), "sample 1 of the sound is no number");
        resampler.push(&[0.5; 96], &mut into).unwrap();
        resampler.finish(&mut into).unwrap();
        assert_eq!(into.len(), 16);
        assert_eq!(into, run(&[0.5; 96], 48_000, 2, 16_000));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn chunks_do_not_matter(
            from in prop::sample::select(&RATES),
            channels in 1usize..4,
            samples in prop::collection::vec(-1.0f32..1.0, 0..20_000),
            cuts in prop::collection::vec(1usize..3000, 1..20),
        ) {
            let samples = &samples[..samples.len() / channels * channels];
            let whole = run(samples, from, channels, 16_000);
            let mut resampler = Resampler::new(from, channels, 16_000).unwrap();
            let (mut into, mut rest) = (Vec::new(), samples);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at((cut * channels).min(rest.len()));
                resampler.push(chunk, &mut into).unwrap();
                prop_assert!(into.len() as u64 <= resampler.count((samples.len() / channels) as u64));
                rest = after;
            }
            resampler.finish(&mut into).unwrap();
            prop_assert_eq!(into, whole);
        }
    }
}
