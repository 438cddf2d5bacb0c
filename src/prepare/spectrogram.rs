//! A sound → the image for an encoder: each band of a log-mel relative to its own median level. `steady` and `listen`
//! measure the levels of the bands themselves.
//!
//! A band's median over the sound is mid-grey. A machine that runs louder today, or a microphone a step farther away,
//! therefore gives the same image. Events stand out: a knock, a tone that comes and goes, a rub. A new sound that is
//! continuous does not show in the image.

use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::SpectrogramSpec;
use crate::prepare::mel::{Mel, MelSpec};
use crate::prepare::resample::Resampler;
use crate::sample::{Frame, PixelFormat, Sound};

/// Makes images of sounds, with reused buffers.
pub struct Spectrograph {
    spec: SpectrogramSpec,
    mel: Mel,
    /// For sounds of this rate and number of channels.
    resampler: Option<(u32, usize, Resampler)>,
    mono: Vec<f32>,
    level: Vec<f32>,
    sorted: Vec<f32>,
}

impl Spectrograph {
    /// As an encoder of a package wants it.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a measure is out of the bounds that [`MelSpec`] tells.
    pub fn new(spec: SpectrogramSpec) -> Result<Self> {
        let SpectrogramSpec { rate, window, hop, bands, low_hz, high_hz, .. } = spec;
        let mel = Mel::new(MelSpec { rate, window, hop, bands, low_hz, high_hz })?;
        Ok(Self { spec, mel, resampler: None, mono: Vec::new(), level: Vec::new(), sorted: Vec::new() })
    }

    /// The measures it was made with.
    pub fn spec(&self) -> SpectrogramSpec {
        self.spec
    }

    /// The sound that was pictured last: one channel, at the encoder's rate.
    pub fn mono(&self) -> &[f32] {
        &self.mono
    }

    /// The log-mel of that sound, `f32[bands, frames]`, in dB, lowest band first.
    pub fn level(&self) -> &[f32] {
        &self.level
    }

    /// The picture of a sound of any rate and number of channels, without its offset: grey, a column for each frame of the log-mel, a row
    /// for each band, the highest on top. 127.5 is the band's median over the sound, 255 and 0 are `range_db` above and
    /// below it.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the sound is shorter than a window, or a sample is no number.
    pub fn picture(&mut self, sound: &Sound) -> Result<Frame> {
        let Self { spec, mel, resampler, mono, level, sorted } = self;
        let (rate, channels) = (sound.rate(), sound.channels());
        let fits = |(of, count, _): &(u32, usize, Resampler)| (*of, *count) == (rate, channels);
        let (_, _, resampler) = match resampler.take().filter(fits) {
            Some(kept) => resampler.insert(kept),
            None => resampler.insert((rate, channels, Resampler::new(rate, channels, spec.rate)?)),
        };
        resampler.run_centred(sound.samples(), mono)?;
        let frames = mel.frames(mono.len());
        if frames == 0 {
            let [has, wants] = [sound.duration().as_secs_f64(), spec.window as f64 / f64::from(spec.rate)];
            let what = format!("a sound of {has:.3} s is too short: {wants:.3} s are looked at at once");
            return Err(Error::new(ErrorKind::Input, what));
        }
        level.resize(spec.bands * frames, 0.0);
        mel.run(mono, level)?;
        let mut pixels = Vec::with_capacity(level.len());
        for band in level.chunks_exact(frames).rev() {
            sorted.clear();
            sorted.extend_from_slice(band);
            let median = *sorted.select_nth_unstable_by(frames / 2, f32::total_cmp).1;
            // The cast stops at 0 and 255.
            pixels.extend(band.iter().map(|db| (127.5 + 127.5 * (db - median) / spec.range_db).round() as u8));
        }
        let mut frame = Frame::new(pixels, PixelFormat::Grey8, frames, spec.bands)?;
        frame.stamp = sound.stamp;
        Ok(frame)
    }

    /// Height and width of the encoder's input for an image of `frames` columns: multiples of `step`.
    pub fn input(&self, frames: usize, step: usize) -> [usize; 2] {
        let width = (frames * self.spec.pixels + step / 2) / step * step;
        [self.spec.bands * self.spec.pixels, width.max(step)]
    }

