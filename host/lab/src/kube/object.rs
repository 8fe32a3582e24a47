//! Reading and changing the parts that every Kubernetes object has.

use serde_json::{Map, Value};

/// `metadata.<field>` where it is a string, else the empty string.
fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Value::as_str).unwrap_or_default()
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    meta(object, "name")
}

/// `metadata.namespace`; empty for objects of the whole cluster.
pub fn namespace(object: &Value) -> &str {
    meta(object, "namespace")
}

/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    meta(object, "uid")
}

/// `metadata.resourceVersion`.
pub fn resource_version(object: &Value) -> &str {
    meta(object, "resourceVersion")
}

/// `metadata.generation`, 0 where there is none.
pub fn generation(object: &Value) -> i64 {
    object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default()
}

/// Whether `metadata.deletionTimestamp` is set.
pub fn is_deleting(object: &Value) -> bool {
    !meta(object, "deletionTimestamp").is_empty()
}

/// `metadata.finalizers`.
pub fn finalizers(object: &Value) -> Vec<&str> {
    object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// `metadata.ownerReferences`.
pub fn owners(object: &Value) -> &[Value] {
    object.pointer("/metadata/ownerReferences").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The value of a label.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// The value of an annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// `kind`.
pub fn kind(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

/// The group and the version of `apiVersion`.
pub fn group_version(object: &Value) -> (&str, &str) {
    let text = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    text.split_once('/').unwrap_or(("", text))
}

/// `group/version` as in `apiVersion`; the core group has no slash.
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The map at a place, made where there is none (a value of another type there is replaced).
pub fn ensure_map<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut current = value;
    for step in path {
        if !current.is_object() {
            *current = Value::Object(Map::new());
        }
        // The arm above made it a map.
        current = match current {
            Value::Object(map) => map.entry(*step).or_insert(Value::Null),
            other => other,
        };
    }
    if !current.is_object() {
        *current = Value::Object(Map::new());
    }
    match current {
        Value::Object(map) => map,
        _ => unreachable!("made a map above"),
    }
}

/// `metadata`, made where there is none.
pub fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    ensure_map(object, &["metadata"])
}

/// Adds a finalizer; says whether it was missing.
pub fn add_finalizer(object: &mut Value, finalizer: &str) -> bool {
    if finalizers(object).contains(&finalizer) {
        return false;
    }
    let entry = metadata(object).entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
    match entry {
        Value::Array(list) => list.push(Value::String(finalizer.to_owned())),
        other => *other = Value::Array(vec![Value::String(finalizer.to_owned())]),
    }
    true
}

/// Takes a finalizer away; says whether it was there.
pub fn remove_finalizer(object: &mut Value, finalizer: &str) -> bool {
    let metadata = metadata(object);
    let Some(Value::Array(list)) = metadata.get_mut("finalizers") else {
        return false;
    };
    let before = list.len();
    list.retain(|entry| entry.as_str() != Some(finalizer));
    let removed = list.len() < before;
    if list.is_empty() {
        metadata.shift_remove("finalizers");
    }
    removed
}
