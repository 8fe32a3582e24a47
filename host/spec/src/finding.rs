//! Findings: what there is to say about a spec, each with its place in the document and a remedy.

use serde::{Deserialize, Serialize};

/// Names one document of the spec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: String,
    /// Its `metadata.name`.
    pub name: String,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The spec can't be used.
    Error,
    /// It can, but the user should know.
    Warning,
    /// Said for completeness.
    Note,
}

/// Something to say about the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// A stable name in kebab case.
    pub code: String,
    /// The document; none for the spec as a whole.
    pub document: Option<ObjectRef>,
    /// The field in that document as Kubernetes writes it (`spec.a[0].b`); empty for all of it.
    pub path: String,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it; may be empty.
    pub remedy: String,
    /// A page about it.
    pub link: Option<String>,
}

impl ObjectRef {
    /// A reference from kind and name.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Finding {
    /// An error.
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.to_owned(),
            document: None,
            path: String::new(),
            message: message.into(),
            remedy: String::new(),
            link: None,
        }
    }

    /// A warning.
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// A note.
    pub fn note(code: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, message) }
    }

    /// The same at a field of a document.
    #[must_use]
    pub fn at(mut self, document: &ObjectRef, path: impl Into<String>) -> Self {
        self.document = Some(document.clone());
        self.path = path.into();
        self
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Whether it makes the spec unusable.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
