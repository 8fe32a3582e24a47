//! The move of a cluster's objects from one management cluster to another.
//!
//! Check both sides; have the target check every object; write all to disk; pause the source and wait until its controllers
//! have seen it; make the objects group by group; read them back and compare; wake the target; only then delete from the
//! source. Every step can be done again, so a move that was killed anywhere is gone on with by running it again. There are
//! two decisions on disk: *committing*, before which all can be undone and after which the target is the truth, and *done*.
//!
//! What `clusterctl` looks for stays as it expects it: labels, inventory, the snapshot's format, the annotation on what is
//! deleted. Never are both sides at work.

mod compare;
mod graph;
mod journal;
mod kinds;
mod pause;
mod preflight;
mod remove;
mod side;
mod snapshot;
mod transfer;

use std::path::PathBuf;

use graph::{Graph, cluster_id};
use journal::{Entry, Journal, Moved, Phase};
use side::Side;

use crate::api::Api;
use crate::error::Error;
use crate::object::annotation;
use crate::progress::Progress;
use crate::readiness::{Timeout, condition_is, is_paused};

/// On objects: the move that made them here, or on the source's Cluster the one that paused it.
const MARK: &str = "kedge.dev/pivot";
/// On objects that were on the target before: the move that took them over.
const ADOPTED: &str = "kedge.dev/pivot-adopted";

/// How many requests are under way at the same time.
const SIDE_BY_SIDE: usize = 16;

/// What to move, and where to write down how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PivotOptions {
    /// The namespace of the cluster's objects.
    pub namespace: String,
    /// The cluster.
    pub cluster: String,
    /// Where snapshot and journal are kept; made if it is not there. Has to be the same when the move is gone on with.
    pub snapshot_dir: PathBuf,
    /// Names this move on the objects. A journal that is there already keeps its own.
    pub operation_id: String,
    /// Whether the objects are deleted from the source in the end. Where the source itself is thrown away, they need not be;
    /// they stay there paused.
    pub delete_source: bool,
    /// The bound of each wait.
    pub timeout: Timeout,
}

/// One move.
pub struct Pivot<'a> {
    from: &'a dyn Side,
    to: &'a dyn Side,
    options: PivotOptions,
}

impl<'a> Pivot<'a> {
    /// Plans a move; touches nothing.
    pub fn new(from: &'a Api, to: &'a Api, options: PivotOptions) -> Self {
        Self { from, to, options }
    }

    #[cfg(test)]
    pub(crate) fn between(from: &'a dyn Side, to: &'a dyn Side, options: PivotOptions) -> Self {
        Self { from, to, options }
    }

    /// Moves, or goes on where a move was interrupted.
    ///
    /// # Errors
    /// Everything that is in the way, before anything was changed; or what stopped it: run it again to go on.
    pub async fn run(&self, progress: &dyn Progress) -> Result<(), Error> {
        let mut journal = Journal::open(&self.options.snapshot_dir)?;
        if matches!(journal.phase, Phase::New | Phase::Moving) {
            if journal.phase == Phase::New && self.moved_before().await? {
                progress.note(&format!("cluster {} is on {} already", self.options.cluster, self.to.name()));
                return Ok(());
            }
            let moved = self.bring_over(&mut journal, progress).await?;
            journal.write(Entry::Committing { objects: moved })?;
        }
        if let Phase::Committing(moved) = &journal.phase {
            let classes: Vec<_> =
                moved.iter().filter(|m| m.id.kind.kind == "ClusterClass").map(|m| m.id.clone()).collect();
            pause::resume(self.to, &self.options, &classes, progress).await?;
            journal.write(Entry::Committed)?;
        }
        if let Phase::Committed(moved) = &journal.phase {
            if self.options.delete_source {
                remove::from_source(self.from, moved, progress).await?;
            }
            journal.write(Entry::Done)?;
        }
        Ok(())
    }

    /// Undoes a move that has not come to its commit: what it made on the target is deleted there, and the source works
    /// again as before. Without a move under way it does nothing.
    ///
    /// # Errors
    /// After the commit, which can't be undone; or what the servers said: run it again to go on.
    pub async fn roll_back(&self, progress: &dyn Progress) -> Result<(), Error> {
        let mut journal = Journal::open(&self.options.snapshot_dir)?;
        match journal.phase {
            Phase::New => return Ok(()),
            Phase::Moving => {}
            Phase::Committing(_) | Phase::Committed(_) | Phase::Done => {
                return Err(Error::pivot(
                    format!(
                        "cluster {} lives on {} by now; its move can't be undone",
                        self.options.cluster,
                        self.to.name()
                    ),
                    "go on with the move by running the same command again, or move it back as a new move",
                ));
            }
        }
        self.take_back(&mut journal, progress).await
    }

    async fn take_back(&self, journal: &mut Journal, progress: &dyn Progress) -> Result<(), Error> {
        if let (true, Some(operation)) = (journal.pausing, journal.operation.clone()) {
            let graph = self.read().await?;
            progress.note(&format!("taking back what was made on {}", self.to.name()));
            remove::from_target(self.to, &graph, &operation).await?;
            pause::release(self.from, &graph, &self.options, &operation).await?;
        }
        journal.write(Entry::RolledBack)
    }

