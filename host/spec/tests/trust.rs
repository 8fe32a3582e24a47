//! Signatures, licences and versions of a release, with keys that the tests make themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::format_collect)]

mod common;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{BASE, acme, defaulted, with};
use kedge_spec::release::{PublicKey, Release, Signature, Signers, Terms};
use kedge_spec::{Finding, KubernetesVersion, Severity};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};

const BUNDLES: &str = include_str!("fixtures/bundles.yaml");
const EKSD_URL: &str = "eksd/kubernetes-1-34-eks-19.yaml";
const EKSD: &str = include_str!("fixtures/kubernetes-1-34-eks-19.yaml");
/// The head of a P-256 key in its usual form.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

struct Signer {
    pkcs8: Vec<u8>,
}

impl Signer {
    fn new() -> Self {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        Self { pkcs8: made.as_ref().to_vec() }
    }

    fn pair(&self, algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
        EcdsaKeyPair::from_pkcs8(algorithm, &self.pkcs8, &SystemRandom::new()).unwrap()
    }

    fn key(&self) -> PublicKey {
        let mut der = SPKI.to_vec();
        der.extend_from_slice(self.pair(&ECDSA_P256_SHA256_ASN1_SIGNING).public_key().as_ref());
        PublicKey::parse(&STANDARD.encode(der)).unwrap()
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.pair(&ECDSA_P256_SHA256_ASN1_SIGNING).sign(&SystemRandom::new(), message).unwrap())
    }

    fn token(&self, end: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(r#"{"alg":"ES256"}"#), part(&format!(r#"{{"endValidity":"{end}"}}"#)));
        let pair = self.pair(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn release(bundles: &str, eksd: &str) -> Release {
    Release::from_parts(bundles, "b", BTreeMap::from([(EKSD_URL.to_owned(), eksd.to_owned())])).unwrap()
}

/// The fixture, signed as its signer would: over the bytes that the release itself says are signed.
fn signed(signer: &Signer) -> String {
    let unsigned = release(BUNDLES, EKSD);
    let bundles = signer.sign(&unsigned.signed_bytes());
    let eksd = signer.sign(&unsigned.eksd_signed_bytes(KubernetesVersion::new(1, 34)).unwrap());
    let annotations = format!(
        "metadata:\n  annotations:\n    anywhere.eks.amazonaws.com/signature: {bundles}\n    \
         distro.eks.amazonaws.com/signature-1-34: {eksd}\n"
    );
    assert!(BUNDLES.contains("metadata:\n"));
    BUNDLES.replacen("metadata:\n", &annotations, 1)
}

fn terms<'a>(signers: &'a Signers, today: &'a str) -> Terms<'a> {
    Terms { signers, require_signature: false, license_key: None, today, asked_version: None }
}

fn codes(findings: &[Finding]) -> Vec<(Severity, &str)> {
    findings.iter().map(|f| (f.severity, f.code.as_str())).collect()
}

const EARLY: &str = "2026-01-01";

#[test]
fn a_signed_release_is_taken_and_a_changed_one_is_not() {
    let signer = Signer::new();
    let signers = Signers::own(&signer.key());
    let spec = defaulted(BASE, &acme()).unwrap();
    let text = signed(&signer);
    let strict = Terms { require_signature: true, ..terms(&signers, EARLY) };
    let good = release(&text, EKSD);
    assert_eq!(good.signature(&signers), Signature::Valid);
    assert_eq!(codes(&good.check(&spec, &strict)), []);

    let changed = text.replacen("kubeVersion: v1.34", "kubeVersion: v1.35", 1);
    assert_ne!(changed, text);
    assert_eq!(
        codes(&release(&changed, EKSD).check(&spec, &terms(&signers, EARLY))),
        [(Severity::Error, "release-signature")]
    );
    let other = EKSD.replacen("number: 19", "number: 20", 1);
    let found = release(&text, &other).check(&spec, &terms(&signers, EARLY));
    assert_eq!(codes(&found), [(Severity::Error, "release-signature")]);
    assert!(found[0].message.contains("EKS-D manifest of Kubernetes 1.34"), "{}", found[0].message);
    let published = Signers::published().unwrap();
    assert_eq!(good.check(&spec, &terms(&published, EARLY)).len(), 2, "somebody else signed both");
}

#[test]
fn a_release_without_signature_is_refused_where_one_is_asked_for() {
    let signers = Signers::published().unwrap();
    let spec = defaulted(BASE, &acme()).unwrap();
    assert_eq!(codes(&release(BUNDLES, EKSD).check(&spec, &terms(&signers, EARLY))), []);
    let strict = Terms { require_signature: true, ..terms(&signers, EARLY) };
    let found = release(BUNDLES, EKSD).check(&spec, &strict);
    assert_eq!(codes(&found), [(Severity::Error, "release-unsigned"), (Severity::Error, "release-unsigned")]);
}

#[test]
fn out_of_standard_support_a_signed_release_wants_a_licence() {
    let (signer, issuer) = (Signer::new(), Signer::new());
    let (signers, license) = (Signers::own(&signer.key()), issuer.key());
    let text = signed(&signer);
    let good = release(&text, EKSD);
    let late = "2027-01-01";
    assert_eq!(good.end_of_standard_support(KubernetesVersion::new(1, 34)), Some("2026-12-31"));
    let spec = |token: &str| {
        let field = format!("  licenseToken: {token}\n  datacenterRef:");
        let text = if token.is_empty() { BASE.to_owned() } else { with("  datacenterRef:", &field) };
        defaulted(&text, &acme()).unwrap()
    };
    let keyed = |today| Terms { license_key: Some(&license), ..terms(&signers, today) };
    assert_eq!(codes(&good.check(&spec(""), &keyed("2026-12-31"))), [], "its last day");
    let found = good.check(&spec(""), &keyed(late));
    assert_eq!(codes(&found), [(Severity::Error, "license-required")]);
    assert!(found[0].remedy.contains("Kubernetes 1.35"), "{}", found[0].remedy);
    assert_eq!(codes(&release(BUNDLES, EKSD).check(&spec(""), &keyed(late))), [(Severity::Note, "extended-support")]);

    let holds = issuer.token("2028-01-01T00:00:00Z");
    assert_eq!(codes(&good.check(&spec(&holds), &keyed(late))), []);
    assert_eq!(codes(&good.check(&spec(&holds), &terms(&signers, late))), [(Severity::Note, "license-unverified")]);
    let over = issuer.token("2026-06-01T00:00:00Z");
    let found = good.check(&spec(&over), &terms(&signers, late));
    assert_eq!(codes(&found), [(Severity::Error, "license")]);
    assert!(found[0].message.contains("2026-06-01"), "{}", found[0].message);
    let forged = Signer::new().token("2028-01-01T00:00:00Z");
    assert_eq!(codes(&good.check(&spec(&forged), &keyed(late))), [(Severity::Error, "license")]);
    assert_eq!(codes(&good.check(&spec("nonsense"), &keyed(late))), [(Severity::Error, "license")]);
}

#[test]
fn versions_of_release_program_and_spec_are_compared() {
    let signers = Signers::published().unwrap();
    let spec = defaulted(BASE, &acme()).unwrap();
    let said = |from: &str, to: &str, asked| {
        assert!(BUNDLES.contains(from), "{from}");
        let terms = Terms { asked_version: asked, ..terms(&signers, EARLY) };
        let found = release(&BUNDLES.replace(from, to), EKSD).check(&spec, &terms);
        codes(&found).into_iter().map(|(s, c)| (s, c.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(
        said("cliMinVersion: v0.26.0", "cliMinVersion: v0.27.0", None),
        [(Severity::Warning, "release-newer".into())]
    );
    assert_eq!(said("version: v1.13.2+", "version: v1.10.4+", None), [(Severity::Error, "release-older".into())]);
    assert_eq!(said("kind", "kind", Some("v0.25.3")), [(Severity::Warning, "release-skew".into())]);
    assert_eq!(said("kind", "kind", Some("v0.26.0")), []);
}
