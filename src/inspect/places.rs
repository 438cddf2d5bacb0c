//! Heatmap → findings, mapped from the taught pose back to the image. Also the reasons why an image cannot be judged.

use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Affine;
use crate::memory::part::Envelope;
use crate::prepare::fixture::View;
use crate::prepare::quality::Quality;
use crate::report::{Expected, Finding, GridPosition, Heatmap, Pose, Reason, ReasonCode, Region, What};
use crate::sample::Frame;

/// Share of the taught view that an image must show.
pub(super) const LEAST_OVERLAP: f32 = 0.8;

pub(super) fn pose_of(view: &View) -> Pose {
    let [a, _, _, d, _, _] = view.pose.picture_from_reference.m;
    Pose {
        centre: view
            .pose
            .picture_from_reference
            .apply([view.frame.width() as f64 / 2.0, view.frame.height() as f64 / 2.0]),
        turn_deg: d.atan2(a).to_degrees(),
        scale: a.hypot(d),
        correlation: view.pose.ncc,
        overlap: view.pose.overlap,
    }
}

/// Maps positions of a grid over the image to the same grid over the taught pose.
pub(super) fn pose_from_picture([rows, columns]: [usize; 2], view: &View, frame: &Frame) -> Result<Affine> {
    let view_from_picture = view
        .pose
        .picture_from_reference
        .inverse()
        .ok_or_else(|| Error::new(ErrorKind::Input, "the pose found flattens the picture"))?;
    let picture_from_grid =
        Affine::scale_shift([frame.width() as f64 / columns as f64, frame.height() as f64 / rows as f64], [0.0; 2]);
    let grid_from_view = Affine::scale_shift(
        [columns as f64 / view.frame.width() as f64, rows as f64 / view.frame.height() as f64],
        [0.0; 2],
    );
    Ok(grid_from_view.after(&view_from_picture.after(&picture_from_grid)))
}

/// The patch of a grid that contains a position, or the nearest one.
fn cell_at([rows, columns]: [usize; 2], x: f64, y: f64) -> usize {
    let side = |v: f64, n: usize| (v.max(0.0) as usize).min(n - 1);
    side(y, rows) * columns + side(x, columns)
}

/// The heatmap of the taught pose, on a grid over the image itself. Outside the taught view it is zero.
pub(super) fn heat_taken_back(heatmap: &Heatmap, view: &View, frame: &Frame) -> Result<Heatmap> {
    let (rows, columns) = (heatmap.rows, heatmap.columns);
    let there = pose_from_picture([rows, columns], view, frame)?;
    let value = |i: usize| {
        let [x, y] = there.apply([(i % columns) as f64 + 0.5, (i / columns) as f64 + 0.5]);
        if x < 0.0 || y < 0.0 || x >= columns as f64 || y >= rows as f64 {
            return 0.0;
        }
        let ([u, v], [left, top]) = ([(x - 0.5).rem_euclid(1.0), (y - 0.5).rem_euclid(1.0)], [x - 0.5, y - 0.5]);
        let at = |x: f64, y: f64| heatmap.values[cell_at([rows, columns], x, y)];
        let mix = |a: f32, b: f32, share: f64| a + (b - a) * share as f32;
        let row = |y: f64| mix(at(left, y), at(left + 1.0, y), u);
        mix(row(top), row(top + 1.0), v)
    };
    Ok(Heatmap { values: (0..rows * columns).map(value).collect(), rows, columns })
}

/// The nearest entries in the taught pose, on a grid over the image itself.
pub(super) fn entries_taken_back(expected: &Expected, view: &View, frame: &Frame) -> Result<Expected> {
    let (rows, columns) = (expected.rows, expected.columns);
    let there = pose_from_picture([rows, columns], view, frame)?;
    let entry = |i: usize| {
        let [x, y] = there.apply([(i % columns) as f64 + 0.5, (i / columns) as f64 + 0.5]);
        expected.entries[cell_at([rows, columns], x, y)]
    };
    Ok(Expected { entries: (0..rows * columns).map(entry).collect(), rows, columns })
}

