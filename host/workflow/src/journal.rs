//! The journal: what was done with which inputs, one line of JSON each, on the disk before the next thing is begun.
//!
//! It never decides what is done (the world outside does, through postconditions); it remembers what the world can't
//! tell: the inputs of the create, what preflight found out, and how far a run came.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::folder::{Folder, FolderError, JOURNAL};

/// What a run does with a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// It makes it.
    Create,
    /// It removes it.
    Delete,
}

/// Everything that a create depends on, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// The defaulted spec.
    pub spec: String,
    /// The release.
    pub release: String,
    /// The release's name.
    pub release_name: String,
    /// The plugin's component.
    pub plugin: String,
    /// The plugin's name.
    pub plugin_name: String,
    /// The plugin's version.
    pub plugin_version: String,
    /// The Kubernetes version.
    pub kubernetes_version: String,
    /// Where the bootstrap cluster comes from.
    pub bootstrap: String,
    /// The kubeconfig of the management cluster, if another cluster manages this one. A file may move: it decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_kubeconfig: Option<PathBuf>,
    /// Whether everything was made in infrastructure that ended with the process.
    #[serde(default)]
    pub ephemeral: bool,
}

impl Inputs {
    /// The first thing that `now` has otherwise, and how: what, and the difference in words.
    pub fn changed(&self, now: &Self) -> Option<(&'static str, String)> {
        let short = |digest: &str| digest.trim_start_matches("sha256:").chars().take(12).collect::<String>();
        if self.spec != now.spec {
            return Some((
                "the spec",
                format!("it was {} and is {}, both with defaults filled in", short(&self.spec), short(&now.spec)),
            ));
        }
        if self.release != now.release {
            return Some((
                "the release",
                format!(
                    "it was `{}` ({}) and is `{}` ({})",
                    self.release_name,
                    short(&self.release),
                    now.release_name,
                    short(&now.release)
                ),
            ));
        }
        if self.plugin != now.plugin {
            return Some((
                "the plugin",
                format!(
                    "it was `{}` {} ({}) and is `{}` {} ({})",
                    self.plugin_name,
                    self.plugin_version,
                    short(&self.plugin),
                    now.plugin_name,
                    now.plugin_version,
                    short(&now.plugin)
                ),
            ));
        }
        if self.bootstrap != now.bootstrap {
            return Some((
                "where the bootstrap cluster comes from",
                format!("it was the {} and is the {}", self.bootstrap, now.bootstrap),
            ));
        }
        None
    }
}

/// One thing that is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Entry {
    /// A run began, with these inputs.
    Begun {
        /// The inputs.
        inputs: Inputs,
    },
    /// Preflight passed, and found this out.
    Preflight {
        /// What rendering needs to know of the environment.
        facts: Value,
    },
    /// A step began.
    Started {
        /// Its id.
        step: String,
    },
    /// A step is done.
    Done {
        /// Its id.
        step: String,
        /// How long it took, in milliseconds.
        milliseconds: u64,
    },
    /// A step failed.
    Failed {
        /// Its id.
        step: String,
        /// Why.
        message: String,
    },
    /// The run was stopped at a step.
    Interrupted {
        /// Its id.
        step: String,
    },
    /// All steps are done.
    Finished,
    /// What a newer version of this program wrote.
    #[serde(other)]
    Unknown,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// The program's version.
    pub kedge: String,
    /// What the run does.
    pub operation: Operation,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What can go wrong with a journal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It can't be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It can't be written.
    #[error("can't write the journal `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line in its middle is damaged: not by a crash, which only tears the last one.
    #[error("line {line} of the journal `{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// How.
        source: serde_json::Error,
    },
}

impl JournalError {
    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Folder(error) => error.remedy(),
            Self::Write { .. } => {
                "check that there is room on the disk and that the file may be written, then run the same command again"
                    .to_owned()
            }
            Self::Damaged { path, .. } => {
                format!("restore `{}` from a copy; it was changed by something else than this program", path.display())
            }
        }
    }
}

/// The journal of one cluster, open for one run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    version: String,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    records: Vec<Record>,
}

impl Journal {
    /// Opens the journal of a folder that this run has locked. A last line that a crash tore is cut off.
    pub fn open(folder: &Folder, version: &str) -> Result<Self, JournalError> {
        let (file, bytes) = folder.open_appending(JOURNAL)?;
        let path = folder.path_of(JOURNAL);
        let (records, whole) = parse(&bytes, &path)?;
        if whole < bytes.len() {
            let cut = file.set_len(whole as u64).and_then(|()| file.sync_all());
            cut.map_err(|source| JournalError::Write { path: path.clone(), source })?;
        }
        Ok(Self { path, version: version.to_owned(), inner: Mutex::new(Inner { file, records }) })
    }

