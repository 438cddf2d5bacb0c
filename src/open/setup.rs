//! Which model packages run, and on what. Packages: those the user names, else those the part was taught with, or the
//! usual ones. They run on the CPU, or as `eyear prepare` chose for the named board.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::prepared;
use crate::backend::{BACKENDS, Backend, Options};
use crate::board::{Board, Provider};
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{Inspector, Writer};
use crate::installed;
use crate::memory::pair::Taught;
use crate::memory::part::Part;
use crate::package::manifest::{Manifest, Precision, Sense};
use crate::teach::Teacher;

/// Model packages by the sense that they encode.
pub type Packages = BTreeMap<Sense, Manifest>;
/// Receives notices of requests that could not be met, a sentence each.
pub type Notes = Arc<dyn Fn(&str) + Send + Sync>;

/// Which model packages run, and on what. Unset fields are automatic.
#[derive(Clone)]
pub struct Setup {
    /// Packages, names or folders, each for the senses that it encodes, in place of the automatic ones.
    pub models: Vec<String>,
    /// The same for one sense each; a name refers only to installed packages.
    pub of_sense: BTreeMap<Sense, String>,
    /// Folder that is searched for packages before all others.
    pub folder: Option<PathBuf>,
    /// Threads per encoder; by default one per core, up to four.
    pub threads: Option<usize>,
    /// Execution providers to try before the CPU, best first; by default those of the board.
    pub providers: Vec<Provider>,
    /// Whether a provider that cannot be used, or takes no node of a model, is an error.
    pub require: bool,
    /// A board, by name or file: its processors, its threads, and what `eyear prepare` chose on it.
    pub board: Option<String>,
    /// The runtime of the encoders.
    pub backend: &'static dyn Backend,
    /// Receives notices of requests that could not be met.
    pub notes: Notes,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            of_sense: BTreeMap::new(),
            folder: None,
            threads: None,
            providers: Vec::new(),
            require: false,
            board: None,
            backend: BACKENDS[0],
            notes: Arc::new(|_| ()),
        }
    }
}

/// Settings that a builder's `setup` accepts.
macro_rules! settings {
    () => {
        /// Uses this package, a name or a folder, for the senses that it encodes, in place of the automatic one. May be
        /// called once per sense.
        pub fn model(mut self, name_or_dir: impl Into<String>) -> Self {
            self.setup.models.push(name_or_dir.into());
            self
        }

        /// Searches this folder for packages before all others.
        pub fn models(mut self, folder: impl Into<PathBuf>) -> Self {
            self.setup.folder = Some(folder.into());
            self
        }

        /// Threads per encoder; by default one per core, up to four.
        pub fn threads(mut self, threads: usize) -> Self {
            self.setup.threads = Some(threads);
            self
        }

        /// Adds an execution provider. Providers are tried in the order of the calls, then the CPU.
        pub fn provider(mut self, provider: Provider) -> Self {
            self.setup.providers.push(provider);
            self
        }

        /// Runs on this board, by name or file: its processors, its threads, and what `eyear prepare` chose on it.
        pub fn board(mut self, name_or_file: impl Into<String>) -> Self {
            self.setup.board = Some(name_or_file.into());
            self
        }

        /// Receives notices of requests that could not be met, a sentence each.
        pub fn notes(mut self, hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
            self.setup.notes = Arc::new(hear);
            self
        }

        /// Sets all of this at once.
        pub fn setup(mut self, setup: Setup) -> Self {
            self.setup = setup;
            self
        }
    };
}
pub(super) use settings;

impl Setup {
    /// The packages that teach these senses: the named ones, else the usual ones.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is no such package, or a named one encodes none of the senses;
    /// [`ErrorKind::Config`] when two are named for one sense.
    pub fn usual(&self, senses: &[Sense]) -> Result<Packages> {
        let mut packages = self.named(senses)?;
        for sense in senses.iter().filter(|sense| !packages.contains_key(sense)).copied().collect::<Vec<_>>() {
            packages.insert(sense, self.find_named(usual_name(sense))?);
        }
        Ok(packages)
    }

    /// The packages that a part was taught with, by name and digest. The part is in `dir`; packages beside it are found
    /// too.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a package is named that the part was not taught with; [`ErrorKind::Unavailable`] when
    /// the part's own package is missing.
    pub fn of_part(&self, taught: &Taught, dir: &Path) -> Result<Packages> {
        let parts = taught.parts();
        let senses: Vec<Sense> = parts.iter().map(|part| part.card.kind.sense()).collect();
        let mut packages = self.named(&senses)?;
        for (part, sense) in parts.iter().zip(senses) {
            match packages.get(&sense) {
                Some(named) if named.digest() != part.card.model.digest => return Err(another(part, named)),
                Some(_) => {}
                None => drop(packages.insert(sense, self.taught_with(part, dir)?)),
            }
        }
        Ok(packages)
    }

