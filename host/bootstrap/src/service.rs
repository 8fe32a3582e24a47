//! Bootstrap clusters that a service hands out over HTTPS.
//!
//! `PUT`, `GET` and `DELETE` of `URL/v1/bootstrap/CLUSTER` make, find and delete one; the answer to the first two is
//! `{"kubeconfig": "..."}`, and `404` means that there is none. A bearer token goes with every request.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use url::Url;

use crate::{Bootstrap, BootstrapError, Driver, Identity, Progress, Wanted, existing};

/// Making a cluster takes a while, but not for ever.
const PATIENCE: Duration = Duration::from_mins(15);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// A kubeconfig is a few KiB; what is much larger is something else.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// A service for bootstrap clusters.
pub struct Service {
    url: Url,
    token: String,
    client: reqwest::Client,
}

// The token is a credential.
impl std::fmt::Debug for Service {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Service").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    kubeconfig: String,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(alias = "error")]
    message: String,
}

impl Service {
    /// A service at `url`, whose certificate an authority of `ca_pem` has signed.
    pub fn new(url: &str, token: impl Into<String>, ca_pem: &str) -> Result<Self, BootstrapError> {
        let address = |reason: String| BootstrapError::Address { url: url.to_owned(), reason };
        let parsed = Url::parse(url).map_err(|e| address(e.to_string()))?;
        if parsed.scheme() != "https" || parsed.host().is_none() {
            return Err(address("it is not an `https://` address".into()));
        }
        let tls = tls(ca_pem).map_err(|reason| BootstrapError::Authority { url: url.to_owned(), reason })?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .build()
            .map_err(|e| address(e.to_string()))?;
        Ok(Self { url: parsed, token: token.into(), client })
    }

    async fn call(
        &self,
        method: Method,
        cluster: &str,
        action: &'static str,
    ) -> Result<Option<String>, BootstrapError> {
        let mut target = self.url.clone();
        if let Ok(mut path) = target.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "bootstrap", cluster]);
        }
        let unreachable = |source| BootstrapError::Unreachable { url: self.url.to_string(), source };
        let mut answer =
            self.client.request(method, target).bearer_auth(&self.token).send().await.map_err(unreachable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > LARGEST_ANSWER {
                return Err(self.refused(action, cluster, format!("its answer is larger than {LARGEST_ANSWER} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        if status == StatusCode::NOT_FOUND && action != "create" {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(self.refused(action, cluster, complaint(status, &body)));
        }
        Ok(Some(String::from_utf8_lossy(&body).into_owned()))
    }

    fn bootstrap(&self, action: &'static str, cluster: &str, body: &str) -> Result<Bootstrap, BootstrapError> {
        let answer: Answer = serde_json::from_str(body)
            .map_err(|_| self.refused(action, cluster, "its answer holds no `kubeconfig`".into()))?;
        existing::check(&format!("what the bootstrap service `{}` handed out", self.url), &answer.kubeconfig)?;
        Ok(Bootstrap { kubeconfig: answer.kubeconfig })
    }

    fn refused(&self, action: &'static str, cluster: &str, reason: String) -> BootstrapError {
        BootstrapError::Refused { url: self.url.to_string(), action, cluster: cluster.to_owned(), reason }
    }
}

#[async_trait]
impl Driver for Service {
    fn name(&self) -> &'static str {
        "bootstrap service"
    }

    fn temporary(&self) -> bool {
        true
    }

    async fn find(&self, cluster: &Identity) -> Result<Option<Bootstrap>, BootstrapError> {
        let body = self.call(Method::GET, &cluster.cluster, "look for").await?;
        body.map(|b| self.bootstrap("look for", &cluster.cluster, &b)).transpose()
    }

    async fn create(
        &self,
        cluster: &Identity,
        _wanted: &Wanted,
        _progress: &dyn Progress,
    ) -> Result<Bootstrap, BootstrapError> {
        let body = self.call(Method::PUT, &cluster.cluster, "create").await?.unwrap_or_default();
        self.bootstrap("create", &cluster.cluster, &body)
    }

    async fn delete(&self, cluster: &Identity) -> Result<(), BootstrapError> {
        self.call(Method::DELETE, &cluster.cluster, "delete").await.map(|_| ())
    }
}

/// The service's own words if it has any, else what its status means.
fn complaint(status: StatusCode, body: &[u8]) -> String {
    if let Ok(complaint) = serde_json::from_slice::<Complaint>(body) {
        return complaint.message.trim_end_matches('.').to_owned();
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "it does not accept the token".into(),
        StatusCode::NOT_FOUND => "it does not hand out bootstrap clusters at this address".into(),
        status if status.is_server_error() => {
            format!("it has a problem of its own (status {})", status.as_u16())
        }
        status => format!("it answered with status {}", status.as_u16()),
    }
}

fn tls(ca_pem: &str) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|e| format!("it is not PEM: {e}"))?;
        roots.add(certificate).map_err(|e| e.to_string())?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate".into());
    }
    Ok(rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