/// A patch that is more than half masked is ignored.
pub(super) fn cool_ignored(heatmap: &mut Heatmap, ignored: &[u8], [height, width]: [usize; 2]) {
    if ignored.is_empty() {
        return;
    }
    let (tall, wide) = (height / heatmap.rows, width / heatmap.columns);
    for (i, value) in heatmap.values.iter_mut().enumerate() {
        let (row, column) = (i / heatmap.columns, i % heatmap.columns);
        let lines = (row * tall..(row + 1) * tall).map(|y| &ignored[y * width + column * wide..][..wide]);
        if 2 * lines.flatten().filter(|v| **v != 0).count() > tall * wide {
            *value = 0.0;
        }
    }
}

/// The reason why an image cannot be judged, if any: its size, light or focus is far outside the taught range.
pub(super) fn cannot_be_judged(
    [width, height]: [usize; 2],
    quality: Quality,
    taught: &Envelope,
    good: usize,
) -> Option<Reason> {
    let fits = |side: usize, [least, most]: [usize; 2]| 4 * side >= 3 * least && 3 * side <= 4 * most;
    if !fits(width, taught.width) || !fits(height, taught.height) {
        let span =
            |[least, most]: [usize; 2]| if least == most { least.to_string() } else { format!("{least}-{most}") };
        let (wide, tall) = (span(taught.width), span(taught.height));
        let text = format!("wrong size: {width} x {height} pixels, taught with {wide} x {tall}");
        return Some(Reason::new(ReasonCode::WrongSize, text));
    }
    // The taught range is extended by half on each side, and at least by a visible change, because few images show
    // little of the range.
    let outside = |value: f32, [least, most]: [f32; 2], least_margin: f32| {
        let margin = (0.5 * (most - least)).max(least_margin * (1.0 + 2.0 / good.max(1) as f32));
        (value < least - margin, value > most + margin)
    };
    let (dark, bright) = outside(quality.brightness, taught.brightness, 25.0);
    let (_, black) = outside(quality.black, taught.black, 0.35);
    let (_, white) = outside(quality.white, taught.white, 0.35);
    let (flat, _) = outside(quality.contrast, taught.contrast, 0.5 * taught.contrast[0]);
    let (soft, _) = outside(quality.sharpness, taught.sharpness, 1.2);
    let told = |code, text| Some(Reason::new(code, text));
    let mean = |[least, most]: [f32; 2]| format!("mean {:.0}, taught {least:.0}-{most:.0}", quality.brightness);
    let share = |of: f32, [_, most]: [f32; 2], what: &str| {
        format!("{:.0} % of it is {what}, taught at most {:.0} %", 100.0 * of, 100.0 * most)
    };
    match () {
        () if dark => told(ReasonCode::TooDark, format!("too dark: {}", mean(taught.brightness))),
        () if black => told(ReasonCode::TooDark, format!("too dark: {}", share(quality.black, taught.black, "black"))),
        () if bright => told(ReasonCode::TooBright, format!("too bright: {}", mean(taught.brightness))),
        () if white => {
            told(ReasonCode::TooBright, format!("too bright: {}", share(quality.white, taught.white, "white")))
        }
        () if flat => {
            let (found, least) = (quality.contrast, taught.contrast[0]);
            told(ReasonCode::NoContrast, format!("no contrast: {found:.1}, taught at least {least:.1}"))
        }
        () if soft => {
            let (found, least) = (quality.sharpness, taught.sharpness[0]);
            told(ReasonCode::OutOfFocus, format!("out of focus: sharpness {found:.1}, taught at least {least:.1}"))
        }
        () => None,
    }
}

/// Connected groups of patches at or above heat 1; `around` calls back for each neighbour of a patch.
fn connected(values: &[f32], around: impl Fn(usize, &mut dyn FnMut(usize))) -> Vec<Vec<usize>> {
    let mut seen = vec![false; values.len()];
    let mut groups = Vec::new();
    for start in 0..values.len() {
        if seen[start] || values[start] < 1.0 {
            continue;
        }
        let (mut stack, mut members) = (vec![start], Vec::new());
        seen[start] = true;
        while let Some(at) = stack.pop() {
            members.push(at);
            around(at, &mut |next| {
                if !seen[next] && values[next] >= 1.0 {
                    seen[next] = true;
                    stack.push(next);
                }
            });
        }
        groups.push(members);
    }
    groups
}

