//! Taking away fields that a schema does not know, and filling in its defaults.

use serde_json::{Map, Value};

use super::{Schema, Type};

/// Removes fields that the schema does not declare; their paths are added to `removed`.
///
/// `apiVersion`, `kind` and `metadata` of the object itself and of embedded objects stay.
pub(crate) fn prune(value: &mut Value, schema: &Schema, root: bool, removed: &mut Vec<String>) {
    walk(value, schema, root, "", removed);
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn walk(value: &mut Value, schema: &Schema, root: bool, path: &str, removed: &mut Vec<String>) {
    match value {
        Value::Object(map) => walk_map(map, schema, root, path, removed),
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (at, item) in list.iter_mut().enumerate() {
                    walk(item, items, false, &format!("{path}[{at}]"), removed);
                }
            }
        }
        _ => {}
    }
}

fn walk_map(map: &mut Map<String, Value>, schema: &Schema, root: bool, path: &str, removed: &mut Vec<String>) {
    let object = root || schema.embedded;
    let keep_unknown = schema.keeps_unknown();
    let names: Vec<String> = map.keys().cloned().collect();
    for name in names {
        if object && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        match schema.field(&name) {
            Some(field) => {
                if let Some(value) = map.get_mut(&name) {
                    walk(value, field, false, &join(path, &name), removed);
                }
            }
            None if keep_unknown => {}
            None => {
                map.shift_remove(&name);
                removed.push(join(path, &name));
            }
        }
    }
}

/// Fills in the defaults of missing fields, and takes away a `null` where none may stand.
pub(crate) fn coerce_defaults(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            for (name, field) in &schema.properties {
                let missing = match map.get(name) {
                    None => true,
                    Some(Value::Null) => !field.nullable,
                    Some(_) => false,
                };
                if !missing {
                    continue;
                }
                if let Some(default) = &field.default {
                    map.insert(name.clone(), default.clone());
                } else if map.contains_key(name) && field.value_type != Type::Any {
                    // A null is as good as nothing there: clients that marshal empty structures send them.
                    map.shift_remove(name);
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(field) = schema.field(name) {
                    coerce_defaults(value, field);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for item in list {
                    coerce_defaults(item, items);
                }
            }
        }
        _ => {}
    }
}
