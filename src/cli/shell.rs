//! `eyear completions` and `eyear man`: shell completions and manual pages, generated from the command line's definition.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;

use super::Outcome;
use super::table::shown;

/// Write completions for a shell to standard output
#[derive(Args)]
#[command(after_help = "Examples:
  eyear completions bash > ~/.local/share/bash-completion/completions/eyear
  eyear completions fish > ~/.config/fish/completions/eyear.fish")]
pub struct CompletionArguments {
    /// The shell
    shell: Shell,
}

/// Write a manual page for each command to a folder
#[derive(Args)]
#[command(after_help = "Examples:
  eyear man ~/.local/share/man/man1")]
pub struct ManArguments {
    /// Folder for eyear.1, eyear-teach.1 and so on
    dir: PathBuf,
}

/// Writes completions for a shell.
pub fn completions(arguments: &CompletionArguments, command: &mut Command) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "eyear", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Good)
}

/// Writes manual pages to a folder.
pub fn man(arguments: &ManArguments, command: Command) -> Result<Outcome> {
    let dir = &arguments.dir;
    let failed = || format!("cannot write manual pages to {}", dir.display());
    std::fs::create_dir_all(dir).with_context(failed)?;
    clap_mangen::generate_to(command, dir).with_context(failed)?;
    writeln!(std::io::stdout(), "manual pages in {}", shown(&dir.display().to_string()))?;
    Ok(Outcome::Good)
}
