//! Contract 0.1.

mod answers;
mod imports;
mod questions;

use std::sync::Arc;

use async_trait::async_trait;
use kedge_spec::finding::Finding;
use kedge_spec::provider::{
    Change, Check, CommandAnswer, Compared, Contributions, Description, InfrastructureObjects, MachineTemplate,
    Manifest, NodeContribution, ProviderCommand, ProviderDocument, ProviderInput, Role,
};
use semver::Version;
use serde_json::Value;
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};
use wasmtime::{Engine, Store};

use self::bindings::kedge::provider::types;
use super::text::json;
use super::{Answer, CallError, Contract, Optional, Prepared, Session};
use crate::inert;
use crate::limits::Limits;
use crate::session::State;

/// The required world.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, unreachable_pub)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "provider",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "kedge:provider/endpoints.endpoint": super::imports::Handle },
    });
}

/// The optional parts, each a world of its own.
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, unreachable_pub)]
mod preflight {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "with-preflight",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "kedge:provider": super::bindings::kedge::provider },
    });
}

#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, unreachable_pub)]
mod upgrade {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "with-upgrade",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "kedge:provider": super::bindings::kedge::provider },
    });
}

#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, unreachable_pub)]
mod lifecycle {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "with-lifecycle",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "kedge:provider": super::bindings::kedge::provider },
    });
}

#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, unreachable_pub)]
mod commands {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "with-commands",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "kedge:provider": super::bindings::kedge::provider },
    });
}

pub(super) struct V0_1;

impl Contract for V0_1 {
    fn name(&self) -> &'static str {
        "0.1"
    }

    fn speaks(&self, version: &Version) -> bool {
        version.major == 0 && version.minor == 1 && version.pre.is_empty()
    }

    fn imports(&self) -> &'static [&'static str] {
        &["types", "log", "report", "endpoints", "secrets", "container-engine"]
    }

    fn exports(&self) -> &'static [&'static str] {
        &["describe", "config", "machines", "manifests"]
    }

    fn linker(&self, engine: &Engine) -> wasmtime::Result<Linker<State>> {
        let mut linker = Linker::new(engine);
        bindings::Provider::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        inert::link(&mut linker)?;
        Ok(linker)
    }

    fn prepare(&self, component: InstancePre<State>) -> wasmtime::Result<Box<dyn Prepared>> {
        let provider = bindings::ProviderIndices::new(&component)?;
        Ok(Box::new(Component {
            provider,
            preflight: preflight::WithPreflightIndices::new(&component).ok(),
            upgrade: upgrade::WithUpgradeIndices::new(&component).ok(),
            lifecycle: lifecycle::WithLifecycleIndices::new(&component).ok(),
            commands: commands::WithCommandsIndices::new(&component).ok(),
            linked: component,
        }))
    }
}

struct Component {
    linked: InstancePre<State>,
    provider: bindings::ProviderIndices,
    preflight: Option<preflight::WithPreflightIndices>,
    upgrade: Option<upgrade::WithUpgradeIndices>,
    lifecycle: Option<lifecycle::WithLifecycleIndices>,
    commands: Option<commands::WithCommandsIndices>,
}

#[async_trait]
impl Prepared for Component {
    fn optional(&self) -> Optional {
        Optional {
            preflight: self.preflight.is_some(),
            upgrade: self.upgrade.is_some(),
            lifecycle: self.lifecycle.is_some(),
            commands: self.commands.is_some(),
        }
    }

    async fn open(&self, mut store: Store<State>) -> Result<Box<dyn Session>, (wasmtime::Error, Box<Store<State>>)> {
        let opened = async {
            let instance = self.linked.instantiate_async(&mut store).await?;
            let provider = self.provider.load(&mut store, &instance)?;
            let preflight = self.preflight.as_ref().map(|i| i.load(&mut store, &instance)).transpose()?;
            let upgrade = self.upgrade.as_ref().map(|i| i.load(&mut store, &instance)).transpose()?;
            let lifecycle = self.lifecycle.as_ref().map(|i| i.load(&mut store, &instance)).transpose()?;
            let commands = self.commands.as_ref().map(|i| i.load(&mut store, &instance)).transpose()?;
            Ok::<_, wasmtime::Error>((instance, provider, preflight, upgrade, lifecycle, commands))
        };
        match opened.await {
            Ok((instance, provider, preflight, upgrade, lifecycle, commands)) => {
                Ok(Box::new(Open { store, _instance: instance, provider, preflight, upgrade, lifecycle, commands }))
            }
            Err(error) => Err((error, Box::new(store))),
        }
    }
}

