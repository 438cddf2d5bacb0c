//! A report folder: heatmap and expected image of each sample as PNG, and one page of all.

use std::fs;
use std::path::{Path, PathBuf};

use super::draw::Tiles;
use super::html::{self, Pictures, SHOWN, View};
use super::page::Page;
use crate::error::{Error, Result};
use crate::report::{Report, Written};
use crate::sample::Frame;

/// The page's file name.
const PAGE: &str = "index.html";
/// Most pixels of the longer side of an expected image; tiles have no more detail.
const EXPECTED_SIDE: usize = 768;

/// An open folder; the page is written by [`Folder::finish`].
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    page: Page,
}

impl Folder {
    /// Creates `dir` if it is missing. Files of the same name are replaced, others stay.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when it cannot be made.
    pub fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, error))?;
        Ok(Self { dir: dir.into(), page: Page::default() })
    }

    /// Writes `<stem>.overlay.png` and `<stem>.expected.png` and adds the report to the page as `name`, with the words in
    /// `written`; for a second modality also `<stem>.sound.overlay.png` and so on. `tiles` has one entry for each modality of
    /// the part, in the order of [`Report::senses`]. Stems must differ: see [`names::unique`](super::names::unique).
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when a file cannot be written.
    pub fn add(
        &mut self,
        stem: &str,
        name: &str,
        frame: Option<&Frame>,
        report: &Report,
        tiles: &[Tiles],
        written: Option<&Written>,
    ) -> Result<()> {
        let views = html::views(frame, report, tiles);
        let stem_of = |i: usize| match i {
            0 => stem.to_string(),
            _ => format!("{stem}.{}", views[i].own.sense.as_str()),
        };
        for (i, view) in views.iter().enumerate() {
            let stem = stem_of(i);
            let View { frame, report, own, .. } = view;
            self.write(&format!("{stem}.overlay.png"), &html::overlay(frame, report, own)?.png()?)?;
            let longest = frame.width().max(frame.height()).min(EXPECTED_SIDE);
            self.write(&format!("{stem}.expected.png"), &html::expected(view, longest).png()?)?;
        }
        let draw = || views.iter().enumerate().map(|(i, view)| Pictures::draw(view, Some(stem_of(i)))).collect();
        self.page.add(name, report, written, draw)
    }

    /// Adds a file that could not be read, with the reason.
    pub fn add_unreadable(&mut self, name: &str, why: &str) {
        self.page.add_unreadable(name, why);
    }

    /// Writes the page and returns its path.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when it cannot be written.
    pub fn finish(self) -> Result<PathBuf> {
        let shown = self.dir.join(SHOWN);
        fs::create_dir_all(&shown).map_err(|error| Error::io("make", &shown, error))?;
        self.page.files().try_for_each(|(name, jpeg)| self.write(name, jpeg))?;
        self.write(PAGE, self.page.html().as_bytes())?;
        Ok(self.dir.join(PAGE))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.dir.join(name);
        fs::write(&path, bytes).map_err(|error| Error::io("write", &path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::report::Verdict;
    use crate::sample::PixelFormat;
    use crate::source::recording;
    use crate::testing;

    #[test]
    fn a_folder_holds_both_pictures_of_each_and_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let frame = Frame::new(vec![90u8; 64 * 48], PixelFormat::Grey8, 64, 48).unwrap();
        let pixels = vec![50; 4 * 4 * 3];
        let tiles = Tiles { pixels: &pixels, side: 4, span: 1.5 };
        let mut folder = Folder::create(&dir.path().join("a/b")).unwrap();
        folder.add("x & y", "in/x & y.png", Some(&frame), &testing::report(Verdict::Fail), &[tiles], None).unwrap();
        let page = folder.finish().unwrap();
        for ending in ["overlay", "expected"] {
            let made = recording::read(&dir.path().join(format!("a/b/x & y.{ending}.png"))).unwrap();
            assert_eq!((made.width(), made.height()), (64, 48));
        }
        let html = fs::read_to_string(page).unwrap();
        let shown = "pictures/x%20%26%20y.overlay.jpg";
        assert!(html.contains(shown) && dir.path().join("a/b/pictures/x & y.picture.jpg").is_file());
        assert!(html.contains("./x%20%26%20y.overlay.png") && html.contains("in/x &amp; y.png"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_in_one_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Folder::create(&file.join("out")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.message().starts_with("cannot make "), "{}", error.message());
    }
}
