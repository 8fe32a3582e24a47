//! `kedge describe cluster`.

use std::sync::Arc;

use kedge_workflow::commands;

use crate::args::{Output, PluginSource, ReleaseSource};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

pub(crate) async fn run(name: &str, output: Output, printer: &Arc<Printer>) -> Result<(), Failure> {
    let options =
        setup::without_spec(&ReleaseSource::default(), &PluginSource::default(), DefaultRelease::Embedded, printer);
    let outcome = commands::describe(&options, name, &Progress::without_lines(printer)).await?;
    printer.report(output.output, &outcome, || views::described(&outcome));
    Ok(())
}
