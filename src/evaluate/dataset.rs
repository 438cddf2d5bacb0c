//! Labelled folders of pictures or sounds as one [`Dataset`], whatever their layout, in an order that is the same everywhere.
//! Names files and opens no picture: reading pictures and masks, and what is made of them, is left to the caller.
//!
//! Three layouts are known. Folder names are matched without regard to case; the good ones are in `good`, `ok`
//! or `normal`; hidden files and files that are no picture are passed over.
//!
//! Where a folder holds no picture but sounds, or clips, these are meant: the same layouts, without masks. Where it holds folders of
//! a part each, `part_id/{cam0.png, mic0.wav}`, a sample is such a folder; its mask is named as the folder.
//!
//! | layout | teach from | judge | masks |
//! |---|---|---|---|
//! | MVTec | `train/good` | `test/good`, `test/<kind>` | `ground_truth/<kind>/<stem>_mask.png` or `<stem>.png` |
//! | VisA | `split_csv/1cls.csv`, split `train` | split `test` | column `mask` |
//! | plain | nothing: see [`Dataset::split`] | `good` and `bad`, `ng` or `anomaly` | as MVTec, if there are any |

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::faults::{Fault, FaultKind};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Sense;
use crate::random::Random;
use crate::source::recording;

/// File name endings of pictures, in lower case.
pub const EXTENSIONS: &[&str] = recording::EXTENSIONS;
/// File name endings of sounds, in lower case.
pub const SOUND_EXTENSIONS: &[&str] = recording::sound::EXTENSIONS;

/// File name endings of clips, in lower case.
pub const CLIP_EXTENSIONS: &[&str] = recording::clip::EXTENSIONS;

/// The [`Sample::kind`] of good samples, however their folder is called.
pub const GOOD: &str = "good";

const GOOD_NAMES: &[&str] = &[GOOD, "ok", "normal"];
const BAD_NAMES: &[&str] = &["bad", "ng", "anomaly"];

/// Labelled pictures of one kind of part.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The folder's name, or the object's in a VisA table.
    pub name: String,
    /// Good pictures to teach from, sorted; empty when the layout keeps none apart.
    pub train_good: Vec<PathBuf>,
    /// Pictures to judge, sorted by path; never empty as read.
    pub test: Vec<Sample>,
}

/// One picture to judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The picture.
    pub path: PathBuf,
    /// [`GOOD`], or the name of the defect's folder; `anomaly` in a VisA table, which does not tell kinds apart.
    pub kind: String,
    /// Whether it should be rejected.
    pub is_bad: bool,
    /// A fault to be mixed into it before it is judged.
    pub fault: Option<Fault>,
    /// Where it is defective: a picture of the same size, not black where it is. Never there for good samples; a
    /// bad sample without one has no part in pixel figures.
    pub mask: Option<PathBuf>,
}

impl Dataset {
    /// The datasets in `dir`: the one that it is, those of its VisA table, or one for each folder in it that is
    /// a dataset (others are passed over). At least one, sorted by name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when a folder or the table cannot be read; [`ErrorKind::Input`] when there is no known
    /// layout, a folder that should hold pictures holds none, a mask has no picture, or the table is not as
    /// described above. The sentence names the folder, or the line and the field.
    pub fn discover(dir: &Path) -> Result<Vec<Self>> {
        let table = dir.join("split_csv").join("1cls.csv");
        if table.is_file() {
            return read_visa(dir, &table);
        }
        if let Some(dataset) = read_folder(dir)? {
            return Ok(vec![dataset]);
        }
        let mut datasets = Vec::new();
        for folder in folders_in(dir)? {
            datasets.extend(read_folder(&folder.path)?);
        }
        if datasets.is_empty() {
            return Err(Error::new(
                ErrorKind::Input,
                format!(
                    "{} is no dataset: expected folders `train/good` and `test`, a table `split_csv/1cls.csv`, \
                     folders `good` and `bad`, or folders that hold one of these",
                    dir.display()
                ),
            ));
        }
        Ok(datasets)
    }

    /// Whether its samples are folders that hold the picture and the sound of a part each.
    pub fn is_paired(&self) -> bool {
        self.test.first().is_some_and(|sample| sample.path.is_dir())
    }

