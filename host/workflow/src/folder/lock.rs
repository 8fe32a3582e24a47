//! One run at a time on one cluster. The operating system holds the lock and lets go of it when the process ends,
//! however it ends; the file only says who has it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};

use cap_std::fs::OpenOptions;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Folder, FolderError, OWN};

pub(super) const FILE: &str = ".kedge/run.lock";

/// A run, as another run sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// What it does: `create cluster`.
    pub command: String,
    /// Since when.
    pub since: Timestamp,
}

impl Holder {
    /// This process.
    pub fn this(command: &str, since: Timestamp) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|h| h.trim().to_owned());
        let host = host.filter(|h| !h.is_empty()).unwrap_or_else(|| "this machine".to_owned());
        Self { pid: std::process::id(), host, command: command.to_owned(), since }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`, process {} on {}, since {}", self.command, self.pid, self.host, self.since)
    }
}

/// The folder is this run's, until this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    stale: Option<Holder>,
}

impl Lock {
    /// The run that held the lock before and died without letting go, if that is how it was.
    pub fn stale(&self) -> Option<&Holder> {
        self.stale.as_ref()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file says that the run ended by itself.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

pub(super) fn take(folder: &Folder, holder: &Holder) -> Result<Lock, FolderError> {
    folder.make_dir(OWN)?;
    let failed = |source| folder.failed("lock", FILE, source);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let mut file = folder.dir().open_with(FILE, &options).map_err(failed)?.into_std();
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let unknown =
                Holder { pid: 0, host: "another machine".into(), command: "unknown".into(), since: holder.since };
            let holder = Box::new(read(&mut file).unwrap_or(unknown));
            return Err(FolderError::InUse { cluster: folder.name().to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let stale = read(&mut file);
    let text = serde_json::to_string(holder).unwrap_or_default();
    let written = (|| {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    })();
    written.map_err(failed)?;
    Ok(Lock { file, stale })
}

/// Who holds the lock now. Looking does not take it from anybody.
pub(super) fn holder(folder: &Folder) -> Option<Holder> {
    let mut file = folder.dir().open(FILE).ok()?.into_std();
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read(&mut file),
        _ => None,
    }
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
