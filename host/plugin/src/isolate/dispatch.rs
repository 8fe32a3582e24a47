//! A question by its name, and the answer as JSON: the same forms that a recording has.

use std::collections::BTreeMap;

use kedge_spec::provider::{
    Contributions, InfrastructureObjects, MachineTemplate, Manifest, NodeContribution, ProviderDocument, ProviderInput,
    Role,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::contract::{Answer, CallError, Session};
use crate::recording::{contributions, value};

/// Names of functions, for what comes through the pipe as text.
const FUNCTIONS: [&str; 19] = [
    "start",
    "describe",
    "config.schema",
    "config.generate",
    "config.defaults",
    "config.check",
    "machines.templates",
    "machines.nodes",
    "manifests.infrastructure",
    "manifests.addons",
    "contributions",
    "preflight.plan",
    "preflight.run",
    "upgrade.compare",
    "commands.list",
    "commands.run",
    "lifecycle.steps",
    "lifecycle.before",
    "lifecycle.after",
];

/// The function of that name.
pub(super) fn known(name: &str) -> Option<&'static str> {
    FUNCTIONS.into_iter().find(|known| *known == name)
}

/// Asks a session.
pub(super) async fn dispatch(session: &mut dyn Session, function: &str, question: &Value) -> Answer<Value> {
    let Some(known) = known(function) else {
        return Err(CallError::Nonsense(format!("there is no function `{function}`")));
    };
    session.state().calls.during = known;
    let q = question;
    Ok(match known {
        "describe" => value(&session.describe().await?),
        "config.schema" => session.schema(&text(q, "kind")?).await?,
        "config.generate" => value(&session.generate(&text(q, "name")?, &get::<Vec<_>>(q, "options")?).await?),
        "config.defaults" => value(&session.defaults(&documents(q, "documents")?).await?),
        "config.check" => value(&session.check(&documents(q, "documents")?).await?),
        "machines.templates" => value(&session.templates(&input(q)?).await?),
        "machines.nodes" => value(&session.nodes(&input(q)?, &get::<Vec<Role>>(q, "roles")?).await?),
        "manifests.infrastructure" => value(&session.infrastructure(&input(q)?).await?),
        "manifests.addons" => value(&session.addons(&input(q)?).await?),
        "contributions" => contributions(&session.contributions(&input(q)?, &get::<Vec<Role>>(q, "roles")?).await?),
        "preflight.plan" => value(&session.preflight_plan(&input(q)?).await?),
        "preflight.run" => session.preflight_run(&input(q)?, &get::<Vec<String>>(q, "skip")?).await?,
        "upgrade.compare" => value(&session.compare(&documents(q, "old")?, &documents(q, "new")?).await?),
        "commands.list" => value(&session.commands().await?),
        "commands.run" => {
            let arguments: Vec<(String, String)> = get(q, "arguments")?;
            value(&session.run_command(&text(q, "command")?, &arguments, &documents(q, "documents")?).await?)
        }
        "lifecycle.steps" => value(&session.lifecycle_steps().await?),
        "lifecycle.before" => value(&session.lifecycle_before(&text(q, "step")?, &input(q)?).await?),
        "lifecycle.after" => value(&session.lifecycle_after(&text(q, "step")?, &input(q)?).await?),
        other => return Err(CallError::Nonsense(format!("`{other}` can't be asked"))),
    })
}

/// What `contributions` answered, back from its form in JSON: roles can't be keys there.
pub(super) fn contributed(said: Value) -> serde_json::Result<Contributions> {
    #[derive(Deserialize)]
    struct Given {
        templates: Vec<MachineTemplate>,
        nodes: Vec<(Role, NodeContribution)>,
        infrastructure: InfrastructureObjects,
        addons: Vec<Manifest>,
    }
    let Given { templates, nodes, infrastructure, addons } = serde_json::from_value(said)?;
    Ok(Contributions { templates, nodes: BTreeMap::from_iter(nodes), infrastructure, addons })
}

fn get<T: DeserializeOwned>(question: &Value, name: &str) -> Answer<T> {
    let value = question.get(name).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|e| CallError::Nonsense(format!("the question has no usable `{name}`: {e}")))
}

fn text(question: &Value, name: &str) -> Answer<String> {
    get(question, name)
}

fn documents(question: &Value, name: &str) -> Answer<Vec<ProviderDocument>> {
    get(question, name)
}

fn input(question: &Value) -> Answer<ProviderInput> {
    get(question, "input")
}
