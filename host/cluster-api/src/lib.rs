//! Cluster API: core objects rendered, providers installed, readiness, the pivot.
//!
//! - [`api`]: a Kubernetes API as this program needs it: server-side apply, plain JSON objects, errors that say what to do.
//! - [`install`]: cert-manager and the providers of a release, put on a cluster as `clusterctl init` would leave it.
//! - [`readiness`]: every wait, each with a bound and a sentence for what is awaited.
//! - [`render`]: the Cluster API objects of a spec, the same bytes for the same input.
//! - [`served`]: whether the components of a release take them, asked before anything is touched.
//! - [`pivot`]: the move of a cluster's objects from one management cluster to another, safe to kill at any moment.
#![forbid(unsafe_code)]

pub mod api;
mod error;
pub mod install;
mod object;
pub mod pivot;
mod progress;
pub mod readiness;
pub mod render;
pub mod served;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use object::{ObjectId, TypeRef, kinds};
pub use progress::{NoProgress, Progress};

/// The namespace of every Cluster API object, as EKS Anywhere has it.
pub const NAMESPACE: &str = "eksa-system";

/// The field manager under which this program writes.
pub const FIELD_MANAGER: &str = "kedge";
