//! The page of an evaluation: all figures, and the pictures of the worst misses, which teach more than figures.

use std::fs;
use std::path::{Path, PathBuf};

use super::draw::{Tiles, outline};
use super::html::{self, Card, Pictures, escape};
use super::words::{self, Word};
use crate::error::{Error, Result};
use crate::evaluate::Sample;
use crate::evaluate::interval::{Interval, Rate};
use crate::evaluate::run::{Figures, Judged};
use crate::report::Verdict;
use crate::sample::Frame;

/// Misses of one sort that are shown, at most.
const MOST_MISSES: usize = 12;

/// Writes `<name of the data set>.html` to `dir`, which is made where it is missing, and tells where it is.
///
/// Pictures of the misses are brought by `read` once more, masks by `mask`; files are named relative to `root`.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) when it cannot be written; those of `read`.
pub fn write(
    dir: &Path,
    figures: &Figures,
    judged: &[Judged],
    root: &Path,
    tiles: &[Tiles],
    read: &dyn Fn(&Sample) -> Result<Option<Frame>>,
    mask: &dyn Fn(&Path) -> Result<Frame>,
) -> Result<PathBuf> {
    fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, error))?;
    let heading = format!("<small>eyear · {}</small><bdi>{}</bdi>", words::EVALUATION, escape(&figures.dataset));
    let [table, kinds, baselines] = [table(figures), kinds(figures), baselines(figures)];
    let body = format!("{table}{kinds}{baselines}{}", misses(judged, root, tiles, read, mask)?);
    let by = judged.first().map(|judged| &judged.report.judged_by);
    let page = html::document(&format!("{} · eyear", figures.dataset), &heading, by, &body);
    let path = dir.join(file_name(&figures.dataset));
    fs::write(&path, page).map_err(|error| Error::io("write", &path, error))?;
    Ok(path)
}

/// A data set may be named by a table: what is no plain file name becomes one.
fn file_name(dataset: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') { c } else { '-' };
    format!("{}.html", dataset.chars().map(plain).collect::<String>())
}

/// A figure and its interval.
fn row(name: Word, value: &str, interval: &str) -> String {
    format!("<tr><td>{name}</td><td class=\"number\">{value}</td><td>{interval}</td></tr>\n")
}

fn table(figures: &Figures) -> String {
    let [good, bad] = figures.judged;
    let memory = figures.peak_memory_mb.map_or("–".into(), |mb| format!("{mb:.0} MB"));
    let between = |interval: Option<Interval>| {
        interval.map_or(String::new(), |Interval { low, high }| format!("{low:.3} – {high:.3}"))
    };
    let [overkill, escape] = [figures.overkill, figures.escape].map(rate);
    let latency = figures.latency_ms;
    let interval = between(figures.auroc_interval);
    let of_both = figures.joint_auroc.map(|joint| row(words::JOINT_AUROC, &share(Some(joint)), &interval));
    let interval = if of_both.is_some() { String::new() } else { interval };
    let of_sight = of_both.is_some() && figures.image_auroc.is_some();
    let of_sight = of_sight.then(|| row(words::IMAGE_AUROC, &share(figures.image_auroc), ""));
    let of_sense = match figures.audio_auroc {
        Some(_) => [
            row(words::AUDIO_AUROC, &share(figures.audio_auroc), &interval),
            row(words::AUDIO_PAUC, &share(figures.audio_pauc), ""),
        ]
        .concat(),
        None => [
            row(words::IMAGE_AUROC, &share(figures.image_auroc), &interval),
            row(words::PIXEL_AUROC, &share(figures.pixel_auroc), ""),
            row(words::AUPRO, &share(figures.aupro), ""),
        ]
        .concat(),
    };
    let rows = [
        row(words::TAUGHT, &figures.taught.to_string(), ""),
        row(words::JUDGED_GOOD, &good.to_string(), ""),
        row(words::JUDGED_BAD, &bad.to_string(), ""),
        row(words::OVERKILL, &overkill[0], &overkill[1]),
        row(words::ESCAPE, &escape[0], &escape[1]),
        row(words::INVALID, &figures.invalid.to_string(), ""),
        of_both.unwrap_or_default(),
        of_sight.unwrap_or_default(),
        of_sense,
        row(words::F1_MAX, &share(figures.f1_max), ""),
        row(words::LATENCY, &format!("{:.1} ms", latency.p50), ""),
        row(words::LATENCY_95, &format!("{:.1} ms", latency.p95), ""),
        row(words::SPEED, &format!("{:.0}", figures.images_per_s), ""),
        row(words::MEMORY, &memory, ""),
    ];
    format!(
        "<h2>{}</h2>\n<div class=\"panel\"><table>\n<tr><th></th><th></th><th>{}</th></tr>\n{}</table></div>\n",
        words::FIGURES,
        words::INTERVAL,
        rows.concat()
    )
}

