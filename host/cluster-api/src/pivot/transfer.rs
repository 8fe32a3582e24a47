//! Making the objects on the target, and making sure that they are there.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::compare::{difference, for_target, owners, same_owners};
use super::graph::{Graph, Node};
use super::journal::{Entry, Journal};
use super::preflight::foreign;
use super::side::Side;
use super::{ADOPTED, MARK, SIDE_BY_SIDE};
use crate::FIELD_MANAGER;
use crate::error::Error;
use crate::object::{ObjectId, TypeRef, annotation, items, kinds, text, uid};
use crate::progress::Progress;

/// The longest name that a server takes for a field manager.
const LONGEST_MANAGER: usize = 128;

/// The uids on the target by those on the source.
pub(super) type Uids = BTreeMap<String, String>;

/// The namespaces of the objects that the target does not have.
pub(super) async fn missing_namespaces(to: &dyn Side, graph: &Graph) -> Result<Vec<String>, Error> {
    let wanted: BTreeSet<&str> = graph.nodes().filter_map(|n| n.id.namespace.as_deref()).collect();
    let mut missing = Vec::new();
    for name in wanted {
        if to.get(&ObjectId::cluster_wide(kinds::NAMESPACE, name)).await?.is_none() {
            missing.push(name.to_owned());
        }
    }
    Ok(missing)
}

/// Makes the namespaces that the objects need.
pub(super) async fn namespaces(to: &dyn Side, graph: &Graph) -> Result<(), Error> {
    for name in missing_namespaces(to, graph).await? {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        match to.create(&namespace, FIELD_MANAGER, false).await {
            Err(error) if error.reason() != "AlreadyExists" => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes all objects that are not there yet, group by group.
pub(super) async fn create(
    to: &dyn Side,
    graph: &Graph,
    operation: &str,
    journal: Option<&mut Journal>,
    progress: &dyn Progress,
) -> Result<Uids, Error> {
    let mut journal = journal;
    let mut uids = BTreeMap::new();
    let all = graph.len();
    for (index, group) in graph.groups.iter().enumerate() {
        progress.waiting("objects on the target", &format!("{} of {all} are made", uids.len()));
        let known = &uids;
        let made: Vec<(String, String)> = futures::stream::iter(group)
            .map(|node| async move { Ok::<_, Error>((node.uid.clone(), one(to, node, operation, known).await?)) })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        uids.extend(made);
        if let Some(journal) = journal.as_deref_mut() {
            journal.write(Entry::Created { group: index, objects: group.len() })?;
        }
    }
    Ok(uids)
}

/// Makes one object, or recognises the one that is there; its uid.
async fn one(to: &dyn Side, node: &Node, operation: &str, uids: &Uids) -> Result<String, Error> {
    let wanted = for_target(node, operation, uids);
    let writers = Writers::of(node);
    let object = match to.create(&wanted, writers.creator(), false).await {
        Ok(object) => object,
        Err(error) if error.reason() == "AlreadyExists" => {
            let there = to.get(&node.id).await?.ok_or(error)?;
            // What has no namespace may serve others on the target: theirs stays as it is.
            if node.global {
                return Ok(uid(&there).to_owned());
            }
            recognise(to, node, &wanted, there, operation, uids).await?
        }
        Err(error) => return Err(error),
    };
    if let Some(fields) = writers.lacking(&object, node, uids) {
        to.patch(&node.id, &json!({"metadata": {"managedFields": fields}})).await?;
    }
    Ok(uid(&object).to_owned())
}

/// An object that is there already is either this move's, or equal to what would be made; then it is taken over.
async fn recognise(
    to: &dyn Side,
    node: &Node,
    wanted: &Value,
    there: Value,
    operation: &str,
    uids: &Uids,
) -> Result<Value, Error> {
    if let Some(error) = foreign(node, wanted, &there, operation, to.name()) {
        return Err(error);
    }
    let owners = owners(node, uids);
    let ours = annotation(&there, MARK) == Some(operation) || annotation(&there, ADOPTED) == Some(operation);
    if ours && same_owners(&owners, &there) {
        return Ok(there);
    }
    if !ours && !items(&there, "/metadata/ownerReferences").is_empty() {
        return Err(Error::pivot(
            format!("{} is on {} already and belongs to something there", node.id, to.name()),
            "delete it there if it is a left-over, then run the same command again",
        ));
    }
    let mut metadata = json!({"ownerReferences": owners});
    if let (false, Some(map)) = (ours, metadata.as_object_mut()) {
        map.insert("annotations".to_owned(), json!({ADOPTED: operation}));
    }
    let patched = to.patch(&node.id, &json!({ "metadata": metadata })).await?;
    patched.ok_or_else(|| {
        Error::pivot(format!("{} disappeared from {} just now", node.id, to.name()), "run the same command again")
    })
}

/// Who wrote which field on the source. It is said again on the target: whoever applies next would own the wrong fields
/// otherwise.
struct Writers<'a> {
    /// Without those of the status, which is written anew on the target.
    kept: Vec<&'a Value>,
}

impl<'a> Writers<'a> {
    fn of(node: &'a Node) -> Self {
        let kept = items(&node.object, "/metadata/managedFields")
            .iter()
            .filter(|e| text(e, "/subresource").unwrap_or_default().is_empty())
            .collect();
        Self { kept }
    }

    /// In whose name the object is created. If one writer wrote all of it, creating it in that name says all there is to say.
    fn creator(&self) -> &'a str {
        match self.kept.as_slice() {
            [one] if text(one, "/operation") == Some("Update") => text(one, "/manager")
                .filter(|m| !m.is_empty() && m.len() <= LONGEST_MANAGER && m.chars().all(|c| !c.is_control()))
                .unwrap_or(FIELD_MANAGER),
            _ => FIELD_MANAGER,
        }
    }

    /// The field owners that have to be written to the object on the target; none if they are there.
    fn lacking(&self, there: &Value, node: &Node, uids: &Uids) -> Option<Value> {
        fn names<'e>(list: impl Iterator<Item = &'e Value>) -> BTreeSet<[&'e str; 3]> {
            list.map(|e| ["/manager", "/operation", "/subresource"].map(|at| text(e, at).unwrap_or_default())).collect()
        }
        let wanted = names(self.kept.iter().copied());
        if wanted.is_empty() || wanted.is_subset(&names(items(there, "/metadata/managedFields").iter())) {
            return None;
        }
        let mut fields: Value = self.kept.iter().copied().cloned().collect();
        let owners: Vec<&str> = super::members::owners(&node.object).collect();
        rename_owners(&mut fields, &owners, uids);
        Some(fields)
    }
}

