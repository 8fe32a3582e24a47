//! The pivot: the cluster takes over its own management.

use async_trait::async_trait;
use kedge_cluster_api::pivot::{Pivot, PivotOptions};
use kedge_cluster_api::{NAMESPACE, readiness};

use super::id;
use super::networking::complete;
use crate::folder::MOVES;
use crate::run::{Run, Side};
use crate::step::{Failure, Step};

pub(crate) struct MoveManagement;

#[async_trait(?Send)]
impl Step<Run> for MoveManagement {
    fn id(&self) -> &'static str {
        id::MOVE
    }

    fn title(&self) -> &'static str {
        "Moving cluster management from bootstrap to workload cluster"
    }

    /// The cluster is worked on where it was moved to. A bootstrap cluster that stays must not keep a second copy.
    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if !run.settled().await? {
            return Ok(false);
        }
        if run.driver.temporary() {
            return Ok(true);
        }
        match run.bootstrap_side().await? {
            Side::There(api) => Ok(!run.has_cluster(&api).await?),
            _ => Ok(true),
        }
    }

    /// What was paused has to be unpaused on one side: that is seen through even when the run is asked to stop.
    fn droppable(&self) -> bool {
        false
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let (from, to) = (run.bootstrap().await?, run.workload().await?);
        let progress = run.progress(self.id());
        let options = PivotOptions {
            namespace: NAMESPACE.to_owned(),
            cluster: Some(run.name().to_owned()),
            snapshot_dir: run.folder.make_dir(&format!("{MOVES}/create"))?,
            operation_id: format!("create-{}", run.prepared.spec.hash().chars().take(12).collect::<String>()),
            delete_source: !run.driver.temporary(),
            timeout: run.bound(run.options.timeouts.pivot),
        };
        Pivot::new(&from, &to, options).run(progress.as_ref()).await?;
        let settle = async {
            complete(run, &to, &to, progress.as_ref()).await?;
            let bound = run.machine_bound(run.machines().all());
            let all = Some(run.machines().all());
            readiness::machines_have_nodes(&to, NAMESPACE, run.name(), all, bound, progress.as_ref()).await?;
            Ok::<(), Failure>(())
        };
        // The move itself is done here; only looking on is left, and that may be cut short.
        match run.options.interrupt.unless_asked(settle).await {
            Some(result) => result,
            None => Ok(()),
        }
    }
}
