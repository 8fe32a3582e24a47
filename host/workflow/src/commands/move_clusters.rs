//! `move`: clusters from one management cluster to another, into a folder, or out of one. Also clusters that this program
//! did not make: no spec, no release and no plugin is asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kedge_cluster_api::Error as ApiError;
use kedge_cluster_api::api::Api;
use kedge_cluster_api::pivot::{self, Pivot, PivotOptions, Standing, Summary};
use kedge_cluster_api::readiness::Timeout;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::WorkflowError;
use crate::event::{Reporter, ReporterExt as _};
use crate::run::Teller;

/// The folder below which moves keep their journals and snapshots.
const FOLDER: &str = "kedge-moves";

/// Where clusters come from and go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// From one management cluster to another, by their kubeconfig files.
    Between {
        /// The source.
        from: PathBuf,
        /// The target.
        to: PathBuf,
    },
    /// From a management cluster into a folder.
    ToDirectory {
        /// The source.
        from: PathBuf,
        /// The folder: empty, or not there yet.
        directory: PathBuf,
    },
    /// From a folder onto a management cluster.
    FromDirectory {
        /// The folder.
        directory: PathBuf,
        /// The target.
        to: PathBuf,
    },
}

/// What is done with a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is done, or gone on with.
    Move,
    /// It is checked, and nothing is touched.
    Rehearse,
    /// It is undone.
    Undo,
}

/// What `move` can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveOptions {
    /// From where to where.
    pub way: Way,
    /// The namespace; none is the one of the source's kubeconfig.
    pub namespace: Option<String>,
    /// The one cluster; none is all of the namespace.
    pub cluster: Option<String>,
    /// Where journal and snapshot are kept; none is a folder below `kedge-moves` here, named after both sides.
    pub state: Option<PathBuf>,
    /// What to do.
    pub act: Act,
    /// The bound of each wait.
    pub timeout: Duration,
    /// Names the move on the objects, different for each run.
    pub id: String,
}

/// One object of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedObject {
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What `move` did or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveOutcome {
    /// The clusters, as `namespace/name`.
    pub clusters: Vec<String>,
    /// How many objects.
    pub objects: usize,
    /// Objects that stay on the source beside their copies: others may need them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Of a rehearsal: the objects, in groups that would be made one after another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<PlannedObject>>,
    /// Of a rehearsal: namespaces that would be made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Whether an earlier run of this move was undone.
    pub undone: bool,
    /// Where the snapshot is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<PathBuf>,
}

impl MoveOutcome {
    fn of(summary: Summary, snapshot: Option<PathBuf>) -> Self {
        Self {
            clusters: summary.clusters.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect(),
            objects: summary.objects,
            kept: summary.kept,
            snapshot,
            ..Self::default()
        }
    }
}

/// Moves.
///
/// # Errors
/// [`WorkflowError::Move`], which says whether anything was touched, and what is where.
pub async fn move_clusters(options: &MoveOptions, reporter: Arc<dyn Reporter>) -> Result<MoveOutcome, WorkflowError> {
    let progress = Teller::new("move", Arc::clone(&reporter));
    let timeout = Timeout::after(options.timeout);
    match &options.way {
        Way::FromDirectory { directory, to } => {
            let to = connect(to).await?;
            let done = pivot::restore(&to, directory, timeout, &progress).await;
            let aftermath = "what was made stays paused; the same command goes on, and the folder is left as it is";
            done.map(|summary| MoveOutcome::of(summary, Some(directory.clone())))
                .map_err(|e| failed(e, true, aftermath))
        }
        Way::ToDirectory { from, directory } => {
            let from = connect(from).await?;
            let done = pivot::save(&from, &pivot_options(options, &from, directory.clone()), &progress).await;
            let aftermath = "the clusters are where they were";
            done.map(|summary| MoveOutcome::of(summary, Some(directory.clone())))
                .map_err(|e| failed(e, true, aftermath))
        }
        Way::Between { from, to } => {
            let (from, to) = (connect(from).await?, connect(to).await?);
            if from.server() == to.server() {
                return Err(WorkflowError::Input {
                    message: format!("both kubeconfigs lead to {}", from.server()),
                    help: "give the kubeconfig of another management cluster with `--to-kubeconfig`".to_owned(),
                });
            }
            let state = options.state.clone().unwrap_or_else(|| folder(options, &from, &to));
            let pivot = Pivot::new(&from, &to, pivot_options(options, &from, state.clone()));
            match options.act {
                Act::Rehearse => rehearse(&pivot, &progress).await,
                Act::Undo => undo(&pivot, &progress).await,
                Act::Move => run(&pivot, &progress, reporter.as_ref(), &state).await,
            }
        }
    }
}

