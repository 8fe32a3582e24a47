//! The move of a cluster's objects from one management cluster to another.

use std::path::PathBuf;

use crate::api::Api;
use crate::error::Error;
use crate::progress::Progress;

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
    /// Whether the objects are deleted from the source in the end. Where the source itself is thrown away, they need not be.
    pub delete_source: bool,
    /// The bound of each wait.
    pub timeout: crate::readiness::Timeout,
}

/// One move.
pub struct Pivot<'a> {
    from: &'a Api,
    to: &'a Api,
    options: PivotOptions,
}

impl<'a> Pivot<'a> {
    /// Plans a move; touches nothing.
    pub fn new(from: &'a Api, to: &'a Api, options: PivotOptions) -> Self {
        Self { from, to, options }
    }

    /// Moves, or goes on where a move was interrupted.
    ///
    /// # Errors
    /// Everything that is in the way, before anything was changed; or what stopped it: run it again to go on.
    pub async fn run(&self, progress: &dyn Progress) -> Result<(), Error> {
        let _ = (self.from, self.to, &self.options, progress);
        Err(Error::pivot("the move follows in the next commit", ""))
    }

    /// Undoes a move that has not come to its commit: the target is cleaned, the source runs again.
    ///
    /// # Errors
    /// After the commit, which can't be undone; or what the servers said.
    pub async fn roll_back(&self, progress: &dyn Progress) -> Result<(), Error> {
        let _ = (self.from, self.to, &self.options, progress);
        Err(Error::pivot("the move follows in the next commit", ""))
    }
}

/// Whether a cluster lives on this management cluster and is worked on there: the postcondition of a move to it.
///
/// # Errors
/// What the server said.
pub async fn settled_on(to: &Api, namespace: &str, cluster: &str) -> Result<bool, Error> {
    let id = crate::ObjectId::namespaced(crate::kinds::CLUSTER, namespace, cluster);
    Ok(to.get(&id).await?.is_some_and(|object| {
        !crate::readiness::is_paused(&object) && !crate::readiness::condition_is(&object, "Paused", "True")
    }))
}