    /// The sense that its samples are for, where they are for one: that of the first one to judge.
    pub fn sense(&self) -> Sense {
        let first = |endings| self.test.first().is_some_and(|sample| ends_with(&sample.path, endings));
        match (first(SOUND_EXTENSIONS), first(CLIP_EXTENSIONS)) {
            (true, _) => Sense::Sound,
            (_, true) => Sense::Clip,
            _ => Sense::Image,
        }
    }

    /// Adds faults to be judged: each kind at each ratio, in decibels, in each good sound that is judged. Their seeds
    /// follow from `seed` and their number.
    pub fn inject(&mut self, kinds: &[FaultKind], snrs_db: &[f64], seed: u64) {
        let good: Vec<PathBuf> =
            self.test.iter().filter(|sample| !sample.is_bad).map(|sample| sample.path.clone()).collect();
        for &kind in kinds {
            for (i, path) in good.iter().enumerate() {
                // One fault at several ratios, so that they differ in nothing else.
                let seed = Random::new(seed.wrapping_add(1 + i as u64 + ((kind as u64) << 32))).bits();
                self.test.extend(snrs_db.iter().map(|&snr_db| Sample {
                    path: path.clone(),
                    kind: format!("{} {snr_db:+} dB", kind.as_str()),
                    is_bad: true,
                    fault: Some(Fault { kind, snr_db, seed }),
                    mask: None,
                }));
            }
        }
    }

    /// `count` of [`Self::train_good`], chosen by `seed`, sorted.
    ///
    /// The same seed gives the same choice on every machine, and a smaller choice is part of a larger one.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when `count` is zero or more than there are.
    pub fn shots(&self, count: usize, seed: u64) -> Result<Vec<PathBuf>> {
        let there = self.train_good.len();
        if count == 0 || count > there {
            return Err(Error::new(
                ErrorKind::Config,
                format!("shots: `{}` has {there} good pictures to teach from, got {count} as their number", self.name),
            ));
        }
        let mut chosen = self.train_good.clone();
        shuffle(&mut chosen, seed);
        chosen.truncate(count);
        chosen.sort_unstable();
        Ok(chosen)
    }

    /// The same pictures with the good ones dealt anew by `seed`: `fraction` of all of them (train and test) to
    /// teach from, at least one, and the others, at least one, to judge. Bad ones are all judged.
    ///
    /// For layouts that keep no pictures apart, and for repeated random splits. A set whose two parts were taken
    /// apart on purpose (other days, other pieces) looks easier than it is after this.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when `fraction` is not in (0, 1); [`ErrorKind::Input`] with fewer than two good ones.
    pub fn split(&self, seed: u64, fraction: f64) -> Result<Self> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the fraction to teach from lies between 0 and 1, got {fraction}"),
            ));
        }
        let (good, mut test): (Vec<Sample>, Vec<Sample>) = self.test.iter().cloned().partition(|sample| !sample.is_bad);
        let mut good: Vec<PathBuf> =
            self.train_good.iter().cloned().chain(good.into_iter().map(|sample| sample.path)).collect();
        if good.len() < 2 {
            return Err(Error::new(
                ErrorKind::Input,
                format!("`{}` has {} good pictures, a split into two parts needs 2", self.name, good.len()),
            ));
        }
        good.sort_unstable();
        shuffle(&mut good, seed);
        let taught = ((good.len() as f64 * fraction).round() as usize).clamp(1, good.len() - 1);
        test.extend(good.split_off(taught).into_iter().map(Sample::good));
        good.sort_unstable();
        test.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { name: self.name.clone(), train_good: good, test })
    }
}

impl Sample {
    fn good(path: PathBuf) -> Self {
        Self { path, kind: GOOD.to_owned(), is_bad: false, fault: None, mask: None }
    }
}

