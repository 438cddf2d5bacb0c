//! Readable, unique file names for the output of each sample.

use std::collections::HashSet;
use std::path::{Component, Path};

/// File systems allow 255 bytes; the rest is for endings.
const MOST_BYTES: usize = 200;

/// A name without ending for each of `paths`: the stem, with as many folders before it as needed to be unique
/// (`line2-0041`), or else with a number.
///
/// Names that differ only in case count as equal, as on some file systems.
pub fn unique(paths: &[impl AsRef<Path>]) -> Vec<String> {
    let parts: Vec<Vec<String>> = paths.iter().map(|path| parts(path.as_ref())).collect();
    let mut depth = vec![1; parts.len()];
    loop {
        let names: Vec<String> = parts.iter().zip(&depth).map(|(parts, &depth)| join(parts, depth)).collect();
        let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
        for name in &names {
            let name = name.to_lowercase();
            if !seen.insert(name.clone()) {
                twice.insert(name);
            }
        }
        let mut deeper = false;
        for (i, name) in names.iter().enumerate() {
            if depth[i] < parts[i].len() && twice.contains(&name.to_lowercase()) {
                depth[i] += 1;
                deeper = true;
            }
        }
        if !deeper {
            return numbered(names);
        }
    }
}

/// Stem, folder, parent folder and so on; invalid UTF-8 is replaced.
fn parts(path: &Path) -> Vec<String> {
    let stem = path.file_stem().map_or("picture".into(), |stem| stem.to_string_lossy().into_owned());
    // Standard input. A file named `-` would be read as an option.
    let stem = if stem == "-" { "picture".into() } else { stem };
    let folders = path.parent().into_iter().flat_map(Path::components).rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    std::iter::once(stem).chain(folders).collect()
}

fn join(parts: &[String], depth: usize) -> String {
    let name = parts[..depth].iter().rev().map(String::as_str).collect::<Vec<_>>().join("-");
    // The end of a name is more specific than its beginning.
    let from = (name.len().saturating_sub(MOST_BYTES)..).find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    name[from..].to_string()
}

fn numbered(names: Vec<String>) -> Vec<String> {
    let mut used: HashSet<String> = HashSet::new();
    let first_free = |name: String, used: &mut HashSet<String>| {
        let numbers = (2..).map(|number: u64| format!("{name}-{number}"));
        let mut choices = std::iter::once(name.clone()).chain(numbers);
        choices.find(|choice| used.insert(choice.to_lowercase())).unwrap_or(name)
    };
    names.into_iter().map(|name| first_free(name, &mut used)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_alone_is_enough_where_it_is_the_only_one() {
        assert_eq!(unique(&["in/a.png", "in/b.jpg"]), ["a", "b"]);
        assert_eq!(unique(&["-", "../.."]), ["picture", "picture-2"]);
    }

    #[test]
    fn the_same_stem_in_two_folders_gets_the_folders_name() {
        assert_eq!(unique(&["x/1/a.png", "x/2/a.png", "x/2/b.png"]), ["1-a", "2-a", "b"]);
        assert_eq!(unique(&["p/1/a.png", "q/1/a.png"]), ["p-1-a", "q-1-a"]);
    }

    #[test]
    fn names_with_equal_folders_get_a_number() {
        assert_eq!(unique(&["a.png", "a.jpg", "./a.bmp"]), ["a", "a-2", "a-3"]);
        assert_eq!(unique(&["x/a.png", "x/A.jpg"]), ["x-a", "x-A-2"]);
        // A number that is itself a name.
        assert_eq!(unique(&["a.png", "a.jpg", "a-2.png"]), ["a", "a-2", "a-2-2"]);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let long = "ä".repeat(150);
        let names = unique(&[format!("{long}.png"), format!("x/{long}.png")]);
        assert!(names.iter().all(|name| name.len() <= MOST_BYTES + 4), "{names:?}");
        assert_ne!(names[0], names[1]);
    }
}
