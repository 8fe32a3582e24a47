//! A loaded plugin: each function of the contract, each call in a session of its own.

use std::sync::Arc;
use std::time::Duration;

use kedge_spec::finding::Finding;
use kedge_spec::provider::{
    Change, Check, CheckOutcome, CommandAnswer, Compared, Contributions, Description, InfrastructureObjects,
    MachineTemplate, Manifest, NodeContribution, ProviderCommand, ProviderDocument, ProviderInput, Role,
};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::audit::AuditSink;
use crate::catalog::Origin;
use crate::contract::{Answer, CallError, Optional, Prepared, Session};
use crate::engine::Engine;
use crate::environment::Environment;
use crate::error::PluginError;
use crate::host_calls::{Grant, HostCalls};
use crate::limits::Limits;
use crate::log_line::LogSink;
use crate::session;

/// What loading a plugin leads to.
pub(crate) struct Loaded {
    pub(crate) engine: Arc<Engine>,
    pub(crate) prepared: Box<dyn Prepared>,
    pub(crate) contract: &'static str,
    pub(crate) contract_imports: Vec<String>,
    pub(crate) digest: Arc<str>,
    pub(crate) origin: Origin,
    pub(crate) limits: Arc<Limits>,
    pub(crate) log: Arc<dyn LogSink>,
}

/// A plugin that is loaded and has described itself. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    loaded: Arc<Loaded>,
    name: Arc<str>,
    description: Arc<Description>,
    audit: Arc<dyn AuditSink>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name).field("digest", &self.loaded.digest).finish_non_exhaustive()
    }
}

/// An instance with the time it has.
struct Call {
    plugin: Arc<str>,
    function: &'static str,
    session: Box<dyn Session>,
    within: Duration,
    pure: bool,
}

/// Opens a session, does something in it within its time, and closes it.
macro_rules! call {
    ($self:expr, $function:expr, $grant:expr, |$session:ident| $work:expr) => {{
        let mut call = open(&$self.loaded, &$self.name, &$self.audit, $function, $grant).await?;
        let within = call.within;
        let $session = &mut call.session;
        let answer = tokio::time::timeout(within, $work).await;
        call.close(answer).await
    }};
}

async fn open(
    loaded: &Loaded,
    name: &Arc<str>,
    audit: &Arc<dyn AuditSink>,
    function: &'static str,
    grant: Grant,
) -> Result<Call, PluginError> {
    let (pure, within, audit) = match &grant {
        Grant::Pure => (true, loaded.limits.compute_time, audit.clone()),
        Grant::Environment { environment, .. } => (false, loaded.limits.session_time, environment.audit.clone()),
    };
    let calls =
        HostCalls::new(name.clone(), loaded.digest.clone(), grant, loaded.log.clone(), audit, loaded.limits.clone());
    let store = session::store(&loaded.engine.engine, calls, &loaded.limits);
    let timeout = || PluginError::Timeout {
        plugin: name.to_string(),
        function: "start".to_owned(),
        after: within,
        computing: pure,
    };
    match tokio::time::timeout(within, loaded.prepared.open(store)).await {
        Ok(Ok(mut session)) => {
            session.state().calls.during = function;
            Ok(Call { plugin: name.clone(), function, session, within, pure })
        }
        Ok(Err((error, mut store))) => {
            let words = session::drain(store.data_mut()).await;
            Err(session::explain(&error, store.data(), words))
        }
        Err(_) => Err(timeout()),
    }
}

impl Call {
    async fn close<T>(mut self, answer: Result<Answer<T>, tokio::time::error::Elapsed>) -> Result<T, PluginError> {
        let state = self.session.state();
        let words = session::drain(state).await;
        let plugin = self.plugin.to_string();
        let function = state.calls.during.to_owned();
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(CallError::Ended(error))) => Err(session::explain(&error, state, words)),
            Ok(Err(CallError::Failed(failure))) => Err(PluginError::Failed { plugin, function, failure }),
            Ok(Err(CallError::Nonsense(why))) => Err(PluginError::Nonsense { plugin, function, why }),
            Ok(Err(CallError::Absent(interface))) => Err(PluginError::NotExported { plugin, interface }),
            Err(_) => Err(PluginError::Timeout {
                plugin,
                function: self.function.to_owned(),
                after: self.within,
                computing: self.pure,
            }),
        }
    }
}

