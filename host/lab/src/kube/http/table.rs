//! Objects as the rows that `kubectl get` prints.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::columns::{self, BuiltInColumn};
use super::jsonpath;
use super::objects::metadata_only;
use crate::kube::object;
use crate::kube::resource::{Column, Resource};

/// The objects as a `Table`. `include` is the request's `includeObject`; `headed`: with column definitions.
pub(super) fn of(
    resource: &Resource,
    version: &str,
    objects: &[Arc<Value>],
    meta: &Value,
    include: Option<&str>,
    headed: bool,
    now: Timestamp,
) -> Value {
    let declared = resource.version(version).map(|version| version.columns.as_slice()).unwrap_or_default();
    let built_in = if resource.custom { None } else { columns::of(&resource.key) };
    let mut definitions = vec![json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace. It is the last part of the object's path.",
    })];
    match built_in {
        Some(list) => definitions.extend(list.iter().map(|column| {
            json!({"name": column.name, "type": column.type_name, "format": "",
                "priority": i32::from(column.wide), "description": ""})
        })),
        None if declared.is_empty() => definitions.push(age_definition()),
        None => definitions.extend(declared.iter().map(|column| {
            json!({"name": column.name, "type": column.type_name, "format": column.format,
                "priority": column.priority, "description": column.description})
        })),
    }
    let rows: Vec<Value> = objects
        .iter()
        .map(|value| {
            let cells = cells(value, built_in, declared, now);
            let shown = match include {
                Some("None") => Value::Null,
                Some("Object") => (**value).clone(),
                _ => metadata_only(value),
            };
            json!({"cells": cells, "object": shown})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
        "columnDefinitions": if headed { definitions } else { Vec::new() },
        "rows": rows,
    })
}

fn age_definition() -> Value {
    json!({"name": "Age", "type": "date", "format": "", "priority": 0,
        "description": "How long ago the object was created."})
}

fn cells(value: &Value, built_in: Option<&[BuiltInColumn]>, declared: &[Column], now: Timestamp) -> Vec<Value> {
    let mut cells = vec![json!(object::name(value))];
    match built_in {
        Some(list) => cells.extend(list.iter().map(|column| (column.cell)(value, now))),
        None if declared.is_empty() => cells.push(columns::age(value, now)),
        None => cells.extend(declared.iter().map(|column| custom_cell(value, column, now))),
    }
    cells
}

fn custom_cell(value: &Value, column: &Column, now: Timestamp) -> Value {
    let found = jsonpath::all(value, &column.path);
    let several = found.len() > 1;
    let Some(first) = found.first() else {
        return if column.type_name == "date" { json!("<unknown>") } else { Value::Null };
    };
    match column.type_name.as_str() {
        "date" => json!(first.as_str().map_or_else(|| "<unknown>".to_owned(), |text| columns::since(text, now))),
        "integer" => first.as_i64().map_or(Value::Null, |number| json!(number)),
        "number" => first.as_f64().map_or(Value::Null, |number| json!(number)),
        "boolean" => first.as_bool().map_or(Value::Null, |flag| json!(flag)),
        _ if several => json!(
            found
                .iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(",")
        ),
        _ => match first {
            Value::String(_) => first.clone(),
            Value::Null => Value::Null,
            other => json!(other.to_string()),
        },
    }
}
