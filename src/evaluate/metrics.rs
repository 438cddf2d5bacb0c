//! The figures of the field, as functions of numbers: AUROC, F1-max, overkill, escape, pixel AUROC, AUPRO.
//! A higher score is worse (more likely bad) throughout. What a score means, and which pictures are judged, is
//! left to the caller.

use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::interval::Rate;

/// The false positive rate up to which the partial AUROC of sounds goes, as in DCASE.
pub const MOST_FALSE_POSITIVES: f64 = 0.1;

/// The area under the ROC curve: how often a bad sample scores above a good one, ties counting half
/// (Mann and Whitney). In [0, 1], 0.5 by chance; `None` when one of the classes is empty.
///
/// `scores` and `is_bad` are parallel; infinite scores are ranked like others.
///
/// # Errors
/// [`ErrorKind::Input`] when the two differ in length or a score is not a number.
pub fn auroc(scores: &[f64], is_bad: &[bool]) -> Result<Option<f64>> {
    let mut area = RocArea::default();
    for tie in ties_from_the_worst(scores, is_bad)? {
        area.add(tie.good, tie.bad);
    }
    Ok(area.finish())
}

/// The area under the ROC curve up to a false positive rate of `most`, in (0, 1], brought to 0.5 by chance and 1 at
/// best (McClish 1989): the pAUC of DCASE, where `most` is 0.1. `None` when one of the classes is empty.
///
/// # Errors
/// As [`auroc`]; [`ErrorKind::Config`] when `most` is not in (0, 1].
pub fn partial_auroc(scores: &[f64], is_bad: &[bool], most: f64) -> Result<Option<f64>> {
    if !(most > 0.0 && most <= 1.0) {
        let what = format!("the largest false positive rate of a partial AUROC is in (0, 1], got {most}");
        return Err(Error::new(ErrorKind::Config, what));
    }
    let ties = ties_from_the_worst(scores, is_bad)?;
    let [all_good, all_bad] = [false, true].map(|bad| is_bad.iter().filter(|&&is| is == bad).count() as f64);
    if all_good == 0.0 || all_bad == 0.0 {
        return Ok(None);
    }
    let (mut area, mut x, mut y) = (0.0, 0.0, 0.0);
    for tie in ties {
        let (to_x, to_y) = (x + tie.good as f64 / all_good, y + tie.bad as f64 / all_bad);
        let end = f64::min(to_x, most);
        if end > x {
            // Within a tie the curve is a straight line.
            let end_y = y + (to_y - y) * (end - x) / (to_x - x);
            area += (end - x) * (y + end_y) / 2.0;
        }
        (x, y) = (to_x, to_y);
    }
    let least = most * most / 2.0;
    Ok(Some(0.5 * (1.0 + (area - least) / (most - least))))
}

/// The best F1 of any threshold, and that threshold.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct F1Max {
    /// `2 hits / (2 hits + overkilled + escaped)`, in [0, 1].
    pub f1: f64,
    /// Samples that score this or more are called bad. It is one of the scores: the highest that gives this F1.
    pub threshold: f64,
}

/// The highest F1 (bad samples are the ones to find) over all thresholds; `None` when a class is empty.
///
/// The threshold is chosen on the very samples it is judged on: a figure to compare methods by, not a promise.
///
/// # Errors
/// As [`auroc`].
pub fn f1_max(scores: &[f64], is_bad: &[bool]) -> Result<Option<F1Max>> {
    let all_bad = is_bad.iter().filter(|&&bad| bad).count() as u64;
    let (mut called_good, mut called_bad) = (0, 0);
    let mut best: Option<F1Max> = None;
    for tie in ties_from_the_worst(scores, is_bad)? {
        called_good += tie.good;
        called_bad += tie.bad;
        let f1 = 2.0 * called_bad as f64 / (called_good + called_bad + all_bad) as f64;
        if best.is_none_or(|best| f1 > best.f1) {
            best = Some(F1Max { f1, threshold: tie.score });
        }
    }
    Ok(best.filter(|_| called_good > 0 && called_bad > 0))
}

