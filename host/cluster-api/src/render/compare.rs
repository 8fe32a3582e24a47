//! What another spec would change: objects, their fields, and the machines that would be replaced.

use std::collections::{BTreeMap, BTreeSet};

use kedge_spec::path;
use kedge_spec::provider::Role;
use serde::Serialize;
use serde_json::Value;

use super::Manifests;
use crate::object::{kinds, text};

/// The difference between two renderings.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Objects that would be made.
    pub created: Vec<String>,
    /// Objects that would be removed.
    pub removed: Vec<String>,
    /// Objects of which something would change. A template that is replaced by one with another name is one of them.
    pub changed: Vec<ObjectChange>,
    /// Machines that would be replaced, in the order of their replacement, each with the fields that make it so.
    pub rolled: Vec<Rolled>,
}

/// What changes of one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// `KubeadmControlPlane eksa-system/prod`.
    pub object: String,
    /// The object that takes its place, where the content makes the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// Field by field.
    pub fields: Vec<FieldChange>,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// For example `spec.replicas`.
    pub path: String,
    /// As it is; none if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// As it would be; none if it would not be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// Machines that would be replaced.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rolled {
    /// Which ones.
    pub role: Role,
    /// The fields that make it so.
    pub because: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Fields of an owner of machines whose change replaces the machines.
const ROLLING: [(&str, &[&str]); 3] = [
    ("EtcdadmCluster", &["spec.etcdadmConfigSpec", "spec.infrastructureTemplate"]),
    ("KubeadmControlPlane", &["spec.version", "spec.kubeadmConfigSpec", "spec.machineTemplate.spec.infrastructureRef"]),
    (
        "MachineDeployment",
        &[
            "spec.template.spec.version",
            "spec.template.spec.bootstrap",
            "spec.template.spec.infrastructureRef",
            "spec.template.spec.failureDomain",
        ],
    ),
];

/// Where an owner of machines names its templates.
const TEMPLATES: [&str; 4] = [
    "/spec/infrastructureTemplate",
    "/spec/machineTemplate/spec/infrastructureRef",
    "/spec/template/spec/bootstrap/configRef",
    "/spec/template/spec/infrastructureRef",
];

/// Compares two renderings of a cluster.
pub fn compare(old: &Manifests, new: &Manifests) -> Difference {
    let (before, after) = (Side::of(old), Side::of(new));
    let mut difference = Difference::default();
    let replaced = replaced(&before, &after);
    let taken: BTreeSet<&str> = replaced.values().map(String::as_str).collect();
    let mut causes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, object) in &before.objects {
        let counterpart = replaced.get(id).or_else(|| after.objects.contains_key(id).then_some(id));
        let Some(counterpart) = counterpart else {
            difference.removed.push(id.clone());
            continue;
        };
        let Some(other) = after.objects.get(counterpart) else { continue };
        let mut fields = Vec::new();
        fields_of(object, other, "", &mut fields);
        let renamed = counterpart != id;
        if renamed {
            fields.retain(|field| field.path != "metadata.name");
            causes.insert(counterpart.clone(), fields.iter().map(|field| field.path.clone()).collect());
        }
        if !fields.is_empty() {
            let replaced_by = renamed.then(|| counterpart.clone());
            difference.changed.push(ObjectChange { object: id.clone(), replaced_by, fields });
        }
    }
    let fresh = after.objects.keys().filter(|id| !before.objects.contains_key(*id) && !taken.contains(id.as_str()));
    difference.created = fresh.cloned().collect();
    difference.rolled = rolled(&difference, &after, &causes);
    difference
}

/// The objects of a rendering by their identity.
struct Side<'a> {
    objects: BTreeMap<String, &'a Value>,
}

impl<'a> Side<'a> {
    fn of(manifests: &'a Manifests) -> Self {
        let name = |rendered: &super::Rendered| {
            let id = identity(&rendered.object);
            // The workload cluster is another world.
            if rendered.placement == kedge_spec::provider::Placement::WorkloadCluster {
                format!("{id} on the cluster itself")
            } else {
                id
            }
        };
        Self { objects: manifests.objects.iter().map(|r| (name(r), &r.object)).collect() }
    }

    /// What an owner of machines names, by the place where it names it.
    fn named(&self, owner: &str) -> Vec<Option<String>> {
        let Some(object) = self.objects.get(owner) else { return Vec::new() };
        let template = |pointer: &&str| {
            let reference = object.pointer(pointer)?;
            Some(identity_of(text(reference, "/kind")?, Some(crate::NAMESPACE), text(reference, "/name")?))
        };
        TEMPLATES.iter().map(template).collect()
    }
}

/// Kind and name of the templates that an owner of machines names.
pub fn template_references(owner: &Value) -> Vec<(String, String)> {
    let all = TEMPLATES.iter().filter_map(|pointer| owner.pointer(pointer));
    all.filter_map(|r| Some((text(r, "/kind")?.to_owned(), text(r, "/name")?.to_owned()))).collect()
}

/// Templates that give way to others: the same owner names another one at the same place.
fn replaced(before: &Side<'_>, after: &Side<'_>) -> BTreeMap<String, String> {
    let mut replaced = BTreeMap::new();
    for owner in before.objects.keys() {
        for (old, new) in before.named(owner).into_iter().zip(after.named(owner)) {
            if let (Some(old), Some(new)) = (old, new)
                && old != new
                && before.objects.contains_key(&old)
            {
                replaced.insert(old, new);
            }
        }
    }
    replaced
}

