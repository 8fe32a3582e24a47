//! The shape of objects: what a structural schema, or a built-in type, says about a value.

mod openapi;
mod prune;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

pub(crate) use prune::{coerce_defaults, prune};
pub(crate) use validate::validate;

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Type {
    /// Nothing is known.
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

impl Type {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntOrString => "integer or string",
        }
    }
}

/// How two lists are merged by server-side apply.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum ListType {
    /// One owner for the whole list.
    #[default]
    Atomic,
    /// Each scalar has its owners.
    Set,
    /// Each item, known by these fields, has its owners.
    Map(Vec<String>),
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Strategy {
    /// Lists: merge by this field (empty: a list of scalars); none: replace.
    pub(crate) merge_key: Option<String>,
    /// Maps: drop the fields that `$retainKeys` does not name.
    pub(crate) retain_keys: bool,
}

/// Bounds of a value; all optional.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) min_items: Option<usize>,
    pub(crate) max_items: Option<usize>,
    pub(crate) unique_items: bool,
    pub(crate) min_properties: Option<usize>,
    pub(crate) max_properties: Option<usize>,
}

/// The schema of one value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) value_type: Type,
    pub(crate) format: Option<String>,
    pub(crate) properties: BTreeMap<String, Arc<Schema>>,
    pub(crate) additional: Option<Arc<Schema>>,
    pub(crate) items: Option<Arc<Schema>>,
    pub(crate) required: Vec<String>,
    pub(crate) list: ListType,
    /// One owner for the whole map.
    pub(crate) atomic: bool,
    pub(crate) preserve_unknown: bool,
    /// The value is an object of its own, with `apiVersion`, `kind`, `metadata`.
    pub(crate) embedded: bool,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Value>,
    pub(crate) enumeration: Vec<Value>,
    pub(crate) pattern: Option<(String, Option<Regex>)>,
    pub(crate) bounds: Bounds,
    pub(crate) all_of: Vec<Arc<Schema>>,
    pub(crate) any_of: Vec<Arc<Schema>>,
    pub(crate) one_of: Vec<Arc<Schema>>,
    pub(crate) not: Option<Arc<Schema>>,
    pub(crate) strategy: Strategy,
}

impl Schema {
    /// A value of which nothing is known and everything kept.
    pub(crate) fn unknown() -> Arc<Self> {
        Arc::new(Self { preserve_unknown: true, ..Self::default() })
    }

    /// The schema of a field of a map, where one is declared.
    pub(crate) fn field(&self, name: &str) -> Option<&Arc<Self>> {
        self.properties.get(name).or(self.additional.as_ref())
    }

    /// Whether fields that are not declared stay.
    pub(crate) fn keeps_unknown(&self) -> bool {
        self.preserve_unknown || (self.value_type == Type::Any && self.properties.is_empty())
    }
}
