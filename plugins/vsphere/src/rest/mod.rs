//! The vCenter over REST: tags and storage policies, which SOAP does not know.
//!
//! vCenter 7.0 U2 and later serve `/api`, earlier ones `/rest` with every answer in a field `value`.

mod library;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use kedge_sdk::endpoint::explain;
use kedge_sdk::prelude::*;
use kedge_sdk::{EndpointError, Response};

use crate::describe::{PASSWORD, USERNAME};
use crate::soap::Reference;
use crate::wire;

pub(crate) use library::{Place, Transfer};

const SESSION_HEADER: &str = "vmware-api-session-id";

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RestError {
    Endpoint(EndpointError),
    /// The server answered with this status, and said this.
    Status(u16, String),
    /// It has no time now; how many seconds it asks for, empty if it does not say.
    Busy(String),
    /// What came back is no JSON of this API.
    Reply,
}

impl fmt::Display for RestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(error) => f.write_str(&explain(error)),
            Self::Status(status, said) if said.is_empty() => {
                write!(f, "the vCenter answered with HTTP status {status}")
            }
            Self::Status(status, said) => write!(f, "the vCenter answered with HTTP status {status}: {said}"),
            Self::Busy(seconds) if seconds.is_empty() => f.write_str("the vCenter has no time now"),
            Self::Busy(seconds) => write!(f, "the vCenter has no time now, it asks for {seconds} s"),
            Self::Reply => f.write_str("the answer is none of a vCenter"),
        }
    }
}

/// Which of the two APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Api,
    Rest,
}

impl Dialect {
    /// The one to try first. Before 9 every vCenter has `/rest`, and only some have `/api`.
    fn of(version: &str) -> Self {
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major >= 9) { Self::Api } else { Self::Rest }
    }

    fn other(self) -> Self {
        match self {
            Self::Api => Self::Rest,
            Self::Rest => Self::Api,
        }
    }

    fn session(self) -> &'static str {
        match self {
            Self::Api => "/api/session",
            Self::Rest => "/rest/com/vmware/cis/session",
        }
    }
}

/// A session of the REST API.
#[derive(Debug)]
pub(crate) struct Rest<'e> {
    endpoint: &'e Endpoint,
    dialect: Cell<Dialect>,
    token: RefCell<String>,
    /// Whether a session that ended midway was opened again.
    lost: Cell<bool>,
}

impl<'e> Rest<'e> {
    /// Not yet logged in. `version` is the vCenter's, such as `8.0.2`.
    pub(crate) fn new(endpoint: &'e Endpoint, version: &str) -> Self {
        Self { endpoint, dialect: Cell::new(Dialect::of(version)), token: RefCell::default(), lost: Cell::new(false) }
    }

    /// What logs in, with two secrets of the host.
    pub(crate) fn login(&self) -> Request {
        Request::post(self.dialect.get().session()).basic_auth(USERNAME, PASSWORD)
    }

    /// Reads the answer to the login; tries the other API where there is none of this.
    pub(crate) fn opened(&self, sent: Result<Response, EndpointError>) -> Result<(), RestError> {
        let mut response = sent.map_err(RestError::Endpoint)?;
        if response.status == 404 {
            self.dialect.set(self.dialect.get().other());
            response = self.endpoint.send(&self.login()).map_err(RestError::Endpoint)?;
        }
        let token = self.value(&response)?.as_str().ok_or(RestError::Reply)?.to_owned();
        self.token.replace(token);
        Ok(())
    }

    /// What ends the session.
    pub(crate) fn logout(&self) -> Request {
        self.signed(&Request::delete(self.dialect.get().session()))
    }

    /// Reads the answer to that.
    pub(crate) fn closed(sent: Result<Response, EndpointError>) -> Result<(), RestError> {
        let response = sent.map_err(RestError::Endpoint)?;
        if response.is_success() { Ok(()) } else { Err(status(&response)) }
    }

    /// The question for the ids of the tags that objects carry.
    pub(crate) fn attached(&self, objects: &[Reference]) -> Request {
        let path = match self.dialect.get() {
            Dialect::Api => "/api/cis/tagging/tag-association?action=list-attached-tags-on-objects",
            Dialect::Rest => "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-tags-on-objects",
        };
        let ids: Vec<Value> = objects.iter().map(|object| json!({"id": object.id, "type": object.kind})).collect();
        Request::post(path).json(&json!({"object_ids": ids}))
    }

