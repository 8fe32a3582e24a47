//! What a management cluster holds that may have to move: listed once, kind by kind.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::kinds::{Movable, movable};
use super::side::Side;
use crate::error::Error;
use crate::object::{ObjectId, TypeRef, kinds, text, uid};

/// How many kinds are listed at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Everything that was listed, by uid.
pub(super) struct Found {
    pub(super) nodes: BTreeMap<String, (Movable, Value)>,
    /// Names of classes of the namespace that clusters of other namespaces use.
    pub(super) used_elsewhere: BTreeSet<String>,
}

impl Found {
    pub(super) fn object(&self, uid: &str) -> Option<&Value> {
        self.nodes.get(uid).map(|(_, object)| object)
    }
}

/// Whether an object is a Cluster of Cluster API.
pub(super) fn is_cluster(object: &Value) -> bool {
    of_core(object, "Cluster")
}

/// Whether an object is a ClusterClass.
pub(super) fn is_class(object: &Value) -> bool {
    of_core(object, "ClusterClass")
}

fn of_core(object: &Value, kind: &str) -> bool {
    text(object, "/kind") == Some(kind)
        && text(object, "/apiVersion").is_some_and(|v| v.starts_with("cluster.x-k8s.io/"))
}

/// Lists all objects of a namespace that could move, and what without a namespace or in others belongs to them.
pub(super) async fn list(side: &dyn Side, namespace: &str) -> Result<Found, Error> {
    let types = movable(side).await?;
    let lists: Vec<(Movable, Vec<Value>)> = futures::stream::iter(types.clone())
        .map(|movable| async move {
            let within = (!movable.global).then_some(namespace);
            let objects = side.list(&movable.kind, within, None).await?;
            Ok::<_, Error>((movable, objects))
        })
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    let mut found = Found { nodes: BTreeMap::new(), used_elsewhere: BTreeSet::new() };
    for (movable, objects) in lists {
        for object in objects {
            found.nodes.insert(uid(&object).to_owned(), (movable.clone(), object));
        }
    }
    secrets_of_infrastructure(side, namespace, &mut found).await?;
    classes_elsewhere(side, namespace, &types, &mut found).await?;
    Ok(found)
}

/// Secrets in the namespaces of infrastructure providers: identities without a namespace own some of them.
async fn secrets_of_infrastructure(side: &dyn Side, namespace: &str, found: &mut Found) -> Result<(), Error> {
    if !found.nodes.values().any(|(movable, _)| movable.global) {
        return Ok(());
    }
    let providers = side.list(&kinds::PROVIDER, None, None).await?;
    let namespaces: BTreeSet<&str> = providers
        .iter()
        .filter(|p| text(p, "/type") == Some("InfrastructureProvider"))
        .filter_map(|p| text(p, "/metadata/namespace"))
        .filter(|n| *n != namespace)
        .collect();
    for namespace in namespaces {
        for secret in side.list(&kinds::SECRET, Some(namespace), None).await? {
            found.nodes.insert(uid(&secret).to_owned(), (Movable::of(kinds::SECRET), secret));
        }
    }
    Ok(())
}

/// Classes in other namespaces that clusters of this one use, with their templates; and who uses the classes of this one.
async fn classes_elsewhere(
    side: &dyn Side,
    namespace: &str,
    types: &[Movable],
    found: &mut Found,
) -> Result<(), Error> {
    let of = |kind: &TypeRef| types.iter().find(|t| t.kind.group() == kind.group() && t.kind.kind == kind.kind);
    let mut wanted = BTreeSet::new();
    let mut some_here = false;
    for (_, object) in found.nodes.values() {
        some_here |= is_class(object);
        if let (true, Some(place), Some(name)) =
            (is_cluster(object), class_namespace(object), text(object, "/spec/topology/classRef/name"))
            && place != namespace
        {
            wanted.insert((place.to_owned(), name.to_owned()));
        }
    }
    if some_here {
        let everywhere = match side.list(&kinds::CLUSTER, None, None).await {
            // Who may not look cannot know: then every class may be in use.
            Err(error) if error.code() == Some(403) => {
                found.used_elsewhere = named_classes(found);
                Vec::new()
            }
            other => other?,
        };
        for cluster in everywhere {
            let elsewhere = text(&cluster, "/metadata/namespace") != Some(namespace);
            if let (true, Some(name)) = (elsewhere, text(&cluster, "/spec/topology/classRef/name"))
                && class_namespace(&cluster) == Some(namespace)
            {
                found.used_elsewhere.insert(name.to_owned());
            }
        }
    }
    let Some(class_type) = of(&TypeRef::of("cluster.x-k8s.io/v1beta2", "ClusterClass")).cloned() else {
        return Ok(());
    };
    for (place, name) in wanted {
        let id = ObjectId::namespaced(class_type.kind.clone(), &place, &name);
        let Some(class) = side.get(&id).await? else { continue };
        let mut named = Vec::new();
        typed_references(class.get("spec").unwrap_or(&Value::Null), &mut named);
        for (api_version, kind, template) in named {
            let Some(movable) = of(&TypeRef::new(api_version, kind)) else { continue };
            let id = ObjectId::namespaced(movable.kind.clone(), &place, &template);
            if let Some(object) = side.get(&id).await? {
                found.nodes.insert(uid(&object).to_owned(), (movable.clone(), object));
            }
        }
        found.nodes.insert(uid(&class).to_owned(), (class_type.clone(), class));
    }
    Ok(())
}

fn named_classes(found: &Found) -> BTreeSet<String> {
    let classes = found.nodes.values().map(|(_, object)| object).filter(|o| is_class(o));
    classes.filter_map(|o| text(o, "/metadata/name").map(str::to_owned)).collect()
}

/// The namespace in which a cluster's class is looked for, if it has a class.
pub(super) fn class_namespace(cluster: &Value) -> Option<&str> {
    cluster.pointer("/spec/topology/classRef")?;
    text(cluster, "/spec/topology/classRef/namespace").or_else(|| text(cluster, "/metadata/namespace"))
}

/// Version, kind and name wherever all three stand together.
fn typed_references(value: &Value, into: &mut Vec<(String, String, String)>) {
    match value {
        Value::Object(map) => {
            let part = |key| map.get(key).and_then(Value::as_str).map(str::to_owned);
            if let (Some(api_version), Some(kind), Some(name)) = (part("apiVersion"), part("kind"), part("name")) {
                into.push((api_version, kind, name));
            }
            map.values().for_each(|inner| typed_references(inner, into));
        }
        Value::Array(list) => list.iter().for_each(|inner| typed_references(inner, into)),
        _ => {}
    }
}
