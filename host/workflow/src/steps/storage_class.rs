//! The provider's default storage class.

use async_trait::async_trait;
use kedge_cluster_api::ObjectId;
use kedge_spec::provider::Placement;
use serde_json::Value;

use super::id;
use super::workload_cluster::is_storage_class;
use crate::run::Run;
use crate::step::{Failure, Step};

pub(crate) struct StorageClass;

#[async_trait(?Send)]
impl Step<Run> for StorageClass {
    fn id(&self) -> &'static str {
        id::STORAGE
    }

    fn title(&self) -> &'static str {
        "Installing storage class on workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if run.settled().await? {
            return Ok(true);
        }
        let api = run.workload().await?;
        for class in classes(run).await? {
            let Some(id) = ObjectId::from_object(class) else { continue };
            if api.get(&id).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let classes = classes(run).await?;
        if classes.is_empty() {
            run.note(format!("the provider `{}` brings no storage class", run.prepared.description().name));
            return Ok(());
        }
        run.apply(&run.workload().await?, classes.into_iter()).await
    }
}

async fn classes(run: &Run) -> Result<Vec<&Value>, Failure> {
    Ok(run.manifests().await?.placed(Placement::WorkloadCluster).filter(|o| is_storage_class(o)).collect())
}
