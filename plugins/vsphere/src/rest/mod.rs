//! The vCenter over REST: tags, which SOAP does not know.
//!
//! vCenter 7.0 U2 and later serve `/api`, earlier ones `/rest` with every answer in a field `value`.

use std::collections::BTreeMap;
use std::fmt;

use kedge_sdk::endpoint::explain;
use kedge_sdk::prelude::*;
use kedge_sdk::{EndpointError, Response};

use crate::soap::Reference;

const SESSION_HEADER: &str = "vmware-api-session-id";

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RestError {
    Endpoint(EndpointError),
    /// The server answered with this status, and said this.
    Status(u16, String),
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
            Self::Reply => f.write_str("the answer is none of a vCenter"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Api,
    Rest,
}

/// A session of the REST API.
#[derive(Debug)]
pub(crate) struct Tagging<'e> {
    endpoint: &'e Endpoint,
    dialect: Dialect,
    token: String,
}

impl<'e> Tagging<'e> {
    /// Logs in with two secrets of the host.
    pub(crate) fn login(endpoint: &'e Endpoint, username: &str, password: &str) -> Result<Self, RestError> {
        let login = |path: &str| Request::post(path).basic_auth(username, password);
        let (dialect, response) = match endpoint.send(&login("/api/session")).map_err(RestError::Endpoint)? {
            missing if missing.status == 404 => {
                let response = endpoint.send(&login("/rest/com/vmware/cis/session")).map_err(RestError::Endpoint)?;
                (Dialect::Rest, response)
            }
            response => (Dialect::Api, response),
        };
        let session = Self { endpoint, dialect, token: String::new() };
        let token = session.read(Ok(response))?.as_str().ok_or(RestError::Reply)?.to_owned();
        Ok(Self { token, ..session })
    }

    /// Ends the session.
    pub(crate) fn logout(&self) -> Result<(), RestError> {
        let path = match self.dialect {
            Dialect::Api => "/api/session",
            Dialect::Rest => "/rest/com/vmware/cis/session",
        };
        let response = self.endpoint.send(&self.signed(Request::delete(path))).map_err(RestError::Endpoint)?;
        if response.is_success() { Ok(()) } else { Err(status(&response)) }
    }

    /// The ids of the tags that objects carry, by the object's id.
    pub(crate) fn attached(&self, objects: &[Reference]) -> Result<BTreeMap<String, Vec<String>>, RestError> {
        let path = match self.dialect {
            Dialect::Api => "/api/cis/tagging/tag-association?action=list-attached-tags-on-objects",
            Dialect::Rest => "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-tags-on-objects",
        };
        let ids: Vec<Value> = objects.iter().map(|object| json!({"id": object.id, "type": object.kind})).collect();
        let request = self.signed(Request::post(path)).json(&json!({"object_ids": ids}));
        let answer = self.read(self.endpoint.send(&request))?;
        let mut attached = BTreeMap::new();
        for entry in list(&answer)? {
            let id = entry.pointer("/object_id/id").and_then(Value::as_str).ok_or(RestError::Reply)?;
            let tags = list(entry.get("tag_ids").unwrap_or(&Value::Null))?;
            attached.insert(id.to_owned(), tags.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        Ok(attached)
    }

    /// The names of tags by their id; none for an id that does not exist.
    pub(crate) fn names(&self, ids: &[String]) -> Result<BTreeMap<String, Option<String>>, RestError> {
        let requests: Vec<Request> = ids
            .iter()
            .map(|id| {
                let path = match self.dialect {
                    Dialect::Api => format!("/api/cis/tagging/tag/{}", path_segment(id)),
                    Dialect::Rest => format!("/rest/com/vmware/cis/tagging/tag/id:{}", path_segment(id)),
                };
                self.signed(Request::get(&path))
            })
            .collect();
        let mut names = BTreeMap::new();
        for (id, sent) in ids.iter().zip(self.endpoint.send_all(&requests)) {
            let name = match self.read(sent) {
                Ok(tag) => Some(tag.get("name").and_then(Value::as_str).ok_or(RestError::Reply)?.to_owned()),
                Err(RestError::Status(404, _)) => None,
                Err(error) => return Err(error),
            };
            names.insert(id.clone(), name);
        }
        Ok(names)
    }

    fn signed(&self, request: Request) -> Request {
        request.header(SESSION_HEADER, &self.token)
    }

    /// The answer's value: in `/rest` every answer stands in a field `value`.
    fn read(&self, sent: Result<Response, EndpointError>) -> Result<Value, RestError> {
        let response = sent.map_err(RestError::Endpoint)?;
        if !response.is_success() {
            return Err(status(&response));
        }
        let answer = response.json().map_err(|_| RestError::Reply)?;
        match self.dialect {
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
