//! What is drawn of a report: heat and boxes over the picture, and what the memory expected to see.
//! Knows no part and no file; bytes of a file are left to [`Picture`].

use super::picture::Picture;
use crate::memory::features::interpolate;
use crate::report::{Finding, Heatmap, Ignored, Region, Report, SenseReport, Steps};
use crate::sample::Frame;

/// Colours of heat from [`COOL`] to [`HOT`], evenly spaced: ten points of matplotlib's inferno. Its lightness
/// rises steadily, so it reads the same in grey and to a colour-blind eye. The near-black first point is left
/// out: a shadow is not heat.
pub const COLOURS: [[u8; 3]; 9] = [
    [0x1b, 0x0c, 0x41],
    [0x4a, 0x0c, 0x6b],
    [0x78, 0x1c, 0x6d],
    [0xa5, 0x2c, 0x60],
    [0xcf, 0x44, 0x46],
    [0xed, 0x69, 0x25],
    [0xfb, 0x9b, 0x06],
    [0xf7, 0xd1, 0x3d],
    [0xfc, 0xff, 0xa4],
];
/// Heat from which something is painted. The scale is fixed: 1 is the part's limit on every picture.
pub const COOL: f32 = 0.5;
/// Heat from which the colour grows no more.
pub const HOT: f32 = 2.0;
/// Findings that get a number beside their box; the page lists them by it.
pub const NUMBERED: usize = 9;

/// The hottest paint lets a little through: the defect itself must stay visible.
const MOST_OPAQUE: f32 = 0.8;
const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];
/// Not among the colours of heat.
const MASK: [u8; 3] = [0x00, 0xd8, 0xff];
const NOTHING: [u8; 3] = [128; 3];
/// Hatching lines across the longer side of a picture that is not inspected at all.
const HATCHES: usize = 48;

/// Heat, boxes and numbers of one sense of a `report` over `picture`, which shows the whole frame at any scale.
///
/// `frame` is `[width, height]` of what was inspected. A picture that could not be judged stays as it is.
pub fn overlay(picture: &Picture, frame: [usize; 2], report: &Report, of: &SenseReport) -> Picture {
    let mut picture = picture.clone();
    if !of.is_valid() {
        return picture;
    }
    paint_heat(&mut picture, &of.heatmap);
    if let Some(ignored) = &of.ignored {
        hatch(&mut picture, ignored);
    }
    let scale = [picture.width as f64 / frame[0].max(1) as f64, picture.height as f64 / frame[1].max(1) as f64];
    // The most severe is drawn last and lies on top.
    let findings: Vec<&Finding> = report.findings_of(of.sense).collect();
    for (i, finding) in findings.iter().enumerate().rev() {
        for (_, region) in regions(finding, of, frame) {
            let drawn = draw_box(&mut picture, &region, scale);
            if i < NUMBERED {
                draw_number(&mut picture, drawn, i + 1);
            }
        }
    }
    picture
}

/// Marks what is not inspected: greyer, and hatched, so that it is not taken for a dark place.
pub fn hatch(picture: &mut Picture, ignored: &Ignored) {
    let (width, height) = (picture.width, picture.height);
    let every = (width.max(height) / HATCHES).max(4);
    for (i, pixel) in picture.pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let [x, y] = [i % width, i / width];
        if ignored.at([(x as f64 + 0.5) / width as f64, (y as f64 + 0.5) / height as f64]) {
            let onto = if (x + y) % every < every.div_ceil(6) { WHITE[0] } else { NOTHING[0] };
            *pixel = pixel.map(|value| value.midpoint(onto));
        }
    }
}

/// The boxes and numbers of what is strange in a `step` of a clip, over one of its frames at any scale.
pub fn findings_at(picture: &mut Picture, report: &Report, of: &SenseReport, step: usize) {
    let Some(steps) = &of.steps else { return };
    let tiled = [steps.frames.width(), steps.frames.height()];
    let tile = tiled.map(|side| side / steps.tiles);
    let [left, top] = [step % steps.tiles * tile[0], step / steps.tiles * tile[1]];
    let scale = [picture.width as f64 / tile[0].max(1) as f64, picture.height as f64 / tile[1].max(1) as f64];
    let findings: Vec<&Finding> = report.findings_of(of.sense).collect();
    for (i, finding) in findings.iter().enumerate().rev() {
        for (_, region) in regions(finding, of, tiled).into_iter().filter(|(of, _)| *of == step) {
            // A box lies within its step's tile.
            let region = Region { x: region.x.saturating_sub(left), y: region.y.saturating_sub(top), ..region };
            let drawn = draw_box(picture, &region, scale);
            if i < NUMBERED {
                draw_number(picture, drawn, i + 1);
            }
        }
    }
}

