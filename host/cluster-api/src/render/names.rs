//! Names by content: what has changed gets a new name, and machines that use it are replaced; what has not keeps its name.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Eight hex digits that stand for the content of an object: all but its version and metadata, whatever the order of keys.
pub(super) fn content(object: &Value) -> String {
    let mut hasher = Sha256::new();
    if let Some(map) = object.as_object() {
        let mut keys: Vec<&String> =
            map.keys().filter(|k| !matches!(k.as_str(), "apiVersion" | "metadata" | "status")).collect();
        keys.sort();
        for key in keys {
            hasher.update(key.as_bytes());
            hasher.update(b":");
            if let Some(value) = map.get(key) {
                feed(&mut hasher, value);
            }
        }
    }
    let mut hash = hex::encode(hasher.finalize());
    hash.truncate(8);
    hash
}

/// A value into the hash, unambiguously and with keys in order.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<(&String, &Value)> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            hasher.update(b"{");
            for (key, value) in keys {
                hasher.update(key.len().to_be_bytes());
                hasher.update(key.as_bytes());
                feed(hasher, value);
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            for item in items {
                feed(hasher, item);
            }
            hasher.update(b"]");
        }
        Value::String(text) => {
            hasher.update(b"\"");
            hasher.update(text.len().to_be_bytes());
            hasher.update(text.as_bytes());
        }
        other => hasher.update(other.to_string().as_bytes()),
    }
    hasher.update(b",");
}

/// An object without the fields at some paths.
pub(super) fn without(object: &Value, paths: &[String]) -> Value {
    let mut object = object.clone();
    for path in paths {
        remove(&mut object, &kedge_spec::path::segments(path));
    }
    object
}

fn remove(value: &mut Value, segments: &[&str]) {
    let Some((first, rest)) = segments.split_first() else { return };
    match value {
        Value::Object(map) if rest.is_empty() => {
            map.shift_remove(*first);
        }
        Value::Object(map) => {
            if let Some(inner) = map.get_mut(*first) {
                remove(inner, rest);
            }
        }
        Value::Array(items) => {
            let Ok(index) = first.parse::<usize>() else { return };
            if rest.is_empty() {
                if index < items.len() {
                    items.remove(index);
                }
            } else if let Some(inner) = items.get_mut(index) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_follows_the_content_alone() {
        let a = json!({"apiVersion": "x/v1", "kind": "T", "spec": {"a": 1, "b": [1, "2"]}});
        let b = json!({"kind": "T", "spec": {"b": [1, "2"], "a": 1}, "apiVersion": "x/v2", "metadata": {"name": "n"}});
        assert_eq!(content(&a), content(&b));
        assert_eq!(content(&a).len(), 8);
        for other in [
            json!({"kind": "T", "spec": {"a": 1, "b": [1, 2]}}),
            json!({"kind": "T", "spec": {"a": 1, "b": ["1", "2"]}}),
            json!({"kind": "U", "spec": {"a": 1, "b": [1, "2"]}}),
            json!({"kind": "T", "spec": {"a": 1, "b": [[1], "2"]}}),
        ] {
            assert_ne!(content(&a), content(&other), "{other}");
        }
    }

    #[test]
    fn fields_that_may_change_in_place_do_not_count() {
        let with =
            |cpus: u32, tag: &str| json!({"kind": "T", "spec": {"template": {"spec": {"cpus": cpus, "tags": [tag]}}}});
        let name = |cpus, tag| {
            content(&without(
                &with(cpus, tag),
                &["spec.template.spec.tags[0]".to_owned(), "spec.nothing.here".to_owned()],
            ))
        };
        assert_eq!(name(2, "a"), name(2, "b"));
        assert_ne!(name(2, "a"), name(4, "a"));
    }
}
