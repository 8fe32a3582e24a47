//! `docs/compatibility.md`, written.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::cases::{Case, folder};
use crate::decide::Outcome;

/// Set to write the page anew where it differs.
const UPDATE: &str = "KEDGE_UPDATE_DOCS";

/// A difference of manifests that is meant: the test with real peers finds no others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// A kind; `*` is any.
    pub(crate) object: String,
    /// A path in which `*` stands for anything, or the name of an object that the other side does not have.
    pub(crate) field: String,
    /// What a spec has to hold for it.
    #[serde(default, rename = "where")]
    pub(crate) only_where: String,
    /// Why.
    pub(crate) reason: String,
}

pub(crate) struct Page {
    text: String,
}

impl Page {
    pub(crate) fn new() -> Self {
        let text = "# Compatibility with EKS Anywhere\n\n\
            <!-- Written by `cargo test -p kedge --test compat` from tests/compat; with KEDGE_UPDATE_DOCS=1 it writes this file anew. -->\n\n\
            What kedge makes of specs, beside what EKS Anywhere (v0.26) makes of them. Each row is a spec that the test takes the whole\n\
            way of `kedge validate`; it fails if kedge decides or says anything else, and if this page is not what it would write.\n\
            Where EKS Anywhere stops at the first thing that is wrong, kedge says all of them, each with its line and what to do.\n";
        Self { text: text.to_owned() }
    }

    pub(crate) fn section(&mut self, title: &str, about: &str) {
        let _ = write!(self.text, "\n## {title}\n\n");
        if !about.is_empty() {
            let _ = write!(self.text, "{}\n\n", about.trim());
        }
        self.text.push_str("| What is written | EKS Anywhere | kedge | kedge says | Why it differs |\n| --- | --- | --- | --- | --- |\n");
    }

    pub(crate) fn decision(&mut self, case: &Case, outcome: &Outcome) {
        let said = outcome.said.iter().find(|(code, _)| case.says.contains(code));
        let said = said.map(|(code, message)| format!("{message} [{code}]")).unwrap_or_default();
        let row = [&case.what, case.eks_anywhere.words(), outcome.decision.words(), &said, &case.why].map(cell);
        let _ = writeln!(self.text, "| {} |", row.join(" | "));
    }

    pub(crate) fn rendered(&mut self, differences: &[Difference]) {
        if differences.is_empty() {
            return;
        }
        self.text.push_str(
            "\n## Manifests\n\n\
            Where the manifests of an accepted spec differ from EKS Anywhere's. The test with the real peers renders specs with its own code, compares\n\
            object by object, and fails on any difference that does not stand here.\n\n\
            | Object | Field, or the object's name | Why it differs |\n| --- | --- | --- |\n",
        );
        for Difference { object, field, only_where, reason } in differences {
            let (object, mut field) = (format!("`{object}`"), format!("`{field}`"));
            if !only_where.is_empty() {
                let _ = write!(field, ", where the spec has `{}`", only_where.trim_end_matches(':'));
            }
            let row = [object.as_str(), &field, reason].map(cell);
            let _ = writeln!(self.text, "| {} |", row.join(" | "));
        }
    }

    /// Whether the page is what it should be. Writes it where that is asked for.
    pub(crate) fn check(&self) {
        let path = folder().join("../../docs/compatibility.md");
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, &self.text).expect("it can be written");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == self.text,
            "{} is not what the tables make; {UPDATE}=1 writes it anew{}",
            shown(&path),
            difference(&there, &self.text)
        );
    }
}

fn shown(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn difference(there: &str, wanted: &str) -> String {
    let mut lines = there.lines().zip(wanted.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((number, (a, b))) => format!("; line {}:\n- {a}\n+ {b}", number + 1),
        None => format!("; it has {} lines, not {}", there.lines().count(), wanted.lines().count()),
    }
}

/// The text of a cell: one line, and no bar that would end it.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
