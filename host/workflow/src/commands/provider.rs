//! Commands of a provider's own: what they do is the plugin's, what they may reach is decided here.

use std::collections::BTreeMap;
use std::sync::Arc;

use kedge_plugin::{Plugin, PluginError, SecretStore};
use kedge_spec::provider::{CommandAnswer, EndpointNeed, ProviderCommand, ProviderDocument};
use kedge_spec::{Severity, Spec};
use serde_json::{Map, Value, json};

use super::generate::plugin_named;
use crate::error::WorkflowError;
use crate::load::{self, catalog, plugin_error, read_spec};
use crate::options::Options;

/// A provider and its commands.
#[derive(Debug)]
pub struct ProviderCommands {
    plugin: Plugin,
    /// What there is, in the provider's order.
    pub commands: Vec<ProviderCommand>,
}

/// A server that an argument names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// Host or host:port.
    pub address: String,
    /// Take any certificate.
    pub insecure: bool,
    /// The thumbprint of the one to take.
    pub thumbprint: Option<String>,
}

/// What a command is called with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Arguments that were given, by name; a repeated one comes several times.
    pub arguments: Vec<(String, String)>,
    /// Servers by the provider's names for them.
    pub servers: BTreeMap<String, Server>,
}

/// The commands of a provider; none if there is no provider of that name.
pub async fn provider_commands(options: &Options, name: &str) -> Result<Option<ProviderCommands>, WorkflowError> {
    let (host, catalog) = catalog(options, None)?;
    let plugin = match host.named(&catalog, name).await {
        Ok(plugin) => plugin,
        Err(PluginError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(plugin_error(name, error)),
    };
    of(plugin).await.map(Some)
}

/// The commands of a provider that has to be there.
pub(crate) async fn commands_of(options: &Options, name: &str) -> Result<ProviderCommands, WorkflowError> {
    of(plugin_named(options, name).await?).await
}

async fn of(plugin: Plugin) -> Result<ProviderCommands, WorkflowError> {
    let commands = plugin.commands().await.map_err(|e| plugin_error(&plugin.description().name, e))?;
    Ok(ProviderCommands { plugin, commands })
}

impl ProviderCommands {
    /// The provider's title, for people.
    pub fn title(&self) -> &str {
        &self.plugin.description().title
    }

    /// The names of providers' environment variables with what each is for.
    pub fn credentials(&self) -> Vec<(String, String)> {
        let needs = self.plugin.description().secrets.iter();
        needs.flat_map(|n| n.environment.iter().map(|e| (e.clone(), n.purpose.clone()))).collect()
    }

    /// Runs one of the commands.
    pub async fn run(&self, options: &Options, command: &str, given: &Given) -> Result<CommandAnswer, WorkflowError> {
        let description = self.plugin.description();
        let known = self.commands.iter().find(|c| c.name == command);
        let Some(known) = known else {
            return Err(WorkflowError::Input {
                message: format!("the provider `{}` has no command `{command}`", description.name),
                help: format!("`kedge {} --help` lists them", description.name),
            });
        };
        let documents = match options.spec {
            Some(_) => {
                Spec::parse(read_spec(options)?)?.documents().iter().map(kedge_spec::Document::to_provider).collect()
            }
            None => Vec::new(),
        };
        let mut places: Vec<ProviderDocument> = documents.clone();
        for need in &description.endpoints {
            if let Some(server) = given.servers.get(&need.name) {
                // What the command line says goes before what the spec says.
                places.insert(0, place(need, server));
            }
        }
        let secrets = Arc::new(SecretStore::from_lookup(description, |name| (options.environment)(name)));
        options.plugin_rules.admit(&self.plugin, None).map_err(|e| plugin_error(&description.name, e))?;
        let environment = load::environment(&self.plugin, &places, secrets, options)?;
        let mut arguments = given.arguments.clone();
        for argument in &known.arguments {
            if let Some(default) =
                argument.default.as_ref().filter(|_| !arguments.iter().any(|(n, _)| *n == argument.name))
            {
                arguments.push((argument.name.clone(), default.clone()));
            }
        }
        let answer = self.plugin.run_command(command, &arguments, &documents, &environment).await;
        let answer = answer.map_err(|e| plugin_error(&description.name, e))?;
        if answer.findings.iter().any(|f| f.severity == Severity::Error) {
            let command = format!("{} {command}", description.name);
            return Err(WorkflowError::Command { command, changes: known.changes, answer: Box::new(answer) });
        }
        Ok(answer)
    }
}

/// A document that names a server as a spec would.
fn place(need: &EndpointNeed, server: &Server) -> ProviderDocument {
    let mut body = json!({});
    set(&mut body, &need.server_field, json!(server.address));
    if let Some(field) = need.insecure_field.as_deref().filter(|_| server.insecure) {
        set(&mut body, field, json!(true));
    }
    if let (Some(field), Some(thumbprint)) = (need.thumbprint_field.as_deref(), &server.thumbprint) {
        set(&mut body, field, json!(thumbprint));
    }
    let name = "command line".to_owned();
    ProviderDocument { api_version: String::new(), kind: need.kind.clone(), name, body }
}

/// Sets a field by its path of names.
fn set(document: &mut Value, path: &str, value: Value) {
    let mut at = document;
    for step in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(map) = at else { return };
        at = map.entry(step.to_owned()).or_insert(Value::Null);
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_the_command_line_reads_like_one_of_a_spec() {
        let need = EndpointNeed {
            name: "hub".into(),
            purpose: String::new(),
            kind: "Hub".into(),
            server_field: "spec.servers.main".into(),
            default_port: 443,
            insecure_field: Some("spec.insecure".into()),
            thumbprint_field: Some("spec.thumbprint".into()),
        };
        let server = Server { address: "hub.example:8443".into(), insecure: false, thumbprint: Some("AB".into()) };
        let body = place(&need, &server).body;
        assert_eq!(body, json!({"spec": {"servers": {"main": "hub.example:8443"}, "thumbprint": "AB"}}));
    }
}
