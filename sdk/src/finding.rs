//! Findings: what there is to say about a spec.

use crate::document::Read;
use crate::{Failure, Finding, ObjectRef, Role, Severity};

impl Finding {
    /// The spec can't be used as it is. `code` is a stable name in kebab case; `message` one sentence without a full
    /// stop at its end.
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// The spec can be used, but the user should know.
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Said for completeness.
    pub fn note(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    fn new(severity: Severity, code: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            code: code.into(),
            document: None,
            path: String::new(),
            message: message.into(),
            remedy: String::new(),
            link: None,
        }
    }

    /// The document and the field it is about; the host turns them into a line of the user's file.
    #[must_use]
    pub fn at(mut self, document: impl Into<ObjectRef>, path: impl Into<String>) -> Self {
        self.document = Some(document.into());
        self.path = path.into();
        self
    }

    /// What the user can do now.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// A page about it.
    #[must_use]
    pub fn link(mut self, link: &str) -> Self {
        self.link = Some(link.into());
        self
    }

    /// Whether it stops a create.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        Self::Invalid(vec![finding])
    }
}

impl From<Box<Finding>> for Failure {
    fn from(finding: Box<Finding>) -> Self {
        Self::from(*finding)
    }
}

impl Failure {
    /// The provider does not know this kind of document.
    pub fn unknown_kind(kind: &str) -> Self {
        Self::Unsupported(format!("kind `{kind}`"))
    }

    /// The provider has no machines for this role.
    pub fn unknown_role(role: &Role) -> Self {
        Self::Unsupported(match role {
            Role::ControlPlane => "control plane machines".into(),
            Role::Etcd => "external etcd machines".into(),
            Role::Worker(name) => format!("worker node group `{name}`"),
            Role::Other(name) => format!("role `{name}`"),
        })
    }
}

/// Findings, collected: everything wrong is said at once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// The value of a read; a failed read becomes a finding.
    pub fn take<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|finding| self.push(*finding)).ok()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Finding::is_error)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order they were found.
    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    /// Looks at them.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        self.0.extend(findings);
    }
}
