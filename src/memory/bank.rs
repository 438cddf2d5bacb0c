//! The memory bank: a fixed number of good patches, chosen so that every good patch is near one of them.
//!
//! Greedy k-centre selection (Gonzalez 1985), the coreset of PatchCore (Roth et al. 2022): start anywhere, then always
//! take the patch farthest from all chosen ones. The bank's size is fixed, so its memory does not grow with the number
//! of images.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Indices of at most `size` rows of `cells`, `f32[n, k]`, in the order they were chosen.
///
/// Deterministic: the first is the row farthest from the mean. Stops early when every remaining row equals a chosen
/// one.
pub fn coreset(cells: ArrayView2<f32>, size: usize) -> Vec<usize> {
    let Some(mean) = cells.mean_axis(ndarray::Axis(0)) else { return Vec::new() };
    let cells = cells.as_standard_layout();
    let (Some(values), Some(mean), k) = (cells.as_slice(), mean.as_slice(), cells.ncols().max(1)) else {
        return Vec::new();
    };
    let row = |i: usize| &values[i * k..(i + 1) * k];
    // Squared distance of each row to the nearest chosen one. The first choice uses the distance to the mean instead.
    let mut farness = vec![f32::INFINITY; cells.nrows()];
    come_nearer(values, mean, &mut farness);
    let farthest = |farness: &[f32]| (0..farness.len()).max_by(|&a, &b| farness[a].total_cmp(&farness[b]));
    let mut chosen = Vec::with_capacity(size.min(cells.nrows()));
    while chosen.len() < size.min(cells.nrows()) {
        let Some(next) = farthest(&farness) else { break };
        if !chosen.is_empty() && farness[next] <= f32::EPSILON {
            break;
        }
        if chosen.is_empty() {
            farness.fill(f32::INFINITY);
        }
        chosen.push(next);
        let rows = values.par_chunks(k * TOGETHER).zip(farness.par_chunks_mut(TOGETHER));
        rows.for_each(|(rows, farness)| come_nearer(rows, row(next), farness));
    }
    chosen
}

/// Rows per thread task.
const TOGETHER: usize = 2048;

/// Lowers `farness` of each row of `rows`, `f32[n, k]`, to its squared distance from `entry`, `f32[k]`, if that is
/// less.
fn come_nearer(rows: &[f32], entry: &[f32], farness: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, checked on the line above.
        unsafe { come_nearer_avx2(rows, entry, farness) };
        return;
    }
    each_nearer(rows, entry, farness);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn come_nearer_avx2(rows: &[f32], entry: &[f32], farness: &mut [f32]) {
    each_nearer(rows, entry, farness);
}

#[inline(always)]
fn each_nearer(rows: &[f32], entry: &[f32], farness: &mut [f32]) {
    for (row, far) in rows.chunks_exact(entry.len().max(1)).zip(farness) {
        *far = far.min(square_distance(row, entry));
    }
}

/// Squared Euclidean distance, eight lanes at a time.
#[inline(always)]
pub(super) fn square_distance(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let mut rest = 0.0;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest += (a - b) * (a - b);
    }
    // Not `Iterator::sum`: builds without link-time optimisation call it.
    sums.into_iter().fold(0.0, |sum, lane| sum + lane) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn each_cluster_is_represented_before_any_is_refined() {
        // Four tight clusters, a hundred cells each.
        let cells = Array2::from_shape_fn((400, 3), |(i, j)| {
            let cluster = i % 4;
            (if cluster == j { 10.0 } else { 0.0 }) + (i / 4) as f32 * 1e-3
        });
        let mut clusters: Vec<usize> = coreset(cells.view(), 4).iter().map(|i| i % 4).collect();
        clusters.sort_unstable();
        assert_eq!(clusters, [0, 1, 2, 3]);
    }

    #[test]
    fn equal_cells_are_taken_once() {
        assert_eq!(coreset(Array2::from_elem((9, 2), 1.0).view(), 5).len(), 1);
        assert!(coreset(Array2::zeros((0, 2)).view(), 5).is_empty());
    }

    /// Whichever instructions the processor has: the sums are the same to the bit.
    #[test]
    fn the_choice_is_that_of_plain_arithmetic() {
        let cells = Array2::from_shape_fn((5000, 11), |(i, j)| ((i * i * 31 + j * 104_729 + i * j * 17) % 1009) as f32);
        let row = |i: usize| cells.row(i).to_slice().unwrap();
        let chosen = coreset(cells.view(), 60);
        let mut farness = vec![f32::INFINITY; 5000];
        for pair in chosen.windows(2) {
            (0..5000).for_each(|i| farness[i] = farness[i].min(square_distance(row(i), row(pair[0]))));
            assert_eq!(farness[pair[1]], farness.iter().copied().fold(0.0, f32::max));
        }
    }

    #[test]
    fn the_cover_radius_shrinks_with_the_size() {
        let cells = Array2::from_shape_fn((500, 9), |(i, j)| ((i * 7919 + j * 104_729) % 1009) as f32 / 1009.0);
        let radius = |size: usize| {
            let chosen = coreset(cells.view(), size);
            let near = |row: ndarray::ArrayView1<f32>| {
                let distance = |&i: &usize| square_distance(row.as_slice().unwrap(), cells.row(i).as_slice().unwrap());
                chosen.iter().map(distance).fold(f32::INFINITY, f32::min)
            };
            cells.rows().into_iter().map(near).fold(0.0, f32::max)
        };
        assert!(radius(5) > radius(50) && radius(50) > radius(400));
    }
}
