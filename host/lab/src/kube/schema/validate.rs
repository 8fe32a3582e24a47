//! Checking a value against its schema, with the messages of the real API.

use std::collections::HashSet;

use serde_json::Value;

use super::{ListType, Schema, Type};
use crate::kube::error::Cause;

/// Everything about the value that the schema forbids.
pub(crate) fn validate(value: &Value, schema: &Schema, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(value, schema, path, &mut causes);
    causes
}

fn join(path: &str, name: &str) -> String {
    // Keys that are no plain names are written in brackets, as in `metadata.labels[a/b]`.
    if path.is_empty() {
        name.to_owned()
    } else if name.contains(['.', '/']) {
        format!("{path}[{name}]")
    } else {
        format!("{path}.{name}")
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits(value: &Value, wanted: Type) -> bool {
    match wanted {
        Type::Any => true,
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::IntOrString => value.is_string() || value.is_i64() || value.is_u64(),
    }
}

fn check(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && (schema.nullable || schema.value_type == Type::Any) {
        return;
    }
    if !fits(value, schema.value_type) {
        let wanted = schema.value_type.name();
        causes.push(Cause {
            reason: "FieldValueTypeInvalid".to_owned(),
            message: format!(
                "Invalid value: {:?}: {} in body must be of type {wanted}: {:?}",
                type_name(value),
                if path.is_empty() { "<root>" } else { path },
                type_name(value),
            ),
            field: path.to_owned(),
        });
        return;
    }
    check_enumeration(value, schema, path, causes);
    match value {
        Value::String(text) => check_string(value, text, schema, path, causes),
        Value::Number(_) => check_number(value, schema, path, causes),
        Value::Array(list) => check_array(value, list, schema, path, causes),
        Value::Object(map) => {
            for name in &schema.required {
                if !map.contains_key(name) {
                    causes.push(Cause::required(join(path, name), ""));
                }
            }
            if schema.bounds.max_properties.is_some_and(|max| map.len() > max) {
                causes.push(too(
                    path,
                    "TooMany",
                    &format!(
                        "Too many: {}: must have at most {} items",
                        map.len(),
                        schema.bounds.max_properties.unwrap_or_default()
                    ),
                ));
            }
            if let Some(min) = schema.bounds.min_properties.filter(|min| map.len() < *min) {
                causes.push(body(path, value, &format!("should have at least {min} properties")));
            }
            for (name, field) in map {
                if let Some(declared) = schema.field(name) {
                    check(field, declared, &join(path, name), causes);
                }
            }
            if schema.embedded {
                for name in ["apiVersion", "kind"] {
                    if map.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
                        causes.push(Cause::required(join(path, name), "must not be empty"));
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    check_junctors(value, schema, path, causes);
}

/// An error in the words of the schema validator: the path is part of the message.
fn body(path: &str, value: &Value, what: &str) -> Cause {
    let shown = if path.is_empty() { "<root>" } else { path };
    Cause::invalid(path, value, &format!("{shown} in body {what}"))
}

fn too(path: &str, reason: &str, message: &str) -> Cause {
    Cause { reason: format!("FieldValue{reason}"), message: message.to_owned(), field: path.to_owned() }
}

fn check_enumeration(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    if schema.enumeration.is_empty() || schema.enumeration.contains(value) {
        return;
    }
    let supported = schema
        .enumeration
        .iter()
        .map(|one| match one {
            Value::String(text) => format!("{text:?}"),
            other => format!("\"{other}\""),
        })
        .collect::<Vec<_>>()
        .join(", ");
    causes.push(too(path, "NotSupported", &format!("Unsupported value: {value}: supported values: {supported}")));
}

fn check_string(value: &Value, text: &str, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count();
    if let Some(max) = schema.bounds.max_length.filter(|max| length > *max) {
        causes.push(too(path, "TooLong", &format!("Too long: may not be more than {max} bytes")));
    }
    if let Some(min) = schema.bounds.min_length.filter(|min| length < *min) {
        causes.push(body(path, value, &format!("should be at least {min} chars long")));
    }
    if let Some((source, Some(pattern))) = &schema.pattern
        && !pattern.is_match(text)
    {
        causes.push(body(path, value, &format!("should match '{source}'")));
    }
    let well_formed = match schema.format.as_deref() {
        Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
        Some("uuid") => uuid::Uuid::parse_str(text).is_ok(),
        Some("ipv4") => text.parse::<std::net::Ipv4Addr>().is_ok(),
        Some("ipv6") => text.parse::<std::net::Ipv6Addr>().is_ok(),
        Some("byte") => base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).is_ok(),
        _ => true,
    };
    if !well_formed {
        let format = schema.format.as_deref().unwrap_or_default();
        causes.push(body(path, value, &format!("must be of type {format}: {value}")));
    }
}

fn check_number(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    let bounds = &schema.bounds;
    if let Some(min) = bounds.minimum {
        if bounds.exclusive_minimum && number <= min {
            causes.push(body(path, value, &format!("should be greater than {min}")));
        } else if number < min {
            causes.push(body(path, value, &format!("should be greater than or equal to {min}")));
        }
    }
    if let Some(max) = bounds.maximum {
        if bounds.exclusive_maximum && number >= max {
            causes.push(body(path, value, &format!("should be less than {max}")));
        } else if number > max {
            causes.push(body(path, value, &format!("should be less than or equal to {max}")));
        }
    }
    if let Some(step) = bounds.multiple_of
        && step != 0.0
        && (number / step).fract() != 0.0
    {
        causes.push(body(path, value, &format!("should be a multiple of {step}")));
    }
    let in_range = match schema.format.as_deref() {
        Some("int32") => value.as_i64().is_none_or(|n| i32::try_from(n).is_ok()),
        Some("int64") => value.as_u64().is_none_or(|n| i64::try_from(n).is_ok()),
        _ => true,
    };
    if !in_range {
        let format = schema.format.as_deref().unwrap_or_default();
        causes.push(body(path, value, &format!("must be of type {format}: {value}")));
    }
}

fn check_array(value: &Value, list: &[Value], schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let bounds = &schema.bounds;
    if let Some(max) = bounds.max_items.filter(|max| list.len() > *max) {
        causes.push(too(path, "TooMany", &format!("Too many: {}: must have at most {max} items", list.len())));
    }
    if let Some(min) = bounds.min_items.filter(|min| list.len() < *min) {
        causes.push(body(path, value, &format!("should have at least {min} items")));
    }
    let Some(items) = &schema.items else { return };
    for (at, item) in list.iter().enumerate() {
        check(item, items, &format!("{path}[{at}]"), causes);
    }
    let mut seen = HashSet::new();
    for (at, item) in list.iter().enumerate() {
        let key = match &schema.list {
            ListType::Atomic if bounds.unique_items => item.to_string(),
            ListType::Atomic => continue,
            ListType::Set => item.to_string(),
            ListType::Map(keys) => keys
                .iter()
                .map(|key| {
                    let default = items.properties.get(key).and_then(|s| s.default.as_ref());
                    let part = item.get(key).or(default);
                    part.map(ToString::to_string).unwrap_or_default()
                })
                .collect::<Vec<_>>()
                .join("\u{0}"),
        };
        if !seen.insert(key) {
            let shown = match &schema.list {
                ListType::Map(keys) => {
                    let parts: serde_json::Map<String, Value> =
                        keys.iter().filter_map(|key| item.get(key).map(|v| (key.clone(), v.clone()))).collect();
                    Value::Object(parts).to_string()
                }
                _ => item.to_string(),
            };
            causes.push(too(&format!("{path}[{at}]"), "Duplicate", &format!("Duplicate value: {shown}")));
        }
    }
}

fn check_junctors(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    for part in &schema.all_of {
        check(value, part, path, causes);
    }
    let passes = |part: &Schema| validate(value, part, path).is_empty();
    let quoted = |what: &str| body(path, value, what);
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(|part| passes(part)) {
        causes.push(quoted("must validate at least one schema (anyOf)"));
    }
    if !schema.one_of.is_empty() {
        let valid = schema.one_of.iter().filter(|part| passes(part)).count();
        if valid != 1 {
            causes.push(quoted(if valid == 0 {
                "must validate one and only one schema (oneOf). Found none valid"
            } else {
                "must validate one and only one schema (oneOf). Found more than one valid"
            }));
        }
    }
    if schema.not.as_ref().is_some_and(|part| passes(part)) {
        causes.push(quoted("must not validate the schema (not)"));
    }
}
