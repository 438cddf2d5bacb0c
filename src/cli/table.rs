//! Terminal output: names without control characters, columns that fit the terminal, coloured verdicts, counts. Reading a
//! report is left to `rows`, writing to the caller.

use std::io::{self, IsTerminal as _, Write};

use eyear::evaluate::Rate;
use eyear::report::Verdict;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::rows::Row;

/// Columns between the name and the place: two spaces, verdict, score, limit and p.
const NUMBERS: usize = 35;
/// Most columns of a name if the output is not a terminal; longer names are printed in full and shift their row.
const LONGEST: usize = 60;
/// Columns for the place on a wide terminal.
const PLACE: usize = 30;
/// Fewest columns of a name and of a place.
const LEAST: usize = 12;

/// The output device of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Screen {
    /// Columns of the terminal; `None` if the output is not a terminal and nothing is cut.
    pub width: Option<usize>,
    /// Whether verdicts are coloured.
    pub colour: bool,
}

impl Screen {
    /// Standard output: coloured on a terminal unless `NO_COLOR` is set or `TERM` is `dumb`.
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
        Self { width: Some(width.unwrap_or(80).max(1)), colour: !is_set("NO_COLOR") && !is_dumb }
    }

    /// A verdict padded to the width of its column.
    pub fn verdict(&self, verdict: Verdict) -> String {
        self.coloured(verdict, format!("{:7}", verdict.as_str()))
    }

    /// A verdict alone.
    pub fn word(&self, verdict: Verdict) -> String {
        self.coloured(verdict, verdict.as_str().into())
    }

    fn coloured(&self, verdict: Verdict, word: String) -> String {
        if !self.colour {
            return word;
        }
        let colour = match verdict {
            Verdict::Pass => 32,
            Verdict::Fail => 31,
            Verdict::Unsure => 33,
            Verdict::Invalid => 35,
        };
        format!("\x1b[{colour}m{word}\x1b[0m")
    }

    /// A name for CSV: unchanged, except on a terminal, where control characters are escaped.
    pub fn name(&self, name: &str) -> String {
        if self.width.is_some() { shown(name) } else { name.to_string() }
    }
}

/// A text in one line with control characters and bidirectional marks escaped, as in `\n` and `\u{1b}`.
pub fn shown(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        match c.is_control() || is_invisible(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
        shown
    })
}

/// A writer that applies [`shown`] to each line.
pub struct Printed<W>(pub W);

impl<W: Write> Write for Printed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<String> = text.split('\n').map(shown).collect();
        self.0.write_all(lines.join("\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Line separators and bidirectional marks.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A path in at most `width` columns, cut at its beginning with an ellipsis.
pub fn cut_left(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let kept = fitting(text.chars().rev(), width.saturating_sub(1));
    std::iter::once('…').chain(kept.into_iter().rev()).collect()
}

/// A sentence in at most `width` columns, cut at its end with an ellipsis.
pub fn cut_right(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let kept: String = fitting(text.chars(), width.saturating_sub(1)).into_iter().collect();
    format!("{}…", kept.trim_end())
}

/// As many of the first characters as fit into `width` columns.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> Vec<char> {
    let mut taken = 0;
    let fits = |c: &char| {
        taken += c.width().unwrap_or(0);
        taken <= width
    };
    chars.take_while(fits).collect()
}

/// A text padded to `width` columns; a Chinese character takes two.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A table of verdicts, built row by row.
#[derive(Debug)]
pub struct Table {
    screen: Screen,
    /// Heading of the first column.
    what: String,
    /// Columns of the first column.
    name: usize,
}

impl Table {
    /// A table for samples with these names.
    pub fn new<'a>(screen: Screen, what: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let longest = names.map(|name| shown(name).width()).max().unwrap_or(0).max(what.width());
        let name = match screen.width {
            None => longest.min(LONGEST),
            Some(width) => {
                let room = width.saturating_sub(NUMBERS);
                longest.min(room.saturating_sub(PLACE).max(room / 2).max(LEAST))
            }
        };
        Self { screen, what: what.into(), name }
    }

    /// The line above the rows.
    pub fn heading(&self) -> String {
        format!("{}  verdict   score  limit        p  where", padded(&self.what, self.name))
    }

    /// The row of a sample.
    pub fn row(&self, name: &str, row: &Row) -> String {
        let verdict = self.screen.verdict(row.verdict);
        let numbers = format!("{verdict}  {:6.2} {:6.2} {:8.4}", row.score, row.limit, row.p_value);
        self.line(name, &numbers, &row.place)
    }

    /// The row of an unreadable sample; the reason is printed separately.
    pub fn unreadable(&self, name: &str) -> String {
        self.line(name, &format!("{0:7}  {0:>6} {0:>6} {0:>8}", '-'), "unreadable")
    }

    /// A row of name, numbers and place.
    fn line(&self, name: &str, numbers: &str, place: &str) -> String {
        let (mut name, mut place) = (shown(name), shown(place));
        if let Some(width) = self.screen.width {
            name = cut_left(&name, self.name);
            place = cut_right(&place, width.saturating_sub(NUMBERS + self.name).max(LEAST));
        }
        format!("{}  {numbers}  {place}", padded(&name, self.name)).trim_end().to_string()
    }
}

