//! Labelled folders of pictures or sounds as one [`Dataset`], whatever their layout, in an order that is the same everywhere.
//! Names files and opens no picture: reading pictures and masks, and what is made of them, is left to the caller.
//!
//! Names are matched without regard to case and marks. Good samples are called `good`, `ok`, `normal`, `pass` and the like,
//! bad ones `bad`, `ng`, `nok`, `defective`, `abnormal`, `anomaly`, `fail` and the like ([`labels`] has the list). Hidden
//! files and files that are no sample are passed over; samples that are there and not used are told by [`Dataset::unused`].
//!
//! Where a folder holds no picture but sounds, or clips, these are meant: the same layouts, without masks. Where it holds folders of
//! a part each, `part_id/{cam0.png, mic0.wav}`, a sample is such a folder; its mask is named as the folder.
//!
//! | layout | teach from | judge | masks |
//! |---|---|---|---|
//! | MVTec AD, BTAD | `train/good` | `test/good`, `test/<kind>` | `ground_truth/<kind>/<stem>_mask.png` or `<stem>.png` |
//! | MVTec LOCO | the same | the same | `ground_truth/<kind>/<stem>/*.png`, joined |
//! | MVTec AD 2 | `train/good` | `test_public/good`, `test_public/<kind>` | `test_public/ground_truth/<kind>` |
//! | MVTec 3D-AD | `train/good/rgb` | `test/<kind>/rgb` | `test/<kind>/gt` |
//! | VisA | `split_csv/1cls.csv`, split `train` | split `test` | column `mask` |
//! | an object of VisA | nothing: see [`Dataset::split`] | `Data/Images/{Normal,Anomaly}` | `Data/Masks/Anomaly` |
//! | DCASE | files in `train` whose names say `normal` | files in `test` whose names say `normal` or `anomaly` | none |
//! | plain, MIMII | nothing | `good` and `bad`, `normal` and `abnormal` | as MVTec AD, if there are any |
//! | named | nothing | files whose names say it: `part_ok_1.png`, `part_ng_1.png` | none |

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::faults::{Fault, FaultKind};
use crate::error::{Error, ErrorKind, Result};
use crate::package::manifest::Sense;
use crate::random::Random;
use crate::source::recording;

pub mod labels;
pub mod masks;

use self::labels::Label;
use self::masks::Masks;

/// File name endings of pictures, in lower case.
pub const EXTENSIONS: &[&str] = recording::IMAGES;
/// File name endings of sounds, in lower case.
pub const SOUND_EXTENSIONS: &[&str] = recording::SOUNDS;

/// File name endings of clips, in lower case.
pub const CLIP_EXTENSIONS: &[&str] = recording::CLIPS;

/// The [`Sample::kind`] of good samples, however their folder is called.
pub const GOOD: &str = "good";

const TRAIN_NAMES: &[&str] = &["train", "training"];
/// The private test sets of MVTec AD 2 have no labels.
const TEST_NAMES: &[&str] = &["test", "testing", "test_public"];
const TRUTH_NAMES: &[&str] = &["ground_truth"];
/// Folders that are looked into for data sets, at most, one within the other: `6_dB/pump/id_00` of MIMII.
const DEPTH: usize = 3;
/// Names that an error lists, at most.
const MOST_NAMED: usize = 4;

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
    /// Where it is defective: a picture of the same shape, not black where it is, or a folder of several, which
    /// [`masks::read`] joins. Never there for good samples; a bad sample without one has no part in pixel figures.
    pub mask: Option<PathBuf>,
}

