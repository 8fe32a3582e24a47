//! The form of a recording: a line that says what it is, and one for each session.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::PluginError;

/// Of this format.
const VERSION: u32 = 1;
/// A longer line is no session of ours.
const LONGEST: u64 = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    kedge_recording: u32,
    kedge: String,
}

/// A call of the component, and what it was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedCall {
    pub(crate) call: Value,
    pub(crate) answer: Value,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedSession {
    /// The plugin's name.
    pub(crate) plugin: String,
    /// SHA-256 of the component.
    pub(crate) digest: String,
    /// The function that was called.
    pub(crate) function: String,
    /// Its arguments.
    pub(crate) question: Value,
    pub(crate) calls: Vec<RecordedCall>,
    /// Its answer, or why there was none.
    pub(crate) said: Result<Value, String>,
}

impl RecordedSession {
    pub(super) fn new(function: &str, question: Value) -> Self {
        Self {
            plugin: String::new(),
            digest: String::new(),
            function: function.to_owned(),
            question,
            calls: Vec::new(),
            said: Err("it did not end".to_owned()),
        }
    }
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: Mutex<File>,
}

impl Recorder {
    /// Makes a new file, for its owner alone.
    ///
    /// # Errors
    /// The file is there already, or can't be written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, PluginError> {
        let path = path.into();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|e| failed(&path, e.to_string()))?;
        let recorder = Self { path, file: Mutex::new(file) };
        recorder.line(&Header { kedge_recording: VERSION, kedge: env!("CARGO_PKG_VERSION").to_owned() })?;
        Ok(recorder)
    }

    pub(super) fn keep(&self, session: &RecordedSession) -> Result<(), PluginError> {
        self.line(session)
    }

    fn line(&self, value: &impl Serialize) -> Result<(), PluginError> {
        let mut text = serde_json::to_vec(value).map_err(|e| failed(&self.path, e.to_string()))?;
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&text).map_err(|e| failed(&self.path, e.to_string()))
    }
}

/// What was recorded.
#[derive(Debug, Clone)]
pub struct Recording {
    pub(crate) sessions: Vec<RecordedSession>,
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// It can't be read, or is none; with the line.
    pub fn read(path: &Path) -> Result<Self, PluginError> {
        let file = File::open(path).map_err(|e| failed(path, e.to_string()))?;
        Self::parse(path, BufReader::new(file))
    }

    fn parse(path: &Path, mut input: impl BufRead) -> Result<Self, PluginError> {
        let mut sessions = Vec::new();
        let mut number = 0_u64;
        loop {
            let mut text = Vec::new();
            let read = Read::take(&mut input, LONGEST).read_until(b'\n', &mut text);
            if read.map_err(|e| failed(path, e.to_string()))? == 0 {
                break;
            }
            number += 1;
            let bad = |e: serde_json::Error| failed(path, format!("line {number} is not one of a recording: {e}"));
            if number == 1 {
                let header: Header = serde_json::from_slice(&text).map_err(bad)?;
                if header.kedge_recording != VERSION {
                    let found = header.kedge_recording;
                    return Err(failed(
                        path,
                        format!("it has version {found}, and this kedge reads version {VERSION}"),
                    ));
                }
            } else {
                sessions.push(serde_json::from_slice(&text).map_err(bad)?);
            }
        }
        if number == 0 {
            return Err(failed(path, "it is empty".to_owned()));
        }
        Ok(Self { sessions })
    }

    /// The plugins whose sessions are in it, each once, with their digests.
    pub fn plugins(&self) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for session in &self.sessions {
            // Before it has said its name, a plugin goes by that of its file.
            if session.function != "describe" && !found.iter().any(|(name, _)| *name == session.plugin) {
                found.push((&session.plugin, &session.digest));
            }
        }
        found
    }
}

fn failed(path: &Path, why: String) -> PluginError {
    PluginError::Recording { path: path.to_owned(), why }
}
