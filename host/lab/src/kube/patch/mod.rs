//! The three kinds of patches that change an object as it is; server-side apply has a module of its own.

mod strategic;

use serde_json::{Map, Value};

pub(crate) use strategic::strategic;

use super::error::{ApiError, Reason};
use super::resource::Resource;

/// Applies a JSON patch (RFC 6902).
pub(crate) fn json(old: &Value, operations: &Value, resource: &Resource, name: &str) -> Result<Value, ApiError> {
    let patch: json_patch::Patch = serde_json::from_value(operations.clone())
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    let mut new = old.clone();
    json_patch::patch(&mut new, &patch).map_err(|error| {
        ApiError::new(
            Reason::Invalid,
            format!("the server rejected our request due to an error in our request: {error}"),
        )
        .about(&resource.key.group, &resource.key.plural, name)
    })?;
    Ok(new)
}

/// Applies a merge patch (RFC 7386).
pub(crate) fn merge(old: &Value, part: &Value) -> Value {
    let Value::Object(part) = part else {
        return part.clone();
    };
    let mut map = match old {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    for (name, value) in part {
        if value.is_null() {
            map.shift_remove(name);
        } else {
            let merged = merge(map.get(name).unwrap_or(&Value::Null), value);
            map.insert(name.clone(), merged);
        }
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_sets_and_removes() {
        let old = json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
        let new = merge(&old, &json!({"a": {"b": null, "e": {"f": null}}, "d": [3]}));
        assert_eq!(new, json!({"a": {"c": 2, "e": {}}, "d": [3]}));
    }
}
