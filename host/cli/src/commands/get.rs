//! `kedge get clusters`.

use std::sync::Arc;

use kedge_workflow::commands;

use crate::args::{Output, OutputFormat, PluginSource, ReleaseSource};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

pub(crate) async fn run(output: Output, printer: &Arc<Printer>) -> Result<(), Failure> {
    let options =
        setup::without_spec(&ReleaseSource::default(), &PluginSource::default(), DefaultRelease::Embedded, printer)?;
    let clusters = commands::get_clusters(&options, &Progress::without_lines(printer)).await?;
    if clusters.is_empty() && output.output == OutputFormat::Text {
        printer.note("no cluster folders here");
        return Ok(());
    }
    printer.report(output.output, &clusters, || views::clusters(&clusters));
    Ok(())
}
