//! What a sentence says beside the numbers that stand in it. Shared by the unit tests of what makes the sentences and by the
//! tests of what is written.

/// Why a reason with this `code` contradicts its own numbers, as printed, if so.
pub fn contradiction(code: &str, text: &str) -> Option<String> {
    let numbers = numbers(text);
    let agrees = match (code, &numbers[..]) {
        ("wrong_size", [width, height, taught @ ..]) => {
            // `taught with 40 x 30`, `taught with 40-60 x 30`
            let after = text.split_once("taught with ").map_or("", |(_, after)| after);
            let wide = after.split(" x ").next().map_or(0, |wide| self::numbers(wide).len());
            outside(*width, &taught[..wide]) || outside(*height, &taught[wide..])
        }
        ("too_dark", [mean, taught @ ..]) if text.contains("mean") => *mean < least(taught),
        ("too_bright", [mean, taught @ ..]) if text.contains("mean") => *mean > most(taught),
        ("too_dark" | "too_bright", [share, taught]) => share > taught,
        ("silent", [silent, of, taught]) if text.contains("channels") => silent > taught && silent < of,
        ("clipped" | "silent" | "dropout", [share, taught]) => share > taught,
        ("no_contrast" | "out_of_focus" | "no_motion", [found, taught]) => found < taught,
        ("too_few_frames" | "too_quiet", [found, taught @ ..]) => *found < least(taught),
        ("wrong_length", [seconds, taught @ ..]) => outside(*seconds, taught),
        ("near_limit", [p_value, fails_at]) => p_value > fails_at && *p_value <= 2.0 * fails_at * 1.005,
        ("beyond_good", [good, p_value]) => *good >= 1.0 && *p_value > 0.0,
        // Nothing is told, or by which senses.
        ("within_limit" | "over_limit" | "one_sense_fails", _) => true,
        // These tell one number beside what is wanted of it.
        _ => !numbers.is_empty() || !text.is_empty(),
    };
    (!agrees).then(|| format!("{code}: {text}"))
}

fn outside(value: f64, taught: &[f64]) -> bool {
    value < least(taught) || value > most(taught)
}

fn least(of: &[f64]) -> f64 {
    of.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(of: &[f64]) -> f64 {
    of.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The numbers in a text, in their order. A hyphen after a digit stands between two.
pub fn numbers(text: &str) -> Vec<f64> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let is_sign = matches!(bytes[at], b'-' | b'+') && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        let from = at;
        at += usize::from(is_sign);
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        at += digits;
        match text.get(from..at).map(|word| word.trim_end_matches('.').parse()) {
            Some(Ok(number)) if digits > 0 => found.push(number),
            _ => at = from + 1,
        }
    }
    found
}
