//! `kedge plugin`.

use std::path::Path;

use kedge_plugin::{Catalog, HostOptions, PluginHost};

use crate::args::{PluginCommand, PluginSource};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::setup;
use crate::views;

pub(crate) async fn run(command: PluginCommand, printer: &Printer) -> Result<(), Failure> {
    match command {
        PluginCommand::List { plugins, output } => {
            let host = host()?;
            let listed = host.list(&catalog(&plugins)?).await.map_err(Failure::plugin)?;
            printer.report(output.output, &listed, || views::plugins(&listed));
        }
        PluginCommand::Inspect { target, plugins, output } => {
            let host = host()?;
            let inspection = if looks_like_a_file(&target) {
                let catalog = Catalog::new().with_file(&target).map_err(Failure::plugin)?;
                let entries = catalog.list();
                let entry = entries.first().ok_or_else(|| unknown(&target))?;
                host.inspect_entry(entry).await.map_err(Failure::plugin)?
            } else {
                let catalog = catalog(&plugins)?;
                let entry = catalog.named(&target).map_err(Failure::plugin)?.ok_or_else(|| unknown(&target))?;
                host.inspect_entry(&entry).await.map_err(Failure::plugin)?
            };
            printer.report(output.output, &inspection, || views::inspected(&inspection));
        }
    }
    Ok(())
}

fn host() -> Result<PluginHost, Failure> {
    PluginHost::new(HostOptions::default()).map_err(Failure::plugin)
}

fn catalog(plugins: &PluginSource) -> Result<Catalog, Failure> {
    let mut catalog = Catalog::new();
    for file in &plugins.plugin {
        catalog = catalog.with_file(file).map_err(Failure::plugin)?;
    }
    if let Some(dir) = setup::installed_plugins() {
        catalog = catalog.with_installed(&dir).map_err(Failure::plugin)?;
    }
    Ok(catalog.with_built_ins())
}

fn looks_like_a_file(target: &str) -> bool {
    target.contains(std::path::MAIN_SEPARATOR) || target.ends_with(".wasm") || Path::new(target).is_file()
}

fn unknown(target: &str) -> Failure {
    Failure::environment_with(format!("there is no plugin `{target}`"), "`kedge plugin list` shows those that are here")
}
