//! The steps of a delete.
//!
//! Where the objects of the cluster are decides what is to be done: a cluster that manages itself is first given a
//! bootstrap cluster again and moved there, because nobody can delete the machine it runs on; a half-made cluster is
//! deleted from the bootstrap cluster that is making it.

pub(crate) mod git;
mod instances;

use std::time::Duration;

use async_trait::async_trait;
use kedge_cluster_api::api::Api;
use kedge_cluster_api::pivot::{self, Pivot, PivotOptions};
use kedge_cluster_api::readiness;
use kedge_cluster_api::{Error as ApiError, NAMESPACE, ObjectId, Progress, TypeRef, kinds};
use kedge_spec::provider::Placement;
use serde_json::json;
use tokio::time::Instant;

use crate::aws_iam;
use crate::folder::MOVES;
use crate::journal::{Operation, Records};
use crate::run::{Run, Side};
use crate::step::{Failure, Step, Steps};
use crate::steps::{EKSA_PAUSED, id, install_on, installed, namespace};

/// The ids of the steps of a delete that a create does not have.
pub mod delete_id {
    /// A move that a create began is undone or finished.
    pub const SETTLE: &str = "settle-move";
    /// The pivot back.
    pub const MOVE_BACK: &str = "move-back";
    /// The cluster and its machines.
    pub const DELETE: &str = "delete-cluster";
    /// The cluster's files in its git repository.
    pub const GIT: &str = "clean-up-git";
    /// The spec's documents on the management cluster.
    pub const FORGET: &str = "forget-instances";
}

/// The pause between two looks at what is being deleted.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tells the controllers to leave an object alone.
const HELD: &str = "cluster.x-k8s.io/paused";

/// The steps of a delete, in their order.
pub fn delete(temporary: bool) -> Steps<Run> {
    vec![
        Box::new(SettleMove),
        Box::new(BootstrapAgain { temporary }),
        Box::new(ClusterApiAgain),
        Box::new(MoveBack),
        Box::new(DeleteCluster),
        Box::new(DropBootstrap { temporary }),
    ]
}

/// The steps of deleting a cluster that another one manages.
pub fn delete_managed() -> Steps<Run> {
    vec![Box::new(DeleteCluster), Box::new(instances::ForgetInstances)]
}

/// The cluster's own API, if it answers and has the Cluster object.
async fn manager(run: &Run) -> Result<Option<Api>, Failure> {
    match run.workload_if_there().await? {
        Some(api) => Ok(run.has_cluster(&api).await?.then_some(api)),
        None => Ok(None),
    }
}

async fn bootstrap_with_cluster(run: &Run) -> Result<Option<Api>, Failure> {
    match run.bootstrap_side().await? {
        Side::There(api) => Ok(run.has_cluster(&api).await?.then_some(api)),
        Side::Silent(error) => Err(error.into()),
        Side::Absent => Ok(None),
    }
}

/// A create was killed in the middle of the move: both sides have objects, and neither may work on them.
struct SettleMove;

#[async_trait(?Send)]
impl Step<Run> for SettleMove {
    fn id(&self) -> &'static str {
        delete_id::SETTLE
    }

    fn title(&self) -> &'static str {
        "Settling an interrupted move"
    }

    fn line(&self) -> Option<&'static str> {
        None
    }

    fn droppable(&self) -> bool {
        false
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        let records = run.journal.records();
        if !records.ever_started(Operation::Create, id::MOVE)
            || records.ever_started(Operation::Delete, delete_id::MOVE_BACK)
        {
            return Ok(true);
        }
        match bootstrap_with_cluster(run).await? {
            None => Ok(true),
            Some(bootstrap) => Ok(pivot::settled_on(&bootstrap, NAMESPACE, run.name()).await?),
        }
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let bootstrap = run.bootstrap().await?;
        let progress = run.progress(self.id());
        let progress: &dyn Progress = progress.as_ref();
        let Some(workload) = run.workload_if_there().await? else {
            // Nobody is there to be undone: the bootstrap cluster has all objects and goes on with them.
            bootstrap.patch(&run.cluster_id(), &json!({"spec": {"paused": null}})).await?;
            return settles(run, &bootstrap, progress).await;
        };
        let options = moving(run, "create", !run.driver.temporary())?;
        let pivot = Pivot::new(&bootstrap, &workload, options);
        match pivot.roll_back(progress).await {
            Ok(_) => return settles(run, &bootstrap, progress).await,
            // Past its commit, a move can only be finished.
            Err(ApiError::Pivot { .. }) => drop(pivot.run(progress).await?),
            Err(error) => return Err(error.into()),
        }
        if run.driver.temporary() {
            // What is left on it is a copy that nobody works on, and in the way of the move back.
            run.driver.delete(&run.identity).await?;
            run.forget_bootstrap().await;
        }
        Ok(())
    }
}

