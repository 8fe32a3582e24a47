//! Commands that touch nothing.

use std::sync::Arc;

use serde_json::Value;

use crate::error::WorkflowError;
use crate::event::{Reporter, ReporterExt};
use crate::explain;
use crate::folder::Folder;
use crate::gitops;
use crate::journal::{Journal, Operation, Records};
use crate::load::{self, Prepared};
use crate::management;
use crate::networking::Cni;
use crate::options::Options;
use crate::outcome::{ExplainOutcome, FindingReport, PreflightOutcome, RenderOutcome, RenderedFile, ValidateOutcome};
use crate::preflight as checks;
use crate::steps::id;

/// Checks a spec without looking at the environment: parse, defaults, static checks. All findings come at once, as
/// [`WorkflowError::Rejected`] if the spec can't be used.
pub async fn validate(options: &Options, _reporter: &dyn Reporter) -> Result<ValidateOutcome, WorkflowError> {
    let prepared = load::load(options).await?;
    Ok(ValidateOutcome {
        cluster: prepared.name().to_owned(),
        file: prepared.spec.source().name.clone(),
        provider: prepared.plugin_report(),
        release: prepared.release.name().to_owned(),
        kubernetes_version: prepared.view.kubernetes_version.clone(),
        findings: prepared.findings.iter().map(FindingReport::from).collect(),
        changes: prepared.spec.changes().to_vec(),
        diagnostics: prepared.findings,
    })
}

/// Renders the Cluster API manifests. Nothing is asked of the environment, so what only preflight can find out is left
/// as the provider leaves it without that.
pub async fn render(options: &Options, reporter: &dyn Reporter) -> Result<RenderOutcome, WorkflowError> {
    let prepared = load::load(options).await?;
    warn(&prepared, reporter);
    let manifests = prepared.render(&Value::Null).await?;
    let files = manifests.files().into_iter().map(|(name, yaml)| RenderedFile { name, yaml }).collect();
    Ok(RenderOutcome { cluster: prepared.name().to_owned(), yaml: manifests.to_yaml(), files })
}

/// Says of each field of the manifests where it comes from. Costs a rendering for each field of the spec.
pub async fn explain(options: &Options, reporter: &dyn Reporter) -> Result<ExplainOutcome, WorkflowError> {
    let prepared = load::load(options).await?;
    warn(&prepared, reporter);
    Ok(ExplainOutcome { cluster: prepared.name().to_owned(), objects: explain::explain(&prepared).await? })
}

/// Checks the environment that a spec names. Failed checks come as [`WorkflowError::Preflight`].
pub async fn preflight(options: &Options, reporter: &dyn Reporter) -> Result<PreflightOutcome, WorkflowError> {
    let prepared = load::load(options).await?;
    warn(&prepared, reporter);
    let secrets = prepared.secrets(options);
    prepared.require_secrets(&secrets)?;
    Cni::of(&prepared, options)?;
    let records = match Folder::open(&options.directory, prepared.name())? {
        Some(folder) => Journal::peek(&folder)?,
        None => Vec::new(),
    };
    // A cluster that will manage itself needs nobody for its checks.
    let ground = if prepared.cluster().is_self_managed() {
        None
    } else {
        Some(management::ground(options, &prepared, records.management_kubeconfig())?)
    };
    let begun = records.ever_started(Operation::Create, id::WORKLOAD);
    let environment = prepared.environment(options, Arc::new(secrets))?;
    let checked = checks::run(&prepared, options, &environment, ground.as_ref(), begun, reporter).await?;
    let committed = records.ever_started(Operation::Create, id::GITOPS);
    gitops::check(&prepared, options, committed).await?;
    Ok(PreflightOutcome { cluster: prepared.name().to_owned(), checks: checked.checks })
}

/// Says what is not quite right with a spec that can be used.
pub(super) fn warn(prepared: &Prepared, reporter: &dyn Reporter) {
    for diagnostic in prepared.findings.iter().filter(|d| d.finding.severity == kedge_spec::Severity::Warning) {
        let place = format!("{}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
        reporter.warning(format!("{place}: {}", diagnostic.finding.message));
    }
}
