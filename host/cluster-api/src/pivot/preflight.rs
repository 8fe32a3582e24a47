//! Everything that is checked before anything is changed. All that is wrong is said at once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::time::Instant;

use super::compare::{difference, for_target};
use super::graph::{Graph, Node};
use super::kinds::movable;
use super::pause::PAUSED;
use super::rights::{Wanted, missing};
use super::side::Side;
use super::{MARK, PivotOptions, SIDE_BY_SIDE};
use crate::FIELD_MANAGER;
use crate::error::Error;
use crate::install::storage_version;
use crate::object::{ObjectId, annotation, flag, kinds, number, text};
use crate::progress::Progress;
use crate::readiness::{condition_is, is_paused, observed, settled_machine};

/// How long a cluster may take to settle before a move is refused.
const SETTLES_WITHIN: Duration = Duration::from_mins(1);

/// The providers, the definitions and the objects of both sides. Gives the graph as it was when all was in order.
pub(super) async fn both_sides(
    from: &dyn Side,
    to: &dyn Side,
    options: &PivotOptions,
    operation: &str,
    progress: &dyn Progress,
) -> Result<Graph, Error> {
    let mut wrong = missing(from, Wanted::to_look()).await?;
    wrong.extend(missing(to, Wanted::to_look()).await?);
    in_the_way(&wrong)?;
    wrong.extend(contract(from).await?);
    wrong.extend(contract(to).await?);
    wrong.extend(missing(from, Wanted::to_list(&movable(from).await?, &options.namespace)).await?);
    in_the_way(&wrong)?;
    let start = Instant::now();
    let patience = SETTLES_WITHIN.min(options.timeout.duration());
    let pause = Duration::from_millis(500);
    loop {
        let graph = super::graph::read(from, &options.namespace, options.cluster.as_deref()).await?;
        let mut wrong = providers(from, to).await?;
        wrong.extend(definitions(to, &graph).await?);
        let lasting = wrong.len();
        wrong.extend(graph.nodes().filter_map(|node| unsettled(node, operation)));
        if wrong.is_empty() {
            let mut wrong = missing(from, Wanted::of_source(&graph, options.delete_source)).await?;
            wrong.extend(missing(to, Wanted::of_target(&graph)).await?);
            return in_the_way(&wrong).map(|()| graph);
        }
        // Counters trail behind; what does not come from time does not go with it.
        if lasting > 0 || start.elapsed() + pause > patience {
            return in_the_way(&wrong).map(|()| graph);
        }
        if let Some(first) = wrong.first() {
            progress.waiting(&options.title(), &format!("to settle: {first}"));
        }
        tokio::time::sleep(pause).await;
    }
}

/// The source alone, where objects are only read and paused.
pub(super) async fn one_side(from: &dyn Side, options: &PivotOptions, operation: &str) -> Result<(), Error> {
    let mut wrong = missing(from, Wanted::to_look()).await?;
    in_the_way(&wrong)?;
    wrong.extend(contract(from).await?);
    wrong.extend(missing(from, Wanted::to_list(&movable(from).await?, &options.namespace)).await?);
    in_the_way(&wrong)?;
    let graph = super::graph::read(from, &options.namespace, options.cluster.as_deref()).await?;
    wrong.extend(missing(from, Wanted::of_source(&graph, false)).await?);
    wrong.extend(graph.nodes().filter_map(|node| unsettled(node, operation)));
    in_the_way(&wrong)
}

/// The target alone, where the objects come from a folder.
pub(super) async fn target_alone(to: &dyn Side, graph: &Graph) -> Result<(), Error> {
    let mut wrong = missing(to, Wanted::to_look()).await?;
    in_the_way(&wrong)?;
    wrong.extend(contract(to).await?);
    wrong.extend(definitions(to, graph).await?);
    wrong.extend(missing(to, Wanted::of_target(graph)).await?);
    in_the_way(&wrong)
}

