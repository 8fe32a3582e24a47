//! A management cluster to start from.
//!
//! A create needs a Kubernetes cluster that runs the Cluster API controllers until the new cluster can run its own: the
//! bootstrap cluster. Where it comes from is a driver's affair: [`existing`] uses one that is there already, and
//! [`service`] asks a service for one. The caller knows the difference only through [`Driver::temporary`].

#![forbid(unsafe_code)]

mod error;
pub mod existing;
pub mod service;

pub use error::BootstrapError;

use async_trait::async_trait;

/// A bootstrap cluster that is there and can be talked to.
#[derive(Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Its kubeconfig, as YAML, with administrator's rights.
    pub kubeconfig: String,
}

// A kubeconfig holds a private key.
impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bootstrap").finish_non_exhaustive()
    }
}

/// A way to come by bootstrap clusters.
///
/// Every call may be repeated: `create` for a cluster that has one hands out that one, `delete` of none does nothing.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What it is, for messages: `existing cluster`.
    fn name(&self) -> &str;

    /// Whether its clusters are made for one run and deleted at its end.
    fn temporary(&self) -> bool;

    /// The bootstrap cluster of the workload cluster `cluster`, if there is one.
    async fn find(&self, cluster: &str) -> Result<Option<Bootstrap>, BootstrapError>;

    /// Makes the bootstrap cluster of `cluster`, or hands out the one that is there.
    async fn create(&self, cluster: &str) -> Result<Bootstrap, BootstrapError>;

    /// Deletes the bootstrap cluster of `cluster`, if this driver made it.
    async fn delete(&self, cluster: &str) -> Result<(), BootstrapError>;

    /// What is known of the bootstrap cluster from outside, for a diagnosis: pages by file name. A driver that knows
    /// nothing has none; one that can't find out says so on a page.
    async fn state(&self, _cluster: &str) -> Vec<(String, String)> {
        Vec::new()
    }
}
