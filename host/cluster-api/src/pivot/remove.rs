//! Taking objects away: from the source after the commit, or from the target when a move is undone.

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::graph::Graph;
use super::journal::Moved;
use super::side::Side;
use super::{ADOPTED, MARK, SIDE_BY_SIDE};
use crate::api::Removed;
use crate::error::Error;
use crate::object::{ObjectId, annotation, items, uid};
use crate::progress::Progress;

/// Tells providers that an object goes away because it lives elsewhere now.
const DELETE_FOR_MOVE: &str = "clusterctl.cluster.x-k8s.io/delete-for-move";

/// Whether an object can be deleted without a word before: no provider looks at it, and nothing holds it.
pub(super) fn plain(id: &ObjectId, object: &Value) -> bool {
    id.kind.group().is_empty() && items(object, "/metadata/finalizers").is_empty()
}

/// Deletes what was moved from the source, in the reverse order of making. What is not the very object that was moved stays.
pub(super) async fn from_source(side: &dyn Side, moved: &[Moved], progress: &dyn Progress) -> Result<(), Error> {
    let last = moved.iter().map(|m| m.group).max().unwrap_or(0);
    for group in (0..=last).rev() {
        futures::stream::iter(moved.iter().filter(|m| m.group == group && m.delete))
            .map(|m| async move {
                let removed = if m.plain {
                    let removed = side.delete(&m.id, &m.from).await;
                    if let Ok(Removed::Held) = removed { unhold(side, &m.id, &m.from).await } else { removed.map(drop) }
                } else {
                    take_away(side, &m.id, &m.from, true).await
                };
                match removed {
                    Err(error) if error.code() == Some(409) => {
                        progress.note(&format!("{} on {} is not the one that was moved; it stays", m.id, side.name()));
                        Ok(())
                    }
                    other => other,
                }
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_for_each(|()| async { Ok(()) })
            .await?;
    }
    Ok(())
}

/// Deletes from the target what an undone move made there.
pub(super) async fn from_target(side: &dyn Side, graph: &Graph, operation: &str) -> Result<(), Error> {
    for group in graph.groups.iter().rev() {
        futures::stream::iter(group)
            .map(|node| async move {
                let Some(there) = side.get(&node.id).await? else { return Ok(()) };
                if annotation(&there, ADOPTED) == Some(operation) {
                    let patch = json!({"metadata": {"annotations": {ADOPTED: null}, "ownerReferences": []}});
                    return side.patch(&node.id, &patch).await.map(drop);
                }
                if annotation(&there, MARK) == Some(operation) {
                    take_away(side, &node.id, uid(&there), false).await?;
                }
                Ok(())
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_for_each(|()| async { Ok(()) })
            .await?;
    }
    Ok(())
}

/// Deletes an object at once: without finalizers no controller gets to undo what the object stands for, be it a machine.
async fn take_away(side: &dyn Side, id: &ObjectId, uid_there: &str, moved: bool) -> Result<(), Error> {
    let mut metadata = json!({"uid": uid_there, "finalizers": []});
    if let (true, Some(map)) = (moved, metadata.as_object_mut()) {
        map.insert("annotations".to_owned(), json!({DELETE_FOR_MOVE: ""}));
    }
    if side.patch(id, &json!({ "metadata": metadata })).await?.is_none() {
        return Ok(());
    }
    match side.delete(id, uid_there).await? {
        // A finalizer came back in between.
        Removed::Held => unhold(side, id, uid_there).await,
        Removed::Absent | Removed::Gone => Ok(()),
    }
}

async fn unhold(side: &dyn Side, id: &ObjectId, uid_there: &str) -> Result<(), Error> {
    side.patch(id, &json!({"metadata": {"uid": uid_there, "finalizers": []}})).await.map(drop)
}
