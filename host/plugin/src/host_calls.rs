//! The one way from a component to the host.
//!
//! Every import of every contract version becomes a [`HostCall`], and [`HostCalls::call`] is the only function that
//! decides about it, does it, and records it. A recording of a session is the list of its calls and [`HostAnswer`]s; a
//! replay answers from the list instead of [`HostCalls::perform`] (see `recording`).

mod records;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kedge_spec::provider::CheckOutcome;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::audit::{AuditEvent, AuditSink, Decision};
use crate::container_engine::{EngineError, EngineInfo, EngineNetwork, EngineVersion};
use crate::endpoint::{Budget, Certificate, EndpointClient, EndpointError, Request, Response, Sent};
use crate::environment::Environment;
use crate::error::PluginError;
use crate::isolate::Line;
use crate::limits::{LimitKind, Limits};
use crate::log_line::{self, LogLevel, LogSink};
use crate::recording::Tape;
use records::{Ended, Records, outcome};

/// Everything that a component can ask of the host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HostCall {
    /// A record for the log.
    Log {
        level: LogLevel,
        message: String,
    },
    /// Bytes written to the component's standard output or error.
    Output {
        stream: Cow<'static, str>,
        text: String,
    },
    /// A preflight result.
    Report {
        outcome: CheckOutcome,
    },
    /// An endpoint by name.
    Open {
        name: String,
    },
    /// What the spec calls its server.
    Server {
        endpoint: u32,
    },
    /// Requests, side by side.
    Send {
        endpoint: u32,
        requests: Vec<Result<Request, String>>,
    },
    /// Its certificate.
    Certificate {
        endpoint: u32,
    },
    /// What time it is.
    Now,
    /// Nothing, for a while.
    Pause {
        milliseconds: u32,
    },
    /// Whether a secret has a value.
    SecretAvailable {
        name: String,
    },
    /// Whether two have the same.
    SecretSame {
        a: String,
        b: String,
    },
    /// The container engine.
    EnginePing,
    EngineVersion,
    EngineInfo,
    EngineNetworks,
}

/// The answer to the call of the same name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HostAnswer {
    Done,
    Open(Result<u32, EndpointError>),
    Server(String),
    Send(Vec<Result<Response, EndpointError>>),
    Certificate(Result<Certificate, EndpointError>),
    Now(u64),
    Known(bool),
    EnginePing(Result<(), EngineError>),
    EngineVersion(Result<EngineVersion, EngineError>),
    EngineInfo(Result<EngineInfo, EngineError>),
    EngineNetworks(Result<Vec<EngineNetwork>, EngineError>),
}

/// What ends a session: a component that floods the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("over the limit of {allowed} {limit}")]
pub(crate) struct Flood {
    pub(crate) limit: LimitKind,
    pub(crate) allowed: u64,
    pub(crate) asked: u64,
}

/// Why a call has no answer: the session ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error(transparent)]
    Flood(#[from] Flood),
    /// Another call than the one that was recorded.
    #[error("it asks for something else than was recorded")]
    Diverged,
    /// This is the child of a program that is gone.
    #[error("the program that started it is gone")]
    Gone,
}

/// What a session is for, and so what it may call.
pub(crate) enum Grant {
    /// The log alone.
    Pure,
    /// An environment, and a place for results if the session is a preflight run.
    Environment { environment: Environment, outcomes: Option<UnboundedSender<CheckOutcome>> },
}

pub(crate) struct HostCalls {
    /// Plugin name and digest, for log and audit.
    pub(crate) plugin: Arc<str>,
    digest: Arc<str>,
    /// The exported function that runs.
    pub(crate) during: &'static str,
    grant: Grant,
    log: Arc<dyn LogSink>,
    audit: Arc<dyn AuditSink>,
    limits: Arc<Limits>,
    tape: Tape,
    seq: u64,
    log_records: u64,
    log_bytes: u64,
    reports: u64,
    count: u64,
    budget: Arc<Budget>,
    endpoints: Vec<Arc<EndpointClient>>,
    by_name: BTreeMap<String, u32>,
    /// Time spent in the host, which is not the component's own.
    pub(crate) host_time: Duration,
    /// When the call that is running entered the host.
    pub(crate) entered: Option<Instant>,
    /// Who decides, does and records, if this is the child of another process.
    pub(crate) line: Option<Box<dyn Line>>,
}

