//! How a command that did not do its work ends: what happened, where, why, what to do now.

use std::fmt::Write as _;
use std::sync::Arc;

use kedge_spec::Diagnostic;
use kedge_workflow::WorkflowError;

use crate::printer::Printer;

/// Why a command ended without doing its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The workflow says so.
    Workflow(Box<WorkflowError>),
    /// The arguments do not fit, in a way that the argument parser can't know.
    Usage { message: String, help: String },
    /// Something of the machine is in the way, before anything was touched.
    Environment { message: String, help: String },
}

impl From<WorkflowError> for Failure {
    fn from(error: WorkflowError) -> Self {
        Self::Workflow(Box::new(error))
    }
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: help.into() }
    }

    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::Environment { message: message.into(), help: String::new() }
    }

    pub(crate) fn environment_with(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Environment { message: message.into(), help: help.into() }
    }

    pub(crate) fn plugin(error: &kedge_plugin::PluginError) -> Self {
        Self::Environment { message: error.to_string(), help: error.remedy() }
    }

    /// See `kedge --help`.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Workflow(error) => error.exit_code(),
            Self::Usage { .. } => 2,
            Self::Environment { .. } => 3,
        }
    }

    pub(crate) fn print(&self, printer: &Printer) {
        match self {
            Self::Workflow(error) => {
                diagnostics(printer, error.diagnostics());
                let mut text = format!("Error: {error}");
                causes(&mut text, std::error::Error::source(error.as_ref()));
                help(&mut text, error.help_text().as_deref().unwrap_or_default());
                printer.error_text(&text);
            }
            Self::Usage { message, help: remedy } | Self::Environment { message, help: remedy } => {
                let mut text = format!("Error: {message}");
                help(&mut text, remedy);
                printer.error_text(&text);
            }
        }
    }
}

/// Findings with the lines that they are about.
pub(crate) fn diagnostics(printer: &Printer, diagnostics: &[Diagnostic]) {
    let theme =
        if printer.colour() { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
    let handler =
        miette::GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1).with_links(false);
    for diagnostic in diagnostics {
        let mut text = String::new();
        if handler.render_report(&mut text, diagnostic).is_ok() {
            printer.error_text(text.trim_end());
        }
    }
}

fn causes(text: &mut String, mut source: Option<&(dyn std::error::Error + 'static)>) {
    while let Some(error) = source {
        let said = error.to_string();
        // A transparent error repeats its cause.
        if !text.contains(&said) {
            let _ = write!(text, "\n  because {said}");
        }
        source = error.source();
    }
}

fn help(text: &mut String, help: &str) {
    for line in help.lines().filter(|l| !l.is_empty()) {
        let _ = write!(text, "\n  help: {line}");
    }
}

/// A panic is a defect of this program. The user gets a sentence and a way on, not a type name.
pub(crate) fn install(printer: &Arc<Printer>) {
    let printer = Arc::clone(printer);
    let verbose = std::env::var_os("RUST_BACKTRACE").is_some_and(|v| v != "0");
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        printer.error_text(&format!(
            "Error: kedge has a defect and can't go on (at {place})\n  help: what was done is in the journal, and the same command goes on from there\n  help: \
             please report it with the command and the file `.kedge/journal.jsonl` of the cluster's folder"
        ));
        if verbose {
            printer.error_text(&format!("{info}\n{}", std::backtrace::Backtrace::force_capture()));
        }
    }));
}
