//! `kedge render`.

use std::sync::Arc;

use kedge_workflow::commands;

use crate::args::RenderArgs;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

pub(crate) async fn run(args: RenderArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let options = setup::with_spec(&args.source, DefaultRelease::Embedded, printer)?;
    if args.explain {
        let outcome = commands::explain(&options, &Progress::without_lines(printer)).await?;
        printer.report(args.output.output, &outcome, || views::explained(&outcome));
        return Ok(());
    }
    let outcome = commands::render(&options, &Progress::without_lines(printer)).await?;
    let Some(dir) = args.output_dir else {
        printer.report(args.output.output, &outcome, || outcome.yaml.clone());
        return Ok(());
    };
    let failed = |error: std::io::Error| {
        Failure::environment_with(
            format!("`{}` can't be written: {error}", dir.display()),
            "name a folder that you may write to",
        )
    };
    std::fs::create_dir_all(&dir).map_err(failed)?;
    for file in &outcome.files {
        std::fs::write(dir.join(&file.name), &file.yaml).map_err(failed)?;
    }
    printer.note(&format!("{} manifests written to `{}`", outcome.files.len(), dir.display()));
    Ok(())
}
