//! From an object of the source to one of the target, and whether the one on the target is that one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::graph::Node;
use super::{ADOPTED, MARK};
use crate::object::items;

/// Metadata that a server sets itself.
const SERVER_SIDE: [&str; 10] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "generateName",
    "ownerReferences",
];

/// The object as it is made on the target: same content, new owners, the mark of the move. Status is for the controllers of
/// the target to find out.
pub(super) fn for_target(node: &Node, operation: &str, uids: &BTreeMap<String, String>) -> Value {
    let mut object = node.object.clone();
    if let Some(map) = object.as_object_mut() {
        map.shift_remove("status");
        map.insert("apiVersion".to_owned(), node.id.kind.api_version.as_ref().into());
        map.insert("kind".to_owned(), node.id.kind.kind.as_ref().into());
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in SERVER_SIDE {
            metadata.shift_remove(key);
        }
        let owners = owners(node, uids);
        if !owners.is_empty() {
            metadata.insert("ownerReferences".to_owned(), owners.into());
        }
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if !annotations.is_object() {
            *annotations = json!({});
        }
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(MARK.to_owned(), operation.into());
        }
    }
    object
}

/// The owner references of an object, with the uids that the owners have on the target.
pub(super) fn owners(node: &Node, uids: &BTreeMap<String, String>) -> Vec<Value> {
    items(&node.object, "/metadata/ownerReferences")
        .iter()
        .filter_map(|owner| {
            let new = uids.get(owner.get("uid")?.as_str()?)?;
            let mut owner = owner.clone();
            owner.as_object_mut()?.insert("uid".to_owned(), new.clone().into());
            Some(owner)
        })
        .collect()
}

/// Where the object on the target is not what was to be made; none if it is. The target may know more: its webhooks and
/// definitions set defaults.
pub(super) fn difference(wanted: &Value, there: &Value) -> Option<String> {
    let content = |object: &Value| {
        let mut map: Map<String, Value> = object.as_object().cloned().unwrap_or_default();
        for key in ["apiVersion", "kind", "metadata", "status"] {
            map.shift_remove(key);
        }
        for part in ["labels", "annotations", "finalizers"] {
            let mut value = object.pointer(&format!("/metadata/{part}")).cloned().unwrap_or_default();
            if let Some(annotations) = value.as_object_mut() {
                annotations.shift_remove(MARK);
                annotations.shift_remove(ADOPTED);
            }
            // A set: a controller may add its own, also before it looks whether it is paused.
            if let Some(finalizers) = value.as_array() {
                value =
                    finalizers.iter().filter_map(Value::as_str).map(|f| (f.to_owned(), Value::Bool(true))).collect();
            }
            if !value.is_null() {
                map.insert(format!("metadata.{part}"), value);
            }
        }
        Value::Object(map)
    };
    missing(&content(wanted), &content(there), "")
}

/// The owners, which have to be exactly these.
pub(super) fn same_owners(wanted: &[Value], there: &Value) -> bool {
    let there = items(there, "/metadata/ownerReferences");
    wanted.len() == there.len() && wanted.iter().all(|owner| there.iter().any(|o| o.get("uid") == owner.get("uid")))
}

/// The first place where something wanted is not there.
fn missing(wanted: &Value, there: &Value, at: &str) -> Option<String> {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => wanted.iter().find_map(|(key, value)| {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match there.get(key) {
                Some(other) => missing(value, other, &at),
                // A server drops what is empty.
                None => (!empty(value)).then_some(at),
            }
        }),
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => {
            wanted.iter().zip(there).enumerate().find_map(|(index, (w, t))| missing(w, t, &format!("{at}[{index}]")))
        }
        (wanted, there) => (wanted != there && !(empty(wanted) && empty(there))).then(|| at.to_owned()),
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finalizer_more_is_no_difference_and_one_less_is() {
        let with = |finalizers: &[&str]| json!({"metadata": {"finalizers": finalizers}});
        assert_eq!(difference(&with(&["a"]), &with(&["b", "a"])), None);
        assert_eq!(difference(&with(&["a", "b"]), &with(&["b"])).as_deref(), Some("metadata.finalizers.a"));
    }

    #[test]
    fn the_target_may_know_more_but_not_less() {
        let wanted = json!({"spec": {"a": 1, "list": [{"x": 1}], "none": {}}, "metadata": {"labels": {"l": "1"}, "annotations": {MARK: "op"}}});
        let there = json!({"spec": {"a": 1, "b": 2, "list": [{"x": 1, "y": 2}]}, "metadata": {"labels": {"l": "1", "m": "2"}, "uid": "u"}});
        assert_eq!(difference(&wanted, &there), None);
        for (changed, place) in [
            (json!({"spec": {"a": 2, "list": [{"x": 1}]}, "metadata": {"labels": {"l": "1"}}}), "spec.a"),
            (json!({"spec": {"a": 1, "list": []}, "metadata": {"labels": {"l": "1"}}}), "spec.list"),
            (json!({"spec": {"a": 1, "list": [{"x": 1}]}}), "metadata.labels"),
            (json!({"spec": {"a": 1, "list": [{"x": 3}]}, "metadata": {"labels": {"l": "1"}}}), "spec.list[0].x"),
        ] {
            assert_eq!(difference(&wanted, &changed).as_deref(), Some(place));
        }
    }
}
