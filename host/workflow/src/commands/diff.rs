//! What another spec would change.

use kedge_cluster_api::render::compare;
use kedge_spec::provider::Verdict;
use serde_json::{Value, json};

use crate::error::WorkflowError;
use crate::event::Reporter;
use crate::folder::{self, Folder};
use crate::journal::{Journal, Records};
use crate::load::{self, Prepared};
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
}

/// Compares the manifests of a spec with those of another one, or of a cluster. Both are rendered by this program, with the
/// same release.
pub async fn diff(options: &Options, against: Against, reporter: &dyn Reporter) -> Result<DiffOutcome, WorkflowError> {
    let new = load::load(options).await?;
    super::offline::warn(&new, reporter);
    let (other, facts, with) = match against {
        Against::Spec(input) => {
            let with = match &input {
                SpecInput::File(path) => path.display().to_string(),
                SpecInput::Text { name, .. } => name.clone(),
            };
            (input, json!({}), with)
        }
        Against::Cluster(name) => in_folder(options, &name)?,
        Against::Itself => in_folder(options, new.name())?,
    };
    let old = load::load(&Options { spec: Some(other), ..options.clone() }).await?;
    let difference = compare(&old.render(&facts).await?, &new.render(&facts).await?);
    Ok(DiffOutcome { cluster: new.name().to_owned(), with, refused: refused(&old, &new).await?, difference })
}

/// The spec that a cluster's folder holds, and what preflight found out for it.
fn in_folder(options: &Options, name: &str) -> Result<(SpecInput, Value, String), WorkflowError> {
    let missing = || WorkflowError::Input {
        message: format!("there is no cluster `{name}` in `{}` to compare with", options.directory.display()),
        help: "name another cluster, or a spec with `--against FILE`".into(),
    };
    let folder = Folder::open(&options.directory, name)?.ok_or_else(missing)?;
    let records = Journal::peek(&folder)?;
    let facts = records.facts().map_or_else(|| json!({}), |(facts, _)| facts.clone());
    for file in [folder.spec_file(), folder::SPEC.to_owned()] {
        if let Some(text) = folder.read(&file)? {
            let place = folder.path_of(&file).display().to_string();
            return Ok((SpecInput::Text { name: place.clone(), text }, facts, place));
        }
    }
    Err(missing())
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
