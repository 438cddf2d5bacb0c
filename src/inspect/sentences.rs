//! Each sentence that tells why, over a grid of what is measured, beside its own numbers.

use super::core::{decide, p_text};
use super::places::cannot_be_judged;
use crate::memory::calibrate::Calibration;
use crate::memory::part::{Audible, Envelope, Loudness, Moving};
use crate::prepare::clip::Filmed;
use crate::prepare::quality::Quality;
use crate::report::{Reason, ReasonCode, Verdict};

#[path = "../../tests/numbers.rs"]
mod numbers;

/// Tells what contradicts itself, and which codes were told.
fn check(reasons: impl Iterator<Item = Reason>) -> Vec<ReasonCode> {
    let mut told = Vec::new();
    for Reason { code, text } in reasons {
        assert_eq!(numbers::contradiction(code.as_str(), &text), None);
        told.push(code);
    }
    told.sort();
    told.dedup();
    told
}

#[test]
fn what_contradicts_its_numbers_is_seen() {
    let told = |code: &str, text: &str| numbers::contradiction(code, text).is_some();
    assert!(told("too_bright", "too bright: mean 156, taught 153-162"));
    assert!(told("silent", "silent: 100.0 % of the sound, taught at most 100.0 %"));
    assert!(told("near_limit", "near the limit: p = 0.0100, fails at 0.01"));
    assert!(told("wrong_size", "wrong size: 640 x 480 pixels, taught with 600-700 x 480"));
    assert!(!told("wrong_size", "wrong size: 640 x 480 pixels, taught with 600-700 x 240"));
    assert_eq!(numbers::numbers("-60 dBFS, taught -30 to -20; 153-162."), [-60.0, -30.0, -20.0, 153.0, 162.0]);
}

#[test]
fn why_a_picture_is_blind_agrees_with_its_numbers() {
    let quality = |i: usize| {
        let of = |i: usize, values: [f32; 7]| values[i % 7];
        Quality {
            brightness: of(i, [0.4, 60.0, 119.5, 127.0, 156.2, 214.6, 254.9]),
            contrast: of(i / 7, [0.04, 1.02, 1.5, 9.96, 10.04, 40.0, 120.0]),
            black: of(i / 49, [0.0, 0.004, 0.351, 0.6, 0.645, 0.996, 1.0]),
            white: of(i / 343, [1.0, 0.0, 0.35, 0.354, 0.5, 0.648, 0.9]),
            sharpness: of(i / 2401, [-1.0, 0.04, 1.26, 2.46, 3.0, 5.0, 6.2]),
        }
    };
    let sizes = [[40, 30], [44, 30], [29, 30], [40, 41], [60, 22]];
    let taught = [1, 800, 3000, 9001, 12_001, 16_000].map(|i| {
        let good = [(quality(i), [40, 30]), (quality(i + 1), [44, 30])];
        Envelope::of(good[..1 + i % 2].iter().copied())
    });
    let found = (0..16_807).step_by(3).flat_map(|i| taught.map(|taught| (i, taught)));
    // What has no contrast is not taught.
    let found = found.filter(|(_, taught)| taught.contrast[0] >= 1.0);
    let told = check(found.filter_map(|(i, taught)| cannot_be_judged(sizes[i % 5], quality(i), &taught, 1 + i % 40)));
    let (dark, bright) = (ReasonCode::TooDark, ReasonCode::TooBright);
    for code in [ReasonCode::WrongSize, dark, bright, ReasonCode::NoContrast, ReasonCode::OutOfFocus] {
        assert!(told.contains(&code), "{code:?} of {told:?}");
    }
}

#[test]
fn why_a_sound_is_spoilt_agrees_with_its_numbers() {
    let shares = [0.0, 0.0099, 0.0101, 0.0204, 0.35, 0.499, 0.5, 0.98, 1.0];
    let heard = |i: usize| {
        let share = |i: usize| shares[i % 9];
        Loudness {
            seconds: [0.5, 1.5, 2.0, 2.666, 2.667, 4.0][i % 6],
            rms_dbfs: [-90.0, -55.6, -40.4, -40.3, -20.0, -3.0][i / 6 % 6],
            lost_db: 0.0,
            clipped: share(i / 36),
            silent: share(i / 4),
            dropped: share(i / 11),
            channels: 2,
            silent_channels: i / 100 % 3,
        }
    };
    let taught = [3, 100, 777, 2000].map(|i| Audible::of(&[heard(i), heard(i + 7)]).unwrap());
    let told = check((0..3000).flat_map(|i| taught.map(|taught| taught.deaf(heard(i)))).flatten());
    let spoilt = [ReasonCode::Clipped, ReasonCode::Silent, ReasonCode::Dropout];
    for code in spoilt.into_iter().chain([ReasonCode::WrongLength, ReasonCode::TooQuiet]) {
        assert!(told.contains(&code), "{code:?} of {told:?}");
    }
}

#[test]
fn why_a_clip_is_not_judged_agrees_with_its_numbers() {
    let filmed = |i: usize| Filmed {
        seconds: [0.3, 0.74, 1.0, 1.333, 1.334, 30.0][i % 6],
        rate: [2.0, 5.96, 6.0, 12.0, 12.04, 25.0][i / 6 % 6],
        size: [40, 30],
        quality: Quality::default(),
        motion: [0.0, 0.049, 0.051, 1.0, 4.0, 40.0][i / 36 % 6],
    };
    // What does not move is not taught.
    let taught = [112, 130, 150, 200].map(|i| Moving::of(&[filmed(i), filmed(i + 1)]).unwrap());
    let told = check((0..216).flat_map(|i| taught.map(|taught| taught.still(filmed(i)))).flatten());
    for code in [ReasonCode::WrongLength, ReasonCode::NoMotion, ReasonCode::TooFewFrames] {
        assert!(told.contains(&code), "{code:?} of {told:?}");
    }
}

#[test]
fn a_verdict_agrees_with_its_p_value_as_printed() {
    for overkill in [0.05, 0.01, 0.001, 1e-4, 2.5e-6] {
        for good in [3, 20, 99, 500] {
            let calibration = Calibration::new((0..good).map(|i| (i as f32 * 0.37).sin()).collect());
            let limit = calibration.limit(overkill);
            let near = (0..200).map(|i| limit - 0.002 * i as f32).chain((0..40).map(|i| limit - 1e-5 * i as f32));
            check(near.map(|score| {
                let (verdict, reason) = decide(&calibration, overkill, score, "images");
                let p_value = calibration.p_value(score);
                assert_eq!(verdict == Verdict::Fail, p_value <= overkill);
                reason
            }));
        }
    }
    assert_eq!(p_text(0.010_04, 0.01), "0.01004");
    assert_eq!(p_text(0.0105, 0.01), "0.0105");
    assert_eq!(p_text(0.3, 0.01), "0.3000");
    assert_eq!(p_text(4e-6, 2.5e-6), "0.000004");
}
