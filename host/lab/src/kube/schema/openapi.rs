//! Reading a schema as a CustomResourceDefinition has it.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::{Bounds, ListType, Schema, Strategy, Type};

fn flag(schema: &Value, field: &str) -> bool {
    schema.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn count(schema: &Value, field: &str) -> Option<usize> {
    schema.get(field).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
}

fn several(schema: &Value, field: &str) -> Vec<Arc<Schema>> {
    schema
        .get(field)
        .and_then(Value::as_array)
        .map(|list| list.iter().map(|item| Arc::new(Schema::read(item))).collect())
        .unwrap_or_default()
}

impl Schema {
    /// Reads an `openAPIV3Schema`, or a part of one.
    pub(crate) fn read(schema: &Value) -> Self {
        let text = |field: &str| schema.get(field).and_then(Value::as_str);
        let value_type = if flag(schema, "x-kubernetes-int-or-string") {
            Type::IntOrString
        } else {
            match text("type").unwrap_or_default() {
                "object" => Type::Object,
                "array" => Type::Array,
                "string" => Type::String,
                "integer" => Type::Integer,
                "number" => Type::Number,
                "boolean" => Type::Boolean,
                _ => Type::Any,
            }
        };
        let list = match text("x-kubernetes-list-type") {
            Some("set") => ListType::Set,
            Some("map") => ListType::Map(
                schema
                    .get("x-kubernetes-list-map-keys")
                    .and_then(Value::as_array)
                    .map(|keys| keys.iter().filter_map(Value::as_str).map(str::to_owned))
                    .map(Iterator::collect)
                    .unwrap_or_default(),
            ),
            _ => ListType::Atomic,
        };
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .map(|map| map.iter().map(|(name, value)| (name.clone(), Arc::new(Self::read(value)))).collect())
            .unwrap_or_default();
        let additional = match schema.get("additionalProperties") {
            Some(Value::Bool(true)) => Some(Self::unknown()),
            Some(declared @ Value::Object(_)) => Some(Arc::new(Self::read(declared))),
            _ => None,
        };
        Self {
            value_type,
            format: text("format").map(str::to_owned),
            properties,
            additional,
            items: schema.get("items").map(|items| Arc::new(Self::read(items))),
            required: schema
                .get("required")
                .and_then(Value::as_array)
                .map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned))
                .map(Iterator::collect)
                .unwrap_or_default(),
            list,
            atomic: text("x-kubernetes-map-type") == Some("atomic"),
            preserve_unknown: flag(schema, "x-kubernetes-preserve-unknown-fields"),
            embedded: flag(schema, "x-kubernetes-embedded-resource"),
            nullable: flag(schema, "nullable"),
            default: schema.get("default").cloned(),
            enumeration: schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            // Go's expressions are a subset of these but for a few escapes: one that cannot be compiled is not checked.
            pattern: text("pattern").map(|text| (text.to_owned(), Regex::new(text).ok())),
            bounds: Bounds {
                minimum: schema.get("minimum").and_then(Value::as_f64),
                maximum: schema.get("maximum").and_then(Value::as_f64),
                exclusive_minimum: flag(schema, "exclusiveMinimum"),
                exclusive_maximum: flag(schema, "exclusiveMaximum"),
                multiple_of: schema.get("multipleOf").and_then(Value::as_f64),
                min_length: count(schema, "minLength"),
                max_length: count(schema, "maxLength"),
                min_items: count(schema, "minItems"),
                max_items: count(schema, "maxItems"),
                unique_items: flag(schema, "uniqueItems"),
                min_properties: count(schema, "minProperties"),
                max_properties: count(schema, "maxProperties"),
            },
            all_of: several(schema, "allOf"),
            any_of: several(schema, "anyOf"),
            one_of: several(schema, "oneOf"),
            not: schema.get("not").map(|not| Arc::new(Self::read(not))),
            strategy: Strategy::default(),
        }
    }
}
