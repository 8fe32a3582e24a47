//! A host that remembers what a plugin asked of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::endpoint::{FakeConnection, FakeEndpoint, Sent};
use crate::endpoint::{Endpoint, EndpointError};
use crate::host::{EngineError, EngineInfo, EngineVersion, Host, Level, Network, Outcome, Status};

/// A container engine that answers.
#[derive(Debug, Clone)]
pub struct FakeEngine {
    /// Its version.
    pub version: String,
    /// Bytes of memory.
    pub memory: u64,
}

/// A host with fake servers and secrets. It keeps everything that was reported and logged.
#[derive(Debug, Default)]
pub struct FakeHost {
    secrets: BTreeMap<String, String>,
    endpoints: BTreeMap<String, FakeEndpoint>,
    open: BTreeMap<String, Rc<FakeEndpoint>>,
    engine: Option<FakeEngine>,
    sent: BTreeMap<String, Rc<RefCell<Vec<Sent>>>>,
    /// What was reported, in its order.
    pub outcomes: Vec<Outcome>,
    /// What was logged.
    pub log: Vec<String>,
}

impl FakeHost {
    /// A host that has nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a secret its value.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.into(), value.into());
        self
    }

    /// Grants a server.
    #[must_use]
    pub fn endpoint(mut self, name: &str, endpoint: FakeEndpoint) -> Self {
        self.sent.insert(name.into(), Rc::clone(&endpoint.sent));
        self.endpoints.insert(name.into(), endpoint);
        self
    }

    /// Gives it a container engine.
    #[must_use]
    pub fn engine(mut self, engine: FakeEngine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// What a server was sent, in its order.
    pub fn sent(&self, endpoint: &str) -> Vec<Sent> {
        self.sent.get(endpoint).map(|sent| sent.borrow().clone()).unwrap_or_default()
    }

    /// One line an outcome: the check's id and how it went, with the codes of its findings.
    pub fn summary(&self) -> Vec<String> {
        let line = |outcome: &Outcome| {
            let status = match &outcome.status {
                Status::Passed => "passed".to_owned(),
                Status::Failed => "failed".to_owned(),
                Status::Warned => "warned".to_owned(),
                Status::Skipped(why) => format!("skipped ({why})"),
                Status::Other(other) => other.clone(),
            };
            let codes: Vec<&str> = outcome.findings.iter().map(|finding| finding.code.as_str()).collect();
            let codes = if codes.is_empty() { String::new() } else { format!(" [{}]", codes.join(", ")) };
            format!("{}: {status}{codes}", outcome.check)
        };
        self.outcomes.iter().map(line).collect()
    }

    fn engine_or(&self) -> Result<&FakeEngine, EngineError> {
        self.engine.as_ref().ok_or_else(|| EngineError::Unreachable("no engine here".into()))
    }
}

impl Host for FakeHost {
    fn log(&mut self, _level: Level, message: &str) {
        self.log.push(message.into());
    }

    fn report(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    fn open(&mut self, name: &str) -> Result<Endpoint, EndpointError> {
        if let Some(mut endpoint) = self.endpoints.remove(name) {
            endpoint.secrets.clone_from(&self.secrets);
            self.open.insert(name.into(), Rc::new(endpoint));
        }
        let endpoint = self.open.get(name).ok_or_else(|| EndpointError::NotGranted(name.into()))?;
        Ok(Endpoint::new(Box::new(FakeConnection(Rc::clone(endpoint)))))
    }

    fn now(&mut self) -> u64 {
        // 2026-01-01T00:00:00Z
        1_767_225_600_000
    }

    fn pause(&mut self, _milliseconds: u32) {}

    fn secret_available(&mut self, name: &str) -> bool {
        self.secrets.contains_key(name)
    }

    fn secrets_same(&mut self, a: &str, b: &str) -> bool {
        self.secrets.get(a) == self.secrets.get(b)
    }

    fn engine_ping(&mut self) -> Result<(), EngineError> {
        self.engine_or().map(|_| ())
    }

    fn engine_version(&mut self) -> Result<EngineVersion, EngineError> {
        let version = self.engine_or()?.version.clone();
        Ok(EngineVersion { version, api_version: "1.47".into(), os: "linux".into(), arch: "amd64".into() })
    }

    fn engine_info(&mut self) -> Result<EngineInfo, EngineError> {
        let memory = self.engine_or()?.memory;
        Ok(EngineInfo { cpus: 4, memory, cgroup_version: "2".into(), rootless: false, extensions: vec![] })
    }

    fn engine_networks(&mut self) -> Result<Vec<Network>, EngineError> {
        self.engine_or()?;
        Ok(vec![Network { name: "bridge".into(), driver: "bridge".into(), subnets: vec!["172.17.0.0/16".into()] }])
    }
}
