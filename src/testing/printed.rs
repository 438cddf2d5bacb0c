//! Pictures of a made-up printed board, for tests: a seeded layout of traces, pads, chips and text, seen under
//! a chosen pose, light, blur and noise, with one fault drawn in if asked for. The pose is known exactly, so
//! registration can be measured; the faults are those that a bag of patches overlooks.

use crate::geometry::Affine;

/// Width and height of the pictures.
pub const SIZE: [usize; 2] = [640, 480];
/// The layout is drawn this much finer than the pictures.
const FINE: usize = 2;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    MissingChip,
    /// By 3 px.
    ShiftedChip,
    BrokenTrace,
    Short,
    WrongCharacter,
    Scratch,
    Stain,
}

pub const FAULTS: [Fault; 7] = [
    Fault::MissingChip,
    Fault::ShiftedChip,
    Fault::BrokenTrace,
    Fault::Short,
    Fault::WrongCharacter,
    Fault::Scratch,
    Fault::Stain,
];

/// How a picture is taken.
#[derive(Debug, Clone, Copy)]
pub struct Shot {
    /// Picture pixels from the pixels of the picture taken with the identity.
    pub pose: Affine,
    /// Seeds noise, light and clutter.
    pub seed: u64,
    /// Standard deviation of the blur in pixels.
    pub blur: f32,
    /// Standard deviation of the noise in grey levels.
    pub noise: f32,
    /// Exposure and light vary when set.
    pub light: bool,
}

/// Splitmix64: small, seedable, good enough for pictures.
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// In [low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    fn index(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// About normal, mean 0, standard deviation 1.
    fn normal(&mut self) -> f32 {
        (0..4).map(|_| self.range(-1.0, 1.0) as f32).sum::<f32>() * 0.866
    }
    /// A pose about the picture's centre: up to ± `degrees`, scale in `scale`, shift up to ± `shift` pixels.
    pub fn pose(&mut self, degrees: f64, scale: [f64; 2], shift: f64) -> Affine {
        let centre = [SIZE[0] as f64 / 2.0, SIZE[1] as f64 / 2.0];
        let turn = Affine::similarity(
            self.range(scale[0], scale[1]),
            self.range(-degrees, degrees).to_radians(),
            [centre[0] + self.range(-shift, shift), centre[1] + self.range(-shift, shift)],
        );
        turn.after(&Affine::scale_shift([1.0, 1.0], [-centre[0], -centre[1]]))
    }
}

type Colour = [f32; 3];

#[derive(Debug, Clone)]
enum Element {
    /// Points, width.
    Trace(Vec<[f64; 2]>, f64),
    /// Centre, radius.
    Pad([f64; 2], f64),
    /// Corner, size, label.
    Chip([f64; 2], [f64; 2], String),
    /// Corner, letter height in font rows, text.
    Text([f64; 2], f64, String),
    Label([f64; 2], [f64; 2], String),
}

/// A layout.
#[derive(Debug, Clone)]
pub struct Board {
    elements: Vec<Element>,
    corner: [f64; 2],
    size: [f64; 2],
    seed: u64,
}

