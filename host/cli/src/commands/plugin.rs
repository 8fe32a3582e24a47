//! `kedge plugin`.

use kedge_plugin::{Catalog, Entry, HostOptions, Inspection, Plugin, PluginHost, Recording, replay};
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
    /// What it said when `describe` was called, if that was asked for: then the file says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) described: Option<Description>,
}

pub(crate) async fn run(command: PluginCommand, printer: &Printer) -> Result<(), Failure> {
    match command {
        PluginCommand::List { plugins, output } => {
            let host = host(&plugins)?;
            let mut listed = Vec::new();
            for entry in catalog(&plugins)?.list() {
                let plugin = host.load(entry).await.map_err(|error| Failure::plugin(&error))?;
                listed.push(list_entry(&plugin));
            }
            printer.report(output.output, &listed, || views::plugins(&listed));
        }
        PluginCommand::Inspect { target, describe, plugins, output } => {
            let host = host(&plugins)?;
            let catalog = catalog(&plugins)?;
            let entry = match catalog.named(&target) {
                Some(entry) if !looks_like_a_file(&target) => entry.clone(),
                _ if looks_like_a_file(&target) => Entry::file(&target),
                _ => return Err(unknown(&target)),
            };
            let file = host.inspect(&entry).map_err(|error| Failure::plugin(&error))?;
            let described = if describe && file.description.is_none() && file.refused.is_none() {
                let plugin = host.load(&entry).await.map_err(|error| Failure::plugin(&error))?;
                Some(plugin.description().clone())
            } else {
                None
            };
            let inspected = Inspected { origin: entry.origin.to_string(), file, described };
            printer.report(output.output, &inspected, || views::inspected(&inspected, printer.colour()));
        }
        PluginCommand::Replay { recording, plugins, output } => {
            let recording = Recording::read(&recording).map_err(|error| Failure::plugin(&error))?;
            let host = host(&plugins)?;
            let catalog = catalog(&plugins)?;
            let plugin = match (plugins.plugin.first(), recording.plugins().as_slice()) {
                (Some(file), _) => host.load(&Entry::file(file)).await,
                (None, [(name, _)]) => host.named(&catalog, name).await,
                (None, _) => {
                    return Err(Failure::usage(
                        "the recording does not have the sessions of one plugin",
                        "name the plugin to ask with `--plugin FILE`",
                    ));
                }
            };
            let plugin = plugin.map_err(|error| Failure::plugin(&error))?;
            let replayed = replay(&plugin, &recording).await.map_err(|error| Failure::plugin(&error))?;
            printer.report(output.output, &replayed, || views::replayed(&replayed));
            if replayed.difference.is_some() {
                return Err(Failure::environment_with(
                    "the plugin does not do what was recorded",
                    "a new version may well differ: judge the difference that is shown",
                ));
            }
        }
        PluginCommand::Annotate { file, output } => {
            let host = host(&PluginSource::default())?;
            let bytes = host.annotate(&Entry::file(&file)).await.map_err(|error| Failure::plugin(&error))?;
            let to = output.unwrap_or(file);
            std::fs::write(&to, bytes)
                .map_err(|e| Failure::environment(format!("`{}` can't be written: {e}", to.display())))?;
            printer.line(&format!("`{}` now says what the plugin asks for", to.display()));
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

fn host(plugins: &PluginSource) -> Result<PluginHost, Failure> {
    let rules = setup::plugin_rules(plugins)?;
    let options = HostOptions {
        cache_dir: setup::plugin_cache(),
        compiler: rules.compiler,
        policy: rules.policy,
        audit: rules.trail,
        ..HostOptions::default()
    };
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
