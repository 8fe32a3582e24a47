//! The spec's own documents on the cluster that manages it: paused while they come in, and then handed over.

use async_trait::async_trait;
use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::{FIELD_MANAGER, ObjectId, TypeRef, kinds};
use serde_json::{Value, json};

use super::id;
use crate::run::Run;
use crate::step::{Failure, Step};

/// The EKS-A controller leaves a Cluster with this annotation alone.
pub(crate) const PAUSED: &str = "anywhere.eks.amazonaws.com/paused";
/// Says that a program on an administrator's machine is at work on the cluster.
const MANAGED_BY_CLI: &str = "anywhere.eks.amazonaws.com/managed-by-cli";
/// The version of the components that manage clusters: on a cluster that manages others.
const COMPONENTS_VERSION: &str = "anywhere.eks.amazonaws.com/management-components-version";
/// What a document has while it comes in, and no longer once it is handed over.
const HELD: [&str; 2] = [PAUSED, MANAGED_BY_CLI];

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
                Some(found) if !HELD.iter().any(|key| has_annotation(&found, key)) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let api = run.home().await?;
        let namespace = &run.prepared.cluster().namespace;
        if api.get(&ObjectId::cluster_wide(kinds::NAMESPACE, namespace)).await?.is_none() {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            api.apply_one(&object, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
        }
        // All come in paused, and are handed over when the last one is there: the Cluster itself.
        for paused in [true, false] {
            for document in documents(run, paused).into_iter().rev() {
                let Some(id) = ObjectId::from_object(&document) else { continue };
                if !serves(&api, &id.kind).await? {
                    if paused {
                        run.note(format!("the cluster has no kind `{}`: {id} stays in the folder alone", id.kind.kind));
                    }
                    continue;
                }
                api.apply_one(&document, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
            }
        }
        Ok(())
    }
}

/// The documents as the cluster gets them, the Cluster first: all that it refers to, whoever claims it.
fn documents(run: &Run, paused: bool) -> Vec<Value> {
    let release = run.prepared.release.eksa_version().unwrap_or_default();
    let spec = &run.prepared.spec;
    let namespace = &spec.cluster().namespace;
    let mut bodies: Vec<Value> = spec.provider_documents().into_iter().map(|d| d.body).collect();
    let references = &spec.cluster().spec;
    let hosts = references.identity_provider_refs.iter().chain(&references.git_ops_ref);
    bodies.extend(hosts.filter_map(|r| spec.document(&r.kind, &r.name)).map(|d| d.to_provider().body));
    for body in &mut bodies {
        let cluster = is_cluster(body);
        if let Some(map) = body.as_object_mut() {
            map.shift_remove("status");
        }
        if cluster && let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
            // The release is named by its version; the older form would keep the controller from finding it.
            spec.shift_remove("bundlesRef");
            if !release.is_empty() {
                spec.insert("eksaVersion".to_owned(), json!(release));
            }
        }
        let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else { continue };
        metadata.shift_remove("creationTimestamp");
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        let Some(annotations) = annotations.as_object_mut() else { continue };
        for key in HELD {
            annotations.shift_remove(key);
        }
        if paused {
            annotations.insert(PAUSED.to_owned(), json!("true"));
        }
        if cluster {
            if paused {
                annotations.insert(MANAGED_BY_CLI.to_owned(), json!("true"));
            }
            if spec.cluster().is_self_managed() && !release.is_empty() {
                annotations.insert(COMPONENTS_VERSION.to_owned(), json!(release));
            }
        }
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    bodies
}

async fn serves(api: &Api, kind: &TypeRef) -> Result<bool, Failure> {
    Ok(api.serves(kind).await?)
}

fn is_cluster(document: &Value) -> bool {
    document.get("kind").and_then(Value::as_str) == Some("Cluster")
}

fn has_annotation(object: &Value, key: &str) -> bool {
    object.pointer("/metadata/annotations").is_some_and(|a| a.get(key).is_some())
}
