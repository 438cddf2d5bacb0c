//! Speaks a text with a program of the system, which reads it from standard input.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// Interval at which a thread checks whether the program has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Longest time to speak a text; a slower program counts as stuck.
const LONGEST: Duration = Duration::from_secs(120);
/// Most bytes of a text that are spoken. A pipe accepts as many at once (POSIX), even if the program does not read.
const TEXT: usize = 4096;

/// A program that speaks.
#[derive(Debug, Clone)]
pub struct Voice {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Voice {
    /// A voice by `program` (a path, or a name in `PATH`) in a language such as `en`. For espeak-ng, options for standard input
    /// and voice precede `arguments`.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is no such program.
    pub fn open(program: &Path, arguments: &[String], language: &str) -> Result<Self> {
        let found = if program.components().count() > 1 {
            program.is_file()
        } else {
            let folders = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&folders).any(|folder| folder.join(program).is_file())
        };
        if !found {
            let program = program.display();
            let what = format!("speech program `{program}` not found: install it (Debian: espeak-ng)");
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        let own = match program.file_name().and_then(|name| name.to_str()) {
            Some("espeak-ng" | "espeak") => vec!["--stdin", "-v", voice(language)],
            _ => Vec::new(),
        };
        let arguments = own.into_iter().map(str::to_string).chain(arguments.iter().cloned()).collect();
        Ok(Self { program: program.into(), arguments })
    }

    /// Speaks a text and waits for the end; `false` if it was `stopped`.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the program cannot be started, ends badly, or does not end.
    pub fn speak(&self, text: &str, stopped: &dyn Fn() -> bool) -> Result<bool> {
        if stopped() {
            return Ok(false);
        }
        let name = self.program.display();
        let mut command = Command::new(&self.program);
        // Its output must not mix with ours.
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        let child =
            child.map_err(|error| Error::caused(ErrorKind::Unavailable, format!("cannot start {name}"), error))?;
        let mut child = Ended(child);
        if let Some(mut input) = child.0.stdin.take() {
            let end = (0..=text.len().min(TEXT)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            // If the program does not read, its exit status says why.
            let _unread = input.write_all(&text.as_bytes()[..end]);
        }
        let start = Instant::now();
        loop {
            let status = child.0.try_wait();
            let status =
                status.map_err(|error| Error::caused(ErrorKind::Unavailable, format!("lost {name}"), error))?;
            match status {
                Some(status) if status.success() => return Ok(true),
                Some(status) => {
                    let call = [&[name.to_string()], &self.arguments[..]].concat().join(" ");
                    let what = format!("{name} ended with {status}; try `echo hello | {call}`");
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
                None if stopped() => return Ok(false),
                None if start.elapsed() > LONGEST => {
                    let what = format!("{name} was stopped after {} s without finishing", LONGEST.as_secs());
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
                None => thread::sleep(LOOK),
            }
        }
    }
}

/// A child process that is killed when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// The espeak-ng voice of a language.
fn voice(language: &str) -> &str {
    match language {
        "zh" => "cmn",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn shell(script: &str) -> Voice {
        Voice::open(Path::new("sh"), &["-c".into(), script.into()], "en").unwrap()
    }

    #[test]
    fn the_program_is_told_the_voice_and_gets_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let heard = dir.path().join("heard");
        assert!(shell(&format!("cat > '{}'", heard.display())).speak("不合格", &|| false).unwrap());
        assert_eq!(std::fs::read_to_string(&heard).unwrap(), "不合格");
        // More than a pipe holds, of which the program reads nothing.
        assert!(shell("true").speak(&"ü".repeat(100_000), &|| false).unwrap());
        let own = dir.path().join("espeak-ng");
        std::fs::write(&own, b"").unwrap();
        let voice = Voice::open(&own, &["-s".into(), "120".into()], "zh").unwrap();
        assert_eq!(voice.arguments, ["--stdin", "-v", "cmn", "-s", "120"]);
    }

    #[test]
    fn what_does_not_speak_is_told_and_what_does_not_end_is_ended() {
        let error = shell("exit 3").speak("fail", &|| false).unwrap_err();
        assert!(
            error.message().contains("sh ended with exit status: 3; try `echo hello | sh -c"),
            "{}",
            error.message()
        );
        let looks = Cell::new(0);
        let start = Instant::now();
        let stopped = || {
            looks.set(looks.get() + 1);
            looks.get() > 3
        };
        assert!(!shell("exec sleep 60").speak("fail", &stopped).unwrap());
        assert!(start.elapsed() < Duration::from_secs(10));
        for program in ["no-such-program", "./no-such-program"] {
            let error = Voice::open(Path::new(program), &[], "en").unwrap_err();
            assert!(
                error.message().starts_with(&format!("speech program `{program}` not found")),
                "{}",
                error.message()
            );
        }
    }
}
