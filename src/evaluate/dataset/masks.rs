//! Which mask belongs to which image, and several masks of one image as one. Reads no picture itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{EXTENSIONS, ends_with, found_in, stem_of, visible_in};
use crate::error::{Error, ErrorKind, Result};
use crate::sample::{Frame, PixelFormat};

/// The masks of one kind of defect.
#[derive(Default)]
pub(super) struct Masks {
    by_stem: BTreeMap<String, PathBuf>,
    used: BTreeSet<String>,
}

impl Masks {
    /// The masks in `folder`: an image, or a folder of images, for each image of `of`.
    pub(super) fn read(folder: &Path, of: &Path) -> Result<Self> {
        let mut by_stem = BTreeMap::new();
        for path in visible_in(folder)? {
            let is_mask = if path.is_dir() { !images_in(&path)?.is_empty() } else { ends_with(&path, EXTENSIONS) };
            if is_mask {
                by_stem.insert(stem_of(&path), path);
            }
        }
        if by_stem.is_empty() {
            return Err(Error::new(
                ErrorKind::Input,
                format!(
                    "{}: expected a mask for each image in {}, found {}; without masks there is no such folder",
                    folder.display(),
                    of.display(),
                    found_in(folder)?
                ),
            ));
        }
        Ok(Self { by_stem, used: BTreeSet::new() })
    }

    /// The mask of an image: a file, or a folder of several.
    pub(super) fn of(&mut self, image: &Path) -> Option<PathBuf> {
        let stem = stem_of(image);
        let stem = [format!("{stem}_mask"), stem].into_iter().find(|stem| self.by_stem.contains_key(stem))?;
        let mask = self.by_stem.get(&stem).cloned();
        self.used.insert(stem);
        mask
    }

    /// Refuses a mask that belongs to no image.
    pub(super) fn all_used(&self, images: &Path) -> Result<()> {
        match self.by_stem.iter().find(|(stem, _)| !self.used.contains(*stem)) {
            None => Ok(()),
            Some((_, mask)) => Err(Error::new(
                ErrorKind::Input,
                format!("the mask {} has no picture in {}", mask.display(), images.display()),
            )),
        }
    }
}

/// The mask at `path`: a file as `read` gives it; of a folder, where any of its images is not black, as grey of 0 and 255.
///
/// # Errors
/// Those of `read`; [`ErrorKind::Io`] when the folder cannot be read; [`ErrorKind::Input`] when it holds no image, or
/// images of several sizes.
pub fn read(path: &Path, read: &dyn Fn(&Path) -> Result<Frame>) -> Result<Frame> {
    if !path.is_dir() {
        return read(path);
    }
    let files = images_in(path)?;
    let [first, rest @ ..] = &files[..] else {
        let what = format!("{}: expected masks, found {}", path.display(), found_in(path)?);
        return Err(Error::new(ErrorKind::Input, what));
    };
    let frame = read(first)?;
    let (width, height) = (frame.width(), frame.height());
    let mut joined = vec![0; width * height];
    add(&mut joined, &frame);
    for file in rest {
        let frame = read(file)?;
        if [frame.width(), frame.height()] != [width, height] {
            let (file, first) = (file.display(), first.display());
            let (w, h) = (frame.width(), frame.height());
            let what = format!(
                "{file} has {w} x {h} pixels, {first} has {width} x {height}: masks of one image are of one size"
            );
            return Err(Error::new(ErrorKind::Input, what));
        }
        add(&mut joined, &frame);
    }
    Frame::new(joined, PixelFormat::Grey8, width, height)
}

/// Marks where `mask` is not black.
fn add(joined: &mut [u8], mask: &Frame) {
    let width = mask.width();
    for (at, pixel) in joined.iter_mut().enumerate() {
        if mask.rgb(at % width, at / width) != [0; 3] {
            *pixel = 255;
        }
    }
}

fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = visible_in(folder)?;
    files.retain(|path| path.is_file() && ends_with(path, EXTENSIONS));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_of_one_image_are_joined() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("000");
        std::fs::create_dir(&folder).unwrap();
        for name in ["000.png", "001.png", "notes.txt"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let grey = |pixels: [u8; 4]| Frame::new(pixels, PixelFormat::Grey8, 2, 2);
        let each = |path: &Path| match stem_of(path).as_str() {
            "000" => grey([236, 0, 0, 0]),
            _ => grey([0, 0, 0, 1]),
        };
        assert_eq!(read(&folder, &each).unwrap().pixels(), [255, 0, 0, 255]);
        // One mask comes as it is.
        assert_eq!(read(&folder.join("000.png"), &each).unwrap().pixels(), [236, 0, 0, 0]);
        let sizes = |path: &Path| match stem_of(path).as_str() {
            "000" => grey([0; 4]),
            _ => Frame::new([0, 0], PixelFormat::Grey8, 2, 1),
        };
        let error = read(&folder, &sizes).unwrap_err();
        assert!(error.message().contains("001.png has 2 x 1 pixels") && error.message().contains("000.png has 2 x 2"));
    }
}
