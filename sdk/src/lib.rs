//! What a kedge provider plugin is written against.
//!
//! A plugin is a type that implements [`Provider`], and where it has something to say there, [`Preflight`],
//! [`Upgrade`], [`Lifecycle`] and [`Commands`]. [`export!`] turns it into a component. No function calls the host directly: what
//! may be asked of the host comes in as a [`Host`], so the same code runs natively against [`testing`].
//!
//! ```no_run
//! use kedge_sdk::prelude::*;
//!
//! #[derive(Default)]
//! struct Acme;
//!
//! impl Provider for Acme {
//!     fn describe(&self) -> Description {
//!         Description::new("acme", "Acme", env!("CARGO_PKG_VERSION"), Infrastructure::new("acme", "infrastructure.acme.example"))
//!             .datacenter("AcmeDatacenterConfig", &["acme.example/v1"])
//!     }
//!     fn schema(&self, _kind: &str) -> Result<Value, Failure> {
//!         Ok(schema::object([("region", schema::string("Where the machines are"))]).required(&["region"]).document())
//!     }
//!     fn generate(&self, name: &str, _options: &Options) -> Result<String, Failure> {
//!         Ok(format!("apiVersion: acme.example/v1\nkind: AcmeDatacenterConfig\nmetadata:\n  name: {name}\n"))
//!     }
//!     fn templates(&self, _input: &Input) -> Result<Vec<MachineTemplate>, Failure> {
//!         Ok(vec![])
//!     }
//!     fn node(&self, _input: &Input, _role: &Role) -> Result<NodeContribution, Failure> {
//!         Ok(NodeContribution::for_os("ubuntu"))
//!     }
//!     fn infrastructure(&self, input: &Input) -> Result<InfrastructureObjects, Failure> {
//!         let cluster = Manifest::new("infrastructure.acme.example/v1", "AcmeCluster", &input.cluster_name);
//!         Ok(InfrastructureObjects::new(cluster.namespace(&input.namespace).build()))
//!     }
//! }
//!
//! kedge_sdk::export!(Acme);
//! # fn main() {}
//! ```

pub mod bindings;
pub mod commands;
pub mod describe;
pub mod document;
pub mod endpoint;
pub mod finding;
pub mod guest;
pub mod host;
pub mod input;
pub mod manifest;
pub mod node;
mod path;
pub mod provider;
pub mod release;
pub mod report;
pub mod schema;
pub mod secret;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::kedge::provider::types::{Failure, Finding, ObjectRef, Role, Severity};
pub use commands::{Answer, Argument, ArgumentKind, Arguments, Command, Commands};
pub use describe::{Description, EndpointNeed, Infrastructure, KindClaim, KindRole, SecretNeed};
pub use document::{Defaulting, Document, Documents, Group};
pub use endpoint::{Certificate, Encoding, Endpoint, EndpointError, Part, Request, Response};
pub use finding::Findings;
pub use host::{EngineInfo, EngineVersion, Host, Level, Outcome, Status};
pub use input::Input;
pub use manifest::{InfrastructureObjects, Manifest, Placed, Placement};
pub use node::{NodeContribution, NodeFile, NodeUser};
pub use provider::{Check, Compared, Lifecycle, MachineTemplate, Options, Preflight, Provider, Upgrade, Verdict};
pub use release::Release;
pub use report::Reporter;

/// Everything a plugin usually needs.
pub mod prelude {
    pub use crate::schema;
    pub use crate::secret;
    pub use crate::{
        Answer, Argument, ArgumentKind, Arguments, Check, Command, Commands, Compared, Defaulting, Description,
        Document, Documents, Encoding, Endpoint, EndpointError, EndpointNeed, Failure, Finding, Findings, Group, Host,
        Infrastructure, InfrastructureObjects, Input, KindRole, Level, Lifecycle, MachineTemplate, Manifest,
        NodeContribution, NodeFile, NodeUser, ObjectRef, Options, Placed, Placement, Preflight, Provider, Release,
        Reporter, Request, Role, SecretNeed, Severity, Upgrade, Verdict,
    };
    pub use serde_json::{Value, json};
}
