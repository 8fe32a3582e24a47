//! The spec as it was used, in the cluster's folder.

use async_trait::async_trait;

use super::id;
use crate::aws_iam;
use crate::event::ReporterExt;
use crate::folder::Readers;
use crate::run::Run;
use crate::step::{Failure, Step};

pub(crate) struct ClusterConfig;

#[async_trait(?Send)]
impl Step<Run> for ClusterConfig {
    fn id(&self) -> &'static str {
        id::CONFIG
    }

    fn title(&self) -> &'static str {
        "Writing cluster config file"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        Ok(run.folder.read(&run.folder.spec_file())? == Some(run.prepared.spec.to_yaml())
            && aws_iam::has_kubeconfig(run).await?)
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        if aws_iam::wanted(run) {
            run.reporter.line("Generating the aws iam kubeconfig file");
            aws_iam::write_kubeconfig(run).await?;
        }
        Ok(run.folder.write(&run.folder.spec_file(), run.prepared.spec.to_yaml(), Readers::Usual)?)
    }
}
