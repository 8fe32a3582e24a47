//! What the audit keeps of a call: names, sizes and how it ended; never content.

use std::time::Duration;

use super::{HostAnswer, HostCall, HostCalls};
use crate::audit::{CallResult, Decision};
use crate::container_engine::EngineError;
use crate::endpoint::{Certificate, EndpointError, Part};
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
}

impl Records {
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
            HostCall::Log { level, message } => one("log", "write", format!("{level:?}").to_lowercase(), message.len()),
            HostCall::Output { stream, text } => one("wasi:cli", "write", (*stream).to_owned(), text.len()),
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
pub(super) fn outcome(decision: &Decision, answer: &HostAnswer, index: usize) -> (Decision, CallResult, u64) {
    fn endpoint<T>(
        result: &Result<T, EndpointError>,
        ok: impl Fn(&T) -> (CallResult, u64),
    ) -> (Option<String>, CallResult, u64) {
        match result {
            Ok(value) => {
                let (result, bytes) = ok(value);
                (None, result, bytes)
            }
            // The host's own word, not the server's.
            Err(EndpointError::Refused(why) | EndpointError::NotGranted(why)) => {
                (Some(why.clone()), CallResult::Error(why.clone()), 0)
            }
            Err(error) => (None, CallResult::Error(error.to_string()), 0),
        }
    }
    fn engine<T>(result: &Result<T, EngineError>) -> (Option<String>, CallResult, u64) {
        (None, result.as_ref().map_or_else(|e| CallResult::Error(e.to_string()), |_| CallResult::Ok), 0)
    }
    let plain = |_: &Certificate| (CallResult::Ok, 0);
    let (refused, result, bytes) = match answer {
        HostAnswer::Done | HostAnswer::Server(_) | HostAnswer::Now(_) | HostAnswer::Known(_) => {
            (None, CallResult::Ok, 0)
        }
        HostAnswer::Open(result) => endpoint(result, |_| (CallResult::Ok, 0)),
        HostAnswer::Certificate(result) => endpoint(result, plain),
        HostAnswer::Send(answers) => match answers.get(index) {
            Some(result) => endpoint(result, |r| (CallResult::Status(r.status), r.body.len() as u64)),
            None => (None, CallResult::Ok, 0),
        },
        HostAnswer::EnginePing(result) => engine(result),
        HostAnswer::EngineVersion(result) => engine(result),
        HostAnswer::EngineInfo(result) => engine(result),
        HostAnswer::EngineNetworks(result) => engine(result),
    };
    match (decision, refused) {
        (Decision::Refused(why), _) => (decision.clone(), CallResult::Error(why.clone()), 0),
        (Decision::Allowed, Some(why)) => (Decision::Refused(why), result, bytes),
        (Decision::Allowed, None) => (Decision::Allowed, result, bytes),
    }
}
