//! The spec's own documents on the cluster that manages it: paused while they come in, and then handed over.

use async_trait::async_trait;
use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::{FIELD_MANAGER, ObjectId, TypeRef};
use serde_json::{Value, json};

use super::id;
use crate::run::Run;
use crate::step::{Failure, Step};

/// The EKS-A controller leaves a Cluster with this annotation alone.
pub(crate) const PAUSED: &str = "anywhere.eks.amazonaws.com/paused";
/// Says that a program on an administrator's machine made the cluster.
const MANAGED_BY_CLI: &str = "anywhere.eks.amazonaws.com/managed-by-cli";

pub(crate) struct EksaInstances;

#[async_trait(?Send)]
impl Step<Run> for EksaInstances {
    fn id(&self) -> &'static str {
        id::EKSA_INSTANCES
    }

    fn title(&self) -> &'static str {
        "Creating EKS-A CRDs instances on workload cluster"
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        let Some(api) = run.home_if_there().await? else { return Ok(false) };
        for document in documents(run, false) {
            let Some(id) = ObjectId::from_object(&document) else { continue };
            if !serves(&api, &id.kind).await? {
                continue;
            }
            match api.get(&id).await? {
                Some(found) if !is_paused(&found) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let api = run.home().await?;
        for paused in [true, false] {
            // The Cluster comes last: what it refers to is there when its controller looks.
            for document in documents(run, paused).into_iter().rev() {
                let Some(id) = ObjectId::from_object(&document) else { continue };
                if !serves(&api, &id.kind).await? {
                    if paused {
                        run.note(format!("the cluster has no kind `{}`: {id} stays in the folder alone", id.kind.kind));
                    }
                    continue;
                }
                if paused || is_cluster(&document) {
                    api.apply_one(&document, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
                }
            }
        }
        Ok(())
    }
}

/// The documents as the cluster gets them, the Cluster first.
fn documents(run: &Run, paused: bool) -> Vec<Value> {
    let spec = &run.prepared.spec;
    let namespace = &spec.cluster().namespace;
    let bodies = spec.provider_documents().into_iter().map(|d| d.body);
    bodies
        .map(|mut body| {
            if let Some(map) = body.as_object_mut() {
                map.shift_remove("status");
            }
            let cluster = is_cluster(&body);
            if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.shift_remove("creationTimestamp");
                metadata.entry("namespace").or_insert_with(|| json!(namespace));
                if cluster {
                    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
                    if let Some(annotations) = annotations.as_object_mut() {
                        annotations.insert(MANAGED_BY_CLI.to_owned(), json!("true"));
                        annotations.shift_remove(PAUSED);
                        if paused {
                            annotations.insert(PAUSED.to_owned(), json!("true"));
                        }
                    }
                }
            }
            body
        })
        .collect()
}

async fn serves(api: &Api, kind: &TypeRef) -> Result<bool, Failure> {
    Ok(api.serves(kind).await?)
}

fn is_cluster(document: &Value) -> bool {
    document.get("kind").and_then(Value::as_str) == Some("Cluster")
}

fn is_paused(object: &Value) -> bool {
    object.pointer("/metadata/annotations").is_some_and(|a| a.get(PAUSED).is_some())
}
