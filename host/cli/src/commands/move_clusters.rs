//! `kedge move`.

use std::sync::Arc;

use kedge_workflow::commands::{self, Act, MoveOptions, Way};

use crate::args::MoveArgs;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::views;

pub(crate) async fn run(args: MoveArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let way = match (args.kubeconfig, args.to_kubeconfig, args.to_directory, args.from_directory) {
        (_, Some(to), None, Some(directory)) => Way::FromDirectory { directory, to },
        (Some(from), Some(to), None, None) => Way::Between { from, to },
        (Some(from), None, Some(directory), None) => Way::ToDirectory { from, directory },
        _ => return Err(Failure::usage("it is not said from where to where", "see `kedge move --help`")),
    };
    let act = match (args.dry_run, args.undo) {
        (true, _) => Act::Rehearse,
        (false, true) => Act::Undo,
        (false, false) => Act::Move,
    };
    let options = MoveOptions {
        way,
        namespace: args.namespace,
        cluster: args.filter_cluster,
        state: args.state_dir,
        act,
        timeout: args.timeout,
        id: format!("move-{:x}-{:x}", jiff::Timestamp::now().as_millisecond(), std::process::id()),
    };
    let outcome = commands::move_clusters(&options, Arc::new(Progress::with_lines(printer))).await?;
    printer.report(args.output.output, &outcome, || views::moved(&options, &outcome));
    Ok(())
}