/// Whether nothing of the cluster is just coming, going or changing.
pub(super) fn settled(graph: &Graph, operation: &str) -> Result<(), Error> {
    in_the_way(&graph.nodes().filter_map(|node| unsettled(node, operation)).collect::<Vec<_>>())
}

fn in_the_way(wrong: &[String]) -> Result<(), Error> {
    if wrong.is_empty() {
        return Ok(());
    }
    let count = wrong.len();
    let mut text = if count == 1 { "one thing is".to_owned() } else { format!("{count} things are") };
    text.push_str(" in the way of the move; nothing was changed:");
    for line in wrong {
        text.push_str("\n  - ");
        text.push_str(line);
    }
    Err(Error::pivot(
        text,
        "wait until the cluster has settled or correct what is named, then run the same command again",
    ))
}

/// The definition of clusters: what it stores says which contract a management cluster speaks.
const CLUSTERS: &str = "clusters.cluster.x-k8s.io";

/// Both sides have to store Cluster API's objects in the version that this program knows.
async fn contract(side: &dyn Side) -> Result<Option<String>, Error> {
    let Some(crd) = side.get(&ObjectId::cluster_wide(kinds::CRD, CLUSTERS)).await? else {
        return Ok(Some(format!("Cluster API is not installed on {}", side.name())));
    };
    let cluster = kinds::CLUSTER;
    let (stored, known) = (storage_version(&crd).unwrap_or_default(), cluster.version());
    Ok((stored != known).then(|| {
        format!(
            "{} stores clusters as {stored}, and this program knows {known}: bring its Cluster API to a version of that contract first",
            side.name()
        )
    }))
}

/// Every provider of the source has to be on the target, at least as new.
async fn providers(from: &dyn Side, to: &dyn Side) -> Result<Vec<String>, Error> {
    let there: BTreeMap<String, String> = inventory(to).await?.into_iter().collect();
    let mut wrong = Vec::new();
    for (name, version) in inventory(from).await? {
        match there.get(&name) {
            None => wrong.push(format!("the provider {name} is not installed on {}", to.name())),
            Some(other) if older(other, &version) => {
                wrong.push(format!(
                    "the provider {name} is {other} on {}, and {version} on {}",
                    to.name(),
                    from.name()
                ));
            }
            Some(_) => {}
        }
    }
    Ok(wrong)
}

async fn inventory(side: &dyn Side) -> Result<Vec<(String, String)>, Error> {
    let entries = side.list(&kinds::PROVIDER, None, None).await?;
    let part = |entry: &Value, at| text(entry, at).unwrap_or_default().to_owned();
    Ok(entries.iter().map(|entry| (part(entry, "/metadata/name"), part(entry, "/version"))).collect())
}

/// Whether one version is older than another; what is no version is not.
fn older(version: &str, than: &str) -> bool {
    let parse = |text: &str| semver::Version::parse(text.trim_start_matches('v')).ok();
    matches!((parse(version), parse(than)), (Some(a), Some(b)) if a.cmp_precedence(&b).is_lt())
}

/// Every kind that is moved has to be served by the target in the version in which it is moved.
async fn definitions(to: &dyn Side, graph: &Graph) -> Result<Vec<String>, Error> {
    let there = movable(to).await?;
    let mut wanted: Vec<_> = graph.nodes().map(|n| &n.id.kind).collect();
    wanted.sort();
    wanted.dedup();
    Ok(wanted
        .into_iter()
        .filter(|kind| {
            !there.iter().any(|t| {
                t.kind.group() == kind.group()
                    && t.kind.kind == kind.kind
                    && t.served.iter().any(|v| v == kind.version())
            })
        })
        .map(|kind| format!("{} does not serve {kind}", to.name()))
        .collect())
}

