//! The control API: hands out bootstrap clusters and says what runs.
//!
//! `PUT`, `GET` and `DELETE` of `/v1/bootstrap/NAME` make, find and take away a bootstrap cluster; the answer to the first two is
//! `{"name": …, "kubeconfig": …}`, and 404 means that there is none. `GET /v1/status` says what runs. Every request carries the lab's bearer token.

pub(crate) mod client;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::LabError;
use crate::behaviour::{ClusterRole, World};
use crate::kube::KubeCluster;
use crate::serve::{self, Listening, response};
use crate::tls::{self, CertificateAuthority};
use crate::vcenter::Vcenter;

/// What runs in a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its clusters, bootstrap clusters first.
    pub clusters: Vec<ClusterStatus>,
    /// Its vCenter, if the spec has one.
    pub vcenter: Option<VcenterStatus>,
}

/// A cluster of a lab.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Its name.
    pub name: String,
    /// `bootstrap` or `workload`.
    pub role: String,
    /// The address of its API.
    pub url: String,
    /// A kubeconfig for its administrator.
    pub kubeconfig: String,
}

impl std::fmt::Debug for ClusterStatus {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ClusterStatus")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The vCenter of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VcenterStatus {
    /// Its address as a URL.
    pub url: String,
    /// The servers of the spec that it stands in for.
    pub servers: Vec<String>,
    /// Who logs in.
    pub username: String,
    /// Sessions that are open, SOAP and REST together: more than clients that are at work is a leak.
    pub open_sessions: usize,
    /// Logins that succeeded.
    pub logins: u64,
}

impl Status {
    /// The status of these parts.
    pub(crate) fn of(world: &World, vcenter: Option<&Vcenter>) -> Self {
        let clusters = world.clusters().into_iter().map(|one| ClusterStatus {
            url: one.cluster.url(),
            kubeconfig: one.cluster.kubeconfig(&context(one.role, &one.name)),
            role: one.role.word().to_owned(),
            name: one.name,
        });
        let vcenter = vcenter.map(|vcenter| {
            let sessions = vcenter.sessions();
            VcenterStatus {
                url: vcenter.url(),
                servers: vcenter.endpoints().into_keys().collect(),
                username: vcenter.credentials().username.clone(),
                open_sessions: sessions.soap + sessions.rest,
                logins: sessions.logins,
            }
        });
        Self { clusters: clusters.collect(), vcenter }
    }
}

/// The name of a cluster's context in its kubeconfig.
fn context(role: ClusterRole, name: &str) -> String {
    match role {
        ClusterRole::Bootstrap => format!("{name}-bootstrap"),
        ClusterRole::Workload => name.to_owned(),
    }
}

/// The running control API.
#[derive(Debug)]
pub(crate) struct Control {
    listening: Listening,
    token: String,
    ca: CertificateAuthority,
}

/// What a request needs.
struct Shared {
    world: Arc<World>,
    vcenter: Option<Arc<Vcenter>>,
    version: String,
    token: [u8; 32],
    /// Clusters are made and taken away one at a time: two requests for one name get one cluster.
    making: Mutex<()>,
}

impl Control {
    /// Starts the control API. Bootstrap clusters report `version`.
    pub(crate) async fn start(
        listen: IpAddr,
        world: Arc<World>,
        vcenter: Option<Arc<Vcenter>>,
        version: String,
    ) -> Result<Self, LabError> {
        let ca = CertificateAuthority::new("kedge lab")?;
        let tls = tls::server_config(&ca.issue_server(&["localhost"], &[listen])?, None)?;
        let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let (listener, address) = serve::bind(listen).await?;
        let shared = Arc::new(Shared { world, vcenter, version, token: digest(&token), making: Mutex::new(()) });
        let listening =
            serve::serve(listener, address, tls, move |request, peer| answer(Arc::clone(&shared), request, peer));
        Ok(Self { listening, token, ca })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.listening.address())
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn ca_pem(&self) -> &str {
        self.ca.cert_pem()
    }

    pub(crate) async fn stop(&self) {
        self.listening.stop().await;
    }
}

/// Digests of tokens are compared, not tokens: how long that takes says nothing about the token.
fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    response(status, "application/json", body.to_string())
}

fn refusal(status: StatusCode, error: &str) -> Response<Full<Bytes>> {
    json_response(status, &json!({ "error": error }))
}

async fn answer(shared: Arc<Shared>, request: Request<Bytes>, _peer: SocketAddr) -> Response<Full<Bytes>> {
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if given.map(|token| digest(token.trim())) != Some(shared.token) {
        let mut refused = refusal(StatusCode::UNAUTHORIZED, "the lab's bearer token is missing or wrong");
        refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return refused;
    }
    let path = request.uri().path();
    if let Some(name) = path.strip_prefix("/v1/bootstrap/") {
        if !is_name(name) {
            let rule = "the name of a cluster has letters, digits, hyphens and dots, at most 80";
            return refusal(StatusCode::BAD_REQUEST, rule);
        }
        return bootstrap(&shared, request.method(), name).await;
    }
    match (request.method(), path) {
        (&Method::GET, "/v1/status") => {
            match serde_json::to_value(Status::of(&shared.world, shared.vcenter.as_deref())) {
                Ok(status) => json_response(StatusCode::OK, &status),
                Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            }
        }
        (_, "/v1/status") => not_allowed("GET"),
        _ => refusal(StatusCode::NOT_FOUND, "the lab has `/v1/status` and `/v1/bootstrap/NAME`"),
    }
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut refused = refusal(StatusCode::METHOD_NOT_ALLOWED, &format!("only {allowed} is possible here"));
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    refused
}

/// Whether a name can be that of a cluster: as EKS Anywhere has them.
fn is_name(name: &str) -> bool {
    let inside = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    !name.is_empty() && name.len() <= 80 && name.chars().all(inside)
}

async fn bootstrap(shared: &Shared, method: &Method, name: &str) -> Response<Full<Bytes>> {
    let found = |status: StatusCode, cluster: &KubeCluster| {
        let kubeconfig = cluster.kubeconfig(&context(ClusterRole::Bootstrap, name));
        json_response(status, &json!({ "name": name, "kubeconfig": kubeconfig }))
    };
    let none = || refusal(StatusCode::NOT_FOUND, "there is no bootstrap cluster of that name");
    match *method {
        Method::GET => shared
            .world
            .cluster(ClusterRole::Bootstrap, name)
            .map_or_else(none, |cluster| found(StatusCode::OK, &cluster)),
        Method::PUT => {
            let _one = shared.making.lock().await;
            if let Some(there) = shared.world.cluster(ClusterRole::Bootstrap, name) {
                return found(StatusCode::OK, &there);
            }
            match shared.world.start_bootstrap(name, &shared.version).await {
                Ok(cluster) => found(StatusCode::CREATED, &cluster),
                Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            }
        }
        Method::DELETE => {
            let _one = shared.making.lock().await;
            if shared.world.cluster(ClusterRole::Bootstrap, name).is_none() {
                return none();
            }
            shared.world.drop_cluster(ClusterRole::Bootstrap, name).await;
            json_response(StatusCode::OK, &json!({}))
        }
        _ => not_allowed("GET, PUT, DELETE"),
    }
}
