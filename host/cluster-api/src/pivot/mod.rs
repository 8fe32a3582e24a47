//! The move of clusters' objects from one management cluster to another.
//!
//! Check both sides; have the target check every object; write all to disk; pause the source and wait until its controllers
//! have seen it; make the objects group by group; read them back and compare; wake the target; only then delete from the
//! source. Every step can be done again, so a move that was killed anywhere is gone on with by running it again. There are
//! two decisions on disk: *committing*, before which all can be undone and after which the target is the truth, and *done*.
//!
//! What `clusterctl` looks for stays as it expects it: labels, inventory, the snapshot's format, the annotation on what is
//! deleted. Never are both sides at work.

mod compare;
mod directory;
mod found;
mod graph;
mod journal;
mod kinds;
mod members;
mod pause;
mod preflight;
mod remove;
mod rights;
mod side;
mod snapshot;
mod transfer;

use std::path::PathBuf;

pub use directory::{restore, save};
use graph::{Graph, cluster_id, clusters_on, id_of};
use journal::{Entry, Journal, Moved, Phase};
use side::Side;
pub use snapshot::FOLDER as SNAPSHOT;

use crate::api::Api;
use crate::error::Error;
use crate::object::{ObjectId, annotation, uid};
use crate::progress::Progress;
use crate::readiness::{Timeout, condition_is, is_paused};

/// On objects: the move that made them here, or on the source's Cluster the one that paused it.
const MARK: &str = "kedge.dev/pivot";
/// On objects that were on the target before: the move that took them over.
const ADOPTED: &str = "kedge.dev/pivot-adopted";

/// How many requests are under way at the same time.
const SIDE_BY_SIDE: usize = 24;

/// What to move, and where to write down how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PivotOptions {
    /// The namespace of the clusters' objects.
    pub namespace: String,
    /// The one cluster to move; none is all clusters of the namespace, with all classes and resource sets there.
    pub cluster: Option<String>,
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

impl PivotOptions {
    /// What moves, for people.
    fn title(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("cluster {}/{cluster}", self.namespace),
            None => format!("the clusters in {}", self.namespace),
        }
    }
}

/// What a move did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The clusters that live on the target now, as namespace and name.
    pub clusters: Vec<(String, String)>,
    /// How many objects were moved.
    pub objects: usize,
    /// Objects that were moved and stay on the source, too: others may need them.
    pub kept: Vec<String>,
}

