//! What the cluster's objects rely on: the namespace, credentials, identities.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::{FIELD_MANAGER, NAMESPACE, ObjectId, kinds};
use kedge_spec::provider::Placement;
use serde_json::{Value, json};

use super::id;
use crate::aws_iam;
use crate::run::Run;
use crate::step::{Failure, Step};

pub(crate) struct ProviderSetup;

#[async_trait(?Send)]
impl Step<Run> for ProviderSetup {
    fn id(&self) -> &'static str {
        id::PROVIDER_SETUP
    }

    fn title(&self) -> &'static str {
        "Provider specific setup"
    }

    /// Secrets have to hold the very values of this run: a password that was corrected between two runs gets there.
    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        if run.settled().await? {
            return Ok(true);
        }
        let api = run.bootstrap().await?;
        if api.get(&ObjectId::cluster_wide(kinds::NAMESPACE, NAMESPACE)).await?.is_none() {
            return Ok(false);
        }
        for object in run.manifests().await?.placed(Placement::BeforeCluster) {
            let there = if is_shared(run, object) {
                exists(&api, object).await?
            } else {
                is_there(&api, &run.filled(object)?).await?
            };
            if !there {
                return Ok(false);
            }
        }
        aws_iam::has_certificate(run, &api).await
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let api = run.bootstrap().await?;
        namespace(&api).await?;
        aws_iam::make_certificate(run, &api).await?;
        for object in run.manifests().await?.placed(Placement::BeforeCluster) {
            // What a management cluster has for all its clusters is not for one of them to change.
            if !is_shared(run, object) || !exists(&api, object).await? {
                run.apply(&api, std::iter::once(object)).await?;
            }
        }
        Ok(())
    }
}

/// Whether an object is for all clusters of a management cluster: its name does not begin with the cluster's own.
fn is_shared(run: &Run, object: &Value) -> bool {
    run.management.is_some() && !run.is_own(object)
}

async fn exists(api: &Api, object: &Value) -> Result<bool, Failure> {
    let Some(id) = ObjectId::from_object(object) else { return Ok(false) };
    Ok(api.get(&id).await?.is_some())
}

/// Makes the namespace of the Cluster API objects.
pub(crate) async fn namespace(api: &Api) -> Result<(), Failure> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    api.apply_one(&namespace, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
    Ok(())
}

/// Whether an object is there; a Secret has to have the same content too.
async fn is_there(api: &Api, object: &Value) -> Result<bool, Failure> {
    let Some(id) = ObjectId::from_object(object) else { return Ok(false) };
    let Some(found) = api.get(&id).await? else { return Ok(false) };
    let same = |key: &str, value: &Value| {
        let there = found.pointer("/data").and_then(|d| d.get(key)).and_then(Value::as_str);
        let there = there.and_then(|encoded| BASE64.decode(encoded).ok());
        there.as_deref() == value.as_str().map(str::as_bytes)
    };
    let content = object.get("stringData").and_then(Value::as_object);
    Ok(content.is_none_or(|data| data.iter().all(|(key, value)| same(key, value))))
}
