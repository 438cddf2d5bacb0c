//! Shared by all pages: the document, the card of a sample, escaping. Pages use no script and no external font or image; a
//! content security policy enforces that.

use super::draw::{self, COLOURS, COOL, HOT, NUMBERED, Tiles};
use super::picture::{Picture, fit};
use super::words::{self, Word};
use crate::error::Result;
use crate::package::manifest::Sense;
use crate::report::{EncodedBy, Finding, Movement, Provenance, Reason, Report, SenseReport, Sensed, Verdict, Written};
use crate::sample::Frame;

/// Longer side of images in a page.
const PAGE_SIDE: usize = 480;
/// The same for a clip, which has many tiles.
const STEPS_SIDE: usize = 720;
/// The same at full size, large enough to see each step.
const WHOLE_STEPS_SIDE: usize = 1344;
const STYLE: &str = include_str!("page.css");
/// A distinct shape for each verdict, for colour-blind readers and monochrome printers.
const SIGNS: &str = r##"<svg width="0" height="0" style="position:absolute" aria-hidden="true">
<symbol id="pass" viewBox="0 0 20 20"><circle cx="10" cy="10" r="9" fill="currentColor"/><path d="M5.5 10.5l3 3 6-7" fill="none" stroke="#fff" stroke-width="2.2"/></symbol>
<symbol id="fail" viewBox="0 0 20 20"><path d="M6 1h8l5 5v8l-5 5H6l-5-5V6z" fill="currentColor"/><path d="M6.5 6.5l7 7m0-7l-7 7" stroke="#fff" stroke-width="2.2"/></symbol>
<symbol id="unsure" viewBox="0 0 20 20"><path d="M10 1l9.5 17.5H.5z" fill="currentColor"/><path d="M10 7.5v5.5m0 1.6v2" stroke="#fff" stroke-width="2.2"/></symbol>
<symbol id="invalid" viewBox="0 0 20 20"><circle cx="10" cy="10" r="7.8" fill="none" stroke="currentColor" stroke-width="2.4"/><path d="M4.8 15.2L15.2 4.8" stroke="currentColor" stroke-width="2.4"/></symbol>
</svg>"##;

/// `text` so that it can stand in an element or a quoted attribute; control characters become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A relative link to the file `name` beside the page.
fn link(name: &str) -> String {
    let mut link = String::from("./");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => link.push(byte as char),
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

/// Base 64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * i) & 63) as usize] as char;
            text.push(if i <= chunk.len() { sign } else { '=' });
        }
    }
    text
}

/// A whole page. `title` is plain text; `heading` and `body` are HTML.
pub fn document(title: &str, heading: &str, judged_by: Option<&JudgedBy>, body: &str) -> String {
    let title = escape(title);
    let by = judged_by.map_or(String::new(), JudgedBy::html);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
{SIGNS}
<input class="choice" type="radio" name="language" id="en" checked aria-label="English">
<input class="choice" type="radio" name="language" id="zh" aria-label="中文">
<div class="top"><div>
<h1>{heading}</h1>
<div class="languages"><label for="en">English</label><label for="zh">中文</label></div>
{by}</div></div>
<main>
{body}</main>
<footer>eyear {version}</footer>
</body>
</html>
"#
    )
}

/// A shortened digest with the full one as tooltip. A part that was never saved has none.
fn digest(digest: &str) -> String {
    if digest.is_empty() {
        return String::new();
    }
    let short: String = digest.chars().take(12).collect();
    format!(r#"<code title="sha256 {}">{}</code>"#, escape(digest), escape(&short))
}

/// Part and encoders of the verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedBy {
    part: Provenance,
    encoders: Vec<EncodedBy>,
}

impl JudgedBy {
    /// Those of a report.
    pub fn of(report: &Report) -> Self {
        let encoders = report.senses.iter().filter_map(|own| own.encoded_by.clone()).collect();
        Self { part: report.judged_by.clone(), encoders }
    }

    /// Name of the part.
    pub fn part(&self) -> &str {
        &self.part.part
    }