/// The indices of `0..n` from one below to one above.
fn near(at: usize, n: usize) -> std::ops::Range<usize> {
    at.saturating_sub(1)..(at + 2).min(n)
}

/// The hottest of at least one patch.
fn hottest(members: &[usize], values: &[f32]) -> usize {
    members.iter().copied().max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

/// Layout of a clip's heatmap: one tile per step, in rows, early to late.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiled {
    /// Rows and columns of tiles.
    pub tiles: usize,
    /// Rows and columns of a tile's patches.
    pub cells: usize,
}

impl Tiled {
    /// Step, row and column of a patch of the heatmap.
    fn split(self, at: usize) -> [usize; 3] {
        let Self { tiles, cells } = self;
        let (row, column) = (at / (tiles * cells), at % (tiles * cells));
        [row / cells * tiles + column / cells, row % cells, column % cells]
    }

    fn join(self, [step, y, x]: [usize; 3]) -> usize {
        let Self { tiles, cells } = self;
        (step / tiles * cells + y) * tiles * cells + step % tiles * cells + x
    }

    /// Calls back for a patch, given as step, row and column, and its neighbours within the step.
    fn around([step, y, x]: [usize; 3], cells: usize, call: &mut dyn FnMut([usize; 3])) {
        near(y, cells).for_each(|y| near(x, cells).for_each(|x| call([step, y, x])));
    }
}

/// Patches without motion, here and in training, are set to zero: their heat spreads from motion in the next tile.
/// `moves` returns the motion in a patch, given as step, row and column, in the clip or in good ones.
pub(super) fn cool_still(heatmap: &mut Heatmap, tiled: Tiled, moves: impl Fn([usize; 3]) -> f32) {
    for (at, heat) in heatmap.values.iter_mut().enumerate() {
        let mut most = 0.0f32;
        Tiled::around(tiled.split(at), tiled.cells, &mut |cell| most = most.max(moves(cell)));
        if most < STILL {
            *heat = 0.0;
        }
    }
}

/// Motion in grey levels per second below which nothing moves.
const STILL: f32 = 1.0;

