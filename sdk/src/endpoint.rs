//! Requests to the servers that the host opens.

use crate::bindings::kedge::provider::endpoints::{self, Header, SecretUse};
pub use crate::bindings::kedge::provider::endpoints::{Certificate, Encoding, EndpointError, Part, Request, Response};
use crate::host::Connection;

/// An open server. The host owns its address, TLS, cookies and credentials.
pub struct Endpoint(Box<dyn Connection>);

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Endpoint").field(&self.0.server()).finish()
    }
}

impl Endpoint {
    /// Over a connection.
    pub fn new(connection: Box<dyn Connection>) -> Self {
        Self(connection)
    }

    /// The server as the spec names it, for messages.
    pub fn server(&self) -> String {
        self.0.server()
    }

    /// Sends one request.
    ///
    /// # Errors
    /// No answer came; any status is an answer.
    pub fn send(&self, request: &Request) -> Result<Response, EndpointError> {
        self.0.send(request)
    }

    /// Sends several side by side; answers in the order of the requests.
    pub fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, EndpointError>> {
        self.0.send_all(requests)
    }

    /// The certificate that the server shows, trusted or not.
    ///
    /// # Errors
    /// No connection.
    pub fn certificate(&self) -> Result<Certificate, EndpointError> {
        self.0.certificate()
    }
}

impl Request {
    /// A request without headers and body. `path` starts with one `/`.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: vec![], body: vec![] }
    }

    /// `GET path`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST path`.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// `DELETE path`.
    pub fn delete(path: &str) -> Self {
        Self::new("DELETE", path)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.header_parts(name, vec![Part::Text(value.into())])
    }

    /// Adds a header of parts, for example one with a secret.
    #[must_use]
    pub fn header_parts(mut self, name: &str, value: Vec<Part>) -> Self {
        self.headers.push(Header { name: name.into(), value });
        self
    }

    /// Adds `Authorization: Basic` of two secrets.
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        let auth = Part::BasicAuth((user.into(), password.into()));
        self.header_parts("Authorization", vec![Part::Text("Basic ".into()), auth])
    }

    /// Adds text to the body.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.body.push(Part::Text(text.into()));
        self
    }

    /// Adds a secret to the body. The host puts its value in on the way.
    #[must_use]
    pub fn secret(mut self, name: &str, encoding: Encoding) -> Self {
        self.body.push(Part::Secret(SecretUse { name: name.into(), encoding }));
        self
    }

    /// A JSON body.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json").text(value.to_string())
    }

    /// Body and headers as text, with `${kedge.secret/NAME}` where a secret goes: for tests and messages.
    pub fn body_preview(&self) -> String {
        self.body.iter().map(preview).collect()
    }
}

fn preview(part: &Part) -> String {
    match part {
        Part::Text(text) | Part::Other(text) => text.clone(),
        Part::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Part::Secret(secret) => crate::secret::reference(&secret.name, &secret.encoding),
        Part::BasicAuth((user, password)) => format!("${{kedge.basic-auth/{user}/{password}}}"),
    }
}

impl Response {
    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// In words, for a user: what happened.
pub fn explain(error: &EndpointError) -> String {
    match error {
        EndpointError::NotGranted(name) => format!("the endpoint `{name}` is not granted"),
        EndpointError::Unreachable(why) => format!("no connection: {why}"),
        EndpointError::Untrusted(why) => format!("the server's certificate is not trusted: {why}"),
        EndpointError::TimedOut(why) => format!("no answer in time: {why}"),
        EndpointError::Exhausted(what) => format!("the budget for requests is used up: {what}"),
        EndpointError::Refused(why) => format!("the request is not allowed: {why}"),
        EndpointError::Other(why) => why.clone(),
    }
}

/// A connection of the real host.
#[derive(Debug)]
pub(crate) struct Granted(pub(crate) endpoints::Endpoint);

impl Connection for Granted {
    fn server(&self) -> String {
        self.0.server()
    }
    fn send(&self, request: &Request) -> Result<Response, EndpointError> {
        self.0.send(request)
    }
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, EndpointError>> {
        self.0.send_all(requests)
    }
    fn certificate(&self) -> Result<Certificate, EndpointError> {
        self.0.certificate()
    }
}