impl Plugin {
    /// Asks the plugin who it is.
    pub(crate) async fn describe(name: &str, loaded: Loaded, audit: Arc<dyn AuditSink>) -> Result<Self, PluginError> {
        struct Nameless {
            loaded: Arc<Loaded>,
            name: Arc<str>,
            audit: Arc<dyn AuditSink>,
        }
        let this = Nameless { loaded: Arc::new(loaded), name: name.into(), audit };
        let description = call!(this, "describe", Grant::Pure, |s| s.describe())?;
        Ok(Self {
            name: description.name.as_str().into(),
            description: Arc::new(description),
            loaded: this.loaded,
            audit: this.audit,
        })
    }

    /// The same plugin, with the calls of its pure functions recorded too.
    #[must_use]
    pub fn with_audit(mut self, audit: Arc<dyn AuditSink>) -> Self {
        self.audit = audit;
        self
    }

    /// What it said of itself when it was loaded.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// SHA-256 of the component, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.loaded.digest
    }

    /// Where it was loaded from.
    pub fn origin(&self) -> &Origin {
        &self.loaded.origin
    }

    /// The version of the contract it speaks, for example `0.1`.
    pub fn contract(&self) -> &'static str {
        self.loaded.contract
    }

    /// The interfaces of the contract that it imports.
    pub fn contract_imports(&self) -> &[String] {
        &self.loaded.contract_imports
    }

    /// The optional parts it has.
    pub fn optional(&self) -> Optional {
        self.loaded.prepared.optional()
    }

    /// A fresh instance, thrown away again: for measuring.
    pub async fn instantiate(&self) -> Result<(), PluginError> {
        open(&self.loaded, &self.name, &self.audit, "start", Grant::Pure).await.map(drop)
    }

    /// The JSON Schema of a kind.
    pub async fn schema(&self, kind: &str) -> Result<Value, PluginError> {
        call!(self, "config.schema", Grant::Pure, |s| s.schema(kind))
    }

    /// A spec for a new cluster, YAML.
    pub async fn generate(&self, name: &str, options: &[(String, String)]) -> Result<String, PluginError> {
        call!(self, "config.generate", Grant::Pure, |s| s.generate(name, options))
    }

    /// The documents with the provider's defaults, in the same order, and what was changed.
    pub async fn defaults(
        &self,
        documents: &[ProviderDocument],
    ) -> Result<(Vec<ProviderDocument>, Vec<Change>), PluginError> {
        call!(self, "config.defaults", Grant::Pure, |s| s.defaults(documents))
    }

    /// What there is to say about defaulted documents.
    pub async fn check(&self, documents: &[ProviderDocument]) -> Result<Vec<Finding>, PluginError> {
        call!(self, "config.check", Grant::Pure, |s| s.check(documents))
    }

    /// Machine templates.
    pub async fn templates(&self, input: &ProviderInput) -> Result<Vec<MachineTemplate>, PluginError> {
        call!(self, "machines.templates", Grant::Pure, |s| s.templates(input))
    }

    /// What nodes of a role need.
    pub async fn node(&self, input: &ProviderInput, role: &Role) -> Result<NodeContribution, PluginError> {
        call!(self, "machines.node", Grant::Pure, |s| s.node(input, role))
    }

    /// The infrastructure objects.
    pub async fn infrastructure(&self, input: &ProviderInput) -> Result<InfrastructureObjects, PluginError> {
        call!(self, "manifests.infrastructure", Grant::Pure, |s| s.infrastructure(input))
    }

    /// Cloud provider, storage class and the like.
    pub async fn addons(&self, input: &ProviderInput) -> Result<Vec<Manifest>, PluginError> {
        call!(self, "manifests.addons", Grant::Pure, |s| s.addons(input))
    }

    /// All that goes into the manifests, in one session.
    pub async fn contributions(&self, input: &ProviderInput, roles: &[Role]) -> Result<Contributions, PluginError> {
        call!(self, "machines.templates", Grant::Pure, |s| s.contributions(input, roles))
    }

    /// Whether it can check the environment.
    pub fn has_preflight(&self) -> bool {
        self.optional().preflight
    }

    /// The checks, before any of them runs.
    pub async fn preflight_plan(
        &self,
        input: &ProviderInput,
        environment: &Environment,
    ) -> Result<Vec<Check>, PluginError> {
        let grant = Grant::Environment { environment: environment.clone(), outcomes: None };
        call!(self, "preflight.plan", grant, |s| s.preflight_plan(input))
    }

    /// Runs the checks but those in `skip`; each result goes to `outcomes` as it is known. Returns what rendering needs to
    /// know of the environment.
    pub async fn preflight_run(
        &self,
        input: &ProviderInput,
        skip: &[String],
        environment: &Environment,
        outcomes: UnboundedSender<CheckOutcome>,
    ) -> Result<Value, PluginError> {
        let grant = Grant::Environment { environment: environment.clone(), outcomes: Some(outcomes) };
        call!(self, "preflight.run", grant, |s| s.preflight_run(input, skip))
    }

    /// Whether it can say what a change means.
    pub fn has_upgrade(&self) -> bool {
        self.optional().upgrade
    }

    /// What each changed field of the provider's kinds means.
    pub async fn compare(
        &self,
        old: &[ProviderDocument],
        new: &[ProviderDocument],
    ) -> Result<Vec<Compared>, PluginError> {
        call!(self, "upgrade.compare", Grant::Pure, |s| s.compare(old, new))
    }

    /// Its own commands; none if it has none.
    pub async fn commands(&self) -> Result<Vec<ProviderCommand>, PluginError> {
        if !self.optional().commands {
            return Ok(Vec::new());
        }
        call!(self, "commands.list", Grant::Pure, |s| s.commands())
    }

    /// Runs one of them.
    pub async fn run_command(
        &self,
        command: &str,
        arguments: &[(String, String)],
        documents: &[ProviderDocument],
        environment: &Environment,
    ) -> Result<CommandAnswer, PluginError> {
        let grant = Grant::Environment { environment: environment.clone(), outcomes: None };
        call!(self, "commands.run", grant, |s| s.run_command(command, arguments, documents))
    }

    /// Whether it has hooks.
    pub fn has_lifecycle(&self) -> bool {
        self.optional().lifecycle
    }

    /// The steps it wants to be called around; none if it has no hooks.
    pub async fn lifecycle_steps(&self) -> Result<Vec<String>, PluginError> {
        if !self.has_lifecycle() {
            return Ok(Vec::new());
        }
        call!(self, "lifecycle.steps", Grant::Pure, |s| s.lifecycle_steps())
    }

    /// The hook before a step.
    pub async fn lifecycle_before(
        &self,
        step: &str,
        input: &ProviderInput,
        environment: &Environment,
    ) -> Result<(), PluginError> {
        let grant = Grant::Environment { environment: environment.clone(), outcomes: None };
        call!(self, "lifecycle.before", grant, |s| s.lifecycle_before(step, input))
    }

    /// The hook after a step.
    pub async fn lifecycle_after(
        &self,
        step: &str,
        input: &ProviderInput,
        environment: &Environment,
    ) -> Result<(), PluginError> {
        let grant = Grant::Environment { environment: environment.clone(), outcomes: None };
        call!(self, "lifecycle.after", grant, |s| s.lifecycle_after(step, input))
    }
}