    /// Time in seconds at which column `x` of an image begins: the middle of its window, less half a hop.
    pub fn seconds(&self, x: f64) -> f64 {
        let SpectrogramSpec { rate, window, hop, .. } = self.spec;
        ((window as f64 - hop as f64) / 2.0 + x * hop as f64) / f64::from(rate)
    }

    /// The frequency, in Hz, at row `y` of an image, counted from its top; the row's edges are whole numbers.
    pub fn hz(&self, y: f64) -> f64 {
        let SpectrogramSpec { bands, low_hz, high_hz, .. } = self.spec;
        let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
        // Band b peaks at corner b + 1 of bands + 2.
        let share = (bands as f64 - y + 0.5) / (bands as f64 + 1.0);
        let at = mel(low_hz) + (mel(high_hz) - mel(low_hz)) * share;
        (700.0 * (10f64.powf(at / 2595.0) - 1.0)).clamp(low_hz, high_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> SpectrogramSpec {
        SpectrogramSpec {
            rate: 16_000,
            window: 1024,
            hop: 160,
            bands: 128,
            low_hz: 0.0,
            high_hz: 8000.0,
            range_db: 16.0,
            pixels: 2,
        }
    }

    /// Two seconds of noise with half a second of a tone.
    fn sound(rate: u32, channels: usize, gain: f32) -> Sound {
        let mut state = 1u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let samples = (0..2 * rate as usize).flat_map(|i| {
            let time = i as f32 / rate as f32;
            let tone = if (0.5..1.0).contains(&time) { (time * 2000.0 * std::f32::consts::TAU).sin() } else { 0.0 };
            let sample = gain * (0.02 * noise() + 0.2 * tone);
            vec![sample; channels]
        });
        Sound::new(samples.collect::<Vec<f32>>(), rate, channels).unwrap()
    }

    #[test]
    fn a_tone_is_seen_at_its_time_and_frequency() {
        let mut ear = Spectrograph::new(spec()).unwrap();
        let picture = ear.picture(&sound(16_000, 1, 1.0)).unwrap();
        assert_eq!((picture.width(), picture.height()), (194, 128));
        let bright: Vec<[usize; 2]> =
            (0..194 * 128).filter(|&i| picture.pixels()[i] == 255).map(|i| [i % 194, i / 194]).collect();
        let of =
            |k: usize| (bright.iter().map(|at| at[k]).min().unwrap(), bright.iter().map(|at| at[k]).max().unwrap());
        let ((left, right), (top, bottom)) = (of(0), of(1));
        let [begin, end] = [ear.seconds(left as f64), ear.seconds(right as f64 + 1.0)];
        assert!((begin - 0.5).abs() < 0.04 && (end - 1.0).abs() < 0.04, "{begin} to {end} s");
        let [high, low] = [ear.hz(top as f64), ear.hz(bottom as f64 + 1.0)];
        assert!(low < 2000.0 && 2000.0 < high && high - low < 1500.0, "{low} to {high} Hz");
    }

    #[test]
    fn loudness_rate_and_channels_do_not_matter() {
        let mut ear = Spectrograph::new(spec()).unwrap();
        let plain = ear.picture(&sound(16_000, 1, 1.0)).unwrap();
        let loud = ear.picture(&sound(16_000, 2, 4.0)).unwrap();
        let near = plain.pixels().iter().zip(loud.pixels()).filter(|(a, b)| a.abs_diff(**b) <= 1).count();
        assert!(near * 100 > 99 * plain.pixels().len(), "{near} of {}", plain.pixels().len());
        let other = ear.picture(&sound(48_000, 1, 1.0)).unwrap();
        assert_eq!((other.width(), other.height()), (plain.width(), plain.height()));
    }

    #[test]
    fn what_is_silent_is_grey_and_what_is_too_short_is_refused() {
        let mut ear = Spectrograph::new(spec()).unwrap();
        let silent = ear.picture(&Sound::new(vec![0.0; 16_000], 16_000, 1).unwrap()).unwrap();
        assert!(silent.pixels().iter().all(|&value| value == 128));
        let error = ear.picture(&Sound::new(vec![0.0; 160], 16_000, 1).unwrap()).unwrap_err();
        assert_eq!(error.message(), "a sound of 0.010 s is too short: 0.064 s are looked at at once");
        assert_eq!(ear.input(194, 32), [256, 384]);
    }
}