impl Board {
    /// The layout of this seed: its board covers about 60 % of the picture.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let (corner, size) = ([110.0, 80.0], [420.0, 320.0]);
        let mut elements = Vec::new();
        for _ in 0..14 {
            let mut at = [corner[0] + dice.range(12.0, size[0] - 12.0), corner[1] + dice.range(12.0, size[1] - 12.0)];
            let mut points = vec![at];
            for bend in 0..3 {
                let length = dice.range(30.0, 120.0) * if dice.index(2) == 0 { 1.0 } else { -1.0 };
                let axis = (bend + dice.index(2)) % 2;
                at[axis] = (at[axis] + length).clamp(corner[axis] + 8.0, corner[axis] + size[axis] - 8.0);
                points.push(at);
            }
            elements.push(Element::Pad(points[0], 5.0));
            elements.push(Element::Trace(points, dice.range(2.2, 4.0)));
            elements.push(Element::Pad(at, 5.0));
        }
        // Chips on a loose grid, so that none lies upon another.
        for row in 0..3 {
            for column in 0..3 {
                let at = [
                    corner[0] + 20.0 + column as f64 * 130.0 + dice.range(0.0, 40.0),
                    corner[1] + 16.0 + row as f64 * 100.0 + dice.range(0.0, 30.0),
                ];
                let text: String = (0..4).map(|_| LETTERS[dice.index(LETTERS.len())].0).collect();
                match (row * 3 + column + dice.index(2)) % 4 {
                    0 | 1 => elements.push(Element::Chip(at, [dice.range(44.0, 76.0), dice.range(26.0, 48.0)], text)),
                    2 => elements.push(Element::Label(at, [78.0, 40.0], text)),
                    _ => elements.push(Element::Text(at, 2.0, text)),
                }
            }
        }
        Self { elements, corner, size, seed }
    }

    /// RGB, `SIZE`, 8 bit, rows from the top.
    pub fn picture(&self, shot: &Shot, fault: Option<Fault>) -> Vec<u8> {
        let mut dice = Dice(shot.seed ^ 0x5eed);
        let board = fault.map(|fault| self.with(fault, &mut dice));
        let mut canvas = board.as_ref().unwrap_or(self).draw();
        match fault {
            Some(Fault::Scratch) => {
                let from = self.inside(&mut dice, 30.0);
                let angle = dice.range(0.0, std::f64::consts::TAU);
                let length = dice.range(35.0, 70.0);
                let to = [from[0] + length * angle.cos(), from[1] + length * angle.sin()];
                canvas.line(from, to, 1.4, [205.0, 205.0, 195.0], 0.8);
            }
            Some(Fault::Stain) => {
                let at = self.inside(&mut dice, 30.0);
                let radius = dice.range(9.0, 16.0);
                canvas.disc(at, radius, [120.0, 95.0, 50.0], 0.4);
            }
            _ => {}
        }
        canvas.photograph(shot, &mut dice)
    }

    /// [`Board::picture`] in grey.
    pub fn grey(&self, shot: &Shot, fault: Option<Fault>) -> Vec<u8> {
        grey(&self.picture(shot, fault))
    }

    fn inside(&self, dice: &mut Dice, edge: f64) -> [f64; 2] {
        [0, 1].map(|axis| self.corner[axis] + dice.range(edge, self.size[axis] - edge))
    }

    fn with(&self, fault: Fault, dice: &mut Dice) -> Self {
        let mut board = self.clone();
        let pick = |dice: &mut Dice, wanted: fn(&Element) -> bool| {
            let all: Vec<usize> = (0..self.elements.len()).filter(|&i| wanted(&self.elements[i])).collect();
            all[dice.index(all.len())]
        };
        match fault {
            Fault::MissingChip => {
                let chip = pick(dice, |e| matches!(e, Element::Chip(..)));
                board.elements.remove(chip);
            }
            Fault::ShiftedChip => {
                let chip = pick(dice, |e| matches!(e, Element::Chip(..)));
                if let Element::Chip(at, ..) = &mut board.elements[chip] {
                    let angle = dice.range(0.0, std::f64::consts::TAU);
                    *at = [at[0] + 3.0 * angle.cos(), at[1] + 3.0 * angle.sin()];
                }
            }
            Fault::BrokenTrace | Fault::Short => {
                // Where a trace is hidden under a chip, its fault could not be seen: take one in the open.
                for _ in 0..200 {
                    let trace = pick(dice, |e| matches!(e, Element::Trace(..)));
                    let Element::Trace(points, width) = &self.elements[trace] else { unreachable!() };
                    let leg = dice.index(points.len() - 1);
                    let (p, q) = (points[leg], points[leg + 1]);
                    let length = (q[0] - p[0]).hypot(q[1] - p[1]);
                    if length < 30.0 {
                        continue;
                    }
                    let along = [(q[0] - p[0]) / length, (q[1] - p[1]) / length];
                    let t = dice.range(10.0, length - 10.0);
                    let at = [p[0] + along[0] * t, p[1] + along[1] * t];
                    if self.hidden(at) {
                        continue;
                    }
                    if fault == Fault::BrokenTrace {
                        let ends = [t - 3.0, t + 3.0].map(|t| [p[0] + along[0] * t, p[1] + along[1] * t]);
                        let mut first = points[..=leg].to_vec();
                        first.push(ends[0]);
                        let mut second = vec![ends[1]];
                        second.extend_from_slice(&points[leg + 1..]);
                        board.elements[trace] = Element::Trace(first, *width);
                        board.elements.insert(trace, Element::Trace(second, *width));
                    } else {
                        let to = [at[0] - along[1] * 12.0, at[1] + along[0] * 12.0];
                        if self.hidden(to) {
                            continue;
                        }
                        board.elements.insert(trace, Element::Trace(vec![at, to], 3.0));
                    }
                    break;
                }
            }
            Fault::WrongCharacter => {
                let text = pick(dice, |e| matches!(e, Element::Chip(..) | Element::Text(..) | Element::Label(..)));
                if let Element::Chip(_, _, text) | Element::Text(_, _, text) | Element::Label(_, _, text) =
                    &mut board.elements[text]
                {
                    let at = dice.index(text.len());
                    let old = text.as_bytes()[at] as char;
                    let others: Vec<char> = LETTERS.iter().map(|l| l.0).filter(|&l| l != old).collect();
                    let new = others[dice.index(others.len())];
                    text.replace_range(at..=at, &new.to_string());
                }
            }
            Fault::Scratch | Fault::Stain => {}
        }
        board
    }

    fn hidden(&self, [x, y]: [f64; 2]) -> bool {
        let outside = x < self.corner[0] + 8.0
            || y < self.corner[1] + 8.0
            || x > self.corner[0] + self.size[0] - 8.0
            || y > self.corner[1] + self.size[1] - 8.0;
        outside
            || self.elements.iter().any(|element| {
                let (at, size) = match element {
                    Element::Chip(at, size, _) | Element::Label(at, size, _) => (*at, *size),
                    Element::Text(at, ..) => (*at, [50.0, 16.0]),
                    _ => return false,
                };
                x > at[0] - 9.0 && y > at[1] - 9.0 && x < at[0] + size[0] + 9.0 && y < at[1] + size[1] + 9.0
            })
    }

    fn draw(&self) -> Canvas {
        let mut canvas = Canvas::new([46.0, 44.0, 48.0]);
        canvas.block(self.corner, self.size, [28.0, 92.0, 52.0]);
        let mut dice = Dice(self.seed ^ 0x7e77);
        canvas.grain(&mut dice);
        for element in &self.elements {
            match element {
                Element::Trace(points, width) => {
                    for leg in points.windows(2) {
                        canvas.line(leg[0], leg[1], *width, [70.0, 140.0, 78.0], 1.0);
                    }
                }
                Element::Pad(at, radius) => {
                    canvas.disc(*at, *radius, [190.0, 165.0, 90.0], 1.0);
                    canvas.disc(*at, radius * 0.4, [40.0, 38.0, 36.0], 1.0);
                }
                Element::Chip(at, size, text) => {
                    for pin in 0..(size[0] / 9.0) as usize {
                        let x = at[0] + 3.0 + pin as f64 * 9.0;
                        canvas.block([x, at[1] - 5.0], [4.0, size[1] + 10.0], [185.0, 185.0, 180.0]);
                    }
                    canvas.block(*at, *size, [34.0, 33.0, 36.0]);
                    canvas.disc([at[0] + 5.0, at[1] + 5.0], 2.0, [90.0, 90.0, 90.0], 1.0);
                    canvas.text([at[0] + 9.0, at[1] + 9.0], 1.3, text, [170.0, 170.0, 170.0]);
                }
                Element::Text(at, pitch, text) => canvas.text(*at, *pitch, text, [215.0, 220.0, 210.0]),
                Element::Label(at, size, text) => {
                    canvas.block(*at, *size, [222.0, 220.0, 212.0]);
                    canvas.text([at[0] + 5.0, at[1] + 4.0], 1.8, text, [30.0, 30.0, 34.0]);
                    for bar in 0..14 {
                        let x = at[0] + 6.0 + f64::from(bar) * 4.6;
                        let wide = 1.2 + f64::from((bar * 7 + text.as_bytes()[0] as i32) % 3) * 0.8;
                        canvas.block([x, at[1] + 22.0], [wide, 13.0], [30.0, 30.0, 34.0]);
                    }
                }
            }
        }
        canvas
    }
}

