//! Where eyear's files are on this machine: the folders of model packages, boards and libraries, in search order.
//! `manifest`, `board` and `backend` read them.
//!
//! The current folder is never searched: otherwise, whoever can put a file there could have it read, or run. Nor is a
//! folder that everybody may add files to, such as `/tmp`, even if the executable is in one.

use std::env;
use std::path::{Path, PathBuf};

/// A folder with `lib`, `models` and `boards`, searched before all installed ones: a private installation, or a
/// checkout.
pub const HOME: &str = "EYEAR_HOME";
/// The folder that holds the model packages, searched first.
pub const MODELS: &str = "EYEAR_MODELS";
/// The cache folder, for files that are built once and reused.
pub const CACHE: &str = "EYEAR_CACHE";

/// How a folder was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This environment variable names it.
    Named(&'static str),
    /// In the executable's folder, or in its installation's folders: `../lib/eyear`, `../share/eyear`.
    Beside,
    /// In the checkout whose `target` folder contains the executable.
    Checkout,
    /// In the user's data folder.
    User,
    /// In a system folder.
    System,
}

impl Place {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named(MODELS) => "by EYEAR_MODELS",
            Self::Named(HOME) => "by EYEAR_HOME",
            Self::Named(_) => "by the environment",
            Self::Beside => "beside the executable",
            Self::Checkout => "in the checkout",
            Self::User => "the user's",
            Self::System => "the system's",
        }
    }
}

/// A folder that is searched.
pub type Folder = (PathBuf, Place);

/// Folders of system libraries.
const LIBRARIES: &[&str] = &[
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/onnxruntime/lib",
];
/// Folders of system data.
const DATA: &[&str] = &["/usr/local/share/eyear", "/usr/share/eyear"];

/// Folders of model packages, existing or not, first match first.
pub fn models() -> Vec<Folder> {
    let named = folder_of(MODELS).map(|dir| (dir, Place::Named(MODELS)));
    named.into_iter().chain(data(&Around::here(), "models")).collect()
}

/// Folders of boards, existing or not, first match first.
pub fn boards() -> Vec<Folder> {
    data(&Around::here(), "boards").collect()
}

/// Folders of the ONNX Runtime library, existing or not, first match first. Data may be in the user's home, code may
/// not.
pub fn libraries() -> Vec<Folder> {
    let around = Around::here();
    let fetched = |root: &Path| root.join("third_party").join("onnxruntime").join(env::consts::ARCH);
    let named = around.home.iter().flat_map(|home| [home.join("lib"), fetched(home)]);
    let own = around.folder.iter().cloned();
    let installed = around.prefix.iter().flat_map(|prefix| [prefix.join("lib/eyear"), prefix.join("lib")]);
    let checkout = around.checkout.iter().map(|root| fetched(root));
    let of = |place: Place| move |dir: PathBuf| (dir, place);
    named
        .map(of(Place::Named(HOME)))
        .chain(own.chain(installed).map(of(Place::Beside)))
        .chain(checkout.map(of(Place::Checkout)))
        .chain(LIBRARIES.iter().map(PathBuf::from).map(of(Place::System)))
        .collect()
}

/// The cache folder: `$EYEAR_CACHE`, else the user's own; `None` if there is no user.
pub fn cache() -> Option<PathBuf> {
    let own = || absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    folder_of(CACHE).or_else(|| Some(own()?.join("eyear")))
}

fn data(around: &Around, what: &str) -> impl Iterator<Item = Folder> {
    let user = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let all = [
        around.home.clone().map(|home| (home, Place::Named(HOME))),
        around.folder.clone().map(|dir| (dir, Place::Beside)),
        around.prefix.as_ref().map(|prefix| (prefix.join("share/eyear"), Place::Beside)),
        around.checkout.clone().map(|root| (root, Place::Checkout)),
        user.map(|data| (data.join("eyear"), Place::User)),
    ];
    let system = DATA.iter().map(|dir| (PathBuf::from(dir), Place::System));
    all.into_iter().flatten().chain(system).map(move |(dir, place)| (dir.join(what), place))
}

/// From the environment and the executable's path.
#[derive(Debug, Default, PartialEq)]
struct Around {
    home: Option<PathBuf>,
    /// The executable's folder.
    folder: Option<PathBuf>,
    /// The folder above it.
    prefix: Option<PathBuf>,
    /// The root of the checkout that contains it.
    checkout: Option<PathBuf>,
}