/// What a threshold on the score would do to the samples that were judged.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Threshold {
    /// Samples that score this or more are rejected. It is one of the scores.
    pub threshold: f64,
    /// Good samples that are rejected.
    pub rejected_good: u64,
    /// Bad samples that are rejected.
    pub rejected_bad: u64,
    /// Share of the good samples that is rejected (false rejects), 0 to 1; `None` without good samples.
    pub overkill: Option<f64>,
    /// Share of the bad samples that is not rejected (misses), 0 to 1; `None` without bad samples.
    pub escape: Option<f64>,
    /// Share of the rejected samples that is bad, 0 to 1.
    pub precision: f64,
}

/// Each threshold that tells the samples apart in another way, the highest first: the points of the ROC and of the
/// precision-recall curve (true positive rate and recall are 1 - escape, the false positive rate is overkill).
///
/// # Errors
/// As [`auroc`].
pub fn thresholds(scores: &[f64], is_bad: &[bool]) -> Result<Vec<Threshold>> {
    let [all_good, all_bad] = [false, true].map(|bad| is_bad.iter().filter(|&&is| is == bad).count() as u64);
    let share = |count: u64, of: u64| (of > 0).then(|| count as f64 / of as f64);
    let (mut rejected_good, mut rejected_bad) = (0, 0);
    let point = |tie: Tie| {
        rejected_good += tie.good;
        rejected_bad += tie.bad;
        Threshold {
            threshold: tie.score,
            rejected_good,
            rejected_bad,
            overkill: share(rejected_good, all_good),
            escape: share(all_bad - rejected_bad, all_bad),
            precision: rejected_bad as f64 / (rejected_good + rejected_bad) as f64,
        }
    };
    Ok(ties_from_the_worst(scores, is_bad)?.into_iter().map(point).collect())
}

/// Overkill (false reject rate): the share of good samples that were rejected; `None` without good samples.
///
/// `is_rejected` and `is_bad` are parallel; `confidence`, in (0, 1), is that of the interval.
///
/// # Errors
/// [`ErrorKind::Input`] when the two differ in length, [`ErrorKind::Config`] when `confidence` is out of range.
pub fn overkill(is_rejected: &[bool], is_bad: &[bool], confidence: f64) -> Result<Option<Rate>> {
    same_length("verdicts", is_rejected.len(), is_bad.len())?;
    let of_good = is_rejected.iter().zip(is_bad).filter(|(_, bad)| !**bad);
    rate_of(of_good.map(|(&rejected, _)| rejected), confidence)
}

/// Escape (miss rate): the share of bad samples that were not rejected; `None` without bad samples.
///
/// Arguments and errors as [`overkill`].
///
/// # Errors
/// As [`overkill`].
pub fn escape(is_rejected: &[bool], is_bad: &[bool], confidence: f64) -> Result<Option<Rate>> {
    same_length("verdicts", is_rejected.len(), is_bad.len())?;
    let of_bad = is_rejected.iter().zip(is_bad).filter(|(_, bad)| **bad);
    rate_of(of_bad.map(|(&rejected, _)| !rejected), confidence)
}

fn rate_of(events: impl Iterator<Item = bool>, confidence: f64) -> Result<Option<Rate>> {
    let (count, of) = events.fold((0, 0), |(count, of), event| (count + u64::from(event), of + 1));
    Rate::new(count, of, confidence)
}

/// What [`PixelMetrics`] found. A field is `None` when no map with a defect, or no pixel without, was added.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PixelFigures {
    /// [`auroc`] over all pixels of all maps.
    pub pixel_auroc: Option<f64>,
    /// Area under the per-region overlap curve up to a false positive rate of 0.3, divided by 0.3; in [0, 1].
    pub aupro: Option<f64>,
    /// Ground-truth regions seen.
    pub regions: u64,
}

