//! Making machines from templates, for whoever owns them: a control plane, a machine set, an etcd cluster.

use serde_json::{Value, json};

use crate::behaviour::conditions::{self, Condition};
use crate::behaviour::kinds::{CORE_GROUP, INFRASTRUCTURE_GROUP, names};
use crate::behaviour::meta::{own, set, set_annotation, text};
use crate::behaviour::objects::Objects;
use crate::behaviour::objects::Refused;
use crate::kube::{Kind, object};

/// The object that a reference names, by `apiGroup` (or the group of `apiVersion`), `kind` and `name`.
pub(crate) fn referenced(objects: &Objects, reference: Option<&Value>, namespace: &str) -> Option<Value> {
    let (kind, name) = target(reference?);
    objects.get(&kind, namespace, &name)
}

/// Kind and name of what a reference names.
pub(crate) fn target(reference: &Value) -> (Kind, String) {
    let group = match text(reference, "/apiGroup") {
        "" => object::group_version(reference).0,
        group => group,
    };
    (Kind::of(group, object::kind(reference)), text(reference, "/name").to_owned())
}

/// A machine that is to be made, with its infrastructure and its bootstrap configuration, all three under one name.
pub(crate) struct NewMachine<'a> {
    pub(crate) name: &'a str,
    pub(crate) cluster: &'a str,
    /// Becomes the controller of the machine.
    pub(crate) owner: &'a Value,
    /// The infrastructure machine template.
    pub(crate) template: &'a Value,
    /// `apiVersion`, `kind` and `spec` of the bootstrap configuration.
    pub(crate) config: Value,
    pub(crate) labels: Value,
    pub(crate) annotations: Option<Value>,
    /// What the machine's spec has besides references and cluster name.
    pub(crate) spec: Value,
}

/// Makes the three objects. The machine's controller takes over the other two later, as it does for real.
///
/// # Errors
/// What the API refused.
pub(crate) fn make(objects: &Objects, new: &NewMachine<'_>) -> Result<(), Refused> {
    let namespace = object::namespace(new.owner);
    let kind = object::kind(new.template).trim_end_matches("Template").to_owned();
    let mut infrastructure = json!({
        "apiVersion": text(new.template, "/apiVersion"), "kind": kind,
        "metadata": {"name": new.name, "namespace": namespace, "labels": new.labels},
        "spec": new.template.pointer("/spec/template/spec").cloned().unwrap_or_else(|| json!({})),
    });
    let extra = new.template.pointer("/spec/template/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    for (key, value) in extra {
        set(&mut infrastructure, &["metadata", "labels", key], value.clone());
    }
    set_annotation(&mut infrastructure, names::CLONED_FROM_NAME, object::name(new.template));
    set_annotation(
        &mut infrastructure,
        names::CLONED_FROM_KIND,
        &format!("{}.{INFRASTRUCTURE_GROUP}", object::kind(new.template)),
    );
    own(&mut infrastructure, new.owner, false);
    let mut config = new.config.clone();
    let metadata = json!({"name": new.name, "namespace": namespace, "labels": new.labels});
    if let Some(Value::Object(there)) = config.get_mut("metadata") {
        if let Value::Object(metadata) = metadata {
            there.extend(metadata);
        }
    } else {
        set(&mut config, &["metadata"], metadata);
    }
    own(&mut config, new.owner, false);
    let reference =
        |of: &Value| json!({"apiGroup": object::group_version(of).0, "kind": object::kind(of), "name": new.name});
    let mut machine = json!({
        "apiVersion": object::api_version(CORE_GROUP, "v1beta2"), "kind": "Machine",
        "metadata": {"name": new.name, "namespace": namespace, "labels": new.labels, "finalizers": [names::MACHINE_FINALIZER]},
        "spec": new.spec,
    });
    set(&mut machine, &["spec", "clusterName"], json!(new.cluster));
    set(&mut machine, &["spec", "bootstrap", "configRef"], reference(&config));
    set(&mut machine, &["spec", "infrastructureRef"], reference(&infrastructure));
    if let Some(annotations) = &new.annotations {
        set(&mut machine, &["metadata", "annotations"], annotations.clone());
    }
    own(&mut machine, new.owner, true);
    objects.ensure(infrastructure)?;
    objects.ensure(config)?;
    objects.ensure(machine).map(|_| ())
}

/// Says on a machine whether it is as its owner wants it.
pub(crate) fn up_to_date(machine: &mut Value, current: bool) {
    let condition = if current {
        Condition::yes("UpToDate", "UpToDate")
    } else {
        Condition::no("UpToDate", "NotUpToDate", "* the machine differs from what is wanted")
    };
    conditions::set(machine, &condition);
}

/// `status.versions`: how many machines run which version; nothing if there are none.
pub(crate) fn versions(machines: &[Value]) -> Option<Value> {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for machine in machines {
        let version = text(machine, "/spec/version");
        if !version.is_empty() {
            *counts.entry(version).or_default() += 1;
        }
    }
    let list: Vec<Value> =
        counts.into_iter().map(|(version, replicas)| json!({"version": version, "replicas": replicas})).collect();
    (!list.is_empty()).then(|| Value::Array(list))
}