    /// Part, models and digests on one line.
    fn html(&self) -> String {
        let model = |by: &EncodedBy| {
            let (model, digest, precision) = (escape(&by.model), digest(&by.model_digest), by.precision);
            format!(" · {} <b>{model}</b> {digest} · {precision}", words::MODEL)
        };
        format!(
            "<p class=\"by\">{} <b><bdi>{}</bdi></b> {}{}</p>\n",
            words::PART,
            escape(&self.part.part),
            digest(&self.part.part_digest),
            self.encoders.iter().map(model).collect::<String>(),
        )
    }
}

/// The symbol of a verdict.
pub fn sign(verdict: Verdict) -> String {
    format!(r##"<svg class="sign" aria-hidden="true"><use href="#{}"/></svg>"##, verdict.as_str())
}

/// The colour scale and the reading guide; with `written`, also for the words.
pub fn legend(written: bool) -> String {
    let colours: Vec<String> = COLOURS.iter().map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}")).collect();
    let lines = [
        words::READ_SCORE,
        words::READ_P,
        words::READ_HEAT,
        words::READ_IGNORED,
        words::READ_EXPECTED,
        words::READ_UNSURE,
    ];
    let of_words = [words::READ_WORDS, words::READ_GATE, words::READ_LOOKED_AT];
    let lines: String =
        lines.iter().chain(of_words.iter().filter(|_| written)).map(|line| format!("<li>{line}</li>")).collect();
    format!(
        r#"<div class="legend"><div class="heat"><b>{}</b><div class="scale"><i style="background:linear-gradient(to right,{})"></i><p><span>{COOL}</span><span>{}</span><span>≥ {HOT}</span></p></div></div>
<details><summary>{}</summary><ul>{lines}</ul></details></div>
"#,
        words::HEAT,
        colours.join(","),
        words::HEAT_LIMIT,
        words::HOW_TO_READ,
    )
}

/// What one modality inspected, and its report.
pub struct View<'a> {
    /// The picture, or that of the sound.
    pub frame: &'a Frame,
    /// On all senses.
    pub report: &'a Report,
    /// On this sense.
    pub own: &'a SenseReport,
    /// What its memory looks like.
    pub tiles: &'a Tiles<'a>,
}