/// Findings of a clip: connected patches (neighbours in position and time) at or above heat 1, most severe first. Each
/// comes with its position on the frame and its patches, as step, row and column. Its region is that of its most
/// anomalous step.
pub(super) fn find_motions(
    heatmap: &Heatmap,
    tiled: Tiled,
    side: usize,
) -> Vec<(Finding, GridPosition, Vec<[usize; 3]>)> {
    let Tiled { tiles, cells } = tiled;
    let values = &heatmap.values;
    let groups = connected(values, |at, next| {
        let [step, y, x] = tiled.split(at);
        for step in near(step, tiles * tiles) {
            Tiled::around([step, y, x], cells, &mut |cell| next(tiled.join(cell)));
        }
    });
    let found = groups.into_iter().map(|members| {
        let [step, y, x] = tiled.split(hottest(&members, values));
        let there: Vec<usize> = members.iter().copied().filter(|&at| tiled.split(at)[0] == step).collect();
        let mut finding = finding(&there, heatmap, [tiles * side; 2]);
        finding.area_px = members.len() as f64 * (side * side) as f64 / (cells * cells) as f64;
        finding.area_share = members.len() as f64 / values.len() as f64;
        let position = GridPosition::at((x as f64 + 0.5) / cells as f64, (y as f64 + 0.5) / cells as f64);
        (finding, position, members.into_iter().map(|at| tiled.split(at)).collect())
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|a: &(Finding, _, _), b| b.0.severity.total_cmp(&a.0.severity));
    found
}

/// Connected patches (eight neighbours) at or above heat 1, most severe first.
pub(super) fn find_regions(heatmap: &Heatmap, width: usize, height: usize) -> Vec<Finding> {
    let (rows, columns) = (heatmap.rows, heatmap.columns);
    let groups = connected(&heatmap.values, |at, next| {
        let (row, column) = (at / columns, at % columns);
        near(row, rows).for_each(|y| near(column, columns).for_each(|x| next(y * columns + x)));
    });
    let mut findings: Vec<_> = groups.iter().map(|members| finding(members, heatmap, [width, height])).collect();
    findings.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    findings
}

/// A finding from some patches of an image of `[width, height]`.
fn finding(members: &[usize], heatmap: &Heatmap, [width, height]: [usize; 2]) -> Finding {
    let Heatmap { values, rows, columns } = heatmap;
    let (rows, columns) = (*rows, *columns);
    let cell = [width as f64 / columns as f64, height as f64 / rows as f64];
    let span = |of: &dyn Fn(usize) -> usize, size: f64, side: usize| {
        let least = members.iter().map(|&m| of(m)).min().unwrap_or(0);
        let most = members.iter().map(|&m| of(m)).max().unwrap_or(0);
        let from = (least as f64 * size).round() as usize;
        (from, (((most + 1) as f64 * size).round() as usize).min(side) - from)
    };
    let (x, wide) = span(&|m| m % columns, cell[0], width);
    let (y, tall) = span(&|m| m / columns, cell[1], height);
    let peak = hottest(members, values);
    let centre = [(peak % columns) as f64 + 0.5, (peak / columns) as f64 + 0.5];
    let area_px = members.len() as f64 * cell[0] * cell[1];
    // A large defect is located at its centre, not at its most anomalous point.
    let middle = |from: usize, size: usize, side: usize| (from as f64 + 0.5 * size as f64) / side as f64;
    let position = GridPosition::at(middle(x, wide, width), middle(y, tall, height));
    Finding {
        what: What::Seen { position },
        region: Region { x, y, width: wide, height: tall },
        area_px,
        area_share: members.len() as f64 / values.len() as f64,
        peak: [(centre[0] * cell[0]) as usize, (centre[1] * cell[1]) as usize],
        severity: values[peak],
        place: position.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_boxes_in_picture_pixels_most_severe_first() {
        let mut values = vec![0.2; 20];
        (values[0], values[6], values[19]) = (1.2, 1.5, 3.0);
        let heatmap = Heatmap { values, rows: 4, columns: 5 };
        let findings = find_regions(&heatmap, 100, 40);
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].region, Region { x: 80, y: 30, width: 20, height: 10 });
        assert_eq!((&*findings[0].place, findings[0].severity), ("bottom right", 3.0));
        // Diagonal neighbours are one region.
        assert_eq!(findings[1].region, Region { x: 0, y: 0, width: 40, height: 20 });
        assert_eq!(findings[1].area_px, 400.0);
    }

    #[test]
    fn what_moves_is_followed_from_step_to_step_and_not_into_the_next_tile() {
        // Four steps of two by two cells; the second step's right column meets the third step's left one in no picture.
        let tiled = Tiled { tiles: 2, cells: 2 };
        let mut values = vec![0.0; 16];
        for (cell, heat) in [([0, 0, 0], 1.5), ([1, 0, 1], 2.0), ([3, 1, 1], 3.0)] {
            values[tiled.join(cell)] = heat;
        }
        let mut heatmap = Heatmap { values, rows: 4, columns: 4 };
        assert!((0..16).all(|at| tiled.join(tiled.split(at)) == at));
        let found = find_motions(&heatmap, tiled, 10);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].1, found[0].0.region),
            (GridPosition::BottomRight, Region { x: 15, y: 15, width: 5, height: 5 })
        );
        // A cell of one step and its diagonal neighbour of the next are one; the box is that of the hotter.
        let (finding, _, cells) = &found[1];
        assert_eq!((cells.len(), finding.severity), (2, 2.0));
        assert_eq!(finding.region, Region { x: 15, y: 0, width: 5, height: 5 });
        cool_still(&mut heatmap, tiled, |[step, ..]| if step == 3 { 0.0 } else { 5.0 });
        assert_eq!(heatmap.values.iter().filter(|heat| **heat > 0.0).count(), 2);
    }

    #[test]
    fn an_ignored_cell_is_never_hot() {
        let mut heatmap = Heatmap { values: vec![5.0; 4], rows: 2, columns: 2 };
        let mut ignored = vec![0; 16];
        [0, 1, 4, 5].iter().for_each(|&i| ignored[i] = 1);
        ignored[2] = 1;
        cool_ignored(&mut heatmap, &ignored, [4, 4]);
        assert_eq!(heatmap.values, [0.0, 5.0, 5.0, 5.0]);
    }
}
