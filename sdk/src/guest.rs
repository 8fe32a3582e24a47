//! How a [`Provider`] becomes a component: the glue between the generated bindings and the traits.

use std::marker::PhantomData;

use serde_json::Value;

use crate::bindings::commands::exports::kedge::provider::commands;
use crate::bindings::exports::kedge::provider::{config, describe, machines, manifests};
use crate::bindings::kedge::provider::{container_engine, endpoints, log, report, secrets, types};
use crate::bindings::lifecycle::exports::kedge::provider::lifecycle;
use crate::bindings::preflight::exports::kedge::provider::preflight;
use crate::bindings::upgrade::exports::kedge::provider::upgrade;
use crate::endpoint::{Endpoint, EndpointError, Granted};
use crate::host::{EngineError, EngineInfo, EngineVersion, Host, Level, Network, Outcome};
use crate::{
    Arguments, Commands, Compared, Defaulting, Document, Documents, Failure, Finding, Findings, Input, Lifecycle,
    Options, Placed, Preflight, Provider, Release, Role, Upgrade,
};

/// Exports a provider as a component. The optional interfaces are named, because a host probes for each of them:
/// `kedge_sdk::export!(Acme);` or `kedge_sdk::export!(Acme, with preflight, upgrade);`.
#[macro_export]
macro_rules! export {
    ($provider:ty) => { $crate::export!($provider, with); };
    ($provider:ty, with $($optional:ident),* $(,)?) => {
        const _: () = {
            #[allow(dead_code)]
            type KedgeComponent = $crate::guest::Component<$provider>;
            const fn is_provider<T: $crate::Provider + Default>() {}
            is_provider::<$provider>();
            #[cfg(target_family = "wasm")]
            $crate::bindings::export_provider!(KedgeComponent with_types_in $crate::bindings);
            $($crate::export!(@optional $optional, $provider, KedgeComponent);)*
        };
    };
    (@optional preflight, $provider:ty, $component:ident) => {
        const fn has_preflight<T: $crate::Preflight>() {}
        has_preflight::<$provider>();
        #[cfg(target_family = "wasm")]
        $crate::bindings::preflight::export_preflight!($component with_types_in $crate::bindings::preflight);
    };
    (@optional upgrade, $provider:ty, $component:ident) => {
        const fn has_upgrade<T: $crate::Upgrade>() {}
        has_upgrade::<$provider>();
        #[cfg(target_family = "wasm")]
        $crate::bindings::upgrade::export_upgrade!($component with_types_in $crate::bindings::upgrade);
    };
    (@optional commands, $provider:ty, $component:ident) => {
        const fn has_commands<T: $crate::Commands>() {}
        has_commands::<$provider>();
        #[cfg(target_family = "wasm")]
        $crate::bindings::commands::export_commands!($component with_types_in $crate::bindings::commands);
    };
    (@optional lifecycle, $provider:ty, $component:ident) => {
        const fn has_lifecycle<T: $crate::Lifecycle>() {}
        has_lifecycle::<$provider>();
        #[cfg(target_family = "wasm")]
        $crate::bindings::lifecycle::export_lifecycle!($component with_types_in $crate::bindings::lifecycle);
    };
}

/// A provider as a component.
#[derive(Debug)]
pub struct Component<P>(PhantomData<P>);

fn parse(text: &str, what: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Internal(format!("{what} is no JSON: {error}")))
}

fn document_in(document: types::Document) -> Result<Document, Failure> {
    let body = parse(&document.body, "a document")?;
    Ok(Document { api_version: document.api_version, kind: document.kind, name: document.name, body })
}

fn documents_in(documents: Vec<types::Document>) -> Result<Documents, Failure> {
    documents.into_iter().map(document_in).collect::<Result<_, _>>().map(Documents::new)
}

fn document_out(document: Document) -> types::Document {
    types::Document {
        api_version: document.api_version,
        kind: document.kind,
        name: document.name,
        body: document.body.to_string(),
    }
}

fn input_in(input: types::Input) -> Result<Input, Failure> {
    Ok(Input {
        cluster_name: input.cluster_name,
        namespace: input.namespace,
        documents: documents_in(input.documents)?,
        release: Release::new(parse(&input.release, "the release")?),
        facts: parse(&input.facts, "the facts")?,
        features: input.features,
    })
}

fn placed_out(placed: Vec<Placed>) -> Vec<manifests::Manifest> {
    placed.into_iter().map(|p| manifests::Manifest { placement: p.placement, object: p.object.to_string() }).collect()
}

impl<P: Provider + Default> describe::Guest for Component<P> {
    fn describe() -> describe::Provider {
        P::default().describe()
    }
}

impl<P: Provider + Default> config::Guest for Component<P> {
    fn schema(kind: String) -> Result<String, Failure> {
        P::default().schema(&kind).map(|schema| schema.to_string())
    }

    fn generate(name: String, options: Vec<(String, String)>) -> Result<String, Failure> {
        P::default().generate(&name, &Options::new(options))
    }