/// RGB to grey.
pub fn grey(rgb: &[u8]) -> Vec<u8> {
    rgb.chunks_exact(3)
        .map(|p| ((77 * u32::from(p[0]) + 150 * u32::from(p[1]) + 29 * u32::from(p[2])) >> 8) as u8)
        .collect()
}

struct Canvas {
    pixels: Vec<Colour>,
    width: usize,
    height: usize,
}

impl Canvas {
    fn new(colour: Colour) -> Self {
        let (width, height) = (SIZE[0] * FINE, SIZE[1] * FINE);
        Self { pixels: vec![colour; width * height], width, height }
    }

    fn each(&mut self, low: [f64; 2], high: [f64; 2], mut paint: impl FnMut([f64; 2], &mut Colour)) {
        let scale = FINE as f64;
        let bound = |v: f64, n: usize| (v * scale).clamp(0.0, n as f64) as usize;
        for y in bound(low[1], self.height)..bound(high[1] + 1.0, self.height) {
            for x in bound(low[0], self.width)..bound(high[0] + 1.0, self.width) {
                paint([(x as f64 + 0.5) / scale, (y as f64 + 0.5) / scale], &mut self.pixels[y * self.width + x]);
            }
        }
    }

    fn block(&mut self, at: [f64; 2], size: [f64; 2], colour: Colour) {
        let high = [at[0] + size[0], at[1] + size[1]];
        self.each(at, high, |[x, y], pixel| {
            if x >= at[0] && y >= at[1] && x < high[0] && y < high[1] {
                *pixel = colour;
            }
        });
    }

