//! Servers that answer from recorded replies.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::endpoint::{Certificate, Encoding, EndpointError, Part, Request, Response};
use crate::host::Connection;

type Handler = Box<dyn Fn(&Sent) -> Option<Result<Response, EndpointError>>>;

/// A request as it went out, secrets put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Path and query.
    pub path: String,
    /// With their values.
    pub headers: Vec<(String, String)>,
    /// With its secrets.
    pub body: String,
}

impl Sent {
    /// `GET /health`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// A header by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A server with recorded replies. The newest matching one answers; a request that none matches is refused with a
/// message that shows it.
#[derive(Default)]
pub struct FakeEndpoint {
    pub(super) server: String,
    handlers: Vec<Handler>,
    certificate: Option<Result<Certificate, EndpointError>>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) sent: Rc<RefCell<Vec<Sent>>>,
}

impl std::fmt::Debug for FakeEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeEndpoint").field("server", &self.server).finish_non_exhaustive()
    }
}

/// An answer with a status and a text.
fn response(status: u16, body: &str) -> Response {
    Response { status, headers: vec![], body: body.as_bytes().to_vec() }
}

impl FakeEndpoint {
    /// A server as the spec names it, without replies.
    pub fn new(server: &str) -> Self {
        Self { server: server.into(), ..Self::default() }
    }

    /// Answers a method and path, such as `GET /health`.
    #[must_use]
    pub fn on(self, line: &str, status: u16, body: &str) -> Self {
        let (line, body) = (line.to_owned(), body.to_owned());
        self.when(move |sent| sent.line() == line, status, &body)
    }

    /// Answers the requests whose body has a text in it.
    #[must_use]
    pub fn on_body(self, text: &str, status: u16, body: &str) -> Self {
        let (text, body) = (text.to_owned(), body.to_owned());
        self.when(move |sent| sent.body.contains(&text), status, &body)
    }

    /// Answers the requests for which `matches` holds.
    #[must_use]
    pub fn when(self, matches: impl Fn(&Sent) -> bool + 'static, status: u16, body: &str) -> Self {
        let body = body.to_owned();
        self.answering(move |sent| matches(sent).then(|| Ok(response(status, &body))))
    }

    /// Answers with whatever `handler` makes; `None` leaves the request to the other replies.
    #[must_use]
    pub fn answering(mut self, handler: impl Fn(&Sent) -> Option<Result<Response, EndpointError>> + 'static) -> Self {
        self.handlers.push(Box::new(handler));
        self
    }

    /// No request gets an answer, for this reason.
    #[must_use]
    pub fn broken(mut self, error: EndpointError) -> Self {
        self.certificate = Some(Err(error.clone()));
        self.answering(move |_| Some(Err(error.clone())))
    }

    /// The certificate it shows.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(Ok(certificate));
        self
    }

    fn fill(&self, part: &Part) -> String {
        let value = |name: &str| self.secrets.get(name).cloned().unwrap_or_default();
        match part {
            Part::Text(text) | Part::Other(text) => text.clone(),
            Part::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Part::Secret(secret) => encode(&value(&secret.name), &secret.encoding),
            Part::BasicAuth((user, password)) => base64(&format!("{}:{}", value(user), value(password))),
        }
    }

    fn answer(&self, request: &Request) -> Result<Response, EndpointError> {
        let text = |parts: &[Part]| parts.iter().map(|part| self.fill(part)).collect::<String>();
        let sent = Sent {
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.iter().map(|header| (header.name.clone(), text(&header.value))).collect(),
            body: text(&request.body),
        };
        self.sent.borrow_mut().push(sent.clone());
        self.handlers.iter().rev().find_map(|handler| handler(&sent)).unwrap_or_else(|| {
            Err(EndpointError::Other(format!("no reply recorded for {}\n{}", sent.line(), sent.body)))
        })
    }
}

/// A connection to a fake server.
#[derive(Debug, Clone)]
pub(super) struct FakeConnection(pub(super) Rc<FakeEndpoint>);

impl Connection for FakeConnection {
    fn server(&self) -> String {
        self.0.server.clone()
    }
    fn send(&self, request: &Request) -> Result<Response, EndpointError> {
        self.0.answer(request)
    }
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, EndpointError>> {
        requests.iter().map(|request| self.0.answer(request)).collect()
    }
    fn certificate(&self) -> Result<Certificate, EndpointError> {
        self.0.certificate.clone().unwrap_or_else(|| {
            Ok(Certificate {
                sha1_thumbprint: "AA:BB".into(),
                sha256_thumbprint: "CC:DD".into(),
                subject: format!("CN={}", self.0.server),
                issuer: "CN=fake CA".into(),
                not_after: "2999-01-01T00:00:00Z".into(),
                trusted: true,
            })
        })
    }
}

/// A secret's value as the host would put it in.
pub(super) fn encode(value: &str, encoding: &Encoding) -> String {
    match encoding {
        Encoding::Plain | Encoding::Other(_) => value.to_owned(),
        Encoding::Xml => value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;"),
        Encoding::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
        }
        Encoding::Base64 => base64(value),
    }
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| ALPHABET.get((bits & 63) as usize).map_or('=', |byte| char::from(*byte));
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        out.push(digit(bits >> 18));
        out.push(digit(bits >> 12));
        out.push(if chunk.len() > 1 { digit(bits >> 6) } else { '=' });
        out.push(if chunk.len() > 2 { digit(bits) } else { '=' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_escaped_as_asked_for() {
        assert_eq!(encode("a<&\"", &Encoding::Xml), "a&lt;&amp;&quot;");
        assert_eq!(encode("a\"\n", &Encoding::Json), "a\\\"\\n");
        assert_eq!(encode("user:pw", &Encoding::Base64), "dXNlcjpwdw==");
        assert_eq!(base64("abc"), "YWJj");
        assert_eq!(base64("ab"), "YWI=");
    }
}
