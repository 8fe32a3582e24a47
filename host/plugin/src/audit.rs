//! Who did what: one record for each call that a component makes into the host.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::PluginError;

/// Whether a call was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It was.
    Allowed,
    /// It was not, and why.
    Refused(String),
}

/// How an allowed call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallResult {
    /// As it should.
    Ok,
    /// With this HTTP status.
    Status(u16),
    /// With an error, in words.
    Error(String),
}

/// One call of a component into the host. Never holds a secret's value, a body or a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Counts from 1 in one session.
    pub seq: u64,
    /// The plugin's name.
    pub plugin: String,
    /// SHA-256 of the component, hexadecimal.
    pub digest: String,
    /// The exported function that is running, for example `preflight.run`.
    pub during: String,
    /// The imported interface, for example `endpoints`.
    pub interface: String,
    /// Its function, for example `send`.
    pub function: String,
    /// On what: `vcenter POST /sdk`, a secret's name, a log level.
    pub target: String,
    /// Let through or not.
    pub decision: Decision,
    /// How it ended.
    pub result: CallResult,
    /// Names of the secrets that the host put in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Bytes that came from the component.
    pub bytes_out: u64,
    /// Bytes that it was given.
    pub bytes_in: u64,
    /// Microseconds.
    pub duration_us: u64,
}

/// Where audit events go.
pub trait AuditSink: Send + Sync {
    /// Takes one event. Must not block for long; can't fail, so that auditing never changes what happens.
    fn event(&self, event: &AuditEvent);

    /// False if events would be thrown away: they are then not made.
    fn enabled(&self) -> bool {
        true
    }
}

/// Throws events away.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAudit;

impl AuditSink for NoAudit {
    fn event(&self, _: &AuditEvent) {}

    fn enabled(&self) -> bool {
        false
    }
}

/// Writes events as JSON lines, each with `time` (RFC 3339) in front.
#[derive(Debug)]
pub struct FileAudit {
    path: PathBuf,
    file: Mutex<File>,
    now: fn() -> jiff::Timestamp,
}

#[derive(Serialize)]
struct Line<'a> {
    time: jiff::Timestamp,
    #[serde(flatten)]
    event: &'a AuditEvent,
}

impl FileAudit {
    /// Appends to a file, which is made with mode 0600 if it isn't there.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PluginError> {
        Self::with_clock(path, jiff::Timestamp::now)
    }

    /// The same with another clock.
    pub fn with_clock(path: impl AsRef<Path>, now: fn() -> jiff::Timestamp) -> Result<Self, PluginError> {
        let path = path.as_ref().to_owned();
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => Ok(Self { path, file: Mutex::new(file), now }),
            Err(source) => Err(PluginError::Audit { path, source }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AuditSink for FileAudit {
    fn event(&self, event: &AuditEvent) {
        let line = Line { time: (self.now)(), event };
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write per line, so that lines of several processes don't mix.
        if let Err(error) = file.write_all(&text) {
            tracing::warn!(path = %self.path.display(), %error, "the audit file can't be written");
        }
    }
}
