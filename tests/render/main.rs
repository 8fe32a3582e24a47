//! The manifests of the specs in `tests/specs`: reviewed snapshots, what holds for every spec, and a server-side dry run.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected ends, and says where"
)]

mod coverage;
mod diff;
mod dry_run;
mod explain;
mod properties;
mod snapshots;

use std::path::{Path, PathBuf};

use kedge_lab::release;
use kedge_workflow::load::{self, Prepared};
use kedge_workflow::{Options, SpecInput};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/specs")
}

/// Every spec of the repository, by its name without an ending.
fn specs() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for folder in [folder(), folder().join("render")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                all.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

fn spec(name: &str) -> String {
    specs().into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("there is no spec {name}")).1
}

/// Options with the embedded release, which touch nothing but a folder of their own.
fn options(home: &Path, name: &str, text: &str) -> Options {
    let mut options = Options::new(home, format!("{}bundles.yaml", release::SCHEME));
    options.embedded = release::embedded()
        .files()
        .map(|(path, text)| (format!("{}{path}", release::SCHEME), text.to_owned()))
        .collect();
    options.spec = Some(SpecInput::Text { name: format!("{name}.yaml"), text: text.to_owned() });
    options
}

/// A spec that is ready to be rendered.
async fn prepared(name: &str, text: &str) -> Prepared {
    let home = tempfile::tempdir().unwrap();
    match load::load(&options(home.path(), name, text)).await {
        Ok(prepared) => prepared,
        Err(error) => {
            let said: Vec<String> =
                error.diagnostics().iter().map(|d| format!("{}:{} {}", d.line, d.column, d.finding.message)).collect();
            panic!("{name}: {error}\n{}", said.join("\n"))
        }
    }
}
