//! The manifests of the reference implementation and ours, object by object and field by field, for every spec of the
//! repository. Each difference is one of those in `tests/compat/rendered.yaml`, with its reason, or a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kedge_lab::release;
use kedge_spec::Source;
use serde_json::Value;

use crate::harness::Sandbox;
use crate::normal::{self, Rendering};
use crate::{peer, succeeds};

/// A difference that is meant.
#[derive(Debug)]
struct Row {
    object: String,
    field: String,
    only_where: String,
    reason: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documents(name: &str, text: &str) -> Vec<Value> {
    kedge_spec::yaml_documents(&Source::new(name, text)).unwrap().into_iter().filter(|d| !d.is_null()).collect()
}

fn rows() -> Vec<Row> {
    let path = repository().join("tests/compat/rendered.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let row = |row: &Value| {
        let field = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("{row} has no {name}")).to_owned();
        let only_where = row["where"].as_str().unwrap_or_default().to_owned();
        Row { object: field("object"), field: field("field"), only_where, reason: field("reason") }
    };
    documents("rendered.yaml", &text)[0].as_array().unwrap().iter().map(row).collect()
}

/// Specs to compare: those of the repository, and those of a folder that `KEDGE_MORE_SPECS` names.
fn specs() -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    let mut folders = vec![repository().join("tests/specs/render")];
    folders.extend(std::env::var_os("KEDGE_MORE_SPECS").map(PathBuf::from));
    for folder in folders {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                all.push((path.file_stem().unwrap().to_string_lossy().into_owned(), path));
            }
        }
    }
    all.sort();
    all
}

/// The embedded release as files, which the reference reads.
fn release_files(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.path().join("release");
    for (path, text) in release::embedded().files() {
        let target = folder.join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, text.replace(release::SCHEME, "")).unwrap();
    }
    folder.join("bundles.yaml")
}

#[test]
fn the_reference_means_the_same() {
    let sandbox = Sandbox::new();
    let bundles = release_files(&sandbox);
    let rows = rows();
    let mut used = BTreeSet::new();
    let mut faults: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut compared = 0;
    for (name, path) in specs() {
        let spec = std::fs::read_to_string(&path).unwrap();
        let theirs = succeeds(peer("referee", &sandbox).env("API_SERVER_EXTRA_ARGS_ENABLED", "true").args([
            "render".as_ref(),
            path.as_os_str(),
            bundles.as_os_str(),
        ]));
        let ours = sandbox.run(["render".as_ref(), "-f".as_ref(), path.as_os_str()]).expect(0).stdout;
        // The same release: there its files have no scheme.
        let ours = ours.replace(release::SCHEME, "");
        let theirs = Rendering::of(documents(&name, &theirs));
        let ours = Rendering::of(documents(&name, &ours));
        compared += ours.objects.len();
        for difference in normal::differences(&theirs, &ours) {
            match rows.iter().position(|row| fits(row, &spec, &difference)) {
                Some(row) => {
                    used.insert(row);
                }
                None => {
                    let what = format!(
                        "{} {}: {} here, {} there",
                        difference.object, difference.field, difference.ours, difference.theirs
                    );
                    faults.entry(what).or_default().insert(name.clone());
                }
            }
        }
    }
    let said: Vec<String> = faults
        .iter()
        .map(|(what, names)| format!("{what} ({})", names.iter().take(3).cloned().collect::<Vec<_>>().join(", ")))
        .collect();
    assert!(faults.is_empty(), "{} differences:\n{}", faults.len(), said.join("\n"));
    let idle: Vec<&Row> = rows.iter().enumerate().filter(|(at, _)| !used.contains(at)).map(|(_, row)| row).collect();
    assert!(idle.is_empty(), "rows that stand for no difference: {idle:#?}");
    assert!(rows.iter().all(|row| row.reason.len() > 20), "a row without a reason");
    assert!(compared > 500, "{compared} objects");
}

fn fits(row: &Row, spec: &str, difference: &normal::Difference) -> bool {
    spec.contains(&row.only_where)
        && (row.object == "*" || row.object == difference.object)
        && glob(&row.field, &difference.field)
}

/// `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            rest.is_empty() || (0..=tail.len()).any(|at| tail.is_char_boundary(at) && glob(rest, &tail[at..]))
        }),
    }
}

#[test]
fn a_difference_is_seen() {
    let one = Rendering::of(documents("a", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n"));
    let other = Rendering::of(documents("b", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '2'}\n"));
    assert_eq!(normal::differences(&one, &other).len(), 1);
    assert!(normal::differences(&one, &one).is_empty());
    let none = Rendering { objects: BTreeMap::new() };
    assert_eq!(normal::differences(&one, &none).len(), 1);
}
