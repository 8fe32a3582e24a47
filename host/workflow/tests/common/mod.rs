//! What the tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::format_push_string)]
#![allow(dead_code)] // Each test binary uses its part.

use std::path::Path;
use std::sync::Arc;

use kedge_bootstrap::existing::Existing;
use kedge_lab::release;
use kedge_workflow::{Options, SpecInput, WorkflowError};

/// A spec of the repository: what it is for tells it apart, not whose machines it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The smallest one, with external etcd on machines without documents of their own.
    Small,
    /// Machines with documents, etcd on the control plane.
    Stacked,
    /// Machines with documents, external etcd.
    External,
}

/// The file name of a spec.
pub(crate) fn spec(wanted: Wanted) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/specs");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|e| e == "yaml"))
        .collect();
    names.sort();
    let fits = |name: &&String| {
        let text = spec_text(name);
        match (text.contains("machineGroupRef"), text.contains("externalEtcdConfiguration")) {
            (false, true) => wanted == Wanted::Small,
            (true, false) => wanted == Wanted::Stacked,
            (true, true) => wanted == Wanted::External,
            (false, false) => false,
        }
    };
    names.iter().find(fits).unwrap_or_else(|| panic!("no spec is {wanted:?}")).clone()
}

/// All of them.
pub(crate) const ALL: [Wanted; 3] = [Wanted::Small, Wanted::Stacked, Wanted::External];

pub(crate) fn spec_text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/specs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Options with the embedded release.
pub(crate) fn options(home: &Path, name: &str, spec: &str) -> Options {
    let mut options = Options::new(home, format!("{}bundles.yaml", release::SCHEME));
    options.embedded = release::embedded()
        .files()
        .map(|(path, text)| (format!("{}{path}", release::SCHEME), text.to_owned()))
        .collect();
    options.spec = Some(SpecInput::Text { name: name.to_owned(), text: spec.to_owned() });
    options
}

/// A cluster that nobody answers for.
pub(crate) fn existing() -> Arc<Existing> {
    let kubeconfig = "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\n";
    Arc::new(Existing::new("the test", kubeconfig).unwrap())
}

/// All that an error says.
pub(crate) fn words(error: &WorkflowError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!("\n  because: {error}"));
        cause = error.source();
    }
    for d in error.diagnostics() {
        text.push_str(&format!(
            "\n  {}:{}:{} [{}] {} ({})",
            d.file, d.line, d.column, d.finding.code, d.finding.message, d.finding.remedy
        ));
    }
    if let Some(help) = error.help_text() {
        text.push_str(&format!("\n  help: {help}"));
    }
    text
}