/// Number of samples by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    verdicts: [usize; 4],
    unreadable: usize,
}

/// The verdicts in printed order.
const VERDICTS: [Verdict; 4] = [Verdict::Pass, Verdict::Fail, Verdict::Unsure, Verdict::Invalid];

impl Tally {
    /// Counts a verdict.
    pub fn add(&mut self, verdict: Verdict) {
        VERDICTS.iter().zip(&mut self.verdicts).filter(|(of, _)| **of == verdict).for_each(|(_, count)| *count += 1);
    }

    /// Counts a sample that could not be read.
    pub fn add_unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// Whether some sample did not pass.
    pub fn has_bad(&self) -> bool {
        self.verdicts[1..].iter().any(|count| *count > 0)
    }

    /// Whether some sample could not be read.
    pub fn has_unreadable(&self) -> bool {
        self.unreadable > 0
    }

    /// `25 pass, 49 fail, 5 unsure, 1 invalid`; zero counts of unsure, invalid and unreadable are left out.
    pub fn sentence(&self) -> String {
        let mut text = String::new();
        for (i, (verdict, count)) in VERDICTS.iter().zip(self.verdicts).enumerate() {
            if i < 2 || count > 0 {
                let comma = if i > 0 { ", " } else { "" };
                text += &format!("{comma}{count} {}", verdict.as_str());
            }
        }
        match self.unreadable {
            0 => text,
            count => format!("{text}, {count} unreadable"),
        }
    }
}

/// A rate with its counts and interval, or a dash.
pub fn rate(rate: Option<&Rate>) -> String {
    rate.map_or("-".into(), |rate| {
        let Rate { count, of, rate, interval } = rate;
        format!(
            "{:.1} %  ({count} of {of}; 95 %: {:.1} to {:.1})",
            100.0 * rate,
            100.0 * interval.low,
            100.0 * interval.high
        )
    })
}