    fn defaults(documents: Vec<types::Document>) -> Result<config::Defaulted, Failure> {
        let mut defaulting = Defaulting::new(documents_in(documents)?);
        P::default().defaults(&mut defaulting)?;
        let (documents, changes) = defaulting.finish();
        Ok(config::Defaulted { documents: documents.into_vec().into_iter().map(document_out).collect(), changes })
    }

    fn check(documents: Vec<types::Document>) -> Vec<Finding> {
        let mut findings = Findings::new();
        match documents_in(documents) {
            Ok(documents) => P::default().check(&documents, &mut findings),
            Err(Failure::Invalid(invalid)) => findings.extend(invalid),
            Err(Failure::Unsupported(why) | Failure::Internal(why) | Failure::Other(why)) => {
                findings.push(Finding::error("internal", why));
            }
        }
        findings.into_vec()
    }
}

impl<P: Provider + Default> machines::Guest for Component<P> {
    fn templates(input: types::Input) -> Result<Vec<machines::MachineTemplate>, Failure> {
        let templates = P::default().templates(&input_in(input)?)?;
        Ok(templates
            .into_iter()
            .map(|template| machines::MachineTemplate {
                role: template.role,
                object: template.object.to_string(),
                in_place: template.in_place,
            })
            .collect())
    }

    fn nodes(input: types::Input, roles: Vec<Role>) -> Result<Vec<machines::NodeContribution>, Failure> {
        P::default().nodes(&input_in(input)?, &roles)
    }
}

impl<P: Provider + Default> manifests::Guest for Component<P> {
    fn infrastructure(input: types::Input) -> Result<manifests::InfrastructureObjects, Failure> {
        let objects = P::default().infrastructure(&input_in(input)?)?;
        let (cluster, others) = (objects.cluster.to_string(), placed_out(objects.others));
        Ok(manifests::InfrastructureObjects { cluster, others })
    }

    fn addons(input: types::Input) -> Result<Vec<manifests::Manifest>, Failure> {
        P::default().addons(&input_in(input)?).map(placed_out)
    }
}

impl<P: Preflight + Default> preflight::Guest for Component<P> {
    fn plan(input: types::Input) -> Result<Vec<preflight::Check>, Failure> {
        P::default().plan(&input_in(input)?)
    }

    fn run(input: types::Input, skip: Vec<String>) -> Result<String, Failure> {
        P::default().run(&input_in(input)?, &skip, &mut ComponentHost).map(|facts| facts.to_string())
    }
}

impl<P: Upgrade + Default> upgrade::Guest for Component<P> {
    fn compare(old: Vec<types::Document>, new: Vec<types::Document>) -> Result<Vec<Compared>, Failure> {
        P::default().compare(&documents_in(old)?, &documents_in(new)?)
    }
}

impl<P: Commands + Default> commands::Guest for Component<P> {
    fn list() -> Vec<commands::Command> {
        P::default().list()
    }

    fn run(
        command: String,
        arguments: Vec<(String, String)>,
        documents: Vec<types::Document>,
    ) -> Result<commands::Answer, Failure> {
        let documents = documents_in(documents)?;
        let answer = P::default().run_command(&command, &Arguments::new(arguments), &documents, &mut ComponentHost)?;
        Ok(commands::Answer { text: answer.text, data: answer.data.to_string(), findings: answer.findings })
    }
}

impl<P: Lifecycle + Default> lifecycle::Guest for Component<P> {
    fn steps() -> Vec<String> {
        P::default().steps()
    }

    fn before(step: String, input: types::Input) -> Result<(), Failure> {
        P::default().before(&step, &input_in(input)?, &mut ComponentHost)
    }

    fn after(step: String, input: types::Input) -> Result<(), Failure> {
        P::default().after(&step, &input_in(input)?, &mut ComponentHost)
    }
}

/// The host as a component sees it: every function is an import.
#[derive(Debug)]
struct ComponentHost;

impl Host for ComponentHost {
    fn log(&mut self, level: Level, message: &str) {
        log::write(&level, message);
    }
    fn report(&mut self, outcome: Outcome) {
        report::outcome(&outcome);
    }
    fn open(&mut self, endpoint: &str) -> Result<Endpoint, EndpointError> {
        Ok(Endpoint::new(Box::new(Granted(endpoints::open(endpoint)?))))
    }
    fn now(&mut self) -> u64 {
        endpoints::now()
    }
    fn pause(&mut self, milliseconds: u32) {
        endpoints::pause(milliseconds);
    }
    fn secret_available(&mut self, name: &str) -> bool {
        secrets::available(name)
    }
    fn secrets_same(&mut self, a: &str, b: &str) -> bool {
        secrets::same(a, b)
    }
    fn engine_ping(&mut self) -> Result<(), EngineError> {
        container_engine::ping()
    }
    fn engine_version(&mut self) -> Result<EngineVersion, EngineError> {
        container_engine::version()
    }
    fn engine_info(&mut self) -> Result<EngineInfo, EngineError> {
        container_engine::info()
    }
    fn engine_networks(&mut self) -> Result<Vec<Network>, EngineError> {
        container_engine::networks()
    }
}
