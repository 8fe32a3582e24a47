//! The folder of installed plugins: `NAME.wasm`, what vouches for it, and a list that says what each is and where it came
//! from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::catalog::Entry;
use crate::error::PluginError;
use crate::evidence::{Evidence, evidence_of};
use crate::grants::Rules;
use crate::host::PluginHost;
use crate::inspect::digest;
use crate::plugin::Plugin;
use crate::trust;

/// The list.
const LIST: &str = "installed.toml";

/// One installed plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstalledPlugin {
    /// Its name, and that of its file.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// `sha256:` and hexadecimal digits, of the component.
    pub digest: String,
    /// Where it came from: a reference, or a file's path.
    pub source: String,
    /// The digest of the registry's manifest, if it came from a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

impl InstalledPlugin {
    /// The digest without its prefix.
    pub(crate) fn hex(&self) -> &str {
        self.digest.strip_prefix("sha256:").unwrap_or(&self.digest)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: u32,
    #[serde(default, rename = "plugin", skip_serializing_if = "Vec::is_empty")]
    plugins: Vec<InstalledPlugin>,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Installed {
    folder: PathBuf,
}

impl Installed {
    /// The folder, made when something is installed.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn failed(&self, why: &impl ToString) -> PluginError {
        PluginError::Installed { path: self.folder.clone(), why: why.to_string() }
    }

    /// What is installed, by name.
    ///
    /// # Errors
    /// The list can't be read.
    pub fn list(&self) -> Result<Vec<InstalledPlugin>, PluginError> {
        let text = match std::fs::read_to_string(self.folder.join(LIST)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(&error)),
        };
        let list: List = toml::from_str(&text).map_err(|e| self.failed(&e))?;
        if list.version != 1 {
            return Err(self.failed(&format!("its list has version {}, and this kedge reads version 1", list.version)));
        }
        Ok(list.plugins)
    }

    /// One by its name.
    ///
    /// # Errors
    /// The list can't be read, or does not have it.
    pub fn named(&self, name: &str) -> Result<InstalledPlugin, PluginError> {
        let all = self.list()?;
        let known = all.iter().map(|p| p.name.clone()).collect();
        all.into_iter()
            .find(|p| p.name == name)
            .ok_or_else(|| PluginError::NotFound { wanted: format!("named `{name}` is installed"), known })
    }

