//! Registration of a part: frames → the reference image's view of them. `register` finds the pose; the encoder and the
//! memory judge the view.

use crate::error::Result;
use crate::geometry::Affine;
use crate::prepare::register::{Registrar, Registration, Structure, warp};
use crate::sample::Frame;

/// Longest side of a view: finer than any encoder's input.
const VIEW_SIDE: usize = 768;

/// A picture of the part in the pose it was taught in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `u8[height, width]`, grey.
    pub pixels: Vec<u8>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Reference {
    /// `frame` in grey, reduced to a longer side of 768 px where it is larger.
    ///
    /// # Errors
    /// As [`warp`].
    pub fn of(frame: &Frame) -> Result<Self> {
        let size = [frame.width(), frame.height()];
        let shrink = (VIEW_SIDE as f64 / size[0].max(size[1]) as f64).min(1.0);
        let [width, height] = size.map(|side| ((side as f64 * shrink).round() as usize).max(1));
        let view = warp(&grey(frame)?, size, 1, &Affine::IDENTITY, size, [width, height])?;
        Ok(Self { pixels: view.pixels, width, height })
    }
}

/// A frame, resampled into the reference's view.
#[derive(Debug, Clone)]
pub struct View {
    /// The frame resampled into the reference's pixels, in its own format.
    pub frame: Frame,
    /// `u8[height, width]`: 255 where the frame reaches, else 0.
    pub covered: Vec<u8>,
    /// The pose. Its map takes the view's pixels to the frame's.
    pub pose: Registration,
}

/// Registers frames to a reference.
pub struct Fixture {
    registrar: Registrar,
    size: [usize; 2],
}

impl Fixture {
    /// Prepares the reference, which takes a few milliseconds.
    ///
    /// # Errors
    /// As [`Registrar::new`].
    pub fn new(reference: &Reference) -> Result<Self> {
        let size = [reference.width, reference.height];
        Ok(Self { registrar: Registrar::new(&reference.pixels, size)?, size })
    }

    /// Width and height of the view.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Finds the part and resamples it. Outside the frame, its edge is repeated.
    ///
    /// # Errors
    /// As [`Registrar::register`].
    pub fn view(&self, frame: &Frame) -> Result<View> {
        let size = [frame.width(), frame.height()];
        let pose = self.registrar.register(&grey(frame)?, size)?;
        let channels = frame.channels()?;
        let warped = warp(frame.pixels(), size, channels, &pose.picture_from_reference, self.size, self.size)?;
        let mut view = Frame::new(warped.pixels, frame.format(), self.size[0], self.size[1])?;
        (view.stamp, view.sequence) = (frame.stamp, frame.sequence);
        Ok(View { frame: view, covered: warped.covered, pose })
    }

    /// Whether images of this part can be registered: see [`Registrar::structure`].
    ///
    /// # Errors
    /// As [`Registrar::structure`].
    pub fn structure(&self, reference: &Reference, good: &[Frame]) -> Result<Structure> {
        let greys: Vec<(Vec<u8>, [usize; 2])> =
            good.iter().map(|f| Ok((grey(f)?, [f.width(), f.height()]))).collect::<Result<_>>()?;
        let good: Vec<(&[u8], [usize; 2])> = greys.iter().map(|(grey, size)| (&grey[..], *size)).collect();
        self.registrar.structure((&reference.pixels, self.size), &good)
    }
}

/// Brightness of each pixel of a plain frame, `u8[height, width]`, by the weights of ITU-R BT.601.
///
/// # Errors
/// As [`Frame::channels`].
pub fn grey(frame: &Frame) -> Result<Vec<u8>> {
    if frame.channels()? == 1 {
        return Ok(frame.pixels().to_vec());
    }
    let luma = |[r, g, b]: &[u8; 3]| (77 * u32::from(*r) + 150 * u32::from(*g) + 29 * u32::from(*b)) >> 8;
    Ok(frame.pixels().as_chunks::<3>().0.iter().map(|pixel| luma(pixel) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;
    use crate::testing::printed::{Board, Dice, SIZE, Shot};

    #[test]
    fn a_turned_board_is_seen_as_it_was_taught() {
        let board = Board::new(3);
        let shot = |pose: Affine| Shot { pose, seed: 1, blur: 0.0, noise: 0.0, light: false };
        let frame = |pose| Frame::new(board.picture(&shot(pose), None), PixelFormat::Rgb8, SIZE[0], SIZE[1]).unwrap();
        let taught = frame(Affine::IDENTITY);
        let reference = Reference::of(&taught).unwrap();
        let fixture = Fixture::new(&reference).unwrap();
        let turned = frame(Dice(5).pose(40.0, [0.9, 1.1], 20.0));
        let view = fixture.view(&turned).unwrap();
        let (seen, wanted) = (grey(&view.frame).unwrap(), grey(&taught).unwrap());
        let inside = view.covered.iter().zip(seen.iter().zip(&wanted)).filter(|(covered, _)| **covered != 0);
        let apart: Vec<f64> = inside.map(|(_, (a, b))| f64::from(a.abs_diff(*b))).collect();
        let mean = apart.iter().sum::<f64>() / apart.len() as f64;
        assert!(mean < 6.0 && view.pose.ncc > 0.7, "{mean} {:?}", view.pose);
        assert!(apart.len() > seen.len() / 2);
    }
}
