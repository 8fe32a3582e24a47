//! What the audit keeps of a call: names, sizes and how it ended; never content.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{HostAnswer, HostCall, HostCalls};
use crate::audit::{CallResult, Decision};
use crate::container_engine::EngineError;
use crate::endpoint::{EndpointError, Part, Request};
use crate::inspect::digest;
use crate::log_line;

/// What is known of a call before it is done. A call with several requests makes one record for each.
pub(super) struct Records {
    pub(super) interface: &'static str,
    pub(super) function: &'static str,
    pub(super) items: Vec<Record>,
}

#[derive(Default)]
pub(super) struct Record {
    pub(super) target: String,
    pub(super) bytes_out: u64,
    pub(super) secrets: Vec<String>,
    pub(super) took: Option<Duration>,
    pub(super) payload: Option<String>,
}

/// How one item of an answer ended.
pub(super) struct Ended {
    pub(super) decision: Decision,
    pub(super) result: CallResult,
    pub(super) bytes_in: u64,
    pub(super) reply: Option<String>,
}

impl Records {
    fn with_payload(mut self, content: &str) -> Self {
        for item in &mut self.items {
            item.payload = Some(digest(content.as_bytes()));
        }
        self
    }

    pub(super) fn of(call: &HostCall, calls: &HostCalls) -> Self {
        let one = |interface, function, target: String, bytes: usize| Self {
            interface,
            function,
            items: vec![Record { target, bytes_out: bytes as u64, ..Record::default() }],
        };
        let name = |id: &u32| {
            calls.endpoints.get(*id as usize).map_or_else(String::new, |e| format!("{} ({})", e.name(), e.server()))
        };
        match call {
            HostCall::Log { level, message } => {
                one("log", "write", format!("{level:?}").to_lowercase(), message.len()).with_payload(message)
            }
            HostCall::Output { stream, text } => one("wasi:cli", "write", shown(stream), text.len()),
            HostCall::Report { outcome } => one("report", "outcome", shown(&outcome.check), 0),
            HostCall::Open { name } => one("endpoints", "open", shown(name), 0),
            HostCall::Server { endpoint } => one("endpoints", "server", name(endpoint), 0),
            HostCall::Certificate { endpoint } => one("endpoints", "certificate", name(endpoint), 0),
            HostCall::Send { endpoint, requests } => Self {
                interface: "endpoints",
                function: "send",
                items: requests
                    .iter()
                    .map(|request| match request {
                        Ok(request) => Record {
                            target: format!("{} {} {}", name(endpoint), shown(&request.method), shown(&request.path)),
                            bytes_out: request.body.iter().map(size).sum(),
                            payload: Some(sent(request)),
                            ..Record::default()
                        },
                        Err(_) => Record { target: name(endpoint), ..Record::default() },
                    })
                    .collect(),
            },
            HostCall::Pause { milliseconds } => one("endpoints", "pause", format!("{milliseconds} ms"), 0),
            HostCall::Now => one("endpoints", "now", String::new(), 0),
            HostCall::SecretAvailable { name } => one("secrets", "available", shown(name), 0),
            HostCall::SecretSame { a, b } => one("secrets", "same", format!("{} {}", shown(a), shown(b)), 0),
            HostCall::EnginePing => one("container-engine", "ping", String::new(), 0),
            HostCall::EngineVersion => one("container-engine", "version", String::new(), 0),
            HostCall::EngineInfo => one("container-engine", "info", String::new(), 0),
            HostCall::EngineNetworks => one("container-engine", "networks", String::new(), 0),
        }
    }
}

/// Of a request as the component made it: secrets are references in it.
fn sent(request: &Request) -> String {
    let mut hash = Sha256::new();
    let mut part = |part: &Part| match part {
        Part::Text(text) => hash.update(text),
        Part::Bytes(bytes) => hash.update(bytes),
        Part::Secret { name, encoding } => hash.update(format!("\0secret {name} {encoding:?}\0")),
        Part::BasicAuth { user, password } => hash.update(format!("\0basic {user} {password}\0")),
    };
    part(&Part::Text(format!("{} {}\n", request.method, request.path)));
    for (name, value) in &request.headers {
        part(&Part::Text(format!("{name}: ")));
        value.iter().for_each(&mut part);
        part(&Part::Text("\n".to_owned()));
    }
    part(&Part::Text("\n".to_owned()));
    request.body.iter().for_each(&mut part);
    hex::encode(hash.finalize())
}

/// A component's text in a record: one line, of bounded length.
fn shown(text: &str) -> String {
    let mut cleaned = log_line::clean(text);
    if cleaned.len() > 500 {
        cleaned = cleaned.chars().take(500).chain("…".chars()).collect();
    }
    cleaned
}

fn size(part: &Part) -> u64 {
    match part {
        Part::Text(text) => text.len() as u64,
        Part::Bytes(bytes) => bytes.len() as u64,
        // The length of a secret is nobody's business.
        Part::Secret { .. } | Part::BasicAuth { .. } => 0,
    }
}

/// Decision, result and bytes for the record of one item of an answer.
pub(super) fn outcome(decision: &Decision, answer: &HostAnswer, index: usize) -> Ended {
    let allowed = |result| Ended { decision: Decision::Allowed, result, bytes_in: 0, reply: None };
    if let Decision::Refused(why) = decision {
        return Ended { decision: decision.clone(), ..allowed(CallResult::Error(why.clone())) };
    }
    let failed = |error: &EndpointError| match error {
        // The host's own word, not the server's.
        EndpointError::Refused(why) | EndpointError::NotGranted(why) => {
            Ended { decision: Decision::Refused(why.clone()), ..allowed(CallResult::Error(why.clone())) }
        }
        error => allowed(CallResult::Error(error.to_string())),
    };
    let engine =
        |error: Option<&EngineError>| allowed(error.map_or(CallResult::Ok, |e| CallResult::Error(e.to_string())));
    match answer {
        HostAnswer::Done | HostAnswer::Server(_) | HostAnswer::Now(_) | HostAnswer::Known(_) => allowed(CallResult::Ok),
        HostAnswer::Open(result) => result.as_ref().map_or_else(failed, |_| allowed(CallResult::Ok)),
        HostAnswer::Certificate(result) => result.as_ref().map_or_else(failed, |_| allowed(CallResult::Ok)),
        HostAnswer::Send(answers) => match answers.get(index) {
            Some(Ok(response)) => Ended {
                bytes_in: response.body.len() as u64,
                reply: Some(digest(&response.body)),
                ..allowed(CallResult::Status(response.status))
            },
            Some(Err(error)) => failed(error),
            None => allowed(CallResult::Ok),
        },
        HostAnswer::EnginePing(result) => engine(result.as_ref().err()),
        HostAnswer::EngineVersion(result) => engine(result.as_ref().err()),
        HostAnswer::EngineInfo(result) => engine(result.as_ref().err()),
        HostAnswer::EngineNetworks(result) => engine(result.as_ref().err()),
    }
}