/// Where a finding's boxes are drawn over what was inspected, `[width, height]`: of a clip, around what is hot in each step
/// that it lasts, with the step.
fn regions(finding: &Finding, of: &SenseReport, [width, height]: [usize; 2]) -> Vec<(usize, Region)> {
    let (Some(moved), Some(steps)) = (finding.moved(), &of.steps) else { return vec![(0, finding.region)] };
    let Heatmap { values, rows, columns } = &of.heatmap;
    let (tiles, cells) = (steps.tiles, columns / steps.tiles);
    let all = tiles * tiles;
    let [from, to] = moved.seconds.map(|at| ((at / steps.seconds * all as f64).round() as usize).min(all));
    let Region { x, y, width: wide, height: tall } = moved.region;
    let inside = |cell: usize, whole: usize, begin: usize, length: usize| {
        let middle = (2 * cell + 1) * whole / (2 * cells);
        (begin..begin + length).contains(&middle)
    };
    let in_step = |step: usize| {
        let hot = (0..cells * cells).map(|i| [i / cells, i % cells]).filter(|&[row, column]| {
            let at = (step / tiles * cells + row) * columns + step % tiles * cells + column;
            inside(column, steps.size[0], x, wide) && inside(row, steps.size[1], y, tall) && values[at] >= 1.0
        });
        let hot: Vec<[usize; 2]> = hot.collect();
        let span = |of: usize, first: usize, count: usize, side: usize| {
            let least = hot.iter().map(|cell| cell[of]).min()?;
            let most = hot.iter().map(|cell| cell[of]).max()?;
            let pixel = |cell: usize| (first * cells + cell) * side / count;
            Some((pixel(least), pixel(most + 1) - pixel(least)))
        };
        let (y, height) = span(0, step / tiles, *rows, height)?;
        let (x, width) = span(1, step % tiles, *columns, width)?;
        Some((step, Region { x, y, width, height }))
    };
    (from..to).filter_map(in_step).collect()
}

/// Lines between the steps of a clip, and when each begins, in seconds, in its lower left corner.
pub fn times(picture: &mut Picture, steps: &Steps) {
    let (tiles, [core, edge]) = (steps.tiles, stroke(picture));
    let (wide, tall) = (picture.width / tiles, picture.height / tiles);
    for line in 1..tiles {
        (0..picture.height).for_each(|y| picture.set(line * wide, y, WHITE));
        (0..picture.width).for_each(|x| picture.set(x, line * tall, WHITE));
    }
    let dot = (core + edge).max(2);
    for step in 0..tiles * tiles {
        let begins = steps.seconds * step as f64 / (tiles * tiles) as f64;
        let (left, bottom) = (step % tiles * wide + 1, (step / tiles + 1) * tall);
        let mut x = left + dot;
        let signs = format!("{begins:.2}");
        // A digit takes four dots of width, a point two.
        let length: usize = signs.chars().map(|sign| if sign == '.' { 2 * dot } else { 4 * dot }).sum();
        (bottom.saturating_sub(7 * dot)..bottom).for_each(|y| {
            (left..left + length + dot).for_each(|x| picture.set(x, y, BLACK));
        });
        for sign in signs.chars() {
            let rows = match sign.to_digit(10) {
                Some(digit) => DIGITS[digit as usize],
                None => 0o4,
            };
            for at in 0..15 * dot * dot {
                let (column, row) = (at % (3 * dot) / dot, at / (3 * dot) / dot);
                if rows >> (3 * (4 - row) + (2 - column)) & 1 == 1 {
                    picture.set(x + at % (3 * dot), (bottom + at / (3 * dot)).saturating_sub(6 * dot), WHITE);
                }
            }
            x += if sign == '.' { 2 * dot } else { 4 * dot };
        }
    }
}

