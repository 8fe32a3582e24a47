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
        if let Ok(json) = serde_json::to_string(&event) {
            tracing::info!(target: "kedge", %json, "event");
        }
        if let Some(line) = event.document_line() {
            if self.lines {
                printer.line(&line);
            }
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
            Event::StepStarted { id, title } => printer.detail(&format!("step {id} begins: {title}")),
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
