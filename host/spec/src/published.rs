//! Schemas as editors want them: standard keywords alone, closed where an unknown field is a mistake.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What `kedge schema` is to be found under, for the line that editors look for.
pub const FILE_NAME: &str = "kedge.schema.json";

/// The schema of the documents of one kind.
#[must_use]
pub fn of_kind(kind: &str, schema: &Value) -> Value {
    let mut schema = closed(schema);
    if let Some(object) = schema.as_object_mut() {
        let mut ordered = Map::new();
        ordered.insert("$schema".to_owned(), json!(DIALECT));
        ordered.insert("title".to_owned(), json!(kind));
        object.shift_remove("$schema");
        ordered.append(object);
        *object = ordered;
    }
    if let Some(named) = schema.pointer_mut("/properties/kind") {
        *named = json!({ "const": kind });
    }
    schema
}

/// One schema for every document of a spec file: which kind it has says which fields. Documents of other kinds are left
/// alone.
#[must_use]
pub fn of_file(kinds: &BTreeMap<String, Value>) -> Value {
    let mut definitions = Map::new();
    let mut choices = Vec::new();
    for (kind, schema) in kinds {
        let mut schema = of_kind(kind, schema);
        if let Some(object) = schema.as_object_mut() {
            object.shift_remove("$schema");
        }
        rebased(&mut schema, kind);
        definitions.insert(kind.clone(), schema);
        choices.push(json!({
            "if": { "type": "object", "properties": { "kind": { "const": kind } }, "required": ["kind"] },
            "then": { "$ref": format!("#/$defs/{kind}") }
        }));
    }
    let names: Vec<&String> = kinds.keys().collect();
    json!({
        "$schema": DIALECT,
        "title": "EKS Anywhere cluster spec",
        // A document between two markers may be empty.
        "type": ["object", "null"],
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": { "type": "string", "default": format!("{}/v1alpha1", crate::cluster::GROUP) },
            "kind": { "anyOf": [{ "enum": names }, { "type": "string" }] }
        },
        "allOf": choices,
        "$defs": definitions
    })
}

/// The comment that makes editors complete and check a document.
#[must_use]
pub fn editor_line() -> String {
    format!("# yaml-language-server: $schema={FILE_NAME}")
}

/// The same with `additionalProperties: false` said where it is meant, and without this crate's own keyword.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let mut out: Map<String, Value> = map
                .iter()
                .filter(|(keyword, _)| *keyword != "x-text")
                .map(|(keyword, value)| {
                    let value = match (keyword.as_str(), value) {
                        // Here keys are names of fields, not keywords.
                        ("properties" | "$defs", Value::Object(fields)) => {
                            Value::Object(fields.iter().map(|(name, inner)| (name.clone(), closed(inner))).collect())
                        }
                        ("enum" | "const" | "default" | "required", value) => value.clone(),
                        (_, value) => closed(value),
                    };
                    (keyword.clone(), value)
                })
                .collect();
            if out.contains_key("properties") && !out.contains_key("additionalProperties") {
                out.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.iter().map(closed).collect()),
        other => other.clone(),
    }
}

/// References within a schema that becomes one of several definitions.
fn rebased(schema: &mut Value, kind: &str) {
    match schema {
        Value::Object(map) => {
            for (keyword, value) in map {
                match value {
                    Value::String(target) if keyword == "$ref" => {
                        if let Some(rest) = target.strip_prefix("#/") {
                            *target = format!("#/$defs/{kind}/{rest}");
                        }
                    }
                    inner => rebased(inner, kind),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebased(item, kind)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_reference_leads_somewhere(value: &Value, root: &Value, found: &mut usize) {
        match value {
            Value::Object(map) => {
                if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                    assert!(root.pointer(target.strip_prefix('#').unwrap()).is_some(), "{target}");
                    *found += 1;
                }
                map.values().for_each(|inner| every_reference_leads_somewhere(inner, root, found));
            }
            Value::Array(items) => items.iter().for_each(|item| every_reference_leads_somewhere(item, root, found)),
            _ => {}
        }
    }

    #[test]
    fn a_files_schema_holds_those_of_its_kinds() {
        let kinds = crate::cluster::HOST_KINDS.into_iter().chain([crate::cluster::KIND]);
        let kinds: BTreeMap<String, Value> =
            kinds.map(|kind| (kind.to_owned(), crate::cluster::schema::of(kind).unwrap())).collect();
        let schema = of_file(&kinds);
        let mut references = 0;
        every_reference_leads_somewhere(&schema, &schema, &mut references);
        assert!(references > 30, "{references}");
        let spec = schema.pointer("/$defs/Cluster/properties/spec").unwrap();
        assert_eq!(spec["additionalProperties"], false);
        assert_eq!(spec["properties"]["managementCluster"]["additionalProperties"], false);
        assert_eq!(
            spec["properties"]["controlPlaneConfiguration"]["properties"]["kubeletConfiguration"]["additionalProperties"],
            Value::Null
        );
        assert!(!schema.to_string().contains("x-text"));
        let one = of_kind("Cluster", &kinds["Cluster"]);
        assert_eq!((&one["title"], &one["properties"]["kind"]["const"]), (&json!("Cluster"), &json!("Cluster")));
    }
}
