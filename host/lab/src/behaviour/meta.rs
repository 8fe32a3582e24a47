//! What controllers write into `metadata`: owners, labels, annotations, names.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kube::object;

use super::kinds::names;

/// The text at a JSON pointer; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a JSON pointer.
pub(crate) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// Whether `true` stands at a JSON pointer.
pub(crate) fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// Sets the value at a path of keys, making the maps on the way.
pub(crate) fn set(value: &mut Value, path: &[&str], to: Value) {
    if let Some((last, before)) = path.split_last() {
        object::ensure_map(value, before).insert((*last).to_owned(), to);
    }
}

/// Takes away the value at a path of keys.
pub(crate) fn unset(value: &mut Value, path: &[&str]) {
    if let Some((last, before)) = path.split_last() {
        let pointer: String = before.iter().flat_map(|step| ["/", *step]).collect();
        if let Some(Value::Object(map)) = value.pointer_mut(&pointer) {
            map.shift_remove(*last);
        }
    }
}

/// The name of the cluster that an object belongs to: its label, or what its spec says.
pub(crate) fn cluster_name(this: &Value) -> &str {
    object::label(this, names::CLUSTER_NAME).unwrap_or_else(|| text(this, "/spec/clusterName"))
}

/// An owner reference to `owner`.
pub(crate) fn owner_reference(owner: &Value, controller: bool) -> Value {
    let mut reference = json!({
        "apiVersion": text(owner, "/apiVersion"), "kind": object::kind(owner), "name": object::name(owner), "uid": object::uid(owner),
    });
    if controller {
        set(&mut reference, &["controller"], json!(true));
        set(&mut reference, &["blockOwnerDeletion"], json!(true));
    }
    reference
}

/// Makes `owner` an owner of `this`. What has a controller already keeps it, and then nothing changes: two that fight over a third would never end.
pub(crate) fn own(this: &mut Value, owner: &Value, controller: bool) {
    let wanted = owner_reference(owner, controller);
    let is_this = |one: &Value| one.get("uid") == wanted.get("uid");
    if controller && object::owners(this).iter().any(|one| !is_this(one) && flag(one, "/controller")) {
        return;
    }
    let mut owners = object::owners(this).to_vec();
    match owners.iter_mut().find(|one| is_this(one)) {
        Some(there) => *there = wanted,
        None => owners.push(wanted),
    }
    object::metadata(this).insert("ownerReferences".to_owned(), Value::Array(owners));
}

/// The owner of a kind, as named in `metadata.ownerReferences`.
pub(crate) fn owner_named<'a>(this: &'a Value, kind: &str) -> Option<&'a str> {
    object::owners(this).iter().find(|owner| text(owner, "/kind") == kind).map(|owner| text(owner, "/name"))
}

pub(crate) fn set_label(this: &mut Value, key: &str, value: &str) {
    object::ensure_map(this, &["metadata", "labels"]).insert(key.to_owned(), json!(value));
}

pub(crate) fn set_annotation(this: &mut Value, key: &str, value: &str) {
    object::ensure_map(this, &["metadata", "annotations"]).insert(key.to_owned(), json!(value));
}

pub(crate) fn remove_annotation(this: &mut Value, key: &str) {
    unset(this, &["metadata", "annotations", key]);
    if this.pointer("/metadata/annotations").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
        object::metadata(this).shift_remove("annotations");
    }
}

/// Five characters in Kubernetes' alphabet for generated names, the same for the same input.
pub(crate) fn suffix(of: &str) -> String {
    hashed(of).chars().take(5).collect()
}

/// Ten characters in Kubernetes' alphabet for generated names, the same for the same input.
pub(crate) fn hashed(of: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(of.as_bytes());
    digest
        .iter()
        .take(10)
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()).copied().map(char::from))
        .collect()
}

/// A fresh name behind `prefix`, as `generateName` makes it.
pub(crate) fn fresh_name(prefix: &str) -> String {
    format!("{prefix}-{}", suffix(&uuid::Uuid::new_v4().to_string()))
}

/// The time now, as Kubernetes writes it.
pub(crate) fn now() -> String {
    let seconds = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// Whether an object or its cluster is paused.
pub(crate) fn is_paused(cluster: Option<&Value>, this: &Value) -> bool {
    cluster.is_some_and(|cluster| flag(cluster, "/spec/paused")) || object::annotation(this, names::PAUSED).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_controller_and_the_first_one_stays() {
        let owner =
            |kind: &str, uid: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": kind, "uid": uid}});
        let mut this = json!({"metadata": {"name": "x"}});
        own(&mut this, &owner("Set", "1"), false);
        own(&mut this, &owner("Cluster", "2"), false);
        own(&mut this, &owner("Machine", "3"), true);
        own(&mut this, &owner("Machine", "4"), true);
        let owners: Vec<_> =
            object::owners(&this).iter().map(|one| (text(one, "/uid"), flag(one, "/controller"))).collect();
        assert_eq!(owners, [("1", false), ("2", false), ("3", true)]);
        let before = this.clone();
        own(&mut this, &owner("Cluster", "2"), false);
        own(&mut this, &owner("Machine", "3"), true);
        assert_eq!(this, before);
    }

    #[test]
    fn paused_by_the_cluster_or_by_the_object_itself() {
        let plain = json!({"metadata": {}});
        let marked = json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": "true"}}});
        assert!(!is_paused(Some(&plain), &plain));
        assert!(is_paused(Some(&json!({"spec": {"paused": true}})), &plain));
        assert!(is_paused(None, &marked));
    }

    #[test]
    fn removing_what_is_not_there_changes_nothing() {
        let mut this = json!({"spec": {"a": 1}});
        unset(&mut this, &["spec", "b", "c"]);
        remove_annotation(&mut this, "x");
        assert_eq!(this, json!({"spec": {"a": 1}}));
    }
}