/// A component waits no longer than this at one time.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

const PURE: &str = "a pure function may only write to the log";

impl HostCalls {
    pub(crate) fn new(
        plugin: Arc<str>,
        digest: Arc<str>,
        grant: Grant,
        log: Arc<dyn LogSink>,
        audit: Arc<dyn AuditSink>,
        limits: Arc<Limits>,
        tape: Tape,
    ) -> Self {
        Self {
            plugin,
            digest,
            during: "start",
            grant,
            log,
            audit,
            limits,
            tape,
            seq: 0,
            log_records: 0,
            log_bytes: 0,
            reports: 0,
            count: 0,
            budget: Arc::default(),
            endpoints: Vec::new(),
            by_name: BTreeMap::new(),
            host_time: Duration::ZERO,
            entered: None,
            line: None,
        }
    }

    /// SHA-256 of the component.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// How the process is confined in which the plugin's sessions run.
    pub(crate) fn confined(&self, how: &str) {
        let mut event = AuditEvent::of_host(&self.plugin, &self.digest, self.during, "isolate", None);
        event.target = format!("in a process of its own with {how}");
        self.audit.event(&event);
    }

    /// Asks the parent; the time that takes is not the component's.
    fn ask(&mut self, call: HostCall) -> Option<Result<HostAnswer, Stop>> {
        let line = self.line.as_mut()?;
        let started = Instant::now();
        let answer = line.ask(self.during, call);
        self.host_time += started.elapsed();
        Some(answer)
    }

    /// Decides, does, records.
    pub(crate) async fn call(&mut self, call: HostCall) -> Result<HostAnswer, Stop> {
        self.flood(&call)?;
        if self.line.is_some() {
            return self.ask(call).unwrap_or(Err(Stop::Gone));
        }
        if let Some(answer) = self.tape.answer(&call)? {
            return Ok(answer);
        }
        let asked = self.tape.asked(&call);
        let started = Instant::now();
        self.entered = Some(started);
        let mut records = self.audit.enabled().then(|| Records::of(&call, self));
        let refused = self.refuses(&call);
        let answer = match &refused {
            Some(why) => refusal(&call, why),
            None => self.perform(call, records.as_mut()).await,
        };
        let took = started.elapsed();
        self.entered = None;
        self.host_time += took;
        if let Some(records) = records {
            self.record(records, refused, &answer, took);
        }
        self.tape.keep(asked, &answer);
        Ok(answer)
    }

    /// Budgets that end the session. Others (requests, bytes of responses) are answers.
    fn flood(&mut self, call: &HostCall) -> Result<(), Flood> {
        let over = |limit, allowed, asked| if asked > allowed { Err(Flood { limit, allowed, asked }) } else { Ok(()) };
        self.count += 1;
        over(LimitKind::HostCalls, self.limits.host_calls, self.count)?;
        match call {
            HostCall::Log { message: text, .. } | HostCall::Output { text, .. } => {
                self.log_records += 1;
                self.log_bytes += text.len() as u64;
                over(LimitKind::LogRecords, self.limits.log_records, self.log_records)?;
                over(LimitKind::LogBytes, self.limits.log_bytes, self.log_bytes)
            }
            HostCall::Report { .. } => {
                self.reports += 1;
                over(LimitKind::Reports, self.limits.reports, self.reports)
            }
            _ => Ok(()),
        }
    }

    /// Why a call is not allowed, if it isn't.
    fn refuses(&self, call: &HostCall) -> Option<String> {
        let (environment, outcomes) = match (&self.grant, call) {
            (_, HostCall::Log { .. } | HostCall::Output { .. }) => return None,
            (Grant::Pure, _) => return Some(PURE.to_owned()),
            (Grant::Environment { environment, outcomes }, _) => (environment, outcomes),
        };
        match call {
            HostCall::Report { .. } if outcomes.is_none() => {
                Some("results are reported during a preflight run alone".to_owned())
            }
            HostCall::Open { name } if !environment.endpoints.contains_key(name) => {
                Some(match environment.absent.get(name) {
                    Some(why) => format!("there is no server for `{name}`: {why}"),
                    None => format!("`{name}` is not an endpoint of the provider's description"),
                })
            }
            HostCall::EnginePing | HostCall::EngineVersion | HostCall::EngineInfo | HostCall::EngineNetworks
                if environment.engine.is_none() =>
            {
                Some("no container engine was granted".to_owned())
            }
            _ => None,
        }
    }