/// How many roles are asked with at once: an answer for all of a large spec would be too much for one call.
const ROLES: usize = 100;

struct Open {
    store: Store<State>,
    _instance: Instance,
    provider: bindings::Provider,
    preflight: Option<preflight::WithPreflight>,
    upgrade: Option<upgrade::WithUpgrade>,
    lifecycle: Option<lifecycle::WithLifecycle>,
    commands: Option<commands::WithCommands>,
}

impl Open {
    fn limits(&self) -> Arc<Limits> {
        self.store.data().limits.clone()
    }

    /// In calls of [`ROLES`] each.
    async fn nodes_of(&mut self, given: &types::Input, roles: &[Role]) -> Answer<Vec<NodeContribution>> {
        let machines = self.provider.kedge_provider_machines();
        let mut nodes = Vec::with_capacity(roles.len());
        for roles in roles.chunks(ROLES) {
            let asked: Vec<_> = roles.iter().map(questions::role).collect();
            let answer = machines.call_nodes(&mut self.store, given, &asked).await?;
            nodes.extend(answers::nodes(answer.map_err(answers::failure)?, roles.len())?);
        }
        Ok(nodes)
    }
}

#[async_trait]
impl Session for Open {
    fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    async fn describe(&mut self) -> Answer<Description> {
        let answer = self.provider.kedge_provider_describe().call_describe(&mut self.store).await?;
        answers::description(answer)
    }

    async fn schema(&mut self, kind: &str) -> Answer<Value> {
        let limits = self.limits();
        let answer = self.provider.kedge_provider_config().call_schema(&mut self.store, kind).await?;
        json(&limits, "the schema", &answer.map_err(answers::failure)?)
    }

    async fn generate(&mut self, name: &str, options: &[(String, String)]) -> Answer<String> {
        let answer = self.provider.kedge_provider_config().call_generate(&mut self.store, name, options).await?;
        answer.map_err(answers::failure)
    }

    async fn defaults(&mut self, documents: &[ProviderDocument]) -> Answer<(Vec<ProviderDocument>, Vec<Change>)> {
        let limits = self.limits();
        let given = questions::documents(documents);
        let answer = self.provider.kedge_provider_config().call_defaults(&mut self.store, &given).await?;
        answers::defaulted(&limits, documents, answer.map_err(answers::failure)?)
    }

    async fn check(&mut self, documents: &[ProviderDocument]) -> Answer<Vec<Finding>> {
        let given = questions::documents(documents);
        let answer = self.provider.kedge_provider_config().call_check(&mut self.store, &given).await?;
        Ok(answer.into_iter().map(answers::finding).collect())
    }

    async fn templates(&mut self, input: &ProviderInput) -> Answer<Vec<MachineTemplate>> {
        let limits = self.limits();
        let given = questions::input(input);
        let answer = self.provider.kedge_provider_machines().call_templates(&mut self.store, &given).await?;
        answers::templates(&limits, answer.map_err(answers::failure)?)
    }

    async fn nodes(&mut self, input: &ProviderInput, roles: &[Role]) -> Answer<Vec<NodeContribution>> {
        let given = questions::input(input);
        self.nodes_of(&given, roles).await
    }

    async fn infrastructure(&mut self, input: &ProviderInput) -> Answer<InfrastructureObjects> {
        let limits = self.limits();
        let given = questions::input(input);
        let answer = self.provider.kedge_provider_manifests().call_infrastructure(&mut self.store, &given).await?;
        answers::infrastructure(&limits, answer.map_err(answers::failure)?)
    }

    async fn addons(&mut self, input: &ProviderInput) -> Answer<Vec<Manifest>> {
        let limits = self.limits();
        let given = questions::input(input);
        let answer = self.provider.kedge_provider_manifests().call_addons(&mut self.store, &given).await?;
        answers::manifests(&limits, answer.map_err(answers::failure)?)
    }

