//! Which kinds a server has, asked for group by group when they are needed and kept.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::Mutex;

use crate::object::{ObjectId, TypeRef};

/// A kind as the server serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The last part of its path, for example `clusters`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// The path of a collection, or of one object in it.
    pub(crate) fn path(&self, kind: &TypeRef, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = group_path(&kind.api_version);
        if let (true, Some(namespace)) = (self.namespaced, namespace) {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(name);
        }
        path
    }

    /// The path of an object.
    pub(crate) fn object_path(&self, id: &ObjectId) -> String {
        self.path(&id.kind, id.namespace.as_deref(), Some(&id.name))
    }
}

/// The path under which a group and version lists its kinds.
pub(crate) fn group_path(api_version: &str) -> String {
    if api_version.contains('/') { format!("/apis/{api_version}") } else { format!("/api/{api_version}") }
}

/// The answer under [`group_path`].
#[derive(Deserialize)]
pub(crate) struct ResourceList {
    #[serde(default)]
    resources: Vec<ListedResource>,
}

#[derive(Deserialize)]
struct ListedResource {
    name: String,
    kind: String,
    #[serde(default)]
    namespaced: bool,
}

/// What is known so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Discovery {
    groups: Arc<Mutex<HashMap<String, HashMap<String, Resource>>>>,
}

impl Discovery {
    pub(crate) async fn lookup(&self, kind: &TypeRef) -> Option<Resource> {
        self.groups.lock().await.get(kind.api_version.as_ref())?.get(kind.kind.as_ref()).cloned()
    }

    pub(crate) async fn learn(&self, api_version: &str, list: ResourceList) {
        let known = list
            .resources
            .into_iter()
            .filter(|r| !r.name.contains('/'))
            .map(|r| (r.kind, Resource { plural: r.name, namespaced: r.namespaced }))
            .collect();
        self.groups.lock().await.insert(api_version.to_owned(), known);
    }

    pub(crate) async fn forget(&self, api_version: &str) {
        self.groups.lock().await.remove(api_version);
    }
}
