//! `eyear eval --words`: writes a report on each judged sample → how often the words are right.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use eyear::backend::BACKENDS;
use eyear::decode::Sampling;
use eyear::decode::words::Language;
use eyear::evaluate::dataset::{Dataset, Sample, masks};
use eyear::evaluate::faults::FaultKind;
use eyear::evaluate::interval::Rate;
use eyear::evaluate::judged::Seen;
use eyear::evaluate::machines::Machine;
use eyear::evaluate::words::{Mask, Tally, Truth, WordFigures, is_held_out};
use eyear::inspect::{Asked, Inspector, Writer};
use eyear::package::manifest::{Precision, Sense};
use eyear::source::recording;

use super::ModelArguments;
use super::table::shown;

/// Wrong kinds that are printed, at most.
const MOST_WRONG: usize = 6;

/// What is asked of words.
#[derive(Args)]
#[command(next_help_heading = "Words")]
pub struct WordArguments {
    /// Also write a report on each sample and measure how often its verdict, kinds, places and counts are right
    #[arg(long, conflicts_with = "window")]
    words: bool,
    /// Model package that writes the words
    #[arg(long, value_name = "NAME|DIR", default_value = "eyear-small", requires = "words")]
    writer: String,
    /// Correct kinds for a folder or an injected fault, such as broken=break 'blowhole=hole|pitting' [default: the folder's
    /// name]
    #[arg(long, value_name = "FOLDER=KIND[|KIND]", num_args = 1.., value_parser = right, requires = "words")]
    kinds: Vec<Right>,
    /// Judge only the half of the samples (by a hash of their names) that the shipped writer was not trained on
    #[arg(long, requires = "words", conflicts_with = "modelled")]
    held_out_half: bool,
    /// Language of the words: en, zh
    #[arg(long, value_name = "CODE", default_value = "en", requires = "words")]
    language: String,
}

/// Kinds that are right for a folder.
#[derive(Debug, Clone)]
struct Right {
    folder: String,
    kinds: Vec<String>,
}

/// `FOLDER=KIND|KIND`.
fn right(text: &str) -> Result<Right, String> {
    let (folder, kinds) = text.split_once('=').unwrap_or((text, ""));
    let kinds: Vec<String> = kinds.split('|').map(|kind| kind.trim().to_string()).collect();
    if folder.is_empty() || kinds.iter().any(String::is_empty) {
        return Err(format!("wants FOLDER=KIND or 'FOLDER=KIND|KIND', such as broken=break, got `{text}`"));
    }
    Ok(Right { folder: folder.to_lowercase(), kinds })
}

/// Kinds by the names of faults and flaws that are called otherwise.
const ALSO: [(&str, &str); 4] =
    [("hum", "tone"), ("noise", "hiss"), ("outer race", "bearing"), ("inner race", "bearing")];

/// Writes of the samples of a data set as they are judged, and counts.
pub struct Words<'a> {
    asked: &'a WordArguments,
    writer: RefCell<Writer>,
    language: Language,
    /// The senses that the data set is for.
    senses: Vec<Sense>,
    tally: RefCell<Tally>,
    /// What was judged last.
    last: RefCell<Option<(Sample, Seen)>>,
    /// Why it can write no more.
    failed: RefCell<Option<eyear::Error>>,
}

