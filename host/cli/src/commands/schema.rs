//! `kedge schema`.

use kedge_workflow::commands;

use crate::args::{OutputFormat, SchemaArgs};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::setup::{self, DefaultRelease};

pub(crate) async fn run(args: SchemaArgs, printer: &Printer) -> Result<(), Failure> {
    let release = crate::args::ReleaseSource::default();
    let options = setup::without_spec(&release, &args.plugins, DefaultRelease::Embedded, printer)?;
    let outcome = commands::schema(&options, args.kind.as_deref()).await?;
    // A schema is for programs: text is JSON, too.
    let format = if args.output.output == OutputFormat::Text { OutputFormat::Json } else { args.output.output };
    printer.report(format, &outcome, String::new);
    Ok(())
}
