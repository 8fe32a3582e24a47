//! The EKS Anywhere kinds and their controller on the new cluster.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::readiness;
use kedge_cluster_api::{FIELD_MANAGER, ObjectId, Progress};
use kedge_spec::provider::Placement;
use serde_json::Value;

use super::id;
use crate::eksa;
use crate::run::{LOOK, Probe, Run, from_workflow};
use crate::step::{Failure, Step};

pub(crate) struct EksaComponents;

#[async_trait(?Send)]
impl Step<Run> for EksaComponents {
    fn id(&self) -> &'static str {
        id::EKSA_COMPONENTS
    }

    fn title(&self) -> &'static str {
        "Installing EKS-A custom components (CRD and controller) on workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        let Some(api) = run.workload_if_there().await? else { return Ok(false) };
        let objects = eksa::components(&run.prepared).await.map_err(from_workflow)?;
        if objects.is_empty() {
            return Ok(true);
        }
        let (release, _) = eksa::release(&run.prepared).await.map_err(from_workflow)?;
        for object in objects.iter().chain(&release).chain(&secrets(run).await?) {
            let Some(id) = ObjectId::from_object(object) else { continue };
            if api.get(&id).await?.is_none() {
                return Ok(false);
            }
        }
        let (definitions, deployments) = awaited(&objects);
        let probe = Probe::default();
        if !probe.holds(readiness::crds_established(&api, &definitions, LOOK, &probe)).await? {
            return Ok(false);
        }
        let probe = Probe::default();
        probe.holds(readiness::deployments_available(&api, &deployments, LOOK, &probe)).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let api = run.workload().await?;
        let objects = eksa::components(&run.prepared).await.map_err(from_workflow)?;
        if objects.is_empty() {
            run.note(format!(
                "the release `{}` has no EKS-A components: the cluster goes without its controller",
                run.prepared.release.name()
            ));
            return Ok(());
        }
        let progress = run.progress(self.id());
        let progress: &dyn Progress = progress.as_ref();
        let early = |o: &&Value| matches!(kind(o), "Namespace" | "CustomResourceDefinition");
        apply(&api, objects.iter().filter(early)).await?;
        let (definitions, deployments) = awaited(&objects);
        let bounds = run.install_bounds();
        if !definitions.is_empty() {
            readiness::crds_established(&api, &definitions, bounds.definitions, progress).await?;
        }
        // The controller finds its credentials and its release when it starts.
        run.apply(&api, secrets(run).await?.iter()).await?;
        apply(&api, objects.iter().filter(|o| !early(o))).await?;
        readiness::deployments_available(&api, &deployments, bounds.deployments, progress).await?;
        let (release, missing) = eksa::release(&run.prepared).await.map_err(from_workflow)?;
        if !missing.is_empty() {
            run.note(format!(
                "the EKS-D manifests of Kubernetes {} can't be had: the controller can't upgrade to them",
                missing.join(", ")
            ));
        }
        apply(&api, release.iter()).await?;
        Ok(())
    }
}

/// The credentials of the provider, and those of the environment that belong to the controller.
async fn secrets(run: &Run) -> Result<Vec<Value>, Failure> {
    let manifests = run.manifests().await?;
    let provider = manifests.placed(Placement::BeforeCluster).filter(|o| kind(o) == "Secret").cloned();
    Ok(provider.chain(eksa::secrets(&run.prepared, &run.options)).collect())
}

async fn apply<'a>(api: &Api, objects: impl Iterator<Item = &'a Value>) -> Result<(), Failure> {
    for object in objects {
        api.apply_one(object, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
    }
    Ok(())
}

/// What has to come up: definitions, and deployments by namespace and name.
fn awaited(objects: &[Value]) -> (BTreeSet<String>, Vec<(String, String)>) {
    let text = |o: &Value, at: &str| o.pointer(at).and_then(Value::as_str).unwrap_or("default").to_owned();
    let of = |wanted: &'static str| objects.iter().filter(move |o| kind(o) == wanted);
    let definitions = of("CustomResourceDefinition").map(|o| text(o, "/metadata/name")).collect();
    let deployments = of("Deployment").map(|o| (text(o, "/metadata/namespace"), text(o, "/metadata/name"))).collect();
    (definitions, deployments)
}

fn kind(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}
