//! What preflight found out and rendering uses: names of the spec as whole paths, and what templates are like.

use std::collections::BTreeMap;

use kedge_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::paths::{self, Branch};
use crate::spec::{Datacenter, Machine};

/// Of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Facts {
    /// The datacenter's network, whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) network: String,
    /// Paths of folders that the create has to make.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) folders_to_make: Vec<String>,
    /// Templates that the create has to make.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) templates_to_make: Vec<TemplateFacts>,
    /// By the name of the machine config.
    pub(crate) machines: BTreeMap<String, MachineFacts>,
}

/// A template that is still to be made: of what, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TemplateFacts {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) release: String,
    pub(crate) datacenter: String,
    pub(crate) datastore: String,
    pub(crate) resource_pool: String,
    pub(crate) network: String,
}

/// Of one machine config.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MachineFacts {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) datastore: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) folder: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) resource_pool: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) template: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) clone_mode: String,
    /// GiB; 0 where it is not known.
    #[serde(rename = "diskGiB", skip_serializing_if = "is_zero")]
    pub(crate) disk_gib: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serializer calls it so")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Facts {
    /// From an input; without preflight there are none.
    pub(crate) fn of(input: &Input) -> Result<Self, Failure> {
        serde_json::from_value(input.facts.clone())
            .map_err(|error| Failure::Internal(format!("the facts of preflight can't be read: {error}")))
    }

    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The path of the datacenter's network: what preflight found, else by the rules.
    pub(crate) fn network(&self, datacenter: &Datacenter) -> String {
        or(&self.network, || paths::full(&datacenter.datacenter, Branch::Network, &datacenter.network))
    }

    /// Everything about the place of a machine: what preflight found, else by the rules.
    pub(crate) fn machine(&self, datacenter: &Datacenter, machine: &Machine) -> MachineFacts {
        let found = self.machines.get(&machine.name).cloned().unwrap_or_default();
        let home = &datacenter.datacenter;
        MachineFacts {
            datastore: or(&found.datastore, || paths::full(home, Branch::Datastore, &machine.datastore)),
            folder: or(&found.folder, || paths::full(home, Branch::Folder, &machine.folder)),
            // Only the vCenter knows the whole path of a pool and a template; Cluster API finds both by their end.
            resource_pool: or(&found.resource_pool, || machine.resource_pool.clone()),
            template: or(&found.template, || machine.template.clone()),
            clone_mode: or(&machine.clone_mode, || or(&found.clone_mode, || "fullClone".into())),
            disk_gib: machine.disk_gib.max(found.disk_gib),
        }
    }
}

fn or(text: &str, otherwise: impl FnOnce() -> String) -> String {
    if text.is_empty() { otherwise() } else { text.to_owned() }
}
