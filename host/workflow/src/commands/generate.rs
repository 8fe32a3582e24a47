//! A spec to begin with.

use std::collections::BTreeMap;

use kedge_plugin::PluginError;
use kedge_spec::published;
use kedge_spec::release::Release;

use crate::error::WorkflowError;
use crate::fetch::Fetcher;
use crate::load::{bundles, catalog, plugin_error};
use crate::options::Options;
use crate::outcome::GenerateOutcome;

/// The longest name that EKS Anywhere takes.
const LONGEST_NAME: usize = 35;

/// A spec for a new cluster, with a comment at every blank. The Kubernetes version is the newest of the release.
pub async fn generate(options: &Options, provider: &str, name: &str) -> Result<GenerateOutcome, WorkflowError> {
    check_name(name)?;
    let (host, catalog) = catalog(options, None)?;
    let plugin = match host.named(&catalog, provider).await {
        Ok(plugin) => plugin,
        Err(PluginError::NotFound { known, .. }) => {
            let known: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
            return Err(WorkflowError::NoPlugin {
                message: format!("there is no provider `{provider}`"),
                help: format!("there are {}; name another one's file with `--plugin FILE`", known.join(", ")),
            });
        }
        Err(error) => return Err(plugin_error(provider, error)),
    };
    let fetcher = Fetcher::new(options.embedded.clone(), options.cache.clone(), options.interrupt.clone());
    let (address, bundles) = bundles(&fetcher, &options.release, false).await?;
    let release = Release::from_parts(&bundles, &address, BTreeMap::new())?;
    let settings = [("kubernetes-version".to_owned(), release.default_kubernetes_version().to_string())];
    let yaml = plugin.generate(name, &settings).await.map_err(|e| plugin_error(provider, e))?;
    Ok(GenerateOutcome { yaml: for_editors(&yaml) })
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