    /// Does what was decided to be allowed.
    async fn perform(&mut self, call: HostCall, records: Option<&mut Records>) -> HostAnswer {
        match call {
            HostCall::Log { level, message } => {
                self.write(level, &message);
                HostAnswer::Done
            }
            HostCall::Output { stream, text } => {
                // Standard error is where languages put what they have to say about a crash.
                self.write(if stream == "stderr" { LogLevel::Warn } else { LogLevel::Debug }, &text);
                HostAnswer::Done
            }
            HostCall::Report { outcome } => {
                if let Grant::Environment { outcomes: Some(outcomes), .. } = &self.grant {
                    // Nobody may be listening any more; the run goes on.
                    let _ = outcomes.send(outcome);
                }
                HostAnswer::Done
            }
            HostCall::Open { name } => HostAnswer::Open(self.open(&name)),
            HostCall::Server { endpoint } => {
                HostAnswer::Server(self.endpoint(endpoint).map(|e| e.server().to_owned()).unwrap_or_default())
            }
            HostCall::Send { endpoint, requests } => {
                let answers = match self.endpoint(endpoint) {
                    Ok(client) => send_all(&client, requests, self.limits.parallel_requests, records).await,
                    Err(error) => requests.iter().map(|_| Err(error.clone())).collect(),
                };
                HostAnswer::Send(answers)
            }
            HostCall::Certificate { endpoint } => HostAnswer::Certificate(match self.endpoint(endpoint) {
                Ok(client) => client.certificate().await,
                Err(error) => Err(error),
            }),
            HostCall::Now => HostAnswer::Now(now()),
            HostCall::Pause { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(milliseconds.into()).min(LONGEST_PAUSE)).await;
                HostAnswer::Done
            }
            HostCall::SecretAvailable { name } => {
                HostAnswer::Known(self.environment().is_some_and(|e| e.secrets.available(&name)))
            }
            HostCall::SecretSame { a, b } => {
                HostAnswer::Known(self.environment().is_some_and(|e| e.secrets.same(&a, &b)))
            }
            HostCall::EnginePing => HostAnswer::EnginePing(match self.engine() {
                Ok(engine) => engine.ping().await,
                Err(error) => Err(error),
            }),
            HostCall::EngineVersion => HostAnswer::EngineVersion(match self.engine() {
                Ok(engine) => engine.version().await,
                Err(error) => Err(error),
            }),
            HostCall::EngineInfo => HostAnswer::EngineInfo(match self.engine() {
                Ok(engine) => engine.info().await,
                Err(error) => Err(error),
            }),
            HostCall::EngineNetworks => HostAnswer::EngineNetworks(match self.engine() {
                Ok(engine) => engine.networks().await,
                Err(error) => Err(error),
            }),
        }
    }

    fn write(&self, level: LogLevel, message: &str) {
        let redacted = match self.environment() {
            Some(environment) => environment.secrets.redact(message),
            None => message.to_owned(),
        };
        self.log.line(&self.plugin, level, &log_line::clean(&redacted));
    }

    fn environment(&self) -> Option<&Environment> {
        match &self.grant {
            Grant::Pure => None,
            Grant::Environment { environment, .. } => Some(environment),
        }
    }

    fn engine(&self) -> Result<crate::container_engine::EngineAddress, EngineError> {
        self.environment()
            .and_then(|e| e.engine.clone())
            .ok_or_else(|| EngineError::Unreachable("no container engine was granted".to_owned()))
    }

    /// One client per endpoint and session, so that cookies and connections are shared by all handles to it.
    fn open(&mut self, name: &str) -> Result<u32, EndpointError> {
        if let Some(known) = self.by_name.get(name) {
            return Ok(*known);
        }
        let environment = self.environment().ok_or_else(|| EndpointError::NotGranted(PURE.to_owned()))?;
        let target =
            environment.endpoints.get(name).cloned().ok_or_else(|| EndpointError::NotGranted(format!("`{name}`")))?;
        let client = EndpointClient::new(
            name,
            target,
            environment.secrets.clone(),
            self.budget.clone(),
            &self.limits,
            (environment.addresses.clone(), environment.resolver.clone()),
        )?;
        let id = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX);
        self.endpoints.push(Arc::new(client));
        self.by_name.insert(name.to_owned(), id);
        Ok(id)
    }

    fn endpoint(&self, id: u32) -> Result<Arc<EndpointClient>, EndpointError> {
        self.endpoints
            .get(id as usize)
            .cloned()
            .ok_or_else(|| EndpointError::NotGranted("the handle is not one of this session".to_owned()))
    }

    /// The session ended before its time: that is recorded too.
    pub(crate) fn ended(&mut self, error: &PluginError) {
        if self.audit.enabled() {
            self.audit.event(&AuditEvent::of_host(&self.plugin, &self.digest, self.during, "end-session", Some(error)));
        }
    }

    fn record(&mut self, records: Records, refused: Option<String>, answer: &HostAnswer, took: Duration) {
        let decision = refused.map_or(Decision::Allowed, Decision::Refused);
        let Records { interface, function, items } = records;
        let secrets = self.environment().map(|e| e.secrets.clone());
        let hidden = |text: String| secrets.as_ref().map_or(text.clone(), |s| s.redact(&text));
        for (index, item) in items.into_iter().enumerate() {
            let Ended { decision, result, bytes_in, reply } = outcome(&decision, answer, index);
            let target = hidden(item.target);
            self.seq += 1;
            self.audit.event(&AuditEvent {
                seq: self.seq,
                plugin: self.plugin.to_string(),
                digest: self.digest.to_string(),
                during: self.during.to_owned(),
                interface: interface.to_owned(),
                function: function.to_owned(),
                target,
                decision,
                result,
                secrets: item.secrets,
                bytes_out: item.bytes_out,
                bytes_in,
                duration_us: u64::try_from(item.took.unwrap_or(took).as_micros()).unwrap_or(u64::MAX),
                payload: item.payload,
                reply,
            });
        }
    }
}

