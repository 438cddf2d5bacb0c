//! The page of an inspection: a summary, and a card for each sample that a person should see.

use std::cmp::Ordering;

use super::html::{self, Card, Html, JudgedBy, Pictures, escape, sign};
use super::words;
use crate::error::Result;
use crate::report::{Report, Verdict, Written};

/// Order of the cards.
const ORDER: [Verdict; 4] = [Verdict::Fail, Verdict::Unsure, Verdict::Invalid, Verdict::Pass];
/// Most cards of samples that did not pass. With three images of about 25 kB each, a full page has 20 MB.
const MOST_OTHERS: usize = 200;
/// Most cards of samples that passed; shown for comparison.
const MOST_PASSES: usize = 24;

/// A page that grows by one report at a time and holds no more than it will show.
#[derive(Debug, Default)]
pub struct Page {
    judged_by: Option<JudgedBy>,
    /// Samples of each verdict, in [`ORDER`].
    counts: [usize; 4],
    others: Vec<Entry>,
    passes: Vec<Entry>,
    /// Name, and why it could not be read.
    unreadable: Vec<(String, String)>,
    /// Whether any sample has words.
    written: bool,
}

#[derive(Debug)]
struct Entry {
    rank: usize,
    score: f32,
    html: Html,
}

impl Page {
    /// Adds a judged sample with its words, if any. `pictures` is called only if there is room for the card.
    ///
    /// # Errors
    /// That of `pictures`, or of encoding them.
    pub fn add(
        &mut self,
        name: &str,
        report: &Report,
        written: Option<&Written>,
        pictures: impl FnOnce() -> Result<Vec<Pictures>>,
    ) -> Result<()> {
        self.written |= written.is_some();
        self.judged_by.get_or_insert_with(|| JudgedBy::of(report));
        let rank = ORDER.iter().position(|&verdict| verdict == report.verdict).unwrap_or_default();
        self.counts[rank] += 1;
        let entry = Entry { rank, score: report.score, html: Html::default() };
        let (entries, most) = match report.verdict {
            Verdict::Pass => (&mut self.passes, MOST_PASSES),
            _ => (&mut self.others, MOST_OTHERS),
        };
        let at = entries.partition_point(|other| other.before(&entry) != Ordering::Greater);
        if at < most {
            let card = Card { name, report, pictures: &pictures()?, kind: None, written };
            entries.insert(at, Entry { html: card.html()?, ..entry });
            entries.truncate(most);
        }
        Ok(())
    }

    /// Adds a file that could not be read, with the reason.
    pub fn add_unreadable(&mut self, name: &str, why: &str) {
        self.unreadable.push((name.into(), why.into()));
    }

    /// The pictures that the page shows from files beside it: their names and their JPEGs.
    pub fn files(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.others.iter().chain(&self.passes).flat_map(|entry| &entry.html.files)
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        let part = self.judged_by.as_ref().map_or("", JudgedBy::part);
        let heading = format!("<small>eyear · {}</small><bdi>{}</bdi>", words::INSPECTION, escape(part));
        let mut body = self.summary();
        if self.counts == [0; 4] {
            body += &format!("<p>{}</p>\n", words::NONE_JUDGED);
        } else {
            body += &html::legend(self.written);
        }
        if !self.unreadable.is_empty() {
            let row = |(name, why): &(String, String)| {
                // Most sentences begin with the file.
                let why = why.strip_prefix(&format!("{name}: ")).unwrap_or(why);
                format!("<tr><td><bdi>{}</bdi></td><td lang=\"en\">{}</td></tr>\n", escape(name), escape(why))
            };
            let rows: String = self.unreadable.iter().take(MOST_OTHERS).map(row).collect();
            body += &format!("<h2>{}</h2>\n<div class=\"panel\"><table>\n{rows}</table></div>\n", words::UNREADABLE);
        }
        self.others.iter().for_each(|entry| body += &entry.html.html);
        let left_out = self.counts[..3].iter().sum::<usize>() - self.others.len();
        if left_out > 0 {
            body += &format!("<p class=\"note\">{}</p>\n", words::LEFT_OUT.with(left_out));
        }
        self.passes.iter().for_each(|entry| body += &entry.html.html);
        let left_out = self.counts[3] - self.passes.len();
        if left_out > 0 {
            body += &format!("<p class=\"note\">{}</p>\n", words::LEFT_OUT_PASSES.with(left_out));
        }
        html::document(&format!("{part} · eyear"), &heading, self.judged_by.as_ref(), &body)
    }

