//! The HTTP face of the vCenter: which path is what.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::methods::{self, Caller};
use super::rest::{self, RestRequest};
use super::soap::{self, SoapFault};
use super::state::State;
use super::xml;
use crate::serve::{plain, response};

const SESSION: &str = "vmware_soap_session";
const XML: &str = "text/xml; charset=utf-8";

/// Answers one request.
pub(crate) async fn answer(state: Arc<State>, request: Request<Bytes>, peer: SocketAddr) -> Response<Full<Bytes>> {
    if let Some(delay) = state.delay {
        tokio::time::sleep(delay).await;
    }
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::POST, "/sdk" | "/sdk/" | "/sdk/vimService") => call(&state, &request, peer).await,
        (&Method::GET, "/sdk/vimServiceVersions.xml") => response(StatusCode::OK, XML, soap::SERVICE_VERSIONS),
        (_, "/sdk" | "/sdk/") => plain(StatusCode::METHOD_NOT_ALLOWED, "SOAP requests are sent with POST"),
        (&Method::GET | &Method::HEAD, "/" | "/ui" | "/ui/") => plain(
            StatusCode::OK,
            "This is the vCenter of a kedge lab: simulated, with an API at /sdk, /api and /rest and no pages.\n",
        ),
        _ if path.starts_with("/rest/") || path.starts_with("/api/") => rest_call(&state, &request),
        _ => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}

async fn call(state: &State, request: &Request<Bytes>, peer: SocketAddr) -> Response<Full<Bytes>> {
    let refuse = |fault: &SoapFault| response(StatusCode::INTERNAL_SERVER_ERROR, XML, soap::fault(fault));
    let envelope = match std::str::from_utf8(request.body()).map_err(|error| error.to_string()).and_then(xml::parse) {
        Ok(envelope) => envelope,
        Err(reason) => return refuse(&SoapFault::invalid_request(reason)),
    };
    let Some(method) = envelope.child("Body").and_then(|body| body.children.first()) else {
        return refuse(&SoapFault::invalid_request("the envelope has no body"));
    };
    let from_header =
        envelope.child("Header").map(|header| header.text_of("vcSessionCookie")).filter(|cookie| !cookie.is_empty());
    let caller = Caller {
        session: cookie(request.headers(), SESSION)
            .or_else(|| from_header.map(|cookie| cookie.trim_matches('"').to_owned())),
        address: peer.ip().to_string(),
        agent: request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().to_owned(),
    };
    tracing::trace!(method = method.name, "vCenter call");
    match methods::call(state, method, &caller) {
        Err(fault) => refuse(&fault),
        Ok(answer) => {
            if let Some(wait) = answer.wait {
                tokio::time::sleep(wait).await;
            }
            let mut reply = response(StatusCode::OK, XML, soap::response(&method.name, &answer.inside));
            if let Some(key) = answer.login {
                // A vCenter quotes the value; clients that cut it out have to cope.
                set_cookie(&mut reply, &format!("{SESSION}=\"{key}\"; Path=/; HttpOnly; Secure;"));
            }
            reply
        }
    }
}

fn rest_call(state: &State, request: &Request<Bytes>) -> Response<Full<Bytes>> {
    let asked = RestRequest {
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
        body: request.body(),
    };
    let answer = rest::answer(state, &asked);
    let body = answer.body.map(|body| body.to_string()).unwrap_or_default();
    let mut reply = response(answer.status, "application/json", body);
    if let Some(key) = answer.login {
        set_cookie(&mut reply, &format!("vmware-api-session-id={key}; Path=/; HttpOnly; Secure"));
    }
    reply
}

fn set_cookie(reply: &mut Response<Full<Bytes>>, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        reply.headers_mut().append(SET_COOKIE, value);
    }
}

/// The value of a cookie, without quotes.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}