/// What a report shows, of each sense that could judge; of one that could not, what was inspected. `tiles` are of each sense
/// that the part knows, in the order of [`Report::senses`].
pub fn views<'a>(frame: Option<&'a Frame>, report: &'a Report, tiles: &'a [Tiles<'a>]) -> Vec<View<'a>> {
    let view = |(own, tiles): (&'a SenseReport, &'a Tiles<'a>)| {
        let seen = || frame.filter(|_| own.sense == Sense::Image);
        Some(View { frame: own.picture.as_ref().or_else(seen)?, report, own, tiles })
    };
    report.senses.iter().zip(tiles).filter_map(view).collect()
}

/// The three images of a report at page size.
pub struct Pictures {
    /// What was inspected.
    pub picture: Picture,
    /// The same with heat and findings; `None` when it could not be judged.
    pub overlay: Option<Picture>,
    /// What was expected.
    pub expected: Picture,
    /// How the names of its files beside the page begin; `None` where all is in the page.
    pub stem: Option<String>,
    /// The sense that inspected it.
    pub sense: Sense,
}

impl Pictures {
    /// Draws them. Small images are enlarged first, so that lines and numbers stay sharp.
    ///
    /// # Errors
    /// As [`Picture::resized`].
    pub fn draw(view: &View, stem: Option<String>) -> Result<Self> {
        let View { frame, report, own, .. } = view;
        let size = [frame.width(), frame.height()];
        let side = fit(size, if own.steps.is_some() { STEPS_SIDE } else { PAGE_SIDE });
        let mut picture = Picture::of(frame)?.resized(side)?;
        let overlay = own.is_valid().then(|| overlaid(&picture, size, report, own)).transpose()?;
        if let Some(steps) = &own.steps {
            draw::times(&mut picture, steps);
        }
        Ok(Self { overlay, expected: expected(view, side[0].max(side[1])), picture, stem, sense: own.sense })
    }
}

/// Heat and findings over what people are shown: `picture`, or of a clip, at its size, the frames of its steps. `size` is
/// `[width, height]` of what was inspected.
///
/// # Errors
/// As [`Picture::resized`].
fn overlaid(picture: &Picture, size: [usize; 2], report: &Report, own: &SenseReport) -> Result<Picture> {
    let Some(steps) = &own.steps else { return Ok(draw::overlay(picture, size, report, own)) };
    let frames = Picture::of(&steps.frames)?.resized([picture.width, picture.height])?;
    let mut overlay = draw::overlay(&frames, size, report, own);
    draw::times(&mut overlay, steps);
    Ok(overlay)
}

/// Heat and findings at full size over what people are shown.
///
/// # Errors
/// As [`Picture::resized`].
pub fn overlay(frame: &Frame, report: &Report, own: &SenseReport) -> Result<Picture> {
    let size = [frame.width(), frame.height()];
    let shown = fit(size, if own.steps.is_some() { WHOLE_STEPS_SIDE } else { size[0].max(size[1]) });
    overlaid(&Picture::of(frame)?.resized(shown)?, size, report, own)
}

/// What was expected, with a longer side of `longest`.
pub fn expected(View { frame, own, tiles, .. }: &View, longest: usize) -> Picture {
    let size = fit([frame.width(), frame.height()], longest);
    draw::mosaic(tiles, &own.expected.entries, [own.expected.rows, own.expected.columns], size)
}

/// What a sense inspects, in a word.
const fn inspected(sense: Sense) -> Word {
    match sense {
        Sense::Image => words::PICTURE,
        Sense::Sound => words::SOUND,
        Sense::Clip => words::MOTION,
    }
}

/// The name of a sense.
const fn sense_name(sense: Sense) -> Word {
    match sense {
        Sense::Image => words::SIGHT,
        Sense::Sound => words::HEARING,
        Sense::Clip => words::WATCHING,
    }
}

/// Folder beside the page with the pictures at the size at which it shows them.
pub const SHOWN: &str = "pictures";

/// A piece of a page.
#[derive(Debug, Default)]
pub struct Html {
    /// The piece.
    pub html: String,
    /// The pictures that it shows from files beside the page: their names and their JPEGs.
    pub files: Vec<(String, Vec<u8>)>,
}

/// One picture in a page.
pub struct Card<'a> {
    /// Its file, as a person knows it.
    pub name: &'a str,
    /// What was said of it.
    pub report: &'a Report,
    /// What is shown of it, by each sense.
    pub pictures: &'a [Pictures],
    /// What it is known to be.
    pub kind: Option<&'a str>,
    /// What was written of it.
    pub written: Option<&'a Written>,
}

