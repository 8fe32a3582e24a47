//! Who did what: one record for each call that a component makes into the host.

mod chain;
mod file;
mod summary;
mod trail;

use serde::{Deserialize, Serialize};

use crate::error::PluginError;
use crate::log_line;

pub use chain::{AuditFault, Line, Record, Verified, read, verify};
pub use file::FileAudit;
pub use summary::Summary;
pub use trail::Trail;

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
    /// On what: `api POST /session`, a secret's name, a log level.
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
    /// SHA-256 of what came from the component (a request with its references to secrets), if there was something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// SHA-256 of what it was given (secrets masked), if that was content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

impl AuditEvent {
    /// What the host did by itself about a plugin: loaded it or not, ended a session.
    pub(crate) fn of_host(
        plugin: &str,
        digest: &str,
        during: &str,
        function: &str,
        error: Option<&PluginError>,
    ) -> Self {
        Self {
            seq: 0,
            plugin: plugin.to_owned(),
            digest: digest.to_owned(),
            during: during.to_owned(),
            interface: "host".to_owned(),
            function: function.to_owned(),
            target: error.and_then(PluginError::limit).unwrap_or_default().to_owned(),
            decision: error.map_or(Decision::Allowed, |e| Decision::Refused(log_line::clean(&e.to_string()))),
            result: error.map_or(CallResult::Ok, |e| CallResult::Error(log_line::clean(&e.to_string()))),
            secrets: Vec::new(),
            bytes_out: 0,
            bytes_in: 0,
            duration_us: 0,
            payload: None,
            reply: None,
        }
    }
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
