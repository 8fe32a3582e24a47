//! `kedge generate clusterconfig`.

use kedge_workflow::commands;

use super::provider;
use crate::args::GenerateArgs;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::setup::{self, DefaultRelease};

pub(crate) async fn run(args: GenerateArgs, printer: &Printer) -> Result<(), Failure> {
    let options = setup::without_spec(&args.release, &args.plugins, DefaultRelease::Embedded, printer)?;
    let given = if args.own.is_empty() {
        None
    } else {
        let known = commands::generate_arguments(&options, &args.provider).await?;
        Some(provider::given(&args.provider, known.as_ref(), &args.own)?)
    };
    let outcome = commands::generate(&options, &args.provider, &args.name, given).await?;
    printer.raw(&outcome.yaml);
    Ok(())
}
