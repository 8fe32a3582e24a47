//! What a move has done, written down before and after it is done: one JSON line each, on disk before the next step.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::object::ObjectId;

const FILE: &str = "journal.jsonl";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(super) enum Entry {
    /// A move begins. Nothing is changed yet.
    Begin { operation: String, namespace: String, cluster: Option<String>, from: String, to: String },
    /// The source is about to be paused.
    Pausing,
    /// All controllers of the source have seen the pause.
    Paused,
    /// A group is on the target.
    Created { group: usize, objects: usize },
    /// All is on the target as it was on the source. From here on the target is the truth; what is deleted, and on which
    /// condition, stands here, because the source can't be asked for it once deleting has begun.
    Committing { objects: Vec<Moved> },
    /// The target's controllers work.
    Committed,
    /// All is done.
    Done,
    /// Undone before it was committed.
    RolledBack,
}

/// One object that was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved {
    /// Which.
    pub(super) id: ObjectId,
    /// Its uid on the source.
    pub(super) from: String,
    /// Its uid on the target.
    pub(super) to: String,
    /// The group in which it was made.
    pub(super) group: usize,
    /// Whether it is deleted from the source.
    pub(super) delete: bool,
    /// Whether it can be deleted without a word before.
    #[serde(default)]
    pub(super) plain: bool,
}

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Phase {
    #[default]
    New,
    /// Begun, perhaps paused, perhaps partly created. All of it can be done again, and undone.
    Moving,
    Committing(Vec<Moved>),
    Committed(Vec<Moved>),
    Done,
}

/// The journal of one cluster's move.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    pub(super) operation: Option<String>,
    pub(super) phase: Phase,
    /// Whether the source may have been paused by this move.
    pub(super) pausing: bool,
}

impl Journal {
    /// Opens or begins the journal in a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        make_folder(folder)?;
        let path = folder.join(FILE);
        let disk = |done: &'static str| {
            let path = path.display().to_string();
            move |source| Error::Disk { path, done, source }
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(&path).map_err(disk("opened"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::pivot(
                    format!("another run works on the move whose journal is `{}`", path.display()),
                    "wait until it is done, or stop it, then run the same command again",
                ));
            }
            Err(TryLockError::Error(source)) => return Err(disk("locked")(source)),
        }
        let text = fs::read_to_string(&path).map_err(disk("read"))?;
        let mut journal = Self {
            path: path.clone(),
            file: file.try_clone().map_err(disk("opened"))?,
            operation: None,
            phase: Phase::New,
            pausing: false,
        };
        // A line without its end was never finished, and what it announces was never begun.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        for (number, line) in text.get(..whole).unwrap_or_default().lines().enumerate() {
            let entry: Entry = serde_json::from_str(line).map_err(|_| {
                Error::pivot(
                    format!("line {} of `{}` is not one of this journal's", number + 1, path.display()),
                    "put the journal back as it was, or move the folder away if no move was begun",
                )
            })?;
            journal.learn(entry);
        }
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).map_err(disk("written"))?;
        file.seek(SeekFrom::End(0)).map_err(disk("written"))?;
        journal.file = file;
        Ok(journal)
    }

    /// Writes a line and has it on disk before it returns.
    pub(super) fn write(&mut self, entry: Entry) -> Result<(), Error> {
        let disk = |source| Error::Disk { path: self.path.display().to_string(), done: "written", source };
        let mut line = serde_json::to_vec(&entry).map_err(|e| disk(e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(disk)?;
        self.file.sync_data().map_err(disk)?;
        self.learn(entry);
        Ok(())
    }

    fn learn(&mut self, entry: Entry) {
        match entry {
            Entry::Begin { operation, .. } => {
                self.operation = Some(operation);
                self.phase = Phase::Moving;
                self.pausing = false;
            }
            Entry::Pausing => self.pausing = true,
            Entry::Paused | Entry::Created { .. } => {}
            Entry::Committing { objects } => self.phase = Phase::Committing(objects),
            Entry::Committed => {
                if let Phase::Committing(objects) = std::mem::take(&mut self.phase) {
                    self.phase = Phase::Committed(objects);
                }
            }
            Entry::Done => self.phase = Phase::Done,
            Entry::RolledBack => {
                self.operation = None;
                self.phase = Phase::New;
                self.pausing = false;
            }
        }
    }
}

/// Makes a folder that only its owner can look into.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    let disk = |source| Error::Disk { path: folder.display().to_string(), done: "made", source };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(disk)
}

/// Only the owner can read it.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> Entry {
        Entry::Begin {
            operation: "op".into(),
            namespace: "n".into(),
            cluster: Some("c".into()),
            from: "a".into(),
            to: "b".into(),
        }
    }

    #[test]
    fn what_was_written_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.phase, Phase::New);
        journal.write(begin()).unwrap();
        journal.write(Entry::Pausing).unwrap();
        let moved = Moved {
            id: ObjectId::namespaced(crate::kinds::SECRET, "n", "s"),
            from: "1".into(),
            to: "2".into(),
            group: 0,
            delete: true,
            plain: true,
        };
        journal.write(Entry::Committing { objects: vec![moved.clone()] }).unwrap();
        let busy = Journal::open(folder.path()).err().unwrap();
        assert!(busy.to_string().contains("another run works on the move"), "{busy}");
        drop(journal);
        let again = Journal::open(folder.path()).unwrap();
        assert_eq!((again.operation.as_deref(), again.pausing), (Some("op"), true));
        assert_eq!(again.phase, Phase::Committing(vec![moved]));
    }

    #[test]
    fn a_line_that_was_cut_off_never_happened() {
        let folder = tempfile::tempdir().unwrap();
        Journal::open(folder.path()).unwrap().write(begin()).unwrap();
        let path = folder.path().join(FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"phase\":\"commit").unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.phase, Phase::Moving);
        journal.write(Entry::Pausing).unwrap();
        drop(journal);
        assert!(Journal::open(folder.path()).unwrap().pausing);
    }

    #[test]
    fn a_foreign_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{\"phase\":\"lunch\"}\n").unwrap();
        assert!(Journal::open(folder.path()).err().unwrap().to_string().contains("line 1"));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("move");
        Journal::open(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(folder.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
