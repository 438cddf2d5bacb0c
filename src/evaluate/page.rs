//! The page of an evaluation: all figures, and the pictures of the worst misses, which teach more than figures.

use std::fs;
use std::path::{Path, PathBuf};

use super::Sample;
use super::figures::{CorruptedFigures, Figures};
use super::interval::{Interval, Rate};
use super::judged::Judged;
use crate::error::{Error, Result};
use crate::report::Verdict;
use crate::sample::Frame;
use crate::show::draw::{Tiles, outline};
use crate::show::html::{self, Card, JudgedBy, Pictures, escape};
use crate::show::words::{self, Word};

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
    let sections = [table, kinds, baselines, robust, in_words].map(|section| section(figures));
    let body = sections.concat() + &misses(judged, root, tiles, read, mask)?;
    let by = judged.first().map(|judged| JudgedBy::of(&judged.report));
    let page = html::document(&format!("{} · eyear", figures.dataset), &heading, by.as_ref(), &body);
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
        None if figures.clip_auroc.is_some() => row(words::CLIP_AUROC, &share(figures.clip_auroc), &interval),
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
        if figures.unreadable > 0 {
            row(words::UNREADABLE, &figures.unreadable.to_string(), "")
        } else {
            String::new()
        },
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
        (None, None) if figures.clip_auroc.is_some() => words::CLIP_AUROC,
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
    let all = baselines.values().map(|of| number(of.audio_auroc.or(of.clip_auroc))).collect::<String>();
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
        number(figures.audio_auroc.or(figures.clip_auroc)),
        kinds.collect::<String>()
    )
}

/// How well the samples are told in words, where that was asked for: over all, and of each folder.
fn in_words(figures: &Figures) -> String {
    let Some(of) = figures.words.as_ref() else { return String::new() };
    let of_rate = |name: Word, value: Option<Rate>| {
        let [value, interval] = rate(value);
        if interval.is_empty() { String::new() } else { row(name, &value, &interval) }
    };
    let rows = [
        row(words::MODEL, &escape(&of.by), ""),
        row(words::REPORTS, &of.reports.to_string(), ""),
        of_rate(words::SAYS_VERDICT, of.verdict),
        of_rate(words::SAYS_KIND, of.kind),
        of_rate(words::SAYS_EVERY_KIND, of.every_kind),
        of_rate(words::SAYS_ONLY_KIND, of.named),
        of_rate(words::SAYS_NOTHING, of.missed),
        of_rate(words::SAYS_PLACE, of.place),
        of_rate(words::SAYS_PLACE_NEAR, of.place_near),
        of_rate(words::SAYS_PLACES, of.places),
        of_rate(words::SAYS_COUNT, of.count),
        of_rate(words::SAYS_FALSELY, of.contradicted),
        row(words::WRITING, &format!("{:.1} ms", of.ms), ""),
    ];
    let number = |value: Option<Rate>| format!("<td class=\"number\">{}</td>", rate(value)[0]);
    let kinds = of.per_kind.iter().map(|(kind, of)| {
        let right = if of.right.is_empty() { "–".into() } else { escape(&of.right.join(", ")) };
        let figures = [of.kind, of.every_kind, of.named, of.missed].map(number).concat();
        format!("<tr><td><bdi>{}</bdi></td><td>{right}</td>{figures}</tr>\n", escape(kind))
    });
    let wrong = of.wrong.iter().map(|own| escape(&format!("{}: {} {}", own.folder, own.kind, own.count)));
    let wrong = wrong.collect::<Vec<_>>().join(", ");
    let wrong = if wrong.is_empty() { words::NONE.to_string() } else { wrong };
    let heads = [words::SAYS_KIND, words::SAYS_EVERY_KIND, words::SAYS_ONLY_KIND, words::SAYS_NOTHING];
    let heads = heads.map(|word| format!("<th class=\"number\">{word}</th>")).concat();
    format!(
        "<h2>{}</h2>\n<div class=\"panel\"><table>\n<tr><th></th><th></th><th>{}</th></tr>\n{}</table></div>\n\
         <div class=\"panel\"><table>\n<tr><th>{}</th><th>{}</th>{heads}</tr>\n{}</table></div>\n\
         <p class=\"note\">{}: {wrong}</p>\n",
        words::IN_WORDS,
        words::INTERVAL,
        rows.concat(),
        words::KIND,
        words::RIGHT_KINDS,
        kinds.collect::<String>(),
        words::WRONG_KINDS,
    )
}

/// An area under a curve: its name, and where it stands.
type Area = (Word, fn(&CorruptedFigures) -> Option<f64>);

