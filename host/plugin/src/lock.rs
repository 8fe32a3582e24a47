//! The lock: which plugins a cluster was made with, by digest.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::catalog::Origin;
use crate::error::PluginError;
use crate::grants::asks;
use crate::plugin::Plugin;

/// The plugins of a cluster. A TOML file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Of this format: 1.
    pub version: u32,
    /// One for each plugin.
    #[serde(default, rename = "plugin", skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<LockedPlugin>,
}

/// One plugin as it was when the cluster was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedPlugin {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// `sha256:` and hexadecimal digits.
    pub digest: String,
    /// Where it was: `built-in`, or the file's path.
    pub origin: String,
    /// The key of the publisher that signed it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The kinds it claims.
    pub kinds: Vec<String>,
    /// What it imports of the contract.
    #[serde(default)]
    pub imports: Vec<String>,
    /// What it asks for, and was granted.
    #[serde(default)]
    pub grants: Vec<String>,
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: 1, plugins: Vec::new() }
    }
}

impl Lock {
    /// Reads a lock; none if there is no such file.
    pub fn read(path: &Path) -> Result<Option<Self>, PluginError> {
        let bad = |why: String| PluginError::Lock { path: path.to_owned(), why };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(error.to_string())),
        };
        let lock: Self = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        if lock.version != 1 {
            return Err(bad(format!("it has version {}, and this kedge reads version 1", lock.version)));
        }
        Ok(Some(lock))
    }

    /// Writes it, beside and renamed.
    pub fn write(&self, path: &Path) -> Result<(), PluginError> {
        let bad = |why: String| PluginError::Lock { path: path.to_owned(), why };
        let text = toml::to_string_pretty(self).map_err(|e| bad(e.to_string()))?;
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path)).map_err(|e| {
            let _ = std::fs::remove_file(&temporary);
            bad(e.to_string())
        })
    }

    /// Puts a plugin in, in the place of one of the same name.
    pub fn add(&mut self, plugin: &Plugin) {
        let description = plugin.description();
        let locked = LockedPlugin {
            name: description.name.clone(),
            version: description.version.clone(),
            digest: format!("sha256:{}", plugin.digest()),
            origin: match plugin.origin() {
                Origin::BuiltIn => "built-in".to_owned(),
                Origin::File(path) | Origin::Installed(path) => {
                    path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string()
                }
                Origin::Memory => "memory".to_owned(),
            },
            signer: plugin.signer().key().map(str::to_owned),
            kinds: description.kinds.iter().map(|k| k.kind.clone()).collect(),
            imports: plugin.contract_imports().to_vec(),
            grants: asks(description, plugin.contract_imports()).into_iter().map(|a| a.what).collect(),
        };
        self.plugins.retain(|p| p.name != locked.name);
        self.plugins.push(locked);
        self.plugins.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl LockedPlugin {
    /// Where it is to be taken from.
    pub(crate) fn source(&self) -> Origin {
        if self.origin == "built-in" { Origin::BuiltIn } else { Origin::File(PathBuf::from(&self.origin)) }
    }

    /// The digest without its prefix.
    pub(crate) fn hex(&self) -> &str {
        self.digest.strip_prefix("sha256:").unwrap_or(&self.digest)
    }
}
