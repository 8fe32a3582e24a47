//! One document of a spec.

use serde_json::Value;

use crate::cluster;
use crate::finding::ObjectRef;
use crate::provider::ProviderDocument;
use crate::yaml::Node;

/// One document of a spec, with what it takes to find its fields in the file.
#[derive(Debug, Clone)]
pub struct Document {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` when the document has none.
    pub namespace: String,
    /// The whole document.
    pub body: Value,
    /// As it stands in the file; places are looked up here even after defaults.
    pub(crate) node: Node,
}

impl Document {
    /// The reference that findings use.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new(&self.kind, &self.name)
    }

    /// The API group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// As it crosses to a provider.
    pub fn to_provider(&self) -> ProviderDocument {
        ProviderDocument {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            body: self.body.clone(),
        }
    }

    /// The namespace a body names.
    pub(crate) fn namespace_of(body: &Value) -> String {
        let named = body.pointer("/metadata/namespace").and_then(Value::as_str).filter(|n| !n.is_empty());
        named.unwrap_or(cluster::DEFAULT_NAMESPACE).to_owned()
    }

    /// The body as it is kept: without what a cluster's API adds, and in the usual order of keys.
    pub(crate) fn stored(&self) -> Value {
        let Value::Object(mut body) = self.body.clone() else {
            return self.body.clone();
        };
        body.shift_remove("status");
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("creationTimestamp");
        }
        let mut ordered = serde_json::Map::with_capacity(body.len());
        for key in ["apiVersion", "kind", "metadata", "spec"] {
            if let Some(value) = body.shift_remove(key) {
                ordered.insert(key.to_owned(), value);
            }
        }
        ordered.extend(body);
        Value::Object(ordered)
    }
}