/// Pixel AUROC and AUPRO over any number of heatmaps, in memory that does not grow with them.
///
/// AUPRO is that of Bergmann et al., *The MVTec Anomaly Detection Dataset*, IJCV 129 (2021): at each threshold,
/// the share of every ground-truth region that is found, averaged over the regions of all pictures, against the
/// share of defect-free pixels (of all pictures, good ones too) that are called bad; integrated by trapezoids up
/// to a false positive rate of 0.3. Regions are the 8-connected components of a mask.
///
/// Scores are counted in bins of their sign, exponent and first 11 bits of mantissa, so no range need be known:
/// scores that differ by less than 1 part in 2048 may count as tied. A tie is a straight piece of either curve,
/// so the pixel AUROC is off by at most half the share of (good, bad) pixel pairs that share a bin, and in
/// practice by far less. With scores crowded into [0.9, 1.0], a hard case because it has only 400 bins, thirty
/// random trials were off by at most 2e-4 (pixel AUROC) and 5e-4 (AUPRO) on 1200 pixels, 1e-5 and 3e-5 on 120 000.
///
/// 24 MiB, of which only the bins that occur are ever touched.
#[derive(Debug, Clone)]
pub struct PixelMetrics {
    /// Defect-free pixels, by bin.
    good: Vec<u64>,
    /// Defect pixels, by bin.
    bad: Vec<u64>,
    /// Defect pixels by bin, each weighing 1 / (pixels of its region).
    overlap: Vec<f64>,
    regions: u64,
    finder: RegionFinder,
}

impl Default for PixelMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl PixelMetrics {
    /// The false positive rate up to which the per-region overlap is integrated.
    pub const FPR_LIMIT: f64 = 0.3;

    /// Nothing seen yet.
    pub fn new() -> Self {
        Self {
            good: vec![0; BINS],
            bad: vec![0; BINS],
            overlap: vec![0.0; BINS],
            regions: 0,
            finder: RegionFinder::default(),
        }
    }

    /// Counts one picture.
    ///
    /// `heatmap`: f32[height, width], higher is worse, any range. `mask`: bool[height, width], true where the
    /// picture is defective; `None` for a good picture. A bad picture whose mask is not known must be left out:
    /// its defects would count as defect-free.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a size does not fit or a score is not a number; nothing is counted then.
    pub fn add(&mut self, heatmap: &[f32], mask: Option<&[bool]>, width: usize, height: usize) -> Result<()> {
        let pixels = width.checked_mul(height);
        let is_sized = |len: usize| pixels == Some(len);
        if !is_sized(heatmap.len()) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("a {width} x {height} heatmap cannot have {} scores", heatmap.len()),
            ));
        }
        if let Some(mask) = mask.filter(|mask| !is_sized(mask.len())) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("the mask of a {width} x {height} heatmap cannot have {} pixels", mask.len()),
            ));
        }
        if let Some(at) = heatmap.iter().position(|score| score.is_nan()) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("the heatmap has no number at column {}, row {}", at % width, at / width),
            ));
        }
        let Some(mask) = mask else {
            for &score in heatmap {
                self.good[bin_of(score)] += 1;
            }
            return Ok(());
        };
        for (&score, _) in heatmap.iter().zip(mask).filter(|(_, bad)| !**bad) {
            self.good[bin_of(score)] += 1;
        }
        for start in 0..mask.len() {
            let region = self.finder.region_at(start, mask, width);
            let weight = 1.0 / region.len() as f64;
            for &at in region {
                let bin = bin_of(heatmap[at]);
                self.bad[bin] += 1;
                self.overlap[bin] += weight;
            }
            self.regions += u64::from(!region.is_empty());
        }
        self.finder.forget();
        Ok(())
    }

    /// The figures over all maps added so far.
    pub fn finish(&self) -> PixelFigures {
        let mut area = RocArea::default();
        for (&good, &bad) in self.good.iter().zip(&self.bad).rev() {
            area.add(good, bad);
        }
        PixelFigures { pixel_auroc: area.finish(), aupro: self.aupro(area.good), regions: self.regions }
    }

    /// `all_good`: defect-free pixels in all.
    fn aupro(&self, all_good: u64) -> Option<f64> {
        if self.regions == 0 || all_good == 0 {
            return None;
        }
        let (mut called_good, mut found, mut area) = (0, 0.0, 0.0);
        for (&good, &weight) in self.good.iter().zip(&self.overlap).rev() {
            let fpr = called_good as f64 / all_good as f64;
            called_good += good;
            let next_fpr = called_good as f64 / all_good as f64;
            if next_fpr >= Self::FPR_LIMIT {
                // The last trapezoid is cut where the curve crosses the limit. The two rates differ, because
                // `fpr` is below the limit: the walk ends at the first bin that reaches it.
                let cut = Self::FPR_LIMIT - fpr;
                area += cut * (found + weight * cut / (next_fpr - fpr) / 2.0);
                break;
            }
            area += (next_fpr - fpr) * (found + weight / 2.0);
            found += weight;
        }
        Some((area / self.regions as f64 / Self::FPR_LIMIT).clamp(0.0, 1.0))
    }
}

