//! Merging an applied object into the live one, and taking away what is no longer applied.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::fields::{FieldSet, item_step};
use crate::kube::schema::{ListType, Schema, Type};

/// Whether the lists of an object can be merged: each item has its keys, and no two are the same.
pub(crate) fn check(value: &Value, schema: &Schema) -> Result<(), String> {
    check_at(value, Some(schema), "")
}

fn check_at(value: &Value, schema: Option<&Schema>, path: &str) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let field = schema.and_then(|schema| schema.field(name)).map(|s| &**s);
                check_at(value, field, &format!("{path}.{name}"))?;
            }
        }
        Value::Array(list) => {
            let Some(schema) = schema else { return Ok(()) };
            let mut seen = HashSet::new();
            for (at, item) in list.iter().enumerate() {
                if let ListType::Map(keys) = &schema.list {
                    let Some(step) = item_step(item, schema) else {
                        return Err(format!(
                            "{path}: element {at}: associative list with keys has an element that omits key field {:?} (and doesn't have default value)",
                            keys.first().map(String::as_str).unwrap_or_default()
                        ));
                    };
                    if !seen.insert(step.clone()) {
                        return Err(format!("{path}: duplicate entries for key [{}]", step.trim_start_matches("k:")));
                    }
                }
                check_at(item, schema.items.as_deref(), &format!("{path}[{at}]"))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `live` with everything in `wanted` put over it.
pub(crate) fn merge(live: &Value, wanted: &Value, schema: &Schema) -> Value {
    merge_at(live, wanted, Some(schema))
}

fn merge_at(live: &Value, wanted: &Value, schema: Option<&Schema>) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            if schema.is_some_and(|schema| schema.atomic) {
                return Value::Object(wanted.clone());
            }
            let mut result = live.clone();
            for (name, value) in wanted {
                let field = schema.and_then(|schema| schema.field(name)).map(|s| &**s);
                let merged = match live.get(name) {
                    Some(old) => merge_at(old, value, field),
                    None => value.clone(),
                };
                result.insert(name.clone(), merged);
            }
            Value::Object(result)
        }
        (Value::Array(live), Value::Array(wanted)) => match schema {
            Some(schema) if schema.value_type == Type::Array && schema.list != ListType::Atomic => {
                Value::Array(merge_lists(live, wanted, schema))
            }
            _ => Value::Array(wanted.clone()),
        },
        (_, wanted) => wanted.clone(),
    }
}

/// The items of both, in the order of `wanted`; items of `live` alone stay where they were among the others.
fn merge_lists(live: &[Value], wanted: &[Value], schema: &Schema) -> Vec<Value> {
    let live: Vec<(Option<String>, &Value)> = live.iter().map(|item| (item_step(item, schema), item)).collect();
    let wanted: Vec<(Option<String>, &Value)> = wanted.iter().map(|item| (item_step(item, schema), item)).collect();
    let in_wanted: HashSet<&String> = wanted.iter().filter_map(|(step, _)| step.as_ref()).collect();
    let items = schema.items.as_deref();
    let mut result = Vec::new();
    let mut left = live.iter().peekable();
    let mut done: HashSet<&String> = HashSet::new();
    for (step, item) in &wanted {
        // The live items that nobody applies here keep their place before the one that they stood before.
        while let Some((live_step, live_item)) = left.peek() {
            let shared = live_step.as_ref().is_some_and(|step| in_wanted.contains(step));
            if shared {
                let passed = live_step.as_ref().is_some_and(|step| done.contains(step));
                if passed || live_step == step {
                    left.next();
                    if live_step == step {
                        break;
                    }
                    continue;
                }
                break;
            }
            result.push((*live_item).clone());
            left.next();
        }
        let old = step.as_ref().and_then(|step| live.iter().find(|(other, _)| other.as_ref() == Some(step)));
        result.push(match old {
            Some((_, old)) => merge_at(old, item, items),
            None => (*item).clone(),
        });
        if let Some(step) = step {
            done.insert(step);
        }
    }
    for (live_step, live_item) in left {
        if !live_step.as_ref().is_some_and(|step| in_wanted.contains(step)) {
            result.push((*live_item).clone());
        }
    }
    result
}

/// Takes the fields of `gone` out of `value`, but for those that are in `kept`, or hold something that is.
pub(crate) fn remove(value: &mut Value, gone: &FieldSet, kept: &FieldSet, schema: &Schema) {
    remove_at(value, gone, Some(kept), Some(schema));
}

fn remove_at(value: &mut Value, gone: &FieldSet, kept: Option<&FieldSet>, schema: Option<&Schema>) {
    match value {
        Value::Object(map) => remove_fields(map, gone, kept, schema),
        Value::Array(list) => {
            let Some(schema) = schema else { return };
            list.retain_mut(|item| {
                let Some(step) = item_step(item, schema) else {
                    return true;
                };
                if gone.has(&step) && !kept.is_some_and(|kept| kept.touches(&step)) {
                    return false;
                }
                if let Some(below) = gone.below(&step) {
                    let kept = kept.and_then(|kept| kept.below(&step));
                    let keys = item.clone();
                    remove_at(item, below, kept, schema.items.as_deref());
                    restore_keys(item, &keys, schema);
                }
                true
            });
        }
        _ => {}
    }
}

/// An item that stays keeps what it is known by.
fn restore_keys(item: &mut Value, before: &Value, schema: &Schema) {
    if let (ListType::Map(keys), Value::Object(map)) = (&schema.list, item) {
        for key in keys {
            if let Some(value) = before.get(key) {
                map.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}

fn remove_fields(map: &mut Map<String, Value>, gone: &FieldSet, kept: Option<&FieldSet>, schema: Option<&Schema>) {
    let names: Vec<String> = map.keys().cloned().collect();
    for name in names {
        let step = format!("f:{name}");
        if gone.has(&step) && !kept.is_some_and(|kept| kept.touches(&step)) {
            map.shift_remove(&name);
            continue;
        }
        let Some(below) = gone.below(&step) else {
            continue;
        };
        let field = schema.and_then(|schema| schema.field(&name)).map(|s| &**s);
        let kept = kept.and_then(|kept| kept.below(&step));
        let Some(value) = map.get_mut(&name) else {
            continue;
        };
        let before = is_empty(value);
        remove_at(value, below, kept, field);
        if !before && is_empty(value) {
            map.shift_remove(&name);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