    /// The named packages, by their senses.
    fn named(&self, senses: &[Sense]) -> Result<Packages> {
        let mut packages = Packages::new();
        let mut take = |sense: Sense, manifest: &Manifest| match packages.insert(sense, manifest.clone()) {
            None => Ok(()),
            Some(other) => {
                let (samples, one, other) = (sense.samples(), &manifest.name, &other.name);
                let what = format!("two model packages are named for {samples}, `{other}` and `{one}`: name one");
                Err(Error::new(ErrorKind::Config, what))
            }
        };
        for model in &self.models {
            let manifest = self.find(model)?;
            let encodes: Vec<Sense> = senses.iter().copied().filter(|of| manifest.encoder(*of).is_ok()).collect();
            if encodes.is_empty() {
                // This error says what is missing.
                senses.iter().try_for_each(|sense| manifest.encoder(*sense).map(drop))?;
            }
            encodes.into_iter().try_for_each(|sense| take(sense, &manifest))?;
        }
        for (sense, model) in &self.of_sense {
            let is_path = Path::new(model).components().count() > 1;
            let manifest = if is_path { self.find(model)? } else { self.find_named(model)? };
            manifest.encoder(*sense)?;
            if !senses.contains(sense) {
                let (samples, has) = (sense.samples(), senses.iter().map(|sense| sense.samples()).collect::<Vec<_>>());
                let what =
                    format!("`{model}` is named for {samples}, and the part was taught from {}", has.join(" and "));
                return Err(Error::new(ErrorKind::Config, what));
            }
            take(*sense, &manifest)?;
        }
        Ok(packages)
    }

    /// The package that a user names.
    ///
    /// # Errors
    /// As [`Manifest::find`].
    pub fn find(&self, name_or_dir: &str) -> Result<Manifest> {
        self.in_folder(name_or_dir).unwrap_or_else(|| Manifest::find(name_or_dir))
    }

    fn find_named(&self, name: &str) -> Result<Manifest> {
        self.in_folder(name).unwrap_or_else(|| Manifest::named(name))
    }

    /// The package of a name in the folder that is searched first.
    fn in_folder(&self, name: &str) -> Option<Result<Manifest>> {
        self.folder.as_ref().and_then(|folder| Manifest::in_folder(folder, name))
    }

    fn taught_with(&self, part: &Part, dir: &Path) -> Result<Manifest> {
        let model = &part.card.model;
        let beside = dir.parent().into_iter().flat_map(|above| [above.join("models"), above.to_path_buf()]);
        let folders = Manifest::folders();
        let all: Vec<&PathBuf> = self.folder.iter().chain(&folders).collect();
        let beside: Vec<PathBuf> = beside.collect();
        let by_name = all.iter().copied().chain(&beside).filter_map(|dir| Manifest::in_folder(dir, &model.name));
        let (mut other, mut broken) = (None, None);
        for package in by_name {
            match package {
                Ok(package) if package.digest() == model.digest => return Ok(package),
                Ok(package) => drop(other.get_or_insert(package)),
                Err(error) => drop(broken.get_or_insert(error)),
            }
        }
        // A renamed folder, as kept by users with several versions.
        let mut same = all.iter().filter_map(|dir| Manifest::with_digest(dir, &model.digest));
        match (same.next(), other, broken) {
            (Some(found), ..) => found,
            (None, Some(other), _) => Err(another(part, &other)),
            (None, None, Some(error)) => Err(error),
            (None, None, None) => {
                let looked: Vec<String> = all.iter().map(|dir| dir.display().to_string()).collect();
                let what = format!(
                    "{}, which is not here: name its folder, put it into one of those that are searched ({}), or teach the \
                     part again",
                    was_taught_with(part),
                    looked.join(", ")
                );
                Err(Error::new(ErrorKind::Unavailable, what))
            }
        }
    }

    /// The named board.
    ///
    /// # Errors
    /// As [`Board::find`].
    pub fn board(&self) -> Result<Option<Board>> {
        self.board.as_deref().map(Board::find).transpose()
    }

    /// How any model runs. If the board names its processors, the calling thread and the threads it starts from now on
    /// keep to them.
    ///
    /// # Errors
    /// As [`Board::find`] and [`Board::keep_to_cores`].
    pub fn options(&self) -> Result<Options> {
        let (default, board) = (Options::default(), self.board()?);
        board.iter().try_for_each(Board::keep_to_cores)?;
        let of_board = board.as_ref().and_then(|board| board.threads);
        let providers = match (&*self.providers, board) {
            ([], Some(board)) => board.providers,
            (named, _) => named.to_vec(),
        };
        let threads = self.threads.or(of_board).unwrap_or(default.threads);
        Ok(Options { threads, providers, require: self.require, cache: installed::cache(), ..default })
    }

