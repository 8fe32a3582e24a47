//! The `Cluster` document, typed. Fields and defaults are those of EKS Anywhere's `Cluster` API (v0.26).
//!
//! Every field has a serde default because what is required is said by [`schema`], with the user's line, and not by
//! the decoder.

mod aws_iam;
mod defaults;
mod effective;
mod encryption;
mod gitops;
mod network;
mod oidc;
mod packages;
pub mod schema;
mod types;

pub use aws_iam::*;
pub(crate) use defaults::{apply as apply_defaults, apply_to_host_kinds};
pub use effective::{HealthCheck, go_seconds};
pub use encryption::*;
pub use gitops::*;
pub use network::*;
pub use oidc::*;
pub use packages::*;
pub use types::*;

/// The kind of the one document every spec has.
pub const KIND: &str = "Cluster";

/// The API group of clusters and of everything they refer to.
pub const GROUP: &str = "anywhere.eks.amazonaws.com";

/// The namespace of documents that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Kinds besides `Cluster` that belong to the host, whatever the provider.
pub const HOST_KINDS: [&str; 4] = [OIDC_KIND, AWS_IAM_KIND, GITOPS_KIND, FLUX_KIND];
