//! Bringing all controllers of a side to rest, and waking them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::found::{is_class, is_cluster};
use super::graph::{Graph, Node, clusters_on};
use super::side::{Side, Wait};
use super::{MARK, PivotOptions, SIDE_BY_SIDE};
use crate::error::Error;
use crate::install::PROVIDER_LABEL;
use crate::object::{ObjectId, TypeRef, annotation, kinds, label, number, text, uid};
use crate::progress::Progress;
use crate::readiness::{Timeout, Verdict, condition, condition_is, deployment, is_paused};

/// The label of Cluster API's own provider.
const CORE: &str = "cluster-api";
const BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";
pub(super) const PAUSED: &str = "cluster.x-k8s.io/paused";
/// On pods' templates: which move they were started anew for.
const RESTARTED: &str = "kedge.dev/restarted-for";

/// Pauses the clusters on the source and marks them as paused by this move.
pub(super) async fn pause(side: &dyn Side, graph: &Graph, operation: &str) -> Result<(), Error> {
    let patch = json!({"metadata": {"annotations": {MARK: operation}}, "spec": {"paused": true}});
    all_patched(side, graph.clusters().map(|n| (n.id.clone(), patch.clone()))).await?;
    let patch = json!({"metadata": {"annotations": {MARK: operation, PAUSED: ""}}});
    // A class that others use, too, goes on for them.
    let classes = graph.nodes().filter(|n| n.own && is_class(&n.object));
    all_patched(side, classes.map(|n| (n.id.clone(), patch.clone()))).await
}

