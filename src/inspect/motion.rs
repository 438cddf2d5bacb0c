//! Clips → pictures of their motion, and what moves where a finding lies. What distances mean is left to the inspector.

use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Manifest, Sense};
use crate::memory::motion::UsualMotion;
use crate::prepare::clip::{Filmed, Kymograph};
use crate::report::{Finding, Moved, Region};

/// What makes pictures of clips for the clip encoder of a package.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when the package has none.
pub fn kymograph(manifest: &Manifest) -> Result<Kymograph> {
    let spec = manifest.encoder(Sense::Clip)?.clip;
    // `Manifest::read` let none through without it.
    let missing = || Error::new(ErrorKind::Config, format!("{}: `clip_encoder.clip` is missing", manifest.name));
    Ok(Kymograph::new(spec.ok_or_else(missing)?))
}

/// Says what moves in a finding's `cells`, as step, row and column, of the clip that was pictured last; `place` is that of the
/// strangest.
pub(super) fn describe(
    finding: &mut Finding,
    place: &'static str,
    cells: &[[usize; 3]],
    kymograph: &Kymograph,
    usual: &UsualMotion,
) {
    let (steps, side, Filmed { seconds, size, .. }) = (kymograph.steps(), kymograph.cells(), kymograph.filmed());
    let span = |of: usize| {
        let values = || cells.iter().map(|cell| cell[of]);
        [values().min().unwrap_or(0), values().max().unwrap_or(0) + 1]
    };
    let ([from, to], [top, bottom], [left, right]) = (span(0), span(1), span(2));
    let time = |step: usize| step as f64 * seconds / steps as f64;
    let pixel = |cell: usize, whole: usize| (cell * whole + side / 2) / side;
    let [width, height] = size;
    let (x, y) = (pixel(left, width), pixel(top, height));
    let region = Region { x, y, width: pixel(right, width) - x, height: pixel(bottom, height) - y };
    let at: Vec<usize> = cells.iter().map(|[step, y, x]| (step * side + y) * side + x).collect();
    let compared = usual.compare(kymograph.motion(), &at, side * side);
    let seconds = [from, to].map(time);
    finding.place = format!("{:.1} to {:.1} s, {place}", seconds[0], seconds[1]).into();
    let (character, motion, usual) = (compared.character, compared.motion, compared.usual);
    finding.moved = Some(Moved { seconds, place, region, character, motion, usual });
}