/// Bits of a score's ordered pattern that make its bin: sign, 8 of exponent, 11 of mantissa.
const BIN_BITS: u32 = 20;
const BINS: usize = 1 << BIN_BITS;

/// The bin of a score that is a number; a higher score never has a lower bin.
fn bin_of(score: f32) -> usize {
    // Adding zero makes -0.0 the same as 0.0. The patterns of negative numbers fall as the numbers rise, so
    // theirs are inverted and the others put above them.
    let bits = (score + 0.0).to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    (ordered >> (32 - BIN_BITS)) as usize
}

/// Finds the 8-connected regions of one mask after another, in buffers that are kept.
#[derive(Debug, Clone, Default)]
pub(super) struct RegionFinder {
    is_seen: Vec<bool>,
    region: Vec<usize>,
}

impl RegionFinder {
    /// The pixels of the region around `start`, none when there is no defect or it was returned before.
    pub(super) fn region_at(&mut self, start: usize, mask: &[bool], width: usize) -> &[usize] {
        self.region.clear();
        self.is_seen.resize(mask.len(), false);
        if mask[start] && !self.is_seen[start] {
            self.is_seen[start] = true;
            self.region.push(start);
        }
        let height = mask.len() / width;
        let mut next = 0;
        while let Some(&at) = self.region.get(next) {
            next += 1;
            let (x, y) = (at % width, at / width);
            for row in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for column in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let near = row * width + column;
                    if mask[near] && !self.is_seen[near] {
                        self.is_seen[near] = true;
                        self.region.push(near);
                    }
                }
            }
        }
        &self.region
    }

    /// Makes ready for another mask.
    fn forget(&mut self) {
        self.is_seen.clear();
    }
}

/// The ROC curve's area, from groups of tied samples given from the highest score down. Exact in integers.
#[derive(Default)]
struct RocArea {
    good: u64,
    bad: u64,
    /// Twice the number of (good, bad) pairs in right order, a tie being half a pair.
    pairs_x2: u128,
}

impl RocArea {
    fn add(&mut self, good: u64, bad: u64) {
        self.pairs_x2 += u128::from(good) * (2 * u128::from(self.bad) + u128::from(bad));
        self.good += good;
        self.bad += bad;
    }

    fn finish(&self) -> Option<f64> {
        let all_x2 = 2 * u128::from(self.good) * u128::from(self.bad);
        (all_x2 > 0).then(|| self.pairs_x2 as f64 / all_x2 as f64)
    }
}

/// Samples of one score.
struct Tie {
    score: f64,
    good: u64,
    bad: u64,
}