    fn summary(&self) -> String {
        let all = self.counts.iter().sum::<usize>() + self.unreadable.len();
        let mut items = format!("<li><b>{all}</b> {}</li>\n", words::PICTURES);
        for (verdict, count) in ORDER.into_iter().zip(self.counts) {
            let zero = if count == 0 { " zero" } else { "" };
            let (class, sign, word) = (verdict.as_str(), sign(verdict), words::verdict(verdict));
            items += &format!(
                "<li class=\"{class}{zero}\">{sign}<b>{count}</b> <span class=\"verdict\">{word}</span></li>\n"
            );
        }
        if !self.unreadable.is_empty() {
            items += &format!("<li><b>{}</b> {}</li>\n", self.unreadable.len(), words::UNREADABLE);
        }
        format!("<ul class=\"counts\">\n{items}</ul>\n")
    }
}

impl Entry {
    /// By verdict; fail and unsure by descending score, the others in their order of arrival.
    fn before(&self, other: &Self) -> Ordering {
        let strange = ORDER[self.rank] == Verdict::Fail || ORDER[self.rank] == Verdict::Unsure;
        self.rank.cmp(&other.rank).then_with(|| match strange {
            true => other.score.total_cmp(&self.score),
            false => Ordering::Equal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Named, SenseReport};
    use crate::sample::Sense;
    use crate::show::picture::Picture;
    use crate::testing;

    fn pictures() -> Result<Vec<Pictures>> {
        let picture = Picture::filled([8, 8], [9; 3]);
        Ok(vec![Pictures {
            overlay: Some(picture.clone()),
            expected: picture.clone(),
            picture,
            stem: None,
            sense: Sense::Image,
        }])
    }

    fn page(reports: &[(&str, Report)]) -> Page {
        let mut page = Page::default();
        for (name, report) in reports {
            page.add(name, report, None, pictures).unwrap();
        }
        page
    }

    #[test]
    fn every_text_from_outside_is_escaped() {
        let evil = r#"<script>alert("&'")</script>"#;
        let mut report = testing::report(Verdict::Unsure);
        report.reason.text = evil.into();
        report.judged_by.part = evil.into();
        report.judged_by.part_digest = evil.into();
        report.senses[0].encoded_by.as_mut().unwrap().model = evil.into();
        let (sense, text) = (Sense::Image, evil.to_string());
        let mut written = testing::written();
        (written.text, written.by, written.digest, written.language) = (text.clone(), text.clone(), text.clone(), text);
        written.kinds = vec![Named { sense, finding: 0, kind: evil.into(), likelihood: 0.5 }];
        let mut page = Page::default();
        page.add(evil, &report, Some(&written), pictures).unwrap();
        page.add_unreadable(evil, evil);
        let html = page.html();
        assert!(!html.contains("<script") && !html.contains("alert(\""), "{html}");
        assert_eq!(html.matches("&lt;script&gt;alert(&quot;&amp;&#39;&quot;)&lt;/script&gt;").count(), 16);
    }

    #[test]
    fn both_languages_are_there_and_nothing_comes_from_elsewhere() {
        let html = page(&[("a.png", testing::report(Verdict::Fail))]).html();
        for text in [
            "fail",
            "不合格",
            "expected (from good samples)",
            "良品参考",
            "左上",
            "top left",
            "3.0 × limit",
            "阈值的 3.0 倍",
        ] {
            assert!(html.contains(text), "{text}");
        }
        assert!(html.contains("data:image/jpeg;base64,/9j/"));
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("<script"));
        assert_eq!(html.matches("lang=\"en\"").count(), html.matches("lang=\"zh\"").count() + 1);
    }

    #[test]
    fn words_are_shown_with_who_wrote_them_and_where_it_looked() {
        let mut report = testing::report(Verdict::Fail);
        let html = |report: &Report, written: &Written| {
            let mut page = Page::default();
            page.add("a.png", report, Some(written), pictures).unwrap();
            page.html()
        };
        let mut written = testing::written();
        let one = html(&report, &written);
        let told = [
            "<p class=\"text\" lang=\"en\">Fail: a break.</p>",
            ">generated by <b>eyear-small 1</b> <code",
            ">由 <b>eyear-small 1</b> <code",
            "<b><span lang=\"en\">break</span><span lang=\"zh\">破损</span></b>, <span lang=\"en\">likelihood 83 %<",
            ">attention 40 %<",
            "<i style=\"width:70%\"></i></span>0.70",
            "model attention; 40 % on the findings",
            ">20 %</text>",
            "九宫格",
        ];
        told.iter().for_each(|told| assert!(one.contains(told), "{told}: {one}"));
        assert_eq!(one.matches("<rect").count(), 9);
        assert!(!one.contains("without it"), "there is no other sense");
        report.senses.push(SenseReport { p_value: 0.0321, ..testing::sense(Sense::Sound, Verdict::Unsure) });
        assert!(html(&report, &written).contains("<small>p 0.0321</small></td>"), "without sight");
        (written.generated, written.reason) = (false, "the decoder failed".into());
        assert!(html(&report, &written).contains("fixed text: <bdi lang=\"en\">the decoder failed</bdi>"));
        let plain = page(&[("a.png", report)]).html();
        assert!(!plain.contains("class=\"words\"") && !plain.contains("九宫格"));
    }

    #[test]
    fn cards_are_sorted_by_verdict_and_descending_score() {
        let with_score = |verdict, score| Report { score, ..testing::report(verdict) };
        let html = page(&[
            ("pass-2", with_score(Verdict::Pass, 1.0)),
            ("pass-9", with_score(Verdict::Pass, 2.0)),
            ("invalid-1", with_score(Verdict::Invalid, 99.0)),
            ("fail-low", with_score(Verdict::Fail, 4.0)),
            ("unsure-1", with_score(Verdict::Unsure, 3.0)),
            ("fail-high", with_score(Verdict::Fail, 40.0)),
        ])
        .html();
        let order = ["fail-high", "fail-low", "unsure-1", "invalid-1", "pass-2", "pass-9"]
            .map(|name| html.find(&format!(">{name}<")).unwrap());
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn a_long_run_shows_its_worst_and_tells_what_is_left_out() {
        let mut page = Page::default();
        let mut asked = 0;
        for i in 0..300 {
            let verdict = if i % 2 == 0 { Verdict::Pass } else { Verdict::Invalid };
            let report = testing::report(verdict);
            page.add(&format!("p{i}"), &report, None, || {
                asked += 1;
                pictures()
            })
            .unwrap();
        }
        assert_eq!(asked, 150 + 24);
        for i in 0..60 {
            page.add(&format!("f{i}"), &testing::report(Verdict::Fail), None, pictures).unwrap();
        }
        let html = page.html();
        assert_eq!(html.matches("<article").count(), 200 + 24);
        assert!(html.contains("10 more samples did not pass") && html.contains("126 more samples passed"));
        assert!(html.contains(">f59<") && html.contains(">p0<") && !html.contains(">p299<"));
    }

    #[test]
    fn a_run_without_a_readable_picture_still_has_a_page() {
        let mut page = Page::default();
        page.add_unreadable("a.png", "a.png: the file is empty");
        assert!(page.html().contains("the file is empty"));
    }
}
