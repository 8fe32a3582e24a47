//! Signatures of releases: annotations of the `Bundles` manifest, ECDSA over P-256 with SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{self, UnparsedPublicKey};
use serde::Serialize;
use serde_json::Value;

use super::canonical;

/// The annotation with the signature of the bundles.
pub(super) const BUNDLES: &str = "anywhere.eks.amazonaws.com/signature";
/// The annotation with the signature of an EKS-D manifest is this and the channel.
pub(super) const EKSD: &str = "distro.eks.amazonaws.com/signature-";

/// A public key in its usual form (SubjectPublicKeyInfo) up to the point itself: ECDSA, P-256, uncompressed.
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The point: a byte that says that it is uncompressed, and two numbers of 32 bytes.
const POINT: usize = 65;

/// The key that EKS Anywhere signs its bundles with; published in its sources (`pkg/constants`, v0.22 and later).
const EKS_ANYWHERE: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFZU/Z6VVMU9HioT7rGkPdJg3frC2xyQZhWFIrz5HeZEfeQ2nAdnJMLrs2Qr3V9xVrJrHA54wnIHDoPGbEhojqg==";
/// The key that EKS Distro's manifests are signed with; from the same place.
const EKS_DISTRO: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfqjUloL1WPdxB5JPOY18mIgjx0zD0SyWe9N1Fxjv7A8JwyKQycqirw2us7zoxoC5bnWD4lT53uv8skx3E/cHaw==";

/// A public key for signatures: ECDSA over P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Vec<u8>,
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not an ECDSA public key over P-256 in PEM or base64")]
pub struct NotAKey;

impl PublicKey {
    /// A key as PEM (`BEGIN PUBLIC KEY`) or as the base64 of its DER form.
    ///
    /// # Errors
    /// When it is neither, or another sort of key.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let base64: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("-----"))
            .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
            .collect();
        let der = BASE64.decode(base64).map_err(|_| NotAKey)?;
        let point = der.strip_prefix(&SPKI_P256).filter(|p| p.len() == POINT && p.first() == Some(&4));
        Ok(Self { point: point.ok_or(NotAKey)?.to_vec() })
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, &self.point).verify(message, signature).is_ok()
    }

    /// The same for a signature of fixed length, as tokens have it.
    pub(super) fn verifies_fixed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, &self.point).verify(message, signature).is_ok()
    }
}

/// Whose signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// For bundles.
    pub bundles: PublicKey,
    /// For EKS-D manifests.
    pub eksd: PublicKey,
}

impl Signers {
    /// Those of EKS Anywhere and EKS Distro.
    ///
    /// # Errors
    /// Never: the keys are constants, and a test reads them.
    pub fn published() -> Result<Self, NotAKey> {
        Ok(Self { bundles: PublicKey::parse(EKS_ANYWHERE)?, eksd: PublicKey::parse(EKS_DISTRO)? })
    }

    /// One key for both: of a site that signs its own releases.
    pub fn own(key: &PublicKey) -> Self {
        Self { bundles: key.clone(), eksd: key.clone() }
    }
}

/// What is known of a manifest's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// There is none.
    Absent,
    /// It is of the signer.
    Valid,
    /// It is not, or the manifest was changed after it was signed.
    Wrong,
}

impl Signature {
    fn of(signature: Option<&str>, key: &PublicKey, message: &[u8]) -> Self {
        let Some(signature) = signature.filter(|s| !s.is_empty()) else { return Self::Absent };
        match BASE64.decode(signature) {
            Ok(signature) if key.verifies(message, &signature) => Self::Valid,
            _ => Self::Wrong,
        }
    }
}

pub(super) fn of_bundles(manifest: &Value, signers: &Signers) -> Signature {
    Signature::of(annotation(manifest, BUNDLES), &signers.bundles, &canonical::bundles(manifest))
}

/// Of an EKS-D manifest: the bundles hold its signature.
pub(super) fn of_eksd(bundles: &Value, channel: &str, release: &Value, signers: &Signers) -> Signature {
    Signature::of(annotation(bundles, &format!("{EKSD}{channel}")), &signers.eksd, &canonical::eksd(release))
}

