//! Which files hold images, sounds or clips, by the endings of their names.

use std::path::Path;

use crate::sample::Sense;

/// Endings of images, in lower case.
pub const IMAGES: &[&str] =
    &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "tif", "tiff", "pnm", "pbm", "ppm", "pgm", "webp"];
/// Endings of sounds, in lower case.
pub const SOUNDS: &[&str] = &["wav", "wave", "flac"];
/// Endings of clips, in lower case.
pub const CLIPS: &[&str] = &["avi", "mp4", "m4v", "mov", "mkv", "webm"];

/// The endings of what a sense takes.
pub const fn endings(sense: Sense) -> &'static [&'static str] {
    match sense {
        Sense::Image => IMAGES,
        Sense::Sound => SOUNDS,
        Sense::Clip => CLIPS,
    }
}

/// Tells whether a file is one of what a sense takes.
pub const fn is_of(sense: Sense) -> fn(&Path) -> bool {
    match sense {
        Sense::Image => is_picture,
        Sense::Sound => is_sound,
        Sense::Clip => is_clip,
    }
}

/// Whether the file's ending is that of an image.
pub fn is_picture(path: &Path) -> bool {
    ends_with(path, IMAGES)
}

/// Whether the file's ending is that of a sound.
pub fn is_sound(path: &Path) -> bool {
    ends_with(path, SOUNDS)
}

/// Whether the file's ending is that of a clip.
pub fn is_clip(path: &Path) -> bool {
    ends_with(path, CLIPS)
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    ending(path).is_some_and(|ending| endings.contains(&ending.as_str()))
}

/// A file's ending in lower case.
pub(super) fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}
