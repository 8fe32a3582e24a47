//! Nothing of a Secret leaves the clusters: not in the Secret itself, and not where something else repeats it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// What stands for a value.
const MASKED: &str = "***";
/// A shorter value is a word like any other: masking it everywhere would make the rest unreadable.
const SHORTEST: usize = 8;

/// The values of the Secrets that were seen.
#[derive(Default)]
pub(super) struct Mask {
    values: BTreeSet<String>,
}

impl Mask {
    /// The object without the values of a Secret, which are remembered: keys stay, values go.
    pub(super) fn take(&mut self, mut object: Value) -> Value {
        if object.get("kind").and_then(Value::as_str) != Some("Secret") {
            return object;
        }
        for field in ["data", "stringData"] {
            if let Some(data) = object.get_mut(field).and_then(Value::as_object_mut) {
                for value in data.values_mut() {
                    self.remember(value.as_str().unwrap_or_default());
                    *value = json!(MASKED);
                }
            }
        }
        if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        object
    }

    fn remember(&mut self, value: &str) {
        let decoded = BASE64.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        for text in [Some(value.to_owned()), decoded].into_iter().flatten() {
            let text = text.trim();
            if text.len() >= SHORTEST && text != "true" {
                self.values.insert(text.to_owned());
            }
        }
    }

    /// A text without what any of the Secrets holds.
    pub(super) fn clean(&self, text: &str) -> String {
        // A value may hold another one: the longer goes first.
        let mut values: Vec<&String> = self.values.iter().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut text = text.to_owned();
        for value in values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), MASKED);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_secret_is_left() {
        let mut mask = Mask::default();
        let secret = json!({
            "kind": "Secret", "data": {"a": BASE64.encode("hidden-password")}, "stringData": {"b": "hidden-too"},
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hidden", "x": "y"}},
        });
        let text = mask.take(secret).to_string();
        assert!(!text.contains("hidden") && !text.contains(&BASE64.encode("hidden-password")), "{text}");
        assert!(text.contains("\"a\":\"***\"") && text.contains("\"x\":\"y\""), "{text}");
        let log = format!("login of admin with hidden-password failed; {}", BASE64.encode("hidden-password"));
        assert_eq!(mask.clean(&log), "login of admin with *** failed; ***");
    }

    #[test]
    fn short_values_leave_words_alone() {
        let mut mask = Mask::default();
        mask.take(json!({"kind": "Secret", "stringData": {"user": "admin"}}));
        assert_eq!(mask.clean("the administrator"), "the administrator");
        let map = json!({"kind": "ConfigMap", "data": {"a": "everything stays"}});
        assert_eq!(mask.take(map.clone()), map);
        assert_eq!(mask.clean("everything stays"), "everything stays");
    }
}
