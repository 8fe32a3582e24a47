//! Clusters' objects into a folder, and from a folder onto a management cluster, in clusterctl's format.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::found::is_class;
use super::graph::{self, Graph};
use super::journal::make_folder;
use super::side::Side;
use super::{MARK, PivotOptions, Summary, pause, preflight, snapshot, summary_of, transfer};
use crate::api::Api;
use crate::error::Error;
use crate::object::{ObjectId, annotation, flag};
use crate::progress::Progress;
use crate::readiness::{Timeout, is_paused};

/// Writes the objects of clusters into a folder, one file each, as they are while their controllers rest. The clusters go on
/// afterwards as before. [`PivotOptions::snapshot_dir`] is the folder; it has to be empty or not there.
///
/// # Errors
/// Everything that is in the way, before anything was changed; or what stopped it. Then the clusters may be paused still:
/// run it again.
pub async fn save(from: &Api, options: &PivotOptions, progress: &dyn Progress) -> Result<Summary, Error> {
    save_from(from, options, progress).await
}

pub(super) async fn save_from(
    from: &dyn Side,
    options: &PivotOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    let folder = &options.snapshot_dir;
    make_folder(folder)?;
    let disk = |done| move |source| Error::Disk { path: folder.display().to_string(), done, source };
    if std::fs::read_dir(folder).map_err(disk("read"))?.next().is_some() {
        return Err(Error::pivot(
            format!("`{}` is not empty", folder.display()),
            "name a folder that is empty or not there yet",
        ));
    }
    let read = || graph::read(from, &options.namespace, options.cluster.as_deref());
    // An earlier try that was killed has left its mark.
    let before = read().await?;
    let operation = before
        .clusters()
        .filter(|n| is_paused(&n.object))
        .find_map(|n| annotation(&n.object, MARK))
        .filter(|mark| mark.starts_with(SAVE))
        .map_or_else(|| format!("{SAVE}{}", options.operation_id), str::to_owned);
    preflight::one_side(from, options, &operation).await?;
    pause::pause(from, &before, &operation).await?;
    let saved = async {
        pause::at_rest(from, &before, options, &operation, progress).await?;
        let graph = read().await?;
        // Written beside it first: half a cluster in the folder would look like a whole one.
        let beside = folder.with_extension("part");
        snapshot::fresh_folder(&beside)?;
        let names = snapshot::fill(&beside, &graph)?;
        snapshot::Written::of(&beside, &names).settle().await?;
        std::fs::rename(&beside, folder).map_err(disk("written"))?;
        Ok::<Graph, Error>(graph)
    }
    .await;
    // Whatever happened: the clusters go on.
    let marked = read().await?;
    pause::release(from, &marked, &operation).await?;
    let graph = saved?;
    let mut summary = summary_of(&super::plan(&graph, &transfer::Uids::new()));
    summary.kept.clear();
    Ok(summary)
}

const SAVE: &str = "save-";

/// Makes all objects of a folder on a management cluster, and wakes the clusters there. What is there already as it would be
/// made is left alone.
///
/// # Errors
/// Everything that is in the way, before anything was made; or what stopped it: run it again to go on.
pub async fn restore(to: &Api, folder: &Path, timeout: Timeout, progress: &dyn Progress) -> Result<Summary, Error> {
    restore_to(to, folder, timeout, progress).await
}

pub(super) async fn restore_to(
    to: &dyn Side,
    folder: &Path,
    timeout: Timeout,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    let mut graph = graph::of_snapshot(snapshot::read(folder)?)?;
    let operation = operation_of(&graph);
    for node in graph.groups.iter_mut().flatten() {
        // What another tool paused is made paused, as that tool made it: nobody may work before all is there.
        if super::found::is_cluster(&node.object)
            && !flag(&node.object, "/spec/paused")
            && let Some(spec) = node.object.get_mut("spec").and_then(serde_json::Value::as_object_mut)
        {
            spec.insert("paused".to_owned(), true.into());
        }
    }
    preflight::target_alone(to, &graph).await?;
    let clusters: Vec<ObjectId> = graph.clusters().map(|n| n.id.clone()).collect();
    if already_restored(to, &clusters, &operation).await? {
        progress.note(&format!("the objects of `{}` are on {} already", folder.display(), to.name()));
        return Ok(summary_of(&super::plan(&graph, &transfer::Uids::new())));
    }
    transfer::namespaces(to, &graph).await?;
    preflight::dry_run(to, &graph, &operation, &[]).await?;
    let uids = transfer::create(to, &graph, &operation, None, progress).await?;
    transfer::verify(to, &graph, &operation, &uids).await?;
    progress.note(&format!("{} objects are on {}", graph.len(), to.name()));
    let classes: Vec<ObjectId> = graph.nodes().filter(|n| is_class(&n.object)).map(|n| n.id.clone()).collect();
    pause::resume(to, &clusters, &classes, timeout, progress).await?;
    let mut summary = summary_of(&super::plan(&graph, &uids));
    summary.kept.clear();
    Ok(summary)
}

/// A restore of the same content is the same restore: run again, it knows its own objects.
fn operation_of(graph: &Graph) -> String {
    let mut digest = Sha256::new();
    for node in graph.nodes() {
        digest.update(node.uid.as_bytes());
        digest.update(node.object.to_string().as_bytes());
    }
    let mut content = hex::encode(digest.finalize());
    content.truncate(12);
    format!("restore-{content}")
}

/// Whether all clusters were restored before and woken.
async fn already_restored(to: &dyn Side, clusters: &[ObjectId], operation: &str) -> Result<bool, Error> {
    for id in clusters {
        match to.get(id).await? {
            Some(there) if annotation(&there, MARK) == Some(operation) && !is_paused(&there) => {}
            _ => return Ok(false),
        }
    }
    Ok(!clusters.is_empty())
}