/// Why an object can't be moved now.
fn unsettled(node: &Node, operation: &str) -> Option<String> {
    let (object, id) = (&node.object, &node.id);
    if text(object, "/metadata/deletionTimestamp").is_some() {
        return Some(format!("{id} is being deleted"));
    }
    let rolls = || {
        let wanted = number(object, "/spec/replicas").unwrap_or(1);
        let counters = ["replicas", "readyReplicas", "upToDateReplicas"];
        let there = counters.map(|c| number(object, &format!("/status/{c}")).unwrap_or(0));
        if !observed(object) {
            Some(format!("the controller of {id} has not seen its newest version yet"))
        } else if there != [wanted; 3] || condition_is(object, "RollingOut", "True") {
            Some(format!(
                "{id} is not settled: {} of {wanted} machines are ready, {} are up to date, {} are there",
                there[1], there[2], there[0]
            ))
        } else {
            None
        }
    };
    match id.kind.kind.as_ref() {
        "Cluster" if id.kind.group() == kinds::CLUSTER.group() => {
            if is_paused(object) && annotation(object, MARK) != Some(operation) {
                Some(format!("{id} is paused, and not by this move"))
            } else if !flag(object, "/status/initialization/infrastructureProvisioned") {
                Some(format!("the infrastructure of {id} is not provisioned yet"))
            } else if object.pointer("/spec/controlPlaneRef").is_some()
                && !flag(object, "/status/initialization/controlPlaneInitialized")
            {
                Some(format!("the control plane of {id} is not initialized yet"))
            } else {
                None
            }
        }
        "ClusterClass" if node.own => (annotation(object, PAUSED).is_some()
            && annotation(object, MARK) != Some(operation))
        .then(|| format!("{id} is paused, and not by this move")),
        "Machine" if id.kind.group() == kinds::MACHINE.group() => {
            (!settled_machine(object)).then(|| match crate::object::label(object, crate::readiness::ETCD_LABEL) {
                Some(_) => format!("etcd on {id} does not answer yet"),
                None => format!("{id} has no node yet"),
            })
        }
        "KubeadmControlPlane" | "MachineDeployment" => rolls(),
        "EtcdadmCluster" => (!flag(object, "/status/ready") || !observed(object)).then(|| format!("{id} is not ready")),
        _ => None,
    }
}

/// Has the target check the creation of every object, webhooks included, and compares what is there already. Objects of the
/// namespaces `without` are left out: there is nowhere yet to make them.
pub(super) async fn dry_run(to: &dyn Side, graph: &Graph, operation: &str, without: &[String]) -> Result<(), Error> {
    let placed = |n: &&Node| n.id.namespace.as_ref().is_none_or(|namespace| !without.contains(namespace));
    let results: Vec<Option<Error>> = futures::stream::iter(graph.nodes().filter(placed))
        .map(|node| async move {
            // Owners come with the real thing: the target can't check what it does not know yet.
            let object = for_target(node, operation, &BTreeMap::new());
            match to.create(&object, FIELD_MANAGER, true).await {
                Ok(_) => None,
                Err(error) if error.reason() == "AlreadyExists" => match to.get(&node.id).await {
                    Ok(Some(_)) if node.global => None,
                    Ok(Some(there)) => foreign(node, &object, &there, operation, to.name()),
                    Ok(None) => None,
                    Err(error) => Some(error),
                },
                Err(error) => Some(error),
            }
        })
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await;
    Error::several(results.into_iter().flatten().collect())
}

/// An object of the same name on the target that is not what would be made.
pub(super) fn foreign(node: &Node, wanted: &Value, there: &Value, operation: &str, target: &str) -> Option<Error> {
    let place = difference(wanted, there)?;
    let whose = if annotation(there, MARK) == Some(operation) {
        "this move made it, and somebody changed it since"
    } else {
        "this move did not make it"
    };
    Some(Error::pivot(
        format!("{} is on {target} already with another `{place}`; {whose}", node.id),
        "delete it there if it is a left-over, then run the same command again",
    ))
}
