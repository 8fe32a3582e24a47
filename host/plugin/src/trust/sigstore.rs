//! Sigstore: signatures by a key, or by an identity that a certificate of a minute's life stands for.
//!
//! An identity is trusted through a *trusted root*: the authorities and logs of one sigstore. That of the public-good
//! instance is a part of this program; a policy can name another. Nothing is asked of the network.

use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot};
use sigstore_verify::types::{Bundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use super::ring_provider;

/// Whom an identity's certificate is measured by.
#[derive(Clone)]
pub(crate) struct Root(std::sync::Arc<Verifier>);

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

impl Root {
    /// The public-good instance.
    pub(crate) fn public() -> Result<Self, String> {
        Self::parse(SigstoreInstance::PublicGood.embedded_trusted_root_json())
    }

    /// A `trusted_root.json`.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        ring_provider::install();
        let root = TrustedRoot::from_json(json).map_err(|e| e.to_string())?;
        Verifier::new(&root).map(|verifier| Self(std::sync::Arc::new(verifier))).map_err(|e| e.to_string())
    }

    /// Whether a bundle is a signature of these bytes by this identity, which that issuer vouched for, and logged.
    pub(crate) fn verifies(&self, bytes: &[u8], bundle: &str, identity: &str, issuer: &str) -> Result<(), String> {
        let bundle = signature(bundle)?;
        let policy = VerificationPolicy::new(identity, issuer);
        self.0.verify(bytes, &bundle, &policy).map(drop).map_err(|e| e.to_string())
    }

    /// Whether a bundle is a signature of these bytes by this key (DER). The key vouches for itself: no log is asked.
    pub(crate) fn verifies_key(&self, bytes: &[u8], bundle: &str, key: &[u8]) -> Result<(), String> {
        let bundle = signature(bundle)?;
        let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.to_vec())).skip_tlog_unsafe();
        self.0.verify(bytes, &bundle, &policy).map(drop).map_err(|e| e.to_string())
    }
}

/// A bundle that says "signed", and nothing else: a statement about how something was built is no word of its publisher.
fn signature(text: &str) -> Result<Bundle, String> {
    let bundle = Bundle::from_json(text).map_err(|e| e.to_string())?;
    if let sigstore_verify::types::SignatureContent::DsseEnvelope(envelope) = &bundle.content {
        let statement: serde_json::Value =
            serde_json::from_slice(envelope.payload.as_bytes()).map_err(|e| format!("its statement: {e}"))?;
        let kind = statement.get("predicateType").and_then(serde_json::Value::as_str).unwrap_or_default();
        if kind != SIGNED {
            return Err(format!("it is a statement of another kind, `{}`", crate::log_line::clean(kind)));
        }
    }
    Ok(bundle)
}

/// The statement of `cosign sign`.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = include_bytes!("../../tests/fixtures/sigstore/a.txt");
    const KEYLESS: &str = include_str!("../../tests/fixtures/sigstore/keyless.sigstore.json");
    const OTHER_LOG: &str = include_str!("../../tests/fixtures/sigstore/another-log-trusted-root.json");
    const BY_KEY: &str = include_str!("../../tests/fixtures/sigstore/key.sigstore.json");
    const KEY: &str = include_str!("../../tests/fixtures/sigstore/key.pem");
    const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
    const ISSUER: &str = "https://token.actions.githubusercontent.com";

    #[test]
    fn an_identity_signed_this_and_nothing_else() {
        let root = Root::public().unwrap();
        root.verifies(TEXT, KEYLESS, IDENTITY, ISSUER).unwrap();
        let mut changed = TEXT.to_vec();
        changed[0] ^= 1;
        assert!(root.verifies(&changed, KEYLESS, IDENTITY, ISSUER).is_err());
        assert!(root.verifies(TEXT, KEYLESS, "somebody@example.com", ISSUER).is_err());
        assert!(root.verifies(TEXT, KEYLESS, IDENTITY, "https://accounts.example").is_err());
        assert!(root.verifies(TEXT, BY_KEY, IDENTITY, ISSUER).is_err(), "a key is no identity");
        assert!(root.verifies(TEXT, "{}", IDENTITY, ISSUER).is_err());
        // The log of certificates has another key: nobody can say that this one was logged.
        let other = Root::parse(OTHER_LOG).unwrap();
        assert!(other.verifies(TEXT, KEYLESS, IDENTITY, ISSUER).is_err());
        assert!(Root::parse("{}").is_err());
    }

    #[test]
    fn a_key_signed_this_and_nothing_else() {
        let root = Root::public().unwrap();
        let key = DerPublicKey::from_pem(KEY).unwrap();
        root.verifies_key(TEXT, BY_KEY, key.as_bytes()).unwrap();
        assert!(root.verifies_key(b"other", BY_KEY, key.as_bytes()).is_err());
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let other = DerPublicKey::from_pem(&other.public_key_pem()).unwrap();
        assert!(root.verifies_key(TEXT, BY_KEY, other.as_bytes()).is_err());
        assert!(root.verifies_key(TEXT, KEYLESS, key.as_bytes()).is_err());
    }
}
