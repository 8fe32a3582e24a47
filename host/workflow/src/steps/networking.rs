//! The CNI, and what has to wait for it: ready nodes, the whole control plane, all workers.

use async_trait::async_trait;
use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::readiness;
use kedge_cluster_api::{FIELD_MANAGER, NAMESPACE, ObjectId, Progress};
use serde_json::Value;

use super::id;
use crate::run::{LOOK, Probe, Run, from_workflow};
use crate::step::{Failure, Step};

pub(crate) struct Networking;

#[async_trait(?Send)]
impl Step<Run> for Networking {
    fn id(&self) -> &'static str {
        id::NETWORKING
    }

    fn title(&self) -> &'static str {
        "Installing networking on workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if run.settled().await? {
            return Ok(true);
        }
        let (bootstrap, workload) = (run.bootstrap().await?, run.workload().await?);
        for object in objects(run).await? {
            let Some(id) = ObjectId::from_object(object) else { continue };
            if workload.get(&id).await?.is_none() {
                return Ok(false);
            }
        }
        complete_now(run, &bootstrap, &workload).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let (bootstrap, workload) = (run.bootstrap().await?, run.workload().await?);
        for object in objects(run).await? {
            workload.apply_one(object, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
        }
        let progress = run.progress(self.id());
        complete(run, &bootstrap, &workload, progress.as_ref()).await
    }
}

async fn objects(run: &Run) -> Result<&[Value], Failure> {
    run.cni().await.map_err(from_workflow)
}

/// Waits until all nodes, the control plane and the workers are what the spec asks for.
pub(super) async fn complete(
    run: &Run,
    management: &Api,
    workload: &Api,
    progress: &dyn Progress,
) -> Result<(), Failure> {
    let (name, machines) = (run.name(), run.machines());
    readiness::nodes_ready(workload, machines.nodes(), run.machine_bound(machines.nodes()), progress).await?;
    let bound = run.bound(run.options.timeouts.control_plane);
    readiness::control_plane_available(management, NAMESPACE, name, bound, progress).await?;
    let bound = run.machine_bound(machines.workers);
    readiness::workers_available(management, NAMESPACE, name, machines.groups, bound, progress).await?;
    Ok(())
}

async fn complete_now(run: &Run, management: &Api, workload: &Api) -> Result<bool, Failure> {
    let (name, machines) = (run.name(), run.machines());
    let probe = Probe::default();
    if !probe.holds(readiness::nodes_ready(workload, machines.nodes(), LOOK, &probe)).await? {
        return Ok(false);
    }
    let probe = Probe::default();
    if !probe.holds(readiness::control_plane_available(management, NAMESPACE, name, LOOK, &probe)).await? {
        return Ok(false);
    }
    let probe = Probe::default();
    probe.holds(readiness::workers_available(management, NAMESPACE, name, machines.groups, LOOK, &probe)).await
}
