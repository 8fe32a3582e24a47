//! What another spec would change.

use kedge_cluster_api::api::Api;
use kedge_cluster_api::render::compare;
use kedge_spec::provider::Verdict;
use serde_json::{Value, json};

use super::describe;
use crate::diff_live::{self, Sides};
use crate::error::WorkflowError;
use crate::event::Reporter;
use crate::folder::{self, Folder};
use crate::journal::{Journal, Records};
use crate::load::{self, Prepared};
use crate::management;
use crate::options::{Options, SpecInput};
use crate::outcome::{DiffOutcome, RefusedChange};

/// What a spec is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// Another spec.
    Spec(SpecInput),
    /// A cluster, by its name: the spec that its folder holds, and what its preflight found out.
    Cluster(String),
    /// The cluster that has the spec's own name.
    Itself,
    /// The same by the word of the cluster's API, whatever its folder says: the named one, or that of the spec.
    Live(Option<String>),
}

/// Compares the manifests of a spec with those of another one, or of a cluster. Both are rendered by this program, with the
/// same release, unless the cluster's API is asked: then it says itself what would change.
pub async fn diff(options: &Options, against: Against, reporter: &dyn Reporter) -> Result<DiffOutcome, WorkflowError> {
    let new = load::load(options).await?;
    super::offline::warn(&new, reporter);
    if let Against::Live(name) = against {
        // Boxed: it holds two specs and all that is rendered of them.
        return Box::pin(live(options, &new, name.as_deref())).await;
    }
    let (other, facts, with) = match against {
        Against::Spec(input) => {
            let with = match &input {
                SpecInput::File(path) => path.display().to_string(),
                SpecInput::Text { name, .. } => name.clone(),
            };
            (input, json!({}), with)
        }
        Against::Cluster(name) => in_folder(options, &name)?,
        Against::Itself | Against::Live(_) => in_folder(options, new.name())?,
    };
    let old = load::load(&Options { spec: Some(other), ..options.clone() }).await?;
    let difference = compare(&old.render(&facts).await?, &new.render(&facts).await?);
    Ok(DiffOutcome { cluster: new.name().to_owned(), with, refused: refused(&old, &new).await?, difference })
}

/// What the spec would change of the cluster as it is.
async fn live(options: &Options, new: &Prepared, name: Option<&str>) -> Result<DiffOutcome, WorkflowError> {
    let name = name.unwrap_or(new.name());
    let silent = |message: String, help: &str| WorkflowError::Input { message, help: help.to_owned() };
    let (other, facts, _) = in_folder(options, name)?;
    let folder = Folder::open(&options.directory, name)?.ok_or_else(|| missing(options, name))?;
    let own = match describe::api(&folder).await {
        None => {
            let file = folder.path_of(&folder.kubeconfig_file());
            return Err(silent(
                format!("`{name}` has no kubeconfig `{}`", file.display()),
                "create the cluster first, or compare with its spec alone: leave out `--live`",
            ));
        }
        Some(answer) => answer.map_err(|error| {
            silent(
                format!("the API of `{name}` does not answer: {error}"),
                "check that the machine can reach it, or leave out `--live`",
            )
        })?,
    };
    let home = match describe::managed_by(&folder) {
        None => own.clone(),
        Some(manager) => manager_of(options, &folder, &manager).await?,
    };
    let old = load::load(&Options { spec: Some(other), ..options.clone() }).await?;
    let sides = Sides { home: &home, own: &own };
    let compared = diff_live::compared(&sides, name, &new.render(&facts).await?).await;
    let (is, would) = compared.map_err(|failure| WorkflowError::Input {
        message: format!("the API of `{name}` can't say what would change: {failure}"),
        help: failure.remedy.clone(),
    })?;
    Ok(DiffOutcome {
        cluster: new.name().to_owned(),
        with: format!("the cluster at {}", home.server()),
        refused: refused(&old, new).await?,
        difference: compare(&is, &would),
    })
}

/// The API of the cluster that manages another one.
async fn manager_of(options: &Options, folder: &Folder, manager: &str) -> Result<Api, WorkflowError> {
    let records = Journal::peek(folder)?;
    let failed = |why: String| WorkflowError::Input {
        message: format!("the management cluster `{manager}` of `{}` can't be asked: {why}", folder.name()),
        help: "name its kubeconfig with `--kubeconfig FILE`, or leave out `--live`".into(),
    };
    let path = management::find(options, manager, records.management_kubeconfig());
    let path = path.ok_or_else(|| failed("its kubeconfig is not to be found".to_owned()))?;
    let text = std::fs::read_to_string(&path).map_err(|error| failed(format!("`{}`: {error}", path.display())))?;
    Api::from_kubeconfig(&text).await.map_err(|error| failed(error.to_string()))
}

fn missing(options: &Options, name: &str) -> WorkflowError {
    WorkflowError::Input {
        message: format!("there is no cluster `{name}` in `{}` to compare with", options.directory.display()),
        help: "name another cluster, or a spec with `--against FILE`".into(),
    }
}

/// The spec that a cluster's folder holds, and what preflight found out for it.
fn in_folder(options: &Options, name: &str) -> Result<(SpecInput, Value, String), WorkflowError> {
    let folder = Folder::open(&options.directory, name)?.ok_or_else(|| missing(options, name))?;
    let records = Journal::peek(&folder)?;
    let facts = records.facts().map_or_else(|| json!({}), |(facts, _)| facts.clone());
    for file in [folder.spec_file(), folder::SPEC.to_owned()] {
        if let Some(text) = folder.read(&file)? {
            let place = folder.path_of(&file).display().to_string();
            return Ok((SpecInput::Text { name: place.clone(), text }, facts, place));
        }
    }
    Err(missing(options, name))
}

/// Changes that the provider can't make of a cluster that is there.
async fn refused(old: &Prepared, new: &Prepared) -> Result<Vec<RefusedChange>, WorkflowError> {
    if old.description().name != new.description().name || !new.plugin.has_upgrade() {
        return Ok(Vec::new());
    }
    let compared = new.plugin.compare(&old.spec.provider_documents(), &new.spec.provider_documents()).await;
    let compared = compared.map_err(|e| load::plugin_error(&new.description().name, e))?;
    let refused = compared.into_iter().filter_map(|compared| match compared.verdict {
        Verdict::Refused(reason) => {
            Some(RefusedChange { document: compared.document.to_string(), path: compared.path, reason })
        }
        Verdict::Allowed | Verdict::Rolls(_) => None,
    });
    Ok(refused.collect())
}
