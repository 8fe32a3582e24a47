//! What the API checks about built-in objects beyond their fields' types.

use base64::Engine;
use serde_json::Value;

use crate::kube::crd;
use crate::kube::error::Cause;
use crate::kube::resource::Resource;
use crate::kube::selector::LabelSelector;

fn changed(value: &Value, old: Option<&Value>, path: &str) -> bool {
    old.is_some_and(|old| old.pointer(path) != value.pointer(path))
}

/// Everything about the object that its kind forbids; `old` is what it replaces.
pub(crate) fn check(resource: &Resource, value: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    match (resource.key.group.as_str(), resource.key.plural.as_str()) {
        ("apiextensions.k8s.io", "customresourcedefinitions") => causes.extend(crd::check(value)),
        ("apps", "deployments" | "replicasets" | "daemonsets" | "statefulsets") => {
            workload(value, old, &mut causes);
        }
        ("", "secrets") => {
            data(value, &mut causes);
            immutable(value, old, &mut causes);
            if changed(value, old, "/type") {
                causes.push(fixed("type", value.get("type")));
            }
        }
        ("", "configmaps") => immutable(value, old, &mut causes),
        ("", "services") if moved(value, old) => {
            causes.push(fixed("spec.clusterIPs[0]", value.pointer("/spec/clusterIP")));
        }
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") if changed(value, old, "/roleRef") => {
            let role = value.get("roleRef").cloned().unwrap_or_default();
            causes.push(Cause::invalid("roleRef", &role, "cannot change roleRef"));
        }
        ("storage.k8s.io", "storageclasses") => {
            for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
                if changed(value, old, &format!("/{field}")) {
                    causes.push(Cause::forbidden(field, "updates to this field are forbidden."));
                }
            }
        }
        _ => {}
    }
    causes
}

/// Whether a Service that has an address wants another one.
fn moved(value: &Value, old: Option<&Value>) -> bool {
    let address = |object: &Value| object.pointer("/spec/clusterIP").and_then(Value::as_str).map(str::to_owned);
    let had = old.and_then(address).filter(|address| !address.is_empty());
    let external = value.pointer("/spec/type").and_then(Value::as_str) == Some("ExternalName");
    had.is_some() && had != address(value) && !external
}

fn fixed(field: &str, value: Option<&Value>) -> Cause {
    Cause::invalid(field, value.unwrap_or(&Value::Null), "field is immutable")
}

fn workload(value: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let selector = value.pointer("/spec/selector").unwrap_or(&Value::Null);
    if changed(value, old, "/spec/selector") {
        causes.push(fixed("spec.selector", Some(selector)));
    }
    let labels = value.pointer("/spec/template/metadata/labels");
    match LabelSelector::from_object(selector) {
        Ok(parsed) => {
            if parsed.is_everything() {
                causes.push(Cause::invalid("spec.selector", selector, "empty selector is invalid for workloads"));
            } else if !parsed.matches_labels(labels) {
                causes.push(Cause::invalid(
                    "spec.template.metadata.labels",
                    labels.unwrap_or(&Value::Null),
                    "`selector` does not match template `labels`",
                ));
            }
        }
        Err(error) => causes.push(Cause::invalid("spec.selector", selector, &error.to_string())),
    }
    let containers = value.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        causes.push(Cause::required("spec.template.spec.containers", ""));
    }
}

fn data(value: &Value, causes: &mut Vec<Cause>) {
    for (name, encoded) in value.get("data").and_then(Value::as_object).into_iter().flatten() {
        let text = encoded.as_str().unwrap_or_default();
        if base64::engine::general_purpose::STANDARD.decode(text).is_err() {
            causes.push(Cause::invalid(format!("data[{name}]"), encoded, "illegal base64 data"));
        }
    }
}

fn immutable(value: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(old) = old else { return };
    if old.get("immutable").and_then(Value::as_bool) != Some(true) {
        return;
    }
    if value.get("immutable") != old.get("immutable") {
        causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for field in ["data", "binaryData"] {
        if value.get(field) != old.get(field) {
            causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
        }
    }
}