    /// The file of a plugin.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.wasm"))
    }

    /// A place for a file that is looked at before it is installed, with what vouches for it beside it.
    fn stage(&self, given: &Given<'_>) -> Result<Staged, PluginError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let folder = self.folder.join(format!(".new-{}-{}", std::process::id(), digest(given.wasm)));
        builder.create(&folder).map_err(|e| self.failed(&e))?;
        let staged = Staged { folder };
        let write = || -> std::io::Result<()> {
            std::fs::write(staged.file(), given.wasm)?;
            if let Some(signature) = given.signature {
                std::fs::write(trust::signature_of(&staged.file()), signature)?;
            }
            if let Some(bundle) = given.bundle {
                std::fs::write(trust::bundle_of(&staged.file()), bundle)?;
            }
            given.evidence.map_or(Ok(()), |evidence| evidence.write(&staged.file()))
        };
        write().map_err(|e| self.failed(&e))?;
        Ok(staged)
    }

    /// Puts what was staged in the place of a plugin of the same name.
    fn place(&self, staged: &Staged, plugin: &Plugin, given: &Given<'_>) -> Result<InstalledPlugin, PluginError> {
        let description = plugin.description();
        let entry = InstalledPlugin {
            name: description.name.clone(),
            version: description.version.clone(),
            digest: format!("sha256:{}", plugin.digest()),
            source: given.source.to_owned(),
            manifest: given.evidence.map(|e| format!("sha256:{}", digest(e.manifest.as_bytes()))),
        };
        let file = self.file(&entry.name);
        for (new, old) in beside(&staged.file()).into_iter().zip(beside(&file)) {
            // First what vouches: what lies beside another file vouches for nothing.
            let _ = std::fs::remove_file(&old);
            if new.exists() {
                std::fs::rename(new, &old).map_err(|e| self.failed(&e))?;
            }
        }
        std::fs::rename(staged.file(), &file).map_err(|e| self.failed(&e))?;
        let mut all = self.list()?;
        all.retain(|p| p.name != entry.name);
        all.push(entry.clone());
        self.write(all)?;
        Ok(entry)
    }

    /// Removes a plugin. What clusters locked stays locked to its digest.
    ///
    /// # Errors
    /// There is none of that name, or it can't be removed.
    pub fn remove(&self, name: &str) -> Result<InstalledPlugin, PluginError> {
        let entry = self.named(name)?;
        let file = self.file(name);
        for path in beside(&file).into_iter().chain([file]) {
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        self.write(self.list()?.into_iter().filter(|p| p.name != name).collect())?;
        Ok(entry)
    }

    /// Compares the file of a plugin with the list.
    ///
    /// # Errors
    /// [`PluginError::Changed`]; it is not there.
    pub fn verify(&self, name: &str) -> Result<InstalledPlugin, PluginError> {
        let entry = self.named(name)?;
        let path = self.file(name);
        let bytes = std::fs::read(&path).map_err(|source| PluginError::Unreadable { path, source })?;
        let found = digest(&bytes);
        if found != entry.hex() {
            return Err(PluginError::Changed { plugin: name.to_owned(), expected: entry.hex().to_owned(), found });
        }
        Ok(entry)
    }

    fn write(&self, mut plugins: Vec<InstalledPlugin>) -> Result<(), PluginError> {
        plugins.sort_by(|a, b| a.name.cmp(&b.name));
        let text = toml::to_string_pretty(&List { version: 1, plugins }).map_err(|e| self.failed(&e))?;
        let path = self.folder.join(LIST);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &path)).map_err(|e| self.failed(&e))
    }
}

/// The files that vouch for a plugin's.
fn beside(file: &Path) -> [PathBuf; 3] {
    [trust::signature_of(file), trust::bundle_of(file), evidence_of(file)]
}

/// A plugin that is to be installed.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The component.
    pub wasm: &'a [u8],
    /// A signature over its bytes in base64, if it has one.
    pub signature: Option<&'a str>,
    /// A sigstore bundle over its bytes, if it has one.
    pub bundle: Option<&'a str>,
    /// Where it came from: a reference, or a file's path.
    pub source: &'a str,
    /// What came with it from a registry, if it came from one.
    pub evidence: Option<&'a Evidence>,
}

/// Installs a plugin that somebody gave: looked at under the policy, asked about like at its first use, and then put in
/// the place of one of the same name.
///
/// # Errors
/// Whatever speaks against it; then nothing is changed.
pub async fn install(
    host: &PluginHost,
    rules: &Rules,
    installed: &Installed,
    given: &Given<'_>,
) -> Result<InstalledPlugin, PluginError> {
    let staged = installed.stage(given)?;
    let plugin = host.load(&Entry::file(staged.file())).await?;
    file_name(&plugin.description().name)?;
    rules.admit(&plugin, None)?;
    installed.place(&staged, &plugin, given)
}

/// A plugin's name becomes that of a file: it must be one, and nothing else.
fn file_name(name: &str) -> Result<(), PluginError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !name.is_empty() && name.len() <= 63 && name.bytes().all(inner) && !name.starts_with('-') {
        return Ok(());
    }
    Err(PluginError::ContractViolation {
        plugin: crate::log_line::clean(name),
        why: "a plugin's name has lower-case letters, digits and `-`, 63 at most".to_owned(),
    })
}

/// A plugin that is looked at before it is installed; gone when this is.
#[derive(Debug)]
struct Staged {
    folder: PathBuf,
}

impl Staged {
    fn file(&self) -> PathBuf {
        self.folder.join("plugin.wasm")
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It is a leftover at most.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
