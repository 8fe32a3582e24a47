//! `kedge diff`.

use std::sync::Arc;

use kedge_workflow::commands::{self, Against};

use crate::args::DiffArgs;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

pub(crate) async fn run(args: DiffArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let options = setup::with_spec(&args.source, DefaultRelease::Embedded, printer)?;
    let against = match (args.against, args.name) {
        (Some(file), _) => Against::Spec(setup::spec_input(&file)?),
        (None, name) if args.live => Against::Live(name),
        (None, Some(name)) => Against::Cluster(name),
        (None, None) => Against::Itself,
    };
    // Boxed: it holds two specs and all that is rendered of them.
    let outcome = Box::pin(commands::diff(&options, against, &Progress::without_lines(printer))).await?;
    printer.report(args.output.output, &outcome, || views::differences(&outcome));
    Ok(())
}