/// A dataset in MVTec or plain layout; `None` when `dir` has neither.
fn read_folder(dir: &Path) -> Result<Option<Dataset>> {
    let folders = folders_in(dir)?;
    let find = |names: &[&str]| folders.iter().find(|folder| folder.is_named(names));
    let mut train_good = Vec::new();
    let kinds: Vec<Folder> = match (find(&["train"]), find(&["test"])) {
        (None, None) if find(GOOD_NAMES).is_some() && find(BAD_NAMES).is_some() => {
            folders.iter().filter(|folder| folder.is_named(GOOD_NAMES) || folder.is_named(BAD_NAMES)).cloned().collect()
        }
        (None, None) => return Ok(None),
        (train, test) => {
            if let Some(train) = train {
                train_good = read_train(&train.path)?;
            }
            test.map_or(Ok(Vec::new()), |test| folders_in(&test.path))?
        }
    };
    if kinds.is_empty() {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "nothing to judge in {}: expected a folder `test` with a folder `good` and one for each kind of defect",
                dir.display()
            ),
        ));
    }
    let truth = find(&["ground_truth"]).map_or(Ok(Vec::new()), |truth| folders_in(&truth.path))?;
    let test = read_kinds(&kinds, &truth)?;
    let paths = || train_good.iter().chain(test.iter().map(|sample| &sample.path));
    let sounds = paths().filter(|path| ends_with(path, SOUND_EXTENSIONS)).count();
    let clips = paths().filter(|path| ends_with(path, CLIP_EXTENSIONS)).count();
    let pairs = paths().filter(|path| path.is_dir()).count();
    if [sounds, clips, pairs].iter().any(|count| ![0, paths().count()].contains(count)) {
        let kinds = if clips > 0 { "clips and others" } else { "sounds and pictures" };
        let what = format!("{} holds {kinds}: a data set is of one kind", dir.display());
        return Err(Error::new(ErrorKind::Input, what));
    }
    Ok(Some(Dataset { name: name_of(dir), train_good, test }))
}

/// The good pictures in `train`. Folders of other names, which supervised methods learn from, are passed over.
fn read_train(train: &Path) -> Result<Vec<PathBuf>> {
    let mut pictures = Vec::new();
    for folder in folders_in(train)?.iter().filter(|folder| folder.is_named(GOOD_NAMES)) {
        pictures.extend(pictures_in(&folder.path)?);
    }
    if pictures.is_empty() {
        return Err(Error::new(ErrorKind::Input, format!("{} has no folder `good`", train.display())));
    }
    Ok(pictures)
}

/// The samples in the folders `kinds`, with their masks from the folders `truth`, sorted by path.
fn read_kinds(kinds: &[Folder], truth: &[Folder]) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for kind in kinds {
        let pictures = pictures_in(&kind.path)?;
        if kind.is_named(GOOD_NAMES) {
            samples.extend(pictures.into_iter().map(Sample::good));
            continue;
        }
        let mut masks = match truth.iter().find(|folder| folder.is_named(&[&kind.name])) {
            Some(folder) => Masks::read(&folder.path)?,
            None => Masks::default(),
        };
        for path in pictures {
            let mask = masks.of(&path);
            samples.push(Sample { path, kind: kind.name.clone(), is_bad: true, fault: None, mask });
        }
        masks.all_used(&kind.path)?;
    }
    // Some sets keep wholly black masks for their good pictures: they say nothing.
    let is_known =
        |folder: &Folder| folder.is_named(GOOD_NAMES) || kinds.iter().any(|kind| folder.is_named(&[&kind.name]));
    if let Some(stray) = truth.iter().find(|folder| !is_known(folder)) {
        return Err(Error::new(
            ErrorKind::Input,
            format!("{} holds masks, but no pictures are in a folder `{}` to judge", stray.path.display(), stray.name),
        ));
    }
    samples.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(samples)
}

/// The masks of one kind.
#[derive(Default)]
struct Masks {
    by_stem: BTreeMap<String, PathBuf>,
    used: BTreeSet<String>,
}

impl Masks {
    fn read(folder: &Path) -> Result<Self> {
        let by_stem = pictures_in(folder)?.into_iter().map(|path| (stem_of(&path), path)).collect();
        Ok(Self { by_stem, used: BTreeSet::new() })
    }

    fn of(&mut self, picture: &Path) -> Option<PathBuf> {
        let stem = stem_of(picture);
        let stem = [format!("{stem}_mask"), stem].into_iter().find(|stem| self.by_stem.contains_key(stem))?;
        let mask = self.by_stem.get(&stem).cloned();
        self.used.insert(stem);
        mask
    }

    fn all_used(&self, pictures: &Path) -> Result<()> {
        match self.by_stem.iter().find(|(stem, _)| !self.used.contains(*stem)) {
            None => Ok(()),
            Some((_, mask)) => Err(Error::new(
                ErrorKind::Input,
                format!("the mask {} has no picture in {}", mask.display(), pictures.display()),
            )),
        }
    }
}

/// The fields of `split_csv/1cls.csv`, in the order they are read below.
const VISA_FIELDS: [&str; 5] = ["object", "split", "label", "image", "mask"];

