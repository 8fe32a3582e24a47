//! Field paths as Kubernetes writes them: `spec.groups[0].count`, `metadata.labels[example.com/team]`.

use serde_json::Value;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = vec![];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']').unwrap_or((inner, ""));
            steps.push(step.parse().map_or(Step::Key(step), Step::Index));
            rest = after;
        } else {
            let from = rest.strip_prefix('.').unwrap_or(rest);
            let end = from.find(['.', '[']).unwrap_or(from.len());
            let (key, after) = from.split_at(end);
            if !key.is_empty() {
                steps.push(Step::Key(key));
            }
            rest = after;
        }
    }
    steps
}

/// The value at a path; none if a step leads nowhere or to null.
pub(crate) fn get<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let found = steps(path).into_iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    });
    found.filter(|value| !value.is_null())
}

/// Puts a value at a path, making the objects on the way. A list is grown by one where the index is its length.
/// Returns whether it could: a path through a value that is no object or list leads nowhere.
pub(crate) fn set(root: &mut Value, path: &str, new: Value) -> bool {
    let mut place = root;
    for step in steps(path) {
        place = match step {
            Step::Key(key) => {
                if place.is_null() {
                    *place = Value::Object(serde_json::Map::new());
                }
                let Some(object) = place.as_object_mut() else {
                    return false;
                };
                object.entry(key).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if place.is_null() {
                    *place = Value::Array(vec![]);
                }
                let Some(list) = place.as_array_mut() else {
                    return false;
                };
                if list.len() == index {
                    list.push(Value::Null);
                }
                let Some(item) = list.get_mut(index) else {
                    return false;
                };
                item
            }
        };
    }
    *place = new;
    true
}

/// A key as a step of a path: in brackets where it has characters that a plain step may not have.
pub(crate) fn key_step(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain { format!(".{key}") } else { format!("[{key}]") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_keys_indexes_and_brackets() {
        let value = json!({"spec": {"groups": [{"count": 3}], "labels": {"example.com/team": "a"}, "none": null}});
        assert_eq!(get(&value, "spec.groups[0].count"), Some(&json!(3)));
        assert_eq!(get(&value, "spec.labels[example.com/team]"), Some(&json!("a")));
        assert_eq!(get(&value, "spec.groups[1].count"), None);
        assert_eq!(get(&value, "spec.none"), None);
        assert_eq!(get(&value, ""), Some(&value));
    }

    #[test]
    fn sets_through_missing_objects_but_not_through_text() {
        let mut value = json!({"spec": {"name": "x"}});
        assert!(set(&mut value, "spec.users[0].keys[0]", json!("k")));
        assert_eq!(value["spec"]["users"], json!([{"keys": ["k"]}]));
        assert!(!set(&mut value, "spec.name.inner", json!(1)));
        assert!(!set(&mut value, "spec.users[5].name", json!(1)));
    }

    #[test]
    fn brackets_only_where_they_are_needed() {
        assert_eq!(key_step("plain-key"), ".plain-key");
        assert_eq!(key_step("example.com/team"), "[example.com/team]");
    }
}
