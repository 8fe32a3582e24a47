//! How two states of an object differ, field by field.

use serde_json::Value;

use super::fields::{FieldSet, Parts, item_step, parts};
use crate::kube::schema::Schema;

/// The fields in which two objects differ.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Changes {
    /// What the new object sets differently or anew.
    pub(crate) fn set_or_added(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    fn extend_under(&mut self, step: &str, other: Self) {
        self.added.extend(other.added.under(step));
        self.modified.extend(other.modified.under(step));
        self.removed.extend(other.removed.under(step));
    }
}

/// How `new` differs from `old`.
pub(crate) fn compare(old: &Value, new: &Value, schema: &Schema) -> Changes {
    let mut changes = Changes::default();
    walk(old, new, Some(schema), &mut changes);
    changes.added = std::mem::take(&mut changes.added).without_identity();
    changes.modified = std::mem::take(&mut changes.modified).without_identity();
    changes.removed = std::mem::take(&mut changes.removed).without_identity();
    changes
}

fn step_changed(step: &str, old: Option<&Value>, new: Option<&Value>, schema: Option<&Schema>, changes: &mut Changes) {
    match (old, new) {
        (None, None) => {}
        (None, Some(new)) => changes.added.extend(FieldSet::of_step(step.to_owned(), new, schema, true)),
        (Some(old), None) => changes.removed.extend(FieldSet::of_step(step.to_owned(), old, schema, true)),
        (Some(old), Some(new)) => {
            if old == new {
                return;
            }
            match (parts(old, schema), parts(new, schema)) {
                (Parts::Whole, Parts::Whole) => changes.modified.insert(step),
                // One of them is empty or of another type: its leaves come or go, and the field itself with them.
                (Parts::Whole, _) => {
                    changes.added.extend(FieldSet::of_step(step.to_owned(), new, schema, true));
                    changes.removed.insert(step);
                }
                (_, Parts::Whole) => {
                    changes.removed.extend(FieldSet::of_step(step.to_owned(), old, schema, true));
                    changes.added.insert(step);
                }
                _ => {
                    let mut below = Changes::default();
                    walk(old, new, schema, &mut below);
                    changes.extend_under(step, below);
                }
            }
        }
    }
}

fn walk(old: &Value, new: &Value, schema: Option<&Schema>, changes: &mut Changes) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                let field = schema.and_then(|schema| schema.field(name)).map(|s| &**s);
                let step = format!("f:{name}");
                step_changed(&step, Some(value), new.get(name), field, changes);
            }
            for (name, value) in new {
                if !old.contains_key(name) {
                    let field = schema.and_then(|schema| schema.field(name)).map(|s| &**s);
                    step_changed(&format!("f:{name}"), None, Some(value), field, changes);
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            let Some(schema) = schema else { return };
            let steps = |list: &[Value]| -> Vec<(String, Value)> {
                list.iter().filter_map(|item| item_step(item, schema).map(|step| (step, item.clone()))).collect()
            };
            let (old, new) = (steps(old), steps(new));
            let find = |list: &[(String, Value)], step: &str| {
                list.iter().find(|(other, _)| other == step).map(|(_, item)| item.clone())
            };
            for (step, item) in &old {
                let other = find(&new, step);
                let items = schema.items.as_deref();
                step_changed(step, Some(item), other.as_ref(), items, changes);
            }
            for (step, item) in &new {
                if find(&old, step).is_none() {
                    step_changed(step, None, Some(item), schema.items.as_deref(), changes);
                }
            }
        }
        _ => {}
    }
}
