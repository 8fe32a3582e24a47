//! cert-manager and the Cluster API providers on the new cluster, so that it can manage itself.

use async_trait::async_trait;

use super::cluster_api_bootstrap::{install_on, installed};
use super::id;
use crate::run::Run;
use crate::step::{Failure, Step};

pub(crate) struct ClusterApiOnWorkload;

#[async_trait(?Send)]
impl Step<Run> for ClusterApiOnWorkload {
    fn id(&self) -> &'static str {
        id::CAPI_WORKLOAD
    }

    fn title(&self) -> &'static str {
        "Installing cluster-api providers on workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if run.settled().await? {
            return Ok(true);
        }
        installed(run, &run.workload().await?).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        install_on(run, &run.workload().await?, self.id()).await
    }
}