    /// What the journal of a folder says, without opening it for writing; nothing if there is none.
    pub fn peek(folder: &Folder) -> Result<Vec<Record>, JournalError> {
        let text = folder.read(JOURNAL)?.unwrap_or_default();
        parse(text.as_bytes(), &folder.path_of(JOURNAL)).map(|(records, _)| records)
    }

    /// Remembers something: it is on the disk when this comes back.
    pub fn add(&self, at: Timestamp, operation: Operation, entry: Entry) -> Result<(), JournalError> {
        let record = Record { at, kedge: self.version.clone(), operation, entry };
        let written = serde_json::to_vec(&record).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.file.write_all(&line)?;
            inner.file.sync_data()?;
            inner.records.push(record);
            Ok(())
        });
        written.map_err(|source| JournalError::Write { path: self.path.clone(), source })
    }

    /// All that is remembered, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).records.clone()
    }
}

/// Questions to a journal's records.
pub trait Records {
    /// The inputs that the create goes on with: those of its last beginning. Others are refused once something was touched.
    fn inputs(&self) -> Option<&Inputs>;
    /// Where the kubeconfig of the management cluster was last, if another cluster manages this one.
    fn management_kubeconfig(&self) -> Option<&Path>;
    /// What the last preflight that passed found out, and when.
    fn facts(&self) -> Option<(&Value, Timestamp)>;
    /// Whether a step of an operation ever began.
    fn ever_started(&self, operation: Operation, step: &str) -> bool;
    /// Whether any step but `harmless` ever began: something outside may have been touched.
    fn touched(&self, harmless: &str) -> bool;
    /// Whether the last word on an operation is that it is done.
    fn finished(&self, operation: Operation) -> bool;
    /// The step that was begun last and is not done.
    fn open_step(&self) -> Option<&str>;
}

impl Records for [Record] {
    fn inputs(&self) -> Option<&Inputs> {
        self.iter().rev().filter(|r| r.operation == Operation::Create).find_map(|r| match &r.entry {
            Entry::Begun { inputs } => Some(inputs),
            _ => None,
        })
    }

    fn management_kubeconfig(&self) -> Option<&Path> {
        self.iter().rev().find_map(|r| match &r.entry {
            Entry::Begun { inputs } => inputs.management_kubeconfig.as_deref(),
            _ => None,
        })
    }

    fn facts(&self) -> Option<(&Value, Timestamp)> {
        self.iter().rev().find_map(|r| match &r.entry {
            Entry::Preflight { facts } => Some((facts, r.at)),
            _ => None,
        })
    }

    fn ever_started(&self, operation: Operation, step: &str) -> bool {
        self.iter().any(|r| r.operation == operation && matches!(&r.entry, Entry::Started { step: s } if s == step))
    }

    fn touched(&self, harmless: &str) -> bool {
        self.iter().any(|r| matches!(&r.entry, Entry::Started { step } if step != harmless))
    }

    fn finished(&self, operation: Operation) -> bool {
        self.last().is_some_and(|r| r.operation == operation && r.entry == Entry::Finished)
    }

    fn open_step(&self) -> Option<&str> {
        for record in self.iter().rev() {
            match &record.entry {
                Entry::Started { step } | Entry::Failed { step, .. } | Entry::Interrupted { step } => {
                    return Some(step);
                }
                Entry::Done { .. } | Entry::Finished => return None,
                _ => {}
            }
        }
        None
    }
}

