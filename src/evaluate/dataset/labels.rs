//! What the name of a folder or a file says of its samples: good, bad, or nothing. Names only; opens nothing.

/// What a sample is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// As it should be.
    Good,
    /// Defective.
    Bad,
}

/// Names of good samples, in lower case, letters and digits only.
const GOOD: &[&str] = &[
    "good",
    "ok",
    "okay",
    "io",
    "normal",
    "pass",
    "passed",
    "healthy",
    "intact",
    "conforming",
    "accepted",
    "defectfree",
    "nodefect",
    "nodefects",
    "nondefective",
    "notdefective",
    "anomalyfree",
    "faultfree",
    "normalsound",
    "良品",
    "合格",
    "合格品",
    "正常",
];

/// Names of bad samples, in lower case, letters and digits only.
const BAD: &[&str] = &[
    "bad",
    "ng",
    "nok",
    "ko",
    "nio",
    "notok",
    "nogood",
    "notgood",
    "nonconforming",
    "fail",
    "failed",
    "fault",
    "faulty",
    "faults",
    "def",
    "defect",
    "defects",
    "defective",
    "anomaly",
    "anomalies",
    "anomalous",
    "abnormal",
    "broken",
    "damaged",
    "reject",
    "rejects",
    "rejected",
    "anomaloussound",
    "不良",
    "不良品",
    "不合格",
    "不合格品",
    "异常",
    "缺陷",
];

/// Words that turn the next one round.
const NOT: &[&str] = &["not", "no", "non"];

/// What a whole name says, whatever its case and marks: `good`, `Not-Good`, `N.i.O.`.
pub fn of(name: &str) -> Option<Label> {
    let joined: String = name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    of_word(&joined)
}

/// What the words of a name say: `ok_front`, `section_00_source_test_normal_0001`. `None` where no word is known, or two
/// contradict.
pub fn in_words(name: &str) -> Option<Label> {
    let name = name.to_lowercase();
    let (mut found, mut negated) = (None, false);
    for word in name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if NOT.contains(&word) {
            negated = true;
            continue;
        }
        if word == "free" && found == Some(Label::Bad) {
            found = Some(Label::Good);
            continue;
        }
        let Some(label) = of_word(word.trim_end_matches(|c: char| c.is_ascii_digit())) else { continue };
        let label = if std::mem::take(&mut negated) { label.other() } else { label };
        if found.is_some_and(|found| found != label) {
            return None;
        }
        found = Some(label);
    }
    found
}

fn of_word(word: &str) -> Option<Label> {
    match (GOOD.contains(&word), BAD.contains(&word)) {
        (true, _) => Some(Label::Good),
        (_, true) => Some(Label::Bad),
        _ => None,
    }
}

impl Label {
    const fn other(self) -> Self {
        match self {
            Self::Good => Self::Bad,
            Self::Bad => Self::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_of_the_trade_are_known_in_any_case_and_with_any_mark() {
        for name in ["good", "OK", "Normal", "pass", "i.O.", "defect-free", "non_defective", "良品", "正常"] {
            assert_eq!(of(name), Some(Label::Good), "{name}");
        }
        for name in ["bad", "NG", "nok", "N.i.O.", "not_good", "Defective", "abnormal", "fail", "KO", "不良品"] {
            assert_eq!(of(name), Some(Label::Bad), "{name}");
        }
        for name in ["scratch", "ok_front", "goods", "0", ""] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn words_within_a_name_tell_unless_they_contradict() {
        for name in ["ok_front", "section_00_source_train_normal_0000_noAttribute", "img good12", "no-defect-3"] {
            assert_eq!(in_words(name), Some(Label::Good), "{name}");
        }
        for name in ["def_front", "anomaly_id_01_00000003", "not_ok_7", "part.NG.4"] {
            assert_eq!(in_words(name), Some(Label::Bad), "{name}");
        }
        assert_eq!(in_words("defect_free_2"), Some(Label::Good));
        for name in ["normal_or_anomaly", "section_00_0000", "goodyear_1"] {
            assert_eq!(in_words(name), None, "{name}");
        }
    }
}
