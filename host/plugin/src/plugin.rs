//! A loaded plugin: each function of the contract, each call in a session of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kedge_spec::finding::Finding;
use kedge_spec::provider::{
    Change, Check, CheckOutcome, CommandAnswer, Compared, Contributions, Description, InfrastructureObjects,
    MachineTemplate, Manifest, NodeContribution, ProviderCommand, ProviderDocument, ProviderInput, Role,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::audit::{AuditEvent, AuditSink};
use crate::catalog::Origin;
use crate::contract::{Answer, CallError, Optional, Prepared, Session};
use crate::engine::Engine;
use crate::environment::{Environment, Override};
use crate::error::PluginError;
use crate::host_calls::{Grant, HostCalls};
use crate::limits::Limits;
use crate::log_line::LogSink;
use crate::policy::{Policy, Word};
use crate::recording::{self, Playback, Tape, Tapes};
use crate::secrets::SecretStore;
use crate::session;
use crate::trust::Signer;

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
    /// What its file says that it will say of itself.
    pub(crate) manifest: Option<Description>,
    pub(crate) signer: Signer,
    pub(crate) policy: Arc<Policy>,
}

/// A plugin that is loaded and has described itself. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    loaded: Arc<Loaded>,
    name: Arc<str>,
    description: Arc<Description>,
    word: Word,
    audit: Arc<dyn AuditSink>,
    tapes: Tapes,
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

/// Opens a session, does something in it within its time, and closes it. `$question` is what a recording keeps of the
/// arguments.
macro_rules! call {
    ($self:expr, $function:expr, $grant:expr, $question:expr, |$session:ident| $work:expr) => {
        call!($self, $function, $grant, $question, recording::value, |$session| $work)
    };
    ($self:expr, $function:expr, $grant:expr, $question:expr, $told:expr, |$session:ident| $work:expr) => {{
        let tape = $self.tapes.session($function, || $question);
        let mut call = open(&$self.loaded, &$self.name, &$self.audit, $function, $grant, tape.clone()).await?;
        let within = call.within;
        let $session = &mut call.session;
        let answer = tokio::time::timeout(within, $work).await;
        let closed = call.close(answer).await;
        tape.end(&$self.name, &$self.loaded.digest, closed.as_ref().map($told))?;
        closed
    }};
}

async fn open(
    loaded: &Loaded,
    name: &Arc<str>,
    audit: &Arc<dyn AuditSink>,
    function: &'static str,
    grant: Grant,
    tape: Tape,
) -> Result<Call, PluginError> {
    let (pure, within, audit) = match &grant {
        Grant::Pure => (true, loaded.limits.compute_time, audit.clone()),
        Grant::Environment { environment, .. } => (false, loaded.limits.session_time, environment.audit.clone()),
    };
    let calls = HostCalls::new(
        name.clone(),
        loaded.digest.clone(),
        grant,
        loaded.log.clone(),
        audit.clone(),
        loaded.limits.clone(),
        tape,
    );
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
            let error = session::explain(&error, store.data(), words);
            store.data_mut().calls.ended(&error);
            Err(error)
        }
        Err(_) => {
            let error = timeout();
            audit.event(&AuditEvent::of_host(name, &loaded.digest, "start", "end-session", Some(&error)));
            Err(error)
        }
    }
}

impl Call {
    async fn close<T>(mut self, answer: Result<Answer<T>, tokio::time::error::Elapsed>) -> Result<T, PluginError> {
        let state = self.session.state();
        let words = session::drain(state).await;
        let plugin = self.plugin.to_string();
        let function = state.calls.during.to_owned();
        let closed = match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(CallError::Ended(error))) => Err(session::explain(&error, state, words)),
            Ok(Err(CallError::Failed(failure))) => Err(PluginError::Failed { plugin, function, failure }),
            Ok(Err(CallError::Nonsense(why))) => Err(PluginError::Nonsense { plugin, function, why }),
            Ok(Err(CallError::Over(limit, allowed, asked))) => {
                Err(PluginError::LimitExceeded { plugin, function, limit, allowed, asked: Some(asked) })
            }
            Ok(Err(CallError::Absent(interface))) => Err(PluginError::NotExported { plugin, interface }),
            Err(_) => Err(PluginError::Timeout {
                plugin,
                function: self.function.to_owned(),
                after: self.within,
                computing: self.pure,
            }),
        };
        match &closed {
            Err(PluginError::Failed { .. } | PluginError::NotExported { .. }) | Ok(_) => {}
            Err(error) => self.session.state().calls.ended(error),
        }
        closed
    }
}

impl Plugin {
    /// Asks the plugin who it is.
    pub(crate) async fn describe(
        name: &str,
        loaded: Loaded,
        audit: Arc<dyn AuditSink>,
        tapes: Tapes,
    ) -> Result<Self, PluginError> {
        struct Nameless {
            loaded: Arc<Loaded>,
            name: Arc<str>,
            audit: Arc<dyn AuditSink>,
            tapes: Tapes,
        }
        let this = Nameless { loaded: Arc::new(loaded), name: name.into(), audit, tapes };
        let description = call!(this, "describe", Grant::Pure, json!({}), |s| s.describe())?;
        if this.loaded.manifest.as_ref().is_some_and(|said| *said != description) {
            return Err(PluginError::ContractViolation {
                plugin: name.to_owned(),
                why: "it says another thing of itself when it runs than its file does".to_owned(),
            });
        }
        let built_in = this.loaded.origin == Origin::BuiltIn;
        let Loaded { digest, signer, policy, .. } = &*this.loaded;
        let word = policy.plugin(&description.name, true, digest, built_in, signer)?;
        Ok(Self {
            word,
            name: description.name.as_str().into(),
            description: Arc::new(description),
            loaded: this.loaded,
            audit: this.audit,
            tapes: this.tapes,
        })
    }

