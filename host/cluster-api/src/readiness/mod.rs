//! Every wait: with a bound, a sentence for what is awaited, and an end before the bound where it can't come true.
//!
//! What counts as ready is what Cluster API's own types say (`api/core/v1beta2`): a `Cluster` has no `Ready` condition, so
//! `Available`, `status.initialization` and the counters are read, and nothing is believed that was said of an older
//! generation of the object.

mod conditions;
mod engine;
mod judge;
mod trouble;
mod workload;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use conditions::{condition, condition_is, observed};
pub(crate) use engine::{Verdict, wait, wait_for};
pub(crate) use judge::settled_machine;
pub use trouble::trouble;
pub use workload::{
    api_answers, certificate_ready, crds_established, deployment_available, deployments_available, nodes_ready,
};
pub(crate) use workload::{crds_established_among, deployment};

use crate::api::{Api, Watched};
use crate::error::Error;
use crate::object::{ObjectId, flag, kinds, text};
use crate::progress::Progress;

/// The bound of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(Duration);

impl Timeout {
    /// Gives up after this time.
    pub const fn after(time: Duration) -> Self {
        Self(time)
    }

    /// Practically never gives up: one year, which is what `--no-timeouts` means to EKS Anywhere.
    pub const fn unlimited() -> Self {
        Self(Duration::from_hours(365 * 24))
    }

