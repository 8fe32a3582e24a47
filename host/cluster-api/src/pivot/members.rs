//! Which of the objects that were found belong to the clusters that move, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::found::{Found, class_namespace, is_class, is_cluster};
use super::kinds::is_forced;
use crate::object::{describe, items, label, text};
use crate::readiness::CLUSTER_LABEL;

/// Secrets that controllers look up by name.
const SECRETS_BY_NAME: [&str; 5] = ["kubeconfig", "ca", "etcd", "sa", "proxy"];

/// Why an object is moved.
#[derive(Debug, Clone, Default)]
pub(super) struct Member {
    /// Objects that come first though they are not owners.
    pub(super) soft: BTreeSet<String>,
    /// It belongs to what moves alone, and so goes away on the source.
    pub(super) own: bool,
    /// The cluster through which it came; none for what asks to go along by itself.
    root: Option<String>,
}

impl Member {
    /// One that is all there is.
    pub(super) fn alone() -> Self {
        Self { own: true, ..Self::default() }
    }
}

/// Finds the members.
pub(super) struct Gathering<'a> {
    found: &'a Found,
    namespace: &'a str,
    /// All clusters of the namespace move.
    whole: bool,
    /// The clusters that move: name and uid.
    roots: BTreeMap<&'a str, &'a str>,
    children: HashMap<&'a str, Vec<&'a str>>,
    members: BTreeMap<String, Member>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(found: &'a Found, namespace: &'a str, only: Option<&str>) -> Self {
        let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut roots = BTreeMap::new();
        for (uid, (_, object)) in &found.nodes {
            for owner in owners(object) {
                children.entry(owner).or_default().push(uid);
            }
            if let (true, Some(name)) = (is_cluster(object), text(object, "/metadata/name"))
                && only.is_none_or(|only| only == name)
            {
                roots.insert(name, uid.as_str());
            }
        }
        Self { found, namespace, whole: only.is_none(), roots, children, members: BTreeMap::new() }
    }

    /// The clusters that move: name and uid.
    pub(super) fn roots(&self) -> &BTreeMap<&'a str, &'a str> {
        &self.roots
    }

    /// The clusters, what hangs on them, and what asks to go along.
    pub(super) fn members(mut self) -> BTreeMap<String, Member> {
        for (_, root) in self.roots.clone() {
            self.take(root, true, Some(root));
        }
        self.take_classes();
        let found = self.found;
        for (uid, (movable, object)) in &found.nodes {
            if self.members.contains_key(uid) || is_cluster(object) {
                continue;
            }
            let orphan = owners(object).next().is_none();
            let labelled = label(object, CLUSTER_LABEL);
            let here = text(object, "/metadata/namespace") == Some(self.namespace);
            let root = labelled.map_or_else(|| of_named_secret(object), Some).and_then(|n| self.roots.get(n).copied());
            let bound = (text(object, "/kind") == Some("ClusterResourceSetBinding"))
                .then(|| text(object, "/spec/clusterName").and_then(|name| self.roots.get(name).copied()))
                .flatten();
            if let Some(root) = root.filter(|_| here && orphan) {
                self.take_softly(uid, root, true);
            } else if let Some(root) = bound {
                self.take_softly(uid, root, true);
            } else if let Some((served, alone)) = self.applied_to(object) {
                self.take(uid, alone, served.first().copied());
                if let Some(member) = self.members.get_mut(uid) {
                    member.soft.extend(served.into_iter().map(str::to_owned));
                }
            } else if (movable.forced || is_forced(object))
                && orphan
                && (here || movable.global)
                && labelled.is_none_or(|of| self.roots.contains_key(of))
            {
                // It may serve other clusters too: it goes along, and stays.
                self.take(uid, !movable.global && (self.whole || labelled.is_some()), None);
            }
        }
        self.take_referenced();
        self.members
    }

    /// Takes an object and everything below it.
    fn take(&mut self, uid: &str, own: bool, root: Option<&str>) {
        let mut open = vec![uid.to_owned()];
        while let Some(uid) = open.pop() {
            let Some((movable, _)) = self.found.nodes.get(&uid) else { continue };
            if self.members.contains_key(&uid) {
                continue;
            }
            open.extend(self.children.get(uid.as_str()).into_iter().flatten().map(|c| (*c).to_owned()));
            let own = own && !movable.global;
            self.members.insert(uid, Member { soft: BTreeSet::new(), own, root: root.map(str::to_owned) });
        }
    }

    fn take_softly(&mut self, uid: &str, root: &str, own: bool) {
        self.take(uid, own, Some(root));
        if let Some(member) = self.members.get_mut(uid) {
            member.soft.insert(root.to_owned());
        }
    }

    /// The classes of the clusters; with a whole namespace, those that no cluster uses, too. A class comes before its
    /// clusters.
    fn take_classes(&mut self) {
        let found = self.found;
        for root in self.roots.values().copied().collect::<Vec<_>>() {
            let Some(class) = found.object(root).and_then(|cluster| self.class_of(cluster)) else { continue };
            let own = self.owns_class(class);
            self.take(class, own, Some(root));
            if let Some(member) = self.members.get_mut(root) {
                member.soft.insert(class.to_owned());
            }
        }
        if self.whole {
            for (uid, (_, object)) in &found.nodes {
                if is_class(object) && text(object, "/metadata/namespace") == Some(self.namespace) {
                    let own = self.owns_class(uid);
                    self.take(uid, own, None);
                }
            }
        }
    }

    /// Whether a class leaves the source: nobody there uses it any more.
    fn owns_class(&self, uid: &str) -> bool {
        let Some(class) = self.found.object(uid) else { return false };
        let used_elsewhere = text(class, "/metadata/name").is_none_or(|name| self.found.used_elsewhere.contains(name));
        self.whole && !used_elsewhere && text(class, "/metadata/namespace") == Some(self.namespace)
    }

    fn class_of(&self, cluster: &Value) -> Option<&'a str> {
        let place = class_namespace(cluster)?;
        let name = text(cluster, "/spec/topology/classRef/name")?;
        self.found
            .nodes
            .iter()
            .find(|(_, (_, o))| {
                is_class(o) && text(o, "/metadata/name") == Some(name) && text(o, "/metadata/namespace") == Some(place)
            })
            .map(|(uid, _)| uid.as_str())
    }

    /// The moving clusters that a ClusterResourceSet selects, if any (with a whole namespace also none), and whether it
    /// selects no other.
    fn applied_to(&self, object: &Value) -> Option<(Vec<&'a str>, bool)> {
        if text(object, "/kind") != Some("ClusterResourceSet") {
            return None;
        }
        let selector = object.pointer("/spec/clusterSelector")?;
        let chosen: Vec<&str> = self
            .found
            .nodes
            .iter()
            .filter(|(_, (_, o))| is_cluster(o) && selects(selector, o))
            .map(|(uid, _)| uid.as_str())
            .collect();
        let moves = |uid: &&str| self.roots.values().any(|root| root == uid);
        let (served, others): (Vec<&str>, Vec<&str>) = chosen.into_iter().partition(moves);
        (self.whole || !served.is_empty()).then_some((served, others.is_empty()))
    }

    /// What members name in their specs, lies in their namespace, and belongs to nobody: credentials, templates. A move must
    /// not leave it behind because a controller had no time yet to say whose it is.
    fn take_referenced(&mut self) {
        let found = self.found;
        let free: HashMap<(&str, &str), &str> = found
            .nodes
            .iter()
            .filter(|(_, (m, o))| {
                !m.global
                    && text(o, "/metadata/namespace") == Some(self.namespace)
                    && owners(o).next().is_none()
                    && !is_cluster(o)
            })
            .filter_map(|(uid, (_, o))| Some(((text(o, "/kind")?, text(o, "/metadata/name")?), uid.as_str())))
            .collect();
        let mut open: Vec<String> = self.members.keys().cloned().collect();
        while let Some(uid) = open.pop() {
            let Some(object) = found.object(&uid) else { continue };
            let root = self.members.get(&uid).and_then(|m| m.root.clone());
            let mut named = Vec::new();
            references(object.get("spec").unwrap_or(&Value::Null), &mut named);
            for reference in named {
                let Some(found) = free.get(&reference).filter(|f| !self.members.contains_key(**f)) else { continue };
                // Somebody else may name it too: it stays on the source.
                match &root {
                    Some(root) => self.take_softly(found, root, false),
                    None => self.take(found, false, None),
                }
                open.push((*found).to_owned());
            }
        }
    }
}

