//! Where things are: maps between pixel grids.
//!
//! A point is (column, row) in pixels; the centre of the first pixel is (0.5, 0.5) and the picture's
//! outer corner is (0, 0), so that a grid keeps its corners when it is resized. Names read as algebra:
//! `in_image = image_from_model.apply(in_model)`.

/// A plane affine map: `x' = a x + b y + c`, `y' = d x + e y + f`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// `[a, b, c, d, e, f]`.
    pub m: [f64; 6],
}

impl Affine {
    /// The map that changes nothing.
    pub const IDENTITY: Self = Self { m: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0] };

    /// Scales each axis, then shifts.
    pub const fn scale_shift(scale: [f64; 2], shift: [f64; 2]) -> Self {
        Self { m: [scale[0], 0.0, shift[0], 0.0, scale[1], shift[1]] }
    }

    /// Turns by `radians` (x towards y) and scales by `scale` about the origin, then shifts.
    pub fn similarity(scale: f64, radians: f64, shift: [f64; 2]) -> Self {
        let (sin, cos) = radians.sin_cos();
        Self { m: [scale * cos, -scale * sin, shift[0], scale * sin, scale * cos, shift[1]] }
    }

    /// Maps a point.
    pub fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [a, b, c, d, e, f] = self.m;
        [a * x + b * y + c, d * x + e * y + f]
    }

    /// The map that applies `first`, then `self`: `c_from_a = c_from_b.after(&b_from_a)`.
    pub fn after(&self, first: &Self) -> Self {
        let [a, b, _, d, e, _] = self.m;
        let [p, q, _, s, t, _] = first.m;
        let [c, f] = self.apply([first.m[2], first.m[5]]);
        Self { m: [a * p + b * s, a * q + b * t, c, d * p + e * s, d * q + e * t, f] }
    }

    /// The way back; `None` when the map flattens the plane.
    pub fn inverse(&self) -> Option<Self> {
        let [a, b, c, d, e, f] = self.m;
        let det = a * e - b * d;
        if !(det.abs() > 1e-12 && det.is_finite()) {
            return None;
        }
        let (ia, ib, id, ie) = (e / det, -b / det, -d / det, a / det);
        Some(Self { m: [ia, ib, -(ia * c + ib * f), id, ie, -(id * c + ie * f)] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_the_identity() {
        let b_from_a = Affine::similarity(1.7, 0.4, [12.0, -3.0]).after(&Affine::scale_shift([0.5, 2.0], [4.0, 5.0]));
        let a_from_b = b_from_a.inverse().unwrap();
        let [x, y] = a_from_b.apply(b_from_a.apply([31.0, -7.5]));
        assert!((x - 31.0).abs() < 1e-9 && (y + 7.5).abs() < 1e-9);
        assert!(Affine::scale_shift([0.0, 1.0], [0.0, 0.0]).inverse().is_none());
    }

    #[test]
    fn maps_compose_from_right_to_left() {
        let shift = Affine::scale_shift([1.0, 1.0], [10.0, 0.0]);
        let double = Affine::scale_shift([2.0, 2.0], [0.0, 0.0]);
        assert_eq!(double.after(&shift).apply([1.0, 1.0]), [22.0, 2.0]);
        assert_eq!(shift.after(&double).apply([1.0, 1.0]), [12.0, 2.0]);
    }
}