fn pivot_options(options: &MoveOptions, from: &Api, folder: PathBuf) -> PivotOptions {
    PivotOptions {
        namespace: options.namespace.clone().unwrap_or_else(|| from.namespace().to_owned()),
        cluster: options.cluster.clone(),
        snapshot_dir: folder,
        operation_id: options.id.clone(),
        delete_source: true,
        timeout: Timeout::after(options.timeout),
    }
}

/// The folder of a move: the same for the same sides, namespace and cluster, so that a second run finds the first.
fn folder(options: &MoveOptions, from: &Api, to: &Api) -> PathBuf {
    let namespace = options.namespace.as_deref().unwrap_or_else(|| from.namespace());
    let mut sides = hex::encode(Sha256::digest(format!("{}\n{}", from.server(), to.server())));
    sides.truncate(8);
    let what = options.cluster.as_deref().map_or_else(String::new, |name| format!("{name}-"));
    Path::new(FOLDER).join(format!("{namespace}-{what}{sides}"))
}

async fn connect(path: &Path) -> Result<Api, WorkflowError> {
    let text = std::fs::read_to_string(path).map_err(|error| WorkflowError::Input {
        message: format!("the kubeconfig `{}` can't be read: {error}", path.display()),
        help: "check the path, and that you may read it".to_owned(),
    })?;
    let named = |error: ApiError| WorkflowError::Input {
        message: format!("`{}`: {error}", path.display()),
        help: error.help(),
    };
    let api = Api::from_kubeconfig(&text).await.map_err(named)?;
    // Once, before anything else: an address that does not answer is said at once, not after minutes of asking again.
    api.version().await.map_err(named)?;
    Ok(api)
}

async fn rehearse(pivot: &Pivot<'_>, progress: &Teller) -> Result<MoveOutcome, WorkflowError> {
    let plan = pivot.rehearse(progress).await.map_err(|e| failed(e, false, "nothing was touched"))?;
    let planned = |id: &kedge_cluster_api::ObjectId| PlannedObject {
        kind: id.kind.kind.to_string(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
    };
    let groups: Vec<Vec<PlannedObject>> = plan.groups.iter().map(|g| g.iter().map(planned).collect()).collect();
    let clusters = plan
        .groups
        .iter()
        .flatten()
        .filter(|id| id.kind.kind == "Cluster")
        .map(|id| format!("{}/{}", id.namespace.as_deref().unwrap_or_default(), id.name))
        .collect();
    Ok(MoveOutcome {
        clusters,
        objects: groups.iter().map(Vec::len).sum(),
        groups,
        namespaces: plan.namespaces,
        ..MoveOutcome::default()
    })
}

async fn undo(pivot: &Pivot<'_>, progress: &Teller) -> Result<MoveOutcome, WorkflowError> {
    let undone = pivot.roll_back(progress).await.map_err(|e| failed(e, true, ""))?;
    Ok(MoveOutcome { undone, ..MoveOutcome::default() })
}

async fn run(
    pivot: &Pivot<'_>,
    progress: &Teller,
    reporter: &dyn Reporter,
    state: &Path,
) -> Result<MoveOutcome, WorkflowError> {
    let error = match pivot.run(progress).await {
        Ok(summary) => return Ok(MoveOutcome::of(summary, Some(state.join(pivot::SNAPSHOT)))),
        Err(error) => error,
    };
    // Without its journal nothing can be said about it.
    let Ok(standing) = pivot.standing() else { return Err(failed(error, true, "run the same command again")) };
    Err(match standing {
        Standing::Untouched => failed(error, false, "nothing was touched"),
        Standing::Committed => {
            failed(error, true, "the target has all of it and works on it; run the same command again: it goes on")
        }
        Standing::Undoable if error.is_transient() => failed(
            error,
            true,
            "the source is paused and complete; run the same command again: it goes on, or with `--undo` to take it back",
        ),
        // What was refused once is refused again: the source goes back to work.
        Standing::Undoable => match pivot.roll_back(progress).await {
            Ok(_) => failed(error, true, "all was put back as it was; the source works on"),
            Err(second) => {
                reporter.warning(format!("what was begun could not be taken back: {second}"));
                failed(
                    error,
                    true,
                    "the source is paused and complete; run the same command again with `--undo` to take it back",
                )
            }
        },
    })
}

fn failed(source: ApiError, touched: bool, aftermath: &str) -> WorkflowError {
    WorkflowError::Move { source: Box::new(source), touched, aftermath: aftermath.to_owned() }
}
