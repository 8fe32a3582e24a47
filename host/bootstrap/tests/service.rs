//! The service driver against a service on the loopback.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // Helpers of tests are tests too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use kedge_bootstrap::service::Service;
use kedge_bootstrap::{BootstrapError, Driver, Identity, Silent, Wanted};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const KUBECONFIG: &str = "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\n";

fn identity(cluster: &str) -> Identity {
    Identity { cluster: cluster.into(), owner: "me".into(), folder: cluster.into() }
}

fn prod() -> Identity {
    identity("prod")
}

#[derive(Default)]
struct Seen {
    clusters: BTreeMap<String, String>,
    requests: Vec<String>,
    broken: Option<(u16, &'static str)>,
}

/// Serves one request a connection; knows no more HTTP than that.
async fn serve() -> (String, String, Arc<Mutex<Seen>>) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap().self_signed(&key).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let state = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else {
                        return;
                    };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap();
                let (status, body) = answer(&head, &mut state.lock().unwrap());
                let text =
                    format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (url, certificate.pem(), seen)
}

fn answer(head: &str, seen: &mut Seen) -> (u16, String) {
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    seen.requests.push(format!("{method} {path}"));
    if !head.to_lowercase().contains("authorization: bearer secret\r\n") {
        return (401, String::new());
    }
    if let Some((status, body)) = seen.broken {
        return (status, body.to_owned());
    }
    let name = path.strip_prefix("/v1/bootstrap/").unwrap().to_owned();
    let found = |k: &String| (200, serde_json::json!({ "kubeconfig": k }).to_string());
    match method {
        "PUT" => found(seen.clusters.entry(name).or_insert_with(|| KUBECONFIG.to_owned())),
        "GET" => seen.clusters.get(&name).map_or((404, String::new()), found),
        "DELETE" => seen.clusters.remove(&name).map_or((404, String::new()), |_| (204, String::new())),
        _ => (405, String::new()),
    }
}

#[tokio::test]
async fn a_bootstrap_cluster_comes_and_goes() {
    let (url, ca, seen) = serve().await;
    let service = Service::new(&url, "secret", &ca).unwrap();
    assert!(service.temporary());
    assert!(service.find(&prod()).await.unwrap().is_none());
    assert_eq!(service.create(&prod(), &Wanted::default(), &Silent).await.unwrap().kubeconfig, KUBECONFIG);
    assert_eq!(
        service.create(&prod(), &Wanted::default(), &Silent).await.unwrap().kubeconfig,
        KUBECONFIG,
        "making it again hands out the same"
    );
    assert!(service.find(&prod()).await.unwrap().is_some());
    service.delete(&prod()).await.unwrap();
    service.delete(&prod()).await.unwrap();
    assert!(service.find(&prod()).await.unwrap().is_none());
    assert_eq!(seen.lock().unwrap().requests[1], "PUT /v1/bootstrap/prod");
}

#[tokio::test]
async fn a_name_can_not_leave_its_place_in_the_path() {
    let (url, ca, seen) = serve().await;
    let service = Service::new(&url, "secret", &ca).unwrap();
    assert!(service.find(&identity("../../x?y")).await.unwrap().is_none());
    assert_eq!(seen.lock().unwrap().requests, ["GET /v1/bootstrap/..%2F..%2Fx%3Fy"]);
}

#[tokio::test]
async fn refusals_are_told_in_words() {
    let (url, ca, seen) = serve().await;
    let wrong =
        Service::new(&url, "wrong", &ca).unwrap().create(&prod(), &Wanted::default(), &Silent).await.unwrap_err();
    assert!(
        wrong.to_string().ends_with("refused to create the bootstrap cluster of `prod`: it does not accept the token"),
        "{wrong}"
    );
    let service = Service::new(&url, "secret", &ca).unwrap();
    for (status, body, expected) in [
        (500, "", "it has a problem of its own (status 500)"),
        (409, r#"{"message":"there are too many"}"#, "there are too many"),
        (200, "{}", "its answer holds no `kubeconfig`"),
        (200, r#"{"kubeconfig":""}"#, "it has no current context"),
    ] {
        seen.lock().unwrap().broken = Some((status, body));
        let error = service.create(&prod(), &Wanted::default(), &Silent).await.unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(!format!("{error:?} {error}").contains("secret"));
    }
}

#[tokio::test]
async fn an_authority_that_did_not_sign_is_not_trusted() {
    let (url, _, _) = serve().await;
    let (_, other, _) = serve().await;
    let error = Service::new(&url, "secret", &other).unwrap().find(&prod()).await.unwrap_err();
    assert!(matches!(error, BootstrapError::Unreachable { .. }), "{error}");
}

#[test]
fn bad_addresses_and_authorities_are_refused_at_once() {
    assert!(matches!(Service::new("http://127.0.0.1", "t", ""), Err(BootstrapError::Address { .. })));
    assert!(matches!(Service::new("nonsense", "t", ""), Err(BootstrapError::Address { .. })));
    assert!(matches!(Service::new("https://127.0.0.1", "t", "nonsense"), Err(BootstrapError::Authority { .. })));
}