impl WordArguments {
    /// Opens the writer, where words are asked for; `inject` is what will be mixed in, `folder` holds the data set. Before
    /// anything is taught, for it may refuse.
    pub fn open<'a>(
        &'a self,
        dataset: &Dataset,
        inject: &[FaultKind],
        folder: Option<&Path>,
        model: &ModelArguments,
    ) -> Result<Option<Words<'a>>> {
        if !self.words {
            return Ok(None);
        }
        let setup = model.setup();
        let options = setup.options()?.on_cpu();
        let writer = Writer::open(&setup.find(&self.writer)?, Precision::Int8, BACKENDS[0], &options)?;
        let language = writer.words().language(&self.language)?.clone();
        let senses = if dataset.is_paired() { vec![Sense::Image, Sense::Sound] } else { vec![dataset.sense()] };
        let folders = if self.kinds.is_empty() { Vec::new() } else { folders(folder, inject)? };
        for Right { folder: name, kinds } in &self.kinds {
            let known: Vec<&String> = senses.iter().flat_map(|sense| kinds_of(&language, *sense)).collect();
            if let Some(wrong) = kinds.iter().find(|kind| !known.contains(kind)) {
                let all = known.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                bail!("--kinds: {} has no kind `{wrong}`; it has {all}", writer.model());
            }
            if !folders.contains(name) {
                bail!("--kinds: no folder of bad samples is named `{name}`; there are {}", folders.join(", "));
            }
        }
        if self.held_out_half && !dataset.test.iter().any(|sample| is_held_out(&sample.path)) {
            bail!("--held-out-half: all samples of `{}` belong to the half that was trained on", dataset.name);
        }
        let tally = RefCell::new(Tally::new(language.clone(), &self.language, writer.model()));
        let (writer, last, failed) = (RefCell::new(writer), RefCell::new(None), RefCell::new(None));
        Ok(Some(Words { asked: self, writer, language, senses, tally, last, failed }))
    }

    /// Leaves in `dataset` what is to be judged.
    pub fn restrict(&self, dataset: &mut Dataset) {
        dataset.test.retain(|sample| !self.held_out_half || is_held_out(&sample.path));
    }
}

/// The kinds of a sense.
fn kinds_of(language: &Language, sense: Sense) -> impl Iterator<Item = &String> {
    language.kind.get(sense.key()).into_iter().flat_map(|kinds| kinds.keys())
}

/// The folders and faults that a data set may be told kinds of, in lower case.
fn folders(folder: Option<&Path>, inject: &[FaultKind]) -> Result<Vec<String>> {
    let mut folders: Vec<String> = match folder {
        Some(folder) => {
            let samples = Dataset::discover(folder)?.into_iter().flat_map(|set| set.test);
            samples.filter(|sample| sample.is_bad).map(|sample| sample.kind.to_lowercase()).collect()
        }
        None => Machine::ALL.iter().flat_map(|machine| machine.flaws()).map(|flaw| flaw.as_str().into()).collect(),
    };
    folders.extend(inject.iter().map(|fault| fault.as_str().to_string()));
    folders.sort();
    folders.dedup();
    Ok(folders)
}

impl Words<'_> {
    /// Whether it has words for what a part tells.
    pub fn check(&self, inspector: &Inspector) -> Result<()> {
        let writer = self.writer.borrow();
        for one in inspector.senses() {
            writer.check(one.sense(), one.encoded_by())?;
        }
        Ok(())
    }

    /// Keeps what was judged, to be written of.
    pub fn keep(&self, sample: &Sample, seen: &Seen) {
        self.last.replace(Some((sample.clone(), seen.clone())));
    }

    /// Writes of what was judged last: apart from judging, so that the time of judging is told alone.
    pub fn write(&self) {
        let Some((sample, seen)) = self.last.take() else { return };
        if self.failed.borrow().is_none()
            && let Err(error) = self.count(&sample, &seen)
        {
            self.failed.replace(Some(error));
        }
    }

    fn count(&self, sample: &Sample, Seen { frame, report, evidence }: &Seen) -> eyear::Result<()> {
        let asked = Asked { language: &self.asked.language, question: None, sampling: Sampling::Greedy, since: None };
        let written = self.writer.borrow_mut().write(report, evidence, &asked, &mut |_| ())?;
        let mask = match (frame, &sample.mask) {
            (Some(frame), Some(path)) => {
                Some(Mask::new(&masks::read(path, &recording::read_ground_truth)?, [frame.width(), frame.height()]))
            }
            _ => None,
        };
        let folder = sample.fault.map_or(sample.kind.as_str(), |fault| fault.kind.as_str());
        let right = self.right(folder);
        let knows = |sense: &&Sense| kinds_of(&self.language, **sense).any(|kind| right.contains(kind));
        let sense = match (sample.fault, &mask) {
            (Some(_), _) => Sense::Sound,
            (None, Some(_)) => Sense::Image,
            // Where no kind is right, none is counted.
            _ => self.senses.iter().find(knows).or(self.senses.first()).copied().unwrap_or(Sense::Image),
        };
        let truth =
            Truth { is_bad: sample.is_bad, row: &sample.kind, folder, sense, right: &right, mask: mask.as_ref() };
        self.tally.borrow_mut().add(report, &written, &truth);
        Ok(())
    }

    /// The kinds that are right for a folder or a fault; none where none is known.
    fn right(&self, folder: &str) -> Vec<String> {
        let folder = folder.to_lowercase();
        if let Some(told) = self.asked.kinds.iter().find(|right| right.folder == folder) {
            return told.kinds.clone();
        }
        let kind = ALSO.iter().find(|(name, _)| *name == folder).map_or(folder.as_str(), |(_, kind)| *kind);
        let is_known = self.senses.iter().any(|sense| kinds_of(&self.language, *sense).any(|own| own == kind));
        is_known.then(|| kind.to_string()).into_iter().collect()
    }

    /// The figures of all that was written of since this was last asked.
    pub fn finish(&self) -> eyear::Result<WordFigures> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let anew = Tally::new(self.language.clone(), &self.asked.language, self.writer.borrow().model());
        self.tally.replace(anew).finish()
    }
}

