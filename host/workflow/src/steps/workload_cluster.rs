//! The cluster's machines: etcd, the control plane, the workers.

use async_trait::async_trait;
use kedge_cluster_api::api::Api;
use kedge_cluster_api::readiness;
use kedge_cluster_api::{Error as ApiError, NAMESPACE, ObjectId, Progress};
use kedge_spec::provider::Placement;
use serde_json::Value;

use super::{id, provider_setup};
use crate::aws_iam;
use crate::journal::{Operation, Records};
use crate::run::{LOOK, Probe, Run};
use crate::step::{Failure, Step};

pub(crate) struct WorkloadCluster;

#[async_trait(?Send)]
impl Step<Run> for WorkloadCluster {
    fn id(&self) -> &'static str {
        id::WORKLOAD
    }

    fn title(&self) -> &'static str {
        "Creating new workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if run.settled().await? {
            return Ok(true);
        }
        let bootstrap = run.bootstrap().await?;
        if !run.has_cluster(&bootstrap).await? || run.workload_if_there().await?.is_none() {
            return Ok(false);
        }
        let (name, probe) = (run.name(), Probe::default());
        let initialized = readiness::control_plane_initialized(&bootstrap, NAMESPACE, name, LOOK, &probe);
        if !probe.holds(initialized).await? {
            return Ok(false);
        }
        let (all, probe) = (run.machines().all(), Probe::default());
        probe.holds(readiness::machines_have_nodes(&bootstrap, NAMESPACE, name, Some(all), LOOK, &probe)).await
    }

    /// A cluster of the same name that this folder knows nothing of is somebody else's.
    async fn ready(&self, run: &Run) -> Result<(), Failure> {
        let begun = run.journal.records().ever_started(Operation::Create, id::WORKLOAD);
        if !begun && run.has_cluster(&run.bootstrap().await?).await? {
            return Err(Failure::new(
                format!("{} has a cluster `{}` already, and this folder did not make it", run.manager(), run.name()),
                "give the new cluster another name, or go on in the folder in which the other one was begun",
            )
            .about(run.cluster_id().to_string()));
        }
        Ok(())
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let bootstrap = run.bootstrap().await?;
        let manifests = run.manifests().await?;
        let (name, machines, waits) = (run.name(), run.machines(), run.options.timeouts);
        let progress = run.progress(self.id());
        let progress: &dyn Progress = progress.as_ref();

        provider_setup::namespace(&bootstrap).await?;
        let mut objects: Vec<Value> = manifests.placed(Placement::WithCluster).cloned().collect();
        for object in &mut objects {
            keep_endpoints(&bootstrap, object).await?;
        }
        run.apply(&bootstrap, objects.iter()).await?;
        let initialized = async {
            let bound = run.bound(waits.control_plane);
            readiness::infrastructure_ready(&bootstrap, NAMESPACE, name, bound, progress).await?;
            if machines.etcd > 0 {
                let (etcd, bound) = (format!("{name}-etcd"), run.bound(waits.external_etcd));
                readiness::external_etcd_ready(&bootstrap, NAMESPACE, &etcd, bound, progress).await?;
            }
            readiness::control_plane_initialized(&bootstrap, NAMESPACE, name, bound, progress).await
        };
        unless_in_trouble(run, &bootstrap, progress, initialized).await?;
        let workload = reached(run, &bootstrap, progress).await?;
        if aws_iam::wanted(run) {
            aws_iam::identified(&workload).await?;
        }
        // The cloud provider gives nodes the identity by which machines know them, so it comes before the wait for them.
        let addons = manifests.placed(Placement::WorkloadCluster).filter(|o| !is_storage_class(o));
        run.apply(&workload, addons).await?;
        let bound = run.machine_bound(machines.all());
        let joined = readiness::machines_have_nodes(&bootstrap, NAMESPACE, name, Some(machines.all()), bound, progress);
        unless_in_trouble(run, &bootstrap, progress, joined).await
    }
}

/// What a wait comes to, unless the cluster or one of its machines reports an error that does not go away: that ends it
/// early.
async fn unless_in_trouble(
    run: &Run,
    api: &Api,
    progress: &dyn Progress,
    wait: impl Future<Output = Result<(), ApiError>>,
) -> Result<(), Failure> {
    let patience = run.bound(run.options.timeouts.error);
    tokio::select! {
        biased;
        done = wait => Ok(done?),
        error = readiness::trouble(api, NAMESPACE, run.name(), patience, progress) => Err(error.into()),
    }
}

/// Where external etcd is reached, is rendered as a placeholder that a controller fills in. Once it has, applying the
/// placeholder again would fight it: what it wrote is kept.
pub(crate) async fn keep_endpoints(api: &Api, object: &mut Value) -> Result<(), Failure> {
    const ENDPOINTS: &str = "/spec/kubeadmConfigSpec/clusterConfiguration/etcd/external/endpoints";
    let Some(id) = ObjectId::from_object(object) else { return Ok(()) };
    let Some(rendered) = object.pointer_mut(ENDPOINTS) else { return Ok(()) };
    if let Some(live) = api.get(&id).await?
        && let Some(written) = live.pointer(ENDPOINTS).and_then(Value::as_array).filter(|list| !list.is_empty())
    {
        *rendered = Value::Array(written.clone());
    }
    Ok(())
}

/// The new cluster's API, with its kubeconfig in the folder. The Secret may be renewed while it is read: a kubeconfig
/// that is refused is read once more.
async fn reached(run: &Run, bootstrap: &Api, progress: &dyn Progress) -> Result<Api, Failure> {
    let bound = run.bound(run.options.timeouts.control_plane);
    for last in [false, true] {
        let kubeconfig = readiness::kubeconfig_available(bootstrap, NAMESPACE, run.name(), bound, progress).await?;
        run.keep_kubeconfig(&kubeconfig).await?;
        let api = Api::from_kubeconfig(&kubeconfig).await?;
        match readiness::api_answers(&api, bound, progress).await {
            Ok(()) => break,
            Err(ApiError::Refused { code: 401 | 403, .. }) if !last => {}
            Err(error) => return Err(error.into()),
        }
    }
    run.workload().await
}

pub(super) fn is_storage_class(object: &Value) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("StorageClass")
}