/// A text as one shell word, in single quotes if needed.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_string(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, place: &str) -> Row {
        Row { verdict, score: 3.25, limit: 2.7, p_value: 0.0123, place: place.into() }
    }

    #[test]
    fn control_characters_in_names_are_escaped() {
        assert_eq!(shown("a\x1b]0;owned\x07\nb\u{9b}2J.jpg"), r"a\u{1b}]0;owned\u{7}\nb\u{9b}2J.jpg");
        assert_eq!(shown("x\u{202e}gpj.\u{2028}"), r"x\u{202e}gpj.\u{2028}");
        assert_eq!(shown("零件 é.png"), "零件 é.png");
        let mut written = Vec::new();
        let name = "a\x1bb";
        writeln!(Printed(&mut written), "name {name}").unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "name a\\u{1b}b\n");
    }

    #[test]
    fn a_cut_text_has_an_ellipsis() {
        assert_eq!(cut_left("data/set/test/broken/a007.jpg", 17), "…/broken/a007.jpg");
        assert_eq!(cut_left("a007.jpg", 8), "a007.jpg");
        assert_eq!(cut_left("零件零件.png", 9), "…零件.png");
        assert_eq!(cut_left("零件零件.png", 8), "…件.png");
        assert_eq!(cut_right("top left, 2.3 % of the picture", 11), "top left,…");
        assert_eq!(cut_right("top left", 8), "top left");
        assert_eq!((cut_left("abc", 0), cut_right("abc", 1)), ("…".into(), "…".into()));
    }

    #[test]
    fn no_row_is_wider_than_its_terminal() {
        let name = "tests/data/cookie/test/broken/a-very-long-name-of-a-picture-0007.jpg";
        for width in [60, 80, 100, 132, 200] {
            let screen = Screen { width: Some(width), colour: false };
            let table = Table::new(screen, "picture", [name, "b.jpg"].into_iter());
            let place = "bottom right, 12.5 % of the picture and 3 more, and some more words on that";
            for line in [table.heading(), table.row(name, &row(Verdict::Fail, place))] {
                assert!(line.width() <= width, "{width}: {line}");
            }
            let line = table.row(name, &row(Verdict::Fail, place));
            assert!(line.contains("0007.jpg") && (line.contains('…') || width == 200), "{line}");
            // The columns stand below their headings.
            assert_eq!(
                line.width() - line[line.find("fail").unwrap()..].width(),
                table.heading().find("verdict").unwrap()
            );
        }
    }

    #[test]
    fn other_outputs_than_terminals_get_full_names_without_colour() {
        let name = "x".repeat(90);
        let table = Table::new(Screen::default(), "picture", [&*name, "b.jpg"].into_iter());
        assert!(table.row(&name, &row(Verdict::Fail, "")).starts_with(&name));
        assert_eq!(
            table.row("b.jpg", &row(Verdict::Pass, "")),
            format!("{:60}  pass       3.25   2.70   0.0123", "b.jpg")
        );
        assert_eq!(Screen::default().name("a\nb"), "a\nb");
    }

    #[test]
    fn a_name_cannot_forge_a_row() {
        let table = Table::new(Screen::default(), "picture", ["a\nfake.jpg  pass"].into_iter());
        assert_eq!(table.row("a\nfake.jpg  pass", &row(Verdict::Fail, "top\x1b[2J")).lines().count(), 1);
        assert!(!table.row("a", &row(Verdict::Fail, "top\x1b[2J")).contains('\x1b'));
    }

    #[test]
    fn each_verdict_has_its_own_colour() {
        let screen = Screen { width: Some(80), colour: true };
        assert_eq!(screen.verdict(Verdict::Fail), "\x1b[31mfail   \x1b[0m");
        assert_eq!(Screen { colour: false, ..screen }.verdict(Verdict::Fail), "fail   ");
        let colours: std::collections::BTreeSet<String> =
            VERDICTS.iter().map(|verdict| screen.verdict(*verdict).chars().take(5).collect()).collect();
        assert_eq!(colours.len(), 4);
    }

    #[test]
    fn the_summary_counts_each_verdict() {
        let mut tally = Tally::default();
        let counts = [(Verdict::Pass, 25), (Verdict::Fail, 49), (Verdict::Unsure, 5), (Verdict::Invalid, 1)];
        for (verdict, count) in counts {
            (0..count).for_each(|_| tally.add(verdict));
        }
        assert_eq!(tally.sentence(), "25 pass, 49 fail, 5 unsure, 1 invalid");
        assert!(tally.has_bad() && !tally.has_unreadable());
        let mut tally = Tally::default();
        tally.add(Verdict::Pass);
        assert_eq!((tally.sentence(), tally.has_bad()), ("1 pass, 0 fail".into(), false));
        tally.add_unreadable();
        assert_eq!(tally.sentence(), "1 pass, 0 fail, 1 unreadable");
    }

    #[test]
    fn a_shell_word_is_quoted_if_needed() {
        assert_eq!(quoted("models/net-1.onnx"), "models/net-1.onnx");
        assert_eq!(quoted("my net.onnx"), "'my net.onnx'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
