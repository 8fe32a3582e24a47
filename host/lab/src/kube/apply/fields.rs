//! Sets of fields, as `managedFields` writes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::kube::schema::{ListType, Schema, Type};

/// A set of paths into an object, as a tree. A step is written as in `FieldsV1`: `f:name` a field, `k:{...}` the item of
/// a list with these keys, `v:...` a scalar in a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    steps: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    /// The path to here is in the set itself.
    member: bool,
    below: FieldSet,
}

/// How the value of a field is taken apart.
pub(crate) enum Parts<'a> {
    /// Not at all: one owner.
    Whole,
    /// By fields.
    Fields(&'a Map<String, Value>),
    /// By items.
    Items(&'a [Value]),
}

/// How `value` is taken apart under `schema`.
pub(crate) fn parts<'a>(value: &'a Value, schema: Option<&Schema>) -> Parts<'a> {
    match value {
        Value::Object(map) => {
            let atomic = schema.is_some_and(|schema| schema.atomic);
            if atomic || map.is_empty() { Parts::Whole } else { Parts::Fields(map) }
        }
        Value::Array(list) => {
            let granular =
                schema.is_some_and(|schema| schema.value_type == Type::Array && schema.list != ListType::Atomic);
            if granular && !list.is_empty() { Parts::Items(list) } else { Parts::Whole }
        }
        _ => Parts::Whole,
    }
}

/// The step to an item of a list, or `None` where the item cannot be told from others.
pub(crate) fn item_step(item: &Value, schema: &Schema) -> Option<String> {
    match &schema.list {
        ListType::Atomic => None,
        ListType::Set => Some(format!("v:{}", canonical(item))),
        ListType::Map(keys) => {
            let mut values = BTreeMap::new();
            for key in keys {
                let default = schema
                    .items
                    .as_ref()
                    .and_then(|items| items.properties.get(key))
                    .and_then(|field| field.default.as_ref());
                if let Some(value) = item.get(key).filter(|v| !v.is_null()).or(default) {
                    values.insert(key.as_str(), value);
                }
            }
            if values.is_empty() {
                return None;
            }
            Some(format!("k:{}", json!(values)))
        }
    }
}

/// JSON with the fields of maps in order, so that equal values are equal texts.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, String> = map.iter().map(|(k, v)| (k, canonical(v))).collect();
            let parts: Vec<String> = sorted.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
            format!("{{{}}}", parts.join(","))
        }
        other => other.to_string(),
    }
}

