//! Bringing all controllers of a side to rest, and waking them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::graph::{Graph, Node, cluster_id};
use super::side::{Side, Wait};
use super::{MARK, PivotOptions};
use crate::error::Error;
use crate::install::PROVIDER_LABEL;
use crate::object::{ObjectId, TypeRef, annotation, kinds, text};
use crate::progress::Progress;
use crate::readiness::{Verdict, condition, condition_is, deployment, is_paused};

const BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";
const PAUSED: &str = "cluster.x-k8s.io/paused";
/// On pods' templates: which move they were started anew for.
const RESTARTED: &str = "kedge.dev/restarted-for";

/// Pauses the cluster on the source and marks it as paused by this move.
pub(super) async fn pause(
    side: &dyn Side,
    graph: &Graph,
    options: &PivotOptions,
    operation: &str,
) -> Result<(), Error> {
    let id = cluster_id(&options.namespace, &options.cluster);
    let patch = json!({"metadata": {"annotations": {MARK: operation}}, "spec": {"paused": true}});
    side.patch(&id, &patch).await?.ok_or_else(|| gone(&id, side))?;
    for class in graph.nodes().filter(|n| is_class(n) && annotation(&n.object, PAUSED).is_none()) {
        let patch = json!({"metadata": {"annotations": {MARK: operation, PAUSED: ""}}});
        side.patch(&class.id, &patch).await?.ok_or_else(|| gone(&class.id, side))?;
    }
    Ok(())
}

/// ClusterResourceSets serve many clusters: the pause of one is none of theirs, and they never say that they saw it.
const ADDONS: &str = "addons.cluster.x-k8s.io";

/// Waits until every controller of the source has seen the pause. Those that can't say so are started anew: what they do
/// after that, they do having seen it.
pub(super) async fn at_rest(
    side: &dyn Side,
    graph: &Graph,
    options: &PivotOptions,
    operation: &str,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let (mut telling, mut mute) = (BTreeMap::<TypeRef, BTreeSet<String>>::new(), BTreeSet::new());
    let root = cluster_id(&options.namespace, &options.cluster);
    for node in graph.nodes().filter(|n| !n.global && !is_class(n) && n.id.kind.group() != ADDONS) {
        if condition(&node.object, "Paused").is_some() || node.id.versionless() == root.versionless() {
            telling.entry(node.id.kind.clone()).or_default().insert(node.id.name.clone());
        } else if node.object.get("status").is_some_and(|s| !s.is_null()) {
            mute.extend(node.provider.clone());
        }
    }
    let waits = telling.into_iter().map(|(kind, names)| async move {
        let judge = |all: &[&Value]| {
            let ours = |o: &&&Value| text(o, "/metadata/name").is_some_and(|n| names.contains(n));
            let waiting: Vec<&str> = all
                .iter()
                .filter(ours)
                .filter(|o| !condition_is(o, "Paused", "True"))
                .filter_map(|o| text(o, "/metadata/name"))
                .collect();
            match waiting.first() {
                None => Verdict::Done,
                Some(first) => Verdict::waiting(format!("its controller to see the pause of {first} ({} of {} seen)", names.len() - waiting.len(), names.len())),
            }
        };
        let wait = Wait {
            title: format!("{} objects of {}/{}", kind.kind, options.namespace, options.cluster),
            kind,
            namespace: Some(options.namespace.clone()),
            help: "look at the log of the controller that does not see the pause; then run the same command again, or undo the move",
            timeout: options.timeout,
            judge: &judge,
        };
        side.wait(wait, progress).await
    });
    let errors = futures::future::join_all(waits).await.into_iter().filter_map(Result::err).collect();
    Error::several(errors)?;
    for provider in mute {
        restart(side, &provider, options, operation, progress).await?;
    }
    unblocked(side, graph, options, progress).await
}

