//! What the definition of a kind says about it: its provider, the contract that it follows, and how the lab is to play it.

use serde_json::{Value, json};

use crate::behaviour::conditions::{self, Condition};
use crate::behaviour::kinds::{INFRASTRUCTURE_GROUP, names};
use crate::behaviour::meta::{flag, set, text};
use crate::kube::{Kind, object};

/// Conditions that are True on a ready object, separated by commas.
const CONDITIONS: &str = "lab.kedge.dev/conditions";
/// A kind of object that the provider makes for each machine.
const CHILD: &str = "lab.kedge.dev/child-kind";
/// A field of the status and its value: `FIELD=VALUE`.
const FIELD: &str = "lab.kedge.dev/version-field";

/// A kind of the infrastructure group.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) kind: Kind,
    /// `apiVersion` of stored objects.
    pub(crate) api_version: String,
    /// The label of the provider that brought it.
    pub(crate) provider: Option<String>,
    /// Whether it follows the contract v1beta2, which says `status.initialization.provisioned` where v1beta1 says `status.ready`.
    pub(crate) second: bool,
    pub(crate) conditions: Vec<String>,
    pub(crate) child: Option<String>,
    field: Option<(String, String)>,
}

/// Reads a CustomResourceDefinition; nothing for those of other groups.
pub(crate) fn definition(crd: &Value) -> Option<Definition> {
    if text(crd, "/spec/group") != INFRASTRUCTURE_GROUP {
        return None;
    }
    let versions = crd.pointer("/spec/versions")?.as_array()?;
    let storage = versions.iter().find(|one| flag(one, "/storage")).map(|one| text(one, "/name"))?;
    let follows =
        |contract: &str| object::label(crd, contract).is_some_and(|list| list.split('_').any(|one| one == storage));
    let words = object::annotation(crd, CONDITIONS).unwrap_or_default();
    Some(Definition {
        kind: Kind::of(INFRASTRUCTURE_GROUP, text(crd, "/spec/names/kind")),
        api_version: object::api_version(INFRASTRUCTURE_GROUP, storage),
        provider: object::label(crd, names::PROVIDER).map(str::to_owned),
        second: follows(names::CONTRACT_2) || !follows(names::CONTRACT_1),
        conditions: words.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect(),
        child: object::annotation(crd, CHILD).map(str::to_owned),
        field: object::annotation(crd, FIELD)
            .and_then(|pair| pair.split_once('='))
            .map(|(field, value)| (field.to_owned(), value.to_owned())),
    })
}

/// Whether an infrastructure object is provisioned, whatever contract it follows.
pub(crate) fn is_provisioned(this: &Value) -> bool {
    flag(this, "/status/initialization/provisioned") || flag(this, "/status/ready")
}

impl Definition {
    /// The short name of the provider: `sim` of `infrastructure-sim`.
    pub(crate) fn provider_name(&self) -> &str {
        self.provider.as_deref().and_then(|label| label.strip_prefix("infrastructure-")).unwrap_or("lab")
    }

    /// The finalizer that providers put on this kind, by Cluster API's convention.
    pub(crate) fn finalizer(&self) -> String {
        format!("{}.{INFRASTRUCTURE_GROUP}", self.kind.kind.to_lowercase())
    }

    /// Marks an object as provisioned.
    pub(crate) fn provisioned(&self, this: &mut Value) {
        if self.second {
            set(this, &["status", "initialization", "provisioned"], json!(true));
        } else {
            set(this, &["status", "ready"], json!(true));
        }
        if let Some((field, value)) = &self.field {
            set(this, &["status", field], json!(value));
        }
        for name in &self.conditions {
            conditions::set_old(this, name, true, "", "");
        }
        conditions::set_old(this, "Ready", true, "", "");
        conditions::set(this, &Condition::yes("Ready", "Ready"));
    }

    /// Says that an object can't be provisioned, which somebody has to do something about.
    pub(crate) fn fails(&self, this: &mut Value, reason: &str, message: &str) {
        if let Some(first) = self.conditions.first() {
            conditions::set_old_error(this, first, reason, message);
        }
        conditions::set_old_error(this, "Ready", reason, message);
        conditions::set(this, &Condition::no("Ready", reason, message));
    }

    /// Says why an object is not provisioned yet.
    pub(crate) fn waits(&self, this: &mut Value, reason: &str, message: &str) {
        if let Some(first) = self.conditions.first() {
            conditions::set_old(this, first, false, reason, message);
        }
        conditions::set_old(this, "Ready", false, reason, message);
        conditions::set(this, &Condition::no("Ready", reason, message));
    }
}
