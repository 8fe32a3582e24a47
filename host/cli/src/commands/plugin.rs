//! `kedge plugin`.

use kedge_plugin::{Catalog, Entry, HostOptions, Inspection, Plugin, PluginHost};
use kedge_spec::provider::Description;
use serde::Serialize;

use crate::args::{PluginCommand, PluginSource};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::setup;
use crate::views;

/// A plugin in the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) origin: String,
    pub(crate) digest: String,
    pub(crate) kinds: Vec<String>,
}

/// What there is to know of a plugin before it is let near anything.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inspected {
    pub(crate) origin: String,
    /// Read from the file, which is neither compiled nor run for it.
    pub(crate) file: Inspection,
    /// What it says of itself when `describe` is called with nothing linked but the log. Absent if it would be refused.
    pub(crate) description: Option<Description>,
}

pub(crate) async fn run(command: PluginCommand, printer: &Printer) -> Result<(), Failure> {
    match command {
        PluginCommand::List { plugins, output } => {
            let host = host()?;
            let mut listed = Vec::new();
            for entry in catalog(&plugins)?.list() {
                let plugin = host.load(entry).await.map_err(|error| Failure::plugin(&error))?;
                listed.push(list_entry(&plugin));
            }
            printer.report(output.output, &listed, || views::plugins(&listed));
        }
        PluginCommand::Inspect { target, plugins, output } => {
            let host = host()?;
            let catalog = catalog(&plugins)?;
            let entry = match catalog.named(&target) {
                Some(entry) if !looks_like_a_file(&target) => entry.clone(),
                _ if looks_like_a_file(&target) => Entry::file(&target),
                _ => return Err(unknown(&target)),
            };
            let file = host.inspect(&entry).map_err(|error| Failure::plugin(&error))?;
            let description = if file.refused.is_some() {
                None
            } else {
                let plugin = host.load(&entry).await.map_err(|error| Failure::plugin(&error))?;
                Some(plugin.description().clone())
            };
            let inspected = Inspected { origin: entry.origin.to_string(), file, description };
            printer.report(output.output, &inspected, || views::inspected(&inspected));
        }
    }
    Ok(())
}

fn list_entry(plugin: &Plugin) -> Listed {
    let description = plugin.description();
    Listed {
        name: description.name.clone(),
        version: description.version.clone(),
        origin: plugin.origin().to_string(),
        digest: format!("sha256:{}", plugin.digest()),
        kinds: description.kinds.iter().map(|claim| claim.kind.clone()).collect(),
    }
}

fn host() -> Result<PluginHost, Failure> {
    let options = HostOptions { cache_dir: setup::plugin_cache(), ..HostOptions::default() };
    PluginHost::new(options).map_err(|error| Failure::plugin(&error))
}

fn catalog(plugins: &PluginSource) -> Result<Catalog, Failure> {
    let mut catalog = Catalog::new();
    for file in &plugins.plugin {
        catalog = catalog.with_file(file);
    }
    if let Some(dir) = setup::installed_plugins() {
        catalog = catalog.with_installed(&dir).map_err(|error| Failure::plugin(&error))?;
    }
    Ok(catalog.with_built_ins())
}

fn looks_like_a_file(target: &str) -> bool {
    let wasm = std::path::Path::new(target).extension().is_some_and(|e| e.eq_ignore_ascii_case("wasm"));
    wasm || target.contains(std::path::MAIN_SEPARATOR)
}

fn unknown(target: &str) -> Failure {
    Failure::environment_with(format!("there is no plugin `{target}`"), "`kedge plugin list` shows those that are here")
}