/// Starts the controllers of a provider anew and waits until they run.
async fn restart(
    side: &dyn Side,
    provider: &str,
    options: &PivotOptions,
    operation: &str,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let selector = format!("{PROVIDER_LABEL}={provider}");
    for found in side.list(&kinds::DEPLOYMENT, None, Some(&selector)).await? {
        let Some(id) = ObjectId::from_object(&found) else { continue };
        let done = text(&found, "/spec/template/metadata/annotations/kedge.dev~1restarted-for") == Some(operation);
        if !done {
            progress.waiting(&id.to_string(), "it can't tell that it has seen the pause, so it is started anew");
            let patch = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED: operation}}}}});
            side.patch(&id, &patch).await?;
        }
        let judge =
            |all: &[&Value]| deployment(all.iter().find(|o| text(o, "/metadata/name") == Some(&id.name)).copied());
        let wait = Wait {
            kind: kinds::DEPLOYMENT,
            namespace: id.namespace.clone(),
            title: id.to_string(),
            help: "look at the pods of the deployment and their events",
            timeout: options.timeout,
            judge: &judge,
        };
        side.wait(wait, progress).await?;
    }
    Ok(())
}

/// Waits until no provider blocks the move of an object.
async fn unblocked(
    side: &dyn Side,
    graph: &Graph,
    options: &PivotOptions,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let blocked = |object: &Value| annotation(object, BLOCK_MOVE).is_some();
    for node in graph.nodes().filter(|n| blocked(&n.object)) {
        let judge = |all: &[&Value]| {
            let still = all.iter().any(|o| text(o, "/metadata/name") == Some(&node.id.name) && blocked(o));
            if still {
                Verdict::waiting(format!("its provider to take the annotation `{BLOCK_MOVE}` away"))
            } else {
                Verdict::Done
            }
        };
        let wait = Wait {
            kind: node.id.kind.clone(),
            namespace: node.id.namespace.clone(),
            title: node.id.to_string(),
            help: "look at the log of the provider that blocks the move",
            timeout: options.timeout,
            judge: &judge,
        };
        side.wait(wait, progress).await?;
    }
    Ok(())
}

/// Fails if the source is at work again: somebody has unpaused it.
pub(super) async fn still_paused(side: &dyn Side, options: &PivotOptions) -> Result<(), Error> {
    let id = cluster_id(&options.namespace, &options.cluster);
    match side.get(&id).await? {
        Some(cluster) if is_paused(&cluster) => Ok(()),
        Some(_) => Err(Error::pivot(
            format!("{id} was unpaused on {} while it was moved", side.name()),
            "find out who did it; run the same command again, it checks everything anew",
        )),
        None => Err(gone(&id, side)),
    }
}

/// Wakes the controllers of the target and waits until they have heard it.
pub(super) async fn resume(
    side: &dyn Side,
    options: &PivotOptions,
    classes: &[ObjectId],
    progress: &dyn Progress,
) -> Result<(), Error> {
    for class in classes {
        side.patch(class, &json!({"metadata": {"annotations": {MARK: null, PAUSED: null}}})).await?;
    }
    let id = cluster_id(&options.namespace, &options.cluster);
    side.patch(&id, &json!({"spec": {"paused": null}})).await?.ok_or_else(|| gone(&id, side))?;
    let judge = |all: &[&Value]| match all.iter().find(|o| text(o, "/metadata/name") == Some(&options.cluster)) {
        Some(cluster) if !is_paused(cluster) && condition_is(cluster, "Paused", "False") => Verdict::Done,
        Some(_) => Verdict::waiting("its controller to go to work"),
        None => Verdict::never("it is gone from the target"),
    };
    let wait = Wait {
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        title: id.to_string(),
        help: "look at the log of Cluster API's controller on the target; then run the same command again, it goes on from here",
        timeout: options.timeout,
        judge: &judge,
    };
    side.wait(wait, progress).await
}

/// Takes the pause and the mark of an undone move away.
pub(super) async fn release(
    side: &dyn Side,
    graph: &Graph,
    options: &PivotOptions,
    operation: &str,
) -> Result<(), Error> {
    for class in graph.nodes().filter(|n| is_class(n) && annotation(&n.object, MARK) == Some(operation)) {
        side.patch(&class.id, &json!({"metadata": {"annotations": {MARK: null, PAUSED: null}}})).await?;
    }
    let id = cluster_id(&options.namespace, &options.cluster);
    let patch = json!({"metadata": {"annotations": {MARK: null}}, "spec": {"paused": null}});
    side.patch(&id, &patch).await?.map(drop).ok_or_else(|| gone(&id, side))
}

pub(super) fn is_class(node: &Node) -> bool {
    node.id.kind.kind == "ClusterClass"
}

fn gone(id: &ObjectId, side: &dyn Side) -> Error {
    Error::pivot(format!("{id} is gone from {}", side.name()), "nothing can be moved; look at what deleted it")
}