impl Card<'_> {
    /// The card as HTML, and the pictures that it shows from files.
    ///
    /// # Errors
    /// As [`Picture::jpeg`].
    pub fn html(&self) -> Result<Html> {
        let mut files = Vec::new();
        let Report { verdict, .. } = self.report;
        let kind =
            self.kind.map_or(String::new(), |kind| format!(r#"<span class="kind"><bdi>{}</bdi></span>"#, escape(kind)));
        let mut figures = String::new();
        for shown in self.pictures {
            let mut figure = |what: &str, caption: Word, picture: &Picture| -> Result<String> {
                let jpeg = picture.jpeg()?;
                let Some(stem) = &shown.stem else {
                    let source = format!("data:image/jpeg;base64,{}", base64(&jpeg));
                    return Ok(self::figure(caption, picture, &source, None));
                };
                let file = format!("{stem}.{what}.jpg");
                let source = link(&file).replacen('/', &format!("/{SHOWN}/"), 1);
                files.push((format!("{SHOWN}/{file}"), jpeg));
                let whole = (what != "picture").then(|| link(&format!("{stem}.{what}.png")));
                Ok(self::figure(caption, picture, &source, whole.as_deref()))
            };
            let sensed = self.written.and_then(|written| sensed(written, shown.sense));
            let four = if sensed.is_some() { " four" } else { "" };
            figures += &format!("<div class=\"pictures{four}\">\n");
            figures += &figure("picture", inspected(shown.sense), &shown.picture)?;
            if let Some(picture) = &shown.overlay {
                figures += &figure("overlay", words::STRANGE, picture)?;
            }
            figures += &figure("expected", words::EXPECTED, &shown.expected)?;
            if let Some(sensed) = sensed {
                figures += &looked_at(sensed, [shown.picture.width, shown.picture.height]);
            }
            figures += "</div>";
        }
        // Wide images stand two in a row; otherwise they would be too small.
        let is_wide = self.pictures.iter().all(|shown| shown.picture.width > 2 * shown.picture.height);
        let wide = if is_wide && !self.pictures.is_empty() { " wide" } else { "" };
        let html = format!(
            "<article class=\"card {}{wide}\">\n<header>{}<span class=\"verdict\">{}</span><bdi class=\"name\">{}</bdi>{kind}</header>\n\
             <div class=\"body\"><div class=\"facts\">\n{}</div>\n<div class=\"senses\">{figures}</div></div>\n{}</article>\n",
            verdict.as_str(),
            sign(*verdict),
            words::verdict(*verdict),
            escape(self.name),
            facts(self.report, self.written),
            self.written.map_or(String::new(), |written| text(self.report, written)),
        );
        Ok(Html { html, files })
    }
}

/// A picture with its caption; `source` is where its bytes are, `whole` a file that shows it at full size.
fn figure(caption: Word, picture: &Picture, source: &str, whole: Option<&str>) -> String {
    let image = format!(
        r#"<img width="{}" height="{}" loading="lazy" alt="{}" src="{source}">"#,
        picture.width, picture.height, caption.en,
    );
    match whole {
        Some(link) => {
            let more = words::FULL_SIZE;
            format!(
                "<figure><a href=\"{link}\">{image}</a><figcaption>{caption} · <a href=\"{link}\">{more}</a></figcaption></figure>\n"
            )
        }
        None => format!("<figure>{image}<figcaption>{caption}</figcaption></figure>\n"),
    }
}

/// What the model made of a sense.
fn sensed(written: &Written, sense: Sense) -> Option<&Sensed> {
    written.senses.iter().find(|sensed| sensed.sense == sense)
}

/// The model's attention as a grid over the image; darker means more.
fn looked_at(sensed: &Sensed, [width, height]: [usize; 2]) -> String {
    let side = (1..).take_while(|side| side * side <= sensed.ninths.len()).last().unwrap_or(1);
    let [w, h] = [width, height].map(|whole| whole as f32 / side as f32);
    let most = sensed.ninths.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let cells = sensed.ninths.iter().take(side * side).enumerate().map(|(i, &share)| {
        let (x, y, shade) = ((i % side) as f32 * w, (i / side) as f32 * h, share / most);
        let ink = if shade > 0.5 { "#fff" } else { "#1d2329" };
        format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill-opacity=\"{shade:.2}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{ink}\">{}</text>\n",
            x + w / 2.0,
            y + h / 2.0,
            percent(share),
        )
    });
    let cells: String = cells.collect();
    let caption = words::LOOKED_AT.with(percent(sensed.findings.iter().sum()));
    let size = w.min(h) / 4.0;
    format!(
        "<figure><svg class=\"ninths\" viewBox=\"0 0 {width} {height}\" font-size=\"{size:.0}\" aria-hidden=\"true\">\n{cells}</svg>\
         <figcaption>{caption}</figcaption></figure>\n"
    )
}

/// The words, their author, and the weight of each modality.
fn text(report: &Report, written: &Written) -> String {
    let by = format!("<b>{}</b> {}", escape(&written.by), digest(&written.digest));
    let mark = match written.generated {
        true => words::GENERATED.with(by),
        false => words::NOT_GENERATED.with(format!("<bdi lang=\"en\">{}</bdi>", escape(&written.reason))),
    };
    let senses = if written.senses.is_empty() { String::new() } else { worth(report, written) };
    format!(
        "<div class=\"words\"><p class=\"text\" lang=\"{}\">{}</p><p class=\"note\">{mark}</p>\n{senses}</div>\n",
        escape(&written.language),
        escape(&written.text),
    )
}

