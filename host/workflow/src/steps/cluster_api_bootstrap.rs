//! cert-manager and the Cluster API providers on the bootstrap cluster.

use async_trait::async_trait;
use kedge_cluster_api::api::Api;
use kedge_cluster_api::install;
use kedge_spec::release::Component;

use super::id;
use crate::run::Run;
use crate::step::{Failure, Step};

pub(crate) struct ClusterApiOnBootstrap;

#[async_trait(?Send)]
impl Step<Run> for ClusterApiOnBootstrap {
    fn id(&self) -> &'static str {
        id::CAPI_BOOTSTRAP
    }

    fn title(&self) -> &'static str {
        "Installing cluster-api providers on bootstrap cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if run.settled().await? {
            return Ok(true);
        }
        installed(run, &run.bootstrap().await?).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        install_on(run, &run.bootstrap().await?, self.id()).await
    }
}

pub(crate) async fn installed(run: &Run, api: &Api) -> Result<bool, Failure> {
    let components: Vec<Component> = run.components.iter().map(|c| c.component.clone()).collect();
    Ok(install::installed(api, &components).await?)
}

pub(crate) async fn install_on(run: &Run, api: &Api, step: &'static str) -> Result<(), Failure> {
    let progress = run.progress(step);
    install::install(api, &run.components, &run.variables(), progress.as_ref(), run.install_bounds()).await?;
    Ok(())
}