/// What a move would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The objects, in groups: what is in a group needs only what is in the groups before it.
    pub groups: Vec<Vec<ObjectId>>,
    /// Namespaces that would be made on the target. What goes there can't be checked before.
    pub namespaces: Vec<String>,
}

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of the clusters was touched.
    Untouched,
    /// It was begun and can be gone on with or undone.
    Undoable,
    /// The target is the truth: it can only be gone on with.
    Committed,
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

    /// Checks all that a move checks before it changes anything, on both sides, and says what it would do.
    ///
    /// # Errors
    /// Everything that is in the way.
    pub async fn rehearse(&self, progress: &dyn Progress) -> Result<Plan, Error> {
        let operation = &self.options.operation_id;
        let graph = preflight::both_sides(self.from, self.to, &self.options, operation, progress).await?;
        let namespaces = transfer::missing_namespaces(self.to, &graph).await?;
        preflight::dry_run(self.to, &graph, operation, &namespaces).await?;
        self.target_is_not_at_work(&graph).await?;
        let groups = graph.groups.iter().map(|group| group.iter().map(|n| n.id.clone()).collect()).collect();
        Ok(Plan { groups, namespaces })
    }

    /// Moves, or goes on where a move was interrupted.
    ///
    /// # Errors
    /// Everything that is in the way, before anything was changed; or what stopped it: run it again to go on.
    pub async fn run(&self, progress: &dyn Progress) -> Result<Summary, Error> {
        let mut journal = Journal::open(&self.options.snapshot_dir)?;
        if journal.phase == Phase::Done && self.there_is_more(&journal).await? {
            journal.write(Entry::RolledBack)?;
        }
        if matches!(journal.phase, Phase::New | Phase::Moving) {
            if journal.phase == Phase::New
                && let Some(summary) = self.moved_before(progress).await?
            {
                return Ok(summary);
            }
            let moved = self.bring_over(&mut journal, progress).await?;
            journal.write(Entry::Committing { objects: moved })?;
        }
        let mut summary = Summary::default();
        if let Phase::Committing(moved) = &journal.phase {
            let of = |kind: &str| moved.iter().filter(|m| m.id.kind.kind == kind).map(|m| m.id.clone()).collect();
            let (clusters, classes): (Vec<ObjectId>, Vec<ObjectId>) = (of("Cluster"), of("ClusterClass"));
            pause::resume(self.to, &clusters, &classes, self.options.timeout, progress).await?;
            journal.write(Entry::Committed)?;
        }
        if let Phase::Committed(moved) = &journal.phase {
            if self.options.delete_source {
                remove::from_source(self.from, moved, progress).await?;
            }
            summary = summary_of(moved);
            journal.write(Entry::Done)?;
        }
        Ok(summary)
    }

    /// Undoes a move that has not come to its commit: what it made on the target is deleted there, and the source works
    /// again as before. Without a move under way it does nothing. Says whether there was something to undo.
    ///
    /// # Errors
    /// After the commit, which can't be undone; or what the servers said: run it again to go on.
    pub async fn roll_back(&self, progress: &dyn Progress) -> Result<bool, Error> {
        let mut journal = Journal::open(&self.options.snapshot_dir)?;
        match journal.phase {
            Phase::New => return Ok(false),
            Phase::Moving => {}
            Phase::Committing(_) | Phase::Committed(_) | Phase::Done => {
                return Err(Error::pivot(
                    format!("{}: on {} by now; the move can't be undone", self.options.title(), self.to.name()),
                    "go on with the move by running the same command again, or move it back as a new move",
                ));
            }
        }
        self.take_back(&mut journal, progress).await?;
        Ok(true)
    }

    /// How far this move has come, as its journal says.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn standing(&self) -> Result<Standing, Error> {
        let journal = Journal::open(&self.options.snapshot_dir)?;
        Ok(match journal.phase {
            Phase::New => Standing::Untouched,
            Phase::Moving if !journal.pausing => Standing::Untouched,
            Phase::Moving => Standing::Undoable,
            Phase::Committing(_) | Phase::Committed(_) | Phase::Done => Standing::Committed,
        })
    }

    async fn take_back(&self, journal: &mut Journal, progress: &dyn Progress) -> Result<(), Error> {
        if let (true, Some(operation)) = (journal.pausing, journal.operation.clone()) {
            let graph = self.read().await?;
            progress.note(&format!("taking back what was made on {}", self.to.name()));
            remove::from_target(self.to, &graph, &operation).await?;
            pause::release(self.from, &graph, &operation).await?;
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
            preflight::dry_run(self.to, &graph, &operation, &[]).await?;
            // That there is room for it is known before anything is changed. It is written again below.
            drop(snapshot::write(&self.options.snapshot_dir, &graph)?);
            journal.write(Entry::Pausing)?;
        }
        self.target_is_not_at_work(&graph).await?;
        pause::pause(self.from, &graph, &operation).await?;
        pause::at_rest(self.from, &graph, &self.options, &operation, progress).await?;
        // Until a moment ago controllers were at work: what is moved is what there is now.
        graph = self.read().await?;
        if let Err(error) = preflight::settled(&graph, &operation) {
            progress.note("the cluster began to change just before it was paused; the pause is taken back");
            self.take_back(journal, progress).await?;
            return Err(error);
        }
        let written = snapshot::write(&self.options.snapshot_dir, &graph)?;
        journal.write(Entry::Paused)?;
        transfer::namespaces(self.to, &graph).await?;
        // Nothing is deleted before the snapshot is safe; until then both can go on.
        let (made, safe) =
            futures::join!(transfer::create(self.to, &graph, &operation, Some(journal), progress), written.settle());
        let uids = made?;
        safe?;
        transfer::verify(self.to, &graph, &operation, &uids).await?;
        pause::still_paused(self.from, &graph, &self.options).await?;
        progress.note(&format!("{} objects are on {}", graph.len(), self.to.name()));
        Ok(plan(&graph, &uids))
    }

    async fn read(&self) -> Result<Graph, Error> {
        graph::read(self.from, &self.options.namespace, self.options.cluster.as_deref()).await
    }

    async fn clusters_on(&self, side: &dyn Side) -> Result<Vec<serde_json::Value>, Error> {
        clusters_on(side, &self.options.namespace, self.options.cluster.as_deref()).await
    }

    /// Whether the source is paused by this very move.
    async fn paused_by(&self, operation: &str) -> Result<bool, Error> {
        let clusters = self.clusters_on(self.from).await?;
        Ok(!clusters.is_empty() && clusters.iter().all(|c| is_paused(c) && annotation(c, MARK) == Some(operation)))
    }

    /// The name of this move: the journal's; or, if the journal was lost, the one on the source that it paused.
    async fn operation(&self, journal: &Journal) -> Result<String, Error> {
        if let Some(known) = &journal.operation {
            return Ok(known.clone());
        }
        let clusters = self.clusters_on(self.from).await?;
        let marked = clusters.iter().filter(|c| is_paused(c)).find_map(|c| annotation(c, MARK));
        Ok(marked.unwrap_or(&self.options.operation_id).to_owned())
    }

    /// After a move that is done: whether the source has clusters again that it did not leave there itself.
    async fn there_is_more(&self, journal: &Journal) -> Result<bool, Error> {
        let left = |c: &serde_json::Value| is_paused(c) && annotation(c, MARK) == journal.operation.as_deref();
        Ok(self.clusters_on(self.from).await?.iter().any(|c| !left(c)))
    }

    /// What was moved, if there is nothing to move because of that: the source has no such cluster, the target has it at work.
    async fn moved_before(&self, progress: &dyn Progress) -> Result<Option<Summary>, Error> {
        if self.options.cluster.is_none() || !self.clusters_on(self.from).await?.is_empty() {
            return Ok(None);
        }
        let there = self.clusters_on(self.to).await?;
        if there.is_empty() || there.iter().any(is_paused) {
            return Ok(None);
        }
        progress.note(&format!("{} is on {} already", self.options.title(), self.to.name()));
        let clusters = there.iter().map(|c| named(&id_of(c))).collect();
        Ok(Some(Summary { clusters, ..Summary::default() }))
    }

    /// Two sides at work on one cluster would tear it apart.
    async fn target_is_not_at_work(&self, graph: &Graph) -> Result<(), Error> {
        let there = self.clusters_on(self.to).await?;
        let at_work = graph
            .clusters()
            .find(|node| there.iter().any(|c| id_of(c).name == node.id.name && uid(c) != node.uid && !is_paused(c)));
        match at_work {
            Some(node) => Err(Error::pivot(
                format!("{} is at work on {} already", node.id, self.to.name()),
                "decide which of the two is the right one and delete the other by hand, with its finalizers taken away first",
            )),
            None => Ok(()),
        }
    }
}

fn named(id: &ObjectId) -> (String, String) {
    (id.namespace.clone().unwrap_or_default(), id.name.clone())
}

fn summary_of(moved: &[Moved]) -> Summary {
    let clusters = moved.iter().filter(|m| m.id.kind.kind == "Cluster").map(|m| named(&m.id)).collect();
    let kept = moved.iter().filter(|m| !m.delete).map(|m| m.id.to_string()).collect();
    Summary { clusters, objects: moved.len(), kept }
}

fn plan(graph: &Graph, uids: &transfer::Uids) -> Vec<Moved> {
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
                plain: remove::plain(&node.id, &node.object),
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