    /// The answer to it: tags by the id of their object.
    pub(crate) fn read_attached(answer: &Value) -> Result<BTreeMap<String, Vec<String>>, RestError> {
        let mut attached = BTreeMap::new();
        for entry in list(answer)? {
            let id = entry.pointer("/object_id/id").and_then(Value::as_str).ok_or(RestError::Reply)?;
            let tags = list(entry.get("tag_ids").unwrap_or(&Value::Null))?;
            attached.insert(id.to_owned(), tags.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        Ok(attached)
    }

    /// The question for a tag.
    pub(crate) fn tag(&self, id: &str) -> Request {
        Request::get(&match self.dialect.get() {
            Dialect::Api => format!("/api/cis/tagging/tag/{}", path_segment(id)),
            Dialect::Rest => format!("/rest/com/vmware/cis/tagging/tag/id:{}", path_segment(id)),
        })
    }

    /// The name in the answer to it; none if there is no such tag.
    pub(crate) fn read_name(answer: Result<Value, RestError>) -> Result<Option<String>, RestError> {
        match answer {
            Ok(tag) => Ok(Some(tag.get("name").and_then(Value::as_str).ok_or(RestError::Reply)?.to_owned())),
            Err(RestError::Status(404, _)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of all storage policies.
    pub(crate) fn storage_policies(&self) -> Result<Vec<String>, RestError> {
        let request = Request::get(match self.dialect.get() {
            Dialect::Api => "/api/vcenter/storage/policies",
            Dialect::Rest => "/rest/vcenter/storage/policies",
        });
        let answer = self.ask(&request)?;
        let name =
            |policy: &Value| policy.get("name").and_then(Value::as_str).map(str::to_owned).ok_or(RestError::Reply);
        list(&answer)?.iter().map(name).collect()
    }

    /// Asks.
    pub(crate) fn ask(&self, request: &Request) -> Result<Value, RestError> {
        self.read(wire::ask(self.endpoint, &self.signed(request)), request)
    }

    /// Asks several questions side by side.
    pub(crate) fn ask_all(&self, requests: &[Request]) -> Vec<Result<Value, RestError>> {
        let signed: Vec<Request> = requests.iter().map(|request| self.signed(request)).collect();
        let sent = wire::ask_all(self.endpoint, &signed);
        sent.into_iter().zip(requests).map(|(sent, request)| self.read(sent, request)).collect()
    }

    /// A request of this session.
    pub(crate) fn signed(&self, request: &Request) -> Request {
        request.clone().header(SESSION_HEADER, &self.token.borrow())
    }

    /// Reads what came back for a request. A session that ended midway is opened again, once, and the request repeated.
    pub(crate) fn read(&self, sent: Result<Response, EndpointError>, request: &Request) -> Result<Value, RestError> {
        let mut response = sent.map_err(RestError::Endpoint)?;
        if response.status == 401 && !self.lost.replace(true) {
            self.opened(self.endpoint.send(&self.login()))?;
            response = wire::ask(self.endpoint, &self.signed(request)).map_err(RestError::Endpoint)?;
        }
        self.value(&response)
    }

    /// The answer's value: in `/rest` every answer stands in a field `value`.
    fn value(&self, response: &Response) -> Result<Value, RestError> {
        if !response.is_success() {
            return Err(status(response));
        }
        let answer = response.json().map_err(|_| RestError::Reply)?;
        match self.dialect.get() {
            Dialect::Api => Ok(answer),
            Dialect::Rest => answer.get("value").cloned().ok_or(RestError::Reply),
        }
    }
}

/// A list; an empty one may be null, or not be there at all.
fn list(value: &Value) -> Result<&[Value], RestError> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(RestError::Reply),
    }
}

fn status(response: &Response) -> RestError {
    if let Some(seconds) = wire::retry_after(response) {
        return RestError::Busy(seconds);
    }
    let body = response.json().unwrap_or_default();
    let said = ["/messages/0/default_message", "/value/messages/0/default_message"]
        .iter()
        .find_map(|path| body.pointer(path).and_then(Value::as_str))
        .unwrap_or_default();
    RestError::Status(response.status, said.to_owned())
}

/// An id as part of a path. Ids of tags have colons, which may stand there as they are; whatever else a user wrote
/// may not lead anywhere else.
fn path_segment(id: &str) -> String {
    use std::fmt::Write as _;
    let mut segment = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

#[cfg(test)]
mod tests;
