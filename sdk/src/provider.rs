//! What a plugin implements.

use serde_json::Value;

pub use crate::bindings::preflight::exports::kedge::provider::preflight::Check;
pub use crate::bindings::upgrade::exports::kedge::provider::upgrade::{Compared, Verdict};
use crate::{
    Defaulting, Description, Documents, Failure, Finding, Findings, Host, InfrastructureObjects, Input,
    NodeContribution, ObjectRef, Placed, Role,
};

/// Options of `generate`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<(String, String)>);

impl Options {
    /// From names and values.
    pub fn new(options: Vec<(String, String)>) -> Self {
        Self(options)
    }

    /// An option by its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The Kubernetes version of the new spec, for example `1.31`.
    ///
    /// # Errors
    /// The host gave none.
    pub fn kubernetes_version(&self) -> Result<&str, Failure> {
        self.get("kubernetes-version")
            .ok_or_else(|| Finding::error("option-missing", "the option `kubernetes-version` is missing").into())
    }
}

/// A machine template, not yet named.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineTemplate {
    /// What its machines are for.
    pub role: Role,
    /// `apiVersion`, `kind`, `spec`; no name: the host names it by its content.
    pub object: Value,
    /// Fields that may change without a new name, and so without new machines.
    pub in_place: Vec<String>,
}

/// What every provider is. None of these functions may look at the environment: same input, same answer.
pub trait Provider {
    /// Who it is and what it will ask for. Constant.
    fn describe(&self) -> Description;

    /// The JSON Schema of a claimed kind.
    ///
    /// # Errors
    /// [`Failure::unknown_kind`].
    fn schema(&self, kind: &str) -> Result<Value, Failure>;

    /// A spec for a new cluster as YAML text, with a comment at every blank that the user must fill.
    ///
    /// # Errors
    /// An option is missing or can't be used.
    fn generate(&self, name: &str, options: &Options) -> Result<String, Failure>;

    /// Fills in what the user left out.
    ///
    /// # Errors
    /// The documents can't be worked with at all. What is merely wrong is for [`Provider::check`].
    fn defaults(&self, _documents: &mut Defaulting) -> Result<(), Failure> {
        Ok(())
    }

    /// Says everything that is wrong with defaulted documents.
    fn check(&self, _documents: &Documents, _findings: &mut Findings) {}

    /// One machine template for each role that the spec has machines for.
    ///
    /// # Errors
    /// The input can't be rendered.
    fn templates(&self, input: &Input) -> Result<Vec<MachineTemplate>, Failure>;

    /// What a node of a role needs.
    ///
    /// # Errors
    /// The input can't be rendered.
    fn node(&self, input: &Input, role: &Role) -> Result<NodeContribution, Failure>;

    /// The same for many roles, in their order. Worth an implementation of its own where a role is cheap once the
    /// documents are read.
    ///
    /// # Errors
    /// The input can't be rendered.
    fn nodes(&self, input: &Input, roles: &[Role]) -> Result<Vec<NodeContribution>, Failure> {
        roles.iter().map(|role| self.node(input, role)).collect()
    }

    /// The objects around the machines.
    ///
    /// # Errors
    /// The input can't be rendered.
    fn infrastructure(&self, input: &Input) -> Result<InfrastructureObjects, Failure>;

    /// Cloud provider, storage class and the like.
    ///
    /// # Errors
    /// The input can't be rendered.
    fn addons(&self, _input: &Input) -> Result<Vec<Placed>, Failure> {
        Ok(vec![])
    }
}

/// Checks of the real environment.
pub trait Preflight: Provider {
    /// The checks, before any of them runs.
    ///
    /// # Errors
    /// The input can't be worked with.
    fn plan(&self, input: &Input) -> Result<Vec<Check>, Failure>;

    /// Runs them all but those in `skip` and reports each ([`crate::Reporter`]). The result becomes `facts` of the
    /// input when it renders.
    ///
    /// # Errors
    /// The input can't be worked with. A failed check is no error of this function.
    fn run(&self, input: &Input, skip: &[String], host: &mut dyn Host) -> Result<Value, Failure>;
}

/// What a change of the spec means.
pub trait Upgrade: Provider {
    /// Every changed field of the provider's own kinds.
    ///
    /// # Errors
    /// The documents can't be worked with.
    fn compare(&self, old: &Documents, new: &Documents) -> Result<Vec<Compared>, Failure>;
}

/// Hooks around steps of the workflow.
pub trait Lifecycle: Provider {
    /// The steps to be called around, by id.
    fn steps(&self) -> Vec<String>;

    /// Before a step.
    ///
    /// # Errors
    /// The step can't go on.
    fn before(&self, _step: &str, _input: &Input, _host: &mut dyn Host) -> Result<(), Failure> {
        Ok(())
    }

    /// After a step.
    ///
    /// # Errors
    /// The workflow can't go on.
    fn after(&self, _step: &str, _input: &Input, _host: &mut dyn Host) -> Result<(), Failure> {
        Ok(())
    }
}

impl Check {
    /// A check with its stable id and the line for a pass.
    pub fn new(id: impl Into<String>, title: &str) -> Self {
        Self { id: id.into(), title: title.into(), document: None, quiet: false }
    }

    /// A pass is worth no line of its own.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The document it is about.
    #[must_use]
    pub fn about(mut self, document: impl Into<ObjectRef>) -> Self {
        self.document = Some(document.into());
        self
    }
}