fn canonical_step(step: &str) -> String {
    for prefix in ["k:", "v:"] {
        if let Some(text) = step.strip_prefix(prefix)
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            return format!("{prefix}{}", canonical(&value));
        }
    }
    step.to_owned()
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.values().all(|node| !node.member && node.below.is_empty())
    }

    /// The leaves of an object: what somebody who sets it owns.
    pub(crate) fn of(value: &Value, schema: &Schema) -> Self {
        let mut set = Self::default();
        set.add(value, Some(schema), false);
        set
    }

    /// The fields of one field or item, which is itself a member where it is a leaf or an item; and, if they are to be
    /// `whole`, the maps and lists on the way: whoever makes one by an update owns it too.
    pub(crate) fn of_step(step: String, value: &Value, schema: Option<&Schema>, whole: bool) -> Self {
        let mut set = Self::default();
        let item = !step.starts_with("f:");
        let mut node =
            Node { member: whole || item || matches!(parts(value, schema), Parts::Whole), below: Self::default() };
        node.below.add(value, schema, whole);
        set.steps.insert(step, node);
        set
    }

    fn add(&mut self, value: &Value, schema: Option<&Schema>, whole: bool) {
        match parts(value, schema) {
            Parts::Whole => {}
            Parts::Fields(map) => {
                for (name, value) in map {
                    let field = schema.and_then(|schema| schema.field(name)).map(|s| &**s);
                    self.extend(Self::of_step(format!("f:{name}"), value, field, whole));
                }
            }
            Parts::Items(list) => {
                let Some(schema) = schema else { return };
                for item in list {
                    if let Some(step) = item_step(item, schema) {
                        self.extend(Self::of_step(step, item, schema.items.as_deref(), whole));
                    }
                }
            }
        }
    }

    /// This set below `step`.
    pub(crate) fn under(self, step: &str) -> Self {
        let mut set = Self::default();
        set.steps.insert(step.to_owned(), Node { member: false, below: self });
        set
    }

    /// Adds all of another set.
    pub(crate) fn extend(&mut self, other: Self) {
        for (step, node) in other.steps {
            let mine = self.steps.entry(step).or_default();
            mine.member |= node.member;
            mine.below.extend(node.below);
        }
    }

    /// Adds one path of a single step.
    pub(crate) fn insert(&mut self, step: &str) {
        self.steps.entry(step.to_owned()).or_default().member = true;
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut result = self.clone();
        result.extend(other.clone());
        result
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| mine && theirs)
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| mine && !theirs)
    }

    fn combine(&self, other: &Self, keep: fn(bool, bool) -> bool) -> Self {
        let nothing = Node::default();
        let mut steps = BTreeMap::new();
        for (step, mine) in &self.steps {
            let theirs = other.steps.get(step).unwrap_or(&nothing);
            let node =
                Node { member: keep(mine.member, theirs.member), below: mine.below.combine(&theirs.below, keep) };
            if node.member || !node.below.is_empty() {
                steps.insert(step.clone(), node);
            }
        }
        Self { steps }
    }

    /// Whether the path of this one step is a member.
    pub(crate) fn has(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|node| node.member)
    }

    /// What lies below a step.
    pub(crate) fn below(&self, step: &str) -> Option<&Self> {
        self.steps.get(step).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    /// Whether the step or anything below it is a member.
    pub(crate) fn touches(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|node| node.member || !node.below.is_empty())
    }

    /// The paths that start with this field.
    pub(crate) fn only(&self, step: &str) -> Self {
        let mut steps = BTreeMap::new();
        if let Some(node) = self.steps.get(step) {
            steps.insert(step.to_owned(), node.clone());
        }
        Self { steps }
    }

    /// The paths that do not start with this field.
    pub(crate) fn except(&self, step: &str) -> Self {
        let mut result = self.clone();
        result.steps.remove(step);
        result
    }

    /// Without the fields that say which object it is, or that the API sets itself: nobody owns those.
    pub(crate) fn without_identity(mut self) -> Self {
        for step in ["f:apiVersion", "f:kind"] {
            self.steps.remove(step);
        }
        if let Some(node) = self.steps.get_mut("f:metadata") {
            node.member = false;
            for field in [
                "f:name",
                "f:namespace",
                "f:uid",
                "f:resourceVersion",
                "f:generation",
                "f:creationTimestamp",
                "f:deletionTimestamp",
                "f:deletionGracePeriodSeconds",
                "f:selfLink",
                "f:managedFields",
                "f:generateName",
            ] {
                node.below.steps.remove(field);
            }
            if node.below.is_empty() {
                self.steps.remove("f:metadata");
            }
        }
        self
    }

    /// Reads `fieldsV1`.
    pub(crate) fn read(value: &Value) -> Self {
        let mut set = Self::default();
        for (step, below) in value.as_object().into_iter().flatten() {
            if step == "." {
                continue;
            }
            let map = below.as_object();
            let empty = map.is_none_or(Map::is_empty);
            let node = set.steps.entry(canonical_step(step)).or_default();
            node.member |= empty || map.is_some_and(|map| map.contains_key("."));
            node.below.extend(Self::read(below));
        }
        set
    }

    /// Writes `fieldsV1`.
    pub(crate) fn write(&self) -> Value {
        let mut map = Map::new();
        for (step, node) in &self.steps {
            let mut below = Map::new();
            if node.member && !node.below.is_empty() {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            if let Value::Object(rest) = node.below.write() {
                below.extend(rest);
            }
            if node.member || !below.is_empty() {
                map.insert(step.clone(), Value::Object(below));
            }
        }
        Value::Object(map)
    }

    /// The paths as conflicts show them: `.spec.containers[name="a"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, prefix: &str, paths: &mut Vec<String>) {
        for (step, node) in &self.steps {
            let path = format!("{prefix}{}", shown(step));
            if node.member {
                paths.push(path.clone());
            }
            node.below.collect(&path, paths);
        }
    }
}

fn shown(step: &str) -> String {
    if let Some(name) = step.strip_prefix("f:") {
        return format!(".{name}");
    }
    if let Some(keys) = step.strip_prefix("k:") {
        let parts = serde_json::from_str::<Map<String, Value>>(keys).unwrap_or_default();
        let parts: Vec<String> = parts.iter().map(|(k, v)| format!("{k}={v}")).collect();
        return format!("[{}]", parts.join(","));
    }
    format!("[={}]", step.strip_prefix("v:").unwrap_or(step))
}