impl Around {
    fn here() -> Self {
        let executable = env::current_exe().ok().and_then(|path| path.canonicalize().ok());
        Self { home: folder_of(HOME), ..executable.as_deref().map(Self::of).unwrap_or_default() }
    }

    fn of(executable: &Path) -> Self {
        let mut above = executable.ancestors().skip(1).map(Path::to_path_buf);
        let (folder, prefix) = (above.next(), above.next());
        let own = |dir: Option<PathBuf>| dir.filter(|dir| !is_shared(dir));
        Self { home: None, folder: own(folder), prefix: own(prefix), checkout: own(checkout(executable)) }
    }
}

/// The checkout of eyear whose `target` folder contains the executable.
fn checkout(executable: &Path) -> Option<PathBuf> {
    let targets = executable.ancestors().skip(1).filter(|dir| dir.file_name().is_some_and(|name| name == "target"));
    targets.filter_map(Path::parent).find(|root| is_eyear(root)).map(Path::to_path_buf)
}

fn is_eyear(root: &Path) -> bool {
    let manifest =
        std::fs::read_to_string(root.join("Cargo.toml")).ok().and_then(|text| text.parse::<toml::Table>().ok());
    manifest.is_some_and(|manifest| {
        let name = manifest.get("package").and_then(|package| package.get("name"));
        name.and_then(toml::Value::as_str) == Some("eyear")
    })
}

/// Whether everybody may add files to a folder but not remove others' files, as in `/tmp`.
fn is_shared(dir: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        const STICKY_AND_FOR_ALL: u32 = 0o1002;
        dir.metadata().is_ok_and(|about| about.permissions().mode() & STICKY_AND_FOR_ALL == STICKY_AND_FOR_ALL)
    }
    #[cfg(not(unix))]
    {
        let _ = dir;
        false
    }
}

/// The folder named by a variable.
fn folder_of(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// The same for a variable that was not set for eyear. A relative path in it would refer to the current folder, so it
/// is ignored.
fn absolute(variable: &str) -> Option<PathBuf> {
    folder_of(variable).filter(|dir| dir.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn executable(path: &Path) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        path.to_path_buf()
    }

    #[test]
    fn nothing_is_looked_for_in_the_current_folder() {
        let all = models().into_iter().chain(boards()).chain(libraries());
        for (dir, place) in all.filter(|(_, place)| !matches!(place, Place::Named(_))) {
            assert!(dir.is_absolute(), "{}, {}", dir.display(), place.as_str());
        }
    }

    #[test]
    fn an_installation_is_the_executables_folder_and_that_above() {
        let root = tempfile::tempdir().unwrap();
        let around = Around::of(&executable(&root.path().join("opt/bin/eyear")));
        assert_eq!(around.folder, Some(root.path().join("opt/bin")));
        assert_eq!(around.prefix, Some(root.path().join("opt")));
        let shares: Vec<PathBuf> = data(&around, "models").map(|(dir, _)| dir).collect();
        assert!(shares.contains(&root.path().join("opt/share/eyear/models")), "{shares:?}");
    }

    #[test]
    fn a_checkout_is_known_by_its_target_folder_and_its_name() {
        let root = tempfile::tempdir().unwrap();
        let built = executable(&root.path().join("target/x/release/deps/eyear"));
        let manifest = root.path().join("Cargo.toml");
        assert_eq!(Around::of(&built).checkout, None);
        fs::write(&manifest, "[package]\nname = \"robot\"\n").unwrap();
        assert_eq!(Around::of(&built).checkout, None);
        fs::write(&manifest, "[package]\nversion = \"1\"\n").unwrap();
        assert_eq!(Around::of(&built).checkout, None);
        fs::write(&manifest, "[package]\nname = \"eyear\"\n").unwrap();
        assert_eq!(Around::of(&built).checkout, Some(root.path().to_path_buf()));
        let copied = executable(&root.path().join("bin/eyear"));
        assert_eq!(Around::of(&copied).checkout, None);
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_everybody_may_add_to_is_passed_over() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::write(root.path().join("Cargo.toml"), "[package]\nname = \"eyear\"\n").unwrap();
        let lying = Around::of(&executable(&root.path().join("eyear")));
        assert_eq!(lying.folder, None);
        let below = Around::of(&executable(&root.path().join("target/eyear")));
        assert_eq!(below, Around { folder: Some(root.path().join("target")), ..Around::default() });
    }
}