async fn send_all(
    client: &Arc<EndpointClient>,
    requests: Vec<Result<Request, String>>,
    parallel: usize,
    records: Option<&mut Records>,
) -> Vec<Result<Response, EndpointError>> {
    let sent: Vec<(Sent, Duration, Result<Response, EndpointError>)> = futures::stream::iter(requests)
        .map(|request| async move {
            let started = Instant::now();
            let mut sent = Sent::default();
            let answer = match request {
                Ok(request) => client.send(&request, &mut sent).await,
                Err(why) => Err(EndpointError::Refused(why)),
            };
            (sent, started.elapsed(), answer)
        })
        .buffered(parallel.max(1))
        .collect()
        .await;
    let mut answers = Vec::with_capacity(sent.len());
    let mut items = records.map(|r| r.items.iter_mut());
    for (sent, took, answer) in sent {
        if let Some(item) = items.as_mut().and_then(Iterator::next) {
            item.secrets = sent.secrets;
            item.took = Some(took);
        }
        answers.push(answer);
    }
    answers
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The answer to a call that was refused.
fn refusal(call: &HostCall, why: &str) -> HostAnswer {
    let not_granted = || EndpointError::NotGranted(why.to_owned());
    let no_engine = || EngineError::Unreachable(why.to_owned());
    match call {
        // Nothing to answer: it is left out, and the audit says so.
        HostCall::Log { .. } | HostCall::Output { .. } | HostCall::Report { .. } | HostCall::Pause { .. } => {
            HostAnswer::Done
        }
        HostCall::Open { .. } => HostAnswer::Open(Err(not_granted())),
        HostCall::Server { .. } => HostAnswer::Server(String::new()),
        HostCall::Send { requests, .. } => HostAnswer::Send(requests.iter().map(|_| Err(not_granted())).collect()),
        HostCall::Certificate { .. } => HostAnswer::Certificate(Err(not_granted())),
        HostCall::Now => HostAnswer::Now(0),
        HostCall::SecretAvailable { .. } | HostCall::SecretSame { .. } => HostAnswer::Known(false),
        HostCall::EnginePing => HostAnswer::EnginePing(Err(no_engine())),
        HostCall::EngineVersion => HostAnswer::EngineVersion(Err(no_engine())),
        HostCall::EngineInfo => HostAnswer::EngineInfo(Err(no_engine())),
        HostCall::EngineNetworks => HostAnswer::EngineNetworks(Err(no_engine())),
    }
}
