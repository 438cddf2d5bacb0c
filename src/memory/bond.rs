//! Cross-modal consistency: whether an image and a sound belong together.
//!
//! A red part hums at 100 Hz and a blue one at 120 Hz. A red part that hums at 120 Hz is anomalous, although each
//! modality alone looks normal. This is learned from the taught pairs if they show it. A part whose sound is unrelated
//! to its image has no bond.

use super::calibrate::Calibration;
use super::shape::Shape;
use ndarray::ArrayView2;

/// Principal axes of a modality's summaries that are compared: those along which good parts vary most. Finer ones are
/// noise.
const AXES: usize = 8;
/// Fewest pairs from which a bond can be distinguished from chance.
const LEAST_PAIRS: usize = 10;
/// Standard errors by which true pairs must be nearer to the other pairs than swapped pairs are.
const CLEAR: f64 = 3.0;

/// The taught pairs, as coordinates along each modality's principal axes.
#[derive(Debug, Clone)]
pub struct Bond {
    /// One entry per pair.
    sight: Vec<Vec<f32>>,
    hearing: Vec<Vec<f32>>,
    /// Median distance of a good part from its nearest neighbour, per modality.
    units: [f32; 2],
    /// Distance of each good pair from its nearest neighbour.
    pub left_out: Vec<f32>,
    /// How often a true pair is nearer to the other pairs than a swapped pair is, 0.5 to 1.
    pub power: f64,
}

impl Bond {
    /// Learns from the shapes and summaries of good pairs, `f32[n, d]` per modality; the same row is the same part.
    /// `None` if there are too few pairs, or they show no bond.
    pub fn learn(sight: (&Shape, ArrayView2<f32>), hearing: (&Shape, ArrayView2<f32>)) -> Option<Self> {
        let n = sight.1.nrows();
        if n < LEAST_PAIRS || hearing.1.nrows() != n {
            return None;
        }
        let places = |(shape, summaries): (&Shape, ArrayView2<f32>)| -> Vec<Vec<f32>> {
            summaries.rows().into_iter().map(|row| shape.along(&row.to_vec(), AXES)).collect()
        };
        let mut bond =
            Self { sight: places(sight), hearing: places(hearing), units: [1.0; 2], left_out: Vec::new(), power: 0.5 };
        let nearest = |all: &[Vec<f32>], i: usize| {
            let others = all.iter().enumerate().filter(|(j, _)| *j != i);
            others.map(|(_, other)| apart(&all[i], other)).fold(f32::MAX, f32::min)
        };
        let unit = |all: &[Vec<f32>]| {
            let mut distances: Vec<f32> = (0..n).map(|i| nearest(all, i)).collect();
            distances.sort_by(f32::total_cmp);
            distances[n / 2].max(1e-6)
        };
        bond.units = [unit(&bond.sight), unit(&bond.hearing)];
        // Compares each true pair with swapped pairs. Neither part of a pair is in memory while it is measured.
        let of = |i: usize, j: usize| bond.nearest(&bond.sight[i], &bond.hearing[j], |k| k != i && k != j);
        let left_out: Vec<f32> = (0..n).map(|i| of(i, i)).collect();
        let (mut nearer, mut all) = (0.0, 0.0);
        for shift in [1, n / 3, n / 2, n - n / 3] {
            for (i, own) in left_out.iter().enumerate() {
                let swapped = of(i, (i + shift) % n);
                nearer += if *own < swapped {
                    1.0
                } else if *own > swapped {
                    0.0
                } else {
                    0.5
                };
                all += 1.0;
            }
        }
        bond.power = nearer / all;
        bond.left_out = left_out;
        (bond.power > 0.5 + CLEAR * (1.0 / (12.0 * n as f64)).sqrt()).then_some(bond)
    }

    /// Logarithm of the distance of an image and a sound, given by their summaries, from the nearest taught pair. The
    /// larger of the two modalities' distances counts.
    pub fn distance(&self, sight: (&Shape, &[f32]), hearing: (&Shape, &[f32])) -> f32 {
        self.nearest(&sight.0.along(sight.1, AXES), &hearing.0.along(hearing.1, AXES), |_| true)
    }

    /// The calibration from good pairs.
    pub fn calibration(&self) -> Calibration {
        Calibration::new(self.left_out.clone())
    }

    fn nearest(&self, sight: &[f32], hearing: &[f32], counts: impl Fn(usize) -> bool) -> f32 {
        let pairs = self.sight.iter().zip(&self.hearing).enumerate().filter(|(k, _)| counts(*k));
        let distances = pairs
            .map(|(_, (seen, heard))| (apart(sight, seen) / self.units[0]).max(apart(hearing, heard) / self.units[1]));
        distances.fold(f32::MAX, f32::min).max(1e-6).ln()
    }
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Summaries of 40 parts: noise, and the variant of the part in some numbers.
    fn summaries(seed: u32, variant: impl Fn(usize) -> f32) -> Array2<f32> {
        let mut state = seed;
        let mut noise = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        Array2::from_shape_fn((40, 24), |(i, j)| noise() + if j < 8 { variant(i) } else { 0.0 })
    }

    #[test]
    fn a_sound_of_the_other_variant_does_not_belong_and_unrelated_senses_have_no_bond() {
        let variant = |i: usize| if i.is_multiple_of(3) { 2.0 } else { 0.0 };
        let (seen, heard) = (summaries(1, variant), summaries(2, variant));
        let (sight, hearing) = (Shape::learn(seen.view()), Shape::learn(heard.view()));
        let bond = Bond::learn((&sight, seen.view()), (&hearing, heard.view())).unwrap();
        let p = |i: usize, j: usize| {
            let (seen, heard) = (seen.row(i).to_vec(), heard.row(j).to_vec());
            bond.calibration().p_value(bond.distance((&sight, &seen), (&hearing, &heard)))
        };
        // Of the same variant: 3 and 6; of the other: 3 and 4.
        assert!(p(3, 6) > 0.05 && p(4, 5) > 0.05, "{} {}", p(3, 6), p(4, 5));
        assert!(p(3, 4) < 0.01 && p(5, 6) < 0.01, "{} {}", p(3, 4), p(5, 6));
        let unrelated = summaries(2, |i| variant(i * 7 / 5));
        let shape = Shape::learn(unrelated.view());
        assert!(Bond::learn((&sight, seen.view()), (&shape, unrelated.view())).is_none());
    }
}
