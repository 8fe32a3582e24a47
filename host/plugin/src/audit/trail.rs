//! The audit of one command, from its first plugin on: kept in memory until there is a file for it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::{AuditEvent, AuditSink, FileAudit, Summary};
use crate::error::PluginError;

/// Events that are kept while there is no file. A command that has none by then drops the oldest.
const MOST: usize = 10_000;

/// Takes events from the start of a command, and passes them on to its files as soon as those are known.
#[derive(Debug, Default)]
pub struct Trail(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<AuditEvent>,
    files: Vec<FileAudit>,
    summary: Summary,
}

impl Trail {
    /// Writes to a file from now on, and what happened so far first. A file that is written to already stays so. Returns
    /// what the user should be told about it, if there is something.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_to(&self, path: &Path) -> Result<Option<String>, PluginError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.files.iter().any(|f| f.path() == path) {
            return Ok(None);
        }
        let file = FileAudit::open(path)?;
        for event in &inner.waiting {
            file.event(event);
        }
        let notice = file.notice();
        inner.files.push(file);
        Ok(notice)
    }

    /// What the calls came to so far.
    pub fn summary(&self) -> Summary {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).summary.clone()
    }
}

impl AuditSink for Trail {
    fn event(&self, event: &AuditEvent) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.summary.add(event);
        for file in &inner.files {
            file.event(event);
        }
        // A second file gets the whole of it too.
        if inner.waiting.len() == MOST {
            inner.waiting.pop_front();
        }
        inner.waiting.push_back(event.clone());
    }
}
