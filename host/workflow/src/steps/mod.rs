//! The steps of a create, each with its postcondition.
//!
//! Before the move, postconditions are looked up on the bootstrap cluster and on the new cluster's API. As soon as the
//! cluster manages itself ([`Run::settled`]), everything up to the move is done, and the bootstrap cluster may be gone.

mod bootstrap_cluster;
mod cluster_api_bootstrap;
mod cluster_api_workload;
mod cluster_config;
mod delete_bootstrap;
mod eksa_components;
mod eksa_instances;
mod gitops;
mod move_management;
mod networking;
mod packages;
mod provider_setup;
mod setup_validate;
mod spoken;
mod storage_class;
mod workload_cluster;

pub(crate) use cluster_api_bootstrap::{install_on, installed};
pub(crate) use eksa_instances::PAUSED as EKSA_PAUSED;
pub(crate) use gitops::wanted as gitops_wanted;
pub(crate) use provider_setup::namespace;
pub(crate) use workload_cluster::keep_endpoints;

use spoken::Spoken;

use crate::run::Run;
use crate::step::{Step, Steps};

/// The ids of the steps of a create. Stable: journals, hooks of plugins and programs know them.
pub mod id {
    /// Setup and validations.
    pub const SETUP: &str = "setup-validate";
    /// The bootstrap cluster.
    pub const BOOTSTRAP: &str = "bootstrap-cluster";
    /// Cluster API on it.
    pub const CAPI_BOOTSTRAP: &str = "cluster-api-bootstrap";
    /// Namespace, credentials, identities.
    pub const PROVIDER_SETUP: &str = "provider-setup";
    /// The cluster's machines.
    pub const WORKLOAD: &str = "workload-cluster";
    /// The CNI.
    pub const NETWORKING: &str = "networking";
    /// The default storage class.
    pub const STORAGE: &str = "storage-class";
    /// Cluster API on the new cluster.
    pub const CAPI_WORKLOAD: &str = "cluster-api-workload";
    /// The pivot.
    pub const MOVE: &str = "move";
    /// The EKS-A kinds and controller.
    pub const EKSA_COMPONENTS: &str = "eksa-components";
    /// The spec's documents on the cluster.
    pub const EKSA_INSTANCES: &str = "eksa-instances";
    /// Add-on manager and GitOps.
    pub const GITOPS: &str = "gitops";
    /// The spec in the cluster's folder.
    pub const CONFIG: &str = "cluster-config";
    /// Curated packages.
    pub const PACKAGES: &str = "curated-packages";
    /// The end of the bootstrap cluster.
    pub const DELETE_BOOTSTRAP: &str = "delete-bootstrap";
}

/// The steps of a create, in their order. `temporary` says whether the bootstrap cluster is made for this run, `packages`
/// whether the spec asks for curated packages.
pub fn create(temporary: bool, packages: bool) -> Steps<Run> {
    let mut steps: Steps<Run> = vec![
        Box::new(setup_validate::SetupValidate),
        Box::new(bootstrap_cluster::BootstrapCluster { temporary }),
        Box::new(cluster_api_bootstrap::ClusterApiOnBootstrap),
        Box::new(provider_setup::ProviderSetup),
        Box::new(workload_cluster::WorkloadCluster),
        Box::new(networking::Networking),
        Box::new(storage_class::StorageClass),
        Box::new(cluster_api_workload::ClusterApiOnWorkload),
        Box::new(move_management::MoveManagement),
        Box::new(eksa_components::EksaComponents),
        Box::new(eksa_instances::EksaInstances),
        Box::new(gitops::GitOps),
        Box::new(cluster_config::ClusterConfig),
        Box::new(delete_bootstrap::DeleteBootstrap { temporary }),
    ];
    if packages {
        steps.push(Box::<packages::Packages>::default());
    }
    steps
}

/// The steps of a create in a management cluster: no bootstrap cluster, no installation, no move. Lines are those of EKS
/// Anywhere for such a cluster, which has one for all of the cluster's parts.
pub fn create_managed() -> Steps<Run> {
    vec![
        Box::new(setup_validate::SetupValidate),
        spoken(provider_setup::ProviderSetup, None),
        spoken(workload_cluster::WorkloadCluster, Some("Creating workload cluster")),
        spoken(networking::Networking, None),
        spoken(storage_class::StorageClass, None),
        spoken(eksa_instances::EksaInstances, None),
        spoken(gitops::GitOps, Some("Installing GitOps Toolkit on workload cluster")),
        Box::new(cluster_config::ClusterConfig),
    ]
}

fn spoken(step: impl Step<Run> + 'static, line: Option<&'static str>) -> Box<dyn Step<Run>> {
    Box::new(Spoken { step: Box::new(step), line })
}

#[cfg(test)]
mod tests;