/// The weight of each modality in the model, and the verdict without it.
fn worth(report: &Report, written: &Written) -> String {
    let of_several = report.senses.len() > 1;
    let row = |own: &SenseReport| {
        let gate = sensed(written, own.sense)?.gate;
        let rest = report.senses.iter().find(|other| other.sense != own.sense);
        let rest = rest.map_or(String::new(), |rest| format!("<td>{}</td>", alone(rest.verdict, rest.p_value)));
        let width = 100.0 * gate.clamp(0.0, 1.0);
        let bar = format!("<span class=\"bar\"><i style=\"width:{width:.0}%\"></i></span>{gate:.2}");
        Some(format!("<tr><td>{}</td><td>{bar}</td>{rest}</tr>\n", sense_name(own.sense)))
    };
    let rows: String = report.senses.iter().filter_map(row).collect();
    let rest = if of_several { format!("<th>{}</th>", words::WITHOUT_IT) } else { String::new() };
    format!("<table><tr><th>{}</th><th>{}</th>{rest}</tr>\n{rows}</table>\n", words::SENSE, words::GATE)
}

/// A verdict with its p-value, where there is one.
fn alone(verdict: Verdict, p: f64) -> String {
    let word = words::verdict(verdict);
    match verdict {
        Verdict::Invalid => word.to_string(),
        _ => format!("{word} <small>p {}</small>", p_value(p)),
    }
}

/// Figures, reason and findings.
fn facts(report: &Report, written: Option<&Written>) -> String {
    let mut facts = String::new();
    if report.verdict != Verdict::Invalid {
        // The limit is in the middle of the gauge.
        let share = (50.0 * report.score / report.limit.max(f32::MIN_POSITIVE)).clamp(0.0, 100.0);
        let scores = match &report.senses[..] {
            [own] => scores(own),
            // The joint score has none of its own.
            _ => String::new(),
        };
        facts += &format!(
            "<dl><dt>{}</dt><dd><b>{:.2}</b> / {} {:.2}</dd><div class=\"gauge\"><i style=\"width:{share:.0}%\"></i></div>\
             <dt>{}</dt><dd>{}</dd>{scores}</dl>\n",
            words::SCORE,
            report.score,
            words::LIMIT,
            report.limit,
            words::P_VALUE,
            p_value(report.p_value),
        );
        facts += &senses(report);
    }
    let Reason { text, .. } = &report.reason;
    if !text.is_empty() {
        facts += &format!("<dl><dt>{}</dt><dd lang=\"en\">{}</dd></dl>\n", words::REASON, escape(text));
    }
    if report.verdict == Verdict::Fail && report.findings.is_empty() {
        facts += &format!("<p class=\"note\">{}</p>\n", words::NO_PLACE);
    }
    facts + &report.senses.iter().map(|own| findings(report, own.sense, written)).collect::<String>()
}

/// The scores of a modality, and which is the largest.
fn scores(own: &SenseReport) -> String {
    let greatest = match own.pixels {
        Some(pixels) if pixels >= own.local.max(own.global) => words::THE_PIXELS,
        _ if own.global > own.local => words::THE_WHOLE,
        _ => words::A_PLACE,
    };
    let pixels = own.pixels.map(|pixels| format!(" · {} {pixels:.2}", words::PIXELS)).unwrap_or_default();
    format!(
        "<dt>{}</dt><dd>{greatest}<small>{} {:.2} · {} {:.2}{pixels}</small></dd>",
        words::STRANGEST,
        words::LOCAL,
        own.local,
        words::GLOBAL,
        own.global,
    )
}