    fn disc(&mut self, at: [f64; 2], radius: f64, colour: Colour, cover: f32) {
        self.line(at, at, 2.0 * radius, colour, cover);
    }

    fn line(&mut self, from: [f64; 2], to: [f64; 2], width: f64, colour: Colour, cover: f32) {
        let low = [0, 1].map(|i| from[i].min(to[i]) - width);
        let high = [0, 1].map(|i| from[i].max(to[i]) + width);
        let along = [to[0] - from[0], to[1] - from[1]];
        let length2 = (along[0] * along[0] + along[1] * along[1]).max(1e-9);
        self.each(low, high, |[x, y], pixel| {
            let t = (((x - from[0]) * along[0] + (y - from[1]) * along[1]) / length2).clamp(0.0, 1.0);
            let far = (x - from[0] - t * along[0]).hypot(y - from[1] - t * along[1]);
            if far <= width / 2.0 {
                for (value, new) in pixel.iter_mut().zip(colour) {
                    *value += cover * (new - *value);
                }
            }
        });
    }

    fn text(&mut self, at: [f64; 2], pitch: f64, text: &str, colour: Colour) {
        for (place, letter) in text.chars().enumerate() {
            let rows = LETTERS.iter().find(|l| l.0 == letter).map_or([0; 7], |l| l.1);
            for (row, bits) in rows.iter().enumerate() {
                for column in 0..5 {
                    if bits >> (4 - column) & 1 == 1 {
                        let x = at[0] + (place * 6 + column) as f64 * pitch;
                        self.block([x, at[1] + row as f64 * pitch], [pitch, pitch], colour);
                    }
                }
            }
        }
    }

    /// A fixed weave, the same on each copy of the board.
    fn grain(&mut self, dice: &mut Dice) {
        for pixel in &mut self.pixels {
            let shade = 2.5 * dice.normal();
            for value in pixel {
                *value += shade;
            }
        }
    }