/// Colour of `heat` and how opaque it is, 0 to 1; `None` below [`COOL`].
fn paint(heat: f32) -> Option<([u8; 3], f32)> {
    if heat.is_nan() || heat <= COOL {
        return None;
    }
    let share = ((heat - COOL) / (HOT - COOL)).min(1.0);
    let at = share * (COLOURS.len() - 1) as f32;
    let low = (at as usize).min(COLOURS.len() - 2);
    let mix = |c: usize| blend(COLOURS[low][c], COLOURS[low + 1][c], at - low as f32);
    // The root makes the limit itself well visible; a straight line would hide it in the ground.
    Some(([mix(0), mix(1), mix(2)], share.sqrt() * MOST_OPAQUE))
}

fn blend(from: u8, to: u8, share: f32) -> u8 {
    (f32::from(from) + (f32::from(to) - f32::from(from)) * share).round() as u8
}

fn paint_heat(picture: &mut Picture, map: &Heatmap) {
    if map.values.is_empty() || map.values.len() != map.rows * map.columns {
        return;
    }
    let mut heat = Vec::new();
    interpolate(&map.values, [map.rows, map.columns], [picture.height, picture.width], &mut heat);
    for (pixel, &heat) in picture.pixels.as_chunks_mut::<3>().0.iter_mut().zip(&heat) {
        if let Some((colour, opaque)) = paint(heat) {
            *pixel = std::array::from_fn(|c| blend(pixel[c], colour[c], opaque));
        }
    }
}

/// Width of a line's core and of its two dark edges, so that it looks the same on every size of picture.
fn stroke(picture: &Picture) -> [usize; 2] {
    let core = ((picture.width.max(picture.height) as f64 / 300.0).round() as usize).max(1);
    [core, core.div_ceil(2)]
}

/// A white line between black ones: seen on any ground. It runs around the region, moved inwards where that
/// would leave the picture. Returns what it covers: left, top and bottom.
fn draw_box(picture: &mut Picture, region: &Region, scale: [f64; 2]) -> [usize; 3] {
    let [core, edge] = stroke(picture);
    let out = core + 2 * edge;
    let span = |from: usize, len: usize, scale: f64, side: usize| {
        let start = ((from as f64 * scale).round() as usize).min(side - 1).saturating_sub(out);
        let end = (((from + len) as f64 * scale).round() as usize).saturating_add(out).min(side);
        [start, end]
    };
    let [left, right] = span(region.x, region.width, scale[0], picture.width);
    let [top, bottom] = span(region.y, region.height, scale[1], picture.height);
    let mut inset = 0;
    for (width, colour) in [(edge, BLACK), (core, WHITE), (edge, BLACK)] {
        ring(
            picture,
            [left + inset, top + inset],
            [right - inset.min(right), bottom - inset.min(bottom)],
            width,
            colour,
        );
        inset += width;
    }
    [left, top, bottom]
}

/// Fills what lies between a rectangle and the same one `width` pixels further in.
fn ring(picture: &mut Picture, [left, top]: [usize; 2], [right, bottom]: [usize; 2], width: usize, colour: [u8; 3]) {
    for y in top..bottom {
        let whole_row = y < top + width || y + width >= bottom;
        for x in left..right {
            if whole_row || x < left + width || x + width >= right {
                picture.set(x, y, colour);
            }
        }
    }
}

/// Digits of 3 x 5 dots; each octal digit is a row from the top.
const DIGITS: [u16; 10] = [0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71122, 0o75757, 0o75717];

/// A black digit on a white tag above a box, else below it, else in its corner: the place itself stays free.
fn draw_number(picture: &mut Picture, [left, top, bottom]: [usize; 3], number: usize) {
    let [dot, edge] = stroke(picture);
    let dot = (3 * dot / 2).max(2);
    let (wide, tall) = (5 * dot + 2 * edge, 7 * dot + 2 * edge);
    let left = left.min(picture.width.saturating_sub(wide));
    let top = match top.checked_sub(tall) {
        Some(above) => above + edge,
        None if bottom + tall <= picture.height => bottom - edge,
        None => top,
    };
    for y in 0..tall {
        for x in 0..wide {
            let inside = (edge..wide - edge).contains(&x) && (edge..tall - edge).contains(&y);
            let (column, row) = (x.wrapping_sub(edge) / dot, y.wrapping_sub(edge) / dot);
            let ink = inside && (1..4).contains(&column) && (1..6).contains(&row) && {
                DIGITS[number % 10] >> (3 * (5 - row) + (3 - column)) & 1 == 1
            };
            picture.set(left + x, top + y, if inside && !ink { WHITE } else { BLACK });
        }
    }
}

