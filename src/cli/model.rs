//! `eyear model`: which packages there are, and whether their files are what they should be.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use eyear::manifest::Manifest;
use serde::Serialize;

use super::Outcome;

/// List model packages, or check their files
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every package with its licence
    List {
        /// One JSON object a package
        #[arg(long)]
        json: bool,
    },
    /// Check every file against its sha256
    Verify {
        /// Packages: names or folders [default: all]
        #[arg(value_name = "NAME|DIR")]
        packages: Vec<String>,
    },
}

/// A package as a program reads it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    version: &'a str,
    summary: &'a str,
    licence: &'a str,
    origin: &'a str,
    precisions: Vec<&'static str>,
    bytes: u64,
    dir: String,
    digest: &'a str,
}

impl<'a> Line<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let encoder = manifest.image_encoder.iter();
        Self {
            name: &manifest.name,
            version: &manifest.version,
            summary: &manifest.summary,
            licence: &manifest.licence,
            origin: &manifest.origin,
            precisions: encoder.flat_map(|e| e.variants.iter().map(|variant| variant.precision.as_str())).collect(),
            bytes: manifest.files().map(|(_, bytes)| bytes).sum(),
            dir: manifest.dir().display().to_string(),
            digest: manifest.digest(),
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut out = std::io::stdout().lock();
    match &arguments.command {
        Command::List { json } => {
            let packages = Manifest::all();
            if packages.is_empty() {
                bail!("no model package here; set EYEAR_MODELS to the folder that holds them");
            }
            let mut outcome = Outcome::Good;
            for (_, package) in packages {
                match package {
                    Ok(manifest) if *json => writeln!(out, "{}", serde_json::to_string(&Line::of(&manifest))?)?,
                    Ok(manifest) => {
                        let Line { name, version, summary, licence, origin, precisions, bytes, dir, .. } =
                            Line::of(&manifest);
                        let megabytes = bytes as f64 / 1e6;
                        writeln!(out, "{name} {version}  {summary}  ({}; {megabytes:.1} MB)", precisions.join(", "))?;
                        writeln!(out, "  licence  {licence}")?;
                        writeln!(out, "  origin   {origin}")?;
                        writeln!(out, "  folder   {dir}")?;
                    }
                    Err(error) => {
                        eprintln!("error: {}", error.chain());
                        outcome = Outcome::Incomplete;
                    }
                }
            }
            Ok(outcome)
        }
        Command::Verify { packages } => {
            let manifests: Vec<Manifest> = match packages.is_empty() {
                true => Manifest::all().into_iter().map(|(_, package)| package).collect::<eyear::Result<_>>()?,
                false => packages.iter().map(|name| Manifest::find(name)).collect::<eyear::Result<_>>()?,
            };
            for manifest in manifests {
                manifest.verify().with_context(|| format!("package {} is not what it was made as", manifest.name))?;
                writeln!(
                    out,
                    "{} {}: all {} files are right",
                    manifest.name,
                    manifest.version,
                    manifest.files().count()
                )?;
            }
            Ok(Outcome::Good)
        }
    }
}
