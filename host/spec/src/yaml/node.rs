//! The tree that a document becomes.

use serde_json::{Map, Number, Value};

use crate::source::Span;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Span,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Null,
    Bool(bool),
    /// A number and how it was written.
    Number(Number, String),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// The entry for a key: exactly so, or else in any case, as the Go decoder matches it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        let NodeKind::Mapping(entries) = &self.kind else {
            return None;
        };
        entries.iter().find(|e| e.key == key).or_else(|| entries.iter().find(|e| e.key.eq_ignore_ascii_case(key)))
    }

    /// How many nodes it has and how deep they nest, itself included. A text counts once more for each `unit` bytes.
    pub(crate) fn measure(&self, unit: usize) -> (usize, usize) {
        let mut size = 1;
        let mut depth = 0;
        if let NodeKind::Text(text) | NodeKind::Number(_, text) = &self.kind {
            size += text.len() / unit;
        }
        let mut add = |child: &Node| {
            let (s, d) = child.measure(unit);
            size += s;
            depth = depth.max(d);
        };
        match &self.kind {
            NodeKind::Sequence(items) => items.iter().for_each(&mut add),
            NodeKind::Mapping(entries) => entries.iter().for_each(|e| add(&e.value)),
            _ => {}
        }
        (size, depth + 1)
    }

    /// The value without places. A `kubernetesVersion` written as a number keeps its text, so that `1.30` is not `1.3`.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(b) => Value::Bool(*b),
            NodeKind::Number(n, _) => Value::Number(n.clone()),
            NodeKind::Text(text) => Value::String(text.clone()),
            NodeKind::Sequence(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            NodeKind::Mapping(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for entry in entries {
                    let value = entry.value.kept_text(&entry.key).unwrap_or_else(|| entry.value.to_value());
                    map.insert(entry.key.clone(), value);
                }
                Value::Object(map)
            }
        }
    }

    /// The same of a tree that is needed no more.
    pub(crate) fn into_value(self) -> Value {
        match self.kind {
            NodeKind::Text(text) => Value::String(text),
            NodeKind::Sequence(items) => Value::Array(items.into_iter().map(Node::into_value).collect()),
            NodeKind::Mapping(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|Entry { key, value, .. }| {
                        let value = value.kept_text(&key).unwrap_or_else(|| value.into_value());
                        (key, value)
                    })
                    .collect(),
            ),
            _ => self.to_value(),
        }
    }

    fn kept_text(&self, key: &str) -> Option<Value> {
        match &self.kind {
            NodeKind::Number(_, text) if key.eq_ignore_ascii_case("kubernetesVersion") => Some(text.as_str().into()),
            _ => None,
        }
    }
}