/// Prints the figures, below those of the verdicts.
pub fn print(out: &mut impl Write, words: &WordFigures) -> Result<()> {
    let rate = |of: &Option<Rate>| super::table::rate(of.as_ref());
    let WordFigures { by, language, reports, invalid, fixed, missed_as: [passed, unjudged], .. } = words;
    writeln!(out, "  words ({language}) by {by}: {reports} reports, {invalid} invalid samples")?;
    if *fixed > 0 {
        writeln!(out, "    {fixed} reports use fixed sentences because the decoder failed")?;
    }
    let lines = [
        ("verdict", &words.verdict, String::new()),
        ("kind, most severe", &words.kind, String::new()),
        ("kind, every one", &words.every_kind, String::new()),
        ("right kind alone", &words.named, String::new()),
        ("defect missed", &words.missed, format!("  {passed} passed, {unjudged} invalid")),
        ("place", &words.place, String::new()),
        ("place or neighbour", &words.place_near, String::new()),
        ("all places", &words.places, String::new()),
        ("count", &words.count, String::new()),
        ("contradicted", &words.contradicted, String::new()),
    ];
    for (name, of, more) in lines.iter().filter(|(_, of, _)| of.is_some()) {
        writeln!(out, "    {name:18} {}{more}", rate(of))?;
    }
    for sentence in &words.contradictions {
        writeln!(out, "      {sentence}")?;
    }
    for (name, of) in &words.per_kind {
        let right = if of.right.is_empty() { "no known kind: see --kinds".into() } else { of.right.join("|") };
        let counts = |of: &Option<Rate>| of.map_or("-".into(), |rate| format!("{} of {}", rate.count, rate.of));
        let [kind, every, named, missed] = [&of.kind, &of.every_kind, &of.named, &of.missed].map(counts);
        let name = shown(name);
        writeln!(out, "    {name:18} ({right})  kind {kind}, every one {every}, alone {named}, missed {missed}")?;
    }
    let wrong = words
        .wrong
        .iter()
        .take(MOST_WRONG)
        .map(|wrong| format!("{}: {} {}", shown(&wrong.folder), wrong.kind, wrong.count));
    let wrong = wrong.collect::<Vec<_>>().join(", ");
    if !wrong.is_empty() {
        writeln!(out, "    wrong kinds        {wrong}")?;
    }
    let speed = words.tokens_per_s.map_or("-".into(), |speed| format!("{speed:.0}"));
    writeln!(out, "    {:.1} ms a report p50, {speed} tokens/s", words.ms)?;
    Ok(())
}
