//! The simulated Kubernetes API: a store behind a TLS listener.
//!
//! A [`KubeCluster`] is one API server. Clients reach it over HTTPS as they reach any other; the lab's controllers work on
//! its [`Store`] directly. No webhooks are called, nobody is refused for lack of rights, and custom resources are not
//! converted between their versions: only `apiVersion` changes.

mod admission;
mod apply;
mod body;
mod builtin;
mod clock;
mod cluster;
mod crd;
mod error;
mod http;
mod kind;
pub mod object;
mod patch;
mod resource;
mod schema;
mod selector;
mod store;

pub use admission::{Admission, Operation};
pub use clock::{Clock, StepClock, SystemClock};
pub use cluster::{ClusterConfig, KubeCluster};
pub use error::{ApiError, Cause, Reason, Subject};
pub use kind::{Kind, ResourceKey};
pub use selector::{InvalidSelector, LabelSelector};
pub use store::{Event, EventType, Gone, Patch, Propagation, Store, Watch};
