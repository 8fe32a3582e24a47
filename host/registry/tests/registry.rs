//! Pushing and pulling, with a registry on loopback that does as it should, and one that does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::path::Path;

use kedge_registry::{Component, Layout, Login, Registry, RegistryError, Settings, Signature, SigningKey, digest};
use support::{Door, Lie, Server, logins};

const MOST: u64 = 1 << 20;

/// Not a component: nothing here looks into it.
fn wasm() -> Vec<u8> {
    (0..5_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn component() -> Component {
    Component {
        imports: vec!["kedge:provider/log@0.1.0".into()],
        exports: vec!["kedge:provider/describe@0.1.0".into()],
        name: Some("lab".into()),
        version: Some("1.2.3".into()),
    }
}

fn key(folder: &Path) -> SigningKey {
    let path = folder.join("key.pem");
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(&path, pair.serialize_pem()).unwrap();
    SigningKey::read(&path).unwrap()
}

#[tokio::test]
async fn what_is_pushed_is_pulled() {
    let server = Server::start().await;
    let registry = server.client();
    let tagged = server.reference("lab:1.2.3");
    let pushed = registry.push(&tagged, &wasm(), &component(), Some("c2ln\n"), None).await.unwrap();
    assert_eq!((pushed.digest.as_str(), pushed.signed), (digest(&wasm()).as_str(), false));
    assert!(pushed.reference.ends_with(&format!("/acme/lab@{}", pushed.manifest)), "{}", pushed.reference);
    // The same plugin again is the same artifact.
    let again =
        registry.push(&server.reference("lab:latest"), &wasm(), &component(), Some("c2ln"), None).await.unwrap();
    assert_eq!(again.manifest, pushed.manifest);
    for reference in [tagged, pushed.reference.parse().unwrap()] {
        let pulled = registry.pull(&reference, MOST).await.unwrap();
        assert_eq!((pulled.wasm, pulled.signature.as_deref()), (wasm(), Some("c2ln")));
        assert_eq!((pulled.manifest_digest, pulled.reference), (pushed.manifest.clone(), reference.to_string()));
        let config: serde_json::Value = serde_json::from_slice(&pulled.config).unwrap();
        assert_eq!((&config["architecture"], &config["os"]), (&"wasm".into(), &"wasip2".into()));
        assert_eq!(config["component"]["imports"][0], "kedge:provider/log@0.1.0");
        assert_eq!(config["layerDigests"][0], digest(&wasm()));
    }
}

#[tokio::test]
async fn a_registry_that_lies_is_found_out() {
    let server = Server::start().await;
    let registry = server.client();
    let by_tag = server.reference("lab:1");
    let pushed = registry.push(&by_tag, &wasm(), &component(), None, None).await.unwrap();
    let by_digest = pushed.reference.parse().unwrap();
    for (lie, reference, wanted) in [
        (Lie::OtherBlob, &by_tag, "something else"),
        (Lie::LongerBlob, &by_tag, "larger than"),
        (Lie::OtherManifest, &by_digest, "something else"),
        (Lie::Index, &by_tag, "not a plugin"),
        (Lie::HugeLayer, &by_tag, "larger than 1048576 bytes"),
        (Lie::EndlessManifest, &by_tag, "larger than 1048576 bytes"),
        (Lie::Redirects, &by_tag, "too many redirects"),
    ] {
        server.lie(Some(lie));
        server.held.lock().unwrap().asked.clear();
        let error = registry.pull(reference, MOST).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{lie:?}: {error}");
        assert!(!error.remedy().is_empty());
        let asked = server.held.lock().unwrap().asked.clone();
        // Of what is no plugin, or too large, not a byte is fetched.
        let read_on = matches!(lie, Lie::OtherBlob | Lie::LongerBlob);
        assert!(read_on || !asked.iter().any(|a| a.contains(&pushed.digest)), "{lie:?}: {asked:?}");
    }
    server.lie(None);
    registry.pull(&by_tag, MOST).await.unwrap();
}

#[tokio::test]
async fn both_kinds_of_login_let_in_and_a_wrong_one_does_not() {
    let server = Server::start().await;
    let login = |password: &str| Login::Password { user: "me".into(), password: password.into() };
    for door in [Door::Basic("me".into(), "secret".into()), Door::Bearer("me".into(), "secret".into())] {
        server.door(door.clone());
        let reference = server.reference("lab:1");
        server.client_as(login("secret")).push(&reference, &wasm(), &component(), None, None).await.unwrap();
        server.client_as(login("secret")).pull(&reference, MOST).await.unwrap();
        for wrong in [login("wrong"), Login::Anonymous] {
            let error = server.client_as(wrong.clone()).pull(&reference, MOST).await.unwrap_err();
            let logged_in = wrong != Login::Anonymous;
            assert!(
                matches!(&error, RegistryError::Denied { logged_in: l, .. } if *l == logged_in),
                "{door:?}: {error}"
            );
            assert!(error.remedy().contains("docker login"));
            assert!(!error.to_string().contains("secret") && !error.to_string().contains("wrong"), "{error}");
        }
    }
    // A login is not sent to a server without TLS that the registry names.
    server.lie(Some(Lie::TokensInTheClear));
    let error = server.client_as(login("secret")).pull(&server.reference("lab:1"), MOST).await.unwrap_err();
    assert!(error.to_string().contains("no TLS"), "{error}");
    // A configuration that can't be read is said, and not taken for none.
    let broken = Registry::new(server.settings(), std::sync::Arc::new(|_| Err("no helper".to_owned()))).unwrap();
    let error = broken.pull(&server.reference("lab:1"), MOST).await.unwrap_err();
    assert!(matches!(error, RegistryError::Credentials { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let server = Server::start().await;
    let error = server.client().pull(&server.reference("nothing:1"), MOST).await.unwrap_err();
    assert!(matches!(error, RegistryError::Missing { .. }) && error.to_string().contains("acme/nothing:1"), "{error}");
    // Nobody listens there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap().to_string();
    drop(listener);
    let settings = Settings { plain_http: vec![closed.clone()], ..Settings::default() };
    let lonely = Registry::new(settings, logins(Login::Anonymous)).unwrap();
    let error = lonely.pull(&format!("{closed}/a:1").parse().unwrap(), MOST).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    // A registry without TLS is not taken for one unless that was said.
    let strict = Registry::new(Settings::default(), logins(Login::Anonymous)).unwrap();
    let error = strict.pull(&server.reference("lab:1"), MOST).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn mirrors_are_asked_first_and_passed_over_if_they_can_not_help() {
    let (mirror, origin) = (Server::start().await, Server::start().await);
    let name = origin.reference("lab:1");
    origin.client().push(&name, &wasm(), &component(), None, None).await.unwrap();
    let settings = || {
        let mut settings = Settings {
            plain_http: vec![mirror.address.to_string(), origin.address.to_string()],
            ..Settings::default()
        };
        settings.mirror(&format!("{}={}/cache", origin.address, mirror.address)).unwrap();
        settings
    };
    let registry = Registry::new(settings(), logins(Login::Anonymous)).unwrap();
    // The mirror does not have it.
    let pulled = registry.pull(&name, MOST).await.unwrap();
    assert_eq!(pulled.reference, name.to_string());
    assert!(mirror.held.lock().unwrap().asked.iter().any(|a| a == "GET /v2/cache/acme/lab/manifests/1"));
    // Now it has, and nobody else is asked.
    mirror
        .client()
        .push(&format!("{}/cache/acme/lab:1", mirror.address).parse().unwrap(), &wasm(), &component(), None, None)
        .await
        .unwrap();
    origin.held.lock().unwrap().asked.clear();
    assert_eq!(registry.pull(&name, MOST).await.unwrap(), pulled);
    assert!(origin.held.lock().unwrap().asked.is_empty());
    // It lies: the one that is named by digest is had from where it is true.
    mirror.lie(Some(Lie::OtherBlob));
    assert_eq!(registry.pull(&name, MOST).await.unwrap().wasm, wasm());
}

#[tokio::test]
async fn a_layout_holds_what_a_registry_did() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let registry = server.client();
    let name = server.reference("lab:1");
    let pushed = registry.push(&name, &wasm(), &component(), Some("c2ln"), Some(&key(folder.path()))).await.unwrap();
    let pulled = registry.pull(&name, MOST).await.unwrap();
    assert!(
        pushed.signed
            && matches!(pulled.signatures.as_slice(), [Signature::Cosign { payload, .. }] if payload.contains(&pushed.manifest))
    );
    for path in [folder.path().join("layout"), folder.path().join("layout.tar")] {
        Layout::write(&path, &pulled).unwrap();
        assert!(Layout::write(&path, &pulled).is_err(), "nothing is written over");
        let layout = Layout::open(&path).unwrap();
        assert_eq!(layout.pull(Some(&name), MOST).await.unwrap(), pulled);
        let by_digest = pushed.reference.parse().unwrap();
        assert_eq!(layout.pull(Some(&by_digest), MOST).await.unwrap().wasm, wasm());
        assert_eq!(layout.pull(None, MOST).await.unwrap().signatures, pulled.signatures);
        let error = layout.pull(Some(&server.reference("lab:2")), MOST).await.unwrap_err();
        assert!(matches!(error, RegistryError::Missing { .. }), "{error}");
        let error = layout.pull(None, 100).await.unwrap_err();
        assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
    }
    // A blob that was changed, and things that are no layout.
    let blob = folder.path().join("layout/blobs/sha256").join(pushed.digest.trim_start_matches("sha256:"));
    let mut changed = wasm();
    changed[0] ^= 1;
    std::fs::write(&blob, changed).unwrap();
    let error = Layout::open(folder.path().join("layout")).unwrap().pull(None, MOST).await.unwrap_err();
    assert!(matches!(error, RegistryError::Lie { .. }), "{error}");
    std::fs::write(folder.path().join("not.tar"), b"nothing of the kind").unwrap();
    for path in [folder.path().to_owned(), folder.path().join("not.tar"), folder.path().join("absent")] {
        let error = Layout::open(&path).unwrap_err();
        assert!(matches!(error, RegistryError::Layout { .. }), "{error}");
    }
}

#[test]
fn keys_that_can_not_sign_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    for (text, wanted) in [("nothing".to_owned(), "no private key"), (ed.serialize_pem(), "P-256")] {
        std::fs::write(&path, text).unwrap();
        let error = SigningKey::read(&path).err().unwrap();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
