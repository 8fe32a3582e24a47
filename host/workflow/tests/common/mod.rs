//! What the tests share.
#![allow(dead_code)] // Each test binary uses its part.

use std::path::Path;
use std::sync::Arc;

use kedge_bootstrap::existing::Existing;
use kedge_lab::release;
use kedge_workflow::{Options, SpecInput, WorkflowError};

/// The specs of the repository.
pub(crate) const SPECS: [&str; 3] = ["vsphere-ubuntu-stacked.yaml", "vsphere-external-etcd.yaml", "docker.yaml"];

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
