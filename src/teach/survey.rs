//! Examines the good images for weaknesses that limit what can be judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::prepare::pixels::Developer;
use crate::prepare::quality::{self, SKETCH, Span};
use crate::sample::Frame;

/// Below this many of 256 levels, fine differences are lost.
const FEW_LEVELS: u8 = 64;
/// Difference in grey levels, without noise, below which images count as equal.
const ALIKE: f32 = 0.75;
/// Fewest images for the notice that all are equal.
const FEWEST_ALIKE: usize = 3;

/// Statistics of the used good images.
#[derive(Default)]
pub(super) struct Survey {
    sizes: Vec<(PathBuf, [usize; 2])>,
    /// Of images that a part is taught from for the first time.
    levels: Option<Levels>,
}

/// The grey levels that occur.
#[derive(Default)]
struct Levels {
    first: Option<[f32; SKETCH * SKETCH]>,
    /// Greatest difference of any image from the first, without noise, in grey levels.
    apart: f32,
    /// The brightest value of any.
    top: u8,
    row: Vec<u8>,
}

impl Survey {
    /// For images that a part is taught from for the first time. For added images, only sizes are reported.
    pub(super) fn anew() -> Self {
        Self { levels: Some(Levels::default()), ..Self::default() }
    }

    pub(super) fn add(&mut self, name: &Path, image: &Frame) -> Result<()> {
        self.sizes.push((name.to_path_buf(), [image.width(), image.height()]));
        self.levels.as_mut().map_or(Ok(()), |levels| levels.add(image))
    }

    /// Weaknesses that limit the judging, a sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let of_levels = self.levels.as_ref().map_or_else(Vec::new, |levels| levels.notes(self.sizes.len()));
        odd_sizes(&self.sizes).into_iter().chain(of_levels).collect()
    }
}

impl Levels {
    fn add(&mut self, image: &Frame) -> Result<()> {
        let mut developer = Developer::default();
        let planes = developer.develop(image, [image.height(), image.width()])?;
        self.top = self.top.max(Span::of(&planes).top);
        let sketch = quality::sketch(&planes, &mut self.row);
        let first = self.first.get_or_insert(sketch);
        self.apart = first.iter().zip(sketch).map(|(a, b)| (a - b).abs()).fold(self.apart, f32::max);
        Ok(())
    }

    fn notes(&self, count: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if self.top < FEW_LEVELS {
            let (levels, top) = (u32::from(self.top) + 1, self.top);
            notes.push(format!(
                "the good pictures use {levels} of 256 levels (the brightest is {top}): expose longer; files that hold 10, 12 or \
                 14 bits in 16 want their values multiplied by 64, 16 or 4"
            ));
        }
        if count >= FEWEST_ALIKE && self.apart < ALIKE {
            notes.push(format!(
                "the {count} good pictures are alike but for noise ({:.1} grey levels apart at most): if they show one and the same \
                 part, show others too, or these will be rejected",
                self.apart
            ));
        }
        notes
    }
}

/// Good images whose size differs from most by more than is tolerated in inspection. After teaching them, no size would
/// be rejected.
fn odd_sizes(sizes: &[(PathBuf, [usize; 2])]) -> Option<String> {
    let mut counts = BTreeMap::new();
    sizes.iter().for_each(|(_, size)| *counts.entry(*size).or_insert(0usize) += 1);
    let (usual, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let fits = |side: usize, usual: usize| 4 * side >= 3 * usual && 3 * side <= 4 * usual;
    let odd = |(_, size): &&(PathBuf, [usize; 2])| (0..2).any(|i| !fits(size[i], usual[i]));
    let told = |(name, [width, height]): &(PathBuf, [usize; 2])| format!("{} {width} x {height}", name.display());
    let odd: Vec<String> = sizes.iter().filter(odd).map(told).collect();
    let more = if odd.len() > 3 { format!(" and {} more", odd.len() - 3) } else { String::new() };
    (!odd.is_empty()).then(|| {
        let [width, height] = usual;
        format!(
            "sizes differ: most good pictures have {width} x {height} pixels, {}{more}; all sizes between are judged",
            odd[..odd.len().min(3)].join(", ")
        )
    })
}