impl Dataset {
    /// The datasets in `dir`: the one that it is, those of its VisA table, or those of the folders in it, up to three
    /// deep (other folders are passed over). At least one, sorted by path; one that lies deeper is named by its path,
    /// `pump_id_00`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when a folder or the table cannot be read; [`ErrorKind::Input`] when there is no known
    /// layout, a folder that should hold samples holds none, a mask has no picture, or the table is not as
    /// described above. The sentence names the folder, or the line and the field, what is expected and what was found.
    pub fn discover(dir: &Path) -> Result<Vec<Self>> {
        let mut datasets = read_any(dir)?;
        if datasets.is_empty() {
            read_below(dir, "", DEPTH, &mut datasets)?;
        }
        if datasets.is_empty() {
            return Err(Error::new(
                ErrorKind::Input,
                format!(
                    "{} is no data set: expected folders `train/good` and `test`, folders `good` and `bad` (or `ok` and \
                     `nok`, `normal` and `abnormal`), a table `split_csv/1cls.csv`, files whose names say `normal` and \
                     `anomaly`, or folders that hold one of these; found {}",
                    dir.display(),
                    found_in(dir)?
                ),
            ));
        }
        Ok(datasets)
    }

    /// Folders of `dir` that hold samples which `datasets` do not use, with their number; of a folder of which nothing is
    /// used only itself, not those in it. In MVTec LOCO `validation` is one, in MVTec AD 2 the private test sets are.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when a folder cannot be read.
    pub fn unused(dir: &Path, datasets: &[Self]) -> Result<Vec<(PathBuf, usize)>> {
        let mut used = BTreeMap::new();
        for dataset in datasets {
            let samples = dataset.test.iter().flat_map(|sample| [Some(&sample.path), sample.mask.as_ref()]).flatten();
            for path in dataset.train_good.iter().chain(samples) {
                for folder in path.ancestors().skip(1) {
                    used.entry(folder).or_insert(false);
                }
                used.insert(path.as_path(), true);
            }
        }
        let mut unused = Vec::new();
        tell_unused(dir, &used, &mut unused)?;
        Ok(unused)
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

/// The datasets that `dir` itself is: those of its VisA table, or one; else none.
fn read_any(dir: &Path) -> Result<Vec<Dataset>> {
    let table = dir.join("split_csv").join("1cls.csv");
    match table.is_file() {
        true => read_visa(dir, &table),
        false => Ok(read_folder(dir)?.into_iter().collect()),
    }
}

/// The datasets in the folders of `dir`, up to `depth` deep; `above` is what their names begin with.
fn read_below(dir: &Path, above: &str, depth: usize, datasets: &mut Vec<Dataset>) -> Result<()> {
    for folder in folders_in(dir)? {
        let found = read_any(&folder.path)?;
        if found.is_empty() && depth > 1 {
            read_below(&folder.path, &format!("{above}{}_", folder.name), depth - 1, datasets)?;
        }
        datasets.extend(found.into_iter().map(|set| Dataset { name: format!("{above}{}", set.name), ..set }));
    }
    Ok(())
}

/// A dataset whose folders or file names say what is good; `None` when `dir` is none.
fn read_folder(dir: &Path) -> Result<Option<Dataset>> {
    let folders = folders_in(dir)?;
    let find = |names: &[&str]| folders.iter().find(|folder| folder.is_named(names));
    let truth = find(TRUTH_NAMES).map(|truth| truth.path.clone());
    let (train_good, test) = match (find(TRAIN_NAMES), find(TEST_NAMES)) {
        (None, None) => match read_plain(dir, &folders, truth.as_deref())? {
            Some(test) => (Vec::new(), test),
            None => return Ok(None),
        },
        (train, Some(test)) => {
            let train_good = train.map_or(Ok(Vec::new()), |train| read_train(&train.path))?;
            (train_good, read_test(&test.path, truth.as_deref())?)
        }
        (Some(_), None) => {
            let (dir, found) = (dir.display(), found_in(dir)?);
            let what = format!(
                "nothing to judge in {dir}: expected a folder `test` with a folder `good` and one for each kind of defect, \
                 found {found}"
            );
            return Err(Error::new(ErrorKind::Input, what));
        }
    };
    let dataset = Dataset { name: name_of(dir), train_good, test };
    of_one_kind(dir, &dataset)?;
    Ok(Some(dataset))
}

/// Refuses pictures beside sounds, clips or folders of a part each.
fn of_one_kind(dir: &Path, dataset: &Dataset) -> Result<()> {
    let paths = || dataset.train_good.iter().chain(dataset.test.iter().map(|sample| &sample.path));
    let sounds = paths().filter(|path| ends_with(path, SOUND_EXTENSIONS)).count();
    let clips = paths().filter(|path| ends_with(path, CLIP_EXTENSIONS)).count();
    let pairs = paths().filter(|path| path.is_dir()).count();
    if [sounds, clips, pairs].iter().all(|count| [0, paths().count()].contains(count)) {
        return Ok(());
    }
    let kinds = if clips > 0 { "clips and others" } else { "sounds and pictures" };
    let what = format!("{} holds {kinds}: a data set is of one kind", dir.display());
    Err(Error::new(ErrorKind::Input, what))
}

/// The good samples in `train`: in its folder `good`, or, where samples lie in it itself, those whose names say so. Bad
/// ones, which supervised methods learn from, are passed over.
fn read_train(train: &Path) -> Result<Vec<PathBuf>> {
    let folders: Vec<Kind> = kinds_of(&folders_in(train)?).into_iter().filter(|kind| kind.is_good).collect();
    let mut good = Vec::new();
    for kind in &folders {
        good.extend(samples_in(&kind.folder.path)?);
    }
    if folders.is_empty() {
        let named = named_in(train, Samples::Direct)?;
        good.extend(named.into_iter().filter(|(_, label)| *label == Label::Good).map(|(path, _)| path));
    }
    match good.is_empty() {
        true => {
            let (train, found) = (train.display(), found_in(train)?);
            let what = format!("{train}: expected a folder `good`, or files whose names say `normal`, found {found}");
            Err(Error::new(ErrorKind::Input, what))
        }
        false => Ok(good),
    }
}

/// The samples in `test`: in a folder for each kind, or, where they lie in it itself, told by their names.
fn read_test(test: &Path, truth: Option<&Path>) -> Result<Vec<Sample>> {
    let mut folders = folders_in(test)?;
    let own = folders.iter().position(|folder| folder.is_named(TRUTH_NAMES)).map(|at| folders.remove(at).path);
    if !folders.is_empty() {
        return read_kinds(&kinds_of(&folders), truth.or(own.as_deref()));
    }
    let named = named_in(test, Samples::Direct)?;
    if named.is_empty() {
        let (test, found) = (test.display(), found_in(test)?);
        let what = format!(
            "{test}: expected a folder `good` and one for each kind of defect, or files whose names say `normal` or \
             `anomaly`, found {found}"
        );
        return Err(Error::new(ErrorKind::Input, what));
    }
    Ok(samples_of(named))
}

/// The samples of a folder without parts to teach from and to judge; `None` where nothing says which are good.
fn read_plain(dir: &Path, folders: &[Folder], truth: Option<&Path>) -> Result<Option<Vec<Sample>>> {
    if let Some(kinds) = both_in(folders) {
        return Ok(Some(read_kinds(&kinds, truth)?));
    }
    let [images, masks] = ["Images", "Masks"].map(|name| dir.join("Data").join(name));
    if images.is_dir()
        && let Some(kinds) = both_in(&folders_in(&images)?)
    {
        return Ok(Some(read_kinds(&kinds, Some(&*masks).filter(|masks| masks.is_dir()))?));
    }
    let named = named_in(dir, Samples::Any)?;
    let has = |label| named.iter().any(|(_, found)| *found == label);
    Ok((has(Label::Good) && has(Label::Bad)).then(|| samples_of(named)))
}

/// A folder of samples of one kind.
#[derive(Clone)]
struct Kind {
    folder: Folder,
    is_good: bool,
}

/// Folders of a set that is known to have one for each kind of defect: the good ones are those that are called so, or else
/// those that have such a word in their names.
fn kinds_of(folders: &[Folder]) -> Vec<Kind> {
    let is_good = |read: fn(&str) -> Option<Label>| move |folder: &Folder| read(&folder.name) == Some(Label::Good);
    let (called, worded) = (is_good(labels::of), is_good(labels::in_words));
    let any_called = folders.iter().any(called);
    let kind = |folder: &Folder| {
        let is_good = if any_called { called(folder) } else { worded(folder) };
        Kind { folder: folder.clone(), is_good }
    };
    folders.iter().map(kind).collect()
}

/// Those of the folders whose names say that they hold good or bad samples, where both are there.
fn both_in(folders: &[Folder]) -> Option<Vec<Kind>> {
    let readings: [fn(&str) -> Option<Label>; 2] = [labels::of, labels::in_words];
    let labelled = |read: fn(&str) -> Option<Label>| {
        let kind = |folder: &Folder| Some(Kind { folder: folder.clone(), is_good: read(&folder.name)? == Label::Good });
        folders.iter().filter_map(kind).collect::<Vec<_>>()
    };
    readings.into_iter().map(labelled).find(|kinds| {
        let good = kinds.iter().filter(|kind| kind.is_good).count();
        good > 0 && good < kinds.len()
    })
}

/// Samples that lie in a folder itself.
#[derive(PartialEq)]
enum Samples {
    /// They are the folder's samples: each must say what it is.
    Direct,
    /// It is not known whether they are meant: they are where each says what it is.
    Any,
}

/// The samples in `dir` itself with what their names say, sorted; none where it holds none.
fn named_in(dir: &Path, samples: Samples) -> Result<Vec<(PathBuf, Label)>> {
    let mut named = Vec::new();
    for path in of_one_format(&visible_in(dir)?) {
        match (labels::in_words(&stem_of(&path)), &samples) {
            (Some(label), _) => named.push((path, label)),
            (None, Samples::Any) => return Ok(Vec::new()),
            (None, Samples::Direct) => {
                let what = format!(
                    "{}: its name says neither good nor bad: expected one word such as `normal` or `anomaly` in it, or \
                     folders `good` and one for each kind of defect",
                    path.display()
                );
                return Err(Error::new(ErrorKind::Input, what));
            }
        }
    }
    Ok(named)
}

fn samples_of(named: Vec<(PathBuf, Label)>) -> Vec<Sample> {
    let sample = |(path, label)| match label {
        Label::Good => Sample::good(path),
        Label::Bad => Sample { path, kind: "anomaly".to_owned(), is_bad: true, fault: None, mask: None },
    };
    named.into_iter().map(sample).collect()
}

/// The samples in the folders `kinds`, with their masks from the folders in `truth`, sorted by path.
fn read_kinds(kinds: &[Kind], truth: Option<&Path>) -> Result<Vec<Sample>> {
    let truth = truth.map_or(Ok(Vec::new()), |truth| truths(truth, kinds))?;
    let mut samples = Vec::new();
    for Kind { folder: kind, is_good } in kinds {
        let pictures = samples_in(&kind.path)?;
        if *is_good {
            samples.extend(pictures.into_iter().map(Sample::good));
            continue;
        }
        let beside = kind.path.join("gt");
        let mut masks = match truth.iter().find(|folder| folder.is_named(&[&kind.name])) {
            Some(folder) => Masks::read(&folder.path, &kind.path)?,
            None if beside.is_dir() => Masks::read(&beside, &kind.path)?,
            None => Masks::default(),
        };
        for path in pictures {
            let mask = masks.of(&path);
            samples.push(Sample { path, kind: kind.name.clone(), is_bad: true, fault: None, mask });
        }
        masks.all_used(&kind.path)?;
    }
    // Some sets keep wholly black masks for their good pictures: they say nothing.
    let is_known = |folder: &Folder| {
        labels::of(&folder.name) == Some(Label::Good) || kinds.iter().any(|kind| folder.is_named(&[&kind.folder.name]))
    };
    if let Some(stray) = truth.iter().find(|folder| !is_known(folder)) {
        return Err(Error::new(
            ErrorKind::Input,
            format!("{} holds masks, but no pictures are in a folder `{}` to judge", stray.path.display(), stray.name),
        ));
    }
    samples.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(samples)
}

/// The folders of masks in `truth`, one for each kind; where it holds masks itself, they are those of the only kind of
/// defect.
fn truths(truth: &Path, kinds: &[Kind]) -> Result<Vec<Folder>> {
    let folders = folders_in(truth)?;
    if !visible_in(truth)?.iter().any(|path| ends_with(path, EXTENSIONS)) {
        return Ok(folders);
    }
    let mut bad = kinds.iter().filter(|kind| !kind.is_good);
    match (bad.next(), bad.next()) {
        (Some(only), None) if folders.is_empty() => {
            Ok(vec![Folder { name: only.folder.name.clone(), path: truth.to_path_buf() }])
        }
        _ => Err(Error::new(
            ErrorKind::Input,
            format!(
                "{}: expected a folder of masks for each kind of defect, found {}",
                truth.display(),
                found_in(truth)?
            ),
        )),
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

/// The pictures in `dir`, or its sounds where it has no pictures, or its clips, or its folders of a part each; of a folder
/// of MVTec 3D-AD those in `rgb`. Sorted, at least one.
fn samples_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let files = visible_in(dir)?;
    let mut pairs = Vec::new();
    for path in &files {
        if recording::pair(path)?.is_some() {
            pairs.push(path.clone());
        }
    }
    if !pairs.is_empty() {
        return Ok(pairs);
    }
    let samples = of_one_format(&files);
    if !samples.is_empty() {
        return Ok(samples);
    }
    let colours = dir.join("rgb");
    if colours.is_dir() {
        return samples_in(&colours);
    }
    let [pictures, sounds, clips] = [EXTENSIONS, SOUND_EXTENSIONS, CLIP_EXTENSIONS].map(|endings| endings.join(", "));
    Err(Error::new(
        ErrorKind::Input,
        format!(
            "{}: expected pictures ({pictures}), sounds ({sounds}) or clips ({clips}), found {}",
            dir.display(),
            found_in(dir)?
        ),
    ))
}

/// The pictures among `paths`, or the sounds where there are no pictures, or the clips.
fn of_one_format(paths: &[PathBuf]) -> Vec<PathBuf> {
    let of = |endings: &[&str]| {
        paths.iter().filter(|path| ends_with(path, endings) && path.is_file()).cloned().collect::<Vec<_>>()
    };
    [EXTENSIONS, SOUND_EXTENSIONS, CLIP_EXTENSIONS]
        .map(of)
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// What is in `dir`, for a sentence: `nothing`, ``the folders `a` and `b` ``, `12 pictures`, ``3 other files such as `a.txt` ``.
fn found_in(dir: &Path) -> Result<String> {
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = visible_in(dir)?.into_iter().partition(|path| path.is_dir());
    let mut found = Vec::new();
    if !folders.is_empty() {
        let names: Vec<String> = folders.iter().take(MOST_NAMED).map(|path| format!("`{}`", name_of(path))).collect();
        let more = folders.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        found.push(format!("the folder{} {}{more}", if folders.len() == 1 { "" } else { "s" }, names.join(", ")));
    }
    let kinds = [("picture", EXTENSIONS), ("sound", SOUND_EXTENSIONS), ("clip", CLIP_EXTENSIONS), ("other file", &[])];
    let mut left = files;
    for (what, endings) in kinds {
        let is_such = |path: &PathBuf| endings.is_empty() || ends_with(path, endings);
        let (such, rest): (Vec<PathBuf>, Vec<PathBuf>) = left.into_iter().partition(is_such);
        if let Some(first) = such.first() {
            let plural = if such.len() == 1 { "" } else { "s" };
            found.push(format!("{} {what}{plural} such as `{}`", such.len(), name_of(first)));
        }
        left = rest;
    }
    Ok(if found.is_empty() { "nothing".into() } else { found.join(" and ") })
}

/// Adds to `unused` the folders below `dir` of whose samples none is used, by their outermost, and gives the number of
/// samples in `dir` where none is. `used` holds what is used and the folders that it lies in, and of each whether it is
/// itself a sample or a mask.
fn tell_unused(dir: &Path, used: &BTreeMap<&Path, bool>, unused: &mut Vec<(PathBuf, usize)>) -> Result<usize> {
    let before = unused.len();
    let (mut own, mut deeper) = (0, 0);
    for path in visible_in(dir)? {
        let is_truth = TRUTH_NAMES.iter().chain(["Masks", "gt"].iter()).any(|name| name_of(&path) == *name);
        if path.is_dir() {
            // What lies beside a used mask, and in a folder that is a sample, belongs to it. A link might lead back up.
            if !is_truth && !path.is_symlink() && used.get(path.as_path()) != Some(&true) {
                deeper += tell_unused(&path, used, unused)?;
            }
        } else if !used.contains_key(path.as_path()) {
            own += usize::from(!of_one_format(&[path]).is_empty());
        }
    }
    let is_used = used.contains_key(dir);
    let count = if is_used { own } else { own + deeper };
    if !is_used {
        unused.truncate(before);
    }
    if count > 0 {
        unused.push((dir.to_path_buf(), count));
    }
    Ok(if is_used { 0 } else { count })
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
    fn a_pair_of_names_that_people_use_is_a_plain_set() {
        for [good, bad] in [
            ["ok", "nok"],
            ["good", "defective"],
            ["good", "not_good"],
            ["normal", "abnormal"],
            ["PASS", "FAIL"],
            ["ok_front", "def_front"],
            ["良品", "不良品"],
        ] {
            let root = tree(&[&format!("{good}/1.png"), &format!("{bad}/1.png")]);
            let (train_good, mut test) = read(root.path());
            test.sort();
            let mut expected = [format!("{good}/1.png good -"), format!("{bad}/1.png {bad} -")];
            expected.sort();
            assert_eq!((train_good, test), (Vec::<String>::new(), expected.to_vec()), "{good} {bad}");
        }
    }

    #[test]
    fn mvtec_loco_keeps_several_masks_for_a_picture_in_a_folder() {
        let root = tree(&[
            "train/good/000.png",
            "validation/good/000.png",
            "validation/good/001.png",
            "test/good/000.png",
            "test/logical_anomalies/000.png",
            "ground_truth/logical_anomalies/000/000.png",
            "ground_truth/logical_anomalies/000/001.png",
            "defects_config.json",
        ]);
        let (train_good, test) = read(root.path());
        assert_eq!(train_good, ["train/good/000.png"]);
        assert_eq!(
            test,
            [
                "test/good/000.png good -",
                "test/logical_anomalies/000.png logical_anomalies ground_truth/logical_anomalies/000",
            ]
        );
        let sets = Dataset::discover(root.path()).unwrap();
        let unused = Dataset::unused(root.path(), &sets).unwrap();
        assert_eq!(unused, [(root.path().join("validation"), 2)]);
    }

    #[test]
    fn mvtec_ad_2_keeps_its_masks_beside_the_public_test_pictures() {
        let root = tree(&[
            "can/train/good/000_regular.png",
            "can/validation/good/000_regular.png",
            "can/test_public/good/000_overexposed.png",
            "can/test_public/bad/000_regular.png",
            "can/test_public/ground_truth/bad/000_regular_mask.png",
            "can/test_private/000_regular.png",
            "can/test_private_mixed/000_mixed.png",
        ]);
        let sets = Dataset::discover(root.path()).unwrap();
        assert_eq!((sets.len(), sets[0].name.as_str(), sets[0].train_good.len()), (1, "can", 1));
        let path = |path: &str| root.path().join("can").join(path);
        assert_eq!(
            sets[0].test,
            [
                Sample {
                    path: path("test_public/bad/000_regular.png"),
                    kind: "bad".to_owned(),
                    is_bad: true,
                    fault: None,
                    mask: Some(path("test_public/ground_truth/bad/000_regular_mask.png")),
                },
                Sample::good(path("test_public/good/000_overexposed.png")),
            ]
        );
        let unused = Dataset::unused(root.path(), &sets).unwrap();
        assert_eq!(unused, ["test_private", "test_private_mixed", "validation"].map(|name| (path(name), 1)));
    }

    #[test]
    fn mvtec_3d_is_read_by_its_colours() {
        let root = tree(&[
            "train/good/rgb/000.png",
            "train/good/xyz/000.tiff",
            "test/crack/rgb/000.png",
            "test/crack/gt/000.png",
            "test/good/rgb/000.png",
            "test/good/gt/000.png",
        ]);
        let (train_good, test) = read(root.path());
        assert_eq!(train_good, ["train/good/rgb/000.png"]);
        assert_eq!(test, ["test/crack/rgb/000.png crack test/crack/gt/000.png", "test/good/rgb/000.png good -"]);
    }

    #[test]
    fn an_object_of_visa_is_read_without_its_table() {
        let root = tree(&[
            "candle/Data/Images/Normal/0000.JPG",
            "candle/Data/Images/Anomaly/000.JPG",
            "candle/Data/Masks/Anomaly/000.png",
            "candle/image_anno.csv",
        ]);
        let sets = Dataset::discover(root.path()).unwrap();
        assert_eq!((sets.len(), sets[0].name.as_str()), (1, "candle"));
        assert_eq!(sets, Dataset::discover(&root.path().join("candle")).unwrap());
        assert_eq!(sets[0].test[0].mask, Some(root.path().join("candle/Data/Masks/Anomaly/000.png")));
    }

    #[test]
    fn sounds_are_read_as_mimii_and_dcase_are_unpacked() {
        let root = tree(&[
            "6_dB/pump/id_00/normal/00000000.wav",
            "6_dB/pump/id_00/abnormal/00000000.wav",
            "6_dB/pump/id_02/normal/00000000.wav",
            "6_dB/pump/id_02/abnormal/00000000.wav",
        ]);
        let names = |dir: &Path| {
            Dataset::discover(dir).unwrap().into_iter().map(|set| (set.name.clone(), set.sense())).collect::<Vec<_>>()
        };
        assert_eq!(
            names(root.path()),
            ["6_dB_pump_id_00", "6_dB_pump_id_02"].map(|name| (name.to_owned(), Sense::Sound))
        );
        assert_eq!(names(&root.path().join("6_dB/pump"))[0].0, "id_00");
        let root = tree(&[
            "train/section_00_source_train_normal_0000_noAttribute.wav",
            "test/section_00_source_test_normal_0000_noAttribute.wav",
            "test/section_00_target_test_anomaly_0000_noAttribute.wav",
        ]);
        let (train_good, test) = read(root.path());
        assert_eq!(train_good, ["train/section_00_source_train_normal_0000_noAttribute.wav"]);
        assert_eq!(
            test,
            [
                "test/section_00_source_test_normal_0000_noAttribute.wav good -",
                "test/section_00_target_test_anomaly_0000_noAttribute.wav anomaly -",
            ]
        );
        // The evaluation set of DCASE has no labels.
        let root = tree(&["train/section_03_train_normal_0000.wav", "test/section_03_0000.wav"]);
        assert!(refusal(root.path()).starts_with("SET/test/section_03_0000.wav: its name says neither good nor bad"));
    }

    #[test]
    fn a_folder_whose_file_names_all_say_it_is_a_set() {
        let root = tree(&["part_ok_1.png", "part_ng_2.png", "notes.txt"]);
        assert_eq!(read(root.path()).1, ["part_ng_2.png anomaly -", "part_ok_1.png good -"]);
        assert!(Dataset::discover(tree(&["part_ok_1.png", "part_2.png"]).path()).is_err());
        assert!(Dataset::discover(tree(&["part_ok_1.png", "part_ok_2.png"]).path()).is_err());
    }

    #[test]
    fn empty_folders_are_told() {
        let root = tree(&["train/good/1.png", "test/good/1.png"]);
        fs::create_dir_all(root.path().join("test/crack")).unwrap();
        assert!(refusal(root.path()).starts_with("SET/test/crack: expected pictures"));
        assert!(refusal(root.path()).ends_with("found nothing"));
        fs::write(root.path().join("test/crack/1.png"), "").unwrap();
        fs::create_dir_all(root.path().join("ground_truth/good")).unwrap();
        assert_eq!(read(root.path()).1.len(), 2, "an empty folder of masks for good pictures says nothing");
        fs::create_dir_all(root.path().join("ground_truth/crack")).unwrap();
        assert_eq!(
            refusal(root.path()),
            "SET/ground_truth/crack: expected a mask for each image in SET/test/crack, found nothing; without masks \
             there is no such folder"
        );
    }

    #[test]
    fn masks_that_lie_in_no_folder_are_those_of_the_only_kind() {
        let root = tree(&["good/1.png", "bad/1.png", "ground_truth/1_mask.png"]);
        assert_eq!(read(root.path()).1[0], "bad/1.png bad ground_truth/1_mask.png");
        let root = tree(&["test/good/1.png", "test/a/1.png", "test/b/2.png", "ground_truth/1_mask.png"]);
        assert_eq!(
            refusal(root.path()),
            "SET/ground_truth: expected a folder of masks for each kind of defect, found 1 picture such as `1_mask.png`"
        );
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
        let none = "SET is no data set: expected folders `train/good` and `test`, ";
        for (files, found) in [
            (&["some/file.txt"][..], "found the folder `some`"),
            (&["good/1.png", "scratch/1.png"], "found the folders `good`, `scratch`"),
            (&["1.png", "2.png", "a.txt"], "found 2 pictures such as `1.png` and 1 other file such as `a.txt`"),
            (&[], "found nothing"),
        ] {
            let told = refused(files);
            assert!(told.starts_with(none) && told.ends_with(found), "{told}");
        }
        let told = refused(&["train/good/1.png"]);
        assert!(told.starts_with("nothing to judge in SET: expected a folder `test`"), "{told}");
        assert!(told.ends_with("found the folder `train`"), "{told}");
        assert_eq!(
            refused(&["train/1.png", "test/good/1.png"]),
            "SET/train/1.png: its name says neither good nor bad: expected one word such as `normal` or `anomaly` in it, \
             or folders `good` and one for each kind of defect"
        );
        assert_eq!(
            refused(&["train/scratch/1.png", "test/good/1.png"]),
            "SET/train: expected a folder `good`, or files whose names say `normal`, found the folder `scratch`"
        );
        let [pictures, sounds, clips] =
            [EXTENSIONS, SOUND_EXTENSIONS, CLIP_EXTENSIONS].map(|endings| endings.join(", "));
        let none = format!(
            "expected pictures ({pictures}), sounds ({sounds}) or clips ({clips}), found 1 other file such as `1.txt`"
        );
        assert_eq!(refused(&["train/good/1.txt", "test/good/1.png"]), format!("SET/train/good: {none}"));
        let mixed = "SET holds sounds and pictures: a data set is of one kind";
        assert_eq!(refused(&["train/good/1.wav", "test/good/1.png"]), mixed);
        let mixed = "SET holds clips and others: a data set is of one kind";
        assert_eq!(refused(&["train/good/1.avi", "test/good/1.png"]), mixed);
        assert_eq!(refused(&["test/good/1.png", "test/crack/1.txt"]), format!("SET/test/crack: {none}"));
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