fn kinds(figures: &Figures) -> String {
    if figures.per_kind.is_empty() {
        return String::new();
    }
    let auroc = match (figures.joint_auroc, figures.audio_auroc) {
        (Some(_), _) => words::JOINT_AUROC,
        (None, Some(_)) => words::AUDIO_AUROC,
        (None, None) => words::IMAGE_AUROC,
    };
    let rows = figures.per_kind.iter().map(|(kind, of)| {
        let [escape_rate, interval] = rate(of.escape);
        format!(
            "<tr><td><bdi>{}</bdi></td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{escape_rate}</td><td>{interval}</td></tr>\n",
            escape(kind),
            of.count,
            share(of.auroc)
        )
    });
    format!(
        "<h2>{}</h2>\n<div class=\"panel\"><table>\n<tr><th>{}</th><th class=\"number\">{}</th><th class=\"number\">{}</th>\
         <th class=\"number\">{}</th><th>{}</th></tr>\n{}</table></div>\n",
        words::PER_KIND,
        words::KIND,
        words::COUNT,
        auroc,
        words::ESCAPE,
        words::INTERVAL,
        rows.collect::<String>()
    )
}

/// AUROC beside that of each baseline, where these were asked for: of all bad samples, and of each kind.
fn baselines(figures: &Figures) -> String {
    let Some(baselines) = figures.baselines.as_ref() else { return String::new() };
    let number = |value: Option<f64>| format!("<td class=\"number\">{}</td>", share(value));
    let names = baselines.keys().map(|name| format!("<th class=\"number\">{name}</th>"));
    let all = baselines.values().map(|of| number(of.audio_auroc)).collect::<String>();
    let kinds = figures.per_kind.iter().map(|(kind, of)| {
        let others = baselines.values().map(|of| number(of.per_kind.get(kind).and_then(|of| of.auroc)));
        format!("<tr><td><bdi>{}</bdi></td>{}{}</tr>\n", escape(kind), number(of.auroc), others.collect::<String>())
    });
    format!(
        "<h2>{}</h2>\n<div class=\"panel\"><table>\n<tr><th>{}</th><th class=\"number\">eyear</th>{}</tr>\n\
         <tr><td>{}</td>{}{all}</tr>\n{}</table></div>\n",
        words::BASELINES,
        words::KIND,
        names.collect::<String>(),
        words::ALL_KINDS,
        number(figures.audio_auroc),
        kinds.collect::<String>()
    )
}

fn share(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.4}"))
}

/// A rate with its counts, and its interval.
fn rate(rate: Option<Rate>) -> [String; 2] {
    rate.map_or(["–".into(), String::new()], |Rate { count, of, rate, interval }| {
        let value = format!("{:.1} % ({count} / {of})", 100.0 * rate);
        [value, format!("{:.1} – {:.1} %", 100.0 * interval.low, 100.0 * interval.high)]
    })
}

/// Good pictures that were rejected and bad ones that were not, the worst of each as cards.
fn misses(
    judged: &[Judged],
    root: &Path,
    tiles: &[Tiles],
    read: &dyn Fn(&Sample) -> Result<Option<Frame>>,
    mask: &dyn Fn(&Path) -> Result<Frame>,
) -> Result<String> {
    let mut html = html::legend(false);
    if judged.iter().any(|judged| judged.sample.mask.is_some()) {
        html += &format!("<p class=\"note\">{}</p>\n", words::MASK_LINE);
    }
    for (title, are_bad) in [(words::ESCAPES, true), (words::FALSE_REJECTS, false)] {
        let misses = worst_first(judged, are_bad);
        html += &format!("<h2>{title}</h2>\n");
        html += &match misses.len() {
            0 => format!("<p>{}</p>\n", words::NONE),
            all if all > MOST_MISSES => format!("<p class=\"note\">{}</p>\n", words::SHOWN_OF.with(all)),
            _ => String::new(),
        };
        for Judged { sample, report } in misses.into_iter().take(MOST_MISSES) {
            let frame = read(sample)?;
            let views = html::views(frame.as_ref(), report, tiles);
            let mut pictures =
                views.iter().map(|view| Pictures::draw(view, None)).collect::<Result<Vec<Pictures>>>()?;
            let overlay = pictures.first_mut().and_then(|seen| seen.overlay.as_mut());
            if let (Some(path), Some(overlay)) = (&sample.mask, overlay) {
                outline(overlay, &mask(path)?);
            }
            let name = sample.path.strip_prefix(root).unwrap_or(&sample.path).display().to_string();
            let kind = Some(sample.kind.as_str());
            html += &Card { name: &name, report, pictures: &pictures, kind, written: None }.html()?;
        }
    }
    Ok(html)
}

