//! `kedge validate`.

use std::sync::Arc;

use kedge_workflow::{WorkflowError, commands};

use crate::args::{OutputFormat, ValidateArgs};
use crate::failure::{self, Failure};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

pub(crate) async fn run(args: ValidateArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let options = setup::with_spec(&args.source, DefaultRelease::Embedded, printer)?;
    match commands::validate(&options, &Progress::without_lines(printer)).await {
        Ok(outcome) => {
            if args.output.output == OutputFormat::Text {
                failure::diagnostics(printer, &outcome.diagnostics);
            }
            printer.report(args.output.output, &outcome, || views::validated(&outcome));
            Ok(())
        }
        Err(error) => {
            if let WorkflowError::Rejected { diagnostics, .. } = &error
                && args.output.output != OutputFormat::Text
            {
                printer.report(args.output.output, &views::findings(diagnostics), String::new);
            }
            Err(error.into())
        }
    }
}
