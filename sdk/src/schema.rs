//! JSON Schemas (2020-12) of a provider's kinds, written as short as they read.

use serde_json::{Map, Value, json};

/// A schema under construction.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema(Value);

fn typed(kind: &str, description: &str) -> Schema {
    Schema(json!({"type": kind, "description": description}))
}

/// Text.
pub fn string(description: &str) -> Schema {
    typed("string", description)
}

/// A whole number.
pub fn integer(description: &str) -> Schema {
    typed("integer", description)
}

/// `true` or `false`.
pub fn boolean(description: &str) -> Schema {
    typed("boolean", description)
}

/// One of some texts.
pub fn one_of(values: &[&str], description: &str) -> Schema {
    string(description).set("enum", json!(values))
}

/// A list of things of one schema.
pub fn list(items: Schema, description: &str) -> Schema {
    typed("array", description).set("items", items.0)
}

/// Texts by any key.
pub fn map(values: Schema, description: &str) -> Schema {
    typed("object", description).set("additionalProperties", values.0)
}

/// An object that has these fields and no others.
pub fn object<const N: usize>(fields: [(&str, Schema); N]) -> Schema {
    let properties: Map<String, Value> =
        fields.into_iter().map(|(name, Schema(schema))| (name.to_owned(), schema)).collect();
    Schema(json!({"type": "object", "properties": properties, "additionalProperties": false}))
}

impl Schema {
    /// What it is for.
    #[must_use]
    pub fn describe(self, description: &str) -> Self {
        self.set("description", json!(description))
    }

    /// Fields that have to be there.
    #[must_use]
    pub fn required(self, fields: &[&str]) -> Self {
        self.set("required", json!(fields))
    }

    /// The smallest number.
    #[must_use]
    pub fn minimum(self, minimum: i64) -> Self {
        self.set("minimum", json!(minimum))
    }

    /// The most items.
    #[must_use]
    pub fn max_items(self, count: usize) -> Self {
        self.set("maxItems", json!(count))
    }

    /// Any keyword.
    #[must_use]
    pub fn set(mut self, keyword: &str, value: Value) -> Self {
        if let Some(schema) = self.0.as_object_mut() {
            schema.insert(keyword.to_owned(), value);
        }
        self
    }

    /// The schema of a whole Kubernetes document whose `spec` is this one; it may be left out if it has no required
    /// field. `metadata` and `status` are free.
    pub fn document(self) -> Value {
        let mut required = vec!["apiVersion", "kind", "metadata"];
        if self.0.get("required").is_some() {
            required.push("spec");
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": self.0,
                "status": {"type": "object"},
            },
            "required": required,
            "additionalProperties": false,
        })
    }

    /// The schema itself.
    pub fn build(self) -> Value {
        self.0
    }
}
