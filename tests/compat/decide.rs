//! What kedge makes of a spec: the whole way of `kedge validate`, with the built-in plugins and the carried release.

use std::collections::{BTreeMap, BTreeSet};

use kedge_spec::Diagnostic;
use kedge_workflow::{Options, Silent, SpecInput, WorkflowError, commands};

use crate::cases::{Case, Decision};

/// A decision and what was said with it: code and message.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    pub(crate) said: Vec<(String, String)>,
}

/// Decides.
pub(crate) struct Judge {
    runtime: tokio::runtime::Runtime,
    options: Options,
    _cache: tempfile::TempDir,
}

impl Judge {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let scheme = kedge_lab::release::SCHEME;
        let cache = tempfile::tempdir().expect("a folder");
        let mut options = Options::new(cache.path(), format!("{scheme}bundles.yaml"));
        options.embedded = kedge_lab::release::embedded()
            .files()
            .map(|(path, text)| (format!("{scheme}{path}"), text.to_owned()))
            .collect();
        options.plugin_cache = Some(cache.path().join("plugins"));
        Self { runtime, options, _cache: cache }
    }

    /// With `--strict`.
    pub(crate) fn strict() -> Self {
        let mut judge = Self::new();
        judge.options.strict = true;
        judge
    }

    fn diagnostics(&self, text: &str) -> (bool, Vec<Diagnostic>) {
        let mut options = self.options.clone();
        options.spec = Some(SpecInput::Text { name: "cluster.yaml".into(), text: text.to_owned() });
        match self.runtime.block_on(commands::validate(&options, &Silent)) {
            Ok(outcome) => (true, outcome.diagnostics),
            Err(WorkflowError::Rejected { diagnostics, .. }) => (false, diagnostics),
            Err(error) => panic!("that is no decision: {error}\n{text}"),
        }
    }

    /// What is said about a spec, by code and path.
    pub(crate) fn codes(&self, text: &str) -> BTreeSet<(String, String)> {
        let (_, diagnostics) = self.diagnostics(text);
        diagnostics.into_iter().map(|d| (d.finding.code, d.finding.path)).collect()
    }

    /// What kedge makes of a text. What it `usual`ly says about its base does not count.
    pub(crate) fn judge(&self, text: &str, usual: &BTreeSet<(String, String)>) -> Outcome {
        let (taken, diagnostics) = self.diagnostics(text);
        let new = |d: &&Diagnostic| d.is_error() || !usual.contains(&(d.finding.code.clone(), d.finding.path.clone()));
        let errors_first = |d: &Diagnostic| !d.is_error();
        let mut said: Vec<&Diagnostic> = diagnostics.iter().filter(new).collect();
        said.sort_by_key(|d| errors_first(d));
        let decision = match (taken, said.is_empty()) {
            (false, _) => Decision::Rejects,
            (true, false) => Decision::Warns,
            (true, true) => Decision::Accepts,
        };
        Outcome {
            decision,
            said: said.into_iter().map(|d| (d.finding.code.clone(), d.finding.message.clone())).collect(),
        }
    }

    pub(crate) fn case(
        &self,
        case: &Case,
        bases: &BTreeMap<String, String>,
        usual: &BTreeMap<String, BTreeSet<(String, String)>>,
    ) -> Outcome {
        self.judge(&case.text(bases), &usual[&case.base])
    }
}
