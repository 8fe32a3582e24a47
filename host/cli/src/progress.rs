//! Events of a run, printed.

use std::sync::Arc;

use kedge_workflow::{CheckMark, Event, Reporter};

use crate::args::OutputFormat;
use crate::printer::{Printer, human};

/// Prints what a run tells.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Arc<Printer>,
    /// Whether the workflow's lines go to standard output; a report in their place keeps it for itself.
    lines: bool,
}

impl Progress {
    pub(crate) fn with_lines(printer: &Arc<Printer>) -> Self {
        Self { printer: Arc::clone(printer), lines: true }
    }

    /// With lines for people, without them where a report takes their place.
    pub(crate) fn beside(report: OutputFormat, printer: &Arc<Printer>) -> Self {
        Self { printer: Arc::clone(printer), lines: report == OutputFormat::Text }
    }

    pub(crate) fn without_lines(printer: &Arc<Printer>) -> Self {
        Self { printer: Arc::clone(printer), lines: false }
    }
}

impl Reporter for Progress {
    fn event(&self, event: Event) {
        let printer = &self.printer;
        if printer.json() {
            record(&event);
        }
        if let Some(line) = event.document_line() {
            if self.lines {
                printer.line(&line);
            }
            return;
        }
        if printer.json() {
            return;
        }
        match event {
            Event::Check { outcome, title, details, .. } => {
                let (mark, word) = match outcome {
                    CheckMark::Failed => ("❌", "failed"),
                    CheckMark::Warned => ("⚠️", "warning"),
                    CheckMark::Passed => ("✅", "passed"),
                    CheckMark::Skipped => ("-", "skipped"),
                };
                printer.note(&format!("{mark} {word}: {title}"));
                for detail in details {
                    printer.note(&format!("   {detail}"));
                }
            }
            Event::Waiting { object, sentence, elapsed, .. } => printer.waiting(&object, &sentence, elapsed),
            Event::StepStarted { id, title } => {
                printer.begins(&title);
                printer.detail(&format!("step {id} begins: {title}"));
            }
            Event::StepDone { title, already: true, .. } => printer.note(&format!("already done: {title}")),
            Event::StepDone { id, title, elapsed, .. } => {
                printer.detail(&format!("step {id} done in {}: {title}", human(elapsed)));
            }
            Event::StepFailed { id, title, elapsed } => {
                printer.detail(&format!("step {id} failed after {}: {title}", human(elapsed)));
            }
            Event::Note { text } => printer.note(&text),
            Event::Warning { text } => printer.warning(&text),
            Event::Line { .. } => {}
        }
    }
}

/// An event as a log line of its own, with its parts as fields.
fn record(event: &Event) {
    match event {
        Event::Line { text } => tracing::info!(target: "kedge", event = "line", text),
        Event::Check { id, outcome, title, details, .. } => {
            let outcome = match outcome {
                CheckMark::Passed => "passed",
                CheckMark::Failed => "failed",
                CheckMark::Warned => "warned",
                CheckMark::Skipped => "skipped",
            };
            tracing::info!(target: "kedge", event = "check", id, outcome, title, details = details.join("; "));
        }
        Event::StepStarted { id, title } => tracing::info!(target: "kedge", event = "step-started", id, title),
        Event::StepDone { id, title, elapsed, already } => {
            let seconds = elapsed.as_secs_f64();
            tracing::info!(target: "kedge", event = "step-done", id, title, seconds, already);
        }
        Event::StepFailed { id, title, elapsed } => {
            let seconds = elapsed.as_secs_f64();
            tracing::error!(target: "kedge", event = "step-failed", id, title, seconds);
        }
        Event::Waiting { step, object, sentence, elapsed } => {
            let seconds = elapsed.as_secs_f64();
            tracing::info!(target: "kedge", event = "waiting", step, object, sentence, seconds);
        }
        Event::Note { text } => tracing::info!(target: "kedge", event = "note", text),
        Event::Warning { text } => tracing::warn!(target: "kedge", event = "warning", text),
    }
}
