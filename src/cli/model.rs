//! `eyear model`: lists packages and checks their digests. Models that are not packages are left to `model_check`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use eyear::decode::Words;
use eyear::package::manifest::Manifest;
use serde::Serialize;

use super::table::Printed;
use super::{Outcome, complain, model_check};

/// List model packages, verify their files, or import a model of your own
#[derive(Args)]
#[command(after_help = "Examples:
  eyear model list
  eyear model verify
  eyear model check net.onnx")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List every package with its licence
    List {
        /// Print one JSON object a package
        #[arg(long)]
        json: bool,
    },
    /// Check every file against its sha256
    Verify {
        /// Packages: names or folders [default: all]
        #[arg(value_name = "NAME|DIR")]
        packages: Vec<String>,
    },
    Check(model_check::CheckArguments),
    Import(model_check::ImportArguments),
}

/// A package as a program reads it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    version: &'a str,
    summary: &'a str,
    licence: &'a str,
    origin: &'a str,
    /// What it encodes.
    encodes: Vec<&'static str>,
    /// Languages that it writes, by their codes.
    writes: Vec<String>,
    precisions: Vec<Precision<'a>>,
    /// All files together.
    bytes: u64,
    dir: String,
    digest: &'a str,
}

/// One precision of a package.
#[derive(Serialize)]
struct Precision<'a> {
    name: String,
    file: &'a str,
    bytes: u64,
}

impl<'a> Line<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let bytes = |file: &str| manifest.files().find(|(name, _)| *name == file).map_or(0, |(_, bytes)| bytes);
        let precisions = manifest.variants().map(|variant| {
            let file = variant.file.as_str();
            Precision { name: variant.label(), file, bytes: bytes(file) }
        });
        // `verify` reports unreadable words.
        let words = manifest.language().and_then(|spec| Words::parse(&manifest.load(&spec.tokenizer.words)?, ""));
        let writes = words.map(|words| words.codes().map(ToString::to_string).collect()).unwrap_or_default();
        Self {
            name: &manifest.name,
            version: &manifest.version,
            summary: &manifest.summary,
            licence: &manifest.licence,
            origin: &manifest.origin,
            encodes: manifest.encoders().map(|(sense, _)| sense.samples()).collect(),
            writes,
            precisions: precisions.collect(),
            bytes: manifest.files().map(|(_, bytes)| bytes).sum(),
            dir: manifest.dir().display().to_string(),
            digest: manifest.digest(),
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    match &arguments.command {
        Command::List { json } => list(*json),
        Command::Verify { packages } => verify(packages),
        Command::Check(arguments) => model_check::check(arguments),
        Command::Import(arguments) => model_check::import(arguments),
    }
}

fn list(json: bool) -> Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let packages = all()?;
    let mut outcome = Outcome::Good;
    for (_, package) in packages {
        match package {
            Ok(manifest) if json => writeln!(out, "{}", serde_json::to_string(&Line::of(&manifest))?)?,
            Ok(manifest) => {
                let mut out = Printed(&mut out);
                let Line { name, version, summary, licence, origin, encodes, writes, precisions, bytes, dir, .. } =
                    Line::of(&manifest);
                let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
                let mut sizes = BTreeMap::new();
                precisions.iter().for_each(|p| *sizes.entry(&p.name).or_default() += p.bytes);
                let sizes: Vec<String> =
                    sizes.into_iter().map(|(name, bytes)| format!("{name} {}", megabytes(bytes))).collect();
                writeln!(out, "{name} {version}  {summary}")?;
                for (what, of) in [("encodes", encodes.join(", ")), ("writes ", writes.join(", "))] {
                    if !of.is_empty() {
                        writeln!(out, "  {what}  {of}")?;
                    }
                }
                writeln!(out, "  size     {} ({} with all files)", sizes.join(", "), megabytes(bytes))?;
                writeln!(out, "  licence  {licence}")?;
                writeln!(out, "  origin   {origin}")?;
                writeln!(out, "  folder   {dir}")?;
            }
            Err(error) => {
                complain(&format!("error: {}", error.chain()));
                outcome = Outcome::Incomplete;
            }
        }
    }
    Ok(outcome)
}

fn verify(packages: &[String]) -> Result<Outcome> {
    let mut out = Printed(std::io::stdout().lock());
    let packages: Vec<eyear::Result<Manifest>> = match packages.is_empty() {
        true => all()?.into_iter().map(|(_, package)| package).collect(),
        false => packages.iter().map(|name| Manifest::find(name)).collect(),
    };
    let mut outcome = Outcome::Good;
    for package in packages {
        match package.and_then(|manifest| manifest.verify().map(|()| manifest)) {
            Ok(manifest) => {
                let (name, version, count) = (&manifest.name, &manifest.version, manifest.files().count());
                writeln!(out, "{name} {version}: all {count} files match their sha256")?;
            }
            Err(error) => {
                complain(&format!("error: {}", error.chain()));
                outcome = Outcome::Incomplete;
            }
        }
    }
    Ok(outcome)
}

/// Every package found; an error if there is none.
fn all() -> Result<Vec<(PathBuf, eyear::Result<Manifest>)>> {
    let packages = Manifest::all();
    if packages.is_empty() {
        bail!("no model package found: set EYEAR_MODELS to the folder that holds the packages");
    }
    Ok(packages)
}
