//! The simulated Kubernetes API over TLS, with a plain HTTP client.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is missing")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use kedge_lab::kube::{ClusterConfig, KubeCluster};
use kedge_lab::tls::Certificate;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

struct Client {
    cluster: KubeCluster,
    identity: Option<Certificate>,
    token: Option<String>,
}

impl Client {
    async fn start() -> Self {
        let cluster = KubeCluster::start(ClusterConfig::new("test", "v1.34.1")).await.unwrap();
        let identity = cluster.ca().issue_client("me", "system:masters").unwrap();
        Self { cluster, identity: Some(identity), token: None }
    }

    fn as_nobody(&self) -> Self {
        Self { cluster: self.cluster.clone(), identity: None, token: None }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.cluster.ca().cert_pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(identity) => config
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(identity.cert_pem.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        let stream = TcpStream::connect(self.cluster.address()).await.unwrap();
        let name = ServerName::try_from("kubernetes.default.svc").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    fn request(&self, method: Method, path: &str, content_type: &str, body: &Value) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).header("host", "kubernetes");
        if !body.is_null() {
            request = request.header("content-type", content_type);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        request.body(Full::new(bytes)).unwrap()
    }

    async fn ask(&self, method: Method, path: &str, content_type: &str, body: Value) -> (StatusCode, Value) {
        let response = self.send(self.request(method, path, content_type, &body)).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path, "", Value::Null).await
    }

    async fn get_as(&self, path: &str, accept: &str) -> Value {
        let mut request = self.request(Method::GET, path, "", &Value::Null);
        request.headers_mut().insert("accept", accept.parse().unwrap());
        let bytes = self.send(request).await.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(Method::POST, path, "application/json", body).await
    }

    async fn patch(&self, path: &str, content_type: &str, body: Value) -> (StatusCode, Value) {
        self.ask(Method::PATCH, path, content_type, body).await
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}})
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn only_those_who_are_known_are_answered() {
    let client = Client::start().await;
    let nobody = client.as_nobody();
    let (status, body) = nobody.get(MAPS).await;
    assert_eq!((status, &body["reason"]), (StatusCode::UNAUTHORIZED, &json!("Unauthorized")));
    assert_eq!(nobody.get("/version").await.1["gitVersion"], "v1.34.1");
    assert_eq!(nobody.get("/readyz").await, (StatusCode::OK, json!("ok")));
    assert_eq!(client.get(MAPS).await.0, StatusCode::OK);
    let mut by_token = client.as_nobody();
    by_token.token = Some("wrong".to_owned());
    assert_eq!(by_token.get(MAPS).await.0, StatusCode::UNAUTHORIZED);
    by_token.token = Some(client.cluster.token().to_owned());
    assert_eq!(by_token.get(MAPS).await.0, StatusCode::OK);
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let (_, who) = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review).await;
    assert_eq!(who["status"]["userInfo"]["username"], "me");
    assert!(client.cluster.requests() >= 7);
}

