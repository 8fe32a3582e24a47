//! `kedge create cluster`.

use std::sync::Arc;

use kedge_workflow::{Timeouts, commands};

use crate::args::{CreateArgs, OutputFormat};
use crate::failure::Failure;
use crate::labs;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

pub(crate) async fn run(args: CreateArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let release = if args.lab.lab.is_some() { DefaultRelease::Embedded } else { DefaultRelease::Published };
    let mut options = setup::with_spec(&args.source, release, printer)?;
    options.skip.clone_from(&args.skips.skip_validations);
    options.skip_ip_check = args.skips.skip_ip_check;
    options.dry_run = args.dry_run;
    options.timeouts = Timeouts {
        control_plane: args.timeouts.control_plane_wait_timeout,
        external_etcd: args.timeouts.external_etcd_wait_timeout,
        per_machine: args.timeouts.per_machine_wait_timeout,
        error: args.timeouts.error_wait_timeout,
        unlimited: args.timeouts.no_timeouts,
        ..Timeouts::default()
    };
    options.interrupt = setup::interrupt_on_signals(printer);
    let lab = labs::open(&args.lab, options.spec.as_ref(), printer).await?;
    if let Some(lab) = &lab {
        setup::use_lab(&mut options, &lab.connection).await?;
        options.ephemeral = !lab.outlives();
    }
    setup::use_managers(&mut options, &args.managers)?;
    let progress = Progress::beside(args.output.output, printer);
    let result = commands::create(&options, Arc::new(progress)).await;
    let ends = lab.as_ref().is_some_and(|lab| !lab.outlives());
    if let Some(lab) = lab {
        lab.stop().await;
    }
    let outcome = result?;
    printer.clear();
    if args.output.output != OutputFormat::Text {
        printer.report(args.output.output, &outcome, String::new);
    } else if outcome.dry_run {
        printer.raw(&views::planned(&outcome));
    } else {
        views::created(printer, &outcome, ends);
    }
    Ok(())
}
