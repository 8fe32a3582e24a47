//! `kedge preflight`.

use std::sync::Arc;

use kedge_workflow::{WorkflowError, commands};

use crate::args::{OutputFormat, PreflightArgs};
use crate::failure::Failure;
use crate::labs;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};

pub(crate) async fn run(args: PreflightArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let release = if args.lab.lab.is_some() { DefaultRelease::Embedded } else { DefaultRelease::Published };
    let mut options = setup::with_spec(&args.source, release, printer)?;
    options.skip.clone_from(&args.skips.skip_validations);
    options.skip_ip_check = args.skips.skip_ip_check;
    options.management_kubeconfig.clone_from(&args.management.kubeconfig);
    options.interrupt = setup::interrupt_on_signals(printer);
    let lab = labs::open(&args.lab, options.spec.as_ref(), printer).await?;
    if let Some(lab) = &lab {
        setup::use_lab(&mut options, &lab.connection).await?;
    }
    let text = args.output.output == OutputFormat::Text;
    let progress = Progress::beside(args.output.output, printer);
    let result = commands::preflight(&options, &progress).await;
    if let Some(lab) = lab {
        lab.stop().await;
    }
    match result {
        Ok(outcome) => {
            if !text {
                printer.report(args.output.output, &outcome, String::new);
            }
            Ok(())
        }
        Err(error) => {
            if let WorkflowError::Preflight { outcome } = &error
                && !text
            {
                printer.report(args.output.output, outcome, String::new);
            }
            Err(error.into())
        }
    }
}