/// Members with an owner that is no member, as lines for people.
pub(super) fn owners_outside(found: &Found, members: &BTreeMap<String, Member>) -> Vec<String> {
    let mut outside = Vec::new();
    for object in members.keys().filter_map(|uid| found.object(uid)) {
        for owner in items(object, "/metadata/ownerReferences") {
            if !members.contains_key(text(owner, "/uid").unwrap_or_default()) {
                let part = |key| text(owner, key).unwrap_or("?");
                outside.push(format!("{}, owned by {} {}", describe(object), part("/kind"), part("/name")));
            }
        }
    }
    outside.sort();
    outside
}

/// The uids of an object's owners.
pub(super) fn owners(object: &Value) -> impl Iterator<Item = &str> {
    items(object, "/metadata/ownerReferences").iter().filter_map(|owner| text(owner, "/uid"))
}

/// The cluster after which a secret is named, if it is one that controllers look up by name.
fn of_named_secret(object: &Value) -> Option<&str> {
    if text(object, "/kind") != Some("Secret") {
        return None;
    }
    let (cluster, what) = text(object, "/metadata/name")?.rsplit_once('-')?;
    SECRETS_BY_NAME.contains(&what).then_some(cluster)
}

/// Whether a label selector selects an object. An empty one selects nothing: that is what ClusterResourceSets mean by it.
fn selects(selector: &Value, object: &Value) -> bool {
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let expressions = items(selector, "/matchExpressions");
    if labels.is_none_or(serde_json::Map::is_empty) && expressions.is_empty() {
        return false;
    }
    labels.into_iter().flatten().all(|(key, value)| label(object, key) == value.as_str())
        && expressions.iter().all(|expression| {
            let Some(key) = text(expression, "/key") else { return false };
            let listed = |value| items(expression, "/values").iter().any(|v| v.as_str() == Some(value));
            match (text(expression, "/operator"), label(object, key)) {
                (Some("In"), Some(value)) => listed(value),
                (Some("NotIn"), Some(value)) => !listed(value),
                (Some("Exists"), there) => there.is_some(),
                (Some("DoesNotExist" | "NotIn"), None) => true,
                _ => false,
            }
        })
}

/// Kind and name wherever both stand together.
fn references<'v>(value: &'v Value, into: &mut Vec<(&'v str, &'v str)>) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_chooses_as_cluster_resource_sets_do() {
        let cluster = json!({"metadata": {"labels": {"cni": "a", "tier": "x"}}});
        let expression = |operator: &str, key: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, chosen) in [
            (json!({}), false),
            (json!({"matchLabels": {}}), false),
            (json!({"matchLabels": {"cni": "a"}}), true),
            (json!({"matchLabels": {"cni": "b"}}), false),
            (expression("In", "cni", &["a", "b"]), true),
            (expression("NotIn", "cni", &["a"]), false),
            (expression("NotIn", "none", &["a"]), true),
            (expression("Exists", "tier", &[]), true),
            (expression("DoesNotExist", "tier", &[]), false),
            (expression("Frobs", "tier", &[]), false),
        ] {
            assert_eq!(selects(&selector, &cluster), chosen, "{selector}");
        }
    }
}