    async fn contributions(&mut self, input: &ProviderInput, roles: &[Role]) -> Answer<Contributions> {
        let limits = self.limits();
        let given = questions::input(input);
        self.store.data_mut().calls.during = "machines.templates";
        let templates = answers::templates(
            &limits,
            self.provider
                .kedge_provider_machines()
                .call_templates(&mut self.store, &given)
                .await?
                .map_err(answers::failure)?,
        )?;
        self.store.data_mut().calls.during = "machines.nodes";
        let nodes = roles.iter().cloned().zip(self.nodes_of(&given, roles).await?).collect();
        let manifests = self.provider.kedge_provider_manifests();
        self.store.data_mut().calls.during = "manifests.infrastructure";
        let infrastructure = answers::infrastructure(
            &limits,
            manifests.call_infrastructure(&mut self.store, &given).await?.map_err(answers::failure)?,
        )?;
        self.store.data_mut().calls.during = "manifests.addons";
        let addons = answers::manifests(
            &limits,
            manifests.call_addons(&mut self.store, &given).await?.map_err(answers::failure)?,
        )?;
        Ok(Contributions { templates, nodes, infrastructure, addons })
    }

    async fn preflight_plan(&mut self, input: &ProviderInput) -> Answer<Vec<Check>> {
        let preflight = self.preflight.as_ref().ok_or(CallError::Absent("preflight"))?;
        let given = questions::input(input);
        let answer = preflight.kedge_provider_preflight().call_plan(&mut self.store, &given).await?;
        answers::plan(answer.map_err(answers::failure)?)
    }

    async fn preflight_run(&mut self, input: &ProviderInput, skip: &[String]) -> Answer<Value> {
        let limits = self.limits();
        let preflight = self.preflight.as_ref().ok_or(CallError::Absent("preflight"))?;
        let given = questions::input(input);
        let answer = preflight.kedge_provider_preflight().call_run(&mut self.store, &given, skip).await?;
        answers::object(&limits, "what it found out", &answer.map_err(answers::failure)?)
    }

    async fn compare(&mut self, old: &[ProviderDocument], new: &[ProviderDocument]) -> Answer<Vec<Compared>> {
        let upgrade = self.upgrade.as_ref().ok_or(CallError::Absent("upgrade"))?;
        let (old, new) = (questions::documents(old), questions::documents(new));
        let answer = upgrade.kedge_provider_upgrade().call_compare(&mut self.store, &old, &new).await?;
        answers::compared(answer.map_err(answers::failure)?)
    }

    async fn commands(&mut self) -> Answer<Vec<ProviderCommand>> {
        let commands = self.commands.as_ref().ok_or(CallError::Absent("commands"))?;
        answers::commands(commands.kedge_provider_commands().call_list(&mut self.store).await?)
    }

    async fn run_command(
        &mut self,
        command: &str,
        arguments: &[(String, String)],
        documents: &[ProviderDocument],
    ) -> Answer<CommandAnswer> {
        let limits = self.limits();
        let commands = self.commands.as_ref().ok_or(CallError::Absent("commands"))?;
        let documents = questions::documents(documents);
        let interface = commands.kedge_provider_commands();
        let answer = interface.call_run(&mut self.store, command, arguments, &documents).await?;
        answers::command(&limits, answer.map_err(answers::failure)?)
    }

    async fn lifecycle_steps(&mut self) -> Answer<Vec<String>> {
        let lifecycle = self.lifecycle.as_ref().ok_or(CallError::Absent("lifecycle"))?;
        Ok(lifecycle.kedge_provider_lifecycle().call_steps(&mut self.store).await?)
    }

    async fn lifecycle_before(&mut self, step: &str, input: &ProviderInput) -> Answer<()> {
        let lifecycle = self.lifecycle.as_ref().ok_or(CallError::Absent("lifecycle"))?;
        let given = questions::input(input);
        let answer = lifecycle.kedge_provider_lifecycle().call_before(&mut self.store, step, &given).await?;
        answer.map_err(answers::failure)
    }

    async fn lifecycle_after(&mut self, step: &str, input: &ProviderInput) -> Answer<()> {
        let lifecycle = self.lifecycle.as_ref().ok_or(CallError::Absent("lifecycle"))?;
        let given = questions::input(input);
        let answer = lifecycle.kedge_provider_lifecycle().call_after(&mut self.store, step, &given).await?;
        answer.map_err(answers::failure)
    }
}