/// Waits until the controllers of a management cluster work on the cluster again.
async fn settles(run: &Run, api: &Api, progress: &dyn Progress) -> Result<(), Failure> {
    let (begun, bound) = (Instant::now(), run.bound(run.options.timeouts.pivot).duration());
    let title = run.cluster_id().to_string();
    progress.waiting(&title, "its controllers to take it up again");
    while !pivot::settled_on(api, NAMESPACE, run.name()).await? {
        if begun.elapsed() + PAUSE > bound {
            let remedy = "look at the log of the Cluster API controllers on the bootstrap cluster; then run the same command again";
            return Err(Failure::new(format!("{title} is still paused on the bootstrap cluster"), remedy).about(title));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn moving(run: &Run, name: &str, delete_source: bool) -> Result<PivotOptions, Failure> {
    let operation = if name == "create" { "create" } else { "delete" };
    Ok(PivotOptions {
        namespace: NAMESPACE.to_owned(),
        cluster: Some(run.name().to_owned()),
        snapshot_dir: run.folder.make_dir(&format!("{MOVES}/{name}"))?,
        operation_id: format!("{operation}-{}", run.prepared.spec.hash().chars().take(12).collect::<String>()),
        delete_source,
        timeout: run.bound(run.options.timeouts.pivot),
    })
}

/// A cluster that manages itself needs somebody else to delete it.
struct BootstrapAgain {
    temporary: bool,
}

#[async_trait(?Send)]
impl Step<Run> for BootstrapAgain {
    fn id(&self) -> &'static str {
        id::BOOTSTRAP
    }

    fn title(&self) -> &'static str {
        if self.temporary { "Creating new bootstrap cluster" } else { "Using the existing bootstrap cluster" }
    }

    fn line(&self) -> Option<&'static str> {
        self.temporary.then(|| self.title())
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if matches!(run.bootstrap_side().await?, Side::There(_)) {
            return Ok(true);
        }
        Ok(manager(run).await?.is_none())
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        run.make_bootstrap(self.id()).await
    }
}

struct ClusterApiAgain;

#[async_trait(?Send)]
impl Step<Run> for ClusterApiAgain {
    fn id(&self) -> &'static str {
        id::CAPI_BOOTSTRAP
    }

    fn title(&self) -> &'static str {
        "Installing cluster-api providers on bootstrap cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if manager(run).await?.is_none() {
            return Ok(true);
        }
        installed(run, &run.bootstrap().await?).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let api = run.bootstrap().await?;
        install_on(run, &api, self.id()).await?;
        namespace(&api).await
    }
}

/// The pivot back.
struct MoveBack;

#[async_trait(?Send)]
impl Step<Run> for MoveBack {
    fn id(&self) -> &'static str {
        delete_id::MOVE_BACK
    }

    fn title(&self) -> &'static str {
        "Moving cluster management from workload cluster to bootstrap"
    }

    fn droppable(&self) -> bool {
        false
    }

    /// Nothing is left to be moved: the cluster has no objects of its own, or the bootstrap cluster works on them.
    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if manager(run).await?.is_none() {
            return Ok(true);
        }
        match bootstrap_with_cluster(run).await? {
            Some(bootstrap) => Ok(pivot::settled_on(&bootstrap, NAMESPACE, run.name()).await?),
            None => Ok(false),
        }
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let (from, to) = (run.workload().await?, run.bootstrap().await?);
        namespace(&to).await?;
        leave_alone(run, &from).await?;
        let progress = run.progress(self.id());
        // The source goes away with its machines, and nobody is left there to work on a second copy.
        let options = moving(run, "delete", false)?;
        Pivot::new(&from, &to, options).run(progress.as_ref()).await?;
        Ok(())
    }
}

/// Tells the EKS-A controller to leave the Cluster alone: it would make again what is being deleted.
async fn leave_alone(run: &Run, api: &Api) -> Result<(), Failure> {
    let cluster = run.prepared.cluster();
    let kind = TypeRef::of("anywhere.eks.amazonaws.com/v1alpha1", "Cluster");
    if api.serves(&kind).await? {
        let id = ObjectId::namespaced(kind, &cluster.namespace, &cluster.name);
        api.patch(&id, &json!({"metadata": {"annotations": {EKSA_PAUSED: "true"}}})).await?;
    }
    Ok(())
}

