//! Nearest neighbours: for each query the closest entry of a bank, by Euclidean distance.
//!
//! Processors with AVX-512 VNNI multiply bytes four times as fast as floats. There the whole bank is scanned in 8 bits,
//! and the best entries are measured again exactly (search and re-rank, as Johnson et al. 2017 and Guo et al. 2020 do
//! with coarser codes). The distance is always exact. Rarely it is that of the second nearest entry, when 8 bits cannot
//! separate the two.
//!
//! On other processors the search is exact. The bank is laid out in panels of sixteen entries, so that one load serves
//! sixteen distances, and the least distance stays in registers: no matrix of distances is ever written. Most panels
//! are skipped, because their centre less their radius is farther than the nearest entry so far (the triangle
//! inequality, Fukunaga and Narendra 1975). Most others are abandoned after their first axes, when these alone are
//! farther (partial distance elimination, Bei and Gray 1985). Both work best with similar entries in a panel, axes
//! sorted by variance, and neighbouring patches searched one after the other. `bank` chooses the entries.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::bank::square_distance;

/// Entries side by side in a panel.
const LANES: usize = 16;
/// Queries that share one pass over a panel.
const ROWS: usize = 4;
/// Most numbers per entry for the scan in 8 bits.
#[cfg(target_arch = "x86_64")]
const LONGEST: usize = 128;
/// Entries that are measured again after the scan in 8 bits.
#[cfg(target_arch = "x86_64")]
const AGAIN: usize = 4;
/// Axes after which a panel may be abandoned.
const PREFIX: usize = 16;
/// Bound on the rounding error of a squared distance, as a share of the squared norms, with a margin.
const ROUNDING: f32 = 1e-5;

/// A bank arranged for searching. Built once, read by any number of threads.
#[derive(Debug, Clone)]
pub struct Index {
    /// Panels of `[k, LANES]`, then two lines: squared norms of the first `prefix` axes, and of all. Unused
    /// lanes have infinite norms.
    panels: Vec<f32>,
    /// The panels' centres, sixteen side by side: `[k, LANES]`, then their squared norms and their radii. Unused lanes
    /// have infinite norms.
    centres: Vec<f32>,
    /// For the scan in 8 bits.
    #[cfg(target_arch = "x86_64")]
    bytes: Bytes,
    entries: usize,
    k: usize,
    prefix: usize,
}

/// A bank in 8 bits.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Default)]
struct Bytes {
    /// The value of one step of a byte.
    step: f32,
    /// Panels of `[k / 4, LANES, 4]`: entries in steps, plus 128. Empty if the scan in 8 bits is not used.
    panels: Vec<[u8; 4 * LANES]>,
    /// Half the squared norm of each entry in steps, `[panels, LANES]`; unused lanes get a large value.
    halves: Vec<[i32; LANES]>,
    /// The entries themselves, `f32[entries, k]`.
    rows: Vec<f32>,
}

/// The closest entry to one query.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Nearest {
    /// Index of the entry in the bank.
    pub entry: u32,
    /// Euclidean distance to it.
    pub distance: f32,
}