    /// Everything before the commit. All of it may have been done in part before.
    async fn bring_over(&self, journal: &mut Journal, progress: &dyn Progress) -> Result<Vec<Moved>, Error> {
        let operation = self.operation(journal).await?;
        if journal.phase == Phase::New {
            journal.write(Entry::Begin {
                operation: operation.clone(),
                namespace: self.options.namespace.clone(),
                cluster: self.options.cluster.clone(),
                from: self.from.name().to_owned(),
                to: self.to.name().to_owned(),
            })?;
        }
        let mut graph;
        if self.paused_by(&operation).await? {
            graph = self.read().await?;
        } else {
            graph = preflight::both_sides(self.from, self.to, &self.options, &operation, progress).await?;
            transfer::namespaces(self.to, &graph).await?;
            preflight::dry_run(self.to, &graph, &operation).await?;
            snapshot::write(&self.options.snapshot_dir, &graph)?;
            journal.write(Entry::Pausing)?;
        }
        self.target_is_not_at_work().await?;
        pause::pause(self.from, &graph, &self.options, &operation).await?;
        pause::at_rest(self.from, &graph, &self.options, &operation, progress).await?;
        // Until a moment ago controllers were at work: what is moved is what there is now.
        graph = self.read().await?;
        if let Err(error) = preflight::settled(&graph, &operation) {
            progress.note("the cluster began to change just before it was paused; the pause is taken back");
            self.take_back(journal, progress).await?;
            return Err(error);
        }
        snapshot::write(&self.options.snapshot_dir, &graph)?;
        journal.write(Entry::Paused)?;
        transfer::namespaces(self.to, &graph).await?;
        let uids = transfer::create(self.to, &graph, &operation, journal, progress).await?;
        transfer::verify(self.to, &graph, &operation, &uids).await?;
        pause::still_paused(self.from, &self.options).await?;
        progress.note(&format!("{} objects are on {}", graph.len(), self.to.name()));
        Ok(plan(&graph, &uids))
    }

    async fn read(&self) -> Result<Graph, Error> {
        graph::read(self.from, &self.options.namespace, &self.options.cluster).await
    }

    /// Whether the source is paused by this very move.
    async fn paused_by(&self, operation: &str) -> Result<bool, Error> {
        let source = self.from.get(&cluster_id(&self.options.namespace, &self.options.cluster)).await?;
        Ok(source.is_some_and(|cluster| is_paused(&cluster) && annotation(&cluster, MARK) == Some(operation)))
    }

    /// The name of this move: the journal's; or, if the journal was lost, the one on the source that it paused.
    async fn operation(&self, journal: &Journal) -> Result<String, Error> {
        if let Some(known) = &journal.operation {
            return Ok(known.clone());
        }
        let id = cluster_id(&self.options.namespace, &self.options.cluster);
        let source = self.from.get(&id).await?;
        Ok(source
            .as_ref()
            .filter(|cluster| is_paused(cluster))
            .and_then(|cluster| annotation(cluster, MARK))
            .unwrap_or(&self.options.operation_id)
            .to_owned())
    }

    /// Whether there is nothing to move, because it was moved: the source has no such cluster, the target has it at work.
    async fn moved_before(&self) -> Result<bool, Error> {
        let id = cluster_id(&self.options.namespace, &self.options.cluster);
        if self.from.get(&id).await?.is_some() {
            return Ok(false);
        }
        Ok(self.to.get(&id).await?.is_some_and(|cluster| !is_paused(&cluster)))
    }

    /// Two sides at work on one cluster would tear it apart.
    async fn target_is_not_at_work(&self) -> Result<(), Error> {
        let id = cluster_id(&self.options.namespace, &self.options.cluster);
        match self.to.get(&id).await? {
            Some(cluster) if !is_paused(&cluster) => Err(Error::pivot(
                format!("{id} is at work on {} already", self.to.name()),
                "decide which of the two is the right one and delete the other by hand, with its finalizers taken away first",
            )),
            _ => Ok(()),
        }
    }
}

fn plan(graph: &Graph, uids: &std::collections::BTreeMap<String, String>) -> Vec<Moved> {
    graph
        .groups
        .iter()
        .enumerate()
        .flat_map(|(group, nodes)| {
            nodes.iter().map(move |node| Moved {
                id: node.id.clone(),
                from: node.uid.clone(),
                to: uids.get(&node.uid).cloned().unwrap_or_default(),
                group,
                delete: node.own,
            })
        })
        .collect()
}

/// Whether a cluster lives on this management cluster and is worked on there: the postcondition of a move to it.
///
/// # Errors
/// What the server said.
pub async fn settled_on(to: &Api, namespace: &str, cluster: &str) -> Result<bool, Error> {
    let found = Api::get(to, &cluster_id(namespace, cluster)).await?;
    Ok(found.is_some_and(|cluster| !is_paused(&cluster) && !condition_is(&cluster, "Paused", "True")))
}

#[cfg(test)]
mod tests;
