//! Add-on manager and GitOps. A spec that asks for GitOps is refused long before this step, so all there is to do is to
//! say that nothing is done.

use async_trait::async_trait;

use super::id;
use crate::event::ReporterExt;
use crate::run::Run;
use crate::step::{Failure, Step};

pub(crate) struct GitOps;

#[async_trait(?Send)]
impl Step<Run> for GitOps {
    fn id(&self) -> &'static str {
        id::GITOPS
    }

    fn title(&self) -> &'static str {
        "Installing AddonManager and GitOps Toolkit on workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        Ok(run.prepared.cluster().spec.git_ops_ref.is_none())
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        match &run.prepared.cluster().spec.git_ops_ref {
            None => {
                run.reporter.line("GitOps field not specified, bootstrap flux skipped");
                Ok(())
            }
            Some(reference) => Err(Failure::new(
                format!("GitOps can't be set up yet: the spec names {} `{}`", reference.kind, reference.name),
                "remove `spec.gitOpsRef` from the spec",
            )),
        }
    }
}
