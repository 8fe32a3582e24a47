//! The chain of an audit file: each line holds the SHA-256 of the line before it, so that no line can be changed, left out
//! or put in without everything after it saying so.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{AuditEvent, Summary};
use crate::inspect::digest;

/// What stands before the first line.
pub(crate) const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// A longer line is none of ours.
const LONGEST: u64 = 1 << 20;

/// One line of an audit file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Counts from 1 in one file.
    pub n: u64,
    /// SHA-256 of the line before, without its line end.
    pub prev: String,
    /// When it was written.
    pub time: jiff::Timestamp,
    /// What it is about.
    #[serde(flatten)]
    pub record: Record,
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A run of kedge began; its version.
    Begin(String),
    /// A call of a component into the host.
    Call(Box<AuditEvent>),
    /// The run ended.
    End(Summary),
    /// The line before is a part of one: the machine went down while it was written. It stays, and this record holds on
    /// to it in the chain's place.
    Torn {
        /// Bytes of it.
        bytes: u64,
        /// SHA-256 of them.
        sha256: String,
    },
}

/// Why an audit file can't be relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFault {
    /// It can't be read.
    #[error("the audit file `{}` can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line is no record.
    #[error("{}:{line}: {why}", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The chain is broken: something before this line was changed, left out or put in.
    #[error("{}:{line}: the chain is broken: {why}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// How.
        why: String,
    },
}

/// What a whole chain says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Lines.
    pub lines: u64,
    /// Runs that began.
    pub runs: u64,
    /// Runs that have no end: they were killed, or lines at the end of the file are missing.
    pub unended: u64,
    /// Lines of which there is only a part, each vouched for by the line after it.
    pub torn: u64,
    /// SHA-256 of the last line. Kept elsewhere, it proves that nothing was cut off the end.
    pub head: String,
    /// All calls of all runs.
    pub summary: Summary,
}

/// Reads an audit file line by line and checks its chain.
///
/// # Errors
/// The first fault, with its line.
pub fn read(path: &Path, mut each: impl FnMut(Line)) -> Result<Verified, AuditFault> {
    let unreadable = |source| AuditFault::Unreadable { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut verified =
        Verified { lines: 0, runs: 0, unended: 0, torn: 0, head: START.to_owned(), summary: Summary::default() };
    let mut running = false;
    // A line that is none, until the next one says what to make of it.
    let mut fragment: Option<(u64, String, Vec<u8>)> = None;
    loop {
        let mut text = Vec::new();
        let limit = std::io::Read::take(&mut file, LONGEST).read_until(b'\n', &mut text).map_err(unreadable)?;
        if limit == 0 {
            break;
        }
        verified.lines += 1;
        let number = verified.lines;
        let bad = |why: String| AuditFault::NotARecord { path: path.to_owned(), line: number, why };
        let broken = |why: String| AuditFault::Broken { path: path.to_owned(), line: number, why };
        if text.pop() != Some(b'\n') {
            return Err(bad("the line is cut off".to_owned()));
        }
        let line: Line = match serde_json::from_slice(&text) {
            Ok(line) => line,
            Err(error) if fragment.is_none() => {
                fragment = Some((number, format!("it is no record: {error}"), text));
                continue;
            }
            Err(error) => return Err(bad(format!("it is no record: {error}"))),
        };
        let torn = match &line.record {
            Record::Torn { bytes, sha256 } => Some((*bytes, sha256)),
            _ => None,
        };
        match (fragment.take(), torn) {
            (None, None) => {}
            (Some((_, _, text)), Some((bytes, sha256))) if text.len() as u64 == bytes && digest(&text) == *sha256 => {
                verified.torn += 1;
            }
            (Some((line, why, _)), _) => {
                return Err(AuditFault::NotARecord { path: path.to_owned(), line, why });
            }
            (None, Some(_)) => return Err(broken("the part of a line that it speaks of is gone".to_owned())),
        }
        if line.prev != verified.head {
            return Err(broken("it does not continue the line before it".to_owned()));
        }
        if line.n != number {
            return Err(broken(format!("it says that it is line {}", line.n)));
        }
        match &line.record {
            Record::Begin(_) => {
                verified.unended += u64::from(running);
                verified.runs += 1;
                running = true;
            }
            Record::Call(event) => verified.summary.add(event),
            Record::End(_) => running = false,
            Record::Torn { .. } => {}
        }
        verified.head = digest(&text);
        each(line);
    }
    if let Some((line, why, _)) = fragment {
        return Err(AuditFault::NotARecord { path: path.to_owned(), line, why });
    }
    verified.unended += u64::from(running);
    Ok(verified)
}

/// Checks the chain of an audit file.
///
/// # Errors
/// The first fault, with its line.
pub fn verify(path: &Path) -> Result<Verified, AuditFault> {
    read(path, drop)
}