/// The figures when the samples get worse, each beside the clean one, where these were asked for.
fn robust(figures: &Figures) -> String {
    let rows = figures.robust.as_deref().unwrap_or_default();
    let Some(clean) = rows.first() else { return String::new() };
    let paired = clean.joint_auroc.is_some();
    let areas: [Area; 4] = [
        (words::JOINT_AUROC, |row| row.joint_auroc),
        (words::IMAGE_AUROC, |row| row.image_auroc),
        (words::AUDIO_AUROC, |row| row.audio_auroc),
        (words::AUPRO, |row| row.aupro),
    ];
    let areas: Vec<_> = areas.into_iter().filter(|(_, of)| rows.iter().any(|row| of(row).is_some())).collect();
    let cell = |text: &str| format!("<td class=\"number\">{text}</td>");
    let head = |text: &str| format!("<th class=\"number\">{text}</th>");
    let counts = |[good, bad]: [usize; 2]| cell(&format!("{good} + {bad}"));
    // By how much a figure differs from the clean one, where it does.
    let beside = |value: Option<f64>, clean: Option<f64>, scale: f64, digits: usize| {
        let change = value.zip(clean).map_or(0.0, |(value, clean)| scale * (value - clean));
        let is_seen = change.abs() >= 0.5 * 10f64.powi(-(digits as i32));
        if is_seen { format!(" <small>{change:+.digits$}</small>") } else { String::new() }
    };
    let of_share = |value: Option<f64>, clean: Option<f64>| cell(&(share(value) + &beside(value, clean, 1.0, 4)));
    let of_rate = |value: Option<Rate>, clean: Option<Rate>| {
        let change = beside(value.map(|rate| rate.rate), clean.map(|rate| rate.rate), 100.0, 1);
        cell(&(rate(value)[0].clone() + &change))
    };
    let mut html = format!("<h2>{}</h2>\n<p class=\"note\">{}</p>\n", words::ROBUST, words::READ_ROBUST);
    html +=
        &format!("<div class=\"panel\"><table>\n<tr><th>{}</th>{}", words::WORSENING, head(&words::LEVEL.to_string()));
    let rates = [words::OVERKILL, words::ESCAPE, words::UNSURE, words::REFUSED];
    let last = [words::REST_OVERKILL, words::REST_ESCAPE];
    let alone = paired.then_some(words::LEFT_OUT_SENSE);
    let worded = clean.words.is_some().then_some([words::SAYS_KIND, words::SAYS_FALSELY]);
    let heads = areas.iter().map(|(word, _)| *word).chain(rates).chain(alone).chain(last);
    let heads = heads.chain(worded.into_iter().flatten());
    html.extend(heads.map(|word| head(&word.to_string())));
    html += &format!("<th>{}</th></tr>\n", words::REASON);
    for row in rows {
        let name = words::worsening(row.worsening).map_or_else(|| escape(row.worsening), |word| word.to_string());
        html += &format!("<tr><td>{name}</td>");
        html += &cell(&row.level.map_or(String::new(), |level| format!("{level} {}", row.unit)));
        html.extend(areas.iter().map(|(_, of)| of_share(of(row), of(clean))));
        html += &of_rate(row.overkill, clean.overkill);
        html += &of_rate(row.escape, clean.escape);
        html += &counts(row.unsure);
        html += &counts(row.invalid);
        html.extend(paired.then(|| counts(row.degraded)));
        let of_rest = |of: Option<Rate>| if row.invalid == [0, 0] { cell("") } else { cell(&rate(of)[0]) };
        html.extend([row.rest.overkill, row.rest.escape].map(of_rest));
        if let Some(own) = &row.words {
            html += &of_rate(own.kind, clean.words.as_ref().and_then(|words| words.kind));
            html += &of_rate(own.contradicted, None);
        }
        let reasons = row.reasons.iter().map(|(reason, count)| format!("{} {count}", reason.words()));
        html += &format!("<td>{}</td></tr>\n", reasons.collect::<Vec<_>>().join(", "));
    }
    html + "</table></div>\n"
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
            html += &Card { name: &name, report, pictures: &pictures, kind, written: None }.html()?.html;
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
    use crate::evaluate::dataset::{Dataset, Sample};
    use crate::evaluate::figures::{KindFigures, Rest};
    use crate::evaluate::latency::Latency;
    use crate::evaluate::robust::{self, Corruption};
    use crate::evaluate::words::{WordFigures, WordsOfKind, Wrong};
    use crate::package::manifest::Sense;
    use crate::report::{ReasonCode, Report};
    use crate::sample::PixelFormat;
    use crate::testing;

    fn judged(name: &str, is_bad: bool, verdict: Verdict, score: f32) -> Judged {
        let kind = if is_bad { "<dent>" } else { "good" };
        let mask = is_bad.then(|| PathBuf::from("mask.png"));
        let sample = Sample { path: format!("set/{name}").into(), kind: kind.into(), is_bad, fault: None, mask };
        Judged { sample, report: Report { score, ..testing::report(verdict) } }
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
            clip_auroc: None,
            audio_pauc: None,
            auroc_interval: Some(Interval { low: 0.85, high: 0.97 }),
            pixel_auroc: None,
            aupro: None,
            f1_max: Some(0.8),
            overkill: Rate::new(3, 30, 0.95).unwrap(),
            escape: Rate::new(1, 4, 0.95).unwrap(),
            unreadable: 0,
            unsure: [0, 0],
            invalid: 0,
            per_kind: BTreeMap::from([("<dent>".to_string(), kind)]),
            latency_ms: Latency { p50: 12.0, p95: 15.0, p99: 20.0 },
            images_per_s: 80.0,
            peak_memory_mb: None,
            words: None,
            alone: BTreeMap::new(),
            baselines: None,
            robust: None,
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
        let baseline = BaselineFigures { audio_auroc: Some(0.6875), audio_pauc: None, clip_auroc: None, per_kind };
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
    fn what_is_said_in_words_stands_with_its_counts() {
        let of = |count: u64| Rate::new(count, 9, 0.95).unwrap();
        let per_kind = WordsOfKind {
            count: 9,
            right: vec!["hole".into(), "pitting".into()],
            kind: of(5),
            every_kind: of(6),
            named: of(2),
            missed: of(7),
        };
        let said = WordFigures {
            by: "writer <1>".into(),
            language: "en".into(),
            reports: 12,
            invalid: 0,
            fixed: 0,
            verdict: of(9),
            kind: of(5),
            every_kind: of(6),
            named: of(2),
            missed: of(7),
            missed_as: [7, 0],
            place: of(4),
            place_near: of(8),
            places: of(3),
            count: None,
            contradicted: of(0),
            unchecked: 0,
            contradictions: Vec::new(),
            per_kind: BTreeMap::from([("<dent>".to_string(), per_kind)]),
            wrong: vec![Wrong { folder: "<dent>".into(), kind: "crack".into(), count: 2 }],
            ms: 12.34,
            tokens_per_s: Some(900.0),
        };
        let html = page_of(&Figures { words: Some(said), ..figures() }, &[]);
        for text in [
            "writer &lt;1&gt;",
            "55.6 % (5 / 9)",
            "22.2 % (2 / 9)",
            "hole, pitting",
            "&lt;dent&gt;: crack 2",
            "12.3 ms",
            "文字报告",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains(words::SAYS_COUNT.en), "what was not counted is not told");
        assert!(!page(&[]).contains(words::IN_WORDS.en));
    }

    #[test]
    fn what_gets_worse_stands_beside_the_clean_figures_in_both_languages() {
        let row = |worsening, level, auroc, count, invalid| CorruptedFigures {
            worsening,
            level,
            unit: "EV",
            joint_auroc: None,
            image_auroc: Some(auroc),
            audio_auroc: None,
            aupro: None,
            overkill: Rate::new(count, 30, 0.95).unwrap(),
            escape: None,
            unsure: [1, 2],
            invalid,
            degraded: [0, 0],
            reasons: BTreeMap::from([(ReasonCode::TooDark, 3)]),
            rest: Rest { judged: [27, 4], auroc: None, overkill: Rate::new(0, 27, 0.95).unwrap(), escape: None },
            words: None,
        };
        let rows = vec![row("clean", None, 0.9, 0, [0, 0]), row("darker", Some(-1.0), 0.75, 3, [3, 0])];
        let html = page_of(&Figures { robust: Some(rows), ..figures() }, &[]);
        for text in [
            "变暗",
            "-1 EV",
            "0.7500 <small>-0.1500</small>",
            "10.0 % (3 / 30) <small>+10.0</small>",
            "3 + 0",
            "0.0 % (0 / 27)",
            "too dark 3",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert_eq!(html.matches("(0 / 27)").count(), 1, "the rest is told where something was refused");
        assert!(!page(&[]).contains(words::ROBUST.en));
    }

    #[test]
    fn each_way_of_getting_worse_has_a_word() {
        let of = |name: &str| {
            let mask = Some("mask.png".into());
            let sample = Sample { path: name.into(), kind: "x".into(), is_bad: true, fault: None, mask };
            robust::plan(&Dataset { name: String::new(), train_good: Vec::new(), test: vec![sample] })
        };
        let senses = [Sense::Image, Sense::Sound].map(Corruption::Without);
        let ways = [of("a.png"), of("a.wav"), senses.to_vec()].concat();
        for name in ways.iter().map(|way| way.name()).chain([robust::CLEAN]) {
            assert_eq!(words::worsening(name).map(|word| word.en), Some(name));
        }
    }

    #[test]
    fn many_misses_are_cut_and_counted() {
        let html = page(&vec![judged("x", true, Verdict::Pass, 1.0); 20]);
        assert_eq!(html.matches("<article").count(), 12);
        assert!(html.contains("20 in total"));
    }
}