/// What was misjudged, as overkill and escape count it.
fn worst_first(judged: &[Judged], are_bad: bool) -> Vec<&Judged> {
    let rejected = |judged: &Judged| matches!(judged.report.verdict, Verdict::Fail | Verdict::Invalid);
    let mut misses: Vec<&Judged> =
        judged.iter().filter(|judged| judged.sample.is_bad == are_bad && rejected(judged) != are_bad).collect();
    misses.sort_by(|a, b| {
        let rising = a.report.score.total_cmp(&b.report.score);
        if are_bad { rising } else { rising.reverse() }
    });
    misses
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::evaluate::baseline::{BaselineFigures, BaselineKind};
    use crate::evaluate::dataset::Sample;
    use crate::evaluate::run::{KindFigures, Latency};
    use crate::report::Report;
    use crate::sample::PixelFormat;
    use crate::sink::example;

    fn judged(name: &str, is_bad: bool, verdict: Verdict, score: f32) -> Judged {
        let kind = if is_bad { "<dent>" } else { "good" };
        let mask = is_bad.then(|| PathBuf::from("mask.png"));
        let sample = Sample { path: format!("set/{name}").into(), kind: kind.into(), is_bad, fault: None, mask };
        Judged { sample, report: Report { score, ..example::report(verdict) } }
    }

    fn figures() -> Figures {
        let kind = KindFigures {
            count: 4,
            auroc: Some(0.75),
            pauc: None,
            alone: None,
            escape: Rate::new(1, 4, 0.95).unwrap(),
        };
        Figures {
            dataset: "a/<b>".into(),
            taught: 20,
            judged: [30, 4],
            joint_auroc: None,
            joint_pauc: None,
            image_auroc: Some(0.9125),
            audio_auroc: None,
            audio_pauc: None,
            auroc_interval: Some(Interval { low: 0.85, high: 0.97 }),
            pixel_auroc: None,
            aupro: None,
            f1_max: Some(0.8),
            overkill: Rate::new(3, 30, 0.95).unwrap(),
            escape: Rate::new(1, 4, 0.95).unwrap(),
            unsure: [0, 0],
            invalid: 0,
            per_kind: BTreeMap::from([("<dent>".to_string(), kind)]),
            latency_ms: Latency { p50: 12.0, p95: 15.0, p99: 20.0 },
            images_per_s: 80.0,
            peak_memory_mb: None,
            alone: BTreeMap::new(),
            baselines: None,
        }
    }

    fn page(judged: &[Judged]) -> String {
        page_of(&figures(), judged)
    }

    fn page_of(figures: &Figures, judged: &[Judged]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let grey = || Frame::new(vec![60u8; 64], PixelFormat::Grey8, 8, 8);
        let (read, mask) = (|_: &Sample| grey().map(Some), |_: &Path| grey());
        let pixels = vec![50; 12];
        let tiles = Tiles { pixels: &pixels, side: 2, span: 1.5 };
        let path = write(dir.path(), figures, judged, Path::new("set"), &[tiles], &read, &mask).unwrap();
        assert_eq!(path, dir.path().join("a--b-.html"));
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_worst_misses_come_first_and_what_was_judged_right_is_not_shown() {
        let html = page(&[
            judged("good-passed", false, Verdict::Pass, 1.0),
            judged("good-failed", false, Verdict::Fail, 4.0),
            judged("good-failed-high", false, Verdict::Fail, 9.0),
            judged("good-unsure", false, Verdict::Unsure, 3.0),
            judged("bad-failed", true, Verdict::Fail, 8.0),
            judged("bad-unsure", true, Verdict::Unsure, 3.0),
            judged("bad-passed", true, Verdict::Pass, 1.0),
        ]);
        let order = ["bad-passed", "bad-unsure", "good-failed-high", "good-failed"];
        let order = order.map(|name| html.find(&format!(">{name}<")).unwrap());
        assert!(order.is_sorted(), "{order:?}");
        assert_eq!(html.matches("<article").count(), 4);
        assert!(html.contains("a/&lt;b&gt;") && html.contains("&lt;dent&gt;") && !html.contains("<dent>"));
    }

    #[test]
    fn figures_stand_with_their_intervals_and_missing_ones_as_a_dash() {
        let html = page(&[]);
        for text in ["0.9125", "0.850 – 0.970", "10.0 % (3 / 30)", "<td class=\"number\">–</td>", "None.", "漏检率"]
        {
            assert!(html.contains(text), "{text}");
        }
    }

    #[test]
    fn baselines_stand_beside_by_kind() {
        let of = |auroc: f64| BaselineKind { auroc: Some(auroc), pauc: None };
        let per_kind = BTreeMap::from([("<dent>".to_string(), of(0.625))]);
        let baseline = BaselineFigures { audio_auroc: Some(0.6875), audio_pauc: None, per_kind };
        let baselines = Some(BTreeMap::from([("knn", baseline)]));
        let html = page_of(&Figures { audio_auroc: Some(0.9375), baselines, ..figures() }, &[]);
        for row in [
            "</td><td class=\"number\">0.9375</td><td class=\"number\">0.6875</td></tr>",
            "0.7500</td><td class=\"number\">0.6250",
        ] {
            assert!(html.contains(row), "{row}: {html}");
        }
        assert!(html.contains("knn") && !page(&[]).contains("knn"));
    }

    #[test]
    fn many_misses_are_cut_and_counted() {
        let html = page(&vec![judged("x", true, Verdict::Pass, 1.0); 20]);
        assert_eq!(html.matches("<article").count(), 12);
        assert!(html.contains("20 in all"));
    }
}
