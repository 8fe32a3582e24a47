//! `kedge generate clusterconfig`.

use kedge_workflow::commands;

use crate::args::GenerateArgs;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::setup::{self, DefaultRelease};

pub(crate) async fn run(args: GenerateArgs, printer: &Printer) -> Result<(), Failure> {
    let options = setup::without_spec(&args.release, &args.plugins, DefaultRelease::Embedded, printer);
    let outcome = commands::generate(&options, &args.provider, &args.name).await?;
    printer.raw(&outcome.yaml);
    Ok(())
}