/// Draws a line around what is not black in `mask`, which shows the same scene at any size.
pub fn outline(picture: &mut Picture, mask: &Frame) {
    let (width, height) = (picture.width, picture.height);
    let at = |i: usize, to: usize, from: usize| (2 * i + 1) * from / (2 * to);
    let columns: Vec<usize> = (0..width).map(|x| at(x, width, mask.width())).collect();
    let mut inside = Vec::with_capacity(width * height);
    for y in 0..height {
        let row = at(y, height, mask.height());
        inside.extend(columns.iter().map(|&column| mask.rgb(column, row) != BLACK));
    }
    let border: Vec<[usize; 2]> = (0..width * height)
        .map(|i| [i % width, i / width])
        .filter(|&[x, y]| {
            let is_in = |x: usize, y: usize| inside[y.min(height - 1) * width + x.min(width - 1)];
            let all_around = is_in(x.saturating_sub(1), y) && is_in(x + 1, y) && is_in(x, y.saturating_sub(1));
            is_in(x, y) && !(all_around && is_in(x, y + 1))
        })
        .collect();
    let before = picture.clone();
    let [core, edge] = stroke(picture);
    for (reach, colour) in [(core + 2 * edge, BLACK), (core + edge, MASK), (edge, BLACK)] {
        border.iter().for_each(|&centre| dot(picture, centre, reach, colour));
    }
    // The line runs around the place, so that a small one stays visible.
    for (i, pixel) in before.pixels.as_chunks::<3>().0.iter().enumerate().filter(|&(i, _)| inside[i]) {
        picture.set(i % width, i / width, *pixel);
    }
}

/// A filled circle.
fn dot(picture: &mut Picture, [x, y]: [usize; 2], radius: usize, colour: [u8; 3]) {
    for py in y.saturating_sub(radius)..=y + radius {
        for px in x.saturating_sub(radius)..=x + radius {
            if x.abs_diff(px).pow(2) + y.abs_diff(py).pow(2) <= radius * radius {
                picture.set(px, py, colour);
            }
        }
    }
}

/// What the entries of a memory looked like.
#[derive(Debug, Clone, Copy)]
pub struct Tiles<'a> {
    /// `u8[entries, side, side, 3]`, RGB.
    pub pixels: &'a [u8],
    /// Pixels of a tile's side.
    pub side: usize,
    /// Cells of the grid that a tile's side spans, 1 to 3; the cell itself is in the middle.
    pub span: f64,
}

impl<'a> Tiles<'a> {
    fn tile(&self, entry: u32) -> Option<&'a [u8]> {
        let len = self.side * self.side * 3;
        let from = (entry as usize).checked_mul(len)?;
        self.pixels.get(from..from.checked_add(len)?).filter(|tile| !tile.is_empty())
    }
}

/// What was expected: each cell of the `[rows, columns]` grid shows the tile of its nearest entry, `nearest[cell]`,
/// and tiles flow into one another where they overlap.
///
/// `size` is `[width, height]` of the result. A cell without a tile is grey.
pub fn mosaic(tiles: &Tiles, nearest: &[u32], [rows, columns]: [usize; 2], size: [usize; 2]) -> Picture {
    let mut picture = Picture::filled(size, NOTHING);
    if rows == 0 || columns == 0 || nearest.len() != rows * columns {
        return picture;
    }
    let levels = levels(tiles, nearest, [rows, columns]);
    let across: Vec<Vec<Share>> = (0..picture.width).map(|x| shares(x, picture.width, columns, tiles)).collect();
    let width = picture.width;
    let height = picture.height;
    for (y, line) in picture.pixels.chunks_exact_mut(3 * width).enumerate() {
        let down = shares(y, height, rows, tiles);
        for (pixel, across) in line.as_chunks_mut::<3>().0.iter_mut().zip(&across) {
            let (mut sum, mut weights) = ([0f32; 3], 0f32);
            for v in &down {
                for u in across {
                    let cell = v.cell * columns + u.cell;
                    let Some(tile) = tiles.tile(nearest[cell]) else { continue };
                    let weight = v.weight * u.weight;
                    let colour = sample(tile, tiles.side, u.at, v.at);
                    (0..3).for_each(|c| sum[c] += weight * (colour[c] + levels[cell][c]));
                    weights += weight;
                }
            }
            if weights > 0.0 {
                *pixel = sum.map(|value| (value / weights).round() as u8);
            }
        }
    }
    picture
}

