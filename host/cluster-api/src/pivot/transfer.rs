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
use crate::error::Error;
use crate::object::{ObjectId, annotation, items, kinds, text, uid};
use crate::progress::Progress;

/// Namespaces that the objects need.
pub(super) async fn namespaces(to: &dyn Side, graph: &Graph) -> Result<(), Error> {
    let wanted: BTreeSet<&str> = graph.nodes().filter_map(|n| n.id.namespace.as_deref()).collect();
    for name in wanted {
        let id = ObjectId::cluster_wide(kinds::NAMESPACE, name);
        if to.get(&id).await?.is_none() {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            match to.create(&namespace, false).await {
                Err(error) if error.reason() != "AlreadyExists" => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Makes all objects that are not there yet, group by group. Gives the uids on the target by those on the source.
pub(super) async fn create(
    to: &dyn Side,
    graph: &Graph,
    operation: &str,
    journal: &mut Journal,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, String>, Error> {
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
        journal.write(Entry::Created { group: index, objects: group.len() })?;
    }
    Ok(uids)
}

/// Makes one object, or recognises the one that is there; its uid.
async fn one(to: &dyn Side, node: &Node, operation: &str, uids: &BTreeMap<String, String>) -> Result<String, Error> {
    let wanted = for_target(node, operation, uids);
    let object = match to.create(&wanted, false).await {
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
    who_wrote_what(to, node, &object).await?;
    Ok(uid(&object).to_owned())
}

/// An object that is there already is either this move's, or equal to what would be made; then it is taken over.
async fn recognise(
    to: &dyn Side,
    node: &Node,
    wanted: &Value,
    there: Value,
    operation: &str,
    uids: &BTreeMap<String, String>,
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

/// Says again who wrote which field, as it was on the source: whoever applies next would own the wrong fields otherwise.
async fn who_wrote_what(to: &dyn Side, node: &Node, there: &Value) -> Result<(), Error> {
    let source = items(&node.object, "/metadata/managedFields");
    let writers = |list: &[Value]| -> BTreeSet<(String, String, String)> {
        let part = |entry: &Value, key| text(entry, key).unwrap_or_default().to_owned();
        list.iter().map(|e| (part(e, "/manager"), part(e, "/operation"), part(e, "/subresource"))).collect()
    };
    // Status is written anew on the target.
    let kept: Vec<Value> =
        source.iter().filter(|e| text(e, "/subresource").unwrap_or_default().is_empty()).cloned().collect();
    if kept.is_empty() || writers(&kept).is_subset(&writers(items(there, "/metadata/managedFields"))) {
        return Ok(());
    }
    to.patch(&node.id, &json!({"metadata": {"managedFields": kept}})).await.map(drop)
}

/// Reads all objects back and compares them.
pub(super) async fn verify(
    to: &dyn Side,
    graph: &Graph,
    operation: &str,
    uids: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let wrong: Vec<Option<String>> = futures::stream::iter(graph.nodes())
        .map(|node| async move {
            let Some(there) = to.get(&node.id).await? else {
                return Ok::<_, Error>(Some(format!("{} is not there", node.id)));
            };
            if uids.get(&node.uid).map(String::as_str) != Some(uid(&there)) {
                return Ok(Some(format!("{} is not the one that was made", node.id)));
            }
            if node.global {
                return Ok(None);
            }
            if let Some(place) = difference(&for_target(node, operation, uids), &there) {
                return Ok(Some(format!("{} has another `{place}`", node.id)));
            }
            Ok((!same_owners(&owners(node, uids), &there)).then(|| format!("{} has other owners", node.id)))
        })
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::pivot(
        format!("not all is on {} as it was on the source:\n  - {}", to.name(), wrong.join("\n  - ")),
        "nothing was deleted from the source; run the same command again, or undo the move",
    ))
}
