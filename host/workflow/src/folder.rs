//! The cluster's folder `NAME/`. Everything a run writes is in it, and nothing outside it can be reached through it.

mod lock;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use kedge_bootstrap::Identity;
use thiserror::Error;

pub use lock::{Holder, Lock};

use crate::keys;

/// What this program keeps for itself.
pub const OWN: &str = ".kedge";
/// The journal.
pub const JOURNAL: &str = ".kedge/journal.jsonl";
/// What plugins asked for, one line a call.
pub const AUDIT: &str = ".kedge/audit.jsonl";
/// Release and plugins by digest.
pub const LOCK_FILE: &str = ".kedge/lock.toml";
/// The spec as the run uses it, with all defaults.
pub const SPEC: &str = ".kedge/spec.yaml";
/// A random word, by which what was made for this folder is known from what was made for others of its name.
pub const OWNER: &str = ".kedge/owner";
/// Snapshots of moves.
pub const MOVES: &str = ".kedge/moves";
/// One folder for each failure.
pub const DIAGNOSIS: &str = ".kedge/diagnosis";
/// Manifests as applied, with references for secrets.
pub const GENERATED: &str = "generated";

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone: it holds a credential.
    Owner,
    /// Whoever may by the user's own settings.
    Usual,
}

/// What can go wrong with a folder.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The name can't be that of a folder here.
    #[error("`{name}` can't be the name of a cluster's folder")]
    Name {
        /// As it was given.
        name: String,
    },
    /// A file or folder can't be read or written.
    #[error("can't {action} `{}`", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another run works on this cluster.
    #[error("another run works on `{cluster}`: {holder}")]
    InUse {
        /// The cluster.
        cluster: String,
        /// Which run.
        holder: Box<Holder>,
    },
}

impl FolderError {
    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Name { .. } => {
                "give the cluster's name alone, without a path: small letters, digits and `-`".to_owned()
            }
            Self::Io { path, source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => format!("check who may write `{}`", path.display()),
                io::ErrorKind::StorageFull => "make room on the disk and run the same command again".to_owned(),
                _ => format!("check `{}`, then run the same command again", path.display()),
            },
            Self::InUse { .. } => "wait until it is done, or stop it, then run the same command again".to_owned(),
        }
    }

    /// Whether another run is in the way.
    pub fn in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }
}

/// A cluster's folder.
#[derive(Debug)]
pub struct Folder {
    parent: Dir,
    dir: Dir,
    path: PathBuf,
    name: String,
}

