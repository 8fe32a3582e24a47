//! The HTTP side of the simulated API: who asks, for what, and in which form the answer goes out.

mod accept;
mod columns;
mod discovery;
mod jsonpath;
mod objects;
mod openapi;
mod protobuf;
mod query;
mod respond;
mod reviews;
mod route;
mod scale;
mod table;
mod watching;
mod yaml;

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::error::{ApiError, Reason};
use super::store::Store;
use query::Query;
use respond::Body;
use route::Route;

/// The largest request body that is read, in bytes; the real API's limit.
const LARGEST_BODY: usize = 3 << 20;

/// One API server.
pub(crate) struct Api {
    store: Store,
    version: String,
    token: String,
    requests: AtomicU64,
}

/// A request, read.
struct Asked {
    method: Method,
    path: String,
    query: Query,
    headers: HeaderMap,
    body: Bytes,
    user: User,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct User {
    name: String,
    groups: Vec<String>,
}

impl Api {
    pub(crate) fn new(store: Store, version: String, token: String) -> Self {
        let version = if version.starts_with('v') { version } else { format!("v{version}") };
        Self { store, version, token, requests: AtomicU64::new(0) }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Answers one request; `user`: who the client certificate says it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>, user: Option<User>) -> Response<Body> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let answer = match self.identify(&path, &parts.headers, user) {
            Ok(user) => match Limited::new(body, LARGEST_BODY).collect().await {
                Ok(body) => {
                    let asked = Asked {
                        method: parts.method,
                        query: Query::parse(parts.uri.query().unwrap_or_default()),
                        path,
                        headers: parts.headers,
                        body: body.to_bytes(),
                        user,
                    };
                    self.route(&asked)
                }
                Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ApiError::new(
                    Reason::RequestEntityTooLarge,
                    format!("Request entity too large: limit is {LARGEST_BODY}"),
                )),
                Err(error) => Err(ApiError::bad_request(format!("the request body could not be read: {error}"))),
            },
            Err(error) => Err(error),
        };
        answer.unwrap_or_else(|error| respond::error(&error))
    }

    fn identify(&self, path: &str, headers: &HeaderMap, user: Option<User>) -> Result<User, ApiError> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if let Some(token) = token {
            if token.trim() == self.token {
                return Ok(User::admin());
            }
        } else if let Some(user) = user {
            return Ok(user);
        } else if matches!(path, "/version" | "/version/")
            || ["/healthz", "/livez", "/readyz"].iter().any(|open| path.starts_with(open))
        {
            return Ok(User { name: "system:anonymous".to_owned(), groups: vec!["system:unauthenticated".to_owned()] });
        }
        Err(ApiError::new(Reason::Unauthorized, "Unauthorized"))
    }

    fn route(&self, asked: &Asked) -> Result<Response<Body>, ApiError> {
        let path = asked.path.trim_end_matches('/');
        match path {
            "/healthz" | "/livez" | "/readyz" => return Ok(respond::text("ok")),
            "/version" => return Ok(respond::json(200, &self.version_info())),
            "/api" | "/apis" => return self.discovery_root(asked),
            "/openapi/v2" => return self.open_api_v2(asked),
            "/openapi/v3" => return Ok(self.open_api_v3_index()),
            "" => return Ok(respond::json(200, &self.paths())),
            _ => {}
        }
        if let Some(group_version) = path.strip_prefix("/openapi/v3/") {
            return self.open_api_v3(group_version);
        }
        if ["/healthz/", "/livez/", "/readyz/"].iter().any(|p| path.starts_with(p)) {
            return Ok(respond::text("ok"));
        }
        match Route::parse(path) {
            Some(Route::Group(group)) => self.discovery_group(&group),
            Some(Route::GroupVersion(group, version)) => self.discovery_version(&group, &version),
            Some(Route::Resource(target)) => self.on_resource(asked, &target),
            None => Err(ApiError::no_such_resource()),
        }
    }

    fn version_info(&self) -> Value {
        let mut numbers = self.version.trim_start_matches('v').split('.');
        json!({
            "major": numbers.next().unwrap_or("1"),
            "minor": numbers.next().unwrap_or("34"),
            "emulationMajor": "", "emulationMinor": "",
            "minCompatibilityMajor": "", "minCompatibilityMinor": "",
            "gitVersion": self.version,
            "gitCommit": "0000000000000000000000000000000000000000",
            "gitTreeState": "clean",
            "buildDate": "2026-01-01T00:00:00Z",
            "goVersion": "go1.24", "compiler": "gc", "platform": "linux/amd64",
        })
    }

    fn paths(&self) -> Value {
        let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
        for (group, versions) in self.groups() {
            if group.is_empty() {
                continue;
            }
            paths.push(format!("/apis/{group}"));
            paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
        }
        for path in ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"] {
            paths.push(path.to_owned());
        }
        json!({ "paths": paths })
    }
}

impl User {
    fn admin() -> Self {
        Self {
            name: "kubernetes-admin".to_owned(),
            groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
        }
    }
}

/// The user that a client certificate, already verified, is for: its common name, and its organizations as groups.
pub(crate) fn certificate_user(der: &[u8]) -> User {
    // The subject comes after the issuer: of each attribute the last ones are meant.
    let names = attributes(der, 0x03);
    let mut groups: Vec<String> = attributes(der, 0x0a).into_iter().rev().take(1).collect();
    groups.push("system:authenticated".to_owned());
    User { name: names.last().cloned().unwrap_or_default(), groups }
}

/// The values of an attribute `2.5.4.<number>` in a certificate, in the order in which they stand there.
fn attributes(der: &[u8], number: u8) -> Vec<String> {
    let mark = [0x06, 0x03, 0x55, 0x04, number];
    let mut found = Vec::new();
    for (at, window) in der.windows(mark.len()).enumerate() {
        if window != mark {
            continue;
        }
        // A string: its tag, its length (short form), its bytes.
        let Some(rest) = der.get(at + mark.len()..) else {
            continue;
        };
        if let [_, length, text @ ..] = rest
            && let Some(text) = text.get(..usize::from(*length))
        {
            found.push(String::from_utf8_lossy(text).into_owned());
        }
    }
    found
}
