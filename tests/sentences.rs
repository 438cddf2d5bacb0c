//! What reports say, beside the numbers that they say it with: each set of samples, by parts that other tests share.

use serde_json::Value;

use crate::commands::{biscuit, eyear, lines};
use crate::numbers::{contradiction, numbers};
use crate::taught::taught;

#[test]
fn no_report_contradicts_its_own_numbers() {
    let machine = &taught("machine", &["--good", "tests/data/machine/train/normal"]).part;
    let gripper = &taught("gripper", &["--good", "tests/data/gripper/train/good"]).part;
    let own = [
        (biscuit(), "tests/data/cookie/test"),
        (machine.as_str(), "tests/data/machine/test"),
        (gripper.as_str(), "tests/data/gripper/test"),
        // Of another part, another size and another light.
        (biscuit(), "tests/data/paper/test"),
        (biscuit(), "tests/data/screws4/test"),
    ];
    for (part, samples) in own {
        let output = eyear(&["inspect", part, "--json", samples]);
        let reports = lines(&output);
        assert!(!reports.is_empty(), "{samples}");
        reports.iter().filter(|report| report["verdict"].is_string()).for_each(check);
    }
}

fn check(report: &Value) {
    let of = |value: &Value| value.as_f64().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let (code, reason) = (text(&report["reason"]["code"]), text(&report["reason"]["text"]));
    assert_eq!(contradiction(&code, &reason), None, "{report}");
    let [score, limit, p_value] = ["score", "limit", "p_value"].map(|name| of(&report[name]));
    match report["verdict"].as_str().unwrap() {
        "pass" => assert!(p_value > 0.01 && score < limit, "{report}"),
        "fail" => assert!(p_value <= 0.01 && score >= limit, "{report}"),
        "unsure" => assert!(p_value > 0.01 && score < limit, "{report}"),
        // Nothing is told of what is not judged.
        _ => assert!(report["findings"].as_array().unwrap().is_empty() && !reason.is_empty(), "{report}"),
    }
    for finding in report["findings"].as_array().unwrap() {
        let (data, place) = (&finding["data"], text(&finding["place"]));
        assert!(of(&finding["severity"]) >= 1.0 || finding["what"] == "heard", "{finding}");
        match finding["what"].as_str().unwrap() {
            "seen" => assert_eq!(place, text(&data["position"]).replace('_', " ")),
            "heard" => check_heard(data, &place),
            _ => check_moved(data, &place),
        }
    }
}

/// As printed, with so many digits.
fn is_printed(printed: f64, value: f64, digits: usize) -> bool {
    format!("{printed:.digits$}") == format!("{value:.digits$}")
}

fn check_heard(heard: &Value, place: &str) {
    let pair = |name: &str| [0, 1].map(|i| heard[name][i].as_f64().unwrap());
    let ([low, high], [from, to], db) = (pair("hz"), pair("seconds"), heard["db"].as_f64().unwrap());
    assert!(low <= high && from < to, "{heard}");
    match heard["character"].as_str().unwrap() {
        "louder" => assert!(db >= 0.0, "{heard}"),
        "quieter" | "gap" => assert!(db < 0.0, "{heard}"),
        _ => {}
    }
    if place.contains("kHz") && place.ends_with(" s") {
        let said = numbers(place);
        let measured = [low / 1e3, high / 1e3, from, to];
        assert!(
            said.len() == 4 && said.iter().zip(measured).all(|(said, of)| is_printed(*said, of, 2)),
            "{place}: {heard}"
        );
    }
}

fn check_moved(moved: &Value, place: &str) {
    let of = |value: &Value| value.as_f64().unwrap();
    let ([motion, usual], [from, to]) =
        ([&moved["motion"], &moved["usual"]].map(of), [&moved["seconds"][0], &moved["seconds"][1]].map(of));
    assert!(from < to, "{moved}");
    match moved["character"].as_str().unwrap() {
        "more" | "elsewhere" => assert!(motion > usual && motion >= 1.0, "{moved}"),
        "less" => assert!(motion < usual, "{moved}"),
        _ => {}
    }
    let said = numbers(place);
    assert!(is_printed(said[0], from, 1) && is_printed(said[1], to, 1), "{place}: {moved}");
    assert!(place.ends_with(&moved["position"].as_str().unwrap().replace('_', " ")), "{place}: {moved}");
}
