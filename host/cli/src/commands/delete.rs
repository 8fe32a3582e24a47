//! `kedge delete cluster`.

use std::path::PathBuf;
use std::sync::Arc;

use kedge_workflow::{SpecInput, commands};

use crate::args::{DeleteArgs, OutputFormat};
use crate::failure::Failure;
use crate::labs;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};

pub(crate) async fn run(args: DeleteArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let release = if args.lab.lab.is_some() { DefaultRelease::Embedded } else { DefaultRelease::Published };
    let mut options = setup::without_spec(&args.release, &args.plugins, release, printer)?;
    options.interrupt = setup::interrupt_on_signals(printer);
    let spec = match (&args.filename, &args.name) {
        (Some(file), _) => Some(setup::spec_input(file)?),
        // The spec as the create used it: what a lab has to be filled from.
        (None, Some(name)) => {
            let folder = PathBuf::from(name);
            [folder.join(format!("{name}-eks-a-cluster.yaml")), folder.join(kedge_workflow::folder::SPEC)]
                .into_iter()
                .find(|path| path.exists())
                .map(SpecInput::File)
        }
        (None, None) => None,
    };
    let lab = labs::open(&args.lab, spec.as_ref(), printer).await?;
    if args.filename.is_some() {
        options.spec = spec;
    }
    if let Some(lab) = &lab {
        setup::use_lab(&mut options, &lab.connection).await?;
        options.ephemeral = !lab.outlives();
    }
    setup::use_managers(&mut options, &args.managers)?;
    let progress = Progress::beside(args.output.output, printer);
    let result = commands::delete(&options, args.name.as_deref(), Arc::new(progress)).await;
    if let Some(lab) = lab {
        lab.stop().await;
    }
    let outcome = result?;
    printer.clear();
    if args.output.output != OutputFormat::Text {
        printer.report(args.output.output, &outcome, String::new);
        return Ok(());
    }
    for removed in outcome.removed {
        printer.note(&format!("removed: {removed}"));
    }
    Ok(())
}