/// Patches objects side by side; one that is gone is an error.
async fn all_patched(side: &dyn Side, patches: impl Iterator<Item = (ObjectId, Value)>) -> Result<(), Error> {
    futures::stream::iter(patches)
        .map(|(id, patch)| async move { side.patch(&id, &patch).await?.map(drop).ok_or_else(|| gone(&id, side)) })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// ClusterResourceSets serve many clusters: the pause of one is none of theirs, and they never say that they saw it.
const ADDONS: &str = "addons.cluster.x-k8s.io";

/// Which providers have controllers that run. Asked for after the pause: one that starts later starts by reading it.
struct Controllers {
    running: BTreeSet<String>,
    known: BTreeSet<String>,
}

impl Controllers {
    async fn of(side: &dyn Side) -> Result<Self, Error> {
        let mut found = Self { running: BTreeSet::new(), known: BTreeSet::new() };
        for deployment in side.list(&kinds::DEPLOYMENT, None, Some(PROVIDER_LABEL)).await? {
            let Some(provider) = label(&deployment, PROVIDER_LABEL) else { continue };
            found.known.insert(provider.to_owned());
            if number(&deployment, "/status/replicas").unwrap_or(0) > 0 {
                found.running.insert(provider.to_owned());
            }
        }
        Ok(found)
    }

    /// Whether it is sure that no controller of a provider runs. One that was not installed as a deployment may run anywhere.
    fn rest(&self, provider: Option<&str>) -> bool {
        provider.is_some_and(|p| self.known.contains(p) && !self.running.contains(p))
    }
}

/// Waits until every controller of the source has seen the pause. Those that can't say so are started anew: what they do
/// after that, they do having seen it.
pub(super) async fn at_rest(
    side: &dyn Side,
    graph: &Graph,
    options: &PivotOptions,
    operation: &str,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let controllers = Controllers::of(side).await?;
    let mut telling: BTreeMap<(TypeRef, Option<String>), BTreeSet<String>> = BTreeMap::new();
    let mut mute = BTreeSet::new();
    let acted_upon = |n: &&Node| {
        // Nobody makes anything of a template while it lies there.
        !n.global && !is_class(&n.object) && n.id.kind.group() != ADDONS && !n.id.kind.kind.ends_with("Template")
    };
    for node in graph.nodes().filter(acted_upon) {
        let provider = node.provider.as_deref();
        if controllers.rest(provider) {
            continue;
        }
        if condition(&node.object, "Paused").is_some() || is_cluster(&node.object) {
            let place = (node.id.kind.clone(), node.id.namespace.clone());
            telling.entry(place).or_default().insert(node.id.name.clone());
        } else if node.object.get("status").is_some_and(|s| !s.is_null()) {
            mute.extend(node.provider.clone());
        }
    }
    let waits = telling.into_iter().map(|((kind, namespace), names)| async move {
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
            title: format!("{} objects of {}", kind.kind, options.title()),
            kind,
            namespace,
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
pub(super) async fn still_paused(side: &dyn Side, graph: &Graph, options: &PivotOptions) -> Result<(), Error> {
    let there = clusters_on(side, &options.namespace, options.cluster.as_deref()).await?;
    for node in graph.clusters() {
        match there.iter().find(|c| uid(c) == node.uid) {
            Some(cluster) if is_paused(cluster) => {}
            Some(_) => {
                return Err(Error::pivot(
                    format!("{} was unpaused on {} while it was moved", node.id, side.name()),
                    "find out who did it; run the same command again, it checks everything anew",
                ));
            }
            None => return Err(gone(&node.id, side)),
        }
    }
    Ok(())
}

/// Wakes the controllers of the target and waits until they have heard it.
pub(super) async fn resume(
    side: &dyn Side,
    clusters: &[ObjectId],
    classes: &[ObjectId],
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let patch = json!({"metadata": {"annotations": {MARK: null, PAUSED: null}}});
    all_patched(side, classes.iter().map(|id| (id.clone(), patch.clone()))).await?;
    let patch = json!({"spec": {"paused": null}});
    all_patched(side, clusters.iter().map(|id| (id.clone(), patch.clone()))).await?;
    if Controllers::of(side).await?.rest(Some(CORE)) {
        progress.note(&format!(
            "no controller of Cluster API runs on {}: nobody works on what was moved there",
            side.name()
        ));
        return Ok(());
    }
    let mut by_place: BTreeMap<(TypeRef, Option<String>), BTreeSet<&str>> = BTreeMap::new();
    for id in clusters {
        by_place.entry((id.kind.clone(), id.namespace.clone())).or_default().insert(&id.name);
    }
    for ((kind, namespace), names) in by_place {
        let judge = |all: &[&Value]| {
            let by_name: BTreeMap<&str, &Value> =
                all.iter().filter_map(|o| Some((text(o, "/metadata/name")?, *o))).collect();
            let mut waiting = Vec::new();
            for name in &names {
                match by_name.get(name) {
                    Some(c) if !is_paused(c) && condition_is(c, "Paused", "False") => {}
                    Some(_) => waiting.push(*name),
                    None => return Verdict::never(format!("the cluster {name} is gone from the target")),
                }
            }
            match waiting.first() {
                None => Verdict::Done,
                Some(first) => Verdict::waiting(format!("the controller of {first} to go to work")),
            }
        };
        let title = match names.first() {
            Some(name) if names.len() == 1 => {
                format!("Cluster {}/{name}", namespace.as_deref().unwrap_or_default())
            }
            _ => format!("{} clusters", names.len()),
        };
        let wait = Wait {
            kind,
            namespace,
            title,
            help: "look at the log of Cluster API's controller on the target; then run the same command again, it goes on from here",
            timeout,
            judge: &judge,
        };
        side.wait(wait, progress).await?;
    }
    Ok(())
}

/// Takes the pause and the mark of an undone move away.
pub(super) async fn release(side: &dyn Side, graph: &Graph, operation: &str) -> Result<(), Error> {
    let marked = |n: &&Node| annotation(&n.object, MARK) == Some(operation);
    let patch = json!({"metadata": {"annotations": {MARK: null, PAUSED: null}}});
    let classes = graph.nodes().filter(|n| is_class(&n.object)).filter(marked);
    all_patched(side, classes.map(|n| (n.id.clone(), patch.clone()))).await?;
    let patch = json!({"metadata": {"annotations": {MARK: null}}, "spec": {"paused": null}});
    all_patched(side, graph.clusters().filter(marked).map(|n| (n.id.clone(), patch.clone()))).await
}

fn gone(id: &ObjectId, side: &dyn Side) -> Error {
    Error::pivot(format!("{id} is gone from {}", side.name()), "nothing can be moved; look at what deleted it")
}