    /// The time.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// The label that ties an object to its cluster.
pub const CLUSTER_LABEL: &str = "cluster.x-k8s.io/cluster-name";
/// The label of a machine of an external etcd cluster.
pub const ETCD_LABEL: &str = "cluster.x-k8s.io/etcd-cluster";
/// The label such a machine gets when etcd answers on it.
pub const ETCD_READY_LABEL: &str = "cluster.x-k8s.io/etcd-ready";

const LOOK_AT_INFRASTRUCTURE: &str = "look at the infrastructure object of the cluster and at the log of its provider; then run the same command again, it goes on from here";
const LOOK_AT_MACHINES: &str = "look at the Machine objects of the cluster and at the console of the machine that is not ready; then run the same command again, it goes on from here";

/// Waits until the cluster's infrastructure (network, load balancer, control plane address) is there.
///
/// # Errors
/// [`Error::GaveUp`] after `timeout`, [`Error::Hopeless`] when it can't come true, or what the server said.
pub async fn infrastructure_ready(
    api: &Api,
    namespace: &str,
    cluster: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let id = ObjectId::namespaced(kinds::CLUSTER, namespace, cluster);
    wait_for(api, &id, timeout, progress, LOOK_AT_INFRASTRUCTURE, |object| {
        judge::initialization(object, "infrastructureProvisioned", "InfrastructureReady", "its infrastructure")
    })
    .await
    .map(drop)
}

/// Waits until the external etcd cluster `name` answers and its endpoints are known.
///
/// # Errors
/// As [`infrastructure_ready`].
pub async fn external_etcd_ready(
    api: &Api,
    namespace: &str,
    name: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let id = ObjectId::namespaced(kinds::ETCD_CLUSTER, namespace, name);
    wait_for(api, &id, timeout, progress, LOOK_AT_MACHINES, judge::etcd).await.map(drop)
}

/// Waits until the first control plane machine has run kubeadm and the API server can be asked.
///
/// # Errors
/// As [`infrastructure_ready`].
pub async fn control_plane_initialized(
    api: &Api,
    namespace: &str,
    cluster: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let id = ObjectId::namespaced(kinds::CLUSTER, namespace, cluster);
    wait_for(api, &id, timeout, progress, LOOK_AT_MACHINES, |object| {
        judge::initialization(
            object,
            "controlPlaneInitialized",
            "ControlPlaneInitialized",
            "its first control plane machine",
        )
    })
    .await
    .map(drop)
}

/// Waits until all machines of the control plane `name` are there, ready and up to date.
///
/// # Errors
/// As [`infrastructure_ready`].
pub async fn control_plane_available(
    api: &Api,
    namespace: &str,
    name: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let id = ObjectId::namespaced(kinds::CONTROL_PLANE, namespace, name);
    wait_for(api, &id, timeout, progress, LOOK_AT_MACHINES, |object| judge::replicas(object, "control plane machines"))
        .await
        .map(drop)
}

/// Waits until the machines of every worker node group of a cluster are there, ready and up to date. `groups` is how many
/// there have to be.
///
/// # Errors
/// As [`infrastructure_ready`].
pub async fn workers_available(
    api: &Api,
    namespace: &str,
    cluster: &str,
    groups: usize,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let watched = of_cluster(kinds::MACHINE_DEPLOYMENT, namespace, cluster);
    let title = format!("MachineDeployment objects of {namespace}/{cluster}");
    wait(api, &watched, &title, timeout, progress, LOOK_AT_MACHINES, |all| judge::workers(all, groups)).await.map(drop)
}

/// Waits until every machine of a cluster has its node, and every etcd machine answers. `machines` is how many there have
/// to be, if that is known.
///
/// # Errors
/// As [`infrastructure_ready`].
pub async fn machines_have_nodes(
    api: &Api,
    namespace: &str,
    cluster: &str,
    machines: Option<usize>,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let watched = of_cluster(kinds::MACHINE, namespace, cluster);
    let title = format!("Machine objects of {namespace}/{cluster}");
    wait(api, &watched, &title, timeout, progress, LOOK_AT_MACHINES, |all| judge::machines(all, machines))
        .await
        .map(drop)
}

/// Waits until the cluster as a whole is available: it answers, its infrastructure, control plane and workers are there.
///
/// # Errors
/// As [`infrastructure_ready`].
pub async fn cluster_available(
    api: &Api,
    namespace: &str,
    cluster: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let id = ObjectId::namespaced(kinds::CLUSTER, namespace, cluster);
    wait_for(api, &id, timeout, progress, LOOK_AT_MACHINES, judge::available).await.map(drop)
}

/// The cluster's admin kubeconfig, none while there is none. It appears before the API server answers.
///
/// # Errors
/// What the server said, or a secret that holds no text.
pub async fn kubeconfig_secret(api: &Api, namespace: &str, cluster: &str) -> Result<Option<String>, Error> {
    let id = ObjectId::namespaced(kinds::SECRET, namespace, &format!("{cluster}-kubeconfig"));
    match api.get(&id).await? {
        None => Ok(None),
        Some(secret) => judge::kubeconfig(&secret)
            .map(Some)
            .ok_or(Error::Incomplete { object: id.to_string(), field: "data.value" }),
    }
}

/// Waits for the cluster's admin kubeconfig.
///
/// # Errors
/// As [`infrastructure_ready`].
pub async fn kubeconfig_available(
    api: &Api,
    namespace: &str,
    cluster: &str,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<String, Error> {
    let id = ObjectId::namespaced(kinds::SECRET, namespace, &format!("{cluster}-kubeconfig"));
    let secret =
        wait_for(api, &id, timeout, progress, LOOK_AT_INFRASTRUCTURE, |object| match object.map(judge::kubeconfig) {
            Some(Some(_)) => Verdict::Done,
            Some(None) => Verdict::waiting("the key `value` of it"),
            None => Verdict::waiting("it appears when the control plane has an address and a certificate authority"),
        })
        .await?;
    judge::kubeconfig(&secret).ok_or(Error::Incomplete { object: id.to_string(), field: "data.value" })
}

/// Whether a cluster is paused.
pub(crate) fn is_paused(cluster: &serde_json::Value) -> bool {
    flag(cluster, "/spec/paused") || text(cluster, "/metadata/annotations/cluster.x-k8s.io~1paused").is_some()
}

fn of_cluster(kind: crate::TypeRef, namespace: &str, cluster: &str) -> Watched {
    Watched {
        kind,
        namespace: Some(namespace.to_owned()),
        name: None,
        labels: Some(format!("{CLUSTER_LABEL}={cluster}")),
    }
}