fn annotation<'a>(manifest: &'a Value, name: &str) -> Option<&'a str> {
    manifest.pointer("/metadata/annotations")?.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Signed by EKS Anywhere itself: the smallest bundles of its own tests (`pkg/signature/manifest_test.go`, v0.26.1).
    fn small(signature: &str) -> Value {
        json!({
            "apiVersion": "anywhere.eks.amazonaws.com/v1alpha1", "kind": "Bundles",
            "metadata": {"annotations": {BUNDLES: signature}},
            "spec": {"number": 1, "versionsBundles": [{"kubeVersion": "1.31"}]},
        })
    }

    const SIGNATURE: &str =
        "MEYCIQCiWwxw/Nchkgtan47FzagXHgB45Op7YWxvSZjFzHau8wIhALG2kbm+H8HJEfN/rUQ0ldo298MnzyhukBptUm0jCtZZ";

    #[test]
    fn the_published_keys_verify_what_was_signed_with_them() {
        let signers = Signers::published().unwrap();
        assert_eq!(of_bundles(&small(SIGNATURE), &signers), Signature::Valid);
        let eksd = json!({
            "apiVersion": "distro.eks.amazonaws.com/v1alpha1", "kind": "Release",
            "metadata": {"name": "kubernetes-1-28-46", "namespace": "eksa-system"},
            "spec": {"channel": "1-28", "number": 46},
            "status": {"components": [{"name": "metrics-server"}]},
        });
        let signature =
            "MEUCIQC3uP3Dhfb/nhCeir0Hwtf4bddKVfVIauFWBidT18XZOwIgHjzH1mOxBm1N2l2w9wBVy9W1o6CQXpdDz7UcbCszZYc=";
        let bundles = json!({"metadata": {"annotations": {"distro.eks.amazonaws.com/signature-1-28": signature}}});
        assert_eq!(of_eksd(&bundles, "1-28", &eksd, &signers), Signature::Valid);
        assert_eq!(of_eksd(&bundles, "1-29", &eksd, &signers), Signature::Absent);
        let mut other = eksd;
        other["spec"]["number"] = json!(47);
        assert_eq!(of_eksd(&bundles, "1-28", &other, &signers), Signature::Wrong);
    }

    #[test]
    fn a_changed_manifest_and_a_changed_signature_are_wrong() {
        let signers = Signers::published().unwrap();
        let mut changed = small(SIGNATURE);
        changed["spec"]["versionsBundles"][0]["kubeVersion"] = json!("1.32");
        assert_eq!(of_bundles(&changed, &signers), Signature::Wrong);
        let mut changed = small(SIGNATURE);
        changed["spec"]["versionsBundles"][0]["eksD"] = json!({"kindNode": {"uri": "evil.example/kind:1"}});
        assert_eq!(of_bundles(&changed, &signers), Signature::Wrong);
        assert_eq!(of_bundles(&small("!"), &signers), Signature::Wrong);
        assert_eq!(of_bundles(&small(""), &signers), Signature::Absent);
        let swapped = Signers { bundles: signers.eksd.clone(), eksd: signers.bundles.clone() };
        assert_eq!(of_bundles(&small(SIGNATURE), &swapped), Signature::Wrong);
        let mut mirrored = small(SIGNATURE);
        mirrored["spec"]["versionsBundles"][0]["cilium"] = json!({"cilium": {"uri": "mirror.example/cilium:1"}});
        assert_eq!(of_bundles(&mirrored, &signers), Signature::Valid, "a site may change where components come from");
    }

    #[test]
    fn keys_in_pem_and_base64() {
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
            &EKS_DISTRO[..64],
            &EKS_DISTRO[64..]
        );
        assert_eq!(PublicKey::parse(&pem), PublicKey::parse(EKS_DISTRO));
        for wrong in ["", "abc", "TUVVQ0lDVjFpaU5BNG93SQ==", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"] {
            assert_eq!(PublicKey::parse(wrong), Err(NotAKey), "{wrong}");
        }
    }
}
