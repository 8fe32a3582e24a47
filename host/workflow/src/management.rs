//! Who works on a cluster's objects: a bootstrap cluster until the cluster can do so itself, or another cluster for good.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kedge_bootstrap::Driver;
use kedge_bootstrap::existing::Existing;
use kedge_spec::Finding;

use crate::error::WorkflowError;
use crate::load::Prepared;
use crate::options::Options;

/// The cluster that manages another one.
#[derive(Debug, Clone)]
pub(crate) struct Management {
    /// Its name, as `spec.managementCluster.name` has it.
    pub(crate) name: String,
    /// Its kubeconfig.
    pub(crate) kubeconfig: PathBuf,
}

/// Where the objects of a cluster are worked on.
#[derive(Clone)]
pub(crate) struct Ground {
    /// Hands out the kubeconfig of that cluster, and makes and deletes it if it is a temporary one.
    pub(crate) driver: Arc<dyn Driver>,
    /// Present if another cluster manages this one, now and later.
    pub(crate) management: Option<Management>,
}

impl Ground {
    /// What it is, for the journal and for messages.
    pub(crate) fn name(&self) -> String {
        match &self.management {
            Some(management) => format!("management cluster `{}`", management.name),
            None => self.driver.name().to_owned(),
        }
    }
}

/// The ground of a prepared spec. `remembered` is where an earlier run had the management cluster's kubeconfig from.
pub(crate) fn ground(
    options: &Options,
    prepared: &Prepared,
    remembered: Option<&Path>,
) -> Result<Ground, WorkflowError> {
    let cluster = prepared.cluster();
    if !cluster.is_self_managed() {
        let name = &cluster.spec.management_cluster.name;
        let Some(kubeconfig) = find(options, name, remembered) else { return Err(not_found(options, prepared, name)) };
        let driver = Existing::from_file(&kubeconfig)?;
        if options.rehearsal && !options.rehearsal_servers.iter().any(|server| server == driver.server()) {
            return Err(real(name, &kubeconfig, driver.server()));
        }
        let management = Some(Management { name: name.clone(), kubeconfig });
        return Ok(Ground { driver: Arc::new(driver), management });
    }
    if let Some(path) = &options.management_kubeconfig {
        return Err(WorkflowError::Input {
            message: format!(
                "`{}` manages itself, and `{}` was given as the kubeconfig of its management cluster",
                cluster.name,
                path.display()
            ),
            help: "nothing was touched; to have it managed by another cluster, name that one in `spec.managementCluster.name`; \
                   to bootstrap from an existing cluster, use `--bootstrap-kubeconfig FILE`"
                .into(),
        });
    }
    let driver = options.bootstrap.clone().ok_or_else(|| WorkflowError::Input {
        message: "there is no cluster to bootstrap from".into(),
        help: "name the kubeconfig of an existing cluster with `--bootstrap-kubeconfig FILE`, or rehearse with `--lab`"
            .into(),
    })?;
    Ok(Ground { driver, management: None })
}

/// A rehearsal that made its cluster in a real management cluster would be none.
fn real(name: &str, kubeconfig: &Path, server: &str) -> WorkflowError {
    WorkflowError::Input {
        message: format!(
            "the management cluster `{name}` at {server} (`{}`) is none of the simulated clusters, and a rehearsal touches no other",
            kubeconfig.display()
        ),
        help: format!("nothing was touched; create `{name}` in the same lab first, or leave the rehearsal out"),
    }
}

/// The kubeconfig of the management cluster `name`: the one that was given, the one of an earlier run, the one in the
/// folder in which it was created, the environment's.
pub(crate) fn find(options: &Options, name: &str, remembered: Option<&Path>) -> Option<PathBuf> {
    if let Some(given) = &options.management_kubeconfig {
        return Some(absolute(given));
    }
    let places = [remembered.map(Path::to_owned), Some(in_folder(&options.directory, name)), in_environment(options)];
    places.into_iter().flatten().find(|path| path.is_file()).map(|path| absolute(&path))
}

fn in_folder(directory: &Path, name: &str) -> PathBuf {
    directory.join(name).join(format!("{name}-eks-a-cluster.kubeconfig"))
}

fn in_environment(options: &Options) -> Option<PathBuf> {
    (options.environment)("KUBECONFIG").map(PathBuf::from)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn not_found(options: &Options, prepared: &Prepared, name: &str) -> WorkflowError {
    let folder = in_folder(&options.directory, name);
    let folder = folder.display();
    let looked = match in_environment(options) {
        Some(path) => format!("`{folder}` and `{}` (from KUBECONFIG) are not there", path.display()),
        None => format!("`{folder}` is not there, and KUBECONFIG is not set"),
    };
    let message = format!("the kubeconfig of the management cluster `{name}` is not to be found: {looked}");
    let mut finding = Finding::error("management-kubeconfig", message)
        .remedy("name it with `--kubeconfig FILE`, or run the command in the folder in which that cluster was created");
    if let Some(document) = prepared.spec.documents().iter().find(|d| d.kind == "Cluster") {
        finding = finding.at(&document.reference(), "spec.managementCluster.name");
    }
    WorkflowError::Rejected {
        file: prepared.spec.source().name.clone(),
        diagnostics: prepared.spec.diagnose(&[finding]),
    }
}
