//! Kubernetes objects, built and placed.

use serde_json::{Map, Value, json};

pub use crate::bindings::exports::kedge::provider::manifests::Placement;

/// A Kubernetes object under construction. Fields stay in the order they are set.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest(Value);

impl Manifest {
    /// An object with its name.
    pub fn new(api_version: &str, kind: &str, name: &str) -> Self {
        Self(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}))
    }

    /// An object without metadata: a machine template, which the host names by its content.
    pub fn unnamed(api_version: &str, kind: &str) -> Self {
        Self(json!({"apiVersion": api_version, "kind": kind}))
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        self.set("metadata.namespace", json!(namespace))
    }

    /// A label.
    #[must_use]
    pub fn label(self, key: &str, value: &str) -> Self {
        self.set(&format!("metadata.labels{}", crate::path::key_step(key)), json!(value))
    }

    /// Any field, by its path.
    #[must_use]
    pub fn set(mut self, path: &str, value: Value) -> Self {
        crate::path::set(&mut self.0, path, value);
        self
    }

    /// A field, by its path, where there is a value for it.
    #[must_use]
    pub fn set_some(self, path: &str, value: Option<Value>) -> Self {
        match value {
            Some(value) => self.set(path, value),
            None => self,
        }
    }

    /// `spec`.
    #[must_use]
    pub fn spec(self, spec: Value) -> Self {
        self.set("spec", spec)
    }

    /// A Secret of a type, with `stringData` that may hold references ([`crate::secret`]).
    pub fn secret<'a>(name: &str, kind: &str, data: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let data: Map<String, Value> = data.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        Self::new("v1", "Secret", name).set("type", json!(kind)).set("stringData", Value::Object(data))
    }

    /// The object.
    pub fn build(self) -> Value {
        self.0
    }

    /// The object with its place in the order.
    pub fn place(self, placement: Placement) -> Placed {
        Placed { placement, object: self.0 }
    }
}

/// An object with its place in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// When it is applied.
    pub placement: Placement,
    /// The object.
    pub object: Value,
}

/// The infrastructure provider's objects of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct InfrastructureObjects {
    /// What `spec.infrastructureRef` of the Cluster names.
    pub cluster: Value,
    /// Identities, credentials, failure domains.
    pub others: Vec<Placed>,
}

impl InfrastructureObjects {
    /// The cluster object alone.
    pub fn new(cluster: Value) -> Self {
        Self { cluster, others: vec![] }
    }

    /// Adds an object.
    #[must_use]
    pub fn with(mut self, other: Placed) -> Self {
        self.others.push(other);
        self
    }
}