    /// How a package in a precision runs: on a board without a named provider, as `eyear prepare` chose; else on the
    /// CPU.
    ///
    /// # Errors
    /// As [`Setup::options`].
    pub fn options_of(&self, manifest: &Manifest, precision: Precision) -> Result<Options> {
        let options = self.options()?;
        let Some(board) = self.board()?.filter(|_| self.providers.is_empty()) else { return Ok(options) };
        if let Some((provider, chosen)) = prepared::chosen(&board, manifest, precision)? {
            let threads = self.threads.unwrap_or(chosen);
            return Ok(Options { providers: vec![provider], threads, ..options });
        }
        let (name, board) = (&manifest.name, &board.name);
        let model = if name == usual_name(Sense::Image) { String::new() } else { format!(" --model {name}") };
        (self.notes)(&format!(
            "the CPU serves, for {name} in {precision} is not prepared: run `eyear prepare --board {board}{model}`"
        ));
        Ok(options.on_cpu())
    }

    /// The same, with the threads divided among this many inspectors, unless threads or a board are set.
    #[must_use]
    pub fn divided(mut self, streams: usize) -> Self {
        if streams > 1 && self.board.is_none() {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            self.threads = self.threads.or(Some((cores / streams).clamp(1, Options::default().threads)));
        }
        self
    }

    /// The teacher of a sense by its package in a precision.
    ///
    /// # Errors
    /// As [`Teacher::open`].
    pub fn teacher(&self, sense: Sense, manifest: &Manifest, of: Precision) -> Result<Teacher> {
        let teacher = Teacher::open(sense, manifest, of, self.backend, &self.options_of(manifest, of)?)?;
        self.tell(teacher.notices());
        Ok(teacher)
    }

    /// The inspector of a part in `dir`.
    ///
    /// # Errors
    /// As [`Setup::of_part`] and [`Inspector::new`].
    pub fn inspector(&self, taught: Taught, dir: &Path) -> Result<Inspector> {
        Ok(self.inspectors(taught, dir, 1)?.remove(0))
    }

    /// Several inspectors, one per thread, which share the weights and divide the processors among them.
    ///
    /// # Errors
    /// As [`Setup::inspector`].
    pub fn inspectors(&self, taught: Taught, dir: &Path, streams: usize) -> Result<Vec<Inspector>> {
        let setup = self.clone().divided(streams);
        let packages = setup.of_part(&taught, dir)?;
        let mut chosen = BTreeMap::new();
        for part in taught.parts() {
            let sense = part.card.kind.sense();
            chosen.insert(sense, setup.options_of(of_sense(&packages, sense)?, part.card.model.precision)?);
        }
        let options = |sense: Sense| chosen.get(&sense).cloned().unwrap_or_default();
        let package = |sense: Sense| of_sense(&packages, sense).cloned();
        let first = Inspector::new::<Error>(taught, &package, setup.backend, &options)?;
        first.senses().iter().for_each(|one| setup.tell(one.notices()));
        let others = (1..streams).map(|_| first.fork()).collect::<Result<Vec<_>>>()?;
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// The writer of a package. It runs on the CPU by ONNX Runtime, because its graphs are ONNX.
    ///
    /// # Errors
    /// As [`Writer::open`] and [`Writer::check`].
    pub fn writer(&self, package: &str, inspector: &Inspector) -> Result<Writer> {
        let options = self.options()?.on_cpu();
        let writer = Writer::open(&self.find(package)?, Precision::Int8, BACKENDS[0], &options)?;
        for one in inspector.senses() {
            writer.check(one.sense(), one.encoded_by())?;
        }
        Ok(writer)
    }

    /// Passes on a runtime's notices.
    pub fn tell(&self, notices: &[String]) {
        notices.iter().for_each(|notice| (self.notes)(notice));
    }
}

/// The package that teaches a sense if none is named.
pub const fn usual_name(sense: Sense) -> &'static str {
    match sense {
        Sense::Image => "vision-lite0",
        Sense::Sound => "sound-lite0",
        Sense::Clip => "clip-lite0",
    }
}

/// The package of a sense.
///
/// # Errors
/// [`ErrorKind::Config`] when there is none for it.
pub fn of_sense(packages: &Packages, sense: Sense) -> Result<&Manifest> {
    let missing = || Error::new(ErrorKind::Config, format!("no model package for {}", sense.samples()));
    packages.get(&sense).ok_or_else(missing)
}

/// `part `a` was taught with vision-lite0 1.1.0 (0a1b2c3d)`.
fn was_taught_with(part: &Part) -> String {
    let model = &part.card.model;
    let digest = short(&model.digest);
    format!("part `{}` was taught with {} {} ({digest})", part.card.name, model.name, model.version)
}

fn another(part: &Part, other: &Manifest) -> Error {
    let (taught, name, version, digest) = (was_taught_with(part), &other.name, &other.version, short(other.digest()));
    let what =
        format!("{taught}, this package is {name} {version} ({digest}): give it the one it knows, or teach it again");
    Error::new(ErrorKind::Config, what)
}

fn short(digest: &str) -> &str {
    digest.get(..8).unwrap_or(digest)
}
