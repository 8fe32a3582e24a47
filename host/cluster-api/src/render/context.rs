//! What every part of rendering looks at.

use kedge_spec::cluster::Cluster;
use kedge_spec::provider::{MachineTemplate, NodeContribution, Role};
use kedge_spec::release::ReleaseView;
use serde_json::{Map, Value, json};

use super::RenderInput;
use super::mirror::Mirrored;
use super::names;
use super::proxy::Proxy;
use crate::error::Error;
use crate::object::text;
use crate::readiness::CLUSTER_LABEL;

/// The input, and what is worked out once.
pub(super) struct Context<'a> {
    pub(super) input: &'a RenderInput<'a>,
    pub(super) cluster: &'a Cluster,
    pub(super) proxy: Option<Proxy>,
    pub(super) mirror: Option<Mirrored>,
    templates: std::collections::HashMap<&'a Role, &'a MachineTemplate>,
}

/// A machine template with its name.
pub(super) struct NamedTemplate {
    pub(super) object: Value,
    pub(super) group: String,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
}

impl NamedTemplate {
    /// A reference as core objects have it.
    pub(super) fn reference(&self) -> Value {
        json!({"apiGroup": self.group, "kind": self.kind, "name": self.name})
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(input: &'a RenderInput<'a>) -> Result<Self, Error> {
        let cluster = input.spec.cluster();
        let mut templates = std::collections::HashMap::new();
        for template in &input.contributions.templates {
            if templates.insert(&template.role, template).is_some() {
                return Err(Error::render(
                    format!("the provider gave two machine templates for {}", role_words(&template.role)),
                    "this is a fault of the provider",
                ));
            }
        }
        Ok(Self { input, cluster, proxy: Proxy::new(input), mirror: Mirrored::new(cluster), templates })
    }

    pub(super) fn name(&self) -> &str {
        &self.cluster.name
    }

    pub(super) fn release(&self) -> &ReleaseView {
        self.input.release
    }

    /// What the provider says a role's nodes need.
    pub(super) fn node(&self, role: &Role) -> Result<&'a NodeContribution, Error> {
        self.input.contributions.nodes.get(role).ok_or_else(|| missing("node contribution", role))
    }

    /// A role's machine template, with the name that its content gives it.
    pub(super) fn template(&self, role: &Role) -> Result<NamedTemplate, Error> {
        let template = self.templates.get(role).ok_or_else(|| missing("machine template", role))?;
        let part = |pointer: &'static str, field| {
            text(&template.object, pointer).map(str::to_owned).ok_or_else(|| {
                Error::render(
                    format!("the provider's machine template for {} has no `{field}`", role_words(role)),
                    "this is a fault of the provider",
                )
            })
        };
        let (api_version, kind) = (part("/apiVersion", "apiVersion")?, part("/kind", "kind")?);
        let suffix = names::content(&names::without(&template.object, &template.in_place));
        let name = match role {
            Role::ControlPlane => format!("{}-control-plane-{suffix}", self.name()),
            Role::Etcd => format!("{}-etcd-{suffix}", self.name()),
            Role::Worker(group) => format!("{}-{group}-{suffix}", self.name()),
        };
        let mut object = self.object(&api_version, &kind, &name);
        if let (Some(from), Some(to)) = (template.object.as_object(), object.as_object_mut()) {
            for (key, value) in from.iter().filter(|(k, _)| !matches!(k.as_str(), "apiVersion" | "kind" | "metadata")) {
                to.insert(key.clone(), value.clone());
            }
        }
        let group = api_version.split_once('/').map_or_else(String::new, |(group, _)| group.to_owned());
        Ok(NamedTemplate { object, group, api_version, kind, name })
    }

    /// The head of an object of this cluster.
    pub(super) fn object(&self, api_version: &str, kind: &str, name: &str) -> Value {
        json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": crate::NAMESPACE,
                "labels": {CLUSTER_LABEL: self.name()},
            },
        })
    }
}

pub(super) fn role_words(role: &Role) -> String {
    match role {
        Role::ControlPlane => "the control plane".to_owned(),
        Role::Etcd => "etcd".to_owned(),
        Role::Worker(group) => format!("the worker node group `{group}`"),
    }
}

fn missing(what: &str, role: &Role) -> Error {
    Error::render(format!("the provider gave no {what} for {}", role_words(role)), "this is a fault of the provider")
}

/// Puts a value under a key, unless there is nothing to put.
pub(super) fn put(object: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let value = value.into();
    let empty = match &value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if !empty {
        object.insert(key.to_owned(), value);
    }
}
