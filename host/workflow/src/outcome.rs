//! What commands report when they went well. All of it serializes.

use std::path::PathBuf;

use jiff::Timestamp;
use kedge_cluster_api::render::Difference;
use kedge_spec::provider::Change;
use kedge_spec::{Diagnostic, Severity};
use serde::Serialize;

use crate::event::CheckMark;
use crate::explain::ExplainedObject;

/// A finding with its place, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingReport {
    /// How much it weighs.
    pub severity: Severity,
    /// A stable name.
    pub code: String,
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The field.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<&Diagnostic> for FindingReport {
    fn from(diagnostic: &Diagnostic) -> Self {
        let finding = &diagnostic.finding;
        Self {
            severity: finding.severity,
            code: finding.code.clone(),
            file: diagnostic.file.clone(),
            line: diagnostic.line,
            column: diagnostic.column,
            path: finding.path.clone(),
            message: finding.message.clone(),
            remedy: finding.remedy.clone(),
        }
    }
}

/// The provider plugin that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginReport {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
}

/// A spec that can be used.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateOutcome {
    /// The cluster's name.
    pub cluster: String,
    /// The file.
    pub file: String,
    /// The plugin.
    pub provider: PluginReport,
    /// The release's name.
    pub release: String,
    /// The Kubernetes version that the release makes of the spec's.
    pub kubernetes_version: String,
    /// Warnings and notes.
    pub findings: Vec<FindingReport>,
    /// The same with their source, for people.
    #[serde(skip)]
    pub diagnostics: Vec<Diagnostic>,
    /// What defaulting set or changed.
    pub changes: Vec<Change>,
}

/// One rendered object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderedFile {
    /// A name that sorts in the order of application.
    pub name: String,
    /// The object as YAML.
    pub yaml: String,
}

/// The manifests of a spec.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderOutcome {
    /// The cluster's name.
    pub cluster: String,
    /// All objects as one YAML text with a document each.
    pub yaml: String,
    /// The objects one by one.
    pub files: Vec<RenderedFile>,
}

/// How a preflight check went.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Its stable id.
    pub id: String,
    /// The line for a pass.
    pub title: String,
    /// The document it is about, `KIND/NAME`; empty for the spec as a whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// How it went.
    pub outcome: CheckMark,
    /// What should be there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What is there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What to do now: the remedies of the findings.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// From the result before it, or from the start, to this one: milliseconds. Checks share what they ask, so a result
    /// may have been waiting for its turn.
    pub duration_ms: u64,
    /// Why it failed or warned.
    pub findings: Vec<FindingReport>,
    /// A pass is worth no line of the workflow.
    #[serde(skip)]
    pub quiet: bool,
}

impl CheckReport {
    /// Why it did not pass, in one sentence.
    pub fn reason(&self) -> String {
        if let Some(finding) = self.findings.first() {
            return finding.message.clone();
        }
        if let Some(why) = &self.skipped {
            return why.clone();
        }
        match (self.expected.as_str(), self.found.as_str()) {
            ("", "") => format!("`{}` did not pass", self.title),
            (expected, "") => format!("expected {expected}"),
            ("", found) => format!("found {found}"),
            (expected, found) => format!("expected {expected}, found {found}"),
        }
    }

    /// Sentences for people: what is wrong, and what to do.
    pub fn details(&self) -> Vec<String> {
        let mut details = vec![self.reason()];
        for finding in &self.findings {
            if finding.message != details.first().map_or("", String::as_str) {
                details.push(finding.message.clone());
            }
            if finding.line > 0 && !finding.path.is_empty() {
                details.push(format!("{}:{}:{} ({})", finding.file, finding.line, finding.column, finding.path));
            }
            if !finding.remedy.is_empty() {
                details.push(finding.remedy.clone());
            }
        }
        details
    }
}

/// An environment that the cluster can be made in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreflightOutcome {
    /// The cluster's name.
    pub cluster: String,
    /// Every check, in order.
    pub checks: Vec<CheckReport>,
}

/// A step that is done or would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Its stable id.
    pub id: String,
    /// What it does.
    pub title: String,
    /// In words, what it would touch.
    pub touches: Vec<String>,
}

/// A cluster that is there, or that would be made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateOutcome {
    /// The cluster's name.
    pub cluster: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its kubeconfig.
    pub kubeconfig: PathBuf,
    /// Whether an earlier run had made it.
    pub already: bool,
    /// Whether this was a dry run, and nothing was made.
    pub dry_run: bool,
    /// The steps that were done, or that a dry run would do.
    pub steps: Vec<PlannedStep>,
    /// Preflight checks.
    pub checks: Vec<CheckReport>,
}

/// A cluster that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteOutcome {
    /// The cluster's name.
    pub cluster: String,
    /// What was removed, in words.
    pub removed: Vec<String>,
}

/// How far a cluster is, from its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterState {
    /// Its create is done.
    Created,
    /// Its create stopped on the way, and the same command goes on.
    Unfinished,
    /// Its create or delete runs now.
    InProgress,
    /// Its delete stopped on the way, and the same command goes on.
    HalfDeleted,
    /// The folder has a spec and no journal: this program did not make it.
    Foreign,
}

/// A cluster in the list of clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: ClusterState,
    /// The provider's name, as far as it is known.
    pub provider: Option<String>,
    /// Its Kubernetes version, as far as it is known.
    pub kubernetes_version: Option<String>,
    /// The last step that began, for one that is not done.
    pub step: Option<String>,
    /// When something was last done with it.
    pub changed: Option<Timestamp>,
    /// Whether its API answers; nothing if it has no kubeconfig.
    pub api: Option<bool>,
    /// Its folder.
    pub folder: PathBuf,
}

/// A condition of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionReport {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// In words.
    pub message: String,
}

/// An object and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectNode {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its summary in a few words: phase, replicas.
    pub summary: String,
    /// Its conditions.
    pub conditions: Vec<ConditionReport>,
    /// What belongs to it.
    pub children: Vec<ObjectNode>,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// `control-plane` or nothing.
    pub roles: Vec<String>,
    /// The kubelet's version.
    pub version: String,
}

/// What is known of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeOutcome {
    /// What the list of clusters says of it.
    #[serde(flatten)]
    pub summary: ClusterSummary,
    /// Its API server.
    pub server: Option<String>,
    /// Where its Cluster API objects are: `itself`, `bootstrap cluster`, ``management cluster `NAME` ``.
    pub managed_by: Option<String>,
    /// The objects, from the Cluster down; none if no API answered.
    pub tree: Option<ObjectNode>,
    /// Its nodes.
    pub nodes: Vec<NodeReport>,
    /// What could not be found out, and why.
    pub gaps: Vec<String>,
}

/// A JSON Schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SchemaOutcome {
    /// The schema, of a kind or of a whole file.
    pub schema: serde_json::Value,
}

/// A spec to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateOutcome {
    /// The spec, YAML with comments.
    pub yaml: String,
}

/// What `diff` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffOutcome {
    /// The cluster of the new spec.
    pub cluster: String,
    /// What it was compared with.
    pub with: String,
    /// Objects, fields and machines.
    #[serde(flatten)]
    pub difference: Difference,
    /// Changes that can't be made of a cluster that is there.
    pub refused: Vec<RefusedChange>,
}

/// A change that can't be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedChange {
    /// Kind and name of the document.
    pub document: String,
    /// The field.
    pub path: String,
    /// Why not.
    pub reason: String,
}

/// Where the manifests come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainOutcome {
    /// The cluster.
    pub cluster: String,
    /// Object by object, in the order of the manifests.
    pub objects: Vec<ExplainedObject>,
}
