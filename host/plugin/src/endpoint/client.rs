//! One endpoint in one session: its connections, its cookies, its budgets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::{Connector, Place, Resolver};
use super::cookies::Cookies;
use super::{Certificate, EndpointError, EndpointTarget, Part, Request, Response, headers, tls};
use crate::error::SecretError;
use crate::limits::Limits;
use crate::policy::AddressPolicy;
use crate::secrets::{Encoding, SecretStore};

/// What all endpoints of a session have used together.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    requests: AtomicU64,
    response_bytes: AtomicU64,
}

pub(crate) struct EndpointClient {
    name: String,
    target: Arc<EndpointTarget>,
    place: Arc<Place>,
    http: Client<Connector, Full<Bytes>>,
    cookies: Cookies,
    secrets: Arc<SecretStore>,
    budget: Arc<Budget>,
    limits: Limits,
}

/// What a request took, for the audit, whether or not there is a response.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) secrets: Vec<String>,
}

/// A budget that is used up: which, how much, and how there is more.
fn used_up(what: &str, key: &str) -> EndpointError {
    EndpointError::Exhausted(format!("{what}; {}", crate::error::raise(key)))
}

impl EndpointClient {
    pub(crate) fn new(
        name: &str,
        target: EndpointTarget,
        secrets: Arc<SecretStore>,
        budget: Arc<Budget>,
        limits: &Limits,
        (addresses, resolver): (AddressPolicy, Resolver),
    ) -> Result<Self, EndpointError> {
        let target = Arc::new(target);
        let place = Arc::new(Place::new(addresses, resolver));
        let config = Arc::new(tls::config(tls::verifier(&target.tls)?)?);
        let connector = Connector { target: target.clone(), place: place.clone(), config, within: limits.connect_time };
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(limits.parallel_requests)
            // A component's failed request is its own to repeat.
            .retry_canceled_requests(true)
            .build(connector);
        Ok(Self {
            name: name.to_owned(),
            target,
            place,
            http,
            cookies: Cookies::default(),
            secrets,
            budget,
            limits: limits.clone(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn server(&self) -> &str {
        &self.target.server
    }

    /// Sends a request. Redirects are answers like any other.
    pub(crate) async fn send(&self, request: &Request, sent: &mut Sent) -> Result<Response, EndpointError> {
        let prepared = self.prepare(request, sent)?;
        if self.budget.requests.fetch_add(1, Ordering::Relaxed) >= self.limits.requests {
            return Err(used_up(&format!("the session's {} requests", self.limits.requests), "requests"));
        }
        let within = self.limits.request_time;
        tokio::time::timeout(within, self.exchange(&request.path, prepared)).await.unwrap_or_else(|_| {
            Err(EndpointError::TimedOut(format!(
                "`{}` did not answer `{}` within {} s",
                self.target.server,
                request.path,
                within.as_secs_f64()
            )))
        })
    }

    fn prepare(&self, request: &Request, sent: &mut Sent) -> Result<http::Request<Full<Bytes>>, EndpointError> {
        let refuse = |why: String| EndpointError::Refused(why);
        let method = match request.method.as_str() {
            "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => {
                Method::from_bytes(request.method.as_bytes()).map_err(|e| refuse(e.to_string()))?
            }
            other => return Err(refuse(format!("the method `{}` is not allowed", other.escape_debug()))),
        };
        let uri = self.uri(&request.path)?;
        let mut map = HeaderMap::new();
        for (name, value) in &request.headers {
            let name: HeaderName =
                name.parse().map_err(|_| refuse(format!("`{}` is not a header name", name.escape_debug())))?;
            if let Some(why) = headers::refused(&name) {
                return Err(refuse(why));
            }
            let bytes = self.assemble(value, sent)?;
            let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| {
                refuse(format!("the value of the header `{name}` has characters that no header may have"))
            })?;
            value.set_sensitive(true);
            map.append(name, value);
        }
        if let Some(cookies) = self.cookies.header(&request.path) {
            map.insert(http::header::COOKIE, cookies);
        }
        let host = HeaderValue::from_str(&self.target.authority()).map_err(|e| refuse(e.to_string()))?;
        map.insert(http::header::HOST, host);
        let body = self.assemble(&request.body, sent)?;
        if body.len() > self.limits.request_bytes {
            return Err(refuse(format!(
                "the body has {} bytes, of {} allowed; {}",
                body.len(),
                self.limits.request_bytes,
                crate::error::raise("request-bytes")
            )));
        }
        let mut out = http::Request::new(Full::new(Bytes::from(body)));
        *out.method_mut() = method;
        *out.uri_mut() = uri;
        *out.headers_mut() = map;
        Ok(out)
    }

    /// The host's own URL around the component's path.
    fn uri(&self, path: &str) -> Result<Uri, EndpointError> {
        let bad = |why: &str| Err(EndpointError::Refused(format!("the path `{}` {why}", path.escape_debug())));
        if !path.starts_with('/') || path.starts_with("//") {
            return bad("does not start with one `/`");
        }
        if path.contains('\\') || path.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return bad("has characters that must be percent-encoded");
        }
        if path.contains('#') {
            return bad("has a fragment");
        }
        let parts = path.parse::<http::uri::PathAndQuery>();
        let Ok(path_and_query) = parts else { return bad("is not a path") };
        Uri::builder()
            .scheme("https")
            .authority(self.target.authority())
            .path_and_query(path_and_query)
            .build()
            .map_err(|e| EndpointError::Refused(e.to_string()))
    }

    fn assemble(&self, parts: &[Part], sent: &mut Sent) -> Result<Vec<u8>, EndpointError> {
        let mut out = Vec::new();
        let mut value = |name: &str, encoding: Encoding| match self.secrets.for_endpoint(name, &self.name, encoding) {
            Ok(value) => {
                if !sent.secrets.iter().any(|s| s == name) {
                    sent.secrets.push(name.to_owned());
                }
                Ok(value)
            }
            Err(error @ SecretError::Missing { .. }) => Err(EndpointError::NotGranted(error.to_string())),
            Err(error) => Err(EndpointError::Refused(error.to_string())),
        };
        for part in parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Secret { name, encoding } => out.extend_from_slice(value(name, *encoding)?.as_bytes()),
                Part::BasicAuth { user, password } => {
                    let user = value(user, Encoding::Plain)?;
                    if user.contains(':') {
                        return Err(EndpointError::Refused(
                            "a user name with a colon can't be used for basic authentication".to_owned(),
                        ));
                    }
                    let pair = format!("{user}:{}", value(password, Encoding::Plain)?);
                    out.extend_from_slice(
                        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair).as_bytes(),
                    );
                }
            }
        }
        Ok(out)
    }

    async fn exchange(&self, path: &str, request: http::Request<Full<Bytes>>) -> Result<Response, EndpointError> {
        let response = self.http.request(request).await.map_err(|e| self.failed(&e))?;
        let (head, mut body) = response.into_parts();
        self.cookies.keep(path, &head.headers);
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| {
                EndpointError::Unreachable(format!("`{}` broke off its answer: {e}", self.target.server))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let length = data.len() as u64;
            if bytes.len() + data.len() > self.limits.response_bytes {
                return Err(used_up(
                    &format!(
                        "the answer of `{}` has more than {} bytes",
                        self.target.server, self.limits.response_bytes
                    ),
                    "response-bytes",
                ));
            }
            if self.budget.response_bytes.fetch_add(length, Ordering::Relaxed) + length
                > self.limits.total_response_bytes
            {
                return Err(used_up(
                    &format!("the session's {} bytes of answers", self.limits.total_response_bytes),
                    "total-response-bytes",
                ));
            }
            bytes.extend_from_slice(&data);
        }
        // A server that echoes a secret must not tell the component.
        let body = self.secrets.redact_bytes(&bytes).unwrap_or(bytes);
        let headers = headers::shown(&head.headers).into_iter().map(|(n, v)| (n, self.secrets.redact(&v))).collect();
        Ok(Response { status: head.status.as_u16(), headers, body })
    }

    fn failed(&self, error: &hyper_util::client::legacy::Error) -> EndpointError {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut last = String::new();
        while let Some(current) = cause {
            if let Some(own) = current.downcast_ref::<EndpointError>() {
                return own.clone();
            }
            last = current.to_string();
            cause = current.source();
        }
        EndpointError::Unreachable(format!("`{}` broke off: {last}", self.target.server))
    }

    /// Connects, reads the certificate, sends nothing.
    pub(crate) async fn certificate(&self) -> Result<Certificate, EndpointError> {
        if self.budget.requests.fetch_add(1, Ordering::Relaxed) >= self.limits.requests {
            return Err(used_up(&format!("the session's {} requests", self.limits.requests), "requests"));
        }
        let recording = Arc::new(tls::Recording::new(tls::verifier(&self.target.tls)?));
        let config = Arc::new(tls::config(recording.clone())?);
        let connector = Connector {
            target: self.target.clone(),
            place: self.place.clone(),
            config,
            within: self.limits.connect_time,
        };
        let connected = connector.connect().await;
        match recording.certificate() {
            // The handshake may fail after the certificate was shown; then that is what there is to say.
            Ok(certificate) => connected.map(|_| certificate),
            Err(unseen) => Err(connected.err().unwrap_or(unseen)),
        }
    }
}