/// The samples grouped by score, the highest first.
fn ties_from_the_worst(scores: &[f64], is_bad: &[bool]) -> Result<Vec<Tie>> {
    same_length("scores", scores.len(), is_bad.len())?;
    if let Some(at) = scores.iter().position(|score| score.is_nan()) {
        return Err(Error::new(ErrorKind::Input, format!("score {at} of {} is not a number", scores.len())));
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let ties = order.chunk_by(|&a, &b| scores[a] == scores[b]);
    Ok(ties
        .map(|tie| {
            let bad = tie.iter().filter(|&&at| is_bad[at]).count() as u64;
            Tie { score: scores[tie[0]], good: tie.len() as u64 - bad, bad }
        })
        .collect())
}

fn same_length(what: &str, values: usize, labels: usize) -> Result<()> {
    if values == labels {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Input, format!("{values} {what} cannot go with {labels} labels")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_the_points_of_the_curves() {
        let found = thresholds(&[1.0, 3.0, 3.0, 2.0, 0.5], &[false, true, false, true, false]).unwrap();
        let points: Vec<_> = found.iter().map(|at| (at.threshold, at.rejected_good, at.rejected_bad)).collect();
        assert_eq!(points, [(3.0, 1, 1), (2.0, 1, 2), (1.0, 2, 2), (0.5, 3, 2)]);
        assert_eq!((found[0].overkill, found[0].escape, found[0].precision), (Some(1.0 / 3.0), Some(0.5), 0.5));
        assert_eq!((found[3].overkill, found[3].escape, found[3].precision), (Some(1.0), Some(0.0), 0.4));
        let good = thresholds(&[1.0], &[false]).unwrap();
        assert_eq!((good[0].escape, good[0].overkill), (None, Some(1.0)));
        assert!(thresholds(&[f64::NAN], &[true]).is_err());
    }

    fn assert_close(found: Option<f64>, expected: f64, tolerance: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() <= tolerance, "expected {expected}, got {found}");
    }

    /// Numbers in [0, 1) that look random and are the same everywhere.
    fn noise(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..n).map(|_| next()).collect()
    }

    /// Expected figures, scikit-learn 1.9:
    /// ```python
    /// bad = [i % 3 == 0 or i > 36 for i in range(40)]
    /// scores = [i * i * 31 % 23 + 9 * b for i, b in enumerate(bad)]
    /// p, r, t = precision_recall_curve(bad, scores); f = 2 * p * r / (p + r); k = f.argmax()
    /// print(roc_auc_score(bad, scores), f[k], t[k])
    /// ```
    #[test]
    fn a_partial_area_agrees_with_scikit_learn() {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.2, 0.7, 0.7, 0.9];
        let is_bad = [false, false, true, true, false, true, false, true];
        // roc_auc_score(is_bad, scores, max_fpr=m) of scikit-learn 1.7.
        for (most, expected) in [(0.1, 0.763_157_894_736_842), (0.5, 0.791_666_666_666_667), (1.0, 0.843_75)] {
            let got = partial_auroc(&scores, &is_bad, most).unwrap().unwrap();
            assert!((got - expected).abs() < 1e-9, "{most}: {got}");
        }
        assert_eq!(partial_auroc(&[1.0], &[true], 0.1).unwrap(), None);
        assert!(partial_auroc(&scores, &is_bad, 0.0).is_err());
    }

    #[test]
    fn tied_scores_give_the_figures_of_scikit_learn() {
        let is_bad: Vec<bool> = (0..40).map(|i| i % 3 == 0 || i > 36).collect();
        let scores: Vec<f64> =
            (0..40).map(|i| f64::from(i * i * 31 % 23 + 9 * i32::from(is_bad[i as usize]))).collect();
        assert_close(auroc(&scores, &is_bad).unwrap(), 0.8411458333333334, 1e-15);
        let best = f1_max(&scores, &is_bad).unwrap().unwrap();
        assert_close(Some(best.f1), 0.7692307692307693, 1e-15);
        assert_eq!(best.threshold, 10.0);
    }

    #[test]
    fn auroc_counts_pairs_and_half_the_ties() {
        let scores: Vec<f64> = noise(200, 1).iter().map(|u| (u * 40.0).floor() - 20.0).collect();
        let is_bad: Vec<bool> = noise(200, 2).iter().map(|u| *u < 0.3).collect();
        let (mut pairs, mut won) = (0.0, 0.0);
        for (bad, _) in scores.iter().zip(&is_bad).filter(|(_, bad)| **bad) {
            for (good, _) in scores.iter().zip(&is_bad).filter(|(_, bad)| !**bad) {
                pairs += 1.0;
                won += if bad > good { 1.0 } else { f64::from(bad == good) / 2.0 };
            }
        }
        assert_close(auroc(&scores, &is_bad).unwrap(), won / pairs, 1e-15);
    }

    #[test]
    fn zeros_of_both_signs_are_tied_and_infinity_is_the_worst() {
        assert_eq!(auroc(&[0.0, -0.0], &[true, false]).unwrap(), Some(0.5));
        assert_eq!(auroc(&[f64::INFINITY, f64::MAX, f64::NEG_INFINITY], &[true, false, false]).unwrap(), Some(1.0));
    }

    #[test]
    fn one_class_has_no_figure() {
        for is_bad in [[true, true], [false, false]] {
            assert_eq!(auroc(&[1.0, 2.0], &is_bad).unwrap(), None);
            assert_eq!(f1_max(&[1.0, 2.0], &is_bad).unwrap(), None);
        }
        assert_eq!(auroc(&[], &[]).unwrap(), None);
        assert_eq!(f1_max(&[], &[]).unwrap(), None);
        assert_eq!(overkill(&[true], &[true], 0.95).unwrap(), None);
        assert_eq!(escape(&[true], &[false], 0.95).unwrap(), None);
    }

    #[test]
    fn scores_that_cannot_be_ranked_are_refused_in_words() {
        let error = auroc(&[1.0, f64::NAN], &[true, false]).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Input, "score 1 of 2 is not a number"));
        let error = f1_max(&[1.0], &[true, false]).unwrap_err();
        assert_eq!(error.message(), "1 scores cannot go with 2 labels");
        let error = overkill(&[true], &[], 0.95).unwrap_err();
        assert_eq!(error.message(), "1 verdicts cannot go with 0 labels");
    }

    #[test]
    fn the_best_threshold_is_the_highest_of_equals() {
        let best = f1_max(&[3.0, 2.0, 1.0], &[true, false, true]).unwrap().unwrap();
        assert_eq!(best, F1Max { f1: 0.8, threshold: 1.0 });
        let best = f1_max(&[4.0, 3.0, 2.0, 1.0], &[true, false, false, true]).unwrap().unwrap();
        assert_eq!(best, F1Max { f1: 2.0 / 3.0, threshold: 4.0 });
    }

    #[test]
    fn overkill_counts_the_good_and_escape_the_bad() {
        let is_bad = [false, false, false, false, true, true];
        let is_rejected = [true, false, false, false, true, false];
        let overkill = overkill(&is_rejected, &is_bad, 0.95).unwrap().unwrap();
        assert_eq!((overkill.count, overkill.of, overkill.rate), (1, 4, 0.25));
        let escape = escape(&is_rejected, &is_bad, 0.95).unwrap().unwrap();
        assert_eq!((escape.count, escape.of, escape.rate), (1, 2, 0.5));
    }

    /// Expected figures, numpy 2, scipy 1.17, scikit-learn 1.9. Scores are of few bits, so bins are exact.
    /// ```python
    /// w, h = 24, 16
    /// i = np.arange(w * h)
    /// masks = np.zeros((3, h, w), bool)
    /// masks[1, 2:6, 3:8] = True
    /// masks[1, [10, 11, 12], [10, 11, 10]] = True
    /// masks[2, 0:3, 0:2] = True
    /// masks[2, 7, 23] = masks[2, 8, 0] = True
    /// maps = [((i * i * 31 + i * 17 + k * 101) % 97).reshape(h, w) + 24 * masks[k] for k in range(3)]
    /// maps = np.array(maps) / 64 - 0.25
    /// good, regions = maps[~masks], []
    /// for m, s in zip(masks, maps):
    ///     found, n = scipy.ndimage.label(m, np.ones((3, 3)))
    ///     regions += [s[found == r] for r in range(1, n + 1)]
    /// ts = [np.inf, *np.unique(maps)[::-1]]
    /// fpr = np.array([(good >= t).mean() for t in ts])
    /// pro = np.array([np.mean([(r >= t).mean() for r in regions]) for t in ts])
    /// x = np.append(fpr[fpr < 0.3], 0.3)
    /// y = np.append(pro[fpr < 0.3], np.interp(0.3, fpr, pro))
    /// print(len(regions), roc_auc_score(masks.ravel(), maps.ravel()), np.trapezoid(y, x) / 0.3)
    /// ```
    #[test]
    fn pixel_figures_are_those_of_scipy_and_scikit_learn() {
        let (w, h) = (24, 16);
        let mut masks = vec![vec![false; w * h]; 3];
        for (x, y) in (3..8).flat_map(|x| (2..6).map(move |y| (x, y))).chain([(10, 10), (11, 11), (10, 12)]) {
            masks[1][y * w + x] = true;
        }
        for (x, y) in (0..2).flat_map(|x| (0..3).map(move |y| (x, y))).chain([(23, 7), (0, 8)]) {
            masks[2][y * w + x] = true;
        }
        let mut metrics = PixelMetrics::new();
        for (k, mask) in masks.iter().enumerate() {
            let score = |i: usize| (i * i * 31 + i * 17 + k * 101) % 97 + 24 * usize::from(mask[i]);
            let heatmap: Vec<f32> = (0..w * h).map(|i| score(i) as f32 / 64.0 - 0.25).collect();
            metrics.add(&heatmap, (k > 0).then_some(mask.as_slice()), w, h).unwrap();
        }
        let figures = metrics.finish();
        assert_eq!(figures.regions, 5);
        assert_close(figures.pixel_auroc, 0.6910592500935224, 1e-14);
        assert_close(figures.aupro, 0.21131529388442855, 1e-14);
    }

    /// AUPRO by its definition, threshold by threshold, for pixels whose region is given (0: none).
    fn aupro_by_definition(scores: &[f32], region: &[usize], regions: usize) -> f64 {
        let mut thresholds = scores.to_vec();
        thresholds.sort_unstable_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let share = |wanted: usize, threshold: f32| {
            let of: Vec<f32> = scores.iter().zip(region).filter(|(_, r)| **r == wanted).map(|(s, _)| *s).collect();
            of.iter().filter(|s| **s >= threshold).count() as f64 / of.len() as f64
        };
        let (mut x0, mut y0, mut area) = (0.0, 0.0, 0.0);
        for threshold in thresholds {
            let x = share(0, threshold);
            let y = (1..=regions).map(|r| share(r, threshold)).sum::<f64>() / regions as f64;
            if x >= 0.3 {
                return (area + (0.3 - x0) * (y0 + (y - y0) * (0.3 - x0) / (x - x0) / 2.0)) / 0.3;
            }
            area += (x - x0) * (y0 + y) / 2.0;
            (x0, y0) = (x, y);
        }
        unreachable!("the last threshold calls every pixel bad");
    }

    #[test]
    fn crowded_scores_keep_the_promised_precision() {
        let (w, h) = (40, 30);
        // Regions 1, 2 and 3 in columns 2..6, 12..20 and 30..33.
        let region: Vec<usize> = (0..w * h)
            .map(|i| [2..6, 12..20, 30..33].iter().position(|c| c.contains(&(i % w))).map_or(0, |r| r + 1))
            .collect();
        let mask: Vec<bool> = region.iter().map(|r| *r > 0).collect();
        for seed in 0..5 {
            let random = noise(w * h, seed);
            let heatmap: Vec<f32> =
                (0..w * h).map(|i| (0.9 + 0.06 * random[i] + 0.013 * region[i] as f64) as f32).collect();
            let mut metrics = PixelMetrics::new();
            metrics.add(&heatmap, Some(&mask), w, h).unwrap();
            let exact: Vec<f64> = heatmap.iter().map(|s| f64::from(*s)).collect();
            let figures = metrics.finish();
            assert_close(figures.pixel_auroc, auroc(&exact, &mask).unwrap().unwrap(), 3e-4);
            assert_close(figures.aupro, aupro_by_definition(&heatmap, &region, 3), 1e-3);
        }
    }

    #[test]
    fn higher_scores_never_have_lower_bins() {
        let rising =
            [f32::NEG_INFINITY, f32::MIN, -2.0, -1.0, -1e-40, 0.0, 1e-40, 0.5, 0.7, 1.0, 3.0, f32::MAX, f32::INFINITY];
        assert!(rising.windows(2).all(|two| bin_of(two[0]) <= bin_of(two[1])));
        assert_eq!(bin_of(-0.0), bin_of(0.0));
        assert!(bin_of(f32::NEG_INFINITY) < bin_of(f32::MIN) && bin_of(f32::MAX) < bin_of(f32::INFINITY));
        assert!(bin_of(1.0 - 1.0 / 2048.0) < bin_of(1.0) && bin_of(1.0) < bin_of(1.0 + 1.0 / 2048.0));
        assert!(bin_of(f32::INFINITY) < BINS);
    }

    #[test]
    fn a_perfect_map_scores_one_and_a_flat_one_by_chance() {
        let mask = [false, false, true, true, false, false, false, false];
        let heatmap = mask.map(|bad| f32::from(u8::from(bad)));
        let mut metrics = PixelMetrics::new();
        metrics.add(&heatmap, Some(&mask), 4, 2).unwrap();
        assert_eq!(metrics.finish(), PixelFigures { pixel_auroc: Some(1.0), aupro: Some(1.0), regions: 1 });
        let mut metrics = PixelMetrics::new();
        metrics.add(&[7.0; 8], Some(&mask), 4, 2).unwrap();
        let figures = metrics.finish();
        assert_eq!(figures.pixel_auroc, Some(0.5));
        assert_close(figures.aupro, 0.15, 1e-15);
    }

    #[test]
    fn good_pictures_alone_have_no_pixel_figures() {
        let mut metrics = PixelMetrics::new();
        assert_eq!(metrics.finish(), PixelFigures { pixel_auroc: None, aupro: None, regions: 0 });
        metrics.add(&[0.5; 6], None, 3, 2).unwrap();
        metrics.add(&[0.5; 6], Some(&[false; 6]), 3, 2).unwrap();
        metrics.add(&[], Some(&[]), 0, 0).unwrap();
        assert_eq!(metrics.finish(), PixelFigures { pixel_auroc: None, aupro: None, regions: 0 });
    }

    #[test]
    fn a_refused_map_counts_nothing() {
        let mut metrics = PixelMetrics::new();
        let error = metrics.add(&[0.5; 5], None, 3, 2).unwrap_err();
        assert_eq!(error.message(), "a 3 x 2 heatmap cannot have 5 scores");
        let error = metrics.add(&[0.5; 6], Some(&[true; 5]), 3, 2).unwrap_err();
        assert_eq!(error.message(), "the mask of a 3 x 2 heatmap cannot have 5 pixels");
        let error = metrics.add(&[0.5, 0.5, 0.5, 0.5, f32::NAN, 0.5], Some(&[true; 6]), 3, 2).unwrap_err();
        assert_eq!(error.message(), "the heatmap has no number at column 1, row 1");
        assert!(metrics.add(&[], None, usize::MAX, 2).is_err());
        assert_eq!(metrics.finish().regions, 0);
        assert!(metrics.good.iter().chain(&metrics.bad).all(|&count| count == 0));
    }
}
