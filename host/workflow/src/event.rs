//! What a run tells its caller while it runs. The caller owns the output; nothing in this crate prints.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// How a preflight check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckMark {
    /// As expected.
    Passed,
    /// Stops a create.
    Failed,
    /// Does not stop it, but the user should know.
    Warned,
    /// Not run.
    Skipped,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A line of the cluster creation workflow, word for word. It goes to standard output.
    Line {
        /// The line, without its end.
        text: String,
    },
    /// A preflight check has a result. A passed one is a line of the workflow too: see [`Event::document_line`].
    Check {
        /// Its stable id, as `--skip-validations` takes it.
        id: String,
        /// How it went.
        outcome: CheckMark,
        /// The line for a pass: `Datastore validated`.
        title: String,
        /// Why it failed, warned or was skipped, and what to do about it. Empty for a pass.
        details: Vec<String>,
        /// A pass is worth no line of the workflow.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        quiet: bool,
    },
    /// A step begins.
    StepStarted {
        /// Its stable id.
        id: String,
        /// What it does.
        title: String,
    },
    /// A step is done.
    StepDone {
        /// Its stable id.
        id: String,
        /// What it does.
        title: String,
        /// How long it took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        elapsed: Duration,
        /// Whether an earlier run had done it.
        already: bool,
    },
    /// A step did not end well. The error that the command returns says more.
    StepFailed {
        /// Its stable id.
        id: String,
        /// What it does.
        title: String,
        /// How long it took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// Something is awaited. Comes again whenever the sentence changes.
    Waiting {
        /// The step that waits.
        step: String,
        /// The object, for example `KubeadmControlPlane eksa-system/prod`.
        object: String,
        /// What is awaited and how far it is.
        sentence: String,
        /// Since the step began.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// Worth knowing.
    Note {
        /// One sentence without a full stop.
        text: String,
    },
    /// Worth knowing, and possibly a problem.
    Warning {
        /// One sentence without a full stop.
        text: String,
    },
}

impl Event {
    /// The line that this event means on standard output, if it means one.
    pub fn document_line(&self) -> Option<String> {
        match self {
            Self::Line { text } => Some(text.clone()),
            Self::Check { outcome: CheckMark::Passed, title, quiet: false, .. } => Some(format!("✅ {title}")),
            _ => None,
        }
    }
}

/// Takes what a run tells.
pub trait Reporter: Send + Sync {
    /// Something happened. Must not block for long: the run waits for it.
    fn event(&self, event: Event);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _event: Event) {}
}

/// Shorthand for what is said often.
pub(crate) trait ReporterExt {
    fn line(&self, text: impl Into<String>);
    fn note(&self, text: impl Into<String>);
    fn warning(&self, text: impl Into<String>);
}

impl<R: Reporter + ?Sized> ReporterExt for R {
    fn line(&self, text: impl Into<String>) {
        self.event(Event::Line { text: text.into() });
    }

    fn note(&self, text: impl Into<String>) {
        self.event(Event::Note { text: text.into() });
    }

    fn warning(&self, text: impl Into<String>) {
        self.event(Event::Warning { text: text.into() });
    }
}

fn seconds<S: Serializer>(elapsed: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((elapsed.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_passed_checks_are_the_document() {
        assert_eq!(
            Event::Line { text: "Provider specific setup".into() }.document_line().unwrap(),
            "Provider specific setup"
        );
        let check = |outcome, quiet| Event::Check {
            id: "network".into(),
            outcome,
            title: "Network validated".into(),
            details: vec![],
            quiet,
        };
        assert_eq!(check(CheckMark::Passed, false).document_line().unwrap(), "✅ Network validated");
        assert_eq!(check(CheckMark::Passed, true).document_line(), None);
        assert_eq!(check(CheckMark::Failed, false).document_line(), None);
        assert_eq!(Event::Note { text: "x".into() }.document_line(), None);
    }

    #[test]
    fn an_event_reads_well_as_json() {
        let event = Event::StepDone {
            id: "networking".into(),
            title: "t".into(),
            elapsed: Duration::from_millis(1234),
            already: false,
        };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"event":"step-done","id":"networking","title":"t","seconds":1.234,"already":false}"#);
    }
}
