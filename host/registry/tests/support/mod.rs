//! A registry that the tests start on loopback: honest or not, with a login of each kind or none, with TLS or not.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use kedge_registry::{Login, Logins, Registry, Settings};
use sha2::{Digest, Sha256};

pub fn sha(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// How a registry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Another component under the layer's digest, of the same length.
    OtherBlob,
    /// More bytes than the manifest says.
    LongerBlob,
    /// Another manifest under its digest.
    OtherManifest,
    /// An index in place of a manifest.
    Index,
    /// A layer of a terabyte.
    HugeLayer,
    /// A manifest without an end.
    EndlessManifest,
    /// A blob behind a redirect to itself, again and again.
    Redirects,
    /// A server for tokens without TLS, somewhere else.
    TokensInTheClear,
}

/// How somebody gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    Open,
    /// `Authorization: Basic` with this name and password.
    Basic(String, String),
    /// A token of `/token`, for this name and password.
    Bearer(String, String),
}

/// What a registry holds.
pub struct Held {
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub manifests: BTreeMap<String, Vec<u8>>,
    pub lie: Option<Lie>,
    pub door: Door,
    /// Method and path of each request.
    pub asked: Vec<String>,
}

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    pub held: Arc<Mutex<Held>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let held =
            Held { blobs: BTreeMap::new(), manifests: BTreeMap::new(), lie: None, door: Door::Open, asked: Vec::new() };
        let server = Self { address: listener.local_addr().unwrap(), held: Arc::new(Mutex::new(held)) };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.answer(request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        server
    }

    pub fn lie(&self, lie: Option<Lie>) {
        self.held.lock().unwrap().lie = lie;
    }

    pub fn door(&self, door: Door) {
        self.held.lock().unwrap().door = door;
    }

    pub fn settings(&self) -> Settings {
        Settings { plain_http: vec![self.address.to_string()], ..Settings::default() }
    }

    pub fn client(&self) -> Registry {
        self.client_as(Login::Anonymous)
    }

    pub fn client_as(&self, login: Login) -> Registry {
        Registry::new(self.settings(), logins(login)).unwrap()
    }

    pub fn reference(&self, rest: &str) -> kedge_registry::Reference {
        format!("{}/acme/{rest}", self.address).parse().unwrap()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let mut held = self.held.lock().unwrap();
        held.asked.push(format!("{} {path}", parts.method));
        let respond = |status: StatusCode| Response::builder().status(status);
        let empty = || Full::new(Bytes::new());
        let given = parts.headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let basic = |user: &str, password: &str| {
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
        };
        match held.door.clone() {
            Door::Open => {}
            Door::Basic(user, password) if given == basic(&user, &password) => {}
            Door::Basic(..) => {
                let wants = respond(StatusCode::UNAUTHORIZED).header("www-authenticate", "Basic realm=\"registry\"");
                let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}"#;
                return wants.body(Full::new(Bytes::from(body))).unwrap();
            }
            Door::Bearer(user, password) if path == "/token" => {
                let query = parts.uri.query().unwrap_or_default();
                return if given == basic(&user, &password) && query.contains("scope=repository%3Aacme%2F") {
                    respond(StatusCode::OK).body(Full::new(Bytes::from(r#"{"token":"pass"}"#))).unwrap()
                } else {
                    respond(StatusCode::UNAUTHORIZED).body(empty()).unwrap()
                };
            }
            Door::Bearer(..) if given == "Bearer pass" => {}
            Door::Bearer(..) => {
                let realm = match held.lie {
                    Some(Lie::TokensInTheClear) => "http://tokens.example/token".to_owned(),
                    _ => format!("http://{}/token", self.address),
                };
                let wants = format!("Bearer realm=\"{realm}\",service=\"registry\"");
                return respond(StatusCode::UNAUTHORIZED).header("www-authenticate", wants).body(empty()).unwrap();
            }
        }
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        if path.contains("/blobs/uploads/") {
            let query = parts.uri.query().unwrap_or_default();
            let digest = query.split('&').find_map(|q| q.strip_prefix("digest=")).map(|d| d.replace("%3A", ":"));
            return match (parts.method, digest) {
                (Method::PUT, Some(digest)) if digest == sha(&body) => {
                    held.blobs.insert(digest, body.to_vec());
                    respond(StatusCode::CREATED).header("location", "/v2/done").body(empty()).unwrap()
                }
                (Method::PUT, _) => respond(StatusCode::BAD_REQUEST).body(empty()).unwrap(),
                _ => respond(StatusCode::ACCEPTED)
                    .header("location", format!("{path}upload-1?state=x"))
                    .body(empty())
                    .unwrap(),
            };
        }
        if path.contains("/blobs/") {
            let Some(blob) = held.blobs.get(&last) else {
                return respond(StatusCode::NOT_FOUND).body(empty()).unwrap();
            };
            let mut blob = blob.clone();
            match held.lie {
                Some(Lie::OtherBlob) => *blob.last_mut().unwrap() ^= 1,
                Some(Lie::LongerBlob) => blob.resize(blob.len() + 100_000, 0),
                Some(Lie::Redirects) => {
                    return respond(StatusCode::FOUND).header("location", path).body(empty()).unwrap();
                }
                _ => {}
            }
            return respond(StatusCode::OK).body(Full::new(blob.into())).unwrap();
        }
        if path.contains("/referrers/") {
            return respond(StatusCode::NOT_FOUND).body(empty()).unwrap();
        }
        if parts.method == Method::PUT {
            let digest = sha(&body);
            held.manifests.insert(last, body.to_vec());
            held.manifests.insert(digest.clone(), body.to_vec());
            return respond(StatusCode::CREATED).header("location", path).body(empty()).unwrap();
        }
        let Some(manifest) = held.manifests.get(&last) else {
            let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            return respond(StatusCode::NOT_FOUND).body(Full::new(Bytes::from(body))).unwrap();
        };
        let text = String::from_utf8(manifest.clone()).unwrap();
        let text = match held.lie {
            Some(Lie::OtherManifest) => text.replace("\"schemaVersion\":2", "\"schemaVersion\": 2"),
            Some(Lie::Index) => {
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#.to_owned()
            }
            Some(Lie::HugeLayer) => {
                let size = held.blobs.values().map(Vec::len).max().unwrap();
                text.replace(&format!("\"size\":{size}"), "\"size\":1099511627776")
            }
            Some(Lie::EndlessManifest) => " ".repeat(8 << 20),
            _ => text,
        };
        respond(StatusCode::OK)
            .header("content-type", "application/vnd.oci.image.manifest.v1+json")
            .body(Full::new(text.into()))
            .unwrap()
    }
}

/// The same login everywhere.
pub fn logins(login: Login) -> Logins {
    Arc::new(move |_| Ok(login.clone()))
}