impl Index {
    /// Builds the index of `bank`, `f32[entries, k]`.
    pub fn new(bank: ArrayView2<f32>) -> Self {
        let (entries, k) = bank.dim();
        let prefix = PREFIX.min(k);
        let panel = (k + 2) * LANES;
        let mut panels = vec![0.0; entries.div_ceil(LANES) * panel];
        for (p, panel) in panels.chunks_exact_mut(panel).enumerate() {
            for lane in 0..LANES {
                let entry = (p * LANES + lane < entries).then(|| bank.row(p * LANES + lane));
                let norm = |upto: usize| {
                    entry.map_or(f32::INFINITY, |entry| entry.iter().take(upto).map(|value| value * value).sum())
                };
                panel[k * LANES + lane] = norm(prefix);
                panel[(k + 1) * LANES + lane] = norm(k);
                // The factor of minus two is applied here to save a multiplication per distance: d² = |q|² - 2 q·b +
                // |b|².
                for (i, &value) in entry.iter().flatten().enumerate() {
                    panel[i * LANES + lane] = -2.0 * value;
                }
            }
        }
        Self {
            centres: centres(bank),
            panels,
            #[cfg(target_arch = "x86_64")]
            bytes: if scans_bytes() { Bytes::of(bank) } else { Bytes::default() },
            entries,
            k,
            prefix,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether the bank is empty.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Writes the nearest entry of each row of `queries`, `f32[n, k]` row-major, into `nearest`, `[n]`.
    ///
    /// Rows are divided among the current rayon pool. Nothing is allocated. With an empty bank, all distances are
    /// infinite.
    pub fn search(&self, queries: &[f32], nearest: &mut [Nearest]) {
        debug_assert_eq!(queries.len(), nearest.len() * self.k);
        // Large enough that waking a thread pays off, small enough that two cores share one image's patches.
        const SHARE: usize = 100 * ROWS;
        queries
            .par_chunks(SHARE * self.k)
            .zip(nearest.par_chunks_mut(SHARE))
            .for_each(|(queries, nearest)| self.search_here(queries, nearest));
    }

    /// [`Index::search`] on this thread alone.
    pub fn search_here(&self, queries: &[f32], nearest: &mut [Nearest]) {
        #[cfg(target_arch = "x86_64")]
        {
            if !self.bytes.panels.is_empty() && scans_bytes() {
                // SAFETY: the processor has AVX-512F, BW and VNNI, checked on the line above.
                return unsafe { self.search_bytes(queries, nearest) };
            }
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has AVX-512F, checked on the line above.
                return unsafe { self.search_avx512(queries, nearest) };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the processor has AVX2 and FMA, checked on the line above.
                return unsafe { self.search_avx2(queries, nearest) };
            }
            self.search_with::<false>(queries, nearest);
        }
        // NEON's fused multiply-add is part of the aarch64 baseline.
        #[cfg(target_arch = "aarch64")]
        self.search_with::<true>(queries, nearest);
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        self.search_with::<false>(queries, nearest);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    fn search_avx512(&self, queries: &[f32], nearest: &mut [Nearest]) {
        self.search_with::<true>(queries, nearest);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn search_avx2(&self, queries: &[f32], nearest: &mut [Nearest]) {
        self.search_with::<true>(queries, nearest);
    }

    /// Scans the bank in 8 bits for four queries at a time, then measures the best entries of each exactly.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma")]
    fn search_bytes(&self, queries: &[f32], nearest: &mut [Nearest]) {
        use std::arch::x86_64::{
            _mm512_cmplt_epi32_mask, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_mask_mov_epi32, _mm512_min_epi32,
            _mm512_set1_epi32, _mm512_storeu_si512,
        };
        let Bytes { panels, halves, step, .. } = &self.bytes;
        let lines = self.k.div_ceil(4);
        for (queries, nearest) in queries.chunks(ROWS * self.k).zip(nearest.chunks_mut(ROWS)) {
            // Four bytes of a query as one number; a missing row repeats the first.
            let mut words = [[0i32; LONGEST / 4]; ROWS];
            for (r, words) in words.iter_mut().enumerate() {
                let query = queries.chunks_exact(self.k).nth(r).unwrap_or(&queries[..self.k]);
                for (word, four) in words.iter_mut().zip(query.chunks(4)) {
                    let mut bytes = [0u8; 4];
                    let negative = |q: f32| (-q / step).round().clamp(-127.0, 127.0) as i8;
                    bytes.iter_mut().zip(four).for_each(|(byte, &q)| *byte = negative(q) as u8);
                    *word = i32::from_le_bytes(bytes);
                }
            }
            let mut least = [_mm512_set1_epi32(i32::MAX); ROWS];
            let mut where_least = [_mm512_set1_epi32(0); ROWS];
            for (p, (panel, halves)) in panels.chunks_exact(lines).zip(halves).enumerate() {
                // SAFETY: a line of halves is sixteen 32-bit numbers, 64 bytes.
                let start = unsafe { _mm512_loadu_si512(halves.as_ptr().cast()) };
                // |b|² / 2 - q · b orders entries as their distances do; adding 128 to each byte shifts all by the same
                // amount.
                let mut sums = [start; ROWS];
                for (i, line) in panel.iter().enumerate() {
                    // SAFETY: a line of a panel is 64 bytes.
                    let line = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
                    for r in 0..ROWS {
                        sums[r] = _mm512_dpbusd_epi32(sums[r], line, _mm512_set1_epi32(words[r][i]));
                    }
                }
                for r in 0..ROWS {
                    let less = _mm512_cmplt_epi32_mask(sums[r], least[r]);
                    least[r] = _mm512_min_epi32(sums[r], least[r]);
                    where_least[r] = _mm512_mask_mov_epi32(where_least[r], less, _mm512_set1_epi32(p as i32));
                }
            }
            for ((r, nearest), query) in nearest.iter_mut().enumerate().zip(queries.chunks_exact(self.k)) {
                let (mut sums, mut at) = ([0i32; LANES], [0i32; LANES]);
                // SAFETY: both are sixteen 32-bit numbers, 64 bytes.
                unsafe {
                    _mm512_storeu_si512(sums.as_mut_ptr().cast(), least[r]);
                    _mm512_storeu_si512(at.as_mut_ptr().cast(), where_least[r]);
                }
                *nearest = self.measured_again(query, sums, at);
            }
        }
    }

    /// The nearest of the entries with the least sums in 8 bits, one per lane. These are the ones that rounding may
    /// have misordered.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn measured_again(&self, query: &[f32], mut sums: [i32; LANES], at: [i32; LANES]) -> Nearest {
        let mut best = (f32::INFINITY, 0);
        for _ in 0..AGAIN {
            let lane = (0..LANES).fold(0, |least, lane| if sums[lane] < sums[least] { lane } else { least });
            let entry = at[lane] as usize * LANES + lane;
            sums[lane] = i32::MAX;
            let Some(row) = self.bytes.rows.get(entry * self.k..(entry + 1) * self.k) else { continue };
            let square = square_distance(query, row);
            if square < best.0 {
                best = (square, entry as u32);
            }
        }
        Nearest { entry: best.1, distance: best.0.sqrt() }
    }

    #[inline(always)]
    fn search_with<const FUSED: bool>(&self, queries: &[f32], nearest: &mut [Nearest]) {
        let mut start = 0;
        for (queries, nearest) in queries.chunks(ROWS * self.k).zip(nearest.chunks_mut(ROWS)) {
            match nearest.len() {
                4 => self.search_rows::<4, FUSED>(queries, nearest, start),
                3 => self.search_rows::<3, FUSED>(queries, nearest, start),
                2 => self.search_rows::<2, FUSED>(queries, nearest, start),
                _ => self.search_rows::<1, FUSED>(queries, nearest, start),
            }
            start = nearest.last().map_or(0, |last| last.entry);
        }
    }

    #[inline(always)]
    fn search_rows<const R: usize, const FUSED: bool>(&self, queries: &[f32], nearest: &mut [Nearest], start: u32) {
        let rows: [&[f32]; R] = std::array::from_fn(|r| &queries[r * self.k..(r + 1) * self.k]);
        let norm = |values: &[f32]| values.iter().map(|q| q * q).sum::<f32>();
        let (prefixes, norms) = (rows.map(|row| norm(&row[..self.prefix])), rows.map(norm));
        // Squared distances less the query's norm. The previous query's nearest entry is tried first.
        let mut best: [(f32, u32); R] = std::array::from_fn(|r| (self.distance(rows[r], start), start));
        for (g, centres) in self.centres.chunks_exact((self.k + 2) * LANES).enumerate() {
            let (lines, _) = centres.as_chunks::<LANES>();
            let mut sums = [[0.0f32; LANES]; R];
            add_products::<R, FUSED>(&mut sums, &rows, lines, 0..self.k);
            let (squares, radii) = (&lines[self.k], &lines[self.k + 1]);
            let mut near = [false; LANES];
            for r in 0..R {
                let nearest = (norms[r] + best[r].0).max(0.0).sqrt();
                for lane in 0..LANES {
                    let reach = nearest + radii[lane];
                    let both = norms[r] + squares[lane];
                    near[lane] |= sums[r][lane] + both * (1.0 - ROUNDING) <= reach * reach;
                }
            }
            for lane in (0..LANES).filter(|lane| near[*lane]) {
                self.search_panel::<R, FUSED>(g * LANES + lane, &rows, prefixes, norms, &mut best);
            }
        }
        for r in 0..R {
            let (distance, entry) = best[r];
            nearest[r] = Nearest { entry, distance: (norms[r] + distance).max(0.0).sqrt() };
        }
    }

    /// Finds entries of panel `p` that are nearer than the `best` so far.
    #[inline(always)]
    fn search_panel<const R: usize, const FUSED: bool>(
        &self,
        p: usize,
        rows: &[&[f32]; R],
        prefixes: [f32; R],
        norms: [f32; R],
        best: &mut [(f32, u32); R],
    ) {
        let size = (self.k + 2) * LANES;
        let (lines, _) = self.panels[p * size..(p + 1) * size].as_chunks::<LANES>();
        let mut sums = [[0.0f32; LANES]; R];
        add_products::<R, FUSED>(&mut sums, rows, lines, 0..self.prefix);
        let mut near = false;
        for r in 0..R {
            let bound = best[r].0 + norms[r] - prefixes[r];
            for lane in 0..LANES {
                near |= sums[r][lane] + lines[self.k][lane] < bound;
            }
        }
        if !near {
            return;
        }
        add_products::<R, FUSED>(&mut sums, rows, lines, self.prefix..self.k);
        for r in 0..R {
            for lane in 0..LANES {
                let distance = sums[r][lane] + lines[self.k + 1][lane];
                if distance < best[r].0 {
                    best[r] = (distance, (p * LANES + lane) as u32);
                }
            }
        }
    }

    /// Squared distance of `query` to `entry`, less the query's squared norm; infinite if there is no such entry.
    #[inline(always)]
    fn distance(&self, query: &[f32], entry: u32) -> f32 {
        let (p, lane) = (entry as usize / LANES, entry as usize % LANES);
        match self.panels.chunks_exact((self.k + 2) * LANES).nth(p) {
            Some(panel) => {
                let products = query.iter().enumerate().map(|(i, q)| q * panel[i * LANES + lane]);
                products.sum::<f32>() + panel[(self.k + 1) * LANES + lane]
            }
            None => f32::INFINITY,
        }
    }
}

/// Whether this processor supports the scan in 8 bits.
#[cfg(target_arch = "x86_64")]
fn scans_bytes() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
impl Bytes {
    /// Empty if entries have more numbers than the scan supports.
    fn of(bank: ArrayView2<f32>) -> Self {
        let (entries, k) = bank.dim();
        let greatest = bank.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        if k == 0 || k > LONGEST || entries == 0 || !greatest.is_finite() {
            return Self::default();
        }
        let step = (greatest / 127.0).max(f32::MIN_POSITIVE);
        let lines = k.div_ceil(4);
        let mut panels = vec![[128u8; 4 * LANES]; entries.div_ceil(LANES) * lines];
        // Large, but no sum of bytes overflows.
        let mut halves = vec![[i32::MAX / 2; LANES]; entries.div_ceil(LANES)];
        for (e, entry) in bank.rows().into_iter().enumerate() {
            let (p, lane) = (e / LANES, e % LANES);
            let steps = || entry.iter().map(|value| (value / step).round() as i32);
            halves[p][lane] = steps().map(|value| value * value).sum::<i32>() / 2;
            for (i, value) in steps().enumerate() {
                panels[p * lines + i / 4][4 * lane + i % 4] = (value + 128) as u8;
            }
        }
        Self { step, panels, halves, rows: bank.iter().copied().collect() }
    }
}

/// The panels' centres, laid out for [`Index`].
fn centres(bank: ArrayView2<f32>) -> Vec<f32> {
    let (entries, k) = bank.dim();
    let size = (k + 2) * LANES;
    let mut centres = vec![0.0; entries.div_ceil(LANES).div_ceil(LANES) * size];
    for line in centres.chunks_exact_mut(size) {
        line[k * LANES..(k + 1) * LANES].fill(f32::INFINITY);
    }
    for (p, panel) in bank.axis_chunks_iter(Axis(0), LANES).enumerate() {
        let Some(centre) = panel.mean_axis(Axis(0)) else { continue };
        let away = panel.rows().into_iter().map(|entry| entry.iter().zip(&centre).map(|(a, b)| (a - b).powi(2)).sum());
        let (group, lane) = (&mut centres[p / LANES * size..], p % LANES);
        group[k * LANES + lane] = centre.dot(&centre);
        group[(k + 1) * LANES + lane] = away.fold(0.0f32, |most, square: f32| most.max(square)).sqrt();
        for (i, value) in centre.iter().enumerate() {
            group[i * LANES + lane] = -2.0 * value;
        }
    }
    centres
}

/// Adds `query · line` of the given axes to the sums of each lane.
#[inline(always)]
fn add_products<const R: usize, const FUSED: bool>(
    sums: &mut [[f32; LANES]; R],
    rows: &[&[f32]; R],
    lines: &[[f32; LANES]],
    axes: std::ops::Range<usize>,
) {
    for i in axes {
        for r in 0..R {
            let q = rows[r][i];
            for lane in 0..LANES {
                let sum = &mut sums[r][lane];
                *sum = if FUSED { q.mul_add(lines[i][lane], *sum) } else { q * lines[i][lane] + *sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn brute_force(bank: &Array2<f32>, query: &[f32]) -> f64 {
        let square = |entry: ndarray::ArrayView1<f32>| -> f64 {
            entry.iter().zip(query).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
        };
        bank.rows().into_iter().map(square).fold(f64::INFINITY, f64::min).sqrt()
    }

    proptest! {
        #[test]
        fn search_finds_what_brute_force_finds(
            entries in 1usize..400, n in 1usize..11, k in 1usize..40, seed in any::<u32>(),
        ) {
            let mut state = seed | 1;
            let mut value = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            let bank = Array2::from_shape_simple_fn((entries, k), &mut value);
            let queries: Vec<f32> = (0..n * k).map(|_| value()).collect();
            let index = Index::new(bank.view());
            let mut nearest = vec![Nearest::default(); n];
            index.search(&queries, &mut nearest);
            let mut plain = vec![Nearest::default(); n];
            index.search_with::<false>(&queries, &mut plain);
            // Eight bits move a query and an entry by half a step a number each, and a query beyond the bank's range to
            // its rim: what seems nearest is at most twice that farther than what is.
            let greatest = bank.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            let step = f64::from(greatest) / 127.0;
            for (i, query) in queries.chunks(k).enumerate() {
                let expected = brute_force(&bank, query);
                let cut = query.iter().map(|q| f64::from((q.abs() - greatest).max(0.0)).powi(2)).sum::<f64>().sqrt();
                let moved = 2.0 * ((k as f64).sqrt() * step + cut) + 2.0 * step;
                for (found, allowed) in [(nearest[i], moved), (plain[i], 2e-3)] {
                    let distance = f64::from(found.distance);
                    prop_assert!((-2e-3..allowed.max(2e-3)).contains(&(distance - expected)), "{found:?} {expected}");
                    let entry = bank.row(found.entry as usize).to_vec();
                    let there = brute_force(&Array2::from_shape_vec((1, k), entry).unwrap(), query);
                    prop_assert!((there - distance).abs() < 2e-3);
                }
            }
        }
    }

    #[test]
    fn an_entry_is_nearest_to_itself() {
        let bank = Array2::from_shape_fn((37, 5), |(i, j)| ((i * 13 + j * 29) % 17) as f32 + i as f32);
        let index = Index::new(bank.view());
        let mut nearest = vec![Nearest::default(); 37];
        index.search(bank.as_slice().unwrap(), &mut nearest);
        assert!(nearest.iter().enumerate().all(|(i, n)| n.entry == i as u32 && n.distance < 0.05), "{nearest:?}");
    }

    #[test]
    fn nothing_is_near_an_empty_bank() {
        let index = Index::new(Array2::zeros((0, 3)).view());
        assert!(index.is_empty());
        let mut nearest = [Nearest::default()];
        index.search(&[1.0, 2.0, 3.0], &mut nearest);
        assert_eq!(nearest[0].distance, f32::INFINITY);
    }
}