impl Folder {
    /// The folder of the cluster `name` in `directory`, if it is there.
    pub fn open(directory: &Path, name: &str) -> Result<Option<Self>, FolderError> {
        check_name(name)?;
        let path = directory.join(name);
        let parent = match Dir::open_ambient_dir(directory, ambient_authority()) {
            Ok(parent) => parent,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FolderError::Io { action: "open", path: directory.to_owned(), source }),
        };
        match parent.open_dir(name) {
            Ok(dir) => Ok(Some(Self { parent, dir, path, name: name.to_owned() })),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io { action: "open", path, source }),
        }
    }

    /// The folder of the cluster `name` in `directory`, made if it is not there.
    pub fn create(directory: &Path, name: &str) -> Result<Self, FolderError> {
        check_name(name)?;
        let path = directory.join(name);
        let failed = |source| FolderError::Io { action: "create", path: path.clone(), source };
        let parent = Dir::open_ambient_dir(directory, ambient_authority()).map_err(failed)?;
        parent.create_dir_all(name).map_err(failed)?;
        let dir = parent.open_dir(name).map_err(failed)?;
        let folder = Self { parent, dir, path, name: name.to_owned() };
        folder.make_dir(OWN)?;
        Ok(folder)
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of it is.
    pub fn path_of(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// The spec as it was used, by the name that EKS Anywhere gives it.
    pub fn spec_file(&self) -> String {
        format!("{}-eks-a-cluster.yaml", self.name)
    }

    /// The kubeconfig, by the name that EKS Anywhere gives it.
    pub fn kubeconfig_file(&self) -> String {
        format!("{}-eks-a-cluster.kubeconfig", self.name)
    }

    /// The text of a file, if it is there.
    pub fn read(&self, file: &str) -> Result<Option<String>, FolderError> {
        match self.dir.read_to_string(file) {
            Ok(text) => Ok(Some(text)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed("read", file, source)),
        }
    }

    /// Whether a file or folder is there.
    pub fn has(&self, file: &str) -> bool {
        self.dir.try_exists(file).unwrap_or(false)
    }

    /// Writes a file in one step: whoever reads it sees all of the old or all of the new, whenever this program dies.
    pub fn write(&self, file: &str, content: impl AsRef<[u8]>, readers: Readers) -> Result<(), FolderError> {
        let failed = |source| self.failed("write", file, source);
        if let Some(parent) = Path::new(file).parent().filter(|p| !p.as_os_str().is_empty()) {
            self.dir.create_dir_all(parent).map_err(failed)?;
        }
        let unfinished = format!("{file}.{}.unfinished", std::process::id());
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        mode(&mut options, readers);
        let written = (|| {
            let mut out = self.dir.open_with(&unfinished, &options)?;
            out.write_all(content.as_ref())?;
            out.sync_all()?;
            self.dir.rename(&unfinished, &self.dir, file)?;
            self.sync_parent(file)
        })();
        written.map_err(|source| {
            let _ = self.dir.remove_file(&unfinished);
            failed(source)
        })
    }

    /// Makes a folder in it, with all on the way.
    pub fn make_dir(&self, name: &str) -> Result<PathBuf, FolderError> {
        self.dir.create_dir_all(name).map_err(|source| self.failed("create", name, source))?;
        Ok(self.path_of(name))
    }

    /// Removes a file or a folder with all in it, if it is there. Whether it was.
    pub fn remove(&self, name: &str) -> Result<bool, FolderError> {
        let done = match self.dir.symlink_metadata(name) {
            Ok(meta) if meta.is_dir() => self.dir.remove_dir_all(name),
            Ok(_) => self.dir.remove_file(name),
            Err(source) => Err(source),
        };
        match done {
            Ok(()) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.failed("remove", name, source)),
        }
    }

    /// Removes all that runs on this cluster wrote, and the folder itself if nothing else is in it. Whether the folder
    /// is gone.
    pub fn remove_own(self) -> Result<bool, FolderError> {
        let own = [JOURNAL, AUDIT, LOCK_FILE, SPEC, OWNER, MOVES, DIAGNOSIS, GENERATED, lock::FILE];
        let keys = [keys::PRIVATE, keys::PUBLIC];
        let named = [self.kubeconfig_file(), self.spec_file(), crate::aws_iam::kubeconfig_file(&self.name)];
        for name in own.into_iter().chain(keys).map(str::to_owned).chain(named) {
            self.remove(&name)?;
        }
        if self.is_empty(OWN)? {
            self.remove(OWN)?;
        }
        let empty = self.is_empty(".")?;
        if empty {
            self.parent.remove_dir(&self.name).map_err(|source| self.failed("remove", "", source))?;
        }
        Ok(empty)
    }

    /// Which bootstrap cluster belongs to this folder, made up at the first call.
    pub fn identity(&self) -> Result<Identity, FolderError> {
        let owner = if let Some(owner) = self.known_owner()? {
            owner
        } else {
            let owner = uuid::Uuid::new_v4().simple().to_string();
            self.write(OWNER, &owner, Readers::Usual)?;
            owner
        };
        Ok(self.identified(owner))
    }

    /// The same without writing anything: where nothing was made up yet, nothing belongs to the folder.
    pub fn known_identity(&self) -> Result<Identity, FolderError> {
        Ok(self.identified(self.known_owner()?.unwrap_or_default()))
    }

    fn known_owner(&self) -> Result<Option<String>, FolderError> {
        Ok(self.read(OWNER)?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    fn identified(&self, owner: String) -> Identity {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        Identity { cluster: self.name.clone(), owner, folder: path.display().to_string() }
    }

    fn is_empty(&self, name: &str) -> Result<bool, FolderError> {
        match self.dir.read_dir(name) {
            Ok(mut entries) => Ok(entries.next().is_none()),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(self.failed("read", name, source)),
        }
    }

    /// Opens a file for lines at its end, made if it is not there, with what is in it.
    pub(crate) fn open_appending(&self, file: &str) -> Result<(std::fs::File, Vec<u8>), FolderError> {
        let failed = |source| self.failed("open", file, source);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        mode(&mut options, Readers::Owner);
        let mut opened = self.dir.open_with(file, &options).map_err(failed)?.into_std();
        let mut text = Vec::new();
        opened.read_to_end(&mut text).map_err(failed)?;
        self.sync_parent(file).map_err(failed)?;
        Ok((opened, text))
    }

    /// Takes the folder for this run alone, until the lock is dropped or the process ends.
    pub fn lock(&self, holder: &Holder) -> Result<Lock, FolderError> {
        lock::take(self, holder)
    }

    /// The run that works on this folder now, if one does.
    pub fn holder(&self) -> Option<Holder> {
        lock::holder(self)
    }

    fn sync_parent(&self, file: &str) -> io::Result<()> {
        let parent = Path::new(file).parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A folder is opened like a file here: what `open_dir` hands out can't be synced.
        if cfg!(unix) { self.dir.open(parent)?.sync_all() } else { Ok(()) }
    }

    pub(crate) fn failed(&self, action: &'static str, file: &str, source: io::Error) -> FolderError {
        FolderError::Io { action, path: self.path_of(file), source }
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }
}

/// The names of the folders in `directory` that look like a cluster's.
pub fn clusters(directory: &Path) -> Result<Vec<String>, FolderError> {
    let failed = |source| FolderError::Io { action: "read", path: directory.to_owned(), source };
    let parent = Dir::open_ambient_dir(directory, ambient_authority()).map_err(failed)?;
    let mut names = Vec::new();
    for entry in parent.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if check_name(&name).is_err() || !entry.file_type().is_ok_and(|t| t.is_dir()) {
            continue;
        }
        let Ok(dir) = parent.open_dir(&name) else { continue };
        let spec = format!("{name}-eks-a-cluster.yaml");
        if dir.try_exists(JOURNAL).unwrap_or(false) || dir.try_exists(spec).unwrap_or(false) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn check_name(name: &str) -> Result<(), FolderError> {
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if name.is_empty() || !fits || name.starts_with('.') || name.len() > 100 {
        return Err(FolderError::Name { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(unix)]
fn mode(options: &mut OpenOptions, readers: Readers) {
    use cap_std::fs::OpenOptionsExt;
    options.mode(match readers {
        Readers::Owner => 0o600,
        Readers::Usual => 0o666,
    });
}

#[cfg(not(unix))]
fn mode(_options: &mut OpenOptions, _readers: Readers) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(what: &str) -> Holder {
        Holder {
            pid: std::process::id(),
            host: "here".into(),
            command: what.into(),
            since: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    #[test]
    fn nothing_outside_can_be_reached() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("secret"), "s").unwrap();
        for name in ["", "..", "a/b", "/etc", ".hidden", "a\0b"] {
            assert!(matches!(Folder::create(home.path(), name), Err(FolderError::Name { .. })), "{name:?}");
        }
        let folder = Folder::create(home.path(), "prod").unwrap();
        assert!(folder.read("../secret").is_err());
        assert!(folder.write("../escaped", "x", Readers::Usual).is_err());
        assert!(folder.write("/tmp/escaped", "x", Readers::Usual).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(home.path().join("secret"), home.path().join("prod/link")).unwrap();
            assert!(folder.read("link").is_err(), "a link does not lead out either");
            std::os::unix::fs::symlink(home.path(), home.path().join("prod/generated")).unwrap();
            assert!(folder.write("generated/escaped", "x", Readers::Usual).is_err());
            folder.remove("generated").unwrap();
            assert!(home.path().join("secret").exists(), "only the link is removed");
        }
        assert!(!home.path().join("escaped").exists());
    }

    #[test]
    fn a_written_file_is_whole_and_private() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        let file = folder.kubeconfig_file();
        folder.write(&file, "one", Readers::Owner).unwrap();
        folder.write(&file, "two", Readers::Owner).unwrap();
        assert_eq!(folder.read(&file).unwrap().as_deref(), Some("two"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path_of(&file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "nothing unfinished stays behind: {left:?}");
    }

    #[test]
    fn two_runs_do_not_work_on_one_cluster() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        let first = folder.lock(&holder("create cluster")).unwrap();
        assert!(first.stale().is_none());
        let again = Folder::create(home.path(), "prod").unwrap();
        let error = again.lock(&holder("delete cluster")).unwrap_err();
        let text = error.to_string();
        assert!(
            error.in_use() && text.contains("create cluster") && text.contains(&std::process::id().to_string()),
            "{text}"
        );
        assert!(text.contains("2026-01-02"), "{text}");
        assert_eq!(again.holder().unwrap().command, "create cluster");
        drop(first);
        assert!(again.holder().is_none());
        let second = again.lock(&holder("delete cluster")).unwrap();
        assert!(second.stale().is_none(), "a run that ended well leaves no trace");
    }

    #[test]
    fn a_lock_whose_run_died_is_taken_over() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        let dead = serde_json::to_string(&Holder { pid: 7, ..holder("create cluster") }).unwrap();
        folder.write(".kedge/run.lock", &dead, Readers::Usual).unwrap();
        assert!(folder.holder().is_none(), "nobody holds it");
        let lock = folder.lock(&holder("create cluster")).unwrap();
        assert_eq!(lock.stale().unwrap().pid, 7);
    }

    #[test]
    fn what_the_user_put_there_stays() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        folder.write("generated/a.yaml", "a", Readers::Usual).unwrap();
        folder.write("notes.txt", "mine", Readers::Usual).unwrap();
        assert!(!folder.remove_own().unwrap());
        assert!(home.path().join("prod/notes.txt").exists() && !home.path().join("prod/.kedge").exists());
        std::fs::remove_file(home.path().join("prod/notes.txt")).unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        folder.write(".kedge/lab/connection.json", "{}", Readers::Owner).unwrap();
        folder.write(JOURNAL, "", Readers::Owner).unwrap();
        assert!(!folder.remove_own().unwrap());
        assert!(home.path().join("prod/.kedge/lab/connection.json").exists(), "a lab that runs keeps its file");
        std::fs::remove_dir_all(home.path().join("prod/.kedge/lab")).unwrap();
        assert!(Folder::open(home.path(), "prod").unwrap().unwrap().remove_own().unwrap());
        assert!(!home.path().join("prod").exists());
    }

    #[test]
    fn clusters_are_the_folders_with_a_journal_or_a_spec() {
        let home = tempfile::tempdir().unwrap();
        Folder::create(home.path(), "empty").unwrap();
        Folder::create(home.path(), "b").unwrap().write(JOURNAL, "", Readers::Usual).unwrap();
        let a = Folder::create(home.path(), "a").unwrap();
        a.write(&a.spec_file(), "", Readers::Usual).unwrap();
        assert_eq!(clusters(home.path()).unwrap(), ["a", "b"]);
    }
}
