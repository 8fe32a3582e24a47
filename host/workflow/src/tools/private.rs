//! Folders for what only a program of others may read: credentials, clones. They end with their guard. A run that was
//! killed can't take its own away: the next one does.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// Locked as long as the run that made the folder lives: the operating system lets go of it, however the run ends.
const LOCK: &str = ".lock";
/// Its name until it is locked, so that nobody takes a folder that is being made for a left-over.
const UNLOCKED: &str = ".lock-to-be";

/// Such a folder.
#[derive(Debug)]
pub(crate) struct Private {
    folder: TempDir,
    _lock: File,
}

impl Private {
    /// Makes one for `what`, and removes those of runs that are no more.
    pub(crate) fn new(what: &str) -> io::Result<Self> {
        Self::below(&std::env::temp_dir(), what)
    }

    fn below(root: &Path, what: &str) -> io::Result<Self> {
        let prefix = format!("kedge-{what}-");
        sweep(root, &prefix);
        let folder = TempDir::with_prefix_in(&prefix, root)?;
        let lock = File::create(folder.path().join(UNLOCKED))?;
        lock.lock()?;
        std::fs::rename(folder.path().join(UNLOCKED), folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What can't be looked at or removed is somebody else's, and stays.
fn sweep(root: &Path, prefix: &str) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::options().write(true).open(path.join(LOCK)) else { continue };
        match lock.try_lock() {
            Ok(()) => match std::fs::remove_dir_all(&path) {
                Ok(()) => tracing::info!(folder = %path.display(), "what a killed run left is removed"),
                Err(error) => tracing::debug!(folder = %path.display(), %error, "what a killed run left stays"),
            },
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed_by_the_next_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let made = |name: &str, lock: bool| {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("registry.json"), "secret").unwrap();
            if lock {
                std::fs::write(folder.join(LOCK), "").unwrap();
            }
            folder
        };
        let (killed, strange, other) =
            (made("kedge-helm-a", true), made("kedge-helm-b", false), made("kedge-git-a", true));
        let alive = Private::below(root.path(), "helm").unwrap();
        assert!(!killed.exists());
        assert!(strange.exists() && other.exists());
        let second = Private::below(root.path(), "helm").unwrap();
        assert!(alive.path().exists() && alive.path() != second.path());
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }
}
