//! `kedge audit`.

use std::path::Path;

use kedge_plugin::{AuditFault, Decision, Line, Record, Verified, read_audit};
use serde::Serialize;

use crate::args::AuditCommand;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::views;

/// The lines of an audit file and what they come to.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) lines: Vec<Line>,
    pub(crate) verified: Verified,
}

pub(crate) fn run(command: AuditCommand, printer: &Printer) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify { file, head, output } => {
            // The head of a file that grew since is one of its lines: every line names the one before it.
            let mut seen = head.is_none();
            let verified = read(&file, |line| seen |= head.as_deref() == Some(line.prev.as_str()))?;
            if !seen && head.as_deref() != Some(verified.head.as_str()) {
                return Err(Failure::environment_with(
                    format!("`{}` has no line with the digest that `--head` names", file.display()),
                    "lines are missing at the end, or the digest is that of another file",
                ));
            }
            printer.report(output.output, &verified, || views::verified(&file, &verified));
        }
        AuditCommand::Show { file, refused, output } => {
            let mut lines = Vec::new();
            let verified = read(&file, |line| {
                let wanted = !refused
                    || matches!(&line.record, Record::Call(event) if matches!(event.decision, Decision::Refused(_)));
                if wanted {
                    lines.push(line);
                }
            })?;
            let shown = Shown { lines, verified };
            printer.report(output.output, &shown, || views::audit(&shown));
        }
    }
    Ok(())
}

fn read(file: &Path, each: impl FnMut(Line)) -> Result<Verified, Failure> {
    read_audit(file, each).map_err(|fault| {
        let help = match &fault {
            AuditFault::Unreadable { source, .. } => source.to_string(),
            _ => {
                "what stands before this line can't be relied on; compare the file with a copy that was kept elsewhere"
                    .to_owned()
            }
        };
        Failure::environment_with(fault.to_string(), help)
    })
}