    /// The same plugin, with the calls of its pure functions recorded too.
    #[must_use]
    pub fn with_audit(mut self, audit: Arc<dyn AuditSink>) -> Self {
        self.audit = audit;
        self
    }

    /// The same plugin, answered from a recorded session.
    pub(crate) fn playing(&self, playback: Arc<Playback>) -> Self {
        Self { tapes: Tapes::Play(playback), ..self.clone() }
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

    /// Who vouches for it.
    pub fn signer(&self) -> &Signer {
        &self.loaded.signer
    }

    /// What the policy says of it.
    pub(crate) fn word(&self) -> Word {
        self.word
    }

    /// The environment that a spec describes, as far as the policy allows: see [`Environment::for_spec`].
    ///
    /// # Errors
    /// A field of the spec that can't be a server's name.
    pub fn environment(
        &self,
        documents: &[ProviderDocument],
        secrets: Arc<SecretStore>,
        overrides: &BTreeMap<String, Override>,
        audit: Arc<dyn AuditSink>,
    ) -> Result<Environment, PluginError> {
        Environment::for_spec(&self.description, documents, secrets, overrides, audit, &self.loaded.policy)
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
        open(&self.loaded, &self.name, &self.audit, "start", Grant::Pure, Tape::default()).await.map(drop)
    }

    /// The JSON Schema of a kind.
    pub async fn schema(&self, kind: &str) -> Result<Value, PluginError> {
        call!(self, "config.schema", Grant::Pure, json!({"kind": kind}), |s| s.schema(kind))
    }

    /// A spec for a new cluster, YAML.
    pub async fn generate(&self, name: &str, options: &[(String, String)]) -> Result<String, PluginError> {
        call!(self, "config.generate", Grant::Pure, json!({"name": name, "options": options}), |s| s
            .generate(name, options))
    }

    /// The documents with the provider's defaults, in the same order, and what was changed.
    pub async fn defaults(
        &self,
        documents: &[ProviderDocument],
    ) -> Result<(Vec<ProviderDocument>, Vec<Change>), PluginError> {
        call!(self, "config.defaults", Grant::Pure, json!({"documents": documents}), |s| s.defaults(documents))
    }

    /// What there is to say about defaulted documents.
    pub async fn check(&self, documents: &[ProviderDocument]) -> Result<Vec<Finding>, PluginError> {
        call!(self, "config.check", Grant::Pure, json!({"documents": documents}), |s| s.check(documents))
    }

    /// Machine templates.
    pub async fn templates(&self, input: &ProviderInput) -> Result<Vec<MachineTemplate>, PluginError> {
        call!(self, "machines.templates", Grant::Pure, json!({"input": input}), |s| s.templates(input))
    }

    /// What nodes of each role need, in the order of the roles.
    pub async fn nodes(&self, input: &ProviderInput, roles: &[Role]) -> Result<Vec<NodeContribution>, PluginError> {
        call!(self, "machines.nodes", Grant::Pure, json!({"input": input, "roles": roles}), |s| s.nodes(input, roles))
    }

    /// The infrastructure objects.
    pub async fn infrastructure(&self, input: &ProviderInput) -> Result<InfrastructureObjects, PluginError> {
        call!(self, "manifests.infrastructure", Grant::Pure, json!({"input": input}), |s| s.infrastructure(input))
    }

    /// Cloud provider, storage class and the like.
    pub async fn addons(&self, input: &ProviderInput) -> Result<Vec<Manifest>, PluginError> {
        call!(self, "manifests.addons", Grant::Pure, json!({"input": input}), |s| s.addons(input))
    }

    /// All that goes into the manifests, in one session.
    pub async fn contributions(&self, input: &ProviderInput, roles: &[Role]) -> Result<Contributions, PluginError> {
        call!(
            self,
            "contributions",
            Grant::Pure,
            json!({"input": input, "roles": roles}),
            recording::contributions,
            |s| s.contributions(input, roles)
        )
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
        call!(self, "preflight.plan", grant, json!({"input": input}), |s| s.preflight_plan(input))
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
        call!(self, "preflight.run", grant, json!({"input": input, "skip": skip}), |s| s.preflight_run(input, skip))
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
        call!(self, "upgrade.compare", Grant::Pure, json!({"old": old, "new": new}), |s| s.compare(old, new))
    }

    /// Its own commands; none if it has none.
    pub async fn commands(&self) -> Result<Vec<ProviderCommand>, PluginError> {
        if !self.optional().commands {
            return Ok(Vec::new());
        }
        call!(self, "commands.list", Grant::Pure, json!({}), |s| s.commands())
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
        let question = || json!({"command": command, "arguments": arguments, "documents": documents});
        call!(self, "commands.run", grant, question(), |s| s.run_command(command, arguments, documents))
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
        call!(self, "lifecycle.steps", Grant::Pure, json!({}), |s| s.lifecycle_steps())
    }

    /// The hook before a step.
    pub async fn lifecycle_before(
        &self,
        step: &str,
        input: &ProviderInput,
        environment: &Environment,
    ) -> Result<(), PluginError> {
        let grant = Grant::Environment { environment: environment.clone(), outcomes: None };
        call!(self, "lifecycle.before", grant, json!({"step": step, "input": input}), |s| s
            .lifecycle_before(step, input))
    }

    /// The hook after a step.
    pub async fn lifecycle_after(
        &self,
        step: &str,
        input: &ProviderInput,
        environment: &Environment,
    ) -> Result<(), PluginError> {
        let grant = Grant::Environment { environment: environment.clone(), outcomes: None };
        call!(self, "lifecycle.after", grant, json!({"step": step, "input": input}), |s| s.lifecycle_after(step, input))
    }
}