/// The cluster, its machines, and what was made for it.
struct DeleteCluster;

#[async_trait(?Send)]
impl Step<Run> for DeleteCluster {
    fn id(&self) -> &'static str {
        delete_id::DELETE
    }

    fn title(&self) -> &'static str {
        "Deleting workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        Ok(bootstrap_with_cluster(run).await?.is_none())
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let api = run.bootstrap().await?;
        let progress = run.progress(self.id());
        if run.management.is_some() {
            leave_alone(run, &api).await?;
        }
        api.delete(&run.cluster_id(), None).await?;
        gone(run, &api, progress.as_ref()).await?;
        if !run.driver.temporary() {
            leftovers(run, &api).await?;
        }
        Ok(())
    }
}

/// A control plane is held while its etcd is not known to serve, as it is just after a move and at the beginning of a
/// create. One that goes away has nothing to be held for, and a held one would never go. A controller that had looked at
/// the Cluster before it was deleted may still hold it afterwards: once is not enough.
async fn let_go(run: &Run, api: &Api) -> Result<(), Failure> {
    let control_plane = ObjectId::namespaced(kinds::CONTROL_PLANE, NAMESPACE, run.name());
    let Some(found) = api.get(&control_plane).await? else { return Ok(()) };
    if found.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(HELD).is_some()) {
        api.patch(&control_plane, &json!({"metadata": {"annotations": {HELD: null}}})).await?;
    }
    Ok(())
}

/// Waits until the cluster's objects are gone, and says how many machines are left.
async fn gone(run: &Run, api: &Api, progress: &dyn Progress) -> Result<(), Failure> {
    let (begun, bound) = (Instant::now(), run.bound(run.options.timeouts.deletion).duration());
    let selector = format!("{}={}", readiness::CLUSTER_LABEL, run.name());
    let title = run.cluster_id().to_string();
    let (mut pause, mut said) = (PAUSE, String::new());
    loop {
        if !run.has_cluster(api).await? {
            return Ok(());
        }
        let_go(run, api).await?;
        let machines = api.list(&kinds::MACHINE, Some(NAMESPACE), Some(&selector)).await?;
        let sentence = match machines.len() {
            0 => "its machines are gone; its infrastructure is being removed".to_owned(),
            1 => "1 machine is still there".to_owned(),
            n => format!("{n} machines are still there"),
        };
        if begun.elapsed() + pause > bound {
            let message = format!("{title} is not gone after {} minutes: {sentence}", bound.as_secs() / 60);
            let remedy = format!(
                "look at the Machine objects and their infrastructure objects on {} for what holds them; then run the same command again",
                run.manager()
            );
            return Err(Failure::new(message, remedy).about(title));
        }
        if sentence != said {
            progress.waiting(&title, &sentence);
            said = sentence;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Removes what a create applied and no owner takes with it. The namespace may hold other clusters and stays.
async fn leftovers(run: &Run, api: &Api) -> Result<(), Failure> {
    let manifests = run.manifests().await?;
    let placed = manifests.placed(Placement::BeforeCluster).chain(manifests.placed(Placement::WithCluster));
    for object in placed {
        match ObjectId::from_object(object) {
            // What a management cluster has for all its clusters stays, too.
            Some(id) if id.kind.kind != "Namespace" && (run.management.is_none() || run.is_own(object)) => {
                api.delete(&id, None).await?;
            }
            _ => {}
        }
    }
    if aws_iam::wanted(run) {
        for id in aws_iam::secrets(run.name()) {
            api.delete(&id, None).await?;
        }
    }
    Ok(())
}

struct DropBootstrap {
    temporary: bool,
}

#[async_trait(?Send)]
impl Step<Run> for DropBootstrap {
    fn id(&self) -> &'static str {
        id::DELETE_BOOTSTRAP
    }

    fn title(&self) -> &'static str {
        if self.temporary { "Deleting bootstrap cluster" } else { "Leaving the existing bootstrap cluster as it is" }
    }

    fn line(&self) -> Option<&'static str> {
        self.temporary.then(|| self.title())
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        Ok(!self.temporary || !run.driver.remains(&run.identity).await?)
    }

    async fn ready(&self, run: &Run) -> Result<(), Failure> {
        match bootstrap_with_cluster(run).await? {
            None => Ok(()),
            Some(_) => Err(Failure::new(
                format!("the bootstrap cluster still has `{}`", run.name()),
                "run the same command again: its machines have to be deleted first",
            )),
        }
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        run.driver.delete(&run.identity).await?;
        run.forget_bootstrap().await;
        Ok(())
    }
}
