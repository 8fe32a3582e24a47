//! Where plugins come from, in order: named by the user, locked by the cluster, installed, built in.

use std::path::{Path, PathBuf};

use crate::built_in;
use crate::error::PluginError;
use crate::installed::Installed;
use crate::lock::Lock;

/// Where one plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file that the user named.
    File(PathBuf),
    /// A file in the folder of installed plugins.
    Installed(PathBuf),
    /// Part of this binary.
    BuiltIn,
    /// Bytes that the caller has.
    Memory,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) | Self::Installed(path) => write!(f, "{}", path.display()),
            Self::BuiltIn => f.write_str("built-in"),
            Self::Memory => f.write_str("memory"),
        }
    }
}

/// A plugin that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name it goes by until it has said its own: of the file or the built-in.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
    /// The digest it must have (hexadecimal), if a lock says so.
    pub locked: Option<String>,
    /// The digest it had when it was installed (hexadecimal), if it was by command.
    pub installed: Option<String>,
    /// The kinds it claims, where a lock or the build says so.
    pub kinds: Option<Vec<String>>,
}

impl Entry {
    /// A file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: stem(&path), origin: Origin::File(path), locked: None, installed: None, kinds: None }
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.display().to_string(), |s| s.to_string_lossy().into_owned())
}

/// All plugins that there are, in the order in which they are asked. Building one reads no plugin.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    files: Vec<Entry>,
    locked: Vec<Entry>,
    installed: Vec<Entry>,
    built_in: Vec<Entry>,
}

impl Catalog {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file that the user named; it comes before everything else.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(Entry::file(path));
        self
    }

    /// The lock of a cluster; a file that isn't there locks nothing.
    pub fn with_lock(mut self, path: impl AsRef<Path>) -> Result<Self, PluginError> {
        if let Some(lock) = Lock::read(path.as_ref())? {
            self.locked.extend(lock.plugins.iter().map(|p| Entry {
                name: p.name.clone(),
                origin: p.source(),
                locked: Some(p.hex().to_owned()),
                installed: None,
                kinds: Some(p.kinds.clone()),
            }));
        }
        Ok(self)
    }

    /// All `*.wasm` files of a folder, by name; a folder that isn't there has none.
    pub fn with_installed(mut self, folder: impl AsRef<Path>) -> Result<Self, PluginError> {
        let folder = folder.as_ref();
        let files = match std::fs::read_dir(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(source) => return Err(PluginError::Unreadable { path: folder.to_owned(), source }),
        };
        let mut paths: Vec<PathBuf> =
            files.flatten().map(|f| f.path()).filter(|p| p.extension().is_some_and(|e| e == "wasm")).collect();
        paths.sort();
        let listed = Installed::at(folder).list()?;
        self.installed.extend(paths.into_iter().map(|path| {
            let name = stem(&path);
            let installed = listed.iter().find(|p| p.name == name).map(|p| p.hex().to_owned());
            Entry { name, origin: Origin::Installed(path), locked: None, installed, kinds: None }
        }));
        Ok(self)
    }

    /// What the build embedded.
    #[must_use]
    pub fn with_built_ins(mut self) -> Self {
        self.built_in = built_in::all()
            .iter()
            .map(|b| Entry {
                name: b.name.to_owned(),
                origin: Origin::BuiltIn,
                locked: None,
                installed: None,
                kinds: b.kinds.map(|kinds| kinds.iter().map(|kind| (*kind).to_owned()).collect()),
            })
            .collect();
        self
    }

    /// Everything, in order. A name may come twice: the first one counts.
    pub fn list(&self) -> Vec<&Entry> {
        [&self.files, &self.locked, &self.installed, &self.built_in].into_iter().flatten().collect()
    }

    /// The first entry of a name. A plugin from a file may call itself something else: `PluginHost::named` looks at that.
    pub fn named(&self, name: &str) -> Option<&Entry> {
        self.list().into_iter().find(|e| e.name == name)
    }
}
