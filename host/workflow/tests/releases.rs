//! Releases from a server on the loopback: the list, the bundles, the EKS-D manifests; signed by a key of the test's own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests are tests too.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kedge_lab::release;
use kedge_spec::KubernetesVersion;
use kedge_spec::release::Release;
use kedge_workflow::{Options, Silent, WorkflowError, commands};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use common::Wanted::Small;
use common::{options, spec, spec_text, words};

/// Files by path; what is asked for is written down.
#[derive(Default)]
struct Site {
    files: BTreeMap<String, String>,
    asked: BTreeSet<String>,
    down: bool,
}

/// A server, its address, and what it serves.
async fn site() -> (String, Arc<Mutex<Site>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let site = Arc::new(Mutex::new(Site::default()));
    let state = Arc::clone(&site);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
            let answer = {
                let mut site = state.lock().unwrap();
                site.asked.insert(path.clone());
                match site.files.get(&path) {
                    _ if site.down => continue,
                    Some(text) => {
                        format!("HTTP/1.1 200 -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len())
                    }
                    None => "HTTP/1.1 404 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
                }
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, site)
}

/// The version of the spec that the tests take.
fn version() -> KubernetesVersion {
    let text = spec_text(&spec(Small));
    let line = text.lines().find(|l| l.trim_start().starts_with("kubernetesVersion:")).unwrap();
    line.split(':').nth(1).unwrap().trim().trim_matches('"').parse().unwrap()
}

/// The release that the program carries, as one that a site publishes: with a list, relative addresses, and signatures.
fn publish(site: &Mutex<Site>, signer: &EcdsaKeyPair) {
    let carried = release::embedded();
    let text = carried.bundles_yaml.replace("embedded:eksd/", "eksd/");
    let mut site = site.lock().unwrap();
    let mut eksd = BTreeMap::new();
    for (path, text) in carried.files().filter(|(path, _)| path.starts_with("eksd/")) {
        site.files.insert(format!("100/{path}"), text.to_owned());
        eksd.insert(path.to_owned(), text.to_owned());
    }
    let read = Release::from_parts(&text, "b", eksd).unwrap();
    let sign = |message: &[u8]| STANDARD.encode(signer.sign(&SystemRandom::new(), message).unwrap());
    let channel = version().to_string().replace('.', "-");
    let annotations = format!(
        "annotations: {{anywhere.eks.amazonaws.com/signature: '{}', distro.eks.amazonaws.com/signature-{channel}: '{}'}}",
        sign(&read.signed_bytes()),
        sign(&read.eksd_signed_bytes(version()).unwrap())
    );
    let name = format!("metadata: {{name: {}", carried.name);
    assert!(text.contains(&name));
    let whole = text.replacen(&name, &format!("{name}, {annotations}"), 1);
    site.files.insert("100/bundles.yaml".into(), whole);
    let list = "kind: Release\nspec:\n  latestVersion: v0.26.1\n  releases:\n  \
         - {version: v0.25.2, bundleManifestUrl: 99/bundles.yaml}\n  \
         - {version: v0.26.1, date: '2026-08-01', gitCommit: abc, bundleManifestUrl: 100/bundles.yaml}\n";
    site.files.insert("manifest.yaml".into(), list.into());
}

fn signer() -> (EcdsaKeyPair, String) {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref(), &random).unwrap();
    // A P-256 key in its usual form: a head that never changes, and the point.
    let mut der = vec![0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08];
    der.extend_from_slice(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00]);
    der.extend_from_slice(pair.public_key().as_ref());
    (pair, format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der)))
}

fn from(home: &Path, address: &str, text: &str) -> Options {
    let mut options = options(home, "spec.yaml", text);
    options.release = format!("{address}/manifest.yaml");
    options.cache = Some(home.join("cache"));
    options
}

async fn rejected(options: &Options, expected: &str) -> WorkflowError {
    let error = commands::render(options, &Silent).await.unwrap_err();
    let text = words(&error);
    assert!(text.contains(expected), "{text}");
    assert_eq!(error.exit_code(), 3, "{text}");
    error
}

#[tokio::test]
async fn the_list_leads_to_the_bundles_and_they_to_eks_d() {
    let home = tempfile::tempdir().unwrap();
    let (address, site) = site().await;
    let (pair, pem) = signer();
    publish(&site, &pair);
    let text = spec_text(&spec(Small));
    let key = home.path().join("site.pem");
    std::fs::write(&key, &pem).unwrap();
    let mut options = from(home.path(), &address, &text);
    options.release_key = Some(key.clone());
    options.require_signed_release = true;
    let rendered = commands::render(&options, &Silent).await.unwrap_or_else(|e| panic!("{}", words(&e)));
    let asked: Vec<_> = site.lock().unwrap().asked.iter().cloned().collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[0], "100/bundles.yaml");
    assert!(
        asked[1].starts_with(&format!("100/eksd/kubernetes-{}-", version().to_string().replace('.', "-"))),
        "{asked:?}"
    );

    // Somebody else's key does not fit.
    let published = Options { release_key: None, ..options.clone() };
    rejected(&published, "release-signature").await;

    // Without the server, the copies do.
    site.lock().unwrap().down = true;
    assert_eq!(commands::render(&options, &Silent).await.unwrap(), rendered);
    site.lock().unwrap().down = false;

    // What is changed on the way is refused.
    let changed = site.lock().unwrap().files["100/bundles.yaml"].replace("kubeVersion: v1.", "kubeVersion: v2.");
    site.lock().unwrap().files.insert("100/bundles.yaml".into(), changed);
    options.cache = None;
    rejected(&options, "release-signature").await;

    std::fs::write(&key, "no key").unwrap();
    rejected(&options, "it is not an ECDSA public key").await;
}

#[tokio::test]
async fn the_spec_picks_the_release_of_the_list() {
    let home = tempfile::tempdir().unwrap();
    let (address, site) = site().await;
    publish(&site, &signer().0);
    let text = spec_text(&spec(Small));
    let asks = |version: &str| {
        text.replacen("  kubernetesVersion:", &format!("  eksaVersion: {version}\n  kubernetesVersion:"), 1)
    };
    let error = rejected(
        &from(home.path(), &address, &asks("v0.23.0")),
        "has no release `v0.23.0`; it has `v0.26.1`, `v0.25.2`",
    )
    .await;
    assert!(matches!(error, WorkflowError::Release(_)));
    let error = rejected(&from(home.path(), &address, &asks("v0.25.2")), "99/bundles.yaml").await;
    assert!(matches!(error, WorkflowError::Fetch(_)), "{error:?}");
    assert!(site.lock().unwrap().asked.contains("99/bundles.yaml"));
}

#[tokio::test]
async fn an_unsigned_release_is_refused_where_a_signature_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let name = &spec(Small);
    let mut options = options(home.path(), name, &spec_text(name));
    commands::render(&options, &Silent).await.unwrap_or_else(|e| panic!("{}", words(&e)));
    options.require_signed_release = true;
    rejected(&options, "is not signed").await;
}
