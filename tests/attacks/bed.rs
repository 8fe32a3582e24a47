//! A host with a good plugin on it, that has to survive what a bad one does.

use std::sync::Arc;

use kedge_plugin::{
    AuditEvent, CallResult, Decision, Environment, HostOptions, Limits, Plugin, PluginError, PluginHost,
};
use kedge_spec::provider::ProviderInput;
use serde_json::{Value, json};

use crate::support::{Audited, Kept, Parts, limits, provider};

/// A host, what it logs and audits, and a plugin that behaves.
pub(crate) struct Bed {
    pub(crate) host: PluginHost,
    pub(crate) log: Arc<Kept>,
    pub(crate) audit: Arc<Audited>,
    good: Plugin,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(limits()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let (log, audit) = (Arc::new(Kept::default()), Arc::new(Audited::default()));
        let options = HostOptions { limits, log: log.clone(), audit: audit.clone(), ..HostOptions::default() };
        let host = PluginHost::new(options).unwrap();
        let good = host.load_bytes("good", &provider(&Parts::default())).await.unwrap();
        Self { host, log, audit, good }
    }

    /// Loads a component that has something in mind.
    pub(crate) async fn load(&self, parts: &Parts) -> Result<Plugin, PluginError> {
        self.host.load_bytes("bad", &provider(parts)).await
    }

    /// Loads a component whose `schema` does something, and calls it.
    pub(crate) async fn schema(&self, body: &str) -> PluginError {
        self.schema_of(&Parts { schema: Some(body.to_owned()), ..Parts::default() }).await
    }

    pub(crate) async fn schema_of(&self, parts: &Parts) -> PluginError {
        self.load(parts).await.unwrap().schema("LabDatacenter").await.unwrap_err()
    }

    /// Runs a component's preflight in an environment.
    pub(crate) async fn run(&self, parts: &Parts, environment: Environment) -> Result<Value, PluginError> {
        let plugin = self.load(parts).await?;
        let environment = Environment { audit: self.audit.clone(), ..environment };
        let (outcomes, _nobody) = tokio::sync::mpsc::unbounded_channel();
        plugin.preflight_run(&input(), &[], &environment, outcomes).await
    }

    /// What the log has, one text a record.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.log.0.lock().unwrap().iter().map(|(_, _, text)| text.clone()).collect()
    }

    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.audit.0.lock().unwrap().clone()
    }

    /// The host serves the good plugin as if nothing had happened, and the audit has a record of what was not let through
    /// or went wrong, with these words.
    pub(crate) async fn survived(&self, words: &str) {
        assert_eq!(self.good.schema("LabDatacenter").await.unwrap(), json!({}), "the host goes on");
        let events = self.events();
        let recorded = events.iter().any(|e| {
            let refused = matches!(&e.decision, Decision::Refused(why) if why.contains(words));
            let failed = matches!(&e.result, CallResult::Error(why) if why.contains(words));
            refused || failed
        });
        assert!(recorded, "no record with `{words}` in {events:#?}");
    }

    /// A call that was let through and went well is recorded with this target.
    pub(crate) async fn recorded(&self, target: &str) {
        assert_eq!(self.good.schema("LabDatacenter").await.unwrap(), json!({}), "the host goes on");
        let events = self.events();
        assert!(events.iter().any(|e| e.target.contains(target)), "no record of `{target}` in {events:#?}");
    }
}

pub(crate) fn input() -> ProviderInput {
    ProviderInput {
        cluster_name: "c".into(),
        namespace: "eksa-system".into(),
        documents: vec![],
        release: json!({}),
        facts: json!({}),
        features: vec![],
    }
}
