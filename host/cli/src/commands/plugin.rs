//! `kedge plugin`.

use kedge_plugin::{Catalog, Entry, HostOptions, Inspection, Installed, Plugin, PluginHost, Recording, Rules, replay};
use kedge_spec::provider::Description;
use serde::Serialize;

use super::registry;
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
    /// Where it was installed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
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
            let host = host(&plugins, printer)?;
            let installed = match setup::installed_plugins() {
                Some(folder) => Installed::at(folder).list().map_err(|error| Failure::plugin(&error))?,
                None => Vec::new(),
            };
            let mut listed = Vec::new();
            for entry in catalog(&plugins)?.list() {
                let plugin = host.load(entry).await.map_err(|error| Failure::plugin(&error))?;
                let from = installed.iter().find(|i| entry.installed.is_some() && i.name == entry.name);
                listed.push(Listed { source: from.map(|i| i.source.clone()), ..list_entry(&plugin) });
            }
            printer.report(output.output, &listed, || views::plugins(&listed));
        }
        PluginCommand::Inspect { target, describe, plugins, registry, output } => {
            let host = host(&plugins, printer)?;
            let catalog = catalog(&plugins)?;
            // Held until the end: what a registry gave is gone then.
            let mut folder = None;
            let mut entry = match catalog.named(&target) {
                Some(entry) if !looks_like_a_file(&target) => entry.clone(),
                _ if is_reference(&target) => {
                    let (held, file) = registry::fetched(&target, &plugins, &registry, printer).await?;
                    folder = Some(held);
                    Entry::file(file)
                }
                _ if looks_like_a_file(&target) => Entry::file(&target),
                _ => return Err(unknown(&target)),
            };
            if folder.is_some() {
                entry.name.clone_from(&target);
            }
            let file = host.inspect(&entry).map_err(|error| Failure::plugin(&error))?;
            let described = if describe && file.description.is_none() && file.refused.is_none() {
                let plugin = host.load(&entry).await.map_err(|error| Failure::plugin(&error))?;
                Some(plugin.description().clone())
            } else {
                None
            };
            let origin = if folder.is_some() { target } else { entry.origin.to_string() };
            let inspected = Inspected { origin, file, described };
            printer.report(output.output, &inspected, || views::inspected(&inspected, printer.colour()));
        }
        PluginCommand::Replay { recording, plugins, output } => {
            let recording = Recording::read(&recording).map_err(|error| Failure::plugin(&error))?;
            let host = host(&plugins, printer)?;
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
            let host = host(&PluginSource::default(), printer)?;
            let bytes = host.annotate(&Entry::file(&file)).await.map_err(|error| Failure::plugin(&error))?;
            let to = output.unwrap_or(file);
            std::fs::write(&to, bytes)
                .map_err(|e| Failure::environment(format!("`{}` can't be written: {e}", to.display())))?;
            printer.line(&format!("`{}` now says what the plugin asks for", to.display()));
        }
        PluginCommand::Push { file, reference, sign_key, registry, output } => {
            registry::push(&file, &reference, sign_key.as_deref(), &registry, output, printer).await?;
        }
        PluginCommand::Pull { reference, file, layout, plugins, registry } => {
            registry::pull(&reference, file.as_deref(), layout.as_deref(), &plugins, &registry, printer).await?;
        }
        PluginCommand::Install { what, offline, plugins, registry, output } => {
            registry::add(what.as_deref(), offline.as_deref(), &plugins, &registry, output, printer).await?;
        }
        PluginCommand::Update { name, offline, plugins, registry, output } => {
            registry::update(&name, offline.as_deref(), &plugins, &registry, output, printer).await?;
        }
        PluginCommand::Remove { name } => registry::remove(&name, printer)?,
        PluginCommand::Verify { name, plugins, output } => registry::verify(&name, &plugins, output, printer)?,
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
        source: None,
    }
}

pub(super) fn host(plugins: &PluginSource, printer: &Printer) -> Result<PluginHost, Failure> {
    host_with(&setup::plugin_rules(plugins, printer)?)
}

pub(super) fn host_with(rules: &Rules) -> Result<PluginHost, Failure> {
    let options = HostOptions {
        cache_dir: setup::plugin_cache(),
        compiler: rules.compiler.clone(),
        isolation: rules.isolation.clone(),
        policy: rules.policy.clone(),
        audit: rules.trail.clone(),
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

/// A name in a registry, and not a file that is there.
fn is_reference(target: &str) -> bool {
    !std::path::Path::new(target).exists() && target.parse::<kedge_registry::Reference>().is_ok()
}

fn unknown(target: &str) -> Failure {
    Failure::environment_with(format!("there is no plugin `{target}`"), "`kedge plugin list` shows those that are here")
}
