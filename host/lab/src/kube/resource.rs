//! The types of objects that a cluster serves.

use std::sync::Arc;

use super::kind::{Kind, ResourceKey};
use super::object;
use super::schema::Schema;

/// A column of `kubectl get`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) format: String,
    pub(crate) description: String,
    /// 0: always shown; greater: with `-o wide`.
    pub(crate) priority: i64,
    /// A simple JSONPath, for custom resources.
    pub(crate) path: String,
}

/// Where the scale subresource finds its numbers, as JSONPaths like `.spec.replicas`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScalePaths {
    pub(crate) spec: String,
    pub(crate) status: String,
    pub(crate) selector: Option<String>,
}

/// One version of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) served: bool,
    pub(crate) schema: Arc<Schema>,
    pub(crate) status: bool,
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) columns: Vec<Column>,
    pub(crate) warning: Option<String>,
}

/// A type of objects: a collection in the API.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) key: ResourceKey,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    pub(crate) versions: Vec<Version>,
    /// The name of the version in which objects are kept.
    pub(crate) storage: String,
    /// Declared by a CustomResourceDefinition.
    pub(crate) custom: bool,
    /// Whether `metadata.generation` counts changes of `spec`.
    pub(crate) generation: bool,
    /// Whether objects may be created, changed and deleted, or are only asked (`SelfSubjectAccessReview`).
    pub(crate) stored: bool,
}

impl Resource {
    pub(crate) fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.name == name && v.served)
    }

    /// The version for objects as they are kept.
    pub(crate) fn storage_version(&self) -> Option<&Version> {
        self.versions.iter().find(|v| v.name == self.storage)
    }

    pub(crate) fn api_version(&self, version: &str) -> String {
        object::api_version(&self.key.group, version)
    }

    pub(crate) fn type_of(&self) -> Kind {
        Kind::of(self.key.group.clone(), self.kind.clone())
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.key.group == group && self.key.plural == plural
    }
}
