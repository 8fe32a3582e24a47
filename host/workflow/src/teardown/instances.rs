//! The spec's documents on a management cluster, once the cluster that they describe is gone.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kedge_cluster_api::api::Api;
use kedge_cluster_api::{ObjectId, Progress};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{LONGEST_PAUSE, PAUSE, delete_id};
use crate::preflight::management::EKSA_CLUSTER;
use crate::run::Run;
use crate::step::{Failure, Step};
use crate::steps::EKSA_PAUSED;

pub(super) struct ForgetInstances;

#[async_trait(?Send)]
impl Step<Run> for ForgetInstances {
    fn id(&self) -> &'static str {
        delete_id::FORGET
    }

    fn title(&self) -> &'static str {
        "Removing EKS-A CRDs instances from management cluster"
    }

    fn line(&self) -> Option<&'static str> {
        None
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        let api = run.home().await?;
        let kept = referenced_by_others(run, &api).await?;
        for id in instances(run) {
            if !kept.contains(&key(&id)) && api.serves(&id.kind).await? && api.get(&id).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        let api = run.home().await?;
        let progress = run.progress(self.id());
        let kept = referenced_by_others(run, &api).await?;
        // The Cluster goes first: its controller may still look at what it refers to.
        for id in instances(run) {
            if !api.serves(&id.kind).await? {
                continue;
            }
            if kept.contains(&key(&id)) {
                run.note(format!("{id} stays: another cluster uses it"));
                continue;
            }
            api.delete(&id, None).await?;
            if id.kind.kind == EKSA_CLUSTER.kind && api.get(&id).await?.is_some() {
                // Only a controller that may look at it takes its finalizer away.
                api.patch(&id, &json!({"metadata": {"annotations": {EKSA_PAUSED: null}}})).await?;
            }
            gone(run, &api, &id, progress.as_ref()).await?;
        }
        Ok(())
    }
}

/// The documents, the Cluster first.
fn instances(run: &Run) -> Vec<ObjectId> {
    let namespace = &run.prepared.cluster().namespace;
    let bodies = run.prepared.spec.provider_documents().into_iter().map(|d| d.body);
    bodies
        .filter_map(|body| ObjectId::from_object(&body))
        .map(|id| ObjectId::namespaced(id.kind, namespace, &id.name))
        .collect()
}

fn key(id: &ObjectId) -> (String, String) {
    (id.kind.kind.to_string(), id.name.clone())
}

/// Kind and name of everything that other clusters on the same management cluster refer to.
async fn referenced_by_others(run: &Run, api: &Api) -> Result<BTreeSet<(String, String)>, Failure> {
    let mut found = BTreeSet::new();
    if !api.serves(&EKSA_CLUSTER).await? {
        return Ok(found);
    }
    let namespace = &run.prepared.cluster().namespace;
    for cluster in api.list(&EKSA_CLUSTER, Some(namespace), None).await? {
        if cluster.pointer("/metadata/name").and_then(Value::as_str) != Some(run.name()) {
            references(cluster.get("spec").unwrap_or(&Value::Null), &mut found);
        }
    }
    Ok(found)
}

fn references(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(map) => {
            if let (Some(Value::String(kind)), Some(Value::String(name))) = (map.get("kind"), map.get("name")) {
                found.insert((kind.clone(), name.clone()));
            }
            map.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

async fn gone(run: &Run, api: &Api, id: &ObjectId, progress: &dyn Progress) -> Result<(), Failure> {
    let (begun, bound) = (Instant::now(), run.bound(run.options.timeouts.deletion).duration());
    let mut pause = PAUSE;
    while api.get(id).await?.is_some() {
        progress.waiting(&id.to_string(), "it to go away");
        if begun.elapsed() + pause > bound {
            let message = format!("{id} is not gone after {} minutes", bound.as_secs() / 60);
            let remedy = "look at its finalizers and at the log of its controller; then run the same command again";
            return Err(Failure::new(message, remedy).about(id.to_string()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let spec = json!({
            "datacenterRef": {"kind": "A", "name": "a"},
            "workerNodeGroupConfigurations": [{"machineGroupRef": {"kind": "B", "name": "b"}, "name": "md-0"}],
        });
        let mut found = BTreeSet::new();
        references(&spec, &mut found);
        let expected = [("A", "a"), ("B", "b")].map(|(kind, name)| (kind.to_owned(), name.to_owned()));
        assert_eq!(found, BTreeSet::from(expected));
    }
}
