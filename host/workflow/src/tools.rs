//! Programs of others that this one needs: found in PATH, run with bounds, heard to the end.

mod private;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::interrupt::Interrupt;
use crate::options::Options;

pub(crate) use private::Private;

/// The most that is kept of what a program says, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// How much of its last words goes into a message, in bytes.
const LAST_WORDS: usize = 1500;

/// Why a program was of no use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ToolError {
    /// It is not there.
    #[error("`{name}` is needed and not in PATH: it {purpose}")]
    Missing {
        /// Its name.
        name: String,
        /// What it is for.
        purpose: String,
    },
    /// It can't be run at all.
    #[error("`{}` can't be run", program.display())]
    Start {
        /// Its file.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("`{command}` failed ({status}): {said}")]
    Failed {
        /// Its name and what it was to do.
        command: String,
        /// How it ended.
        status: String,
        /// Its last words.
        said: String,
    },
    /// It did not end.
    #[error("`{command}` did not end within {} s", bound.as_secs())]
    TooLong {
        /// Its name and what it was to do.
        command: String,
        /// The bound.
        bound: Duration,
    },
    /// It said something that is not text.
    #[error("`{command}` said something that is not UTF-8 text")]
    NotText {
        /// Its name and what it was to do.
        command: String,
    },
    /// The run was asked to stop.
    #[error("interrupted while `{command}` was running")]
    Interrupted {
        /// Its name and what it was to do.
        command: String,
    },
}

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    name: &'static str,
    program: PathBuf,
}

/// One run of a program.
#[derive(Debug, Default)]
pub(crate) struct Call<'a> {
    /// Arguments.
    pub(crate) arguments: Vec<String>,
    /// Variables besides those that this program has itself.
    pub(crate) environment: BTreeMap<String, String>,
    /// What it reads on its standard input.
    pub(crate) input: &'a str,
    /// Where it runs.
    pub(crate) folder: Option<&'a Path>,
}

impl Tool {
    /// Looks for a program in the PATH of the options' environment. `purpose` says what it does for the user, for the
    /// message that it is missing.
    pub(crate) fn find(options: &Options, name: &'static str, purpose: &str) -> Result<Self, ToolError> {
        let path = (options.environment)("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file));
        match found {
            Some(program) => Ok(Self { name, program }),
            None => Err(ToolError::Missing { name: name.to_owned(), purpose: purpose.to_owned() }),
        }
    }

    /// Runs it to its end and hands out what it wrote to its standard output. `doing` names the run in messages, which
    /// never hold its arguments: there may be a password among them.
    pub(crate) async fn run(
        &self,
        doing: &str,
        call: Call<'_>,
        bound: Duration,
        interrupt: &Interrupt,
    ) -> Result<String, ToolError> {
        let command = format!("{} {doing}", self.name);
        let run = tokio::time::timeout(bound, self.to_its_end(&command, call));
        match interrupt.unless_asked(run).await {
            None => Err(ToolError::Interrupted { command }),
            Some(Err(_)) => Err(ToolError::TooLong { command, bound }),
            Some(Ok(ended)) => ended,
        }
    }

    async fn to_its_end(&self, command: &str, call: Call<'_>) -> Result<String, ToolError> {
        tracing::debug!(command, program = %self.program.display(), "running");
        let started = |source| ToolError::Start { program: self.program.clone(), source };
        let mut prepared = Command::new(&self.program);
        prepared
            .args(&call.arguments)
            .envs(&call.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(folder) = call.folder {
            prepared.current_dir(folder);
        }
        let mut child = prepared.spawn().map_err(started)?;
        let (mut input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(input) = &mut input {
                // A program that does not want to hear all of it says why itself.
                let _ = input.write_all(call.input.as_bytes()).await;
            }
            drop(input);
        };
        let (ended, (), output, errors) =
            futures::future::join4(child.wait(), feed, all_of(output), all_of(errors)).await;
        let status = ended.map_err(started)?;
        if !status.success() {
            let said = last_words(&errors, &output);
            return Err(ToolError::Failed { command: command.to_owned(), status: status.to_string(), said });
        }
        String::from_utf8(output).map_err(|_| ToolError::NotText { command: command.to_owned() })
    }
}

impl ToolError {
    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing { name, .. } => {
                format!("install `{name}` and see that it is in PATH, then run the same command again")
            }
            Self::Start { program, .. } => format!("check that `{}` is a program for this machine", program.display()),
            Self::Failed { .. } | Self::NotText { .. } => {
                "see what it says; then run the same command again".to_owned()
            }
            Self::TooLong { .. } => "check the network and the proxy, then run the same command again".to_owned(),
            Self::Interrupted { .. } => "run the same command again".to_owned(),
        }
    }
}

async fn all_of(source: Option<impl tokio::io::AsyncRead + Unpin>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(source) = source {
        let _ = source.take(LARGEST).read_to_end(&mut all).await;
    }
    all
}

/// The end of what a program said, on one line.
fn last_words(errors: &[u8], output: &[u8]) -> String {
    let errors = String::from_utf8_lossy(errors);
    let output = String::from_utf8_lossy(output);
    let said = if errors.trim().is_empty() { output.trim() } else { errors.trim() };
    let from = said.char_indices().rev().take(LAST_WORDS).last().map_or(0, |(at, _)| at);
    let words: Vec<&str> = said.get(from..).unwrap_or_default().split_whitespace().collect();
    if words.is_empty() { "it does not say why".to_owned() } else { words.join(" ") }
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests;
