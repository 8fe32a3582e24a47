//! The audit file: JSON lines in a chain, appended to by one run after the other.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::chain::{Line, Record, START};
use super::{AuditEvent, AuditSink, Summary};
use crate::error::PluginError;
use crate::inspect::digest;

/// The longest line that a run may end with.
const LONGEST: u64 = 1 << 20;

/// Writes events as a chain of JSON lines, see [`Line`]. A run begins when it is opened and ends when it is dropped.
#[derive(Debug)]
pub struct FileAudit {
    path: PathBuf,
    end: Mutex<End>,
    now: fn() -> jiff::Timestamp,
}

/// The end of the chain.
#[derive(Debug)]
struct End {
    file: File,
    lines: u64,
    head: String,
    summary: Summary,
}

impl FileAudit {
    /// Appends to a file, which is made with mode 0600 if it isn't there.
    ///
    /// # Errors
    /// The file can't be written, or does not end as one of ours does.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PluginError> {
        Self::with_clock(path, jiff::Timestamp::now)
    }

    /// The same with another clock.
    ///
    /// # Errors
    /// As [`FileAudit::open`].
    pub fn with_clock(path: impl AsRef<Path>, now: fn() -> jiff::Timestamp) -> Result<Self, PluginError> {
        let path = path.as_ref().to_owned();
        let failed = |source| PluginError::Audit { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        let (lines, head) = last(&mut file).map_err(failed)?;
        let end = End { file, lines, head, summary: Summary::default() };
        let audit = Self { path: path.clone(), end: Mutex::new(end), now };
        audit.write(Record::Begin(env!("CARGO_PKG_VERSION").to_owned())).map_err(failed)?;
        Ok(audit)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self, record: Record) -> std::io::Result<()> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if let Record::Call(event) = &record {
            end.summary.add(event);
        }
        let line = Line { n: end.lines + 1, prev: end.head.clone(), time: (self.now)(), record };
        let mut text = serde_json::to_vec(&line)?;
        let head = digest(&text);
        text.push(b'\n');
        // One write, so that a run that is killed leaves whole lines. On a full disk it may be half of one: that goes again.
        let size = end.file.metadata()?.len();
        if let Err(error) = end.file.write_all(&text) {
            end.file.set_len(size)?;
            return Err(error);
        }
        end.lines += 1;
        end.head = head;
        Ok(())
    }

    fn keep(&self, record: Record) {
        if let Err(error) = self.write(record) {
            tracing::warn!(path = %self.path.display(), %error, "the audit file can't be written");
        }
    }
}

impl AuditSink for FileAudit {
    fn event(&self, event: &AuditEvent) {
        self.keep(Record::Call(Box::new(event.clone())));
    }
}

impl Drop for FileAudit {
    fn drop(&mut self) {
        let summary = self.end.lock().unwrap_or_else(PoisonError::into_inner).summary.clone();
        self.keep(Record::End(summary));
    }
}

/// Number and digest of the last line. A chain that was broken before stays so, and `verify` says where.
fn last(file: &mut File) -> std::io::Result<(u64, String)> {
    let size = file.seek(SeekFrom::End(0))?;
    if size == 0 {
        return Ok((0, START.to_owned()));
    }
    let from = size.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let Some(b'\n') = tail.pop() else { return Err(invalid("its last line is cut off")) };
    let start = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line = tail.get(start..).unwrap_or_default();
    let parsed: Line = serde_json::from_slice(line).map_err(|_| invalid("its last line is no audit record"))?;
    Ok((parsed.n, digest(line)))
}
