//! What came with a plugin from a registry, kept beside its file: the manifest, and the signatures over it.
//!
//! A signature over the manifest is one over the component, because the manifest names the component's digest. Keeping
//! both lets a machine that reaches no registry check them each time the plugin is loaded.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::PluginError;

/// A larger file is none of ours.
const LARGEST: u64 = 64 << 20;

/// What came with a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Of this format: 1.
    pub version: u32,
    /// The manifest, to the byte.
    pub manifest: String,
    /// Signatures over it.
    #[serde(default)]
    pub signatures: Vec<ManifestSignature>,
}

/// A signature over a manifest. Nothing about it is true until it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ManifestSignature {
    /// As cosign writes it: over a small text that names the manifest's digest.
    Cosign {
        /// The text.
        payload: String,
        /// Over its bytes, base64.
        signature: String,
    },
    /// A sigstore bundle, JSON.
    Bundle(String),
}

/// The file with what came with a plugin.
pub(crate) fn evidence_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".oci.json");
    PathBuf::from(name)
}

impl Evidence {
    /// Reads what lies beside a plugin's file; none if nothing does.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn beside(file: &Path) -> Result<Option<Self>, PluginError> {
        let path = evidence_of(file);
        let bad = |why: String| PluginError::Signature { path: path.clone(), why };
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(error.to_string())),
            Ok(meta) if meta.len() > LARGEST => return Err(bad("it is too large".to_owned())),
            Ok(_) => {}
        }
        let text = std::fs::read(&path).map_err(|e| bad(e.to_string()))?;
        let evidence: Self = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
        if evidence.version != 1 {
            return Err(bad(format!("it has version {}, and this kedge reads version 1", evidence.version)));
        }
        Ok(Some(evidence))
    }

    /// The digest of the component (hexadecimal) that the manifest is of.
    ///
    /// # Errors
    /// The manifest is of none, or of several things.
    pub(crate) fn component(&self) -> Result<String, String> {
        #[derive(Deserialize)]
        struct Manifest {
            layers: Vec<Layer>,
        }
        #[derive(Deserialize)]
        struct Layer {
            digest: String,
        }
        let manifest: Manifest =
            serde_json::from_str(&self.manifest).map_err(|e| format!("its manifest can't be read: {e}"))?;
        let [layer] = manifest.layers.as_slice() else {
            return Err(format!("its manifest has {} layers in place of one", manifest.layers.len()));
        };
        layer.digest.strip_prefix("sha256:").map(str::to_owned).ok_or_else(|| "its layer has no SHA-256".to_owned())
    }

    pub(crate) fn write(&self, file: &Path) -> std::io::Result<()> {
        std::fs::write(evidence_of(file), serde_json::to_vec(self)?)
    }
}
