//! `kedge describe cluster`.

use std::sync::Arc;

use kedge_workflow::commands;

use crate::args::{DescribeArgs, PluginSource, ReleaseSource};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

pub(crate) async fn run(args: DescribeArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let mut options =
        setup::without_spec(&ReleaseSource::default(), &PluginSource::default(), DefaultRelease::Embedded, printer)?;
    options.management_kubeconfig.clone_from(&args.management.kubeconfig);
    let outcome = commands::describe(&options, &args.name, &Progress::without_lines(printer)).await?;
    printer.report(args.output.output, &outcome, || views::described(&outcome));
    Ok(())
}
