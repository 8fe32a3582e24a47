//! A recording asked again of a plugin, offline.

use std::sync::Arc;

use kedge_spec::provider::{ProviderDocument, ProviderInput, Role};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Playback, RecordedSession, Recording};
use crate::environment::Environment;
use crate::error::PluginError;
use crate::plugin::Plugin;

/// Where a plugin does another thing than was recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The session, from 1.
    pub session: usize,
    /// The function that was called.
    pub function: String,
    /// `call 3`, or `the answer`.
    pub place: String,
    /// What was recorded there; none if nothing was.
    pub recorded: Option<Value>,
    /// What the plugin does there now; none if nothing.
    pub now: Option<Value>,
}

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// Sessions that were asked again and are the same.
    pub same: usize,
    /// Calls in them.
    pub calls: usize,
    /// The first difference, if there is one; nothing after it was asked.
    pub difference: Option<Difference>,
}

/// Asks a plugin everything that was asked of the recorded one, and answers its calls as they were answered then.
/// Nothing is reached: no server, no secret.
///
/// # Errors
/// A session that can't be asked again: a function that this version does not know, arguments that are none.
pub async fn replay(plugin: &Plugin, recording: &Recording) -> Result<Replayed, PluginError> {
    let mut replayed = Replayed { same: 0, calls: 0, difference: None };
    for (index, session) in recording.sessions.iter().enumerate() {
        let of_it = session.plugin == plugin.description().name || session.function == "describe";
        if !of_it {
            continue;
        }
        let playback = Arc::new(Playback::new(session.clone()));
        if session.function == "describe" {
            // It was asked when it was loaded; another plugin's description is none of this one's.
            let said: Result<Value, String> = Ok(super::value(plugin.description()));
            if session.said.as_ref().is_ok_and(|s| s.get("name") != said.as_ref().ok().and_then(|s| s.get("name"))) {
                continue;
            }
            playback.end(&said);
        } else {
            ask(&plugin.playing(playback.clone()), session).await?;
        }
        if let Some(difference) = playback.difference() {
            replayed.difference = Some(Difference { session: index + 1, ..difference });
            return Ok(replayed);
        }
        replayed.same += 1;
        replayed.calls += session.calls.len();
    }
    Ok(replayed)
}

/// Asks once. What the plugin says, errors included, is compared by the playback.
async fn ask(plugin: &Plugin, session: &RecordedSession) -> Result<(), PluginError> {
    let input = || argument::<ProviderInput>(session, "input");
    let documents = |name| argument::<Vec<ProviderDocument>>(session, name);
    let text = |name| argument::<String>(session, name);
    let nothing = Environment::nothing();
    match session.function.as_str() {
        "config.schema" => drop(plugin.schema(&text("kind")?).await),
        "config.generate" => {
            drop(plugin.generate(&text("name")?, &argument::<Vec<(String, String)>>(session, "options")?).await);
        }
        "config.defaults" => drop(plugin.defaults(&documents("documents")?).await),
        "config.check" => drop(plugin.check(&documents("documents")?).await),
        "machines.templates" => drop(plugin.templates(&input()?).await),
        "machines.nodes" => drop(plugin.nodes(&input()?, &argument::<Vec<Role>>(session, "roles")?).await),
        "manifests.infrastructure" => drop(plugin.infrastructure(&input()?).await),
        "manifests.addons" => drop(plugin.addons(&input()?).await),
        "contributions" => drop(plugin.contributions(&input()?, &argument::<Vec<Role>>(session, "roles")?).await),
        "preflight.plan" => drop(plugin.preflight_plan(&input()?, &nothing).await),
        "preflight.run" => {
            let (outcomes, _nobody) = tokio::sync::mpsc::unbounded_channel();
            let skip = argument::<Vec<String>>(session, "skip")?;
            drop(plugin.preflight_run(&input()?, &skip, &nothing, outcomes).await);
        }
        "upgrade.compare" => drop(plugin.compare(&documents("old")?, &documents("new")?).await),
        "commands.list" => drop(plugin.commands().await),
        "commands.run" => {
            let arguments = argument::<Vec<(String, String)>>(session, "arguments")?;
            drop(plugin.run_command(&text("command")?, &arguments, &documents("documents")?, &nothing).await);
        }
        "lifecycle.steps" => drop(plugin.lifecycle_steps().await),
        "lifecycle.before" => drop(plugin.lifecycle_before(&text("step")?, &input()?, &nothing).await),
        "lifecycle.after" => drop(plugin.lifecycle_after(&text("step")?, &input()?, &nothing).await),
        other => {
            return Err(PluginError::Recording {
                path: "the recording".into(),
                why: format!("it has a session of `{other}`, which this kedge can't ask for"),
            });
        }
    }
    Ok(())
}

fn argument<T: DeserializeOwned>(session: &RecordedSession, name: &str) -> Result<T, PluginError> {
    let value = session.question.get(name).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|e| PluginError::Recording {
        path: "the recording".into(),
        why: format!("the session of `{}` has no usable `{name}`: {e}", session.function),
    })
}
