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
    torn: bool,
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
    /// The file can't be written, or does not end as one of ours does. A last line that was not written to its end is no
    /// reason to stop: it is kept, and a record says so.
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
        let Last { mut lines, head, fragment } = last(&mut file).map_err(failed)?;
        if !fragment.is_empty() {
            file.write_all(b"\n").map_err(failed)?;
            lines += 1;
        }
        let end = End { file, lines, head, summary: Summary::default() };
        let torn = !fragment.is_empty();
        let audit = Self { path: path.clone(), end: Mutex::new(end), now, torn };
        if torn {
            tracing::warn!(path = %audit.path.display(), bytes = fragment.len(), "the audit's last line was cut off");
            let record = Record::Torn { bytes: fragment.len() as u64, sha256: digest(&fragment) };
            audit.write(record).map_err(failed)?;
        }
        audit.write(Record::Begin(env!("CARGO_PKG_VERSION").to_owned())).map_err(failed)?;
        Ok(audit)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What whoever runs the command should be told about the file.
    pub fn notice(&self) -> Option<String> {
        self.torn.then(|| {
            format!(
                "the last line of the audit `{}` was cut off, as when a machine goes down: it is kept, and a record after it says so",
                self.path.display()
            )
        })
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

/// How a file ends.
struct Last {
    lines: u64,
    head: String,
    /// What stands behind the last whole line.
    fragment: Vec<u8>,
}

/// The last whole line, and what stands behind it. A chain that was broken before stays so, and `verify` says where.
fn last(file: &mut File) -> std::io::Result<Last> {
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let size = file.seek(SeekFrom::End(0))?;
    let from = size.saturating_sub(2 * LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    if whole == 0 && from > 0 {
        return Err(invalid("its last line is too long for one of an audit"));
    }
    let mut fragment = tail.split_off(whole);
    // Whatever else is missing: with its end, it is a whole line.
    if let Ok(line) = serde_json::from_slice::<Line>(&fragment) {
        let head = digest(&fragment);
        file.write_all(b"\n")?;
        return Ok(Last { lines: line.n, head, fragment: Vec::new() });
    }
    if tail.pop().is_none() {
        return Ok(Last { lines: 0, head: START.to_owned(), fragment: std::mem::take(&mut fragment) });
    }
    let start = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line = tail.get(start..).unwrap_or_default();
    let parsed: Line = serde_json::from_slice(line).map_err(|_| invalid("its last line is no audit record"))?;
    Ok(Last { lines: parsed.n, head: digest(line), fragment })
}
