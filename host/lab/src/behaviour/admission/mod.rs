//! What webhooks do before an object is stored: defaults, and refusals.
//!
//! A webhook is there once its configuration is, and answers once the Deployment behind its Service is available and the API knows its authority. Until then the API
//! refuses whatever the webhook has to see, as a real one does: an installer that does not wait for its webhooks meets that here too.

mod cluster;
mod control_plane;
mod etcd;
mod gate;
mod infrastructure;
mod machines;

use std::sync::Arc;

use serde_json::Value;

use crate::kube::{Admission, Kind, Operation, Store, object};

use super::engine::Context;
use super::kinds::{
    CERTIFICATE, CLUSTER, CLUSTER_ISSUER, CONTROL_PLANE, EKSA_CLUSTER, ETCD_CLUSTER, ETCDADM_CONFIG,
    INFRASTRUCTURE_GROUP, ISSUER, KUBEADM_CONFIG, MACHINE, MACHINE_DEPLOYMENT, MACHINE_HEALTH_CHECK, MACHINE_SET,
    RESOURCE_SET,
};
use super::meta::text;

pub(crate) use control_plane::version;

/// What a webhook says: nothing, or why not.
type Verdict = Result<(), String>;

/// Defaults and checks of one kind. `old` is there for a change.
type Rules = fn(new: &mut Value, old: Option<&Value>) -> Verdict;

struct Hook {
    store: Store,
    gate: gate::Gate,
    kind: Kind,
    rules: Rules,
}

impl Admission for Hook {
    fn review(&self, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Result<Value, String> {
        self.gate.passes(&self.store, &self.kind, operation)?;
        let mut reviewed = new.cloned().unwrap_or_default();
        // What is on its way out only loses finalizers; the real webhooks let that pass too.
        let going = operation == Operation::Delete || new.is_some_and(object::is_deleting);
        if !going {
            (self.rules)(&mut reviewed, old)?;
        }
        Ok(reviewed)
    }
}

/// Nothing to default and nothing to refuse.
const ANYTHING: Rules = |_, _| Ok(());

fn add(context: &Context, kind: Kind, rules: Rules) {
    let store = context.cluster.store();
    let hook = Hook { store: store.clone(), gate: gate::Gate::new(&context.world), kind: kind.clone(), rules };
    store.register_admission(kind, Arc::new(hook));
}

/// Registers the kinds that the lab knows by name.
pub(crate) fn register(context: &Context) {
    let rules: [(Kind, Rules); 15] = [
        (CLUSTER, cluster::cluster),
        (MACHINE, machines::machine),
        (MACHINE_SET, machines::set_of),
        (MACHINE_DEPLOYMENT, machines::deployment),
        (MACHINE_HEALTH_CHECK, machines::health_check),
        (RESOURCE_SET, cluster::resource_set),
        (CONTROL_PLANE, control_plane::control_plane),
        (KUBEADM_CONFIG, ANYTHING),
        (ETCDADM_CONFIG, ANYTHING),
        (ETCD_CLUSTER, etcd::cluster),
        (CERTIFICATE, ANYTHING),
        (ISSUER, ANYTHING),
        (CLUSTER_ISSUER, ANYTHING),
        (EKSA_CLUSTER, ANYTHING),
        (Kind::new("bootstrap.cluster.x-k8s.io", "KubeadmConfigTemplate"), ANYTHING),
    ];
    for (kind, rules) in rules {
        add(context, kind, rules);
    }
}

/// Registers a kind of the infrastructure group when its definition appears.
pub(crate) fn register_kind(context: &Context, definition: &Value) {
    let kind = Kind::of(INFRASTRUCTURE_GROUP, text(definition, "/spec/names/kind"));
    if !context.first_sight(&kind) {
        return;
    }
    let rules: Rules = if kind.kind.ends_with("MachineTemplate") {
        infrastructure::machine_template
    } else if kind.kind.ends_with("Cluster") {
        infrastructure::cluster
    } else {
        ANYTHING
    };
    add(context, kind, rules);
}

/// Refuses a change of a field that has to stay as it is.
fn unchanged(new: &Value, old: Option<&Value>, pointer: &str) -> Verdict {
    let Some(old) = old else { return Ok(()) };
    if old.pointer(pointer) == new.pointer(pointer) {
        return Ok(());
    }
    let field = pointer.trim_start_matches('/').replace('/', ".");
    let value = new.pointer(pointer).map_or_else(|| "null".to_owned(), Value::to_string);
    Err(format!(
        "{} {:?} is invalid: {field}: Invalid value: {value}: field is immutable",
        kind_of(new),
        object::name(new)
    ))
}

/// `Kind.group` as error messages have it.
fn kind_of(this: &Value) -> String {
    Kind::of(object::group_version(this).0, object::kind(this)).to_string()
}

/// A refusal in the words of Kubernetes: `KIND "NAME" is invalid: FIELD: WHY`.
fn invalid(this: &Value, field: &str, why: &str) -> String {
    format!("{} {:?} is invalid: {field}: {why}", kind_of(this), object::name(this))
}
