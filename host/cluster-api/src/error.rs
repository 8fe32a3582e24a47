//! What can go wrong, in words for the person who has to act on it.

use std::error::Error as StdError;
use std::time::Duration;

/// A boxed cause.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// What can go wrong between this program and a management cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kubeconfig is not one, or names what it does not hold.
    #[error("the kubeconfig can't be used: {reason}")]
    Kubeconfig {
        /// Why.
        reason: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The server answered, and the answer will not change by asking again.
    #[error("{server} refused to {verb} {object}: {message}")]
    Refused {
        /// The API server.
        server: Box<str>,
        /// What was asked for.
        verb: &'static str,
        /// Of which object.
        object: String,
        /// The HTTP status.
        code: u16,
        /// Kubernetes' one-word reason.
        reason: Box<str>,
        /// What the server said.
        message: Box<str>,
        /// What to do.
        help: Box<str>,
    },
    /// No usable answer, however often it was asked.
    #[error("{server} could not {verb} {object}: {message}")]
    Unreachable {
        /// The API server.
        server: Box<str>,
        /// What was asked for.
        verb: &'static str,
        /// Of which object.
        object: String,
        /// The last thing that was heard.
        message: Box<str>,
        /// How long it was tried.
        tried: Duration,
        /// What to do.
        help: Box<str>,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The server does not know the kind.
    #[error("{server} has no kind `{kind}` in `{api_version}`")]
    UnknownKind {
        /// The API server.
        server: String,
        /// The kind.
        kind: String,
        /// Group and version.
        api_version: String,
    },
    /// An object lacks what every object has.
    #[error("{object} has no `{field}`")]
    Incomplete {
        /// The object, as far as it has a name.
        object: String,
        /// The missing field.
        field: &'static str,
    },
    /// A wait ran out.
    #[error("{object} is not there after {}: {awaited}{}", words(*.waited), said(.last))]
    GaveUp {
        /// The object.
        object: String,
        /// What was awaited, with its condition.
        awaited: String,
        /// The last message that the object had for it.
        last: String,
        /// How long it was waited for.
        waited: Duration,
        /// What to try.
        help: String,
    },
    /// What is awaited can't happen any more.
    #[error("{object} can't get there: {why}")]
    Hopeless {
        /// The object.
        object: String,
        /// Why.
        why: String,
        /// What to try.
        help: String,
    },
    /// A component manifest of the release can't be used.
    #[error("the manifest of component `{component}` can't be used: {reason}")]
    Component {
        /// The component.
        component: String,
        /// Why.
        reason: String,
    },
    /// What is installed does not go with what is to be installed.
    #[error("{reason}")]
    Installed {
        /// Why, all reasons.
        reason: String,
    },
    /// The spec and what the provider gave don't fit together.
    #[error("{reason}")]
    Render {
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
    /// The move can't be done, or not be gone on with.
    #[error("{reason}")]
    Pivot {
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
    /// Several things at once.
    #[error("{}", listed(.0))]
    Several(Vec<Error>),
    /// A file of the cluster's folder.
    #[error("`{path}` can't be {done}")]
    Disk {
        /// The file.
        path: String,
        /// `written`, `read`.
        done: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// What the user can do now; empty where there is nothing to say beyond the message.
    pub fn help(&self) -> String {
        match self {
            Self::Kubeconfig { .. } => "check the file, or have it written again".to_owned(),
            Self::Refused { help, .. } | Self::Unreachable { help, .. } => help.to_string(),
            Self::GaveUp { help, .. }
            | Self::Hopeless { help, .. }
            | Self::Render { help, .. }
            | Self::Pivot { help, .. } => help.clone(),
            Self::UnknownKind { kind, .. } => {
                format!(
                    "install the provider that brings `{kind}`, or use a release whose providers serve this version"
                )
            }
            Self::Installed { .. } => {
                "nothing was touched; use a release that is at least as new, or take away what is in the way".to_owned()
            }
            Self::Component { .. } => "use another release, or correct the component's manifest".to_owned(),
            Self::Several(all) => all.iter().map(Self::help).find(|h| !h.is_empty()).unwrap_or_default(),
            Self::Incomplete { .. } => {
                "this is a fault of whoever made the object: the provider or the release".to_owned()
            }
            Self::Disk { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "give the user who runs this the right to write there".to_owned()
                }
                std::io::ErrorKind::StorageFull => "make room on the disk and run the same command again".to_owned(),
                _ => "check the disk".to_owned(),
            },
        }
    }

    /// Whether asking again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::GaveUp { .. } => true,
            Self::Several(all) => all.iter().all(Self::is_transient),
            _ => false,
        }
    }

    /// The HTTP status, if the server gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Kubernetes' one-word reason, empty if the server gave none.
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused { reason, .. } => reason,
            _ => "",
        }
    }

    pub(crate) fn pivot(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Pivot { reason: reason.into(), help: help.into() }
    }

    pub(crate) fn render(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Render { reason: reason.into(), help: help.into() }
    }

    /// One error of several; the error itself if it is alone.
    pub(crate) fn several(mut all: Vec<Self>) -> Result<(), Self> {
        match all.len() {
            0 => Ok(()),
            1 => Err(all.remove(0)),
            _ => Err(Self::Several(all)),
        }
    }
}

/// A time as people say it.
pub(crate) fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn said(last: &str) -> String {
    if last.is_empty() { String::new() } else { format!("; the last word on it was: {last}") }
}

fn listed(all: &[Error]) -> String {
    let mut text = format!("{} things are in the way:", all.len());
    for error in all {
        text.push_str("\n  - ");
        text.push_str(&error.to_string());
    }
    text
}
