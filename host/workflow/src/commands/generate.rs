//! A spec to begin with.

use kedge_plugin::{Plugin, PluginError};
use kedge_spec::provider::ProviderCommand;
use kedge_spec::published;
use kedge_spec::release::Bundles;

use super::provider::{Given, commands_of};
use crate::error::WorkflowError;
use crate::fetch::Fetcher;
use crate::load::{catalog, plugin_error};
use crate::options::Options;
use crate::outcome::GenerateOutcome;
use crate::release::bundles;

/// The longest name that EKS Anywhere takes.
const LONGEST_NAME: usize = 35;

/// The command of a provider that takes the place of its plain spec.
const COMMAND: &str = "generate";

/// A spec for a new cluster, with a comment at every blank. The Kubernetes version is the newest of the release. `given`
/// are arguments of the provider's own: its command `generate` looks at the environment and fills blanks in.
pub async fn generate(
    options: &Options,
    provider: &str,
    name: &str,
    given: Option<Given>,
) -> Result<GenerateOutcome, WorkflowError> {
    check_name(name)?;
    if let Some(mut given) = given {
        // The cluster's name is an argument of this command; the version is only where the user asks for none.
        given.arguments.retain(|(argument, _)| argument != "name");
        given.arguments.push(("name".to_owned(), name.to_owned()));
        given.arguments.push(("kubernetes-version".to_owned(), newest(options).await?));
        let answer = commands_of(options, provider).await?.run(options, COMMAND, &given).await?;
        return Ok(GenerateOutcome { yaml: for_editors(&answer.text) });
    }
    let plugin = plugin_named(options, provider).await?;
    let settings = [("kubernetes-version".to_owned(), newest(options).await?)];
    let yaml = plugin.generate(name, &settings).await.map_err(|e| plugin_error(provider, e))?;
    Ok(GenerateOutcome { yaml: for_editors(&yaml) })
}

/// What a provider's own arguments for a new spec are; nothing if it has none.
pub async fn generate_arguments(options: &Options, provider: &str) -> Result<Option<ProviderCommand>, WorkflowError> {
    Ok(commands_of(options, provider).await?.commands.into_iter().find(|c| c.name == COMMAND))
}

/// The plugin of a name.
pub(crate) async fn plugin_named(options: &Options, provider: &str) -> Result<Plugin, WorkflowError> {
    let (host, catalog) = catalog(options, None)?;
    match host.named(&catalog, provider).await {
        Ok(plugin) => {
            options.plugin_rules.admit(&plugin, None).map_err(|e| plugin_error(provider, e))?;
            Ok(plugin)
        }
        Err(PluginError::NotFound { known, .. }) => {
            let known: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
            Err(WorkflowError::NoPlugin {
                message: format!("there is no provider `{provider}`"),
                help: format!("there are {}; name another one's file with `--plugin FILE`", known.join(", ")),
            })
        }
        Err(error) => Err(plugin_error(provider, error)),
    }
}

/// The newest Kubernetes version of the release.
async fn newest(options: &Options) -> Result<String, WorkflowError> {
    let found = bundles(&Fetcher::for_options(options), &options.release, None, false).await?;
    Ok(Bundles::newest_version(&found.text, &found.address)?.to_string())
}

/// The same with the line in each document that editors look for, and at the top how they come by the schema.
fn for_editors(yaml: &str) -> String {
    let line = published::editor_line();
    let file = published::FILE_NAME;
    let help = format!("# `kedge schema > {file}` puts beside this file what editors need to complete and check it.");
    let mut lines = vec![line.as_str(), help.as_str()];
    for part in yaml.lines() {
        lines.push(part);
        if part == "---" {
            lines.push(&line);
        }
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn check_name(name: &str) -> Result<(), WorkflowError> {
    let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let ends = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-');
    if letters && ends && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(WorkflowError::Input {
        message: format!("`{name}` can't be the name of a cluster"),
        help: format!(
            "use at most {LONGEST_NAME} small letters, digits and `-`, beginning with a letter and not ending with `-`"
        ),
    })
}