#[tokio::test]
async fn objects_are_created_read_changed_and_deleted() {
    let client = Client::start().await;
    let (status, made) = client.post(MAPS, config_map("a")).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, error) = client.post(MAPS, config_map("a")).await;
    assert_eq!((status, &error["reason"]), (StatusCode::CONFLICT, &json!("AlreadyExists")));
    assert_eq!(error["details"], json!({"name": "a", "kind": "configmaps"}));
    let at = format!("{MAPS}/a");
    let (_, dry) = client.patch(&format!("{at}?dryRun=All"), MERGE, json!({"data": {"k": "w"}})).await;
    assert_eq!(dry["data"]["k"], "w");
    assert_eq!(client.get(&at).await.1, made);
    let (_, changed) = client.patch(&at, STRATEGIC, json!({"data": {"k": null, "l": "m"}})).await;
    assert_eq!(changed["data"], json!({"l": "m"}));
    let (status, error) = client.ask(Method::PUT, &at, "application/json", made).await;
    assert_eq!((status, &error["reason"]), (StatusCode::CONFLICT, &json!("Conflict")));
    let (status, error) = client.patch(&at, "text/plain", json!({})).await;
    assert_eq!((status, &error["reason"]), (StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!("UnsupportedMediaType")));
    let (status, gone) = client.ask(Method::DELETE, &at, "", Value::Null).await;
    assert_eq!((status, &gone["status"]), (StatusCode::OK, &json!("Success")));
    let (status, error) = client.get(&at).await;
    assert_eq!((status, &error["message"]), (StatusCode::NOT_FOUND, &json!("configmaps \"a\" not found")));
    assert_eq!(client.get("/api/v1/nonsense").await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.get("/apis/example.com/v1/x").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unknown_fields_are_refused_told_or_dropped_as_asked() {
    let client = Client::start().await;
    let mut wrong = config_map("a");
    wrong["dta"] = json!({});
    let (status, error) = client.post(&format!("{MAPS}?fieldValidation=Strict"), wrong.clone()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["message"].as_str().unwrap().contains("strict decoding error: unknown field \"dta\""), "{error}");
    let response = client.send(client.request(Method::POST, MAPS, "application/json", &wrong)).await;
    assert_eq!(response.headers()["warning"], "299 - \"unknown field \\\"dta\\\"\"");
    assert_eq!(client.get(&format!("{MAPS}/a")).await.1.get("dta"), None);
}

#[tokio::test]
async fn server_side_apply_conflicts_name_manager_and_field() {
    let client = Client::start().await;
    let at = |manager: &str| format!("{MAPS}/a?fieldManager={manager}");
    let (status, _) = client.patch(&at("one"), APPLY, config_map("a")).await;
    assert_eq!(status, StatusCode::CREATED);
    let mut other = config_map("a");
    other["data"]["k"] = json!("w");
    let (status, error) = client.patch(&at("two"), APPLY, other.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(
        error["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.k"}])
    );
    let (status, forced) = client.patch(&format!("{}&force=true", at("two")), APPLY, other).await;
    assert_eq!((status, &forced["data"]["k"]), (StatusCode::OK, &json!("w")));
    let (status, _) = client.patch(&format!("{MAPS}/a"), APPLY, config_map("a")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn discovery_openapi_and_tables_are_what_clients_expect() {
    let client = Client::start().await;
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let groups = client.get_as("/apis", aggregated).await;
    assert_eq!(groups["kind"], "APIGroupDiscoveryList");
    let apps = groups["items"].as_array().unwrap().iter().find(|item| item["metadata"]["name"] == "apps").unwrap();
    let resources = apps["versions"][0]["resources"].as_array().unwrap();
    let deployments = resources.iter().find(|resource| resource["resource"] == "deployments").unwrap();
    assert_eq!(deployments["responseKind"], json!({"group": "apps", "version": "v1", "kind": "Deployment"}));
    assert_eq!(client.get("/apis").await.1["kind"], "APIGroupList");
    assert_eq!(client.get("/api/v1").await.1["groupVersion"], "v1");
    let (_, index) = client.get("/openapi/v3").await;
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let (_, document) = client.get(&url).await;
    let containers = &document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    client.post(MAPS, config_map("a")).await;
    let table = client
        .get_as(&format!("{MAPS}?fieldSelector=metadata.name=a"), "application/json;as=Table;v=v1;g=meta.k8s.io")
        .await;
    let names: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Name", "Data", "Age"]);
    assert_eq!(table["rows"][0]["cells"][1], 1);
}

async fn next_event(body: &mut Incoming, rest: &mut Vec<u8>) -> Value {
    loop {
        if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            return serde_json::from_slice(&line).unwrap();
        }
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.expect("an event in time");
        rest.extend(frame.expect("the watch goes on").unwrap().into_data().unwrap());
    }
}

#[tokio::test]
async fn watches_tell_of_changes_to_what_is_selected() {
    let client = Client::start().await;
    client.post(MAPS, config_map("before")).await;
    let (_, list) = client.get(MAPS).await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{MAPS}?watch=true&resourceVersion={version}&labelSelector=x%3Dy");
    let mut body = client.send(client.request(Method::GET, &path, "", &Value::Null)).await.into_body();
    let mut rest = Vec::new();
    let at = format!("{MAPS}/before");
    client.patch(&at, MERGE, json!({"metadata": {"labels": {"x": "y"}}})).await;
    client.patch(&at, MERGE, json!({"data": {"k": "2"}})).await;
    client.patch(&at, MERGE, json!({"metadata": {"labels": {"x": "z"}}})).await;
    for wanted in ["ADDED", "MODIFIED", "DELETED"] {
        assert_eq!(next_event(&mut body, &mut rest).await["type"], wanted);
    }

    let path =
        format!("{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let mut body = client.send(client.request(Method::GET, &path, "", &Value::Null)).await.into_body();
    let mut rest = Vec::new();
    let mut seen = Vec::new();
    loop {
        let event = next_event(&mut body, &mut rest).await;
        if event["type"] == "BOOKMARK" {
            assert_eq!(event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
            break;
        }
        seen.push(event["object"]["metadata"]["name"].clone());
    }
    assert_eq!(seen, [json!("before"), json!("kube-root-ca.crt")]);
}

#[tokio::test]
async fn a_definition_is_served_at_once_and_scales() {
    let client = Client::start().await;
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                    "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}}}}}}]}});
    let (_, made) = client.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).await;
    assert_eq!(made["status"]["conditions"][1]["type"], "Established");
    let all = "/apis/example.com/v1/namespaces/default/widgets";
    let widget =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"replicas": 1}});
    assert_eq!(client.post(all, widget).await.0, StatusCode::CREATED);
    let (_, scale) = client.patch(&format!("{all}/a/scale"), MERGE, json!({"spec": {"replicas": 3}})).await;
    assert_eq!((&scale["kind"], &scale["spec"]["replicas"]), (&json!("Scale"), &json!(3)));
    let (status, _) = client.patch(&format!("{all}/a"), STRATEGIC, json!({"spec": {"replicas": 2}})).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (_, object) = client
        .patch(&format!("{all}/a/status"), MERGE, json!({"status": {"replicas": 3}, "spec": {"replicas": 9}}))
        .await;
    assert_eq!((&object["spec"], &object["status"]), (&json!({"replicas": 3}), &json!({"replicas": 3})));
    assert_eq!(object["metadata"]["generation"], 2);
}

#[tokio::test]
async fn a_stopped_cluster_answers_nobody() {
    let client = Client::start().await;
    let address = client.cluster.address();
    client.cluster.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