/// One dataset for each object of a VisA table (Zou et al., *SPot-the-Difference*, ECCV 2022) whose paths are
/// relative to `dir`.
fn read_visa(dir: &Path, table: &Path) -> Result<Vec<Dataset>> {
    let wrong = |what: String| Error::new(ErrorKind::Input, format!("{}, {what}", table.display()));
    let unreadable = |error: csv::Error| {
        let kind = if error.is_io_error() { ErrorKind::Io } else { ErrorKind::Input };
        Error::caused(kind, format!("cannot read {}", table.display()), error)
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(table).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?;
    let mut columns = [0; VISA_FIELDS.len()];
    for (column, field) in columns.iter_mut().zip(VISA_FIELDS) {
        *column = header.iter().position(|name| name == field).ok_or_else(|| {
            wrong(format!("line 1: no field `{field}` among {:?}", header.iter().collect::<Vec<_>>()))
        })?;
    }
    let mut objects: BTreeMap<String, Dataset> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        // The reader refuses a record that is shorter than the header, so no field is missing.
        let [object, split, label, image, mask] = columns.map(|column| record.get(column).unwrap_or_default());
        let refused = |field: &str, expected: &str, found: &str| {
            wrong(format!("line {line}: `{field}` must be {expected}, got `{found}`"))
        };
        let file = |field: &str, relative: &str| {
            let path = dir.join(relative);
            let stays_inside = Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)));
            let is_there = !relative.is_empty() && stays_inside && path.is_file();
            if is_there { Ok(path) } else { Err(refused(field, "a file in the dataset's folder", relative)) }
        };
        let is_bad = match label {
            "normal" => false,
            "anomaly" => true,
            other => return Err(refused("label", "`normal` or `anomaly`", other)),
        };
        let dataset = objects.entry(object.to_owned()).or_insert_with(|| Dataset {
            name: object.to_owned(),
            train_good: Vec::new(),
            test: Vec::new(),
        });
        let path = file("image", image)?;
        match split {
            "train" if is_bad => return Err(refused("label", "`normal` where `split` is `train`", label)),
            "train" => dataset.train_good.push(path),
            "test" if is_bad => {
                let mask = if mask.is_empty() { None } else { Some(file("mask", mask)?) };
                dataset.test.push(Sample { path, kind: label.to_owned(), is_bad, fault: None, mask });
            }
            "test" => dataset.test.push(Sample::good(path)),
            other => return Err(refused("split", "`train` or `test`", other)),
        }
    }
    if objects.is_empty() {
        return Err(wrong("line 2: no picture is listed".to_owned()));
    }
    let mut datasets: Vec<Dataset> = objects.into_values().collect();
    for dataset in &mut datasets {
        if dataset.test.is_empty() {
            return Err(wrong(format!("object `{}`: no picture has the split `test`", dataset.name)));
        }
        dataset.train_good.sort_unstable();
        dataset.test.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(datasets)
}

/// A folder and its own name.
#[derive(Clone)]
struct Folder {
    name: String,
    path: PathBuf,
}

impl Folder {
    fn is_named(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.name.to_lowercase() == name.to_lowercase())
    }
}

/// The folders in `dir`, sorted, without hidden ones.
fn folders_in(dir: &Path) -> Result<Vec<Folder>> {
    let paths = visible_in(dir)?.into_iter().filter(|path| path.is_dir());
    Ok(paths.map(|path| Folder { name: name_of(&path), path }).collect())
}

/// The pictures in `dir`, or its sounds where it has no pictures, or its clips, or its folders of a part each; sorted, at least one.
fn pictures_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = visible_in(dir)?;
    let mut pairs = Vec::new();
    for path in &files {
        if recording::pair(path)?.is_some() {
            pairs.push(path.clone());
        }
    }
    if !pairs.is_empty() {
        return Ok(pairs);
    }
    files.retain(|path| path.is_file());
    for endings in [EXTENSIONS, SOUND_EXTENSIONS, CLIP_EXTENSIONS] {
        let samples: Vec<PathBuf> = files.iter().filter(|path| ends_with(path, endings)).cloned().collect();
        if !samples.is_empty() {
            return Ok(samples);
        }
    }
    let [pictures, sounds, clips] = [EXTENSIONS, SOUND_EXTENSIONS, CLIP_EXTENSIONS].map(|endings| endings.join(", "));
    Err(Error::new(
        ErrorKind::Input,
        format!("{} holds no picture ({pictures}), no sound ({sounds}) and no clip ({clips})", dir.display()),
    ))
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| endings.contains(&extension.as_str()))
}

