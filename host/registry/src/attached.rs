//! What others attached to a plugin's manifest: signatures, lists of parts, provenance.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::{Descriptor, Manifest};
use crate::error::shown;

/// The layer of a signature as cosign has always written it: what is signed is a small text that names the manifest.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Its annotation with the signature.
pub(crate) const COSIGN_SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// What the media type of a sigstore bundle begins with.
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The largest thing of this kind that is read, and the most of them.
pub(crate) const LARGEST: u64 = 1 << 20;
pub(crate) const MOST: usize = 32;

/// A signature over the manifest. Nothing about it is checked here: who trusts whom is decided elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Signature {
    /// cosign's own form.
    Cosign {
        /// What is signed, as text.
        payload: String,
        /// Over its bytes, base64.
        signature: String,
    },
    /// A sigstore bundle, JSON.
    Bundle(String),
}

/// Something attached that is no signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// What it is: `application/vnd.cyclonedx+json`, or the type of a statement.
    pub kind: String,
    /// Its digest.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
}

/// What the payload of a bundle says: a signature over the manifest alone, or a statement about it.
pub(crate) fn statement(bundle: &str) -> Option<String> {
    let bundle: Value = serde_json::from_str(bundle).ok()?;
    let payload = bundle.get("dsseEnvelope")?.get("payload")?.as_str()?;
    let statement: Value = serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()?;
    let kind = statement.get("predicateType")?.as_str()?;
    // This one says no more than that it was signed.
    (kind != "https://sigstore.dev/cosign/sign/v1").then(|| shown(kind))
}

/// Whether a manifest is of an artifact with bundles.
pub(crate) fn is_bundle(descriptor: &Descriptor) -> bool {
    descriptor.artifact_type.as_deref().is_some_and(|t| t.starts_with(BUNDLE))
}

/// The digest and size of the layers with a media type that begins like this.
pub(crate) fn layers<'a>(manifest: &'a Manifest, media_type: &'a str) -> impl Iterator<Item = &'a Descriptor> {
    manifest.layers.iter().filter(move |layer| layer.media_type.starts_with(media_type))
}

/// The tag under which cosign keeps what belongs to a manifest: `sha256-….sig`.
pub(crate) fn cosign_tag(digest: &str, suffix: &str) -> String {
    format!("{}{suffix}", digest.replace(':', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_from_signatures() {
        let bundle = |kind: &str| {
            let payload = BASE64.encode(format!(r#"{{"predicateType":"{kind}"}}"#));
            format!(r#"{{"dsseEnvelope":{{"payload":"{payload}"}}}}"#)
        };
        assert_eq!(statement(&bundle("https://slsa.dev/provenance/v1")).unwrap(), "https://slsa.dev/provenance/v1");
        assert_eq!(statement(&bundle("https://sigstore.dev/cosign/sign/v1")), None);
        assert_eq!(statement("{}"), None);
        assert_eq!(statement("no JSON"), None);
    }
}
