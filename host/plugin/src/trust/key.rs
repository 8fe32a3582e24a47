//! Public keys in PEM files.

use std::path::Path;

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::error::PluginError;

/// Which kinds of key there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// ECDSA on P-256 over SHA-256: cosign's own.
    P256,
    /// Ed25519.
    Ed25519,
}

/// A key that verifies signatures.
#[derive(Debug, Clone)]
pub(crate) struct PublicKey {
    kind: Kind,
    bits: Vec<u8>,
    der: Vec<u8>,
    id: String,
}

impl PublicKey {
    /// Reads a PEM file with one public key.
    pub(crate) fn read(path: &Path) -> Result<Self, PluginError> {
        let bad = |why: String| PluginError::Key { path: path.to_owned(), why };
        let text = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        Self::parse(&text).map_err(bad)
    }

    fn parse(pem: &[u8]) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| "it holds no public key in PEM (`-----BEGIN PUBLIC KEY-----`)".to_owned())?;
        let (_, info) =
            SubjectPublicKeyInfo::from_der(&der).map_err(|e| format!("the public key can't be read: {e}"))?;
        let kind = match info.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.10045.2.1" => Kind::P256,
            "1.3.101.112" => Kind::Ed25519,
            other => return Err(format!("a key of the kind {other} is not known; use P-256 or Ed25519")),
        };
        let bits = info.subject_public_key.data.to_vec();
        if kind == Kind::P256 && bits.len() != 65 {
            return Err("it is not a key on the curve P-256".to_owned());
        }
        Ok(Self { kind, bits, id: format!("sha256:{}", hex::encode(Sha256::digest(&der))), der: der.to_vec() })
    }

    /// SHA-256 of the key in DER.
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }

    /// The key in DER.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether this key signed these bytes.
    pub(crate) fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self.kind {
            Kind::P256 => &ECDSA_P256_SHA256_ASN1,
            Kind::Ed25519 => &ED25519,
        };
        UnparsedPublicKey::new(algorithm, &self.bits).verify(bytes, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};

    use super::*;

    #[test]
    fn both_kinds_of_key_verify_what_they_signed_and_nothing_else() {
        let random = SystemRandom::new();
        let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let signing =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &p256.serialize_der(), &random).unwrap();
        let signature = signing.sign(&random, b"plugin").unwrap();
        let key = PublicKey::parse(p256.public_key_pem().as_bytes()).unwrap();
        assert!(key.verifies(b"plugin", signature.as_ref()));
        assert!(!key.verifies(b"plugim", signature.as_ref()));

        let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let signing = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&ed.serialize_der()).unwrap();
        let other = PublicKey::parse(ed.public_key_pem().as_bytes()).unwrap();
        assert!(other.verifies(b"plugin", signing.sign(b"plugin").as_ref()));
        assert!(!other.verifies(b"plugin", signature.as_ref()));
        assert_ne!(key.id(), other.id());
        assert!(PublicKey::parse(b"nothing").unwrap_err().contains("PEM"));
        assert!(PublicKey::parse(ed.serialize_pem().as_bytes()).is_err(), "a private key is no public one");
    }
}
