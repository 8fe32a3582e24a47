//! Conditions in the two forms that Cluster API has: Kubernetes' own, and the older one of its own with a severity.

use serde_json::{Value, json};

use crate::kube::object;

use super::meta::{now, text};

/// Where an API version keeps its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `status.conditions` in Kubernetes' form; the older ones in `status.deprecated.v1beta1.conditions`.
    V1Beta2,
    /// `status.conditions` in the older form; the newer ones in `status.v1beta2.conditions`.
    V1Beta1,
}

impl Form {
    pub(crate) fn of(this: &Value) -> Self {
        match object::group_version(this).1 {
            "v1beta1" | "v1alpha4" | "v1alpha3" => Self::V1Beta1,
            _ => Self::V1Beta2,
        }
    }

    fn new_path(self) -> &'static [&'static str] {
        match self {
            Self::V1Beta2 => &["status"],
            Self::V1Beta1 => &["status", "v1beta2"],
        }
    }

    fn old_path(self) -> &'static [&'static str] {
        match self {
            Self::V1Beta2 => &["status", "deprecated", "v1beta1"],
            Self::V1Beta1 => &["status"],
        }
    }
}

/// One condition to set.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    name: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

impl Condition {
    pub(crate) fn new(name: &'static str, holds: bool, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name, status: if holds { "True" } else { "False" }, reason: reason.into(), message: message.into() }
    }

    pub(crate) fn yes(name: &'static str, reason: impl Into<String>) -> Self {
        Self::new(name, true, reason, "")
    }

    pub(crate) fn no(name: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, false, reason, message)
    }

    pub(crate) fn unknown(name: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name, status: "Unknown", reason: reason.into(), message: message.into() }
    }

    /// True with reason `NotX` negated: `ScalingUp`/`NotScalingUp`.
    pub(crate) fn is(name: &'static str, holds: bool) -> Self {
        let reason = if holds { name.to_owned() } else { format!("Not{name}") };
        Self::new(name, holds, reason, "")
    }

    pub(crate) fn holds(&self) -> bool {
        self.status == "True"
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

fn put(this: &mut Value, path: &[&str], name: &str, mut entry: Value) {
    let list = object::ensure_map(this, path).entry("conditions").or_insert_with(|| json!([]));
    let Value::Array(list) = list else {
        *list = json!([]);
        return;
    };
    if let Some(there) = list.iter_mut().find(|one| text(one, "/type") == name) {
        if text(there, "/status") == text(&entry, "/status")
            && let (Some(since), Value::Object(map)) = (there.get("lastTransitionTime").cloned(), &mut entry)
        {
            map.insert("lastTransitionTime".to_owned(), since);
        }
        *there = entry;
    } else {
        list.push(entry);
        list.sort_by(|a, b| text(a, "/type").cmp(text(b, "/type")));
    }
}

/// Sets a condition in Kubernetes' form.
pub(crate) fn set(this: &mut Value, condition: &Condition) {
    let entry = json!({
        "type": condition.name, "status": condition.status, "observedGeneration": object::generation(this),
        "lastTransitionTime": now(), "reason": condition.reason, "message": condition.message,
    });
    let path = Form::of(this).new_path();
    put(this, path, condition.name, entry);
}

/// Sets several.
pub(crate) fn set_all<'a>(this: &mut Value, conditions: impl IntoIterator<Item = &'a Condition>) {
    for condition in conditions {
        set(this, condition);
    }
}

/// Sets a condition in the older form.
pub(crate) fn set_old(this: &mut Value, name: &str, holds: bool, reason: &str, message: &str) {
    put_old(this, name, holds, "Info", reason, message);
}

/// The same for what somebody has to do something about.
pub(crate) fn set_old_error(this: &mut Value, name: &str, reason: &str, message: &str) {
    put_old(this, name, false, "Error", reason, message);
}

/// Reason and message of a condition in the older form that reports an error.
pub(crate) fn old_error<'a>(this: &'a Value, name: &str) -> Option<(&'a str, &'a str)> {
    let pointer: String =
        Form::of(this).old_path().iter().flat_map(|step| ["/", *step]).chain(["/conditions"]).collect();
    let list = this.pointer(&pointer)?.as_array()?;
    let found = list.iter().find(|one| text(one, "/type") == name && text(one, "/severity") == "Error")?;
    Some((text(found, "/reason"), text(found, "/message")))
}

fn put_old(this: &mut Value, name: &str, holds: bool, severity: &str, reason: &str, message: &str) {
    let mut entry = json!({"type": name, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now()});
    if !holds && let Value::Object(map) = &mut entry {
        map.insert("severity".to_owned(), json!(severity));
        for (field, value) in [("reason", reason), ("message", message)] {
            if !value.is_empty() {
                map.insert(field.to_owned(), json!(value));
            }
        }
    }
    let path = Form::of(this).old_path();
    put(this, path, name, entry);
}

fn at(this: &Value, path: &[&str], name: &str) -> Option<bool> {
    let pointer: String = path.iter().flat_map(|step| ["/", *step]).chain(["/conditions"]).collect();
    let list = this.pointer(&pointer)?.as_array()?;
    list.iter().find(|one| text(one, "/type") == name).map(|one| text(one, "/status") == "True")
}

/// Whether a condition is True, in either form.
pub(crate) fn is_true(this: &Value, name: &str) -> bool {
    let form = Form::of(this);
    at(this, form.new_path(), name).or_else(|| at(this, form.old_path(), name)) == Some(true)
}

/// Sets `Paused` and says whether anything else may be done.
pub(crate) fn set_paused(this: &mut Value, paused: bool) {
    let reason = if paused { "Paused" } else { "NotPaused" };
    set(this, &Condition::new("Paused", paused, reason, ""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut this = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "metadata": {"generation": 3}});
        set(&mut this, &Condition::no("Ready", "NotReady", "waits"));
        this.pointer_mut("/status/conditions/0").unwrap()["lastTransitionTime"] = json!("2020-01-01T00:00:00Z");
        set(&mut this, &Condition::no("Ready", "NotReady", "still waits"));
        assert_eq!(text(&this, "/status/conditions/0/lastTransitionTime"), "2020-01-01T00:00:00Z");
        assert_eq!(text(&this, "/status/conditions/0/message"), "still waits");
        assert_eq!(this.pointer("/status/conditions/0/observedGeneration"), Some(&json!(3)));
        set(&mut this, &Condition::yes("Ready", "Ready"));
        assert_ne!(text(&this, "/status/conditions/0/lastTransitionTime"), "2020-01-01T00:00:00Z");
        assert!(is_true(&this, "Ready"));
    }

    #[test]
    fn each_api_version_has_its_own_places() {
        let mut old = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "metadata": {}});
        set(&mut old, &Condition::yes("Paused", "NotPaused"));
        set_old(&mut old, "Ready", true, "", "");
        assert_eq!(text(&old, "/status/conditions/0/type"), "Ready");
        assert_eq!(text(&old, "/status/v1beta2/conditions/0/type"), "Paused");
        assert!(is_true(&old, "Ready") && is_true(&old, "Paused") && !is_true(&old, "Available"));
        let mut new = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "metadata": {}});
        set_old(&mut new, "Ready", false, "Why", "because");
        assert_eq!(text(&new, "/status/deprecated/v1beta1/conditions/0/severity"), "Info");
        assert_eq!(old_error(&new, "Ready"), None);
        set_old_error(&mut new, "Ready", "Why", "because");
        assert_eq!(old_error(&new, "Ready"), Some(("Why", "because")));
    }
}
