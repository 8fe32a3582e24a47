//! The versions of the contract that this host speaks.
//!
//! Each version is a module with its own bindings, generated from its own text of the contract, behind the traits below.
//! Everything else of the crate knows only these traits and the plain data of `kedge_spec::provider`; a new version is a
//! new module and a line in [`versions`].

mod text;
mod v0_1;

use async_trait::async_trait;
use kedge_spec::finding::Finding;
use kedge_spec::provider::{
    Change, Check, CommandAnswer, Compared, Contributions, Description, InfrastructureObjects, MachineTemplate,
    Manifest, NodeContribution, ProviderCommand, ProviderDocument, ProviderInput, Role,
};
use semver::Version;
use serde_json::Value;
use wasmtime::component::{InstancePre, Linker};
use wasmtime::{Engine, Store};

use crate::error::Failure;
use crate::limits::LimitKind;
use crate::session::State;

/// The package of the contract, in every version.
pub(crate) const PACKAGE: &str = "kedge:provider";

/// A version of the contract.
pub(crate) trait Contract: Send + Sync {
    /// Its name, for messages: `0.1`.
    fn name(&self) -> &'static str;
    /// Whether a component built for this version is one of its own.
    fn speaks(&self, version: &Version) -> bool;
    /// The interfaces that a component may import.
    fn imports(&self) -> &'static [&'static str];
    /// The interfaces that it must export.
    fn exports(&self) -> &'static [&'static str];
    /// A linker with these imports and the inert profile.
    fn linker(&self, engine: &Engine) -> wasmtime::Result<Linker<State>>;
    /// Checks exports and their types.
    fn prepare(&self, component: InstancePre<State>) -> wasmtime::Result<Box<dyn Prepared>>;
}

/// All versions, newest first.
pub(crate) fn versions() -> [&'static dyn Contract; 1] {
    [&v0_1::V0_1]
}

/// The version that speaks for a component.
pub(crate) fn for_version(version: &Version) -> Option<&'static dyn Contract> {
    versions().into_iter().find(|c| c.speaks(version))
}

/// Which optional parts a component has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Optional {
    /// Checks of the environment.
    pub preflight: bool,
    /// What a change means.
    pub upgrade: bool,
    /// Hooks around steps.
    pub lifecycle: bool,
    /// Commands of its own.
    pub commands: bool,
}

/// A component that is compiled, linked and checked.
#[async_trait]
pub(crate) trait Prepared: Send + Sync {
    fn optional(&self) -> Optional;
    /// A new instance. Code of the component may run: limits and deadline must be set.
    async fn open(&self, store: Store<State>) -> Result<Box<dyn Session>, (wasmtime::Error, Box<Store<State>>)>;
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The session is over: a trap, a limit, a timeout.
    Ended(wasmtime::Error),
    /// The provider says why.
    Failed(Failure),
    /// The answer can't be used.
    Nonsense(String),
    /// The answer is larger or deeper than the host reads: which limit, how much there is, how much it has.
    Over(LimitKind, u64, u64),
    /// The component doesn't have the function.
    Absent(&'static str),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Ended(error)
    }
}

pub(crate) type Answer<T> = Result<T, CallError>;

/// An instance of a component. Each function is one of the contract's.
#[async_trait]
pub(crate) trait Session: Send {
    fn state(&mut self) -> &mut State;

    async fn describe(&mut self) -> Answer<Description>;
    async fn schema(&mut self, kind: &str) -> Answer<Value>;
    async fn generate(&mut self, name: &str, options: &[(String, String)]) -> Answer<String>;
    async fn defaults(&mut self, documents: &[ProviderDocument]) -> Answer<(Vec<ProviderDocument>, Vec<Change>)>;
    async fn check(&mut self, documents: &[ProviderDocument]) -> Answer<Vec<Finding>>;
    async fn templates(&mut self, input: &ProviderInput) -> Answer<Vec<MachineTemplate>>;
    async fn nodes(&mut self, input: &ProviderInput, roles: &[Role]) -> Answer<Vec<NodeContribution>>;
    async fn infrastructure(&mut self, input: &ProviderInput) -> Answer<InfrastructureObjects>;
    async fn addons(&mut self, input: &ProviderInput) -> Answer<Vec<Manifest>>;
    /// `templates`, `nodes`, `infrastructure`, `addons`: the input, as long as the spec, is turned into the contract's form
    /// once.
    async fn contributions(&mut self, input: &ProviderInput, roles: &[Role]) -> Answer<Contributions>;
    async fn preflight_plan(&mut self, input: &ProviderInput) -> Answer<Vec<Check>>;
    async fn preflight_run(&mut self, input: &ProviderInput, skip: &[String]) -> Answer<Value>;
    async fn compare(&mut self, old: &[ProviderDocument], new: &[ProviderDocument]) -> Answer<Vec<Compared>>;
    async fn lifecycle_steps(&mut self) -> Answer<Vec<String>>;
    async fn lifecycle_before(&mut self, step: &str, input: &ProviderInput) -> Answer<()>;
    async fn lifecycle_after(&mut self, step: &str, input: &ProviderInput) -> Answer<()>;
    async fn commands(&mut self) -> Answer<Vec<ProviderCommand>>;
    async fn run_command(
        &mut self,
        command: &str,
        arguments: &[(String, String)],
        documents: &[ProviderDocument],
    ) -> Answer<CommandAnswer>;
}

/// A description for tests.
#[cfg(test)]
pub(crate) mod sample {
    use kedge_spec::provider::{Description, EndpointNeed, Infrastructure, KindClaim, KindRole, SecretNeed};

    fn secret(name: &str, environment: &str, endpoint: Option<&str>, required: bool) -> SecretNeed {
        SecretNeed {
            name: name.into(),
            purpose: "tests".into(),
            environment: vec![environment.into()],
            endpoint: endpoint.map(Into::into),
            required,
        }
    }

    pub(crate) fn description() -> Description {
        Description {
            name: "lab".into(),
            title: "Lab".into(),
            version: "0.1.0".into(),
            kinds: vec![KindClaim {
                role: KindRole::Datacenter,
                kind: "LabDatacenter".into(),
                api_versions: vec!["example/v1".into()],
            }],
            endpoints: vec![EndpointNeed {
                name: "lab".into(),
                purpose: "tests".into(),
                kind: "LabDatacenter".into(),
                server_field: "spec.server".into(),
                default_port: 443,
                insecure_field: Some("spec.insecure".into()),
                thumbprint_field: Some("spec.thumbprint".into()),
            }],
            secrets: vec![
                secret("username", "LAB_USER", Some("lab"), true),
                secret("password", "LAB_PASSWORD", Some("lab"), true),
                secret("cp-password", "LAB_CP_PASSWORD", None, false),
            ],
            infrastructure: Infrastructure {
                name: "lab".into(),
                release_key: "lab".into(),
                namespace: "capl-system".into(),
                api_group: "infrastructure.example".into(),
                cluster_kind: "LabCluster".into(),
                machine_template_kind: "LabMachineTemplate".into(),
                api_versions: vec!["v1beta1".into()],
            },
            machine_documents: false,
            user_endpoint: false,
            extra_cni: vec![],
            extensions: std::collections::BTreeMap::new(),
        }
    }
}
