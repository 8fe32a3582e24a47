//! The parent's side of a session that runs in a process.

use std::process::Stdio;

use async_trait::async_trait;
use kedge_spec::finding::Finding;
use kedge_spec::provider::{
    Change, Check, CommandAnswer, Compared, Contributions, Description, InfrastructureObjects, MachineTemplate,
    Manifest, NodeContribution, ProviderCommand, ProviderDocument, ProviderInput, Role,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use wasmtime::Store;

use super::dispatch::{contributed, known};
use super::wire::{Begin, Down, End, Explained, Up, frame, length};
use super::{ARGUMENT, Apart};
use crate::contract::{Answer, CallError, Session};
use crate::engine::compatibility;
use crate::session::State;

pub(super) struct Remote {
    /// Holds the calls into the host; nothing runs in it.
    store: Store<State>,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// A process that is not what it should be, as the end of a session.
fn broken(why: impl std::fmt::Display) -> Explained {
    Explained(End::Trap { why: format!("its process {why}"), frames: Vec::new() })
}

impl Remote {
    pub(super) fn start(apart: &Apart, store: Store<State>) -> Result<Self, (Explained, Box<Store<State>>)> {
        let spawned = Command::new(&apart.program)
            .arg(ARGUMENT)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(e) => {
                return Err((broken(format!("`{}` does not start: {e}", apart.program.display())), Box::new(store)));
            }
        };
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { store, child, input, output }),
            _ => Err((broken("has no pipes"), Box::new(store))),
        }
    }

    pub(super) fn into_store(self) -> Store<State> {
        self.store
    }

    /// Hands the code over. Returns how the process is confined.
    pub(super) async fn opened(&mut self, apart: &Apart) -> wasmtime::Result<String> {
        let state = self.store.data();
        let begin = Begin {
            plugin: state.calls.plugin.to_string(),
            digest: state.calls.digest().to_owned(),
            contract: apart.contract.to_owned(),
            limits: (*state.limits).clone(),
            compatibility: compatibility(self.store.engine()),
            code: apart.code.len() as u64,
        };
        self.send(&begin).await?;
        // A process that ends early says why itself, or by how it ends.
        let _ = self.input.write_all(&apart.code).await;
        match self.next().await? {
            Up::Opened(confined) => Ok(confined),
            Up::End(end) => Err(Explained(end).into()),
            Up::Said(_) | Up::Call { .. } => Err(broken("answered before it was asked").into()),
        }
    }

    async fn send(&mut self, value: &impl Serialize) -> Result<(), Explained> {
        let bytes = frame(value).map_err(broken)?;
        // As above.
        let _ = self.input.write_all(&bytes).await;
        Ok(())
    }

    /// Answers the component's calls until the process says something else.
    async fn next(&mut self) -> wasmtime::Result<Up> {
        loop {
            let mut head = [0; 4];
            if self.output.read_exact(&mut head).await.is_err() {
                let status = self.child.wait().await?;
                return Err(broken(format!("ended ({status})")).into());
            }
            let mut bytes = Vec::new();
            let wanted = length(head).map_err(broken)? as u64;
            (&mut self.output).take(wanted).read_to_end(&mut bytes).await.map_err(broken)?;
            let up = serde_json::from_slice(&bytes).map_err(|e| broken(format!("says what can't be read: {e}")))?;
            let Up::Call { during, call } = up else { return Ok(up) };
            let state = self.store.data_mut();
            if let Some(during) = known(&during) {
                state.calls.during = during;
            }
            let answer = state.calls.call(call).await?;
            self.send(&Down::Answer(answer)).await?;
        }
    }

    async fn said(&mut self, function: &'static str, question: Value) -> Answer<Value> {
        let ask = Down::Ask { function: function.to_owned(), question };
        self.send(&ask).await.map_err(wasmtime::Error::from)?;
        match self.next().await? {
            Up::Said(said) => Ok(said),
            Up::End(End::Failed(failure)) => Err(CallError::Failed(failure)),
            Up::End(End::Absent(what)) => {
                let parts = ["preflight", "upgrade", "lifecycle", "commands"];
                Err(match parts.into_iter().find(|part| *part == what) {
                    Some(part) => CallError::Absent(part),
                    None => CallError::Nonsense(format!("it has no `{what}`")),
                })
            }
            Up::End(end) => Err(CallError::Ended(Explained(end).into())),
            Up::Opened(_) | Up::Call { .. } => Err(CallError::Ended(broken("answers what was not asked").into())),
        }
    }

    async fn ask<T: DeserializeOwned>(&mut self, function: &'static str, question: Value) -> Answer<T> {
        let said = self.said(function, question).await?;
        serde_json::from_value(said).map_err(unreadable)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is the shape of `map_err`")]
fn unreadable(error: serde_json::Error) -> CallError {
    CallError::Nonsense(format!("its process answered what can't be read: {error}"))
}

#[async_trait]
impl Session for Remote {
    fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    async fn describe(&mut self) -> Answer<Description> {
        self.ask("describe", json!({})).await
    }

    async fn schema(&mut self, kind: &str) -> Answer<Value> {
        self.ask("config.schema", json!({"kind": kind})).await
    }

    async fn generate(&mut self, name: &str, options: &[(String, String)]) -> Answer<String> {
        self.ask("config.generate", json!({"name": name, "options": options})).await
    }

    async fn defaults(&mut self, documents: &[ProviderDocument]) -> Answer<(Vec<ProviderDocument>, Vec<Change>)> {
        self.ask("config.defaults", json!({"documents": documents})).await
    }

    async fn check(&mut self, documents: &[ProviderDocument]) -> Answer<Vec<Finding>> {
        self.ask("config.check", json!({"documents": documents})).await
    }

    async fn templates(&mut self, input: &ProviderInput) -> Answer<Vec<MachineTemplate>> {
        self.ask("machines.templates", json!({"input": input})).await
    }

    async fn nodes(&mut self, input: &ProviderInput, roles: &[Role]) -> Answer<Vec<NodeContribution>> {
        self.ask("machines.nodes", json!({"input": input, "roles": roles})).await
    }

    async fn infrastructure(&mut self, input: &ProviderInput) -> Answer<InfrastructureObjects> {
        self.ask("manifests.infrastructure", json!({"input": input})).await
    }

    async fn addons(&mut self, input: &ProviderInput) -> Answer<Vec<Manifest>> {
        self.ask("manifests.addons", json!({"input": input})).await
    }

    async fn contributions(&mut self, input: &ProviderInput, roles: &[Role]) -> Answer<Contributions> {
        let said = self.said("contributions", json!({"input": input, "roles": roles})).await?;
        contributed(said).map_err(unreadable)
    }

    async fn preflight_plan(&mut self, input: &ProviderInput) -> Answer<Vec<Check>> {
        self.ask("preflight.plan", json!({"input": input})).await
    }

    async fn preflight_run(&mut self, input: &ProviderInput, skip: &[String]) -> Answer<Value> {
        self.ask("preflight.run", json!({"input": input, "skip": skip})).await
    }

    async fn compare(&mut self, old: &[ProviderDocument], new: &[ProviderDocument]) -> Answer<Vec<Compared>> {
        self.ask("upgrade.compare", json!({"old": old, "new": new})).await
    }

    async fn lifecycle_steps(&mut self) -> Answer<Vec<String>> {
        self.ask("lifecycle.steps", json!({})).await
    }

    async fn lifecycle_before(&mut self, step: &str, input: &ProviderInput) -> Answer<()> {
        self.ask("lifecycle.before", json!({"step": step, "input": input})).await
    }

    async fn lifecycle_after(&mut self, step: &str, input: &ProviderInput) -> Answer<()> {
        self.ask("lifecycle.after", json!({"step": step, "input": input})).await
    }

    async fn commands(&mut self) -> Answer<Vec<ProviderCommand>> {
        self.ask("commands.list", json!({})).await
    }

    async fn run_command(
        &mut self,
        command: &str,
        arguments: &[(String, String)],
        documents: &[ProviderDocument],
    ) -> Answer<CommandAnswer> {
        self.ask("commands.run", json!({"command": command, "arguments": arguments, "documents": documents})).await
    }
}