/// A duration for [`Entry::Done`].
pub(crate) fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The records, and how many bytes hold them: what comes after is a torn line.
fn parse(bytes: &[u8], path: &Path) -> Result<(Vec<Record>, usize), JournalError> {
    let mut records = Vec::new();
    let mut whole = 0;
    for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let last = whole + line.len() == bytes.len();
        match serde_json::from_slice(line) {
            Ok(record) if line.ends_with(b"\n") => records.push(record),
            Err(source) if !last => {
                return Err(JournalError::Damaged { path: path.to_owned(), line: index + 1, source });
            }
            _ => break,
        }
        whole += line.len();
    }
    Ok((records, whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Readers;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn inputs() -> Inputs {
        Inputs {
            spec: "sha256:aaaaaaaaaaaaaaaaaaaa".into(),
            release: "sha256:b".into(),
            release_name: "bundles-1".into(),
            plugin: "sha256:c".into(),
            plugin_name: "p".into(),
            plugin_version: "0.1.0".into(),
            kubernetes_version: "v1.31.4".into(),
            bootstrap: "bootstrap service".into(),
            management_kubeconfig: None,
            ephemeral: false,
        }
    }

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        (home, folder)
    }

    #[test]
    fn what_was_added_is_there_after_reopening() {
        let (_home, folder) = folder();
        let journal = Journal::open(&folder, "1.0").unwrap();
        for entry in [
            Entry::Begun { inputs: inputs() },
            Entry::Preflight { facts: serde_json::json!({"a": 1}) },
            Entry::Started { step: "bootstrap-cluster".into() },
        ] {
            journal.add(now(), Operation::Create, entry).unwrap();
        }
        drop(journal);
        let records = Journal::open(&folder, "1.1").unwrap().records();
        assert_eq!(records.len(), 3);
        assert_eq!(records.inputs(), Some(&inputs()));
        assert_eq!(records.facts().unwrap().0["a"], 1);
        assert_eq!(records.open_step(), Some("bootstrap-cluster"));
        assert!(records.ever_started(Operation::Create, "bootstrap-cluster"));
        assert!(!records.ever_started(Operation::Delete, "bootstrap-cluster"));
        assert!(records.touched("setup-validate") && !records.touched("bootstrap-cluster"));
        assert_eq!(records[0].kedge, "1.0");
    }

    #[test]
    fn a_torn_last_line_is_cut_off_wherever_it_tore() {
        let (_home, folder) = folder();
        let journal = Journal::open(&folder, "1.0").unwrap();
        journal.add(now(), Operation::Create, Entry::Started { step: "one".into() }).unwrap();
        drop(journal);
        let good = folder.read(JOURNAL).unwrap().unwrap();
        let second = good.replace("one", "two");
        for torn in 0..second.len() {
            folder.write(JOURNAL, format!("{good}{}", &second[..torn]), Readers::Owner).unwrap();
            assert_eq!(Journal::peek(&folder).unwrap().len(), 1, "torn at {torn}");
            let journal = Journal::open(&folder, "1.0").unwrap();
            assert_eq!(journal.records().len(), 1);
            journal.add(now(), Operation::Create, Entry::Finished).unwrap();
            let records = Journal::open(&folder, "1.0").unwrap().records();
            assert_eq!(records.len(), 2, "torn at {torn}");
            assert!(records.finished(Operation::Create));
        }
    }

    #[test]
    fn damage_in_the_middle_is_not_a_crash() {
        let (_home, folder) = folder();
        let line = r#"{"at":"2026-01-02T03:04:05Z","kedge":"1","operation":"create","entry":"finished"}"#;
        folder.write(JOURNAL, format!("{line}\n{{oops\n{line}\n"), Readers::Owner).unwrap();
        let error = Journal::open(&folder, "1").unwrap_err();
        assert!(matches!(error, JournalError::Damaged { line: 2, .. }), "{error}");
        assert!(error.remedy().contains("journal.jsonl"));
    }

    #[test]
    fn what_a_newer_version_wrote_is_passed_over() {
        let (_home, folder) = folder();
        let line = r#"{"at":"2026-01-02T03:04:05Z","kedge":"9","operation":"create","entry":"celebrated","cake":true}"#;
        folder.write(JOURNAL, format!("{line}\n"), Readers::Owner).unwrap();
        assert_eq!(Journal::open(&folder, "1").unwrap().records()[0].entry, Entry::Unknown);
    }

    #[test]
    fn a_create_that_began_anew_goes_on_with_its_new_inputs() {
        let (_home, folder) = folder();
        let journal = Journal::open(&folder, "1.0").unwrap();
        let anew = Inputs { spec: "sha256:other".into(), ..inputs() };
        for inputs in [inputs(), anew.clone()] {
            journal.add(now(), Operation::Create, Entry::Begun { inputs }).unwrap();
        }
        assert_eq!(journal.records().inputs(), Some(&anew));
    }

    #[test]
    fn where_a_kubeconfig_is_changes_nothing() {
        let (_home, folder) = folder();
        let journal = Journal::open(&folder, "1.0").unwrap();
        for path in ["/a/k", "/b/k"] {
            let managed = Inputs { management_kubeconfig: Some(path.into()), ..inputs() };
            assert_eq!(inputs().changed(&managed), None);
            journal.add(now(), Operation::Create, Entry::Begun { inputs: managed }).unwrap();
        }
        assert_eq!(journal.records().management_kubeconfig(), Some(Path::new("/b/k")));
    }

    type Edit = fn(&mut Inputs);

    #[test]
    fn a_change_of_each_input_is_told() {
        let was = inputs();
        assert_eq!(was.changed(&inputs()), None);
        let edits: [(&str, Edit); 4] = [
            ("the spec", |i| i.spec = "x".into()),
            ("the release", |i| i.release = "x".into()),
            ("the plugin", |i| i.plugin = "x".into()),
            ("where the bootstrap cluster comes from", |i| i.bootstrap = "x".into()),
        ];
        for (what, edit) in edits {
            let mut now = inputs();
            edit(&mut now);
            let (changed, difference) = was.changed(&now).unwrap();
            assert_eq!(changed, what);
            assert!(difference.starts_with("it was "), "{difference}");
        }
    }
}
