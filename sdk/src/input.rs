//! All that a provider may know when it renders or checks.

use serde_json::Value;

use crate::{Document, Documents, Failure, Group, Release, Role};

/// See `input` in `wit/types.wit`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// `metadata.name` of the Cluster.
    pub cluster_name: String,
    /// The namespace of every Cluster API object.
    pub namespace: String,
    /// The documents after the defaults of host and provider.
    pub documents: Documents,
    /// The release as this cluster sees it.
    pub release: Release,
    /// What the provider's preflight found out, an empty object if it did not run.
    pub facts: Value,
    /// Features of this host that a provider may rely on.
    pub features: Vec<String>,
}

impl Input {
    /// The Cluster.
    ///
    /// # Errors
    /// The spec has none.
    pub fn cluster(&self) -> Result<&Document, Failure> {
        self.documents.cluster()
    }

    /// The groups of machines, in this order: control plane, etcd, workers as the spec has them.
    ///
    /// # Errors
    /// The spec has no Cluster.
    pub fn groups(&self) -> Result<Vec<Group>, Failure> {
        self.documents.groups()
    }

    /// The release as machines of a role see it: a worker node group may have a Kubernetes version of its own.
    pub fn release_for(&self, role: &Role) -> Release {
        match role {
            Role::Worker(name) => self.release.for_worker(name),
            _ => self.release.clone(),
        }
    }

    /// A fact of preflight by its path.
    pub fn fact(&self, path: &str) -> Option<&Value> {
        crate::path::get(&self.facts, path)
    }
}