/// Machines are replaced where a field says so; what a template's new name stands for is said in its place.
fn rolled(difference: &Difference, after: &Side<'_>, causes: &BTreeMap<String, Vec<String>>) -> Vec<Rolled> {
    let mut rolled = Vec::new();
    for change in &difference.changed {
        let Some(object) = after.objects.get(&change.object) else { continue };
        let kind = text(object, "/kind").unwrap_or_default();
        let Some((_, fields)) = ROLLING.iter().find(|(known, _)| *known == kind) else { continue };
        let mut because = Vec::new();
        for field in &change.fields {
            if !fields.iter().any(|rolling| path::related(rolling, &field.path)) {
                continue;
            }
            let named = after.named(&change.object).into_iter().flatten();
            let template = named.filter(|id| causes.contains_key(id)).find(|id| {
                field.path.rsplit('.').next() == Some("name")
                    && field.new.as_ref().and_then(Value::as_str).is_some_and(|name| id.ends_with(&format!("/{name}")))
            });
            match template {
                Some(id) => because.extend(causes.get(&id).into_iter().flatten().map(|path| format!("{id}: {path}"))),
                None => because.push(format!("{}: {}", change.object, field.path)),
            }
        }
        if !because.is_empty() {
            rolled.push(Rolled { role: role(kind, object), because });
        }
    }
    rolled.sort_by(|a, b| a.role.cmp(&b.role));
    rolled
}

fn role(kind: &str, object: &Value) -> Role {
    if kind == kinds::ETCD_CLUSTER.kind {
        return Role::Etcd;
    }
    if kind == kinds::CONTROL_PLANE.kind {
        return Role::ControlPlane;
    }
    let name = text(object, "/metadata/name").unwrap_or_default();
    let cluster = text(object, "/spec/clusterName").unwrap_or_default();
    Role::Worker(name.strip_prefix(&format!("{cluster}-")).unwrap_or(name).to_owned())
}

fn identity(object: &Value) -> String {
    let part = |pointer| text(object, pointer);
    identity_of(
        part("/kind").unwrap_or_default(),
        part("/metadata/namespace"),
        part("/metadata/name").unwrap_or_default(),
    )
}

fn identity_of(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// Every field that differs. Lists of `name` and `value`, and of files with a `path`, are compared by those.
fn fields_of(old: &Value, new: &Value, at: &str, out: &mut Vec<FieldChange>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                pair(a.get(key), b.get(key), &path::join(at, key), out);
            }
        }
        (Value::Array(a), Value::Array(b)) => match (keyed(a), keyed(b)) {
            (Some(a), Some(b)) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    pair(a.get(key).copied(), b.get(key).copied(), &path::join(at, key), out);
                }
            }
            _ => {
                for index in 0..a.len().max(b.len()) {
                    pair(a.get(index), b.get(index), &path::item(at, index), out);
                }
            }
        },
        _ => out.push(FieldChange { path: at.to_owned(), old: Some(old.clone()), new: Some(new.clone()) }),
    }
}

fn pair(old: Option<&Value>, new: Option<&Value>, at: &str, out: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(old), Some(new)) => fields_of(old, new, at, out),
        (old, new) => out.push(FieldChange { path: at.to_owned(), old: old.cloned(), new: new.cloned() }),
    }
}

/// The items of a list by their name or path, if each has one of its own.
fn keyed(items: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let key = |item: &Value| text(item, "/name").or_else(|| text(item, "/path")).map(str::to_owned);
    let keyed: BTreeMap<String, &Value> = items.iter().map(|item| Some((key(item)?, item))).collect::<Option<_>>()?;
    (keyed.len() == items.len()).then_some(keyed)
}

#[cfg(test)]
mod tests {
    use kedge_spec::provider::Placement;
    use serde_json::json;

    use super::super::Rendered;
    use super::*;

    fn manifests(template: &str, cpus: u32, replicas: u32) -> Manifests {
        let rendered = |object: Value| Rendered { placement: Placement::WithCluster, file_name: "f".into(), object };
        let named = |kind: &str, name: &str, spec: Value| {
            rendered(json!({"kind": kind, "apiVersion": "g/v1",
                "metadata": {"name": name, "namespace": crate::NAMESPACE}, "spec": spec}))
        };
        Manifests {
            objects: vec![
                named("AcmeMachineTemplate", template, json!({"cpus": cpus})),
                named(
                    "MachineDeployment",
                    "prod-md-0",
                    json!({"clusterName": "prod", "replicas": replicas,
                        "template": {"spec": {"infrastructureRef": {"kind": "AcmeMachineTemplate", "name": template}}}}),
                ),
            ],
        }
    }

    #[test]
    fn a_count_rolls_nothing() {
        let difference = compare(&manifests("t-1", 2, 1), &manifests("t-1", 2, 3));
        assert_eq!(difference.changed.len(), 1);
        assert_eq!(difference.changed[0].fields[0].path, "spec.replicas");
        assert!(difference.rolled.is_empty() && difference.created.is_empty() && difference.removed.is_empty());
    }

    #[test]
    fn a_template_with_another_content_rolls_its_machines_and_says_which_field_does_it() {
        let difference = compare(&manifests("t-1", 2, 1), &manifests("t-2", 4, 1));
        assert_eq!(
            difference.rolled,
            [Rolled {
                role: Role::Worker("md-0".into()),
                because: vec![format!("AcmeMachineTemplate {}/t-2: spec.cpus", crate::NAMESPACE)],
            }]
        );
        assert!(difference.created.is_empty() && difference.removed.is_empty(), "{difference:?}");
        let replaced = difference.changed.iter().find(|c| c.replaced_by.is_some()).unwrap();
        assert_eq!(replaced.fields.len(), 1);
    }

    #[test]
    fn the_same_is_no_difference() {
        assert!(compare(&manifests("t-1", 2, 1), &manifests("t-1", 2, 1)).is_empty());
    }
}
