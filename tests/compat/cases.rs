//! The case tables: small changes of good specs, and what EKS Anywhere and kedge make of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kedge_spec::{Source, yaml_documents};
use serde::Deserialize;

/// What becomes of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// It is taken as it is.
    Accepts,
    /// It is taken, and something is said about it.
    Warns,
    /// It is taken, and what is wrong shows later: in the checks of the environment, or in a cluster that does not come up.
    Late,
    /// It is refused before anything is touched.
    Rejects,
}

impl Decision {
    pub(crate) fn is_taken(self) -> bool {
        self != Self::Rejects
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Accepts => "accepted",
            Self::Warns => "accepted, with a warning",
            Self::Late => "accepted, fails later",
            Self::Rejects => "rejected",
        }
    }
}

/// A text that stands in the base, and what takes its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// One row.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Case {
    /// What is written.
    pub(crate) what: String,
    /// The spec that is changed: a file of `base`, without its ending.
    #[serde(default = "usual")]
    pub(crate) base: String,
    /// Changes of it, all of which have to apply.
    #[serde(default)]
    pub(crate) change: Vec<Change>,
    /// The field and its value, put in front of the Cluster's `datacenterRef`.
    #[serde(default)]
    pub(crate) spec: String,
    /// The same in front of the control plane's count.
    #[serde(default)]
    pub(crate) control_plane: String,
    /// The same in front of the first worker node group's count.
    #[serde(default)]
    pub(crate) workers: String,
    /// The same in front of the datastore of the workers' machines.
    #[serde(default)]
    pub(crate) machine: String,
    /// The same in front of the vCenter's datacenter.
    #[serde(default)]
    pub(crate) datacenter: String,
    /// Documents that are added.
    #[serde(default)]
    pub(crate) add: String,
    /// How the whole text is changed after that.
    #[serde(default)]
    pub(crate) text: Option<Text>,
    /// What EKS Anywhere makes of it.
    pub(crate) eks_anywhere: Decision,
    /// What kedge makes of it.
    pub(crate) kedge: Decision,
    /// Codes of findings that have to be among what kedge says.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// Why the two differ; has to be there if they do.
    #[serde(default)]
    pub(crate) why: String,
}

/// Changes of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Text {
    /// Lines end as on Windows.
    Crlf,
    /// A byte order mark stands first.
    Bom,
    /// Each document is JSON.
    Json,
}

fn usual() -> String {
    "vsphere".to_owned()
}

/// A table of decisions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) about: String,
    pub(crate) cases: Vec<Case>,
}

/// Where the tables are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/compat")
}

/// The files of a folder below the tables' with an ending, in order.
fn files(below: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join(below))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files
}

/// The first document of a file, typed.
fn typed<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).expect("it can be read");
    let documents = yaml_documents(&Source::new(path.display().to_string(), text));
    let document = documents.unwrap_or_else(|e| panic!("{e}")).into_iter().next();
    serde_json::from_value(document.expect("it holds a document")).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The tables of decisions.
pub(crate) fn tables() -> Vec<Table> {
    files("decisions").iter().map(|path| typed(path)).collect()
}

/// The differences of manifests that are meant.
pub(crate) fn differences<T: for<'de> Deserialize<'de>>() -> Vec<T> {
    let path = folder().join("rendered.yaml");
    if path.is_file() { typed(&path) } else { Vec::new() }
}

/// The good specs by name.
pub(crate) fn bases() -> BTreeMap<String, String> {
    files("base")
        .into_iter()
        .map(|path| {
            let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("it can be read"))
        })
        .collect()
}

impl Case {
    /// The spec of a case.
    pub(crate) fn text(&self, bases: &BTreeMap<String, String>) -> String {
        let mut text = bases.get(&self.base).unwrap_or_else(|| panic!("{}: no base {}", self.what, self.base)).clone();
        for Change { from, to } in &self.change {
            assert!(text.contains(from.as_str()), "{}: the base has no {from:?}", self.what);
            text = text.replacen(from.as_str(), to, 1);
        }
        for (block, before, last) in [
            (&self.spec, "  datacenterRef:\n", false),
            (&self.control_plane, "    count: 3\n", false),
            (&self.workers, "    count: ", false),
            (&self.machine, "  datastore: ", true),
            (&self.datacenter, "  datacenter: ", false),
        ] {
            if block.is_empty() {
                continue;
            }
            let indent = before.len() - before.trim_start().len();
            let from = if std::ptr::eq(block, &self.workers) {
                text.find("workerNodeGroup").expect("there are some")
            } else {
                0
            };
            let rest = &text[from..];
            let at = if last { rest.rfind(before) } else { rest.find(before) };
            let at = from + at.unwrap_or_else(|| panic!("{}: the base has no {before:?}", self.what));
            let indented: String = block.lines().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect();
            text.insert_str(at, &indented);
        }
        if !self.add.is_empty() {
            text.push_str("---\n");
            text.push_str(&self.add);
        }
        match self.text {
            None => text,
            Some(Text::Crlf) => text.replace('\n', "\r\n"),
            Some(Text::Bom) => format!("\u{feff}{text}"),
            Some(Text::Json) => {
                let documents = yaml_documents(&Source::new("base", text)).expect("the base can be read");
                let parts: Vec<String> = documents.iter().map(|d| format!("{d:#}")).collect();
                format!("{}\n", parts.join("\n---\n"))
            }
        }
    }
}