/// What each sense says alone, of a part that is judged by several, and which decided.
fn senses(report: &Report) -> String {
    if report.senses.len() < 2 {
        return String::new();
    }
    let row =
        |own: &SenseReport| format!("<dt>{}</dt><dd>{}</dd>", sense_name(own.sense), alone(own.verdict, own.p_value));
    let mut rows: String = report.senses.iter().map(row).collect();
    if let Some(consistency) = report.consistency {
        rows += &format!("<dt>{}</dt><dd>p {}</dd>", words::BELONG, p_value(consistency));
    }
    if let Some(decided) = &report.decided_by {
        let by = match decided[..] {
            [] => words::TOGETHER,
            [sense] => sense_name(sense),
            _ => words::EITHER,
        };
        rows += &format!("<dt>{}</dt><dd><b>{by}</b></dd>", words::DECIDED);
    }
    format!("<dl>{rows}</dl>\n")
}

/// The findings of one sense as a table.
fn findings(report: &Report, sense: Sense, written: Option<&Written>) -> String {
    let found: Vec<&Finding> = report.findings_of(sense).collect();
    if found.is_empty() {
        return String::new();
    }
    let rows = found.iter().take(NUMBERED).enumerate().map(|(i, finding)| {
        let place = words::place(&finding.place).map_or_else(|| escape(&finding.place), |word| word.to_string());
        let severity = words::TIMES_LIMIT.with(format!("{:.1}", finding.severity));
        let area = 100.0 * finding.area_share;
        let named = written.map_or(String::new(), |written| named(written, sense, i));
        let moved = finding.moved().map_or(String::new(), |Movement { character, motion, usual, .. }| {
            let levels = words::GREY_LEVELS.with(format!("{motion:.0}, {usual:.0}"));
            format!("<small>{}, {levels}</small>", words::moves(*character))
        });
        format!(
            "<tr><td>{}</td><td>{place}{moved}{named}</td><td class=\"number\">{area:.1} %</td><td class=\"number\">{severity}</td></tr>\n",
            i + 1
        )
    });
    let rows: String = rows.collect();
    let more = match found.len().saturating_sub(NUMBERED) {
        0 => String::new(),
        more => format!("<p class=\"note\">{}</p>\n", words::MORE_FINDINGS.with(more)),
    };
    format!(
        "<table><tr><th>#</th><th>{}</th><th class=\"number\">{}</th><th class=\"number\">{}</th></tr>\n{rows}</table>\n{more}",
        words::WHERE,
        words::AREA,
        words::SEVERITY,
    )
}

/// What the model takes a finding of a sense for, and how much it looked there.
fn named(written: &Written, sense: Sense, finding: usize) -> String {
    let own = written.kinds.iter().find(|named| named.sense == sense && named.finding == finding);
    let kind = own.map(|named| {
        let word = words::kind(named.sense, &named.kind).map_or_else(|| escape(&named.kind), |word| word.to_string());
        format!("<small><b>{word}</b>, {}</small>", words::LIKELY.with(percent(named.likelihood)))
    });
    let share = sensed(written, sense).and_then(|sensed| sensed.findings.get(finding));
    let share = share.map(|share| format!("<small>{}</small>", words::ATTENTION.with(percent(*share))));
    kind.into_iter().chain(share).collect()
}

/// A share as a person reads it.
fn percent(share: f32) -> String {
    // The sum of no shares is -0.
    format!("{:.0} %", 100.0 * share + 0.0)
}

/// A p-value as a person reads it.
fn p_value(p: f64) -> String {
    if p < 1e-4 { "&lt; 0.0001".into() } else { format!("{p:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_markup_is_text() {
        assert_eq!(escape("<b a='1'>&\"\n"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\u{fffd}");
        assert_eq!(link("a b/ü#?.png"), "./a%20b%2F%C3%BC%23%3F.png");
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn no_share_is_nothing() {
        assert_eq!((percent([0.0; 0].iter().sum()), percent(0.126)), ("0 %".into(), "13 %".into()));
    }

    #[test]
    fn a_tiny_p_value_is_not_rounded_to_nothing() {
        assert_eq!(p_value(0.01234), "0.0123");
        assert_eq!(p_value(3e-9), "&lt; 0.0001");
    }
}
