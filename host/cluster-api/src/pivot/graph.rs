//! What moves, and in which order it can be made again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::found::{self, Found, is_cluster};
use super::members::{Gathering, Member, owners, owners_outside};
use super::side::Side;
use crate::error::Error;
use crate::object::{ObjectId, kinds, text};

/// One object that is moved.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: ObjectId,
    pub(super) uid: String,
    /// As it is on the source.
    pub(super) object: Value,
    /// It has no namespace: what is on the target stays, and what is on the source too.
    pub(super) global: bool,
    /// Whether it belongs to what moves alone, and so goes away on the source.
    pub(super) own: bool,
    /// The provider whose kind it is.
    pub(super) provider: Option<String>,
    /// Every object that has to be there first.
    pub(super) after: BTreeSet<String>,
}

/// All that is moved, in groups: what is in a group needs only what is in the groups before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    pub(super) groups: Vec<Vec<Node>>,
}

impl Graph {
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.groups.iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    /// The clusters among what moves.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &Node> {
        self.nodes().filter(|n| is_cluster(&n.object))
    }
}

/// Reads what belongs to a cluster, or without one to all clusters of the namespace.
///
/// Owners that would not move along, and owners in a circle, are errors: such an object could not be made again as it was,
/// and the garbage collector would take it.
pub(super) async fn read(side: &dyn Side, namespace: &str, cluster: Option<&str>) -> Result<Graph, Error> {
    let found = found::list(side, namespace).await?;
    let gathering = Gathering::new(&found, namespace, cluster);
    if gathering.roots().is_empty() {
        let what = match cluster {
            Some(cluster) => format!("there is no cluster {namespace}/{cluster} on {}", side.name()),
            None => format!("there is no cluster in the namespace {namespace} of {}", side.name()),
        };
        return Err(Error::pivot(
            what,
            "check name and namespace, and that the kubeconfig is that of the management cluster",
        ));
    }
    let members = gathering.members();
    sorted(found, members)
}

/// The objects of a snapshot, all of them.
pub(super) fn of_snapshot(found: Found) -> Result<Graph, Error> {
    let members = found.nodes.keys().map(|uid| (uid.clone(), Member::alone())).collect::<BTreeMap<_, _>>();
    sorted(found, members)
}

fn sorted(found: Found, members: BTreeMap<String, Member>) -> Result<Graph, Error> {
    let outside = owners_outside(&found, &members);
    if !outside.is_empty() {
        return Err(Error::pivot(
            format!(
                "{} objects of the cluster have owners that would not move with it:\n  - {}",
                outside.len(),
                outside.join("\n  - ")
            ),
            "remove these owner references, or label the owner with `clusterctl.cluster.x-k8s.io/move`",
        ));
    }
    in_groups(found, members)
}

fn in_groups(found: Found, members: BTreeMap<String, Member>) -> Result<Graph, Error> {
    let Found { mut nodes, .. } = found;
    let mut open: BTreeMap<String, Node> = members
        .into_iter()
        .filter_map(|(uid, member)| {
            let (movable, object) = nodes.remove(&uid)?;
            let mut id = ObjectId::from_object(&object)?;
            id.kind = movable.kind;
            let after = owners(&object).map(str::to_owned).chain(member.soft).collect();
            let node = Node {
                id,
                uid: uid.clone(),
                global: movable.global,
                own: member.own && !movable.global,
                provider: movable.provider,
                after,
                object,
            };
            Some((uid, node))
        })
        .collect();
    let mut groups = Vec::new();
    let mut done = BTreeSet::new();
    while !open.is_empty() {
        let ready: Vec<String> = open.values().filter(|n| n.after.is_subset(&done)).map(|n| n.uid.clone()).collect();
        if ready.is_empty() {
            let names: Vec<String> = open.values().map(|n| n.id.to_string()).collect();
            return Err(Error::pivot(
                format!("these objects own each other in a circle, so none can be made first: {}", names.join(", ")),
                "remove one of the owner references",
            ));
        }
        let mut group: Vec<Node> = ready.iter().filter_map(|uid| open.remove(uid)).collect();
        group.sort_by(|a, b| a.id.cmp(&b.id));
        done.extend(ready);
        groups.push(group);
    }
    Ok(Graph { groups })
}

/// The clusters of a namespace that a move is about, as they are on a side.
pub(super) async fn clusters_on(side: &dyn Side, namespace: &str, cluster: Option<&str>) -> Result<Vec<Value>, Error> {
    if let Some(cluster) = cluster {
        return Ok(side.get(&cluster_id(namespace, cluster)).await?.into_iter().collect());
    }
    side.list(&kinds::CLUSTER, Some(namespace), None).await
}

/// The Cluster itself.
pub(super) fn cluster_id(namespace: &str, cluster: &str) -> ObjectId {
    ObjectId::namespaced(kinds::CLUSTER, namespace, cluster)
}

/// The Cluster that an object is.
pub(super) fn id_of(cluster: &Value) -> ObjectId {
    let part = |at| text(cluster, at).unwrap_or_default();
    cluster_id(part("/metadata/namespace"), part("/metadata/name"))
}
