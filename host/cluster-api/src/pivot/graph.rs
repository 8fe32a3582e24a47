//! What belongs to a cluster, who owns whom, and in which order it can be made again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::kinds::{Movable, is_forced, movable};
use super::side::Side;
use crate::error::Error;
use crate::object::{ObjectId, items, kinds, label, text, uid};
use crate::readiness::CLUSTER_LABEL;

/// Secrets that controllers look up by name.
const SECRETS_BY_NAME: [&str; 5] = ["kubeconfig", "ca", "etcd", "sa", "proxy"];

/// How many kinds are listed at the same time.
const SIDE_BY_SIDE: usize = 8;

/// One object that is moved.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: ObjectId,
    pub(super) uid: String,
    /// As it is on the source.
    pub(super) object: Value,
    /// It has no namespace: what is on the target stays, and what is on the source too.
    pub(super) global: bool,
    /// Whether it belongs to this cluster alone, and so goes away on the source.
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
}

/// Everything that was listed.
struct Found {
    nodes: BTreeMap<String, (Movable, Value)>,
}

/// Reads what belongs to a cluster.
///
/// Owners that would not move along, and owners in a circle, are errors: such an object could not be made again as it was,
/// and the garbage collector would take it.
pub(super) async fn read(side: &dyn Side, namespace: &str, cluster: &str) -> Result<Graph, Error> {
    let found = list(side, namespace).await?;
    let root = found
        .nodes
        .iter()
        .find(|(_, (_, o))| is_cluster(o) && text(o, "/metadata/name") == Some(cluster))
        .map(|(uid, _)| uid.clone())
        .ok_or_else(|| {
            Error::pivot(
                format!("there is no cluster {namespace}/{cluster} on {}", side.name()),
                "check the name, and that the kubeconfig is that of its management cluster",
            )
        })?;
    let members = found.members(&root, cluster);
    let outside = found.owners_outside(&members);
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

fn is_cluster(object: &Value) -> bool {
    text(object, "/kind") == Some("Cluster")
        && text(object, "/apiVersion").is_some_and(|v| v.starts_with("cluster.x-k8s.io/"))
}

async fn list(side: &dyn Side, namespace: &str) -> Result<Found, Error> {
    let types = movable(side).await?;
    let lists: Vec<(Movable, Vec<Value>)> = futures::stream::iter(types)
        .map(|movable| async move {
            let within = (!movable.global).then_some(namespace);
            let objects = side.list(&movable.kind, within, None).await?;
            Ok::<_, Error>((movable, objects))
        })
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    let mut nodes = BTreeMap::new();
    for (movable, objects) in lists {
        for object in objects {
            nodes.insert(uid(&object).to_owned(), (movable.clone(), object));
        }
    }
    Ok(Found { nodes })
}

/// Why an object is moved.
#[derive(Debug, Clone, Default)]
struct Member {
    /// Objects that come first though they are not owners.
    soft: BTreeSet<String>,
    /// See [`Node::own`].
    own: bool,
}

impl Found {
    /// The cluster, what hangs on it, and what asks to go along.
    fn members(&self, root: &str, cluster: &str) -> BTreeMap<String, Member> {
        let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
        for (uid, (_, object)) in &self.nodes {
            for owner in owners(object) {
                children.entry(owner).or_default().push(uid);
            }
        }
        let mut members: BTreeMap<String, Member> = BTreeMap::new();
        self.take(root, true, &children, &mut members);
        if let Some(class) = self.class_of(root) {
            self.take(&class, false, &children, &mut members);
            if let Some(member) = members.get_mut(root) {
                member.soft.insert(class);
            }
        }
        for (uid, (movable, object)) in &self.nodes {
            if members.contains_key(uid) || is_cluster(object) {
                continue;
            }
            let orphan = owners(object).next().is_none();
            let labelled = label(object, CLUSTER_LABEL);
            let named = orphan
                && text(object, "/kind") == Some("Secret")
                && text(object, "/metadata/name")
                    .and_then(|n| n.rsplit_once('-'))
                    .is_some_and(|(of, what)| of == cluster && SECRETS_BY_NAME.contains(&what));
            let ours = !movable.global && orphan && (labelled == Some(cluster) || (named && labelled.is_none()));
            if ours {
                self.take_softly(uid, root, true, &children, &mut members);
            } else if let Some(alone) = self.applied_to(object, root) {
                self.take_softly(uid, root, alone, &children, &mut members);
            } else if (movable.forced || is_forced(object)) && orphan && labelled.is_none_or(|of| of == cluster) {
                // It may serve other clusters too: it goes along, and stays.
                self.take(uid, movable.global || labelled == Some(cluster), &children, &mut members);
            }
        }
        self.take_referenced(root, &children, &mut members);
        members
    }

    /// Takes an object and everything below it.
    fn take(&self, uid: &str, own: bool, children: &HashMap<&str, Vec<&str>>, members: &mut BTreeMap<String, Member>) {
        let mut open = vec![uid.to_owned()];
        while let Some(uid) = open.pop() {
            if members.contains_key(&uid) || !self.nodes.contains_key(&uid) {
                continue;
            }
            open.extend(children.get(uid.as_str()).into_iter().flatten().map(|c| (*c).to_owned()));
            members.insert(uid, Member { soft: BTreeSet::new(), own });
        }
    }

    fn take_softly(
        &self,
        uid: &str,
        after: &str,
        own: bool,
        children: &HashMap<&str, Vec<&str>>,
        members: &mut BTreeMap<String, Member>,
    ) {
        self.take(uid, own, children, members);
        if let Some(member) = members.get_mut(uid) {
            member.soft.insert(after.to_owned());
        }
    }

    /// What members name in their specs, lies in their namespace, and belongs to nobody: credentials, templates. A move must
    /// not leave it behind because a controller had no time yet to say whose it is.
    fn take_referenced(&self, root: &str, children: &HashMap<&str, Vec<&str>>, members: &mut BTreeMap<String, Member>) {
        let free: HashMap<(&str, &str), &String> = self
            .nodes
            .iter()
            .filter(|(_, (m, o))| !m.global && owners(o).next().is_none() && !is_cluster(o))
            .filter_map(|(uid, (_, o))| Some(((text(o, "/kind")?, text(o, "/metadata/name")?), uid)))
            .collect();
        let mut open: Vec<String> = members.keys().cloned().collect();
        while let Some(uid) = open.pop() {
            let Some((_, object)) = self.nodes.get(&uid) else { continue };
            let mut named = Vec::new();
            references(object.get("spec").unwrap_or(&Value::Null), &mut named);
            for reference in named {
                if let Some(found) = free.get(&reference).filter(|found| !members.contains_key(**found)) {
                    // Somebody else may name it too: it stays on the source.
                    self.take_softly(found, root, false, children, members);
                    open.push((*found).clone());
                }
            }
        }
    }

    /// The ClusterClass of a cluster.
    fn class_of(&self, root: &str) -> Option<String> {
        let (_, cluster) = self.nodes.get(root)?;
        let name = text(cluster, "/spec/topology/classRef/name").or_else(|| text(cluster, "/spec/topology/class"))?;
        self.nodes
            .iter()
            .find(|(_, (_, o))| text(o, "/kind") == Some("ClusterClass") && text(o, "/metadata/name") == Some(name))
            .map(|(uid, _)| uid.clone())
    }

    /// Whether a ClusterResourceSet selects the cluster, and if so, whether it selects no other.
    fn applied_to(&self, object: &Value, root: &str) -> Option<bool> {
        if text(object, "/kind") != Some("ClusterResourceSet") {
            return None;
        }
        let wanted = object.pointer("/spec/clusterSelector/matchLabels").and_then(Value::as_object)?;
        let selects = |cluster: &Value| wanted.iter().all(|(key, value)| label(cluster, key) == value.as_str());
        let (_, cluster) = self.nodes.get(root)?;
        if wanted.is_empty() || !selects(cluster) {
            return None;
        }
        let others = self.nodes.iter().filter(|(uid, (_, o))| *uid != root && is_cluster(o));
        Some(!others.into_iter().any(|(_, (_, other))| selects(other)))
    }

    /// Members with an owner that is no member.
    fn owners_outside(&self, members: &BTreeMap<String, Member>) -> Vec<String> {
        let mut outside = Vec::new();
        for (_, object) in members.keys().filter_map(|uid| self.nodes.get(uid)) {
            for owner in items(object, "/metadata/ownerReferences") {
                if !members.contains_key(text(owner, "/uid").unwrap_or_default()) {
                    let part = |key| text(owner, key).unwrap_or("?");
                    outside.push(format!(
                        "{}, owned by {} {}",
                        crate::object::describe(object),
                        part("/kind"),
                        part("/name")
                    ));
                }
            }
        }
        outside.sort();
        outside
    }
}

fn owners(object: &Value) -> impl Iterator<Item = &str> {
    items(object, "/metadata/ownerReferences").iter().filter_map(|owner| text(owner, "/uid"))
}

/// Kind and name wherever both stand together.
fn references<'a>(value: &'a Value, into: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Object(map) => {
            if let (Some(kind), Some(name)) =
                (map.get("kind").and_then(Value::as_str), map.get("name").and_then(Value::as_str))
            {
                into.push((kind, name));
            }
            // A secret whose content a file is made of.
            if let Some(name) = map.get("secret").and_then(|s| text(s, "/name")) {
                into.push(("Secret", name));
            }
            map.values().for_each(|inner| references(inner, into));
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, into)),
        _ => {}
    }
}

fn in_groups(found: Found, members: BTreeMap<String, Member>) -> Result<Graph, Error> {
    let Found { mut nodes } = found;
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

/// The Cluster itself.
pub(super) fn cluster_id(namespace: &str, cluster: &str) -> ObjectId {
    ObjectId::namespaced(kinds::CLUSTER, namespace, cluster)
}