    fn photograph(&self, shot: &Shot, dice: &mut Dice) -> Vec<u8> {
        let [width, height] = SIZE;
        let canvas_from_picture =
            Affine::scale_shift([FINE as f64; 2], [0.0; 2]).after(&shot.pose.inverse().expect("a pose can be undone"));
        let (gain, slope, angle) = if shot.light {
            (dice.range(0.75, 1.2), dice.range(0.0, 0.25), dice.range(0.0, std::f64::consts::TAU))
        } else {
            (1.0, 0.0, 0.0)
        };
        let mut picture = vec![[0f32; 3]; width * height];
        for (at, pixel) in picture.iter_mut().enumerate() {
            let (x, y) = ((at % width) as f64, (at / width) as f64);
            for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                let seen = self.at(canvas_from_picture.apply([x + dx, y + dy]));
                for (value, seen) in pixel.iter_mut().zip(seen) {
                    *value += 0.25 * seen;
                }
            }
            let across = (x / width as f64 - 0.5) * angle.cos() + (y / height as f64 - 0.5) * angle.sin();
            let light = (gain * (1.0 + 2.0 * slope * across)) as f32;
            for value in pixel.iter_mut() {
                *value *= light;
            }
        }
        if shot.blur > 0.0 {
            blur(&mut picture, width, shot.blur);
        }
        let noisy = picture.iter().flatten().map(|value| (value + shot.noise * dice.normal()).round() as u8);
        noisy.collect()
    }

    fn at(&self, [x, y]: [f64; 2]) -> Colour {
        let (x, y) = ((x - 0.5).clamp(0.0, (self.width - 2) as f64), (y - 0.5).clamp(0.0, (self.height - 2) as f64));
        let (left, top) = (x as usize, y as usize);
        let (u, v) = ((x - left as f64) as f32, (y - top as f64) as f32);
        let first = top * self.width + left;
        let [a, b, c, d] = [first, first + 1, first + self.width, first + self.width + 1].map(|i| self.pixels[i]);
        [0, 1, 2].map(|i| (a[i] * (1.0 - u) + b[i] * u) * (1.0 - v) + (c[i] * (1.0 - u) + d[i] * u) * v)
    }
}

fn blur(picture: &mut [Colour], width: usize, sigma: f32) {
    let reach = (3.0 * sigma).ceil() as i64;
    let weights: Vec<f32> = (-reach..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let height = picture.len() / width;
    for (step, count) in [(1, width), (width, height)] {
        let source = picture.to_vec();
        for (at, pixel) in picture.iter_mut().enumerate() {
            let place = (at / step % count) as i64;
            *pixel = [0.0; 3];
            for (weight, offset) in weights.iter().zip(-reach..=reach) {
                let there = (place + offset).clamp(0, count as i64 - 1);
                let seen = source[(at as i64 + (there - place) * step as i64) as usize];
                for (value, seen) in pixel.iter_mut().zip(seen) {
                    *value += weight / total * seen;
                }
            }
        }
    }
}

/// Letters as five columns (high bit left) by seven rows.
const LETTERS: [(char, [u8; 7]); 16] = [
    ('0', [14, 17, 19, 21, 25, 17, 14]),
    ('1', [4, 12, 4, 4, 4, 4, 14]),
    ('2', [14, 17, 1, 6, 8, 16, 31]),
    ('3', [31, 2, 4, 2, 1, 17, 14]),
    ('4', [2, 6, 10, 18, 31, 2, 2]),
    ('5', [31, 16, 30, 1, 1, 17, 14]),
    ('6', [6, 8, 16, 30, 17, 17, 14]),
    ('7', [31, 1, 2, 4, 8, 8, 8]),
    ('8', [14, 17, 17, 14, 17, 17, 14]),
    ('9', [14, 17, 17, 15, 1, 2, 12]),
    ('A', [14, 17, 17, 31, 17, 17, 17]),
    ('C', [14, 17, 16, 16, 16, 17, 14]),
    ('E', [31, 16, 16, 30, 16, 16, 31]),
    ('K', [17, 18, 20, 24, 20, 18, 17]),
    ('R', [30, 17, 17, 30, 20, 18, 17]),
    ('X', [17, 17, 10, 4, 10, 17, 17]),
];
