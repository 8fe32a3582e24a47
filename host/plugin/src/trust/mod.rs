//! Who made a plugin: signatures by key files, for sites that no signing service reaches.
//!
//! `PLUGIN.wasm.sig` holds a signature over the file's bytes, in base64: what `cosign sign-blob --key` and
//! `openssl dgst -sha256 -sign KEY | base64` write with a P-256 key, or an Ed25519 signature of the same bytes.

mod key;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub(crate) use key::PublicKey;

use crate::error::PluginError;
use crate::policy::Policy;

/// Longer files hold no signature.
const LONGEST: u64 = 64 << 10;

/// Who vouches for a plugin's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// Nobody.
    None,
    /// A publisher of the policy, by the name it has there.
    Publisher {
        /// Its name in the policy.
        name: String,
        /// Its key: `sha256:` of the public key.
        key: String,
    },
    /// There is a signature that no key of the policy verifies.
    Unknown {
        /// The signature's file.
        key: String,
    },
}

impl Signer {
    /// The publisher's key, if it is one that the policy knows.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Publisher { key, .. } => Some(key),
            Self::None | Self::Unknown { .. } => None,
        }
    }

    /// The publisher's name, if it is one that the policy knows.
    pub fn publisher(&self) -> Option<&str> {
        match self {
            Self::Publisher { name, .. } => Some(name),
            Self::None | Self::Unknown { .. } => None,
        }
    }
}

impl std::fmt::Display for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("nobody"),
            Self::Publisher { name, key } => write!(f, "{name} ({key})"),
            Self::Unknown { key } => write!(f, "a key that no policy names ({key})"),
        }
    }
}

/// The signature that goes with a file.
pub(crate) fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// Who signed a plugin's file, by the keys of the policy.
///
/// # Errors
/// A signature that is none, or is one of a publisher's key over something else: the file was changed, or the wrong one
/// lies beside it.
pub(crate) fn signer(file: &Path, bytes: &[u8], policy: &Policy) -> Result<Signer, PluginError> {
    let path = signature_of(file);
    let bad = |why: String| PluginError::Signature { path: path.clone(), why };
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Signer::None),
        Err(error) => return Err(bad(error.to_string())),
        Ok(meta) if meta.len() > LONGEST => return Err(bad("it is too long for a signature".to_owned())),
        Ok(_) => {}
    }
    let text = std::fs::read(&path).map_err(|e| bad(e.to_string()))?;
    let text: Vec<u8> = text.into_iter().filter(|b| !b.is_ascii_whitespace()).collect();
    let signature = BASE64.decode(text).map_err(|_| bad("it is not base64".to_owned()))?;
    for (name, key) in policy.publishers() {
        if key.verifies(bytes, &signature) {
            return Ok(Signer::Publisher { name: name.to_owned(), key: key.id() });
        }
    }
    Ok(Signer::Unknown { key: path.display().to_string() })
}
