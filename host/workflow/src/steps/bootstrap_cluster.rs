//! A cluster to start from.

use async_trait::async_trait;

use super::id;
use crate::journal::{Operation, Records};
use crate::run::{Run, Side};
use crate::step::{Failure, Step};

pub(crate) struct BootstrapCluster {
    pub(crate) temporary: bool,
}

#[async_trait(?Send)]
impl Step<Run> for BootstrapCluster {
    fn id(&self) -> &'static str {
        id::BOOTSTRAP
    }

    fn title(&self) -> &'static str {
        if self.temporary { "Creating new bootstrap cluster" } else { "Using the existing bootstrap cluster" }
    }

    /// The workflow document knows only bootstrap clusters that are made.
    fn line(&self) -> Option<&'static str> {
        self.temporary.then(|| self.title())
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        Ok(run.settled().await? || matches!(run.bootstrap_side().await?, Side::There(_)))
    }

    /// A bootstrap cluster that is gone took the objects of the half-made cluster with it. A new one would know nothing
    /// of the machines that are there, and make them a second time.
    async fn ready(&self, run: &Run) -> Result<(), Failure> {
        let records = run.journal.records();
        let machines = records.ever_started(Operation::Create, id::WORKLOAD);
        if machines && self.temporary && matches!(run.bootstrap_side().await?, Side::Absent) {
            return Err(Failure::new(
                format!(
                    "the bootstrap cluster of `{0}` is gone, and with it the objects of the half-made cluster `{0}`",
                    run.name()
                ),
                format!(
                    "run `kedge delete cluster {0}`, look in the infrastructure for machines named `{0}-…` and remove them, then create the cluster again",
                    run.name()
                ),
            ));
        }
        Ok(())
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        run.make_bootstrap(self.id()).await
    }
}