/// Owner references are named by uid among the fields: `k:{"uid":"…"}`.
fn rename_owners(fields: &mut Value, owners: &[&str], uids: &Uids) {
    match fields {
        Value::Object(map) => {
            for owner in owners {
                let key = |uid: &str| format!("k:{{\"uid\":\"{uid}\"}}");
                if let (Some(new), Some(value)) = (uids.get(*owner), map.shift_remove(&key(owner))) {
                    map.insert(key(new), value);
                }
            }
            map.values_mut().for_each(|inner| rename_owners(inner, owners, uids));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| rename_owners(inner, owners, uids)),
        _ => {}
    }
}

/// Reads all objects back and compares them.
pub(super) async fn verify(to: &dyn Side, graph: &Graph, operation: &str, uids: &Uids) -> Result<(), Error> {
    let there = read_back(to, graph).await?;
    let mut wrong = Vec::new();
    for node in graph.nodes() {
        let Some(there) = there.get(&node.id.versionless()) else {
            wrong.push(format!("{} is not there", node.id));
            continue;
        };
        if uids.get(&node.uid).map(String::as_str) != Some(uid(there)) {
            wrong.push(format!("{} is not the one that was made", node.id));
        } else if node.global {
            // It is the target's own.
        } else if let Some(place) = difference(&for_target(node, operation, uids), there) {
            wrong.push(format!("{} has another `{place}`", node.id));
        } else if !same_owners(&owners(node, uids), there) {
            wrong.push(format!("{} has other owners", node.id));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::pivot(
        format!("not all is on {} as it was on the source:\n  - {}", to.name(), wrong.join("\n  - ")),
        "nothing was deleted from the source; run the same command again, or undo the move",
    ))
}

type Versionless = (String, String, Option<String>, String);

/// Everything of the kinds and namespaces of a graph that a side has.
async fn read_back(to: &dyn Side, graph: &Graph) -> Result<BTreeMap<Versionless, Value>, Error> {
    let places: BTreeSet<(&TypeRef, Option<&str>)> =
        graph.nodes().map(|n| (&n.id.kind, n.id.namespace.as_deref())).collect();
    let lists: Vec<Vec<Value>> = futures::stream::iter(places)
        .map(|(kind, namespace)| to.list(kind, namespace, None))
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    let named = |object: Value| Some((ObjectId::from_object(&object)?.versionless(), object));
    Ok(lists.into_iter().flatten().filter_map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owners_among_the_fields_are_those_of_the_target() {
        let mut fields = json!([{"fieldsV1": {"f:metadata": {"f:ownerReferences": {".": {}, "k:{\"uid\":\"old\"}": {}, "k:{\"uid\":\"other\"}": {}}}}}]);
        rename_owners(&mut fields, &["old"], &BTreeMap::from([("old".to_owned(), "new".to_owned())]));
        let references = &fields[0]["fieldsV1"]["f:metadata"]["f:ownerReferences"];
        assert!(references.get("k:{\"uid\":\"new\"}").is_some(), "{references}");
        assert!(references.get("k:{\"uid\":\"old\"}").is_none(), "{references}");
        assert!(references.get("k:{\"uid\":\"other\"}").is_some(), "{references}");
    }
}
