//! Strategic merge patches: merge patches that know which lists are merged, and by which field.
//!
//! Source: `k8s.io/apimachinery/pkg/util/strategicpatch` for the directives.

use serde_json::{Map, Value};

use crate::kube::error::ApiError;
use crate::kube::schema::Schema;

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE_SCALARS: &str = "$deleteFromPrimitiveList/";

/// Applies a strategic merge patch.
pub(crate) fn strategic(old: &Value, part: &Value, schema: &Schema) -> Result<Value, ApiError> {
    let (Value::Object(old), Value::Object(part)) = (old, part) else {
        return Err(ApiError::bad_request("a strategic merge patch has to be a map"));
    };
    Ok(Value::Object(merge_maps(old, part, Some(schema))?))
}

fn directive(value: &Value) -> Option<&str> {
    value.get(DIRECTIVE)?.as_str()
}

fn merge_maps(
    old: &Map<String, Value>,
    part: &Map<String, Value>,
    schema: Option<&Schema>,
) -> Result<Map<String, Value>, ApiError> {
    match part.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => {
            let mut new = part.clone();
            new.shift_remove(DIRECTIVE);
            return Ok(new);
        }
        Some("delete") => return Ok(Map::new()),
        _ => {}
    }
    let mut new = old.clone();
    if let Some(Value::Array(keys)) = part.get(RETAIN) {
        new.retain(|name, _| keys.iter().any(|key| key.as_str() == Some(name)));
    }
    for (name, value) in part {
        if let Some(list) = name.strip_prefix(DELETE_SCALARS) {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (new.get_mut(list), value) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if name.starts_with('$') {
            continue;
        }
        let field = schema.and_then(|schema| schema.field(name)).map(|s| &**s);
        if value.is_null() || directive(value) == Some("delete") {
            new.shift_remove(name);
            continue;
        }
        let merged = match (new.get(name), value) {
            (Some(Value::Object(old)), Value::Object(part)) => Value::Object(merge_maps(old, part, field)?),
            (None, Value::Object(part)) => Value::Object(merge_maps(&Map::new(), part, field)?),
            (old, Value::Array(part)) => {
                let key = field.and_then(|field| field.strategy.merge_key.as_deref());
                let empty = Vec::new();
                let old = old.and_then(Value::as_array).unwrap_or(&empty);
                match key {
                    None => Value::Array(part.clone()),
                    Some("") => Value::Array(merge_scalars(old, part)),
                    Some(key) => {
                        let items = field.and_then(|field| field.items.as_deref());
                        Value::Array(merge_lists(old, part, key, items)?)
                    }
                }
            }
            (_, value) => value.clone(),
        };
        new.insert(name.clone(), merged);
    }
    for (name, order) in part {
        let (Some(list), Value::Array(order)) = (name.strip_prefix(ORDER), order) else {
            continue;
        };
        let key = schema
            .and_then(|schema| schema.field(list))
            .and_then(|field| field.strategy.merge_key.clone())
            .unwrap_or_default();
        if let Some(Value::Array(items)) = new.get_mut(list) {
            arrange(items, order, &key);
        }
    }
    Ok(new)
}

fn merge_scalars(old: &[Value], part: &[Value]) -> Vec<Value> {
    let mut new = old.to_vec();
    for value in part {
        if !new.contains(value) {
            new.push(value.clone());
        }
    }
    new
}

fn merge_lists(old: &[Value], part: &[Value], key: &str, items: Option<&Schema>) -> Result<Vec<Value>, ApiError> {
    let replaces = part.iter().any(|item| directive(item) == Some("replace") && item.get(key).is_none());
    if replaces {
        return Ok(part.iter().filter(|item| directive(item).is_none()).cloned().collect());
    }
    let mut new = old.to_vec();
    for item in part {
        let Value::Object(change) = item else {
            return Err(ApiError::bad_request(format!(
                "the items of a list that is merged by {key:?} have to be maps"
            )));
        };
        let Some(id) = change.get(key) else {
            return Err(ApiError::bad_request(format!("map: {item} does not contain declared merge key: {key}")));
        };
        if directive(item) == Some("delete") {
            new.retain(|other| other.get(key) != Some(id));
            continue;
        }
        match new.iter_mut().find(|other| other.get(key) == Some(id)) {
            Some(found) => {
                let old = found.as_object().cloned().unwrap_or_default();
                *found = Value::Object(merge_maps(&old, change, items)?);
            }
            None => new.push(Value::Object(merge_maps(&Map::new(), change, items)?)),
        }
    }
    Ok(new)
}

/// Puts the items that `order` names into its order, in the places that they have among the others.
fn arrange(items: &mut [Value], order: &[Value], key: &str) {
    let rank = |item: &Value| {
        order.iter().position(|wanted| {
            if key.is_empty() { wanted == item } else { wanted.get(key).is_some() && wanted.get(key) == item.get(key) }
        })
    };
    let mut named: Vec<(usize, Value)> =
        items.iter().filter_map(|item| rank(item).map(|rank| (rank, item.clone()))).collect();
    named.sort_by_key(|(rank, _)| *rank);
    let mut next = named.into_iter().map(|(_, item)| item);
    for item in items.iter_mut() {
        if rank(item).is_some()
            && let Some(placed) = next.next()
        {
            *item = placed;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kube::builtin::schema_of;

    fn patched(old: &Value, part: &Value) -> Value {
        strategic(old, part, &schema_of("core.v1.PodSpec")).unwrap()
    }

    #[test]
    fn containers_are_merged_by_name_and_other_lists_replaced() {
        let old = json!({"containers": [{"name": "a", "image": "x:1", "args": ["-v"]}, {"name": "b"}]});
        let new = patched(&old, &json!({"containers": [{"name": "a", "image": "x:2", "args": ["-q"]}, {"name": "c"}]}));
        assert_eq!(
            new,
            json!({"containers": [{"name": "a", "image": "x:2", "args": ["-q"]}, {"name": "b"}, {"name": "c"}]})
        );
    }

    #[test]
    fn directives_delete_replace_and_order() {
        let old = json!({"containers": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"x": "y"}});
        let new = patched(
            &old,
            &json!({
                "containers": [{"name": "a", "$patch": "delete"}, {"name": "c"}],
                "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
                "nodeSelector": {"$patch": "replace", "k": "v"},
            }),
        );
        assert_eq!(new, json!({"containers": [{"name": "c"}, {"name": "b"}], "nodeSelector": {"k": "v"}}));
    }

    #[test]
    fn an_item_without_its_merge_key_is_refused() {
        let error = strategic(&json!({}), &json!({"containers": [{"image": "x"}]}), &schema_of("core.v1.PodSpec"));
        assert!(error.unwrap_err().message.contains("merge key: name"));
    }
}