/// What is in `dir`, sorted, without names that begin with a dot: those are litter of other programs.
fn visible_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error| Error::io("read the folder", dir, error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// A folder's own name, also for `.` and `..`.
fn name_of(dir: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    name(dir).or_else(|| name(&dir.canonicalize().ok()?)).unwrap_or_else(|| dir.display().to_string())
}

/// A file's name without its last ending.
fn stem_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Puts `items` in an order that depends on `seed` alone, each order about equally likely. The first n items are
/// those that a choice of n would be.
///
/// Fisher and Yates, with numbers from SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): written here, because a
/// choice that is reported by its seed must not change with a library's version.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = Random::new(seed);
    for at in 0..items.len() {
        items.swap(at, at + random.below(items.len() - at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files in it, all empty: nothing here opens a picture.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn visa(files: &[&str], table: &str) -> tempfile::TempDir {
        let root = tree(files);
        fs::create_dir_all(root.path().join("split_csv")).unwrap();
        fs::write(root.path().join("split_csv/1cls.csv"), table).unwrap();
        root
    }

    /// The one dataset in `root`, its samples as "path kind mask" with paths relative to `root`.
    fn read(root: &Path) -> (Vec<String>, Vec<String>) {
        let datasets = Dataset::discover(root).unwrap();
        assert_eq!(datasets.len(), 1);
        let relative = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let described = |sample: &Sample| {
            assert_eq!(sample.is_bad, sample.kind != GOOD);
            let mask = sample.mask.as_deref().map_or("-".to_owned(), relative);
            format!("{} {} {mask}", relative(&sample.path), sample.kind)
        };
        (
            datasets[0].train_good.iter().map(|path| relative(path)).collect(),
            datasets[0].test.iter().map(described).collect(),
        )
    }

    fn refusal(root: &Path) -> String {
        let error = Dataset::discover(root).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        error.message().replace(&root.display().to_string(), "SET")
    }

    #[test]
    fn mvtec_folders_are_read_with_masks_of_either_name() {
        let root = tree(&[
            "Train/Good/2.PNG",
            "Train/Good/1.jpeg",
            "Train/Good/notes.txt",
            "Train/Good/._1.jpeg",
            "test/OK/1.png",
            "test/Scratch/a.png",
            "test/Scratch/b.png",
            "test/Scratch/c.png",
            "test/no_mask/1.webp",
            "ground_truth/scratch/a_mask.png",
            "ground_truth/scratch/b.bmp",
            "ground_truth/ok/1.png",
        ]);
        let (train_good, test) = read(root.path());
        assert_eq!(train_good, ["Train/Good/1.jpeg", "Train/Good/2.PNG"]);
        assert_eq!(
            test,
            [
                "test/OK/1.png good -",
                "test/Scratch/a.png Scratch ground_truth/scratch/a_mask.png",
                "test/Scratch/b.png Scratch ground_truth/scratch/b.bmp",
                "test/Scratch/c.png Scratch -",
                "test/no_mask/1.webp no_mask -",
            ]
        );
    }

    #[test]
    fn a_set_may_have_no_defect_and_no_pictures_to_teach_from() {
        let root = tree(&["test/good/1.png"]);
        assert_eq!(read(root.path()), (vec![], vec!["test/good/1.png good -".to_owned()]));
    }

    #[test]
    fn plain_folders_are_read_with_nothing_to_teach_from() {
        let root = tree(&["ok/1.png", "NG/1.png", "NG/2.tif", "other/3.png", "ground_truth/ng/2_mask.png"]);
        let (train_good, test) = read(root.path());
        assert!(train_good.is_empty());
        assert_eq!(test, ["NG/1.png NG -", "NG/2.tif NG ground_truth/ng/2_mask.png", "ok/1.png good -"]);
    }

    #[test]
    fn a_folder_of_datasets_gives_each_by_name() {
        let root = tree(&[
            "b/train/good/1.png",
            "b/test/good/1.png",
            "a/good/1.png",
            "a/bad/1.png",
            "figures/1.png",
            ".cache/test/good/1.png",
        ]);
        let datasets = Dataset::discover(root.path()).unwrap();
        assert_eq!(datasets.iter().map(|dataset| dataset.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_visa_table_gives_a_dataset_an_object() {
        let root = visa(
            &["pcb/n1.JPG", "pcb/n2.JPG", "pcb/a.JPG", "pcb/a.png", "candle/n.JPG"],
            "split,object,label,image,mask\n\
             test,pcb,anomaly,pcb/a.JPG,pcb/a.png\n\
             test,pcb,normal,pcb/n2.JPG,\n\
             train,pcb,normal,pcb/n1.JPG,\n\
             test,candle,normal,candle/n.JPG,\n",
        );
        let datasets = Dataset::discover(root.path()).unwrap();
        assert_eq!(datasets.len(), 2);
        assert_eq!((datasets[0].name.as_str(), datasets[0].test.len()), ("candle", 1));
        let pcb = &datasets[1];
        assert_eq!(pcb.train_good, [root.path().join("pcb/n1.JPG")]);
        let bad = Sample {
            path: root.path().join("pcb/a.JPG"),
            kind: "anomaly".to_owned(),
            is_bad: true,
            fault: None,
            mask: Some(root.path().join("pcb/a.png")),
        };
        assert_eq!(pcb.test, [bad, Sample::good(root.path().join("pcb/n2.JPG"))]);
    }

    #[test]
    fn a_wrong_visa_table_is_refused_by_line_and_field() {
        let refused = |table: &str| {
            let root = visa(&["n.JPG"], table);
            refusal(root.path()).replace("SET/split_csv/1cls.csv", "TABLE")
        };
        let header = "object,split,label,image,mask\n";
        assert_eq!(
            refused("object,split,image,mask\n"),
            r#"TABLE, line 1: no field `label` among ["object", "split", "image", "mask"]"#
        );
        assert_eq!(refused(header), "TABLE, line 2: no picture is listed");
        for (row, expected) in [
            ("pcb,test,broken,n.JPG,", "`label` must be `normal` or `anomaly`, got `broken`"),
            ("pcb,val,normal,n.JPG,", "`split` must be `train` or `test`, got `val`"),
            ("pcb,train,anomaly,n.JPG,", "`label` must be `normal` where `split` is `train`, got `anomaly`"),
            ("pcb,test,normal,x.JPG,", "`image` must be a file in the dataset's folder, got `x.JPG`"),
            ("pcb,test,normal,../n.JPG,", "`image` must be a file in the dataset's folder, got `../n.JPG`"),
            ("pcb,test,normal,,", "`image` must be a file in the dataset's folder, got ``"),
            ("pcb,test,anomaly,n.JPG,m.png", "`mask` must be a file in the dataset's folder, got `m.png`"),
        ] {
            assert_eq!(
                refused(&format!("{header}pcb,train,normal,n.JPG,\n{row}\n")),
                format!("TABLE, line 3: {expected}")
            );
        }
        assert_eq!(
            refused(&format!("{header}pcb,train,normal,n.JPG,\n")),
            "TABLE, object `pcb`: no picture has the split `test`"
        );
        assert_eq!(refused(&format!("{header}pcb,train\n")), "cannot read TABLE");
    }

    #[test]
    fn a_folder_that_lacks_something_is_named() {
        let refused = |files: &[&str]| refusal(tree(files).path());
        assert!(refused(&["some/file.txt"]).starts_with("SET is no dataset: expected folders `train/good` and `test`"));
        assert!(refused(&["good/1.png"]).starts_with("SET is no dataset"));
        assert!(refused(&["train/good/1.png"]).starts_with("nothing to judge in SET: expected a folder `test`"));
        assert_eq!(refused(&["train/1.png", "test/good/1.png"]), "SET/train has no folder `good`");
        let [pictures, sounds, clips] =
            [EXTENSIONS, SOUND_EXTENSIONS, CLIP_EXTENSIONS].map(|endings| endings.join(", "));
        let none = format!("holds no picture ({pictures}), no sound ({sounds}) and no clip ({clips})");
        assert_eq!(refused(&["train/good/1.txt", "test/good/1.png"]), format!("SET/train/good {none}"));
        let mixed = "SET holds sounds and pictures: a data set is of one kind";
        assert_eq!(refused(&["train/good/1.wav", "test/good/1.png"]), mixed);
        let mixed = "SET holds clips and others: a data set is of one kind";
        assert_eq!(refused(&["train/good/1.avi", "test/good/1.png"]), mixed);
        assert_eq!(refused(&["test/good/1.png", "test/crack/1.txt"]), format!("SET/test/crack {none}"));
    }

    #[test]
    fn a_mask_without_its_picture_is_refused() {
        let root = tree(&["test/crack/1.png", "ground_truth/crack/1_mask.png", "ground_truth/crack/2_mask.png"]);
        assert_eq!(refusal(root.path()), "the mask SET/ground_truth/crack/2_mask.png has no picture in SET/test/crack");
        let root = tree(&["test/good/1.png", "ground_truth/crack/1_mask.png"]);
        assert_eq!(
            refusal(root.path()),
            "SET/ground_truth/crack holds masks, but no pictures are in a folder `crack` to judge"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_io_error() {
        let root = tree(&["file.png"]);
        for name in ["missing", "file.png"] {
            let error = Dataset::discover(&root.path().join(name)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.message().starts_with("cannot read the folder ") && error.message().ends_with(name));
        }
    }

    fn numbered(train: usize, good: usize, bad: usize) -> Dataset {
        let path = |at: usize| PathBuf::from(format!("{at:03}.png"));
        let bad_sample =
            |at| Sample { path: path(at), kind: "crack".to_owned(), is_bad: true, fault: None, mask: None };
        Dataset {
            name: "numbers".to_owned(),
            train_good: (0..train).map(path).collect(),
            test: (train..train + good)
                .map(|at| Sample::good(path(at)))
                .chain((train + good..train + good + bad).map(bad_sample))
                .collect(),
        }
    }

    #[test]
    fn shots_are_the_same_everywhere_and_grow_by_adding() {
        let dataset = numbered(20, 0, 1);
        let five = dataset.shots(5, 7).unwrap();
        assert_eq!(five, ["001.png", "007.png", "011.png", "012.png", "018.png"].map(PathBuf::from));
        assert!(five.is_sorted());
        let ten = dataset.shots(10, 7).unwrap();
        assert!(five.iter().all(|path| ten.contains(path)));
        assert_ne!(five, dataset.shots(5, 8).unwrap());
        assert_eq!(dataset.shots(20, 7).unwrap(), dataset.train_good);
    }

    #[test]
    fn shots_choose_each_picture_about_equally_often() {
        let dataset = numbered(10, 0, 1);
        let mut chosen: BTreeMap<PathBuf, i32> = BTreeMap::new();
        for seed in 0..4000 {
            for path in dataset.shots(3, seed).unwrap() {
                *chosen.entry(path).or_default() += 1;
            }
        }
        // 1200 expected; the standard deviation is 29.
        assert!(chosen.len() == 10 && chosen.values().all(|count| (count - 1200).abs() < 120), "{chosen:?}");
    }

    #[test]
    fn more_shots_than_pictures_are_refused() {
        let dataset = numbered(3, 0, 1);
        let error = dataset.shots(4, 0).unwrap_err();
        assert_eq!(error.message(), "shots: `numbers` has 3 good pictures to teach from, got 4 as their number");
        assert!(dataset.shots(0, 0).is_err());
    }

    #[test]
    fn a_split_deals_all_good_pictures_and_judges_all_bad_ones() {
        let dataset = numbered(3, 8, 4);
        let split = dataset.split(1, 0.5).unwrap();
        assert_eq!((split.train_good.len(), split.test.len()), (6, 9));
        assert_eq!(split.test.iter().filter(|sample| sample.is_bad).count(), 4);
        let mut all: Vec<PathBuf> = split.test.iter().map(|sample| sample.path.clone()).collect();
        assert!(all.is_sorted() && split.train_good.is_sorted());
        all.extend(split.train_good.clone());
        all.sort();
        assert_eq!(all, (0..15).map(|at| PathBuf::from(format!("{at:03}.png"))).collect::<Vec<_>>());
        assert_eq!(split, dataset.split(1, 0.5).unwrap());
        assert_ne!(split, dataset.split(2, 0.5).unwrap());
    }

    #[test]
    fn a_split_leaves_a_good_picture_on_either_side() {
        let dataset = numbered(0, 2, 1);
        for fraction in [0.001, 0.999] {
            let split = dataset.split(0, fraction).unwrap();
            assert_eq!((split.train_good.len(), split.test.len()), (1, 2));
        }
        assert!(dataset.split(0, 1.0).is_err() && dataset.split(0, f64::NAN).is_err());
        let error = numbered(0, 1, 5).split(0, 0.5).unwrap_err();
        assert_eq!(error.message(), "`numbers` has 1 good pictures, a split into two parts needs 2");
    }
}
