//! Figures of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AuditEvent, CallResult, Decision};

/// What the calls of a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All calls.
    pub calls: u64,
    /// Those that were not let through.
    pub refused: u64,
    /// Those that were, and ended with an error.
    pub failed: u64,
    /// Bytes that came from components.
    pub bytes_out: u64,
    /// Bytes that they were given.
    pub bytes_in: u64,
    /// Microseconds spent in the host.
    pub duration_us: u64,
    /// Calls by `interface.function`.
    pub by_function: BTreeMap<String, u64>,
}

impl Summary {
    pub(crate) fn add(&mut self, event: &AuditEvent) {
        self.calls += 1;
        match (&event.decision, &event.result) {
            (Decision::Refused(_), _) => self.refused += 1,
            (Decision::Allowed, CallResult::Error(_)) => self.failed += 1,
            (Decision::Allowed, _) => {}
        }
        self.bytes_out += event.bytes_out;
        self.bytes_in += event.bytes_in;
        self.duration_us += event.duration_us;
        *self.by_function.entry(format!("{}.{}", event.interface, event.function)).or_default() += 1;
    }
}