/// A cell's part in one column (or row) of the mosaic.
struct Share {
    cell: usize,
    weight: f32,
    /// Where in the tile, in its pixels.
    at: f32,
}

/// The cells whose tiles reach pixel `i` of `side`, on an axis of `cells` cells. Weights are even in the middle
/// of a tile and fade smoothly to nothing at its border; those of neighbours add up to one.
fn shares(i: usize, side: usize, cells: usize, tiles: &Tiles) -> Vec<Share> {
    let place = (i as f64 + 0.5) * cells as f64 / side as f64;
    let half = tiles.span.clamp(1.0, 3.0) / 2.0;
    let first = (place - half - 0.5).ceil().max(0.0) as usize;
    let last = ((place + half - 0.5).floor().max(0.0) as usize).min(cells - 1);
    let share = |cell: usize| {
        let off = place - (cell as f64 + 0.5);
        let fade = ((half - off.abs()) / (2.0 * half - 1.0).max(1e-3)).clamp(1e-3, 1.0);
        let at = ((off / (2.0 * half) + 0.5) * tiles.side as f64 - 0.5).clamp(0.0, tiles.side as f64 - 1.0);
        Share { cell, weight: (fade * fade * (3.0 - 2.0 * fade)) as f32, at: at as f32 }
    };
    (first.min(last)..=last).map(share).collect()
}

/// What is added to the colours of each cell's tile so that tiles from pictures of different exposure agree where
/// they overlap: the gain compensation of stitched panoramas. The inspected picture has no part in it.
///
/// Least squares over the differences of all neighbours, by Gauss and Seidel, with weights that fall for large
/// differences (Geman and McClure): those are edges of things, not of light.
fn levels(tiles: &Tiles, nearest: &[u32], [rows, columns]: [usize; 2]) -> Vec<[f32; 3]> {
    /// Pulls levels to zero, so that tiles that agree stay what they are.
    const ANCHOR: f32 = 0.05;
    /// Enough for seams to vanish; what is left over is a slope over many cells.
    const SWEEPS: usize = 40;
    /// Difference of two pictures of the same thing that is still likely, of 255.
    const LIKELY: f32 = 48.0;
    let edges: Vec<Option<[[f32; 3]; 4]>> =
        nearest.iter().map(|&entry| tiles.tile(entry).map(|tile| edges(tile, tiles))).collect();
    let mut levels = vec![[0f32; 3]; nearest.len()];
    for _ in 0..SWEEPS {
        for cell in 0..nearest.len() {
            let Some(own) = &edges[cell] else { continue };
            let (row, column) = (cell / columns, cell % columns);
            // Own side and neighbour; the neighbour's side opposite is two further.
            let neighbours = [
                (0, (column > 0).then(|| cell - 1)),
                (1, (row > 0).then(|| cell - columns)),
                (2, (column + 1 < columns).then(|| cell + 1)),
                (3, (row + 1 < rows).then(|| cell + columns)),
            ];
            let (mut sum, mut weights) = ([0f32; 3], ANCHOR);
            for (side, other) in neighbours {
                let Some((other, edge)) = other.and_then(|other| Some((other, edges[other]?[(side + 2) % 4]))) else {
                    continue;
                };
                let step = (0..3).map(|c| (edge[c] - own[side][c]).abs()).fold(0.0, f32::max) / LIKELY;
                let weight = (1.0 + step * step).powi(-2);
                (0..3).for_each(|c| sum[c] += weight * (edge[c] + levels[other][c] - own[side][c]));
                weights += weight;
            }
            levels[cell] = sum.map(|sum| sum / weights);
        }
    }
    levels
}

