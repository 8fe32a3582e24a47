//! Reports as people read them.

use std::fmt::Write as _;
use std::path::Path;

use kedge_lab::Connection;
use kedge_spec::Diagnostic;
use kedge_workflow::outcome::{
    ClusterState, ClusterSummary, CreateOutcome, DescribeOutcome, FindingReport, ObjectNode, ValidateOutcome,
};

use crate::printer::Printer;

mod audit;
mod manifests;
mod moved;
mod plugins;
mod table;

pub(crate) use audit::{audit, verified};
pub(crate) use manifests::{differences, explained};
pub(crate) use moved::moved;
pub(crate) use plugins::{inspected, plugins, replayed};

/// Findings for programs.
pub(crate) fn findings(diagnostics: &[Diagnostic]) -> Vec<FindingReport> {
    diagnostics.iter().map(FindingReport::from).collect()
}

/// What `validate` says of a good spec.
pub(crate) fn validated(outcome: &ValidateOutcome) -> String {
    let mut text = String::new();
    for change in &outcome.changes {
        let _ = writeln!(text, "{} {} {}: {}", change.document.kind, change.document.name, change.path, change.reason);
    }
    let _ = writeln!(
        text,
        "{}: the spec of `{}` is valid (provider {} {}, Kubernetes {}, release {})",
        outcome.file,
        outcome.cluster,
        outcome.provider.name,
        outcome.provider.version,
        outcome.kubernetes_version,
        outcome.release
    );
    text
}

/// What a dry run would do.
pub(crate) fn planned(outcome: &CreateOutcome) -> String {
    let mut text = format!("A create of `{}` would do this; nothing was touched:\n", outcome.cluster);
    for (number, step) in outcome.steps.iter().enumerate() {
        let _ = writeln!(text, "{:>3}. {}", number + 1, step.title);
        for touched in &step.touches {
            let _ = writeln!(text, "       {touched}");
        }
    }
    text
}

/// What a create leaves behind, beside its lines.
pub(crate) fn created(printer: &Printer, outcome: &CreateOutcome, ended: bool) {
    if outcome.already {
        printer.note(&format!("`{}` is there already, and as its spec has it: nothing to do", outcome.cluster));
    }
    printer.note(&format!("the cluster's folder is `{}`", outcome.folder.display()));
    if ended {
        printer.note("the lab has ended, and the simulated cluster with it; `kedge lab serve --create` keeps one to look around in");
    } else {
        printer.note(&format!("look around with: kubectl --kubeconfig {} get nodes", outcome.kubeconfig.display()));
    }
}

/// The list of clusters.
pub(crate) fn clusters(clusters: &[ClusterSummary]) -> String {
    let mut rows = vec![vec![
        "NAME".to_owned(),
        "STATE".into(),
        "PROVIDER".into(),
        "KUBERNETES".into(),
        "API".into(),
        "CHANGED".into(),
    ]];
    for cluster in clusters {
        rows.push(vec![
            cluster.name.clone(),
            state(cluster),
            cluster.provider.clone().unwrap_or_else(|| "-".into()),
            cluster.kubernetes_version.clone().unwrap_or_else(|| "-".into()),
            match cluster.api {
                Some(true) => "answers".into(),
                Some(false) => "does not answer".into(),
                None => "-".into(),
            },
            cluster.changed.map_or_else(|| "-".into(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()),
        ]);
    }
    table::table(&rows)
}

fn state(cluster: &ClusterSummary) -> String {
    let word = match cluster.state {
        ClusterState::Created => "created",
        ClusterState::Unfinished => "unfinished",
        ClusterState::InProgress => "in progress",
        ClusterState::HalfDeleted => "half deleted",
        ClusterState::Foreign => "not made by kedge",
    };
    match &cluster.step {
        Some(step) if cluster.state != ClusterState::Created => format!("{word} (at {step})"),
        _ => word.to_owned(),
    }
}

/// A cluster and what it is made of.
pub(crate) fn described(outcome: &DescribeOutcome) -> String {
    let summary = &outcome.summary;
    let mut rows = vec![
        vec!["Cluster".to_owned(), summary.name.clone()],
        vec!["State".into(), state(summary)],
        vec!["Provider".into(), summary.provider.clone().unwrap_or_else(|| "unknown".into())],
        vec!["Kubernetes".into(), summary.kubernetes_version.clone().unwrap_or_else(|| "unknown".into())],
        vec!["Folder".into(), summary.folder.display().to_string()],
    ];
    if let Some(server) = &outcome.server {
        rows.push(vec!["API server".into(), server.clone()]);
    }
    if let Some(by) = &outcome.managed_by {
        rows.push(vec!["Managed by".into(), by.clone()]);
    }
    let mut text = table::table(&rows);
    if let Some(tree) = &outcome.tree {
        text.push('\n');
        object(&mut text, tree, "", "");
    }
    if !outcome.nodes.is_empty() {
        let mut rows = vec![vec!["NODE".to_owned(), "READY".into(), "ROLES".into(), "VERSION".into()]];
        for node in &outcome.nodes {
            let roles = if node.roles.is_empty() { "-".to_owned() } else { node.roles.join(",") };
            rows.push(vec![
                node.name.clone(),
                if node.ready { "yes".into() } else { "no".into() },
                roles,
                node.version.clone(),
            ]);
        }
        text.push('\n');
        text.push_str(&table::table(&rows));
    }
    for gap in &outcome.gaps {
        let _ = writeln!(text, "\nnot known: {gap}");
    }
    text
}

fn object(text: &mut String, node: &ObjectNode, lead: &str, below: &str) {
    let _ = write!(text, "{lead}{}/{}", node.kind, node.name);
    if !node.summary.is_empty() {
        let _ = write!(text, "  {}", node.summary);
    }
    text.push('\n');
    // Good news is short: only what does not hold is spelled out.
    for condition in node.conditions.iter().filter(|c| c.status != "True" && !c.message.is_empty()) {
        let _ = writeln!(
            text,
            "{below}    {} is {}: {}",
            condition.kind,
            condition.status,
            condition.message.replace('\n', "; ")
        );
    }
    for (index, child) in node.children.iter().enumerate() {
        let last = index + 1 == node.children.len();
        let (mark, indent) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        object(text, child, &format!("{below}{mark}"), &format!("{below}{indent}"));
    }
}

/// What `lab serve` says when the lab is there.
pub(crate) fn lab_up(specs: &[&Path], connection_file: &Path, connection: &Connection) -> String {
    let mut text = "The lab is up: simulated infrastructure, nothing in it is real\n".to_owned();
    for (server, at) in &connection.endpoints {
        let _ = writeln!(text, "{server} is at https://{}; for govc:", at.address);
        let mut exports = format!("  export GOVC_URL=https://{} GOVC_INSECURE=true", at.address);
        for (variable, value) in &connection.credentials {
            let name = if variable.ends_with("_USERNAME") { "GOVC_USERNAME" } else { "GOVC_PASSWORD" };
            let _ = write!(exports, " {name}='{value}'");
        }
        let _ = writeln!(text, "{exports}");
    }
    for spec in specs {
        let _ = writeln!(
            text,
            "create the cluster in it: kedge create cluster -f {} --lab={}",
            spec.display(),
            connection_file.display()
        );
    }
    text
}
