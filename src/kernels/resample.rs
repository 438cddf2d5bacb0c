//! One channel of sound at another rate, block by block.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _, ResamplerConstructionError, WindowFunction};

/// Transforms blocks of one length, each with what is left over of the one before.
pub struct Blocks(Fft<f64>);

impl Blocks {
    /// From `from` to `to` samples a second, in blocks of `block` samples at the former. The filter is as long as a block.
    ///
    /// # Errors
    /// When a rate or the block is zero.
    pub fn new(from: usize, to: usize, block: usize) -> Result<Self, ResamplerConstructionError> {
        Fft::new_custom(from, to, block, 1, 1, WindowFunction::BlackmanHarris2, FixedSync::Both).map(Self)
    }

    /// Samples that a block gives at most.
    pub fn most(&self) -> usize {
        self.0.output_frames_max()
    }

    /// The filter's delay, in samples that are given.
    pub fn delay(&self) -> usize {
        self.0.output_delay()
    }

    /// What comes of a block, written to the beginning of `output`: how many samples. `None` when it is no whole block, or
    /// there is no room for [`Blocks::most`].
    pub fn run(&mut self, block: &[f64], output: &mut [f64]) -> Option<usize> {
        let room = output.len();
        let input = SequentialSlice::new(block, 1, block.len()).ok()?;
        let mut output = SequentialSlice::new_mut(output, 1, room).ok()?;
        let (_, count) = self.0.process_into_buffer(&input, &mut output, None).ok()?;
        Some(count)
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}
