//! Requests against a server in memory.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{Api, Retry};
use crate::error::Error;
use crate::object::{ObjectId, TypeRef, kinds};
use crate::testing::{Said, Server, Trouble};

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "n", "labels": {"a": "1"}}})
}

fn trouble(method: Method, times: usize, code: u16, reason: &'static str, message: &'static str) -> Trouble {
    Trouble { method, at: "/secrets", times, code, reason, message }
}

#[tokio::test]
async fn objects_come_and_go() {
    let server = Server::new();
    let api = server.api();
    let id = ObjectId::namespaced(kinds::SECRET, "n", "s");
    assert_eq!(api.get(&id).await.unwrap(), None);
    api.create(&secret("s"), true).await.unwrap();
    assert_eq!(api.get(&id).await.unwrap(), None, "a dry run keeps nothing");
    api.create(&secret("s"), false).await.unwrap();
    assert_eq!(api.create(&secret("s"), false).await.unwrap_err().reason(), "AlreadyExists");
    api.apply(&[json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"k": "dg=="}})], "kedge").await.unwrap();
    let patched = api.patch(&id, &json!({"data": {"l": "dw=="}})).await.unwrap().unwrap();
    assert_eq!(patched["data"], json!({"k": "dg==", "l": "dw=="}));
    assert!(api.delete(&id, Some("uid")).await.unwrap());
    assert!(!api.delete(&id, None).await.unwrap());
    assert_eq!(api.patch(&id, &json!({})).await.unwrap(), None);
}

#[tokio::test]
async fn lists_come_in_pages_and_with_their_type() {
    let server = Server::new();
    for n in 0..5 {
        server.put(secret(&format!("s{n}")));
    }
    let found = server.api().list(&kinds::SECRET, Some("n"), Some("a=1")).await.unwrap();
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|o| o["kind"] == "Secret"));
    assert_eq!(server.api().list(&kinds::SECRET, Some("n"), Some("a=2")).await.unwrap().len(), 0);
}

#[tokio::test]
async fn kinds_are_asked_for_once_and_again_when_unknown() {
    let server = Server::new();
    let api = server.api();
    for _ in 0..3 {
        api.list(&kinds::SECRET, None, None).await.unwrap();
    }
    assert_eq!(server.requests().iter().filter(|r| *r == "GET /api/v1").count(), 1);
    let unknown = TypeRef::of("example.com/v1", "Thing");
    let error = api.list(&unknown, None, None).await.unwrap_err();
    assert_eq!(error.to_string(), "https://fake has no kind `Thing` in `example.com/v1`");
    assert!(error.help().contains("Thing"));
    assert_eq!(api.get(&ObjectId::namespaced(unknown.clone(), "n", "x")).await.unwrap(), None);
    assert!(!api.serves(&unknown).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_does_not_answer_yet_is_asked_again() {
    for message in [
        "Internal error occurred: failed calling webhook \"x\": connection refused",
        "conversion webhook for cluster.x-k8s.io/v1beta1 failed: no endpoints available for service \"capi\"",
        "failed calling webhook \"x\": x509: certificate signed by unknown authority",
    ] {
        let server = Server::new();
        server.trouble(trouble(Method::POST, 3, 500, "InternalError", message));
        let said = Said::default();
        server.api().reporting(Arc::new(said.clone())).create(&secret("s"), false).await.unwrap();
        assert_eq!(server.requests().iter().filter(|r| r.starts_with("POST")).count(), 4);
        let said = said.all();
        assert!(
            said.iter().any(|s| s.starts_with("Secret n/s: https://fake can't create it yet (") && s.contains(message)),
            "{said:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn asking_again_has_an_end() {
    let server = Server::new();
    server.trouble(trouble(Method::POST, usize::MAX, 503, "ServiceUnavailable", "etcd is away"));
    let start = tokio::time::Instant::now();
    let error = server.api().create(&secret("s"), false).await.unwrap_err();
    assert!(
        start.elapsed() > Duration::from_secs(100) && start.elapsed() <= Duration::from_secs(160),
        "{:?}",
        start.elapsed()
    );
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_transient());
    assert_eq!(error.to_string(), "https://fake could not create Secret n/s: etcd is away");
}

#[tokio::test(start_paused = true)]
async fn what_is_final_fails_at_once() {
    for (code, reason, message, expected, help) in [
        (
            422,
            "Invalid",
            "Secret \"s\" is invalid: data: too long",
            "refused to create Secret n/s: Secret \"s\" is invalid: data: too long",
            "correct the field",
        ),
        (403, "Forbidden", "user cannot create", "refused to create Secret n/s", "use a kubeconfig whose user may"),
        (401, "Unauthorized", "Unauthorized", "refused to create", "fetch the kubeconfig again"),
        (
            403,
            "Forbidden",
            "admission webhook \"v.x\" denied the request: context deadline exceeded is a bad name",
            "the webhook \"v.x\" denied",
            "correct the field",
        ),
        (
            409,
            "Conflict",
            "Apply failed with 1 conflict: conflict with \"kubectl\": .data.k",
            "conflict with \"kubectl\": .data.k",
            "another writer",
        ),
    ] {
        let server = Server::new();
        server.trouble(trouble(Method::POST, usize::MAX, code, reason, message));
        let error = server.api().create(&secret("s"), false).await.unwrap_err();
        assert_eq!(server.requests().iter().filter(|r| r.starts_with("POST")).count(), 1, "{message}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.help().contains(help), "{error}: {}", error.help());
        assert!(!error.to_string().ends_with('.') && error.code() == Some(code));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    // Port 1 of the loopback address: nobody listens there.
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: k\n  cluster: {server: 'http://127.0.0.1:1'}\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\nusers:\n- name: u\n  user: {}\n";
    let api = Api::from_kubeconfig(kubeconfig).await.unwrap().retrying(Retry::never());
    let error = api.version().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("http://127.0.0.1:1 could not say its version of Kubernetes: ")
            && text.to_lowercase().contains("connect"),
        "{text}"
    );
    assert!(error.help().contains("address"));
}

#[tokio::test]
async fn a_kubeconfig_that_is_none_is_refused() {
    for text in ["", "a: b", "{{{", "apiVersion: v1\nkind: Config\ncurrent-context: c\n"] {
        let error = Api::from_kubeconfig(text).await.unwrap_err();
        assert!(error.to_string().starts_with("the kubeconfig can't be used: "), "{error}");
    }
}

#[tokio::test]
async fn an_object_without_a_name_is_refused_before_it_is_sent() {
    let server = Server::new();
    let error = server.api().create(&json!({"apiVersion": "v1", "kind": "Secret"}), false).await.unwrap_err();
    assert_eq!(error.to_string(), "Secret without a name has no `metadata.name`");
    assert!(server.requests().is_empty());
}
