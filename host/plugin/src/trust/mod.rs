//! Who made a plugin: signatures by keys, which no service has to be asked about, and by identities of a sigstore.
//!
//! What vouches for `PLUGIN.wasm` lies beside it:
//! - `PLUGIN.wasm.sig`: a signature over the file's bytes, in base64, as `cosign sign-blob --key` and
//!   `openssl dgst -sha256 -sign KEY | base64` write them with a P-256 key, or an Ed25519 signature of the same bytes;
//! - `PLUGIN.wasm.sigstore.json`: a sigstore bundle over the file's bytes, by a key or an identity;
//! - `PLUGIN.wasm.oci.json`: what came from a registry. Signatures there are over the manifest, and the manifest names the
//!   file's digest.

mod key;
mod ring_provider;
mod sigstore;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

pub(crate) use key::PublicKey;
pub(crate) use sigstore::Root;

use crate::error::PluginError;
use crate::evidence::{Evidence, ManifestSignature, evidence_of};
use crate::inspect::digest;
use crate::policy::Policy;

/// Longer files hold no signature.
const LONGEST: u64 = 1 << 20;

/// Who vouches for a plugin's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// Nobody.
    None,
    /// A publisher of the policy, by the name it has there.
    Publisher {
        /// Its name in the policy.
        name: String,
        /// Its key (`sha256:` of the public key), or its identity and who vouches for that.
        key: String,
    },
    /// There is a signature that no publisher of the policy made.
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
            Self::Unknown { key } => write!(f, "somebody that no policy names ({key})"),
        }
    }
}

/// A publisher of a policy.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    pub(crate) name: String,
    pub(crate) who: Who,
}

/// How a publisher's signatures are known.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    Key(PublicKey),
    Identity { identity: String, issuer: String, root: Root },
}

impl Publisher {
    fn signer(&self) -> Signer {
        let key = match &self.who {
            Who::Key(key) => key.id(),
            Who::Identity { identity, issuer, .. } => format!("{identity}, by {issuer}"),
        };
        Signer::Publisher { name: self.name.clone(), key }
    }

    /// Whether this is its signature over these bytes.
    fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        matches!(&self.who, Who::Key(key) if key.verifies(bytes, signature))
    }

    /// Whether this is its bundle over these bytes.
    fn bundled(&self, bytes: &[u8], bundle: &str) -> bool {
        let result = match &self.who {
            Who::Key(key) => Root::public().and_then(|root| root.verifies_key(bytes, bundle, key.der())),
            Who::Identity { identity, issuer, root } => root.verifies(bytes, bundle, identity, issuer),
        };
        if let Err(why) = &result {
            tracing::debug!(publisher = self.name, why, "a bundle is not this publisher's");
        }
        result.is_ok()
    }
}

/// The signature that goes with a file.
pub(crate) fn signature_of(file: &Path) -> PathBuf {
    beside(file, ".sig")
}

/// The sigstore bundle that goes with a file.
pub(crate) fn bundle_of(file: &Path) -> PathBuf {
    beside(file, ".sigstore.json")
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Who signed a plugin's file, by the publishers of the policy.
///
/// # Errors
/// What lies beside the file is none of what it should be, or belongs to another file.
pub(crate) fn signer(file: &Path, bytes: &[u8], policy: &Policy) -> Result<Signer, PluginError> {
    let mut unknown = None;
    let publishers = || policy.publishers();
    let mut judge = |path: PathBuf, publisher: Option<&Publisher>| {
        if publisher.is_none() {
            unknown.get_or_insert(path);
        }
        publisher.map(Publisher::signer)
    };
    if let Some((path, text)) = read(signature_of(file))? {
        let text: String = text.split_ascii_whitespace().collect();
        let bad = |why: &str| PluginError::Signature { path: path.clone(), why: why.to_owned() };
        let signature = BASE64.decode(text).map_err(|_| bad("it is not base64"))?;
        if let Some(signer) = judge(path, publishers().find(|p| p.signed(bytes, &signature))) {
            return Ok(signer);
        }
    }
    if let Some((path, bundle)) = read(bundle_of(file))?
        && let Some(signer) = judge(path, publishers().find(|p| p.bundled(bytes, &bundle)))
    {
        return Ok(signer);
    }
    if let Some(evidence) = Evidence::beside(file)? {
        let path = evidence_of(file);
        let bad = |why: String| PluginError::Signature { path: path.clone(), why };
        let named = evidence.component().map_err(bad)?;
        if named != digest(bytes) {
            return Err(bad(format!("it is of another component, sha256:{named}")));
        }
        for signature in &evidence.signatures {
            let found = publishers().find(|p| vouches(p, &evidence.manifest, signature));
            if let Some(signer) = judge(path.clone(), found) {
                return Ok(signer);
            }
        }
    }
    Ok(unknown.map_or(Signer::None, |path| Signer::Unknown { key: path.display().to_string() }))
}

/// Whether a publisher signed a manifest.
fn vouches(publisher: &Publisher, manifest: &str, signature: &ManifestSignature) -> bool {
    match signature {
        ManifestSignature::Bundle(bundle) => publisher.bundled(manifest.as_bytes(), bundle),
        ManifestSignature::Cosign { payload, signature } => {
            let of = format!("sha256:{}", digest(manifest.as_bytes()));
            let signed: Option<Value> = serde_json::from_str(payload).ok();
            let text = |path: &str| signed.as_ref().and_then(|v| v.pointer(path)).and_then(Value::as_str);
            text("/critical/image/docker-manifest-digest") == Some(of.as_str())
                && text("/critical/type") == Some("cosign container image signature")
                && BASE64.decode(signature).is_ok_and(|signature| publisher.signed(payload.as_bytes(), &signature))
        }
    }
}

/// A file that may be there.
fn read(path: PathBuf) -> Result<Option<(PathBuf, String)>, PluginError> {
    let bad = |why: String| PluginError::Signature { path: path.clone(), why };
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
        Ok(meta) if meta.len() > LONGEST => return Err(bad("it is too long for a signature".to_owned())),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
    Ok(Some((path, text)))
}