/// Mean colours of the strips where a tile overlaps its neighbours: left, top, right, bottom.
fn edges(tile: &[u8], tiles: &Tiles) -> [[f32; 3]; 4] {
    let side = tiles.side;
    let span = tiles.span.clamp(1.0, 3.0);
    let strip = ((side as f64 * (span - 1.0) / span).round() as usize).clamp(1, side);
    let mean = |[left, right]: [usize; 2], [top, bottom]: [usize; 2]| {
        let mut sum = [0f32; 3];
        for y in top..bottom {
            for x in left..right {
                (0..3).for_each(|c| sum[c] += f32::from(tile[3 * (y * side + x) + c]));
            }
        }
        sum.map(|sum| sum / ((right - left) * (bottom - top)) as f32)
    };
    let (near, far, whole) = ([0, strip], [side - strip, side], [0, side]);
    [mean(near, whole), mean(whole, near), mean(far, whole), mean(whole, far)]
}

/// The colour at `x`, `y` of a tile, bilinear.
fn sample(tile: &[u8], side: usize, x: f32, y: f32) -> [f32; 3] {
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(side - 1), (y0 + 1).min(side - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    std::array::from_fn(|c| {
        let at = |x: usize, y: usize| f32::from(tile[3 * (y * side + x) + c]);
        let top = at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx;
        let low = at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx;
        top * (1.0 - fy) + low * fy
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Finding, Heatmap, Verdict};
    use crate::sample::PixelFormat;
    use crate::testing::{self, report};

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        let at = 3 * (y * picture.width + x);
        picture.pixels[at..at + 3].try_into().unwrap()
    }

    fn finding(x: usize, y: usize, width: usize, height: usize) -> Finding {
        Finding { region: Region { x, y, width, height }, peak: [x, y], ..testing::finding() }
    }

    #[test]
    fn cool_pixels_stay_and_hot_ones_are_painted() {
        let picture = Picture::filled([40, 40], [90, 120, 60]);
        let mut report = report(Verdict::Fail);
        report.senses[0].heatmap = Heatmap { values: vec![0.5, 0.0, f32::NAN, 3.0], rows: 2, columns: 2 };
        report.findings.clear();
        let drawn = overlay(&picture, [40, 40], &report, &report.senses[0]);
        assert_eq!(pixel(&drawn, 3, 3), [90, 120, 60]);
        assert_eq!(pixel(&drawn, 36, 3), [90, 120, 60]);
        assert_eq!(pixel(&drawn, 3, 36), [90, 120, 60]);
        let hot = pixel(&drawn, 36, 36);
        assert!(hot[0] > 200 && hot[1] > 200, "{hot:?}");
    }

    #[test]
    fn paint_grows_with_heat_on_a_scale_that_never_moves() {
        let light =
            |heat: f32| paint(heat).map(|(c, _)| 0.2 * f32::from(c[0]) + 0.7 * f32::from(c[1]) + 0.1 * f32::from(c[2]));
        let scale: Vec<f32> = [0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0].iter().map(|&h| light(h).unwrap()).collect();
        assert!(scale.is_sorted_by(|a, b| a < b), "{scale:?}");
        assert_eq!(paint(2.0), paint(50.0));
        assert_eq!(paint(0.5), None);
        let opaque: Vec<f32> = [0.6, 1.0, 1.5, 2.0].iter().map(|&h| paint(h).unwrap().1).collect();
        assert!(opaque.is_sorted_by(|a, b| a < b), "{opaque:?}");
    }

    #[test]
    fn boxes_stay_inside_the_picture_and_show_on_any_ground() {
        for ground in [BLACK, WHITE] {
            let picture = Picture::filled([60, 40], ground);
            let mut report = report(Verdict::Fail);
            report.senses[0].heatmap.values.fill(0.0);
            // At the border, in the middle, and one of a picture that was larger than said.
            report.findings = vec![finding(0, 0, 120, 80), finding(40, 40, 20, 10), finding(110, 70, 500, 500)];
            let drawn = overlay(&picture, [120, 80], &report, &report.senses[0]);
            assert_eq!(drawn.pixels.len(), 60 * 40 * 3);
            let corner = [pixel(&drawn, 59, 20), pixel(&drawn, 58, 20)];
            assert_eq!(corner, [BLACK, WHITE]);
            // The inside of the middle box is as it was.
            assert_eq!(pixel(&drawn, 25, 22), ground);
            assert_ne!(drawn, picture);
        }
    }

    #[test]
    fn boxes_are_thicker_on_larger_pictures() {
        assert_eq!(stroke(&Picture::filled([100, 20], BLACK)), [1, 1]);
        assert_eq!(stroke(&Picture::filled([100, 4000], BLACK)), [13, 7]);
    }

    #[test]
    fn a_picture_that_cannot_be_judged_is_not_painted() {
        let picture = Picture::filled([20, 20], [50; 3]);
        let mut report = report(Verdict::Invalid);
        report.senses[0].heatmap.values.fill(9.0);
        assert_eq!(overlay(&picture, [20, 20], &report, &report.senses[0]), picture);
    }

    #[test]
    fn a_mosaic_of_one_colour_has_no_seams() {
        for (side, span) in [(24, 1.5), (8, 1.0), (5, 2.0), (1, 1.2)] {
            let pixels = vec![77; side * side * 3];
            let tiles = Tiles { pixels: &pixels, side, span };
            let picture = mosaic(&tiles, &[0; 6], [2, 3], [90, 61]);
            assert_eq!(picture, Picture::filled([90, 61], [77; 3]));
        }
    }

    #[test]
    fn each_cell_shows_its_own_entry_and_neighbours_flow_into_it() {
        let pixels: Vec<u8> = [[0u8, 0, 0], [200, 200, 200]].iter().flat_map(|c| c.repeat(16)).collect();
        let tiles = Tiles { pixels: &pixels, side: 4, span: 1.5 };
        let picture = mosaic(&tiles, &[0, 1], [1, 2], [80, 40]);
        assert!(pixel(&picture, 20, 20)[0] < 15 && pixel(&picture, 60, 20)[0] > 185);
        let line: Vec<u8> = (0..80).map(|x| pixel(&picture, x, 20)[0]).collect();
        assert!(line.is_sorted(), "{line:?}");
        assert!(line[39] > 90 && line[40] < 110, "{line:?}");
    }

    #[test]
    fn tiles_of_another_exposure_are_levelled_and_those_that_agree_are_not() {
        let pixels: Vec<u8> = [[100u8; 3], [130; 3]].iter().flat_map(|c| c.repeat(16)).collect();
        let tiles = Tiles { pixels: &pixels, side: 4, span: 1.5 };
        let nearest = [0, 0, 1, 1];
        let picture = mosaic(&tiles, &nearest, [1, 4], [80, 20]);
        let line: Vec<u8> = (0..80).map(|x| pixel(&picture, x, 10)[0]).collect();
        assert!(line[79] - line[0] < 10, "{line:?}");
        assert_eq!(levels(&tiles, &[1; 6], [2, 3]), [[0.0; 3]; 6]);
    }

    #[test]
    fn a_cell_without_a_tile_is_grey() {
        let pixels = vec![10; 4 * 4 * 3];
        let tiles = Tiles { pixels: &pixels, side: 4, span: 1.0 };
        let picture = mosaic(&tiles, &[0, u32::MAX], [1, 2], [8, 4]);
        assert_eq!((pixel(&picture, 0, 0), pixel(&picture, 7, 0)), ([10; 3], NOTHING));
        assert_eq!(mosaic(&tiles, &[0], [1, 2], [8, 4]), Picture::filled([8, 4], NOTHING));
    }

    #[test]
    fn a_mask_is_outlined_and_its_inside_stays() {
        let mut mask = vec![0u8; 100];
        (0..100).filter(|i| (3..7).contains(&(i % 10)) && (3..7).contains(&(i / 10))).for_each(|i| mask[i] = 255);
        let mask = Frame::new(mask, PixelFormat::Grey8, 10, 10).unwrap();
        let mut picture = Picture::filled([40, 40], [90; 3]);
        outline(&mut picture, &mask);
        // The place is columns 12 to 27; edge, core and edge are a pixel each.
        assert_eq!([12, 11, 10, 9, 8].map(|x| pixel(&picture, x, 20)), [[90; 3], BLACK, MASK, BLACK, [90; 3]]);
        assert_eq!(pixel(&picture, 20, 20), [90; 3]);
        assert_eq!(pixel(&picture, 2, 2), [90; 3]);
    }
}
